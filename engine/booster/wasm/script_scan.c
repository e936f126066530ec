/* script_scan.c -- the facts of a script from its tokens: the source as a whole, attempts, names, ends of statements. */
#include "script_scan.h"

void begin_attempt(ScriptScan *scan, Checkpoint *place) {
    const ScriptFacts *facts = scan->facts;
    const ScriptDefinition *counted = scan->counted == NOWHERE ? NULL : &facts->definitions[scan->counted];
    *place = (Checkpoint){
        .tokens = scan->tokens,
        .context = scan->context,
        .depth = scan->depth,
        .owner = scan->owner,
        .counted = scan->counted,
        .nesting = scan->nesting,
        .complexity = counted ? counted->complexity : 0,
        .nesting_max = counted ? counted->nesting : 0,
        .references = facts->base.reference_count,
        .definitions = facts->definition_count,
        .decorators = facts->base.decorator_count,
        .comments = facts->comment_count,
        .members = facts->structure ? facts->structure->member_count : 0,
        .strings = facts->base.string_count,
        .removal = mark_removal(facts),
        .variables = mark_variables(scan->variables),
    };
    if (++scan->attempts > ATTEMPTS_MAX)
        doubt(scan);
}

void go_back(ScriptScan *scan, const Checkpoint *place) {
    ScriptFacts *facts = scan->facts;
    scan->attempts--;
    if (scan->tokens.is_doubtful)
        return;
    scan->tokens = place->tokens;
    scan->context = place->context;
    scan->depth = place->depth;
    scan->owner = place->owner;
    scan->counted = place->counted;
    scan->nesting = place->nesting;
    facts->base.reference_count = place->references;
    facts->definition_count = place->definitions;
    facts->base.decorator_count = place->decorators;
    facts->comment_count = place->comments;
    facts->base.string_count = place->strings;
    if (facts->structure) {
        facts->structure->whole_count = place->definitions;
        facts->structure->member_count = place->members;
    }
    undo_removal(facts, place->removal);
    undo_variables(scan->variables, place->variables);
    if (scan->counted == NOWHERE)
        return;
    facts->definitions[scan->counted].complexity = place->complexity;
    facts->definitions[scan->counted].nesting = place->nesting_max;
}

bool end_attempt(ScriptScan *scan, const Checkpoint *place) {
    if (has_failed(scan)) {
        go_back(scan, place);
        return false;
    }
    scan->attempts--;
    return true;
}

ScriptTokens peek(ScriptScan *scan) {
    ScriptTokens tokens = scan->tokens;
    tokens.commented = NULL;
    script_tokens_next(&tokens);
    return tokens;
}

/* What the grammar of the tree takes for the begin of a statement, where the line before has no semicolon. */
bool may_end_here(const ScriptScan *scan) {
    switch (now(scan)) {
    case LEX_NAME: return !is_word(scan, WORD_in) && !is_word(scan, WORD_instanceof);
    case LEX_NUMBER: return scan->tokens.bytes[scan->tokens.start] != '.';
    case LEX_STRING: case LEX_PRIVATE: case LEX_OPEN_BRACE: case LEX_STEP: case LEX_BANG: case LEX_TILDE: case LEX_AT:
        return true;
    default:
        return false;
    }
}

void end_statement(ScriptScan *scan) {
    if (accept(scan, LEX_SEMICOLON) || now(scan) == LEX_CLOSE_BRACE || now(scan) == LEX_END)
        return;
    if (!scan->tokens.newline)
        fail(scan);
    else if (!may_end_here(scan))
        doubt(scan);
}

u32 note_word(ScriptScan *scan, enum ReferenceKind kind, bool is_qualified, enum Shorthand shorthand) {
    Facts *facts = &scan->facts->base;
    /* Where scopes are wanted, so are all names; the tree has a word of its own for that one. */
    bool is_one = scan->variables ? !is_word(scan, WORD_undefined) : is_wanted(facts, token_text(scan));
    if (!is_one)
        return 0;
    add_reference(facts, token_span(scan), kind, is_qualified);
    Reference *row = &facts->references[facts->reference_count - 1];
    row->is_open = kind == REFERENCE_USE;
    row->shorthand = (u8)shorthand;
    row->scope = scan->context.scope;
    row->bound = BOUND_NOT;
    return facts->reference_count;
}

void take_word(ScriptScan *scan, enum ReferenceKind kind, bool is_qualified) {
    if (now(scan) != LEX_NAME || is_reserved(scan->tokens.word)) {
        fail(scan);
        return;
    }
    note_word(scan, kind, is_qualified, SHORT_NONE);
    next(scan);
}

u32 take_member(ScriptScan *scan) {
    if (now(scan) != LEX_NAME && now(scan) != LEX_PRIVATE) {
        fail(scan);
        return 0;
    }
    u32 reference = now(scan) == LEX_NAME ? note_word(scan, REFERENCE_ATTRIBUTE, true, SHORT_NONE) : 0;
    next(scan);
    return reference;
}

void bind_names_since(ScriptScan *scan, u32 references) {
    Facts *facts = &scan->facts->base;
    for (u32 i = references; i < facts->reference_count; i++)
        if (facts->references[i].is_open) {
            facts->references[i].kind = REFERENCE_DEFINITION;
            facts->references[i].is_open = false;
        }
}

void release_names_since(ScriptScan *scan, u32 references) {
    Facts *facts = &scan->facts->base;
    for (u32 i = references; i < facts->reference_count; i++)
        facts->references[i].is_open = false;
}

/* Is it the same wherever it stands? Of reserved words, and of what is no name, the tree has its own opinion. */
static bool is_plain(Text name) {
    enum Word word = find_word(name);
    for (u32 i = 0; i < name.length; i++)
        if (!is_script_letter(name.bytes[i]))
            return false;
    return !name.length || (!is_reserved(word) && word != WORD_undefined && (u8)(name.bytes[0] - '0') >= 10);
}

static bool is_plain_call(const Facts *facts) {
    for (u32 i = 1; i < facts->call_parts; i++)
        for (u32 at = 0; at < facts->call[i].length; at++)
            if (!is_script_letter(facts->call[i].bytes[at]))
                return false;
    return !facts->call_parts || is_plain(facts->call[0]) || text_is(facts->call[0], "this") || text_is(facts->call[0], "super");
}

enum Status collect_script_by_tokens(ScriptFacts *facts) {
    Job *job = facts->base.job;
    if (!is_plain(facts->base.names[0]) || !is_plain(facts->base.names[1]) || !is_plain_call(&facts->base))
        return stop(job, UNSURE, "the name means something else in places", NOWHERE);
    VariableNotes variables = {0};
    ScriptScan scan = {
        .facts = facts,
        .has_types = job->language->id != JAVASCRIPT,
        .has_jsx = job->language->id != TYPESCRIPT,
        .owner = NOWHERE,
        .counted = NOWHERE,
        .origin = NO_ORIGIN,
        .variables = facts->scopes ? &variables : NULL,
        .context.scope = NOWHERE,
        .body_of = NOWHERE,
    };
    open_scope(&scan, SCOPE_FUNCTION, 0);
    script_tokens_begin(&scan.tokens, &job->source, facts->base.wants_definitions ? facts : NULL);
    parse_statements(&scan);
    if (now(&scan) != LEX_END)
        fail(&scan);
    if (now(&scan) == LEX_FAILED)
        return stop(job, UNSURE, "this is not known to be a script", scan.tokens.problem);
    sort_definitions(facts);
    if (facts->scopes)
        fill_scopes(&scan);
    return DONE;
}
