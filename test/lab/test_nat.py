# A NAT between the peers (nftables masquerade): IKE moves to port 4500 and ESP goes
# in UDP, whoever is behind the NAT, one or two of them. The NAT is restarted in
# mid-life and picks other ports: traffic is back with the first packet from behind
# it. And ESP in UDP where there is no NAT, because the configuration wants it.
from dataclasses import replace

import pytest

from lab import live_states, wait_until
from nat import OUTSIDE, NatNetwork
from peers import Conn
from scenario import Pair

# Who is behind the NAT, who is outside.
ENDS = [("iked", "iked"), ("iked", "strongswan"), ("strongswan", "iked"), ("iked", "libreswan"),
        ("libreswan", "iked")]
# All but the one of test_libreswan_behind_a_nat_refuses_transport_mode.
CELLS = [(inside, outside, mode) for inside, outside in ENDS for mode in ("tunnel", "transport")
         if (inside, mode) != ("libreswan", "transport")]
SERVER_ID = "b.example.net"


class Behind:
    """Clients behind one NAT and a server outside, who knows them by their names alone."""

    def __init__(self, scenario, inside="iked", outside="iked", mode="tunnel", clients=("a",)):
        lans = mode == "tunnel"
        self.mode = mode
        self.net = scenario.network(NatNetwork, clients=clients, lans=lans)
        self.captures = [self.net.capture(name) for name in ("b", "natin")]
        self.server = scenario.daemon(outside, self.net["b"])
        self.clients = {name: scenario.daemon(inside, self.net[name]) for name in clients}
        self.conns = {}
        for name in clients:
            self.conns[name] = Conn(self.net[name].v4, self.net["b"].v4, name=name, mode=mode, start="never",
                                    local_id=f"{name}.example.net", remote_id=SERVER_ID, keepalive=5)
            if lans:
                self.conns[name] = replace(self.conns[name], local_ts=(self.net[name].lan4,),
                                           remote_ts=(self.net["b"].lan4,))

    def start(self):
        self.start_server()
        for name, client in self.clients.items():
            client.configure(self.conns[name])
            client.start()
            client.up(name)

    def start_server(self):
        self.server.configure(*[replace(conn.other_end(start="never"), remote="any", peer_inside=conn.local)
                                for conn in self.conns.values()])
        self.server.start()

    def ends(self, name):
        hosts = self.net.inner if self.mode == "tunnel" else self.net.hosts
        return hosts[name], hosts["b"]

    def reaches(self, name="a", seconds=10):
        near, far = self.ends(name)
        return near.reaches(far.v4, seconds)

    def is_reached(self, name="a", seconds=10):
        near, far = self.ends(name)
        return far.reaches(near.v4 if self.mode == "tunnel" else OUTSIDE, seconds)

    def passes_in_udp(self, name="a"):
        """Pings pass both ways; on either side of the NAT ESP goes in UDP only, and nothing is clear."""
        self.reaches(name)
        near, far = self.ends(name)
        before = self.net.espinudp_packets("b")
        assert near.ping(far.v4, count=3) == 3
        assert far.ping(near.v4 if self.mode == "tunnel" else OUTSIDE, count=3) == 3
        assert self.net.espinudp_packets("b") - before >= 6
        self.nothing_was_clear()

    def nothing_was_clear(self):
        for port in (*self.net.clients, "b", "nat", "natin"):
            assert self.net.clear_packets(port) == 0, self.net.clear_lines()
            assert self.net.esp_packets(port) == 0, f"ESP outside UDP at {port}"

    def mapping(self):
        """The ports that the server's SAs have for those behind the NAT."""
        text = self.net["b"].run("ip", "xfrm", "state").stdout
        return {word for line in text.splitlines() if "espinudp" in line
                for word in (line.split("sport ")[1].split()[0], line.split("dport ")[1].split()[0])} - {"4500"}


@pytest.mark.parametrize("inside,outside,mode", CELLS)
def test_behind_a_nat(lab_scenario, inside, outside, mode):
    behind = Behind(lab_scenario, inside, outside, mode)
    behind.start()
    behind.passes_in_udp()
    assert behind.mapping() and behind.mapping().isdisjoint({"500"}), "the NAT changed no port"
    # An idle client keeps its place in the NAT's table (RFC 3948 section 4). Libreswan 4.10 looks whether
    # it is to, once, while it takes IKE_AUTH's answer ("skipping NAT-T KEEP-ALIVE: recent message sent using
    # the IKE SA on conn a"), and never again.
    if inside != "libreswan":
        wait_until(lambda: behind.net.keepalives("a"), 60, "a keepalive")
    behind.clients["a"].down("a")
    wait_until(lambda: not live_states(behind.net["b"]), 10, "the SAs to go")
    behind.nothing_was_clear()


# A responder answers with the NAT's address, and the client is to take it for its own (RFC 7296 section
# 2.23.1). Libreswan 4.10 does not, and refuses what iked has made: "CHILD SA failed: TS_UNACCEPTABLE".
# (With the NAT's address as its leftsubnet it takes the answer, and then protects what comes from that
# address, which none of its packets do.) Both ends clean up, and nothing goes clear.
def test_libreswan_behind_a_nat_refuses_transport_mode(lab_scenario):
    behind = Behind(lab_scenario, "libreswan", "iked", "transport")
    behind.start_server()
    client = behind.clients["a"]
    client.configure(replace(behind.conns["a"], start="traffic"))
    client.start()
    near, far = behind.ends("a")
    assert near.ping(far.v4, count=3, patience=1) == 0
    client.wait_log("CHILD SA failed: TS_UNACCEPTABLE", 20)
    behind.server.wait_log("child a deleted by the peer")
    wait_until(lambda: not live_states(behind.net["b"]), 10, "the SAs to go")
    assert near.ping(far.v4, count=3, patience=1) == 0
    behind.nothing_was_clear()


@pytest.mark.parametrize("outside", ["iked", "strongswan"])
def test_two_behind_one_nat(lab_scenario, outside):
    behind = Behind(lab_scenario, "iked", outside, clients=("a", "c"))
    behind.start()
    behind.passes_in_udp("a")
    behind.passes_in_udp("c")
    behind.passes_in_udp("a")
    assert len(behind.mapping()) == 2
    behind.clients["a"].down("a")
    behind.passes_in_udp("c")


@pytest.mark.parametrize("inside", ["iked", "strongswan"])
def test_the_nat_is_restarted_under_traffic(lab_scenario, inside):
    behind = Behind(lab_scenario, inside)
    behind.start()
    behind.passes_in_udp()
    for first in (20000, 30000):
        before, states = behind.mapping(), {state["spi"] for state in live_states(behind.net["b"])}
        behind.net.router.remap(first)
        behind.reaches()
        wait_until(lambda: behind.mapping() and behind.mapping().isdisjoint(before), 10, "the server to follow")
        behind.is_reached()
        assert {state["spi"] for state in live_states(behind.net["b"])} == states, "the SAs were to be kept"
    behind.passes_in_udp()


def test_the_nat_is_restarted_while_all_is_quiet(lab_scenario):
    behind = Behind(lab_scenario)
    behind.conns["a"] = replace(behind.conns["a"], liveness=10)
    behind.start()
    behind.passes_in_udp()
    behind.net.router.remap(20000)
    # It is the server who speaks first, to a mapping that is gone; a keepalive tells it
    # nothing (RFC 3948 section 2.3). The client, who hears nothing, asks.
    behind.is_reached(seconds=30)
    behind.passes_in_udp()


# Both families, and both ends that want it.
@pytest.mark.parametrize("peer,who,mode,family", [("iked", "iked", "transport", 4), ("iked", "iked", "tunnel", 6),
                                                  ("strongswan", "iked", "transport", 4),
                                                  ("strongswan", "peer", "tunnel", 4)])
def test_in_udp_without_a_nat(lab_scenario, peer, who, mode, family):
    pair = Pair(lab_scenario, mode, family, peer)
    pair.one.configure(replace(pair.conn, encapsulate=who == "iked"))
    pair.two.configure(pair.conn.other_end(start="never", encapsulate=who == "peer"))
    pair.two.start()
    pair.one.start()
    pair.one.up()
    pair.reaches()
    before = pair.net.espinudp_packets()
    assert pair.ping(3) == 3
    assert pair.net.espinudp_packets() - before >= 6
    assert pair.net.esp_packets() == 0
    pair.nothing_was_clear()
