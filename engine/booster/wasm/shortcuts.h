/* shortcuts.h -- the ways through tree-sitter's core that a parse takes most, made shorter; a part of tree_sitter_core.c.
 *
 * With these a parse takes four fifths of the time. Each gives what the core's own function gives, and where its case is
 * not the plain one it asks that: its name ends with `_any`. They count on what languages.c keeps to (the text is UTF-8, one piece, all of it is
 * read) and on the fields of tree-sitter 0.26.1, which build.py pins.
 */

/* What a state does with a symbol stands in lists that are searched from the start: a fifth of the time of a parse. The same
 * few hundred pairs come again and again, so what was found is kept, at a place that follows from the pair. */
#define FOUND_MAX 2048u

static struct {
    const TSLanguage *language;
    uint32_t pairs[FOUND_MAX];
    uint16_t values[FOUND_MAX];
} found;

static inline uint16_t look_up(const TSLanguage *language, TSStateId state, TSSymbol symbol) {
    if (state < language->large_state_count)
        return language->parse_table[state * language->symbol_count + symbol];
    if (found.language != language) {
        memset(found.pairs, 0, sizeof found.pairs); /* state 0 is a large one: no pair is 0 */
        found.language = language;
    }
    uint32_t pair = (uint32_t)state << 16 | symbol, place = (state * 23u + symbol) % FOUND_MAX;
    if (found.pairs[place] != pair) {
        found.values[place] = ts_language_lookup(language, state, symbol);
        found.pairs[place] = pair;
    }
    return found.values[place];
}

/* Steps back by some nodes where the stack has one way back only, without iterators and callbacks. */
StackSliceArray ts_stack_pop_count(Stack *self, StackVersion version, uint32_t count) {
    StackNode *top = array_get(&self->heads, version)->node, *node = top;
    uint32_t length = 0;
    for (uint32_t left = count; left; length++) {
        if (node->link_count != 1 || !node->links[0].subtree.ptr)
            return pop_count_any(self, version, count);
        left -= !ts_subtree_extra(node->links[0].subtree);
        node = node->links[0].node;
    }
    SubtreeArray subtrees = array_new();
    /* With the room for the node that they become the children of. */
    array_reserve(&subtrees, (uint32_t)(ts_subtree_alloc_size(length) / sizeof(Subtree)));
    subtrees.size = length;
    node = top;
    while (length) {
        Subtree subtree = node->links[0].subtree;
        ts_subtree_retain(subtree);
        subtrees.contents[--length] = subtree;
        node = node->links[0].node;
    }
    array_clear(&self->slices);
    ts_stack__add_slice(self, version, node, &subtrees);
    return self->slices;
}

/* A stack's node has room for eight ways back, and gets one. */
void ts_stack_push(Stack *self, StackVersion version, Subtree subtree, bool is_pending, TSStateId state) {
    StackHead *head = array_get(&self->heads, version);
    StackNode *before = head->node;
    if (!subtree.ptr) {
        push_any(self, version, subtree, is_pending, state);
        return;
    }
    StackNode *node = self->node_pool.size ? array_pop(&self->node_pool) : ts_malloc(sizeof *node);
    node->state = state;
    node->position = length_add(before->position, ts_subtree_total_size(subtree));
    node->links[0] = (StackLink){.node = before, .subtree = subtree, .is_pending = is_pending};
    node->link_count = 1;
    node->ref_count = 1;
    node->error_cost = before->error_cost + ts_subtree_error_cost(subtree);
    node->node_count = before->node_count + stack__subtree_node_count(subtree);
    node->dynamic_precedence = before->dynamic_precedence + ts_subtree_dynamic_precedence(subtree);
    head->node = node;
}

/* A plain letter needs no decoding, and a place within the text no search for the range that it is in. */
void ts_lexer_reset(Lexer *self, Length position) {
    if (position.bytes == self->current_position.bytes)
        return;
    if (!self->chunk || position.bytes - self->chunk_start >= self->chunk_size) {
        reset_any(self, position);
        return;
    }
    ts_lexer__invalidate_column_data(self);
    self->current_position = position;
    self->lookahead_size = 0;
    self->data.lookahead = '\0';
}

void ts_lexer_start(Lexer *self) {
    uint32_t at = self->current_position.bytes - self->chunk_start;
    if (self->lookahead_size || !self->current_position.bytes || at >= self->chunk_size || self->chunk[at] < 0) {
        start_any(self);
        return;
    }
    self->token_start_position = self->current_position;
    self->token_end_position = LENGTH_UNDEFINED;
    self->data.result_symbol = 0;
    self->did_get_column = false;
    self->data.lookahead = self->chunk[at];
    self->lookahead_size = 1;
}
