# iked with the other daemons of the Debian that this is (12: strongSwan 5.9.8,
# Libreswan 4.10 and OpenIKED 7.2; 13: 6.0.1, 5.2 and 7.4), in both roles, with
# everybody's default proposals, and some named suites with strongSwan. The
# README's matrix is the list of these tests.
import conftest
import pytest

from scenario import SHAPES, Pair

PEERS = ["strongswan", "libreswan", "openiked"]

SUITES = [("aes256gcm16-prfsha384-ecp384", "aes256gcm16"),
          ("aes128-sha256-modp2048", "aes128-sha256"),
          ("chacha20poly1305-prfsha256-x25519", "chacha20poly1305"),
          ("aes256-sha512-ecp521", "aes256ctr-sha384")]


@pytest.mark.parametrize("mode,family", SHAPES)
@pytest.mark.parametrize("peer", PEERS)
def test_iked_initiates(lab_scenario, peer, mode, family):
    pair = Pair(lab_scenario, mode, family, peer)
    pair.configure()
    # The peer is up but hears nothing at first. It could also come later; but then
    # OpenIKED finds several IKE_SA_INIT in its socket at once (see Pair).
    pair.b.deaf()
    pair.two.start()
    pair.one.start()
    pair.nothing_passes_yet()
    pair.b.hears()
    pair.one.up()
    pair.is_encrypted()
    pair.goes_down(pair.one)


@pytest.mark.parametrize("mode,family", SHAPES)
@pytest.mark.parametrize("peer", PEERS)
def test_iked_responds(lab_scenario, peer, mode, family):
    # "never": it is the peer who starts; until then iked only protects (with
    # strongSwan in its place, it takes a trap to protect).
    start = "never" if conftest.SUBJECT == "iked" else "traffic"
    pair = Pair(lab_scenario, mode, family, peer, start=start)
    pair.configure()
    pair.two.start()
    pair.one.start()
    if conftest.SUBJECT == "iked":
        pair.nothing_passes_yet()
    pair.two.up()
    pair.is_encrypted()
    pair.goes_down(pair.two)


@pytest.mark.parametrize("ike,esp", SUITES, ids=[suite[0] for suite in SUITES])
def test_suites(lab_scenario, ike, esp):
    pair = Pair(lab_scenario, "transport", 4, "strongswan", ike=ike, esp=esp)
    pair.configure()
    pair.two.start()
    pair.one.start()
    pair.one.up()
    pair.is_encrypted()
