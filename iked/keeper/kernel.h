/*
 * The kernel as the keeper sees it: jobs in, results in the jobs; dumps; events.
 *
 * Two kinds: XFRM through netlink (xfrm_io.c), and one that accepts everything and installs nothing
 * (kernel_none.c), for load tests and machines without ESP.
 * Not here: what may be asked of it (gate.h), what was asked before (ledger.h).
 */
#ifndef IKED_KEEPER_KERNEL_H
#define IKED_KEEPER_KERNEL_H

#include "lib/policy/piece.h"
#include "lib/sa/effect.h"

/* Reqids of iked's: the mark on everything that is ours in the kernel (lib/policy/config.c). */
#define REQID_TAG      0x69000000u
#define REQID_TAG_MASK 0xff000000u
#define REQID_DYNAMIC  0x69800000u

static inline bool reqid_is_ours(uint32_t reqid)
{
    return (reqid & REQID_TAG_MASK) == REQID_TAG;
}

/* Made up for one SA and its rekeyed ones, and not by the configuration. */
static inline bool reqid_is_dynamic(uint32_t reqid)
{
    return reqid_is_ours(reqid) && reqid >= REQID_DYNAMIC;
}

/* The least SPI that is allocated: RFC 4303 reserves 1-255; the first octet stays nonzero. */
#define KERNEL_SPI_MIN 0x01000000u

enum kernel_verb {
    KERNEL_ALLOCATE_SPI = 1,
    KERNEL_INSTALL_SA,
    KERNEL_QUERY_SA,
    KERNEL_MOVE_SA, /* to another destination: the old SA stays, to be removed */
    KERNEL_REMOVE_SA,
    KERNEL_SET_PIECE,
    KERNEL_REMOVE_PIECE,
    KERNEL_REMOVE_FORWARD, /* of a piece that was a tunnel's */
    KERNEL_SET_BYPASS,     /* neighbour discovery: see xfrm_encode.h */
    KERNEL_REMOVE_BYPASS,
};

/* Where a policy leads its packets: the ends of the SA, whose it is, and how. */
struct policy_template {
    struct address local;
    struct address remote;
    uint32_t reqid;
    uint8_t protocol; /* enum v2_protocol */
    uint8_t mode;     /* enum child_mode */
    uint8_t policy;   /* enum child_policy */
};

struct kernel_job {
    enum kernel_verb verb;
    size_t request; /* the caller's */
    /* Borrowed, as the verb needs. */
    const struct effect_allocate_spi *allocate_spi;
    const struct effect_install_sa *install_sa;
    const struct effect_move_sa *move_sa;
    const struct effect_query_sa *query_sa;
    struct effect_remove_sa remove_sa;
    struct piece piece;              /* SET_PIECE, REMOVE_PIECE, REMOVE_FORWARD */
    struct policy_template template; /* SET_PIECE */
    uint8_t mode;                    /* REMOVE_PIECE */
    /* Results. */
    int error;        /* errno of the kernel, 0: done */
    uint32_t spi;     /* ALLOCATE_SPI */
    uint64_t packets; /* QUERY_SA */
    uint64_t bytes;   /* QUERY_SA */
    uint64_t used_s;  /* QUERY_SA: when the last packet was, in the kernel's time; 0: not known */
    char text[96];    /* what the kernel said besides, or "" */
};

/* Something found in the kernel that bears our tag. */
struct kernel_sa {
    struct address source;
    struct address destination;
    uint32_t spi; /* 0: a larval SA that an acquire left, waiting for its outbound SA */
    uint32_t reqid;
    uint8_t protocol;
    uint8_t mode;
    bool encap;       /* in UDP; then the ends have their ports */
    uint64_t packets; /* so far */
    uint64_t bytes;
    uint64_t used_s;              /* the last of them, in seconds since 1970; 0: not known */
    struct selector local_packet; /* larval: the packet that asked for it */
    struct selector remote_packet;
};

struct kernel_piece {
    struct piece piece;
    uint32_t reqid;
    uint8_t mode;
};

enum kernel_notice_kind { NOTICE_ACQUIRE = 1, NOTICE_EXPIRE, NOTICE_MAPPING, NOTICE_LOST };

/* What the kernel says by itself. */
struct kernel_notice {
    enum kernel_notice_kind kind; /* LOST: some were lost, look for yourself */
    /* ACQUIRE: reqid and packet; EXPIRE and MAPPING: destination, spi, protocol.  MAPPING: the
     * source is the one that packets come from now, with its port. */
    struct kernel_sa sa;
    bool hard;
};

struct kernel;

struct kernel_ops {
    /* In order; returns when all have their results. */
    void (*run)(struct kernel *kernel, struct kernel_job *jobs, size_t count);
    /* False when the kernel did not answer to the end. */
    bool (*dump_sas)(struct kernel *kernel,
                     void (*found)(void *context, const struct kernel_sa *sa), void *context);
    bool (*dump_pieces)(struct kernel *kernel,
                        void (*found)(void *context, const struct kernel_piece *piece),
                        void *context);
    /* The descriptor that becomes readable with notices, -1: there are none. */
    int (*notice_fd)(const struct kernel *kernel);
    void (*read_notices)(struct kernel *kernel,
                         void (*notice)(void *context, const struct kernel_notice *notice),
                         void *context);
    void (*free)(struct kernel *kernel);
};

struct kernel {
    const struct kernel_ops *ops;
};

struct early;

/* NULL with a line in the reason.  Takes `early`, which may be NULL, also when it fails. */
struct kernel *kernel_xfrm_new(struct early *early, struct reason *reason);
struct kernel *kernel_none_new(struct reason *reason);

/* "the kernel has no ESP ..." for an errno of a job; returns `text`. */
char *kernel_error_text(const struct kernel_job *job, char *text, size_t size);

#endif
