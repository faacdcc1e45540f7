"""A whole class: spreads submissions over workers, keeps what is done, and hands reports to the one writer."""

import contextlib
import ctypes
import hashlib
import importlib
import os
import select
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat

from grading.files import write_text
from grading.marking.job import Job, grade
from grading.marking.judge import Verdict
from grading.marking.reading import Unreadable, opened
from grading.marking.record import Recorder
from grading.marking.submitted import Task, handed_in, tasks
from grading.marking.worker import Lecture, Report
from grading.sandbox import JailError, Limits, Sandbox, requirements
from grading.sources import NOTEBOOKS, ROOT, SourceError

WAIT = 20  # seconds for a cluster's scheduler to answer
_LOCK = threading.Lock()  # a Dask worker may have threads; forks want one at a time
_SANDBOXES: dict[tuple, Sandbox] = {}


@dataclass(frozen=True)
class Order:
    """How to grade; sent to every worker.

    Attributes:
        pristine, released: the lecture's two notebooks, as text; name: the lecture's.
        seed: of every generator; limits: of each submission; data: the folder of data sets or "".
    """

    name: str
    pristine: str
    released: str
    seed: int
    limits: Limits
    data: str


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


@cache
def _lecture(name: str, pristine: str, released: str) -> Lecture:
    return Lecture(name, nbformat.reads(pristine, as_version=4), nbformat.reads(released, as_version=4))


def _sandbox(lecture: Lecture, data: str) -> Sandbox:
    """This process's fork server, started at its first submission and anew if it died; this process imports what the judge needs."""
    box = _SANDBOXES.get((lecture.modules, data))
    if box is None or not box.alive():
        os.environ.update(MPLBACKEND="agg", OMP_NUM_THREADS="1", TQDM_DISABLE="1", CUDA_VISIBLE_DEVICES="")
        box = _SANDBOXES[lecture.modules, data] = Sandbox(list(lecture.modules), Path(data) if data else None)
        for name in lecture.judge_modules:  # while the server imports, too
            with contextlib.suppress(Exception):  # what can't be imported here fails in the check that wants it, with its reason
                importlib.import_module(name)
        box.wait()
    return box


def grade_one(order: Order, task: Task) -> str:
    """What a Dask worker does with one submission; the report as text, which is also kept at once."""
    lecture = _lecture(order.name, order.pristine, order.released)
    with _LOCK:
        text = grade(task.file, task.student, lecture, _sandbox(lecture, order.data), order.seed, order.limits).to_json()
    write_text(task.kept, text)
    return text


def _host(order: Order, waiting: list[Task], slots: int, pipe: Connection) -> None:
    """The life of the process that grades on this machine: imports once, then so many submissions at a time, each a fork."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # ends with the process that started it, and the jail with this one
    try:
        lecture = _lecture(order.name, order.pristine, order.released)
        box = _sandbox(lecture, order.data)
    except JailError as problem:
        pipe.send(("", str(problem)))
        return
    running: dict[Job, Task] = {}
    waiting = list(reversed(waiting))
    while waiting or running:
        while waiting and len(running) < slots:
            task = waiting.pop()
            pipe.send((task.student, None))
            running[Job(task.file, task.student, lecture, box, order.seed, order.limits)] = task
        ready = select.select(list(running), [], [], 0.5)[0]
        for job in [job for job in running if job in ready or job.late()]:
            if (report := job.step()) is not None:
                task = running.pop(job)
                write_text(task.kept, report.to_json())  # at once: whatever ends this run, what is done is done
                pipe.send((task.student, report.to_json()))
    box.close()


def _failed(student: str, lecture: Lecture, why: str) -> Report:
    """The report of a submission that could not be graded: no points, a reason, and a row for a human."""
    return Report(student, lecture.name, [Verdict(name, 0, points, why) for name, points in lecture.checks.items()], look=[why])


def _on_cluster(order: Order, waiting: list[Task], scheduler: str) -> Iterator[tuple[Task | None, Report | str]]:
    """Grade tasks on a Dask cluster, whose machines see the course directory under the same path; yields as `_here` does."""
    from dask.distributed import Client
    from dask.distributed import as_completed as done_of

    try:
        cluster = Client(scheduler, timeout=WAIT)
    except (OSError, ValueError) as problem:
        raise SourceError(f"No Dask scheduler answers at {scheduler}: {problem}.") from None
    with cluster as client:
        if not client.nthreads():
            raise SourceError(f"The Dask scheduler at {scheduler} has no workers: start some with `dask worker {scheduler}`.")
        missing = {sentence for told in client.run(requirements).values() for sentence in told}
        if missing:
            raise JailError("A worker of the cluster can't jail submissions, so nothing is graded. " + " ".join(sorted(missing)))
        futures = {client.submit(grade_one, order, task, pure=False, retries=2): task for task in waiting}
        yield None, ""
        for future in done_of(list(futures)):
            problem = future.exception()
            if isinstance(problem, JailError):
                raise problem
            yield futures[future], f"Grading failed: {problem}" if problem else Report.from_json(future.result())


def _here(order: Order, waiting: list[Task], slots: int) -> Iterator[tuple[Task | None, Report | str]]:
    """Grade tasks on this machine.

    Yields:
        (None, "") once all is under way; then a task and its report as it is done, or a sentence where there can be none.
    """
    left, died, stillborn = {task.student: task for task in waiting}, Counter(), 0
    while left:
        alone = [task for student, task in left.items() if died[student]][:1]  # whoever was there when a process died, is tried alone
        ours, theirs = get_context("spawn").Pipe(duplex=False)
        host = get_context("spawn").Process(target=_host, args=(order, alone or list(left.values()), slots, theirs), daemon=True)
        host.start()
        theirs.close()
        yield None, ""
        flying, began = set(), False
        try:
            with contextlib.suppress(EOFError):
                while True:
                    student, text = ours.recv()
                    if not student:
                        raise JailError(text)
                    began = True
                    flying.add(student)
                    if text is not None:
                        flying.discard(student)
                        yield left.pop(student), Report.from_json(text)
        finally:
            host.kill()
            host.join()
        died.update(flying)
        stillborn += not began
        if stillborn > 2:
            raise JailError("The process that grades ended three times before it could begin, so nothing more is graded.")
        for student in [student for student in left if died[student] > 2]:
            yield left.pop(student), "Grading failed: the process that graded it died three times."


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
        for task, outcome in _on_cluster(order, waiting, scheduler) if scheduler else _here(order, waiting, workers):
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
