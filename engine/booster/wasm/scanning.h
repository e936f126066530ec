/* scanning.h -- included before every grammar's scanner (see build.py): it steps over plain letters as lexers do.
 *
 * Scanners have a function `advance(lexer)`, in which they write `lexer->advance(lexer, false);`. The macro takes the second,
 * which it knows by its two arguments, and leaves the first as it is.
 */
#ifndef SCANNING_H
#define SCANNING_H

#include "lexing.h"

#undef eof /* they ask it in conditions, where the parts of the macro would be torn apart */

#define STEP(lexer, skip) lookahead, step_over(lexer, skip)
#define LEAVE(lexer) advance(lexer)
#define CHOOSE(first, second, chosen, ...) chosen
#define advance(...) CHOOSE(__VA_ARGS__, STEP, LEAVE)(__VA_ARGS__)

#endif
