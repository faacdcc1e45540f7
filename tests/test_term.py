"""The course grade: each number here was computed by hand from the scheme in the fixture, and stands as such."""

import csv
import shutil
from datetime import timedelta

import pytest

from grading import __main__ as cli
from grading.sources import SourceError
from grading.term.grades import course_grades
from grading.term.report import items, write_report
from grading.term.scheme import DEFAULT, Late, read_scheme
from grading.term.scores import read_scores

SCHEME = """
timezone: Europe/Berlin
parts:
  paper: {weight: 10, due: 2027-03-01 12:00}
  project: {weight: 60, due: 2027-03-27 23:59, items: {talk: 25, report: 75}}
  exam: {weight: 20, due: 2027-05-07 11:00, late: none}
lectures: {weight: 10, drop_lowest: 1}
late: {grace_minutes: 15, percent_per_day: 10, days: 3}
attempts: best
letters: {A: 85, B: 70, C: 50, F: 0}
"""
STUDENTS = """id,name,email,status,lms_id
anna,Anna Müller,anna@example.org,active,11
björn,Björn Łęcki,bjorn@example.org,,12
chen,陈 伟,chen@example.org,active,13
dana,=SUM(A1),dana@example.org,active,14
emil,Emil,emil@example.org,withdrawn,15
"""
# anna is late by 40 minutes for the paper (one begun day: 90 %), and by minutes within the grace for the exam.
# björn hands the paper in twice: 6 of 10 in time, then 9 of 10 two days late (80 %), which is better: 72 %.
# chen's report comes within the extension; the clocks change on 28 March, and 02:30 in Berlin is gone that night.
# dana's exam is twenty minutes late: nothing. Her paper is four begun days late: nothing. No talk.
SCORES = """student,item,points,max_points,submitted
anna,paper,8,10,2027-03-01 12:40
anna,talk,40,50,2027-03-20 10:00
anna,report,90,100,2027-03-27 23:58
anna,exam,45,60,2027-05-07 11:10
anna,01_course_overview,20,20,
anna,02_introduction_to_mia,15,30,
anna,03_fundamentals_of_deep_learning,10,40,
björn,paper,6,10,2027-03-01T11:59+01:00
björn,paper,9,10,2027-03-03T11:00+00:00
björn,talk,25,50,
björn,report,60,100,
björn,exam,30,60,
björn,01_course_overview,10,20,
chen,paper,10,10,2027-03-01T19:14+08:00
chen,talk,50,50,
chen,report,80,100,2027-03-28T01:30+00:00
chen,exam,60,60,
chen,01_course_overview,20,20,
chen,02_introduction_to_mia,30,30,
chen,03_fundamentals_of_deep_learning,40,40,
dana,paper,10,10,2027-03-04 12:30
dana,report,50,100,
dana,exam,60,60,2027-05-07 11:20
emil,paper,10,10,
"""
EXTENSIONS = "student,part,due,reason\nchen,project,2027-03-28 04:00,ill\n"
LECTURES = ["01_course_overview", "02_introduction_to_mia", "03_fundamentals_of_deep_learning"]
TOTALS = {  # paper, project, exam, lectures (the lowest dropped), total, letter
    "anna": (72.0, 0.25 * 80 + 0.75 * 90, 75.0, (100 + 50) / 2, 7.2 + 52.5 + 15 + 7.5, "B"),
    "björn": (72.0, 0.25 * 50 + 0.75 * 60, 50.0, (50 + 0) / 2, 7.2 + 34.5 + 10 + 2.5, "C"),
    "chen": (100.0, 0.25 * 100 + 0.75 * 80, 100.0, 100.0, 10 + 51 + 20 + 10, "A"),
    "dana": (0.0, 0.75 * 50, 0.0, 0.0, 22.5, "F"),
    "emil": (100.0, 0.0, 0.0, 0.0, 10.0, "W"),
}


@pytest.fixture
def term(tmp_path):
    """A course directory with a scheme and four tables."""
    for name, text in {"scheme.yaml": SCHEME, "students.csv": STUDENTS, "scores.csv": SCORES, "extensions.csv": EXTENSIONS}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def grades_of(term, **changes):
    scheme = read_scheme(term / "scheme.yaml")
    return {grade.student.id: grade for grade in course_grades(scheme, read_scores(term, scheme), LECTURES)}


def test_every_number_is_the_one_computed_by_hand(term):
    grades = grades_of(term)
    assert list(grades) == sorted(TOTALS)
    for student, (paper, project, exam, lectures, total, letter) in TOTALS.items():
        grade = grades[student]
        assert [part.percent for part in grade.parts] == pytest.approx([paper, project, exam, lectures]), student
        assert grade.total == pytest.approx(total) and grade.letter == letter, student
        assert sum(part.contribution for part in grade.parts) == pytest.approx(grade.total)


def test_every_part_says_where_it_comes_from(term):
    grades = grades_of(term)
    paper = grades["björn"].parts[0].items[0]
    assert paper.attempts == 2 and paper.chosen.points == 9 and paper.factor == pytest.approx(0.8)
    assert paper.why == "9 of 10 points (scores.csv, line 10), handed in 2027-03-03 12:00 CET, due 2027-03-01 12:00 CET, late: 80% counts; the best of 2 attempts"
    report = grades["chen"].parts[1].items[1]
    assert report.factor == 1 and "handed in 2027-03-28 03:30 CEST, due 2027-03-28 04:00 CEST by extension" in report.why
    assert "dropped" in grades["anna"].parts[-1].items[2].why
    assert grades["dana"].notes == ("talk is missing",) and grades["emil"].notes == ()


def test_the_latest_attempt_counts_if_the_scheme_says_so(term):
    scores = term / "scores.csv"
    scores.write_text(scores.read_text(encoding="utf-8") + "chen,paper,2,10,2027-03-01 11:00\nchen,paper,3,10,2027-03-01 11:30\n", encoding="utf-8")
    assert grades_of(term)["chen"].parts[0].percent == 100
    (term / "scheme.yaml").write_text(SCHEME.replace("attempts: best", "attempts: latest"), encoding="utf-8")
    grades = grades_of(term)
    assert grades["björn"].parts[0].percent == pytest.approx(72)
    assert grades["chen"].parts[0].percent == 100, "19:14 in Hong Kong is 12:14 in Berlin, the last of the three, and within the grace"


def test_lateness_counts_begun_days_after_the_grace():
    scheme = read_scheme()
    due = scheme.parts["assignment_1"].due
    late = Late(timedelta(minutes=15), 10, 3)
    for minutes, factor in {-5: 1, 0: 1, 15: 1, 16: 0.9, 24 * 60: 0.9, 24 * 60 + 1: 0.8, 3 * 24 * 60: 0.7, 3 * 24 * 60 + 1: 0}.items():
        assert late.factor(due + timedelta(minutes=minutes), due) == pytest.approx(factor), minutes
    assert late.factor(None, due) == late.factor(due, None) == 1


def test_the_course_s_own_scheme_is_that_of_the_syllabus():
    from grading.sources import syllabus

    scheme = read_scheme(DEFAULT)
    assert {part.name: part.weight for part in scheme.parts.values()} == {name: row["weight"] for name, row in syllabus()["grading"].items()}
    assert scheme.lectures_weight == 0 and scheme.letter(94.96) == "A+" and scheme.letter(94.94) == "A" and scheme.letter(0) == "F"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("scheme.yaml", "weight: 60", "weight: 50", "weights must sum to 100, but paper 10, project 50, exam 20 and lectures 10 sum to 90"),
        ("scheme.yaml", "report: 75", "report: 70", "items of project must be positive and sum to 100; they sum to 95"),
        ("scheme.yaml", "talk: 25", "exam: 25", "exam belongs to project and to exam"),
        ("scheme.yaml", "Europe/Berlin", "Berlin", "no time zone 'Berlin'"),
        ("scheme.yaml", "best", "mean", "attempts must be best or latest"),
        ("scheme.yaml", "B: 70", "B: 90", "letters must fall"),
        ("scheme.yaml", "due: 2027-03-01 12:00", "due: soon", "'soon' is no time"),
        ("scheme.yaml", "drop_lowest: 1", "drop_lowest: -1", "drop_lowest must be a number of at least 0"),
        ("scheme.yaml", "timezone", "time_zone", "must hold exactly"),
        ("students.csv", "chen,陈 伟", "ANNA,陈 伟", "students.csv, line 4: the id 'ANNA' stands in students.csv, line 2 already"),
        ("students.csv", ",withdrawn,", ",gone,", "the status is active or withdrawn, not 'gone'"),
        ("scores.csv", "dana,exam", "dora,exam", "'dora' has scores or an extension, but does not stand in students.csv"),
        ("scores.csv", "anna,paper,8", "anna,paper,eight", "scores.csv, line 2: 'eight' is no number of points"),
        ("scores.csv", "anna,paper,8,10", "anna,paper,8,0", "8 of 0 points can't be"),
        ("scores.csv", "anna,talk", "anna,tlak", "no item 'tlak'"),
        ("scores.csv", "2027-03-01 12:40", "01/03/2027", "'01/03/2027' is no time"),
        ("scores.csv", "max_points", "most", "scores.csv has no column max_points"),
        ("extensions.csv", "chen,project", "chen,projekt", "no part 'projekt'"),
        ("extensions.csv", "ill\n", "ill\nchen,project,2027-03-29,again\n", "has an extension for project already"),
    ],
)
def test_a_crooked_table_is_refused_in_one_sentence(term, file, old, new, says):
    path = term / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SourceError, match=says.replace("(", r"\(")):
        grades_of(term)


def test_the_command_writes_tables_that_spreadsheets_and_platforms_read(term, capsys):
    assert cli.main(["grades", "--course", str(term)]) == 0
    said = capsys.readouterr().out
    assert "5 course grades" in said and "dana: talk is missing" in said
    made = term / "course_grades"
    assert sorted(path.name for path in made.iterdir()) == ["canvas.csv", "class_report.html", "course_grades.csv", "course_grades_by_item.csv", "moodle.csv"]
    with (made / "course_grades.csv").open(encoding="utf-8-sig", newline="") as file:
        overview = {row["student"]: row for row in csv.DictReader(file)}
    assert overview["björn"]["name"] == "Björn Łęcki" and overview["chen"]["name"] == "陈 伟" and overview["emil"]["letter"] == "W"
    assert overview["dana"]["name"] == "'=SUM(A1)", "a name that a spreadsheet would compute"
    assert overview["anna"]["total (%)"] == "82.20" and overview["anna"]["project (%)"] == "87.50"
    canvas = list(csv.reader((made / "canvas.csv").read_text(encoding="utf-8").splitlines()))
    assert canvas[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "paper", "project", "exam"]
    assert canvas[1][:1] == ["    Points Possible"] and canvas[1][5:] == ["100", "100", "100"]
    assert [row[2] for row in canvas[2:]] == ["anna", "björn", "chen", "dana"], "who withdrew is not sent"
    moodle = list(csv.DictReader((made / "moodle.csv").read_text(encoding="utf-8").splitlines()))
    assert moodle[0] == {"ID number": "anna", "Full name": "Anna Müller", "Email address": "anna@example.org", "paper": "72.00", "project": "87.50", "exam": "75.00", "Course total": "82.20"}
    by_item = list(csv.DictReader((made / "course_grades_by_item.csv").read_text(encoding="utf-8-sig").splitlines()))
    for student, grade in grades_of(term).items():
        rows = [row for row in by_item if row["student"] == student and row["part"] == "project"]
        assert sum(float(row["counts (%)"]) * share for row, share in zip(rows, (0.25, 0.75), strict=True)) == pytest.approx(grade.parts[1].percent)


def test_an_empty_course_says_what_is_missing(tmp_path, capsys):
    assert cli.main(["grades", "--course", str(tmp_path)]) == 2
    assert "Nobody has a score yet" in capsys.readouterr().err


def test_difficulty_and_discrimination_are_those_of_the_definition(term):
    # ten students; "a" follows the rest, "b" runs against it, "c" is full for everybody; hand: mean of a 0.5, of b 0.2
    rows = []
    for n in range(10):
        good = n >= 5
        for exercise, points in {"a": 2 * good, "b": float(n in (0, 1)), "c": 3, "d": 4 * good}.items():
            rows.append({"student": f"s{n}", "lecture": "03", "exercise": exercise, "points": points, "max_points": {"a": 2, "b": 1, "c": 3, "d": 4}[exercise]})
    found = {item.exercise: item for item in items(rows)}
    assert [found[name].difficulty for name in "abcd"] == pytest.approx([0.5, 0.2, 1.0, 0.5])
    assert found["a"].discrimination > 0.9 and found["b"].discrimination == pytest.approx(-0.5) and found["c"].discrimination != found["c"].discrimination
    assert found["b"].flag == "too many fail, does not tell who understood the rest" and found["a"].flag == ""
    scheme = read_scheme(term / "scheme.yaml")
    page = write_report(list(grades_of(term).values()), scheme, term, term).read_text(encoding="utf-8")
    assert "4 students, 1 who withdrew" in page and page.count("<img alt=") == 1


def test_scores_come_from_the_gradebook_and_the_attempt_before_is_kept(tmp_path):
    from datetime import datetime

    from grading.marking.classroom import autograde, load_lecture
    from grading.marking.record import Recorder
    from tests import classes
    from tests.test_classroom import NAME, submissions

    course = classes.course(tmp_path / "course", classes.lecture(NAME), submissions())
    shutil.copy(DEFAULT, course / "scheme.yaml")
    reports = {report.student: report for report in autograde(course, NAME)}
    recorder = Recorder(course, load_lecture(course, NAME))
    recorder.write(reports["bert"], datetime(2027, 1, 1, 9, 0))
    recorder.write(reports["bert"], datetime(2027, 1, 1, 9, 0))
    better = reports["anna"]
    better.student = "bert"
    recorder.write(better, datetime(2027, 1, 2, 9, 0))
    recorder.close()
    scheme = read_scheme(course / "scheme.yaml")
    scores = read_scores(course, scheme)
    attempts = scores.attempts["bert"][NAME]
    assert sorted(attempt.points for attempt in attempts) == [1, 1, 3], "handed in without a time, then twice with one; the last stands in the gradebook"
    assert attempts[-1].source == "gradebook" and attempts[-1].submitted.isoformat() == "2027-01-02T09:00:00+00:00"
