"""Imported before all else by every command: Ctrl-C is one line from here on.

Keras imports scikit-learn for wrappers of its own, which no command uses: a second of
the five that a command takes to start. While Keras is imported, there is none.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from ns_tf.run import signals

_WRAPPERS = "keras.src.wrappers"  # Keras does without them where scikit-learn is not.


class NoWrappers:
    """Finds no scikit-learn for the wrappers of Keras; leaves all else to others."""

    @staticmethod
    def find_spec(
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """As of `importlib.abc.MetaPathFinder`: None, so that the next one is asked.

        Raises:
            ModuleNotFoundError: scikit-learn, while Keras imports its wrappers.
        """
        del path, target
        spec = getattr(sys.modules.get(_WRAPPERS), "__spec__", None)
        if name == "sklearn" and getattr(spec, "_initializing", False):
            raise ModuleNotFoundError("Not for Keras's wrappers.", name=name)
        return None


if signals.is_command():
    signals.handle(signals.end_at_once)
    sys.meta_path.insert(0, NoWrappers)
