/*
 * The UDP datagrams of a capture, for tests on real traffic.
 *
 * Knows classic pcap files of IPv4 over Ethernet or BSD loopback, and fragments that stand in
 * order.
 */
#ifndef TEST_UNIT_PCAP_H
#define TEST_UNIT_PCAP_H

#include "test/unit/bytes.h"

#define PCAP_DATAGRAMS_MAX 16

struct pcap {
    size_t count;
    struct slice datagrams[PCAP_DATAGRAMS_MAX]; /* what UDP carries */
};

/* Reads captures/NAME of the shared test data; skips the test where it is absent (shared.h). */
struct pcap pcap_read(const char *name);

#endif
