"""What `gan-sweep fid` says: of two folders, and of a sweep its numbers beside the sweep's, and whether they agree."""

import math
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.results.winner import Chosen
from orchestrator.space.objectives import latents_text
from trainers.metric_names import FID
from trainers.run_report import Measurement

if TYPE_CHECKING:
    from trainers.metrics import Comparison, FolderFid

# On one machine nearly all digits agree. Another sums in another order, and rounds a byte in thousands the other way.
NEARLY = 1e-4


def mean_text(values: Sequence[float]) -> str:
    """``44.58 ± 1.06``, or one value alone."""
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def comparison_lines(found: "Comparison") -> list[str]:
    """Two folders: a line per number, with its protocol as its name."""
    fid, protocol = found.fid, found.fid.name.removeprefix("fid_")
    lines = [f"{fid.name} {fid.value:.4f}  ({fid.n_real} and {fid.n_fake} images)"]
    if (kid := found.kid) is not None:
        of = f"(mean and standard deviation over subsets of {kid.subset_size})"
        lines.append(f"kid_{protocol} {kid.mean:.6f} ± {kid.deviation:.6f}  {of}")
    if (near := found.neighbours) is not None:
        says = {
            "precision": "of the second folder looks like images of the first",
            "recall": "of the first folder looks like images of the second",
            "density": "images of the first are near each of the second, over k",
            "coverage": "of the first folder has one of the second near it",
        }
        lines += [f"{name}_{protocol}_k{near.k} {getattr(near, name):.4f}  ({text})" for name, text in says.items()]
    if found.inception_score is not None:
        lines.append(f"inception_score_{protocol} {found.inception_score:.4f}  (of the second folder's images alone)")
    return lines


def again_lines(
    chosen: Chosen,
    then: Measurement | None,
    now: Measurement,
    fresh: Sequence[float],
    differences: Sequence[str],
) -> list[str]:
    """A trial's checkpoint, measured again.

    Args:
        chosen: the trial.
        then: its measurement in training, of the checkpoint's epoch; None where nothing says.
        now: the same again.
        fresh: FIDs on fresh latents; the first of them are those of the sweep's own confirmation.
        differences: what is not as it was.
    """
    assert chosen.trial is not None
    lines = [f"{chosen.name}, epoch {now.epoch}: {now.name}"]
    same, verdict = True, ""
    if then is not None:
        lines.append(f"  in training     {then.fid:.4f}")
        same = then.name == now.name and _near(then.fid, now.fid)
        verdict = f", {_verdict(same)}" + ("" if same else f" by {abs(now.fid / then.fid - 1):.2%}")
    lines.append(f"  measured again  {now.fid:.4f}{verdict}, on the same latents")
    before = chosen.trial.confirmed_fids
    if before:
        lines.append(f"  in the sweep    {mean_text(before)} over {latents_text(len(before))}, at its end")
    if fresh:
        both = list(zip(before, fresh, strict=False))
        agree = f", {_verdict(all(_near(*pair) for pair in both))}" if both else ""
        again = f"{len(both)} of them the sweep's" if both else "none of them the sweep's"
        lines.append(f"  measured again  {mean_text(fresh)} over {latents_text(len(fresh))}, {again}{agree}")
    return lines + _why(differences, explained=same)


def folder_lines(folder: Path, chosen: Chosen, data: Any, found: "FolderFid", differences: Sequence[str]) -> list[str]:
    """A folder of images, measured as a sweep measures.

    Args:
        folder: of the images.
        chosen: the trial that they are compared with.
        data: its `trainers.config.DataConfig`.
        found: the FIDs.
        differences: what is not as it was in the sweep.
    """
    trial, whole, size = chosen.trial, found.whole, found.set_size
    assert trial is not None
    skipped = f" ({found.skipped} files are no images)" if found.skipped else ""
    lines = [
        f"{folder}: {whole.n_fake} images{skipped} against the {whole.n_real} of {chosen.name}, all as its training "
        f"sees them ({data.image_size} px, {data.fit})"
    ]
    protocol = re.sub(r"_n\d+", f"_n{size}", whole.name)
    wide = max(len(protocol), len(whole.name))
    agree = True
    if found.sets:
        sets = f"{len(found.sets)} sets" if len(found.sets) > 1 else "a set"
        lines.append(f"  {protocol:{wide}}  {mean_text(found.sets)} over {sets} of {size} of the images")
        before = trial.confirmed_fids or ([] if trial.fid is None else [trial.fid])
        if before:
            in_training = "in training, its lowest" if trial.measure == FID else "in training"
            what = f"over {latents_text(len(before))}" if trial.confirmed_fids else in_training
            agree, text = _within_chance(found.sets, before)
            lines.append(f"  {'the same, in the sweep':{wide}}  {mean_text(before)} {what}{text}")
    else:
        lines.append(f"  {protocol:{wide}}  not measured: it needs {size} images")
    if whole.n_fake != size:
        lines.append(
            f"  {whole.name:{wide}}  {whole.value:.2f} of all images: more images give a lower FID, so it compares "
            f"with others of n{whole.n_fake} alone"
        )
    return lines + _why(differences, explained=agree)


def other_images(folder: Path, chosen: Chosen) -> list[str]:
    """What speaks against comparing a folder that `gan-sweep generate` filled with a trial."""
    from trainers.inference import FinishedGenerator
    from trainers.inference.recipe import read_recipe

    recipe = read_recipe(folder)
    if recipe is None:
        return []
    found = []
    if recipe.weights != FinishedGenerator.load(chosen.checkpoint).digest:
        found.append(f"the images were made by {recipe.source}, epoch {recipe.epoch}, and not by {chosen.name}")
    if recipe.truncation not in (None, 1.0):
        found.append(f"the images were made with truncation {recipe.truncation:g}, the sweep's without")
    if recipe.classes:
        found.append(f"the images are all of {', '.join(f'{k}={v}' for k, v in recipe.classes.items())}")
    return found


def _within_chance(sets: Sequence[float], before: Sequence[float]) -> tuple[bool, str]:
    """Whether the means of two series of one generator's FIDs may differ so much, and a clause that says so."""
    spreads = [statistics.stdev(values) for values in (sets, before) if len(values) > 1]
    if not spreads:
        return True, ""
    # The longer series knows the spread of single values better.
    spread = spreads[0] if len(sets) >= len(before) or len(spreads) == 1 else spreads[-1]
    chance = 2 * spread * math.sqrt(1 / len(sets) + 1 / len(before))
    apart = abs(statistics.mean(sets) - statistics.mean(before))
    text = f"the means are {apart:.2f} apart, chance gives up to {chance:.2f}"
    return apart <= chance, f": {_verdict(apart <= chance)} ({text})"


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=NEARLY)


def _verdict(agree: bool) -> str:
    return "agrees" if agree else "DIFFERS"


def _why(differences: Sequence[str], *, explained: bool) -> list[str]:
    if not differences and not explained:
        return [
            "  why: images, weights and version are the sweep's; another processor or another torch may be the cause"
        ]
    return [f"  not as in the sweep: {one}" for one in differences]
