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

    While the context lasts, scripts find their neighbours as they do when they are run,
    also where another module has such a name.
    """
    place = TOOLS / folder
    names = {path.stem for path in place.glob("*.py")}
    others = {name: sys.modules.pop(name) for name in names & set(sys.modules)}
    sys.path.insert(0, str(place))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(place))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(others)


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
