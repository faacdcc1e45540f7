"""Notebooks as Colab, VS Code and careless students leave them: the same answers as the clean one, or a clear reason; never a crash."""

import copy
import json
import random
import time

import nbformat
import pytest

from grading.marking.reading import Unreadable
from grading.marking.rebuild import rebuild
from grading.sources import grade_id, is_check, is_solution
from tests import classes, damages
from tests.damages import cell_of, checks_deleted, checks_edited, code_cell, from_vs_code, odd_cells_between, without_marks

NAME = "97_workshop"


@pytest.fixture(scope="module")
def lecture():
    return classes.lecture(NAME)


@pytest.fixture(scope="module")
def clean(lecture):
    """What the clean notebook gives: grade id -> text."""
    return {**classes.right(lecture), "reflection": "I would break the clock first."}


@pytest.fixture
def notebook(lecture, clean):
    """A fully answered notebook as JSON, to be damaged."""
    return json.loads(json.dumps(classes.answered(lecture, clean)))


@pytest.fixture
def rebuilt(lecture, tmp_path):
    """Rebuild a damaged notebook: JSON data, text or bytes."""

    def run(content):
        path = tmp_path / f"{NAME}.ipynb"
        content = json.dumps(content) if isinstance(content, dict) else content
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return rebuild(path, lecture.released)

    return run


def stubs_pasted_below(notebook):
    """The untouched stub of each answer stands below the answer again."""
    stubs = {grade_id(cell): cell.source for cell in classes.lecture(NAME).released.cells if is_solution(cell)}
    notebook["cells"] += [code_cell(stubs[name], nbgrader={"grade_id": name, "solution": True}) for name in ("middle", "rescale", "fit")]


def answers_below_the_stubs(notebook):
    """Each answer stands in a new cell, below the untouched stub."""
    stubs = {grade_id(cell): cell.source for cell in classes.lecture(NAME).released.cells if is_solution(cell)}
    cells = []
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cells.append(cell)
        if name in stubs:
            answer = {**copy.deepcopy(cell), "metadata": {}}
            cell["source"] = stubs[name]
            cells.append(answer)
    notebook["cells"] = cells


def retyped_as_text(notebook):
    for name in ("middle", "rescale"):
        cell_of(notebook, name)["cell_type"] = "markdown"
    cell_of(notebook, "clip")["cell_type"] = "raw"


def retyped_in_a_fence(notebook):
    cell = cell_of(notebook, "middle")
    cell.update(cell_type="markdown", source=f"```python\n{cell['source']}\n```", metadata={})


def reflection_retyped(notebook):
    cell_of(notebook, "reflection").update(cell_type="code", outputs=[], execution_count=None)


def set_up_changed(notebook):
    for cell in notebook["cells"]:
        if "setup" in cell["metadata"].get("tags", []):
            cell["source"] += "\nnp.median = None\n%matplotlib inline"
        if "parameters" in cell["metadata"].get("tags", []):
            cell["source"] = cell["source"].replace("SEED = 0", "SEED = 1")


DAMAGES = [
    *damages.SURVIVED,
    stubs_pasted_below,
    answers_below_the_stubs,
    retyped_as_text,
    retyped_in_a_fence,
    set_up_changed,
    reflection_retyped,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damaged_notebooks_give_the_same_answers(damage, notebook, clean, rebuilt):
    damage(notebook)
    result = rebuilt(notebook)
    assert {name: answer.source.strip() for name, answer in result.answers.items()} == {name: text.strip() for name, text in clean.items()}
    assert not result.look


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_two_damages_at_once(damage, notebook, clean, rebuilt):
    from_vs_code(notebook)
    if damage is not without_marks:
        damage(notebook)
    if damage is not odd_cells_between:
        checks_deleted(notebook)
    result = rebuilt(notebook)
    assert {name: answer.source.strip() for name, answer in result.answers.items()} == {name: text.strip() for name, text in clean.items()}


def test_the_clean_notebook_says_nothing(notebook, rebuilt):
    result = rebuilt(notebook)
    assert not result.notes and not result.look
    assert all(answer.found == "id" and not answer.helpers for answer in result.answers.values())


def test_an_empty_notebook_is_unanswered_not_missing(lecture, rebuilt):
    result = rebuilt(nbformat.writes(lecture.released))
    assert {answer.found for answer in result.answers.values()} == {"unanswered"} and not result.look


def test_marks_that_are_gone_are_told(notebook, rebuilt):
    without_marks(notebook)
    result = rebuilt(notebook)
    assert any("lost its mark" in note for note in result.notes)
    assert result.answers["middle"].found == "name"


def test_edited_checks_are_told(notebook, rebuilt):
    cell_of(notebook, "middle-value")["source"] = "pass"
    assert any("middle-value" in note and "originals" in note for note in rebuilt(notebook).notes)


def test_a_cell_split_in_a_function_is_joined(notebook, clean, rebuilt):
    number = notebook["cells"].index(cell_of(notebook, "middle"))
    head, rest = clean["middle"].split("\n    return ")
    notebook["cells"][number]["source"] = head
    notebook["cells"].insert(number + 1, code_cell("    return " + rest))
    answer = rebuilt(notebook).answers["middle"]
    assert answer.found == "joined" and answer.source.split() == clean["middle"].split()


def test_a_cell_split_before_its_body_is_joined(notebook, clean, rebuilt):
    number = notebook["cells"].index(cell_of(notebook, "rescale"))
    lines = clean["rescale"].split("\n")
    notebook["cells"][number]["source"] = lines[0]
    notebook["cells"].insert(number + 1, code_cell("\n".join(lines[1:])))
    assert rebuilt(notebook).answers["rescale"].source.split() == clean["rescale"].split()


def test_a_cell_split_between_helper_and_answer_keeps_both(notebook, clean, rebuilt):
    """The first half keeps the mark, the second half holds the answer."""
    number = notebook["cells"].index(cell_of(notebook, "middle"))
    notebook["cells"][number]["source"] = "def _half(values):\n    return values"
    notebook["cells"].insert(number + 1, code_cell(clean["middle"]))
    answer = rebuilt(notebook).answers["middle"]
    assert answer.source == clean["middle"] and answer.helpers == ["def _half(values):\n    return values"]


def test_pieces_with_the_same_mark_are_joined(notebook, clean, rebuilt):
    number = notebook["cells"].index(cell_of(notebook, "counter"))
    head, tail = clean["counter"].split("    def mean")
    notebook["cells"][number]["source"] = head
    notebook["cells"].insert(number + 1, {**copy.deepcopy(notebook["cells"][number]), "source": "    def mean" + tail})
    assert rebuilt(notebook).answers["counter"].source.split() == clean["counter"].split()


def test_merged_cells_serve_both_answers(notebook, clean, rebuilt):
    one, two = cell_of(notebook, "middle"), cell_of(notebook, "rescale")
    helper = code_cell("def low(x):\n    return x.min()")
    one["source"] = clean["middle"] + "\n\n" + cell_of(notebook, "middle-value")["source"] + "\n\n" + clean["rescale"]
    notebook["cells"].remove(two)
    notebook["cells"].insert(notebook["cells"].index(one), helper)
    result = rebuilt(notebook)
    assert clean["middle"] in result.answers["middle"].source and clean["rescale"] in result.answers["rescale"].source
    assert result.answers["middle"].helpers == [helper["source"]], "the helper comes before the first of the two"


def test_an_answer_in_a_check_cell_is_found(notebook, clean, rebuilt):
    check = cell_of(notebook, "middle-value")
    check["source"] = clean["middle"] + "\n" + check["source"]
    notebook["cells"].remove(cell_of(notebook, "middle"))
    assert clean["middle"] in rebuilt(notebook).answers["middle"].source


def test_own_cells_become_helpers_of_the_answer_that_follows(notebook, rebuilt):
    cells = notebook["cells"]
    cells.insert(cells.index(cell_of(notebook, "rescale")), code_cell("WEIGHT = 2"))
    cells.append(code_cell("last = 1"))
    result = rebuilt(notebook)
    assert result.answers["rescale"].helpers == ["WEIGHT = 2"] and not result.answers["middle"].helpers
    assert [name for name, answer in result.answers.items() if "last = 1" in answer.helpers] == ["counter"]


def test_the_lectures_own_cells_are_no_helpers(notebook, rebuilt):
    """Given cells and checks, edited or doubled, are not run as the student's."""
    checks_edited(notebook)
    for cell in copy.deepcopy(notebook["cells"]):
        if cell["cell_type"] == "code" and "given" in cell["metadata"].get("tags", []):
            notebook["cells"].append(cell)
    assert not any(answer.helpers for answer in rebuilt(notebook).answers.values())


def test_an_import_added_to_the_set_up_stays(notebook, rebuilt):
    cell = next(cell for cell in notebook["cells"] if "setup" in cell["metadata"].get("tags", []))
    cell["source"] += "\nimport scipy"
    assert rebuilt(notebook).answers["middle"].helpers == [cell["source"]]


def test_a_copied_demonstration_with_a_name_of_its_own_is_a_helper(notebook, rebuilt):
    given = next(cell for cell in notebook["cells"] if "given" in cell["metadata"].get("tags", []))
    copied = code_cell(given["source"].replace("def error_of", "def my_error_of"))
    notebook["cells"].insert(notebook["cells"].index(given) + 1, copied)
    assert rebuilt(notebook).answers["fit"].helpers == [copied["source"]]


def test_an_answer_that_defines_nothing_is_found_by_what_checks_read(notebook, clean, rebuilt):
    cell = cell_of(notebook, "trained")
    cell.update(metadata={}, source="# all my own\nimport torch\nclassifier = torch.nn.Linear(2, 1)")
    answer = rebuilt(notebook).answers["trained"]
    assert answer.found == "name" and answer.source == cell["source"]


def test_a_function_of_another_name_is_told(notebook, rebuilt):
    cell = cell_of(notebook, "middle")
    cell["source"] = cell["source"].replace("def middle", "def midle")
    result = rebuilt(notebook)
    assert result.answers["middle"].found == "similar" and any("does not define middle" in note for note in result.notes)


def test_a_syntax_error_stays_one_answers_problem(notebook, clean, rebuilt):
    cell_of(notebook, "middle")["source"] = "def middle(values:\n    return 1"
    result = rebuilt(notebook)
    assert result.answers["middle"].source == "def middle(values:\n    return 1"
    assert result.answers["rescale"].source == clean["rescale"] and not result.answers["rescale"].helpers


def test_deleted_answers_go_to_a_human(notebook, rebuilt):
    notebook["cells"].remove(cell_of(notebook, "middle"))
    result = rebuilt(notebook)
    assert result.answers["middle"].found == "missing" and "NotImplementedError" in result.answers["middle"].source
    assert "middle" in result.look[0]


def test_another_lectures_notebook_goes_to_a_human(rebuilt):
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("def something_else():\n    return 1")])
    assert "another lecture" in rebuilt(nbformat.writes(other)).look[0]


def test_an_older_release(lecture, notebook, clean, rebuilt):
    """Older stubs, checks and ids: answers are found by the names that they define."""
    for cell in notebook["cells"]:
        mark = cell["metadata"].get("nbgrader")
        if mark and mark.get("locked"):
            cell["source"] = "# older\n" + cell["source"]
        if mark and mark["grade_id"] in ("middle", "rescale"):
            mark["grade_id"] = "exercise-" + mark["grade_id"]
    cell_of(notebook, "loss")["source"] = "def loss(x):\n    raise NotImplementedError('Exercise 9: an older text')"
    result = rebuilt(notebook)
    assert result.answers["middle"].source == clean["middle"] and result.answers["rescale"].found == "name"
    assert any("older release" in note for note in result.notes) and not result.look


def test_reflection_without_marks_is_found_below_its_question(notebook, rebuilt):
    without_marks(notebook)
    cell = next(cell for cell in notebook["cells"] if "break the clock" in "".join(cell["source"]))
    number = notebook["cells"].index(cell)
    notebook["cells"].insert(number + 1, {"cell_type": "markdown", "source": "And then the lamp.", "metadata": {}})
    assert rebuilt(notebook).answers["reflection"].source == "I would break the clock first.\n\nAnd then the lamp."


def test_reflection_in_a_new_cell_is_found(lecture, notebook, rebuilt):
    cell = cell_of(notebook, "reflection")
    cell["source"] = next(each.source for each in lecture.released.cells if grade_id(each) == "reflection")
    notebook["cells"].insert(notebook["cells"].index(cell) + 1, {"cell_type": "markdown", "source": "Mine.", "metadata": {}})
    assert rebuilt(notebook).answers["reflection"].source == "Mine."


def test_notebook_format_3(notebook, clean, rebuilt):
    cells = [{**cell, "input": cell["source"], "language": "python"} for cell in notebook["cells"]]
    for cell in cells:
        cell.pop("source") if cell["cell_type"] == "code" else cell.pop("input")
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells[:9]}, {"cells": cells[9:]}]}
    result = rebuilt(old)
    assert {name: answer.source for name, answer in result.answers.items()} == clean


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
def test_encodings(encoding, notebook, rebuilt):
    cell_of(notebook, "middle")["source"] += "  # Größe"
    text = json.dumps(notebook, ensure_ascii=False)
    answer = rebuilt(text.encode(encoding)).answers["middle"]
    assert "Größe" in answer.source


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"  \n\t ", "empty"),
        (b'{"cells": [{"cell_type": "code", "sou', "cut off or damaged (at character"),
        (b"\x89PNG\r\n\x1a\n", "not a notebook"),
        (b"PK\x03\x04" + bytes(100), "cut off or damaged"),
        (b"<html><body>Sign in</body></html>", "not a notebook"),
        (b"[]", "no cells"),
        (b"7", "no cells"),
        (b'{"nbformat": 4}', "no cells"),
        (b'{"cells": {}}', "no cells"),
        (b'{"cells": ' + b"[" * 100_000, "cut off or damaged"),
        (b'{"a": 1,\n<<<<<<< HEAD\n"b": 2\n=======\n"b": 3\n>>>>>>> other\n}', "conflict"),
        ("{}".encode("utf-16")[:-1], "cut off or damaged"),
        (b'{"cells": [], "x": ' + b"9" * 10_000 + b"}", "damaged"),
        (b'{"cells": [' + b"{}," * 6000 + b"{}]}", "6001 cells"),
        (bytes(range(256)) * 10, "damaged"),
    ],
)
def test_what_is_no_notebook_gets_its_reason(content, reason, rebuilt):
    with pytest.raises(Unreadable) as problem:
        rebuilt(content)
    assert reason in str(problem.value) and str(problem.value).endswith(".") and "\n" not in str(problem.value)


def test_200_megabytes(notebook, clean, rebuilt):
    notebook["cells"][3]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 200 * 2**20}]
    assert {name: answer.source for name, answer in rebuilt(notebook).answers.items()} == clean


def test_too_large_a_file_is_not_read(rebuilt, tmp_path, lecture):
    path = tmp_path / "large.ipynb"
    with path.open("wb") as file:
        file.truncate(600 * 2**20)
    begin = time.perf_counter()
    with pytest.raises(Unreadable, match="600 MB.*Clear its outputs"):
        rebuild(path, lecture.released)
    assert time.perf_counter() - begin < 1


def test_thousands_of_own_cells_are_not_run(notebook, rebuilt):
    notebook["cells"] += [code_cell(f"x{number} = 1") for number in range(4000)]
    result = rebuilt(notebook)
    assert sum(len(answer.helpers) for answer in result.answers.values()) == 200 and "4000 cells of the student's own" in result.look[0]


def test_a_giant_cell_is_not_run(notebook, clean, rebuilt):
    cell_of(notebook, "middle")["source"] += "\n# " + "x" * 300_000
    result = rebuilt(notebook)
    assert "longer than" in result.answers["middle"].source and "middle" in result.look[0]
    assert result.answers["rescale"].source == clean["rescale"]


def test_rebuilding_takes_bounded_time(notebook, rebuilt):
    """Many long cells of repeated letters, which letter-by-letter comparison would take hours for."""
    notebook["cells"] += [code_cell("ab" * 2000 + f"\nx{number} = 1") for number in range(400)]
    begin = time.perf_counter()
    result = rebuilt(notebook)
    assert time.perf_counter() - begin < 20
    assert "more than" in result.look[0]


def test_any_damage_at_all(notebook, rebuilt):
    """Random cuts, swaps and overwrites of the file: an answer for each exercise, or a reason."""
    text = json.dumps(notebook).encode()
    chance = random.Random(11)
    for _ in range(60):
        data = bytearray(text)
        for _ in range(chance.randrange(1, 6)):
            begin = chance.randrange(len(data))
            data[begin : begin + chance.randrange(1, 40)] = bytes(chance.randrange(256) for _ in range(chance.randrange(20)))
        try:
            result = rebuilt(bytes(data[: chance.choice([len(data), chance.randrange(len(data))])]))
        except Unreadable as problem:
            assert str(problem).endswith(".")
        else:
            assert all(isinstance(answer.source, str) for answer in result.answers.values())


def test_any_cells_at_all(notebook, lecture, rebuilt):
    """Cells dropped, doubled, retyped, split and merged at random: nothing crashes, nothing is lost without a word."""
    chance = random.Random(5)
    stubs = {grade_id(cell): cell.source for cell in lecture.released.cells if is_solution(cell)}
    checks = {cell.source for cell in lecture.released.cells if is_check(cell)}
    for _ in range(60):
        cells = []
        for cell in copy.deepcopy(notebook["cells"]):
            action = chance.choice(["keep"] * 6 + ["drop", "double", "retype", "split", "merge", "strip"])
            if action == "merge" and cells:
                cells[-1]["source"] += "\n" + cell["source"]
                continue
            if action == "retype":
                cell["cell_type"] = chance.choice(["code", "markdown", "raw"])
            if action == "strip":
                cell["metadata"] = {}
            if action == "split":
                place = chance.randrange(len(cell["source"]) + 1)
                cells.append({**copy.deepcopy(cell), "source": cell["source"][:place]})
                cell = {**cell, "metadata": {}, "source": cell["source"][place:]}
            cells += [] if action == "drop" else [cell, copy.deepcopy(cell)] if action == "double" else [cell]
        result = rebuilt({**notebook, "cells": cells})
        assert result.answers.keys() == stubs.keys()
        for name, answer in result.answers.items():
            assert answer.found != "missing" or any(name in why or "another lecture" in why for why in result.look)
            assert not checks & set(answer.helpers)
