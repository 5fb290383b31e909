"""How long the layers of a network take on this machine, from Python."""

from pathlib import Path
from typing import Any

from ns_tf.api.searches import Search
from ns_tf.descend.work import configure
from ns_tf.devices.device import Device
from ns_tf.measure import network, runtimes
from ns_tf.measure.config import MeasureConfig
from ns_tf.measure.work import Measuring
from ns_tf.run.folder import DEVICE
from ns_tf.run.progress import Meter, Quiet
from ns_tf.run.stop import Stop
from ns_tf.run.watch import Watch


def measured(
    model: Any,
    out: str | Path = DEVICE,
    *,
    progress: Meter | None = None,
    stop: Stop | None = None,
    **options: Any,
) -> Device:
    """Measures how long a network's layers take, at many widths.

    Args:
        model: A search (`ns_tf.search`, `ns_tf.load`), a Keras model, the path of a
            `.keras` file, an `Architecture` or its name.
        out: The device file. The same call goes on after a kill, and reads the file
            once it is there.
        progress: `ns_tf.Progress()` shows how far it has come.
        stop: Asked after every layer shape whether to stop.
        **options: Fields of `ns_tf.measure.config.MeasureConfig`: `runtime="litert"`,
            `threads=1`, `batch=1`, `up_to=1.5`, `import_="times.csv"`; of an
            architecture `input_shape` and `classes`; `input_shape` of a model that
            leaves lengths open.

    Returns:
        The device. `search.plan(latency_ms=5, device=...)` takes it, or its file.

    Raises:
        InputError: what was asked for cannot be measured, in one line.
    """
    named = {"model": str(model), "write_models": None, "out": str(out)}
    config = configure((MeasureConfig,), named, options)[MeasureConfig]
    runtimes.get(config.runtime).begin(config.threads)
    if isinstance(model, Search):
        found = network.of_search(model.record, model.architecture, config.up_to)
    else:
        shape = config.input_shape, config.classes
        found = network.of_model(model, config.up_to, *shape)
    work = Measuring(*found, config, out)
    return work.run(Watch(progress or Quiet(), stop or Stop()))
