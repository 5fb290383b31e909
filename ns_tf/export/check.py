"""Exported files, run again in a process of their own and compared.

The process runs `runtimes/run.py`, which imports nothing of ns_tf. So a file that
passes can be used by other programs, too.
"""

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ns_tf.base import RunError
from ns_tf.budgets import latency
from ns_tf.export.formats import EXACT, Format
from ns_tf.render import tables

RUNNER = Path(__file__).parent / "runtimes" / "run.py"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How an exported file compares with the Keras model that it was made from."""

    format: str  # As `--format` has it.
    path: str  # Where the file is, or the folder.
    bytes: int  # Of the file, or of all files of a folder.
    largest_difference: float  # Of a probability, from the Keras model.
    agreement: float  # Share of the images with the same class.
    accuracy: float  # Of the file on these images, 0 to 1.
    keras_accuracy: float  # Of the Keras model on these images, 0 to 1.
    p50_ms: float  # Milliseconds of one image in the format's own runtime: median.
    p95_ms: float  # The same: 95th percentile.


def table(outcomes: Sequence[Outcome]) -> str:
    """Outcomes as a table of text, one line a file.

    Args:
        outcomes: In the order of the lines.

    Returns:
        Format, size in KiB, largest difference of a probability, share of equal
        classes, accuracy, and milliseconds of one image (median, 95th percentile).
    """
    header = ("format", "KiB", "largest diff.", "agree", "accuracy", "p50 ms", "p95 ms")
    rows = [
        (
            one.format,
            f"{one.bytes / 1024:,.0f}",
            f"{one.largest_difference:.1e}",
            f"{100 * one.agreement:.1f} %",
            f"{100 * one.accuracy:.2f} %",
            f"{one.p50_ms:.2f}",
            f"{one.p95_ms:.2f}",
        )
        for one in outcomes
    ]
    return tables.plain(header, rows)


def compare(
    form: Format, path: Path, work: Path, expected: np.ndarray, labels: np.ndarray
) -> Outcome:
    """Runs a file in a process of its own and compares what it answers.

    Args:
        form: The file's format, which says what runs it.
        path: The file.
        work: A folder that holds the images, uint8 `[n, h, w, c]`, as `images.npy`. The
            file's answers are written there.
        expected: Probabilities of the Keras model, `[n, classes]`.
        labels: Classes of the images, `[n]`.

    Returns:
        The comparison. Where two classes are equally likely to within `EXACT`, an exact
        format may answer either.

    Raises:
        RunError: the file does not run.
    """
    out = work / "answers.npz"
    command = [sys.executable, str(RUNNER), form.runtime, str(path)]
    done = subprocess.run(
        [*command, str(work / "images.npy"), str(out)], capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no word"]
        raise RunError(f"{form.name} does not run: {lines[-1]}")
    with np.load(out, allow_pickle=False) as answers:
        probabilities, ms = answers["probabilities"], answers["ms"]
    best, right = probabilities.argmax(-1), expected.argmax(-1)
    rows = np.arange(len(best))
    close = np.abs(expected[rows, best] - expected[rows, right]) <= EXACT
    same = (best == right) | (close if form.exact else False)
    p50, p95 = latency.percentiles(ms)
    return Outcome(
        format=form.name,
        path=str(path),
        bytes=_size(path),
        largest_difference=float(np.abs(probabilities - expected).max()),
        agreement=float(same.mean()),
        accuracy=float((best == labels).mean()),
        keras_accuracy=float((right == labels).mean()),
        p50_ms=p50,
        p95_ms=p95,
    )


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
