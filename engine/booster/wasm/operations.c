/* operations.c -- the table of operations; see operations.h. */
#include "operations.h"

#include <string.h>

#define ALL_LANGUAGES "[\"python\",\"javascript\",\"typescript\",\"tsx\"]"

static const Operation OPERATIONS[] = {
    {1, "code.syntax_check", false, ALL_LANGUAGES, "[]", 0, NULL, check_syntax_by_tree},
    {2, "code.ast_dump", false, ALL_LANGUAGES, "[]", 0, NULL, dump_tree},
};

const Operation *find_operation(u32 code) {
    for (u32 i = 0; i < COUNT_OF(OPERATIONS); i++)
        if (OPERATIONS[i].code == code)
            return &OPERATIONS[i];
    return NULL;
}

static void add_word(Buffer *buffer, const char *word) {
    buffer_add(buffer, word, (u32)strlen(word));
}

static void add_number(Buffer *buffer, u32 number) {
    char digits[10];
    u32 at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    buffer_add(buffer, digits + at, (u32)sizeof digits - at);
}

void describe_operations(Buffer *buffer) {
    for (u32 i = 0; i < COUNT_OF(OPERATIONS); i++) {
        const Operation *row = &OPERATIONS[i];
        add_word(buffer, i ? ",{\"code\":" : "[{\"code\":");
        add_number(buffer, row->code);
        add_word(buffer, ",\"name\":\"");
        add_word(buffer, row->name);
        add_word(buffer, row->edits ? "\",\"edits\":true,\"languages\":" : "\",\"edits\":false,\"languages\":");
        add_word(buffer, row->languages);
        add_word(buffer, ",\"arguments\":");
        add_word(buffer, row->arguments);
        add_word(buffer, "}");
    }
    add_word(buffer, "]");
}
