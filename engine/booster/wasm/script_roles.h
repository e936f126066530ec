/* script_roles.h -- what an identifier in the tree of a script stands for, by its place. */
#ifndef SCRIPT_ROLES_H
#define SCRIPT_ROLES_H

#include "script_facts.h"

/* What a node stands for, and names directly in it. */
enum ScriptRole {
    SCRIPT_USE,
    SCRIPT_BIND,      /* declared, a parameter, the target of an assignment */
    SCRIPT_CALL,
    SCRIPT_ATTRIBUTE, /* after a dot, a key, a name for others */
    SCRIPT_IMPORT,
    SCRIPT_FOREIGN,   /* what another module calls it */
    SCRIPT_NO_NAME,   /* no reference at all */
};

/* A child by its place in its parent. */
typedef struct {
    enum Kind parent;
    enum ScriptRole role; /* of the parent */
    enum Kind kind;
    TSFieldId field;
    u32 index;        /* among the named children */
    bool is_foreign;  /* in an export from another module */
    bool is_global;   /* the name of `export as namespace` */
    u8 letter;        /* its first byte */
} ScriptPosition;

enum ScriptRole find_script_role(const Language *language, ScriptPosition position);
/* Notes an identifier that is wanted. */
void note_script_reference(Facts *facts, Span span, enum ScriptRole role, enum Shorthand shorthand);

#endif
