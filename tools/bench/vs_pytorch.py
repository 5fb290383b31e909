"""Pruning in ns_tf against PyTorch: masked, and made thinner by torch-pruning.

pip install torch torch-pruning
python tools/bench/vs_pytorch.py --network=vgg11 --out=runs/bench/pytorch_vgg11.jsonl

The same removals in one run, taking turns, as in search.py. torch-pruning ties
the channels of identity shortcuts, which ns_tf does not: of the three networks it can
make the same removals in vgg11 alone.
"""

import dataclasses
import os

import lockstep
import numpy as np
import search

from ns_tf import cli
from ns_tf.registry import unknown
from ns_tf.run.option import option

NETWORKS = ("vgg11", "preact_resnet18", "mobilenet_v2")  # Of torch_networks.
CHAINS = ("vgg11",)  # Networks without shortcuts.


@dataclasses.dataclass(frozen=True)
class TorchConfig:
    """PyTorch."""

    threads: int = option(os.cpu_count() or 1, "CPU threads of PyTorch.")


def main(config: search.BenchConfig, torch: TorchConfig) -> None:
    """Races the ways and prints the table."""
    _check(config.network)
    ways = ["ns_tf", "masked", "torch_masked"]
    ways += ["torch_pruned"] if config.network in CHAINS else []
    with (
        lockstep.Worker("prune_tf.py") as ours,
        lockstep.Worker("prune_tf.py") as masked,
        lockstep.Worker("prune_torch.py") as torch_masked,
        lockstep.Worker("prune_torch.py") as torch_pruned,
    ):
        some = (ours, masked, torch_masked, torch_pruned)
        workers = dict(zip(ways, some[: len(ways)], strict=True))
        rows = []
        for way in ways[:2]:
            start = workers[way].ask("start", **search.settings(config), way=way)
            rows.append({"way": way, "event": 0, "parts": start["parts"]})
        channels = [np.array(width) for width in start["channels"]]
        for way in ways[2:]:
            workers[way].ask(
                "start",
                way=way,
                network=config.network,
                widths=[len(width) for width in channels],
                batch=config.batch,
                steps=config.steps,
                threads=torch.threads,
            )

        def follow(worker, way, remove, present):
            if not way.startswith("torch"):
                return search.follow_tf(worker, way, remove, present)
            gone = [
                np.flatnonzero(np.isin(width, remove)).tolist() for width in channels
            ]
            return worker.ask("event", remove=gone)

        rows += search.race(workers, start["events"], config, follow)
    search.report(rows, config, ways)


def _check(network: str) -> None:
    if network not in NETWORKS:
        raise unknown("network", network, NETWORKS)
    import needs_torch  # noqa: F401


if __name__ == "__main__":
    cli.run(main, search.BenchConfig, TorchConfig)
