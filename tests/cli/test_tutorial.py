"""The tutorial notebook runs as it stands, and tells what docs/start.md tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

DOCS = Path(__file__).resolve().parents[2] / "docs"
NOTEBOOK = DOCS / "tutorial.ipynb"


def notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def executed(content: Any, folder: Path) -> dict[str, Any]:
    """Outputs by cell, after a kernel of this interpreter has run them in `folder`. The control: a
    last cell fails, and is seen."""
    failing = nbformat.v4.new_code_cell("st.load('gone')")  # type: ignore[no-untyped-call]
    content.cells.append(failing)
    client = NotebookClient(
        content, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    with pytest.raises(CellExecutionError, match="no scenario of this name"):
        client.execute()
    assert failing["execution_count"] == sum(cell.cell_type == "code" for cell in content.cells)
    return {cell["id"]: cell["outputs"] for cell in content.cells if cell.cell_type == "code"}


def shown(outputs: list[Any]) -> str:
    """What the only output of a cell shows as HTML."""
    (output,) = outputs
    return str(output["data"]["text/html"])


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell, in an empty folder; results are shown as the text beside them says. The kernel
    reads and writes nothing of the user who runs the tests."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    outputs = executed(notebook(), tmp_path)
    assert "FAIL" in shown(outputs["crash"])
    assert shown(outputs["report"]).startswith("<iframe")
    assert "delay_p99_ms" in shown(outputs["measures"])
    assert "Did you mean `arrivals`" in outputs["venue"][-1]["text"]
    assert "flow.arrivals.rate_per_s" in shown(outputs["compare"])
    assert "proposals and votes" in shown(outputs["explain"])
    assert "capacity" in shown(outputs["search"]).lower()
    assert "300 positions" in shown(outputs["book"])
    assert "bad_debt_usd" in shown(outputs["hit"])
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"book.csv"}


def test_it_is_stored_without_outputs() -> None:
    """They would make every change of a number a change of the file."""
    content = notebook()
    nbformat.validate(content)
    for cell in content.cells:
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None, cell["id"]
        assert re.fullmatch(r"[a-z-]+", cell["id"])


def test_it_tells_the_story_of_start() -> None:
    """The same steps, each with the same venue; links lead somewhere."""
    start = (DOCS / "start.md").read_text("utf-8")
    text = "\n\n".join(cell["source"] for cell in notebook().cells)
    headings = re.findall(r"^## (\d\. .+)$", text, re.MULTILINE)
    assert headings[1:] == re.findall(r"^## (\d\. .+)$", start, re.MULTILINE)[1:6]
    (venue,) = re.findall(r"^```toml\n(.*?)^```", start, re.MULTILINE | re.DOTALL)
    assert venue in text
    links = re.findall(r"\]\(([\w./-]+\.md)\)", text)
    assert len(links) > 8 and [link for link in links if not (DOCS / link).exists()] == []
