"""Ends a script that needs torch and torch-pruning with one line if they are missing.

Imported before them.
"""

import sys
from pathlib import Path

try:
    import torch  # noqa: F401
    import torch_pruning  # noqa: F401
except ImportError as error:
    print(
        f"{Path(sys.argv[0]).name}: This benchmark needs torch and torch-pruning "
        f"({error.name} is missing): pip install -e '.[bench]'.",
        file=sys.stderr,
    )
    raise SystemExit(2) from error
