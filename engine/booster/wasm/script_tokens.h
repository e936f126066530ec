/* script_tokens.h -- the tokens of JavaScript and TypeScript, read one at a time as the scanner asks for them.
 *
 * What a slash, a brace or a `>` begins depends on the grammar around it: the scanner says so by reading on from the
 * token in another way. What is no token, or is rare and not known here (letters outside ASCII, escapes in names, lone
 * carriage returns, HTML comments), ends the tokens. They stay ended, so their callers need not look after each step.
 */
#ifndef SCRIPT_TOKENS_H
#define SCRIPT_TOKENS_H

#include "script_facts.h"

enum ScriptToken {
    LEX_FAILED, /* the source is not known to be in the language */
    LEX_END,
    LEX_NAME,    /* also words with a meaning, which `word` tells */
    LEX_PRIVATE, /* #name */
    LEX_NUMBER, LEX_STRING,
    LEX_TEMPLATE, /* its first backtick */
    LEX_OPEN_PAREN, LEX_CLOSE_PAREN, LEX_OPEN_BRACKET, LEX_CLOSE_BRACKET, LEX_OPEN_BRACE, LEX_CLOSE_BRACE,
    LEX_COMMA, LEX_SEMICOLON, LEX_COLON, LEX_DOT, LEX_ELLIPSIS, LEX_QUESTION, LEX_CHAIN, LEX_ARROW, LEX_AT,
    LEX_EQUAL, LEX_ASSIGN, LEX_ASSIGN_LOGICAL,
    LEX_BANG, LEX_TILDE, LEX_SIGN, /* + and - */ LEX_STEP, /* ++ and -- */
    LEX_LESS, LEX_GREATER, LEX_SHIFT, /* << */ LEX_SLASH, LEX_SLASH_EQUAL, LEX_STAR, LEX_PIPE, LEX_AMPERSAND,
    LEX_LOGICAL,  /* && || ?? */
    LEX_OPERATOR, /* others that join two values */
};

#define RESERVED_WORDS(X) \
    X(break) X(case) X(catch) X(class) X(const) X(continue) X(debugger) X(default) X(delete) X(do) X(else) X(enum) \
    X(export) X(extends) X(false) X(finally) X(for) X(function) X(if) X(import) X(in) X(instanceof) X(new) X(null) \
    X(return) X(super) X(switch) X(this) X(throw) X(true) X(try) X(typeof) X(var) X(void) X(while) X(with)

/* They are names where the grammar does not ask for them. */
#define CONTEXTUAL_WORDS(X) \
    X(abstract) X(accessor) X(any) X(as) X(assert) X(asserts) X(async) X(await) X(boolean) X(declare) X(defer) \
    X(from) X(get) X(global) X(implements) X(infer) X(interface) X(is) X(keyof) X(let) X(module) X(namespace) X(never) \
    X(number) X(object) X(of) X(out) X(override) X(package) X(private) X(protected) X(public) X(readonly) X(require) \
    X(satisfies) X(set) X(source) X(static) X(string) X(symbol) X(type) X(undefined) X(unique) X(unknown) X(using) X(yield)

enum Word {
    WORD_none,
#define X(word) WORD_##word,
    RESERVED_WORDS(X)
    WORD_last_reserved = WORD_with,
    CONTEXTUAL_WORDS(X)
#undef X
};

typedef struct {
    const u8 *bytes;
    u32 length;
    u32 at;           /* behind the current token */
    u32 start, end;   /* of the current token */
    u32 last_end;     /* of the token before */
    u32 problem;      /* where it ended, when it failed */
    u8 kind, word;    /* of the current token */
    bool newline;     /* a line ends before it */
    bool is_doubtful; /* it failed, but may be in the language nevertheless */
    ScriptFacts *commented; /* takes the comments; null: nobody wants them */
} ScriptTokens;

void script_tokens_begin(ScriptTokens *tokens, const Source *source, ScriptFacts *commented);
/* Goes on to the next token. */
void script_tokens_next(ScriptTokens *tokens);
/* Ends the tokens: the source is not in the language, or that is not known. */
void script_tokens_fail(ScriptTokens *tokens, bool is_doubtful);
/* Which word with a meaning it is. */
enum Word find_word(Text text);
/* Sets the current token. */
void script_tokens_take(ScriptTokens *tokens, enum ScriptToken kind, u32 start, u32 end);

/* Goes over blanks and comments. Where only a comment holds the end of a line, semicolons are not certain: that ends the tokens. */
u32 skip_script_space(ScriptTokens *tokens, u32 at);

/* script_literals.c */
void take_script_number(ScriptTokens *tokens, u32 at);
void take_script_string(ScriptTokens *tokens, u32 at);
/* Takes the slash at hand for the beginning of a regular expression. */
void script_tokens_regular(ScriptTokens *tokens);
/* Takes the `>` at hand for the beginning of an operator; types want it alone. */
void script_tokens_greater(ScriptTokens *tokens);
/* Goes over text of a template from the end of the token; true if a `${` ends it, not a backtick. */
bool script_tokens_template(ScriptTokens *tokens);
/* Goes to the next token in a JSX tag, where names have hyphens and strings no escapes. */
void script_tokens_tag(ScriptTokens *tokens);
/* Goes over the text between JSX tags to the next `{` or `<`. */
void script_tokens_jsx_text(ScriptTokens *tokens);

static inline u8 script_byte(const ScriptTokens *tokens, u32 at) {
    return at < tokens->length ? tokens->bytes[at] : 0;
}

/* Ends the tokens at a place from which on the source is not known here. */
static inline void script_tokens_doubt(ScriptTokens *tokens, u32 at) {
    tokens->start = at;
    script_tokens_fail(tokens, true);
}

/* May this byte be in a name? Those outside ASCII are not known here. */
static inline bool is_script_letter(u8 byte) {
    return (u8)((byte | 32) - 'a') < 26 || (u8)(byte - '0') < 10 || byte == '_' || byte == '$';
}

#endif
