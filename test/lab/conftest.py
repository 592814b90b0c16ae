# What every scenario gets: a network that is torn down after it, daemons by
# name, and, when a scenario fails, the daemons' logs and kernels' tables in the
# report. LAB_SUBJECT=strongswan puts another daemon in iked's place in those
# scenarios that any daemon should pass: so the lab itself can be tested.
import os
import re
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import lab  # noqa: E402
from peers.iked import Iked  # noqa: E402
from peers.libreswan import Libreswan  # noqa: E402
from peers.openiked import OpenIKED  # noqa: E402
from peers.strongswan import StrongSwan  # noqa: E402
from warm import LIST, warm  # noqa: E402

KINDS = {kind.kind: kind for kind in (Iked, StrongSwan, Libreswan, OpenIKED)}
SUBJECT = os.environ.get("LAB_SUBJECT", "iked")
FIRST = ("test_pairs", "test_peers", "test_protection", "test_clear", "test_rekey")


def pytest_configure(config):
    config.addinivalue_line("markers", "iked_only: needs iked itself, no stand-in")
    config.addinivalue_line("markers", "core: without it nothing is proven: it comes first, and always runs")
    config.addinivalue_line("markers", "long: many hosts, or a race against a clock: LAB_LONG=yes runs it")


def pytest_sessionstart():
    if LIST.exists():
        print("lab: read {:.0f} MB of programs in {:.0f} s".format(*warm()), flush=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items, config):
    # A machine that is slow and shared may lose a race through no fault of iked's.
    if not os.environ.get("LAB_LONG"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    items.sort(key=lambda item: (not item.get_closest_marker("core"), not item.nodeid.startswith(FIRST)))
    if SUBJECT != "iked":
        for item in items:
            if item.get_closest_marker("iked_only"):
                item.add_marker(pytest.mark.skip(reason=f"iked is played by {SUBJECT}"))


def to_run(items):
    """One after the other, those that no other process of several (shards.py) has taken, while there is time."""
    for item in items:
        late = not item.get_closest_marker("core") and (lab.RESULTS / "late").exists()
        name = re.sub(r"[^\w.-]+", "_", item.nodeid)
        try:
            # Of all that try, one makes the folder.
            (lab.RESULTS / "taken" / name).mkdir()
        except FileExistsError:
            continue
        if late:
            (lab.RESULTS / "taken" / name).rename(lab.RESULTS / "left" / name)
        else:
            yield item


def pytest_runtestloop(session):
    if "LAB_SHARD" not in os.environ or session.testsfailed:
        return None
    for item in to_run(session.items):
        # Who comes next is not known yet: all that the item needed is taken down.
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return True


class Scenario:
    """One network and its daemons."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder
        self.net = None
        self.daemons = []

    def network(self, kind=lab.Network, **more):
        self.net = kind(self.folder, **more)
        return self.net

    def daemon(self, kind, host):
        made = KINDS[SUBJECT if kind == "iked" else kind](host, self.folder)
        self.daemons.append(made)
        return made

    def story(self):
        """What one wants to read after a failure."""
        parts = []
        for daemon in self.daemons:
            log = daemon.log().splitlines()
            parts.append((f"log of {daemon.kind} on {daemon.host.name}", "\n".join(log[-60:])))
        for host in self.net.hosts.values() if self.net else []:
            for what in ("state", "policy"):
                parts.append((f"xfrm {what} on {host.name}",
                              host.run("ip", "-s", "xfrm", what, check=False).stdout))
        for name, capture in (self.net.captures if self.net else {}).items():
            parts.append((f"wire at {name}", "\n".join(capture.lines()[-40:])))
        return parts

    def close(self):
        for daemon in self.daemons:
            if daemon.alive():
                daemon.process.kill()
                daemon.process.wait()
        if self.net:
            self.net.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    scenario = getattr(item, "funcargs", {}).get("lab_scenario")
    if call.when == "call" and report.failed and scenario:
        for title, text in scenario.story():
            report.sections.append((title, text))


@pytest.fixture
def lab_scenario(request):
    name = re.sub(r"[^\w.-]+", "_", request.node.name).strip("_")
    with tempfile.TemporaryDirectory(prefix="lab.") as folder:
        scenario = Scenario(name, Path(folder))
        try:
            yield scenario
        finally:
            scenario.close()
            if scenario.net:
                scenario.net.keep(name)
