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
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations.

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
# - In domain adaptation the *images* of the target may be used, its *labels* may not. They are read in three places only: by methods that say "target labels" in their name, by the final measurement, and nowhere for choosing.

# %% tags=["parameters"]
LECTURE = "11_domain_adaptation"
PROFILE = "laptop"  # "ci": minutes, simulated data; "laptop": real data, at most 10 minutes; "gpu": larger
SEED = 0

# %% tags=["setup"]
# Set-up: run it as often as you like. It fetches the course's helpers if they are missing, leaves your torch alone, and seeds everything.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("helpers") is None:
    from importlib import metadata

    kept = [f"{name}=={metadata.version(name)}" for name in ("torch", "torchvision", "numpy") if importlib.util.find_spec(name)]
    with open("kept.txt", "w") as file:  # what is here already stays as it is
        file.write("\n".join(kept))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "kept.txt", "git+REPOSITORY"], check=True)

import matplotlib.pyplot as plt
import numpy as np
import torch

import helpers
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
        twin.plot([grid[c] - 1 for c in full], [y[cell == c].mean() for c in full], color=colour, marker=marker, linestyle="none", label="source" if name == "none" else "target")
    twin.set_ylim(-0.02, 1.02)
    ax.set_title(f"{kind} shift", loc="left")
    ax.set_xlabel("diameter x, mm")
axes[0].set_ylabel("p(x), lines")
twin.set_ylabel("share malignant at x, markers")
twin.legend(loc="upper left")
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
# <details><summary>My value is sometimes negative</summary>It may be. An estimate that is right on average must fall below a true value of 0 about half of the time. Don't clip it, don't take its root.</details>

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
assert np.isclose(value, 1 - 2 * between), f"expected {1 - 2 * between:.4f}, got {value:.4f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1011)
for n, m, d, g in ((5, 9, 3, 0.2), (12, 4, 1, 1.5), (7, 7, 8, 0.05)):
    a, b = rng.normal(size=(n, d)), rng.normal(0.5, 1.4, (m, d))
    k = [[np.mean([np.exp(-g * ((u[i] - w[j]) ** 2).sum()) for i in range(len(u)) for j in range(len(w)) if u is not w or i != j]) for w in (a, b)] for u in (a, b)]
    truth = k[0][0] + k[1][1] - 2 * k[0][1]
    assert np.isclose(float(squared_mmd(a, b, g)), truth, atol=1e-6), f"for {n} source and {m} target points of {d} features the value is off"
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
assert abs(value - 0.8) < 0.17, f"expected about 0.8, got {value:.2f}"
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


SCANNER_A = Scanner(gain=1.0, gamma=1.0, blur=0.0, bias=0.15, noise=0.06)  # the source
SCANNER_B = Scanner(gain=0.6, gamma=1.6, blur=0.6, bias=0.4, noise=0.03)  # the target


def clean_patient(number: int, sick: bool) -> np.ndarray:
    """(SIZE, SIZE) a FLAIR slice before any scanner; a sick patient has one or two bright lesions in white matter, some of them faint."""
    rng = np.random.default_rng([number, 11])
    head = simulate.brain_slice("flair", size=SIZE, spacing=SPACING, height=float(rng.integers(18, 29)), noise=0.0, seed=number)
    places = np.argwhere(ndimage.binary_erosion(head.tissue == 3))
    lesion = np.zeros((SIZE, SIZE))
    for _ in range(rng.integers(1, 3) if sick else 0):
        distance = np.hypot(*(np.indices((SIZE, SIZE)) - places[rng.integers(len(places))][:, None, None]))
        lesion = np.maximum(lesion, rng.uniform(0.15, 0.6) * np.exp(-(distance**2) / (2 * rng.uniform(1.0, 1.8) ** 2)))
    return head.image + lesion * (head.tissue >= 2)


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
    "target train": imaged(20_000, n_train, SCANNER_B),  # its labels are read by target-only alone
    "target test": imaged(30_000, n_test, SCANNER_B),
    "source test": imaged(30_000, n_test, SCANNER_A),  # the same patients, seen by the other scanner
}
whose = [set(site.patients) for name, site in study.items() if name != "source test"]
assert len(set().union(*whose)) == sum(len(one) for one in whose), "no patient may be in two splits"

# %% tags=["demo"]
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn


class LesionNet(nn.Module):
    """Slice (B, 1, H, W) -> logit (B,). `body` gives the features (B, 24), `head` is linear."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [[nn.Conv2d(a, b, 3, s, 1), nn.BatchNorm2d(b), nn.ReLU()] for a, b, s in ((1, 12, 2), (12, 24, 1), (24, 24, 2))]
        self.body = nn.Sequential(*sum(blocks, []), nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.head = nn.Linear(24, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))[:, 0]


TRAINING_STEPS = run.pick(ci=150, laptop=400)


def fit_net(images: torch.Tensor, labels: torch.Tensor, seed: int, weights: torch.Tensor | None = None, steps: int = TRAINING_STEPS, batch: int = 32) -> LesionNet:
    """AdamW with a one-cycle schedule and left-right flips; the last weights are taken. `weights` (N,) multiply each patient's loss."""
    torch.manual_seed(seed)
    rng, net = torch.Generator().manual_seed(seed), LesionNet()
    weights = torch.ones(len(images)) if weights is None else weights
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(0, len(images), (batch,), generator=rng)
        x = images[rows].flip(-1) if torch.rand(1, generator=rng) < 0.5 else images[rows]
        loss = (weights[rows] * F.binary_cross_entropy_with_logits(net(x), labels[rows].float(), reduction="none")).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def logits_of(net: nn.Module, images: torch.Tensor) -> np.ndarray:
    """(N, 1, H, W) -> (N,) logits; features with `logits_of(net.body, images)`, (N, 24)."""
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
# source validation against target test. The features are the 24 of the network.

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
    ax.set_xlabel("MMD$^2$: bars shuffled, dashed line as measured")
    print(f"{other}: MMD^2 {seen:+.4f}, p = {p:.3f}; A-distance {2 * (1 - 2 * errors[0]):.2f} from training errors, {max(0, 2 * (1 - 2 * errors[1])):.2f} from held-out errors")
show.figure(fig, alt="Two histograms of shuffled MMD values with the measured one as a dashed line: inside the histogram for new people of the same scanner, far to the right of it for the other scanner")
assert shift_measured["target test"][1] < 0.01 and shift_measured["target test"][2] > 1, "the scanner shift should be plain"
assert shift_measured["source test"][2] < 0.6, "two groups of one scanner should look alike"

# %% [markdown]
# For new people of the same scanner the A-distance from *training* errors is already well above 0; that is 24 features and a few dozen people, not a shift. The held-out one is small. For scanner B both are large.
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
assert np.isclose(float(target_prevalence(truth, said, (np.arange(100) < 10).astype(int))), 0, atol=1e-9), "a share of calls equal to the FPR means nobody is ill"
assert np.isclose(float(target_prevalence(truth, said, (np.arange(100) < 80).astype(int))), 1, atol=1e-9), "a share of calls equal to the TPR means all are ill"
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
# made this standard in MR, where intensities have no unit.
#
# What it believes: *the two images hold the same amount of everything*. Between healthy heads of one kind that is nearly so. If one hospital has more disease that changes many pixels, it isn't.
#
# **Predict before you run.** First, target slices are matched to scanner A's grey values, and shown to the network from above, which has not changed. Does it recover all, or some, of what it lost? Then chest films of a hospital with much pneumonia (white lungs) are matched to those of a hospital with healthy lungs. What happens to the pneumonia?

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
for name, images, colour, style in (("A", study["source test"].images, show.PALETTE[0], "-"), ("B", study["target test"].images, show.PALETTE[1], "--"), ("B matched", matched_test, show.PALETTE[2], ":")):
    axes[3].hist(np.asarray(images).ravel(), bins=60, range=(0, 1.6), histtype="step", density=True, color=colour, linestyle=style, label=name, linewidth=1.6)
axes[3].set_ylim(0, 4)
axes[3].set_xlabel("grey value")
axes[3].legend()
show.figure(fig, alt="A slice of scanner B, the same matched to scanner A's grey values, and the same patient on scanner A; beside them the histograms: that of B lies to the left, the matched one lies on that of A")

# %% tags=["demo"]
film_sick = [simulate.radiograph(consolidation=c, spacing=4.0, photons=2e5, seed=s) for s, c in ((1, 0.9), (2, 0.9), (3, 0.9))]
film_well = [simulate.radiograph(spacing=4.0, photons=2e5, seed=s) for s in (11, 12, 13)]
film_pool = np.concatenate([f.image.ravel() for f in film_well])[None]
film_matched = [match_histograms(f.image.reshape(1, -1), film_pool).reshape(f.image.shape) for f in film_sick]


def whiteness(image: np.ndarray, film) -> float:
    """Median grey value of the consolidation minus that of the free lung, in standard deviations of the film."""
    return float((np.median(image[film.opacity]) - np.median(image[film.lungs & ~film.opacity])) / image.std())


fig, axes = plt.subplots(2, 3, figsize=(7.5, 5.2), layout="constrained")
for k, film in enumerate(film_sick):
    for line, image in zip(axes, (film.image, film_matched[k]), strict=True):
        line[k].imshow(image, vmin=0, vmax=1)
        line[k].contour(film.opacity, levels=[0.5], colors=show.PALETTE[1], linewidths=1)
        line[k].set_axis_off()
    axes[0, k].set_title("as taken", fontsize=10)
    axes[1, k].set_title("matched to healthy films", fontsize=10)
show.figure(fig, alt="Upper row: three chest films with a white consolidation outlined. Lower row: the same films matched to healthy ones; the outlined region is less white")
film_kept = np.array([whiteness(m, f) / whiteness(f.image, f) for f, m in zip(film_sick, film_matched, strict=True)])
print("contrast of the consolidation that is left after matching:", ", ".join(f"{k:.0%}" for k in film_kept))

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
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1021)
tissue = rng.uniform(0.2, 1, (32, 32))
for gain, gamma in ((0.6, 1.6), (3.0, 0.5)):
    out = np.asarray(match_grey_values(gain * tissue**gamma, np.ones((32, 32), bool), tissue.ravel()), dtype=float)
    assert np.allclose(out, tissue, atol=1e-6), f"a gain of {gain} and a gamma of {gamma} should be undone exactly when the reference holds the same tissue"
out = np.asarray(match_grey_values(5 * tissue, np.ones((32, 32), bool), rng.uniform(-1, 1, 5000)), dtype=float)
assert np.quantile(np.abs(out - (tissue - 0.6) / 0.4), 0.9) < 0.08, "with more reference values than pixels the matched values don't follow the reference's distribution"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "match-grey-values-mask", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A head in air: air stays as it is, and takes no part. The input must not change
rng = np.random.default_rng(1022)
head = np.zeros((20, 20))
inside = np.zeros((20, 20), bool)
inside[5:13, 4:12] = True
head[inside] = rng.permutation(64) + 1.0
given_head = head.copy()
out = np.asarray(match_grey_values(head, inside, np.arange(64) * 10.0 + 500), dtype=float)
assert np.array_equal(head, given_head), "you changed the image that was given: work on a copy"
assert np.all(out[~inside] == 0), "pixels outside the mask must stay as they are"
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
#
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
weight_draws = run.pick(ci=12, laptop=40)
weight_runs = {d: pd.DataFrame([u_shaped(d, np.random.default_rng([SEED, k])) for k in range(weight_draws)]) for d in (0.0, 1.0, 2.0, 4.0)}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.1), layout="constrained")
for name, colour, marker in (("source only", show.PALETTE[0], "o"), ("weighted", show.PALETTE[1], "s"), ("weighted, clipped at 10", show.PALETTE[2], "^")):
    mean, error = ([f(weight_runs[d][name]) for d in weight_runs] for f in (np.mean, lambda v: 1.96 * v.std() / len(v) ** 0.5))
    axes[0].errorbar(list(weight_runs), mean, error, color=colour, marker=marker, capsize=3, label=name)
for name, colour, marker in (("n_eff", show.PALETTE[1], "s"), ("n_eff clipped", show.PALETTE[2], "^")):
    axes[1].plot(list(weight_runs), [weight_runs[d][name].median() for d in weight_runs], color=colour, marker=marker, label=name)
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
        (N,) weights with a mean of 1, and the effective sample size, from 1 to N.

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
assert np.isclose(float(importance_weights(np.array([0.5, 0.2, 0.8]), 400, 200, 5.0)[1]), 9 / 4.68), "for weights 0.8, 0.2, 2.0 it is 9 / 4.68 = 1.923"
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

# %% tags=["demo"]
from scipy.linalg import eigh
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import euclidean_distances


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

# %% [markdown]
# **Predict before you run.** Below, the target's features are a moved copy of the source's, stretched along a slanted direction. Two panels: as they are, and with the source recoloured. Will the *classes* fall on each other, too, or only the clouds? Then move the target's prevalence away from the source's 50 %.

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
            for points, y, colour in ((rows, ys, show.PALETTE[0]), (xt, yt, show.PALETTE[1])):
                ax.scatter(*points[y == label].T, s=9, marker=marker, color=colour, alpha=0.5)
        accuracy = LogisticRegression().fit(rows, ys).score(xt, yt)
        ax.set_title(f"{title}: accuracy at the target {accuracy:.2f}", loc="left", fontsize=10)
        ax.set_xlabel("feature 1")
    axes[0].set_ylabel("feature 2")
    axes[0].text(0.02, 0.97, "blue: source, orange: target\ncircle: healthy, triangle: sick", transform=axes[0].transAxes, va="top", fontsize=9)
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
        (n, d): (source - mean) C_s^(-1/2) C_t^(1/2) + mean of the target, with symmetric roots.

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
assert np.allclose(np.cov(out, rowvar=False), np.cov(two, rowvar=False), atol=1e-6), "the covariance is not the target's: first whiten by the source, C_s^(-1/2), then colour by the target, C_t^(1/2); rows stand on the left"
assert not np.allclose(out.mean(0), 0, atol=1e-6), "the result is centred: move it to the target's mean"
assert np.allclose(out.mean(0), two.mean(0), atol=1e-6), "the mean should be the target's: centre the source by its own mean, then add the target's"
### BEGIN HIDDEN TESTS
for n, m, d in ((40, 90, 5), (30, 12, 2), (500, 60, 8)):
    one, two = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 3, rng.normal(size=(m, d)) @ rng.normal(size=(d, d)) - 1
    out = np.asarray(coral(one, two, 0.0), dtype=float)
    assert np.allclose(np.cov(out, rowvar=False), np.cov(two, rowvar=False), atol=1e-5) and np.allclose(out.mean(0), two.mean(0), atol=1e-5), f"{n} and {m} patients, {d} features: mean or covariance is not the target's"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "coral-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value, where roots are easy: source covariance diag(4, 1), target covariance [[2, 1], [1, 2]], whose symmetric root squares to it
corners = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * (3 / 4) ** 0.5  # covariance 1, with n - 1
root = np.array([[3**0.5 + 1, 3**0.5 - 1], [3**0.5 - 1, 3**0.5 + 1]]) / 2
out = np.asarray(coral(corners * [2, 1], corners @ root + 10, 0.0), dtype=float)
assert not np.allclose(out, corners * [2, 1] @ root @ np.diag([0.5, 1]) + 10), "you colour first and whiten afterwards: the other way round"
assert not np.allclose(out, corners @ np.linalg.cholesky(root @ root).T + 10), "the covariance is right, but the cloud is turned within it: that is a Cholesky factor. Use the symmetric root"
assert np.allclose(out, corners @ root + 10), f"expected the first patient at {(corners @ root + 10)[0].round(3)}, got {out[0].round(3)}"
### BEGIN HIDDEN TESTS
from scipy.linalg import sqrtm

rng = np.random.default_rng(1028)
one, two = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(70, 4)) @ rng.normal(size=(4, 4)) + 2
roots = [np.real(sqrtm(np.cov(rows, rowvar=False))) for rows in (one, two)]
truth = (one - one.mean(0)) @ np.linalg.inv(roots[0]) @ roots[1] + two.mean(0)
assert np.allclose(np.asarray(coral(one, two, 0.0), dtype=float), truth, atol=1e-4), "on random features the values are off: use symmetric roots of the covariances with n - 1"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "coral-same", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Nothing to do: a hospital aligned with itself stays as it is; and the target is nobody's to change
rng = np.random.default_rng(1029)
one = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3)) + 4
kept = one.copy()
out = np.asarray(coral(one, one[::-1].copy(), 0.0), dtype=float)
assert np.array_equal(one, kept), "you changed the source that was given: work on a copy"
assert np.allclose(out, kept, atol=1e-6), "with the same patients in both domains nothing may change"
### BEGIN HIDDEN TESTS
other = rng.normal(size=(40, 3)) * [1, 5, 0.2]
moved = np.asarray(coral(one * 7 - 3, other, 0.0), dtype=float)
assert np.allclose(moved, np.asarray(coral(one, other, 0.0), dtype=float), atol=1e-6), "one common unit of the source's features must not matter: whitening takes it out"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "coral-ridge", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The ridge: in one dimension, variances 3 and 8 with a ridge of 1 scale by (8 + 1)^(1/2) / (3 + 1)^(1/2) = 3/2
single = np.array([[-1.0], [0.0], [1.0]])
out = np.asarray(coral(single * 3**0.5, single * 8**0.5 + 5, 1.0), dtype=float)
assert not np.allclose(out - 5, single * 8**0.5), "your ridge has no effect"
assert not np.allclose(out - 5, single * 3**0.5 * 8**0.5 / 2), "the ridge belongs to both covariances, yours is on the source's alone"
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
assert np.allclose(stays @ stays.T, (two - two.mean(0)) @ p_t @ p_t.T @ (two - two.mean(0)).T, atol=1e-6), "the target should be centred by its own mean and projected on its own first axes (largest variance first)"
assert abs(moved.mean()) < 1e-6, "the source should be centred by its own mean"
assert moved[:, 0].std() < moved[:, 1].std(), "each domain stands on its own axes: in the target's first axis this source varies least. Multiply the source by P_s P_s' P_t"
truth = (one - one.mean(0)) @ p_s @ p_s.T @ p_t
assert np.allclose(moved @ stays.T, truth @ ((two - two.mean(0)) @ p_t).T, atol=1e-6), "the source is not (x - mean) P_s P_s' P_t: are the two sets of axes in the right order?"
### BEGIN HIDDEN TESTS
for n, m, wide, d in ((30, 50, 6, 3), (20, 15, 40, 5), (200, 100, 3, 1)):
    one, two = rng.normal(size=(n, wide)) @ rng.normal(size=(wide, wide)) + 3, rng.normal(size=(m, wide)) @ rng.normal(size=(wide, wide))
    moved, stays = (np.asarray(part, dtype=float) for part in aligned_subspaces(one, two, d))
    p_s, p_t = axes_of(one, d), axes_of(two, d)
    a, b = (one - one.mean(0)) @ p_s @ p_s.T @ p_t, (two - two.mean(0)) @ p_t
    assert np.allclose(moved @ moved.T, a @ a.T, atol=1e-5) and np.allclose(moved @ stays.T, a @ b.T, atol=1e-5), f"{n} and {m} patients, {wide} features, d = {d}: the coordinates are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "aligned-subspaces-same", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Nothing to do: with the same patients in both domains source and target coordinates agree. With d = D nothing is lost
rng = np.random.default_rng(1032)
rows = rng.normal(size=(40, 5)) * [4, 3, 2, 1, 0.5]
moved, stays = (np.asarray(part, dtype=float) for part in aligned_subspaces(rows, rows.copy(), 3))
assert np.allclose(moved, stays, atol=1e-6), "one hospital aligned with itself: source and target coordinates should be equal"
assert np.all(np.diff(stays.var(0)) < 0), "the first axis should have the largest variance"
### BEGIN HIDDEN TESTS
other = rng.normal(size=(30, 5)) @ rng.normal(size=(5, 5))
moved, stays = (np.asarray(part, dtype=float) for part in aligned_subspaces(rows, other, 5))
centred = rows - rows.mean(0)
assert np.allclose(moved @ moved.T, centred @ centred.T, atol=1e-5), "with all axes kept, distances between source patients must stay"
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
# The network stays as it is. Histogram matching changes its images; all others change its 24 features, and fit a new linear head on source labels. "Target labels" has what nobody has: a head fitted to labelled people of the target, on the *source's* features. Intervals are bootstrap intervals over the people of the target test set; differences are paired with "source only".
# (One seed. Section 10.4 puts deep and shallow methods on one table, over seeds.)

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
# source slice looks as if scanner B had taken it, and a weight can't make one.
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
heart = data.load("heart_disease", profile=run.profile).table.copy()
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
    column[0].set_title(site, loc="left")
    column[0].set_yticks(range(len(heart_names)), heart_names)
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
# - **Importance weights gain nothing here** (an A-distance of 1.3 leaves few patients to weight).
# - **Own labels.** "Target labels only" is no upper bound when the target is small: an AUC of 0.54 in Switzerland (from 8 healthy patients), 0.68 in VA. Cleveland's patients together with the target's labelled ones are best, or among the best, in Hungary and VA.
#
# The order of methods differs between hospitals. Which one you should use depends on *which shift* you have, and that needs knowledge (who is referred there? what is measured?) or a few labels.
#
# **Checkpoint.** A colleague aligns the features of your hospital (8 % ill) with those of a referral centre (60 % ill) by CORAL. The A-distance falls from 1.4 to 0.1. She calls the model adapted. What would you ask?
#
# <details><summary>Answer</summary>The distance fell because means and covariances were made equal, which is what the method does, and no evidence that the classes fell on each other. With 8 and with 60 % ill the means should <em>not</em> be equal: part of the 1.4 was the disease. Ask for the prevalence at the target (estimated from the calls of a classifier, or from fifty labelled patients); for the calibration, not only the
# AUC; and for the result of "source only" with an interval for the paired difference.</details>
