# Runs the scenarios as several pytest processes side by side inside one machine:
# a scenario waits more than it works, so two finish in little more than the time
# of one. Prints each test's line as it comes, each process's report as one block,
# and a last line with the sums; writes one lab.xml. Arguments go to pytest.
import os
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

from warm import warm

HERE = Path(__file__).resolve().parent
COUNT = int(os.environ.get("LAB_SHARDS", "2"))


def begin(number, results, arguments):
    return subprocess.Popen(
        [sys.executable, "-B", "-m", "pytest", "-v", "--no-header", "--tb=short", "--color=no", "-p", "no:cacheprovider",
         f"--rootdir={HERE}", f"--junit-xml={results}/lab.{number}.xml", *arguments],
        cwd=HERE, env={**os.environ, "LAB_SHARD": f"{number}/{COUNT}", "COLUMNS": "80"},
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


def merge(results):
    """One junit file out of the shards'; returns the sums."""
    sums = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    whole = xml.Element("testsuites")
    for number in range(COUNT):
        path = Path(results) / f"lab.{number}.xml"
        if not path.exists():
            sums["errors"] += 1
            continue
        for suite in xml.parse(path).getroot().iter("testsuite"):
            whole.append(suite)
            for key in sums:
                sums[key] += int(suite.get(key, 0))
        path.unlink()
    xml.ElementTree(whole).write(Path(results) / "lab.xml")
    return sums


def main():
    results, arguments = sys.argv[1], sys.argv[2:]
    begun = time.monotonic()
    lock = threading.Lock()
    print("lab: read {:.0f} MB of programs in {:.0f} s".format(*warm()), flush=True)
    processes = [begin(number, results, arguments) for number in range(COUNT)]
    threads = [threading.Thread(target=relay, args=(process, lock)) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sums = merge(results)
    failed = sums["failures"] + sums["errors"]
    passed = sums["tests"] - failed - sums["skipped"]
    skipped = f", {sums['skipped']} skipped" if sums["skipped"] else ""
    print(f"lab: {passed} passed, {failed} failed{skipped} in {time.monotonic() - begun:.0f} s")
    # 5: a shard to which no test fell.
    states = {process.returncode for process in processes} - {0, 5}
    return max(states) if states else int(failed > 0 or passed + sums["skipped"] == 0)


if __name__ == "__main__":
    sys.exit(main())
