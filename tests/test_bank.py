"""Every exercise judges fairly: right answers keep their points, stubs and wrong answers lose them with words that teach."""

import shutil
from functools import cache

import pytest

from grading import forked
from grading.authoring import bank
from grading.authoring.bank import Lecture, check_exercise, made_stubs
from grading.authoring.exercises import exercises_of
from grading.sources import ANSWERS, lectures, read_lecture

EXERCISES = [(lecture, exercise.name) for lecture in lectures() for exercise in exercises_of(read_lecture(lecture)) if exercise.name]

lecture_of = cache(Lecture)


@pytest.mark.parametrize("lecture, exercise", EXERCISES, ids=["-".join(pair) for pair in EXERCISES])
def test_exercise_judges_fairly(lecture, exercise):
    one = lecture_of(lecture)
    report = check_exercise(one, one.exercise(exercise))
    assert not report.faults, "\n".join(report.faults)


@pytest.mark.parametrize("lecture", lectures())
def test_every_answer_belongs_to_an_exercise(lecture):
    folders = {path.name for path in (ANSWERS / lecture).iterdir() if path.is_dir()}
    assert folders == {exercise for name, exercise in EXERCISES if name == lecture}


@pytest.fixture
def copied(made_up, tmp_path):
    """The made-up lecture and its answers, to be broken: (path of the source, folder of the answers of its first exercise)."""
    shutil.copy(made_up, tmp_path / made_up.name)
    shutil.copytree(made_up.parent / "answers", tmp_path / "answers")
    return tmp_path / made_up.name, tmp_path / "answers" / "98_made_up" / "background-mean"


def faults_of(source, name="background-mean"):
    lecture = Lecture(str(source), source.parent / "answers")
    return check_exercise(lecture, lecture.exercise(name)).faults


def test_the_made_up_lecture_judges_fairly(copied):
    source, _ = copied
    assert faults_of(source) == []
    assert faults_of(source, "1.2a") == []  # its check uses the other exercise's reference


ANSWER = "def background_level(values):\n    return "
FILES = {
    "right answer that is wrong": ("right_mean.py", ANSWER + "values.mean()", "right_mean.py loses background-mean-value"),
    "wrong answer that is right": (
        "wrong_mean.py",
        "# expect: background-mean-value: mean\ndef background_level(values):\n"
        "    if not values.size:\n        raise ValueError\n    return np.median(values)",
        "wrong_mean.py passes background-mean-value",
    ),
    "misconception not named": (
        "wrong_mean.py",
        "# expect: background-mean-value: the variance\n" + ANSWER + "values.mean()",
        "should hold 'the variance'",
    ),
    "no expectation": ("wrong_mean.py", ANSWER + "values.mean()", "the first line must read"),
    "unknown check": ("wrong_mean.py", "# expect: background-mean-shape: x\n" + ANSWER + "0", "expects background-mean-shape"),
    "file of another name": ("mean.py", ANSWER + "values.mean()", "call it right_<how>.py"),
    "an answer that does not compile": ("right_mean.py", "def background_level(values:", "SyntaxError"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_answer_file_is_seen(copied, name):
    source, answers = copied
    file, text, says = FILES[name]
    (answers / file).write_text(text, encoding="utf-8")
    assert any(says in fault for fault in faults_of(source)), faults_of(source)


def test_too_few_answers_are_seen(copied):
    source, answers = copied
    shutil.rmtree(answers)
    found = " ".join(faults_of(source))
    assert "holds no right_<how>.py" in found and "holds 0 wrong_<misconception>.py" in found


def test_a_check_that_pays_for_nothing_is_seen(copied):
    source, _ = copied
    text = source.read_text(encoding="utf-8")
    begin = text.index("assert np.isclose(background_level(np.array([3.0]))")
    paying = text[:begin] + text[text.index("try:\n", begin) :]
    source.write_text(paying, encoding="utf-8")
    found = faults_of(source)
    assert any(fault.startswith("an answer that always raises gets points at background-mean-empty") for fault in found), found


def test_a_silent_check_is_seen(copied):
    source, _ = copied
    text = source.read_text(encoding="utf-8")
    begin = text.index(', f"expected 40, got')
    source.write_text(text[:begin] + text[text.index("\n", begin) :], encoding="utf-8")
    assert any("loses background-mean-value without a word" in fault for fault in faults_of(source))


def test_stubs_are_made_for_functions_and_classes(copied):
    source, _ = copied
    lecture = Lecture(str(source), source.parent / "answers")
    exercise = lecture.exercise("background-mean")
    stubs = made_stubs(exercise)
    assert len(stubs) == 3
    assert "Exercise 1.1a: write background_level" in stubs["the empty stub"]
    assert all("secret_reference_step" not in text for text in stubs.values())
    body = "        ### BEGIN SOLUTION\n        return x\n        ### END SOLUTION"
    exercise.solutions[0].source = f"class Block:\n    def forward(self, x):\n{body}"
    assert made_stubs(exercise)["an answer that returns None"] == "class Block:\n\n    def forward(self, x):\n        return None"


def test_an_answer_that_never_ends_or_dies_loses_its_points(copied, monkeypatch):
    if not forked.CAN_FORK:
        return  # only a child can be stopped; there the bank is for sources one trusts
    source, _ = copied
    monkeypatch.setattr(bank, "SECONDS", 1)
    lecture = Lecture(str(source), source.parent / "answers")
    exercise = lecture.exercise("background-mean")
    endless = lecture.run(exercise, "def background_level(values):\n    while True:\n        pass")
    assert endless.lost == list(exercise.points) and "more than 1 s" in endless.failures["background-mean-value"]
    dead = lecture.run(exercise, "import os\ndef background_level(values):\n    os._exit(3)")
    assert dead.lost == list(exercise.points) and "died (3)" in dead.failures["background-mean-value"]
    exiting = lecture.run(exercise, "def background_level(values):\n    raise SystemExit")
    assert exiting.lost == list(exercise.points)


def test_without_fork_the_answers_run_here(copied, monkeypatch):
    source, _ = copied
    monkeypatch.setattr(forked, "CAN_FORK", False)
    assert faults_of(source) == []
