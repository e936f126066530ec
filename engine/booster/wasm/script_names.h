/* script_names.h -- filling in the tables of script_scopes.h while the tree is walked. */
#ifndef SCRIPT_NAMES_H
#define SCRIPT_NAMES_H

#include "script_scopes.h"

u32 add_scope(ScriptScopes *scopes, u32 outer, bool is_function);
void bind_name(ScriptScopes *scopes, Text name, Binder binder);
void add_name_place(ScriptScopes *scopes, Text name, u32 start, u32 scope, bool writes);
void add_variables(ScriptScopes *scopes, Variables variables);
u32 add_declarator(ScriptScopes *scopes, u32 variables, Declarator declarator);
void add_call(ScriptScopes *scopes, u32 start, u32 scope);
/* `require(...)`: what is required knows nothing of the functions here, unless they were exported before. */
void add_require(ScriptScopes *scopes, u32 start, u32 scope);
/* A function declared in a block; `outer` is the scope around that. */
void add_block_function(ScriptScopes *scopes, Text name, u32 outer);

#endif
