# Shares the scenarios out among several machines side by side (see vm; where this
# system's own kernel will do, among several processes), each of which takes the
# next one that nobody has taken. Prints each test's line as it comes, each
# machine's report as one block, and a last line with the sums; writes one
# lab.xml. Arguments go to pytest.
#
# A test without which nothing is proven is marked `core`: those come first, and
# run however long it takes. LAB_UNTIL, in seconds since the epoch, is when no other
# begins any more: which did not is said, and `make check-lab` runs them all.
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

HERE = Path(__file__).resolve().parent
COUNT = int(os.environ.get("LAB_SHARDS", "2"))
UNTIL = float(os.environ.get("LAB_UNTIL") or "inf")
# A hang is seen long before; this ends a machine that is lost.
TIMEOUT = 7200 if UNTIL == float("inf") else max(0, UNTIL - time.time()) + 1800


def begin(number, results, arguments):
    pytest = ["/usr/bin/python3", "-B", "-m", "pytest", "-v", "--no-header", "--tb=short", "--color=no",
              "-p", "no:cacheprovider", f"--rootdir={HERE}", f"--junit-xml={results}/lab.{number}.xml", str(HERE)]
    return subprocess.Popen(
        [HERE / "vm", "--timeout", str(int(TIMEOUT)), "--", *pytest, *arguments],
        cwd=HERE, env={**os.environ, "LAB_SHARD": str(number)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def relay(process, lock):
    """The lines of tests at once, the rest when the process is done."""
    rest = []
    for line in process.stdout:
        if found := re.match(r"(\S+::.*? (?:PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b.*?)\s*(\[ *\d+%\])?$", line):
            with lock:
                print(found[1], flush=True)
        else:
            rest.append(line)
    process.wait()
    with lock:
        print("".join(line for line in rest if not line.startswith(("collecting", "=== test session"))), flush=True)


def merge(out):
    """One junit file out of the shards'; returns the sums."""
    sums = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    whole = xml.Element("testsuites")
    for number in range(COUNT):
        path = out / f"lab.{number}.xml"
        if not path.exists():
            sums["errors"] += 1
            continue
        for suite in xml.parse(path).getroot().iter("testsuite"):
            whole.append(suite)
            for key in sums:
                sums[key] += int(suite.get(key, 0))
        path.unlink()
    xml.ElementTree(whole).write(out / "lab.xml")
    return sums


def main():
    out, results, arguments = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    begun = time.monotonic()
    for folder in ("taken", "left"):
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir()
    (out / "late").unlink(missing_ok=True)
    lock = threading.Lock()
    processes = [begin(number, results, arguments) for number in range(COUNT)]
    threads = [threading.Thread(target=relay, args=(process, lock)) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(1)
            if time.time() > UNTIL:
                (out / "late").touch()
    sums = merge(out)
    failed = sums["failures"] + sums["errors"]
    passed = sums["tests"] - failed - sums["skipped"]
    if left := sorted(path.name for path in (out / "left").iterdir()):
        print(f"lab: time was up before {len(left)} scenarios began:", *left, sep="\n  ")
    skipped = f", {sums['skipped']} skipped" if sums["skipped"] else ""
    print(f"lab: {passed} passed, {failed} failed{skipped} in {time.monotonic() - begun:.0f} s")
    # 5: a pattern that no test's name fits.
    states = {process.returncode for process in processes} - {0, 5}
    return max(states) if states else int(failed > 0 or passed + sums["skipped"] == 0)


if __name__ == "__main__":
    sys.exit(main())
