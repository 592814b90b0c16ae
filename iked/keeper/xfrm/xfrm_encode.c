/*
 * Netlink messages to XFRM: see xfrm_encode.h.
 */
#include "iked/keeper/xfrm/xfrm_encode.h"

#include <arpa/inet.h>
#include <linux/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "iked/keeper/xfrm/netlink.h"
#include "lib/base/writer.h"
#include "lib/crypto/suite.h"

/* An outbound SA checks no replay, yet the kernel wants a window with ESN. */
#define OUTBOUND_ESN_WINDOW 32
/* What the legacy field holds. */
#define SMALL_WINDOW_MAX 32
/* Of a peer whose mapping has changed every packet would tell anew: a second apart is enough. */
#define MAPPING_AGE_S 1

static uint8_t protocol_of(uint8_t protocol)
{
    return protocol == IPSEC_AH ? IPPROTO_AH : IPPROTO_ESP;
}

static uint8_t mode_of(uint8_t mode)
{
    return mode == CHILD_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
}

static void put_address(xfrm_address_t *to, const struct address *address)
{
    memcpy(to, address->bytes, address_size(address->family));
}

/* --- Messages --- */

struct nlmsghdr *xfrm_begin(struct xfrm_batch *batch, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(batch->data + batch->size);

    message->nlmsg_type = type;
    message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    message->nlmsg_seq = ++batch->sequence;
    message->nlmsg_pid = batch->port;
    return message;
}

void xfrm_end(struct xfrm_batch *batch, const struct nlmsghdr *message)
{
    batch->size += NLMSG_ALIGN(message->nlmsg_len);
    batch->count++;
}

void xfrm_put_body(struct nlmsghdr *message, const void *body, size_t size)
{
    memcpy(mnl_nlmsg_put_extra_header(message, size), body, size);
}

static void encode_allocate_spi(struct xfrm_batch *batch, const struct kernel_job *job)
{
    const struct effect_allocate_spi *allocate = job->allocate_spi;
    struct nlmsghdr *message = xfrm_begin(batch, XFRM_MSG_ALLOCSPI, NLM_F_ACK);
    struct xfrm_userspi_info info = {
        .info.id.proto = protocol_of(allocate->protocol),
        .info.family = netlink_family(allocate->destination.family),
        .info.mode = mode_of(allocate->mode),
        .info.reqid = allocate->reqid,
        .min = KERNEL_SPI_MIN,
        .max = UINT32_MAX,
    };

    put_address(&info.info.saddr, &allocate->source);
    put_address(&info.info.id.daddr, &allocate->destination);
    xfrm_put_body(message, &info, sizeof(info));
    xfrm_end(batch, message);
}

/* --- SAs --- */

static uint64_t limit_of(uint64_t limit)
{
    return limit == 0 ? XFRM_INF : limit;
}

static void put_limits(struct xfrm_lifetime_cfg *limits, const struct effect_install_sa *sa)
{
    limits->soft_byte_limit = limit_of(sa->soft_bytes);
    limits->hard_byte_limit = limit_of(sa->hard_bytes);
    limits->soft_packet_limit = limit_of(sa->soft_packets);
    limits->hard_packet_limit = limit_of(sa->hard_packets);
    /* Unlike the others, 0 seconds means none. */
    limits->soft_add_expires_seconds = sa->soft_s;
    limits->hard_add_expires_seconds = sa->hard_s;
}

static uint32_t window_of(const struct effect_install_sa *sa)
{
    return sa->inbound ? sa->replay_window : sa->esn ? OUTBOUND_ESN_WINDOW : 0;
}

/* A window above 32 and ESN need the long form (verify_replay in the kernel: the short field is 0
 * then); ESN needs a window whatever the direction. */
static bool is_long_replay(const struct effect_install_sa *sa)
{
    return sa->esn || window_of(sa) > SMALL_WINDOW_MAX;
}

static void put_replay(struct nlmsghdr *message, const struct effect_install_sa *sa)
{
    uint32_t words = (window_of(sa) + 31) / 32;
    union {
        uint8_t room[sizeof(struct xfrm_replay_state_esn) + XFRMA_REPLAY_ESN_MAX / 8];
        struct xfrm_replay_state_esn state;
    } replay = {0};

    replay.state.bmp_len = words;
    replay.state.replay_window = window_of(sa);
    mnl_attr_put(message, XFRMA_REPLAY_ESN_VAL, sizeof(replay.state) + words * sizeof(uint32_t),
                 &replay);
}

/* An algorithm's head, a struct of the kernel's, and its key behind it. */
static void put_keyed(struct nlmsghdr *message, uint16_t type, const void *head, size_t head_size,
                      struct slice key)
{
    uint8_t octets[sizeof(struct xfrm_algo_auth) + UINT8_MAX];
    struct writer writer = writer_of(octets, sizeof(octets));

    writer_bytes(&writer, slice_of(head, head_size));
    writer_bytes(&writer, key);
    mnl_attr_put(message, type, writer.size, octets);
    secret_wipe(octets, sizeof(octets));
}

static void put_aead(struct nlmsghdr *message, const struct encr_info *encr, struct slice key)
{
    struct xfrm_algo_aead head = {
        .alg_key_len = (unsigned)key.size * 8,
        .alg_icv_len = encr->icv_size * 8u,
    };

    snprintf(head.alg_name, sizeof(head.alg_name), "%s", encr->kernel);
    put_keyed(message, XFRMA_ALG_AEAD, &head, sizeof(head), key);
}

static void put_cipher(struct nlmsghdr *message, const struct encr_info *encr, struct slice key)
{
    struct xfrm_algo head = {.alg_key_len = (unsigned)key.size * 8};

    snprintf(head.alg_name, sizeof(head.alg_name), "%s", encr->kernel);
    put_keyed(message, XFRMA_ALG_CRYPT, &head, sizeof(head), key);
}

/* Always with the truncation named: the kernel's own for SHA-256 is 96 bits in old versions. */
static void put_integ(struct nlmsghdr *message, const struct integ_info *integ, struct slice key)
{
    struct xfrm_algo_auth head = {
        .alg_key_len = (unsigned)key.size * 8,
        .alg_trunc_len = integ->icv_size * 8u,
    };

    snprintf(head.alg_name, sizeof(head.alg_name), "%s", integ->kernel);
    put_keyed(message, XFRMA_ALG_AUTH_TRUNC, &head, sizeof(head), key);
}

static bool sa_is_sayable(const struct effect_install_sa *sa, struct reason *reason)
{
    const struct encr_info *encr = encr_info(sa->encr);
    const struct integ_info *integ = integ_info(sa->integ);

    if (sa->protocol == IPSEC_ESP && encr == NULL)
        reason_set(reason, STATUS_REJECT, 0, "no encryption algorithm");
    else if (encr != NULL && encr->kernel == NULL)
        reason_set(reason, STATUS_REJECT, 0, "the kernel has no name for %s", encr->name);
    else if (integ != NULL && integ->kernel == NULL)
        reason_set(reason, STATUS_REJECT, 0, "the kernel has no name for %s", integ->name);
    else if (sa->encr_key.size != (encr != NULL ? encr->key_size : 0u))
        reason_set(reason, STATUS_REJECT, 0, "an encryption key of %zu octets", sa->encr_key.size);
    else if (sa->integ_key.size != (integ != NULL ? integ->key_size : 0u))
        reason_set(reason, STATUS_REJECT, 0, "an integrity key of %zu octets", sa->integ_key.size);
    else if (sa->replay_window > XFRMA_REPLAY_ESN_MAX || (sa->esn && window_of(sa) == 0))
        reason_set(reason, STATUS_REJECT, 0, "a replay window of %u packets", sa->replay_window);
    else if (sa->encap &&
             (sa->protocol != IPSEC_ESP || sa->source.port == 0 || sa->destination.port == 0))
        reason_set(reason, STATUS_REJECT, 0, "in UDP goes ESP only, between two ports");
    else
        return true;
    return false;
}

static void put_algorithms(struct nlmsghdr *message, const struct effect_install_sa *sa)
{
    if (encr_is_aead(sa->encr))
        put_aead(message, encr_info(sa->encr), secret_slice(&sa->encr_key));
    else if (sa->encr != ENCR_NONE)
        put_cipher(message, encr_info(sa->encr), secret_slice(&sa->encr_key));
    if (sa->integ != INTEG_NONE)
        put_integ(message, integ_info(sa->integ), secret_slice(&sa->integ_key));
}

void xfrm_put_encap(struct nlmsghdr *message, const struct address *source,
                    const struct address *destination, bool inbound)
{
    struct xfrm_encap_tmpl encap = {
        .encap_type = UDP_ENCAP_ESPINUDP,
        .encap_sport = htons(source->port),
        .encap_dport = htons(destination->port),
    };

    mnl_attr_put(message, XFRMA_ENCAP, sizeof(encap), &encap);
    if (inbound)
        mnl_attr_put_u32(message, XFRMA_MTIMER_THRESH, MAPPING_AGE_S);
}

void xfrm_put_ends(struct xfrm_usersa_info *info, const struct address *source,
                   const struct address *destination)
{
    info->family = netlink_family(destination->family);
    info->saddr = info->id.daddr = (xfrm_address_t){0};
    put_address(&info->saddr, source);
    put_address(&info->id.daddr, destination);
}

/* The larval SA that ALLOCSPI made is filled by UPDSA; an outbound one is new. */
static void encode_install_sa(struct xfrm_batch *batch, const struct kernel_job *job)
{
    const struct effect_install_sa *sa = job->install_sa;
    struct nlmsghdr *message =
        xfrm_begin(batch, sa->inbound ? XFRM_MSG_UPDSA : XFRM_MSG_NEWSA, NLM_F_ACK);
    struct xfrm_usersa_info info = {
        .id.spi = htonl(sa->spi),
        .id.proto = protocol_of(sa->protocol),
        .mode = mode_of(sa->mode),
        .reqid = sa->reqid,
        .replay_window = is_long_replay(sa) ? 0 : (uint8_t)window_of(sa),
        .flags = sa->esn ? XFRM_STATE_ESN : 0,
    };

    xfrm_put_ends(&info, &sa->source, &sa->destination);
    put_limits(&info.lft, sa);
    /* The policies select; a tunnel may carry the other family, too. */
    if (sa->mode == CHILD_TUNNEL)
        info.flags |= XFRM_STATE_AF_UNSPEC;
    else
        info.sel.family = info.family;
    xfrm_put_body(message, &info, sizeof(info));
    if (is_long_replay(sa))
        put_replay(message, sa);
    put_algorithms(message, sa);
    if (sa->encap)
        xfrm_put_encap(message, &sa->source, &sa->destination, sa->inbound);
    xfrm_end(batch, message);
}

void xfrm_encode_sa_id(struct xfrm_batch *batch, uint16_t type, uint16_t flags,
                       const struct effect_remove_sa *sa)
{
    struct nlmsghdr *message = xfrm_begin(batch, type, flags);
    struct xfrm_usersa_id id = {
        .spi = htonl(sa->spi),
        .family = netlink_family(sa->destination.family),
        .proto = protocol_of(sa->protocol),
    };

    put_address(&id.daddr, &sa->destination);
    xfrm_put_body(message, &id, sizeof(id));
    xfrm_end(batch, message);
}

static void encode_query_sa(struct xfrm_batch *batch, const struct kernel_job *job)
{
    struct effect_remove_sa sa = {
        .destination = job->query_sa->destination,
        .spi = job->query_sa->spi,
        .protocol = job->query_sa->protocol,
    };

    xfrm_encode_sa_id(batch, XFRM_MSG_GETSA, NLM_F_ACK, &sa);
}

static void encode_remove_sa(struct xfrm_batch *batch, const struct kernel_job *job)
{
    xfrm_encode_sa_id(batch, XFRM_MSG_DELSA, NLM_F_ACK, &job->remove_sa);
}

/* --- Policies --- */

static void put_selector(struct xfrm_selector *selector, const struct piece *piece,
                         uint8_t direction)
{
    bool out = direction == XFRM_POLICY_OUT;
    /* ICMP: the type is the kernel's source port in both directions. */
    bool icmp = protocol_is_icmp(piece->protocol);
    bool straight = out || icmp;

    *selector = (struct xfrm_selector){
        .family = netlink_family(piece->family),
        .proto = piece->protocol,
        .prefixlen_s = out ? piece->local_bits : piece->remote_bits,
        .prefixlen_d = out ? piece->remote_bits : piece->local_bits,
        .sport = htons(straight ? piece->local_port : piece->remote_port),
        .sport_mask = htons(straight ? piece->local_mask : piece->remote_mask),
        .dport = htons(straight ? piece->remote_port : piece->local_port),
        .dport_mask = htons(straight ? piece->remote_mask : piece->local_mask),
    };
    memcpy(&selector->saddr, out ? piece->local : piece->remote, sizeof(selector->saddr));
    memcpy(&selector->daddr, out ? piece->remote : piece->local, sizeof(selector->daddr));
}

static struct nlmsghdr *begin_policy(struct xfrm_batch *batch, const struct piece *piece,
                                     uint8_t direction, uint32_t priority)
{
    struct nlmsghdr *message = xfrm_begin(batch, XFRM_MSG_UPDPOLICY, NLM_F_ACK);
    struct xfrm_userpolicy_info info = {
        .lft = {.soft_byte_limit = XFRM_INF,
                .hard_byte_limit = XFRM_INF,
                .soft_packet_limit = XFRM_INF,
                .hard_packet_limit = XFRM_INF},
        .priority = priority,
        .dir = direction,
        .action = XFRM_POLICY_ALLOW,
        .share = XFRM_SHARE_ANY,
    };

    put_selector(&info.sel, piece, direction);
    xfrm_put_body(message, &info, sizeof(info));
    return message;
}

/* With "prefer" the template is optional: without an SA traffic passes in the clear (and out, it
 * still raises an acquire).
 * What comes in may come from any source: the SA is told by its reqid, which is the child's alone.
 * When a peer moves, its SA and its policies change one after the other; a template that named the
 * source would drop what comes in between. */
static void put_template(struct nlmsghdr *message, const struct policy_template *is,
                         uint8_t direction)
{
    bool out = direction == XFRM_POLICY_OUT;
    struct xfrm_user_tmpl template;

    memset(&template, 0, sizeof(template)); /* padding is sent, too */
    template.id.proto = protocol_of(is->protocol);
    template.family = netlink_family(is->local.family);
    template.reqid = is->reqid;
    template.mode = mode_of(is->mode);
    template.share = XFRM_SHARE_ANY;
    template.optional = is->policy == POLICY_PREFER;
    template.aalgos = UINT32_MAX;
    template.ealgos = UINT32_MAX;
    template.calgos = UINT32_MAX;
    if (out)
        put_address(&template.saddr, &is->local);
    put_address(&template.id.daddr, out ? &is->remote : &is->local);
    mnl_attr_put(message, XFRMA_TMPL, sizeof(template), &template);
}

/* The outbound one is the first. */
static size_t directions_of(uint8_t mode, uint8_t directions[XFRM_POLICY_MAX])
{
    directions[0] = XFRM_POLICY_OUT;
    directions[1] = XFRM_POLICY_IN;
    directions[2] = XFRM_POLICY_FWD;
    return mode == CHILD_TUNNEL ? 3 : 2;
}

static void encode_set_piece(struct xfrm_batch *batch, const struct kernel_job *job)
{
    uint8_t directions[XFRM_POLICY_MAX];
    size_t all = directions_of(job->template.mode, directions);
    size_t count = job->out_only ? 1 : all;

    for (size_t i = 0; i < count; i++) {
        struct nlmsghdr *message = begin_policy(batch, &job->piece, directions[i],
                                                piece_priority(&job->piece, job->template.policy));
        put_template(message, &job->template, directions[i]);
        xfrm_end(batch, message);
    }
}

static void encode_remove_policy(struct xfrm_batch *batch, const struct piece *piece,
                                 uint8_t direction)
{
    struct nlmsghdr *message = xfrm_begin(batch, XFRM_MSG_DELPOLICY, NLM_F_ACK);
    struct xfrm_userpolicy_id id = {.dir = direction};

    put_selector(&id.sel, piece, direction);
    xfrm_put_body(message, &id, sizeof(id));
    xfrm_end(batch, message);
}

static void encode_remove_piece(struct xfrm_batch *batch, const struct kernel_job *job)
{
    uint8_t directions[XFRM_POLICY_MAX];
    size_t count = directions_of(job->mode, directions);

    for (size_t i = 0; i < count; i++)
        encode_remove_policy(batch, &job->piece, directions[i]);
}

static void encode_remove_forward(struct xfrm_batch *batch, const struct kernel_job *job)
{
    encode_remove_policy(batch, &job->piece, XFRM_POLICY_FWD);
}

/* Neighbour discovery (RFC 4861: ICMPv6 types 133 to 137) must pass by every policy.  One that
 * protects all between two IPv6 hosts on a link covers their neighbour solicitations, too: to
 * protect those, IKE would have to reach the neighbour, which takes neighbour discovery first.
 * With an SA the deadlock is only put off: unreachability probes (RFC 4861 section 7.3) are
 * unicast, so a peer that lost the SA cannot answer them, its neighbour entry fails, and the IKE
 * packets that would mend the SA fail with it. */
static void encode_bypass(struct xfrm_batch *batch, bool set)
{
    static const uint8_t directions[] = {XFRM_POLICY_OUT, XFRM_POLICY_IN};

    for (uint16_t type = KERNEL_ND_FIRST; type < KERNEL_ND_FIRST + KERNEL_ND_COUNT; type++) {
        struct piece piece = {
            .family = FAMILY_IPV6,
            .protocol = IPPROTO_ICMPV6,
            .local_port = type,
            .local_mask = UINT16_MAX,
        };
        for (size_t i = 0; i < sizeof(directions); i++) {
            if (set)
                xfrm_end(batch, begin_policy(batch, &piece, directions[i], PIECE_PRIORITY_BYPASS));
            else
                encode_remove_policy(batch, &piece, directions[i]);
        }
    }
}

static void encode_set_bypass(struct xfrm_batch *batch, const struct kernel_job *job)
{
    (void)job;
    encode_bypass(batch, true);
}

static void encode_remove_bypass(struct xfrm_batch *batch, const struct kernel_job *job)
{
    (void)job;
    encode_bypass(batch, false);
}

/* xfrm_user.c refuses it: what came through the tunnel and what did not could not be told apart. */
static bool template_is_sayable(const struct policy_template *is, struct reason *reason)
{
    if (is->mode != CHILD_TUNNEL || is->policy != POLICY_PREFER)
        return true;
    reason_set(reason, STATUS_REJECT, 0,
               "policy = \"prefer\" goes with transport mode only: the kernel has no optional "
               "tunnels");
    return false;
}

static void (*const encoders[])(struct xfrm_batch *batch, const struct kernel_job *job) = {
    [KERNEL_ALLOCATE_SPI] = encode_allocate_spi,
    [KERNEL_INSTALL_SA] = encode_install_sa,
    [KERNEL_QUERY_SA] = encode_query_sa,
    [KERNEL_REMOVE_SA] = encode_remove_sa,
    [KERNEL_SET_PIECE] = encode_set_piece,
    [KERNEL_REMOVE_PIECE] = encode_remove_piece,
    [KERNEL_REMOVE_FORWARD] = encode_remove_forward,
    [KERNEL_SET_BYPASS] = encode_set_bypass,
    [KERNEL_REMOVE_BYPASS] = encode_remove_bypass,
};

bool xfrm_encode_job(struct xfrm_batch *batch, const struct kernel_job *job, struct reason *reason)
{
    if ((job->verb == KERNEL_INSTALL_SA && !sa_is_sayable(job->install_sa, reason)) ||
        (job->verb == KERNEL_SET_PIECE && !template_is_sayable(&job->template, reason)))
        return false;
    encoders[job->verb](batch, job);
    return true;
}

void xfrm_encode_dump(struct xfrm_batch *batch, enum kernel_table table)
{
    bool sas = table == KERNEL_SAS;
    struct nlmsghdr *message =
        xfrm_begin(batch, sas ? XFRM_MSG_GETSA : XFRM_MSG_GETPOLICY, NLM_F_DUMP);

    if (sas)
        mnl_nlmsg_put_extra_header(message, sizeof(struct xfrm_usersa_id));
    else
        mnl_nlmsg_put_extra_header(message, sizeof(struct xfrm_userpolicy_id));
    xfrm_end(batch, message);
}
