# The IKE daemons that the lab can put on a host, all with the same handful of
# verbs, and the one neutral description of a connection that they all read.
# What a peer cannot do, its class says in its comments and raises.
import signal
import subprocess
from dataclasses import dataclass, field, replace

from lab import PATIENCE, STORE, wait_until

PSK = "correct horse battery staple"


@dataclass(frozen=True)
class Conn:
    """A connection as one end sees it."""
    local: str                  # "any": whichever of its addresses the way to the peer begins with
    remote: str                 # "any": it can only answer
    name: str = "lab"
    mode: str = "transport"
    local_ts: tuple = ()        # empty: the addresses themselves
    remote_ts: tuple = ()
    local_id: str = ""          # empty: the address
    remote_id: str = ""
    psk: str = PSK
    ike: str = ""               # such as "aes256gcm16-prfsha384-ecp384"; empty: the daemon's own
    esp: str = ""               # several with commas between them
    start: str = "traffic"      # or "never": up() and the peer only, "immediate"
    policy: str = "require"     # iked alone knows others
    packets: int = 0            # rekey a child after so many; 0: not for that reason
    fragments: bool = True
    fragment_size: int = 0      # of iked; 0: its own
    peer_inside: str = ""       # of Libreswan: the peer's own address, behind a NAT
    peer_at: str = ""           # of iked: the remote addresses as the file has them; empty: `remote`
    liveness: int = 0           # ask a peer that is silent for so many seconds; 0: the daemon's own
    on_dead: str = ""           # of iked
    ike_seconds: int = 0        # the life of an IKE SA; 0: the daemon's own
    encapsulate: bool = False   # ESP in UDP, NAT or not
    keepalive: int = 0          # seconds of silence until one; 0: the daemon's own
    mobike: bool = False
    childless: str = ""         # of strongSwan "allow", "prefer", "force" or "never"; of iked "prefer"; empty: its own

    def other_end(self, **changes):
        return replace(self, local=self.remote, remote=self.local, local_ts=self.remote_ts,
                       remote_ts=self.local_ts, local_id=self.remote_id, remote_id=self.local_id, **changes)


def conn_between(one, other, family=4, mode="transport", lans=False, **more):
    """What `one` configures to talk with `other`."""
    if lans:
        more.update(local_ts=(one.lan(family),), remote_ts=(other.lan(family),))
    return Conn(one.address(family), other.address(family), mode=mode, **more)


@dataclass
class Peer:
    """A daemon on a host. A subclass writes the configuration and knows the commands."""
    host: object
    folder: object
    process: object = None
    conns: list = field(default_factory=list)
    kind = ""
    tries = 0                   # how often iked asks again; 0: its default
    retransmit = ""             # such as "4s": how long iked waits for an answer; empty: its default

    def __post_init__(self):
        self.folder = self.folder / f"{self.host.name}-{self.kind}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder / "log"
        self.log_path.touch()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, text, seconds=10):
        return wait_until(lambda: text in self.log(), seconds, f"'{text}' in the log of {self.kind} on {self.host.name}")

    def launch(self, *command, env=None):
        self.process = self.host.spawn(*command, log=self.log_path, env=env)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, how=signal.SIGTERM, seconds=10):
        if self.alive():
            self.process.send_signal(how)
            try:
                self.process.wait(seconds * PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.kind} on {self.host.name} did not end in {seconds * PATIENCE} s")

    def root(self):
        return STORE / "peers" / self.kind
