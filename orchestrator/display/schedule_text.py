"""Text for people on settings that change within a training."""

from orchestrator.display.exploit_text import number_text, setting_text
from orchestrator.results.places import SCHEDULE_FILE
from orchestrator.results.records import TrialRecord
from orchestrator.results.schedule import lineage_of
from orchestrator.results.store import ResultsStore
from orchestrator.space.space import Space


def schedule_rows(space: Space) -> dict[str, str]:
    """The plan's row on changes: one line each; none without."""
    lines = [f"from epoch {one.first} on: {setting_text(one.values)}" for one in space.changes]
    return {"changes": "\n".join(lines)} if lines else {}


def changed_rows(store: ResultsStore, best: TrialRecord) -> dict[str, str]:
    """The winner's rows on what its settings became, and the file with its schedule; none where they stayed."""
    state = store.read_state()
    if best.trial_id not in state.trials:
        return {}
    began, *later = lineage_of(state, state.trials[best.trial_id])
    if not later:
        changes = state.plan.definition.get("changes", [])
        lines = [f"from epoch {one['from']} on: {setting_text(one['set'])}" for one in changes]
        return {"its schedule": "\n".join(lines)} if lines else {}
    lines, before = [], began.params
    for first, params, _ in later:
        changed = {name: value for name, value in params.items() if before.get(name) != value}
        lines.append(f"from epoch {first} on: {setting_text(changed) or 'the same'}")
        before = params
    start = f"its weights began as trial {began.trial.trial_id}; " if best.exploits else ""
    setting = ", ".join(f"{name}={number_text(value)}" for name, value in before.items())
    return {
        "its setting": setting,
        "its schedule": f"{start}{store.directory / SCHEDULE_FILE} has it\n" + "\n".join(lines),
    }
