"""What a job of ``--cluster`` runs on the head: the command that was typed elsewhere."""

import os
import signal
import sys
from pathlib import Path

from orchestrator.cli import main
from orchestrator.commands.travelling import Errand, at_home, send
from orchestrator.results.argument import VIA
from trainers.errors import UserError


def run() -> None:
    """Run the command of this job."""
    errand = Errand.read()
    try:
        words = at_home(errand.words)
    except UserError as error:
        print(f"gan-sweep: {error}", file=sys.stderr)
        sys.exit(2)
    # Ray blocks SIGINT in its processes, and so in their children (ray 2.60): `stop` sends it to the driver.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    os.environ[VIA] = errand.cluster
    try:
        main(args=words, prog_name="gan-sweep")
    except SystemExit as end:
        if errand.bring and not end.code:
            send(Path(errand.bring), print)
        raise


if __name__ == "__main__":
    run()
