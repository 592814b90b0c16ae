/*
 * Fuzzing the whole engine from behind the encryption: two simulated hosts, and an input that says
 * what they do, what becomes of their packets, and how a message is altered before it is sealed.
 *
 * What must hold whatever comes: nothing crashes, no timer runs in circles (world.c), no packet of
 * the pair leaves in the clear, state stays bounded, and all of it is gone once both ends are.
 * The grammar of an input: one octet of choices, then operations, see operate().
 */
#include <stdlib.h>
#include <string.h>

#include "lib/ikev2/creation.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/policy/loss.h"
#include "test/common/host.h"
#include "test/common/probe.h"
#include "test/common/tap.h"
#include "test/common/world.h"
#include "test/fuzz/fuzz.h"

#define OPERATIONS_MAX 48
#define EDITS_MAX      8
#define PACKETS_MAX    64
#define BODY_MAX       64
#define SAS_MAX        200

enum edit_kind {
    EDIT_SET,
    EDIT_FLIP,
    EDIT_CUT,
    EDIT_REMOVE,
    EDIT_REPEAT,
    EDIT_ADD,
    EDIT_RETYPE,
    EDIT_HEADER,
    EDIT_MANGLE,
    EDIT_PAD,
    EDIT_NUMBERS,
    EDIT_COUNT
};

struct edit {
    uint8_t kind;
    uint8_t payload;
    uint16_t at;
    uint8_t value;
    uint8_t size;
    uint8_t body[BODY_MAX];
};

struct fuzz {
    struct world world;
    struct host *hosts[2];
    const char *names[2];
    struct edit edits[EDITS_MAX]; /* of the next packet */
    size_t edit_count;
    struct edit part_edits[EDITS_MAX]; /* one each for the next fragments */
    size_t part_count;
    unsigned drops;
    struct {
        struct address source, destination;
        struct buffer data;
    } seen[PACKETS_MAX];
    size_t seen_count;
};

static struct crypto *crypto;

static const char *const proposals[] = {"aes128gcm16-prfsha256-x25519",
                                        "aes128-sha256-prfsha256-x25519"};

/* --- Altering --- */

static void edit_body(const struct edit *edit, struct tap_payload *payload)
{
    struct buffer *body = &payload->body;

    if (edit->kind == EDIT_SET)
        CHECK(buffer_copy(body, slice_of(edit->body, edit->size)));
    else if (edit->kind == EDIT_FLIP && body->size > 0)
        body->data[edit->at % body->size] ^= edit->value;
    else if (edit->kind == EDIT_CUT && body->size > 0)
        body->size = edit->at % body->size;
    else if (edit->kind == EDIT_RETYPE)
        payload->type = edit->value;
}

static void edit_header(const struct edit *edit, struct ike_header *header)
{
    switch (edit->at % 6) {
    case 0: header->exchange = edit->value; break;
    case 1: header->flags = edit->value; break;
    case 2: header->message_id += edit->value; break;
    case 3: header->version = edit->value; break;
    case 4: header->spi_i ^= edit->value; break;
    default: header->spi_r ^= edit->value; break;
    }
}

static const uint8_t padding[8000];

static void edit_tap(const struct edit *edit, struct tap *tap)
{
    size_t at = tap->count == 0 ? 0 : edit->payload % tap->count;

    switch ((enum edit_kind)edit->kind) {
    case EDIT_SET:
    case EDIT_FLIP:
    case EDIT_CUT:
    case EDIT_RETYPE:
        if (tap->count > 0)
            edit_body(edit, &tap->payloads[at]);
        return;
    case EDIT_REMOVE: tap_remove(tap, at); return;
    case EDIT_REPEAT:
        if (tap->count > 0)
            tap_insert(tap, at, tap->payloads[at].type, tap->payloads[at].critical,
                       buffer_slice(&tap->payloads[at].body));
        return;
    case EDIT_ADD:
        tap_insert(tap, at, edit->value, (edit->at & 1) != 0, slice_of(edit->body, edit->size));
        return;
    case EDIT_HEADER: edit_header(edit, &tap->header); return;
    case EDIT_MANGLE:
        if (tap->mangle_count < TAP_MANGLES_MAX) {
            tap->mangles[tap->mangle_count].at = edit->at;
            tap->mangles[tap->mangle_count++].flip = edit->value;
        }
        return;
    case EDIT_PAD: /* too large for one datagram */
        tap_insert(tap, tap->count, V2_VENDOR, false,
                   slice_of(padding, edit->at % sizeof(padding)));
        return;
    case EDIT_NUMBERS:
        tap->number = (uint16_t)((edit->at & 0xff) | (edit->value >> 4) << 8);
        tap->total = (uint16_t)(edit->at >> 8 | (edit->value & 15) << 8);
        return;
    case EDIT_COUNT: return;
    }
}

static void remember(struct fuzz *fuzz, const struct flight *flight)
{
    size_t at = fuzz->seen_count++ % PACKETS_MAX;

    fuzz->seen[at].source = flight->source;
    fuzz->seen[at].destination = flight->destination;
    CHECK(buffer_copy(&fuzz->seen[at].data, buffer_slice(&flight->data)));
}

/* The next edit of a fragment is for this packet, when it is one. */
static void edit_part(struct fuzz *fuzz, struct flight *flight)
{
    struct tap tap;

    if (fuzz->part_count == 0 || !tap_open(&tap, &fuzz->world, flight))
        return;
    if (tap.total > 0) {
        edit_tap(&fuzz->part_edits[--fuzz->part_count], &tap);
        (void)(tap_close(&tap, &fuzz->world, flight) == false);
    }
    tap_free(&tap);
}

/* What is to grow waits for a message that can be cut. */
static void edit_packet(struct fuzz *fuzz, struct flight *flight, struct tap *tap)
{
    size_t count = fuzz->edit_count;

    if (!tap->sealed && fuzz->edits[0].kind == EDIT_PAD)
        return;
    for (size_t i = 0; i < count; i++)
        edit_tap(&fuzz->edits[i], tap);
    fuzz->edit_count = 0;
    (void)(tap_close(tap, &fuzz->world, flight) == false); /* too large: it stays as it was */
}

static enum fate on_packet(void *context, struct flight *flight)
{
    struct fuzz *fuzz = context;
    struct tap tap;

    if (flight->kind != FLIGHT_IKE)
        return FATE_PASS;
    if (fuzz->edit_count > 0 && tap_open(&tap, &fuzz->world, flight)) {
        edit_packet(fuzz, flight, &tap);
        tap_free(&tap);
    }
    edit_part(fuzz, flight);
    remember(fuzz, flight);
    if (fuzz->drops == 0)
        return FATE_PASS;
    fuzz->drops--;
    return FATE_LOST;
}

/* --- Operations --- */

static void add_edit(struct edit *edits, size_t *count, struct reader *input)
{
    struct edit edit = {.kind = reader_u8(input) % EDIT_COUNT};

    edit.payload = reader_u8(input);
    edit.at = reader_u16(input);
    edit.value = reader_u8(input);
    if (edit.kind == EDIT_SET || edit.kind == EDIT_ADD) {
        edit.size = reader_u8(input) % (BODY_MAX + 1);
        reader_copy(input, edit.body, edit.size);
    }
    if (*count < EDITS_MAX)
        edits[(*count)++] = edit;
}

/* A message of the input's own, with the keys of the first SA of a host. */
static void request(struct fuzz *fuzz, const struct host *host, struct reader *input)
{
    struct ike_sa *sa = host->engine == NULL ? NULL : probe_first(host->engine);
    struct tap tap;

    if (sa == NULL || sa->keys.size == 0)
        return;
    tap_request(&tap, sa, (uint8_t)(34 + reader_u8(input) % 5));
    uint8_t choices = reader_u8(input);
    tap.header.message_id += choices >> 6;
    if ((choices & 1) != 0)
        tap.header.flags |= V2_FLAG_RESPONSE;
    for (unsigned i = choices >> 1 & 7; i > 0; i--) {
        uint8_t type = reader_u8(input);
        struct slice body = reader_bytes(input, reader_u8(input));
        tap_insert(&tap, tap.count, type, false, body);
    }
    CHECK(tap_send(&tap, &fuzz->world, sa));
    tap_free(&tap);
}

/* Makes a request the response to what the SA's peer asks next. */
static void answer_as(struct tap *tap, const struct ike_sa *sa)
{
    tap->header.flags |= V2_FLAG_RESPONSE;
    tap->header.message_id = ikev2_of(sa)->expected;
    while (tap->count > 0 && tap->payloads[0].type == V2_NOTIFY)
        tap_remove(tap, 0);
}

/* A well-made CREATE_CHILD_SA request of one of a host's SAs, with the edits that wait, or the same
 * as a response. */
static void create(struct fuzz *fuzz, const struct host *host, struct reader *input)
{
    uint8_t choices = reader_u8(input);
    struct ike_sa *sa = host->engine == NULL ? NULL : probe_first(host->engine);
    struct tap tap;

    for (unsigned i = choices & 3; sa != NULL && TAILQ_NEXT(sa, entry) != NULL && i > 0; i--)
        sa = TAILQ_NEXT(sa, entry);
    if (sa == NULL || sa->keys.size == 0)
        return;
    enum creation_kind kind = (choices >> 2 & 3) % 3;
    const struct child_sa *like =
        (choices & 16) != 0 ? TAILQ_LAST(&sa->children, child_sa_list) : TAILQ_FIRST(&sa->children);
    if (like == NULL && kind != CREATE_REKEY_IKE)
        return;
    CHECK(tap_create(&tap, &fuzz->world, sa, kind, kind == CREATE_REKEY_IKE ? NULL : like));
    if ((choices & 32) != 0)
        answer_as(&tap, sa);
    for (size_t i = 0; i < fuzz->edit_count; i++)
        edit_tap(&fuzz->edits[i], &tap);
    fuzz->edit_count = 0;
    (void)(tap_send(&tap, &fuzz->world, sa) == false); /* too large */
    tap_free(&tap);
    if ((choices & 32) == 0 && ikev2_of(sa)->request == NULL)
        ikev2_of(sa)->next_request++; /* the engine knows nothing of it, and goes on behind it */
}

static void inject(struct fuzz *fuzz, size_t to, struct reader *input)
{
    struct address source = fuzz->hosts[!to]->v4;
    struct address destination = fuzz->hosts[to]->v4;

    source.port = destination.port = 500;
    world_inject(&fuzz->world, &source, &destination, reader_bytes(input, reader_u8(input)));
}

static void replay(struct fuzz *fuzz, struct reader *input)
{
    size_t count = fuzz->seen_count < PACKETS_MAX ? fuzz->seen_count : PACKETS_MAX;
    uint8_t back = reader_u8(input);

    if (count == 0)
        return;
    size_t at = (fuzz->seen_count - 1 - back % count) % PACKETS_MAX;
    world_inject(&fuzz->world, &fuzz->seen[at].source, &fuzz->seen[at].destination,
                 buffer_slice(&fuzz->seen[at].data));
}

/* The kernel says that an SA of its own is at its end. */
static void expire(struct host *host, struct reader *input)
{
    struct fake_sa *sa = TAILQ_FIRST(&host->kernel.sas);
    bool hard = (reader_u8(input) & 1) != 0;

    if (sa != NULL && hard)
        sa->hard_ms = 0;
    else if (sa != NULL)
        sa->soft_ms = 0;
    host->kernel.deadline_known = false;
}

static void ping(struct fuzz *fuzz, size_t from, bool tunnel)
{
    struct selector source = selector_host(&fuzz->hosts[from]->v4);
    struct selector destination = selector_host(&fuzz->hosts[!from]->v4);

    if (tunnel) {
        const uint8_t nets[2][4] = {{10, 0, 0, 1}, {10, 1, 0, 1}};
        memcpy(source.start, nets[from], 4);
        memcpy(source.end, nets[from], 4);
        memcpy(destination.start, nets[!from], 4);
        memcpy(destination.end, nets[!from], 4);
    }
    (void)host_traffic(fuzz->hosts[from], &source, &destination);
}

/* The kernel says that packets of an SA of its own come from somewhere else. */
static void mapping(struct host *host, struct reader *input)
{
    const struct fake_sa *sa = TAILQ_FIRST(&host->kernel.sas);
    uint8_t skip = reader_u8(input) % 4;
    struct address source = {.family = FAMILY_IPV4, .port = reader_u16(input)};

    reader_copy(input, source.bytes, 4);
    while (sa != NULL && TAILQ_NEXT(sa, entry) != NULL && skip-- > 0)
        sa = TAILQ_NEXT(sa, entry);
    if (sa != NULL && host->engine != NULL)
        host_mapping(host, sa, &source);
}

static void move(struct host *host, struct reader *input)
{
    struct address to = host->v4;

    to.bytes[3] = (uint8_t)(100 + (host->index == 0 ? 0 : 50) + reader_u8(input) % 50);
    host_move(host, &to);
}

static void operate(struct fuzz *fuzz, struct reader *input, bool tunnel)
{
    uint8_t operation = reader_u8(input) % 21;
    size_t index = reader_u8(input) & 1;
    struct host *host = fuzz->hosts[index];

    switch (operation) {
    case 0: (void)host_up(host, fuzz->names[index]); break;
    case 1: (void)host_down(host, fuzz->names[index]); break;
    case 2: world_run(&fuzz->world, reader_u8(input) * 100u); break;
    case 3: ping(fuzz, index, tunnel); break;
    case 4:
    case 5: add_edit(fuzz->edits, &fuzz->edit_count, input); return; /* with what comes next */
    case 17: add_edit(fuzz->part_edits, &fuzz->part_count, input); return;
    case 18: mapping(host, input); break;
    case 19:
        if (host->nat != NULL)
            nat_box_rebind(host->nat);
        break;
    case 20:
        if (tunnel) /* else the address is what is protected */
            move(host, input);
        break;
    case 6: fuzz->drops = reader_u8(input) % 8; return;
    case 7: request(fuzz, host, input); break;
    case 8: inject(fuzz, index, input); break;
    case 9: replay(fuzz, input); break;
    case 10: expire(host, input); break;
    case 11:
        host_crash(host);
        host_start(host);
        break;
    case 12: (void)host_shutdown(host); break;
    case 13:
    case 14: create(fuzz, host, input); break;
    case 15: /* how long the keeper takes: events come while it works */
        fuzz->world.weather.work_max_ms = reader_u8(input) * 8u;
        return;
    default: fuzz->world.weather.kernel_failure = reader_u8(input); return;
    }
    world_settle(&fuzz->world);
}

/* --- One input --- */

static void add_host(struct fuzz *fuzz, size_t index, uint8_t choices)
{
    static const struct address outside = {.family = FAMILY_IPV4, .bytes = {198, 51, 100, 1}};
    struct host *host = world_add_host(&fuzz->world, index == 0 ? "a" : "b");
    unsigned number = (unsigned)index;
    char error[CONFIG_ERROR_MAX];
    char child[256] = "";
    char text[1024];
    bool roams = index == 0 && (choices & 64) != 0 && (choices & 2) != 0;
    char local[96];
    const char *remote = index == 0 ? "192.0.2.2" : (choices & 8) != 0 ? "any" : "192.0.2.1";

    fuzz->hosts[index] = host;
    fuzz->names[index] = index == 0 ? "ab" : "ba";
    if ((choices & 2) != 0)
        snprintf(child, sizeof(child),
                 "mode = \"tunnel\"; local = [ \"10.%u.0.0/16\" ]; remote = [ \"10.%u.0.0/16\" ];",
                 number, 1 - number);
    if (roams)
        snprintf(local, sizeof(local), "{ address = \"any\"; id = \"a.example\"; }");
    else
        snprintf(local, sizeof(local), "\"192.0.2.%u\"", number + 1);
    if (index == 0 && (choices & 32) != 0)
        world_add_nat(&fuzz->world, host, &outside, false);
    snprintf(text, sizeof(text),
             "daemon: { cookie_threshold = %u; };\n"
             "connections: { %s: { local = %s; remote = \"%s\"; proposals = [ \"%s\" ];"
             " %s children: { c: { esp = [ \"aes128gcm16\" ]; %s }; }; }; };",
             (choices & 4) != 0 ? 0u : 100u, fuzz->names[index], local, remote,
             proposals[choices & 1], (choices & 16) != 0 ? "lifetime = \"60s\";" : "", child);
    CHECK(host_configure(host, text, error));
    CHECK(host_set_secrets(host, "secrets: ( { psk = \"secret\"; } );", error));
    host_start(host);
}

static void check(const struct fuzz *fuzz, bool any)
{
    for (size_t i = 0; i < 2; i++) {
        CHECK(fuzz->hosts[i]->clear == 0 || (any && i == 1));
        CHECK(fuzz->hosts[i]->kernel.sa_count < SAS_MAX);
        CHECK(engine_sa_count(fuzz->hosts[i]->engine) < SAS_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz fuzz;
    struct reader input = reader_of(slice_of(data, size));
    uint8_t choices = reader_u8(&input);

    if (crypto == NULL)
        crypto = crypto_new();
    CHECK(crypto != NULL);
    memset(&fuzz, 0, sizeof(fuzz));
    world_init(&fuzz.world, 1, crypto);
    fuzz.world.debug = true;
    fuzz.world.hooks = (struct hooks){.packet = on_packet, .context = &fuzz};
    add_host(&fuzz, 0, choices);
    add_host(&fuzz, 1, choices);
    world_settle(&fuzz.world);
    for (size_t i = 0; i < OPERATIONS_MAX && reader_left(&input) > 0; i++)
        operate(&fuzz, &input, (choices & 2) != 0);
    check(&fuzz, (choices & 8) != 0);
    /* Both ends go: whatever was begun comes to its end. */
    fuzz.world.weather.kernel_failure = 0;
    fuzz.world.weather.work_max_ms = 0;
    fuzz.drops = 0;
    (void)host_shutdown(fuzz.hosts[0]);
    (void)host_shutdown(fuzz.hosts[1]);
    world_run(&fuzz.world, 300000);
    for (size_t i = 0; i < 2; i++)
        CHECK(engine_sa_count(fuzz.hosts[i]->engine) == 0);
    for (size_t i = 0; i < PACKETS_MAX; i++)
        buffer_free(&fuzz.seen[i].data);
    world_free(&fuzz.world);
    return 0;
}
