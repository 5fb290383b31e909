"""Global and dynamic pruning (Lin et al., IJCAI 2018): closed channels may return."""

from typing import Any

from ns_tf.prune.criteria import criterion


@criterion("gdp", scope="global", rounds=8, closed="reopen", power=1.0)
def gdp(gate_gradient: Any) -> Any:
    """|g dL/dg|, [channels]: how far the loss moves without the filter, to first order.

    The saliency of the authors' program, |sum_s w_s dL/dw_s + b dL/db| of a filter, is
    this where no batch norm follows the filter; in front of one it would be 0.

    Departures: the authors train between rounds, and score with all masks open. Here
    nothing is trained between rounds, so closed channels are scored as they are, by
    what the loss would gain if their gate opened. The saliency is averaged over all
    minibatches; their program means to, and takes that of the last one.

    >>> [gdp(gradient) for gradient in (1.75, 0.875, -0.25)]
    [1.75, 0.875, 0.25]

    Args:
        gate_gradient: [channels]: g dL/dg of one minibatch, L its mean loss. An array,
            or a tensor of the training step.
    """
    return abs(gate_gradient)
