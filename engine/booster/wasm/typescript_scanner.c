/* typescript_scanner.c -- the external tokens of the TypeScript and TSX grammars.
 *
 * Their source distribution lacks the scanner that both share. Most of its tokens are those of JavaScript, whose
 * scanner is at hand: build.py gives its path, it is compiled in here under other names. Own code decides what
 * types make different: where a semicolon may be left out, and which question mark is an operator. Every node
 * of real files is compared with the official wheels (tests/integration/test_booster_grammars.py).
 */
#define tree_sitter_javascript_external_scanner_create javascript_create
#define tree_sitter_javascript_external_scanner_destroy javascript_destroy
#define tree_sitter_javascript_external_scanner_serialize javascript_serialize
#define tree_sitter_javascript_external_scanner_deserialize javascript_deserialize
#define tree_sitter_javascript_external_scanner_scan javascript_scan
#include JAVASCRIPT_SCANNER

/* The tokens after those of JavaScript. */
enum { FUNCTION_SIGNATURE_SEMICOLON = JSX_TEXT + 1 };

/* After a brace that closes: a semicolon may be missing before it, unless it ends an object pattern with a
 * type, as in `type F = ({a}: {a: number}) => number`. In a conditional expression a colon is no type. */
static bool may_end_before_brace(TSLexer *lexer, const bool *valid) {
    do
        skip(lexer);
    while (iswspace(lexer->lookahead));
    return lexer->lookahead != ':' || valid[LOGICAL_OR];
}

/* `in` and `instanceof` go on with an expression; other words begin a statement. */
static bool may_end_before_word(TSLexer *lexer) {
    skip(lexer);
    if (lexer->lookahead != 'n')
        return true;
    skip(lexer);
    if (!iswalpha(lexer->lookahead))
        return false;
    for (const char *rest = "stanceof"; *rest; rest++) {
        if (lexer->lookahead != *rest)
            return true;
        skip(lexer);
    }
    return iswalpha(lexer->lookahead);
}

static bool may_end_before(TSLexer *lexer, const bool *valid) {
    int32_t next = lexer->lookahead;
    switch (next) {
    case '`': case ',': case '.': case ';': case '*': case '%': case '>': case '<': case '=':
    case '?': case '^': case '|': case '&': case '/': case ':':
        return false;
    case '{':
        return !valid[FUNCTION_SIGNATURE_SEMICOLON];
    case '(': case '[':
        return !valid[LOGICAL_OR]; /* where an operator may stand, an expression goes on; in a type it ends */
    case '+': case '-':
        skip(lexer);
        return lexer->lookahead == next;
    case '!':
        skip(lexer);
        return lexer->lookahead != '=';
    case 'i':
        return may_end_before_word(lexer);
    default:
        return true;
    }
}

static bool scan_semicolon(TSLexer *lexer, const bool *valid, bool *scanned_comment) {
    lexer->result_symbol = AUTOMATIC_SEMICOLON;
    lexer->mark_end(lexer);
    while (lexer->lookahead != '\n') {
        if (lexer->lookahead == 0)
            return true;
        if (lexer->lookahead == '}')
            return may_end_before_brace(lexer, valid);
        if (!iswspace(lexer->lookahead))
            return false;
        skip(lexer);
    }
    skip(lexer);
    if (scan_whitespace_and_comments(lexer, scanned_comment, true) == REJECT)
        return false;
    return may_end_before(lexer, valid);
}

/* The question mark of a conditional expression; not that of an optional parameter or property (`a?: T`, `a?)`,
 * `a?,`), of an optional chain (`a?.b`), or of `??`. The official scanner takes `a?.5:1` for a chain; so does this. */
static bool scan_conditional(TSLexer *lexer) {
    while (iswspace(lexer->lookahead))
        skip(lexer);
    if (lexer->lookahead != '?')
        return false;
    advance(lexer);
    if (lexer->lookahead == '?' || lexer->lookahead == '.')
        return false;
    lexer->mark_end(lexer);
    lexer->result_symbol = TERNARY_QMARK;
    while (iswspace(lexer->lookahead))
        advance(lexer);
    int32_t next = lexer->lookahead;
    if (next == ':' || next == ')' || next == ',')
        return false;
    if (next != '.')
        return true;
    advance(lexer);
    return iswdigit(lexer->lookahead);
}

static bool scan_typescript(TSLexer *lexer, const bool *valid) {
    bool is_semicolon = valid[AUTOMATIC_SEMICOLON] || valid[FUNCTION_SIGNATURE_SEMICOLON];
    if (valid[TEMPLATE_CHARS])
        return !valid[AUTOMATIC_SEMICOLON] && scan_template_chars(lexer);
    if (valid[JSX_TEXT] && scan_jsx_text(lexer))
        return true;
    if (is_semicolon) {
        bool scanned_comment = false;
        if (scan_semicolon(lexer, valid, &scanned_comment))
            return true;
        return !scanned_comment && valid[TERNARY_QMARK] && lexer->lookahead == '?' && scan_conditional(lexer);
    }
    if (valid[TERNARY_QMARK])
        return scan_conditional(lexer);
    bool is_comment = valid[HTML_COMMENT] && !valid[LOGICAL_OR] && !valid[ESCAPE_SEQUENCE] && !valid[REGEX_PATTERN];
    return is_comment && scan_html_comment(lexer);
}

#define SCANNER(language) \
    void *tree_sitter_##language##_external_scanner_create(void) { return NULL; } \
    void tree_sitter_##language##_external_scanner_destroy(void *state) { (void)state; } \
    unsigned tree_sitter_##language##_external_scanner_serialize(void *state, char *buffer) { \
        (void)state, (void)buffer; \
        return 0; \
    } \
    void tree_sitter_##language##_external_scanner_deserialize(void *state, const char *buffer, unsigned length) { \
        (void)state, (void)buffer, (void)length; \
    } \
    bool tree_sitter_##language##_external_scanner_scan(void *state, TSLexer *lexer, const bool *valid) { \
        (void)state; \
        return scan_typescript(lexer, valid); \
    }

SCANNER(typescript)
SCANNER(tsx)
