/* python_facts.c -- see python_facts.h. */
#include "python_facts.h"

#include <string.h>

#include "arena.h"

enum Status collect(Facts *facts) {
    return facts->job->tier == TIER_TREE ? collect_by_tree(facts) : collect_by_tokens(facts);
}

void *facts_grow(void *rows, u32 count, u32 *room, u32 row_bytes) {
    if (count < *room)
        return rows;
    *room = *room ? *room * 2 : 32;
    return arena_realloc(rows, (size_t)*room * row_bytes);
}

u32 add_definition(Facts *facts, Definition definition) {
    facts->definitions = facts_grow(facts->definitions, facts->definition_count, &facts->definition_room, sizeof definition);
    facts->definitions[facts->definition_count] = definition;
    return facts->definition_count++;
}

void add_decorator(Facts *facts, Span span) {
    facts->decorators = facts_grow(facts->decorators, facts->decorator_count, &facts->decorator_room, sizeof span);
    facts->decorators[facts->decorator_count++] = span;
}

void add_statement(Facts *facts, Span span, enum StatementKind kind) {
    facts->statements = facts_grow(facts->statements, facts->statement_count, &facts->statement_room, sizeof(Statement));
    facts->statements[facts->statement_count++] = (Statement){span, kind};
}

void add_string(Facts *facts, Span span) {
    const u8 *bytes = facts->job->source.bytes + span.start;
    if (!memchr(bytes, '\n', span.end - span.start) && !memchr(bytes, '\r', span.end - span.start))
        return;
    /* Those in the fields of this one came first. */
    while (facts->string_count && facts->strings[facts->string_count - 1].start > span.start)
        facts->string_count--;
    facts->strings = facts_grow(facts->strings, facts->string_count, &facts->string_room, sizeof span);
    facts->strings[facts->string_count++] = span;
}

u32 find_line_start(const Source *source, u32 at) {
    while (at && source->bytes[at - 1] != '\n' && source->bytes[at - 1] != '\r')
        at--;
    return at;
}

void add_reference(Facts *facts, Span span, enum ReferenceKind kind, bool is_qualified) {
    bool is_second = facts->names[1].length && text_equals(text_at(&facts->job->source, span), facts->names[1]);
    Reference row = {.span = span, .kind = kind, .is_qualified = is_qualified, .is_second = is_second};
    facts->references = facts_grow(facts->references, facts->reference_count, &facts->reference_room, sizeof row);
    facts->references[facts->reference_count++] = row;
}
