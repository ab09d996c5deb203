"""surgetank: stress tests for the messaging layer of a derivatives venue.

>>> import surgetank as st
>>> st.run(st.load("calm"), seed=7).verdict.status  # doctest: +SKIP
<Status.PASS: 'PASS'>
"""

from importlib.metadata import PackageNotFoundError, version

from surgetank.compare import Comparison, compare
from surgetank.errors import SurgetankError
from surgetank.league import League, league
from surgetank.measure import Measure, Measures, measure
from surgetank.run import Result, run
from surgetank.scenario import Scenario, load, names
from surgetank.search import Answer, Frontier, frontier, search
from surgetank.simulate import simulate
from surgetank.tape import Tape, read_tape
from surgetank.trace import Run, Trace
from surgetank.verdict import Reason, Status, Verdict, judge

try:
    __version__ = version("surgetank")
except PackageNotFoundError:  # imported from a checkout that is not installed
    __version__ = "0+unknown"

__all__ = [
    "Answer",
    "Comparison",
    "Frontier",
    "League",
    "Measure",
    "Measures",
    "Reason",
    "Result",
    "Run",
    "Scenario",
    "Status",
    "SurgetankError",
    "Tape",
    "Trace",
    "Verdict",
    "__version__",
    "compare",
    "frontier",
    "judge",
    "league",
    "load",
    "measure",
    "names",
    "read_tape",
    "run",
    "search",
    "simulate",
]
