"""A server of one page's files, for the browser on the same machine only."""

from __future__ import annotations

import mimetypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ADDRESS = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class PageServer(ThreadingHTTPServer):
    """Serves the files that a folder has when it starts, and nothing else.

    Args:
        folder: the folder, whose own files are served; those in folders inside it are not.
        port: the port of 127.0.0.1; 0 takes a free one.

    Raises:
        OSError: the port is taken, or the folder cannot be read.
    """

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.files = {f"/{path.name}": path for path in folder.iterdir() if path.is_file()}
        super().__init__((ADDRESS, port), _Handler)
        # A site whose name is made to lead here has its own name in the header Host.
        self.hosts = {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://{ADDRESS}:{self.server_port}/"

    def run(self) -> None:
        """Serve until Ctrl-C or SIGTERM, then close."""
        with suppress(KeyboardInterrupt), _interrupting():
            self.serve_forever()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = 30  # seconds, for a client that says nothing

    def do_GET(self) -> None:
        """Answer with a file."""
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        """Answer with what GET says of a file."""
        self._answer(with_content=False)

    def _answer(self, with_content: bool) -> None:
        if self.headers.get("Host", "") not in self.server.hosts:
            self.send_error(HTTPStatus.FORBIDDEN, "This is another host")
            return
        name = urlsplit(self.path).path
        path = self.server.files.get("/index.html" if name == "/" else name)
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        content = path.read_bytes()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for header, value in HEADERS.items():
            self.send_header(header, value)
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal has the address."""


@contextmanager
def _interrupting() -> Iterator[None]:
    """Turn SIGTERM into what Ctrl-C raises, which a shell's background job would ignore."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
