"""What recorded runs took and reached, kept in one committed file from which README's tables are made. Nothing is measured here.

measured.json holds `runs` (lecture -> profile -> processor seconds, memory, date, and in other profiles than ci the figures), `speed` (rows of
`python -m grading.measuring.benchmark`) and `first_minutes` (of `python -m grading.measuring.first_minutes`).
"""

import hashlib
import json
from datetime import date
from pathlib import Path

from grading.files import write_text
from grading.measuring.recorded import _short, collect
from grading.sources import RUNS, SOLUTIONS, syllabus

FILE = Path(__file__).with_name("measured.json")
EMPTY = {"first_minutes": {}, "speed": [], "runs": {}}


def load(file: Path | None = None) -> dict:
    """The whole file; empty parts where nothing is recorded yet."""
    file = file or FILE
    return {**EMPTY, **(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {})}


def save(whole: dict, file: Path | None = None) -> None:
    """Write the file: lectures in the order of the syllabus, a line a figure, so that a difference can be read."""
    order = [name for name in syllabus()["lectures"] if name in whole["runs"]]
    blocks = [f' "first_minutes": {json.dumps(whole["first_minutes"], ensure_ascii=False)}', f' "speed": {_lines(whole["speed"], 2)}']
    lectures = []
    for name in order:
        profiles = []
        for profile, run in sorted(whole["runs"][name].items()):
            head = ", ".join(f'"{key}": {json.dumps(value)}' for key, value in run.items() if key != "figures")
            figures = f', "figures": {_lines(run["figures"], 4)}' if "figures" in run else ""
            profiles.append(f'   "{profile}": {{{head}{figures}}}')
        lectures.append(f'  "{name}": {{\n' + ",\n".join(profiles) + "\n  }")
    blocks.append(' "runs": {\n' + ",\n".join(lectures) + "\n }" if lectures else ' "runs": {}')
    write_text(file or FILE, "{\n" + ",\n".join(blocks) + "\n}\n")


def take(names: list[str], profile: str, runs: Path = RUNS, file: Path | None = None) -> list[str]:
    """Take the last whole runs of lectures into the file; lectures that were not run keep what they had.

    Args:
        names: lectures; profile: of the runs; runs: where `python -m grading run` left its records.

    Returns:
        The lectures that were taken.
    """
    whole = load(file)
    figures, _ = collect(names, profile, runs)
    for name, rows in figures.items():
        record = json.loads((runs / f"{name}.{profile}.json").read_text(encoding="utf-8"))
        entry = {key: record.get(key) for key in ("cpu_seconds", "peak_mib", "load", "code")} | {"date": date.today().isoformat()}
        if profile != "ci":  # those of ci ship with the helpers
            entry["figures"] = [_short(row) for row in rows]
        whole["runs"].setdefault(name, {})[profile] = entry
    save(whole, file)
    return list(figures)


def add_speed(row: dict, file: Path | None = None) -> None:
    """Take one row of the benchmark into the file, instead of that of the same lecture and size."""
    whole = load(file)
    kept = [old for old in whole["speed"] if (old["lecture"], old["submissions"]) != (row["lecture"], row["submissions"])]
    fresh = {key: row[key] for key in ("lecture", "submissions", "seconds_each", "memory_mb", "stock_submissions", "stock_seconds_each")}
    whole["speed"] = sorted([*kept, fresh], key=lambda one: (one["lecture"], one["submissions"]))
    save(whole, file)


def code_of(lecture: str) -> str:
    """A short digest of what decides a lecture's figures in its source: its code, without comments, without set-up and checks."""
    path = SOLUTIONS / f"{lecture}.py"
    kept = []
    for cell in path.read_text(encoding="utf-8").split("\n# %%")[1:] if path.is_file() else []:
        head, _, body = cell.partition("\n")
        if "[markdown]" not in head and '"grade": true' not in head and '"setup"' not in head:
            kept += [line.rstrip() for line in body.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:12]


def _lines(rows: list, indent: int) -> str:
    """A list with a line for each row."""
    if not rows:
        return "[]"
    return "[\n" + ",\n".join(" " * indent + json.dumps(row, ensure_ascii=False) for row in rows) + "\n" + " " * (indent - 1) + "]"
