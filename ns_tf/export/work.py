"""An export: writes all files into a folder aside, checks them, then renames them.

So a target never holds a file that is half-written or that answers otherwise than the
Keras model, and a server that watches the target never sees one.
"""

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, RunError
from ns_tf.data.dataset import Dataset, for_network
from ns_tf.engine import precision
from ns_tf.export import aside, check, examples, formats
from ns_tf.export.check import Expected, Outcome
from ns_tf.export.config import ExportConfig
from ns_tf.export.formats import EXACT, Format, Source
from ns_tf.graph.calls import functional
from ns_tf.graph.compilation import carried, check_read
from ns_tf.graph.ends import scales_pixels
from ns_tf.graph.shapes import listed, shape_of, with_shape
from ns_tf.networks import from_model
from ns_tf.parts import first, parts
from ns_tf.problem import tasks
from ns_tf.problem.alignment import aligned
from ns_tf.problem.choice import outputs_of, task_of
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.resolve import resolve, scaled_dataset, settings_in
from ns_tf.problem.tasks import Task
from ns_tf.problem.weighted import Weighted
from ns_tf.run import files
from ns_tf.run.folder import EXPORT, EXPORT_FOLDER, MODEL, RESULT
from ns_tf.run.watch import Watch
from ns_tf.train.results import read_result, training_in

_VERSION = re.compile(r"[1-9]\d*")


class Export:
    """A trained network that is to be exported: checks everything first, then does it.

    Args:
        model: The trained network, in any precision; files have it in float32.
        dataset: The data set that it was trained on. Files contain its normalisation,
            and are compared on its test examples.
        task: What targets mean; decides what files answer. Chosen by network and
            targets if None.
        config: Which formats, and how they are checked.
        target: The folder that the files go to; made if there is none.
        name: What the model is called there, if `config` names none.

    Raises:
        InputError: a format's packages are missing, the version exists, or the model
            and the data set do not go together.
    """

    def __init__(
        self,
        model: keras.Model,
        dataset: Dataset,
        task: Task | None,
        config: ExportConfig,
        target: str | Path,
        name: str,
    ):
        self.config, self.target = config, Path(target)
        self.name = config.name or name
        self.formats = [formats.get(name) for name in config.format]
        for form in self.formats:
            form.check()
        self.version = self._version()
        whole = listed(functional(model))
        for form in self.formats:
            form.check_ends(whole)
        if isinstance(task, Weighted):  # Files know nothing of weights.
            task = task.task
        dataset = aligned(dataset, whole)
        model = with_shape(carried(model, whole), dataset.image_shape)
        self.task = (task or task_of(dataset, model)).bound(model, dataset)
        dataset = self.task.prepared(dataset, outputs_of(model))
        self.dataset = for_network(dataset, scales_pixels(model))
        self.source = self._source(model)

    @classmethod
    def of(
        cls, run_dir: str | Path | None, asked: ProblemConfig, config: ExportConfig
    ) -> "Export":
        """The export of what lies in a run folder, or in a `.keras` file.

        Args:
            run_dir: The folder of a training, or of a search or comparison with
                trainings; None if `config.model` names a file.
            asked: The data set, where it is not the training's.
            config: Which training, which formats, where the files go.

        Returns:
            The export; everything was checked and nothing is written.

        Raises:
            InputError: as `Export`, or there is no such model or data set.
        """
        for name in config.format:
            formats.get(name).check()
        path, settings = _model_and_settings(run_dir, asked, config)
        target = Path(config.out_dir or path.parent / EXPORT_FOLDER)
        name = _default_name(path)
        check_kept(path, target, config.name or name, config)
        with files.readable(path, "trained network", "Train it again."):
            model = from_model.loaded(path)
        if not settings.task and not config.model:
            check_read(model, path)
        return cls(
            model,
            scaled_dataset(settings),
            tasks.get(settings.task) if settings.task else None,
            config,
            target=target,
            name=name,
        )

    def run(self, watch: Watch | None = None) -> list[Outcome]:
        """Writes all formats, or none if one cannot be written or does not agree.

        Args:
            watch: Shows progress.

        Returns:
            How each file compares with the Keras model, in the order of the formats.
            The same is written to `NAME.export.json` beside the files.

        Raises:
            InputError: the target cannot be written, a converter refuses, or answers
                of the network are NaN or infinite.
            RunError: a file gives other answers than the Keras model.
        """
        watch = watch or Watch()
        with aside.folder_in(self.target) as work:
            count = self.config.check_images
            expected = examples.expected(self.source, self.dataset, count, work)
            _check_finite(expected)
            outcomes, moves = [], []
            steps = 2 * len(self.formats)
            with watch.bar(steps, label="export", unit="steps") as bar:
                for form in self.formats:
                    place = form.file.format(name=self.name, version=self.version)
                    path, target = work / place, self.target / place
                    path.parent.mkdir(parents=True, exist_ok=True)
                    form.write(self.source, path)
                    bar.update(1, format=form.name)
                    outcome = check.compare(form, path, work, expected, self.task)
                    self._accept(form, outcome)
                    outcomes.append(dataclasses.replace(outcome, path=str(target)))
                    moves.append((path, target))
                    bar.update(1)
            summary = work / f"{self.name}.{EXPORT}"
            files.write_json(
                summary, self._told(outcomes, len(first(expected.targets)))
            )
            for path, target in [*moves, (summary, self.target / summary.name)]:
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
        return outcomes

    def _told(self, outcomes: list[Outcome], images: int) -> dict[str, Any]:
        """What `NAME.export.json` holds: how each file did on so many images."""
        score = self.task.score.name
        told = {"version": 1, "name": self.name, "images": images, "score": score}
        return {**told, "files": [one.told(score) for one in outcomes]}

    def _source(self, model: keras.Model) -> Source:
        """The network with what belongs to it.

        Raises:
            InputError: the network was made for inputs or classes of another data set,
                or the inputs are no images and were to be resized.
        """
        dataset = self.dataset
        if shape_of(model) != dataset.image_shape:
            raise InputError(
                f"The network takes inputs {shape_of(model)}, the "
                f"data set {dataset.name} has {dataset.image_shape}. Give the "
                "--dataset and the --image_size that it was trained on."
            )
        if model.outputs[0].shape[-1] != dataset.classes:
            raise InputError(
                f"The network has {model.outputs[0].shape[-1]} classes, the data set "
                f"{dataset.name} {dataset.classes}. Give the --dataset it was trained "
                "on."
            )
        count = self.config.calibration_images
        source = Source(
            name=self.name,
            model=precision.plain(model),
            task=self.task,
            class_names=dataset.class_names,
            mean=dataset.mean,
            std=dataset.std,
            calibration=examples.of(dataset, "train", count)[0],
            resize=self.config.resize,
            inputs=dataset.inputs,
        )
        if source.resize and not source.takes_images:
            raise InputError("--resize is of images; the network takes others.")
        return source

    def _version(self) -> int:
        """The version of the settings, or the one after the newest that is there.

        Raises:
            InputError: there is such a version. It is never replaced.
        """
        folder = self.target / self.name
        versions = [
            int(path.name)
            for path in (folder.iterdir() if folder.is_dir() else ())
            if _VERSION.fullmatch(path.name)
        ]
        version = self.config.version
        if version is None:
            return max(versions, default=0) + 1
        if version in versions and any("{version}" in f.file for f in self.formats):
            raise InputError(
                f"{folder / str(version)} exists, and a version is never replaced: a "
                "server may be reading it. Leave --version out for the next one."
            )
        return version

    def _accept(self, form: Format, outcome: Outcome) -> None:
        """Passes a file that agrees with the Keras model.

        Args:
            form: Its format. Exact ones have to give the same classes, and the same
                probabilities to within `EXACT`; others may lose `int8_points`.
            outcome: The comparison.

        Raises:
            RunError: the file does not agree.
        """
        if form.exact:
            # Of NaN no comparison holds, so it does not pass.
            if not (outcome.largest_difference <= EXACT and outcome.agreement >= 1):
                raise RunError(
                    f"{form.name} disagrees with the Keras model: answers by up to "
                    f"{outcome.largest_difference:.2g} (allowed {EXACT:g}), "
                    f"{100 * outcome.agreement:.2f} % of them agree. Nothing was left "
                    "in place."
                )
            return
        lost = 100 * (outcome.keras_score - outcome.score)
        if not lost <= self.config.int8_points:
            raise RunError(
                f"{form.name} lost {lost:.2f} points of {self.task.score.name}, more "
                f"than --int8_points={self.config.int8_points:g}. Nothing was left in "
                "place; calibrate with more images (--calibration_images), or leave it "
                "out."
            )


def _model_and_settings(
    run_dir: str | Path | None, asked: ProblemConfig, export: ExportConfig
) -> tuple[Path, ProblemConfig]:
    """The `.keras` file to export, and the settings of its network and data.

    Raises:
        InputError: there is no such model or training, or its data set is not known.
    """
    if export.model is not None:
        path = Path(export.model)
        if not path.is_file():
            raise InputError(f"--model={path}: there is no such file.")
        if asked.dataset is None:
            raise InputError(
                "Give the --dataset that the model was trained on: its normalisation "
                "and its test images are needed."
            )
        return path, asked
    folder = training_in(Path(run_dir or "."), export.training)
    # Trainings of older versions name no data set: it is that of the folder above.
    above = folder.parent.parent
    with files.readable(folder / RESULT, "result"):
        result = ProblemConfig(architecture=read_result(folder)["architecture"])
    settings = resolve(
        asked, settings_in(folder), settings_in(above), result, place=above
    )
    return folder / MODEL, settings


def check_kept(source: Path, target: Path, name: str, config: ExportConfig) -> None:
    """Refuses an export that would replace the model that it is made of.

    Args:
        source: The model's file.
        target: The folder that the files go to.
        name: What the model is called there.
        config: Says the formats.

    Raises:
        InputError: one of the files would be the model's, or lead to it.
    """
    fields = {"name": name, "version": config.version or 1}
    places = [formats.get(one).file.format(**fields) for one in config.format]
    for place in (*places, f"{name}.{EXPORT}"):
        if os.path.realpath(target / place) == os.path.realpath(source):
            raise InputError(
                f"{target / place} is the model itself, which would be lost. Give "
                "another --out_dir or --name."
            )


def _check_finite(expected: Expected) -> None:
    """Passes a network whose answers are numbers.

    Raises:
        InputError: some are NaN or infinite, so no file could be compared with it.
    """
    for answers in parts(expected.answers):
        axes = tuple(range(1, np.ndim(answers)))
        bad = int((~np.isfinite(answers)).any(axes).sum())
        if bad:
            raise InputError(
                f"The network answers NaN or infinity to {bad} of {len(answers)} test "
                "examples, so no file can be compared with it. Train it again."
            )


def _default_name(path: Path) -> str:
    """What a model is called: as the folder of its training, or as its file."""
    own = path.parent.resolve().name if path.name == MODEL else path.stem
    return files.file_name(own)
