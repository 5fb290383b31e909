"""A network for a microcontroller: search, plan, train, export, run it in int8.

python tools/bench/microcontroller.py --run_dir=runs/microcontroller --data_dir=DIR

Widths of each method are planned for the RAM and the flash, trained by one recipe, and
exported as an int8 LiteRT file. That runs in LiteRT on the test images. Where
`tflite_micro` is installed, its interpreter says how much RAM it took, and answers as
many images as `--interpreter_images` says. The same command goes on after a kill. A
search that is in the run folder already is not done again. Takes: the search 25
minutes, trainings an hour, on 2 cores.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np
from interpreter import installed, run

from ns_tf import cli
from ns_tf.engine.config import RuntimeConfig
from ns_tf.export.config import ExportConfig
from ns_tf.plan.config import BudgetConfig, MethodConfig
from ns_tf.problem.config import NetworkConfig
from ns_tf.render import tables
from ns_tf.run.checks import at_least
from ns_tf.run.config import RunConfig
from ns_tf.run.option import option
from ns_tf.train.config import TrainConfig

FLAGS = pathlib.Path(__file__).parents[2] / "flags" / "vgg11_cifar10_short.flags"
RECIPE = {"schedule": "cosine"}  # Beside the defaults.


@dataclasses.dataclass(frozen=True)
class ExampleConfig:
    """The microcontroller, and what is trained for it."""

    flags: str = option(str(FLAGS), "Flagfile of the search.")
    data_dir: str | None = option(None, "Where TFDS data sets are prepared.")
    peak_ram: float = option(256 * 1024, "Bytes of RAM for activations.")
    flash: float = option(1024 * 1024, "Bytes of flash for the network's file.")
    methods: tuple[str, ...] = option(("uniform", "neuralscale"), "Which widths.")
    epochs: int = option(6, "Epochs of each training.")
    seed: int = option(0, "Seed of the trainings.")
    threads: int = option(0, "Threads of the trainings; all cores if 0.")
    interpreter_images: int = option(100, "Images that tflite_micro answers.")

    def __post_init__(self):
        at_least(self, 1, "epochs", "interpreter_images")


def main(place: RunConfig, asked: ExampleConfig) -> None:
    """Prints a row a method."""
    cli.quiet_tensorflow()
    from ns_tf.descend.work import SEARCH_CONFIGS, SearchRun
    from ns_tf.run.flagfile import from_flagfile

    text = pathlib.Path(asked.flags).read_text()
    configs = {kind: from_flagfile(kind, text) for kind in SEARCH_CONFIGS}
    own = {"data_dir": asked.data_dir, "threads": asked.threads}
    for kind, config in configs.items():
        there = {name: value for name, value in own.items() if hasattr(config, name)}
        configs[kind] = dataclasses.replace(config, **there)
    with cli.watching() as watch:
        SearchRun(configs).run(place.run_dir, watch)
    rows = [row(place.run_dir, method, asked) for method in asked.methods]
    print(told(rows))


def row(run_dir: str, method: str, asked: ExampleConfig) -> dict[str, Any]:
    """A network: trained, exported, and run in int8.

    Args:
        run_dir: Where the search is.
        method: Decides the widths.
        asked: The budgets and the recipe.
    """
    from ns_tf.export.work import Export
    from ns_tf.plan.choice import WidthChoice
    from ns_tf.train.work import TrainRun

    network = NetworkConfig(data_dir=asked.data_dir)
    budget = BudgetConfig(peak_ram=asked.peak_ram, flash=asked.flash)
    choice = WidthChoice(network, budget, MethodConfig(method=method))
    runtime = RuntimeConfig(seed=asked.seed, threads=asked.threads)
    recipe = TrainConfig(epochs=asked.epochs, **RECIPE)
    work = TrainRun(run_dir, network, choice, recipe, runtime)
    with cli.watching() as watch:
        work.run(watch)
    how = ExportConfig(
        format=("litert_int8",), training=work.name, check_images=1_000_000
    )
    export = Export.of(run_dir, network, how)
    (file,) = export.run()
    found = {
        "method": method,
        "widths": work.widths,
        "costs": work.costs,
        "bytes": file.bytes,
        "keras": file.keras_score,
        "int8": file.score,
    }
    return {**found, **in_interpreter(file.path, export, asked.interpreter_images)}


def in_interpreter(path: str, export: Any, images: int) -> dict[str, Any]:
    """RAM that tflite_micro takes, and the accuracy of its answers; {} without it.

    Args:
        path: The int8 file.
        export: Its export, with the data.
        images: How many test images it answers, the first ones.
    """
    if not installed():
        return {}
    data = export.dataset.test
    ran = run(pathlib.Path(path).read_bytes(), np.asarray(data.images[:images]))
    right = ran.answers.argmax(-1) == np.asarray(data.labels[:images]).reshape(-1)
    return {"arena": ran.arena, "micro": float(right.mean())}


def told(rows: list[dict[str, Any]]) -> str:
    """The rows as a table of Markdown."""
    header = (
        "widths by",
        "parameters",
        "MACs",
        "file, bytes",
        "peak_ram",
        "arena",
        "accuracy, %",
        "int8, %",
        "tflite_micro, %",
        "widths",
    )
    body = [
        (
            one["method"],
            f"{one['costs']['params']:,}",
            f"{one['costs']['macs']:,}",
            f"{one['bytes']:,}",
            f"{one['costs']['peak_ram']:,}",
            f"{one['arena']:,}" if "arena" in one else "-",
            f"{100 * one['keras']:.2f}",
            f"{100 * one['int8']:.2f}",
            f"{100 * one['micro']:.1f}" if "micro" in one else "-",
            ",".join(map(str, one["widths"])),
        )
        for one in rows
    ]
    return tables.markdown(header, body)


if __name__ == "__main__":
    cli.run(main, RunConfig, ExampleConfig)
