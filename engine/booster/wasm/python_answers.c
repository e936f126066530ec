/* python_answers.c -- the outline, metrics, references and renaming of Python, made of facts. */
#include "answers.h"
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

enum Status outline_python(Job *job) {
    Facts facts = {.job = job, .wants_definitions = true};
    enum Status status = collect(&facts);
    if (status != DONE)
        return status;
    Text *qualnames = name_definitions(&facts);
    u32 classes = 0;
    begin_outline(job, facts.definition_count);
    for (u32 i = 0; i < facts.definition_count; i++) {
        const Definition *row = &facts.definitions[i];
        OutlineRow outlined = {
            .kind = name_kind(&facts, row),
            .name = text_at(&job->source, row->name),
            .qualname = qualnames[i],
            .start = row->start,
            .end = row->end,
            .parameters = row->is_class ? NOWHERE : row->parameters,
            .decorators = facts.decorators + row->first_decorator,
            .decorator_count = row->decorator_count,
            .has_docstring = row->has_docstring,
        };
        pack_outline_row(job, &outlined);
        classes += row->is_class;
    }
    end_outline(job, facts.definition_count - classes, classes);
    return DONE;
}

enum Status measure_python(Job *job) {
    Facts facts = {.job = job, .wants_definitions = true};
    enum Status status = collect(&facts);
    if (status != DONE)
        return status;
    Text *qualnames = name_definitions(&facts);
    Metrics metrics = begin_metrics(job);
    for (u32 i = 0; i < facts.definition_count; i++) {
        const Definition *row = &facts.definitions[i];
        if (row->is_class)
            continue;
        Figures figures = {qualnames[i], row->start, row->end, row->complexity, row->nesting, row->parameters};
        pack_figures(&metrics, &figures);
    }
    end_metrics(&metrics);
    return DONE;
}

enum Status find_references_python(Job *job) {
    Facts facts = {.job = job, .names = {job->arguments[0]}};
    if (!job->arguments[0].length)
        return stop(job, BAD_REQUEST, "the name is empty", NOWHERE);
    enum Status status = collect(&facts);
    if (status != DONE)
        return status;
    pack_references(job, facts.references, facts.reference_count);
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
