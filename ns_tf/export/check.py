"""Exported files, run again in a process of their own and compared.

The process runs `runtimes/run.py`, which imports nothing of ns_tf. So a file that
passes can be used by other programs, too.
"""

import dataclasses
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.base import RunError
from ns_tf.budgets import latency
from ns_tf.export.formats import EXACT, Format
from ns_tf.parts import Parts, parts, plain
from ns_tf.problem.score import Score
from ns_tf.problem.tasks import Task
from ns_tf.render import tables

_KNOWN = ("probabilities", "prediction")  # Of tasks that name their answer so.
RUNNER = Path(__file__).parent / "runtimes" / "run.py"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How an exported file compares with the Keras model that it was made from."""

    format: str  # As `--format` has it.
    path: str  # Where the file is, or the folder.
    bytes: int  # Of the file, or of all files of a folder.
    # Of an answer, from the Keras model; a share of its largest answer above 1.
    largest_difference: float
    agreement: float  # Share of the examples, or places, of the same answer.
    score: float  # Of the file on these examples, by the task.
    keras_score: float  # Of the Keras model on these examples.
    p50_ms: float  # Milliseconds of one example in the format's own runtime: median.
    p95_ms: float  # The same: 95th percentile.

    def told(self, score: str) -> dict[str, Any]:
        """The comparison as the summary of an export has it.

        Args:
            score: Name of the task's score, which names two of the keys.
        """
        values = dataclasses.asdict(self)
        named = {"score": score, "keras_score": f"keras_{score}"}
        return {named.get(key, key): value for key, value in values.items()}


def table(outcomes: Sequence[Outcome], score: Score) -> str:
    """Outcomes as a table of text, one line a file.

    Args:
        outcomes: In the order of the lines.
        score: Of the task.

    Returns:
        Format, size in KiB, largest difference of an answer, share of equal answers,
        score, and milliseconds of one example (median, 95th percentile).
    """
    header = ("format", "KiB", "largest diff.", "agree", score.name, "p50 ms", "p95 ms")
    rows = [
        (
            one.format,
            f"{one.bytes / 1024:,.0f}",
            f"{one.largest_difference:.1e}",
            f"{100 * one.agreement:.1f} %",
            score.text(one.score),
            f"{one.p50_ms:.2f}",
            f"{one.p95_ms:.2f}",
        )
        for one in outcomes
    ]
    return tables.plain(header, rows)


@dataclasses.dataclass(frozen=True, eq=False)
class Expected:
    """What a file is run on, and what the Keras model answers.

    Args:
        inputs: Path of the inputs: `.npy`, or `.npz` of several by name.
        targets: Of the examples, [n, ...]; `Parts` of several outputs.
        answers: Of the Keras model, likewise.
        names: Of several outputs, in their order.
        answer: What the task calls the answer of a single output.
    """

    inputs: Path
    targets: np.ndarray | Parts
    answers: np.ndarray | Parts
    names: Sequence[str] = ()
    answer: str = "probabilities"

    def in_order(self, written: Mapping[str, np.ndarray]) -> np.ndarray | Parts:
        """The answers of a file, as `runtimes/run.py` writes them, in that order.

        Args:
            written: By `answers`, or by `answers_NAME` or `answers_PLACE`. Of a single
                output there may be more beside the answer.
        """
        if not self.names:
            keys = ("answers", *(f"answers_{name}" for name in (self.answer, *_KNOWN)))
            return written[next((key for key in keys if key in written), keys[1])]
        keys = (
            (f"answers_{name}", f"answers_{place}")
            for place, name in enumerate(self.names)
        )
        return Parts(written[a if a in written else b] for a, b in keys)


def compare(
    form: Format,
    path: Path,
    work: Path,
    expected: Expected,
    task: Task,
) -> Outcome:
    """Runs a file in a process of its own and compares what it answers.

    Args:
        form: The file's format, which says what runs it.
        path: The file.
        work: A folder that holds the inputs. The file's answers are written there.
        expected: Where the inputs are, and what the Keras model answers.
        task: Says which answers are the same, and the score.

    Returns:
        The comparison. Where two classes are equally likely to within `EXACT`, an exact
        format may answer either.

    Raises:
        RunError: the file does not run.
    """
    out = work / "answers.npz"
    command = [sys.executable, str(RUNNER), form.runtime, str(path)]
    done = subprocess.run(
        [*command, str(expected.inputs), str(out)], capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no word"]
        raise RunError(f"{form.name} does not run: {lines[-1]}")
    with np.load(out, allow_pickle=False) as written:
        answers, ms = expected.in_order(written), written["ms"]
    right = expected.answers
    largest = max(1.0, *(float(np.abs(one).max()) for one in parts(right)))
    slack = EXACT * largest if form.exact else 0.0
    pairs = zip(parts(answers), parts(right), strict=True)
    differences = [float(np.abs(one - other).max()) for one, other in pairs]
    p50, p95 = latency.percentiles(ms)
    return Outcome(
        format=form.name,
        path=str(path),
        bytes=_size(path),
        largest_difference=max(differences) / largest,
        agreement=task.agreement(plain(answers), plain(right), slack),
        score=_score(task, expected.targets, answers),
        keras_score=_score(task, expected.targets, right),
        p50_ms=p50,
        p95_ms=p95,
    )


def _score(
    task: Task, targets: np.ndarray | Parts, answers: np.ndarray | Parts
) -> float:
    """The task's score of answers [n, ...]."""
    return task.score_of(np.asarray(task.count(plain(targets), plain(answers))))


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
