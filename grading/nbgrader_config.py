"""nbgrader's configuration for this course: plain `nbgrader` commands in a course directory behave as `python -m grading release` does.

`python -m grading course FOLDER` puts a copy beside the sources, where nbgrader looks for it.
"""

from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import ClearSolutions

from grading.authoring.stub import NamedStubs
from grading.sources import syllabus

c = get_config()  # noqa: F821 - nbgrader's loader gives it
c.CourseDirectory.course_id = syllabus()["course"]["code"]
# As nbgrader has it, but with a stub that names its exercise.
c.GenerateAssignment.preprocessors = [NamedStubs if step is ClearSolutions else step for step in GenerateAssignment().preprocessors]
# A lecture takes minutes, and a single slow cell is not a dead one.
c.Execute.timeout = 600
