"""The page of a position book: what is in it before any run."""

from __future__ import annotations

from surgetank.number_format import counted, number, share, usd
from surgetank.positions.summary import MOVES, BookSummary
from surgetank.report.position_book.figures import pictures
from surgetank.report.shell import render_template

__all__ = ["asset_rows", "key_figures", "render_book"]


def render_book(summary: BookSummary, rule: str) -> str:
    """The page as HTML text; `rule` says where the maintenance rule comes from."""
    book = summary.book
    return render_template(
        "position_book.html.j2",
        status="none",
        book=book,
        file=book.file or "unnamed",
        rule=rule,
        sentence=_sentence(summary),
        warnings=summary.warnings,
        key_figures=key_figures(summary),
        pictures=pictures(summary),
        moves=[
            (f"{move:+.0%}".replace("-", "−"), usd(found), share(found / summary.gross_usd.sum()))
            for move in MOVES
            for found in [summary.liquidated_usd(move)]
        ],
        markets=[
            (
                line.name,
                number(line.mark_usd),
                f"{line.accounts:,}",
                usd(line.long_usd),
                usd(line.short_usd),
                share(line.maintenance),
            )
            for line in summary.markets
        ],
        assets=asset_rows(summary),
    )


def _sentence(summary: BookSummary) -> str:
    fall = summary.liquidated_usd(-0.1) / summary.gross_usd.sum()
    rise = summary.liquidated_usd(0.1) / summary.gross_usd.sum()
    return (
        f"If all prices fell by 10 % at once, accounts with {share(fall)} of the open notional "
        f"would be below maintenance margin; if they rose by 10 %, {share(rise)}."
    )


def key_figures(summary: BookSummary) -> list[tuple[str, str, str]]:
    """(title, value, detail) of each key figure."""
    book = summary.book
    quantile, quantiles = summary.leverage_quantile, summary.distance_quantile
    named = ", ".join(market.name for market in book.markets[:3])
    assets = sum(line.value_usd for line in summary.assets)
    more = f" and {len(book.markets) - 3} more" if len(book.markets) > 3 else ""
    return [
        ("Accounts", f"{book.owners:,}", counted(len(book.position_size), "position")),
        (
            "Notional",
            usd(float(summary.gross_usd.sum())),
            f"in {named}{more}",
        ),
        ("Equity", usd(float(book.equity_usd.sum())), "at the mark prices"),
        *(
            [
                (
                    "Collateral in assets",
                    usd(assets),
                    f"{share(summary.falling_share)} of equity falls with the market; behind net "
                    f"longs {share(summary.wrong_way_share)}",
                )
            ]
            if summary.assets
            else []
        ),
        (
            "Leverage, median",
            f"{quantile(0.5):.1f}×",
            f"10 % below {quantile(0.1):.1f}×, 10 % above {quantile(0.9):.1f}×",
        ),
        (
            "Distance to liquidation",
            share(quantiles(0.5)),
            f"median price move; a tenth within {share(quantiles(0.1))}",
        ),
        ("Ten largest accounts", share(summary.top_share), "of the notional"),
        ("Herfindahl index", f"{summary.herfindahl:.2g}", "of notional by account"),
        ("Below maintenance", f"{summary.below:,}", f"of them {summary.bankrupt:,} bankrupt"),
    ]


def asset_rows(summary: BookSummary) -> list[tuple[str, str, str, str, str, str, str]]:
    """Asset, coins, accounts, value, the part behind net longs, haircut, and whether its price
    moves with the markets; as text."""
    return [
        (
            line.name,
            number(line.amount),
            f"{line.accounts:,}",
            usd(line.value_usd),
            usd(line.behind_longs_usd),
            share(line.haircut),
            "moves" if line.moves else "constant",
        )
        for line in summary.assets
    ]
