"""What was used up, by hand: every number here can be worked out on paper."""

from __future__ import annotations

from typing import Any

import pytest

import surgetank as st
from crash_day import crash_day
from surgetank.measure.saturation import FULL, Saturation, rank, saturation
from surgetank.measure.saturation.liquidation_capacity import keepers
from surgetank.testing import executed, make_trace, unfinished
from surgetank.trace import Bearer, Deferral, MarketKind, OutcomeReason, Trace

MS = 1_000_000
S = 1_000 * MS
TENDERMINT = {"kind": "tendermint", "block_messages_max": 100, "block_bytes_max": 10_000}
IMPATIENT = {f"timeout_{step}_ms": 1.0 for step in ("commit", "propose", "vote")}


def found(trace: Trace) -> dict[str, Saturation]:
    return {s.resource: s for s in saturation(trace)}


def gauges(busy_ms: dict[int, list[int]], column: str, step_ms: int = 500) -> list[dict[str, Any]]:
    """Readings of one cumulative column, node by node."""
    return [
        {"node": k, "time_ns": i * step_ms * MS, "up": 1, column: total * MS}
        for k, totals in busy_ms.items()
        for i, total in enumerate(totals)
    ]


def market(*rows: tuple[float, str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"time_ns": round(t * S), "kind": MarketKind.named(kind), **cells}
        for t, kind, cells in rows
    ]


def test_servers_by_hand() -> None:
    # Node 1 works 300 of 1,000 ms at first, then 1,900 of 2,000 server-ms from .5 s to 1.5 s.
    busy = {0: [0, 100, 200, 300, 400], 1: [0, 150, 1100, 2050, 2200]}
    layer = {"layer": {"service": {"servers": 2}}}
    trace = make_trace({"gauges": gauges(busy, "validation_busy_ns")}, scenario=layer, nodes=2)
    one = found(trace)["validation"]
    assert (one.where, one.at_s) == ("node 1", 0.5)
    assert one.value == pytest.approx(0.95)
    assert one.peak == pytest.approx(0.95)
    assert "95% of the time" in one.what
    # What the producer did not tell is not there, and not zero.
    assert not {"uplink", "downlink", "execution"} & set(found(trace))


def test_a_window_is_as_long_as_a_block_interval() -> None:
    # Blocks every 2 s: a server that works 1 s for each is used to half, not wholly.
    busy = {0: [0, 500, 1000, 1000, 1000, 1500, 2000, 2000, 2000]}
    blocks = [{"height": h, "decided_ns": 2 * h * S} for h in range(1, 4)]
    tables = {"gauges": gauges(busy, "execution_busy_ns")}
    assert found(make_trace(tables, nodes=1))["execution"].value == 1
    one = found(make_trace(tables | {"blocks": blocks}, nodes=1))["execution"]
    assert (one.value, one.peak) == (0.5, 1.0)


def test_unbounded_links_are_left_out() -> None:
    tables = {"gauges": gauges({0: [0, 400, 800]}, "uplink_busy_ns")}
    bound = {"network": {"uplink_mbps": 10.0}}
    assert found(make_trace(tables, scenario=bound, nodes=1))["uplink"].value == pytest.approx(0.8)
    unbounded = {"network": {"uplink_mbps": 0.0}}
    assert "uplink" not in found(make_trace(tables, scenario=unbounded, nodes=1))


def test_queues_by_length_and_by_refusal() -> None:
    rows = [{"node": 0, "time_ns": S, "ingress_len": 40, "mempool_len": 7, "up": 1}]
    setting = {"layer": {"queue": {"ingress_max": 100, "mempool_max": 10}}}
    by_length = found(make_trace({"gauges": rows}, scenario=setting))
    assert (by_length["ingress-queue"].value, by_length["mempool"].value) == (0.4, 0.7)
    refused = unfinished(0, S, 2, reason=OutcomeReason.INGRESS_FULL, gateway=2, gateway_ns=3 * S)
    by_refusal = found(make_trace({"gauges": rows, "messages": [refused]}, scenario=setting))
    one = by_refusal["ingress-queue"]
    assert (one.value, one.where, one.at_s) == (1.0, "node 2", 3.0)
    assert by_refusal["mempool"].value == 0.7


def test_block_space_by_hand() -> None:
    blocks = [
        {"height": h, "decided_ns": round(t * S), "messages": n, "size_bytes": 900}
        for h, (t, n) in enumerate([(1, 10), (2.2, 60), (2.9, 80)], start=1)
    ]
    one = found(make_trace({"blocks": blocks}, scenario={"layer": {"consensus": TENDERMINT}}))
    # The last second holds two blocks, 60 and 80 of 100.
    assert one["block-space"].value == pytest.approx(0.7)
    assert one["block-space"].peak == pytest.approx(0.8)
    bytes_max = TENDERMINT | {"block_bytes_max": 1_500}
    messages = [executed(0, 0, S, size_bytes=700)]
    tight = make_trace(
        {"blocks": blocks, "messages": messages}, scenario={"layer": {"consensus": bytes_max}}
    )
    # 900 bytes and a message of 700 more do not fit 1,500: full.
    assert found(tight)["block-space"].value == 1
    at_once = {"kind": "single", "window_ms": 0.0, "block_messages_max": 1}
    batches = make_trace({"blocks": blocks}, scenario={"layer": {"consensus": at_once}})
    assert "block-space" not in found(batches)


def test_time_in_later_rounds_by_hand() -> None:
    times = [(1, 0), (2, 0), (5, 2), (6, 0), (7, 0)]
    blocks = [
        {"height": h, "decided_ns": t * S, "round": r} for h, (t, r) in enumerate(times, start=1)
    ]
    # Half of the nodes have executed height 2 half a second after it was decided.
    runs = [
        {"height": h, "node": k, "decided_ns": t * S, "executed_ns": t * S + S // 2}
        for h, (t, _) in enumerate(times, start=1)
        for k in range(3)
    ]
    trace = make_trace(
        {"blocks": blocks, "executions": runs},
        scenario={"layer": {"consensus": TENDERMINT | IMPATIENT}},
        end_ns=10 * S,
        flow_end_ns=8 * S,
    )
    one = found(trace)["consensus-timeouts"]
    # Height 3 from 2.5 to 5 s, and nothing decided from 7.5 s to the end: 5 s of the 10.
    assert one.value == pytest.approx(0.5)
    assert one.peak == 1
    single = make_trace({"blocks": blocks}, scenario={"layer": {"consensus": {"kind": "single"}}})
    assert "consensus-timeouts" not in found(single)


KEEPERS = {"count": 2, "orders_max": 2, "resend_ms": 2_000.0}
TENDED: dict[str, Any] = {"market": {}, "flow": {"keepers": KEEPERS}}


def test_keepers_by_hand() -> None:
    due = [(1.0, "due", {"account": a}) for a in (0, 2, 4, 1, 3)]
    sent = {"ref_ns": S}
    rows = market(
        *due,
        (1.9, "oracle", {"ref_ns": round(1.5 * S)}),
        (2.0, "liquidation-sent", {"account": 0, "message": 0, **sent}),
        (2.0, "liquidation-sent", {"account": 2, "message": 1, **sent}),
        (2.0, "liquidation-sent", {"account": 1, "message": 2, **sent}),
        (2.5, "liquidation-sent", {"account": 4, "message": 3, **sent}),
        (3.0, "liquidated", {"account": 4, "ref_ns": S}),
    )
    one = found(make_trace({"market": rows}, scenario=TENDED))["keepers"]
    # Keeper 0 has accounts 0, 2, 4 and may send two orders: account 4 waits. 3 is the other's.
    assert (one.value, one.where, one.at_s) == (1.0, "keeper 0", 2.0)
    assert "1 more were due" in one.what
    # Not so if the price it had heard was from before account 4 was due.
    early = [r | {"ref_ns": S // 2} if r["kind"] == MarketKind.ORACLE else r for r in rows]
    two = found(make_trace({"market": early}, scenario=TENDED))["keepers"]
    assert two.value == pytest.approx(2 / 3)


def test_of_equally_busy_keepers_the_first_is_named() -> None:
    """Eight keepers send one order each at the same time, in no order of theirs."""
    sent = [
        (2.0, "liquidation-sent", {"account": a, "ref_ns": S}) for a in (5, 3, 7, 0, 6, 1, 4, 2)
    ]
    setting = {"market": {}, "flow": {"keepers": KEEPERS | {"count": 8}}}
    trace = make_trace({"market": market(*sent)}, scenario=setting)
    named = {next(iter(keepers(trace))).where for _ in range(20)}
    assert named == {"keeper 0"}


def test_waiting_to_be_tried_again() -> None:
    """An order that failed and its account's next: that waited; one still in transit did not."""
    rows = market(
        *[(1.0, "due", {"account": a}) for a in (0, 2)],
        (1.5, "liquidation-sent", {"account": 0, "message": 0, "ref_ns": S}),
        (1.5, "liquidation-sent", {"account": 2, "message": 1, "ref_ns": S}),
        (3.5, "liquidation-sent", {"account": 0, "message": 2, "ref_ns": S}),
        (3.5, "liquidation-sent", {"account": 2, "message": 3, "ref_ns": S}),
    )
    # The first order is executed at 1.6 s; the second not before 3.6 s.
    messages = [executed(0, 3 * S // 2, S // 10), executed(1, 3 * S // 2, 21 * S // 10)]
    messages += [executed(2, 7 * S // 2, S), executed(3, 7 * S // 2, S)]
    setting = TENDED | {"flow": {"keepers": KEEPERS | {"orders_max": 50}}}
    one = found(make_trace({"market": rows, "messages": messages}, scenario=setting))["keepers"]
    assert (one.value, one.where) == (0.5, "keepers")


def liquidation(at_s: float, number: int, filled: bool = True) -> list[dict[str, Any]]:
    """An account closed whole, or by an order that found no one."""
    of = {"message": number, "account": number, "ref_ns": 0}
    if not filled:
        return market((at_s, "liquidated", {**of, "qty": 0}))
    return market(
        (at_s, "liquidation-trade", {"message": number, "account": number, "qty": -5}),
        (at_s, "liquidated", {**of, "qty": -5}),
    )


def test_one_that_stands_alone_is_no_share_of_a_hundred() -> None:
    """Of 500 liquidations in 25 s one finds no one, half a minute later: one of the last ten, and
    not the whole of its second. Fifteen of twenty in one second are three quarters."""
    many = [row for i in range(499) for row in liquidation(0.05 * i, i)]
    alone = found(make_trace({"market": many + liquidation(55.0, 499, filled=False)}))["book-depth"]
    assert (alone.value, "1 of 500" in alone.what) == (0.1, True)
    burst = [row for i in range(20) for row in liquidation(25 + 0.01 * i, 500 + i, i >= 15)]
    worst = found(make_trace({"market": many + burst}))["book-depth"]
    assert (worst.value, worst.at_s) == (0.75, 25.0)


def test_book_depth_by_hand() -> None:
    rows = market(
        (1.0, "liquidation-trade", {"message": 0, "account": 0, "qty": -5}),
        (1.0, "liquidated", {"message": 0, "account": 0, "qty": -5, "ref_ns": 0}),
        (1.1, "liquidation-trade", {"message": 1, "account": 1, "qty": -2}),
        (1.1, "liquidated", {"message": 1, "account": 1, "qty": -5, "ref_ns": 0}),
        (9.0, "liquidated", {"message": 2, "account": 2, "qty": 0, "ref_ns": 1}),
        (9.5, "liquidation-trade", {"message": 3, "account": 2, "qty": -5}),
        (9.5, "liquidated", {"message": 3, "account": 2, "qty": -5, "ref_ns": 1}),
    )
    one = found(make_trace({"market": rows}))["book-depth"]
    assert "2 of 4" in one.what
    # Fewer than ten: the share is of them all.
    assert (one.value, one.at_s) == (0.5, 1.0)
    fine = make_trace({"market": rows[:2]})
    assert found(fine)["book-depth"].value == 0
    # Options are auctioned: of the accounts below, only 0 and 1 hold the perpetual.
    options = {"market": {"positions": {"count": 2}, "options": {"iv": 0.8}}}
    assert "1 of 2" in found(make_trace({"market": rows}, scenario=options))["book-depth"].what
    # Where the venue itself closes in parts, coming again says nothing of the book.
    in_parts = {"market": {"margin": {"per_block": {"attempts": 50}}}}
    again = [{**r, "message": 9} for r in rows[:2]]
    assert found(make_trace({"market": [*rows[:2], *again]}))["book-depth"].value > 0
    parts = make_trace({"market": [*rows[:2], *again]}, scenario=in_parts)
    assert found(parts)["book-depth"].value == 0
    oracle = make_trace({"market": rows}, scenario={"market": {"margin": {"close_out": "oracle"}}})
    assert "book-depth" not in found(oracle)


def test_insurance_by_hand() -> None:
    rows = market((2.0, "insurance", {"amount": 25_000_000}), (3.0, "insurance", {"amount": 10**9}))
    setting = {"market": {"margin": {"insurance_usd": 100.0}}}
    one = found(make_trace({"market": rows}, scenario=setting))["insurance"]
    assert (one.value, one.at_s) == (0.75, 2.0)
    debt = market((2.0, "bad-debt", {"account": 0, "code": Bearer.VENUE, "amount": 5}))
    none = {"market": {"margin": {"insurance_usd": 0.0}}}
    assert found(make_trace({"market": debt}, scenario=none))["insurance"].value == 1


def test_limits_of_the_venue() -> None:
    rows = market(
        (1.0, "liquidated", {"account": 0}),
        (5.0, "liquidated", {"account": 1}),
        (8.0, "liquidated", {"account": 2}),
    )
    assert "liquidation-limits" not in found(make_trace({"market": rows}))
    code = {"account": 3, "code": Deferral.ATTEMPTS}
    rows += market(*((t, "liquidation-deferred", code) for t in (4.9, 5.2, 5.8)))
    # An auction whose price has still to fall is no limit.
    waiting = {"account": 3, "code": Deferral.AUCTION}
    rows += market(*((t, "liquidation-deferred", waiting) for t in (5.3, 5.4, 5.5)))
    one = found(make_trace({"market": rows}))["liquidation-limits"]
    assert (one.value, one.at_s) == (0.5, 1.0)  # fewer than ten: of them all


@pytest.mark.parametrize(
    ("fault", "value", "where"),
    [
        ({"kind": "crash", "nodes": "0"}, 0.3, "nodes 0"),
        ({"kind": "partition", "nodes": "0,1,2,3"}, 1.0, "nodes 0, 1, 2, 3"),
        ({"kind": "partition", "nodes": "0,1,2,3,4,5,6,7"}, 0.6, None),
        ({"kind": "slow", "nodes": "0,1", "asked": 5.0}, 0.6 * 0.8, "nodes 0, 1"),
        ({"kind": "loss", "nodes": "", "asked": 0.2}, 0.2, "all nodes"),
        ({"kind": "delay", "nodes": "", "asked": 1_000.0}, 0.5, "all nodes"),
    ],
)
def test_faults_by_hand(fault: dict[str, Any], value: float, where: str | None) -> None:
    row = {"index": 0, "at_ns": S, "until_ns": 3 * S, **fault}
    one = found(make_trace({"faults": [row]}, nodes=10))["faults"]
    assert one.value == pytest.approx(value)
    assert where in (None, one.where)
    assert one.at_s == 1


def test_causes_come_before_what_they_cause() -> None:
    """Full is full: the order of RESOURCES decides; below that the number does."""

    def one(resource: str, value: float) -> Saturation:
        return Saturation(resource, "", value, value, 0.0, "")

    given = [one("ingress-queue", 1.0), one("keepers", 0.9), one("validation", FULL)]
    given += [one("mempool", 0.95), one("uplink", 0.3)]
    names = [s.resource for s in sorted(given, key=lambda s: rank(s.resource, s.value))]
    assert names == ["validation", "ingress-queue", "mempool", "keepers", "uplink"]


def test_measures_and_limits() -> None:
    """`saturation.<resource>` is a measure, and `limits.saturation_max` bounds it."""
    trace = crash_day()
    measures = st.measure(trace)
    named = {name.partition(".")[2] for name in measures if name.startswith("saturation.")}
    assert named == {s.resource for s in saturation(trace)} >= {"faults", "insurance"}
    values = {"limits.saturation_max.faults": 0.5, "limits.saturation_max.insurance": 1.0}
    limits = st.load("calm").with_values(values).limits.as_mapping()
    assert limits["saturation_max.faults"] == 0.5
    verdict = st.judge(measures, {k: v for k, v in limits.items() if "saturation" in k}, trace)
    judged = {r.name: r.ok for r in verdict.reasons}
    assert judged["saturation_max.faults"] is False
    assert judged["saturation_max.insurance"] is True


def test_an_empty_trace_tells_nothing() -> None:
    assert saturation(make_trace(scenario={"layer": {"consensus": {"kind": "none"}}})) == ()
