# strongSwan's charon with swanctl. Its own spelling of proposals is the lab's.
# MOBIKE is off where a scenario is not about it: a MOBIKE initiator moves to port
# 4500 by itself. Routes are not its business here, the
# default plugins of a road warrior (bypass-lan, ...) neither.
import re

from lab import wait_until
from peers import Peer

# Longer than its retransmissions go on (below): two minutes.
TIMEOUT_S = 150

PLUGINS = ("random nonce openssl aes gcm ccm ctr chapoly curve25519 cmac xcbc sha1 sha2 hmac kdf "
           "kernel-netlink socket-default updown vici")

CONF = """charon {{
  load = {plugins}
  install_routes = no
  keep_alive = 5s
  retransmit_timeout = 1.0
  retransmit_base = 1.3
  retransmit_limit = 5
  retransmit_tries = 30
  delete_rekeyed_delay = 1
  filelog {{ stderr {{ default = 1 ike = 2 cfg = 2 knl = 1 enc = 1 flush_line = yes }} }}
}}
swanctl {{ load = random openssl }}
"""

CONNECTION = """  {name} {{
    version = 2
    local_addrs = {local}
    remote_addrs = {remote}
    mobike = {mobike}
    encap = {encap}
    fragmentation = {fragments}
    {childless}
    {ike}
    {life}
    {dpd}
    {unique}
    local {{ auth = psk
      id = {local_id} }}
    remote {{ auth = psk
      id = {remote_id} }}
    children {{ {name} {{
      mode = {mode}
      local_ts = {local_ts}
      remote_ts = {remote_ts}
      start_action = {start}
      {esp}
      {packets}
    }} }}
  }}
"""


class StrongSwan(Peer):
    kind = "strongswan"
    # Such as "never": INITIAL_CONTACT in an SA that crosses one of its own makes strongSwan drop
    # that one without a word to the peer. Empty: its default.
    unique = ""

    def __post_init__(self):
        super().__post_init__()
        self.host.overlay(self.root())
        self.environment = {"STRONGSWAN_CONF": str(self.folder / "strongswan.conf")}

    def configure(self, *conns):
        self.conns = list(conns)
        (self.folder / "strongswan.conf").write_text(CONF.format(plugins=PLUGINS))
        text = "connections {\n"
        secrets = "secrets {\n"
        for c in conns:
            local_id, remote_id = c.local_id or c.local, c.remote_id or c.remote
            text += CONNECTION.format(
                name=c.name, mode=c.mode, local="%any" if c.local == "any" else c.local,
                remote="%any" if c.remote == "any" else c.remote,
                mobike="yes" if c.mobike else "no", encap="yes" if c.encapsulate else "no",
                fragments="yes" if c.fragments else "no", local_id=local_id, remote_id=remote_id,
                local_ts=",".join(c.local_ts) or "dynamic", remote_ts=",".join(c.remote_ts) or "dynamic",
                start={"traffic": "trap", "never": "none", "immediate": "start"}[c.start],
                ike=f"proposals = {c.ike}" if c.ike else "", esp=f"esp_proposals = {c.esp}" if c.esp else "",
                childless=f"childless = {c.childless}" if c.childless else "",
                life=f"rekey_time = {c.ike_seconds}s" if c.ike_seconds else "",
                dpd=f"dpd_delay = {c.liveness}s" if c.liveness else "",
                unique=f"unique = {self.unique}" if self.unique else "",
                packets=f"rekey_packets = {c.packets}" if c.packets else "")
            secrets += f'  ike-{c.name} {{ id-1 = {local_id}\n id-2 = {remote_id}\n secret = "{c.psk}" }}\n'
        (self.folder / "swanctl.conf").write_text(text + "}\n" + secrets + "}\n")

    def _swanctl(self, *command, **more):
        return self.host.run("/usr/sbin/swanctl", *command, env=self.environment, **more)

    def load(self):
        self._swanctl("--load-all", "--noprompt", "--file", self.folder / "swanctl.conf")

    def start(self):
        self.launch("/usr/lib/ipsec/charon", env=self.environment)
        wait_until(lambda: self.host.exists("/run/charon.vici"), 20, "charon's socket")
        self.load()

    def up(self, name="lab", check=True):
        return self._swanctl("--initiate", "--child", name, "--timeout", TIMEOUT_S, check=check)

    def up_alone(self, name="lab"):
        """The IKE SA without a child."""
        return self._swanctl("--initiate", "--ike", name, "--timeout", TIMEOUT_S)

    def down(self, name="lab", check=True):
        return self._swanctl("--terminate", "--ike", name, "--timeout", TIMEOUT_S, check=check)

    def dies(self):
        """As when the machine fails: no word to the peer, and the kernel has forgotten all."""
        self.process.kill()
        self.process.wait()
        for stale in ("/run/charon.vici", "/run/charon.pid"):
            self.host.run("rm", "-f", stale)
        self.host.forgets()

    def rekey(self, what="lab"):
        """Returns at once."""
        return self._swanctl("--rekey", *(["--ike", "lab"] if what == "ike" else ["--child", what]))

    def sas(self):
        """The number of established IKE SAs."""
        return len(re.findall(r"^\S.*ESTABLISHED", self._swanctl("--list-sas").stdout, re.M))
