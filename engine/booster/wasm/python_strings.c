/* python_strings.c -- strings of Python by their tokens, and the fields of formatted ones. */
#include <string.h>

#include "python_scan.h"

/* What comes behind a piece of text in a formatted string. */
enum Piece { PIECE_FAILED, PIECE_END, PIECE_FIELD, PIECE_FIELD_END };

static bool is_closed(const Tokens *tokens, u32 at, Quotes quotes) {
    u32 length = quotes.is_triple ? 3 : 1;
    if (at + length > tokens->length)
        return false;
    for (u32 i = 0; i < length; i++)
        if (tokens->bytes[at + i] != quotes.quote)
            return false;
    return true;
}

/* Behind a backslash: `\N{...}` is no field, and a brace is not escaped. */
static u32 skip_escape(const Tokens *tokens, u32 at, Quotes quotes) {
    u8 next = at + 1 < tokens->length ? tokens->bytes[at + 1] : 0;
    if (next == '{' || next == '}')
        return at + 1;
    if (next == 'N' && !quotes.is_raw && at + 2 < tokens->length && tokens->bytes[at + 2] == '{') {
        while (at < tokens->length && tokens->bytes[at] != '}' && tokens->bytes[at] != '\n')
            at++;
        return at + 1;
    }
    return at + (next == '\r' && at + 2 < tokens->length && tokens->bytes[at + 2] == '\n' ? 3 : 2);
}

/* Goes over text, or over the format of a field, to what ends it, and stands behind that. */
static enum Piece skip_text(Tokens *tokens, Quotes quotes, bool in_format) {
    u32 at = tokens->at;
    while (at < tokens->length) {
        u8 byte = tokens->bytes[at];
        u8 next = at + 1 < tokens->length ? tokens->bytes[at + 1] : 0;
        bool is_doubled = next == byte && !in_format;
        if (byte == quotes.quote && is_closed(tokens, at, quotes)) {
            tokens->at = at + (quotes.is_triple ? 3 : 1);
            return in_format ? PIECE_FAILED : PIECE_END;
        }
        if (byte == '{' && !is_doubled) {
            tokens->at = at + 1;
            return PIECE_FIELD;
        }
        if (byte == '}' && !is_doubled) {
            tokens->at = at + 1;
            return in_format ? PIECE_FIELD_END : PIECE_FAILED;
        }
        if ((byte == '\n' || byte == '\r') && (!quotes.is_triple || in_format))
            return PIECE_FAILED;
        if (byte == '\\')
            at = skip_escape(tokens, at, quotes);
        else
            at += byte == '{' || byte == '}' ? 2 : 1;
    }
    return PIECE_FAILED;
}

static void read_field(Scan *scan, Quotes quotes);

/* The format behind the colon of a field, up to the brace that closes the field. */
static void read_format(Scan *scan, Quotes quotes) {
    enum Piece piece;
    question_if(scan, scan->tokens.fields > 1); /* fields in a field in a field */
    while ((piece = skip_text(&scan->tokens, quotes, true)) == PIECE_FIELD) {
        read_field(scan, quotes);
        if (now(scan) == TOKEN_FAILED)
            return;
    }
    if (piece != PIECE_FIELD_END)
        fail(scan);
}

static void read_conversion(Scan *scan) {
    Tokens *tokens = &scan->tokens;
    u32 at = tokens->end;
    u8 letter = at < tokens->length ? tokens->bytes[at] : 0;
    if (letter != 'r' && letter != 's' && letter != 'a')
        fail(scan);
    next(scan);
    bool is_one_letter = now(scan) == TOKEN_NAME && tokens->start == at && tokens->end == at + 1;
    if (!is_one_letter)
        fail(scan);
    next(scan);
}

/* What stands in the braces. The tokens go on behind its last one: a brace, or the colon before the format. */
static void read_field_parts(Scan *scan, Quotes quotes) {
    Tokens *tokens = &scan->tokens;
    read_yield_or_expressions(scan);
    accept(scan, TOKEN_EQUAL);
    if (now(scan) == TOKEN_BANG)
        read_conversion(scan);
    if (now(scan) == TOKEN_COLON || now(scan) == TOKEN_WALRUS) {
        tokens->at = tokens->start + 1;
        read_format(scan, quotes);
        tokens->brackets--;
    } else if (now(scan) != TOKEN_CLOSE_BRACE)
        fail(scan);
}

static void read_field(Scan *scan, Quotes quotes) {
    Tokens *tokens = &scan->tokens;
    u32 start = tokens->at, field_brackets = scan->field_brackets;
    if (!descend(scan))
        return;
    scan->field_brackets = ++tokens->brackets;
    tokens->fields++;
    next(scan);
    read_field_parts(scan, quotes);
    scan->field_brackets = field_brackets;
    tokens->fields--;
    check_field(scan, (Text){tokens->bytes + start, tokens->at > start ? tokens->at - start : 0}, quotes);
    bool has_newline = tokens->at > start && memchr(tokens->bytes + start, '\n', tokens->at - start);
    if (has_newline && !quotes.is_triple)
        fail(scan);
    ascend(scan);
}

/* A formatted string, from its opening quotes to behind its closing ones. */
static void read_formatted(Scan *scan) {
    Tokens *tokens = &scan->tokens;
    Quotes quotes = tokens_quotes(tokens);
    u32 start = tokens->start, references = scan->facts->reference_count;
    enum Piece piece;
    while ((piece = skip_text(tokens, quotes, false)) == PIECE_FIELD) {
        read_field(scan, quotes);
        if (now(scan) == TOKEN_FAILED)
            return;
    }
    if (piece != PIECE_END) {
        fail(scan);
        return;
    }
    tokens->kind = TOKEN_FORMATTED;
    tokens->start = start;
    tokens->end = tokens->at;
    check_string(scan, token_text(tokens), false);
    release_names(scan, references);
}

Value read_strings(Scan *scan) {
    Value value = {.form = FORM_TEXT, .references = scan->facts->reference_count};
    bool has_bytes = false, has_text = false;
    for (u32 count = 0;; count++) {
        enum Token kind = now(scan);
        if (kind == TOKEN_FORMATTED)
            read_formatted(scan);
        if ((kind != TOKEN_TEXT && kind != TOKEN_BYTES && kind != TOKEN_FORMATTED) || now(scan) == TOKEN_FAILED)
            break;
        if (kind != TOKEN_TEXT)
            value.form = FORM_OTHER;
        if (kind != TOKEN_FORMATTED)
            check_string(scan, token_text(&scan->tokens), kind == TOKEN_BYTES);
        if (scan->facts->wants_structure)
            add_string(scan->facts, (Span){scan->tokens.start, scan->tokens.end});
        has_bytes |= kind == TOKEN_BYTES;
        has_text |= kind != TOKEN_BYTES;
        next(scan);
        if (count > STRINGS_MAX)
            doubt(scan);
    }
    if (has_bytes && has_text)
        fail(scan);
    return value;
}
