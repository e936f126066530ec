/* script_tokens.c -- see script_tokens.h: blanks, comments, words and marks. */
#include "script_tokens.h"

#include <string.h>

typedef struct {
    const char *word;
    u8 length, id;
} Row;

#define W(word) {#word, sizeof(#word) - 1, WORD_##word}
/* By their first letters; ROWS_FROM tells where each letter begins and ends. */
static const Row ROWS[] = {
    W(abstract), W(accessor), W(any), W(as), W(assert), W(asserts), W(async), W(await), W(boolean), W(break),
    W(case), W(catch), W(class), W(const), W(continue), W(debugger), W(declare), W(default), W(defer), W(delete), W(do),
    W(else), W(enum), W(export), W(extends), W(false), W(finally), W(for), W(from), W(function), W(get), W(global), W(if),
    W(implements), W(import), W(in), W(infer), W(instanceof), W(interface), W(is), W(keyof), W(let), W(module),
    W(namespace), W(never), W(new), W(null), W(number), W(object), W(of), W(out), W(override), W(package), W(private),
    W(protected), W(public), W(readonly), W(require), W(return), W(satisfies), W(set), W(source), W(static), W(string),
    W(super), W(switch), W(symbol), W(this), W(throw), W(true), W(try), W(type), W(typeof), W(undefined), W(unique),
    W(unknown), W(using), W(var), W(void), W(while), W(with), W(yield),
};
static const u8 ROWS_FROM[128][2] = {
    ['a'] = {0, 8}, ['b'] = {8, 10}, ['c'] = {10, 15}, ['d'] = {15, 21}, ['e'] = {21, 25}, ['f'] = {25, 30},
    ['g'] = {30, 32}, ['i'] = {32, 40}, ['k'] = {40, 41}, ['l'] = {41, 42}, ['m'] = {42, 43}, ['n'] = {43, 48},
    ['o'] = {48, 52}, ['p'] = {52, 56}, ['r'] = {56, 59}, ['s'] = {59, 67}, ['t'] = {67, 73}, ['u'] = {73, 77},
    ['v'] = {77, 79}, ['w'] = {79, 81}, ['y'] = {81, 82},
};
_Static_assert(COUNT_OF(ROWS) == 82, "ROWS_FROM tells where the letters begin");

void script_tokens_fail(ScriptTokens *tokens, bool is_doubtful) {
    tokens->is_doubtful |= is_doubtful;
    if (tokens->kind == LEX_FAILED)
        return;
    tokens->problem = MIN(tokens->start, tokens->length);
    tokens->kind = LEX_FAILED;
    tokens->word = WORD_none;
    tokens->at = tokens->start = tokens->end = tokens->length;
}

void script_tokens_take(ScriptTokens *tokens, enum ScriptToken kind, u32 start, u32 end) {
    tokens->kind = (u8)kind;
    tokens->word = WORD_none;
    tokens->start = start;
    tokens->end = tokens->at = end;
}

static void note_comment(ScriptTokens *tokens, u32 start, u32 end) {
    ScriptFacts *facts = tokens->commented;
    if (!facts)
        return;
    /* In a tag what follows a word is read twice. */
    if (facts->comment_count && facts->comments[facts->comment_count - 1].start >= start)
        return;
    facts->comments = facts_grow(facts->comments, facts->comment_count, &facts->comment_room, sizeof(Span));
    facts->comments[facts->comment_count++] = (Span){start, end};
}

/* Where a comment up to the end of its line ends; NOWHERE if it holds what ends lines elsewhere. */
static u32 skip_line_comment(const ScriptTokens *tokens, u32 at) {
    for (; at < tokens->length && tokens->bytes[at] != '\n'; at++) {
        u8 byte = tokens->bytes[at];
        if (byte == '\r' && script_byte(tokens, at + 1) == '\n')
            break;
        bool is_separator = byte == 0xe2 && script_byte(tokens, at + 1) == 0x80 && (script_byte(tokens, at + 2) | 1) == 0xa9;
        if (byte == '\r' || !byte || is_separator)
            return NOWHERE;
    }
    return at;
}

/* Where a comment behind its star ends, or NOWHERE. A lone carriage return in it ends a line to some only. */
static u32 skip_block_comment(ScriptTokens *tokens, u32 at) {
    for (; at + 1 < tokens->length; at++) {
        u8 byte = tokens->bytes[at];
        if (byte == '*' && tokens->bytes[at + 1] == '/')
            return at + 2;
        bool is_separator = byte == 0xe2 && tokens->bytes[at + 1] == 0x80 && (script_byte(tokens, at + 2) | 1) == 0xa9;
        if (!byte || is_separator || (byte == '\r' && tokens->bytes[at + 1] != '\n'))
            return NOWHERE;
    }
    return NOWHERE;
}

/* Goes over a comment; false if none is there. */
static bool skip_comment(ScriptTokens *tokens, u32 *at, bool *is_broken) {
    u8 second = script_byte(tokens, *at + 1);
    if (second != '/' && second != '*')
        return false;
    u32 end = second == '/' ? skip_line_comment(tokens, *at + 2) : skip_block_comment(tokens, *at + 2);
    if (end == NOWHERE) {
        script_tokens_doubt(tokens, *at);
        return false;
    }
    *is_broken |= second == '*' && memchr(tokens->bytes + *at, '\n', end - *at);
    note_comment(tokens, *at, end);
    *at = end;
    return true;
}

u32 skip_script_space(ScriptTokens *tokens, u32 at) {
    bool newline = false, is_broken = false;
    for (;;) {
        u8 byte = script_byte(tokens, at);
        if (byte == ' ' || byte == '\t')
            at++;
        else if (byte == '\n' || (byte == '\r' && script_byte(tokens, at + 1) == '\n')) {
            newline = true;
            at++;
        } else if (byte != '/' || !skip_comment(tokens, &at, &is_broken))
            break;
    }
    tokens->newline = newline;
    if (is_broken && !newline)
        script_tokens_doubt(tokens, at);
    return at;
}

enum Word find_word(Text text) {
    if (text.length < 2 || text.length > 10 || text.bytes[0] >= 128)
        return WORD_none;
    const u8 *range = ROWS_FROM[text.bytes[0]];
    for (u32 i = range[0]; i < range[1]; i++)
        if (ROWS[i].length == text.length && !memcmp(ROWS[i].word, text.bytes, text.length))
            return (enum Word)ROWS[i].id;
    return WORD_none;
}

static u32 skip_letters(const ScriptTokens *tokens, u32 at) {
    while (at < tokens->length && is_script_letter(tokens->bytes[at]))
        at++;
    return at;
}

static void take_name(ScriptTokens *tokens, u32 at) {
    bool is_private = script_byte(tokens, at) == '#';
    u32 end = skip_letters(tokens, at + is_private);
    u8 behind = script_byte(tokens, end), first = script_byte(tokens, at + is_private);
    if (behind == '\\' || behind >= 128 || end == at + is_private || (u8)(first - '0') < 10) {
        script_tokens_doubt(tokens, end);
        return;
    }
    script_tokens_take(tokens, is_private ? LEX_PRIVATE : LEX_NAME, at, end);
    if (!is_private)
        tokens->word = (u8)find_word((Text){tokens->bytes + at, end - at});
}

/* Marks that stand alone whatever follows. */
static const u8 SINGLE[128] = {
    ['('] = LEX_OPEN_PAREN, [')'] = LEX_CLOSE_PAREN, ['['] = LEX_OPEN_BRACKET, [']'] = LEX_CLOSE_BRACKET,
    ['{'] = LEX_OPEN_BRACE, ['}'] = LEX_CLOSE_BRACE, [','] = LEX_COMMA, [';'] = LEX_SEMICOLON, [':'] = LEX_COLON,
    ['~'] = LEX_TILDE, ['@'] = LEX_AT, ['`'] = LEX_TEMPLATE, ['>'] = LEX_GREATER,
};

/* Marks of several bytes, the longer ones first. */
typedef struct {
    const char *mark;
    u8 length, kind;
} Mark;

#define M(mark, kind) {mark, sizeof(mark) - 1, LEX_##kind}
static const Mark MARKS[] = {
    M("!==", OPERATOR), M("!=", OPERATOR), M("!", BANG), M("%=", ASSIGN), M("%", OPERATOR), M("&&=", ASSIGN_LOGICAL),
    M("&&", LOGICAL), M("&=", ASSIGN), M("&", AMPERSAND), M("**=", ASSIGN), M("**", OPERATOR), M("*=", ASSIGN), M("*", STAR),
    M("++", STEP), M("+=", ASSIGN), M("+", SIGN), M("--", STEP), M("-=", ASSIGN), M("-", SIGN), M("...", ELLIPSIS), M(".", DOT),
    M("/=", SLASH_EQUAL), M("/", SLASH), M("<<=", ASSIGN), M("<<", SHIFT), M("<=", OPERATOR), M("<", LESS), M("===", OPERATOR),
    M("==", OPERATOR), M("=>", ARROW), M("=", EQUAL), M("?\?=", ASSIGN_LOGICAL), M("??", LOGICAL), M("?.", CHAIN), M("?", QUESTION),
    M("^=", ASSIGN), M("^", OPERATOR), M("||=", ASSIGN_LOGICAL), M("||", LOGICAL), M("|=", ASSIGN), M("|", PIPE),
};
static const u8 MARKS_FROM[128] = {
    ['!'] = 1, ['%'] = 4, ['&'] = 6, ['*'] = 10, ['+'] = 14, ['-'] = 17, ['.'] = 20, ['/'] = 22, ['<'] = 24, ['='] = 28,
    ['?'] = 32, ['^'] = 36, ['|'] = 38,
};
_Static_assert(COUNT_OF(MARKS) == 41, "MARKS_FROM tells where the marks begin, counted from 1");

/* `<!--` and `-->` are comments in places. `a?.5` is a condition to some and a chain to others. */
static bool is_doubtful_mark(const ScriptTokens *tokens, u32 at, enum ScriptToken kind) {
    u8 third = script_byte(tokens, at + 2);
    switch (kind) {
    case LEX_LESS: return script_byte(tokens, at + 1) == '!' && third == '-';
    case LEX_STEP: return tokens->bytes[at] == '-' && third == '>';
    case LEX_CHAIN: return (u8)(third - '0') < 10;
    default: return false;
    }
}

static void take_mark(ScriptTokens *tokens, u32 at) {
    u8 byte = tokens->bytes[at];
    u32 from = MARKS_FROM[byte & 127];
    for (u32 i = from ? from - 1 : COUNT_OF(MARKS); i < COUNT_OF(MARKS) && (u8)MARKS[i].mark[0] == byte; i++) {
        const Mark *row = &MARKS[i];
        if (tokens->length - at < row->length || memcmp(row->mark, tokens->bytes + at, row->length))
            continue;
        script_tokens_take(tokens, (enum ScriptToken)row->kind, at, at + row->length);
        if (is_doubtful_mark(tokens, at, (enum ScriptToken)row->kind))
            script_tokens_fail(tokens, true);
        return;
    }
    script_tokens_doubt(tokens, at);
}

void script_tokens_next(ScriptTokens *tokens) {
    if (tokens->kind == LEX_FAILED)
        return;
    tokens->last_end = tokens->end;
    u32 at = skip_script_space(tokens, tokens->at);
    if (tokens->kind == LEX_FAILED)
        return;
    u8 byte = script_byte(tokens, at);
    if (at >= tokens->length)
        script_tokens_take(tokens, LEX_END, tokens->length, tokens->length);
    else if ((u8)(byte - '0') < 10 || (byte == '.' && (u8)(script_byte(tokens, at + 1) - '0') < 10))
        take_script_number(tokens, at);
    else if (is_script_letter(byte) || byte == '#')
        take_name(tokens, at);
    else if (byte == '"' || byte == '\'')
        take_script_string(tokens, at);
    else if (byte < 128 && SINGLE[byte])
        script_tokens_take(tokens, (enum ScriptToken)SINGLE[byte], at, at + 1);
    else
        take_mark(tokens, at);
}

void script_tokens_begin(ScriptTokens *tokens, const Source *source, ScriptFacts *commented) {
    *tokens = (ScriptTokens){.bytes = source->bytes, .length = source->length, .kind = LEX_SEMICOLON, .commented = commented};
    if (source->length > 1 && !memcmp(source->bytes, "#!", 2)) {
        u32 end = skip_line_comment(tokens, 2);
        if (end == NOWHERE)
            script_tokens_doubt(tokens, 0);
        else
            script_tokens_take(tokens, LEX_SEMICOLON, 0, end);
    }
    script_tokens_next(tokens);
}
