/* blanks.c -- a module for fleet-tui's booster: blanks at the ends of lines, counted or taken away.
 *
 * It needs no library. Build it with the compiler of the Python package ziglang:
 *
 *   uvx --from ziglang==0.16.0 python-zig cc --target=wasm32-freestanding -O2 -nostdlib -Wl,--no-entry -o blanks.wasm blanks.c
 *
 * What the host asks for is written down in docs/modules.md. Nothing here trusts the request: a length that is
 * not true ends in an answer of no bytes, never outside the memory.
 */
#define EXPORT(name) __attribute__((export_name(name)))
#define PAGE 65536ul
enum { COUNT_BLANKS = 1, REMOVE_BLANKS = 2 };
enum { DONE = 0, BAD_REQUEST = 3 };
enum { BY_TOKENS = 1 };

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

static const char DESCRIPTION[] =
    "{\"abi\": 1, \"name\": \"blanks\", \"version\": \"1\", \"encoding\": \"json\", \"operations\": ["
    "{\"code\": 1, \"name\": \"user.count_blanks\", \"edits\": false,"
    " \"languages\": [\"python\", \"javascript\", \"typescript\", \"tsx\"], \"arguments\": []},"
    "{\"code\": 2, \"name\": \"user.remove_blanks\", \"edits\": true,"
    " \"languages\": [\"python\", \"javascript\", \"typescript\", \"tsx\"], \"arguments\": []}]}";

/* ---- memory: what a call needs lies behind the linker's data, and is forgotten at the next request */

extern u8 __heap_base;
static u32 top;

/* Makes sure that the memory reaches so far; the sandbox ends a module that wants more than its limit. */
static void reach(u64 end) {
    u64 size = (u64)__builtin_wasm_memory_size(0) * PAGE;
    if (end > size && __builtin_wasm_memory_grow(0, (end - size + PAGE - 1) / PAGE) == ~0ul)
        __builtin_trap();
}

static void put_byte(u8 byte) {
    reach((u64)top + 1);
    *(u8 *)top++ = byte;
}

static void put_text(const char *text) {
    while (*text)
        put_byte((u8)*text++);
}

static void put_decimal(u32 number) {
    if (number > 9)
        put_decimal(number / 10);
    put_byte((u8)('0' + number % 10));
}

static void put_number(u32 number) {
    for (u32 shift = 0; shift < 32; shift += 8)
        put_byte((u8)(number >> shift));
}

static void set_number(u32 at, u32 number) {
    for (u32 i = 0; i < 4; i++)
        ((u8 *)at)[i] = (u8)(number >> (8 * i));
}

/* ---- the request */

typedef struct {
    u32 at, end;
    int is_whole;
} Reader;

static u32 read_number(Reader *reader) {
    u32 number = 0;
    if (reader->end - reader->at < 4) {
        reader->is_whole = 0;
        return 0;
    }
    for (u32 i = 0; i < 4; i++)
        number |= (u32)((u8 *)reader->at++)[0] << (8 * i);
    return number;
}

/* Skips bytes with the zeros behind them, and says where they begin. */
static u32 read_bytes(Reader *reader, u32 length) {
    u64 padded = ((u64)length + 3) & ~3ull;
    u32 begin = reader->at;
    if (!reader->is_whole || padded > reader->end - reader->at) {
        reader->is_whole = 0;
        return begin;
    }
    reader->at += (u32)padded;
    return begin;
}

/* ---- the work */

static int is_blank(u8 byte) {
    return byte == ' ' || byte == '\t';
}

/* Goes through the blanks at the ends of lines; writes them as splices, or only counts them. */
static u32 find_blanks(const u8 *text, u32 length, int writes) {
    u32 count = 0;
    for (u32 end = 0; end <= length; end++) {
        if (end < length && text[end] != '\n')
            continue;
        u32 stop = end > 0 && text[end - 1] == '\r' ? end - 1 : end, start = stop;
        while (start > 0 && is_blank(text[start - 1]))
            start--;
        if (start == stop)
            continue;
        if (writes) {
            put_text(count ? ", [" : "[");
            put_decimal(start);
            put_text(", ");
            put_decimal(stop);
            put_text(", \"\"]");
        }
        count++;
    }
    return count;
}

static void answer_file(u32 code, const u8 *text, u32 length) {
    u32 head = top, is_known = code == COUNT_BLANKS || code == REMOVE_BLANKS;
    put_number(is_known ? DONE : BAD_REQUEST);
    put_number(BY_TOKENS);
    put_number(0);
    if (!is_known)
        put_text("{\"reason\": \"no operation of that number\", \"line\": null, \"column\": null");
    else if (code == COUNT_BLANKS)
        put_text("{\"lines\": ");
    else
        put_text("{\"splices\": [");
    u32 count = is_known ? find_blanks(text, length, code == REMOVE_BLANKS) : 0;
    if (code == REMOVE_BLANKS)
        put_text("], \"count\": ");
    if (is_known)
        put_decimal(count);
    put_text("}");
    set_number(head + 8, top - head - 12);
    while (top % 4)
        put_byte(0);
}

/* ---- what the host calls */

static u64 pack(u32 at, u32 length) {
    return (u64)at << 32 | length;
}

EXPORT("booster_abi") u32 booster_abi(void) {
    return 1;
}

EXPORT("booster_describe") u64 booster_describe(void) {
    return pack((u32)DESCRIPTION, sizeof DESCRIPTION - 1);
}

EXPORT("booster_alloc") u32 booster_alloc(u32 size) {
    u32 begin = ((u32)&__heap_base + 7) & ~7u;
    reach((u64)begin + size);
    top = (begin + size + 7) & ~7u;
    return begin;
}

EXPORT("booster_run") u64 booster_run(u32 code, u32 at, u32 length) {
    if ((u64)at + length > (u64)__builtin_wasm_memory_size(0) * PAGE)
        return 0;
    Reader reader = {at, at + length, 1};
    read_number(&reader); /* the tiers: this module has one way only */
    u32 arguments = read_number(&reader), files = read_number(&reader), begin = top;
    for (u32 i = 0; i < arguments && reader.is_whole; i++)
        read_bytes(&reader, read_number(&reader));
    put_number(files);
    for (u32 i = 0; i < files && reader.is_whole; i++) {
        read_number(&reader); /* the language */
        u32 size = read_number(&reader), text = read_bytes(&reader, size);
        if (reader.is_whole)
            answer_file(code, (const u8 *)text, size);
    }
    return reader.is_whole ? pack(begin, top - begin) : 0;
}
