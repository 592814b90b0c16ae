# Traffic whose first packet starts the negotiation, and leaves its checksum to the device: the
# packet is held until the SA is there, and its socket keeps the route of that moment. What
# follows must take the way of the SA, or SCTP's packets have no valid checksum (CRC32c) for ever
# (iked/keeper/renew.h). A veth takes the checksums of all three protocols, and is asked to.
import re

import pytest

from lab import wait_until
from scenario import SHAPES, Pair

PORT = 5000
ENDS = """
import socket, struct, sys
protocol, at = int(sys.argv[1]), sys.argv[2]
family = socket.AF_INET6 if ":" in at else socket.AF_INET
kind = socket.SOCK_DGRAM if protocol == 17 else socket.SOCK_STREAM
s = socket.socket(family, kind, protocol)
"""
SERVER = ENDS + f"""
s.bind((at, {PORT}))
if protocol != 17:
    s.listen(4)
print("ready", flush=True)
while True:
    if protocol == 17:
        s.sendto(*s.recvfrom(100))
        continue
    c = s.accept()[0]
    while text := c.recv(100):
        c.sendall(text)
"""
# SCTP gives up after the first packet and two repeats, three seconds apart.
CLIENT = ENDS + f"""
s.bind((at, 0))
if protocol == 132:
    s.setsockopt(132, 2, struct.pack("4H", 10, 10, 2, 3000))
s.connect((sys.argv[3], {PORT}))
for _ in range(3):
    s.sendall(b"hello")
    assert s.recv(100) == b"hello"
if protocol != 132:
    print("mtu", s.getsockopt(41, 24) if family == socket.AF_INET6 else s.getsockopt(0, 14))
"""
PROTOCOLS = {"sctp": 132, "tcp": 6, "udp": 17}


def checksum_errors(host):
    return int(re.search(r"SctpChecksumErrors\s+(\d+)", host.run("cat", "/proc/net/sctp/snmp").stdout)[1])


class Talk:
    """A server on one host, and clients on another."""

    def __init__(self, pair, protocol, near, far, ends):
        self.near, self.far = near, far
        self.protocol, self.ends = PROTOCOLS[protocol], ends
        log = pair.net.folder / f"server-{protocol}"
        far.spawn("python3", "-c", SERVER, self.protocol, ends[1], log=log)
        wait_until(lambda: "ready" in log.read_text(), 10, "the server")

    def once(self):
        """Sends and receives; returns the MTU of the client's route (not of SCTP)."""
        said = self.near.run("python3", "-c", CLIENT, self.protocol, *self.ends, timeout=20).stdout
        return int(said.split()[1]) if said else None


def machines(pair):
    return pair.near, pair.far, (pair.near.address(pair.family), pair.far.address(pair.family))


def gateways(pair):
    """The hosts themselves, by addresses that are protected: in tunnels those towards their LANs."""
    if pair.mode == "transport":
        return machines(pair)
    return pair.a, pair.b, tuple(end[:-1] + "1" for end in machines(pair)[2])


def waiting(lab_scenario, mode, family):
    pair = Pair(lab_scenario, mode, family)
    pair.configure(other_start="traffic")
    pair.one.start()
    pair.two.start()
    return pair


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("mode,family", SHAPES)
def test_first_packet(lab_scenario, mode, family, protocol):
    pair = waiting(lab_scenario, mode, family)
    near, far, ends = gateways(pair)
    talk = Talk(pair, protocol, near, far, ends)
    mtu = talk.once()
    assert mtu is None or mtu < 1500, "the socket keeps the route that it had while there was no SA"
    # The one that was held.
    assert checksum_errors(far) <= 1
    talk.once()
    assert checksum_errors(far) <= 1
    pair.nothing_was_clear()


# The kernel never gives a valid checksum to SCTP that it forwards; iked(8) says what helps.
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_of_machines_behind(lab_scenario, protocol):
    pair = waiting(lab_scenario, "tunnel", 4)
    near, far, ends = machines(pair)
    if protocol == "sctp":
        for host in (pair.a, pair.b):
            host.run("tc", "qdisc", "add", "dev", "eth1", "clsact")
            host.run("tc", "filter", "add", "dev", "eth1", "ingress", "matchall", "action", "csum", "sctp")
    talk = Talk(pair, protocol, near, far, ends)
    talk.once()
    assert checksum_errors(far) == 0
    talk.once()
    pair.nothing_was_clear()


TALKER = ENDS + f"""
import time
s.connect((at, {PORT}))
for i in range(60):
    s.sendall(b"x")
    assert s.recv(1) == b"x"
    print(i, flush=True)
    time.sleep(0.1)
"""


# What is only preferred to be protected passes in the clear until there is an SA, and then no more.
def test_begun_in_the_clear(lab_scenario):
    pair = Pair(lab_scenario, "transport", 4, policy="prefer", start="never")
    pair.configure()
    pair.one.start()
    pair.two.start()
    Talk(pair, "tcp", pair.a, pair.b, (pair.a.v4, pair.b.v4))
    log = pair.net.folder / "talker"
    talker = pair.a.spawn("python3", "-c", TALKER, 6, pair.b.v4, log=log)
    wait_until(lambda: "3" in log.read_text().split(), 10, "a talk in the clear")
    assert pair.net.clear_packets() > 0
    pair.one.up()
    # What was under way is not meant.
    pair.ping(2)
    pair.net.forget_clear()
    seen = len(log.read_text().split())
    wait_until(lambda: len(log.read_text().split()) > seen + 10, 10, "more of it")
    pair.nothing_was_clear()
    assert pair.net.esp_packets() >= 20
    talker.kill()
    talker.wait()
