"""How fast grading is, as a ratio to stock `nbgrader autograde` on the same submissions: `python -m grading.measuring.benchmark --help`."""

import argparse
import json
import os
import subprocess
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import nbformat
from numpy import median

from grading.authoring.release import as_text, instructor_notebook, write_course
from grading.marking.classroom import autograde
from grading.marking.record import venv_on_path
from grading.measuring import measured
from grading.measuring.execute import usage
from grading.measuring.readme import stale
from grading.sources import source_path

IMPORTS = "00_import_only"


def _import_only() -> nbformat.NotebookNode:
    """A notebook that imports torch and monai, and asks one trivial thing."""
    mark = {"schema_version": 3, "task": False}
    solution = {**mark, "grade": False, "grade_id": "twice", "locked": False, "solution": True}
    check = {**mark, "grade": True, "grade_id": "twice-value", "locked": True, "points": 1, "solution": False}
    stub = "def twice(x: float) -> float:\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    asked = 'assert twice(2) == 4, "twice 2 is 4"\n### BEGIN HIDDEN TESTS\nassert twice(3) == 6, "twice 3 is 6"\n### END HIDDEN TESTS'
    cells = [
        nbformat.v4.new_code_cell('PROFILE = "ci"', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("import monai\nimport torch", metadata={"tags": ["setup"]}),
        nbformat.v4.new_code_cell(stub, metadata={"nbgrader": solution}),
        nbformat.v4.new_code_cell(asked, metadata={"nbgrader": check}),
    ]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def course(folder: Path, lecture: str, students: int) -> str:
    """A course directory with so many right submissions of one lecture; returns the lecture's name."""
    write_course(folder, [])
    name = IMPORTS if lecture == IMPORTS else source_path(lecture).stem
    notebook = _import_only() if name == IMPORTS else instructor_notebook(lecture)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source += '\nPROFILE = "ci"'
    for place in [folder / "source" / name, *(folder / "submitted" / f"student{number:03}" / name for number in range(students))]:
        place.mkdir(parents=True)
        (place / f"{name}.ipynb").write_text(as_text(notebook), encoding="utf-8")
    subprocess.run(["nbgrader", "generate_assignment", name, "--force"], cwd=folder, check=True, capture_output=True)
    return name


def ours(lecture: str, students: int, workers: int) -> dict:
    """Grade so many right submissions of one lecture; seconds (all start-up included) and memory."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        folder = Path(temporary)
        name = course(folder, lecture, students)
        with usage(shared_once=True) as used:
            begin = time.perf_counter()
            reports = autograde(folder, name, workers=workers)
            seconds = time.perf_counter() - begin
    lost = [report for report in reports if any(verdict.points < verdict.max_points for verdict in report.verdicts)]
    if lost:
        raise RuntimeError(f"right submissions lost points: {lost[0].verdicts}")
    return {
        "lecture": name, "submissions": students, "workers": workers, "seconds": round(seconds, 1),
        "seconds_each": round(seconds / students, 3), "memory_mb": round(used.peak / 2**20),
    }  # fmt: skip


def stock(lecture: str, students: int) -> dict:
    """The same with `nbgrader autograde`, one submission after the other as it does; torch may use all processors.

    What it takes for each is the median or the mean, whichever is less: other work on the machine must not flatter the ratio.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        folder = Path(temporary)
        name = course(folder, lecture, students)
        environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
        with usage(shared_once=True) as used:
            begin = time.perf_counter()
            subprocess.run(["nbgrader", "autograde", name], cwd=folder, check=True, capture_output=True, env=environment)
            seconds = time.perf_counter() - begin
        done = sorted(place.stat().st_mtime for place in (folder / "autograded").iterdir())
    each = [later - earlier for earlier, later in pairwise(done)] or [seconds]
    return {
        "lecture": name, "stock_submissions": students, "stock_seconds": round(seconds, 1),
        "stock_seconds_each": round(min(median(each), seconds / students), 2), "stock_memory_mb": round(used.peak / 2**20),
    }  # fmt: skip


def main() -> None:
    """Measure and print one JSON line a lecture and size."""
    parser = argparse.ArgumentParser(prog="python -m grading.measuring.benchmark", description=__doc__)
    parser.add_argument("lectures", nargs="*", default=[IMPORTS, "04_classification"], metavar="LECTURE")
    text = "submissions graded here (default: 32); several numbers show the growth"
    parser.add_argument("--students", type=int, nargs="+", default=[32], metavar="N", help=text)
    parser.add_argument("--stock", type=int, default=32, metavar="N", help="submissions that stock autograde gets (default: 32; 0: none)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--record", action="store_true", help="take the rows into grading/measuring/measured.json, and write README's table anew")
    options = parser.parse_args()
    venv_on_path()
    for lecture in options.lectures:
        theirs = stock(lecture, options.stock) if options.stock else {}
        for students in options.students:
            row = ours(lecture, students, options.workers) | theirs
            if theirs:
                row["ratio"] = round(row["stock_seconds_each"] / row["seconds_each"], 1)
            print(json.dumps(row), flush=True)
            if options.record and theirs:
                measured.add_speed(row)
    if options.record:
        stale(write=True)


if __name__ == "__main__":
    main()
