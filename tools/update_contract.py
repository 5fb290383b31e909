"""Records anew what tests/commands/test_contract.py holds, and prints what changed.

python tools/update_contract.py

Only for a change that is meant. Takes: 40 s on two cores.
"""

import json
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Prints old -> new, and writes the golden."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import contract

    old = json.loads(contract.GOLDEN.read_text()) if contract.GOLDEN.exists() else {}
    new = {
        "maker": contract.maker(),
        "flags": {verb: contract.flags(verb) for verb in contract.VERBS},
        "flagfiles": contract.flagfiles(),
    }
    with tempfile.TemporaryDirectory() as folder:
        new |= contract.record(Path(folder))
    if new["continued"] is None:  # No data here.
        new["continued"] = old.get("continued")
    print("\n".join(contract.differences(old, new)) or "Nothing changed.")
    contract.GOLDEN.write_text(json.dumps(new, indent=1) + "\n")


if __name__ == "__main__":
    main()
