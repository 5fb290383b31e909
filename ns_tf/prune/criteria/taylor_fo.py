"""First-order Taylor expansion of the loss (eq. 3-4; Molchanov et al., CVPR 2019)."""

from typing import Any

from ns_tf.prune.criteria import criterion


@criterion("taylor_fo", scope="global", power=0.5)
def taylor_fo(gate_gradient: Any) -> Any:
    """(g dL/dg)², [channels]: the squared change of the loss without the filter.

    To first order L(g = 0) - L(g) = -g dL/dg. The sum over images and pixels is inside
    the square, the sum over minibatches outside of it.

    >>> [taylor_fo(gradient) for gradient in (1.75, 0.875, -0.25)]
    [3.0625, 0.765625, 0.0625]

    Args:
        gate_gradient: [channels]: g dL/dg of one minibatch, L its mean loss. An array,
            or a tensor of the training step.
    """
    return gate_gradient**2
