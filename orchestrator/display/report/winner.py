"""The winner: what it reached, with which setting, and what it draws."""

from typing import Any

from orchestrator.display.beside_text import amount_text, beside_text, nearest_text
from orchestrator.display.constraints_text import constraints_text
from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.front import front_of
from orchestrator.display.report.part import Part
from orchestrator.display.report.text import confirmed_text, fid_text, plural, seeds_text, short_value, verb
from orchestrator.results.records import TrialRecord
from orchestrator.results.seed_odds import odds_of
from orchestrator.results.verdict import StopReason
from orchestrator.space.objectives import best_text, called
from trainers.metric_names import maximised

MOST_REFUSED = 3  # trials, each with a sentence of its own


def winner(group: Group) -> Part:
    """The first thing that people see; says so where nothing has won."""
    best = group.best
    values: dict[str, Any] = {"best": best, "runs": group.runs, "objective": group.objective}
    if best is None:
        why = "no trial was measured inside its window with fakes that vary"
        values["remarks"] = _refused(group)
        values["missing"] = (
            f"No winner{' yet' if group.runs else ''}: {why}." if group.entries else "No trial has started."
        )
    else:
        base = best.sweep.space.base.flat() if best.sweep.space is not None else {}
        texts = (beside_text(best.trial), constraints_text(best.trial), nearest_text(best.trial))
        values |= {
            "fid": _headline(best, group),
            "measure": called(group.measure),
            "how": _how(best, group),
            "beside": "; ".join(filter(None, texts)),
            "of": f"the {best_text(group.measure)} of {len(front_of(group))} on the front" if group.costs else "",
            "costs": _costs(best, group),
            "remarks": _remarks(best, group),
            "setting": [
                (name, short_value(value), _from(base, name, value)) for name, value in best.trial.params.items()
            ],
            "is_start": _is_start(best),
        }
    return Part(name="winner", title=_capital(best_text(group.measure)) if group.costs else "Winner", values=values)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _costs(best: Entry, group: Group) -> str:
    """The other objectives, with what the winner has of them: `` and generator parameters 304,019``."""
    amounts = [(name.replace("_", " "), amount_text(name, best.trial.costs.get(name))) for name in group.costs]
    return "".join(f" and {name} {amount}" for name, amount in amounts)


def _setting(group: Group) -> TrialRecord | None:
    """The setting that wins by its mean over training seeds; None where none was trained again."""
    setting = group.best_setting
    return setting.trial if setting is not None and setting.trial.seeds.values else None


def _headline(best: Entry, group: Group) -> str:
    setting = _setting(group)
    return seeds_text(setting.seeds) if setting else confirmed_text(best.trial) or fid_text(best.trial.objective)


def _how(best: Entry, group: Group) -> str:
    trial = best.trial
    if setting := _setting(group):
        measured = confirmed_text(trial) or fid_text(trial.objective)
        seeds = plural(len(setting.seeds.values), "training seed")
        return f"over {seeds} of the setting of trial {setting.trial_id}; of trial {best.label} itself {measured}"
    in_training = f"{fid_text(trial.objective)} in training, at epoch {trial.best_epoch} of {trial.epochs}"
    count = len(trial.confirmed)
    if not count:
        return f"{in_training}; not measured again, and the {_best(trial)}"
    if count == 1:
        return f"measured again once on fresh latents; {in_training}"
    return f"mean and standard deviation of {count} measurements on fresh latents each; {in_training}"


def _best(trial: TrialRecord) -> str:
    """What is said of the best of several measurements: it flatters."""
    up = maximised(trial.measure)
    return f"{'highest' if up else 'lowest'} of several measurements is biased {'high' if up else 'low'}"


def _remarks(best: Entry, group: Group) -> list[str]:
    """What a reader would want to know before believing it."""
    trial, remarks = best.trial, _seeds(best, group)
    if trial.open:
        remarks.append("It waits at a rung of the scheduler." if trial.paused else "It still trains.")
    for one in (one for one in trial.exploits if one.epoch < (trial.best_epoch or 0)):
        remarks.append(f"From epoch {one.epoch + 1} on it was a copy of trial {one.source} with other settings.")
    if trial.verdict == StopReason.OUTRANKED:
        remarks.append(
            f"The scheduler cut it after epoch {trial.epochs} of {trial.total_epochs}; its best epoch counts anyway."
        )
    elif trial.verdict not in (None, "completed"):
        remarks.append(
            f"It ended as {trial.verdict}{': ' + best.detail if best.detail else ''}; its best epoch counts."
        )
    if _is_start(best):
        remarks.append("It has the setting that the search began at: the search has found none better.")
    rivals = [] if best.trial.is_repeat or best.trial.repeats else _close(best, group)
    if rivals:
        labels = ", ".join(entry.label for entry in rivals[:3])
        remarks.append(
            f"Within the spread of the measurements it is level with {labels}: their means differ by no more than "
            "their standard deviations."
        )
    unconfirmed = [entry for entry in group.entries if entry.trial.can_win and not entry.trial.confirmed]
    if trial.confirmed and unconfirmed:
        remarks.append(
            f"{plural(len(unconfirmed), 'trial')} with an objective, ranked behind, "
            f"{verb(len(unconfirmed), 'was', 'were')} not measured again."
        )
    return remarks + _refused(group)


def _refused(group: Group) -> list[str]:
    """A sentence for each of the lowest refused trials."""
    found, remarks = group.refused, []
    for entry in found[:MOST_REFUSED]:
        fid = fid_text(entry.trial.objective)
        remarks.append(f"Trial {entry.label}, {fid} in training, cannot win: {entry.trial.refused}.")
    if (more := len(found) - MOST_REFUSED) > 0:
        remarks.append(f"{plural(more, 'more trial')} cannot win either, for such reasons.")
    return remarks


def _seeds(best: Entry, group: Group) -> list[str]:
    """How the setting fared with fresh training seeds, how sure it is, and which of its runs this is."""
    odds = odds_of([entry.trial for entry in group.entries if entry.sweep is best.sweep])
    setting = group.best_setting
    if odds is None or setting is None or not setting.trial.repeats:
        return []
    which, of = "its first run" if best is setting else "one of its repeats", best_text(group.measure, "confirmed ")
    return [
        f"The setting of trial {setting.label} wins by the mean over training seeds: {setting.trial.seeds}.",
        f"{str(odds)[0].upper()}{str(odds)[1:]}.",
        f"Shown is {best.label}, {which}: the generator with the {of} among that setting's runs.",
    ]


def _is_start(best: Entry) -> bool:
    space, own = best.sweep.space, best.trial.params
    params = {name: value for name, value in own.items() if not best.trial.is_repeat or name != "seed"}
    return space is not None and params == space.known_points()[0]


def _close(best: Entry, group: Group) -> list[Entry]:
    mean, spread = best.trial.objective_mean, best.trial.objective_spread
    if mean is None or spread is None:
        return []
    found = []
    for entry in group.entries:
        other, its = entry.trial.objective_mean, entry.trial.objective_spread
        if entry is best or not entry.trial.can_win or other is None or its is None:
            continue
        if best.trial.lower(other - mean) <= spread + its:
            found.append(entry)
    return found


def _from(base: dict[str, Any], name: str, value: Any) -> str:
    """What the search started from, where that is another value."""
    return short_value(base[name]) if name in base and base[name] != value else ""
