"""What a person sees in a terminal."""

from surgetank.console.attacks import AttackWatch, show_response
from surgetank.console.explaining import ExplainWatch, show_explanation
from surgetank.console.leagues import LeagueWatch, show_league
from surgetank.console.live import LiveWatch
from surgetank.console.runs import COLOURS, Watch, number, show_comparison, show_result
from surgetank.console.searches import SearchWatch, show_against, show_answer, show_frontier
from surgetank.console.terminal import Terminal

__all__ = [
    "COLOURS",
    "AttackWatch",
    "ExplainWatch",
    "LeagueWatch",
    "LiveWatch",
    "SearchWatch",
    "Terminal",
    "Watch",
    "number",
    "show_against",
    "show_answer",
    "show_comparison",
    "show_explanation",
    "show_frontier",
    "show_league",
    "show_response",
    "show_result",
]
