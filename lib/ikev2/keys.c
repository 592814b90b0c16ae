/*
 * Keying material of IKEv2: see keys.h.
 */
#include "lib/ikev2/keys.h"

#include <string.h>

#include "lib/crypto/crypto.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_keys.h"
#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

/* {SK_d | SK_ai | ...} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr) */
static enum status expand(struct context *context, struct ike_sa *sa, struct slice seed)
{
    uint8_t spis[16];
    struct writer spi_writer = writer_of(spis, sizeof(spis));

    writer_u64(&spi_writer, sa->spi_i);
    writer_u64(&spi_writer, sa->spi_r);
    struct slice parts[] = {buffer_slice(&sa->handshake->nonce_i),
                            buffer_slice(&sa->handshake->nonce_r), writer_slice(&spi_writer)};
    if (!secret_new(&sa->keys, ike_keys_size(&sa->suite, KEY_COUNT)))
        return STATUS_FAIL;
    return crypto_prf_plus(context->crypto, sa->suite.prf, seed, parts, 3, sa->keys.data,
                           sa->keys.size);
}

/* RFC 7296 section 2.14: SKEYSEED = prf(Ni | Nr, g^ir).  AES-XCBC and AES-CMAC take the first 64
 * bits of each nonce as the key. */
enum status keys_derive(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct handshake *handshake = sa->handshake;
    bool fixed = sa->suite.prf == PRF_AES128_XCBC || sa->suite.prf == PRF_AES128_CMAC;
    struct slice ni = buffer_slice(&handshake->nonce_i);
    struct slice nr = buffer_slice(&handshake->nonce_r);
    uint8_t key[2 * V2_NONCE_MAX];
    uint8_t seed[PRF_SIZE_MAX];
    struct writer key_writer = writer_of(key, sizeof(key));
    struct slice shared = secret_slice(&handshake->shared);

    writer_bytes(&key_writer, fixed ? slice_of(ni.data, 8) : ni);
    writer_bytes(&key_writer, fixed ? slice_of(nr.data, 8) : nr);
    enum status status =
        crypto_prf(context->crypto, sa->suite.prf, writer_slice(&key_writer), &shared, 1, seed);
    if (status == STATUS_OK)
        status = expand(context, sa, slice_of(seed, prf_info(sa->suite.prf)->size));
    secret_wipe(seed, sizeof(seed));
    secret_free(&handshake->shared);
    if (status != STATUS_OK)
        return reason_set(reason, STATUS_FAIL, 0, "deriving the keys failed");
    return STATUS_OK;
}

/* RFC 7296 section 2.18: SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr), by the old SA's prf. */
enum status keys_rekey(struct context *context, const struct ike_sa *old, struct ike_sa *sa,
                       struct reason *reason)
{
    struct handshake *handshake = sa->handshake;
    struct slice parts[] = {secret_slice(&handshake->shared), buffer_slice(&handshake->nonce_i),
                            buffer_slice(&handshake->nonce_r)};
    uint8_t seed[PRF_SIZE_MAX];

    enum status status =
        crypto_prf(context->crypto, old->suite.prf, ike_sa_key(old, KEY_D), parts, 3, seed);
    if (status == STATUS_OK)
        status = expand(context, sa, slice_of(seed, prf_info(old->suite.prf)->size));
    secret_wipe(seed, sizeof(seed));
    secret_free(&handshake->shared);
    if (status != STATUS_OK)
        return reason_set(reason, STATUS_FAIL, 0, "deriving the keys failed");
    return STATUS_OK;
}

enum status keys_auth_octets(struct context *context, const struct ike_sa *sa, bool of_initiator,
                             const struct identity *id, struct buffer *octets)
{
    const struct handshake *handshake = sa->handshake;
    const struct buffer *message =
        of_initiator ? &handshake->init_request : &handshake->init_response;
    const struct buffer *nonce = of_initiator ? &handshake->nonce_r : &handshake->nonce_i;
    const struct prf_info *prf = prf_info(sa->suite.prf);
    uint8_t id_start[4] = {id->type};
    struct slice id_parts[] = {slice_of(id_start, sizeof(id_start)), slice_of(id->data, id->size)};
    uint8_t id_mac[PRF_SIZE_MAX];

    enum status status =
        crypto_prf(context->crypto, sa->suite.prf, ike_sa_key(sa, of_initiator ? KEY_PI : KEY_PR),
                   id_parts, 2, id_mac);
    if (status != STATUS_OK)
        return status;
    struct writer writer = writer_of(context->scratch, IKE_MESSAGE_MAX);
    writer_bytes(&writer, buffer_slice(message));
    writer_bytes(&writer, buffer_slice(nonce));
    writer_bytes(&writer, slice_of(id_mac, prf->size));
    if (!writer_ok(&writer) || !buffer_copy(octets, writer_slice(&writer)))
        return STATUS_FAIL;
    return STATUS_OK;
}

static size_t encr_size(const struct suite *suite)
{
    const struct encr_info *encr = encr_info(suite->encr);

    return encr == NULL ? 0 : encr->key_size;
}

static size_t integ_size(const struct suite *suite)
{
    const struct integ_info *integ = integ_info(suite->integ);

    return integ == NULL ? 0 : integ->key_size;
}

/* Of the SAs in one direction, in the order of their headers in the packet: the last that it went
 * through comes first.  Within one SA encryption before integrity. */
static void cut_keys(const struct child_sa *child, bool outbound, struct reader *reader,
                     struct child_keys *keys)
{
    for (size_t i = child->transform_count; i > 0; i--) {
        const struct suite *suite = &child->transforms[i - 1].suite;
        struct transform_keys *of = &keys->of[i - 1];
        struct slice encr = reader_bytes(reader, encr_size(suite));
        struct slice integ = reader_bytes(reader, integ_size(suite));
        *(outbound ? &of->encr_out : &of->encr_in) = encr;
        *(outbound ? &of->integ_out : &of->integ_in) = integ;
    }
}

/* RFC 7296 section 2.17: KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr).  The SAs from the initiator
 * to the responder take their keys first. */
enum status keys_child(struct context *context, const struct ike_sa *sa,
                       const struct child_sa *child, const struct child_seed *seed,
                       struct child_keys *keys)
{
    struct slice parts[] = {seed->shared, seed->nonce_i, seed->nonce_r};
    size_t size = 0;

    for (size_t i = 0; i < child->transform_count; i++)
        size +=
            2 * (encr_size(&child->transforms[i].suite) + integ_size(&child->transforms[i].suite));
    *keys = (struct child_keys){0};
    if (!secret_new(&keys->keymat, size))
        return STATUS_FAIL;
    enum status status = crypto_prf_plus(context->crypto, sa->suite.prf, ike_sa_key(sa, KEY_D),
                                         parts, 3, keys->keymat.data, keys->keymat.size);
    struct reader reader = reader_of(secret_slice(&keys->keymat));
    cut_keys(child, seed->initiator, &reader, keys);
    cut_keys(child, !seed->initiator, &reader, keys);
    return status;
}
