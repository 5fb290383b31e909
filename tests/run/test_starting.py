"""Importing a command as a module of a program leaves the program's Ctrl-C alone."""

import importlib
import signal

from ns_tf.run import starting


def test_only_a_command_has_another_handler():
    before = signal.getsignal(signal.SIGINT)
    importlib.reload(starting)
    assert signal.getsignal(signal.SIGINT) is before
