"""How tests import and run the scripts in tools/."""

import contextlib
import importlib
import sys
import typing

from absl import flags
from places import ROOT

from ns_tf import cli
from ns_tf.run import flags as run_flags

TOOLS = ROOT / "tools"


@contextlib.contextmanager
def scripts(folder=""):
    """A function that imports a script of a folder of tools/ by its name.

    While the context lasts, scripts find their neighbours as they do when they are run.
    """
    place, before = str(TOOLS / folder), set(sys.modules)
    sys.path.insert(0, place)
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(place)
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(str(TOOLS)):
                del sys.modules[name]


def status(module, *arguments):
    """Exit code of a script's `main` with these flags, in this process."""
    hints = typing.get_type_hints(module.main)
    configs = [kind for name, kind in hints.items() if name != "return"]
    before, argv = set(flags.FLAGS), sys.argv
    for config in configs:
        run_flags.define(config)
    sys.argv = [module.__name__, *map(str, arguments)]
    try:
        return cli._status(module.main, configs)
    finally:
        sys.argv = argv
        flags.FLAGS.unparse_flags()
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)
