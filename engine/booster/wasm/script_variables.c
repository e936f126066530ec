/* script_variables.c -- the variables of a script while its tokens are read; see script_variables.h. */
#include "script_scan.h"

#include "arena.h"
#include "script_names.h"

VariableMark mark_variables(const VariableNotes *notes) {
    if (!notes)
        return (VariableMark){0};
    return (VariableMark){notes->scope_count, notes->row_count, notes->declarator_count, notes->call_count};
}

void undo_variables(VariableNotes *notes, VariableMark mark) {
    if (!notes)
        return;
    notes->scope_count = mark.scopes;
    notes->row_count = mark.rows;
    notes->declarator_count = mark.declarators;
    notes->call_count = mark.calls;
}

/* ---- while the tokens are read */

static Opened open_as(ScriptScan *scan, ScopeNote note) {
    VariableNotes *notes = scan->variables;
    Opened opened = {NOWHERE, scan->context.scope, scan->context.in_loop};
    if (!notes)
        return opened;
    note.outer = opened.outer;
    opened.number = scan->context.scope = notes->scope_count;
    scan->context.in_loop &= note.kind == SCOPE_BLOCK;
    notes->scopes = facts_grow(notes->scopes, notes->scope_count, &notes->scope_room, sizeof note);
    notes->scopes[notes->scope_count++] = note;
    return opened;
}

Opened open_scope(ScriptScan *scan, enum ScopeKind kind, u32 start) {
    return open_as(scan, (ScopeNote){.kind = kind, .start = start});
}

Opened open_declared(ScriptScan *scan, Text name) {
    return open_as(scan, (ScopeNote){.kind = SCOPE_DECLARED, .start = scan->tokens.start, .name = name});
}

void close_scope(ScriptScan *scan, Opened opened) {
    if (opened.number == NOWHERE)
        return;
    scan->variables->scopes[opened.number].end = scan->tokens.last_end;
    scan->context.scope = opened.outer;
    scan->context.in_loop = opened.in_loop;
}

u32 count_scopes(const ScriptScan *scan) {
    return scan->variables ? scan->variables->scope_count : 0;
}

void bind_last(ScriptScan *scan, u32 bound) {
    const Facts *facts = &scan->facts->base;
    if (!scan->variables || has_failed(scan))
        return;
    Reference *last = facts->references + facts->reference_count - 1;
    if (facts->reference_count && last->span.end == scan->tokens.last_end)
        last->bound = bound;
    else
        doubt(scan); /* `undefined`, which is a name to the tree in some places */
}

u32 note_variables(ScriptScan *scan, enum Kind parent) {
    VariableNotes *notes = scan->variables;
    if (!notes)
        return NOWHERE;
    Variables row = {
        .start = scan->tokens.start,
        .scope = scan->context.scope,
        .head_end = NOWHERE,
        .first = NOWHERE,
        .last = NOWHERE,
        .word = is_word(scan, WORD_var) ? DECLARING_VAR : is_word(scan, WORD_let) ? DECLARING_LET : DECLARING_OTHER,
        .parent = parent,
        .in_loop = scan->context.in_loop,
        .is_ambient = parent == KIND_ambient_declaration,
    };
    notes->rows = facts_grow(notes->rows, notes->row_count, &notes->row_room, sizeof row);
    notes->rows[notes->row_count] = row;
    return notes->row_count++;
}

void note_each(ScriptScan *scan, u32 variables) {
    if (variables == NOWHERE)
        return;
    scan->variables->rows[variables].parent = KIND_for_in_statement;
    scan->variables->rows[variables].head_end = scan->tokens.last_end;
}

u32 note_declarator(ScriptScan *scan, u32 variables) {
    VariableNotes *notes = scan->variables;
    if (!notes)
        return NOWHERE;
    DeclaratorNote note = {.row = {.span = {scan->tokens.start, 0}, .first_bound = NOWHERE, .next = NOWHERE}, .variables = variables};
    notes->declarators = facts_grow(notes->declarators, notes->declarator_count, &notes->declarator_room, sizeof note);
    notes->declarators[notes->declarator_count] = note;
    scan->context.bound = BOUND_BY + notes->declarator_count;
    return notes->declarator_count++;
}

/* Is the value a function and nothing else? Then its scope was the first to begin, and goes to the end. */
static bool is_function_value(const ScriptScan *scan, u32 scope, u32 start) {
    const VariableNotes *notes = scan->variables;
    if (scope >= notes->scope_count)
        return false;
    const ScopeNote *note = &notes->scopes[scope];
    return note->kind == SCOPE_VALUE && note->start == start && note->end == scan->tokens.last_end;
}

void end_declarator(ScriptScan *scan, u32 declarator, Assigned value) {
    if (declarator == NOWHERE || has_failed(scan))
        return;
    Declarator *row = &scan->variables->declarators[declarator].row;
    row->span.end = scan->tokens.last_end;
    row->has_value = value.start != NOWHERE;
    row->is_function = row->has_value && is_function_value(scan, value.scope, value.start);
}

void note_call(ScriptScan *scan, u32 start, bool is_require) {
    VariableNotes *notes = scan->variables;
    if (!notes)
        return;
    notes->calls = facts_grow(notes->calls, notes->call_count, &notes->call_room, sizeof(CallNote));
    notes->calls[notes->call_count++] = (CallNote){start, scan->context.scope, is_require};
}

/* ---- at the end */

static void fill_scope(ScriptScopes *scopes, const ScopeNote *note) {
    bool is_function = note->kind != SCOPE_BLOCK;
    u32 number = add_scope(scopes, note->outer, is_function);
    Scope *row = &scopes->scopes[number];
    row->is_shared = note->kind == SCOPE_SHARED;
    row->is_hoisted = note->kind == SCOPE_DECLARED;
    if (!note->name.length)
        return;
    const Scope *around = &scopes->scopes[note->outer];
    if (around->function != note->outer && around->outer != NOWHERE)
        add_block_function(scopes, note->name, around->outer);
}

static Binder find_binder(const ScriptScopes *scopes, const VariableNotes *notes, const Reference *name) {
    if (name->bound < BOUND_BY)
        return (Binder){name->scope, NOWHERE, name->bound == BOUND_ALONE};
    u32 declarator = name->bound - BOUND_BY;
    bool is_var = notes->rows[notes->declarators[declarator].variables].word == DECLARING_VAR;
    return (Binder){is_var ? scopes->scopes[name->scope].function : name->scope, declarator, !is_var};
}

static void fill_name(ScriptScan *scan, ScriptScopes *scopes, const Reference *row) {
    if (row->is_qualified || row->kind == REFERENCE_ATTRIBUTE)
        return;
    Text name = text_at(&scan->facts->base.job->source, row->span);
    scopes->is_dark |= text_is(name, "eval");
    scopes->is_module |= text_is(name, "require") || text_is(name, "module") || text_is(name, "exports");
    if (text_is(name, "module") || text_is(name, "exports"))
        scopes->exports_at = MIN(scopes->exports_at, row->span.start);
    if (row->bound)
        bind_name(scopes, name, find_binder(scopes, scan->variables, row));
    else if (row->kind != REFERENCE_IMPORT)
        add_name_place(scopes, name, row->span.start, row->scope, row->kind == REFERENCE_DEFINITION);
}

void fill_scopes(ScriptScan *scan) {
    const VariableNotes *notes = scan->variables;
    ScriptScopes *scopes = scan->facts->scopes;
    const Facts *facts = &scan->facts->base;
    scopes->is_module |= notes->is_module;
    scopes->is_dark |= notes->is_dark;
    for (u32 i = 0; i < notes->scope_count; i++)
        fill_scope(scopes, &notes->scopes[i]);
    for (u32 i = 0; i < notes->row_count; i++)
        add_variables(scopes, notes->rows[i]);
    for (u32 i = 0; i < notes->declarator_count; i++)
        add_declarator(scopes, notes->declarators[i].variables, notes->declarators[i].row);
    for (u32 i = 0; i < facts->reference_count; i++)
        fill_name(scan, scopes, &facts->references[i]);
    for (u32 i = 0; i < notes->call_count; i++)
        (notes->calls[i].is_require ? add_require : add_call)(scopes, notes->calls[i].start, notes->calls[i].scope);
    settle_scopes(scopes);
}
