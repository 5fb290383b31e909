"""First-order Taylor expansion of the loss (eq. 3-4; Molchanov et al., CVPR 2019)."""

from ns_tf.prune.criteria import criterion


@criterion("taylor_fo", scope="global")
def taylor_fo(gate_gradient):
    """(g dL/dg)², [channels]: the squared change of the loss if the filter went.

    The sum over batch and pixels is inside the square, the mean over minibatches
    outside.
    """
    return gate_gradient**2
