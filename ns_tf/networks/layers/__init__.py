"""Layers in place of Keras's: kernels that are made of fewer numbers."""

from ns_tf.networks.layers import rules  # noqa: F401  It registers theirs.
from ns_tf.networks.layers.base import EpitomeLayer
from ns_tf.networks.layers.epitomes import EpitomeConv1D, EpitomeConv2D, EpitomeDense

__all__ = ["EpitomeConv1D", "EpitomeConv2D", "EpitomeDense", "EpitomeLayer"]
