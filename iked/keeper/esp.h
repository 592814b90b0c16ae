/*
 * Whether the kernel can do ESP at all, told before a peer is told TEMPORARY_FAILURE for it.
 */
#ifndef IKED_KEEPER_ESP_H
#define IKED_KEEPER_ESP_H

#include "iked/keeper/xfrm/kernel.h"

/* Warns of each family that the configuration has peers of and the kernel has no ESP for.  Nothing
 * in the kernel changes, but that it may load the module. */
void esp_look(struct kernel *kernel, const struct config *config);

#endif
