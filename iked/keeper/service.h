/*
 * Carries requests out: gate, then vault or kernel, then ledger and answer.
 *
 * Requests come one by one and are gathered; service_flush carries the gathered ones out in one
 * batch of the kernel's, in order.  What the kernel says by itself, orphans and clean-up are in
 * upkeep.h, on the same struct.
 * Not here: the channel to the negotiator (notify.h).
 */
#ifndef IKED_KEEPER_SERVICE_H
#define IKED_KEEPER_SERVICE_H

#include "iked/keeper/audit.h"
#include "iked/keeper/gate/gate.h"
#include "iked/keeper/vault.h"
#include "iked/keeper/xfrm/kernel.h"
#include "lib/sa/kernel_event.h"

#define SERVICE_REQUESTS_MAX 128
#define SERVICE_JOBS_MAX     2048 /* more than one policy needs, see service.c */

/* What goes back to the negotiator, and what is asked of this host. */
struct service_hooks {
    void (*answer)(void *context, struct answer *answer); /* borrowed */
    void (*event)(void *context, const struct kernel_event *event);
    /* An effect that has no answer failed. */
    void (*trouble)(void *context, const struct name *connection, const char *text);
    /* See routes.h. */
    enum status (*find_source)(void *context, const struct address *remote, struct address *source,
                               struct reason *reason);
    bool (*is_own_address)(void *context, const struct address *address);
    struct crypto *crypto; /* borrowed by the vault; NULL: it makes its own */
    /* Of the ledger's tables: what nobody can guess, as a negotiator chooses SPIs. */
    uint8_t hash_key[16];
    void *context;
};

struct request;

struct service {
    struct ledger ledger;
    struct gate gate;
    struct vault vault;
    struct kernel *kernel; /* owned */
    struct service_hooks hooks;
    uint64_t now_ms; /* of the flush under way */
    struct request *requests;
    size_t request_count;
    struct kernel_job *jobs;
    size_t job_count;
    size_t batch_jobs; /* so many are a batch, but a request's stay together */
    bool taking;       /* a request's jobs are being added */
    struct audit audit;
    bool bypass_set;
    bool sweep_due;
    bool committed; /* the engine of this session has its configuration */
};

/* Takes `kernel`, also when it fails.  False when memory is out or OpenSSL is unusable. */
MUST_USE bool service_init(struct service *service, struct kernel *kernel,
                           const struct service_hooks *hooks);
void service_free(struct service *service);

/* Moves the effect in. */
void service_take(struct service *service, struct effect *effect, uint64_t now_ms);

/* Carries out what was taken; the answers are given before it returns. */
void service_flush(struct service *service);

/* A job to fill, for no request.  What is gathered is carried out first when it makes a batch,
 * unless a request is being taken: so whoever adds many walks the ledger by a walk that outlives
 * removals (sa_walk, hash_walk). */
struct kernel_job *service_add_job(struct service *service, enum kernel_verb verb);

/* Removes an SA from kernel and ledger. */
void service_remove_sa(struct service *service, struct sa_record *sa);

/* Gives an owner a pair, or gives it anew, for no request. */
enum status service_set_policy(struct service *service, const struct effect_policy *policy,
                               struct reason *reason);

/* Removes what an owner has for a pair of selectors from ledger and kernel; pieces that others
 * want, too, are theirs from now on. */
void service_remove_policy(struct service *service, struct policy_record *policy);

/* The same, but what the configuration itself wants for the pair stays, or comes back. */
void service_give_up_policy(struct service *service, struct policy_record *policy);

/* Tells the kernel again who holds a piece, which somebody does. */
void service_put_back(struct service *service, struct piece_record *piece);

/* A name was resolved: the gate lets SAs of its connection go there, and where they are already. */
void service_learn(const struct service *service, struct config *config,
                   const struct answer *answer);

#endif
