/*
 * What host.c and world.c share; tests include world.h.
 */
#ifndef TEST_COMMON_HOST_H
#define TEST_COMMON_HOST_H

#include "lib/sa/ike_sa.h"
#include "test/common/world.h"

void host_init(struct host *host, struct world *world, const char *name, size_t index);
void host_clear(struct host *host);

/* Takes out all effects of the engine and carries them out, or queues them as work. */
void host_drain(struct host *host);

/* A report, the engine's or the keeper's. */
void host_report(struct host *host, const struct effect *effect);

/* For later: an effect, or (NULL) that the engine has its configuration. */
void host_queue(struct host *host, struct effect *effect);

/* What the kernel says goes to the engine, if it runs. */
void host_tell(struct host *host, const struct kernel_event *event);
void host_answer(struct host *host, struct answer *answer);
uint64_t host_now_ms(const struct host *host);

/* --- host_keeper.c --- */

void keeper_init(struct host *host);
void keeper_clear(struct host *host);

/* The keeper's process begins, or ends.  The secrets stay: they are the file's. */
void keeper_start(struct host *host, struct config *config);
void keeper_end(struct host *host);

/* The kernel has forgotten what it had. */
void keeper_forget(struct host *host);

/* Reads a configuration.  What was offered before is committed by now. */
void keeper_offer(struct host *host, struct config *config);
bool keeper_awaits_commit(const struct host *host);

/* Work for the gate: gathered until keeper_flush. */
void keeper_take(struct host *host, struct effect *effect);
void keeper_commit(struct host *host);
void keeper_flush(struct host *host);

void keeper_resolve(struct host *host, struct effect *effect);

/* Hears what the kernel has to say. */
void keeper_hear(struct host *host);

/* The engine is gone. */
void keeper_session_over(struct host *host);

/* A second has passed. */
void keeper_tick(struct host *host);

/* --- */

void host_packet(struct host *host, const struct flight *flight);

/* A packet that verified came in from somewhere else than its SA says. */
void host_mapping(struct host *host, const struct fake_sa *sa, const struct address *source);

/* A limit of a child is reached: a soft one makes a new child, a hard one ends it. */
void host_expire(struct host *host, const struct child_sa *child, bool hard);

uint64_t host_next_ms(struct host *host);

/* Does one thing that is due; false when nothing is. */
bool host_step(struct host *host);

void world_send(struct world *world, const struct effect_send *send);
void world_send_traffic(struct world *world, const struct fake_sa *sa,
                        const struct selector *source, const struct selector *destination);

#endif
