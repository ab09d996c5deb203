"""Terminal output of a network file."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surgetank.console.terminal import dim
from surgetank.errors import printable
from surgetank.network_file import NetworkFile, with_network
from surgetank.network_file.summary import Summary, summarise
from surgetank.number_format import share
from surgetank.report.network import facts, sentence
from surgetank.scenario import load

__all__ = ["show_file", "show_network"]

#: Nodes whose bars are shown.
_SHOWN = 12
_BAR = 24


def show_file(console: Console, found: NetworkFile) -> None:
    """A file by itself; the scenario `calm` gives what it lacks."""
    network = with_network(load("calm"), found).network
    show_network(console, found, summarise(network), found.notices)


def show_network(
    console: Console, found: NetworkFile, summary: Summary, notices: tuple[str, ...]
) -> None:
    """What was read, the numbers, and the largest powers as bars."""
    head = f"{' and '.join(found.files)}: {found.format}, {found.count} nodes"
    console.print(Text(printable(head), style="bold"), soft_wrap=True)
    for notice in notices:
        console.print(dim(f"  {notice}"), soft_wrap=True)
    console.print(sentence(summary))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in facts(summary):
        table.add_row(Text(name, style="dim"), Text(printable(value)))
    console.print(table)
    order = sorted(range(summary.nodes), key=lambda k: (-summary.shares[k], k))
    bars = Table(box=None, padding=(0, 2, 0, 0))
    bars.add_column("node")
    bars.add_column("power", justify="right")
    bars.add_column("")
    for k in order[:_SHOWN]:
        part = summary.shares[k]
        length = round(_BAR * part / summary.largest_share)
        label = Text(printable(summary.names[k]), overflow="ellipsis", no_wrap=True)
        bars.add_row(label, share(part), "█" * length)
    console.print(bars)
    if len(order) > _SHOWN:
        rest = sum(summary.shares[k] for k in order[_SHOWN:])
        console.print(dim(f"… and {len(order) - _SHOWN} more with {share(rest)}; --json has all"))
