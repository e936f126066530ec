/* text.h -- sources as text: whether they are UTF-8, where their lines begin, what stands at a place. */
#ifndef TEXT_H
#define TEXT_H

#include "base.h"

/* One source, and what is found out about it when somebody asks. */
typedef struct {
    const u8 *bytes;
    u32 length;
    bool is_ascii;
    bool python_lines; /* a lone carriage return ends a line too, as in Python */
    u32 *line_starts;  /* made by `line_of`; `line_count` of them */
    u32 line_count;
} Source;

/* A line, counted from 1, and a column, counted from 0 in code points. */
typedef struct {
    u32 line, column;
} Place;

/* Describes a source; false if it is no UTF-8. */
bool source_begin(Source *source, Text text, bool python_lines);

u32 line_of(Source *source, u32 offset);
Place place_of(Source *source, u32 offset);
/* How many lines the source has; a last line is one only if something stands on it. */
u32 count_lines(Source *source);

static inline Text text_at(const Source *source, Span span) {
    return (Text){source->bytes + span.start, span.end - span.start};
}

/* A number in digits; false if it is none, or more than nine of them. */
bool read_decimal(Text text, u32 *number);
bool text_equals(Text a, Text b);
bool text_is(Text text, const char *word);
/* Where `wanted` stands from `from` on, or NOWHERE. */
u32 find_text(Text in, u32 from, Text wanted);

enum { PARTS_MAX = 64 };
/* "a.b.c" in its parts, of which there may be PARTS_MAX; 0 if it is no dotted name. */
u32 split_name(Text name, Text *parts, u32 room);

/* May this byte be in an identifier? Bytes of other letters than ASCII are taken for letters. */
static inline bool is_identifier_byte(u8 byte) {
    return (u8)((byte | 32) - 'a') < 26 || (u8)(byte - '0') < 10 || byte == '_' || byte >= 0x80;
}

#endif
