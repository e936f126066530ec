/* python_tokens.c -- see python_tokens.h. */
#include "python_tokens.h"

#include <string.h>

enum Class { BAD, LETTER, DIGIT, WIDE, SPACE, FEED, RETURN, COMMENT, QUOTE, BACKSLASH, MARK };

static const u8 CLASSES[256] = {
    ['a' ... 'z'] = LETTER, ['A' ... 'Z'] = LETTER, ['_'] = LETTER, [0x80 ... 0xff] = WIDE, ['0' ... '9'] = DIGIT,
    [' '] = SPACE, ['\t'] = SPACE, ['\f'] = SPACE, ['\n'] = FEED, ['\r'] = RETURN, ['#'] = COMMENT,
    ['"'] = QUOTE, ['\''] = QUOTE, ['\\'] = BACKSLASH,
    ['('] = MARK, [')'] = MARK, ['['] = MARK, [']'] = MARK, ['{'] = MARK, ['}'] = MARK, [','] = MARK, [':'] = MARK,
    [';'] = MARK, ['.'] = MARK, ['='] = MARK, ['!'] = MARK, ['+'] = MARK, ['-'] = MARK, ['*'] = MARK, ['/'] = MARK,
    ['%'] = MARK, ['@'] = MARK, ['&'] = MARK, ['|'] = MARK, ['^'] = MARK, ['~'] = MARK, ['<'] = MARK, ['>'] = MARK,
};

typedef struct {
    const char *word;
    u8 length, kind;
} Keyword;

#define WORD(word, kind) {word, sizeof(word) - 1, TOKEN_##kind}
/* By their first letters; KEYWORDS_FROM tells where each letter begins. */
static const Keyword KEYWORDS[] = {
    WORD("False", CONSTANT), WORD("None", CONSTANT), WORD("True", CONSTANT),
    WORD("and", AND), WORD("as", AS), WORD("assert", ASSERT), WORD("async", ASYNC), WORD("await", AWAIT),
    WORD("break", BREAK), WORD("class", CLASS), WORD("continue", CONTINUE),
    WORD("def", DEF), WORD("del", DEL), WORD("elif", ELIF), WORD("else", ELSE), WORD("except", EXCEPT),
    WORD("finally", FINALLY), WORD("for", FOR), WORD("from", FROM), WORD("global", GLOBAL),
    WORD("if", IF), WORD("import", IMPORT), WORD("in", IN), WORD("is", IS), WORD("lambda", LAMBDA),
    WORD("nonlocal", NONLOCAL), WORD("not", NOT), WORD("or", OR), WORD("pass", PASS),
    WORD("raise", RAISE), WORD("return", RETURN), WORD("try", TRY), WORD("while", WHILE), WORD("with", WITH),
    WORD("yield", YIELD),
};
static const u8 KEYWORDS_FROM[128][2] = {
    ['F'] = {0, 1}, ['N'] = {1, 2}, ['T'] = {2, 3}, ['a'] = {3, 8}, ['b'] = {8, 9}, ['c'] = {9, 11}, ['d'] = {11, 13},
    ['e'] = {13, 16}, ['f'] = {16, 19}, ['g'] = {19, 20}, ['i'] = {20, 24}, ['l'] = {24, 25}, ['n'] = {25, 27},
    ['o'] = {27, 28}, ['p'] = {28, 29}, ['r'] = {29, 31}, ['t'] = {31, 32}, ['w'] = {32, 34}, ['y'] = {34, 35},
};
_Static_assert(COUNT_OF(KEYWORDS) == 35, "KEYWORDS_FROM tells where the letters begin");

void tokens_begin(Tokens *tokens, const Source *source) {
    memset(tokens, 0, sizeof *tokens);
    tokens->bytes = source->bytes;
    tokens->length = source->length;
    tokens->at_line_start = true;
    tokens->indents = 1;
    tokens->kind = TOKEN_NEWLINE;
    tokens->unknown_letter = NOWHERE;
    tokens_next(tokens);
}

void tokens_fail(Tokens *tokens) {
    if (tokens->kind == TOKEN_FAILED)
        return;
    tokens->problem = MIN(tokens->start, tokens->length);
    tokens->kind = TOKEN_FAILED;
    tokens->at = tokens->length;
}

void tokens_doubt(Tokens *tokens) {
    if (tokens->kind != TOKEN_FAILED)
        tokens->is_doubtful = true;
    tokens_fail(tokens);
}

static u8 byte_at(const Tokens *tokens, u32 at) {
    return at < tokens->length ? tokens->bytes[at] : 0;
}

/* How long the end of a line is that stands there: 0 if there is none. A lone carriage return ends the
 * tokens: to Python it ends a line, to the tree it does not. */
static u32 newline_length(const Tokens *tokens, u32 at) {
    u8 byte = byte_at(tokens, at);
    return byte == '\n' ? 1 : byte == '\r' && byte_at(tokens, at + 1) == '\n' ? 2 : 0;
}

/* Where a comment ends: before the end of its line, or before a lone carriage return. */
static u32 skip_comment(const Tokens *tokens, u32 at) {
    const u8 *end = memchr(tokens->bytes + at, '\n', tokens->length - at);
    u32 stop = end ? (u32)(end - tokens->bytes) : tokens->length;
    const u8 *carriage = memchr(tokens->bytes + at, '\r', stop - at);
    return carriage ? (u32)(carriage - tokens->bytes) : stop;
}

/* Sets the current token. */
static void take(Tokens *tokens, enum Token kind, u32 start, u32 end) {
    tokens->kind = kind;
    tokens->start = start;
    tokens->end = tokens->at = end;
}

static void fail_at(Tokens *tokens, u32 at) {
    tokens->start = at;
    tokens->kind = TOKEN_NEWLINE;
    tokens_fail(tokens);
}

/* A statement begins at this column: deeper, as before, or back at one of the columns around it. */
static void change_indentation(Tokens *tokens, u32 column, u32 flat_column) {
    u32 top = tokens->indents - 1;
    if (column > tokens->columns[top]) {
        if (flat_column <= tokens->flat_columns[top]) {
            fail_at(tokens, tokens->at);
            return;
        }
        if (tokens->indents == INDENTS_MAX) {
            tokens->start = tokens->at;
            tokens_doubt(tokens);
            return;
        }
        tokens->columns[tokens->indents] = column;
        tokens->flat_columns[tokens->indents++] = flat_column;
        take(tokens, TOKEN_INDENT, tokens->at, tokens->at);
        return;
    }
    while (tokens->indents > 1 && column < tokens->columns[tokens->indents - 1]) {
        tokens->indents--;
        tokens->pending_dedents++;
    }
    top = tokens->indents - 1;
    if (column != tokens->columns[top] || flat_column != tokens->flat_columns[top])
        fail_at(tokens, tokens->at);
}

/* Goes over empty lines and comments to the next statement. True if that changes the indentation. */
static bool begin_line(Tokens *tokens) {
    u32 column = 0, flat_column = 0, at = tokens->at;
    for (;; at++) {
        u8 byte = byte_at(tokens, at);
        if (byte == ' ') {
            column++;
            flat_column++;
        } else if (byte == '\t') {
            column = (column / 8 + 1) * 8;
            flat_column++;
        } else if (byte == '\f' || byte == '\n' || byte == '\r' || byte == '#') {
            if (byte == '#')
                at = skip_comment(tokens, at);
            u32 newline = newline_length(tokens, at);
            if (byte != '\f' && !newline && at < tokens->length) {
                fail_at(tokens, at);
                return true;
            }
            if (newline)
                at += newline - 1;
            column = flat_column = 0;
        } else if (byte == '\\') {
            fail_at(tokens, at);
            return true;
        } else
            break;
    }
    tokens->at = MIN(at, tokens->length);
    tokens->at_line_start = false;
    if (at >= tokens->length) {
        tokens->pending_dedents += tokens->indents - 1;
        tokens->indents = 1;
        return false;
    }
    change_indentation(tokens, column, flat_column);
    return tokens->kind == TOKEN_INDENT || tokens->kind == TOKEN_FAILED;
}

static enum Token find_keyword(const u8 *word, u32 length) {
    if (length < 2 || length > 8)
        return TOKEN_NAME;
    const u8 *range = KEYWORDS_FROM[word[0] & 127];
    for (u32 i = range[0]; i < range[1]; i++)
        if (KEYWORDS[i].length == length && !memcmp(KEYWORDS[i].word + 1, word + 1, length - 1))
            return (enum Token)KEYWORDS[i].kind;
    return TOKEN_NAME;
}

/* Where a string that is not filled in ends, from behind its opening quotes on; 0 if it does not. */
static u32 skip_string(const Tokens *tokens, u32 at, u8 quote, bool is_triple) {
    while (at < tokens->length) {
        u8 byte = tokens->bytes[at];
        if (byte == '\\') {
            at += byte_at(tokens, at + 1) == '\r' && byte_at(tokens, at + 2) == '\n' ? 3 : 2;
        } else if (byte == quote) {
            if (!is_triple)
                return at + 1;
            if (byte_at(tokens, at + 1) == quote && byte_at(tokens, at + 2) == quote)
                return at + 3;
            at++;
        } else if (byte == '\n' || byte == '\r') {
            if (!is_triple)
                return 0;
            at++;
        } else
            at++;
    }
    return 0;
}

/* Is that the prefix of a string, and of which kind? */
static enum Token find_prefix(const u8 *prefix, u32 length) {
    u8 first = length > 0 ? prefix[0] | 32 : 0, second = length > 1 ? prefix[1] | 32 : 0;
    if (!length || (length == 1 && (first == 'r' || first == 'u')))
        return TOKEN_TEXT;
    bool has_raw = first == 'r' || second == 'r' || length == 1;
    u8 other = first == 'r' ? second : first;
    if (!has_raw || length > 2 || first == second)
        return TOKEN_FAILED; /* no prefix, or one that is not known here (t) */
    return other == 'b' ? TOKEN_BYTES : other == 'f' ? TOKEN_FORMATTED : TOKEN_FAILED;
}

static bool has_letters_outside_ascii(const Tokens *tokens, u32 at, u32 end) {
    for (; at < end; at++)
        if (tokens->bytes[at] >= 0x80)
            return true;
    return false;
}

static void read_string(Tokens *tokens, u32 start, u32 quote_at) {
    enum Token kind = find_prefix(tokens->bytes + start, quote_at - start);
    u8 quote = tokens->bytes[quote_at];
    bool is_triple = byte_at(tokens, quote_at + 1) == quote && byte_at(tokens, quote_at + 2) == quote;
    u32 inside = quote_at + (is_triple ? 3 : 1);
    u32 end = kind == TOKEN_FORMATTED ? inside : skip_string(tokens, inside, quote, is_triple);
    bool is_bad = kind == TOKEN_BYTES && has_letters_outside_ascii(tokens, inside, end);
    if (kind == TOKEN_FAILED || !end || end > tokens->length || is_bad)
        fail_at(tokens, start);
    else
        take(tokens, kind, start, end);
}

Quotes tokens_quotes(const Tokens *tokens) {
    Text text = token_text(tokens);
    u8 quote = text.bytes[text.length - 1];
    bool is_raw = (text.bytes[0] | 32) == 'r' || (text.bytes[1] | 32) == 'r';
    return (Quotes){quote, text.length >= 3 && text.bytes[text.length - 2] == quote, is_raw};
}

/* Ranges of letters that names may have anywhere, in every version of Unicode that is in use. */
static const u16 LETTERS[][2] = {
    {0x00c0, 0x00d6}, {0x00d8, 0x00f6}, {0x00f8, 0x024f}, {0x0391, 0x03a1}, {0x03a3, 0x03f5}, {0x0410, 0x0481},
    {0x048a, 0x052f}, {0x05d0, 0x05ea}, {0x0620, 0x064a}, {0x0904, 0x0939}, {0x3041, 0x3096}, {0x30a1, 0x30fa},
    {0x4e00, 0x9fd5}, {0xac00, 0xd7a3},
};

/* How many bytes a letter outside ASCII has; 0 if it is not known to be one. The text is known to be UTF-8. */
static u32 letter_length(const Tokens *tokens, u32 at) {
    const u8 *bytes = tokens->bytes + at;
    u8 lead = byte_at(tokens, at);
    if (lead < 0xc0 || lead >= 0xf0)
        return 0;
    u32 length = lead < 0xe0 ? 2 : 3;
    u32 letter = length == 2 ? (lead & 0x1fu) << 6 | (bytes[1] & 0x3f)
                             : (lead & 0xfu) << 12 | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3f);
    for (u32 i = 0; i < COUNT_OF(LETTERS); i++)
        if (letter >= LETTERS[i][0] && letter <= LETTERS[i][1])
            return length;
    return 0;
}

static void read_name(Tokens *tokens, u32 start) {
    u32 at = start;
    for (;;) {
        while (at < tokens->length && (u8)(CLASSES[tokens->bytes[at]] - LETTER) < 2)
            at++;
        if (byte_at(tokens, at) < 0x80)
            break;
        u32 length = letter_length(tokens, at);
        if (!length && tokens->unknown_letter == NOWHERE)
            tokens->unknown_letter = at;
        at += MAX(length, 1);
    }
    if (CLASSES[byte_at(tokens, at)] == QUOTE && find_prefix(tokens->bytes + start, at - start) != TOKEN_FAILED)
        read_string(tokens, start, at);
    else
        take(tokens, find_keyword(tokens->bytes + start, at - start), start, at);
}

/* Digits with single underscores between them; 0 if there are none. */
static u32 skip_digits(const Tokens *tokens, u32 at, u32 base) {
    u32 start = at;
    for (;; at++) {
        u8 byte = byte_at(tokens, at), letter = byte | 32;
        u32 digit = (u8)(byte - '0') < 10 ? byte - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10u : 99;
        if (digit < base)
            continue;
        bool is_between = byte == '_' && at > start && byte_at(tokens, at - 1) != '_';
        if (!is_between)
            break;
    }
    return at > start && byte_at(tokens, at - 1) != '_' ? at : 0;
}

/* A fraction and an exponent behind the digits of a number; 0 if they are not whole. */
static u32 skip_fraction(const Tokens *tokens, u32 at) {
    if (byte_at(tokens, at) == '.') {
        at++;
        if (CLASSES[byte_at(tokens, at)] == DIGIT)
            at = skip_digits(tokens, at, 10);
    }
    if (at && (byte_at(tokens, at) | 32) == 'e') {
        u8 sign = byte_at(tokens, at + 1);
        at = skip_digits(tokens, at + 1 + (sign == '+' || sign == '-'), 10);
    }
    return at && (byte_at(tokens, at) | 32) == 'j' ? at + 1 : at;
}

static void read_number(Tokens *tokens, u32 start) {
    u8 second = byte_at(tokens, start + 1) | 32;
    u32 base = second == 'x' ? 16 : second == 'o' ? 8 : second == 'b' ? 2 : 10, at;
    bool has_base = tokens->bytes[start] == '0' && base != 10;
    if (has_base) {
        u32 digits = start + 2 + (byte_at(tokens, start + 2) == '_');
        at = skip_digits(tokens, digits, base);
    } else {
        u32 whole = tokens->bytes[start] == '.' ? start : skip_digits(tokens, start, 10);
        at = whole ? skip_fraction(tokens, whole) : 0;
        /* `0777` is not a number any more, `0777.5` and `000` are. */
        bool is_old = at && at == whole && tokens->bytes[start] == '0';
        for (u32 i = start; is_old && i < at; i++)
            if (tokens->bytes[i] != '0' && tokens->bytes[i] != '_')
                at = 0;
    }
    u8 next = at ? byte_at(tokens, at) : 0;
    if (!at || CLASSES[next] == LETTER || CLASSES[next] == DIGIT || next >= 0x80)
        fail_at(tokens, start);
    else
        take(tokens, TOKEN_NUMBER, start, at);
}

static void open_bracket(Tokens *tokens, enum Token kind, u32 start) {
    tokens->brackets++;
    take(tokens, kind, start, start + 1);
}

static void close_bracket(Tokens *tokens, enum Token kind, u32 start) {
    if (!tokens->brackets) {
        fail_at(tokens, start);
        return;
    }
    tokens->brackets--;
    take(tokens, kind, start, start + 1);
}

/* An operator of one letter, or of that letter twice, or either with `=` behind it. */
static void take_operator(Tokens *tokens, u32 start, u32 length, enum Token kind) {
    if (byte_at(tokens, start + length) == '=')
        take(tokens, TOKEN_AUGMENTED, start, start + length + 1);
    else
        take(tokens, kind, start, start + length);
}

static void read_angle(Tokens *tokens, u32 start, u8 byte) {
    u8 next = byte_at(tokens, start + 1);
    if (next == byte)
        take_operator(tokens, start, 2, TOKEN_ARITHMETIC);
    else if (byte == '<' && next == '>')
        fail_at(tokens, start);
    else
        take(tokens, TOKEN_COMPARISON, start, start + 1 + (next == '='));
}

static void read_equal(Tokens *tokens, u32 start, u8 byte) {
    if (byte_at(tokens, start + 1) == '=')
        take(tokens, TOKEN_COMPARISON, start, start + 2);
    else if (byte == '!' && !tokens->fields)
        fail_at(tokens, start);
    else
        take(tokens, byte == '!' ? TOKEN_BANG : TOKEN_EQUAL, start, start + 1);
}

static void read_dot(Tokens *tokens, u32 start) {
    if (CLASSES[byte_at(tokens, start + 1)] == DIGIT)
        read_number(tokens, start);
    else if (byte_at(tokens, start + 1) == '.' && byte_at(tokens, start + 2) == '.')
        take(tokens, TOKEN_ELLIPSIS, start, start + 3);
    else
        take(tokens, TOKEN_DOT, start, start + 1);
}

static void read_operator(Tokens *tokens, u32 start, u8 byte) {
    u8 next = byte_at(tokens, start + 1);
    switch (byte) {
    case '<': case '>': read_angle(tokens, start, byte); break;
    case '=': case '!': read_equal(tokens, start, byte); break;
    case '*': take_operator(tokens, start, 1 + (next == '*'), next == '*' ? TOKEN_DOUBLE_STAR : TOKEN_STAR); break;
    case '/': take_operator(tokens, start, 1 + (next == '/'), TOKEN_ARITHMETIC); break;
    case '+': take_operator(tokens, start, 1, TOKEN_PLUS); break;
    case '@': take_operator(tokens, start, 1, TOKEN_AT); break;
    case '|': take_operator(tokens, start, 1, TOKEN_PIPE); break;
    case '~': take(tokens, TOKEN_TILDE, start, start + 1); break;
    case '-':
        if (next == '>')
            take(tokens, TOKEN_ARROW, start, start + 2);
        else
            take_operator(tokens, start, 1, TOKEN_MINUS);
        break;
    default: take_operator(tokens, start, 1, TOKEN_ARITHMETIC);
    }
}

static void read_mark(Tokens *tokens, u32 start, u8 byte) {
    switch (byte) {
    case '(': open_bracket(tokens, TOKEN_OPEN_PAREN, start); break;
    case '[': open_bracket(tokens, TOKEN_OPEN_BRACKET, start); break;
    case '{': open_bracket(tokens, TOKEN_OPEN_BRACE, start); break;
    case ')': close_bracket(tokens, TOKEN_CLOSE_PAREN, start); break;
    case ']': close_bracket(tokens, TOKEN_CLOSE_BRACKET, start); break;
    case '}': close_bracket(tokens, TOKEN_CLOSE_BRACE, start); break;
    case ',': take(tokens, TOKEN_COMMA, start, start + 1); break;
    case ';': take(tokens, TOKEN_SEMICOLON, start, start + 1); break;
    case '.': read_dot(tokens, start); break;
    case ':':
        if (byte_at(tokens, start + 1) == '=')
            take(tokens, TOKEN_WALRUS, start, start + 2);
        else
            take(tokens, TOKEN_COLON, start, start + 1);
        break;
    default: read_operator(tokens, start, byte);
    }
}

/* The end of a line: a token, unless a bracket is open. True if it is one. */
static bool read_newline(Tokens *tokens) {
    u32 length = newline_length(tokens, tokens->at);
    if (!length) {
        fail_at(tokens, tokens->at);
        return true;
    }
    if (tokens->brackets) {
        tokens->at += length;
        return false;
    }
    take(tokens, TOKEN_NEWLINE, tokens->at, tokens->at + length);
    tokens->at_line_start = true;
    return true;
}

/* A backslash that joins two lines. */
static bool join_lines(Tokens *tokens) {
    u32 length = newline_length(tokens, tokens->at + 1);
    tokens->at += 1 + length;
    if (length && !tokens->fields && tokens->at < tokens->length && !newline_length(tokens, tokens->at))
        return true;
    fail_at(tokens, tokens->at);
    return false;
}

/* At the end of the source: a line that has no end gets one, blocks are closed. */
static void read_end(Tokens *tokens) {
    if (tokens->brackets)
        fail_at(tokens, tokens->length);
    else if (tokens->kind != TOKEN_NEWLINE && tokens->kind != TOKEN_DEDENT && tokens->kind != TOKEN_END) {
        take(tokens, TOKEN_NEWLINE, tokens->length, tokens->length);
        tokens->at_line_start = true;
    } else
        take(tokens, TOKEN_END, tokens->length, tokens->length);
}

/* True while what stands there is no token. */
static bool read_token(Tokens *tokens) {
    if (tokens->at >= tokens->length) {
        read_end(tokens);
        return false;
    }
    u32 start = tokens->at;
    u8 byte = tokens->bytes[start];
    switch ((enum Class)CLASSES[byte]) {
    case SPACE: tokens->at++; return true;
    case COMMENT: tokens->at = skip_comment(tokens, start); break;
    case FEED: case RETURN: return !read_newline(tokens);
    case BACKSLASH: return join_lines(tokens);
    case LETTER: case WIDE: read_name(tokens, start); return false;
    case DIGIT: read_number(tokens, start); return false;
    case QUOTE: read_string(tokens, start, start); return false;
    case MARK: read_mark(tokens, start, byte); return false;
    case BAD: fail_at(tokens, start); return false;
    }
    /* Behind a comment; in a field of a formatted string only newer Pythons take one. */
    if (tokens->fields)
        fail_at(tokens, start);
    return !tokens->fields;
}

void tokens_next(Tokens *tokens) {
    if (tokens->kind == TOKEN_FAILED)
        return;
    if (tokens->kind != TOKEN_NEWLINE && tokens->kind != TOKEN_INDENT && tokens->kind != TOKEN_DEDENT)
        tokens->last_end = tokens->end;
    if (tokens->at_line_start && begin_line(tokens))
        return;
    if (tokens->pending_dedents) {
        tokens->pending_dedents--;
        take(tokens, TOKEN_DEDENT, tokens->at, tokens->at);
        return;
    }
    while (read_token(tokens)) {
    }
}
