"""The JUnit file that CI servers read."""

import xml.etree.ElementTree as ET
from pathlib import Path

from surgetank.trace import Run
from surgetank.verdict import Reason, Status, Verdict
from surgetank.verdict.junit import junit_xml, write_junit

RUN = Run('black "thursday" & <co>', 7, "ab", "0.1.0+c\x07")


def verdict() -> Verdict:
    return Verdict(
        Status.INVALID,
        tuple(Reason(f"limit_{s.lower()}", 1.0, 2.0, s, f"a < b & \x00 {s}") for s in Status),
    )


def test_one_case_per_reason() -> None:
    root = ET.fromstring(junit_xml(verdict(), RUN))
    suite = root.find("testsuite")
    assert root.tag == "testsuites" and suite is not None
    assert suite.get("name") == RUN.name
    counts = [suite.get(k) for k in ("tests", "failures", "errors", "skipped")]
    assert counts == ["4", "1", "1", "1"]
    kinds = {case.get("name"): case[0].tag for case in suite.iter("testcase")}
    assert kinds == {
        "limit_pass": "system-out",
        "limit_fail": "failure",
        "limit_invalid": "error",
        "limit_unknown": "skipped",
    }
    seed = suite.find("properties/property[@name='seed']")
    assert seed is not None and seed.get("value") == "7"


def test_file(tmp_path: Path) -> None:
    path = write_junit(verdict(), RUN, tmp_path / "junit.xml")
    assert ET.parse(path).getroot().get("failures") == "1"
