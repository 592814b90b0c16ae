# Eight hosts that start at once, each towards all others: every pair meets twice,
# and must settle on one IKE SA with one pair of ESP SAs, and stay with it.
import time

import pytest

from lab import live_states, wait_until
from peers import Conn
from scenario import at_once, spis

pytestmark = pytest.mark.long

NAMES = "abcdefgh"
OTHERS = len(NAMES) - 1


def conns_of(host, hosts):
    return [Conn(host.v4, other.v4, name=f"to-{other.name}", start="immediate") for other in hosts if other is not host]


def settled(hosts):
    return all(len(live_states(host)) == 2 * OTHERS for host in hosts)


def counts(hosts):
    return {host.name: len(live_states(host)) for host in hosts}


@pytest.mark.iked_only
def test_all_start_at_once(lab_scenario):
    net = lab_scenario.network(names=NAMES)
    hosts = list(net.hosts.values())
    daemons = [lab_scenario.daemon("iked", host) for host in hosts]
    for host, daemon in zip(hosts, daemons):
        daemon.configure(*conns_of(host, hosts))
    at_once(*[daemon.start for daemon in daemons])
    try:
        wait_until(lambda: settled(hosts), 40, "all pairs to settle", every=1)
    except AssertionError as trouble:
        raise AssertionError(f"{trouble}: {counts(hosts)} ESP SAs") from None
    # Longer than iked gives a peer to close what a newer IKE SA has replaced: if anything is to flap, it
    # has begun by then.
    before = {host.name: spis(host) for host in hosts}
    time.sleep(15)
    assert before == {host.name: spis(host) for host in hosts}, "SAs come and go"
    assert sum(len(one) for one in before.values()) == 2 * OTHERS * len(NAMES)
    for one in hosts:
        for other in hosts:
            assert one is other or one.ping(other.v4, count=1) == 1, f"{one.name} does not reach {other.name}"
    for daemon in daemons:
        assert len(daemon.sas()) == OTHERS, daemon.ctl("show", "sas").stdout
        made = daemon.log().count("IKE SA established")
        assert OTHERS <= made <= 2 * OTHERS, f"{made} IKE SAs were made on {daemon.host.name}"
    assert net.clear_packets() == 0, net.clear_lines()
