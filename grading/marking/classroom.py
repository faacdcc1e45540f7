"""A whole class: keeps what is done, has the rest graded by `spread`, and hands reports to the one writer."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import nbformat

from grading.marking import spread
from grading.marking.judge import Verdict
from grading.marking.reading import Unreadable, opened
from grading.marking.record import Recorder
from grading.marking.spread import Order
from grading.marking.submitted import Task, handed_in, tasks
from grading.marking.worker import Lecture, Report
from grading.sandbox import JailError, Limits, requirements
from grading.sources import NOTEBOOKS, ROOT, SourceError


def load_lecture(course: Path, name: str) -> Lecture:
    """A lecture as the course directory has it (`source/` and `release/`), else as this checkout has it.

    Raises:
        SourceError: it is in neither.
    """
    from grading.authoring.release import instructor_notebook, released_text

    source, release = (course / part / name / f"{name}.ipynb" for part in ("source", "release"))
    if source.is_file() and release.is_file():
        return Lecture(name, nbformat.read(source, as_version=4), nbformat.read(release, as_version=4))
    released = NOTEBOOKS / f"{name}.ipynb"
    text = released.read_text(encoding="utf-8") if released.is_file() else released_text(name)
    return Lecture(name, instructor_notebook(name), nbformat.reads(text, as_version=4))


@cache
def _version() -> str:
    """Changes when the grading code, what notebooks import of the course, or the locked environment changes."""
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes() if (ROOT / "requirements.lock").is_file() else b"")
    for path in sorted([*Path(__file__).parents[1].rglob("*.py"), *(ROOT / "helpers").rglob("*.py"), *ROOT.glob("data_manifest.yaml")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def key(task: Task, lecture: Lecture, order: Order) -> str:
    """Names a report: it changes when file, lecture, environment, seed, limits or folder of data change.

    Raises:
        Unreadable: there is no file that could be read.
    """
    if task.file is None:
        raise Unreadable(task.note)
    digest = hashlib.sha256(repr((lecture.key, _version(), order.seed, asdict(order.limits), order.data)).encode())
    with opened(task.file) as stream:
        while part := stream.read(2**20):
            digest.update(part)
    return digest.hexdigest()[:24]


def _failed(student: str, lecture: Lecture, why: str) -> Report:
    """The report of a submission that could not be graded: no points, a reason, and a row for a human."""
    return Report(student, lecture.name, [Verdict(name, 0, points, why) for name, points in lecture.checks.items()], look=[why])


def autograde(
    course: Path,
    name: str,
    *,
    url: str | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    seed: int = 0,
    force: bool | set[str] = False,
    data: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, all_of_them: None,
) -> list[Report]:
    """Grade everything that was handed in for one lecture; what is graded already and has not changed is only recorded.

    Args:
        course: with `submitted/<student>/<lecture>/<lecture>.ipynb`.
        name: the lecture's; url: of the gradebook, None for `gradebook.db` in the course directory.
        workers: submissions at a time on this machine; scheduler: address of a Dask scheduler instead.
        limits, seed: see `job.grade`; data: the folder of data sets.
        force: grade again what is graded already, of everybody or of these students.
        progress: called with how many are done, and of how many.

    Returns:
        The reports, in order of the students.

    Raises:
        SourceError: no such lecture, nobody handed in, or no such folder of data or scheduler. JailError: this machine can't jail (nothing
            is graded). RuntimeError: the gradebook took no results.
    """
    course = course.absolute()
    if data is not None and not data.is_dir():
        raise SourceError(f"There is no folder of data {data}.")
    data = data and data.absolute()
    missing = [] if scheduler else requirements()
    if missing:
        raise JailError("This machine can't jail submissions, so nothing is graded. " + " ".join(missing))
    os.environ.setdefault("PYTHONHASHSEED", "0")  # for the processes that are started: sets in checks have one order
    lecture = load_lecture(course, name)
    order = Order(name, nbformat.writes(lecture.pristine), nbformat.writes(lecture.released), seed, limits, str(data or ""))
    everything = {task.student: task for task in tasks(course, name)}
    if not everything:
        raise SourceError(f"Nobody handed in {name}: there is no {course / 'submitted'}/<student>/{name}/.")
    reports, waiting = {}, []
    for student, task in everything.items():
        try:
            task = replace(task, kept=course / ".grading" / name / student / f"{key(task, lecture, order)}.json")
        except Unreadable as problem:
            reports[student] = _failed(student, lecture, str(problem))
            continue
        report = None if force is True or (force and student in force) else _report_at(task)
        if report is None:
            waiting.append(task)
        else:
            reports[student] = report
    waiting_for = {task.student for task in waiting}
    progress(len(everything) - len(waiting), len(everything))
    recorder = None
    try:
        for task, outcome in spread.on_cluster(order, waiting, scheduler) if scheduler else spread.here(order, waiting, workers):
            recorder = recorder or Recorder(course, lecture, url)  # opened while the first submissions are graded
            if task is None:
                continue
            report = _annotated(outcome, task) if isinstance(outcome, Report) else _failed(task.student, lecture, outcome)
            reports[task.student] = report
            waiting_for.discard(task.student)
            recorder.write(report, handed_in(task))
            progress(len(everything) - len(waiting_for), len(everything))
        recorder = recorder or Recorder(course, lecture, url)
        graded_now = {task.student for task in waiting}
        for student in [student for student in everything if student not in graded_now]:
            recorder.write(reports[student], handed_in(everything[student]))
    except BaseException:
        if recorder is not None:
            recorder.close(whole=False)
        raise
    recorder.close()
    if recorder.failed:
        raise RuntimeError(f"The gradebook took no results of {', '.join(sorted(recorder.failed))}; all others are recorded. Grade again.")
    return [reports[student] for student in everything]


def _report_at(task: Task) -> Report | None:
    """The report of an earlier run; None if there is none, or it can't be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        return _annotated(Report.from_json(task.kept.read_text(encoding="utf-8")), task)
    return None


def _annotated(report: Report, task: Task) -> Report:
    """With a note of what was odd about the file."""
    if task.note:
        (report.look if task.look else report.notes).append(task.note)
    return report
