"""The same widths from fresh weights, at equal cost (Liu et al., ICLR 2019)."""

from ns_tf.train.recipes import recipe


@recipe(
    "scratch_b",
    help="From fresh weights, for the multiply-adds that the whole network would take.",
    fresh=True,
    rate=0.1,
    equal_cost=True,
)
def scratch_b() -> None:
    """The task's loss; "Scratch-B": epochs times whole over pruned multiply-adds."""
