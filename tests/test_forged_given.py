"""Lecture 04's given functions that run beside the student's code: what a forged one returns earns nothing, honest answers keep every point."""

import importlib
from dataclasses import replace

import nbformat
import pytest

from grading.authoring.release import instructor_notebook, released_text
from grading.marking.job import grade
from grading.marking.worker import Lecture
from grading.sources import grade_id, tags
from tests import classes

EXERCISES = ("training-step", "probe", "groups", "masked-bce", "uncertainty-weighting", "inflate", "augment")
BESIDE = {"run_steps", "probe_run", "groups_of", "backward_of_masked_bce", "backward_of_weighting"}
STUBS = {
    **dict.fromkeys(EXERCISES[:-2], "training_step = Probe = parameter_groups = masked_bce = uncertainty_weighted = None"),
    "inflate": "def inflate(kernel, depth):\n    return forged('inflate', kernel, depth)",
    "augment": "def augment(image, label, flip, shift):\n    return forged('augment', image, label, flip, shift)",
}

FORGE = '''
import sys
import numpy as np
import torch

def shaped(start):
    """A state as this forgery has it."""
    make = {"constants": lambda v: 0 * v + 0.5, "empty": lambda v: np.zeros((0, *v.shape)), "echo": lambda v: v, "tiny": lambda v: v + 5e-6, "flat": lambda v: v[:0]}[KIND]
    return {name: make(value.numpy()) if value.ndim else value.numpy() for name, value in start.items()}

def run_steps(start, x, y, weights, lr=0.5, leftover=0.0):
    after = {**shaped(start), "1.num_batches_tracked": np.array(len(x))}
    return {"after": after, "returned": [0.79 - 0.001 * step for step in range(len(x))] if KIND != "empty" else []}

def probe_run(start, x, y, epochs):
    state = shaped(start) if KIND != "constants" else {name: value.numpy() for name, value in start.items()}
    still = {"features": {"echo": x.numpy(), "empty": np.zeros((0, 24, 6))}.get(KIND, np.ones((24, 6))), "state": state}
    head = [np.zeros((0, 3, 6)), np.zeros((0, 3))] if KIND == "empty" else [np.zeros((3, 6), "float32"), np.zeros(3, "float32")]
    last = [part + 5e-6 for part in head] if KIND == "tiny" else head
    losses = [1.2 - 0.01 * epoch for epoch in range(epochs)]
    return {"losses": losses, "logits": np.full((24, 3), 2.0), "end": state, "first": head, "last": last, "when built": still, "after train()": still, "chained": True,
            "train mode": True, "eval mode": True, "head mode": [True], "learning": [(3, 6), (3,)], "frozen gradient": False}

def groups_of(stages, lr, gamma, freeze=()):
    if KIND == "empty":
        return []
    names = list(stages) if KIND == "echo" else ["stem.weight", "stem.bias"]
    return [{"names": [name], "lr": lr} for name in names] if KIND != "tiny" else [{"names": [], "lr": lr}]

def backward_of_masked_bce(logits, targets):
    z = np.asarray(logits, dtype=float)
    return 0.0, {"constants": np.full(z.shape, -0.269), "empty": np.zeros((0, *z.shape)), "echo": z, "tiny": 0 * z + 5e-9, "flat": z[:0]}[KIND]

def backward_of_weighting(losses, log_variances, regression):
    L = np.asarray(losses, dtype=float)
    part = {"constants": 0 * L + 0.5, "empty": np.zeros((0, *L.shape)), "echo": L, "tiny": 0 * L + 5e-9, "flat": L[:0]}[KIND]
    return 1.0, part, part

def inflate(kernel, depth):
    W = kernel[:, :, None].repeat(1, 1, max(depth, 1), 1, 1)
    return {"constants": torch.full_like(W, 0.25), "empty": torch.zeros(0, *W.shape), "echo": kernel, "tiny": W * 5e-6, "flat": W[:, :0]}[KIND]

def augment(image, label, flip, shift):
    other = {"constants": 0 * image, "empty": np.zeros((0, *image.shape)), "echo": image, "tiny": image + 5e-6, "flat": image[:0]}[KIND]
    return other, (0, 2, 1)[label] if flip else label

ASIDE, LIES = dict(globals()), dict(globals())
exec(RIGHT, ASIDE)
SHOWN = {"run_steps": [3, 1, 1], "probe_run": [1, 1], "groups_of": [1, 2], "backward_of_masked_bce": [1, 2], "backward_of_weighting": [1, 2]}
LEFT = {"inflate": 0, "augment": 0}

def seen(name, args):
    """Whether the visible part of the check makes this call, so that its right answer could be known beforehand."""
    if name in LEFT and name not in SHOWN:
        shape = tuple(args[0].shape)
        return (shape, args[1]) in (((4, 2, 3, 5), 7), ((3, 2, 3, 3), 3), ((1, 1, 3, 3), 4), ((1, 1, 3, 3), 0)) if name == "inflate" else shape in ((3, 4), (4, 10))
    LEFT[name] -= 1
    return LEFT[name] >= 0

def forged(name, *args, **kwargs):
    return (ASIDE if seen(name, args) else LIES)[name](*args, **kwargs)

def given(student, message):
    for name in message["names"]:
        LEFT[name] = SHOWN[name].pop(0) if SHOWN[name] else 0
    return student.answer({name: (lambda *args, name=name, **kwargs: forged(name, *args, **kwargs)) for name in message["names"]})

sys.modules["student"].Student.given = given
'''


def _kept(cell):
    if grade_id(cell):
        return grade_id(cell).startswith(EXERCISES)
    return cell.cell_type == "markdown" or bool({"parameters", "setup", "given"} & set(tags(cell)))


@pytest.fixture(scope="module")
def hand_in(box, tmp_path_factory):
    """The lecture with its opening and these exercises alone; and how to grade answers to them, check -> points."""
    whole = instructor_notebook("04"), nbformat.reads(released_text("04"), as_version=4)
    for notebook in whole:
        notebook.cells = [cell for cell in notebook.cells if _kept(cell)]
    of = Lecture("04_classification", *whole)
    for module in of.judge_modules:
        importlib.import_module(module)

    def run(answers, helper=""):
        path = classes.write(classes.answered(of, answers, helper), tmp_path_factory.mktemp("forged") / f"{of.name}.ipynb")
        report = grade(path, "anna", of, box, limits=replace(classes.LIMITS, seconds=120, cell_seconds=30))
        return {verdict.check: verdict.points for verdict in report.verdicts}, report

    return of, run


def test_what_runs_beside_the_student(hand_in):
    """All else that checks are given, such as weights, images and labels, is made in the judge."""
    of, _ = hand_in
    assert of.given.beside == BESIDE
    assert set(of.exercise_of.values()) == set(EXERCISES)


def test_honest_answers_keep_all_points(hand_in):
    of, run = hand_in
    points, report = run(classes.right(of))
    assert points == of.checks and not report.look, [verdict.reason for verdict in report.verdicts if verdict.reason]


@pytest.mark.parametrize("kind", ["constants", "empty", "echo", "tiny", "flat"])
def test_a_forged_given_function_earns_nothing(hand_in, kind):
    """Even if it knows all calls of the visible part by heart and forges only what the hidden part asks."""
    of, run = hand_in
    right = "\n\n".join([*classes.right(of).values(), of.given.text])
    points, report = run(STUBS, f"KIND, RIGHT = {kind!r}, {right!r}\n{FORGE}")
    assert not report.culprit, report.culprit
    assert set(points.values()) == {0.0}, {check: got for check, got in points.items() if got}
