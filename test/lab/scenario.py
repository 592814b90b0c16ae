# The parts that scenarios share: setting two daemons up, what must hold before,
# while and after an SA is there, and who pings whom. The tests themselves then
# read as what they are about.
import threading

import pytest

from lab import expect_pair, live_states, wait_until, xfrm_policies
from peers import conn_between

# The same shape for every pair: which mode, which family.
SHAPES = [pytest.param("transport", 4, id="transport-v4", marks=pytest.mark.core),
          pytest.param("tunnel", 4, id="tunnel-v4"),
          pytest.param("transport", 6, id="transport-v6"), pytest.param("tunnel", 6, id="tunnel-v6")]


def spis(host):
    return {state["spi"] for state in live_states(host)}


class Pair:
    """Two daemons that protect each other's traffic. `one` is iked (or its stand-in)."""

    def __init__(self, scenario, mode, family, other="iked", **conn):
        self.mode = mode
        self.family = family
        self.net = scenario.network(lans=mode == "tunnel")
        self.capture = self.net.capture("a")
        self.a, self.b = self.net["a"], self.net["b"]
        self.one = scenario.daemon("iked", self.a)
        self.two = scenario.daemon(other, self.b)
        if other == "openiked":
            # One that finds two IKE_SA_INIT in its socket at once answers the second
            # ("retransmit IKE_SA_INIT res 0") and is silent at the IKE_AUTH that follows.
            # Its first answer may take it a second.
            self.one.retransmit = "5s"
        self.conn = conn_between(self.a, self.b, family, mode, lans=mode == "tunnel", **conn)
        ends = self.net.inner if mode == "tunnel" else self.net.hosts
        self.near, self.far = ends["a"], ends["b"]

    def configure(self, other_start="never", **other):
        self.one.configure(self.conn)
        self.two.configure(self.conn.other_end(start=other_start, **other))

    def ping(self, count=3, **more):
        return self.near.ping(self.far.address(self.family), count=count, **more)

    def reaches(self, seconds=10):
        return self.near.reaches(self.far.address(self.family), seconds)

    def nothing_passes_yet(self):
        """Nobody answers at the other end: no ping passes, and none leaves in the clear."""
        assert xfrm_policies(self.a), "no policy on a: nothing is protected"
        assert self.ping(2, patience=1) == 0
        self.nothing_was_clear()

    def is_encrypted(self):
        """Pings pass, as ESP; the SAs are the expected ones; nothing was clear."""
        if self.two.kind != "iked":
            # OpenIKED answers IKE_AUTH before its kernel has the SAs ("pfkey_sa_add:
            # update" follows "send IKE_AUTH res"): its first packets may be lost.
            self.reaches()
        before = self.net.esp_packets()
        assert self.ping(3) == 3
        assert self.net.esp_packets() - before >= 6
        assert len(self.capture.lines("esp or ip6 proto 50")) >= 6
        expect_pair(self.a, self.b, self.mode, self.family)
        self.nothing_was_clear()

    def nothing_was_clear(self):
        # OpenIKED's policies, too, come after its answer ("send IKE_AUTH res"), and
        # Libreswan's outbound one up to half a second after our answer has come ("initiator
        # established Child SA"): to what we sent with the new SA at once their kernels may
        # answer in the clear. Ours does not.
        whose = "a" if self.two.kind in ("openiked", "libreswan") else None
        assert self.net.clear_packets(whose) == 0, self.net.clear_lines()

    def goes_down(self, daemon):
        """One end takes it down; both kernels forget the SAs, and still nothing is clear."""
        old = spis(self.a)
        daemon.down()
        # Others may follow at once: the kernel still holds the pings of
        # nothing_passes_yet() and tries them again for up to a minute, which asks for
        # an SA where traffic may ask.
        wait_until(lambda: not old & (spis(self.a) | spis(self.b)), 10, "the SAs to go")
        self.ping(2, patience=1)
        self.nothing_was_clear()


def at_once(*actions):
    """Runs all actions at the same moment; returns their results in order."""
    results = [None] * len(actions)
    gate = threading.Barrier(len(actions))

    def act(index):
        gate.wait()
        results[index] = actions[index]()
    threads = [threading.Thread(target=act, args=(i,)) for i in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def settles(pair, seconds=10):
    """Waits until both ends hold exactly the one pair of SAs."""
    last = [None]

    def check():
        try:
            expect_pair(pair.a, pair.b, pair.mode, pair.family)
            return True
        except AssertionError as trouble:
            last[0] = trouble
            return False
    try:
        wait_until(check, seconds, "one pair of SAs")
    except AssertionError:
        raise last[0] from None
