"""Trains one network from scratch: the widths for a budget, or any list of widths.

python -m ns_tf.train --run_dir=runs/vgg11 --params=600000
python -m ns_tf.train --run_dir=runs/plain --architecture=vgg11 --dataset=digits \\
    --method=uniform --ratio=0.5

The first takes architecture and data set from the search in the run folder; the second
needs no search. The same command continues a training that was stopped or killed.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

from ns_tf import cli
from ns_tf.engine.config import RuntimeConfig
from ns_tf.plan.config import BudgetConfig, MethodConfig
from ns_tf.problem.config import NetworkConfig
from ns_tf.run.config import RunConfig
from ns_tf.train.config import TrainConfig


def main(
    run: RunConfig,
    network: NetworkConfig,
    budget: BudgetConfig,
    method: MethodConfig,
    train: TrainConfig,
    runtime: RuntimeConfig,
) -> None:
    """Trains, and says how good it became."""
    cli.quiet_tensorflow()
    from ns_tf.plan.choice import WidthChoice
    from ns_tf.train.results import score_in
    from ns_tf.train.work import TrainRun

    choice = WidthChoice(network, budget, method)
    work = TrainRun(run.run_dir, network, choice, train, runtime)
    print(
        f"{work.problem.architecture.name} {work.name}: "
        f"{work.costs['params']:,} parameters, {work.costs['macs']:,} MACs, widths "
        f"{','.join(map(str, work.widths)) or 'fixed'}, on {cli.devices()}"
    )
    with cli.watching() as watch:
        result = work.run(watch)
    score = work.problem.task.score
    print(
        f"epoch {result['best_epoch']} of {train.epochs} was best on validation "
        f"examples ({score.name} {score.text(score_in(result, 'validation'))}); "
        f"on test examples it has {score.text(score_in(result, 'test'))}"
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
