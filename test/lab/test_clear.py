# What is configured to be protected never leaves in the clear, whoever does what: a peer that
# has not come yet, is gone or says so, reloads, stops, restarts, faults at the start, tables
# that somebody else empties, an overlap, a boot. nftables counts on the wire.
import re
import signal
from dataclasses import replace

import pytest

from lab import PATIENCE, live_states, wait_until, xfrm_policies
from peers import Conn
from scenario import Pair, settles, spis

pytestmark = pytest.mark.iked_only


class Answerer(Pair):
    """b answers to any peer and protects its LAN towards a's; a knows b."""

    def __init__(self, scenario, **more):
        super().__init__(scenario, "tunnel", 4, **more)
        self.answers = replace(self.conn.other_end(start="never"), remote="any", remote_id=self.a.v4)

    def configure(self, **changes):
        self.one.configure(self.conn)
        self.two.configure(replace(self.answers, **changes))

    def is_closed(self, when):
        """b and the machine behind it send to a's LAN, unanswered; nothing of it is clear."""
        self.b.ping(self.near.v4, source=self.far.v4[:-1] + "1", count=2, patience=1)
        self.far.ping(self.near.v4, count=2, patience=1)
        assert self.net.clear_packets("b") == 0, (when, self.net.clear_lines())

    def is_open(self):
        assert self.far.reaches(self.near.v4)
        assert self.far.ping(self.near.v4) == 3
        self.nothing_was_clear()


def test_for_any_peer(lab_scenario):
    pair = Answerer(lab_scenario, start="never")
    pair.two.tries, pair.two.retransmit = 2, "1s"
    pair.configure(liveness=2)
    pair.two.start()
    pair.is_closed("before a peer comes")
    pair.one.start()
    pair.one.up()
    pair.is_open()
    pair.one.down()
    wait_until(lambda: not live_states(pair.b), 10, "the SAs to go")
    pair.is_closed("after its Delete")
    pair.one.up()
    pair.is_open()
    pair.configure(liveness=2, ike_seconds=7200)
    pair.two.reload()
    pair.is_closed("after a reload that changes a lifetime") if not live_states(pair.b) else pair.is_open()
    pair.one.down(check=False)
    pair.one.up()
    pair.is_open()
    pair.one.dies()
    pair.two.wait_log("the peer is dead", 30)
    wait_until(lambda: not live_states(pair.b), 10, "the SAs to go")
    pair.is_closed("after it was given up")
    pair.two.stop()
    assert not live_states(pair.b)
    pair.is_closed("after iked stopped")


TALKER = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], 7000), 60)
for i in range(int(sys.argv[2])):
    s.sendall(b"x")
    assert s.recv(1)
    print(i, flush=True)
    time.sleep(0.1)
"""
ECHO = """
import socket
s = socket.create_server(("", 7000))
print("ready", flush=True)
c = s.accept()[0]
while x := c.recv(1):
    c.sendall(x)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_restart_under_tcp(lab_scenario, how):
    # The one that is restarted cannot start. When it says goodbye, who speaks is behind it.
    pair = Answerer(lab_scenario, start="immediate")
    pair.configure()
    pair.two.start()
    pair.one.start()
    pair.one.up()
    logs = [pair.net.folder / name for name in ("echo", "talk")]
    speaker, listener = (pair.far, pair.near) if how == signal.SIGTERM else (pair.near, pair.far)
    listener.spawn("python3", "-c", ECHO, log=logs[0])
    wait_until(lambda: "ready" in logs[0].read_text(), 10, "the server")
    talk = speaker.spawn("python3", "-c", TALKER, listener.v4, 60, log=logs[1])
    wait_until(lambda: "3" in logs[1].read_text().split(), 10, "the session")
    if how == signal.SIGKILL:
        pair.two.is_killed()
    else:
        pair.two.stop()
    # Long enough for segments to be sent again.
    assert pair.far.ping(pair.near.v4, count=1, patience=1) == (how == signal.SIGKILL)
    pair.two.start()
    assert talk.wait(30 * PATIENCE) == 0, logs[1].read_text()
    pair.nothing_was_clear()


# ---- faults at the start ----------------------------------------------------

def fails_to_start(pair):
    with pytest.raises(AssertionError, match="ended at once"):
        pair.one.start()
    assert not pair.one.alive()


def stays_closed(pair):
    assert pair.ping(2, patience=1) == 0
    pair.a.run("timeout", "1", "bash", "-c", f"echo x >/dev/udp/{pair.b.v4}/9", check=False)
    assert pair.net.clear_packets("a") == 0, (pair.one.log(), pair.net.clear_lines())


# Before: it has never run, it has run, the machine was started anew since.
@pytest.mark.parametrize("before", ["first", "again", "reboot"])
def test_faulty_file_at_the_start(lab_scenario, before):
    pair = Pair(lab_scenario, "transport", 4)
    pair.configure()
    if before != "first":
        pair.one.start()
        pair.one.stop()
    if before == "reboot":
        pair.a.forgets()
    path = pair.one.folder / "iked.conf"
    path.write_text(path.read_text().replace("connections: {", 'connections: {\n  x: { local = "192.0.2.1"; '
                                             'remotte = "192.0.2.77"; };', 1))
    fails_to_start(pair)
    assert "remotte" in pair.one.log()
    stays_closed(pair)


def test_port_taken_at_the_start(lab_scenario):
    pair = Pair(lab_scenario, "transport", 4)
    pair.configure()
    log = pair.net.folder / "taker"
    taker = pair.a.spawn("python3", "-c", "import socket, time\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
                         "s.bind(('', 500))\nprint('ready', flush=True)\ntime.sleep(600)", log=log)
    wait_until(lambda: "ready" in log.read_text(), 10, "the port's taker")
    fails_to_start(pair)
    stays_closed(pair)
    taker.kill()
    taker.wait()
    pair.two.configure(pair.conn.other_end())
    pair.two.start()
    pair.one.start()
    pair.one.up()
    pair.is_encrypted()


def test_boot(lab_scenario):
    """iked is there before the address is, and the policies before any packet."""
    pair = Pair(lab_scenario, "transport", 4)
    pair.configure(other_start="traffic")
    pair.a.run("ip", "address", "flush", "dev", "eth0")
    pair.one.start()
    assert xfrm_policies(pair.a), "no policy before the address is there"
    pair.a.run("ip", "address", "add", f"{pair.a.v4}/24", "dev", "eth0")
    assert pair.ping(2, patience=1) == 0
    pair.nothing_was_clear()
    pair.two.start()
    pair.reaches()
    pair.is_encrypted()


# ---- what is taken away under it ---------------------------------------------

def established(lab_scenario, **more):
    pair = Pair(lab_scenario, "transport", 4, **more)
    pair.configure(other_start="traffic")
    pair.two.start()
    pair.one.start()
    pair.one.up()
    assert pair.ping(1) == 1
    return pair


def test_empty_file_at_a_reload(lab_scenario):
    pair = established(lab_scenario)
    before, policies = spis(pair.a), xfrm_policies(pair.a)
    path = pair.one.folder / "iked.conf"
    path.write_text("")
    outcome = pair.one.reload(check=False)
    assert outcome.returncode == 1, outcome
    assert outcome.stdout + outcome.stderr, "not a word"
    assert spis(pair.a) == before and xfrm_policies(pair.a) == policies
    pair.is_encrypted()


# What leaves between the flush and its being noticed, nobody can hold back: the kernel has no
# policy then. It is noticed by the kernel's own word, without a clock.
def in_order(policies):
    """The kernel lists what was set last at the end: an SA's coming sets its outbound one anew."""
    return sorted(policies, key=repr)


@pytest.mark.parametrize("up", [False, True], ids=["held", "up"])
def test_policies_are_flushed(lab_scenario, up):
    pair = Pair(lab_scenario, "transport", 4)
    pair.configure(other_start="traffic")
    pair.one.start()
    if up:
        pair.two.start()
        pair.one.up()
    policies = in_order(xfrm_policies(pair.a))
    assert policies
    ping = pair.a.spawn("ping", "-n", "-i", "0.02", "-c", 100, pair.b.v4, log=pair.net.folder / "ping")
    pair.a.run("ip", "xfrm", "policy", "flush")
    wait_until(lambda: in_order(xfrm_policies(pair.a)) == policies, 10, "the policies to come back")
    clear = pair.net.clear_packets("a")
    print(f"{clear} clear packets until the flush was noticed")
    ping.wait(20 * PATIENCE)
    assert pair.net.clear_packets("a") == clear
    assert clear <= 10, "noticed late"
    pair.one.wait_log("policies were removed or changed by somebody else", 5)
    assert pair.ping(3, patience=1) == (3 if up else 0)
    assert pair.net.clear_packets("a") == clear
    if up:
        settles(pair)


@pytest.mark.parametrize("hosts", ["a", "b", "ab"])
def test_states_are_flushed(lab_scenario, hosts):
    pair = established(lab_scenario)
    for name in hosts:
        pair.net[name].run("ip", "xfrm", "state", "flush")
    pair.reaches(10)
    assert pair.ping(3) == 3
    settles(pair)
    for name in hosts:
        assert "SAs were removed by somebody else" in (pair.one if name == "a" else pair.two).log()
    pair.nothing_was_clear()


# ---- whose word goes first -----------------------------------------------------

def test_preferred_within_what_is_required(lab_scenario):
    pair = Pair(lab_scenario, "transport", 4)
    soft = Conn(pair.a.v4, pair.b.v4, name="soft", policy="prefer", local_ts=("udp",), remote_ts=("udp/9",))
    pair.one.configure(pair.conn, soft)
    pair.one.start()
    assert len({policy["priority"] for policy in xfrm_policies(pair.a)}) > 1
    pair.a.run("bash", "-c", f"for i in 1 2 3; do echo x >/dev/udp/{pair.b.v4}/9; done", check=False)
    pair.nothing_was_clear()
    assert re.search("soft", pair.one.ctl("show", "policies").stdout)
