/*
 * What the files of the toy protocol (toy_protocol.h) share.
 */
#ifndef TEST_COMMON_TOY_STATE_H
#define TEST_COMMON_TOY_STATE_H

#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/step.h"
#include "test/common/toy_message.h"

/* A child on its way. */
struct making {
    struct step step;
    struct child_sa *child;
    const struct child_config *config;
    uint32_t old; /* number of the child that is rekeyed; 0: none */
    uint8_t nonce_i[TOY_NONCE_SIZE];
    uint8_t nonce_r[TOY_NONCE_SIZE];
    bool ours;
    bool busy; /* failed, and may be tried again */
    enum { AWAIT_SPI, AWAIT_ANSWER, AWAIT_INSTALL, DONE, FAILED } stage;
};

/* What the toy keeps of an IKE SA. */
struct toy {
    struct protocol_timer again;
    struct buffer request; /* that is not answered; empty: none */
    struct buffer reply;   /* to the peer's last request */
    uint32_t next;         /* number of our next request ... */
    uint32_t expected;     /* ... and of the peer's */
    uint32_t deleting;     /* number of the child that the request deletes */
    uint8_t tries;
    uint8_t serving;  /* kind of the request that is worked on */
    bool reply_waits; /* until a child can send */
    struct making *own;
    struct making *theirs;
};

static inline struct toy *toy_of(const struct ike_sa *sa)
{
    return (struct toy *)(uintptr_t)sa->of_protocol;
}

/* --- toy_send.c --- */

/* Fills in whose it is, sends it, and again until it is answered. */
MUST_USE enum status toy_ask(struct context *context, struct ike_sa *sa,
                             struct toy_message *message);

/* It is answered, or of no interest any more. */
void toy_drop_request(struct context *context, struct ike_sa *sa);

/* Answers the request that is worked on; later, when `reply_waits`. */
MUST_USE enum status toy_reply(struct context *context, struct ike_sa *sa,
                               struct toy_message *message);
MUST_USE enum status toy_reply_error(struct context *context, struct ike_sa *sa,
                                     enum toy_error error);

void toy_send(struct context *context, struct ike_sa *sa, struct slice octets);

/* --- toy_making.c --- */

/* NULL when memory is out. `old`: the child that is rekeyed, or NULL. */
struct making *making_new(struct context *context, struct ike_sa *sa,
                          const struct child_config *config, const struct child_sa *old);

/* With the child, when it has one. */
void making_end(struct context *context, struct ike_sa *sa, struct making **place);

/* Begins one of ours. */
MUST_USE enum status making_start(struct context *context, struct ike_sa *sa,
                                  const struct child_config *config, const struct child_sa *old,
                                  struct reason *reason);

/* Both SPIs and both nonces are known. */
MUST_USE enum status making_install(struct context *context, struct ike_sa *sa,
                                    struct making *making);

bool toy_answer(struct context *context, struct ike_sa *sa, struct answer *answer);

/* What is done, or has failed, is told to the engine. */
void toy_settle(struct context *context, struct ike_sa *sa);

/* --- toy_input.c --- */

void toy_packet(struct context *context, const struct protocol *protocol,
                const struct datagram *datagram);
struct ike_sa *toy_requester(const struct context *context, struct slice octets);

#endif
