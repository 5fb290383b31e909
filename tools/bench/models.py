"""Which models can be pruned, how much of them, and whether what is left is exact.

python tools/bench/models.py --families=applications --image=96

builds every model of `keras.applications` with random weights, each in a process of its
own, and prints a row of Markdown for it:

* widths: how many can be chosen.
* reachable: the share of the entries of convolution, dense and attention kernels that a
  width makes longer or shorter.
* exact: a third of the removable channels removed at random, in float64. The largest
  difference from the whole network with the gates of these channels closed, as a share
  of the largest output.
* counts: whether parameters at other widths are what their polynomial says.
* seconds: of the processor, from the model to its structure.
* MiB: how much memory that took beside the model, as a multiple of the model's own.

A model that is refused has a row with the sentence.
"""

import concurrent.futures
import dataclasses
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator

from ns_tf import cli
from ns_tf.run.option import option


@dataclasses.dataclass(frozen=True)
class ModelsConfig:
    """Which models."""

    families: tuple[str, ...] = option(
        ("applications",), "applications (keras.applications), hub (keras-hub)."
    )
    models: tuple[str, ...] = option((), "Names; all of the families if none is given.")
    image: int = option(96, "Pixels of a side of the image, at least a model's own.")
    minutes: float = option(10.0, "After which a model is given up.")


@dataclasses.dataclass(frozen=True)
class Row:
    """What was found of a model.

    Attributes:
        name: Of the model.
        widths: How many widths are free.
        reachable: Share of the entries of kernels that widths change.
        error: Largest difference after a removal, relative to the largest output.
        counted: Whether the number of parameters at other widths was foretold.
        seconds: Of the processor, for the structure.
        memory: Memory that this took, over that of the model's weights.
        refused: Why there is nothing else.
    """

    name: str
    widths: int = 0
    reachable: float = 0.0
    error: float = 0.0
    counted: bool = False
    seconds: float = 0.0
    memory: float = 0.0
    refused: str = ""

    def text(self) -> str:
        """A line of the table."""
        if self.refused:
            return f"| {self.name} | - | - | - | - | - | {self.refused} |"
        cells = [
            self.name,
            str(self.widths),
            f"{self.reachable:.1%}",
            f"{self.error:.0e}",
            "yes" if self.counted else "no",
            f"{self.seconds:.1f}",
            f"{self.memory:.1f}",
        ]
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| model | widths | reachable | exact to | counts | seconds | memory |",
    "|---|---|---|---|---|---|---|",
)


def main(config: ModelsConfig) -> None:
    """Prints the table, a row as soon as it is known."""
    for line in HEAD:
        print(line, flush=True)
    for name, family in listed(config):
        print(apart(family, name, config).text(), flush=True)


def listed(config: ModelsConfig) -> Iterator[tuple[str, str]]:
    """(model, family) of all that were asked for."""
    cli.quiet_tensorflow()
    for family in config.families:
        for name in sorted(_makers(family)):
            if not config.models or name in config.models:
                yield name, family


def apart(family: str, name: str, config: ModelsConfig) -> Row:
    """The row of a model, from a process that ends with it."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        found = pool.submit(row, family, name, config.image)
        try:
            return found.result(timeout=60 * config.minutes)
        except concurrent.futures.TimeoutError:
            for process in pool._processes.values():
                process.kill()
            return Row(name, refused=f"given up after {config.minutes:g} minutes")
        except concurrent.futures.process.BrokenProcessPool:
            return Row(name, refused="out of memory")


def row(family: str, name: str, image: int) -> Row:
    """The row of one model; called in a process of its own."""
    cli.quiet_tensorflow()
    import keras

    from ns_tf.base import InputError

    make = _makers(family)[name]
    keras.config.set_dtype_policy("float64")
    try:
        return measured(name, make(image))
    except InputError as error:
        return Row(name, refused=str(error))
    except Exception as error:  # What nobody should see is in the table too.
        return Row(name, refused=f"**error**: {error!r}".replace("\n", " "))


def measured(name: str, model) -> Row:
    """The row of a model.

    Raises:
        InputError: it is refused.
    """
    import numpy as np

    from ns_tf.networks.from_model import from_model
    from ns_tf.networks.structure import analyse, count_params, shapes_only

    own = sum(int(np.prod(weight.shape)) for weight in model.weights) * 8
    clock, memory = time.process_time(), _peak()
    found = from_model(model)
    shape = tuple(model.inputs[0].shape[1:])
    structure = analyse(found, shape, model.outputs[0].shape[-1])
    seconds, taken = time.process_time() - clock, _peak() - memory
    widths = np.maximum(1, np.array(found.widths) * 2 // 3)
    built = count_params(shapes_only(structure.build, widths.tolist()))
    return Row(
        name,
        widths=len(found.widths),
        reachable=reachable(found.source),
        error=removal_error(found.source),
        counted=int(structure.params(widths)) == built,
        seconds=seconds,
        memory=taken / own,
    )


def reachable(model) -> float:
    """The share of entries of kernels that some free channel indexes."""
    import numpy as np

    from ns_tf.graph.channels import NONE
    from ns_tf.graph.walk import channel_graph
    from ns_tf.graph.weights import weights

    graph = channel_graph(model)
    free = np.append(~graph.frozen, False)  # NONE is -1: the appended entry.
    entries = {True: 0, False: 0}
    for key, weight in weights(model).items():
        if "kernel" not in weight.name or len(weight.shape) < 2:
            continue
        axes = [axis for axis in graph.axes.get(key, ()) if axis is not None]
        reached = any(free[axis[axis != NONE]].any() for axis in axes)
        entries[reached] += int(np.prod(weight.shape))
    return entries[True] / max(1, sum(entries.values()))


def removal_error(model, images: int = 2) -> float:
    """How far a network without a third of its channels is from the masked one."""
    import numpy as np

    from ns_tf.graph import weights
    from ns_tf.graph.gated import GatedNetwork
    from ns_tf.graph.gates import Gates
    from ns_tf.graph.thin import rebuild
    from ns_tf.graph.walk import channel_graph

    rng = np.random.default_rng(0)
    stamp(model, rng)
    graph = channel_graph(model)
    keep = rng.random(len(graph.owner)) < 2 / 3
    for group in graph.groups:
        keep[group.channels[0]] = True
    keep |= graph.frozen
    thin, extra = rebuild(model, graph, keep, Gates((), {}))
    arrays = weights.values(model)
    for key, weight in weights.weights(thin).items():
        if key in extra:
            weight.assign(weights.take(arrays[key], extra[key], keep))
        else:
            weight.assign(weights.thinned(arrays[key], key, graph, keep))
    gated = GatedNetwork(model, graph)
    x = rng.uniform(0, 5, (images, *model.inputs[0].shape[1:]))
    x = x.astype(model.inputs[0].dtype)  # Tokens are whole numbers.
    expected = np.asarray(gated.model([x, gated.rows(images, keep)]))
    return float(np.abs(np.asarray(thin(x)) - expected).max() / np.abs(expected).max())


def stamp(model, rng) -> None:
    """Weights that are all different and keep signals in range."""
    import numpy as np

    for weight in model.weights:
        if "variance" in weight.name or weight.name == "gamma":
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        else:
            size = max(1, np.prod(weight.shape[:-1]))
            weight.assign(rng.normal(size=weight.shape) / np.sqrt(size))


def _peak() -> int:
    """The most bytes that this process has taken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _makers(family: str) -> dict[str, Callable]:
    """Model -> what makes it of a number of pixels."""
    import hub

    return {"applications": _applications, "hub": hub.makers}[family]()


def _applications() -> dict[str, Callable]:
    """The constructors of `keras.applications`, for 10 classes and random weights."""
    import keras

    def maker(constructor):
        def make(image: int):
            return constructor(weights=None, input_shape=(image, image, 3), classes=10)

        return make

    names = [name for name in dir(keras.applications) if name[0].isupper()]
    return {name: maker(getattr(keras.applications, name)) for name in names}


if __name__ == "__main__":
    cli.run(main, ModelsConfig)
