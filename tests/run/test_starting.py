"""Importing a command as a module of a program leaves the program's Ctrl-C alone."""

import importlib
import signal
import sys
import types

import pytest

from ns_tf.run import starting


def test_only_a_command_has_another_handler():
    before, finders = signal.getsignal(signal.SIGINT), list(sys.meta_path)
    importlib.reload(starting)
    assert signal.getsignal(signal.SIGINT) is before and sys.meta_path == finders


def test_scikit_learn_is_not_there_while_keras_imports_its_wrappers(monkeypatch):
    find, wrappers = starting.NoWrappers.find_spec, types.ModuleType("wrappers")
    monkeypatch.setitem(sys.modules, "keras.src.wrappers", wrappers)
    assert find("sklearn") is None
    wrappers.__spec__ = types.SimpleNamespace(_initializing=True)
    assert find("sklearn.base") is None and find("scipy") is None
    with pytest.raises(ModuleNotFoundError):
        find("sklearn")
    wrappers.__spec__ = types.SimpleNamespace(_initializing=False)
    assert find("sklearn") is None
