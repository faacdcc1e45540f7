"""environment.yml: the lock's set for conda users, written from requirements.lock and checked to be equal. Nothing else lives here."""

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCK, ENVIRONMENT = ROOT / "requirements.lock", ROOT / "environment.yml"
_PIN = re.compile(r"^(?P<pin>[A-Za-z0-9._-]+==[^\s;\\]+)(?P<marker>\s*;[^\\]+)?")
_HEAD = """\
# The same set as requirements.lock, for conda: `conda env create -f environment.yml`, then `conda activate dlmia`.
# Written by `make lock`; tests check that the two are equal. (pip adds rfc3987-syntax by itself here: harmless, but slower to import.)
"""


def pins(lock: str) -> list[str]:
    """The requirements of a lock file, with their markers, without their hashes.

    Args:
        lock: the text of requirements.lock.

    Returns:
        Lines such as "numpy==2.4.6" or "overrides==7.7.0 ; python_full_version < '3.12'", in the lock's order.
    """
    found = (_PIN.match(line) for line in lock.splitlines())
    return [(match["pin"] + (match["marker"] or "")).strip() for match in found if match]


def render(lock: str) -> str:
    """The text of environment.yml for the text of a lock."""
    content = {
        "name": "dlmia",
        "channels": ["conda-forge"],
        "dependencies": ["python=3.11", "pip", {"pip": [*pins(lock), "--editable ."]}],
    }
    return _HEAD + yaml.safe_dump(content, sort_keys=False, width=200)


if __name__ == "__main__":
    ENVIRONMENT.write_text(render(LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"wrote {ENVIRONMENT.name}\n")
