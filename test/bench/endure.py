# What iked bears: a flood of spoofed first messages while honest peers come, and
# ten thousand SAs that only lie there. Always here and without a kernel
# (--kernel=none), in namespaces of their own: an emulated processor says nothing
# about either.
#
#   flood.rate            spoofed IKE_SA_INIT per second, each from another address
#   flood.refused_cost    CPU time of all processes of iked per packet that came in
#   flood.honest_success  of the peers that come one a second meanwhile
#   flood.half_open_max   the most half-open SAs that were seen
#   flood.memory_growth   from the flood's third second, when half-open SAs are there, to its end
#   flood.socket_drops    packets that the socket's queue had no room for
#   hold.*                so many SAs are held and their peers answer: CPU in parts of one core,
#                         memory per SA
#   hold.engine_*         by the library alone, for ten minutes of virtual time (hold.c)
import json
import tempfile
import threading
import time
from pathlib import Path

from places import BUILD, IKE, Failure, IkedNoKernel, Place, cpu_seconds, load, memory_kb, program, wait_until

UNITS = {"rate": "/s", "refused_cost": "us", "honest_success": "%", "half_open_max": "SAs",
         "memory_growth": "KB", "socket_drops": "packets",
         "idle_cpu": "%", "sa_memory": "KB", "sas": "SAs", "engine_cpu": "s", "engine_sas": "SAs"}


def counters(responder):
    done = responder.host.run(BUILD / "ikectl", "show", "counters", "--json")
    return json.loads(done.stdout)


def socket_drops(host):
    """RcvbufErrors of UDP in this network namespace."""
    rows = [line.split() for line in host.run("cat", "/proc/net/snmp").stdout.splitlines()
            if line.startswith("Udp:")]
    return int(rows[1][rows[0].index("RcvbufErrors")])


class Background(threading.Thread):
    """Runs a function beside; result() is what it returned."""

    def __init__(self, function, *arguments, **more):
        super().__init__(daemon=True)
        self.call = (function, arguments, more)
        self.start()

    def run(self):
        function, arguments, more = self.call
        try:
            self.value = function(*arguments, **more)
        except Exception as trouble:
            self.value = trouble

    def result(self):
        self.join()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def alone(measure, *arguments):
    """Runs `measure` on a responder in a place of its own."""
    place = Place()
    try:
        with tempfile.TemporaryDirectory(prefix="bench.", dir="/dev/shm") as folder:
            responder = IkedNoKernel(place.responder, Path(folder))
            responder.start()
            return measure(place, responder, *arguments)
    finally:
        place.close()


def flood(seconds=30, rate=10000):
    return alone(flood_in, seconds, rate)


def flood_in(place, responder, seconds, rate):
    load(place, 0, 100, 10)
    pids = responder.pids()
    before, cpu = counters(responder), cpu_seconds(pids)
    attack = Background(place.generator.run, BUILD / "test/bench/flood", "--remote", place.responder.v4,
                        "--rate", rate, "--seconds", seconds, "--ike", IKE, timeout=seconds + 60)
    honest = Background(load, place, 1000, seconds, seconds, "--interval", 1000, check=False)
    half_open, memory = 0, []
    while attack.is_alive():
        time.sleep(0.5)
        half_open = max(half_open, counters(responder)["half_open_now"])
        memory.append(memory_kb(pids, "Private_Dirty"))
    cpu, after = cpu_seconds(pids) - cpu, counters(responder)
    sent = {line.split()[0]: float(line.split()[1]) for line in attack.result().stdout.splitlines()}
    came = honest.result()
    if responder.pids() != pids:
        raise Failure("iked has started processes anew in the flood")
    return {"flood.rate": sent["flood.rate"],
            "flood.refused_cost": cpu * 1e6 / (after["packets_in"] - before["packets_in"]),
            "flood.honest_success": 100 * came["load.done"] / (came["load.done"] + came["load.failed"]),
            "flood.half_open_max": half_open,
            "flood.memory_growth": max(memory[4:]) - memory[4],
            "flood.socket_drops": socket_drops(place.responder)}


def hold(count=10000, seconds=80):
    """So long that a liveness check of each SA falls into it."""
    return alone(hold_in, count, seconds)


def hold_in(place, responder, count, seconds):
    load(place, 0, 100, 10)
    pids = responder.pids()
    memory = memory_kb(pids)
    peers = Background(load, place, 100, count, 10, "--hold", "--stay", seconds + 10)
    wait_until(lambda: counters(responder)["ike_sas_now"] >= count or not peers.is_alive(), 300, "the SAs", every=0.5)
    time.sleep(2)
    memory = memory_kb(pids) - memory
    cpu = cpu_seconds(pids)
    time.sleep(seconds)
    cpu = cpu_seconds(pids) - cpu
    held = counters(responder)["ike_sas_now"]
    peers.result()
    return {"hold.idle_cpu": 100 * cpu / seconds, "hold.sa_memory": memory / count, "hold.sas": held,
            **program("hold", count)}


def show(found):
    for what, value in found.items():
        unit = UNITS[what.split(".")[1]]
        print(f"{what} {value:.{2 if unit in ('us', '%', 'KB', 's') else 0}f} {unit}", flush=True)
