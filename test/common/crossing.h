/*
 * Two hosts whose exchanges cross: each starts one operation on an IKE SA with a child, and from
 * then on every message waits until somebody says that it arrives.  RFC 7296 sections 2.8 and 2.25.
 *
 * After each event a packet is sent each way, and none may be sealed that the other end cannot
 * open.  The ladder of what happened is drawn as text; the same text, read again, says which event
 * comes next.
 * Not here: which orders there are (test/crossing), the text of scenarios (test/scenario).
 */
#ifndef TEST_COMMON_CROSSING_H
#define TEST_COMMON_CROSSING_H

#include "test/common/world.h"

enum operation {
    OP_REKEY_CHILD,
    OP_REKEY_IKE,
    OP_DELETE_CHILD,
    OP_DELETE_IKE,
    OP_CREATE_CHILD, /* a second one, y; the first is x */
    OP_COUNT
};

/* "rekey-child"; OP_COUNT when there is none of the name. */
const char *operation_name(enum operation op);
enum operation operation_from_name(const char *name);

enum event_kind {
    EVENT_START,  /* `which`: the host; it starts its operation */
    EVENT_ARRIVE, /* `which`: the message; it arrives */
    EVENT_REPEAT, /* it arrives, and a copy of it stays on its way */
    EVENT_LOSE,   /* it is lost */
    EVENT_WORK,   /* `which`: the host; what it has asked of its kernel and its provider is done */
    EVENT_TIME,   /* until something happens by itself */
};

struct event {
    enum event_kind kind;
    unsigned which;
};

#define CROSSING_HELD_MAX   16
#define CROSSING_TEXT_MAX   128
#define CROSSING_LADDER_MAX 16384

/* A message on its way.  They are numbered from 1 in the order of sending. */
struct crossing_message {
    unsigned number;
    unsigned from;
    size_t line_at; /* where the ladder has it */
    struct flight *flight;
};

struct crossing {
    struct world world;
    struct host *hosts[2];
    enum operation ops[2];
    bool started[2];
    bool by_hand; /* work, too, waits for its event */
    bool capturing;
    bool time_passes;
    struct crossing_message held[CROSSING_HELD_MAX];
    size_t held_count;
    unsigned sent;
    unsigned first_new;     /* the first message sent by the last event */
    uint64_t end_ms;        /* nothing is waited for any longer */
    uint64_t ike_spi;       /* what stood at the beginning: the initiator's SPI ... */
    uint32_t child_spis[2]; /* ... and the inbound ones of x */
    uint64_t up_commands[2];
    uint64_t spis[8]; /* of IKE SAs in the ladder */
    size_t spi_count;
    unsigned drawn_tail; /* the message of the ladder's last line, when it may still arrive there */
    size_t ladder_size;
    char ladder[CROSSING_LADDER_MAX];
    char failure[512]; /* "" while all holds */
};

/* Hosts a and b with an IKE SA, made by a, and the child x. */
void crossing_begin(struct crossing *crossing, uint64_t seed, struct crypto *crypto,
                    const enum operation ops[2], bool by_hand);
void crossing_end(struct crossing *crossing);

/* A seed with which this host loses when both start at once; another one for each host where that
 * makes no difference. */
uint64_t crossing_seed(struct crypto *crypto, const enum operation ops[2], unsigned loser);

/* What can happen next; EVENT_REPEAT and EVENT_LOSE are for the caller to make of EVENT_ARRIVE.
 * 0: nothing any more.  The order is always the same. */
#define CROSSING_EVENTS_MAX (CROSSING_HELD_MAX + 4)
size_t crossing_events(struct crossing *crossing, struct event events[CROSSING_EVENTS_MAX]);

/* Lets it happen, and sends packets each way. */
void crossing_do(struct crossing *crossing, struct event event);

/* Nothing can happen any more: is all as it must be? */
void crossing_judge(struct crossing *crossing);

/* Whose exchange was found redundant, as often as that host says. */
uint64_t crossing_redundant(const struct crossing *crossing, unsigned host);

void crossing_fail(struct crossing *crossing, const char *format, ...) PRINTF_LIKE(2, 3);

/* --- crossing_ladder.c --- */

void ladder_sent(struct crossing *crossing, struct crossing_message *message);
void ladder_event(struct crossing *crossing, struct event event);

/* The event that a line of a drawing tells of, as it is read from top to bottom.  False when it is
 * none: a message that is sent, and arrives further down. */
struct ladder_reader {
    const char *rest;
    unsigned sent;
};
MUST_USE bool ladder_read(struct ladder_reader *reader, const struct crossing *crossing,
                          struct event *event);

#endif
