/* pack.h -- writing answers as MessagePack. */
#ifndef PACK_H
#define PACK_H

#include "base.h"

/* Bytes that grow at their end. */
typedef struct {
    u8 *bytes;
    u32 length, room;
} Buffer;

void buffer_reserve(Buffer *buffer, u32 more);
void buffer_add(Buffer *buffer, const void *bytes, u32 length);

void pack_nil(Buffer *buffer);
void pack_bool(Buffer *buffer, bool value);
void pack_number(Buffer *buffer, u32 value);
void pack_text(Buffer *buffer, Text text);
void pack_word(Buffer *buffer, const char *word);
void pack_map(Buffer *buffer, u32 pairs);
/* An array whose length is told at its end: `pack_array_end` with what the beginning gave. */
u32 pack_array_begin(Buffer *buffer);
void pack_array_end(Buffer *buffer, u32 beginning, u32 length);
void pack_array(Buffer *buffer, u32 length);
/* NOWHERE is nil. */
void pack_offset(Buffer *buffer, u32 offset);
/* The two offsets of a span, one after the other. */
void pack_span(Buffer *buffer, Span span);
/* An array of spans, each an array of its own. */
void pack_spans(Buffer *buffer, const Span *spans, u32 count);

#define pack_key(buffer, name) pack_text(buffer, (Text){(const u8 *)(name), sizeof(name) - 1})

#endif
