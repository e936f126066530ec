/* base.h -- the words that every file of the module uses: sizes, pieces of text, places. */
#ifndef BASE_H
#define BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* A piece of bytes somewhere in memory; not ended by a zero. */
typedef struct {
    const u8 *bytes;
    u32 length;
} Text;

/* A place in a source: from the byte `start` to before the byte `end`. */
typedef struct {
    u32 start, end;
} Span;

#define COUNT_OF(array) ((u32)(sizeof(array) / sizeof *(array)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define NOWHERE UINT32_MAX

#endif
