"""MorphNet's regulariser without norms: a group lasso on filters."""

from typing import Any

from ns_tf.prune.formulas import KernelGates
from ns_tf.prune.gatings import gating


@gating(
    "group_lasso",
    help="MorphNet's penalty for networks without batch norms: on the size of filters.",
    repair="mean+statistics",
    epochs=10,
)
class GroupLasso(KernelGates):
    """L + strength · sum price · size of a filter, the prices being MorphNet's.

    Source: Gordon et al., MorphNet, CVPR 2018; its released code penalises filters in
    this way where no norm scales them. The size of a filter w of m entries is

    l · mean |w| + (1 - l) · sqrt(mean w²),

    the root mean square and no sum, so that filters of large kernels do not pay more.

    Behind a filter with a batch norm its size is without effect: use `morphnet` there.

    Of the filters [3, 4] and [0, 1]:

    >>> import numpy as np
    >>> from keras import ops
    >>> kernel = np.array([[3.0, 0.0], [4.0, 1.0]])
    >>> class Mixed(GroupLasso):
    ...     l1_fraction = 0.5
    >>> for gates in (GroupLasso(), Mixed()):
    ...     ops.convert_to_numpy(gates.size(kernel)).round(6).tolist()
    [3.535534, 0.707107]
    [3.517767, 0.603553]

    Attributes:
        l1_fraction: l.
    """

    l1_fraction = 0.0

    def size(self, kernel: Any) -> Any:
        """l · mean |w| + (1 - l) · sqrt(mean w²), [filters]."""
        from keras import ops

        share = self.l1_fraction
        root = ops.sqrt(ops.mean(kernel * kernel, axis=0))
        return share * ops.mean(ops.abs(kernel), axis=0) + (1 - share) * root

    def pull(self, kernel: Any, price: Any) -> Any:
        """price · (l · sign(w) / m + (1 - l) · w / (m sqrt(mean w²))).

        It is 0 for a filter of zeros.
        """
        from keras import ops

        share, entries = self.l1_fraction, kernel.shape[0]
        root = ops.sqrt(ops.mean(kernel * kernel, axis=0))
        steep = share * ops.sign(kernel)
        steep = steep + (1 - share) * ops.divide_no_nan(kernel, root)
        return price * steep / entries
