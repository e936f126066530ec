/* script_scopes.h -- which variable each name of a script stands for; the rules are those of
 * engine/agents/code/ecmascript/scopes.py.
 *
 * Names of types are looked up like those of values, which makes more references than there are, never fewer.
 */
#ifndef SCRIPT_SCOPES_H
#define SCRIPT_SCOPES_H

#include "script_facts.h"

/* What is bound in a function or block. */
typedef struct {
    u32 outer;      /* the scope around, or NOWHERE */
    u32 function;   /* the function that it is in, or itself */
    u32 first_call; /* where something is first called in the function itself, or NOWHERE */
    bool is_hoisted; /* a function that can be called before its place */
    bool is_shared;  /* a namespace or `declare global`: others may write to its variables */
} Scope;

/* A variable of one scope. */
typedef struct {
    Text name;
    u32 scope, declarations;
    u32 chained;         /* the next with the same hash, or NOWHERE */
    u32 first_reference; /* or NOWHERE */
    bool is_single;      /* another declaration of the name in the same scope is an error */
} Binding;

/* A place that reads or writes a variable. */
typedef struct {
    Text name;
    u32 start, scope;
    u32 next; /* of the same variable, or NOWHERE */
    bool writes;
} NamePlace;

/* `a = 1` in a declaration, or the head of a for in or for of. */
typedef struct {
    Span span;
    u32 first_bound; /* what it binds, or NOWHERE */
    u32 next;        /* of the same declaration, or NOWHERE */
    bool has_value, is_function;
} Declarator;

typedef struct {
    u32 binding, next;
} Bound;

enum Declaring { DECLARING_OTHER, DECLARING_VAR, DECLARING_LET };

/* A statement or head of a loop that declares variables. */
typedef struct {
    u32 start, scope;
    u32 head_end;           /* in the head of a for in or for of: where what it goes through ends, else NOWHERE */
    u32 first, last;        /* its declarators */
    enum Declaring word;
    enum Kind parent;
    bool is_body;           /* it is the body of a loop or the like, without braces */
    bool in_loop;           /* the loop whose head it is does not count */
    bool is_ambient;
} Variables;

/* A call, or a name of a function in a block, kept until all is known. */
typedef struct {
    Text name;
    u32 start, scope;
} Waiting;

struct ScriptScopes {
    Scope *scopes;
    u32 scope_count, scope_room;
    Binding *bindings;
    u32 binding_count, binding_room;
    u32 *heads; /* the bindings by hash */
    u32 head_count;
    NamePlace *places;
    u32 place_count, place_room;
    Variables *variables;
    u32 variables_count, variables_room;
    Declarator *declarators;
    u32 declarator_count, declarator_room;
    Bound *bounds;
    u32 bound_count, bound_room;
    Waiting *requires, *block_functions;
    u32 require_count, require_room, block_function_count, block_function_room;
    u32 exports_at; /* where the file is first offered to others, or NOWHERE */
    u32 twice;      /* names that are declared again where that is an error */
    bool is_module; /* its variables at the top are its own */
    bool is_dark;   /* in it a name may mean what nobody sees */
    bool is_strict; /* `await` and `yield` where they may not stand are doubtful */
};

/* What the names in a declaring place are bound as. */
typedef struct {
    u32 scope;      /* that they are bound in, or NOWHERE: nothing is declared here */
    u32 declarator; /* or NOWHERE */
    bool is_single;
} Binder;

/* Where a node stands. */
typedef struct {
    u32 scope, inner; /* the one it stands in, and that of what is in it */
    u32 variables;    /* of a declaration, or NOWHERE */
    Binder binder;
    bool is_function;       /* it begins the scope of a function */
    bool may_await, may_yield;
    bool in_loop, has_loop; /* up to the function around: it stands in a loop; the same, or it is one */
    bool is_ambient;
} Standing;

ScriptScopes begin_scopes(void);
/* After the walk: finds the variable of each name, and the first calls. */
void settle_scopes(ScriptScopes *scopes);
/* The variable that a name stands for, or NOWHERE if it is not bound in the file. */
u32 find_binding(const ScriptScopes *scopes, u32 scope, Text name);
/* Is it bound in that scope itself? */
bool is_bound_in(const ScriptScopes *scopes, u32 scope, Text name);

#endif
