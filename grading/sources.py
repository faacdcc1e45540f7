"""Where the lecture sources are and how one becomes a notebook; what is done with that notebook lives elsewhere."""

import hashlib
import tomllib
from copy import deepcopy
from functools import cache, lru_cache
from pathlib import Path

import yaml
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
SOLUTIONS = ROOT / "solutions"
NOTEBOOKS = ROOT / "notebooks"
ANSWERS = ROOT / "tests" / "answers"
RUNS = ROOT / "results" / "runs"
OPENING_CELL = Path(__file__).with_name("authoring") / "opening_cell.py"
SYLLABUS = Path(__file__).with_name("syllabus.yaml")

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class SourceError(Exception):
    """A lecture source can't be used; the message says which one, where and what to do."""


class _TextKeys(yaml.SafeLoader):
    """YAML in which `1.10` stays the text "1.10": point ids are names, not numbers."""


_TextKeys.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:float"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@cache
def syllabus() -> dict:
    """The whole of syllabus.yaml; point ids are text ("4.3")."""
    return yaml.load(SYLLABUS.read_text(encoding="utf-8"), Loader=_TextKeys)


def points_of(lecture: str) -> dict[str, str]:
    """Point id -> title, for one lecture; empty for a lecture that the syllabus doesn't know."""
    return syllabus()["lectures"].get(lecture, {})


@cache
def repository() -> str:
    """The repository's address, which stands in pyproject.toml alone."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["project"]["urls"]["Repository"].rstrip("/")


def lectures() -> list[str]:
    """Names of the lectures whose source exists, in the order of the course."""
    return sorted(path.stem for path in SOLUTIONS.glob("[0-9][0-9]_*.py"))


def tracks() -> list[str]:
    """Names of the project's starter notebooks, such as "track_1_classification"; they run like lectures and ask no exercise."""
    return sorted(path.stem for path in SOLUTIONS.glob("track_[0-9]_*.py"))


def works() -> list[str]:
    """Names of the written works beside the lectures, such as "assignment_1"."""
    return sorted({path.stem for path in SOLUTIONS.glob("[a-z]*.py")} - set(tracks()))


def source_path(lecture: str) -> Path:
    """The source file of a lecture, given by name ("02_introduction_to_mia"), by number ("02" or "2") or by path.

    Raises:
        SourceError: there is no such lecture, or several match.
    """
    path = Path(lecture)
    if path.suffix == ".py" and path.is_file():
        return path
    name = path.stem if path.suffix in (".py", ".ipynb") else lecture
    if (SOLUTIONS / f"{name}.py").is_file():
        return SOLUTIONS / f"{name}.py"
    found = [known for known in lectures() if known.startswith(name.zfill(2) if name.isdigit() else name)]
    if len(found) != 1:
        known = ", ".join(lectures()) or "none yet"
        raise SourceError(f"'{lecture}' names {len(found) or 'no'} lecture sources. The sources in solutions/ are: {known}.")
    return SOLUTIONS / f"{found[0]}.py"


def read_lecture(lecture: str | Path) -> NotebookNode:
    """A lecture source as a notebook without outputs, the same bytes at every call.

    Args:
        lecture: name, number or path of the source.

    Returns:
        The notebook, solutions and hidden checks included. Each cell's id is its grade id, or a hash of its text.
        `notebook.metadata.lecture` is not set: the file's name is the lecture's name.
    """
    path = source_path(str(lecture))
    return read_text(path.read_text(encoding="utf-8"), str(path.name))


def read_text(text: str, name: str = "source") -> NotebookNode:
    """The text of a lecture source (jupytext py:percent) as a notebook; see `read_lecture`."""
    return deepcopy(_parsed(text, name))


@lru_cache(maxsize=64)
def _parsed(text: str, name: str) -> NotebookNode:
    """What `read_text` gives; kept, since a lecture takes half a second to parse and a test run asks for each many times."""
    import jupytext  # takes a second, and most commands fail or help before they need it

    try:
        notebook = jupytext.reads(text, fmt="py:percent")
    except Exception as error:
        raise SourceError(f"{name} can't be read as a py:percent notebook: {error}") from error
    notebook.metadata = NotebookNode(kernelspec=NotebookNode(KERNEL), language_info=NotebookNode(name="python"))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    taken: set[str] = set()
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)
        if cell.cell_type == "raw" or cell.metadata.get("nbgrader", {}).get("grade_id") is None:
            cell.metadata.pop("nbgrader", None)
        cell.id = _stable_id(cell, taken)
        taken.add(cell.id)
    return notebook


def _stable_id(cell: NotebookNode, taken: set[str]) -> str:
    """The cell's grade id, or a hash of its text; numbered if it is already taken in this notebook."""
    base = cell.metadata.get("nbgrader", {}).get("grade_id") or hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
    name, number = base[:60], 2
    while name in taken:
        name, number = f"{base[:60]}-{number}", number + 1
    return name


def tags(cell: NotebookNode) -> list[str]:
    """The tags of a cell."""
    return list(cell.metadata.get("tags", []))


def is_solution(cell: NotebookNode) -> bool:
    """Whether a student writes into this cell."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution", False))


def is_check(cell: NotebookNode) -> bool:
    """Whether this is an automatic check: graded, and not written by the student."""
    mark = cell.metadata.get("nbgrader", {})
    return bool(mark.get("grade", False)) and not mark.get("solution", False)


def grade_id(cell: NotebookNode) -> str:
    """The cell's grade id, or ''."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")
