/*
 * The messages between keeper and resolver, and their encoding for both ends.
 *
 * Not here: who asks (keeper/names.h), who answers (resolver/resolver.h).
 */
#ifndef IKED_PROCESS_RESOLVER_IPC_H
#define IKED_PROCESS_RESOLVER_IPC_H

#include "lib/base/reader.h"
#include "lib/base/writer.h"
#include "lib/policy/config.h"

/* One datagram each way. */
#define RESOLVER_DATAGRAM_MAX 512

struct resolver_question {
    uint32_t number;
    uint8_t family; /* enum family; FAMILY_NONE: both */
    char host[CONFIG_HOST_MAX + 1];
};

struct resolver_reply {
    uint32_t number;
    uint8_t count; /* 0: `why` says so */
    struct address addresses[CONFIG_RESOLVED_MAX];
    char why[128];
};

/* False when it does not fit, or is not well made. */
MUST_USE bool resolver_question_write(struct writer *writer,
                                      const struct resolver_question *question);
MUST_USE bool resolver_question_read(struct slice bytes, struct resolver_question *question);
MUST_USE bool resolver_reply_write(struct writer *writer, const struct resolver_reply *reply);
MUST_USE bool resolver_reply_read(struct slice bytes, struct resolver_reply *reply);

#endif
