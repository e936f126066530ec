/* python_answers.c -- the outline, metrics, references and renaming of Python, made of facts. */
#include <string.h>

#include "arena.h"
#include "edits.h"
#include "python_facts.h"

/* "Outer.method.<locals>.inner", as Python's __qualname__, for each definition. */
static Text *name_definitions(const Facts *facts) {
    Text *names = arena_malloc((facts->definition_count + 1) * sizeof *names);
    for (u32 i = 0; i < facts->definition_count; i++) {
        const Definition *row = &facts->definitions[i];
        Text name = text_at(&facts->job->source, row->name);
        names[i] = name;
        if (row->parent == NOWHERE)
            continue;
        Buffer joined = {0};
        bool in_class = facts->definitions[row->parent].is_class;
        buffer_add(&joined, names[row->parent].bytes, names[row->parent].length);
        buffer_add(&joined, ".<locals>.", in_class ? 1 : 10);
        buffer_add(&joined, name.bytes, name.length);
        names[i] = (Text){joined.bytes, joined.length};
    }
    return names;
}

static const char *name_kind(const Facts *facts, const Definition *row) {
    bool in_class = row->parent != NOWHERE && facts->definitions[row->parent].is_class;
    if (row->is_class)
        return "class";
    if (row->is_async)
        return in_class ? "async method" : "async function";
    return in_class ? "method" : "function";
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

static void pack_definition(Facts *facts, const Definition *row, Text qualname) {
    Buffer *answer = &facts->job->answer;
    Source *source = &facts->job->source;
    pack_map(answer, 8);
    pack_key(answer, "kind");
    pack_word(answer, name_kind(facts, row));
    pack_key(answer, "name");
    pack_text(answer, text_at(source, row->name));
    pack_key(answer, "qualname");
    pack_text(answer, qualname);
    pack_key(answer, "line");
    pack_number(answer, line_of(source, row->start));
    pack_key(answer, "end_line");
    pack_number(answer, line_of(source, row->end));
    pack_key(answer, "parameters");
    row->is_class ? pack_nil(answer) : pack_number(answer, row->parameters);
    pack_key(answer, "decorators");
    pack_array(answer, row->decorator_count);
    for (u32 i = 0; i < row->decorator_count; i++)
        pack_text(answer, trim(text_at(source, facts->decorators[row->first_decorator + i])));
    pack_key(answer, "docstring");
    pack_bool(answer, row->has_docstring);
}

enum Status outline_python(Job *job) {
    Facts facts = {.job = job, .wants_definitions = true};
    enum Status status = collect(&facts);
    if (status != DONE)
        return status;
    Text *qualnames = name_definitions(&facts);
    Buffer *answer = &job->answer;
    u32 classes = 0;
    pack_map(answer, 2);
    pack_key(answer, "definitions");
    pack_array(answer, facts.definition_count);
    for (u32 i = 0; i < facts.definition_count; i++) {
        pack_definition(&facts, &facts.definitions[i], qualnames[i]);
        classes += facts.definitions[i].is_class;
    }
    pack_key(answer, "totals");
    pack_map(answer, 3);
    pack_key(answer, "functions");
    pack_number(answer, facts.definition_count - classes);
    pack_key(answer, "classes");
    pack_number(answer, classes);
    pack_key(answer, "lines");
    pack_number(answer, count_lines(&job->source));
    return DONE;
}

/* The figures of functions, added up. */
typedef struct {
    u32 functions, complexity, length_max, complexity_max, nesting_max, parameters_max;
} Totals;

static void pack_function(Facts *facts, const Definition *row, Text qualname, Totals *totals) {
    Buffer *answer = &facts->job->answer;
    u32 line = line_of(&facts->job->source, row->start), end_line = line_of(&facts->job->source, row->end);
    u32 length = end_line - line + 1;
    pack_map(answer, 7);
    pack_key(answer, "qualname");
    pack_text(answer, qualname);
    pack_key(answer, "line");
    pack_number(answer, line);
    pack_key(answer, "end_line");
    pack_number(answer, end_line);
    pack_key(answer, "length");
    pack_number(answer, length);
    pack_key(answer, "complexity");
    pack_number(answer, row->complexity);
    pack_key(answer, "nesting");
    pack_number(answer, row->nesting);
    pack_key(answer, "parameters");
    pack_number(answer, row->parameters);
    totals->functions++;
    totals->complexity += row->complexity;
    totals->length_max = MAX(totals->length_max, length);
    totals->complexity_max = MAX(totals->complexity_max, row->complexity);
    totals->nesting_max = MAX(totals->nesting_max, row->nesting);
    totals->parameters_max = MAX(totals->parameters_max, row->parameters);
}

static void pack_totals(Buffer *answer, const Totals *totals, u32 lines) {
    pack_map(answer, 7);
    pack_key(answer, "functions");
    pack_number(answer, totals->functions);
    pack_key(answer, "lines");
    pack_number(answer, lines);
    pack_key(answer, "complexity");
    pack_number(answer, totals->complexity);
    pack_key(answer, "length_max");
    pack_number(answer, totals->length_max);
    pack_key(answer, "complexity_max");
    pack_number(answer, totals->complexity_max);
    pack_key(answer, "nesting_max");
    pack_number(answer, totals->nesting_max);
    pack_key(answer, "parameters_max");
    pack_number(answer, totals->parameters_max);
}

enum Status measure_python(Job *job) {
    Facts facts = {.job = job, .wants_definitions = true};
    enum Status status = collect(&facts);
    if (status != DONE)
        return status;
    Text *qualnames = name_definitions(&facts);
    Totals totals = {0};
    pack_map(&job->answer, 2);
    pack_key(&job->answer, "functions");
    u32 beginning = pack_array_begin(&job->answer);
    for (u32 i = 0; i < facts.definition_count; i++)
        if (!facts.definitions[i].is_class)
            pack_function(&facts, &facts.definitions[i], qualnames[i], &totals);
    pack_array_end(&job->answer, beginning, totals.functions);
    pack_key(&job->answer, "totals");
    pack_totals(&job->answer, &totals, count_lines(&job->source));
    return DONE;
}

static const char *const KIND_NAMES[REFERENCE_KINDS] = {"definition", "import", "call", "attribute", "use"};

enum Status find_references_python(Job *job) {
    Facts facts = {.job = job, .names = {job->arguments[0]}};
    if (!job->arguments[0].length)
        return stop(job, BAD_REQUEST, "the name is empty", NOWHERE);
    enum Status status = collect(&facts);
    if (status != DONE)
        return status;
    Buffer *answer = &job->answer;
    u32 totals[REFERENCE_KINDS] = {0};
    pack_map(answer, 2);
    pack_key(answer, "references");
    pack_array(answer, facts.reference_count);
    for (u32 i = 0; i < facts.reference_count; i++) {
        const Reference *row = &facts.references[i];
        Place place = place_of(&job->source, row->span.start);
        pack_map(answer, 3);
        pack_key(answer, "line");
        pack_number(answer, place.line);
        pack_key(answer, "column");
        pack_number(answer, place.column);
        pack_key(answer, "kind");
        pack_word(answer, KIND_NAMES[row->kind]);
        totals[row->kind]++;
    }
    pack_key(answer, "totals");
    pack_map(answer, REFERENCE_KINDS);
    for (u32 kind = 0; kind < REFERENCE_KINDS; kind++) {
        pack_word(answer, KIND_NAMES[kind]);
        pack_number(answer, totals[kind]);
    }
    return DONE;
}

static bool is_among(Text name, const char *const *words, u32 count) {
    for (u32 i = 0; i < count; i++)
        if (text_is(name, words[i]))
            return true;
    return false;
}

/* Words that are identifiers in some places only, and names that mean something to the compiler: what they do to a
 * source is not told by their places. */
static bool is_special(const Job *job, Text name) {
    static const char *const WORDS[] = {"match", "case", "type", "_", "print", "exec", "__debug__", "__class__", "__future__"};
    static const char *const FEATURES[] = {"annotations", "division", "generators", "nested_scopes", "absolute_import",
                                           "with_statement", "print_function", "unicode_literals", "generator_stop"};
    if (is_among(name, WORDS, COUNT_OF(WORDS)))
        return true;
    Text source = {job->source.bytes, job->source.length}, future = {(const u8 *)"__future__", 10};
    return is_among(name, FEATURES, COUNT_OF(FEATURES)) && find_text(source, 0, future) != NOWHERE;
}

/* Arguments: name, its new name, and whether attributes are renamed too. */
enum Status rename_python(Job *job) {
    Text name = job->arguments[0], to = job->arguments[1];
    bool attributes = job->arguments[2].length;
    if (!name.length || !to.length)
        return stop(job, BAD_REQUEST, "a name is empty", NOWHERE);
    if (is_special(job, name) || is_special(job, to))
        return stop(job, UNSURE, "the name is a keyword in some places, or the compiler's", NOWHERE);
    bool is_same = text_equals(name, to);
    Facts facts = {.job = job, .names = {name, is_same ? (Text){0} : to}};
    enum Status status = collect(&facts);
    if (status != DONE)
        return status;
    Splices splices = {0};
    u32 clash = NOWHERE;
    for (u32 i = 0; i < facts.reference_count; i++) {
        const Reference *row = &facts.references[i];
        if (row->is_qualified && !attributes)
            continue;
        if (row->is_second)
            clash = MIN(clash, row->span.start);
        else if (!is_same)
            add_splice(&splices, row->span.start, row->span.end, to);
    }
    /* `def f(a, a)`, `global` after a use: it parses, but Python may not compile it. */
    if (splices.count && clash != NOWHERE)
        return stop(job, UNSURE, "the new name is in use: whether the result compiles is Python's to say", clash);
    return finish_edit(job, &splices, splices.count, "clashes", 0);
}
