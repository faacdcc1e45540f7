"""What a student runs at home: a notebook's answers, rebuilt as grading will rebuild them, against the checks that can be seen."""

import copy
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from grading.marking.rebuild import Rebuilt, Unreadable, rebuild
from grading.marking.worker import lent
from grading.sources import NOTEBOOKS, SourceError, grade_id, is_check, is_solution, tags

_KEPT = ("parameters", "setup", "given")


@dataclass(frozen=True)
class Outcome:
    """What a visible check said: its grade id, points and the reason, empty when nothing is wrong."""

    check: str
    points: float
    reason: str


def check(path: Path, released: Path | None = None, seconds: int = 300) -> tuple[list[Outcome], list[str]]:
    """Run a notebook's answers and its visible checks in an ordinary kernel.

    Args:
        path: the student's notebook; released: the notebook as it was given out, None for the one in `notebooks/` of the same name.
        seconds: a cell may take.

    Returns:
        One outcome for each check, and what grading would mend or question, a sentence each.

    Raises:
        SourceError: there is no such released notebook. Unreadable: the file can't be read.
    """
    from nbclient import NotebookClient

    if not path.is_file():
        raise SourceError(f"There is no notebook {path}.")
    released = released or NOTEBOOKS / path.name
    if not released.is_file():
        known = ", ".join(sorted(file.name for file in NOTEBOOKS.glob("*.ipynb")))
        raise SourceError(f"There is no released notebook called {path.name}; those that there are: {known}.")
    given = nbformat.read(released, as_version=4)
    rebuilt = rebuild(path.resolve(), given)
    notebook = _runnable(given, rebuilt)
    NotebookClient(notebook, timeout=seconds, kernel_name="python3", allow_errors=True).execute()
    outcomes = []
    for cell in notebook.cells:
        if is_check(cell):
            errors = [output for output in cell.outputs if output.output_type == "error"]
            reason = (errors[0].evalue or errors[0].ename) if errors else ""
            outcomes.append(Outcome(grade_id(cell), float(cell.metadata.nbgrader.points), reason))
    return outcomes, [*rebuilt.look, *rebuilt.notes]


def _runnable(released: NotebookNode, rebuilt: Rebuilt) -> NotebookNode:
    """What grading would run of a notebook: set-up, given cells, helpers, answers, visible checks."""
    notebook = copy.deepcopy(released)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if is_solution(cell):
            answer = rebuilt.answers[grade_id(cell)]
            cells += [nbformat.v4.new_code_cell(helper) for helper in answer.helpers]
            cell.source = answer.source
            cells.append(cell)
        elif is_check(cell) or set(tags(cell)) & set(_KEPT):
            if "parameters" in tags(cell):
                cell.source += '\nPROFILE = "ci"'
            cells.append(cell)
        elif needs := lent(cell.source):
            cells.append(nbformat.v4.new_code_cell(needs))
    notebook.cells = cells
    return notebook


__all__ = ["Outcome", "Unreadable", "check"]
