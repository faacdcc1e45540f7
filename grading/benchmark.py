"""How fast grading is, as a ratio to stock `nbgrader autograde` on the same submissions: `python -m grading.benchmark --help`."""

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import nbformat

from grading.classroom import autograde
from grading.record import venv_on_path
from grading.release import as_text, instructor_notebook, write_course
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


def measure(lecture: str, students: int, stock: int, workers: int) -> dict:
    """Seconds of both ways on the same submissions.

    Args:
        lecture: its name, or "00_import_only".
        students: how many submissions are graded here; stock: how many stock autograde gets, one after the other as it does.
        workers: processes of ours.

    Returns:
        Seconds a submission of both (all start-up included), their ratio, and the memory of the largest process in MB.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        ours, theirs = Path(temporary) / "ours", Path(temporary) / "stock"
        name = course(ours, lecture, students)
        begin = time.perf_counter()
        reports = autograde(ours, name, workers=workers)
        seconds = (time.perf_counter() - begin) / students
        lost = [report for report in reports if any(verdict.points < verdict.max_points for verdict in report.verdicts)]
        if lost:
            raise RuntimeError(f"right submissions lost points: {lost[0].verdicts}")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        course(theirs, lecture, stock)
        begin = time.perf_counter()
        subprocess.run(["nbgrader", "autograde", name], cwd=theirs, check=True, capture_output=True)
        stock_seconds = (time.perf_counter() - begin) / stock
    return {
        "lecture": name, "submissions": students, "stock_submissions": stock, "workers": workers,
        "seconds": round(seconds, 3), "stock_seconds": round(stock_seconds, 2),
        "ratio": round(stock_seconds / seconds, 1), "largest_process_mb": round(memory),
    }  # fmt: skip


def main() -> None:
    """Measure and print one JSON line a lecture."""
    parser = argparse.ArgumentParser(prog="python -m grading.benchmark", description=__doc__)
    parser.add_argument("lectures", nargs="*", default=[IMPORTS, "04_classification"], metavar="LECTURE")
    parser.add_argument("--students", type=int, default=32, help="submissions graded here (default: 32)")
    parser.add_argument("--stock", type=int, default=32, help="submissions that stock autograde gets (default: 32)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    venv_on_path()
    for lecture in options.lectures:
        print(json.dumps(measure(lecture, options.students, options.stock, options.workers)), flush=True)


if __name__ == "__main__":
    main()
