"""What a sweep measured FID with, set up again in this process, and what is not as it was."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchestrator.plan.dataset import prepare_data
from orchestrator.plan.plan import Plan
from orchestrator.plan.saved import fingerprint_of, from_saved
from orchestrator.results.places import default_cache_dir
from orchestrator.results.store import ResultsStore
from orchestrator.results.winner import Chosen
from trainers.errors import UserError


@dataclass(frozen=True, kw_only=True)
class MeasuringAgain:
    """A trial's best checkpoint, ready to be measured.

    Attributes:
        run: a `trainers.confirm.FinishedRun`.
        assets: its `trainers.assets.Assets`.
        data: the folder of the real images.
        differences: what differs from the sweep and may move a FID, a sentence each.
    """

    run: Any
    assets: Any
    data: Path
    differences: tuple[str, ...]


def images_folder(store: ResultsStore, data: Path | None) -> Path:
    """Where a sweep's images are; `data`: where they are now."""
    return data or Path(store.read_plan().data)


def images_again(
    store: ResultsStore, data: Path | None, progress: Callable[[int, int], None] | None = None
) -> tuple[Plan, str]:
    """Prepare a sweep's images as it did.

    Args:
        store: of the sweep.
        data: where its images are now; None: where they were.
        progress: called with (done, total) while images are decoded.

    Returns:
        Its plan, with the folder and the cache as they are now, and a sentence where the images are others, else "".

    Raises:
        UserError: the images are not there, or cannot be used.
    """
    saved = store.read_plan()
    plan = from_saved(saved, store.directory, saved.definition)
    folder = images_folder(store, data)
    cache_dir = plan.cache_dir if saved.cache_dir and plan.cache_dir.is_dir() else default_cache_dir()
    plan = replace(plan, data=folder, cache_dir=cache_dir, synthetic=saved.synthetic and data is None)
    if not folder.is_dir() and not plan.synthetic:
        raise UserError(f"the images of {saved.sweep} are not in {folder} any more: say where with --data")
    caches = prepare_data(plan, progress)
    if fingerprint_of(caches) == saved.fingerprint:
        return plan, ""
    usable = f"{saved.n_real} usable then, {len(caches[0])} now"
    return plan, f"the images in {folder} are not those of the launch ({usable})"


def measuring_again(
    chosen: Chosen,
    *,
    data: Path | None = None,
    weights: Path | None = None,
    device: Any,
    progress: Callable[[int, int], None] | None = None,
) -> MeasuringAgain:
    """Set up the measuring of a sweep's trial: the same prepared images, extractor, protocol and number of fakes.

    Args:
        chosen: the trial.
        data: where the sweep's images are now; None: where they were.
        weights: file of the extractor's weights; None: the sweep's.
        device: a torch device.
        progress: called with (done, total) while images are decoded.

    Raises:
        UserError: the images or the weights are not there, or cannot be used.
    """
    from trainers.assets import Assets
    from trainers.confirm import FinishedRun

    assert chosen.store is not None and chosen.trial is not None
    saved = chosen.store.read_plan()
    plan, other = images_again(chosen.store, data, progress)
    differences = [other] if other else []
    assets = Assets(plan.data, plan.cache_dir, device)
    run = FinishedRun(assets, chosen.checkpoint.parent, weights)
    before = plan.space.base.fid.weights
    if weights is not None and (before is None or Path(before).absolute() != weights.absolute()):
        differences.append(f"the extractor's weights are {weights}, the sweep's were {before or 'its own'}")
    was_gpu = saved.gang_gpus > 0
    if was_gpu != (device.type == "cuda"):
        kinds = ("GPUs", f"a {device.type.upper()}") if was_gpu else ("CPUs", "a GPU")
        differences.append(f"it was trained on {kinds[0]}, and this is {kinds[1]}: other sums")
    if saved.version != version("gan-sweep"):
        differences.append(f"gan-sweep was {saved.version}, and is {version('gan-sweep')}")
    return MeasuringAgain(run=run, assets=assets, data=plan.data, differences=tuple(differences))
