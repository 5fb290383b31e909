"""Names of the layers of models within a model, in one graph of them all."""

import collections
from collections.abc import Callable, Collection, Iterable, Iterator

import keras

GraphOf = Callable[[keras.Operation], keras.Model | None]


def names(model: keras.Model, graph_of: GraphOf) -> dict[int, str]:
    """id of every operation of a model and of those within -> its name in one graph.

    A name that several have is put behind those of the models that it is in. What has a
    graph gets a name as well: it stays one layer if a layer within cannot be copied.

    Args:
        model: The outermost one, functional.
        graph_of: What is within an operation; None if nothing is.
    """
    within = list(_within(model, graph_of))
    layers = _by_id(one for one in within if not graph_of(one[1]))
    models = _by_id(one for one in within if graph_of(one[1]))
    found: dict[int, str] = {}
    taken = {operation.name for _, operation in layers.values()}
    for some in (layers, models):
        count = collections.Counter(operation.name for _, operation in some.values())
        # Operations of the outermost model first: they keep their names.
        for key, (path, one) in sorted(some.items(), key=lambda item: item[1][0]):
            alone = count[one.name] == 1 and (some is layers or one.name not in taken)
            keeps = alone or (some is layers and not path)
            found[key] = one.name if keeps else _unused((*path, one.name), taken)
            taken.add(found[key])
    return found


def _unused(path: tuple[str, ...], taken: Collection[str]) -> str:
    """A name for what is within models, that nothing else has.

    >>> _unused(("left", "conv"), {"conv", "left_conv"})
    'left_conv_'
    """
    name = "_".join(path)
    while name in taken:
        name += "_"
    return name


def _by_id(found: Iterable) -> dict[int, tuple[tuple[str, ...], keras.Operation]]:
    """By the ids of operations: where each was found last, and itself."""
    return {id(operation): (path, operation) for path, operation in found}


def _within(
    model: keras.Model, graph_of: GraphOf, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], keras.Operation]]:
    """(models that it is in, operation) for all operations.

    The inputs of models within are left out: they become no layers.
    """
    for operation in model.operations:
        graph = graph_of(operation)
        if not (path and isinstance(operation, keras.layers.InputLayer)):
            yield path, operation
        if graph:
            yield from _within(graph, graph_of, (*path, operation.name))
