"""The server of the page, and the command that starts it."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrsched.cli import explore, explorer_page
from lrsched.cli.explorer_page import page_folder
from lrsched.cli.page_server import PageServer
from lrsched.explorer.address import read_state
from tests.cli.invoke import run as run_command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "inner").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>page")
    (folder / "explorer.js").write_text("1")
    (folder / "inner" / "deep.txt").write_text("deep")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[PageServer]:
    server = PageServer(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def asked(
    server: PageServer, path: str, host: str | None = None, method: str = "GET"
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", f"127.0.0.1:{server.server_port}" if host is None else host)
    connection.endheaders()
    response = connection.getresponse()
    found = response.status, response.read(), response.headers
    connection.close()
    return found


def test_the_page_is_served(server: PageServer) -> None:
    status, content, headers = asked(server, "/")
    assert (status, content) == (200, b"<!doctype html>page")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    status, content, headers = asked(server, "/explorer.js?v=1")
    assert (status, content) == (200, b"1")
    assert headers["Content-Type"].startswith("text/javascript")
    status, content, _ = asked(server, "/", method="HEAD")
    assert (status, content) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "//secret.txt",
        "/./index.html",
        "/inner/deep.txt",
        "/inner",
        "/index.html/",
        "/explorer.js%00",
        "/etc/passwd",
        "secret.txt",
        "http://127.0.0.1/../secret.txt",
    ],
)
def test_nothing_else_is_served(server: PageServer, path: str) -> None:
    status, content, _ = asked(server, path)
    assert status == 404
    assert b"secret" not in content.replace(path.encode(), b"")


def test_a_file_that_is_added_later_is_not_served(server: PageServer, folder: Path) -> None:
    (folder / "later.txt").write_text("later")
    assert asked(server, "/later.txt")[0] == 404


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{}"])
def test_another_host_is_refused(server: PageServer, host: str) -> None:
    assert asked(server, "/", host.format(server.server_port))[0] == 403


def test_localhost_is_the_same_host(server: PageServer) -> None:
    assert asked(server, "/", f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_changed(server: PageServer, method: str) -> None:
    assert asked(server, "/", method=method)[0] == 501


def test_it_listens_on_the_loopback_only(server: PageServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
        socket.create_connection(("127.0.0.2", server.server_port), timeout=2).close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_it(folder: Path, number: signal.Signals) -> None:
    code = f"""
from pathlib import Path
from lrsched.cli import explore, commands
explore.page_folder = lambda: Path({str(folder)!r})
commands.main()
"""
    command = [sys.executable, "-c", code, "explore", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"))
    connection.request("GET", "/")  # it is served, so it waits for a signal
    assert connection.getresponse().read() == b"<!doctype html>page"
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_address_has_the_recipes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(explore, "page_folder", lambda: folder)
    monkeypatch.setattr(PageServer, "run", lambda server: server.server_close())
    monkeypatch.setattr(webbrowser, "open", opened.append)
    result = run_command("explore", "constant(0.1)", "linear(1, 0, 10)")
    address = result.stdout.strip()
    fragment = address.partition("#")[2]
    curves = read_state(fragment)["curves"]
    recipes = ["constant(value=0.1)", "linear(init_value=1.0, end_value=0.0, steps=10)"]
    assert [curve["recipe"] for curve in curves] == recipes
    assert opened == [address]
    opened.clear()
    assert run_command("explore", "--no-browser").stdout.startswith("http://127.0.0.1:")
    assert not opened


@pytest.mark.parametrize(
    ("recipes", "message"),
    [
        (["constant(-"], "column"),
        (["cosine_decay(0.1, 0)"], "decay_steps must be"),
        (["reduce_on_plateau(0.1)"], "must be a Schedule"),
        (["constant(0.1)"] * 9, "at most 8, got 9"),
    ],
)
def test_a_bad_recipe_is_refused_first(
    recipes: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explore, "page_folder", lambda: pytest.fail("it went on"))
    result = run_command("explore", *recipes)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_refused(
    server: PageServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explore, "page_folder", lambda: folder)
    result = run_command("explore", "--no-browser", "--port", str(server.server_port))
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "in use" in result.stderr


def test_a_page_that_is_built_is_taken_as_it_is(folder: Path, tmp_path: Path) -> None:
    assert page_folder(folder, tmp_path / "nowhere") == folder


def test_without_a_page_a_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, sources = tmp_path / "none", tmp_path / "explorer"
    with pytest.raises(FileNotFoundError, match="this installation has no page"):
        page_folder(page, sources)
    sources.mkdir()
    (sources / "package.json").write_text("{}")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"install Node\.js 20 or later, with npm"):
        page_folder(page, sources)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("works", [True, False])
def test_a_checkout_builds_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    page, sources, tools = (tmp_path / name for name in ("page", "explorer", "tools"))
    sources.mkdir()
    tools.mkdir()
    (sources / "package.json").write_text("{}")
    build = (
        f'mkdir -p "$2" && echo built > "$2/index.html"; echo "no {works}" >&2; exit {not works:d}'
    )
    for name, script in (("npm", "test $1 = ci"), ("node", build)):
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    if not works:
        with pytest.raises(OSError, match=r"explore: build\.mjs failed: no False"):
            page_folder(page, sources)
        return
    assert page_folder(page, sources) == page
    (tools / "npm").unlink()
    assert page_folder(page, sources) == page
    assert explorer_page.SOURCES.name == "explorer"
