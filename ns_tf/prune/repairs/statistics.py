"""Means and variances of batch norms, measured again on the network that is left."""

from ns_tf.prune.norms import measure
from ns_tf.prune.repairs import Cut, repair


@repair("statistics", help="Measures the statistics of batch norms again.")
def statistics(cut: Cut) -> None:
    """Replaces moving means and variances by their means over training images.

    The activations of a network that has lost channels have other means and variances
    than those that its batch norms keep. Without this repair no cut can be judged.

    Args:
        cut: Its images are read in training mode, where norms that are not trained keep
            their statistics.
    """
    measure(cut.small, (images for images, _ in cut.proxy.batches()))
