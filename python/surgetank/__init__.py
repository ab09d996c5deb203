"""surgetank: stress tests for the messaging layer of a derivatives venue.

>>> import surgetank as st
>>> st.run(st.load("calm"), seed=7).verdict.status  # doctest: +SKIP
<Status.PASS: 'PASS'>
"""

import logging
from typing import TYPE_CHECKING

from surgetank.lazy import export_lazily

if TYPE_CHECKING:
    from surgetank.compare import Comparison, compare
    from surgetank.errors import SurgetankError
    from surgetank.explain import Explanation, explain
    from surgetank.league import League, league
    from surgetank.measure import Measure, Measures, measure
    from surgetank.network_file import NetworkFile, read_network, with_network
    from surgetank.positions import PositionBook, read_positions
    from surgetank.risk import Risk, risk
    from surgetank.run import Result, run
    from surgetank.scenario import Scenario, load, names
    from surgetank.search import Answer, Frontier, search
    from surgetank.search.sweep import frontier
    from surgetank.simulate import simulate
    from surgetank.tape import Tape, read_tape
    from surgetank.trace import Run, Trace
    from surgetank.venue import ServedVenue, serve
    from surgetank.verdict import Reason, Status, Verdict, judge
    from surgetank.version import __version__

__all__ = [
    "Answer",
    "Comparison",
    "Explanation",
    "Frontier",
    "League",
    "Measure",
    "Measures",
    "NetworkFile",
    "PositionBook",
    "Reason",
    "Result",
    "Risk",
    "Run",
    "Scenario",
    "ServedVenue",
    "Status",
    "SurgetankError",
    "Tape",
    "Trace",
    "Verdict",
    "__version__",
    "compare",
    "explain",
    "frontier",
    "judge",
    "league",
    "load",
    "measure",
    "names",
    "read_network",
    "read_positions",
    "read_tape",
    "risk",
    "run",
    "search",
    "serve",
    "simulate",
    "with_network",
]

# A library is silent unless its user configures the logger "surgetank".
logging.getLogger(__name__).addHandler(logging.NullHandler())

export_lazily(
    __name__,
    {
        "compare": ["Comparison", "compare"],
        "errors": ["SurgetankError"],
        "explain": ["Explanation", "explain"],
        "league": ["League", "league"],
        "measure": ["Measure", "Measures", "measure"],
        "network_file": ["NetworkFile", "read_network", "with_network"],
        "positions": ["PositionBook", "read_positions"],
        "risk": ["Risk", "risk"],
        "run": ["Result", "run"],
        "scenario": ["Scenario", "load", "names"],
        "search": ["Answer", "Frontier", "search"],
        "search.sweep": ["frontier"],
        "simulate": ["simulate"],
        "tape": ["Tape", "read_tape"],
        "trace": ["Run", "Trace"],
        "venue": ["ServedVenue", "serve"],
        "verdict": ["Reason", "Status", "Verdict", "judge"],
        "version": ["__version__"],
    },
)
