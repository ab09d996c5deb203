"""What is said about a book before a run, against closed forms and numbers by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

import surgetank as st
from chromium import Visit, needs_chromium
from command_line import surgetank
from surgetank.positions.example import example_book
from surgetank.positions.position_book import MarginTier
from surgetank.positions.summary import BookSummary, maintenance_usd
from surgetank.report.position_book import render_book
from surgetank.report.shell import save

FLAT = (MarginTier(0.0, 0.1, 0.05),)
TIERS = (MarginTier(0.0, 0.02, 0.01), MarginTier(100_000.0, 0.1, 0.05))


def summary_of(book: st.PositionBook, tiers: tuple[MarginTier, ...] = FLAT) -> BookSummary:
    """The summary under one rule in all markets."""
    return BookSummary(book, tuple(tiers for _ in book.markets))


@pytest.fixture
def by_hand(tmp_path: Path) -> st.PositionBook:
    """Alice is due below 47,368.42 and bob above 57,142.86 (test_liquidations.py)."""
    text = "account,market,size,mark_price,equity\n"
    (tmp_path / "b.csv").write_text(text + "alice,BTC,1,50000,5000\nbob,BTC,-2,50000,20000\n")
    return st.read_positions(tmp_path / "b.csv")


def test_distances_by_hand(by_hand: st.PositionBook) -> None:
    """To 47,368.42 and to 57,142.86 from 50,000; and what moves past them liquidates."""
    found = summary_of(by_hand)
    assert found.distance.tolist() == pytest.approx([47_368.421 / 5e4 - 1, 57_142.857 / 5e4 - 1])
    assert found.liquidated_usd(-0.05) == 0.0
    assert found.liquidated_usd(-0.06) == 50_000.0
    assert found.liquidated_usd(0.15) == 100_000.0
    assert (found.below, found.bankrupt) == (0, 0)
    assert found.top_share == 1.0
    assert found.herfindahl == pytest.approx((1 / 9) + (4 / 9))


def test_tiers_are_marginal() -> None:
    """1 % of the first 100,000 USD and 5 % of what is above."""
    found = maintenance_usd(np.array([50_000.0, 100_000.0, 300_000.0]), TIERS)
    assert found.tolist() == pytest.approx([500.0, 1_000.0, 11_000.0])


@pytest.mark.parametrize("seed", range(20))
def test_distances_are_those_of_the_closed_form(seed: int) -> None:
    """With one rate m an account of net notional N and gross G is due where E + xN = m(1+x)G:
    x = (mG − E) / (N − mG), for cross accounts of several markets too."""
    book = example_book(200, seed=seed, markets=3)
    found = summary_of(book, (MarginTier(0.0, 0.03, 0.02),))
    net, gross = book.by_account(book.notional_usd), found.gross_usd
    exact = (0.02 * gross - book.equity_usd) / (net - 0.02 * gross)
    near = np.where((exact >= -1) & (exact <= 10), exact, np.nan)
    alive = found.margin_after(0.0) >= 0
    assert found.distance[alive] == pytest.approx(near[alive], nan_ok=True)
    assert np.all(found.distance[~alive] == 0)


def test_the_command_says_it_in_three_ways(tmp_path: Path) -> None:
    """On the terminal, as JSON and as a page; the made-up book comes from the command too."""
    made = surgetank("book", "--example", "300", "--seed", "3", cwd=tmp_path)
    (tmp_path / "book.csv").write_text(made.stdout)
    shown = surgetank("book", "book.csv", "--out", "pages", cwd=tmp_path, COLUMNS="80")
    assert shown.returncode == 0, shown.stderr
    for text in ("Notional by leverage", "Accounts", "300", "−10%", "█"):
        assert text in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    found = json.loads(surgetank("book", "book.csv", "--json", cwd=tmp_path).stdout)
    assert found["accounts"] == 300
    assert found["hash"] == json.loads((tmp_path / "pages/book.json").read_text())["hash"]
    assert math.isclose(sum(m["long_usd"] + m["short_usd"] for m in found["markets"]),
                        found["notional_usd"])  # fmt: skip
    again = surgetank("book", "book.csv", "--out", "pages", cwd=tmp_path)
    assert again.returncode == 2 and "--force" in again.stderr
    assert surgetank("book", cwd=tmp_path).returncode == 2


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_in_a_browser(browser: Browser, tmp_path: Path, width: int) -> None:
    """It loads nothing, complains of nothing, fits, and cuts no word of a figure."""
    page = render_book(summary_of(example_book(400, seed=2, markets=3)), "Maintenance margin 5 %")
    visit = Visit(browser, save(page, tmp_path / "book.html"), width)
    assert (visit.said, visit.loaded(), visit.cut_words()) == ([], [], [])
    assert visit.overflow() <= 0
    assert visit.page.inner_text("h1").split() == ["Position", "book", "unnamed"]
    visit.close()
