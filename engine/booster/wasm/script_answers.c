/* script_answers.c -- the outline, metrics, references and renaming of scripts, made of facts. */
#include <string.h>

#include "answers.h"
#include "arena.h"
#include "edits.h"
#include "script_facts.h"

enum Status collect_script(ScriptFacts *facts) {
    return facts->base.job->tier == TIER_TREE ? collect_script_by_tree(facts) : collect_script_by_tokens(facts);
}

static const char *name_kind(const ScriptDefinition *row) {
    switch (row->kind) {
    case SCRIPT_CLASS: return "class";
    case SCRIPT_FUNCTION: return row->is_async ? "async function" : "function";
    case SCRIPT_METHOD: return row->is_async ? "async method" : "method";
    case SCRIPT_INTERFACE: return "interface";
    case SCRIPT_TYPE: return "type";
    case SCRIPT_ENUM: return "enum";
    default: return "namespace";
    }
}

static bool is_function(const ScriptDefinition *row) {
    return row->kind == SCRIPT_FUNCTION || row->kind == SCRIPT_METHOD;
}

/* The comment that ends last before a place, or null. */
static const Span *find_comment(const ScriptFacts *facts, u32 before) {
    u32 low = 0, high = facts->comment_count;
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        if (facts->comments[middle].end <= before)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &facts->comments[low - 1] : NULL;
}

/* Does a comment that begins with two stars stand directly before it? */
static bool has_docstring(const ScriptFacts *facts, const ScriptDefinition *row) {
    const Span *comment = row->head == NOWHERE ? NULL : find_comment(facts, row->head);
    if (!comment)
        return false;
    const u8 *bytes = facts->base.job->source.bytes;
    if (comment->end - comment->start < 5 || memcmp(bytes + comment->start, "/**", 3))
        return false;
    u32 at = comment->end;
    while (at < row->head && bytes[at] && strchr(" \t\r\n\f\v", bytes[at]))
        at++;
    return at == row->head;
}

enum Status outline_script(Job *job) {
    ScriptFacts facts = {.base = {.job = job, .wants_definitions = true}};
    enum Status status = collect_script(&facts);
    if (status != DONE)
        return status;
    u32 functions = 0, classes = 0;
    begin_outline(job, facts.definition_count);
    for (u32 i = 0; i < facts.definition_count; i++) {
        const ScriptDefinition *row = &facts.definitions[i];
        OutlineRow outlined = {
            .kind = name_kind(row),
            .name = row->name,
            .qualname = row->qualname,
            .start = row->start,
            .end = row->end,
            .parameters = is_function(row) ? row->parameters : NOWHERE,
            .decorators = facts.base.decorators + row->first_decorator,
            .decorator_count = row->decorator_count,
            .has_docstring = has_docstring(&facts, row),
        };
        pack_outline_row(job, &outlined);
        functions += is_function(row);
        classes += row->kind == SCRIPT_CLASS;
    }
    end_outline(job, functions, classes);
    return DONE;
}

enum Status measure_script(Job *job) {
    ScriptFacts facts = {.base = {.job = job, .wants_definitions = true}};
    enum Status status = collect_script(&facts);
    if (status != DONE)
        return status;
    Metrics metrics = begin_metrics(job);
    for (u32 i = 0; i < facts.definition_count; i++) {
        const ScriptDefinition *row = &facts.definitions[i];
        if (!is_function(row) || !row->has_body)
            continue;
        Figures figures = {row->qualname, row->start, row->end, row->complexity, row->nesting, row->parameters};
        pack_figures(&metrics, &figures);
    }
    end_metrics(&metrics);
    return DONE;
}

enum Status find_references_script(Job *job) {
    if (!job->arguments[0].length)
        return stop(job, BAD_REQUEST, "the name is empty", NOWHERE);
    ScriptFacts facts = {.base = {.job = job, .names = {job->arguments[0]}}};
    enum Status status = collect_script(&facts);
    if (status != DONE)
        return status;
    pack_references(job, facts.base.references, facts.base.reference_count);
    return DONE;
}

/* Words that are identifiers in some places only: what they do to a source is not told by their places. */
static bool is_special(Text name) {
    static const char *const WORDS[] = {
        "abstract", "accessor", "any", "as", "asserts", "async", "await", "boolean", "constructor", "declare", "from", "get", "global",
        "infer", "is", "keyof", "let", "module", "namespace", "never", "number", "object", "of", "readonly", "require", "satisfies",
        "set", "static", "string", "symbol", "type", "undefined", "unique", "unknown", "using", "yield",
    };
    for (u32 i = 0; i < COUNT_OF(WORDS); i++)
        if (text_is(name, WORDS[i]))
            return true;
    return false;
}

/* The new text of a reference: what is short for two names is written out. */
static Text spell(enum Shorthand shorthand, Text name, Text to) {
    if (shorthand == SHORT_NONE)
        return to;
    Buffer text = {0};
    Text first = shorthand == SHORT_EXPORT ? to : name, second = shorthand == SHORT_EXPORT ? name : to;
    buffer_add(&text, first.bytes, first.length);
    if (shorthand == SHORT_PROPERTY)
        buffer_add(&text, ": ", 2);
    else
        buffer_add(&text, " as ", 4);
    buffer_add(&text, second.bytes, second.length);
    return (Text){text.bytes, text.length};
}

/* Arguments: name, its new name, and whether attributes are renamed too. */
enum Status rename_script(Job *job) {
    Text name = job->arguments[0], to = job->arguments[1];
    bool attributes = job->arguments[2].length;
    if (!name.length || !to.length)
        return stop(job, BAD_REQUEST, "a name is empty", NOWHERE);
    if (is_special(name) || is_special(to))
        return stop(job, UNSURE, "the name is a keyword in some places", NOWHERE);
    bool is_same = text_equals(name, to);
    ScriptFacts facts = {.base = {.job = job, .names = {name, is_same ? (Text){0} : to}}};
    enum Status status = collect_script(&facts);
    if (status != DONE)
        return status;
    Splices splices = {0};
    u32 clash = NOWHERE;
    for (u32 i = 0; i < facts.base.reference_count; i++) {
        const Reference *row = &facts.base.references[i];
        if (row->is_qualified && !attributes)
            continue;
        if (row->is_second)
            clash = MIN(clash, row->span.start);
        else if (!is_same)
            add_splice(&splices, row->span.start, row->span.end, attributes ? to : spell((enum Shorthand)row->shorthand, name, to));
    }
    if (splices.count && clash != NOWHERE)
        return stop(job, UNSURE, "the new name is in use: whether it is declared twice is not told by the tree", clash);
    return finish_edit(job, &splices, splices.count, "clashes", 0);
}
