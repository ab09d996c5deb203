"""Which column has what: names that are recognised, and the units in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.network_file.rows import FileRow
from surgetank.network_file.units import NUMBER, RATE, SHARE, TIME, Kind, in_unit, split_unit

__all__ = ["LINK_COLUMNS", "NODE_COLUMNS", "NetworkColumns"]


@dataclass(frozen=True)
class _Column:
    """Names of a column, the preferred first; of a quantity, without its unit."""

    names: tuple[str, ...]
    kind: Kind | None = None
    """None = text."""
    example: str = ""


NODE_COLUMNS: Final[Mapping[str, _Column]] = {
    "id": _Column(("id", "node", "node_id")),
    "name": _Column(("name", "moniker", "validator", "label")),
    "power": _Column(("power", "voting_power", "stake", "weight", "tokens"), NUMBER, "power"),
    "region": _Column(
        ("region", "zone", "datacenter", "location", "city", "city_code", "country", "country_code")
    ),
    "machine": _Column(("machine", "machine_class", "instance", "instance_type")),
    "speed": _Column(("speed",), NUMBER, "speed"),
    "uplink": _Column(
        ("uplink", "bw_up", "bandwidth_up", "host_bandwidth_up"), RATE, "uplink_mbps"
    ),
    "downlink": _Column(
        ("downlink", "bw_down", "bandwidth_down", "host_bandwidth_down"), RATE, "downlink_mbps"
    ),
}
LINK_COLUMNS: Final[Mapping[str, _Column]] = {
    "from": _Column(("from", "source", "src")),
    "to": _Column(("to", "target", "dst", "destination")),
    "delay": _Column(("delay", "latency", "one_way_delay"), TIME, "delay_ms"),
    "rtt": _Column(("rtt", "ping", "round_trip"), TIME, "rtt_ms"),
    "jitter": _Column(("jitter",), TIME, "jitter_ms"),
    "loss": _Column(("loss", "packet_loss"), SHARE, "loss"),
    "rate": _Column(("", "rate", "bandwidth"), RATE, "mbps"),
}


class NetworkColumns:
    """The columns of a table of nodes or links that mean something here."""

    def __init__(self, rows: Sequence[FileRow], known: Mapping[str, _Column]) -> None:
        self.known = known
        # GML's rows need not have the same cells.
        self.headers = list(dict.fromkeys(header for row in rows for header in row.cells))
        self.found: dict[str, tuple[str, str]] = {}
        """What it is → header and unit."""
        for what, column in known.items():
            fits = [
                (column.names.index(stem), header, unit)
                for header in self.headers
                for stem, unit in [_parts(header, column)]
                if stem in column.names and (stem or unit)
            ]
            if fits:
                _, header, unit = min(fits)
                self.found[what] = header, unit

    def __contains__(self, what: str) -> bool:
        return what in self.found

    @property
    def unused(self) -> list[str]:
        """Headers of columns that are not used."""
        used = {header for header, _ in self.found.values()}
        return [header for header in self.headers if header not in used]

    def text(self, row: FileRow, what: str) -> str:
        """A cell's text; empty if there is none."""
        return row.cells.get(self.found[what][0], "") if what in self.found else ""

    def quantity(self, row: FileRow, what: str) -> float | None:
        """A cell in our unit: ms, Mbit/s, a share, a number; None if it is empty.

        Raises:
            SurgetankError: naming row, column and remedy.
        """
        cell = self.text(row, what)
        column = self.known[what]
        if not cell or column.kind is None:
            return None
        header, unit = self.found[what]
        try:
            return in_unit(cell, column.kind, unit)
        except ValueError as error:
            hint = f"Write numbers under {column.example}"
            hint += f", or with a unit, such as 10 {column.kind.shown}" if column.kind.shown else ""
            raise SurgetankError(f"{header}: {error}", place=row.place, hint=hint) from None

    def units(self) -> Iterable[str]:
        """What is said about units that are not ours."""
        for what, (header, unit) in self.found.items():
            kind = self.known[what].kind
            if kind is not None and kind.units.get(unit, 1.0) != 1.0:
                yield f"{header} is taken in {unit.replace('_', '/')}"


def _parts(header: str, column: _Column) -> tuple[str, str]:
    plain = header.removesuffix("_one_way")
    if column.kind is None or plain in column.names:
        return plain, ""
    return split_unit(plain, column.kind)
