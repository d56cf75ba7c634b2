"""Pictures for the page, as many as it has room for: of every trial a strip of crops, and whole grids."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.grids import Grid, read_grid
from orchestrator.display.report.packing import Coding, Picture, in_rows, joined, packed
from orchestrator.display.report.text import plural
from orchestrator.results.sample_grids import find_grids
from trainers.data.pool import cores

Item = TypeVar("Item")
Layout = list[int]  # columns and rows of tiles
Strip = dict[str, Any]

ACROSS = 3  # tiles of a crop: enough to tell trials apart, large enough to judge
WALL_SIDE = 288  # pixels of a crop at most
GRID_SIDE = 1056  # and of a whole grid
MOST_EPOCHS = (48, 32, 24, 16, 12, 8, 6, 4, 3, 2)  # of a trial on the wall: as many as there is room for
WALL_SHARE = 0.5  # of the room, at most: the rest is for whole grids
SAMPLED = 6  # pictures that are packed to see how much room all will take
BATCH = 32  # grids that are packed before the room is looked at again


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The pictures of a page.

    Attributes:
        by_trial: by an entry's key: ``epochs``; ``wall``, a WebP of their crops, row by row in ``across`` columns and
            ``down`` rows; ``tiles``, columns and rows of a crop; ``grids``, a WebP by epoch; ``grid``, its columns and
            rows of tiles.
        notes: what was left out, a sentence each.
    """

    by_trial: dict[str, Strip] = field(repr=False)
    notes: tuple[str, ...]


def choose_pictures(groups: Sequence[Group], room: int, progress: Callable[[int, int], None]) -> Pictures:
    """The pictures for a page: crops of all trials first, then whole grids, the best trials' first.

    Args:
        groups: of the page.
        room: bytes of base64.
        progress: called with (pictures made, pictures in all).
    """
    entries = sorted((entry for group in groups for entry in group.every), key=lambda entry: entry.merit)
    found = {entry.key: find_grids(entry.sweep.store.trials_dir / entry.trial.trial_id) for entry in entries}
    entries = [entry for entry in entries if found[entry.key]]
    with ThreadPoolExecutor(cores()) as pool:
        maker = _Maker(pool, found, progress)
        by_trial, notes = maker.wall(entries, int(room * WALL_SHARE))
        room -= sum(len(one["wall"]) for one in by_trial.values())
        notes += maker.whole([entry for entry in entries if entry.key in by_trial], by_trial, room)
    if maker.lossy:
        notes.append("Pictures are packed with loss, for room: grain and colours look smoother than they are.")
    if maker.damaged:
        notes.append(f"{plural(len(maker.damaged), 'sample grid')} could not be read, and nothing stands for them.")
    return Pictures(by_trial=by_trial, notes=tuple(notes))


class _Maker:
    """Makes them, on all cores: Pillow lets go of the GIL.

    Attributes:
        damaged: grids that could not be read.
        lossy: whether some pictures are packed with loss.
    """

    def __init__(
        self, pool: ThreadPoolExecutor, found: dict[str, dict[int, Path]], progress: Callable[[int, int], None]
    ) -> None:
        self._pool, self._found, self._progress = pool, found, progress
        self.damaged: set[Path] = set()
        self.lossy = False
        self._done, self._all = 0, 2 * sum(map(len, found.values()))

    def wall(self, entries: Sequence[Entry], room: int) -> tuple[dict[str, Strip], list[str]]:
        """A strip of crops of every trial, with fewer epochs where there are many."""
        sample = [(entry, [*self._found[entry.key].values()][-1]) for entry in spread(entries, SAMPLED)]
        crops = [crop[0] for entry, path in sample if (crop := self._crop(entry, path)) is not None]

        def wanted(most: int, coding: Coding) -> int:
            return _largest(crops, coding) * sum(min(most, len(self._found[entry.key])) for entry in entries)

        tried = [(MOST_EPOCHS[0], coding) for coding in Coding] + [(most, Coding.SMALL) for most in MOST_EPOCHS[1:]]
        most, coding = next((one for one in tried if wanted(*one) <= room), tried[-1])
        self.lossy |= coding is not Coding.EXACT
        by_trial: dict[str, Strip] = {}
        without = 0
        for entry, strip in zip(
            entries, self._pool.map(lambda one: self._strip(one, most, coding), entries), strict=True
        ):
            if strip is not None and len(strip["wall"]) <= room:
                room -= len(strip["wall"])
                by_trial[entry.key] = strip
            else:
                without += strip is not None
        notes = []
        if any(len(self._found[entry.key]) > most for entry in entries):
            notes.append(
                f"At most {most} epochs of a trial have pictures: its first, best and last, others in between."
            )
        if without:
            notes.append(f"No room for the pictures of {plural(without, 'trial')}, the lowest ranked.")
        return by_trial, notes

    def whole(self, entries: Sequence[Entry], by_trial: dict[str, Strip], room: int) -> list[str]:
        """Whole grids: of each trial that of its best or last epoch, then the others; the best trials' first."""
        wanted = list(_in_order(entries, by_trial))
        sample = [whole[0] for one in spread(wanted, SAMPLED) if (whole := self._whole(*one)) is not None]
        fitting = (coding for coding in Coding if _largest(sample, coding) * len(wanted) <= room)
        coding = next(fitting, Coding.SMALL)
        self.lossy |= coding is not Coding.EXACT
        left_out = 0
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            if left_out:  # no room: nothing is made for nothing
                left_out += len(batch)
                continue
            grids = self._pool.map(lambda one: self._grid(one, coding), batch)
            for (entry, epoch), made in zip(batch, grids, strict=True):
                if made is not None and len(made[0]) <= room:
                    room -= len(made[0])
                    by_trial[entry.key]["grids"][epoch], by_trial[entry.key]["grid"] = made
                else:
                    left_out += made is not None
        self._tick(self._all)
        if not left_out:
            return []
        return [
            f"No room for {left_out:,} of {plural(len(wanted), 'whole grid')}, those of the lowest ranked trials: "
            "a click shows the crop instead."
        ]

    def _strip(self, entry: Entry, most: int, coding: Coding) -> Strip | None:
        files, crops = self._found[entry.key], {}
        for epoch in thinned(list(files), most, entry.trial.best_epoch):
            if (crop := self._crop(entry, files[epoch])) is not None:
                crops[epoch] = crop
            self._tick()
        if not crops:
            return None
        newest, tiles = [*crops.values()][-1]
        crops = {epoch: crop for epoch, crop in crops.items() if crop[0].shape == newest.shape}  # of one layout
        sheet, across, down = in_rows([crop for crop, _ in crops.values()])
        layout = {"across": across, "down": down, "tiles": tiles, "grid": tiles}
        return {"epochs": list(crops), "wall": packed(sheet, coding), "grids": {}, **layout}

    def _crop(self, entry: Entry, path: Path) -> tuple[Picture, Layout] | None:
        """The first tiles of a grid."""
        if (grid := self._read(entry, path)) is None:
            return None
        crop = grid[:ACROSS, :ACROSS]
        return joined(crop, WALL_SIDE), [crop.shape[1], crop.shape[0]]

    def _grid(self, wanted: tuple[Entry, int], coding: Coding) -> tuple[str, Layout] | None:
        whole = self._whole(*wanted)
        self._tick()
        return None if whole is None else (packed(whole[0], coding), whole[1])

    def _whole(self, entry: Entry, epoch: int) -> tuple[Picture, Layout] | None:
        grid = self._read(entry, self._found[entry.key][epoch])
        return None if grid is None else (joined(grid, GRID_SIDE), [grid.shape[1], grid.shape[0]])

    def _read(self, entry: Entry, path: Path) -> Grid | None:
        if (grid := read_grid(path, image_size(entry))) is None:
            self.damaged.add(path)
        return grid

    def _tick(self, steps: int = 1) -> None:
        self._done = min(self._done + steps, self._all)
        self._progress(self._done, self._all)


def thinned(epochs: Sequence[int], most: int, best: int | None) -> list[int]:
    """At most `most` of some epochs (two at least): the first, the last, the best, and others in between, evenly."""
    if len(epochs) <= most:
        return list(epochs)
    must = [epochs[0], *(epoch for epoch in epochs if epoch == best), epochs[-1]]
    must = list(dict.fromkeys(must))[-most:]
    others = [epoch for epoch in epochs if epoch not in must]
    return sorted([*must, *spread(others, most - len(must))])


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """`count` of some items, evenly."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[place] for place in dict.fromkeys(places.tolist())]


def image_size(entry: Entry) -> int:
    """Side of a trial's images, pixels; 64 where its space cannot be read."""
    if entry.sweep.space is None:
        return 64
    return int(entry.trial.params.get("data.image_size") or entry.sweep.space.base.data.image_size)


def _in_order(entries: Sequence[Entry], by_trial: dict[str, Strip]) -> Iterator[tuple[Entry, int]]:
    main: dict[str, int] = {}
    for entry in entries:
        epochs: list[int] = by_trial[entry.key]["epochs"]
        main[entry.key] = next((epoch for epoch in epochs if epoch == entry.trial.best_epoch), epochs[-1])
        yield entry, main[entry.key]
    for entry in entries:
        yield from ((entry, epoch) for epoch in by_trial[entry.key]["epochs"] if epoch != main[entry.key])


def _largest(pictures: Sequence[Picture], coding: Coding) -> int:
    """Bytes of the largest of some pictures."""
    return max((len(packed(picture, coding)) for picture in pictures), default=0)
