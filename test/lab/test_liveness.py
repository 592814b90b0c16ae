# Dead peers, found by silence, and peers by name or at several addresses. Dead is
# who is killed without a word and whose kernel has forgotten all.
import time
from dataclasses import replace

import pytest

from lab import live_states, wait_until, xfrm_policies
from peers import Conn
from scenario import Pair, settles

pytestmark = pytest.mark.long

# How long a silence is, and how often is asked again: given up after 31 s. An emulated kernel may
# take ten to load what the first SA needs.
SILENCE = 2
TRIES = 4


def pair_with(scenario, peer="iked", mode="transport", other=(), **mine):
    pair = Pair(scenario, mode, 4, peer)
    pair.conn = replace(pair.conn, liveness=SILENCE, **mine)
    pair.one.tries = TRIES
    pair.one.configure(pair.conn)
    plain = {"liveness": 0, "peer_at": "", "on_dead": "", "start": "never", **dict(other)}
    pair.two.configure(replace(pair.conn.other_end(), **plain))
    pair.two.start()
    pair.one.start()
    return pair


# RFC 7296 section 2.4. Nobody sends anything: the SA comes back by itself.
@pytest.mark.parametrize("peer", ["iked", "strongswan"])
def test_a_dead_peer_that_comes_back(lab_scenario, peer):
    pair = pair_with(lab_scenario, peer, on_dead="restart", start="never")
    pair.one.up()
    assert pair.ping(3) == 3
    pair.two.dies()
    pair.one.wait_log("the peer is dead", 30)
    assert pair.one.counter("peers_dead") == 1
    assert xfrm_policies(pair.a), "the policies were to stay"
    assert pair.ping(2, patience=1) == 0
    pair.nothing_was_clear()
    pair.two.start()
    wait_until(lambda: live_states(pair.a) and live_states(pair.b), 60, "the SA to come back")
    assert pair.reaches()
    settles(pair)


# The peer asks, too: both ask less than once in a silence, and while pings go nobody asks.
@pytest.mark.parametrize("peer", ["iked", "strongswan"])
def test_few_questions(lab_scenario, peer):
    pair = pair_with(lab_scenario, peer, other={"liveness": SILENCE})
    pair.one.up()
    asked = pair.one.counter("liveness_checks")
    assert pair.ping(100, interval=0.1) == 100
    assert pair.one.counter("liveness_checks") - asked <= 1, "it asks, though traffic comes in"
    before = len(pair.capture.lines("udp port 500 or udp port 4500"))
    wait_until(lambda: pair.one.counter("liveness_checks") - asked >= 2 or
               len(pair.capture.lines("udp port 500 or udp port 4500")) - before >= 8, 60, "questions")
    assert pair.one.counter("peers_dead") == 0
    settles(pair)
    assert pair.ping(3) == 3


def test_a_dead_first_address(lab_scenario):
    pair = pair_with(lab_scenario, peer_at='[ "192.0.2.99", "192.0.2.2" ]')
    pair.nothing_passes_yet()
    pair.one.up()
    pair.is_encrypted()
    assert pair.one.show("connections")[0]["remote"] == "192.0.2.2"


# The name means nobody, then b, then c; b dies. What is behind the gateways is
# protected from the start.
def test_a_name_that_moves(lab_scenario):
    net = lab_scenario.network(names=("a", "b", "c"))
    net.capture("a")
    a = net["a"]
    a.names(other_example_net="192.0.2.77")
    inner = dict(mode="tunnel", local_ts=("10.1.0.1/32",), remote_ts=("10.9.0.1/32",))
    a.run("ip", "address", "add", "10.1.0.1/32", "dev", "lo")
    conn = Conn("192.0.2.1", "192.0.2.2", remote_id="gw.example.net", peer_at='"gw.example.net"',
                liveness=SILENCE, on_dead="restart", **inner)
    one = lab_scenario.daemon("iked", a)
    one.tries = TRIES
    one.configure(conn)
    a.run("ip", "route", "add", "10.9.0.1/32", "via", "192.0.2.2")
    one.start()
    one.wait_log("gw.example.net cannot be resolved")
    assert one.resolver(), "no process looks names up"
    assert "cannot be resolved" in one.ctl("show").stdout
    assert xfrm_policies(a), "no policy while the name is not known"
    assert a.ping("10.9.0.1", source="10.1.0.1", count=2, patience=1) == 0
    assert net.clear_packets("a") == 0, net.clear_lines()
    gateways = {}
    for name in ("b", "c"):
        host = net[name]
        host.run("ip", "address", "add", "10.9.0.1/32", "dev", "lo")
        host.run("ip", "route", "add", "10.1.0.1/32", "via", "192.0.2.1")
        gateways[name] = lab_scenario.daemon("iked", host)
        gateways[name].configure(replace(conn.other_end(start="never"), local=host.v4, peer_at="", on_dead=""))
        gateways[name].start()
    a.names(gw_example_net="192.0.2.2")
    assert a.reaches("10.9.0.1", 60, source="10.1.0.1")
    a.names(gw_example_net="192.0.2.3")
    gateways["b"].dies()
    a.run("ip", "route", "replace", "10.9.0.1/32", "via", "192.0.2.3")
    assert a.reaches("10.9.0.1", 60, source="10.1.0.1")
    assert one.show("connections")[0]["remote"] == "192.0.2.3"
    assert {state["src"] for state in live_states(a)} == {"192.0.2.1", "192.0.2.3"}
    assert net.clear_packets("a") == 0, net.clear_lines()


class OneWay(Pair):
    """Default settings; the other end is killed, and only we send."""

    def __init__(self, scenario, mode):
        super().__init__(scenario, mode, 4)
        self.conn = replace(self.conn, start="never")
        self.one.configure(self.conn)
        self.two.configure(self.conn.other_end())
        self.two.start()
        self.one.start()
        self.one.up()
        assert self.ping(3) == 3
        self.two.dies()
        self.dead_s = time.monotonic()
        self.near.spawn("ping", "-n", "-q", "-i", "1", self.far.address(4), log="/dev/null")

    def since(self):
        return time.monotonic() - self.dead_s


@pytest.mark.iked_only
@pytest.mark.parametrize("mode", ["transport", "tunnel"])
def test_a_peer_that_was_killed_while_only_we_send(lab_scenario, mode):
    pair = OneWay(lab_scenario, mode)
    pair.one.wait_log("the peer is dead", 60)
    assert pair.since() <= 60
    pair.nothing_was_clear()


# It is back at once, and knows nothing: INVALID_IKE_SPI is a hint. Nobody there asks for an SA.
@pytest.mark.iked_only
def test_a_peer_that_was_rebooted_while_only_we_send(lab_scenario):
    pair = OneWay(lab_scenario, "tunnel")
    pair.two.start()
    pair.one.wait_log("the peer is dead", 40)
    assert pair.one.counter("liveness_hints") == 1
    pair.one.up()
    assert pair.reaches()
    settles(pair)
    pair.nothing_was_clear()
