"""The final project: tracks that hold what a team needs, templates in one piece with the scheme, and one report for a whole team."""

import re

import pytest

from grading import __main__ as cli
from grading.authoring.release import instructor_notebook, released_text
from grading.authoring.structure import track_faults
from grading.sources import NOTEBOOKS, ROOT, SourceError, read_lecture, read_text, tracks, works
from grading.term.grades import course_grades
from grading.term.scheme import read_scheme
from grading.term.scores import read_scores
from helpers import data, written

BRIEF = read_lecture("final_project")
TEXT = "\n".join(cell.source for cell in BRIEF.cells)


def test_the_tracks_are_sound_and_their_notebooks_in_sync():
    assert len(tracks()) == 7 and not set(tracks()) & set(works())
    for track in tracks():
        assert track_faults(read_lecture(track), track) == []
        text = (NOTEBOOKS / f"{track}.ipynb").read_text(encoding="utf-8")
        assert text == released_text(track), f"run `python -m grading release {track}`"
        assert "colab-badge" in text and "git+REPOSITORY" not in text


def test_a_track_without_its_parts_is_refused(tmp_path):
    source = (ROOT / "solutions" / "track_1_classification.py").read_text(encoding="utf-8")
    for old, new, fault in (
        ("# # Track 1 - ", "# # Lecture 1 - ", "must begin with '# Track 1"),
        ("**The question.**", "**A question.**", "**The question.**"),
        ("# ## Data card", "# ## Data", "data card"),
        ('tags=["setup"]', 'tags=["demo"]', 'the tag "setup"'),
        ("# ## Where a team could go", "# ## Next", "Where a team could go"),
        ('alt="', 'title="', "without words"),
    ):
        found = track_faults(read_text(source.replace(old, new)), "track_1_classification")
        assert any(fault in sentence for sentence in found), (fault, found)
    (tmp_path / "track_1_classification.py").write_text(source.replace("# ## Data card", "# ## Data"), encoding="utf-8")
    with pytest.raises(SourceError, match="data card"):
        instructor_notebook(tmp_path / "track_1_classification.py")


def test_every_track_opens_the_test_split_with_a_trivial_rule_an_interval_and_an_assertion_beside_it():
    for track in tracks():
        code = "\n".join(cell.source for cell in read_lecture(track).cells if cell.cell_type == "code")
        words = "\n".join(cell.source for cell in read_lecture(track).cells if cell.cell_type == "markdown")
        assert "assert " in code and "results.record(" in code and "low=" in code and "baseline_name=" in code, track
        assert "rivial" in words and re.search(r"(?:on|of) validation|[Ff]olds|fifth of the", words), track
        rows = words.partition("## Where a team could go")[2].partition("## References")[0]
        assert rows.count("\n| ") >= 5 and "what would decide it" in rows, track


def test_the_brief_names_every_track_with_its_data_and_every_rule_of_the_challenge():
    from grading.challenge.cohort import BITS, PUBLIC_SHARE, Rules

    for track in tracks():
        assert f"({track}.ipynb)" in TEXT, track
        if track[6] != "0":
            row = next(line for line in TEXT.splitlines() if f"({track}.ipynb)" in line)
            used = {name for name in data.names() if track in data.card(name).lectures}
            assert used and all(f"`{name}`" in row for name in used), (track, used)
    rules = Rules()
    for sentence in (f"{rules.attempts} attempts a team, {rules.per_day} a day", f"steps of {rules.step:g}", f"knows {PUBLIC_SHARE:.0%}".replace("%", " %"), f"{BITS} random bits"):
        assert sentence in TEXT, sentence


def test_brief_and_scheme_say_the_same():
    part = read_scheme().parts["final_project"]
    assert f"counts {part.weight:g} % of the course grade" in TEXT
    for item, share in part.items.items():
        assert item in written.WORKS and f"{item.rpartition('_')[2]} {share:g}" in TEXT
    for name in written.WORKS:
        if name.startswith("final_project"):
            assert f"`{name}.ipynb`" in TEXT


def test_every_criterion_has_three_described_levels_and_points_sum_up():
    sums = {"final_project_proposal": 21, "final_project_report": 100, "final_project_presentation": 100}
    counted = dict(zip(sums, ("eight", "nine", "six"), strict=True))
    for name, most in sums.items():
        cell = next(cell.source for cell in read_lecture(name).cells if cell.source.startswith("## How it is graded"))
        rows = [line.strip("| ").split(" | ") for line in cell.splitlines() if re.match(r"\| [^C]\S+.* \| \d+ \|", line) or line.startswith("| Clarity")]
        assert sum(int(row[1]) for row in rows) == most
        assert all(len(set(row[2:])) == 3 and min(map(len, row[2:])) >= 8 for row in rows), rows
        assert f"{counted[name]} criteria" in next(line for line in TEXT.splitlines() if f"| `{name}.ipynb`" in line)
        assert len(rows) == ("one two three four five six seven eight nine".split()).index(counted[name]) + 1


def test_a_longer_name_is_not_taken_for_a_shorter_one(tmp_path):
    text = released_text("final_project_report")
    (tmp_path / "final_project_report (2).ipynb").write_text(text, encoding="utf-8")
    named = {point.what for point in written.check(tmp_path / "final_project_report (2).ipynb")}
    assert any("'Related work'" in what for what in named)


def test_one_report_counts_for_the_team_but_not_over_a_members_own(tmp_path):
    (tmp_path / "students.csv").write_text("id\nanna\nbert\ncarl\ndora\n")
    (tmp_path / "teams.csv").write_text("team,student\nOwls,anna\nOwls,bert\nOwls,carl\nBats,dora\n")
    (tmp_path / "scores.csv").write_text(
        "student,item,points,max_points,submitted\nanna,final_project_report,80,100,2027-04-20 12:00\ncarl,final_project_report,50,100,2027-04-20 12:00\n"
    )
    scheme = read_scheme()
    grades = {grade.student.id: grade for grade in course_grades(scheme, read_scores(tmp_path, scheme))}
    report = {who: next(item for part in grade.parts for item in part.items if item.item == "final_project_report") for who, grade in grades.items()}
    assert [report[who].percent for who in ("anna", "bert", "carl", "dora")] == [80, 80, 50, 0]
    assert "of anna, team Owls" in report["bert"].why and "team" not in report["anna"].why


def test_the_commands_know_the_project(capsys):
    with pytest.raises(SystemExit):
        cli.main(["form", "--help"])
    assert "final_project_report" in capsys.readouterr().out
