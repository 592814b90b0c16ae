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
