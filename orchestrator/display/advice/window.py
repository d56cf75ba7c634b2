"""The best trials were at their best when their training ended: they were not trained long enough."""

from collections.abc import Iterator, Sequence

from orchestrator.display.advice.finding import LEVEL, Facts, Finding, chance_text
from orchestrator.results.records import TrialRecord
from orchestrator.space.domains import Choice

FEWEST = 3  # of the best trials
SHARE = 1 / 8  # of all trials
LONGER = 1.5  # times as many epochs


def window(facts: Facts) -> Iterator[Finding]:
    """A finding where all of the best trials had their lowest FID at the last measurement of their window.

    Chance is a FID that stays level: then each measurement of a trial's window is its lowest equally often.
    """
    few = facts.best(FEWEST, SHARE)
    counted = [_in_window(trial, facts) for trial in few]
    if not few or not all(
        len(fids) > 1 and trial.epochs >= trial.total_epochs for trial, fids in zip(few, counted, strict=True)
    ):
        return
    if any(
        trial.best_epoch != fids[-1][0] or fids[-1][1] >= fids[-2][1] for trial, fids in zip(few, counted, strict=True)
    ):
        return
    chance = 1.0
    for fids in counted:
        chance /= len(fids)
    if chance > LEVEL:
        return
    (_, before), (last, after) = counted[0][-2:]
    epochs = max(trial.total_epochs for trial in few)
    domain = facts.space.search.get("schedule.epochs")
    longer = round(LONGER * epochs)
    if domain is None or isinstance(domain, Choice):
        what = f"--set schedule.epochs={longer} moves the window along"
    else:
        what = f"let schedule.epochs reach {longer}, and the window with it"
    measurements = " and ".join(map(str, sorted({len(fids) for fids in counted})))
    yield Finding(
        about="window",
        text=f"The best {len(few)} of {len(facts.trials)} trials had their lowest FID when training ended, at the last "
        f"of {measurements} measurements in their window; were FID level there, chance would do that in "
        f"{chance_text(chance)}. That of {few[0].trial_id} still fell from {before:.2f} to {after:.2f} at epoch "
        f"{last}. Train longer: {what}.",
    )


def _in_window(trial: TrialRecord, facts: Facts) -> Sequence[tuple[int, float]]:
    """Epoch and FID of the measurements that count; empty where an older version did not keep them."""
    first = trial.params.get("schedule.window_first", facts.space.base.schedule.window_first)
    assert isinstance(first, int)
    rows = trial.measured or ()
    return [
        (int(epoch), fid) for epoch, fid, _, collapsed in rows if epoch and fid and epoch >= first and not collapsed
    ]
