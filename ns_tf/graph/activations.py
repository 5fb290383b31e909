"""What is known of the functions that layers take as `activation=`.

A function may read all channels of a pixel, as a softmax does. No channel can be
removed before such a function without changing the others. So only functions that are
known to work within a channel leave channels free: those of Keras named here. Of a
function of the user's nothing is known.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

# For t > 0, f(t x) = t f(x): a factor before it is the same factor behind it. Of relu6
# that holds up to its cap (`capped`); see `graph/gates.py`.
_SCALING = "linear relu relu6 leaky_relu".split()
_KEEPING_ZERO = [
    *_SCALING,
    *"celu elu gelu hard_shrink hard_silu hard_tanh mish selu silu".split(),
    *"soft_shrink softsign swish tanh tanh_shrink".split(),
    *"gelu_approximate quick_gelu".split(),  # KerasHub's.
]
_LIFTING_ZERO = (
    "exponential hard_sigmoid log_sigmoid sigmoid softplus sparse_plus sparse_sigmoid"
    " squareplus"
).split()
_MIXING = "glu log_softmax softmax sparsemax".split()
# Layers that may be given as an activation, as in `Conv2D(7, 3, activation=ReLU(6.0))`.
_LAYERS = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU)
_LIBRARIES = ("keras", "keras_hub", "tensorflow", "jax")


def name_of(activation: Callable | None) -> str:
    """What an activation is called: its function's name, else its class's.

    >>> name_of(keras.activations.relu), name_of(keras.layers.PReLU()), name_of(None)
    ('relu', 'PReLU', 'linear')

    Args:
        activation: As a layer holds it; None is linear.
    """
    if activation is None:
        return "linear"
    return getattr(activation, "__name__", type(activation).__name__)


def mixing(layer: keras.Operation, name: str = "activation") -> str | None:
    """Why a layer's activation may read several channels; None if it reads one.

    Args:
        layer: With or without an `activation`.
        name: Of the attribute that holds it.

    Returns:
        A reason that names the activation and the layer, for users.

    >>> mixing(keras.layers.Dense(3, activation="softmax", name="end"))
    "the softmax of 'end' mixes channels"
    >>> mixing(keras.layers.Dense(3, activation="relu"))
    """
    activation = getattr(layer, name, None)
    known = _known(activation)
    if type(activation) in _LAYERS or known in (*_KEEPING_ZERO, *_LIFTING_ZERO):
        return None
    what = "mixes channels" if known in _MIXING else "cannot be followed"
    return f"the {name_of(activation)} of {layer.name!r} {what}"


def keeps_zero(activation: Callable | None) -> bool:
    """Whether the activation maps each value by itself, and zero to zero.

    Args:
        activation: As a layer holds it; None is linear.

    Returns:
        False for an activation that is not known.

    >>> keeps_zero(keras.activations.relu), keeps_zero(keras.activations.sigmoid)
    (True, False)
    """
    if isinstance(activation, keras.layers.ReLU):
        return type(activation) in _LAYERS and float(activation.threshold) == 0
    return type(activation) in _LAYERS or _known(activation) in _KEEPING_ZERO


def scales(activation: Callable | None) -> bool:
    """Whether a positive factor before the activation is the same factor behind it.

    Args:
        activation: As a layer holds it; None is linear.

    Returns:
        False for an activation that is not known.

    >>> scales(keras.activations.relu), scales(keras.activations.silu)
    (True, False)
    """
    if isinstance(activation, keras.layers.ELU):
        return False
    if type(activation) in _LAYERS:
        return keeps_zero(activation)
    return _known(activation) in _SCALING


def capped(activation: Callable | None) -> bool:
    """Whether it is linear up to a cap: a factor before it changes what meets the cap.

    Args:
        activation: As a layer holds it, one that `scales`.

    >>> capped(keras.activations.relu6), capped(keras.layers.ReLU())
    (True, False)
    """
    if isinstance(activation, keras.layers.ReLU):
        return activation.max_value is not None
    return _known(activation) == "relu6"


def has_weights(activation: Callable | None) -> bool:
    """Whether it is a layer that has weights, or would get them at its first call.

    >>> has_weights(keras.layers.PReLU()), has_weights(keras.layers.ReLU())
    (True, False)

    Args:
        activation: As a layer holds it.
    """
    if not isinstance(activation, keras.layers.Layer):
        return False
    late = not activation.built and type(activation).build is not keras.Layer.build
    return late or bool(activation.weights)


def _known(activation: Callable | None) -> str | None:
    """The name of a function of Keras's or of the libraries that it computes with.

    None for others: a user's function may be called `relu` as well.
    """
    return name_of(activation) if of_library(activation) else None


def of_library(activation: Callable | None) -> bool:
    """Whether it is a function of Keras's, or of a library that Keras computes with.

    Keras makes its own function of such a one, by its name, when it copies a layer.
    """
    library = getattr(activation, "__module__", None) or ""
    return activation is None or library.partition(".")[0] in _LIBRARIES


@functools.lru_cache(maxsize=256)
def same(own: Callable, made: Any) -> bool:
    """Whether a function of a library is what Keras makes of it, by its name.

    Functions of one name may differ, as `keras.ops.gelu`, which is the approximate one
    unless it is told otherwise, and `keras.activations.gelu`.

    >>> same(keras.ops.relu, keras.activations.relu)
    True
    >>> same(keras.ops.gelu, keras.activations.gelu)
    False

    Args:
        own: The activation of a layer.
        made: That of a copy; None where its `build` will set it.

    Returns:
        False for functions of the user's.
    """
    if made is None or not of_library(own):
        return of_library(own)
    numbers = np.linspace(-7, 7, 28, dtype="float32").reshape(2, 14)
    try:
        one, other = (np.asarray(function(numbers)) for function in (own, made))
    except Exception:  # It is none, or of a library that computes nothing here.
        return False
    return one.shape == other.shape and np.allclose(one, other, rtol=0, atol=1e-5)
