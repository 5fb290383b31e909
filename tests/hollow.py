"""Importing this keeps Keras and TensorFlow out of a process: their names are empty.

For processes of which only keras-tuner's oracle and its workers count, not networks.
They start in a third of the time.
"""

import importlib.abc
import importlib.machinery
import sys
import types

HOLLOW = "keras", "tensorflow"
STAR = (
    "Model Sequential Input applications backend callbacks layers losses metrics models"
)
STAR += " ops optimizers saving utils"


class Kind(type):
    """Classes that have every name."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Kind(name, (Nothing,), {})


class Nothing(metaclass=Kind):
    """Takes anything; as a decorator it changes nothing."""

    def __init__(self, *given, **options):
        pass

    def __call__(self, decorated=None):
        return decorated


class Empty(types.ModuleType):
    """A module that has every name, to derive classes from."""

    __path__: list[str] = []
    __all__ = STAR.split()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "version":
            return lambda: "3.0"
        return Kind(name, (Nothing,), {})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every module of those packages, empty."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HOLLOW:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Empty(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, Finder())
