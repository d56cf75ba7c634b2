"""The page: its parts in order, put together in one file."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from orchestrator.display.report.advised import advised
from orchestrator.display.report.curves import curves
from orchestrator.display.report.entries import Group, read_sweeps
from orchestrator.display.report.front import front
from orchestrator.display.report.importance import importance
from orchestrator.display.report.leaderboard import leaderboard
from orchestrator.display.report.nearest import nearest
from orchestrator.display.report.overview import counts, overview
from orchestrator.display.report.parallel import parallel
from orchestrator.display.report.part import Part
from orchestrator.display.report.reproduce import reproduce
from orchestrator.display.report.slices import slices
from orchestrator.display.report.spending import spending
from orchestrator.display.report.sprites import choose_pictures
from orchestrator.display.report.target import target_of
from orchestrator.display.report.text import listed
from orchestrator.display.report.timeline import timeline
from orchestrator.display.report.verdicts import verdicts
from orchestrator.display.report.wall import facts, wall
from orchestrator.display.report.winner import winner
from orchestrator.results.records import NOT_COUNTED
from orchestrator.results.store import ResultsStore
from orchestrator.space.objectives import called

MOST_BYTES = 30_000_000  # of the file
SMALL_BYTES = 200_000  # of it, at most, for what is neither a part, nor a picture, nor a script
CARD_BYTES = 1_200  # and for each trial's place on the wall

_STYLES = ("report.css",)
_SCRIPTS = ("plots.js", "leaderboard.js", "pictures.js", "scroll.js")

Progress = Callable[[str, int, int], None]


def _quietly(what: str, done: int, all_: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A finished page.

    Attributes:
        html: the file's content.
        notes: what was left out, a sentence each; in the page too.
    """

    html: str = field(repr=False)
    notes: tuple[str, ...]


def build_report(
    stores: Sequence[ResultsStore], progress: Progress = _quietly, *, nearest_images: bool = True
) -> Report:
    """The report of some sweeps.

    Args:
        stores: their directories.
        progress: called with what is being done, items done and items in all.
        nearest_images: whether the real images are looked through for those nearest to the winner's samples.

    Raises:
        UserError: a file of a sweep is damaged, or a newer version wrote it.
    """
    groups = read_sweeps(stores, lambda done, all_: progress("reading trials", done, all_))
    environment = _environment()
    rendered: dict[str, Markup] = {}
    parts = []
    for group in groups:
        own = []
        for part in _parts(group, nearest_images):
            rendered[anchor(group, part)] = _render(environment, group, part)
            own.append(part)
        parts.append((group, own))
    trials = {entry.key: facts(entry) for group in groups for entry in group.every}
    scripts = [Markup(_script(get_plotlyjs())), *(_asset(name) for name in _SCRIPTS)]
    used = sum(len(text.encode()) for text in (_json(trials), *scripts, *rendered.values()))
    room = MOST_BYTES - used - SMALL_BYTES - CARD_BYTES * len(trials)
    pictures = choose_pictures(groups, room, lambda done, all_: progress("sample grids", done, all_))
    for group, own in parts:
        cards = wall(group, pictures)
        own.insert(2 if group.costs else 1, cards)
        rendered[anchor(group, cards)] = _render(environment, group, cards)
    html = environment.get_template("page.html").render(
        title=listed([store.directory.name for store in stores]),
        made=time.strftime("%Y-%m-%d %H:%M"),
        groups=[(group, _apart(group, groups), own) for group, own in parts],
        rendered=rendered,
        standings=[(sweep, counts(sweep)) for group in groups for sweep in group.sweeps],
        styles=[_asset(name) for name in _STYLES],
        scripts=scripts,
        trials=trials,
        pictures=pictures.by_trial,
        anchor=anchor,
    )
    notes = dict.fromkeys(note for _, own in parts for part in own for note in part.notes)
    return Report(html=html, notes=tuple(notes))


def _parts(group: Group, nearest_images: bool) -> Iterator[Part]:
    """What a group shows, in order; the wall, which takes the room that is left, comes later."""
    if group.costs:
        yield front(group)
    yield winner(group)
    yield leaderboard(group)
    yield curves(group)
    yield parallel(group)
    target = target_of(group)
    matter, keys = importance(group, target)
    yield matter
    yield slices(group, target, keys)
    if next_time := advised(group):
        yield next_time
    yield verdicts(group)
    yield timeline(group)
    yield spending(group)
    yield nearest(group, skip=not nearest_images)
    yield overview(group)
    yield reproduce(group)


def anchor(group: Group, part: Part) -> str:
    """The id of a part in the page."""
    return f"{part.name}-{group.number}"


def _apart(group: Group, groups: Sequence[Group]) -> str:
    """Why a group stands apart from the others; empty where there is one."""
    if len(groups) == 1:
        return ""
    names = listed([sweep.name for sweep in group.sweeps])
    if len({other.objective for other in groups}) > 1:
        own = f"{called(group.measure)} as {group.objective}"
        return f"{names}: {own}. Sweeps that measure otherwise stand apart: values do not compare."
    images = group.sweeps[0].plan.fingerprint[:12] or "not recorded"
    return f"{names}: images with the fingerprint {images}. Sweeps on others stand apart: values do not compare."


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("orchestrator.display.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["not_counted"] = NOT_COUNTED
    environment.filters["data"] = lambda value: Markup(_json(value))
    return environment


def _render(environment: Environment, group: Group, part: Part) -> Markup:
    template = environment.get_template(f"{part.name}.html")
    return Markup(template.render(group=group, part=part, id=anchor(group, part), **part.values))


def _json(value: Any) -> str:
    """JSON that may stand in a ``<script>`` element; what is not finite becomes null."""
    text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _asset(name: str) -> Markup:
    return Markup(_script((files("orchestrator.display.report") / "assets" / name).read_text(encoding="utf-8")))


def _script(text: str) -> str:
    """Code for a ``<script>`` or ``<style>`` element, which ends at the first closing tag."""
    assert "</script" not in text.lower() and "</style" not in text.lower()
    return text
