/* python_scan.c -- the facts of Python from its tokens: the module as a whole, and coming back to a place. */
#include "python_scan.h"

#include "python_removal.h"

static u32 complexity_of(const Scan *scan) {
    return scan->counted == NOWHERE ? 0 : scan->facts->definitions[scan->counted].complexity;
}

Checkpoint save(const Scan *scan) {
    const Facts *facts = scan->facts;
    return (Checkpoint){
        .tokens = scan->tokens,
        .depth = scan->depth,
        .operators = scan->operators,
        .branches = scan->branches,
        .calls = facts->calls,
        .references = facts->reference_count,
        .strings = facts->string_count,
        .complexity = complexity_of(scan),
    };
}

void restore(Scan *scan, const Checkpoint *checkpoint) {
    Facts *facts = scan->facts;
    scan->tokens = checkpoint->tokens;
    scan->depth = checkpoint->depth;
    scan->operators = checkpoint->operators;
    scan->branches = checkpoint->branches;
    facts->calls = checkpoint->calls;
    facts->reference_count = checkpoint->references;
    facts->string_count = checkpoint->strings;
    if (scan->counted != NOWHERE)
        facts->definitions[scan->counted].complexity = checkpoint->complexity;
}

enum Status collect_by_tokens(Facts *facts) {
    Job *job = facts->job;
    Scan scan = {.facts = facts, .owner = NOWHERE, .counted = NOWHERE, .strict = {.doubt = NOWHERE}};
    Block module = {0};
    u32 removal = facts->call ? removal_open_block(facts, true) : 0;
    tokens_begin(&scan.tokens, &job->source);
    while (now(&scan) != TOKEN_END && now(&scan) != TOKEN_FAILED)
        read_statement(&scan, &module, removal);
    facts->has_unknown_letters = scan.tokens.unknown_letter != NOWHERE;
    facts->doubt = scan.strict.doubt;
    if (now(&scan) == TOKEN_END)
        return !facts->has_unknown_letters ? DONE : stop(job, UNSURE, "this may be no letter", scan.tokens.unknown_letter);
    enum Status status = scan.tokens.is_doubtful ? UNSURE : REJECTED;
    return stop(job, status, "this is not known to be Python", scan.tokens.problem);
}
