"""One submission in flight: its jailed process, the trusted fork that judges it, and another try without what stopped it."""

import select
import time
from dataclasses import replace
from pathlib import Path

from grading.forked import Child, ChildFailed
from grading.judge import Verdict
from grading.sandbox import Limits, Sandbox
from grading.worker import Lecture, Report, work

TRIES = 4


class Job:
    """Grading of one submitted file, to be watched with `select` and moved on with `step`.

    Args:
        path: the notebook; student: whose it is.
        sandbox: started, shared by many jobs.
        seed: of every generator; limits: what the submission may use at each try.
    """

    def __init__(self, path: Path, student: str, lecture: Lecture, sandbox: Sandbox, seed: int, limits: Limits) -> None:
        self._path, self._student, self._lecture, self._sandbox = path, student, lecture, sandbox
        self._seed, self._limits, self._begin = seed, limits, time.perf_counter()
        self._without: tuple[str, ...] = ()
        self._first: Report | None = None
        self._start()

    def _start(self) -> None:
        process = self._process = self._sandbox.spawn(self._limits)

        def judge() -> str:
            process.close = lambda: None  # only the parent may end processes
            return work(process, self._path, self._student, self._lecture, self._seed, self._without).to_json()

        self._child = Child(judge, self._limits.seconds + 30)

    def fileno(self) -> int:
        """Of the pipe on which the judge's report arrives."""
        return self._child.fileno()

    def late(self) -> bool:
        """Whether the judge should have been done by now."""
        return self._child.late()

    def step(self) -> Report | None:
        """Take in what has arrived; the report when the submission is graded."""
        if not self.late() and not self._child.step():
            return None
        try:
            report = Report.from_json(self._child.result())
        except ChildFailed as problem:
            why = f"Judging stopped: {str(problem).strip().splitlines()[-1]}."
            verdicts = [Verdict(name, 0, points, why, ended=True) for name, points in self._lecture.checks.items()]
            report = Report(self._student, self._lecture.name, verdicts, look=[why])
        why = self._process.ended
        self._process.close()
        if why:  # the watch knows better than the judge, who only saw the channel close
            told = f"This could not be judged: {why}."
            report.verdicts = [replace(verdict, reason=told) if verdict.ended else verdict for verdict in report.verdicts]
        report = self._merge(report)
        culprit = "helpers" if report.culprit == "helper" else report.culprit
        if culprit and culprit not in self._without and len(self._without) < TRIES - 1:
            self._first, self._without = report, (*self._without, culprit)
            self._start()
            return None
        report.seconds = time.perf_counter() - self._begin
        return report

    def _merge(self, report: Report) -> Report:
        """Put together what this try and the ones before it found: an answer that stopped a run keeps the verdicts that it had by then."""
        if self._first is None:
            return report
        exercise = self._lecture.exercise_of
        for number, (before, now) in enumerate(zip(self._first.verdicts, report.verdicts, strict=True)):
            if exercise.get(now.check) in self._without or (now.ended and not before.ended):
                report.verdicts[number] = before
        ran = {cell[0] for cell in report.cells}
        report.cells += [cell for cell in self._first.cells if cell[0] in self._without and cell[0] not in ran]
        what = ["the extra cells" if name == "helpers" else f"the answer to {name}" for name in self._without]
        report.notes.append(f"{' and '.join(what).capitalize()} stopped the run; the rest was graded without.")
        return report


def grade(path: Path, student: str, lecture: Lecture, sandbox: Sandbox, seed: int = 0, limits: Limits | None = None) -> Report:
    """Grade one submitted file and wait for it; see `Job`. Whatever it does, there is a report with a verdict for each check."""
    job = Job(path, student, lecture, sandbox, seed, limits or Limits())
    while True:
        if (select.select([job], [], [], 0.5)[0] or job.late()) and (report := job.step()) is not None:
            return report
