"""`surgetank view`: what it lists, what it serves, what it refuses, and how it looks."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

import hand_made
from accessible import violations
from chromium import Visit, needs_chromium
from crashes import crash, falling
from surgetank.cli import app
from surgetank.cli.exit_codes import ended
from surgetank.measure import measure
from surgetank.risk import risk
from surgetank.run import write
from surgetank.testing import executed, make_trace
from surgetank.verdict import judge
from surgetank.view import entries_in, serve
from surgetank.view.pages import Wanted
from surgetank.view.server import ViewServer

MS = 1_000_000
DOCS = Path(__file__).parents[2] / "docs"


def written(folder: Path, seed: int, delay_ms: int, limit_ms: float = 30.0) -> None:
    """A run's folder, without a report."""
    rows = [executed(i, i * 9 * MS, (delay_ms + (i * seed) % 7) * MS) for i in range(300)]
    scenario = {"limits": {"delay_p50_ms_max": limit_ms}, "network": {"nodes": delay_ms}}
    trace = make_trace({"messages": rows}, seed=seed, scenario=scenario)
    measures = measure(trace)
    folder.mkdir(parents=True)
    write(
        folder,
        trace,
        measures,
        judge(measures, {"delay_p50_ms_max": limit_ms}, trace),
        report=False,
    )


def inspected(files: Path, root: Path) -> None:
    """A position book, the nodes of docs/ and a recording, each inspected by its own command."""
    (files / "book.csv").write_text("account,market,size,mark_price,equity\na,BTC,1,100,50\n")
    prices = "".join(f"{1_600_000_000 + i},{100 + i % 3}\n" for i in range(60))
    (files / "bars.csv").write_text("timestamp,price\n" + prices)
    for command, file in (
        ("book", files / "book.csv"),
        ("network", DOCS / "network_nodes.csv"),
        ("tape", files / "bars.csv"),
    ):
        arguments = [command, str(file), "--json", "--out", str(root / command)]
        assert ended(partial(app, arguments)) == 0


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs, two of either scenario, a search, a frontier, a risk answer without a page, what
    `book`, `network` and `tape` wrote, a run that is damaged, and a secret beside the folder."""
    base = tmp_path_factory.mktemp("base")
    (base / "secret.html").write_text("secret")
    root = base / "runs"
    for seed in (1, 2):
        written(root / "before" / str(seed), seed, 10)
        written(root / "after" / str(seed), seed, 50)
    (root / "search").mkdir()
    hand_made.found().write(root / "search" / "search.json")
    (root / "frontier").mkdir()
    hand_made.frontier().write(root / "frontier" / "frontier.json")
    (root / "risk").mkdir()
    risk(crash(falling(0.7)), runs=30, workers=1).write(root / "risk" / "risk.json")
    inspected(base, root)
    (root / "damaged").mkdir()
    (root / "damaged" / "run.json").write_text('{"run": 3}')
    (root / "<b>odd & name").mkdir()
    shutil.copy(root / "search" / "search.json", root / "<b>odd & name" / "search.json")
    (root / "<b>odd & name" / "search.html").symlink_to(base / "secret.html")
    (root / "linked").symlink_to(base)
    return root


@pytest.fixture(scope="module")
def server(results: Path) -> Iterator[ViewServer]:
    with serve(results, 0) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def get(
    server: ViewServer,
    path: str,
    host: str = "localhost",
    method: str = "GET",
    timeout_s: float = 60,
) -> tuple[int, str]:
    """Status and page, of the path as it stands."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.server_address[1], timeout=timeout_s
    )
    connection.request(method, path, headers={"Host": host})
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    return answer.status, page


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_the_list_has_every_result(results: Path) -> None:
    found = entries_in(results)
    assert {one.id: (one.kind, one.facts.verdict) for one in found.values()} == {
        "before/1": ("run", "PASS"),
        "before/2": ("run", "PASS"),
        "after/1": ("run", "FAIL"),
        "after/2": ("run", "FAIL"),
        "search": ("search", "FOUND"),
        "<b>odd & name": ("search", "FOUND"),
        "frontier": ("frontier", ""),
        "risk": ("risk", "NO LIMIT"),
        "book": ("book", ""),
        "network": ("network", ""),
        "tape": ("tape", ""),
        "damaged": ("run", ""),
    }
    assert "is not a run of surgetank" in found["damaged"].problem
    assert dict(found["before/1"].facts.figures)["goodput"].startswith("100")
    assert dict(found["book"].facts.figures)["accounts"] == "1"
    assert dict(found["network"].facts.figures)["validators"] == "12"
    assert found["tape"].facts.scenario == "bars.csv" and not found["tape"].problem
    assert found["before/1"].facts.seed == "1" and found["before/1"].facts.scenario == "hand-made"


def test_what_was_not_written_again_is_not_read_again(results: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(results / "before", tmp_path / "copy")
    first = entries_in(copy)
    again = entries_in(copy, first)
    assert all(again[id_] is first[id_] for id_ in first)
    (copy / "1" / "run.json").write_text("{}")
    assert entries_in(copy, first)["1"].problem


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({"q": "after"}, ["after/2", "after/1"]),
        ({"verdict": "PASS", "sort": "seed", "order": "up"}, ["before/1", "before/2"]),
        ({"kind": "run", "q": "2 hand", "sort": "name", "order": "down"}, ["before/2", "after/2"]),
        ({"kind": "nothing"}, []),
    ],
)
def test_the_list_is_filtered_and_sorted(
    results: Path, asked: dict[str, str], ids: list[str]
) -> None:
    chosen = [one.id for one in Wanted.of(asked).chosen(entries_in(results))]
    assert chosen == ids if "sort" in asked else sorted(chosen) == sorted(ids)


def test_pages_are_made_and_nothing_is_written(server: ViewServer, results: Path) -> None:
    """Reports of runs without one, of searches and frontiers, and a comparison."""
    before = files(results)
    made = (("after/1", "FAIL"), ("search", "capacity"), ("frontier", "leverage"))
    written = (("book", "leverage"), ("network", "ember"), ("tape", "bars.csv"))
    for id_, words in (*made, ("risk", "NO LIMIT"), *written):
        status, page = get(server, f"/page?of={quote(id_, safe='')}")
        assert status == 200 and words in page
    status, page = get(server, "/compare?a=before%2F1&b=after%2F1")
    assert status == 200 and "network.nodes" in page and "One run of each" in page
    status, page = get(server, "/compare?a=before%2F1&b=after%2F2&seeds=all")
    assert status == 200 and "Over 2 seeds" in page
    assert files(results) == before


def test_the_list_is_served_while_a_page_is_made(server: ViewServer) -> None:
    list_page = server.kept(("slow",), lambda: get(server, "/", timeout_s=10)[1])
    assert "before/1" in list_page


def test_a_page_that_was_written_is_served_as_it_is(server: ViewServer, results: Path) -> None:
    page = results / "before" / "2" / "report.html"
    page.write_text("as it was written")
    assert get(server, "/page?of=before%2F2") == (200, "as it was written")
    page.unlink()


@pytest.mark.parametrize(
    "path",
    [
        "/page?of=../secret.html",
        "/page?of=%2e%2e%2fsecret.html",
        "/page?of=linked",
        "/page?of=/etc/passwd",
        "/page?of=before%2F1%2Frun.json",
        "/../secret.html",
        "/runs/before/1/run.json",
        "/%2e%2e/secret.html",
        "/page",
        "/compare?a=before%2F1",
        "/compare?a=../../etc&b=before%2F1",
    ],
)
def test_nothing_else_is_served(server: ViewServer, path: str) -> None:
    """Results are looked up by name; a path is never opened."""
    status, page = get(server, path)
    assert status == 404 and "secret" not in page.replace("secret.html", "")


def test_a_link_out_of_the_folder_is_not_followed(server: ViewServer) -> None:
    """The page of the odd search is a link to a file elsewhere: it is made instead."""
    status, page = get(server, f"/page?of={quote('<b>odd & name')}")
    assert status == 200 and page != "secret" and "capacity" in page


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.7:80", "", "["])
def test_another_host_s_name_is_refused(server: ViewServer, host: str) -> None:
    """DNS rebinding: a foreign page whose name resolves to this machine sees nothing."""
    status, page = get(server, "/", host)
    assert status == 403 and "before/1" not in page


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:80", "LOCALHOST:8765"])
def test_this_machine_s_names_are_served(server: ViewServer, host: str) -> None:
    assert get(server, "/", host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_is_read_only(server: ViewServer, method: str) -> None:
    assert get(server, "/", method=method)[0] == 501


def test_a_damaged_run_says_so(server: ViewServer) -> None:
    status, page = get(server, "/page?of=damaged")
    assert status == 422 and "is not a run of surgetank" in page
    assert get(server, "/compare?a=damaged&b=before%2F1")[0] == 422
    assert get(server, "/compare?a=search&b=before%2F1")[0] == 422


def test_a_port_in_use_and_a_missing_folder_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert ended(lambda: app(["view", str(tmp_path), "--port", port])) == 2
        error = capsys.readouterr().err
        assert f"error: --port {port}: is in use" in error and "--port 0" in error
    assert ended(lambda: app(["view", str(tmp_path / "gone")])) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    code = "from surgetank.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "view", str(tmp_path), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "0 results of" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(timeout=60) == 0 and "Traceback" not in rest


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_reader_filters_opens_and_compares(
    browser: Browser, server: ViewServer, width: int, scheme: str, tmp_path: Path
) -> None:
    """With scripts, by typing; the comparison by choosing two runs."""
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>")
    visit = Visit(browser, blank, width, scheme)
    page = visit.page
    page.goto(server.address)
    assert violations(visit) == [] and visit.overflow() <= 0
    assert page.locator(".results tbody tr").count() == 12
    page.click("a:text-is('risk')")
    assert page.locator("#verdict-word").inner_text() == "NO LIMIT"
    assert page.locator("figure").count() == 3 and violations(visit) == []
    page.go_back()
    assert page.locator("tbody b", has_text="odd").count() == 0
    page.fill("input[type=search]", "before 2")
    assert page.locator(".results tbody tr:visible").count() == 1
    page.fill("input[type=search]", "")
    page.check("input[name=a][value='before/1']")
    page.check("input[name=b][value='after/1']")
    page.click("text=Compare A with B")
    assert page.locator("#verdict-word").inner_text() == "B against A"
    assert "network.nodes" in page.inner_text("main")
    page.go_back()
    page.click("a:text-is('after/1')")
    assert page.locator("#verdict-word").inner_text() == "FAIL"
    assert visit.said == []
    visit.close()


@needs_chromium
def test_without_scripts(browser: Browser, server: ViewServer) -> None:
    """The form filters, headings sort, two runs are compared."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server.address)
    page.select_option("select[name=verdict]", "FAIL")
    page.click("input[value=Filter]")
    assert page.locator(".results tbody tr").count() == 2
    page.click("thead a:has-text('Seed')")
    assert page.locator(".results tbody th").all_inner_texts() == ["after/1", "after/2"]
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Seed")
    page.check("input[name=a][value='after/1']")
    page.check("input[name=b][value='after/2']")
    page.click("text=Compare A with B")
    assert page.locator("#verdict-word").inner_text() == "B against A"
    context.close()
