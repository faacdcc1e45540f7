"""Run a lecture with papermill, without network, and record time and memory; what a record must say is the business of the tests."""

import ast
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nbformat
import psutil

from grading.authoring.exercises import exercises_of
from grading.authoring.release import as_text, instructor_notebook, released_text
from grading.measuring.measured import code_of
from grading.sources import RUNS, grade_id, source_path

CLOSED = "http://127.0.0.1:9"  # nobody listens there: a proxy that refuses everything
SAMPLE_SECONDS = 0.1


@dataclass
class Record:
    """One run of one lecture.

    Attributes:
        lecture, profile, released: what was run; `released` is the student's notebook.
        seconds: from the start of the kernel to its end, on the clock; what else runs on the machine makes it longer.
        cpu_seconds: processor time of the kernel and its children: what the run costs. Two busy threads of one core slow each other in this, too.
        peak_mib: the most memory that the kernel and its children held at once, sampled ten times a second.
        code: digest of the lecture's code as it ran, see `measured.code_of`.
        load: processes that wanted a processor in the last five minutes, this run's own included; None where the system does not say.
        cells: one row a code cell that ran: its id and its seconds.
        error: where and how the run stopped ({"cell", "name", "message"}), or None.
        expected_stop: how a student's untouched notebook must stop: {"cell", "message"} of its first exercise with checks.
        notebook: the executed copy.
    """

    lecture: str
    profile: str
    released: bool
    seconds: float
    cpu_seconds: float
    peak_mib: float
    code: str = ""
    load: float | None = None
    cells: list[dict] = field(default_factory=list)
    error: dict | None = None
    expected_stop: dict | None = None
    notebook: str = ""

    @property
    def as_expected(self) -> bool:
        """An instructor's notebook runs to its end; a student's stops at the first check of the first unanswered exercise."""
        if not self.released or not self.expected_stop:
            return self.error is None
        error, stop = self.error or {}, self.expected_stop
        return (error.get("cell"), error.get("name"), error.get("message")) == (stop["cell"], "NotImplementedError", stop["message"])

    def line(self) -> str:
        """One line for a person, and one more if the run went wrong."""
        what = "student release" if self.released else "instructor"
        text = f"{self.lecture} ({what}, {self.profile}): {self.seconds:.1f} s, of processor {self.cpu_seconds:.1f} s, "
        text += f"{self.peak_mib / 1024:.2f} GiB at most"
        if self.error:
            stop = "stops, as it should," if self.as_expected else "FAILS"
            text += f"\n  {stop} at '{self.error['cell']}': {self.error['name']}: {self.error['message']}"
        elif not self.as_expected:
            text += f"\n  FAILS: it ran to its end, but should stop at '{self.expected_stop['cell']}'"
        return text


def run_lecture(
    lecture: str | Path,
    profile: str = "ci",
    released: bool = False,
    network: bool = False,
    progress: bool = False,
    folder: Path = RUNS,
    timeout: int | None = None,
) -> Record:
    """Execute one lecture in a kernel of its own, in an empty working directory, with one thread.

    Args:
        lecture: name, number or path of the source.
        profile: "ci", "laptop" or "gpu", given to the notebook as a papermill parameter.
        released: run the student's notebook instead of the instructor's.
        network: leave the network on.
        progress: show papermill's bar.
        folder: where the executed notebook (.ipynb) and the record (.json) go.
        timeout: seconds that one cell may take; no limit by default.

    Returns:
        The record. An error inside the notebook is in it, not raised.
    """
    path = source_path(str(lecture))
    text = released_text(path) if released else as_text(instructor_notebook(path))
    notebook = nbformat.reads(text, as_version=4)
    stem = f"{path.stem}.{profile}" + ".release" * released
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / f"{stem}.ipynb"
    if not released:  # figures that an earlier version of the lecture recorded must not outlive it
        (folder / "figures" / f"{path.stem}.{profile}.json").unlink(missing_ok=True)
    record = Record(path.stem, profile, released, 0.0, 0.0, 0.0, code_of(path.stem), notebook=done.name)
    with tempfile.TemporaryDirectory(prefix="run-") as temporary, environment(network, folder):
        source = Path(temporary) / f"{path.stem}.ipynb"
        source.write_text(text, encoding="utf-8")
        with usage() as used:
            _execute(source, done, profile, temporary, progress, timeout)
    executed = nbformat.read(done, as_version=4)
    record.seconds = round(executed.metadata.papermill.duration or 0.0, 2)
    record.cpu_seconds, record.peak_mib = round(used.cpu_seconds, 2), round(used.peak / 2**20, 1)
    record.load = round(os.getloadavg()[1], 1) if hasattr(os, "getloadavg") else None
    record.cells = [
        {"cell": cell.id, "seconds": round(cell.metadata.papermill.duration, 3)}
        for cell in executed.cells
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("duration") is not None
    ]
    record.error = _error(executed)
    first = next((exercise for exercise in exercises_of(notebook) if exercise.checks), None)
    if released and first:
        source = first.solutions[0].source if first.solutions else ""
        message = re.search(r'NotImplementedError\((".*")\)$', source, re.M)
        record.expected_stop = {"cell": grade_id(first.checks[0]), "message": ast.literal_eval(message[1]) if message else ""}
    row = {**asdict(record), "as_expected": record.as_expected}
    (folder / f"{stem}.json").write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    return record


def _execute(source: Path, done: Path, profile: str, where: str, progress: bool, timeout: int | None) -> None:
    import papermill

    with suppress(papermill.PapermillExecutionError):  # the executed copy holds it, and the record takes it from there
        papermill.execute_notebook(
            str(source),
            str(done),
            parameters={"PROFILE": profile},
            kernel_name="python3",
            cwd=where,
            progress_bar=progress,
            execution_timeout=timeout,
        )


def _error(executed) -> dict | None:
    """Which cell of an executed notebook failed, and how."""
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return {"cell": cell.id, "name": output.ename, "message": output.evalue}
    exception = executed.metadata.papermill.get("exception")
    return {"cell": "", "name": "PapermillExecutionError", "message": "the kernel died or a cell ran too long"} if exception else None


@contextmanager
def environment(network: bool = False, folder: Path = RUNS) -> Iterator[None]:
    """The environment variables of a run: one thread, no network, inline pictures, key figures kept beside the record."""
    kept = dict(os.environ)
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ.setdefault("DLMIA_RESULTS", str(folder / "figures"))
    os.environ.pop("MPLBACKEND", None)
    if not network:
        os.environ["DLMIA_OFFLINE"] = "1"
        for name in ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy"):
            os.environ[name] = os.environ[name.upper()] = CLOSED
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


@dataclass
class Usage:
    """What processes used: `peak` bytes held at once, and processor time of all of them."""

    peak: int = 0
    cpu_seconds: float = 0.0


@contextmanager
def usage(shared_once: bool = False) -> Iterator[Usage]:
    """What processes started inside the `with` use, sampled while it lasts; final when it ends.

    Args:
        shared_once: count memory that several of them share only once, which takes longer to find out, so it is sampled more seldom.
    """
    me = psutil.Process()
    before, used, stop = {child.pid for child in me.children(recursive=True)}, Usage(), threading.Event()
    cpu: dict[int, float] = {}

    def sample() -> None:
        while not stop.wait(5 * SAMPLE_SECONDS if shared_once else SAMPLE_SECONDS):
            held = 0
            for child in me.children(recursive=True):
                with suppress(psutil.Error):
                    if child.pid not in before:
                        held += child.memory_full_info().pss if shared_once else child.memory_info().rss
                        cpu[child.pid] = sum(child.cpu_times()[:2])
            used.peak = max(used.peak, held)

    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    try:
        yield used
    finally:
        stop.set()
        watcher.join()
        used.cpu_seconds = sum(cpu.values())
