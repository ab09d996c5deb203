"""Hook of MkDocs: the site has the pages of docs/, the documents at the root of the repository, the
decisions with a list of them, and every file that a page links to.

A link leads to the same file as in the repository. Folders of source code are not in the site: a
link to one becomes its text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
DECISIONS = "decisions/index.md"
#: Documents outside docs/ → pages of the site.
ADDED = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changes.md",
}
LINK = re.compile(r"(\[[^]\[]*(?:\[[^]]*\][^]\[]*)?\])\(([^)#\s]*)(#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """Appends the decisions to the navigation."""
    pages = [f"decisions/{path.name}" for path in sorted(DOCS.glob("decisions/*.md"))]
    config["nav"].append({"Decisions": [DECISIONS, *pages]})
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the files that MkDocs does not find in docs/."""
    for source, page in ADDED.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    listed = "\n".join(
        f"- [{path.read_text('utf-8').partition(chr(10))[0].lstrip('# ')}]({path.name})"
        for path in sorted(DOCS.glob("decisions/*.md"))
    )
    text = f"# Decisions\n\nChoices that had alternatives, and their reasons.\n\n{listed}\n"
    files.append(File.generated(config, DECISIONS, content=text))
    linked = {
        target
        for path in [*DOCS.rglob("*.md"), *(ROOT / name for name in ADDED)]
        for _, link, _ in LINK.findall(path.read_text("utf-8"))
        if (target := _target(path, link)) is not None and target.is_file()
    }
    for target in sorted(linked):
        if not target.is_relative_to(DOCS) and str(target.relative_to(ROOT)) not in ADDED:
            files.append(File.generated(config, str(_place(target)), abs_src_path=str(target)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Makes links relative to the page's place in the site."""
    here = page.file.src_uri
    sources = {added: source for source, added in ADDED.items()}
    path = ROOT / sources[here] if here in sources else DOCS / here

    def placed(match: re.Match[str]) -> str:
        target = _target(path, match[2])
        if target is None:
            return match[0]
        place = _place(target)
        if place is None:
            return match[1].strip("[]")
        return f"{match[1]}({os.path.relpath(place, Path(here).parent)}{match[3] or ''})"

    return LINK.sub(placed, markdown)


def _target(page: Path, link: str) -> Path | None:
    """The file or folder of a relative link."""
    if not link or "://" in link or link.startswith("mailto:"):
        return None
    return (page.parent / link).resolve()


def _place(target: Path) -> str | None:
    """Where the site has a file of the repository; None for a folder of source code."""
    if target == DOCS / "decisions":
        return DECISIONS
    if target.is_relative_to(DOCS):
        return str(target.relative_to(DOCS))
    name = str(target.relative_to(ROOT))
    # MkDocs leaves out names that begin with a dot.
    visible = "/".join(part.lstrip(".") for part in name.split("/"))
    return ADDED.get(name) or (None if target.is_dir() else f"source/{visible}")
