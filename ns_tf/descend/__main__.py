"""Architecture descent: finds how every layer's width grows with the network's size.

python -m ns_tf.descend --flagfile=flags/demo.flags --run_dir=runs/demo

The same command continues a search that was stopped or killed.
"""

from ns_tf import cli
from ns_tf.cli import quiet_tensorflow
from ns_tf.data.config import DataConfig
from ns_tf.descend.config import SearchConfig
from ns_tf.engine.config import RuntimeConfig
from ns_tf.prune.config import PruneConfig
from ns_tf.render import tables
from ns_tf.run.config import RunConfig
from ns_tf.run.progress import Progress
from ns_tf.run.stop import interruptible


def main(
    run: RunConfig,
    search: SearchConfig,
    data: DataConfig,
    prune: PruneConfig,
    runtime: RuntimeConfig,
) -> None:
    """Searches, and says what was found."""
    quiet_tensorflow()
    from ns_tf.descend.work import SearchRun

    chosen = {type(config): config for config in (search, data, prune, runtime)}
    work = SearchRun(chosen)
    shape = "x".join(str(size) for size in work.dataset.image_shape)
    params = int(work.structure.params(work.widths))
    print(
        f"{work.architecture.name} with {params:,} parameters, {work.dataset.name} "
        f"({len(work.dataset.train):,} training images of {shape}, "
        f"{work.dataset.classes} classes), on {cli.devices()}"
    )
    with interruptible() as stop:
        record = work.go(run.run_dir, progress=Progress, stop=stop)
    print(table(record))
    print(f"Pictures: {run.run_dir}/plots. Next, the widths for a budget:")
    print(f"  python -m ns_tf.plan --run_dir={run.run_dir} --params={params // 4}")


def table(record) -> str:
    """Every layer's law, and its widths by iteration."""
    law, last = record.states[-1].law, record.states[-1].scaling
    count = len(record.states)
    rows = [
        [
            name,
            f"{law.alpha[i]:.4g}",
            f"{law.beta[i]:.3f}",
            f"{law.r2[i]:.3f}",
            *(str(state.widths[i]) for state in record.states),
            str(last.widths[i]),
        ]
        for i, name in enumerate(record.names)
    ]
    return tables.plain(
        ["layer", "alpha", "beta", "R2", *(f"it {s.iteration}" for s in record.states)]
        + ["next"],
        rows,
        least=[5, 10, 7, 6] + [6] * (count + 1),
        gaps=["  ", " ", " ", "  "] + [" "] * count,
    )


if __name__ == "__main__":
    cli.run(
        main,
        RunConfig,
        SearchConfig,
        DataConfig,
        PruneConfig,
        RuntimeConfig,
    )
