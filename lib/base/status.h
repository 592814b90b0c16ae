/*
 * What a step came to, and why.
 *
 * Every function that can fail for a reason the peer or the operator may care about returns an
 * enum status and fills the caller's struct reason.  The reason is logged once, at the engine's
 * edge, and kept for `ikectl`.  Not here: logging itself.
 */
#ifndef LIB_BASE_STATUS_H
#define LIB_BASE_STATUS_H

#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, arguments_at) \
    __attribute__((format(printf, format_at, arguments_at)))

enum status {
    STATUS_OK,     /* done */
    STATUS_DROP,   /* discard the message silently; nothing changed */
    STATUS_REJECT, /* answer with the code in the reason */
    STATUS_CLOSE,  /* the SA cannot live on */
    STATUS_WAIT,   /* an effect's answer will continue this */
    STATUS_FAIL,   /* our own fault: memory, provider, kernel */
};

#define REASON_TEXT_MAX 400

/* What was wrong, for whoever tells the peer: each protocol has a number of its own for it
 * (lib/ikev2/finding.h). */
enum finding_code {
    FINDING_NONE,             /* nothing that a peer is told */
    FINDING_CRITICAL_PAYLOAD, /* one that is marked critical and unknown to us */
    FINDING_INVALID_SYNTAX,
    FINDING_NO_PROPOSAL,
    FINDING_INVALID_KE, /* a key for another group than the one chosen */
    FINDING_AUTHENTICATION_FAILED,
    FINDING_TS_UNACCEPTABLE, /* of the traffic asked for nothing is allowed */
    FINDING_TEMPORARY_FAILURE,
    FINDING_CODE_COUNT
};

struct reason {
    enum finding_code code; /* for STATUS_REJECT */
    char text[REASON_TEXT_MAX];
};

/* Records why and hands `status` back, so that callers can `return reason_set(...)`.
 * `reason` may be NULL.  The text is cut at REASON_TEXT_MAX - 1 bytes; bytes outside printable
 * ASCII become '?', because parts of it may come from a peer. */
enum status reason_set(struct reason *reason, enum status status, enum finding_code code,
                       const char *format, ...) PRINTF_LIKE(4, 5);

/* A word for logs: "ok", "drop", ... */
const char *status_name(enum status status);

#endif
