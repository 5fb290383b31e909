"""Settings of an export: the flags of `python -m ns_tf.export`."""

import dataclasses
import re

from ns_tf.base import InputError
from ns_tf.run.checks import at_least
from ns_tf.run.config import FOLDER_NAME
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """What is exported, where to, and how the files are checked.

    Raises:
        InputError: a value out of range, or a format that is named twice. Whether a
            format exists is checked by `ns_tf.export.work.Export`.
    """

    format: tuple[str, ...] = option(
        ("saved_model",), "saved_model, keras, litert, litert_int8, onnx."
    )
    training: str | None = option(
        None, "Name of the training in --run_dir, if it holds several."
    )
    model: str | None = option(
        None, "A .keras file, in place of --run_dir; --dataset goes with it."
    )
    out_dir: str | None = option(
        None, "Where the files go; export/ beside the trained model if empty."
    )
    name: str | None = option(
        None, "What the model is called there; the training's name if empty."
    )
    version: int | None = option(
        None, "Version of the SavedModel; one more than the newest if empty."
    )
    resize: bool = option(
        False, "The SavedModel takes images of any size and resizes them."
    )
    calibration_images: int = option(
        200, "Training images that int8 ranges are found with."
    )
    check_images: int = option(
        1000, "Test images on which every file is compared with the Keras model."
    )
    int8_points: float = option(
        2.0, "Points of the score on these images that int8 may lose (hundredths)."
    )

    def __post_init__(self):
        if not self.format or len(set(self.format)) < len(self.format):
            names = ",".join(self.format) or "none"
            raise InputError(f"--format is one or more, all different; got {names}.")
        if self.name is not None and not re.fullmatch(FOLDER_NAME, self.name):
            raise InputError(
                "--name is a file's name of letters, digits, '.', '_', '+' and '-'; "
                f"got {self.name!r}."
            )
        if self.model is not None and self.training is not None:
            raise InputError(
                "--training is one of --run_dir; --model names the file itself. Leave "
                "one of them out."
            )
        if self.resize and "saved_model" not in self.format:
            raise InputError("--resize is of --format=saved_model; others ignore it.")
        at_least(self, 1, "calibration_images", "check_images")
        at_least(self, 0, "int8_points")
        if self.version is not None and self.version < 1:
            raise InputError(f"--version is a number from 1; got {self.version}.")
