"""Where tests find things."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDENS = ROOT / "tests" / "goldens"
REAL = ROOT.parent / "shared" / "tfds"  # Prepared data sets, where they are there.
