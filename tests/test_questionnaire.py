"""The questionnaire: what a student exports holds answers and nothing else; what a class exported is added up, whatever is among the files."""

import csv
import json

import pytest

from grading import __main__ as cli
from grading.sources import SourceError
from grading.term.questionnaire import FEWEST, read, write
from helpers import questionnaire
from helpers.questionnaire import blank, export, faults, the_form

SHEET = {"pace": 4, "hours": 6.5, "machine": "my own machine without a GPU", "best": "5", "keep": "The wrong answers & <b>hints</b>, please."}


def test_the_form_is_sound():
    items = the_form().items
    assert len({item.id for item in items}) == len(items)
    assert {item.kind for item in items} == {"scale", "number", "choice", "text"}
    assert all(len(item.ends) == 2 and all(isinstance(end, str) for end in item.ends) for item in items if item.kind == "scale")
    assert all(all(isinstance(option, str) for option in item.options) for item in items if item.kind == "choice")
    assert blank() == dict.fromkeys(item.id for item in items)
    assert all(f"`{item.id}`" in questionnaire.questions() for item in items)


def test_an_export_holds_the_answers_and_nothing_else(tmp_path):
    path = export({**blank(), **SHEET, "change": ""}, tmp_path)
    assert json.loads(path.read_text(encoding="utf-8")) == {"form": the_form().name, "version": the_form().version, "answers": {key: SHEET[key] for key in blank() if key in SHEET}}
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_exporting_again_replaces_the_file_and_others_have_other_names(tmp_path):
    path = export(SHEET, tmp_path / "a")
    assert export({**SHEET, "pace": 1}, tmp_path / "a") == path and json.loads(path.read_text())["answers"]["pace"] == 1
    assert export(SHEET, tmp_path / "b").name != path.name


@pytest.mark.parametrize(
    "answers, said",
    [
        ({}, "nothing is filled in"),
        (dict.fromkeys(["pace", "keep"]), "nothing is filled in"),
        ({"pace": 6}, "pace: give a whole number from 1 to 5"),
        ({"pace": 2.5}, "pace"),
        ({"pace": True}, "pace"),
        ({"pace": "3"}, "pace"),
        ({"hours": float("nan")}, "hours"),
        ({"hours": 100}, "hours: give a number from 0 to 60"),
        ({"machine": "abacus"}, "machine: choose one of"),
        ({"keep": 3}, "keep: write text"),
        ({"keep": "x" * 2001}, "too many"),
        ({"keep": "ask me: ann@example.org"}, "e-mail"),
        ({"name": "Ann"}, "no question 'name'"),
    ],
)
def test_what_is_no_answer_is_told_and_nothing_is_written(tmp_path, answers, said):
    assert any(said in sentence for sentence in faults(answers))
    with pytest.raises(ValueError, match="Nothing was written"):
        export(answers, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_fields_and_button_write_the_same_file(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr("IPython.display.display", made.append)
    questionnaire.form(tmp_path)
    *rows, button, said = made[0].children
    button.click()
    assert "nothing is filled in" in said.value
    places = {item.id: row.children[1] for item, row in zip(the_form().items, rows, strict=True)}
    places["pace"].value, places["best"].value, places["keep"].value = 4, "5", "hints"
    button.click()
    path = next(tmp_path.iterdir())
    assert path.name in said.value and json.loads(path.read_text())["answers"] == {"pace": 4, "best": "5", "keep": "hints"}


def test_without_ipywidgets_it_says_how(monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    questionnaire.form()
    assert "questionnaire.blank()" in capsys.readouterr().out


# ----- the instructor's side


def hand_in(folder, count=6):
    for k in range(count):
        export({"pace": 1 + k % 5, "hours": float(k), "best": "5", "keep": f"{'zyxwvu'[k]} is what I would keep, number {k}" if k < 3 else None}, folder / f"student{k}")


def test_a_class_is_added_up(tmp_path):
    hand_in(tmp_path / "in")
    class_ = read(tmp_path / "in")
    assert len(class_.sheets) == 6 and class_.notes == []
    table, page = write(class_, tmp_path / "out")
    rows = {row["id"]: row for row in csv.DictReader(table.open(encoding="utf-8"))}
    assert (rows["pace"]["answers"], rows["pace"]["median"], rows["pace"]["how often"]) == ("6", "2.5", "1: 2, 2: 1, 3: 1, 4: 1, 5: 1")
    assert rows["pace"]["mean"] == "2.67 +- 1.31"
    assert rows["hours"]["mean"].startswith("2.50") and rows["best"]["how often"].split(", ")[4] == "5: 6"
    assert rows["mend"]["answers"] == "0" and "what I would keep" not in table.read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    assert text.index("x is what") < text.index("y is what") < text.index("z is what"), "comments stand in order of the alphabet, not of the files"
    assert "student0" not in text and 'alt="1 far too slow: 2; 2: 1; 3: 1; 4: 1; 5 far too fast: 1"' in text


def test_bad_files_cost_a_sentence_each_and_nothing_else(tmp_path):
    folder = tmp_path / "in"
    hand_in(folder)
    form = {"form": the_form().name, "version": the_form().version}
    bad = {
        "cut.json": '{"form": "dlm',
        "list.json": "[]",
        "other.json": '{"form": "another course", "version": 1, "answers": {}}',
        "old.json": json.dumps({**form, "version": 0, "answers": {"pace": 3}}),
        "empty.json": json.dumps({**form, "answers": {}}),
        "large.json": " " * 300_000,
        "deep.json": "[" * 100_000,
        "bytes.json": b"\xff\xfe{",
    }
    for name, text in bad.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "link.json").symlink_to(next(folder.glob("student0/*.json")))
    (folder / "odd.json").write_text(json.dumps({**form, "answers": {"pace": 99, "hours": 5, "shoe": 43, "best": [1], "keep": "<script>alert(1)</script>\x1b[31m"}}))
    class_ = read(folder)
    assert len(class_.sheets) == 7, "the odd one has two usable answers"
    notes = {name: [note for note in class_.notes if note.startswith(name)] for name in [*bad, "link.json", "odd.json"]}
    assert all(len(found) == 1 for name, found in notes.items() if name != "odd.json"), notes
    assert len(notes["odd.json"]) == 3 and len(class_.notes) == len(bad) + 1 + 3
    text = write(class_, tmp_path)[1].read_text(encoding="utf-8")
    assert "<script>" not in text and "&lt;script&gt;" in text and "\x1b" not in text


def test_the_same_words_twice_count_once(tmp_path):
    hand_in(tmp_path)
    again = next(tmp_path.glob("student0/*.json"))
    (tmp_path / "copy.json").write_bytes(again.read_bytes())
    class_ = read(tmp_path)
    assert len(class_.sheets) == 6 and any("counts once" in note for note in class_.notes)
    plain = next(tmp_path.glob("student5/*.json"))
    (tmp_path / "alike.json").write_bytes(plain.read_bytes())
    assert len(read(tmp_path).sheets) == 7, "two people may tick the same numbers"


def test_few_answers_are_not_shown(tmp_path):
    hand_in(tmp_path / "in", FEWEST - 1)
    with pytest.raises(SourceError, match="guess who"):
        write(read(tmp_path / "in"), tmp_path)
    assert not (tmp_path / "questionnaire.html").exists()
    with pytest.raises(SourceError, match="holds no answers"):
        read(tmp_path / "nowhere")


def test_the_command(tmp_path, capsys):
    hand_in(tmp_path / "in")
    (tmp_path / "in" / "note.json").write_text("{}")
    assert cli.main(["questionnaire", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "6 answer sheets" in said and "note.json: is no exported questionnaire" in said and (tmp_path / "out" / "questionnaire.csv").is_file()
    assert cli.main(["questionnaire", str(tmp_path / "none")]) == 2 and "holds no answers" in capsys.readouterr().err
