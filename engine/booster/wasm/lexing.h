/* lexing.h -- included before every grammar (see build.py): its lexer steps over plain letters without calls.
 *
 * tree-sitter's lexers call the core for each letter, through a pointer, and again for the end of each token. What the
 * core does there for ASCII is little: here it stands in line, which saves a sixth of the time of a parse. A line feed,
 * a letter of more bytes and the end of the text are the core's. It relies on what languages.c keeps to: the text is
 * UTF-8, one piece, and all of it is read. The fields are those of tree-sitter 0.26.1, which build.py pins.
 */
#ifndef LEXING_H
#define LEXING_H

#include "lexer.h"

/* The core's own way. */
void step_over_any(TSLexer *lexer, bool skip);

static inline void step_over(TSLexer *lexer, bool skip) {
    Lexer *self = (Lexer *)lexer;
    uint32_t next = self->current_position.bytes + 1 - self->chunk_start;
    if (self->lookahead_size != 1 || lexer->lookahead == '\n' || next >= self->chunk_size || self->chunk[next] < 0) {
        step_over_any(lexer, skip);
        return;
    }
    self->column_data.value += self->column_data.valid;
    self->current_position.bytes++;
    self->current_position.extent.column++;
    if (skip)
        self->token_start_position = self->current_position;
    lexer->lookahead = self->chunk[next];
}

/* Asked before every letter: at the end of the text the letter is 0, and elsewhere it hardly ever is. */
static inline bool is_at_end(const TSLexer *lexer) {
    const Lexer *self = (const Lexer *)lexer;
    return self->current_included_range_index == self->included_range_count;
}

/* What generated lexers write is `eof = lexer->eof(lexer);`. */
#define eof(lexer) lookahead == 0 && is_at_end(lexer)

#undef START_LEXER
#define START_LEXER() \
    bool result = false, skip = false; \
    UNUSED bool eof = false; \
    int32_t lookahead; \
    goto start; \
    next_state: \
    step_over(lexer, skip); \
    start: \
    skip = false; \
    lookahead = lexer->lookahead;

#undef ACCEPT_TOKEN
#define ACCEPT_TOKEN(symbol) \
    result = true; \
    lexer->result_symbol = symbol; \
    ((Lexer *)lexer)->token_end_position = ((Lexer *)lexer)->current_position;

#endif
