/* script_literals.c -- numbers, strings, regular expressions, templates and JSX, whose insides are no tokens. */
#include <string.h>

#include "script_tokens.h"

static bool is_digit(u8 byte, u32 base) {
    u8 letter = byte | 32;
    return base == 16 && letter >= 'a' ? letter <= 'f' : (u8)(byte - '0') < MIN(base, 10);
}

/* Digits, of which each may have one underscore before it but the first. */
static u32 skip_digits(const ScriptTokens *tokens, u32 at, u32 base) {
    if (!is_digit(script_byte(tokens, at), base))
        return at;
    for (;; at++)
        if (script_byte(tokens, at) == '_' ? !is_digit(script_byte(tokens, at + 1), base) : !is_digit(script_byte(tokens, at), base))
            return at;
}

static u32 find_base(u8 letter) {
    switch (letter | 32) {
    case 'x': return 16;
    case 'o': return 8;
    case 'b': return 2;
    default: return 10;
    }
}

/* Behind a decimal number; the start where an exponent lacks its digits. */
static u32 skip_decimal(const ScriptTokens *tokens, u32 start) {
    u32 at = skip_digits(tokens, start, 10);
    if (script_byte(tokens, at) == '.')
        at = skip_digits(tokens, at + 1, 10);
    else if (script_byte(tokens, at) == 'n')
        return at + 1;
    if ((script_byte(tokens, at) | 32) == 'e') {
        u8 sign = script_byte(tokens, at + 1);
        u32 digits = at + 1 + (sign == '+' || sign == '-');
        at = skip_digits(tokens, digits, 10);
        return at == digits ? start : at;
    }
    return at;
}

void take_script_number(ScriptTokens *tokens, u32 start) {
    u32 base = script_byte(tokens, start) == '0' ? find_base(script_byte(tokens, start + 1)) : 10, end;
    if (base == 10)
        end = skip_decimal(tokens, start);
    else {
        end = skip_digits(tokens, start + 2, base);
        end = end == start + 2 ? start : end + (script_byte(tokens, end) == 'n');
    }
    u8 behind = script_byte(tokens, end);
    /* `017` and `08` are numbers of their own kinds. */
    bool is_old = base == 10 && script_byte(tokens, start) == '0' && (is_digit(script_byte(tokens, start + 1), 10) || script_byte(tokens, start + 1) == '_');
    if (end == start || is_old || is_script_letter(behind) || behind >= 128 || behind == '\\')
        script_tokens_doubt(tokens, start);
    else
        script_tokens_take(tokens, LEX_NUMBER, start, end);
}

static u32 count_hex(const ScriptTokens *tokens, u32 at) {
    u32 count = 0;
    while (is_digit(script_byte(tokens, at + count), 16))
        count++;
    return count;
}

/* Where an escape ends that begins with a backslash there, or NOWHERE. */
static u32 skip_escape(const ScriptTokens *tokens, u32 at) {
    u8 letter = script_byte(tokens, at + 1);
    if (letter == 'x')
        return count_hex(tokens, at + 2) >= 2 ? at + 4 : NOWHERE;
    if (letter == 'u' && script_byte(tokens, at + 2) == '{') {
        u32 count = count_hex(tokens, at + 3);
        return count && script_byte(tokens, at + 3 + count) == '}' ? at + 4 + count : NOWHERE;
    }
    if (letter == 'u')
        return count_hex(tokens, at + 2) >= 4 ? at + 6 : NOWHERE;
    if (letter == '\r')
        return script_byte(tokens, at + 2) == '\n' ? at + 3 : NOWHERE;
    return letter && letter < 128 ? at + 2 : NOWHERE;
}

void take_script_string(ScriptTokens *tokens, u32 start) {
    u8 quote = tokens->bytes[start];
    u32 at = start + 1;
    while (at < tokens->length && tokens->bytes[at] != quote) {
        u8 byte = tokens->bytes[at];
        u32 next = byte == '\\' ? skip_escape(tokens, at) : at + 1;
        if (next == NOWHERE || byte == '\n' || byte == '\r' || !byte) {
            script_tokens_doubt(tokens, at);
            return;
        }
        at = next;
    }
    if (at < tokens->length)
        script_tokens_take(tokens, LEX_STRING, start, at + 1);
    else
        script_tokens_doubt(tokens, start);
}

void script_tokens_regular(ScriptTokens *tokens) {
    u32 at = tokens->start + 1;
    bool in_class = false;
    for (;; at++) {
        u8 byte = script_byte(tokens, at);
        if (byte == '/' && !in_class)
            break;
        if (byte < ' ' || byte >= 128) {
            script_tokens_doubt(tokens, at);
            return;
        }
        if (byte == '\\' && (script_byte(tokens, ++at) < ' ' || script_byte(tokens, at) >= 128)) {
            script_tokens_doubt(tokens, at);
            return;
        }
        in_class = byte == '[' || (in_class && byte != ']');
    }
    for (at++; (u8)(script_byte(tokens, at) - 'a') < 26;)
        at++;
    u8 behind = script_byte(tokens, at);
    if (is_script_letter(behind) || behind == '\\' || behind >= 128)
        script_tokens_doubt(tokens, at);
    else
        script_tokens_take(tokens, LEX_STRING, tokens->start, at);
}

void script_tokens_greater(ScriptTokens *tokens) {
    u32 end = tokens->start;
    while (end < tokens->start + 3 && script_byte(tokens, end) == '>')
        end++;
    bool has_equal = script_byte(tokens, end) == '=';
    bool is_assignment = has_equal && end > tokens->start + 1;
    script_tokens_take(tokens, is_assignment ? LEX_ASSIGN : LEX_OPERATOR, tokens->start, end + has_equal);
}

bool script_tokens_template(ScriptTokens *tokens) {
    if (tokens->kind == LEX_FAILED)
        return false;
    u32 at = tokens->end;
    for (;;) {
        u8 byte = script_byte(tokens, at);
        bool is_hole = byte == '$' && script_byte(tokens, at + 1) == '{';
        if (byte == '`' || is_hole) {
            tokens->end = tokens->at = at + 1 + is_hole;
            return is_hole;
        }
        u32 next = byte == '\\' ? skip_escape(tokens, at) : at + 1;
        if (!byte || next == NOWHERE || (byte == '\r' && script_byte(tokens, at + 1) != '\n')) {
            script_tokens_doubt(tokens, at);
            return false;
        }
        at = next;
    }
}

/* `&word;`: other uses of the ampersand are read in different ways. */
static u32 skip_entity(const ScriptTokens *tokens, u32 at) {
    u32 end = at + 1;
    while ((u8)((script_byte(tokens, end) | 32) - 'a') < 26)
        end++;
    return end > at + 2 && end < at + 20 && script_byte(tokens, end) == ';' ? end + 1 : NOWHERE;
}

static void take_tag_string(ScriptTokens *tokens, u32 start) {
    u8 quote = tokens->bytes[start];
    u32 at = start + 1;
    while (at < tokens->length && tokens->bytes[at] != quote) {
        u32 next = tokens->bytes[at] == '&' ? skip_entity(tokens, at) : at + 1;
        if (next == NOWHERE || tokens->bytes[at] < ' ') {
            script_tokens_doubt(tokens, at);
            return;
        }
        at = next;
    }
    if (at < tokens->length)
        script_tokens_take(tokens, LEX_STRING, start, at + 1);
    else
        script_tokens_doubt(tokens, start);
}

void script_tokens_tag(ScriptTokens *tokens) {
    if (tokens->kind == LEX_FAILED)
        return;
    tokens->last_end = tokens->end;
    u32 at = skip_script_space(tokens, tokens->at), end = at;
    if (tokens->kind == LEX_FAILED)
        return;
    u8 byte = script_byte(tokens, at);
    static const u8 KINDS[128] = {['{'] = LEX_OPEN_BRACE, ['<'] = LEX_LESS, ['>'] = LEX_GREATER, ['/'] = LEX_SLASH, ['='] = LEX_EQUAL, [':'] = LEX_COLON, ['.'] = LEX_DOT};
    if (byte == '"' || byte == '\'') {
        take_tag_string(tokens, at);
        return;
    }
    while (is_script_letter(script_byte(tokens, end)) || (end > at && script_byte(tokens, end) == '-'))
        end++;
    bool is_name = end > at && (u8)(byte - '0') >= 10 && script_byte(tokens, end) < 128;
    bool is_mark = byte < 128 && KINDS[byte] && script_byte(tokens, at + 1) != '*' && !(byte == '/' && script_byte(tokens, at + 1) == '/');
    if (is_name)
        script_tokens_take(tokens, LEX_NAME, at, end);
    else if (is_mark)
        script_tokens_take(tokens, (enum ScriptToken)KINDS[byte], at, at + 1);
    else
        script_tokens_doubt(tokens, at);
}

void script_tokens_jsx_text(ScriptTokens *tokens) {
    if (tokens->kind == LEX_FAILED)
        return;
    u32 at = tokens->end;
    for (;;) {
        u8 byte = script_byte(tokens, at);
        if (byte == '{' || byte == '<')
            break;
        u32 next = byte == '&' ? skip_entity(tokens, at) : at + 1;
        if (!byte || byte == '}' || byte == '>' || next == NOWHERE) {
            script_tokens_doubt(tokens, at);
            return;
        }
        at = next;
    }
    tokens->last_end = at;
    script_tokens_take(tokens, script_byte(tokens, at) == '{' ? LEX_OPEN_BRACE : LEX_LESS, at, at + 1);
}
