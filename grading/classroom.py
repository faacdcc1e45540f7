"""A whole class: finds submissions, spreads them over workers, keeps what is done, and hands reports to the one writer."""

import contextlib
import hashlib
import importlib
import os
import select
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat

from grading.job import Job, grade
from grading.judge import Verdict
from grading.record import Recorder, submitted_at, write_text
from grading.sandbox import JailError, Limits, Sandbox, requirements
from grading.sources import NOTEBOOKS, ROOT, SourceError
from grading.worker import Lecture, Report

_LOCK = threading.Lock()  # a Dask worker may have threads; forks want one at a time
_SANDBOXES: dict[tuple, Sandbox] = {}


@dataclass(frozen=True)
class Task:
    """One submission to be graded."""

    student: str
    file: Path
    problem: str = ""


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
    from grading.release import instructor_notebook, released_text

    source, release = (course / part / name / f"{name}.ipynb" for part in ("source", "release"))
    if source.is_file() and release.is_file():
        return Lecture(name, nbformat.read(source, as_version=4), nbformat.read(release, as_version=4))
    released = NOTEBOOKS / f"{name}.ipynb"
    text = released.read_text(encoding="utf-8") if released.is_file() else released_text(name)
    return Lecture(name, instructor_notebook(name), nbformat.reads(text, as_version=4))


def tasks(course: Path, lecture: Lecture) -> list[Task]:
    """One task for each student who handed in a folder for this lecture, whatever is in it.

    Raises:
        SourceError: nobody handed in anything.
    """
    found = []
    root = course / "submitted"
    for folder in sorted(root.glob("*")) if root.is_dir() else ():
        place = folder / lecture.name
        if folder.is_symlink() or not place.is_dir():
            continue
        if place.is_symlink():
            found.append(Task(folder.name, place, "The submission is a link to somewhere else and was not followed."))
            continue
        files = sorted(path for path in place.iterdir() if path.suffix == ".ipynb")
        named = [path for path in files if path.stem == lecture.name]
        plain = [path for path in named or files if path.is_file() and not path.is_symlink()]
        if plain:
            largest = max(plain, key=lambda path: path.stat().st_size)
            note = "" if named else f"The file is called {largest.name} instead of {lecture.name}.ipynb."
            if not named and len(plain) > 1:
                note = f"There are {len(plain)} notebooks and none is called {lecture.name}.ipynb; the largest was graded."
            found.append(Task(folder.name, largest, note))
        else:
            why = "The notebook is a link to somewhere else and was not followed." if files else "The folder holds no notebook."
            found.append(Task(folder.name, place, why))
    if not found:
        raise SourceError(f"Nobody handed in {lecture.name}: there is no {root}/<student>/{lecture.name}/.")
    return found


@cache
def _version() -> str:
    """Changes when the grading code or the locked environment changes."""
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes() if (ROOT / "requirements.lock").is_file() else b"")
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def key(file: Path, lecture: Lecture, order: Order) -> str:
    """Names a report: it changes when file, lecture, environment, seed or limits change."""
    digest = hashlib.sha256(repr((lecture.key, _version(), order.seed, asdict(order.limits))).encode())
    with file.open("rb") as stream:
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
    """What a Dask worker does with one submission; the report as text."""
    lecture = _lecture(order.name, order.pristine, order.released)
    with _LOCK:
        return grade(task.file, task.student, lecture, _sandbox(lecture, order.data), order.seed, order.limits).to_json()


def _host(order: Order, waiting: list[Task], slots: int, pipe: Connection) -> None:
    """The life of the process that grades on this machine: imports once, then so many submissions at a time, each a fork."""
    lecture = _lecture(order.name, order.pristine, order.released)
    box = _sandbox(lecture, order.data)
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
                pipe.send((running.pop(job).student, report.to_json()))
    box.close()


def _failed(student: str, lecture: Lecture, why: str) -> Report:
    """The report of a submission that could not be graded: no points, a reason, and a row for a human."""
    return Report(student, lecture.name, [Verdict(name, 0, points, why) for name, points in lecture.checks.items()], look=[why])


def _spread(order: Order, waiting: list[Task], slots: int, scheduler: str | None) -> Iterator[tuple[Task | None, Report | str]]:
    """Grade tasks on this machine or on a Dask cluster.

    Yields:
        (None, "") once all is under way; then a task and its report as it is done, or a sentence where there can be none.
    """
    if scheduler:
        from dask.distributed import Client
        from dask.distributed import as_completed as done_of

        with Client(scheduler) as client:
            futures = {client.submit(grade_one, order, task, pure=False): task for task in waiting}
            yield None, ""
            for future in done_of(list(futures)):
                problem = future.exception()
                yield futures[future], f"Grading failed: {problem}" if problem else Report.from_json(future.result())
        return
    left, died = {task.student: task for task in waiting}, Counter()
    context = get_context("spawn")
    while left:
        ours, theirs = context.Pipe(duplex=False)
        host = context.Process(target=_host, args=(order, list(left.values()), slots, theirs), daemon=True)
        host.start()
        theirs.close()
        yield None, ""
        flying: set[str] = set()
        with contextlib.suppress(EOFError):
            while True:
                student, text = ours.recv()
                flying.add(student)
                if text is not None:
                    flying.discard(student)
                    yield left.pop(student), Report.from_json(text)
        host.join()
        died.update(flying or left)
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
    force: bool = False,
    data: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, all_of_them: None,
) -> list[Report]:
    """Grade everything that was handed in for one lecture; what is graded already and has not changed is only recorded.

    Args:
        course: with `submitted/<student>/<lecture>/<lecture>.ipynb`.
        name: the lecture's; url: of the gradebook, None for `gradebook.db` in the course directory.
        workers: submissions at a time on this machine; scheduler: address of a Dask scheduler instead.
        limits, seed: see `worker.grade`; force: grade again what is graded already; data: the folder of data sets.
        progress: called with how many are done, and of how many.

    Returns:
        The reports, in order of the students.

    Raises:
        SourceError: no such lecture, or nobody handed in. JailError: this machine can't jail (nothing is graded).
    """
    missing = [] if scheduler else requirements()
    if missing:
        raise JailError("This machine can't jail submissions, so nothing is graded. " + " ".join(missing))
    lecture = load_lecture(course, name)
    order = Order(name, nbformat.writes(lecture.pristine), nbformat.writes(lecture.released), seed, limits, str(data or ""))
    everything, reports, waiting, places = tasks(course, lecture), {}, [], {}
    for task in everything:
        if task.file.is_dir():
            reports[task.student] = _failed(task.student, lecture, task.problem)
            continue
        place = places[task.student] = course / ".grading" / name / task.student / f"{key(task.file, lecture, order)}.json"
        if place.is_file() and not force:
            reports[task.student] = Report.from_json(place.read_text(encoding="utf-8"))
        else:
            waiting.append(task)
    progress(len(reports), len(everything))
    recorder = None
    try:
        for task, outcome in _spread(order, waiting, workers, scheduler):
            recorder = recorder or Recorder(course, lecture, url)  # opened while the first submissions are graded
            if task is None:
                continue
            if isinstance(outcome, Report):
                outcome.notes += [task.problem] if task.problem else []
                write_text(places[task.student], outcome.to_json())
            else:
                outcome = _failed(task.student, lecture, outcome)
            reports[task.student] = outcome
            recorder.write(outcome, submitted_at(course / "submitted" / task.student / name, task.file))
            progress(len(reports), len(everything))
        recorder = recorder or Recorder(course, lecture, url)
        graded_now = {task.student for task in waiting}
        for task in everything:
            if task.student not in graded_now:
                recorder.write(reports[task.student], submitted_at(course / "submitted" / task.student / name, task.file))
    finally:
        if recorder is not None:
            recorder.close()
    return [reports[task.student] for task in everything]
