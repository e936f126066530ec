/* python_references.c -- wanted names while they are read: whether they are bound is known only later.
 *
 * A name that could still turn out to be a target, alone or in a list, is open. An operator, a call or the like
 * behind it releases it; the `=` behind the list binds what is still open.
 */
#include "python_scan.h"

u32 note_name(Scan *scan, enum ReferenceKind kind, bool is_qualified) {
    Facts *facts = scan->facts;
    Tokens *tokens = &scan->tokens;
    if (!is_wanted(facts, token_text(tokens)))
        return 0;
    add_reference(facts, (Span){tokens->start, tokens->end}, kind, is_qualified);
    facts->references[facts->reference_count - 1].is_open = kind == REFERENCE_USE;
    return facts->reference_count;
}

void bind_names(Scan *scan, u32 references) {
    Facts *facts = scan->facts;
    for (u32 i = references; i < facts->reference_count; i++)
        if (facts->references[i].is_open) {
            facts->references[i].kind = REFERENCE_DEFINITION;
            facts->references[i].is_open = false;
        }
}

void release_names(Scan *scan, u32 references) {
    Facts *facts = scan->facts;
    for (u32 i = references; i < facts->reference_count; i++)
        facts->references[i].is_open = false;
}

bool is_target(Value value) {
    return value.form >= FORM_NAME;
}
