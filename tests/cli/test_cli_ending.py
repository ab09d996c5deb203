"""However a command ends: an exit code that is documented, and an error of one line."""

from __future__ import annotations

import errno
import importlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

import surgetank as st
from command_line import TINY, surgetank_process
from surgetank.cli.app import app
from surgetank.cli.exit_codes import ended
from surgetank.cli.ignored import refuse_ignored
from surgetank.errors import CoreError


class PanicException(BaseException):
    """As pyo3 raises it: no Exception, and of a module that no one can import."""


PanicException.__module__ = "pyo3_runtime"


def raising(error: BaseException) -> Callable[[], object]:
    """A command that ends so."""

    def command() -> object:
        raise error

    return command


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), PanicException("x"), CoreError("x")])
def test_a_crash_has_an_exit_code_of_its_own(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    """70 and never 1, which would read as FAIL; one line; the traceback in the file it names."""
    assert ended(raising(error)) == 70
    reported = capsys.readouterr().err
    assert (
        reported.count("\n") == 1
        and "Traceback" not in reported
        and type(error).__name__ in reported
    )
    found = re.search(r"\S+/surgetank-\S+\.txt", reported)
    assert found is not None
    kept = Path(found[0])
    assert "Traceback" in kept.read_text() and "raise error" in kept.read_text()
    kept.unlink()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENOMEM])
def test_what_the_machine_refuses_is_reported_with_a_remedy(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """74: neither a defect nor a verdict."""
    assert ended(raising(OSError(number, os.strerror(number), "runs/a"))) == 74
    reported = capsys.readouterr().err
    assert (
        reported.count("\n") == 1
        and os.strerror(number).lower() in reported
        and "runs/a: " in reported
    )


def test_a_panic_reaches_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of a search must be able to send it home."""

    def run(*_: object) -> None:
        raise PanicException("the book is on fire")

    simulating = importlib.import_module("surgetank.simulate")
    monkeypatch.setattr(simulating, "_core", lambda: SimpleNamespace(run=run))
    with pytest.raises(CoreError, match="seed 7: the book is on fire") as caught:
        st.simulate(st.load("calm"))
    # Dask's pickling sends what an exception arose from, too.
    assert caught.value.__context__ is None
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("seed", [2**64, -1])
def test_seeds_that_do_not_fit_are_wrong_usage(
    seed: int, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not an overflow: by the terminal as by the library."""
    with pytest.raises(st.SurgetankError, match="is not a seed"):
        st.simulate(st.load("calm"), seed=seed)
    command = ["run", str(here / "good.toml"), "--seed", str(seed), "--out", str(here / "x")]
    assert ended(lambda: app(command)) == 2
    assert not (here / "x").exists()
    capsys.readouterr()
    # Seen before the scenario is looked for.
    assert ended(lambda: app(["search", "nowhere", "--seed", str(seed)])) == 2
    assert "--seed" in capsys.readouterr().err


def test_a_program_that_ends_with_a_text_has_not_passed(capsys: pytest.CaptureFixture[str]) -> None:
    """`sys.exit("text")` in a user's class is no exit code 0."""
    assert ended(raising(SystemExit("text"))) == 70
    assert [ended(raising(SystemExit(code))) for code in (None, 0, 3)] == [0, 0, 3]


@pytest.mark.parametrize("table", ["messages", "waits"])
def test_a_disk_that_fills_up_leaves_no_part_of_a_run(
    table: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither tables nor a folder, in which the next run would not want to write."""
    written = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.stem == table:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    command = ["run", str(here / "good.toml"), "--out", str(here / "x"), "--quiet"]
    assert ended(lambda: app(command)) == 74
    assert "Free space there" in capsys.readouterr().err
    assert not (here / "x").exists()


def test_ctrl_c_and_a_reader_that_has_gone() -> None:
    """Typer gives the second FAIL's exit code."""
    assert ended(raising(KeyboardInterrupt())) == 4
    command = f"{sys.executable} -c 'from surgetank.cli import main; main()' schema"
    script = f"set -o pipefail; {command} | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("module", ["surgetank.cli", "typer", "surgetank.cli.searches"])
def test_ctrl_c_while_the_command_line_is_imported(module: str) -> None:
    """The signal comes when the import of this module begins."""
    script = f"""
import os, runpy, signal, sys
from importlib.abc import MetaPathFinder

class Interrupt(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
        return None

sys.meta_path.insert(0, Interrupt())
sys.argv = ["surgetank", "--version"]
runpy.run_module("surgetank", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout) == (4, "Stopped.\n", "")


def test_a_reader_that_has_gone_is_no_verdict(here: Path) -> None:
    """Nor is one of a table; Rich would end the program with 1, which reads as FAIL."""
    command = f"{sys.executable} -c 'from surgetank.cli import main; main()' scenarios"
    script = f"{command} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_closed_streams_change_no_exit_code(here: Path, closed: str) -> None:
    """Whoever started us may have closed them; the verdict is reported by the code all the same."""
    command = f"{sys.executable} -c 'from surgetank.cli import main; main()'"
    for arguments, code in (
        ("--version", 0),
        ("run bad.toml --no-report --quiet --out bad", 1),
        ("run nothing.toml", 2),
    ):
        done = subprocess.run(
            ["bash", "-c", f"{command} {arguments} {closed}"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stderr


def test_terminals_without_unicode(here: Path) -> None:
    """A character that cannot be shown does not end the program, and marks stay apart."""
    asked = ["run", "bad.toml", "--no-report", "--set", "duration_s=1", "--set", "warmup_s=0"]
    done = surgetank_process(*asked, cwd=here, PYTHONIOENCODING="ascii")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "X FAIL" in done.stdout and "?" not in done.stdout


def test_ascii_terminals_lose_no_character_of_the_shipped_scenarios(here: Path) -> None:
    """Minus signs, quotes and roots have substitutes; a question mark stands for what has none."""
    plain = surgetank_process("scenarios", cwd=here, PYTHONIOENCODING="ascii").stdout
    assert plain.isascii() and "?" not in plain and "(-14 %)" in plain


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("run nothing.toml 2>/dev/full", 2),
        ("schema --wrong 2>/dev/full", 74),
        ("schema >/dev/full", 74),
        ("--help >/dev/full", 74),
        ("run bad.toml --no-report --out bad --json >/dev/full", 74),
        ("run bad.toml --no-report --out bad2 --quiet >/dev/full 2>/dev/full", 74),
    ],
)
def test_output_that_cannot_be_written_is_no_verdict(here: Path, command: str, code: int) -> None:
    """Of standard output or of the error's own line: never 0 to 4 for a result not delivered."""
    program = f"{sys.executable} -m surgetank {command}"
    done = subprocess.run(["bash", "-c", program], cwd=here, timeout=60, capture_output=True)
    assert done.returncode == code, done.stderr


@pytest.mark.parametrize("module", ["typer", "numpy"])
def test_an_installation_that_is_broken_is_no_fail(here: Path, module: str) -> None:
    """Python ends with 1 where an import fails, which means FAIL."""
    (here / "broken" / module).mkdir(parents=True)
    (here / "broken" / module / "__init__.py").write_text("raise ImportError('half of it')")
    path = f"{here / 'broken'}:{os.environ.get('PYTHONPATH', '')}"
    command = [sys.executable, "-m", "surgetank", "run", "good.toml", "--out", "x"]
    env = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 70 and "half of it" in done.stderr
    assert "Traceback" not in done.stderr and not (here / "x").exists()


def test_what_another_user_wrote_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Markup in names and texts is text; control characters do not reach the terminal."""
    monkeypatch.chdir(tmp_path)
    assert ended(lambda: app(["run", "[/x].toml"])) == 2
    assert "[/x].toml" in capsys.readouterr().err
    title = 'title = "a \\u001b]0;owned\\u0007 [/bold] venue"\n'
    text = TINY.format(limit=60_000.0).replace("4.0", "0.5").replace("warmup_s = 1.0", "warmup_s=0")
    (tmp_path / "odd.toml").write_text(text.replace('name = "tiny"', f'name = "tiny"\n{title}'))
    assert ended(lambda: app(["run", "odd.toml", "--no-report", "--out", "[/out]"])) in (0, 1, 4)
    shown = capsys.readouterr().out
    assert "[/bold] venue" in shown and "\x1b" not in shown and "\x07" not in shown
    assert "Written to [/out]/run.json" in shown
    assert ended(lambda: app(["run", "a\x1b[2Jb.toml"])) == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("run calm --speed -5", "without --tape"),
        ("run calm --tape-start 3", "without --tape"),
        ("run calm --prometheus 9000", "without --target"),
        ("run calm --workers 2", "without --target"),
        ("run calm --rate-max 10", "without --target"),
        ("run calm --i-own-this-system", "without --target"),
        ("run calm --otel-sample 0.5 --target memory:", "without --otel-endpoint"),
        ("search calm --cooldown 3", "without --target"),
        ("search calm --fall 0.1", "without --baseline"),
        ("search calm --budget 0.1", "on this search"),
        ("search calm --per run --find capacity", "on this search"),
        ("search calm --degradation 3 --find safe-leverage", "on this search"),
        ("search calm --degradation 3 --until any", "on this search"),
        ("search calm --workers 2 --target memory:", "with --target"),
        ("search calm --dask tcp://nowhere:1 --target memory:", "with --target"),
        ("search calm --workers 2 --dask tcp://nowhere:1", "with --dask"),
        ("frontier rollup-sequencer --workers 2 --dask tcp://nowhere:1", "with --dask"),
        ("attack calm --workers 2 --dask tcp://nowhere:1", "with --dask"),
        ("risk black-thursday --workers 2 --dask tcp://nowhere:1", "with --dask"),
        ("compare calm --workers 2 --dask tcp://nowhere:1 --vary load=1,2", "with --dask"),
        ("compare calm --all --vary layer.queue.rule", "on a league"),
        ("compare calm --html a.html --vary layer.queue.rule", "on a league"),
        ("compare here here --force", "without --out"),
        ("compare here here --all --json", "with --json"),
        ("compare here here --allow-code", "where two folders"),
        ("compare calm --budget 0.1 --vary load=1,2 --search capacity", "without a search for"),
        ("compare calm --search-attacks --vary load=1,2 --search capacity", "without --attack"),
        ("calibrate --seconds 3 --target memory:", "without --check"),
        ("calibrate --allow-code --target memory:", "without --scenario"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    command: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is a slip, and the work would not be what was meant. The first option of each command is
    the one that is named."""
    monkeypatch.chdir(tmp_path)
    words = command.split()
    assert ended(lambda: app(words)) == 2
    option = next(word for word in words if word.startswith("--"))
    assert f"error: {option}: has no effect {why}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_options_that_are_refused_have_an_effect_beside_what_they_need() -> None:
    """The rules name commands and parameters that there are, and let what they need pass."""
    group: Any = typer.main.get_command(app)
    for line in (
        "run calm --tape bars.csv --speed 3",
        "search calm --baseline a.json --fall 0.1",
        "search calm --find safe-leverage --budget 0.1 --per run",
        "search calm --degradation 3",
        "search calm --workers 2",
        "compare here here --all --html a.html --out there --force",
        "compare calm --vary load=1,2 --attack all --search safe-leverage --budget 0.1",
        "calibrate --target memory: --check --seconds 3",
    ):
        name, *rest = line.split()
        refuse_ignored(group.commands[name].make_context(name, rest))


def test_the_log_is_silent_until_it_is_asked_for(here: Path) -> None:
    """A level of standard logging, on standard error; standard output is as without it."""
    run = ["run", "good.toml", "--no-report", "--json", "--out"]
    silent = surgetank_process(*run, "a", cwd=here)
    assert not silent.stderr.strip()
    info = surgetank_process("--log-level", "info", *run, "b", cwd=here)
    assert re.search(r"INFO surgetank\.simulate: simulated tiny, seed 7: \d+ messages", info.stderr)
    assert "DEBUG" not in info.stderr
    assert json.loads(info.stdout)["trace_hash"] == json.loads(silent.stdout)["trace_hash"]
    assert "DEBUG" in surgetank_process("--log-level", "debug", *run, "c", cwd=here).stderr
    wrong = surgetank_process("--log-level", "loud", *run, "d", cwd=here)
    assert wrong.returncode == 2 and "Give debug, info, warning or error" in wrong.stderr
    library = "import surgetank as st; st.run(st.load('good.toml'))"
    done = subprocess.run(
        [sys.executable, "-c", library], cwd=here, capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Which one is this?"""
    assert ended(lambda: app(["--version"])) == 0
    assert capsys.readouterr().out == f"surgetank {st.__version__}\n"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("run black", ["black-thursday"]),
        ("search mine", ["mine.toml"]),
        ("search calm --find s", ["safe-leverage"]),
        ("scenarios show par", ["partition"]),
        ("init x --from par", ["partition"]),
        ("run calm --set flow.arrivals.r", ["flow.arrivals.rate_per_s="]),
        ("run mine.toml --set flow.arrivals.b", ["flow.arrivals.branching="]),
        ("run calm --set layer.consensus.kind=sin", ["layer.consensus.kind=single"]),
        ("run calm --set venue=h", ["venue=hyperliquid"]),
        ("run calm --set network.pre", ["network.preset="]),
        ("run calm --target na", ["nats:"]),
        ("crash --target je", ["jetstream:"]),
        ("search calm --vary lo", ["load"]),
        ("search calm --vary network.n", ["network.nodes"]),
        ("search calm --until goodput", ["goodput_ratio_min"]),
        ("search calm --per r", ["run"]),
        ("compare calm --vary layer.queue.rule=fifo,d", ["layer.queue.rule=fifo,drr"]),
        ("compare calm --attack spam,with", ["spam,withhold", "spam,withhold-votes"]),
        ("compare calm --rank delay_p99_ms", ["delay_p99_ms"]),
        ("compare calm --search capacity,s", ["capacity,safe-leverage"]),
        ("compare runs/", ["runs/first"]),
        ("explain runs/", ["runs/first"]),
        ("explain calm --by p", ["p99"]),
        ("attack calm --kinds gr", ["grind"]),
        ("calibrate --scenario par", ["partition"]),
        ("frontier rollup-sequencer --curve a", ["as it is"]),
    ],
)
def test_completion(
    words: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each option can be, by the scenario named before it."""
    (tmp_path / "mine.toml").write_text("")
    (tmp_path / "runs/first").mkdir(parents=True)
    (tmp_path / "runs/first/run.json").write_text("{}")
    (tmp_path / "runs/other").mkdir()
    monkeypatch.chdir(tmp_path)
    typed = words.split()
    monkeypatch.setenv("_SURGETANK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"surgetank {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(typed)))
    reported = io.StringIO()
    monkeypatch.setattr(sys, "stdout", reported)
    with pytest.raises(SystemExit):
        app(prog_name="surgetank")
    assert reported.getvalue().splitlines() == found


DEEP = "x = " + "[" * 100_000 + "]" * 100_000
CRUEL = [
    ("digits.toml", "seed = " + "9" * 5_000, "not TOML"),
    ("deep.toml", DEEP, "nested too deeply"),
    ("pipe.toml", None, "is not a file"),
]


@pytest.mark.parametrize(("name", "text", "what"), CRUEL, ids=[c[0] for c in CRUEL])
def test_scenarios_that_cannot_be_read(
    name: str, text: str | None, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each; a named pipe is not waited for."""
    path = tmp_path / name
    if text is None:
        os.mkfifo(path)
    else:
        path.write_text(text)
    assert ended(lambda: app(["run", str(path)])) == 2
    reported = capsys.readouterr().err
    assert what in reported and reported.count("\n") == 1


@pytest.mark.parametrize("value", ["9" * 5_000, DEEP.removeprefix("x = ")])
def test_values_that_cannot_be_read(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same after --set."""
    assert ended(lambda: app(["run", "calm", "--set", f"seed={value}"])) == 2
    assert "--set seed: is too long" in capsys.readouterr().err


def limited(limit: str, *asked: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The command under a limit of the shell's `ulimit`."""
    program = f"{sys.executable} -c 'from surgetank.cli import main; main()'"
    script = f"ulimit {limit}; exec {program} {' '.join(asked)}"
    full = os.environ | env
    return subprocess.run(
        ["bash", "-c", script], cwd=cwd, env=full, capture_output=True, text=True, timeout=120
    )


def test_a_full_disk_and_too_many_files(here: Path) -> None:
    """An error of the operating system is reported as such, wherever it occurs: in polars, in
    processes, or in the search for a temporary folder."""
    short = ["run", "good.toml", "--no-report", "--set", "duration_s=1", "--set", "warmup_s=0"]
    done = limited("-f 8", *short, "--out", "full", cwd=here)
    assert (done.returncode, "File too large" in done.stderr) == (74, True), done.stderr
    done = surgetank_process(*short, "--out", "copied", "--junit", "/dev/full", cwd=here)
    assert (done.returncode, "no space left" in done.stderr) == (74, True), done.stderr
    done = limited("-n 24", *short, "--target", "memory:", cwd=here)
    assert (done.returncode, "too many open files" in done.stderr.lower()) == (74, True)
    assert "Traceback" not in done.stderr


def test_no_place_for_temporary_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Said with the variable that gives one."""

    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    asked = ["run", "calm", "--target", "memory:", "--out", str(tmp_path / "x")]
    assert ended(lambda: app(asked)) == 74
    assert "TMPDIR" in capsys.readouterr().err
