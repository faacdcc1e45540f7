"""From handed-in papers to scores and feedback: each is judged against its own key, in the jail and by the judge of the lectures."""

import csv
import html
import io
import secrets
import select
from pathlib import Path

import nbformat

from grading.exam.model import Choice, Code, Numeric
from grading.exam.paper import LETTERS, NAME, Paper, draw, notebooks, options_of
from grading.exam.verify import source_of
from grading.files import write_text
from grading.marking.job import Job
from grading.marking.record import ATTEMPT_COLUMNS, COLUMNS
from grading.marking.submitted import handed_in, tasks
from grading.marking.worker import Report
from grading.sandbox import Limits, Sandbox
from grading.sources import SourceError

KEY, SCORES, ITEMS = "exam.key", "exam_scores.csv", "exam_items.csv"


def secret(course: Path, make: bool = False) -> str:
    """The course's secret word, from which all papers are drawn.

    Raises:
        SourceError: there is none, and none shall be made.
    """
    path = course / KEY
    if not path.is_file():
        if not make:
            raise SourceError(f"{course} has no {KEY}: draw the papers first, or put back the file with which they were drawn.")
        write_text(path, secrets.token_hex(16) + "\n")
        path.chmod(0o600)
    return path.read_text(encoding="utf-8").strip()


def write_papers(course: Path, students: list[str]) -> Path:
    """Write each student's paper to exam/<student>/final_exam.ipynb in the course directory; the keys are not written, they can be drawn again.

    Raises:
        SourceError: no student is named, or the bank lacks questions.
    """
    if not students:
        raise SourceError(f"Nobody to draw papers for: {course}/students.csv holds no active student.")
    key = secret(course, make=True)
    for student in students:
        write_text(course / "exam" / student / f"{NAME}.ipynb", nbformat.writes(notebooks(draw(student, key)).released) + "\n")
    return course / "exam"


def grade(course: Path, workers: int = 1, limits: Limits = Limits(seconds=120, cell_seconds=10)) -> list[Report]:  # noqa: B008 - frozen
    """Grade every paper under submitted/<student>/final_exam/, write exam_scores.csv, exam_items.csv and a page for each student.

    Raises:
        SourceError: nobody handed in, or the key is gone. JailError: this machine can't jail.
    """
    key, everything = secret(course), tasks(course, NAME)
    if not everything:
        raise SourceError(f"Nobody handed in {NAME}: there is no {course / 'submitted'}/<student>/{NAME}/.")
    papers = {task.student: draw(task.student, key) for task in everything}
    reports: dict[str, Report] = {}
    waiting, running = list(reversed(everything)), {}
    with Sandbox(["numpy"]) as box:
        box.wait()
        while waiting or running:
            while waiting and len(running) < workers:
                task = waiting.pop()
                if task.file is None:
                    reports[task.student] = Report(task.student, NAME, notes=[task.note])
                    continue
                running[Job(task.file, task.student, notebooks(papers[task.student]), box, 0, limits)] = task
            ready = select.select(list(running), [], [], 0.5)[0] if running else []
            for job in [job for job in running if job in ready or job.late()]:
                if (report := job.step()) is not None:
                    reports[running.pop(job).student] = report
    scores, items = [ATTEMPT_COLUMNS], [COLUMNS]
    for task in everything:
        paper, report = papers[task.student], reports[task.student]
        moment = handed_in(task)
        scores.append([task.student, NAME, f"{report.points:g}", paper.points, f"{moment:%Y-%m-%d %H:%M:%S}+00:00" if moment else ""])
        of = {verdict.check: verdict for verdict in report.verdicts}
        for one in paper.asked:
            verdict = of.get(f"q{one.number:02}-answer")
            items.append([task.student, NAME, one.template.id, verdict.points if verdict else 0, one.points, verdict.reason if verdict else ""])
        write_text(course / "exam_feedback" / f"{task.student}.html", page(paper, report))
    for name, rows in ((SCORES, scores), (ITEMS, items)):
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        write_text(course / name, out.getvalue())
    return [reports[task.student] for task in everything]


def page(paper: Paper, report: Report) -> str:
    """A student's feedback, for after the exam: each question with points, what was wrong, and how to get it right."""
    of = {verdict.check: verdict for verdict in report.verdicts}
    parts = [f"<h1>Final exam, paper {paper.seed:08x}</h1><p>{report.points:g} of {paper.points} points.</p>"]
    parts += [f"<p>{html.escape(note)}</p>" for note in report.notes]
    for one in paper.asked:
        verdict = of.get(f"q{one.number:02}-answer")
        got = verdict.points if verdict else 0
        head = f"Question {one.number} ({one.template.point}): {got:g} of {one.points}"
        parts.append(f"<h2>{head}</h2><p>{html.escape(one.question.text)}</p>")
        if verdict is not None and verdict.reason:
            parts.append(f"<p><strong>{html.escape(verdict.reason)}</strong></p>")
        parts.append(f"<p>{_right(one.question, paper.seed, one.number)} {html.escape(one.question.explanation)}</p>")
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Final exam</title>'
    rules = "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}pre{background:#eee;color:#111;padding:.5rem}"
    return f"{head}<style>{rules}</style></head><body>{''.join(parts)}</body></html>\n"


def _right(question: Numeric | Choice | Code, seed: int, number: int) -> str:
    if isinstance(question, Numeric):
        return f"Right: {question.answer:.6g} {html.escape(question.unit)}".strip() + "."
    if isinstance(question, Choice):
        return f"Right: {LETTERS[options_of(question, seed, number).index(question.right)]}, {html.escape(question.right)}."
    return f"Right, for example:<pre>{html.escape(source_of(question, question.body))}</pre>"
