/* edits.c -- see edits.h. */
#include "edits.h"

#include "script_facts.h"

static const char PROBLEM[] = "after the edit the file would not parse";

/* Reads Python's grammar in the result, whichever tier made the edit: the tree takes more than Python does, so it is
 * asked only where tokens are not certain, and never about what they refuse. */
static enum Status check_python(Job *job, Text result, u32 at) {
    enum Tier last = job->tier;
    for (enum Tier tier = TIER_LEXICAL; tier <= last; tier++) {
        Job after = {.language = job->language, .tier = tier};
        Facts facts = {.job = &after};
        enum Status status = source_begin(&after.source, result, true) ? collect(&facts) : UNSURE;
        if (status == DONE)
            return DONE;
        /* Python takes some letters for the same that are spelled otherwise: names may clash unseen. */
        if (status == REJECTED || facts.has_unknown_letters)
            return stop(job, REJECTED, PROBLEM, at);
    }
    return stop(job, UNSURE, PROBLEM, at);
}

/* Tokens that are certain of the result have read what the tree would take. */
static enum Status check_script_by_tokens(Job *job, Text result, u32 at) {
    Job after = {.language = job->language, .tier = TIER_LEXICAL};
    ScriptFacts facts = {.base = {.job = &after}};
    bool is_certain = source_begin(&after.source, result, false) && collect_script(&facts) == DONE;
    return is_certain ? DONE : stop(job, UNSURE, PROBLEM, at);
}

static enum Status check_result(Job *job, Text result, u32 at) {
    if (job->language->id == PYTHON)
        return check_python(job, result, at);
    enum Status status = check_script_by_tokens(job, result, at);
    if (job->tier == TIER_LEXICAL || status == DONE)
        return status;
    TSNode root;
    if (!parse_text(job, result, &root))
        return UNSURE;
    return find_error(root) == NOWHERE ? DONE : stop(job, REFUSED, PROBLEM, at);
}

enum Status finish_edit_with(Job *job, Splices *splices, u32 count, const Note *notes, u32 note_count) {
    if (!sort_splices(splices))
        return stop(job, REFUSED, "two parts of the edit overlap", NOWHERE);
    if (splices->count) {
        Text source = {job->source.bytes, job->source.length};
        enum Status status = check_result(job, apply_splices(splices, source), splices->rows[0].span.start);
        if (status != DONE)
            return status;
    }
    pack_map(&job->answer, 3);
    pack_key(&job->answer, "splices");
    pack_splices(&job->answer, splices);
    pack_key(&job->answer, "count");
    pack_number(&job->answer, count);
    pack_key(&job->answer, "notes");
    pack_map(&job->answer, note_count);
    for (u32 i = 0; i < note_count; i++) {
        pack_word(&job->answer, notes[i].name);
        pack_number(&job->answer, notes[i].number);
    }
    return DONE;
}

enum Status finish_edit(Job *job, Splices *splices, u32 count, const char *note, u32 number) {
    return finish_edit_with(job, splices, count, &(Note){note, number}, note != NULL);
}
