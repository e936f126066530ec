/* languages.h -- the grammars: which there are, what their nodes are called, parsing. */
#ifndef LANGUAGES_H
#define LANGUAGES_H

#include <tree_sitter/api.h>

#include "kinds.h"
#include "text.h"

enum LanguageId { PYTHON, JAVASCRIPT, TYPESCRIPT, TSX, LANGUAGE_COUNT };

typedef struct {
    const TSLanguage *grammar;
    enum LanguageId id;
    u32 symbol_count;
    u8 *kinds; /* by symbol; 0 for nodes that no operation knows */
    TSFieldId fields[FIELD_COUNT];
} Language;

/* The language of that number, or null. */
const Language *find_language(u32 id);

/* Parses a source; the tree belongs to the arena. Null: the parser finds no end. */
TSTree *parse(const Language *language, Text source);

/* Where the first syntax error of a tree is, or its end; NOWHERE if it has none. */
u32 find_error(TSNode root);

/* Goes to the node that begins next in the source, and keeps its depth; false behind the last. */
bool go_next(TSTreeCursor *cursor, u32 *depth);

static inline enum Kind kind_of(const Language *language, TSNode node) {
    TSSymbol symbol = ts_node_symbol(node);
    return symbol < language->symbol_count ? (enum Kind)language->kinds[symbol] : KIND_none;
}

static inline TSNode field_of(const Language *language, TSNode node, enum Field field) {
    return ts_node_child_by_field_id(node, language->fields[field]);
}

static inline Span span_of(TSNode node) {
    return (Span){ts_node_start_byte(node), ts_node_end_byte(node)};
}

#endif
