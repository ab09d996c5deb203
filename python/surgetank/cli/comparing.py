"""`surgetank compare`: two runs, or two searches."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from surgetank.cli.app import app, finite
from surgetank.cli.app import out as out_
from surgetank.compare import compare
from surgetank.console import show_against, show_comparison
from surgetank.search import Answer
from surgetank.search.against import against
from surgetank.trace import Trace


def _is_search(place: Path) -> bool:
    return place.suffix == ".json" or (place / "search.json").exists()


@app.command("compare", epilog="Example:\n\n  surgetank compare runs/before runs/after")
def compare_command(
    a: Annotated[Path, typer.Argument(help="A run's or a search's folder.")],
    b: Annotated[Path, typer.Argument(help="Another's.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Two runs, or two searches, side by side; and where two runs of one name part."""
    if _is_search(a) and _is_search(b):
        compared = against(Answer.read(a), Answer.read(b))
        if as_json:
            sys.stdout.write(json.dumps(finite(compared.to_dict()), allow_nan=False) + "\n")
        else:
            show_against(out_, compared)
        return
    comparison = compare(Trace.load(a), Trace.load(b))
    if not as_json:
        show_comparison(out_, comparison)
        return
    content = {
        "same_name": comparison.same_name,
        "same_trace": comparison.same_trace,
        "divergence": comparison.divergence and comparison.divergence.text,
        "differences": {
            d.name: {
                "unit": d.unit,
                "a": d.a and d.a.value,
                "b": d.b and d.b.value,
                "change": d.change,
                "overlap": d.overlap,
            }
            for d in comparison.differences
        },
    }
    sys.stdout.write(json.dumps(finite(content), allow_nan=False) + "\n")
