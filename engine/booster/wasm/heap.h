/* heap.h -- included before every third-party source (see build.py): they allocate from the arena.
 * tree-sitter asks for ts_malloc and its kin, some scanners of grammars call malloc by name. */
#ifndef HEAP_H
#define HEAP_H

#include <stdlib.h>

#include "arena.h"

#define malloc arena_malloc
#define calloc arena_calloc
#define realloc arena_realloc
#define free arena_free
#define ts_malloc arena_malloc
#define ts_calloc arena_calloc
#define ts_realloc arena_realloc
#define ts_free arena_free

#endif
