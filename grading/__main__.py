"""The command line, `python -m grading <command>`; each command only reads arguments, calls its module and prints."""

import argparse
import os
import sys
from collections.abc import Callable

from grading.authoring import house
from grading.term import commands as of_a_term

DESCRIPTION = """Turn lecture sources into what students get, and prove that the exercises judge fairly.

A lecture is named by its file (02_introduction_to_mia), its number (2) or its path; no name means every lecture."""

EXAMPLES = """examples:
  python -m grading check-source 2       is the source of lecture 2 complete and well formed?
  python -m grading bank 2               do right answers keep their points, and wrong ones lose them?
  python -m grading bank 2 cnr -v        one exercise, every answer and every message
  python -m grading release              write notebooks/ anew from solutions/
  python -m grading release --check      is notebooks/ what solutions/ would give?
  python -m grading run 2                run the instructor's notebook; seconds and memory
  python -m grading run 2 --release      run the student's notebook up to its first unanswered exercise
  python -m grading course course        a course directory for nbgrader's own commands and formgrader
  python -m grading autograde 2 --course course --workers 2
  python -m grading feedback 2 --course course
  python -m grading similar 2 --course course                       which submissions share code
  python -m grading grades --course course                          course grades, tables for Canvas and Moodle, a report
  python -m grading results                                         the figures of recorded runs, for lecture 14 and README
  python -m grading readme --check                                  are README's tables what records and tree give?
  python -m grading questionnaire feedback                          a class's course feedback, added up
  python -m grading challenge score --course course                 the project's challenge: new files of all teams
  python -m grading distribute dist                                 what students get, as a folder and an archive
  python -m grading site site                                       the course's site, from the same sources
  python -m grading check notebooks/02_introduction_to_mia.ipynb    what a student runs at home"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="python -m grading", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="command")

    def command(name: str, text: str, many: bool = True) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        if many:
            one.add_argument("lectures", nargs="*", metavar="LECTURE", help="name, number or path of a lecture; all if none is given")
        return one

    release = command("release", "Write the student notebooks from the sources.")
    release.add_argument("--check", action="store_true", help="write nothing; fail if a notebook differs from what its source gives")
    command("check-source", "Say, in one sentence each, what a lecture source lacks.")
    bank = command("bank", "Run the answer bank of a lecture: reference, stubs, right and wrong answers.", many=False)
    bank.add_argument("lecture", nargs="?", metavar="LECTURE", help="name, number or path of a lecture; all if none is given")
    bank.add_argument("exercise", nargs="?", metavar="EXERCISE", help='grade id or heading id of one exercise ("cnr" or "1.1a")')
    bank.add_argument("-v", "--verbose", action="store_true", help="every answer, with the messages of the checks it loses")
    run = command("run", "Run a lecture from top to bottom, without network, and report seconds and memory.")
    profiles = ["ci", "laptop", "gpu"]
    run.add_argument("--profile", default="ci", choices=profiles, help="how large: ci (default) takes minutes on simulated data")
    run.add_argument("--release", action="store_true", help="run the student's notebook instead of the instructor's")
    run.add_argument("--network", action="store_true", help="leave the network on, to fetch real data")
    course = command("course", "Write a course directory in which nbgrader's own commands work.", many=False)
    course.add_argument("folder", metavar="FOLDER", help="where; made if it doesn't exist")
    course.add_argument("lectures", nargs="*", metavar="LECTURE", help="name, number or path of a lecture; all if none is given")
    site = command("site", "Build the course's site: lectures with recorded outputs, syllabus map, results, guides, data sheets.", many=False)
    site.add_argument("out", metavar="OUT", help="where; a site that stands there is replaced")
    site.add_argument("lectures", nargs="*", metavar="LECTURE", help="name, number or path of a lecture; all if none is given")
    _add_marking(command)
    of_a_term.add_parsers(command)
    house.add_parsers(command)
    return top


def _add_marking(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands for what students handed in."""
    auto = command("autograde", "Grade what was handed in: rebuilt, run in a jail, judged outside, recorded once.", many=False)
    back = command("feedback", "Write the feedback pages, by nbgrader, from what was graded.", many=False)
    for one in (auto, back):
        one.add_argument("lecture", metavar="LECTURE", help="name or number of a lecture")
        one.add_argument("--course", default="course", metavar="DIR", help="the course directory (default: course)")
        one.add_argument("--gradebook", metavar="URL", help="default: DIR/gradebook.db; postgresql://... works, too")
        one.add_argument("--workers", type=of_a_term.whole, default=max(1, os.cpu_count() or 1), metavar="N", help="processes on this machine")
    auto.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, to grade on its workers instead")
    auto.add_argument("--timeout", type=of_a_term.whole, default=600, metavar="SECONDS", help="for one submission (default: 600)")
    auto.add_argument("--cell-timeout", type=of_a_term.whole, default=120, metavar="SECONDS", help="for one cell or call (default: 120)")
    auto.add_argument("--memory", type=_gigabytes, default=4.0, metavar="GB", help="for one submission (default: 4)")
    auto.add_argument("--seed", type=int, default=0, help="of every random generator (default: 0)")
    auto.add_argument("--data", metavar="DIR", help="a folder of data sets that submissions may read")
    text = "grade again what is graded and has not changed, of everybody or of these students"
    auto.add_argument("--force", nargs="*", metavar="STUDENT", help=text)
    home = command("check", "Run a notebook's answers and visible checks, as a student does at home.", many=False)
    home.add_argument("notebook", metavar="NOTEBOOK")


def _gigabytes(text: str) -> float:
    """A number of gigabytes in which Python can start."""
    number = float(text)
    if not 0.25 <= number < 4096:
        raise argparse.ArgumentTypeError(f"{text} GB is too little, or more than any machine has")
    return number


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when something is wrong, 2 when the question was."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    options = parser().parse_args(arguments)
    from grading.sources import SourceError, lectures, source_path, tracks, works

    try:
        if options.command == "bank":
            return _bank([source_path(options.lecture).stem] if options.lecture else lectures(), options)
        alone = {"autograde": _autograde, "feedback": _feedback, "check": _check, "site": _site, **of_a_term.COMMANDS, **house.COMMANDS}
        if options.command in alone:
            return alone[options.command](options)
        every = lectures() + (works() + tracks()) * (options.command == "release") + works() * (options.command == "course")
        wanted = [str(source_path(name)) for name in options.lectures] or every
        return {"release": _release, "check-source": _check_source, "run": _run, "course": _course}[options.command](wanted, options)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 2


def _bank(wanted: list[str], options: argparse.Namespace) -> int:
    from grading.authoring.bank import Lecture, check_exercise

    faults = 0
    for name in wanted:
        print(f"{name}", flush=True)
        lecture = Lecture(name)
        for exercise in [lecture.exercise(options.exercise)] if options.exercise else lecture.exercises.values():
            report = check_exercise(lecture, exercise)
            faults += len(report.faults)
            print(f"  {report.line()}", flush=True)
            for line in report.details if options.verbose else []:
                print(f"      {line}")
            for line in report.faults:
                print(f"    ! {line}")
    return 1 if faults else 0


def _check_source(wanted: list[str], options: argparse.Namespace) -> int:
    from pathlib import Path

    from grading.authoring.structure import faults_of

    total = 0
    for name in wanted:
        faults = faults_of(name)
        total += len(faults)
        print(f"{Path(name).stem}: {'no fault' if not faults else f'{len(faults)} to mend'}")
        for fault in faults:
            print(f"  - {fault}")
    return 1 if total else 0


def _release(wanted: list[str], options: argparse.Namespace) -> int:
    from grading.authoring.release import release

    stale = 0
    for name, changed in release(wanted, write=not options.check):
        stale += changed
        state = ("differs from its source: run `python -m grading release`" if options.check else "written") if changed else "up to date"
        print(f"notebooks/{name}.ipynb  {state}", flush=True)
    return 1 if options.check and stale else 0


def _run(wanted: list[str], options: argparse.Namespace) -> int:
    from grading.measuring.execute import run_lecture

    failed = 0
    for name in wanted:
        record = run_lecture(name, options.profile, released=options.release, network=options.network, progress=True)
        print(record.line(), flush=True)
        failed += not record.as_expected
    return 1 if failed else 0


def _course(wanted: list[str], options: argparse.Namespace) -> int:
    from pathlib import Path

    from grading.authoring.release import write_course

    folder = write_course(Path(options.folder), wanted)
    print(f"{folder} holds {len(wanted)} assignments. Run nbgrader there.")
    return 0


def _name(options: argparse.Namespace) -> str:
    """The full name of a lecture that the course directory or this checkout has."""
    from pathlib import Path

    from grading.sources import source_path

    if (Path(options.course) / "source" / options.lecture).is_dir():
        return options.lecture
    return source_path(options.lecture).stem


def _autograde(options: argparse.Namespace) -> int:
    from pathlib import Path

    from tqdm import tqdm

    from grading.marking.classroom import autograde
    from grading.marking.submitted import absent
    from grading.sandbox import JailError, Limits
    from grading.text import line

    limits = Limits(seconds=options.timeout, cell_seconds=min(options.cell_timeout, options.timeout), memory=int(options.memory * 2**30))
    force = set(options.force) or True if options.force is not None else False
    bar = tqdm(unit="submission", disable=None)

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    try:
        with bar:
            reports = autograde(
                Path(options.course), _name(options), url=options.gradebook, workers=options.workers, scheduler=options.scheduler,
                limits=limits, seed=options.seed, force=force, data=Path(options.data) if options.data else None, progress=progress,
            )  # fmt: skip
    except JailError as problem:
        print(problem, file=sys.stderr)
        return 2
    except RuntimeError as problem:  # the gradebook took no results
        print(problem, file=sys.stderr)
        return 1
    points = sorted(report.points for report in reports)
    most = sum(verdict.max_points for verdict in reports[0].verdicts)
    print(f"{len(reports)} submissions graded: median {points[len(points) // 2]:g} of {most:g} points. See {options.course}/grades.csv.")
    missing = absent(Path(options.course), _name(options))
    if missing:
        print(f"{len(missing)} who have a folder handed in nothing called {_name(options)}: {line(', '.join(missing), 300)}.")
    look = [(report.student, sentence) for report in reports for sentence in report.look]
    if look:
        print(f"{len({student for student, _ in look})} want a human's look:")
        for student, sentence in look:
            print(f"  {student}: {sentence}")
    manual = [report.student for report in reports if report.manual]
    if manual:
        print(f"{len(manual)} hold answers that a person grades: open formgrader in {options.course}.")
    return 0


def _feedback(options: argparse.Namespace) -> int:
    from pathlib import Path

    from grading.marking.feedback import FeedbackError, feedback

    try:
        pages = feedback(Path(options.course), _name(options), options.gradebook, options.workers)
    except FeedbackError as problem:
        print(problem, file=sys.stderr)
        return 2
    print(f"{len(pages)} pages written under {options.course}/feedback.")
    return 0


def _site(options: argparse.Namespace) -> int:
    from pathlib import Path

    from grading.site import build

    built = build(Path(options.out), options.lectures)
    print(f"{options.out}: {built.pages} pages. Every link among them leads somewhere; {len(built.external)} addresses of others are not looked up.")
    if built.plain:
        print(f"Without outputs, since no whole run is recorded (`python -m grading run NN`): {', '.join(built.plain)}.")
    return 0


def _check(options: argparse.Namespace) -> int:
    from pathlib import Path

    from grading.marking.home import Unreadable, check

    try:
        outcomes, notes = check(Path(options.notebook))
    except Unreadable as problem:
        print(problem, file=sys.stderr)
        return 2
    for note in notes:
        print(f"note: {note}")
    for outcome in outcomes:
        print(f"  {'right' if not outcome.reason else 'wrong':5}  {outcome.check}  {outcome.reason}".rstrip())
    right = sum(outcome.points for outcome in outcomes if not outcome.reason)
    most = sum(outcome.points for outcome in outcomes)
    print(f"The checks that you can see: {right:g} of {most:g} points. Grading runs hidden ones, too.")
    return 0 if right == most else 1


if __name__ == "__main__":
    sys.exit(main())
