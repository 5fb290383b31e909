"""Times that are measured elsewhere: models to run there, and a table to fill in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.measure.fitting import Times, check_monotone
from ns_tf.measure.runtimes import DeviceRuntime
from ns_tf.measure.survey import Survey
from ns_tf.run import files
from ns_tf.run.watch import Watch

TABLE = "times.csv"
HEADER = ("model", "about", "ms", "spread")
_EMPTY = "empty"
_REMEDY = (
    "Give the table that --write_models wrote, filled in, with commas and in UTF-8."
)


def empty_network() -> keras.Model:
    """A network that does next to nothing: what a pass takes beside its layers."""
    inputs = keras.Input((1,))
    return keras.Model(inputs, keras.layers.ReLU(name="relu")(inputs), name="empty")


def models(
    survey: Survey, batch: int
) -> Iterator[tuple[str, str, Callable[[], keras.Model]]]:
    """(name, about, how it is built) of every model that is measured.

    Names begin with a digest of the survey and the batch, so that times of another
    network or of other passes are recognised.

    Args:
        survey: What is measured.
        batch: Examples in one pass.
    """
    digest = f"{survey.digest}_batch{batch}"
    yield f"{digest}_{_EMPTY}", "what a pass takes beside its layers", empty_network
    for place, shape in enumerate(survey.shapes):
        for reads, makes in shape.points:
            name = f"{digest}_shape{place:02d}_{reads}_{makes}"
            about = f"{shape.unit.about}; reads {reads}, makes {makes}"
            yield name, about, lambda s=shape, r=reads, m=makes: s.unit.built(r, m)
    for place, widths in enumerate(survey.networks):
        about = f"the network of widths {' '.join(map(str, widths))}"
        name = f"{digest}_network{place:02d}"
        yield name, about, lambda w=widths: survey.structure.build(w)


def write(
    survey: Survey,
    runtime: DeviceRuntime,
    batch: int,
    folder: str | Path,
    watch: Watch | None = None,
) -> Path:
    """Writes every model and the table to fill in.

    Models that are there already are not written again; the table comes last.

    Args:
        survey: What is measured.
        runtime: Whose files they are.
        batch: Examples in one pass.
        folder: Where they go; made if there is none.
        watch: Shows progress, lets it stop.

    Returns:
        The path of the table. Its column `ms` is empty; `spread` may stay so.

    Raises:
        InputError: the runtime has no files, or the table is there and may be filled.
    """
    if runtime.written is None:
        raise InputError(
            f"--runtime={runtime.name} runs no files; give --runtime=litert or onnx."
        )
    folder, watch = Path(folder), watch or Watch()
    table = folder / TABLE
    if table.exists():
        raise InputError(f"{table} is there already. Give another --write_models.")
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    with watch.bar(survey.count + 1, label="write", unit="models") as bar:
        for name, about, build in models(survey, batch):
            path = folder / f"{name}{runtime.suffix}"
            if not path.exists():
                with files.replacing(path) as file:
                    file.write(runtime.file(build(), batch))
            rows.append((path.name, about, "", ""))
            bar.update(1)
            watch.stop.leave()
    files.write_csv(table, HEADER, rows, sealed=False)  # A person fills it in.
    return table


def read(
    survey: Survey, runtime: DeviceRuntime, batch: int, path: str | Path
) -> tuple[list[Times], list[float], float]:
    """The times of a table that was filled in.

    Args:
        survey: What was measured.
        runtime: Whose files were run.
        batch: Examples in one pass.
        path: Of the table: milliseconds of a pass and, where known, half of the
            distance between the quartiles (or a standard deviation).

    Returns:
        Times of every layer shape, of whole networks, and of the empty network, in ms.

    Raises:
        InputError: another network's or runtime's, a hole, a time that is none, or
            times that fall where a layer grows by more than noise explains.
    """
    found = _rows(path, runtime.suffix or "")
    wanted = [name for name, _, _ in models(survey, batch)]
    foreign = sorted(found.keys() - set(wanted))
    if foreign:
        raise InputError(
            f"{path} has times of another network, or of other --runtime, --batch, "
            f"--step, --points, --up_to or --networks: {foreign[0]} is no model of "
            "this one. Give the flags with which the models were written."
        )
    holes = [name for name in wanted if name not in found]
    if holes:
        raise InputError(
            f"{path} has holes: {len(holes)} of {len(wanted)} models have no ms, the "
            f"first is {holes[0]}. Fill in all of them."
        )
    ms, spread = np.array([found[name] for name in wanted]).T
    empty, place, times = float(ms[0]), 1, []
    for shape in survey.shapes:
        part = slice(place, place + len(shape.points))
        one = Times.of(shape, ms[None, part], spread[None, part], [empty])
        check_monotone(shape, one, str(path))
        times.append(one)
        place = part.stop
    return times, ms[place:].tolist(), empty


def _rows(path: str | Path, suffix: str) -> Mapping[str, tuple[float, float]]:
    """(ms, spread) of every model that has a time; several rows give their median.

    Args:
        path: Of the table.
        suffix: Of the models' files, which rows may leave out. Files of other runtimes
            keep theirs, and so are no models that were asked for.

    Raises:
        InputError: no such table, or a value that is no time.
    """
    header, rows = files.read_csv(
        path, what="table of times", remedy=_REMEDY, edited=True
    )
    if tuple(header) != HEADER:
        raise InputError(
            f"{path} has columns {', '.join(header)}; expected {', '.join(HEADER)}."
        )
    found: dict[str, list[tuple[float, float]]] = {}
    for number, (model, _, ms, spread) in enumerate(rows, 2):
        if ms == "":
            continue
        values = (ms, 0.0 if spread == "" else spread)
        if not all(_is_time(value) for value in values) or ms == 0:
            raise InputError(
                f"{path}, row {number}: expected milliseconds above 0 and a spread of "
                f"at least 0; got {ms!r} and {spread!r}."
            )
        name = str(model).removesuffix(suffix)
        found.setdefault(name, []).append(values)
    return {name: _median(values) for name, values in found.items()}


def _is_time(value: object) -> bool:
    """Whether a cell is a finite number of at least 0."""
    return isinstance(value, (int, float)) and 0 <= value < np.inf


def _median(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Median of the times, and the larger of their spread and that of each."""
    ms, spread = np.array(values, float).T
    low, middle, high = np.percentile(ms, [25, 50, 75])
    return float(middle), float(max((high - low) / 2, spread.max()))
