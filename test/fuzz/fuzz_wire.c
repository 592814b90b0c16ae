/*
 * Fuzzing lib/wire: header, chain and every payload parser on a stranger's message, and whatever
 * parsed is written, parsed again and must be the same.
 *
 * The chain is tried whatever the header says of the length, so that the fuzzer need not keep the
 * two in step.
 */
#include <string.h>

#include "lib/wire/ikev2.h"
#include "test/fuzz/fuzz.h"

static uint8_t room[2 * UINT16_MAX];
static const struct ike_header some_header = {.spi_i = 1, .version = 0x20};

static struct v2_writer begin(void)
{
    struct v2_writer writer;

    v2_message_begin(&writer, room, sizeof(room), &some_header);
    return writer;
}

/* The body of the one payload that was written. */
static struct slice end(struct v2_writer *writer, uint8_t type)
{
    struct ike_header header;
    struct v2_payloads payloads;
    uint8_t critical;

    CHECK(v2_message_end(writer));
    struct reader reader = reader_of(writer_slice(&writer->bytes));
    CHECK(ike_header_parse(&header, writer_slice(&writer->bytes), NULL) == STATUS_OK);
    CHECK(header.next_payload == type);
    reader_skip(&reader, IKE_HEADER_SIZE);
    CHECK(v2_payloads_parse(&payloads, type, reader_rest(&reader), &critical, NULL) == STATUS_OK);
    CHECK(payloads.count == 1 && payloads.items[0].type == type);
    return payloads.items[0].body;
}

static bool transform_equal(const struct v2_transform *a, const struct v2_transform *b)
{
    return a->type == b->type && a->id == b->id && a->key_bits == b->key_bits &&
           a->unknown_attribute == b->unknown_attribute;
}

static bool proposal_equal(const struct v2_proposal *a, const struct v2_proposal *b)
{
    if (a->number != b->number || a->protocol != b->protocol || a->spi_size != b->spi_size ||
        a->transform_count != b->transform_count || memcmp(a->spi, b->spi, V2_SPI_MAX) != 0)
        return false;
    for (size_t i = 0; i < a->transform_count; i++)
        if (!transform_equal(&a->transforms[i], &b->transforms[i]))
            return false;
    return true;
}

/* Transforms that cannot be chosen cannot be written either: they become plain ones. */
static void forget_attributes(struct v2_sa *sa)
{
    for (size_t i = 0; i < sa->count; i++)
        for (size_t j = 0; j < sa->proposals[i].transform_count; j++)
            sa->proposals[i].transforms[j].unknown_attribute = false;
}

static void try_sa(uint8_t type, struct slice body)
{
    static struct v2_sa sa;
    static struct v2_sa again;
    struct reason reason;

    if (v2_sa_parse(&sa, body, &reason) != STATUS_OK)
        return;
    forget_attributes(&sa);
    CHECK(sa.count >= 1 && sa.count <= V2_PROPOSALS_MAX);
    struct v2_writer writer = begin();
    v2_write_sa(&writer, &sa);
    CHECK(v2_sa_parse(&again, end(&writer, type), NULL) == STATUS_OK);
    CHECK(again.count == sa.count);
    for (size_t i = 0; i < sa.count; i++)
        CHECK(proposal_equal(&sa.proposals[i], &again.proposals[i]));
}

static void try_ke(uint8_t type, struct slice body)
{
    struct v2_ke ke;
    struct v2_ke again;
    struct reason reason;

    if (v2_ke_parse(&ke, body, &reason) != STATUS_OK)
        return;
    struct v2_writer writer = begin();
    v2_write_ke(&writer, ke.group, ke.data);
    CHECK(v2_ke_parse(&again, end(&writer, type), NULL) == STATUS_OK);
    CHECK(again.group == ke.group && slice_equal(again.data, ke.data));
}

static void try_id(uint8_t type, struct slice body)
{
    struct v2_id id;
    struct v2_id again;
    struct reason reason;

    if (v2_id_parse(&id, body, &reason) != STATUS_OK)
        return;
    struct v2_writer writer = begin();
    v2_write_id(&writer, type, id.type, id.data);
    CHECK(v2_id_parse(&again, end(&writer, type), NULL) == STATUS_OK);
    CHECK(again.type == id.type && slice_equal(again.data, id.data));
}

static void try_auth(uint8_t type, struct slice body)
{
    struct v2_auth auth;
    struct v2_auth again;
    struct reason reason;

    if (v2_auth_parse(&auth, body, &reason) != STATUS_OK)
        return;
    struct v2_writer writer = begin();
    v2_write_auth(&writer, auth.method, auth.data);
    CHECK(v2_auth_parse(&again, end(&writer, type), NULL) == STATUS_OK);
    CHECK(again.method == auth.method && slice_equal(again.data, auth.data));
}

static void try_nonce(uint8_t type, struct slice body)
{
    struct slice nonce;
    struct reason reason;

    if (v2_nonce_parse(&nonce, body, &reason) != STATUS_OK)
        return;
    CHECK(nonce.size >= V2_NONCE_MIN && nonce.size <= V2_NONCE_MAX);
    struct v2_writer writer = begin();
    v2_write_nonce(&writer, nonce);
    CHECK(slice_equal(end(&writer, type), nonce));
}

static void try_notify(uint8_t type, struct slice body)
{
    struct v2_notify_body notify;
    struct v2_notify_body again;
    struct reason reason;

    if (v2_notify_parse(&notify, body, &reason) != STATUS_OK)
        return;
    CHECK(v2_notify_name(notify.type) != NULL);
    struct v2_writer writer = begin();
    v2_write_notify(&writer, notify.protocol, notify.spi, notify.type, notify.data);
    CHECK(v2_notify_parse(&again, end(&writer, type), NULL) == STATUS_OK);
    CHECK(again.protocol == notify.protocol && again.type == notify.type);
    CHECK(slice_equal(again.spi, notify.spi) && slice_equal(again.data, notify.data));
}

static void try_delete(uint8_t type, struct slice body)
{
    static uint32_t spis[UINT16_MAX];
    struct v2_delete delete;
    struct v2_delete again;
    struct reason reason;

    if (v2_delete_parse(&delete, body, &reason) != STATUS_OK)
        return;
    struct reader reader = reader_of(delete.spis);
    for (size_t i = 0; i < delete.count; i++)
        spis[i] = reader_u32(&reader);
    CHECK(reader_done(&reader));
    struct v2_writer writer = begin();
    v2_write_delete(&writer, delete.protocol, spis, delete.count);
    CHECK(v2_delete_parse(&again, end(&writer, type), NULL) == STATUS_OK);
    CHECK(again.protocol == delete.protocol && again.spi_size == delete.spi_size);
    CHECK(again.count == delete.count && slice_equal(again.spis, delete.spis));
}

static void try_selectors(uint8_t type, struct slice body)
{
    struct v2_selectors selectors;
    struct v2_selectors again;
    struct reason reason;

    if (v2_selectors_parse(&selectors, body, &reason) != STATUS_OK)
        return;
    CHECK(selectors.count >= 1 && selectors.count <= V2_SELECTORS_MAX);
    struct v2_writer writer = begin();
    v2_write_selectors(&writer, type, selectors.items, selectors.count);
    CHECK(v2_selectors_parse(&again, end(&writer, type), NULL) == STATUS_OK);
    CHECK(again.count == selectors.count);
    for (size_t i = 0; i < selectors.count; i++) {
        char text[SELECTOR_TEXT_MAX];
        CHECK(selector_equal(&again.items[i], &selectors.items[i]));
        CHECK(selector_contains(&selectors.items[i], &again.items[i]));
        CHECK(strlen(selector_text(&selectors.items[i], text)) < SELECTOR_TEXT_MAX);
    }
}

static void try_chain(uint8_t first, struct slice bytes);

/* As if the text were not encrypted and had neither IV nor ICV. */
static void try_sk(uint8_t next, struct slice body)
{
    struct slice inner;
    struct reason reason;

    if (v2_sk_unpad(body, &inner, &reason) != STATUS_OK)
        return;
    CHECK(inner.size < body.size);
    try_chain(next == V2_SK ? V2_NO_NEXT : next, inner);
}

static const struct {
    uint8_t type;
    void (*try)(uint8_t type, struct slice body);
} tries[] = {
    {V2_SA, try_sa},         {V2_KE, try_ke},         {V2_IDI, try_id},
    {V2_IDR, try_id},        {V2_AUTH, try_auth},     {V2_NONCE, try_nonce},
    {V2_NOTIFY, try_notify}, {V2_DELETE, try_delete}, {V2_TSI, try_selectors},
    {V2_TSR, try_selectors},
};

/* The same payloads in the same order, whatever was passed over. */
static void try_rewrite(const struct v2_payloads *payloads)
{
    static struct v2_payloads again;
    struct v2_writer writer = begin();
    uint8_t critical;

    for (size_t i = 0; i < payloads->count; i++) {
        v2_payload_begin(&writer, payloads->items[i].type);
        writer_bytes(&writer.bytes, payloads->items[i].body);
    }
    CHECK(v2_message_end(&writer));
    struct reader reader = reader_of(writer_slice(&writer.bytes));
    reader_skip(&reader, IKE_HEADER_SIZE);
    CHECK(v2_payloads_parse(&again, room[16], reader_rest(&reader), &critical, NULL) == STATUS_OK);
    CHECK(again.count == payloads->count);
    for (size_t i = 0; i < again.count; i++)
        CHECK(again.items[i].type == payloads->items[i].type &&
              slice_equal(again.items[i].body, payloads->items[i].body));
}

static void try_chain(uint8_t first, struct slice bytes)
{
    static const struct v2_payload_rule rules[] = {
        {V2_SA, 1, 1}, {V2_NOTIFY, 0, 9}, {V2_NO_NEXT, 0, 0}};
    struct v2_payloads payloads;
    struct reason reason;
    uint8_t critical;

    enum status status = v2_payloads_parse(&payloads, first, bytes, &critical, &reason);
    CHECK(status == STATUS_OK || status == STATUS_REJECT);
    if (status != STATUS_OK)
        return;
    status = v2_payloads_check(&payloads, rules, &reason);
    CHECK(status == STATUS_OK || status == STATUS_REJECT);
    try_rewrite(&payloads);
    for (size_t i = 0; i < payloads.count; i++) {
        const struct v2_payload_item *item = &payloads.items[i];
        for (size_t j = 0; j < sizeof(tries) / sizeof(tries[0]); j++)
            if (tries[j].type == item->type)
                tries[j].try(item->type, item->body);
        if (item->type == V2_SK)
            try_sk(payloads.sk_next, item->body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice message = slice_of(data, size);
    struct reader reader = reader_of(message);
    struct ike_header header;
    struct reason reason;

    enum status status = ike_header_parse(&header, message, &reason);
    CHECK(status == STATUS_OK || status == STATUS_DROP);
    reader_skip(&reader, IKE_HEADER_SIZE);
    if (reader_ok(&reader))
        try_chain(header.next_payload, reader_rest(&reader));
    return 0;
}
