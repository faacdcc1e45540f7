"""Is one exercise well formed: heading, effort, hints, stub, checks? Each fault is one sentence."""

import ast
import re

from nbformat import NotebookNode

from grading import names
from grading.authoring.exercises import EFFORT, SUMMARY, Exercise
from grading.sources import grade_id

BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"


def exercise_faults(exercise: Exercise, shared: set[str]) -> list[str]:
    """The faults of one exercise.

    Args:
        exercise: as `exercises_of` gives it.
        shared: names that any check may read (set-up, solutions, given cells).
    """
    who = f"Exercise {exercise.id}"
    found = [f"{who} {fault}" for fault in [*_text_faults(exercise), *_solution_faults(exercise)]]
    if len(exercise.checks) < 2:
        found.append(f"{who} has {len(exercise.checks)} check cells; separate ideas need at least two.")
    for cell in exercise.checks:
        found += [f"The check '{grade_id(cell)}' {fault}" for fault in _check_faults(exercise, cell, shared)]
    return found


def _text_faults(exercise: Exercise) -> list[str]:
    found = []
    effort = EFFORT.search(exercise.text)
    if not effort:
        found.append("must say 'Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can ...*'.")
    elif int(effort["points"]) != sum(exercise.points.values()):
        found.append(f"promises {effort['points']} points, but its checks give {sum(exercise.points.values()):g}.")
    summaries = [summary.strip() for summary in SUMMARY.findall(exercise.text)]
    hints = [summary for summary in summaries if summary.startswith("Hint")]
    symptoms = [summary for summary in summaries if not summary.startswith(("Hint", "Answer"))]
    if len(hints) < 2:
        found.append(f"has {len(hints)} hints; it needs two: the idea, then what to call ('<details><summary>Hint 1: ...').")
    if not symptoms:
        found.append("has no help by symptom, such as '<details><summary>My value is too small</summary>'.")
    if exercise.text.count("<details>") != exercise.text.count("</details>"):
        found.append("has a <details> that doesn't close.")
    return found


def _solution_faults(exercise: Exercise) -> list[str]:
    if len(exercise.solutions) != 1:
        return [f"has {len(exercise.solutions)} solution cells; it needs exactly one."]
    source = exercise.solutions[0].source
    begins, ends = source.count(BEGIN_SOLUTION), source.count(END_SOLUTION)
    if not begins or begins != ends:
        return [f"needs its solution between '{BEGIN_SOLUTION}' and '{END_SOLUTION}'."]
    from grading.authoring.stub import released

    found = []
    try:
        stub = released(exercise)
    except RuntimeError as error:
        return [f"has solution markers that nbgrader refuses: {error}."]
    lines = {line.strip() for line in source.splitlines()} | {exercise.stub}
    strange = [line.strip() for line in stub.splitlines() if line.strip() not in lines]
    if strange:
        found.append(f"has a stub line that is not in its solution: '{strange[0]}'.")
    if stub.count(exercise.stub) != 1 and "class " not in stub:
        found.append("must leave exactly one NotImplementedError in its stub.")
    try:
        compile(stub, "stub", "exec")  # finds more than a parser does
        classes = [node for node in ast.parse(stub).body if isinstance(node, ast.ClassDef)]
        if any(isinstance(line, ast.Raise) for one in classes for line in one.body):
            found.append("leaves a class that is never defined, so that checks speak of a NameError: put the markers inside its methods.")
    except SyntaxError as error:
        found.append(f"leaves a stub that is not valid Python: {error.msg}, line {error.lineno}.")
    if re.search(r"^(def|class) ", source, re.M) and '"""' not in source.split(BEGIN_SOLUTION)[0]:
        found.append("has no docstring above its solution: task, arguments with shapes and units, what it returns.")
    return found


def _check_faults(exercise: Exercise, cell: NotebookNode, shared: set[str]) -> list[str]:
    source, found = cell.source, []
    if not grade_id(cell).startswith(f"{exercise.name}-"):
        found.append(f"must be called '{exercise.name}-<idea>'.")
    if cell.metadata.nbgrader.get("points", 0) <= 0 or not cell.metadata.nbgrader.get("locked"):
        found.append("must be locked and worth points.")
    if not source.lstrip().startswith("#"):
        found.append("must begin with a comment that says what idea it is about.")
    if source.count(BEGIN_HIDDEN) != 1 or source.count(END_HIDDEN) != 1:
        found.append(f"must hold one hidden part between '{BEGIN_HIDDEN}' and '{END_HIDDEN}'.")
    else:
        visible, _, rest = source.partition(BEGIN_HIDDEN)
        hidden, _, after = rest.partition(END_HIDDEN)
        for part, what in ((visible + after, "visible"), (hidden, "hidden")):
            if not re.search(r"^\s*(assert\b|raise AssertionError)", part, re.M):
                found.append(f"has no {what} assert.")
    for number in names.silent_asserts(source):
        found.append(f"has an assert without a message, line {number}: say what to fix.")
    students = {name for solution in exercise.solutions for name in names.defined(solution.source)}
    for number in names.code_arguments(source, students):
        found.append(f"hands code to the student's function, line {number}: grading passes data only, so make it a 'given' function.")
    foreign = sorted(names.needed(source) - shared)
    if foreign:
        found.append(f"reads {', '.join(foreign)}, which neither it nor the set-up, a solution or a 'given' cell defines.")
    return found
