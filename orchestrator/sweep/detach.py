"""``--detach``: the same command again, in a session of its own, which lets go of the terminal once it runs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from orchestrator.results.argument import argument_of

PIPE = "GAN_SWEEP_DETACHED"  # the child's end of the pipe on which it says that its sweep is open


def is_detached() -> bool:
    """Whether this process is the child."""
    return PIPE in os.environ


def run_detached() -> int:
    """Start this very command again and wait until its sweep is open; what it prints until then goes to the terminal.

    Ctrl-C is passed on: until then it ends the child.

    Returns:
        The exit code: 0 once the sweep runs, or the child's where it ended before that.
    """
    reader, writer = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", *sys.argv[1:]],
        stdin=subprocess.DEVNULL,
        pass_fds=[writer],
        env={**os.environ, PIPE: str(writer)},
        start_new_session=True,
    )
    os.close(writer)
    with open(reader) as pipe:
        try:
            name, _, argument = pipe.read().partition("\n")
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
            return child.wait()
    if not name:
        return child.wait()
    print(
        f"sweep {name} runs in the background (process {child.pid}); "
        f"gan-sweep watch {argument} shows it, gan-sweep stop {argument} ends it"
    )
    return 0


def let_go(sweep: str, log_file: Path) -> None:
    """In the child, once its sweep is open: turn from the terminal to the log, and let the parent exit.

    In any other process this does nothing.
    """
    writer = os.environ.pop(PIPE, None)
    if writer is None:
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with open(os.devnull, "wb") as nothing, open(log_file, "ab") as log:
        os.dup2(nothing.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        with open(int(writer), "w") as pipe:
            pipe.write(f"{sweep}\n{argument_of(log_file.parent)}")
    except BrokenPipeError:
        pass  # the parent was killed: the sweep goes on as asked
