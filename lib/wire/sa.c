/*
 * The Security Association payload, RFC 7296 section 3.3: proposals of transforms of attributes,
 * read and written.
 *
 * Not here: which proposal is good (lib/policy); transform numbers pass through unjudged.
 */
#include "lib/wire/sa.h"

#include "lib/wire/ikev2.h"
#include "lib/wire/syntax.h"

/* "Last Substruc": more of the same kind follow, or none (sections 3.3.1 and 3.3.2). */
#define LAST            0
#define MORE_PROPOSALS  2
#define MORE_TRANSFORMS 3

#define SUBSTRUCTURE_HEADER_SIZE 4u

/* Section 3.3.5: the high bit of an attribute's type says that its value is two octets. */
#define ATTRIBUTE_SHORT      0x8000
#define ATTRIBUTE_KEY_LENGTH 14

/* Cuts the next proposal or transform off `from`.  The substructures of one kind fill their
 * container, so "Last Substruc" is checked against what is left. */
static enum status substructure_read(struct reader *from, struct reader *content, uint8_t more,
                                     const char *what, struct reason *reason)
{
    uint8_t last = reader_u8(from);
    reader_skip(from, 1);
    uint16_t length = reader_u16(from);
    size_t left = reader_left(from);

    if (!reader_ok(from))
        return reject_syntax(reason, "SA: a %s's header is cut off", what);
    if (length < SUBSTRUCTURE_HEADER_SIZE || length - SUBSTRUCTURE_HEADER_SIZE > left)
        return reject_syntax(reason, "SA: %s of length %u, where %zu octets are left", what, length,
                             left + SUBSTRUCTURE_HEADER_SIZE);
    *content = reader_part(from, length - SUBSTRUCTURE_HEADER_SIZE);
    if (last != (reader_left(from) > 0 ? more : LAST))
        return reject_syntax(reason, "SA: %s marked %u, with %zu octets behind it", what, last,
                             reader_left(from));
    return STATUS_OK;
}

/* Section 3.3.5.  A Key Length of 0, in the long form or given twice is none that we could return
 * unmodified, so the transform is as little to be chosen as one with an unknown attribute. */
static bool attributes_read(struct reader *reader, struct v2_transform *transform)
{
    while (reader_left(reader) > 0) {
        uint16_t type = reader_u16(reader);
        uint16_t value = reader_u16(reader);
        if (type == (ATTRIBUTE_SHORT | ATTRIBUTE_KEY_LENGTH) && value != 0 &&
            transform->key_bits == 0) {
            transform->key_bits = value;
            continue;
        }
        transform->unknown_attribute = true;
        if ((type & ATTRIBUTE_SHORT) == 0)
            reader_skip(reader, value);
    }
    return reader_ok(reader);
}

static enum status transform_read(struct reader *from, struct v2_transform *transform,
                                  struct reason *reason)
{
    struct reader content;
    enum status status = substructure_read(from, &content, MORE_TRANSFORMS, "transform", reason);

    if (status != STATUS_OK)
        return status;
    *transform = (struct v2_transform){.type = reader_u8(&content)};
    reader_skip(&content, 1);
    transform->id = reader_u16(&content);
    if (!attributes_read(&content, transform))
        return reject_syntax(reason, "SA: a transform is shorter than what it holds");
    return STATUS_OK;
}

static enum status transforms_read(struct reader *reader, uint8_t count,
                                   struct v2_proposal *proposal, struct reason *reason)
{
    for (unsigned i = 0; i < count; i++) {
        struct v2_transform transform;
        enum status status = transform_read(reader, &transform, reason);
        if (status != STATUS_OK)
            return status;
        if (proposal->transform_count < V2_TRANSFORMS_MAX)
            proposal->transforms[proposal->transform_count++] = transform;
    }
    if (!reader_done(reader))
        return reject_syntax(reason, "SA: proposal %u holds more than its %u transforms",
                             proposal->number, count);
    return STATUS_OK;
}

/* Section 3.3.1: none in the first exchange, 8 octets when an IKE SA is rekeyed, 4 for ESP and
 * AH.  Protocols that we do not know may have any that fits. */
static bool spi_size_is_legal(uint8_t protocol, uint8_t size)
{
    if (protocol == V2_PROTOCOL_IKE)
        return size == 0 || size == IKE_SPI_SIZE;
    if (protocol_is_child(protocol))
        return size == CHILD_SPI_SIZE;
    return size <= V2_SPI_MAX;
}

static enum status proposal_read(struct reader *from, struct v2_proposal *proposal,
                                 struct reason *reason)
{
    struct reader content;
    enum status status = substructure_read(from, &content, MORE_PROPOSALS, "proposal", reason);

    if (status != STATUS_OK)
        return status;
    proposal->number = reader_u8(&content);
    proposal->protocol = reader_u8(&content);
    proposal->spi_size = reader_u8(&content);
    uint8_t transform_count = reader_u8(&content);
    if (!spi_size_is_legal(proposal->protocol, proposal->spi_size))
        return reject_syntax(reason, "SA: proposal %u for protocol %u has an SPI of %u octets",
                             proposal->number, proposal->protocol, proposal->spi_size);
    reader_copy(&content, proposal->spi, proposal->spi_size);
    if (!reader_ok(&content))
        return reject_syntax(reason, "SA: a proposal is cut off");
    if (transform_count == 0)
        return reject_syntax(reason, "SA: proposal %u has no transform", proposal->number);
    return transforms_read(&content, transform_count, proposal, reason);
}

enum status v2_sa_parse(struct v2_sa *sa, struct slice body, struct reason *reason)
{
    struct reader reader = reader_of(body);
    unsigned first = 0;
    unsigned count = 0;

    sa->count = 0;
    do {
        struct v2_proposal proposal = {0};
        enum status status = proposal_read(&reader, &proposal, reason);
        if (status != STATUS_OK)
            return status;
        if (count == 0)
            first = proposal.number;
        if (proposal.number != first + count)
            return reject_syntax(reason, "SA: proposal %u stands where %u should", proposal.number,
                                 first + count);
        count++;
        if (sa->count < V2_PROPOSALS_MAX)
            sa->proposals[sa->count++] = proposal;
    } while (reader_left(&reader) > 0);
    /* An answer is one proposal with the number that it had in the offer (section 3.3.1). */
    if (first == 0 || (first != 1 && count > 1))
        return reject_syntax(reason, "SA: the first of %u proposals has number %u", count, first);
    return STATUS_OK;
}

static void transform_write(struct writer *bytes, const struct v2_transform *transform, bool last)
{
    size_t at = bytes->size;

    writer_u8(bytes, last ? LAST : MORE_TRANSFORMS);
    writer_u8(bytes, 0);
    writer_u16(bytes, 0);
    writer_u8(bytes, transform->type);
    writer_u8(bytes, 0);
    writer_u16(bytes, transform->id);
    if (transform->key_bits != 0) {
        writer_u16(bytes, ATTRIBUTE_SHORT | ATTRIBUTE_KEY_LENGTH);
        writer_u16(bytes, transform->key_bits);
    }
    writer_patch_u16(bytes, at + 2, (uint16_t)(bytes->size - at));
}

static void proposal_write(struct writer *bytes, const struct v2_proposal *proposal, bool last)
{
    size_t at = bytes->size;

    writer_u8(bytes, last ? LAST : MORE_PROPOSALS);
    writer_u8(bytes, 0);
    writer_u16(bytes, 0);
    writer_u8(bytes, proposal->number);
    writer_u8(bytes, proposal->protocol);
    writer_u8(bytes, proposal->spi_size);
    writer_u8(bytes, proposal->transform_count);
    writer_bytes(bytes, slice_of(proposal->spi, proposal->spi_size));
    for (unsigned i = 0; i < proposal->transform_count; i++)
        transform_write(bytes, &proposal->transforms[i], i + 1u == proposal->transform_count);
    writer_patch_u16(bytes, at + 2, (uint16_t)(bytes->size - at));
}

void v2_write_sa(struct v2_writer *writer, const struct v2_sa *sa)
{
    v2_payload_begin(writer, V2_SA);
    for (size_t i = 0; i < sa->count; i++)
        proposal_write(&writer->bytes, &sa->proposals[i], i + 1 == sa->count);
}
