"""The plan of a sweep: everything resolved and checked before Ray starts."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.plan.budgets import Budgets, parse_duration, read_budgets
from orchestrator.plan.checks import check_elastic, check_images, check_shares, check_space_buildable
from orchestrator.plan.disk import DiskForecast, check_disk, forecast_disk
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.memory import check_memory, gpu_memory, host_memory, largest_networks
from orchestrator.plan.places import check_can_make, check_name, check_no_sweep, check_remote
from orchestrator.plan.resources import Resources, choose_resources, machine
from orchestrator.results.databases import check_uri
from orchestrator.results.mirror import pull
from orchestrator.results.places import default_cache_dir
from orchestrator.results.retention import how_many
from orchestrator.results.saved_plan import PLAN_FILE
from orchestrator.results.store import ResultsStore, exists_already, find_sweep
from orchestrator.search.studies import resolve_storage
from orchestrator.space.demo import demo_images, demo_space
from orchestrator.space.load import load_space
from orchestrator.space.overrides import apply_settings
from orchestrator.space.rules_file import read_block
from orchestrator.space.space import Space
from trainers.config import TrainConfig
from trainers.data.files import require_folder
from trainers.data.remote_images import fetch_images
from trainers.errors import UserError
from trainers.masking import masked
from trainers.remote import uri_of

SHORTEST_HANG_S = 20


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
        hang_timeout_s: seconds of silence after which a gang hangs; None: by the sweep's epochs.
        keep_checkpoints: whose ``best.pt`` is kept, see `orchestrator.results.retention`; None: as before, or the
            default.
        checkpoint_bytes: of the largest checkpoint that a trial may have; 0 where that is not known.
        disk: what a new sweep will take of it; None for one that goes on.
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
    hang_timeout_s: float | None = None
    keep_checkpoints: str | None = None
    checkpoint_bytes: int = 0
    disk: DiskForecast | None = None

    @property
    def trials(self) -> int:
        """Number of planned trials."""
        return self.space.trials


def make_plan(
    options: LaunchOptions,
    available: tuple[int, int] | None = None,
    fetching: Callable[[int, int], None] | None = None,
) -> Plan:
    """Resolve and check everything that can be checked without decoding the images.

    Args:
        options: the options of the launch.
        available: CPUs and GPUs of the cluster; None: those of this machine.
        fetching: called with (done, total) while remote images are fetched.

    Raises:
        UserError: an option or the space is invalid, or they do not fit together; one line.
    """
    loaded = load_space(options.space)
    directory = _directory(options, loaded)
    sweep, cache_dir = directory.name, default_cache_dir()
    data = _images(options, loaded, cache_dir)
    if directory.is_relative_to(data.resolve()):
        raise UserError(f"--sweeps-dir {options.sweeps_dir} lies inside the images' folder {data}: name one outside it")
    check_can_make(directory.parent, f"--sweeps-dir {options.sweeps_dir}")
    check_remote(directory.parent)
    check_can_make(cache_dir, "the cache of decoded images ($GAN_SWEEP_CACHE)")
    space = _overridden(loaded, options)
    if options.keep_checkpoints is not None:
        how_many(options.keep_checkpoints)  # which refuses what it does not know
    check_space_buildable(space)
    cpus, gpus = available or machine()
    before = Resources(**ResultsStore(directory).read_plan().resources) if directory.exists() else None
    resources = choose_resources(
        concurrency=options.concurrency,
        workers=options.workers_per_trial,
        cpus=options.cpus_per_worker,
        gpus=options.gpus_per_worker,
        available_cpus=cpus,
        available_gpus=gpus,
        local=options.address is None,
        before=before,
    )
    fewest = options.min_workers_per_trial or (before.min_workers if before is not None else None)
    resources = replace(resources, min_workers=fewest)
    check_shares(space, resources.workers)
    check_elastic(space, resources)
    networks = largest_networks(space)
    if options.address is None:
        check_memory(networks, resources, host=host_memory(), gpu=gpu_memory())
    disk = forecast_disk(space, networks, resources, options.keep_checkpoints)
    if not directory.exists():  # one that goes on has a part of it
        check_disk(disk, networks, directory.parent, options.keep_checkpoints)
    budgets = read_budgets(
        time=options.time_budget,
        gpu_hours=options.max_gpu_hours,
        target_fid=options.target_fid,
        gpus=resources.gpus,
    )
    warm_start = None if options.warm_start is None else find_sweep(options.warm_start, options.sweeps_dir).directory
    if options.data is not None and uri_of(data) is not None:  # after all that is quicker to check
        fetch_images(data, fetching)
        check_no_sweep(data)
    check_images(space, None if options.data is None else data)
    return Plan(
        sweep=sweep,
        directory=directory,
        space=space,
        data=data.resolve(),
        synthetic=options.data is None,
        cache_dir=cache_dir,
        resources=resources,
        metric=metric_of(space.base),  # after all other checks: it may ask for weights
        tracking_uri=resolve_tracking_uri(options.tracking_uri, directory),
        storage=resolve_storage(options.storage, directory),
        warm_start=warm_start,
        address=options.address,
        budgets=budgets,
        seed=options.seed,
        hang_timeout_s=_hang_timeout(options.hang_timeout),
        keep_checkpoints=options.keep_checkpoints,
        checkpoint_bytes=networks.saved,
        disk=None if directory.exists() else disk,
    )


def _directory(options: LaunchOptions, space: Space) -> Path:
    """Where the sweep's files will be."""
    name = f"{space.name}-{time.strftime('%Y%m%d-%H%M%S')}" if options.name is None else options.name
    check_name(name)
    directory = options.sweeps_dir.resolve() / name
    pull(directory, whole=options.resume)
    if directory.exists() and not (options.resume and (directory / PLAN_FILE).is_file()):
        raise exists_already(directory)
    return directory


def _images(options: LaunchOptions, space: Space, cache_dir: Path) -> Path:
    """The folder of the real images, which is yet to be drawn without ``--data``."""
    if options.data is not None and uri_of(options.data) is not None:
        return options.data  # yet to be fetched
    if options.data is not None:
        require_folder(options.data)
        check_no_sweep(options.data)
        return options.data
    if not options.demo:
        raise UserError("no images: give a folder with --data DIR, or draw some with --demo")
    if space.synthetic is None:
        raise UserError(f"space {space.name} has no synthetic pictures: give a folder with --data DIR")
    return cache_dir / "synthetic" / f"{space.synthetic}-{demo_images(space.synthetic)}"


def resolve_tracking_uri(given: str | None, directory: Path) -> str:
    """`given` with a relative SQLite path made absolute, because other processes have other working directories.

    Raises:
        UserError: MLflow cannot track in what it names.
    """
    if given is None:
        return f"sqlite:///{directory / 'mlflow.db'}"
    if given.startswith("sqlite:///"):
        return f"sqlite:///{Path(given.removeprefix('sqlite:///')).resolve()}"
    if not re.match(r"(https?|postgresql|mysql|mssql)(\+\w+)?://", given):
        raise UserError(
            f"--tracking-uri {masked(given)!r}: give http(s)://..., sqlite:///FILE.db, or another database's URI"
        )
    return check_uri(given, "--tracking-uri")


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


def _hang_timeout(given: str | None) -> float | None:
    seconds = None if given is None else parse_duration(given, "--hang-timeout")
    if seconds is not None and seconds < SHORTEST_HANG_S:
        raise UserError(
            f"--hang-timeout {given}: must be at least {SHORTEST_HANG_S} s: workers report every few seconds"
        )
    return seconds


def metric_of(base: TrainConfig) -> str:
    """The name of the FID metric. Building the extractor also shows before Ray starts whether its weights are there.

    Raises:
        UserError: there is no such extractor, or its weights are not there.
    """
    from trainers.metrics import build_extractor, protocol_name

    extractor = build_extractor(base.fid.extractor, base.fid.weights)
    return protocol_name(extractor.protocol, base.fid.n_fake)
