"""The main of commands whose work several processes or machines share."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from ns_tf.crew import processes, trials, work
from ns_tf.run.progress import Progress
from ns_tf.run.stop import interruptible
from ns_tf.run.watch import Watch

Shared = TypeVar("Shared", bound=work.Work)
Result = TypeVar("Result")


def run(
    make: Callable[[], AbstractContextManager[Shared]],
    lead: Callable[[Shared, Watch], Result],
) -> Result | None:
    """Makes a work and does it in the role that the environment gives this process.

    A worker does pieces until there are none, and stops when the process that started
    it is gone. Any other process leads.

    Args:
        make: Makes the work (`ns_tf.crew.work.Work`), which is a context.
        lead: (work, watch) -> what is returned. Lists the pieces, has them done, and
            reports the result.

    Returns:
        What `lead` returned; None in a worker.

    Raises:
        InputError: the environment is incomplete, or no address of this machine.
        Interrupted: a signal asked to stop.
    """
    role = trials.role()
    trials.check_chief()
    with make() as pieces, interruptible(patient=processes.has_parent()) as stop:
        watch = Watch(Progress(), stop)
        if role != "worker":
            return lead(pieces, watch)
        processes.stop_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
        work.run(pieces, watch)
        return None
