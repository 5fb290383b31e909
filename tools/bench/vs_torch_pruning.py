"""The same trained network pruned by ns_tf and by torch-pruning, and trained alike.

pip install torch torch-pruning
python tools/bench/vs_torch_pruning.py --model=runs/trunk --dataset=cifar10 \\
    --methods=taylor_fo,magnitude --allocations=uniform,ranking --epochs=2

prints the rows of methods.py, of ns_tf and of torch-pruning. torch-pruning is given the
network in PyTorch with its weights, and the images that ns_tf scores with. It removes
a little of all layers, or the lowest scores of all, until its own count of
multiply-adds is within the budget. Derivatives are read anew before every step, as in
its benchmarks. The channels that it keeps are then kept in Keras, so repair and
training are the same for both. The two thin networks have to give the same outputs, or
there is no row.
"""

import dataclasses
import itertools
from collections.abc import Iterator

import methods
import needs_torch  # noqa: F401
import numpy as np
import torch
import torch_pruning
import torch_twin

from ns_tf import cli
from ns_tf.base import InputError, RunError
from ns_tf.prune.config import SourceConfig
from ns_tf.prune.pruned import Clock
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.source import TrainedNetwork, trained_network
from ns_tf.prune.trained import cut
from ns_tf.run.option import option

THEIRS = " (torch-pruning)"  # Behind the name of a method.
IMPORTANCES = {
    "taylor_fo": torch_pruning.importance.GroupTaylorImportance,
    "magnitude": lambda: torch_pruning.importance.GroupMagnitudeImportance(p=1),
}
GLOBAL = {"uniform": False, "ranking": True}  # By allocation.
MAKES = (
    torch_pruning.prune_conv_out_channels,
    torch_pruning.prune_linear_out_channels,
)
CLOSE = 1e-4  # Of the largest output.


@dataclasses.dataclass(frozen=True)
class TorchPruningConfig:
    """How torch-pruning works."""

    steps: int = option(200, "Steps from the whole network to none.")


def main(
    config: methods.MethodsConfig, source: SourceConfig, theirs: TorchPruningConfig
) -> None:
    """Prints the table, a row as soon as it is known."""
    _check(config)
    network = trained_network(source.model, source.dataset, **source.data)
    kept = methods.read_rows(config.out)
    ours = methods.rows(config, network, list(kept))
    made = itertools.chain(ours, rows(config, network, theirs, list(kept)))
    methods.tell(config, kept, made)


def _check(config: methods.MethodsConfig) -> None:
    """Refuses what torch-pruning has no counterpart of."""
    for flag, known in (("methods", IMPORTANCES), ("allocations", GLOBAL)):
        for name in getattr(config, flag):
            if name not in known:
                raise InputError(
                    f"--{flag} are among {', '.join(known)}, which torch-pruning has "
                    f"too; got {name}."
                )


def rows(
    config: methods.MethodsConfig,
    network: TrainedNetwork,
    theirs: TorchPruningConfig,
    kept: list[methods.Row],
) -> Iterator[methods.Row]:
    """The rows of torch-pruning that are not among those kept."""
    names = [name + THEIRS for name in config.methods]
    for row in methods.missing(config, names, kept):
        method = row["method"].removesuffix(THEIRS)
        pruner = methods.pruned_by(config, network, {**row, "method": method})
        clock = Clock()
        with clock.of("score"):
            keep = chosen(pruner, row["allocation"], config.share, theirs.steps)
        yield row | methods.outcome(config, pruner, keep, clock)


def chosen(pruner: Pruner, allocation: str, share: float, steps: int) -> np.ndarray:
    """[n] bool: the channels of our graph that torch-pruning keeps.

    Args:
        pruner: The network, the method's name and the images.
        allocation: A name of `GLOBAL`.
        share: Of the multiply-adds that may be left.
        steps: From the whole network to none.

    Raises:
        RunError: the network without the others is another one in PyTorch.
    """
    twin = torch_twin.Twin(pruner.model)
    batches = [
        (torch.from_numpy(images.transpose(0, 3, 1, 2)), torch.from_numpy(labels))
        for images, labels in _arrays(pruner)
    ]
    ranked = GLOBAL[allocation]
    removal = Removal(twin, batches, pruner.method.name, ranked=ranked, steps=steps)
    left = removal.down_to(share)
    keep = np.ones(len(pruner.graph.owner), bool)
    for layer, places in left.items():
        kernel = pruner.graph.kernels[layer]
        channels = pruner.graph.axes[layer, kernel.name][kernel.makes]
        keep[channels] = np.isin(np.arange(len(channels)), places)
    _compare(twin, batches[0][0], cut(pruner.model, pruner.problem.structure, keep))
    return keep


def _arrays(pruner: Pruner) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(images [batch, h, w, c], labels [batch]) that the criterion reads."""
    for images, labels in pruner.proxy().batches():
        yield np.array(images), np.array(labels, np.int64)


class Removal:
    """torch-pruning on a twin.

    Args:
        twin: Is made thinner.
        batches: (images [batch, c, h, w], labels [batch]).
        method: A name of `IMPORTANCES`.
        ranked: Whether scores of all layers are compared.
        steps: From the whole network to none.
    """

    def __init__(
        self,
        twin: torch_twin.Twin,
        batches: list,
        method: str,
        ranked: bool,
        steps: int,
    ):
        self.twin, self.batches, self.method = twin, batches, method
        self.example = batches[0][0][:1]
        self.names = {
            id(module): name.removeprefix("layers.").partition(".")[0]
            for name, module in twin.named_modules()
        }
        self.pruner = torch_pruning.pruner.BasePruner(
            twin,
            self.example,
            IMPORTANCES[method](),
            global_pruning=ranked,
            pruning_ratio=1.0,
            iterative_steps=steps,
            ignored_layers=[twin.layers[twin.output]],
        )

    def down_to(self, share: float) -> dict[str, np.ndarray]:
        """Makes the twin thinner until so much is left of its multiply-adds.

        Returns:
            By layer that lost channels, the places of those that are left.
        """
        left: dict[str, np.ndarray] = {}
        limit = share * self._macs()
        while self._macs() > limit:
            self._read()
            for group in self.pruner.step(interactive=True):
                for dep, places in group:
                    if dep.handler in MAKES:
                        module = dep.target.module
                        name = self.names[id(module)]
                        before = left.get(name, np.arange(len(module.weight)))
                        left[name] = np.delete(before, places)
                group.prune()
        return left

    def _macs(self) -> float:
        return torch_pruning.utils.count_ops_and_params(self.twin, self.example)[0]

    def _read(self) -> None:
        """Derivatives of the mean loss over all batches."""
        self.twin.zero_grad()
        if self.method == "magnitude":
            return
        for images, labels in self.batches:
            loss = torch.nn.functional.cross_entropy(self.twin(images), labels)
            (loss / len(self.batches)).backward()


def _compare(twin: torch_twin.Twin, images: torch.Tensor, small) -> None:
    """Refuses two thin networks that differ."""
    with torch.no_grad():
        theirs = twin(images).numpy()
    ours = np.asarray(small(np.transpose(images.numpy(), (0, 2, 3, 1))))
    error = np.abs(theirs - ours).max() / np.abs(ours).max()
    if error > CLOSE:
        raise RunError(
            f"The thin networks in Keras and PyTorch differ by {error:.1e} of the "
            "largest output: the two tools do not tie the same channels."
        )


if __name__ == "__main__":
    cli.run(main, methods.MethodsConfig, SourceConfig, TorchPruningConfig)
