/* script_notes.c -- the definitions of a script and the figures of its functions, while its tokens are read. */
#include "script_scan.h"

static const Origin NOTHING = NO_ORIGIN;

Origin take_origin(ScriptScan *scan) {
    Origin origin = scan->origin;
    scan->origin = NOTHING;
    return origin;
}

Text choose_name(const Origin *origin, Text own) {
    static const Text DEFAULT = {(const u8 *)"default", 7};
    if (origin->has_name)
        return origin->name;
    return own.length || !origin->is_default ? own : DEFAULT;
}

/* `[a.b]` of a key that is computed; the blanks in the brackets are left out. */
static Text spell_computed(const ScriptScan *scan, Span key) {
    Buffer text = {0};
    buffer_reserve(&text, key.end - key.start + 2);
    buffer_add(&text, "[", 1);
    buffer_add(&text, scan->tokens.bytes + key.start, key.end - key.start);
    buffer_add(&text, "]", 1);
    return (Text){text.bytes, text.length};
}

static Key parse_computed_key(ScriptScan *scan) {
    next(scan);
    Context around = enclose(scan);
    u32 start = scan->tokens.start, references = scan->facts->base.reference_count;
    parse_assignment(scan);
    release_names_since(scan, references); /* whatever becomes of the object around */
    scan->context = around;
    Span span = {start, scan->tokens.last_end};
    expect(scan, LEX_CLOSE_BRACKET);
    bool is_asked = scan->facts->base.wants_definitions && !has_failed(scan);
    return (Key){.name = is_asked ? spell_computed(scan, span) : (Text){0}};
}

Key parse_key(ScriptScan *scan) {
    Text text = token_text(scan);
    enum ScriptToken kind = now(scan);
    if (kind == LEX_OPEN_BRACKET)
        return parse_computed_key(scan);
    if (kind == LEX_STRING || kind == LEX_NUMBER) {
        bool is_quoted = kind == LEX_STRING && text.length > 1;
        next(scan);
        return (Key){.name = is_quoted ? (Text){text.bytes + 1, text.length - 2} : text};
    }
    bool is_name = kind == LEX_NAME && !is_reserved(scan->tokens.word);
    u32 reference = take_member(scan);
    return (Key){text, reference, is_name};
}

static Text join(Text outer, Text name) {
    Buffer joined = {0};
    buffer_reserve(&joined, outer.length + 1 + name.length);
    buffer_add(&joined, outer.bytes, outer.length);
    buffer_add(&joined, ".", 1);
    buffer_add(&joined, name.bytes, name.length);
    return (Text){joined.bytes, joined.length};
}

static bool is_function(const ScriptDefinition *row) {
    return row->kind == SCRIPT_FUNCTION || row->kind == SCRIPT_METHOD;
}

Around enter_definition(ScriptScan *scan, ScriptDefinition row) {
    ScriptFacts *facts = scan->facts;
    Around around = {NOWHERE, scan->owner, scan->counted, scan->nesting};
    if (row.kind == SCRIPT_CLASS) {
        scan->counted = NOWHERE;
        scan->nesting = 0;
    }
    if (!facts->base.wants_definitions || !row.name.length || has_failed(scan))
        return around;
    row.complexity = 1;
    row.number = facts->definition_count;
    row.parent = scan->owner;
    row.qualname = scan->owner == NOWHERE ? row.name : join(facts->definitions[scan->owner].qualname, row.name);
    facts->definitions = facts_grow(facts->definitions, facts->definition_count, &facts->definition_room, sizeof row);
    facts->definitions[facts->definition_count] = row;
    around.index = scan->owner = facts->definition_count++;
    place_definition(scan, around.index);
    if (is_function(&row)) {
        scan->counted = around.index;
        scan->nesting = 0;
    }
    return around;
}

void leave_definition(ScriptScan *scan, Around around, u32 end, bool has_body) {
    scan->owner = around.owner;
    scan->counted = around.counted;
    scan->nesting = around.nesting;
    if (around.index == NOWHERE)
        return;
    ScriptDefinition *row = &scan->facts->definitions[around.index];
    row->end = end;
    row->has_body = has_body;
    end_definition(scan, around.index, end);
    /* What stands in the parameters of a function without a body counts for the function around. */
    if (is_function(row) && !has_body && row->complexity > 1)
        doubt(scan);
}

void nest(ScriptScan *scan) {
    scan->nesting++;
    if (scan->counted == NOWHERE)
        return;
    ScriptDefinition *function = &scan->facts->definitions[scan->counted];
    function->nesting = MAX(function->nesting, scan->nesting);
}
