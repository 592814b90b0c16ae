/*
 * Child SAs: what they are, and who follows whom.
 *
 * Not here: their life in the kernel (child_kernel.h), how they are negotiated (lib/ikev2).
 */
#ifndef LIB_SA_CHILD_SA_H
#define LIB_SA_CHILD_SA_H

#include <sys/queue.h>

#include "lib/base/hash.h"
#include "lib/base/interval.h"
#include "lib/base/secret.h"
#include "lib/crypto/suite.h"
#include "lib/policy/config.h"
#include "lib/sa/context.h"

/* What a child's packets go through: one of IPComp, ESP and AH, by a pair of the kernel's SAs. */
struct child_transform {
    struct hash_node by_spi_in; /* while its child is listed: by what the kernel calls it */
    struct hash_node by_spi_out;
    uint32_t spi_in; /* 0: not allocated yet */
    uint32_t spi_out;
    uint8_t protocol; /* enum ipsec_protocol */
    uint8_t place;    /* in its child's list */
    struct suite suite;
};

#define PROVEN_MS 5000 /* when something was made: the peer has our last answer by then */

/* Outbound SAs that wait until the peer can receive (child_release_outbound). */
struct held_outbound {
    uint64_t until_ms; /* released at the latest */
    struct held_keys {
        struct secret encr;
        struct secret integ;
    } keys[]; /* of each transform */
};

struct child_sa {
    TAILQ_ENTRY(child_sa) entry;
    struct ike_sa *owner;      /* in whose lists it is, or which makes it */
    struct hash_node by_reqid; /* its own reqid, which it holds (sa_table_hold_reqid) */
    struct interval claim;     /* its remote addresses stand in others' way (sa_table_claim) */
    const struct child_config *config;
    const struct selector *local_selectors; /* where they are the configured ones: those */
    const struct selector *remote_selectors;
    struct held_outbound *held; /* NULL: nothing waits */
    uint64_t created_ms;
    uint64_t leaves_ms;   /* replaced: when we delete it, if the peer has not; deleted: when the
                           * kernel may forget it; else: it is not rekeyed before (child_keep) */
    uint32_t packets_in;  /* as the kernel counted when it was last asked, ... */
    uint32_t packets_out; /* ... modulo 2^32 */
    uint32_t number;
    uint32_t reqid;
    uint32_t releasing;   /* the answers that say whether the held outbound SAs came; 0: none */
    uint32_t line;        /* the inbound SPI of whoever asked for the first of its line, the same
                           * number at both ends; 0: itself is the first */
    uint32_t replaces;    /* number of the child that it was made to replace; 0: none */
    uint32_t out_order;   /* of outbound SAs handed to the kernel, which takes the latest */
    struct address local; /* the ends by which the kernel knows its SAs, with the ports ... */
    struct address remote;
    bool encap : 1;        /* ... that matter in UDP (RFC 3948) */
    bool own_policies : 1; /* narrower than configured (or for any peer): policies of its own */
    bool in_kernel : 1;    /* inbound, and ... */
    bool out_kernel : 1;   /* ... outbound were handed to the kernel */
    bool listed : 1;       /* in its SA's list */
    bool standing : 1;     /* was listed once: its own policies, if any, were asked for */
    bool ours : 1;         /* the first of its line was made by an exchange that we asked for */
    bool unproven : 1;     /* the peer asked for it, and may not have our answer yet */
    bool rekey_due : 1;    /* a soft limit was reached */
    bool replaced : 1;     /* another one `replaces` it, and its Delete is to come */
    bool expired : 1;      /* the kernel has forgotten it */
    bool exact : 1;       /* rekeyed with just the selectors that it has, not all configured ones */
    bool undone : 1;      /* made by an exchange that is not followed: the kernel never had it */
    bool delete_due : 1;  /* to be deleted when the window is free */
    bool deleting : 1;    /* the peer is being told so */
    bool reqid_held : 1;  /* its reqid is its own, and the table knows so */
    uint8_t releases : 2; /* how many answers `releasing` still has to bring */
    uint8_t transform_count : 2; /* 1 to TRANSFORMS_MAX */
    uint8_t mode;                /* enum child_mode */
    uint8_t local_count;
    uint8_t remote_count;
    struct child_transform transforms[]; /* IPComp before ESP before AH: as packets that leave go
                                          * through them */
};

TAILQ_HEAD(child_sa_list, child_sa);

/* Was it deleted, though the kernel still receives on it? */
static inline bool child_is_gone(const struct child_sa *child)
{
    return child->standing && !child->listed;
}

/* The transform by whose SPIs both ends name the child: the first but for IPComp, whose SPIs are of
 * no more than the kernel's interest (RFC 7296 section 2.22). */
static inline const struct child_transform *child_main(const struct child_sa *child)
{
    bool compresses = child->transforms[0].protocol == IPSEC_IPCOMP && child->transform_count > 1;

    return &child->transforms[compresses ? 1 : 0];
}

/* The one whose inbound, or outbound, SA has this name; NULL: none. */
const struct child_transform *child_find_transform(const struct child_sa *child, uint8_t protocol,
                                                   uint32_t spi, bool inbound);

/* Whose it is. */
struct child_sa *child_of_transform(const struct child_transform *transform);

/* Has each an inbound SPI? */
bool child_has_spis(const struct child_sa *child);

/* An inbound SPI was allocated. */
void child_set_spi(struct child_sa *child, uint8_t protocol, uint32_t spi);

/* The two ends have agreed on the transform by whose SPIs they name the child. */
void child_agree(struct child_sa *child, const struct suite *suite, uint32_t spi_out);

/* What is configured.  NULL when memory is out. */
struct child_sa *child_new(struct context *context, const struct child_config *config);

/* Through up to TRANSFORMS_MAX transforms, in the order of child_sa.transforms. */
struct child_sa *child_new_through(struct context *context, const struct child_config *config,
                                   const uint8_t *protocols, size_t count);

void child_free(struct child_sa *child);

/* The configuration has moved to new memory. */
void child_rebind(struct child_sa *child, const struct child_config *config);

/* The child gets the negotiated selectors. False when memory is out. */
MUST_USE bool child_set_selectors(struct child_sa *child, const struct selector *local,
                                  size_t local_count, const struct selector *remote,
                                  size_t remote_count);

/* By its number; NULL when it is gone. */
struct child_sa *child_find(const struct ike_sa *sa, uint32_t number);

/* The one that the peer means by its own inbound SPI. */
struct child_sa *child_find_outbound(const struct ike_sa *sa, uint8_t protocol, uint32_t spi_out);

/* The peer sends its next request: with a window of one it has our answer to the last (RFC 7296
 * section 2.3), and so the children that it asked for. */
void child_prove_all(struct ike_sa *sa);

/* `made` is to replace it: whoever asked for that deletes it, we do at `leaves_ms`.  When `made`
 * goes first, it stays, and the mark goes with what replaced it. */
void child_replace(struct child_sa *old, struct child_sa *made, uint64_t leaves_ms);

/* What was to replace it is gone, or did not suit: it stays, and if it was due to be rekeyed by us,
 * is so later, in half of what is left of its life. */
void child_keep(struct context *context, struct child_sa *child);

/* It leaves: what replaced it stands for what it replaced; where nothing does, that stays.  A peer
 * may undo its rekeying so, or ours (RFC 7296 section 1.3.1 bids it when the new one does not
 * suit). */
void child_pass_on(struct context *context, struct ike_sa *sa, const struct child_sa *child);

/* The child is to rekey the old one: it carries on its line (child_sa.line), and how that was asked
 * for. */
void child_continue(struct child_sa *child, const struct child_sa *old);

/* Is its life nearly over? */
bool child_nears_end(const struct context *context, const struct child_sa *child);

/* What waits is not to come; harmless when nothing does. */
void child_drop_held(struct child_sa *child);

/* Tells of a child what an operator asks first: its mode, SPIs, suite and first selectors. */
void child_report(struct context *context, const struct ike_sa *sa, const struct child_sa *child,
                  bool rekeyed);

#endif
