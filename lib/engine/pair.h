/*
 * Several children of one configured, each for a part of its traffic.  RFC 7296 section 2.9.
 */
#ifndef LIB_ENGINE_PAIR_H
#define LIB_ENGINE_PAIR_H

#include "lib/engine/private.h"

/* Of a configured child that stands something is not covered: what the first packet of it would ask
 * for is asked for, since the operator wants it. */
void pair_ask_rest(struct engine *engine, struct link *link, const struct child_config *config);

/* A packet of a configured child that stands is not covered by what stands of it: the peer has
 * narrowed that away.  One more child is asked for, with the pair that holds the packet. */
void pair_ask(struct engine *engine, struct link *link, const struct kernel_event *event,
              const struct child_config *config);

/* The child that is to be made with a pair, when nothing else is to be done; NULL: none. */
const struct child_config *pair_task(struct engine *engine, struct ike_sa *sa);

/* SINGLE_PAIR_REQUIRED: the pair of the packet (NULL: the first one) is to be asked for next.
 * False when memory is out. */
bool pair_single(struct ike_sa *sa, const struct child_config *config, const struct packet *packet);

/* What has become of a child that was asked for with a pair. */
void pair_made(struct engine *engine, struct link *link, struct ike_sa *sa, struct child_sa *made,
               const struct packet *packet);

void pair_refused(struct engine *engine, struct link *link, const struct packet *packet,
                  const char *why);

/* A configured child all of whose pairs were to be up, and of which the peer takes one pair each:
 * which pair is missing?  False: none. */
bool pair_is_missing(const struct link *link, char *text, size_t size);

/* Are all pairs of the child covered? */
bool pairs_are_covered(const struct ike_sa *sa, const struct child_config *config);

/* "child n: 10.3.0.0/16 === 10.2.0.0/16: TS_UNACCEPTABLE"; NULL: all is well. */
char *pair_text(const struct link *link, char *text, size_t size);

void pairs_forget(struct link *link);

#endif
