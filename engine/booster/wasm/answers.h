/* answers.h -- outlines, metrics and references as they are told, whatever language they are of. */
#ifndef ANSWERS_H
#define ANSWERS_H

#include "python_facts.h"

/* One definition of an outline. */
typedef struct {
    const char *kind;
    Text name, qualname;
    u32 start, end;
    u32 parameters;         /* NOWHERE: it is no function */
    const Span *decorators; /* without their @ */
    u32 decorator_count;
    bool has_docstring;
} OutlineRow;

void begin_outline(Job *job, u32 count);
void pack_outline_row(Job *job, const OutlineRow *row);
void end_outline(Job *job, u32 functions, u32 classes);

/* The figures of one function. */
typedef struct {
    Text qualname;
    u32 start, end, complexity, nesting, parameters;
} Figures;

/* Figures while they are told, and added up. */
typedef struct {
    Job *job;
    u32 beginning; /* of their array */
    u32 functions, complexity, length_max, complexity_max, nesting_max, parameters_max;
} Metrics;

Metrics begin_metrics(Job *job);
void pack_figures(Metrics *metrics, const Figures *figures);
void end_metrics(Metrics *metrics);

void pack_references(Job *job, const Reference *rows, u32 count);

#endif
