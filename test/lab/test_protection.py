# Nothing leaves in the clear and traffic does not stop, whatever happens to the
# daemon: nobody at the other end, the negotiator killed, all of iked killed, a
# reload, a wrong secret, a neighbour cache that is emptied under an IPv6 policy.
import os
import re
import signal

import pytest

from lab import PATIENCE, live_states, wait_until, xfrm_policies
from peers import Conn
from scenario import Pair, settles, spis

PINGS = 80
SECRET_TROUBLE = re.compile(r"secret|psk|pre-shared|authentic", re.I)


def established(lab_scenario, mode="transport", family=4, **more):
    pair = Pair(lab_scenario, mode, family, **more)
    pair.configure(other_start="traffic")
    pair.one.start()
    pair.two.start()
    pair.one.up()
    assert pair.ping(1) == 1
    return pair


def longest_gap(text):
    """The most pings in a row that were not answered, and the number of the last that was."""
    answered = [int(n) for n in re.findall(r"bytes from .* icmp_seq=(\d+)", text)]
    return max(later - earlier - 1 for earlier, later in zip([0, *answered], answered)), answered[-1]


@pytest.mark.parametrize("family", [4, 6])
def test_nobody_at_the_other_end(lab_scenario, family):
    pair = Pair(lab_scenario, "transport", family)
    pair.configure()
    pair.one.start()
    pair.nothing_passes_yet()
    target = pair.b.address(family)
    pair.a.run("timeout", "1", "bash", "-c", f"echo x >/dev/udp/{target}/9; echo x >/dev/tcp/{target}/22", check=False)
    pair.nothing_was_clear()


@pytest.mark.core
@pytest.mark.iked_only
def test_negotiator_is_killed(lab_scenario):
    pair = established(lab_scenario)
    policies = xfrm_policies(pair.a)
    victim = pair.one.negotiator()
    assert victim, "no process of iked without capabilities"
    log = pair.net.folder / "ping"
    ping = pair.a.spawn("ping", "-n", "-i", "0.1", "-c", PINGS, pair.b.v4, log=log)
    wait_until(lambda: log.read_text().count("bytes from") > 5, 5, "pings")
    os.kill(victim, signal.SIGKILL)
    assert xfrm_policies(pair.a) == policies, "policies did not stay"
    ping.wait(20 * PATIENCE)
    gap, last = longest_gap(log.read_text())
    assert gap < PINGS // 4, f"{gap} pings in a row had no answer"
    assert last > PINGS - 3, "traffic stopped and did not come back"
    pair.nothing_was_clear()
    wait_until(lambda: pair.one.negotiator() not in (None, victim), 10, "a new negotiator")
    # The new one works: by its own `up`, or because it knows its SAs again.
    pair.one.up()
    settles(pair)
    pair.is_encrypted()


@pytest.mark.iked_only
def test_all_of_iked_is_killed_and_started_again(lab_scenario):
    pair = established(lab_scenario)
    pair.one.is_killed()
    assert xfrm_policies(pair.a), "policies did not stay"
    pair.ping(2, patience=1)
    pair.nothing_was_clear()
    pair.one.start()
    pair.one.up()
    settles(pair)
    pair.is_encrypted()


@pytest.mark.iked_only
def test_wrong_secret(lab_scenario):
    pair = Pair(lab_scenario, "transport", 4)
    pair.configure(other_start="traffic", psk="not what the other end has")
    pair.one.start()
    pair.two.start()
    outcome = pair.one.up(check=False)
    assert outcome.returncode == 1, outcome
    assert SECRET_TROUBLE.search(outcome.stdout + outcome.stderr), outcome
    assert SECRET_TROUBLE.search(pair.one.log()), "the initiator's log does not say why"
    assert SECRET_TROUBLE.search(pair.two.log()), "the responder's log does not say why"
    for host in (pair.a, pair.b):  # the SPI of the child that was refused goes behind the word of it
        wait_until(lambda: not live_states(host), 5, "the SAs to go")
    assert pair.ping(1, patience=1) == 0
    pair.nothing_was_clear()


@pytest.mark.iked_only
def test_reload_keeps_what_did_not_change(lab_scenario):
    pair = established(lab_scenario)
    before = spis(pair.a)
    more = Conn(pair.a.v6, pair.b.v6, name="six")
    pair.one.configure(pair.conn, more)
    pair.two.configure(pair.conn.other_end(), more.other_end())
    told = pair.one.reload("--dry-run").stdout
    assert "six" in told, told
    assert len(xfrm_policies(pair.a)) == len(xfrm_policies(pair.b)), "the dry run did something"
    pair.one.reload()
    pair.two.reload()
    assert spis(pair.a) == before, "reload touched an SA of a connection that did not change"
    pair.one.up("six")
    assert pair.a.ping(pair.b.v6) == 3 and pair.ping(3) == 3
    assert len(live_states(pair.a)) == 4 and before < spis(pair.a)
    # And away again: its SAs go, the others stay.
    pair.one.configure(pair.conn)
    pair.one.reload()
    wait_until(lambda: spis(pair.a) == before, 5, "the SAs of a removed connection to go")
    assert pair.ping(3) == 3
    # "six" is not protected any more on a, so only IPv4 counts from here.
    pair.nothing_was_clear()


@pytest.mark.iked_only
def test_reload_of_a_wrong_file_changes_nothing(lab_scenario):
    pair = established(lab_scenario)
    before, policies = spis(pair.a), xfrm_policies(pair.a)
    path = pair.one.folder / "iked.conf"
    path.write_text(path.read_text().replace("remote =", "remotte =", 1))
    outcome = pair.one.reload(check=False)
    said = outcome.stdout + outcome.stderr
    assert outcome.returncode == 1, outcome
    assert "iked.conf:2" in said and "remotte" in said and "remote" in said.replace("remotte", ""), said
    assert spis(pair.a) == before and xfrm_policies(pair.a) == policies
    assert pair.ping(3) == 3
    pair.nothing_was_clear()


@pytest.mark.iked_only
def test_neighbours_are_forgotten_under_an_ipv6_policy(lab_scenario):
    # Neighbour discovery between the two runs from the very addresses that the
    # policy covers: without an exception it waits for the SA that waits for it.
    pair = Pair(lab_scenario, "transport", 6)
    pair.configure(other_start="traffic")
    pair.one.start()
    pair.two.start()

    def flush():
        for host in (pair.a, pair.b):
            host.run("ip", "-6", "neigh", "flush", "dev", "eth0")
    flush()
    pair.reaches()
    for _ in range(3):
        flush()
        assert pair.ping(2) == 2
    # Entries that go stale are probed by unicast, from and to the protected addresses.
    for host in (pair.a, pair.b):
        host.run("sh", "-ec", "cd /proc/sys/net/ipv6/neigh/eth0; echo 300 >base_reachable_time_ms; "
                 "echo 0 >delay_first_probe_time; echo 100 >retrans_time_ms")
    assert pair.ping(30, interval=0.1) == 30
    pair.is_encrypted()


@pytest.mark.iked_only
def test_terminated_iked_says_goodbye(lab_scenario):
    pair = established(lab_scenario)
    pair.one.stop()
    wait_until(lambda: not live_states(pair.b), 10, "the other end to be told")
