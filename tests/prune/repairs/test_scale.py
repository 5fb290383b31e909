"""One factor a channel: never worse than one."""

import numpy as np
from trained import noise_images, pruner

from ns_tf.prune import repairs
from ns_tf.prune.rebuilt import Rebuilt
from ns_tf.prune.regression import Normal
from ns_tf.prune.trained import cut


def test_the_first_reader_comes_nearer_to_the_whole_network(handmade, randomise, rng):
    """scale below nothing, and least_squares below scale: it may do more."""
    model, dataset = randomise(handmade["flatten"]()), noise_images(rng)
    made = pruner(model, dataset, method="magnitude", macs=0.5)
    scores = made.score()
    keep = made.chosen(scores, made.solve(scores).widths)
    errors = {}
    for repair in ("none", "scale", "least_squares"):
        small = cut(model, made.problem.structure, keep)
        case = repairs.Cut(model, made.graph, keep, small, made.proxy(50))
        for one in repairs.parse(repair):
            one.apply(case)
        rebuilt = Rebuilt(case)
        reader = rebuilt.readers[0]
        kernel = rebuilt.kernel(reader)
        normal = Normal.of(rebuilt.pairs(reader))
        errors[repair] = normal.error(kernel.reshape(-1, kernel.shape[-1]))
        sums = Normal.of(rebuilt.contributions(reader))
        errors[repair, "sums"] = sums.error(np.ones((kernel.shape[1], 1)))
    assert errors["scale", "sums"] <= errors["none", "sums"] * (1 + 1e-6)
    assert errors["least_squares"] <= errors["none"] * (1 + 1e-6)
    assert errors["least_squares"] <= errors["scale"] * (1 + 1e-6)
