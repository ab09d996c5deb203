"""The docs site: every page is in its navigation; it builds without a warning; it loads nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "packaging/mkdocs.yml"
#: Pages that packaging/site_pages.py adds: the documents at the root.
ADDED = {"index.md", "architecture.md", "changes.md"}
#: Attributes that make a browser fetch something; a link in the text does not.
LOADED = re.compile(r"<(?:script|img|iframe|link|source)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"")


def pages(nav: Any) -> list[str]:
    """The pages of a navigation, whatever its sections."""
    match nav:
        case str():
            return [nav]
        case dict():
            return [page for inner in nav.values() for page in pages(inner)]
        case _:
            return [page for inner in nav for page in pages(inner)]


def test_every_page_is_in_the_navigation() -> None:
    """Once; decisions are listed by the site's hook."""
    text = re.sub(r"!!python\S+", "", SETTINGS.read_text(encoding="utf-8"))
    listed = pages(yaml.safe_load(text)["nav"])
    assert len(listed) == len(set(listed))
    assert set(listed) == {path.name for path in ROOT.glob("docs/*.md")} | ADDED


def foreign(html: str) -> list[str]:
    """What a page would load from elsewhere."""
    return [link for link in LOADED.findall(html) if urlsplit(link).netloc]


def broken(site: Path) -> list[str]:
    """Relative links of a site's pages that lead to no file or to no anchor."""
    html = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    anchors = {path: set(re.findall(r"\bid=\"([^\"]+)\"", text)) for path, text in html.items()}
    found = []
    for path, text in html.items():
        if path.name == "404.html":
            continue  # Its links are absolute: it is shown at any address.
        for link in re.findall(r"\b(?:href|src)=\"([^\"]*)\"", text):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.exists() or (anchor and anchor not in anchors.get(target, {anchor})):
                found.append(f"{path.relative_to(site)}: {link}")
    return found


def built(settings: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """A build that ends with a warning's exit code."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", str(settings)]
    return subprocess.run([*command, "-d", str(site)], capture_output=True, text=True, check=False)


def test_the_site_builds(tmp_path: Path) -> None:
    """Strictly; all links and anchors of the pages written lead somewhere; nothing is loaded."""
    done = built(SETTINGS, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    html = sorted(tmp_path.rglob("*.html"))
    assert len(html) > 70
    assert broken(tmp_path) == []
    assert {p.name: found for p in html if (found := foreign(p.read_text("utf-8")))} == {}


def test_a_broken_site_is_seen(tmp_path: Path) -> None:
    """The controls: a page, an anchor, a script from elsewhere."""
    (tmp_path / "a.html").write_text(
        '<a href="b.html"></a><a href="#x"></a><p id="y"><a href="#y">'
    )
    assert broken(tmp_path) == ["a.html: b.html", "a.html: #x"]
    assert foreign('<script async src="https://example.org/x.js">') == ["https://example.org/x.js"]
    assert foreign('<a href="https://example.org"><img src="x.png">') == []
