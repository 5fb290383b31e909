"""Learning from a table of labels that learns as well (CURL, Luo & Wu, CVPR 2020)."""

from typing import Any

from keras import ops

from ns_tf.train.recipes import recipe


@recipe(
    "refine",
    help="Learns from labels and from a table of the whole network's answers, which is "
    "refined with it; six varied images are made of each.",
    teacher=True,
    table_rate=1.0,
    next_rate=1e-3,
    next_share=16 / 200,
    shares=("share",),
)
def refine(logits: Any, labels: Any, teacher_logits: Any, *, share: float = 0.7) -> Any:
    """share KL(student || table) + (1 - share) cross-entropy, [batch].

    For images that are few. A row of the table begins as the logits of the whole
    network for its image, and moves against its own gradient of the mean loss, at
    `table_rate`. The KL has the opposite direction of that of `distil`. Images and
    table are described in `ns_tf.data.variants` and `ns_tf.train.label_table`.

    The paper trains a network that `distil` has trained for 200 epochs, for 16 more
    at a rate of 0.0001. `distil+refine` has that share of the epochs. Departures: its
    rate is 0.001, as in one epoch at 0.0001 the statistics of norms follow the varied
    images and the weights do not follow them. Alone, it starts from what the cut has
    left, so its rate is that of the other recipes.

    The student's probabilities are 0.6 and 0.4, the table says 0.5 and 0.5:

    >>> import numpy as np
    >>> student, row = np.log([[0.6, 0.4]]), np.zeros((1, 2))
    >>> labels = np.array([[1.0, 0.0]])
    >>> round(float(refine(student, labels, row, share=1.0)[0]), 6)
    0.020136

    Args:
        logits: [batch, classes] of the network that learns.
        labels: [batch, classes] probabilities.
        teacher_logits: [batch, classes]: the rows of the table.
        share: Of what is learned from the table.
    """
    learned = ops.log_softmax(logits, axis=-1)
    table = ops.log_softmax(teacher_logits, axis=-1)
    divergence = ops.sum(ops.exp(learned) * (learned - table), axis=-1)
    entropy = -ops.sum(labels * learned, axis=-1)
    return share * divergence + (1 - share) * entropy
