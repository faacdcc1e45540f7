"""Where submissions are graded: so many at a time on this machine, or on a Dask cluster. Which, and what is recorded, is `classroom`'s business."""

import contextlib
import ctypes
import importlib
import os
import select
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat

from grading.files import write_text
from grading.marking.job import Job, grade
from grading.marking.submitted import Task
from grading.marking.worker import Lecture, Report
from grading.sandbox import JailError, Limits, Sandbox, requirements
from grading.sources import SourceError

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


def on_cluster(order: Order, waiting: list[Task], scheduler: str) -> Iterator[tuple[Task | None, Report | str]]:
    """Grade tasks on a Dask cluster, whose machines see the course directory under the same path; yields as `here` does."""
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


def here(order: Order, waiting: list[Task], slots: int) -> Iterator[tuple[Task | None, Report | str]]:
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
