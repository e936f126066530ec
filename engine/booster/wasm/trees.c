/* trees.c -- operations that answer with the syntax tree itself: the check of syntax, and the dump. */
#include "arena.h"
#include "operations.h"
#include "script_facts.h"

static void pack_no_errors(Buffer *answer) {
    pack_map(answer, 2);
    pack_key(answer, "ok");
    pack_bool(answer, true);
    pack_key(answer, "errors");
    pack_array(answer, 0);
}

/* The tree takes more than Python does: of Python it says nothing. */
enum Status check_syntax_by_tree(Job *job) {
    if (job->language->id == PYTHON)
        return stop(job, UNSURE, "whether this compiles is Python's to say", NOWHERE);
    TSNode root;
    if (!parse_flawless(job, &root))
        return UNSURE;
    pack_no_errors(&job->answer);
    return DONE;
}

/* Certain only of Python that is grammar and breaks no rule that its compiler has besides. */
enum Status check_syntax_by_tokens(Job *job) {
    static const Text NAMELESS = {(const u8 *)"__debug__", 9}, NOTHING = {(const u8 *)"", 1};
    Text text = {job->source.bytes, job->source.length};
    if (find_text(text, 0, NAMELESS) != NOWHERE || find_text(text, 0, NOTHING) != NOWHERE)
        return stop(job, REJECTED, "this may not compile", NOWHERE);
    Facts facts = {.job = job, .is_strict = true};
    enum Status status = collect(&facts);
    if (status != DONE)
        return status;
    if (facts.doubt != NOWHERE)
        return stop(job, REJECTED, "this may not compile", facts.doubt);
    pack_no_errors(&job->answer);
    return DONE;
}

/* Whether an edit's result parses: the tree is asked only where tokens are not certain. */
enum Status parses_by_tokens(Job *job) {
    Facts facts = {.job = job};
    enum Status status = collect(&facts);
    if (status == DONE)
        pack_map(&job->answer, 0);
    return status;
}

enum Status parses_by_tree(Job *job) {
    TSNode root;
    if (!parse_flawless(job, &root))
        return UNSURE;
    pack_map(&job->answer, 0);
    return DONE;
}

/* What tokens are certain of the tree takes, too, and takes five times as long for it. */
enum Status parses_script(Job *job) {
    if (job->tier == TIER_TREE)
        return parses_by_tree(job);
    ScriptFacts facts = {.base = {.job = job}};
    enum Status status = collect_script(&facts);
    if (status == DONE)
        pack_map(&job->answer, 0);
    return status;
}

enum { NODE_NAMED = 1, NODE_MISSING = 2, NODE_ERROR = 4 };

static u32 dump_nodes(TSNode root, Buffer *answer) {
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    u32 count = 0, depth = 0;
    do {
        TSNode node = ts_tree_cursor_current_node(&cursor);
        u32 flags = ts_node_is_named(node) * NODE_NAMED | ts_node_is_missing(node) * NODE_MISSING |
                    ts_node_is_error(node) * NODE_ERROR;
        pack_number(answer, ts_node_symbol(node));
        pack_number(answer, depth);
        pack_number(answer, ts_node_start_byte(node));
        pack_number(answer, ts_node_end_byte(node));
        pack_number(answer, flags);
        count++;
    } while (go_next(&cursor, &depth));
    return count;
}

/* How a node is told: [depth, kind, field of the parent or "", line, column, end line, end column]. */
static void pack_node(Job *job, const TSTreeCursor *cursor, u32 depth) {
    TSNode node = ts_tree_cursor_current_node(cursor);
    const char *field = ts_tree_cursor_current_field_name(cursor);
    Place start = place_of(&job->source, ts_node_start_byte(node)), end = place_of(&job->source, ts_node_end_byte(node));
    pack_array(&job->answer, 7);
    pack_number(&job->answer, depth);
    pack_word(&job->answer, ts_node_type(node));
    pack_word(&job->answer, field ? field : "");
    pack_number(&job->answer, start.line);
    pack_number(&job->answer, start.column);
    pack_number(&job->answer, end.line);
    pack_number(&job->answer, end.column);
}

typedef struct {
    bool is_named_only;
    u32 nodes_max;
    u32 count, given, errors;
} Dump;

static void visit(Job *job, const TSTreeCursor *cursor, u32 depth, Dump *dump) {
    TSNode node = ts_tree_cursor_current_node(cursor);
    bool is_error = ts_node_is_error(node) || ts_node_is_missing(node);
    dump->errors += is_error;
    if (dump->is_named_only && !ts_node_is_named(node) && !is_error)
        return;
    dump->count++;
    if (dump->given == dump->nodes_max)
        return;
    pack_node(job, cursor, depth);
    dump->given++;
}

/* Arguments: only nodes with names, and how many may be given. */
enum Status dump_tree(Job *job) {
    Dump dump = {.is_named_only = job->arguments[0].length};
    if (!read_decimal(job->arguments[1], &dump.nodes_max))
        return stop(job, BAD_REQUEST, "how many nodes may be given is no number", NOWHERE);
    Buffer *answer = &job->answer;
    TSNode root;
    if (!parse_source(job, &root))
        return UNSURE;
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    pack_map(answer, 4);
    pack_key(answer, "nodes");
    u32 beginning = pack_array_begin(answer), depth = 0;
    do
        visit(job, &cursor, depth, &dump);
    while (go_next(&cursor, &depth));
    pack_array_end(answer, beginning, dump.given);
    pack_key(answer, "count");
    pack_number(answer, dump.count);
    pack_key(answer, "truncated");
    pack_bool(answer, dump.count > dump.given);
    pack_key(answer, "errors");
    pack_number(answer, dump.errors);
    return DONE;
}

/* {"kinds": [name by number], "nodes": [kind, depth, start, end, flags, kind, ...]} in the order of the source. */
enum Status list_nodes(Job *job) {
    const TSLanguage *grammar = job->language->grammar;
    Buffer *answer = &job->answer;
    TSNode root;
    if (!parse_source(job, &root))
        return UNSURE;
    pack_map(answer, 2);
    pack_key(answer, "kinds");
    pack_array(answer, job->language->symbol_count);
    for (u32 symbol = 0; symbol < job->language->symbol_count; symbol++)
        pack_word(answer, ts_language_symbol_name(grammar, (TSSymbol)symbol));
    pack_key(answer, "nodes");
    u32 beginning = pack_array_begin(answer);
    u32 count = dump_nodes(root, answer);
    pack_array_end(answer, beginning, count * 5);
    return DONE;
}
