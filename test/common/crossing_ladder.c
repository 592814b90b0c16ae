/*
 * Ladders of crossing messages as text: see crossing.h.
 *
 *   a                                                            b
 *   rekey-child                                                  |
 *   |-- request 2: REKEY_SA SA Nonce TSi TSr --------------------1
 *   |                                                  rekey-child
 *   2------------------- request 0: REKEY_SA SA Nonce TSi TSr ---|
 *   |                                                        1-->|
 *   |<-- response 2: SA Nonce TSi TSr ---------------------------|
 *   :                                                            :
 *
 * A message that arrives before anything else happens is one line; any other has its number where
 * it leaves and where it arrives.  An 'x' instead is a loss, ':' time that passes.  A message of
 * another IKE SA than the first begins with that SA's place.
 */
#include <stdlib.h>
#include <string.h>

#include "test/common/crossing.h"
#include "test/common/tap.h"

#define WIDTH 64 /* between the two hosts' lines */

static void put(struct crossing *crossing, const char *line)
{
    size_t room = sizeof(crossing->ladder) - crossing->ladder_size;
    int size = snprintf(crossing->ladder + crossing->ladder_size, room, "  %s\n", line);

    if (size > 0 && (size_t)size < room)
        crossing->ladder_size += (size_t)size;
}

/* Which IKE SA this is, from 1: by the initiator's SPI. */
static size_t place_of(struct crossing *crossing, uint64_t spi_i)
{
    const size_t room = sizeof(crossing->spis) / sizeof(crossing->spis[0]);

    for (size_t i = 0; i < crossing->spi_count; i++)
        if (crossing->spis[i] == spi_i)
            return i + 1;
    if (crossing->spi_count < room)
        crossing->spis[crossing->spi_count++] = spi_i;
    return crossing->spi_count;
}

static void add_payload(const struct tap_payload *payload, char *text, size_t size)
{
    struct v2_notify_body notify;
    struct v2_delete delete;
    struct reason reason;
    size_t used = strlen(text);
    struct slice body = buffer_slice(&payload->body);

    if (payload->type == V2_NOTIFY && v2_notify_parse(&notify, body, &reason) == STATUS_OK) {
        if (notify.type != V2_N_USE_TRANSPORT_MODE)
            snprintf(text + used, size - used, " %s", v2_notify_name(notify.type));
    } else if (payload->type == V2_DELETE && v2_delete_parse(&delete, body, &reason) == STATUS_OK) {
        snprintf(text + used, size - used, " Delete(%s)",
                 delete.protocol == V2_PROTOCOL_IKE ? "IKE" : "ESP");
    } else {
        snprintf(text + used, size - used, " %s", v2_payload_name(payload->type));
    }
}

static void message_text(struct crossing *crossing, const struct flight *flight, char *text,
                         size_t size)
{
    static struct tap tap;
    struct reason reason;
    char prefix[32] = "";

    /* An answer that outlives both ends' SAs can no longer be opened: it has nothing inside. */
    if (!tap_open(&tap, &crossing->world, flight) &&
        ike_header_parse(&tap.header, buffer_slice(&flight->data), &reason) != STATUS_OK)
        abort();
    size_t place = place_of(crossing, tap.header.spi_i);
    if (place > 1)
        snprintf(prefix, sizeof(prefix), "IKE %zu ", place);
    snprintf(text, size, "%s%s %u:", prefix,
             (tap.header.flags & V2_FLAG_RESPONSE) != 0 ? "response" : "request",
             tap.header.message_id);
    if (tap.count == 0)
        snprintf(text + strlen(text), size - strlen(text), " (empty)");
    for (size_t i = 0; i < tap.count; i++)
        add_payload(&tap.payloads[i], text, size);
    tap_free(&tap);
}

void ladder_sent(struct crossing *crossing, struct crossing_message *message)
{
    char text[CROSSING_TEXT_MAX];
    char line[WIDTH + 8];
    char number[8];

    message_text(crossing, message->flight, text, sizeof(text));
    size_t length = strlen(text) < WIDTH - 8 ? strlen(text) : WIDTH - 8;
    int width = snprintf(number, sizeof(number), "%u", message->number);
    memset(line, '-', WIDTH);
    line[WIDTH] = '\0';
    if (message->from == 0) {
        memcpy(line, "|-- ", 4);
        memcpy(line + 4, text, length);
        line[4 + length] = ' ';
        memcpy(line + WIDTH - width, number, (size_t)width);
    } else {
        memcpy(line + WIDTH - 4, " --|", 4);
        memcpy(line + WIDTH - 4 - length, text, length);
        line[WIDTH - 5 - length] = ' ';
        memcpy(line, number, (size_t)width);
    }
    message->line_at = crossing->ladder_size;
    put(crossing, line);
    crossing->drawn_tail = message->number;
}

/* A message's line becomes one whole arrow, or one that ends in the void. */
static void finish(struct crossing *crossing, const struct crossing_message *message, bool lost)
{
    char *line = crossing->ladder + message->line_at + 2;
    unsigned from = message->from;
    char *end = from == 0 ? line + WIDTH - 1 : line;
    int step = from == 0 ? -1 : 1;

    while (*end >= '0' && *end <= '9') {
        *end = '-';
        end += step;
    }
    end = from == 0 ? line + WIDTH - 1 : line;
    *end = lost ? 'x' : '|';
    if (!lost)
        end[step] = from == 0 ? '>' : '<';
}

static void arrive(struct crossing *crossing, const struct crossing_message *message)
{
    char line[WIDTH + 8];
    char mark[24];

    int width = message->from == 0 ? snprintf(mark, sizeof(mark), "%u-->|", message->number)
                                   : snprintf(mark, sizeof(mark), "|<--%u", message->number);
    memset(line, ' ', WIDTH);
    line[WIDTH] = '\0';
    line[0] = line[WIDTH - 1] = '|';
    memcpy(message->from == 0 ? line + WIDTH - width : line, mark, (size_t)width);
    put(crossing, line);
}

static void start(struct crossing *crossing, unsigned host)
{
    const char *name = operation_name(crossing->ops[host]);
    char line[WIDTH + 8];

    memset(line, ' ', WIDTH);
    line[WIDTH] = '\0';
    line[0] = line[WIDTH - 1] = '|';
    memcpy(host == 0 ? line : line + WIDTH - strlen(name), name, strlen(name));
    put(crossing, line);
}

void ladder_event(struct crossing *crossing, struct event event)
{
    unsigned tail = crossing->drawn_tail;
    const struct crossing_message *message = &crossing->held[0];
    char line[WIDTH + 8];

    if (crossing->ladder_size == 0) {
        snprintf(line, sizeof(line), "%-*s%s", WIDTH - 1, "a", "b");
        put(crossing, line);
    }
    crossing->drawn_tail = 0;
    while (message < &crossing->held[crossing->held_count] && message->number != event.which)
        message++;
    switch (event.kind) {
    case EVENT_START: start(crossing, event.which); return;
    case EVENT_ARRIVE:
        if (tail == event.which)
            finish(crossing, message, false);
        else
            arrive(crossing, message);
        return;
    case EVENT_REPEAT: arrive(crossing, message); return;
    case EVENT_LOSE: finish(crossing, message, true); return;
    case EVENT_WORK: return;
    case EVENT_TIME:
        snprintf(line, sizeof(line), "%-*s%s", WIDTH - 1, ":", ":");
        put(crossing, line);
        return;
    }
}

/* --- Reading --- */

static size_t take_line(struct ladder_reader *reader, char *line, size_t room)
{
    const char *begin = reader->rest + strspn(reader->rest, " \t");
    size_t length = strcspn(begin, "\n");

    reader->rest = begin + length + (begin[length] == '\n');
    while (length > 0 && begin[length - 1] == ' ')
        length--;
    snprintf(line, room, "%.*s", (int)length, begin);
    return length;
}

/* An arrival with a number: does the message arrive once more further down? */
static struct event arrival(const struct ladder_reader *reader, unsigned number, bool at_b)
{
    char mark[16];

    snprintf(mark, sizeof(mark), at_b ? " %u-->|" : "|<--%u ", number);
    bool again = strstr(reader->rest, mark) != NULL;
    return (struct event){again ? EVENT_REPEAT : EVENT_ARRIVE, number};
}

bool ladder_read(struct ladder_reader *reader, const struct crossing *crossing, struct event *event)
{
    char line[256];

    while (*reader->rest != '\0') {
        size_t length = take_line(reader, line, sizeof(line));
        if (length == 0 || strncmp(line, "a ", 2) == 0)
            continue;
        if (line[0] == ':') {
            *event = (struct event){EVENT_TIME, 0};
            return true;
        }
        if (strncmp(line, operation_name(crossing->ops[0]),
                    strlen(operation_name(crossing->ops[0]))) == 0) {
            *event = (struct event){EVENT_START, 0};
            return true;
        }
        if (line[0] == '|' && length > 1 && line[1] == ' ' && line[length - 1] != '|') {
            *event = (struct event){EVENT_START, 1};
            return true;
        }
        const char *arrow = strstr(line, "-->|");
        const char *number = arrow;
        while (number != NULL && number > line && number[-1] >= '0' && number[-1] <= '9')
            number--;
        if (number != NULL && number < arrow) {
            *event = arrival(reader, (unsigned)strtoul(number, NULL, 10), true);
            return true;
        }
        if (strncmp(line, "|<--", 4) == 0 && line[4] >= '0' && line[4] <= '9') {
            *event = arrival(reader, (unsigned)strtoul(line + 4, NULL, 10), false);
            return true;
        }
        reader->sent++;
        if (line[0] == 'x' || line[length - 1] == 'x') {
            *event = (struct event){EVENT_LOSE, reader->sent};
            return true;
        }
        if (arrow != NULL || strncmp(line, "|<", 2) == 0) {
            *event = (struct event){EVENT_ARRIVE, reader->sent};
            return true;
        }
    }
    return false;
}
