"""Text for people on settings that change within a training."""

from collections.abc import Mapping
from typing import Any

from orchestrator.display.exploit_text import number_text, setting_text
from orchestrator.results.places import SCHEDULE_FILE
from orchestrator.results.records import TrialRecord
from orchestrator.results.schedule import lineage_of
from orchestrator.results.store import ResultsStore
from orchestrator.space.space import Space


def schedule_rows(space: Space) -> dict[str, str]:
    """The plan's row on changes: one line each; none without."""
    lines = [_line(one.first, one.values) for one in space.changes]
    return {"changes": "\n".join(lines)} if lines else {}


def _line(first: int, values: Mapping[str, Any]) -> str:
    return f"from epoch {first} on: {setting_text(values) or 'the same'}"


def changed_rows(store: ResultsStore, best: TrialRecord) -> dict[str, str]:
    """The winner's rows on what its settings became, and the file with its schedule; none where they stayed."""
    state = store.read_state()
    if best.trial_id not in state.trials:
        return {}
    began, *later = lineage_of(state, state.trials[best.trial_id])
    if not later:
        lines = [_line(one["from"], one["set"]) for one in state.plan.definition.get("changes", [])]
        return {"its schedule": "\n".join(lines)} if lines else {}
    lines, before = [], began.params
    for first, params, _ in later:
        lines.append(_line(first, {name: value for name, value in params.items() if before.get(name) != value}))
        before = params
    start = f"its weights began as trial {began.trial.trial_id}; " if best.exploits else ""
    setting = ", ".join(f"{name}={number_text(value)}" for name, value in before.items())
    return {
        "its setting": setting,
        "its schedule": f"{start}{store.directory / SCHEDULE_FILE} has it\n" + "\n".join(lines),
    }
