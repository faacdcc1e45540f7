"""From whatever a student handed in to the answers in it: solution cells and the student's own helper cells, matched to the lecture.

Only source text is taken. Metadata, outputs and edits to any other cell are dropped. Nothing of a student's is run here.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from grading.marking.reading import Cell, Unreadable, names_in, parses, read
from grading.names import needed
from grading.sources import grade_id, is_check, is_solution

CELL = 200_000  # characters; a longer cell is not run
HELPERS, HELPER_CELLS = 1_000_000, 200  # characters of all of a student's own cells, and their number; what is more is not run

__all__ = ["Answer", "Rebuilt", "Unreadable", "rebuild"]


@dataclass
class Answer:
    """What one solution cell of the pristine notebook becomes.

    Attributes:
        source: the student's text; the released stub where there is none.
        helpers: the student's own code cells to be run before it, in order.
        found: how it was found: "id", "name", "joined" or "similar"; "unanswered" if it is the stub still, "missing" if it is not there.
    """

    source: str
    helpers: list[str] = field(default_factory=list)
    found: str = "missing"


@dataclass
class Rebuilt:
    """All answers of a submission.

    Attributes:
        answers: grade id of the solution cell -> answer, in the notebook's order.
        notes: what was mended or dropped, a sentence each.
        look: why a human should look at it, a sentence each; empty when there is no reason.
    """

    answers: dict[str, Answer]
    notes: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)


def _alike(one: Cell, other: Cell) -> float:
    """Share of words in common, 0 to 1; linear in the texts' lengths, whatever they are."""
    common = sum((Counter(one.words) & Counter(other.words)).values())
    return 2 * common / max(1, len(one.words) + len(other.words))


def rebuild(path: Path, released: NotebookNode) -> Rebuilt:
    """Match a submitted file to the lecture.

    Args:
        path: the submitted file.
        released: the notebook that students were given.

    Returns:
        One answer for each solution cell, manually graded text included.

    Raises:
        Unreadable: nothing can be taken from the file.
    """
    cells = read(path)
    result = Rebuilt({})
    stubs = {grade_id(cell): Cell(cell.cell_type, cell.source, grade_id(cell)) for cell in released.cells if is_solution(cell)}
    locked = {grade_id(cell): cell.source for cell in released.cells if is_check(cell)}
    others = [Cell(cell.cell_type, cell.source, grade_id(cell)) for cell in released.cells if not is_solution(cell)]
    _set_aside(cells, others, stubs, result)
    wanted = _wanted(released)
    chosen: dict[str, Cell] = {}
    for number, cell in enumerate(released.cells):
        if is_solution(cell):
            stub = stubs[grade_id(cell)]
            if stub.kind == "markdown":
                question = Cell("markdown", released.cells[number - 1].source if number else "", "")
                result.answers[stub.grade] = _text_answer(stub, question, cells, others, result)
            else:
                result.answers[stub.grade], used = _code_answer(stub, wanted[stub.grade], cells, result)
                if used is not None:
                    chosen[stub.grade] = used
    _place_helpers(cells, chosen, result)
    marks = {cell.grade for cell in cells}
    missing = [name for name in locked if name not in marks]
    if missing:
        result.notes.append(f"{len(missing)} check cells were missing or had lost their marks; the originals were used.")
    lost = [name for name, answer in result.answers.items() if answer.found == "missing"]
    if cells and len(lost) == len(result.answers):
        result.look.append("None of the lecture's exercises was found in this notebook: is it another lecture's?")
    elif lost:
        result.look.append(f"No cell was found that could be the answer to {', '.join(lost)}.")
    return result


def _wanted(released: NotebookNode) -> dict[str, frozenset[str]]:
    """Grade id of each code answer -> what it must define: what its stub does, else what the checks after it read and nothing defines."""
    code = [cell for cell in released.cells if cell.cell_type == "code"]
    there = set().union(*(names_in(cell.source) for cell in code))
    found, last = {}, ""
    for cell in code:
        if is_solution(cell):
            last = grade_id(cell)
            found[last] = frozenset(names_in(cell.source))
        elif is_check(cell) and last and not found[last]:
            found[last] = frozenset(needed(cell.source) - there)
    return found


def _set_aside(cells: list[Cell], others: list[Cell], stubs: dict[str, Cell], result: Rebuilt) -> None:
    """Mark the cells that are not the student's: the lecture's own, as released, edited or of an older release."""
    known = {other.words: other for other in others if other.kind == "code"}
    locked = {other.grade: other for other in others if other.grade}
    asked = set().union(*(stub.defines for stub in stubs.values()))
    edited = []
    for cell in cells:
        if cell.kind != "code" or not cell.words or cell.words in known:
            cell.taken = cell.taken or cell.words in known or not cell.words
            continue
        if cell.grade in locked:
            edited.append(cell.grade)
            cell.taken = not cell.defines & asked
        elif cell.grade not in stubs:
            near = [other for other in known.values() if _alike(cell, other) > 0.8]
            cell.taken = any(cell.defines <= other.defines for other in near)  # with a name of its own it is the student's
    if edited:
        which = ", ".join(edited) if len(edited) < 4 else f"{len(edited)} check cells"
        result.notes.append(f"Edited, or of an older release: {which}. The originals were used.")


def _text_answer(stub: Cell, question: Cell, cells: list[Cell], others: list[Cell], result: Rebuilt) -> Answer:
    """The student's text for a manually graded cell: by its grade id, and what was written in new cells below it or below the question."""
    texts = {other.words for other in others}
    own = [number for number, cell in enumerate(cells) if cell.grade == stub.grade or cell.words == stub.words]
    asked = [number for number, cell in enumerate(cells) if cell.kind == "markdown" and question.words and _alike(cell, question) > 0.8]
    below = []
    for cell in cells[(own or asked)[-1] + 1 :] if own or asked else ():
        if cell.kind == "code" or cell.words in texts or cell.grade:
            break
        below.append(cell)
    written = [cells[number] for number in own if cells[number].words != stub.words][-1:] + [cell for cell in below if cell.words]
    for cell in [*(cells[number] for number in own), *below]:
        cell.taken = True
    if not written:
        return Answer(stub.source, found="unanswered" if own else "missing")
    if below:
        result.notes.append(f"The answer to {stub.grade} was found in a cell without its mark.")
    return Answer("\n\n".join(cell.source for cell in written)[:CELL], found="name" if below else "id")


def _code_answer(stub: Cell, wanted: frozenset[str], cells: list[Cell], result: Rebuilt) -> tuple[Answer, Cell | None]:
    """The student's code for one solution cell: by grade id, by what it defines, joined from pieces, or by likeness; and its cell."""
    name = stub.grade
    own = [cell for cell in cells if cell.grade == name and cell.words]
    by_name = [cell for cell in cells if wanted and wanted <= cell.defines]
    written = [cell for cell in own if (cell in by_name or not wanted) and cell.words != stub.words]
    written = written or [cell for cell in by_name if cell.words != stub.words]
    if not written:
        return _from_pieces(stub, wanted, own, cells, result)
    if len({cell.words for cell in written}) > 1:
        result.notes.append(f"There are {len(written)} answers to {name}; the last one was used.")
    used = written[-1]
    for cell in {*own, *by_name}:
        old = cell.words == stub.words or (cell in by_name and cell.defines <= wanted)
        cell.taken = cell.taken or cell is used or old  # an older version that defines more may be needed for that
    source, more = _continued(used, cells)
    if more:
        result.notes.append(f"The answer to {name} was split over {more + 1} cells; they were joined.")
    if used.kind != "code":
        result.notes.append(f"The answer to {name} stood in a {used.kind} cell and was run as code.")
    if used.grade != name:
        result.notes.append(f"The answer to {name} had lost its mark and was found by the name that it defines.")
    found = "joined" if more else "id" if used.grade == name else "name"
    return _bounded(name, source, found, result), used


def _continued(first: Cell, cells: list[Cell]) -> tuple[str, int]:
    """The text of a cell with that of the following cells which make sense only as its continuation, and their number."""
    source, more = first.python, 0
    for cell in cells[cells.index(first) + 1 :]:
        joined = f"{source}\n{cell.source}"
        if cell.kind != "code" or cell.taken or cell.grade not in ("", first.grade) or parses(cell.source) or not parses(joined):
            break
        source, more, cell.taken = joined, more + 1, True
    return source, more


def _from_pieces(stub: Cell, wanted: frozenset[str], own: list[Cell], cells: list[Cell], result: Rebuilt) -> tuple[Answer, Cell | None]:
    """An answer that no single cell holds: its pieces together, or the nearest thing to it."""
    name = stub.grade
    joined = "\n".join(cell.source for cell in own)
    if len(own) > 1 and parses(joined) and wanted <= names_in(joined):
        for cell in own:
            cell.taken = True
        result.notes.append(f"The answer to {name} was split over {len(own)} cells; they were joined.")
        return _bounded(name, joined, "joined", result), own[0]
    near = own or [cell for cell in cells if cell.kind == "code" and not cell.taken and not cell.grade and _alike(cell, stub) > 0.7]
    seen = bool(near) or any(cell.words == stub.words for cell in cells)
    near = [cell for cell in near if cell.words != stub.words]
    for cell in [*near, *own, *(cell for cell in cells if cell.words == stub.words)]:
        cell.taken = True
    if not near:
        return Answer(stub.source, found="unanswered" if seen else "missing"), next((cell for cell in own), None)
    result.notes.append(f"The answer to {name} does not define {', '.join(sorted(wanted)) or 'what it should'}.")
    return _bounded(name, near[-1].source, "similar", result), near[-1]


def _bounded(name: str, source: str, found: str, result: Rebuilt) -> Answer:
    if len(source) > CELL:
        result.look.append(f"The answer to {name} has {len(source)} characters and was not run.")
        return Answer(f'raise ValueError("this cell is longer than {CELL} characters and was not run")', found=found)
    return Answer(source, found=found)


def _place_helpers(cells: list[Cell], chosen: dict[str, Cell], result: Rebuilt) -> None:
    """Give each cell of the student's own to the answer that follows it, or to the last one."""
    waiting: list[str] = []
    answers: dict[Cell, Answer] = {}
    for name, cell in chosen.items():
        answers.setdefault(cell, result.answers[name])  # two answers in one cell: helpers come before the first
    room, count, last = HELPERS, 0, None
    for cell in cells:
        if cell in answers:
            last = answers[cell]
            last.helpers += waiting
            waiting = []
        elif cell.kind == "code" and not cell.taken:
            room, count = room - len(cell.source), count + 1
            if len(cell.source) <= CELL and room >= 0 and count <= HELPER_CELLS:
                waiting.append(cell.source)
    if waiting and last is not None:
        last.helpers += waiting
    if room < 0:
        result.look.append(f"The student's own cells have more than {HELPERS} characters in all; the later ones were not run.")
    if count > HELPER_CELLS:
        result.look.append(f"There are {count} cells of the student's own; only the first {HELPER_CELLS} were run.")
