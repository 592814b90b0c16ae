/*
 * Names of the wire's numbers, for logs, reasons and ikectl (IANA, "IKEv2 Parameters").
 *
 * More of them than iked acts upon, because a peer may send any and the operator reads it.
 */
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
    {40, "UNACCEPTABLE_ADDRESSES"},
    {41, "UNEXPECTED_NAT_DETECTED"},
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
    {16397, "ADDITIONAL_IP4_ADDRESS"},
    {16398, "ADDITIONAL_IP6_ADDRESS"},
    {16399, "NO_ADDITIONAL_ADDRESSES"},
    {16400, "UPDATE_SA_ADDRESSES"},
    {16401, "COOKIE2"},
    {16402, "NO_NATS_ALLOWED"},
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

static const char *name_find(const struct name *names, size_t count, uint16_t number)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].number == number)
            return names[i].text;
    return "?";
}

#define NAME_FIND(names, number) name_find((names), sizeof(names) / sizeof((names)[0]), (number))

const char *v2_notify_name(uint16_t type)
{
    return NAME_FIND(notify_names, type);
}

const char *v2_exchange_name(uint8_t exchange)
{
    return NAME_FIND(exchange_names, exchange);
}

const char *v2_payload_name(uint8_t payload)
{
    return NAME_FIND(payload_names, payload);
}
