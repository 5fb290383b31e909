"""Chooses among candidates for one budget by short trainings (successive halving).

Every round trains the candidates that are left for longer; those of the best scores on
validation images stay (Jamieson and Talwalkar, AISTATS 2016). Uniform widths are in
every round, and the last round is between them and one other, with several seeds. So
what is chosen is not worse than uniform but for noise. Test images choose nothing.

Every training is kept in a folder of its own, so the same call goes on after a kill.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ns_tf.base import InputError, RunError, Widths
from ns_tf.plan.by_scores import Trunk
from ns_tf.plan.config import RefineConfig
from ns_tf.plan.family import Candidate, Family
from ns_tf.plan.measured import kept_in
from ns_tf.plan.short_trainings import ShortTrainings, done, place_of
from ns_tf.plan.width_plan import WidthPlan
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.score import Score
from ns_tf.render import tables
from ns_tf.run import files
from ns_tf.run.folder import MEASURED, REFINEMENT
from ns_tf.run.watch import Watch
from ns_tf.train.results import score_in

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
        folder: Of the search, or where else trainings are kept, below `refine/`.
        config: How many candidates, and how they are trained.
        watch: Shows progress, lets it stop.

    Raises:
        InputError, RunError, Interrupted: as of `Refining`.
    """
    place = place_of(folder, family.targets)
    trainings = ShortTrainings(place, problem, settings, config)
    candidates = _candidates(family, trainings, config, watch)
    work = Refining(trainings, candidates, config)
    return family.plan(*work.run(watch))


def _candidates(
    family: Family, trainings: ShortTrainings, config: RefineConfig, watch: Watch
) -> tuple[Candidate, ...]:
    """The candidates; one of them may need a training of its own, which is done here.

    Args:
        family: The candidates of a search for some budgets.
        trainings: Of the choice.
        config: How many candidates; epochs of the last round, of which that training
            has half.
        watch: Shows progress, lets it stop.
    """
    path, measure = trainings.folder / MEASURED, family.options.get("measure")
    trunk, way_down = None, None
    if family.wants_scores(config.refine):
        epochs = max(1, config.refine_epochs // 2)
        # Kept before it trains: a kill would lose what was measured.
        with kept_in(path, measure) as measurements:
            sized = dataclasses.replace(family, measurements=measurements)
            trunk = Trunk.of(sized, trainings, epochs)
        way_down = trunk and trunk.way_down(watch)
    with kept_in(path, measure) as measurements:
        family = dataclasses.replace(
            family, measurements=measurements, way_down=way_down
        )
        return family.candidates(config.refine)


class Refining:
    """A choice that is to be made: checked first, then done, training by training.

    Args:
        trainings: How one of them is done, and where.
        candidates: At least two; the first is uniform.
        config: How long trainings are.

    Raises:
        InputError: a candidate cannot be trained, or there is nothing to choose from.
    """

    def __init__(
        self,
        trainings: ShortTrainings,
        candidates: Sequence[Candidate],
        config: RefineConfig,
    ):
        if len(candidates) < 2:
            raise InputError(
                "--refine needs at least two networks to choose from; at this budget "
                "all methods have the same widths. Leave --refine out."
            )
        self._trainings, self._candidates = trainings, tuple(candidates)
        self._rounds = rounds(len(candidates), config)
        for one in candidates:
            epochs = self._rounds[0].epochs
            self._trainings.job(one.label, one.scaling.widths, epochs).check()

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
                "No candidate could be trained; the reasons are below "
                f"{self._trainings.folder}. Give a smaller --refine_rate."
            )
        costs = self._trainings.problem.structure.params
        rows = tuple(
            Row(
                one.label,
                one.scaling.widths,
                int(costs(np.array(one.scaling.widths))),
                tuple(scores[one.label]),
            )
            for one in self._candidates
        )
        score = self._trainings.problem.task.score
        found = Refinement(chosen.label, rows, tuple(self._rounds), score)
        record = {"version": 1, **dataclasses.asdict(found)}
        files.write_json(self._trainings.folder / REFINEMENT, record)
        return chosen, found

    def _score(
        self, candidate: Candidate, place: int, seed: int, watch: Watch
    ) -> float | None:
        """The validation score of a training; None if it failed."""
        epochs, widths = self._rounds[place].epochs, candidate.scaling.widths
        job = self._trainings.job(candidate.label, widths, epochs, seed)
        return score_in(job.run(watch), "validation") if done(job, watch) else None


def _rank(scores: Sequence[float | None]) -> tuple[bool, float]:
    """What a candidate is sorted by: the best last score first, failures last."""
    last = scores[-1] if scores else 0.0
    return last is None, -(last or 0.0)
