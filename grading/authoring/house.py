"""The commands of who keeps the course: the set-up cell of all sources, README's tables. Each only reads arguments, calls its module and prints."""

import argparse
import sys
from collections.abc import Callable


def add_parsers(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The command lines of COMMANDS."""
    command("opening", "Write the set-up cell of grading/authoring/opening_cell.py into every source.", many=False)
    readme = command("readme", "Write README's tables and docs/results.md from recorded runs and from what the tree holds.", many=False)
    readme.add_argument("--check", action="store_true", help="write nothing; fail if they are stale")


def opening(_options: argparse.Namespace) -> int:
    from grading.authoring.opening import write_opening

    changed = write_opening()
    print("\n".join(f"{path.name}  written" for path in changed) or "Every source opens as grading/authoring/opening_cell.py says.")
    return 0


def readme(options: argparse.Namespace) -> int:
    from grading.measuring.readme import AGAIN, stale

    found = stale(write=not options.check)
    if options.check and found:
        print(f"stale: {', '.join(found)}. Run `{AGAIN}`.", file=sys.stderr)
        return 1
    print("\n".join(f"{name}  written" for name in found) or "README.md and docs/results.md are up to date.")
    return 0


COMMANDS = {"opening": opening, "readme": readme}
