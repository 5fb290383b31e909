"""Training as ever, from the weights that are left."""

from ns_tf.train.recipes import recipe


@recipe("plain", help="From the weights that are left, by the task's loss.")
def plain() -> None:
    """The task's loss: in classification the cross-entropy."""
