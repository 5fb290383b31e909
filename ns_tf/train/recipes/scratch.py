"""The same widths from fresh weights, for as many epochs (Liu et al., ICLR 2019).

The control of every pruned network: did the weights that were left help?
"""

from ns_tf.train.recipes import recipe


@recipe("scratch", help="From fresh weights, as many epochs.", fresh=True, rate=0.1)
def scratch() -> None:
    """The task's loss; "Scratch-E" in the paper."""
