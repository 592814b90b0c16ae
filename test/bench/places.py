# What the benches measure with: what /proc says of a tree of processes, the
# responders, the two hosts, and the load. What is measured, and when, is in run
# and endure.py.
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
LAB = REPO / "test/lab"
BUILD = Path(os.environ.get("BENCH_BUILD") or REPO / "build").resolve()
sys.path.insert(0, str(LAB))

from lab import RESULTS, STORE, Host, wait_until

IKE = "aes128gcm16-prfsha256-x25519"
ESP = "aes128gcm16"         # with 32-bit sequence numbers, strongSwan's default; iked's is 64-bit
PSK = "correct horse battery staple"
NETWORK = "10.1.0.0/16"     # behind the responder
CLIENTS = "10.128.0.0/9"    # the initiators' tunnels, a /32 of it each
OUTER = "10.64.0.0/10"      # the initiators' own addresses
NOBODY = "198.18.0.0/15"    # addresses that the flood comes from
TICK = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    pass


# ---- what /proc says -------------------------------------------------------

def fields_of(pid):
    """/proc/PID/stat behind the name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def tree_of(root):
    """A process and all that descend from it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = int(fields_of(entry)[1])
            except OSError:
                pass
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_seconds(pids):
    return sum(int(ticks) for pid in pids for ticks in fields_of(pid)[11:13]) / TICK


def memory_kb(pids, kind="Pss"):
    """Pss: pages that processes share count once, split among them, so it changes when others that
    use the same libraries come and go. Private_Dirty: what is theirs alone."""
    total = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith(kind + ":"))
    return total


# ---- the responders --------------------------------------------------------

class Responder:
    """A daemon on a host; a subclass writes its configuration and names its command."""
    kernel = True

    def __init__(self, host, folder):
        self.host = host
        self.log = folder / f"{self.name}.log"
        self.folder = folder / self.name
        self.folder.mkdir(exist_ok=True)
        self.process = None

    def pids(self):
        return tree_of(self.process.pid)

    def launch(self, *command, env=None):
        self.process = self.host.spawn(*command, log=self.log, env=env)
        wait_until(self.listens, 20, f"{self.name} on UDP port 500")

    def listens(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended at once:\n" + self.log.read_text(errors="replace")[-2000:])
        return ":01F4 " in self.host.run("cat", "/proc/net/udp").stdout


class Iked(Responder):
    name = "iked"
    options = []

    def start(self):
        (self.folder / "iked.conf").write_text(
            f'connections: {{ all: {{\n'
            f'  local = "{self.host.v4}"; remote = {{ address = "any"; id = "any"; }};\n'
            f'  proposals = [ "{IKE}" ];\n'
            f'  children: {{ net: {{ mode = "tunnel"; start = "never"; esp = [ "{ESP}-noesn" ];\n'
            f'    local = [ "{NETWORK}" ]; remote = [ "{CLIENTS}" ]; }}; }};\n'
            f'}}; }};\n')
        secrets = self.folder / "secrets.conf"
        secrets.touch(0o600)
        secrets.write_text(f'secrets: ( {{ psk = "{PSK}"; }} );\n')
        self.launch(BUILD / "iked", "-d", "-f", self.folder / "iked.conf", *self.options)


class IkedNoKernel(Iked):
    name = "iked_nokernel"
    options = ["--kernel=none"]
    kernel = False


class StrongSwan(Responder):
    """charon as an administrator with thousands of peers would set it up.

    ikesa_table_size, _segments: the manual's advice for many SAs; the default is a list.
    install_routes = no: a route per tunnel costs, and iked installs none.
    load: OpenSSL first, and none of the plugins that such a gateway does not use; this is
      cheaper than Debian's default, which loads all that is installed.
    filelog: what charon writes by default (level 1) to syslog, here to a file in memory, not
      flushed line by line. iked's default log goes to such a file, too.
    cookie_threshold: iked's default, not charon's 30; neither is reached here.
    The rest is the default, such as 16 threads."""
    name = "strongswan"
    CONF = """charon {{
  ikesa_table_size = 4096
  ikesa_table_segments = 16
  cookie_threshold = 100
  install_routes = no
  load = {plugins}
  filelog {{ log {{ path = {log}
    default = 1 }} }}
}}
"""
    PLUGINS = "random nonce openssl hmac kdf kernel-netlink socket-default vici"
    CONNECTION = """connections {{ all {{
  version = 2
  local_addrs = {local}
  remote_addrs = %any
  proposals = {ike}
  local {{ auth = psk
    id = {local} }}
  remote {{ auth = psk
    id = %any }}
  children {{ net {{
    mode = tunnel
    local_ts = {network}
    remote_ts = {clients}
    esp_proposals = {esp} }} }}
}} }}
secrets {{ ike-all {{ secret = "{psk}" }} }}
"""

    def __init__(self, host, folder):
        super().__init__(host, folder)
        host.overlay(STORE / "peers/strongswan")

    def environment(self):
        return {}

    def start(self):
        conf, connection = self.folder / "strongswan.conf", self.folder / "swanctl.conf"
        conf.write_text(self.CONF.format(plugins=self.PLUGINS, log=self.folder / "charon.log"))
        connection.write_text(self.CONNECTION.format(
            local=self.host.v4, ike=IKE, esp=ESP, network=NETWORK, clients=CLIENTS, psk=PSK))
        self.launch("/usr/lib/ipsec/charon", env={"STRONGSWAN_CONF": str(conf), **self.environment()})
        wait_until(lambda: self.host.exists("/run/charon.vici"), 20, "charon's socket")
        self.host.run("/usr/sbin/swanctl", "--load-all", "--noprompt", "--file", connection)


class StrongSwanNoKernel(StrongSwan):
    name = "strongswan_nokernel"
    kernel = False

    def environment(self):
        library = self.folder / "no_kernel.so"
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library,
                        HERE / "preload/no_kernel.c", "-ldl"], check=True)
        return {"LD_PRELOAD": str(library)}


# ---- measuring -------------------------------------------------------------

class Place:
    """The responder's host and the generator's, wire to wire."""

    def __init__(self):
        self.responder, self.generator = Host("responder", 1), Host("generator", 2)
        self.responder.run("ip", "-batch", "-", stdin=(
            f"link add eth0 type veth peer name eth0 netns {self.generator.holder.pid}\n"
            f"address add {self.responder.v4}/24 dev eth0\nlink set eth0 up\n"
            f"address add 10.1.0.1/16 dev lo\n"))
        self.generator.run("ip", "-batch", "-", stdin=(
            f"address add {self.generator.v4}/24 dev eth0\nlink set eth0 up\n"
            f"route add local {OUTER} dev lo\n"))
        for addresses in (OUTER, NOBODY):
            self.responder.run("ip", "route", "add", addresses, "via", self.generator.v4)

    def close(self):
        self.responder.close()
        self.generator.close()


def figures_of(text):
    """The values of "name value unit" lines."""
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines()}


def load(place, first, count, concurrency, *more, check=True):
    """Runs the generator; its figures by name."""
    done = place.generator.run(
        BUILD / "test/bench/load", "--remote", place.responder.v4, "--first", first, "--count", count,
        "--concurrency", concurrency, "--ike", IKE, "--esp", ESP + "-noesn", "--psk", PSK, "--network", NETWORK,
        *more, check=False, timeout=600)
    if done.returncode not in ((0,) if check else (0, 1)):
        raise Failure(f"load: {done.stdout}{done.stderr}")
    return figures_of(done.stdout)


def program(name, *arguments):
    """The figures of a program of this folder that prints lines like ours."""
    done = subprocess.run([BUILD / "test/bench" / name, *map(str, arguments)], capture_output=True, text=True, check=True)
    return figures_of(done.stdout)
