# A flood of spoofed first messages while an honest peer comes again and again.
# LAB_FLOOD_RATE and LAB_FLOOD_SECONDS say how many a second and for how long. An
# emulated processor is busy with fewer; ten thousand a second for half a minute, on a
# true one, are part of the bench. What was measured stands in flood.txt beside the logs.
import os
import re

import pytest

from lab import REPO, wait_until
from peers import conn_between

pytestmark = [pytest.mark.iked_only, pytest.mark.long]

FLOOD = REPO / "build/test/bench/flood"
RATE = int(os.environ.get("LAB_FLOOD_RATE", "1500" if os.environ.get("LAB_IN_VM") else "10000"))
SECONDS = int(os.environ.get("LAB_FLOOD_SECONDS", "8"))
NOBODY = "198.18.0.0/15"    # where the flood says that it comes from
HALF_OPEN_MAX = 100 + 20    # iked's default threshold of cookies, and those who return them
GROWTH_KB = 512


def private_kb(pids):
    """Memory that is these processes' alone."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            total += sum(int(n) for n in re.findall(r"^Private_Dirty: +(\d+)", f.read(), re.M))
    return total


def queues(host, port=500):
    """What each IPv4 socket of a port has lost, in the order in which they were opened."""
    rows = [line.split() for line in host.run("cat", "/proc/net/udp").stdout.splitlines()[1:]]
    return [int(row[12]) for row in sorted(rows, key=lambda row: int(row[9]))
            if int(row[1].split(":")[1], 16) == port]


@pytest.fixture
def net(lab_scenario):
    """a answers whoever has the key, b has it, and behind c nobody is."""
    net = lab_scenario.network(names=("a", "b", "c"))
    net["a"].run("ip", "route", "add", NOBODY, "via", net["c"].v4)
    net["c"].run("ip", "route", "add", "blackhole", NOBODY)
    return net


def begin(lab_scenario, net):
    responder, honest = lab_scenario.daemon("iked", net["a"]), lab_scenario.daemon("iked", net["b"])
    conn = conn_between(net["b"], net["a"], start="never")
    honest.configure(conn)
    responder.configure(conn.other_end())
    path = responder.folder / "iked.conf"
    path.write_text(path.read_text().replace(f'remote = "{net["b"].v4}"', 'remote = "any"'))
    responder.start()
    honest.start()
    return responder, honest


def test_honest_peers_come_through_a_flood(lab_scenario, net):
    responder, honest = begin(lab_scenario, net)
    honest.up()
    honest.down()
    pids = responder.pids()
    flood = net["c"].spawn(FLOOD, "--remote", net["a"].v4, "--rate", RATE, "--seconds", SECONDS,
                           log=net.folder / "flood.txt")
    wait_until(lambda: responder.show("counters")["cookies_sent"], 10, "the flood")
    seen, memory = [responder.show("counters")], [private_kb(pids)]
    while flood.poll() is None:
        honest.up()
        honest.down()
        seen.append(responder.show("counters"))
        memory.append(private_kb(pids))
    assert flood.wait() == 0, (net.folder / "flood.txt").read_text()
    with open(net.folder / "flood.txt", "a") as out:
        print(f"honest {len(seen) - 1} handshakes", f"half_open {max(c['half_open_now'] for c in seen)} SAs",
              f"private {memory} KB", seen[-1], sep="\n", file=out)
    assert seen[-1]["cookies_right"] > 0 and seen[-1]["cookie_alarms"] == 1, seen[-1]
    assert max(c["half_open_now"] for c in seen) <= HALF_OPEN_MAX
    assert max(memory) - memory[0] < GROWTH_KB, memory
    assert responder.pids() == pids


def test_known_peers_have_a_queue_of_their_own(lab_scenario, net):
    """More than any processor refuses: strangers' messages are lost, those of known peers never."""
    responder, honest = begin(lab_scenario, net)
    honest.up()
    flood = net["c"].spawn(FLOOD, "--remote", net["a"].v4, "--rate", 1000000, "--seconds", 6,
                           log=net.folder / "flood.txt")
    wait_until(lambda: queues(net["a"])[1], 20, "a queue that overflows")
    honest.ctl("rekey", "lab")
    assert flood.wait() == 0, (net.folder / "flood.txt").read_text()
    known, strangers = queues(net["a"])
    assert strangers > 0 and known == 0, (known, strangers)
    assert len(honest.sas()) == 1
