"""Hostile submissions and honest ones in one class: no attack gains a point, learns a secret, changes a record or stops the grading.

Each file in attacks/ is the text of a solution cell ("# cell: <grade id>"), or of an extra cell before the first answer ("# cell: helper");
the other answers are empty, or right ("# rest: right"). Attacks by the file itself, its name or its place are made here.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import threading
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from grading.marking.classroom import autograde
from grading.marking.feedback import feedback
from grading.marking.record import read_grades
from grading.sandbox import Limits
from tests import classes

NAME = "97_workshop"
LIMITS = Limits(seconds=20, cell_seconds=2, memory=3 * 2**29, disk=16 * 2**20, processes=48)
WORTH = {"middle": 3, "rescale": 3, "clip": 1, "fit": 2, "predict": 1, "loss": 1, "trained": 2, "noisy": 1, "task-of": 4, "counter": 1}
HONEST = ("a-honest", "m-honest", "z-honest")
SECRETS = ("417.25", "7319", "secret_", "CANARY", "HIDDEN TESTS", "sk-environment")
PLANTED = ("red-team-planted", "rt-leftover")


def notebook_of(attack, places):
    """The submission that carries an attack."""
    of = classes.lecture(NAME)
    text = attack.read_text(encoding="utf-8")
    for name, value in places.items():
        text = text.replace("{" + name + "}", str(value))
    cells, rest = classes.parts(text)
    right = {name: text for name, text in classes.right(of).items() if name != "reflection"}
    answers = {**(right if rest else {}), **{name: cell for name, cell in cells.items() if name != "helper"}}
    return classes.answered(of, answers, cells.get("helper", ""))


def expected(attack):
    """The most points that an attack may get; those of the answers that it leaves right, exactly."""
    cells, rest = classes.parts(attack.read_text(encoding="utf-8"))
    return sum(WORTH.values()) - sum(WORTH.get(name, 0) for name in cells) if rest else 0


class Listener:
    """A server on this machine, by number and by a name without a file, that remembers who called."""

    def __init__(self):
        self.calls = []
        self.sockets = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
        self.port = self.sockets[0].getsockname()[1]
        self.abstract = f"red-team-{os.getpid()}-{self.port}"
        self.sockets[1].bind("\0" + self.abstract)
        self.sockets[1].listen()
        for one in self.sockets:
            threading.Thread(target=self._listen, args=[one], daemon=True).start()

    def _listen(self, one):
        with contextlib.suppress(OSError):
            while True:
                self.calls.append(one.accept())

    def close(self):
        for one in self.sockets:
            one.shutdown(socket.SHUT_RDWR)  # or the thread that waits on it would hold it, and its name, for ever
            one.close()


def odd_files(course, honest):
    """Submissions whose file, name or place is the attack: student -> points that they may get."""
    root = course / "submitted"
    text = nbformat.writes(honest)
    whole = sum(WORTH.values())

    def place(student, name=f"{NAME}.ipynb"):
        path = root / student / NAME / name
        path.parent.mkdir(parents=True)
        return path

    secret = course / "secret_notes.ipynb"
    secret.write_text(text.replace("np.median", "np.median # CANARY-NOTES"), encoding="utf-8")
    place("file-link").symlink_to(secret)
    place("file-link-to-other").symlink_to(root / HONEST[0] / NAME / f"{NAME}.ipynb")
    (root / "folder-link").symlink_to(root / HONEST[0])
    (root / "inner-link").mkdir()
    (root / "inner-link" / NAME).symlink_to(root / HONEST[0] / NAME)
    os.link(course / "gradebook.db", place("hard-link"))
    os.mkfifo(place("pipe"))
    place("device").symlink_to("/dev/zero")
    place("folder-as-file").mkdir()
    place("deep-json").write_text('{"cells": ' + "[" * 200_000, encoding="utf-8")
    place("huge-number").write_text('{"cells": [], "x": ' + "9" * 100_000 + "}", encoding="utf-8")
    place("not-a-cell").write_text('{"cells": [1, null, "x", [], {"cell_type": [], "source": {"a": NaN}, "metadata": 7}]}', encoding="utf-8")
    place("many-cells").write_text(json.dumps({"cells": [{"cell_type": "code", "source": "x"}] * 20_000}), encoding="utf-8")
    place("pickle").write_bytes(b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x1ctouch /tmp/red-team-planted\x85R.")
    place("archive").write_bytes(b"PK\x03\x04" + bytes(5000))
    place("long-cells").write_text(
        json.dumps({"cells": [{"cell_type": "code", "source": "a" * 3999 + str(n)} for n in range(800)]}), encoding="utf-8"
    )
    slow = {"cells": [{"cell_type": "code", "source": "(" * 150 + "1" + ")" * 150 + "\n" + "-" * 90_000 + "1"} for _ in range(20)]}
    place("deep-code").write_text(json.dumps(slow), encoding="utf-8")
    place("nbgrader-marks").write_text(_with_marks(text), encoding="utf-8")
    place("skip-execution").write_text(_skipping(), encoding="utf-8")
    place("html-name", "<img src=x onerror=alert(1)>.ipynb").write_text(text, encoding="utf-8")
    stamp = place("endless-stamp")
    stamp.write_text(text, encoding="utf-8")
    (stamp.parent / "timestamp.txt").symlink_to("/dev/zero")
    odd_names = (
        "=cmd|'calc'!A0",
        "..%2f..%2fgrades",
        "new\nline,0,0",
        "Ünï-ключ-値",
        "\u202egnp",
        "-rf",
        "x" * 100,
        "'; DROP TABLE grade; --",
    )
    for name in odd_names:
        place(name).write_text(text, encoding="utf-8")
    latin = os.path.join(os.fsencode(root), b"latin-\xff", NAME.encode())
    os.makedirs(latin)
    Path(os.fsdecode(latin), f"{NAME}.ipynb").write_text(text, encoding="utf-8")
    full = ["html-name", "endless-stamp", "nbgrader-marks", *odd_names, os.fsdecode(b"latin-\xff")]
    none = [path.name for path in root.iterdir() if path.name not in (*HONEST, *full) and path.name not in {each.stem for each in classes.ATTACKS}]
    return dict.fromkeys(none, 0) | {student_of(name): whole for name in full}


def student_of(folder):
    """The id under which a folder's student is recorded."""
    return folder.replace("\n", "\\n").replace("\u202e", "\\u202e").replace("\udcff", "\\xff")


def _with_marks(text):
    """An honest notebook whose metadata give it more points and other names."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"].update(points=1000, checksum="0", locked=False)
    notebook["metadata"].update(kernelspec={"name": "../../evil", "display_name": "x"}, language_info={"name": "bash"})
    return json.dumps(notebook)


def _skipping():
    """A notebook without an answer whose checks are told not to run, are emptied, and show results that they never had."""
    notebook = nbformat.from_dict(classes.answered(classes.lecture(NAME), {}))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata.setdefault("tags", []).extend(["skip-execution", "raises-exception"])
            cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "100"}, execution_count=1)]
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            cell.source = "100"
    return nbformat.writes(notebook)


def digests(folder):
    """Every ordinary file below a folder -> its digest."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def planted():
    """Files and processes that an attack would leave."""
    found = []
    for root in ("/tmp", "/var/tmp", "/dev", "/dev/shm", "/", str(Path.home()), str(classes.FIXTURES.parents[1]), os.getcwd()):
        with contextlib.suppress(OSError):
            found += [os.path.join(root, name) for name in os.listdir(root) if any(word in name for word in PLANTED)]
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text().strip() in ("rt-leftover", "bwrap") and mine(entry):
                found.append((entry / "comm").read_text().strip())
    return found


def mine(entry):
    """Whether a process came from this test: it carries its mark, or can't be asked."""
    with contextlib.suppress(OSError):
        text = (entry / "comm").read_text().strip()
        return text == "rt-leftover" or b"red-team-marker" in (entry / "environ").read_bytes()
    return False


@contextlib.contextmanager
def alone(base):
    """No other worker of this test run grades the class, or looks for what it left, at the same time."""
    with (base.parent / "red-team.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """The class, graded once, and all that is to be looked at."""
    of = classes.lecture(NAME)
    course = tmp_path_factory.mktemp("red")
    listener = Listener()
    places = {"course": course, "repository": classes.FIXTURES.parents[1], "port": listener.port, "abstract": listener.abstract}
    honest = classes.answered(of, {**classes.right(of), "reflection": "The clock."})
    students = {f"{attack.stem}": notebook_of(attack, places) for attack in classes.ATTACKS}
    others = copy_with(honest, "# CANARY-OTHER")
    classes.course(course, of, {**students, **dict.fromkeys(HONEST, others)})
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:  # somebody graded before, by hand
        book.add_assignment("00_before")
        book.add_student("CANARY-BOOK")
    (course / "grades.csv").write_text("student,lecture,exercise,points,max_points,reason\nbefore,00_before,one,3,4,CANARY-CSV\n")
    allowed = odd_files(course, honest)
    allowed |= {attack.stem: expected(attack) for attack in classes.ATTACKS} | dict.fromkeys(HONEST, sum(WORTH.values()))
    before = digests(course / "submitted") | digests(course / "source")
    before = {path: digest for path, digest in before.items() if "hard-link" not in path}  # that is the gradebook itself
    os.environ["RED_TEAM_TOKEN"] = "sk-environment red-team-marker"
    try:
        with alone(tmp_path_factory.getbasetemp()):
            reports = {report.student: report for report in autograde(course, NAME, workers=2, limits=LIMITS)}
    finally:
        del os.environ["RED_TEAM_TOKEN"]
    listener.close()
    return {
        "course": course, "reports": reports, "allowed": allowed, "calls": listener.calls, "before": before,
    }  # fmt: skip


def copy_with(notebook, remark):
    """A notebook with a remark in an answer."""
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "clip":
            cell.source += f"\n{remark}"
    return notebook


def test_there_are_enough_attacks():
    aims = {aim for attack in classes.ATTACKS for aim in re.search(r"^# aims at: (.*)$", attack.read_text(encoding="utf-8"), re.M)[1].split(", ")}
    assert len(classes.ATTACKS) >= 40 and aims == {"points", "secrets", "records", "denial"}


@pytest.mark.parametrize("name", [attack.stem for attack in classes.ATTACKS])
def test_attack_gains_nothing(batch, name):
    report = batch["reports"][name]
    lost = {verdict.check: verdict.reason for verdict in report.verdicts if verdict.points < verdict.max_points}
    assert report.points == batch["allowed"][name], lost
    assert all(lost.values()), "every lost point has a reason"


def test_odd_files_gain_nothing_and_lose_nothing(batch):
    odd = [name for name in batch["allowed"] if name not in {attack.stem for attack in classes.ATTACKS}]
    assert len(odd) > 25
    points = {name: batch["reports"][name].points for name in odd}
    assert points == {name: batch["allowed"][name] for name in odd}
    nothing = [name for name in odd if not points[name] and name != "skip-execution"]
    assert all(batch["reports"][name].look for name in nothing), "a submission without a point has a row for a human"


def test_everybody_has_a_report(batch):
    assert batch["reports"].keys() == batch["allowed"].keys()


def test_honest_students_get_all_their_points(batch):
    assert {name: batch["reports"][name].points for name in HONEST} == dict.fromkeys(HONEST, sum(WORTH.values()))


def test_gradebook_and_table_hold_what_was_decided(batch):
    with Gradebook(f"sqlite:///{batch['course'] / 'gradebook.db'}") as book:
        assert {student.id for student in book.students} == set(batch["reports"]) | {"CANARY-BOOK"}
        assert {assignment.name for assignment in book.assignments} == {"00_before", NAME}
        for name, report in batch["reports"].items():
            grades = {grade.name: grade for grade in book.find_submission_notebook(NAME, NAME, name).grades}
            assert {check.check: grades[check.check].auto_score for check in report.verdicts} == {
                check.check: check.points for check in report.verdicts
            }
            assert all(grade.manual_score is None for grade in grades.values())
    rows = read_grades(batch["course"] / "grades.csv")
    assert rows[0] == dict(student="before", lecture="00_before", exercise="one", points="3", max_points="4", reason="CANARY-CSV")
    assert len(rows) == 1 + len(WORTH) * len(batch["reports"])
    assert not any(str(value)[:1] in ("=", "+", "-", "@", "\t", "\r") for row in rows for value in row.values())


def test_no_secret_is_told(batch):
    told = {path.parents[1].name: path.read_text(encoding="utf-8") for path in (batch["course"] / "autograded").glob("*/*/*.ipynb")}
    assert told.keys() == batch["reports"].keys()
    for row in read_grades(batch["course"] / "grades.csv")[1:]:
        told[row["student"] if row["student"] in told else row["student"].removeprefix("'")] += row["reason"]
    for name, text in told.items():
        assert name in HONEST or not [word for word in SECRETS if word in text], name
    assert not batch["calls"], "somebody reached a server outside of the jail"


def test_feedback_runs_nothing_and_tells_no_secret(batch, tmp_path):
    course = tmp_path / "course"
    shown = ["records_html", "records_terminal_escapes", "secrets_printed_inputs", "html-name"]
    for name in shown:
        shutil.copytree(batch["course"] / "autograded" / name, course / "autograded" / name)
    shutil.copy(batch["course"] / "gradebook.db", course / "gradebook.db")
    pages = {page.parent.parent.name: page.read_text(encoding="utf-8") for page in feedback(course, NAME)}
    assert pages.keys() == set(shown)
    for name, page in pages.items():
        assert "<script>alert(" not in page and not re.search(r"<img src=x[^>]* onerror", page), name
        assert not [word for word in SECRETS if word in page], name
        assert "\x1b" not in page and "\u202e" not in page


def test_nothing_is_left_and_nothing_is_changed(batch, tmp_path_factory):
    with alone(tmp_path_factory.getbasetemp()):
        assert not planted()
    assert batch["before"].items() <= digests(batch["course"]).items()
    root = classes.FIXTURES.parents[1]
    files = [*(root / "grading").rglob("*.py"), *(root / "helpers").rglob("*.py")]
    assert not [path for path in files if PLANTED[0] in path.read_text(encoding="utf-8")]


def test_honest_students_are_not_bothered(batch):
    for name in HONEST:
        assert not batch["reports"][name].look and not batch["reports"][name].notes
