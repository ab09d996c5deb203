"""Funding, collateral and perpetuals on a run's page: what is drawn and said is in the trace."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest

from pages import page_of, venue
from surgetank.measure import measure
from surgetank.measure.ledger import ledger
from surgetank.measure.markets import by_market
from surgetank.number_format import NBSP, usd
from surgetank.report.charts.collateral import collateral_charts
from surgetank.report.charts.funding import funding_charts
from surgetank.report.perpetuals import market_rows
from surgetank.report.run_view import RunView
from surgetank.testing import executed, make_trace
from surgetank.trace import MarketKind
from surgetank.verdict import judge


@pytest.fixture(scope="module")
def view() -> RunView:
    measures = measure(venue())
    return RunView(venue(), measures, judge(measures, {}, venue()))


def test_funding_of_two_perpetuals_conserves_money(view: RunView) -> None:
    """What one side pays, the other receives; each perpetual by its own premium."""
    assert view.trace.stats.money_conserved
    paid = view.facts(MarketKind.FUNDING)
    assert paid["market"].unique().sort().to_list() == [0, 1] and paid["amount"].sum() > 0
    assert paid.group_by("time_ns").agg(pl.col("qty").n_unique()).get_column("qty").max() == 2
    rows = ledger(view.trace)
    assert rows["funding"].sum() == 0 and (rows["funding"] != 0).sum() >= 2


def test_the_funding_figure_has_each_perpetual_and_the_sums(view: RunView) -> None:
    (figure,) = funding_charts(view)
    paid = view.facts(MarketKind.FUNDING)
    sides = [
        sum(paid.filter(pl.col("qty") * sign > 0)["amount"] * view.quantum_usd) for sign in (1, -1)
    ]
    assert f"longs paid {usd(sides[0])}, shorts {usd(sides[1])}" in figure.summary
    assert [key.text for key in figure.keys] == ["BTC", "ETH", "paid by longs", "paid by shorts"]
    wide = figure.svgs[0]
    for title in ("mark over outside price, bp", "bp of notional", "paid so far, USD"):
        assert title in wide
    rows = figure.readout["rows"] if figure.readout else []
    assert usd(sides[0]) in rows[-2] and usd(sides[1]) in rows[-1]


def test_the_basis_is_the_mark_over_the_outside_price() -> None:
    """101 over 100 is 100 bp, from the mark at 1 s until the price follows at 2 s."""
    second = 1_000_000_000
    facts = [(0, MarketKind.INDEX, 100), (1, MarketKind.MARK, 101), (2, MarketKind.INDEX, 101)]
    rows = [{"time_ns": at * second, "kind": kind, "price": p} for at, kind, p in facts]
    trace = make_trace(
        {"messages": [executed(1, 0, 5)], "market": rows},
        scenario={"market": {"funding": {}}},
        end_ns=4 * second,
    )
    measures = measure(trace)
    (figure,) = funding_charts(RunView(trace, measures, judge(measures, {}, trace)))
    assert figure.summary == "No payment fell into the run: the first was due later."
    assert figure.readout is not None
    texts = [text for text in figure.readout["rows"][0] if text]
    assert texts == [f"100{NBSP}bp", f"0{NBSP}bp"]


def test_without_funding_and_assets_there_is_no_figure() -> None:
    trace = make_trace({"messages": [executed(1, 0, 5)]}, scenario={"market": {}})
    measures = measure(trace)
    bare = RunView(trace, measures, judge(measures, {}, trace))
    assert funding_charts(bare) == collateral_charts(bare) == []


def test_the_value_of_collateral_falls_with_its_price_and_with_sales(view: RunView) -> None:
    """Deposits less sales at the mark; haircuts are value less proceeds, to a quantum a sale."""
    (figure,) = collateral_charts(view)
    amounts, market = view.trace.stats.collateral, view.trace.scenario.market
    assert market is not None and len(amounts) == 2 and min(amounts) > 0
    marks = view.facts(MarketKind.MARK).filter(pl.col("market") == 1)["price"]
    sold = view.facts(MarketKind.COLLATERAL_SOLD)
    assert sold.height > 5
    gone = [int(sold.filter(pl.col("code") == i)["qty"].sum()) for i in (0, 1)]
    begin = amounts[0] * marks[0] + amounts[1]
    end = (amounts[0] - gone[0]) * marks[-1] + amounts[1] - gone[1]
    assert end < begin
    said = [usd(value * view.quantum_usd) for value in (begin, end, int(sold["amount"].sum()))]
    assert f"Worth {said[0]} at the start and {said[1]} at the end" in figure.summary
    assert f"Sales brought {said[2]}" in figure.summary
    dollars = sold.filter(pl.col("code") == 1)
    lost = int((dollars["qty"] - dollars["amount"]).sum())
    of_formula = float((dollars["amount"] * 0.02 / 0.98).sum())
    assert abs(lost - of_formula) <= dollars.height


def test_perpetuals_have_one_name_and_sum_to_the_venue(view: RunView) -> None:
    rows = market_rows(view)
    assert [row.name for row in rows] == ["BTC", "ETH"] == [name for name, _ in view.perpetuals]
    counts = [int(row.cells["Liquidations"]) for row in rows]
    assert (
        sum(counts)
        == view.measures.value("liquidations")
        == by_market(view.trace)["liquidations"].sum()
    )
    late = sum(int(row.cells["Liquidated late"]) for row in rows)
    assert late == view.liquidated.filter(pl.col("timing") == "late").height
    html = page_of("venue")
    assert "price of BTC, USD" in html and "price of ETH, USD" in html
    names = json.loads(re.findall(r'id="data">(.*?)</script>', html, re.S)[0])["charts"]["price"]
    assert {name.partition(":")[0] for name in names["names"]} == {"BTC", "ETH"}
    assert 'href="#h-markets">Perpetuals' in html
