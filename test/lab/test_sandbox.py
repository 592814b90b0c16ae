# What the process that speaks with strangers could do if it fell: no capability,
# no file, no netlink, no root to look at, a seccomp filter, another user. And the
# keeper beside it has only the capabilities that it needs.
import os
import re

import pytest

from peers.iked import status_of
from scenario import Pair

pytestmark = [pytest.mark.iked_only, pytest.mark.core]

# SAs and policies, port 500; and what it takes to start a new negotiator as
# another user in an empty root, and to end one.
CAP = {"NET_ADMIN": 12, "NET_BIND_SERVICE": 10, "SETUID": 7, "SETGID": 6, "SYS_CHROOT": 18, "KILL": 5}


@pytest.fixture
def iked(lab_scenario):
    pair = Pair(lab_scenario, "transport", 4)
    pair.configure(other_start="traffic")
    pair.one.start()
    pair.two.start()
    pair.one.up()
    return pair.one


def sockets_by_inode(pid):
    """What kind each socket of the process's network namespace is."""
    kinds = {}
    for table in ("unix", "udp", "udp6", "tcp", "tcp6", "raw", "raw6", "netlink", "packet", "icmp", "icmp6"):
        try:
            with open(f"/proc/{pid}/net/{table}") as f:
                lines = f.read().splitlines()
        except OSError:
            continue
        column = next((i for i, word in enumerate(lines[0].split()) if word.lower() == "inode"), None)
        for line in lines[1:]:
            words = line.split()
            # In the tables of IP sockets two column titles share one field.
            at = 9 if table.startswith(("udp", "tcp", "raw", "icmp")) else column
            if at is not None and at < len(words):
                kinds[words[at]] = table
    return kinds


def descriptors(pid):
    folder = f"/proc/{pid}/fd"
    return {int(fd): os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)}


def test_the_negotiator_is_caged(iked):
    pid = iked.negotiator()
    assert pid, "no process of iked without capabilities"
    status = status_of(pid)
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[field], 16) == 0, f"{field} {status[field]}"
    assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1"
    assert "0" not in status["Uid"].split() and "0" not in status["Gid"].split()
    assert os.listdir(f"/proc/{pid}/root/") == []
    kinds = sockets_by_inode(pid)
    for fd, target in descriptors(pid).items():
        if found := re.fullmatch(r"socket:\[(\d+)\]", target):
            assert kinds.get(found[1]) in ("unix", "udp", "udp6"), f"descriptor {fd} is a {kinds.get(found[1])} socket"
        elif fd <= 2:
            # Its way to say something: here the lab's log.
            assert target in ("/dev/null", str(iked.log_path)) or target.startswith("pipe:"), f"{fd}: {target}"
        else:
            assert re.fullmatch(r"anon_inode:\[(eventpoll|eventfd|timerfd|signalfd)\]|pipe:\[\d+\]|/dev/null", target), \
                f"descriptor {fd} is {target}"


def test_the_keeper_has_little(iked):
    allowed = sum(1 << bit for bit in CAP.values())
    for pid in iked.pids():
        status = status_of(pid)
        extra = int(status["CapEff"], 16) & ~allowed
        assert not extra, f"process {pid} ({status['Name']}) holds capabilities {extra:#x} beyond its needs"
        assert pid == iked.negotiator() or int(status["CapEff"], 16) & 1 << CAP["NET_ADMIN"]


def test_the_control_socket_is_closed_to_others(iked):
    path = iked.socket
    mode = iked.host.run("stat", "-c", "%a", path).stdout.strip()
    assert int(mode, 8) == 0o600, f"{path} has mode {mode}"
    other = iked.host.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                          "/usr/bin/python3", "-c",
                          f"import socket; socket.socket(socket.AF_UNIX).connect('{path}')", check=False)
    assert "Permission" in other.stderr, other
