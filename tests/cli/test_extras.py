"""Optional parts: what is lacking is said in one line, with a command that installs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from surgetank import extras
from surgetank.errors import EXIT_USAGE
from surgetank.extras import install_command

REQUIRES = [
    "numpy>=2.0",
    "gone-library[fast]>=2.9 ; extra == 'live'",
    "pytest>=1.0 ; extra == 'live'",
    "pytest>=999 ; extra == 'cluster'",
    "other>=1 ; extra == 'dev'",
    "only-elsewhere>=1 ; extra == 'live' and sys_platform == 'gone'",
]


def test_the_command_names_what_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what is there, nor other extras' libraries; a version that is too old is lacking."""
    monkeypatch.setattr(extras, "requires", lambda name: REQUIRES)
    assert install_command("live") == "pip install 'gone-library[fast]>=2.9'"
    assert install_command("cluster") == "pip install 'pytest>=999'"
    monkeypatch.setattr(extras, "requires", lambda name: REQUIRES[2:3])
    assert install_command("live") == "pip install 'pytest>=1.0'"


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ("dashboard", "grafana_foundation_sdk"),
        ("run calm --target memory: --prometheus 0", "prometheus_client"),
        ("run calm --target memory: --otel-endpoint http://127.0.0.1:1", "opentelemetry"),
        ("run calm --target redis:", "redis"),
        ("run calm --target memory:", "hdrh"),
        ("search calm --dask 127.0.0.1:1", "distributed"),
    ],
)
def test_a_missing_library_is_named(words: str, gone: str, tmp_path: Path) -> None:
    """Before the work, without a traceback, and nothing is written."""
    code = f"import sys; sys.modules[{gone!r}] = None\nfrom surgetank.cli import main\nmain()"
    command = [sys.executable, "-P", "-c", code, *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_USAGE, done.stderr
    assert "pip install" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
