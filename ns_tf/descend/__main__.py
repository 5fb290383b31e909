"""Architecture descent: finds how every layer's width grows with the network's size.

python -m ns_tf.descend --flagfile=flags/demo.flags --run_dir=runs/demo

The same command continues a search that was stopped or killed.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

import shlex

import numpy as np

from ns_tf import cli
from ns_tf.budgets import BUDGETS
from ns_tf.data.config import DataConfig
from ns_tf.descend.config import SearchConfig
from ns_tf.descend.record import SearchRecord
from ns_tf.engine.config import RuntimeConfig
from ns_tf.parts import parts, shape_text
from ns_tf.prune.config import PruneConfig
from ns_tf.render import tables
from ns_tf.run.config import RunConfig
from ns_tf.scaling.config import Wishes


def main(
    run: RunConfig,
    search: SearchConfig,
    data: DataConfig,
    prune: PruneConfig,
    runtime: RuntimeConfig,
    wishes: Wishes,
) -> None:
    """Searches, prints every layer's law and widths, and the commands to plan with.

    Args:
        run: The folder of the search.
        search: Architecture, seed widths, iterations.
        data: The data set and its split.
        prune: Algorithm 1's numbers.
        runtime: Seed, devices, precision.
        wishes: What widths may be.

    Raises:
        InputError: what cannot be searched; nothing was written.
        RunError: the loss is not finite, or no law reaches the seed's size.
        Interrupted: a signal asked to stop.
    """
    cli.quiet_tensorflow()
    from ns_tf.descend.work import SearchRun
    from ns_tf.scaling.law import uncertain

    configs = (search, data, prune, runtime, wishes)
    chosen = {type(config): config for config in configs}
    work = SearchRun(chosen)
    architecture, dataset = work.problem.architecture, work.problem.dataset
    task = work.problem.task.name
    shape = shape_text(dataset.image_shape)
    outputs = len(parts(dataset.train.labels))
    params = int(work.problem.structure.params(work.widths))
    print(
        f"{architecture.name} with {params:,} parameters, {dataset.name} "
        f"({len(dataset.train):,} training examples of {shape}; {task}, "
        f"{outputs if outputs > 1 else dataset.classes} outputs), on {cli.devices()}"
    )
    if work.start:
        print(f"begins with the model's own weights, pixels {work.start.told}")
    with cli.watching() as watch:
        record = work.run(run.run_dir, watch)
    print(table(record))
    for line in uncertain(record.states[-1].law, record.names):
        print(line)
    print(f"Pictures: {run.run_dir}/plots")
    print(next_steps(run.run_dir, record))


def next_steps(run_dir: str, record: SearchRecord) -> str:
    """The commands that plan a quarter of the seed network, and the other budgets.

    Args:
        run_dir: The folder of the search.
        record: Of the search.
    """
    lines = ["Next, the widths for a budget of yours, for instance:"]
    for name in ("params", "macs"):
        quarter = int(record.costs[name](np.array(record.seed_widths))) // 4
        place = shlex.quote(str(run_dir))
        lines.append(f"  python -m ns_tf.plan --run_dir={place} --{name}={quarter}")
    others = [name for name in BUDGETS.names() if name not in ("params", "macs")]
    return "\n".join([*lines, f"  or {', '.join(f'--{name}' for name in others)}"])


def table(record: SearchRecord) -> str:
    """A row a layer: alpha, beta and R² of the last law, and widths by iteration.

    Args:
        record: Of a search with at least one iteration.
    """
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
        Wishes,
    )
