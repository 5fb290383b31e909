"""Architecture descent: finds how every layer's width grows with the network's size.

python -m ns_tf.descend --flagfile=flags/demo.flags --run_dir=runs/demo

The same command continues a search that was stopped or killed.
"""

from ns_tf import cli, configs
from ns_tf.progress import Progress


def main(
    run: configs.RunConfig,
    search: configs.SearchConfig,
    data: configs.DataConfig,
    prune: configs.PruneConfig,
    runtime: configs.RuntimeConfig,
) -> None:
    """Searches, and says what was found."""
    cli.quiet_tensorflow()
    from ns_tf import api

    chosen = {type(config): config for config in (search, data, prune, runtime)}
    work = api.SearchRun(chosen)
    shape = "x".join(str(size) for size in work.dataset.image_shape)
    params = int(work.structure.params(work.widths))
    print(
        f"{work.architecture.name} with {params:,} parameters, {work.dataset.name} "
        f"({len(work.dataset.train):,} training images of {shape}, "
        f"{work.dataset.classes} classes), on {cli.devices()}"
    )
    with cli.interruptible() as stop:
        found = work.go(run.run_dir, progress=Progress, stop=stop)
    print(table(found.record))
    print(f"Pictures: {run.run_dir}/plots. Next, the widths for a budget:")
    print(f"  python -m ns_tf.plan --run_dir={run.run_dir} --params={params // 4}")


def table(record) -> str:
    """Every layer's law, and its widths by iteration."""
    size = max(len("layer"), *(len(name) for name in record.names))
    law = record.states[-1].law
    head = " ".join(f"{f'it {state.iteration}':>6}" for state in record.states)
    lines = [f"{'layer':<{size}}  {'alpha':>10} {'beta':>7} {'R2':>6}  {head}   next"]
    for i, name in enumerate(record.names):
        widths = " ".join(f"{state.widths[i]:>6}" for state in record.states)
        lines.append(
            f"{name:<{size}}  {law.alpha[i]:>10.4g} {law.beta[i]:>7.3f} "
            f"{law.r2[i]:>6.3f}  {widths} {record.states[-1].scaling.widths[i]:>6}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(
        main,
        configs.RunConfig,
        configs.SearchConfig,
        configs.DataConfig,
        configs.PruneConfig,
        configs.RuntimeConfig,
    )
