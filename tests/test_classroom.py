"""A whole class: the same points every time and everywhere; nothing lost and nothing graded twice, whatever ends the run."""

import contextlib
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from grading.marking import classroom, spread
from grading.marking.classroom import autograde
from grading.marking.record import Recorder, read_grades
from grading.marking.submitted import absent
from grading.sandbox import Limits
from grading.sandbox.memory import _children, _family
from grading.sources import SourceError
from tests import classes

NAME = "96_light"
ROOT = classes.FIXTURES.parents[1]
LIMITS = Limits(seconds=20, cell_seconds=3, memory=2**29)
HALF = "def twice(x):\n    return 2 * x if isinstance(x, int) else 0"
ANSWERS = {
    "anna": {},
    "bert": {"twice": HALF},
    "carl": {"thrice": "import os\nos._exit(1)"},
    "dora": {"twice": "def twice(x):\n    import time\n    time.sleep(0.1)\n    print('hello')\n    return 2 * x", "reflection": "Mine."},
    "emil": {"twice": None, "thrice": None, "reflection": None},
}
POINTS = {"anna": 3, "bert": 1, "carl": 2, "dora": 3, "emil": 0}


def submissions(answers=ANSWERS):
    """Student -> notebook; None stands for the stub."""
    of = classes.lecture(NAME)
    made = {}
    for student, own in answers.items():
        chosen = {**classes.right(of), **own}
        made[student] = classes.answered(of, {name: text for name, text in chosen.items() if text is not None})
    return made


def points(reports):
    return {report.student: report.points for report in reports}


def plain(reports):
    """Reports without what differs from run to run."""
    return [{**asdict(report), "seconds": 0} for report in reports]


def kept(course):
    """The kept reports -> when they were written, and what is in them."""
    return {path: (path.stat().st_mtime_ns, path.read_text()) for path in sorted(course.glob(f".grading/{NAME}/*/*.json"))}


def recorded(course, url=None):
    """Student -> points in the gradebook."""
    with Gradebook(url or f"sqlite:///{course / 'gradebook.db'}") as book:
        return {each.student.id: each.score for each in book.assignment_submissions(NAME)}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class that was graded once: its directory and reports."""
    course = classes.course(tmp_path_factory.mktemp("class") / "course", classes.lecture(NAME), submissions())
    return course, autograde(course, NAME, workers=2, limits=LIMITS)


@pytest.fixture
def again(graded, tmp_path):
    """A copy of that class, to be changed."""
    shutil.copytree(graded[0], tmp_path / "course")
    return tmp_path / "course"


def test_points_rows_and_pages(graded):
    course, reports = graded
    assert points(reports) == POINTS == recorded(course)
    rows = {(row["student"], row["exercise"]): row for row in read_grades(course / "grades.csv")}
    assert len(rows) == 2 * len(POINTS)
    assert rows["bert", "twice"]["reason"] == "the value is off for other numbers" and rows["anna", "twice"]["reason"] == ""
    assert "ended by itself" in rows["carl", "thrice"]["reason"]
    text = (course / "autograded" / "dora" / NAME / f"{NAME}.ipynb").read_text()
    assert "2 of 2 points" in text and "Mine." in text and "HIDDEN" not in text
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        assert book.find_submission(NAME, "dora").needs_manual_grade and not book.find_submission(NAME, "emil").needs_manual_grade


def test_formgrader_takes_them_for_graded(again):
    """Its pages ask nbgrader's own interface, which compares the times of handing in; a time that is there, and then gone, counts as well."""
    stamp = again / "submitted" / "bert" / NAME / "timestamp.txt"
    for text in ("2026-05-01 10:00:00 UTC", ""):
        stamp.write_text(text) if text else stamp.unlink()
        autograde(again, NAME, limits=LIMITS)
        config = Config()
        config.CourseDirectory.root, config.CourseDirectory.db_url = str(again), f"sqlite:///{again / 'gradebook.db'}"
        api = NbGraderAPI(CourseDirectory(config=config), config=config)
        assert api.get_autograded_students(NAME) == set(POINTS)
        assert {row["student"]: row["autograded"] for row in api.get_submissions(NAME)} == dict.fromkeys(POINTS, True)


def test_what_is_graded_is_not_graded_again(graded, again):
    before = kept(again)
    seen = []
    reports = autograde(again, NAME, workers=2, limits=LIMITS, progress=lambda done, total: seen.append((done, total)))
    assert plain(reports) == plain(graded[1]) and kept(again) == before and seen[0] == (5, 5)


def test_only_what_changed_is_graded_again(again):
    before = kept(again)
    classes.write(submissions({"bert": {}})["bert"], again / "submitted" / "bert" / NAME / f"{NAME}.ipynb")
    next((again / ".grading" / NAME / "emil").iterdir()).write_text('{"student": "em')  # cut off by a full disk
    reports = autograde(again, NAME, limits=LIMITS)
    assert points(reports) == {**POINTS, "bert": 3} == recorded(again)
    after = kept(again)
    assert {path.parent.name for path in after if before.get(path) != after[path]} == {"bert", "emil"}


def test_the_same_class_twice_gives_the_same(graded, again):
    with (again / "grades.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["zoe", "00_other", "one", "1", "2", "kept"])
    with Gradebook(f"sqlite:///{again / 'gradebook.db'}") as book:
        grade = book.find_grade("thrice-value", NAME, NAME, "carl")
        grade.manual_score, grade.needs_manual_grade = 0.5, False
        book.db.commit()
    shutil.rmtree(again / ".grading")
    assert plain(autograde(again, NAME, workers=1, limits=LIMITS, force=True)) == plain(graded[1])
    assert recorded(again) == {**POINTS, "carl": 2.5}, "what a person decided stays"
    assert [row["reason"] for row in read_grades(again / "grades.csv") if row["lecture"] == "00_other"] == ["kept"]


def test_kill_9_in_mid_run(tmp_path):
    """Nothing is lost, nothing is graded twice, and no process stays behind."""
    wait = "import time\ntime.sleep(0.5)\n"
    slow = {f"student{number:02}": {"twice": wait + (HALF if number % 2 else "def twice(x): return 2 * x")} for number in range(10)}
    course = classes.course(tmp_path, classes.lecture(NAME), submissions(slow))
    code = f"import sys\nfrom pathlib import Path\nfrom grading.marking.classroom import autograde\nfrom grading.sandbox import Limits\nif __name__ == '__main__':\n    autograde(Path(sys.argv[1]), {NAME!r}, workers=2, limits={LIMITS!r})"  # fmt: skip
    script = tmp_path / "run.py"
    script.write_text(code)
    run = subprocess.Popen([sys.executable, str(script), str(course)], cwd=ROOT)
    try:
        until(lambda: len(kept(course)) >= 2)
        family = set(_family(run.pid, _children()))
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    first = kept(course)
    assert 2 <= len(first) < 10 and len(family) > 3
    until(lambda: not any(alive(pid) for pid in family))
    reports = autograde(course, NAME, workers=2, limits=LIMITS)
    second = kept(course)
    assert len(second) == 10 and all(second[path] == first[path] for path in first), "what was done is not done again"
    expected = {student: 1.0 if int(student[-2:]) % 2 else 3.0 for student in slow}
    assert points(reports) == expected == recorded(course)
    assert not [path for path in course.rglob("*.part")]


def until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def alive(pid):
    with contextlib.suppress(OSError):
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    return False


def test_a_grading_process_that_dies_costs_nobody_anything(tmp_path):
    """Somebody kills the process that grades, again and again: who was there is tried alone, and all get their points."""
    slow = {f"s{number}": {"twice": "import time\ntime.sleep(0.4)\ndef twice(x): return 2 * x"} for number in range(5)}
    course = classes.course(tmp_path, classes.lecture(NAME), submissions(slow))
    killed = []

    def kill_grading():
        """Kill the process that grades, once it has a jail and somebody in it; whether there was one."""
        children = _children()
        for pid in _family(os.getpid(), children):
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"spawn_main" in line and pid not in killed and len(_family(pid, children)) > 4:
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)
                    return True
        return False

    def kill():
        for _ in range(2):
            with contextlib.suppress(AssertionError):
                until(kill_grading, 30)

    thread = threading.Thread(target=kill)
    thread.start()
    reports = autograde(course, NAME, workers=2, limits=LIMITS)
    thread.join()
    assert len(killed) == 2 and points(reports) == dict.fromkeys(slow, 3.0) == recorded(course)


def test_one_record_that_fails_stops_no_other(again, monkeypatch):
    shutil.rmtree(again / "autograded")
    write = Recorder._write

    def failing(self, report, submitted):
        if report.student == "bert":
            raise ValueError("value too long")
        write(self, report, submitted)

    monkeypatch.setattr(Recorder, "_write", failing)
    with pytest.raises(RuntimeError, match="took no results of bert"):
        autograde(again, NAME, limits=LIMITS)
    assert {path.name for path in (again / "autograded").iterdir()} == set(POINTS) - {"bert"}
    assert len(read_grades(again / "grades.csv")) == 10


def test_a_run_that_breaks_off_keeps_the_table(again, monkeypatch):
    before = read_grades(again / "grades.csv")

    def breaks(*_arguments):
        yield None, ""
        raise KeyboardInterrupt

    monkeypatch.setattr(spread, "here", breaks)
    with pytest.raises(KeyboardInterrupt):
        autograde(again, NAME, limits=LIMITS, force=True)
    assert read_grades(again / "grades.csv") == before


def test_what_a_human_should_see_is_in_formgrader(again):
    place = again / "submitted" / "bert" / NAME / f"{NAME}.ipynb"
    place.write_text('{"cells": [{"cell_ty')
    (report,) = [report for report in autograde(again, NAME, limits=LIMITS) if report.student == "bert"]
    assert report.points == 0 and "cut off" in report.look[0]
    with Gradebook(f"sqlite:///{again / 'gradebook.db'}") as book:
        assert book.find_submission(NAME, "bert").needs_manual_grade
    assert "cut off" in [row["reason"] for row in read_grades(again / "grades.csv") if row["student"] == "bert"][0]


def test_a_new_hand_in_after_a_person_graded_wants_another_look(again):
    decided = {"reflection": "dora", "twice-value": "bert"}

    def grades():
        return {check: book.find_grade(check, NAME, NAME, student) for check, student in decided.items()}

    with Gradebook(f"sqlite:///{again / 'gradebook.db'}") as book:
        for grade in grades().values():
            grade.manual_score, grade.needs_manual_grade = 2, False
        book.db.commit()
    autograde(again, NAME, limits=LIMITS)
    with Gradebook(f"sqlite:///{again / 'gradebook.db'}") as book:
        assert not any(grade.needs_manual_grade for grade in grades().values()), "nothing changed"
    made = submissions({"dora": {**ANSWERS["dora"], "reflection": "Another text."}, "bert": {}})
    for student in ("dora", "bert"):
        classes.write(made[student], again / "submitted" / student / NAME / f"{NAME}.ipynb")
    for _ in range(2):  # grading once more does not take the mark away
        autograde(again, NAME, limits=LIMITS)
        with Gradebook(f"sqlite:///{again / 'gradebook.db'}") as book:
            assert all(grade.needs_manual_grade and grade.manual_score == 2 for grade in grades().values())


def test_some_students_can_be_graded_again(again):
    before = kept(again)
    autograde(again, NAME, limits=LIMITS, force={"carl"})
    assert {path.parent.name for path, report in kept(again).items() if report[0] != before[path][0]} == {"carl"}


def test_a_table_that_a_spreadsheet_changed(again, capsys):
    path = again / "grades.csv"
    text = path.read_text(encoding="utf-8")
    header, *rest = text.splitlines()
    path.write_text("\ufeff" + "\n".join([header + ",remark", *(row + ",seen" for row in rest)]), encoding="utf-8")
    autograde(again, NAME, limits=LIMITS)
    assert path.read_text(encoding="utf-8").splitlines() == text.splitlines()
    path.write_text(text.replace(",", ";"), encoding="utf-8")
    autograde(again, NAME, limits=LIMITS)
    assert path.read_text(encoding="utf-8").splitlines() == text.splitlines()
    assert "grades.edited.csv" in capsys.readouterr().err and (again / "grades.edited.csv").exists()


def test_a_lecture_with_other_exercises_is_refused_with_a_way_out(again):
    for part in ("source", "release"):
        path = again / part / NAME / f"{NAME}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") != "thrice-value"]
        nbformat.write(notebook, path)
    with pytest.raises(RuntimeError, match="put the old one aside"):
        autograde(again, NAME, limits=LIMITS)


def test_a_gradebook_may_be_named_as_a_file(again, monkeypatch):
    monkeypatch.chdir(again)
    for name in ("other.db", "sqlite:///third.db"):
        autograde(again, NAME, url=name, limits=LIMITS)
        assert recorded(again, f"sqlite:///{again / name.removeprefix('sqlite:///')}") == POINTS


def test_who_handed_in_under_another_name_is_named(again):
    (again / "submitted" / "finn").mkdir()
    (again / "submitted" / "finn" / "my_lecture.ipynb").write_text("{}")
    assert absent(again, NAME) == ["finn"]


def test_no_text_of_a_student_s_becomes_a_formula(again):
    """At the beginning of a field, or where a spreadsheet with another separator would see one begin."""
    text = "def twice(x):\n    raise ValueError('x;=1+1;  @SUM(A1)')"
    classes.write(submissions({"bert": {"twice": text}})["bert"], again / "submitted" / "bert" / NAME / f"{NAME}.ipynb")
    autograde(again, NAME, limits=LIMITS)
    (reason,) = [row["reason"] for row in read_grades(again / "grades.csv") if (row["student"], row["exercise"]) == ("bert", "twice")]
    assert "x;'=1+1; '@SUM" in reason


def test_what_a_submission_prints_is_bounded(again):
    """However many extra cells print however much."""
    of = classes.lecture(NAME)
    notebook = classes.answered(of, classes.right(of), ["print('x' * 20_000)"] * 120)
    classes.write(notebook, again / "submitted" / "bert" / NAME / f"{NAME}.ipynb")
    (report,) = [report for report in autograde(again, NAME, limits=LIMITS) if report.student == "bert"]
    assert report.points == 3 and len(report.to_json()) < 1_200_000 and "no more output is kept" in report.to_json()


def test_no_such_data(again):
    with pytest.raises(SourceError, match="no folder of data"):
        autograde(again, NAME, limits=LIMITS, data=again / "nowhere")


def test_nobody_handed_in(tmp_path):
    course = classes.course(tmp_path, classes.lecture(NAME), {})
    with pytest.raises(SourceError, match="Nobody handed in"):
        autograde(course, NAME)


def test_the_key_of_a_report(again):
    of = classes.lecture(NAME)
    (task,) = [task for task in classroom.tasks(again, NAME) if task.student == "anna"]
    order = spread.Order(NAME, "", "", 0, LIMITS, "")
    same = classroom.key(task, of, order)
    assert same == classroom.key(task, of, order)
    others = [
        classroom.key(task, of, replace(order, seed=1)),
        classroom.key(task, of, replace(order, limits=replace(LIMITS, memory=1))),
        classroom.key(task, classes.lecture("97_workshop"), order),
        classroom.key(task, of, replace(order, data="/data")),
        classroom.key(replace(task, file=again / "submitted" / "bert" / NAME / f"{NAME}.ipynb"), of, order),
    ]
    assert len({same, *others}) == 6


# -- elsewhere --------------------------------------------------------------------------------------------------------------


def test_two_dask_workers_give_the_same_points(graded, tmp_path):
    from dask.distributed import LocalCluster

    course = classes.course(tmp_path, classes.lecture(NAME), submissions())
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1", local_directory=tmp_path
    ) as cluster:
        reports = autograde(course, NAME, scheduler=cluster.scheduler_address, limits=LIMITS)
    assert plain(reports) == plain(graded[1]) and recorded(course) == POINTS


def test_a_cluster_that_is_not_there(again, monkeypatch):
    from dask.distributed import LocalCluster

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1", local_directory=again) as cluster:
        with pytest.raises(SourceError, match="has no workers"):
            autograde(again, NAME, scheduler=cluster.scheduler_address, limits=LIMITS, force=True)
        monkeypatch.setattr(spread, "WAIT", 1)
        with pytest.raises(SourceError, match="No Dask scheduler answers"):
            autograde(again, NAME, scheduler=f"tcp://127.0.0.1:{port}", limits=LIMITS, force=True)


@pytest.fixture
def postgres(tmp_path):
    """Address of a PostgreSQL server that lives as long as the test."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(path) for path in [shutil.which("initdb")] if path]
    if not programs:
        pytest.skip("PostgreSQL is not installed here (no initdb): the gradebook is tested with SQLite alone. `apt install postgresql` to test both.")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    data = tmp_path / "postgres"
    data.mkdir()
    become = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(data, "postgres", "postgres")
        for folder in [tmp_path, *tmp_path.parents]:
            if folder.owner() == "root" and not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
    here = {"cwd": "/", "capture_output": True, "text": True}
    made = subprocess.run([*become, programs[-1], "-D", data, "-U", "grader", "--auth=trust", "--no-sync"], **here)
    assert made.returncode == 0, made.stderr
    control = [*become, programs[-1].with_name("pg_ctl"), "-D", data, "-w"]
    options = f"-p {port} -h 127.0.0.1 -k {data} -c fsync=off"
    started = subprocess.run([*control, "-o", options, "-l", data / "log", "start"], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert started.returncode == 0, (data / "log").read_text()
        subprocess.run(
            [*become, programs[-1].with_name("createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "grader", "gradebook"],
            check=True,
            **here,
        )
        yield f"postgresql+psycopg://grader@127.0.0.1:{port}/gradebook"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **here)


def test_postgresql_holds_the_same(again, postgres):
    odd = again / "submitted" / "ключ '; DROP TABLE grade; --" / NAME / f"{NAME}.ipynb"
    nul = submissions({"x": {"twice": "def twice(x):\n    raise ValueError('\\x00\\ud800')"}})["x"]
    classes.write(nul, odd)
    reports = autograde(again, NAME, url=postgres, limits=LIMITS)
    assert points(reports) == {**POINTS, odd.parents[1].name: 1}
    assert recorded(again, postgres) == points(reports)
    autograde(again, NAME, url=postgres, limits=LIMITS)
    assert recorded(again, postgres) == points(reports)
    assert recorded(again) == POINTS, "the course's own gradebook stays as it was"


def test_a_report_survives_its_journey():
    report = classroom._failed("anna", classes.lecture(NAME), "why")
    report.cells = [("twice", "text", "printed", "")]
    assert classroom.Report.from_json(report.to_json()) == report and json.loads(report.to_json())["look"] == ["why"]
