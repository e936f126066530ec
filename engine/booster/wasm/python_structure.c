/* python_structure.c -- where the parts of a source of Python stand, for those who decide on edits (engine/editing). */
#include "python_facts.h"

/* The order is that of `engine.editing.structure.Definition`. */
static void pack_row(const Facts *facts, const Definition *row) {
    Buffer *answer = &facts->job->answer;
    const Body *body = &row->body;
    pack_array(answer, 17);
    pack_bool(answer, row->is_class);
    pack_bool(answer, row->is_async);
    pack_offset(answer, row->parent);
    pack_number(answer, row->whole_start);
    pack_number(answer, row->start);
    pack_span(answer, row->name);
    pack_offset(answer, row->parameters_end);
    pack_span(answer, row->returns.end ? row->returns : (Span){NOWHERE, NOWHERE});
    pack_number(answer, body->head_end);
    pack_number(answer, body->start);
    pack_offset(answer, body->doc_end);
    pack_offset(answer, body->rest);
    pack_number(answer, row->end);
    pack_bool(answer, body->is_inline);
    pack_bool(answer, body->is_wrapped);
}

/* {"definitions": [row...], "statements": [[kind, start, end]...], "strings": [[start, end]...], "indent": [start, end]} */
enum Status find_structure_python(Job *job) {
    Facts facts = {.job = job, .wants_definitions = true, .wants_structure = true};
    enum Status status = collect(&facts);
    if (status != DONE)
        return status;
    Buffer *answer = &job->answer;
    pack_map(answer, 4);
    pack_key(answer, "definitions");
    pack_array(answer, facts.definition_count);
    for (u32 i = 0; i < facts.definition_count; i++)
        pack_row(&facts, &facts.definitions[i]);
    pack_key(answer, "statements");
    pack_array(answer, facts.statement_count);
    for (u32 i = 0; i < facts.statement_count; i++) {
        pack_array(answer, 3);
        pack_number(answer, facts.statements[i].kind);
        pack_span(answer, facts.statements[i].span);
    }
    pack_key(answer, "strings");
    pack_spans(answer, facts.strings, facts.string_count);
    pack_key(answer, "indent");
    pack_array(answer, 2);
    pack_span(answer, facts.indent);
    return DONE;
}
