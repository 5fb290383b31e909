"""Exports a trained network: writes files beside, runs them, compares, renames."""

import contextlib
import dataclasses
import errno
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from ns_tf import (
    api,
    configs,
    datasets,
    deployment,
    flagset,
    formats,
    jobs,
    pipeline,
    precision,
    python_inputs,
    records,
    run_folders,
    tables,
    trainings,
)
from ns_tf.base import InputError, RunError
from ns_tf.budgets.latency import percentiles
from ns_tf.export_config import ExportConfig
from ns_tf.formats import Format, Source
from ns_tf.keras_graph import functional
from ns_tf.progress import Quiet

RUNNER = Path(formats.__file__).parent / "runtimes" / "run.py"
RESULT = "export.json"
_VERSION = re.compile(r"[1-9]\d*")


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


class Export:
    """What is to be exported: checks everything first, then does it.

    Args:
        run_dir: The folder of a training, or of a search or comparison with trainings.
        task: Where the data set is not the training's.
        export: Which formats, where.
    """

    def __init__(
        self,
        run_dir: str | Path | None,
        task: configs.TaskConfig,
        export: ExportConfig,
    ):
        self.config = export
        self.formats = [formats.get(name) for name in export.format]
        for found in self.formats:
            found.check()
        path, task = _model_and_task(run_dir, task, export)
        self.target = Path(export.out_dir or path.parent / "export")
        self.name = export.name or _default_name(path)
        self.version = self._version()
        with records.readable(path, "trained network", "Train it again."):
            model = keras.saving.load_model(path, compile=False)
        self.dataset = pipeline.for_network(
            api.load_dataset(trainings.data_config(task)),
            deployment.scales_pixels(functional(model)),
        )
        self.source = self._source(model)

    def go(self, *, progress: type = Quiet) -> list[Outcome]:
        """Writes all formats, or none if one of them cannot be or does not agree.

        Raises:
            InputError: the target cannot be written, or a converter refuses.
            RunError: a file gives other answers than the Keras model.
        """
        images, labels = _images(self.dataset, "test", self.config.check_images)
        expected = self.source.deployed().predict(images, batch_size=100, verbose=0)
        with _writing(self.target) as work:
            np.save(work / "images.npy", images)
            outcomes, made = [], []
            steps = 2 * len(self.formats)
            with progress(steps, label="export", unit="steps") as bar:
                for found in self.formats:
                    place = found.file.format(name=self.name, version=self.version)
                    path = work / place
                    path.parent.mkdir(parents=True, exist_ok=True)
                    found.write(self.source, path)
                    bar.update(1, format=found.name)
                    told = _compare(found, path, work, expected, labels)
                    outcomes.append(
                        dataclasses.replace(told, path=str(self.target / place))
                    )
                    self._accept(found, outcomes[-1])
                    made.append((path, self.target / place))
                    bar.update(1)
            for path, place in made:
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)
        told = {"version": 1, "name": self.name, "images": len(images)}
        told["files"] = [dataclasses.asdict(outcome) for outcome in outcomes]
        records.write_json(self.target / f"{self.name}.{RESULT}", told)
        return outcomes

    def _source(self, model: keras.Model) -> Source:
        found = self.dataset
        if tuple(model.inputs[0].shape[1:]) != found.image_shape:
            raise InputError(
                f"The network takes images {tuple(model.inputs[0].shape[1:])}, the "
                f"data set {found.name} has {found.image_shape}. Give the --dataset "
                "and the --image_size that it was trained on."
            )
        if model.outputs[0].shape[-1] != found.classes:
            raise InputError(
                f"The network has {model.outputs[0].shape[-1]} classes, the data set "
                f"{found.name} {found.classes}. Give the --dataset it was trained on."
            )
        return Source(
            name=self.name,
            model=precision.plain(model),
            ends_in_softmax=deployment.ends_in_softmax(model),
            class_names=found.class_names,
            mean=found.mean,
            std=found.std,
            calibration=_images(found, "train", self.config.calibration_images)[0],
            resize=self.config.resize,
        )

    def _version(self) -> int:
        """The version asked for, or the next one; what is there is never replaced."""
        folder = self.target / self.name
        there = [
            int(path.name)
            for path in (folder.iterdir() if folder.is_dir() else ())
            if _VERSION.fullmatch(path.name)
        ]
        version = self.config.version
        if version is None:
            return max(there, default=0) + 1
        if version in there and any(f.name == "saved_model" for f in self.formats):
            raise InputError(
                f"{folder / str(version)} exists, and a version is never replaced: a "
                "server may be reading it. Leave --version out for the next one."
            )
        return version

    def _accept(self, found: Format, told: Outcome) -> None:
        """Raises RunError if a file does not agree with the Keras model."""
        if found.exact:
            if told.largest_difference > formats.EXACT or told.agreement < 1:
                raise RunError(
                    f"{found.name} disagrees with the Keras model: probabilities by up "
                    f"to {told.largest_difference:.2g} (allowed {formats.EXACT:g}), "
                    f"{100 * told.agreement:.2f} % of the classes agree. Nothing was "
                    "left in place."
                )
            return
        lost = 100 * (told.keras_accuracy - told.accuracy)
        if lost > self.config.int8_points:
            raise RunError(
                f"{found.name} lost {lost:.2f} points of accuracy, more than "
                f"--int8_points={self.config.int8_points:g}. Nothing was left in "
                "place; calibrate with more images (--calibration_images), or leave it "
                "out."
            )


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


def _compare(found: Format, path: Path, work: Path, expected, labels) -> Outcome:
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
    close = np.abs(expected[rows, best] - expected[rows, wanted]) <= formats.EXACT
    same = (best == wanted) | (close if found.exact else False)
    p50, p95 = percentiles(ms)
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


def _images(dataset: pipeline.Dataset, split: str, count: int):
    """(images uint8 [n, h, w, c], labels [n]) of a split, evenly spread over it.

    Not the first ones: folders and many files have one class after the other.
    """
    whole = getattr(dataset, split)
    chosen = datasets.take(whole, datasets.spread(len(whole), count))
    images, labels = [], []
    for some, classes in pipeline.eval_batches(dataset, chosen, 100):
        pixels = 255 * (np.asarray(some) * dataset.std + dataset.mean)
        images.append(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
        labels.append(np.asarray(classes))
    return np.concatenate(images), np.concatenate(labels)


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[Path]:
    """A folder beside the target, on its file system, that is gone afterwards.

    Raises:
        InputError: whatever the file system refuses.
    """
    made = [path for path in (target, *target.parents) if not path.exists()]
    work = None
    try:
        target.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".export.", dir=target))
        yield work
        made = []
    except OSError as error:
        full = " Free some space." if error.errno == errno.ENOSPC else ""
        raise InputError(
            f"{target} cannot be written: {error.strerror}.{full} Give another "
            "--out_dir; nothing was left half-written."
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
        for path in made:  # What was made for nothing.
            with contextlib.suppress(OSError):
                path.rmdir()


def _model_and_task(run_dir, task, export: ExportConfig):
    """The `.keras` file, and the complete task."""
    if export.model is not None:
        path = Path(export.model)
        if not path.is_file():
            raise InputError(f"--model={path}: there is no such file.")
        if task.dataset is None:
            raise InputError(
                "Give the --dataset that the model was trained on: its normalisation "
                "and its test images are needed."
            )
        return path, task
    folder = _training_in(Path(run_dir or "."), export.training)
    text = (folder / run_folders.FLAGS_NAME).read_text(encoding="utf-8")
    told = flagset.from_flagfile(configs.TaskConfig, text)
    given = dataclasses.asdict(told)
    given |= {n: v for n, v in dataclasses.asdict(task).items() if v is not None}
    above = folder.parent.parent
    search = trainings.search_in(above)
    result = jobs.read_result(folder)
    given["architecture"] = given["architecture"] or result["architecture"]
    task = configs.TaskConfig(**given)
    return folder / jobs.MODEL, trainings.completed(task, search, above)


def _training_in(folder: Path, name: str | None) -> Path:
    """The folder of the training that is meant."""
    below = [
        path.parent
        for kind in ("train", "cells")
        for path in sorted(folder.glob(f"{kind}/*/{jobs.RESULT}"))
    ]
    if (folder / jobs.RESULT).exists() and name is None:
        return folder
    found = [path for path in below if name in (None, path.name)]
    if len(found) == 1:
        return found[0]
    if not below:
        raise InputError(
            f"{folder} holds no finished training. Train first: python -m ns_tf.train "
            f"--run_dir={folder} --params=..., or give --model=FILE.keras."
        )
    names = ", ".join(path.name for path in below[:8])
    raise InputError(
        f"{folder} holds {len(below)} finished trainings; say which one, as "
        f"--training={below[0].name}. There are: {names}"
        f"{', ...' if len(below) > 8 else ''}."
    )


def _default_name(path: Path) -> str:
    stem = path.parent.name if path.name == python_inputs.MODEL else path.stem
    return re.sub(r"[^\w.+-]+", "-", stem) or "model"
