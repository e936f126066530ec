/* arena.h -- the module's only memory: what a call allocates is forgotten as a whole.
 *
 * Blocks come from free lists by size over a pointer that only grows. Nothing needs to be freed; what is
 * freed (tree-sitter does) is used again. There are two arenas: that of the call, and a small one for what
 * outlives calls, such as compiled queries. No memory left: the fault is noted and the module traps.
 */
#ifndef ARENA_H
#define ARENA_H

#include "base.h"

enum Fault { FAULT_NONE = 0, FAULT_OUT_OF_MEMORY = 1 };

void *arena_malloc(size_t size);
void *arena_calloc(size_t count, size_t size);
void *arena_realloc(void *block, size_t size);
void arena_free(void *block);

/* Where the call's arena ends now; `arena_reset` to it forgets what was allocated since. */
uintptr_t arena_mark(void);
void arena_reset(uintptr_t mark);
/* Forgets what was allocated since the mark, but keeps these bytes of it, moved down to the mark. */
uintptr_t arena_keep(uintptr_t mark, const void *bytes, u32 length);

/* Between these two, allocations last until `arena_forget_lasting`. */
void arena_begin_lasting(void);
void arena_end_lasting(void);
void arena_forget_lasting(void);
/* How many bytes are left for what lasts. */
u32 arena_lasting_left(void);

enum Fault arena_fault(void);
/* The end of memory ever used, in bytes from its beginning. */
u32 arena_highest(void);

#endif
