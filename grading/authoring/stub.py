"""What a student gets in place of a solution: nbgrader's ClearSolutions, with a stub that names the exercise."""

import copy

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions

from grading.authoring.exercises import Exercise, exercises_of
from grading.sources import grade_id


class NamedStubs(ClearSolutions):
    """Clears solutions as nbgrader does; the stub of a code cell takes id and title from the exercise heading above it."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        self.stubs = {grade_id(cell): exercise.stub for exercise in exercises_of(nb) for cell in exercise.solutions}
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell: NotebookNode, resources: dict, cell_index: int) -> tuple[NotebookNode, dict]:
        stub = self.stubs.get(grade_id(cell))
        if stub:
            self.code_stub = {**self.code_stub, "python": stub}
        return super().preprocess_cell(cell, resources, cell_index)


def released(exercise: Exercise, cell: NotebookNode | None = None) -> str:
    """The text of an exercise's solution cell as the student gets it.

    Args:
        exercise: the exercise whose stub is written.
        cell: one of its solution cells; the first by default.

    Raises:
        RuntimeError: the solution markers are nested or don't close.
    """
    cell = copy.deepcopy(cell or exercise.solutions[0])
    clear = NamedStubs()
    clear.stubs = {grade_id(cell): exercise.stub}
    return clear.preprocess_cell(cell, {"language": "python"}, 0)[0].source
