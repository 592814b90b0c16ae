/*
 * What the keeper tells the negotiator: messages made, and put on the channel.
 *
 * With a channel of NULL there is no negotiator, and nothing is told: the next one learns all anew.
 * Most wait for tell_now, so that what belongs together leaves together.
 * Not here: when something is told (session.h), the encoding (iked/ipc.h).
 */
#ifndef IKED_KEEPER_TELL_H
#define IKED_KEEPER_TELL_H

#include "iked/channel.h"
#include "iked/keeper/files.h"
#include "iked/keeper/sockets.h"

/* First of all, and at once: the sockets travel with it.  False when it does not leave. */
MUST_USE bool tell_hello(struct channel *channel, const struct sockets *sockets, bool kernel_none);

/* A whole configuration, as the text of its files. */
void tell_config(struct channel *channel, const struct files *files,
                 const struct ipc_config_end *end);

/* The reload of this number came to nothing. */
void tell_refused(struct channel *channel, uint64_t number, const char *text);

void tell_answer(struct channel *channel, struct answer *answer);
void tell_event(struct channel *channel, const struct kernel_event *event);
void tell_trouble(struct channel *channel, const struct name *connection, const char *text);
void tell_shutdown(struct channel *channel);

/* What was told leaves. */
void tell_now(struct channel *channel);

#endif
