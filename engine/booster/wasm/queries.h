/* queries.h -- compiled tree-sitter queries, kept from one call to the next. */
#ifndef QUERIES_H
#define QUERIES_H

#include "languages.h"

typedef struct {
    TSQuery *query; /* null: it does not compile */
    const char *problem;
    u32 problem_at; /* a byte of the query */
} CompiledQuery;

/* Compiles a query, or finds it among those of the last calls. */
CompiledQuery compile_query(const Language *language, Text text);

/* Do the nodes of a match satisfy the predicates of its pattern? */
bool satisfies(const TSQuery *query, const TSQueryMatch *match, const Source *source);

#endif
