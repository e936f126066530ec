/* operations.c -- the table of operations; see operations.h. */
#include "operations.h"

#include <string.h>

#define IN(language) (1u << (language))
#define ONLY_PYTHON IN(PYTHON)
#define ONLY_SCRIPTS (IN(JAVASCRIPT) | IN(TYPESCRIPT) | IN(TSX))
#define EVERYWHERE (ONLY_PYTHON | ONLY_SCRIPTS)

static const Operation OPERATIONS[] = {
    {1, "code.syntax_check", false, EVERYWHERE, {0}, check_syntax_by_tokens, check_syntax_by_tree, NULL},
    {2, "code.ast_dump", false, EVERYWHERE, {"named", "max_nodes"}, NULL, dump_tree, NULL},
    {3, "code.outline", false, EVERYWHERE, {0}, outline_python, outline_python, outline_script},
    {4, "code.metrics", false, EVERYWHERE, {0}, measure_python, measure_python, measure_script},
    {5, "code.find_references", false, EVERYWHERE, {"name"}, find_references_python, find_references_python, find_references_script},
    {6, "code.rename", true, EVERYWHERE, {"name", "to", "attributes"}, rename_python, rename_python, rename_script},
    {7, "code.remove_calls", true, EVERYWHERE, {"function"}, remove_calls_python, remove_calls_python, remove_calls_script},
    {8, "code.use_const", true, ONLY_SCRIPTS, {0}, NULL, NULL, use_const_script},
    {20, "code.structure", false, EVERYWHERE, {0}, find_structure_python, NULL, find_structure_script},
    {21, "code.search", false, EVERYWHERE, {"query", "max_matches"}, NULL, search_tree, NULL},
    {23, "code.parses", false, EVERYWHERE, {0}, parses_by_tokens, parses_by_tree, parses_script},
    {22, "code.nodes", false, EVERYWHERE, {0}, NULL, list_nodes, NULL},
};
static const char *const LANGUAGE_NAMES[LANGUAGE_COUNT] = {"python", "javascript", "typescript", "tsx"};

const Operation *find_operation(u32 code) {
    for (u32 i = 0; i < COUNT_OF(OPERATIONS); i++)
        if (OPERATIONS[i].code == code)
            return &OPERATIONS[i];
    return NULL;
}

u32 count_arguments(const Operation *operation) {
    u32 count = 0;
    while (count < ARGUMENTS_MAX && operation->arguments[count])
        count++;
    return count;
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

/* A word in quotes, with a comma before all but the first. */
static void add_quoted(Buffer *buffer, const char *word, bool is_first) {
    add_word(buffer, is_first ? "\"" : ",\"");
    add_word(buffer, word);
    add_word(buffer, "\"");
}

static void describe_operation(Buffer *buffer, const Operation *row) {
    add_word(buffer, "{\"code\":");
    add_number(buffer, row->code);
    add_word(buffer, ",\"name\":\"");
    add_word(buffer, row->name);
    add_word(buffer, row->edits ? "\",\"edits\":true,\"languages\":[" : "\",\"edits\":false,\"languages\":[");
    for (u32 language = 0, first = 1; language < LANGUAGE_COUNT; language++)
        if (row->languages & IN(language)) {
            add_quoted(buffer, LANGUAGE_NAMES[language], first);
            first = 0;
        }
    add_word(buffer, "],\"arguments\":[");
    for (u32 i = 0; i < count_arguments(row); i++)
        add_quoted(buffer, row->arguments[i], i == 0);
    add_word(buffer, "]}");
}

void describe_operations(Buffer *buffer) {
    for (u32 i = 0; i < COUNT_OF(OPERATIONS); i++) {
        add_word(buffer, i ? "," : "[");
        describe_operation(buffer, &OPERATIONS[i]);
    }
    add_word(buffer, "]");
}
