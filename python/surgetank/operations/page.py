"""The page for operators: what a reading says, as HTML; whole, and in parts that are sent anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from markupsafe import Markup

from surgetank.operations.readings import Sample, VenueReading

__all__ = ["page", "parts"]

#: Parts of the page, in their order, with their headings.
PARTS: Final = {
    "state": "State",
    "markets": "Markets",
    "queue": "Queue and answers",
    "sessions": "Sessions",
    "connections": "Refused and cut",
    "storage": "Journal and recovery",
}
#: Markets whose books are drawn.
_MARKETS: Final = 8
_TRADES: Final = 15
_SENTENCES: Final = {
    "serving": "Clients are served.",
    "recovering": "The journal is being read; clients cannot log on yet.",
    "draining": "What waits is answered and synced; orders that add risk are refused.",
    "stopped": "The service has ended.",
    "stalled": "The venue's thread has not looked at its clock for some seconds.",
    "disk-full": "The disk is full: nothing is accepted until there is room.",
}


def page(reading: VenueReading, history: Sequence[Sample], address: str) -> str:
    """The whole page, which needs no script to be read."""
    from surgetank.report.shell import render_template  # slow to import, and not needed to serve

    return render_template(
        "operator.html.j2",
        scripts=("operator.js",),
        status="",
        address=address,
        parts=parts(reading, history),
        titles=PARTS,
    )


def parts(reading: VenueReading, history: Sequence[Sample]) -> dict[str, Markup]:
    """The content of each part by its name."""
    from surgetank.report.shell import macros

    made = macros("operator_parts.html.j2")
    venue, disk = reading.venue, reading.disk
    sessions = [] if venue is None else [_session(one, venue, reading) for one in _sessions(venue)]
    found: dict[str, Markup] = {
        "state": made.state(
            reading.health,
            _SENTENCES[reading.health.state],
            venue,
            _rates(history),
            _spark(_rates(history)),
            _quantile(disk["sync_ns"], 0.99),
            reading.free_bytes / 1e9,
        ),
        "markets": made.markets([_market(one) for one in _markets(venue)]),
        "queue": made.queue(venue, _times(venue)),
        "sessions": made.sessions(sessions, venue["intake"]["connections"] if venue else 0),
        "connections": made.connections(reading.connections, venue),
        "storage": made.storage(reading, _quantile(disk["sync_ns"], 0.5)),
    }
    return found


def _markets(venue: dict[str, Any] | None) -> list[dict[str, Any]]:
    return venue["markets"][:_MARKETS] if venue else []


def _sessions(venue: dict[str, Any]) -> list[dict[str, Any]]:
    sessions: list[dict[str, Any]] = venue["intake"]["sessions"]
    return sessions


def _market(market: dict[str, Any]) -> dict[str, Any]:
    """A market in dollars and coins."""
    tick, lot = market["tick_usd"], market["lot"]

    def levels(side: str) -> list[tuple[str, str]]:
        return [(_price(price, tick), _size(size, lot)) for price, size in market[side]]

    trades = [
        {
            "time": _clock(trade["time_ns"]),
            "price": _price(trade["price"], tick),
            "size": _size(trade["quantity"], lot),
            "side": "bought" if trade["taker_side"] == "Buy" else "sold",
            "liquidation": trade["liquidation"],
        }
        for trade in market["trades"][:_TRADES]
    ]
    return {
        "name": market["name"],
        "mark": _price(market["mark"], tick),
        "oracle": _price(market["oracle"], tick),
        "open_interest": _size(market["open_interest"], lot),
        "orders": market["orders"],
        "bids": levels("bids"),
        "asks": levels("asks"),
        "trades": trades,
        "happened": market["happened"],
    }


def _session(one: dict[str, Any], venue: dict[str, Any], reading: VenueReading) -> dict[str, Any]:
    connection = str(one["connection"])
    return one | {
        "seconds": max(reading.time_ns - one["since_ns"], 0) // 1_000_000_000,
        "streams": venue["streams"].get(connection, 0),
        "outbound_bytes": venue["outbound_bytes"].get(connection, 0),
    }


def _times(venue: dict[str, Any] | None) -> tuple[str, str]:
    durable = venue["intake"]["tally"]["durable_ns"] if venue else {"counts": [], "sum": 0}
    return _quantile(durable, 0.5), _quantile(durable, 0.99)


def _quantile(distribution: dict[str, Any], share: float) -> str:
    """The bound that this share of the times does not exceed: a power of two, in ns."""
    counts: list[int] = distribution["counts"]
    left = share * sum(counts)
    if not left:
        return "none yet"
    for power, count in enumerate(counts):
        left -= count
        if left <= 0:
            ms = 2**power / 1e6
            return f"≤ {ms:.3g} ms" if ms < 1e3 else f"≤ {ms / 1e3:.3g} s"
    return "none yet"


def _rates(history: Sequence[Sample]) -> list[float]:
    """Requests a second between samples."""
    return [
        max(after.sequence - before.sequence, 0) / (after.seconds - before.seconds)
        for before, after in pairwise(history)
        if after.seconds > before.seconds
    ]


def _spark(rates: Sequence[float]) -> str:
    """The points of a line over 120 × 32 units; empty before there are two."""
    if len(rates) < 2:
        return ""
    most = max(*rates, 1.0)
    start = 120 - len(rates)
    return " ".join(f"{start + i},{31 - 30 * rate / most:.1f}" for i, rate in enumerate(rates))


def _price(ticks: int, tick: float) -> str:
    return f"{ticks * tick:,.{_places(tick)}f}"


def _size(lots: int, lot: float) -> str:
    return f"{lots * lot:,.{_places(lot)}f}"


def _places(step: float) -> int:
    """Decimal places in which a multiple of the step is exact, at most 9."""
    return next((n for n in range(9) if abs(step * 10**n - round(step * 10**n)) < 1e-9), 9)


def _clock(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3]
