/*
 * The end of an IKE SA.  RFC 7296 section 1.4.1.
 */
#ifndef LIB_ENGINE_CLOSE_H
#define LIB_ENGINE_CLOSE_H

#include "lib/engine/private.h"

/* Ends it without another word to the peer. */
void sa_end(struct engine *engine, struct ike_sa *sa);

/* Closes it with a Delete, at once or as soon as the window is free; one that the peer cannot know
 * as established ends at once. */
void sa_close(struct engine *engine, struct ike_sa *sa);

#endif
