/* abi.c -- what the host calls; the format of requests and answers is written down in docs/booster.md.
 *
 * A request holds arguments and files, an answer one record for each file. While a file is worked on, the
 * arena ends at `mark`; then its record is moved down to the mark, and all else is forgotten.
 */
#include <string.h>

#include "arena.h"
#include "operations.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define ABI_VERSION 1u
#define PAGE 65536u
#ifndef BOOSTER_VERSION
#error "build.py gives the version: the hash of the recipe"
#endif

/* Reads a request; `is_whole` turns false where it ends too early. */
typedef struct {
    const u8 *at, *end;
    bool is_whole;
} Reader;

static uintptr_t base; /* where the arena of a call begins */

static u32 read_number(Reader *reader) {
    u32 number = 0;
    if (reader->end - reader->at < 4)
        reader->is_whole = false;
    else {
        memcpy(&number, reader->at, 4);
        reader->at += 4;
    }
    return number;
}

/* Bytes with their length before them and zeros behind them up to a multiple of four. */
static Text read_text(Reader *reader) {
    u32 length = read_number(reader);
    u64 padded = ((u64)length + 3) & ~(u64)3;
    if (!reader->is_whole || padded > (u64)(reader->end - reader->at)) {
        reader->is_whole = false;
        return (Text){reader->at, 0};
    }
    Text text = {reader->at, length};
    reader->at += padded;
    return text;
}

static void pack_problem(Job *job) {
    Buffer *answer = &job->answer;
    answer->length = 0;
    pack_map(answer, 3);
    pack_key(answer, "reason");
    pack_word(answer, job->problem);
    bool is_known = job->problem_at != NOWHERE;
    Place place = is_known ? place_of(&job->source, job->problem_at) : (Place){0, 0};
    pack_key(answer, "line");
    is_known ? pack_number(answer, place.line) : pack_nil(answer);
    pack_key(answer, "column");
    is_known ? pack_number(answer, place.column) : pack_nil(answer);
}

/* The ways of an operation in turn, until one is certain. */
static enum Status perform(Job *job, const Operation *operation, u32 tiers, Text text) {
    if (!source_begin(&job->source, text, job->language->id == PYTHON))
        return stop(job, UNSURE, "the text is no UTF-8", NOWHERE);
    enum Status status = stop(job, UNSURE, "the tier that was asked for has no such operation", NOWHERE);
    bool is_script = job->language->id != PYTHON;
    Perform by_tree = is_script && operation->of_scripts ? operation->of_scripts : operation->by_tree;
    Perform by_tokens = is_script ? operation->of_scripts : operation->by_tokens;
    if (by_tokens && tiers & TIER_LEXICAL) {
        job->tier = TIER_LEXICAL;
        status = by_tokens(job);
    }
    if (by_tree && tiers & TIER_TREE && status == UNSURE) {
        job->tier = TIER_TREE;
        job->answer.length = 0;
        status = by_tree(job);
    }
    return status == REJECTED ? UNSURE : status;
}

static enum Status work(Job *job, const Operation *operation, u32 tiers, u32 language, Text text) {
    job->language = find_language(language);
    if (!operation)
        return stop(job, BAD_REQUEST, "the module has no operation of that number", NOWHERE);
    if (!job->language)
        return stop(job, BAD_REQUEST, "the module has no language of that number", NOWHERE);
    if (!(operation->languages >> language & 1))
        return stop(job, BAD_REQUEST, "the operation does not know this language", NOWHERE);
    return perform(job, operation, tiers, text);
}

/* Does one file and gives the end of its record, which begins at the mark. */
static uintptr_t answer_file(Reader *reader, const Operation *operation, u32 tiers, const Text *arguments, uintptr_t mark) {
    Job job = {.problem_at = NOWHERE};
    memcpy(job.arguments, arguments, sizeof job.arguments);
    u32 language = read_number(reader);
    Text text = read_text(reader);
    arena_reset(mark);
    enum Status status = work(&job, operation, tiers, language, text);
    if (status != DONE)
        pack_problem(&job);
    u32 length = job.answer.length, padding = -length & 3, zero = 0;
    buffer_add(&job.answer, &zero, padding);
    u32 *head = arena_malloc(3 * sizeof(u32) + length + padding);
    head[0] = status;
    head[1] = job.tier;
    head[2] = length;
    memcpy(head + 3, job.answer.bytes, length + padding);
    return arena_keep(mark, head, 3 * sizeof(u32) + length + padding);
}

static u64 pack_place(uintptr_t at, uintptr_t end) {
    return (u64)at << 32 | (u32)(end - at);
}

EXPORT("booster_abi") u32 booster_abi(void) {
    return ABI_VERSION;
}

EXPORT("booster_alloc") u32 booster_alloc(u32 size) {
    if (!base)
        base = arena_mark();
    arena_reset(base);
    return (u32)(uintptr_t)arena_malloc(size);
}

EXPORT("booster_describe") u64 booster_describe(void) {
    static const char head[] = "{\"abi\":1,\"name\":\"booster\",\"version\":\"" BOOSTER_VERSION "\",\"encoding\":\"msgpack\",\"operations\":";
    booster_alloc(0);
    Buffer text = {0};
    buffer_add(&text, head, sizeof head - 1);
    describe_operations(&text);
    buffer_add(&text, "}", 1);
    return pack_place((uintptr_t)text.bytes, (uintptr_t)text.bytes + text.length);
}

/* An answer of no bytes says that the request is not whole. */
EXPORT("booster_run") u64 booster_run(u32 code, u32 at, u32 length) {
    u64 memory = (u64)__builtin_wasm_memory_size(0) * PAGE;
    if ((u64)at + length > memory)
        return 0;
    const u8 *request = (const u8 *)(uintptr_t)at;
    Reader reader = {request, request + length, true};
    u32 tiers = read_number(&reader), argument_count = read_number(&reader), file_count = read_number(&reader);
    Text arguments[ARGUMENTS_MAX] = {0};
    if (argument_count > ARGUMENTS_MAX)
        return 0;
    for (u32 i = 0; i < argument_count; i++)
        arguments[i] = read_text(&reader);
    const Operation *operation = find_operation(code);
    if (operation && count_arguments(operation) != argument_count)
        operation = NULL;
    uintptr_t start = arena_mark(), mark = arena_keep(start, &file_count, sizeof file_count);
    for (u32 i = 0; i < file_count && reader.is_whole; i++)
        mark = answer_file(&reader, operation, tiers, arguments, mark);
    return reader.is_whole ? pack_place(start, mark) : 0;
}

/* After a trap: why; 1 = out of memory. */
EXPORT("booster_fault") u32 booster_fault(void) {
    return arena_fault();
}

/* The end of memory ever used, in bytes. */
EXPORT("booster_used") u32 booster_used(void) {
    return arena_highest();
}
