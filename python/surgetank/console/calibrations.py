"""Terminal output of a calibration and of its check."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from surgetank.calibrate import Calibration
from surgetank.number_format import four_digits
from surgetank.predict import Prediction
from surgetank.predict.allowance import LEVEL

__all__ = ["show_calibration"]


def show_calibration(console: Console, found: Calibration, checked: Prediction | None) -> None:
    """What was estimated, then predictions beside measurements, then remarks."""
    console.print(_estimates(found))
    if checked is not None:
        console.print(_claims(checked))
    for note in found.remarks:
        console.print(note, soft_wrap=True, highlight=False)
    if checked is not None:
        text = f"Capacity is {checked.measured_line.definition}."
        console.print(text, soft_wrap=True, highlight=False)


def _estimates(found: Calibration) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.title, table.title_justify = f"{found.target}: {found.version}", "left"
    table.add_column("estimate", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("meaning", overflow="fold")
    for e in found.estimates:
        unit = "" if e.unit == "1" else f" {e.unit}"
        table.add_row(e.name, f"{four_digits(e.value)}{unit}", _span(e.low, e.high), e.what)
    return table


def _claims(found: Prediction) -> Table:
    """Predicted numbers with their interval below them, and whether they hold."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.title, table.title_justify = "Predicted and measured", "left"
    table.add_column("number", overflow="fold")
    for name in (f"predicted\n{LEVEL:.0%} interval", "measured", "off"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("result", overflow="fold")
    for c in found.claims:
        off = "—" if c.off is None else f"{c.off:+.0%}".replace("-", "−")
        status = "reported" if c.off_max is None else c.status
        table.add_row(
            c.name,
            f"{_known(c.predicted, c.unit)}\n{_span(c.predicted_low, c.predicted_high) or '—'}",
            f"{'≥ ' * c.at_least}{_known(c.measured, c.unit)}",
            off,
            f"{status} ({c.why})" if c.why else status,
        )
    return table


def _known(x: float | None, unit: str) -> str:
    return "—" if x is None else f"{four_digits(x)} {unit}"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{four_digits(low)} to {four_digits(high)}"
