"""One factor a channel for the layers that read what is left (ThiNet)."""

import numpy as np

from ns_tf.prune.rebuilt import Rebuilt
from ns_tf.prune.regression import Normal
from ns_tf.prune.repairs import Cut, repair


@repair("scale", help="Scales what is left in the layers that read it (ThiNet).")
def scale(cut: Cut) -> None:
    """K[., c, :] *= w_c, with w of least |X w - y|² (Luo et al., ICCV 2017).

    X are the contributions of the channels that are left to single outputs of the
    reader, y the same outputs of the whole network, both without bias. Readers follow
    one another from the image on, so each sees what the earlier ones became.

    Args:
        cut: Changed in place.
    """
    rebuilt = Rebuilt(cut)
    for reader in rebuilt.readers:
        normal = Normal.of(rebuilt.contributions(reader))
        factors = normal.fitted(np.ones((len(normal.gram), 1)))[:, 0]
        kernel = rebuilt.kernel(reader)
        rebuilt.set_kernel(reader, kernel * factors[:, None])
    rebuilt.finish()
