/* python_groups.c -- what stands in brackets: groups, tuples, lists, sets, dictionaries, comprehensions, arguments,
 * subscripts. */
#include "python_scan.h"

static Value close_group(Scan *scan, u32 references) {
    release_names(scan, references);
    return (Value){.form = FORM_OTHER, .references = references};
}

bool read_comprehension(Scan *scan) {
    if (now(scan) != TOKEN_FOR && now(scan) != TOKEN_ASYNC)
        return false;
    while (now(scan) == TOKEN_FOR || now(scan) == TOKEN_ASYNC) {
        question_if(scan, now(scan) == TOKEN_ASYNC || scan->strict.walruses || scan->strict.yields);
        scan->strict.comprehensions++;
        accept(scan, TOKEN_ASYNC);
        expect(scan, TOKEN_FOR);
        count_branches(scan, 1);
        read_targets(scan);
        expect(scan, TOKEN_IN);
        read_operands(scan, LEVEL_LOGIC);
        while (accept(scan, TOKEN_IF)) {
            count_branches(scan, 1);
            read_operands(scan, LEVEL_LOGIC);
        }
    }
    return true;
}

/* An element of a list, tuple or set. */
static Value read_element(Scan *scan) {
    return read_walrus(scan, read_starred(scan));
}

/* The elements behind the first one, up to the closing bracket. */
static Value read_more_elements(Scan *scan, Value first, enum Token close, u32 references) {
    bool are_targets = is_target(first);
    Value list = {.form = FORM_LIST, .references = references, .has_star = first.is_starred || first.has_star};
    while (accept(scan, TOKEN_COMMA) && now(scan) != close) {
        Value value = read_element(scan);
        are_targets &= is_target(value);
        list.has_stars |= list.has_star && (value.is_starred || value.has_star);
        list.has_star |= value.is_starred || value.has_star;
    }
    expect(scan, close);
    return are_targets ? list : close_group(scan, references);
}

/* An element that may be an item of `with`. */
static Value read_with_element(Scan *scan, WithItems *items) {
    Value value = read_starred(scan);
    bool is_other = value.is_starred || now(scan) == TOKEN_WALRUS;
    value = read_walrus(scan, value);
    items->has_others |= is_other;
    if (!is_other && accept(scan, TOKEN_AS)) {
        u32 references = scan->facts->reference_count;
        if (!is_target(read_primary(scan)))
            fail(scan);
        bind_names(scan, references);
        items->has_as = true;
    }
    return value;
}

/* The items of a `with` in parentheses, from behind the first on. */
static Value read_with_items(Scan *scan, WithItems *items, u32 references) {
    while (accept(scan, TOKEN_COMMA) && now(scan) != TOKEN_CLOSE_PAREN)
        read_with_element(scan, items);
    expect(scan, TOKEN_CLOSE_PAREN);
    if (items->has_as && items->has_others)
        fail(scan); /* `with (a as b, *c)` */
    return close_group(scan, references);
}

/* A group in parentheses without a comma is what is in it. */
static Value read_group_end(Scan *scan, Value value) {
    expect(scan, TOKEN_CLOSE_PAREN);
    if (value.is_starred)
        fail(scan); /* `(*a)` */
    value.has_parentheses = true;
    return value;
}

static Value read_in_parentheses(Scan *scan, WithItems *items, u32 references) {
    if (accept(scan, TOKEN_CLOSE_PAREN))
        return (Value){.form = FORM_LIST, .references = references};
    if (now(scan) == TOKEN_YIELD) {
        question_if(scan, scan->strict.comprehensions);
        scan->strict.yields++;
        read_yield_or_expressions(scan);
        expect(scan, TOKEN_CLOSE_PAREN);
        return close_group(scan, references);
    }
    Value value = items ? read_with_element(scan, items) : read_element(scan);
    bool has_as = items && items->has_as;
    if (!has_as && !value.is_starred && read_comprehension(scan)) {
        expect(scan, TOKEN_CLOSE_PAREN);
        return close_group(scan, references);
    }
    if (items && (has_as || now(scan) == TOKEN_COMMA))
        return read_with_items(scan, items, references);
    if (now(scan) == TOKEN_COMMA)
        return read_more_elements(scan, value, TOKEN_CLOSE_PAREN, references);
    return read_group_end(scan, value);
}

Value read_parentheses(Scan *scan, WithItems *items) {
    u32 references = scan->facts->reference_count;
    if (!descend(scan))
        return close_group(scan, references);
    next(scan);
    Value value = read_in_parentheses(scan, items, references);
    ascend(scan);
    return value;
}

Value read_list(Scan *scan) {
    u32 references = scan->facts->reference_count;
    if (!descend(scan))
        return close_group(scan, references);
    next(scan);
    Value value = {.form = FORM_LIST, .references = references};
    if (!accept(scan, TOKEN_CLOSE_BRACKET)) {
        value = read_element(scan);
        if (!value.is_starred && read_comprehension(scan)) {
            expect(scan, TOKEN_CLOSE_BRACKET);
            value = close_group(scan, references);
        } else
            value = read_more_elements(scan, value, TOKEN_CLOSE_BRACKET, references);
    }
    ascend(scan);
    return value;
}

/* One pair of a dictionary, or `**` and an expression; true if it was a pair. */
static bool read_pair(Scan *scan) {
    if (accept(scan, TOKEN_DOUBLE_STAR)) {
        read_operands(scan, LEVEL_ARITHMETIC);
        return false;
    }
    read_expression(scan);
    expect(scan, TOKEN_COLON);
    read_expression(scan);
    return true;
}

static void read_pairs(Scan *scan) {
    while (accept(scan, TOKEN_COMMA) && now(scan) != TOKEN_CLOSE_BRACE)
        read_pair(scan);
}

static void read_in_braces(Scan *scan) {
    if (now(scan) == TOKEN_CLOSE_BRACE)
        return;
    if (now(scan) == TOKEN_DOUBLE_STAR) {
        read_pair(scan);
        read_pairs(scan);
        return;
    }
    Value value = read_starred(scan);
    if (!value.is_starred && accept(scan, TOKEN_COLON)) {
        read_expression(scan);
        if (!read_comprehension(scan))
            read_pairs(scan);
        return;
    }
    value = read_walrus(scan, value);
    if (!value.is_starred && read_comprehension(scan))
        return;
    while (accept(scan, TOKEN_COMMA) && now(scan) != TOKEN_CLOSE_BRACE)
        read_element(scan);
}

Value read_braces(Scan *scan) {
    u32 references = scan->facts->reference_count;
    if (!descend(scan))
        return close_group(scan, references);
    next(scan);
    read_in_braces(scan);
    expect(scan, TOKEN_CLOSE_BRACE);
    ascend(scan);
    return close_group(scan, references);
}

/* What was there before an argument decides what may come. */
typedef struct {
    bool named, double_starred;
    u32 count;
    Names names;
} Arguments;

/* `name=...`; the name is read. It is no reference to a variable. */
static void read_named_argument(Scan *scan, Value name) {
    if (name.form != FORM_NAME || name.has_parentheses)
        fail(scan);
    if (name.reference) {
        Reference *row = &scan->facts->references[name.reference - 1];
        row->kind = REFERENCE_ATTRIBUTE;
        row->is_qualified = true;
        row->is_open = false;
    }
    next(scan);
    read_expression(scan);
}

static void read_argument(Scan *scan, Arguments *before, bool in_class) {
    if (accept(scan, TOKEN_DOUBLE_STAR)) {
        before->double_starred = true;
        read_expression(scan);
        return;
    }
    if (accept(scan, TOKEN_STAR)) {
        if (before->double_starred || (before->named && in_class))
            fail(scan);
        read_expression(scan);
        return;
    }
    Tokens first = scan->tokens;
    Value value = read_expression(scan);
    if (now(scan) == TOKEN_EQUAL) {
        before->named = true;
        if (scan->facts->is_strict) {
            Tokens here = scan->tokens;
            scan->tokens = first;
            check_name(scan, &before->names);
            scan->tokens = here;
        }
        read_named_argument(scan, value);
        return;
    }
    read_walrus(scan, value);
    if (before->named || before->double_starred)
        fail(scan);
    /* A generator without parentheses is the only argument. */
    if (read_comprehension(scan) && (before->count || now(scan) != TOKEN_CLOSE_PAREN || in_class))
        fail(scan);
}

void read_arguments(Scan *scan, bool in_class) {
    u32 references = scan->facts->reference_count;
    Arguments before = {0};
    if (!descend(scan))
        return;
    while (now(scan) != TOKEN_CLOSE_PAREN && now(scan) != TOKEN_FAILED) {
        read_argument(scan, &before, in_class);
        before.count++;
        if (!accept(scan, TOKEN_COMMA))
            break;
    }
    expect(scan, TOKEN_CLOSE_PAREN);
    release_names(scan, references);
    ascend(scan);
}

/* An item or a slice. */
static void read_slice(Scan *scan) {
    if (now(scan) == TOKEN_STAR) {
        question(scan); /* not in older Pythons */
        read_starred(scan);
        return;
    }
    if (now(scan) != TOKEN_COLON) {
        Value value = read_expression(scan);
        if (now(scan) == TOKEN_WALRUS) {
            read_walrus(scan, value);
            return; /* no part of a slice */
        }
    }
    for (u32 colons = 0; colons < 2 && accept(scan, TOKEN_COLON); colons++)
        if (now(scan) != TOKEN_COLON && now(scan) != TOKEN_COMMA && now(scan) != TOKEN_CLOSE_BRACKET)
            read_expression(scan);
}

void read_subscript(Scan *scan) {
    if (!descend(scan))
        return;
    do
        read_slice(scan);
    while (accept(scan, TOKEN_COMMA) && now(scan) != TOKEN_CLOSE_BRACKET);
    expect(scan, TOKEN_CLOSE_BRACKET);
    ascend(scan);
}
