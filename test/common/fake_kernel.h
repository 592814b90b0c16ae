/*
 * A kernel's IPsec as far as iked can see it: SAs, larval ones among them, policies, acquires and
 * lifetimes, on a clock of the caller's.
 *
 * It behaves as Linux does where that matters: an SPI is reserved for 30 s, policies are pieces
 * with the keeper's priorities, of which one with the same selector replaces the other whosever it
 * is, a policy without an SA holds its packets and asks once until that larval state expires, the
 * newest SA of a reqid carries the traffic, and what comes in must match a policy's reqid. As the
 * keeper sees it, with jobs, dumps and notices, it is fake_jobs.c's. Not here: packets on their way
 * (world.h), the daemon (host.h).
 */
#ifndef TEST_COMMON_FAKE_KERNEL_H
#define TEST_COMMON_FAKE_KERNEL_H

#include <stdio.h>
#include <sys/queue.h>

#include "iked/keeper/xfrm/kernel.h"
#include "test/common/chance.h"

#define FAKE_KEY_MAX    160
#define FAKE_LARVAL_MS  30000
#define FAKE_ACQUIRE_MS 30000

struct fake_sa {
    TAILQ_ENTRY(fake_sa) entry;
    struct name connection;
    struct name child;
    struct address source;
    struct address destination;
    uint32_t spi;
    uint32_t reqid;
    uint8_t protocol;
    uint8_t mode;
    uint8_t encr;
    uint8_t integ;
    bool esn;
    bool inbound;
    bool encap; /* in UDP */
    bool larval;
    bool orphan;               /* of an engine that is gone */
    bool soft_told;            /* its soft limit was reported */
    uint8_t key[FAKE_KEY_MAX]; /* cipher's, then integrity's */
    size_t key_size;
    uint64_t added_ms;
    uint64_t soft_ms, hard_ms; /* when these limits are reached; UINT64_MAX: never */
    uint64_t soft_packets, hard_packets;
    uint64_t packets;
    uint64_t used_ms; /* when the last of them was */
};
TAILQ_HEAD(fake_sa_list, fake_sa);

/* One piece, in all directions. */
struct fake_policy {
    TAILQ_ENTRY(fake_policy) entry;
    struct piece piece;
    struct policy_template is;
    uint32_t priority;
    uint64_t asked_until_ms;      /* an acquire is out until then ... */
    struct selector local_packet; /* ... for this packet */
    struct selector remote_packet;
};
TAILQ_HEAD(fake_policy_list, fake_policy);

/* What the kernel has to say, until it is read. */
struct fake_notice {
    TAILQ_ENTRY(fake_notice) entry;
    struct kernel_notice is;
};
TAILQ_HEAD(fake_notice_list, fake_notice);

struct fake_kernel {
    struct kernel kernel;           /* for the keeper */
    uint64_t now_ms;                /* of the jobs and dumps that the keeper asks for */
    uint32_t failure;               /* per mille of ALLOCATE_SPI and INSTALL_SA that fail */
    bool bypass;                    /* neighbour discovery passes */
    void (*changed)(void *context); /* one of the policies was set or removed; or NULL */
    void *context;
    struct fake_notice_list notices;
    struct fake_sa_list sas;
    struct fake_policy_list policies;
    struct chance chance; /* of SPIs */
    size_t sa_count;
    bool undated; /* it does not say when an SA was last used, as before Linux 6.2 */
    bool deadline_known;
    uint64_t deadline_ms;      /* the earliest limit of an SA, when it is known */
    uint64_t missing_removals; /* REMOVE_SA or REMOVE_POLICY of what was not there */
};

void fake_kernel_init(struct fake_kernel *kernel, uint64_t seed);

/* Forgets everything, as a reboot does. */
void fake_kernel_clear(struct fake_kernel *kernel);

/* Each as the effect says; an errno where Linux would refuse. */
int fake_kernel_allocate(struct fake_kernel *kernel, const struct effect_allocate_spi *allocate,
                         uint64_t now_ms, uint32_t *spi);
int fake_kernel_install(struct fake_kernel *kernel, const struct effect_install_sa *install,
                        uint64_t now_ms);
/* To another destination: the SA that is there stays, to be removed. */
int fake_kernel_move(struct fake_kernel *kernel, const struct effect_move_sa *move);
int fake_kernel_query(const struct fake_kernel *kernel, const struct effect_query_sa *query,
                      uint64_t *packets);
/* When the inbound SA was last used (struct answer). */
uint32_t fake_kernel_ago_s(const struct fake_kernel *kernel, uint32_t spi, uint64_t now_ms);

int fake_kernel_remove(struct fake_kernel *kernel, const struct effect_remove_sa *remove);
void fake_kernel_set_piece(struct fake_kernel *kernel, const struct piece *piece,
                           const struct policy_template *is);
int fake_kernel_remove_piece(struct fake_kernel *kernel, const struct piece *piece);

/* What `ip xfrm policy flush` and `ip xfrm state flush` do. */
void fake_kernel_flush_policies(struct fake_kernel *kernel);
void fake_kernel_flush_sas(struct fake_kernel *kernel);

/* Marks all SAs as an earlier engine's (larval ones are left to expire). */
void fake_kernel_orphan_all(struct fake_kernel *kernel);

/* The one that is filled, by what a packet names; NULL when there is none. */
struct fake_sa *fake_kernel_find_sa(const struct fake_kernel *kernel,
                                    const struct address *destination, uint32_t spi,
                                    uint8_t protocol);

/* A packet from `local` to `remote` (single addresses and ports). */
enum fake_verdict {
    FAKE_CLEAR,   /* no policy, or one that only prefers protection: it leaves as it is */
    FAKE_SEALED,  /* through *sa */
    FAKE_HELD,    /* dropped or queued: there is no SA */
    FAKE_ACQUIRE, /* the same, and a notice asks for one */
};
enum fake_verdict fake_kernel_output(struct fake_kernel *kernel, const struct selector *local,
                                     const struct selector *remote, uint64_t now_ms,
                                     struct fake_policy **policy, struct fake_sa **sa);

/* The same without a trace: what would become of it.  `policy` and `sa` may be NULL. */
enum fake_verdict fake_kernel_would(const struct fake_kernel *kernel, const struct selector *local,
                                    const struct selector *remote,
                                    const struct fake_policy **policy, const struct fake_sa **sa);

/* May a packet that came in through `sa` (NULL: in the clear) pass? */
bool fake_kernel_input(const struct fake_kernel *kernel, const struct selector *local,
                       const struct selector *remote, const struct fake_sa *sa);

/* Is the packet one of the piece's? */
bool fake_piece_has(const struct piece *piece, const struct selector *local,
                    const struct selector *remote);

void fake_kernel_notice(struct fake_kernel *kernel, const struct kernel_notice *notice);

/* The next limit or larval SA that is due: hard ones and larval ones are removed.  False when none
 * is due.  A larval SA's end is not reported. */
enum fake_expiry { FAKE_EXPIRED_LARVAL, FAKE_EXPIRED_SOFT, FAKE_EXPIRED_HARD };
bool fake_kernel_expire(struct fake_kernel *kernel, uint64_t now_ms, enum fake_expiry *expiry,
                        struct fake_sa *expired);
uint64_t fake_kernel_deadline(struct fake_kernel *kernel);

/* Frees what it has to say, unheard. */
void fake_kernel_drop_notices(struct fake_kernel *kernel);

/* An SA as it is told to the keeper. */
struct kernel_sa fake_sa_told(const struct fake_sa *sa);

/* SAs that are filled. */
size_t fake_kernel_count(const struct fake_kernel *kernel);

/* One line for each SA and policy. */
void fake_kernel_print(const struct fake_kernel *kernel, FILE *to);

/* What the keeper calls (fake_jobs.c). */
extern const struct kernel_ops fake_kernel_ops;

/* A digest of all that is there but larval SAs, which carry nothing. */
uint64_t fake_kernel_digest(const struct fake_kernel *kernel);

#endif
