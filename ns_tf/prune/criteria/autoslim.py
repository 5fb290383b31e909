"""AutoSlim's greedy widths, trained from fresh weights (Yu & Huang, 2019)."""

import numpy as np

from ns_tf.prune.criteria import criterion
from ns_tf.prune.criteria.taylor_fg import taylor_fg


@criterion("autoslim", scope="global", allocation="greedy", recipe="scratch")
def autoslim(example_gradients: np.ndarray) -> np.ndarray:
    """The scores of `taylor_fg`, [channels]; the widths are what this method is about.

    AutoSlim removes the last filters of a layer, as its network was trained at many
    widths to put the least there; `last` is for such a network. One that was trained as
    usual has no such order, so a criterion says which filters go.

    >>> autoslim(np.array([[2, 2, 0], [1.5, -0.25, -0.5]])).tolist()
    [3.125, 2.03125, 0.125]

    Args:
        example_gradients: [images, channels]: g dL_i/dg.
    """
    return taylor_fg(example_gradients)
