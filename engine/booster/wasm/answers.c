/* answers.c -- see answers.h. */
#include "answers.h"

#include <string.h>

void begin_outline(Job *job, u32 count) {
    pack_map(&job->answer, 2);
    pack_key(&job->answer, "definitions");
    pack_array(&job->answer, count);
}

/* The text of a decorator without the whitespace around it. */
static Text trim(Text text) {
    while (text.length && strchr(" \t\n\r\f\v", text.bytes[0])) {
        text.bytes++;
        text.length--;
    }
    while (text.length && strchr(" \t\n\r\f\v", text.bytes[text.length - 1]))
        text.length--;
    return text;
}

void pack_outline_row(Job *job, const OutlineRow *row) {
    Buffer *answer = &job->answer;
    Source *source = &job->source;
    pack_map(answer, 8);
    pack_key(answer, "kind");
    pack_word(answer, row->kind);
    pack_key(answer, "name");
    pack_text(answer, row->name);
    pack_key(answer, "qualname");
    pack_text(answer, row->qualname);
    pack_key(answer, "line");
    pack_number(answer, line_of(source, row->start));
    pack_key(answer, "end_line");
    pack_number(answer, line_of(source, row->end));
    pack_key(answer, "parameters");
    row->parameters == NOWHERE ? pack_nil(answer) : pack_number(answer, row->parameters);
    pack_key(answer, "decorators");
    pack_array(answer, row->decorator_count);
    for (u32 i = 0; i < row->decorator_count; i++)
        pack_text(answer, trim(text_at(source, row->decorators[i])));
    pack_key(answer, "docstring");
    pack_bool(answer, row->has_docstring);
}

void end_outline(Job *job, u32 functions, u32 classes) {
    Buffer *answer = &job->answer;
    pack_key(answer, "totals");
    pack_map(answer, 3);
    pack_key(answer, "functions");
    pack_number(answer, functions);
    pack_key(answer, "classes");
    pack_number(answer, classes);
    pack_key(answer, "lines");
    pack_number(answer, count_lines(&job->source));
}

Metrics begin_metrics(Job *job) {
    pack_map(&job->answer, 2);
    pack_key(&job->answer, "functions");
    return (Metrics){.job = job, .beginning = pack_array_begin(&job->answer)};
}

void pack_figures(Metrics *metrics, const Figures *figures) {
    Job *job = metrics->job;
    Buffer *answer = &job->answer;
    u32 line = line_of(&job->source, figures->start), end_line = line_of(&job->source, figures->end);
    u32 length = end_line - line + 1;
    pack_map(answer, 7);
    pack_key(answer, "qualname");
    pack_text(answer, figures->qualname);
    pack_key(answer, "line");
    pack_number(answer, line);
    pack_key(answer, "end_line");
    pack_number(answer, end_line);
    pack_key(answer, "length");
    pack_number(answer, length);
    pack_key(answer, "complexity");
    pack_number(answer, figures->complexity);
    pack_key(answer, "nesting");
    pack_number(answer, figures->nesting);
    pack_key(answer, "parameters");
    pack_number(answer, figures->parameters);
    metrics->functions++;
    metrics->complexity += figures->complexity;
    metrics->length_max = MAX(metrics->length_max, length);
    metrics->complexity_max = MAX(metrics->complexity_max, figures->complexity);
    metrics->nesting_max = MAX(metrics->nesting_max, figures->nesting);
    metrics->parameters_max = MAX(metrics->parameters_max, figures->parameters);
}

void end_metrics(Metrics *metrics) {
    Buffer *answer = &metrics->job->answer;
    pack_array_end(answer, metrics->beginning, metrics->functions);
    pack_key(answer, "totals");
    pack_map(answer, 7);
    pack_key(answer, "functions");
    pack_number(answer, metrics->functions);
    pack_key(answer, "lines");
    pack_number(answer, count_lines(&metrics->job->source));
    pack_key(answer, "complexity");
    pack_number(answer, metrics->complexity);
    pack_key(answer, "length_max");
    pack_number(answer, metrics->length_max);
    pack_key(answer, "complexity_max");
    pack_number(answer, metrics->complexity_max);
    pack_key(answer, "nesting_max");
    pack_number(answer, metrics->nesting_max);
    pack_key(answer, "parameters_max");
    pack_number(answer, metrics->parameters_max);
}

static const char *const KIND_NAMES[REFERENCE_KINDS] = {"definition", "import", "call", "attribute", "use"};

void pack_references(Job *job, const Reference *rows, u32 count) {
    Buffer *answer = &job->answer;
    u32 totals[REFERENCE_KINDS] = {0};
    pack_map(answer, 2);
    pack_key(answer, "references");
    pack_array(answer, count);
    for (u32 i = 0; i < count; i++) {
        Place place = place_of(&job->source, rows[i].span.start);
        pack_map(answer, 3);
        pack_key(answer, "line");
        pack_number(answer, place.line);
        pack_key(answer, "column");
        pack_number(answer, place.column);
        pack_key(answer, "kind");
        pack_word(answer, KIND_NAMES[rows[i].kind]);
        totals[rows[i].kind]++;
    }
    pack_key(answer, "totals");
    pack_map(answer, REFERENCE_KINDS);
    for (u32 kind = 0; kind < REFERENCE_KINDS; kind++) {
        pack_word(answer, KIND_NAMES[kind]);
        pack_number(answer, totals[kind]);
    }
}
