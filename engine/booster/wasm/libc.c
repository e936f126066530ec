/* libc.c -- the few functions of the C library that the module needs.
 *
 * Nothing else of a C library is linked: what could ask the host for something is not there, and the build
 * does not have to make one. Copying and filling are instructions of WebAssembly (-mbulk-memory).
 */
#include <string.h>
#include <wasm_simd128.h>
#include <wctype.h>

#include "base.h"

int memcmp(const void *a, const void *b, size_t length) {
    const u8 *left = a, *right = b;
    while (length >= 16 && wasm_i8x16_all_true(wasm_i8x16_eq(wasm_v128_load(left), wasm_v128_load(right)))) {
        left += 16;
        right += 16;
        length -= 16;
    }
    for (; length; left++, right++, length--)
        if (*left != *right)
            return *left - *right;
    return 0;
}

void *memchr(const void *bytes, int wanted, size_t length) {
    const u8 *at = bytes, *end = at + length;
    const v128_t pattern = wasm_i8x16_splat((signed char)wanted);
    for (; end - at >= 16; at += 16) {
        u32 bits = wasm_i8x16_bitmask(wasm_i8x16_eq(wasm_v128_load(at), pattern));
        if (bits)
            return (void *)(uintptr_t)(at + __builtin_ctz(bits));
    }
    for (; at < end; at++)
        if (*at == (u8)wanted)
            return (void *)(uintptr_t)at;
    return NULL;
}

size_t strlen(const char *text) {
    const char *end = text;
    while (*end)
        end++;
    return (size_t)(end - text);
}

int strncmp(const char *a, const char *b, size_t length) {
    for (; length && *a && *a == *b; length--) {
        a++;
        b++;
    }
    return length ? (u8)*a - (u8)*b : 0;
}

int strcmp(const char *a, const char *b) {
    return strncmp(a, b, SIZE_MAX);
}

/* As in a UTF-8 locale: without the spaces that do not break a line (U+00A0, U+2007, U+202F). */
int iswspace(wint_t letter) {
    if (letter < 0x80)
        return letter == ' ' || (letter >= '\t' && letter <= '\r');
    return letter == 0x1680 || (letter >= 0x2000 && letter <= 0x200a && letter != 0x2007) || letter == 0x2028 ||
           letter == 0x2029 || letter == 0x205f || letter == 0x3000;
}

/* The scanners ask whether a word goes on: outside ASCII all but spaces is taken for a letter. */
int iswalpha(wint_t letter) {
    return letter < 0x80 ? (u32)(letter | 32) - 'a' < 26 : !iswspace(letter);
}

int iswalnum(wint_t letter) {
    return iswalpha(letter) || (u32)letter - '0' < 10;
}
