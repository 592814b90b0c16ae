/*
 * A child's life in the kernel: its SPI, its SAs, the ends that they have, and how they go.
 *
 * Knows no version of IKE: the protocol hands in the keys, and says who asked for the child.
 * Not here: the child's policies (child_policy.h), what it may protect (child_narrow.h).
 */
#ifndef LIB_SA_CHILD_KERNEL_H
#define LIB_SA_CHILD_KERNEL_H

#include "lib/sa/child_sa.h"
#include "lib/sa/step.h"

/* Asks for the child's inbound SPIs, as part of a step.  `peer_answers`: so that it may send on the
 * SA before we can have its keys. */
MUST_USE enum status child_ask_spi(struct context *context, struct ike_sa *sa, struct step *step,
                                   struct child_sa *child, bool peer_answers);

/* The peer's SPIs are to name the child's outbound SAs, and no other ones: STATUS_REJECT. */
MUST_USE enum status child_check_spi(const struct context *context, const struct ike_sa *sa,
                                     const struct child_sa *child, struct reason *reason);

/* The keys of a child's SAs, as its protocol has derived them; empty where none is needed. */
struct child_keys {
    struct transform_keys {
        struct slice encr_out, integ_out, encr_in, integ_in; /* borrowed from keymat */
    } of[TRANSFORMS_MAX];                                    /* as in child_sa.transforms */
    struct secret keymat;
};

/* How a child's SAs are to be installed. */
struct child_install {
    bool initiator;   /* we asked for the child */
    uint64_t hold_ms; /* the peer can receive only later: the outbound SAs are kept back until
                       * child_release_outbound, which comes after this time at the latest; 0: the
                       * peer can receive at once */
};

/* Hands the SAs, the inbound ones first, to the kernel, as part of a step.  The keys are the
 * caller's. */
MUST_USE enum status child_install(struct context *context, struct ike_sa *sa, struct step *step,
                                   struct child_sa *child, const struct child_keys *keys,
                                   const struct child_install *how);

/* The peer can receive: installs the outbound SAs that were held.  Harmless when none were. */
void child_release_outbound(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* Puts a child that the kernel holds into its SA's list, and asks for its own policies. */
void child_list(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* The exchange that made it is not followed, though the peer holds it for made: it is listed for
 * its Delete alone. */
void child_undo(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* A deleted child leaves the list; the kernel receives on it until `leaves_ms`, and for a moment it
 * sends what was on its way when the successor came. */
void child_linger(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* What lingers in `from` does so in `to` from now on. */
void children_linger_in(struct ike_sa *to, struct ike_sa *from);

/* Removes lingering children whose time is over; when it is to be called next. */
void child_sweep(struct context *context, struct ike_sa *sa);

uint64_t child_sweep_ms(const struct ike_sa *sa);

/* The kernel's SAs of the child get the ends that its IKE SA has now. */
void child_follow(struct context *context, const struct ike_sa *sa, struct child_sa *child);

/* All that `holder` has, the lingering ones too, get the ends of `sa`; in the order in which their
 * outbound SAs came, since the kernel takes the latest. */
void children_follow(struct context *context, const struct ike_sa *holder, const struct ike_sa *sa);

/* Asks the kernel to forget the outbound SAs, so that packets take another one. */
void child_remove_outbound(struct context *context, struct child_sa *child);

/* The same, unless a later one takes the packets already: then the kernel may be encrypting one
 * with this, and would drop it; it goes when the child has left the list.  Earlier ones that linger
 * for this reason go now. */
void child_retire_outbound(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* Asks the kernel to forget all of the child, takes it out of its SA and frees it.  Where it had a
 * policy of its own, whoever else wants one for the same pair gets it back, without a gap. */
void child_remove(struct context *context, struct ike_sa *sa, struct child_sa *child);

#endif
