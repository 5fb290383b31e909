"""What runs networks on a device: one file a runtime, `get(name)` finds it.

A runtime is a function that makes a network ready to be timed. A program adds its own::

    from ns_tf.measure.runtimes import runtime

    @runtime("mine", help="My own accelerator.")
    def mine(model, batch, threads):
        ...
        return run  # () -> milliseconds of one pass
"""

import dataclasses
import importlib.util
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ns_tf.base import InputError, refusing
from ns_tf.registry import Registry

if TYPE_CHECKING:
    import keras

RUNTIMES = Registry("runtime", __name__)
Run = Callable[[], float]  # One pass; returns milliseconds.
Make = TypeVar("Make", bound=Callable)


@dataclasses.dataclass(frozen=True)
class DeviceRuntime:
    """What runs networks, and how one is made ready for it."""

    name: str
    help: str
    make: Callable[["keras.Model", int, int], Run]  # (model, batch, threads)
    packages: tuple[str, ...] = ()
    # Called with the number of threads, before TensorFlow starts.
    begin: Callable[[int], None] = lambda threads: None
    # Of one that runs files: how they end, and (model, batch) -> what they hold.
    suffix: str | None = None
    written: Callable[["keras.Model", int], bytes] | None = None

    def ready(self, model: "keras.Model", batch: int, threads: int) -> Run:
        """A network ready to be timed; it has run once.

        Args:
            model: Built.
            batch: Examples in one pass.
            threads: Of an operation.

        Raises:
            InputError: the runtime cannot run it; says why.
        """
        with self._refusing(model):
            run = self.make(model, batch, threads)
            run()
        return run

    def file(self, model: "keras.Model", batch: int) -> bytes:
        """What the file of a network holds, for a runtime that runs files.

        Args:
            model: Built.
            batch: Examples in one pass.

        Raises:
            InputError: it cannot be converted; says why.
        """
        with self._refusing(model):
            return self.written(model, batch)

    def _refusing(self, model: "keras.Model") -> AbstractContextManager:
        """Names the network that the runtime cannot run."""
        return refusing(
            f"--runtime={self.name} cannot run {model.name!r}; give another --runtime"
        )

    def check(self) -> None:
        """Refuses a runtime that is not installed.

        Raises:
            InputError: naming the package.
        """
        for package in self.packages:
            if importlib.util.find_spec(package) is None:
                raise InputError(
                    f"--runtime={self.name} needs the package {package}, which is not "
                    f"installed: pip install {package.replace('_', '-')}."
                )


def runtime(name: str, **about: Any) -> Callable[[Make], Make]:
    """A decorator that registers a runtime and returns its function unchanged.

    Args:
        name: By which `--runtime` takes it.
        **about: Further fields of `DeviceRuntime`.

    Raises:
        ValueError: the name is taken.
    """

    def add(make: Make) -> Make:
        RUNTIMES.register(name)(DeviceRuntime(name, make=make, **about))
        return make

    return add


def get(name: str) -> DeviceRuntime:
    """The runtime of that name.

    Raises:
        InputError: there is none; suggests the nearest name.
    """
    return RUNTIMES.get(name)


def timed(run: Callable[[], Any]) -> Run:
    """A function that calls `run` and returns how long it took, in ms."""

    def once() -> float:
        start = time.perf_counter()
        run()
        return 1e3 * (time.perf_counter() - start)

    return once


def example(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """What networks are timed on: no zeros, which some operations skip."""
    dtype = np.dtype(dtype)
    return np.full(shape, 0.5 if dtype.kind == "f" else 1, dtype)
