"""Results as HTML for notebooks: what the terminal shows of them, in its colours."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

from surgetank.attacker import BestResponse
from surgetank.compare import Comparison
from surgetank.console.attacks import show_response
from surgetank.console.books import show_book
from surgetank.console.comparisons import show_comparison
from surgetank.console.explanations import show_explanation
from surgetank.console.leagues import show_league
from surgetank.console.networks import show_file
from surgetank.console.risks import show_risk
from surgetank.console.runs import show_result
from surgetank.console.searches import show_answer, show_frontier
from surgetank.console.tapes import show_fit, show_inspection
from surgetank.console.terminal import Terminal
from surgetank.explain import Explanation
from surgetank.fit import Fit
from surgetank.league import League
from surgetank.network_file import NetworkFile
from surgetank.positions import PositionBook
from surgetank.risk import Risk
from surgetank.run import Result
from surgetank.search import Answer, Frontier
from surgetank.tape.inspection import Inspection

__all__ = ["html_of"]

#: Characters of a line: that of a notebook's cell.
_WIDTH: Final = 110
_FRAME: Final = '<pre style="line-height:1.3;white-space:pre">{code}</pre>'
_SHOWN: Final[tuple[tuple[type, Callable[[Terminal, Any], None]], ...]] = (
    (Result, show_result),
    (Answer, show_answer),
    (Frontier, show_frontier),
    (League, show_league),
    (Comparison, show_comparison),
    (Explanation, show_explanation),
    (Risk, show_risk),
    (PositionBook, show_book),
    (NetworkFile, show_file),
    (Inspection, show_inspection),
    (Fit, show_fit),
    (BestResponse, lambda console, found: show_response(found, console)),
)


def html_of(result: object) -> str:
    """A result as an HTML fragment without scripts.

    Raises:
        TypeError: the terminal shows nothing of this type.
    """
    for kind, show in _SHOWN:
        if isinstance(result, kind):
            # In a kernel, rich would also display every line by itself.
            console = Terminal(
                file=io.StringIO(),
                record=True,
                width=_WIDTH,
                color_system="truecolor",
                force_jupyter=False,
            )
            show(console, result)
            return console.export_html(inline_styles=True, code_format=_FRAME)
    raise TypeError(f"{type(result).__name__} has no form for a notebook")
