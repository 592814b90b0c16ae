/*
 * The keeper against a negotiator that an intruder holds: any datagrams, through decoding, gate,
 * ledger and a kernel that installs nothing.
 *
 * The input is datagrams, each behind two octets of length; a length of 0 ends the session.  Octets
 * that guess reqids, SPIs and names would seldom hit, so a few values stand for what was granted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iked/keeper/upkeep.h"
#include "iked/process/ipc.h"
#include "iked/process/log.h"
#include "lib/policy/loss.h"
#include "test/fuzz/fuzz.h"

#define SPI_LAST 0xffffffffu /* stands for the SPI allocated last */

static const char text[] =
    "connections: {"
    "  db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };"
    "  any: { local = \"192.0.2.1\"; remote = \"any\"; };"
    "  lan: { local = \"2001:db8::1\"; remote = \"2001:db8::2\"; children: { net: {"
    "    mode = \"tunnel\"; local = [ \"10.1.0.0/16\", \"10.3.0.1-10.3.0.77 tcp/1-1000\" ];"
    "    remote = [ \"10.2.0.0/16\" ]; }; }; };"
    "};";

static struct config *config;
static struct service service; /* made once: trying all algorithms takes longer than a run */
static uint64_t now_ms = 1000;
static uint32_t last_spi;

static void no_log(void *context, enum severity severity, const char *line)
{
    (void)context;
    (void)severity;
    (void)line;
}

/* What goes back must fit the same codec. */
static void require_encodes(struct ipc_message *message)
{
    static uint8_t room[IPC_DATAGRAM_MAX];
    struct writer writer = writer_of(room, sizeof(room));

    if (!ipc_encode(&writer, message))
        abort();
}

static void on_answer(void *context, struct answer *answer)
{
    struct ipc_message message = {.kind = IPC_ANSWER, .answer = *answer};

    (void)context;
    if (answer->kind == EFFECT_ALLOCATE_SPI && answer->status == STATUS_OK)
        last_spi = answer->spi;
    require_encodes(&message);
}

static void on_event(void *context, const struct kernel_event *event)
{
    struct ipc_message message = {.kind = IPC_EVENT, .event = *event};

    (void)context;
    require_encodes(&message);
}

static void on_trouble(void *context, const struct name *connection, const char *said)
{
    struct ipc_message message = {.kind = IPC_TROUBLE, .trouble.connection = *connection};

    (void)context;
    ipc_text(message.trouble.text, sizeof(message.trouble.text), said);
    require_encodes(&message);
}

static uint32_t reqid_guess(const struct name *connection, const struct name *child, uint32_t reqid)
{
    const struct connection *found = config_find(config, connection->text);
    const struct child_config *its =
        found != NULL ? connection_find_child(found, child->text) : NULL;

    return its != NULL && reqid == 0 ? its->reqid : reqid;
}

static void make_likely(struct effect *effect)
{
    if (effect->kind == EFFECT_ALLOCATE_SPI)
        effect->allocate_spi.reqid =
            reqid_guess(&effect->allocate_spi.connection, &effect->allocate_spi.child,
                        effect->allocate_spi.reqid);
    if (effect->kind == EFFECT_INSTALL_POLICY || effect->kind == EFFECT_REMOVE_POLICY)
        effect->policy.reqid =
            reqid_guess(&effect->policy.connection, &effect->policy.child, effect->policy.reqid);
    if (effect->kind == EFFECT_INSTALL_SA) {
        effect->install_sa.reqid = reqid_guess(&effect->install_sa.connection,
                                               &effect->install_sa.child, effect->install_sa.reqid);
        if (effect->install_sa.spi == SPI_LAST)
            effect->install_sa.spi = last_spi;
    }
    if (effect->kind == EFFECT_REMOVE_SA && effect->remove_sa.spi == SPI_LAST)
        effect->remove_sa.spi = last_spi;
}

static void take_datagram(struct slice datagram)
{
    struct reader reader = reader_of(datagram);
    struct ipc_message message;

    while (reader_left(&reader) > 0 && ipc_decode(&reader, IPC_NEGOTIATOR, &message)) {
        if (message.kind == IPC_EFFECT) {
            make_likely(&message.effect);
            service_take(&service, &message.effect, now_ms);
        } else if (message.kind == IPC_COMMIT) {
            service_flush(&service);
            upkeep_committed(&service, now_ms);
        }
        ipc_message_free(&message);
    }
    service_flush(&service);
}

/* The host has every second address, and reaches nobody. */
static enum status on_find_source(void *context, const struct address *remote,
                                  struct address *source, struct reason *reason)
{
    (void)context;
    (void)remote;
    (void)source;
    return reason_set(reason, STATUS_REJECT, 0, "no route");
}

static bool is_own_address(void *context, const struct address *address)
{
    (void)context;
    return address->bytes[3] % 2 == 1;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct service_hooks hooks = {on_answer,      on_event, on_trouble, on_find_source,
                                  is_own_address, NULL,     {0},        NULL};
    struct config_text file = {"iked.conf", slice_of(text, sizeof(text) - 1)};
    char error[CONFIG_ERROR_MAX] = "no memory";

    (void)argc;
    (void)argv;
    log_divert(no_log, NULL);
    config = config_parse(&file, 1, error);
    if (config == NULL || !service_init(&service, kernel_none_new(NULL), &hooks)) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    gate_offer(&service.gate, config);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader = reader_of(slice_of(data, size));

    while (reader_left(&reader) > 2) {
        uint16_t length = reader_u16(&reader);
        now_ms += 400;
        if (length == 0)
            upkeep_session_over(&service, now_ms);
        else
            take_datagram(reader_bytes(
                &reader, length < reader_left(&reader) ? length : reader_left(&reader)));
        upkeep_tick(&service, now_ms);
    }
    if (service.ledger.orphan_count > service.ledger.sa_count)
        abort();
    upkeep_clear(&service, true);
    if (service.ledger.sa_count != 0 || service.ledger.policies.count != 0 ||
        service.ledger.owners.count != 0 || service.ledger.reqids.count != 0 ||
        service.ledger.pieces.count != 0)
        abort();
    return 0;
}
