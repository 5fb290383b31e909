"""Networks as functions of their widths: one file a family, `get(name)` finds one.

A builder is decorated with its default widths::

    @architecture("vgg11", widths=(64, 128, 256, 256, 512, 512, 512, 512))
    def vgg11(widths, *, input_shape, classes):
        ...
        return keras.Model(image, logits, name="vgg11")

Further keyword arguments are options, given as `--architecture="name(option=value)"`.
Every network has the option `ratio`: its default widths are that part of the builder's.
Every layer has a name that is the same at all widths.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ns_tf.base import Architecture, InputError
from ns_tf.networks.ratio import floor_ratio
from ns_tf.registry import Registry, parse_call, unknown
from ns_tf.run.checks import LARGEST_RATIO, is_positive

if TYPE_CHECKING:
    import keras

# The shortcut of a residual block where an identity is possible.
IDENTITY, CONVOLUTION = "identity", "convolution"

# (widths, *, input_shape, classes) -> the network.
Builder = Callable[..., "keras.Model"]
ARCHITECTURES = Registry("architecture", __name__)


def architecture(name: str, *, widths: Sequence[int]) -> Callable[[Builder], Builder]:
    """Decorator: registers a builder under `name` with its default widths.

    Args:
        name: On the command line.
        widths: [layers] the default widths.

    Returns:
        The decorator; it returns the builder unchanged.

    Raises:
        ValueError: the name is taken.
    """

    def add(builder: Builder) -> Builder:
        ARCHITECTURES.register(name)(Architecture(name, tuple(widths), builder))
        return builder

    return add


def get(text: str, *, fixed: bool = False) -> Architecture:
    """The architecture of that name.

    Args:
        text: "name", "name(option=value)" with options of the builder or `ratio` times
            its default widths, or "keras:/path" for a saved `.keras` model.
        fixed: Whether a model without a free width is taken as well
            (`ns_tf.networks.from_model.from_model`).

    Returns:
        The architecture; options are part of its name.

    Raises:
        InputError: no such architecture (suggests the nearest), no such option, a ratio
            out of range, or no such file.
    """
    if text.startswith("keras:"):
        from ns_tf.networks import from_model

        return from_model.load(text.removeprefix("keras:"), fixed=fixed)
    name, options = parse_call(text)
    registered = ARCHITECTURES.get(name)
    parameters = inspect.signature(registered.builder).parameters
    known = set(parameters) - {"widths", "input_shape", "classes"} | {"ratio"}
    for option in options:
        if option not in known:
            raise unknown(f"option of {name}", option, known)
    if not options:
        return registered
    widths = floor_ratio(registered.widths, _checked(options.pop("ratio", 1)))
    builder = functools.partial(registered.builder, **options)
    return Architecture(text, widths, builder)


def _checked(ratio: float) -> float:
    """The ratio, if it is above 0 and no typing error."""
    if not is_positive(ratio) or ratio > LARGEST_RATIO:
        raise InputError(
            f"ratio is a number above 0 and at most {LARGEST_RATIO}, such as 0.25; "
            f"got {ratio!r}."
        )
    return ratio


def check_stride(name: str, value: int) -> None:
    """Checks a builder's stride option.

    Args:
        name: Of the option.
        value: What was asked for.

    Raises:
        InputError: it is not 1 or 2.
    """
    if type(value) is not int or value not in (1, 2):
        raise InputError(f"{name} is a stride, 1 or 2; got {value!r}.")


def check_shortcuts(value: str) -> None:
    """Checks a builder's option `shortcuts`.

    Raises:
        InputError: it is not "identity" or "convolution".
    """
    if value not in (IDENTITY, CONVOLUTION):
        raise InputError(
            f"shortcuts are {IDENTITY!r} or {CONVOLUTION!r}; got {value!r}."
        )
