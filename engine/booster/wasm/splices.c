/* splices.c -- see splices.h. */
#include "splices.h"

#include <string.h>

#include "arena.h"

void add_splice(Splices *splices, u32 start, u32 end, Text text) {
    if (splices->count == splices->room) {
        splices->room = splices->room ? splices->room * 2 : 32;
        splices->rows = arena_realloc(splices->rows, splices->room * sizeof(Splice));
    }
    splices->rows[splices->count++] = (Splice){{start, end}, text};
}

static bool is_before(const Splice *a, const Splice *b) {
    return a->span.start != b->span.start ? a->span.start < b->span.start : a->span.end < b->span.end;
}

/* Merges two sorted neighbours, from `low` to before `middle` and from there to before `high`. */
static void merge(const Splice *from, Splice *to, u32 low, u32 middle, u32 high) {
    u32 left = low, right = middle;
    for (u32 at = low; at < high; at++) {
        bool take_right = left == middle || (right < high && is_before(&from[right], &from[left]));
        to[at] = take_right ? from[right++] : from[left++];
    }
}

static bool is_sorted(const Splices *splices) {
    for (u32 i = 1; i < splices->count; i++)
        if (is_before(&splices->rows[i], &splices->rows[i - 1]))
            return false;
    return true;
}

bool sort_splices(Splices *splices) {
    u32 count = splices->count;
    if (!is_sorted(splices)) {
        Splice *other = arena_malloc(count * sizeof(Splice));
        for (u32 width = 1; width < count; width *= 2) {
            for (u32 low = 0; low < count; low += 2 * width)
                merge(splices->rows, other, low, MIN(low + width, count), MIN(low + 2 * width, count));
            Splice *swapped = splices->rows;
            splices->rows = other;
            other = swapped;
        }
    }
    for (u32 i = 1; i < count; i++)
        if (splices->rows[i].span.start < splices->rows[i - 1].span.end)
            return false;
    return true;
}

Text apply_splices(const Splices *splices, Text source) {
    u64 length = source.length;
    for (u32 i = 0; i < splices->count; i++)
        length += splices->rows[i].text.length;
    Buffer result = {0};
    buffer_reserve(&result, (u32)MIN(length, UINT32_MAX));
    u32 at = 0;
    for (u32 i = 0; i < splices->count; i++) {
        const Splice *row = &splices->rows[i];
        buffer_add(&result, source.bytes + at, row->span.start - at);
        buffer_add(&result, row->text.bytes, row->text.length);
        at = row->span.end;
    }
    buffer_add(&result, source.bytes + at, source.length - at);
    return (Text){result.bytes, result.length};
}

void pack_splices(Buffer *buffer, const Splices *splices) {
    pack_array(buffer, splices->count);
    for (u32 i = 0; i < splices->count; i++) {
        const Splice *row = &splices->rows[i];
        buffer_reserve(buffer, 16);
        buffer->bytes[buffer->length++] = 0x93; /* an array of three */
        pack_number(buffer, row->span.start);
        pack_number(buffer, row->span.end);
        pack_text(buffer, row->text);
    }
}
