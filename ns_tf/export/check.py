"""Exported files, run again in a process of their own and compared."""

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
    """A file that was written, run again and found right."""

    format: str
    path: str
    bytes: int  # Of the file, or of all files of a folder.
    largest_difference: float  # Of a probability, from the Keras model.
    agreement: float  # Share of the images with the same class.
    accuracy: float  # On these images,
    keras_accuracy: float  # and the Keras model's.
    p50_ms: float  # Of one image at a time, in the format's own runtime.
    p95_ms: float


def table(outcomes: Sequence[Outcome]) -> str:
    """What was written, for people."""
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


def compare(found: Format, path: Path, work: Path, expected, labels) -> Outcome:
    """Runs a file in a process of its own, on the images kept in `work`."""
    out = work / "answers.npz"
    command = [sys.executable, str(RUNNER), found.runtime, str(path)]
    done = subprocess.run(
        [*command, str(work / "images.npy"), str(out)], capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no word"]
        raise RunError(f"{found.name} does not run: {lines[-1]}")
    with np.load(out, allow_pickle=False) as answers:
        probabilities, ms = answers["probabilities"], answers["ms"]
    best, wanted = probabilities.argmax(-1), expected.argmax(-1)
    # Where two classes are as likely to rounding, either may come first.
    rows = np.arange(len(best))
    close = np.abs(expected[rows, best] - expected[rows, wanted]) <= EXACT
    same = (best == wanted) | (close if found.exact else False)
    p50, p95 = latency.percentiles(ms)
    return Outcome(
        format=found.name,
        path=str(path),
        bytes=_size(path),
        largest_difference=float(np.abs(probabilities - expected).max()),
        agreement=float(same.mean()),
        accuracy=float((best == labels).mean()),
        keras_accuracy=float((wanted == labels).mean()),
        p50_ms=p50,
        p95_ms=p95,
    )


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
