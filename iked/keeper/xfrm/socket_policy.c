/*
 * Policies of a single socket: see socket_policy.h.
 */
#include "iked/keeper/xfrm/socket_policy.h"

#include <linux/in6.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sys/socket.h>

bool socket_policy_pass(int fd, uint8_t family)
{
    bool v6 = family == FAMILY_IPV6;
    struct xfrm_userpolicy_info policy = {
        .sel.family = v6 ? AF_INET6 : AF_INET,
        .action = XFRM_POLICY_ALLOW,
    };
    static const uint8_t directions[] = {XFRM_POLICY_IN, XFRM_POLICY_OUT};

    for (size_t i = 0; i < sizeof(directions); i++) {
        policy.dir = directions[i];
        if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_XFRM_POLICY : IP_XFRM_POLICY,
                       &policy, sizeof(policy)) != 0)
            return false;
    }
    return true;
}
