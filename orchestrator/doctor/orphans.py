"""What earlier sweeps left running on this machine."""

from collections.abc import Iterator

from orchestrator.doctor.finding import Asked, Finding, Level


def check_orphans(asked: Asked) -> Iterator[Finding]:
    """A line per session of Ray whose driver is gone, or one that there is none."""
    from orchestrator.doctor.processes import find_orphans

    sessions: dict[str, list[int]] = {}
    for pid, _, session in find_orphans():
        sessions.setdefault(session, []).append(pid)
    for session, pids in sessions.items():
        numbers = " ".join(map(str, pids))
        text = f"Ray's {session} runs without a driver, as process {numbers}"
        cure = f"leave it where `ray start` started it as a cluster; else: kill {numbers}"
        yield Finding(name="orphans", level=Level.WARNING, text=text, cure=cure)
    if not sessions:
        yield Finding(name="orphans", level=Level.OK, text="no Ray of an earlier sweep runs here")
