"""One submission in flight: its jailed process, the trusted fork that judges it, another try without what stopped it, and what to tell.

A submission is run twice: once to decide, with all checks, of which nothing is told but the points; and, if there is something to say, once
more from the start with the visible checks alone, for the words. All runs together have the time that the limits give.
"""

import contextlib
import resource
import select
import time
from dataclasses import replace
from pathlib import Path

from grading.forked import Child, ChildFailed
from grading.marking.judge import Verdict
from grading.marking.worker import HELPER, Lecture, Report, work
from grading.sandbox import Limits, Sandbox

TRIES = 4


class Job:
    """Grading of one submitted file, to be watched with `select` and moved on with `step`.

    Args:
        path: the notebook; student: whose it is.
        sandbox: started, shared by many jobs.
        seed: of every generator; limits: what the submission may use.
    """

    def __init__(self, path: Path, student: str, lecture: Lecture, sandbox: Sandbox, seed: int, limits: Limits) -> None:
        self._path, self._student, self._lecture, self._sandbox = path, student, lecture, sandbox
        self._seed, self._limits, self._begin = seed, limits, time.monotonic()
        self._without: tuple[str, ...] = ()
        self._decided: Report | None = None  # what the runs so far have decided
        self._shown = False  # this run is for the words
        self._start()

    def _left(self) -> float:
        return self._begin + self._limits.seconds - time.monotonic()

    def _start(self) -> None:
        process = self._process = self._sandbox.spawn(self._limits, self._begin + self._limits.seconds)

        def judge() -> str:
            process.close = lambda: None  # only the parent may end processes
            self._sandbox.leave_others(process)
            _bound(self._limits.memory)
            return work(process, self._path, self._student, self._lecture, self._seed, self._without, self._shown).to_json()

        self._child = Child(judge, max(self._left(), 0) + 30)

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
        report = self._result()
        if self._shown:
            return self._finish(_worded(self._decided, report))
        self._decided = report = self._merge(report)
        culprit = report.culprit
        if _extra(culprit) and any(map(_extra, self._without)):
            culprit = "helpers"  # more than one of the extra cells: all of them are left out
        again = culprit and culprit not in self._without and len(self._without) < TRIES - 1
        if again:
            self._without = (*self._without, culprit)
        self._shown = not again and bool(report.cells) and (report.told or any(not _full(verdict) for verdict in report.verdicts))
        if (again or self._shown) and self._left() > 1:
            self._start()
            return None
        return self._finish(report)

    def _finish(self, report: Report) -> Report:
        if self._without:
            what = [_called(name) for name in self._without]
            report.notes.append(f"{' and '.join(what).capitalize()} stopped the run; the rest was graded without.")
        report.seconds = time.monotonic() - self._begin
        return report

    def _result(self) -> Report:
        """The report of the run that is over."""
        try:
            report = Report.from_json(self._child.result())
        except ChildFailed:
            late = self._child.late()
            why = "Judging took too long and was stopped." if late else "The judge could not cope with the answers and broke down."
            verdicts = [Verdict(name, 0, points, why, ended=True) for name, points in self._lecture.checks.items()]
            report = Report(self._student, self._lecture.name, verdicts, look=[why])
        why = self._process.ended
        self._process.close()
        if why:  # the watch knows better than the judge, who only saw the channel close
            told = f"This could not be judged: {why}."
            report.verdicts = [replace(verdict, reason=told) if verdict.ended else verdict for verdict in report.verdicts]
        return report

    def _merge(self, report: Report) -> Report:
        """Put together what this try and the ones before it found: an answer that stopped a run keeps the verdicts that it had by then."""
        before = self._decided
        if before is None:
            return report
        exercise = self._lecture.exercise_of
        for number, (then, now) in enumerate(zip(before.verdicts, report.verdicts, strict=True)):
            if exercise.get(now.check) in self._without or (now.ended and not then.ended):
                report.verdicts[number] = then
        ran = {cell[0] for cell in report.cells}
        report.cells += [cell for cell in before.cells if cell[0] in self._without and cell[0] not in ran]
        report.look = list(dict.fromkeys([*before.look, *report.look]))
        report.told = report.told or before.told
        return report


def _extra(name: str) -> bool:
    """Whether what stopped a run was a cell of the student's own."""
    return HELPER in name


def _called(name: str) -> str:
    """What stopped a run, for the student."""
    if name == "helpers":
        return "the extra cells"
    return f"an extra cell before {name.split(HELPER)[0]}" if _extra(name) else f"the answer to {name}"


def _full(verdict: Verdict) -> bool:
    return verdict.points == verdict.max_points


def _worded(decided: Report, shown: Report) -> Report:
    """The points of the one with the words of the other."""
    for number, (verdict, said) in enumerate(zip(decided.verdicts, shown.verdicts, strict=True)):
        better = said.reason if not (verdict.points or verdict.ended or said.ended) else ""
        decided.verdicts[number] = replace(verdict, reason=better or verdict.reason, output=said.output)
    words = {cell[:2]: cell for cell in shown.cells}
    decided.cells = [words.get(cell[:2], cell) for cell in decided.cells]
    return decided


def _bound(memory: int) -> None:
    """Let this process have so much more memory than it has now: what a student returns may make a check want any amount."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")
    with open("/proc/self/status") as file:
        now = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))
    resource.setrlimit(resource.RLIMIT_DATA, (now + memory, now + memory))


def grade(path: Path, student: str, lecture: Lecture, sandbox: Sandbox, seed: int = 0, limits: Limits | None = None) -> Report:
    """Grade one submitted file and wait for it; see `Job`. Whatever it does, there is a report with a verdict for each check."""
    job = Job(path, student, lecture, sandbox, seed, limits or Limits())
    while True:
        if (select.select([job], [], [], 0.5)[0] or job.late()) and (report := job.step()) is not None:
            return report
