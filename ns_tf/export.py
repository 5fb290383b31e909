"""Exports a trained network: SavedModel for TF Serving, Keras, LiteRT, ONNX.

python -m ns_tf.export --run_dir=runs/vgg11 --format=saved_model,litert,litert_int8
python -m ns_tf.export --model=mine.keras --dataset=folder:/data --format=onnx

Every file is run again in a process of its own and compared with the Keras model on
test images; one that disagrees is not left in place. See docs/serving.md.
"""

import dataclasses

from ns_tf import cli, configs
from ns_tf.export_config import ExportConfig
from ns_tf.flagset import option
from ns_tf.progress import Progress


@dataclasses.dataclass(frozen=True)
class TrainedConfig:
    """Where the trained network is."""

    run_dir: str | None = option(
        None, "The folder of a training, or of a search or comparison with trainings."
    )


def main(
    trained: TrainedConfig, task: configs.TaskConfig, export: ExportConfig
) -> None:
    """Exports, and says how well each file agrees."""
    if (trained.run_dir is None) == (export.model is None):
        raise cli.InputError("Give either --run_dir or --model: what to export.")
    cli.quiet_tensorflow()
    from ns_tf import exports

    work = exports.Export(trained.run_dir, task, export)
    outcomes = work.go(progress=Progress)
    print(exports.table(outcomes))
    print("\n".join(outcome.path for outcome in outcomes))


if __name__ == "__main__":
    cli.run(main, TrainedConfig, configs.TaskConfig, ExportConfig)
