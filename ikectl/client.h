/*
 * The client's end of the control socket.
 *
 * One request at a time: client_ask sends it, gives every item away and says how it ended.  What
 * goes wrong is printed here, once, so that a verb only passes the status on.
 */
#ifndef IKECTL_CLIENT_H
#define IKECTL_CLIENT_H

#include "ikectl/ikectl.h"
#include "lib/control/line.h"
#include "lib/control/message.h"

/* How long iked may be silent before we give it up; 0: for ever. */
#define SILENCE_SHOW_S   15
#define SILENCE_RELOAD_S 60
#define SILENCE_NEVER_S  0

struct client {
    const struct ikectl *ctl;
    int fd;
    uint64_t last_id;
    struct control_lines lines;
    struct control_greeting greeting;
};

/* Connects and reads the greeting.  EXIT_DONE, or another status after a complaint; client_close
 * either way. */
MUST_USE enum exit_status client_open(struct client *client, const struct ikectl *ctl);
void client_close(struct client *client);

/* Puts a `what` ("connection") into a request.  False with a complaint, when nothing can have this
 * name. */
MUST_USE bool name_take(const struct ikectl *ctl, struct name *name, const char *what,
                        const char *text);

/* Sends the request with an id of its own and gives every item to `each` (its body is borrowed).
 * EXIT_DONE: `text` (an owned string, NULL when nobody wants it) is what it said.  EXIT_FAILED when
 * iked says so, EXIT_NO_DAEMON when it stops talking sense, each after a complaint (as JSON on
 * out for the former when that is wanted). */
MUST_USE enum exit_status client_ask(
    struct client *client, struct control_request *request, int silence_s,
    void (*each)(void *context, enum control_item item, json_t *body), void *context, char **text);

#endif
