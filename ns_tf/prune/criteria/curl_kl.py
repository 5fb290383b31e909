"""How far the answers move without the channel (CURL, Luo & Wu, CVPR 2020)."""

import numpy as np

from ns_tf.prune.criteria import criterion


@criterion(
    "curl_kl",
    scope="global",
    recipe="distil",
    images=256,
    least_share=0.3,
    of_classes=True,
)
def curl_kl(logits: np.ndarray, masked_logits: np.ndarray) -> float:
    """mean over images of KL(masked || whole) = sum_k q_k (ln q_k - ln p_k).

    q are the probabilities of the network without the channel, p those of the whole
    network. No labels are read. The direction is that of the authors' program; which
    one the paper prints is not known here.

    >>> log = np.log
    >>> whole, masked = log([[0.75, 0.25]]), log([[0.5, 0.5]])
    >>> round(curl_kl(whole, masked), 6), round(curl_kl(masked, whole), 6)
    (0.143841, 0.130812)

    Args:
        logits: [images, classes] of the whole network; or logarithms of probabilities.
        masked_logits: [images, classes] without the channel.
    """
    p, q = _log_softmax(np.asarray(logits)), _log_softmax(np.asarray(masked_logits))
    return float((np.exp(q) * (q - p)).sum(axis=-1).mean())


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities [images, classes]: never the log of a softmax."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
