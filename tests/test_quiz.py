"""The quiz: every syllabus point is asked, its schedule is right over simulated days, progress survives what happens to files. No clock is read."""

import json
import re
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta

import pytest

from grading.exam.model import bank as exam_bank
from grading.sources import SOLUTIONS, source_path, syllabus
from helpers import quiz
from helpers.__main__ import main as helpers_main
from helpers.quiz import terminal, view
from helpers.quiz.bank import BankError
from helpers.quiz.leitner import DAYS, Card, after, due, pick
from helpers.quiz.progress import Progress
from helpers.quiz.session import LETTERS

DAY = date(2027, 3, 1)
EVERYTHING = quiz.questions()


def later(days):
    return DAY + timedelta(days=days)


# ----- the questions


def test_every_point_of_the_syllabus_is_asked_twice():
    points = {(lecture, point) for lecture, titles in syllabus()["lectures"].items() for point in titles}
    asked = Counter((one.lecture, one.point) for one in EVERYTHING)
    assert set(asked) == points
    assert [point for point, count in asked.items() if count < 2] == []


@pytest.mark.parametrize("one", EVERYTHING, ids=lambda one: one.id)
def test_a_question_is_sound(one):
    texts = [option.text.casefold() for option in one.options]
    assert len(set(texts)) == len(texts) == 4 and sum(option.right for option in one.options) == 1
    assert all(len(option.why) > 5 for option in one.options), "each option is explained"
    assert len(one.ask) > 20 and re.fullmatch(r"[a-z0-9-]+", one.id)
    if one.see and (SOLUTIONS / f"{one.lecture}.py").is_file():
        heads = re.findall(r"^# #{2,3} (.+)$", source_path(one.lecture).read_text(encoding="utf-8"), re.M)
        assert one.see in heads, f"{one.lecture} has no heading '{one.see}'"


def test_the_longest_option_is_not_a_hint():
    longest = sum(max(one.options, key=lambda option: len(option.text)).right for one in EVERYTHING) / len(EVERYTHING)
    assert 0.1 < longest < 0.4, f"the right option is the longest in {longest:.0%} of the questions"


def test_no_question_is_one_of_the_exam():
    exam = {squeezed(template.question(seed).text) for template in exam_bank() for seed in (0, 1)}
    assert [one.id for one in EVERYTHING if squeezed(one.ask) in exam] == []


def squeezed(text):
    return re.sub(r"\W+", " ", text).casefold().strip()


SOUND = "- id: a\n  point: '1.1'\n  ask: What?\n  right: [yes it is, because]\n  wrong:\n    - [no, not so]\n    - [never, not so]\n"


@pytest.mark.parametrize(
    "text, said",
    [
        ("- id: [", "can't be read as YAML"),
        ("- point: '1.1'\n", "without an id"),
        (SOUND.replace("  ask: What?\n", ""), "lacks ask"),
        (SOUND.replace("    - [never, not so]\n", ""), "at least two wrong"),
        (SOUND.replace("[never, not so]", "[never]"), "pairs"),
        (SOUND.replace("never", "Yes it is"), "an option twice"),
        (SOUND + SOUND, "stands twice"),
    ],
)
def test_a_bad_bank_is_told_in_a_sentence(tmp_path, text, said):
    (tmp_path / "02_introduction_to_mia.yaml").write_text(text.replace("[no,", '["no",'), encoding="utf-8")
    with pytest.raises(BankError, match=said):
        quiz.questions(tmp_path)


# ----- the schedule


def test_a_right_answer_moves_one_box_on_and_a_wrong_one_to_the_first():
    card, day = None, 0
    for box in (2, 3, 4, 5, 5):
        card = after(card, True, later(day))
        assert (card.box, card.due) == (box, later(day + DAYS[box]))
        day += DAYS[box]
    card = after(card, False, later(day))
    assert (card.box, card.due, card.seen, card.right) == (1, later(day + 1), 6, 5)
    assert after(None, False, DAY) == Card(1, later(1), 1, 0)


def test_an_early_right_answer_moves_nothing_and_an_early_wrong_one_does():
    card = after(None, True, DAY)
    early = after(card, True, later(1))
    assert (early.box, early.due, early.seen) == (card.box, card.due, 2)
    assert after(card, False, later(1)).box == 1
    assert not due(card, later(DAYS[2] - 1)) and due(card, later(DAYS[2])) and due(None, DAY)


def test_over_sixty_days_every_question_comes_back_on_its_day_and_never_before():
    cards, asked = {}, Counter()
    for day in range(60):
        for one in pick(EVERYTHING, cards, later(day), 40):
            assert due(cards.get(one.id), later(day)), "nothing is asked before its day"
            cards[one.id] = after(cards.get(one.id), one.id != "soft-lookup" or day % 2 == 0, later(day))
            asked[one.id] += 1
    assert len(cards) == len(EVERYTHING), "everything has been met"
    assert max(asked, key=asked.get) == "soft-lookup", "what is answered wrong comes most often"
    steady = cards["gridding"]
    assert steady.box == 5 and asked["gridding"] == steady.right


def test_a_sitting_takes_the_overdue_first_mixes_lectures_and_is_the_same_twice():
    cards = {one.id: Card(2, later(-k), 1, 1) for k, one in enumerate(EVERYTHING[:8])}
    sitting = pick(EVERYTHING, cards, DAY, 5)
    assert {one.id for one in sitting} == {one.id for one in EVERYTHING[3:8]}
    fresh = pick(EVERYTHING, {}, DAY, 15)
    assert len({one.lecture for one in fresh}) == 15 and fresh == pick(EVERYTHING, {}, DAY, 15)
    assert fresh != pick(EVERYTHING, {}, later(1), 15)
    assert {one.lecture for one in pick(EVERYTHING, {}, DAY, 99, ["05"])} == {"05_segmentation"}
    assert pick(EVERYTHING, {one.id: Card(5, later(9), 1, 1) for one in EVERYTHING}, DAY, 10) == []


# ----- progress


def test_progress_is_kept_and_two_notebooks_do_not_undo_each_other(tmp_path):
    first, second = Progress(tmp_path / "p.json"), Progress(tmp_path / "p.json")
    first.keep("a", Card(2, DAY, 1, 1))
    second.keep("b", Card(1, DAY, 1, 0))
    assert set(Progress(tmp_path / "p.json").cards) == {"a", "b"}
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"], "no half-written file is left"


BROKEN = {
    "cut": b'{"cards": {"a": {"box": 2, "due": "2027-',
    "other": b"[1, 2]",
    "no box": b'{"cards": {"a": {"box": 9, "due": "2027-03-01", "seen": 1, "right": 1}}}',
    "no date": b'{"cards": {"a": {"box": 1, "due": "soon", "seen": 1, "right": 1}}}',
    "a flag": b'{"cards": {"a": {"box": true, "due": "2027-03-01", "seen": 1, "right": 1}}}',
    "bytes": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_put_aside_whole_and_told_in_one_sentence(tmp_path, content):
    path = tmp_path / "progress.json"
    path.write_bytes(content)
    progress = Progress(path)
    aside = tmp_path / "progress.broken-1.json"
    assert progress.cards == {} and aside.read_bytes() == content and str(aside) in progress.note
    progress.keep("a", Card(1, DAY, 1, 0))
    path.write_bytes(content)
    assert "broken-2" in Progress(path).note and aside.read_bytes() == content


def test_cards_of_another_version_stay(tmp_path):
    Progress(tmp_path / "p.json").keep("a-question-of-next-year", Card(3, DAY, 2, 2))
    sitting = view.session(3, today=DAY, progress=Progress(tmp_path / "p.json"))
    sitting.answer("A")
    assert "a-question-of-next-year" in json.loads((tmp_path / "p.json").read_text())["cards"]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    progress = Progress(tmp_path / "file" / "progress.json")
    progress.keep("a", Card(1, DAY, 1, 0))
    assert "not kept" in progress.note and "DLMIA_QUIZ" in progress.note and "a" in progress.cards


def test_the_folder_can_be_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DLMIA_QUIZ", str(tmp_path / "mine"))
    Progress().keep("a", Card(1, DAY, 1, 0))
    assert (tmp_path / "mine" / "progress.json").is_file()


# ----- sittings, in text and with buttons


def right_letter(sitting):
    return next(key for key, option in zip(LETTERS, sitting.options(), strict=False) if option.right)


def test_a_sitting_in_text(tmp_path):
    sitting = view.session(2, today=DAY, progress=Progress(tmp_path / "p.json"))
    one = sitting.open
    assert one.ask in repr(sitting) and all(option.text in repr(sitting) for option in one.options) and "Question 1 of 2" in repr(sitting)
    assert not any(option.why in repr(sitting) for option in one.options), "nothing is explained before the answer"
    answer = sitting.answer(right_letter(sitting).lower())
    assert answer.right and all(option.why in str(answer) for option in one.options) and one.pointer in str(answer)
    assert "in 3 days, on 04 March 2027" in str(answer)
    wrong = next(key for key in LETTERS[:4] if key != right_letter(sitting))
    answer = sitting.answer(wrong)
    assert not answer.right and "in 1 day, on 02 March 2027" in str(answer)
    assert {card.box for card in Progress(tmp_path / "p.json").cards.values()} == {1, 2}
    assert "1 of 2 right" in sitting.text
    with pytest.raises(ValueError, match="over"):
        sitting.answer("A")


@pytest.mark.parametrize("letter", ["E", "", "AB", "1", " "])
def test_a_letter_that_there_is_not(tmp_path, letter):
    sitting = view.session(1, today=DAY, progress=Progress(tmp_path / "p.json"))
    with pytest.raises(ValueError, match="A, B, C, D"):
        sitting.answer(letter)
    assert sitting.asked == 0 and not (tmp_path / "p.json").exists()


def test_the_place_of_the_right_option_tells_nothing(tmp_path):
    places = Counter()
    for one in EVERYTHING:
        sitting = quiz.Session([one], Progress(tmp_path / "none.json"), DAY)
        places[right_letter(sitting)] += 1
    assert min(places[key] for key in "ABCD") > 0.15 * len(EVERYTHING)


def shown(monkeypatch):
    made = []

    class Handle:
        def update(self, what):
            made.append(what)

    monkeypatch.setattr(view, "display", lambda what, **_: made.append(what) or Handle())
    return made


def test_buttons_answer_and_go_on(tmp_path, monkeypatch):
    made = shown(monkeypatch)
    sitting = view.play(2, today=DAY, progress=Progress(tmp_path / "p.json"))
    *letters, forward = made[1].children
    assert "Question 1 of 2" in made[0].data and forward.disabled and len(letters) == 4
    next(button for button in letters if button.description == right_letter(sitting)).click()
    assert "Right" in made[-1].data and not forward.disabled and all(button.disabled for button in letters)
    forward.click()
    assert "Question 2 of 2" in made[-1].data and not any(button.disabled for button in letters)
    letters[0].click()
    forward.click()
    assert "of 2 right" in made[-1].data and all(button.disabled for button in letters)


def test_without_ipywidgets_the_question_still_shows(tmp_path, monkeypatch, capsys):
    made = shown(monkeypatch)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    sitting = view.play(1, today=DAY, progress=Progress(tmp_path / "p.json"))
    assert len(made) == 1 and "Question 1" in made[0].data and "quiz.session()" in capsys.readouterr().out
    assert sitting.answer("A").text


def test_in_a_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv("DLMIA_QUIZ", str(tmp_path))
    said, typed = [], iter(["a", "x", "b"])

    def read(_prompt):
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    assert terminal.ask(3, ["05"], read, said.append) == 2
    assert len(Progress().cards) == 2 and "A, B, C, D" in "".join(said) and "of 2 right so far" in said[-1] and "**" not in "".join(said)
    assert terminal.ask(1, None, lambda _prompt: "c", said.append) == 1 and "Come back tomorrow" in said[-1]
    monkeypatch.setattr("builtins.input", lambda _prompt: "q")
    assert helpers_main(["quiz", "5", "--count", "2"]) == 0


def test_importing_the_quiz_needs_no_widgets():
    code = "import sys\nsys.modules['ipywidgets'] = None\nfrom helpers import quiz\nprint(len(quiz.questions()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and int(done.stdout) == len(EVERYTHING), done.stderr


def test_overview_counts(tmp_path):
    progress = Progress(tmp_path / "p.json")
    progress.keep(EVERYTHING[0].id, Card(1, later(-1), 2, 1))
    progress.keep(EVERYTHING[1].id, Card(4, later(5), 3, 3))
    table = view.overview(DAY, progress)
    row = table.loc[EVERYTHING[0].lecture]
    assert (row["met"], row["wait today"], row["right"], row["mean box"]) == (2, 1, "80%", "2.5")
    assert table["questions"].sum() == len(EVERYTHING) and len(table) == 15
