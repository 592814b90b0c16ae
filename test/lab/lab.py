# The lab's furniture: hosts in network namespaces, the wire between them, what
# is measured on that wire, and what the kernel of a host says of its SAs and
# policies. It knows no IKE daemon (see peers/) and no scenario (see test_*.py).
# Everything is measured on the wire's side, in a namespace of its own: a host's
# own hooks see packets before encryption or after decryption.
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
STORE = Path(os.environ.get("LAB_STORE") or REPO / "build/lab")
RESULTS = Path("/results") if os.environ.get("LAB_IN_VM") else STORE / "out"

# How much longer than on a good machine something may take: the VM's processor
# is a slow one (see vm), and a busy machine below it may have to read a file first.
# Waits are long only when something fails.
PATIENCE = 5 if os.environ.get("LAB_IN_VM") else 2


def wait_until(check, seconds=10, what="", every=0.05):
    """The first true value of check(), or an AssertionError that says what was awaited."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds * PATIENCE} s for {what or check.__name__}")
        time.sleep(every)


LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000


def system_call(name, *arguments):
    if getattr(LIBC, name)(*arguments):
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def mount(kind, target, options="", flags=0):
    system_call("mount", kind.encode(), str(target).encode(), kind.encode(), flags, options.encode())


def bind(source, target):
    system_call("mount", source.encode(), target.encode(), None, MS_BIND, None)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def loopback_up():
    """What `ip link set lo up` does, without a program: SIOCSIFFLAGS with IFF_UP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))


class Host:
    """A machine: its own network, its own /run, the rest of the file system shared.

    Programs are put inside by setns between fork and exec, not by ip or nsenter:
    under emulation each program costs a tenth of a second to start."""

    def __init__(self, name, number, forwards=False):
        self.name = name
        self.number = number
        self.v4 = f"192.0.2.{number}"
        self.v6 = f"2001:db8::{number:x}"
        self.lan4 = f"10.{number}.0.0/24"
        self.lan6 = f"2001:db8:{number:x}::/64"

        def begin():
            system_call("unshare", CLONE_NEWNS | CLONE_NEWNET)
            mount("none", "/", flags=MS_REC | MS_PRIVATE)
            mount("tmpfs", "/run", "mode=755")
            os.mkdir("/run/lock")
            loopback_up()
            write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
            # An end host asks no router; one that asks only litters the captures.
            write("/proc/sys/net/ipv6/conf/default/router_solicitations", "0")
            if forwards:
                write("/proc/sys/net/ipv4/ip_forward", "1")
                # A redirect would be a clear packet, about one that was not.
                for which in ("all", "default"):
                    write(f"/proc/sys/net/ipv4/conf/{which}/send_redirects", "0")
                write("/proc/sys/net/ipv6/conf/all/forwarding", "1")
        self.holder = subprocess.Popen(["sleep", "infinity"], stdin=subprocess.DEVNULL, preexec_fn=begin)
        spaces = f"/proc/{self.holder.pid}/ns/"
        self.netns = os.readlink(spaces + "net")
        self.spaces = [os.open(spaces + kind, os.O_RDONLY | os.O_CLOEXEC) for kind in ("net", "mnt")]

    def address(self, family):
        return self.v4 if family == 4 else self.v6

    def lan(self, family):
        return self.lan4 if family == 4 else self.lan6

    def _enter(self):
        for descriptor in self.spaces:
            system_call("setns", descriptor, 0)

    def inside(self, action):
        """Calls a function in a process of its own inside this host."""
        pid = os.fork()
        if pid == 0:
            try:
                self._enter()
                action()
                os._exit(0)
            except BaseException as trouble:
                print(f"{self.name}: {trouble}", file=sys.stderr, flush=True)
                os._exit(1)
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError(f"{self.name}: {action.__qualname__} failed")

    def run(self, *command, check=True, timeout=30, stdin="", env=None):
        """Runs a command to its end; .stdout holds its output and .stderr its complaints."""
        done = subprocess.run(list(map(str, command)), input=stdin, capture_output=True, text=True,
                              timeout=timeout * PATIENCE, env={**os.environ, **(env or {})},
                              preexec_fn=self._enter)
        if check and done.returncode:
            raise AssertionError(f"{self.name}: {' '.join(map(str, command))}: status {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def spawn(self, *command, log, env=None):
        """Starts a command that goes on."""
        with open(log, "ab") as out:
            return subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                    env={**os.environ, **(env or {})}, start_new_session=True,
                                    preexec_fn=self._enter)

    def exists(self, path):
        """Whether a path is there as this host sees it."""
        return os.path.lexists(f"/proc/{self.holder.pid}/root{path}")

    def ping(self, target, count=3, interval=0.1, patience=10, source=None, size=56):
        """How many of count pings are answered. Who expects that some are not gives less patience:
        it is spent only then, after the last one."""
        done = self.run("ping", "-n", "-q", "-c", count, "-i", interval, "-W", patience, "-s", size,
                        *(["-I", source] if source else []), target, check=False, timeout=60)
        found = re.search(r"(\d+) received", done.stdout)
        return int(found.group(1)) if found else 0

    def reaches(self, target, seconds=10, **more):
        """Pings until an answer comes: traffic that is to start an SA loses its first packets."""
        return wait_until(lambda: self.ping(target, count=1, patience=1, **more), seconds,
                          f"a ping from {self.name} to {target}")

    def overlay(self, root):
        """Lays an unpacked peer's files over /usr and /etc, for this host's processes alone."""
        def lay():
            for part in ("usr", "etc"):
                up, work = f"/run/.over/{part}/up", f"/run/.over/{part}/work"
                os.makedirs(up)
                os.makedirs(work)
                mount("overlay", f"/{part}", f"lowerdir={root}/{part}:/{part},upperdir={up},workdir={work}")
        self.inside(lay)

    def deaf(self):
        """From now on IKE does not reach this host's daemon: it is there and cannot be spoken with."""
        self.run("nft", "-f", "-", stdin="add table inet deaf\nadd chain inet deaf in "
                 "{ type filter hook input priority 0; }\nadd rule inet deaf in udp dport { 500, 4500 } drop\n")

    def hears(self):
        self.run("nft", "delete", "table", "inet", "deaf")

    def forgets(self):
        """Its kernel loses all SAs and policies, as in a reboot."""
        self.run("ip", "xfrm", "state", "flush")
        self.run("ip", "xfrm", "policy", "flush")

    def names(self, **addresses):
        """From now on, on this host, each name (with "_" for ".") means this address; no others do."""
        text = "".join(f"{address} {name.replace('_', '.')}\n" for name, address in addresses.items())

        def lay():
            if not os.path.exists("/run/hosts"):
                write("/run/hosts", "")
                write("/run/nsswitch.conf", "hosts: files\n")
                bind("/run/hosts", "/etc/hosts")
                bind("/run/nsswitch.conf", "/etc/nsswitch.conf")
            write("/run/hosts", text)
        self.inside(lay)

    def processes(self):
        """The ids of all processes in this host's network namespace, its holder apart."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.readlink(f"/proc/{entry}/ns/net") == self.netns:
                    found.append(int(entry))
            except OSError:
                pass
        return [pid for pid in found if pid != self.holder.pid]

    def close(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.holder.kill()
        self.holder.wait()
        for descriptor in self.spaces:
            os.close(descriptor)


# ---- the wire --------------------------------------------------------------

# What may pass between two hosts that protect everything: ESP, IKE, and what is
# below IP (ARP, neighbour discovery). Multicast is not "between the two". A host
# on which no daemon runs yet tells IKE that its port is unreachable: that is IKE
# too, and told by the quoted destination port. A NAT may have changed one port:
# then IKE is told by its version, 2. On port 4500 it is by RFC 3948 a keepalive
# (one octet 0xff), IKE behind four zeros, or ESP, whose SPI is never so small.
WIRE_RULES = """
add counter netdev wire clear_{name}
add counter netdev wire esp_{name}
add counter netdev wire espinudp_{name}
add counter netdev wire keepalive_{name}
add chain netdev wire from_{name} {{ type filter hook ingress device "p{name}" priority 0; policy accept; }}
add rule netdev wire from_{name} ether type != {{ ip, ip6 }} accept
add rule netdev wire from_{name} meta l4proto esp counter name esp_{name} accept
add rule netdev wire from_{name} udp sport 500 udp dport 500 accept
add rule netdev wire from_{name} udp dport 500 udp length > 28 @th,200,8 0x20 accept
add rule netdev wire from_{name} udp sport 500 udp length > 28 @th,200,8 0x20 accept
add chain netdev wire nat_{name}
add rule netdev wire nat_{name} udp length 9 @th,64,8 0xff counter name keepalive_{name} accept
add rule netdev wire nat_{name} udp length > 32 @th,64,32 0 @th,232,8 0x20 accept
add rule netdev wire nat_{name} udp length > 24 @th,64,32 > 255 counter name espinudp_{name} accept
add rule netdev wire from_{name} udp sport 4500 jump nat_{name}
add rule netdev wire from_{name} udp dport 4500 jump nat_{name}
add rule netdev wire from_{name} icmpv6 type 133-136 accept
add rule netdev wire from_{name} icmp type destination-unreachable @th,136,8 17 @th,240,16 {{ 500, 4500 }} accept
add rule netdev wire from_{name} icmpv6 type destination-unreachable @th,112,8 17 @th,400,16 {{ 500, 4500 }} accept
add rule netdev wire from_{name} ip daddr {{ 224.0.0.0/4, 255.255.255.255 }} accept
add rule netdev wire from_{name} ip6 daddr ff00::/8 accept
add rule netdev wire from_{name} counter name clear_{name}
"""

# The same in tcpdump's words, to show what was counted.
CLEAR_FILTER = ("(ip or ip6) and not proto 50 and not ip6 proto 50 and not multicast and not broadcast "
                "and not (udp src port 500 and udp dst port 500) and not (udp port 500 and udp[25] = 0x20) "
                "and not (udp port 4500 and (udp[4:2] = 9 or udp[8:4] > 255 or udp[29] = 0x20)) "
                "and not (ip6 and udp port 4500 and (ip6[44:2] = 9 or ip6[48:4] > 255 or ip6[69] = 0x20)) "
                "and not (icmp[0] = 3 and icmp[17] = 17 and (icmp[30:2] = 500 or icmp[30:2] = 4500)) "
                "and not (icmp6 and ip6[40] = 1 and ip6[54] = 17 and (ip6[90:2] = 500 or ip6[90:2] = 4500)) "
                "and not (icmp6 and (ip6[40] >= 133 and ip6[40] <= 136))")


# A path like many: smaller datagrams than Ethernet's, and no IP fragments.
NARROW_RULES = """
add chain netdev wire narrow_{name} {{ type filter hook ingress device "p{name}" priority -10; policy accept; }}
add rule netdev wire narrow_{name} ip frag-off & 0x3fff != 0 counter name ip_fragments drop
add rule netdev wire narrow_{name} exthdr frag exists counter name ip_fragments drop
"""


class Capture:
    """tcpdump on the wire's end of one host's link."""

    def __init__(self, wire, port, path):
        self.wire = wire
        self.path = path
        log = path.with_suffix(".tcpdump")
        self.process = wire.spawn("tcpdump", "-U", "-n", "-s", "0", "--immediate-mode", "-Z", "root",
                                  "-i", port, "-w", path, log=log)
        wait_until(lambda: "listening on" in log.read_text(), 10, "tcpdump")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def lines(self, *pattern):
        """What was captured so far, a line per packet."""
        return self.wire.run("tcpdump", "-nn", "-t", "-r", self.path, *pattern).stdout.splitlines()


class Network:
    """Hosts on one segment. With lans, behind each host a LAN with one machine,
    and the hosts are gateways: 10.N.0.0/24 and 2001:db8:N::/64 behind host N."""

    def __init__(self, folder, names=("a", "b"), lans=False):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.wire = Host("wire", 254)
        self.hosts = {}
        self.inner = {}
        self.captures = {}
        try:
            self._build(names, lans)
        except BaseException:
            self.close()
            raise

    def _build(self, names, lans):
        wires = "link add br0 type bridge mcast_snooping 0\nlink set br0 up\n"
        rules = "add table netdev wire\n"
        for number, name in enumerate(names, 1):
            host = self.hosts[name] = Host(name, number, forwards=lans)
            wires += (f"link add p{name} type veth peer name eth0 netns {host.holder.pid}\n"
                      f"link set p{name} master br0 up\n")
            rules += WIRE_RULES.format(name=name)
        self.wire.run("ip", "-batch", "-", stdin=wires)
        self.wire.run("nft", "-f", "-", stdin=rules)
        for host in self.hosts.values():
            setup = (f"address add {host.v4}/24 dev eth0\naddress add {host.v6}/64 dev eth0 nodad\n"
                     "link set eth0 up\n")
            if lans:
                setup += self._add_lan(host)
            host.run("ip", "-batch", "-", stdin=setup)
        for name in self.inner:
            self._settle_machine(self.hosts[name])

    def _add_lan(self, gateway):
        """A machine behind a gateway, and the ways to the other gateways' ones; returns what the gateway does."""
        setup = self._add_machine(gateway)
        for other in self.hosts.values():
            if other is not gateway:
                setup += f"route add {other.lan4} via {other.v4}\nroute add {other.lan6} via {other.v6}\n"
        return setup

    def _settle_machine(self, gateway):
        machine = self.inner[gateway.name]
        four, six = gateway.lan4.removesuffix("0/24"), gateway.lan6.removesuffix("/64")
        machine.run("ip", "-batch", "-", stdin=(
            f"address add {machine.v4}/24 dev eth0\naddress add {machine.v6}/64 dev eth0 nodad\n"
            f"link set eth0 up\nroute add default via {four}1\nroute add ::/0 via {six}1\n"))

    def _add_machine(self, gateway):
        """One machine (address .2) behind a gateway (address .1); returns the gateway's part."""
        machine = self.inner[gateway.name] = Host(gateway.name + "-lan", gateway.number)
        four, six = gateway.lan4.removesuffix("0/24"), gateway.lan6.removesuffix("/64")
        machine.v4, machine.v6 = four + "2", six + "2"
        return (f"link add eth1 type veth peer name eth0 netns {machine.holder.pid}\n"
                f"address add {four}1/24 dev eth1\naddress add {six}1/64 dev eth1 nodad\nlink set eth1 up\n")

    def __getitem__(self, name):
        return self.hosts[name]

    def cut(self):
        """Nothing passes any more, in the middle: the hosts' own links stay up."""
        self.wire.run("ip", "link", "set", "br0", "down")

    def mend(self):
        self.wire.run("ip", "link", "set", "br0", "up")

    def narrow(self, mtu=1280):
        """From now on the links carry no larger packets, and IP fragments are dropped."""
        rules = "add counter netdev wire ip_fragments\n"
        for name, host in self.hosts.items():
            host.run("ip", "link", "set", "eth0", "mtu", mtu)
            self.wire.run("ip", "link", "set", f"p{name}", "mtu", mtu)
            rules += NARROW_RULES.format(name=name)
        self.wire.run("nft", "-f", "-", stdin=rules)

    def ip_fragments(self):
        """How many IP fragments narrow() has dropped."""
        text = self.wire.run("nft", "list", "counter", "netdev", "wire", "ip_fragments").stdout
        return int(re.search(r"packets (\d+)", text).group(1))

    def capture(self, name="a"):
        """Starts a capture on the link of one host (with two hosts, it sees all)."""
        self.captures[name] = Capture(self.wire, "p" + name, self.folder / f"wire-{name}.pcap")
        return self.captures[name]

    def _counter(self, kind, name):
        text = self.wire.run("nft", "list", "counters", "netdev").stdout
        found = dict(re.findall(r"counter (\w+) \{\s*packets (\d+)", text))
        names = [name] if name else list(self.hosts)
        return sum(int(found[f"{kind}_{n}"]) for n in names)

    def clear_packets(self, name=None):
        """How many packets a host (or any) put on the wire that had to be encrypted."""
        return self._counter("clear", name)

    def esp_packets(self, name=None):
        return self._counter("esp", name)

    def espinudp_packets(self, name=None):
        return self._counter("espinudp", name)

    def keepalives(self, name=None):
        return self._counter("keepalive", name)

    def forget_clear(self):
        self.wire.run("nft", "reset", "counters", "netdev")

    def clear_lines(self):
        return [line for capture in self.captures.values() for line in capture.lines(CLEAR_FILTER)]

    def close(self):
        for capture in self.captures.values():
            capture.stop()
        for host in [*self.hosts.values(), *self.inner.values(), self.wire]:
            host.close()

    def keep(self, name):
        """Copies configurations, logs and captures to the results."""
        target = RESULTS / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder, target, ignore_dangling_symlinks=True,
                        ignore=lambda folder, names: [n for n in names if not (Path(folder) / n).is_file()
                                                      and not (Path(folder) / n).is_dir()])


# ---- what the kernel holds -------------------------------------------------

def xfrm_states(host):
    """The host's SAs, a dict each. SPI 0 (a larval SA that awaits its keys) included."""
    states = []
    for block in re.split(r"^(?=src )", host.run("ip", "-s", "xfrm", "state").stdout, flags=re.M):
        head = re.match(r"src (\S+) dst (\S+)\s+proto (\S+) spi 0x([0-9a-f]+)\S* reqid (\d+)\S* mode (\S+)", block)
        if not head:
            continue
        state = {"src": head[1], "dst": head[2], "proto": head[3], "spi": int(head[4], 16),
                 "reqid": int(head[5]), "mode": head[6]}
        for kind in ("aead", "enc", "auth-trunc", "comp"):
            if found := re.search(rf"^\s+{kind} (\S+)", block, re.M):
                state[kind] = found[1]
        window = re.search(r"replay[-_]window (\d+)", block)
        state["window"] = int(window[1]) if window else 0
        flags = re.search(r" flag (.*?)\(0x", block)
        state["flags"] = flags[1].split() if flags else []
        state["esn"] = "esn" in state["flags"] or "esn" in block
        if found := re.search(r"lifetime current:\s+(\d+)\(bytes\), (\d+)\(packets\)", block):
            state["bytes"], state["packets"] = int(found[1]), int(found[2])
        states.append(state)
    return states


def live_states(host):
    return [state for state in xfrm_states(host) if state["spi"]]


def xfrm_policies(host):
    """The host's policies, those of single sockets apart, a dict each."""
    policies = []
    for block in re.split(r"^(?=src )", host.run("ip", "xfrm", "policy").stdout, flags=re.M):
        head = re.match(r"src (\S+) dst (\S+)(.*)", block)
        dir_ = re.search(r"^\s+dir (\w+)(?: action (\w+))?(?:.*?) priority (\d+)", block, re.M)
        if not head or not dir_:
            continue
        policy = {"src": head[1], "dst": head[2], "what": head[3].strip(), "dir": dir_[1],
                  "action": dir_[2] or "allow", "priority": int(dir_[3]), "templates": []}
        for tmpl in re.finditer(r"tmpl src (\S+) dst (\S+)\s+proto (\S+) (?:spi \S+ )?reqid (\d+) mode (\S+)", block):
            policy["templates"].append({"src": tmpl[1], "dst": tmpl[2], "proto": tmpl[3],
                                        "reqid": int(tmpl[4]), "mode": tmpl[5]})
        policies.append(policy)
    return policies


def expect_pair(one, other, mode, family=4):
    """Asserts that each host holds exactly two SAs, one per direction, the same two on both."""
    ends = {one.address(family), other.address(family)}
    seen = []
    for host in (one, other):
        states = live_states(host)
        shown = "\n".join(map(str, states))
        assert len(states) == 2, f"{host.name} holds {len(states)} SAs:\n{shown}"
        assert {s["src"] for s in states} == ends and {s["dst"] for s in states} == ends, shown
        assert all(s["proto"] == "esp" and s["mode"] == mode for s in states), shown
        seen.append({(s["dst"], s["spi"]) for s in states})
    assert seen[0] == seen[1], f"the ends hold different SAs: {seen}"
