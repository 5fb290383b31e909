"""Taylor expansion of the loss, image by image (Molchanov et al., CVPR 2019, eq. 8)."""

import numpy as np

from ns_tf.prune.criteria import criterion


@criterion("taylor_fg", scope="global")
def taylor_fg(example_gradients: np.ndarray) -> np.ndarray:
    """mean_i (g dL_i/dg)², [channels]: squared before the mean over images.

    Unlike `taylor_fo`, it does not depend on how images are cut into minibatches, and
    changes of the loss that cancel between images count.

    >>> taylor_fg(np.array([[2, 2, 0], [1.5, -0.25, -0.5]])).tolist()
    [3.125, 2.03125, 0.125]

    Args:
        example_gradients: [images, channels]: g dL_i/dg of every image's own loss.
    """
    return (example_gradients**2).mean(axis=0)
