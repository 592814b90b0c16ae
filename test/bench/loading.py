# What a configuration of many connections costs: in CPU time of all the daemon's processes
# when it is read for the first time and when it is read again and nothing has changed, and in
# memory of them all afterwards, for each connection. Always here and without a kernel, as in
# endure.py. strongSwan gets its connections by swanctl, whose own time does not count.
#
#   loading.iked_N.first_cpu, reload_cpu    ms
#   loading.iked_N.memory                   KB for each connection, in all processes together
#   loading.strongswan_N.*                  the same
#   loading.check_N.first_cpu               `ikectl check` alone
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from places import BUILD, PSK, Failure, IkedNoKernel, Place, StrongSwanNoKernel, cpu_seconds, memory_kb

UNITS = {"first_cpu": "ms", "reload_cpu": "ms", "memory": "KB"}
SIZES = {"iked": (1000, 10000, 64000), "strongswan": (1000, 10000)}


def peer(number):
    return f"10.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


class LoadingIked(IkedNoKernel):
    name = "iked"

    def write(self, count):
        conf = self.folder / "iked.conf"
        conf.write_text("connections: {\n" + "".join(
            f'  c{number}: {{ local = "{self.host.v4}"; remote = "{peer(number)}"; }};\n'
            for number in range(count)) + "};\n")
        return conf

    def start(self):
        secrets = self.folder / "secrets.conf"
        secrets.touch(0o600)
        secrets.write_text(f'secrets: ( {{ psk = "{PSK}"; }} );\n')
        self.launch(BUILD / "iked", "-d", "-f", self.write(0), *self.options)

    def load(self):
        done = self.host.run(BUILD / "ikectl", "reload", timeout=300)
        if "connection" not in done.stdout:
            raise Failure(f"reload: {done.stdout}{done.stderr}")


class LoadingStrongSwan(StrongSwanNoKernel):
    name = "strongswan"

    def write(self, count):
        (self.folder / "swanctl.conf").write_text("connections {\n" + "".join(
            f"  c{number} {{ version = 2\n local_addrs = {self.host.v4}\n remote_addrs = {peer(number)}\n"
            f"   local {{ auth = psk }}\n remote {{ auth = psk }}\n"
            f"   children {{ c{number} {{ mode = transport }} }} }}\n" for number in range(count)) + "}\n")

    def start(self):
        super().start()
        self.write(0)
        self.load()

    def load(self):
        self.host.run("/usr/sbin/swanctl", "--load-conns", "--file", self.folder / "swanctl.conf", timeout=600)


def settled(pids):
    """The CPU time once nothing more is done."""
    before = cpu_seconds(pids)
    while True:
        time.sleep(2.5)     # iked gives back what it does not need two seconds later
        now = cpu_seconds(pids)
        if now - before < 0.02:
            return now
        before = now


def measure_in(responder, count):
    responder.start()
    pids = responder.pids()
    cpu, memory = settled(pids), memory_kb(pids, "Private_Dirty")
    responder.write(count)
    responder.load()
    first = settled(pids)
    grown = memory_kb(pids, "Private_Dirty") - memory
    responder.load()
    again = settled(pids)
    if responder.pids() != pids:
        raise Failure(f"{responder.name} has started processes anew")
    name = f"loading.{responder.name}_{count}"
    return {f"{name}.first_cpu": (first - cpu) * 1000, f"{name}.reload_cpu": (again - first) * 1000,
            f"{name}.memory": grown / count}


def measure(kind, count):
    place = Place()
    try:
        with tempfile.TemporaryDirectory(prefix="bench.", dir="/dev/shm") as folder:
            return measure_in(kind(place.responder, Path(folder)), count)
    finally:
        place.close()


def check(count):
    with tempfile.TemporaryDirectory(prefix="bench.", dir="/dev/shm") as folder:
        conf = Path(folder) / "iked.conf"
        conf.write_text("connections: {\n" + "".join(
            f'  c{number}: {{ local = "192.0.2.1"; remote = "{peer(number)}"; }};\n'
            for number in range(count)) + "};\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([BUILD / "ikectl", "check", conf], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {f"loading.check_{count}.first_cpu":
            (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000}


def loading():
    found = {}
    for count in SIZES["iked"]:
        found |= check(count)
    for kind in (LoadingIked, LoadingStrongSwan):
        for count in SIZES[kind.name]:
            found |= measure(kind, count)
    for count in SIZES["strongswan"]:
        for figure in UNITS:
            theirs = found[f"loading.strongswan_{count}.{figure}"]
            if theirs > 0:
                found[f"ratio_loading_{count}.{figure}"] = found[f"loading.iked_{count}.{figure}"] / theirs
    return found


def show(found):
    for what, value in found.items():
        unit = "x" if what.startswith("ratio") else UNITS[what.rsplit(".", 1)[1]]
        print(f"{what} {value:.{3 if unit == 'x' else 2 if unit == 'KB' else 0}f} {unit}", flush=True)


if __name__ == "__main__":
    show(loading())
