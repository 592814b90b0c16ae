# IKE SAs without a child (RFC 6023), with strongSwan in both roles.
import pytest

from lab import wait_until
from scenario import Pair


@pytest.mark.parametrize("peer,childless", [("iked", ""), ("strongswan", "force"), ("strongswan", "never"),
                                            ("libreswan", "")])
def test_iked_initiates(lab_scenario, peer, childless):
    """With a peer that wants no child in IKE_AUTH, and with such as do not know of it."""
    pair = Pair(lab_scenario, "transport", 4, peer, childless="prefer")
    pair.configure(childless=childless)
    pair.two.start()
    pair.one.start()
    pair.one.up()
    pair.is_encrypted()
    pair.goes_down(pair.one)


def test_strongswan_initiates(lab_scenario):
    """The IKE SA alone, then a child when one is asked for; what is down takes the other along."""
    pair = Pair(lab_scenario, "transport", 4, "strongswan", start="never")
    pair.configure(childless="force")
    pair.two.start()
    pair.one.start()
    pair.two.up_alone()
    wait_until(lambda: [len(sa["children"]) for sa in pair.one.sas()] == [0], 10, "an IKE SA without a child")
    assert pair.one.show("connections")[0]["state"] == "childless"
    pair.nothing_passes_yet()
    pair.two.up()
    pair.is_encrypted()
    assert len(pair.one.sas()) == 1
    pair.goes_down(pair.two)


def test_traffic_asks_iked_for_a_child(lab_scenario):
    """strongSwan makes the IKE SA, a packet of iked's host the child in it."""
    pair = Pair(lab_scenario, "transport", 4, "strongswan")
    pair.configure(childless="force")
    pair.two.start()
    pair.one.start()
    pair.two.up_alone()
    wait_until(lambda: [len(sa["children"]) for sa in pair.one.sas()] == [0], 10, "an IKE SA without a child")
    assert pair.reaches()
    pair.is_encrypted()
    assert len(pair.one.sas()) == 1
