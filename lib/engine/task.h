/*
 * What an established IKE SA is to do next.
 */
#ifndef LIB_ENGINE_TASK_H
#define LIB_ENGINE_TASK_H

#include "lib/engine/private.h"

/* Starts the next thing that the SA is to do, when nothing is under way.  May free the SA. */
void sa_wishes(struct engine *engine, struct ike_sa *sa);

/* The SA's timer for what was put off. */
void sa_later(struct engine *engine, struct ike_sa *sa);

/* The answer to a held outbound SA's release: without it the child is made anew.  False when it is
 * another one. */
bool sa_released(struct engine *engine, struct ike_sa *sa, const struct answer *answer);

#endif
