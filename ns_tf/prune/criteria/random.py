"""No criterion at all: the control that a criterion has to beat."""

from ns_tf.prune.criteria import criterion


@criterion("random", scope="global")
def random(noise):
    """The noise itself, [channels]."""
    return noise
