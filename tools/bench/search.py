"""What pruning takes: masked, rebuilt at every removal, and the way of ns_tf.

Masked is a network of Keras's layers at full size. "never" is ns_tf with
--rebuild=never: as well at full size, at the speed of its own steps.

python tools/bench/search.py --network=vgg11 --out=runs/bench/search_vgg11.jsonl

All do the same removals, taking turns in one run. ns_tf does every event of the paper's
schedule and decides what goes; the others follow at every --sample-th event. Of the
--nominal_steps training steps between two events --steps are run, and stand for all.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import lockstep
import table

from ns_tf import cli
from ns_tf.networks import architectures
from ns_tf.run.checks import at_least
from ns_tf.run.option import option
from ns_tf.run.progress import Progress


@dataclasses.dataclass(frozen=True)
class BenchConfig:
    """What is pruned."""

    network: str = option("vgg11", "An architecture.")
    ratio: float = option(1.0, "Times its default widths.")
    batch: int = option(64, "Images a step; the paper's 256 make steps 4 times longer.")
    steps: int = option(2, "Training steps that are run between two removals.")
    nominal_steps: int = option(50, "How many they stand for.")
    filters: int = option(10, "Filters removed at once.")
    pretrain: int = option(100, "Training steps of ns_tf before the first removal.")
    sample: int = option(10, "The other ways do every so many-th event.")
    dataset: str = option("", "A data set's name; noise of CIFAR's shape if empty.")
    data_dir: str | None = option(None, "Where TFDS data sets are prepared.")
    out: str = option("", "Where a JSON row an event goes, if anywhere.")

    def __post_init__(self):
        at_least(self, 2, "steps")  # The first one after a rebuild traces.
        at_least(self, 1, "nominal_steps", "filters", "sample", "batch")


def main(config: BenchConfig) -> None:
    """Races the ways and prints the table."""
    architectures.get(config.network)  # Refused here, not by every worker.
    with (
        lockstep.Worker("prune_tf.py") as ours,
        lockstep.Worker("prune_tf.py") as masked,
        lockstep.Worker("prune_tf.py") as never,
        lockstep.Worker("prune_tf.py") as naive,
        lockstep.Worker("prune_tf.py") as static,
    ):
        workers = {"ns_tf": ours, "masked": masked, "never": never}
        workers |= {"naive": naive, "static": static}
        rows = []
        for way, worker in workers.items():
            start = worker.ask("start", **settings(config), way=way)
            rows.append({"way": way, "event": 0, "parts": start["parts"]})
        rows += race(workers, start["events"], config)
    report(rows, config, ("ns_tf", "masked", "never", "naive"))


def settings(config: BenchConfig) -> dict[str, Any]:
    """What a TensorFlow worker starts with, beside its way."""
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(BenchConfig)
        if field.name not in ("sample", "out")
    }


def report(rows: list[dict], config: BenchConfig, ways: Sequence[str]) -> None:
    """Writes the rows to `config.out`, if it is set, and prints the table."""
    if config.out:
        lockstep.write_rows(pathlib.Path(config.out), rows)
    pace = f"{config.filters} filters every {config.nominal_steps} steps"
    print(f"{config.network}, batch {config.batch}, {pace}\n")
    print(table.summary(rows, ways, config.nominal_steps))


def race(
    workers: dict[str, lockstep.Worker],
    events: int,
    config: BenchConfig,
    follow: Callable[..., dict] | None = None,
) -> list[dict]:
    """Lets the ways remove the same channels, taking turns.

    Args:
        workers: By way, started. The first one does every event and decides what goes.
        events: How many events there are.
        config: Says which of them the other ways follow.
        follow: (worker, way, channels removed since the last time, channels present) ->
            what that way took; `follow_tf` if None.

    Returns:
        A row for every event of every way.
    """
    follow = follow or follow_tf
    leader, *followers = workers
    rows: list[dict] = []
    waiting: list[int] = []
    with Progress().bar(events, label=config.network, unit="events") as bar:
        for event in range(1, events + 1):
            row = workers[leader].ask("event")
            waiting += row.pop("removed")
            present = row.pop("present")
            rows.append({"way": leader, "event": event, **row})
            if event % config.sample == 0 and event < events:
                for way in followers:
                    row = follow(workers[way], way, waiting, present)
                    rows.append({"way": way, "event": event, **row})
                waiting = []
                row = workers[leader].ask("checkpoint")
                rows.append({"way": leader, "event": event, **row})
            bar.update(1)
    return rows


def follow_tf(
    worker: lockstep.Worker, way: str, remove: list[int], present: list[int]
) -> dict:
    """What the same removals take another way; "static" trains a plain model instead.

    Args:
        worker: Of that way.
        way: "masked", "never", "naive" or "static".
        remove: Channels that the leader removed since the last time.
        present: Channels that its network still has.
    """
    if way == "static":
        return worker.ask("steps_at", present=present, repeats=3)
    row = worker.ask("event", remove=remove)
    return {name: row[name] for name in row.keys() - {"removed", "present"}}


if __name__ == "__main__":
    cli.run(main, BenchConfig)
