/*
 * The keeper's service on a kernel that is a list of what it was told, before a negotiator that is
 * a list of what it heard; and requests that pass the gate.
 */
#ifndef TEST_UNIT_KEEPER_H
#define TEST_UNIT_KEEPER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iked/keeper/service.h"
#include "iked/keeper/upkeep.h"
#include "lib/wire/ikev2.h"
#include "test/unit/policy.h"

#define JOBS_MAX 4096

/* A kernel that writes down what it is told. */
struct toy {
    struct kernel kernel;
    struct kernel_job jobs[JOBS_MAX];
    size_t job_count;
    size_t runs;
    enum kernel_verb failing; /* answers these with `error` */
    int error;
    uint32_t next_spi;
    bool spi_stays;           /* the next is always the same */
    struct kernel_sa sas[16]; /* what a dump shows */
    size_t sa_count;
    struct kernel_piece pieces[32];
    size_t piece_count;
    size_t looked_at;
    struct kernel_notice notices[16];
    size_t notice_count;
};

/* What the negotiator heard. */
struct heard {
    struct answer answers[64];
    size_t answer_count;
    struct kernel_event events[64];
    size_t event_count;
    char trouble[256];
    size_t trouble_count;
};

extern struct toy toy;
extern struct heard heard;
extern struct service service;
extern struct config *config;

int set_up(void **state);
int tear_down(void **state);

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* Requests that pass the gate; db's where nothing is said. */
struct effect allocate_spi(uint32_t sequence);
struct effect install_sa(uint32_t spi, bool inbound);
struct effect remove_sa(uint32_t spi, bool inbound);
struct effect policy_for(enum effect_kind kind, const char *connection, const char *child);

/* A pair that was negotiated, not configured. */
struct effect narrow_policy_for(enum effect_kind kind, const char *connection, const char *child);

/* Another configuration, in use at once. */
void reconfigure(const char *text);

/* Hands it to the service, which takes all of it. */
void take(struct effect effect);

/* A pair of SAs of db's, and its policy. */
void establish(void);

uint32_t keeper_reqid(const char *connection, const char *child);
struct name name_of(const char *value);

size_t jobs_of(enum kernel_verb verb);
void forget_jobs(void);

#endif
