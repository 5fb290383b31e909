"""Trains one set of weights that is a network at several widths, or at any.

python -m ns_tf.slim --run_dir=runs/slim --architecture=vgg11 --dataset=cifar10 \\
    --shares=0.25,0.5,0.75,1 --epochs=100
python -m ns_tf.slim --run_dir=runs/any --architecture=vgg11 --dataset=cifar10 \\
    --shares=0.25,1 --norms=shared --inplace_distil --epochs=100

The network of each share is kept as a training, as train/share0.5, which other commands
take. The same command continues a run that was stopped or killed.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.engine.config import RuntimeConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.config import RunConfig
from ns_tf.slim.config import SupernetConfig
from ns_tf.train.config import TrainConfig


def main(
    run: RunConfig,
    settings: ProblemConfig,
    config: SupernetConfig,
    recipe: TrainConfig,
    runtime: RuntimeConfig,
) -> None:
    """Trains, and says how good each share became."""
    for name in ("architecture", "dataset"):
        if getattr(settings, name) is None:
            raise InputError(
                "Say which network learns which data: --architecture=vgg11 "
                f"--dataset=cifar10; --{name} is missing."
            )
    cli.quiet_tensorflow()
    from ns_tf.slim.results import table
    from ns_tf.slim.work import SupernetRun

    work = SupernetRun.of(run.run_dir, settings, config, recipe, runtime)
    print(
        f"{work.problem.architecture.name} on {work.problem.dataset.name}, "
        f"{config.norms} norms, rule {config.rule_used}, on {cli.devices()}"
    )
    with cli.watching() as watch:
        found = work.run(watch)
    print(table(found.rows, work.problem.task.score))
    print(f"Networks and history: {work.folder}")


if __name__ == "__main__":
    cli.run(main, RunConfig, ProblemConfig, SupernetConfig, TrainConfig, RuntimeConfig)
