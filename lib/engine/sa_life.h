/*
 * The life of an IKE SA between its messages: established, refused, failed, dead.
 */
#ifndef LIB_ENGINE_SA_LIFE_H
#define LIB_ENGINE_SA_LIFE_H

#include "lib/engine/private.h"

/* After every event of an SA: status and reason of what happened to it.  May free it. */
void sa_settle(struct engine *engine, struct ike_sa *sa, enum status status, struct reason *reason);

/* A responder's attempt was answered by an error: the answer stays for a while, to be repeated. */
void sa_refused(struct engine *engine, struct ike_sa *sa);

/* Its timer `expire` is due.  May free the SA. */
void sa_expire(struct engine *engine, struct ike_sa *sa);

/* A request of ours was never answered.  May free the SA. */
void sa_unanswered(struct engine *engine, struct ike_sa *sa, struct reason *reason);

#endif
