"""The built site in a browser: links, pictures, formulas, in the dark and on a phone.

`make docs` builds the site. Only `make docs-test` collects this file.
"""

import functools
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

SITE = Path(__file__).parents[2] / "build" / "docs"
EXPLORER = "explore/"  # it has checks of its own
GENERATED = ("genindex.html", "py-modindex.html", "search.html")
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if "_static" not in path.parts and not path.relative_to(SITE).as_posix().startswith(EXPLORER)
)
READ = [page for page in PAGES if page not in GENERATED]
SCHEDULE, GALLERY = "reference/schedules/cyclic.html", "reference/gallery.html"
TUTORIAL = "tutorials/find-the-learning-rate.html"
KINDS = ["index.html", TUTORIAL, SCHEDULE, GALLERY, "guides/range-tests.html"]
KINDS += ["reference/errors.html"]
CONTRAST = """() => {
    const luminance = text => {
        const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map(x => {
            const c = x / 255;
            return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const page = luminance(getComputedStyle(document.body).backgroundColor);
    const texts = document.querySelectorAll("article p, article a, article math, article h1");
    const ratios = [...texts].map(text => {
        const letters = luminance(getComputedStyle(text).color);
        return (Math.max(letters, page) + 0.05) / (Math.min(letters, page) + 0.05);
    });
    return [page, Math.min(...ratios)];
}"""


class Parsed(HTMLParser):
    """The links, the pictures and the anchors of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.anchors: set[str] = set()
        self.feed((SITE / page).read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a tag refers to."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        self.sources += [given[key] for key in ("src", "data") if given.get(key)]
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.sources.append(given["href"])


@functools.cache
def parsed(page: str) -> Parsed:
    return Parsed(page)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """Serves the site without a line for each request."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=str(SITE))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_the_site_is_there() -> None:
    assert len(READ) > 100, "make docs builds it"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_pages_and_anchors(page: str) -> None:
    for href in parsed(page).links:
        parts = urlsplit(href)
        if parts.scheme or parts.netloc:
            continue
        inside = unquote(urlsplit(urljoin(f"http://site/{page}", href)).path).lstrip("/")
        inside = inside + "index.html" * (inside.endswith("/") or not inside)
        assert (SITE / inside).is_file(), href
        if parts.fragment and inside.endswith(".html") and not inside.startswith(EXPLORER):
            assert unquote(parts.fragment) in parsed(inside).anchors, href


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_is_part_of_the_site(page: str) -> None:
    for source in parsed(page).sources:
        parts = urlsplit(source)
        if parts.scheme != "data":
            assert not parts.scheme, source
            assert not parts.netloc, source
            path = urlsplit(urljoin(f"http://site/{page}", source)).path.lstrip("/")
            assert (SITE / unquote(path)).is_file(), source


def test_pages_ask_for_nothing_from_outside_and_fit_a_phone(browser: Any, address: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800}, color_scheme="dark")
    page, asked, failed, wide = context.new_page(), [], [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda got: failed.append(got.url) if got.status >= 400 else None)
    page.on("pageerror", lambda error: failed.append(str(error)))
    for name in READ:
        page.goto(address + name)
        if page.evaluate("document.documentElement.scrollWidth") > 360:
            wide.append(name)
    context.close()
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert failed == []
    assert wide == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", KINDS)
def test_text_is_readable_in_both_colour_schemes(
    browser: Any, address: str, name: str, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(address + name)
    background, contrast = page.evaluate(CONTRAST)
    page.close()
    assert (background < 0.1) == (scheme == "dark")
    assert contrast >= 4.5  # what WCAG asks for


def test_pictures_are_drawn_and_turned_in_the_dark(browser: Any, address: str) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(address + GALLERY)
    drawn = page.evaluate("[...document.querySelectorAll('article img')].map(x => x.naturalWidth)")
    style = page.evaluate("getComputedStyle(document.querySelector('article img')).filter")
    page.locator("article td a:has(img)").nth(3).click()
    assert page.url == f"{address}reference/schedules/cosine_decay.html#lrsched.cosine_decay"
    page.close()
    assert len(drawn) > 50
    assert min(drawn) > 0
    assert "invert" in style


def test_a_formula_is_laid_out(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(address + SCHEDULE)
    fraction = page.locator("math mfrac").first.bounding_box()
    word = page.locator("math mi", has_text="init_value").first.bounding_box()
    page.close()
    assert fraction["height"] > 1.5 * word["height"]


def test_the_search_finds_a_schedule(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}search.html?q=cyclic")
    found = page.locator("#search-results a", has_text="cyclic").first
    found.wait_for()
    assert "reference" in found.get_attribute("href")
    page.close()


def test_a_page_says_its_version(browser: Any, address: str) -> None:
    import lrsched

    page = browser.new_page()
    page.goto(address)
    assert lrsched.__version__ in page.locator(".sidebar-brand-text").inner_text()
    page.close()
