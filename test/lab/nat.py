# A segment with a NAT at its edge: clients in private space, a server outside, and
# between them a router that gives their packets its own address and ports of its
# choice. The wire's counters stand on both sides of it.
import socket
import struct

from lab import WIRE_RULES, Host, Network

PRIVATE = "198.18.0"
OUTSIDE = "192.0.2.250"  # the NAT, as seen from the server

# Nobody outside can begin to speak with what is behind it, nor with the router.
TABLE = """
add table ip nat
add chain ip nat post { type nat hook postrouting priority 100; }
add table ip wall
add chain ip wall in { type filter hook input priority 0; }
add chain ip wall through { type filter hook forward priority 0; }
add rule ip wall in iifname "eth0" ct state != { established, related } drop
add rule ip wall through iifname "eth0" ct state != { established, related } drop
"""

RULES = """
flush chain ip nat post
add rule ip nat post oifname "eth0" meta l4proto udp masquerade to :%d-%d
add rule ip nat post oifname "eth0" masquerade
"""


def forget_connections():
    """What `conntrack -F` does, without a program: IPCTNL_MSG_CT_DELETE that names none."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
        s.send(struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, 0, 0, 0))
        error = struct.unpack_from("=i", s.recv(4096), 16)[0]
    if error:
        raise OSError(-error, "conntrack cannot be flushed")


class Router(Host):
    def translate(self, first):
        """UDP leaves with ports of first..first+999, whatever they were."""
        self.run("nft", "-f", "-", stdin=RULES % (first, first + 999))

    def remap(self, first):
        """The router was restarted: it knows nobody, and picks other ports."""
        self.translate(first)
        self.inside(forget_connections)


class NatNetwork(Network):
    """Clients a (and c) behind a NAT, server b outside. With lans each is a gateway, as in Network."""

    def __init__(self, folder, clients=("a",), lans=False):
        self.clients = clients
        self.router = None
        super().__init__(folder, (*clients, "b"), lans)

    def _build(self, names, lans):
        self.router = Router("nat", 250, forwards=True)
        wires = ("link add br0 type bridge mcast_snooping 0\nlink set br0 up\n"
                 "link add br1 type bridge mcast_snooping 0\nlink set br1 up\n")
        for number, name in enumerate(names, 1):
            self.hosts[name] = Host(name, number, forwards=lans)
        ends = [(name, host, "eth0", "br0" if name == "b" else "br1") for name, host in self.hosts.items()]
        ends += [("nat", self.router, "eth0", "br0"), ("natin", self.router, "eth1", "br1")]
        for port, host, device, bridge in ends:
            wires += (f"link add p{port} type veth peer name {device} netns {host.holder.pid}\n"
                      f"link set p{port} master {bridge} up\n")
        self.wire.run("ip", "-batch", "-", stdin=wires)
        self.wire.run("nft", "-f", "-", stdin="add table netdev wire\n" + "".join(
            WIRE_RULES.format(name=port) for port, *_ in ends))
        self.router.run("ip", "-batch", "-", stdin=(
            f"address add {OUTSIDE}/24 dev eth0\nlink set eth0 up\n"
            f"address add {PRIVATE}.254/24 dev eth1\nlink set eth1 up\n"))
        self.router.run("nft", "-f", "-", stdin=TABLE)
        self.router.translate(10000)
        for name, host in self.hosts.items():
            self._settle(name, host, lans)

    def _settle(self, name, host, lans):
        """A host's addresses and routes, and with lans the machine behind it."""
        gateway = OUTSIDE
        if name in self.clients:
            host.v4 = f"{PRIVATE}.{host.number}"
            gateway = f"{PRIVATE}.254"
        setup = f"address add {host.v4}/24 dev eth0\nlink set eth0 up\n"
        if lans:
            setup += self._add_machine(host)
        # The server has a way to the clients' LANs, else nothing would reach its policies.
        setup += f"route add default via {gateway}\n"
        host.run("ip", "-batch", "-", stdin=setup)
        if lans:
            self._settle_machine(host)

    def close(self):
        super().close()
        if self.router:
            self.router.close()
