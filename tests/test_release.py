"""Released notebooks are what their sources give, byte for byte, and hold nothing a student must not see."""

import json
import re

import nbformat
import pytest

from grading.authoring.badges import row
from grading.authoring.exercises import exercises_of
from grading.authoring.release import release, released_text, write_course
from grading.sources import NOTEBOOKS, OPENING_CELL, SourceError, is_check, is_solution, lectures, read_lecture, repository, tags

LECTURES = lectures()


@pytest.fixture(scope="module")
def texts():
    """Released text by lecture, made once."""
    made = {}

    def text(lecture):
        if lecture not in made:
            made[lecture] = released_text(lecture)
        return made[lecture]

    return text


@pytest.mark.parametrize("lecture", LECTURES)
def test_notebook_is_in_sync_with_its_source(lecture, texts):
    path = NOTEBOOKS / f"{lecture}.ipynb"
    assert path.is_file(), f"run `python -m grading release {lecture}`"
    assert path.read_text(encoding="utf-8") == texts(lecture), f"run `python -m grading release {lecture}`: the source has changed"


def test_no_notebook_without_a_source():
    assert {path.stem for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")} <= set(LECTURES)


@pytest.mark.parametrize("lecture", LECTURES)
def test_release_is_deterministic(lecture, texts):
    assert released_text(lecture) == texts(lecture)


@pytest.mark.parametrize("lecture", LECTURES)
def test_nothing_secret_and_no_output(lecture, texts):
    assert_clean(read_lecture(lecture), texts(lecture))


def assert_clean(source, text):
    """Markers, solution bodies, hidden checks, model answer and outputs are all gone from a released notebook."""
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    for marker in ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "REPOSITORY"):
        assert marker not in text, marker
    released = {cell.id: cell for cell in notebook.cells}
    assert [cell.id for cell in source.cells] == list(released)
    for cell in source.cells:
        if cell.cell_type == "markdown" and is_solution(cell):
            assert released[cell.id].source == "YOUR ANSWER HERE"
        elif is_solution(cell) or is_check(cell):
            kept = released[cell.id].source
            for secret in secrets(cell.source):
                assert secret not in kept, f"{cell.id} still holds: {secret}"
    for cell in notebook.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None


def secrets(source):
    """Lines that stand only between the markers of a cell."""
    parts = re.split(r"### (?:BEGIN|END) (?:SOLUTION|HIDDEN TESTS)", source)
    outside = {line.strip() for part in parts[0::2] for line in part.splitlines()}
    return [line.strip() for part in parts[1::2] for line in part.splitlines() if len(line.strip()) > 12 and line.strip() not in outside]


@pytest.mark.parametrize("lecture", LECTURES)
def test_opening_cells(lecture, texts):
    notebook = nbformat.reads(texts(lecture), as_version=4)
    title, card, parameters, setup = notebook.cells[:4]
    assert re.match(r"# Lecture \d+ - ", title.source) and row(lecture) in title.source
    assert card.source.startswith("## Data card")
    assert "parameters" in tags(parameters) and f'LECTURE = "{lecture}"' in parameters.source
    assert setup.source == OPENING_CELL.read_text(encoding="utf-8").strip().replace("REPOSITORY", repository())


@pytest.mark.parametrize("lecture", LECTURES)
def test_stub_names_its_exercise(lecture, texts):
    notebook = nbformat.reads(texts(lecture), as_version=4)
    for exercise in exercises_of(notebook):
        source = exercise.solutions[0].source
        assert f'raise NotImplementedError("Exercise {exercise.id}: ' in source
        assert exercise.title in source
        assert exercise.solutions[0].metadata.nbgrader.checksum


def test_made_up_lecture(made_up, tmp_path):
    """The whole way on a lecture whose secrets are known by name; twice gives the same bytes, and writing is announced once."""
    text = released_text(made_up)
    assert_clean(read_lecture(made_up), text)
    assert "secret" not in text
    assert text == released_text(made_up) and text.endswith("}\n")
    assert json.loads(text)["metadata"]["kernelspec"]["name"] == "python3"
    assert 'raise NotImplementedError(\\"Exercise 1.2a: write combined - weighting readers\\")' in text
    assert list(release([str(made_up)], write=False, folder=tmp_path)) == [("98_made_up", True)]
    assert not list(tmp_path.iterdir())
    assert list(release([str(made_up)], folder=tmp_path)) == [("98_made_up", True)]
    assert list(release([str(made_up)], folder=tmp_path)) == [("98_made_up", False)]
    assert (tmp_path / "98_made_up.ipynb").read_text(encoding="utf-8") == text


def broken(made_up, folder, old, new):
    """A copy of the made-up source with one piece of text replaced, under the same name."""
    text = made_up.read_text(encoding="utf-8")
    assert old in text
    path = folder / made_up.name
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("import torch\n", "import torch  # mine\n", "exactly the text of grading/authoring/opening_cell.py"),
        ("# ## Data card", "# ## Data", "Cell 2 must be the data card"),
        ('tags=["parameters"]', 'tags=["sizes"]', "Cell 3 must be the code cell"),
        ("    ### END SOLUTION\n", "", "no end solution statement"),
        ("### END HIDDEN TESTS\n", "", "No end hidden tests statement"),
    ],
)
def test_a_wrong_source_is_refused_with_a_reason(made_up, tmp_path, old, new, says):
    with pytest.raises(SourceError, match=f"(?i){re.escape(says)}"):
        released_text(broken(made_up, tmp_path, old, new))


def test_course_directory_keeps_what_is_in_it(made_up, tmp_path):
    (tmp_path / "submitted").mkdir()
    write_course(tmp_path, [str(made_up)])
    assert (tmp_path / "source" / "98_made_up" / "98_made_up.ipynb").is_file()
    assert (tmp_path / "nbgrader_config.py").is_file() and (tmp_path / "submitted").is_dir()
