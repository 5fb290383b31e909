"""Learning from the whole network and from labels (CURL, Luo & Wu, CVPR 2020)."""

from typing import Any

from keras import ops

from ns_tf.train.recipes import recipe


@recipe(
    "distil",
    help="Learns from the whole network's answers to mixed images, and from labels.",
    teacher=True,
    mixup=1.0,
    shares=("share",),
    above_zero=("temperature",),
)
def distil(
    logits: Any,
    labels: Any,
    teacher_logits: Any,
    *,
    temperature: float = 2.0,
    share: float = 0.7,
) -> Any:
    """share T² KL(teacher || student) + (1 - share) cross-entropy, [batch].

    The probabilities of the KL are softmax(logits / T). A share of 0 is the
    cross-entropy alone. Images are mixed in pairs, labels in the same proportion
    (mixup), and the teacher sees the mixed images too.

    >>> import numpy as np
    >>> student, teacher = np.zeros((1, 2)), np.array([[2 * np.log(3), 0.0]])
    >>> labels = np.array([[1.0, 0.0]])
    >>> round(float(distil(student, labels, teacher, share=1.0)[0]), 6)
    0.523248

    Args:
        logits: [batch, classes] of the network that learns.
        labels: [batch, classes] probabilities.
        teacher_logits: [batch, classes] of the whole network.
        temperature: T.
        share: Of what is learned from the teacher.
    """
    learned = ops.log_softmax(logits / temperature, axis=-1)
    taught = ops.log_softmax(teacher_logits / temperature, axis=-1)
    divergence = ops.sum(ops.exp(taught) * (taught - learned), axis=-1)
    entropy = -ops.sum(labels * ops.log_softmax(logits, axis=-1), axis=-1)
    return share * temperature**2 * divergence + (1 - share) * entropy
