"""A browser with the explorer loaded once; nothing collects these files but `make docs-test`."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lrsched.cli.explorer_page import page_folder
from lrsched.cli.page_server import PageServer

CHECKS = "*_check.py"  # as `make docs-test` names them
DRAWN = "html[data-drawn]"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Doctests are looked for in every file, which would import these."""
    return None if CHECKS in config.getini("python_files") else True


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    server = PageServer(page_folder())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.address
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Explorer:
    """The page, as a user has it before them."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1360, "height": 900}, **options)
        self.page = self.context.new_page()
        self.address = address
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._console)
        self.page.on("request", lambda request: self.requests.append(request.url))
        begin = time.perf_counter()
        self.page.goto(address)
        self.page.wait_for_selector(DRAWN, state="attached", timeout=120_000)
        self.first_curve = time.perf_counter() - begin

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def drawings(self) -> int:
        """How often the curves were drawn."""
        return int(self.page.locator("html").get_attribute("data-drawn"))

    def after(self, action: Any) -> None:
        """Do something, and wait for the curves to be drawn again."""
        before = self.drawings()
        action()
        for _ in range(600):
            if self.drawings() > before:
                self.page.wait_for_timeout(60)  # a drawing may be followed by another
                return
            self.page.wait_for_timeout(20)
        raise AssertionError("the curves were not drawn again")

    def go(self, fragment: str) -> None:
        """Follow a link to a state."""
        place = f"{self.address}#{fragment}"
        self.after(lambda: self.page.evaluate("place => { location.href = place }", place))

    def ask(self, call: str, **arguments: Any) -> Any:
        """What Python in the browser answers."""
        script = "([call, values]) => explorer.python.ask(call, values, Symbol())"
        return self.page.evaluate(script, [call, arguments])

    def recipe(self, number: int = 1) -> Any:
        """The field of a recipe."""
        return self.page.get_by_role("combobox", name=f"Recipe {number}", exact=True)

    def recipes(self) -> list[str]:
        """The texts of all recipes."""
        return [field.input_value() for field in self.page.locator("#curves textarea").all()]

    def values(self) -> list[list[float]]:
        """The values that are drawn."""
        found: list[list[float]] = self.page.evaluate(
            "() => explorer.shown.curves.map(curve => curve.values)"
        )
        return found

    def counts(self) -> list[float]:
        """The places at which they are drawn."""
        found: list[float] = self.page.evaluate("() => explorer.shown.places")
        return found


@pytest.fixture(scope="session")
def loaded(browser: Any, address: str) -> Iterator[Explorer]:
    explorer = Explorer(browser, address, permissions=["clipboard-read", "clipboard-write"])
    yield explorer
    explorer.context.close()


@pytest.fixture
def explorer(loaded: Explorer) -> Iterator[Explorer]:
    """The loaded page with one recipe; a test may not leave an error in the console."""
    loaded.go("recipe=warmup(cosine_decay(0.1,900),100)&log=1")
    loaded.go("recipe=warmup(cosine_decay(0.1,900),100)")
    loaded.errors.clear()
    yield loaded
    assert loaded.errors == []
