/*
 * What others do to the kernel's tables: hearing of it, looking now and then, and putting back.
 *
 * Policies that are gone or changed are put back at once, by the keeper itself.  SAs cannot be: the
 * engine is told that they are gone, and negotiates anew.  What the kernel says is not all (its
 * notices can be lost), so the tables are looked through every AUDIT_PERIOD_MS, a few entries at a
 * time.  Whoever removes policies for ever is not fought faster than AUDIT_REPAIR_MS.
 * Not here: what an earlier keeper left (upkeep.h), what the kernel does by itself.
 */
#ifndef IKED_KEEPER_AUDIT_H
#define IKED_KEEPER_AUDIT_H

#include "iked/keeper/xfrm/kernel.h"

#define AUDIT_PERIOD_MS   60000
#define AUDIT_REPAIRS_MAX 8    /* after a quiet time, before ... */
#define AUDIT_REPAIR_MS   5000 /* ... one in so long */

struct service;

enum audit_stage { AUDIT_IDLE, AUDIT_SAS, AUDIT_POLICIES };

/* What was found wrong, for one line. */
struct audit_finding {
    size_t count;
    char first[256];
};

struct audit {
    enum audit_stage stage;
    bool stage_begins;
    uint64_t next_ms;   /* when the next look through the tables begins, 0: not known yet */
    uint64_t credit_ms; /* of repairs: AUDIT_REPAIR_MS are one */
    uint64_t counted_ms;
    bool repair_due; /* policies are missing, and there was no credit */
    bool fought;     /* that was said */
    enum { REPAIR_UNKNOWN, REPAIR_NOW, REPAIR_LATER } repair; /* of the notices under way */
    uint16_t bypasses;             /* those of KERNEL_SET_BYPASS that were seen, a bit for each */
    struct audit_finding policies; /* gone or changed */
    struct audit_finding sas;      /* gone */
    struct audit_finding foreign;  /* others' policies that go before ours */
    struct audit_finding foreign_said; /* what was said of those last ... */
    uint64_t foreign_ms;               /* ... and when */
};

/* Whoever shows himself the kernel's tables (upkeep.c) begins with this: a look that is under way
 * will begin anew. */
void audit_begin(struct service *service);

/* A notice of what others did. */
void audit_notice(struct service *service, const struct kernel_notice *notice);

/* After the last of the notices that came together: what was found is said. */
void audit_notices_end(struct service *service);

/* Notices were lost: what of policies may have been among them is looked for. */
void audit_lost(struct service *service);

/* A few steps of the look through the tables; to be called every UPKEEP_PERIOD_S. */
void audit_tick(struct service *service);

/* At the start each policy of the kernel's is shown; then what others have that goes before ours is
 * told. */
void audit_start(struct service *service, const struct kernel_piece *found);
void audit_started(struct service *service);

#endif
