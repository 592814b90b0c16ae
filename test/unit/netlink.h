/*
 * A look at netlink messages with nothing but the kernel's own structs and a walk over attributes,
 * independent of what iked decodes with; and messages as the kernel would send them.
 */
#ifndef TEST_UNIT_NETLINK_H
#define TEST_UNIT_NETLINK_H

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stddef.h>
#include <stdint.h>

#include "iked/keeper/xfrm/xfrm_encode.h"
#include "lib/base/slice.h"

/* An empty batch, numbered from 101. There is one at a time, in the same room as message_new's. */
struct xfrm_batch batch_new(void);

/* The message that stands there as number 0, 1, ...: it has to. */
const struct nlmsghdr *message_at(const struct xfrm_batch *batch, size_t number);

/* What stands behind the header, and an attribute behind a body of `fixed` octets: one, or none. */
#define BODY(message) ((const void *)((const uint8_t *)(message) + sizeof(struct nlmsghdr)))
struct slice attribute_of(const struct nlmsghdr *message, size_t fixed, uint16_t type);

struct xfrm_usersa_info sa_body(const struct nlmsghdr *message);

void assert_host(const xfrm_address_t *address, uint16_t family, const char *expected);

/* A message from the kernel, and an attribute behind what it has so far. */
struct nlmsghdr *message_new(uint16_t type, const void *body, size_t size);
void message_put(struct nlmsghdr *message, uint16_t type, const void *body, size_t size);

#endif
