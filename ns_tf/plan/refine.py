"""Chooses among candidates for one budget by short trainings (successive halving).

Every round trains the candidates that are left for longer; those of the best scores on
validation images stay (Jamieson and Talwalkar, AISTATS 2016). Uniform widths are in
every round, and the last round is between them and one other, with several seeds. So
what is chosen is not worse than uniform but for noise. Test images choose nothing.

Every training is kept in a folder of its own, so the same call goes on after a kill.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.base import InputError, RunError, Widths
from ns_tf.engine.execution import Execution, forget_kernels
from ns_tf.engine.runtime import Runtime
from ns_tf.plan.config import RefineConfig
from ns_tf.plan.family import Candidate, Family
from ns_tf.plan.measured import kept_in
from ns_tf.plan.width_plan import WidthPlan
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.score import Score
from ns_tf.render import tables
from ns_tf.run import files, flagfile
from ns_tf.run.folder import MEASURED, REFINE, REFINEMENT
from ns_tf.run.watch import Watch
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import Job, failure_kept, network_config
from ns_tf.train.results import has_ended, read_failure, score_in

_KEPT = 3  # One of so many candidates stays, and trains so many times as long.


@dataclasses.dataclass(frozen=True)
class Round:
    """Trainings of one length."""

    candidates: int
    epochs: int
    seeds: int

    @property
    def title(self) -> str:
        """Of a column, as "6 epochs x 2".

        >>> Round(2, 6, 2).title, Round(12, 1, 1).title
        ('6 epochs x 2', '1 epoch')
        """
        text = f"{self.epochs} epoch{'s'[: self.epochs > 1]}"
        return text if self.seeds == 1 else f"{text} x {self.seeds}"


def rounds(candidates: int, config: RefineConfig) -> list[Round]:
    """The rounds of a choice; the last one is between two.

    >>> [(r.candidates, r.epochs, r.seeds) for r in rounds(12, RefineConfig(12))]
    [(12, 1, 1), (4, 2, 1), (2, 6, 2)]

    Args:
        candidates: How many there are, at least two.
        config: Epochs of the last round, and how many seeds it has.
    """
    counts = [candidates]
    while counts[-1] > 2:
        counts.append(max(2, -(-counts[-1] // _KEPT)))
    found, epochs = [], config.refine_epochs
    for count in reversed(counts):
        seeds = 1 if found else config.refine_seeds
        found.insert(0, Round(count, epochs, seeds))
        epochs = max(1, epochs // _KEPT)
    return found


@dataclasses.dataclass(frozen=True)
class Row:
    """What came of a candidate."""

    label: str
    widths: Widths
    params: int
    # A mean over seeds for every round that it took part in. None if a training failed.
    scores: tuple[float | None, ...]


@dataclasses.dataclass(frozen=True)
class Refinement:
    """What short trainings chose, and from what."""

    chosen: str  # Label of the candidate.
    rows: tuple[Row, ...]  # In the order of the candidates; uniform is the first.
    rounds: tuple[Round, ...]
    score: Score  # What was measured on validation images.

    def lines(self) -> Iterator[str]:
        """A table of the candidates and what was chosen, for people."""
        header = (
            "candidate",
            "params",
            *(this.title for this in self.rounds),
        )
        body = [
            (
                row.label,
                f"{row.params:,}",
                *("failed" if s is None else self.score.text(s) for s in row.scores),
                *[""] * (len(self.rounds) - len(row.scores)),
            )
            for row in self.rows
        ]
        yield tables.plain(header, body)
        yield f"chosen by {self.score.name} on validation images: {self.chosen}"


def check(config: RefineConfig, method: str | None, exponent: float | None) -> None:
    """Refuses a method beside short trainings, which choose one.

    Args:
        config: Whether there are any.
        method: That is asked for; None if none is.
        exponent: `--price_exponent`; None if it is not given.

    Raises:
        InputError: both are given.
    """
    if config.refine and (method, exponent) != (None, None):
        raise InputError(
            "--refine chooses among the methods; leave out --method and "
            "--price_exponent, or --refine."
        )


def refined(
    family: Family,
    problem: Problem,
    settings: ProblemConfig,
    folder: str | Path,
    config: RefineConfig,
    watch: Watch,
) -> WidthPlan:
    """The plan that short trainings choose.

    Args:
        family: The candidates of a search for some budgets.
        problem: Network and data.
        settings: The settings that name them.
        folder: As of `Refining`.
        config: How many candidates, and how they are trained.
        watch: Shows progress, lets it stop.

    Raises:
        InputError, RunError, Interrupted: as of `Refining`.
    """
    place = _place(folder, family.targets)
    with kept_in(place / MEASURED, family.options.get("measure")) as measurements:
        family = dataclasses.replace(family, measurements=measurements)
        candidates = family.candidates(config.refine)
    work = Refining(folder, problem, settings, candidates, config)
    return family.plan(*work.run(watch))


class Refining:
    """A choice that is to be made: checked first, then done, training by training.

    Args:
        folder: Of the search, or where else trainings are kept, below `refine/`.
        problem: Network and data.
        settings: The settings that name them.
        candidates: At least two; the first is uniform.
        config: How long trainings are, and how they are computed.

    Raises:
        InputError: a candidate cannot be trained, or there is nothing to choose from.
    """

    def __init__(
        self,
        folder: str | Path,
        problem: Problem,
        settings: ProblemConfig,
        candidates: Sequence[Candidate],
        config: RefineConfig,
    ):
        if len(candidates) < 2:
            raise InputError(
                "--refine needs at least two networks to choose from; at this budget "
                "all methods have the same widths. Leave --refine out."
            )
        self._problem, self._settings = problem, settings
        self._candidates, self._config = tuple(candidates), config
        self._runtime = config.runtime
        self._execution = Execution.of(config)
        self._rounds = rounds(len(candidates), config)
        self.folder = _place(folder, candidates[0].scaling.targets)
        for candidate in candidates:
            self._job(candidate, self._rounds[0], 0).check()

    def run(self, watch: Watch) -> tuple[Candidate, Refinement]:
        """Trains, round by round, and chooses.

        Args:
            watch: Shows progress, lets it stop.

        Returns:
            The candidate, and how it was chosen; the latter is kept in the folder.

        Raises:
            RunError: no candidate could be trained.
            Interrupted: a signal asked to stop; the same call goes on.
        """
        left = self._candidates
        scores: dict[str, list[float | None]] = {c.label: [] for c in left}
        total = sum(r.candidates * r.seeds for r in self._rounds)
        with watch.bar(total, label="refine", unit="trainings") as bar:
            for place, this in enumerate(self._rounds):
                left = self._best(left, scores, this.candidates)
                for candidate in left:
                    got = []
                    for seed in range(this.seeds):
                        got.append(self._score(candidate, place, seed, watch))
                        bar.update(1)
                    mean = None if None in got else float(np.mean(got))
                    scores[candidate.label].append(mean)
        return self._chosen(left, scores)

    def _best(
        self,
        candidates: Sequence[Candidate],
        scores: Mapping[str, Sequence[float | None]],
        count: int,
    ) -> tuple[Candidate, ...]:
        """Uniform and the best of the others by their last scores, in their order."""
        uniform, *others = candidates
        best = sorted(others, key=lambda one: _rank(scores[one.label]))[: count - 1]
        return uniform, *(one for one in others if one in best)

    def _chosen(
        self,
        last: Sequence[Candidate],
        scores: Mapping[str, Sequence[float | None]],
    ) -> tuple[Candidate, Refinement]:
        """The best of the last round; uniform if none is better.

        Raises:
            RunError: no training of the last round ended.
        """
        chosen = min(last, key=lambda one: _rank(scores[one.label]))
        if scores[chosen.label][-1] is None:
            raise RunError(
                f"No candidate could be trained; the reasons are below {self.folder}. "
                "Give a smaller --refine_rate."
            )
        costs = self._problem.structure.params
        rows = tuple(
            Row(
                one.label,
                one.scaling.widths,
                int(costs(np.array(one.scaling.widths))),
                tuple(scores[one.label]),
            )
            for one in self._candidates
        )
        score = self._problem.task.score
        found = Refinement(chosen.label, rows, tuple(self._rounds), score)
        record = {"version": 1, **dataclasses.asdict(found)}
        files.write_json(self.folder / REFINEMENT, record)
        return chosen, found

    def _score(
        self, candidate: Candidate, place: int, seed: int, watch: Watch
    ) -> float | None:
        """The validation score of a training; None if it failed."""
        job = self._job(candidate, self._rounds[place], seed)
        if not has_ended(job.folder):
            with failure_kept(job.folder):
                job.run(watch)
            forget_kernels()
        if read_failure(job.folder) is not None:
            return None
        return score_in(job.run(watch), "validation")

    def _job(self, candidate: Candidate, this: Round, seed: int) -> Job:
        """The training of a candidate in a round.

        Args:
            candidate: Whose network is trained.
            this: Says for how long.
            seed: Counted from 0, and added to the seed of the run.
        """
        runtime = dataclasses.replace(self._runtime, seed=self._runtime.seed + seed)
        recipe = TrainConfig(
            epochs=this.epochs,
            batch=self._config.refine_batch,
            rate=self._config.refine_rate,
            schedule="cosine",
        )
        widths = candidate.scaling.widths
        network = network_config(self._settings, self._problem, widths)
        flags = (network, recipe, runtime)
        name = f"{candidate.label}_{this.epochs}epochs_seed{runtime.seed}"
        return Job(
            self.folder / f"{name}_{_digest(flags)}",
            self._problem,
            widths,
            recipe,
            Runtime.of(runtime, self._execution),
            flags,
        )


def _place(folder: str | Path, targets: Mapping[str, float]) -> Path:
    """The folder of a choice for some budgets, below that of its search."""
    name = "_".join(f"{budget}{value:.10g}" for budget, value in targets.items())
    return Path(folder) / REFINE / name


def _digest(flags: Sequence[Any]) -> str:
    """A few characters that differ where a training has another result.

    A search that went on gives other widths to a candidate, so it trains elsewhere.

    Args:
        flags: The settings of the training.
    """
    ignored = flagfile.changeable(*map(type, flags))
    lines = flagfile.as_flagfile(flags).splitlines()
    kept = [line for line in lines if line[2:].partition("=")[0] not in ignored]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:8]


def _rank(scores: Sequence[float | None]) -> tuple[bool, float]:
    """What a candidate is sorted by: the best last score first, failures last."""
    last = scores[-1] if scores else 0.0
    return last is None, -(last or 0.0)
