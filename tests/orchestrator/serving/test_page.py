"""The page in a real browser: generate, change the seed, walk, download; translate; give the token."""

import re
import shlex
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import FloatRect, Page, expect

from orchestrator.cli import main
from tests.browser import PHONE, SCREEN, browser_page, needs_browser
from tests.orchestrator.serving.pictures_to_send import photograph
from tests.orchestrator.serving.served import CLASSES, TRANSLATING, checkpoint, serving

pytestmark = [needs_browser, pytest.mark.slow]

DRAWN = "[...document.querySelectorAll('{0} canvas')].map(canvas => canvas.toDataURL())"


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(checkpoint(tmp_path_factory.mktemp("classes"), CLASSES)) as (_, url):
        yield url


def images(page: Page, where: str = "#images") -> list[str]:
    """What each tile shows, when nothing is asked any more."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    found: list[str] = page.evaluate(DRAWN.format(where))
    return found


@pytest.mark.parametrize(("size", "dark"), [(SCREEN, False), (PHONE, True)])
def test_a_visit(classes: str, size: tuple[int, int], dark: bool, tmp_path: Path) -> None:
    with browser_page(size, dark=dark) as page:
        page.goto(f"{classes}#seed=7&count=9")
        expect(page.locator("#images .tile")).to_have_count(9)
        seven = images(page)
        assert len(set(seven)) == 9
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"

        page.get_by_label("next seed").click()
        expect(page.locator("#seed")).to_have_value("8")
        eight = images(page)
        assert not set(eight) & set(seven)
        page.locator("#seed").fill("7")
        page.locator("#seed").press("Enter")
        page.locator("#seed").blur()
        assert images(page) == seven

        page.get_by_label("hair").select_option("red")
        red = images(page)
        assert red != seven and "seed=7" in page.url
        page.locator("#truncation").fill("0")
        assert len(set(images(page))) < 9, "the mean, by class of what was not chosen"
        page.locator("#truncation").fill("1")
        assert images(page) == red

        page.get_by_label("image 4 of seed 7").click()
        expect(page.locator("#around .tile")).to_have_count(9)
        around = images(page, "#around")
        assert around[4] == red[4] and len(set(around)) == 9
        page.get_by_label("neighbour 0").click()
        expect(page.locator("#walk-name")).to_have_text("Image 4 of seed 7, 1 step away")
        assert images(page, "#around")[4] == around[0]
        page.get_by_role("button", name="Others").click()
        with page.expect_download() as file:
            page.locator("#png").click()
        assert re.fullmatch(r"best_seed_7_image_4_walk_\d+\.0\.png", file.value.suggested_filename)
        file.value.save_as(tmp_path / "one.png")
        with Image.open(tmp_path / "one.png") as image:
            assert image.size == (32, 32)
        page.get_by_role("button", name="Back").click()
        expect(page.locator("#walk-name")).to_have_text("Image 4 of seed 7")
        assert images(page, "#around") == around
        page.get_by_label("close").click()

        with page.expect_download() as file:
            page.get_by_role("button", name="Download all").click()
        assert file.value.suggested_filename == "best_seed_7.zip"
        file.value.save_as(tmp_path / "all.zip")
        assert len(zipfile.ZipFile(tmp_path / "all.zip").namelist()) == 9
        address = page.url
        page.get_by_role("button", name="New images").click()
        page.wait_for_url(lambda url: url != address)
        assert int(page.locator("#seed").input_value()) < 1_000_000, "more digits than a phone shows"
        assert not set(images(page)) & set(red)
        page.goto(address)
        page.reload()
        expect(page.locator("#images .tile")).to_have_count(9)
        assert images(page) == red, "an address shows the same images again"


def commands(page: Page, where: str) -> list[list[str]]:
    """The words of each, as its button copies it."""
    found = []
    for number, box in enumerate(page.locator(f"{where} .command").all()):
        box.get_by_role("button", name="Copy").click()
        expect(box.get_by_role("button", name="Copied")).to_be_visible()
        text = page.evaluate("navigator.clipboard.readText()")
        assert text == page.locator(f"{where} pre").nth(number).text_content()
        found.append(shlex.split(text))
    return found


def sent(words: list[str]) -> bytes:
    """What curl would have got."""
    (name, value), body = words[words.index("-H") + 1].split(": "), words[words.index("-d") + 1]
    answer = httpx.post(words[1], headers={name: value}, content=body)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_commands_for_a_script(classes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in sight, are copied, and make what is shown."""
    checkpoint(tmp_path, CLASSES)
    monkeypatch.chdir(tmp_path)
    with browser_page((1280, 800)) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(f"{classes}#seed=7&count=4&truncation=0.5&classes=%7B%22hair%22%3A%22red%22%7D")
        expect(page.locator("#images .tile")).to_have_count(4)
        page.locator("#scripts summary").click()
        expect(page.locator("#scripts pre").last).to_be_in_viewport(ratio=1)
        curl, generate = commands(page, "#scripts")
        archive = zipfile.ZipFile(BytesIO(sent(curl)))
        assert curl[-1] == "best_seed_7.zip" and len(archive.namelist()) == 4
        assert " ".join(generate).startswith("gan-sweep generate best.pt --seed 7 --count 4 ")
        result = CliRunner().invoke(main, [*generate[1:], "--device", "cpu"])
        assert result.exit_code == 0, result.output
        for number in range(4):
            assert Path("images", f"{number:05d}.png").read_bytes() == archive.read(f"7_{number}.png")

        page.get_by_label("image 2 of seed 7").click()
        expect(page.locator("#around .tile")).to_have_count(9)
        page.locator("#walk-scripts summary").click()
        expect(page.locator("#walk-scripts pre").last).to_be_in_viewport(ratio=1)
        curl, generate = commands(page, "#walk-scripts")
        assert sent(curl) == archive.read("7_2.png") and curl[-1] == "best_seed_7_image_2.png"
        assert generate[generate.index("--count") + 1] == "3", "of which it is the last"
        page.get_by_label("neighbour 0").click()
        expect(page.locator("#walk-scripts .command")).to_have_count(1)
        assert sent(commands(page, "#walk-scripts")[0]) != archive.read("7_2.png")


def box_of(page: Page, selector: str) -> FloatRect:
    found = page.locator(selector).bounding_box()
    assert found is not None
    return found


@pytest.mark.parametrize("size", [SCREEN, PHONE])
def test_things_stand_where_they_belong(classes: str, size: tuple[int, int]) -> None:
    with browser_page(size) as page:
        page.goto(f"{classes}#seed=731904&count=9")
        expect(page.locator("#images .tile")).to_have_count(9)
        assert page.evaluate(
            "document.querySelector('#seed').scrollWidth <= document.querySelector('#seed').clientWidth"
        )
        if size == SCREEN:
            tops = {round(box_of(page, label)["y"]) for label in (".seed", ".wide", "label:has(#count)")}
            assert len(tops) == 1, tops
        page.get_by_label("image 4 of seed").click()
        page.get_by_label("neighbour 0").click()
        expect(page.locator("#walk-name")).to_have_text("Image 4 of seed 731904, 1 step away")
        name, close = box_of(page, "#walk-name"), box_of(page, "#close")
        assert close["y"] < name["y"] + name["height"] and close["x"] >= name["x"] + name["width"]
        page.get_by_label("neighbour 7").hover()
        # The walk may still be drawn anew, and a tile that is no longer in the page has no style.
        expect(page.get_by_label("neighbour 7")).to_have_css("outline-style", "none")
        expect(page.get_by_label("the image itself")).to_have_css("outline-style", "solid")


@pytest.mark.parametrize("words", ["seed=abc&classes=xx", "seed=-1&count=7&truncation=x", "classes=null&count=", "%"])
def test_an_address_that_is_wrong_is_taken_as_none(classes: str, words: str) -> None:
    with browser_page() as page:
        page.goto(f"{classes}#{words}")
        expect(page.locator("#images .tile")).to_have_count(16)
        expect(page.locator("#truncation-said")).to_have_text("1")
        expect(page.locator("#said")).to_be_empty()
        assert 0 <= int(page.locator("#seed").input_value()) < 1_000_000


def test_the_api_is_described_without_another_server(classes: str) -> None:
    with browser_page() as page:
        page.goto(f"{classes}docs")
        expect(page.locator("summary", has_text="POST /v1/walk")).to_be_visible()
        expect(page.locator("#operations")).to_contain_text('hair: "red" or "blue" or "green"')


def test_a_picture_is_translated(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(photograph())
    with serving(checkpoint(tmp_path, TRANSLATING)) as (_, url), browser_page() as page:
        page.goto(url)
        page.locator("#picture").set_input_files(tmp_path / "mine.png")
        expect(page.locator("#result-said")).to_have_text("a2b")
        with page.expect_download() as file:
            page.get_by_role("link", name="Download").click()
        file.value.save_as(tmp_path / "result.png")
        with Image.open(tmp_path / "result.png") as image:
            assert image.size == (32, 32)
        page.get_by_label("direction").select_option("b2a")
        expect(page.locator("#result-said")).to_have_text("b2a")


def test_a_wrong_token_is_asked_for_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("right" * 4)
    file.chmod(0o600)
    with serving(checkpoint(tmp_path, CLASSES), "--token-file", file) as (_, url):
        with pytest.raises(AssertionError, match="401"), browser_page() as page:  # Chromium writes each to the console
            page.goto(url)
            for given in ("wrong", "right" * 4):
                page.locator("#token-text").fill(given)
                page.get_by_role("button", name="Go on").click()
            expect(page.locator("#images .tile")).to_have_count(16)
            shown = True
        assert shown
