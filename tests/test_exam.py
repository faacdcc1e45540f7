"""The exam: sound questions, papers that are equally hard, keys that stay at home, and grading that nobody can talk round."""

import csv
import inspect
from collections import Counter

import nbformat
import numpy as np
import pytest

from grading import __main__ as cli
from grading.exam import grade as grading
from grading.exam import paper
from grading.exam.model import Choice, Code, Numeric, Template, bank
from grading.exam.paper import NAME, as_source, blueprint, draw, notebooks, options_of
from grading.exam.verify import faults, results
from grading.sources import SourceError, grade_id, is_solution, lectures, syllabus

COVERED = sorted({one.lecture for one in bank()})


@pytest.mark.parametrize("template", bank(), ids=lambda one: one.id)
def test_every_question_is_solved_by_its_reference_and_by_nothing_else_for_200_seeds(template):
    assert faults(template) == []


@pytest.mark.parametrize("lecture", COVERED)
def test_each_point_has_two_questions_and_each_slot_a_choice(lecture, monkeypatch):
    own = [one for one in bank() if one.lecture == lecture]
    times = Counter(one.point for one in own)
    assert {point: times[str(point)] for point in map(str, syllabus()["lectures"][lecture]) if times[str(point)] < 2} == {}
    monkeypatch.setattr(paper, "lectures", lambda: list(syllabus()["lectures"]))
    papers = {tuple(one.template.id for one in draw(f"s{n}", "k").asked if one.template.lecture == lecture) for n in range(60)}
    assert len(papers) >= 4, "too few different papers: more questions whose difficulties fit the blueprint are needed"


def test_every_lecture_of_the_syllabus_has_its_questions():
    assert list(syllabus()["lectures"]) == COVERED
    assert {one.template.lecture for one in draw("anna", "key").asked} == set(lectures())


def test_papers_differ_in_questions_and_not_in_hardness(monkeypatch):
    monkeypatch.setattr(paper, "lectures", lambda: list(syllabus()["lectures"]))
    papers = [draw(f"student {n}", "key") for n in range(100)]
    shape = {tuple(sorted((one.template.lecture, one.template.kind, one.points) for one in each.asked)) for each in papers}
    assert len(shape) == 1, "some papers have other slots than others"
    for lecture in COVERED:
        sums = {sum(one.template.difficulty for one in each.asked if one.template.lecture == lecture) for each in papers}
        assert len(sums) == 1, f"{lecture}: papers differ in difficulty"
    assert max(each.minutes for each in papers) <= blueprint()["minutes"]
    assert len({repr([one.question for one in each.asked]) for each in papers}) > 95
    assert repr(draw("anna", "key")) == repr(draw("anna", "key")) and draw("anna", "key").seed != draw("anna", "other key").seed


def test_a_released_paper_holds_no_answer():
    for student in ("anna", "bert", "陈"):
        drawn = draw(student, "key")
        of = notebooks(drawn)
        text = "\n".join(cell.source for cell in of.released.cells)
        assert "BEGIN HIDDEN" not in text
        for one in drawn.asked:
            question = one.question
            if isinstance(question, Numeric):
                assert f"return {float(question.answer)!r}" not in text and "abs(float(value)" not in text
            elif isinstance(question, Code):
                body = "".join(question.body.split())
                assert body not in "".join(text.split()) and all("".join(wrong.split()) not in "".join(text.split()) for wrong, _ in question.wrong if len(wrong) > 30)
            for _, why in getattr(question, "traps", ()) or question.wrong:
                assert why not in text, "a reason stands in the paper"
            assert question.explanation not in text
        letters = [options_of(one.question, drawn.seed, one.number).index(one.question.right) for one in drawn.asked if isinstance(one.question, Choice)]
        assert len(COVERED) < 6 or len(set(letters)) > 2, "the right letter is nearly always the same"


def test_a_bank_that_is_too_small_is_refused():
    def ask(rng):
        return Choice("x" * 50, "a", (("b", ""), ("c", ""), ("d", "")), "")

    with pytest.raises(SourceError, match="no questions of 02_introduction_to_mia whose kinds and difficulties fit"):
        draw("anna", "k", (Template("only", "02_introduction_to_mia", "1.1", "choice", 1, ask),))


def test_faults_are_found():
    def numeric(answer=10.0, tolerance=0.1, traps=((5.0, "half of it"), (20.0, "twice as much")), unit="mm"):
        return lambda rng: Numeric(f"How long is the vessel of {rng.integers(1000)} voxels in this image, in mm?", answer, unit, tolerance, traps, "Multiply by the spacing of the voxels.")

    def fault(make, kind="numeric"):
        return faults(Template("t", "04_classification", "3.2", kind, 1, make), range(20))

    assert fault(numeric()) == []
    assert "trap that is right" in fault(numeric(traps=((10.1, "rounded"), (5.0, "half"))))[0]
    assert "5 %" in fault(numeric(tolerance=2.0, traps=((50.0, "a"), (20.0, "b"))))[0]
    assert "unit" in fault(numeric(unit="ml"))[0] and "not finite" in fault(numeric(answer=float("nan")))[0]
    assert "no parameters" in fault(lambda rng: numeric()(np.random.default_rng(0)))[0]
    wrong = (("b", "a reason that is long"), ("B ", "a reason that is long"), ("c", "a reason that is long"))
    assert "two options" in fault(lambda rng: Choice("x" * 50, "a", wrong, "because it is so, and not otherwise"), "choice")[0]

    def code(wrong):
        stub = 'def twice(x: float) -> float:\n    """Twice x."""'
        return lambda rng: Code("Write `twice(x)`, which gives twice its argument, whatever that is.", "twice", stub, "return 2 * x", wrong, tuple((float(x),) for x in rng.normal(size=3)), "Two times the argument.")

    assert fault(code((("return x", "not doubled"), ("return 3 * x", "tripled"))), "code") == []
    assert "can't tell" in fault(code((("return x", "not doubled"), ("return x + x", "added"))), "code")[0]


def test_values_come_back_from_their_source():
    for value in (1.5, np.arange(6).reshape(2, 3), np.zeros((0, 2), bool), [np.nan, -np.inf], (True, "a'b"), np.array([[0.1, np.inf]], np.float32)):
        again = eval(as_source(value), {"np": np})
        assert np.array_equal(np.asarray(again), np.asarray(value), equal_nan=not isinstance(value, tuple)) and np.asarray(again).dtype == np.asarray(value).dtype


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course in which six students wrote the exam."""
    course = tmp_path_factory.mktemp("exam") / "course"
    course.mkdir()
    (course / "students.csv").write_text("id,name,status\nanna,A,\nbert,B,\ncarl,C,\ndora,D,\nemil,E,\nfritz,F,\ngone,G,withdrawn\n")
    assert cli.main(["exam", "draw", "--course", str(course)]) == 0
    assert sorted(path.name for path in (course / "exam").iterdir()) == ["anna", "bert", "carl", "dora", "emil", "fritz"]
    key = grading.secret(course)
    papers = {student: draw(student, key) for student in ("anna", "bert", "carl", "dora", "emil", "fritz")}

    def hand_in(student, answers):
        notebook = nbformat.read(course / "exam" / student / f"{NAME}.ipynb", as_version=4)
        for cell in notebook.cells:
            cell.source = answers.get(grade_id(cell), cell.source)
        target = course / "submitted" / student / NAME / f"{NAME}.ipynb"
        target.parent.mkdir(parents=True)
        nbformat.write(notebook, target)

    def right(student):
        return {grade_id(cell): cell.source for cell in notebooks(papers[student]).pristine.cells if is_solution(cell)}

    def trapped(student):
        made = {}
        for one in papers[student].asked:
            name, question = f"q{one.number:02}", one.question
            if isinstance(question, Numeric):
                made[name] = f"def answer_{one.number:02}():\n    return {float(question.traps[0][0])!r}\n"
            elif isinstance(question, Choice):
                made[name] = f"def answer_{one.number:02}():\n    return ' {'ABCDEFGH'[options_of(question, papers[student].seed, one.number).index(question.wrong[0][0])].lower()}'\n"
            else:
                made[name] = question.stub + "\n" + "\n".join(f"    {line}" for line in question.wrong[0][0].splitlines())
        return made

    hand_in("anna", right("anna"))
    hand_in("bert", trapped("bert"))
    hand_in("carl", right("anna"))  # of another paper
    hand_in("dora", {})
    first = f"q{papers['emil'].asked[0].number:02}"
    hand_in("emil", {**right("emil"), first: "import os\nos._exit(0)"})
    always = "class Yes(float):\n    __eq__ = __le__ = __lt__ = lambda *_: True\n    __sub__ = __abs__ = lambda self, *_: self\n    def strip(self): return self\n    def upper(self): return self\n"
    hand_in("fritz", {f"q{one.number:02}": f"{always}def answer_{one.number:02}():\n    return Yes(0)\n" for one in papers["fritz"].asked})
    (course / "submitted" / "anna" / NAME / "timestamp.txt").write_text("2027-05-07 02:30:00 UTC\n")
    assert cli.main(["exam", "grade", "--course", str(course), "--workers", "2"]) == 0
    with (course / "exam_scores.csv").open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    return course, papers, rows


def test_points_are_those_of_the_key(graded):
    course, papers, rows = graded
    points = {student: float(row["points"]) for student, row in rows.items()}
    most = papers["anna"].points
    assert points["anna"] == most and points["bert"] == 0 and points["dora"] == 0 and points["fritz"] == 0
    assert points["emil"] == most - papers["emil"].asked[0].points, "one answer that ends the process costs itself and no other"
    assert points["carl"] < most
    assert {row["max_points"] for row in rows.values()} == {str(most)} and rows["anna"]["submitted"] == "2027-05-07 02:30:00+00:00"


def test_feedback_names_the_slip(graded):
    course, papers, _rows = graded
    page = (course / "exam_feedback" / "bert.html").read_text(encoding="utf-8")
    slips = [getattr(one.question, "traps", None) or one.question.wrong for one in papers["bert"].asked]
    import html

    assert sum(html.escape(slip[0][1]) in page for slip in slips) >= 0.7 * len(slips)
    assert papers["bert"].asked[0].question.explanation[:30] in html.unescape(page)


def test_the_course_grade_reads_the_exam(graded):
    course, papers, _rows = graded
    assert cli.main(["grades", "--course", str(course)]) == 0
    with (course / "course_grades" / "course_grades.csv").open(encoding="utf-8-sig") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert rows["anna"]["final_exam (%)"] == "100.00" and rows["anna"]["total (%)"] == "20.00" and rows["gone"]["letter"] == "W"


def test_without_its_key_nothing_is_graded(tmp_path, capsys):
    assert cli.main(["exam", "grade", "--course", str(tmp_path)]) == 2
    assert "no exam.key" in capsys.readouterr().err


def test_references_of_code_questions_are_told_from_their_wrong_answers():
    for one in [one for one in bank() if one.kind == "code"]:
        question = one.question(0)
        assert not any(isinstance(value, Exception) for value in results(question, question.body)), inspect.getsource(one.make)
