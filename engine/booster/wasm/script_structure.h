/* script_structure.h -- where the parts of a script stand: what both tiers find, and script_structure.c answers. */
#ifndef SCRIPT_STRUCTURE_H
#define SCRIPT_STRUCTURE_H

#include "script_facts.h"

/* Of a definition; while tokens are read, an `end` of 0 is that of a statement which has not ended. */
typedef struct {
    u32 number; /* of the definition */
    enum Stand stand;
    u32 start, own, inner, end;
    Span body;
    u32 rest, parameters_end;
    Span returns;
    bool is_wrapped;
} Whole;

typedef struct {
    u32 number; /* of the definition that it is a member of */
    Text name;
} MemberName;

struct ScriptStructure {
    Whole *wholes;
    u32 whole_count, whole_room;
    MemberName *members;
    u32 member_count, member_room;
};

static inline Whole make_whole(u32 number) {
    static const Span NO_SPAN = {NOWHERE, NOWHERE};
    return (Whole){.number = number, .body = NO_SPAN, .returns = NO_SPAN, .rest = NOWHERE, .parameters_end = NOWHERE};
}

#endif
