"""The JUnit file that CI servers read."""

import xml.etree.ElementTree as ET
from pathlib import Path

from surgetank.catalogue import LIMITS
from surgetank.trace import Run
from surgetank.verdict import Reason, Status, Verdict
from surgetank.verdict.junit import junit_xml, write_junit
from surgetank.verdict.validity import CheckKind

RUN = Run('black "thursday" & <co>', 7, "ab", "0.1.0+c\x07")


def verdict() -> Verdict:
    return Verdict(
        Status.INVALID,
        tuple(
            Reason(f"limit_{s.lower()}", 1.0, 2.0, s, f"a < b & \x00 {s}")
            for s in Status
            if s is not Status.NO_LIMIT
        ),
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
        "limit_pass (limit_pass)": "system-out",
        "limit_fail (limit_fail)": "failure",
        "limit_invalid (limit_invalid)": "error",
        "limit_unknown (limit_unknown)": "skipped",
    }
    seed = suite.find("properties/property[@name='seed']")
    assert seed is not None and seed.get("value") == "7"


def test_cases_are_named_by_title_and_identifier() -> None:
    check = Reason(
        "fault 0 slow", None, None, Status.INVALID, "", check=CheckKind.FAULT, of="slow, faults[0]"
    )
    bound = LIMITS["delay_p99_ms_max.cancel"]
    limit = Reason(bound.name, 1.0, 2.0, Status.PASS, "", bound)
    root = ET.fromstring(junit_xml(Verdict(Status.INVALID, (check, limit)), RUN))
    assert [case.get("name") for case in root.iter("testcase")] == [
        "Fault had the effect requested: slow, faults[0] (fault 0 slow)",
        "p99 latency of cancels (delay_p99_ms_max.cancel)",
    ]


def test_file(tmp_path: Path) -> None:
    path = write_junit(verdict(), RUN, tmp_path / "junit.xml")
    assert ET.parse(path).getroot().get("failures") == "1"
