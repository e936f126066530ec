/* tree_sitter_core.c -- the core of tree-sitter as one unit; its sources come by -I (see build.py).
 *
 * Left out are alloc.c, because the arena allocates, and the printing of debug output: stdio would
 * give the module imports. wasm_store.c is compiled to nothing without its feature flag.
 */
#include <stdio.h>

#undef fprintf
#undef fputs
#undef fputc
#undef snprintf
#undef vsnprintf
#undef fclose
#undef fdopen
#define fprintf(...) ((void)0)
#define fputs(...) ((void)0)
#define fputc(...) ((void)0)
#define snprintf(...) 0
#define vsnprintf(...) 0
#define fclose(...) ((void)0)
#define fdopen(...) ((FILE *)0)

#include "get_changed_ranges.c"
#include "language.c"
#include "lexer.c"
#include "node.c"
#include "parser.c"
#include "point.c"
#include "query.c"
#include "stack.c"
#include "subtree.c"
#include "tree.c"
#include "tree_cursor.c"
#include "wasm_store.c"
