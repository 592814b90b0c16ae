/*
 * Sealing and opening with the keys of an SA: see sealed.h.
 */
#include "lib/ikev2/sealed.h"

#include "lib/crypto/crypto.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_keys.h"
#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

/* RFC 5282 section 3.1 and RFC 3686: a counter never repeats under one key; RFC 7296 section 3.14:
 * a CBC IV must not be predictable. */
static void fill_iv(struct context *context, struct ike_sa *sa, struct v2_writer *writer)
{
    const struct encr_info *encr = encr_info(sa->suite.encr);

    if (!writer_ok(&writer->bytes))
        return;
    uint8_t *iv = writer->bytes.data + writer->sk_text_at - encr->iv_size;
    if (encr->block_size > 1) {
        context->random(context->random_context, iv, encr->iv_size);
        return;
    }
    struct writer iv_writer = writer_of(iv, encr->iv_size);
    writer_u64(&iv_writer, ++ikev2_of(sa)->iv_counter);
}

void sealed_begin(struct context *context, struct ike_sa *sa, struct v2_writer *writer)
{
    v2_sk_begin(writer, encr_info(sa->suite.encr)->iv_size);
    fill_iv(context, sa, writer);
}

void sealed_begin_fragment(struct context *context, struct ike_sa *sa, struct v2_writer *writer,
                           uint8_t first, uint16_t number, uint16_t total)
{
    v2_skf_begin(writer, encr_info(sa->suite.encr)->iv_size, first, number, total);
    fill_iv(context, sa, writer);
}

static struct seal_keys keys_of(const struct ike_sa *sa, bool from_initiator)
{
    return (struct seal_keys){
        .encr = sa->suite.encr,
        .integ = sa->suite.integ,
        .encr_key = ike_sa_key(sa, from_initiator ? KEY_EI : KEY_ER),
        .integ_key = ike_sa_key(sa, from_initiator ? KEY_AI : KEY_AR),
    };
}

bool sealed_end(const struct ike_sa *sa, struct v2_writer *writer)
{
    return v2_sk_end(writer, encr_info(sa->suite.encr)->block_size,
                     seal_icv_size(sa->suite.encr, sa->suite.integ));
}

struct slice sealed_text(const struct ike_sa *sa, const struct v2_writer *writer)
{
    struct reader reader = reader_of(writer_slice(&writer->bytes));

    reader_skip(&reader, writer->sk_text_at);
    return reader_bytes(&reader,
                        reader_left(&reader) - seal_icv_size(sa->suite.encr, sa->suite.integ));
}

enum status sealed_encrypt(struct context *context, const struct ike_sa *sa,
                           struct v2_writer *writer)
{
    struct seal_keys keys = keys_of(sa, sa->initiator);

    return seal_encrypt(context->crypto, &keys, writer->bytes.data,
                        writer->sk_text_at - encr_info(sa->suite.encr)->iv_size,
                        sealed_text(sa, writer).size);
}

#define SKF_HEADER_SIZE 8u

size_t sealed_fragment_room(const struct ike_sa *sa, size_t size)
{
    const struct encr_info *encr = encr_info(sa->suite.encr);
    size_t around = IKE_HEADER_SIZE + SKF_HEADER_SIZE + encr->iv_size +
                    seal_icv_size(sa->suite.encr, sa->suite.integ);
    size_t text_size = size < around ? 0 : (size - around) / encr->block_size * encr->block_size;

    return text_size == 0 ? 0 : text_size - 1; /* the Pad Length octet */
}

/* RFC 7296 section 3.14: header through IV is associated data; in a fragment its numbers, too. */
enum status sealed_open(struct context *context, const struct ike_sa *sa, bool own, uint8_t *data,
                        size_t size, struct slice sealed, struct slice *inner,
                        struct reason *reason)
{
    const struct encr_info *encr = encr_info(sa->suite.encr);
    struct seal_keys keys = keys_of(sa, own == sa->initiator);
    size_t icv_size = seal_icv_size(keys.encr, keys.integ);

    if (sealed.size < encr->iv_size + icv_size + 1u)
        return reason_set(reason, STATUS_DROP, 0, "no whole Encrypted payload");
    size_t text_size = sealed.size - encr->iv_size - icv_size;
    if (text_size % encr->block_size != 0)
        return reason_set(reason, STATUS_DROP, 0, "ciphertext is not a number of blocks");
    if (seal_decrypt(context->crypto, &keys, data, size - sealed.size, text_size) != STATUS_OK)
        return reason_set(reason, STATUS_DROP, 0, "the Encrypted payload does not verify");
    struct reader reader = reader_of(sealed);
    reader_skip(&reader, encr->iv_size);
    return v2_sk_unpad(reader_bytes(&reader, text_size), inner, reason);
}
