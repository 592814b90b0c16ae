/*
 * What the keeper tells the negotiator: messages made, and put on the channel.
 *
 * With a channel of NULL there is no negotiator, and nothing is told: the next one learns all anew.
 * Most wait for notify_flush, so that what belongs together leaves together.
 * Not here: when something is told (session.h), the encoding (iked/process/ipc.h).
 */
#ifndef IKED_KEEPER_NOTIFY_H
#define IKED_KEEPER_NOTIFY_H

#include "iked/keeper/files.h"
#include "iked/keeper/sockets.h"
#include "iked/process/channel.h"

/* First of all, and at once: the sockets travel with it.  False when it does not leave. */
MUST_USE bool notify_hello(struct channel *channel, const struct sockets *sockets,
                           bool kernel_none);

/* A whole configuration, as the text of its files. */
void notify_config(struct channel *channel, const struct files *files,
                   const struct ipc_config_end *end);

/* The reload of this number came to nothing. */
void notify_refused(struct channel *channel, uint64_t number, const char *text);

void notify_answer(struct channel *channel, struct answer *answer);
void notify_event(struct channel *channel, const struct kernel_event *event);
void notify_trouble(struct channel *channel, const struct name *connection, const char *text);
void notify_shutdown(struct channel *channel);

/* What was told leaves. */
void notify_flush(struct channel *channel);

#endif
