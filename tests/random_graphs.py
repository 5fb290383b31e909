"""Small random networks, and the same networks with a factor on every leaving edge."""

import keras
import numpy as np
import tensorflow as tf

from ns_tf.graph import weights
from ns_tf.graph.channels import NONE
from ns_tf.graph.gates import Gates
from ns_tf.graph.rules import MAKE, STATISTICS
from ns_tf.graph.thin import rebuild, selection
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import take

layers, ops = keras.layers, keras.ops
IMAGE = (4, 5, 3)
SCALING = ("relu", "leaky_relu", "linear")
CURVED = ("silu", "gelu", "tanh", "elu", "sigmoid", "softplus", "softmax")


class Drawn:
    """Draws a network call by call; every tensor has the pixels of the image.

    Args:
        rng: Decides everything.
    """

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.image = keras.Input(IMAGE, name="image")
        self.tensors = [self.image]
        self.norms: list = []
        self.convolutions: list = []

    def model(self, calls: int = 14) -> keras.Model:
        """The network of so many calls; what nobody reads goes into the classifier."""
        draws = [self.convolve] * 4 + [self.normalise] * 4 + [self.activate] * 4
        draws += [self.join] * 3 + [self.concatenate] * 2 + [self.depthwise, self.pool]
        self.tensors.append(self.convolve(self.image))
        for _ in range(calls - 1):
            self.tensors.append(draws[self.rng.integers(len(draws))](self.some()))
        read = {id(t) for x in self.tensors[1:] for t in _reads(x)}
        ends = [x for x in self.tensors[1:] if id(x) not in read]
        x = layers.Concatenate()(ends) if len(ends) > 1 else ends[0]
        x = layers.GlobalAveragePooling2D()(x)
        return keras.Model(self.image, layers.Dense(5, name="logits")(x))

    def some(self):
        """One of the tensors, rather a late one."""
        late = self.tensors[-4:] if self.rng.random() < 0.7 else self.tensors
        return late[self.rng.integers(len(late))]

    def convolve(self, x):
        """A convolution, perhaps one that was called before."""
        fitting = [c for c in self.convolutions if c.kernel.shape[2] == x.shape[-1]]
        if fitting and self.rng.random() < 0.2:
            return fitting[0](x)
        activation = self.rng.choice([*SCALING, *CURVED]) if self.odd() else None
        width = int(self.rng.choice([4, 6]))
        self.convolutions.append(
            layers.Conv2D(width, 3, padding="same", activation=activation)
        )
        return self.convolutions[-1](x)

    def normalise(self, x):
        """A batch norm, perhaps one that was called before, or another norm."""
        if self.rng.random() < 0.15:
            return self.over_channels(x.shape[-1])(x)
        fitting = [n for n in self.norms if n.gamma.shape[0] == x.shape[-1]]
        if fitting and self.rng.random() < 0.2:
            return fitting[0](x)
        if self.odd():  # With `renorm` the order of the calls would matter.
            return layers.BatchNormalization(renorm=True)(x)
        self.norms.append(layers.BatchNormalization())
        return self.norms[-1](x)

    def over_channels(self, size: int):
        """A norm by statistics over channels."""
        kinds = ["LayerNormalization", "RMSNormalization", "GroupNormalization"]
        kind = str(self.rng.choice(kinds))
        return getattr(layers, kind)(*([2 - size % 2] if kind[:5] == "Group" else []))

    def activate(self, x):
        if self.rng.random() < 0.15:
            return self.compute(x)
        name = self.rng.choice(CURVED if self.odd() else SCALING)
        return layers.Activation(str(name))(x)

    def compute(self, x):
        """Operations on each channel, its order or its mean."""
        if x.shape[-1] % 2:
            return x * ops.sigmoid(x)
        half = (*x.shape[1:-1], 2, x.shape[-1] // 2)
        return [
            lambda: x * ops.sigmoid(x),
            lambda: 0.5 - x / 3.0,
            lambda: x * ops.sigmoid(ops.mean(x, axis=(1, 2), keepdims=True)),
            lambda: ops.multiply(*ops.split(ops.concatenate([x, x], -1), 2, -1)),
            lambda: layers.Reshape(x.shape[1:])(
                layers.Permute((1, 2, 4, 3))(layers.Reshape(half)(x))
            ),
            lambda: ops.maximum(x, layers.Conv2D(1, 1)(x)),
        ][self.rng.integers(6)]()

    def join(self, x):
        """Two tensors of one number of channels, added or multiplied."""
        others = [t for t in self.tensors[1:] if t.shape[-1] == x.shape[-1]]
        kinds = [layers.Add, layers.Add, layers.Multiply, layers.Maximum]
        kind = kinds[self.rng.integers(len(kinds))]
        if not others:
            return self.convolve(x)
        return kind()([x, others[self.rng.integers(len(others))]])

    def concatenate(self, x):
        return layers.Concatenate()([x, self.some()])

    def depthwise(self, x):
        """A depthwise convolution, or one of the other kinds."""
        width = int(self.rng.choice([4, 6]))
        if self.odd():
            return layers.SeparableConv2D(width, 3, padding="same")(x)
        if self.odd():
            groups = 2 - x.shape[-1] % 2
            return layers.Conv2D(width, 3, padding="same", groups=groups)(x)
        if self.odd():
            return layers.Conv2DTranspose(width, 3, padding="same")(x)
        return layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1)(x)

    def pool(self, x):
        return layers.MaxPooling2D(2, strides=1, padding="same")(x)

    def odd(self) -> bool:
        return bool(self.rng.random() < 0.25)


def _reads(x) -> list:
    """The tensors that made a tensor."""
    node = x._keras_history.operation._inbound_nodes[x._keras_history.node_index]
    return node.input_tensors


def stamp(model: keras.Model, rng: np.random.Generator) -> keras.Model:
    """Gives a model weights that are all different and keep signals in range."""
    for weight in model.weights:
        if "variance" in weight.name or "stddev" in weight.name:
            weight.assign(rng.uniform(0.5, 2, weight.shape))
        else:
            size = max(1, np.prod(weight.shape[:-1]))
            weight.assign(rng.normal(size=weight.shape) / np.sqrt(size))
    return model


class Factor(layers.Layer):
    """Multiplies channels by the factors of their numbers."""

    def __init__(self, factors: tf.Variable, numbers: np.ndarray, **options):
        super().__init__(**options)
        self.factors, self.numbers = factors, np.where(numbers == NONE, -1, numbers)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x):
        last = self.factors.shape[0] - 1  # That of what is no channel.
        places = np.where(self.numbers < 0, last, self.numbers)
        return x * tf.cast(tf.gather(self.factors, places), x.dtype)


class Weighing(layers.Layer):
    """A norm over channels, each channel counted as often as its factor says."""

    def __init__(self, norm, factors: tf.Variable, numbers: np.ndarray, **options):
        super().__init__(**options)
        self.norm, self.factor = norm, Factor(factors, numbers)

    def call(self, x):
        norm, weight = self.norm, self.factor(tf.ones_like(x))
        kind, rank = type(norm).__name__, len(x.shape)
        if kind in ("Max", "Min"):
            sign = 1 if kind == "Max" else -1
            open_ = tf.where(weight > 0, sign * x, x.dtype.min)
            return sign * tf.reduce_max(open_, -1, keepdims=norm.keepdims)
        if kind == "Mean":
            total = tf.reduce_sum(weight * x, -1, keepdims=norm.keepdims)
            return total / tf.reduce_sum(weight, -1, keepdims=norm.keepdims)
        gamma = getattr(norm, "gamma", None)
        gamma = getattr(norm, "scale", 1.0) if gamma is None else gamma
        beta = getattr(norm, "beta", None)
        groups = norm.groups if kind == "GroupNormalization" else 1
        axes = [*range(1, rank - 1), -1] if kind == "GroupNormalization" else [-1]
        blocks = [
            self.scaled(kind, one, many, axes, getattr(norm, "epsilon", 0.0))
            for one, many in zip(
                tf.split(x, groups, -1), tf.split(weight, groups, -1), strict=True
            )
        ]
        return tf.concat(blocks, -1) * gamma + (0.0 if beta is None else beta)

    @staticmethod
    def scaled(kind, x, weight, axes, epsilon):
        def total(y):
            return tf.reduce_sum(weight * y, axes, keepdims=True)

        count = total(tf.ones_like(x))
        if kind in ("UnitNormalization", "Normalize"):
            return x / tf.sqrt(total(x**2))
        if kind != "RMSNormalization":
            x = x - total(x) / count
        return x / tf.sqrt(total(x**2) / count + epsilon)


class Within(layers.Layer):
    """A layer with factors on the rows of the kernels that read what is within it."""

    def __init__(self, layer, rows, factors: tf.Variable, **options):
        super().__init__(**options)
        self.layer, self.rows, self.factors = layer, rows, factors
        self.built = True

    def call(self, *args, **kwargs):
        scaled: dict = {}
        for weight, axis, numbers in self.rows:
            shape = [1] * len(weight.shape)
            shape[axis] = -1
            factor = tf.reshape(tf.gather(self.factors, numbers), shape)
            value = scaled.get(id(weight), (weight, weight.value))[1]
            scaled[id(weight)] = weight, value * factor
        with keras.StatelessScope(state_mapping=list(scaled.values())):
            return self.layer(*args, **kwargs)


def rows_within(layer, graph) -> list[tuple]:
    """(weight, axis, numbers along it) where a layer reads channels that it makes.

    Of an attention the last kernel's heads and entries; queries stand for the products
    with keys. Sums of queries and keys are read by their weights.
    """
    called = weights.names(layer)
    if isinstance(layer, layers.AdditiveAttention):
        read = [(layer.scale, -1)]
    elif not hasattr(layer, "_output_dense"):
        read = [(w, -2) for w in layer.weights if w.name == "recurrent_kernel"]
        cells = getattr(getattr(layer, "cell", None), "cells", [])
        read += [(cell.kernel, -2) for cell in cells[1:]]
    else:
        last = layer._output_dense.kernel
        queries = [(weight, -1) for weight in layer._query_dense.weights]
        read = [(last, 0), (last, 1), *queries]
    return [
        (weight, axis, graph.axes[layer.name, called[id(weight)]][axis])
        for weight, axis in read
    ]


def with_factors(model: keras.Model, graph) -> tuple[keras.Model, tf.Variable]:
    """The same layers, with a factor on every edge by which a channel leaves.

    Those are inputs of layers that make channels, crossings, what products sum over,
    and what layers read of what they make. Norms over channels count each channel as
    often as its factor says.

    Returns:
        The model and the factors [channels + 1], all of them 1; the last is that of
        what is no channel.
    """
    factors = tf.Variable(np.ones(len(graph.owner) + 1))
    calls: dict = {}
    for call in graph.calls:
        calls.setdefault(call.name, []).append(call)
    copies: dict = {}

    def called(layer, *args, **kwargs):
        arguments = keras.tree.flatten((args, kwargs))
        tensors = [x for x in arguments if isinstance(x, keras.KerasTensor)]
        fitting = [  # Several if a layer is called twice on one tensor.
            call
            for call in calls[layer.name]
            if all(
                tensor in copies.get(id(x), (x, {tensor}))[1]
                for x, tensor in zip(tensors, call.inputs, strict=True)
            )
        ]
        call = fitting[0]
        places = iter(range(len(tensors)))

        def edge(x):
            if not isinstance(x, keras.KerasTensor):
                return x
            place = next(places)
            makes = call.kind == MAKE and place not in call.joins
            if makes or place in (*call.crossing, *call.reads):
                return Factor(factors, graph.channels[call.inputs[place]])(x)
            return x

        if call.kind == STATISTICS:
            layer = Weighing(layer, factors, graph.channels[call.inputs[0]])
        elif call.gates is not None:
            layer = Within(layer, rows_within(layer, graph), factors)
        args, kwargs = keras.tree.map_structure(edge, (args, kwargs))
        output = layer(*args, **kwargs)
        for number, one in enumerate(keras.tree.flatten(output)):
            names = {(*fit.output[:2], number) for fit in fitting}
            copies[id(one)] = (one, names)
        return output

    copy = keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=called
    )
    return copy, factors


def assert_removing_is_zeroing(model: keras.Model, rng: np.random.Generator) -> None:
    """Thins a fifth of the free channels, and compares with zeros where they are read.

    Args:
        model: In float64; of every free group some channels go.
        rng: Draws channels and inputs.
    """
    graph = channel_graph(model)
    keep = rng.random(len(graph.owner)) < 0.8
    for group in graph.groups:
        keep[group.channels[:2]] = [True, False][: group.size]
    keep |= graph.frozen
    whole, factors = with_factors(model, graph)
    thin, extra = rebuild(model, graph, keep, Gates((), {}))
    arrays = weights.values(model)
    for key, weight in weights.weights(thin).items():
        if key in arrays:
            weight.assign(weights.thinned(arrays[key], key, graph, keep))
        else:
            weight.assign(take(selection(len(extra[key][-1])), extra[key], keep))
    factors.assign(np.append(keep, 1.0))
    inputs = rng.normal(size=(5, *model.input_shape[1:]))
    if not keras.backend.is_float_dtype(model.inputs[0].dtype):
        inputs = rng.integers(0, 9, inputs.shape)
    for training in (False, True):
        expected = np.array(whole(inputs, training=training))
        found = np.array(thin(inputs, training=training))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
