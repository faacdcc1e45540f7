"""A whole submission: points from all checks, words from the visible ones, and the rest graded when one answer stops the run."""

import importlib
from dataclasses import asdict

import pytest

from grading.marking.job import grade
from grading.sandbox import Limits
from tests import classes

NAME = "97_workshop"
LIMITS = classes.LIMITS


@pytest.fixture(scope="module")
def workshop(box, tmp_path_factory):
    """Grade answers to the workshop lecture."""
    of = classes.lecture(NAME)
    for module in of.judge_modules:
        importlib.import_module(module)

    def run(answers, helper="", rest=True, limits=LIMITS):
        path = tmp_path_factory.mktemp("judge") / f"{NAME}.ipynb"
        classes.write(classes.answered(of, {**(classes.right(of) if rest else {}), **answers}, helper), path)
        return grade(path, "anna", of, box, limits=limits)

    return run


def points(report):
    """Check -> points."""
    return {verdict.check: verdict.points for verdict in report.verdicts}


def reason(report, check):
    return next(verdict.reason for verdict in report.verdicts if verdict.check == check)


def test_right_answers_get_everything_twice_the_same(workshop):
    one, two = workshop({}), workshop({})
    assert points(one) == classes.lecture(NAME).checks and not one.look and not one.notes
    assert {**asdict(one), "seconds": 0} == {**asdict(two), "seconds": 0}


def test_no_answer_gets_nothing(workshop):
    report = workshop({}, rest=False)
    assert report.points == 0
    assert "NotImplementedError: Exercise 1.1a" in reason(report, "middle-value") and reason(report, "counter-adds").startswith("`Counter`")


def test_words_come_from_the_visible_part_and_points_from_all(workshop):
    told = "SEEN = []\n\n\ndef middle(values):\n    print('values', list(values))\n    SEEN.append(list(values))\n    return "
    visible = workshop({"middle": told + "float(np.mean(values))", "counter": "print(SEEN)"})
    assert reason(visible, "middle-value") == "expected 2, got 4.0: is this the mean?"
    hidden = workshop({"middle": told + "2.0 if len(values) == 3 else 3.0", "counter": "print(SEEN)"})
    assert reason(hidden, "middle-value") == "the value is off on other numbers"
    text = hidden.to_json() + visible.to_json()
    assert "417.25" not in text and "values [" in text


def test_partial_points_of_a_lecture(workshop):
    report = workshop({"task-of": "def task_of(cases):\n    return ['detection'] * len(cases)"})
    assert points(report)["task-of-parts"] == 2 and reason(report, "task-of-parts") == "Partly right: 2 of 4 points."


def test_helpers_run_before_the_answer_that_needs_them(workshop):
    helper = "def _middle(values):\n    if not len(values):\n        raise ValueError\n    return float(np.median(values))"
    assert workshop({"middle": "def middle(values):\n    return _middle(values)"}, helper).points == 19


def test_what_stops_a_run_costs_its_own_exercise(workshop):
    loop = workshop({"rescale": "def rescale(image):\n    while True:\n        pass"}, limits=Limits(seconds=30, cell_seconds=1, memory=3 * 2**29))
    assert loop.points == 16 and "longer than 1 s" in reason(loop, "rescale-value") and "rescale" in loop.notes[-1]
    gone = workshop({"clip": "import os\n\n\ndef clip(image, high):\n    os.kill(os.getpid(), 11)\n    os._exit(1)", "noisy": "raise SystemExit"})
    assert gone.points == 17 and "ended by itself" in reason(gone, "clip-place")


def test_a_slow_experiment_of_ones_own_costs_no_other_extra_cell(workshop, tmp_path):
    of = classes.lecture(NAME)
    right = {**classes.right(of), "middle": "def middle(values):\n    return _middle(values)"}
    helper = "def _middle(values):\n    if not len(values):\n        raise ValueError\n    return float(np.median(values))"
    slow = workshop({**right, "rescale": classes.right(of)["rescale"]}, [helper, "while True:\n    pass"], limits=Limits(30, 1, 3 * 2**29))
    assert slow.points == 19 and "an extra cell before middle stopped" in slow.notes[-1].lower()


def test_two_answers_that_stop_the_run(workshop):
    clip = "import os\n" + classes.right(classes.lecture(NAME))["clip"]
    report = workshop({"middle": "import os\nos._exit(0)", "clip": clip, "fit": "def fit(model, x, y):\n    os._exit(0)"})
    assert report.points == 14 and "middle and the answer to fit stopped" in report.notes[-1]


def test_time_is_for_all_tries_together(workshop):
    limits = Limits(seconds=3, cell_seconds=2, memory=3 * 2**29)
    loops = {name: "while True:\n    pass" for name in ("middle", "rescale", "clip", "fit", "predict")}
    report = workshop(loops, limits=limits)
    assert report.seconds < 12 and len(report.verdicts) == 12


def test_magics_do_not_cost_an_answer(workshop):
    right = classes.right(classes.lecture(NAME))
    answers = {
        "middle": "%matplotlib inline\n!pip install nothing\nfiles = !ls\nnp.median?\n" + right["middle"],
        "rescale": "%%time\n" + right["rescale"],
        "clip": "get_ipython().run_line_magic('timeit', '1')\ndisplay(1)\n" + right["clip"],
    }
    assert workshop(answers).points == 19
