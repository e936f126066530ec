/* python_parameters.c -- the parameters of functions and lambdas, and those of types. */
#include "python_scan.h"

/* What was there before a parameter decides what may come. */
typedef struct {
    u32 count;
    bool has_slash, has_star, has_double_star, has_default;
    bool wants_name; /* behind a bare star */
    Names names;
} Parameters;

static void read_annotation(Scan *scan, bool may_star) {
    if (!accept(scan, TOKEN_COLON))
        return;
    scan->strict.annotations++;
    question_if(scan, now(scan) == TOKEN_STAR); /* not in older Pythons */
    if (may_star && accept(scan, TOKEN_STAR))
        read_operands(scan, LEVEL_ARITHMETIC);
    else
        read_expression(scan);
    scan->strict.annotations--;
}

static void read_parameter_name(Scan *scan, Parameters *before) {
    if (now(scan) != TOKEN_NAME) {
        fail(scan);
        return;
    }
    note_name(scan, REFERENCE_DEFINITION, false);
    check_name(scan, &before->names);
    next(scan);
    before->count++;
    before->wants_name = false;
}

static void read_star(Scan *scan, Parameters *before, bool in_lambda) {
    if (before->has_star)
        fail(scan);
    before->has_star = true;
    if (now(scan) == TOKEN_COMMA) {
        before->wants_name = true;
        return;
    }
    read_parameter_name(scan, before);
    if (!in_lambda)
        read_annotation(scan, true);
}

static void read_parameter(Scan *scan, Parameters *before, bool in_lambda) {
    if (before->has_double_star)
        fail(scan);
    if (accept(scan, TOKEN_STAR)) {
        read_star(scan, before, in_lambda);
        return;
    }
    bool is_double_star = accept(scan, TOKEN_DOUBLE_STAR);
    if (is_double_star && before->wants_name)
        fail(scan);
    before->has_double_star = is_double_star;
    read_parameter_name(scan, before);
    if (!in_lambda)
        read_annotation(scan, false);
    if (now(scan) != TOKEN_EQUAL) {
        if (before->has_default && !before->has_star && !is_double_star)
            fail(scan);
        return;
    }
    if (is_double_star)
        fail(scan);
    before->has_default = true;
    next(scan);
    read_expression(scan);
}

static bool is_slash(const Scan *scan) {
    return now(scan) == TOKEN_ARITHMETIC && text_is(token_text(&scan->tokens), "/");
}

static void read_slash(Scan *scan, Parameters *before) {
    if (before->has_slash || before->has_star || before->has_double_star || !before->count)
        fail(scan);
    before->has_slash = true;
    next(scan);
}

u32 read_parameters(Scan *scan, bool in_lambda) {
    enum Token close = in_lambda ? TOKEN_COLON : TOKEN_CLOSE_PAREN;
    Parameters before = {0};
    u32 counted = scan->counted;
    if (!in_lambda)
        scan->counted = NOWHERE;
    while (now(scan) != close && now(scan) != TOKEN_FAILED) {
        if (is_slash(scan))
            read_slash(scan, &before);
        else
            read_parameter(scan, &before, in_lambda);
        if (!accept(scan, TOKEN_COMMA))
            break;
    }
    if (before.wants_name || now(scan) != close)
        fail(scan);
    scan->counted = counted;
    if (!in_lambda && scan->facts->is_strict)
        scan->parameters = before.names;
    return before.count;
}

void read_type_parameters(Scan *scan) {
    if (!accept(scan, TOKEN_OPEN_BRACKET))
        return;
    question(scan); /* not in older Pythons */
    do {
        bool has_star = accept(scan, TOKEN_STAR) || accept(scan, TOKEN_DOUBLE_STAR);
        if (now(scan) != TOKEN_NAME)
            fail(scan);
        else {
            note_name(scan, REFERENCE_DEFINITION, false);
            next(scan);
        }
        if (!has_star && accept(scan, TOKEN_COLON))
            read_expression(scan);
        if (now(scan) == TOKEN_EQUAL)
            fail(scan); /* a default: only the newest Pythons have them */
    } while (accept(scan, TOKEN_COMMA) && now(scan) != TOKEN_CLOSE_BRACKET);
    expect(scan, TOKEN_CLOSE_BRACKET);
}
