"""README's tables are those that the records and the tree give; what is stale is found, and what is measured is told as it was measured."""

import fnmatch
import json
import re

import pytest

from grading import __main__ as cli
from grading.authoring import badges
from grading.measuring import measured, readme
from grading.sources import NOTEBOOKS, ROOT, SourceError, lectures, repository, tracks
from helpers.results import Result
from tests.test_recorded import FIGURE, run

LECTURE = "04_classification"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A README and records of their own, which a test may change."""
    for name, source in (("README.md", readme.README), ("results.md", readme.RESULTS), ("measured.json", measured.FILE)):
        (tmp_path / name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    monkeypatch.setattr(readme, "RESULTS", tmp_path / "results.md")
    monkeypatch.setattr(measured, "FILE", tmp_path / "measured.json")
    return tmp_path


def test_readme_is_what_records_and_tree_give():
    assert readme.stale() == [], f"run `{readme.AGAIN}`"


def test_a_changed_table_is_found_and_mended(place, capsys):
    text = readme.README.read_text(encoding="utf-8")
    readme.README.write_text(re.sub(r"\| wrong answers caught.*", "| wrong answers caught | 9999 |", text), encoding="utf-8")
    assert cli.main(["readme", "--check"]) == 1 and "README.md" in capsys.readouterr().err
    assert cli.main(["readme"]) == 0 and readme.README.read_text(encoding="utf-8") == text
    assert cli.main(["readme", "--check"]) == 0


def test_a_new_wrong_answer_makes_it_stale(place, monkeypatch):
    (place / "attacks").mkdir()
    (place / "attacks" / "one.py").write_text("# aims at: points, secrets\n")
    monkeypatch.setattr(readme, "ATTACKS", place / "attacks")
    assert readme.stale() == ["README.md"]
    assert "| 1 | 1 at points, 1 at secrets" in readme.attack_table({})


def test_readme_shows_a_recorded_run(place, monkeypatch, tmp_path):
    rows = [
        {**FIGURE, "name": "pneumoniamnist test AUC (train and val)", "baseline": 0.944, "baseline_name": "published ResNet-18"},
        {**FIGURE, "name": "x|y"},
    ]
    run(tmp_path, LECTURE, rows, cpu_seconds=431.2, peak_mib=2150.0)
    for kind in ("", "figures/"):
        (tmp_path / f"{kind}{LECTURE}.ci.json").rename(tmp_path / f"{kind}{LECTURE}.laptop.json")
    none = {**measured.load(), "runs": {}}
    assert "lecture 1, 2, 3, 4," in readme.reached_table(none) and "0.812" not in readme.reached_table(none)
    assert measured.take([LECTURE], "laptop", tmp_path) == [LECTURE]
    given = measured.load()
    told = readme.reached_table(given)
    assert "| 4 Classification | pneumoniamnist test AUC (train and val) | 0.812 [0.700, 0.900] | 0.944 (published ResNet-18) |" in told
    assert "x\\|y" not in told and "x\\|y" in readme.results(given), "headlines alone"
    assert "7.2 min, 2.1 GiB |" in readme.cost_table(given)
    monkeypatch.setattr(measured, "code_of", lambda _name: "other")
    assert f"7.2 min, 2.1 GiB{readme.OLD} |" in readme.cost_table(given) and "before the last change" in readme.reached_table(given)
    given["runs"][LECTURE]["laptop"]["load"] = 3.0
    assert f"7.2 min, 2.1 GiB{readme.OLD}{readme.BUSY} |" in readme.cost_table(given) and readme.BESIDE in readme.cost_table(given)
    assert set(readme.stale(write=True)) == {"README.md", "results.md"} and not readme.stale()


def test_what_is_taken_is_kept_readable(place, tmp_path):
    run(tmp_path, LECTURE, [FIGURE], cpu_seconds=93.4, peak_mib=1000.0, code="as it ran")
    run(tmp_path, "05_segmentation", [FIGURE], cpu_seconds=60.0, peak_mib=500.0, error={"cell": "x"})
    before = measured.load()["speed"]
    assert measured.take([LECTURE, "05_segmentation"], "ci", tmp_path) == [LECTURE], "a run that failed is not taken"
    whole = json.loads(measured.FILE.read_text(encoding="utf-8"))
    assert whole["runs"][LECTURE]["ci"].keys() == {"cpu_seconds", "peak_mib", "load", "date", "code"}, "figures of ci ship with the helpers"
    assert whole["runs"][LECTURE]["ci"]["code"] == "as it ran", "the lecture may have changed since"
    assert whole["speed"] == before
    row = {
        "lecture": LECTURE,
        "submissions": 32,
        "seconds_each": 0.5,
        "memory_mb": 1200,
        "stock_submissions": 8,
        "stock_seconds_each": 40.0,
        "ratio": 80,
    }
    measured.add_speed(row)
    assert len(measured.load()["speed"]) == len({(one["lecture"], one["submissions"]) for one in [*before, row]})
    assert "| 40 s | 0.5 s | 80 | 1.2 GB |" in readme.speed_table(measured.load())


def test_code_counts_and_words_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "SOLUTIONS", tmp_path)
    source = tmp_path / "a.py"
    text = '# %% [markdown]\n# words\n\n# %%\nx = 1  # one\n\n# %% nbgrader={"grade": true}\nassert x\n'

    def code(changed):
        source.write_text(changed)
        return measured.code_of("a")

    first = code(text)
    assert (
        first
        == code(text.replace("# words", "# others"))
        == code(text.replace("assert x", "assert x == 1"))
        == code(text.replace("x = 1", "# why\nx = 1"))
    )
    assert first != code(text.replace("x = 1", "x = 2"))


def test_headlines():
    rows = [Result("b", 1.0), Result("a1", 2.0, low=1.0, high=3.0), Result("a2", 2.0)]
    assert [row.name for row in readme.headlines(rows, ["a*", "*2", "b"])] == ["a1", "a2", "b"]
    assert [row.name for row in readme.headlines(rows, [])] == [row.name for row in readme.headlines(rows, ["c"])] == ["a1"]


@pytest.mark.parametrize("lecture", lectures())
def test_headlines_are_few_and_all_there(lecture):
    patterns = readme.words(lecture)["headline"]
    run = measured.load()["runs"][lecture].get("laptop")
    if run:
        rows = [Result(**row) for row in run["figures"]]
        assert [pattern for pattern in patterns if not any(fnmatch.fnmatchcase(row.name, pattern) for row in rows)] == []
        assert 0 < len(readme.headlines(rows, patterns)) <= 6


def test_what_nobody_makes_is_refused(place):
    readme.README.write_text("<!-- begin generated: fame -->\n<!-- end generated -->\n")
    assert cli.main(["readme"]) == 2
    with pytest.raises(SourceError, match="98_made_up"):
        readme.words("98_made_up")


def test_badges_lead_to_notebooks_that_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in [*lectures(), *tracks()]:
        notebook = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
        for make in (badges.colab, badges.kaggle, badges.binder):
            assert make(name) in notebook and (name in tracks() or make(name) in text), (name, make)
    addresses = re.findall(r"https://[^)\s\"]*github[^)\s\"]*", text)
    place = repository().partition("github.com/")[2]
    assert addresses and all(place in one or "%3A%2F%2Fvscode" in one for one in addresses), "every address is made from pyproject.toml's"


def test_no_badge_where_no_service_can_open_it(monkeypatch):
    monkeypatch.setattr(badges, "repository", lambda: "https://git.example.org/course")
    assert badges.row(LECTURE) == "" and badges.vs_code() == ""
