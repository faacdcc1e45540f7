# %% [markdown]
# # Lecture 3 - Fundamentals of deep learning
#
# **After this you can**
#
# - write logistic regression and a small network from their formulas, with a loss that doesn't overflow, and prove that they are right (2.1)
# - tell bias from variance, hold a model back by a penalty or by stopping early, and let validation choose while test only reports (2.1)
# - compute a convolution, its size, its receptive field and its parameters by hand, and say when a CNN beats an MLP and why (2.2)
# - write one step of a recurrent network, classify a cine loop by its motion, and keep patients, padding and gradients apart (2.3)
# - say what a bottleneck keeps, prove that a linear autoencoder finds PCA's subspace, and train a denoiser against the right target (2.4)
# - compute gradients by hand, write momentum and Adam, choose a learning rate, and name the mode a batch norm is in (2.5)
#
# **Time** about 400 minutes
#
# Sections carry the syllabus's numbers: this lecture is its chapter 2. That is five sittings, one a section. No demonstration needs an exercise to be solved, so you can read on whenever you are stuck.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations: your answers may use what they import and define, not what they compute.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `breast_cancer_cytology`: 30 measures of the cell nuclei in needle aspirates of 569 breast masses, malignant or benign | scikit-learn, from UCI set 17; Street, Wolberg and Mangasarian 1993 | CC BY 4.0 (as UCI states) | measures without names; consent not documented | one row a mass; here at random: 60 training, 200 validation, 309 test |
# | `pneumoniamnist`: 5856 chest films of children, pneumonia or normal | MedMNIST v2, from Kermany et al. 2018 | CC BY 4.0 | one hospital, ages 1-5; published without names | train and validation: the source's training folder, at random; test: the source's own test folder. Children are not named; several films of one child are likely |
# | `breastmnist`: 780 breast ultrasound images, malignant or not | MedMNIST v2, from Al-Dhabyani et al. 2020 | CC BY 4.0 | women of 25-75 years, one hospital; published without names | at random over images: images of one woman may be on both sides |
# | `ultrasound_cine`: 30 frames of one echocardiogram | pydicom | a test file of pydicom (MIT), for which no licence of its own is stated | names in the header were replaced; consent is not documented | shown, never used for training |
# | simulated electrolytes and uptake curves (2.1), cine loops of a beating ventricle (2.3) | this course | this course | nobody | planted truth; loops by patient |
#
# - `breast_cancer_cytology` and `breastmnist` call malignant **0**. We turn the labels once, visibly, so that 1 is always the disease.
# - In the profile `ci` simulated stand-ins take the place of the two MedMNIST sets, and say so. Cited by: Yang et al. 2023.

# %% tags=["parameters"]
LECTURE = "03_fundamentals_of_deep_learning"
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
# ## 2.1 Machine learning basics
#
# A needle has been in a lump in a woman's breast. The pathologist measures the nuclei of the cells that it brought up: how large, how ragged, how uneven. Malignant nuclei are larger and more irregular, but the
# two groups overlap. What she needs is no yes or no. She needs the *chance* that this lump is malignant, learned from lumps whose end is known, and it must hold for the next woman, not for those in the file.
#
# Every model of this course, up to the largest network, is made of the same four parts:
#
# | Part | Here | Later |
# |---|---|---|
# | a model with parameters | $z = w^\top x + b$, one weight a measure | layers of it |
# | a loss that says how wrong it is | cross-entropy | cross-entropy, Dice, ... |
# | a way to make the loss smaller | the gradient, written by hand | the gradient, by autograd (section 2.5) |
# | patients that were not used for any of this | validation and test | the same |
#
# ### Logistic regression
#
# For a patient with $D$ measures $x \in \mathbb{R}^D$ the model computes a **logit** $z = w^\top x + b$ and from it a chance $p = \sigma(z) = 1 / (1 + e^{-z})$. With the label $y = 1$ for malignant, the **cross-entropy**
# is minus the log of the chance that the model gave to what really happened. Over $N$ patients, with a penalty of strength $\lambda$ on large weights,
#
# $$J(w, b) = \frac1N \sum_{i=1}^N \Big[ -y_i \log p_i - (1 - y_i) \log (1 - p_i) \Big] + \frac{\lambda}{2} \lVert w \rVert^2 .$$
#
# The gradient is short, because the derivative of cross-entropy after a sigmoid is the plain difference $p - y$:
#
# $$\frac{\partial J}{\partial w} = \frac1N \sum_i (p_i - y_i)\, x_i + \lambda w, \qquad \frac{\partial J}{\partial b} = \frac1N \sum_i (p_i - y_i).$$
#
# The bias $b$ has no penalty: it says how common the disease is, and there is no reason to pull that towards 50 %.
#
# **Predict before you run.** The next cell descends along this gradient, then asks autograd for the same gradient and scikit-learn for the same minimum. On how many digits will they agree: 3, 6 or 12?

# %% tags=["demo"]
import ipywidgets as widgets
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

cytology = data.load("breast_cancer_cytology", profile=run.profile).table
malignant = (cytology["target"].to_numpy() == 0).astype(float)  # the file says 0 for malignant; here 1 is the disease
measures = cytology.drop(columns="target")
order = np.random.default_rng(run.seed).permutation(len(cytology))
part = {"train": order[:60], "val": order[60:260], "test": order[260:]}
centre, spread = measures.iloc[part["train"]].mean(), measures.iloc[part["train"]].std(ddof=0)  # of the training patients alone
lumps = {name: ((measures.iloc[rows] - centre) / spread).to_numpy() for name, rows in part.items()}
truth = {name: malignant[rows] for name, rows in part.items()}


def hand_gradient(w: np.ndarray, b: float, lam: float) -> tuple[np.ndarray, float]:
    """The formulas above, on the training patients."""
    too_high = 1 / (1 + np.exp(-(lumps["train"] @ w + b))) - truth["train"]
    return lumps["train"].T @ too_high / len(too_high) + lam * w, too_high.mean()


LAMBDA, w, b = 0.1, np.zeros(30), 0.0
for _ in range(4000):
    slope_w, slope_b = hand_gradient(w, b, LAMBDA)
    w, b = w - 0.1 * slope_w, b - 0.1 * slope_b

rng = np.random.default_rng(1)  # the gradient is compared at a place where it is not zero
w_there, b_there = torch.tensor(rng.normal(0, 0.3, 30), requires_grad=True), torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
z = torch.tensor(lumps["train"]) @ w_there + b_there
(F.binary_cross_entropy_with_logits(z, torch.tensor(truth["train"])) + 0.5 * LAMBDA * (w_there**2).sum()).backward()
by_hand = hand_gradient(w_there.detach().numpy(), b_there.item(), LAMBDA)
against_torch = max(np.abs(by_hand[0] - w_there.grad.numpy()).max(), abs(by_hand[1] - b_there.grad.item()))
library = LogisticRegression(C=1 / (60 * LAMBDA), tol=1e-10, max_iter=5000).fit(lumps["train"], truth["train"])  # C is 1 / (N lambda)
against_sklearn = max(np.abs(w - library.coef_[0]).max(), abs(b - library.intercept_[0]))
logistic_auc = roc_auc_score(truth["val"], lumps["val"] @ w + b)
print(f"60 women to learn from. Largest difference: to autograd's gradient {against_torch:.0e}, to scikit-learn's minimum {against_sklearn:.0e}")
print(f"AUC on 200 other women: {logistic_auc:.3f} (the mean radius of the nuclei alone: {roc_auc_score(truth['val'], lumps['val'][:, 0]):.3f})")
assert against_torch < 1e-12 and against_sklearn < 1e-5, "the hand-written logistic regression and the libraries disagree"

# %% [markdown]
# The gradient agrees to the last digits of a 64-bit number: it is the same formula. The minimum agrees less well, only because two different searches stop at slightly different places near it.
#
# (The AUC is the share of pairs, one sick and one healthy, that the model puts in the right order: 1 is perfect, 0.5 a coin. Lecture 4 takes it apart.)
#
# Look at the model where it can be seen: with two measures. The boundary $p = 0.5$ is a straight line, whatever you do. `lambda` only decides how steeply the chance rises across it.

# %% tags=["demo"]
PAIR = [0, 1]  # mean radius and mean texture
pair_x, pair_y = lumps["train"][:, PAIR], truth["train"]


def draw_boundary(log10_lambda: float = -1.0) -> plt.Figure:
    fitted = LogisticRegression(C=1 / (60 * 10**log10_lambda), tol=1e-8, max_iter=2000).fit(pair_x, pair_y)
    across, up = np.meshgrid(np.linspace(-2.5, 4, 120), np.linspace(-2.5, 5, 120))
    chance = fitted.predict_proba(np.c_[across.ravel(), up.ravel()])[:, 1].reshape(across.shape)
    fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
    shade = ax.contourf(across, up, chance, levels=np.linspace(0, 1, 11), cmap=show.SEQUENTIAL, alpha=0.55)
    ax.contour(across, up, chance, levels=[0.5], colors="black", linewidths=1.5)
    for value, mark, color, name in ((0, "o", show.PALETTE[0], "benign"), (1, "^", show.PALETTE[3], "malignant")):
        ax.scatter(*pair_x[pair_y == value].T, marker=mark, color=color, edgecolor="white", s=45, label=name)
    fig.colorbar(shade, ax=ax, label="chance of malignant")
    ax.set(xlabel="mean radius of the nuclei (standard deviations)", ylabel="mean texture (standard deviations)",
           title=f"lambda = {10**log10_lambda:.2g}: weights {fitted.coef_[0][0]:.2f} and {fitted.coef_[0][1]:.2f}")
    ax.legend(loc="lower right", frameon=True)
    return fig


show.explore(draw_boundary, alt="Sixty breast lumps by radius and texture of their nuclei. A straight line parts malignant from benign ones; the chance of malignancy rises across it",
             log10_lambda=(-5.0, 3.0, 0.5))

# %% [markdown]
# ### Several classes, and numbers too large for a computer
#
# With $K$ classes the model gives a patient $K$ logits $z_1 \dots z_K$. The **softmax** turns them into chances, and the cross-entropy again takes minus the log of the chance of the true class $y$:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad -\log p_y = -z_y + \log \sum_j e^{z_j} .$$
#
# The sum runs over the classes of *one* patient, never over the patients of the batch. And it holds a trap: $e^{z}$ of a logit of 1000 is larger than any number your computer knows. Both are cured by one line of algebra. For any $m$,
#
# $$\log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m},$$
#
# and with $m = \max_j z_j$ the largest exponent is 0: nothing can overflow, and the sum is at least 1, so its log is safe.
#
# **Predict before you run.** In 32 bits, as networks compute, at which logit does the naive formula break: 10, 90 or 1000? And if the true class has a logit *below* the other, does it break by `inf` or by `nan`?

# %% tags=["demo"]
gap = np.linspace(0, 200, 401, dtype=np.float32)  # two classes: logit gap for the wrong one, 0 for the true one
with np.errstate(all="ignore"):
    naive = -np.log(np.exp(0 * gap) / (np.exp(0 * gap) + np.exp(gap)))
stable = F.cross_entropy(torch.tensor(np.c_[0 * gap, gap]), torch.zeros(401, dtype=torch.long), reduction="none").numpy()
breaks_at = gap[~np.isfinite(naive)][0]
fig, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
ax.plot(gap, stable, color=show.PALETTE[0], linewidth=5, alpha=0.4, label="with the largest logit taken out")
ax.plot(gap, naive, color=show.PALETTE[3], linestyle="--", label=f"naive: infinite from {breaks_at:.0f} on")
ax.axvline(breaks_at, color="0.5", linestyle=":")
ax.set(xlabel="logit of the wrong class, over that of the true one", ylabel="loss (nats)")
ax.legend(loc="upper left", fontsize=9)
show.figure(fig, alt="Loss against logit: the stable formula is a straight line; the naive one follows it up to about 89 and is infinite beyond")
with np.errstate(all="ignore"):
    print("naive chances for the logits 1000 and 998:", np.exp(np.array([1000.0, 998.0])) / np.exp(np.array([1000.0, 998.0])).sum(), "- stable:", torch.softmax(torch.tensor([1000.0, 998.0]), 0).numpy().round(3))

# %% [markdown]
# About 89 in 32 bits: a badly scaled input gets there in one step. The loss is infinite, the gradient `nan`, and from then on every weight is `nan`. That is why every library asks for *logits* and does the rest itself.
#
# ### Exercise 2.1a - stable cross-entropy
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can compute a loss that doesn't overflow, over the right axis*
#
# Write `cross_entropy(logits, labels)` with NumPy. One trap comes from hospital files: a label of $-1$ for "not read yet". As an index, $-1$ quietly means the *last* class.
#
# <details><summary>Hint 1: the idea</summary>For each patient: log of the sum over the classes, minus the logit of the true class. Take the patient's largest logit out before you call exp.</details>
# <details><summary>Hint 2: what to call</summary><code>logits.max(axis=1, keepdims=True)</code>, <code>numpy.exp</code>, <code>numpy.log</code>; <code>logits[numpy.arange(B), labels]</code> picks one logit a
# row.</details>
# <details><summary>I get inf or nan at large logits</summary>Do you take the largest logit out <i>before</i> exp? Do you take the log of a chance that has become 0? Stay with logs.</details>
# <details><summary>My value is right for some batches only</summary>Over which axis do you sum? With as many patients as classes no error tells you.</details>
# <details><summary>My value is several times too large</summary>The mean over the patients is asked for. A sum grows with the batch, and with it every step of training.</details>


# %% nbgrader={"grade": false, "grade_id": "cross-entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy of a batch, from logits.

    Args:
        logits: (B, K) any finite numbers, also +-10000; one row a patient, one column a class. Must not be changed in place.
        labels: (B,) whole numbers, the true classes.

    Returns:
        The mean over the B patients of -log softmax(logits)[label], in nats; finite.

    Raises:
        ValueError: a label is not in 0 ... K - 1 (such as -1 for "not read yet"), or there is no patient (B is 0).
    """
    ### BEGIN SOLUTION
    if len(labels) == 0:
        raise ValueError("the batch is empty, so there is no mean")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"labels must be 0 to {logits.shape[1] - 1}, but they run from {labels.min()} to {labels.max()}")
    largest = logits.max(axis=1, keepdims=True)
    log_sum = largest[:, 0] + np.log(np.exp(logits - largest).sum(axis=1))
    return float((log_sum - logits[np.arange(len(labels)), labels]).mean())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cross-entropy-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The value: mean over patients, softmax over classes. Three patients, three classes, chances that you can read off: logits are logs of chances
chances = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
toy_logits, toy_labels = np.log(chances) + np.array([[1.0], [0.0], [-2.0]]), np.array([0, 1, 1])  # a constant a row changes nothing
expected = -np.log([0.5, 0.8, 0.2]).mean()
value = cross_entropy(toy_logits.copy(), toy_labels)
assert np.ndim(value) == 0 and value is not None, f"return one number, the mean over the patients; got {value!r}"
columns = np.exp(toy_logits) / np.exp(toy_logits).sum(axis=0)
assert not np.isclose(value, -np.log(columns[[0, 1, 2], toy_labels]).mean()), "your softmax runs over the batch axis: chances must sum to 1 over the classes of one patient, axis=1"
assert not np.isclose(value, 3 * expected), "that is the sum over the patients; return the mean, or the loss grows with the batch"
assert not np.isclose(value, expected / 3), "you divide by the number of numbers, B x K; the mean is over the B patients"
assert not np.isclose(value, -expected), "the sign is wrong: minus the log of a chance is positive"
assert not np.isclose(value, expected / np.log(2)), "that is in bits: take the natural log"
assert np.isclose(value, expected), f"the true classes have chances 0.5, 0.8 and 0.2, so the mean of -log is {expected:.4f}; got {float(value):.4f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(31)
for patients, classes in ((1, 2), (7, 3), (3, 7), (5, 5), (64, 2)):
    some, marks = rng.normal(0, 3, (patients, classes)), rng.integers(0, classes, patients)
    target = torch.nn.functional.cross_entropy(torch.tensor(some), torch.tensor(marks)).item()
    kept = some.copy()
    value = cross_entropy(some, marks)
    assert np.isclose(value, target, rtol=1e-9), f"with {patients} patients and {classes} classes torch gives another value: sum over the classes, mean over the patients"
    assert np.array_equal(some, kept), "you changed the caller's logits in place"
    assert np.isclose(cross_entropy(some + rng.normal(0, 5, (patients, 1)), marks), target, rtol=1e-9), "a constant added to all logits of a patient must not change the loss"
    assert np.isclose(cross_entropy(np.tile(some, (3, 1)), np.tile(marks, 3)), target), "the same patients three times over must have the same mean loss"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cross-entropy-stable", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Logits of 1000: sure and right costs nothing, sure and wrong costs 1000, and neither is inf or nan
with np.errstate(all="ignore"):
    right, wrong = cross_entropy(np.array([[1000.0, 0.0]]), np.array([0])), cross_entropy(np.array([[1000.0, 0.0]]), np.array([1]))
    both_low = cross_entropy(np.array([[-1000.0, -1000.0]]), np.array([1]))
assert right is not None and np.isfinite(float(right)), f"logits 1000 and 0 give {right}: exp(1000) overflows. Take the largest logit of the row out first"
assert np.isfinite(float(wrong)), f"sure and wrong gives {wrong}: the chance became 0 and its log infinite. Stay with logs: log-sum-exp minus the logit"
assert np.isclose(float(right), 0, atol=1e-9), f"sure and right should cost 0, not {float(right):.3g}"
assert np.isclose(float(wrong), 1000), f"a logit 1000 below the other costs 1000, not {float(wrong):.4g}: don't clip chances, a clipped loss has no gradient"
with np.errstate(all="ignore"):
    high_and_low = cross_entropy(np.array([[1000.0, 0.0], [-1000.0, -1000.0]]), np.array([0, 1]))
assert np.isfinite(float(high_and_low)) and np.isclose(float(high_and_low), np.log(2) / 2), "one patient with logits of 1000, one of -1000: take out each row's own largest logit, not the batch's"
assert np.isfinite(float(both_low)) and np.isclose(float(both_low), np.log(2)), f"two logits of -1000 are a coin, log 2 = 0.693, not {float(both_low):.4g}: take each row's own largest logit out"
### BEGIN HIDDEN TESTS
mixed = np.array([[9000.0, 8999.0], [-9000.0, -9001.0], [0.0, 1.0]])
with np.errstate(all="ignore"):
    value = cross_entropy(mixed, np.array([0, 0, 1]))
assert np.isclose(float(value), np.log1p(np.exp(-1))), "one patient with large, one with very negative logits: take out each row's own largest logit, not the batch's"
rng = np.random.default_rng(32)
for scale in (300.0, 1e3, 1e4):
    some, marks = scale * rng.normal(0, 1, (9, 4)), rng.integers(0, 4, 9)
    target = torch.nn.functional.cross_entropy(torch.tensor(some), torch.tensor(marks)).item()
    with np.errstate(all="ignore"):
        value = cross_entropy(some, marks)
    assert np.isclose(float(value), target), f"logits of about {scale:.0f} give a wrong or infinite loss"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cross-entropy-labels", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What a file from a clinic holds: -1 for "not read yet". (Good input first: an answer that always raises earns nothing here.)
assert np.isclose(cross_entropy(np.zeros((2, 4)), np.array([0, 3])), np.log(4)), "equal logits of four classes should cost log 4"
for bad, why in (([-1, 0], "-1, which as an index means the last class: an unread film would be trained as the last disease"), ([0, 4], "4, where the classes are 0 to 3")):
    try:
        answer = cross_entropy(np.zeros((2, 4)), np.array(bad))
    except ValueError:
        pass
    except IndexError as error:
        raise AssertionError(f"you let NumPy raise an IndexError for the label {why}: raise a ValueError that says so") from error
    else:
        raise AssertionError(f"you accepted the label {why}: raise a ValueError, don't return {answer}")
### BEGIN HIDDEN TESTS
try:
    answer = cross_entropy(np.zeros((0, 3)), np.zeros(0, dtype=int))
except ValueError:
    pass
else:
    raise AssertionError("a batch without patients has no mean: raise ValueError, don't return nan")
for bad in ([2, -3, 1], [0, 1, 3]):
    try:
        cross_entropy(np.random.default_rng(33).normal(size=(3, 3)), np.array(bad))
    except ValueError:
        pass
    else:
        raise AssertionError("a label outside 0 ... K - 1 must raise ValueError, wherever it stands")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2.1b - logistic regression with L2, the gradient by hand
#
# Difficulty 3 of 5 - 5 points - about 20 minutes - *after it you can write the training of a model without any library, and know what a penalty must leave alone*
#
# Write `fit_logistic(x, y, l2, lr, steps)`: full-batch gradient descent on $J$ from the top of this section, with $\lambda$ = `l2`. The checks run the same steps with torch's autograd and expect the same numbers.
#
# <details><summary>Hint 1: the idea</summary>Chances, minus labels, give one number a patient. The gradient of each weight is the mean of that number times the measure. Then the penalty. Then one step <i>down</i>.</details>
# <details><summary>Hint 2: what to call</summary><code>x @ w + b</code>; <code>scipy.special.expit</code> is a sigmoid that never overflows; <code>x.T @ error / len(y)</code>; <code>error.mean()</code>.</details>
# <details><summary>The weights are right after one step, wrong after two</summary>From zero the penalty has no slope yet, so the first step can't show a mistake in it. Or do you compute the gradient of b with the w that you have already moved?</details>
# <details><summary>My steps get larger and larger</summary>Do you go down, not up? Is the gradient a mean over patients, not a sum?</details>
# <details><summary>Without the penalty all is right, with it not</summary>The derivative of (l2 / 2) w² is l2 w. It isn't divided by N, and the bias has none.</details>


# %% nbgrader={"grade": false, "grade_id": "logistic-fit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit_logistic(x: np.ndarray, y: np.ndarray, l2: float, lr: float, steps: int) -> tuple[np.ndarray, float]:
    """Logistic regression by gradient descent on mean cross-entropy + l2 / 2 * sum of squared weights.

    Args:
        x: (N, D) measures, float64.
        y: (N,) labels, 1 for the disease and 0 for none.
        l2: strength of the penalty, at least 0. The bias has no penalty.
        lr: learning rate.
        steps: updates to make; in each, w and b move together, along the gradient of all N patients at the place where both were.

    Returns:
        The weights (D,) and the bias, after `steps` updates from w = 0, b = 0.

    Raises:
        ValueError: y holds anything but 0 and 1 (such as 1 and 2, or -1 and 1, as some files have it).
    """
    ### BEGIN SOLUTION
    from scipy.special import expit

    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"labels must be 0 and 1, but there are {np.unique(y)[:5]}")
    w, b = np.zeros(x.shape[1]), 0.0
    for _ in range(steps):
        error = expit(x @ w + b) - y
        w, b = w - lr * (x.T @ error / len(y) + l2 * w), b - lr * error.mean()
    return w, float(b)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "logistic-fit-steps", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The steps, without a penalty: the same numbers as autograd, to float precision
def patients_at_random(seed, n, d):
    here = np.random.default_rng(seed)
    measures_here = here.normal(0, 1, (n, d))
    return measures_here, (measures_here @ here.normal(0, 1, d) + here.normal(0.5, 1, n) > 0).astype(float)


def by_autograd(x, y, l2, lr, steps):
    w, b = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True), torch.zeros((), dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(x) @ w + b, torch.tensor(y)) + l2 / 2 * (w**2).sum()
        slope = torch.autograd.grad(loss, (w, b))
        w, b = (w - lr * slope[0]).detach().requires_grad_(), (b - lr * slope[1]).detach().requires_grad_()
    return w.detach().numpy(), b.item()


x, y = patients_at_random(1, 20, 3)
answer = fit_logistic(x, y, 0.0, 0.5, 1)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: the weights and the bias"
(w, b), (true_w, true_b) = answer, by_autograd(x, y, 0.0, 0.5, 1)
assert np.shape(w) == (3,) and np.ndim(b) == 0, f"weights (3,) and one number for the bias are expected, got {np.shape(w)} and {np.shape(b)}"
assert not np.allclose(w, 0), "the weights did not move from 0 in one step"
assert not np.allclose(w, -true_w), "you climb: the loss grows along the gradient, so step against it"
assert not np.allclose(w, 20 * true_w), "the step is N times too large: the gradient is the mean over patients, not the sum"
assert np.allclose(w, true_w, rtol=1e-9), f"after one step the weights should be {true_w.round(4)}, got {np.round(w, 4)}. Mean of (p - y) x, from w = 0?"
too_late = 0.5 * (y - 1 / (1 + np.exp(-x @ true_w))).mean()
assert not np.isclose(b, too_late, rtol=1e-9), "the bias takes its step with weights that have already moved: compute both gradients first, then let w and b move together"
assert np.isclose(b, true_b, rtol=1e-9), f"after one step the bias should be {true_b:.4f}, got {float(b):.4f}: its gradient is the mean of p - y"
(w, b), (true_w, true_b) = fit_logistic(x, y, 0.0, 0.5, 3), by_autograd(x, y, 0.0, 0.5, 3)
assert np.allclose(w, true_w, rtol=1e-9) and np.isclose(b, true_b, rtol=1e-9), "one step is right, three are not: in every step w and b must move together, both by the gradient at the old place"
### BEGIN HIDDEN TESTS
for seed, n, d, steps in ((11, 7, 1, 2), (12, 50, 6, 40), (13, 12, 12, 7)):
    x, y = patients_at_random(seed, n, d)
    (w, b), (true_w, true_b) = fit_logistic(x, y, 0.0, 0.3, steps), by_autograd(x, y, 0.0, 0.3, steps)
    assert np.shape(w) == (d,) and np.allclose(w, true_w, rtol=1e-8), f"{n} patients, {d} measures, {steps} steps: autograd arrives at other weights"
    assert np.isclose(b, true_b, rtol=1e-8), f"{n} patients, {d} measures, {steps} steps: autograd arrives at another bias"
w, b = fit_logistic(x, y, 0.0, 0.3, 0)
assert np.allclose(w, np.zeros(12)) and np.isclose(b, 0), "with 0 steps weights and bias are still 0"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "logistic-fit-penalty", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The penalty: l2 / 2 times the squared weights, so its slope is l2 w; and the bias is left alone
rng = np.random.default_rng(2)
x = rng.normal(0, 1, (30, 4))
y = (x[:, 0] + rng.normal(1.0, 1, 30) > 0).astype(float)


def gap_to(l2_weights, l2_bias):
    """Largest difference to a descent with these penalties."""
    w, b = np.zeros(4), 0.0
    for _ in range(6):
        error = 1 / (1 + np.exp(-(x @ w + b))) - y
        w, b = w - 0.4 * (x.T @ error / 30 + l2_weights * w), b - 0.4 * (error.mean() + l2_bias * b)
    return max(np.abs(yours[0] - w).max(), abs(yours[1] - b))


answer = fit_logistic(x, y, 0.5, 0.4, 6)
assert answer is not None and np.shape(answer[0]) == (4,), "expected four weights and a bias"
yours = (np.asarray(answer[0], dtype=float), float(answer[1]))
assert gap_to(0, 0) > 1e-9, "l2 changes nothing: where is the penalty's part of the gradient?"
assert gap_to(0.5, 0.5) > 1e-9, "the bias is penalised too: that pulls the prevalence towards 50 %. Only w has the penalty"
assert gap_to(1.0, 0) > 1e-9, "the penalty is twice too strong: the derivative of l2 / 2 w^2 is l2 w, not 2 l2 w"
assert gap_to(0.5 / 30, 0) > 1e-9, "the penalty is divided by N: only the cross-entropy is a mean over patients"
assert gap_to(-0.5, 0) > 1e-9, "the penalty has the wrong sign: it pushes the weights away from 0"
assert gap_to(0.5, 0) < 1e-9, "with l2 = 0.5 autograd arrives elsewhere: add l2 * w to the gradient of w, before you multiply by the learning rate"
### BEGIN HIDDEN TESTS
for seed, l2 in ((21, 0.01), (22, 0.3), (23, 2.0)):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (30, 4))
    y = (x[:, 1] + rng.normal(-0.7, 1, 30) > 0).astype(float)
    answer = fit_logistic(x, y, l2, 0.4, 6)
    yours = (np.asarray(answer[0], dtype=float), float(answer[1]))
    assert gap_to(l2, 0) < 1e-9, f"with l2 = {l2} autograd arrives elsewhere"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "logistic-fit-minimum", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Where it ends: at the minimum that scikit-learn finds (its C is 1 / (N l2)), and the mean chance is the prevalence, which a penalised bias would spoil
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(3)
x = rng.normal(0, 1, (80, 3))
y = (x @ [1.0, -2.0, 0.0] + rng.normal(1.5, 1, 80) > 0).astype(float)
answer = fit_logistic(x, y, 0.1, 0.8, 2000)
assert answer is not None and np.shape(answer[0]) == (3,), "expected three weights and a bias"
w, b = np.asarray(answer[0], dtype=float), float(answer[1])
mean_chance = np.mean(1 / (1 + np.exp(-(x @ w + b))))
assert np.isclose(mean_chance, y.mean(), atol=1e-6), f"the mean chance is {mean_chance:.4f}, the prevalence {y.mean():.4f}: at the minimum an unpenalised bias makes them equal"
best = LogisticRegression(C=1 / (80 * 0.1), tol=1e-10, max_iter=5000).fit(x, y)
assert np.allclose(w, best.coef_[0], atol=1e-4), f"scikit-learn's minimum is at {best.coef_[0].round(3)}, you end at {w.round(3)}: is the penalty as strong as asked, and are all steps made?"
### BEGIN HIDDEN TESTS
for seed, l2 in ((31, 0.03), (32, 1.0)):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (60, 4))
    y = (x[:, 0] - x[:, 3] + rng.normal(-1.0, 1, 60) > 0).astype(float)
    w, b = fit_logistic(x, y, l2, 0.5, 3000)
    best = LogisticRegression(C=1 / (60 * l2), tol=1e-10, max_iter=5000).fit(x, y)
    assert np.allclose(w, best.coef_[0], atol=1e-4) and np.isclose(b, best.intercept_[0], atol=1e-4), f"with l2 = {l2} scikit-learn finds another minimum"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "logistic-fit-labels", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Labels as other files have them: 1 and 2, or -1 and 1. The formulas would run, and mean something else. (Good input first.)
x, y = np.array([[-1.0], [0.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
answer = fit_logistic(x, y, 0.0, 1.0, 1)
assert answer is not None and np.allclose(answer[0], [0.5]), "four patients, one step of 1: the weight should be 0.5, also with labels that are whole numbers"
for wrong_labels in (y + 1, 2 * y - 1):
    try:
        fit_logistic(x, wrong_labels, 0.0, 1.0, 1)
    except ValueError:
        pass
    else:
        raise AssertionError(f"you accepted the labels {np.unique(wrong_labels)}: p - y is only right for 0 and 1, so raise ValueError")
### BEGIN HIDDEN TESTS
for wrong_labels in (np.array([0.0, 1.0, np.nan, 1.0]), np.array([0.0, 0.5, 1.0, 1.0])):
    try:
        fit_logistic(x, wrong_labels, 0.1, 1.0, 2)
    except ValueError:
        pass
    else:
        raise AssertionError("a label that is nan, or between 0 and 1, must raise ValueError")
try:
    w, b = fit_logistic(x, np.zeros(4), 0.0, 1.0, 1)
except ValueError as error:
    raise AssertionError("a training set without disease is legal: all labels are 0 or 1") from error
assert np.allclose(w, [-0.25]) and np.isclose(b, -0.5), "a training set without disease is legal: the bias falls by 0.5 in the first step"
### END HIDDEN TESTS

# %% [markdown]
# ### When a line is not enough: a network with one hidden layer
#
# Potassium in the blood kills when it is too high *and* when it is too low; so does sodium. The safe region is an island in the middle. No straight line parts an island from the sea.
#
# A **multilayer perceptron** (MLP) bends the line: $H$ hidden units each compute a logistic-like feature, and a logistic regression works on those.
#
# $$h = \tanh(W_1 x + b_1), \qquad z = w_2^\top h + b_2 .$$
#
# The chain rule gives the gradients, from the end to the beginning. With $\delta = (p - y)/N$ for each patient:
#
# $$\nabla w_2 = \textstyle\sum \delta\, h, \qquad \epsilon = \delta\, w_2 \odot (1 - h^2), \qquad \nabla W_1 = \textstyle\sum \epsilon\, x^\top .$$
#
# That is all of backpropagation; section 2.5 does it in general.
#
# **Predict before you run.** 400 simulated patients, sick outside the island. What AUC does logistic regression reach: 0.9, 0.7 or 0.5? And how many hidden units does it take, at least, to fence an island in?

# %% tags=["demo"]
rng = np.random.default_rng(run.seed)


def electrolytes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Potassium and sodium in standard deviations from normal (n, 2), and whether the patient is in danger; one in twenty labels is wrong."""
    values = rng.uniform(-2.5, 2.5, (n, 2))
    danger = (values[:, 0] ** 2 + 0.7 * values[:, 1] ** 2 > 2.2) ^ (rng.random(n) < 0.05)
    return values, danger.astype(float)


(blood_x, blood_y), (blood_new_x, blood_new_y) = electrolytes(400), electrolytes(400)


def forward(p: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hidden = np.tanh(x @ p["W1"] + p["b1"])
    return hidden, hidden @ p["w2"] + p["b2"]


def backward(p: dict, x: np.ndarray, y: np.ndarray) -> dict:
    """The gradient of the mean cross-entropy, by the chain rule."""
    hidden, z = forward(p, x)
    delta = (1 / (1 + np.exp(-z)) - y) / len(y)
    epsilon = delta[:, None] * p["w2"] * (1 - hidden**2)
    return {"W1": x.T @ epsilon, "b1": epsilon.sum(0), "w2": hidden.T @ delta, "b2": delta.sum()}


def start_mlp(units: int, seed: int = 0) -> dict:
    draw = np.random.default_rng(seed)
    return {"W1": draw.normal(0, 0.7, (2, units)), "b1": np.zeros(units), "w2": draw.normal(0, units**-0.5, units), "b2": np.zeros(())}


def train_mlp(units: int, steps: int = 1500, lr: float = 1.0, seed: int = 0) -> dict:
    p = start_mlp(units, seed)
    for _ in range(steps):
        g = backward(p, blood_x, blood_y)
        p = {name: value - lr * g[name] for name, value in p.items()}
    return p

# %% tags=["demo"]
tensors = {name: torch.tensor(value, requires_grad=True) for name, value in start_mlp(12).items()}
z = torch.tanh(torch.tensor(blood_x) @ tensors["W1"] + tensors["b1"]) @ tensors["w2"] + tensors["b2"]
F.binary_cross_entropy_with_logits(z, torch.tensor(blood_y)).backward()
mine = backward(start_mlp(12), blood_x, blood_y)
mlp_gap = max(np.abs(mine[name] - tensors[name].grad.numpy()).max() for name in mine)
print(f"hand-written backward against autograd: largest difference {mlp_gap:.0e}")
assert mlp_gap < 1e-12, "the MLP's gradient and autograd's disagree"

# %% tags=["demo"]
line = LogisticRegression().fit(blood_x, blood_y)
island_auc = {"a line": roc_auc_score(blood_new_y, line.decision_function(blood_new_x))}
fences = {units: train_mlp(units) for units in (2, 3, 12)}
across, up = np.meshgrid(np.linspace(-2.5, 2.5, 90), np.linspace(-2.5, 2.5, 90))
places = np.c_[across.ravel(), up.ravel()]
pictures = {"a line": line.predict_proba(places)[:, 1]}
for units, p in fences.items():
    name = f"{units} hidden units"
    island_auc[name] = roc_auc_score(blood_new_y, forward(p, blood_new_x)[1])
    pictures[name] = 1 / (1 + np.exp(-forward(p, places)[1]))
fig, axes = plt.subplots(1, 4, figsize=(12, 3.3), layout="constrained", sharey=True)
for ax, (name, chance) in zip(axes, pictures.items(), strict=True):
    shade = ax.contourf(across, up, chance.reshape(across.shape), levels=np.linspace(0, 1, 11), cmap=show.SEQUENTIAL, alpha=0.6)
    for value, mark, color in ((0, "o", show.PALETTE[0]), (1, "^", show.PALETTE[3])):
        ax.scatter(*blood_x[:150][blood_y[:150] == value].T, marker=mark, s=22, color=color, edgecolor="white", linewidth=0.5, label=("safe", "in danger")[value])
    ax.set(title=f"{name}: AUC {island_auc[name]:.2f}", xlabel="potassium (SD)", aspect="equal")
axes[0].set_ylabel("sodium (SD)")
axes[0].legend(loc="lower left", fontsize=8, frameon=True)
fig.colorbar(shade, ax=axes, label="chance of danger")
show.figure(fig, alt="Four maps of the chance of danger over potassium and sodium: a line can't enclose the safe island, two hidden units leave it open, three or more close the fence")
mlp_auc, line_auc = island_auc["12 hidden units"], island_auc["a line"]
assert mlp_auc > 0.85 and mlp_auc > line_auc + 0.2, "the MLP did not learn the island"

# %% [markdown]
# A coin for the line, and three units for a fence: a triangle is the smallest closed figure. More units round its corners.
#
# ### Train, validation, test; bias and variance
#
# Twelve units or twelve hundred? More capacity always fits the *training* patients better. The next patient is another matter. Three groups of patients keep you honest:
#
# - **training** patients set the weights,
# - **validation** patients choose everything that is not a weight: capacity, $\lambda$, when to stop,
# - **test** patients are looked at once, when nothing is left to choose.
#
# Why can more capacity harm? Suppose a measurement is $y = f(x) + \varepsilon$ with noise of variance $\sigma^2$, and you fit $\hat f$ to a training set. Another training set would have given another $\hat f$. On average over training sets
#
# $$\mathbb{E}\big[(y - \hat f(x))^2\big] = \underbrace{\big(f(x) - \mathbb{E}\hat f(x)\big)^2}_{\text{bias}^2} + \underbrace{\mathbb{E}\big[(\hat f(x) - \mathbb{E}\hat f(x))^2\big]}_{\text{variance}} + \underbrace{\sigma^2}_{\text{noise}} .$$
#
# **Bias** is what the model can't follow however many patients you have. **Variance** is how much it believes in the accidents of *these* patients. Noise stays.
#
# To see the two apart you need many training sets and the truth, so we simulate: how fast a lesion takes up contrast agent and washes it out, measured at $n$ times (a random moment in each of $n$ equal intervals), fitted by a polynomial of degree $d$.
#
# **Predict before you run.** 25 measurements, degrees 0 to 14. At which degree is the error on new patients smallest? And which of bias and variance is larger at degree 14?

# %% tags=["demo"]
rng = np.random.default_rng(run.seed)
SIGMA, FITS = 0.15, 400
times = np.linspace(-0.98, 0.98, 99)  # where the fit is judged; -1 is the injection, 1 is 5 minutes later


def uptake(t: np.ndarray) -> np.ndarray:
    """The true signal: fast uptake, slow washout."""
    minutes = 2.5 * (t + 1)
    return 1.6 * (1 - np.exp(-3 * minutes)) * np.exp(-0.25 * minutes)


def many_fits(degree: int, n: int, fits: int = FITS) -> tuple[np.ndarray, float]:
    """Fit `fits` training sets of n measurements -> the fitted curves (fits, 99), and the mean squared error on the training measurements."""
    t = (np.arange(n) + rng.random((fits, n))) * 2 / n - 1  # one at a random moment of each of n equal intervals
    y = uptake(t) + rng.normal(0, SIGMA, t.shape)
    basis = np.polynomial.chebyshev.chebvander(t, degree)  # the columns 1, t, 2 t^2 - 1, ...: the same polynomials, numerically kinder
    weights = np.linalg.pinv(basis) @ y[..., None]
    left_over = ((basis @ weights)[..., 0] - y)[np.abs(t) < 0.9]  # where new patients are judged, too
    return (np.polynomial.chebyshev.chebvander(times, degree) @ weights)[..., 0], float((left_over**2).mean())


degrees = np.arange(15)
table = []
for degree in degrees:
    fitted, train_error = many_fits(degree, 25)
    kept = np.abs(times) < 0.9  # polynomials explode at the very ends, where there is no measurement
    bias2, variance = ((fitted.mean(0) - uptake(times))[kept] ** 2).mean(), fitted.var(0)[kept].mean()
    measured = ((fitted - uptake(times) - rng.normal(0, SIGMA, fitted.shape))[:, kept] ** 2).mean()  # on new patients
    table.append((bias2, variance, train_error, measured))
bias2, variance, train_error, new_error = np.array(table).T
best_degree = int(new_error.argmin())
assert np.allclose(bias2 + variance + SIGMA**2, new_error, rtol=0.15), "bias, variance and noise don't add up to the error"
assert 2 <= best_degree <= 10 and bias2[0] > 10 * bias2[best_degree] and variance[14] > 2 * variance[best_degree], "bias should fall, variance rise"
print(f"best degree {best_degree}: error {new_error[best_degree]:.4f} = bias^2 {bias2[best_degree]:.4f} + variance {variance[best_degree]:.4f} + noise {SIGMA**2:.4f}")

# %% tags=["demo"]
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
for values, name, style, color in ((bias2, "bias squared", "o-", 0), (variance, "variance", "s-", 1), (new_error, "error on new patients", "^-", 3), (train_error, "error on training patients", "v--", 2)):
    left.plot(degrees, values, style, color=show.PALETTE[color], markersize=4, label=name)
left.axhline(SIGMA**2, color="0.5", linestyle=":", label="noise")
left.set(yscale="log", xlabel="degree of the polynomial", ylabel="mean squared error", title="25 measurements", ylim=(1e-4, 1))
left.legend(fontsize=8, loc="lower right", bbox_to_anchor=(0.99, 0.02))
sizes, learning = np.array([8, 12, 20, 35, 60, 120, 240]), {}
for degree, color, mark in ((1, 0, "o"), (5, 2, "s"), (12, 3, "^")):
    here = sizes[sizes > degree + 1]
    runs = [many_fits(degree, n) for n in here]
    on_new = [((fitted - uptake(times))[:, kept] ** 2).mean(1) for fitted, _ in runs]
    learning[degree] = np.array([np.median(values) for values in on_new]) + SIGMA**2  # the median: a few fits explode
    right.plot(here, learning[degree], mark + "-", color=show.PALETTE[color], label=f"degree {degree}, new patients")
    right.plot(here, [train_error_here for _, train_error_here in runs], mark + ":", color=show.PALETTE[color], markersize=3, alpha=0.7, label=f"degree {degree}, training")
right.axhline(SIGMA**2, color="0.5", linestyle=":")
right.set(xscale="log", yscale="log", xlabel="measurements to learn from", ylabel="mean squared error", title="more data cures variance, not bias", ylim=(5e-3, 0.2),
          xticks=sizes, xticklabels=sizes)
right.minorticks_off()
right.legend(fontsize=7, ncols=2)
show.figure(fig, alt="Left: with the degree bias falls, variance rises, and the error on new patients is smallest in between, while the training error only falls. Right: with more data the "
            "errors of a high degree fall to the noise; those of a straight line stay above it")
assert learning[1][-1] - SIGMA**2 > 3 * (learning[12][-1] - SIGMA**2), "with many measurements the flexible model should win"

# %% [markdown]
# The training error alone tells you nothing: it only falls. And there is no best capacity as such. With 12 measurements degree 12 can't be fitted, with 240 its error is nearly the noise alone, while the straight line keeps its bias.
# When training and validation error are *both* high and close, you need a better model. When training is low and validation high, you need more patients, or a model that is held back.
#
# Move the sliders and look at the curves themselves.

# %% tags=["demo"]
def draw_fits(degree: int = 12, measurements: int = 25) -> plt.Figure:
    draw = np.random.default_rng(3)
    fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
    for number in range(12):
        t = (np.arange(measurements) + draw.random(measurements)) * 2 / measurements - 1
        y = uptake(t) + draw.normal(0, SIGMA, measurements)
        fitted = np.polynomial.Chebyshev.fit(t, y, min(degree, measurements - 1), domain=[-1, 1])
        ax.plot(2.5 * (times + 1), fitted(times), color=show.PALETTE[0], alpha=0.45, linewidth=1, label=None if number else "twelve fits")
    ax.plot(2.5 * (t + 1), y, "o", color=show.PALETTE[3], markersize=5, markeredgecolor="white", label="one training set")
    ax.plot(2.5 * (times + 1), uptake(times), color="black", linewidth=2, linestyle="--", label="truth")
    ax.set(xlabel="minutes after injection", ylabel="signal", ylim=(-0.5, 2.3), title=f"degree {degree}, {measurements} measurements")
    ax.legend(ncols=3, fontsize=8, loc="upper right")
    return fig


show.explore(draw_fits, alt="Twelve fitted polynomials around the true uptake curve; at degree 12 they swing far from it and from each other",
             degree=widgets.IntSlider(value=12, min=0, max=14, continuous_update=False), measurements=widgets.IntSlider(value=25, min=8, max=200, continuous_update=False))

# %% [markdown]
# ### Regularisation: hold the model back, and let validation say how much
#
# Instead of fewer parameters you can have smaller ones. The penalty $\frac{\lambda}{2}\lVert w\rVert^2$ (L2, ridge, weight decay in plain gradient descent) trades variance for bias with one knob. It has a second reading: it is minus the log of a Gaussian prior,
# "I don't believe in large weights until many patients insist".
#
# Back to the lumps: 60 women, 30 measures that say much the same thing. The **regularisation path** shows every weight and the three losses while $\lambda$ grows.
#
# **Predict before you run.** As $\lambda \to 0$, where does the training loss go, and where the weights? Will the loss on validation be smallest at $\lambda = 0$?

# %% tags=["demo"]
from sklearn.metrics import log_loss

lambdas = np.logspace(-6, 1, 22)
path, losses = [], {name: [] for name in lumps}
for lam in lambdas:
    fitted = LogisticRegression(C=1 / (60 * lam), tol=1e-8, max_iter=5000).fit(lumps["train"], truth["train"])
    path.append(fitted.coef_[0])
    for name in ("train", "val"):
        losses[name].append(log_loss(truth[name], fitted.predict_proba(lumps[name])[:, 1]))
chosen = int(np.argmin(losses["val"]))
final = LogisticRegression(C=1 / (60 * lambdas[chosen]), tol=1e-8, max_iter=5000).fit(lumps["train"], truth["train"])
unheld = LogisticRegression(C=1 / (60 * lambdas[0]), tol=1e-8, max_iter=5000).fit(lumps["train"], truth["train"])
ridge_test = log_loss(truth["test"], final.predict_proba(lumps["test"])[:, 1])  # test: once, for the chosen lambda ...
unheld_test = log_loss(truth["test"], unheld.predict_proba(lumps["test"])[:, 1])  # ... and for the one to compare with
prevalence_test = log_loss(truth["test"], np.full(len(truth["test"]), truth["train"].mean()))

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
left.plot(lambdas, np.array(path), color=show.PALETTE[0], alpha=0.5, linewidth=1)
left.axvline(lambdas[chosen], color="black", linestyle=":")
left.set(xscale="log", xlabel="lambda", ylabel="weight", title="the 30 weights")
for name, color, style in (("train", 2, "--"), ("val", 0, "-")):
    right.plot(lambdas, losses[name], style, color=show.PALETTE[color], linewidth=2, label={"train": "training", "val": "validation"}[name])
right.plot(lambdas[chosen], ridge_test, "*", color=show.PALETTE[3], markersize=14, label="test, at the chosen lambda")
right.axvline(lambdas[chosen], color="black", linestyle=":")
right.set(xscale="log", xlabel="lambda", ylabel="cross-entropy (nats)", title="the losses", ylim=(-0.02, 0.5))
right.legend()
show.figure(fig, alt="Left: thirty weights shrink towards zero as lambda grows. Right: training loss only rises with lambda, validation loss has its minimum in between, where a dotted line marks the choice")
assert all(np.diff(losses["train"]) > -1e-6) and 0 < chosen < len(lambdas) - 1, "training loss should only rise, and validation choose a lambda in between"
assert ridge_test < 0.8 * unheld_test and ridge_test < 0.5 * prevalence_test, "the chosen penalty should help on test patients"
print(f"validation chooses lambda = {lambdas[chosen]:.3g}. Test loss {ridge_test:.3f}; with lambda = {lambdas[0]:.0e} {unheld_test:.3f}; if everybody gets the prevalence {prevalence_test:.3f}")

# %% [markdown]
# Without a penalty the training loss goes to 0 and the weights to infinity: with 30 measures a plane parts 60 women perfectly, and every larger weight makes the model surer of it. The next woman pays for that certainty.
#
# Notice where the scaling came from: mean and spread of the *training* women alone. Scaled with all 569, validation and test would already have talked to the model. With L2 the scale also decides which weight is
# held back: a nucleus measured in micrometres has a thousandth of the weight it has in millimetres. So standardise before you penalise.
#
# ### Stopping early
#
# Gradient descent starts at small weights and walks towards large ones. Stop on the way, and you have held the model back without any $\lambda$. When? When the *validation* loss has not improved for a number of epochs,
# the **patience**. Then you return to the weights of the best epoch.
#
# **Predict before you run.** A network with 64 hidden units learns the 60 women by heart. Its training loss goes to 0. What does its validation *loss* do, and what the validation AUC?

# %% tags=["demo"]
lump_x = {name: torch.tensor(rows, dtype=torch.float32) for name, rows in lumps.items()}
lump_y = {name: torch.tensor(labels).long() for name, labels in truth.items()}
EPOCHS, PATIENCE = 60, 10


def memorise(seed: int) -> dict[str, list]:
    """Train on the 60 women and keep three losses and the validation AUC after every epoch."""
    helpers.seed_everything(seed)
    net = torch.nn.Sequential(torch.nn.Linear(30, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
    adam, curve = torch.optim.Adam(net.parameters(), lr=1e-2), {"train": [], "val": [], "test": [], "auc": []}
    for _ in range(EPOCHS):
        for batch in torch.randperm(60).split(20):
            adam.zero_grad()
            F.cross_entropy(net(lump_x["train"][batch]), lump_y["train"][batch]).backward()
            adam.step()
        with torch.no_grad():
            for name in lump_x:
                out = net(lump_x[name])
                curve[name].append(F.cross_entropy(out, lump_y[name]).item())
                if name == "val":
                    curve["auc"].append(roc_auc_score(truth[name], (out[:, 1] - out[:, 0]).numpy()))
    return curve


learnt = [memorise(run.seed + number) for number in range(3)]
curve = learnt[0]
stopped = [next((e for e in range(EPOCHS) if e - int(np.argmin(c["val"][: e + 1])) == PATIENCE), EPOCHS - 1) for c in learnt]
back_to = [int(np.argmin(c["val"][: e + 1])) for c, e in zip(learnt, stopped, strict=True)]
early_test = np.array([c["test"][e] for c, e in zip(learnt, back_to, strict=True)])
late_test = np.array([c["test"][-1] for c in learnt])

# %% tags=["demo"]
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.3), layout="constrained")
for name, color, style in (("train", 2, "--"), ("val", 0, "-")):
    left.plot(curve[name], style, color=show.PALETTE[color], linewidth=2, label={"train": "training", "val": "validation"}[name])
left.axvspan(back_to[0], stopped[0], color=show.PALETTE[1], alpha=0.2, label=f"patience of {PATIENCE}")
left.plot(back_to[0], curve["val"][back_to[0]], "o", color=show.PALETTE[3], label="the epoch to keep")
left.set(xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, 0.4))
left.legend(fontsize=9)
right.plot(curve["auc"], color=show.PALETTE[0], linewidth=2)
right.axvline(back_to[0], color=show.PALETTE[3], linestyle=":")
right.set(xlabel="epoch", ylabel="validation AUC", ylim=(0.8, 1.005))
show.figure(fig, alt="Left: training loss falls to zero, validation loss falls, then rises; the patience is shaded after its minimum. Right: the validation AUC stays near 1")
for number in range(3):
    print(f"seed {run.seed + number}: stopped after epoch {stopped[number]}, back to epoch {back_to[number]}; test loss {early_test[number]:.3f}, after all {EPOCHS} epochs {late_test[number]:.3f}")
assert curve["train"][-1] < 0.02 and early_test.mean() < 0.5 * prevalence_test, "the network should learn the women by heart, and know something about others"
assert all(c["val"][-1] - min(c["val"]) > 0.01 for c in learnt) and late_test.mean() > early_test.mean() + 0.05, "the validation loss should turn and climb, and test pay for it"

# %% [markdown]
# The validation loss turns and climbs, while the AUC hardly moves: the order of the women stays good, but the network becomes ever surer, also where it is wrong. Which of the two you watch is a choice. If a clinic will read
# your chances as chances, watch the loss.
#
# ### Exercise 2.1c - early stopping
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can stop a training at the right epoch, keep the right weights and report a figure that nobody chose*
#
# Write `early_stopping(val, test, patience)`. You get the curves of a training that somebody let run to its end, and say what an honest early stopping would have done: when it would have stopped, which epoch it would have kept, and
# which test loss it would report. Whatever comes after the stop never happened.
#
# <details><summary>Hint 1: the idea</summary>Walk through the epochs. Keep the best loss so far and count the epochs since. At each epoch ask: is this one strictly better? If not, is my patience at its end?</details>
# <details><summary>Hint 2: what to call</summary>A <code>for</code> loop over <code>enumerate(val)</code> with a <code>break</code>. A comparison <code>nan &lt; best</code> is False, which is what you want.</details>
# <details><summary>I stop one epoch too late (or too early)</summary>With a patience of 1, the first epoch that is no better than the best ends the training. That epoch was still run.</details>
# <details><summary>I keep an epoch that was never run</summary>Did you take the smallest loss of the whole curve? A better epoch after the stop never happened.</details>


# %% nbgrader={"grade": false, "grade_id": "early-stopping", "locked": false, "schema_version": 3, "solution": true, "task": false}
def early_stopping(val: np.ndarray, test: np.ndarray, patience: int) -> tuple[int, int, float]:
    """What early stopping on the validation loss does.

    Training ends after the first epoch that completes `patience` epochs in a row without a validation loss strictly below the best so far; or after the last epoch.

    Args:
        val: (E,) validation loss after each epoch, lower is better; nan where the epoch blew up, which is no improvement. At least one of the epochs that are run is not nan.
        test: (E,) test loss after each epoch.
        patience: at least 1.

    Returns:
        The number of epochs that were run, the epoch to keep (counted from 0: the best on validation among those run; the earliest of equals), and the test loss of that epoch.

    Raises:
        ValueError: patience is less than 1.
    """
    ### BEGIN SOLUTION
    if patience < 1:
        raise ValueError(f"patience must be at least 1, not {patience}: with 0 no training ever begins")
    best, kept, waited, epochs = np.inf, 0, 0, 0
    for epoch, loss in enumerate(val):
        epochs = epoch + 1
        if loss < best:
            best, kept, waited = loss, epoch, 0
        else:
            waited += 1
        if waited == patience:
            break
    return epochs, kept, float(test[kept])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "early-stopping-patience", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# When it stops: patience 2 means that two epochs in a row bring nothing better than the best so far
val, test = np.array([0.9, 0.7, 0.8, 0.6, 0.65, 0.61, 0.64, 0.66]), np.linspace(1, 0.3, 8)
answer = early_stopping(val, test, 2)
assert isinstance(answer, (tuple, list)) and len(answer) == 3, "return three things: epochs run, epoch to keep, its test loss"
assert answer[0] != 8, "you let all eight epochs run: epochs 4 and 5 are both worse than epoch 3, so a patience of 2 ends there. (Worse than the best, not than the epoch before)"
assert answer[0] != 7, "that is one epoch too late: after epoch 5 two epochs in a row have brought nothing"
assert answer[0] != 5, "that is one too few: epochs 0 to 5 were run, which makes six of them. (Or is your count not set back to 0 by the improvement in epoch 3?)"
assert answer[0] != 3, "you stop at the first epochs that are worse, though epoch 3 improves again: an improvement sets the count back to 0"
assert answer[0] == 6, f"epochs 0 to 5 are run, six in all, not {answer[0]}"
assert early_stopping(val, test, 1)[0] == 3, "with patience 1 the first epoch without improvement, epoch 2, is the last: three are run"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(41)
for _ in range(30):
    curve_here, patience = rng.permutation(25) / 10, int(rng.integers(1, 7))
    ends = [e for e in range(25) if e - int(np.argmin(curve_here[: e + 1])) >= patience]
    target = (ends[0] + 1) if ends else 25
    assert early_stopping(curve_here, curve_here, patience)[0] == target, f"patience {patience}: another number of epochs is run. Count epochs since the best one"
assert early_stopping(np.linspace(1, 0.1, 9), np.ones(9), 1)[0] == 9, "a loss that always falls is never stopped"
assert early_stopping(np.array([1.0, 2, 3, 4]), np.ones(4), 10)[0] == 4, "with more patience than epochs all are run"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "early-stopping-keep", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What it keeps: the best epoch of those that were run; neither the last one, nor a better one that never came
val, test = np.array([0.9, 0.5, 0.6, 0.7, 0.4, 0.3]), np.array([0.8, 0.6, 0.5, 0.7, 0.4, 0.3])
_, kept, reported = early_stopping(val, test, 2)
assert kept != 3, "you keep the last epoch that was run, whose weights are the worst for two epochs: go back to the best"
assert kept not in (4, 5), f"you keep epoch {kept}, which was never run: training ended after epoch 3"
assert kept != 2, "epoch 2 is best on the test loss (or your count of epochs begins at 1): validation says epoch 1, counted from 0"
assert kept == 1, f"the best validation loss of epochs 0 to 3 is that of epoch 1, you keep {kept}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(42)
for _ in range(30):
    curve_here, patience = rng.permutation(20) / 10, int(rng.integers(1, 5))
    ends = [e for e in range(20) if e - int(np.argmin(curve_here[: e + 1])) >= patience]
    target = int(np.argmin(curve_here[: ends[0] + 1])) if ends else int(np.argmin(curve_here))
    assert early_stopping(curve_here, rng.random(20), patience)[1] == target, "the epoch to keep is the best on validation among those that were run"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "early-stopping-test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What it reports: the test loss of the epoch that validation chose, and the test loss has no say in anything
val, test = np.array([0.9, 0.5, 0.4, 0.45, 0.5, 0.6]), np.array([0.9, 0.3, 0.6, 0.7, 0.65, 0.8])
answer = early_stopping(val, test, 3)
assert answer is not None and len(answer) == 3, "return three things: epochs run, epoch to keep, its test loss"
assert not np.isclose(answer[2], 0.3), "you report the smallest test loss, or stop on it: the test set must choose nothing. Validation chose epoch 2"
assert not np.isclose(answer[2], 0.4), "that is the validation loss, which was used to choose and is too good: report the test loss"
assert np.isclose(answer[2], 0.6), f"report the test loss of epoch 2, 0.6, not {answer[2]}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(43)
for _ in range(20):
    curve_here, patience = rng.permutation(15) / 10, int(rng.integers(1, 5))
    first, other = rng.permutation(15) / 7, rng.permutation(15) / 7
    one, two = early_stopping(curve_here, first, patience), early_stopping(curve_here, other, patience)
    assert tuple(one[:2]) == tuple(two[:2]), "another test curve changes when you stop or what you keep: the test loss has a say"
    best = int(np.argmin(curve_here[: one[0]]))
    assert np.isclose(one[2], first[best]) and np.isclose(two[2], other[best]), "the reported figure is not the test loss of the chosen epoch"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "early-stopping-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# An epoch that blew up, equal losses, and a patience that makes no sense. (Good input first.)
answer = early_stopping(np.array([0.8, np.nan, 0.6, 0.7]), np.array([0.9, 0.1, 0.5, 0.6]), 2)
assert answer is not None and answer[1] != 1, "you keep the epoch whose validation loss is nan: NumPy's argmin takes nan for the smallest"
assert tuple(answer[:2]) == (4, 2) and np.isclose(answer[2], 0.5), f"nan is an epoch without improvement, and training goes on: expected 4 epochs, epoch 2, test 0.5; got {tuple(answer)}"
answer = early_stopping(np.array([0.5, 0.5, 0.5, 0.4]), np.array([0.1, 0.2, 0.3, 0.4]), 2)
assert tuple(answer[:2]) == (3, 0), f"an equal loss is no improvement: with patience 2 three epochs are run and epoch 0 is kept, not {tuple(answer[:2])}"
for patience in (0, -1):
    try:
        early_stopping(np.array([0.5, 0.4]), np.array([0.5, 0.4]), patience)
    except ValueError:
        pass
    else:
        raise AssertionError(f"a patience of {patience} makes no sense: raise ValueError")
### BEGIN HIDDEN TESTS
answer = early_stopping(np.array([np.nan, 0.7, np.nan, np.nan, 0.1]), np.array([0.9, 0.8, 0.1, 0.1, 0.2]), 2)
assert tuple(answer[:2]) == (4, 1) and np.isclose(answer[2], 0.8), "nan in the first epoch, and two more later: the best epoch is 1, and patience 2 ends after epoch 3"
answer = early_stopping(np.array([0.3]), np.array([0.4]), 5)
assert tuple(answer[:2]) == (1, 0) and np.isclose(answer[2], 0.4), "a training of one epoch runs one epoch and keeps it"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A colleague has 569 lumps. She standardises all measures, picks the ten that correlate best with the diagnosis, then splits into training and test, chooses $\lambda$ by the test loss, and reports that same test loss. How many
# times has the test set talked to the model, and which of them would matter most with 30 000 measures instead of 30?
#
# <details><summary>Answer</summary>Three times: in the scaling, in the choice of the ten measures, and in the choice of lambda. The scaling hardly matters. The choice of measures is the worst: among 30 000 measures some correlate with
# the diagnosis by luck, also in the test women, so the reported figure would look good even if no measure said anything. Everything that looks at labels belongs inside the training set.</details>

# %% [markdown]
# ## 2.2 Deep learning models - CNN
#
# A mass looks the same in the upper and in the lower part of a breast, in the left and in the right lung. A radiologist who has learned it in one place knows it in the other. The MLP of the last section does not: each
# pixel has its own weights, so it must learn the mass anew for every place, from patients who happen to have it there. You rarely have so many.
#
# A **convolutional neural network** (CNN; LeCun et al., 1998) builds in two beliefs about images:
#
# - **locality**: what a pixel means is decided by its neighbours;
# - **weight sharing**: the same small filter is looked for everywhere.
#
# ### Convolution
#
# A filter $w$ of size $k \times k$ slides over the image $x$; at each place the products are summed. With several channels, the sum runs over those too, and each output channel $o$ has a filter and a bias of its own:
#
# $$y_{o,i,j} = b_o + \sum_{c} \sum_{u=0}^{k-1} \sum_{v=0}^{k-1} w_{o,c,u,v} \; x_{c,\; s i + u - p,\; s j + v - p}$$
#
# with **stride** $s$, the step of the filter, and **padding** $p$, the rings of zeros put around the image (outside, $x$ is 0). A warning about words: mathematics calls this a *cross-correlation*. Its *convolution* turns the filter by 180° first.
# Every deep learning library computes the formula above and calls it convolution. For a learned filter it makes no difference; for one you know from a book it does.
#
# **Predict before you run.** The filter $(-1, 0, 1)$ in each of three rows is put on an ultrasound image. Where is the answer bright: at edges from dark to bright, or from bright to dark, read from left to right? And if the filter is turned by 180°?

# %% tags=["demo"]
from scipy.signal import convolve2d

ultrasound = data.load("breastmnist", profile=run.profile)
sick_first = np.flatnonzero(ultrasound.train.labels == 0)  # in this set 0 means malignant
picture = ultrasound.train.images[sick_first[1]].astype(float) / 255
FILTERS = {
    "mean": np.full((3, 3), 1 / 9),
    "edge, left to right": np.array([[-1.0, 0, 1]] * 3),
    "edge, top to bottom": np.array([[-1.0, 0, 1]] * 3).T,
    "spot": np.array([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]),
}


def slide(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The formula for one channel, stride 1, padding 1: shift the image, weigh it, add up."""
    padded, out = np.pad(image, 1), np.zeros(image.shape)
    for u in range(3):
        for v in range(3):
            out += kernel[u, v] * padded[u : u + image.shape[0], v : v + image.shape[1]]
    return out


def torch_slide(image: np.ndarray, kernel: np.ndarray, **how) -> np.ndarray:
    return F.conv2d(torch.tensor(image)[None, None], torch.tensor(kernel)[None, None], **how)[0, 0].numpy()


answers = {name: slide(picture, kernel) for name, kernel in FILTERS.items()}
conv_gap = max(np.abs(answers[name] - torch_slide(picture, kernel, padding=1)).max() for name, kernel in FILTERS.items())
flip_gap = np.abs(convolve2d(picture, FILTERS["edge, left to right"], mode="same") + answers["edge, left to right"]).max()
assert conv_gap < 1e-12 and flip_gap < 1e-12, "the hand-written convolution and the libraries disagree"
show.row([picture, *answers.values()], titles=["breast ultrasound", *answers], height=2.3,
         alt="A breast ultrasound image and four filtered ones: smoothed; bright where dark turns to bright from left to right; the same from top to bottom; bright at small spots")
print(f"by hand against torch: largest difference {conv_gap:.0e}. SciPy's true convolution turns the filter: its answer is minus ours, to {flip_gap:.0e}")

# %% [markdown]
# Weight sharing has a consequence that you can prove in one line from the formula: move the image, and the answer moves along. This is **translation equivariance**, and no amount of training gives it to an MLP.
#
# It has limits. At the border, zeros come in. And a stride of 2 looks at every second place only: move the image by *one* pixel, and other places are looked at.
#
# **Predict before you run.** The image is moved by one pixel, then by two. The filter has stride 1, then stride 2. For which of the four does the answer move along exactly?

# %% tags=["demo"]
still = torch.zeros(1, 1, 40, 40, dtype=torch.float64)
still[..., 6:34, 6:34] = torch.tensor(picture)
kernel = torch.tensor(FILTERS["edge, left to right"])[None, None]
rows = []
for stride in (1, 2):
    before = F.conv2d(still, kernel, stride=stride, padding=1)
    for move in (1, 2):
        after = F.conv2d(still.roll(move, 3), kernel, stride=stride, padding=1)  # nothing reaches the border, so roll is a plain shift
        candidates = [before.roll(step, 3) for step in range(3)]
        rows.append((stride, move, min((after - candidate).abs().max().item() for candidate in candidates) / before.abs().max().item()))
        print(f"stride {stride}, image moved by {move}: the answer differs from a moved answer by {100 * rows[-1][2]:5.1f} % of its largest value")
assert rows[0][2] < 1e-9 and rows[1][2] < 1e-9 and rows[3][2] < 1e-9 and rows[2][2] > 0.05, "equivariance should hold but for stride 2 and an odd move"

# %% [markdown]
# Three of the four. Strides and poolings trade exact equivariance for a larger view at less cost. A network with four strides of 2 is exactly equivariant only to moves by 16 pixels; in between it is *nearly* so, if it has seen enough.
#
# ### Exercise 2.2a - convolution by hand
#
# Difficulty 3 of 5 - 5 points - about 20 minutes - *after it you know what each argument of a convolution layer does to the sum*
#
# Write `conv2d(x, w, b, stride, padding)` with NumPy: loops and sums, no library's convolution. The checks compare it with torch, to float precision.
#
# <details><summary>Hint 1: the idea</summary>Pad first. Then, for each place (i, j) of the output, cut out the window that begins at (i stride, j stride), multiply it by each filter, and sum over channel, row and column.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))</code>; <code>numpy.einsum("bcuv,ocuv->bo", window, w)</code>, or <code>numpy.tensordot</code>.</details>
# <details><summary>Symmetric filters work, others don't</summary>Do you turn the filter round? Deep learning doesn't.</details>
# <details><summary>My output is one too large or too small at stride 2</summary>The last window must still fit: the output has (H + 2 p - k) // s + 1 rows.</details>


# %% nbgrader={"grade": false, "grade_id": "conv2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """2-D convolution as deep learning has it: the filter is not turned.

    Args:
        x: (B, C, H, W) images, float64. Must not be changed in place.
        w: (O, C, kH, kW) filters.
        b: (O,) biases.
        stride: at least 1, the same for rows and columns.
        padding: at least 0, rings of zeros around each image.

    Returns:
        (B, O, H', W') with H' = (H + 2 padding - kH) // stride + 1, likewise W'.

    Raises:
        ValueError: x and w differ in their channels C, or the filter is larger than the padded image.
    """
    ### BEGIN SOLUTION
    if x.shape[1] != w.shape[1]:
        raise ValueError(f"the images have {x.shape[1]} channels, the filters {w.shape[1]}")
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    high, wide = w.shape[2:]
    rows, columns = (x.shape[2] - high) // stride + 1, (x.shape[3] - wide) // stride + 1
    if rows < 1 or columns < 1:
        raise ValueError(f"a filter of {high} x {wide} doesn't fit into a padded image of {x.shape[2]} x {x.shape[3]}")
    out = np.empty((len(x), len(w), rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = x[:, :, i * stride : i * stride + high, j * stride : j * stride + wide]
            out[:, :, i, j] = np.einsum("bcuv,ocuv->bo", window, w) + b
    return out
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "conv2d-filter", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The filter is slid, not turned: one channel, stride 1, no padding
x, w = np.arange(12.0).reshape(1, 1, 3, 4) ** 2, np.array([[[[1.0, 2.0, 0.0], [0.0, 0.0, -1.0]]]])
value = conv2d(x, w, np.zeros(1), 1, 0)
truth = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w)).numpy()
assert value is not None and np.shape(value) == (1, 1, 2, 2), f"an image of 3 x 4 and a filter of 2 x 3 give (1, 1, 2, 2), got {np.shape(value)}"
turned = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w[:, :, ::-1, ::-1].copy())).numpy()
assert not np.allclose(value, turned), "you turn the filter by 180 degrees: that is the convolution of mathematics; deep learning slides it as it is"
assert np.allclose(value, truth), f"expected {truth[0, 0].tolist()}, got {np.asarray(value)[0, 0].round(2).tolist()}: sum of window times filter at each place?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(51)
for high, wide, k_high, k_wide in ((5, 5, 3, 3), (6, 9, 1, 4), (4, 7, 4, 2), (3, 3, 1, 1)):
    x, w = rng.normal(size=(1, 1, high, wide)), rng.normal(size=(1, 1, k_high, k_wide))
    truth = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w)).numpy()
    value = conv2d(x, w, np.zeros(1), 1, 0)
    assert np.shape(value) == truth.shape, f"image {high} x {wide}, filter {k_high} x {k_wide}: the output has the wrong shape"
    assert np.allclose(value, truth, atol=1e-10), f"image {high} x {wide}, filter {k_high} x {k_wide}: torch gives other values"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "conv2d-stride-padding", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Padding puts zeros around the image, on all sides; the stride moves the window
x = np.random.default_rng(5).normal(2, 1, (1, 1, 7, 6))
w = np.random.default_rng(6).normal(size=(1, 1, 3, 3))


def by_torch(stride, padding):
    return torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w), stride=stride, padding=padding).numpy()


kept = x.copy()
padded = conv2d(x, w, np.zeros(1), 1, 1)  # in place: did it change x itself?
assert np.array_equal(x, kept), "you changed the caller's images in place"
assert padded is not None and np.shape(padded) != (1, 1, 5, 4), "the padding is ignored: 7 x 6 with a filter of 3 x 3 and padding 1 stays 7 x 6"
assert np.shape(padded) != (1, 1, 6, 5), "the padding is added on one side only; it goes on both"
assert np.shape(padded) == (1, 1, 7, 6), f"7 x 6 with a filter of 3 x 3 and padding 1 stays 7 x 6, got {np.shape(padded)}"
assert np.allclose(np.asarray(padded)[..., 1:-1, 1:-1], by_torch(1, 0)), "inside, padding must not change a value"
assert np.allclose(padded, by_torch(1, 1)), "the border is wrong: outside the image there are zeros, no copies of its edge"
strided = conv2d(x, w, np.zeros(1), 2, 0)
assert np.shape(strided) != (1, 1, 5, 4), "the stride is ignored: with stride 2 the windows begin at every second row and column"
assert np.shape(strided) != (1, 1, 3, 3), "the last window reaches beyond the image: (6 - 3) // 2 + 1 = 2 columns, rounded down"
assert np.shape(strided) == (1, 1, 3, 2), f"7 x 6 with a filter of 3 x 3 and stride 2 gives 3 x 2, got {np.shape(strided)}"
assert np.allclose(strided, by_torch(1, 0)[..., ::2, ::2]), "with stride 2 you should get every second value of stride 1, beginning with the first"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(52)
for stride, padding, high, wide, k_high, k_wide in ((2, 1, 8, 8, 3, 3), (3, 2, 10, 7, 3, 5), (1, 3, 4, 5, 2, 4), (4, 0, 9, 13, 3, 1), (2, 2, 5, 6, 5, 2)):
    x, w = rng.normal(1, 1, (1, 1, high, wide)), rng.normal(size=(1, 1, k_high, k_wide))
    value, kept = conv2d(x, w, np.zeros(1), stride, padding), x.copy()
    assert np.shape(value) == by_torch(stride, padding).shape, f"stride {stride}, padding {padding}, {high} x {wide}, filter {k_high} x {k_wide}: wrong shape"
    assert np.allclose(value, by_torch(stride, padding), atol=1e-10), f"stride {stride}, padding {padding}: torch gives other values"
    assert np.array_equal(x, kept), "you changed the caller's images in place"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "conv2d-channels", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Channels: the sum runs over the input channels; each output channel has its own filters and one bias; each image of the batch is alone
rng = np.random.default_rng(7)
x, w, b = rng.normal(size=(2, 3, 5, 6)), rng.normal(size=(4, 3, 3, 3)), np.array([10.0, 20.0, 30.0, 40.0])
truth = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w), torch.tensor(b)).numpy()
value = conv2d(x, w, b, 1, 0)
assert value is not None and np.shape(value) == (2, 4, 3, 4), f"2 images, 4 output channels, 3 x 4 places: expected (2, 4, 3, 4), got {np.shape(value)}"
assert not np.allclose(value, truth - b[:, None, None]), "the bias is missing: each output channel adds its own"
assert not np.allclose(value, truth + 2 * b[:, None, None]), "the bias is added once for each input channel; add it once"
first_only = torch.nn.functional.conv2d(torch.tensor(x[:, :1]), torch.tensor(w[:, :1]), torch.tensor(b)).numpy()
assert not np.allclose(value, first_only), "only the first input channel is used: sum over all"
assert not np.allclose(value, (truth - b[:, None, None]) / 3 + b[:, None, None]), "you average over the input channels; the formula has a sum"
assert np.allclose(value, truth), "with 3 channels in and 4 out torch gives other values: sum over input channels, one set of filters and one bias for each output channel"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(53)
for n, c, o, stride, padding in ((1, 1, 5, 1, 1), (3, 4, 1, 2, 1), (2, 2, 2, 3, 2), (4, 5, 3, 1, 0)):
    x, w, b = rng.normal(size=(n, c, 7, 8)), rng.normal(size=(o, c, 2, 3)), rng.normal(size=o)
    truth = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w), torch.tensor(b), stride=stride, padding=padding).numpy()
    value = conv2d(x, w, b, stride, padding)
    assert np.shape(value) == truth.shape and np.allclose(value, truth, atol=1e-10), f"{n} images, {c} channels to {o}, stride {stride}, padding {padding}: torch gives something else"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "conv2d-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What does not fit: a colour image for a grey filter, a filter larger than the image. (Good input first: an answer that always raises earns nothing here.)
value = conv2d(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), np.ones(1), 1, 0)
assert value is not None and np.shape(value) == (1, 1, 1, 1) and np.isclose(np.asarray(value).item(), 5), "four ones, and a bias of 1, are 5: a filter as large as the image has one place"
for images, filters, why in (((1, 3, 6, 6), (2, 1, 3, 3), "three channels for a filter of one: NumPy would stretch the one over all three"), ((1, 1, 2, 6), (1, 1, 3, 3), "a filter of 3 rows on an image of 2")):
    try:
        answer = conv2d(np.ones(images), np.ones(filters), np.zeros(filters[0]), 1, 0)
    except ValueError:
        pass
    else:
        raise AssertionError(f"you accepted {why}; raise ValueError, don't return something of shape {np.shape(answer)}")
### BEGIN HIDDEN TESTS
for images, filters, stride, why in (((1, 1, 6, 6), (2, 3, 3, 3), 1, "one channel for filters of three"), ((2, 1, 6, 2), (1, 1, 3, 5), 1, "a filter of 5 columns on an image of 2"), ((1, 1, 2, 2), (1, 1, 3, 3), 2, "a filter of 3 x 3 on an image of 2 x 2, at stride 2")):
    try:
        conv2d(np.ones(images), np.ones(filters), np.zeros(filters[0]), stride, 0)
    except ValueError:
        pass
    else:
        raise AssertionError(f"you accepted {why}; raise ValueError")
value = conv2d(np.ones((1, 1, 2, 2)), np.ones((1, 1, 3, 3)), np.zeros(1), 1, 1)
assert np.shape(value) == (1, 1, 2, 2) and np.allclose(value, 4), "with padding 1 a filter of 3 x 3 fits an image of 2 x 2"
### END HIDDEN TESTS

# %% [markdown]
# ### Sizes: what comes out of a layer
#
# A layer also has a **dilation** $d$: the filter's taps lie $d$ pixels apart, so a filter of $k$ taps spans $d\,(k-1) + 1$ pixels. From $n$ pixels along an axis come
#
# $$n' = \left\lfloor \frac{n + 2p - d\,(k - 1) - 1}{s} \right\rfloor + 1 .$$
#
# Max and average pooling follow the same rule. Where the division leaves a rest, the last pixels are *never looked at*: at stride 2 a lesion at the right edge can be invisible.
#
# **Predict before you run.** Twelve pixels, a filter of 3 taps, stride 2, no padding. How many outputs? Which input pixel is used by none of them?

# %% tags=["demo"]
def draw_layer(kernel: int = 3, stride: int = 2, padding: int = 0, dilation: int = 1, pixels: int = 12) -> plt.Figure:
    fig, ax = plt.subplots(figsize=(8, 2.4), layout="constrained")
    span = dilation * (kernel - 1) + 1
    outputs = max(0, (pixels + 2 * padding - span) // stride + 1)
    used = set()
    for o in range(outputs):
        taps = [o * stride - padding + dilation * u for u in range(kernel)]
        used |= set(taps)
        for tap in taps:
            ax.plot([tap, o * stride - padding + (span - 1) / 2], [0, 1], color=show.PALETTE[0], alpha=0.35, linewidth=1)
        ax.plot(o * stride - padding + (span - 1) / 2, 1, "s", color=show.PALETTE[0], markersize=9)
    for place in range(-padding, pixels + padding):
        inside, seen = 0 <= place < pixels, place in used
        ax.plot(place, 0, "o", markersize=10, markeredgecolor="black", color="white" if not inside else show.PALETTE[2] if seen else show.PALETTE[3])
        if not inside or not seen:
            ax.text(place, -0.2, "0" if not inside else "never\nseen", ha="center", va="top", fontsize=9)
    ax.set(ylim=(-0.65, 1.25), yticks=[0, 1], yticklabels=["input", "output"], xticks=[], title=f"{pixels} pixels in, {outputs} out")
    ax.spines[:].set_visible(False)
    return fig


show.explore(draw_layer, alt="Twelve input pixels and five outputs, each joined by lines to the three inputs it looks at; the last input is joined to none",
             kernel=widgets.IntSlider(value=3, min=1, max=5), stride=widgets.IntSlider(value=2, min=1, max=4),
             padding=widgets.IntSlider(value=0, min=0, max=3), dilation=widgets.IntSlider(value=1, min=1, max=3))

# %% [markdown]
# ### Exercise 2.2b - sizes through a network
#
# Difficulty 2 of 5 - 3 points - about 8 minutes - *after it you know, before you run, whether a network fits an image*
#
# Write `output_sizes(size, layers)`. A network that has shrunk its image to nothing is a common error with the small crops of medical sets; say so before torch does.
#
# <details><summary>Hint 1: the idea</summary>One formula, again and again: what comes out of one layer goes into the next.</details>
# <details><summary>Hint 2: what to call</summary><code>//</code> rounds down. Compute the numerator first: if it is negative, the filter doesn't fit.</details>
# <details><summary>I am off by one at odd sizes</summary>Divide by the stride, round down, and only then add 1.</details>
# <details><summary>I get 1 where an error is asked for</summary>Do you divide with <code>/</code> and cut with <code>int</code>? <code>int(-1 / 2)</code> is 0, and 1 more is 1. Python's <code>-1 // 2</code> is -1. Or look at the numerator: if it is negative, the filter doesn't fit.</details>


# %% nbgrader={"grade": false, "grade_id": "output-size", "locked": false, "schema_version": 3, "solution": true, "task": false}
def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    """Pixels along one axis after each layer of a network.

    Args:
        size: pixels of the image along the axis.
        layers: for each layer (kernel, stride, padding, dilation); padding is added on both sides. An empty list is a network without layers.

    Returns:
        The size after each layer, as whole numbers; as many as there are layers.

    Raises:
        ValueError: the filter of a layer, with its dilation, spans more pixels than the padded input of that layer has.
    """
    ### BEGIN SOLUTION
    sizes = []
    for number, (kernel, stride, padding, dilation) in enumerate(layers):
        room = size + 2 * padding - dilation * (kernel - 1) - 1
        if room < 0:
            raise ValueError(f"layer {number}: a filter of {kernel} taps, {dilation} apart, doesn't fit into {size} pixels with padding {padding}")
        size = room // stride + 1
        sizes.append(size)
    return sizes
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "output-size-layer", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One layer: padding on both sides, rounding down before the 1 is added, and dilation
def one(n, k, s, p, d):
    found = output_sizes(n, [(k, s, p, d)])
    assert isinstance(found, (list, tuple, np.ndarray)) and len(found) == 1, f"one layer gives a list of one size, got {found!r}"
    return found[0]


assert one(28, 3, 1, 1, 1) != 27, "27 comes out if the padding counts once: it is added on both sides"
assert one(28, 3, 1, 1, 1) == 28, f"28 pixels, kernel 3, stride 1, padding 1 stay 28, not {one(28, 3, 1, 1, 1)}"
assert one(28, 3, 2, 0, 1) != 14, "14 comes out if you round up: the last window must fit whole, so round down, then add 1"
assert one(28, 3, 2, 0, 1) == 13, f"28 pixels, kernel 3, stride 2 give 13, not {one(28, 3, 2, 0, 1)}"
assert one(29, 3, 2, 0, 1) == 14, f"29 pixels, kernel 3, stride 2 give 14, not {one(29, 3, 2, 0, 1)}: divide by the stride, round down, and only then add 1"
assert isinstance(one(28, 3, 2, 0, 1), (int, np.integer)), "sizes are whole numbers: divide with //"
assert one(28, 3, 1, 0, 4) != 26, "the dilation is ignored: 3 taps that lie 4 pixels apart span 9 pixels"
assert one(28, 3, 1, 0, 4) != 17, "the dilated filter spans d (k - 1) + 1 = 9 pixels, not d k = 12"
assert one(28, 3, 1, 0, 4) == 20, f"28 pixels, kernel 3, dilation 4 give 20, not {one(28, 3, 1, 0, 4)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(61)
for _ in range(40):
    n, k, s, p, d = (int(rng.integers(*ends)) for ends in ((17, 40), (1, 6), (1, 5), (0, 4), (1, 4)))
    truth = torch.nn.functional.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), stride=s, padding=p, dilation=d).shape[2]
    assert one(n, k, s, p, d) == truth, f"{n} pixels, kernel {k}, stride {s}, padding {p}, dilation {d}: torch gives {truth}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "output-size-chain", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Several layers: each takes what the one before gives
sizes = output_sizes(28, [(3, 2, 1, 1), (3, 2, 1, 1), (3, 2, 1, 1)])
assert sizes is not None and len(sizes) == 3, "three layers give three sizes, in order"
assert list(sizes) != [14, 14, 14], "every layer got the image: give each the output of the layer before"
assert list(sizes) == [14, 7, 4], f"28 pixels through three layers of kernel 3, stride 2, padding 1 are 14, 7, 4, not {list(sizes)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(62)
for _ in range(12):
    layers = [tuple(int(rng.integers(*ends)) for ends in ((1, 5), (1, 3), (0, 3), (1, 3))) for _ in range(int(rng.integers(2, 5)))]
    line, truth = torch.zeros(1, 1, 128), []
    for k, s, p, d in layers:
        line = torch.nn.functional.conv1d(line, torch.zeros(1, 1, k), stride=s, padding=p, dilation=d)
        truth.append(line.shape[2])
    kept = list(layers)
    assert list(output_sizes(128, layers)) == truth, f"128 pixels through {layers}: torch gives {truth}"
    assert layers == kept, "you changed the caller's list of layers"
assert len(output_sizes(28, [(3, 1, 1, 1)])) == 1 and list(output_sizes(28, [])) == [], "a network without layers gives an empty list"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "output-size-fits", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What does not fit: a crop that is too small for the network. (Good input first: an answer that always raises earns nothing here.)
sizes = output_sizes(5, [(5, 3, 0, 1)])
assert sizes is not None and list(sizes) == [1], "a filter as large as the image fits exactly once"
for n, layers, why in ((4, [(5, 1, 0, 1)], "5 taps on 4 pixels"), (4, [(5, 3, 0, 1)], "5 taps on 4 pixels, at stride 3"), (8, [(3, 1, 0, 4)], "3 taps that lie 4 apart, so 9 pixels, on 8"), (16, [(3, 2, 0, 1)] * 4, "a fourth layer of 3 taps on the 1 pixel that is left")):
    try:
        answer = output_sizes(n, layers)
    except ValueError:
        pass
    else:
        raise AssertionError(f"you accepted {why} and return {answer}: raise ValueError. (With a stride, a negative number divided and rounded can look harmless)")
### BEGIN HIDDEN TESTS
for n, layers in ((1, [(4, 4, 1, 1)]), (3, [(3, 1, 1, 3)]), (30, [(7, 2, 0, 1), (7, 2, 0, 1), (7, 2, 0, 1)])):
    try:
        answer = output_sizes(n, layers)
    except ValueError:
        pass
    else:
        raise AssertionError(f"{n} pixels through {layers} don't fit, but you return {answer}")
try:
    found = output_sizes(2, [(4, 4, 1, 1)])
except ValueError as error:
    raise AssertionError("4 taps on 2 pixels with padding 1: with its padding the filter fits, that is no error") from error
assert list(found) == [1], "4 taps on 2 pixels with padding 1 fit exactly once"
### END HIDDEN TESTS

# %% [markdown]
# ### Receptive field: how far can one output see?
#
# One output of the first layer sees $k$ pixels. One output of the second sees $k$ neighbours in the first, each of which sees its own window, and so on. Call $r$ the **receptive field** and $j$ the **jump**, the distance in
# *image* pixels between two neighbours of the present layer. Before the first layer both are 1. Each layer does
#
# $$r \leftarrow r + (k - 1)\, d \cdot j, \qquad\text{and then}\qquad j \leftarrow j \cdot s .$$
#
# The order matters: a layer's own stride widens what comes *after* it.
#
# In the clinic the question is in millimetres. To tell a nodule of 12 mm from a vessel, an output must see the nodule and some of its surroundings. At 0.7 mm a pixel that is about 30 pixels; on a film of 28 pixels across a chest, the same nodule is one pixel.
#
# **Predict before you run.** Three networks of five layers with 3 x 3 filters: plain; with dilations 1, 2, 4, 8, 16; with stride 2 in every layer but the last. We ask autograd which pixels the middle output depends on. How wide are the
# three fields? And does every pixel in the field count the same?

# %% tags=["demo"]
STACKS = {"plain": [(3, 1, 1)] * 5, "dilated 1, 2, 4, 8, 16": [(3, 1, 2**i) for i in range(5)], "stride 2": [(3, 2, 1)] * 4 + [(3, 1, 1)]}
WIDE = 129


def influence(stack: list, tries: int = 40) -> np.ndarray:
    """(WIDE, WIDE) mean size of the gradient of the middle output with respect to each pixel, over random networks."""
    total = np.zeros((WIDE, WIDE))
    for _ in range(tries):
        image = torch.randn(1, 1, WIDE, WIDE, requires_grad=True)
        h = image
        for number, (k, s, d) in enumerate(stack):
            h = F.conv2d(h, torch.randn(4, h.shape[1], k, k) / (3 * h.shape[1] ** 0.5), stride=s, padding=d, dilation=d)
            h = torch.relu(h) if number < len(stack) - 1 else h
        h[0, :, h.shape[2] // 2, h.shape[3] // 2].sum().backward()
        total += image.grad[0, 0].abs().numpy()
    return total / total.max()


torch.manual_seed(run.seed)
maps, widths, cores = {name: influence(stack) for name, stack in STACKS.items()}, {}, {}
for name, seen in maps.items():
    touched = np.flatnonzero(seen.any(0))
    widths[name] = int(touched[-1] - touched[0] + 1)
    cores[name] = int((np.sort(seen.ravel())[::-1].cumsum() < 0.9 * seen.sum()).sum() + 1) / widths[name] ** 2
show.row([np.sqrt(seen) for seen in maps.values()], titles=[f"{name}: {widths[name]} pixels wide" for name in maps], cmap=show.SEQUENTIAL, height=3,
         alt="Three maps of how much each pixel moves the middle output: a small square, and two large ones that fade a little towards their edges")
for name in maps:
    print(f"{name:24s} field {widths[name]:3d} pixels wide; 90 % of the influence comes from {cores[name]:.0%} of its area")
assert list(widths.values()) == [11, 63, 63], "the measured fields are not those of the formula"

# %% [markdown]
# The formula gives the *possible* field. What counts in fact, the **effective receptive field** (Luo et al., 2016), is smaller: many paths lead from the middle, few from the corners, and the deeper the network, the more it looks like a bell. So plan for a field
# clearly wider than what must be seen.
#
# ### Exercise 2.2c - receptive field
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can tell whether a network can see a lesion at all*
#
# Write `receptive_field(layers)`.
#
# <details><summary>Hint 1: the idea</summary>Walk through the layers with two numbers, field and jump. The field grows by what lies between the filter's taps, measured in image pixels.</details>
# <details><summary>Hint 2: what to call</summary>A <code>for</code> loop, two lines in its body. The field first, with the old jump; then the jump.</details>
# <details><summary>Right for stride 1, too small with strides</summary>A step between neighbours of a deep layer is many pixels of the image. Do you multiply by the jump?</details>
# <details><summary>Too large with strides</summary>A layer's own stride does not widen its own field, only that of the layers behind it.</details>


# %% nbgrader={"grade": false, "grade_id": "receptive-field", "locked": false, "schema_version": 3, "solution": true, "task": false}
def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    """How many image pixels, along one axis, one output of a network depends on.

    Args:
        layers: for each layer, from the image on: (kernel, stride, dilation), all at least 1. Pooling is a layer like any other.

    Returns:
        The receptive field in pixels, and the jump: the distance in image pixels between neighbouring outputs. Without layers both are 1.
    """
    ### BEGIN SOLUTION
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field, jump
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "receptive-field-plain", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Stride 1: each layer adds what its filter spans beyond one pixel, dilation included
answer = receptive_field([(3, 1, 1)] * 3)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: the field and the jump"
assert answer[0] != 9, "fields don't add up whole: neighbouring windows overlap, so a layer of 3 taps adds 2 pixels"
assert answer[0] != 27, "fields don't multiply: a layer of 3 taps adds 2 pixels"
assert answer[0] == 7, f"three layers of 3 taps see 1 + 2 + 2 + 2 = 7 pixels, not {answer[0]}"
assert answer[1] == 1, f"without a stride neighbouring outputs are one pixel apart, not {answer[1]}"
dilated = receptive_field([(3, 1, 1), (3, 1, 2), (3, 1, 4)])[0]
assert dilated != 7, "the dilation is ignored: taps that lie 2 and 4 apart see further"
assert dilated == 15, f"dilations 1, 2, 4 with 3 taps see 1 + 2 + 4 + 8 = 15 pixels, not {dilated}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(71)
for _ in range(10):
    layers = [(int(rng.integers(1, 6)), 1, int(rng.integers(1, 5))) for _ in range(int(rng.integers(1, 7)))]
    truth = 1 + sum((k - 1) * d for k, _, d in layers)
    assert tuple(receptive_field(layers)) == (truth, 1), f"layers {layers} (kernel, stride, dilation) see {truth} pixels"
assert tuple(receptive_field([])) == (1, 1), "without layers an output is its own pixel: field 1, jump 1"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "receptive-field-stride", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Strides: they widen all that comes after, and only that. The truth comes from a gradient: which pixels does the middle output depend on?
def measured(layers):
    """Width of the gradient of one output of a network of ones, and distance between two outputs' fields."""
    line = torch.ones(1, 1, 600, requires_grad=True)
    h = line
    for k, s, d in layers:
        h = torch.nn.functional.conv1d(h, torch.ones(1, 1, k) / k, stride=s, dilation=d)
    ends = []
    for output in (2, 3):
        (slope,) = torch.autograd.grad(h[0, 0, output], line, retain_graph=True)
        touched = torch.nonzero(slope[0, 0]).flatten()
        ends.append((int(touched[0]), int(touched[-1])))
    return ends[0][1] - ends[0][0] + 1, ends[1][0] - ends[0][0]


layers = [(3, 2, 1), (3, 2, 1), (3, 1, 1)]
answer, truth = receptive_field(layers), measured(layers)
assert answer is not None and len(answer) == 2, "return two things: the field and the jump"
assert answer[0] != 7, "the strides are forgotten: behind a stride of 2 one step is two pixels of the image, so (k - 1) counts times the jump"
assert answer[0] != 21, "a layer's own stride widens its own field in your formula: let the field grow with the old jump, then multiply the jump"
assert answer[0] != 11, "only the stride of the layer before counts in your formula: strides multiply, so behind two of them the jump is 4"
assert receptive_field([(1, 2, 1), (3, 1, 1)])[0] == 5, "a layer of one tap and stride 2 sees no more itself, but doubles what the next one adds: 5 pixels. Begin at the image"
assert answer[0] != 13, "you add strides up; they multiply: behind two strides of 2 the jump is 4"
assert answer[0] == truth[0] == 15, f"strides 2, 2, 1 with 3 taps see 1 + 2 + 4 + 8 = 15 pixels, not {answer[0]}"
assert answer[1] == 4, f"behind two strides of 2 neighbouring outputs are 4 pixels apart, not {answer[1]}: strides multiply"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(72)
for _ in range(12):
    layers = [(int(rng.integers(1, 5)), int(rng.integers(1, 4)), int(rng.integers(1, 3))) for _ in range(int(rng.integers(2, 5)))]
    kept = list(layers)
    field, jump = 1, 1
    for k, s, d in layers:
        field, jump = field + (k - 1) * d * jump, jump * s
    answer = receptive_field(layers)
    assert answer[0] == field, f"layers {layers} (kernel, stride, dilation) see {field} pixels, not {answer[0]}"
    assert answer[1] == jump, f"behind layers {layers} neighbouring outputs are {jump} pixels apart, not {answer[1]}"
    assert layers == kept, "you changed the caller's list of layers"
layers = [(5, 2, 1), (2, 2, 1), (3, 2, 2), (3, 1, 1)]
assert tuple(receptive_field(layers)) == measured(layers), "a mixed network: autograd finds that the output depends on other pixels than you say"
### END HIDDEN TESTS

# %% [markdown]
# ### Counting parameters
#
# What a layer must learn, and so what it must be fed with patients:
#
# | Layer | Weights | and |
# |---|---|---|
# | convolution, $C$ to $O$ channels, $k_H \times k_W$ | $O\,C\,k_H\,k_W$ | $O$ biases |
# | fully connected, $D$ to $H$ | $D\,H$ | $H$ biases |
# | batch norm of $C$ channels | $2\,C$: a scale and an offset for each channel | its running mean and variance are *measured*, not learned: no parameters |
# | ReLU, pooling, flatten | 0 | |
#
# A bias before a batch norm does nothing, since batch norm subtracts the mean. So it is usually left out (`bias=False`).
#
# **Predict before you run.** An image of 28 x 28. One fully connected layer that keeps its size, against one 3 x 3 convolution with 16 filters: how many parameters each? And at 512 x 512, one CT slice?

# %% tags=["demo"]
edges = np.array([28, 64, 128, 256, 512])
dense, shared = edges.astype(float) ** 4 + edges**2, np.full(len(edges), 16 * 9 + 16)
fig, ax = plt.subplots(figsize=(6.5, 2.9), layout="constrained")
ax.plot(edges, dense, "o-", color=show.PALETTE[3], label="fully connected, image to image")
ax.plot(edges, shared, "s-", color=show.PALETTE[0], label="convolution 3 x 3, 16 filters")
ax.set(xscale="log", yscale="log", xlabel="edge of the image (pixels)", ylabel="parameters", xticks=edges, xticklabels=edges, ylim=(50, 1e12))
ax.minorticks_off()
ax.legend(loc="center right", fontsize=9)
show.figure(fig, alt="Parameters against image size on log scales: the fully connected layer grows with the fourth power of the edge, the convolution stays at 160")
print(f"28 pixels: {dense[0]:,.0f} against {shared[0]}; 512 pixels: {dense[-1]:.1e}, which are {4 * dense[-1] / 2**30:,.0f} GiB, against {shared[-1]}")

# %% [markdown]
# ### Exercise 2.2d - count the parameters
#
# Difficulty 1 of 5 - 3 points - about 8 minutes - *after it you can compare two networks fairly, and spot the layer that holds most of the weights*
#
# Write `count_parameters(layers)`: how many numbers gradient descent will change.
#
# <details><summary>Hint 1: the idea</summary>The table above, a row a layer, summed.</details>
# <details><summary>Hint 2: what to call</summary>A loop over the layers and <code>if layer["kind"] == ...</code>; <code>layer.get("bias", True)</code> where the key may be missing.</details>
# <details><summary>I am too low by the number of output channels</summary>One bias for each output channel, not one a layer.</details>
# <details><summary>I count twice too many for a batch norm</summary>Running mean and running variance are kept, but no gradient changes them.</details>


# %% nbgrader={"grade": false, "grade_id": "count-parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_parameters(layers: list[dict]) -> int:
    """Trainable parameters of a network, those that gradient descent changes.

    Args:
        layers: each a dict with "kind", one of
            "conv": "in", "out" (channels), "kernel" (rows, columns), "bias" (True or False; True if the key is missing),
            "linear": "in", "out" (features), "bias" likewise,
            "batchnorm": "channels" (it learns a scale and an offset for each),
            "relu", "pool" or "flatten": nothing to learn, whatever other keys there are.

    Returns:
        The number of trainable parameters, a whole number; 0 for an empty list.

    Raises:
        ValueError: a kind that is none of these.
    """
    ### BEGIN SOLUTION
    total = 0
    for layer in layers:
        kind = layer["kind"]
        if kind == "conv":
            total += layer["out"] * (layer["in"] * layer["kernel"][0] * layer["kernel"][1] + layer.get("bias", True))
        elif kind == "linear":
            total += layer["out"] * (layer["in"] + layer.get("bias", True))
        elif kind == "batchnorm":
            total += 2 * layer["channels"]
        elif kind not in ("relu", "pool", "flatten"):
            raise ValueError(f"there is no layer of kind {kind!r}")
    return total
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "count-parameters-weights", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Convolutions and fully connected layers: all weights, and a bias for each output unless it is left out
conv = {"kind": "conv", "in": 3, "out": 16, "kernel": (3, 5), "bias": True}
found = count_parameters([conv])
assert found is not None and found != 0, "a convolution has parameters"
assert found != 720, "720 are the weights; each of the 16 output channels has a bias as well"
assert found != 721, "one bias for the whole layer? Each of the 16 output channels has one"
assert found != 16 * 15 + 16, "each filter reaches through all input channels: 3 x 3 x 5 weights each, not 3 x 5"
assert found not in (3 * 16 * 9 + 16, 3 * 16 * 25 + 16), "the filter isn't square: 3 rows and 5 columns"
assert found == 736, f"16 filters of 3 x 3 x 5 weights and a bias each are 736 parameters, not {found}"
assert count_parameters([{**conv, "bias": False}]) == 720, "with bias=False there are 720: the bias is left out before a batch norm"
linear = count_parameters([{"kind": "linear", "in": 784, "out": 10}])
assert linear != 7840, "a bias is there if the key is missing, one for each of the 10 outputs"
assert linear == 7850, f"784 features to 10 are 7840 weights and 10 biases, not {linear}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(81)
for _ in range(8):
    a, b, high, wide = (int(v) for v in rng.integers(1, 9, 4))
    for bias in (True, False):
        truth = sum(p.numel() for p in torch.nn.Conv2d(a, b, (high, wide), bias=bias).parameters()) + sum(p.numel() for p in torch.nn.Linear(a, b, bias=bias).parameters())
        answer = count_parameters([{"kind": "conv", "in": a, "out": b, "kernel": (high, wide), "bias": bias}, {"kind": "linear", "in": a, "out": b, "bias": bias}])
        assert answer == truth, f"{a} to {b} channels, filter {high} x {wide}, bias {bias}, and a linear layer: torch has {truth} parameters"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "count-parameters-norm", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Batch norm: a scale and an offset for each channel are learned; running mean and variance are only kept
found = count_parameters([{"kind": "batchnorm", "channels": 24}])
assert found != 96, "96 counts the running mean and variance too: they are measured, no gradient changes them"
assert found != 24, "24 is the scale alone; batch norm learns an offset as well"
assert found != 0, "batch norm does learn something: a scale and an offset for each channel"
assert found == 48, f"24 channels have a scale and an offset each, 48 parameters, not {found}"
### BEGIN HIDDEN TESTS
for channels in (1, 7, 64):
    truth = sum(p.numel() for p in torch.nn.BatchNorm2d(channels).parameters())
    assert count_parameters([{"kind": "batchnorm", "channels": channels}]) == truth, f"batch norm of {channels} channels has {truth} parameters in torch"
    assert count_parameters([{"kind": "batchnorm", "channels": channels}] * 3) == 3 * truth, "three batch norms have three times the parameters of one"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "count-parameters-network", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A whole network, layers that learn nothing, and a kind that nobody knows
network = [
    {"kind": "conv", "in": 1, "out": 8, "kernel": (3, 3), "bias": False}, {"kind": "batchnorm", "channels": 8}, {"kind": "relu"}, {"kind": "pool", "kernel": (2, 2)},
    {"kind": "conv", "in": 8, "out": 12, "kernel": (3, 3)}, {"kind": "flatten"}, {"kind": "linear", "in": 12 * 14 * 14, "out": 2},
]
in_torch = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3, bias=False), torch.nn.BatchNorm2d(8), torch.nn.Conv2d(8, 12, 3), torch.nn.Linear(12 * 14 * 14, 2))
truth, found = sum(p.numel() for p in in_torch.parameters()), count_parameters(network)
assert found is not None, "return the number of parameters"
assert found != truth + 4, "you count the window of a pooling layer as weights: it has nothing to learn"
assert found == truth, f"torch has {truth} parameters for this network, you count {found}"
try:
    count_parameters([{"kind": "attention", "channels": 8}])
except ValueError:
    pass
except KeyError as error:
    raise AssertionError("an unknown kind of layer should raise ValueError that names it, not KeyError") from error
else:
    raise AssertionError("an unknown kind of layer was silently counted as nothing: raise ValueError")
### BEGIN HIDDEN TESTS
assert count_parameters([]) == 0, "an empty network has no parameters"
assert count_parameters(network[::-1]) == truth, "the order of the layers must not change the count"
assert count_parameters(network * 2) == 2 * truth, "the same layers twice have twice the parameters"
assert count_parameters([{"kind": kind} for kind in ("relu", "pool", "flatten")]) == 0, "ReLU, pooling and flatten have nothing to learn"
### END HIDDEN TESTS

# %% [markdown]
# ### Does it pay? CNN against MLP at the same number of parameters
#
# Now the beliefs are put to the test: malignant or not, on breast ultrasound. Four models, one recipe (AdamW, one-cycle learning rate, the epoch that is best on validation):
#
# - logistic regression on the pixels, the trivial baseline;
# - an MLP and a CNN with the *same* number of parameters, both with batch norm (Ioffe and Szegedy, 2015; section 2.5);
# - an MLP with nine times as many, in case size was all it lacked.
#
# All are trained on the images as they are. They are tested on the test images as they are, and on the same images *moved* by a few pixels, as if the probe had been held a little differently. Nobody was shown moved images in training.
#
# **Predict before you run.** By how much will the CNN beat the MLP on centred images: not at all, a little, much? And which of the four loses least when images move by 4 of 28 pixels?

# %% tags=["demo"]
from torch import nn

scan_x = {name: torch.tensor(getattr(ultrasound, name).images[:, None], dtype=torch.float32) / 127.5 - 1 for name in ("train", "val", "test")}
scan_y = {name: torch.tensor(getattr(ultrasound, name).labels == 0).long() for name in scan_x}  # 1 is malignant


def stage(c_in: int, c_out: int) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU()]


def small_cnn() -> nn.Module:
    """Three convolutions, two poolings, the mean over all places, a linear layer."""
    return nn.Sequential(*stage(1, 16), nn.MaxPool2d(2), *stage(16, 24), nn.MaxPool2d(2), *stage(24, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2))


def small_mlp(first: int = 13, second: int = 31) -> nn.Module:
    layers = [nn.Linear(784, first), nn.BatchNorm1d(first), nn.ReLU(), nn.Linear(first, second), nn.BatchNorm1d(second), nn.ReLU(), nn.Linear(second, 2)]
    return nn.Sequential(nn.Flatten(), *layers)


CONTESTANTS = {"CNN": small_cnn, "MLP": small_mlp, "MLP, 9 times as large": lambda: small_mlp(118, 31)}
numbers = {name: sum(p.numel() for p in make().parameters()) for name, make in CONTESTANTS.items()}
for name, number in numbers.items():
    print(f"{name:22s} {number:7,} parameters")
assert abs(numbers["CNN"] - numbers["MLP"]) < 0.01 * numbers["CNN"], "the comparison is at equal parameter number"

DIRECTIONS = np.random.default_rng(run.seed).integers(0, 8, len(scan_y["test"]))  # each test image moves in a direction of its own


def moved(images: torch.Tensor, pixels: int) -> torch.Tensor:
    """Each image moved by `pixels` in one of eight directions; what enters repeats the edge."""
    wide, out = F.pad(images, (pixels,) * 4, mode="replicate"), []
    steps = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
    for image, direction in zip(wide, DIRECTIONS, strict=True):
        top, left = (pixels * (1 + step) for step in steps[direction])
        out.append(image[:, top : top + 28, left : left + 28])
    return torch.stack(out)


show.row([moved(scan_x["test"], pixels)[i, 0] for i in (0, 3) for pixels in (0, 2, 4)], titles=["as it is", "moved by 2", "moved by 4"] * 2, height=1.9, window=(-1, 1),
         alt="Two breast ultrasound images, each as it is and moved by two and by four pixels")

# %% tags=["demo"]
SHIFTS = (0, 1, 2, 3, 4, 5)
tests = {pixels: moved(scan_x["test"], pixels) for pixels in SHIFTS}
N_SEEDS = 5


def malignancy(model: nn.Module, images: torch.Tensor) -> np.ndarray:
    """(N,) logit of malignant over benign, in eval mode."""
    model.eval()
    with torch.no_grad():
        out = model(images.to(device)).cpu()
    return (out[:, 1] - out[:, 0]).numpy()


given_scores, chosen_on, winner = {}, {}, None  # (model, shift) -> logits (seeds, N); model -> validation AUC a seed
for name, make in CONTESTANTS.items():
    found, chosen_on[name] = {pixels: [] for pixels in SHIFTS}, []
    for number in range(N_SEEDS):
        helpers.seed_everything(run.seed + number)
        model = make()
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(scan_x["train"], scan_y["train"]), 32, shuffle=True, drop_last=True)
        history = train.fit(model, loader, nn.CrossEntropyLoss(), lambda m: roc_auc_score(scan_y["val"], malignancy(m, scan_x["val"])),
                            run.pick(ci=12, laptop=40), 3e-3, device, label=f"{name}, seed {number}")
        chosen_on[name].append(history.best_score)
        for pixels in SHIFTS:
            found[pixels].append(malignancy(model, tests[pixels]))
        winner = model if name == "CNN" and number == 0 else winner
    given_scores.update({(name, pixels): np.stack(values) for pixels, values in found.items()})
pixels_only = {c: LogisticRegression(C=c, max_iter=2000).fit(scan_x["train"].flatten(1), scan_y["train"]) for c in (1e-4, 1e-3, 1e-2, 1e-1)}
best_c = max(pixels_only, key=lambda c: roc_auc_score(scan_y["val"], pixels_only[c].decision_function(scan_x["val"].flatten(1))))
for pixels in SHIFTS:
    given_scores["logistic regression", pixels] = pixels_only[best_c].decision_function(tests[pixels].flatten(1))[None]

# %% [markdown]
# A difference needs an interval, and two things vary: which seed you trained with, and which patients happened to be in the test set. The next cell draws both anew, 1000 times, with the *same* draws of patients for both models. (Lecture 4 takes such
# bootstrap intervals apart.) Where patients are named, patients are drawn; the published set does not name them.

# %% tags=["demo"]
from scipy.stats import rankdata

owner = ultrasound.test.patients
owner = np.arange(len(scan_y["test"])) if owner is None else np.unique(owner, return_inverse=True)[1]
members = [np.flatnonzero(owner == o) for o in range(owner.max() + 1)]
sick = scan_y["test"].numpy() == 1


def mean_auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """AUC by ranks, mean over the rows (seeds)."""
    ranks, n_sick = rankdata(scores, axis=1), labels.sum()
    return float(((ranks[:, labels].sum(1) - n_sick * (n_sick + 1) / 2) / (n_sick * (~labels).sum())).mean())


def difference_interval(one: np.ndarray, other: np.ndarray, draws: int = 1000) -> tuple[float, float, float]:
    """Difference of the mean AUC of two models, with its 95 % interval over patients and seeds."""
    rng, values = np.random.default_rng(0), []
    for _ in range(draws):
        i = np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))])
        pair = [scores[rng.integers(0, len(scores), len(scores))][:, i] for scores in (one, other)]
        values.append(mean_auc(pair[0], sick[i]) - mean_auc(pair[1], sick[i]))
    return (mean_auc(one, sick) - mean_auc(other, sick), *np.quantile(values, [0.025, 0.975]))


cnn_auc = {key: mean_auc(values, sick) for key, values in given_scores.items()}
cnn_gain = {pixels: difference_interval(given_scores["CNN", pixels], given_scores["MLP", pixels]) for pixels in (0, 4)}
for name in [*CONTESTANTS, "logistic regression"]:
    spread_here = np.std([mean_auc(row[None], sick) for row in given_scores[name, 0]], ddof=1) if len(given_scores[name, 0]) > 1 else 0
    print(f"{name:22s} test AUC {cnn_auc[name, 0]:.3f} (seeds scatter by {spread_here:.3f}); moved by 4 pixels {cnn_auc[name, 4]:.3f}")
for pixels, (gain, low, high) in cnn_gain.items():
    one, other = ([mean_auc(row[None], sick) for row in given_scores[name, pixels]] for name in ("CNN", "MLP"))
    half = 2.31 * np.sqrt((np.var(one, ddof=1) + np.var(other, ddof=1)) / N_SEEDS)  # Student's t, 8 degrees of freedom
    print(f"CNN over MLP, moved by {pixels}: {gain:+.3f}; over seeds and patients [{low:+.3f}, {high:+.3f}], over seeds alone [{gain - half:+.3f}, {gain + half:+.3f}]")
    assert gain > half, "over seeds, on these test images, the CNN should beat the MLP"
assert cnn_auc["CNN", 0] > run.pick(ci=0.9, laptop=0.8), "the CNN did not learn"
assert cnn_auc["MLP", 0] > run.pick(ci=0.6, laptop=0.7), "the MLP did not learn"
assert cnn_gain[4][1] > 0, "on moved images the CNN should beat the MLP beyond doubt"
assert run.profile != "ci" or (cnn_gain[0][1] > 0 and cnn_auc["CNN", 0] > cnn_auc["logistic regression", 0] + 0.05), "on the stand-in the CNN should beat MLP and baseline on centred images, too"

# %% tags=["demo"]
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained", width_ratios=[1.4, 1])
looks = {"CNN": ("o-", 0), "MLP": ("s--", 1), "MLP, 9 times as large": ("^-.", 2), "logistic regression": ("x:", 3)}
for name, (style, color) in looks.items():
    per_seed = np.array([[mean_auc(row[None], sick) for row in given_scores[name, pixels]] for pixels in SHIFTS])
    left.plot(SHIFTS, per_seed.mean(1), style, color=show.PALETTE[color], label=name, linewidth=2)
    if per_seed.shape[1] > 1:
        left.fill_between(SHIFTS, per_seed.min(1), per_seed.max(1), color=show.PALETTE[color], alpha=0.15, linewidth=0)
left.axhline(0.5, color="0.5", linestyle=":")
left.set(xlabel="test images moved by (pixels of 28)", ylabel="test AUC", ylim=(0.4, 1.01), title="shaded: from the worst to the best seed")
left.legend(fontsize=8, loc="lower left", ncols=2)
for row, (gain, low, high) in enumerate(cnn_gain.values()):
    right.errorbar(gain, row, xerr=[[gain - low], [high - gain]], fmt="o", capsize=4, color=show.PALETTE[0])
right.axvline(0, color="black", linestyle=":")
right.set(yticks=[0, 1], yticklabels=["as they are", "moved by 4"], ylim=(1.6, -0.6), xlabel="AUC of the CNN over that of the MLP (95 % interval)", title=f"at {numbers['CNN']:,} and {numbers['MLP']:,} parameters")
show.figure(fig, alt="Left: test AUC against how far images are moved; the CNN stays high, both MLPs and logistic regression fall. Right: the gain of the CNN over the MLP with its interval, for "
            "images as they are and moved")

# %% [markdown]
# Size does not close the gap: what the MLP lacks is the two beliefs. In *training* it can fit anything that the CNN can. (Compare it with the logistic regression, too: without these beliefs, depth alone buys little or nothing here.) In the words of section 2.1: locality and sharing take variance away, at the price of a bias that happens to be true of images.
#
# Read the interval before you believe a difference. The stand-in of the profile `ci` has its class in the *edge* of a lesion that lies anywhere, so it favours the CNN. On the 156 real test images, not moved, the gain is about
# 0.06 AUC: over seeds alone its interval lies above zero, over patients as well it reaches down to about $-0.01$. Train both again, and the CNN will win again *on these women*; whether it will on others, 156 images can't quite say. On moved images they can.
# If your lesions always lay in the middle, and you had thousands of images, the gap could close.
#
# And know how this comparison came about. While it was written, several small CNNs were tried, and two data sets, with the test figures in sight; the network that was kept is also the best on validation, but nobody can say that these test images chose
# nothing. On all 4708 chest films of PneumoniaMNIST, which are framed alike, this CNN and an MLP of nearly the same size came out at about 0.95 each on films as they are (two seeds), and at about 0.94 against 0.78 on moved ones. The gain on moved images is the
# finding that held on both real sets. One early CNN, without batch norm, hardly learned in the epochs it had, and lost to the MLP on the stand-in: a belief about images helps only a network that trains.
#
# What has the CNN learned? The filters of its first layer are all that can be read directly.

# %% tags=["demo"]
first = winner[0].weight.detach().cpu().numpy()[:, 0]
with torch.no_grad():
    example = scan_x["test"][[int(np.flatnonzero(sick)[0])]]
    maps_1 = winner[:3](example.to(device))[0].cpu().numpy()
strongest = np.argsort(-maps_1.std((1, 2)) / (maps_1.mean((1, 2)) + 0.1))[:6]
limit = np.abs(first).max()
fig, axes = plt.subplots(2, 7, figsize=(11, 3.2), layout="constrained")
axes[0, 0].axis("off")
axes[1, 0].imshow(example[0, 0].numpy(), cmap="gray")
axes[1, 0].set_title("a malignant lesion", fontsize=9)
for column, number in enumerate(strongest, 1):
    shade = axes[0, column].imshow(first[number], cmap="PuOr", vmin=-limit, vmax=limit)
    axes[1, column].imshow(maps_1[number], cmap=show.SEQUENTIAL)
    axes[0, column].set_title(f"filter {number}", fontsize=9)
    for (row, place), weight in np.ndenumerate(first[number]):  # the sign, for those who don't see it by the colour
        axes[0, column].text(place, row, f"{weight:+.2f}", ha="center", va="center", fontsize=7, color="white" if abs(weight) > 0.7 * limit else "black")
for ax in axes.ravel():
    ax.set_axis_off()
fig.colorbar(shade, ax=axes[0, -1], shrink=0.8, label="weight")
show.figure(fig, alt="Six learned 3 by 3 filters above what they answer on a malignant lesion: some answer at edges of one direction, some in dark or bright regions")

# %% [markdown]
# Edges and small contrasts of some direction, mostly, as so often in first layers. What the later layers look at takes other tools (lecture 10).
#
# **Checkpoint.** The CNN above ends in a mean over all places. A colleague replaces that by a flatten and a fully connected layer, "to use the position as well". For which of these tasks is she right: (a) malignant or not, as here; (b) is the
# heart enlarged, on chest films that are always framed the same; (c) is the nodule in the left or the right lung? And what does she pay?
#
# <details><summary>Answer</summary>(a) No: a lesion is malignant wherever it lies, so position is only something to overfit. (b) It can help: in framed films position carries meaning, and the mean over places throws it away. (c) She must: a mean over all places
# can't tell left from right (only the zeros of the padding leak a little position). She pays with parameters, 32 x 7 x 7 x 2 in place of 32 x 2, and with sensitivity to moved images.</details>

# %% [markdown]
# ## 2.3 Deep learning models - RNN
#
# An echocardiogram is not a picture, it is a loop: thirty frames of a beating heart. Much of what a cardiologist reads from it stands in no single frame. *How fast does the ventricle fill? Do all walls move at the
# same time?* A stopped frame of a stiff heart can look like a frame of a healthy one, taken a moment earlier. (Trained on part of a set of 10 030 loops, a video network measured the ejection fraction about as closely
# as experts agree with each other: Ouyang et al., Nature 2020.)
#
# A **recurrent neural network** (RNN) reads a loop frame by frame and keeps notes. Its notes are a vector $h_t$, the **hidden state**. Each frame, as a feature vector $x_t$, updates them:
#
# $$h_t = f_\theta(x_t, h_{t-1}), \qquad h_0 = 0, \qquad t = 1, \dots, T$$
#
# The same $f_\theta$ serves every frame, so a loop may have any length $T$. What the network says at the end is read from $h_T$, which has seen everything.
#
# First a real loop. An **M-mode** picture takes one line of the image and lays its frames side by side: motion becomes a curve.

# %% tags=["demo"]
cine = data.load("ultrasound_cine", profile=run.profile).image.astype(float).mean(-1)  # 30 frames (240, 320), grey
fig, axes = plt.subplots(1, 4, figsize=(12, 2.9), width_ratios=[1, 1, 1, 1.5], layout="constrained")
for ax, frame in zip(axes, (0, 8, 16), strict=False):
    ax.imshow(cine[frame, 20:205, 70:270], vmin=0, vmax=150)
    ax.axhline(100, color=show.PALETTE[1], linewidth=1)
    ax.set(title=f"frame {frame + 1}", xticks=[], yticks=[])
axes[3].imshow(cine[:, 120, 120:270].T, aspect="auto", vmin=0, vmax=90, extent=(0.5, len(cine) + 0.5, 150, 0))
axes[3].set(title="M-mode: the line through time", xlabel="frame", ylabel="place on the line", yticks=[])
show.figure(fig, alt="Three frames of a real echocardiogram with a line across the left ventricle, and that line over 30 frames: the walls are bright bands that move apart and together")

# %% [markdown]
# ### A loop whose secret is in the motion
#
# To know what a network has understood, we plant the truth. The next cell simulates short-axis loops of a left ventricle: a ring of muscle round a dark cavity whose radius shrinks and grows. The muscle keeps its
# area, so the wall thickens as the cavity shrinks. Size, place, thickness, gain, heart rate and ejection differ from patient to patient; speckle differs from frame to frame. A loop begins anywhere in the beat and has
# 16 to 30 frames.
#
# - Label 0: quick contraction (30 % of the beat), slow filling.
# - Label 1: slow contraction (70 % of the beat), quick filling.
#
# So a loop of one class, played backwards, is a loop of the other. Every frame, and every *collection* of frames without its order, is exactly as likely in both classes. No real disease is the mirror image of a
# healthy beat. We chose it because here we *know* that single frames say nothing.

# %% tags=["demo"]
SIDE, LONGEST, MM = 24, 30, 4.0  # pixels a side, frames at the most, mm a pixel


def beating(patients: int, loops_each: int, seed: int) -> dict:
    """Simulated loops: frames (N, LONGEST, SIDE, SIDE) in 0..1, zero after each loop's end; length, label, patient (N,); radius (N, LONGEST) in mm."""
    rng = np.random.default_rng([seed, 23])
    n = patients * loops_each
    patient = np.repeat(np.arange(patients), loops_each)
    label = rng.permutation(np.arange(patients) % 2)[patient]

    def per_patient(low, high):
        return rng.uniform(low, high, patients)[patient]

    largest, ejection, wall = per_patient(19, 26), per_patient(0.25, 0.40), per_patient(7, 11)  # end-diastolic radius mm, shortening, wall mm
    beat, length, start = per_patient(14, 22), rng.integers(16, LONGEST + 1, n), rng.uniform(0, 1, n)  # frames a beat, frames a loop, phase of frame 0
    phase = (start[:, None] + np.arange(LONGEST) / beat[:, None]) % 1
    systole = np.where(label == 1, 0.7, 0.3)[:, None]
    closing = np.where(phase < systole, phase / systole, (1 - phase) / (1 - systole))  # 0 open, 1 at the end of the contraction
    radius = largest[:, None] * (1 - ejection[:, None] * (1 - np.cos(np.pi * closing)) / 2)
    outer = np.sqrt(radius**2 + ((largest + wall) ** 2 - largest**2)[:, None])  # the muscle's area stays
    y, x = (np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2) * MM
    distance = np.hypot(y - per_patient(-4, 4)[:, None, None], x - per_patient(-4, 4)[:, None, None])[:, None]

    def inside(r):
        return 1 / (1 + np.exp(np.clip((distance - r[..., None, None]) / 1.2, -30, 30)))

    echo = 0.35 + 0.5 * inside(outer) - 0.75 * inside(radius)
    speckle = np.log(rng.rayleigh(1, echo.shape) + 0.05) * 0.12
    frames = np.clip((echo + speckle) * per_patient(0.8, 1.2)[:, None, None, None], 0, 1)
    frames *= (np.arange(LONGEST) < length[:, None])[..., None, None]
    return {"frames": torch.tensor(frames, dtype=torch.float32), "length": torch.tensor(length), "label": torch.tensor(label), "patient": patient, "radius": radius}


cohort = {part: beating(count, loops_each=2, seed=run.seed + number) for number, (part, count) in
          enumerate({"train": run.pick(ci=200, laptop=300), "val": run.pick(ci=60, laptop=100), "test": run.pick(ci=100, laptop=200)}.items())}
print({part: f"{len(np.unique(loops['patient']))} patients, {len(loops['label'])} loops" for part, loops in cohort.items()})

# %% tags=["demo"]
fig, axes = plt.subplots(2, 6, figsize=(12, 4), width_ratios=[1, 1, 1, 1, 1.6, 2], layout="constrained")
for row, label in zip(axes, (0, 1), strict=True):
    loops = cohort["train"]
    i = int(np.flatnonzero((loops["label"].numpy() == label) & (loops["length"].numpy() >= 28))[0])
    for ax, frame in zip(row, (0, 4, 8, 12), strict=False):
        ax.imshow(loops["frames"][i, frame], vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[], title=f"frame {frame + 1}")
    row[0].set_ylabel(f"label {label}")
    row[4].imshow(loops["frames"][i, :28, SIDE // 2].T, vmin=0, vmax=1, aspect="auto", extent=(0.5, 28.5, SIDE, 0))
    row[4].set(title="M-mode", xlabel="frame", yticks=[])
    row[5].plot(np.arange(1, 29), loops["radius"][i, :28], color=show.PALETTE[label])
    row[5].set(title="cavity radius, mm", xlabel="frame")
show.figure(fig, alt="Two simulated loops. Single frames look alike; the radius falls quickly and rises slowly with label 0, and falls slowly and rises quickly with label 1")

# %% [markdown]
# ### The gated recurrent unit
#
# The plain RNN, $h_t = \tanh(W x_t + U h_{t-1} + b)$, rewrites all its notes at every frame. The **gated recurrent unit** (GRU; Cho et al., EMNLP 2014) decides what to rewrite. With $\sigma$ the logistic function and
# $\odot$ the product of corresponding entries:
#
# $$\begin{aligned}
# r &= \sigma(W_{r} x + b_{ir} + U_{r} h + b_{hr}) && \text{reset gate: which old notes the proposal may read}\\
# z &= \sigma(W_{z} x + b_{iz} + U_{z} h + b_{hz}) && \text{update gate: which notes are kept}\\
# n &= \tanh\big(W_{n} x + b_{in} + r \odot (U_{n} h + b_{hn})\big) && \text{the proposal}\\
# h' &= (1 - z) \odot n + z \odot h && \text{the new notes}
# \end{aligned}$$
#
# Two details differ between books and libraries, and both are silent. In torch $z = 1$ *keeps* the old notes (in Cho's paper as well; in some books it is the other way round). And torch applies the reset gate *after* the
# product with $U_n$, where Cho's paper applies it before. Weights trained with one and read by the other give wrong answers without any error.
#
# Torch stacks the three gates in the order $r, z, n$: `weight_ih` is $(3H, F)$ and holds $W_r, W_z, W_n$ from top to bottom; `weight_hh` is $(3H, H)$ with $U_r, U_z, U_n$; the biases `bias_ih` and `bias_hh` are $(3H,)$.
# The **LSTM** (Hochreiter and Schmidhuber, Neural Computation 1997) has a fourth block and a second state; the idea is the same.
#
# **Predict before you run.** The same weights, the same loop of 25 frames, three ways of reading them: torch's, the reset gate applied before the product, and $z$ the wrong way round. How large is the difference in the state: too
# small to matter, or as large as the state itself?

# %% tags=["demo"]
from torch import nn

torch.manual_seed(run.seed)
library_cell, features = nn.GRUCell(5, 8), torch.randn(25, 5)
W, U, b_i, b_h = (parameter.detach() for parameter in library_cell.parameters())


def read_loop(reading: str) -> torch.Tensor:
    """States (25, 8) of a GRU that reads `features` with the weights above."""
    h, states = torch.zeros(8), []
    for x in features:
        (i_r, i_z, i_n), (h_r, h_z, h_n) = (W @ x + b_i).chunk(3), (U @ h + b_h).chunk(3)
        r, z = torch.sigmoid(i_r + h_r), torch.sigmoid(i_z + h_z)
        if reading == "reset before the product":
            h_n, r = U[16:] @ (r * h) + b_h[16:], 1
        if reading == "z the wrong way round":
            z = 1 - z
        h = (1 - z) * torch.tanh(i_n + r * h_n) + z * h
        states.append(h)
    return torch.stack(states)


library_states, h = [], torch.zeros(1, 8)
for x in features:
    h = library_cell(x[None], h)
    library_states.append(h[0].detach())
library_states = torch.stack(library_states)
gru_gap = {reading: (read_loop(reading) - library_states).abs().max().item() for reading in ("torch's order", "reset before the product", "z the wrong way round")}
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.plot(library_states[:, 0], color="black", linewidth=3, alpha=0.3, label="torch.nn.GRUCell")
for color, style, reading in zip(show.PALETTE, ("-", "--", ":"), gru_gap, strict=False):
    ax.plot(read_loop(reading)[:, 0], style, color=color, label=reading)
    print(f"{reading:26s} largest difference from torch {gru_gap[reading]:.1e}")
ax.set(xlabel="frame", ylabel="first entry of h")
ax.legend(bbox_to_anchor=(1, 1), loc="upper left", fontsize=9)
show.figure(fig, alt="The first entry of the state over 25 frames: the equations in torch's order lie on torch's own curve, the two misreadings leave it")
gru_against_torch = gru_gap["torch's order"]
assert gru_against_torch < 1e-6 and min(list(gru_gap.values())[1:]) > 0.01, "the equations should agree with torch to float precision, and the misreadings should not"

# %% [markdown]
# ### Exercise 2.3a - one step of a GRU
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can read any recurrent cell in a paper and say where it differs from torch's*
#
# Write `gru_step(x, h, weight_ih, weight_hh, bias_ih, bias_hh)` for a batch, with weights in torch's layout (reset, update, new from top to bottom). It must agree with `torch.nn.GRUCell` to float precision. Write the equations;
# torch's own cell inside your function would teach you nothing.
#
# <details><summary>Hint 1: the idea</summary>Two products, one with x and one with h, each of width 3H. Cut each into three. Only the third pair is treated otherwise: there the reset gate stands between them.</details>
# <details><summary>Hint 2: what to call</summary><code>x @ weight_ih.T + bias_ih</code> is (B, 3H); <code>.chunk(3, dim=1)</code> cuts it; <code>torch.sigmoid</code>, <code>torch.tanh</code>.</details>
# <details><summary>It is right when h is zero, and wrong later</summary>With h = 0 three things can't be seen: where the reset gate stands relative to the product, which of z and 1 - z belongs to h, and all of weight_hh. Look at the update and at <code>r * (U h + b)</code>.</details>
# <details><summary>It is wrong even when h is zero</summary>Is the order of the blocks r, z, n? And does <code>bias_hh</code> take part: its last third stands inside the product with r.</details>


# %% nbgrader={"grade": false, "grade_id": "gru-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gru_step(
    x: torch.Tensor, h: torch.Tensor, weight_ih: torch.Tensor, weight_hh: torch.Tensor, bias_ih: torch.Tensor, bias_hh: torch.Tensor
) -> torch.Tensor:
    """The next state of a gated recurrent unit, as torch.nn.GRUCell computes it.

    Args:
        x: (B, F) one frame's features for each loop of the batch.
        h: (B, H) the states so far; must not be changed in place.
        weight_ih, weight_hh: (3H, F) and (3H, H), rows in the order reset, update, new.
        bias_ih, bias_hh: (3H,) each, in the same order.

    Returns:
        (B, H) the new states.
    """
    ### BEGIN SOLUTION
    i_r, i_z, i_n = (x @ weight_ih.T + bias_ih).chunk(3, dim=1)
    h_r, h_z, h_n = (h @ weight_hh.T + bias_hh).chunk(3, dim=1)
    r, z = torch.sigmoid(i_r + h_r), torch.sigmoid(i_z + h_z)
    n = torch.tanh(i_n + r * h_n)
    return (1 - z) * n + z * h
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gru-step-shape", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Shape, and the first frame: with h = 0 the new state is (1 - z) * n, so no entry can leave -1..1
torch.manual_seed(3)
cell, x = torch.nn.GRUCell(4, 6), torch.randn(5, 4)
weights = [parameter.detach() for parameter in cell.parameters()]
got = np.asarray(gru_step(x, torch.zeros(5, 6), *weights))
assert got.shape == (5, 6), f"five loops and six notes: expected the shape (5, 6), got {got.shape}"
truth = cell(x, torch.zeros(5, 6)).detach().numpy()
i_r, i_z, i_n = (x @ weights[0].T + weights[2]).chunk(3, 1)
swapped = (1 - torch.sigmoid(i_r + weights[3][:6])) * torch.tanh(i_n + torch.sigmoid(i_z + weights[3][6:12]) * weights[3][12:])
assert not np.allclose(got, swapped.numpy(), atol=1e-5), "the gates are swapped: torch's order is reset, update, new"
assert np.allclose(got, truth, atol=1e-5), "with h = 0 the state should be (1 - z) * n: are the blocks in the order r, z, n, does (1 - z) go with n, and does bias_hh take part (its last third inside the product with r)?"
### BEGIN HIDDEN TESTS
for seed, (batch, features, hidden) in enumerate(((1, 3, 2), (7, 2, 5), (3, 9, 4))):
    torch.manual_seed(50 + seed)
    cell, x = torch.nn.GRUCell(features, hidden), torch.randn(batch, features)
    got = np.asarray(gru_step(x, torch.zeros(batch, hidden), *[parameter.detach() for parameter in cell.parameters()]))
    assert got.shape == (batch, hidden), f"expected the shape {(batch, hidden)}, got {got.shape}"
    assert np.allclose(got, cell(x, torch.zeros(batch, hidden)).detach().numpy(), atol=1e-5), "another first frame: the state is off. Order r, z, n; (1 - z) with n; both biases"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gru-step-update", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The update gate: with z = 1 the notes are kept, with z = 0 they are replaced by the proposal
torch.manual_seed(4)
h, x = torch.rand(3, 4) * 2 - 1, torch.randn(3, 2)
zero = [torch.zeros(12, 2), torch.zeros(12, 4)]
open_z, shut_z = torch.zeros(12), torch.zeros(12)
open_z[4:8], shut_z[4:8] = 50.0, -50.0
proposal = torch.zeros(12)
proposal[8:] = torch.tensor([0.5, -0.5, 1.0, 0.0])
kept = np.asarray(gru_step(x, h.clone(), *zero, open_z + proposal, torch.zeros(12)))
assert not np.allclose(kept, np.tanh(proposal[8:].numpy()), atol=1e-5), "with z = 1 the old notes must be kept, and yours are replaced: the update gate is the wrong way round (or taken from the wrong block). h' = (1 - z) * n + z * h"
assert np.allclose(kept, h, atol=1e-5), "with z = 1 the new state must be the old one: h' = (1 - z) * n + z * h, z from the middle block"
replaced = np.asarray(gru_step(x, h.clone(), *zero, shut_z + proposal, torch.zeros(12)))
assert np.allclose(replaced, np.tanh(proposal[8:].numpy()), atol=1e-5), "with z = 0 the new state must be the proposal n, here tanh of the last third of bias_ih"
### BEGIN HIDDEN TESTS
for seed in range(4):
    torch.manual_seed(60 + seed)
    w, u = torch.randn(15, 3), torch.randn(15, 5)
    b, c, x, h = torch.randn(15), torch.randn(15), torch.randn(6, 3), torch.randn(6, 5)
    b[5:10] += 500
    assert np.allclose(gru_step(x, h.clone(), w, u, b, c), h, atol=1e-5), "with z = 1 the new state must be the old one, whatever the other gates say"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gru-step-torch", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The whole step against torch: random weights, random states; then 40 frames in a row
def agrees(seed, batch, features, hidden, scale):
    """One step on random states, and the state after 40 steps from zero: (yours, torch's) each."""
    torch.manual_seed(seed)
    cell = torch.nn.GRUCell(features, hidden).double()
    weights = [scale * parameter.detach() for parameter in cell.parameters()]
    cell.load_state_dict(dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights, strict=True)))
    frames, h = torch.randn(40, batch, features).double(), torch.randn(batch, hidden).double()
    kept = h.clone()
    one = np.asarray(gru_step(frames[0], h, *weights))  # in place: did it change what it was given?
    assert torch.equal(h, kept), "you changed the old state in place; whoever still needs it now has the new one"
    with torch.no_grad():
        r, z = torch.sigmoid(frames[0] @ weights[0].T + weights[2] + h @ weights[1].T + weights[3])[:, : 2 * hidden].chunk(2, 1)
        i_n = (frames[0] @ weights[0].T + weights[2])[:, 2 * hidden :]
        before = (1 - z) * torch.tanh(i_n + (r * h) @ weights[1][2 * hidden :].T + weights[3][2 * hidden :]) + z * h
        truth, state, yours = cell(frames[0], h).numpy(), torch.zeros(batch, hidden).double(), torch.zeros(batch, hidden).double()
        assert not np.allclose(one, before, atol=1e-6) or np.allclose(before, truth, atol=1e-6), "the reset gate is applied before the product, as in Cho's paper; torch applies it after: r * (U h + b)"
        for frame in frames:
            state, yours = cell(frame, state), torch.as_tensor(np.asarray(gru_step(frame, yours, *weights))).double()
    return one, truth, yours.numpy(), state.numpy()


one, truth, many, many_truth = agrees(5, 4, 3, 6, 1.0)
assert one.shape == truth.shape and np.allclose(one, truth, atol=1e-6), "one step from a state that isn't zero differs from torch: n = tanh(W x + b_i + r * (U h + b_h)), r from the first block, z from the second"
assert np.allclose(many, many_truth, atol=1e-6), "one step is right, 40 in a row are not: does something remain from one step to the next?"
### BEGIN HIDDEN TESTS
for seed, sizes in ((71, (1, 1, 1)), (72, (8, 2, 3)), (73, (2, 7, 10))):
    one, truth, many, many_truth = agrees(seed, *sizes, scale=3.0)
    assert one.shape == truth.shape and np.allclose(one, truth, atol=1e-6), "one step with larger weights differs from torch"
    assert np.allclose(many, many_truth, atol=1e-6), "40 steps with larger weights differ from torch"
### END HIDDEN TESTS

# %% [markdown]
# ### Loops of different lengths, patients in one batch
#
# A batch is a rectangle, and loops are not. So short loops are **padded** to the length of the longest, here with black frames. Three mistakes wait there. None raises an error:
#
# - The state is read after the last frame of the *rectangle*. For a short loop that is the state after staring at black frames.
# - The state at the end of one patient is the beginning of the next. Some pipelines do this on purpose ("stateful" RNNs, for one endless signal). Between patients, it is a leak: your result now depends on who was examined before you.
# - Statistics (a mean over frames) count the padding.
#
# As in many echo pipelines, we go in two steps. A small convolutional network **measures** the cavity radius in every frame; it learns that from the training patients' radii, as a contour drawn by a technician would give them. Then a second
# network reads the curve of measured radii, standardised over the true frames of its loop. Three of those compete, on the same curves:
#
# - **one frame**: the radius in one frame, through a small network;
# - **all frames, no order**: the same for every frame, then the mean over the true frames, then another layer. It knows the whole collection;
# - **GRU**: frame by frame, read at the last true frame.
#
# **Predict before you run.** Which test AUC do you expect of each? And if you need it: how well must a frame be measured, when the cavity moves by 5 to 10 mm?

# %% tags=["demo"]
torch.manual_seed(run.seed)
measure = nn.Sequential(nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * (SIDE // 4) ** 2, 1))
MIDDLE, SPREAD = 19.0, 4.0  # mm, so that the network's numbers are of the order of 1


def true_frames(loops: dict) -> torch.Tensor:
    """Mask (N, LONGEST): frames before the end of their loop."""
    return torch.arange(LONGEST) < loops["length"][:, None]


def measured(loops: dict) -> torch.Tensor:
    """Radius (N, LONGEST) as the network sees it, (mm - MIDDLE) / SPREAD, padding included."""
    measure.eval()
    with torch.no_grad():
        return torch.cat([measure(part.to(device)).cpu() for part in loops["frames"].flatten(0, 1)[:, None].split(2000)]).reshape(-1, LONGEST)


def error_mm(loops: dict) -> float:
    """Mean absolute error of the measured radius over true frames, mm."""
    gap = (MIDDLE + SPREAD * measured(loops) - torch.tensor(loops["radius"])).abs()
    return gap[true_frames(loops)].mean().item()


def standardised(loops: dict) -> torch.Tensor:
    """Measured curves (N, LONGEST, 1) with mean 0 and standard deviation 1 over each loop's TRUE frames: large and small hearts become alike."""
    values, real = measured(loops), true_frames(loops)
    count = real.sum(1, keepdim=True)
    mean = torch.where(real, values, 0).sum(1, keepdim=True) / count
    spread = (torch.where(real, (values - mean) ** 2, 0).sum(1, keepdim=True) / count).sqrt()
    return ((values - mean) / spread)[..., None]


loops, real = cohort["train"], true_frames(cohort["train"])
pairs = torch.utils.data.TensorDataset(loops["frames"][real][:, None], (torch.tensor(loops["radius"], dtype=torch.float32)[real][:, None] - MIDDLE) / SPREAD)
loader = torch.utils.data.DataLoader(pairs, 64, shuffle=True, generator=torch.Generator().manual_seed(run.seed))
train.fit(measure, loader, nn.functional.mse_loss, lambda net: -error_mm(cohort["val"]), epochs=run.pick(ci=6, laptop=8), lr=3e-3, device=device, label="radius")
curve = {part: standardised(loops) for part, loops in cohort.items()}
radius_error = error_mm(cohort["test"])
guess = loops["radius"][real.numpy()].mean()
radius_baseline = float(np.abs(cohort["test"]["radius"] - guess)[true_frames(cohort["test"]).numpy()].mean())
print(f"test patients: radius measured to {radius_error:.2f} mm on average; always guessing the mean would be off by {radius_baseline:.2f} mm")
assert radius_error < 1.0 < radius_baseline, "the measuring network should have learned"

# %% tags=["demo"]
from sklearn.metrics import roc_auc_score


class CurveNet(nn.Module):
    """Curves (B, T, 1) and their lengths (B,) -> logits (B,). `reads` is "one frame", "all frames, no order" or "GRU"."""

    def __init__(self, reads: str) -> None:
        super().__init__()
        self.reads, width = reads, 16
        self.frame = nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.gru = nn.GRU(1, width, batch_first=True)
        self.head = nn.Linear(width, 1) if reads == "GRU" else nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, curves: torch.Tensor, length: torch.Tensor, first: torch.Tensor | None = None) -> torch.Tensor:
        rows = torch.arange(len(length), device=length.device)
        if self.reads == "GRU":
            summary = self.gru(curves, first)[0][rows, length - 1]  # the state after the last TRUE frame
        elif self.reads == "one frame":
            summary = self.frame(curves)[rows, length // 2]
        else:
            real = (torch.arange(curves.shape[1], device=length.device) < length[:, None])[..., None]
            summary = (self.frame(curves) * real).sum(1) / length[:, None]
        return self.head(summary)[:, 0]


def curve_scores(model: CurveNet, part: str) -> np.ndarray:
    """Logits (N,) of the loops of a part, in eval mode."""
    model.eval()
    with torch.no_grad():
        return model(curve[part].to(device), cohort[part]["length"].to(device)).cpu().numpy()


def train_reader(reads: str, seed: int) -> tuple[CurveNet, train.History]:
    """Train one reader; the epoch with the best AUC on validation patients is kept."""
    torch.manual_seed(seed)
    model, loops = CurveNet(reads), cohort["train"]
    pairs = torch.utils.data.TensorDataset(curve["train"], loops["length"], loops["label"].float())
    loader = torch.utils.data.DataLoader(pairs, 20, shuffle=True, generator=torch.Generator().manual_seed(seed))
    history = train.fit(
        model, loader, lambda net, batch: nn.functional.binary_cross_entropy_with_logits(net(*batch[:2]), batch[2]),
        lambda net: roc_auc_score(cohort["val"]["label"], curve_scores(net, "val")), epochs=run.pick(ci=25, laptop=30), lr=2e-2, device=device, label=reads)
    return model, history


# %% tags=["demo"]
readers = {reads: train_reader(reads, run.seed) for reads in ("one frame", "all frames, no order", "GRU")}
rng, test_loops = np.random.default_rng(run.seed), cohort["test"]
truth, n_patients = test_loops["label"].numpy(), test_loops["patient"].max() + 1
draws = [np.r_[2 * drawn, 2 * drawn + 1] for drawn in rng.integers(0, n_patients, (300, n_patients))]  # patients with replacement, both loops of each
cine_auc, cine_interval = {}, {}
fig, axes = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
for number, (reads, (model, history)) in enumerate(readers.items()):
    score = curve_scores(model, "test")
    cine_auc[reads] = float(roc_auc_score(truth, score))
    cine_interval[reads] = np.quantile([roc_auc_score(truth[d], score[d]) for d in draws], [0.025, 0.975])
    axes[0].plot(np.arange(1, len(history.score) + 1), history.score, "o^s"[number] + "-", markersize=3, color=show.PALETTE[number], label=reads)
    axes[1].errorbar(cine_auc[reads], number, xerr=np.abs(cine_interval[reads] - cine_auc[reads])[:, None], fmt="o^s"[number], color=show.PALETTE[number], capsize=4)
    print(f"{reads:20s} test AUC {cine_auc[reads]:.3f} ({cine_interval[reads][0]:.3f} to {cine_interval[reads][1]:.3f}, resampling {n_patients} patients)")
axes[0].set(xlabel="epoch", ylabel="validation AUC", ylim=(0.35, 1.02))
axes[0].legend(fontsize=9)
axes[1].axvline(0.5, color="0.6", linestyle=":")
axes[1].set(xlabel="test AUC, 95 % interval", yticks=range(3), yticklabels=readers, xlim=(0.3, 1.02), ylim=(-0.5, 2.5))
show.figure(fig, alt="Left: validation AUC over epochs; only the GRU leaves 0.5, after some epochs. Right: test AUC with intervals; one frame and all frames without order are at chance, the GRU is far above")
gru_auc, gru_auc_interval = cine_auc["GRU"], cine_interval["GRU"]
single_frame_auc, unordered_auc = cine_auc["one frame"], cine_auc["all frames, no order"]
assert cine_auc["GRU"] > 0.85, "the GRU should have learned the motion"
assert max(cine_auc["one frame"], cine_auc["all frames, no order"]) < 0.68, "without the order of frames nothing can be learned: is there a leak?"

# %% [markdown]
# Only the reader that knows the order learns, and it first does nothing for a while: to see *quick down, slow up* it must learn two things at once, of which each alone is worth nothing. A loss that stays flat for many epochs isn't always a dead network.
#
# Now the three silent mistakes, made with the *same* trained GRU, on validation patients. Each changes only how it is used.
#
# **Predict before you run.** Shuffled frames; the state after the last *padded* frame; the state of the patient before as the first state. Which of the three costs most?

# %% tags=["demo"]
gru_reader, val_curves, val_length = readers["GRU"][0], curve["val"].to(device), cohort["val"]["length"].to(device)
with torch.no_grad():
    shuffled = torch.stack([c[torch.cat([torch.randperm(int(n), generator=torch.Generator().manual_seed(k)), torch.arange(int(n), LONGEST)]).to(device)]
                            for k, (c, n) in enumerate(zip(val_curves, val_length, strict=True))])
    _, last = gru_reader.gru(val_curves)  # (1, N, 16): after 30 frames, padding included
    states, carried = gru_reader.gru(val_curves)[0], torch.zeros(1, 1, 16, device=device)
    leaked = []
    for c, n in zip(val_curves, val_length, strict=True):  # one patient after the other, the state never reset
        out, carried = gru_reader.gru(c[None, : int(n)], carried)
        leaked.append(gru_reader.head(out[0, -1])[0].item())
    uses = {
        "as it should be": curve_scores(gru_reader, "val"),
        "frames shuffled": gru_reader(shuffled, val_length).cpu().numpy(),
        "last padded frame read": gru_reader.head(last[0])[:, 0].cpu().numpy(),
        "state of the patient before": np.array(leaked),
    }
val_truth = cohort["val"]["label"].numpy()
misuse_auc = {use: float(roc_auc_score(val_truth, score)) for use, score in uses.items()}
fig, axes = plt.subplots(1, 4, figsize=(12, 2.7), sharey=True, layout="constrained")
for ax, (use, score) in zip(axes, uses.items(), strict=True):
    for label in (0, 1):
        ax.plot(uses["as it should be"][val_truth == label], score[val_truth == label], "o^"[label], color=show.PALETTE[label], markersize=4, alpha=0.7, label=f"label {label}")
    ax.set(title=f"{use}\nAUC {misuse_auc[use]:.3f}", xlabel="right score")
axes[0].set_ylabel("score of this use")
axes[0].legend(fontsize=8)
show.figure(fig, alt="Scores of the same loops by the same GRU, used in four ways, against the right score. Shuffling the frames destroys them; reading padded frames and carrying the state over move many of them")
for use, score in uses.items():
    print(f"{use:28s} AUC {misuse_auc[use]:.3f}, loops whose call changes: {np.mean((score > 0) != (uses['as it should be'] > 0)):.0%}")
assert misuse_auc["frames shuffled"] < 0.7 < misuse_auc["as it should be"], "shuffled frames should leave nothing to see"

# %% [markdown]
# Shuffled frames leave a coin: the motion *was* all that this network used. The other two are more dangerous, because they look respectable. An AUC like theirs would be published, while the call of many a patient (the printed share) depends on black frames, or on who was examined
# before. So don't look for these faults in the AUC. Test for them directly: the same loop alone, in another order and with other padding must give the same score.
#
# ### Exercise 2.3b - classify loops of different lengths
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can read a padded batch without mixing up patients or frames*
#
# Write `classify_loops(cell, head, frames, lengths)`. The checks call it through `run_classifier` in the next cell, which makes `cell` and `head` from weights. What stands after the end of a loop is rubbish: it may be black, it may be `nan`, and it must have no influence.
#
# <details><summary>Hint 1: the idea</summary>Every loop begins with its own state of zeros, and its answer is read from the state after its own last frame.</details>
# <details><summary>Hint 2: what to call</summary>Simplest: for each loop, <code>h = frames.new_zeros(1, cell.hidden_size)</code>, then <code>h = cell(frame[None], h)</code> for its frames, then <code>head(h)</code>; join with <code>torch.cat</code>. Faster: all loops together, and
# <code>torch.where((t &lt; lengths)[:, None], new, h)</code>, which lets finished loops keep their state.</details>
# <details><summary>I get nan</summary>You multiplied padding by 0. <code>nan</code> times 0 is <code>nan</code>. Choose with <code>torch.where</code>, or don't read it at all. (For training, put zeros in the padding first: <code>torch.where</code> keeps nan out of the value, but not out of the gradient.)</details>
# <details><summary>Alone a loop gives another answer than in the batch</summary>Where does the state begin for the second loop of the batch? And is the last frame that of the loop, or of the rectangle?</details>

# %% tags=["given"]
def run_classifier(weights: dict, frames, lengths, calls: int = 1) -> list:
    """Make a GRU cell and a linear head from `weights` (names as in torch, arrays), call your `classify_loops` so many times, and return the logits of every call."""
    tensors = {name: torch.tensor(np.asarray(value), dtype=torch.float64) for name, value in weights.items()}
    hidden, features = tensors["weight_hh"].shape[1], tensors["weight_ih"].shape[1]
    cell, head = torch.nn.GRUCell(features, hidden).double(), torch.nn.Linear(hidden, len(tensors["head.bias"])).double()
    cell.load_state_dict({name: value for name, value in tensors.items() if "head" not in name})
    head.load_state_dict({"weight": tensors["head.weight"], "bias": tensors["head.bias"]})
    made = []
    for _ in range(calls):
        with torch.no_grad():
            logits = classify_loops(cell, head, torch.tensor(np.asarray(frames), dtype=torch.float64), torch.tensor(np.asarray(lengths)).long())
        made.append(np.asarray(logits))
    return made


def random_weights(seed: int, features: int, hidden: int, classes: int) -> dict:
    """Weights of a GRU cell and of a linear head, as arrays."""
    rng = np.random.default_rng(seed)
    shapes = {"weight_ih": (3 * hidden, features), "weight_hh": (3 * hidden, hidden), "bias_ih": (3 * hidden,), "bias_hh": (3 * hidden,), "head.weight": (classes, hidden), "head.bias": (classes,)}
    return {name: 0.7 * rng.normal(size=shape) for name, shape in shapes.items()}


def gru_by_torch(weights, loop):
    """Logits (K,) of one loop (T, F) alone, with torch.nn.GRU: what the checks compare with."""
    tensors = {name: torch.tensor(value) for name, value in weights.items()}
    gru = torch.nn.GRU(tensors["weight_ih"].shape[1], tensors["weight_hh"].shape[1], batch_first=True).double()
    gru.load_state_dict({f"{name}_l0": value for name, value in tensors.items() if "head" not in name})
    with torch.no_grad():
        last = gru(torch.tensor(loop)[None])[1][0, 0]
        return (tensors["head.weight"] @ last + tensors["head.bias"]).numpy()


# %% nbgrader={"grade": false, "grade_id": "cine-classifier", "locked": false, "schema_version": 3, "solution": true, "task": false}
def classify_loops(cell: torch.nn.GRUCell, head: torch.nn.Linear, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Logits of a batch of loops, one a patient, each read at its own last frame.

    Args:
        cell: F features and H notes; called as cell(x (B, F), h (B, H)) -> (B, H).
        head: (B, H) -> (B, K).
        frames: (B, T, F), all of one floating type, which cell and head share; after a loop's end it holds anything, also nan.
        lengths: (B,) whole numbers, how many frames each loop truly has, at most T.

    Returns:
        (B, K) logits. Each depends on its own loop's true frames and on nothing else; before its first frame every loop's state is zero.

    Raises:
        ValueError: a loop has no frame (a length less than 1): there is nothing to classify.
    """
    ### BEGIN SOLUTION
    if (lengths < 1).any():
        raise ValueError("a loop without frames can't be classified: take it out of the batch")
    h = frames.new_zeros(len(frames), cell.hidden_size)
    for t in range(int(lengths.max())):
        running = (t < lengths)[:, None]
        h = torch.where(running, cell(frames[:, t], h), h)
    return head(h)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cine-classifier-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Loops of one length: the logits that torch's own GRU gives
weights, loops = random_weights(1, 3, 5, 2), np.random.default_rng(1).normal(size=(4, 7, 3))
logits = run_classifier(weights, loops, [7, 7, 7, 7])[0]
assert logits.shape == (4, 2), f"four loops and two classes: expected the shape (4, 2), got {logits.shape}"
assert np.allclose(logits[0], gru_by_torch(weights, loops[0])), "the first loop's logits are off: a state of zeros, then every frame in order, then the head on the last state"
assert np.allclose(logits[1], gru_by_torch(weights, loops[1])), "the first loop is right, the second is not: its state must begin at zero, not where the patient before ended"
### BEGIN HIDDEN TESTS
for seed, (batch, longest, features, hidden, classes) in ((21, (6, 5, 2, 4, 3)), (22, (1, 9, 4, 3, 1)), (23, (3, 1, 2, 2, 2))):
    weights, loops = random_weights(seed, features, hidden, classes), np.random.default_rng(seed).normal(size=(batch, longest, features))
    logits = run_classifier(weights, loops, [longest] * batch)[0]
    assert logits.shape == (batch, classes), f"expected the shape {(batch, classes)}, got {logits.shape}"
    assert np.allclose(logits, [gru_by_torch(weights, loop) for loop in loops]), "loops of equal length: the logits are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cine-classifier-padding", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Padding: what stands after a loop's end must not matter; a loop alone gives what it gives in the batch
weights, rng = random_weights(2, 3, 5, 2), np.random.default_rng(2)
loops, lengths = rng.normal(size=(4, 8, 3)), [8, 3, 5, 1]
truth = np.array([gru_by_torch(weights, loop[:n]) for loop, n in zip(loops, lengths, strict=True)])
whole = np.array([gru_by_torch(weights, loop) for loop in loops])
logits = run_classifier(weights, loops, lengths)[0]
assert logits.shape == (4, 2), f"expected the shape (4, 2), got {logits.shape}"
assert not np.allclose(logits[1:], whole[1:]), "you read the state after the last frame of the rectangle: for a short loop that is after its padding. Read it after its own last frame"
assert np.allclose(logits, truth), "short loops are off: each is read after its own last frame, number length - 1 if you count from 0, and begins at zero"
for row, n in enumerate(lengths):
    loops[row, n:] = np.nan
logits = run_classifier(weights, loops, lengths)[0]
assert not np.isnan(logits).any(), "nan in the padding came through: nan times 0 is nan. Choose with torch.where, or don't read the padding"
assert np.allclose(logits, truth), "other padding gives other logits: the padding must have no influence"
### BEGIN HIDDEN TESTS
for seed in (31, 32, 33):
    rng, weights = np.random.default_rng(seed), random_weights(seed, 2, 6, 3)
    loops, lengths = rng.normal(size=(6, 10, 2)), rng.integers(1, 11, 6)
    for row, n in enumerate(lengths):
        loops[row, n:] = rng.choice([np.nan, 0.0, 1e6])
    logits = run_classifier(weights, loops, lengths)[0]
    assert np.allclose(logits, [gru_by_torch(weights, loop[:n]) for loop, n in zip(loops, lengths, strict=True)]), "loops of other lengths, with rubbish after their ends: the logits are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cine-classifier-patients", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Patients apart: another order, another neighbour or a second call changes nobody's result; and no frames, no result
weights, rng = random_weights(3, 2, 4, 2), np.random.default_rng(3)
loops, lengths = rng.normal(size=(3, 6, 2)), np.array([6, 4, 5])
first, second = run_classifier(weights, loops, lengths, calls=2)
assert first.shape == second.shape == (3, 2) and np.ptp(first, axis=0).min() > 1e-3, "three different loops should give three different logits"
assert np.allclose(first, second), "the second call gives other logits: the state of the first is still there. Begin every call with zeros"
order = [2, 0, 1]
turned = run_classifier(weights, loops[order], lengths[order])[0]
assert np.allclose(turned, first[order]), "in another order the patients get other logits: a state is carried from one patient to the next"
try:
    answer = run_classifier(weights, loops, [6, 0, 5])
except ValueError:
    pass
else:
    raise AssertionError("a loop without frames has nothing to classify: raise a ValueError, don't return the head of a zero state")
### BEGIN HIDDEN TESTS
weights, loops, lengths = random_weights(41, 3, 3, 2), rng.normal(size=(5, 7, 3)), np.array([2, 7, 1, 4, 7])
together = run_classifier(weights, loops, lengths)[0]
for row in range(5):
    alone = run_classifier(weights, loops[row : row + 1], lengths[row : row + 1])[0]
    assert np.allclose(alone[0], together[row]) and np.allclose(alone[0], gru_by_torch(weights, loops[row, : lengths[row]])), "a loop alone should give what it gives in the batch"
### END HIDDEN TESTS

# %% [markdown]
# ### Gradients through time: vanishing, exploding, clipped
#
# The gradient of the last frame's loss with respect to the first frame's state is a product of $T$ matrices: $\dfrac{\partial h_T}{\partial h_0} = \prod_t \dfrac{\partial h_t}{\partial h_{t-1}}$. If each shrinks by a factor of 0.9, sixty frames leave
# 0.2 %: the network can't learn from the beginning of the loop. If each grows by 1.1, sixty frames make 300. A GRU's path $z \odot h$ helps against the first. Against the second there is **clipping by norm** (Pascanu, Mikolov and Bengio, ICML
# 2013): with $g$ all gradients of all parameters in one long vector,
#
# $$g \leftarrow g \cdot \min\!\left(1, \frac{c}{\lVert g \rVert}\right)$$
#
# One factor for all. So the *direction* stays, and only the length is cut. Clip each tensor by itself and the direction changes: small gradients (often the first layers') gain on large ones.
#
# **Predict before you run.** On the right, the loss of a one-number RNN, $h_t = \tanh(w\, h_{t-1} + 0.3)$ after 30 frames, as $w$ varies: two nearly level plains with a cliff between them. Where does one step of gradient descent land that starts on the cliff, with a learning rate of 0.05?

# %% tags=["demo"]
def gradient_through(cell: nn.Module, T: int = 60) -> list:
    """Norm of d(sum of h_t) / d h_0 after t = 1 ... T frames."""
    start = torch.full((1, 32), 0.1, requires_grad=True)
    h, norms, frames = start, [], 0.1 * torch.randn(T, 1, 8, generator=torch.Generator().manual_seed(1))
    for x in frames:
        h = cell(x, h)
        norms.append(torch.autograd.grad(h.sum(), start, retain_graph=True)[0].norm().item())
    return norms


norms = {}
for scale in (0.8, 1.0, 1.3):
    torch.manual_seed(run.seed)
    cell = nn.RNNCell(8, 32)
    nn.init.orthogonal_(cell.weight_hh, gain=scale)
    norms[f"plain RNN, gain {scale}"] = gradient_through(cell)
torch.manual_seed(run.seed)
cell = nn.GRUCell(8, 32)
with torch.no_grad():
    cell.bias_ih[32:64] += 4.0  # update gates that keep by default
norms["GRU that keeps"] = gradient_through(cell)


# %% tags=["demo"]
def end_of_chain(w: torch.Tensor) -> torch.Tensor:
    """Loss of the one-number RNN after 30 frames, from h = -0.6."""
    h = torch.tensor(-0.6, dtype=torch.float64)
    for _ in range(30):
        h = torch.tanh(w * h + 0.3)
    return (h + 0.75) ** 2


weights_on_grid = torch.linspace(1.2, 2.2, 800, dtype=torch.float64)
losses_on_grid = torch.stack([end_of_chain(w) for w in weights_on_grid]).numpy()
slope = np.abs(np.gradient(losses_on_grid, weights_on_grid.numpy()))
edge = torch.tensor(float(weights_on_grid[slope.argmax()]), dtype=torch.float64, requires_grad=True)
end_of_chain(edge).backward()
steps_from_edge = {"no clipping": -0.05 * edge.grad.item(), "clipped to norm 1": -0.05 * float(np.clip(edge.grad.item(), -1, 1))}
fig, axes = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained")
for (name, values), color, style in zip(norms.items(), show.PALETTE, ("-", "--", "-.", ":"), strict=False):
    axes[0].semilogy(np.arange(1, 61), values, style, color=color, label=name)
axes[0].set(xlabel="frames between loss and state", ylabel="norm of the gradient")
axes[0].legend(fontsize=8)
axes[1].plot(weights_on_grid, losses_on_grid, color="0.3")
for (name, step), color, mark in zip(steps_from_edge.items(), (show.PALETTE[3], show.PALETTE[2]), "s^", strict=True):
    lands = edge.item() + step
    axes[1].plot(min(lands, 2.2), float(end_of_chain(torch.tensor(lands, dtype=torch.float64))), mark, color=color, clip_on=False,
                 label=f"{name}:\nlands at w = {lands:.2f}" + (", far outside" if lands > 2.2 else ""))
axes[1].axvline(edge.item(), color="0.7", linestyle=":")
axes[1].set(xlabel="w", ylabel="loss after 30 frames", xlim=(1.2, 2.2))
axes[1].legend(fontsize=8, loc="center right")
show.figure(fig, alt="Left: gradient norms over 60 frames; a plain RNN's vanish or explode with its gain, a GRU that keeps loses little. Right: a loss with a cliff; the unclipped step leaps far out of the picture, the clipped one lands near the foot of the cliff")
print(f"at the edge the gradient is {edge.grad.item():.3g}")

# %% [markdown]
# One step without clipping, and the weight is where no data ever sent it. Clipped, the step has the same direction and a sane length. On the left: clipping does nothing against *vanishing*. For that there are gates, shorter loops, or attention (Lecture 9).

# %% [markdown]
# ### Exercise 2.3c - clip by the global norm
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can keep one odd loop from throwing a training off, and notice when a gradient is broken*
#
# Write `clip_by_norm(gradients, max_norm)`. A parameter that took no part in the loss has the gradient `None`; it stays `None`. A gradient with `nan` or `inf` is not large but *broken*: clipping would turn every parameter into `nan`, silently. Raise an error.
#
# <details><summary>Hint 1: the idea</summary>One norm of everything, one factor for everything, and the factor is never above 1.</details>
# <details><summary>Hint 2: what to call</summary>The squared norm of a list of arrays is the sum of <code>(g ** 2).sum()</code>. <code>numpy.isfinite</code> of every array finds nan and inf.</details>
# <details><summary>All-zero gradients give nan</summary>You divide by a norm of 0. Only divide when the norm is larger than the limit.</details>
# <details><summary>Small gradients come out larger</summary>The factor is max_norm / norm only if that is below 1. A clip is a ceiling, not a target.</details>


# %% nbgrader={"grade": false, "grade_id": "clip-norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clip_by_norm(gradients: list, max_norm: float) -> tuple[list, float]:
    """Gradients scaled together so that their global norm is at most `max_norm`.

    Args:
        gradients: arrays of any shapes, one a parameter, or None for a parameter without gradient. They must not be changed in place.
        max_norm: the largest norm allowed, above 0.

    Returns:
        The clipped gradients, in the same order with the same shapes (None stays None), and the global norm before the clip.

    Raises:
        ValueError: an entry of a gradient is nan or infinite.
    """
    ### BEGIN SOLUTION
    if not all(np.isfinite(g).all() for g in gradients if g is not None):
        raise ValueError("a gradient is nan or infinite: the loss is broken, and clipping would hide it")
    norm = float(np.sqrt(sum((np.asarray(g, dtype=np.float64) ** 2).sum() for g in gradients if g is not None)))
    factor = min(1.0, max_norm / norm) if norm > 0 else 1.0
    return [None if g is None else g * factor for g in gradients], norm
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "clip-norm-global", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One norm, one factor: (2, 1, 2) and (0, 4) have the global norm 5; clipped to 1 every entry is a fifth
g = [np.array([2.0, 1.0, 2.0]), np.array([[0.0], [4.0]])]
answer = clip_by_norm([part.copy() for part in g], 1.0)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: the clipped gradients and the norm before the clip"
clipped, norm = answer
assert [np.shape(part) for part in clipped] == [(3,), (2, 1)], f"the shapes should stay (3,) and (2, 1), got {[np.shape(part) for part in clipped]}"
assert not np.isclose(np.linalg.norm(clipped[0]), 1), "you clip each tensor by itself: the direction of the step changes. One norm over all tensors, one factor for all"
assert np.isclose(norm, 5), f"the norm before the clip is 5, the root of the sum of ALL squares, not {norm:.3g}"
assert np.allclose(clipped[0], [0.4, 0.2, 0.4]) and np.allclose(np.ravel(clipped[1]), [0, 0.8]), "every entry should be divided by 5: the factor is max_norm / norm"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(11)
for limit in (0.1, 1.0, 2.5):
    g = [rng.normal(size=shape) * 10.0 ** rng.integers(-2, 2) for shape in ((4, 3), (3,), (2, 2, 2), (1,))] + [np.full(5, 3.0)]
    kept = [part.copy() for part in g]
    clipped, norm = clip_by_norm(g, limit)  # in place: did it change what it was given?
    assert all(np.array_equal(a, b) for a, b in zip(g, kept, strict=True)), "you changed the caller's gradients in place"
    whole = np.concatenate([part.ravel() for part in kept])
    assert np.isclose(norm, np.linalg.norm(whole)), "the norm before the clip is off on random gradients"
    assert np.allclose(np.concatenate([np.ravel(part) for part in clipped]), whole * limit / np.linalg.norm(whole)), "the clipped gradient should point where it did, with the length max_norm"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "clip-norm-small", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A clip is a ceiling: what is below it stays exactly as it is, also when all is zero; None stays None
g = [np.array([0.3, 0.0]), None, np.array([0.4])]
clipped, norm = clip_by_norm(g, 1.0)
assert len(clipped) == 3 and clipped[1] is None, "a parameter without a gradient (None) keeps its place in the list, as None"
assert not np.isclose(np.sqrt(sum((np.asarray(part) ** 2).sum() for part in clipped if part is not None)), 1), "you scaled a small gradient up to the limit: the factor is never above 1"
assert np.allclose(clipped[0], g[0]) and np.allclose(clipped[2], g[2]) and np.isclose(norm, 0.5), "a gradient of norm 0.5 is below the limit of 1 and should stay as it is, with norm 0.5 returned"
### BEGIN HIDDEN TESTS
clipped, norm = clip_by_norm([np.zeros(3), np.zeros((2, 2))], 0.5)
assert norm == 0 and all(np.array_equal(part, zero) for part, zero in zip(clipped, (np.zeros(3), np.zeros((2, 2))), strict=True)), "zero gradients should stay zero, with norm 0: don't divide by the norm when it is 0"
g = [np.random.default_rng(12).normal(size=9)]
clipped, norm = clip_by_norm(g, 100.0)
assert np.isclose(norm, np.linalg.norm(g[0])) and np.allclose(clipped[0], g[0]), "a gradient below the limit should stay as it is"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "clip-norm-broken", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A broken gradient: nan or infinite. (Good input first.)
assert np.isclose(clip_by_norm([np.array([6.0, 8.0])], 5.0)[1], 10), "the norm of (6, 8) is 10"
try:
    clip_by_norm([np.array([1.0, np.nan]), np.array([2.0])], 1.0)
except ValueError:
    pass
else:
    raise AssertionError("a nan in one gradient would turn every parameter into nan: raise a ValueError")
### BEGIN HIDDEN TESTS
for broken in (np.inf, -np.inf):
    try:
        clip_by_norm([np.array([2.0]), None, np.array([[1.0, broken]])], 1.0)
    except ValueError:
        pass
    else:
        raise AssertionError("an infinite gradient can't be scaled back: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A colleague doubles the training set by playing every loop backwards. Which labels of a cardiac loop survive that, and which not? And what happens to our simulated classes?
#
# <details><summary>Answer</summary>What depends on size alone survives: ejection fraction, chamber size, wall thickness. What depends on the order of events does not: filling pattern, the order in which walls move, a valve that leaks (the jet comes in the
# wrong phase). In our loops the label turns into the other one. Kept as it is, every curve is in the training set once with each label, and the GRU sinks to chance. Swapped along with the loop, the trick is right - here, by construction, and in no real patient.</details>

# %% [markdown]
# ## 2.4 Deep learning models - autoencoder
#
# Labels are dear, images are not: a hospital's archive holds millions of films that nobody has annotated. An **autoencoder** learns from images alone. An *encoder* turns an image $x$ of $D$ pixels into a **code** $c$ of
# $k \ll D$ numbers, a *decoder* turns the code back into an image, and the loss asks that the image survives the journey:
#
# $$c = e(x), \qquad \hat x = d(c), \qquad L = \frac{1}{N} \sum_i \lVert x_i - d(e(x_i)) \rVert^2$$
#
# What makes it learn is the **bottleneck**. With $k \ge D$ and no other restraint the identity has loss 0 and has learned nothing. With $k \ll D$ only what images have in common fits through.
#
# In the clinic autoencoders compress, clean noisy images (below), flag what does not look like the training images (Lecture 8), and give a network its first weights.
#
# ### The linear autoencoder and PCA
#
# Leave out every nonlinearity: $\hat x = \mu + D\,E\,(x - \mu)$, with $E$ of shape $(k, D)$ and $D$ of shape $(D, k)$. The best such pair is known (Bourlard and Kamp, 1988; Baldi and Hornik, 1989): $D$ spans the **subspace of the first $k$
# principal components**, and every other stationary point of the loss is a saddle, so gradient descent gets there.
#
# It finds the *subspace*, not the components. For any invertible $M$, the pair $(M E, D M^{-1})$ has the same loss. So columns can't be compared one by one. The right question: *do the two sets of columns span the same
# subspace?* **Principal angles** (Björck and Golub, 1973) answer it. With orthonormal bases $Q_A$ and $Q_B$ of the two subspaces, the singular values of $Q_A^\top Q_B$ are the cosines of the angles. All zero: the same subspace.
#
# **Predict before you run.** We train a linear autoencoder with a code of 6 numbers on chest films, without telling it of PCA. Will its largest principal angle to PCA's subspace be 60, 10 or less than 1 degree? And will its
# six decoder images look like the six principal components?

# %% tags=["demo"]
from scipy.linalg import subspace_angles

films = data.load("pneumoniamnist", profile=run.profile)
limit = run.pick(ci=(800, 114, 229), laptop=(2000, 524, 624))
film_images = {part: torch.tensor(getattr(films, part).images[:count] / 255.0, dtype=torch.float32)[:, None] for part, count in zip(("train", "val", "test"), limit, strict=True)}


def principal_components(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean (D,), variances (D,) from large to small, components (D, D) in columns, of images (N, D)."""
    mean = images.mean(0)
    variances, columns = torch.linalg.eigh((images - mean).T @ (images - mean) / len(images))
    return mean, variances.flip(0), columns.flip(1)


small = nn.functional.avg_pool2d(film_images["train"], 2).flatten(1).double()  # (N, 196): 14 x 14 pixels
code_size, (small_mean, variances, components) = 6, principal_components(small)
scatter = components @ torch.diag(variances) @ components.T  # the loss needs the films only through this matrix
generator = torch.Generator().manual_seed(run.seed)
E = (0.1 * torch.randn(code_size, 196, generator=generator, dtype=torch.float64)).requires_grad_()
D = (0.1 * torch.randn(196, code_size, generator=generator, dtype=torch.float64)).requires_grad_()
optimizer = torch.optim.LBFGS([E, D], max_iter=10, history_size=20, line_search_fn="strong_wolfe")


def mean_squared_error() -> torch.Tensor:
    """Mean over the films of |(x - mu) - D E (x - mu)|^2."""
    optimizer.zero_grad()
    left = torch.eye(196, dtype=torch.float64) - D @ E
    value = (left @ scatter * left).sum()
    value.backward()
    return value


angle_curve = []
for _ in range(100):
    optimizer.step(mean_squared_error)
    angle_curve.append(np.degrees(subspace_angles(D.detach().numpy(), components[:, :code_size].numpy())))
print("principal angles at the end, degrees:", ", ".join(f"{angle:.1e}" for angle in angle_curve[-1]))
print(f"loss {mean_squared_error().item():.6f}, of PCA {variances[code_size:].sum():.6f}; total variance {variances.sum():.3f}")
angle_to_pca = float(angle_curve[-1].max())
assert angle_to_pca < 0.5, "the linear autoencoder should span PCA's subspace to within half a degree"

# %% tags=["demo"]
fig, axes = plt.subplots(2, code_size, figsize=(11, 3.6), layout="constrained")
for row, columns, name in zip(axes, (components[:, :code_size], D.detach()), ("PCA", "autoencoder"), strict=True):
    for j, ax in enumerate(row):
        top = columns[:, j].abs().max()
        ax.imshow(columns[:, j].reshape(14, 14), cmap="RdBu_r", vmin=-top, vmax=top)
        if 0 > columns[:, j].min() and columns[:, j].max() > 0:
            ax.contour(columns[:, j].reshape(14, 14), levels=[0], colors="black", linewidths=0.8)
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{name} {j + 1}", fontsize=10)
fig.supxlabel("red is above 0, blue below, the black line is at 0", fontsize=9)
show.figure(fig, alt="Upper row: six principal components of chest films, each a clear pattern. Lower row: the six decoder columns of the autoencoder, mixtures of those patterns")
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.semilogy(10 * np.arange(1, len(angle_curve) + 1), np.array(angle_curve))
ax.axhline(0.5, color="0.6", linestyle=":")
ax.text(1000, 0.6, "half a degree", ha="right", va="bottom", fontsize=9)
ax.set(xlabel="iteration", ylabel="principal angles, degrees")
show.figure(fig, alt="The six principal angles between the autoencoder's decoder and PCA's subspace fall from tens of degrees to below half a degree")

# %% [markdown]
# The same subspace, other columns: the autoencoder's images are mixtures of the components. A paper that gives a meaning to "unit 3 of the code" must say why unit 3, and not a mixture, deserves one.
#
# How much does a code of $k$ numbers keep? Move the slider.

# %% tags=["demo"]
flat = {part: images.flatten(1).double() for part, images in film_images.items()}
mean_film, _, film_components = principal_components(flat["train"])


def rebuilt(numbers: int) -> plt.Figure:
    """Three validation films and what a linear code of so many numbers keeps of them."""
    basis = film_components[:, :numbers]
    kept = mean_film + (flat["val"] - mean_film) @ basis @ basis.T
    left_out = ((flat["val"] - kept) ** 2).sum() / ((flat["val"] - mean_film) ** 2).sum()
    fig, axes = plt.subplots(2, 3, figsize=(5, 3.8), layout="constrained")
    for j in range(3):
        for ax, image in zip(axes[:, j], (flat["val"][j], kept[j]), strict=True):
            ax.imshow(image.reshape(28, 28), vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("film")
    axes[1, 0].set_ylabel(f"{numbers} of 784")
    fig.suptitle(f"a code of length {numbers} keeps {100 * (1 - left_out):.0f} % of the variance of validation films", fontsize=10)
    return fig


show.explore(rebuilt, numbers=[16, 1, 2, 4, 8, 32, 64, 128],
             alt="Three chest films, and below each what a linear code of 16 numbers keeps: lungs, heart and outline, but no fine detail")

# %% [markdown]
# ### Exercise 2.4a - build the bottleneck
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can tell an autoencoder from an expensive copy*
#
# Write `make_autoencoder(n, hidden, k)`, which returns two networks, encoder and decoder. Each has one hidden layer with ReLU between two linear layers. The code itself and the output stay linear: a ReLU on the code would forbid negative codes, a sigmoid on
# the output values above 1. The checks call it through `through_autoencoder` in the next cell. It loads weights, and also returns the **Jacobian** $\partial \hat x / \partial x$: its rank is at most the number of numbers that fit through the narrowest place.
#
# <details><summary>Hint 1: the idea</summary>n to hidden to k, then k to hidden to n. Only k numbers may lie between the two networks.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.nn.Sequential(torch.nn.Linear(n, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, k))</code>, and its mirror image.</details>
# <details><summary>"the Jacobian has a rank above k"</summary>The image reaches the output by another way than the code: a skip connection, or a code as wide as the image.</details>
# <details><summary>My codes are never negative</summary>There is an activation after the last layer of the encoder. Take it away.</details>

# %% tags=["given"]
def through_autoencoder(n: int, hidden: int, k: int, weights: list, x) -> dict:
    """Make your autoencoder, load `weights` (8 arrays: weight and bias of each linear layer, input first) if their shapes fit, and send x (B, n) through.

    Returns the shapes of your parameters; and, if these fit, codes, outputs and the Jacobian (n, n) of the output by the input at x[0].
    """
    encoder, decoder = make_autoencoder(n, hidden, k)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    shapes = [tuple(parameter.shape) for parameter in parameters]
    if shapes != [np.shape(value) for value in weights]:
        return {"shapes": shapes}
    encoder.double(), decoder.double()
    with torch.no_grad():
        for parameter, value in zip(parameters, weights, strict=True):
            parameter.copy_(torch.tensor(np.asarray(value)))
    x = torch.tensor(np.asarray(x), dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda row: decoder(encoder(row[None]))[0], x[0])
    with torch.no_grad():
        codes = encoder(x)
        return {"shapes": shapes, "codes": codes.numpy(), "outputs": decoder(codes).numpy(), "jacobian": jacobian.numpy()}


def layer_weights(n: int, hidden: int, k: int, seed: int) -> list:
    """Random weights for linear layers n -> hidden -> k -> hidden -> n: weight and bias of each."""
    rng = np.random.default_rng(seed)
    sizes = ((n, hidden), (hidden, k), (k, hidden), (hidden, n))
    return [part for a, b in sizes for part in (rng.normal(size=(b, a)) / np.sqrt(a), 0.3 * rng.normal(size=b))]


# %% nbgrader={"grade": false, "grade_id": "bottleneck", "locked": false, "schema_version": 3, "solution": true, "task": false}
def make_autoencoder(n: int, hidden: int, k: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Encoder and decoder of an autoencoder with a code of k numbers.

    Args:
        n: pixels of an image (images come as rows, (B, n)).
        hidden: width of the hidden layers.
        k: numbers in the code.

    Returns:
        encoder: (B, n) -> (B, k): linear layer to `hidden`, ReLU, linear layer to k.
        decoder: (B, k) -> (B, n): linear layer to `hidden`, ReLU, linear layer to n.
        All four linear layers have a bias; code and output have no activation; nothing else has parameters.

    Raises:
        ValueError: k is less than 1, or not smaller than n: then there is no bottleneck.
    """
    ### BEGIN SOLUTION
    if not 1 <= k < n:
        raise ValueError(f"a code of {k} numbers is no bottleneck for {n} pixels: choose 1 to {n - 1}")
    encoder = torch.nn.Sequential(torch.nn.Linear(n, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, k))
    decoder = torch.nn.Sequential(torch.nn.Linear(k, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, n))
    return encoder, decoder
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "bottleneck-narrow", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The narrow place: four linear layers, and only k numbers come through
weights = layer_weights(12, 9, 3, seed=1)
wanted, x = [np.shape(value) for value in weights], np.random.default_rng(1).normal(size=(5, 12))
found = through_autoencoder(12, 9, 3, weights, x)
shapes = [tuple(shape) for shape in found["shapes"]]
assert (12, 12) not in shapes, "a layer leads from 12 pixels to 12 numbers: that is no bottleneck, an identity would have loss 0"
assert shapes == wanted, f"for n=12, hidden=9, k=3 the parameters should have the shapes {wanted}, yours have {shapes}: linear layers 12-9-3 and 3-9-12, each with a bias"
assert np.shape(found["codes"]) == (5, 3), f"five images should give codes of the shape (5, 3), got {np.shape(found['codes'])}"
rank = np.linalg.matrix_rank(np.asarray(found["jacobian"]), tol=1e-8)
assert rank <= 3, f"the Jacobian has a rank of {rank}, above k = 3: the image goes round the bottleneck, by a skip connection for instance"
### BEGIN HIDDEN TESTS
for seed, (n, hidden, k) in ((31, (8, 20, 2)), (32, (30, 16, 5)), (33, (4, 3, 1))):
    weights, x = layer_weights(n, hidden, k, seed), np.random.default_rng(seed).normal(size=(4, n))
    found = through_autoencoder(n, hidden, k, weights, x)
    assert [tuple(shape) for shape in found["shapes"]] == [np.shape(value) for value in weights], f"n={n}, hidden={hidden}, k={k}: the layers have other shapes"
    assert np.shape(found["codes"]) == (4, k) and np.shape(found["outputs"]) == (4, n), "codes or outputs have the wrong shape"
    assert np.linalg.matrix_rank(np.asarray(found["jacobian"]), tol=1e-8) <= k, "the rank of the Jacobian is above k: something goes round the bottleneck"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "bottleneck-forward", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What the networks compute: ReLU between the layers, and none on the code or on the output
def written_out(weights, x):
    """Codes and outputs, from the weights."""
    (a, a0, b, b0, c, c0, d, d0), relu = weights, lambda value: np.maximum(value, 0)
    codes = relu(x @ a.T + a0) @ b.T + b0
    return codes, relu(codes @ c.T + c0) @ d.T + d0


weights, x = layer_weights(10, 8, 4, seed=2), np.random.default_rng(2).normal(size=(20, 10))
found, (codes, outputs) = through_autoencoder(10, 8, 4, weights, x), written_out(weights, x)
assert "codes" in found, "the layers have the wrong shapes, so nothing could be computed: see the check above"
mine, linear = np.asarray(found["codes"]), (x @ weights[0].T + weights[1]) @ weights[2].T + weights[3]
assert mine.shape == codes.shape, f"the codes should have the shape {codes.shape}, got {mine.shape}"
assert mine.min() < 0, "your codes are never negative: no activation belongs on the code"
assert not np.allclose(mine, linear), "without a ReLU between its layers your encoder is linear: two matrices in a row are one matrix"
assert np.allclose(mine, codes), "the codes are off: linear, ReLU, linear, nothing more"
assert np.allclose(found["outputs"], outputs), "the outputs are off: linear, ReLU, linear; no activation on the output, whose values may lie outside 0 to 1"
### BEGIN HIDDEN TESTS
for seed, (n, hidden, k) in ((41, (6, 5, 2)), (42, (15, 30, 7))):
    weights, x = layer_weights(n, hidden, k, seed), 3 * np.random.default_rng(seed).normal(size=(9, n))
    found, (codes, outputs) = through_autoencoder(n, hidden, k, weights, x), written_out(weights, x)
    assert "codes" in found and np.shape(found["codes"]) == codes.shape, "the layers have the wrong shapes"
    assert np.allclose(found["codes"], codes) and np.allclose(found["outputs"], outputs), "other weights, other images: codes or outputs are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "bottleneck-refused", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A code that isn't narrower than the image is refused. (Good input first.)
weights = layer_weights(6, 4, 5, seed=3)
shapes = [tuple(shape) for shape in through_autoencoder(6, 4, 5, weights, np.ones((2, 6)))["shapes"]]
assert shapes == [np.shape(value) for value in weights], "k = 5 of n = 6 is a bottleneck, if a wide one: it should work"
try:
    through_autoencoder(6, 4, 6, weights, np.ones((2, 6)))
except ValueError:
    pass
else:
    raise AssertionError("k = n is no bottleneck: raise a ValueError, else somebody trains an identity and reports its loss")
### BEGIN HIDDEN TESTS
for k in (0, 7, 60):
    try:
        through_autoencoder(6, 4, k, weights, np.ones((2, 6)))
    except ValueError:
        pass
    else:
        raise AssertionError(f"k = {k} for images of 6 pixels should raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2.4b - the best linear autoencoder, without training
#
# Difficulty 3 of 5 - 3 points - about 12 minutes - *after it you can compute the baseline that every autoencoder must beat*
#
# Write `pca_subspace(images, k)`. It returns the mean image and an orthonormal basis of the subspace that the best linear autoencoder with a code of k numbers spans.
#
# <details><summary>Hint 1: the idea</summary>Take the mean image away, then the singular value decomposition of what is left: the right singular vectors with the largest singular values.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.linalg.svd(centred, full_matrices=False)</code> gives u, s, vt, with s from large to small; the rows of vt are orthonormal. <code>numpy.linalg.eigh</code> sorts from small to <i>large</i>.</details>
# <details><summary>My first component looks like the mean film</summary>You didn't take the mean away. Then the first direction is spent on it.</details>
# <details><summary>My reconstruction is worse than that of fewer components</summary>Did you take the first rows or columns? After <code>eigh</code> the first are the <i>smallest</i>.</details>


# %% nbgrader={"grade": false, "grade_id": "pca-subspace", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pca_subspace(images: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and basis of the subspace that the best linear autoencoder spans.

    Args:
        images: (N, D) one image a row. Not changed in place.
        k: size of the code.

    Returns:
        mean (D,), and basis (k, D) with orthonormal rows, so that mean + (x - mean) @ basis.T @ basis has the least squared error, summed over the images, of all
        linear autoencoders with k numbers. Signs are free; rows are ordered by variance, largest first.

    Raises:
        ValueError: k is less than 1 or more than min(N - 1, D), the largest rank that N centred images can have.
    """
    ### BEGIN SOLUTION
    if not 1 <= k <= min(len(images) - 1, images.shape[1]):
        raise ValueError(f"{len(images)} images of {images.shape[1]} pixels have no {k} components")
    mean = images.mean(axis=0)
    return mean, np.linalg.svd(images - mean, full_matrices=False)[2][:k]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "pca-subspace-basis", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Mean and basis: shapes, orthonormal rows, and the mean image taken away first
rng = np.random.default_rng(5)
images = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 8)) + 0.01 * rng.normal(size=(40, 8)) + 50
answer = pca_subspace(images.copy(), 2)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: the mean image and the basis"
mean, basis = (np.asarray(part) for part in answer)
assert basis.shape == (2, 8), f"two directions of eight pixels: the basis should have the shape (2, 8), got {basis.shape}. One direction a ROW"
assert mean.shape == (8,) and np.allclose(mean, images.mean(0)), "the mean is the mean IMAGE, one value a pixel (over the rows), shape (8,)"
assert np.allclose(basis @ basis.T, np.eye(2)), "the rows of the basis should be orthonormal: length 1, at right angles"
uncentred = np.linalg.svd(images, full_matrices=False)[2][0]
assert abs(basis[0] @ uncentred) < 0.99, "your first direction is the mean image: take the mean away before the decomposition"
### BEGIN HIDDEN TESTS
images = rng.normal(size=(25, 10)) * np.linspace(3, 1, 10)
kept = images.copy()
mean, basis = (np.asarray(part) for part in pca_subspace(images, 4))  # in place: did it change what it was given?
assert np.array_equal(images, kept), "you changed the caller's images in place"
shifted_mean, shifted = (np.asarray(part) for part in pca_subspace(images + np.arange(10) * 7.0, 4))
assert basis.shape == shifted.shape == (4, 10) and np.allclose(basis @ basis.T, np.eye(4)), "the basis should be (4, 10) with orthonormal rows"
assert np.allclose(shifted_mean - mean, np.arange(10) * 7.0), "the same image added to all images should be added to the mean"
assert np.allclose(basis.T @ basis, shifted.T @ shifted), "the same image added to all images must not turn the subspace: take the mean away first"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pca-subspace-best", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The best subspace: what it leaves out is the sum of the smallest variances, largest direction first
def left_out(images, mean, basis):
    """Summed squared error of the reconstruction."""
    centred = images - mean
    return ((centred - centred @ basis.T @ basis) ** 2).sum()


rng = np.random.default_rng(6)
images = rng.normal(size=(60, 7)) * np.array([1.0, 6.0, 2.0, 9.0, 1.0, 4.0, 0.5])
mean, basis = (np.asarray(part) for part in pca_subspace(images, 3))
assert basis.shape == (3, 7) and mean.shape == (7,), f"expected shapes (7,) and (3, 7), got {mean.shape} and {basis.shape}"
values = np.sort(np.linalg.eigvalsh(np.cov(images.T) * 59))
error = left_out(images, mean, basis)
assert not np.isclose(error, values[3:].sum()), "you kept the directions with the SMALLEST variance: eigh sorts from small to large"
assert np.isclose(error, values[:4].sum()), f"the best three directions leave a squared error of {values[:4].sum():.1f}, yours {error:.1f}"
along = ((images - mean) @ basis.T).var(axis=0)
assert (np.diff(along) <= 1e-9).all(), "order the rows by variance, the largest first"
### BEGIN HIDDEN TESTS
for seed, (n, d, k) in ((51, (9, 20, 8)), (52, (30, 5, 5)), (53, (50, 12, 1))):
    images = np.random.default_rng(seed).normal(size=(n, d)) * np.random.default_rng(seed + 9).uniform(0.3, 4, d)
    mean, basis = (np.asarray(part) for part in pca_subspace(images, k))
    values = np.sort(np.linalg.eigvalsh(np.cov(images.T) * (n - 1)))[::-1]
    assert basis.shape == (k, d) and np.allclose(basis @ basis.T, np.eye(k)), f"the basis should have the shape {(k, d)} and orthonormal rows"
    assert np.isclose(left_out(images, mean, basis), values[k:].sum(), atol=1e-6), f"{n} images of {d} pixels, k = {k}: another subspace leaves less"
    assert np.allclose(((images - mean) @ basis.T).var(axis=0) * n, values[:k]), "the rows should be the principal directions, in the order of their variance"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pca-subspace-limits", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What can't be had: no direction, or more directions than centred images have. (Good input first.)
images = np.random.default_rng(7).normal(size=(5, 9))
assert np.shape(pca_subspace(images, 4)[1]) == (4, 9), "5 images have 4 directions about their mean, so k = 4 should work"
try:
    pca_subspace(images, 5)
except ValueError:
    pass
else:
    raise AssertionError("5 images have only 4 directions about their mean: k = 5 should raise a ValueError, not return a direction of pure rounding")
### BEGIN HIDDEN TESTS
for n, d, k in ((5, 9, 0), (30, 4, 5), (1, 6, 1), (8, 3, -1)):
    try:
        pca_subspace(np.random.default_rng(8).normal(size=(n, d)), k)
    except ValueError:
        pass
    else:
        raise AssertionError(f"{n} images of {d} pixels, k = {k}: raise a ValueError")
assert np.shape(pca_subspace(np.random.default_rng(9).normal(size=(30, 4)), 4)[1]) == (4, 4), "k = D should work if there are enough images"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2.4c - do two networks span the same subspace?
#
# Difficulty 3 of 5 - 3 points - about 12 minutes - *after it you can compare what two autoencoders have learned, without comparing columns*
#
# Write `largest_angle(A, B)`, the largest principal angle between the spans of the columns of two matrices, in degrees.
#
# <details><summary>Hint 1: the idea</summary>An orthonormal basis of each span first. Then the smallest singular value of the product of the two is the cosine of the largest angle.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.linalg.qr(A)[0]</code>; <code>numpy.linalg.svd(..., compute_uv=False)</code>; clip to 0..1 before <code>numpy.arccos</code>; <code>numpy.degrees</code>.</details>
# <details><summary>I get nan</summary>Rounding made a cosine of 1.0000000002. Clip it.</details>
# <details><summary>Twice the matrix gives another angle</summary>Columns that aren't orthonormal: length and skewness came into the product. QR comes first.</details>


# %% nbgrader={"grade": false, "grade_id": "principal-angles", "locked": false, "schema_version": 3, "solution": true, "task": false}
def largest_angle(A: np.ndarray, B: np.ndarray) -> float:
    """Largest principal angle between two subspaces.

    Args:
        A, B: (D, k) each, k columns that span a subspace, linearly independent but neither orthogonal nor of length 1; k at most D.

    Returns:
        The angle in degrees, 0 (the same subspace) to 90. An error of 0.0001 degrees from rounding is no matter.

    Raises:
        ValueError: A and B have not the same shape, or the columns of one of them are linearly dependent, so that they span less than they seem to.
    """
    ### BEGIN SOLUTION
    if A.shape != B.shape:
        raise ValueError(f"compare subspaces of one dimension in one space: the shapes are {A.shape} and {B.shape}")
    for name, matrix in (("A", A), ("B", B)):
        if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
            raise ValueError(f"the columns of {name} are linearly dependent: the code has a dead or doubled unit")
    cosines = np.linalg.svd(np.linalg.qr(A)[0].T @ np.linalg.qr(B)[0], compute_uv=False)
    return float(np.degrees(np.arccos(np.clip(cosines.min(), 0, 1))))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "principal-angles-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Angles known by construction: two planes in space that share one direction, tilted by 30 degrees
t = np.radians(30)
A, B = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [0.0, np.cos(t)], [0.0, np.sin(t)]])
angle = float(largest_angle(A, B))
assert not np.isclose(angle, t, atol=1e-3), "0.52 is the angle in radians: give degrees"
assert not np.isclose(angle, 0, atol=1e-3), "0 is the SMALLEST principal angle (the shared direction): the largest comes from the smallest singular value"
assert np.isclose(angle, 30, atol=1e-3), f"two planes tilted by 30 degrees: the largest angle should be 30, got {angle:.3f}"
assert np.isclose(float(largest_angle(np.eye(4)[:, :2], np.eye(4)[:, 2:])), 90, atol=1e-3), "two planes with no common direction, at right angles: 90 degrees"
### BEGIN HIDDEN TESTS
from scipy.linalg import subspace_angles

rng = np.random.default_rng(8)
for d, k in ((5, 2), (9, 4), (20, 1), (3, 3)):
    A, B = np.linalg.qr(rng.normal(size=(d, k)))[0], np.linalg.qr(rng.normal(size=(d, k)))[0]
    assert np.isclose(float(largest_angle(A, B)), np.degrees(subspace_angles(A, B)).max(), atol=1e-3), f"random orthonormal columns, shape {(d, k)}: the angle is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "principal-angles-invariant", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The span, not the columns: any invertible mixture of the columns is the same subspace
rng = np.random.default_rng(9)
A, B, mixture = rng.normal(size=(6, 3)), rng.normal(size=(6, 3)), np.array([[2.0, 1.0, 0.0], [0.0, -3.0, 1.0], [1.0, 0.0, 0.5]])
same = float(largest_angle(A, A @ mixture))
assert not np.isnan(same), "nan: rounding made a cosine larger than 1; clip before arccos"
assert same < 1e-3, f"the same span, other columns: the angle should be 0, got {same:.3f}. Make the columns orthonormal first (QR)"
apart = float(largest_angle(A, B))
assert 1 < apart <= 90, f"two random subspaces are not the same: an angle between 0 and 90 is due, got {apart:.3f}"
assert np.isclose(float(largest_angle(A @ mixture, B)), apart, atol=1e-3), "mixing the columns of A changes the angle to B: make the columns orthonormal first"
### BEGIN HIDDEN TESTS
from scipy.linalg import subspace_angles

for d, k in ((7, 2), (12, 5)):
    A, B = rng.normal(size=(d, k)) * 5, rng.normal(size=(d, k)) + 2
    truth = np.degrees(subspace_angles(A, B)).max()
    assert np.isclose(float(largest_angle(A, B)), truth, atol=1e-3) and np.isclose(float(largest_angle(B, A)), truth, atol=1e-3), "random columns: the angle is off, or not the same both ways"
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    assert np.isclose(float(largest_angle(turn @ A, turn @ B)), truth, atol=1e-3), "turning the whole space must not change the angle"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "principal-angles-refused", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Subspaces that can't be compared: other shapes, or a code with a doubled unit. (Good input first.)
A = np.random.default_rng(10).normal(size=(6, 2))
assert float(largest_angle(A, A)) < 1e-3, "a subspace with itself: 0 degrees"
try:
    largest_angle(A, np.ones((6, 3)) + np.eye(6)[:, :3])
except ValueError:
    pass
else:
    raise AssertionError("subspaces of dimension 2 and 3: raise a ValueError")
### BEGIN HIDDEN TESTS
for broken in (A[:, [0, 0]], np.c_[A[:, 0], np.zeros(6)], np.c_[A[:, 0], -3 * A[:, 0]]):
    for pair in ((A, broken), (broken, A)):
        try:
            largest_angle(*pair)
        except ValueError:
            pass
        else:
            raise AssertionError("linearly dependent columns (a dead or doubled unit) span less than two directions: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Denoising
#
# Low dose means noise. A **denoising autoencoder** (Vincent et al., ICML 2008) gets the noisy image and must return the clean one:
#
# $$L = \frac{1}{N} \sum_i \lVert x_i - d(e(x_i + \varepsilon_i)) \rVert^2, \qquad \varepsilon_i \text{ fresh noise in every epoch}$$
#
# Everything hangs on the **target**. If it is the noisy image itself, the best answer is to keep the noise. Then the network is an expensive identity, as good as its bottleneck is wide.
#
# A network must beat cheap competition. Each filter below gets its strength from *validation* films, as the network gets its checkpoint: a Gaussian filter, a median filter, total variation (Rudin, Osher and Fatemi, 1992), and PCA with
# $k$ components, which is the best *linear* autoencoder. The measure is the peak signal-to-noise ratio, $\mathrm{PSNR} = 10 \log_{10}(1 / \mathrm{MSE})$ in dB for images from 0 to 1, averaged over the films.
#
# **Predict before you run.** Noise of standard deviation 0.15. Rank the six: noisy image, Gaussian, median, total variation, PCA, denoising autoencoder. And where does the same network end that was trained with the noisy image
# as its target?

# %% tags=["demo"]
from scipy.ndimage import gaussian_filter, median_filter
from skimage.restoration import denoise_tv_chambolle

noise_level = 0.15
noise_rng = np.random.default_rng(run.seed)
clean_films = {part: film_images[part][:, 0].numpy() for part in ("val", "test")}
noisy_films = {part: images + noise_level * noise_rng.normal(size=images.shape).astype(np.float32) for part, images in clean_films.items()}


def psnr_each(images: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """(N,) peak signal-to-noise ratio in dB of images with values in 0..1."""
    return 10 * np.log10(1 / ((np.clip(images, 0, 1) - clean) ** 2).mean((1, 2)))


def pca_filter(images: np.ndarray, numbers: int) -> np.ndarray:
    """Images as the first principal components of the training films tell them."""
    basis, mean = film_components[:, :numbers].numpy(), mean_film.numpy()
    return (mean + (images.reshape(len(images), -1) - mean) @ basis @ basis.T).reshape(images.shape)


filters = {
    "Gaussian": (lambda images, s: gaussian_filter(images, (0, s, s)), (0.6, 0.8, 1.0, 1.3, 1.6, 2.0)),
    "median": (lambda images, s: median_filter(images, (1, s, s)), (3, 5, 7, 9)),
    "total variation": (lambda images, s: np.stack([denoise_tv_chambolle(image, s) for image in images]), (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)),
    "PCA": (pca_filter, (10, 20, 30, 40, 60, 80)),
}
chosen_strength, cleaned, psnr = {}, {"noisy": noisy_films["test"]}, {"noisy": psnr_each(noisy_films["test"], clean_films["test"])}
for name, (method, strengths) in filters.items():
    on_val = [psnr_each(method(noisy_films["val"], strength), clean_films["val"]).mean() for strength in strengths]
    strength = chosen_strength[name] = strengths[int(np.argmax(on_val))]
    cleaned[name] = method(noisy_films["test"], strength)
    psnr[name] = psnr_each(cleaned[name], clean_films["test"])
    print(f"{name:15s} strength {strength:<5g} chosen on validation; test PSNR {psnr[name].mean():.2f} dB")

# %% tags=["demo"]
class DenoisingAutoencoder(nn.Module):
    """Images (B, 1, 28, 28) -> images; the code is (B, 8, 7, 7), half as many numbers as pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 48, 3, 2, 1), nn.ReLU(), nn.Conv2d(48, 8, 1))
        self.decoder = nn.Sequential(nn.Conv2d(8, 48, 3, 1, 1), nn.ReLU(), nn.ConvTranspose2d(48, 24, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(24, 1, 4, 2, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(x - 0.5)) + 0.5


def cleaned_by(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Images (N, 28, 28) after a journey through the model."""
    with torch.no_grad():
        return model(torch.tensor(images)[:, None].to(device)).cpu()[:, 0].numpy()


def train_denoiser(target: str, seed: int) -> nn.Module:
    """`target` is "clean" or "noisy"; the epoch with the best validation PSNR is kept."""
    torch.manual_seed(seed)
    model, noise = DenoisingAutoencoder(), torch.Generator().manual_seed(seed)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(film_images["train"]), 32, shuffle=True, generator=torch.Generator().manual_seed(seed))

    def loss(net: nn.Module, batch: list) -> torch.Tensor:
        clean = batch[0]
        noisy = clean + noise_level * torch.randn(clean.shape, generator=noise).to(clean.device)  # fresh in every epoch
        return nn.functional.mse_loss(net(noisy), clean if target == "clean" else noisy)

    train.fit(model, loader, loss, lambda net: psnr_each(cleaned_by(net, noisy_films["val"]), clean_films["val"]).mean(), epochs=run.pick(ci=20, laptop=25), lr=8e-3, device=device, label=target)
    return model


# %% tags=["demo"]
for name, target in (("autoencoder", "clean"), ("target: noisy image", "noisy")):
    denoiser = train_denoiser(target, run.seed)
    cleaned[name] = cleaned_by(denoiser, noisy_films["test"])
    psnr[name] = psnr_each(cleaned[name], clean_films["test"])
    if target == "clean":
        good_denoiser = denoiser
for name, values in psnr.items():
    print(f"{name:20s} test PSNR {values.mean():.2f} dB")
noisy_psnr, gaussian_psnr, pca_psnr, autoencoder_psnr = (float(psnr[name].mean()) for name in ("noisy", "Gaussian", "PCA", "autoencoder"))
drawn = np.random.default_rng(run.seed).integers(0, len(psnr["PCA"]), (500, len(psnr["PCA"])))  # films with replacement: which films share a child isn't published
autoencoder_psnr_interval = np.quantile(psnr["autoencoder"][drawn].mean(1), [0.025, 0.975])
gain_interval = np.quantile((psnr["autoencoder"] - psnr["PCA"])[drawn].mean(1), [0.025, 0.975])
print(f"the autoencoder's gain over PCA: {autoencoder_psnr - pca_psnr:.2f} dB (95 % interval over films {gain_interval[0]:.2f} to {gain_interval[1]:.2f})")
assert psnr["autoencoder"].mean() > psnr["Gaussian"].mean() + 0.5, "the autoencoder should beat a Gaussian filter"
assert psnr["target: noisy image"].mean() < psnr["autoencoder"].mean() - 1, "a noisy target should cost more than 1 dB"

# %% tags=["demo"]
chosen_film = int(np.argsort(psnr["noisy"] - psnr["autoencoder"])[len(psnr["noisy"]) // 2])  # an ordinary film: its gain is the median
names_here = ["clean", "noisy", "Gaussian", "PCA", "autoencoder", "target: noisy image"]
rows = [clean_films["test"][chosen_film], *(cleaned[name][chosen_film] for name in names_here[1:])]
show.row(rows, titles=["clean", *(f"{name}\n{psnr[name][chosen_film]:.1f} dB" for name in names_here[1:])], window=(0, 1), height=2.2,
         alt="One chest film: clean, with noise, and cleaned by a Gaussian filter, PCA, the autoencoder, and the autoencoder trained with noisy targets, which is still noisy")

# %% [markdown]
# Look at the last picture: noise, somewhat less of it. What the network with the noisy target gains over its input is the work of its bottleneck alone. And mind the order of the others. The fair opponent of an autoencoder is PCA, not the noisy image: a paper that compares with the
# noisy image only has not shown that anything nonlinear was needed.

# %% [markdown]
# ### Exercise 2.4d - the loss of a denoising autoencoder
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can train a denoiser that removes noise instead of keeping it*
#
# Write `denoising_loss(model, clean, noise, mask)`. The mask says which pixels show the patient. Air around the patient is two thirds of many scans; counted, it would make every method look good. The checks call your function through `denoise_once` in the next cell.
#
# <details><summary>Hint 1: the idea</summary>Noise goes in. What must come out?</details>
# <details><summary>Hint 2: what to call</summary>A boolean mask indexes a tensor: <code>(restored - clean)[mask]</code> are the pixels that count; <code>.pow(2).mean()</code>.</details>
# <details><summary>The loss of a model that copies its input is 0</summary>Then your target is the noisy image, or no noise was added.</details>
# <details><summary>The loss is far too small</summary>Did you set masked pixels to 0 and average over all? The mean is over the pixels in the mask.</details>

# %% tags=["given"]
def denoise_once(gain: float, offset: float, clean, noise, mask) -> dict:
    """Your denoising_loss for a model that returns gain * x + offset: the loss, its gradients by gain and offset (None if not connected), and the images that the model was given."""
    seen, parameters = [], torch.tensor([gain, offset], dtype=torch.float64, requires_grad=True)

    class Line(torch.nn.Module):
        def forward(self, x):
            seen.append(x.detach().numpy().copy())
            return parameters[0] * x + parameters[1]

    tensors = [torch.tensor(np.asarray(part), dtype=torch.float64) for part in (clean, noise)]
    loss = denoising_loss(Line(), *tensors, torch.tensor(np.asarray(mask), dtype=torch.bool))
    if not loss.requires_grad:
        return {"loss": float(loss), "gradient": None, "seen": seen}
    loss.backward()
    return {"loss": float(loss.detach()), "gradient": parameters.grad.numpy(), "seen": seen}


# %% nbgrader={"grade": false, "grade_id": "denoise-loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def denoising_loss(model: torch.nn.Module, clean: torch.Tensor, noise: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean squared error of a denoiser, over the pixels that show the patient.

    Args:
        model: (B, 1, H, W) -> (B, 1, H, W); call it once, on the noisy images.
        clean: (B, 1, H, W) images without noise.
        noise: (B, 1, H, W) what is to be added to them.
        mask: (B, 1, H, W) boolean, True where the pixel shows the patient. All such pixels of the batch count the same.

    Returns:
        A scalar, connected to the model: the mean over the masked pixels of (restored - clean)^2.

    Raises:
        ValueError: no pixel is in the mask, so that there is nothing to average.
    """
    ### BEGIN SOLUTION
    if not mask.any():
        raise ValueError("the mask is empty: no pixel shows the patient")
    restored = model(clean + noise)
    return (restored - clean)[mask].pow(2).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "denoise-loss-target", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The target: for a model that copies its input, what remains is the noise
rng = np.random.default_rng(3)
clean, noise, whole = rng.uniform(0, 1, (2, 1, 5, 5)), 0.3 * rng.normal(size=(2, 1, 5, 5)), np.ones((2, 1, 5, 5), bool)
found = denoise_once(1.0, 0.0, clean, noise, whole)
assert len(found["seen"]) == 1, f"call the model exactly once; you called it {len(found['seen'])} times"
assert np.shape(found["seen"][0]) == clean.shape and np.allclose(found["seen"][0], clean + noise), "the model should see the noisy images, clean + noise"
assert not np.isclose(found["loss"], 0), "a model that copies its noisy input gets the loss 0: your target is the noisy image. The target is the CLEAN one"
assert np.isclose(found["loss"], (noise**2).mean()), f"a copying model leaves all the noise: the loss should be its mean square, {(noise**2).mean():.4f}, got {found['loss']:.4f}. Mean, not sum; squared"
### BEGIN HIDDEN TESTS
for seed in (61, 62, 63):
    rng = np.random.default_rng(seed)
    clean, noise, (gain, offset) = rng.uniform(0, 1, (3, 1, 4, 6)), rng.normal(size=(3, 1, 4, 6)), rng.normal(size=2)
    found = denoise_once(gain, offset, clean, noise, np.ones(clean.shape, bool))
    assert np.isclose(found["loss"], ((gain * (clean + noise) + offset - clean) ** 2).mean()), "another model: the loss is the mean of (restored - clean)^2"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "denoise-loss-mask", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The mask: only pixels of the patient count, and they are what the mean is over. An empty mask is an error
clean, noise, mask = np.zeros((2, 1, 4, 4)), np.full((2, 1, 4, 4), 0.5), np.zeros((2, 1, 4, 4), bool)
mask[0, 0, :2, :2], noise[0, 0, :2, :2], mask[1, 0, 0, 0], noise[1, 0, 0, 0] = True, 2.0, True, 3.0
value = denoise_once(1.0, 0.0, clean, noise, mask)["loss"]
assert not np.isclose(value, (4 * 4 + 9) / 32), "you set pixels outside the mask to 0 and divide by all pixels: divide by the pixels in the mask"
assert not np.isclose(value, (noise**2).mean()), "the mask has no effect: air counts as much as the patient"
assert not np.isclose(value, (4 + 9) / 2), "that is the mean over images of each image's mean; all masked pixels of the batch count the same"
assert np.isclose(value, 5), f"five pixels count, with squared errors 4, 4, 4, 4, 9: the mean is 5, got {value:.3f}"
try:
    answer = denoise_once(1.0, 0.0, clean, noise, np.zeros(mask.shape, bool))["loss"]
except ValueError:
    pass
else:
    raise AssertionError(f"an empty mask leaves nothing to average: raise a ValueError, don't return {answer}")
### BEGIN HIDDEN TESTS
for seed in (64, 65):
    rng = np.random.default_rng(seed)
    clean, noise, mask = rng.uniform(0, 1, (4, 1, 6, 3)), rng.normal(size=(4, 1, 6, 3)), rng.random((4, 1, 6, 3)) < 0.3
    found = denoise_once(0.7, 0.1, clean, noise, mask)
    assert np.isclose(found["loss"], ((0.7 * (clean + noise) + 0.1 - clean)[mask] ** 2).mean()), "a random mask: the loss is the mean over its pixels"
    assert np.allclose(found["seen"][0], clean + noise), "the model should see the whole noisy image, not a masked one"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "denoise-loss-gradient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The gradient: it must reach the model, or nothing is learned
rng = np.random.default_rng(4)
clean, noise, mask = rng.uniform(0, 1, (2, 1, 6, 6)), 0.2 * rng.normal(size=(2, 1, 6, 6)), rng.random((2, 1, 6, 6)) < 0.6


def true_gradient(gain, offset):
    """d loss / d gain and d loss / d offset."""
    error = 2 * (gain * (clean + noise) + offset - clean)[mask]
    return np.array([(error * (clean + noise)[mask]).mean(), error.mean()])


gradient = denoise_once(0.8, 0.05, clean, noise, mask)["gradient"]
assert gradient is not None, "the loss isn't connected to the model: a detach, item() or no_grad cuts the graph, and nothing is learned"
assert np.shape(gradient) == (2,) and np.allclose(gradient, true_gradient(0.8, 0.05)), "the gradient of the loss by the model's parameters is off"
### BEGIN HIDDEN TESTS
for gain, offset in ((0.2, 0.4), (1.5, -0.3), (-1.0, 1.0)):
    gradient = denoise_once(gain, offset, clean, noise, mask)["gradient"]
    assert gradient is not None and np.allclose(gradient, true_gradient(gain, offset)), "the gradient of the loss by the model's parameters is off for another model"
### END HIDDEN TESTS

# %% [markdown]
# ### What a denoiser takes away
#
# A denoiser puts in what is *usual* and takes out what is not. So it may take out the finding. We plant a bright spot, the size of a small nodule, in the lung of each test film, add noise, and ask how much of the spot's contrast is
# still there afterwards.
#
# **Predict before you run.** Which method keeps most of the spot: the one with the best PSNR?

# %% tags=["demo"]
spot_rng = np.random.default_rng(run.seed + 1)
n_films = len(clean_films["test"])
spot_row, spot_column = spot_rng.integers(10, 17, n_films), np.where(spot_rng.random(n_films) < 0.5, 8, 19)
yy, xx = np.mgrid[:28, :28]
spot = 0.3 * np.exp(-((yy - spot_row[:, None, None]) ** 2 + (xx - spot_column[:, None, None]) ** 2) / (2 * 0.9**2)).astype(np.float32)
with_spot, centre = noisy_films["test"] + spot, (np.arange(n_films), spot_row, spot_column)
methods = {name: (lambda images, f=filters[name][0], s=chosen_strength[name]: f(images, s)) for name in filters}
methods["autoencoder"] = lambda images: cleaned_by(good_denoiser, images)
kept_contrast = {name: float(np.mean((method(with_spot) - method(noisy_films["test"]))[centre]) / 0.3) for name, method in methods.items()}
fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
for name, share in kept_contrast.items():
    ax.plot(psnr[name].mean(), 100 * share, "o", color=show.PALETTE[0])
    ax.annotate(name, (psnr[name].mean(), 100 * share), xytext=(6, -14 if name in ("total variation", "PCA") else 5), textcoords="offset points", fontsize=9)
    print(f"{name:16s} keeps {share:.0%} of the spot's height, PSNR {psnr[name].mean():.2f} dB")
ax.set(xlabel="test PSNR, dB", ylabel="% of the spot's height kept", ylim=(0, 105))
ax.margins(x=0.25)
show.figure(fig, alt="Share of a planted spot's height that each method keeps, against its PSNR: the methods with the higher PSNR do not keep the most")

# %% [markdown]
# PSNR is an average over pixels, and a nodule has few pixels. So never judge a denoiser by PSNR alone: plant what a reader looks for, and measure whether it is still there.

# %% [markdown]
# **Checkpoint.** You have no clean images, only *two* noisy scans of each patient at the same position. A colleague trains a denoiser with scan A as input and scan B as target. Is that the mistake of the noisy target?
#
# <details><summary>Answer</summary>No. The noise of B is independent of the noise of A and has mean zero, so it can't be predicted from A; the best guess in squared error is still the clean image (Noise2Noise, Lehtinen et al., ICML 2018). The
# mistake is a target with the <em>same</em> noise as the input: that can be predicted, by copying. It takes two things, though: the patient must not move between the scans, and the noise must have mean zero (the magnitude of an MR image in the dark has not).</details>

# %% [markdown]
# ## 2.5 Optimization
#
# A network that "does not learn" is seldom a bad network. More often a learning rate is ten times too high, a gradient is not cleared, or a layer is in the wrong mode. In a clinic such faults look like *"the AI works in the lab and not here"*. This
# section takes the machine apart, down to the derivative.
#
# ### Backpropagation: the chain rule, from the loss to the input
#
# A network of two layers, for one number a patient (a risk, log odds $s$), over a batch of $N$ patients in the rows of $X$:
#
# $$A = X W_1^\top + b_1, \qquad H = \tanh A, \qquad s = H w_2 + b_2, \qquad L = \frac1N \sum_i \big[\log(1 + e^{s_i}) - y_i s_i\big]$$
#
# Backpropagation (Rumelhart, Hinton and Williams, Nature 1986) walks this chain backwards. Each step multiplies what comes from above with a local derivative:
#
# $$\delta_i = \frac{\partial L}{\partial s_i} = \frac{\sigma(s_i) - y_i}{N}, \qquad
# \frac{\partial L}{\partial w_2} = H^\top \delta, \qquad
# \Delta = \frac{\partial L}{\partial A} = (\delta\, w_2^\top) \odot (1 - H^2), \qquad
# \frac{\partial L}{\partial W_1} = \Delta^\top X$$
#
# and the biases get the sums of $\delta$ and of the rows of $\Delta$. You write these lines below. But how does one *know* that a gradient is right? By **finite differences**: $\dfrac{\partial L}{\partial \theta} \approx \dfrac{L(\theta + h) - L(\theta - h)}{2h}$.
#
# **Predict before you run.** The error of that formula shrinks with $h^2$. So is $h = 10^{-12}$ the best choice?

# %% tags=["demo"]
probe_rng = np.random.default_rng(run.seed)
probe_x, probe_y = probe_rng.normal(size=(40, 6)), probe_rng.integers(0, 2, 40)
probe_w1, probe_w2 = probe_rng.normal(size=(5, 6)), probe_rng.normal(size=5)


def probe_loss(change: float, precision: str) -> float:
    """The loss of a two-layer network after one of its weights was changed."""
    w1 = probe_w1.astype(precision)
    w1[2, 3] += change
    s = np.tanh(probe_x.astype(precision) @ w1.T) @ probe_w2.astype(precision)
    return np.mean(np.logaddexp(0, s) - probe_y * s)


w1_tensor = torch.tensor(probe_w1, requires_grad=True)
s_tensor = torch.tanh(torch.tensor(probe_x) @ w1_tensor.T) @ torch.tensor(probe_w2)
nn.functional.binary_cross_entropy_with_logits(s_tensor, torch.tensor(probe_y).double()).backward()
exact = w1_tensor.grad[2, 3].item()
h_values = np.logspace(-13, 0, 53)
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for color, style, precision in zip(show.PALETTE, ("-", "--"), ("float64", "float32"), strict=False):
    found = np.array([(probe_loss(h, precision) - probe_loss(-h, precision)) / (2 * h) for h in h_values])
    error = np.abs(found - exact) / abs(exact)
    ax.loglog(h_values, np.maximum(error, 1e-12), style, color=color, label=precision)
    print(f"{precision}: the smallest relative error, {error.min():.0e}, is at h = {h_values[error.argmin()]:.0e}")
ax.set(xlabel="h", ylabel="relative error of the derivative")
ax.legend()
show.figure(fig, alt="Relative error of finite differences over h, for float64 and float32: both curves fall towards small h, then rise again from rounding; float32's much earlier")

# %% [markdown]
# Below the best $h$ the two losses differ only in digits that are rounding. So check gradients in float64, with $h$ near $10^{-5}$. In float32, the precision of most training, the check is nearly worthless.

# %% [markdown]
# ### Exercise 2.5a - backpropagation by hand
#
# Difficulty 4 of 5 - 4 points - about 25 minutes - *after it you can derive the gradient of any layer, and prove that it is right*
#
# Write `gradients(X, y, W1, b1, w2, b2)` for the network above, in numpy, without automatic differentiation. The checks compare with finite differences of their own loss and with autograd.
#
# <details><summary>Hint 1: the idea</summary>Forward first, and keep H and s. Then backwards: delta at the log odds, then through w2, then through the tanh. Every gradient has the shape of its parameter: let shapes guide you.</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.special.expit</code> is the logistic function; <code>numpy.logaddexp(0, s)</code> is log(1 + e^s) without overflow; <code>numpy.outer(delta, w2)</code> has the shape of H.</details>
# <details><summary>The gradients of w2 and b2 are right, those of W1 and b1 are not</summary>The step through the tanh: its derivative is 1 - H², with H = tanh(A), not 1 - A² and not 1 - tanh(H)².</details>
# <details><summary>All are too large by the same factor</summary>The loss is a mean: delta holds 1/N.</details>
# <details><summary>The loss is inf for a patient with log odds of 1000</summary>Don't take the logarithm of the sigmoid; use <code>numpy.logaddexp</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "backprop", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gradients(X: np.ndarray, y: np.ndarray, W1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: float) -> tuple:
    """Loss of a two-layer network and its gradients, by the chain rule.

    Args:
        X: (N, F) features; y: (N,) 1 for sick, 0 for healthy.
        W1: (H, F), b1: (H,) of the hidden layer, tanh(X @ W1.T + b1).
        w2: (H,), b2: number, of the log odds s.

    Returns:
        loss, dW1 (H, F), db1 (H,), dw2 (H,), db2 (a number): the mean logistic loss, finite also for log odds of 1000, and its derivatives. Arguments are not changed.
    """
    ### BEGIN SOLUTION
    from scipy.special import expit

    H = np.tanh(X @ W1.T + b1)
    s = H @ w2 + b2
    loss = np.mean(np.logaddexp(0, s) - y * s)
    delta = (expit(s) - y) / len(y)
    through = np.outer(delta, w2) * (1 - H**2)
    return loss, through.T @ X, through.sum(axis=0), H.T @ delta, delta.sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "backprop-output", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The last layer: the loss, and the gradients of w2 and b2, against finite differences
def network(seed, n, f, h):
    """Random patients and weights: X, y, W1, b1, w2, b2."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, f)), rng.integers(0, 2, n).astype(float), rng.normal(size=(h, f)), rng.normal(size=h), rng.normal(size=h), float(rng.normal())]


def numeric(case, position, eps=1e-5):
    """Central differences of the loss by argument number `position`."""
    def loss_of(changed):
        X, y, W1, b1, w2, b2 = [changed if k == position else part for k, part in enumerate(case)]
        s = np.tanh(X @ W1.T + b1) @ w2 + b2
        return np.mean(np.logaddexp(0, s) - y * s)

    values = np.array(case[position], dtype=float)
    slopes = np.zeros(values.shape)
    for place in np.ndindex(values.shape):
        up, down = values.copy(), values.copy()
        up[place] += eps
        down[place] -= eps
        slopes[place] = (loss_of(up) - loss_of(down)) / (2 * eps)
    return slopes, loss_of(values)


case = network(1, 12, 3, 4)
answer = gradients(*[np.copy(part) for part in case])
assert isinstance(answer, (tuple, list)) and len(answer) == 5, "return five things: loss, dW1, db1, dw2, db2"
assert np.shape(answer[3]) == (4,) and np.shape(answer[4]) == (), f"dw2 should have the shape (4,) of w2 and db2 be a number, got {np.shape(answer[3])} and {np.shape(answer[4])}"
(slope, loss), (slope_b2, _) = numeric(case, 4), numeric(case, 5)
assert np.isclose(answer[0], loss), f"the loss should be {loss:.5f}, got {float(answer[0]):.5f}: the MEAN over patients of log(1 + e^s) - y s"
assert not np.allclose(answer[3], 12 * slope), "dw2 is too large by the number of patients: the loss is a mean, so delta is (sigmoid(s) - y) / N"
assert not np.allclose(answer[3], -slope), "dw2 has the wrong sign: delta is sigmoid(s) - y, not y - sigmoid(s)"
assert np.allclose(answer[3], slope, atol=1e-7) and np.isclose(answer[4], slope_b2, atol=1e-7), "dw2 = H.T @ delta and db2 = sum of delta don't agree with finite differences"
### BEGIN HIDDEN TESTS
for seed, sizes in ((71, (7, 5, 2)), (72, (30, 2, 6)), (73, (1, 4, 3))):
    case = network(seed, *sizes)
    answer, (slope, loss), (slope_b2, _) = gradients(*[np.copy(part) for part in case]), numeric(case, 4), numeric(case, 5)
    assert np.isclose(answer[0], loss) and np.shape(answer[3]) == slope.shape and np.allclose(answer[3], slope, atol=1e-7) and np.isclose(answer[4], slope_b2, atol=1e-7), "another network: loss, dw2 or db2 is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "backprop-hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Through the tanh: the gradients of W1 and b1, against autograd
def by_autograd(case):
    """dW1 and db1 from torch."""
    X, y, W1, b1, w2, b2 = [torch.tensor(part, dtype=torch.float64) for part in case]
    W1.requires_grad_(), b1.requires_grad_()
    torch.nn.functional.binary_cross_entropy_with_logits(torch.tanh(X @ W1.T + b1) @ w2 + b2, y).backward()
    return W1.grad.numpy(), b1.grad.numpy()


rng = np.random.default_rng(2)
case = [rng.normal(size=(10, 3)), rng.integers(0, 2, 10).astype(float), rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=5), 0.3]
_, dW1, db1, _, _ = gradients(*[np.copy(part) for part in case])
assert np.shape(dW1) == (5, 3) and np.shape(db1) == (5,), f"dW1 and db1 should have the shapes of W1 and b1, (5, 3) and (5,), got {np.shape(dW1)} and {np.shape(db1)}"
(true_W1, true_b1), H = by_autograd(case), np.tanh(case[0] @ case[2].T + case[3])
delta = np.outer((1 / (1 + np.exp(-(H @ case[4] + case[5]))) - case[1]) / 10, case[4])
assert not np.allclose(dW1, delta.T @ case[0]), "the derivative of the tanh is missing: multiply by 1 - H**2"
assert not np.allclose(dW1, (delta * (1 - np.tanh(H) ** 2)).T @ case[0]), "the tanh was applied twice: H is already tanh(A), so its derivative is 1 - H**2"
assert np.allclose(dW1, true_W1, atol=1e-8), "dW1 differs from autograd: (outer(delta, w2) * (1 - H**2)).T @ X"
assert np.allclose(db1, true_b1, atol=1e-8), "db1 differs from autograd: the same as for dW1, summed over the patients"
### BEGIN HIDDEN TESTS
for seed, (n, f, h) in ((74, (6, 4, 3)), (75, (25, 2, 8)), (76, (1, 3, 1))):
    rng = np.random.default_rng(seed)
    case = [rng.normal(size=(n, f)), rng.integers(0, 2, n).astype(float), rng.normal(size=(h, f)), rng.normal(size=h), rng.normal(size=h), float(rng.normal())]
    kept = [np.copy(part) for part in case]
    _, dW1, db1, _, _ = gradients(*case)  # in place: did it change what it was given?
    assert all(np.array_equal(a, b) for a, b in zip(case, kept, strict=True)), "you changed the arguments in place"
    true_W1, true_b1 = by_autograd(kept)
    assert np.shape(dW1) == (h, f) and np.allclose(dW1, true_W1, atol=1e-8) and np.allclose(db1, true_b1, atol=1e-8), "another network: dW1 or db1 differs from autograd"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "backprop-extreme", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Log odds of 1000: a sure network that errs. The loss is large, not infinite, and the gradients are finite
X, W1, b1, w2 = np.array([[5.0], [5.0]]), np.array([[4.0]]), np.zeros(1), np.array([1000.0])
with np.errstate(all="ignore"):
    answer = gradients(X, np.array([0.0, 1.0]), W1, b1, w2, 0.0)
assert np.isfinite(float(answer[0])), "the loss overflows at log odds of 1000: use numpy.logaddexp(0, s) - y * s, not the logarithm of a sigmoid"
assert np.isclose(float(answer[0]), 500), f"one patient costs 1000, the other 0: the mean loss is 500, got {float(answer[0]):.1f}"
assert all(np.isfinite(part).all() for part in answer[1:]) and np.isclose(answer[4], 0.5), "the gradients should be finite, and db2 half of 1 - 0"
### BEGIN HIDDEN TESTS
with np.errstate(all="ignore"):
    answer = gradients(X, np.array([1.0, 1.0]), W1, b1, -w2, 0.0)
assert np.isclose(float(answer[0]), 1000) and np.isclose(answer[4], -1) and np.allclose(answer[3], -1), "log odds of -1000 for the sick: the loss is 1000, db2 is -1"
### END HIDDEN TESTS

# %% [markdown]
# ### From the gradient to a step: momentum and Adam
#
# With the gradient $g_t$ at step $t = 1, 2, \dots$ and the learning rate $\eta$:
#
# | | state | step |
# |---|---|---|
# | SGD | none | $\theta \leftarrow \theta - \eta\, g_t$ |
# | momentum (Polyak, 1964) | $v \leftarrow \mu v + g_t$ | $\theta \leftarrow \theta - \eta\, v$ |
# | Adam (Kingma and Ba, ICLR 2015) | $m \leftarrow \beta_1 m + (1 - \beta_1) g_t, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g_t^2$ | $\theta \leftarrow \theta - \eta\, \dfrac{\hat m}{\sqrt{\hat v} + \epsilon}$, with $\hat m = \dfrac{m}{1 - \beta_1^t}$, $\hat v = \dfrac{v}{1 - \beta_2^t}$ |
#
# Momentum averages out what changes sign and sums up what does not. Adam gives each parameter a step of about $\eta$, whatever the size of its gradient. Both begin with a state of zero. So Adam's averages begin too small,
# and the divisions by $1 - \beta^t$ mend that: the **bias correction**. Without it the first step is $(1 - \beta_1) / \sqrt{1 - \beta_2} \approx 3.2$ times as large as it should be.
#
# **Predict before you run.** A long narrow valley: $f(a, b) = \frac12 (a^2 + 40\, b^2)$. Which of the three goes straight along the valley? Which zigzags? Then move the slider: which one leaves the picture first as the rate grows?

# %% tags=["demo"]
def descent(kind: str, rate: float, steps: int, gradient, start: list) -> np.ndarray:
    """Path (steps + 1, P) of an optimizer, from its equations."""
    theta = np.array(start, dtype=float)
    m, v, path = np.zeros_like(theta), np.zeros_like(theta), [theta.copy()]
    for t in range(1, steps + 1):
        g = gradient(theta)
        if kind == "Adam":
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        else:
            m = (0.9 if kind == "momentum" else 0.0) * m + g
            step = m
        theta = theta - rate * step
        path.append(theta.copy())
    return np.array(path)


def valley(theta: np.ndarray) -> np.ndarray:
    return np.array([theta[0], 40 * theta[1]])


def three_paths(log10_rate: float) -> plt.Figure:
    """SGD, momentum and Adam in the valley, 60 steps with one learning rate."""
    fig, axes = plt.subplots(1, 3, figsize=(12, 2.9), sharey=True, layout="constrained")
    a, b = np.meshgrid(np.linspace(-5, 2, 90), np.linspace(-1.2, 1.2, 60))
    for ax, color, kind in zip(axes, show.PALETTE, ("SGD", "momentum", "Adam"), strict=False):
        path = descent(kind, 10**log10_rate, 60, valley, [-4.5, 0.9])
        ax.contour(a, b, 0.5 * (a**2 + 40 * b**2), levels=np.geomspace(0.1, 30, 9), colors="0.8", linewidths=0.7)
        ax.plot(*np.clip(path, -50, 50).T, ".-", color=color, markersize=5, linewidth=1.3)
        ax.plot(0, 0, "k+", markersize=10)
        loss = 0.5 * (path[-1, 0] ** 2 + 40 * path[-1, 1] ** 2)
        ax.set(xlim=(-5, 2), ylim=(-1.2, 1.2), xlabel="a", title=f"{kind}: loss {loss:.2g} after 60 steps")
    axes[0].set_ylabel("b")
    fig.suptitle(f"learning rate {10**log10_rate:.3g}", fontsize=10)
    return fig


show.explore(three_paths, log10_rate=(-2.5, -0.5, 0.1),
             alt="Paths of SGD, momentum and Adam in a narrow valley at one learning rate: SGD zigzags or creeps, momentum overshoots and comes back, Adam moves evenly in both directions")

# %% tags=["demo"]
def torch_path(kind: str, rate: float, steps: int) -> np.ndarray:
    """The same path by torch.optim."""
    theta = torch.tensor([-4.5, 0.9], dtype=torch.float64, requires_grad=True)
    stepper = torch.optim.Adam([theta], lr=rate) if kind == "Adam" else torch.optim.SGD([theta], lr=rate, momentum=0.9 * (kind == "momentum"))
    path = [theta.detach().numpy().copy()]
    for _ in range(steps):
        stepper.zero_grad()
        (0.5 * (theta[0] ** 2 + 40 * theta[1] ** 2)).backward()
        stepper.step()
        path.append(theta.detach().numpy().copy())
    return np.array(path)


optimizer_gap = {kind: float(np.abs(descent(kind, 0.02, 500, valley, [-4.5, 0.9]) - torch_path(kind, 0.02, 500)).max()) for kind in ("SGD", "momentum", "Adam")}
for kind, gap in optimizer_gap.items():
    print(f"{kind:9s} largest difference from torch.optim over 500 steps: {gap:.1e}")
adam_against_torch = optimizer_gap["Adam"]
assert max(optimizer_gap.values()) < 1e-10, "the equations should agree with torch to float precision"

# %% [markdown]
# ### Exercise 2.5b - one step with momentum
#
# Difficulty 2 of 5 - 2 points - about 8 minutes - *after it you can read an optimizer's source and see where the rate enters*
#
# Write `momentum_step(theta, gradient, velocity, lr, mu)` as `torch.optim.SGD` does it. In the checks the rate changes on the way, as with a schedule. Then it matters whether the rate stands inside the velocity or outside.
#
# <details><summary>Hint 1: the idea</summary>The velocity collects gradients; the rate multiplies the velocity when the step is made, not before.</details>
# <details><summary>Hint 2: what to call</summary>Two lines of arithmetic. Return new arrays; <code>velocity *= mu</code> would change the caller's.</details>
# <details><summary>Right with a constant rate, wrong with a schedule</summary>You collect lr * gradient. Then old gradients keep their old rate.</details>


# %% nbgrader={"grade": false, "grade_id": "momentum", "locked": false, "schema_version": 3, "solution": true, "task": false}
def momentum_step(theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, lr: float, mu: float) -> tuple[np.ndarray, np.ndarray]:
    """One step of gradient descent with momentum, as torch.optim.SGD makes it (no damping, no Nesterov).

    Args:
        theta, gradient, velocity: arrays of one shape; none is changed in place. The velocity before the first step is zero.
        lr: learning rate of this step; mu: momentum, 0 to 1.

    Returns:
        The new parameters and the new velocity, v = mu * v + g.
    """
    ### BEGIN SOLUTION
    velocity = mu * velocity + gradient
    return theta - lr * velocity, velocity
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "momentum-step", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Two steps by hand: gradient 1 twice, rate 0.1, momentum 0.9 -> velocity 1, then 1.9
answer = momentum_step(np.array([0.0]), np.array([1.0]), np.array([0.0]), 0.1, 0.9)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: the new parameters and the new velocity"
theta, velocity = (np.asarray(part, dtype=float) for part in answer)
assert theta.shape == velocity.shape == (1,), "the shapes should stay as they are"
assert not np.isclose(velocity[0], 0.1), "velocity 0.1 after the first gradient of 1: damped by 1 - mu (torch's default has no damping), or multiplied by the rate (which belongs outside the velocity)"
assert np.isclose(theta[0], -0.1) and np.isclose(velocity[0], 1), f"first step: theta -0.1 and velocity 1, got {theta[0]:.3f} and {velocity[0]:.3f}. Downhill is minus"
theta, velocity = (np.asarray(part, dtype=float) for part in momentum_step(theta, np.array([1.0]), velocity, 0.1, 0.9))
assert np.isclose(velocity[0], 1.9) and np.isclose(theta[0], -0.29), f"second step: velocity 1.9 and theta -0.29, got {velocity[0]:.3f} and {theta[0]:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(13)
theta, g, v = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
kept = [theta.copy(), g.copy(), v.copy()]
new_theta, new_v = momentum_step(theta, g, v, 0.05, 0.8)  # in place: did it change what it was given?
assert all(np.array_equal(a, b) for a, b in zip((theta, g, v), kept, strict=True)), "you changed an argument in place"
assert np.allclose(new_v, 0.8 * kept[2] + kept[1]) and np.allclose(new_theta, kept[0] - 0.05 * (0.8 * kept[2] + kept[1])), "random arrays: velocity mu * v + g, then theta - lr * velocity"
assert np.allclose(momentum_step(theta, g, v, 0.05, 0.0)[0], theta - 0.05 * g), "with mu = 0 it should be plain gradient descent"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "momentum-torch", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Against torch.optim.SGD over 50 steps in a bowl, with a rate that falls
def both_paths(seed, mu, rates):
    """(yours, torch's) after all steps, on 0.5 * sum(c * theta^2)."""
    rng = np.random.default_rng(seed)
    c, start = rng.uniform(0.5, 3, 6), rng.normal(size=6)
    parameter = torch.tensor(start.copy(), requires_grad=True)
    sgd, theta, velocity = torch.optim.SGD([parameter], lr=1.0, momentum=mu), start.copy(), np.zeros(6)
    for rate in rates:
        sgd.param_groups[0]["lr"] = float(rate)
        sgd.zero_grad()
        (0.5 * torch.tensor(c) * parameter**2).sum().backward()
        sgd.step()
        theta, velocity = (np.asarray(part, dtype=float) for part in momentum_step(theta, c * theta, velocity, float(rate), mu))
    return theta, parameter.detach().numpy()


yours, torchs = both_paths(1, 0.9, np.full(50, 0.02))
assert yours.shape == torchs.shape and np.allclose(yours, torchs, atol=1e-12), "50 steps at a constant rate differ from torch.optim.SGD"
yours, torchs = both_paths(2, 0.9, np.linspace(0.05, 0.001, 50))
assert np.allclose(yours, torchs, atol=1e-12), "with a constant rate you agree with torch, with a falling one you don't: the rate stands inside your velocity. v = mu * v + g, theta - lr * v"
### BEGIN HIDDEN TESTS
for seed, mu in ((81, 0.5), (82, 0.99), (83, 0.0)):
    yours, torchs = both_paths(seed, mu, np.random.default_rng(seed).uniform(0.001, 0.05, 200))
    assert np.allclose(yours, torchs, atol=1e-10), f"200 steps with changing rates and mu = {mu} differ from torch"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2.5c - one step of Adam
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can say what Adam's two averages, its correction and its epsilon do*
#
# Write `adam_step(theta, gradient, m, v, t, lr, beta1, beta2, eps)` as `torch.optim.Adam` does it.
#
# <details><summary>Hint 1: the idea</summary>Update both averages with this gradient. Correct both for their start at zero. Step. Return the averages <i>without</i> the correction.</details>
# <details><summary>Hint 2: what to call</summary><code>m / (1 - beta1 ** t)</code> with t = 1 in the first step; <code>numpy.sqrt(v_hat) + eps</code>: eps outside the root.</details>
# <details><summary>The first step is right, the second is not</summary>Did you return the corrected averages? The correction would then be applied twice.</details>
# <details><summary>The first step is about three times too long</summary>No bias correction: 0.1 / sqrt(0.001) is 3.2.</details>
# <details><summary>Division by zero in the first step</summary>t counts from 1.</details>


# %% nbgrader={"grade": false, "grade_id": "adam", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adam_step(
    theta: np.ndarray, gradient: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One step of Adam, as torch.optim.Adam makes it.

    Args:
        theta, gradient, m, v: arrays of one shape, none changed in place; m and v are the averages so far, zero before the first step.
        t: number of this step, 1 for the first.
        lr, beta1, beta2, eps: Adam's settings; eps is added outside the square root.

    Returns:
        The new parameters, and the new averages m and v without bias correction.

    Raises:
        ValueError: t is less than 1: the correction would divide by zero.
    """
    ### BEGIN SOLUTION
    if t < 1:
        raise ValueError(f"steps count from 1, not {t}: with t = 0 the bias correction divides by zero")
    m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
    return theta - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "adam-first", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The first step: lr long, downhill, whatever the size of the gradient - that is what the bias correction is for
answer = adam_step(np.zeros(3), np.array([0.02, -5.0, 300.0]), np.zeros(3), np.zeros(3), 1, lr=0.1)
assert isinstance(answer, (tuple, list)) and len(answer) == 3, "return three things: the parameters, m and v"
theta, m, v = (np.asarray(part, dtype=float) for part in answer)
assert theta.shape == m.shape == v.shape == (3,), "the shapes should stay as they are"
assert not np.allclose(np.abs(theta), 0.1 * 0.1 / np.sqrt(0.001), rtol=1e-3), "the first step is 3.2 times too long: no bias correction. Divide m by 1 - beta1^t and v by 1 - beta2^t"
assert np.allclose(theta, [-0.1, 0.1, -0.1], rtol=1e-5), f"the first step should be 0.1 long in every direction, downhill: (-0.1, 0.1, -0.1), got {theta.round(4)}"
try:
    adam_step(np.zeros(1), np.ones(1), np.zeros(1), np.zeros(1), 0)
except (ValueError, ZeroDivisionError) as problem:
    assert isinstance(problem, ValueError), "with t = 0 the correction divides by zero: raise a ValueError that says that steps count from 1"
else:
    raise AssertionError("steps count from 1: t = 0 should raise a ValueError")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(14)
theta, g = rng.normal(size=(2, 5)), rng.normal(size=(2, 5)) * 10.0 ** rng.integers(-3, 3, (2, 5))
new, m, v = adam_step(theta, g, np.zeros((2, 5)), np.zeros((2, 5)), 1, lr=0.01)
assert np.shape(new) == (2, 5) and np.allclose(new, theta - 0.01 * np.sign(g), atol=1e-6), "the first step should be lr long in every direction"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "adam-averages", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What is handed on: the plain averages, uncorrected; and eps outside the root
theta, m, v = (np.asarray(part, dtype=float) for part in adam_step(np.zeros(2), np.array([2.0, -1.0]), np.zeros(2), np.zeros(2), 1))
assert not np.allclose(m, [2, -1]), "you hand on the corrected average: the next step would correct it again. Return m and v without the correction"
assert np.allclose(m, [0.2, -0.1]) and np.allclose(v, [0.004, 0.001]), f"after a gradient of (2, -1): m = (0.2, -0.1) and v = (0.004, 0.001), got {m} and {v}. v averages the SQUARED gradient"
small = np.asarray(adam_step(np.zeros(1), np.full(1, 1e-4), np.zeros(1), np.zeros(1), 1, lr=1.0, eps=1e-4)[0], dtype=float)
assert not np.isclose(small[0], -1e-4 / np.sqrt(1e-8 + 1e-4), rtol=1e-3), "eps stands inside your root; torch adds it outside: sqrt(v_hat) + eps"
assert np.isclose(small[0], -0.5, rtol=1e-6), f"a gradient of 0.0001 with eps 0.0001 gives half a step, -0.5, got {small[0]:.4f}: eps is added to the root of the corrected v"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(15)
theta, g, m, v = rng.normal(size=7), rng.normal(size=7), rng.normal(size=7), rng.uniform(0, 1, 7)
kept = [part.copy() for part in (theta, g, m, v)]
_, new_m, new_v = adam_step(theta, g, m, v, 4, beta1=0.8, beta2=0.95)  # in place: did it change what it was given?
assert all(np.array_equal(a, b) for a, b in zip((theta, g, m, v), kept, strict=True)), "you changed an argument in place"
assert np.allclose(new_m, 0.8 * m + 0.2 * g) and np.allclose(new_v, 0.95 * v + 0.05 * g**2), "random averages: m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "adam-torch", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Against torch.optim.Adam, to float precision, over many steps
def adam_paths(seed, steps, **settings):
    """(yours, torch's) after `steps` steps on a bumpy function of 8 numbers."""
    rng = np.random.default_rng(seed)
    c, start = 10.0 ** rng.uniform(-2, 2, 8), rng.normal(size=8)
    parameter = torch.tensor(start.copy(), requires_grad=True)
    names = {"lr": settings["lr"], "betas": (settings["beta1"], settings["beta2"]), "eps": settings["eps"]}
    stepper, theta, m, v = torch.optim.Adam([parameter], **names), start.copy(), np.zeros(8), np.zeros(8)
    for t in range(1, steps + 1):
        stepper.zero_grad()
        (0.5 * torch.tensor(c) * parameter**2 + torch.sin(3 * parameter)).sum().backward()
        stepper.step()
        theta, m, v = (np.asarray(part, dtype=float) for part in adam_step(theta, c * theta + 3 * np.cos(3 * theta), m, v, t, **settings))
    return theta, parameter.detach().numpy()


usual = {"lr": 0.02, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
yours, torchs = adam_paths(1, 5, **usual)
assert yours.shape == torchs.shape and np.allclose(yours, torchs, atol=1e-9), "after 5 steps you are elsewhere than torch.optim.Adam: does each gradient enter m and v once, and does t change the correction?"
yours, torchs = adam_paths(1, 300, **usual)
assert np.allclose(yours, torchs, atol=1e-9), "the first steps agree with torch, 300 steps do not"
### BEGIN HIDDEN TESTS
for seed, settings in ((91, {"lr": 0.1, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3}), (92, {"lr": 1e-3, "beta1": 0.95, "beta2": 0.99, "eps": 1e-8}), (93, {"lr": 0.05, "beta1": 0.0, "beta2": 0.999, "eps": 1e-6})):
    yours, torchs = adam_paths(seed, 200, **settings)
    assert np.allclose(yours, torchs, atol=1e-9), f"200 steps with {settings} differ from torch.optim.Adam"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2.5d - a large batch in small pieces
#
# Difficulty 3 of 5 - 3 points - about 12 minutes - *after it you can train with a batch that does not fit into memory, and know when gradients may pile up*
#
# `backward()` *adds* to what stands in `.grad`. Forgotten, that is a bug: every step follows the sum of all past gradients. Used on purpose, it is **gradient accumulation**: a 3-D batch of 32 volumes never fits, but four pieces of 8 do, one after the other, and the sum
# of their gradients is that of the large batch. Write `accumulated_step(model, optimizer, x, y, piece)`. The checks call it through `run_accumulated` in the next cell.
#
# <details><summary>Hint 1: the idea</summary>Clear once, add up over the pieces, step once. Each piece's mean loss counts as much as the piece has cases.</details>
# <details><summary>Hint 2: what to call</summary><code>x.split(piece)</code>; <code>torch.nn.functional.mse_loss(model(part), target) * len(part) / len(x)</code>, then <code>.backward()</code>.</details>
# <details><summary>My step is too long by the number of pieces</summary>The mean losses of the pieces were added without their share.</details>
# <details><summary>It is wrong only when the last piece is smaller</summary>Dividing by the number of pieces is right only if all have the same size. Weigh by <code>len(part) / len(x)</code>.</details>

# %% tags=["given"]
def run_accumulated(weight, bias, x, y, piece: int, lr: float, leftover: float = 0.0) -> dict:
    """Your accumulated_step, once for each batch in x (steps, N, F), y (steps, N, 1), on a linear model with SGD; gradients begin at `leftover`.

    Returns the weights at the end, what you returned, the largest number of cases that the model saw at once, and how often the optimizer stepped.
    """
    model, sizes, steps = torch.nn.Linear(np.shape(weight)[1], 1).double(), [], []
    with torch.no_grad():
        model.weight.copy_(torch.tensor(np.asarray(weight))), model.bias.copy_(torch.tensor(np.asarray(bias)))
    if leftover:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, leftover)
    model.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    sgd = torch.optim.SGD(model.parameters(), lr=lr)
    sgd.register_step_post_hook(lambda *_: steps.append(1))
    returned = [accumulated_step(model, sgd, torch.tensor(np.asarray(a)), torch.tensor(np.asarray(b)), piece) for a, b in zip(x, y, strict=True)]
    return {"weight": model.weight.detach().numpy(), "bias": model.bias.detach().numpy(), "returned": returned, "largest": max(sizes, default=0), "steps": len(steps)}


def whole_batch(weight, bias, x, y, lr):
    """What the checks compare with: weight, bias and losses after steps on whole batches, from the formula of the gradient."""
    weight, bias, losses = np.copy(weight), np.copy(bias), []
    for a, b in zip(x, y, strict=True):
        error = a @ weight.T + bias - b
        losses.append((error**2).mean())
        weight, bias = weight - lr * 2 * (error * a).mean(0, keepdims=True), bias - lr * 2 * error.mean(0)
    return weight, bias, losses


# %% nbgrader={"grade": false, "grade_id": "accumulation", "locked": false, "schema_version": 3, "solution": true, "task": false}
def accumulated_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor, piece: int) -> float:
    """One update on a large batch, of which the model sees at most `piece` cases at once; equal to the update on the whole batch.

    Args:
        model: (B, F) -> (B, 1), without batch norm (whose statistics would be those of a piece).
        optimizer: of the model's parameters; their gradients may hold anything before.
        x: (N, F), y: (N, 1), the large batch, at least one case.
        piece: cases at once, at least 1; the last piece may be smaller.

    Returns:
        The mean squared error of the whole batch before the update, as a Python float.
    """
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    total = 0.0
    for part, target in zip(x.split(piece), y.split(piece), strict=True):
        loss = torch.nn.functional.mse_loss(model(part), target) * len(part) / len(x)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "accumulation-equal", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Four pieces of four make the step of sixteen; and the model never sees more than four
rng = np.random.default_rng(5)
weight, bias, x, y = rng.normal(size=(1, 3)), rng.normal(size=1), rng.normal(size=(1, 16, 3)), rng.normal(size=(1, 16, 1))
found, (true_weight, true_bias, losses) = run_accumulated(weight, bias, x, y, 4, 0.1), whole_batch(weight, bias, x, y, 0.1)
assert found["largest"] <= 4, f"the model saw {found['largest']} cases at once, but only 4 fit into memory: split the batch"
assert found["steps"] == 1, f"the optimizer stepped {found['steps']} times: one large batch is one step, after all pieces"
moved, due = np.asarray(found["weight"]) - weight, true_weight - weight
assert moved.shape == due.shape and not np.allclose(moved, 4 * due), "the step is 4 times too long, once for each piece: each piece's mean loss counts len(piece) / N"
assert np.allclose(moved, due), "the step isn't that of the whole batch: clear once, backward for every piece, step once"
### BEGIN HIDDEN TESTS
for seed, (n, piece) in ((101, (12, 3)), (102, (8, 8)), (103, (6, 1)), (104, (5, 20))):
    rng = np.random.default_rng(seed)
    weight, bias, x, y = rng.normal(size=(1, 2)), rng.normal(size=1), rng.normal(size=(1, n, 2)), rng.normal(size=(1, n, 1))
    found, (true_weight, true_bias, losses) = run_accumulated(weight, bias, x, y, piece, 0.2), whole_batch(weight, bias, x, y, 0.2)
    assert found["largest"] <= piece and found["steps"] == 1, "more cases at once than fit, or not exactly one step"
    assert np.allclose(found["weight"], true_weight) and np.allclose(found["bias"], true_bias), f"{n} cases in pieces of {piece}: the step isn't that of the whole batch"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "accumulation-cleared", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Only the pieces of one batch pile up: not the batch before, nor what stood there at the start
rng = np.random.default_rng(6)
weight, bias, x, y = rng.normal(size=(1, 3)), rng.normal(size=1), rng.normal(size=(4, 8, 3)), rng.normal(size=(4, 8, 1))
true_weight, true_bias, _ = whole_batch(weight, bias, x[:1], y[:1], 0.1)
first = run_accumulated(weight, bias, x[:1], y[:1], 4, 0.1, leftover=3.0)
clean = run_accumulated(weight, bias, x[:1], y[:1], 4, 0.1)
assert np.allclose(first["weight"], clean["weight"]), "gradients from elsewhere were added to yours: clear them before the first piece"
assert np.allclose(first["weight"], true_weight), "already the first batch makes another step than the whole batch would: see the check above"
found, (true_weight, true_bias, _) = run_accumulated(weight, bias, x, y, 4, 0.1), whole_batch(weight, bias, x, y, 0.1)
assert np.allclose(found["weight"], true_weight) and np.allclose(found["bias"], true_bias), "the first batch is right, later ones are not: gradients of earlier batches pile up. Clear them once a batch"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(111)
weight, bias, x, y = rng.normal(size=(1, 4)), rng.normal(size=1), rng.normal(size=(9, 10, 4)), rng.normal(size=(9, 10, 1))
found, (true_weight, true_bias, _) = run_accumulated(weight, bias, x, y, 5, 0.05, leftover=-2.0), whole_batch(weight, bias, x, y, 0.05)
assert np.allclose(found["weight"], true_weight) and np.allclose(found["bias"], true_bias), "nine batches in a row: gradients of earlier batches or from elsewhere pile up"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "accumulation-ragged", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Ten cases in pieces of four: 4, 4 and 2. Every CASE counts the same, not every piece; and the loss reported is that of all ten
rng = np.random.default_rng(7)
weight, bias, x, y = rng.normal(size=(1, 2)), rng.normal(size=1), rng.normal(size=(1, 10, 2)), rng.normal(size=(1, 10, 1))
y[0, 8:] += 9  # the small last piece holds the odd cases
found, (true_weight, true_bias, losses) = run_accumulated(weight, bias, x, y, 4, 0.1), whole_batch(weight, bias, x, y, 0.1)
assert np.allclose(found["weight"], true_weight) and np.allclose(found["bias"], true_bias), "the last piece has 2 cases and counts as much as one of 4: weigh each piece by len(piece) / N, don't divide by the number of pieces"
kinds = [type(value).__name__ for value in found["returned"]]
assert kinds == ["float"], f"return a Python float, yours is {kinds}: use .item(), a collected tensor keeps its graph in memory"
assert np.isclose(found["returned"][0], losses[0]), f"the loss of the whole batch before the update is {losses[0]:.4f}, you return {found['returned'][0]:.4f}"
### BEGIN HIDDEN TESTS
for seed, (n, piece) in ((121, (7, 3)), (122, (11, 10)), (123, (9, 2))):
    rng = np.random.default_rng(seed)
    weight, bias, x, y = rng.normal(size=(1, 3)), rng.normal(size=1), rng.normal(size=(3, n, 3)), rng.normal(size=(3, n, 1))
    found, (true_weight, _, losses) = run_accumulated(weight, bias, x, y, piece, 0.1), whole_batch(weight, bias, x, y, 0.1)
    assert np.allclose(found["weight"], true_weight), f"{n} cases in pieces of {piece}: every case should count the same"
    assert np.allclose(found["returned"], losses), "the losses that you return should be those of the whole batches before each update"
### END HIDDEN TESTS

# %% [markdown]
# ### Which optimizer, which rate? The fair question
#
# "Adam beats SGD" is often "Adam at its best rate beats SGD at a bad one". A fair comparison gives each optimizer the same budget of rates, chooses on validation, and shows the whole curve: an optimizer that works over a wide
# range of rates is worth more to you than one that is a little better at exactly one.
#
# The **learning-rate finder** (Smith, WACV 2017) is a cheap first guess. Train for some hundred steps while the rate grows from tiny to huge, and watch the loss. It begins to fall at some rate, and explodes at another. Take a rate well below the explosion; a common rule
# is a tenth of the rate at which the (smoothed) loss is lowest.
#
# The task is the one of section 2.3: measure the radius of the ventricle in one frame, in mm, on patients that the network has never seen. A short training of 150 steps must do.
#
# **Predict before you run.** Over how many powers of ten does each optimizer work? Does the finder's guess fall into that range? And which wins, each at its best?

# %% tags=["demo"]
def radius_frames(part: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`count` random true frames (count, 1, SIDE, SIDE) of a part, and their radius, (mm - MIDDLE) / SPREAD, (count, 1)."""
    loops, real = cohort[part], true_frames(cohort[part])
    rows = torch.randperm(int(real.sum()), generator=torch.Generator().manual_seed(run.seed))[:count]
    radius = torch.tensor(loops["radius"], dtype=torch.float32)[real]
    return loops["frames"][real][rows, None].to(device), ((radius[rows, None] - MIDDLE) / SPREAD).to(device)


frame_sets = {"train": radius_frames("train", 4000), "val": radius_frames("val", 800), "test": radius_frames("test", 1500)}
mean_guess = frame_sets["train"][1].mean()
guess_mm = {part: SPREAD * (y - mean_guess).abs().mean().item() for part, (_, y) in frame_sets.items()}  # who always says the mean radius


def radius_network(seed: int, norm: str = "none") -> nn.Sequential:
    """Frames (B, 1, SIDE, SIDE) -> radius (B, 1); batch norm nowhere, after each convolution, or on the 16 features before the end."""
    torch.manual_seed(seed)
    after = (nn.BatchNorm2d(8), nn.BatchNorm2d(16)) if norm == "after convolutions" else (nn.Identity(), nn.Identity())
    layers = [nn.Conv2d(1, 8, 5, 2, 2), after[0], nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), after[1], nn.ReLU(), nn.Flatten()]
    numbers = 16 * (SIDE // 4) ** 2
    layers += [nn.Linear(numbers, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1)] if norm == "on features" else [nn.Linear(numbers, 1)]
    return nn.Sequential(*layers).to(device)


# %% tags=["demo"]
MAKE = {
    "SGD": lambda weights, rate: torch.optim.SGD(weights, lr=rate),
    "momentum": lambda weights, rate: torch.optim.SGD(weights, lr=rate, momentum=0.9),
    "Adam": lambda weights, rate: torch.optim.Adam(weights, lr=rate),
}


def short_training(kind: str, rates: np.ndarray, seed: int, norm: str = "none") -> tuple[nn.Module, list]:
    """One step for each rate in the list, on random batches of 32; stops when the loss explodes. -> network, losses."""
    net, order, losses = radius_network(seed, norm).train(), torch.Generator().manual_seed(seed), []
    stepper, (x, y) = MAKE[kind](net.parameters(), 1.0), frame_sets["train"]
    for rate in rates:
        stepper.param_groups[0]["lr"] = float(rate)
        rows = torch.randint(0, len(x), (32,), generator=order).to(device)
        loss = nn.functional.mse_loss(net(x[rows]), y[rows])
        losses.append(loss.item())
        if not np.isfinite(losses[-1]) or losses[-1] > 20:
            break
        stepper.zero_grad()
        loss.backward()
        stepper.step()
    return net, losses


def off_by_mm(net: nn.Module, part: str) -> float:
    """Mean absolute error of the radius on frames of a part, mm; the mode of the network stays as it is."""
    with torch.no_grad():
        return SPREAD * (net(frame_sets[part][0]) - frame_sets[part][1]).abs().mean().item()


# %% tags=["demo"]
steps, rate_grid = run.pick(ci=150, laptop=300), np.logspace(-4.5, 1, 12)
val_mm = {kind: [] for kind in MAKE}
for kind in MAKE:
    for rate in rate_grid:
        net, losses = short_training(kind, np.full(steps, rate), run.seed)
        val_mm[kind].append(off_by_mm(net, "val") if len(losses) == steps and np.isfinite(losses[-1]) else np.inf)
best_rate = {kind: float(rate_grid[int(np.argmin(values))]) for kind, values in val_mm.items()}
working = {kind: int(np.sum(np.array(values) < guess_mm["val"] / 3)) for kind, values in val_mm.items()}

finder, finder_mm, finder_rates = {}, {}, np.logspace(-5, 1.5, 200)
fig, axes = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
for number, kind in enumerate(MAKE):
    losses = np.array(short_training(kind, finder_rates, run.seed)[1])
    smooth = np.zeros(len(losses))
    for t, loss in enumerate(losses):
        smooth[t] = 0.9 * (smooth[t - 1] if t else 0) + 0.1 * loss
    smooth /= 1 - 0.9 ** np.arange(1, len(losses) + 1)  # the same bias correction as Adam's
    finder[kind] = float(finder_rates[smooth.argmin()] / 10)
    color, mark, dash = show.PALETTE[number], "o^s"[number], ("-", "--", "-.")[number]
    axes[0].loglog(finder_rates[: len(smooth)], np.minimum(smooth, 5), dash, color=color, label=kind)
    axes[1].loglog(rate_grid, np.minimum(val_mm[kind], 9), mark + dash, color=color, label=kind)
    for ax in axes:
        ax.axvline(finder[kind], color=color, linestyle=":")
        ax.plot(finder[kind], 0.98 - 0.06 * number, mark, color=color, transform=ax.get_xaxis_transform())  # whose guess it is
    finder_mm[kind] = off_by_mm(short_training(kind, np.full(steps, finder[kind]), run.seed)[0], "val")
    print(f"{kind:9s} finder's guess {finder[kind]:.1e}, off by {finder_mm[kind]:.2f} mm; best on validation {best_rate[kind]:.1e}, off by {min(val_mm[kind]):.2f} mm; {working[kind]} of {len(rate_grid)} rates work")
axes[1].axhline(guess_mm["val"], color="0.6", linewidth=1)
axes[0].set(xlabel="learning rate, growing with every step", ylabel="smoothed training loss", title="the finder: one short run each (dotted: its guess)")
axes[1].set(xlabel="learning rate", ylabel="validation error, mm", title=f"the sweep: {len(rate_grid)} runs of {steps} steps (grey: always the mean)")
axes[0].legend(loc="lower left", fontsize=9)
axes[1].legend(loc="lower left", fontsize=9)
show.figure(fig, alt="Left: smoothed loss of three optimizers as the rate grows; each falls, then explodes. Right: validation error over the rate; each has a range that works, Adam's lies at smaller rates")
assert all(min(values) < guess_mm["val"] / 2 for values in val_mm.values()), "each optimizer should have a rate at which the network learns"
assert max(finder_mm.values()) < guess_mm["val"] / 2, "the finder's guess should be a rate at which the network learns"

# %% tags=["demo"]
optimizer_mm = {kind: [off_by_mm(short_training(kind, np.full(steps, rate), seed)[0], "test") for seed in range(run.seed + 1, run.seed + 4)] for kind, rate in best_rate.items()}
fig, ax = plt.subplots(figsize=(6, 2.2), layout="constrained")
for number, (kind, values) in enumerate(optimizer_mm.items()):
    ax.plot(values, [number] * len(values), "o^s"[number], color=show.PALETTE[number], markersize=8, markeredgecolor="white")
    print(f"{kind:9s} at {best_rate[kind]:.1e}: test error {np.mean(values):.2f} mm, three seeds from {min(values):.2f} to {max(values):.2f} (always the mean: {guess_mm['test']:.2f})")
ax.set(xlabel="test error, mm (one mark a seed)", yticks=range(3), yticklabels=optimizer_mm, ylim=(-0.5, 2.5), xlim=(0, None))
show.figure(fig, alt="Test error of three seeds for SGD, momentum and Adam, each at the rate that validation chose: all far below the error of always guessing the mean")
always_mean_mm = guess_mm["test"]
optimizer_test_mm = {kind: float(np.mean(values)) for kind, values in optimizer_mm.items()}
assert max(optimizer_test_mm.values()) < guess_mm["test"] / 2, "each optimizer at its chosen rate should have learned"

# %% [markdown]
# Read the right-hand curve by its *width* as well as by its depth. And mind how far apart three seeds of one optimizer are: a paper that compares two optimizers with one seed each compares luck.
#
# ### Schedules
#
# Early, a large rate covers ground. Late, it only rattles about the minimum. So the rate should fall. And at the very start, when the weights are random and Adam's averages rest on a few gradients, a large rate can do harm that is never repaired. So many
# trainings **warm up**: with $T$ steps in all, $T_w$ of them for the warm-up, a peak $\eta_{\max}$ and an end value $\eta_{\min}$, steps counted from $t = 0$ to $T - 1$:
#
# $$\eta_t = \begin{cases} \eta_{\max}\, \dfrac{t + 1}{T_w} & t < T_w \\[2mm] \eta_{\min} + \dfrac{\eta_{\max} - \eta_{\min}}{2} \Big(1 + \cos \pi \dfrac{t - T_w}{T - 1 - T_w}\Big) & t \ge T_w \end{cases}$$
#
# The cosine part is from Loshchilov and Hutter (SGDR, ICLR 2017).
#
# **Predict before you run.** Adam with a peak rate of 0.03, close to the edge in the sweep above. Three schedules, three seeds each. What does a falling rate gain over a constant one? And the warm-up, a tenth of all steps?

# %% tags=["demo"]
peak, ramp = 0.03, steps // 10
falling = (1 + np.cos(np.pi * np.arange(steps) / (steps - 1))) / 2
schedules = {
    "constant": np.full(steps, peak),
    "cosine": peak * falling,
    "warm-up, then cosine": peak * np.r_[np.arange(1, ramp + 1) / ramp, (1 + np.cos(np.pi * np.arange(steps - ramp) / (steps - ramp - 1))) / 2],
}
fig, axes = plt.subplots(1, 2, figsize=(10, 2.8), layout="constrained")
for number, (name, rates) in enumerate(schedules.items()):
    errors = [off_by_mm(short_training("Adam", rates, seed)[0], "val") for seed in range(3)]
    axes[0].plot(rates, ("-", "--", "-.")[number], color=show.PALETTE[number], label=name)
    axes[1].plot(errors, [number] * 3, "o^s"[number], color=show.PALETTE[number], markersize=8, markeredgecolor="white")
    print(f"{name:21s} validation error {np.mean(errors):.2f} mm over three seeds ({min(errors):.2f} to {max(errors):.2f})")
axes[0].set(xlabel="step", ylabel="learning rate")
axes[0].legend(fontsize=9, loc="lower left", bbox_to_anchor=(0.12, 0))
axes[1].set(xlabel="validation error, mm (one mark a seed)", yticks=range(3), yticklabels=schedules, ylim=(-0.5, 2.5), xlim=(0, None))
show.figure(fig, alt="Left: three schedules, constant, cosine, and warm-up then cosine. Right: validation errors of three seeds each")

# %% [markdown]
# In this simulation a high rate from the first step can kill a network for good: one of the seeds may sit at the error of always guessing the mean, whatever the rate does later. The warm-up costs nothing and prevents it. Look at your own run: which schedule has no such seed?
#
# ### Exercise 2.5e - warm-up and cosine
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can write a schedule without being off by one at either end*
#
# Write `warmup_cosine(t, total, warmup, peak, floor)`, the formula above.
#
# <details><summary>Hint 1: the idea</summary>Two branches. The cosine begins where the warm-up ends, so its argument runs from 0 at t = warmup to pi at t = total - 1.</details>
# <details><summary>Hint 2: what to call</summary><code>math.cos</code>, <code>math.pi</code>. The last step is number total - 1, since steps count from 0.</details>
# <details><summary>The first rate is 0</summary>A step with rate 0 is a wasted batch: the formula says (t + 1) / warmup.</details>
# <details><summary>The last rate is a little above the floor</summary>You divide by total - warmup; the last step is total - 1.</details>


# %% nbgrader={"grade": false, "grade_id": "lr-schedule", "locked": false, "schema_version": 3, "solution": true, "task": false}
def warmup_cosine(t: int, total: int, warmup: int, peak: float, floor: float = 0.0) -> float:
    """Learning rate of step t.

    Args:
        t: step, 0 to total - 1.
        total: steps in all; warmup: steps of the warm-up, from 0 (none) to total - 2.
        peak: the highest rate: that of step warmup - 1, and of step warmup; floor: the rate of the last step.

    Returns:
        peak * (t + 1) / warmup during the warm-up, then half a cosine from peak at t = warmup to floor at t = total - 1.

    Raises:
        ValueError: t is not a step of the training (negative, or total and more).
    """
    ### BEGIN SOLUTION
    import math

    if not 0 <= t < total:
        raise ValueError(f"step {t} is not one of the steps 0 to {total - 1}: was the epoch counted instead?")
    if t < warmup:
        return peak * (t + 1) / warmup
    return floor + (peak - floor) * (1 + math.cos(math.pi * (t - warmup) / (total - 1 - warmup))) / 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "lr-schedule-warmup", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The warm-up: a straight line that never is 0 and reaches the peak with its last step
rates = [float(warmup_cosine(t, 100, 5, 0.5)) for t in range(6)]
assert rates[0] > 0, "the first rate is 0: a step with rate 0 wastes a batch. (t + 1) / warmup, not t / warmup"
assert np.allclose(rates[:5], [0.1, 0.2, 0.3, 0.4, 0.5]), f"five steps of warm-up to 0.5 should be 0.1, 0.2, 0.3, 0.4, 0.5, got {np.round(rates[:5], 3).tolist()}"
assert np.isclose(rates[5], 0.5), f"the cosine begins at the peak: step 5 should have 0.5, got {rates[5]:.4f}. Does its argument begin at 0 at t = warmup?"
### BEGIN HIDDEN TESTS
for total, warmup, peak in ((50, 1, 0.3), (40, 10, 2.0), (30, 28, 1e-3)):
    rates = [float(warmup_cosine(t, total, warmup, peak, peak / 10)) for t in range(warmup + 1)]
    assert np.allclose(rates, [*(peak * (t + 1) / warmup for t in range(warmup)), peak]), f"warm-up of {warmup} steps: the rates are off (the floor plays no part in the warm-up)"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "lr-schedule-cosine", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The cosine: half way it is in the middle between peak and floor; the last step has the floor
rates = np.array([float(warmup_cosine(t, 111, 10, 1.0, 0.2)) for t in range(111)])
assert not np.isclose(rates[60], 0.5) , "the middle of the fall ignores the floor: it is (peak + floor) / 2"
assert np.isclose(rates[60], 0.6), f"half way from step 10 to step 110 the rate should be (1 + 0.2) / 2 = 0.6, got {rates[60]:.4f}. The cosine runs over total - 1 - warmup steps, after the warm-up"
assert np.isclose(rates[110], 0.2, atol=1e-9), f"the last step is number total - 1 = 110 and has the floor, 0.2; got {rates[110]:.6f}"
assert (np.diff(rates[10:]) < 0).all(), "after the warm-up the rate should only fall: cos runs from 0 to pi, not to 2 pi"
assert np.isclose(rates[35], 0.6 + 0.4 * np.sqrt(0.5)), f"a quarter of the way down a cosine is at 0.883, got {rates[35]:.4f}: is it a straight line?"
### BEGIN HIDDEN TESTS
for total, warmup, peak, floor in ((20, 0, 1.0, 0.0), (77, 7, 3e-4, 1e-6), (12, 10, 0.1, 0.05)):
    t = np.arange(warmup, total)
    truth = floor + (peak - floor) / 2 * (1 + np.cos(np.pi * (t - warmup) / (total - 1 - warmup)))
    assert np.allclose([float(warmup_cosine(int(step), total, warmup, peak, floor)) for step in t], truth, atol=1e-12), f"{total} steps, {warmup} of them warm-up: the cosine is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "lr-schedule-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# No warm-up, and steps that don't exist. (Good input first.)
assert np.isclose(float(warmup_cosine(0, 10, 0, 0.4)), 0.4), "without warm-up the first rate is the peak"
try:
    answer = warmup_cosine(10, 10, 2, 0.4)
except ValueError:
    pass
else:
    raise AssertionError(f"a training of 10 steps has no step 10: raise a ValueError, don't return {answer}. (Past the end the cosine rises again.)")
### BEGIN HIDDEN TESTS
for t, total in ((-1, 10), (25, 10), (3, 3)):
    try:
        warmup_cosine(t, total, 1, 0.4)
    except ValueError:
        pass
    else:
        raise AssertionError(f"step {t} of {total} should raise a ValueError")
assert np.isclose(float(warmup_cosine(9, 10, 0, 0.4, 0.1)), 0.1), "without warm-up the last rate is the floor all the same"
### END HIDDEN TESTS


# %% [markdown]
# ### Batch norm: one layer, two modes
#
# **Batch normalisation** (Ioffe and Szegedy, ICML 2015) gives each channel mean 0 and variance 1, then lets the network choose its own scale $\gamma$ and shift $\beta$:
#
# $$y = \gamma\, \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta$$
#
# In **train** mode $\mu$ and $\sigma^2$ are those of the batch, and the layer remembers a running average of them. In **eval** mode it uses the remembered ones. Forget `model.eval()`, and each patient's
# result depends on who else is in the batch. Nothing warns you.
#
# After a convolution the statistics run over images *and places*; on a vector of features, over images only.
#
# **Predict before you run.** Two networks measure radii, one with batch norm after its convolutions, one with batch norm on its 16 features. Four ways to use each on validation patients: eval mode; train mode with mixed batches of 64; train mode
# with one patient's loop as the batch; train mode with two frames at a time. In a clinic, which is the likeliest? And which are harmless?

# %% tags=["demo"]
import copy

bn_loops, bn_real = cohort["val"], true_frames(cohort["val"])
bn_true = torch.tensor(bn_loops["radius"])[bn_real].numpy()
bn_frames, owner = bn_loops["frames"][bn_real][:, None].to(device), torch.arange(len(bn_real))[:, None].expand(bn_real.shape)[bn_real]
mixed = torch.randperm(len(bn_frames), generator=torch.Generator().manual_seed(run.seed))
one_loop = [torch.nonzero(owner == k)[:, 0] for k in range(len(bn_real))]
pairs = list(mixed[: len(mixed) // 2 * 2].split(2))
USES = {
    "eval mode": ("eval", list(mixed.split(64))),
    "train mode, mixed batches of 64": ("train", list(mixed[: len(mixed) // 64 * 64].split(64))),
    "train mode, one loop a batch": ("train", one_loop),
    "train mode, two frames a batch": ("train", pairs),
}


def measured_in(network: nn.Module, mode: str, groups: list) -> np.ndarray:
    """Radius in mm of validation frames, with these groups of rows as batches (nan for frames in no group); a copy of the network works, because train mode changes it."""
    net, found = copy.deepcopy(network).train(mode == "train"), np.full(len(bn_frames), np.nan)
    with torch.no_grad():
        for rows in groups:
            found[rows.numpy()] = (MIDDLE + SPREAD * net(bn_frames[rows.to(device)])[:, 0]).cpu().numpy()
    return found


bn_measured, bn_error = {}, {}
for norm in ("after convolutions", "on features"):
    normed, _ = short_training("Adam", schedules["warm-up, then cosine"] / 3, run.seed, norm)
    for use, (mode, groups) in USES.items():
        bn_measured[norm, use] = measured_in(normed, mode, groups)
        bn_error[norm, use] = float(np.nanmean(np.abs(bn_measured[norm, use] - bn_true)))
        print(f"batch norm {norm:19s} {use:32s} off by {bn_error[norm, use]:.2f} mm")
eval_mm, forgotten_mm = bn_error["on features", "eval mode"], bn_error["on features", "train mode, one loop a batch"]
assert eval_mm < 0.8 and forgotten_mm > 2 * eval_mm, "in eval mode the network should measure well, and much worse with one patient a batch in train mode"

# %% tags=["demo"]
fig, axes = plt.subplots(2, 4, figsize=(12, 5.2), sharex=True, sharey=True, layout="constrained")
for ax, ((norm, use), found) in zip(axes.flat, bn_measured.items(), strict=True):
    ax.plot(bn_true[::5], found[::5], ".", markersize=3, color=show.PALETTE[0])
    ax.plot([12, 27], [12, 27], color="0.5", linewidth=1)
    ax.set(title=f"{use}\noff by {bn_error[norm, use]:.2f} mm", ylim=(8, 31))
    ax.title.set_fontsize(10)
for ax, norm in zip(axes[:, 0], ("after convolutions", "on features"), strict=True):
    ax.set_ylabel(f"batch norm\n{norm}\nmeasured, mm")
for ax in axes[1]:
    ax.set_xlabel("true radius, mm")
show.figure(fig, alt="Measured against true radius for two networks in four uses. With batch norm after the convolutions all four are tight. With batch norm on features, eval mode and mixed batches are good; one loop or two frames a batch in train mode are far off")

# %% [markdown]
# On features, a batch of one patient's frames has that patient's mean and spread. Normalised with its own statistics, a large heart looks like a small one: the layer has subtracted what was to be measured. Mixed batches hide the fault, since their statistics are nearly those of the
# training set. So it passes every test in the lab (mixed batches of 64) and shows in the clinic, one patient at a time. After convolutions the same fault hardly shows here: a channel's mean over many places is nearly the same in every frame. It is there all the same, and waits for another scanner.
#
# ### Exercise 2.5f - batch norm in both modes
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can say what a batch norm does in train and in eval mode, to the last factor N - 1*
#
# Write `batch_norm(x, gamma, beta, running_mean, running_var, training, momentum, eps)` as `torch.nn.BatchNorm2d` computes it. One odd detail of torch: the batch is *normalised* with the variance divided by $M$, but the variance *remembered* is divided by $M - 1$ ($M = B \cdot H \cdot W$ values a channel).
#
# <details><summary>Hint 1: the idea</summary>One mean and one variance for each channel: over images, rows and columns, not over channels. In eval mode nothing is computed from the batch and nothing is remembered.</details>
# <details><summary>Hint 2: what to call</summary><code>x.mean(axis=(0, 2, 3))</code>, <code>x.var(axis=(0, 2, 3))</code>, <code>ddof=1</code>; <code>mean[:, None, None]</code> lines up with the channels.</details>
# <details><summary>The running statistics hardly move, or jump to the batch's</summary>torch's momentum is the weight of the NEW value: (1 - momentum) * old + momentum * new.</details>
# <details><summary>Only running_var is slightly off</summary>What is remembered is the unbiased variance, divided by M - 1.</details>


# %% nbgrader={"grade": false, "grade_id": "batch-norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, running_mean: np.ndarray, running_var: np.ndarray, training: bool, momentum: float = 0.1, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Batch normalisation of images, as torch.nn.BatchNorm2d computes it.

    Args:
        x: (B, C, H, W).
        gamma, beta: (C,) scale and shift.
        running_mean, running_var: (C,) what the layer remembers. No argument is changed in place.
        training: True for train mode, False for eval mode.
        momentum: weight of the new value in the running statistics; eps: added to the variance, inside the root.

    Returns:
        y (B, C, H, W), and the running mean and variance (C,) afterwards; in eval mode these are as before.

    Raises:
        ValueError: train mode with a single value a channel (B = H = W = 1): its variance says nothing.
    """
    ### BEGIN SOLUTION
    mean, var = running_mean, running_var
    if training:
        count = x.shape[0] * x.shape[2] * x.shape[3]
        if count == 1:
            raise ValueError("one value a channel has no variance: use a larger batch, or eval mode")
        mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * count / (count - 1)
    scale = gamma / np.sqrt(var + eps)
    y = (x - mean[:, None, None]) * scale[:, None, None] + beta[:, None, None]
    return y, np.array(running_mean), np.array(running_var)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "batch-norm-train", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Train mode: each channel leaves with the mean beta and the spread gamma, whatever is remembered
rng = np.random.default_rng(8)
x = rng.normal(size=(4, 3, 5, 6)) * np.array([1.0, 5.0, 0.2])[:, None, None] + np.array([0.0, 40.0, -3.0])[:, None, None]
gamma, beta = np.array([1.0, 2.0, 0.5]), np.array([0.0, -1.0, 7.0])
answer = batch_norm(x.copy(), gamma, beta, np.full(3, 9.0), np.full(3, 4.0), True)
assert isinstance(answer, (tuple, list)) and len(answer) == 3, "return three things: y, the running mean, the running variance"
y = np.asarray(answer[0])
assert y.shape == x.shape, f"y should have the shape of x, {x.shape}, got {y.shape}"
assert not np.allclose(y, (x - 9) / np.sqrt(4 + 1e-5) * gamma[:, None, None] + beta[:, None, None]), "train mode normalises with the batch's own statistics, not with the remembered ones"
assert np.allclose(y.mean((0, 2, 3)), beta), "each channel should leave with the mean beta: take the mean over images, rows and columns (axes 0, 2, 3), one a channel"
truth = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + 1e-5) * gamma[:, None, None] + beta[:, None, None]
assert np.allclose(y, truth), "the spread is off: divide by the root of (variance divided by M, plus eps), eps inside the root, then multiply by gamma"
### BEGIN HIDDEN TESTS
for seed, shape in ((131, (2, 4, 3, 3)), (132, (1, 2, 7, 4)), (133, (9, 1, 1, 1))):
    torch.manual_seed(seed)
    layer, x = torch.nn.BatchNorm2d(shape[1], eps=0.01).double(), torch.randn(shape).double() * 0.1 + 2
    gamma, beta = torch.randn(shape[1]).double(), torch.randn(shape[1]).double()
    layer.weight.data, layer.bias.data = gamma.clone(), beta.clone()
    y = batch_norm(x.numpy(), gamma.numpy(), beta.numpy(), np.zeros(shape[1]), np.ones(shape[1]), True, eps=0.01)[0]
    assert np.shape(y) == shape and np.allclose(y, layer(x).detach().numpy()), f"train mode, shape {shape}: differs from torch. Is eps inside the root?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "batch-norm-running", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What is remembered: a tenth of the way towards the batch, with the unbiased variance
x = np.array([1.0, 3.0, 5.0, 7.0]).reshape(4, 1, 1, 1)  # mean 4, variance 5 (divided by M), 6.667 (divided by M - 1)
_, mean, var = batch_norm(x, np.ones(1), np.zeros(1), np.array([10.0]), np.array([1.0]), True, momentum=0.1)
assert np.shape(mean) == np.shape(var) == (1,), "the running statistics should have one value a channel"
assert not np.isclose(mean[0], 0.1 * 10 + 0.9 * 4), "the momentum is the wrong way round: torch's is the weight of the NEW value, 0.9 * old + 0.1 * new"
assert np.isclose(mean[0], 9.4), f"the running mean should go from 10 to 0.9 * 10 + 0.1 * 4 = 9.4, got {mean[0]:.3f}"
assert not np.isclose(var[0], 0.9 + 0.5), "you remember the variance divided by M; torch remembers the unbiased one, divided by M - 1"
assert np.isclose(var[0], 0.9 + 0.1 * 20 / 3), f"the running variance should be 0.9 * 1 + 0.1 * 6.667 = 1.567, got {var[0]:.3f}"
### BEGIN HIDDEN TESTS
torch.manual_seed(134)
layer, mean, var = torch.nn.BatchNorm2d(3, momentum=0.3).double(), np.zeros(3), np.ones(3)
for _ in range(6):
    x = torch.randn(2, 3, 2, 2).double() * 3 + torch.tensor([1.0, -2.0, 30.0]).view(3, 1, 1)
    layer(x)
    values = x.numpy()
    kept = (values.copy(), mean.copy(), var.copy())
    result = batch_norm(values, np.ones(3), np.zeros(3), mean, var, True, momentum=0.3)  # in place: did it change what it was given?
    assert np.array_equal(values, kept[0]) and np.array_equal(mean, kept[1]) and np.array_equal(var, kept[2]), "you changed an argument in place"
    mean, var = np.asarray(result[1]), np.asarray(result[2])
    assert np.allclose(mean, layer.running_mean) and np.allclose(var, layer.running_var), "several batches in a row: the running statistics differ from torch's"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "batch-norm-eval", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Eval mode: the remembered statistics, so that nobody's result depends on who else is in the batch; and nothing is learned
rng = np.random.default_rng(9)
x, gamma, beta = rng.normal(size=(5, 2, 3, 3)) + 20, np.array([1.5, 0.5]), np.array([0.1, -0.2])
remembered = (np.array([19.0, 22.0]), np.array([4.0, 0.25]))
y, mean, var = (np.asarray(part) for part in batch_norm(x.copy(), gamma, beta, *[part.copy() for part in remembered], False))
assert y.shape == x.shape, f"y should have the shape of x, {x.shape}, got {y.shape}"
own = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + 1e-5) * gamma[:, None, None] + beta[:, None, None]
assert not np.allclose(y, own), "eval mode uses the batch's own statistics: then a patient's result depends on who else is in the batch. Use the remembered ones"
truth = (x - remembered[0][:, None, None]) / np.sqrt(remembered[1] + 1e-5)[:, None, None] * gamma[:, None, None] + beta[:, None, None]
assert np.allclose(y, truth), "eval mode: (x - running_mean) / sqrt(running_var + eps) * gamma + beta"
alone = np.asarray(batch_norm(x[:1], gamma, beta, *[part.copy() for part in remembered], False)[0])
assert alone.shape == (1, 2, 3, 3) and np.allclose(alone[0], truth[0]), "alone, a patient gets another result than in the batch"
assert np.allclose(mean, remembered[0]) and np.allclose(var, remembered[1]), "in eval mode the running statistics must stay as they are: a test set must not train the network"
### BEGIN HIDDEN TESTS
one = np.full((1, 2, 1, 1), 7.0)
y = np.asarray(batch_norm(one, gamma, beta, *remembered, False)[0])
assert y.shape == one.shape and np.allclose(y[0, :, 0, 0], (7 - remembered[0]) / np.sqrt(remembered[1] + 1e-5) * gamma + beta), "a single value a channel is no problem in eval mode"
try:
    batch_norm(one, gamma, beta, *remembered, True)
except ValueError:
    pass
else:
    raise AssertionError("train mode with one value a channel has no variance: raise a ValueError, as torch does")
for seed in (135, 136):
    torch.manual_seed(seed)
    layer, x = torch.nn.BatchNorm2d(4).double().eval(), torch.randn(3, 4, 2, 5).double()
    layer.running_mean += torch.randn(4).double()
    layer.running_var += torch.rand(4).double()
    y = batch_norm(x.numpy(), np.ones(4), np.zeros(4), layer.running_mean.numpy(), layer.running_var.numpy(), False)[0]
    assert np.shape(y) == (3, 4, 2, 5) and np.allclose(y, layer(x).detach().numpy()), "eval mode differs from torch"
    layer.eps = 0.5
    y = batch_norm(x.numpy(), np.ones(4), np.zeros(4), layer.running_mean.numpy(), layer.running_var.numpy(), False, eps=0.5)[0]
    assert np.shape(y) == (3, 4, 2, 5) and np.allclose(y, layer(x).detach().numpy()), "eval mode with a large eps differs from torch: eps is added to the variance, inside the root"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** You fine-tune a network with batch norm on 3-D scans, and only one scan fits into memory. Training loss falls nicely; validation, in eval mode, is terrible. In train mode validation is fine. What happened? Name two ways out - and one that only looks like one.
#
# <details><summary>Answer</summary>In train mode each scan was normalised with its own statistics. The running ones are an average over single scans, with the spread <em>between</em> scans missing from the variance, and
# the weights have learned to rely on the former. Ways out: a norm that doesn't look at the batch (group norm, Wu and He, ECCV 2018; instance norm), or frozen batch norms that keep the statistics they came with. Validating in train mode only looks like a way out: each
# result then depends on the batch, and the test set updates the network. Gradient accumulation doesn't help either: the pieces are normalised one by one.</details>

# %% [markdown]
# ## Results
#
# The figures of this lecture, each beside one to compare it with. Networks that have an interval are means over seeds, with the epoch chosen on validation, and their intervals 95 % bootstrap intervals over test patients and seeds (over images where patients are not named); rows without an interval are one training.
# In the profile `ci` the ultrasound images and the chest films are stand-ins.

# %% tags=["results"]
which = "stand-in" if ultrasound.is_stand_in else "official test split"
results.record(LECTURE, run.profile, "logistic regression by hand: largest difference to autograd's gradient", against_torch, baseline=1e-12, baseline_name="float precision", source="section 2.1")
results.record(LECTURE, run.profile, "island of safe electrolytes: AUC of an MLP", mlp_auc, baseline=line_auc, baseline_name="logistic regression", source="section 2.1, simulated")
results.record(LECTURE, run.profile, "lumps, 60 women, lambda chosen on validation: test loss", ridge_test, "nats", baseline=unheld_test, baseline_name="lambda of 1e-6", source="section 2.1")
results.record(LECTURE, run.profile, "MLP on 60 women, stopped early: test loss", early_test.mean(), "nats", baseline=late_test.mean(), baseline_name=f"after all {EPOCHS} epochs", source="section 2.1")
results.record(LECTURE, run.profile, f"breastmnist ({which}), small CNN: test AUC", cnn_auc["CNN", 0], baseline=cnn_auc["logistic regression", 0], baseline_name="logistic regression", source="section 2.2")
for pixels, (gain, low, high) in cnn_gain.items():
    results.record(LECTURE, run.profile, f"CNN over MLP at equal parameters, images moved by {pixels}: AUC gained", gain, low=min(low, gain), high=max(high, gain), baseline=0, baseline_name="no difference", source="section 2.2")
results.record(LECTURE, run.profile, "one GRU step: largest difference to torch.nn.GRUCell", gru_against_torch, baseline=1e-6, baseline_name="float precision", source="section 2.3")
low, high = gru_auc_interval
results.record(LECTURE, run.profile, "cine loops, GRU: test AUC", gru_auc, low=low, high=high, baseline=single_frame_auc, baseline_name="middle frame alone", source="section 2.3, planted")
results.record(LECTURE, run.profile, "cine loops, frames without their order: test AUC", unordered_auc, baseline=0.5, baseline_name="chance", source="section 2.3, planted")
results.record(LECTURE, run.profile, "linear autoencoder: largest angle to PCA's subspace", angle_to_pca, "degrees", baseline=90, baseline_name="unrelated", source="section 2.4")
low, high = autoencoder_psnr_interval
results.record(LECTURE, run.profile, "films, denoising autoencoder: test PSNR", autoencoder_psnr, "dB", low=low, high=high, baseline=gaussian_psnr, baseline_name="Gaussian filter", source="section 2.4")
low, high = gain_interval
results.record(LECTURE, run.profile, "denoising autoencoder over PCA: PSNR gained", autoencoder_psnr - pca_psnr, "dB", low=low, high=high, baseline=0, baseline_name="PCA", source="section 2.4")
results.record(LECTURE, run.profile, "Adam by hand: largest difference to torch.optim.Adam", adam_against_torch, baseline=1e-12, baseline_name="float precision", source="section 2.5")
for name, error in optimizer_test_mm.items():
    results.record(LECTURE, run.profile, f"ventricle's radius, {name}: test error", error, "mm", baseline=always_mean_mm, baseline_name="always the mean", source="section 2.5, planted")
results.record(LECTURE, run.profile, "batch norm, eval() forgotten: validation error", forgotten_mm, "mm", baseline=eval_mm, baseline_name="in eval mode", source="section 2.5, planted")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Reflection
#
# A colleague trains a network on 200 ultrasound images and reports: "training loss 0.001, test AUC 0.93, the best of twelve networks that I tried, so the architecture works." In about 150 words: which parts of this sentence tell you something about the next patient, which don't, and
# what would you have her do instead? Use the words bias, variance, validation and baseline.
#
# | Points | What your answer shows |
# |---|---|
# | 3 | Says that the training loss speaks of capacity only; that the best of twelve on the test set is a choice made on test, and too good by luck; sets bias against variance at 200 images; asks for a split by patient, choice on validation, one look at test, several seeds, an interval and a trivial baseline |
# | 2 | Finds that test was used to choose, and asks for validation, but without an interval, seeds or a baseline; or uses bias and variance loosely |
# | 1 | Says that the network overfits, without what follows for the reported figure |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# A training loss of 0.001 says that the network can learn 200 images by heart: its bias is small. About the next patient it says nothing; with 200 images and such a capacity I expect a large variance. The AUC of 0.93 would speak of new patients if nobody
# had looked. But it is the best of twelve on the very test set, so the test set chose, and the luckiest of twelve draws is reported. How much of it is luck depends on the number of test images, which she doesn't give.
#
# I would have her split by patient into training, validation and test, choose among the twelve on validation (or by cross-validation, since 200 images are few), hold the variance down with weight decay, early stopping and convolutions in place of dense layers, train the
# chosen one with five seeds, and look at test once, with a bootstrap interval by patient. Beside it stands a baseline: logistic regression on the pixels, and the size of the lesion. Only the difference to that is a result.

# %% [markdown]
# ## References
#
# Data
# - Street, Wolberg, Mangasarian. Nuclear feature extraction for breast tumor diagnosis. Proc. SPIE 1905:861-870, 1993.
# - Yang, Shi, Wei, Liu, Zhao, Ke, Pfister, Ni. MedMNIST v2 - a large-scale lightweight benchmark for 2D and 3D biomedical image classification. Scientific Data 10:41, 2023.
# - Kermany, Goldbaum, Cai, et al. Identifying medical diagnoses and treatable diseases by image-based deep learning. Cell 172:1122-1131, 2018.
# - Al-Dhabyani, Gomaa, Khaled, Fahmy. Dataset of breast ultrasound images. Data in Brief 28:104863, 2020.
#
# Machine learning basics
# - Geman, Bienenstock, Doursat. Neural networks and the bias/variance dilemma. Neural Computation 4:1-58, 1992.
# - Hoerl, Kennard. Ridge regression: biased estimation for nonorthogonal problems. Technometrics 12:55-67, 1970.
# - Prechelt. Early stopping - but when? In: Neural Networks: Tricks of the Trade, Springer, 1998.
#
# Convolutional networks
# - LeCun, Bottou, Bengio, Haffner. Gradient-based learning applied to document recognition. Proceedings of the IEEE 86:2278-2324, 1998.
# - Ioffe, Szegedy. Batch normalization: accelerating deep network training by reducing internal covariate shift. ICML 2015.
# - Luo, Li, Urtasun, Zemel. Understanding the effective receptive field in deep convolutional neural networks. NeurIPS 2016.
#
# Recurrent networks
# - Hochreiter, Schmidhuber. Long short-term memory. Neural Computation 9:1735-1780, 1997.
# - Pascanu, Mikolov, Bengio. On the difficulty of training recurrent neural networks. ICML 2013.
# - Cho, van Merriënboer, Gulcehre, et al. Learning phrase representations using RNN encoder-decoder for statistical machine translation. EMNLP 2014.
# - Ouyang, He, Ghorbani, et al. Video-based AI for beat-to-beat assessment of cardiac function. Nature 580:252-256, 2020.
#
# Autoencoders
# - Björck, Golub. Numerical methods for computing angles between linear subspaces. Mathematics of Computation 27:579-594, 1973.
# - Bourlard, Kamp. Auto-association by multilayer perceptrons and singular value decomposition. Biological Cybernetics 59:291-294, 1988.
# - Baldi, Hornik. Neural networks and principal component analysis: learning from examples without local minima. Neural Networks 2:53-58, 1989.
# - Rudin, Osher, Fatemi. Nonlinear total variation based noise removal algorithms. Physica D 60:259-268, 1992.
# - Vincent, Larochelle, Bengio, Manzagol. Extracting and composing robust features with denoising autoencoders. ICML 2008.
# - Lehtinen, Munkberg, Hasselgren, et al. Noise2Noise: learning image restoration without clean data. ICML 2018.
#
# Optimization
# - Polyak. Some methods of speeding up the convergence of iteration methods. USSR Computational Mathematics and Mathematical Physics 4:1-17, 1964.
# - Rumelhart, Hinton, Williams. Learning representations by back-propagating errors. Nature 323:533-536, 1986.
# - Kingma, Ba. Adam: a method for stochastic optimization. ICLR 2015.
# - Smith. Cyclical learning rates for training neural networks. WACV 2017.
# - Loshchilov, Hutter. SGDR: stochastic gradient descent with warm restarts. ICLR 2017.
# - Wu, He. Group normalization. ECCV 2018.
