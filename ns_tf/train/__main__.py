"""Trains one network from scratch: the widths for a budget, or any list of widths.

python -m ns_tf.train --run_dir=runs/vgg11 --params=600000
python -m ns_tf.train --run_dir=runs/plain --architecture=vgg11 --dataset=digits \\
    --method=uniform --ratio=0.5

The first takes architecture and data set from the search in the run folder; the second
needs no search. The same command continues a training that was stopped or killed.
"""

from ns_tf import cli
from ns_tf.cli import quiet_tensorflow
from ns_tf.engine.config import RuntimeConfig
from ns_tf.plan.config import BudgetConfig, MethodConfig
from ns_tf.problem.config import NetworkConfig
from ns_tf.run.config import RunConfig
from ns_tf.run.progress import Progress
from ns_tf.run.stop import interruptible
from ns_tf.train.config import TrainConfig


def main(
    run: RunConfig,
    network: NetworkConfig,
    budget: BudgetConfig,
    curve: MethodConfig,
    train: TrainConfig,
    runtime: RuntimeConfig,
) -> None:
    """Trains, and says how good it became."""
    quiet_tensorflow()
    from ns_tf.train.work import TrainRun

    work = TrainRun(run.run_dir, network, budget, curve, train, runtime)
    print(
        f"{work.architecture.name} {work.name}: {work.facts['params']:,} parameters, "
        f"{work.facts['macs']:,} MACs, widths {','.join(map(str, work.widths))}, "
        f"on {cli.devices()}"
    )
    with interruptible() as stop:
        result = work.go(progress=Progress, stop=stop)
    print(
        f"epoch {result['best_epoch']} of {train.epochs} was best on validation images "
        f"({100 * result['validation_accuracy']:.2f} %); on test images it has "
        f"{100 * result['test_accuracy']:.2f} %"
    )
    print(f"Model and history: {work.folder}")


if __name__ == "__main__":
    cli.run(
        main,
        RunConfig,
        NetworkConfig,
        BudgetConfig,
        MethodConfig,
        TrainConfig,
        RuntimeConfig,
    )
