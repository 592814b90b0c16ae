/*
 * What the files of the engine share; nobody outside includes this.
 */
#ifndef LIB_ENGINE_PRIVATE_H
#define LIB_ENGINE_PRIVATE_H

#include "lib/engine/engine.h"
#include "lib/sa/admission.h"
#include "lib/sa/event.h"
#include "lib/sa/sa_table.h"

/* A command that waits for its outcome. */
struct waiting {
    TAILQ_ENTRY(waiting) entry;
    uint64_t number;
    enum command_kind kind;
    bool believed; /* to be up: whether it is, is being looked at */
};
TAILQ_HEAD(waiting_list, waiting);

/* A pair of configured selectors for which the peer, or a limit, has left us without a child. */
struct refused_pair {
    TAILQ_ENTRY(refused_pair) entry;
    const struct child_config *config;
    struct selector local;
    struct selector remote;
    uint64_t until_ms; /* it is not asked for again before */
    uint32_t failures; /* in a row */
    char why[64];
};
TAILQ_HEAD(refused_pairs, refused_pair);

/* The run-time state of a configured connection. */
struct link {
    TAILQ_ENTRY(link) entry;
    struct hash_node by_name;
    const struct engine *engine;
    const struct connection *connection;
    TAILQ_HEAD(, ike_sa) sas;
    struct waiting_list waiting;
    struct dial *dial;     /* NULL: the peer has the one address */
    struct packet *packet; /* that has just asked for a child; NULL: none */
    struct refused_pairs refused;
    uint64_t single_pairs; /* bits: children of which the peer takes one pair of selectors each */
    struct timer retry;
    uint64_t retry_until_ms; /* traffic waits in the kernel until then: worth trying again */
    uint32_t failures;       /* in a row */
    uint64_t lost_children;  /* bits: children to be made anew, their peer having died */
    bool cleared;            /* the policies went with a dead peer */
    bool orphans;            /* SAs of an earlier life are to be replaced */
    uint64_t idle_said_ms; /* when it was said that traffic waits and we may not start; 0: never */
    char *last_error;      /* NULL: the last try did well */
    uint64_t last_error_ms;
};
TAILQ_HEAD(link_list, link);

struct engine {
    struct changes *changes; /* to another configuration, under way; NULL: none */
    uint64_t lost_told;      /* effects that were lost */
    uint32_t questions;      /* to the resolver: the number of the last one */
    struct context context;  /* first of all the means that exchanges get */
    const struct protocol *const *protocols;
    struct config *config;
    struct sa_table sas;
    struct heap timers;
    struct link_list links;
    struct hash_table links_by_name;
    struct admission admission;
    uint64_t shutdown_command;
    bool shutting_down;
};

/* --- engine.c --- */

/* The protocol of this version; the highest one when there is none. */
const struct protocol *engine_protocol(const struct engine *engine, uint8_t version);

/* --- path.c --- */

/* KERNEL_ADDRESSES: which address of ours is it now? */
void path_addresses(struct engine *engine);

/* Our mapping in a NAT is to be kept alive. */
void path_keepalive_due(struct engine *engine, struct ike_sa *sa);

/* KERNEL_MAPPING: an authentic packet came from another address or port. */
void path_mapping(struct engine *engine, const struct kernel_event *event);

/* --- sa_life.c --- */

/* After every event of an SA: status and reason of what happened to it.  May free it. */
void sa_settle(struct engine *engine, struct ike_sa *sa, enum status status, struct reason *reason);

/* A responder's attempt was answered by an error: the answer stays for a while, to be repeated. */
void sa_refused(struct engine *engine, struct ike_sa *sa);

/* Ends it without another word to the peer. */
void sa_end(struct engine *engine, struct ike_sa *sa);

/* Closes it with a Delete, at once or as soon as the window is free; one that the peer cannot know
 * as established ends at once. */
void sa_close(struct engine *engine, struct ike_sa *sa);

/* Its timer `expire` is due.  May free the SA. */
void sa_expire(struct engine *engine, struct ike_sa *sa);

/* A request of ours was never answered.  May free the SA. */
void sa_unanswered(struct engine *engine, struct ike_sa *sa, struct reason *reason);

/* `sa` has the children of `from`, which it succeeds. */
void sa_inherited(struct engine *engine, struct ike_sa *sa, const struct ike_sa *from);

/* --- duplicate.c --- */

/* RFC 7296 section 2.4: a peer that says INITIAL_CONTACT has forgotten what stood before.  SAs that
 * were made while this one was on its way are not before it. */
void sa_forget_older(struct engine *engine, const struct ike_sa *sa);

/* A new SA beside others for the same child: one stays.  Where it is the peer's part to close the
 * other one it is given time to do so; a peer that has forgotten it will not, and then we do.
 * False when it is this one that was closed: it may be gone. */
MUST_USE bool sa_resolve_duplicates(struct engine *engine, struct ike_sa *sa);

/* An IKE SA that was made without a child has got its first: only now it is known of which of
 * several connections with this peer it is, and whether there is another one for the same.  False
 * when it is this one that was closed: it may be gone. */
MUST_USE bool sa_settle_lone(struct engine *engine, struct ike_sa *sa);

/* Looks at all of the link's that were made without a child and have none: sa_leave_lone. */
void link_leave_lone(struct engine *engine, struct link *link);

/* The one that we made without a child is not needed any more: both ends began at once, and what it
 * was for stands elsewhere.  May free the SA. */
void sa_leave_lone(struct engine *engine, struct ike_sa *sa);

/* A peer with good credentials that starts one SA after the other: the oldest makes room.  One that
 * does not even answer Deletes gets no more than twice as many. */
void sa_close_surplus(struct engine *engine, const struct ike_sa *sa);

/* A newer SA serves the same: the peer is given time to close this one, then we do. */
void sa_supersede(struct engine *engine, struct ike_sa *sa);

/* Does a newer IKE SA serve the same? */
bool sa_is_superseded(const struct engine *engine, const struct ike_sa *sa);

/* --- lifetime.c --- */

/* Arms the timer for the end of an established SA's life; and, without a child, for an early
 * one. */
void sa_arm_lifetime(struct engine *engine, struct ike_sa *sa);
void sa_arm_childless(struct engine *engine, struct ike_sa *sa);

/* The peer may have told that it is to authenticate again earlier. */
void sa_arm_told(struct engine *engine, struct ike_sa *sa);

/* The timer is due: the initiator makes the next one first. */
void sa_lifetime_over(struct engine *engine, struct ike_sa *sa);

/* Makes a whole new IKE SA to replace this.  The new one, established, wants all of its children,
 * and closes it when it has them. */
void sa_replace(struct engine *engine, struct ike_sa *sa);
void sa_replace_begin(struct engine *engine, struct ike_sa *sa);
void sa_replace_finish(struct engine *engine, struct ike_sa *sa);

/* --- task.c --- */

/* Starts the next thing that the SA is to do, when nothing is under way.  May free the SA. */
void sa_wishes(struct engine *engine, struct ike_sa *sa);

/* The same for all that another SA was still to make. */
void sa_take_wishes(struct ike_sa *sa, const struct ike_sa *from);

/* A child was made: where the other end made the same one at once, one of the two goes.  With
 * siblings that may be in another IKE SA. */
void sa_resolve_twins(struct engine *engine, struct ike_sa *sa, struct child_sa *made);

/* The SA's timer for what was put off. */
void sa_later(struct engine *engine, struct ike_sa *sa);

/* The answer to a held outbound SA's release: without it the child is made anew.  False when it is
 * another one. */
bool sa_released(struct engine *engine, struct ike_sa *sa, const struct answer *answer);

/* --- liveness.c --- */

/* The peer was just heard, and is watched from now on. */
void sa_watch(struct engine *engine, struct ike_sa *sa);

/* An authenticated message has come. */
void sa_heard(struct engine *engine, struct ike_sa *sa);

/* It may have been silent for too long.  May free the SA. */
void sa_watch_due(struct engine *engine, struct ike_sa *sa);

/* Is what is believed to stand there?  The kernel is asked about the children, and with `peer` the
 * peer, too; what is missing is made anew.  May free the SA. */
void sa_look(struct engine *engine, struct ike_sa *sa, bool peer);

/* What the kernel says of a child's use.  May free the SA. */
void sa_queried(struct engine *engine, struct ike_sa *sa, const struct answer *answer);

/* An unproven word that the peer has forgotten us.  It hastens a liveness check, or starts one where
 * none is under way (`idle`), and does nothing else. */
void liveness_hint(struct engine *engine, struct ike_sa *sa, bool idle);

/* --- sibling.c --- */

/* The links of connections with the same pair of identities, of which one can have children in an
 * IKE SA of another (lib/sa/child_choose.c): the next one after `at`, NULL when all were seen.
 * `link` itself is the first; there is seldom another. */
struct link *link_next_sibling(const struct engine *engine, const struct link *link,
                               const struct link *at);

/* Is nothing else known to the peer that INITIAL_CONTACT would make it forget: no other SA of this
 * pair of identities (RFC 7296 section 2.4)?  To be asked when IKE_AUTH is about to leave, not
 * before: only then it holds for the peer, too. */
bool link_first_contact(const struct engine *engine, const struct ike_sa *sa);

/* The link of the connection that a child of the SA is of; NULL: none. */
struct link *link_of_child(const struct engine *engine, const struct ike_sa *sa,
                           const struct child_config *config);

/* Is it a child of another connection than its IKE SA's? */
static inline bool child_is_guest(const struct ike_sa *sa, const struct child_sa *child)
{
    return child->config->connection != sa->connection;
}

/* What happened to an SA of the link is told to the siblings, too. */
void link_tell_siblings(struct engine *engine, struct link *link);

/* Has the SA guests?  They went with an SA of the link: whoever misses them tries again. */
bool sa_has_guests(const struct ike_sa *sa);
void link_lost_guests(struct engine *engine, struct link *link);

/* Deletes the link's children in IKE SAs of its siblings; false when there are none. */
bool link_close_guests(struct engine *engine, struct link *link);

/* The same configuration has moved to new memory: the SA follows by name.  A guest whose own
 * connection has changed is deleted.  False when the SA as a whole is to go: it is in the midst of
 * something about such a one. */
MUST_USE bool sa_rebind(struct engine *engine, struct ike_sa *sa,
                        const struct connection *connection, const struct config *all);

/* --- link.c --- */

struct link *link_find(const struct engine *engine, const char *name);

/* Of the engine's table of links. */
uint64_t link_key(const void *engine, const struct hash_node *node);

/* Puts the SA into the list of its connection. */
void link_adopt(struct engine *engine, struct ike_sa *sa);

/* Starts an IKE SA for a child unless one stands or is on its way.  `replaces`: an SA that the new
 * one is for, or NULL. */
void link_start(struct engine *engine, struct link *link, const struct child_config *child,
                const struct ike_sa *replaces);

/* The same for a packet, whose own selectors the first try names (RFC 7296 section 2.9). */
void link_start_packet(struct engine *engine, struct link *link, const struct child_config *child,
                       const struct selector *local, const struct selector *remote);

/* Asks the kernel to forget what an earlier life left of the connection. */
void link_remove_orphans(struct engine *engine, struct link *link);

/* An attempt of ours has failed: the next address is tried, or link_failed. */
void link_try_failed(struct engine *engine, struct link *link, const char *why);

/* Something about the link's SAs changed: outcomes for waiting commands, the next try. */
void link_up(struct engine *engine, struct link *link);
/* Keeps a fault of the peer's as the link's last error; `link` may be NULL. */
void link_note(struct engine *engine, struct link *link, const char *why);
void link_failed(struct engine *engine, struct link *link, const char *why);
/* A stranger's first message was refused. */
void link_refused_stranger(struct engine *engine, const struct event *event);
void link_lost(struct engine *engine, struct link *link);
/* The peer has deleted a child: one that is to be there always is made anew, soon. */
void link_lacks(struct engine *engine, struct link *link);
/* What was up when somebody asked for the whole has gone before the rest came: tells him, unless
 * something is still under way. */
void link_stalled(struct engine *engine, struct link *link, const char *why);
/* Tells all who wait for the outcome of a command what it has come to. */
void link_progress(struct engine *engine, const struct link *link, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Will anything come of the link without another word from outside? */
bool link_is_at_work(const struct link *link);
/* Answers who waits for a rekeying, when nothing is due any more; when it cannot be done (`link`
 * may be NULL). */
void link_rekeyed(struct engine *engine, struct link *link);
void link_rekey_failed(struct engine *engine, struct link *link, const char *why);
void link_retry(struct engine *engine, struct link *link);

/* Ends our attempts with a peer whose own attempt has just come up, as long as the peer cannot hold
 * them for established; `stays` is to make what they were for. */
void link_abandon(struct engine *engine, struct link *link, struct ike_sa *stays);

/* Does an established SA of the link carry this child?  How many are carried?  All of them? */
bool link_covers(const struct link *link, const struct child_config *child);
size_t link_covered(const struct link *link);
bool link_is_whole(const struct link *link);

/* Installs or removes the policies that stand as long as the connection is configured; but not
 * those of a connection for any peer where one with a known peer has the same. */
void link_policies(struct engine *engine, const struct connection *connection,
                   enum effect_kind kind);

/* --- link_addresses.c: peers with a name or several addresses; link->dial --- */

/* False when memory is out.  Other connections have no dial. */
MUST_USE bool dial_new(struct link *link);

/* Asks about names of which nothing is known yet. */
void dial_learn(struct engine *engine, struct link *link);
bool dial_is_resolving(const struct link *link);
bool dial_has_unknown(const struct link *link);

/* Calls the peer for one more child; `replaces`: as in link_call. */
void dial_start(struct engine *engine, struct link *link, const struct child_config *child,
                uint64_t replaces);

/* A call has failed: true when there is another address, which is called. */
bool dial_failed(struct engine *engine, struct link *link, const char *why);

/* An SA with the peer stands, at this address. */
void dial_done(struct engine *engine, struct link *link, const struct address *remote);

/* Nothing more is to be called for. */
void dial_stop(struct link *link);

/* What a name was resolved to. */
void dial_answer(struct engine *engine, const struct answer *answer);

/* Starts an IKE SA at an address; `replaces`: our SPI of the one that it is for, 0: none;
 * `has_more`: there are other addresses, so that this one need not be tried for long. */
void link_call(struct engine *engine, struct link *link, const struct child_config *child,
               const struct address *remote, uint64_t replaces, bool has_more);

/* --- pair.c: several children of one configured, each for a part --- */

/* Is a packet of the child's traffic covered by a standing child of it? */
bool link_covers_packet(const struct link *link, const struct child_config *config,
                        const struct selector *local, const struct selector *remote);

/* Of a configured child that stands something is not covered: what the first packet of it would ask
 * for is asked for, since the operator wants it. */
void pair_ask_rest(struct engine *engine, struct link *link, const struct child_config *config);

/* A packet of a configured child that stands is not covered by what stands of it: the peer has
 * narrowed that away.  One more child is asked for, with the pair that holds the packet. */
void pair_ask(struct engine *engine, struct link *link, const struct kernel_event *event,
              const struct child_config *config);

/* The child that is to be made with a pair, when nothing else is to be done; NULL: none. */
const struct child_config *pair_task(struct engine *engine, struct ike_sa *sa);

/* SINGLE_PAIR_REQUIRED: the pair of the packet (NULL: the first one) is to be asked for next.
 * False when memory is out. */
bool pair_single(struct ike_sa *sa, const struct child_config *config, const struct packet *packet);

/* CHILD_FAILED */
void pair_child_failed(struct engine *engine, const struct event *event);

/* What has become of a child that was asked for with a pair. */
void pair_made(struct engine *engine, struct link *link, struct ike_sa *sa, struct child_sa *made,
               const struct packet *packet);
void pair_refused(struct engine *engine, struct link *link, const struct packet *packet,
                  const char *why);

/* A configured child all of whose pairs were to be up, and of which the peer takes one pair each:
 * which pair is missing?  False: none. */
bool pair_is_missing(const struct link *link, char *text, size_t size);

/* Are all pairs of the child covered? */
bool pairs_are_covered(const struct ike_sa *sa, const struct child_config *config);

/* "child n: 10.3.0.0/16 === 10.2.0.0/16: TS_UNACCEPTABLE"; NULL: all is well. */
char *pair_text(const struct link *link, char *text, size_t size);

void pairs_forget(struct link *link);

/* --- link_dead.c --- */

/* The peer of an established SA does not answer any more: ends the SA, and does what the connection
 * says for that. */
void link_dead(struct engine *engine, struct ike_sa *sa, const char *why);

/* Somebody waits for what was believed to be up, and is not: what is missing is started. */
void link_resume(struct engine *engine, struct link *link);

/* Is a child that died with its peer to be made anew? */
bool link_restarts(const struct link *link, const struct child_config *config);

/* A child stands: what an earlier life left is forgotten, and the policies that went with a dead
 * peer come back. */
void link_serves(struct engine *engine, struct link *link);

#endif
