/* python_tokens.h -- the tokens of Python: names, keywords, operators, strings, lines and their indentation.
 *
 * The tokenizer is strict: what is not Python, or is rare and not known here, ends it. It stays ended, so its callers
 * need not look after each step. Of letters outside ASCII it knows the common ones; the others are taken for letters,
 * and told.
 */
#ifndef PYTHON_TOKENS_H
#define PYTHON_TOKENS_H

#include "text.h"

#define INDENTS_MAX 64

enum Token {
    TOKEN_FAILED, /* the source is not known to be Python */
    TOKEN_END,
    TOKEN_NEWLINE,
    TOKEN_INDENT,
    TOKEN_DEDENT,
    TOKEN_NAME,
    TOKEN_NUMBER,
    TOKEN_TEXT,      /* a plain string */
    TOKEN_BYTES,
    TOKEN_FORMATTED, /* the beginning of a formatted string, up to and with its quotes */
    /* Brackets and marks. */
    TOKEN_OPEN_PAREN, TOKEN_CLOSE_PAREN, TOKEN_OPEN_BRACKET, TOKEN_CLOSE_BRACKET, TOKEN_OPEN_BRACE, TOKEN_CLOSE_BRACE,
    TOKEN_COMMA, TOKEN_COLON, TOKEN_SEMICOLON, TOKEN_DOT, TOKEN_ELLIPSIS, TOKEN_ARROW, TOKEN_WALRUS, TOKEN_EQUAL,
    TOKEN_BANG,      /* in a field of a formatted string only */
    TOKEN_AUGMENTED, /* +=, -= and their kin */
    /* Operators: first those that join two operands of arithmetic, then comparisons. */
    TOKEN_PLUS, TOKEN_MINUS, TOKEN_STAR, TOKEN_DOUBLE_STAR, TOKEN_AT, TOKEN_PIPE, TOKEN_ARITHMETIC, TOKEN_TILDE,
    TOKEN_COMPARISON,
    /* Keywords. */
    TOKEN_AND, TOKEN_AS, TOKEN_ASSERT, TOKEN_ASYNC, TOKEN_AWAIT, TOKEN_BREAK, TOKEN_CLASS, TOKEN_CONSTANT, TOKEN_CONTINUE,
    TOKEN_DEF, TOKEN_DEL, TOKEN_ELIF, TOKEN_ELSE, TOKEN_EXCEPT, TOKEN_FINALLY, TOKEN_FOR, TOKEN_FROM, TOKEN_GLOBAL,
    TOKEN_IF, TOKEN_IMPORT, TOKEN_IN, TOKEN_IS, TOKEN_LAMBDA, TOKEN_NONLOCAL, TOKEN_NOT, TOKEN_OR, TOKEN_PASS,
    TOKEN_RAISE, TOKEN_RETURN, TOKEN_TRY, TOKEN_WHILE, TOKEN_WITH, TOKEN_YIELD,
};

typedef struct {
    const u8 *bytes;
    u32 length;
    u32 at;                       /* behind the current token */
    enum Token kind;              /* of the current token */
    u32 start, end;               /* of the current token */
    u32 last_end;                 /* of the token before, but for newlines, indents and dedents */
    u32 brackets;                 /* how many are open, fields of formatted strings included */
    u32 fields;                   /* how many fields of formatted strings are open */
    bool at_line_start;
    u32 pending_dedents;
    u32 indents;                  /* how many there are */
    u32 columns[INDENTS_MAX];     /* of each indent, with tabs up to multiples of 8 */
    u32 flat_columns[INDENTS_MAX]; /* the same with tabs of one */
    u32 problem;                  /* where it ended, when it failed */
    bool is_doubtful;             /* it may be Python nevertheless */
    u32 unknown_letter;           /* where the first one is, or NOWHERE */
} Tokens;

void tokens_begin(Tokens *tokens, const Source *source);
/* Goes on to the next token. */
void tokens_next(Tokens *tokens);
/* Ends the tokens: the source is no Python. */
void tokens_fail(Tokens *tokens);
/* Ends the tokens: the source may be Python, but that is not known here. */
void tokens_doubt(Tokens *tokens);
/* In a formatted string: how its prefix and quotes are. */
typedef struct {
    u8 quote;
    bool is_triple, is_raw;
} Quotes;
Quotes tokens_quotes(const Tokens *tokens);

static inline Text token_text(const Tokens *tokens) {
    return (Text){tokens->bytes + tokens->start, tokens->end - tokens->start};
}

#endif
