/* script_const.c -- `var` and `let` that can be `const` or `let`; the rules are those of
 * engine/agents/code/ecmascript/constness.py. */
#include "edits.h"
#include "script_scopes.h"

static bool is_scope_inside(const ScriptScopes *scopes, u32 scope, u32 other) {
    while (scope != NOWHERE && scope != other)
        scope = scopes->scopes[scope].outer;
    return scope == other;
}

static bool is_captured(const ScriptScopes *scopes, const Variables *row, const NamePlace *place) {
    return scopes->scopes[place->scope].function != scopes->scopes[row->scope].function;
}

/* Is the function around a reference, as seen from the declaration, one that can be called before its place? */
static bool is_hoisted(const ScriptScopes *scopes, const Variables *row, const NamePlace *place) {
    u32 wanted = scopes->scopes[row->scope].function;
    bool found = false;
    for (u32 scope = scopes->scopes[place->scope].function; scope != NOWHERE && scope != wanted;) {
        found = scopes->scopes[scope].is_hoisted;
        u32 outer = scopes->scopes[scope].outer;
        scope = outer == NOWHERE ? NOWHERE : scopes->scopes[outer].function;
    }
    return found;
}

/* A function that stands behind the declaration, or is its value, is not called before it. */
static bool runs_late(const ScriptScopes *scopes, const Variables *row, const Declarator *part, const NamePlace *place) {
    if (place->start >= part->span.end || is_hoisted(scopes, row, place))
        return true;
    return place->start > part->span.start && part->is_function;
}

/* Are all references inside of the block, and none is reached before the declaration? */
static bool may_be_let(const ScriptScopes *scopes, const Variables *row, const Declarator *part, const Binding *binding) {
    u32 end = row->head_end == NOWHERE ? part->span.end : row->head_end;
    for (u32 i = binding->first_reference; i != NOWHERE; i = scopes->places[i].next) {
        const NamePlace *place = &scopes->places[i];
        if (!is_scope_inside(scopes, place->scope, row->scope))
            return false;
        if (!is_captured(scopes, row, place)) {
            if (place->start < end)
                return false;
        } else if (!runs_late(scopes, row, part, place) ||
                   (is_hoisted(scopes, row, place) && scopes->scopes[scopes->scopes[row->scope].function].first_call < end)) {
            return false;
        }
    }
    return true;
}

/* Does a block between the declaration and its function bind the name, too? */
static bool is_hidden(const ScriptScopes *scopes, u32 scope, Text name) {
    for (; scope != NOWHERE && scopes->scopes[scope].function != scope; scope = scopes->scopes[scope].outer)
        if (is_bound_in(scopes, scope, name))
            return true;
    return false;
}

/* Stands it where a `let` may? */
static bool may_stand(const Variables *row) {
    enum Kind parent = row->parent;
    bool is_list = parent == KIND_program || parent == KIND_statement_block;
    return (is_list || parent == KIND_for_statement || parent == KIND_for_in_statement) && !row->is_body;
}

static bool is_ambient(const ScriptScopes *scopes, const Variables *row) {
    for (u32 scope = row->scope; scope != NOWHERE; scope = scopes->scopes[scope].outer)
        if (scopes->scopes[scope].is_shared)
            return true;
    return row->is_ambient;
}

/* What is known of all that a declaration binds. */
typedef struct {
    bool is_once, has_values, binds, is_written, is_captured, may_be_let;
} Bindings;

static void look_at(const ScriptScopes *scopes, const Variables *row, const Declarator *part, const Binding *binding, Bindings *found) {
    found->binds = true;
    found->is_once &= binding->declarations == 1;
    for (u32 i = binding->first_reference; i != NOWHERE; i = scopes->places[i].next) {
        found->is_written |= scopes->places[i].writes;
        found->is_captured |= is_captured(scopes, row, &scopes->places[i]);
    }
    if (row->word == DECLARING_VAR && found->may_be_let)
        found->may_be_let = !text_is(binding->name, "let") && !is_hidden(scopes, row->scope, binding->name) &&
                            may_be_let(scopes, row, part, binding);
}

static Bindings look_at_all(const ScriptScopes *scopes, const Variables *row) {
    Bindings found = {.is_once = true, .has_values = true, .may_be_let = true};
    for (u32 i = row->first; i != NOWHERE; i = scopes->declarators[i].next) {
        const Declarator *part = &scopes->declarators[i];
        found.has_values &= part->has_value;
        for (u32 at = part->first_bound; at != NOWHERE; at = scopes->bounds[at].next)
            look_at(scopes, row, part, &scopes->bindings[scopes->bounds[at].binding], &found);
    }
    return found;
}

/* The word that a declaration may begin with; null if its own must stay. */
static const char *choose(const ScriptScopes *scopes, const Variables *row) {
    Bindings found = look_at_all(scopes, row);
    bool is_head = row->head_end != NOWHERE;
    found.has_values |= is_head;
    if (!found.is_once)
        return NULL;
    if (row->word == DECLARING_VAR) {
        bool is_anew = is_head || row->parent == KIND_for_statement;
        if (!found.may_be_let || !may_stand(row) || (row->in_loop && !found.has_values) || ((row->in_loop || is_anew) && found.is_captured))
            return NULL;
    }
    return found.has_values && found.binds && !found.is_written ? "const" : "let";
}

enum Status use_const_script(Job *job) {
    static const Text CONST = {(const u8 *)"const", 5}, LET = {(const u8 *)"let", 3};
    ScriptScopes scopes = begin_scopes();
    ScriptFacts facts = {.base = {.job = job}, .scopes = &scopes};
    enum Status status = collect_script(&facts);
    if (status != DONE)
        return status;
    Splices splices = {0};
    u32 to_const = 0, to_let = 0, kept = 0;
    for (u32 i = 0; i < scopes.variables_count; i++) {
        const Variables *row = &scopes.variables[i];
        if (row->word == DECLARING_OTHER)
            continue;
        bool is_shared = scopes.scopes[row->scope].function == 0 && !scopes.is_module;
        const char *to = is_shared || scopes.is_dark || is_ambient(&scopes, row) ? NULL : choose(&scopes, row);
        bool is_const = to && *to == 'c';
        if (!to || (!is_const && row->word == DECLARING_LET)) {
            kept += row->word == DECLARING_VAR;
            continue;
        }
        to_const += is_const;
        to_let += !is_const;
        add_splice(&splices, row->start, row->start + 3, is_const ? CONST : LET);
    }
    const Note notes[] = {{"to_const", to_const}, {"to_let", to_let}, {"kept", kept}};
    return finish_edit_with(job, &splices, splices.count, notes, COUNT_OF(notes));
}
