"""Feedback pages for students, by nbgrader's own generate_feedback from the executed notebooks and the gradebook. It grades nothing."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from grading.marking.record import gradebook_url, venv_on_path


class FeedbackError(RuntimeError):
    """nbgrader could not write the feedback; the message says for whom and why."""


def feedback(course: Path, lecture: str, url: str | None = None, workers: int = 1) -> list[Path]:
    """Write `feedback/<student>/<lecture>/<lecture>.html` for everybody who was graded.

    Args:
        course: the course directory; lecture: its name; url: of the gradebook, None for the course's own.
        workers: processes; a page takes about two seconds, most of it for its HTML.

    Returns:
        The pages.

    Raises:
        FeedbackError: nobody was graded yet, or nbgrader refused.
    """
    students = sorted(path.parents[1].name for path in (course / "autograded").glob(f"*/{lecture}/{lecture}.ipynb"))
    if not students:
        raise FeedbackError(f"Nobody was graded for {lecture} yet: run `python -m grading autograde {lecture} --course {course}` first.")
    venv_on_path()
    workers = min(workers, -(-len(students) // 4))  # one more process costs as much as a few pages
    shares = [students[number::workers] for number in range(workers)]
    if workers == 1:
        _write(course, lecture, url, students)
    else:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            list(pool.map(_write, [course] * workers, [lecture] * workers, [url] * workers, shares))
    return sorted((course / "feedback").glob(f"*/{lecture}/*.html"))


def _write(course: Path, lecture: str, url: str | None, students: list[str]) -> None:
    """Write the pages of some students."""
    from nbgrader.converters import GenerateFeedback
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    class ForSome(GenerateFeedback):
        def init_notebooks(self) -> None:
            folders = [self._format_source(lecture, student) for student in students]  # nbgrader's own search takes [ and ] for a pattern
            self.assignments = {folder: [os.path.join(folder, f"{lecture}.ipynb")] for folder in folders}
            self.notebooks = []

    config = Config()
    config.CourseDirectory.root = str(course.absolute())
    config.CourseDirectory.db_url = gradebook_url(course, url)
    config.GenerateFeedback.force = True
    here = os.getcwd()
    try:
        ForSome(coursedir=CourseDirectory(config=config, assignment_id=lecture), config=config).start()
    except NbGraderException as problem:
        raise FeedbackError(f"nbgrader could not write the feedback for {lecture}: {problem}") from problem
    finally:
        os.chdir(here)
