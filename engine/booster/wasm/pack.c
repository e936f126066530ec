/* pack.c -- see pack.h; the format is that of msgpack.org. */
#include "pack.h"

#include <string.h>

#include "arena.h"

void buffer_reserve(Buffer *buffer, u32 more) {
    if (more <= buffer->room - buffer->length)
        return;
    u32 room = buffer->room ? buffer->room * 2 : 256;
    buffer->room = MAX(room, buffer->length + more);
    buffer->bytes = arena_realloc(buffer->bytes, buffer->room);
}

void buffer_add(Buffer *buffer, const void *bytes, u32 length) {
    buffer_reserve(buffer, length);
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

static void add_byte(Buffer *buffer, u32 byte) {
    buffer_reserve(buffer, 1);
    buffer->bytes[buffer->length++] = (u8)byte;
}

/* A type byte and a number behind it, the highest byte first. */
static void add_header(Buffer *buffer, u32 type, u32 value, u32 width) {
    buffer_reserve(buffer, 1 + width);
    u8 *at = buffer->bytes + buffer->length;
    *at++ = (u8)type;
    for (u32 shift = width * 8; shift; shift -= 8)
        *at++ = (u8)(value >> (shift - 8));
    buffer->length += 1 + width;
}

void pack_nil(Buffer *buffer) {
    add_byte(buffer, 0xc0);
}

void pack_bool(Buffer *buffer, bool value) {
    add_byte(buffer, value ? 0xc3 : 0xc2);
}

void pack_number(Buffer *buffer, u32 value) {
    if (value < 0x80)
        add_byte(buffer, value);
    else if (value < 0x100)
        add_header(buffer, 0xcc, value, 1);
    else if (value < 0x10000)
        add_header(buffer, 0xcd, value, 2);
    else
        add_header(buffer, 0xce, value, 4);
}

void pack_text(Buffer *buffer, Text text) {
    if (text.length < 32)
        add_byte(buffer, 0xa0 | text.length);
    else if (text.length < 0x100)
        add_header(buffer, 0xd9, text.length, 1);
    else if (text.length < 0x10000)
        add_header(buffer, 0xda, text.length, 2);
    else
        add_header(buffer, 0xdb, text.length, 4);
    buffer_add(buffer, text.bytes, text.length);
}

void pack_word(Buffer *buffer, const char *word) {
    pack_text(buffer, (Text){(const u8 *)word, (u32)strlen(word)});
}

void pack_map(Buffer *buffer, u32 pairs) {
    if (pairs < 16)
        add_byte(buffer, 0x80 | pairs);
    else
        add_header(buffer, 0xde, pairs, 2);
}

void pack_array(Buffer *buffer, u32 length) {
    add_header(buffer, 0xdd, length, 4);
}

u32 pack_array_begin(Buffer *buffer) {
    pack_array(buffer, 0);
    return buffer->length;
}

void pack_array_end(Buffer *buffer, u32 beginning, u32 length) {
    for (u32 i = 0; i < 4; i++)
        buffer->bytes[beginning - 4 + i] = (u8)(length >> (24 - 8 * i));
}

void pack_offset(Buffer *buffer, u32 offset) {
    offset == NOWHERE ? pack_nil(buffer) : pack_number(buffer, offset);
}

void pack_span(Buffer *buffer, Span span) {
    pack_offset(buffer, span.start);
    pack_offset(buffer, span.end);
}

void pack_spans(Buffer *buffer, const Span *spans, u32 count) {
    pack_array(buffer, count);
    for (u32 i = 0; i < count; i++) {
        pack_array(buffer, 2);
        pack_span(buffer, spans[i]);
    }
}
