"""Prunes a trained network to a budget, and trains what is left.

python -m ns_tf.prune --run_dir=runs/small --model=mine.keras --dataset=cifar10 \\
    --macs=0.5
python -m ns_tf.prune --run_dir=runs/small --model=runs/vgg11 --macs=0.5 \\
    --params=200000 --method=curl_kl --recipe=distil --finetune_epochs=10
python -m ns_tf.prune --run_dir=runs/sparse --model=runs/vgg11 --level=weight \\
    --method=autoprune --nonzero=0.1

A budget above 0 and below 1 is a share of what the network costs itself; 1 is the
network. Scores are kept: another budget in the same run folder needs no new ones. The
same command continues a run that was stopped or killed.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.engine.config import RuntimeConfig
from ns_tf.plan.config import BudgetConfig
from ns_tf.prune.config import CutConfig, FinetuneConfig, SourceConfig
from ns_tf.run.config import RunConfig


def main(
    run: RunConfig,
    source: SourceConfig,
    budget: BudgetConfig,
    cut: CutConfig,
    tuning: FinetuneConfig,
    runtime: RuntimeConfig,
) -> None:
    """Prunes, and says what is left and how good it is."""
    if not source.model:
        raise InputError(
            "Say which network: --model=mine.keras, or a training's folder."
        )
    cli.quiet_tensorflow()
    from ns_tf.prune.work import PruneRun

    search = None
    if cut.search is not None:
        from ns_tf.descend.record import read_search

        search = read_search(cut.search)
    settings = (budget, cut, tuning, runtime)
    work = PruneRun.of(run.run_dir, source, settings, search=search)
    pruner = work.pruner
    print(
        f"{pruner.problem.architecture.name} on {pruner.problem.dataset.name}, pixels "
        f"{work.network.told}, on {cli.devices()}"
    )
    with cli.watching() as watch:
        work.run(watch)
    print(work.text)
    print(f"Model and history: {work.folder}")


if __name__ == "__main__":
    cli.run(
        main,
        RunConfig,
        SourceConfig,
        BudgetConfig,
        CutConfig,
        FinetuneConfig,
        RuntimeConfig,
    )
