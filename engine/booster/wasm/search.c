/* search.c -- structural search: what a tree-sitter query matches. */
#include "operations.h"
#include "queries.h"

static void pack_captures(Buffer *answer, const TSQuery *query) {
    u32 count = ts_query_capture_count(query);
    pack_array(answer, count);
    for (u32 id = 0; id < count; id++) {
        u32 length;
        const char *name = ts_query_capture_name_for_id(query, id, &length);
        pack_text(answer, (Text){(const u8 *)name, length});
    }
}

static void pack_match(Job *job, const TSQueryMatch *match) {
    Buffer *answer = &job->answer;
    pack_array(answer, 2);
    pack_number(answer, match->pattern_index);
    pack_array(answer, match->capture_count);
    for (u32 i = 0; i < match->capture_count; i++) {
        Span span = span_of(match->captures[i].node);
        pack_array(answer, 3);
        pack_number(answer, match->captures[i].index);
        pack_number(answer, span.start);
        pack_number(answer, span.end);
    }
}

/* Arguments: the query, and how many matches there may be. {"captures": [name...], "matches": [[pattern,
 * [[capture, start, end]...]]...], "truncated"}: offsets in bytes, in the order in which the query finds them. */
enum Status search_tree(Job *job) {
    u32 matches_max = 0;
    if (!read_decimal(job->arguments[1], &matches_max) || !matches_max)
        return stop(job, BAD_REQUEST, "how many matches there may be is no number", NOWHERE);
    CompiledQuery compiled = compile_query(job->language, job->arguments[0]);
    if (!compiled.query) {
        source_begin(&job->source, job->arguments[0], false); /* the place is one of the query */
        return stop(job, BAD_REQUEST, compiled.problem, compiled.problem_at);
    }
    TSNode root;
    if (!parse_source(job, &root))
        return UNSURE;
    u32 error = find_error(root);
    if (error != NOWHERE)
        return stop(job, REFUSED, "the file has a syntax error", error);
    TSQueryCursor *cursor = ts_query_cursor_new();
    ts_query_cursor_exec(cursor, compiled.query, root);
    pack_map(&job->answer, 3);
    pack_key(&job->answer, "captures");
    pack_captures(&job->answer, compiled.query);
    pack_key(&job->answer, "matches");
    u32 beginning = pack_array_begin(&job->answer), found = 0;
    bool is_truncated = false;
    for (TSQueryMatch match; !is_truncated && ts_query_cursor_next_match(cursor, &match);)
        if (satisfies(compiled.query, &match, &job->source)) {
            is_truncated = found == matches_max;
            if (!is_truncated) {
                pack_match(job, &match);
                found++;
            }
        }
    pack_array_end(&job->answer, beginning, found);
    pack_key(&job->answer, "truncated");
    pack_bool(&job->answer, is_truncated);
    return DONE;
}
