"""A network with epitomes in a file: checked first, then written."""

import dataclasses
import os

import keras

from ns_tf.base import InputError
from ns_tf.condense.config import FITTED, REDUCED, CondenseConfig
from ns_tf.condense.epitomes import costs_of, counted, epitomise
from ns_tf.data.config import image_shape
from ns_tf.graph.shapes import of_lengths
from ns_tf.networks import architectures, from_model
from ns_tf.networks.layers import EpitomeLayer
from ns_tf.networks.python_models import save_model
from ns_tf.render import tables
from ns_tf.run.paths import as_path, check_output


@dataclasses.dataclass(frozen=True, eq=False)
class Condensed:
    """What was made of a network.

    Args:
        whole: The network as it was.
        small: With epitomes.
    """

    whole: keras.Model
    small: keras.Model

    def __str__(self) -> str:
        """A line for each layer, and the costs of both networks."""
        found = [one for one in self.small.layers if isinstance(one, EpitomeLayer)]
        layers = [
            [one.name, _text(one.how.kernel), _text(one.how.epitome)] for one in found
        ]
        whole, small = (
            costs_of(counted(model), REDUCED) for model in (self.whole, self.small)
        )
        costs = [[name, f"{whole[name]:,}", f"{small[name]:,}"] for name in REDUCED]
        return "\n\n".join(
            [
                tables.plain(["layer", "kernel", "epitome"], layers, align="<"),
                tables.plain(["", "before", "after"], costs, align=">"),
            ]
        )


def _text(shape: tuple[int, ...]) -> str:
    """A shape for people.

    >>> _text((3, 3, 32, 64))
    '3x3x32x64'
    """
    return "x".join(map(str, shape))


def condense(config: CondenseConfig) -> Condensed:
    """Makes the network and writes its file.

    Args:
        config: Which network, which budgets, which file.

    Raises:
        InputError: what was asked for cannot be done; nothing was written.
    """
    check_output(config.out, "out")
    if os.path.realpath(config.out) == os.path.realpath(config.model):
        raise InputError(
            f"--out={config.out} is --model itself, whose weights would be lost. Give "
            "another --out."
        )
    keras.utils.set_random_seed(config.seed)
    whole = _network(config)
    small = epitomise(
        whole,
        sampling=config.sampling,
        where=config.where,
        front=config.front,
        start=config.start,
        **config.targets,
    )
    save_model(small, as_path(config.out, "out"))
    return Condensed(whole, small)


def _network(config: CondenseConfig) -> keras.Model:
    """The network that is named.

    Raises:
        InputError: there is none, or what was given does not go with it.
    """
    if not _is_file(config.model):
        if config.start == FITTED:
            raise InputError(
                "--start=fitted reads trained kernels, and an architecture has none: "
                "give --model=FILE.keras."
            )
        return architectures.get(config.model).build(
            config.widths or None,
            input_shape=image_shape(config.input_shape),
            classes=config.classes,
        )
    if config.widths:
        raise InputError("--widths are of architectures; a file has its own.")
    if config.classes != CondenseConfig.classes:
        raise InputError("--classes are of architectures; a file has its own.")
    return of_lengths(from_model.read(config.model), config.input_shape)


def _is_file(model: str) -> bool:
    """Whether a model is one of a file; a name of an architecture is that first."""
    known = model.partition("(")[0] in architectures.ARCHITECTURES.names()
    return model.endswith(".keras") or (not known and os.path.exists(model))
