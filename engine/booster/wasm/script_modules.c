/* script_modules.c -- imports and exports. */
#include "script_scan.h"

/* `with { type: "json" }` is known to some grammars only. */
static void end_import(ScriptScan *scan) {
    if (is_word(scan, WORD_with) || is_word(scan, WORD_assert))
        doubt(scan);
    end_statement(scan);
}

/* `type` as the first word of an import or export, or of a name in one. */
static void skip_type(ScriptScan *scan) {
    if (!is_word(scan, WORD_type) || !scan->has_types)
        return;
    ScriptTokens following = peek(scan);
    bool is_name = following.kind == LEX_NAME && following.word != WORD_as && following.word != WORD_from;
    if (is_name || following.kind == LEX_OPEN_BRACE || following.kind == LEX_STAR)
        next(scan);
    else
        doubt(scan);
}

static void set_reference(ScriptScan *scan, u32 reference, enum ReferenceKind kind, bool is_qualified) {
    if (!reference)
        return;
    Reference *row = &scan->facts->base.references[reference - 1];
    row->kind = kind;
    row->is_qualified = is_qualified;
    row->shorthand = SHORT_NONE;
}

/* A string may stand for a name; that is rare. */
static void check_name(ScriptScan *scan) {
    if (now(scan) != LEX_NAME)
        doubt(scan);
}

static void take_imported(ScriptScan *scan) {
    take_word(scan, REFERENCE_IMPORT, false);
    bind_last(scan, BOUND_ALONE);
}

static void parse_import_name(ScriptScan *scan) {
    skip_type(scan);
    check_name(scan);
    bool needs_alias = is_reserved(scan->tokens.word);
    u32 reference = note_word(scan, REFERENCE_IMPORT, false, SHORT_IMPORT);
    next(scan);
    if (accept_word(scan, WORD_as)) {
        set_reference(scan, reference, REFERENCE_IMPORT, true);
        take_imported(scan);
    } else if (needs_alias)
        fail(scan);
    else
        bind_last(scan, BOUND_ALONE);
}

static void parse_names(ScriptScan *scan, void (*parse)(ScriptScan *scan)) {
    next(scan);
    while (now(scan) != LEX_CLOSE_BRACE && !has_failed(scan)) {
        parse(scan);
        if (now(scan) != LEX_CLOSE_BRACE)
            expect(scan, LEX_COMMA);
    }
    next(scan);
}

/* `import name = require("...")`, `import name = a.b` */
static void parse_import_equals(ScriptScan *scan) {
    next(scan);
    if (!is_word(scan, WORD_require))
        parse_entity_name(scan, REFERENCE_USE);
    else {
        next(scan);
        expect(scan, LEX_OPEN_PAREN);
        expect(scan, LEX_STRING);
        expect(scan, LEX_CLOSE_PAREN);
    }
    end_statement(scan);
}

static void parse_import_names(ScriptScan *scan) {
    if (accept(scan, LEX_STAR)) {
        expect_word(scan, WORD_as);
        take_imported(scan);
    } else if (now(scan) == LEX_OPEN_BRACE)
        parse_names(scan, parse_import_name);
    else
        fail(scan);
}

/* At the top it makes a module of the file, whose variables are its own. */
static void note_module(ScriptScan *scan) {
    if (scan->variables && scan->depth == 1)
        scan->variables->is_module = true;
}

void parse_import(ScriptScan *scan) {
    note_module(scan);
    next(scan);
    if (accept(scan, LEX_STRING)) {
        end_import(scan);
        return;
    }
    if (is_word(scan, WORD_typeof) || is_word(scan, WORD_defer) || is_word(scan, WORD_source))
        doubt(scan);
    skip_type(scan);
    bool has_default = now(scan) == LEX_NAME;
    if (has_default) {
        take_imported(scan);
        if (now(scan) == LEX_EQUAL && scan->has_types) {
            bind_last(scan, BOUND_HERE);
            parse_import_equals(scan);
            return;
        }
    }
    if (!has_default || accept(scan, LEX_COMMA))
        parse_import_names(scan);
    expect_word(scan, WORD_from);
    expect(scan, LEX_STRING);
    end_import(scan);
}

/* --- exports --- */

static void parse_export_name(ScriptScan *scan) {
    skip_type(scan);
    check_name(scan);
    u32 reference = note_word(scan, REFERENCE_USE, false, SHORT_EXPORT);
    next(scan);
    if (!is_word(scan, WORD_as))
        return;
    set_reference(scan, reference, REFERENCE_USE, false);
    next(scan);
    check_name(scan);
    take_member(scan);
}

/* Behind `export`: names in braces, of this module or of another. */
static void parse_export_names(ScriptScan *scan) {
    Facts *facts = &scan->facts->base;
    u32 references = facts->reference_count;
    parse_names(scan, parse_export_name);
    if (accept_word(scan, WORD_from)) {
        for (u32 i = references; i < facts->reference_count; i++)
            if (facts->references[i].kind == REFERENCE_USE) {
                facts->references[i].kind = REFERENCE_IMPORT;
                facts->references[i].is_qualified = true;
            }
        expect(scan, LEX_STRING);
    }
    end_import(scan);
}

static void parse_export_all(ScriptScan *scan) {
    next(scan);
    if (accept_word(scan, WORD_as)) {
        check_name(scan);
        take_member(scan);
    }
    expect_word(scan, WORD_from);
    expect(scan, LEX_STRING);
    end_import(scan);
}

static void parse_export_default(ScriptScan *scan, u32 head, Decorators decorators) {
    next(scan);
    scan->place.inner = scan->tokens.start;
    Origin origin = {.start = NOWHERE, .head = head, .is_default = true, .stand = STAND_DECLARATION};
    ScriptTokens following = peek(scan);
    bool is_function = is_word(scan, WORD_function) || (is_word(scan, WORD_async) && following.word == WORD_function && !following.newline);
    bool is_class = is_word(scan, WORD_class) || (is_word(scan, WORD_abstract) && following.word == WORD_class);
    if (now(scan) == LEX_AT || (is_word(scan, WORD_interface) && following.kind == LEX_NAME))
        doubt(scan);
    if (decorators.count && !is_class)
        fail(scan);
    if (is_function)
        parse_function(scan, &origin, true);
    else if (is_class)
        parse_class(scan, &origin, decorators);
    else {
        scan->origin = origin;
        parse_assignment(scan);
        end_statement(scan);
        return;
    }
    if (scan->facts->structure && now(scan) == LEX_SEMICOLON)
        doubt(scan); /* whether it belongs to the export */
    /* What goes on with a function or class makes it a value. */
    if (now(scan) != LEX_SEMICOLON && now(scan) != LEX_END && now(scan) != LEX_CLOSE_BRACE && (!scan->tokens.newline || !may_end_here(scan)))
        doubt(scan);
}

/* `export = value`, `export as namespace name` */
static bool parse_typed_export(ScriptScan *scan) {
    if (accept(scan, LEX_EQUAL)) {
        if (scan->facts->structure && begins_function(scan))
            doubt(scan);
        parse_expression(scan);
    } else if (accept_word(scan, WORD_as)) {
        expect_word(scan, WORD_namespace);
        take_word(scan, REFERENCE_ATTRIBUTE, true);
    } else
        return false;
    end_statement(scan);
    return true;
}

/* Does the word at hand begin a declaration, and no expression? */
static bool is_declaration_after(ScriptScan *scan) {
    ScriptTokens following = peek(scan);
    if (following.newline)
        return false;
    switch (scan->tokens.word) {
    case WORD_const: case WORD_var: case WORD_let:
        return following.kind == LEX_NAME || following.kind == LEX_OPEN_BRACE || following.kind == LEX_OPEN_BRACKET;
    case WORD_function:
        return following.kind == LEX_NAME || following.kind == LEX_STAR;
    case WORD_async:
        return following.word == WORD_function;
    case WORD_module: case WORD_declare:
        return following.kind == LEX_NAME || following.kind == LEX_STRING;
    default:
        return following.kind == LEX_NAME;
    }
}

static void parse_exported(ScriptScan *scan, u32 head, Decorators decorators) {
    Origin origin = {.start = NOWHERE, .head = head};
    scan->place.inner = scan->tokens.start;
    if (is_word(scan, WORD_class) || is_word(scan, WORD_abstract)) {
        parse_class(scan, &origin, decorators);
        return;
    }
    if (decorators.count)
        fail(scan);
    switch (scan->tokens.word) {
    case WORD_function: case WORD_async: case WORD_const: case WORD_var: case WORD_let:
        break;
    case WORD_interface: case WORD_type: case WORD_enum: case WORD_namespace: case WORD_module: case WORD_declare: case WORD_import:
        if (!scan->has_types)
            fail(scan);
        break;
    default:
        doubt(scan);
    }
    if (!is_declaration_after(scan))
        doubt(scan);
    scan->list = KIND_export_statement;
    parse_statement(scan, head);
}

void parse_export(ScriptScan *scan, Decorators decorators) {
    u32 head = decorators.count ? decorators.start : scan->tokens.start;
    next(scan);
    bool is_plain = !decorators.count;
    if (!is_word(scan, WORD_as) || !scan->has_types)
        note_module(scan);
    if (is_word(scan, WORD_type) && scan->has_types && is_plain) {
        ScriptTokens following = peek(scan);
        if (following.kind == LEX_OPEN_BRACE || following.kind == LEX_STAR)
            next(scan);
    }
    if (is_word(scan, WORD_default))
        parse_export_default(scan, head, decorators);
    else if (now(scan) == LEX_STAR && is_plain)
        parse_export_all(scan);
    else if (now(scan) == LEX_OPEN_BRACE && is_plain)
        parse_export_names(scan);
    else if (!scan->has_types || !parse_typed_export(scan)) {
        if (now(scan) == LEX_AT)
            doubt(scan);
        parse_exported(scan, head, decorators);
    }
}
