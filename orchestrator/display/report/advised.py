"""What the numbers say about the next sweep."""

from orchestrator.display.advice.advice import advice_on
from orchestrator.display.report.entries import Group
from orchestrator.display.report.part import Part


def advised(group: Group) -> Part | None:
    """The advice on each sweep that is over; None where its numbers bear out none."""
    found = [(sweep.name, advice_on(sweep.state, sweep.standing.status)) for sweep in group.sweeps]
    told = [(name, [one.text for one in findings]) for name, findings in found if findings]
    if not told:
        return None
    return Part(name="advised", title="For the next sweep", short="Next", values={"sweeps": told})
