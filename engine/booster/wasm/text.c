/* text.c -- see text.h. */
#include "text.h"

#include <string.h>
#include <wasm_simd128.h>

#include "arena.h"

/* How many bytes the sequence that begins here has; 0 if it is no UTF-8 (RFC 3629). */
static u32 sequence_length(const u8 *at, u32 left) {
    u8 lead = at[0];
    u32 length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > left)
        return 0;
    u8 low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    u8 high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (u32 i = 2; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* Where the first byte above ASCII stands from `at` on, or the end. */
static u32 skip_ascii(const u8 *bytes, u32 at, u32 end) {
    while (at + 16 <= end && !wasm_i8x16_bitmask(wasm_v128_load(bytes + at)))
        at += 16;
    while (at < end && bytes[at] < 0x80)
        at++;
    return at;
}

bool source_begin(Source *source, Text text, bool python_lines) {
    *source = (Source){.bytes = text.bytes, .length = text.length, .python_lines = python_lines};
    u32 at = skip_ascii(text.bytes, 0, text.length);
    source->is_ascii = at == text.length;
    while (at < text.length) {
        u32 length = sequence_length(text.bytes + at, text.length - at);
        if (!length)
            return false;
        at = skip_ascii(text.bytes, at + length, text.length);
    }
    return true;
}

static void add_line(Source *source, u32 *room, u32 start) {
    if (source->line_count == *room) {
        *room *= 2;
        source->line_starts = arena_realloc(source->line_starts, *room * sizeof(u32));
    }
    source->line_starts[source->line_count++] = start;
}

static void find_lines(Source *source) {
    u32 room = 64 + source->length / 32, at = 0;
    source->line_starts = arena_malloc(room * sizeof(u32));
    add_line(source, &room, 0);
    const v128_t feed = wasm_i8x16_splat('\n'), carriage = wasm_i8x16_splat('\r');
    for (; at + 16 <= source->length; at += 16) {
        v128_t block = wasm_v128_load(source->bytes + at);
        v128_t ends = wasm_i8x16_eq(block, feed);
        if (source->python_lines)
            ends = wasm_v128_or(ends, wasm_i8x16_eq(block, carriage));
        for (u32 bits = wasm_i8x16_bitmask(ends); bits; bits &= bits - 1) {
            u32 here = at + (u32)__builtin_ctz(bits);
            bool joined = source->bytes[here] == '\r' && here + 1 < source->length && source->bytes[here + 1] == '\n';
            if (!joined)
                add_line(source, &room, here + 1);
        }
    }
    for (; at < source->length; at++) {
        u8 byte = source->bytes[at];
        bool lone = byte == '\r' && source->python_lines && !(at + 1 < source->length && source->bytes[at + 1] == '\n');
        if (byte == '\n' || lone)
            add_line(source, &room, at + 1);
    }
}

u32 line_of(Source *source, u32 offset) {
    if (!source->line_starts)
        find_lines(source);
    u32 low = 0, high = source->line_count;
    while (high - low > 1) {
        u32 middle = low + (high - low) / 2;
        if (source->line_starts[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low + 1;
}

Place place_of(Source *source, u32 offset) {
    u32 line = line_of(source, offset), start = source->line_starts[line - 1], column = 0;
    if (source->is_ascii)
        return (Place){line, offset - start};
    for (u32 at = start; at < offset; at++)
        column += (source->bytes[at] & 0xc0) != 0x80;
    return (Place){line, column};
}

u32 count_lines(Source *source) {
    line_of(source, 0);
    return source->line_count - (source->line_starts[source->line_count - 1] == source->length);
}

bool read_decimal(Text text, u32 *number) {
    *number = 0;
    for (u32 i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        *number = *number * 10 + (text.bytes[i] - '0');
    }
    return text.length && text.length < 10;
}

bool text_equals(Text a, Text b) {
    return a.length == b.length && !memcmp(a.bytes, b.bytes, a.length);
}

bool text_is(Text text, const char *word) {
    return text_equals(text, (Text){(const u8 *)word, (u32)strlen(word)});
}

u32 find_text(Text in, u32 from, Text wanted) {
    if (!wanted.length || wanted.length > in.length)
        return NOWHERE;
    const u8 *at = in.bytes + from, *end = in.bytes + in.length - wanted.length + 1;
    while (at < end && (at = memchr(at, wanted.bytes[0], (size_t)(end - at)))) {
        if (!memcmp(at, wanted.bytes, wanted.length))
            return (u32)(at - in.bytes);
        at++;
    }
    return NOWHERE;
}

u32 split_name(Text name, Text *parts, u32 room) {
    u32 count = 0, start = 0;
    for (u32 at = 0; at <= name.length; at++) {
        if (at < name.length && name.bytes[at] != '.')
            continue;
        if (at == start || count == room)
            return 0;
        parts[count++] = (Text){name.bytes + start, at - start};
        start = at + 1;
    }
    return count;
}
