/* edits.c -- see edits.h. */
#include "edits.h"

#include "python_facts.h"

/* Reads the result by the tier that made the edit: tokens that do not know it leave the edit to the tree. */
static enum Status check_result(Job *job, Text result, u32 at) {
    static const char problem[] = "after the edit the file would not parse";
    if (job->tier == TIER_TREE)
        return find_error(ts_tree_root_node(parse(job->language, result))) == NOWHERE ? DONE : stop(job, REFUSED, problem, at);
    Job after = {.language = job->language, .tier = job->tier};
    Facts facts = {.job = &after};
    bool is_known = source_begin(&after.source, result, true) && collect(&facts) == DONE;
    return is_known ? DONE : stop(job, UNSURE, problem, at);
}

enum Status finish_edit(Job *job, Splices *splices, u32 count, const char *note, u32 number) {
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
    pack_map(&job->answer, note != NULL);
    if (note) {
        pack_word(&job->answer, note);
        pack_number(&job->answer, number);
    }
    return DONE;
}
