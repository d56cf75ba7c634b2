"""The checkpoints of other runs that a sweep's trials start from: paths that hold everywhere, and files that fit."""

import os
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Any

from orchestrator.space.domains import Choice, Domain, Value
from orchestrator.space.space import Space
from trainers.config import InitConfig, TrainConfig
from trainers.errors import UserError, first_line, shortened

KEY, PARTS, FREEZE = "init.checkpoint", "init.parts", "init.freeze_d_layers"
# Besides these two, what decides whether a checkpoint fits.
_DECIDING = (
    "network.",
    "data.image_size",
    "regularizer.spectral_norm",
    "optimizer.name",
    "regime.name",
    "schedule.epochs",
)


def with_whole_paths(space: Space) -> Space:
    """`space` with absolute paths of checkpoints: gangs have other working directories, and a sweep goes on elsewhere.

    Raises:
        UserError: one is a URI.
    """
    search = {name: _with_whole_paths(name, domain) for name, domain in space.search.items()}
    points = tuple({name: _whole(value) if name == KEY else value for name, value in p.items()} for p in space.points)
    base = TrainConfig.build(space.base.model_dump(), {KEY: _whole(space.base.init.checkpoint)})
    return space.model_copy(update={"base": base, "search": search, "points": points})


def check_checkpoints(space: Space) -> None:
    """Check that every checkpoint that a trial may start from is there, whole, and fits all networks of the search.

    A key that decides about networks, or about epochs where those of the checkpoint count, is tried with each
    checkpoint and each choice of parts that its conditions allow, the others as in the base; where all trials go on
    from checkpoints, each is tried as it is. Where labels are ``auto``, networks are not known yet, and everything else
    is checked.

    Raises:
        UserError: one is not, or does not; names what differs.
    """
    from trainers.initial import check_fits, check_has_epochs_left, epochs_done

    saved = _all_read(space)
    if not saved:
        return
    for config in space.going_on() or _configs(space):
        if config.init.checkpoint is None:
            continue
        start = saved[config.init.checkpoint]
        if space.base.labels != "auto":
            check_fits(start, config)
        check_has_epochs_left(start, config)
        if config.init.takes("progress") and any(change.first <= epochs_done(start) + 1 for change in space.changes):
            raise UserError(f"{KEY} {config.init.checkpoint}: settings change at an epoch that it has behind it")


def most_epochs(space: Space) -> int:
    """Epochs that a trial trains at most: those that its checkpoint has behind it are not among them."""
    from trainers.initial import epochs_done

    if not any("progress" in str(parts).split(",") for parts in _values(space, PARTS)):
        return int(max(_values(space, "schedule.epochs")))
    behind = {path: epochs_done(saved) for path, saved in _all_read(space).items()}
    return max(
        config.schedule.epochs - (behind[str(config.init.checkpoint)] if config.init.takes("progress") else 0)
        for config in space.going_on() or _configs(space)
    )


def starting_hints(space: Space) -> list[str]:
    """A line where parts are named and no trial has a checkpoint, and one where trials would freeze layers of D that no
    checkpoint fills; FreezeD is for transfer.
    """
    given = [parts for parts in _values(space, PARTS) if parts != InitConfig().parts]
    if not given or any(_values(space, KEY)):
        return _freezing_hints(space)
    return [f"{PARTS} {given[0]} has no effect: no trial starts from a checkpoint ({KEY})", *_freezing_hints(space)]


def _freezing_hints(space: Space) -> list[str]:
    most = max(_values(space, FREEZE))
    for parts, path in product(_values(space, PARTS), _values(space, KEY)):
        wanted = {FREEZE: most, PARTS: parts, KEY: path}
        params = space.completed({name: value for name, value in wanted.items() if name in space.search})
        if params is None:
            continue
        init = space.resolve(params).init
        if init.freeze_d_layers and not init.takes("discriminator"):
            return [
                f"{FREEZE} {init.freeze_d_layers} freezes random layers where a trial takes no discriminator from a "
                f"checkpoint ({KEY} {init.checkpoint or 'null'}, {PARTS} {init.parts}); FreezeD is for transfer"
            ]
    return []


def _all_read(space: Space) -> dict[str, dict[str, Any]]:
    paths = {path for path in (space.base.init.checkpoint, *_values(space, KEY)) if path is not None}
    return {path: _read(path) for path in sorted(paths)}


def _read(path: str) -> dict[str, Any]:
    """A checkpoint, its tensors without values."""
    try:
        found = os.stat(path) if os.path.exists(path) else None
        return _read_once(path, found and (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    except UserError:
        raise
    except (OSError, ValueError) as error:  # such as a name that is too long
        raise UserError(f"{KEY} {shortened(path)}: cannot be read: {first_line(error, 80)}") from None


@lru_cache(maxsize=64)
def _read_once(path: str, content: tuple[int, ...] | None) -> dict[str, Any]:
    """Its sums are checked, which reads all of it, and a launch asks several times; `content` tells it from others."""
    from trainers.initial import read_initial

    return read_initial(path, "meta")


def _configs(space: Space) -> Iterator[TrainConfig]:
    """Configs of trials: between them every value of every key that decides, with each checkpoint."""
    names = [name for name in space.search if name.startswith(_DECIDING)]
    varied: list[dict[str, Value]] = [{name: value} for name in names for value in space.search[name].probes()]
    starts: list[dict[str, Value]] = [
        {name: value for name, value in ((KEY, path), (PARTS, parts)) if name in space.search}
        for path in _values(space, KEY)
        for parts in _values(space, PARTS)
    ]
    # Without a checkpoint that is drawn, too: where its key does not exist, the base's counts.
    for start, params in product([{}, *starts], [{}, *varied]):
        completed = space.completed({**start, **params})
        if completed is not None:
            yield space.resolve(_with_values(space, completed))


def _with_values(space: Space, params: dict[str, Value]) -> dict[str, Value]:
    """`params`, and every other key that exists beside them: with the base's value, or a first one in its range."""
    found, base = dict[str, Value](), space.base.flat()
    for name in space.in_order():
        domain, value = space.search[name], params.get(name, base[name])
        if name in params or space.is_active(name, found):
            found[name] = value if name in params or domain.contains(value) else domain.probes()[0]
    return found


def _values(space: Space, name: str) -> list[Any]:
    return space.search[name].probes() if name in space.search else [space.base.flat()[name]]


def _with_whole_paths(name: str, domain: Domain) -> Domain:
    """Those of a searched key, and those that it waits for."""
    when = {key: tuple(map(_whole, values)) if key == KEY else values for key, values in domain.when.items()}
    changes: dict[str, Any] = {"when": when}
    if name == KEY and isinstance(domain, Choice):
        changes["choice"] = tuple(dict.fromkeys(map(_whole, domain.choice)))
    return domain.model_copy(update=changes)


def _whole(path: Any) -> Any:
    if not isinstance(path, str):
        return path
    if "://" in path:
        raise UserError(f"{KEY} {path}: must be a file on every machine that trains, not a URI")
    return os.path.abspath(os.path.expanduser(path))  # which keeps links, and fails for none that go round in a circle
