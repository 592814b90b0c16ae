/*
 * The messages between iked and its clients, for both ends: iked-control(7) in C.
 *
 * A message is one line of JSON.  The server greets; a client sends requests; each is answered by
 * any number of items and one last line that says how it went.  Decoding checks everything: types,
 * members, lengths, and that every string is printable, because the server distrusts its clients
 * and ikectl, run by root in a terminal, distrusts the unprivileged process that answers.
 * Not here: what items hold (item.h), lines of a stream (line.h), sockets.
 */
#ifndef LIB_CONTROL_MESSAGE_H
#define LIB_CONTROL_MESSAGE_H

#include <jansson.h>

#include "lib/sa/effect.h"

#define CONTROL_PROTOCOL    1
#define CONTROL_REQUEST_MAX 65536   /* octets of a request's line, its newline included */
#define CONTROL_ANSWER_MAX  1048576 /* octets of any line of the server's */
#define CONTROL_VERSION_MAX 63

/* --- The greeting --- */

struct control_greeting {
    char version[CONTROL_VERSION_MAX + 1];
    int64_t protocol;
    bool kernel_none; /* iked --kernel=none: nothing is protected */
};

/* Encoders give one line with its newline, to be freed by the caller; NULL when memory is out. */
char *control_greeting_encode(const struct control_greeting *greeting);

/* False with a reason.  A greeting of another protocol is no fault here. */
MUST_USE bool control_greeting_decode(struct slice line, struct control_greeting *greeting,
                                      struct reason *reason);

/* --- Requests --- */

enum control_verb {
    CONTROL_SHOW,
    CONTROL_UP,
    CONTROL_DOWN,
    CONTROL_REKEY,
    CONTROL_RELOAD,
    CONTROL_MONITOR,
};

enum control_what {
    CONTROL_CONNECTIONS,
    CONTROL_SAS,
    CONTROL_POLICIES,
    CONTROL_COUNTERS,
    CONTROL_CONFIG,
};

struct control_request {
    bool has_id; /* always, but after a fault */
    uint64_t id;
    enum control_verb verb;
    enum control_what what; /* SHOW */
    struct name name;       /* UP, DOWN, REKEY: a connection; SHOW: one, or empty for all */
    struct name child;      /* REKEY: one of its children, "ike", or empty for everything */
    bool dry_run;           /* RELOAD */
    bool force;             /* RELOAD: also when most connections go */
};

char *control_request_encode(const struct control_request *request);

/* False with a reason that says what stood there and what was expected; the id is set when it
 * could be read. */
MUST_USE bool control_request_decode(struct slice line, struct control_request *request,
                                     struct reason *reason);

/* By word, as in requests.  False when it is none; with `nearest` set to the nearest one. */
MUST_USE bool control_what_parse(const char *text, enum control_what *what, const char **nearest);

/* May a name be given with it? */
bool control_what_has_names(enum control_what what);

/* --- Answers --- */

enum control_item {
    CONTROL_LAST = 0, /* no item: the line ends the answer */
    CONTROL_ITEM_CONNECTION,
    CONTROL_ITEM_SA,
    CONTROL_ITEM_POLICY,
    CONTROL_ITEM_COUNTERS,
    CONTROL_ITEM_EVENT,
    CONTROL_ITEM_PROGRESS,
    CONTROL_ITEM_CONFIG,
};

enum control_code {
    CONTROL_FAILED,       /* it was tried, and failed */
    CONTROL_BAD_REQUEST,  /* it cannot be understood */
    CONTROL_UNKNOWN_NAME, /* there is no such connection */
    CONTROL_BUSY,         /* a limit of the server's */
};

struct control_answer {
    bool has_id; /* false: to a request whose id could not be read */
    uint64_t id;
    enum control_item item;
    json_t *body;           /* of an item */
    bool done;              /* LAST: it went well ... */
    enum control_code code; /* ... or this is why not */
    const char *text;       /* LAST: for people; "" when there is nothing to say */
    json_t *owner;          /* of body and text after decoding */
};

/* `body` stays the caller's. */
char *control_answer_encode(const struct control_answer *answer);

/* False with a reason.  control_answer_free afterwards. */
MUST_USE bool control_answer_decode(struct slice line, struct control_answer *answer,
                                    struct reason *reason);
void control_answer_free(struct control_answer *answer);

#endif
