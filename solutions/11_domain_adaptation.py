# %% [markdown]
# # Lecture 11 - Domain adaptation
#
# **After this you can**
#
# - name the shift between two hospitals (covariate, label, concept), say which measure is blind to which, and measure it with an unbiased MMD and an A-distance from held-out patients (10.1)
# - estimate how common a disease is at a hospital that has no labels, and correct a model's probabilities for it (10.1)
# - match grey values, weight patients, recolour features (CORAL) and align subspaces, each with the check that shows that it did what it says (10.2)
# - adapt a network by reversed gradients, by its batch-norm statistics, by swapped amplitudes and by its own pseudo-labels, with no label of the target (10.3)
# - adapt at test time by entropy, see when adapting harms, and choose among models without target labels (10.4)
#
# **Time** about 360 minutes, in two sittings (10.1 and 10.2; 10.3 and 10.4)
#
# Sections carry the syllabus's numbers: this lecture is its chapter 10. No demonstration needs an exercise to be solved, so you can read on whenever you are stuck.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations: your answers may use what they import and define, not what they compute.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | FLAIR slices of the same simulated people on two simulated scanners, some with a planted lesion (all sections) | this course, simulated: the anatomy of MNI152 2009a, deformed for each patient | this course; MNI152 under its own notice: use, copy and change freely, keeping the notice | an average of 152 volunteers; no single person is in it | by simulated patient; the scanners and the lesions are planted |
# | simulated chest films (10.2) | this course | this course | nobody | shown only |
# | `heart_disease` (10.1, 10.2): 920 patients sent for coronary angiography at four hospitals, about 1981 to 1987 | UCI Machine Learning Repository, set 45 | CC BY 4.0 | names removed by the publisher; consent not documented | one row a patient; Cleveland is the source, each other hospital a target; five folds of patients within a target |
#
# - In the profile `ci` a simulated stand-in takes the place of the heart table, and says so.
# - In domain adaptation the *images* of the target may be used, its *labels* may not. They are read in three places only: by methods that say "target labels" or "target-only" in their name, by the final measurement, and once at the end of 10.4, where fifty of them choose a model, for comparison. No method that is called adapted chooses by them.

# %% tags=["parameters"]
LECTURE = "11_domain_adaptation"
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
# ## 10.1 What domain adaptation is (source and target, train and test)
#
# A network that finds lesions at the hospital where it was trained is sold to another one. There the scanner has another coil, the patients are older, and the disease is rarer. Nobody at the new hospital has labelled anything. A **domain** is a distribution $p(x, y)$ of images (or tables) $x$ and labels $y$. The **source** $p_s$
# has labels. The **target** $p_t$ has none, and it is where the patients are. **Unsupervised domain adaptation** trains with $(x_s, y_s)$ and $x_t$, and is tested on $(x_t, y_t)$. Ordinary train and test sets come from *one* distribution; here they don't, so a source validation score promises nothing.
#
# What can differ? Write the joint distribution in two ways, $p(x, y) = p(x)\,p(y \mid x) = p(y)\,p(x \mid y)$. Each of the three classical shifts changes one factor and keeps its partner:
#
# | Shift | Changes | Stays | At a hospital |
# |---|---|---|---|
# | covariate | $p(x)$ | $p(y \mid x)$ | other patients come: larger nodules, other ages; a darker scanner, if no information is lost |
# | label (prior) | $p(y)$ | $p(x \mid y)$ | a referral centre: the disease is more common, each sick patient looks as before |
# | concept | $p(y \mid x)$ | often $p(x)$ | a new guideline: the same nodule now gets another label |
#
# We plant each of them on a single number, a nodule's diameter $x$ in mm, so that the truth is a formula. At the source 30 % of nodules are malignant, and $x \mid y$ is normal with mean $8 + 5y$ and a standard deviation of 3 mm. Bayes' rule then gives a logistic curve:
#
# $$\log \frac{p(y = 1 \mid x)}{p(y = 0 \mid x)} = \log\frac{0.3}{0.7} + \frac{5}{9}(x - 10.5)$$
#
# **Predict before you run.** A logistic regression is trained at the source and used, unchanged, under each shift. Under which shifts are its probabilities still right? Under which does its ranking (AUC) suffer? And which shifts would you notice by looking at $x$ alone?

# %% tags=["demo"]
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel

SHIFT_PREVALENCE, SHIFT_SD = 0.3, 3.0


def shift_malignant(x: np.ndarray) -> np.ndarray:
    """The source's p(y = 1 | x) for diameters in mm."""
    return 1 / (1 + np.exp(-(np.log(SHIFT_PREVALENCE / (1 - SHIFT_PREVALENCE)) + 5 / 9 * (x - 10.5))))


def shift_people(kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(n,) diameters in mm and (n,) labels under one kind of shift."""
    y = (rng.random(n) < (0.7 if kind == "label" else SHIFT_PREVALENCE)).astype(int)
    x = rng.normal(8 + 5 * y, SHIFT_SD)
    if kind == "covariate":  # other patients; the same curve gives the labels
        x = rng.normal(13, 3.5, n)
        y = (rng.random(n) < shift_malignant(x)).astype(int)
    if kind == "concept":  # the same patients; a new guideline moves the curve by 4 mm
        y = (rng.random(n) < shift_malignant(x + 4)).astype(int)
    return x, y


shift_rng = np.random.default_rng(SEED + 101)
shift_sets = {kind: shift_people(kind, 2000, shift_rng) for kind in ("none", "covariate", "label", "concept")}
shift_x, shift_y = shift_people("none", 2000, shift_rng)
shift_model = LogisticRegression().fit(shift_x[:, None], shift_y)

# %% tags=["demo"]
def pairwise_mmd2(x: np.ndarray, y: np.ndarray, gamma: float | None = None) -> float:
    """Unbiased squared MMD of (n, d) and (m, d), kernel exp(-gamma d^2), as a signed sum over the pooled kernel matrix; gamma by the median rule."""
    both = np.concatenate([x, y])
    if gamma is None:
        few = both[np.random.default_rng(0).permutation(len(both))[:300]]
        gamma = 1 / np.median(((few[:, None] - few) ** 2).sum(-1)[np.triu_indices(len(few), 1)])
    return float(signed_sum(rbf_kernel(both, gamma=gamma), np.arange(len(both)) < len(x)))


def signed_sum(k: np.ndarray, first: np.ndarray) -> float:
    """The same from a kernel matrix and a mask of the first domain: for other masks nothing is computed anew, which makes permutation tests cheap."""
    k = k - np.diag(np.diag(k))
    n, m = first.sum(), (~first).sum()
    weight = np.where(np.equal.outer(first, first), np.where(first, 1 / (n * (n - 1)), 1 / (m * (m - 1)))[:, None], -1 / (n * m))
    return float((weight * k).sum())


print(f"{'shift':10s} {'MMD^2 of x':>11s} {'mean p':>8s} {'share ill':>10s} {'Brier':>7s} {'AUC':>6s}")
for kind, (x, y) in shift_sets.items():
    p = shift_model.predict_proba(x[:, None])[:, 1]
    gap = pairwise_mmd2(shift_sets["none"][0][:800, None] if kind != "none" else x[1000:1800, None], x[:800, None], gamma=0.02)
    print(f"{kind:10s} {gap:11.4f} {p.mean():8.2f} {y.mean():10.2f} {((p - y) ** 2).mean():7.3f} {roc_auc_score(y, p):6.3f}")

# %% tags=["demo"]
fig, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained", sharex=True)
grid = np.linspace(0, 24, 13)
for ax, kind in zip(axes, ("covariate", "label", "concept"), strict=True):
    for name, colour, marker in (("none", show.PALETTE[0], "o"), (kind, show.PALETTE[1], "s")):
        x, y = shift_sets[name]
        ax.hist(x, bins=grid, density=True, histtype="step", color=colour, linewidth=1.5, linestyle="-" if name == "none" else "--")
        ax.set_ylim(0, 0.25)
        twin = ax.twinx() if name == "none" else twin
        cell = np.digitize(x, grid)
        full = [c for c in range(1, len(grid)) if (cell == c).sum() >= 20]
        twin.plot([grid[c] - 1 for c in full], [y[cell == c].mean() for c in full], color=colour, marker=marker, markersize=5 if name == "none" else 8, fillstyle="full" if name == "none" else "none", linestyle="none", label="source (solid)" if name == "none" else "target (dashed)")
    twin.set_ylim(-0.04, 1.06)
    ax.set_title(f"{kind} shift", loc="left")
    ax.set_xlabel("diameter x, mm")
axes[0].set_ylabel("p(x), lines")
twin.set_ylabel("share malignant at x, markers")
fig.axes[3].legend(loc="upper left", fontsize=8, handletextpad=0.2)  # the markers' axis of the first panel, where the corner is free
show.figure(fig, alt="Three panels. Covariate shift: the target's distribution of diameters moves right, the share of malignant nodules at each diameter stays on the source's curve. Label shift: distribution and curve both move. Concept shift: the distribution stays, the curve moves left")

# %% [markdown]
# Three lessons stand in the table.
#
# - Under **covariate** shift the probabilities stay right: the mean prediction follows the share of malignant nodules. (This model has the right form. With a wrong one, section 10.2 has to weight.) AUC changes all the same, since other patients may be easier or harder.
# - Under **label** shift AUC stays, and the probabilities are wrong: every one of them carries the source's prevalence.
# - Under **concept** shift the MMD of $x$ is about zero. No measure and no method that sees only target *images* can notice it. Only labels can.

# %% [markdown]
# ### Measuring a shift without labels
#
# **Maximum mean discrepancy.** Take a kernel $k(a, b) = \exp(-\gamma\,\lVert a - b\rVert^2)$, a similarity between 0 and 1. If two samples come from one distribution, then points are as similar within a sample as between the samples. With $n$ source features $x_i$ and $m$ target features $z_j$ the **unbiased** estimate (Gretton and others, 2012) is
#
# $$\widehat{\mathrm{MMD}}{}^2 = \frac{1}{n(n-1)} \sum_{i \ne i'} k(x_i, x_{i'}) + \frac{1}{m(m-1)} \sum_{j \ne j'} k(z_j, z_{j'}) - \frac{2}{nm} \sum_{i, j} k(x_i, z_j)$$
#
# A point is not compared with itself. If it were, $k(x_i, x_i) = 1$ would be counted as similarity *within*, and every two samples of one hospital would look different, small samples most of all.
#
# **Proxy A-distance.** Train a classifier to tell the two domains apart, and measure its error $\epsilon$ on patients that it hasn't seen: $d_A = 2\,(1 - 2\epsilon)$. It is 0 when nobody can tell them apart, and 2 when everybody can (Ben-David and others, 2010). It is the *held-out* error: with more features than images any two groups can be
# separated on the training set.

# %% [markdown]
# ### Exercise 10.1a - the unbiased MMD
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can say whether two hospitals' features differ by more than chance*
#
# Write `squared_mmd(x, z, gamma)` by the formula above.
#
# <details><summary>Hint 1: the idea</summary>Three means of kernel values: within x, within z, between. In the first two leave out the diagonal, and divide by the number of pairs that are left.</details>
# <details><summary>Hint 2: what to call</summary><code>((a[:, None] - b[None]) ** 2).sum(-1)</code> holds all squared distances; <code>numpy.exp</code>, <code>numpy.trace</code>.</details>
# <details><summary>My value is positive for two halves of one sample</summary>Is the diagonal in the mean? Each 1 on it adds similarity that no pair has.</details>
# <details><summary>My value is sometimes negative</summary>It may be. An estimate that is right on average must often fall below a true value of 0. Don't clip it, don't take its root.</details>

# %% nbgrader={"grade": false, "grade_id": "squared-mmd", "locked": false, "schema_version": 3, "solution": true, "task": false}
def squared_mmd(x: np.ndarray, z: np.ndarray, gamma: float) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy.

    Args:
        x: (n, d) features of the source, n at least 2.
        z: (m, d) features of the target, m at least 2; m may differ from n.
        gamma: above 0; the kernel is exp(-gamma * squared Euclidean distance).

    Returns:
        The estimate; it can be negative.

    Raises:
        ValueError: fewer than two points in a domain, different d, a value that is not finite, or gamma not above 0.
    """
    ### BEGIN SOLUTION
    x, z = np.asarray(x, dtype=float), np.asarray(z, dtype=float)
    if len(x) < 2 or len(z) < 2 or x.shape[1:] != z.shape[1:] or x.ndim != 2:
        raise ValueError(f"give (n, d) and (m, d) with n and m at least 2, not {x.shape} and {z.shape}")
    if not (np.isfinite(x).all() and np.isfinite(z).all() and gamma > 0):
        raise ValueError("features must be finite and gamma above 0")

    def similar(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-gamma * ((a[:, None] - b[None]) ** 2).sum(-1))

    n, m = len(x), len(z)
    within_x = (similar(x, x).sum() - n) / (n * (n - 1))
    within_z = (similar(z, z).sum() - m) / (m * (m - 1))
    return float(within_x + within_z - 2 * similar(x, z).mean())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "squared-mmd-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# By hand: with gamma = ln 2 the kernel is 2^(-d^2). x = 0, 1 and z = 2, 3: within 1/2 and 1/2, between the mean of 2^-4, 2^-9, 2^-1, 2^-4
few_x, few_z = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
between = (2.0**-4 + 2.0**-9 + 2.0**-1 + 2.0**-4) / 4
value = float(squared_mmd(few_x.copy(), few_z.copy(), np.log(2)))
assert not np.isclose(value, 1.5 - 2 * between), "that is the biased estimate: a point must not be compared with itself"
assert not np.isclose(value, 1 - between), "the mean between the domains is taken off twice"
assert not np.isclose(value, (1 - 2 * between) ** 0.5), "that is its root: return the squared MMD"
assert not np.isclose(value, 1 - 2 * (2.0**-2 + 2.0**-3 + 2.0**-1 + 2.0**-2) / 4), "the kernel takes the squared distance, not the distance"
assert not np.isclose(value, 2 * np.exp(-1) - 2 * (2 * np.exp(-4) + np.exp(-9) + np.exp(-1)) / 4), "gamma does not enter your kernel"
assert np.isclose(value, 1 - 2 * between, atol=1e-4), f"expected {1 - 2 * between:.4f}, got {value:.4f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1011)
for n, m, d, g in ((5, 9, 3, 0.2), (12, 4, 1, 1.5), (7, 7, 8, 0.05)):
    a, b = rng.normal(size=(n, d)), rng.normal(0.5, 1.4, (m, d))
    k = [[np.mean([np.exp(-g * ((u[i] - w[j]) ** 2).sum()) for i in range(len(u)) for j in range(len(w)) if u is not w or i != j]) for w in (a, b)] for u in (a, b)]
    truth = k[0][0] + k[1][1] - 2 * k[0][1]
    assert np.isclose(float(squared_mmd(a, b, g)), truth, atol=1e-4), f"for {n} source and {m} target points of {d} features the value is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "squared-mmd-unbiased", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One hospital against itself, 300 times, six patients each: the mean must be 0 within chance, so some values are negative
rng = np.random.default_rng(1012)
same = np.array([float(squared_mmd(rng.normal(size=(6, 2)), rng.normal(size=(6, 2)), 0.5)) for _ in range(300)])
assert same.min() < 0, "never below 0: the true value is 0 here, so an unbiased estimate must fall below it at times. Is it clipped, a root, or the biased one?"
assert abs(same.mean()) < 4 * same.std() / 300**0.5, f"on average {same.mean():.3f} where the truth is 0: your estimate is biased"
### BEGIN HIDDEN TESTS
same = np.array([float(squared_mmd(rng.normal(size=(3, 4)), rng.normal(size=(11, 4)), 0.2)) for _ in range(400)])
assert abs(same.mean()) < 4 * same.std() / 400**0.5 and same.min() < 0, "with 3 and 11 patients of one hospital the mean is not 0: each domain has its own number of pairs"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "squared-mmd-shift", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# It must see a shift, a wider spread with the same mean, too; and source and target may change places
rng = np.random.default_rng(1013)
a, wide, moved = rng.normal(size=(80, 2)), rng.normal(0, 3, (60, 2)), rng.normal(2, 1, (60, 2))
assert float(squared_mmd(a, moved, 0.5)) > 0.2, "a shift of the mean by two standard deviations should show"
assert float(squared_mmd(a, wide, 0.5)) > 0.05, "the same mean with three times the spread is another distribution: it should show, too"
### BEGIN HIDDEN TESTS
assert np.isclose(float(squared_mmd(a, moved, 0.5)), float(squared_mmd(moved, a, 0.5))), "the MMD does not know which domain is the source"
assert np.isclose(float(squared_mmd(a + 100, moved + 100, 0.5)), float(squared_mmd(a, moved, 0.5))), "moving both domains together must change nothing"
assert abs(float(squared_mmd(a, moved[::-1].copy(), 0.5)) - float(squared_mmd(a, moved, 0.5))) < 1e-9, "the order of the patients must not matter"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "squared-mmd-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: one patient has no other patient to be compared with
assert np.isfinite(float(squared_mmd(np.eye(3), np.ones((2, 3)), 1.0))), "good features should still give a number"
try:
    squared_mmd(np.ones((1, 3)), np.ones((4, 3)), 1.0)
except ValueError:
    pass
else:
    raise AssertionError("one point has no pair: raise a ValueError")
### BEGIN HIDDEN TESTS
for bad_x, bad_z, bad_gamma in ((np.ones((3, 2)), np.ones((3, 4)), 1.0), (np.ones((3, 2)), np.full((3, 2), np.nan), 1.0), (np.ones((3, 2)), np.ones((3, 2)), 0.0), (np.ones((3, 2)), np.ones((1, 2)), 1.0)):
    try:
        squared_mmd(bad_x, bad_z, bad_gamma)
    except ValueError:
        continue
    raise AssertionError("different numbers of features, a nan, gamma = 0 or a single target point must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 10.1b - an A-distance from patients who were not trained on
#
# Difficulty 4 of 5 - 5 points - about 30 minutes - *after it you can't be fooled by a domain classifier that learned its patients by heart*
#
# Write `proxy_a_distance(source, target, source_patients, target_patients, folds)`. Train a **linear** classifier that tells the domains apart (logistic regression on standardised features), with cross-validation in `folds` parts **by patient**: all images of a patient are held out together. Take the error in each domain by itself, and $\epsilon$ as the mean of the two,
# so that a large hospital doesn't outvote a small one. Return $\max(0,\ 2(1 - 2\epsilon))$.
#
# Patient 7 of one hospital is not patient 7 of the other.
#
# <details><summary>Hint 1: the idea</summary>A held-out prediction for each image, made by a classifier that never saw its patient; then two error rates, their mean, the formula.</details>
# <details><summary>Hint 2: what to call</summary><code>sklearn.model_selection.cross_val_predict(model, X, domain, groups=..., cv=StratifiedGroupKFold(folds))</code> with <code>make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))</code>.</details>
# <details><summary>My distance is 2 for two halves of one hospital</summary>Either it is the training error, or images of a patient stand on both sides: then the classifier recognises the patient.</details>
# <details><summary>My distance grows when one hospital sends more images</summary>A classifier that always says "the large one" has a small plain error. Average the errors of the two domains, and weight the classes.</details>

# %% nbgrader={"grade": false, "grade_id": "proxy-a-distance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def proxy_a_distance(source: np.ndarray, target: np.ndarray, source_patients: np.ndarray, target_patients: np.ndarray, folds: int = 5) -> float:
    """Proxy A-distance between two domains, from held-out patients.

    Args:
        source, target: (n, d) and (m, d) features, one row an image.
        source_patients, target_patients: (n,) and (m,) whose image each row is; the same id in both domains means two people.
        folds: number of parts of the cross-validation, at least 2; each domain has at least as many patients.

    Returns:
        max(0, 2 (1 - 2 error)), with the mean of both domains' held-out error rates; from 0 to 2.

    Raises:
        ValueError: a feature is not finite, rows and patients differ in number, or a domain has fewer patients than folds.
    """
    ### BEGIN SOLUTION
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, domain = np.concatenate([source, target]), np.repeat([0, 1], [len(source), len(target)])
    if not np.isfinite(rows).all():
        raise ValueError("a feature is not finite")
    if len(source_patients) != len(source) or len(target_patients) != len(target):
        raise ValueError("each row needs its patient")
    first, second = (np.unique(ids, return_inverse=True)[1] for ids in (source_patients, target_patients))
    if min(first.max(), second.max()) + 1 < folds:
        raise ValueError(f"a domain has fewer than {folds} patients")
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    said = cross_val_predict(model, rows, domain, groups=np.concatenate([first, second + first.max() + 1]), cv=parts)
    error = ((said[domain == 0] == 1).mean() + (said[domain == 1] == 0).mean()) / 2
    return float(max(0.0, 2 * (1 - 2 * error)))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "proxy-a-distance-formula", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Two hospitals with a known overlap: normal features a little more than one standard deviation apart, so 30 % can't be told: 2 (1 - 2 x 0.3) = 0.8
rng = np.random.default_rng(1014)
near, far = rng.normal(-0.5244, 1, (500, 1)), rng.normal(0.5244, 1, (500, 1))
value = float(proxy_a_distance(near, far, np.arange(500), np.arange(500), 5))
assert not abs(value - 1.4) < 0.15, "about 1.4 is 2 (1 - error): the error is taken off twice"
assert not abs(value - 0.4) < 0.15, "about 0.4 is 1 - 2 error: the factor of 2 in front is missing"
assert not abs(value - 0.6) < 0.1, "about 0.6 is twice the error: 0 must mean that nobody can tell"
assert value < 1.6, f"{value:.2f}, though 30 % can't be told: your classifier has learned each image by heart (a nearest neighbour, its training error?). Take a linear one, and its error on patients held out"
assert abs(value - 0.8) < 0.17, f"expected about 0.8, got {value:.2f}"
# One mean, two spreads: the MMD of 10.1a sees it, a straight line between the domains can't
value = float(proxy_a_distance(rng.normal(size=(200, 2)), rng.normal(0, 3, (200, 2)), np.arange(200), np.arange(200), 5))
assert value < 0.7, f"{value:.2f} for domains with one mean and two spreads: no linear classifier tells them apart. Is yours made of neighbours, trees, a kernel?"
### BEGIN HIDDEN TESTS
assert float(proxy_a_distance(near - 30, far, np.arange(500), np.arange(500), 5)) > 1.95, "domains far apart have a distance of 2"
assert abs(float(proxy_a_distance(1000 * near + 5, 1000 * far + 5, np.arange(500), np.arange(500), 5)) - 0.8) < 0.17, "units must not matter: standardise"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "proxy-a-distance-held-out", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One hospital in two halves, 60 patients each, 200 features: a linear classifier separates them on the training set without error
rng = np.random.default_rng(1015)
value = float(proxy_a_distance(rng.normal(size=(60, 200)), rng.normal(size=(60, 200)), np.arange(60), np.arange(60), 5))
assert value < 0.8, f"{value:.2f} for two halves of one hospital: is that the training error? Hold patients out"
assert value >= 0, "below 0: an error above one half means that nothing was found. Return 0"
# The same forty people at both hospitals, in another order: whoever learned a person by heart at one is wrong about her at the other
twins = rng.normal(size=(40, 100))
value = float(proxy_a_distance(twins, twins[rng.permutation(40)], np.arange(40), np.arange(40), 5))
assert value < 0.5, f"{value:.2f} for the same people at both hospitals: held-out errors lie far above one half here, and such a distance counts as 0. Don't take the absolute value, or the smaller of error and 1 - error"
### BEGIN HIDDEN TESTS
values = [float(proxy_a_distance(*rng.normal(size=(2, 20, 30)), np.arange(20), np.arange(20), 4)) for _ in range(12)]
assert np.mean(values) < 0.6, "small halves of one hospital look different on average: hold patients out"
assert min(values) >= 0, "an error above one half means that nothing was found: return 0, not a negative distance"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "proxy-a-distance-patients", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One hospital again, 30 patients in each half, 8 slices each. Slices of a patient are alike
rng = np.random.default_rng(1016)
people = np.repeat(np.arange(30), 8)
slices = [rng.normal(size=(30, 40))[people] + 0.05 * rng.normal(size=(240, 40)) for _ in range(2)]
order = rng.permutation(240)
value = float(proxy_a_distance(slices[0][order], slices[1][order], people[order], people[order], 5))
assert value < 1.1, f"{value:.2f} for two halves of one hospital: slices of a patient stand in training and test, so the classifier knows the patient. Split by patient"
### BEGIN HIDDEN TESTS
people = np.repeat(np.arange(24), 10)
values = []
for _ in range(5):
    one, two = (rng.normal(size=(24, 30))[people] + 0.05 * rng.normal(size=(240, 30)) for _ in range(2))
    values.append(float(proxy_a_distance(one, two, people, people + 1000, 4)))
assert np.mean(values) < 0.8, "with ten slices a patient the distance of a hospital from itself is large: split by patient"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "proxy-a-distance-sizes", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A large and a small half of one hospital: 300 and 40 patients. Who always says "the large one" errs in 12 % only, and has learned nothing
rng = np.random.default_rng(1017)
value = float(proxy_a_distance(rng.normal(size=(300, 3)), rng.normal(size=(40, 3)), np.arange(300), np.arange(40), 5))
assert value < 0.7, f"{value:.2f}, though both come from one hospital: take the error in each domain, then their mean"
### BEGIN HIDDEN TESTS
values = [float(proxy_a_distance(rng.normal(size=(25, 2)), rng.normal(size=(200, 2)), np.arange(25), np.arange(200), 5)) for _ in range(4)]
assert np.mean(values) < 0.6, "a small source and a large target of one hospital look different: average the two domains' errors"
shifted = float(proxy_a_distance(rng.normal(-1, 1, (40, 1)), rng.normal(1, 1, (400, 1)), np.arange(40), np.arange(400), 5))
assert abs(shifted - 2 * (1 - 2 * 0.1587)) < 0.4, "a small hospital two standard deviations away: about 1.37. Weight the classes, or the small one is never called"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "proxy-a-distance-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: three patients can't fill five folds, however many slices they have
assert 0 <= float(proxy_a_distance(np.zeros((20, 2)) + np.arange(20)[:, None], np.ones((20, 2)), np.arange(20), np.arange(20), 5)) <= 2, "good input should still give a distance from 0 to 2"
try:
    proxy_a_distance(np.ones((30, 2)), np.ones((30, 2)), np.repeat(np.arange(3), 10), np.arange(30), 5)
except ValueError:
    pass
else:
    raise AssertionError("three source patients for five folds: raise a ValueError")
### BEGIN HIDDEN TESTS
for bad in ((np.full((30, 2), np.nan), np.ones((30, 2)), np.arange(30), np.arange(30)), (np.ones((30, 2)), np.ones((30, 2)), np.arange(29), np.arange(30)), (np.ones((30, 2)), np.ones((30, 2)), np.arange(30), np.zeros(30))):
    try:
        proxy_a_distance(*bad, 5)
    except ValueError:
        continue
    raise AssertionError("a nan, a row without a patient, or a single target patient must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### A scanner shift with a known cause
#
# Now images. We simulate people once, and scan them twice. The source, `SCANNER_A`, and the target, `SCANNER_B`, differ in what really differs between scanners: gain, intensity curve, sharpness, the coil's field, noise. The task is to say whether a slice holds a lesion. Source and target test sets show *the same people*, so whatever a network loses
# between them is the scanner's doing, and nothing else.

# %% tags=["demo"]
import functools
from dataclasses import dataclass

from scipy import ndimage

SIZE, SPACING = 40, 5.0  # pixels a side, mm a pixel


@dataclass(frozen=True)
class Scanner:
    """What two scanners do differently; everything else of a patient is the same."""

    gain: float  # brightness of healthy white matter, arbitrary units
    gamma: float  # exponent of the intensity curve; 1 is linear
    blur: float  # sd of the point-spread function, pixels
    bias: float  # peak to peak of the coil's smooth field, as a share
    noise: float  # sigma of the Rician noise, in the units of the gain


SCANNER_A = Scanner(gain=1.0, gamma=1.0, blur=0.0, bias=0.2, noise=0.08)  # the source
SCANNER_B = Scanner(gain=0.75, gamma=1.5, blur=0.9, bias=0.3, noise=0.06)  # the target


@functools.cache  # two scanners ask for the same people
def clean_patient(number: int, sick: bool) -> np.ndarray:
    """(SIZE, SIZE) a FLAIR slice before any scanner, white matter about 1; a sick patient has one or two bright lesions in it, some of them faint."""
    rng = np.random.default_rng([number, 11])
    head = simulate.brain_slice("flair", size=SIZE, spacing=SPACING, height=float(rng.integers(18, 29)), noise=0.0, seed=number)
    places = np.argwhere(ndimage.binary_erosion(head.tissue == 3))
    lesion = np.zeros((SIZE, SIZE))
    for _ in range(rng.integers(1, 3) if sick else 0):
        distance = np.hypot(*(np.indices((SIZE, SIZE)) - places[rng.integers(len(places))][:, None, None]))
        lesion = np.maximum(lesion, rng.uniform(0.3, 0.9) * np.exp(-(distance**2) / (2 * rng.uniform(1.0, 1.8) ** 2)))
    return head.image / np.median(head.image[head.tissue == 3]) + lesion * (head.tissue >= 2)


def acquire(clean: np.ndarray, scanner: Scanner, number: int) -> np.ndarray:
    """(SIZE, SIZE) float32: coil, point spread, intensity curve, noise - in this order, as in a scanner."""
    rng = np.random.default_rng([number, 12])
    wave = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), SIZE / 4)
    seen = clean * (1 + scanner.bias * (wave - wave.mean()) / np.ptp(wave))
    seen = ndimage.gaussian_filter(seen, scanner.blur) if scanner.blur else seen
    seen = scanner.gain * np.clip(seen, 0, None) ** scanner.gamma
    noise = scanner.noise * rng.standard_normal((2, SIZE, SIZE))
    return np.hypot(seen + noise[0], noise[1]).astype(np.float32)

# %% tags=["demo"]
@dataclass(frozen=True)
class Site:
    """Slices of one scanner, one a patient."""

    images: torch.Tensor  # (N, 1, SIZE, SIZE) float32, arbitrary units
    labels: torch.Tensor  # (N,) int64, 1 = a lesion was planted
    patients: np.ndarray  # (N,) int, the simulator's number of each patient


def imaged(first: int, count: int, scanner: Scanner, share: float = 0.5) -> Site:
    """`count` patients from number `first` on, seen by one scanner; a share of them, spread evenly, has a lesion."""
    numbers = np.arange(first, first + count)
    sick = np.floor((np.arange(count) + 1) * share) > np.floor(np.arange(count) * share)
    images = np.stack([acquire(clean_patient(int(n), bool(s)), scanner, int(n)) for n, s in zip(numbers, sick, strict=True)])
    return Site(torch.from_numpy(images)[:, None], torch.from_numpy(sick.astype(np.int64)), numbers)


n_train, n_val, n_test = run.pick(ci=(320, 120, 300), laptop=(600, 200, 600))
study = {
    "source train": imaged(0, n_train, SCANNER_A),
    "source val": imaged(10_000, n_val, SCANNER_A),
    "target train": imaged(20_000, n_train, SCANNER_B),  # its labels are read by "target labels", "target-only", and by the fifty that choose at the end of 10.4
    "target test": imaged(30_000, n_test, SCANNER_B),
    "source test": imaged(30_000, n_test, SCANNER_A),  # the same patients, seen by the other scanner
}
whose = [set(site.patients) for name, site in study.items() if name != "source test"]
assert len(set().union(*whose)) == sum(len(one) for one in whose), "no patient may be in two splits"

# %% tags=["demo"]
import copy

import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn


class LesionNet(nn.Module):
    """Slice (B, 1, H, W) -> logit (B,). `body` gives the features (B, 16), `head` is linear."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [[nn.Conv2d(a, b, 3, s, 1), nn.BatchNorm2d(b), nn.ReLU()] for a, b, s in ((1, 8, 2), (8, 16, 2), (16, 16, 1))]
        self.body = nn.Sequential(*sum(blocks, []), nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.head = nn.Linear(16, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))[:, 0]

# %% tags=["demo"]
TRAINING_STEPS = run.pick(ci=110, laptop=300)


def fit_net(images: torch.Tensor, labels: torch.Tensor, seed: int, weights: torch.Tensor | None = None, steps: int = TRAINING_STEPS, start: LesionNet | None = None) -> LesionNet:
    """AdamW with a one-cycle schedule and left-right flips; the last weights are taken. `weights` (N,) multiply each patient's loss; `start`: go on from a copy of this network, with smaller steps."""
    torch.manual_seed(seed)
    rng, net, lr = torch.Generator().manual_seed(seed), LesionNet() if start is None else copy.deepcopy(start).train(), 1e-2 if start is None else 3e-3
    weights = torch.ones(len(images)) if weights is None else weights
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(0, len(images), (32,), generator=rng)
        x = images[rows].flip(-1) if torch.rand(1, generator=rng) < 0.5 else images[rows]
        loss = (weights[rows] * F.binary_cross_entropy_with_logits(net(x), labels[rows].float(), reduction="none")).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def logits_of(net: nn.Module, images: torch.Tensor) -> np.ndarray:
    """(N, 1, H, W) -> (N,) logits; features with `logits_of(net.body, images)`, (N, 16)."""
    return torch.cat([net(part) for part in images.split(250)]).numpy()


def scores(labels: torch.Tensor, logits: np.ndarray) -> dict[str, float]:
    """AUC, and balanced accuracy at a probability of one half (logit 0)."""
    truth, said = np.asarray(labels), np.asarray(logits) > 0
    return {"AUC": float(roc_auc_score(truth, logits)), "balanced accuracy": float((said[truth == 1].mean() + (~said[truth == 0]).mean()) / 2)}
# %% [markdown]
# **Predict before you run.** A small network is trained on scanner A, and reaches a good AUC on new people of scanner A. What remains of it when the same people are scanned by B: nearly all, half of the way to a coin, nothing? And its balanced accuracy at the threshold of one half?

# %% tags=["demo"]
source_net = fit_net(study["source train"].images, study["source train"].labels, SEED)
fig, axes = plt.subplots(2, 6, figsize=(10, 3.7), layout="constrained")
for line, name in zip(axes, ("source test", "target test"), strict=True):
    for number, ax in enumerate(line):
        ax.imshow(study[name].images[number, 0], vmin=0, vmax=1.4)
        ax.set_axis_off()
        ax.set_title(("lesion" if study[name].labels[number] else "healthy") if name == "source test" else "", fontsize=9)
    line[0].text(-3, 20, "scanner A" if name == "source test" else "scanner B", rotation=90, va="center", ha="right")
show.figure(fig, alt="Six people, each scanned twice. Upper row, scanner A: bright, sharp, noisy. Lower row, scanner B: the same anatomy, darker, blurred and with stronger shading")
net_before = {name: scores(study[name].labels, logits_of(source_net, study[name].images)) for name in ("source test", "target test")}
for name, figures in net_before.items():
    print(f"{name}: AUC {figures['AUC']:.3f}, balanced accuracy {figures['balanced accuracy']:.3f}")
assert net_before["source test"]["AUC"] > 0.75, "the network did not learn the source"

# %% [markdown]
# ### How far apart are the scanners, and is that more than chance?
#
# A number such as 0.05 for $\mathrm{MMD}^2$ tells little by itself. A **permutation test** gives it a scale: put all patients together, call random halves "source" and "target" many times, and see how large the MMD becomes when there is nothing to find. We do so for two pairs: source validation against source test (other people, same scanner: the answer should be "no shift"), and
# source validation against target test. The features are the 16 of the network.

# %% tags=["demo"]
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

deep = {name: logits_of(source_net.body, site.images) for name, site in study.items()}


def permutation_p(x: np.ndarray, z: np.ndarray, draws: int = 200) -> tuple[float, float, np.ndarray]:
    """MMD^2, its p-value, and its values (draws,) with shuffled domains."""
    both = StandardScaler().fit_transform(np.concatenate([x, z]))
    kernel, first = rbf_kernel(both, gamma=1 / (2 * both.shape[1])), np.arange(len(both)) < len(x)
    rng, seen = np.random.default_rng(0), signed_sum(kernel, first)
    shuffled = np.array([signed_sum(kernel, rng.permutation(first)) for _ in range(draws)])
    return seen, (1 + (shuffled >= seen).sum()) / (1 + draws), shuffled


def held_out_domain_error(x: np.ndarray, z: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """(training, held-out) error of a linear domain classifier, one row a patient; both domains weigh the same. One half trains, one half tests."""
    rows, domain = np.concatenate([x, z]), np.repeat([0, 1], [len(x), len(z)])
    learn, test = train_test_split(np.arange(len(rows)), test_size=0.5, stratify=domain, random_state=seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e3, class_weight="balanced", max_iter=3000)).fit(rows[learn], domain[learn])
    return tuple(float(np.mean([(model.predict(rows[part][domain[part] == d]) != d).mean() for d in (0, 1)])) for part in (learn, test))


fig, axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
shift_measured = {}
for ax, other in zip(axes, ("source test", "target test"), strict=True):
    seen, p, shuffled = permutation_p(deep["source val"][:120], deep[other][:150])
    errors = np.mean([held_out_domain_error(deep["source val"], deep[other][: len(deep["source val"])], s) for s in range(5)], axis=0)
    shift_measured[other] = (seen, p, 2 * (1 - 2 * errors[1]))
    ax.hist(shuffled, bins=20, color=show.PALETTE[0])
    ax.axvline(seen, color=show.PALETTE[1], linestyle="--")
    ax.set_title(f"source val against {other}", loc="left", fontsize=10)
    ax.locator_params(axis="x", nbins=4)
    ax.set_xlabel("MMD$^2$: bars shuffled, dashed line as measured")
    ax.set_ylabel("shuffles")
    print(f"{other}: MMD^2 {seen:+.4f}, p = {p:.3f}; A-distance {2 * (1 - 2 * errors[0]):.2f} from training errors, {max(0, 2 * (1 - 2 * errors[1])):.2f} from held-out errors")
show.figure(fig, alt="Two histograms of shuffled MMD values with the measured one as a dashed line: inside the histogram for new people of the same scanner, far to the right of it for the other scanner")
assert shift_measured["target test"][1] < 0.01 and shift_measured["target test"][2] > 1, "the scanner shift should be plain"
assert shift_measured["source test"][2] < 0.6, "two groups of one scanner should look alike"

# %% [markdown]
# For new people of the same scanner the A-distance from *training* errors is already well above 0; that is 16 features and a few dozen people, not a shift. The held-out one is small. For scanner B both are large.
#
# Remember what such a number does *not* say. A large distance in a direction that the classifier doesn't use costs nothing; a tiny one along its weights can cost everything; and a concept shift has no distance at all.
#
# ### Label shift: how common is the disease over there?
#
# If $p(x \mid y)$ stays, one number describes the whole shift: the target's prevalence $\pi_t$. It can be had without one target label. On held-out source patients measure the sensitivity (TPR) and the false-positive rate (FPR) of any classifier. They depend on $x \mid y$ only, so they hold at the target, and the share of *calls* there must be
#
# $$q_t = \pi_t\,\mathrm{TPR} + (1 - \pi_t)\,\mathrm{FPR}$$
#
# Solve for $\pi_t$. Epidemiologists know this as the estimate of Rogan and Gladen (1978), machine learners as black-box shift estimation (Lipton and others, 2018). With $\pi_t$ in hand a probability $p$ is corrected by Bayes' rule: its odds are multiplied by $\frac{\pi_t}{1 - \pi_t} \big/ \frac{\pi_s}{1 - \pi_s}$.

# %% [markdown]
# ### Exercise 10.1c - prevalence at a hospital without labels
#
# Difficulty 2 of 5 - 4 points - about 15 minutes - *after it you can tell a clinic how many of its patients are ill, with a classifier that is wrong every fifth time*
#
# Write `target_prevalence(source_labels, source_calls, target_calls)`. Sampling noise may push the solution a little below 0 or above 1: clip it.
#
# <details><summary>Hint 1: the idea</summary>The share of calls is a mixture of TPR and FPR. Which mixture gives the share that is seen?</details>
# <details><summary>Hint 2: what to call</summary><code>source_calls[source_labels == 1].mean()</code>; <code>numpy.clip</code>.</details>
# <details><summary>I get the share of calls</summary>That would be right for a perfect classifier. At a prevalence of 0 it still calls FPR of the patients.</details>
# <details><summary>My value changes when the source gets more sick patients</summary>It must not: TPR is taken among the sick, FPR among the healthy, and the source's prevalence cancels.</details>

# %% nbgrader={"grade": false, "grade_id": "target-prevalence", "locked": false, "schema_version": 3, "solution": true, "task": false}
def target_prevalence(source_labels: np.ndarray, source_calls: np.ndarray, target_calls: np.ndarray) -> float:
    """Prevalence at the target under label shift, from a classifier's calls.

    Args:
        source_labels: (n,) 0 or 1, truth of held-out source patients.
        source_calls: (n,) 0 or 1, what the classifier calls them.
        target_calls: (m,) 0 or 1, what it calls the target's patients.

    Returns:
        The prevalence at which the target's share of calls is as seen, clipped to 0 to 1.

    Raises:
        ValueError: no target patient, only one class at the source, or a TPR not above the FPR (such calls carry no information).
    """
    ### BEGIN SOLUTION
    sick, calls = np.asarray(source_labels) == 1, np.asarray(source_calls, dtype=float)
    if len(target_calls) == 0 or sick.all() or not sick.any():
        raise ValueError("give target patients, and both classes at the source")
    tpr, fpr = calls[sick].mean(), calls[~sick].mean()
    if tpr <= fpr:
        raise ValueError(f"a TPR of {tpr:.2f} at an FPR of {fpr:.2f}: the calls carry no information")
    return float(np.clip((np.mean(target_calls) - fpr) / (tpr - fpr), 0, 1))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "target-prevalence-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# By hand: TPR 0.8, FPR 0.1, and 38 of 100 target patients are called: 0.8 pi + 0.1 (1 - pi) = 0.38 gives pi = 0.4
truth = np.repeat([1, 0], [10, 20])
said = np.r_[np.ones(8), np.zeros(2), np.ones(2), np.zeros(18)].astype(int)
called = (np.arange(100) < 38).astype(int)
value = float(target_prevalence(truth.copy(), said.copy(), called.copy()))
assert not np.isclose(value, 0.38), "0.38 is the share of calls: the classifier misses some of the sick and calls some of the healthy"
assert not np.isclose(value, 0.38 / 0.8), "you divide by the TPR: the calls of healthy patients must be taken off, too"
assert not np.isclose(value, 1 / 3), "1/3 is the source's prevalence: the target's is asked for"
assert not np.isclose(value, 0.28 / 0.8), "take the FPR off the share and divide by TPR - FPR, not by the TPR"
assert np.isclose(value, 0.4), f"expected 0.4, got {value:.3f}"
### BEGIN HIDDEN TESTS
for tpr, fpr, pi in ((0.9, 0.2, 0.05), (0.6, 0.3, 0.7), (1.0, 0.0, 0.25)):
    truth, said = np.repeat([1, 0], [10, 10]), np.r_[np.arange(10) < round(10 * tpr), np.arange(10) < round(10 * fpr)].astype(int)
    share = round(2000 * (pi * tpr + (1 - pi) * fpr))
    assert np.isclose(float(target_prevalence(truth, said, (np.arange(2000) < share).astype(int))), pi, atol=2e-3), f"TPR {tpr}, FPR {fpr}: a prevalence of {pi} is not found"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "target-prevalence-source", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The source's own prevalence must not matter: with ten times the healthy patients (same FPR) the answer stays
truth = np.repeat([1, 0], [10, 20])
said = np.r_[np.ones(8), np.zeros(2), np.ones(2), np.zeros(18)].astype(int)
many_truth, many_said = np.r_[truth, np.zeros(180, int)], np.r_[said, np.arange(180) < 18].astype(int)
called = (np.arange(100) < 38).astype(int)
value = float(target_prevalence(many_truth, many_said, called))
assert np.isclose(value, 0.4), f"{value:.3f} instead of 0.4: take the TPR among the sick and the FPR among the healthy, not shares of all source patients"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1018)
order = rng.permutation(len(many_truth))
assert np.isclose(float(target_prevalence(many_truth[order], many_said[order], called)), 0.4), "the order of the patients must not matter"
assert np.isclose(float(target_prevalence(many_truth, many_said.astype(bool), called.astype(bool))), 0.4), "calls may be boolean"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "target-prevalence-clip", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Small hospitals: 5 % are called where even healthy people are called in 10 %, and 90 % where sick ones are called in 80 %
truth = np.repeat([1, 0], [10, 20])
said = np.r_[np.ones(8), np.zeros(2), np.ones(2), np.zeros(18)].astype(int)
low = float(target_prevalence(truth, said, (np.arange(100) < 5).astype(int)))
high = float(target_prevalence(truth, said, (np.arange(100) < 90).astype(int)))
assert low >= 0 and high <= 1, f"a prevalence of {low:.2f} or {high:.2f} is none: clip to 0 to 1"
assert np.isclose(low, 0) and np.isclose(high, 1), f"expected 0 and 1, got {low:.2f} and {high:.2f}"
### BEGIN HIDDEN TESTS
assert np.isclose(float(target_prevalence(truth, said, (np.arange(100) < 10).astype(int))), 0, atol=1e-5), "a share of calls equal to the FPR means nobody is ill"
assert np.isclose(float(target_prevalence(truth, said, (np.arange(100) < 80).astype(int))), 1, atol=1e-5), "a share of calls equal to the TPR means all are ill"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "target-prevalence-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: a classifier that calls sick and healthy alike says nothing about the prevalence
assert np.isclose(float(target_prevalence(np.array([1, 0]), np.array([1, 0]), np.array([1, 0, 0, 0]))), 0.25), "a perfect classifier: the share of calls is the prevalence"
try:
    target_prevalence(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0]), np.array([1, 0]))
except ValueError:
    pass
else:
    raise AssertionError("TPR = FPR: raise a ValueError, a division by 0 is no prevalence")
### BEGIN HIDDEN TESTS
for bad in (([1, 1], [1, 0], [1, 0]), ([0, 0], [1, 0], [1, 0]), ([1, 0], [1, 0], []), ([1, 0], [0, 1], [1, 0])):
    try:
        target_prevalence(*(np.array(one, dtype=int) for one in bad))
    except ValueError:
        continue
    raise AssertionError("one class only, no target patient, or calls that point the wrong way must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** Two hospitals have an $\mathrm{MMD}^2$ of 0.000 (p = 0.6) between their images, and a model from one performs badly at the other. Name two explanations, and the cheapest measurement that tells them apart.
#
# <details><summary>Answer</summary>A concept shift: the label means something else there (another guideline, another reader, another follow-up). Or the features in which the MMD was taken, or its kernel width, are blind to a difference that the model does use. Let one reader label fifty images of both hospitals, mixed and blinded: if she disagrees with the target's labels more often than
# with the source's, it is the concept; if she agrees with both, measure the MMD in the model's own features.</details>

# %% [markdown]
# ## 10.2 Shallow domain adaptation
#
# "Shallow" methods leave the network alone. They change what goes in (grey values), how much each source patient counts (weights), or how features are turned before a linear classifier sees them. They are old, take a second, and are the baseline that every deep method has to beat. Each of them believes something about the shift. We say what, and show a case where it is false.
#
# ### Grey values: histogram matching
#
# Scanner B's intensity curve turns each grey value into another one, but keeps their order: what was brighter stays brighter. **Histogram matching** undoes any such monotone curve without knowing it. Let $F(v)$ be the share of the image's pixels at or below $v$, and $G$ the same for the reference. The value $v$ becomes $G^{-1}(F(v))$: the darkest tenth gets the reference's darkest tenth. Nyúl and Udupa (1999)
# brought this to MR, where intensities have no unit: they match a few quantiles, and draw straight lines between them.
#
# What it believes: *the two images hold the same amount of everything*. Between healthy heads of one kind that is nearly so. If one hospital has more disease that changes many pixels, it isn't.
#
# **Predict before you run.** First, target slices are matched to scanner A's grey values, and shown to the network from above, which has not changed. Does it recover all, or some, of what it lost? Then the lungs on chest films of a hospital where three of five have pneumonia (white lungs) are matched to the lungs of a healthy hospital, as a group and film by film. What happens to the pneumonia? And to the healthy people's lungs?

# %% tags=["demo"]
from skimage.exposure import match_histograms


def match_to_pool(images, pool):
    """(N, ...) images, each with its grey values matched to those of all images of `pool` together; arrays or tensors, the kind is kept."""
    reference = np.sort(np.asarray(pool).ravel())
    reference = reference[:: max(1, len(reference) // 20_000)][None]  # 20,000 quantiles of the pool are plenty
    matched = np.stack([match_histograms(np.asarray(one).reshape(1, -1), reference).reshape(one.shape) for one in images]).astype(np.float32)
    return torch.from_numpy(matched) if torch.is_tensor(images) else matched


matched_test = match_to_pool(study["target test"].images, study["source train"].images)
matched_figures = scores(study["target test"].labels, logits_of(source_net, matched_test))
for name, figures in {**net_before, "target test, matched": matched_figures}.items():
    print(f"{name:22s} AUC {figures['AUC']:.3f}, balanced accuracy {figures['balanced accuracy']:.3f}")
fig, axes = plt.subplots(1, 4, figsize=(10, 2.7), layout="constrained", width_ratios=[1, 1, 1, 1.5])
for ax, image, title in zip(axes, (study["target test"].images[1, 0], matched_test[1, 0], study["source test"].images[1, 0]), ("scanner B", "B, matched to A", "scanner A (truth)"), strict=False):
    ax.imshow(image, vmin=0, vmax=1.4)
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
for name, images, colour, style, width in (("A", study["source test"].images, "0.75", "-", 4), ("B", study["target test"].images, show.PALETTE[1], "--", 1.6), ("B matched", matched_test, "black", ":", 1.6)):
    axes[3].hist(np.asarray(images).ravel(), bins=60, range=(0, 1.6), histtype="step", density=True, color=colour, linestyle=style, label=name, linewidth=width)
axes[3].set_ylim(0, 4)
axes[3].set(xlabel="grey value", ylabel="density")
axes[3].legend()
show.figure(fig, alt="A slice of scanner B, the same matched to scanner A's grey values, and the same patient on scanner A; beside them the histograms: that of B lies to the left, the matched one lies on that of A")

# %% tags=["demo"]
def film(seed: int, white: float) -> tuple[np.ndarray, np.ndarray]:
    """A simulated chest film and its lungs; `white` is the share of the way from air to soft tissue that pneumonia fills both lungs."""
    taken = simulate.radiograph(spacing=6.0, photons=2e5, seed=seed)
    tissue = np.median(taken.image[~taken.lungs & (taken.image > 0.2)])
    fluid = white * (0.7 + 0.3 * np.random.default_rng(seed).random(taken.image.shape))
    return np.where(taken.lungs, taken.image + fluid * (tissue - taken.image), taken.image), taken.lungs


def match_lungs(values: np.ndarray) -> np.ndarray:
    """Grey values of lungs, matched to the lungs of the healthy hospital."""
    return match_histograms(values[None], healthy_pool[None])[0]


healthy_pool = np.concatenate([image[lungs] for image, lungs in (film(seed, 0.0) for seed in range(1, 5))])
film_white = [0.0, 0.0, 0.5, 0.5, 0.5]  # a hospital where three of five have pneumonia
films = [film(seed, white) for seed, white in enumerate(film_white, start=11)]
film_lungs = {"as taken": [image[lungs] for image, lungs in films]}
cuts = np.cumsum([len(values) for values in film_lungs["as taken"]])[:-1]
film_lungs["matched as a group"] = np.split(match_lungs(np.concatenate(film_lungs["as taken"])), cuts)
film_lungs["matched film by film"] = [match_lungs(values) for values in film_lungs["as taken"]]
film_contrast = {}
for name, lungs in film_lungs.items():
    means = np.array([values.mean() for values in lungs])
    film_contrast[name] = means[2:].mean() - means[:2].mean()
    print(f"{name:22s} mean of healthy lungs {means[:2].mean():.3f}, with pneumonia {means[2:].mean():.3f}: {film_contrast[name] / film_contrast['as taken']:4.0%} of the difference is left")
assert abs(film_contrast["matched film by film"]) < 0.2 * film_contrast["as taken"], "film by film, matching should remove the disease"

# %% tags=["demo"]
fig, axes = plt.subplots(2, 3, figsize=(8, 4.9), layout="constrained")
for line, k, word in ((axes[0], 0, "healthy"), (axes[1], 3, "pneumonia")):
    for ax, name in zip(line, film_lungs, strict=True):
        image, lungs = films[k]
        shown = image.copy()
        shown[lungs] = film_lungs[name][k]
        ax.imshow(shown, cmap="gray", vmin=0, vmax=1)
        ax.set_title(f"{word}, {name}", fontsize=9)
        ax.set_axis_off()
show.figure(fig, alt="Upper row: a healthy chest film as taken, matched as a group, matched film by film. Lower row: a film with white lungs, the same three ways: as a group the lungs become darker, film by film they look healthy")

# %% [markdown]
# Film by film the disease is gone: each film was given the histogram of healthy lungs, so nothing is left for a network to find. As a group most of the difference stays, but all levels have moved: sick lungs are darker than they were, and healthy ones are darker than any healthy lung. A threshold from the healthy hospital now misses patients. The method did what it says. What it believed was false.

# %% [markdown]
# ### Exercise 10.2a - histogram matching inside the body
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can undo a scanner's intensity curve, and say why air must not take part*
#
# Half of the image is air. If air takes part, the histograms differ when one head is larger than the other, and brain is turned to skull. Write `match_grey_values(image, mask, reference)`: only pixels in `mask` count, and only they change. With $F(v)$ the share of the image's masked pixels that are at most $v$, the value $v$ becomes the smallest reference value $r$ for which a share of at least
# $F(v)$ of the reference values is at most $r$.
#
# <details><summary>Hint 1: the idea</summary>Value to share to value: rank the pixel among the masked pixels, then take that quantile of the reference. Equal pixels have equal shares.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.searchsorted(numpy.sort(values), values, side="right") / n</code> is F; <code>numpy.quantile(reference, share, method="inverted_cdf")</code>.</details>
# <details><summary>Equal pixels come out different</summary><code>argsort</code> puts one of them before the other. Use shares, not places in an order.</details>
# <details><summary>Mean and standard deviation agree, the histograms don't</summary>You scaled linearly. A scanner's curve is bent.</details>

# %% nbgrader={"grade": false, "grade_id": "match-grey-values", "locked": false, "schema_version": 3, "solution": true, "task": false}
def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Histogram matching within a mask.

    Args:
        image: (H, W) grey values; it is not changed.
        mask: (H, W) bool, the pixels that take part, at least one.
        reference: (M,) grey values of the same kind of tissue on the other scanner, in any order; M need not be the number of masked pixels.

    Returns:
        (H, W) a new float array: matched within the mask, as it was outside.

    Raises:
        ValueError: an empty mask, no reference, another shape of the mask, or a value that is not finite in what takes part.
    """
    ### BEGIN SOLUTION
    image, mask, reference = np.asarray(image, dtype=float), np.asarray(mask, dtype=bool), np.asarray(reference, dtype=float).ravel()
    if image.shape != mask.shape or not mask.any() or len(reference) == 0:
        raise ValueError("give a mask of the image's shape with at least one pixel, and reference values")
    values = image[mask]
    if not (np.isfinite(values).all() and np.isfinite(reference).all()):
        raise ValueError("a value is not finite")
    share = np.searchsorted(np.sort(values), values, side="right") / len(values)
    matched = image.copy()
    place = np.ceil(share * len(reference) - 1e-9).astype(int) - 1
    matched[mask] = np.sort(reference)[np.clip(place, 0, len(reference) - 1)]
    return matched
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "match-grey-values-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Four pixels, four reference values on a bent curve: the darkest gets the darkest, and so on
patch, inside = np.array([[3.0, 1.0], [2.0, 4.0]]), np.ones((2, 2), bool)
out = np.asarray(match_grey_values(patch.copy(), inside.copy(), np.array([1000.0, 1.0, 100.0, 10.0])), dtype=float)
assert out.shape == (2, 2), f"the image should keep its shape (2, 2), not {out.shape}"
linear = (patch - 2.5) / patch.std() * np.std([1, 10, 100, 1000]) + 277.75
assert not np.allclose(out, linear), "that is a straight line through mean and standard deviation: a scanner's curve is bent. Match ranks"
assert not np.allclose(out, [[100, 1000], [1, 10]]), "the reference values stand as they came: sort them first"
assert np.allclose(out, [[100, 1], [10, 1000]]), f"expected 100, 1, 10, 1000, got {out.ravel()}"
# M need not be the number of pixels: of three values a third is at most 10, all are at most 30. Whole grey values may become fractions
out = np.asarray(match_grey_values(patch.astype(int), inside.copy(), np.array([30.5, 10.5, 30.5])), dtype=float)
assert not np.allclose(out, [[30, 10], [30, 30]]), "the result was rounded to whole numbers, like the image that came in: return a float array"
assert not np.allclose(out, [[30.5, 10.5], [10.5, 30.5]]), "30.5 stands twice in the reference, and counts twice"
assert np.isin(out, [10.5, 30.5]).all(), f"{out.ravel()}: each result is one of the reference values, 10.5 or 30.5. You interpolate between them (so does match_histograms of skimage)"
assert np.allclose(out, [[30.5, 10.5], [30.5, 30.5]]), f"the shares 3/4, 1/4, 1/2, 1 should become 30.5, 10.5, 30.5, 30.5, not {out.ravel()}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1021)
tissue = rng.uniform(0.2, 1, (32, 32))
for gain, gamma in ((0.6, 1.6), (3.0, 0.5)):
    out = np.asarray(match_grey_values(gain * tissue**gamma, np.ones((32, 32), bool), tissue.ravel()), dtype=float)
    assert np.allclose(out, tissue, atol=1e-4), f"a gain of {gain} and a gamma of {gamma} should be undone exactly when the reference holds the same tissue"
out = np.asarray(match_grey_values(5 * tissue, np.ones((32, 32), bool), rng.uniform(-1, 1, 5000)), dtype=float)
assert np.quantile(np.abs(out - (tissue - 0.6) / 0.4), 0.9) < 0.08, "with more reference values than pixels the matched values don't follow the reference's distribution"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "match-grey-values-mask", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A head in air: air stays as it is, and takes no part. The input must not change
rng = np.random.default_rng(1022)
head = rng.uniform(0.1, 0.5, (20, 20))
inside = np.zeros((20, 20), bool)
inside[5:13, 4:12] = True
head[inside] = rng.permutation(64) + 1.0
given_head = head.copy()
out = np.asarray(match_grey_values(head, inside, np.arange(64) * 10.0 + 500), dtype=float)
assert np.array_equal(head, given_head), "you changed the image that was given: work on a copy"
assert np.allclose(out[~inside], given_head[~inside]), "pixels outside the mask must stay as they are"
assert np.isclose(out[inside].min(), 500, atol=11), f"the darkest brain pixel should get about 500, not {out[inside].min():.0f}: does air take part in the ranks?"
assert np.allclose(out[inside], (head[inside] - 1) * 10 + 500), "ranks must be taken among the masked pixels only"
### BEGIN HIDDEN TESTS
noisy_air = head + np.where(inside, 0, rng.uniform(0, 100, (20, 20)))
again = np.asarray(match_grey_values(noisy_air, inside, np.arange(64) * 10.0 + 500), dtype=float)
assert np.allclose(again[inside], out[inside]) and np.allclose(again[~inside], noisy_air[~inside]), "what lies outside the mask must neither change nor matter"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "match-grey-values-order", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Order is kept and equal stays equal: a cyst that was uniform must not come out speckled
patch = np.array([[1.0, 1.0, 1.0], [5.0, 5.0, 2.0]])
out = np.asarray(match_grey_values(patch, np.ones((2, 3), bool), np.arange(6.0)), dtype=float)
assert np.ptp(out[0]) == 0 and out[1, 0] == out[1, 1], "equal pixels come out different: use shares (pixels at or below), not places in a sorted order"
assert out[0, 0] < out[1, 2] < out[1, 0], "what was brighter must stay brighter"
assert np.allclose(out, [[2, 2, 2], [5, 5, 3]]), f"three of six pixels are at most 1, so 1 becomes the third smallest reference value: expected 2, 2, 2, 5, 5, 3, got {out.ravel()}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1023)
patch = np.round(rng.gamma(2, 2, (16, 16)))
out = np.asarray(match_grey_values(patch, np.ones((16, 16), bool), rng.normal(size=256)), dtype=float)
assert all(np.ptp(out[patch == v]) == 0 for v in np.unique(patch)) and np.all(np.diff([out[patch == v][0] for v in np.unique(patch)]) >= 0), "order or equality is lost on an image with few grey values"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "match-grey-values-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: a brain extraction that found nothing
assert np.allclose(np.asarray(match_grey_values(np.array([[7.0]]), np.array([[True]]), np.array([3.0, 3.0]))), 3), "one pixel gets the largest reference value"
try:
    match_grey_values(np.ones((2, 2)), np.zeros((2, 2), bool), np.ones(3))
except ValueError:
    pass
else:
    raise AssertionError("an empty mask must raise a ValueError")
### BEGIN HIDDEN TESTS
for bad in ((np.ones((2, 2)), np.ones((2, 2), bool), np.zeros(0)), (np.ones((2, 2)), np.ones((3, 2), bool), np.ones(3)), (np.full((2, 2), np.nan), np.ones((2, 2), bool), np.ones(3)), (np.ones((2, 2)), np.ones((2, 2), bool), np.array([1.0, np.nan]))):
    try:
        match_grey_values(*bad)
    except ValueError:
        continue
    raise AssertionError("no reference, a mask of another shape, or a nan must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Weights: what covariate shift asks for
#
# Under covariate shift the curve $p(y \mid x)$ is the same at both hospitals, so training on the source is not *wrong*. But a model of the wrong form spends its effort where the source's patients are. The error that we want is the target's, and it can be written with source patients alone (Shimodaira, 2000):
#
# $$\mathbb{E}_t\,[\ell(x, y)] = \mathbb{E}_s\Big[\frac{p_t(x)}{p_s(x)}\, \ell(x, y)\Big] = \mathbb{E}_s\,[w(x)\,\ell(x, y)]$$
#
# The **importance weight** $w(x)$ need not come from two densities. A domain classifier that gives $x$ the probability $c(x)$ of being target knows it: $w(x) = \frac{c(x)}{1 - c(x)} \cdot \frac{n_s}{n_t}$, with the numbers that it was trained on. There is a price. A few patients carry large weights, and the average rests on them. Kish's **effective sample size** says on how many: $n_\mathrm{eff} = (\sum w)^2 / \sum w^2$. **Clipping** the weights
# buys size with bias.
#
# It believes: *wherever the target has patients, the source has some too.* Where $p_s(x) = 0$ no weight helps.

# %% [markdown]
# ### Exercise 10.2b - importance weights and what they cost
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can say on how many patients a weighted result rests*
#
# Write `importance_weights(p_target, n_source, n_target, largest)`. From a domain classifier's probabilities for the source patients make $w = \frac{c}{1 - c} \cdot \frac{n_s}{n_t}$; clip at `largest`; *then* scale to a mean of 1. Return the weights and the effective sample size.
#
# <details><summary>Hint 1: the idea</summary>Odds, corrected for how many patients of each kind the classifier saw. If it saw more source patients, then it calls "target" too rarely.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.minimum(w, largest)</code>; <code>w.sum() ** 2 / (w ** 2).sum()</code>.</details>
# <details><summary>I get inf or a warning for a probability of 1</summary>Its ratio is infinite, and is clipped to <code>largest</code>. Clip the probability just below 1 first, or divide under <code>numpy.errstate</code>.</details>
# <details><summary>The largest weight is above the limit</summary>That may be right: the limit holds for the ratio of the densities, before scaling.</details>

# %% nbgrader={"grade": false, "grade_id": "importance-weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def importance_weights(p_target: np.ndarray, n_source: int, n_target: int, largest: float) -> tuple[np.ndarray, float]:
    """Importance weights of source patients from a domain classifier.

    Args:
        p_target: (N,) the classifier's probability that each source patient is from the target, 0 to 1.
        n_source, n_target: how many patients of each domain the classifier was trained on.
        largest: limit of the density ratio, above 0.

    Returns:
        (N,) weights with a mean of 1, and their effective sample size, from 1 to N.

    Raises:
        ValueError: no patient, a probability that is nan or outside 0 to 1, a number of patients or a limit not above 0, or all weights 0.
    """
    ### BEGIN SOLUTION
    p = np.asarray(p_target, dtype=float)
    if len(p) == 0 or not ((p >= 0) & (p <= 1)).all() or n_source <= 0 or n_target <= 0 or not largest > 0:
        raise ValueError("give probabilities from 0 to 1, numbers of patients and a limit above 0")
    with np.errstate(divide="ignore"):
        weights = np.minimum(p / (1 - p) * n_source / n_target, largest)
    if weights.sum() == 0:
        raise ValueError("no source patient looks like the target at all: there is nothing to weight")
    weights = weights / weights.mean()
    return weights, float(weights.sum() ** 2 / (weights**2).sum())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "importance-weights-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# By hand: 400 source and 200 target patients; probabilities 1/2, 1/5, 4/5 have odds 1, 1/4, 4 and ratios 2, 1/2, 8. Clipped at 1.5: 1.5, 0.5, 1.5, mean 7/6
probabilities = np.array([0.5, 0.2, 0.8])
weights = np.asarray(importance_weights(probabilities.copy(), 400, 200, 1.5)[0], dtype=float)
assert weights.shape == (3,), f"one weight a source patient: (3,), not {weights.shape}"
assert np.isclose(weights.mean(), 1), f"the weights' mean should be 1, not {weights.mean():.3f}"
assert not np.allclose(weights, np.array([1, 0.25, 1.5]) * 3 / 2.75), "the classifier saw twice as many source patients: multiply the odds by n_source / n_target before you clip"
assert not np.allclose(weights, np.array([0.5, 0.125, 1.5]) * 3 / 2.125), "n_source / n_target stands upside down"
assert weights[2] > weights[1], "the patient who looks like the target must weigh more: the odds are c / (1 - c)"
assert not np.allclose(weights, np.array([2, 0.5, 8]) / 3.5), "nothing was clipped: clip the ratios first, then scale them"
scaled_first = np.minimum(np.array([2, 0.5, 8]) / 3.5, 1.5)
assert not np.allclose(weights, scaled_first / scaled_first.mean()), "the limit is one of the ratio of densities: clip the ratios first, then scale them"
assert np.allclose(weights, [9 / 7, 3 / 7, 9 / 7]), f"expected 1.286, 0.429, 1.286, got {weights.round(3)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1024)
for ns, nt, limit in ((100, 300, 4.0), (50, 50, 1e9), (900, 30, 20.0)):
    p = rng.uniform(0.01, 0.99, 40)
    ratio = np.minimum(np.exp(np.log(p) - np.log1p(-p)) * ns / nt, limit)
    assert np.allclose(np.asarray(importance_weights(p, ns, nt, limit)[0], dtype=float), ratio * 40 / ratio.sum()), f"with {ns} source, {nt} target patients and a limit of {limit:g} the weights are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "importance-weights-size", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The effective sample size: all of them when weights are equal; about one when one patient outweighs all others
even = float(importance_weights(np.full(50, 0.3), 100, 100, 10.0)[1])
assert np.isclose(even, 50), f"fifty equal weights are worth fifty patients, not {even:.3g}"
lonely = float(importance_weights(np.r_[np.full(49, 1e-6), 0.999], 100, 100, 1e6)[1])
assert not np.isclose(lonely, 50), "the sum of the weights is always N after scaling: use (sum w)^2 / sum w^2"
assert np.isclose(lonely, 1, atol=0.01), f"one patient outweighs all others: the effective size should be about 1, not {lonely:.3g}"
size = float(importance_weights(np.array([0.5, 0.2, 0.8]), 400, 200, 5.0)[1])  # ratios 2, 1/2, 8
assert not np.isclose(size, 10.5**2 / 68.25), "that is the size before clipping: count the patients by the weights that you return, which are clipped"
assert np.isclose(size, 9 / 4.68), f"for weights 0.8, 0.2, 2.0 it is 9 / 4.68 = 1.923, not {size:.4g}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1025)
p = rng.beta(1, 3, 200)
sizes = [float(importance_weights(p, 1, 1, limit)[1]) for limit in (0.5, 2.0, 50.0)]
assert sizes[0] > sizes[1] > sizes[2] >= 1, "the tighter the clipping, the larger the effective size"
w = np.asarray(importance_weights(p, 1, 1, 2.0)[0], dtype=float)
assert np.isclose(sizes[1], w.sum() ** 2 / np.square(w).sum()), "the size must belong to the weights that are returned"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "importance-weights-truth", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Planted truth: source N(0, 1), target N(1, 1), three source patients for each target patient. With the true c(x), weighted source patients have the target's mean
rng = np.random.default_rng(1026)
x = rng.normal(0, 1, 60_000)
c = 1 / (1 + 3 * np.exp(0.5 - x))
weights = np.asarray(importance_weights(c, 3000, 1000, 1e6)[0], dtype=float)
assert abs((weights * x).mean() - 1) < 0.1, f"the weighted mean of the source should be the target's, 1, not {(weights * x).mean():.2f}"
### BEGIN HIDDEN TESTS
assert abs((weights * (x - 1) ** 2).mean() - 1) < 0.2, "the weighted spread of the source should be the target's"
clipped = np.asarray(importance_weights(c, 3000, 1000, 2.0)[0], dtype=float)
assert 0.3 < (clipped * x).mean() < 0.9, "clipping must pull the weighted mean back towards the source: that is its bias"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "importance-weights-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The ends: a classifier that is certain gives the limit or 0, not inf or nan
weights, size = importance_weights(np.array([1.0, 0.0, 0.5]), 10, 10, 4.0)
assert np.isfinite(np.asarray(weights, dtype=float)).all(), "a probability of 1 gives inf or nan: its ratio is clipped to the limit"
assert np.allclose(np.asarray(weights, dtype=float), np.array([4, 0, 1]) * 3 / 5), "probabilities 1, 0, 1/2 with a limit of 4 have ratios 4, 0, 1"
try:
    importance_weights(np.array([0.5, 1.2]), 10, 10, 4.0)
except ValueError:
    pass
else:
    raise AssertionError("1.2 is no probability: raise a ValueError")
### BEGIN HIDDEN TESTS
for bad in (([], 10, 10, 4.0), ([np.nan, 0.5], 10, 10, 4.0), ([0.5], 10, 0, 4.0), ([0.5], 10, 10, 0.0), ([0.0, 0.0], 10, 10, 4.0)):
    try:
        importance_weights(np.array(bad[0]), *bad[1:])
    except ValueError:
        continue
    raise AssertionError("no patient, a nan, a domain of 0 patients, a limit of 0, or weights that are all 0 must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# **Predict before you run.** The true risk of a disease is U-shaped in a blood value (too low is bad, too high is bad), and the model is a plain logistic regression, which can only rise or fall. The source's patients have mostly low values, the target's higher ones, by a distance $\delta$. Does weighting help at $\delta = 1$, at 2, at 4? What does the effective sample size of 400 patients do?

# %% tags=["demo"]
from sklearn.model_selection import StratifiedKFold


def domain_odds(source: np.ndarray, target: np.ndarray, strength: float = 0.1) -> np.ndarray:
    """(n,) held-out odds of being target for the source's rows, by a logistic domain classifier for which both domains weigh the same."""
    both, domain = np.concatenate([source, target]), np.repeat([0, 1], [len(source), len(target)])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, class_weight="balanced", max_iter=1000))
    parts = StratifiedKFold(5, shuffle=True, random_state=0)
    return np.exp(cross_val_predict(model, both, domain, cv=parts, method="decision_function")[: len(source)])


def domain_weights(source: np.ndarray, target: np.ndarray, largest: float = 10.0) -> np.ndarray:
    """(n,) importance weights of the source's rows with a mean of 1."""
    odds = domain_odds(source, target).clip(max=largest)
    return odds / odds.mean()


def effective_size(w: np.ndarray) -> float:
    """Kish's effective sample size."""
    return float(len(w) / (1 + np.var(w / w.mean())))


def u_risk(x: np.ndarray) -> np.ndarray:
    """The true risk at a blood value, the same curve at both hospitals: low in the middle, high at both ends."""
    return 0.05 + 0.85 * (1 - np.exp(-0.5 * (x - 0.5) ** 2))


def u_shaped(delta: float, rng: np.random.Generator, n: int = 400) -> dict[str, float]:
    """Brier score at the target, plain and weighted, and effective sizes, for one draw of both hospitals."""
    xs, xt, xtest = rng.normal(-1, 1, n), rng.normal(-1 + delta, 1, n), rng.normal(-1 + delta, 1, 2000)
    ys, truth = (rng.random(n) < u_risk(xs)).astype(int), u_risk(xtest)

    def brier(w: np.ndarray | None) -> float:
        p = LogisticRegression().fit(xs[:, None], ys, sample_weight=w).predict_proba(xtest[:, None])[:, 1]
        return float(np.mean((p - truth) ** 2 + truth * (1 - truth)))

    free = domain_odds(xs[:, None], xt[:, None], strength=10.0)
    clipped = free.clip(max=10)
    return {"source only": brier(None), "weighted, clipped at 10": brier(clipped), "weighted": brier(free), "n_eff clipped": effective_size(clipped), "n_eff": effective_size(free)}

# %% tags=["demo"]
weight_draws = run.pick(ci=8, laptop=40)
weight_runs = {d: pd.DataFrame([u_shaped(d, np.random.default_rng([SEED, k])) for k in range(weight_draws)]) for d in (0.0, 1.0, 2.0, 4.0)}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.1), layout="constrained")
for name, colour, marker in (("source only", show.PALETTE[0], "o"), ("weighted", show.PALETTE[1], "s"), ("weighted, clipped at 10", show.PALETTE[2], "^")):
    mean, error = ([f(weight_runs[d][name]) for d in weight_runs] for f in (np.mean, lambda v: 1.96 * v.std() / len(v) ** 0.5))
    axes[0].errorbar(list(weight_runs), mean, error, color=colour, marker=marker, linestyle={"o": "-", "s": "--", "^": "-."}[marker], capsize=3, label=name)
for name, colour, marker in (("n_eff", show.PALETTE[1], "s"), ("n_eff clipped", show.PALETTE[2], "^")):
    axes[1].plot(list(weight_runs), [weight_runs[d][name].median() for d in weight_runs], color=colour, marker=marker, linestyle={"s": "--", "^": "-."}[marker], label={"n_eff": "weighted", "n_eff clipped": "weighted, clipped at 10"}[name])
axes[0].set(xlabel="distance of the hospitals, $\\delta$", ylabel="Brier score at the target")
axes[1].set(xlabel="distance of the hospitals, $\\delta$", ylabel="effective sample size, of 400", yscale="log")
for ax in axes:
    ax.legend()
show.figure(fig, alt="Left: Brier score at the target over the distance of the hospitals, with and without weights. Right: the effective sample size falls from 400 to a few patients as the distance grows, less steeply with clipping")
weight_gain = {d: frame["source only"] - frame["weighted, clipped at 10"] for d, frame in weight_runs.items()}
for d, gain in weight_gain.items():
    print(f"delta {d:.0f}: clipped weights save {gain.mean():+.3f} (sd over draws {gain.std():.3f}) in Brier score; n_eff {weight_runs[d]['n_eff clipped'].median():.0f}, unclipped {weight_runs[d]['n_eff'].median():.0f}")
assert weight_gain[2.0].mean() > 2 * weight_gain[2.0].std() / weight_draws**0.5 > 0, "at a distance of 2 weights should help"

# %% [markdown]
# With hospitals that are alike the weights are all about 1: they cost nothing and gain nothing. At $\delta = 1$ they cost about as much as they gain. At 2 and 4 the plain model points the wrong way (it learned the falling arm of the U), and weights save it, although the "400 patients" are now a few dozen, then a handful: look at the error bars and at the spread over draws. One draw is
# what a hospital has.

# %% [markdown]
# ### Features: CORAL
#
# Before a linear classifier, a shift of features shows first in their means and covariances. **CORAL**, correlation alignment (Sun, Feng and Saenko, 2016), makes these equal. Let $C_s$ and $C_t$ be the covariances, each with a small ridge $\lambda I$ so that it can be inverted. Rows $x$ of the source are centred, **whitened** by the source, then **coloured** by the target, and moved to the target's mean:
#
# $$\tilde{x} = (x - \mu_s)\; C_s^{-1/2}\; C_t^{1/2} + \mu_t$$
#
# The order matters, since matrices don't commute: with rows on the left, the covariance of $\tilde{x}$ is $C_t^{1/2} C_s^{-1/2} C_s C_s^{-1/2} C_t^{1/2} = C_t$. The other way round it is nobody's. The classifier is trained on recoloured *source* features with source labels, and meets target features as they are.
#
# It believes: *source and target hold the same mixture of healthy and sick*. The mean of the target includes its sick patients, and CORAL makes the source's mean equal to it.
#
# **Subspace alignment** (Fernando and others, ICCV 2013) does less. Take the first $d$ principal axes of each domain, $P_s$ and $P_t$ ($D \times d$). Source rows become $(x - \mu_s) P_s P_s^\top P_t$: they are read in their own subspace, and that is turned onto the target's. Target rows become $(x - \mu_t) P_t$.
#
# **Transfer component analysis** (Pan and others, 2011) looks for directions in which the MMD is small and the variance large. With the kernel matrix $K$ of all patients, the vector $e$ with $1/n$ for source and $-1/m$ for target patients (so that $e^\top K e$ is the biased $\mathrm{MMD}^2$) and the centring matrix $H$, its columns are the leading solutions $w$ of $K H K w = \rho\,(n K e e^\top K + \mu I)\,w$, up to the scale of $\mu$.

# %% [markdown]
# ### Exercise 10.2c - CORAL
#
# Difficulty 4 of 5 - 5 points - about 30 minutes - *after it you can align two hospitals' features, and prove that they are aligned*
#
# Write `coral(source, target, ridge)` by the formula: both covariances with $n - 1$ in the denominator, `ridge` times the identity added to both, both roots **symmetric**, the result moved to the target's mean.
#
# <details><summary>Hint 1: the idea</summary>A symmetric matrix has a root with the same eigenvectors, and the roots of its eigenvalues. For the inverse root take one over the roots.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.cov(x, rowvar=False)</code>; <code>numpy.linalg.eigh(C)</code> gives values and vectors; <code>(vectors * values ** power) @ vectors.T</code>.</details>
# <details><summary>The means agree, the covariances don't</summary>Rows stand on the left: first whiten by the source, then colour by the target. And each root has a power of one half.</details>
# <details><summary>I get nan or huge numbers</summary>A feature that is constant at the source has a variance of 0. That is what the ridge is for. Is it on <em>both</em> covariances?</details>
# <details><summary>The covariance is right, but the values are not</summary>A Cholesky factor is a root, too, but not the symmetric one: the cloud has the right shape and is turned within it.</details>

# %% nbgrader={"grade": false, "grade_id": "coral", "locked": false, "schema_version": 3, "solution": true, "task": false}
def coral(source: np.ndarray, target: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    """Source features with the target's mean and covariance.

    Args:
        source, target: (n, d) and (m, d) features, n and m at least 2; they are not changed.
        ridge: added to the diagonal of both covariances, at least 0.

    Returns:
        (n, d): (source - mean) C_s^(-1/2) C_t^(1/2) + mean of the target, with symmetric roots; both covariances C have n - 1 in the denominator.

    Raises:
        ValueError: fewer than two rows, different d, a value that is not finite, a negative ridge, or a source covariance that can't be inverted.
    """
    ### BEGIN SOLUTION
    source, target = np.asarray(source, dtype=float), np.asarray(target, dtype=float)
    if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1] or min(len(source), len(target)) < 2:
        raise ValueError(f"give (n, d) and (m, d) with at least two rows, not {source.shape} and {target.shape}")
    if not (np.isfinite(source).all() and np.isfinite(target).all() and ridge >= 0):
        raise ValueError("features must be finite and the ridge at least 0")

    def power(rows: np.ndarray, exponent: float) -> np.ndarray:
        values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(rows, rowvar=False)) + ridge * np.eye(rows.shape[1]))
        if exponent < 0 and values.min() < 1e-12 * max(values.max(), 1e-300):
            raise ValueError("the source's covariance can't be inverted: give a ridge")
        return (vectors * np.clip(values, 0, None) ** exponent) @ vectors.T

    return (source - source.mean(0)) @ power(source, -0.5) @ power(target, 0.5) + target.mean(0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "coral-covariance", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The promise: afterwards both domains have the same mean and the same covariance
rng = np.random.default_rng(1027)
one = rng.normal(size=(200, 3)) @ np.array([[2.0, 0.5, 0], [0, 1, 0.7], [0, 0, 0.5]]) + [5, 0, -2]
two = rng.normal(size=(150, 3)) @ np.array([[1.0, -0.8, 0.2], [0.3, 2, 0], [0, 0.4, 1.5]]) + [0, 3, 1]
out = np.asarray(coral(one.copy(), two.copy(), 0.0), dtype=float)
assert out.shape == one.shape, f"each source patient should keep a row: {one.shape}, not {out.shape}"
assert not np.allclose(np.cov(out, rowvar=False), np.eye(3), atol=0.1), "that is white: the target's colour is missing"
for shrunk in (149 / 150, 200 / 199, 149 / 150 * 200 / 199):  # target, source or both
    assert not np.allclose(np.cov(out, rowvar=False), shrunk * np.cov(two, rowvar=False), atol=1e-4), "a covariance has n in the denominator: take n - 1 in both, as numpy.cov does"
assert np.allclose(np.cov(out, rowvar=False), np.cov(two, rowvar=False), atol=1e-3), "the covariance is not the target's: first whiten by the source, C_s^(-1/2), then colour by the target, C_t^(1/2); rows stand on the left"
assert not np.allclose(out.mean(0), 0, atol=1e-3), "the result is centred: move it to the target's mean"
assert np.allclose(out.mean(0), two.mean(0), atol=1e-3), "the mean should be the target's: centre the source by its own mean, then add the target's"
### BEGIN HIDDEN TESTS
for n, m, d in ((40, 90, 5), (30, 12, 2), (500, 60, 8)):
    one, two = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 3, rng.normal(size=(m, d)) @ rng.normal(size=(d, d)) - 1
    out = np.asarray(coral(one, two, 0.0), dtype=float)
    assert np.allclose(np.cov(out, rowvar=False), np.cov(two, rowvar=False), atol=0.01 * two.var()) and np.allclose(out.mean(0), two.mean(0), atol=0.01), f"{n} and {m} patients, {d} features: mean or covariance is not the target's"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "coral-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value, where roots are easy: source covariance diag(4, 1), target covariance [[2, 1], [1, 2]], whose symmetric root squares to it
corners = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * (3 / 4) ** 0.5  # covariance 1, with n - 1
root = np.array([[3**0.5 + 1, 3**0.5 - 1], [3**0.5 - 1, 3**0.5 + 1]]) / 2
out = np.asarray(coral(corners * [2, 1], corners @ root + 10, 0.0), dtype=float)
assert not np.allclose(out, corners * [2, 1] @ root @ np.diag([0.5, 1]) + 10), "you colour first and whiten afterwards: the other way round"
assert not np.allclose(out, corners @ np.linalg.cholesky(root @ root).T + 10), "the covariance is right, but the cloud is turned within it: that is a Cholesky factor. Use the symmetric root"
assert np.allclose(out, corners @ root + 10, atol=1e-3), f"expected the first patient at {(corners @ root + 10)[0].round(3)}, got {out[0].round(3)}: whiten by the symmetric root C_s^(-1/2), colour by the symmetric root C_t^(1/2); another map with the same covariance turns the cloud"
### BEGIN HIDDEN TESTS
from scipy.linalg import sqrtm

rng = np.random.default_rng(1028)
one, two = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(70, 4)) @ rng.normal(size=(4, 4)) + 2
roots = [np.real(sqrtm(np.cov(rows, rowvar=False))) for rows in (one, two)]
truth = (one - one.mean(0)) @ np.linalg.inv(roots[0]) @ roots[1] + two.mean(0)
assert np.allclose(np.asarray(coral(one, two, 0.0), dtype=float), truth, atol=0.01 * np.abs(truth).max()), "on random features the values are off: use symmetric roots of the covariances with n - 1"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "coral-same", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Nothing to do: a hospital aligned with itself stays as it is; and the target is nobody's to change
rng = np.random.default_rng(1029)
one = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3)) + 4
kept = one.copy()
out = np.asarray(coral(one, one[::-1].copy(), 0.0), dtype=float)
assert np.array_equal(one, kept), "you changed the source that was given: work on a copy"
assert np.allclose(out, kept, atol=1e-3), "with the same patients in both domains nothing may change"
### BEGIN HIDDEN TESTS
other = rng.normal(size=(40, 3)) * [1, 5, 0.2]
moved = np.asarray(coral(one * 7 - 3, other, 0.0), dtype=float)
assert np.allclose(moved, np.asarray(coral(one, other, 0.0), dtype=float), atol=1e-2), "one common unit of the source's features must not matter: whitening takes it out"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "coral-ridge", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The ridge: in one dimension, variances 3 and 8 with a ridge of 1 scale by (8 + 1)^(1/2) / (3 + 1)^(1/2) = 3/2
single = np.array([[-1.0], [0.0], [1.0]])
out = np.asarray(coral(single * 3**0.5, single * 8**0.5 + 5, 1.0), dtype=float)
assert not np.allclose(out - 5, single * 8**0.5), "your ridge has no effect"
assert not np.allclose(out - 5, single * 3**0.5 * 8**0.5 / 2), "the ridge belongs to both covariances, yours is on the source's alone"
assert not np.allclose(out - 5, single * 3**0.5 * (19 / 9) ** 0.5), "your variances have n in the denominator, 2 and 16/3: take n - 1, then add the ridge"
assert np.allclose(out - 5, single * 3**0.5 * 1.5), f"expected +-{1.5 * 3**0.5:.3f} about 5, got {np.ravel(out).round(3)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1030)
flat = np.c_[rng.normal(size=(30, 2)), np.full(30, 2.0)]  # a laboratory value that the source never measured
out = np.asarray(coral(flat, rng.normal(size=(30, 3)) + 1, 0.1), dtype=float)
assert np.isfinite(out).all() and np.abs(out).max() < 50, "a feature that is constant at the source gives no finite values, though there is a ridge"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "coral-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: without a ridge a constant feature can't be whitened
assert np.allclose(np.asarray(coral(np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]]), 0.0)), [[1], [5]]), "two patients each: 0, 2 should become 1, 5"
try:
    coral(np.ones((6, 2)) * [[1, 0]] + np.arange(6)[:, None] * [[0, 1]], np.random.default_rng(0).normal(size=(6, 2)), 0.0)
except ValueError:
    pass
else:
    raise AssertionError("a feature that is constant at the source, and no ridge: raise a ValueError")
### BEGIN HIDDEN TESTS
rows = np.random.default_rng(0).normal(size=(6, 2))
for bad in ((rows[:1], rows, 0.1), (rows, rows[:, :1], 0.1), (np.where(rows > 1, np.nan, rows) * np.nan, rows, 0.1), (rows, rows, -1.0)):
    try:
        coral(*bad)
    except ValueError:
        continue
    raise AssertionError("one row, different numbers of features, a nan or a negative ridge must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# **Predict before you run.** Below, the target's features are a moved copy of the source's, stretched along a slanted direction. Two panels: as they are, and with the source recoloured. Will the *classes* fall on each other, too, or only the clouds? Then move the target's prevalence away from the source's 50 %.

# %% tags=["demo"]
from sklearn.decomposition import PCA


def recolour(features: np.ndarray, source: np.ndarray, target: np.ndarray, ridge: float = 1e-3) -> np.ndarray:
    """CORAL by principal axes: rows (N, d) of the source domain, with the target's mean and covariance; `ridge` as a share of the mean variance."""
    own, other = PCA(svd_solver="full").fit(source), PCA(svd_solver="full").fit(target)
    lam = ridge * (source.var(0).mean() + target.var(0).mean()) / 2
    scores_white = own.transform(features) / np.sqrt(full(own.explained_variance_, source) + lam)
    axes_other = other.components_ * np.sqrt(np.sqrt(full(other.explained_variance_, target) + lam))[:, None]
    return other.mean_ + scores_white @ own.components_ @ axes_other.T @ axes_other


def full(variances: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """PCA keeps at most as many axes as there are rows; recolouring needs all."""
    if len(variances) < rows.shape[1]:
        raise ValueError(f"{len(rows)} patients are too few for {rows.shape[1]} features")
    return variances

# %% tags=["demo"]
def coral_draw(prevalence: float = 0.5, angle: float = 40.0) -> tuple:
    """(source, labels, target, labels): two features; the target is stretched by 2.5 along `angle` degrees, halved across it, and moved."""
    rng, a = np.random.default_rng(5), np.deg2rad(angle)
    ys, yt = (rng.random(400) < 0.5).astype(int), (rng.random(400) < prevalence).astype(int)
    xs, xt = (rng.normal(size=(400, 2)) * [1.0, 0.4] + np.outer(y, [0.0, 2.0]) for y in (ys, yt))
    axis = np.array([np.cos(a), np.sin(a)])
    return xs, ys, xt @ (0.5 * np.eye(2) + 2 * np.outer(axis, axis)) + [1.5, 0.5], yt


def coral_view(prevalence: float = 0.5, angle: float = 40.0):
    """Both clouds, before and after recolouring, with the accuracy of the source's classifier at the target."""
    xs, ys, xt, yt = coral_draw(prevalence, angle)
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharex=True, sharey=True)
    for ax, rows, title in zip(axes, (xs, recolour(xs, xs, xt)), ("as they are", "source recoloured"), strict=True):
        for label, marker in ((0, "o"), (1, "^")):
            for points, y, colour, fill in ((rows, ys, show.PALETTE[0], show.PALETTE[0]), (xt, yt, show.PALETTE[1], "none")):
                ax.scatter(*points[y == label].T, s=14, marker=marker, facecolor=fill, edgecolor=colour, linewidth=0.8, alpha=0.6)
        accuracy = LogisticRegression().fit(rows, ys).score(xt, yt)
        ax.set_title(f"{title}: accuracy at the target {accuracy:.2f}", loc="left", fontsize=10)
        ax.set_xlabel("feature 1")
    axes[0].set_ylabel("feature 2")
    axes[0].text(0.02, 0.97, "filled, blue: source; hollow, orange: target\ncircle: healthy; triangle: sick", transform=axes[0].transAxes, va="top", fontsize=9)
    return fig


show.explore(coral_view, prevalence=(0.05, 0.95, 0.05), angle=(0.0, 80.0, 10.0), alt="Two clouds of patients with two features. Left: the target's cloud is stretched along a slanted direction and moved away from the source's. Right: after recolouring the clouds, and at equal prevalence the classes in them, lie on each other")
coral_accuracy = {}
for prevalence in (0.5, 0.1):
    xs, ys, xt, yt = coral_draw(prevalence)
    fits = [LogisticRegression().fit(rows, ys).predict_proba(xt)[:, 1] for rows in (xs, recolour(xs, xs, xt))]
    coral_accuracy[prevalence] = [float(np.mean((p > 0.5) == yt)) for p in fits]
    print(f"prevalence at the target {prevalence:.0%}: accuracy {coral_accuracy[prevalence][0]:.2f} as it is, {coral_accuracy[prevalence][1]:.2f} recoloured, {max(yt.mean(), 1 - yt.mean()):.2f} for always the larger class")
assert coral_accuracy[0.5][1] > coral_accuracy[0.5][0] + 0.05 and coral_accuracy[0.1][1] < 0.9, "recolouring should help at equal prevalence, and be no better than the trivial answer at 10 %"

# %% [markdown]
# At equal prevalence the classes fall on each other. At 10 % the clouds still match in mean and covariance, and the classes don't: the source, half sick, was squeezed into a cloud of healthy patients. Nothing in the unlabelled data could have told. And even at equal prevalence there is a limit: a turned round cloud has the covariance that it had before, so a pure turn is invisible to CORAL.

# %% [markdown]
# ### Exercise 10.2d - subspace alignment
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can turn one hospital's principal axes onto another's*
#
# Write `aligned_subspaces(source, target, d)`. Each domain is centred by its own mean; $P_s$ and $P_t$ hold its first $d$ principal axes as columns, the largest variance first. Return $(x_s - \mu_s) P_s P_s^\top P_t$ and $(x_t - \mu_t) P_t$. (An axis may point either way. The checks don't mind.)
#
# <details><summary>Hint 1: the idea</summary>Project the source on its own axes, and multiply by the d x d matrix that says how the source's axes lie in the target's.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.linalg.svd(centred, full_matrices=False)[2][:d].T</code> holds the axes, or <code>sklearn.decomposition.PCA(d).fit(x).components_.T</code>. <code>eigh</code> sorts the other way round.</details>
# <details><summary>Source and target don't fit together</summary>Did you multiply by the matrix between the subspaces, or only project each domain on its own axes? The axes of two hospitals come in another order, or turned.</details>

# %% nbgrader={"grade": false, "grade_id": "aligned-subspaces", "locked": false, "schema_version": 3, "solution": true, "task": false}
def aligned_subspaces(source: np.ndarray, target: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Subspace alignment.

    Args:
        source, target: (n, D) and (m, D) features.
        d: number of axes, from 1 to the smallest of n - 1, m - 1 and D.

    Returns:
        (n, d) aligned source and (m, d) target, both in the target's axes.

    Raises:
        ValueError: different D, a value that is not finite, or d out of range.
    """
    ### BEGIN SOLUTION
    source, target = np.asarray(source, dtype=float), np.asarray(target, dtype=float)
    if source.shape[1:] != target.shape[1:] or not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("give finite features, the same in both domains")
    if not 1 <= d <= min(len(source) - 1, len(target) - 1, source.shape[1]):
        raise ValueError(f"d = {d} is out of range")
    source, target = source - source.mean(0), target - target.mean(0)
    p_s, p_t = (np.linalg.svd(rows, full_matrices=False)[2][:d].T for rows in (source, target))
    return source @ p_s @ (p_s.T @ p_t), target @ p_t
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "aligned-subspaces-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The axes of the second hospital come in another order: feature 1 varies most at the source, feature 2 at the target. Both are kept with d = 2
rng = np.random.default_rng(1031)
one = rng.normal(size=(80, 4)) * [3, 1.5, 0.1, 0.1] + 7
two = rng.normal(size=(60, 4)) * [1.5, 3, 0.1, 0.1] - 2
moved, stays = (np.asarray(part, dtype=float) for part in aligned_subspaces(one.copy(), two.copy(), 2))
assert moved.shape == (80, 2) and stays.shape == (60, 2), f"expected (80, 2) and (60, 2), got {moved.shape} and {stays.shape}"


def axes_of(rows: np.ndarray, k: int) -> np.ndarray:
    return np.linalg.eigh(np.cov(rows, rowvar=False))[1][:, ::-1][:, :k]


p_s, p_t = axes_of(one, 2), axes_of(two, 2)
assert np.allclose(stays @ stays.T, (two - two.mean(0)) @ p_t @ p_t.T @ (two - two.mean(0)).T, atol=1e-3), "the target should be centred by its own mean and projected on its own first axes (largest variance first)"
assert abs(moved.mean()) < 1e-4, "the source should be centred by its own mean"
assert moved[:, 0].std() < moved[:, 1].std(), "each domain stands on its own axes: in the target's first axis this source varies least. Multiply the source by P_s P_s' P_t"
truth = (one - one.mean(0)) @ p_s @ p_s.T @ p_t
assert np.allclose(moved @ stays.T, truth @ ((two - two.mean(0)) @ p_t).T, atol=1e-3), "the source is not (x - mean) P_s P_s' P_t: are the two sets of axes in the right order?"
### BEGIN HIDDEN TESTS
for n, m, wide, d in ((30, 50, 6, 3), (20, 15, 40, 5), (200, 100, 3, 1)):
    one, two = rng.normal(size=(n, wide)) @ rng.normal(size=(wide, wide)) + 3, rng.normal(size=(m, wide)) @ rng.normal(size=(wide, wide))
    moved, stays = (np.asarray(part, dtype=float) for part in aligned_subspaces(one, two, d))
    p_s, p_t = axes_of(one, d), axes_of(two, d)
    a, b = (one - one.mean(0)) @ p_s @ p_s.T @ p_t, (two - two.mean(0)) @ p_t
    assert np.allclose(moved @ moved.T, a @ a.T, atol=1e-2) and np.allclose(moved @ stays.T, a @ b.T, atol=1e-2), f"{n} and {m} patients, {wide} features, d = {d}: the coordinates are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "aligned-subspaces-same", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Nothing to do: with the same patients in both domains source and target coordinates agree. With d = D nothing is lost
rng = np.random.default_rng(1032)
rows = rng.normal(size=(40, 5)) * [4, 3, 2, 1, 0.5]
moved, stays = (np.asarray(part, dtype=float) for part in aligned_subspaces(rows, rows.copy(), 3))
assert np.allclose(moved, stays, atol=1e-3), "one hospital aligned with itself: source and target coordinates should be equal"
assert np.all(np.diff(stays.var(0)) < 0), "the first axis should have the largest variance"
### BEGIN HIDDEN TESTS
other = rng.normal(size=(30, 5)) @ rng.normal(size=(5, 5))
moved, stays = (np.asarray(part, dtype=float) for part in aligned_subspaces(rows, other, 5))
centred = rows - rows.mean(0)
assert np.allclose(moved @ moved.T, centred @ centred.T, atol=1e-2), "with all axes kept, distances between source patients must stay"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "aligned-subspaces-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: three patients span two axes, not three
good = np.random.default_rng(0).normal(size=(9, 4))
assert np.asarray(aligned_subspaces(good, good, 1)[0]).shape == (9, 1), "one axis is enough for a good answer"
try:
    aligned_subspaces(good[:3], good, 3)
except ValueError:
    pass
else:
    raise AssertionError("three source patients have two axes: d = 3 must raise a ValueError")
### BEGIN HIDDEN TESTS
for bad in ((good, good[:, :2], 1), (good, good, 0), (good, good, 5), (good * np.nan, good, 1)):
    try:
        aligned_subspaces(*bad)
    except ValueError:
        continue
    raise AssertionError("different numbers of features, d = 0, d above D, or a nan must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### All shallow methods on the planted scanners
#
# The network stays as it is. Histogram matching changes its images; all others change its 16 features, and fit a new linear head on source labels. "Target labels" has what nobody has: a head fitted to labelled people of the target, on the *source's* features. Intervals are bootstrap intervals over the people of the target test set; differences are paired with "source only".
# (One seed. Section 10.4 puts deep and shallow methods on one table, over seeds.)

# %% tags=["demo"]
from scipy.linalg import eigh
from sklearn.metrics.pairwise import euclidean_distances


def align_subspaces(source: np.ndarray, target: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) and (m, d): the source as its own subspace shows it, read along the target's axes; and the target."""
    own, other = PCA(d).fit(source), PCA(d).fit(target)
    return (own.inverse_transform(own.transform(source)) - own.mean_) @ other.components_.T, other.transform(target)


def tca(source: np.ndarray, target: np.ndarray, d: int, mu: float = 1.0, gamma: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) and (m, d) transfer components, each of standard deviation 1; rbf kernel, gamma by the median rule."""
    both, n, m = np.concatenate([source, target]), len(source), len(target)
    gamma = gamma or 1 / np.median(euclidean_distances(both, squared=True)[np.triu_indices(n + m, 1)])
    k = rbf_kernel(both, gamma=gamma)
    away = k @ np.repeat([1 / n, -1 / m], [n, m])  # K e
    centred = k - k.mean(0)
    axes = eigh(k @ centred, (n + m) * np.outer(away, away) + mu * np.eye(n + m), subset_by_index=(n + m - d, n + m - 1))[1][:, ::-1]
    found = k @ axes / (k @ axes).std(0)
    return found[:n], found[n:]

# %% tags=["demo"]
def auc_draws(y: np.ndarray, p: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """AUC of each bootstrap draw (B, N) of patients; draws with one class give nan."""
    wins = (p[y == 1][:, None] > p[y == 0]) + 0.5 * (p[y == 1][:, None] == p[y == 0])
    count = np.stack([np.bincount(d, minlength=len(y)) for d in draws]).astype(float)
    pairs = count[:, y == 1].sum(1) * count[:, y == 0].sum(1)
    return np.einsum("bi,ij,bj->b", count[:, y == 1], wins, count[:, y == 0], optimize=True) / np.where(pairs > 0, pairs, np.nan)


def with_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of bootstrap values."""
    return tuple(float(v) for v in np.nanquantile(values, [0.025, 0.975]))


def linear_head(x: np.ndarray, y: np.ndarray, new: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """(N,) logits of a logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)).fit(x, y, logisticregression__sample_weight=weights).decision_function(new)


xs, xt, xnew = deep["source train"], deep["target train"], deep["target test"]
ys, ynew = study["source train"].labels.numpy(), study["target test"].labels.numpy()
sa_source, sa_target = align_subspaces(xs, np.concatenate([xt, xnew]), 8)
tca_source, tca_target = tca(xs, np.concatenate([xt, xnew]), 8)
matched_features = logits_of(source_net.body, matched_test)
shallow = {
    "source only": linear_head(xs, ys, xnew),
    "histogram matching": linear_head(xs, ys, matched_features),
    "importance weights": linear_head(xs, ys, xnew, domain_weights(xs, xt)),
    "CORAL": linear_head(recolour(xs, xs, xt), ys, xnew),
    "subspace alignment": linear_head(sa_source, ys, sa_target[len(xt) :]),
    "TCA": linear_head(tca_source, ys, tca_target[len(xt) :]),
    "target labels": linear_head(xt, study["target train"].labels.numpy(), xnew),
}
draws = np.random.default_rng(0).integers(len(ynew), size=(500, len(ynew)))
shallow_auc = {name: auc_draws(ynew, logits, draws) for name, logits in shallow.items()}
shallow_table = {name: (float(roc_auc_score(ynew, logits)), *with_interval(shallow_auc[name]), *with_interval(shallow_auc[name] - shallow_auc["source only"])) for name, logits in shallow.items()}
for name in sorted(shallow, key=lambda n: -shallow_table[n][0]):
    area, low, high, worse, better = shallow_table[name]
    print(f"{name:20s} AUC {area:.3f} [{low:.3f}, {high:.3f}], against source only [{worse:+.3f}, {better:+.3f}], balanced accuracy {scores(ynew, shallow[name])['balanced accuracy']:.3f}")
print(f"importance weights: effective size {effective_size(domain_weights(xs, xt)):.0f} of {len(xs)}")
assert shallow_table["histogram matching"][3] > 0, "histogram matching should undo much of this planted scanner"

# %% [markdown]
# Read both columns. AUC asks for the order, balanced accuracy for the threshold too; a method may mend one and not the other. Histogram matching believes the truth here: the scanner *is* a curve of grey values (with a blur, a coil and noise that it can't undo), and the hospitals have the same disease. Importance weights believe in patients whom both hospitals share. Look at their effective size: hardly a
# source slice looks as if scanner B had taken it, and a weight can't make one. CORAL hardly changes the order (and 10.4 shows that its threshold differs from seed to seed): what the
# network no longer sees on scanner B, no linear map of its features brings back. Subspace alignment may even do harm, since the axes along which people vary most are not those along which they are sick. "Target labels" is a bound for this network's features only; section 10.3 trains new ones.
#
# ### The real case: four hospitals, one disease
#
# About 1981 to 1987 four hospitals sent their patients to coronary angiography and wrote down the same 13 numbers. Cleveland's table is nearly complete. It is our source. In Hungary the patients are younger, and a third is ill; in Switzerland nearly all are; the Veterans' hospital in Long Beach (VA) has old men. And the hospitals don't *measure* the same: `ca` and `thal` (vessels in fluoroscopy, thallium scan) are
# missing nearly everywhere else, and Switzerland has no cholesterol: it wrote 0, which is not a cholesterol.
#
# What is missing is seen without labels. So the honest first step is to train, for each target, with the columns that this target measures in at least half of its patients.
#
# **Predict before you run.** Three targets, and methods that you know. Which hospital gains most, and by which method? Where will it be better to do nothing?

# %% tags=["demo"]
heart_loaded = data.load("heart_disease", profile=run.profile)
heart, heart_source = heart_loaded.table.copy(), "heart_disease (stand-in)" if heart_loaded.is_stand_in else "heart_disease"
heart[["chol", "trestbps"]] = heart[["chol", "trestbps"]].where(heart[["chol", "trestbps"]] > 0)  # a 0 is a missing value in disguise
heart["ill"] = (heart.target > 0).astype(int)
HEART_NUMBERS = ["age", "sex", "trestbps", "chol", "fbs", "thalach", "exang", "oldpeak", "slope", "ca", "thal", "cp", "restecg"]
HEART_TARGETS = ["hungary", "switzerland", "va"]


def heart_matrix(columns: list[str]) -> np.ndarray:
    """(N, d) of all patients: chest pain (cp) and resting ECG as one column a code; gaps by the source's median; standardised by the source."""
    table = pd.get_dummies(heart[columns].astype({c: "category" for c in ("cp", "restecg") if c in columns}), drop_first=True, dtype=float)
    own = table[heart.site == "cleveland"]
    table = table.fillna(own.median())
    return ((table - own.mean()) / own.fillna(own.median()).std()).to_numpy()


heart_columns = {site: [c for c in HEART_NUMBERS if heart.loc[heart.site == site, c].notna().mean() >= 0.5] for site in HEART_TARGETS}
heart_gap = {}
for site in HEART_TARGETS:
    rows, here, there = heart_matrix(heart_columns[site]), heart.site == "cleveland", heart.site == site
    seen, p, _ = permutation_p(rows[here], rows[there], draws=100)
    error = np.mean([held_out_domain_error(rows[here], rows[there], s)[1] for s in range(5)])
    heart_gap[site] = 2 * (1 - 2 * error)
    print(f"{site:12s} {there.sum():4d} patients, {heart.ill[there].mean():4.0%} ill (Cleveland {heart.ill[here].mean():.0%}), not measured: {', '.join(sorted(set(HEART_NUMBERS) - set(heart_columns[site])))}; A-distance {heart_gap[site]:.2f}, MMD^2 {seen:.3f} (p = {p:.2f})")
fig, ax = plt.subplots(figsize=(8, 2.3), layout="constrained")
gaps = heart.groupby("site")[HEART_NUMBERS].agg(lambda v: v.isna().mean()).loc[["cleveland", *HEART_TARGETS]]
ax.imshow(gaps, cmap="Greys", vmin=0, vmax=1, aspect="auto")
for (i, j), v in np.ndenumerate(gaps.to_numpy()):
    ax.text(j, i, f"{v:.0%}", ha="center", va="center", fontsize=8, color="white" if v > 0.5 else "black")
ax.set_xticks(range(len(HEART_NUMBERS)), HEART_NUMBERS, rotation=45)
ax.set_yticks(range(4), gaps.index)
ax.set_title("share of patients in whom it was not measured", fontsize=10)
show.figure(fig, alt="A table of the share of missing values by hospital and column: Cleveland is nearly complete, ca and thal are missing nearly everywhere else, Switzerland has no cholesterol")

# %% [markdown]
# The protocol is the same for every method. A target's patients are split into five folds. A method sees Cleveland with labels, and the *features* of four folds; it is measured on the fifth. Methods that say "target labels" also see the labels of the four folds. No setting is tuned on a target. Two figures: AUC (the order of patients) and the **Brier score**, the mean of $(p - y)^2$, which asks for
# right probabilities; lower is better.
#
# Label shift gets a method, too. Saerens and others (2002) find the prevalence by EM: correct the probabilities by the present guess $\pi$, take their mean as the new guess, and repeat.

# %% tags=["demo"]
def saerens(p: np.ndarray, source_prevalence: float, steps: int = 200) -> tuple[np.ndarray, float]:
    """(N,) corrected probabilities and the target's prevalence, by EM under label shift."""
    base, logit = source_prevalence, np.log(p) - np.log1p(-p)
    for _ in range(steps):
        shift = np.log(base / (1 - base)) - np.log(source_prevalence / (1 - source_prevalence))
        corrected = 1 / (1 + np.exp(-(logit + shift)))
        base = float(np.clip(corrected.mean(), 1e-3, 1 - 1e-3))
    return corrected, base


def heart_fit(x, y, new, weights=None):
    """(N,) probabilities of a logistic regression."""
    return LogisticRegression(C=0.3, max_iter=1000).fit(x, y, sample_weight=weights).predict_proba(new)[:, 1]


def heart_em(xs, ys, xt, yt, new):
    both = heart_fit(xs, ys, np.concatenate([xt, new]))
    base = saerens(both[: len(xt)], ys.mean())[1]  # the prevalence from four folds
    odds = both[len(xt) :] / (1 - both[len(xt) :]) * base / (1 - base) * (1 - ys.mean()) / ys.mean()
    return odds / (1 + odds)


def heart_subspace(xs, ys, xt, yt, new):
    a, b = align_subspaces(xs, np.concatenate([xt, new]), 6)
    return heart_fit(a, ys, b[len(xt) :])


HEART_METHODS = {  # each takes Cleveland's features and labels, the target's features, its labels (used only where the name says so), and new patients
    "source only": lambda xs, ys, xt, yt, new: heart_fit(xs, ys, new),
    "importance weights": lambda xs, ys, xt, yt, new: heart_fit(xs, ys, new, domain_weights(xs, xt)),
    "CORAL": lambda xs, ys, xt, yt, new: heart_fit(recolour(xs, xs, xt, 0.1), ys, new),
    "subspace alignment": heart_subspace,
    "label shift (EM)": heart_em,
    "target labels only": lambda xs, ys, xt, yt, new: heart_fit(xt, yt, new),
    "both, target labels": lambda xs, ys, xt, yt, new: heart_fit(np.concatenate([xs, xt]), np.concatenate([ys, yt]), new),
}

# %% tags=["demo"]
from sklearn.ensemble import HistGradientBoostingClassifier


def heart_results(site: str) -> pd.DataFrame:
    """One line a method: AUC and Brier score with 95 % bootstrap intervals over the target's patients, and paired differences to source only."""
    here, there = (heart.site == "cleveland").to_numpy(), (heart.site == site).to_numpy()
    rows, every, y = heart_matrix(heart_columns[site]), heart_matrix(HEART_NUMBERS), heart.ill.to_numpy()
    xs, ys, xt, yt = rows[here], y[here], rows[there], y[there]
    said = {name: np.zeros(len(yt)) for name in HEART_METHODS}
    for seen, new in StratifiedKFold(5, shuffle=True, random_state=0).split(xt, yt):
        for name, method in HEART_METHODS.items():
            said[name][new] = method(xs, ys, xt[seen], yt[seen], xt[new])
    said["source only, all columns"] = heart_fit(every[here], ys, every[there])
    boosted = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.08, max_leaf_nodes=6, min_samples_leaf=15, random_state=0)
    said["boosting, source only"] = boosted.fit(heart.loc[here, heart_columns[site]], ys).predict_proba(heart.loc[there, heart_columns[site]])[:, 1]
    said["always Cleveland's share"] = np.full(len(yt), ys.mean())
    said["always the target's share, target labels"] = np.full(len(yt), yt.mean())
    draws, lines = np.random.default_rng(0).integers(len(yt), size=(1000, len(yt))), {}
    reference = auc_draws(yt, said["source only"], draws), ((said["source only"] - yt) ** 2)[draws].mean(1)
    for name, p in said.items():
        area, loss = auc_draws(yt, p, draws), ((p - yt) ** 2)[draws].mean(1)
        values = {"AUC": (roc_auc_score(yt, p), area, reference[0]), "Brier": (((p - yt) ** 2).mean(), loss, reference[1])}
        lines[name] = {k: v for what, (value, drawn, other) in values.items() for k, v in zip((what, f"{what} low", f"{what} high", f"{what} diff low", f"{what} diff high"), (value, *with_interval(drawn), *with_interval(drawn - other)), strict=True)}
        lines[name]["mean p"] = p.mean()
    return pd.DataFrame(lines).T


heart_board = {site: heart_results(site) for site in HEART_TARGETS}
for site, frame in heart_board.items():
    print(f"--- {site} (in brackets: 95 % interval of the difference to source only): {(heart.site == site).sum()} patients, {heart.ill[heart.site == site].mean():.0%} ill")
    for name, r in frame.sort_values("Brier").iterrows():
        print(f"{name:40s} Brier {r['Brier']:.3f} [{r['Brier diff low']:+.3f}, {r['Brier diff high']:+.3f}]  AUC {r['AUC']:.2f} [{r['AUC diff low']:+.2f}, {r['AUC diff high']:+.2f}]  mean p {r['mean p']:.2f}")

# %% tags=["demo"]
fig, axes = plt.subplots(2, 3, figsize=(10, 5.6), layout="constrained", sharey=True)
heart_names = [n for n in heart_board["va"].index if n != "source only" and not n.startswith("always")]
for column, site in zip(axes.T, HEART_TARGETS, strict=True):
    for ax, what in zip(column, ("AUC", "Brier"), strict=True):
        for place, name in enumerate(heart_names):
            r, base = heart_board[site].loc[name], heart_board[site].loc["source only", what]
            low, high = r[f"{what} diff low"], r[f"{what} diff high"]
            good, bad = (low > 0, high < 0) if what == "AUC" else (high < 0, low > 0)
            colour, marker = (show.PALETTE[2], "^") if good else (show.PALETTE[1], "v") if bad else ("0.5", "o")
            ax.plot([low, high], [place, place], color=colour)
            ax.plot(r[what] - base, place, marker=marker, color=colour)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_xlabel(f"{what} minus source only")
        ax.locator_params(axis="x", nbins=5)
    column[0].set_title(site, loc="left")
    column[0].set_yticks(range(len(heart_names)), heart_names)
fig.suptitle("triangle up: better than source only; down: worse; circle: the 95 % interval holds 0", fontsize=9)
show.figure(fig, alt="For each hospital, differences of AUC and Brier score to source only with intervals, one line a method. Upward triangles: better, downward: worse, circles: neither. Correcting for label shift mends the Brier score in Switzerland; CORAL and subspace alignment harm it")
assert heart_board["hungary"].loc["source only", "AUC"] > 0.75 and heart_board["switzerland"].loc["label shift (EM)", "Brier diff high"] < 0, "Cleveland's model should rank Hungary's patients, and a corrected prevalence should help in Switzerland"
assert heart_board["switzerland"].loc["CORAL", "Brier diff low"] > 0, "aligning means must harm where nearly everybody is ill"

# %% [markdown]
# ### What the hospitals say
#
# With the real table (profile `laptop`; the stand-in's numbers differ) we measured:
#
# - **Drop what is not measured.** Using all columns and filling the gaps with Cleveland's medians costs 0.03 in Brier score in Switzerland and 0.07 in VA, with intervals away from 0. No adaptation method gained as much in VA as this did, and it needs a table of missing values only.
# - **Label shift explains Switzerland and Hungary.** EM, without one label, says 90 % ill (true: 93 %) and 38 % (true: 36 %), and the Brier score falls from 0.198 to 0.060, and from 0.132 to 0.126. But be honest about 0.060: who says "93 %" of everybody has 0.061. With 8 healthy patients of 123, the corrected probabilities say how common the disease is, and little else. AUC barely moves, since the order doesn't; its interval is
#   0.67 to 0.90.
# - **The same method fails in VA.** EM says that nearly 100 % are ill (true: 74 %), and the Brier score rises from 0.171 to 0.254. These old veterans look ill to a model from Cleveland, the healthy ones as well: $p(x \mid y)$ has changed, which is what label shift excludes. That is **negative transfer**: adapting made it worse, and no unlabelled figure warned.
# - **Alignment harms where the prevalence differs.** CORAL makes the mean of the source equal to that of the target, although 93 % and 46 % ill patients should have different means. Mean predictions fall to about one half, and Brier scores rise to 0.335, 0.266 and 0.144: worse than doing nothing, at each of the three hospitals. Subspace alignment centres each domain by its own mean, so it takes prevalence out just as CORAL does.
# - **Importance weights gain nothing here.** An A-distance of 1.3 leaves few patients to weight; in VA they even cost 0.03 in Brier score.
# - **Own labels.** "Target labels only" is no upper bound when the target is small: an AUC of 0.54 in Switzerland (from 8 healthy patients), 0.68 in VA. Cleveland's patients together with the target's labelled ones are best, or among the best, in Hungary and VA.
#
# The order of methods differs between hospitals. Which one you should use depends on *which shift* you have, and that needs knowledge (who is referred there? what is measured?) or a few labels.
#
# **Checkpoint.** A colleague aligns the features of your hospital (8 % ill) with those of a referral centre (60 % ill) by CORAL. The A-distance falls from 1.4 to 0.1. She calls the model adapted. What would you ask?
#
# <details><summary>Answer</summary>The distance fell because means and covariances were made equal, which is what the method does, and no evidence that the classes fell on each other. With 8 and with 60 % ill the means should <em>not</em> be equal: part of the 1.4 was the disease. Ask for the prevalence at the target (estimated from the calls of a classifier, or from fifty labelled patients); for the calibration, not only the
# AUC; and for the result of "source only" with an interval for the paired difference.</details>

# %% [markdown]
# ## 10.3 Deep domain adaptation
#
# A hospital buys a new MR scanner. On Monday the network that found nine lesions of ten misses many of them, and nobody has labelled one slice of the new machine. The shallow methods of 10.2 took the features as they were and moved them. A deep network can do more: it can **learn** features that look the same on
# both scanners, or change the layers in which the scanner shows.
#
# What adaptation may see is fixed for the whole section: labelled slices of scanner A (the **source**), and *unlabelled* slices of scanner B (the **target**). Target labels exist in our simulation. They are read twice: by `target-only`, the upper bound that a hospital without labels can't have, and by the last test. A method
# that looks at them anywhere else (to stop training, to choose a weight) is not adaptation, it is supervised learning with poor bookkeeping.
#
# We train the source network with three seeds (five in `laptop`), and so every other method; the interval over the seeds stands beside each mean. It says how much a repeated *training* would scatter. It doesn't hold the chance of which patients were tested: with 300 of them (`ci`; `laptop` has 600) an AUC of 0.95 has a standard error of about 0.012 more.
#
# **Predict before you run.** In 10.1 you saw one network fall. Trained again with other seeds, will it fall equally far? Which will scatter more over the seeds: the AUC on scanner A, or that on scanner B?

# %% tags=["demo"]
from collections import defaultdict

SEEDS = range(run.pick(ci=3, laptop=5))
source_images, source_labels = study["source train"].images, study["source train"].labels
target_images = study["target train"].images  # without labels: this is all that adaptation may see of the new scanner
board: dict[str, list[dict[str, float]]] = defaultdict(list)  # method -> one entry a seed: what it scores on "target test"


def enter(method: str, logits: np.ndarray) -> None:
    """Keep one seed's scores on the target test patients."""
    board[method].append(scores(study["target test"].labels, logits))


def show_board(methods: list[str] | None = None) -> None:
    """Mean and 95 % t interval over seeds, by AUC; the scores are of the target test patients."""
    rows = sorted(methods or board, key=lambda m: -np.mean([one["AUC"] for one in board[m]]))
    print(f"{'on scanner B':30s} {'AUC':>18s} {'balanced accuracy':>24s}")
    for method in rows:
        cells = [over_seeds([one[key] for one in board[method]]) for key in ("AUC", "balanced accuracy")]
        print(f"{method:30s} " + "  ".join(f"{m:10.3f} [{low:.2f}, {high:.2f}]" for m, low, high in cells))


def over_seeds(values: list[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval for it by Student's t over the seeds, cut to [0, 1]."""
    from scipy import stats

    mean, n = float(np.mean(values)), len(values)
    half = float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return mean, max(0.0, mean - half), min(1.0, mean + half)


source_nets = {seed: source_net if seed == SEED else fit_net(source_images, source_labels, seed) for seed in SEEDS}
at_home: list[dict[str, float]] = []  # the same patients as scanner A sees them
for seed, net in source_nets.items():
    enter("source-only", logits_of(net, study["target test"].images))
    at_home.append(scores(study["source test"].labels, logits_of(net, study["source test"].images)))
    enter("target-only (upper bound)", logits_of(fit_net(target_images, study["target train"].labels, seed), study["target test"].images))
show_board()
home, away, ceiling = (over_seeds([one["AUC"] for one in found])[0] for found in (at_home, board["source-only"], board["target-only (upper bound)"]))
print(f"the source networks on scanner A, same patients: AUC {home:.3f}, balanced accuracy {over_seeds([one['balanced accuracy'] for one in at_home])[0]:.3f}")
assert home > 0.97 and ceiling > away + 0.1, "the source network should have learned its own scanner, and lost much on the other"

# %% tags=["demo"]
fig, axes = plt.subplots(1, 2, figsize=(9.5, 2.8), layout="constrained", sharex=True, sharey=True)
for ax, name in zip(axes, ("source test", "target test"), strict=True):
    said, truth = logits_of(source_nets[SEED], study[name].images), study[name].labels.numpy()
    for label, colour, style, word in ((0, show.PALETTE[0], "--", "healthy"), (1, show.PALETTE[3], "-", "lesion")):
        ax.hist(said[truth == label], bins=np.linspace(-12, 12, 41), histtype="step", linewidth=2, color=colour, linestyle=style, label=word)
    ax.axvline(0, color="black", linewidth=1)
    ax.set(title=f"the same patients, scanner {'A' if name == 'source test' else 'B'}: AUC {scores(study[name].labels, said)['AUC']:.2f}", xlabel="logit (right of the line: called a lesion)")
axes[0].set_ylabel("patients")
axes[0].legend()
show.figure(fig, alt="Histograms of the source network's logits for healthy patients and patients with a lesion. On scanner A the two lie apart, on either side of the threshold; on scanner B they overlap and lie almost all on one side.")

# %% [markdown]
# Two simple things first. They train nothing that is adapted, and every method below has to beat them:
#
# - **z-score**: each slice by its own mean and standard deviation, in training and in use. It mends gain and offset, and asks for no second scanner.
# - **Histogram matching** (10.2): the intensities of scanner B are mapped to the quantiles of scanner A, and the old network reads the result. It mends *any* monotone intensity curve, and neither blur nor noise nor the coil's field.
#
# From 10.2 we also take CORAL and importance weighting. Both work on the 16 features of the source network, and refit its linear head.

# %% tags=["demo"]
def pixels_like(images: torch.Tensor) -> torch.Tensor:
    """Each slice by its own mean and standard deviation: the oldest harmonisation, and it needs no other scanner."""
    return (images - images.mean((1, 2, 3), keepdim=True)) / images.std((1, 2, 3), keepdim=True)


for seed in SEEDS:
    enter("z-score of each slice", logits_of(fit_net(pixels_like(source_images), source_labels, seed), pixels_like(study["target test"].images)))
    enter("histogram matching", logits_of(source_nets[seed], match_to_pool(study["target test"].images, source_images)))
show_board(["source-only", "z-score of each slice", "histogram matching", "target-only (upper bound)"])

# %% tags=["demo"]
from sklearn.linear_model import LogisticRegression


def refit_head(features: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> LogisticRegression:
    return LogisticRegression(C=1.0, max_iter=2000).fit(features, labels, sample_weight=weights)


for net in source_nets.values():
    here, there, asked = (logits_of(net.body, x) for x in (source_images, target_images, study["target test"].images))
    enter("CORAL on features", refit_head(recolour(here, here, there), source_labels.numpy()).decision_function(asked))
    enter("importance weighting", refit_head(here, source_labels.numpy(), domain_weights(here, there)).decision_function(asked))
show_board(["source-only", "CORAL on features", "importance weighting", "target-only (upper bound)"])

# %% [markdown]
# Neither helps here. Importance weighting reweights source patients, and no source patient looks like scanner B: where two domains don't overlap, no weight helps. CORAL moves the features of the old body, but what that body no longer sees on scanner B, no linear map brings back.
#
# ### Features that don't tell the scanner: MMD, deep CORAL, DANN
#
# Let $f_\theta$ be the body of the network, $c$ its head, and $\ell$ the label loss. All three methods minimise
#
# $$\min_{\theta, c} \; \frac1n \sum_{i \in S} \ell(c(f_\theta(x_i)), y_i) + \lambda \, d\big(f_\theta(X_S), f_\theta(X_T)\big)$$
#
# and differ in the distance $d$ between the features of the two domains:
#
# - **Deep CORAL** (Sun and Saenko, ECCV Workshops 2016): $d = \frac{1}{4 d_f^2} \lVert C_S - C_T \rVert_F^2$, the distance of the two covariances in $d_f$ dimensions. It is the CORAL of 10.2 turned into a loss.
# - **MMD** (deep adaptation networks; Long and others, ICML 2015): the kernel distance of 10.1, as a loss.
# - **DANN** (Ganin and others, JMLR 2016): a second head, the **critic** $g$, learns to tell the domains apart from the features; the body learns to make it fail. With the critic's loss $L_d$:
#
# $$\min_g L_d(g, \theta), \qquad \min_{\theta, c} \; L_y(\theta, c) - \lambda \, L_d(g, \theta)$$
#
# The minus sign is the whole method. Ganin and others put it into one layer, the **gradient reversal**: forward it does nothing, backward it multiplies the gradient by $-\lambda$. Then one loss $L_y + L_d$ and one optimiser serve both. When the critic is at chance (its loss near $\ln 2$), the features no longer tell the scanner. Note what that does
# *not* say: that the classes of both scanners lie on each other. If the shares of the sick differ, equal features of the domains *force* the classes apart; 10.4 shows it.

# %% [markdown]
# ### Exercise 10.3a - gradient reversal
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can train a body against its own critic with one optimiser, and prove by finite differences that the sign is right*
#
# Write `reverse_gradient(x, strength)`: what comes out equals what goes in, and the gradient that comes back is multiplied by $-\lambda$ (`strength`). Put between the body and the domain head, it makes one call of `backward` do two things: the domain head learns
# to tell the scanners apart, and the body learns to prevent it. The checks build such a pair and compare the gradients with finite differences of the two losses.
#
# <details><summary>Hint 1: the idea</summary>Forward and backward are written apart here. Nothing may change on the way forward: the domain head has to see the true features. Only the messenger on the way back is turned round.</details>
# <details><summary>Hint 2: what to call</summary>A <code>torch.autograd.Function</code> with the static methods <code>forward(ctx, x)</code> and <code>backward(ctx, gradient)</code>, used as <code>.apply(x)</code>; <code>backward</code> returns one value for each input of <code>forward</code> (None where there is nothing to return). Or a tensor's <code>register_hook</code>.</details>
# <details><summary>The domain head learns the wrong way round</summary>You return -x. Then the head sees mirrored features, and the sign is turned twice or not at all. The reversal belongs into the backward pass alone.</details>
# <details><summary>"element 0 of tensors does not require grad"</summary>The graph is cut: <code>detach</code> gives the critic features, but gives the body nothing back.</details>

# %% nbgrader={"grade": false, "grade_id": "gradient-reversal", "locked": false, "schema_version": 3, "solution": true, "task": false}
def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    """Identity on the way forward; the gradient that comes back is multiplied by -strength.

    Args:
        x: features of any shape and float type.
        strength: lambda, at least 0 and finite; 0 lets no gradient through.

    Returns:
        a tensor that equals x, connected to it.

    Raises:
        ValueError: strength is negative or not finite.
    """
    ### BEGIN SOLUTION
    if not 0 <= strength < float("inf"):
        raise ValueError(f"strength must be finite and at least 0, not {strength}")

    class Reversal(torch.autograd.Function):
        @staticmethod
        def forward(ctx, features: torch.Tensor) -> torch.Tensor:
            return features.view_as(features)

        @staticmethod
        def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
            return -strength * gradient

    return Reversal.apply(x)
    ### END SOLUTION

# %% tags=["given"]
def through_reversal(x, upstream, strength: float) -> tuple:
    """Send x through your function, and `upstream` back: (what came out, the gradient at x, x afterwards); arrays, and None for what did not arrive."""
    leaf = torch.tensor(np.asarray(x), requires_grad=True)
    out = reverse_gradient(leaf * 1.0, strength)
    if out is None:
        return None, None, leaf.detach().numpy().copy()
    if not out.requires_grad:
        return out.detach().numpy().copy(), None, leaf.detach().numpy().copy()
    (out * torch.tensor(np.asarray(upstream))).sum().backward()
    return out.detach().numpy().copy(), None if leaf.grad is None else leaf.grad.numpy().copy(), leaf.detach().numpy().copy()


def adversarial_gradients(parts: dict, strength: float) -> dict:
    """Gradients of label loss + domain loss, with your reversal between body and domain head: arrays named as in `parts`, None if nothing arrived."""
    made = {name: torch.tensor(np.asarray(value), requires_grad=name in ("body", "label head", "domain head")) for name, value in parts.items()}
    features = torch.tanh(made["x"] @ made["body"])
    label_loss = torch.nn.functional.softplus(-made["y"] * (features @ made["label head"])).mean()
    turned = reverse_gradient(features, strength)
    if turned is None:
        return dict.fromkeys(("body", "label head", "domain head"))
    domain_loss = torch.nn.functional.softplus(-made["d"] * (turned @ made["domain head"])).mean()
    (label_loss + domain_loss).backward()
    return {name: None if value.grad is None else value.grad.numpy().copy() for name, value in made.items() if value.requires_grad}

# %% tags=["given"]
def toy_adversaries(seed: int) -> dict:
    """8 patients x with labels y and domains d (both -1 or 1), a body (5, 4) and two heads (4,)."""
    rng = np.random.default_rng(seed)
    shapes = {"x": (8, 5), "body": (5, 4), "label head": (4,), "domain head": (4,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()} | {name: rng.choice([-1.0, 1.0], 8) for name in ("y", "d")}


def numeric_slope(parts: dict, name: str, which: str) -> np.ndarray:
    """Central differences of the "label" or the "domain" loss by one of the parts; numpy alone."""

    def loss(values: dict) -> float:
        score = np.tanh(values["x"] @ values["body"]) @ values[f"{which} head"]
        return float(np.logaddexp(0, -values["y" if which == "label" else "d"] * score).mean())

    slope = np.zeros_like(parts[name])
    for place in np.ndindex(slope.shape):
        moved = [parts[name].copy(), parts[name].copy()]
        moved[0][place] += 1e-5
        moved[1][place] -= 1e-5
        slope[place] = (loss({**parts, name: moved[0]}) - loss({**parts, name: moved[1]})) / 2e-5
    return slope

# %% nbgrader={"grade": true, "grade_id": "gradient-reversal-forward", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Forward: the domain head sees the true features, at any strength
x, upstream = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]]), np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]])
for strength in (1.0, 0.25):
    out, _, after = through_reversal(x, upstream, strength)
    assert out is not None, "the function returns nothing: did you forget the return?"
    assert out.shape == (2, 3), f"the shape must stay (2, 3), not {out.shape}"
    assert not np.allclose(out, -strength * x), "you reversed the features themselves: the way forward is the identity, only the gradient is turned"
    assert np.allclose(out, x), f"forward must return x unchanged; at strength {strength} it returned {out.round(3)}"
    assert np.allclose(after, x), "x itself was changed: don't write into it"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(0)
for shape, kind in (((4,), np.float32), ((2, 3, 4, 4), np.float64), ((1, 1), np.float32)):
    x = rng.normal(size=shape).astype(kind)
    out, _, _ = through_reversal(x, np.ones_like(x), 0.7)
    assert out.shape == shape and np.allclose(out, x, atol=1e-5), f"forward must return x unchanged, also for the shape {shape}"
    assert out.dtype == x.dtype, f"the type should stay {x.dtype}, not {out.dtype}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gradient-reversal-backward", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Backward: what comes back is -strength times what was sent
x, upstream = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]]), np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]])
_, slope, _ = through_reversal(x, upstream, 0.25)
assert slope is not None, "nothing came back: the output is not connected to x (detached?), so the body would learn nothing from the critic"
slope = np.asarray(slope)
assert slope.shape == (2, 3), f"the gradient must have the shape of x, (2, 3), not {slope.shape}"
assert not np.allclose(slope, 0), "the gradient that came back is 0: the reversal turns the sign, it doesn't stop the gradient"
assert not np.allclose(slope, upstream), "the gradient came back unchanged: that is the identity, and the body would help the critic"
assert not np.allclose(slope, -upstream), "the sign is right, but strength is ignored: multiply by it"
assert not np.allclose(slope, 0.25 * upstream), "the sign is not turned: -strength, not strength"
assert np.allclose(slope, -0.25 * upstream), f"expected -0.25 times what was sent, got {slope.round(3)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1)
for strength in (0.1, 1.0, 3.5):
    x, upstream = rng.normal(size=(3, 2, 2)), rng.normal(size=(3, 2, 2))
    _, slope, _ = through_reversal(x, upstream, strength)
    assert slope is not None and np.allclose(slope, -strength * upstream, atol=1e-6), f"at strength {strength} the gradient should be -{strength} times what was sent"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gradient-reversal-adversaries", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Gradient check, by finite differences: the body climbs the domain loss, the domain head descends it, the label head knows nothing of it
toy = toy_adversaries(3)
slopes = adversarial_gradients(toy, 0.5)
by_label, by_domain = numeric_slope(toy, "body", "label"), numeric_slope(toy, "body", "domain")
head = numeric_slope(toy, "domain head", "domain")
assert slopes["domain head"] is not None and slopes["body"] is not None, "a part gets no gradient at all: the graph is cut"
assert not np.allclose(slopes["domain head"], -0.5 * head, atol=1e-6), "the domain head got the reversed gradient: it must learn to tell the domains apart"
assert np.allclose(slopes["domain head"], head, atol=1e-6), "the domain head's gradient differs from the slope of its loss: does it see the true features?"
assert not np.allclose(slopes["body"], by_label + 0.5 * by_domain, atol=1e-6), "the body helps the critic: the sign of the domain loss must be turned for it"
assert not np.allclose(slopes["body"], -0.5 * (by_label + by_domain), atol=1e-6), "the label loss was turned as well: a hook on x itself turns all that flows back to x, from the label head, too. Hang it on a copy, and return that"
assert not np.allclose(slopes["body"], by_label, atol=1e-6), "the body doesn't hear the critic at all"
assert np.allclose(slopes["body"], by_label - 0.5 * by_domain, atol=1e-6), "the body should get the slope of (label loss - 0.5 domain loss)"
### BEGIN HIDDEN TESTS
for seed, strength in ((4, 1.0), (5, 0.2), (6, 2.0)):
    toy = toy_adversaries(seed)
    slopes = adversarial_gradients(toy, strength)
    wanted = numeric_slope(toy, "body", "label") - strength * numeric_slope(toy, "body", "domain")
    assert slopes["body"] is not None and np.allclose(slopes["body"], wanted, atol=1e-6), f"at strength {strength} the body's gradient differs from finite differences"
    assert np.allclose(slopes["label head"], numeric_slope(toy, "label head", "label"), atol=1e-6), "the label head's gradient must not change"
    assert np.allclose(slopes["domain head"], numeric_slope(toy, "domain head", "domain"), atol=1e-6), f"at strength {strength} the domain head must still descend its own loss"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gradient-reversal-strength", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The ends: strength 0 is how every schedule begins, and a negative one would make the body an ally of the critic
x, upstream = np.array([2.0, -1.0]), np.array([3.0, 4.0])
out, slope, _ = through_reversal(x, upstream, 0.0)
assert out is not None, "the function returns nothing: did you forget the return?"
assert np.allclose(out, x), f"at strength 0 the way forward is still the identity, not {out}"
assert slope is None or np.allclose(slope, 0), f"at strength 0 nothing comes back, not {slope}"
_, slope, _ = through_reversal(x, upstream, 1.0)
assert slope is not None and np.allclose(slope, -upstream), "good input must still work: at strength 1 the gradient is turned"
refused = False
try:
    through_reversal(x, upstream, -1.0)
except ValueError:
    refused = True
assert refused, "strength -1 must raise a ValueError"
### BEGIN HIDDEN TESTS
for bad in (float("nan"), float("inf"), -1e-3):
    refused = False
    try:
        through_reversal(x, upstream, bad)
    except ValueError:
        refused = True
    assert refused, f"strength {bad} must raise a ValueError"
### END HIDDEN TESTS

# %% [markdown]
# ### The layer in which the scanner shows: AdaBN
#
# A batch norm stores, for each channel, the mean $\mu$ and the variance $\sigma^2$ of its inputs in training. They are a portrait of scanner A: brightness, contrast, noise, blur, all leave their trace in them. On scanner B the same channel has another mean, and the ReLU that follows cuts in the wrong place. **AdaBN** (Li, Wang, Shi, Liu and Hou, 2016)
# replaces them by those of the target and leaves every weight as it is:
#
# $$y = \gamma \, \frac{x - \mu_T}{\sqrt{\sigma_T^2 + \epsilon}} + \beta$$
#
# No label, no gradient, no source image: one pass over target images. A whole line of work in medical imaging began with such a small step (Karani and others, MICCAI 2018, keep one set of batch norms a scanner).

# %% [markdown]
# ### Exercise 10.3b - adaptive batch normalisation
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can move a trained network to a new scanner without one label, and without training*
#
# Write `adapt_batch_norm(net, images)`. It returns a **copy** of the network, ready for use (in eval mode), whose batch-norm layers hold the mean and the variance that *these images* have at that layer, from one pass over all of them at once. All weights stay, also the scales and offsets of the batch norms.
# The network that came in is not touched: the old scanner is still in use.
#
# Mind the second batch norm. Its input depends on how the first one normalises: it must see what the *adapted* network computes. And mind what else changes its behaviour in training mode: dropout must stay off.
#
# <details><summary>Hint 1: the idea</summary>A batch norm in training mode normalises by its batch and remembers its statistics. That is what you want, for the batch norms alone, for one pass, and with nothing of the old memory left.</details>
# <details><summary>Hint 2: what to call</summary><code>copy.deepcopy</code>, <code>net.modules()</code>, <code>layer.reset_running_stats()</code>, <code>layer.momentum</code> (the share of the new batch; None means a plain average), <code>torch.no_grad()</code>. All batch norms are instances of <code>torch.nn.modules.batchnorm._BatchNorm</code>.</details>
# <details><summary>My statistics lie between those of the two scanners</summary>With its momentum of 0.1 a batch norm keeps nine tenths of the source. Forget first.</details>
# <details><summary>The first layer is right, the second is not</summary>Did you collect both in a pass of the unadapted network? Or is a dropout between them awake?</details>

# %% nbgrader={"grade": false, "grade_id": "adabn", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adapt_batch_norm(net: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
    """Adaptive batch normalisation: the statistics of a new scanner, the weights of the old one (Li and others, 2016).

    Args:
        net: a network with at least one batch norm; it is not changed.
        images: (N, 1, H, W) of the new scanner, N at least 2, without labels.

    Returns:
        a copy in eval mode, whose running means and variances are those of `images` in one pass.

    Raises:
        ValueError: there is no batch norm, fewer than two images, or a value that is not finite.
    """
    ### BEGIN SOLUTION
    import copy

    adapted = copy.deepcopy(net).eval()
    norms = [layer for layer in adapted.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise ValueError("the network has no batch norm: there are no statistics to adapt")
    if len(images) < 2 or not torch.isfinite(images).all():
        raise ValueError("images must hold at least two images, with finite values: one nan would spoil every statistic")
    kept = [layer.momentum for layer in norms]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = 1.0
        layer.train()
    with torch.no_grad():
        adapted(images)
    for layer, momentum in zip(norms, kept, strict=True):
        layer.momentum = momentum
    return adapted.eval()
    ### END SOLUTION

# %% tags=["given"]
def two_norm_net(seed: int) -> torch.nn.Sequential:
    """Convolution, batch norm, dropout, convolution, batch norm, linear; trained-looking scales, offsets and statistics. In eval mode."""
    torch.manual_seed(seed)
    nn = torch.nn
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
                        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        for layer in (net[1], net[5]):
            layer.weight.uniform_(0.5, 2.0), layer.bias.normal_(), layer.running_mean.normal_(), layer.running_var.uniform_(0.3, 3.0)
    return net.eval()


def scanned(n: int, seed: int) -> np.ndarray:
    """(n, 1, 9, 7) float32 images of a scanner with another gain and offset for each seed."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(1, 4) * rng.normal(size=(n, 1, 9, 7)) + rng.uniform(-2, 2)).astype(np.float32)


def statistics_of(seed: int, images, adapted: bool = True) -> dict:
    """What the two batch norms of that network should remember of `images`, and the logits (N, 2); with adapted=False as the old network computes."""
    net, x, found = two_norm_net(seed).eval(), torch.tensor(np.asarray(images)), {}
    with torch.no_grad():
        for number, layer in enumerate(net):
            if isinstance(layer, torch.nn.BatchNorm2d):
                mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
                found |= {f"{number}.running_mean": mean.numpy(), f"{number}.running_var": var.numpy()}
                if adapted:
                    layer.running_mean, layer.running_var = mean, var
            x = layer(x)
    return found | {"logits": x.numpy()}

# %% tags=["given"]
def run_adabn(seed: int, images) -> dict:
    """Your adapt_batch_norm on two_norm_net(seed): the state of what you return and of the net afterwards, modes, and logits of the images; arrays."""
    net = two_norm_net(seed)
    made = adapt_batch_norm(net, torch.tensor(np.asarray(images)))
    if not isinstance(made, torch.nn.Module):
        return {"returned": "nothing" if made is None else f"an object of type {type(made).__name__}", "state": {}}
    state = {name: value.detach().numpy().copy() for name, value in made.state_dict().items()}
    after = {name: value.detach().numpy().copy() for name, value in net.state_dict().items()}
    training = [type(layer).__name__ for layer in made.modules() if layer.training]
    with torch.no_grad():
        logits = made.eval()(torch.tensor(np.asarray(images))).numpy().copy()
    return {"returned": "a network", "state": state, "net after": after, "training": training, "logits": logits, "same": made is net}


def adabn_fault(found: dict) -> str:
    """Why there is nothing to compare in what run_adabn found; empty if there is."""
    if found["returned"] != "a network":
        return f"your function returns {found['returned']}: return the adapted network"
    if not {f"{n}.running_{what}" for n in (1, 5) for what in ("mean", "var")} <= set(found["state"]):
        return "a batch norm remembers no mean or variance any more: then each day's batch is judged by itself. Give it those of these images"
    return ""


def refuses_without_norm() -> bool:
    """Does your function raise a ValueError for a network without a batch norm?"""
    try:
        adapt_batch_norm(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(63, 2)), torch.zeros(4, 1, 9, 7))
    except ValueError:
        return True
    return False

# %% nbgrader={"grade": true, "grade_id": "adabn-statistics", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The first batch norm: nothing of the old scanner is left in it
images = scanned(40, seed=1)
found, wanted = run_adabn(0, images), statistics_of(0, images)
assert not adabn_fault(found), adabn_fault(found)
made, old = found["state"], {name: value.numpy() for name, value in two_norm_net(0).state_dict().items()}
mean, var = made["1.running_mean"], made["1.running_var"]
assert not np.allclose(mean, old["1.running_mean"], atol=1e-3), "the batch norm still holds the statistics of the source: they have to be replaced"
assert not np.allclose(mean, 0.9 * old["1.running_mean"] + 0.1 * wanted["1.running_mean"], atol=1e-3), "nine tenths of the source are left: with momentum 0.1 one pass is not enough. Forget the old statistics"
assert not np.allclose(mean, 0.1 * wanted["1.running_mean"], atol=1e-3), "you forgot the source, but learned a tenth of the target: set the momentum to 1 or to None for the pass"
assert np.allclose(mean, wanted["1.running_mean"], rtol=1e-3, atol=1e-3), "the running mean of the first batch norm should be the mean of its inputs over all images and pixels"
assert np.allclose(var, wanted["1.running_var"], rtol=0.01), "the running variance of the first batch norm should be that of its inputs over all images and pixels"
mixed = np.concatenate([scanned(24, seed=2), scanned(8, seed=3) + 5])  # two protocols of one scanner, one after the other
made, wanted = run_adabn(0, mixed)["state"], statistics_of(0, mixed)
for size in (2, 4, 8, 16):
    apart = np.mean([statistics_of(0, mixed[k : k + size])["1.running_var"] for k in range(0, 32, size)], axis=0)
    assert not np.allclose(made["1.running_var"], apart, rtol=1e-3), f"your variance is averaged over batches of {size}: how the batches differ from each other is missing from it. Send all images through at once"
assert np.allclose(made["1.running_mean"], wanted["1.running_mean"], rtol=1e-3, atol=1e-3) and np.allclose(made["1.running_var"], wanted["1.running_var"], rtol=0.01), "when the images come in two kinds, mean or variance is off: they are those of all images together, sent through at once"
### BEGIN HIDDEN TESTS
for seed in (2, 3):
    images = scanned(30 + seed, seed=seed + 10)
    made, wanted = run_adabn(seed, images)["state"], statistics_of(seed, images)
    assert np.allclose(made["1.running_mean"], wanted["1.running_mean"], rtol=1e-3, atol=1e-3), "on another scanner the first mean is off. Do all images count?"
    assert np.allclose(made["1.running_var"], wanted["1.running_var"], rtol=0.01), "on another scanner the first variance is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "adabn-deep", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The second batch norm sees what the adapted network computes, with dropout off
images = scanned(40, seed=4)
found, wanted, unadapted = run_adabn(1, images), statistics_of(1, images), statistics_of(1, images, adapted=False)
assert not adabn_fault(found), adabn_fault(found)
made = found["state"]
old = two_norm_net(1).state_dict()["5.running_mean"].numpy()
assert not np.allclose(made["5.running_mean"], old, atol=1e-3), "the second batch norm still holds the source: adapt every batch norm"
assert not np.allclose(made["5.running_mean"], unadapted["5.running_mean"], rtol=1e-3, atol=1e-3), "the second batch norm was measured behind the unadapted first one: adapt them in one pass, in order"
assert np.allclose(made["5.running_mean"], wanted["5.running_mean"], rtol=2e-3, atol=2e-3), "the mean of the second batch norm is off: is dropout awake during your pass?"
assert np.allclose(made["5.running_var"], wanted["5.running_var"], rtol=0.02), "the variance of the second batch norm is off: is dropout awake during your pass?"
### BEGIN HIDDEN TESTS
for seed in (5, 6):
    images = scanned(25, seed=seed + 20)
    made, wanted = run_adabn(seed, images), statistics_of(seed, images)
    assert np.allclose(made["state"]["5.running_mean"], wanted["5.running_mean"], rtol=2e-3, atol=2e-3), "on another scanner the second mean is off"
    assert np.allclose(made["logits"], wanted["logits"], rtol=0.02, atol=0.02), "the adapted network should predict as batch norm with the target's statistics does"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "adabn-rest", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Everything else stays: the weights, the network that came in; and what comes out is ready for use
images = scanned(12, seed=7)
made, old = run_adabn(2, images), {name: value.numpy() for name, value in two_norm_net(2).state_dict().items()}
assert not adabn_fault(made), adabn_fault(made)
assert not np.allclose(made["state"]["1.running_mean"], old["1.running_mean"], atol=1e-3), "nothing was adapted"
assert not made["same"], "you returned the network that came in: return a copy, the old scanner is still in use"
assert all(np.allclose(made["net after"][name], value) for name, value in old.items()), "the network that came in has changed: adapt a copy"
assert not any(not np.allclose(made["state"][f"{n}.{what}"], old[f"{n}.{what}"]) for n in (1, 5) for what in ("weight", "bias")), "the scales and offsets of the batch norms were learned, and stay: only mean and variance are replaced"
assert all(np.allclose(made["state"][name], value) for name, value in old.items() if name.endswith(("weight", "bias"))), "a weight has changed: AdaBN trains nothing"
assert not made["training"], f"some layers are still in training mode ({', '.join(sorted(set(made['training'])))}): each batch of patients would be judged by itself. Call eval()"
### BEGIN HIDDEN TESTS
made = run_adabn(8, scanned(6, seed=8))
again = run_adabn(8, scanned(6, seed=8))
old = {name: value.numpy() for name, value in two_norm_net(8).state_dict().items()}
assert all(np.allclose(made["state"][name], again["state"][name]) for name in old if "tracked" not in name), "the same images twice give two networks: something random is awake"
assert all(np.allclose(made["net after"][name], value) for name, value in old.items()), "the network that came in has changed"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "adabn-bad-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What a clinic will send: one patient only, a broken file, another network
made = run_adabn(3, scanned(9, seed=9))
assert not adabn_fault(made), adabn_fault(made)
assert np.allclose(made["state"]["1.running_mean"], statistics_of(3, scanned(9, seed=9))["1.running_mean"], rtol=1e-3, atol=1e-3), "good input must still work"
refused = False
try:
    run_adabn(3, scanned(1, seed=9))
except ValueError:
    refused = True
assert refused, "one image says nothing about a scanner: raise a ValueError"
### BEGIN HIDDEN TESTS
broken = scanned(9, seed=9)
broken[4, 0, 2, 2] = np.nan
refused = False
try:
    run_adabn(3, broken)
except ValueError:
    refused = True
assert refused, "one nan makes every statistic nan, and with it every later patient: raise a ValueError"
assert refuses_without_norm(), "a network without batch norm can't be adapted in this way: raise a ValueError instead of returning it as if it were"
### END HIDDEN TESTS

# %% [markdown]
# Now all of them. Each deep method sends source and target through the body in separate batches, so that each is normalised by its own statistics; in use, the target's. AdaBN is therefore contained in the three others, and it is the row that they must beat. All three take $\lambda = 1$, the plain value of the papers, which rises from 0 with Ganin's
# schedule. No target label chose it.
#
# The critic is trained here in another way than by reversal: by two terms, one for the critic with the features held fixed, and one for the body with the critic held fixed. The gradients are the same.

# %% tags=["demo"]
def batches(n: int, size: int, rng: torch.Generator):
    return torch.randint(0, n, (size,), generator=rng)


def covariance_gap(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Deep CORAL's loss: squared Frobenius distance of the covariances of two batches (n, d), over 4 d^2."""
    return ((torch.cov(a.T) - torch.cov(b.T)) ** 2).sum() / (4 * a.shape[1] ** 2)


def kernel_gap(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Biased squared MMD of two batches with a sum of Gaussian kernels around the median distance."""
    both = torch.cat([a, b])
    square = torch.cdist(both, both) ** 2
    width = square.detach()[~torch.eye(len(both), dtype=torch.bool)].median()
    kernel = sum(torch.exp(-square / (width * factor)) for factor in (0.5, 1.0, 2.0)) / 3
    n = len(a)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()

# %% tags=["demo"]
ADAPTING_STEPS = run.pick(ci=60, laptop=250)


def fit_aligned(start: LesionNet, source: Site, target: torch.Tensor, seed: int, gap, strength: float = 1.0, steps: int = ADAPTING_STEPS) -> LesionNet:
    """From the source network on: label loss of the source, plus strength times a gap between the features of both domains, rising from 0 as in DANN."""
    rng, net = torch.Generator().manual_seed(seed), copy.deepcopy(start).train()
    trained = [*net.parameters(), *(gap.parameters() if isinstance(gap, nn.Module) else [])]
    optimizer = torch.optim.AdamW(trained, lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step in range(steps):
        rows = batches(len(source.images), 32, rng)
        x, y = source.images[rows], target[batches(len(target), 32, rng)]
        if torch.rand(1, generator=rng) < 0.5:
            x, y = x.flip(-1), y.flip(-1)
        a, b = net.body(x), net.body(y)  # each domain by its own batch statistics
        loss = F.binary_cross_entropy_with_logits(net.head(a)[:, 0], source.labels[rows].float())
        now = strength * (2 / (1 + np.exp(-10 * step / steps)) - 1)
        loss = loss + (gap(a, b, now) if isinstance(gap, nn.Module) else now * gap(a, b))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return with_statistics_of(net, target)


def with_statistics_of(net: LesionNet, images: torch.Tensor) -> LesionNet:
    """A copy in eval mode whose batch norms hold the statistics of these images (torch.optim.swa_utils does the counting)."""
    made = copy.deepcopy(net)
    torch.optim.swa_utils.update_bn([images], made)
    return made.eval()

# %% tags=["demo"]
class Critic(nn.Module):
    """Domain discriminator. `forward` gives the loss that trains it AND the body against it: two terms instead of a reversed gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1))

    def loss(self, a: torch.Tensor, b: torch.Tensor, frozen: bool) -> torch.Tensor:
        weights = {name: value.detach() if frozen else value for name, value in self.net.named_parameters()}
        says = torch.func.functional_call(self.net, weights, (torch.cat([a, b]),))[:, 0]
        return F.binary_cross_entropy_with_logits(says, torch.cat([torch.zeros(len(a)), torch.ones(len(b))]))

    def forward(self, a: torch.Tensor, b: torch.Tensor, strength: float) -> torch.Tensor:
        return self.loss(a.detach(), b.detach(), frozen=False) - strength * self.loss(a, b, frozen=True)

# %% tags=["demo"]
def new_critic(seed: int) -> Critic:
    torch.manual_seed(1000 + seed)
    return Critic()


aligned_nets, critics = defaultdict(dict), {seed: new_critic(seed) for seed in SEEDS}
for seed in SEEDS:
    aligned_nets["DANN"][seed] = fit_aligned(source_nets[seed], study["source train"], target_images, seed, critics[seed])
    aligned_nets["deep CORAL"][seed] = fit_aligned(source_nets[seed], study["source train"], target_images, seed, covariance_gap)
    aligned_nets["deep MMD"][seed] = fit_aligned(source_nets[seed], study["source train"], target_images, seed, kernel_gap)
    aligned_nets["AdaBN"][seed] = with_statistics_of(source_nets[seed], target_images)
for method, nets in aligned_nets.items():
    for net in nets.values():
        enter(method, logits_of(net, study["target test"].images))
show_board(["source-only", *aligned_nets, "target-only (upper bound)"])

# %% tags=["demo"]
from sklearn.decomposition import PCA

fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.2), layout="constrained")
for ax, (name, net) in zip(axes, {"source-only": source_nets[SEED], "AdaBN": aligned_nets["AdaBN"][SEED], "DANN": aligned_nets["DANN"][SEED]}.items(), strict=True):
    from_a = logits_of(with_statistics_of(net, source_images).body if name == "DANN" else source_nets[SEED].body, study["source val"].images)
    from_b = logits_of(net.body, study["target test"].images[: len(from_a)])
    flat = PCA(2).fit(np.concatenate([from_a, from_b]))
    for features, labels, colour, word in ((from_a, study["source val"].labels, show.PALETTE[0], "A"), (from_b, study["target test"].labels[: len(from_a)], show.PALETTE[3], "B")):
        for label, marker in ((0, "o"), (1, "^")):
            x = flat.transform(features[labels.numpy() == label])
            ax.scatter(x[:, 0], x[:, 1], s=18, marker=marker, facecolor=colour if word == "A" else "none", edgecolor=colour, linewidth=0.9, alpha=0.7, label=f"{word}, {'lesion' if label else 'healthy'}")
    ax.set(title=name, xticks=[], yticks=[])
axes[0].legend(fontsize=8)
show.figure(fig, alt="Features of validation patients of scanner A and test patients of scanner B in two principal components, for three networks. For source-only the two scanners form separate clouds; after AdaBN and after DANN circles lie with circles and triangles with triangles.")
with torch.no_grad():
    losses = []
    for seed, net in aligned_nets["DANN"].items():
        from_a, from_b = with_statistics_of(net, source_images).body(source_images), net.body(target_images)  # each by its own statistics, as in training
        losses.append(float(critics[seed].loss(from_a, from_b, frozen=True)))
print(f"the critic's loss after DANN: {np.mean(losses):.3f} nats; a critic at chance has ln 2 = {np.log(2):.3f}")

# %% [markdown]
# AdaBN has trained nothing, and closes most of the gap in AUC. The trained alignments add to it what the table shows, and with three seeds you can't order them among each other. The critic of DANN ends at chance: the features of the two scanners can no longer be told apart, at least not by this critic.
#
# Look at the pictures once more. In the first, the healthy of scanner B lie where no patient of A lies: the head had never been asked about that place. In the other two, circles lie on circles and triangles on triangles. No method was told to put them so. They came to lie so because both scanners saw equally many sick patients, which you can't take for granted.

# %% [markdown]
# ### The look of a scanner in its spectrum: Fourier amplitude
#
# Take the Fourier transform of an image, $F = A\, e^{i\varphi}$. Where edges and organs lie is written mostly into the phase $\varphi$; how bright and how contrasted the large structures are, into the **amplitude** $A$ of the low frequencies. Yang and Soatto (CVPR 2020) give source images the low-frequency amplitude of random target images, keep the
# source's phase *and its labels*, and train on the result. No critic, no new loss: the adaptation is in the data.
#
# How low is low? Count $k$ waves over the image's side. With `reach` 0 only the mean brightness changes hands; with `reach` at half the image's side the whole amplitude does, and the noise and the texture of the target come along with rings of its anatomy.

# %% [markdown]
# ### Exercise 10.3c - amplitude swap
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can give an image the look of another scanner and prove that its anatomy stayed*
#
# Write `swap_amplitude(source, target, reach)`: the spectrum of `source`, in which the *amplitude* of the low frequencies is replaced by that of `target`, turned back into an image. **Low** means $|k_r| \le$ `reach` and $|k_c| \le$ `reach`, where $k_r$ and $k_c$ count the waves over the height
# and over the width of the image; `reach` 0 is the mean alone. The phase stays that of the source everywhere.
#
# <details><summary>Hint 1: the idea</summary>A spectrum is amplitude times $e^{i\,\text{phase}}$. Exchange one factor in a square around the frequency 0, keep the other.</details>
# <details><summary>Hint 2: what to call</summary><code>np.fft.fft2</code>, <code>np.abs</code>, <code>np.angle</code>. <code>np.fft.fftfreq(n, 1 / n)</code> gives k for each row or column, so no shift is needed. With <code>np.fft.fftshift</code> the frequency 0 lies at <code>n // 2</code>, and the square reaches from <code>-reach</code> to <code>+reach</code>, both included.</details>
# <details><summary>My image has an imaginary part</summary>A real image needs $F(-k) = \overline{F(k)}$. A square that holds k but not -k breaks it: is the last row or column missing? (Slices end before their last index.)</details>
# <details><summary>My image shows the target's anatomy</summary>You kept the wrong phase. Edges live in the phase.</details>

# %% nbgrader={"grade": false, "grade_id": "amplitude-swap", "locked": false, "schema_version": 3, "solution": true, "task": false}
def swap_amplitude(source: np.ndarray, target: np.ndarray, reach: int) -> np.ndarray:
    """The source image with the low-frequency amplitude of the target (Yang and Soatto, CVPR 2020).

    Args:
        source, target: (H, W) intensities.
        reach: largest |k| that counts as low, in waves an image side; a whole number, at least 0.

    Returns:
        (H, W) real intensities.

    Raises:
        ValueError: the shapes differ or are not two-dimensional, reach is negative, or a value is not finite.
    """
    ### BEGIN SOLUTION
    source, target = np.asarray(source, dtype=float), np.asarray(target, dtype=float)
    if source.shape != target.shape or source.ndim != 2:
        raise ValueError(f"source {source.shape} and target {target.shape} must be two images of one shape")
    if reach < 0 or not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("reach must be at least 0, and every intensity finite")
    spectrum = np.fft.fft2(source)
    rows, cols = (np.abs(np.fft.fftfreq(n, 1 / n)) <= reach + 0.5 for n in source.shape)
    amplitude = np.where(np.outer(rows, cols), np.abs(np.fft.fft2(target)), np.abs(spectrum))
    return np.fft.ifft2(amplitude * np.exp(1j * np.angle(spectrum))).real
    ### END SOLUTION

# %% tags=["given"]
def two_films(shape: tuple, seed: int) -> tuple:
    """Two different positive images of that shape."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.2, 1.0, shape), 2.5 * rng.uniform(0.1, 1.0, shape) ** 2 + 0.3


def low_square(shape: tuple, reach: int) -> np.ndarray:
    """Which entries of np.fft.fft2 are low: bool, zero frequency at [0, 0]."""
    rows, cols = (np.array([min(k, n - k) <= reach for k in range(n)]) for n in shape)
    return rows[:, None] & cols[None]

# %% nbgrader={"grade": true, "grade_id": "amplitude-swap-low", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Inside the square: the target's amplitude
a, b = two_films((12, 12), seed=1)
low = low_square((12, 12), 2)
out = swap_amplitude(a.copy(), b.copy(), 2)
assert np.shape(out) == (12, 12), f"return an image of the same shape, (12, 12), not {np.shape(out)}"
assert not np.iscomplexobj(out), "the image is complex: after the inverse transform take the real part (not the absolute value, which turns dark into bright)"
got, of_a, of_b = np.abs(np.fft.fft2(out)), np.abs(np.fft.fft2(a)), np.abs(np.fft.fft2(b))
assert not np.allclose(got, of_a), "the amplitude is still the source's everywhere: nothing was swapped"
assert not (np.allclose(got[~low], of_b[~low]) and np.allclose(got[low], of_a[low])), "you swapped the high frequencies and kept the low ones: it is the other way round"
assert not np.allclose(got[low], (of_a[low] + of_b[low]) / 2), "you averaged the amplitudes: replace that of the source"
assert np.isclose(got[0, 0], of_b[0, 0]), "the frequency 0 must be the target's. Where does your transform put it? Without a shift at [0, 0], with fftshift in the middle"
assert np.allclose(got[low], of_b[low], atol=1e-4), "within |k| <= 2 the amplitude should be the target's, at negative frequencies too: is your square symmetric, with both ends?"
### BEGIN HIDDEN TESTS
for shape, reach, seed in (((9, 14), 1, 2), ((15, 10), 3, 3), ((7, 7), 0, 4), ((16, 16), 5, 5)):
    a, b = two_films(shape, seed)
    low = low_square(shape, reach)
    got = np.abs(np.fft.fft2(swap_amplitude(a.copy(), b.copy(), reach)))
    assert np.allclose(got[low], np.abs(np.fft.fft2(b))[low], atol=1e-4), f"for an image of {shape} and reach {reach} the low amplitudes are not the target's"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "amplitude-swap-high", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Outside the square: the source's amplitude, untouched
a, b = two_films((12, 12), seed=6)
low = low_square((12, 12), 2)
got, of_a, of_b = np.abs(np.fft.fft2(np.asarray(swap_amplitude(a.copy(), b.copy(), 2)))), np.abs(np.fft.fft2(a)), np.abs(np.fft.fft2(b))
assert np.isclose(got[0, 0], of_b[0, 0]), "the frequency 0 should be the target's: swap something first"
assert not np.allclose(got[~low], of_b[~low]), "you swapped the whole amplitude: beyond reach it stays the source's, where edges and small lesions live"
assert np.allclose(got[~low], of_a[~low], atol=1e-4), "beyond |k| = 2, in rows or in columns, the amplitude should stay the source's: does your square reach too far?"
### BEGIN HIDDEN TESTS
for shape, reach, seed in (((9, 14), 1, 7), ((16, 11), 2, 8), ((8, 8), 0, 9)):
    a, b = two_films(shape, seed)
    low = low_square(shape, reach)
    got = np.abs(np.fft.fft2(np.asarray(swap_amplitude(a.copy(), b.copy(), reach))))
    assert np.isclose(got[0, 0], np.abs(np.fft.fft2(b))[0, 0]), f"for an image of {shape} the frequency 0 should be the target's"
    assert np.allclose(got[~low], np.abs(np.fft.fft2(a))[~low], atol=1e-4), f"for an image of {shape} and reach {reach} the high amplitudes should stay the source's"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "amplitude-swap-phase", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The phase: the anatomy is the source's, at every frequency
a, b = two_films((12, 10), seed=10)
out = np.asarray(swap_amplitude(a.copy(), b.copy(), 2))
turn = np.fft.fft2(out) * np.conj(np.fft.fft2(a))  # real and positive where the phases agree
turn_b = np.fft.fft2(out) * np.conj(np.fft.fft2(b))
assert np.isclose(out.mean(), b.mean()), f"the mean should become the target's, {b.mean():.4f}, not {out.mean():.4f}"
low = low_square((12, 10), 2)
assert not np.allclose(np.angle(turn_b[low]), 0, atol=1e-5), "in the square you took the target's phase too: that pastes its anatomy into the patient. Swap the amplitude alone"
assert np.allclose(turn / np.abs(turn), 1, atol=1e-4), "the phase should be the source's at every frequency"
assert np.allclose(swap_amplitude(a.copy(), a.copy(), 3), a, atol=1e-5), "an image swapped with itself must not change"
assert np.allclose(swap_amplitude(a - 0.6, a - 0.6, 3), a - 0.6, atol=1e-5), "an image with values below 0 (a z-scored one) swapped with itself must not change: take the real part of the inverse transform, not its absolute value"
### BEGIN HIDDEN TESTS
for seed in (11, 12):
    a, b = two_films((11, 16), seed)
    kept = a.copy()
    out = np.asarray(swap_amplitude(a, b, 3))
    assert np.array_equal(a, kept), "the source was changed in place"
    turn = np.fft.fft2(out) * np.conj(np.fft.fft2(kept))
    assert np.isclose(out.mean(), b.mean()) and np.allclose(turn / np.abs(turn), 1, atol=1e-4), "on other images the phase is not the source's"
    assert np.allclose(swap_amplitude(kept, 3 * kept, 0), kept + 2 * kept.mean(), atol=1e-5), "with reach 0 only the mean may change"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "amplitude-swap-bad-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: two sizes, a broken pixel, a negative reach. (Good input first.)
a, b = two_films((6, 8), seed=13)
assert np.isclose(np.mean(swap_amplitude(a.copy(), b.copy(), 1)), b.mean()), "good input must still work: the mean becomes the target's"
refused = False
try:
    swap_amplitude(a.copy(), b[:, :7].copy(), 1)
except ValueError:
    refused = True
assert refused, "two images of different shapes must raise a ValueError"
### BEGIN HIDDEN TESTS
broken = b.copy()
broken[2, 3] = np.nan
for first, second, reach in ((a, broken, 1), (broken, b, 1), (a, b, -1), (a[0], b[0], 1)):
    refused = False
    try:
        swap_amplitude(first.copy(), second.copy(), reach)
    except ValueError:
        refused = True
    assert refused, "a nan, a negative reach, or an array that is no image must raise a ValueError"
### END HIDDEN TESTS

# %% tags=["demo"]
def low_amplitude(images: torch.Tensor, styles: torch.Tensor, reach: int) -> torch.Tensor:
    """Spectra of images (N, 1, H, W), with the low frequencies rescaled to the amplitude that styles (N, 1, H, W) have there."""
    spectrum, wanted = torch.fft.fft2(images), torch.fft.fft2(styles)
    near = [(torch.fft.fftfreq(n, 1 / n).abs() <= reach) for n in images.shape[-2:]]
    low = near[0][:, None] & near[1][None]
    ratio = torch.where(low, wanted.abs() / spectrum.abs().clamp_min(1e-8), torch.ones(()))
    return torch.fft.ifft2(spectrum * ratio).real


fourier_nets = {}
for seed in SEEDS:
    rows = torch.randint(0, len(target_images), (len(source_images),), generator=torch.Generator().manual_seed(seed))
    fourier_nets[seed] = fit_net(low_amplitude(source_images, target_images[rows], 2), source_labels, seed, steps=ADAPTING_STEPS, start=source_nets[seed])
    enter("Fourier amplitude", logits_of(fourier_nets[seed], study["target test"].images))
    enter("Fourier amplitude + AdaBN", logits_of(with_statistics_of(fourier_nets[seed], target_images), study["target test"].images))

# %% [markdown]
# Move `reach` from 0 to 20. Look for two things: what changes at 0 (the mean alone), and when rings and shadows of the *other* patient begin to show.

# %% tags=["demo"]
example_a, example_b = study["source val"].images[1:2], target_images[5:6]


def draw_reach(reach: int):
    swapped = low_amplitude(example_a, example_b, reach)
    fig, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
    pictures = (("scanner A: gives phase and label", example_a), ("scanner B: gives amplitude", example_b), (f"swapped, reach {reach}", swapped), ("swapped - scanner A (grey: 0)", swapped - example_a))
    for ax, (title, image) in zip(axes, pictures, strict=True):
        ax.imshow(image[0, 0], **({"vmin": -0.6, "vmax": 0.6} if " - " in title else {"vmin": 0, "vmax": 1.6}))
        ax.set(title=title, xticks=[], yticks=[])
        ax.title.set_fontsize(9)
    return fig


show.explore(draw_reach, alt="Four images: a slice of scanner A, another patient's slice of scanner B, the first slice with the low-frequency amplitude of the second, and the difference. The anatomy stays that of scanner A, brightness and contrast become those of B.", reach=[2, 0, 1, 5, 20])

# %% [markdown]
# ### Learning from its own guesses: self-training
#
# The adapted network is right about most target patients. **Self-training** takes the predictions of which it is surest as labels (**pseudo-labels**), trains on them together with the source, and repeats. It is the semi-supervised idea of lecture 7, with one difference that matters: there labelled and unlabelled patients came from one scanner. Here the
# network's confidence was learned on another machine, and a wrong label of which it is sure is learned by heart. So *which* to trust is the whole art.

# %% [markdown]
# ### Exercise 10.3d - which pseudo-labels to trust
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can feed a network its own predictions without starving the rare class*
#
# Write `pick_pseudo_labels(probabilities, share)`. Each patient's pseudo-label is the most probable class. **Of each predicted class**, keep the most confident patients: the fraction `share` of those predicted as that class, rounded *up*, so that a class that was predicted at all keeps at least one.
# Count them off: of equally confident patients the earlier rows stay, and no more than that number.
#
# Why by class? A shifted network leans to one side: on scanner B the source network calls nearly every patient healthy, and is sure of it. One threshold for all then selects the healthy alone, and the next round learns that nobody is ill.
#
# <details><summary>Hint 1: the idea</summary>Split the patients by what was predicted. Rank each group by its own confidence, and cut each at its own place.</details>
# <details><summary>Hint 2: what to call</summary><code>probabilities.argmax(1)</code>, <code>probabilities.max(1)</code>, <code>np.argsort(..., kind="stable")</code>, <code>np.ceil</code>. Mind rounding: <code>0.1 * 30</code> is a little above 3; subtract 1e-9 before you round up.</details>
# <details><summary>A patient is picked twice, with two labels</summary>You ranked all patients by each column. Rank only those whose prediction is that class.</details>

# %% nbgrader={"grade": false, "grade_id": "pseudo-labels", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pick_pseudo_labels(probabilities: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The most confident patients of each predicted class, with their pseudo-labels.

    Args:
        probabilities: (N, K), each row sums to 1; no true label is known.
        share: fraction of each predicted class to keep, above 0 and at most 1; the number is rounded up.

    Returns:
        rows (M,), increasing, and their labels (M,), int. Exactly that number of each class is kept: of equally confident patients the earlier rows.

    Raises:
        ValueError: share is outside (0, 1], a value is not finite, or a row doesn't sum to 1 (within 1e-3).
    """
    ### BEGIN SOLUTION
    p = np.asarray(probabilities, dtype=float)
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], not {share}")
    if p.ndim != 2 or not np.isfinite(p).all() or not np.allclose(p.sum(1), 1, atol=1e-3):
        raise ValueError("probabilities must be (N, K), finite, and sum to 1 in each row: were they logits?")
    labels, confidence = p.argmax(1), p.max(1)
    rows = []
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        best = mine[np.argsort(-confidence[mine], kind="stable")]
        rows += best[: int(np.ceil(share * len(mine) - 1e-9))].tolist()
    rows = np.array(sorted(rows), dtype=int)
    return rows, labels[rows]
    ### END SOLUTION

# %% tags=["given"]
def leaning_predictions(n: int, k: int, lean: float, seed: int) -> np.ndarray:
    """(n, k) probabilities of a network that leans to class 0."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n, k)) + lean * (np.arange(k) == 0)
    p = np.exp(logits - logits.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)

# %% nbgrader={"grade": true, "grade_id": "pseudo-labels-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Six patients by hand: four are called healthy (0), two ill (1); half of each group stays, so two and one
toy = np.array([[0.95, 0.05], [0.60, 0.40], [0.90, 0.10], [0.85, 0.15], [0.45, 0.55], [0.30, 0.70]])
rows, labels = pick_pseudo_labels(toy.copy(), 0.5)
rows, labels = np.asarray(rows), np.asarray(labels)
assert rows.shape == labels.shape and rows.ndim == 1, f"return two flat arrays of one length, not {rows.shape} and {labels.shape}"
assert sorted(rows.tolist()) != [0, 2, 3], "rows 0, 2, 3 are the surest three of all, and all healthy: rank each predicted class by itself"
assert sorted(rows.tolist()) != [1, 3, 4], "those are the least confident ones: keep the surest"
assert rows.tolist() == [0, 2, 5], f"rows 0 and 2 (healthy) and 5 (ill) should stay, in increasing order, not {rows.tolist()}"
assert labels.tolist() == [0, 0, 1], f"the pseudo-labels should be 0, 0, 1, not {labels.tolist()}"
### BEGIN HIDDEN TESTS
three = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3], [0.3, 0.6, 0.1], [0.25, 0.05, 0.7]])
rows, labels = pick_pseudo_labels(three.copy(), 0.5)
assert np.asarray(rows).tolist() == [1, 2, 3] and np.asarray(labels).tolist() == [2, 0, 1], "with three classes rows 1, 2, 3 should stay, with the labels 2, 0, 1: the most probable class, and that need not pass one half"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pseudo-labels-classes", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A leaning network: the rare class keeps its share, at least one, and nobody is picked twice
p = leaning_predictions(200, 2, 3.0, seed=1)
called = p.argmax(1)
rows, labels = (np.asarray(part) for part in pick_pseudo_labels(p.copy(), 0.2))
counts, wanted = [int((labels == c).sum()) for c in (0, 1)], [int(np.ceil(0.2 * (called == c).sum() - 1e-9)) for c in (0, 1)]
assert len(np.unique(rows)) == len(rows), "a patient was picked twice: each belongs to the class that was predicted for it"
assert np.array_equal(labels, called[rows]), "a pseudo-label is the most probable class of that patient"
assert counts[1] > 0, "nobody who was called ill was picked: the next round will learn that everyone is healthy"
assert counts == wanted, f"of {(called == 0).sum()} called healthy and {(called == 1).sum()} called ill, {wanted} should stay, not {counts}: a fifth of each, rounded up"
tied = np.array([[0.9, 0.1]] * 4 + [[0.4, 0.6]])
rows = np.asarray(pick_pseudo_labels(tied.copy(), 0.5)[0])
assert len(rows) != 5, "four tie as healthy, half of them stay, and you keep all four: a threshold with >= keeps all who tie. Count patients off"
assert len(rows) >= 3, f"four tie as healthy, one is called ill: half of each, rounded up, is two and one, and you keep {len(rows)} in all. A threshold with > drops all who tie: count patients off"
assert len(rows) == 3, "four are called healthy, one ill: half of each is two and one. Subtract a little before you round up, so that a whole number stays what it is"
assert rows.tolist() == [0, 1, 4], f"of equally confident patients the earlier rows should stay: 0, 1 and 4, not {rows.tolist()}"
### BEGIN HIDDEN TESTS
for seed, k, share in ((2, 3, 0.1), (3, 4, 0.35), (4, 2, 1.0)):
    p = leaning_predictions(150, k, 2.0, seed)
    called, sure = p.argmax(1), p.max(1)
    rows, labels = (np.asarray(part) for part in pick_pseudo_labels(p.copy(), share))
    for c in range(k):
        mine = np.flatnonzero(called == c)
        best = mine[np.argsort(-sure[mine])][: int(np.ceil(share * len(mine) - 1e-9))]
        assert sorted(rows[labels == c].tolist()) == sorted(best.tolist()), f"with {k} classes and a share of {share} the choice within a class is off"
one_ill = np.array([[0.9, 0.1]] * 30 + [[0.4, 0.6]])
rows, labels = (np.asarray(part) for part in pick_pseudo_labels(one_ill, 0.1))
assert 30 in rows.tolist(), "the only patient called ill should be kept: a tenth of one is rounded up"
assert len(rows) == 4, f"a tenth of 30 is 3, not {len(rows) - 1}: subtract a little before you round up"
assert rows.tolist() == [0, 1, 2, 30], "of equally confident patients the earlier rows should stay"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pseudo-labels-bad-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: logits instead of probabilities, a share outside (0, 1]. (Good input first.)
toy = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
rows, labels = pick_pseudo_labels(toy.copy(), 1.0)
assert np.asarray(rows).tolist() == [0, 1, 2] and np.asarray(labels).tolist() == [0, 1, 0], "with a share of 1 everybody stays"
refused = False
try:
    pick_pseudo_labels(np.array([[2.0, -1.0], [0.5, 3.0]]), 0.5)
except ValueError:
    refused = True
assert refused, "rows that don't sum to 1 are logits: raise a ValueError"
### BEGIN HIDDEN TESTS
for p, share in ((toy, 0.0), (toy, 1.2), (np.array([[np.nan, 0.5], [0.5, 0.5]]), 0.5), (toy, -0.1)):
    refused = False
    try:
        pick_pseudo_labels(p.copy(), share)
    except ValueError:
        refused = True
    assert refused, "a share outside (0, 1], or a nan, must raise a ValueError"
### END HIDDEN TESTS

# %% tags=["demo"]
def balanced_picks(logits: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and pseudo-labels: of each half of the ranking, the outer share. The half is a rule of this demonstration; the exercise does without."""
    order, n = np.argsort(logits), int(share * len(logits) / 2)
    return np.concatenate([order[:n], order[-n:]]), np.repeat([0, 1], n)


def self_train(net: LesionNet, seed: int, rounds: int = 2, share: float = 0.4, steps: int = TRAINING_STEPS // 5) -> LesionNet:
    """Label what you are sure of, learn from it together with the source, and again."""
    made, rng = copy.deepcopy(net), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(made.parameters(), lr=2e-3)
    for _ in range(rounds):
        rows, guessed = balanced_picks(logits_of(made.eval(), target_images), share)
        pool, guess = target_images[torch.from_numpy(rows)], torch.from_numpy(guessed).float()
        made.train()
        for _ in range(steps):
            ours, theirs = batches(len(source_images), 32, rng), batches(len(pool), 32, rng)
            loss = F.binary_cross_entropy_with_logits(made(source_images[ours]), source_labels[ours].float())
            loss = loss + F.binary_cross_entropy_with_logits(made(pool[theirs]), guess[theirs])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        made = with_statistics_of(made, target_images)
        optimizer = torch.optim.AdamW(made.parameters(), lr=2e-3)
    return made


self_nets = {seed: self_train(aligned_nets["AdaBN"][seed], seed) for seed in SEEDS}
for net in self_nets.values():
    enter("self-training after AdaBN", logits_of(net, study["target test"].images))
show_board(["source-only", "AdaBN", "Fourier amplitude", "Fourier amplitude + AdaBN", "self-training after AdaBN", "target-only (upper bound)"])

# %% [markdown]
# Both are cheap, and both do well here. Fourier amplitude shows the network its own labels in the other scanner's light; self-training begins where AdaBN ends. Self-training can also *only* begin there: fed with the predictions of the source-only network, it would learn from a half of patients whose ranking is hardly better than chance.

# %% [markdown]
# ### Redrawing the images: translation
#
# Why not redraw each slice of scanner B as scanner A would have shown it? No patient was scanned by both, so there are no pairs. **CycleGAN** (Zhu and others, ICCV 2017) learns from two unpaired archives: a translator $G_{B \to A}$ whose results a judge can't tell from real slices of A, its counterpart $G_{A \to B}$, and the demand that there and back again returns
# the same slice, $\lVert G_{A \to B}(G_{B \to A}(x)) - x \rVert_1$ small.
#
# The judge compares **archives**, not patients. If the archive of scanner A held only healthy volunteers, a slice with a lesion would never "look like A", and a strong enough translator would be paid for removing it. Cohen, Luck and Honari (MICCAI 2018) showed both: tumours that vanish, and tumours that appear. So a translator has to be asked two things that no judge asks: does a lesion stay,
# and does the redrawn healthy patient stay healthy? The simulator lets us do what no hospital can, image the same patient with and without the lesion, on both scanners.
#
# Our translator is small (three convolutions) and sees both diagnoses in both archives.
#
# **Predict before you run.** It is trained once. Will it come nearer to the true slice of scanner A than histogram matching does? Which share of a lesion's contrast is left? And how many healthy people will the old network call ill when it reads the redrawn slices?

# %% tags=["demo"]
class Translator(nn.Module):
    """(B, 1, H, W) -> the same shape: the slice plus what three convolutions add. Four neighbours are four channels, which is cheaper."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(4, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, 4, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + F.pixel_shuffle(self.net(F.pixel_unshuffle(x, 2)), 2)


def patch_judge() -> nn.Sequential:
    """(B, 1, H, W) -> a score for each patch of it: does it look like this scanner?"""
    return nn.Sequential(nn.Conv2d(1, 12, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(12, 24, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(24, 1, 3, 1, 1))


def crops(images: torch.Tensor, count: int, rng: torch.Generator, size: int = 20) -> torch.Tensor:
    """(count, 1, size, size) a piece of `count` random slices, all at one even place within the head: a quarter of the work."""
    row, col = (2 * int(v) for v in torch.randint(2, (SIZE - size) // 2 - 1, (2,), generator=rng))
    return images[batches(len(images), count, rng)][..., row : row + size, col : col + size]

# %% tags=["demo"]
def fit_cycle(a: torch.Tensor, b: torch.Tensor, seed: int, steps: int, cycle: float = 5.0) -> tuple[Translator, Translator]:
    """CycleGAN with least-squares losses, from unpaired slices: translators b -> a and a -> b."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    to_a, to_b, judge_a, judge_b = Translator(), Translator(), patch_judge(), patch_judge()
    makers = torch.optim.Adam([*to_a.parameters(), *to_b.parameters()], lr=3e-3, betas=(0.5, 0.99))
    judges = torch.optim.Adam([*judge_a.parameters(), *judge_b.parameters()], lr=3e-3, betas=(0.5, 0.99))
    for _ in range(steps):
        x, y = crops(a, 16, rng), crops(b, 16, rng)
        as_a, as_b = to_a(y), to_b(x)
        loss = ((judge_a(as_a) - 1) ** 2).mean() + ((judge_b(as_b) - 1) ** 2).mean()
        loss = loss + cycle * ((to_a(as_b) - x).abs().mean() + (to_b(as_a) - y).abs().mean())
        makers.zero_grad()
        loss.backward()
        makers.step()
        judged = sum(((judge(real) - 1) ** 2).mean() + (judge(fake.detach()) ** 2).mean() for judge, real, fake in ((judge_a, x, as_a), (judge_b, y, as_b)))
        judges.zero_grad()
        judged.backward()
        judges.step()
    return to_a.eval(), to_b.eval()


translator, back_again = fit_cycle(source_images, target_images, SEED, steps=run.pick(ci=150, laptop=900))

# %% tags=["demo"]
def twins(scanner: Scanner, numbers: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """The same people with and without their lesion, (N, 1, SIZE, SIZE) each: what no hospital has, and a simulator does."""
    both = [[acquire(clean_patient(int(n), sick), scanner, int(n)) for n in numbers] for sick in (True, False)]
    return tuple(torch.from_numpy(np.stack(images))[:, None] for images in both)


few = study["target test"].patients[study["target test"].labels.numpy() == 1][:40]
(with_a, without_a), (with_b, without_b) = twins(SCANNER_A, few), twins(SCANNER_B, few)
planted = torch.from_numpy(np.stack([clean_patient(int(n), True) - clean_patient(int(n), False) for n in few]))[:, None] > 0.2
redraw = {"as scanner B shows it": lambda x: x, "histogram matching": lambda x: match_to_pool(x, source_images), "CycleGAN": lambda x: translator(x).detach()}
error_to_a, contrast_kept, invented = {}, {}, {}
healthy_b = study["target test"].images[study["target test"].labels == 0]
print(f"{'':24s} error to scanner A   lesion contrast kept   healthy people called a lesion")
for name, how in redraw.items():
    error_to_a[name] = float(((how(without_b) - without_a) ** 2).mean().sqrt())
    contrast_kept[name] = float((how(with_b) - how(without_b))[planted].mean() / (with_a - without_a)[planted].mean())
    invented[name] = float(np.mean([(logits_of(net, how(healthy_b)) > 0).mean() for net in source_nets.values()]))
    print(f"{name:24s} {error_to_a[name]:18.3f} {contrast_kept[name]:22.0%} {invented[name]:32.0%}")
at_home_alarms = float(np.mean([(logits_of(net, study["source test"].images[study["source test"].labels == 0]) > 0).mean() for net in source_nets.values()]))
print(f"the same healthy people as scanner A really shows them: {at_home_alarms:.0%} called a lesion")
for net in source_nets.values():
    enter("CycleGAN", logits_of(net, redraw["CycleGAN"](study["target test"].images)))
show_board(["source-only", "histogram matching", "AdaBN", "CycleGAN"])
assert error_to_a["CycleGAN"] < 0.8 * error_to_a["as scanner B shows it"], "the translator should have learned to draw slices that come nearer to scanner A"

# %% tags=["demo"]
fig, axes = plt.subplots(3, 4, figsize=(8.6, 6.2), layout="constrained")
shown = int(planted.flatten(1).sum(1).argmax())
pictures = {name: (how(with_b), how(without_b)) for name, how in redraw.items()} | {"scanner A, the truth": (with_a, without_a)}
for column, (name, (ill, well)) in zip(axes.T, pictures.items(), strict=True):
    column[0].imshow(ill[shown, 0], vmin=0, vmax=1.8)
    column[1].imshow((ill - well)[shown, 0], vmin=-0.6, vmax=0.6)
    column[2].imshow((well - without_a)[shown, 0], vmin=-0.6, vmax=0.6)
    column[0].set_title(name, fontsize=9)
    for ax in column[:2]:
        show.outline(ax, planted[shown, 0])
    for ax in column:
        ax.set(xticks=[], yticks=[])
for ax, word in zip(axes[:, 0], ("the patient", "what the lesion adds\n(grey: nothing)", "without the lesion: error\nto scanner A (grey: none)"), strict=True):
    ax.set_ylabel(word, fontsize=9)
show.figure(fig, alt="One patient by scanner B, after histogram matching, after CycleGAN, and by scanner A. Second row: the difference that the lesion makes in each, present in all. Third row: the error against scanner A without the lesion; after CycleGAN it lies mostly along folds and ventricles, whose sharp edges the translator does not bring back.")

# %% [markdown]
# Read the three columns apart. The translator learned something: its slices come much nearer to those of scanner A (histogram matching, which has nothing to learn, comes nearer still). It keeps the lesions; it is too small, and the demand to come back is too strong, to remove one. But look at the last column, and at the last row of the figure. What it draws is *plausible* brightness, not this patient's: the thin folds and the rim of the ventricles that blur has
# destroyed don't come back, the background gets a faint grid, and where tissue turns out a little too bright, the old network finds lesions in people who have none. **These are its hallucinations**, and neither the judge nor the round trip noticed them. Histogram matching does the same for a simpler reason: it stretches a blurred image until its histogram has the bright end of a sharp one. A redrawn image is a computed image; no one
# should read it as an acquisition.

# %% [markdown]
# **Checkpoint.** A vendor offers a "harmonisation network" that makes the slices of every scanner look like those of a research centre. Its demonstration shows pairs of beautiful images, and a judge network that can't tell them from real ones. Which two questions do you ask?
#
# <details><summary>Answer</summary>Who was in the two archives: if patients in one and volunteers in the other, the network was paid for hiding disease. And what happens to findings: not the look, but the contrast of known lesions before and after (a phantom or planted lesions, patients scanned on both machines), and the detection rate on real ones. That a judge is fooled says
# that the archives look alike, which a network can reach by inventing and erasing.</details>

# %% [markdown]
# ## 10.4 Challenge and future direction
#
# ### Without the source, while it works: test-time adaptation
#
# A network is sold; the patients that it was trained on are not, and may not be. **Source-free** adaptation has the network and unlabelled target images, nothing else (Liang, Hu and Feng, ICML 2020). **Test-time** adaptation has even less: today's batch of patients. AdaBN and histogram matching's cousin, the z-score, are source-free already.
#
# **TENT** (Wang and others, ICLR 2021) does two things with each batch: its batch norms normalise by the batch itself, and their scales and offsets take a step that makes the predictions *surer*, that is, lowers their mean entropy
#
# $$\bar H = -\frac1B \sum_{i=1}^{B} \sum_{k=1}^{K} p_{ik} \ln p_{ik}$$
#
# Only $\gamma$ and $\beta$ of the batch norms move: a few dozen numbers. There is a reason for such thrift. Entropy has two kinds of minimum: every patient classified clearly, and *every patient classified alike*. With all weights free and enough steps, the second is the easier one.

# %% [markdown]
# ### Exercise 10.4a - one step of TENT
#
# Difficulty 4 of 5 - 5 points - about 20 minutes - *after it you can let a network settle on a new scanner while it works, and say exactly what it may change*
#
# Write `tent_step(net, images, lr)`. The batch norms normalise by **this batch**, not by what they remember. From the logits $(B, K)$ come the probabilities $p$ (softmax); the loss is the mean over the patients of the entropy
#
# $$H(p) = -\sum_{k=1}^{K} p_k \ln p_k$$
#
# Then **one** step of plain gradient descent, $\theta \leftarrow \theta - \eta\, \partial \bar H / \partial \theta$, for the scales and offsets of the batch norms alone. Return the probabilities that were computed *before* the step, and the adapted copy. The network that came in stays as it is; what the copy's running statistics hold is not checked, since they are not used.
#
# <details><summary>Hint 1: the idea</summary>Three questions: which mode (batch statistics, but dropout off), which parameters (two for each channel of a batch norm), which direction (down).</details>
# <details><summary>Hint 2: what to call</summary><code>layer.train()</code> for the batch norms alone; <code>torch.distributions.Categorical(logits=...).entropy()</code> or <code>log_softmax</code>; <code>torch.autograd.grad(loss, parameters)</code>, or <code>torch.optim.SGD</code>.</details>
# <details><summary>I get nan for confident patients</summary>p = 0 gives 0 times minus infinity. Take the logarithm from the logits: <code>log_softmax</code>.</details>
# <details><summary>My step is B times too long</summary>The loss is the mean over the patients, not their sum: the learning rate must not depend on how many came today.</details>

# %% nbgrader={"grade": false, "grade_id": "tent", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tent_step(net: torch.nn.Module, images: torch.Tensor, lr: float) -> tuple[torch.Tensor, torch.nn.Module]:
    """One step of test-time entropy minimisation (Wang and others, ICLR 2021).

    Args:
        net: a classifier (B, 1, H, W) -> logits (B, K) with batch norms; it is not changed.
        images: (B, 1, H, W) of today's patients, B at least 2; there are no labels.
        lr: step length of plain gradient descent, at least 0.

    Returns:
        probabilities (B, K) before the step, without a graph; and the copy, of which only the scales and offsets of batch norms moved.

    Raises:
        ValueError: fewer than two images, or there is no batch norm.
    """
    ### BEGIN SOLUTION
    import copy

    adapted = copy.deepcopy(net).eval()
    norms = [layer for layer in adapted.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    if len(images) < 2 or not norms:
        raise ValueError("a batch statistic needs at least two images and a batch norm")
    for layer in norms:
        layer.train()
    parameters = [weight for layer in norms for weight in (layer.weight, layer.bias)]
    logits = adapted(images)
    log_p = torch.log_softmax(logits, dim=1)
    entropy = -(log_p.exp() * log_p).sum(1).mean()
    slopes = torch.autograd.grad(entropy, parameters)
    with torch.no_grad():
        for weight, slope in zip(parameters, slopes, strict=True):
            weight -= lr * slope
    return log_p.exp().detach(), adapted
    ### END SOLUTION

# %% tags=["given"]
def three_class_net(seed: int, sure: float = 1.0) -> torch.nn.Sequential:
    """Convolution, batch norm, dropout, linear, batch norm, linear to 3 logits, with statistics of another scanner; in eval mode, double."""
    torch.manual_seed(seed)
    nn = torch.nn
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
    with torch.no_grad():
        for layer in (net[1], net[7]):
            layer.weight.uniform_(0.5, 1.5), layer.bias.normal_(), layer.running_mean.normal_(), layer.running_var.uniform_(0.3, 3.0)
        net[9].weight.mul_(sure)
    return net.double().eval()


def today(n: int, seed: int) -> np.ndarray:
    """(n, 1, 7, 6) float64 images."""
    rng = np.random.default_rng(seed)
    return rng.uniform(1, 3) * rng.normal(size=(n, 1, 7, 6)) + rng.uniform(-1, 1)


def batch_forward(net: torch.nn.Module, images) -> torch.Tensor:
    """Logits with the statistics of the batch and dropout off."""
    x = torch.tensor(np.asarray(images))
    for layer in net.eval():
        norm = isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)
        x = torch.nn.functional.batch_norm(x, None, None, layer.weight, layer.bias, training=True, eps=layer.eps) if norm else layer(x)
    return x

# %% tags=["given"]
def tent_by_autograd(seed: int, images, lr: float) -> dict:
    """What one step should give for three_class_net(seed): probabilities (B, 3), mean entropy before and after, and the state; arrays."""
    net = three_class_net(seed)
    entropy = torch.distributions.Categorical(logits=batch_forward(net, images)).entropy().mean()
    found = {"probabilities": batch_forward(net, images).softmax(1).detach().numpy(), "entropy": float(entropy.detach())}
    weights = [net[1].weight, net[1].bias, net[7].weight, net[7].bias]
    for weight, slope in zip(weights, torch.autograd.grad(entropy, weights), strict=True):
        weight.data -= lr * slope
    found["after"] = float(torch.distributions.Categorical(logits=batch_forward(net, images)).entropy().mean().detach())
    return found | {"state": {name: value.detach().numpy().copy() for name, value in net.state_dict().items()}}


def run_tent(seed: int, images, lr: float, sure: float = 1.0) -> dict:
    """Your tent_step on three_class_net(seed): probabilities, whether they hang on a graph, and the states of the copy and of the net afterwards; arrays."""
    net = three_class_net(seed, sure)
    answer = tent_step(net, torch.tensor(np.asarray(images)), lr)
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return {"returned": "nothing" if answer is None else f"an object of type {type(answer).__name__}"}
    probabilities, made = answer
    if not torch.is_tensor(probabilities) or not isinstance(made, torch.nn.Module):
        return {"returned": f"objects of the types {type(probabilities).__name__} and {type(made).__name__}", "swapped": torch.is_tensor(made)}
    states = [{name: value.detach().numpy().copy() for name, value in one.state_dict().items()} for one in (made, net)]
    return {"probabilities": probabilities.detach().numpy().copy(), "graph": bool(probabilities.requires_grad), "state": states[0], "net after": states[1]}


def tent_fault(found: dict) -> str:
    """Why there is nothing to compare in what run_tent found; empty if there is."""
    if found.get("swapped"):
        return "the two come back the wrong way round: first the probabilities, then the adapted copy"
    if "returned" in found:
        return f"your function returns {found['returned']}: return two things, the probabilities (a tensor) and the adapted copy (a network)"
    return ""

# %% nbgrader={"grade": true, "grade_id": "tent-probabilities", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What is returned: the probabilities before the step, by the statistics of this batch, dropout off
images = today(8, seed=1)
wanted, made = tent_by_autograd(0, images, 0.5), run_tent(0, images, 0.5)
assert not tent_fault(made), tent_fault(made)
got = np.asarray(made["probabilities"])
with torch.no_grad():
    remembered = three_class_net(0)(torch.tensor(images)).softmax(1).numpy()
    logits_now = batch_forward(three_class_net(0), images).numpy()
assert got.shape == (8, 3), f"return (B, K) probabilities, (8, 3), not {got.shape}"
assert not np.allclose(got, remembered, atol=1e-4), "these are the predictions with the old scanner's statistics: the batch norms should use this batch"
assert not np.allclose(got, logits_now, atol=1e-4), "these are logits: return probabilities"
assert np.allclose(got, wanted["probabilities"], atol=1e-4), "the probabilities are off: they belong before the step, with batch statistics, and with dropout asleep"
assert not made["graph"], "the probabilities still hang on the graph, which would keep every batch in memory: detach them"
### BEGIN HIDDEN TESTS
for seed in (2, 3):
    images = today(5 + seed, seed=seed + 10)
    assert np.allclose(run_tent(seed, images, 1.0)["probabilities"], tent_by_autograd(seed, images, 1.0)["probabilities"], atol=1e-4), "for other patients the probabilities are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "tent-parameters", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What may move: scales and offsets of batch norms, nothing else, and not in the network that came in
images = today(8, seed=4)
made, old = run_tent(1, images, 0.5), {name: value.numpy() for name, value in three_class_net(1).state_dict().items()}
assert not tent_fault(made), tent_fault(made)
moved = {name for name, value in old.items() if name.endswith(("weight", "bias")) and not np.allclose(made["state"][name], value)}
assert moved, "nothing has moved: was the step taken, and on the copy that you return?"
assert not moved & {"0.weight", "0.bias", "6.weight", "6.bias", "9.weight", "9.bias"}, f"{', '.join(sorted(moved - {'1.weight', '1.bias', '7.weight', '7.bias'}))} moved: only the batch norms' scales and offsets may"
assert moved == {"1.weight", "1.bias", "7.weight", "7.bias"}, f"scales AND offsets of EVERY batch norm should move; only {', '.join(sorted(moved))} did"
assert all(np.allclose(made["net after"][name], value) for name, value in old.items()), "the network that came in has changed (its weights or its running statistics): work on a copy"
### BEGIN HIDDEN TESTS
made, old = run_tent(6, today(6, seed=6), 0.0), {name: value.numpy() for name, value in three_class_net(6).state_dict().items()}
assert all(np.allclose(made["state"][name], old[name]) for name in old if name.endswith(("weight", "bias"))), "with a step of length 0 no parameter may move"
made = run_tent(7, today(6, seed=7), 1.0)
old = {name: value.numpy() for name, value in three_class_net(7).state_dict().items()}
assert all(np.allclose(made["net after"][name], value) for name, value in old.items()), "the network that came in has changed"
assert all(np.allclose(made["state"][name], old[name]) for name in ("0.weight", "6.weight", "9.weight", "9.bias")), "a weight outside the batch norms has moved"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "tent-descent", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The step itself: down the mean entropy, by lr times its slope
images = today(10, seed=8)
made, wanted = run_tent(2, images, 0.2), tent_by_autograd(2, images, 0.2)
assert not tent_fault(made), tent_fault(made)
old = {name: value.numpy() for name, value in three_class_net(2).state_dict().items()}
names_of_norms = ("1.weight", "1.bias", "7.weight", "7.bias")
step = np.concatenate([made["state"][name] - old[name] for name in names_of_norms])
right = np.concatenate([wanted["state"][name] - old[name] for name in names_of_norms])
assert np.abs(step).max() > 0, "the parameters have not moved"
assert not np.allclose(step, -right, rtol=0.02, atol=1e-6), "the step goes up: entropy is -sum p ln p, and we go down"
assert not np.allclose(step, 10 * right, rtol=0.02, atol=1e-6), "the step is B times too long: take the mean over the patients, not the sum"
assert not np.allclose(step, right / np.log(2), rtol=0.02, atol=1e-6), "the entropy is in bits: use the natural logarithm"
assert np.allclose(step, right, rtol=0.02, atol=1e-6), "the step differs from -lr times the slope of the mean entropy. Is it the mean of the patients' entropies (not the entropy of the mean prediction), and plain gradient descent, once?"
### BEGIN HIDDEN TESTS
for seed, lr in ((9, 0.05), (10, 0.5), (11, 1.0)):
    images = today(6 + seed % 3, seed=seed)
    made, wanted = run_tent(seed, images, lr)["state"], tent_by_autograd(seed, images, lr)
    assert all(np.allclose(made[name], wanted["state"][name], rtol=1e-3, atol=1e-5) for name in names_of_norms), f"with lr {lr} the step is off"
    net = three_class_net(seed)
    for number in (1, 7):
        net[number].weight.data, net[number].bias.data = torch.tensor(made[f"{number}.weight"]), torch.tensor(made[f"{number}.bias"])
    with torch.no_grad():
        after = float(torch.distributions.Categorical(logits=batch_forward(net, images)).entropy().mean())
    assert np.isclose(after, wanted["after"], atol=1e-4), "the entropy after the step is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "tent-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The ends: a network that is very sure, and a single patient
made = run_tent(3, today(6, seed=12), 0.1)
assert not tent_fault(made), tent_fault(made)
assert np.allclose(made["probabilities"], tent_by_autograd(3, today(6, seed=12), 0.1)["probabilities"], atol=1e-4), "good input must still work"
made = run_tent(3, today(6, seed=12), 0.1, sure=5000.0)
assert all(np.isfinite(made["state"][name]).all() for name in ("1.weight", "1.bias", "7.weight", "7.bias")), "a very sure network gives nan: 0 times the logarithm of 0. Take the logarithm from the logits"
refused = False
try:
    run_tent(3, today(1, seed=12), 0.1)
except ValueError:
    refused = True
assert refused, "a batch of one patient has no batch statistics to speak of: raise a ValueError"
### BEGIN HIDDEN TESTS
made = run_tent(4, today(2, seed=13), 0.1, sure=1e5)
assert all(np.isfinite(made["state"][name]).all() for name in ("1.weight", "1.bias", "7.weight", "7.bias")), "a very sure network and two patients give nan"
refused = False
try:
    run_tent(5, today(1, seed=14), 0.0)
except ValueError:
    refused = True
assert refused, "a batch of one patient must raise a ValueError, whatever lr is"
### END HIDDEN TESTS

# %% [markdown]
# **Predict before you run.** In the demonstration below, the test patients come in random order, in batches of 60; then sorted, first all healthy ones, then all sick ones (a screening day, then a referral day). What does the order do to TENT? And to the network with fixed statistics?

# %% tags=["demo"]
def entropy_of(logits: torch.Tensor) -> torch.Tensor:
    """(B,) nats of a yes-or-no prediction."""
    return torch.distributions.Bernoulli(logits=logits).entropy()


def tent(net: LesionNet, images: torch.Tensor, lr: float = 1e-3, batch: int = 60, passes: int = 1) -> tuple[np.ndarray, LesionNet]:
    """TENT as a stream: each batch is predicted, then scales and offsets of the batch norms take one step of Adam. Returns the logits of the last pass, and the network."""
    made = copy.deepcopy(net).train().requires_grad_(False)
    norms = [layer for layer in made.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.requires_grad_(True)
        layer.track_running_stats, layer.running_mean, layer.running_var = False, None, None
    optimizer = torch.optim.Adam([weight for layer in norms for weight in layer.parameters()], lr=lr)
    for _ in range(passes):
        said = []
        for part in images.split(batch):
            logits = made(part)
            said.append(logits.detach())
            optimizer.zero_grad()
            entropy_of(logits).mean().backward()
            optimizer.step()
    return torch.cat(said).numpy(), made

# %% tags=["demo"]
test_images, test_labels = study["target test"].images, study["target test"].labels
shuffled = torch.randperm(len(test_labels), generator=torch.Generator().manual_seed(SEED))
by_class = torch.argsort(test_labels, stable=True)
streams = {"random order": shuffled, "sorted by diagnosis": by_class}
stream_scores = defaultdict(list)
for seed, net in source_nets.items():
    for order_name, order in streams.items():
        for name, lr, passes in (("batch statistics", 0.0, 1), ("TENT", 1e-3, 1), ("TENT, step 0.1, 10 passes", 0.1, 10)):
            logits = tent(net, test_images[order], lr, passes=passes)[0]
            stream_scores[name, order_name].append(scores(test_labels[order], logits) | {"entropy": float(entropy_of(torch.from_numpy(logits)).mean())})
            if order_name == "random order" and passes == 1:
                enter(name, logits[np.argsort(order.numpy())])
    said = logits_of(aligned_nets["AdaBN"][seed], test_images)
    for order_name in streams:  # fixed statistics: each patient alone, so the order is nothing
        stream_scores["AdaBN, fixed", order_name].append(scores(test_labels, said) | {"entropy": float(entropy_of(torch.from_numpy(said)).mean())})
print(f"{'balanced accuracy (mean entropy)':34s}" + "".join(f"{order_name:>24s}" for order_name in streams))
for name in dict.fromkeys(key[0] for key in stream_scores):
    cells = [[np.mean([one[what] for one in stream_scores[name, order_name]]) for what in ("balanced accuracy", "entropy")] for order_name in streams]
    print(f"{name:34s}" + "".join(f"{accuracy:16.3f} ({entropy:.3f})" for accuracy, entropy in cells))

# %% tags=["demo"]
fig, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), layout="constrained", sharey=True)
for ax, (order_name, order) in zip(axes, streams.items(), strict=True):
    truth = test_labels[order].numpy().astype(float)
    for (name, logits), colour, style in zip({"AdaBN, fixed": logits_of(aligned_nets["AdaBN"][SEED], test_images[order]), "TENT": tent(source_nets[SEED], test_images[order])[0]}.items(), show.PALETTE, ("o-", "s--"), strict=False):
        ax.plot([(part > 0).mean() for part in np.split(logits, range(60, len(logits), 60))], style, color=colour, label=name)
    ax.plot([part.mean() for part in np.split(truth, range(60, len(truth), 60))], "k^:", label="truth")
    ax.set(title=order_name, xlabel="batch of 60 patients", ylim=(-0.03, 1.03), xticks=range(len(truth) // 60))
axes[0].set_ylabel("called a lesion")
axes[0].legend(fontsize=8)
show.figure(fig, alt="Share of each batch that is called a lesion. In random order AdaBN, TENT and the truth lie near a half. Sorted by diagnosis, the truth steps from 0 to 1 and AdaBN follows it; TENT moves far less, also in batches that hold one class only.")
assert np.mean([one["balanced accuracy"] for one in stream_scores["TENT", "sorted by diagnosis"]]) < np.mean([one["balanced accuracy"] for one in stream_scores["AdaBN, fixed", "sorted by diagnosis"]]) - 0.1, "a sorted stream should mislead batch statistics"

# %% [markdown]
# Three facts to take away. Most of the gain comes from the statistics of the batch, not from the entropy: compare the two rows. The batch has to look like the population: in a batch of healthy patients alone, batch statistics move the healthy into the middle, and half of them become "sick". And a long step makes the network sure, not right.
#
# ### One table
#
# All methods on the same test patients, over the same seeds. `needs` says what a method must have beside the trained source network: labels of the source (SL), images of the source (SI), images of the target before its use (TI), labels of the target (TL). The share of the gap is $(\text{AUC} - \text{source-only}) / (\text{target-only} - \text{source-only})$.
#
# Read the table as a comparison. The scanners, the network and its schedule were set with figures like these in view, so that there is a gap to close: no value in it promises anything for a real scanner. No setting was tuned for one method.
#
# **Predict before you run.** Write down your three best methods, and which of them beat plain AdaBN.

# %% tags=["demo"]
NEEDS = {"source-only": "nothing", "target-only (upper bound)": "TL TI", "z-score of each slice": "SL SI", "histogram matching": "SI", "CORAL on features": "SL SI TI", "importance weighting": "SL SI TI", "deep CORAL": "SL SI TI", "deep MMD": "SL SI TI",
         "DANN": "SL SI TI", "AdaBN": "TI", "Fourier amplitude": "SL SI TI", "Fourier amplitude + AdaBN": "SL SI TI", "self-training after AdaBN": "SL SI TI", "CycleGAN": "SI TI", "batch statistics": "TI, today's", "TENT": "TI, today's"}
floor, ceiling = (np.mean([one["AUC"] for one in board[name]]) for name in ("source-only", "target-only (upper bound)"))
table = {name: [over_seeds([one[key] for one in board[name]]) for key in ("AUC", "balanced accuracy")] for name in NEEDS}
ranking = sorted(table, key=lambda name: -table[name][0][0])
print(f"{'method':28s} {'needs':13s} {'AUC [95 % over seeds]':24s} {'balanced acc. [95 %]':24s} share of the gap")
for name in ranking:
    cells = [f"{mean:.3f} [{low:.2f}, {high:.2f}]" for mean, low, high in table[name]]
    print(f"{name:28s} {NEEDS[name]:13s} {cells[0]:24s} {cells[1]:24s} {(table[name][0][0] - floor) / (ceiling - floor):8.0%}")
mean_auc = {name: cells[0][0] for name, cells in table.items()}
assert mean_auc["target-only (upper bound)"] > floor + 0.1, "there should be a gap to close"
assert min(mean_auc[name] for name in ("AdaBN", "DANN", "Fourier amplitude", "self-training after AdaBN")) > floor + 0.1, "these methods should close a good part of the gap"

# %% tags=["demo"]
fig, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained", sharey=True)
for ax, column, key in ((axes[0], 0, "AUC"), (axes[1], 1, "balanced accuracy")):
    for row, name in enumerate(reversed(ranking)):
        bound = name.startswith(("source-only", "target-only"))
        colour, marker = (show.PALETTE[7], "D") if bound else (show.PALETTE[0], "o")
        mean, low, high = table[name][column]
        ax.plot([low, high], [row, row], color=colour, linewidth=1.5)
        ax.plot([one[key] for one in board[name]], [row] * len(board[name]), "|", color=colour, markersize=7)
        ax.plot(mean, row, marker, color=colour, markersize=6)
    ax.axvline(table["AdaBN"][column][0], color=show.PALETTE[1], linestyle="--", linewidth=1, label="mean of AdaBN")
    ax.set(xlabel=f"{key} on scanner B", xlim=(0.3, 1.01))
axes[0].set_yticks(range(len(ranking)), list(reversed(ranking)), fontsize=9)
axes[0].legend(loc="center left", fontsize=9)
show.figure(fig, alt="All methods with the mean and the interval over seeds of AUC (left) and balanced accuracy (right) on scanner B, ordered by AUC; a dashed line marks AdaBN. Source-only and target-only, as diamonds, are the two ends.")

# %% [markdown]
# Read it as you would read a paper's table. Methods whose intervals overlap are not ordered by this study. Ask of each complicated row whether it beats the cheapest row that sees the same things. Compare the two columns: histogram matching and the z-score rank patients well (AUC) and put the threshold in the wrong place (balanced accuracy); a clinic works at a threshold. Target-only is an upper bound in name: it had fewer clear slices
# to learn from than a method that knows both scanners, so a share above 100 % is possible. And remember for whom the table speaks: one shift, whose cause we planted in the image's physics. A shift of anatomy would leave intensity methods helpless.
#
# ### Negative transfer
#
# Adaptation can make things worse; that is called **negative transfer**. Here is a case on purpose. The target is the *same scanner A*, so there is nothing to adapt. But its patients come from screening: of 100, five have a lesion, not fifty as in training. All that differs is the prevalence (**label shift**, 10.1).
#
# The source network needs no help: its features mean the same as before. A method that makes the features of the two domains equal can only do it by mixing classes: if half of the source lies on the "lesion" side and a twentieth of the target, then equality demands that healthy target patients move over there. Zhao and others (ICML 2019) proved it: where label shares differ, aligned features bound the joint error from *below*.
#
# **Predict before you run.** Which will lose more: AdaBN, which trains nothing, or DANN? And in what: sensitivity or specificity?

# %% tags=["demo"]
screening = imaged(40_000, run.pick(ci=200, laptop=600), SCANNER_A, share=0.05)  # unlabelled to the methods; same scanner, few lesions
screening_test = study["source test"]  # as many with as without a lesion, so that sensitivity is measured well; both rates don't depend on prevalence


def rates(logits: np.ndarray) -> dict[str, float]:
    truth, said = screening_test.labels.numpy(), logits > 0
    return {"sensitivity": float(said[truth == 1].mean()), "specificity": float((~said[truth == 0]).mean())} | scores(screening_test.labels, logits)


negative = defaultdict(list)
for seed in SEEDS:
    made = {"source-only": source_nets[seed], "AdaBN": with_statistics_of(source_nets[seed], screening.images), "DANN": fit_aligned(source_nets[seed], study["source train"], screening.images, seed, new_critic(seed))}
    for name, net in made.items():
        negative[name].append(rates(logits_of(net, screening_test.images)))
for name, found in negative.items():
    print(f"{name:12s} " + "   ".join(f"{key} {over_seeds([one[key] for one in found])[0]:.3f}" for key in found[0]))
alarms = {name: 1 - np.mean([one["specificity"] for one in found]) for name, found in negative.items()}
print("of 1000 screened people without a lesion, recalled: " + ", ".join(f"{name} {1000 * share:.0f}" for name, share in alarms.items()))
assert min(alarms["AdaBN"], alarms["DANN"]) > alarms["source-only"] + 0.03, "adapting to another prevalence should have cost specificity"

# %% tags=["demo"]
fig, ax = plt.subplots(figsize=(6.5, 2.9), layout="constrained")
for place, found in enumerate(negative.values()):
    for shift, key, colour, marker in ((-0.12, "sensitivity", show.PALETTE[0], "o"), (0.12, "specificity", show.PALETTE[3], "s")):
        values = [one[key] for one in found]
        ax.plot([place + shift] * len(values), values, marker, color=colour, alpha=0.7, label=key if place == 0 else None)
        ax.plot([place + shift - 0.07, place + shift + 0.07], [np.mean(values)] * 2, color=colour, linewidth=2)
ax.set(xticks=range(len(negative)), xticklabels=list(negative), ylabel="on scanner A, test patients", ylim=(0.4, 1.02), title="adapted to the same scanner with fewer lesions")
ax.legend()
show.figure(fig, alt="Sensitivity and specificity of source-only, AdaBN and DANN after adaptation to a screening population on the same scanner; a mark for each seed. The adapted networks keep their sensitivity and lose specificity.")

# %% [markdown]
# Nothing in the unlabelled target images warns you. The critic is fooled, the features overlap, and the training curves are as smooth as before. What does help: know the prevalence (ask), adapt only what hardly depends on the label (gain and offset by a z-score; the whole histogram only if the disease changes few pixels, 10.2), estimate the label shift first (10.1), or align class by class with pseudo-labels.
#
# ### Choosing a model without target labels
#
# Which of all these models would you switch on? On the target you have no labels; on the source validation set all look excellent. Four criteria from the literature, none of which sees a target label:
#
# - **Source validation**: the AUC on labelled source patients. It knows nothing of the target.
# - **Entropy on the target**: the surer, the better. It can't tell sure and right from sure and wrong.
# - **Importance-weighted validation** and its steadier relative with a control variate (exercise 10.4b). It assumes covariate shift with overlap.
# - **Diversity minus entropy**: the entropy of the mean prediction minus the mean entropy, the higher the better (after Bridle, Heading and MacKay, NIPS 1991; used as a loss in source-free adaptation): surely classified, but not all alike. It assumes that both classes are present in known shares.

# %% [markdown]
# ### Exercise 10.4b - the target's risk from the source's labels
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can estimate how a model does on a scanner without labels, and know what that estimate rests on*
#
# A model's losses $\ell_i$ on $n$ labelled *source validation* patients, and their importance weights $w_i = p_T(x_i) / p_S(x_i)$, whose expectation is 1. Then $\frac1n \sum w_i \ell_i$ estimates the risk on the target: importance-weighted validation (Sugiyama, Krauledat and Müller, JMLR 2007). It is unbiased under covariate shift, and it jumps: a few patients carry most of the weight.
# You and others (ICML 2019) take out what the weights' own chance explains, with a **control variate**:
#
# $$\hat R = \frac1n \sum_i w_i \ell_i + \eta \left(\frac1n \sum_i w_i - 1\right), \qquad \eta = -\frac{\operatorname{Cov}(w \ell, w)}{\operatorname{Var}(w)}$$
#
# Write `weighted_risk(losses, weights, control)`: with `control=False` the plain estimate, with `True` the one with $\eta$; $\eta = 0$ if all weights are equal. Use one divisor for covariance and variance. The weights are taken as they come: don't divide them by their sum.
#
# <details><summary>Hint 1: the idea</summary>If every loss is 0.3, the risk is 0.3, whatever the weights. The plain estimate misses that as soon as the weights' mean isn't 1; the controlled one gets it exactly.</details>
# <details><summary>Hint 2: what to call</summary><code>np.cov(a, b)</code> gives the matrix of variances and covariances with one divisor; <code>np.var</code> has another one by default.</details>
# <details><summary>Constant losses give not quite that constant</summary>Covariance over n - 1, variance over n? Or eta with the wrong sign?</details>

# %% nbgrader={"grade": false, "grade_id": "weighted-risk", "locked": false, "schema_version": 3, "solution": true, "task": false}
def weighted_risk(losses: np.ndarray, weights: np.ndarray, control: bool = True) -> float:
    """Risk on the target, from source validation patients with importance weights.

    Args:
        losses: (n,) loss of the model for each labelled source patient.
        weights: (n,) p_T(x) / p_S(x), at least 0, not all 0.
        control: with the control variate; otherwise plain importance-weighted validation.

    Returns:
        the estimate, in the unit of the losses.

    Raises:
        ValueError: lengths differ, fewer than two patients, a value is not finite, a weight is negative, or all are 0.
    """
    ### BEGIN SOLUTION
    losses, weights = np.asarray(losses, dtype=float), np.asarray(weights, dtype=float)
    if losses.shape != weights.shape or losses.ndim != 1 or len(losses) < 2:
        raise ValueError("losses and weights must be flat, of one length, and hold at least two patients")
    if not (np.isfinite(losses).all() and np.isfinite(weights).all()) or (weights < 0).any() or not weights.any():
        raise ValueError("losses and weights must be finite; weights at least 0 and not all 0")
    weighted = weights * losses
    if not control or np.allclose(weights, weights[0]):
        return float(weighted.mean())
    table = np.cov(weighted, weights)
    return float(weighted.mean() - table[0, 1] / table[1, 1] * (weights.mean() - 1))
    ### END SOLUTION

# %% tags=["given"]
def weighted_cohort(n: int, seed: int) -> tuple:
    """Losses and weights of n patients: the target lies where the losses are high. The true target risk is 0.3 exp(0.4)."""
    x = np.random.default_rng(seed).normal(size=n)
    return 0.3 * np.exp(0.5 * x - 0.125), np.exp(0.8 * x - 0.32)

# %% nbgrader={"grade": true, "grade_id": "weighted-risk-plain", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Without control: the mean of weight times loss, by hand (2 * 1 + 0 * 5 + 0.5 * 2) / 3 = 1
losses, weights = np.array([1.0, 5.0, 2.0]), np.array([2.0, 0.0, 0.5])
value = float(weighted_risk(losses.copy(), weights.copy(), False))
assert not np.isclose(value, losses.mean()), "that is the plain source risk: the weights are not used"
assert not np.isclose(value, 3.0 / 2.5), "you divided by the sum of the weights: then their chance is hidden, not controlled. Divide by n"
assert np.isclose(value, 1.0), f"expected 1, got {value:.4f}"
assert np.isclose(float(weighted_risk(losses.copy(), np.ones(3), False)), losses.mean()), "with weights of 1 the target is the source, and the risk is the mean loss"
### BEGIN HIDDEN TESTS
for seed in (1, 2):
    losses, weights = weighted_cohort(50, seed)
    assert np.isclose(float(weighted_risk(losses.copy(), weights.copy(), False)), np.mean(losses * weights)), "the plain estimate is off for other patients"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "weighted-risk-constant", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# With control: a model whose loss is 0.3 for everyone has the risk 0.3, whatever the weights
rng = np.random.default_rng(3)
weights = rng.uniform(0, 3, 12)
constant = np.full(12, 0.3)
plain, value = np.mean(weights * constant), float(weighted_risk(constant.copy(), weights.copy(), True))
assert not np.isclose(value, plain), "the control variate is missing: add eta (mean weight - 1)"
assert not np.isclose(value, plain + 0.3 * (weights.mean() - 1)), "the sign of eta is turned: eta is MINUS the covariance over the variance"
assert not np.isclose(value, plain - 0.3 * 12 / 11 * (weights.mean() - 1)), "two divisors: the covariance over n - 1 and the variance over n. Take one for both"
assert np.isclose(value, 0.3), f"constant losses of 0.3 should give 0.3, not {value:.5f}"
### BEGIN HIDDEN TESTS
for seed, n in ((4, 5), (5, 40)):
    weights = np.random.default_rng(seed).exponential(1.5, n)
    assert np.isclose(float(weighted_risk(np.full(n, 1.7), weights.copy(), True)), 1.7), "constant losses should give that constant for every set of weights"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "weighted-risk-control", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# With control: the value, for patients whose losses differ
losses, weights = weighted_cohort(30, seed=6)
both = losses * weights
eta = -((both - both.mean()) * (weights - weights.mean())).sum() / ((weights - weights.mean()) ** 2).sum()
of_losses = -((losses - losses.mean()) * (weights - weights.mean())).sum() / ((weights - weights.mean()) ** 2).sum()
value = float(weighted_risk(losses.copy(), weights.copy(), True))
assert not np.isclose(value, both.mean() + of_losses * (weights.mean() - 1)), "the covariance is that of w * loss with w, not of the loss with w"
assert not np.isclose(value, both.mean() + eta * weights.mean()), "the expectation of the weights is missing: eta (mean weight - 1)"
assert np.isclose(value, both.mean() + eta * (weights.mean() - 1)), f"expected {both.mean() + eta * (weights.mean() - 1):.5f}, got {value:.5f}"
### BEGIN HIDDEN TESTS
values = np.array([[float(weighted_risk(*weighted_cohort(60, seed), control)) for control in (False, True)] for seed in range(100, 160)])
truth = 0.3 * np.exp(0.4)
assert abs(values[:, 0].mean() - truth) < 0.08, "over many cohorts the plain estimate should lie around the true risk"
assert values[:, 1].std() < 0.8 * values[:, 0].std(), "the control variate should make the estimate steadier"
assert np.isclose(float(weighted_risk(np.array([1.0, 2.0, 6.0]), np.full(3, 2.0), True)), 6.0), "with equal weights eta is 0, and not nan: 2 times the mean loss of 3 is 6"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "weighted-risk-bad-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: a negative weight, a lost patient. (Good input first.)
assert np.isclose(float(weighted_risk(np.array([1.0, 3.0]), np.array([1.0, 1.0]), True)), 2.0), "good input must still work: two patients of weight 1 give their mean loss, 2"
refused = False
try:
    weighted_risk(np.array([1.0, 3.0]), np.array([1.5, -0.5]), True)
except ValueError:
    refused = True
assert refused, "a negative weight is no ratio of densities: raise a ValueError"
### BEGIN HIDDEN TESTS
for losses, weights in (([1.0, 2.0], [1.0, 1.0, 1.0]), ([1.0, np.nan], [1.0, 1.0]), ([1.0, 2.0], [0.0, 0.0]), ([1.0], [1.0]), ([1.0, 2.0], [1.0, np.inf])):
    for control in (True, False):
        refused = False
        try:
            weighted_risk(np.array(losses), np.array(weights), control)
        except ValueError:
            refused = True
        assert refused, "different lengths, a value that is not finite, weights that are all 0, or a single patient must raise a ValueError"
### END HIDDEN TESTS

# %% tags=["demo"]
from scipy.stats import spearmanr


@dataclass(frozen=True)
class Candidate:
    """A trained model: what it does on labelled patients of A and on unlabelled ones of B, and how good it is in truth."""

    name: str
    on_a: np.ndarray  # logits of the source validation patients
    on_b: np.ndarray  # logits of the target training patients, whose labels nobody reads
    weights: np.ndarray  # importance weights of the source validation patients, by this model's features
    truth: float  # balanced accuracy on the target test patients: nobody may choose by it


def candidate(name: str, net: LesionNet, for_a: LesionNet | None = None) -> Candidate:
    """`for_a`: the network with the statistics of A, if they differ from those for B."""
    for_a, val = for_a or net, study["source val"].images
    truth = scores(test_labels, logits_of(net, test_images))["balanced accuracy"]
    weights = domain_weights(logits_of(for_a.body, val), logits_of(net.body, target_images))
    return Candidate(name, logits_of(for_a, val), logits_of(net, target_images), weights, truth)


pool = []
for seed in SEEDS:
    pool += [candidate("source-only", source_nets[seed]), candidate("Fourier amplitude", fourier_nets[seed])]
    adapted = {**{name: nets[seed] for name, nets in aligned_nets.items()}, "self-training": self_nets[seed]}
    pool += [candidate(name, net, with_statistics_of(net, source_images)) for name, net in adapted.items()]
    pool.append(candidate("TENT, too long", tent(source_nets[seed], target_images, 0.1, passes=10)[1]))
print(f"{len(pool)} models; balanced accuracy on scanner B from {min(one.truth for one in pool):.2f} to {max(one.truth for one in pool):.2f}")

# %% tags=["demo"]
from sklearn.linear_model import LinearRegression

val_labels = study["source val"].labels


def risk_by_weights(one: Candidate, control: bool) -> float:
    """Importance-weighted validation loss. With control: the line of w * loss over w, read at w = 1, which is the control variate in another guise."""
    loss = F.binary_cross_entropy_with_logits(torch.from_numpy(one.on_a), val_labels.float(), reduction="none").numpy()
    if not control:
        return float((one.weights * loss).mean())
    return float(LinearRegression().fit(one.weights[:, None], one.weights * loss).predict([[1.0]])[0])


def surely_but_not_alike(one: Candidate) -> float:
    said = torch.from_numpy(one.on_b)
    return float(torch.distributions.Bernoulli(said.sigmoid().mean()).entropy() - entropy_of(said).mean())


criteria = {
    "source validation AUC": lambda one: scores(val_labels, one.on_a)["AUC"],
    "low entropy on B": lambda one: -float(entropy_of(torch.from_numpy(one.on_b)).mean()),
    "low weighted risk": lambda one: -risk_by_weights(one, False),
    "low weighted risk, control": lambda one: -risk_by_weights(one, True),
    "diversity - entropy on B": surely_but_not_alike,
}
truth = np.array([one.truth for one in pool])
chosen = {}
print(f"{'criterion':30s} {'chosen':22s} {'its accuracy':>12s} {'lost to the best':>17s} {'rank correlation':>17s}")
for name, rule in criteria.items():
    values = np.array([rule(one) for one in pool])
    chosen[name] = best = pool[int(values.argmax())]
    print(f"{name:30s} {best.name:22s} {best.truth:12.3f} {truth.max() - best.truth:17.3f} {spearmanr(values, truth).statistic:17.2f}")
rng, by_fifty = np.random.default_rng(SEED), []
said, sick = np.stack([one.on_b for one in pool]) > 0, study["target train"].labels.numpy() == 1  # here, and only here, fifty target labels are read
for _ in range(200):
    rows = rng.choice(len(sick), 50, replace=False)
    ill, well = rows[sick[rows]], rows[~sick[rows]]
    by_fifty.append(truth[int(np.argmax(said[:, ill].mean(1) - said[:, well].mean(1)))])
print(f"{'50 labelled patients of B':30s} {'(mean of 200 draws)':22s} {np.mean(by_fifty):12.3f} {truth.max() - np.mean(by_fifty):17.3f}")
assert truth.max() - chosen["low entropy on B"].truth > 0.2 > truth.max() - np.mean(by_fifty), "entropy should fall for the network that is sure of everything; fifty labels should not"

# %% tags=["demo"]
fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.3), layout="constrained", sharey=True)
marks = dict(zip(dict.fromkeys(one.name for one in pool), "os^Dv<>P", strict=False))
for ax, name in zip(axes, ("source validation AUC", "low entropy on B", "diversity - entropy on B"), strict=True):
    values = [criteria[name](one) for one in pool]
    for number, (kind, mark) in enumerate(marks.items()):
        rows = [row for row, one in enumerate(pool) if one.name == kind]
        ax.plot([values[row] for row in rows], truth[rows], mark, color=show.PALETTE[number % 8], alpha=0.8, markeredgecolor="black", markeredgewidth=0.5, label=kind)
    ax.axvline(max(values), color="0.5", linestyle=":", linewidth=1)
    ax.set(xlabel=name + " (higher is chosen)")
axes[0].set_ylabel("balanced accuracy on scanner B")
axes[2].legend(fontsize=7)
show.figure(fig, alt="For three criteria, each model's value against its true balanced accuracy on scanner B. Good and bad models share the highest source validation AUC; the surest model by entropy is not the best; diversity minus entropy orders them better.")

# %% [markdown]
# The honest answer of the field is uncomfortable: without any target label there is no safe choice, only assumptions that you can name. Musgrave, Belongie and Lim (2021) re-ran many published methods and found that much of the reported progress came from choosing models *with* target labels. The table above shows it in small: one plausible criterion finds a model near the best,
# another the worst, and nothing but labels tells which. In a hospital there is a cheap way out. Fifty labelled patients of the new scanner, kept for **validation and never for training**, choose a model near the best on average, and can't be fooled by a collapsed one. They are needed anyhow to say that the system may be switched on.
#
# **Open today.** Shifts that mix causes (scanner, population and prevalence at once); targets that drift after the adaptation; test-time methods that know when not to move; guarantees that a regulator can read; and benchmarks with several real scanners, in which patients, not images, are counted.
#
# **Checkpoint.** Your network adapts itself every night by TENT to the day's patients. In March its alarms double. Name three causes, and what you should have recorded to tell them apart.
#
# <details><summary>Answer</summary>More disease (prevalence), another scanner or protocol (covariate shift), or the adaptation itself walking off (a run of days with one kind of patient, steps that add up). Record each day: the unadapted network's output on the same images, the input statistics per scanner, and the distance of the scales and offsets from the validated ones, with a fixed set of labelled
# patients that is scored every night. And keep a button that restores the validated network.</details>

# %% [markdown]
# ## Results
#
# What this lecture measured, with the trivial baseline or the bound beside each figure.

# %% tags=["results"]
def record_method(name: str, label: str) -> None:
    mean, low, high = over_seeds([one["AUC"] for one in board[name]])
    results.record(LECTURE, PROFILE, f"scanner B, {label}: AUC over seeds", mean, low=low, high=high, baseline=floor, baseline_name="source-only", source="the table of 10.4")


for method_name in NEEDS:
    record_method(method_name, method_name)
for method_name in ("AdaBN", "DANN"):
    label = f"negative transfer, same scanner, fewer lesions: healthy people recalled after {method_name}"
    results.record(LECTURE, PROFILE, label, 1000 * alarms[method_name], unit="of 1000", baseline=1000 * alarms["source-only"], baseline_name="not adapted", source="10.4")
results.record(LECTURE, PROFILE, "CycleGAN: healthy people of scanner B called a lesion by the source networks", invented["CycleGAN"], baseline=at_home_alarms, baseline_name="the same people on scanner A", source="10.3")
results.record(LECTURE, PROFILE, "CycleGAN: lesion contrast kept", contrast_kept["CycleGAN"], baseline=contrast_kept["histogram matching"], baseline_name="histogram matching", source="10.3")
results.record(LECTURE, PROFILE, "model choice: balanced accuracy lost by the lowest entropy", truth.max() - chosen["low entropy on B"].truth, baseline=truth.max() - float(np.mean(by_fifty)), baseline_name="50 labelled patients", source="10.4")
for site, frame in heart_board.items():
    for name in ("source only", "label shift (EM)", "CORAL", "target labels only"):
        line = frame.loc[name]
        for what in ("Brier", "AUC"):
            value, low, high = line[what], min(line[f"{what} low"], line[what]), max(line[f"{what} high"], line[what])
            base = frame.loc["always Cleveland's share" if name == "source only" else "source only", what]
            results.record(LECTURE, PROFILE, f"{heart_source}, Cleveland to {site}, {name}: {what}", value, low=low, high=high, baseline=base, baseline_name="always Cleveland's share" if name == "source only" else "source only", source="section 10.2")
for name in ("subspace alignment", "TCA", "target labels"):
    area, low, high = shallow_table[name][:3]
    results.record(LECTURE, PROFILE, f"scanner B, {name}, one seed: AUC", area, low=min(low, area), high=max(high, area), baseline=shallow_table["source only"][0], baseline_name="source only, one seed", source="section 10.2, planted")
results.record(LECTURE, PROFILE, "A-distance of the scanners, held-out patients", shift_measured["target test"][2], baseline=shift_measured["source test"][2], baseline_name="one scanner, other people", source="section 10.1, planted")
results.record(LECTURE, PROFILE, "brightness of pneumonia left after matching film by film, share", film_contrast["matched film by film"] / film_contrast["as taken"], baseline=1.0, baseline_name="as taken", source="section 10.2, planted")
results.table(LECTURE, PROFILE)

# %% [markdown]
# ## Reflection
#
# Your hospital's stroke network was trained on scanner A. Next month scanner B replaces it, and scanner A is scrapped. You may collect unlabelled studies, and a neuroradiologist gives you one afternoon. Write half a page: what do you do before the change, what with the afternoon, which method do you switch on first and why, and what would make you switch it off again?
#
# | Points | What your answer shows |
# |---|---|
# | 3 | Uses both times (pairs or a phantom before the change); keeps the afternoon's labels for validation, never for training; begins with a simple method that can be undone; names a stop rule that tells a change of prevalence from a change of scanner |
# | 2 | A sound method with labelled validation, but no stop rule, or no thought of prevalence |
# | 1 | Names a method, and no labels that would check it |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# Before the change, while both scanners stand, scan a phantom and, with consent, some patients on both: pairs tell what differs (gain, curve, blur, noise), and they are gone next month. The afternoon goes to labels for validation, about fifty patients of scanner B with both diagnoses, chosen by date and not by what the network says; they are never trained on. First comes what is
# simple and can be undone: z-score or histogram matching, then AdaBN on some weeks of unlabelled studies, each against the unadapted network on the fifty. Nothing that adapts itself every day runs without a fixed reference. It is switched off when the fifty, scored each week, fall below the agreed sensitivity, or when the share of alarms leaves its range and the unadapted network does not
# follow; prevalence is checked first, because a change of referrals looks like a shift and adaptation would make it worse.

# %% [markdown]
# ## References
#
# - Ben-David S, Blitzer J, Crammer K, Kulesza A, Pereira F, Vaughan JW. A theory of learning from different domains. Machine Learning 79, 2010.
# - Bridle J, Heading A, MacKay D. Unsupervised classifiers, mutual information and "phantom targets". NIPS 1991.
# - Cohen JP, Luck M, Honari S. Distribution matching losses can hallucinate features in medical image translation. MICCAI 2018.
# - Fernando B, Habrard A, Sebban M, Tuytelaars T. Unsupervised visual domain adaptation using subspace alignment. ICCV 2013.
# - Fonov V, Evans A, McKinstry R, Almli C, Collins D. Unbiased nonlinear average age-appropriate brain templates from birth to adulthood. NeuroImage 47, 2009.
# - Ganin Y and others. Domain-adversarial training of neural networks. Journal of Machine Learning Research 17, 2016.
# - Gretton A, Borgwardt K, Rasch M, Schölkopf B, Smola A. A kernel two-sample test. Journal of Machine Learning Research 13, 2012.
# - Janosi A, Steinbrunn W, Pfisterer M, Detrano R. Heart disease. UCI Machine Learning Repository, 1988.
# - Karani N, Chaitanya K, Baumgartner C, Konukoglu E. A lifelong learning approach to brain MR segmentation across scanners and protocols. MICCAI 2018.
# - Kish L. Survey sampling. Wiley, 1965.
# - Li Y, Wang N, Shi J, Liu J, Hou X. Revisiting batch normalization for practical domain adaptation. arXiv 2016.
# - Liang J, Hu D, Feng J. Do we really need to access the source data? Source hypothesis transfer for unsupervised domain adaptation. ICML 2020.
# - Lipton Z, Wang YX, Smola A. Detecting and correcting for label shift with black box predictors. ICML 2018.
# - Long M, Cao Y, Wang J, Jordan M. Learning transferable features with deep adaptation networks. ICML 2015.
# - Musgrave K, Belongie S, Lim SN. Unsupervised domain adaptation: a reality check. arXiv 2021.
# - Nyúl L, Udupa J. On standardizing the MR image intensity scale. Magnetic Resonance in Medicine 42, 1999.
# - Pan SJ, Tsang I, Kwok J, Yang Q. Domain adaptation via transfer component analysis. IEEE Transactions on Neural Networks 22, 2011.
# - Rogan W, Gladen B. Estimating prevalence from the results of a screening test. American Journal of Epidemiology 107, 1978.
# - Saerens M, Latinne P, Decaestecker C. Adjusting the outputs of a classifier to new a priori probabilities: a simple procedure. Neural Computation 14, 2002.
# - Shimodaira H. Improving predictive inference under covariate shift by weighting the log-likelihood function. Journal of Statistical Planning and Inference 90, 2000.
# - Sugiyama M, Krauledat M, Müller KR. Covariate shift adaptation by importance weighted cross validation. Journal of Machine Learning Research 8, 2007.
# - Sun B, Feng J, Saenko K. Return of frustratingly easy domain adaptation. AAAI 2016.
# - Sun B, Saenko K. Deep CORAL: correlation alignment for deep domain adaptation. ECCV Workshops 2016.
# - Wang D, Shelhamer E, Liu S, Olshausen B, Darrell T. Tent: fully test-time adaptation by entropy minimization. ICLR 2021.
# - Yang Y, Soatto S. FDA: Fourier domain adaptation for semantic segmentation. CVPR 2020.
# - You K, Wang X, Long M, Jordan M. Towards accurate model selection in deep unsupervised domain adaptation. ICML 2019.
# - Zhao H, Tachet des Combes R, Zhang K, Gordon G. On learning invariant representations for domain adaptation. ICML 2019.
# - Zhu JY, Park T, Isola P, Efros A. Unpaired image-to-image translation using cycle-consistent adversarial networks. ICCV 2017.
