/*
 * The third process: asks the system for the addresses of names, one after the other.
 *
 * Resolving blocks, reads files and talks to servers of others, so neither the negotiator, which
 * may do none of that, nor the keeper's loop is the place for it.  This process has no right at all
 * beyond its user's, and the keeper believes it nothing but addresses of names it asked about.
 * Not here: asking it (keeper/names.h).
 */
#ifndef IKED_RESOLVER_H
#define IKED_RESOLVER_H

#include "iked/options.h"
#include "lib/base/reader.h"
#include "lib/base/writer.h"

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

/* The process: reads questions from PROCESS_CHANNEL_FD until it is closed. */
int resolver_run(const struct options *options);

#endif
