"""Feedback pages for students, by nbgrader's own generate_feedback from the executed notebooks and the gradebook. It grades nothing."""

import os
from pathlib import Path

from grading.record import gradebook_url, venv_on_path


class FeedbackError(RuntimeError):
    """nbgrader could not write the feedback; the message says for whom and why."""


def feedback(course: Path, lecture: str, url: str | None = None) -> list[Path]:
    """Write `feedback/<student>/<lecture>/<lecture>.html` for everybody who was graded.

    Args:
        course: the course directory; lecture: its name; url: of the gradebook, None for the course's own.

    Returns:
        The pages.

    Raises:
        FeedbackError: nobody was graded yet, or nbgrader refused.
    """
    from nbgrader.converters import GenerateFeedback
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    if not list((course / "autograded").glob(f"*/{lecture}/{lecture}.ipynb")):
        raise FeedbackError(f"Nobody was graded for {lecture} yet: run `python -m grading autograde {lecture} --course {course}` first.")
    venv_on_path()
    config = Config()
    config.CourseDirectory.root = str(course.absolute())
    config.CourseDirectory.db_url = gradebook_url(course, url)
    config.GenerateFeedback.force = True
    here = os.getcwd()
    try:
        GenerateFeedback(coursedir=CourseDirectory(config=config, assignment_id=lecture), config=config).start()
    except NbGraderException as problem:
        raise FeedbackError(f"nbgrader could not write the feedback for {lecture}: {problem}") from problem
    finally:
        os.chdir(here)
    return sorted((course / "feedback").glob(f"*/{lecture}/*.html"))
