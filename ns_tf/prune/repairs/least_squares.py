"""The layers that read what is left are fitted again (He et al., ICCV 2017)."""

import numpy as np

from ns_tf.prune.rebuilt import Rebuilt
from ns_tf.prune.regression import Normal
from ns_tf.prune.repairs import Cut, repair


@repair("least_squares", help="Fits the layers that read what is left (He et al.).")
def least_squares(cut: Cut) -> None:
    """Kernel and offset of every reader, by least squares on its windows.

    Inputs are windows of the network that is left, as it is now; the target is what the
    whole network puts out there, before activation. Readers follow one another from the
    image on, so errors do not pile up. No labels are read. It should not be followed by
    `statistics`: the targets are outputs under the old statistics.

    Departure: the ridge holds the weights that the cut left, in place of zero, so a
    reader never becomes worse on the images that are read.

    Args:
        cut: Changed in place. A reader without a bias gets its offset by the batch norm
            behind it, and none where there is no such norm.
    """
    rebuilt = Rebuilt(cut)
    for reader in rebuilt.readers:
        kernel = rebuilt.kernel(reader)  # [window, inputs, filters]
        offset = rebuilt.has_offset(reader)
        start = kernel.reshape(-1, kernel.shape[-1])
        if offset:
            start = np.concatenate([start, np.zeros((1, start.shape[1]))])
        fitted = Normal.of(rebuilt.pairs(reader, ones=offset)).fitted(start)
        if offset:
            rebuilt.move_offset(reader, fitted[-1])
            fitted = fitted[:-1]
        rebuilt.set_kernel(reader, fitted.reshape(kernel.shape))
    rebuilt.finish()
