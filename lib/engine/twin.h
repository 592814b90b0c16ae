/*
 * Both ends made the same child at once.  RFC 7296 section 2.8.
 */
#ifndef LIB_ENGINE_TWIN_H
#define LIB_ENGINE_TWIN_H

#include "lib/engine/private.h"

/* A child was made: where the other end made the same one at once, one of the two goes.  With
 * siblings that may be in another IKE SA. */
void sa_resolve_twins(struct engine *engine, struct ike_sa *sa, struct child_sa *made);

#endif
