/*
 * The control server on a real socket and event loop, in front of an engine of cardboard, and
 * clients that speak to it.
 */
#ifndef TEST_UNIT_CONTROL_SERVER_H
#define TEST_UNIT_CONTROL_SERVER_H

#include <sys/un.h>

#include "iked/negotiator/control.h"
#include "lib/control/message.h"
#include "test/unit/policy.h"

/* Of cardboard: its functions are in iked_control.c. */
struct engine {
    struct config *config;
    size_t up_sas; /* of "db" */
    size_t shows;  /* how often somebody looked */
};

struct control_world {
    struct event_base *base;
    struct control *control;
    struct engine engine;
    char folder[32];
    struct sockaddr_un address;
    struct command last_command;
    size_t command_count;
    bool answer_at_once; /* commands succeed before `run` returns */
    uint64_t reload_number;
    bool reload_dry_run;
    bool reload_force;
    char *reply; /* what a client read, REPLY_SIZE octets */
};

/* The configuration has the connections db and web. */
int setup(void **state);
int teardown(void **state);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A client that has been greeted, and one that has not yet read. */
int client_of(struct control_world *world);
int connect_silently(struct control_world *world);

/* Lets the server work; reads until it has nothing more to say. */
void turn(struct control_world *world);
const char *receive(struct control_world *world, int fd);

void say(struct control_world *world, int fd, const char *text);
const char *ask(struct control_world *world, int fd, const char *text);
bool at_end(struct control_world *world, int fd);

/* One of the server's own counters, asked by a client of its own. */
long counter(struct control_world *world, const char *name);

#endif
