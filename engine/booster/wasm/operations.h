/* operations.h -- what the module can do: one row for each operation, and one job for each file. */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "languages.h"
#include "pack.h"
#include "text.h"

#define ARGUMENTS_MAX 8

/* How a file's operation ended; the numbers are part of the ABI (docs/booster.md). */
enum Status {
    DONE = 0,        /* the answer is the result */
    UNSURE = 1,      /* this module cannot tell for certain: ask the regular agent */
    REFUSED = 2,     /* the edit would be wrong or its target is not clear */
    BAD_REQUEST = 3, /* an operation, language or argument that the module does not know */
    /* Inside the module only; told as UNSURE: the tokens are no code of that language. The tree is not asked, since it
     * takes more than the language does. */
    REJECTED = 4,
};

/* Which way the answer was found; also bits of the request: those that may be used. */
enum Tier { TIER_NONE = 0, TIER_LEXICAL = 1, TIER_TREE = 2 };

/* One operation on one file. */
typedef struct {
    const Language *language;
    Source source;
    Text arguments[ARGUMENTS_MAX];
    Buffer answer; /* of DONE; for the others `problem` and `problem_at` say why */
    const char *problem;
    u32 problem_at; /* a byte of the source, or NOWHERE */
    enum Tier tier;
} Job;

typedef enum Status (*Perform)(Job *job);

typedef struct {
    u32 code; /* part of the ABI: never used again for another operation */
    const char *name;
    bool edits;
    u32 languages; /* a bit for each */
    const char *arguments[ARGUMENTS_MAX];
    Perform by_tokens; /* answers only where it is certain; null if there is no such way */
    Perform by_tree;
    Perform of_scripts; /* both ways, where JavaScript and TypeScript have one of their own */
} Operation;

const Operation *find_operation(u32 code);
u32 count_arguments(const Operation *operation);
/* All operations as a JSON array. */
void describe_operations(Buffer *buffer);

/* Says why a job has no result. */
static inline enum Status stop(Job *job, enum Status status, const char *problem, u32 at) {
    job->problem = problem;
    job->problem_at = at;
    return status;
}

/* Parses a text in the job's language; false where the parser finds no end, and the job is then stopped as UNSURE. */
static inline bool parse_text(Job *job, Text text, TSNode *root) {
    TSTree *tree = parse(job->language, text);
    if (tree)
        *root = ts_tree_root_node(tree);
    else
        stop(job, UNSURE, "the parser finds no end in this file", NOWHERE);
    return tree != NULL;
}

static inline bool parse_source(Job *job, TSNode *root) {
    return parse_text(job, (Text){job->source.bytes, job->source.length}, root);
}

/* The same, where a syntax error stops the job too. */
static inline bool parse_flawless(Job *job, TSNode *root) {
    if (!parse_source(job, root))
        return false;
    u32 error = find_error(*root);
    if (error != NOWHERE)
        stop(job, UNSURE, "the tree has a syntax error", error);
    return error == NOWHERE;
}

enum Status check_syntax_by_tokens(Job *job);
enum Status check_syntax_by_tree(Job *job);
enum Status dump_tree(Job *job);
enum Status list_nodes(Job *job);
enum Status parses_by_tokens(Job *job);
enum Status parses_by_tree(Job *job);
enum Status parses_script(Job *job);
enum Status search_tree(Job *job);
enum Status outline_python(Job *job);
enum Status measure_python(Job *job);
enum Status find_structure_python(Job *job);
enum Status find_references_python(Job *job);
enum Status rename_python(Job *job);
enum Status remove_calls_python(Job *job);
enum Status outline_script(Job *job);
enum Status measure_script(Job *job);
enum Status find_references_script(Job *job);
enum Status rename_script(Job *job);
enum Status remove_calls_script(Job *job);
enum Status use_const_script(Job *job);
enum Status find_structure_script(Job *job);

#endif
