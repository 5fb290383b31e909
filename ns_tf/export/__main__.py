"""Exports a trained network: SavedModel for TF Serving, Keras, LiteRT, ONNX.

python -m ns_tf.export --run_dir=runs/vgg11 --format=saved_model,litert,litert_int8
python -m ns_tf.export --model=mine.keras --dataset=folder:/data --format=onnx

Every file is run again in a process of its own and compared with the Keras model on
test images; one that disagrees is not left in place. See docs/serving.md.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

import dataclasses

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.export.config import ExportConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.option import option
from ns_tf.run.progress import Progress
from ns_tf.run.watch import Watch


@dataclasses.dataclass(frozen=True)
class TrainedConfig:
    """Where the trained network is."""

    run_dir: str | None = option(
        None, "The folder of a training, or of a search or comparison with trainings."
    )


def main(trained: TrainedConfig, task: ProblemConfig, export: ExportConfig) -> None:
    """Exports, and says how well each file agrees."""
    if (trained.run_dir is None) == (export.model is None):
        raise InputError("Give either --run_dir or --model: what to export.")
    cli.quiet_tensorflow()
    from ns_tf.export import check
    from ns_tf.export.work import Export

    work = Export.of(trained.run_dir, task, export)
    outcomes = work.run(Watch(Progress()))
    print(check.table(outcomes, work.task.score))
    print("\n".join(outcome.path for outcome in outcomes))


if __name__ == "__main__":
    cli.run(main, TrainedConfig, ProblemConfig, ExportConfig)
