"""Supernets of a comparison, one a seed, and the members that are its cells."""

import dataclasses
from typing import TYPE_CHECKING

from ns_tf.base import InputError, Widths
from ns_tf.compare.cells import Cell
from ns_tf.engine.runtime import Runtime
from ns_tf.slim.config import KINDS
from ns_tf.slim.job import MemberJob, SupernetJob
from ns_tf.train.job import network_config

if TYPE_CHECKING:
    from ns_tf.compare.jobs import Jobs


def check(jobs: "Jobs", cell: Cell) -> None:
    """Refuses a supernet that cannot be trained, before anything is written.

    Args:
        jobs: Of the comparison.
        cell: A supernet.

    Raises:
        InputError: several workers or devices, the network, the batch, or the task.
    """
    workers = jobs.execution.workers.count
    if workers > 1:
        raise InputError(
            f"A supernet trains in one process, not in {workers} together. Leave the "
            "rows supernet out, or --workers_at; --workers=N trains whole cells."
        )
    supernet_job(jobs, cell).check()


def supernet_job(jobs: "Jobs", cell: Cell) -> SupernetJob:
    """The training of a supernet, by the recipe of all cells.

    Its epochs are not tested: no table shows it.

    Args:
        jobs: Of the comparison.
        cell: A supernet.
    """
    problem, runtime = jobs.problem_of(cell), jobs.runtime_of(cell)
    recipe = dataclasses.replace(jobs.recipe, test_every_epoch=False)
    named = _flags(jobs, cell, problem.architecture.widths)
    return SupernetJob(
        problem,
        KINDS[cell.start],
        recipe,
        Runtime.of(runtime, jobs.execution),
        jobs.folder_of(cell),
        (named, KINDS[cell.start], recipe, runtime),
    )


def member_job(jobs: "Jobs", cell: Cell) -> MemberJob:
    """What takes a member from the supernet of its seed.

    Args:
        jobs: Of the comparison.
        cell: A member.
    """
    supernet = supernet_job(jobs, dataclasses.replace(cell, name=cell.trunk))
    flags = (_flags(jobs, cell, cell.widths), *supernet.flags[1:])
    return MemberJob(supernet, jobs.folder_of(cell), cell.widths, flags)


def _flags(jobs: "Jobs", cell: Cell, widths: Widths):
    """The settings that name a network; no training of its widths gives it again."""
    named = network_config(jobs.settings, jobs.problem_of(cell), widths)
    return dataclasses.replace(named, architecture=f"{named.architecture}@supernet")
