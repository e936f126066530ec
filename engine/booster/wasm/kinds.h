/* kinds.h -- the names of the nodes and fields that the operations know, over all languages. */
#ifndef KINDS_H
#define KINDS_H

#define NODE_KINDS(X) \
    X(comment) X(identifier) X(module) X(program)

#define NODE_FIELDS(X) \
    X(body) X(name)

enum Kind {
    KIND_none = 0,
#define X(name) KIND_##name,
    NODE_KINDS(X)
#undef X
    KIND_COUNT
};

enum Field {
#define X(name) FIELD_##name,
    NODE_FIELDS(X)
#undef X
    FIELD_COUNT
};

_Static_assert(KIND_COUNT < 256, "kinds are kept in bytes");

#endif
