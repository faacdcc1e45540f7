"""JupyterLab in a real browser: every lecture opens, whole ones run with their controls moved, checks speak, and nbgrader's button validates."""

import re

import pytest

from grading.authoring.bank import Lecture
from grading.sources import grade_id, is_solution, lectures
from tests.lab import Lab, notebook_for, served
from tests.lab_tour import THEMES, UNANSWERED, walk

WHOLE = {"02_introduction_to_mia": THEMES[1], "14_review": THEMES[0]}  # the two that cost least; `python -m tests.lab_tour` walks through all
FAINTEST = 4.5  # contrast of text, as WCAG 2.1 asks at level AA


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A folder, and the address of a JupyterLab that shows it."""
    folder = tmp_path_factory.mktemp("lab")
    with served(folder) as address:
        yield folder, address


@pytest.fixture
def lab(browser, server):
    """A page of that JupyterLab, with nothing open."""
    context = browser.new_context()
    yield Lab(context.new_page(), server[1])
    context.close()


@pytest.mark.notebook
@pytest.mark.parametrize("lecture", lectures())
def test_lecture_opens(lecture, lab, server):
    notebook = notebook_for(lecture, {}, server[0])
    lab.open(notebook.name, THEMES[lectures().index(lecture) % 2])
    assert len(lab.cells()) > 10
    page = lab.page
    heading = page.locator(".jp-MarkdownOutput h1").first
    heading.wait_for()
    assert heading.inner_text().strip("¶ ").startswith(f"Lecture {int(lecture[:2])}")
    assert page.locator(".jp-MarkdownOutput mjx-merror, .jp-RenderedMarkdown mjx-merror").count() == 0
    assert contrast(heading) > FAINTEST


@pytest.mark.notebook
@pytest.mark.parametrize("lecture", WHOLE)
def test_whole_lecture_runs_and_its_controls_answer(lecture, lab, server):
    lab.open(notebook_for(lecture, {}, server[0]).name, WHOLE[lecture])
    assert walk(lab) == []
    assert lab.close() is None


def test_check_says_what_is_wrong_and_is_silent_when_right(lab, server, made_up):
    bank = Lecture(str(made_up), made_up.parent / "answers")
    exercise = bank.exercise("background-mean")
    cell, check = exercise.solutions[0].id, exercise.checks[0].id
    lab.open(notebook_for(str(made_up), {}, server[0]).name)
    ids = lab.cells()
    for each in ids[: ids.index(cell) + 1]:
        lab.run(each)
    assert lab.run(check)["ename"] == UNANSWERED

    wrong = (bank.answers / bank.name / exercise.name / "wrong_mean.py").read_text(encoding="utf-8")
    check, words = re.match(r"# expect: (\S+): (.+)", wrong).groups()
    lab.write(cell, wrong)
    assert lab.run(cell) is None
    said = lab.run(check)
    assert said["ename"] == "AssertionError" and words in said["evalue"]
    output = lab.show(check).locator(".jp-OutputArea-output").last
    output.scroll_into_view_if_needed()
    text = output.inner_text()
    assert words in text and len(text.splitlines()) < 12, text
    assert output.bounding_box()["height"] < 400, "a student must scroll to read why"

    lab.write(cell, exercise.solutions[0].source)
    assert lab.run(cell) is None and lab.run(check) is None


@pytest.mark.parametrize("answered", [True, False])
def test_validate_button_says_how_many_checks_fail(answered, lab, server, made_up):
    bank = Lecture(str(made_up), made_up.parent / "answers")
    answers = {grade_id(cell): cell.source for cell in bank.notebook.cells if is_solution(cell)} if answered else {}
    lab.open(notebook_for(str(made_up), answers, server[0]).name)
    lab.page.get_by_text("Validate", exact=True).click()
    dialog = lab.page.locator(".jp-Dialog")
    dialog.locator("text=/Success|fail/i").first.wait_for()
    said = dialog.inner_text()
    assert ("Success" in said) == answered, said
    if not answered:
        assert "NotImplementedError" in said or "write background_level" in said, said


def contrast(element):
    """Contrast ratio of an element's text and the first background behind it (WCAG 2.1)."""
    colours = element.evaluate("""element => {
        let behind = element;
        while (behind.parentElement && /, 0\\)$|transparent/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
        return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
    }""")
    light = []
    for colour in colours:
        parts = [int(float(number)) / 255 for number in re.findall(r"[\d.]+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(light) + 0.05) / (min(light) + 0.05)
