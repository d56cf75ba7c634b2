"""The report in a real browser, without any network; `browser_page` fails a test whose page wrote an error."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from orchestrator.display.report.page import build_report
from orchestrator.results.prices import Prices
from tests.browser import PHONE, SCREEN, browser_page, needs_browser
from tests.orchestrator.display.report_sweeps import sweep

pytestmark = needs_browser

TRIALS = 10
_DRAWN = """() => document.querySelectorAll('.plot').length ===
    document.querySelectorAll('.plot .js-plotly-plot').length"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a sweep of ten trials."""
    folder = tmp_path_factory.mktemp("report")
    path = folder / "s.html"
    store = sweep(folder / "s", TRIALS, gang_gpus=2.0, prices=Prices(gpu_hour=1.5, head_hour=0.2))
    path.write_text(build_report([store], nearest_images=False).html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    """One browser for all tests here."""
    with browser_page(offline=True) as page:
        yield page


@pytest.fixture
def page(browser: Page, file: Path) -> Page:
    """The report, loaded anew."""
    browser.set_viewport_size({"width": SCREEN[0], "height": SCREEN[1]})
    browser.emulate_media(color_scheme="light")
    browser.goto(file.as_uri())
    return browser


def seen(page: Page, place: str = ".card") -> list[bytes]:
    """What is drawn of each picture there."""
    return [picture.screenshot() for picture in page.locator(f"{place} .pic").all()]


def slide(page: Page, slider: str, place: int) -> None:
    """As a reader drags it."""
    page.locator(slider).evaluate("(one, place) => { one.value = place; one.dispatchEvent(new Event('input')) }", place)


def column(page: Page, name: str) -> list[str]:
    """The cells of the leaderboard's column, as they are shown."""
    place = page.locator(".board th").all_text_contents().index(name) + 1
    cells = page.locator(f".board tbody tr:visible td:nth-child({place})").all_text_contents()
    return [cell.strip() for cell in cells]


def test_the_slider_moves_every_picture(page: Page) -> None:
    assert page.locator(".card").count() == TRIALS
    epochs = []
    drawn: list[list[bytes]] = []
    for place in (0, 1, 2):  # epochs 1, 2 and 4, which all trials have
        slide(page, "input.epochs", place)
        epochs.append(page.locator(".sticky output").text_content())
        drawn.append(seen(page))
    assert epochs == ["1", "2", "4"]
    for before, after in pairwise(drawn):
        assert all(one != other for one, other in zip(before, after, strict=True))
    slide(page, "input.epochs", 4)  # epoch 8, which three of ten have: the others keep their last
    texts = page.locator(".card .shown").all_text_contents()
    assert texts.count("epoch 8") == 3 and texts.count("epoch 4") == 7
    assert sum(one == other for one, other in zip(drawn[2], seen(page), strict=True)) == 7


def test_a_trials_own_view_goes_through_its_epochs_and_to_its_neighbour(page: Page) -> None:
    page.locator(".card").first.click()
    label = page.locator("dialog .label")
    first, told = label.text_content(), page.locator("dialog output")
    slide(page, "dialog input", 0)
    assert told.text_content() == "epoch 1"
    (before,) = seen(page, "dialog")
    page.keyboard.press("ArrowRight")
    assert (told.text_content() or "").startswith("epoch 2 · FID ")
    assert seen(page, "dialog") != [before]
    page.keyboard.press("ArrowLeft")
    assert told.text_content() == "epoch 1" and seen(page, "dialog") == [before]
    page.keyboard.press("ArrowDown")
    assert label.text_content() != first
    page.keyboard.press("ArrowUp")
    assert label.text_content() == first
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


def test_the_leaderboard_sorts_with_missing_values_last(page: Page) -> None:
    def values(name: str) -> list[float]:
        return [float(text) for text in column(page, name)]

    page.get_by_role("button", name="optimizer.lr_g").click()
    ascending = values("optimizer.lr_g")
    assert ascending == sorted(ascending) and len(set(ascending)) > 2
    page.get_by_role("button", name="optimizer.lr_g").click()
    assert values("optimizer.lr_g") == ascending[::-1]
    for _ in range(2):
        page.get_by_role("button", name="objective").click()
        shown = column(page, "objective")
        numbers = [float(text) for text in shown if text[0] not in "~-"]
        assert numbers in (sorted(numbers), sorted(numbers, reverse=True))
        assert len(numbers) < TRIALS and all(text[0] in "~-" for text in shown[len(numbers) :])


def test_the_leaderboard_filters(page: Page) -> None:
    page.locator(".of-verdict").select_option("d_collapse")
    assert set(column(page, "verdict")) == {"d_collapse"} and page.locator(".count").text_content() == "2 of 10"
    page.locator(".of-verdict").select_option("")
    page.locator(".filter").fill("stretch completed")
    assert set(column(page, "data.fit")) == {"stretch"} and set(column(page, "verdict")) == {"completed"}
    page.locator(".filter").fill("nothing has this")
    assert column(page, "trial") == [] and page.locator(".count").text_content() == "0 of 10"


@pytest.mark.parametrize(("size", "dark"), [(PHONE, False), (PHONE, True), (SCREEN, True)])
def test_all_of_it_fits_the_window_and_is_drawn(size: tuple[int, int], dark: bool, page: Page) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.reload()
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
    page.wait_for_function(_DRAWN)
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    paper, ink = (page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
    assert (brightness(paper) < 60 < 200 < brightness(ink)) is dark
    texts = page.locator(".plot text").evaluate_all("all => all.map(one => getComputedStyle(one).fill)")
    assert texts and all((brightness(fill) > 100) is dark for fill in texts[:20])


def width_of(page: Page, place: str) -> float:
    return float(page.locator(place).first.evaluate("one => one.getBoundingClientRect().width"))


def test_on_a_phone_nothing_is_too_small_or_cut_without_a_sign(page: Page) -> None:
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.reload()
    for place in ("nav .row", "section.leaderboard .scroll"):
        page.wait_for_function(f"document.querySelector('{place}').classList.contains('more')")
        page.locator(place).evaluate("one => { one.scrollLeft = one.scrollWidth }")
        page.wait_for_function(f"!document.querySelector('{place}').classList.contains('more')")
    assert page.locator(".ticks span:visible").all_text_contents()[0] == "0 s"
    assert page.locator(".ticks span:visible").count() == 3
    page.locator(".card").first.click()
    assert width_of(page, "dialog input") > 250 and not page.locator("dialog .hints").is_visible()
    assert not page.locator("dialog .serve").is_visible(), "no checkpoint is kept"
    page.keyboard.press("Escape")
    for part in ("importance", "parallel"):
        page.locator(f"section.{part} .plot").scroll_into_view_if_needed()
    page.wait_for_selector("section.importance .xtitle")
    title = page.locator("section.importance .xtitle").bounding_box()
    assert title is not None and title["x"] + title["width"] <= PHONE[0]
    page.wait_for_selector("section.parallel .axis-title")
    ends = page.locator("section.parallel .axis-extent").evaluate_all(
        "all => all.map(one => getComputedStyle(one).display)"
    )
    assert set(ends) == {"none"}, "the headings would lie over them"


def test_a_trials_place_in_time_tells_its_name_and_opens_it(page: Page) -> None:
    trial = page.locator(".strips .lease").nth(1)
    assert (trial.locator("title").text_content() or "").startswith("trial 0001, 4 s: outranked")
    trial.scroll_into_view_if_needed()
    trial.click()
    assert page.locator("dialog .label").text_content() == "Trial 0001"


def test_a_command_is_copied_as_it_stands(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    command = page.locator(".command").first
    command.locator(".copy").click()
    page.wait_for_function("document.querySelector('.copy').textContent === 'Copied'")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == command.locator("pre").text_content() and copied.startswith("gan-sweep launch --space ")


def test_a_row_of_the_leaderboard_is_one_row(page: Page) -> None:
    tops = "all => all.map(one => [...one.cells].map(cell => cell.getBoundingClientRect().height))"
    for heights in page.locator(".board tbody tr").evaluate_all(tops):
        assert len(set(heights)) == 1 and float(heights[0]).is_integer(), "a sticky cell is rounded to whole pixels"


def test_in_the_dark_the_axes_of_the_settings_are_seen(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.locator("section.parallel .plot").scroll_into_view_if_needed()
    page.wait_for_selector("section.parallel .axis path")
    stroke = page.locator("section.parallel .axis path").first.evaluate("one => getComputedStyle(one).stroke")
    assert brightness(stroke) > 100


def brightness(colour: str) -> float:
    """Of ``rgb(r, g, b)``, 0 to 255."""
    parts: list[Any] = colour[colour.index("(") + 1 : -1].split(",")[:3]
    return sum(map(float, parts)) / 3


def test_a_page_without_pictures_shows_no_error(browser: Page, tmp_path: Path) -> None:
    path = tmp_path / "s.html"
    path.write_text(build_report([sweep(tmp_path / "s", 1, grids=False)], nearest_images=False).html, encoding="utf-8")
    browser.goto(path.as_uri())
    browser.locator(".board .link").click()
    assert browser.locator("dialog .label").text_content() == "Trial 0000"
    assert not browser.locator("dialog .picture").is_visible()
