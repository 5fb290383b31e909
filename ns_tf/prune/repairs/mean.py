"""What went is replaced by its mean."""

from ns_tf.graph.weights import stays
from ns_tf.prune.readers import readers
from ns_tf.prune.rebuilt import Rebuilt, no_offset, norm_behind, norms_behind
from ns_tf.prune.repairs import Cut, repair
from ns_tf.prune.scoring import ScoredNetwork


def check(network: ScoredNetwork) -> None:
    """Refuses a network in which a reader of channels that may go has no offset.

    Args:
        network: Of its channels those that are asked for may go.

    Raises:
        InputError: there is one; names the layer.
    """
    norms = norms_behind(network.graph)
    for reader in readers(network.graph):
        layer = network.model.get_layer(reader.layer)
        reads = not stays(reader.reads, ~network.wanted).all()
        if reads and not layer.use_bias and norm_behind(layer, norms) is None:
            raise no_offset(reader.layer)


@repair(
    "mean", help="Adds the mean of what went to the layers that read it.", check=check
)
def mean(cut: Cut) -> None:
    """The offset of every reader grows by sum_c E[x_c] sum_window K[., c, :].

    The sum is over the channels c that went, and E over images and pixels of the whole
    network. It is exact for channels that are constant, away from the border: with
    E[x_c] = 0.7 and K = [2, -1] it is [1.4, -0.7].

    Args:
        cut: Its readers need an offset: a bias, or a batch norm behind them.

    Raises:
        InputError: a reader has neither; names the layer.
    """
    rebuilt = Rebuilt(cut)
    for reader in rebuilt.readers:
        kernel = rebuilt.whole_kernel(reader)  # [window, inputs, filters]
        gone = ~stays(reader.reads, cut.keep)
        means = rebuilt.whole.means(reader)
        more = means[gone] @ kernel[:, gone].sum(axis=0)
        rebuilt.move_offset(reader, more, needed=True)
    rebuilt.finish()
