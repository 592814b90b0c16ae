# Our own daemon, from build/ of this tree, started as an operator would start it
# in the foreground: a folder with iked.conf and secrets.conf, -d, -f. What the
# tests ask of it goes through ikectl, over its control socket in the host's own
# /run.
import contextlib
import json
import os
import signal

from lab import REPO, wait_until
from peers import Peer


def quoted(items):
    return "[ " + ", ".join(f'"{item}"' for item in items) + " ]"


class Iked(Peer):
    kind = "iked"
    socket = "/run/iked/control.sock"

    def connection_text(self, c):
        """The short form as far as it goes: what is left out is tested by being left out."""
        def end(address, identity):
            return f'{{ address = {address}; id = "{identity}"; }}' if identity else address
        remote = end(c.peer_at, c.remote_id or c.remote) if c.peer_at else end(f'"{c.remote}"', c.remote_id)
        local = end(f'"{c.local}"', c.local_id)
        text = f"  {c.name}: {{ local = {local}; remote = {remote};"
        rest = f"    proposals = {quoted([c.ike])};\n" if c.ike else ""
        if c.liveness:
            rest += f'    liveness = "{c.liveness}s";\n'
        if c.on_dead:
            rest += f'    on_dead = "{c.on_dead}";\n'
        if c.ike_seconds:
            rest += f'    lifetime = "{c.ike_seconds}s";\n'
        if not c.fragments:
            rest += "    fragmentation = false;\n"
        if c.fragment_size:
            rest += f"    fragment_size = {c.fragment_size};\n"
        if c.encapsulate:
            rest += "    encapsulate = true;\n"
        if c.childless == "prefer":
            rest += "    childless = true;\n"
        if c.mobike:
            rest += "    mobike = true;\n"
        if c.keepalive:
            rest += f'    keepalive = "{c.keepalive}s";\n'
        child = ""
        if c.mode != "transport":
            child += f'      mode = "{c.mode}";\n'
        if c.local_ts:
            child += f"      local = {quoted(c.local_ts)}; remote = {quoted(c.remote_ts)};\n"
        if c.esp:
            child += f"      esp = {quoted(c.esp.split(','))};\n"
        if c.start != "traffic":
            child += f'      start = "{c.start}";\n'
        if c.policy != "require":
            child += f'      policy = "{c.policy}";\n'
        if c.packets:
            child += f"      packets = {c.packets}L;\n"
        if child:
            rest += f"    children: {{ {c.name}: {{\n{child}    }}; }};\n"
        return text + (f"\n{rest}  }};\n" if rest else " };\n")

    def configure(self, *conns):
        self.conns = list(conns)
        daemon = f'retransmit = "{self.retransmit}"; ' if self.retransmit else ""
        daemon += f"retransmit_tries = {self.tries}; " if self.tries else ""
        text = f"daemon: {{ {daemon}}};\n" if daemon else ""
        text += "connections: {\n" + "".join(self.connection_text(c) for c in conns) + "};\n"
        secrets = ",\n".join(f'  {{ ids = {quoted([c.local_id or c.local, c.remote_id or c.remote])}; '
                             f'psk = "{c.psk}"; }}' for c in conns)
        (self.folder / "iked.conf").write_text(text)
        path = self.folder / "secrets.conf"
        path.touch(0o600)
        path.write_text(f"secrets: (\n{secrets}\n);\n")

    def start(self, *options):
        self.launch(REPO / "build/iked", "-d", "-f", self.folder / "iked.conf", *options)

        def ready():
            assert self.alive(), f"iked on {self.host.name} ended at once:\n{self.log()}"
            return self.host.exists(self.socket) and self.ctl("show", check=False).returncode == 0
        wait_until(ready, 20, "iked's control socket")

    def ctl(self, *command, **more):
        return self.host.run(REPO / "build/ikectl", *command, **more)

    def up(self, name="lab", check=True):
        return self.ctl("up", name, check=check)

    def down(self, name="lab", check=True):
        return self.ctl("down", name, check=check)

    def rekey(self, what="lab"):
        """A child by its name, or "ike"; returns when it is done. All connections are called "lab"."""
        return self.ctl("rekey", "lab", what)

    def reload(self, *options, check=True):
        return self.ctl("reload", *options, check=check)

    def show(self, what="sas"):
        return json.loads(self.ctl("show", what, "--json").stdout)

    def counter(self, name):
        return int(dict(line.split()[:2] for line in self.ctl("show", "counters").stdout.splitlines()).get(name, 0))

    def sas(self):
        return self.show("sas")

    def stop(self, how=signal.SIGTERM, seconds=10):
        super().stop(how, seconds)
        # The other half must not stay behind.
        wait_until(lambda: not self.pids(), seconds, "iked's processes to end")

    def pids(self):
        found = []
        for pid in self.host.processes():
            try:
                program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
            except OSError:
                continue
            if os.path.basename(program).startswith("iked"):
                found.append(pid)
        return found

    def negotiator(self):
        """The process without capabilities: the only one that speaks with strangers."""
        for pid in self.pids():
            if status_of(pid).get("CapEff") == "0" * 16 and b"--negotiator" in arguments_of(pid):
                return pid
        return None

    def resolver(self):
        """The one that looks names up, once there was one to look up."""
        return next((pid for pid in self.pids() if b"--resolver" in arguments_of(pid)), None)

    def is_killed(self):
        """All of it at once; what it gave the kernel stays there."""
        for pid in self.pids():
            # Without the keeper the others end by themselves.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.pids(), 10, "iked's processes to end")
        self.process.wait()

    def dies(self):
        """As when the machine fails: no word to the peer, and the kernel has forgotten all."""
        self.is_killed()
        self.host.forgets()


def arguments_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().split(b"\0")
    except OSError:
        return []


def status_of(pid):
    """/proc/PID/status as a dict; empty once the process is gone."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return dict(line.rstrip("\n").replace("\t", " ").split(": ", 1) if ": " in line.replace("\t", " ")
                        else (line.strip(), "") for line in f)
    except OSError:
        return {}
