"""A submitted file, whatever encoding, notebook format or damage it has, as plain cells. Only its text is believed; nothing is run."""

import ast
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from grading.names import defined

BYTES = 512 * 2**20  # a larger file is not read
CELLS = 5000  # nor a notebook with more cells


class Unreadable(ValueError):
    """Nothing can be taken from this submission; the message says why, for the student and for a human."""


@dataclass(eq=False)
class Cell:
    """A submitted cell, reduced to what is used.

    Attributes:
        kind: "code", "markdown" or "raw", as submitted.
        source: its text; grade: its grade id, or "".
        taken: it needs no further attention.
    """

    kind: str
    source: str
    grade: str
    taken: bool = False

    @cached_property
    def python(self) -> str:
        """Its text as Python code: that of a text cell counts as well, when it defines something. "" if there is none."""
        if self.kind == "code":
            return self.source
        lines = [line for line in self.source.split("\n") if not line.startswith("```")]
        text = "\n".join(lines)
        return text if parses(text) and names_in(text) else ""

    @cached_property
    def defines(self) -> frozenset[str]:
        """Names that it binds as code."""
        return frozenset(names_in(self.python)) if self.python else frozenset()

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Its text without regard to white space."""
        return tuple(self.source.split())


def parses(source: str) -> bool:
    """Whether it is Python."""
    try:
        ast.parse(source)
        return True
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def names_in(source: str) -> set[str]:
    """Names that code binds; of text that isn't Python, the names after `def` and `class` at a line's start."""
    try:
        return defined(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        heads = [line for line in source.split("\n") if line.startswith(("def ", "class ", "async def "))]
        words = [line.split("(")[0].split(":")[0].split() for line in heads]
        return {parts[-1] for parts in words if len(parts) > 1}


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """An ordinary file, to be read. Links are not followed; pipes and devices, which could keep a reader for ever, are not opened.

    Raises:
        Unreadable: it is something else, or may not be read.
    """
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as problem:
        raise Unreadable(f"The file can't be opened: {problem.strerror}.") from None
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise Unreadable("This is not an ordinary file.")
        try:
            yield file
        except OSError as problem:
            raise Unreadable(f"The file can't be read: {problem.strerror}.") from None


def read(path: Path) -> list[Cell]:
    """The cells of a submitted file.

    Raises:
        Unreadable: it is no notebook, is cut off, or is too large.
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > BYTES:
            much, most = f"{size / 2**20:.0f} MB", f"{BYTES / 2**20:.0f} MB"
            raise Unreadable(f"The file has {much}, more than the {most} that are read. Clear its outputs and hand it in again.")
        text = _text(file.read())
    if not text.strip():
        raise Unreadable("The file is empty.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError, MemoryError) as problem:
        if "\n<<<<<<< " in text and "\n>>>>>>> " in text:
            raise Unreadable("The file holds two versions in conflict (`<<<<<<<`). Keep one and hand it in again.") from None
        where = f" (at character {problem.pos} of {len(text)})" if isinstance(problem, json.JSONDecodeError) else ""
        raise Unreadable(f"The file is not a notebook: its JSON is cut off or damaged{where}. Save it again and hand it in.") from None
    cells = _raw_cells(content)
    if cells is None:
        raise Unreadable("The file is JSON, but not a notebook: it has no cells.")
    if len(cells) > CELLS:
        raise Unreadable(f"The notebook has {len(cells)} cells, more than the {CELLS} that are read.")
    return [cell for cell in map(_cell, cells) if cell is not None]


def _text(data: bytes) -> str:
    """The file's text, by the marks of its encoding or the look of its first bytes."""
    for encoding in (json.detect_encoding(data), "latin-1"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            if encoding not in ("utf-8", "utf-8-sig"):
                raise Unreadable(f"The file, text in {encoding}, is cut off or damaged. Save it again and hand it in.") from None
    raise AssertionError("latin-1 reads any bytes")


def _raw_cells(content: object) -> list | None:
    """The list of cells in a notebook of format 4, or 3 with its worksheets."""
    if not isinstance(content, dict):
        return None
    if isinstance(content.get("cells"), list):
        return content["cells"]
    sheets = content.get("worksheets")
    if not isinstance(sheets, list):
        return None
    return [cell for sheet in sheets if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list) for cell in sheet["cells"]]


def _cell(raw: object) -> Cell | None:
    if not isinstance(raw, dict):
        return None
    source = raw.get("source", raw.get("input", ""))
    source = "".join(map(str, source)) if isinstance(source, list) else str(source)
    source = source.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode().replace("\0", "")
    metadata = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
    marks = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    return Cell(str(raw.get("cell_type", ""))[:20], source, str(marks.get("grade_id", ""))[:200])
