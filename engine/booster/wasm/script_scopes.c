/* script_scopes.c -- see script_scopes.h; the tables of scopes, variables and names. */
#include "script_scopes.h"

#include <string.h>

#include "arena.h"
#include "script_names.h"

enum { HEADS_MIN = 256 };

static u32 hash(u32 scope, Text name) {
    u32 found = 2166136261u ^ scope * 2654435761u;
    for (u32 i = 0; i < name.length; i++)
        found = (found ^ name.bytes[i]) * 16777619u;
    return found;
}

static void chain(ScriptScopes *scopes, u32 number) {
    Binding *row = &scopes->bindings[number];
    u32 *head = &scopes->heads[hash(row->scope, row->name) & (scopes->head_count - 1)];
    row->chained = *head;
    *head = number;
}

static void make_heads(ScriptScopes *scopes, u32 count) {
    scopes->heads = arena_malloc(count * sizeof(u32));
    scopes->head_count = count;
    memset(scopes->heads, 0xff, count * sizeof(u32));
    for (u32 i = 0; i < scopes->binding_count; i++)
        chain(scopes, i);
}

ScriptScopes begin_scopes(void) {
    ScriptScopes scopes = {.exports_at = NOWHERE};
    make_heads(&scopes, HEADS_MIN);
    return scopes;
}

static u32 find_in_scope(const ScriptScopes *scopes, u32 scope, Text name) {
    u32 at = scopes->heads[hash(scope, name) & (scopes->head_count - 1)];
    while (at != NOWHERE && (scopes->bindings[at].scope != scope || !text_equals(scopes->bindings[at].name, name)))
        at = scopes->bindings[at].chained;
    return at;
}

u32 find_binding(const ScriptScopes *scopes, u32 scope, Text name) {
    for (; scope != NOWHERE; scope = scopes->scopes[scope].outer) {
        u32 found = find_in_scope(scopes, scope, name);
        if (found != NOWHERE)
            return found;
    }
    return NOWHERE;
}

bool is_bound_in(const ScriptScopes *scopes, u32 scope, Text name) {
    return find_in_scope(scopes, scope, name) != NOWHERE;
}

u32 add_scope(ScriptScopes *scopes, u32 outer, bool is_function) {
    u32 number = scopes->scope_count;
    scopes->scopes = facts_grow(scopes->scopes, number, &scopes->scope_room, sizeof(Scope));
    scopes->scopes[number] = (Scope){.outer = outer, .function = number, .first_call = NOWHERE};
    if (!is_function)
        scopes->scopes[number].function = scopes->scopes[outer].function;
    scopes->scope_count++;
    return number;
}

void bind_name(ScriptScopes *scopes, Text name, Binder binder) {
    u32 number = find_in_scope(scopes, binder.scope, name);
    if (number == NOWHERE) {
        number = scopes->binding_count;
        scopes->bindings = facts_grow(scopes->bindings, number, &scopes->binding_room, sizeof(Binding));
        scopes->bindings[number] = (Binding){.name = name, .scope = binder.scope, .first_reference = NOWHERE};
        scopes->binding_count++;
        if (scopes->binding_count > scopes->head_count)
            make_heads(scopes, scopes->head_count * 4);
        else
            chain(scopes, number);
    }
    Binding *row = &scopes->bindings[number];
    if (row->declarations && (row->is_single || binder.is_single)) /* all so far, where it only now turns out to be single */
        scopes->twice += row->is_single ? 1 : row->declarations;
    row->declarations++;
    row->is_single = row->is_single || binder.is_single;
    if (binder.declarator == NOWHERE)
        return;
    scopes->bounds = facts_grow(scopes->bounds, scopes->bound_count, &scopes->bound_room, sizeof(Bound));
    u32 *first = &scopes->declarators[binder.declarator].first_bound;
    scopes->bounds[scopes->bound_count] = (Bound){number, *first};
    *first = scopes->bound_count++;
}

void add_name_place(ScriptScopes *scopes, Text name, u32 start, u32 scope, bool writes) {
    scopes->places = facts_grow(scopes->places, scopes->place_count, &scopes->place_room, sizeof(NamePlace));
    scopes->places[scopes->place_count++] = (NamePlace){name, start, scope, NOWHERE, writes};
}

void add_variables(ScriptScopes *scopes, Variables variables) {
    scopes->variables = facts_grow(scopes->variables, scopes->variables_count, &scopes->variables_room, sizeof variables);
    scopes->variables[scopes->variables_count++] = variables;
}

u32 add_declarator(ScriptScopes *scopes, u32 variables, Declarator declarator) {
    u32 number = scopes->declarator_count;
    scopes->declarators = facts_grow(scopes->declarators, number, &scopes->declarator_room, sizeof declarator);
    scopes->declarators[number] = declarator;
    scopes->declarator_count++;
    Variables *row = &scopes->variables[variables];
    if (row->last == NOWHERE)
        row->first = number;
    else
        scopes->declarators[row->last].next = number;
    row->last = number;
    return number;
}

void add_call(ScriptScopes *scopes, u32 start, u32 scope) {
    Scope *function = &scopes->scopes[scopes->scopes[scope].function];
    function->first_call = MIN(function->first_call, start);
}

void add_require(ScriptScopes *scopes, u32 start, u32 scope) {
    scopes->requires = facts_grow(scopes->requires, scopes->require_count, &scopes->require_room, sizeof(Waiting));
    scopes->requires[scopes->require_count++] = (Waiting){.start = start, .scope = scope};
}

void add_block_function(ScriptScopes *scopes, Text name, u32 outer) {
    scopes->block_functions = facts_grow(scopes->block_functions, scopes->block_function_count, &scopes->block_function_room, sizeof(Waiting));
    scopes->block_functions[scopes->block_function_count++] = (Waiting){.name = name, .scope = outer};
}

void settle_scopes(ScriptScopes *scopes) {
    for (u32 i = 0; i < scopes->require_count; i++)
        if (scopes->requires[i].start > scopes->exports_at)
            add_call(scopes, scopes->requires[i].start, scopes->requires[i].scope);
    /* Where the code is not strict, a function of a block is also written to the variable around it. */
    for (u32 i = 0; i < scopes->block_function_count; i++) {
        u32 hidden = find_binding(scopes, scopes->block_functions[i].scope, scopes->block_functions[i].name);
        if (hidden != NOWHERE)
            scopes->bindings[hidden].declarations++;
    }
    for (u32 i = 0; i < scopes->place_count; i++) {
        NamePlace *place = &scopes->places[i];
        u32 binding = find_binding(scopes, place->scope, place->name);
        if (binding == NOWHERE)
            continue;
        place->next = scopes->bindings[binding].first_reference;
        scopes->bindings[binding].first_reference = i;
    }
}
