"""How good a trained network is with some of its channels alone, fitted to them."""

import keras
import numpy as np

from ns_tf.engine.execution import forget_kernels
from ns_tf.graph.channels import ChannelGraph
from ns_tf.networks.structure import Structure
from ns_tf.problem.tasks import Task
from ns_tf.prune import repairs
from ns_tf.prune.masked import Worth
from ns_tf.prune.scoring import Proxy
from ns_tf.prune.trained import cut

REPAIR = "least_squares"


class RefittedNetwork:
    """A trained network that is cut to any of its channels and repaired, at once.

    As AMC judges networks (He et al., ECCV 2018): the layers that read what is left are
    fitted by least squares, nothing is trained. It takes many times as long as
    `ns_tf.prune.masked.MaskedNetwork`, because every network is built.

    Args:
        model: With its weights; not changed.
        graph: Its channel graph, of n channels.
        structure: Of its architecture.
        task: Says loss and score.
        proxy: The images, to which layers are fitted too.
    """

    def __init__(
        self,
        model: keras.Model,
        graph: ChannelGraph,
        structure: Structure,
        task: Task,
        proxy: Proxy,
    ):
        self.model, self.graph, self.structure = model, graph, structure
        self.task, self.proxy = task, proxy

    def worth(self, keep: np.ndarray) -> Worth:
        """Loss and score with these channels alone.

        Args:
            keep: [n] bool: the channels that are left.
        """
        small = cut(self.model, self.structure, keep)
        if not keep.all():
            case = repairs.Cut(self.model, self.graph, keep, small, self.proxy)
            repairs.get(REPAIR).apply(case)
        loss, count = self.task.loss(small), self.task.counter(small)
        total, counts = 0.0, 0
        for images, targets in self.proxy.batches():
            outputs = small(images, training=False)
            total += float(keras.ops.sum(loss(targets, outputs)))
            counts = counts + np.asarray(count(targets, outputs)).astype(float)
        forget_kernels()  # Every network has other shapes.
        return Worth(total / len(self.proxy.split), self.task.score_of(counts))
