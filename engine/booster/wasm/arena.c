/* arena.c -- see arena.h. */
#include "arena.h"

#include <string.h>

#define PAGE 65536u
#define GROWTH_PAGES 4u /* 256 kB at a time: little is taken and not used */
#define ALIGNMENT 8u
#define SIZE_MAX_BYTES 0x7fffff00u
#define SIZE_CLASSES 76u
#define LASTING_BYTES (1u << 20)

typedef struct FreeBlock {
    struct FreeBlock *next;
} FreeBlock;

/* Before each block; as long as the alignment. */
typedef struct {
    u32 size_class;
    u32 size;
} Header;

typedef struct {
    uintptr_t top, limit;
    FreeBlock *free[SIZE_CLASSES];
} Arena;

extern u8 __heap_base; /* where the linker's data and stack end */

static Arena call;
static Arena lasting;
static Arena *current = &call;
static uintptr_t highest;
static enum Fault fault;
static _Alignas(ALIGNMENT) u8 lasting_memory[LASTING_BYTES];

static _Noreturn void fail(void) {
    fault = FAULT_OUT_OF_MEMORY;
    __builtin_trap();
}

static uintptr_t aligned(uintptr_t at) {
    return (at + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
}

static void begin(Arena *arena) {
    if (arena == &lasting) {
        arena->top = (uintptr_t)lasting_memory;
        arena->limit = arena->top + LASTING_BYTES;
        return;
    }
    arena->top = aligned((uintptr_t)&__heap_base);
    arena->limit = (uintptr_t)__builtin_wasm_memory_size(0) * PAGE;
}

static void grow(Arena *arena, uintptr_t end) {
    if (!arena->limit)
        begin(arena);
    if (end <= arena->limit)
        return;
    if (arena == &lasting)
        fail();
    uintptr_t pages = (end - arena->limit + PAGE - 1) / PAGE;
    uintptr_t wanted = MAX(pages, GROWTH_PAGES);
    if (__builtin_wasm_memory_grow(0, wanted) == SIZE_MAX) {
        wanted = pages;
        if (__builtin_wasm_memory_grow(0, wanted) == SIZE_MAX)
            fail();
    }
    arena->limit += wanted * PAGE;
}

/* Classes are 16 bytes apart up to 512, then powers of two and the halves between them. */
static u32 find_class(u32 size, u32 *class_size) {
    if (size <= 512) {
        u32 index = size ? (size - 1) >> 4 : 0;
        *class_size = (index + 1) << 4;
        return index;
    }
    u32 power = 31 - (u32)__builtin_clz(size - 1);
    u32 half = (1u << power) + (1u << (power - 1));
    bool fits_half = size <= half;
    *class_size = fits_half ? half : 2u << power;
    return 32 + (power - 9) * 2 + !fits_half;
}

void *arena_malloc(size_t size) {
    if (size > SIZE_MAX_BYTES)
        fail();
    u32 class_size;
    u32 index = find_class((u32)size, &class_size);
    FreeBlock *block = current->free[index];
    if (block) {
        current->free[index] = block->next;
        return block;
    }
    if (!current->limit)
        begin(current);
    uintptr_t end = current->top + sizeof(Header) + class_size;
    if (end < current->top)
        fail();
    if (end > current->limit)
        grow(current, end);
    Header *header = (Header *)current->top;
    header->size_class = index;
    header->size = class_size;
    current->top = end;
    return header + 1;
}

void arena_free(void *pointer) {
    if (!pointer)
        return;
    Header *header = (Header *)pointer - 1;
    uintptr_t at = (uintptr_t)pointer, begin_lasting = (uintptr_t)lasting_memory;
    Arena *owner = at >= begin_lasting && at < begin_lasting + LASTING_BYTES ? &lasting : &call;
    FreeBlock *block = pointer;
    block->next = owner->free[header->size_class];
    owner->free[header->size_class] = block;
}

void *arena_calloc(size_t count, size_t size) {
    u64 total = (u64)count * size;
    if (total > SIZE_MAX_BYTES)
        fail();
    void *block = arena_malloc((size_t)total);
    memset(block, 0, (size_t)total);
    return block;
}

void *arena_realloc(void *block, size_t size) {
    if (!block)
        return arena_malloc(size);
    u32 before = ((Header *)block - 1)->size;
    if (size <= before)
        return block;
    void *moved = arena_malloc(size);
    memcpy(moved, block, before);
    arena_free(block);
    return moved;
}

uintptr_t arena_mark(void) {
    if (!call.limit)
        begin(&call);
    return aligned(call.top);
}

void arena_reset(uintptr_t mark) {
    highest = MAX(highest, call.top);
    call.top = aligned(mark);
    memset(call.free, 0, sizeof call.free);
}

uintptr_t arena_keep(uintptr_t mark, const void *bytes, u32 length) {
    grow(&call, mark + length);
    memmove((void *)mark, bytes, length);
    uintptr_t end = mark + length;
    arena_reset(end);
    return end;
}

void arena_begin_lasting(void) {
    current = &lasting;
}

void arena_end_lasting(void) {
    current = &call;
}

void arena_forget_lasting(void) {
    lasting = (Arena){0};
}

u32 arena_lasting_left(void) {
    if (!lasting.limit)
        begin(&lasting);
    return (u32)(lasting.limit - lasting.top);
}

enum Fault arena_fault(void) {
    return fault;
}

u32 arena_highest(void) {
    return (u32)MAX(highest, call.top);
}
