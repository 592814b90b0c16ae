# The lab's own proof, without iked: that its counters count a clear packet (a
# counter that cannot count proves nothing), that two daemons which are known to
# work are seen to work, and that neighbour discovery and IKE are not counted.
import socket

import pytest

from lab import expect_pair, wait_until, xfrm_policies
from peers import conn_between


def test_clear_packets_are_counted(lab_scenario):
    net = lab_scenario.network()
    capture = net.capture("a")
    a, b = net["a"], net["b"]
    assert a.ping(b.v4) == 3 and a.ping(b.v6) == 3
    a.run("bash", "-c", f"echo x >/dev/udp/{b.v4}/9; echo x >/dev/tcp/{b.v4}/500", check=False)
    # Three pings of each family each way, a datagram, and TCP to port 500 is not IKE.
    assert net.clear_packets("a") == 3 + 3 + 1 + 1
    # Answers to the pings, to the datagram (port unreachable) and to TCP (a reset).
    assert net.clear_packets("b") == 3 + 3 + 1 + 1
    assert net.esp_packets() == 0
    assert len(net.clear_lines()) == net.clear_packets()
    assert any("ARP" in line for line in capture.lines())
    net.forget_clear()
    assert net.clear_packets() == 0

    def knock():
        for family, target in ((socket.AF_INET, b.v4), (socket.AF_INET6, b.v6)):
            with socket.socket(family, socket.SOCK_DGRAM) as s:
                s.bind(("", 500))
                s.sendto(b"ike", (target, 500))
    a.inside(knock)
    unreachable = "icmp[0] = 3 or (icmp6 and ip6[40] = 1 and ip6[41] = 4 and ip6[88:4] = 0x01f401f4)"
    wait_until(lambda: len(capture.lines(unreachable)) >= 2, 5, "two complaints about IKE's port")
    assert net.clear_packets() == 0, net.clear_lines()


def test_clear_packets_between_lans_are_counted(lab_scenario):
    net = lab_scenario.network(lans=True)
    assert net.inner["a"].ping(net.inner["b"].v4) == 3
    assert net.inner["a"].ping(net.inner["b"].v6) == 3
    assert net.clear_packets("a") == 6 and net.clear_packets("b") == 6


@pytest.mark.parametrize("other", ["strongswan", "libreswan", "openiked"])
def test_foreign_daemons_agree(lab_scenario, other):
    net = lab_scenario.network()
    capture = net.capture("a")
    a, b = net["a"], net["b"]
    conn = conn_between(a, b, start="never", ike="aes256gcm16-prfsha256-ecp256")
    one, two = lab_scenario.daemon("strongswan", a), lab_scenario.daemon(other, b)
    one.configure(conn)
    two.configure(conn.other_end())
    two.start()
    one.start()
    one.up()
    a.reaches(b.v4)
    assert a.ping(b.v4) == 3
    expect_pair(a, b, "transport")
    assert xfrm_policies(a)
    assert net.clear_packets() == 0, net.clear_lines()
    assert net.esp_packets("a") >= 3 and len(capture.lines("esp")) >= 6
