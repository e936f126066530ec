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

#define pack_key(buffer, name) pack_text(buffer, (Text){(const u8 *)(name), sizeof(name) - 1})

#endif
