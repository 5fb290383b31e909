"""What threads, precision, oneDNN, XLA and other widths do to a training step.

python tools/bench/settings.py --network=vgg11 --ratios=1,0.25
python tools/bench/settings.py --network=vgg11 --widths=61,104,129,139,92,61,58,73 \
    --only="not padded"
"""

import dataclasses
from collections.abc import Iterator

import lockstep
import numpy as np

from ns_tf import cli
from ns_tf.base import Widths, check_widths
from ns_tf.networks import architectures
from ns_tf.registry import unknown
from ns_tf.run.option import option
from ns_tf.run.progress import Progress

SETTINGS = {
    "default": {},
    "oneDNN off": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "Keras's batch norms": {"fused": False},
    "not padded": {"padded": False},
    "1 intra-op thread": {"TF_NUM_INTRAOP_THREADS": "1"},
    "1 inter-op thread": {"TF_NUM_INTEROP_THREADS": "1"},
    "4 inter-op threads": {"TF_NUM_INTEROP_THREADS": "4"},
    "mixed_bfloat16": {"precision": "mixed_bfloat16"},
    "mixed_float16": {"precision": "mixed_float16"},
    "jit_compile": {"jit_compile": True},
}


@dataclasses.dataclass(frozen=True)
class SettingsConfig:
    """What is measured."""

    network: str = option("vgg11", "An architecture.")
    ratios: tuple[float, ...] = option((1.0, 0.25), "Times its default widths.")
    widths: tuple[int, ...] = option((), "Filters of every layer, in place of ratios.")
    batch: int = option(64, "Images a step.")
    rounds: int = option(5, "Steps that are timed; their median counts.")
    only: tuple[str, ...] = option((), "Settings, all if empty: " + ", ".join(SETTINGS))


def main(config: SettingsConfig) -> None:
    """Prints a table for every size of the network."""
    for name in config.only:
        if name not in SETTINGS:
            raise unknown("setting", name, SETTINGS)
    chosen = {n: SETTINGS[n] for n in ["default", *(config.only or SETTINGS)]}
    for name, widths in _sizes(config).items():
        print(f"\n{config.network} {name}, batch {config.batch}:")
        for line in _table(_measure(config, widths, chosen)):
            print(line)


def _sizes(config: SettingsConfig) -> dict[str, Widths]:
    """Widths by what the table calls them; refused here, not by every worker."""
    architecture = architectures.get(config.network)
    if config.widths:
        widths = check_widths(architecture, config.widths)
        return {",".join(map(str, widths)): widths}
    return {
        f"x{ratio:g}": tuple(max(1, int(w * ratio)) for w in architecture.widths)
        for ratio in config.ratios
    }


def _measure(config: SettingsConfig, widths: Widths, chosen: dict) -> dict[str, dict]:
    """By setting, seconds of its first step and of the others."""
    workers = {}
    measured: dict[str, dict] = {name: {"steps": []} for name in chosen}
    try:
        for name, setting in chosen.items():
            environment = {k: v for k, v in setting.items() if k.isupper()}
            options = {k: v for k, v in setting.items() if not k.isupper()}
            workers[name] = lockstep.Worker("prune_tf.py", environment)
            start = workers[name].ask(
                "plain",
                network=config.network,
                widths=widths,
                batch=config.batch,
                **options,
            )
            measured[name]["first"] = start["first"]
        with Progress().bar(config.rounds, label=config.network, unit="rounds") as bar:
            for _ in range(config.rounds):
                for name, worker in workers.items():
                    step = worker.ask("plain_step")["step"]
                    measured[name]["steps"].append(step)
                bar.update(1)
    finally:
        for worker in workers.values():
            worker.__exit__()
    return measured


def _table(measured: dict[str, dict]) -> Iterator[str]:
    """Lines of a table: seconds of the first step and of a step, CPU, ratio."""
    usual = np.median([wall for wall, _ in measured["default"]["steps"]])
    yield f"{'setting':<20} {'first s':>8} {'step s':>8} {'CPU s':>8} {'ratio':>6}"
    for name, one in measured.items():
        wall, cpu = np.median(one["steps"], axis=0)
        yield (
            f"{name:<20} {one['first']:>8.2f} {wall:>8.3f} {cpu:>8.3f} "
            f"{wall / usual:>6.2f}"
        )


if __name__ == "__main__":
    cli.run(main, SettingsConfig)
