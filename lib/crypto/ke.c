/*
 * Key exchange: MODP (RFC 3526), ECP (RFC 5903) and Curve25519, Curve448 (RFC 8031).
 *
 * Every peer's public value is tested as RFC 6989 section 2 says before it meets a private one.
 * A private key is octets of the caller's, so nothing of an exchange lives on in here; OpenSSL
 * draws random numbers to blind the ECP computations, which leaves their results as they are.
 */
#include "lib/crypto/provider.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "lib/base/writer.h"

#define KE_SHARED_MAX  KE_PUBLIC_MAX
#define ECP_PUBLIC_MAX 132
#define MONTGOMERY_MAX 56

struct ke_row {
    bool (*open)(struct ke *ke);
    void (*close)(struct ke *ke);
    enum status (*compute_public)(struct ke *ke, struct slice private, uint8_t *public);
    enum status (*compute_shared)(struct ke *ke, struct slice private, struct slice peer,
                                  uint8_t *shared);
    BIGNUM *(*prime)(BIGNUM *); /* MODP */
    int curve;                  /* ECP: OpenSSL's number */
    const char *name;           /* Montgomery curves: OpenSSL's name */
    uint8_t base_point;         /* and their u */
};

/* --- MODP --- */

static bool modp_open(struct ke *ke)
{
    struct modp *modp = &ke->modp;

    modp->prime = ke->row->prime(NULL);
    modp->prime_less_one = BN_dup(modp->prime);
    modp->montgomery = BN_MONT_CTX_new();
    return modp->prime != NULL && modp->prime_less_one != NULL && modp->montgomery != NULL &&
           BN_sub_word(modp->prime_less_one, 1) == 1 &&
           BN_MONT_CTX_set(modp->montgomery, modp->prime, ke->numbers) == 1;
}

static void modp_close(struct ke *ke)
{
    BN_free(ke->modp.prime);
    BN_free(ke->modp.prime_less_one);
    BN_MONT_CTX_free(ke->modp.montgomery);
}

/* base^private mod prime, as long as the prime (RFC 7296 section 2.14). */
static bool modp_power(struct ke *ke, const BIGNUM *base, struct slice private, uint8_t *out)
{
    struct modp *modp = &ke->modp;
    BIGNUM *exponent = BN_bin2bn(private.data, (int)private.size, NULL);
    BIGNUM *power = BN_new();
    bool ok = base != NULL && exponent != NULL && power != NULL && !BN_is_zero(exponent);

    if (ok) {
        BN_set_flags(exponent, BN_FLG_CONSTTIME);
        ok = BN_mod_exp_mont_consttime(power, base, exponent, modp->prime, ke->numbers,
                                       modp->montgomery) == 1 &&
             BN_bn2binpad(power, out, ke->group->public_size) == ke->group->public_size;
    }
    BN_clear_free(exponent);
    BN_clear_free(power);
    return ok;
}

static enum status modp_public(struct ke *ke, struct slice private, uint8_t *public)
{
    BIGNUM *generator = BN_new();
    bool ok = generator != NULL && BN_set_word(generator, 2) == 1 &&
              modp_power(ke, generator, private, public);

    BN_free(generator);
    return crypto_outcome(ok);
}

static enum status modp_shared(struct ke *ke, struct slice private, struct slice peer,
                               uint8_t *shared)
{
    enum status status = STATUS_REJECT;
    BIGNUM *value = BN_bin2bn(peer.data, (int)peer.size, NULL);

    /* RFC 6989 section 2.1: 1 < r < p-1 */
    if (value == NULL ||
        (BN_cmp(value, BN_value_one()) > 0 && BN_cmp(value, ke->modp.prime_less_one) < 0))
        status = crypto_outcome(modp_power(ke, value, private, shared));
    BN_free(value);
    return status;
}

/* --- ECP --- */

static bool ecp_open(struct ke *ke)
{
    ke->ecp.curve = EC_GROUP_new_by_curve_name(ke->row->curve);
    ke->ecp.point = ke->ecp.curve != NULL ? EC_POINT_new(ke->ecp.curve) : NULL;
    return ke->ecp.point != NULL;
}

static void ecp_close(struct ke *ke)
{
    EC_POINT_clear_free(ke->ecp.point);
    EC_GROUP_free(ke->ecp.curve);
}

/* `private` times the generator, or times what is in ecp->point: x | y, without the octet that
 * OpenSSL puts in front of an uncompressed point. */
static bool ecp_multiply(struct ke *ke, struct slice private, bool generator, uint8_t *x_y)
{
    struct ecp *ecp = &ke->ecp;
    const BIGNUM *order = EC_GROUP_get0_order(ecp->curve);
    BIGNUM *scalar = BN_bin2bn(private.data, (int)private.size, NULL);
    uint8_t octets[1 + ECP_PUBLIC_MAX];
    size_t size = 1 + (size_t)ke->group->public_size;
    bool ok = false;

    if (scalar != NULL) {
        BN_set_flags(scalar, BN_FLG_CONSTTIME);
        /* Zero leads to the point at infinity, whose one octet is not the size wanted. */
        ok = BN_nnmod(scalar, scalar, order, ke->numbers) == 1 &&
             EC_POINT_mul(ecp->curve, ecp->point, generator ? scalar : NULL,
                          generator ? NULL : ecp->point, generator ? NULL : scalar,
                          ke->numbers) == 1 &&
             EC_POINT_point2oct(ecp->curve, ecp->point, POINT_CONVERSION_UNCOMPRESSED, octets, size,
                                ke->numbers) == size;
    }
    if (ok)
        memcpy(x_y, octets + 1, size - 1);
    secret_wipe(octets, sizeof(octets));
    BN_clear_free(scalar);
    return ok;
}

static enum status ecp_public(struct ke *ke, struct slice private, uint8_t *public)
{
    return crypto_outcome(ecp_multiply(ke, private, true, public));
}

static enum status ecp_shared(struct ke *ke, struct slice private, struct slice peer,
                              uint8_t *shared)
{
    struct ecp *ecp = &ke->ecp;
    uint8_t octets[1 + ECP_PUBLIC_MAX];
    struct writer writer = writer_of(octets, sizeof(octets));

    writer_u8(&writer, POINT_CONVERSION_UNCOMPRESSED);
    writer_bytes(&writer, peer);
    /* Refuses what is not on the curve, RFC 6989 section 2.3.  These curves have no cofactor. */
    if (EC_POINT_oct2point(ecp->curve, ecp->point, octets, writer.size, ke->numbers) != 1) {
        ERR_clear_error();
        return STATUS_REJECT;
    }
    /* RFC 5903 section 7: x alone is the secret. */
    uint8_t x_y[ECP_PUBLIC_MAX];
    bool ok = ecp_multiply(ke, private, false, x_y);
    if (ok)
        memcpy(shared, x_y, ke->group->shared_size);
    secret_wipe(x_y, sizeof(x_y));
    return crypto_outcome(ok);
}

/* --- Curve25519 and Curve448 --- */

static EVP_PKEY *montgomery_import(struct ke *ke, struct slice private, struct slice public)
{
    EVP_PKEY *key = NULL;
    /* OpenSSL takes writable pointers but only reads. */
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t) public.data,
                                          public.size),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY,
                                          (void *)(uintptr_t) private.data, private.size),
        OSSL_PARAM_construct_end(),
    };

    if (private.size == 0)
        parameters[1] = OSSL_PARAM_construct_end();
    if (EVP_PKEY_fromdata_init(ke->montgomery.import) != 1 ||
        EVP_PKEY_fromdata(ke->montgomery.import, &key,
                          private.size == 0 ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR,
                          parameters) != 1)
        return NULL;
    return key;
}

/* X25519 or X448 of RFC 7748 section 5: private times the point. */
static enum status montgomery_multiply(struct ke *ke, struct slice private, EVP_PKEY *point,
                                       uint8_t *out)
{
    size_t size = ke->group->shared_size;
    uint8_t no_public[MONTGOMERY_MAX] = {0};
    /* Given any public half, OpenSSL does not compute the true one, which would cost as much as
     * the whole exchange; deriving does not look at it. */
    EVP_PKEY *key = montgomery_import(ke, private, slice_of(no_public, size));
    EVP_PKEY_CTX *derivation = key != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    enum status status = STATUS_FAIL;

    if (derivation != NULL && EVP_PKEY_derive_init(derivation) == 1 &&
        EVP_PKEY_derive_set_peer_ex(derivation, point, 0) == 1)
        /* Fails for an all-zero result, RFC 7748 section 6 (and for nothing else: it was tried
         * when the row was opened). */
        status = EVP_PKEY_derive(derivation, out, &size) == 1 ? STATUS_OK : STATUS_REJECT;
    if (status != STATUS_OK)
        ERR_clear_error();
    EVP_PKEY_CTX_free(derivation);
    EVP_PKEY_free(key);
    return status;
}

static enum status montgomery_public(struct ke *ke, struct slice private, uint8_t *public)
{
    return montgomery_multiply(ke, private, ke->montgomery.base_point, public);
}

/* The peer's key is put into one that is there: making one has OpenSSL walk all names it knows. */
static enum status montgomery_shared(struct ke *ke, struct slice private, struct slice peer,
                                     uint8_t *shared)
{
    EVP_PKEY *point = ke->montgomery.peer;

    if (EVP_PKEY_set1_encoded_public_key(point, peer.data, peer.size) != 1)
        return crypto_outcome(false);
    return montgomery_multiply(ke, private, point, shared);
}

static bool montgomery_open(struct ke *ke)
{
    struct montgomery *montgomery = &ke->montgomery;
    uint8_t base_point[MONTGOMERY_MAX] = {ke->row->base_point};
    uint8_t private[MONTGOMERY_MAX] = {0};
    uint8_t public[MONTGOMERY_MAX];
    size_t size = ke->group->public_size;

    montgomery->import = EVP_PKEY_CTX_new_from_name(NULL, ke->row->name, NULL);
    if (montgomery->import == NULL)
        return false;
    montgomery->base_point = montgomery_import(ke, slice_of(NULL, 0), slice_of(base_point, size));
    montgomery->peer = montgomery_import(ke, slice_of(NULL, 0), slice_of(base_point, size));
    return montgomery->base_point != NULL && montgomery->peer != NULL &&
           montgomery_public(ke, slice_of(private, size), public) == STATUS_OK;
}

static void montgomery_close(struct ke *ke)
{
    EVP_PKEY_free(ke->montgomery.base_point);
    EVP_PKEY_free(ke->montgomery.peer);
    EVP_PKEY_CTX_free(ke->montgomery.import);
}

/* --- what the other files and rooms see --- */

#define MODP(number)                                                           \
    {                                                                          \
        .open = modp_open, .close = modp_close, .compute_public = modp_public, \
        .compute_shared = modp_shared, .prime = (number)                       \
    }
#define ECP(nid)                                                            \
    {                                                                       \
        .open = ecp_open, .close = ecp_close, .compute_public = ecp_public, \
        .compute_shared = ecp_shared, .curve = (nid)                        \
    }
#define MONTGOMERY(algorithm, u)                                                                 \
    {                                                                                            \
        .open = montgomery_open, .close = montgomery_close, .compute_public = montgomery_public, \
        .compute_shared = montgomery_shared, .name = (algorithm), .base_point = (u)              \
    }

static const struct ke_row rows[GROUP_COUNT] = {
    [GROUP_MODP2048] = MODP(BN_get_rfc3526_prime_2048),
    [GROUP_MODP3072] = MODP(BN_get_rfc3526_prime_3072),
    [GROUP_MODP4096] = MODP(BN_get_rfc3526_prime_4096),
    [GROUP_MODP6144] = MODP(BN_get_rfc3526_prime_6144),
    [GROUP_MODP8192] = MODP(BN_get_rfc3526_prime_8192),
    [GROUP_ECP256] = ECP(NID_X9_62_prime256v1),
    [GROUP_ECP384] = ECP(NID_secp384r1),
    [GROUP_ECP521] = ECP(NID_secp521r1),
    [GROUP_X25519] = MONTGOMERY("X25519", 9),
    [GROUP_X448] = MONTGOMERY("X448", 5),
};

bool ke_open(struct ke *ke, enum group group, BN_CTX *numbers)
{
    *ke = (struct ke){.row = &rows[group], .group = group_info(group), .numbers = numbers};
    if (ke->row->open(ke))
        return true;
    ke_close(ke);
    return false;
}

void ke_close(struct ke *ke)
{
    if (ke->row != NULL)
        ke->row->close(ke);
    *ke = (struct ke){0};
}

/* The exchange that can work with these private octets, or NULL. */
static struct ke *ke_find(struct crypto *crypto, enum group group, struct slice private)
{
    if (!crypto_has_group(crypto, group) || private.size != group_info(group)->private_size)
        return NULL;
    return &crypto->exchanges[group];
}

enum status crypto_ke_public(struct crypto *crypto, enum group group, struct slice private,
                             uint8_t *public)
{
    struct ke *ke = ke_find(crypto, group, private);

    return ke != NULL ? ke->row->compute_public(ke, private, public) : STATUS_FAIL;
}

enum status crypto_ke_shared(struct crypto *crypto, enum group group, struct slice private,
                             struct slice peer_public, struct secret *shared)
{
    struct ke *ke = ke_find(crypto, group, private);

    secret_free(shared);
    if (ke == NULL)
        return STATUS_FAIL;
    if (peer_public.size != ke->group->public_size)
        return STATUS_REJECT;
    if (!secret_new(shared, ke->group->shared_size))
        return STATUS_FAIL;
    enum status status = ke->row->compute_shared(ke, private, peer_public, shared->data);
    if (status != STATUS_OK)
        secret_free(shared);
    return status;
}
