"""A lecture's exercises as plain objects: heading, solution cell, check cells. What makes them good or bad is judged elsewhere."""

import re
from dataclasses import dataclass, field

from nbformat import NotebookNode

from grading.sources import grade_id, is_check, is_solution, tags

HEADING = re.compile(r"^### Exercise (?P<id>\d+\.\d+[a-z]) - (?P<title>\S.*?)\s*$", re.M)
EFFORT = re.compile(
    r"^Difficulty\s+(?P<difficulty>[1-5])\s+of\s+5\s+-\s+(?P<points>\d+)\s+points?\s+-\s+about\s+(?P<minutes>\d+)\s+minutes\s+-\s+\*(?P<objective>[^*]+)\*",
    re.M,
)
SUMMARY = re.compile(r"<details>\s*<summary>(.*?)</summary>", re.S | re.I)
USES = re.compile(r"^# uses:\s*(.+)$", re.M)
DEFINES = re.compile(r"^(?:async def|def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]+)?=(?!=)", re.M)


@dataclass
class Exercise:
    """One exercise.

    Attributes:
        id: as in its heading ("1.1a").
        title: what its heading says after the id.
        text: all markdown between the heading and the checkpoint.
        solutions: its solution cells; a sound exercise has exactly one.
        checks: its check cells, in order.
    """

    id: str
    title: str
    text: str = ""
    solutions: list[NotebookNode] = field(default_factory=list)
    checks: list[NotebookNode] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The grade id of the solution cell, which names the exercise's folder in the answer bank."""
        return grade_id(self.solutions[0]) if self.solutions else ""

    @property
    def point(self) -> str:
        """The syllabus point ("1.1")."""
        return self.id[:-1]

    @property
    def points(self) -> dict[str, float]:
        """Check id -> points."""
        return {grade_id(cell): cell.metadata.nbgrader.get("points", 0) for cell in self.checks}

    @property
    def uses(self) -> list[str]:
        """Grade ids of other exercises whose reference solution the checks need, from `# uses: other-id` lines."""
        found = [match for cell in [*self.solutions, *self.checks] for match in USES.findall(cell.source)]
        return list(dict.fromkeys(name.strip() for line in found for name in line.split(",") if name.strip()))

    @property
    def stub(self) -> str:
        """The one line that a student replaces."""
        return stub_line(self.id, self.title, self.solutions[0].source if self.solutions else "")


def stub_line(exercise_id: str, title: str, source: str) -> str:
    """`raise NotImplementedError("Exercise 1.1a: write cnr - contrast-to-noise ratio")` for the solution cell `source`."""
    names = [one or other for one, other in DEFINES.findall(source.split("### BEGIN SOLUTION")[0])]
    what = f"write {names[-1]} - " if names else ""
    message = f"Exercise {exercise_id}: {what}{title}".replace("\\", "\\\\").replace('"', '\\"')
    return f'raise NotImplementedError("{message}")'


def exercises_of(notebook: NotebookNode) -> list[Exercise]:
    """The exercises of a lecture notebook, in order.

    An exercise begins at its `### Exercise` heading and ends at the next heading of level two or three.
    """
    found: list[Exercise] = []
    current: Exercise | None = None
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not is_solution(cell):
            heading = HEADING.search(cell.source)
            if heading:
                current = Exercise(heading["id"], heading["title"])
                found.append(current)
                cell_text = cell.source[heading.start() :]
            elif re.search(r"^###? ", cell.source, re.M):
                current = None
                continue
            else:
                cell_text = cell.source
            if current:
                current.text += cell_text.split("**Checkpoint.**")[0] + "\n"
        elif current and is_solution(cell):
            current.solutions.append(cell)
        elif current and is_check(cell):
            current.checks.append(cell)
    return found


def given_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Cells tagged "given": what the checks may call besides the student's own code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and "given" in tags(cell)]


def tagged(notebook: NotebookNode, tag: str) -> NotebookNode | None:
    """The first code cell with that tag, or None."""
    return next((cell for cell in notebook.cells if cell.cell_type == "code" and tag in tags(cell)), None)
