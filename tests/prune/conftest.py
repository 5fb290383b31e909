"""What tests of pruning share."""

from unittest import mock

import pytest


@pytest.fixture(scope="module")
def curvatures_once():
    """A gating measures the curvatures of one network once, whatever it is of.

    They are of the network that has learned, so gatings that start from it share them.
    """
    from ns_tf.prune.by_gating import ByGating  # Late: few tests need it.

    measured, known = ByGating.curvature, {}

    def curvature(self):
        pruner = self.pruner
        images = pruner.config.proxy_images, pruner.config.proxy_batch, pruner.seed
        key = pruner.model, type(pruner), pruner.size, self._taught, images
        if key not in known:
            known[key] = measured(self)
        return known[key].copy()

    with mock.patch.object(ByGating, "curvature", curvature):
        yield
