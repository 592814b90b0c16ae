/*
 * What XFRM says in netlink: see xfrm_decode.h.
 */
#include "iked/keeper/xfrm/xfrm_decode.h"

#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/socket.h>

#include "iked/keeper/xfrm/netlink.h"
#include "lib/crypto/suite.h"

static uint8_t protocol_from(uint8_t protocol)
{
    return protocol == IPSEC_ESP || protocol == IPSEC_AH ? protocol : IPSEC_NONE;
}

static struct address address_from(const xfrm_address_t *bytes, uint8_t family)
{
    struct address address = {.family = family};

    memcpy(address.bytes, bytes, address_size(family));
    return address;
}

static bool take_template(const struct nlmsghdr *message, size_t fixed,
                          struct xfrm_user_tmpl *template)
{
    const struct nlattr *attribute = netlink_attribute(message, fixed, XFRMA_TMPL);

    if (attribute == NULL || mnl_attr_get_payload_len(attribute) < sizeof(*template))
        return false;
    memcpy(template, mnl_attr_get_payload(attribute), sizeof(*template));
    return true;
}

/* One end of a packet, as the kernel describes a flow. */
static struct selector packet_end(const struct xfrm_selector *selector, bool source)
{
    uint8_t family = netlink_family_from(selector->family);
    struct address host = address_from(source ? &selector->saddr : &selector->daddr, family);
    struct selector end = selector_host(&host);
    bool icmp = protocol_is_icmp(selector->proto);
    uint16_t port = ntohs(source ? selector->sport : selector->dport);
    uint16_t mask = source ? selector->sport_mask : selector->dport_mask;

    end.protocol = selector->proto;
    if (icmp)
        port = (uint16_t)(ntohs(selector->sport) << 8 | (ntohs(selector->dport) & 0xff));
    if (mask != 0 && selector->proto != 0)
        end.port_start = end.port_end = port;
    return end;
}

static void sa_from(const struct xfrm_usersa_info *info, struct kernel_sa *sa)
{
    uint8_t family = netlink_family_from(info->family);

    *sa = (struct kernel_sa){
        .source = address_from(&info->saddr, family),
        .destination = address_from(&info->id.daddr, family),
        .spi = ntohl(info->id.spi),
        .reqid = info->reqid,
        .protocol = protocol_from(info->id.proto),
        .mode = info->mode == XFRM_MODE_TUNNEL ? CHILD_TUNNEL : CHILD_TRANSPORT,
        .local_packet = packet_end(&info->sel, true),
        .remote_packet = packet_end(&info->sel, false),
        .packets = info->curlft.packets,
        .bytes = info->curlft.bytes,
    };
}

/* RFC 3948: the ports of an SA in UDP. */
static void ports_from(const struct nlmsghdr *message, struct kernel_sa *sa)
{
    const struct nlattr *attribute =
        netlink_attribute(message, sizeof(struct xfrm_usersa_info), XFRMA_ENCAP);
    struct xfrm_encap_tmpl encap;

    if (attribute == NULL || mnl_attr_get_payload_len(attribute) < sizeof(encap))
        return;
    memcpy(&encap, mnl_attr_get_payload(attribute), sizeof(encap));
    sa->encap = true;
    sa->source.port = ntohs(encap.encap_sport);
    sa->destination.port = ntohs(encap.encap_dport);
}

/* When a packet last used the SA, from Linux 6.2 on. */
static void use_from(const struct nlmsghdr *message, struct kernel_sa *sa)
{
    const struct nlattr *attribute =
        netlink_attribute(message, sizeof(struct xfrm_usersa_info), XFRMA_LASTUSED);

    if (attribute != NULL && mnl_attr_get_payload_len(attribute) == sizeof(sa->used_s))
        memcpy(&sa->used_s, mnl_attr_get_payload(attribute), sizeof(sa->used_s));
}

bool xfrm_decode_sa(const struct nlmsghdr *message, struct kernel_sa *sa)
{
    struct xfrm_usersa_info info;

    if (!netlink_take(message, XFRM_MSG_NEWSA, &info, sizeof(info)))
        return false;
    sa_from(&info, sa);
    ports_from(message, sa);
    use_from(message, sa);
    return sa->destination.family != FAMILY_NONE;
}

static void piece_from(const struct xfrm_selector *selector, uint8_t direction, struct piece *piece)
{
    bool out = direction == XFRM_POLICY_OUT;
    bool icmp = protocol_is_icmp(selector->proto);
    bool straight = out || icmp;

    *piece = (struct piece){
        .family = netlink_family_from(selector->family),
        .protocol = selector->proto,
        .local_bits = out ? selector->prefixlen_s : selector->prefixlen_d,
        .remote_bits = out ? selector->prefixlen_d : selector->prefixlen_s,
        .local_port = ntohs(straight ? selector->sport : selector->dport),
        .local_mask = ntohs(straight ? selector->sport_mask : selector->dport_mask),
        .remote_port = ntohs(straight ? selector->dport : selector->sport),
        .remote_mask = ntohs(straight ? selector->dport_mask : selector->sport_mask),
    };
    memcpy(piece->local, out ? &selector->saddr : &selector->daddr, address_size(piece->family));
    memcpy(piece->remote, out ? &selector->daddr : &selector->saddr, address_size(piece->family));
}

static bool direction_from(uint8_t direction, uint8_t *to)
{
    if (direction > XFRM_POLICY_FWD)
        return false; /* a socket's */
    *to = direction == XFRM_POLICY_OUT  ? KERNEL_OUT
          : direction == XFRM_POLICY_IN ? KERNEL_IN
                                        : KERNEL_FORWARD;
    return true;
}

static struct policy_template template_from(const struct xfrm_user_tmpl *template,
                                            uint8_t direction)
{
    uint8_t family = netlink_family_from(template->family);
    struct policy_template is = {
        .reqid = template->reqid,
        .protocol = protocol_from(template->id.proto),
        .mode = template->mode == XFRM_MODE_TUNNEL ? CHILD_TUNNEL : CHILD_TRANSPORT,
        .policy = template->optional != 0 ? POLICY_PREFER : POLICY_REQUIRE,
    };

    is.local =
        address_from(direction == KERNEL_OUT ? &template->saddr : &template->id.daddr, family);
    is.remote.family = family;
    if (direction == KERNEL_OUT)
        is.remote = address_from(&template->id.daddr, family);
    return is;
}

/* Does a mark or an interface select, too? */
static bool is_partial(const struct nlmsghdr *message, size_t fixed)
{
    const struct nlattr *mark = netlink_attribute(message, fixed, XFRMA_MARK);
    struct xfrm_mark value = {0};

    if (mark != NULL && mnl_attr_get_payload_len(mark) >= sizeof(value))
        memcpy(&value, mnl_attr_get_payload(mark), sizeof(value));
    return value.m != 0 || netlink_attribute(message, fixed, XFRMA_IF_ID) != NULL;
}

static bool policy_from(const struct xfrm_userpolicy_info *info, struct kernel_piece *piece)
{
    *piece = (struct kernel_piece){
        .priority = info->priority,
        .plain = true,
        .blocks = info->action == XFRM_POLICY_BLOCK,
    };
    if (netlink_family_from(info->sel.family) == FAMILY_NONE ||
        !direction_from(info->dir, &piece->direction))
        return false;
    piece_from(&info->sel, info->dir, &piece->piece);
    return true;
}

bool xfrm_decode_policy(const struct nlmsghdr *message, struct kernel_piece *piece)
{
    struct xfrm_userpolicy_info info;
    struct xfrm_user_tmpl template;

    if ((!netlink_take(message, XFRM_MSG_NEWPOLICY, &info, sizeof(info)) &&
         !netlink_take(message, XFRM_MSG_UPDPOLICY, &info, sizeof(info))) ||
        !policy_from(&info, piece))
        return false;
    piece->partial = is_partial(message, sizeof(info));
    if (take_template(message, sizeof(info), &template)) {
        piece->plain = false;
        piece->template = template_from(&template, piece->direction);
    }
    return true;
}

static bool decode_acquire(const struct nlmsghdr *message, struct kernel_notice *notice)
{
    struct xfrm_user_acquire acquire;
    struct xfrm_user_tmpl template;

    if (!netlink_take(message, XFRM_MSG_ACQUIRE, &acquire, sizeof(acquire)) ||
        !take_template(message, sizeof(acquire), &template))
        return false;
    *notice = (struct kernel_notice){
        .kind = NOTICE_ACQUIRE,
        .sa.reqid = template.reqid,
        .sa.local_packet = packet_end(&acquire.sel, true),
        .sa.remote_packet = packet_end(&acquire.sel, false),
    };
    return true;
}

static bool decode_expire(const struct nlmsghdr *message, struct kernel_notice *notice)
{
    struct xfrm_user_expire expire;

    if (!netlink_take(message, XFRM_MSG_EXPIRE, &expire, sizeof(expire)))
        return false;
    *notice = (struct kernel_notice){.kind = NOTICE_EXPIRE, .hard = expire.hard != 0};
    sa_from(&expire.state, &notice->sa);
    return true;
}

static bool decode_mapping(const struct nlmsghdr *message, struct kernel_notice *notice)
{
    struct xfrm_user_mapping mapping;

    if (!netlink_take(message, XFRM_MSG_MAPPING, &mapping, sizeof(mapping)))
        return false;
    uint8_t family = netlink_family_from(mapping.id.family);
    *notice = (struct kernel_notice){
        .kind = NOTICE_MAPPING,
        .sa.source = address_from(&mapping.new_saddr, family),
        .sa.destination = address_from(&mapping.id.daddr, family),
        .sa.spi = ntohl(mapping.id.spi),
        .sa.reqid = mapping.reqid,
        .sa.protocol = protocol_from(mapping.id.proto),
    };
    notice->sa.source.port = ntohs(mapping.new_sport);
    return family != FAMILY_NONE;
}

/* --- What others do --- */

static bool decode_sa_gone(const struct nlmsghdr *message, struct kernel_notice *notice)
{
    struct xfrm_usersa_id id;

    if (!netlink_take(message, XFRM_MSG_DELSA, &id, sizeof(id)))
        return false;
    uint8_t family = netlink_family_from(id.family);
    *notice = (struct kernel_notice){
        .kind = NOTICE_SA_GONE,
        .sa.destination = address_from(&id.daddr, family),
        .sa.spi = ntohl(id.spi),
        .sa.protocol = protocol_from(id.proto),
    };
    return family != FAMILY_NONE;
}

/* The whole policy stands in an attribute: the fixed part does not select it when it was removed by
 * its index. */
static bool decode_policy_gone(const struct nlmsghdr *message, struct kernel_notice *notice)
{
    struct xfrm_userpolicy_id id;
    struct xfrm_userpolicy_info info;

    if (!netlink_take(message, XFRM_MSG_DELPOLICY, &id, sizeof(id)))
        return false;
    const struct nlattr *policy = netlink_attribute(message, sizeof(id), XFRMA_POLICY);
    if (policy == NULL || mnl_attr_get_payload_len(policy) < sizeof(info))
        return false;
    memcpy(&info, mnl_attr_get_payload(policy), sizeof(info));
    *notice = (struct kernel_notice){.kind = NOTICE_POLICY_GONE};
    return policy_from(&info, &notice->piece);
}

static bool decode_policy_there(const struct nlmsghdr *message, struct kernel_notice *notice)
{
    *notice = (struct kernel_notice){.kind = NOTICE_POLICY};
    return xfrm_decode_policy(message, &notice->piece);
}

static bool decode_flush(const struct nlmsghdr *message, struct kernel_notice *notice)
{
    *notice = (struct kernel_notice){
        .kind = message->nlmsg_type == XFRM_MSG_FLUSHSA ? NOTICE_SAS_GONE : NOTICE_POLICIES_GONE};
    return message->nlmsg_type == XFRM_MSG_FLUSHSA || message->nlmsg_type == XFRM_MSG_FLUSHPOLICY;
}

bool xfrm_decode_notice(const struct nlmsghdr *message, struct kernel_notice *notice)
{
    return decode_acquire(message, notice) || decode_expire(message, notice) ||
           decode_mapping(message, notice) || decode_sa_gone(message, notice) ||
           decode_policy_gone(message, notice) || decode_policy_there(message, notice) ||
           decode_flush(message, notice);
}
