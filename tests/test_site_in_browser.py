"""The site, opened as a reader opens it: in Chromium, without a network, wide and narrow, light and dark, with the keyboard alone."""

import functools
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Quiet(SimpleHTTPRequestHandler):
    """A server that says nothing."""

    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def address(small_site):
    """Where the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=small_site.folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def opened(browser, address, slowness):
    """Open a page; what it fetched elsewhere and what its console complained of must be nothing."""
    contexts, faults = [], []

    def fault(what):
        faults.append(what)

    def open_page(path, width=1280, scheme="light"):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        contexts[-1].set_default_timeout(30_000 * slowness)
        tab = contexts[-1].new_page()
        tab.on("request", lambda request: None if request.url.startswith((address, "data:")) else fault(f"fetched {request.url}"))
        tab.on("console", lambda message: fault(message.text) if message.type in ("error", "warning") else None)
        tab.on("pageerror", lambda problem: fault(str(problem)))
        tab.goto(f"{address}/{path}")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_and_show_their_pictures(opened, width, scheme):
    for path in ("index.html", "lectures/98_made_up.html", "syllabus.html", "results.html", "data/pneumoniamnist.html"):
        tab = opened(path, width, scheme)
        assert tab.evaluate("document.documentElement.dataset.theme") == scheme
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} is wider than its window"
        tab.evaluate("document.querySelectorAll('img').forEach(one => one.loading = 'eager')")
        tab.wait_for_function("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
        contrast = tab.evaluate(CONTRAST)
        assert contrast >= 4.5, f"{path}: text stands out from its ground by {contrast:.1f} only"


# The contrast of the page's text against its ground, as WCAG has it.
CONTRAST = """() => {
    const light = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
        .map(one => (one /= 255) <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        .reduce((sum, one, number) => sum + one * [0.2126, 0.7152, 0.0722][number], 0)
    const text = light(getComputedStyle(document.querySelector('article p')).color), ground = light(getComputedStyle(document.body).backgroundColor)
    return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)
}"""


def test_from_the_first_page_to_an_exercise_by_the_map(opened):
    tab = opened("index.html")
    tab.locator(".doors").get_by_role("link", name="Syllabus map").click()
    tab.get_by_role("link", name="1.1a a background that ignores vessels").click()
    tab.wait_for_url(re.compile(r"98_made_up\.html#exercise-1-1a$"))
    heading = tab.get_by_role("heading", name="Exercise 1.1a")
    heading.wait_for()
    assert heading.bounding_box()["y"] >= tab.locator("header.bd-header").bounding_box()["height"] - 2, "the heading hides behind the bar"
    hint = tab.get_by_text("numpy.median")
    assert not hint.is_visible()
    tab.get_by_text("Hint 2: what to call").first.click()
    assert hint.is_visible()


def test_search_finds_a_lecture(opened):
    tab = opened("search.html?q=vessels")
    tab.locator("ul.search a", has_text="Lecture 98").first.wait_for()


def test_the_keyboard_alone_is_enough(opened):
    tab = opened("lectures/98_made_up.html")
    tab.keyboard.press("Tab")
    assert "main content" in tab.evaluate("document.activeElement.textContent").lower()
    tab.keyboard.press("Control+k")
    tab.wait_for_function("document.activeElement.matches('input[type=search]')")
    tab.keyboard.press("Escape")
    hint = tab.locator("details summary", has_text="Hint 1").first
    hint.focus()
    tab.keyboard.press("Enter")
    assert hint.evaluate("one => one.parentElement.open")
    assert hint.evaluate("one => getComputedStyle(one).outlineStyle") != "none", "focus can't be seen"


def test_light_and_dark_change_by_a_button_and_stay(opened):
    tab = opened("index.html", scheme="light")
    for _ in range(3):
        if tab.evaluate("document.documentElement.dataset.theme") == "dark":
            break
        tab.get_by_role("button", name="Color mode").first.click()
        option = tab.get_by_role("button", name="Dark").or_(tab.get_by_role("menuitem", name="Dark"))
        option.first.click()
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.locator(".doors").get_by_role("link", name="Data sheets").click()
    tab.wait_for_url(re.compile("data/index.html"))
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
