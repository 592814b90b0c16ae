# MOBIKE (RFC 4555): the initiator's address changes under traffic. The SAs go with
# it in both kernels, with the SPIs that they had, and hardly a packet is lost: at
# once where the old address is gone first, before where the new one is there in time.
from dataclasses import replace

import pytest

from lab import PATIENCE, live_states, wait_until, xfrm_policies
from scenario import Pair, at_once, settles, spis

pytestmark = pytest.mark.long

NEW = "192.0.2.101"
OTHER = "192.0.2.102"
PINGS = 1000  # at 100 a second
CUT_S = 30


class Mobile(Pair):
    """A pair of gateways of which the first, the initiator, has an address for now."""

    def __init__(self, scenario, initiator, responder):
        self.initiator, self.responder = initiator, responder
        subject = "a" if initiator == "iked" else "b"
        super().__init__(scenario, "tunnel", 4, responder if subject == "a" else initiator)
        if subject == "b":  # Pair puts the subject on a: here it is the one that stays
            scenario.daemons.clear()
            self.one, self.two = scenario.daemon(initiator, self.a), scenario.daemon("iked", self.b)
        self.conn = replace(self.conn, local_id="a.example.net", remote_id="b.example.net", mobike=True,
                            start="never")
        # While its address goes, a gateway forwards what still comes there, and says in the clear that
        # it cannot: ICMP about a packet that was not clear.
        self.a.run("nft", "-f", "-", stdin="add table ip mute\nadd chain ip mute out { type filter hook "
                   "output priority 0; }\nadd rule ip mute out icmp type destination-unreachable drop\n")
        # Deleting the first address of a network would take the others with it.
        self.a.run("sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=1")

    def start(self):
        self.one.configure(replace(self.conn, local="any"))
        self.two.configure(self.conn.other_end())
        self.two.start()
        self.one.start()
        self.one.up()
        self.reaches()

    def moves(self, *steps):
        self.a.run("ip", "-batch", "-", stdin="".join(step + "\n" for step in steps))
        self.a.v4 = NEW

    def lost_while(self, move):
        """How many of PINGS are lost that run while the host moves."""
        def moving():
            wait_until(lambda: self.net.espinudp_packets("a") + self.net.esp_packets("a") > started + 200, 30,
                       "pings to run")
            move()
        started = self.net.espinudp_packets("a") + self.net.esp_packets("a")
        return PINGS - at_once(lambda: self.ping(PINGS, interval=0.01), moving)[0]

    def has_moved(self, before):
        settles(self)  # both ends, by the new address
        assert {spi for spi in spis(self.a)} == before, "the SAs were to be kept"
        for host in (self.a, self.b):
            ends = {end for policy in xfrm_policies(host) for tmpl in policy["templates"]
                    for end in (tmpl["src"], tmpl["dst"])}
            assert "192.0.2.1" not in ends, f"{host.name} has policies between {ends}"
        self.nothing_was_clear()

    def suddenly(self):
        self.moves(f"address add {NEW}/24 dev eth0", "address del 192.0.2.1/24 dev eth0")

    def in_time(self):
        self.moves(f"address add {NEW}/24 dev eth0", f"route replace 192.0.2.0/24 dev eth0 src {NEW}")
        wait_until(lambda: {state["src"] for state in live_states(self.b)} == {NEW, self.b.v4}, 10,
                   "the other end to follow")
        self.moves("address del 192.0.2.1/24 dev eth0")


@pytest.mark.iked_only
@pytest.mark.parametrize("responder", ["iked", "strongswan"])
def test_the_initiator_moves_in_time(lab_scenario, responder):
    pair = Mobile(lab_scenario, "iked", responder)
    pair.start()
    before = spis(pair.a)
    lost = pair.lost_while(pair.in_time)
    pair.has_moved(before)
    assert lost < 5, f"{lost} pings lost"
    pair.goes_down(pair.one)


@pytest.mark.iked_only
@pytest.mark.parametrize("responder", ["iked", "strongswan"])
def test_the_initiators_address_goes(lab_scenario, responder):
    pair = Mobile(lab_scenario, "iked", responder)
    pair.start()
    before = spis(pair.a)
    lost = pair.lost_while(pair.suddenly)
    pair.has_moved(before)
    print(f"{lost} pings lost")
    assert lost < 5 * PATIENCE, f"{lost} pings lost"
    pair.goes_down(pair.two)


# How soon strongSwan notices that it has moved is its own affair.
@pytest.mark.iked_only
def test_a_strongswan_moves(lab_scenario):
    pair = Mobile(lab_scenario, "strongswan", "iked")
    pair.start()
    before = spis(pair.a)
    pair.suddenly()
    pair.reaches(seconds=30)
    pair.has_moved(before)
    pair.one.down()  # whose policies go with it: nothing is said of pings after that
    wait_until(lambda: not spis(pair.b), 10, "the SAs to go")


# RFC 4555 section 3.10: strongSwan has named further addresses, one of them inside the tunnel. None
# answers while the wire is cut, so nothing moves, and pings pass as soon as the wire does. Which of
# those outside is the first to answer then, and so has the SA, is left to the wire.
@pytest.mark.iked_only
@pytest.mark.parametrize("responder", ["iked", "strongswan"])
def test_a_wire_that_is_cut(lab_scenario, responder):
    pair = Mobile(lab_scenario, "iked", responder)
    pair.b.run("ip", "address", "add", OTHER + "/24", "dev", "eth0")
    pair.start()
    before = spis(pair.a)
    pair.net.cut()
    assert pair.ping(CUT_S, interval=1, patience=1) == 0
    assert pair.one.counter("moves") == 0
    pair.net.mend()
    pair.reaches(seconds=3)
    assert spis(pair.a) == spis(pair.b) == before, "the SAs were to be kept"
    assert {state["dst"] for state in live_states(pair.a)} <= {"192.0.2.1", "192.0.2.2", OTHER}
    assert pair.one.counter("peers_dead") == 0
    pair.nothing_was_clear()
    pair.goes_down(pair.one)
