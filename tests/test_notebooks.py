"""Every lecture and every project track runs from top to bottom in profile ci, within its budget, quietly and with words for every picture."""

import re

import nbformat
import pytest

from grading.measuring.execute import run_lecture
from grading.sources import RUNS, lectures, tracks
from tests.gauge import Gauge

SECONDS = 120  # of processor, on the reference machine; elsewhere times the slowness measured beside it. One thread: alone, the clock says the same
TRACK_SECONDS = 30  # a project track: some 8 of them are imports
MEMORY_MIB = 4096
LINES = 60  # that one cell may print

notebook = pytest.mark.notebook


@notebook
@pytest.mark.parametrize("lecture", lectures())
def test_instructor_notebook_runs(lecture, slowness):
    with Gauge() as gauge:
        record = run_lecture(lecture, "ci", timeout=round(5 * SECONDS * slowness))
    budget = SECONDS * gauge.slowness
    assert record.error is None, record.line()
    assert record.cpu_seconds <= budget, f"{record.line()}; the budget here is {budget:.0f} s. Slowest cells: {slowest(record)}"
    assert record.peak_mib <= MEMORY_MIB, record.line()
    assert output_faults(nbformat.read(RUNS / record.notebook, as_version=4)) == []


@notebook
@pytest.mark.parametrize("track", tracks())
def test_project_track_runs(track, slowness):
    with Gauge() as gauge:
        record = run_lecture(track, "ci", timeout=round(5 * TRACK_SECONDS * slowness))
    assert record.error is None, record.line()
    assert record.cpu_seconds <= TRACK_SECONDS * gauge.slowness, f"{record.line()}; slowest cells: {slowest(record)}"
    assert record.peak_mib <= MEMORY_MIB, record.line()
    assert output_faults(nbformat.read(RUNS / record.notebook, as_version=4)) == []


@notebook
@pytest.mark.parametrize("lecture", lectures())
def test_student_release_runs_up_to_its_first_exercise(lecture, slowness):
    record = run_lecture(lecture, "ci", released=True, timeout=round(5 * SECONDS * slowness))
    assert record.expected_stop and record.as_expected, record.line()
    executed = nbformat.read(RUNS / record.notebook, as_version=4)
    assert [fault for fault in output_faults(executed) if record.error["cell"] not in fault] == []


def slowest(record):
    """The five slowest cells of a run, in words."""
    rows = sorted(record.cells, key=lambda row: -row["seconds"])[:5]
    return ", ".join(f"{row['cell']} {row['seconds']:.1f} s" for row in rows)


def output_faults(executed):
    """What is wrong with the outputs of an executed notebook: too long, warnings, pictures without words."""
    found = []
    for cell in executed.cells:
        outputs = cell.get("outputs", [])
        where = f"{cell.id} ('{cell.source.strip().splitlines()[0][:60] if cell.source.strip() else ''}')"
        printed = sum(len(text_of(output).splitlines()) for output in outputs)
        if printed > LINES:
            found.append(f"{where} prints {printed} lines")
        for output in outputs:
            if output.output_type == "stream" and output.name == "stderr" and not progress_only(output.text):
                found.append(f"{where} writes to stderr: {output.text.strip()[:200]}")
            for kind in output.get("data", {}):
                if kind.startswith("image/") and not output.metadata.get(kind, {}).get("alt", "").strip():
                    found.append(f"{where} shows a picture without alt text")
    return found


def text_of(output):
    """The plain text of an output."""
    if output.output_type == "stream":
        return output.text
    data = output.get("data", {})
    return "" if any(kind.startswith(("image/", "text/html")) for kind in data) else data.get("text/plain", "")


def progress_only(text):
    """Whether a text holds nothing but progress bars."""
    return all(not line.strip() or re.search(r"\d+%\|", line) for line in re.split(r"[\r\n]", text))


def test_made_up_lecture_runs_and_is_measured(made_up, tmp_path):
    record = run_lecture(made_up, "ci", folder=tmp_path)
    assert record.as_expected and record.error is None
    assert record.peak_mib > 100 and 0 < max(row["seconds"] for row in record.cells) <= record.seconds
    assert 0.5 < record.cpu_seconds < 2 * record.seconds
    assert (tmp_path / "98_made_up.ci.json").is_file()
    assert (tmp_path / "figures" / "98_made_up.ci.json").is_file()
    executed = nbformat.read(tmp_path / record.notebook, as_version=4)
    assert output_faults(executed) == []
    picture = next(output for cell in executed.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {}))
    picture.metadata["image/png"].pop("alt")
    executed.cells[-1].outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="UserWarning: careful\n"),
        nbformat.v4.new_output("stream", name="stdout", text="line\n" * 61),
        nbformat.v4.new_output("stream", name="stderr", text="\r 50%|#####     | 1/2\n"),
    ]
    found = output_faults(executed)
    assert len(found) == 3 and "without alt" in found[0] and "lines" in found[1] and "careful" in found[2], found


def test_a_made_up_release_stops_at_its_first_check(made_up, tmp_path):
    record = run_lecture(made_up, "ci", released=True, folder=tmp_path)
    assert record.as_expected, record.line()
    assert record.error["cell"] == "background-mean-value"
    assert record.error["message"] == "Exercise 1.1a: write background_level - a background that ignores vessels"


def test_a_run_has_no_network_and_its_failure_is_recorded(made_up, tmp_path):
    reach = "import urllib.request\nurllib.request.urlopen('http://example.org', timeout=5)\n"
    broken = tmp_path / made_up.name
    text = made_up.read_text(encoding="utf-8")
    broken.write_text(text.replace('# %% tags=["demo"]\n', f'# %% tags=["demo"]\n{reach}', 1), encoding="utf-8")
    record = run_lecture(broken, "ci", folder=tmp_path)
    assert not record.as_expected and record.error["name"] == "URLError", record.error
