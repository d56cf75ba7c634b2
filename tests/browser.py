"""A real browser: Debian's Chromium without a window. Tests that want one are skipped, visibly, where there is none."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE, SCREEN = (390, 844), (1280, 900)  # width and height in pixels

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")


@contextmanager
def browser_page(
    size: tuple[int, int] = SCREEN, *, dark: bool = False, offline: bool = False, ours: bool = True
) -> Iterator[Page]:
    """A page of a new browser.

    Args:
        size: of the window.
        dark: whether the reader prefers dark pages.
        offline: without any network.
        ours: whether the page is ours; of another's, errors are not asked for.

    Raises:
        AssertionError: at its end, where our page wrote an error to its console or failed in a script.
    """
    wrong: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(f"{message.text} ({message.location})")

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
                offline=offline,
            )
            page = context.new_page()
            page.on("console", hear)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            yield page
        finally:
            browser.close()
    assert not (ours and wrong), wrong
