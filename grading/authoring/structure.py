"""Is a lecture source complete and well formed? Every fault is one sentence; whether its exercises judge fairly is the bank's question."""

import re
from collections import Counter
from pathlib import Path

from nbformat import NotebookNode

from grading import names
from grading.authoring.exercise_structure import exercise_faults
from grading.authoring.exercises import Exercise, exercises_of, given_cells, tagged
from grading.authoring.giveaway import giveaway_faults
from grading.sources import OPENING_CELL, grade_id, is_check, is_solution, points_of, read_lecture, source_path, tags

LONGEST, LONGEST_CHECK = 45, 60  # lines of a code cell
PICTURES = {f"show.{name}" for name in ("row", "figure", "explore", "slices", "curves")}
PARAMETERS = ("LECTURE", "PROFILE", "SEED")


def faults_of(lecture: str | Path) -> list[str]:
    """The faults of one lecture source, each a sentence; none for a sound one.

    Args:
        lecture: name, number or path.
    """
    path = source_path(str(lecture))
    return faults(read_lecture(path), path.stem, points_of(path.stem))


def faults(notebook: NotebookNode, lecture: str, points: dict[str, str]) -> list[str]:
    """The faults of a lecture notebook whose syllabus points are `points` (id -> title)."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            try:
                compile(cell.source, cell.id, "exec")
            except SyntaxError as error:
                return [f"{_where(cell)} is not valid Python: {error.msg}, line {error.lineno}."]
    exercises = exercises_of(notebook)
    found = [*opening_faults(notebook, lecture, points), *section_faults(notebook, points, exercises)]
    shared = shared_names(notebook)
    for exercise in exercises:
        found += exercise_faults(exercise, shared)
    found += exercise_id_faults(notebook, exercises, points)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found += cell_faults(cell)
    for cell in given_cells(notebook):
        foreign = sorted(names.needed(cell.source) - shared)
        if foreign:
            found.append(f"{_where(cell)} is given to the checks but reads {', '.join(foreign)}, which only a demonstration defines.")
    return found + demonstration_faults(notebook) + giveaway_faults(notebook) + ending_faults(notebook)


def shared_names(notebook: NotebookNode) -> set[str]:
    """What every check may read besides its own names: parameters but for the profile, set-up, solutions and given cells."""
    cells = [tagged(notebook, "parameters"), tagged(notebook, "setup"), *given_cells(notebook)]
    cells += [cell for cell in notebook.cells if cell.cell_type == "code" and is_solution(cell)]
    return set().union(*(names.defined(cell.source) for cell in cells if cell is not None)) - {"PROFILE"}


def opening_faults(notebook: NotebookNode, lecture: str, points: dict[str, str]) -> list[str]:
    """The four opening cells: title, data card, parameters, set-up, in this order."""
    if len(notebook.cells) < 4:
        return ["The lecture needs four opening cells: title, data card, parameters, set-up."]
    title = notebook.cells[0]
    found = []
    if title.cell_type != "markdown" or not re.match(r"# Lecture \d+ - \S", title.source):
        found.append("Cell 1 must begin with '# Lecture N - Title'.")
    objectives = re.findall(r"^- .+?(?:\n  .+)*$", title.source.partition("**After this you can**")[2].partition("**Time**")[0], re.M)
    if not 3 <= len(objectives) <= 6:
        found.append(f"Cell 1 lists {len(objectives)} objectives after '**After this you can**'; three to six are asked for.")
    for objective in objectives:
        ids = re.search(r"\((\d+\.\d+(?:, ?\d+\.\d+)*)\)\.?\s*$", objective)
        wrong = [point for point in re.split(r", ?", ids[1]) if point not in points] if ids else []
        if not ids:
            found.append(f"The objective '{objective[2:42]}...' must end with its point id, such as ({next(iter(points), '1.1')}).")
        for point in wrong:
            found.append(f"The objective '{objective[2:42]}...' cites point {point}, which is not of this lecture.")
    if not re.search(r"^\*\*Time\*\* about \d+ minutes", title.source, re.M):
        found.append("Cell 1 must say '**Time** about 90 minutes'.")
    return found + common_opening_faults(notebook, lecture)


def track_faults(notebook: NotebookNode, track: str) -> list[str]:
    """What a project track's source lacks: its opening cells, results, open questions and references."""
    if len(notebook.cells) < 4:
        return ["The track needs four opening cells: title, data card, parameters, set-up."]
    found = common_opening_faults(notebook, track)
    title = notebook.cells[0].source
    if not title.startswith(f"# Track {track[6:7]} - ") or "**The question.**" not in title:
        found.append(f"Cell 1 must begin with '# Track {track[6:7]} - title' and state '**The question.**'.")
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found += [f"There is no '## {name}' section." for name in ("Results", "Where a team could go", "References") if f"## {name}\n" not in text]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found += cell_faults(cell)
    return found


def common_opening_faults(notebook: NotebookNode, lecture: str) -> list[str]:
    """Data card, parameters and set-up, which open lectures and project tracks alike."""
    _, card, parameters, setup = notebook.cells[:4]
    found = []
    if card.cell_type != "markdown" or not card.source.startswith("## Data card") or "|" not in card.source:
        found.append("Cell 2 must be the data card: '## Data card' and a table.")
    if parameters.cell_type != "code" or "parameters" not in tags(parameters):
        found.append('Cell 3 must be the code cell with the tag "parameters".')
    else:
        found += parameter_faults(parameters.source, lecture)
    if setup.cell_type != "code" or "setup" not in tags(setup):
        found.append('Cell 4 must be the code cell with the tag "setup".')
    elif setup.source.strip() != OPENING_CELL.read_text(encoding="utf-8").strip():
        found.append("Cell 4 must hold exactly the text of grading/authoring/opening_cell.py: copy it anew.")
    return found


def parameter_faults(source: str, lecture: str) -> list[str]:
    """LECTURE is this lecture, PROFILE is for a student's laptop, SEED is there; nothing else."""
    values: dict = {}
    exec(source, values)
    found = [f"The parameters cell must set {name}." for name in PARAMETERS if name not in values]
    if values.get("LECTURE", lecture) != lecture:
        found.append(f'The parameters cell must say LECTURE = "{lecture}".')
    if values.get("PROFILE", "laptop") != "laptop":
        found.append('The parameters cell must say PROFILE = "laptop": that is what students run.')
    return found


def section_faults(notebook: NotebookNode, points: dict[str, str], exercises: list[Exercise]) -> list[str]:
    """One section for each syllabus point, in order, each with a prediction, a checkpoint with its answer, and an exercise."""
    text, order = {}, []
    current = ""
    for cell in notebook.cells:
        if cell.cell_type != "markdown" or is_solution(cell):
            continue
        for part in re.split(r"^(?=## )", cell.source, flags=re.M):
            heading = re.match(r"## (?:(\d+\.\d+) \S)?", part)
            if heading:
                current = heading[1] or ""
                order += [current] * bool(current)
            text[current] = text.get(current, "") + part + "\n"
    found = [f"The section '## {point} ...' stands twice." for point, times in Counter(order).items() if times > 1]
    found += [f"The section '## {point}' is not a syllabus point of this lecture." for point in dict.fromkeys(order) if point not in points]
    if [point for point in order if point in points] != [point for point in points if point in order]:
        found.append("The sections must follow the order of the syllabus.")
    for point, title in points.items():
        if point not in order:
            found.append(f"Point {point} ({title}) has no section: begin one with '## {point} ...'.")
            continue
        if "**Predict before you run.**" not in text[point]:
            found.append(f"Section {point} has no '**Predict before you run.**'.")
        if not re.search(r"\*\*Checkpoint\.\*\*.*?<details>\s*<summary>.*?</summary>.*?</details>", text[point], re.S):
            found.append(f"Section {point} has no '**Checkpoint.**' question with an answer in <details>.")
        if not any(exercise.point == point and exercise.checks for exercise in exercises):
            found.append(f"Section {point} has no graded exercise 'Exercise {point}a'.")
    return found


def exercise_id_faults(notebook: NotebookNode, exercises: list[Exercise], points: dict[str, str]) -> list[str]:
    """Exercise ids and grade ids are unique and well formed; every graded cell belongs to an exercise."""
    found = [f"The heading 'Exercise {one}' stands twice." for one, times in Counter(e.id for e in exercises).items() if times > 1]
    found += [f"Exercise {e.id} belongs to no syllabus point of this lecture." for e in exercises if e.point not in points]
    ids = [grade_id(cell) for cell in notebook.cells if grade_id(cell)]
    found += [f"The grade id '{one}' is used {times} times." for one, times in Counter(ids).items() if times > 1]
    crooked = [one for one in ids if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one)]
    found += [f"The grade id '{one}' must be lower-case words joined by dashes." for one in crooked]
    owned = {cell.id for exercise in exercises for cell in [*exercise.solutions, *exercise.checks]}
    for cell in notebook.cells:
        if (is_check(cell) or is_solution(cell)) and cell.cell_type == "code" and cell.id not in owned:
            found.append(f"{_where(cell)} stands under no '### Exercise {next(iter(points), '1.1')}a - title' heading.")
    for heading in re.findall(r"^### Exercise.*$", "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown"), re.M):
        if not re.match(r"### Exercise \d+\.\d+[a-z] - \S", heading):
            found.append(f"The heading '{heading}' must read '### Exercise 1.1a - title'.")
    return found


def cell_faults(cell: NotebookNode) -> list[str]:
    """Length, pictures without a description, solution text outside solution cells."""
    found = []
    lines, most = len(cell.source.splitlines()), LONGEST_CHECK if is_check(cell) else LONGEST
    if lines > most:
        found.append(f"{_where(cell)} has {lines} lines; a cell fits on a screen ({most}): split it.")
    if names.calls_with(cell.source, {"plt.show"}):
        found.append(f"{_where(cell)} calls plt.show(): use show.figure(fig, alt=...), which also says what is to be seen.")
    for call in names.calls_with(cell.source, PICTURES):
        alt = next((keyword.value for keyword in call.keywords if keyword.arg == "alt"), None)
        if alt is None or getattr(alt, "value", "text") in ("", None):
            found.append(f"{_where(cell)} shows a picture without words, line {call.lineno}: give it alt=\"what is to be seen\".")
    if "BEGIN SOLUTION" in cell.source and not is_solution(cell):
        found.append(f"{_where(cell)} holds solution markers but is no solution cell.")
    if "BEGIN HIDDEN TESTS" in cell.source and not is_check(cell):
        found.append(f"{_where(cell)} holds hidden checks but is no check cell.")
    return found


def demonstration_faults(notebook: NotebookNode) -> list[str]:
    """No cell but solutions and checks needs a name that only a student's answer or only a check defines."""
    students = {name for cell in notebook.cells if cell.cell_type == "code" and is_solution(cell) for name in names.defined(cell.source)}
    checks = {name for cell in notebook.cells if is_check(cell) for name in names.defined(cell.source)}
    others: set[str] = set()
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or is_solution(cell) or is_check(cell):
            continue
        wanted = names.needed(cell.source) - others
        others |= names.defined(cell.source)
        for name in sorted(names.defined(cell.source) & students):
            found.append(f"{_where(cell)} defines {name}, which is the name of a student's answer: it would take the answer's place.")
        if "given" in tags(cell):
            continue  # a given function may call the student's one by name: it runs only when a check calls it
        for name in sorted(wanted & students):
            found.append(f"{_where(cell)} uses {name}, which only the student's answer defines: it must run when nothing is solved.")
        for name in sorted((wanted & checks) - students - others):
            found.append(f"{_where(cell)} uses {name}, which only a check cell defines.")
    return found


def ending_faults(notebook: NotebookNode) -> list[str]:
    """Results, reflection and references, in this order."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    sections = ("Results", "Reflection", "References")
    found = [f"There is no '## {name}' section." for name in sections if not re.search(rf"^## {name}\s*$", text, re.M)]
    results = tagged(notebook, "results")
    calls = {"results.record", "results.table"}
    if results is None or not all(names.calls_with(results.source, {call}) for call in calls):
        found.append('There is no code cell with the tag "results" that calls results.record(...) and results.table(...).')
    reflections = [cell for cell in notebook.cells if cell.cell_type == "markdown" and is_solution(cell)]
    marks = reflections[0].metadata.nbgrader if reflections else {}
    if not (len(reflections) == 1 and marks.get("grade") and marks.get("grade_id") == "reflection" and marks.get("points") == 3):
        found.append("There must be one manually graded markdown cell: grade_id reflection, grade and solution true, 3 points.")
    elif len(reflections[0].source.strip()) < 40:
        found.append("The reflection cell must hold a model answer; the release clears it.")
    references = text.partition("\n## References")[2]
    if not re.search(r"\b(19|20)\d\d\b", references):
        found.append("The references must name papers with their year.")
    return found


def _where(cell: NotebookNode) -> str:
    """How a fault names a cell: by its grade id, or by its first line."""
    first = next((line for line in cell.source.splitlines() if line.strip()), "(empty)")
    return f"The cell '{grade_id(cell)}'" if grade_id(cell) else f"The cell that begins '{first.strip()[:60]}'"
