"""The verdict as JUnit XML, which every CI server reads: one test case per check and limit."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from surgetank.trace import Run
from surgetank.verdict import Status, Verdict

__all__ = ["junit_xml", "write_junit"]

#: No reason is NO LIMIT, which is the status of answers without reasons.
_ELEMENT = {Status.FAIL: "failure", Status.INVALID: "error", Status.UNKNOWN: "skipped"}
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(verdict: Verdict, run: Run) -> str:
    """FAIL is a failure, INVALID an error, UNKNOWN and limits left out are skipped; the run's name
    is in the properties."""
    count = {tag: 0 for tag in _ELEMENT.values()}
    for reason in (*verdict.failed, *verdict.left_out):
        count[_ELEMENT[reason.status]] += 1
    totals = {
        "tests": str(len(verdict.reasons) + len(verdict.left_out)),
        "failures": str(count["failure"]),
        "errors": str(count["error"]),
        "skipped": str(count["skipped"]),
        "time": "0",
    }
    root = ET.Element("testsuites", {"name": "surgetank", **totals})
    suite = ET.SubElement(root, "testsuite", {"name": _clean(run.name), **totals})
    properties = ET.SubElement(suite, "properties")
    named = {
        "verdict": str(verdict.status),
        "seed": str(run.seed),
        "scenario_hash": run.scenario_hash,
        "build": run.build,
    }
    for name, value in named.items():
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    for reason in (*verdict.reasons, *verdict.left_out):
        case = ET.SubElement(
            suite,
            "testcase",
            {
                "name": _clean(f"{reason.title} ({reason.name})"),
                "classname": f"surgetank.{_clean(run.name)}",
                "time": "0",
            },
        )
        if reason.ok:
            ET.SubElement(case, "system-out").text = _clean(reason.text)
            continue
        attributes = {"message": _clean(reason.text)}
        if reason.status is not Status.UNKNOWN:
            attributes["type"] = str(reason.status)
        ET.SubElement(case, _ELEMENT[reason.status], attributes).text = _clean(reason.text)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def write_junit(verdict: Verdict, run: Run, path: str | Path) -> Path:
    """Writes the file and returns its path."""
    target = Path(path)
    target.write_text(junit_xml(verdict, run), encoding="utf-8")
    return target


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
