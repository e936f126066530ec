/* languages.c -- see languages.h. */
#include "languages.h"

#include <string.h>

#include "arena.h"

const TSLanguage *tree_sitter_python(void);
const TSLanguage *tree_sitter_javascript(void);
const TSLanguage *tree_sitter_typescript(void);
const TSLanguage *tree_sitter_tsx(void);

typedef const TSLanguage *(*Grammar)(void);

static const Grammar GRAMMARS[LANGUAGE_COUNT] = {
    [PYTHON] = tree_sitter_python,
    [JAVASCRIPT] = tree_sitter_javascript,
    [TYPESCRIPT] = tree_sitter_typescript,
    [TSX] = tree_sitter_tsx,
};
static const char *const KIND_NAMES[KIND_COUNT] = {
    "",
#define X(name) #name,
    NODE_KINDS(X)
#undef X
};
static const char *const FIELD_NAMES[FIELD_COUNT] = {
#define X(name) #name,
    NODE_FIELDS(X)
#undef X
};

#define SYMBOLS_MAX 512
static Language languages[LANGUAGE_COUNT];
static u8 kinds[LANGUAGE_COUNT][SYMBOLS_MAX];

static u8 find_kind(const char *name) {
    for (u32 kind = 1; kind < KIND_COUNT; kind++)
        if (!strcmp(KIND_NAMES[kind], name))
            return (u8)kind;
    return KIND_none;
}

static void prepare(Language *language, u32 id) {
    const TSLanguage *grammar = GRAMMARS[id]();
    language->id = (enum LanguageId)id;
    language->symbol_count = MIN(ts_language_symbol_count(grammar), SYMBOLS_MAX);
    language->kinds = kinds[id];
    for (u32 symbol = 0; symbol < language->symbol_count; symbol++)
        if (ts_language_symbol_type(grammar, (TSSymbol)symbol) == TSSymbolTypeRegular)
            language->kinds[symbol] = find_kind(ts_language_symbol_name(grammar, (TSSymbol)symbol));
    for (u32 field = 0; field < FIELD_COUNT; field++) {
        const char *name = FIELD_NAMES[field];
        language->fields[field] = ts_language_field_id_for_name(grammar, name, (u32)strlen(name));
    }
    language->grammar = grammar;
}

const Language *find_language(u32 id) {
    if (id >= LANGUAGE_COUNT)
        return NULL;
    Language *language = &languages[id];
    /* At first use: most instances see one language only. */
    if (!language->grammar)
        prepare(language, id);
    return language;
}

/* The parser tells of itself after every 100 steps. Real files take one step a byte or less, but some broken ones of
 * a few bytes keep it busy for ever (tree-sitter-typescript's issue 323), or until memory is out. */
#define STEPS_TOLD 100u
#define STEPS_LEAST 20000u
#define STEPS_A_BYTE 10u

typedef struct {
    Text source;
    u64 steps_left;
} Reading;

static const char *read_source(void *payload, u32 at, TSPoint place, u32 *length) {
    const Reading *reading = payload;
    (void)place;
    *length = at < reading->source.length ? reading->source.length - at : 0;
    return *length ? (const char *)reading->source.bytes + at : "";
}

static bool is_endless(TSParseState *state) {
    Reading *reading = state->payload;
    reading->steps_left -= MIN(reading->steps_left, STEPS_TOLD);
    return !reading->steps_left;
}

TSTree *parse(const Language *language, Text source) {
    TSParser *parser = ts_parser_new();
    bool accepted = ts_parser_set_language(parser, language->grammar);
    if (!accepted)
        __builtin_trap(); /* a grammar of another tree-sitter: the build is wrong */
    Reading reading = {source, STEPS_LEAST + (u64)source.length * STEPS_A_BYTE};
    TSInput input = {.payload = &reading, .read = read_source, .encoding = TSInputEncodingUTF8};
    TSParseOptions options = {.payload = &reading, .progress_callback = is_endless};
    return ts_parser_parse_with_options(parser, NULL, input, options);
}

u32 find_error(TSNode root) {
    if (!ts_node_has_error(root))
        return NOWHERE;
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    for (;;) {
        TSNode node = ts_tree_cursor_current_node(&cursor);
        if (ts_node_is_error(node) || ts_node_is_missing(node))
            return ts_node_start_byte(node);
        if (ts_node_has_error(node) && ts_tree_cursor_goto_first_child(&cursor))
            continue;
        while (!ts_tree_cursor_goto_next_sibling(&cursor))
            if (!ts_tree_cursor_goto_parent(&cursor))
                return ts_node_end_byte(root);
    }
}

bool go_next(TSTreeCursor *cursor, u32 *depth) {
    if (ts_tree_cursor_goto_first_child(cursor)) {
        ++*depth;
        return true;
    }
    while (!ts_tree_cursor_goto_next_sibling(cursor)) {
        if (!ts_tree_cursor_goto_parent(cursor))
            return false;
        --*depth;
    }
    return true;
}
