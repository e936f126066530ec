/* tree_sitter_core.c -- the core of tree-sitter as one unit; its sources come by -I (see build.py).
 *
 * Some of its functions get another name, with `_any`: shortcuts.h has what stands in for them.
 * Left out are alloc.c, because the arena allocates, and the printing of debug output: stdio would
 * give the module imports. wasm_store.c is compiled to nothing without its feature flag.
 */
#include <stdio.h>

#undef fprintf
#undef fputs
#undef fputc
#undef snprintf
#undef vsnprintf
#undef fclose
#undef fdopen
#define fprintf(...) ((void)0)
#define fputs(...) ((void)0)
#define fputc(...) ((void)0)
#define snprintf(...) 0
#define vsnprintf(...) 0
#define fclose(...) ((void)0)
#define fdopen(...) ((FILE *)0)

#include "language.h"
#include "lexer.h"
#include "stack.h"

#define ts_lexer_init init_any
#define ts_lexer_reset reset_any
#define ts_lexer_start start_any
#include "lexer.c"
#undef ts_lexer_init
#undef ts_lexer_reset
#undef ts_lexer_start
#define ts_stack_pop_count pop_count_any
#define ts_stack_push push_any
#include "stack.c"
#undef ts_stack_pop_count
#undef ts_stack_push
#include "shortcuts.h"
#define ts_language_lookup look_up
#include "language.c"
#undef ts_language_lookup
#include "get_changed_ranges.c"
#include "node.c"
#include "parser.c"
#include "point.c"
#include "query.c"
#include "subtree.c"
#include "tree.c"
#include "tree_cursor.c"
#include "wasm_store.c"

#include "lexing.h"

void step_over_any(TSLexer *lexer, bool skip) {
    ts_lexer__advance(lexer, skip);
}

/* Scanners of grammars ask by pointer. */
static void step_over_for_scanner(TSLexer *lexer, bool skip) {
    step_over(lexer, skip);
}

void ts_lexer_init(Lexer *self) {
    init_any(self);
    self->data.advance = step_over_for_scanner;
}

/* Copies a compiled query to where it lasts: compiling takes a hundred times the memory of the result, all of which
 * would have to last. The fields are those of tree-sitter 0.26.1, which build.py pins. */
#define EACH_ARRAY(X) \
    X(captures.characters) X(captures.slices) X(predicate_values.characters) X(predicate_values.slices) X(capture_quantifiers) \
    X(steps) X(pattern_map) X(predicate_steps) X(patterns) X(step_offsets) X(negated_fields) X(string_buffer) \
    X(repeat_symbols_with_rootless_patterns)

static void *copy_contents(const void *contents, size_t size) {
    return size ? memcpy(arena_malloc(size), contents, size) : NULL;
}

#define SIZE(name) + 2 * query->name.size * sizeof *query->name.contents + 32
size_t query_room(const TSQuery *query) {
    size_t room = sizeof *query + 32 EACH_ARRAY(SIZE);
    for (uint32_t i = 0; i < query->capture_quantifiers.size; i++)
        room += 2 * query->capture_quantifiers.contents[i].size + 32;
    return room;
}

#define COPY(name) \
    copy->name.contents = copy_contents(query->name.contents, query->name.size * sizeof *query->name.contents); \
    copy->name.capacity = copy->name.size;
TSQuery *copy_query(const TSQuery *query) {
    TSQuery *copy = copy_contents(query, sizeof *query);
    EACH_ARRAY(COPY)
    for (uint32_t i = 0; i < copy->capture_quantifiers.size; i++) {
        CaptureQuantifiers *row = &copy->capture_quantifiers.contents[i];
        row->contents = copy_contents(row->contents, row->size * sizeof *row->contents);
        row->capacity = row->size;
    }
    return copy;
}
