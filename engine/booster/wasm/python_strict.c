/* python_strict.c -- what parses as Python but may not compile: rules of literals, of names that may stand once, of
 * `__future__`. Who is not certain here asks the regular agent, so a doubt too many costs time only. */
#include <string.h>

#include "python_scan.h"

enum { DIGITS_MAX = 4000 };

static bool is_hex(u8 byte) {
    return (u8)(byte - '0') < 10 || (u8)((byte | 32) - 'a') < 6;
}

/* Behind a backslash: are there as many digits as the escape wants? */
static bool is_whole_escape(Text text, u32 at, bool is_bytes) {
    u8 kind = text.bytes[at];
    u32 digits = kind == 'x' ? 2 : kind == 'u' && !is_bytes ? 4 : 0;
    if ((kind == 'N' || kind == 'U') && !is_bytes)
        return false; /* the names and the range of letters are not known here */
    if (at + digits >= text.length)
        return !digits;
    for (u32 i = 1; i <= digits; i++)
        if (!is_hex(text.bytes[at + i]))
            return false;
    return true;
}

void check_string(Scan *scan, Text string, bool is_bytes) {
    if (!scan->facts->is_strict || (string.bytes[0] | 32) == 'r' || (string.bytes[1] | 32) == 'r')
        return;
    for (u32 at = 0; at + 1 < string.length; at++) {
        if (string.bytes[at] != '\\')
            continue;
        at++;
        if (!is_whole_escape(string, at, is_bytes))
            question(scan);
    }
}

/* Older Pythons take neither of these in the fields of formatted strings. */
void check_field(Scan *scan, Text field, Quotes quotes) {
    for (u32 at = 0; at < field.length && scan->facts->is_strict; at++) {
        u8 byte = field.bytes[at];
        if (byte == '\\' || byte == '#' || byte == quotes.quote || byte == '\n' || byte == '\r' || byte == '*')
            question(scan);
    }
}

void check_number(Scan *scan) {
    Text text = token_text(&scan->tokens);
    question_if(scan, text.length > DIGITS_MAX);
}

void check_name(Scan *scan, Names *names) {
    if (!scan->facts->is_strict)
        return;
    Text name = token_text(&scan->tokens);
    for (u32 i = 0; i < names->count; i++)
        if (text_equals(names->rows[i], name))
            question(scan);
    if (names->count == COUNT_OF(names->rows))
        question(scan);
    else
        names->rows[names->count++] = name;
}

void check_global(Scan *scan, const Block *block) {
    bool is_first = block->statements == block->has_docstring + block->globals;
    question_if(scan, scan->strict.scope < SCOPE_FUNCTION || scan->depth != scan->strict.body_depth || !is_first);
    scan->strict.has_globals = true;
}

/* At the first name behind `from __future__ import`. */
void check_future(Scan *scan) {
    static const char *const FEATURES[] = {"annotations", "division", "generators", "nested_scopes", "absolute_import",
                                           "with_statement", "print_function", "unicode_literals", "generator_stop"};
    bool is_known = false;
    for (u32 i = 0; i < COUNT_OF(FEATURES); i++)
        is_known |= is_word(scan, FEATURES[i]);
    question_if(scan, !is_known || scan->strict.has_begun || scan->depth || scan->strict.scope != SCOPE_MODULE);
}
