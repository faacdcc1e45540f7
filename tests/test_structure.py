"""Every lecture source is complete and well formed; and each kind of fault is seen when it is there."""

import pytest

from grading.authoring.exercises import exercises_of
from grading.authoring.structure import faults, faults_of
from grading.names import defined, needed
from grading.sources import SourceError, lectures, points_of, read_text, source_path, syllabus

POINTS = {"1.1": "A robust background", "1.2": "Two readers"}


@pytest.mark.parametrize("lecture", lectures())
def test_lecture_has_no_fault(lecture):
    assert faults_of(lecture) == []


@pytest.mark.parametrize("lecture", lectures())
def test_lecture_is_in_the_syllabus(lecture):
    assert points_of(lecture), f"{lecture} is not in grading/syllabus.yaml"


def faults_after(made_up, *changes):
    """Faults of the made-up lecture after some replacements of text."""
    text = made_up.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, f"the made-up lecture no longer holds {old!r}"
        text = text.replace(old, new, 1)
    return faults(read_text(text), "98_made_up", POINTS)


def test_the_made_up_lecture_is_sound(made_up):
    assert faults_after(made_up) == []


DEMO = '# %% tags=["demo"]\n'
FAULTS = {
    "title": ("# # Lecture 98 - A made-up lecture", "# # A made-up lecture", "Cell 1 must begin"),
    "too few objectives": ("# - say when neither of the two is the right thing to do (1.2)\n", "", "lists 2 objectives"),
    "objective without point": ("do not move (1.1)", "do not move", "must end with its point id"),
    "objective of another lecture": ("do not move (1.1)", "do not move (4.3)", "cites point 4.3"),
    "no time": ("# **Time** about 90 minutes", "#", "**Time** about"),
    "no data card": ("# ## Data card", "# ## Data", "data card"),
    "no parameters": ('tags=["parameters"]', 'tags=["x"]', '"parameters"'),
    "wrong lecture": ('LECTURE = "98_made_up"', 'LECTURE = "01_other"', 'LECTURE = "98_made_up"'),
    "ci profile in the source": ('PROFILE = "laptop"', 'PROFILE = "ci"', 'PROFILE = "laptop"'),
    "no seed": ("SEED = 0", "SEEDS = 0", "must set SEED"),
    "other set-up": ("device = run.device", "device = 'cpu'", "exactly the text"),
    "no section": ("# ## 1.2 Two readers", "# ## Two readers", "Point 1.2"),
    "unknown section": ("# ## 1.2 Two readers", "# ## 9.9 Two readers", "'## 9.9' is not a syllabus point"),
    "no prediction": ("# **Predict before you run.** By how much", "# By how much", "Section 1.1 has no '**Predict"),
    "no checkpoint": ("# **Checkpoint.** When is", "# When is", "Section 1.1 has no '**Checkpoint"),
    "checkpoint without answer": (
        "# <details><summary>Answer</summary>When more than half of the region is vessel.</details>",
        "# Think.",
        "Section 1.1 has no '**Checkpoint",
    ),
    "exercise of another point": ("### Exercise 1.1a", "### Exercise 1.2b", "Section 1.1 has no graded exercise"),
    "heading form": ("### Exercise 1.1a - a", "### Exercise 1.1a: a", "must read '### Exercise"),
    "demonstration takes an answer's name": ("def sorted_middle", "def background_level(x):\n    return x\n\n\ndef sorted_middle", "would take the answer's place"),
    "two exercises of one id": ("### Exercise 1.2a", "### Exercise 1.1a", "stands twice"),
    "no effort": ("Difficulty 1 of 5 - 3 points", "Difficulty 1 - 3 points", "Difficulty 2 of 5"),
    "no exercise objective": ("*after it you can measure a background beside a vessel*", "go", "Difficulty 2 of 5"),
    "points do not add up": ("1 of 5 - 3 points", "1 of 5 - 4 points", "promises 4 points, but its checks give 3"),
    "one hint": ("<summary>Hint 2: what to call</summary>", "<summary>It is slow</summary>", "has 1 hints"),
    "no help by symptom": ("<summary>My value is far too high</summary>", "<summary>Hint 3</summary>", "no help by symptom"),
    "open details": ("<code>numpy.median</code></details>", "<code>numpy.median</code>", "doesn't close"),
    "no solution markers": ("    ### BEGIN SOLUTION\n", "", "needs its solution between"),
    "stub of a class outside its methods": (
        '    ### BEGIN SOLUTION\n    weights = 1.0 / sigmas**2',
        '    pass\n\n\nclass Level:\n    """A level."""\n\n    ### BEGIN SOLUTION\n    def of(self):\n        return 1\n    ### END SOLUTION\n\n\n'
        "def level_of(values, sigmas):\n    ### BEGIN SOLUTION\n    weights = 1.0 / sigmas**2",
        "put the markers inside its methods.",
    ),
    "no docstring": ('    """Inverse-variance weighted mean; values and sigmas in mm, shape (N,)."""\n', "", "no docstring"),
    "check under a foreign name": ('"grade_id": "background-mean-value"', '"grade_id": "value"', "must be called 'background-mean-<idea>'"),
    "check without points": ('"points": 2', '"points": 0', "worth points"),
    "unlocked check": ('background-mean-value", "locked": true', 'background-mean-value", "locked": false', "locked"),
    "no comment": ("# The value: nine pixels of liver and one of a vessel\n", "", "must begin with a comment"),
    "no hidden part": ("### BEGIN HIDDEN TESTS\n", "", "one hidden part"),
    "hidden part without assert": (
        'assert np.isclose(combined(pair, 10 * sure), 11.0), "a common factor in the sigmas must not matter"',
        "pass",
        "no hidden assert",
    ),
    "silent assert": (', "the median of one number is that number"', "", "without a message"),
    "check reads a demonstration": (
        "found = background_level(np.r_[np.full(9, 40.0), 400.0])",
        "found = background_level(level)",
        "reads level",
    ),
    "check reads another check": ("combined(pair, 10 * sure), 11.0", "combined(pair, 10 * sure), got", "reads got"),
    "check depends on the profile": ("combined(pair, 10 * sure), 11.0", "combined(pair, 10 * sure), len(PROFILE)", "reads PROFILE"),
    "given cell reads a demonstration": ("return 1.0 / sigma**2", "return level / sigma**2", "is given to the checks but reads level"),
    "check hands over a lambda": ("combined(pair, 10 * sure), 11.0", "combined(pair, lambda: sure), 11.0", "hands code to the student's"),
    "two grade ids": ('"grade_id": "weighting-equal"', '"grade_id": "weighting-value"', "is used 2 times"),
    "crooked grade id": ('"grade_id": "weighting-equal"', '"grade_id": "weighting-Equal_1"', "lower-case words"),
    "graded cell without exercise": ("### Exercise 1.2a - weighting readers", "Weighting readers", "stands under no"),
    "demonstration needs an answer": ("level = np.r_", "background_level(np.ones(3))\nlevel = np.r_", "uses background_level"),
    "demonstration needs a check": ("level = np.r_", "print(found)\nlevel = np.r_", "only a check cell defines"),
    "picture without words": (', alt="Two measurements of one lesion, 10 and 12 mm, the second twice as uncertain"', "", "without words"),
    "empty words": ('alt="Two measurements of one lesion, 10 and 12 mm, the second twice as uncertain"', 'alt=""', "without words"),
    "plt.show": ("level = np.r_", "plt.show()\nlevel = np.r_", "plt.show()"),
    "long cell": ("level = np.r_", "x = 1\n" * 46 + "level = np.r_", "54 lines"),
    "not Python": ("level = np.r_", "level = = np.r_", "not valid Python"),
    "a demonstration gives the answer away": (
        "level = np.r_",
        "w = 1.0 / np.ones(2) ** 2  # sigmas\ndef best(x, s):\n    w = 1.0 / s**2\n    return float((w * x).sum() / w.sum())\nlevel = np.r_",
        "gives away 100% of the solution 'weighting': show it after the exercise.",
    ),
    "solution in a demonstration": ("level = np.r_", "### BEGIN SOLUTION\nlevel = np.r_", "is no solution cell"),
    "no results": ("# ## Results", "# ## Figures", "'## Results'"),
    "nothing recorded": ("results.table(LECTURE, run.profile)", "print(1)", 'tag "results"'),
    "no reflection": ('"grade_id": "reflection"', '"grade_id": "thoughts"', "grade_id reflection"),
    "no model answer": ("# secret_model_answer: when the two disagree by more than their errors allow.", "# To do.", "model answer"),
    "no references": ("# ## References", "# ## Books", "'## References'"),
    "references without years": ("Journal of Made-up Results (2000)", "Journal of Made-up Results", "with their year"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_seen(made_up, name):
    old, new, says = FAULTS[name]
    found = faults_after(made_up, (old, new))
    assert any(says in fault for fault in found), found
    assert all(fault.endswith((".", '"')) for fault in found), "a fault is a sentence"


def test_only_one_check_is_too_few(made_up):
    text = made_up.read_text(encoding="utf-8")
    start = text.index('# %% nbgrader={"grade": true, "grade_id": "weighting-equal"')
    text = text[:start] + text[text.index("# %% [markdown]", start) :]
    assert any("1 check cells" in fault for fault in faults(read_text(text), "98_made_up", POINTS))


@pytest.mark.parametrize(
    "code, reads, binds",
    [
        ("import numpy as np\nx = np.ones(n)", {"n"}, {"np", "x"}),
        ("def f(a):\n    b = a + c\n    return [d for d in b if e]", {"c", "e"}, {"f"}),
        ("class A(B):\n    k: int = m\n    def g(self):\n        return self.k + A.k", {"B", "m"}, {"A"}),
        ("for i in range(3):\n    total = i", set(), {"i", "total"}),
        ("try:\n    f()\nexcept ValueError as error:\n    print(error)", {"f"}, {"error"}),
        ("from a.b import c as d\nwith d() as (e, g):\n    e", set(), {"d", "e", "g"}),
        ("x = (y := z)", {"z"}, {"x", "y"}),
        ("f = lambda q: q + w", {"w"}, {"f"}),
    ],
)
def test_names_of_a_cell(code, reads, binds):
    assert needed(code) == reads
    assert defined(code) == binds


def test_exercises_as_objects(made_up):
    first, second = exercises_of(read_text(made_up.read_text(encoding="utf-8")))
    assert (first.id, first.point, first.name, first.title) == ("1.1a", "1.1", "background-mean", "a background that ignores vessels")
    assert first.points == {"background-mean-value": 2, "background-mean-empty": 1}
    assert second.uses == ["background-mean"]
    assert "Predict" not in first.text and "Checkpoint" not in first.text


def test_point_ids_are_text():
    assert all(isinstance(point, str) for points in syllabus()["lectures"].values() for point in points)
    assert syllabus()["grading"]["final_exam"]["weight"] == 20


def test_reading_is_deterministic(made_up):
    text = made_up.read_text(encoding="utf-8")
    assert read_text(text) == read_text(text)
    ids = [cell.id for cell in read_text(text + text).cells]
    assert len(ids) == len(set(ids))


def test_an_unknown_lecture_is_named():
    with pytest.raises(SourceError, match="77_nothing"):
        source_path("77_nothing")
