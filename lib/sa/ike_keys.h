/*
 * The keys of an IKE SA.
 */
#ifndef LIB_SA_IKE_KEYS_H
#define LIB_SA_IKE_KEYS_H

#include "lib/sa/ike_sa.h"

/* Where the seven keys of RFC 7296 section 2.14 lie in ike_sa.keys. */
enum ike_key { KEY_D, KEY_AI, KEY_AR, KEY_EI, KEY_ER, KEY_PI, KEY_PR, KEY_COUNT };

/* A slice of sa->keys; empty when it is there no more (ike_sa_end_handshake). */
struct slice ike_sa_key(const struct ike_sa *sa, enum ike_key key);

/* Octets that the keys before `end` take for a suite; KEY_COUNT: all seven. */
size_t ike_keys_size(const struct suite *suite, enum ike_key end);

#endif
