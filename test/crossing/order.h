/*
 * One order of events, told by what comes before what: its name, and its scenario.
 */
#ifndef TEST_CROSSING_ORDER_H
#define TEST_CROSSING_ORDER_H

#include "test/common/crossing.h"

#define DRAWN_MAX 64
#define NAME_SIZE 160

/* When things happened, counted from 1; 0: never. */
struct order {
    unsigned now;
    unsigned started[2];
    unsigned request[2];  /* number of the host's first message */
    unsigned answer[2];   /* and of the other one's answer to it */
    unsigned came[2];     /* when the request ... */
    unsigned answered[2]; /* ... and its answer arrived */
    unsigned lost;        /* which message */
};

/* Lets it happen, and notes when. */
void order_do(struct order *order, struct crossing *crossing, struct event event);

/* Names of the orders that were drawn. */
struct drawn {
    size_t count;
    char names[DRAWN_MAX][NAME_SIZE];
};

/* Prints the order as a scenario, unless one of its name was drawn before. */
void order_draw(const struct order *order, const struct crossing *crossing, unsigned loser,
                struct drawn *drawn);

#endif
