/*
 * Links: what a configured connection is doing, and its coming and going with configurations.
 */
#ifndef LIB_ENGINE_LINK_H
#define LIB_ENGINE_LINK_H

#include "lib/engine/private.h"

/* Starts an IKE SA for a child unless one stands or is on its way.  `replaces`: an SA that the new
 * one is for, or NULL. */
void link_start(struct engine *engine, struct link *link, const struct child_config *child,
                const struct ike_sa *replaces);

/* The same for a packet, whose own selectors the first try names (RFC 7296 section 2.9). */
void link_start_packet(struct engine *engine, struct link *link, const struct child_config *child,
                       const struct selector *local, const struct selector *remote);

/* Ends our attempts with a peer whose own attempt has just come up, as long as the peer cannot hold
 * them for established; `stays` is to make what they were for. */
void link_abandon(struct engine *engine, struct link *link, struct ike_sa *stays);

/* Something about the link's SAs changed: outcomes for waiting commands, the next try. */
void link_up(struct engine *engine, struct link *link);

/* What happened to an SA of the link is told to the siblings, too. */
void link_tell_siblings(struct engine *engine, struct link *link);

/* Somebody waits for what was believed to be up, and is not: what is missing is started. */
void link_resume(struct engine *engine, struct link *link);

void link_retry(struct engine *engine, struct link *link);

/* An attempt of ours has failed: the next address is tried, or link_failed. */
void link_try_failed(struct engine *engine, struct link *link, const char *why);

/* A stranger's first message was refused. */
void link_refused_stranger(struct engine *engine, const struct event *event);

/* Installs or removes the policies that stand as long as the connection is configured; but not
 * those of a connection for any peer where one with a known peer has the same. */
void link_policies(struct engine *engine, const struct connection *connection,
                   enum effect_kind kind);

/* Asks the kernel to forget what an earlier life left of the connection. */
void link_remove_orphans(struct engine *engine, struct link *link);

/* Makes a whole new IKE SA to replace this.  The new one, established, wants all of its children,
 * and closes it when it has them. */
void sa_replace(struct engine *engine, struct ike_sa *sa);

/* A link for a connection that is new: its policies, and what is to start at once. */
void link_add(struct engine *engine, const struct connection *connection);

/* Its SAs are gone already. */
void link_free(struct engine *engine, struct link *link);

void links_free(struct engine *engine);

#endif
