/*
 * What XFRM says in netlink: see xfrm_decode.h.
 */
#include "iked/keeper/xfrm_decode.h"

#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/socket.h>

#include "iked/keeper/netlink.h"
#include "lib/wire/ikev2.h"

static uint8_t protocol_from(uint8_t protocol)
{
    return protocol == IPPROTO_ESP  ? V2_PROTOCOL_ESP
           : protocol == IPPROTO_AH ? V2_PROTOCOL_AH
                                    : V2_PROTOCOL_NONE;
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

bool xfrm_decode_policy(const struct nlmsghdr *message, struct kernel_piece *piece)
{
    struct xfrm_userpolicy_info info;
    struct xfrm_user_tmpl template;

    if (!netlink_take(message, XFRM_MSG_NEWPOLICY, &info, sizeof(info)) ||
        netlink_family_from(info.sel.family) == FAMILY_NONE ||
        !take_template(message, sizeof(info), &template))
        return false;
    piece_from(&info.sel, info.dir, &piece->piece);
    piece->reqid = template.reqid;
    piece->mode = template.mode == XFRM_MODE_TUNNEL ? CHILD_TUNNEL : CHILD_TRANSPORT;
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

bool xfrm_decode_notice(const struct nlmsghdr *message, struct kernel_notice *notice)
{
    return decode_acquire(message, notice) || decode_expire(message, notice) ||
           decode_mapping(message, notice);
}
