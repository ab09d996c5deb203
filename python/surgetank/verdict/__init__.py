"""Numbers against limits → PASS, FAIL, INVALID or UNKNOWN, with reasons.

`judging` holds measures against limits, `validity` asks first whether the run did what was asked,
`junit` writes both for a CI server.
"""

from surgetank.verdict.judging import EXIT_CODES, Reason, Status, Verdict, judge

__all__ = ["EXIT_CODES", "Reason", "Status", "Verdict", "judge"]
