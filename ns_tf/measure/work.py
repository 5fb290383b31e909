"""A measurement: layer shape after layer shape, kept as each is done."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.devices.device import Device, read_device
from ns_tf.devices.tables import Table
from ns_tf.measure import elsewhere, network, runtimes
from ns_tf.measure.config import MeasureConfig
from ns_tf.measure.fitting import Setup, Times, device_of
from ns_tf.measure.survey import Detail, Shape, Survey
from ns_tf.measure.timing import in_turns
from ns_tf.networks import from_model
from ns_tf.networks.structure import Structure
from ns_tf.run import files
from ns_tf.run.folder import DEVICE
from ns_tf.run.watch import Watch

_AGAIN = 2  # How often a table that noise explains badly is measured again.


class Measuring:
    """What is to be measured: checked first, then done.

    Args:
        structure: Of the network.
        largest: [layers] the largest widths.
        config: What, on what and how finely.
        out: The device file.

    Raises:
        InputError: the runtime is not installed, or a layer's time is no table.
    """

    def __init__(
        self,
        structure: Structure,
        largest: Sequence[int],
        config: MeasureConfig,
        out: str | Path,
    ):
        self.config, self.out = config, Path(out)
        self.runtime = runtimes.get(config.runtime)
        if not config.import_:
            self.runtime.check()
        detail = Detail(config.step, config.points, config.networks)
        self.survey = Survey.of(structure, largest, detail)
        self.setup = Setup(
            config.runtime,
            config.threads,
            config.batch,
            config.machine or network.machine(),
        )

    @classmethod
    def of(cls, config: MeasureConfig) -> "Measuring":
        """The measurement that the flags ask for.

        Raises:
            InputError: there is no such network or runtime.
        """
        runtimes.get(config.runtime).begin(config.threads)
        if config.run_dir:
            found = network.of_run(config.run_dir, config.up_to)
            place = Path(config.run_dir) / DEVICE
        else:
            shape = config.input_shape, config.classes
            found = network.of_model(config.model, config.up_to, *shape)
            own = Path(config.model.removeprefix(from_model.PREFIX))
            place = own.parent / DEVICE if own.is_file() else Path(DEVICE)
        return cls(*found, config, config.out or place)

    def write(self, watch: Watch | None = None) -> Path:
        """Writes the models to time elsewhere; the path of the table to fill in.

        Raises:
            InputError: as `ns_tf.measure.elsewhere.write`.
        """
        folder, batch = self.config.write_models, self.config.batch
        return elsewhere.write(self.survey, self.runtime, batch, folder, watch)

    def run(self, watch: Watch | None = None) -> Device:
        """Measures, or reads the times that were measured elsewhere.

        The same call goes on after a kill: times are kept as each layer shape is done.

        Args:
            watch: Shows progress, lets it stop.

        Returns:
            The device; its file is written.

        Raises:
            InputError: there is a device file, or a beginning, of other settings, or a
                device file of other times than those that were measured elsewhere.
        """
        if self.config.import_:
            return self._imported()
        if self.out.exists():
            device = self._found()
            self._begun.unlink(missing_ok=True)  # A kill may have left it behind.
            return device
        done = self._kept()
        watch, survey = watch or Watch(), self.survey
        before = sum(len(s.points) for s in survey.shapes[: len(done["times"])])
        with watch.bar(
            survey.count, label="measure", unit="models", initial=before
        ) as bar:
            for shape in survey.shapes[len(done["times"]) :]:
                done["times"].append(self._measured(shape))
                self._keep(done)
                bar.update(len(shape.points))
                watch.stop.leave()
            *whole, empty, pace = self._whole()
            bar.update(len(survey.networks))
        paces = [one["pace"] for one in done["times"]]
        usual = float(np.median([*paces, pace]))
        times = [_times(one).scaled(usual / one["pace"]) for one in done["times"]]
        whole = [usual / pace * ms for ms in whole]
        return self._written(times, whole, usual / pace * empty)

    def _measured(self, shape: Shape) -> dict[str, Any]:
        """Times of a layer shape, as the file of the beginning keeps them.

        Where they fall more than noise explains, all are measured again, and of each
        the least counts: another process only makes a pass longer.

        The pace is the time of a network that takes turns with every shape: machines
        are slower at one time than at another, and times are divided by it.
        """
        builds = [lambda p=point: shape.unit.built(*p) for point in shape.points]
        ready = self._ready([*builds, elsewhere.empty_network, self._usual])
        best, first = None, None
        for _ in range(1 + _AGAIN):
            ms, spread = in_turns(ready, self.config.rounds)
            pace = float(ms[1, -1])
            first = first or pace
            one = Times.of(shape, ms[:, :-2], spread[:, :-2], ms[:, -2])
            one = one.scaled(first / pace)
            if best is not None:
                one = Times(np.minimum(one.ms, best.ms), best.spread)
            best = one
            if not best.noisy.any():
                break
        kept = {"ms": best.ms.tolist(), "spread": best.spread.tolist()}
        return {**kept, "pace": first}

    def _whole(self) -> list[float]:
        """Milliseconds of the whole networks, the empty one and the usual one."""
        build = self.survey.structure.build
        builds = [lambda w=widths: build(w) for widths in self.survey.networks]
        ready = self._ready([*builds, elsewhere.empty_network, self._usual])
        return in_turns(ready, 2 * self.config.rounds)[0][1].tolist()

    def _usual(self) -> Any:
        """The network that shows how fast the machine is."""
        return self.survey.structure.build(self.survey.usual)

    def _ready(self, builds: Sequence[Callable]) -> list[runtimes.Run]:
        """Networks that are ready to be timed."""
        batch, threads = self.config.batch, self.config.threads
        return [self.runtime.ready(build(), batch, threads) for build in builds]

    def _written(
        self, times: Sequence[Times], whole: Sequence[float], empty: float
    ) -> Device:
        """The device, in its file; the beginning is removed."""
        device = device_of(self.survey, times, whole, empty, self.setup)
        device = dataclasses.replace(device, rounds=self.config.rounds)
        device = device.write(self.out)
        self._begun.unlink(missing_ok=True)
        return device

    def _imported(self) -> Device:
        """The device of the times that were measured elsewhere, in its file.

        Raises:
            InputError: they cannot be read, or the file is there and is another one's.
        """
        settings = self.survey, self.runtime, self.config.batch
        times = elsewhere.read(*settings, self.config.import_)
        device = device_of(self.survey, *times, self.setup)
        if not self.out.exists():
            self.out.parent.mkdir(parents=True, exist_ok=True)
            return device.write(self.out)
        found = self._found()
        pairs = zip(found.tables, device.tables, strict=True)
        same = all(np.array_equal(one.ms, other.ms) for one, other in pairs)
        if not same or found.whole != device.whole:
            raise InputError(
                f"{self.out} is a device file of other times. Give another --out, or "
                "remove it."
            )
        return found

    def _found(self) -> Device:
        """The device file that is there already, if it is of the same settings.

        Raises:
            InputError: it is of others, or no device file.
        """
        try:
            device = read_device(self.out)
        except InputError as error:
            raise InputError(f"{error} Or give another --out.") from error
        own, asked = device.network.identity(), self.survey.network.identity()
        largest = own.pop("largest"), asked.pop("largest")
        if own != asked or device.uses != self.survey.uses:
            raise InputError(
                f"{self.out} is a measurement of another network "
                f"({device.network.architecture}). Give another --out, or remove it."
            )
        changed = self._changed(device, largest)
        if changed:
            raise InputError(
                f"{self.out} is a measurement of other settings "
                f"({', '.join(changed)}). Give another --out, or remove it."
            )
        return device

    def _changed(self, device: Device, largest: tuple) -> list[str]:
        """The settings in which a device file differs from those that are asked for.

        Args:
            device: Of the file, of this network.
            largest: Its largest widths, and those that are asked for.
        """
        setup, survey = self.setup, self.survey
        pairs = {
            "runtime": (device.runtime, setup.runtime),
            "threads": (device.threads, setup.threads),
            "batch": (device.batch, setup.batch),
            "machine": (device.machine, self.config.machine or device.machine),
            "up_to": largest,
            "step": (device.step, survey.step),
        }
        if device.rounds is not None and not self.config.import_:
            pairs["rounds"] = device.rounds, self.config.rounds
        if largest[0] == largest[1] and device.step == survey.step:
            # What else they depend on is the number of points and of networks.
            pairs["points"] = _axes(device.tables), _axes(survey.shapes)
            pairs["networks"] = len(device.whole), len(survey.networks)
        return [name for name, (one, other) in pairs.items() if one != other]

    @property
    def _begun(self) -> Path:
        """The file of times that are measured so far."""
        return self.out.with_name(f"{self.out.stem}.begun.json")

    def _asked(self) -> dict[str, Any]:
        """What the times of a beginning depend on."""
        setup = dataclasses.asdict(self.setup)
        return {**setup, "rounds": self.config.rounds, "models": self.survey.digest}

    def _kept(self) -> dict[str, Any]:
        """The times that are measured so far.

        Raises:
            InputError: they are of other settings, or damaged.
        """
        if not self._begun.exists():
            return {"version": 1, "asked": self._asked(), "times": []}
        remedy = "Remove it: the measurement begins again."
        with files.readable(self._begun, "beginning of a measurement", remedy):
            done = files.read_json(
                self._begun,
                what="beginning of a measurement",
                version=1,
                remedy=remedy,
            )
            changed = [k for k, v in self._asked().items() if done["asked"].get(k) != v]
            times = [_times(one) for one in done["times"]]
            for shape, one in zip(self.survey.shapes, times, strict=False):
                size = (2, len(shape.reads), len(shape.makes))
                if not changed and not one.ms.shape == one.spread.shape == size:
                    raise ValueError("times are missing")
            if not changed and not all(one["pace"] > 0 for one in done["times"]):
                raise ValueError("a pace is none")
        if changed:
            raise InputError(
                f"{self._begun} is a measurement of other settings "
                f"({', '.join(changed)}). Give another --out, or remove it."
            )
        return done

    def _keep(self, done: dict[str, Any]) -> None:
        """Writes the times that are measured so far."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(self._begun, done)


def _axes(some: Sequence[Table | Shape]) -> list[list[list[float]]]:
    """The channels that layer shapes read and make in their tables."""
    return [[one.reads.tolist(), one.makes.tolist()] for one in some]


def _times(kept: dict[str, Any]) -> Times:
    """Times as `Measuring` keeps them."""
    return Times(np.array(kept["ms"]), np.array(kept["spread"]))
