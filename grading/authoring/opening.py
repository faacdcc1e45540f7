"""Writes the set-up cell of grading/authoring/opening_cell.py into the sources: `python -m grading opening`. Nothing else of a source is touched."""

import re
from pathlib import Path

from grading.sources import OPENING_CELL, ROOT, SOLUTIONS

CELL = re.compile(r'(^# %%[^\n]*tags=\["setup"\][^\n]*\n)(.*?)(?=\n+^# %%|\Z)', re.M | re.S)
MARK = "# Set-up: run it as often as you like."


def write_opening(paths: list[Path] | None = None) -> list[Path]:
    """Bring the set-up cell of sources up to date.

    Args:
        paths: of sources; by default all in solutions/, and the made-up lecture of the tests.

    Returns:
        The files that changed.
    """
    cell, changed = OPENING_CELL.read_text(encoding="utf-8").strip(), []
    for path in paths or [*sorted(SOLUTIONS.glob("*.py")), ROOT / "tests" / "fixtures" / "98_made_up.py"]:
        text = path.read_text(encoding="utf-8")
        new = CELL.sub(lambda found: found[1] + cell if found[2].startswith(MARK) else found[0], text)
        if new != text:
            path.write_text(new, encoding="utf-8", newline="\n")
            changed.append(path)
    return changed
