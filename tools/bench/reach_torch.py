"""Which channels ns_tf and torch-pruning reach in the same networks.

pip install torch torch-pruning
python tools/bench/reach_torch.py

A row of Markdown for each network of twin_networks.py and each of the two, on the same
random weights in float64:

* widths, channels: groups of tied channels that can go, and how many channels they
  have.
* reachable: share of the entries of convolution and dense kernels that these shorten.
* exact: a third of them removed at random. The largest difference from the whole
  network in which nothing reads them, as a share of the largest output.
* seconds: of the processor, from the model to its groups.
"""

import copy
import dataclasses
import time
from collections.abc import Iterator

import keras
import models
import needs_torch  # noqa: F401
import numpy as np
import torch
import torch_pruning
import torch_twin
import twin_networks

from ns_tf import cli
from ns_tf.graph.walk import channel_graph
from ns_tf.registry import unknown
from ns_tf.run.option import option

READS = (
    torch_pruning.prune_conv_in_channels,
    torch_pruning.prune_linear_in_channels,
)
KERNELS = (torch.nn.Conv2d, torch.nn.Linear)
IMAGES = 2


@dataclasses.dataclass(frozen=True)
class ReachConfig:
    """Which networks."""

    networks: tuple[str, ...] = option((), "Names; all if none is given.")


HEAD = (
    "| network | tool | widths | channels | reachable | exact to | seconds |",
    "|---|---|---|---|---|---|---|",
)


def main(config: ReachConfig) -> None:
    """Prints the table, a row as soon as it is known."""
    for name in config.networks:
        if name not in twin_networks.NETWORKS:
            raise unknown("network", name, twin_networks.NETWORKS)
    keras.config.set_dtype_policy("float64")
    print(*HEAD, sep="\n", flush=True)
    for name in config.networks or twin_networks.NETWORKS:
        for line in rows(name):
            print(line, flush=True)


def rows(name: str) -> Iterator[str]:
    """The two rows of a network."""
    model = twin_networks.NETWORKS[name]()
    models.stamp(model, np.random.default_rng(0))
    twin = torch_twin.Twin(model)
    ours = models.measured(name, model)
    free = [group for group in channel_graph(model).groups if group.frozen is None]
    channels = sum(group.size for group in free)
    yield _row(name, "ns_tf", len(free), channels, ours)
    yield theirs(name, twin)


def _row(name: str, tool: str, widths: int, channels: int, found: models.Row) -> str:
    cells = [name, tool, str(widths), str(channels), f"{found.reachable:.1%}"]
    cells += [f"{found.error:.0e}", f"{found.seconds:.2f}"]
    return f"| {' | '.join(cells)} |"


def theirs(name: str, twin: torch_twin.Twin) -> str:
    """The row of torch-pruning, which makes the twin thinner."""
    example = _images(twin, 1)
    last = twin.layers[twin.output]
    clock = time.process_time()
    graph = torch_pruning.DependencyGraph()
    graph.build_dependency(twin, example_inputs=example)
    groups = list(graph.get_all_groups(ignored_layers=[last]))
    seconds = time.process_time() - clock
    touched = {id(dep.target.module) for group in groups for dep, _ in group}
    sizes = {True: 0, False: 0}
    for module in twin.modules():
        if isinstance(module, KERNELS):
            sizes[id(module) in touched] += module.weight.numel()
    channels = sum(len(group[0].idxs) for group in groups)
    found = models.Row(
        name,
        reachable=sizes[True] / sum(sizes.values()),
        error=removal_error(twin, graph, groups),
        seconds=seconds,
    )
    return _row(name, "torch-pruning", len(groups), channels, found)


def removal_error(twin: torch_twin.Twin, graph, groups: list) -> float:
    """How far a twin without a third of its channels is from one that ignores them."""
    rng = np.random.default_rng(0)
    roots = []
    for group in groups:
        count = len(group[0].idxs)
        gone = np.flatnonzero(rng.random(count) > 2 / 3)[: count - 1]
        if len(gone):
            roots.append((group[0].dep.target.module, group[0].dep.handler, gone))
    x = _images(twin, IMAGES)
    # Places are those of the whole network until the first removal.
    blind = _blind(twin, [_group(graph, *root) for root in roots])
    expected = blind(x).detach()
    for root in roots:
        _group(graph, *root).prune()
    with torch.no_grad():
        found = twin(x)
    return float((found - expected).abs().max() / expected.abs().max())


def _images(twin: torch_twin.Twin, count: int) -> torch.Tensor:
    """Noise in the twin's type."""
    shape = (count, *twin_networks.SHAPE[::-1])
    return 5 * torch.rand(shape, dtype=next(twin.parameters()).dtype)


def _group(graph, module: torch.nn.Module, handler, gone: np.ndarray):
    """All that goes with these channels of a module."""
    return graph.get_pruning_group(module, handler, idxs=gone.tolist())


def _blind(twin: torch_twin.Twin, groups: list) -> torch_twin.Twin:
    """A copy in which nothing reads the channels of these groups."""
    names = {id(module): name for name, module in twin.named_modules()}
    blind = copy.deepcopy(twin)
    for group in groups:
        for dep, places in group:
            if dep.handler in READS:
                reader = blind.get_submodule(names[id(dep.target.module)])
                reader.weight.data[:, places] = 0.0
    return blind


if __name__ == "__main__":
    cli.run(main, ReachConfig)
