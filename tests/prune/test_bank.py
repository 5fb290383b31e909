"""Gates beside the weights: one a channel, pinned, put into kernels."""

import numpy as np
import pytest
import tensorflow as tf

from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import as_it_is
from ns_tf.prune.bank import Bank, Noise
from ns_tf.prune.formulas import BankGates
from ns_tf.prune.sites import ChannelSites


class Falling(BankGates):
    """Every gate falls by its pull."""

    pinned = True

    def step(self, raw, slot, now):
        return raw - now.pull, slot + now.gradient

    def rescaled(self, slot, channels, factor):
        slot = slot.copy()
        slot[channels] /= factor
        return slot


def bank_of(model, formulas):
    structure = as_it_is(from_model(model, fixed=True))
    sites = ChannelSites(channel_graph(model), structure)
    slot = np.zeros(len(sites.graph.owner))
    return Bank(sites.network(model), sites, formulas, Runtime().execution, slot)


def test_a_common_factor_of_a_layer_is_taken_out_and_the_network_stays(
    handmade, randomise, float64
):
    """Norms follow b, which reads a; b is read by the logits, so these are scaled."""
    model = randomise(handmade["chain"]())
    bank = bank_of(model, Falling())
    groups = {group.name: group.channels for group in bank.sites.graph.groups}
    pull = np.full(len(bank.raw), 0.5)
    pull[groups["a"][0]] = 0.75
    before = weights.values(bank.network)
    bank.after(pull, pull, pull, 0.0)
    np.testing.assert_allclose(bank.raw[groups["a"]], [0.5, *[1.0] * 12])
    np.testing.assert_allclose(bank.left()[groups["a"]], [0.5, *[1.0] * 12])
    np.testing.assert_allclose(bank.raw[groups["b"]], 1.0)
    now = weights.values(bank.network)
    np.testing.assert_array_equal(now["b", "kernel"], before["b", "kernel"])
    logits = ("logits", "kernel")
    np.testing.assert_allclose(now[logits], 0.5 * before[logits])
    assert (bank.raw[groups["logits"]] == 1).all(), "what cannot go is not moved"
    bank.slot = np.ones(len(bank.raw))
    bank.after(pull, pull, pull, 0.0)  # a: 0.5 - 0.75, and 12 of 1 - 0.5.
    np.testing.assert_allclose(bank.slot[groups["a"]], 2.0)
    np.testing.assert_array_equal(bank.slot[groups["logits"]], 1.0)


def test_derivatives_are_kept_by_the_probe(handmade):
    bank = bank_of(handmade["chain"](), Falling())
    size = len(bank.raw)
    own = [object()]
    assert bank.probe(own, [np.arange(size + 1, dtype="float32")]) is own
    bank.after(np.zeros(size), np.zeros(size), np.zeros(size), 0.0)
    np.testing.assert_array_equal(bank.slot, np.arange(size))
    assert bank.alive().all()


def test_gates_of_the_step_are_those_of_the_forward_pass(
    handmade, randomise, rng, float64
):
    model = randomise(handmade["chain"]())
    bank, images = bank_of(model, Falling()), rng.normal(size=(3, 6, 7, 3))
    bank.raw = rng.uniform(0, 1, len(bank.raw))
    images = tf.constant(images)
    bank.before(np.ones(len(bank.raw)), 0.0)
    found = bank.forward(images, training=False)
    plain = model(images, training=False)
    assert not np.allclose(found, plain)
    weights.assign(model, bank.weights())
    np.testing.assert_allclose(found, model(images, training=False), atol=1e-10)


def test_its_state_is_what_it_goes_on_from(handmade, rng):
    bank = bank_of(handmade["chain"](), Falling())
    bank.raw, bank.slot = rng.random((2, len(bank.raw)))
    other = bank_of(handmade["chain"](), Falling())
    other.restore(bank.state())
    np.testing.assert_array_equal(other.raw, bank.raw)
    np.testing.assert_array_equal(other.slot, bank.slot)
    with pytest.raises(NotImplementedError):
        BankGates().step(bank.raw, bank.slot, None)


def test_noise_is_measured_on_the_way_and_restored():
    """Running means of squares, which the unit follows at a look alone."""
    noise = Noise(np.array([0.4, 1.0]), np.max)
    noise.add(np.array([2.0, 0.0]))
    np.testing.assert_allclose(noise.squares, [0.95 * 0.4 + 0.05 * 4, 0.95])
    assert noise.unit == 1.0
    noise.look()
    assert noise.unit == 0.95
    noise.add(np.array([9.0, 9.0]))
    again = Noise(np.zeros(2), np.max)
    again.restore(noise.state())
    assert again.unit == 0.95
    np.testing.assert_array_equal(again.squares, noise.squares)


def test_gates_are_of_the_type_of_the_weights_and_noise_is_the_same_in_blocks(
    handmade, rng
):
    assert bank_of(handmade["chain"](), Falling())._gates.dtype == "float32"
    squares, gradient = rng.random((2, 20_011))
    noise = Noise(squares, np.max)
    noise.add(gradient)
    expected = 0.95 * squares + (1 - 0.95) * gradient**2
    np.testing.assert_array_equal(noise.squares, expected)


def test_the_factor_of_a_layer_that_reads_itself_is_taken_out_once(
    handmade, randomise, rng, float64
):
    """Its kernel reads the channels that it makes, as in x + conv(x)."""
    bank = bank_of(randomise(handmade["shared"]()), Falling())
    bank.raw = np.where(bank.free, rng.uniform(0.3, 0.9, len(bank.raw)), 1.0)
    images, none = tf.constant(rng.normal(size=(3, 6, 7, 3))), np.zeros(len(bank.raw))
    bank.before(none, 0.0)
    expected, before = bank.forward(images, training=False), bank.raw
    bank.after(none, none, none, 0.0)
    bank.before(none, 0.0)
    assert (bank.raw[bank.free] > before[bank.free]).all()
    found = bank.forward(images, training=False)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
