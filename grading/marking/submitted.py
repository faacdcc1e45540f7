"""What students handed in, as it lies in the course directory: who, which file, and when. Links are never followed; nothing is run."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from grading.marking.reading import Unreadable, opened

_DEEP, _MANY = 3, 10_000  # folders below the submission that are searched, and entries that are looked at
_SKIPPED = (".ipynb_checkpoints", "__MACOSX", "__pycache__", ".git")


@dataclass(frozen=True)
class Task:
    """One submission to be graded.

    Attributes:
        student: the folder's name; characters that can't be printed are written out.
        folder: what was handed in; file: the notebook in it, None if there is none to read.
        note: what was odd about its place or name, for the student and for a human.
        look: it is odd enough for a human to look at.
        kept: where its report is kept once it is graded.
    """

    student: str
    folder: Path
    file: Path | None = None
    note: str = ""
    look: bool = False
    kept: Path | None = None


def tasks(course: Path, lecture: str) -> list[Task]:
    """One task for each student who handed in anything for this lecture, whatever it is."""
    root = course / "submitted"
    found = [_task(folder, lecture) for folder in sorted(root.iterdir())] if root.is_dir() else []
    return [task for task in found if task is not None]


def absent(course: Path, lecture: str) -> list[str]:
    """Students whose folder holds something, but nothing under this lecture's name."""
    root = course / "submitted"
    folders = [folder for folder in sorted(root.iterdir()) if folder.is_dir() and not folder.is_symlink()] if root.is_dir() else []
    return [folder.name for folder in folders if _task(folder, lecture) is None and _holds_something(folder)]


def _holds_something(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:  # what can't be read may hold anything
        return True


def _task(folder: Path, lecture: str) -> Task | None:
    """What one student handed in; None if nothing for this lecture."""
    name = os.fsencode(folder.name).decode("utf-8", "backslashreplace")
    student = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name)
    place, loose = folder / lecture, folder / f"{lecture}.ipynb"
    try:
        if not os.path.lexists(place):
            if not os.path.lexists(loose):
                return None
            files, odd = ([loose], 0) if _ordinary(loose) else ([], 1)
        elif folder.is_symlink() or place.is_symlink():
            return Task(student, place, None, "The submission is a link to somewhere else and was not followed.", True)
        elif _ordinary(place):
            files, odd = [place], 0
        else:
            files, odd = _files(place)
    except OSError as problem:
        return Task(student, place, None, f"The submission can't be read: {problem.strerror}.", True)
    if folder.is_symlink():
        return Task(student, place, None, "The submission is a link to somewhere else and was not followed.", True)
    file, note = _choose(files, lecture)
    if file is None:
        odder = "The notebook is a link or no ordinary file, and was not opened."
        return Task(student, place, None, odder if odd and not files else "The folder holds no notebook.", True)
    if file.lstat().st_nlink > 1:
        return Task(student, place, file, f"{note} The file has a second name elsewhere on this disk (a hard link).".strip(), True)
    return Task(student, place, file, note)


def _ordinary(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _files(place: Path) -> tuple[list[Path], int]:
    """Ordinary files in a folder and in those below it, and how many links and devices are among them."""
    files, odd = [], 0
    walk = os.walk(place, followlinks=False, onerror=_raise)
    for where, folders, names in islice(walk, _MANY):
        deep = len(Path(where).relative_to(place).parts)
        folders[:] = sorted(name for name in folders if name not in _SKIPPED) if deep < _DEEP else []
        for name in sorted(names)[:_MANY]:
            ordinary = _ordinary(Path(where, name))
            files += [Path(where, name)] if ordinary else []
            odd += not ordinary
    return files, odd


def _raise(problem: OSError) -> None:
    raise problem


def _choose(files: list[Path], lecture: str) -> tuple[Path | None, str]:
    """The notebook among files: by its full name, else anything that looks like one; the largest of several."""
    named = [path for path in files if path.name == f"{lecture}.ipynb" or path.name == lecture]
    notebooks = [path for path in files if ".ipynb" in path.name.lower()]
    texts = [path for path in files if path.suffix.lower() in (".json", ".txt")]
    found = named or notebooks or texts
    if not found:
        return None, ""
    chosen = max(found, key=lambda path: path.lstat().st_size)
    if named:
        return chosen, f"There are {len(named)} files called {lecture}.ipynb; the largest was graded." if len(named) > 1 else ""
    if len(found) > 1:
        return chosen, f"There are {len(found)} notebooks and none is called {lecture}.ipynb; the largest was graded."
    return chosen, f"The file is called {chosen.name} instead of {lecture}.ipynb."


def handed_in(task: Task) -> datetime | None:
    """When, by the timestamp.txt that nbgrader's collecting leaves, as naive UTC; None without one. A file's own time tells when it was copied."""
    from dateutil.parser import parse

    try:
        with opened(task.folder / "timestamp.txt") as file:
            told = parse(file.read(60).decode().strip())
        return (told.astimezone(UTC) if told.tzinfo else told).replace(tzinfo=None)
    except (Unreadable, OSError, ValueError, OverflowError, ArithmeticError, TypeError):
        return None
