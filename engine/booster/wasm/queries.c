/* queries.c -- see queries.h. To compile one takes a millisecond or two, so the last ones are kept in the lasting arena. */
#include "queries.h"

#include <string.h>

#include "arena.h"

#define QUERIES_MAX 16

typedef struct {
    const Language *language;
    Text text;
    TSQuery *query;
} Kept;

/* tree_sitter_core.c */
size_t query_room(const TSQuery *query);
TSQuery *copy_query(const TSQuery *query);

static Kept kept[QUERIES_MAX];
static u32 kept_count;

enum Predicate { EQUALS, EQUALS_NOT, IS_ANY, IS_NOT_ANY, PREDICATE_COUNT };
static const char *const PREDICATE_NAMES[PREDICATE_COUNT] = {"eq?", "not-eq?", "any-of?", "not-any-of?"};

static Text value_of(const TSQuery *query, u32 id) {
    u32 length;
    const char *bytes = ts_query_string_value_for_id(query, id, &length);
    return (Text){(const u8 *)bytes, length};
}

static enum Predicate find_predicate(Text name) {
    u32 predicate = 0;
    while (predicate < PREDICATE_COUNT && !text_is(name, PREDICATE_NAMES[predicate]))
        predicate++;
    return (enum Predicate)predicate;
}

static const TSQueryPredicateStep *find_end(const TSQueryPredicateStep *step) {
    while (step->type != TSQueryPredicateStepTypeDone)
        step++;
    return step;
}

/* What is wrong with a predicate, or null: it is not known, or its arguments are not those it takes. */
static const char *find_fault(const TSQuery *query, const TSQueryPredicateStep *step) {
    const TSQueryPredicateStep *end = find_end(step);
    enum Predicate predicate = step->type == TSQueryPredicateStepTypeString ? find_predicate(value_of(query, step->value_id)) : PREDICATE_COUNT;
    if (predicate == PREDICATE_COUNT)
        return "this predicate is not supported; there are eq?, not-eq?, any-of? and not-any-of?";
    if (end - step < 3 || step[1].type != TSQueryPredicateStepTypeCapture)
        return "a predicate takes a capture and what to compare it with";
    if (predicate <= EQUALS_NOT && end - step > 3)
        return "eq? and not-eq? compare with one thing; for several there are any-of? and not-any-of?";
    for (step += 2; step < end && predicate >= IS_ANY; step++)
        if (step->type != TSQueryPredicateStepTypeString)
            return "any-of? and not-any-of? compare with texts in quotes";
    return NULL;
}

static const char *check_predicates(const TSQuery *query, u32 *at) {
    for (u32 pattern = 0; pattern < ts_query_pattern_count(query); pattern++) {
        u32 count;
        const TSQueryPredicateStep *step = ts_query_predicates_for_pattern(query, pattern, &count);
        for (const TSQueryPredicateStep *end = step + count; step < end; step = find_end(step) + 1) {
            const char *problem = find_fault(query, step);
            *at = ts_query_start_byte_for_pattern(query, pattern);
            if (problem)
                return problem;
        }
    }
    return NULL;
}

static const char *explain(TSQueryError error) {
    switch (error) {
    case TSQueryErrorNodeType: return "the grammar has no such node";
    case TSQueryErrorField: return "the grammar has no such field";
    case TSQueryErrorCapture: return "no node is captured by that name";
    case TSQueryErrorStructure: return "no node can stand there";
    default: return "this is no query";
    }
}

static TSQuery *compile(const Language *language, Text text, CompiledQuery *result) {
    TSQueryError error;
    TSQuery *query = ts_query_new(language->grammar, (const char *)text.bytes, text.length, &result->problem_at, &error);
    result->problem = query ? check_predicates(query, &result->problem_at) : explain(error);
    result->query = result->problem ? NULL : query;
    return result->query;
}

static TSQuery *find_kept(const Language *language, Text text) {
    for (u32 i = 0; i < kept_count; i++)
        if (kept[i].language == language && text_equals(kept[i].text, text))
            return kept[i].query;
    return NULL;
}

static void keep(const Language *language, Text text, const TSQuery *query) {
    size_t room = query_room(query) + 2 * (size_t)text.length + 64;
    if (kept_count == QUERIES_MAX || room > arena_lasting_left()) {
        arena_forget_lasting();
        kept_count = 0;
    }
    if (room > arena_lasting_left())
        return;
    arena_begin_lasting();
    u8 *copy = arena_malloc(text.length + 1);
    memcpy(copy, text.bytes, text.length);
    Kept row = {language, {copy, text.length}, copy_query(query)};
    arena_end_lasting();
    kept[kept_count++] = row;
}

CompiledQuery compile_query(const Language *language, Text text) {
    CompiledQuery result = {.query = find_kept(language, text)};
    if (result.query)
        return result;
    if (compile(language, text, &result))
        keep(language, text, result.query);
    return result;
}

static bool is_equal(const TSQuery *query, const TSQueryMatch *match, const Source *source, Text text, const TSQueryPredicateStep *other) {
    if (other->type == TSQueryPredicateStepTypeString)
        return text_equals(text, value_of(query, other->value_id));
    for (u32 i = 0; i < match->capture_count; i++)
        if (match->captures[i].index == other->value_id && !text_equals(text, text_at(source, span_of(match->captures[i].node))))
            return false;
    return true;
}

/* For each node of the capture: is it equal to one of the others, or, where it is meant so, to none? */
static bool holds(const TSQuery *query, const TSQueryMatch *match, const Source *source, const TSQueryPredicateStep *step) {
    enum Predicate predicate = find_predicate(value_of(query, step->value_id));
    const TSQueryPredicateStep *end = find_end(step);
    for (u32 i = 0; i < match->capture_count; i++) {
        if (match->captures[i].index != step[1].value_id)
            continue;
        bool is_any = false;
        for (const TSQueryPredicateStep *other = step + 2; other < end; other++)
            is_any |= is_equal(query, match, source, text_at(source, span_of(match->captures[i].node)), other);
        if (is_any == (predicate == EQUALS_NOT || predicate == IS_NOT_ANY))
            return false;
    }
    return true;
}

bool satisfies(const TSQuery *query, const TSQueryMatch *match, const Source *source) {
    u32 count;
    const TSQueryPredicateStep *step = ts_query_predicates_for_pattern(query, match->pattern_index, &count);
    for (const TSQueryPredicateStep *end = step + count; step < end; step = find_end(step) + 1)
        if (!holds(query, match, source, step))
            return false;
    return true;
}
