/*
 * Names of the wire's numbers: see names.h.
 *
 * More of them than iked acts upon, because a peer may send any and the operator reads it.
 */
#include "lib/wire/names.h"

#include <stddef.h>

#include "lib/wire/ikev2.h"

struct name {
    uint16_t number;
    const char *text;
};

static const struct name exchange_names[] = {
    {V2_IKE_SA_INIT, "IKE_SA_INIT"},
    {V2_IKE_AUTH, "IKE_AUTH"},
    {V2_CREATE_CHILD_SA, "CREATE_CHILD_SA"},
    {V2_INFORMATIONAL, "INFORMATIONAL"},
    {38, "IKE_SESSION_RESUME"},
    {43, "IKE_INTERMEDIATE"},
};

static const struct name payload_names[] = {
    {V2_SA, "SA"},
    {V2_KE, "KE"},
    {V2_IDI, "IDi"},
    {V2_IDR, "IDr"},
    {V2_CERT, "CERT"},
    {V2_CERTREQ, "CERTREQ"},
    {V2_AUTH, "AUTH"},
    {V2_NONCE, "Nonce"},
    {V2_NOTIFY, "Notify"},
    {V2_DELETE, "Delete"},
    {V2_VENDOR, "Vendor ID"},
    {V2_TSI, "TSi"},
    {V2_TSR, "TSr"},
    {V2_SK, "SK"},
    {V2_CP, "CP"},
    {V2_EAP, "EAP"},
    {V2_SKF, "SKF"},
};

static const struct name notify_names[] = {
    {V2_N_UNSUPPORTED_CRITICAL_PAYLOAD, "UNSUPPORTED_CRITICAL_PAYLOAD"},
    {V2_N_INVALID_IKE_SPI, "INVALID_IKE_SPI"},
    {V2_N_INVALID_MAJOR_VERSION, "INVALID_MAJOR_VERSION"},
    {V2_N_INVALID_SYNTAX, "INVALID_SYNTAX"},
    {V2_N_INVALID_MESSAGE_ID, "INVALID_MESSAGE_ID"},
    {V2_N_INVALID_SPI, "INVALID_SPI"},
    {V2_N_NO_PROPOSAL_CHOSEN, "NO_PROPOSAL_CHOSEN"},
    {V2_N_INVALID_KE_PAYLOAD, "INVALID_KE_PAYLOAD"},
    {V2_N_AUTHENTICATION_FAILED, "AUTHENTICATION_FAILED"},
    {V2_N_SINGLE_PAIR_REQUIRED, "SINGLE_PAIR_REQUIRED"},
    {V2_N_NO_ADDITIONAL_SAS, "NO_ADDITIONAL_SAS"},
    {V2_N_INTERNAL_ADDRESS_FAILURE, "INTERNAL_ADDRESS_FAILURE"},
    {V2_N_FAILED_CP_REQUIRED, "FAILED_CP_REQUIRED"},
    {V2_N_TS_UNACCEPTABLE, "TS_UNACCEPTABLE"},
    {V2_N_INVALID_SELECTORS, "INVALID_SELECTORS"},
    {V2_N_UNACCEPTABLE_ADDRESSES, "UNACCEPTABLE_ADDRESSES"},
    {V2_N_UNEXPECTED_NAT_DETECTED, "UNEXPECTED_NAT_DETECTED"},
    {V2_N_TEMPORARY_FAILURE, "TEMPORARY_FAILURE"},
    {V2_N_CHILD_SA_NOT_FOUND, "CHILD_SA_NOT_FOUND"},
    {V2_N_INITIAL_CONTACT, "INITIAL_CONTACT"},
    {V2_N_SET_WINDOW_SIZE, "SET_WINDOW_SIZE"},
    {V2_N_ADDITIONAL_TS_POSSIBLE, "ADDITIONAL_TS_POSSIBLE"},
    {V2_N_IPCOMP_SUPPORTED, "IPCOMP_SUPPORTED"},
    {V2_N_NAT_DETECTION_SOURCE_IP, "NAT_DETECTION_SOURCE_IP"},
    {V2_N_NAT_DETECTION_DESTINATION_IP, "NAT_DETECTION_DESTINATION_IP"},
    {V2_N_COOKIE, "COOKIE"},
    {V2_N_USE_TRANSPORT_MODE, "USE_TRANSPORT_MODE"},
    {V2_N_HTTP_CERT_LOOKUP_SUPPORTED, "HTTP_CERT_LOOKUP_SUPPORTED"},
    {V2_N_REKEY_SA, "REKEY_SA"},
    {V2_N_ESP_TFC_PADDING_NOT_SUPPORTED, "ESP_TFC_PADDING_NOT_SUPPORTED"},
    {V2_N_NON_FIRST_FRAGMENTS_ALSO, "NON_FIRST_FRAGMENTS_ALSO"},
    {V2_N_MOBIKE_SUPPORTED, "MOBIKE_SUPPORTED"},
    {V2_N_ADDITIONAL_IP4_ADDRESS, "ADDITIONAL_IP4_ADDRESS"},
    {V2_N_ADDITIONAL_IP6_ADDRESS, "ADDITIONAL_IP6_ADDRESS"},
    {V2_N_NO_ADDITIONAL_ADDRESSES, "NO_ADDITIONAL_ADDRESSES"},
    {V2_N_UPDATE_SA_ADDRESSES, "UPDATE_SA_ADDRESSES"},
    {V2_N_COOKIE2, "COOKIE2"},
    {V2_N_NO_NATS_ALLOWED, "NO_NATS_ALLOWED"},
    {V2_N_AUTH_LIFETIME, "AUTH_LIFETIME"},
    {16406, "REDIRECT_SUPPORTED"},
    {16407, "REDIRECT"},
    {16408, "REDIRECTED_FROM"},
    {16409, "TICKET_LT_OPAQUE"},
    {16410, "TICKET_REQUEST"},
    {16411, "TICKET_ACK"},
    {16412, "TICKET_NACK"},
    {16413, "TICKET_OPAQUE"},
    {16417, "EAP_ONLY_AUTHENTICATION"},
    {V2_N_CHILDLESS_IKEV2_SUPPORTED, "CHILDLESS_IKEV2_SUPPORTED"},
    {16419, "QUICK_CRASH_DETECTION"},
    {16420, "IKEV2_MESSAGE_ID_SYNC_SUPPORTED"},
    {16421, "IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED"},
    {16422, "IKEV2_MESSAGE_ID_SYNC"},
    {16423, "IPSEC_REPLAY_COUNTER_SYNC"},
    {16424, "SECURE_PASSWORD_METHODS"},
    {V2_N_IKEV2_FRAGMENTATION_SUPPORTED, "IKEV2_FRAGMENTATION_SUPPORTED"},
    {V2_N_SIGNATURE_HASH_ALGORITHMS, "SIGNATURE_HASH_ALGORITHMS"},
    {16434, "PUZZLE"},
    {16435, "USE_PPK"},
    {16436, "PPK_IDENTITY"},
    {16437, "NO_PPK_AUTH"},
    {16438, "INTERMEDIATE_EXCHANGE_SUPPORTED"},
};

static const struct name encr_names[] = {
    {2, "DES"},
    {3, "3DES"},
    {7, "BLOWFISH"},
    {11, "NULL"},
    {12, "AES_CBC"},
    {13, "AES_CTR"},
    {14, "AES_CCM_8"},
    {15, "AES_CCM_12"},
    {16, "AES_CCM_16"},
    {18, "AES_GCM_8"},
    {19, "AES_GCM_12"},
    {20, "AES_GCM_16"},
    {21, "NULL_AES_GMAC"},
    {23, "CAMELLIA_CBC"},
    {24, "CAMELLIA_CTR"},
    {28, "CHACHA20_POLY1305"},
};
static const struct name prf_names[] = {
    {1, "PRF_HMAC_MD5"},      {2, "PRF_HMAC_SHA1"},     {4, "PRF_AES128_XCBC"},
    {5, "PRF_HMAC_SHA2_256"}, {6, "PRF_HMAC_SHA2_384"}, {7, "PRF_HMAC_SHA2_512"},
    {8, "PRF_AES128_CMAC"},
};
static const struct name integ_names[] = {
    {0, "NONE"},
    {1, "HMAC_MD5_96"},
    {2, "HMAC_SHA1_96"},
    {5, "AES_XCBC_96"},
    {8, "AES_CMAC_96"},
    {12, "HMAC_SHA2_256_128"},
    {13, "HMAC_SHA2_384_192"},
    {14, "HMAC_SHA2_512_256"},
};
static const struct name ke_names[] = {
    {0, "NONE"},           {1, "MODP_768"},       {2, "MODP_1024"},      {5, "MODP_1536"},
    {14, "MODP_2048"},     {15, "MODP_3072"},     {16, "MODP_4096"},     {17, "MODP_6144"},
    {18, "MODP_8192"},     {19, "ECP_256"},       {20, "ECP_384"},       {21, "ECP_521"},
    {22, "MODP_1024_160"}, {23, "MODP_2048_224"}, {24, "MODP_2048_256"}, {25, "ECP_192"},
    {26, "ECP_224"},       {27, "BRAINPOOL_224"}, {28, "BRAINPOOL_256"}, {29, "BRAINPOOL_384"},
    {30, "BRAINPOOL_512"}, {31, "X25519"},        {32, "X448"},
};
static const struct name esn_names[] = {{0, "NO_ESN"}, {1, "ESN"}};

static const char *name_find(const struct name *names, size_t count, uint16_t number,
                             const char *otherwise)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].number == number)
            return names[i].text;
    return otherwise;
}

#define NAME_FIND(names, number, otherwise) \
    name_find((names), sizeof(names) / sizeof((names)[0]), (number), (otherwise))

const char *v2_transform_name(uint8_t type, uint16_t id)
{
    switch (type) {
    case V2_TRANSFORM_ENCR: return NAME_FIND(encr_names, id, NULL);
    case V2_TRANSFORM_PRF: return NAME_FIND(prf_names, id, NULL);
    case V2_TRANSFORM_INTEG: return NAME_FIND(integ_names, id, NULL);
    case V2_TRANSFORM_KE: return NAME_FIND(ke_names, id, NULL);
    case V2_TRANSFORM_ESN: return NAME_FIND(esn_names, id, NULL);
    default: return NULL;
    }
}

const char *v2_notify_name(uint16_t type)
{
    return NAME_FIND(notify_names, type, "?");
}

const char *v2_exchange_name(uint8_t exchange)
{
    return NAME_FIND(exchange_names, exchange, "?");
}

const char *v2_payload_name(uint8_t payload)
{
    return NAME_FIND(payload_names, payload, "?");
}
