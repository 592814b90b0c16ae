# OpenBSD's iked as Debian packages it. It has no command to start a negotiation:
# a connection is active (it starts at once) or passive, so up() turns it active
# and reloads. Its user and its chroot are made here, as its package would.
import re

from lab import wait_until
from peers import Peer

WORDS = {"aes128gcm16": "enc aes-128-gcm", "aes256gcm16": "enc aes-256-gcm", "aes128": "enc aes-128",
         "aes256": "enc aes-256", "chacha20poly1305": "enc chacha20-poly1305",
         "prfsha256": "prf hmac-sha2-256", "prfsha384": "prf hmac-sha2-384", "prfsha512": "prf hmac-sha2-512",
         "sha256": "auth hmac-sha2-256", "sha384": "auth hmac-sha2-384", "sha512": "auth hmac-sha2-512",
         "modp2048": "group modp2048", "ecp256": "group ecp256", "ecp384": "group ecp384",
         "ecp521": "group ecp521", "x25519": "group curve25519"}


def translated(kind, proposal):
    return kind + " " + " ".join(WORDS[word] for word in proposal.split("-")) if proposal else ""


def identity(name):
    """An IKE id as OpenIKED's own listings write it; without its type it would be a key id."""
    if ":" in name:
        return f"IPV6/{name}"
    return f"IPV4/{name}" if re.fullmatch(r"[0-9.]+", name) else f"FQDN/{name}"


class OpenIKED(Peer):
    kind = "openiked"

    def __post_init__(self):
        super().__post_init__()
        self.host.overlay(self.root())
        # In this host's own /etc: what the package's postinst does.
        self.host.run("sh", "-ec", "echo '_iked:x:990:990::/run/openiked-empty:/usr/sbin/nologin' >>/etc/passwd\n"
                      "echo '_iked:x:990:' >>/etc/group\n"
                      "mkdir -p /run/openiked-empty /etc/iked/private\n"
                      "[ -f /etc/iked/private/local.key ] || openssl ecparam -genkey -name prime256v1 -noout "
                      "-out /etc/iked/private/local.key 2>/dev/null")

    def configure(self, *conns, active=None):
        self.conns = list(conns)
        text = "set fragmentation\nset nomobike\n"
        for c in conns:
            # 7.2 with a childsa line of its own answers its own transforms with "no
            # proposal chosen"; without one all is well.
            assert not c.esp, "OpenIKED takes no ESP proposal here"
            on = c.start == "immediate" if active is None else active
            local_ts, remote_ts = (c.local_ts or (c.local,))[0], (c.remote_ts or (c.remote,))[0]
            text += (f'ikev2 "{c.name}" {"active" if on else "passive"} {c.mode} esp '
                     f"from {local_ts} to {remote_ts} local {c.local} peer {c.remote} "
                     f"{translated('ikesa', c.ike)} "
                     f'srcid {c.local_id or c.local} dstid {c.remote_id or c.remote} psk "{c.psk}"\n')
        path = self.folder / "iked.conf"
        path.write_text(text)
        path.chmod(0o600)

    def _ikectl(self, *command, **more):
        return self.host.run("/usr/sbin/ikectl", *command, **more)

    def start(self):
        # -T: no NAT traversal.
        self.launch("/usr/sbin/iked", "-dvv", "-T", "-f", self.folder / "iked.conf")
        # Its socket answers before the configuration is in, and what was negotiated
        # meanwhile is dropped ("sa_free: reload").
        self.wait_log("compilation done", 20)
        wait_until(lambda: self._ikectl("show", "sa", check=False).returncode == 0, 20, "OpenIKED's socket")

    def up(self, name="lab", check=True):
        self.configure(*self.conns, active=True)
        self._ikectl("reload")
        if check:
            wait_until(lambda: self.sas() > 0, 20, "OpenIKED's SA")

    def down(self, name="lab", check=True):
        # It would start anew at once when active.
        self.configure(*self.conns, active=False)
        self._ikectl("reload")
        peer = identity(self.conns[0].remote_id or self.conns[0].remote)
        return self._ikectl("reset", "id", peer, check=check)

    def sas(self):
        return len(re.findall(r"^iked_sas: .* ESTABLISHED", self._ikectl("show", "sa").stdout, re.M))
