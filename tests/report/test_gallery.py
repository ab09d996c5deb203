"""The gallery shows what the shipped scenarios do today, and where their events are from."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import surgetank as st
from recorded_worlds import libm, recorded

DOCS = Path(__file__).resolve().parents[2] / "docs"
GALLERY = runpy.run_path(str(DOCS / "gallery.py"))
RUNS: dict[str, Any] = json.loads((DOCS / "gallery.json").read_text("utf-8"))
LIBM, RECORDED = recorded()
AGAIN = ".venv/bin/python docs/gallery.py"


def stale(runs: dict[str, Any]) -> list[str]:
    """Scenarios whose runs give other bytes than those that were drawn."""
    return [
        name
        for name, run in runs.items()
        if run["tables"]
        != {k: v for k, v in RECORDED[f"{name} seed {run['seed']}"].items() if k != "stats"}
    ]


def test_pictures_are_of_the_bytes_that_runs_give() -> None:
    """The record of all scenarios' bytes is itself tested (test_recorded_hashes.py)."""
    assert list(RUNS) == list(st.names())
    assert stale(RUNS) == [], AGAIN
    calm = RUNS["calm"] | {"tables": RUNS["burst"]["tables"]}
    assert stale(RUNS | {"calm": calm}) == ["calm"]
    pictures = {path.stem for path in (DOCS / "pictures" / "gallery").iterdir()}
    assert pictures == set(RUNS)


def test_the_page_is_that_of_the_scenarios() -> None:
    """A changed title, source or figure changes the page."""
    text = (DOCS / "gallery.md").read_text("utf-8")
    assert text == GALLERY["page"](RUNS), AGAIN
    other = GALLERY["page"](RUNS | {"calm": RUNS["calm"] | {"delay_p99_ms": "3 s"}})
    assert other != text


@pytest.mark.skipif(libm() != LIBM, reason="another C library or processor rounds otherwise")
@pytest.mark.parametrize(
    "name",
    [
        "partition",
        *(pytest.param(n, marks=pytest.mark.soak) for n in sorted(set(st.names()) - {"partition"})),
    ],
)
def test_a_picture_is_drawn_again(name: str) -> None:
    """Byte for byte, and what the page says of the run. A change of the figures' code or colours
    draws other pictures."""
    result = st.run(name)
    drawn = (DOCS / "pictures" / "gallery" / f"{name}.svg").read_text("utf-8")
    assert GALLERY["draw"](result) == drawn, AGAIN
    assert GALLERY["facts"](result) == RUNS[name]


def undefined(picture: str) -> set[str]:
    """Colours that a picture names and does not define."""
    named = set(re.findall(r"var\(--([\w-]+)\)", picture))
    return named - set(re.findall(r"--([\w-]+):", picture))


@pytest.mark.parametrize("name", st.names())
def test_a_picture_stands_alone(name: str) -> None:
    """It is well-formed, says in words what it is, and has all its colours."""
    picture = (DOCS / "pictures" / "gallery" / f"{name}.svg").read_text("utf-8")
    root = ElementTree.fromstring(picture)
    assert root.attrib["role"] == "img" and name in root.attrib["aria-label"]
    assert undefined(picture) == set()
    assert undefined(picture.replace("--good:", "--gone:")) == {"good"}


@pytest.mark.parametrize("name", st.names())
def test_every_event_has_public_sources(name: str) -> None:
    """An address, and a date or the state of a repository, for each scenario."""
    sources = st.load(name).source.splitlines()
    assert any("https://" in source for source in sources)
    dated = re.compile(r"\b20\d\d\b|/nitro, ")
    assert [source for source in sources if "https://" in source and not dated.search(source)] == []
