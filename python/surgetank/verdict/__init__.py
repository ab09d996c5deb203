"""Measures against limits → PASS, FAIL, INVALID or UNKNOWN, with reasons.

`judging` compares measures with limits, `validity` first checks the run itself, `junit` writes both
for a CI server.
"""

from surgetank.verdict.judging import EXIT_CODES, NO_LIMITS, Reason, Status, Verdict, judge

__all__ = ["EXIT_CODES", "NO_LIMITS", "Reason", "Status", "Verdict", "judge"]
