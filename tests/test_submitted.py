"""What lies in a student's folder: which file is the notebook, when it was handed in, and a row for a human where nobody can say."""

import os
import time

import nbformat
import pytest

from grading.marking.submitted import handed_in, tasks
from tests import classes

NAME = "97_workshop"


@pytest.fixture(scope="module")
def lecture():
    return classes.lecture(NAME)


@pytest.fixture
def folder(tmp_path, lecture):
    """Put files into one student's folder; returns the task that is made of them."""
    place = tmp_path / "submitted" / "anna" / NAME
    place.mkdir(parents=True)
    text = nbformat.writes(lecture.released)

    def run(*names, content=text):
        for name in names:
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tasks(tmp_path, NAME)

    return run


@pytest.mark.parametrize(
    ("names", "file", "note"),
    [
        ([f"{NAME}.ipynb"], f"{NAME}.ipynb", ""),
        ([f"{NAME}.ipynb", "scratch.ipynb"], f"{NAME}.ipynb", ""),
        (["Copy of lecture.ipynb"], "Copy of lecture.ipynb", "instead of"),
        ([f"{NAME} (1).ipynb"], f"{NAME} (1).ipynb", "instead of"),
        ([f"{NAME}.IPYNB"], f"{NAME}.IPYNB", "instead of"),
        ([f"{NAME}.ipynb.txt"], f"{NAME}.ipynb.txt", "instead of"),
        ([f"{NAME}.ipynb.json", "notes.txt"], f"{NAME}.ipynb.json", "instead of"),
        ([f"{NAME}/{NAME}.ipynb"], f"{NAME}.ipynb", ""),
        (["notebook.json"], "notebook.json", "instead of"),
        ([f".ipynb_checkpoints/{NAME}-checkpoint.ipynb", "mine.ipynb"], "mine.ipynb", "instead of"),
        (["a.ipynb", "b.ipynb"], "a.ipynb", "2 notebooks"),
    ],
)
def test_file_names(folder, names, file, note):
    (task,) = folder(*names)
    assert task.file.name == file and (note in task.note if note else not task.note) and not task.look


@pytest.mark.parametrize("names", [[], ["essay.docx"], [".ipynb_checkpoints/x.ipynb"]])
def test_no_notebook_is_a_row_for_a_human(folder, names):
    (task,) = folder(*names)
    assert task.file is None and task.look and "no notebook" in task.note


def test_a_file_beside_the_folder_is_found(tmp_path, lecture):
    classes.write(lecture.released, tmp_path / "submitted" / "bert" / f"{NAME}.ipynb")
    classes.write(lecture.released, tmp_path / "submitted" / "carl" / NAME)
    found = {task.student: task.file for task in tasks(tmp_path, NAME)}
    assert found["bert"].name == f"{NAME}.ipynb" and found["carl"].name == NAME


def test_unreadable_places_are_rows_for_a_human(tmp_path, lecture):
    for student in ("dora", "emil", "frida"):
        classes.write(lecture.released, tmp_path / "submitted" / student / NAME / f"{NAME}.ipynb")
    os.remove(tmp_path / "submitted" / "dora" / NAME / f"{NAME}.ipynb")
    os.mkfifo(tmp_path / "submitted" / "dora" / NAME / f"{NAME}.ipynb")
    (tmp_path / "submitted" / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "submitted" / "notes.txt").write_text("not a student")
    found = {task.student: task for task in tasks(tmp_path, NAME)}
    assert found.keys() == {"dora", "emil", "frida"} and found["dora"].look and found["dora"].file is None


@pytest.mark.parametrize(
    "stamp",
    [
        "2024-05-01 10:00:00 UTC",
        "2024-05-01T12:00:00+02:00",
        "tomorrow-ish",
        "",
        "9" * 5000,
        "0001-01-01 00:00 +14:00",
        "\x00\xff",
        "NaN",
        "1e400",
    ],
)
def test_time_stamps(folder, tmp_path, stamp):
    (task,) = folder(f"{NAME}.ipynb")
    (task.folder / "timestamp.txt").write_bytes(stamp.encode("latin-1"))
    told = handed_in(task)
    assert told is None or told.tzinfo is None
    if "2024" in stamp:
        assert str(told) == "2024-05-01 10:00:00"


def test_without_a_time_stamp_nobody_knows_when(folder):
    (task,) = folder(f"{NAME}.ipynb")
    assert handed_in(task) is None


def test_a_time_stamp_without_end_is_not_read(folder):
    (task,) = folder(f"{NAME}.ipynb")
    (task.folder / "timestamp.txt").symlink_to("/dev/zero")
    begin = time.perf_counter()
    handed_in(task)
    assert time.perf_counter() - begin < 2
