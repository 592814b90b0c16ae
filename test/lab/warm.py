# Reads what the scenarios will run into the cache of the machine that runs them:
# a fresh VM holds nothing, and reads it from the machine below, which may never
# have read it either. Without this the first scenario of a daemon waits for its
# files in the middle of a handshake: 14 seconds were seen before Libreswan's
# first answer, most of them in the programs that its script for routes calls.
#
#   warm.py     lists the files, before the VM is there: looking for them takes
#               it seven times as long as reading them
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from lab import REPO, STORE

LIST = STORE / "warm"

# Of the peers' packages, what a negotiation can touch: their dependencies bring half of systemd.
PEER_FILES = re.compile(r"/(libexec|sbin|ipsec|plugins)/|/bin/certutil$|/lib[^/]*\.so[^/]*$|/etc/")
NOT_RUN = re.compile(r"/(systemd|udev|security|cryptsetup)/")

PROGRAMS = ("python3 sh bash env sleep timeout ping ip nft tcpdump openssl setpriv stat cat awk grep sed tr cut sysctl "
            "mkdir rm").split()
OWN = ["build/iked", "build/ikectl", "build/test/scenario"]


def libraries(program):
    shown = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", shown)


def files():
    found = set()
    for folder, _, names in os.walk(STORE / "peers"):
        found.update(path for path in (f"{folder}/{name}" for name in names)
                     if PEER_FILES.search(path) and not NOT_RUN.search(path) and os.path.isfile(path))
    for program in [*map(shutil.which, PROGRAMS), *(str(REPO / own) for own in OWN)]:
        if program and os.path.exists(program):
            found.update([program, *libraries(program)])
    return sorted(found)


def warm():
    """Reads them all; returns how many megabytes and how many seconds it took."""
    begun = time.monotonic()
    octets = sum(len(Path(path).read_bytes()) for path in LIST.read_text().splitlines())
    return octets / 1e6, time.monotonic() - begun


if __name__ == "__main__":
    LIST.write_text("".join(f"{path}\n" for path in files()))
    warm()
