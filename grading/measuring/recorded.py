"""The course's own results: the key figures of whole runs, put into one file that ships with the helpers. Nothing is measured here."""

import json
from dataclasses import asdict
from pathlib import Path

from grading.files import write_text
from grading.sources import RUNS, SourceError, syllabus
from helpers.results import RECORDED, Result

REVIEW = "14_review"  # reads these figures, and adds none
DIGITS = 6


def collect(names: list[str], profile: str, runs: Path = RUNS) -> tuple[dict[str, list[Result]], list[str]]:
    """The figures that the last whole run of each lecture recorded.

    Args:
        names: lectures; profile: of the runs; runs: where `python -m grading run` left its records.

    Returns:
        Lecture -> figures, and a sentence for each lecture that gives none.
    """
    found, notes = {}, []
    for name in names:
        again = f"`python -m grading run {name[:2]} --profile {profile}`"
        try:
            record = json.loads((runs / f"{name}.{profile}.json").read_text(encoding="utf-8"))
            rows = [Result(**row) for row in json.loads((runs / "figures" / f"{name}.{profile}.json").read_text(encoding="utf-8"))]
        except FileNotFoundError:
            notes.append(f"{name}: no run in profile {profile} is recorded: {again}.")
            continue
        except (ValueError, TypeError):
            notes.append(f"{name}: the record of its run is cut or of another version: {again}.")
            continue
        if record.get("released") or record.get("error"):
            notes.append(f"{name}: its last run did not reach the end, so its figures are not taken: {again}.")
        else:
            found[name] = rows
    return found, notes


def write(found: dict[str, list[Result]], profile: str, file: Path = RECORDED) -> list[str]:
    """Put figures into the file; lectures that were not run keep theirs, in the order of the syllabus.

    Returns:
        The lectures whose figures are new or changed.

    Raises:
        SourceError: there is nothing to put.
    """
    if not found:
        raise SourceError("No run has figures to record: run lectures first, and see what is said above.")
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    fresh = {name: {"profile": profile, "figures": [_short(row) for row in rows]} for name, rows in found.items()}
    changed = [name for name, one in fresh.items() if kept.get(name) != one]
    whole = {**kept, **fresh}
    order = [name for name in syllabus()["lectures"] if name in whole]
    blocks = []
    for name in order:
        rows = ",\n".join("   " + json.dumps(row, ensure_ascii=False) for row in whole[name]["figures"])
        blocks.append(f' "{name}": {{"profile": "{whole[name]["profile"]}", "figures": [\n{rows}\n ]}}')
    write_text(file, "{\n" + ",\n".join(blocks) + "\n}\n")
    return changed


def _short(row: Result) -> dict:
    """A figure with six digits; what it does not have is left out."""
    given = {key: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for key, value in asdict(row).items()}
    return {key: value for key, value in given.items() if value not in (None, "")}
