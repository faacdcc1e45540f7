"""The course's own results: what runs recorded becomes one file, a user's own figures come first, and the review can read both."""

import json
import math

import pytest

from grading import __main__ as cli
from grading.measuring import measured
from grading.measuring.recorded import collect, write
from grading.sources import SourceError, syllabus
from helpers import results


def run(folder, lecture, figures, **record):
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    (folder / f"{lecture}.ci.json").write_text(json.dumps({"released": False, "error": None, "code": measured.code_of(lecture), **record}))
    (folder / "figures" / f"{lecture}.ci.json").write_text(json.dumps(figures))


FIGURE = {"name": "AUC", "value": 0.8123456789, "unit": "", "low": 0.7, "high": 0.9, "baseline": None, "baseline_name": "", "source": "test"}


def test_what_ships_is_sound():
    found = results.recorded()
    assert found and {lecture for lecture, _ in found} <= set(syllabus()["lectures"])
    for (lecture, profile), rows in found.items():
        assert profile in results.PROFILES and rows, lecture
        assert len({row.name for row in rows}) == len(rows)
        for row in rows:
            assert math.isfinite(row.value) and (row.low is None or row.low <= row.value) and (row.high is None or row.value <= row.high), (lecture, row)
            assert row.baseline is None or (math.isfinite(row.baseline) and row.baseline_name), (lecture, row)


def test_whole_runs_are_taken_and_others_told(tmp_path):
    run(tmp_path, "04_classification", [FIGURE])
    run(tmp_path, "05_segmentation", [FIGURE], error={"cell": "x", "name": "ValueError", "message": "no"})
    run(tmp_path, "06_registration", [FIGURE], released=True)
    run(tmp_path, "07_label_efficient_learning", [FIGURE])
    (tmp_path / "figures" / "07_label_efficient_learning.ci.json").write_text("[{")
    names = ["04_classification", "05_segmentation", "06_registration", "07_label_efficient_learning", "08_anomaly_detection"]
    found, notes = collect(names, "ci", tmp_path)
    assert list(found) == ["04_classification"] and len(notes) == 4
    assert "did not reach the end" in notes[0] and "cut" in notes[2] and "grading run 08 --profile ci" in notes[3]


def test_a_later_run_replaces_its_lecture_alone(tmp_path):
    file = tmp_path / "recorded.json"
    run(tmp_path, "05_segmentation", [FIGURE])
    assert write(collect(["05_segmentation"], "ci", tmp_path)[0], "ci", file) == ["05_segmentation"]
    run(tmp_path, "04_classification", [FIGURE, {**FIGURE, "name": "ECE", "low": None, "high": None}])
    assert write(collect(["04_classification", "05_segmentation"], "ci", tmp_path)[0], "ci", file) == ["04_classification"]
    whole = json.loads(file.read_text(encoding="utf-8"))
    assert list(whole) == ["04_classification", "05_segmentation"], "in the order of the course"
    assert whole["04_classification"]["figures"][0] == {"name": "AUC", "value": 0.812346, "low": 0.7, "high": 0.9, "source": "test"}
    assert len(file.read_text().splitlines()) == 9, "a line a figure"
    with pytest.raises(SourceError, match="run lectures first"):
        write({}, "ci", file)


def test_your_own_figures_come_first_and_the_larger_run(tmp_path, monkeypatch):
    file = tmp_path / "recorded.json"
    run(tmp_path, "05_segmentation", [FIGURE])
    run(tmp_path, "04_classification", [FIGURE])
    write(collect(["04_classification", "05_segmentation"], "ci", tmp_path)[0], "ci", file)
    monkeypatch.setattr(results, "RECORDED", file)
    monkeypatch.setenv("DLMIA_RESULTS", str(tmp_path / "own"))
    results.record("05_segmentation", "ci", "AUC", 0.5)
    results.record("05_segmentation", "laptop", "AUC", 0.6, baseline=0.4, baseline_name="chance")
    table = results.course()
    assert table["whose"].tolist() == ["recorded", "yours"] and table["profile"].tolist() == ["ci", "laptop"]
    assert table["value"].tolist() == [0.812346, 0.6] and math.isnan(table["low"][1]) and table["baseline"][1] == 0.4
    assert results.course(own=False)["whose"].tolist() == ["recorded", "recorded"]
    monkeypatch.setattr(results, "RECORDED", tmp_path / "none.json")
    assert len(results.course(own=False)) == 0 and results.course(own=False)["value"].dtype == float


def test_the_command_says_what_is_missing(tmp_path, monkeypatch, capsys):
    from grading.measuring import measured, readme, recorded

    monkeypatch.setattr(measured, "FILE", tmp_path / "measured.json")
    monkeypatch.setattr(measured.take, "__defaults__", (tmp_path, None))
    monkeypatch.setattr(readme, "stale", lambda write: [])
    monkeypatch.setattr(recorded.collect, "__defaults__", (tmp_path,))
    monkeypatch.setattr(recorded.write, "__defaults__", (tmp_path / "recorded.json",))
    assert cli.main(["results", "4"]) == 2 and "run lectures first" in capsys.readouterr().err
    run(tmp_path, "04_classification", [FIGURE])
    assert cli.main(["results"]) == 0
    assert "1 figures of 1 lectures" in capsys.readouterr().out and (tmp_path / "recorded.json").is_file()
    assert list(measured.load()["runs"]) == ["04_classification"]
