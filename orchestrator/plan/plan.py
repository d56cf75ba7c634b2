"""The plan of a sweep: everything resolved and checked before Ray starts."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.plan.budgets import Budgets, parse_duration, read_budgets
from orchestrator.plan.checks import check_elastic, check_images, check_shares, check_space_buildable
from orchestrator.plan.disk import DiskForecast, check_disk, forecast_disk
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.memory import MemoryNeed, check_memory, gpu_memory, host_memory, largest_networks, memory_need
from orchestrator.plan.packing import Packing, read_trials_per_gpu
from orchestrator.plan.places import check_can_make, check_model_name, check_name, check_no_sweep, check_remote
from orchestrator.plan.prices import read_prices
from orchestrator.plan.resources import Resources, choose_resources, machine
from orchestrator.plan.scheduled import scheduled
from orchestrator.plan.starting import check_checkpoints, with_whole_paths
from orchestrator.results.databases import check_uri
from orchestrator.results.mirror import pull
from orchestrator.results.places import TRACKING_DB, default_cache_dir
from orchestrator.results.prices import Prices
from orchestrator.results.retention import how_many
from orchestrator.results.saved_plan import PLAN_FILE
from orchestrator.results.store import ResultsStore, exists_already, find_sweep
from orchestrator.search.studies import resolve_storage
from orchestrator.space.constraints import check_reachable
from orchestrator.space.demo import demo_images, demo_space
from orchestrator.space.load import load_space
from orchestrator.space.narrowing import Narrowing
from orchestrator.space.overrides import apply_settings, check_each_once
from orchestrator.space.population import check_size
from orchestrator.space.rules_file import pruning_of
from orchestrator.space.space import Space
from trainers.config import TrainConfig
from trainers.data.files import require_folder
from trainers.data.remote_images import fetch_images
from trainers.errors import UserError
from trainers.masking import masked
from trainers.metric_names import FID
from trainers.remote import uri_of

SHORTEST_SILENCE_S = 20
RELEASE_S = 900.0  # of a driver on a cluster


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
        metric: name of the first objective, by default FID, protocol included.
        tracking_uri: MLflow's URI; file paths in it are absolute.
        storage: storage of Optuna's study: a journal's path or a database's URL.
        warm_start: directories of the earlier sweeps whose trials the sampler gets.
        narrowed: what ``--narrow`` changed of the space; None: it was not asked for.
        address: address of a running Ray cluster; None starts Ray on this machine.
        budgets: limits that may end the sweep before all trials have run.
        prices: of GPUs and head, as far as they are known.
        seed: seed of the search, and of every trial where it is not searched.
        hang_timeout_s: seconds of silence after which a gang hangs; None: by the sweep's epochs.
        release_after_s: seconds of silence of the driver after which its gangs leave; None: they never do.
        keep_checkpoints: whose ``best.pt`` is kept, see `orchestrator.results.retention`; None: as before, or the
            default.
        register: name of the registered model in MLflow whose champion the best generator becomes; empty: of none.
        checkpoint_bytes: of the largest checkpoint that a trial may have; 0 where that is not known.
        disk: what a new sweep will take of it; None for one that goes on.
        packing: how many trials share a GPU and why, once that is measured; None: nothing was asked about it.
        memory: what the ranks need of it at least; None for one that goes on.
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
    warm_start: tuple[Path, ...]
    address: str | None
    budgets: Budgets
    seed: int
    hang_timeout_s: float | None = None
    release_after_s: float | None = None
    keep_checkpoints: str | None = None
    register: str = ""
    checkpoint_bytes: int = 0
    disk: DiskForecast | None = None
    packing: Packing | None = None
    memory: MemoryNeed | None = None
    prices: Prices = field(default_factory=Prices)
    narrowed: Narrowing | None = None

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
    check_model_name(options.register)
    space = with_whole_paths(_overridden(loaded, options))
    if options.keep_checkpoints is not None:
        how_many(options.keep_checkpoints)  # which refuses what it does not know
    check_size(space)
    check_space_buildable(space)
    check_checkpoints(space)
    cpus, gpus = available or machine()
    packed = options.trials_per_gpu
    saved = ResultsStore(directory).read_plan() if directory.exists() else None
    before = None if saved is None else Resources(**saved.resources)
    resources = choose_resources(
        concurrency=options.concurrency,
        workers=options.workers_per_trial,
        cpus=options.cpus_per_worker,
        gpus=options.gpus_per_worker,
        available_cpus=cpus,
        available_gpus=gpus,
        local=options.address is None,
        before=before,
        per_gpu=None if packed is None else read_trials_per_gpu(packed) or 1,  # auto: measured when there are images
    )
    fewest = options.min_workers_per_trial or (before.min_workers if before is not None else None)
    resources = replace(resources, min_workers=fewest)
    check_shares(space, resources.workers)
    check_elastic(space, resources)
    networks = largest_networks(space)
    memory = memory_need(networks, resources)
    if options.address is None:
        check_memory(memory, networks, resources, host=host_memory(), gpu=gpu_memory())
    disk = forecast_disk(space, networks, resources, options.keep_checkpoints)
    if not directory.exists():  # one that goes on has a part of it
        check_disk(disk, networks, directory.parent, options.keep_checkpoints)
    prices = read_prices(options.gpu_price, options.head_price, before=None if saved is None else saved.prices)
    budgets = read_budgets(
        time=options.time_budget,
        gpu_hours=options.max_gpu_hours,
        target_fid=options.target_fid,
        cost=options.max_cost,
        gpus=resources.gpus,
        prices=prices,
    )
    if budgets.target_fid is not None:
        check_reachable("--target-fid", space.objectives[0], budgets.target_fid)
    warm_start = _earlier(options, space)
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
        hang_timeout_s=_silence("--hang-timeout", options.hang_timeout),
        release_after_s=driver_silence(options.release_after, options.address),
        keep_checkpoints=options.keep_checkpoints,
        register=options.register or "",
        checkpoint_bytes=networks.saved,
        disk=None if directory.exists() else disk,
        memory=memory,
        prices=prices,
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


def _earlier(options: LaunchOptions, space: Space) -> tuple[Path, ...]:
    """The directories of the sweeps of ``--warm-start``."""
    if options.narrow is not None and not options.warm_start:
        raise UserError(f"--narrow {options.narrow:g}: only with --warm-start SWEEP, whose trials say where to")
    if options.narrow is not None and len(space.objectives) > 1:
        names = ", ".join(space.objectives)
        raise UserError(f"--narrow {options.narrow:g}: only with one objective, this space has {names}")
    found: list[Path] = []
    for name in options.warm_start:
        if (directory := find_sweep(name, options.sweeps_dir).directory) in found:
            raise UserError(f"--warm-start {name} is given twice")
        found.append(directory)
    return tuple(found)


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
    """Where a sweep is tracked: `given`, or by default in one store with the others of its folder.

    A relative SQLite path is made absolute, because other processes have other working directories.

    Raises:
        UserError: MLflow cannot track in what it names.
    """
    if given is None:
        # One store for all sweeps of a folder, so that they compare. In an object store each machine has a copy of its
        # own of each sweep, and of nothing else: there each sweep has its own store.
        alone = uri_of(directory.parent) is not None
        return f"sqlite:///{(directory if alone else directory.parent) / TRACKING_DB}"
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
        space = space.model_copy(update={"pruning": pruning_of(options.rules)})
    settings = []
    if options.fid_extractor:
        settings.append(f"fid.extractor={options.fid_extractor}")
    if options.fid_weights:
        settings.append(f"fid.weights={options.fid_weights.resolve()}")
    if options.sampler:
        settings.append(f"sampler.name={options.sampler}")
    if options.scheduler:
        settings.append(f"scheduler.name={options.scheduler}")
    if options.confirm_seeds is not None:
        settings.append(f"confirm.train_seeds={options.confirm_seeds}")
    check_each_once([*settings, *options.settings])
    seed = [] if "seed" in space.search else [f"seed={options.seed}"]
    space = apply_settings(space, [*seed, *settings, *options.settings])
    if options.schedule is not None:
        return scheduled(space, options.schedule, options)
    return space if options.trials is None else space.model_copy(update={"trials": options.trials})


def driver_silence(given: str | None, address: str | None) -> float | None:
    """Seconds of the driver's silence after which its gangs leave; on a cluster, where they cost money, by default.

    Raises:
        UserError: what was given is no such time.
    """
    return _silence("--release-after", given) or (None if address is None else RELEASE_S)


def _silence(option: str, given: str | None) -> float | None:
    seconds = None if given is None else parse_duration(given, option)
    if seconds is not None and seconds < SHORTEST_SILENCE_S:
        raise UserError(
            f"{option} {given}: must be at least {SHORTEST_SILENCE_S} s: signs of life come every few seconds"
        )
    return seconds


def metric_of(base: TrainConfig) -> str:
    """The name of the objective, by default FID. Building the extractor shows before Ray starts whether its weights are
    there.

    Raises:
        UserError: there is no such extractor, its weights are not there, or it has others each time that it is made.
    """
    from trainers.metrics import beside_name, build_extractor, protocol_name
    from trainers.metrics.outside import is_outside

    name, weights, objective = base.fid.extractor, base.fid.weights, base.fid.objective
    extractor = build_extractor(name, weights)
    if is_outside(name) and build_extractor(name, weights).fingerprint() != extractor.fingerprint():
        raise UserError(
            f"FID extractor {name!r}: it has other weights each time that it is made, and FIDs of two workers would "
            "not compare: load them from a file (fid.weights), or draw them from a seed of its own"
        )
    of = extractor.protocol, base.fid.n_fake, base.data.heldout
    return protocol_name(*of) if objective == FID else beside_name(objective, *of, base.fid.neighbours)
