"""From whatever a student handed in to the answers in it: solution cells and the student's own helper cells, matched to the lecture.

Only source text is taken. Metadata, outputs and edits to any other cell are dropped. Nothing of a student's is run here.
"""

import ast
import difflib
import json
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from grading.names import defined
from grading.sources import grade_id, is_check, is_solution

BYTES = 512 * 2**20  # a larger file is not read
CELL = 200_000  # characters; a longer cell is not run


class Unreadable(ValueError):
    """Nothing can be taken from this submission; the message says why, for the student and for a human."""


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


@dataclass
class _Cell:
    """A submitted cell, reduced to what is believed."""

    kind: str
    source: str
    grade: str
    taken: bool = False

    def defines(self) -> set[str]:
        return _defined(self.source) if self.kind == "code" else set()


def _defined(source: str) -> set[str]:
    """Names that a cell binds; for text that isn't Python, the names after `def` and `class` at a line's start."""
    try:
        return defined(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        heads = [line for line in source.splitlines() if line.startswith(("def ", "class ", "async def "))]
        words = [line.split("(")[0].split(":")[0].split() for line in heads]
        return {parts[-1] for parts in words if len(parts) > 1}


def read(path: Path) -> list[_Cell]:
    """The cells of a submitted file, whatever encoding, notebook format or damage it has.

    Raises:
        Unreadable: it is no notebook, is cut off, or is too large.
    """
    size = path.stat().st_size
    if size > BYTES:
        much, most = f"{size / 2**20:.0f} MB", f"{BYTES / 2**20:.0f} MB"
        raise Unreadable(f"The file has {much}, more than the {most} that are read. Clear its outputs and hand it in again.")
    data = path.read_bytes()
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "latin-1"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise Unreadable("The file is not text in a known encoding. Save the notebook again and hand it in.")
    if not text.strip():
        raise Unreadable("The file is empty.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as problem:
        where = f" (at character {problem.pos} of {len(text)})" if isinstance(problem, json.JSONDecodeError) else ""
        raise Unreadable(f"The file is not a notebook: its JSON is cut off or damaged{where}. Save it again and hand it in.") from None
    sheets = content.get("worksheets") if isinstance(content, dict) else None
    cells = sheets[0].get("cells") if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict) else None
    cells = content.get("cells") if isinstance(content, dict) and "cells" in content else cells
    if not isinstance(cells, list):
        raise Unreadable("The file is JSON, but not a notebook: it has no cells.")
    return [cell for cell in map(_cell, cells) if cell is not None]


def _cell(raw: object) -> _Cell | None:
    if not isinstance(raw, dict):
        return None
    source = raw.get("source", raw.get("input", ""))
    source = "".join(map(str, source)) if isinstance(source, list) else str(source)
    metadata = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
    marks = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    return _Cell(str(raw.get("cell_type", "")), source.replace("\r\n", "\n"), str(marks.get("grade_id", "")))


def _same(one: str, other: str) -> bool:
    return one.split() == other.split()


def _alike(one: str, other: str) -> float:
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() > 0.5 and matcher.quick_ratio() > 0.5 else 0.0


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
    stubs = {grade_id(cell): cell for cell in released.cells if is_solution(cell)}
    locked = {grade_id(cell): cell.source for cell in released.cells if is_check(cell) and not is_solution(cell)}
    others = [cell.source for cell in released.cells if not is_solution(cell) and cell.cell_type == "code"]
    result = Rebuilt({})
    for name, stub in stubs.items():
        result.answers[name] = _answer(name, stub, cells, result)
    for cell in cells:
        if cell.kind != "code" or cell.taken or not cell.source.strip():
            continue
        if cell.grade in locked and not _same(cell.source, locked[cell.grade]):
            result.notes.append(f"The check cell {cell.grade} had been edited; the original was used.")
        if cell.grade in stubs or any(_same(cell.source, other) for other in others):
            cell.taken = True
        elif cell.grade in locked or any(_alike(cell.source[:4000], other[:4000]) > 0.8 for other in others):
            cell.taken = True
    _place_helpers(cells, result)
    marks = {cell.grade for cell in cells}
    missing = [name for name in locked if name not in marks]
    if missing:
        result.notes.append(f"{len(missing)} check cells were missing or had lost their marks; the originals were used.")
    if cells and all(answer.found == "missing" for answer in result.answers.values()):
        result.look.append("None of the lecture's exercises was found in this notebook: is it another lecture's?")
    return result


def _answer(name: str, stub: NotebookNode, cells: list[_Cell], result: Rebuilt) -> Answer:
    """The student's text for one solution cell: by grade id, by what it defines, joined from pieces, or by likeness."""
    if stub.cell_type == "markdown":
        own = [cell for cell in cells if cell.kind == "markdown" and (cell.grade == name or _alike(cell.source, stub.source) > 0.9)]
        written = [cell for cell in own if not _same(cell.source, stub.source)]
        for cell in own:
            cell.taken = True
        return Answer(written[-1].source, found="id") if written else Answer(stub.source, found="unanswered" if own else "missing")
    wanted = _defined(stub.source)
    own = [cell for cell in cells if cell.kind == "code" and cell.grade == name]
    by_name = [cell for cell in cells if cell.kind == "code" and wanted and wanted <= cell.defines()]
    candidates = [cell for cell in own if not wanted or cell in by_name] or by_name
    written = [cell for cell in candidates if not _same(cell.source, stub.source)]
    if not written:
        written = [cell for cell in by_name if not _same(cell.source, stub.source)]
    if len(own) > 1:
        joined = "\n".join(cell.source for cell in own)
        if _parses(joined) and wanted <= _defined(joined) and not all(_parses(cell.source) for cell in own):
            for cell in own:
                cell.taken = True
            result.notes.append(f"The answer to {name} was split over {len(own)} cells; they were joined.")
            return Answer(joined, found="joined")
    if written:
        if len({cell.source for cell in written}) > 1:
            result.notes.append(f"There are {len(written)} answers to {name}; the last one was used.")
        chosen = written[-1]
        for cell in {id(c): c for c in [*own, *by_name]}.values():
            cell.taken = cell.taken or cell is chosen or _same(cell.source, stub.source) or cell in written
        found = "id" if chosen.grade == name else "name"
        if found == "name":
            result.notes.append(f"The answer to {name} had lost its mark and was found by the name that it defines.")
        return _bounded(name, chosen.source, found, result)
    near = own or [c for c in cells if c.kind == "code" and not c.taken and not c.grade and _alike(c.source, stub.source) > 0.7]
    seen, near = bool(near or candidates), [cell for cell in near if not _same(cell.source, stub.source)]
    for cell in [*near, *candidates, *own]:
        cell.taken = True
    if near:
        result.notes.append(f"The answer to {name} does not define {', '.join(sorted(wanted)) or 'what it should'}.")
        return _bounded(name, near[-1].source, "similar", result)
    return Answer(stub.source, found="unanswered" if seen else "missing")


def _bounded(name: str, source: str, found: str, result: Rebuilt) -> Answer:
    if len(source) > CELL:
        result.look.append(f"The answer to {name} has {len(source)} characters and was not run.")
        return Answer(f'raise ValueError("this cell is longer than {CELL} characters and was not run")', found=found)
    return Answer(source, found=found)


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
        return True
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _place_helpers(cells: list[_Cell], result: Rebuilt) -> None:
    """Give each cell of the student's own to the answer that follows it, or to the last one."""
    waiting: list[str] = []
    chosen = {answer.source: answer for answer in result.answers.values() if answer.found != "missing"}  # a stub may need its helpers, too
    last = None
    for cell in cells:
        if cell.kind != "code" or not cell.source.strip():
            continue
        if cell.taken:
            if cell.source in chosen:
                last = chosen[cell.source]
                last.helpers += waiting
                waiting = []
        elif len(cell.source) <= CELL:
            waiting.append(cell.source)
    if waiting and last is not None:
        last.helpers += waiting
