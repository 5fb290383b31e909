"""Taylor expansion of the loss by its absolute value (Molchanov et al., ICLR 2017)."""

import numpy as np

from ns_tf.prune.criteria import criterion


@criterion("taylor_2016", scope="global", by_norm=True)
def taylor_2016(example_gradients: np.ndarray) -> np.ndarray:
    """mean_i |sum over pixels of z dL_i/dz|, [channels].

    The scores of each layer are then divided by their L2 norm
    (`ns_tf.prune.criteria.by_norm`), so that layers can be compared. The paper's 1/M
    for M pixels is a constant of the layer, which the norm removes. The sum over pixels
    of z dL/dz is the derivative by a gate, before and behind a ReLU alike.

    >>> taylor_2016(np.array([[2, 2, 0], [1.5, -0.25, -0.5]])).tolist()
    [1.75, 1.125, 0.25]

    Args:
        example_gradients: [images, channels]: g dL_i/dg of every image's own loss.
    """
    return np.abs(example_gradients).mean(axis=0)
