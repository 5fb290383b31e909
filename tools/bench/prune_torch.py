"""A worker of the benchmarks: the same pruning in PyTorch, masked or made thinner.

Where it does less than ns_tf, it is to PyTorch's favour: one batch again and again, so
no data to wait for; gates are zeroed once and not kept closed; thinned networks begin
with new momentum.
"""

import lockstep
import numpy as np
import torch
import torch_networks
from torch.nn import functional

STEPS_RATE = 0.01


class Pruning:
    """Pruning with gates that are the batch norms' own gamma and beta."""

    def start(self, *, way, network, widths, batch, steps, threads):
        """Builds the network; `way` is "torch_masked" or "torch_pruned"."""
        self.scores: dict[int, torch.Tensor] = {}
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.way, self.steps = way, steps
        self.parts = lockstep.Parts()
        self.network = torch_networks.NETWORKS[network](widths)
        self.images = torch.randn(batch, 3, 32, 32)
        self.labels = torch.randint(0, 10, (batch,))
        # Numbers, in the seed, of the filters that each width still has.
        self.left = [np.arange(width) for width in widths]
        self._optimise()
        return {"memory": lockstep.resident()}

    def _optimise(self):
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), STEPS_RATE, momentum=0.5, weight_decay=5e-4
        )

    def event(self, *, remove):
        """Trains, scores and removes filters: `remove` has a list for every width."""
        times = []
        for _ in range(self.steps):
            clock = lockstep.Clock()
            self._step()
            times.append(clock.read())
        self.scores = {}
        if self.way == "torch_pruned":
            self.parts.timed("thinning", self._thin)(remove)
        else:
            self.parts.timed("closing", self._close)(remove)
        usual = np.median(times[1:] or times, axis=0)
        return {
            "step": list(usual),
            "parts": self.parts.taken(),
            "memory": lockstep.resident(),
        }

    def _step(self):
        self.optimizer.zero_grad()
        loss = functional.cross_entropy(self.network(self.images), self.labels)
        loss.backward()
        for i, score in enumerate(self._scores()):
            self.scores[i] = score + self.scores.get(i, 0.0)
        self.optimizer.step()
        loss.item()

    def _scores(self):
        """Squared gradient of every gate (Molchanov et al. 2019, eq. 8)."""
        return [
            (norm.weight * norm.weight.grad + norm.bias * norm.bias.grad)
            .detach()
            .square()
            for norm in self.network.modules()
            if isinstance(norm, torch.nn.BatchNorm2d)
        ]

    def _close(self, remove):
        with torch.no_grad():
            for norm, gone in zip(self.network.norms, remove, strict=True):
                if norm is not None and gone:
                    norm.weight[gone] = 0.0
                    norm.bias[gone] = 0.0

    def _thin(self, remove):
        import torch_pruning

        graph = torch_pruning.DependencyGraph()
        graph.build_dependency(self.network, example_inputs=self.images[:1])
        for i, (conv, gone) in enumerate(zip(self.network.convs, remove, strict=True)):
            if gone:
                places = np.searchsorted(self.left[i], gone).tolist()
                prune = torch_pruning.prune_conv_out_channels
                graph.get_pruning_group(conv, prune, idxs=places).prune()
                self.left[i] = np.delete(self.left[i], places)
        self._optimise()


if __name__ == "__main__":
    work = Pruning()
    lockstep.serve(start=work.start, event=work.event)
