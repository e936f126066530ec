/* script_places.c -- where the parts of a script stand, while its tokens are read. */
#include <string.h>

#include "script_scan.h"

/* ---- definitions */

static bool is_statement(enum Stand stand) {
    return stand == STAND_DECLARATION || stand == STAND_VARIABLE || stand == STAND_ASSIGNMENT;
}

void place_definition(ScriptScan *scan, u32 index) {
    ScriptStructure *structure = scan->facts->structure;
    if (!structure)
        return;
    const ScriptDefinition *definition = &scan->facts->definitions[index];
    Whole row = make_whole(index);
    row.stand = is_statement(definition->stand) && !scan->place.is_listed ? STAND_INSIDE : definition->stand;
    row.start = row.stand == STAND_MEMBER ? definition->head : definition->start;
    row.own = row.inner = definition->start;
    if (is_statement(row.stand)) {
        row.start = scan->place.start;
        row.own = scan->place.own;
        row.inner = scan->place.inner;
    }
    structure->wholes = facts_grow(structure->wholes, structure->whole_count, &structure->whole_room, sizeof row);
    structure->wholes[structure->whole_count++] = row;
}

void end_definition(ScriptScan *scan, u32 index, u32 end) {
    ScriptStructure *structure = scan->facts->structure;
    if (structure && index != NOWHERE && !is_statement(structure->wholes[index].stand))
        structure->wholes[index].end = end;
}

void end_places(ScriptScan *scan, u32 definitions) {
    ScriptStructure *structure = scan->facts->structure;
    for (u32 i = definitions; structure && i < structure->whole_count; i++)
        if (!structure->wholes[i].end)
            structure->wholes[i].end = scan->tokens.last_end;
}

void demote(ScriptScan *scan, u32 definitions, enum Stand stand) {
    ScriptStructure *structure = scan->facts->structure;
    for (u32 i = definitions; structure && i < structure->whole_count; i++) {
        Whole *row = &structure->wholes[i];
        const ScriptDefinition *definition = &scan->facts->definitions[i];
        if (row->stand != stand || row->end)
            continue;
        row->stand = STAND_INSIDE;
        row->start = row->own = row->inner = definition->start;
        row->end = definition->end;
    }
}

/* ---- functions */

void note_signature(ScriptScan *scan, u32 index, u32 parameters_end, Span returns) {
    if (!scan->facts->structure || index == NOWHERE || has_failed(scan))
        return;
    scan->facts->structure->wholes[index].parameters_end = parameters_end;
    scan->facts->structure->wholes[index].returns = returns;
}

Span read_result(ScriptScan *scan) {
    if (!scan->facts->structure || !scan->has_types || now(scan) != LEX_COLON) {
        parse_result(scan);
        return (Span){NOWHERE, NOWHERE};
    }
    u32 start = peek(scan).start;
    parse_result(scan);
    return (Span){start, scan->tokens.last_end};
}

void parse_body_of(ScriptScan *scan, u32 index) {
    u32 start = scan->tokens.start;
    scan->body_of = index;
    parse_block(scan);
    if (scan->facts->structure && index != NOWHERE && !has_failed(scan))
        scan->facts->structure->wholes[index].body = (Span){start, scan->tokens.last_end};
}

/* ---- statements */

Listing begin_listing(ScriptScan *scan) {
    Listing listing = {.body_of = scan->body_of, .in_file = !scan->depth};
    scan->body_of = NOWHERE;
    return listing;
}

void begin_place(ScriptScan *scan, Listing *listing) {
    if (!scan->facts->structure)
        return;
    u32 start = scan->tokens.start;
    listing->around = scan->place;
    listing->definitions = scan->facts->definition_count;
    listing->start = start;
    listing->text_end = scan->tokens.end;
    listing->is_text = now(scan) == LEX_STRING;
    listing->is_try = is_word(scan, WORD_try);
    listing->is_import = is_word(scan, WORD_import) && peek(scan).kind != LEX_OPEN_PAREN && peek(scan).kind != LEX_DOT;
    scan->place = (StatementPlace){true, start, start, start};
}

/* Is the string all of its statement? */
static bool is_directive(ScriptScan *scan, const Listing *listing) {
    const u8 *bytes = scan->tokens.bytes;
    u32 at = listing->text_end, end = scan->tokens.last_end;
    if (!listing->is_text)
        return false;
    while (at < end && (bytes[at] == ' ' || (bytes[at] >= '\t' && bytes[at] <= '\r')))
        at++;
    if (at < end && bytes[at] == '/')
        doubt(scan); /* a comment may stand before the semicolon */
    return at == end || (at + 1 == end && bytes[at] == ';');
}

static void note_statement(ScriptScan *scan, const Listing *listing, bool is_text) {
    enum StatementKind kind = listing->is_import ? STATEMENT_IMPORT : is_text ? STATEMENT_TEXT : STATEMENT_OTHER;
    if (listing->in_file)
        add_statement(&scan->facts->base, (Span){listing->start, scan->tokens.last_end}, kind);
}

void end_place(ScriptScan *scan, Listing *listing) {
    if (!scan->facts->structure)
        return;
    scan->place = listing->around;
    if (has_failed(scan))
        return;
    end_places(scan, listing->definitions);
    bool is_text = !listing->count && is_directive(scan, listing);
    note_statement(scan, listing, is_text);
    if (is_text)
        return;
    listing->count++;
    if (listing->body_of == NOWHERE)
        return;
    Whole *function = &scan->facts->structure->wholes[listing->body_of];
    if (listing->count == 1)
        function->rest = listing->start;
    function->is_wrapped = listing->count == 1 && listing->is_try;
}

/* ---- members and strings */

void note_member(ScriptScan *scan, u32 definition, Text name) {
    ScriptStructure *structure = scan->facts->structure;
    if (!structure || definition == NOWHERE || has_failed(scan))
        return;
    structure->members = facts_grow(structure->members, structure->member_count, &structure->member_room, sizeof(MemberName));
    structure->members[structure->member_count++] = (MemberName){definition, name};
}

void note_string(ScriptScan *scan, Span span) {
    const u8 *bytes = scan->tokens.bytes;
    if (!scan->facts->structure || scan->context.in_string || has_failed(scan))
        return;
    if (memchr(bytes + span.start, '\n', span.end - span.start) || memchr(bytes + span.start, '\r', span.end - span.start))
        add_string(&scan->facts->base, span);
}

void note_string_token(ScriptScan *scan) {
    note_string(scan, token_span(scan));
}
