"""JUnit reports of the demonstration, read by two independent consumers with the counts that they must have.

Usage: tests/junit/read.py PATH_TO_GATE, with the packages junitparser and junit2html. The demonstration compares v7 with
v8: of 200 cases 10 are lost, 10 fail on both, and 180 pass; of 5 rules 2 fail and 2 are undecided. The last line says
how many checks passed.
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import junitparser
from junit2htmlreport.parser import Junit

GATE = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
passed = failed = 0


def check(what, found, wanted):
    global passed, failed
    if found == wanted:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}: {found!r}, expected {wanted!r}")


def gate(folder, *arguments):
    environment = {"PATH": os.environ["PATH"], "HOME": folder}
    subprocess.run([GATE, *arguments], cwd=folder, env=environment, check=False, capture_output=True)


def by_junitparser(path):
    """Test cases of all suites by what became of them, and the counts that the file itself gives."""
    report = junitparser.JUnitXml.fromfile(path)
    counts = {"tests": 0, "failure": 0, "error": 0, "skipped": 0, "passed": 0}
    names = set()
    for suite in report:
        for case in suite:
            counts["tests"] += 1
            names.add((case.classname, case.name))
            kinds = {type(result).__name__.lower() for result in case.result}
            kind = next((kind for kind in ("failure", "error", "skipped") if kind in kinds), "passed")
            counts[kind] += 1
    own = {"tests": report.tests, "failure": report.failures, "error": report.errors}
    return counts, own, names


def by_junit2html(path):
    report = Junit(path)
    cases = [case for suite in report.suites for case in suite.all()]
    counts = {"tests": len(cases), "failure": 0, "error": 0, "skipped": 0, "passed": 0}
    for case in cases:
        outcome = case.outcome()
        counts[{"failed": "failure", "absent": "skipped"}.get(outcome, outcome)] += 1
    return counts, report.html()


def demonstration(folder, profile, wanted):
    path = os.path.join(folder, f"{profile}.xml")
    gate(folder, "compare", "v7", "v8", "--junit", path, "--junit-profile", profile)
    counts, own, names = by_junitparser(path)
    check(f"junitparser, {profile}", counts, wanted)
    check(f"no name twice, {profile}", len(names), wanted["tests"])
    check(f"the file's own counts, {profile}", own, {key: wanted[key] for key in own})
    other, _ = by_junit2html(path)
    check(f"junit2html, {profile}", other, wanted)


def hostile(folder):
    """An answer that tries to be XML, HTML and a command forges nothing that a reader shows."""
    answer = "]]></failure></testcase><testcase name='forged'/> \x1b[31m <script>alert(1)</script> &amp; ::error::x"
    with open(os.path.join(folder, "base.jsonl"), "w", encoding="utf-8") as file:
        file.write('{"id": "a", "pass": true}\n{"id": "b", "pass": true}\n')
    with open(os.path.join(folder, "cand.jsonl"), "w", encoding="utf-8") as file:
        file.write(json.dumps({"id": "a", "pass": False, "error": answer}) + "\n" + json.dumps({"id": "b", "pass": True}) + "\n")
    path = os.path.join(folder, "hostile.xml")
    gate(folder, "decide", "base.jsonl", "cand.jsonl", "--no-gate", "--junit", path)
    counts, _, names = by_junitparser(path)
    check("a hostile text forges no case", {name for _, name in names if name in ("a", "b", "forged")}, {"a", "b"})
    check("and is one error", counts["error"] >= 1, True)
    _, page = by_junit2html(path)
    check("and stays text in a page", re.search(r"<script>alert", page), None)
    check("with its words", "alert(1)" in html.unescape(page), True)


def main():
    folder = tempfile.mkdtemp(prefix="gate-junit-")
    try:
        for name in ("evals", "fixtures"):
            shutil.copytree(os.path.join(ROOT, name), os.path.join(folder, name))
        wanted = {"tests": 205, "failure": 12, "error": 0, "skipped": 12, "passed": 181}
        demonstration(folder, "common", wanted)
        demonstration(folder, "strict", wanted)
        hostile(folder)
    finally:
        shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
