/* script_removal.c -- see script_removal.h; the rules are those of engine/agents/code/ecmascript/removal.py. */
#include "script_removal.h"

#include <string.h>

#include "arena.h"
#include "edits.h"

/* Removed statements that stand side by side on a line. */
typedef struct {
    Span span;
    u32 kept_end; /* of the statement before that stays, or NOWHERE */
} Run;

struct ScriptRemoval {
    Run *runs; /* of all lists that are open, the innermost last */
    u32 run_count, run_room;
    Splices splices;
    u32 removed;
};

static bool is_blank(u8 byte) {
    return byte == ' ' || byte == '\t';
}

static bool is_newline(u8 byte) {
    return byte == '\n' || byte == '\r';
}

static void cut(const Source *source, Span span, Splices *splices) {
    u32 behind = span.end, before = span.start;
    while (behind < source->length && is_blank(source->bytes[behind]))
        behind++;
    if (behind < source->length && !is_newline(source->bytes[behind])) {
        add_splice(splices, span.start, behind, (Text){0});
        return;
    }
    while (before && is_blank(source->bytes[before - 1]))
        before--;
    if (before && !is_newline(source->bytes[before - 1])) {
        add_splice(splices, before, span.end, (Text){0});
        return;
    }
    bool is_pair = behind + 1 < source->length && source->bytes[behind] == '\r' && source->bytes[behind + 1] == '\n';
    add_splice(splices, before, MIN(behind + 1 + is_pair, source->length), (Text){0});
}

/* Would what stands before and behind be read as one, or as a directive? */
static bool joins(const Source *source, const Run *run, u32 following) {
    if (following == NOWHERE || source->bytes[run->span.end - 1] != ';')
        return false;
    u8 letter = source->bytes[following];
    if (run->kept_end == NOWHERE)
        return letter == '"' || letter == '\'';
    return strchr("([`+-/", letter) && source->bytes[run->kept_end - 1] != ';';
}

/* Cuts the runs that have waited in a list for the next statement that stays. */
static void end_runs(ScriptFacts *facts, const StatementList *list, u32 following) {
    static const Text SEMICOLON = {(const u8 *)";", 1};
    ScriptRemoval *removal = facts->removal;
    const Source *source = &facts->base.job->source;
    for (u32 i = list->first_run; i < removal->run_count; i++) {
        const Run *run = &removal->runs[i];
        if (joins(source, run, following))
            add_splice(&removal->splices, run->span.start, run->span.end, SEMICOLON);
        else
            cut(source, run->span, &removal->splices);
    }
    removal->run_count = list->first_run;
}

RemovalMark mark_removal(const ScriptFacts *facts) {
    const ScriptRemoval *removal = facts->removal;
    if (!removal)
        return (RemovalMark){0};
    return (RemovalMark){removal->run_count, removal->splices.count, removal->removed, facts->base.calls, facts->base.removed_calls};
}

void undo_removal(ScriptFacts *facts, RemovalMark mark) {
    ScriptRemoval *removal = facts->removal;
    if (!removal)
        return;
    removal->run_count = mark.runs;
    removal->splices.count = mark.splices;
    removal->removed = mark.removed;
    facts->base.calls = mark.calls;
    facts->base.removed_calls = mark.removed_calls;
}

StatementList open_list(ScriptFacts *facts) {
    return (StatementList){facts->removal->run_count, NOWHERE};
}

static bool stand_together(const Source *source, u32 end, u32 start) {
    while (end < start && is_blank(source->bytes[end]))
        end++;
    return end == start;
}

void list_statement(ScriptFacts *facts, StatementList *list, Span span, bool is_removed) {
    ScriptRemoval *removal = facts->removal;
    if (!is_removed) {
        end_runs(facts, list, span.start);
        list->kept_end = span.end;
        return;
    }
    removal->removed++;
    Run *last = removal->run_count > list->first_run ? &removal->runs[removal->run_count - 1] : NULL;
    if (last && stand_together(&facts->base.job->source, last->span.end, span.start)) {
        last->span.end = span.end;
        return;
    }
    removal->runs = facts_grow(removal->runs, removal->run_count, &removal->run_room, sizeof(Run));
    removal->runs[removal->run_count++] = (Run){span, list->kept_end};
}

void close_list(ScriptFacts *facts, StatementList *list) {
    end_runs(facts, list, NOWHERE);
}

void remove_body(ScriptFacts *facts, Span span) {
    static const Text EMPTY = {(const u8 *)"{}", 2};
    facts->removal->removed++;
    add_splice(&facts->removal->splices, span.start, span.end, EMPTY);
}

/* Argument: the dotted name of the function. */
enum Status remove_calls_script(Job *job) {
    Text parts[PARTS_MAX];
    u32 count = split_name(job->arguments[0], parts, PARTS_MAX);
    if (!count)
        return stop(job, BAD_REQUEST, "the function is no dotted name", NOWHERE);
    ScriptRemoval removal = {0};
    ScriptFacts facts = {.base = {.job = job, .call = parts, .call_parts = count}, .removal = &removal};
    enum Status status = collect_script(&facts);
    if (status != DONE)
        return status;
    return finish_edit(job, &removal.splices, removal.removed, "kept", facts.base.calls - facts.base.removed_calls);
}
