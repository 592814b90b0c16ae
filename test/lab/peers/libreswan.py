# Libreswan's pluto. It wants an NSS database even for a shared secret, keeps its
# "+"-less spelling of proposals (aes_gcm256-sha2_384;dh20), and has no dh19/20/31
# in its default offer before x25519, so the lab's proposals are translated.
import re

from lab import wait_until
from peers import Peer

IKE_WORDS = {"aes128gcm16": "aes_gcm_c_128", "aes256gcm16": "aes_gcm_c_256", "aes128": "aes128", "aes256": "aes256",
             "chacha20poly1305": "chacha20_poly1305",
             "prfsha256": "sha2_256", "prfsha384": "sha2_384", "prfsha512": "sha2_512", "sha256": "sha2_256",
             "sha384": "sha2_384", "sha512": "sha2_512", "sha1": "sha1",
             "modp2048": "dh14", "modp3072": "dh15", "modp4096": "dh16",
             "ecp256": "dh19", "ecp384": "dh20", "ecp521": "dh21", "x25519": "dh31"}


def translated(proposal):
    return "-".join(IKE_WORDS[word] for word in proposal.split("-"))


CONNECTION = """conn {name}
    ikev2=yes
    authby=secret
    type={type}
    left={local}
    leftid={local_id}
    right={remote}
    rightid={remote_id}
    hostaddrfamily=ipv{family}
    auto={auto}
    mobike=no
    fragmentation={fragments}
    encapsulation={encapsulation}
    pfs={pfs}
    retransmit-interval=500
    retransmit-timeout=120s
"""


class Libreswan(Peer):
    kind = "libreswan"
    control = "/run/pluto/pluto.ctl"
    pfs = True

    def __post_init__(self):
        super().__post_init__()
        self.host.overlay(self.root())

    def configure(self, *conns):
        self.conns = list(conns)
        text = "config setup\n    protostack=xfrm\n\n"
        secrets = ""
        for c in conns:
            local_id, remote_id = (i if re.match(r"[0-9a-f:.]+$", i) else "@" + i
                                   for i in (c.local_id or c.local, c.remote_id or c.remote))
            text += CONNECTION.format(
                name=c.name, local=c.local, remote="%any" if c.remote == "any" else c.remote,
                local_id=local_id, remote_id=remote_id, encapsulation="yes" if c.encapsulate else "auto",
                family=6 if ":" in c.local else 4, type=c.mode, fragments="yes" if c.fragments else "no",
                pfs="yes" if self.pfs else "no",
                auto={"traffic": "ondemand", "never": "add", "immediate": "start"}[c.start])
            if c.local_ts:
                text += f"    leftsubnet={c.local_ts[0]}\n    rightsubnet={c.remote_ts[0]}\n"
            elif c.peer_inside:
                # What a client behind a NAT offers in transport mode is its own address; the responder is
                # to put the NAT's in its place (RFC 7296 section 2.23.1). Libreswan 4.10 does not, finds
                # no connection for it and says TS_UNACCEPTABLE, with no line in its log. It is told that
                # address; its kernel's SAs and policies have the NAT's all the same. (rightsubnet=vhost:
                # is no way: "The vnet: and vhost: keywords are only valid for IKEv1 connections".)
                text += f"    rightsubnet={c.peer_inside}/32\n"
            if c.ike:
                text += f"    ike={translated(c.ike)}\n"
            if c.esp:
                text += f"    esp={translated(c.esp)}\n"
            secrets += f'{local_id} {remote_id} : PSK "{c.psk}"\n'
        (self.folder / "ipsec.conf").write_text(text)
        (self.folder / "ipsec.secrets").write_text(secrets)

    def _whack(self, *command, **more):
        return self.host.run("/usr/libexec/ipsec/whack", "--rundir", "/run/pluto", *command, **more)

    def load(self):
        self.host.run("/usr/libexec/ipsec/addconn", "--config", self.folder / "ipsec.conf",
                      "--ctlsocket", self.control, "--autoall")

    def start(self):
        self.host.run("sh", "-ec", "mkdir -p /run/pluto /run/nss && certutil -N -d sql:/run/nss --empty-password")
        self.launch("/usr/libexec/ipsec/pluto", "--nofork", "--stderrlog", "--config", self.folder / "ipsec.conf",
                    "--secretsfile", self.folder / "ipsec.secrets", "--nssdir", "/run/nss", "--rundir", "/run/pluto")
        # pluto itself loads the connections once it listens.
        for conn in self.conns:
            self.wait_log(f'"{conn.name}": added', 20)
        wait_until(lambda: "listening for IKE messages" in self.log(), 20, "pluto to listen")

    def up(self, name="lab", check=True):
        return self._whack("--initiate", "--name", name, check=check)

    def down(self, name="lab", check=True):
        return self._whack("--terminate", "--name", name, check=check)

    def rekey(self, what="lab"):
        """Returns at once."""
        return self._whack("--rekey-ike" if what == "ike" else "--rekey-ipsec", "--name", "lab")

    def sas(self):
        return len(re.findall(r"STATE_V2_ESTABLISHED_IKE_SA", self._whack("--showstates").stdout))
