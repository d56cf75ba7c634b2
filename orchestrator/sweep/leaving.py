"""How a rank is asked to leave: by SIGTERM, by a notice that a node of its gang goes, as of a spot machine, or to grow.

Ray Train runs `gang_loop` in a thread, and a signal's handler can be set in a process's main thread only. A callback of
Ray Train runs there. It is the base class of Ray Train's own callbacks, alpha, like all that is read here of notices.
"""

import signal
import threading
from typing import Any

from ray.exceptions import RayActorError
from ray.train.v2._internal.execution.callback import WorkerCallback
from ray.train.v2._internal.execution.context import get_train_context

_asked = threading.Event()


class LeftError(RayActorError):
    """All ranks of a gang have left their work, as one of them was asked; Ray Train starts the gang again.

    Ray Train never starts an exit without an error again. It takes an actor's error with `preempted` for a node that
    was taken away, for which ``max_preemption_failures`` knows no limit, and any other for one of ``max_failures``.
    """

    def __init__(self) -> None:
        super().__init__(error_msg="its workers were asked to leave", preempted=True)

    def __reduce__(self) -> tuple[type["LeftError"], tuple[()]]:
        return LeftError, ()


class TakesSigterm(WorkerCallback):
    """Lets SIGTERM ask a rank to leave; a second one ends it at once, as Ray's own handler has it."""

    def after_init_train_context(self) -> None:
        """Called by Ray Train in every rank's main thread, before its loop function starts."""
        before = signal.getsignal(signal.SIGTERM)

        def ask(number: int, frame: Any) -> None:
            _asked.set()
            signal.signal(number, before)

        signal.signal(signal.SIGTERM, ask)


def ask_to_leave() -> None:
    """Ask the rank that this is called in, as SIGTERM does."""
    _asked.set()


def asked_to_leave() -> bool:
    """Whether this rank was asked. Ray Train tells every rank of a notice to any node of the gang.

    `ray.train.get_preemption_info` says the same, but it is a collective through an actor: 30 to 44 ms per epoch on two
    busy CPU cores. Who calls this agrees with the other ranks by a collective of its own.
    """
    return _asked.is_set() or get_train_context().preemption_context.preemption_info is not None
