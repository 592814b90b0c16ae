/*
 * Admission: which first messages of strangers may make state here, and which unprotected errors
 * may leave.
 *
 * Not here: how a protocol asks for the proof (lib/ikev2/cookie.h), the table of half-open SAs.
 */
#ifndef LIB_SA_ADMISSION_H
#define LIB_SA_ADMISSION_H

#include "lib/base/address.h"
#include "lib/base/slice.h"
#include "lib/sa/context.h"
#include "lib/sa/timer.h"

#define ADMISSION_SECRET_SIZE 16
#define ADMISSION_TOKEN_SIZE  17 /* version | two keyed hashes */

/* Events in the second that began at start_ms. */
struct second {
    uint64_t start_ms;
    uint32_t count;
};

/* Unprotected errors, by what they answer: each kind has an allowance of its own. */
enum error_kind { ERROR_TO_FIRST, ERROR_TO_STRAY, ERROR_KIND_COUNT };

#define ADMISSION_SOURCES 1024 /* a power of two */

struct admission {
    uint8_t secrets[2][2 * ADMISSION_SECRET_SIZE]; /* the running one and the one before */
    uint8_t version;
    uint64_t rotated_ms;
    bool flooded;      /* everybody is to prove himself, until it has been quiet for a while */
    struct timer calm; /* looks every second whether it is */
    uint32_t quiet_s;  /* for how long it has been */
    uint32_t asked;    /* for proofs in this second ... */
    uint32_t returned; /* ... and how many came back */
    struct second errors[ERROR_KIND_COUNT];
    struct second errors_to[ADMISSION_SOURCES]; /* by source; some sources share one */
    struct second reports;
};

void admission_init(struct context *context);

enum admission_verdict {
    ADMISSION_NONE,   /* a cap is reached: silence; it is counted */
    ADMISSION_PROVEN, /* only whoever proves that he is at his address */
    ADMISSION_ALL,
};

/* May a first message from `remote`, of which only the header was read, make an SA? */
enum admission_verdict admission_check(struct context *context, const struct address *remote);

/* Has the sender of a message `about` returned the token that he was given?  Else `token` is the
 * one to be given.  Both are counted. */
bool admission_proven(struct context *context, struct slice about, struct slice returned,
                      uint8_t token[ADMISSION_TOKEN_SIZE]);

/* How long a half-open SA that is made now may last. */
uint64_t admission_life_ms(const struct context *context);

/* May one more unprotected error leave to `remote` in this second? */
bool admission_error(struct context *context, const struct address *remote, enum error_kind kind);

/* May one more line about strangers be written that is not for debugging?  One in a second. */
bool admission_report(struct context *context);

/* The timer of the flood. */
void admission_calm(struct context *context);

#endif
