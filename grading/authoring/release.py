"""From lecture source to student notebook, through nbgrader's own generate_assignment. Nothing here decides what a good source is."""

import copy
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from grading.authoring import badges
from grading.authoring.structure import opening_faults, track_faults
from grading.sources import NOTEBOOKS, SourceError, points_of, read_lecture, repository, source_path, tracks, works

CONFIG = Path(__file__).parents[1] / "nbgrader_config.py"


def release(lectures: list[str], write: bool = True, folder: Path = NOTEBOOKS) -> Iterator[tuple[str, bool]]:
    """Write the student notebooks of some lectures.

    Args:
        lectures: names, numbers or paths of sources.
        write: if False, only compare.
        folder: where the notebooks are.

    Yields:
        Name of the lecture, and whether its notebook was (or would be) changed.

    Raises:
        SourceError: a source does not open as it must, or nbgrader refuses it. Nothing of that lecture is written.
    """
    for lecture in lectures:
        name, text = source_path(lecture).stem, released_text(lecture)
        path = folder / f"{name}.ipynb"
        changed = not path.is_file() or path.read_text(encoding="utf-8") != text
        if changed and write:
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(text, encoding="utf-8", newline="\n")
            part.replace(path)
        yield name, changed


def released_text(lecture: str | Path) -> str:
    """The student notebook of one lecture as the text of its .ipynb file, the same bytes at every call."""
    name = source_path(str(lecture)).stem
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        course = write_course(Path(temporary), [str(lecture)])
        _generate(course, name)
        notebook = nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4)
    return as_text(notebook)


def as_text(notebook: NotebookNode) -> str:
    """A notebook as deterministic text: sorted keys, indent 1, a newline at the end."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def write_course(folder: Path, lectures: list[str]) -> Path:
    """A course directory in which nbgrader's own commands work: instructor notebooks under source/, and the configuration.

    Args:
        folder: made if it does not exist; submissions and gradebook in it are left alone.
        lectures: names, numbers or paths of sources; each becomes an assignment of its name.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONFIG, folder / CONFIG.name)
    for lecture in lectures:
        name = source_path(lecture).stem
        source = folder / "source" / name / f"{name}.ipynb"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(as_text(instructor_notebook(lecture)), encoding="utf-8", newline="\n")
    return folder


def instructor_notebook(lecture: str | Path) -> NotebookNode:
    """The lecture with solutions and hidden checks, ready to open anywhere: badge in, repository address in.

    Raises:
        SourceError: the opening cells are not what every lecture must open with.
    """
    path = source_path(str(lecture))
    notebook = copy.deepcopy(read_lecture(path))
    if path.stem in works():
        return notebook
    wrong = track_faults(notebook, path.stem) if path.stem in tracks() else opening_faults(notebook, path.stem, points_of(path.stem))
    if wrong:
        raise SourceError(f"{path.name} can't be released:\n" + "\n".join(f"  - {fault}" for fault in wrong))
    title, setup = notebook.cells[0], notebook.cells[3]
    heading, _, rest = title.source.partition("\n")
    title.source = f"{heading}\n\n{badges.row(path.stem)}\n{rest}" if badges.row(path.stem) else title.source
    setup.source = setup.source.replace("REPOSITORY", repository())
    return notebook


def _generate(course: Path, assignment: str) -> None:
    """nbgrader generate_assignment, in this process and without a gradebook."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import SaveCells
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader(CONFIG.name, path=str(course)).load_config()
    config.CourseDirectory.root = str(course)
    config.GenerateAssignment.no_database = True
    config.GenerateAssignment.preprocessors = [step for step in config.GenerateAssignment.preprocessors if step is not SaveCells]
    coursedir = CourseDirectory(config=config, assignment_id=assignment)
    converter = GenerateAssignment(coursedir=coursedir, config=config)
    errors = _Collected()
    converter.log.addHandler(errors)
    here = os.getcwd()
    try:
        converter.start()
    except NbGraderException as error:
        raise SourceError(f"nbgrader can't release {assignment}: {errors.reason() or error}") from error
    finally:
        os.chdir(here)
        converter.log.removeHandler(errors)


class _Collected(logging.Handler):
    """Keeps what nbgrader logs as errors, since its exceptions only say that something was logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def reason(self) -> str:
        """The last line of the traceback that nbgrader logged, or its first message."""
        traces = [message for message in self.messages if message.startswith("Traceback")]
        return (traces[-1].strip().splitlines()[-1] if traces else "; ".join(self.messages[:1])).strip()
