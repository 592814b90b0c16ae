/*
 * What the keeper does unasked: passes the kernel's notices on, keeps the ledger true, and lets no
 * orphan and no forgotten policy stay for ever.
 *
 * Orphans are SAs of an earlier session: of a negotiator that died, or of an earlier keeper.  They
 * carry traffic until the new engine has replaced them (EFFECT_REMOVE_ORPHANS), their connection
 * is gone, or UPKEEP_ORPHAN_MS have passed.
 * Not here: requests (service.h), starting negotiators (session.h).
 */
#ifndef IKED_KEEPER_UPKEEP_H
#define IKED_KEEPER_UPKEEP_H

#include "iked/keeper/service.h"

#define UPKEEP_ORPHAN_MS  600000
#define UPKEEP_ACQUIRE_MS 1000 /* at most one per child in this time */
#define UPKEEP_MAPPING_MS 1000 /* at most one per SA in this time */
#define UPKEEP_PERIOD_S   1

/* At start: what an earlier keeper left becomes orphans, or goes when its child is gone. */
void upkeep_adopt(struct service *service, uint64_t now_ms);

/* Only what policies there are, nothing is changed. */
void upkeep_adopt_policies(struct service *service);

/* Reads what the kernel has to say. */
void upkeep_notices(struct service *service, uint64_t now_ms);

/* An SA is not in the kernel any more: the engine is told, and the ledger forgets it. */
void upkeep_sa_gone(struct service *service, struct sa_record *sa);

/* A negotiator died: its SAs are orphans now, its bare SPIs go. */
void upkeep_session_over(struct service *service, uint64_t now_ms);

/* Tells a new negotiator about the orphans. */
void upkeep_tell_orphans(struct service *service);

/* The engine runs the newest configuration.  With a session's first commit, acquires that nobody
 * heard are found again. */
void upkeep_committed(struct service *service, uint64_t now_ms);

/* To be called every UPKEEP_PERIOD_S. */
void upkeep_tick(struct service *service, uint64_t now_ms);

/* Removes the policies that are this keeper's own, not what an earlier one left. */
void upkeep_yield(struct service *service);

/* Removes all SAs, and the policies if asked to. */
void upkeep_clear(struct service *service, bool policies);

#endif
