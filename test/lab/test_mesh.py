# Eight hosts that start at once, each towards all others: every pair meets twice,
# and must settle on one IKE SA with one pair of ESP SAs, and stay with it.
import time
from collections import Counter

import pytest

from lab import live_states, wait_until
from peers import Conn
from scenario import at_once, spis

pytestmark = pytest.mark.long

NAMES = "abcdefgh"
OTHERS = len(NAMES) - 1


def starts(host, other, kinds):
    """Two strongSwans would keep both of their IKE SAs, for ever, and one that asks the other before
    that is configured is refused and does not try again: these pairs are begun by hand."""
    return "never" if kinds[host.name] == kinds[other.name] == "strongswan" else "immediate"


def conns_of(host, hosts, kinds):
    return [Conn(host.v4, other.v4, name=f"to-{other.name}", start=starts(host, other, kinds))
            for other in hosts if other is not host]


def begin_foreign(daemons):
    for number, one in enumerate(daemons):
        for other in daemons[number + 1:]:
            one.up(f"to-{other.host.name}")


def pairs(host):
    """How many ESP SAs there are with each address, both ways."""
    return Counter((set((state["src"], state["dst"])) - {host.v4}).pop() for state in live_states(host))


def settled(hosts):
    return all(pairs(host) == {other.v4: 2 for other in hosts if other is not host} for host in hosts)


@pytest.mark.iked_only
@pytest.mark.parametrize("foreign", [0, 4], ids=["iked", "iked-and-strongswan"])
def test_all_start_at_once(lab_scenario, foreign):
    net = lab_scenario.network(names=NAMES)
    hosts = list(net.hosts.values())
    kinds = {name: "strongswan" if place >= len(NAMES) - foreign else "iked" for place, name in enumerate(NAMES)}
    daemons = [lab_scenario.daemon(kinds[host.name], host) for host in hosts]
    for host, daemon in zip(hosts, daemons):
        if daemon.kind == "strongswan":
            daemon.unique = "never"  # which of two SAs stays is iked's to decide
        daemon.configure(*conns_of(host, hosts, kinds))
    # No packet passes until all have begun: else who is up first has its SAs before the others start
    # theirs, and none cross.
    net.wire.run("ip", "link", "set", "br0", "down")
    at_once(*[daemon.start for daemon in daemons])
    net.wire.run("ip", "link", "set", "br0", "up")
    begin_foreign([daemon for daemon in daemons if daemon.kind == "strongswan"])
    try:
        wait_until(lambda: settled(hosts), 40, "all pairs to settle", every=1)
    except AssertionError as trouble:
        raise AssertionError(f"{trouble}: { {host.name: dict(pairs(host)) for host in hosts} } ESP SAs") from None
    # Longer than iked gives a peer to close what a newer IKE SA has replaced: if anything is to flap, it
    # has begun by then.
    before = {host.name: spis(host) for host in hosts}
    time.sleep(15)
    assert before == {host.name: spis(host) for host in hosts}, "SAs come and go"
    for one in hosts:
        for other in hosts:
            assert one is other or one.ping(other.v4, count=1) == 1, f"{one.name} does not reach {other.name}"
    for daemon in daemons:
        if daemon.kind == "iked":
            assert len(daemon.sas()) == OTHERS, daemon.ctl("show", "sas").stdout
            made = daemon.log().count("IKE SA established")
            assert OTHERS <= made <= 2 * OTHERS, f"{made} IKE SAs were made on {daemon.host.name}"
        else:
            assert daemon.sas() == OTHERS, f"IKE SAs on {daemon.host.name}"
    assert net.clear_packets() == 0, net.clear_lines()
