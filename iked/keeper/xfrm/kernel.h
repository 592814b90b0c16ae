/*
 * The kernel as the keeper sees it: jobs in, results in the jobs; dumps; events.
 *
 * Two kinds: XFRM through netlink (xfrm_io.c), and one that accepts everything and installs nothing
 * (kernel_none.c), for load tests and machines without ESP.
 * Not here: what may be asked of it (gate.h), what was asked before (ledger.h).
 */
#ifndef IKED_KEEPER_XFRM_KERNEL_H
#define IKED_KEEPER_XFRM_KERNEL_H

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

/* What KERNEL_SET_BYPASS lets pass, out and in: neighbour discovery (RFC 4861), ICMPv6 types 133 to
 * 137. */
#define KERNEL_ND_FIRST 133
#define KERNEL_ND_COUNT 5

/* Which of them a piece is: 0 to 4, -1: none. */
static inline int kernel_bypass(const struct piece *piece)
{
    const struct piece bypass = {
        .family = FAMILY_IPV6,
        .protocol = 58,
        .local_port = piece->local_port,
        .local_mask = UINT16_MAX,
    };
    int type = piece->local_port - KERNEL_ND_FIRST;

    return piece_equal(piece, &bypass) && type >= 0 && type < KERNEL_ND_COUNT ? type : -1;
}

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
    uint8_t protocol; /* enum ipsec_protocol */
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
    bool out_only;                   /* SET_PIECE: the other directions stay as they are */
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

enum kernel_direction { KERNEL_OUT, KERNEL_IN, KERNEL_FORWARD, KERNEL_DIRECTIONS };

/* One policy, of one direction, whoever made it.  Those of single sockets are left out. */
struct kernel_piece {
    struct piece piece;
    struct policy_template template; /* in and forward: without the remote end, which may be any */
    uint32_t priority;
    uint8_t direction;
    bool plain;   /* there is no template: what matches passes as it is, or not at all */
    bool blocks;  /* not at all */
    bool partial; /* only for packets with a mark, or of one interface */
};

enum kernel_notice_kind {
    NOTICE_ACQUIRE = 1,
    NOTICE_EXPIRE,
    NOTICE_MAPPING,
    NOTICE_LOST, /* some were lost, look for yourself */
    /* What others did, not the keeper: */
    NOTICE_SA_GONE,
    NOTICE_SAS_GONE, /* all of them, or all of a kind */
    NOTICE_POLICY,   /* there is a new one, or one has changed */
    NOTICE_POLICY_GONE,
    NOTICE_POLICIES_GONE,
};

/* What the kernel says by itself. */
struct kernel_notice {
    enum kernel_notice_kind kind;
    /* ACQUIRE: reqid and packet; EXPIRE, MAPPING, SA_GONE: destination, spi, protocol.  MAPPING:
     * the source is the one that packets come from now, with its port. */
    struct kernel_sa sa;
    struct kernel_piece piece; /* POLICY; POLICY_GONE: piece and direction */
    bool hard;
};

/* The kernel's tables. */
enum kernel_table { KERNEL_SAS, KERNEL_POLICIES };

/* Whom a table is shown to. */
struct kernel_viewer {
    void (*sa)(void *context, const struct kernel_sa *sa); /* those that bear our tag */
    void (*piece)(void *context, const struct kernel_piece *piece);
    void *context;
};

enum kernel_look { LOOK_MORE, LOOK_DONE, LOOK_BROKEN };

struct kernel;

struct kernel_ops {
    /* In order; returns when all have their results. */
    void (*run)(struct kernel *kernel, struct kernel_job *jobs, size_t count);
    /* Shows a whole table.  False when the kernel did not answer to the end. */
    bool (*dump)(struct kernel *kernel, enum kernel_table table,
                 const struct kernel_viewer *viewer);
    /* Shows the next few entries, from the beginning with `begin`.  What comes to the table
     * meanwhile may be shown or not; what goes may be shown still. */
    enum kernel_look (*look)(struct kernel *kernel, enum kernel_table table,
                             const struct kernel_viewer *viewer, bool begin);
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
