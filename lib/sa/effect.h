/*
 * Effects and answers: all that the protocol wants from the world, and what comes back.
 *
 * Exchanges append effects to a queue; whoever owns the engine takes them out, carries them out in
 * order, and hands the results back as answers, matched by ticket.  An effect is a value: it holds
 * copies, no pointers into any SA.
 * Not here: the list of them (effect_list.h), carrying anything out (iked, the simulation), the
 * gate's rules (iked/keeper).
 */
#ifndef LIB_SA_EFFECT_H
#define LIB_SA_EFFECT_H

#include <string.h>

#include "lib/base/secret.h"
#include "lib/crypto/suite.h"
#include "lib/policy/config.h"
#include "lib/sa/effect_list.h"

/* Names an effect that will be answered: the IKE SA by its number in this engine, and a sequence
 * within it.  sequence 0: no answer is expected. */
struct ticket {
    uint64_t sa;
    uint32_t sequence;
};

struct name {
    char text[CONFIG_NAME_MAX + 1];
};

/* A connection's or child's, which the configuration has seen to fit.  Nothing but zeros behind. */
static inline void name_of_config(struct name *name, const char *text)
{
    *name = (struct name){0};
    memcpy(name->text, text, strnlen(text, CONFIG_NAME_MAX));
}

/* UDP, from our address and port to the peer's.  The non-ESP marker of port 4500 (RFC 3948 section
 * 2.2) is the carrier's matter, in both directions. */
struct effect_send {
    struct address local;
    struct address remote;
    bool keepalive; /* RFC 3948 section 2.3: the octet 0xff instead of an IKE message; no data */
    struct buffer data;
};

/* Our public value from `private`, when it is wanted; and g^ir when `peer_public` is not empty. */
struct effect_compute {
    bool want_public;
    uint8_t group; /* enum group */
    struct secret private;
    struct buffer peer_public;
};

/* RFC 7296 section 2.15.  The vault finds the key by the identities.  When `peer_auth` is not empty
 * it is checked first, over `peer_octets`, and nothing is signed unless it holds.  When
 * `own_octets` is empty nothing is signed.  Octets: message | nonce | prf(SK_p, ID). */
struct effect_psk_auth {
    struct name connection;
    uint8_t prf; /* enum prf */
    struct identity local_id;
    struct identity remote_id;
    struct buffer own_octets;
    struct buffer peer_octets;
    struct buffer peer_auth;
};

/* The other ways to authenticate are declared and no more: DERIVE (SKEYID of a pre-shared key, RFC
 * 2409 section 5), SIGN with a private key, VERIFY a peer's signature (RFC 7427).  They carry but
 * the name of their connection, and the gate refuses them.  HACKING.md has the rules for them. */

/* An SPI for an inbound SA from `source` (the peer) to `destination` (us), with their ports. */
struct effect_allocate_spi {
    struct name connection;
    struct name child;
    struct address source;
    struct address destination;
    uint8_t protocol; /* enum ipsec_protocol: ESP or AH */
    uint8_t mode;     /* enum child_mode */
    bool encap;       /* the SA will be in UDP */
    bool early;       /* the peer answers: it has the keys, and may send, before we can have them */
    uint32_t reqid;
};

struct effect_install_sa {
    struct name connection;
    struct name child;
    bool inbound; /* its SPI was allocated before: the larval SA is filled */
    bool encap;   /* ESP in UDP (RFC 3948), between the ports of source and destination */
    struct address source;
    struct address destination;
    uint32_t spi;
    uint32_t reqid;
    uint8_t protocol; /* enum ipsec_protocol */
    uint8_t mode;     /* enum child_mode */
    uint8_t encr;     /* enum encr */
    uint8_t integ;    /* enum integ */
    bool esn;
    uint32_t replay_window;  /* of an outbound SA 0: it checks none */
    struct secret encr_key;  /* salt last */
    struct secret integ_key; /* empty with an AEAD */
    /* Limits, 0: none.  The kernel reports the soft ones and enforces the hard ones. */
    uint32_t soft_s, hard_s;
    uint64_t soft_bytes, hard_bytes;
    uint64_t soft_packets, hard_packets;
};

/* Which address of ours packets to `remote` would leave with: asked where the configuration leaves
 * it open, and again when the host's addresses have changed. */
struct effect_find_source {
    struct name connection;
    struct address remote;
};

/* An installed SA gets other ends: the peer's NAT or an address of either host has changed.  Keys,
 * limits and replay state stay; packets of that moment may be lost, none leaves in the clear. */
struct effect_move_sa {
    struct name connection;
    struct name child;
    bool inbound;
    bool encap; /* from now on */
    uint32_t spi;
    uint8_t protocol;      /* enum ipsec_protocol */
    struct address source; /* as it is; ports as with `encap` of INSTALL_SA */
    struct address destination;
    struct address new_source; /* as it is to be */
    struct address new_destination;
};

/* How much came in, or went out, by an SA of ours. */
struct effect_query_sa {
    struct address source;
    struct address destination;
    uint32_t spi;
    uint8_t protocol; /* enum ipsec_protocol */
};

/* The addresses of a name of the connection's peer. */
struct effect_resolve {
    struct name connection;
    uint8_t family; /* of interest; FAMILY_NONE: both */
    char host[CONFIG_HOST_MAX + 1];
};

struct effect_remove_sa {
    struct address source;
    struct address destination;
    uint32_t spi;
    uint8_t protocol; /* enum ipsec_protocol */
};

/* Policies in all directions for one pair of selectors. Installing the same pair again replaces. */
struct effect_policy {
    struct name connection;
    struct name child;
    struct address local;  /* ends of the SA (the template's addresses) */
    struct address remote; /* FAMILY_NONE never: such policies wait for the peer */
    struct selector local_selector;
    struct selector remote_selector;
    uint32_t reqid; /* of the SAs of all templates */
    uint8_t policy; /* enum child_policy */
    uint8_t template_count;
    struct effect_template {
        uint8_t protocol;        /* enum ipsec_protocol */
        uint8_t mode;            /* enum child_mode */
    } templates[TRANSFORMS_MAX]; /* as child_sa.transforms */
};

enum severity { SEVERITY_DEBUG, SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR };

/* One thing that happened, for logs, `ikectl monitor` and tests. */
struct effect_report {
    enum severity severity;
    const char *event;      /* a literal: "ike-established", "child-removed", "auth-failed", ... */
    struct name connection; /* may be empty */
    struct address remote;  /* family 0 when there is none */
    uint64_t ike_spi_i, ike_spi_r;
    char text[REASON_TEXT_MAX]; /* one line for people */
};

/* What became of `up`, `down`, `configure` or `shutdown`. */
struct effect_result {
    uint64_t command; /* the number that the command came with */
    bool done;        /* false: it failed */
    char text[REASON_TEXT_MAX];
};

/* What happens while a command waits for its outcome: a try without an answer, the next address. */
struct effect_progress {
    uint64_t command;
    char text[REASON_TEXT_MAX]; /* one line for people */
};

struct effect {
    enum effect_kind kind;
    struct ticket ticket;
    union {
        struct effect_send send;
        struct effect_compute compute;
        struct effect_psk_auth psk_auth;
        struct effect_allocate_spi allocate_spi;
        struct effect_install_sa install_sa;
        struct effect_find_source find_source;
        struct effect_move_sa move_sa;
        struct effect_query_sa query_sa;
        struct effect_resolve resolve;
        struct effect_remove_sa remove_sa;
        struct effect_policy policy;   /* INSTALL_POLICY and REMOVE_POLICY */
        struct name authentication_of; /* DERIVE, SIGN, VERIFY: a connection */
        struct name orphans_of;        /* REMOVE_ORPHANS: a connection */
        struct effect_report report;
        struct effect_result result;
        struct effect_progress progress;
    };
};

/* A row of effect_list.h. */
struct effect_info {
    const char *text; /* "install an SA" */
    enum effect_carrier carrier;
    bool answered;
    size_t connection_at; /* in struct effect; 0: it is for none */
};

/* NULL for a number that no effect has. */
const struct effect_info *effect_info(unsigned kind);

/* Whose effect it is; "" when it is for no connection. */
const struct name *effect_connection(const struct effect *effect);

/* Wipes and frees what the effect owns. */
void effect_free(struct effect *effect);

#define ANSWER_AGO_UNKNOWN UINT32_MAX /* kernels before 6.2 do not say it */

/* The result of an answered effect. */
struct answer {
    enum effect_kind kind;
    struct ticket ticket;
    enum status status;     /* OK, REJECT (a bad public value, a wrong AUTH, no secret), FAIL */
    struct buffer public;   /* COMPUTE */
    struct secret shared;   /* COMPUTE with a peer's public value */
    struct buffer auth;     /* SIGN with own octets */
    uint32_t spi;           /* ALLOCATE_SPI; QUERY_SA: the one asked about, STATUS_REJECT: there is
                             * none */
    uint8_t protocol;       /* the same: enum ipsec_protocol */
    uint64_t packets;       /* QUERY_SA */
    uint64_t bytes;         /* QUERY_SA */
    uint32_t ago_s;         /* QUERY_SA: when the last packet was; ANSWER_AGO_UNKNOWN */
    struct name connection; /* RESOLVE */
    uint8_t address_count;  /* RESOLVE: at least 1 when status is OK */
    struct address addresses[CONFIG_RESOLVED_MAX];
    struct address source; /* FIND_SOURCE; STATUS_REJECT: no route */
    struct reason reason;  /* when status is not OK */
};

void answer_free(struct answer *answer);

/* Carries out a COMPUTE: pure, so it may run in any thread that has its own crypto. */
struct crypto;
void effect_compute_run(struct crypto *crypto, const struct effect *effect, struct answer *answer);

/* Carries out a SIGN with a known pre-shared key: what the vault and the simulation do.
 * STATUS_REJECT in the answer when the peer's AUTH does not verify. */
void effect_psk_auth_run(struct crypto *crypto, const struct effect *effect, struct slice psk,
                         struct answer *answer);

/* The queue between exchanges and the engine's owner. */
struct effect_queue;

struct effect_queue *effect_queue_new(void);
void effect_queue_free(struct effect_queue *queue);

/* Appends an empty effect and gives it to be filled; NULL when memory is out or EFFECTS_MAX
 * wait: more than one event makes of a million SAs, as what makes many of each stops when enough
 * wait (lib/engine). */
#define EFFECTS_MAX 4194304
struct effect *effect_append(struct effect_queue *queue, enum effect_kind kind,
                             struct ticket ticket);

/* Moves the oldest effect to *effect; the caller frees it with effect_free. */
bool effect_queue_pop(struct effect_queue *queue, struct effect *effect);

/* Why effect_append gave none last: a line for people. */
const char *effect_fault(const struct effect_queue *queue);

/* Do so many wait that whoever makes many stops, and goes on when they are taken? */
#define EFFECTS_SLICE 4096
bool effect_queue_is_busy(const struct effect_queue *queue);

/* Others than EFFECTS_MAX and EFFECTS_SLICE, for tests. */
void effect_queue_limit(struct effect_queue *queue, size_t most, size_t slice);

/* How many wait. */
size_t effect_queue_count(const struct effect_queue *queue);

/* How many effects were lost because of EFFECTS_MAX or memory. */
uint64_t effect_queue_lost(const struct effect_queue *queue);

#endif
