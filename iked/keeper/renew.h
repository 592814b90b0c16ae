/*
 * A child has an SA to send by: its policies are set anew as they are, so that what waits for it
 * goes, and what was begun before takes its way.
 *
 * While a policy has no SA the kernel gives a packet's socket a route that ends in the policy's
 * queue (xfrm_create_dummy_bundle of xfrm_policy.c).  The new SA does not make it old
 * (xfrm_bundle_ok: it holds until the route beneath is looked up again, which without a change of
 * routes or policies is never), and it is not seen to be one to IPsec (dst_xfrm is NULL).  So what
 * the socket sends on it
 *   - takes the way through the queue, a tenth of a second longer and 100 packets at most;
 *   - has its checksum left to the device, if that can; xfrm_output mends that for TCP and UDP, but
 *     with skb_checksum_help for SCTP as well, which knows no CRC32c: the peer drops every packet.
 *     (So Linux 6.1.  For the one that was held first there is no help from here.)
 * With a policy that prefers protection the route is a plain one: what was begun in the clear stays
 * so.
 * A policy that is set makes all routes of its family old (rt_genid_bump_ipv4 in
 * xfrm_policy_insert), takes over the queue of the one that it replaces and sends what is in it
 * (xfrm_policy_requeue).
 */
#ifndef IKED_KEEPER_RENEW_H
#define IKED_KEEPER_RENEW_H

#include "iked/keeper/service.h"

/* Adds jobs behind that of the SA, which is outbound: for the policies of the child that the file
 * names, as far as they are there, and only outbound ones, which alone have queues.  Of many pieces
 * a few are enough: any one makes all routes old, and what the others hold goes a moment later.
 *
 * A new SA's own policies are set after it anyway.  Then what the file says for any peer is left
 * alone: it holds the packets of all, who come or not, and for each that comes the kernel would go
 * through the policies of those who are there (__xfrm_policy_inexact_prune_bin). */
void renew_policies(struct service *service, const struct effect_install_sa *sa);

#endif
