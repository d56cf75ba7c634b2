"""The plan of a sweep: everything resolved and checked before Ray starts."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from orchestrator.plan.budgets import Budgets, read_budgets
from orchestrator.plan.resources import Resources, choose_resources, machine
from orchestrator.results.store import find_sweep
from orchestrator.search.studies import resolve_storage
from orchestrator.space.demo import demo_images, demo_space
from orchestrator.space.load import load_space
from orchestrator.space.overrides import apply_settings
from orchestrator.space.rules_file import read_block
from orchestrator.space.space import Space, config_names, possible_search
from trainers.config import TrainConfig
from trainers.errors import UserError

_BUILT = ("network.", "loss.", "regime.", "regularizer.", "data.image_size")  # decide what is built


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """The options of ``gan-sweep launch``; None means not given."""

    space: str
    data: Path | None = None
    name: str | None = None
    demo: bool = False
    trials: int | None = None
    concurrency: int | None = None
    workers_per_trial: int | None = None
    cpus_per_worker: float | None = None
    gpus_per_worker: float | None = None
    settings: tuple[str, ...] = ()
    fid_extractor: str | None = None
    fid_weights: Path | None = None
    tracking_uri: str | None = None
    sweeps_dir: Path = Path("sweeps")
    address: str | None = None
    time_budget: str | None = None
    max_gpu_hours: str | None = None
    target_fid: str | None = None
    sampler: str | None = None
    scheduler: str | None = None
    rules: str | None = None
    storage: str | None = None
    warm_start: str | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A resolved sweep.

    Attributes:
        sweep: its name.
        directory: where all its files are written.
        space: with ``--demo``, ``--set`` and ``--trials`` applied.
        data: directory of the real images.
        synthetic: whether images have to be drawn into `data` first.
        cache_dir: directory of decoded images and statistics.
        resources: gangs and ranks.
        metric: name of the FID, protocol included.
        tracking_uri: MLflow's URI; file paths in it are absolute.
        storage: storage of Optuna's study: a journal's path or a database's URL.
        warm_start: directory of the earlier sweep whose trials the sampler gets; None for none.
        address: address of a running Ray cluster; None starts Ray on this machine.
        budgets: limits that may end the sweep before all trials have run.
        seed: seed of the search and of every trial.
    """

    sweep: str
    directory: Path
    space: Space
    data: Path
    synthetic: bool
    cache_dir: Path
    resources: Resources
    metric: str
    tracking_uri: str
    storage: str
    warm_start: Path | None
    address: str | None
    budgets: Budgets
    seed: int

    @property
    def trials(self) -> int:
        """Number of planned trials."""
        return self.space.trials


def make_plan(options: LaunchOptions, available: tuple[int, int] | None = None) -> Plan:
    """Resolve and check everything that can be checked without reading the images.

    Args:
        options: the options of the launch.
        available: CPUs and GPUs of the cluster; None: those of this machine.

    Raises:
        UserError: an option or the space is invalid, or they do not fit together; one line.
    """
    space = _overridden(load_space(options.space), options)
    _check_buildable(space)
    synthetic = options.data is None
    cache_dir = default_cache_dir()
    if synthetic and not options.demo:
        raise UserError("no images: give a folder with --data DIR, or draw some with --demo")
    if synthetic and space.synthetic is None:
        raise UserError(f"space {space.name} has no synthetic pictures: give a folder with --data DIR")
    data = options.data or cache_dir / "synthetic" / f"{space.synthetic}-{demo_images(str(space.synthetic))}"
    cpus, gpus = available or machine()
    resources = choose_resources(
        concurrency=options.concurrency,
        workers=options.workers_per_trial,
        cpus=options.cpus_per_worker,
        gpus=options.gpus_per_worker,
        available_cpus=cpus,
        available_gpus=gpus,
        local=options.address is None,
    )
    _check_shares(space, resources.workers)
    sweep = options.name or f"{space.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", sweep):
        raise UserError(f"--name {sweep!r}: letters, digits, '.', '_' and '-' only, a letter or digit first")
    directory = options.sweeps_dir.resolve() / sweep
    if directory.exists():
        raise UserError(f"{directory} exists already; choose another --name")
    if directory.is_relative_to(data.resolve()):
        raise UserError(f"--sweeps-dir {options.sweeps_dir} lies inside the images' folder {data}: name one outside it")
    return Plan(
        sweep=sweep,
        directory=directory,
        space=space,
        data=data.resolve(),
        synthetic=synthetic,
        cache_dir=cache_dir,
        resources=resources,
        metric=_metric(space.base),
        tracking_uri=_tracking_uri(options.tracking_uri, directory),
        storage=resolve_storage(options.storage, directory),
        warm_start=find_sweep(options.warm_start, options.sweeps_dir).directory if options.warm_start else None,
        address=options.address,
        budgets=read_budgets(
            time=options.time_budget,
            gpu_hours=options.max_gpu_hours,
            target_fid=options.target_fid,
            gpus=resources.gpus,
        ),
        seed=options.seed,
    )


def prepare_data(plan: Plan, progress: Callable[[int, int], None] | None = None) -> list[Any]:
    """Draw the synthetic images if the plan needs them, and decode all images at every size and fit in the space.

    Args:
        plan: the sweep.
        progress: called with (done, total) while images are decoded.

    Returns:
        The image caches (`trainers.data.ImageCache`): for each size and fit, one per folder that the family finds in
        the data. Those of the base's size and fit come first.

    Raises:
        UserError: the folder is missing, has fewer usable images than one global batch, or does not suit the family.
    """
    from trainers.data import build_cache, draw_synthetic, require_images
    from trainers.families import find_family

    space = plan.space
    if plan.synthetic:
        assert space.synthetic is not None
        draw_synthetic(space.synthetic, plan.data, count=demo_images(space.synthetic))
    sources = find_family(space.base).find_sources(plan.data).values()
    base = (space.base.data.image_size, space.base.data.fit)
    shapes = dict.fromkeys([base, *product(_values(space, "data.image_size"), _values(space, "data.fit"))])
    caches = []
    for size, fit in shapes:
        for source in sources:
            cache = build_cache(source, image_size=size, fit=fit, cache_dir=plan.cache_dir, progress=progress)
            require_images(cache, max(_values(space, "data.batch_size")))
            caches.append(cache)
    return caches


def with_labels(plan: Plan, cache: Any) -> Plan:
    """Resolve ``labels: auto`` from the data, where the family does so.

    Searched keys of labels that the data does not have are dropped.

    Args:
        plan: the sweep.
        cache: images of the family's first folder, from `prepare_data`.

    Raises:
        UserError: the images do not have the labels that the family needs.
    """
    from trainers.families import find_family

    space, family = plan.space, find_family(plan.space.base)
    folder, *_ = family.find_sources(plan.data).values()
    base = family.resolve_labels(space.base, folder, cache.paths())
    if base == space.base:
        return plan
    known = config_names(base)
    search = {name: domain for name, domain in space.search.items() if name in known}
    space = possible_search(space.model_copy(update={"base": base, "search": search}))
    _check_buildable(space)
    return replace(plan, space=space)


def _tracking_uri(given: str | None, directory: Path) -> str:
    """`given` with a relative SQLite path made absolute, because other processes have other working directories."""
    if given is None:
        return f"sqlite:///{directory / 'mlflow.db'}"
    if given.startswith("sqlite:///"):
        return f"sqlite:///{Path(given.removeprefix('sqlite:///')).resolve()}"
    if not re.match(r"(https?|postgresql|mysql|mssql)(\+\w+)?://", given):
        raise UserError(f"--tracking-uri {given!r}: give http(s)://..., sqlite:///FILE.db, or another database's URI")
    return given


def default_cache_dir() -> Path:
    """``$GAN_SWEEP_CACHE``, else ``gan-sweep`` in the user's cache directory."""
    given = os.environ.get("GAN_SWEEP_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given).resolve() if given else base / "gan-sweep"


def _overridden(space: Space, options: LaunchOptions) -> Space:
    if options.demo:
        space = demo_space(space)
    if options.rules is not None:
        rules = {"on": True, "off": False}.get(options.rules)
        space = space.model_copy(update={"pruning": read_block(Path(options.rules)) if rules is None else rules})
    settings = [f"seed={options.seed}"]
    if options.fid_extractor:
        settings.append(f"fid.extractor={options.fid_extractor}")
    if options.fid_weights:
        settings.append(f"fid.weights={options.fid_weights.resolve()}")
    if options.sampler:
        settings.append(f"sampler.name={options.sampler}")
    if options.scheduler:
        settings.append(f"scheduler.name={options.scheduler}")
    space = apply_settings(space, [*settings, *options.settings])
    return space if options.trials is None else space.model_copy(update={"trials": options.trials})


def _metric(base: TrainConfig) -> str:
    """The name of the FID metric. Building the extractor also shows before Ray starts whether its weights are there."""
    from trainers.metrics import build_extractor, protocol_name

    extractor = build_extractor(base.fid.extractor, base.fid.weights)
    return protocol_name(extractor.protocol, base.fid.n_fake)


def _check_buildable(space: Space) -> None:
    from trainers.families import check_buildable, find_family

    find_family(space.base)
    if space.base.labels == "auto":
        return  # `with_labels` checks again when the labels are known
    check_buildable(space.base)
    for name, domain in space.search.items():
        if name.startswith(_BUILT):
            for value in domain.probes():
                check_buildable(space.resolve(space.completed({name: value}) or {}))


def _check_shares(space: Space, workers: int) -> None:
    for batch in _values(space, "data.batch_size"):
        if batch % workers:
            raise UserError(f"data.batch_size {batch} cannot be shared by {workers} workers: not a multiple")


def _values(space: Space, name: str) -> list[Any]:
    """The values of a key to check: those of its domain's `probes`, or the base's."""
    domain = space.search.get(name)
    return domain.probes() if domain is not None else [space.base.flat()[name]]
