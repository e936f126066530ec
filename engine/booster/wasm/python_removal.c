/* python_removal.c -- removing statements that only call one function; the rules are those of
 * engine/agents/code/removal.py. The tiers tell blocks, lines and statements; what to cut is decided here. */
#include "python_removal.h"

#include "arena.h"
#include "edits.h"

typedef struct {
    Span span;
    bool is_removed;
} Piece;

typedef struct {
    u32 block;
    u32 start;   /* where the line begins, with its indentation */
    u32 comment; /* the comment behind the statements, or NOWHERE */
    u32 stop;    /* where the next line begins */
    u32 first, count, removed;
} Line;

typedef struct {
    bool is_module;
    u32 survivors;  /* statements that stay, those with blocks of their own included */
    u32 first_line; /* the first line that loses statements, or NOWHERE */
} Block;

struct Removal {
    Piece *statements;
    u32 statement_count, statement_room;
    Line *lines; /* those that lose statements; the last one may be open */
    u32 line_count, line_room;
    Block *blocks;
    u32 block_count, block_room;
    u32 removed;
    bool line_is_open;
};

u32 removal_open_block(Facts *facts, bool is_module) {
    Removal *removal = facts->removal;
    removal->blocks = facts_grow(removal->blocks, removal->block_count, &removal->block_room, sizeof(Block));
    removal->blocks[removal->block_count] = (Block){is_module, 0, NOWHERE};
    return removal->block_count++;
}

void removal_add_compound(Facts *facts, u32 block) {
    facts->removal->blocks[block].survivors++;
}

void removal_open_line(Facts *facts, u32 block, u32 start) {
    Removal *removal = facts->removal;
    removal_close_line(facts);
    removal->lines = facts_grow(removal->lines, removal->line_count, &removal->line_room, sizeof(Line));
    removal->lines[removal->line_count++] = (Line){block, start, NOWHERE, 0, removal->statement_count, 0, 0};
    removal->line_is_open = true;
}

void removal_add_statement(Facts *facts, Span span, bool is_removed) {
    Removal *removal = facts->removal;
    removal->statements = facts_grow(removal->statements, removal->statement_count, &removal->statement_room, sizeof(Piece));
    removal->statements[removal->statement_count++] = (Piece){span, is_removed};
    Line *line = &removal->lines[removal->line_count - 1];
    line->count++;
    line->removed += is_removed;
    removal->removed += is_removed;
    removal->blocks[line->block].survivors += !is_removed;
}

/* Finds the comment behind the statements of a line and the end of the line. */
static void find_line_end(const Source *source, Line *line, u32 at) {
    while (at < source->length && source->bytes[at] != '\n' && source->bytes[at] != '\r') {
        if (source->bytes[at] == '#' && line->comment == NOWHERE)
            line->comment = at;
        at++;
    }
    bool is_pair = at + 1 < source->length && source->bytes[at] == '\r' && source->bytes[at + 1] == '\n';
    line->stop = MIN(at + 1 + is_pair, source->length);
}

void removal_close_line(Facts *facts) {
    Removal *removal = facts->removal;
    if (!removal->line_is_open)
        return;
    removal->line_is_open = false;
    Line *line = &removal->lines[removal->line_count - 1];
    if (!line->removed) { /* nothing to do here: forget it */
        removal->statement_count = line->first;
        removal->line_count--;
        return;
    }
    Block *block = &removal->blocks[line->block];
    if (block->first_line == NOWHERE)
        block->first_line = removal->line_count - 1;
    find_line_end(&facts->job->source, line, removal->statements[line->first + line->count - 1].span.end);
}

/* Removes some statements of a line, each with one semicolon. */
static void cut(const Removal *removal, const Line *line, Splices *splices) {
    const Piece *row = &removal->statements[line->first];
    bool kept_before = false;
    for (u32 i = 0; i < line->count; i++) {
        if (!row[i].is_removed)
            kept_before = true;
        else if (kept_before)
            add_splice(splices, row[i - 1].span.end, row[i].span.end, (Text){0});
        else
            add_splice(splices, row[i].span.start, row[i + 1].span.start, (Text){0});
    }
}

static void edit_line(const Removal *removal, u32 index, Splices *splices) {
    static const Text PASS = {(const u8 *)"pass", 4};
    const Line *line = &removal->lines[index];
    const Block *block = &removal->blocks[line->block];
    Span first = removal->statements[line->first].span, last = removal->statements[line->first + line->count - 1].span;
    if (line->removed < line->count)
        cut(removal, line, splices);
    else if (!block->is_module && !block->survivors && block->first_line == index)
        add_splice(splices, first.start, last.end, PASS);
    else if (line->comment != NOWHERE)
        add_splice(splices, first.start, line->comment, (Text){0});
    else
        add_splice(splices, line->start, line->stop, (Text){0});
}

/* Argument: the dotted name of the function. */
enum Status remove_calls_python(Job *job) {
    Text parts[PARTS_MAX];
    u32 count = split_name(job->arguments[0], parts, PARTS_MAX);
    if (!count)
        return stop(job, BAD_REQUEST, "the function is no dotted name", NOWHERE);
    Removal removal = {0};
    Facts facts = {.job = job, .call = parts, .call_parts = count, .removal = &removal};
    enum Status status = collect(&facts);
    if (status != DONE)
        return status;
    removal_close_line(&facts);
    Splices splices = {0};
    for (u32 i = 0; i < removal.line_count; i++)
        edit_line(&removal, i, &splices);
    return finish_edit(job, &splices, removal.removed, "kept", facts.calls - facts.removed_calls);
}
