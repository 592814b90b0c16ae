/*
 * Exchanges that cross: all rules of RFC 7296 sections 2.8.1, 2.8.2 and 2.25 stand here.
 *
 *   what the peer asks for while we are about something     a table: goes on, or is put off
 *   the same thing is rekeyed by both                       both succeed; of the two exchanges the
 *                                                           one with the lowest of the four nonces
 *                                                           loses, and whoever asked for it closes
 *                                                           what it made; the other one closes what
 *                                                           was rekeyed
 */
#ifndef LIB_IKEV2_COLLISION_H
#define LIB_IKEV2_COLLISION_H

#include "lib/ikev2/creation.h"

/* Must the peer's request be tried again later (TEMPORARY_FAILURE)?  `ike`: it is for another IKE
 * SA; `old`: for another one of this child, NULL: a new one, or one that is not known. */
bool collision_refuses(const struct ike_sa *sa, bool ike, const struct child_sa *old);

/* Tells an exchange (NULL is harmless) what to hold itself against when it is done, if the other
 * end's, which gets to its end first, crosses it: both are about the same thing. */
void collision_note(struct creation *creation, const struct creation *rival);

/* The lower of an exchange's two nonces (RFC 7296 section 2.8.1). */
struct slice lower_nonce(const struct creation *creation);

/* Is `a` lower than `b`, octet by octet? */
bool nonce_below(struct slice a, struct slice b);

/* A child is rekeyed by us, by the peer, or by both at once: marks who leaves. */
void collision_child_made(struct context *context, struct ike_sa *sa,
                          const struct creation *creation, struct child_sa *made);

/* The IKE SA is rekeyed by us, by the peer, or by both at once. */
void collision_ike_made(struct context *context, struct ike_sa *sa, struct creation *creation);

/* `heir` gets all that `from` had. */
void collision_inherit(struct context *context, struct ike_sa *from, struct ike_sa *heir);

/* `from` has no children any more; the peer closes it, or time does. */
void collision_await_delete(struct context *context, struct ike_sa *sa);

#endif
