"""The commands around a term: grades, similar work, what students get. Each only reads arguments, calls its module and prints."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from helpers.written import WORKS


def add_parsers(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The command lines of COMMANDS."""
    term = command("grades", "Compute the course grades of a term, with tables for Canvas and Moodle and a class report.", many=False)
    term.add_argument("--course", default="course", metavar="DIR", help="the course directory (default: course)")
    term.add_argument("--gradebook", metavar="URL", help="default: DIR/gradebook.db; postgresql://... works, too")
    term.add_argument("--scheme", metavar="FILE", help="default: DIR/scheme.yaml, else the course's own grading/scheme.yaml")
    alike = command("similar", "Say which submissions share code beyond what was given out and what many wrote.", many=False)
    alike.add_argument("lecture", metavar="LECTURE", help="name or number of a lecture")
    alike.add_argument("--course", default="course", metavar="DIR", help="the course directory (default: course)")
    alike.add_argument("--least", type=float, default=0.6, metavar="SHARE", help="report pairs from this share on (default: 0.6)")
    exam = command("exam", "The final exam: draw a paper for each student, grade what they hand in, check the bank of questions.", many=False)
    what = "draw: writes exam/<student>/; grade: reads submitted/<student>/final_exam/; check: is each question sound?"
    exam.add_argument("what", choices=["draw", "grade", "check"], help=what)
    exam.add_argument("--course", default="course", metavar="DIR", help="the course directory (default: course)")
    exam.add_argument("--workers", type=whole, default=max(1, os.cpu_count() or 1), metavar="N", help="papers at a time")
    race = command("challenge", "The project's held-out challenge: draw it, score what teams hand in, write the tables.", many=False)
    what = "make: key, labels and what is given out; score: submitted/<student>/challenge/*.csv; leaderboard: public part; final: private part"
    race.add_argument("what", choices=["make", "score", "leaderboard", "final"], help=what)
    race.add_argument("--course", default="course", metavar="DIR", help="the course directory (default: course)")
    race.add_argument("--at", metavar="TIME", help="the time that counts, such as '2027-04-23 23:59' (default: now)")
    form = command("form", "Look at the form of written works: sections, figures, references, slides; points for the course grade.", many=False)
    form.add_argument("work", choices=WORKS, metavar="WORK", help=", ".join(WORKS))
    form.add_argument("--course", default="course", metavar="DIR", help="the course directory (default: course)")
    give = command("distribute", "Write what students get, without solutions, checks or grading: a folder and its archive.", many=False)
    give.add_argument("folder", nargs="?", default="dist", metavar="FOLDER", help="where (default: dist)")
    figures = command("results", "Take what recorded runs gave: ci's figures ship with helpers; README shows the others, times, memory.")
    figures.add_argument("--profile", default="ci", choices=["ci", "laptop", "gpu"], help="of the runs (default: ci)")
    asked = command("questionnaire", "Add up the course feedback that students exported: a table and a page, without names.", many=False)
    asked.add_argument("folder", metavar="DIR", help="holds the feedback-....json of a class")
    asked.add_argument("--out", metavar="DIR", help="where questionnaire.csv and questionnaire.html go (default: beside DIR)")


def whole(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def grades(options: argparse.Namespace) -> int:
    from grading.term.exports import write_tables
    from grading.term.grades import course_grades
    from grading.term.report import write_report
    from grading.term.scheme import DEFAULT, read_scheme
    from grading.term.scores import read_scores

    course = Path(options.course)
    own = course / "scheme.yaml"
    scheme = read_scheme(Path(options.scheme) if options.scheme else own if own.is_file() else DEFAULT)
    everybody = course_grades(scheme, read_scores(course, scheme, options.gradebook))
    if not everybody:
        print(f"Nobody has a score yet: {course} holds no gradebook.db with submissions, no scores.csv and no students.csv.", file=sys.stderr)
        return 2
    folder = course / "course_grades"
    written = [*write_tables(everybody, scheme, folder), write_report(everybody, scheme, course, folder)]
    print(f"{len(everybody)} course grades. Written: {', '.join(path.name for path in written)}, in {folder}.")
    look = [f"  {grade.student.id}: {note}" for grade in everybody for note in grade.notes]
    print("\n".join(["To look at:", *look]) if look else "Nothing is missing, and nobody waits for a person's marks.")
    return 0


def similar(options: argparse.Namespace) -> int:
    from grading.marking.classroom import load_lecture
    from grading.marking.reading import Unreadable
    from grading.marking.rebuild import rebuild
    from grading.marking.similar import similar as pairs_of
    from grading.marking.submitted import tasks
    from grading.sources import is_solution, source_path
    from grading.text import line

    course = Path(options.course)
    name = options.lecture if (course / "source" / options.lecture).is_dir() else source_path(options.lecture).stem
    lecture = load_lecture(course, name)
    released = {cell.metadata.nbgrader.grade_id: cell.source for cell in lecture.released.cells if cell.cell_type == "code" and is_solution(cell)}
    class_ = {}
    for task in tasks(course, name):
        try:
            answers = rebuild(task.file, lecture.released).answers if task.file else {}
        except Unreadable:
            continue
        class_[task.student] = {exercise: "\n".join([*answer.helpers, answer.source]) for exercise, answer in answers.items()}
    pairs = pairs_of(class_, released, options.least)
    print(f"{len(class_)} submissions of {name} compared: {len(pairs)} pairs share at least {options.least:.0%} of the smaller one's own code.")
    for pair in pairs:
        print(f"  {pair.share:4.0%}  {line(pair.one, 60)} and {line(pair.other, 60)}: {pair.common} fingerprints, in {', '.join(pair.exercises)}")
    if pairs:
        print("Likeness is no proof: short exercises have few right forms. Read both, and talk to both.")
    return 0


def distribute(options: argparse.Namespace) -> int:
    from grading.authoring.distribute import distribute as write

    folder, archive = write(Path(options.folder))
    count = sum(path.is_file() for path in folder.rglob("*"))
    print(f"{folder} holds {count} files, ready to be a branch; {archive} is the same as an archive.")
    return 0


def exam(options: argparse.Namespace) -> int:
    from grading.exam import grade as grading
    from grading.exam.model import bank
    from grading.exam.verify import faults
    from grading.sandbox import JailError
    from grading.term.scheme import DEFAULT, read_scheme
    from grading.term.scores import read_scores

    course = Path(options.course)
    if options.what == "check":
        found = [fault for template in bank() for fault in faults(template)]
        print("\n".join([f"{len(bank())} questions, {len(found)} faults.", *(f"  - {fault}" for fault in found)]))
        return 1 if found else 0
    if options.what == "draw":
        own = course / "scheme.yaml"
        students = read_scores(course, read_scheme(own if own.is_file() else DEFAULT)).students.values()
        folder = grading.write_papers(course, [student.id for student in students if student.status == "active"])
        count = len(list(folder.iterdir()))
        print(f"{count} papers in {folder}. Keep {course / grading.KEY} to yourself: papers are graded with it, and could be foreseen with it.")
        return 0
    try:
        reports = grading.grade(course, options.workers)
    except JailError as problem:
        print(problem, file=sys.stderr)
        return 2
    points = sorted(report.points for report in reports)
    median = points[len(points) // 2]
    print(f"{len(reports)} papers graded: median {median:g} points. See {course / grading.SCORES}, which `grades` reads, and exam_feedback/.")
    return 0


def form(options: argparse.Namespace) -> int:
    from grading.term.form import write_form

    rows = write_form(Path(options.course), options.work)
    for student, share, missing in rows:
        print(f"  {student}: {share:.0%}" + (f", missing: {'; '.join(missing)}" if missing else ""))
    print(f"{len(rows)} notebooks of {options.work} looked at. `grades` reads the result; what a work is worth, a person says in formgrader.")
    return 0


def results(options: argparse.Namespace) -> int:
    from grading.measuring import measured
    from grading.measuring.readme import stale
    from grading.measuring.recorded import REVIEW, collect, write
    from grading.sources import lectures, source_path

    wanted = [source_path(name).stem for name in options.lectures] or [name for name in lectures() if name != REVIEW]
    found, notes = collect(wanted, options.profile)
    for note in notes:
        print(f"note: {note}")
    count = f"{sum(len(rows) for rows in found.values())} figures of {len(found)} lectures"
    if options.profile == "ci":
        changed = write(found, options.profile)
        print(f"{count} in helpers/recorded.json; new or changed: {', '.join(changed) or 'none'}.")
    else:
        print(f"{count} in grading/measuring/measured.json.")
    measured.take(list(found) if options.lectures else [*found, REVIEW], options.profile)
    stale(write=True)
    return 1 if options.lectures and notes else 0


def questionnaire(options: argparse.Namespace) -> int:
    from grading.term.questionnaire import read, write

    folder = Path(options.folder)
    class_ = read(folder)
    for note in class_.notes:
        print(f"note: {note}")
    written = write(class_, Path(options.out) if options.out else folder.resolve().parent)
    print(f"{len(class_.sheets)} answer sheets. Written: {', '.join(str(path) for path in written)}.")
    return 0


def challenge(options: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from grading.challenge import board
    from grading.challenge.attempts import score
    from grading.challenge.cohort import FOLDER, make
    from grading.term.scheme import DEFAULT, read_scheme

    course = Path(options.course)
    own = course / "scheme.yaml"
    scheme = read_scheme(own if own.is_file() else DEFAULT)
    now = scheme.time(options.at, "--at") if options.at else datetime.now(UTC)
    if options.what == "make":
        release = make(course, scheme.zone.key)
        print(f"Give out {release}, and nothing else of {course / FOLDER}: the key and the labels lie beside it. Keep a copy of them elsewhere.")
    elif options.what == "score":
        done = score(course, scheme, now)
        for entry in done.entries:
            print(f"  {entry.student}, {entry.file}: {entry.status}, {entry.said}".encode("unicode_escape").decode())
        wait = f"; {len(done.waiting)} wait for another day" if done.waiting else ""
        print(f"{len(done.entries)} files looked at{wait}. Each team's answers: {course / FOLDER / 'answers'}.")
    elif options.what == "leaderboard":
        print(f"Written: {board.leaderboard(course, scheme, now)}, and the same as a page.")
    else:
        page, scores = board.final(course, scheme)
        print(f"Written: {page}, and {scores}, which `grades` reads; it weighs nothing until a scheme has the item {board.ITEM}.")
    return 0


COMMANDS = {
    "challenge": challenge,
    "results": results,
    "questionnaire": questionnaire,
    "form": form,
    "grades": grades,
    "similar": similar,
    "distribute": distribute,
    "exam": exam,
}
