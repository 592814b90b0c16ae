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
    STATUS_REJECT, /* answer with the notify in the reason */
    STATUS_CLOSE,  /* the SA cannot live on */
    STATUS_WAIT,   /* an effect's answer will continue this */
    STATUS_FAIL,   /* our own fault: memory, provider, kernel */
};

#define REASON_TEXT_MAX 400

struct reason {
    uint16_t notify; /* RFC 7296 section 3.10.1 error type for STATUS_REJECT, else 0 */
    char text[REASON_TEXT_MAX];
};

/* Records why and hands `status` back, so that callers can `return reason_set(...)`.
 * `reason` may be NULL.  The text is cut at REASON_TEXT_MAX - 1 bytes; bytes outside printable
 * ASCII become '?', because parts of it may come from a peer. */
enum status reason_set(struct reason *reason, enum status status, uint16_t notify,
                       const char *format, ...) PRINTF_LIKE(4, 5);

/* A word for logs: "ok", "drop", ... */
const char *status_name(enum status status);

#endif
