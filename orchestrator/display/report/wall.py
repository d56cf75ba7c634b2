"""The image wall: the same latents in every trial, one slider for all."""

from typing import Any

from orchestrator.display.report.entries import Entry, Group
from orchestrator.display.report.part import Part
from orchestrator.display.report.sprites import Pictures
from orchestrator.display.report.text import confirmed_text, fid_text, plural, refused_text, short_value
from orchestrator.results.argument import files_argument_of
from orchestrator.space.objectives import called


def wall(group: Group, pictures: Pictures) -> Part:
    """A card per trial that has pictures, the best first."""
    shown = [entry for entry in group.every if entry.key in pictures.by_trial]
    epochs = sorted({epoch for entry in shown for epoch in pictures.by_trial[entry.key]["epochs"]})
    without = len(group.every) - len(shown)
    main = group.best.trial.best_epoch if group.best is not None else None
    return Part(
        name="wall",
        title="Images",
        values={
            "cards": [{"entry": entry, "fid": _fid(entry), "best": entry is group.best} for entry in shown],
            "refused": refused_text([entry.trial.refused for entry in shown if entry.refused]),
            "epochs": epochs,
            "first": epochs.index(main) if main in epochs else len(epochs) - 1,
            "by": called(group.measure),
            "repeats": ", repeats with fresh training seeds last" if any(one.trial.is_repeat for one in shown) else "",
            "without": f"{plural(without, 'trial')} without pictures" if without else "",
        },
        notes=pictures.notes if group.number == 0 else (),
    )


def facts(entry: Entry) -> dict[str, Any]:
    """What a trial's own page says beside its pictures."""
    trial = entry.trial
    fids = {str(one.epoch): fid_text(one.value) for one in entry.measured}
    return {
        "label": entry.label,
        "verdict": entry.name,
        "detail": entry.detail,
        "fid": _fid(entry),
        "objective": fid_text(trial.objective) if trial.confirmed else "",
        "best_epoch": trial.best_epoch,
        "serve": f"gan-sweep serve {files_argument_of(entry.sweep.store.directory)} --trial {trial.trial_id}"
        if entry.kept
        else "",
        "epochs": trial.epochs,
        "fids": fids,
        "measure": called(trial.measure),
        "params": [[name, short_value(value)] for name, value in trial.params.items()],
    }


def _fid(entry: Entry) -> str:
    """Its objective as it is ranked; with ``~`` the lowest one where none counts, with ``†`` a refused one."""
    if confirmed := confirmed_text(entry.trial):
        return confirmed
    if entry.finite_objective is not None:
        return fid_text(entry.finite_objective) + (" †" if entry.refused else "")
    return f"~{fid_text(entry.trial.lowest_fid)}" if entry.merit[0] == 2 else "-"
