/*
 * The gate (iked/keeper/gate/gate.h) in a room with a configuration and a ledger, and requests that
 * pass: each test begins with one of them, and changes one thing.
 */
#ifndef TEST_UNIT_GATE_H
#define TEST_UNIT_GATE_H

#include "iked/keeper/gate/gate.h"
#include "lib/wire/ikev2.h"
#include "test/unit/policy.h"

struct room {
    struct config *config;
    struct ledger ledger;
    struct gate gate;
};

extern struct room room;

int room_set_up(void **state);
int room_tear_down(void **state);

#define TEST(function) cmocka_unit_test_setup_teardown(function, room_set_up, room_tear_down)

/* Asks the gate about `effect`; a refusal has to give a reason with `why` in it, and is counted. */
void assert_passes(const struct effect *effect);
void assert_refused(const struct effect *effect, const char *why);

/* Changes a copy of a good request, expects a refusal. */
#define REFUSED(good, why, change)      \
    do {                                \
        struct effect changed = (good); \
        struct effect *e = &changed;    \
        change;                         \
        assert_refused(e, (why));       \
    } while (0)

/* Another configuration, at once. */
void room_configure(const char *text);

/* What `local = "any"` is to the gate. */
void open_local(const char *connection);

struct connection *room_connection(const char *name);
uint32_t reqid_of(const char *connection, const char *child);
void name_set(struct name *name, const char *value);
struct selector selector_between(const char *start, const char *end);

/* An SA between db's ends in the ledger: in transport mode, of this negotiator's. */
struct sa_record *grant(const char *connection, const char *child, uint32_t spi, bool inbound,
                        bool filled);

/* The one of lan's tunnel. */
struct sa_record *grant_tunnel(bool inbound);

/* Of db's child web. */
struct effect good_spi(void);

/* Of lan's child net. */
struct effect good_policy(void);

#endif
