/* edits.c -- see edits.h. */
#include "edits.h"

#include <string.h>

static u32 find_tree_error(Job *job, Text result) {
    return find_error(ts_tree_root_node(parse(job->language, result)));
}

enum Status finish_edit(Job *job, Splices *splices, u32 count, const char *note, u32 number) {
    if (!sort_splices(splices))
        return stop(job, REFUSED, "two parts of the edit overlap", NOWHERE);
    Text source = {job->source.bytes, job->source.length};
    if (splices->count && find_tree_error(job, apply_splices(splices, source)) != NOWHERE)
        return stop(job, REFUSED, "after the edit the file would not parse", splices->rows[0].span.start);
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
