# Messages larger than the path carries, where IP fragments do not pass: only IKE's
# own fragmentation (RFC 7383) brings them over. With iked at both ends, and with
# strongSwan and Libreswan in both roles.
import itertools
from dataclasses import replace

import pytest

from lab import PATIENCE, REPO, wait_until
from peers import PSK
from scenario import Pair

AEADS = ([f"aes{bits}{mode}{icv}" for mode in ("gcm", "ccm") for icv in (16, 12, 8) for bits in (256, 128, 192)] +
         ["chacha20poly1305"])
# Eight proposals of twelve ciphers, and names that fill a DNS name: about 2 KB.
ESP = ",".join("-".join((AEADS + AEADS)[first:first + 12]) for first in range(8))
NEAR, FAR = (".".join([side * 60] * 3) + ".example" for side in "ab")

FRAGMENT = {4: "udp and ip[6:2] & 0x3fff = 0 and udp[24] = 53", 6: "ip6 proto 17 and ip6[64] = 53"}
LARGER = {4: "ip[2:2] > 1280", 6: "ip6[4:2] > 1240"}


def narrow_pair(scenario, peer, mode="transport", family=4, **conn):
    pair = Pair(scenario, mode, family, peer, local_id=NEAR, remote_id=FAR, **conn)
    pair.net.narrow(1280)
    return pair


def came_in_fragments(pair, least):
    """As many fragments or more, none of them too large, and IP had nothing to cut."""
    assert len(pair.capture.lines(FRAGMENT[pair.family])) >= least
    assert not pair.capture.lines(LARGER[pair.family])
    assert pair.net.ip_fragments() == 0


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("peer", ["iked", "strongswan", "libreswan"])
def test_iked_initiates(lab_scenario, peer, family):
    pair = narrow_pair(lab_scenario, peer, family=family, esp=ESP)
    pair.configure(esp=ESP if peer == "iked" else "")
    pair.two.start()
    pair.one.start()
    pair.one.up()
    pair.is_encrypted()
    came_in_fragments(pair, 2)
    pair.goes_down(pair.one)


# Libreswan cuts at 576 octets over IPv4: there its own proposals are enough.
@pytest.mark.parametrize("peer,family", [("strongswan", 4), ("strongswan", 6), ("libreswan", 4)])
def test_iked_responds(lab_scenario, peer, family):
    pair = narrow_pair(lab_scenario, peer, family=family, start="never")
    pair.configure(esp=ESP if peer == "strongswan" else "")
    pair.two.start()
    pair.one.start()
    pair.two.up()
    pair.is_encrypted()
    came_in_fragments(pair, 2)
    pair.goes_down(pair.two)


def test_an_auth_of_6_kb(lab_scenario):
    """strongSwan offers 150 networks of IPv6, of which iked takes one."""
    pair = narrow_pair(lab_scenario, "strongswan", "tunnel", 6, start="never")
    pair.one.configure(pair.conn)
    networks = pair.conn.remote_ts + tuple(f"2001:db8:f{n:03}::/64" for n in range(150))
    pair.two.configure(replace(pair.conn.other_end(start="never"), local_ts=networks))
    pair.two.start()
    pair.one.start()
    pair.two.up()
    pair.is_encrypted()
    came_in_fragments(pair, 5)
    assert pair.one.counter("messages_reassembled") == 1
    pair.goes_down(pair.two)


@pytest.mark.iked_only
def test_without_fragmentation_it_does_not_pass(lab_scenario):
    """What this file stands on: the same message as one is cut by IP, and lost."""
    pair = narrow_pair(lab_scenario, "iked", esp=ESP, fragments=False)
    pair.configure()
    pair.two.start()
    pair.one.start()
    pair.ping(1, patience=1)
    wait_until(lambda: pair.net.ip_fragments() >= 4, 20, "IP fragments")
    assert pair.two.counter("established") == 0
    pair.nothing_was_clear()


@pytest.mark.iked_only
def test_every_order_of_four_with_a_duplicate(lab_scenario):
    pair = narrow_pair(lab_scenario, "iked", esp=ESP, fragment_size=620, start="never")
    pair.configure()
    pair.net.wire.run("nft", "-f", "-", stdin=(
        'add chain netdev wire reorder { type filter hook ingress device "pa" priority -5; policy accept; }\n'
        "add rule netdev wire reorder udp dport 500 @th,192,8 53 drop\n"))
    log = pair.net.folder / "reorder.log"
    pair.net.wire.spawn("/usr/bin/python3", "-B", REPO / "test/lab/reorder.py", "pa", "pb", log=log)
    wait_until(lambda: "listening" in log.read_text(), 20, "the wire to disturb")
    pair.two.start()
    pair.one.start()
    for _ in range(24):
        pair.one.up()
        pair.one.down()
    sent = [tuple(map(int, line.split()[1:])) for line in log.read_text().splitlines()[1:]]
    assert all(len(order) == 5 and set(order) == {1, 2, 3, 4} for order in sent), sent
    firsts = {tuple(dict.fromkeys(order)) for order in sent}
    assert firsts == set(itertools.permutations((1, 2, 3, 4)))
    assert pair.two.counter("messages_reassembled") == 24
    assert pair.two.counter("established") == 24


# A peer out of test/scenario pads IKE_AUTH to 6 KB: with pre-shared keys nobody else has so much to
# say. It ends once its host has come up.
PADDED = """scenario 6 KB
host a
    connections: {{ lab: {{ local = "192.0.2.1"; remote = "192.0.2.2"; }}; }};
host b
    connections: {{ lab: {{ local = "192.0.2.2"; remote = "192.0.2.1"; }}; }};
secret "{secret}"
start {host}
outside {host}
edit {host} IKE_AUTH: pad 6000
{act}
listen 60s {host} ike-established
expect sent {host} IKE_AUTH SKF 6/6
"""


def padded_peer(pair, host, act=""):
    script = pair.net.folder / "padded.scn"
    script.write_text(PADDED.format(secret=PSK, host=host, act=act))
    return pair.net[host].spawn(REPO / "build/test/scenario", "--verbose", script, log=script.with_suffix(".log"))


@pytest.mark.iked_only
def test_a_request_of_6_kb(lab_scenario):
    pair = Pair(lab_scenario, "transport", 4, start="never")
    pair.net.narrow(1280)
    pair.one.configure(pair.conn)
    pair.one.start()
    assert padded_peer(pair, "b", "up b lab").wait(60 * PATIENCE) == 0
    came_in_fragments(pair, 6)
    assert pair.one.counter("messages_reassembled") == 1
    assert pair.one.counter("established") == 1


@pytest.mark.iked_only
def test_a_response_of_6_kb(lab_scenario):
    pair = Pair(lab_scenario, "transport", 4, start="never")
    pair.net.narrow(1280)
    pair.one.configure(pair.conn)
    pair.one.start()
    peer = padded_peer(pair, "b")
    pair.one.up()
    assert peer.wait(60 * PATIENCE) == 0
    came_in_fragments(pair, 6)
    assert pair.one.counter("messages_reassembled") == 1
