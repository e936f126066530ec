/* trees.c -- operations that answer with the syntax tree itself: the check of syntax, and the dump. */
#include "arena.h"
#include "operations.h"

enum Status check_syntax_by_tree(Job *job) {
    Source *source = &job->source;
    TSTree *tree = parse(job->language, (Text){source->bytes, source->length});
    u32 error = find_error(ts_tree_root_node(tree));
    if (error != NOWHERE)
        return stop(job, UNSURE, "the tree has a syntax error", error);
    pack_map(&job->answer, 2);
    pack_key(&job->answer, "ok");
    pack_bool(&job->answer, true);
    pack_key(&job->answer, "errors");
    pack_array(&job->answer, 0);
    return DONE;
}

enum { NODE_NAMED = 1, NODE_MISSING = 2, NODE_ERROR = 4 };

static u32 dump_nodes(TSNode root, Buffer *answer) {
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    u32 count = 0, depth = 0;
    for (;;) {
        TSNode node = ts_tree_cursor_current_node(&cursor);
        u32 flags = ts_node_is_named(node) * NODE_NAMED | ts_node_is_missing(node) * NODE_MISSING |
                    ts_node_is_error(node) * NODE_ERROR;
        pack_number(answer, ts_node_symbol(node));
        pack_number(answer, depth);
        pack_number(answer, ts_node_start_byte(node));
        pack_number(answer, ts_node_end_byte(node));
        pack_number(answer, flags);
        count++;
        if (ts_tree_cursor_goto_first_child(&cursor)) {
            depth++;
            continue;
        }
        while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
            if (!ts_tree_cursor_goto_parent(&cursor))
                return count;
            depth--;
        }
    }
}

/* {"kinds": [name by number], "nodes": [kind, depth, start, end, flags, kind, ...]} in the order of the source. */
enum Status dump_tree(Job *job) {
    const TSLanguage *grammar = job->language->grammar;
    Buffer *answer = &job->answer;
    TSTree *tree = parse(job->language, (Text){job->source.bytes, job->source.length});
    pack_map(answer, 2);
    pack_key(answer, "kinds");
    pack_array(answer, job->language->symbol_count);
    for (u32 symbol = 0; symbol < job->language->symbol_count; symbol++)
        pack_word(answer, ts_language_symbol_name(grammar, (TSSymbol)symbol));
    pack_key(answer, "nodes");
    u32 beginning = pack_array_begin(answer);
    u32 count = dump_nodes(ts_tree_root_node(tree), answer);
    pack_array_end(answer, beginning, count * 5);
    return DONE;
}
