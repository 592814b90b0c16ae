/*
 * The small payloads: KE, IDi and IDr, AUTH, Nonce, Notify, Delete (RFC 7296 sections 3.4 to
 * 3.11), each reader beside its writer; and the head of SKF (RFC 7383 section 2.5).
 *
 * Not here: whether a value fits the SA (a group's public value, a signature, a known SPI).
 */
#include "lib/wire/bodies.h"

#include "lib/wire/ikev2.h"
#include "lib/wire/syntax.h"

/* --- Key Exchange, section 3.4 --- */

enum status v2_ke_parse(struct v2_ke *ke, struct slice body, struct reason *reason)
{
    struct reader reader = reader_of(body);

    ke->group = reader_u16(&reader);
    reader_skip(&reader, 2);
    ke->data = reader_rest(&reader);
    if (!reader_ok(&reader))
        return reject_syntax(reason, "KE of %zu octets", body.size);
    return STATUS_OK;
}

void v2_write_ke(struct v2_writer *writer, uint16_t group, struct slice public)
{
    v2_payload_begin(writer, V2_KE);
    writer_u16(&writer->bytes, group);
    writer_u16(&writer->bytes, 0);
    writer_bytes(&writer->bytes, public);
}

/* --- The shape of ID and AUTH: a type, three reserved octets, data --- */

static bool typed_read(struct slice body, uint8_t *type, struct slice *data)
{
    struct reader reader = reader_of(body);

    *type = reader_u8(&reader);
    reader_skip(&reader, 3);
    *data = reader_rest(&reader);
    return reader_ok(&reader);
}

static void typed_write(struct v2_writer *writer, uint8_t payload, uint8_t type, struct slice data)
{
    v2_payload_begin(writer, payload);
    writer_u32(&writer->bytes, (uint32_t)type << 24);
    writer_bytes(&writer->bytes, data);
}

/* --- Identification, section 3.5 --- */

/* Who asks for an identity's address need not ask for its size again. */
static bool id_size_is_legal(uint8_t type, size_t size)
{
    switch (type) {
    case V2_ID_IPV4_ADDR: return size == 4;
    case V2_ID_IPV6_ADDR: return size == 16;
    case V2_ID_NULL: /* RFC 7619 section 2.2 */ return size == 0;
    default: return true;
    }
}

enum status v2_id_parse(struct v2_id *id, struct slice body, struct reason *reason)
{
    if (!typed_read(body, &id->type, &id->data))
        return reject_syntax(reason, "ID of %zu octets", body.size);
    if (!id_size_is_legal(id->type, id->data.size))
        return reject_syntax(reason, "ID of type %u with %zu octets of data", id->type,
                             id->data.size);
    return STATUS_OK;
}

void v2_write_id(struct v2_writer *writer, uint8_t payload, uint8_t id_type, struct slice data)
{
    typed_write(writer, payload, id_type, data);
}

/* --- Authentication, section 3.8 --- */

enum status v2_auth_parse(struct v2_auth *auth, struct slice body, struct reason *reason)
{
    if (!typed_read(body, &auth->method, &auth->data))
        return reject_syntax(reason, "AUTH of %zu octets", body.size);
    return STATUS_OK;
}

void v2_write_auth(struct v2_writer *writer, uint8_t method, struct slice data)
{
    typed_write(writer, V2_AUTH, method, data);
}

/* --- Nonce, section 3.9 --- */

enum status v2_nonce_parse(struct slice *nonce, struct slice body, struct reason *reason)
{
    *nonce = body;
    if (body.size < V2_NONCE_MIN || body.size > V2_NONCE_MAX)
        return reject_syntax(reason, "Nonce of %zu octets, allowed are %d to %d", body.size,
                             V2_NONCE_MIN, V2_NONCE_MAX);
    return STATUS_OK;
}

void v2_write_nonce(struct v2_writer *writer, struct slice nonce)
{
    v2_payload_begin(writer, V2_NONCE);
    writer_bytes(&writer->bytes, nonce);
}

/* --- Notify, section 3.10 --- */

enum status v2_notify_parse(struct v2_notify_body *notify, struct slice body, struct reason *reason)
{
    struct reader reader = reader_of(body);

    notify->protocol = reader_u8(&reader);
    uint8_t spi_size = reader_u8(&reader);
    notify->type = reader_u16(&reader);
    notify->spi = reader_bytes(&reader, spi_size);
    notify->data = reader_rest(&reader);
    if (!reader_ok(&reader))
        return reject_syntax(reason, "Notify of %zu octets with an SPI of %u", body.size, spi_size);
    if (spi_size == 0)
        notify->protocol = V2_PROTOCOL_NONE; /* to be ignored: some peers fill it in */
    if (protocol_is_child(notify->protocol) && spi_size != CHILD_SPI_SIZE)
        return reject_syntax(reason, "Notify %s (%u) with an SPI of %u octets",
                             v2_notify_name(notify->type), notify->type, spi_size);
    return STATUS_OK;
}

void v2_write_notify(struct v2_writer *writer, uint8_t protocol, struct slice spi, uint16_t type,
                     struct slice data)
{
    v2_payload_begin(writer, V2_NOTIFY);
    if (spi.size > UINT8_MAX)
        writer->bytes.failed = true;
    writer_u8(&writer->bytes, protocol);
    writer_u8(&writer->bytes, (uint8_t)spi.size);
    writer_u16(&writer->bytes, type);
    writer_bytes(&writer->bytes, spi);
    writer_bytes(&writer->bytes, data);
}

/* --- Delete, section 3.11 --- */

/* An IKE SA is named by the header, so its Delete carries no SPI at all. */
static bool delete_is_legal(const struct v2_delete *delete)
{
    if (delete->protocol == V2_PROTOCOL_IKE)
        return delete->spi_size == 0 && delete->count == 0;
    return protocol_is_child(delete->protocol) && delete->spi_size == CHILD_SPI_SIZE;
}

enum status v2_delete_parse(struct v2_delete *delete, struct slice body, struct reason *reason)
{
    struct reader reader = reader_of(body);

    delete->protocol = reader_u8(&reader);
    delete->spi_size = reader_u8(&reader);
    delete->count = reader_u16(&reader);
    delete->spis = reader_rest(&reader);
    size_t spi_size = delete->spi_size;
    if (!reader_ok(&reader))
        return reject_syntax(reason, "Delete of %zu octets", body.size);
    if (!delete_is_legal(delete))
        return reject_syntax(reason, "Delete for protocol %u with %u SPIs of %u octets",
                             delete->protocol, delete->count, delete->spi_size);
    if (delete->spis.size != delete->count * spi_size)
        return reject_syntax(reason, "Delete: %u SPIs in %zu octets", delete->count,
                             delete->spis.size);
    return STATUS_OK;
}

void v2_write_delete(struct v2_writer *writer, uint8_t protocol, const uint32_t *spis, size_t count)
{
    v2_payload_begin(writer, V2_DELETE);
    writer_u8(&writer->bytes, protocol);
    writer_u8(&writer->bytes, protocol == V2_PROTOCOL_IKE ? 0 : CHILD_SPI_SIZE);
    writer_u16(&writer->bytes, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        writer_u32(&writer->bytes, spis[i]);
}

/* --- Encrypted Fragment, RFC 7383 section 2.5 --- */

enum status v2_skf_parse(struct v2_fragment *fragment, struct slice body, struct reason *reason)
{
    struct reader reader = reader_of(body);

    fragment->number = reader_u16(&reader);
    fragment->total = reader_u16(&reader);
    fragment->sealed = reader_rest(&reader);
    if (!reader_ok(&reader))
        return reason_set(reason, STATUS_DROP, 0, "SKF of %zu octets", body.size);
    if (fragment->number == 0 || fragment->number > fragment->total)
        return reason_set(reason, STATUS_DROP, 0, "fragment %u of %u", fragment->number,
                          fragment->total);
    return STATUS_OK;
}
