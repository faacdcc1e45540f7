# %% [markdown]
# # Lecture 5 - Segmentation
#
# **After this you can**
#
# - score pixels by Dice and objects by panoptic quality, also where there is nothing to find, and separate nuclei that touch (4.1)
# - predict from receptive field and skip connections what a network will miss, and build the U-Net block that joins the two (4.2)
# - segment volumes that don't fit into memory, and measure a contour's error in millimetres (4.3)
# - turn a reader's clicks into a network's input, and count how many it takes (4.4)
# - choose a loss for a rare lesion, fuse readers who disagree, flag what is probably wrong, and test on another scanner (4.5)
#
# **Time** about 330 minutes
#
# Sections carry the syllabus's numbers: this lecture is its chapter 4. Five sittings, one a section. No demonstration needs an exercise to be solved, so you can read on whenever you are stuck.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations: your answers may use what they import and define, not what they compute.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `hippocampus`: T1 MR cut to the hippocampus, anterior and posterior part drawn, 1 mm | Medical Segmentation Decathlon, task 4 | CC BY-SA 4.0 | healthy adults and adults with a psychotic disorder, Vanderbilt; published without names | by case; left and right hippocampus of one person may be on both sides |
# | a chest CT with a nodule (4.3) | this course, simulated | this course | nobody | shown |
# | `immunohistochemistry`: colonic glands, 512 x 512 | scikit-image | no known restrictions | not documented by the package; no name attached | shown; nothing is measured on it |
# | fluorescent nuclei, spots in a ring, brain slices with lesions, outlines of five readers | this course, simulated | this course | nobody | train, validation and test by seed; planted truth |
#
# - In the profile `ci` a simulated stand-in takes the place of the hippocampus, and says so.
# - The brain slices are warped from an averaged brain; each seed is another head. The hippocampus crops are not calibrated, so each volume is scaled by itself. Cited by: Antonelli et al. 2022.

# %% tags=["parameters"]
LECTURE = "05_segmentation"
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
# ## 4.1 Semantic and instance segmentation
#
# A pathologist writes "Ki-67 in 20 % of the nuclei" (a stain that marks dividing cells), and the oncologist chooses the chemotherapy by it. That figure needs *nuclei*, one by one. A mask that says which pixels are nucleus is not enough: ten nuclei in one clump
# are one blob. A surgeon who plans a liver resection needs the opposite: how many millilitres are liver, and nobody asks for instances.
#
# | | answers | typical output | score |
# |---|---|---|---|
# | **semantic** | which class is this pixel? | one label a pixel | Dice |
# | **instance** | which object is this pixel part of? | one number an object | object F1 |
# | **panoptic** | both | class and number | panoptic quality |
#
# ### Semantic: a U-Net for nuclei
#
# We plant nuclei in simulated fluorescence images, so that the truth is known to the pixel. Half of them touch another one. The network is a small U-Net (Ronneberger, Fischer and Brox, MICCAI 2015). Section 4.2 takes it apart; for now it turns an image into
# one logit a pixel.
#
# A network gives a probability $p$ for each pixel, and $p > 0.5$ gives a mask $A$. The **Dice coefficient** compares it with the truth $B$:
#
# $$\mathrm{Dice}(A, B) = \frac{2\,|A \cap B|}{|A| + |B|} .$$
#
# **Predict before you run.** The camera noise is strong. Which gains more from a U-Net over a threshold (Otsu's): the Dice of the mask, or the number of objects that come out (printed below as connected pieces against true nuclei)?

# %% tags=["demo"]
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def conv_norm(c_in: int, c_out: int, dilation: int = 1) -> nn.Sequential:
    """3 x 3 convolution (same size), batch norm, ReLU."""
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=dilation, dilation=dilation, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())


class SmallUNet(nn.Module):
    """(B, 1, H, W) -> (B, H, W) logits; H and W multiples of 2 ** (len(widths) - 1). Without `skips` it is an encoder and a decoder."""

    def __init__(self, widths: tuple = (8, 16, 16), skips: bool = True) -> None:
        super().__init__()
        self.skips = skips
        self.down = nn.ModuleList(nn.Sequential(conv_norm(a, b), conv_norm(b, b)) for a, b in zip((1, *widths), widths, strict=False))
        ups = zip(widths[:0:-1], widths[-2::-1], strict=True)
        self.up = nn.ModuleList(conv_norm(deep + skip if skips else deep, skip) for deep, skip in ups)
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for block, skip in zip(self.up, kept[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2)
            x = block(torch.cat([skip, x], 1) if self.skips else x)
        return self.head(x)[:, 0]


print(f"{sum(p.numel() for p in SmallUNet().parameters()):,} parameters; one image {tuple(SmallUNet()(torch.zeros(1, 1, 96, 96)).shape)}")

# %% tags=["demo"]
def image_dice(masks: torch.Tensor, truths: torch.Tensor) -> np.ndarray:
    """Dice of each image (B,), where no truth is empty; masks and truths (B, H, W) bool."""
    return (2 * (masks & truths).sum((1, 2)) / (masks.sum((1, 2)) + truths.sum((1, 2)))).numpy()


def dice_and_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Soft Dice loss, image by image, plus cross-entropy."""
    p = logits.sigmoid()
    overlap = (2 * (p * target).sum((1, 2)) + 1) / (p.sum((1, 2)) + target.sum((1, 2)) + 1)
    return 1 - overlap.mean() + F.binary_cross_entropy_with_logits(logits, target)


def predict_2d(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Probabilities (B, H, W) on the CPU."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(part.to(device)).sigmoid().cpu() for part in x.split(64)])


def fit_2d(make, parts: dict, epochs: int, seed: int, loss=dice_and_entropy, batch: int = 12, vary=None, score=None) -> nn.Module:
    """A network `make()`, trained on parts["train"], with the weights of the epoch that has the best Dice on parts["val"].

    Each part is (x (N, 1, H, W), y (N, H, W) bool); `vary` changes the images of a training batch; `score` judges an epoch, by default the Dice at 0.5.
    """
    score = score or (lambda p, truths: image_dice(p > 0.5, truths).mean())
    torch.manual_seed(seed)

    def together(rows: list) -> tuple:
        x, y = (torch.stack(column) for column in zip(*rows, strict=True))
        return vary(x) if vary else x, y.float()

    loader = DataLoader(TensorDataset(*parts["train"]), batch, shuffle=True, drop_last=True, collate_fn=together, generator=torch.Generator().manual_seed(seed))
    model, (val_x, val_y) = make(), parts["val"]
    train.fit(model, loader, loss, lambda net: score(predict_2d(net, val_x), val_y), epochs=epochs, lr=1e-2, device=device, label="segmentation")
    return model


def nuclei_fields(n: int, first_seed: int) -> tuple:
    """n simulated fields: images (n, 1, 96, 96), instance labels (n, 96, 96)."""
    made = [simulate.nuclei(count=14, shape=(96, 96), touching=0.5, noise=0.1, seed=first_seed + i) for i in range(n)]
    return torch.tensor(np.stack([field.image for field in made]))[:, None], torch.tensor(np.stack([field.labels for field in made]))


nuclei_sets = {part: nuclei_fields(n, seed) for (part, n), seed in zip(run.pick(ci={"train": 36, "val": 8, "test": 24}, laptop={"train": 72, "val": 16, "test": 60}).items(), (0, 1000, 2000), strict=True)}

# %% tags=["demo"]
from scipy import ndimage
from skimage.filters import gaussian, threshold_otsu

nuclei_net = fit_2d(SmallUNet, {part: (x, y > 0) for part, (x, y) in nuclei_sets.items()}, epochs=run.pick(ci=10, laptop=12), seed=run.seed, batch=6)
field_x, field_labels = nuclei_sets["test"]
field_smooth = np.stack([gaussian(image, 1) for image in field_x[:, 0].numpy()])
nuclei_masks = {
    "Otsu threshold": torch.tensor(np.stack([image > threshold_otsu(image) for image in field_smooth])),
    "U-Net": predict_2d(nuclei_net, field_x) > 0.5,
}
nuclei_dice = {name: image_dice(masks, field_labels > 0) for name, masks in nuclei_masks.items()}
for name, scores in nuclei_dice.items():
    pieces = np.mean([ndimage.label(mask)[1] for mask in nuclei_masks[name].numpy()])
    print(f"{name:15s} Dice {scores.mean():.3f} +- {scores.std():.3f} (standard deviation over {len(scores)} images); {pieces:.0f} connected pieces an image")
true_pieces = np.mean([ndimage.label(labels > 0)[1] for labels in field_labels.numpy()])
print(f"{'truth':15s} {np.mean([len(labels.unique()) - 1 for labels in field_labels]):.0f} nuclei an image, {true_pieces:.0f} connected pieces")
assert nuclei_dice["U-Net"].mean() > max(0.85, nuclei_dice["Otsu threshold"].mean()), "the U-Net did not learn to find nuclei: run from the top"
against_truth = [0.65 * masks[0] + 0.35 * (field_labels[0] > 0) for masks in nuclei_masks.values()]  # white where both agree
show.row([field_x[0, 0], *against_truth, field_labels[0] > 0], height=2.5, window=(0, 1),
         titles=["image", *(f"{name}: Dice {scores[0]:.2f}\nlight: too much, dark: missed" for name, scores in nuclei_dice.items()), "truth"],
         alt="A noisy field of bright nuclei; Otsu's mask and the U-Net's, both off by a pixel here and there along the borders; touching nuclei are one blob in both, and in the truth")

# %% [markdown]
# The U-Net's mask is a little better. But the clumps are clumps in the *true* mask, too. So no network of this kind, however good, will count nuclei. We come to that in a minute.
#
# ### When there is nothing to find
#
# Screening images mostly show nothing. Then truth and prediction are both empty, and Dice is $0/0$. A program that answers `nan` and then skips it rewards nobody for being right; one that answers 0 punishes the network for
# every healthy patient it gets right. Two empty masks **agree perfectly: the score is 1**. If only one of them is empty, the formula gives 0: a false alarm, or a miss.
#
# And there are two ways to average. *Per image*, every patient counts the same. *Pooled* over the batch, all pixels go into one ratio, and the patient with the largest lesion speaks for all.
#
# **Predict before you run.** Five patients: one with a lesion of 900 pixels, well segmented; two with 9 pixels, both missed; two healthy, one with a false alarm of 4 pixels. What is the pooled Dice? And the mean per patient?

# %% tags=["demo"]
from monai.metrics import compute_dice

five_truths, five_masks = torch.zeros(2, 5, 1, 40, 40)
five_truths[0, :, 5:35, 5:35], five_masks[0, :, 6:36, 5:35] = 1, 1
five_truths[1:3, :, 10:13, 10:13] = 1
five_masks[4, :, 2:4, 2:4] = 1
skipped = compute_dice(five_masks, five_truths, ignore_empty=True)[:, 0]
counted = compute_dice(five_masks, five_truths, ignore_empty=False)[:, 0]
pooled = 2 * (five_masks * five_truths).sum() / (five_masks.sum() + five_truths.sum())
print("patient by patient, empty truths skipped:", skipped.numpy().round(2))
print("patient by patient, two empty = 1:       ", counted.numpy().round(2))
averages = {"pooled pixels": float(pooled), "mean, empty truths skipped": float(skipped.nanmean()), "mean, two empty = 1": float(counted.mean())}
fig, ax = plt.subplots(figsize=(7, 1.9), layout="constrained")
ax.barh(list(averages), list(averages.values()), color=show.PALETTE[:3])
for row, value in enumerate(averages.values()):
    ax.text(value + 0.01, row, f"{value:.2f}", va="center")
ax.set(xlim=(0, 1.05), xlabel="Dice of the same five predictions")
ax.invert_yaxis()
show.figure(fig, alt="Three averages of the same five predictions: pooled over pixels about 0.95, mean with empty truths skipped about 0.3, mean with two empty masks counted as one about 0.4")

# %% [markdown]
# Pooled, the network looks superb. It missed both small lesions and raised one false alarm in two healthy patients.
#
# ### Exercise 4.1a - Dice that survives a healthy patient
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can report Dice on a screening population*
#
# Write `dice_scores(prediction, truth, n_classes)`: one number for each image and class, nothing averaged.
#
# <details><summary>Hint 1: the idea</summary>For one class, both label maps become masks. Sum over pixels only, never over the batch. Decide what $0/0$ is before you divide.</details>
# <details><summary>Hint 2: what to call</summary><code>(prediction == c).reshape(len(prediction), -1)</code> gives one row an image; <code>.sum(1)</code> counts. <code>numpy.divide(a, b, out=numpy.ones(...), where=b > 0)</code> divides only where it may.</details>
# <details><summary>I get nan, or a warning about division</summary>An image where neither prediction nor truth holds the class. They agree: 1.</details>
# <details><summary>I get one number a class, not one an image and class</summary>You summed over the first axis, too. That is the pooled Dice.</details>


# %% nbgrader={"grade": false, "grade_id": "dice", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dice_scores(prediction: np.ndarray, truth: np.ndarray, n_classes: int) -> np.ndarray:
    """Dice of each image and each class but the background.

    Args:
        prediction, truth: (B, ...) label maps, whole numbers from 0 (background) to n_classes - 1; images may be 2-D or 3-D.
        n_classes: number of classes, background included, at least 2.

    Returns:
        (B, n_classes - 1) float; column c - 1 belongs to class c. 1 where the class is in neither map, 0 where it is in only one of them.

    Raises:
        ValueError: the two maps differ in shape.
    """
    ### BEGIN SOLUTION
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} differ in shape")
    scores = np.ones((len(truth), n_classes - 1))
    for c in range(1, n_classes):
        a, b = ((labels == c).reshape(len(labels), -1) for labels in (prediction, truth))
        size = a.sum(1) + b.sum(1)
        np.divide(2 * (a & b).sum(1), size, out=scores[:, c - 1], where=size > 0)
    return scores
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "dice-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value: 3 and 2 pixels, 2 of them shared -> 2 x 2 / 5 = 0.8; the background is not asked for
truth, prediction = np.array([[[0, 1, 1], [0, 2, 0]]]), np.array([[[1, 1, 1], [0, 2, 2]]])
scores = np.asarray(dice_scores(prediction, truth, 3), dtype=float)
assert scores.shape != (1, 3), "you scored the background as well: leave class 0 out, it is most of the image and always looks good"
assert scores.shape == (1, 2), f"one image and two classes: expected shape (1, 2), got {scores.shape}"
assert not np.isclose(scores[0, 0], 2 / 3), "that is the Jaccard index |A and B| / |A or B|; Dice counts the overlap twice"
assert np.allclose(scores, [[0.8, 2 / 3]]), f"expected 0.8 and 0.667, got {scores[0].round(3)}: twice the overlap over the sum of both sizes"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(41)
for shape, k in (((3, 7, 9), 4), ((2, 4, 5, 6), 3), ((1, 8, 8), 2)):
    truth, prediction = rng.integers(0, k, (2, *shape))
    scores = np.asarray(dice_scores(prediction, truth, k), dtype=float)
    assert scores.shape == (shape[0], k - 1), "expected one row an image and one column a class, in 3-D, too"
    for b in range(shape[0]):
        for c in range(1, k):
            p, t = prediction[b] == c, truth[b] == c
            assert np.isclose(scores[b, c - 1], 2 * np.sum(p & t) / (p.sum() + t.sum())), "the value is off on random label maps"
    assert np.allclose(scores, dice_scores(truth, prediction, k)), "Dice is symmetric: swapping prediction and truth must not matter"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "dice-empty", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Healthy patients: both empty 1, a false alarm 0, a miss 0
truth, prediction = np.zeros((3, 4, 4), int), np.zeros((3, 4, 4), int)
prediction[1, 0, 0] = 1
truth[2, 3, 3] = 1
scores = np.asarray(dice_scores(prediction, truth, 2), dtype=float)
assert scores.shape == (3, 1), f"three images, one class: expected shape (3, 1), got {scores.shape}"
assert np.isfinite(scores).all(), "your Dice of two empty masks is nan; two empty masks agree perfectly, so it should be 1"
assert scores[0, 0] != 0, "your Dice of two empty masks is 0: you punish the network for being right about a healthy patient. It should be 1"
assert np.allclose(scores[1:, 0], 0, atol=1e-3), f"a false alarm and a miss score 0, got {scores[1:, 0]}: only if both are empty is it 1"
assert np.allclose(scores[1:, 0], 0, atol=1e-12), "nearly 0 is not 0: a smoothing constant belongs into a loss, not into a score"
assert np.isclose(scores[0, 0], 1), f"two empty masks should score 1, got {scores[0, 0]:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(42)
truth, prediction = rng.integers(0, 2, (2, 4, 5, 5)) * 2
truth[1], prediction[2] = 0, 0
scores = np.asarray(dice_scores(prediction, truth, 5), dtype=float)
assert scores.shape == (4, 4) and np.allclose(scores[:, [0, 2, 3]], 1), "classes 1, 3 and 4 are in none of the maps: 1 for every image"
assert np.allclose(scores[1:3, 1], 0) and (scores[[0, 3], 1] > 0).all(), "class 2 is in only one of the maps of images 1 and 2: exactly 0, and more elsewhere"
one = np.asarray(dice_scores(np.ones((1, 30, 30), int), np.ones((1, 30, 30), int), 2), dtype=float)
assert np.allclose(one, 1, atol=1e-12), "a perfect prediction scores exactly 1"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "dice-per-image", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One patient, one score: the largest lesion must not speak for all. And maps of different shape can't be compared
truth, prediction = np.zeros((2, 20, 20), int), np.zeros((2, 20, 20), int)
truth[0, 2:18, 2:18], prediction[0, 2:18, 2:18] = 1, 1
truth[1, 5, 5] = 1
scores = np.asarray(dice_scores(prediction, truth, 2), dtype=float)
assert scores.shape != (1,) and scores.shape != (), "one number for the whole batch: you averaged or pooled over the batch. Sum over pixels only"
assert scores.shape == (2, 1), f"two images, one class: expected shape (2, 1), got {scores.shape}"
assert scores[1, 0] < 0.5, "the patient with the small lesion, which was missed, has the score of the other one: pooled over the batch before the ratio"
assert np.allclose(scores[:, 0], [1, 0]), f"the first image is perfect, in the second everything is missed: expected 1 and 0, got {scores[:, 0]}"
try:
    dice_scores(prediction, truth[:1], 2)
except ValueError:
    pass
else:
    raise AssertionError("two predictions against one truth: raise ValueError, don't let numpy repeat the truth for each of them")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(43)
truth, prediction = rng.integers(0, 3, (2, 5, 6, 6))
alone = np.concatenate([np.asarray(dice_scores(prediction[i : i + 1], truth[i : i + 1], 3), dtype=float).reshape(1, 2) for i in range(5)])
together = np.asarray(dice_scores(prediction, truth, 3), dtype=float)
assert together.shape == (5, 2) and np.allclose(together, alone), "an image's score changes with the other images of its batch"
assert np.ptp(together[:, 0]) > 1e-3, "every image has the same score, though every image is another"
try:
    dice_scores(prediction, truth[:, :1], 3)
except ValueError:
    pass
else:
    raise AssertionError("maps of different shape must raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Instance: cut the clumps
#
# Two nuclei that touch make a mask like a peanut. Measure for every pixel inside how far it is to the background: the **distance transform** $D$. A round nucleus becomes a hill, a peanut becomes two hills with a saddle at the waist.
# Turn the landscape upside down, let water rise from each summit, and build a wall where two waters meet: the **watershed** (Vincent and Soille, TPAMI 1991).
#
# 1. $D$ = distance to the background.
# 2. Seeds: the summits of $D$. Of summits nearer than `min_distance` to each other (measured by `peak_local_max` along rows and columns, in a square window), only the highest counts.
# 3. Flood $-D$ from the seeds, inside the mask only.
#
# `min_distance` is a statement about anatomy: nothing thinner than about that is a nucleus. It is chosen on validation images.

# %% tags=["demo"]
from scipy import ndimage

clump = nuclei_masks["U-Net"][0].numpy()
show.row([field_x[0, 0], clump, ndimage.distance_transform_edt(clump)], titles=["image", "mask", "distance to background: a hill a nucleus"], height=2.6,
         alt="A field of nuclei, its mask in which some of them have grown together, and the distance to the background, which has one bright summit in each nucleus")

# %% [markdown]
# ### Exercise 4.1b - split touching nuclei
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can count cells in a mask*
#
# Write `split_nuclei(mask, min_distance)`. Every blob of the mask, however small and however near to its neighbour, has at least one nucleus: two summits compete only if they belong to the same blob.
#
# <details><summary>Hint 1: the idea</summary>Three steps: distance, seeds, flood. The flood runs downhill, so what must the summits become?</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.ndimage.distance_transform_edt</code>; <code>skimage.feature.peak_local_max(distance, min_distance=..., labels=scipy.ndimage.label(mask)[0], exclude_border=False)</code>, which gives coordinates;
# <code>skimage.segmentation.watershed(-distance, seeds, mask=mask)</code>.</details>
# <details><summary>Labels fill the whole image</summary>The water runs over: give <code>watershed</code> the mask.</details>
# <details><summary>Nuclei at the edge of the image are missing</summary><code>peak_local_max</code> leaves out a border as wide as <code>min_distance</code>, unless you say <code>exclude_border=False</code>.</details>
# <details><summary>A small nucleus beside a large one disappears</summary>Its summit lost against the neighbour's. Look for summits in each connected blob apart: <code>labels=</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "split-nuclei", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split_nuclei(mask: np.ndarray, min_distance: int) -> np.ndarray:
    """Instances of a mask of nuclei, by distance transform and watershed.

    Args:
        mask: (H, W) bool, nucleus or not; it may be empty.
        min_distance: in pixels; of summits of the distance within one connected blob that are nearer to each other, only the highest is a seed.

    Returns:
        (H, W) whole numbers: 0 exactly where the mask is False, nuclei 1 to n without gaps. Each blob holds at least one nucleus, and each nucleus is connected.
    """
    ### BEGIN SOLUTION
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    distance = ndimage.distance_transform_edt(mask)
    summits = peak_local_max(distance, min_distance=min_distance, labels=ndimage.label(mask)[0], exclude_border=False)
    seeds = np.zeros(mask.shape, dtype=int)
    seeds[tuple(summits.T)] = np.arange(1, len(summits) + 1)
    return watershed(-distance, seeds, mask=mask)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "split-nuclei-touching", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Two nuclei that touch are two, cut at the waist; three in a row are three
def discs(centres, radii, shape=(48, 64)):
    """Mask of discs, and for every pixel the number (from 1) of the disc it belongs to: the border runs through the waist."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    power = np.stack([(y - row) ** 2 + (x - column) ** 2 - radius**2 for (row, column), radius in zip(centres, radii, strict=True)])
    return power.min(0) <= 0, power.argmin(0) + 1


def disagreement(labels, mask, nearest):
    """Share of the mask that lies on the wrong side of a waist, if the numbers of the objects don't matter."""
    return 1 - sum(max(np.sum((labels == one) & (nearest == n) & mask) for n in range(1, nearest.max() + 1)) for one in range(1, int(labels.max()) + 1)) / mask.sum()


mask, nearest = discs([(24, 22), (24, 37)], (11, 7))
labels = np.asarray(split_nuclei(mask, 9)).astype(int)
assert labels.shape == mask.shape, f"expected a label for each of {mask.shape} pixels, got shape {labels.shape}"
assert labels.max() != 1, "two touching nuclei came out as one: connected components are not instances. Seed a watershed at the summits of the distance"
assert labels.max() == 2, f"two touching nuclei came out as {labels.max()} objects: too many seeds. Of summits nearer than min_distance only the highest counts"
assert disagreement(labels, mask, nearest) < 0.05, "two objects, but not cut at the waist: flood the negative distance, so that the water rises from the summits"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(44)
for _ in range(6):
    angle, gap = rng.uniform(0, np.pi), rng.uniform(13, 15)
    step = gap * np.array([np.sin(angle), np.cos(angle)])
    for k in (2, 3):
        mask, nearest = discs([np.array([45, 45]) + (i - (k - 1) / 2) * step for i in range(k)], [9] * k, (90, 90))
        labels = np.asarray(split_nuclei(mask, 8)).astype(int)
        assert labels.shape == mask.shape and labels.max() == k, f"{k} nuclei in a row came out as {labels.max()} objects"
        assert disagreement(labels, mask, nearest) < 0.06, "the cut is not at the waist, in another direction: flood the negative distance, so that the water rises from the summits"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "split-nuclei-one", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One nucleus stays one, also if its border is rough; and min_distance decides what is one
y, x = np.mgrid[:40, :40]
rough = np.hypot(y - 20, x - 20) <= 11 + 1.2 * np.cos(9 * np.arctan2(y - 20, x - 20))
labels = np.asarray(split_nuclei(rough, 8)).astype(int)
assert labels.shape == rough.shape and labels.max() >= 1, "a single nucleus should give one object"
assert labels.max() == 1, f"one nucleus with a rough border fell into {labels.max()} pieces: too many seeds, is min_distance used?"
y, x = np.mgrid[:48, :64]
pair = (np.hypot(y - 24, x - 26) <= 9) | (np.hypot(y - 24, x - 38) <= 7)
assert np.max(split_nuclei(pair, 4)) == 2, "with min_distance 4 this pair, whose summits are 12 apart, is two nuclei"
assert np.max(split_nuclei(pair, 20)) == 1, "with min_distance 20 the lower of two summits 12 apart is no seed: is min_distance used as given?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(45)
y, x = np.mgrid[:60, :60]
for waves in (5, 7, 11):
    turn = np.arctan2(y - 30, x - 30)
    wavy = np.hypot(y - 30, x - 30) <= rng.uniform(12, 16) + 1.0 * np.cos(waves * turn + rng.uniform(0, 6))
    labels = np.asarray(split_nuclei(wavy, 10)).astype(int)
    assert labels.shape == wavy.shape and labels.max() == 1 and np.array_equal(labels > 0, wavy), "another rough nucleus should stay one object, and all of it"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "split-nuclei-whole", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Every pixel of the mask belongs to a nucleus and no other pixel does; edge and tiny nuclei count; an empty mask is no error
mask = np.zeros((40, 50), bool)
y, x = np.mgrid[:40, :50]
for row, column, radius in ((20, 10, 8), (20, 23, 8), (20, 36, 2), (0, 44, 3)):
    mask |= np.hypot(y - row, x - column) <= radius
labels = np.asarray(split_nuclei(mask, 8)).astype(int)
assert labels.shape == mask.shape, f"expected shape {mask.shape}, got {labels.shape}"
assert not labels[~mask].any(), "labels outside the mask: the water ran over. Give the watershed the mask"
assert labels[0, 44], "the nucleus at the edge of the image got no label: don't leave out seeds near the border"
assert labels[20, 36], "the tiny nucleus beside the large one got no label: look for summits in each connected blob apart"
assert (labels[mask] > 0).all(), "some pixels of the mask have no label: neither walls nor a smaller mask, every pixel belongs to a nucleus"
assert sorted(np.unique(labels)) == [0, 1, 2, 3, 4], f"two touching and two separate nuclei are 1, 2, 3 and 4, got {np.unique(labels)}"
empty = np.asarray(split_nuclei(np.zeros((9, 9), bool), 3))
assert empty.shape == (9, 9) and not empty.any(), "an empty mask has no nuclei: all labels 0"
### BEGIN HIDDEN TESTS
from scipy.ndimage import label as components_of

for seed in (3, 4, 5):
    mask = simulate.nuclei(count=20, shape=(128, 128), touching=0.5, seed=seed).labels > 0
    mask[100:102, 3:5] = True
    labels = np.asarray(split_nuclei(mask, 4)).astype(int)
    assert labels.shape == mask.shape and np.array_equal(labels > 0, mask), "labels and mask don't cover the same pixels"
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1)), "the numbers of the nuclei should run from 1 without gaps"
    assert all(components_of(labels == one, np.ones((3, 3)))[1] == 1 for one in range(1, labels.max() + 1)), "a nucleus is in several pieces: one seed, one nucleus"
    assert labels.max() >= components_of(mask)[1] + 2, "the touching nuclei of a simulated field stay together"
### END HIDDEN TESTS

# %% [markdown]
# **Predict before you run.** Move `min_distance` in your mind from 1 to 15 pixels, where nuclei have a radius of about 5. What happens to the count at each end?

# %% tags=["demo"]
import ipywidgets as widgets
from skimage.feature import peak_local_max
from skimage.segmentation import watershed


def cut_clumps(mask: np.ndarray, apart: int) -> np.ndarray:
    """Instances (H, W) of a mask, by watershed of the distance; seeds at least `apart` pixels from each other."""
    depth = ndimage.distance_transform_edt(mask)
    summits = peak_local_max(depth, min_distance=apart, labels=ndimage.label(mask)[0], exclude_border=False)
    seeds = np.zeros(mask.shape, int)
    seeds[tuple(summits.T)] = np.arange(1, len(summits) + 1)
    return watershed(-depth, seeds, mask=mask)


def draw_cut(min_distance: int = 3) -> plt.Figure:
    mask = nuclei_masks["U-Net"][0].numpy()
    found = cut_clumps(mask, min_distance)
    pictures = {"image": field_x[0, 0], "distance to background": ndimage.distance_transform_edt(mask), f"watershed: {found.max()} objects": field_x[0, 0],
                f"truth: {len(np.unique(field_labels[0])) - 1} nuclei": field_x[0, 0]}
    fig, axes = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained")
    for ax, (title, picture), labels in zip(axes, pictures.items(), (None, None, found, field_labels[0].numpy()), strict=True):
        ax.imshow(picture, cmap=show.SEQUENTIAL if "distance" in title else "gray")
        if labels is not None:
            show.outline(ax, labels)
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
    return fig


show.explore(draw_cut, alt="A clump of nuclei, its distance map with one hill a nucleus, the outlines that the watershed finds, and the true outlines",
             min_distance=widgets.IntSlider(value=3, min=1, max=15, description="min_distance (pixels)", continuous_update=False))

# %% [markdown]
# At 1, small bumps of the border become summits, and one nucleus falls into pieces. At 15, neighbours share a seed. In between there is a wide plateau where the count hardly changes: that is what makes the method usable.

# %% [markdown]
# ### Count and contour in one number: panoptic quality
#
# Dice of the mask can't tell a clump from its nuclei. So compare *objects*. A predicted object and a true one **match** if their intersection over union exceeds one half:
#
# $$\mathrm{IoU}(a, b) = \frac{|a \cap b|}{|a \cup b|} > 0.5 .$$
#
# Objects don't overlap within a map, so more than half can be shared with one partner only: each object has at most one match, and no assignment problem is left. With TP matches, FP predicted objects and FN true objects without one, **panoptic quality**
# (Kirillov et al., CVPR 2019) is
#
# $$\mathrm{PQ} = \underbrace{\frac{\sum_{\text{matches}} \mathrm{IoU}}{TP}}_{\text{SQ: how well drawn}} \times \underbrace{\frac{TP}{TP + \frac12 FP + \frac12 FN}}_{\text{RQ: how well found}} .$$
#
# RQ is the F1 score of the objects. An image without objects in both maps is perfect (1, 1, 1); if nothing matches, all three are 0.
#
# ### Exercise 4.1c - panoptic quality
#
# Difficulty 3 of 5 - 5 points - about 20 minutes - *after it you can compare two nucleus counters fairly*
#
# Write `panoptic_quality(prediction, truth)` for two instance maps. The numbers of the objects are only names: they need not match, and may have gaps.
#
# <details><summary>Hint 1: the idea</summary>For every pair of objects count shared pixels, make the IoU, and keep pairs above one half. Everything else follows from three counts and one sum.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.unique(labels[labels &gt; 0])</code> lists the objects of a map. Two loops over them are fast enough.</details>
# <details><summary>RQ is too high</summary>Which objects does nobody predict? They are false negatives, and count one half each.</details>
# <details><summary>An object that was cut into two halves counts as found</summary>Each half has an IoU of exactly 0.5. The text says: <i>exceeds</i>.</details>


# %% nbgrader={"grade": false, "grade_id": "panoptic-quality", "locked": false, "schema_version": 3, "solution": true, "task": false}
def panoptic_quality(prediction: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Panoptic quality of instances of one class.

    Args:
        prediction, truth: instance maps of one shape, whole numbers, 0 for background; other numbers name objects and may have gaps.

    Returns:
        (PQ, SQ, RQ): SQ is the mean IoU of the matches (IoU > 0.5), RQ = TP / (TP + FP / 2 + FN / 2), PQ = SQ x RQ.
        (1, 1, 1) if neither map holds an object; (0, 0, 0) if there are objects, but no match.
    """
    ### BEGIN SOLUTION
    objects, true_objects = (np.unique(labels[labels > 0]) for labels in (prediction, truth))
    if len(objects) + len(true_objects) == 0:
        return 1.0, 1.0, 1.0
    matched = []
    for one in true_objects:
        for other in np.unique(prediction[(truth == one) & (prediction > 0)]):
            a, b = prediction == other, truth == one
            iou = np.sum(a & b) / np.sum(a | b)
            if iou > 0.5:
                matched.append(iou)
    if not matched:
        return 0.0, 0.0, 0.0
    sq, rq = float(np.mean(matched)), len(matched) / ((len(objects) + len(true_objects)) / 2)
    return sq * rq, sq, rq
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "panoptic-quality-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Three nuclei: one drawn perfectly, one with IoU 6/10, one missed; and one object where there is none. TP 2, FP 1, FN 1 -> SQ 0.8, RQ 2/3
def three_numbers(prediction, truth):
    """Your answer as three floats."""
    answer = panoptic_quality(prediction, truth)
    assert isinstance(answer, (tuple, list, np.ndarray)) and len(answer) == 3, "return three numbers: PQ, SQ and RQ"
    return [float(value) for value in answer]


truth, prediction = np.zeros((12, 12), int), np.zeros((12, 12), int)
truth[0:3, 0:3], prediction[0:3, 0:3] = 1, 1
truth[5, 0:10], prediction[5, 0:6] = 2, 2
truth[8:10, 8:10], prediction[10:12, 0:2] = 3, 3
pq, sq, rq = three_numbers(prediction, truth)
assert not np.isclose(rq, 2 / 2.5) or np.isclose(rq, 2 / 3), "RQ is 2 / 2.5: false negatives or false positives are forgotten. Both count one half: the missed nucleus and the invented one"
assert not np.isclose(rq, 2 / 4), "RQ is 2 / (TP + FP + FN): the unmatched objects count one half each, as in F1"
assert np.isclose(rq, 2 / 3), f"two matches, one false positive, one false negative: RQ should be 2 / 3, got {rq:.3f}"
assert not np.isclose(sq, 1.6 / 3), "SQ is the mean IoU over the matches only; you divided by all true objects"
assert not np.isclose(sq, (1 + 12 / 16) / 2), "you took Dice for IoU: divide by the union"
assert np.isclose(sq, 0.8), f"the matches have IoU 1 and 0.6: SQ should be 0.8, got {sq:.3f}"
assert np.isclose(pq, sq * rq), f"PQ is SQ x RQ = {sq * rq:.3f}, got {pq:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(46)
for _ in range(8):
    truth, prediction, kept, matched = np.zeros((80, 80), int), np.zeros((80, 80), int), 0, []
    n, missed, extra = int(rng.integers(3, 7)), int(rng.integers(0, 3)), int(rng.integers(0, 4))
    for i in range(n):
        wide = int(rng.integers(10, 20))
        truth[10 * i : 10 * i + 8, 5 : 5 + wide] = i + 1
        if i >= missed:
            cut = int(rng.integers(0, 4))
            prediction[10 * i : 10 * i + 8, 5 + cut : 5 + wide] = i + 1
            matched.append((wide - cut) / wide)
    for i in range(extra):
        prediction[10 * i : 10 * i + 5, 60:70] = 20 + i
    truth_rq = len(matched) / (len(matched) + missed / 2 + extra / 2)
    assert np.allclose(three_numbers(prediction, truth), [np.mean(matched) * truth_rq, np.mean(matched), truth_rq]), f"the values are off with {len(matched)} matches, {extra} false positives and {missed} false negatives"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "panoptic-quality-threshold", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# What is a match: more than half. An IoU of 0.5 is none, so a nucleus that was cut in two halves is not found, and certainly not found twice
strip, halves = np.zeros((3, 20), int), np.zeros((3, 20), int)
strip[1, :20], halves[1, :10], halves[1, 10:] = 1, 1, 2
pq, sq, rq = (float(value) for value in panoptic_quality(halves, strip))
assert not rq > 1, "one nucleus was matched twice: each true object has at most one match"
assert rq == 0 and pq == 0, f"each half has an IoU of exactly 0.5, which does not exceed 0.5: no match, RQ 0; got RQ {rq:.3f}"
halves[1, :11] = 1
rq = float(panoptic_quality(halves, strip)[2])
assert np.isclose(rq, 1 / 1.5), f"IoU 0.55 and 0.45: one match and one false positive, RQ 2/3, got {rq:.3f}. Is the threshold 0.5?"
### BEGIN HIDDEN TESTS
for wide, share in ((100, 40), (100, 50), (100, 51), (100, 74), (10, 6), (9, 4), (9, 5)):
    truth, prediction = np.zeros((4, 120), int), np.zeros((4, 120), int)
    truth[1, :wide], prediction[1, :share] = 1, 1
    expected = share / wide if share / wide > 0.5 else 0.0
    assert np.allclose(panoptic_quality(prediction, truth), [expected, expected, float(expected > 0)]), f"an object with IoU {share}/{wide} {'is' if expected else 'is not'} a match"
clump = np.zeros((2, 40), int)
clump[0, :20], clump[0, 20:40] = 1, 2
merged = (clump > 0).astype(int)
assert np.allclose(panoptic_quality(merged, clump), 0), "two nuclei that came out as one blob: IoU 0.5 with each, no match"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "panoptic-quality-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Empty maps, and numbers that are only names
none, some = np.zeros((6, 6), int), np.zeros((6, 6), int)
some[1:4, 1:4] = 7
answer = np.asarray(panoptic_quality(none, none), dtype=float)
assert answer.shape == (3,), f"return three numbers: PQ, SQ and RQ; got shape {answer.shape}"
assert np.isfinite(answer).all() and np.allclose(answer, 1), f"no nucleus, and none found: that is perfect, (1, 1, 1), not {answer}"
assert np.allclose(panoptic_quality(none, some), 0), "a nucleus, and none found: (0, 0, 0)"
assert np.allclose(panoptic_quality(some, none), 0), "no nucleus, and one found: (0, 0, 0)"
renamed = np.where(some > 0, 90, 0)
assert np.allclose(panoptic_quality(renamed, some), 1), "the same object under another number (90 for 7) should match: numbers are names, and may have gaps"
### BEGIN HIDDEN TESTS
truth = simulate.nuclei(count=12, shape=(96, 96), seed=9).labels
shuffled = np.r_[0, np.random.default_rng(47).permutation(np.arange(3, 60))[:12]][truth]
assert np.allclose(panoptic_quality(shuffled, truth), 1), "a perfect map with shuffled numbers should give (1, 1, 1)"
some_missing = np.where(truth % 3 == 0, 0, shuffled)
assert np.allclose(panoptic_quality(some_missing, truth), [8 / 10, 1, 8 / 10]), "8 of 12 nuclei found, perfectly drawn: PQ 0.8, SQ 1, RQ 0.8"
assert np.allclose(panoptic_quality(some_missing, truth), panoptic_quality(truth, some_missing)), "prediction and truth may be swapped: FP and FN weigh the same"
### END HIDDEN TESTS

# %% [markdown]
# Now the measurement. `min_distance` is chosen on the validation fields; the test fields are used once, and their interval is a bootstrap over *fields*, because nuclei of one field share its noise and focus.
#
# **Predict before you run.** The masks have a Dice near 0.95. What is the panoptic quality of their connected components: 0.9, 0.6 or 0.3?

# %% tags=["demo"]
def object_scores(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Panoptic quality and object F1 of one field, through the table of shared pixels; both maps number their objects from 1."""
    shared = np.zeros((found.max() + 1, true.max() + 1))
    np.add.at(shared, (found.ravel(), true.ravel()), 1)
    union = shared.sum(1, keepdims=True) + shared.sum(0, keepdims=True) - shared
    iou = (shared / np.maximum(union, 1))[1:, 1:]
    mean_objects = sum(iou.shape) / 2
    return iou[iou > 0.5].sum() / mean_objects, (iou > 0.5).sum() / mean_objects


val_masks = (predict_2d(nuclei_net, nuclei_sets["val"][0]) > 0.5).numpy()
val_labels = nuclei_sets["val"][1].numpy()
val_pq = {apart: np.mean([object_scores(cut_clumps(mask, apart), true)[0] for mask, true in zip(val_masks, val_labels, strict=True)]) for apart in range(1, 11)}
best_apart = max(val_pq, key=val_pq.get)
print("validation PQ by min_distance:", {apart: round(float(value), 3) for apart, value in val_pq.items()}, "-> we take", best_apart)

test_masks = nuclei_masks["U-Net"].numpy()
ways = {"connected components": lambda mask: ndimage.label(mask)[0], "watershed": lambda mask: cut_clumps(mask, best_apart)}
by_field = {name: np.array([object_scores(way(mask), true) for mask, true in zip(test_masks, field_labels.numpy(), strict=True)]) for name, way in ways.items()}
again = np.random.default_rng(run.seed).integers(0, len(test_masks), (2000, len(test_masks)))
pq_of, f1_of = ({name: scores[:, k].mean() for name, scores in by_field.items()} for k in (0, 1))
pq_interval = {name: np.percentile(scores[again, 0].mean(1), [2.5, 97.5]) for name, scores in by_field.items()}
pq_gain = by_field["watershed"][:, 0] - by_field["connected components"][:, 0]
pq_gain_interval = np.percentile(pq_gain[again].mean(1), [2.5, 97.5])
for name in ways:
    low, high = pq_interval[name]
    print(f"{name:21s} PQ {pq_of[name]:.3f} [{low:.3f}, {high:.3f}]   object F1 {f1_of[name]:.3f}")
print(f"gain in PQ, field by field: {pq_gain.mean():.3f} [{pq_gain_interval[0]:.3f}, {pq_gain_interval[1]:.3f}]")
assert pq_of["watershed"] > 0.6 and pq_gain_interval[0] > 0.2, "the watershed should separate most nuclei: run from the top"

# %% tags=["demo"]
fig, (ax, curve) = plt.subplots(1, 2, figsize=(10, 2.9), layout="constrained", width_ratios=[1.2, 1])
places = np.arange(2)
for offset, (name, scores) in zip((-0.2, 0.2), by_field.items(), strict=True):
    values = [nuclei_dice["U-Net"].mean() if k is None else scores[:, k].mean() for k in (1, 0)]
    ax.bar(places + offset, values, 0.38, label=name, color=show.PALETTE[0 if offset < 0 else 1], hatch="//" if offset < 0 else None, edgecolor="white")
    for place, value in zip(places + offset, values, strict=True):
        ax.text(place, value / 2, f"{value:.2f}", ha="center", va="center", fontsize=9, bbox={"facecolor": "white", "edgecolor": "none", "pad": 2})
ax.axhline(nuclei_dice["U-Net"].mean(), color="black", linestyle=":")
ax.text(1.45, nuclei_dice["U-Net"].mean() + 0.02, f"Dice of the mask: {nuclei_dice['U-Net'].mean():.2f}", ha="right", fontsize=9)
ax.set(xticks=places, xticklabels=["object F1", "panoptic quality"], ylim=(0, 1.2), yticks=np.linspace(0, 1, 6), ylabel="mean over test fields")
ax.legend(loc="upper center", ncols=2, fontsize=9)
curve.plot(list(val_pq), list(val_pq.values()), "o-", color=show.PALETTE[1])
curve.axvline(best_apart, color="0.5", linestyle=":")
curve.set(xlabel="min_distance (pixels)", ylabel="validation PQ", ylim=(0, 1))
show.figure(fig, alt="Bars: with one and the same mask, connected components reach a low object F1 and panoptic quality, the watershed high ones. Curve: validation quality against min_distance rises to a flat top and falls again; a dotted line marks the best")

# %% [markdown]
# One mask, two counts. The pixels were never the problem.
#
# On a real section nobody has planted the truth, so nothing can be measured here, only looked at. Colonic glands, stained brown for a protein; we separate the haematoxylin, which stains nuclei (Ruifrok and Johnston 2001), threshold it, and cut.

# %% tags=["demo"]
from skimage.color import rgb2hed
from skimage.morphology import remove_small_objects

section = data.load("immunohistochemistry", profile=run.profile).image[150:300, 300:450]
blue = gaussian(rgb2hed(section)[..., 0], 1.5)
section_mask = ndimage.binary_fill_holes(ndimage.binary_opening(blue > threshold_otsu(blue), iterations=2))
pieces, cut = ndimage.label(section_mask)[0], cut_clumps(section_mask, 5)
print(f"connected components: {pieces.max()} objects, the largest has {np.bincount(pieces.ravel())[1:].max()} pixels; watershed: {cut.max()}, the largest has {np.bincount(cut.ravel())[1:].max()}")
show.row([section, section, section], titles=["section", f"connected components: {pieces.max()}", f"watershed: {cut.max()}"], overlay=[None, pieces, cut], height=3.4,
         alt="A stained section of colonic glands; connected components join rows of nuclei into long chains, the watershed cuts the chains into single nuclei, with some errors")

# %% [markdown]
# Better, and far from right: nuclei that overlap in depth have no waist, and pale ones fall below the threshold. Networks that predict distances or star-shaped outlines themselves (StarDist, Schmidt et al., MICCAI 2018; Cellpose, Stringer et al., Nature Methods 2021)
# keep the idea and learn the landscape.

# %% [markdown]
# **Checkpoint.** Two counters are compared on the same slides. A has a Dice of 0.93 and an RQ of 0.55, B a Dice of 0.88 and an RQ of 0.85. Which do you take for the Ki-67 index, and which for the area that is covered by nuclei?
#
# <details><summary>Answer</summary>B for the index: it is a share of nuclei, and A merges or misses many of them. If A merges mostly the crowded, dividing cells, its index is also biased, not only noisy. For the covered area A: there the pixels matter and the cuts don't.</details>

# %% [markdown]
# ## 4.2 Context against localization
#
# Is this bright dot a lesion or a vessel? To know, you look around: where does it lie, does it continue above? And where exactly does it end? For that you look at single pixels. A network that halves its images sees far, but forgets where things were.
# One that never halves remembers, but sees little. Three ingredients settle the quarrel:
#
# - **Pooling** doubles the reach of every later layer, and halves the resolution.
# - **Skip connections** carry the fine maps past the bottleneck, and *concatenate* them with the coarse ones: the next convolution has both and learns how to mix them. (A residual block *adds*; that forces both to speak the same language, channel by channel.)
# - **Dilation** spreads the taps of a kernel: reach without pooling. A kernel of $k$ taps and dilation $d$ spans $d\,(k-1)+1$ pixels.
#
# ### How far does a network see?
#
# The **receptive field** of an output pixel is the part of the input that can change it. For layers of stride 1 with kernels $k_l$ and dilations $d_l$ it is
#
# $$r = 1 + \sum_l d_l\,(k_l - 1) .$$
#
# But "from the first to the last pixel" is not "every pixel in between". With dilation 2 in every layer, only every second pixel is ever looked at. That is **gridding**: a lesion of one pixel falls through the sieve.
#
# **Predict before you run.** Three layers of $3 \times 3$ kernels. Which dilations leave holes: 1-2-4, 2-2-2, or 1-1-8?

# %% tags=["demo"]
def draw_reach(dilations: str = "2-2-2") -> plt.Figure:
    """Which input pixels reach the output in the middle, layer by layer: all weights 1, one output pixel, its gradient."""
    fig, axes = plt.subplots(1, 4, figsize=(10, 2.7), layout="constrained")
    for ax, name in zip(axes, ("1-1-1", "1-2-4", dilations, "1-1-8"), strict=True):
        x = torch.ones(1, 1, 31, 31, requires_grad=True)
        out = x
        for d in (int(part) for part in name.split("-")):
            out = F.conv2d(out, torch.ones(1, 1, 3, 3), padding=d, dilation=d)
        out[0, 0, 15, 15].backward()
        reach = x.grad[0, 0] > 0
        ax.imshow(reach, cmap=show.SEQUENTIAL)
        ax.set_title(f"dilation {name}\nspans {int(reach.any(0).sum() and np.ptp(np.flatnonzero(reach.any(0))) + 1)}, sees {int(reach.any(0).sum())} a row", fontsize=10)
        ax.set_axis_off()
    return fig


show.explore(draw_reach, alt="Receptive fields of three layers: 1-1-1 a small full square, 1-2-4 a large full square, 2-2-2 a grid with holes, 1-1-8 three blocks with gaps",
             dilations=widgets.Dropdown(options=["2-2-2", "1-2-3", "1-3-9", "2-4-8", "1-2-5"], value="2-2-2"))

# %% [markdown]
# ### Exercise 4.2a - the field of dilated layers, and its holes
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can say whether a dilated network can overlook a small lesion by construction*
#
# Write `dilated_field(kernels, dilations)`. All strides are 1, so look at one axis: the other is alike.
#
# <details><summary>Hint 1: the idea</summary>A layer reaches $(k-1)/2$ taps to each side, $d$ pixels apart. Which offsets can two layers reach together? Every sum of one offset of each.</details>
# <details><summary>Hint 2: what to call</summary>Keep a <code>set</code> of offsets, begin with <code>{0}</code>, and replace it layer by layer with all sums. Or push an impulse through <code>numpy.convolve</code> and count what isn't 0.</details>
# <details><summary>I count more pixels than the field is wide</summary>Several ways lead to one pixel. Count pixels, not ways.</details>
# <details><summary>My width is one or more too large</summary>Between $k$ taps lie $k - 1$ gaps.</details>


# %% nbgrader={"grade": false, "grade_id": "dilated-field", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dilated_field(kernels: list[int], dilations: list[int]) -> tuple[int, int]:
    """Receptive field of convolutions of stride 1, along one axis.

    Args:
        kernels: taps of each layer's kernel, odd numbers of at least 1.
        dilations: distance between taps in each layer, at least 1; as many as kernels.

    Returns:
        The width of the field, from its first to its last pixel, and how many of these pixels can really change the output. (1, 1) without layers.
    """
    ### BEGIN SOLUTION
    offsets = {0}
    for k, d in zip(kernels, dilations, strict=True):
        taps = [d * (tap - k // 2) for tap in range(k)]
        offsets = {offset + tap for offset in offsets for tap in taps}
    return max(offsets) - min(offsets) + 1, len(offsets)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "dilated-field-width", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The width: a 3-tap kernel with dilation 4 spans 9 pixels, not 12; layers add their gaps
answer = dilated_field([3], [4])
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two numbers: the width, and how many pixels count"
assert answer[0] != 12, "3 taps have 2 gaps between them: the width is 4 x 2 + 1 = 9, not 3 x 4"
assert answer[0] != 3, "the dilation is ignored: three taps, 4 pixels apart, span 9 pixels"
assert answer[0] == 9, f"three taps, 4 pixels apart, span 9 pixels, not {answer[0]}"
assert dilated_field([3, 3, 3], [1, 2, 4])[0] == 15, "dilations 1, 2 and 4 together span 1 + 2 + 4 + 8 = 15: layers add their gaps, not their widths"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(48)
for layers in (1, 2, 4, 5):
    kernels, dilations = (2 * rng.integers(0, 4, layers) + 1).tolist(), rng.integers(1, 7, layers).tolist()
    assert dilated_field(kernels, dilations)[0] == 1 + sum(d * (k - 1) for k, d in zip(kernels, dilations, strict=True)), f"the width of kernels {kernels} with dilations {dilations} is off"
assert dilated_field([], [])[0] == 1, "without layers a pixel sees itself: width 1"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "dilated-field-holes", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The holes: 2-2-2 spans 13 pixels and looks at 7 of them; 1-2-4 looks at all of its 15
seen = dilated_field([3, 3, 3], [2, 2, 2])[1]
assert seen != 13, "you take every pixel between the first and the last for seen; with dilation 2 in each layer every second one is never touched"
assert seen != 27, "27 ways lead from the input to the output, but many end at the same pixel: count pixels"
assert seen == 7, f"2-2-2 looks at 7 of its 13 pixels, you say {seen}"
assert dilated_field([3, 3, 3], [1, 2, 4])[1] == 15, "1-2-4 has no holes: all 15 pixels count"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(49)
for _ in range(12):
    layers = int(rng.integers(1, 5))
    kernels, dilations = (2 * rng.integers(0, 3, layers) + 1).tolist(), rng.integers(1, 7, layers).tolist()
    response = np.ones(1)
    for k, d in zip(kernels, dilations, strict=True):
        comb = np.zeros(d * (k - 1) + 1)
        comb[::d] = 1
        response = np.convolve(response, comb)
    assert tuple(int(value) for value in dilated_field(kernels, dilations)) == (len(response), int((response > 0.5).sum())), f"the number of pixels that count is off for kernels {kernels} with dilations {dilations}"
assert dilated_field([], [])[1] == 1, "without layers one pixel counts"
### END HIDDEN TESTS

# %% [markdown]
# ### Predict what skips, reach and dilation are worth - then measure
#
# Here is a task that needs both. A spot counts as a lesion only if it lies *inside the ring* (an organ with a wall); the same spot outside is a vessel. Inside and outside look alike from near by, so a network must see the wall, about 9 pixels away.
# Spots come in three radii: 1, 2 and 3.2 pixels. Each image holds one size, so Dice can be told by size.
#
# | network | sees far? | keeps the place? |
# |---|---|---|
# | U-Net, four levels | yes, by pooling | yes, by skips |
# | the same without skips | yes | only what survives the bottleneck of 4 x 4 |
# | three 3 x 3 layers | no: 7 pixels | yes |
# | five layers, dilations 1-2-4-6-2 | yes: 31 pixels | yes, never pooled |
#
# **Predict before you run.** Write down three orders: which network is best, and which worst, for the small spots; which is worst for the large ones; and what does the network without skips lose from large to small?

# %% tags=["demo"]
SPOTS = {"small": (1.0, 7), "medium": (2.0, 5), "large": (3.2, 3)}  # radius in pixels, how many


def ring_scenes(n: int, seed: int, edge: int = 32) -> tuple:
    """n images (n, 1, 32, 32) with a ring and spots, masks of the spots inside (n, 32, 32), and the size of the spots (n,)."""
    rng, (y, x) = np.random.default_rng(seed), np.mgrid[:edge, :edge]
    pictures, inside, size = np.zeros((n, edge, edge), np.float32), np.zeros((n, edge, edge), bool), np.resize(list(SPOTS), n)
    for i in range(n):
        ring, (radius, wanted) = rng.uniform(8, 10), SPOTS[size[i]]
        centre = rng.uniform(ring + 1, edge - ring - 1, 2)
        pictures[i] = 0.8 * np.exp(-((np.hypot(y - centre[0], x - centre[1]) - ring) ** 2))
        taken, placed = np.zeros((edge, edge), bool), 0
        for tries in range(200):
            place = rng.uniform(radius + 1, edge - radius - 1, 2)
            away, from_centre = np.hypot(y - place[0], x - place[1]), np.hypot(*(place - centre))
            first_must_be_inside = not inside[i].any() and tries < 150 and from_centre > ring
            if placed == wanted or abs(from_centre - ring) < radius + 2 or taken[away <= radius + 2].any() or first_must_be_inside:
                continue
            taken |= away <= radius
            inside[i] |= (away <= radius) & (from_centre < ring)
            placed += 1
        pictures[i] = np.maximum(pictures[i], 0.9 * taken) + 0.25 * rng.standard_normal((edge, edge))
    return torch.tensor(pictures)[:, None], torch.tensor(inside), size


n_scenes = run.pick(ci=144, laptop=240)
scenes = {"train": ring_scenes(n_scenes, 10), "val": ring_scenes(60, 11), "test": ring_scenes(150, 12)}
scene_parts = {part: (x, y) for part, (x, y, _) in scenes.items()}
share = {name: scenes["test"][1][scenes["test"][2] == name].float().mean().item() for name in SPOTS}
print("share of lesion pixels:", {name: f"{value:.1%}" for name, value in share.items()})
show.row(list(scenes["test"][0][:6, 0]), titles=[f"{name} spots" for name in scenes["test"][2][:6]], overlay=list(scenes["test"][1][:6].numpy()), height=1.8,
         alt="Six noisy images with a ring and bright spots of one size each; the spots inside the ring are outlined as lesions, those outside are not")

# %% tags=["demo"]
class Layers(nn.Module):
    """(B, 1, H, W) -> (B, H, W) logits: convolutions at full resolution, one a dilation."""

    def __init__(self, dilations: tuple, width: int = 10) -> None:
        super().__init__()
        widths = (1, *[width] * len(dilations))
        self.body = nn.Sequential(*(conv_norm(a, b, d) for a, b, d in zip(widths, widths[1:], dilations, strict=False)), nn.Conv2d(width, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)[:, 0]


contestants = {
    "U-Net": lambda: SmallUNet((8, 16, 32, 32)),
    "no skips": lambda: SmallUNet((8, 16, 32, 32), skips=False),
    "small field": lambda: Layers((1, 1, 1)),
    "dilated": lambda: Layers((1, 2, 4, 6, 2)),
}
seeds = range(run.pick(ci=2, laptop=3))
ablation, ring_masks = {}, {}
test_x, test_y, test_size = scenes["test"]
for name, make in contestants.items():
    rows = []
    for seed in seeds:
        ring_masks[name] = predict_2d(fit_2d(make, scene_parts, run.pick(ci=8, laptop=10), seed), test_x) > 0.5
        scores = image_dice(ring_masks[name], test_y)
        rows.append([scores[test_size == size].mean() for size in SPOTS])
    ablation[name] = np.array(rows)  # (seeds, sizes)
    told = "   ".join(f"{size} {m:.3f} +- {s:.3f}" for size, m, s in zip(SPOTS, ablation[name].mean(0), ablation[name].std(0, ddof=1), strict=True))
    print(f"{name:12s} {sum(p.numel() for p in make().parameters()):6,} parameters   Dice: {told}")

# %% tags=["demo"]
fig, (ax, loss_ax) = plt.subplots(1, 2, figsize=(10.5, 3.2), layout="constrained", width_ratios=[1.5, 1])
for k, (name, rows) in enumerate(ablation.items()):
    places = np.arange(3) + 0.2 * (k - 1.5)
    ax.bar(places, rows.mean(0), 0.18, yerr=rows.std(0, ddof=1), color=show.PALETTE[k], hatch=("", "//", "..", "xx")[k], edgecolor="white", label=name)
ax.set(xticks=range(3), xticklabels=[f"{name}\nradius {radius:g}" for name, (radius, _) in SPOTS.items()], ylabel="test Dice", ylim=(0, 1.1))
ax.legend(ncols=4, fontsize=8, loc="upper center")
for k, name in enumerate(("no skips", "small field", "dilated")):
    lost = ablation["U-Net"].mean(0) - ablation[name].mean(0)
    loss_ax.plot(list(SPOTS), lost, "so^"[k] + ("--", "-", ":")[k], color=show.PALETTE[k + 1], label=name)
loss_ax.axhline(0, color="0.6", linewidth=0.8)
loss_ax.set(ylabel="Dice lost against the U-Net", ylim=(-0.1, 0.85))
loss_ax.legend(fontsize=8)
show.figure(fig, alt="Test Dice by spot size: the U-Net and the dilated network are the best two at every size; without skips small spots are nearly lost and large ones nearly kept; the small field is poor at every size")
show.row([test_x[0, 0]] * 5, overlay=[test_y[0], *(masks[0] for masks in ring_masks.values())], titles=["small spots: truth", *ring_masks], height=2,
         alt="One image with small spots, and what each network outlines in it: U-Net and dilated network those inside the ring, without skips most are missed or smeared, the small field marks spots outside as well")
assert (ablation["U-Net"].mean(0) > 0.6).all(), "the U-Net did not learn the task"
assert ablation["no skips"].mean(0)[0] < 0.5 * ablation["U-Net"].mean(0)[0], "without skips the small spots should suffer most"
assert (ablation["small field"].mean(0) < ablation["U-Net"].mean(0) - 0.2).all(), "a field of 7 pixels can't see the wall, so it should lose at every size"
print("U-Net minus dilated:", {size: round(float(lead), 3) for size, lead in zip(SPOTS, ablation["U-Net"].mean(0) - ablation["dilated"].mean(0), strict=True)})

# %% [markdown]
# Two failures with two faces. **Without skips** the network knows inside from outside, but a spot of three pixels did not survive three halvings: it loses nearly everything on small spots and little on large ones. **With a small field** every spot is outlined sharply, and every second one
# is in the wrong place: it loses on all sizes. When you see false alarms, ask for context; when you see missing small things, ask for resolution.
#
# The dilated network has about a seventeenth of the U-Net's parameters and comes close. It pays elsewhere: all its maps have full resolution, so memory and time per parameter are large. On $32 \times 32$ pixels that is nothing; on a CT volume it decides.
#
# ### Odd sizes: where a seam comes from
#
# Pooling halves 33 rows to 16 and drops the last one. Upsampling gives 32, the skip has 33. Something must give, and three habits are common:
#
# | habit | what happens |
# |---|---|
# | stretch the coarse map from 16 to 33 rows | rows slip: the first coarse row fills three rows, and from there on the coarse map lies a pixel too low |
# | crop the skip to 32 | the output has 32 rows: the last row of the patient is gone, or the mask no longer fits the image |
# | double to 32, then **repeat the last row** | rows stay aligned, size is kept |
#
# **Predict before you run.** A bright line lies in row 20 of 33. Pool, then stretch with `interpolate(size=33)`. In which rows does it come back?

# %% tags=["demo"]
def rows_after(habit: str, row: int, high: int = 33) -> np.ndarray:
    """Where a line in one row is bright after pooling and the way back."""
    fine = torch.zeros(1, 1, high, 8)
    fine[0, 0, row] = 1
    coarse = F.max_pool2d(fine, 2)
    back = F.interpolate(coarse, size=(high, 8)) if habit == "stretched" else F.pad(F.interpolate(coarse, scale_factor=2), (0, 0, 0, high % 2), mode="replicate")
    return np.flatnonzero(back[0, 0, :, 0])


fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
for ax, (habit, title) in zip(axes, {"stretched": "16 rows stretched to 33", "doubled": "doubled to 32, last row repeated"}.items(), strict=True):
    for row in range(33):
        ax.scatter(np.full(len(rows_after(habit, row)), row), rows_after(habit, row), s=9, color=show.PALETTE[3 if habit == "stretched" else 0])
    ax.plot([0, 32], [0, 32], color="0.6", linewidth=0.8)
    ax.axvline(20, color="0.6", linestyle=":")
    ax.set(title=title, xlabel="row of the line (dotted: 20)")
axes[0].set_ylabel("rows where it comes back")
show.figure(fig, alt="Rows where a line comes back against its true row: stretched, the points lie beside the diagonal for every second line; doubled and padded, they stay on it; the last row has no point in either, because pooling dropped it")
print("a line in row 20 comes back in rows", rows_after("stretched", 20), "if stretched, in rows", rows_after("doubled", 20), "if doubled")
off = {habit: np.mean([row not in rows_after(habit, row) for row in range(32)]) for habit in ("stretched", "doubled")}
print(f"lines that miss their own row: {off['stretched']:.0%} if stretched, {off['doubled']:.0%} if doubled")

# %% [markdown]
# Many U-Nets for volumes avoid the question: they pad the image to a multiple of 16 beforehand, and crop the answer. You will need both.
#
# ### Exercise 4.2b - the up block of a U-Net
#
# Difficulty 3 of 5 - 5 points - about 15 minutes - *after it you can join a coarse and a fine map without a seam*
#
# Write `up_block(deep, skip, weight, bias)`: double the coarse map (each value becomes $2 \times 2$ equal ones), repeat its last row or column if the skip has one more, concatenate **skip first**, then coarse, convolve with padding that keeps the size, ReLU.
#
# <details><summary>Hint 1: the idea</summary>Row $i$ of the skip must meet row $\lfloor i/2 \rfloor$ of the coarse map; the odd last row meets the last one.</details>
# <details><summary>Hint 2: what to call</summary><code>F.interpolate(deep, scale_factor=2)</code>; <code>F.pad(x, (0, columns, 0, rows), mode="replicate")</code>; <code>torch.cat([...], dim=1)</code>; <code>F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)</code>.</details>
# <details><summary>RuntimeError: expected input to have 5 channels</summary>The kernel is made for the channels of skip and coarse map together. Did you add them, or leave one out?</details>
# <details><summary>Right for even sizes, wrong for odd ones</summary>Did you stretch with <code>interpolate(size=...)</code>, crop the skip, or pad at the top?</details>


# %% nbgrader={"grade": false, "grade_id": "unet-block", "locked": false, "schema_version": 3, "solution": true, "task": false}
def up_block(deep: torch.Tensor, skip: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """One step up in a U-Net.

    Args:
        deep: (B, C_deep, h, w), from below.
        skip: (B, C_skip, H, W), from the left; H is 2h or 2h + 1, W is 2w or 2w + 1.
        weight: (C_out, C_skip + C_deep, k, k), k odd; the first C_skip input channels belong to the skip.
        bias: (C_out,).

    Returns:
        (B, C_out, H, W): the ReLU of the convolution (zero padding k // 2) of the concatenated maps.
        The coarse map is doubled by repetition; a missing last row or column repeats the last one.

    Raises:
        ValueError: H or W fits neither.
    """
    ### BEGIN SOLUTION
    rows, columns = (fine - 2 * coarse for fine, coarse in zip(skip.shape[2:], deep.shape[2:], strict=True))
    if rows not in (0, 1) or columns not in (0, 1):
        raise ValueError(f"a skip of {tuple(skip.shape[2:])} does not fit a coarse map of {tuple(deep.shape[2:])}")
    f = torch.nn.functional
    raised = f.pad(f.interpolate(deep, scale_factor=2), (0, columns, 0, rows), mode="replicate")
    return torch.relu(f.conv2d(torch.cat([skip, raised], 1), weight, bias, padding=weight.shape[-1] // 2))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "unet-block-join", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The join, at even sizes: skip and coarse map side by side in the channels, neither added nor left out
def block_inputs(seed, high, wide, c_deep, c_skip, c_out=3, k=3):
    """deep, skip, weight, bias for a skip of high x wide."""
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=g) for shape in ((2, c_deep, high // 2, wide // 2), (2, c_skip, high, wide), (c_out, c_skip + c_deep, k, k), (c_out,))]


def by_channels(deep, skip, weight, bias):
    """Truth: the convolution as the sum of its two parts, the coarse map looked up by row // 2 and column // 2."""
    rows, columns = (torch.clamp(torch.arange(n) // 2, max=m - 1) for n, m in zip(skip.shape[2:], deep.shape[2:], strict=True))
    parts, pad = (skip, deep[:, :, rows][:, :, :, columns]), weight.shape[-1] // 2
    halves = [torch.nn.functional.conv2d(part, w, padding=pad) for part, w in zip(parts, weight.split([skip.shape[1], deep.shape[1]], 1), strict=True)]
    return halves, torch.relu(sum(halves) + bias[None, :, None, None])


def answer_of(deep, skip, weight, bias):
    """Your block as an array; a kernel that doesn't fit is said in words."""
    try:
        return np.asarray(up_block(deep.clone(), skip.clone(), weight, bias))
    except NotImplementedError:
        raise
    except RuntimeError as error:
        raise AssertionError(f"the kernel expects {weight.shape[1]} channels, skip and coarse map side by side: did you add them, or leave out the skip? ({error})") from error


deep, skip, weight, bias = block_inputs(1, 8, 6, 2, 2)
answer, ((from_skip, from_deep), truth) = answer_of(deep, skip, weight, bias), by_channels(deep, skip, weight, bias)
assert answer.shape == (2, 3, 8, 6), f"expected the skip's size and 3 channels, (2, 3, 8, 6), got {answer.shape}"
tall = deep.repeat_interleave(2, 2).repeat_interleave(2, 3)
summed = [torch.nn.functional.conv2d(skip + tall, w, bias, padding=1).relu() for w in (weight[:, :2], weight[:, 2:])]
assert not any(np.allclose(answer, other, atol=1e-4) for other in summed), "the skip is added to the coarse map; a U-Net concatenates them"
assert not np.allclose(answer, torch.relu(from_deep + bias[None, :, None, None]), atol=1e-4), "the skip is not used at all: where would the small structures come from?"
swapped = torch.nn.functional.conv2d(torch.cat([tall, skip], 1), weight, bias, padding=1).relu()
assert not np.allclose(answer, swapped, atol=1e-4), "the coarse map comes first in your concatenation; the kernel expects the skip first"
assert answer.min() >= 0, "negative values: the ReLU is missing"
assert np.allclose(answer, truth, atol=1e-4), "the values are off at even sizes: double by repetition, concatenate skip first, convolve with zero padding and bias, ReLU"
### BEGIN HIDDEN TESTS
for seed, high, wide, c_deep, c_skip, k in ((2, 4, 10, 3, 1, 3), (3, 6, 6, 1, 4, 1), (4, 8, 8, 5, 2, 5)):
    inputs = block_inputs(seed, high, wide, c_deep, c_skip, 4, k)
    answer = answer_of(*inputs)
    assert answer.shape == (2, 4, high, wide), f"wrong shape with a kernel of {k} x {k}"
    assert np.allclose(answer, by_channels(*inputs)[1], atol=1e-3), f"the values are off for {c_skip} + {c_deep} channels and a kernel of {k} x {k}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "unet-block-odd", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Odd sizes: the answer has the skip's size, and row i of the skip meets row i // 2 of the coarse map
def block_case(seed, high, wide, c_deep, c_skip):
    """deep, skip, weight, bias for a skip of high x wide, and the block's true answer by looking up row // 2 and column // 2."""
    g = torch.Generator().manual_seed(seed)
    deep, skip, weight, bias = (torch.randn(*shape, generator=g) for shape in ((2, c_deep, high // 2, wide // 2), (2, c_skip, high, wide), (3, c_skip + c_deep, 3, 3), (3,)))
    rows, columns = (torch.clamp(torch.arange(n) // 2, max=n // 2 - 1) for n in (high, wide))
    joined = torch.cat([skip, deep[:, :, rows][:, :, :, columns]], 1)
    return (deep, skip, weight, bias), torch.nn.functional.conv2d(joined, weight, bias, padding=1).relu().numpy()


def coarse_rows(high, low):
    """What your block shows of a coarse ramp 1, 2, 3, ... of `low` rows and columns, beside an empty skip of high x high: (high, high)."""
    ramp = torch.arange(1.0, low + 1).repeat(low, 1)
    answer = np.asarray(up_block(ramp.T[None, None].clone(), torch.zeros(1, 1, high, high), torch.tensor([0.0, 1.0]).view(1, 2, 1, 1), torch.zeros(1)))
    assert answer.shape[2:] != (2 * low, 2 * low) or high == 2 * low, "the answer is a row and a column short: don't crop the skip, repeat the last row of the coarse map"
    assert answer.shape == (1, 1, high, high), f"expected the skip's size ({high}, {high}), got shape {answer.shape}"
    return answer[0, 0]


seen = coarse_rows(9, 4)[:, 0]
expected = np.array([1, 1, 2, 2, 3, 3, 4, 4, 4.0])
assert not np.allclose(seen, torch.nn.functional.interpolate(torch.arange(1.0, 5)[None, None], size=9)[0, 0]), f"the coarse rows are stretched, or padded at the top, {seen.round(2)}: misaligned by a row. Double them, then repeat the last at the bottom"
assert seen[0] == 1 and seen[1] == 1, f"the first two rows should meet the first coarse row, yours show {seen[:3].round(2)}: pad at the bottom, not at the top"
assert seen[8] != 0, "the last row is filled with zeros: repeat the last coarse row instead"
assert np.allclose(seen, expected), f"the coarse rows should come as {expected}, yours as {seen.round(2)}"
### BEGIN HIDDEN TESTS
for high in (7, 8, 17, 33):
    rows = np.minimum(np.arange(high) // 2, high // 2 - 1) + 1.0
    assert np.allclose(coarse_rows(high, high // 2), rows[:, None].repeat(high, 1)), f"coarse rows meet the wrong fine rows at size {high}"
for seed, high, wide in ((5, 9, 6), (6, 8, 7), (7, 11, 13)):
    inputs, truth = block_case(seed, high, wide, 2, 3)
    answer = np.asarray(up_block(*inputs))
    assert answer.shape == (2, 3, high, wide), f"a skip of {high} x {wide} should give an answer of that size"
    assert np.allclose(answer, truth, atol=1e-3), f"the values are off for a skip of {high} x {wide}: rows and columns may be odd, each by itself"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "unet-block-refuse", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A skip of another level is a mistake in the wiring: say so, don't stretch. (Good input first: a block that always refuses earns nothing.)
def block_case(seed, high, wide, c_deep, c_skip):
    """deep, skip, weight, bias for a skip of high x wide, and the block's true answer by looking up row // 2 and column // 2."""
    g = torch.Generator().manual_seed(seed)
    deep, skip, weight, bias = (torch.randn(*shape, generator=g) for shape in ((2, c_deep, high // 2, wide // 2), (2, c_skip, high, wide), (3, c_skip + c_deep, 3, 3), (3,)))
    rows, columns = (torch.clamp(torch.arange(n) // 2, max=n // 2 - 1) for n in (high, wide))
    joined = torch.cat([skip, deep[:, :, rows][:, :, :, columns]], 1)
    return (deep, skip, weight, bias), torch.nn.functional.conv2d(joined, weight, bias, padding=1).relu().numpy()


inputs, truth = block_case(8, 6, 6, 1, 1)
answer = np.asarray(up_block(*inputs))
assert answer.shape == truth.shape and np.allclose(answer, truth, atol=1e-4), "a fitting pair of maps should pass, with the right values"
_, _, weight, bias = inputs
for (h, w), (high, wide) in (((5, 5), (12, 12)), ((5, 5), (4, 4)), ((7, 6), (14, 14))):
    try:
        up_block(torch.zeros(2, 1, h, w), torch.zeros(2, 1, high, wide), weight, bias)
    except ValueError:
        pass
    else:
        raise AssertionError(f"a skip of {high} x {wide} does not belong to a coarse map of {h} x {w}: raise ValueError, don't stretch, crop or pad until it fits")
### BEGIN HIDDEN TESTS
for high, wide in ((9, 10), (10, 12), (10, 9), (3, 3), (20, 20)):
    try:
        up_block(torch.zeros(2, 1, 5, 5), torch.zeros(2, 1, high, wide), weight, bias)
    except ValueError:
        pass
    else:
        raise AssertionError(f"a coarse map of 5 x 5 and a skip of {high} x {wide}: raise ValueError")
inputs, truth = block_case(11, 7, 6, 2, 2)
answer = np.asarray(up_block(*inputs))
assert answer.shape == truth.shape and np.allclose(answer, truth, atol=1e-4), "a skip with one more row should still pass"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** Your liver segmenter marks parts of the spleen as liver, with a perfect outline; a colleague's misses metastases below 8 mm, but never mistakes an organ. Both have ten million parameters. What do you change in yours, and what in hers?
#
# <details><summary>Answer</summary>Yours lacks context: a perfectly drawn wrong organ. Give it a larger patch, another level, or dilation, and check its real receptive field in millimetres, not in voxels. Hers lacks resolution: check that fine maps reach the output through skips at full
# resolution, that the first layer doesn't stride, and that she doesn't resample to coarse voxels before. More parameters would help neither.</details>

# %% [markdown]
# ## 4.3 Volumetric segmentation
#
# The hippocampus is a few centimetres long, and shrinks years before Alzheimer's disease shows. A trial wants its volume to within a few percent, in a thousand scans. A neuroradiologist who draws it slice by slice
# needs most of an hour for each side. A 3-D network needs a second.
#
# Three things change when you go from pictures to volumes:
#
# | In 2-D | In 3-D | What you do |
# |---|---|---|
# | the picture fits into memory | the volume does not | train on **patches**, chosen so that they show the organ; predict in a **sliding window** |
# | pixels are square | voxels often are not | measure in **millimetres** |
# | one picture, one case | neighbouring slices show one patient | split and resample **patients** |
#
# The real task: crops of MR scans with the **anterior** (head) and the **posterior** hippocampus (body and tail) drawn by hand. In the viewer the anterior part is outlined in orange and lies towards the face, the posterior one in green behind it.

# %% tags=["demo"]
import nibabel as nib

hippo = data.load("hippocampus", profile=run.profile)


def read_cases(split) -> list[tuple[np.ndarray, np.ndarray]]:
    """(image, label) of each case: image z-scored over its own volume (MR has no units), label 0, 1, 2; both (X, Y, Z) at 1 mm."""
    cases = []
    for image_path, label_path in zip(split.images, split.labels, strict=True):
        image, label = (np.asarray(nib.load(path).dataobj) for path in (image_path, label_path))
        cases.append((((image - image.mean()) / image.std()).astype(np.float32), label.astype(np.int64)))
    return cases


hippo_cases = {part: read_cases(getattr(hippo, part)) for part in ("train", "val", "test")}
first_image, first_label = hippo_cases["train"][0]
show.slices(first_image, overlay=first_label, alt="A slice of the MR crop with the outlines of the anterior hippocampus, orange, and of the posterior one behind it, green")
shares = np.array([[np.mean(label == c) for c in (1, 2)] for _, label in hippo_cases["train"]])
print({part: len(cases) for part, cases in hippo_cases.items()}, "cases;", f"anterior {shares[:, 0].mean():.1%}, posterior {shares[:, 1].mean():.1%} of the voxels")

# %% [markdown]
# ### Patches that show something
#
# A chest CT of $512 \times 512 \times 300$ voxels doesn't fit through a network for training, so we cut patches. Where? If every place is equally likely, a small organ is hardly ever in the patch, and the network learns that
# "background" is always right. nnU-Net (Isensee et al., Nature Methods 2021) therefore **balances**: a third of the patches are centred on a voxel of the organ, the others lie anywhere.
#
# **Predict before you run.** A chest at 3 mm, with one nodule 12 mm wide. You cut cubes of 24 voxels (72 mm) at random. How many of a hundred touch the nodule: 40, 15 or 4?

# %% tags=["demo"]
chest = simulate.thorax(nodule_diameter_mm=12, spacing=3.0, seed=run.seed)
nodule, cube = chest.masks["nodule"], 24
centre_rng = np.random.default_rng(run.seed)
anywhere = centre_rng.integers(0, np.array(nodule.shape) - cube + 1, (300, 3))
spots = np.argwhere(nodule)[centre_rng.integers(0, nodule.sum(), 100)]
on_nodule = np.clip(spots - cube // 2, 0, np.array(nodule.shape) - cube)
mixed = np.r_[on_nodule, anywhere[:200]]  # a third of the patches on the nodule


def touches(corners: np.ndarray) -> np.ndarray:
    """Does the cube at each corner hold a voxel of the nodule?"""
    return np.array([nodule[x : x + cube, y : y + cube, z : z + cube].any() for x, y, z in corners])


fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
k = int(np.argwhere(nodule)[:, 1].mean())
for ax, corners, title in ((axes[0], anywhere, "anywhere"), (axes[1], mixed, "a third on the nodule")):
    ax.imshow(chest.hu[:, k].T, vmin=-1000, vmax=300, origin="lower")
    hit = touches(corners)
    ax.scatter(*(corners[~hit][:, [0, 2]] + cube / 2).T, s=12, color=show.PALETTE[1], edgecolor="black", linewidth=0.5, label="centre, patch without nodule")
    ax.scatter(*(corners[hit][:, [0, 2]] + cube / 2).T, s=45, marker="^", color=show.PALETTE[5], edgecolor="black", linewidth=0.8, label="centre, patch with nodule")
    ax.set(title=f"{title}: {hit.mean():.0%} show the nodule")
    ax.invert_xaxis()
    ax.set_axis_off()
axes[0].legend(loc="lower center", fontsize=8, framealpha=0.9, frameon=True)
show.figure(fig, alt="A coronal chest slice with the centres of 300 patches, twice: drawn anywhere few patches show the nodule, balanced more than a third do")
print(f"the nodule is {nodule.mean():.4%} of the volume; {touches(anywhere).mean():.0%} of random patches and {touches(mixed).mean():.0%} of balanced ones show it")

# %% [markdown]
# And even a patch that touches the nodule is mostly background. In a whole-body scan it is worse by a factor of ten.
#
# ### Exercise 4.3a - foreground-balanced patches
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can feed a network with patches of a rare organ*
#
# Write `patch_corners(mask, size, n, share, seed)`. The first $\mathrm{round}(\mathrm{share}\cdot n)$ patches belong to the organ: draw one of its voxels, each equally likely, and put the patch's middle there. The rest lie anywhere. A patch that would stick out is
# moved back until it is inside; it still holds its voxel then.
#
# <details><summary>Hint 1: the idea</summary>Work with the corner with the lowest indices. Which corners are allowed along an axis of 10 voxels, for a patch of 4? And how do you get from the middle to the corner?</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.argwhere(mask)</code> lists the organ's voxels. <code>numpy.random.default_rng(seed).integers(low, high)</code> leaves <code>high</code> out. <code>numpy.clip</code> takes
# an array as its bound.</details>
# <details><summary>The last layer of the volume is never in a patch</summary>The last allowed corner is shape - size, and it must be possible: add 1 to the upper bound of <code>integers</code>.</details>
# <details><summary>It fails on a patient without a lesion</summary>Then <code>argwhere</code> is empty, and nothing can be drawn from it. Let all patches lie anywhere.</details>


# %% nbgrader={"grade": false, "grade_id": "balanced-patches", "locked": false, "schema_version": 3, "solution": true, "task": false}
def patch_corners(mask: np.ndarray, size: tuple[int, int, int], n: int, share: float, seed: int) -> np.ndarray:
    """Lowest corners of n patches, a share of them centred on the organ.

    Args:
        mask: (X, Y, Z) bool, the organ; may be empty.
        size: voxels of a patch along each axis.
        n: how many patches; share: of them, round(share * n) belong to the organ, 0 to 1.
        seed: the same seed gives the same patches, another seed gives others.

    Returns:
        (n, 3) whole numbers, each patch is mask[x:x+size[0], y:y+size[1], z:z+size[2]] and lies inside the volume. The organ's patches come first: for each draw a voxel v
        of the organ, all equally likely, and take the corner v - size // 2, moved back into the volume if need be. For the rest every corner from 0 to shape - size (included) is
        equally likely on each axis. If the mask is empty, all patches are such.

    Raises:
        ValueError: the patch is larger than the volume along an axis.
    """
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    last = np.array(mask.shape) - np.array(size)
    if (last < 0).any():
        raise ValueError(f"a patch of {tuple(size)} doesn't fit into a volume of {mask.shape}: pad the volume first")
    corners = rng.integers(0, last + 1, (n, 3))
    voxels, first = np.argwhere(mask), round(share * n)
    if len(voxels):
        drawn = voxels[rng.integers(0, len(voxels), first)]
        corners[:first] = np.clip(drawn - np.array(size) // 2, 0, last)
    return corners
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "balanced-patches-inside", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Every patch lies inside the volume, also when the organ touches its border; and every corner that fits can come
organ = np.zeros((12, 9, 10), bool)
organ[0, 0, 0] = organ[11, 8, 9] = True
corners = np.asarray(patch_corners(organ, (4, 5, 6), 400, 0.5, 0))
assert corners.shape == (400, 3), f"expected one corner (x, y, z) a patch, shape (400, 3), got {corners.shape}"
assert np.equal(np.mod(corners, 1), 0).all(), "corners should be whole numbers: they index voxels"
assert corners.min() >= 0, "a corner is negative: an index of -2 counts from the other end, so that the patch is empty or from elsewhere. Move the patch back inside"
assert (corners + [4, 5, 6] <= organ.shape).all(), "a patch sticks out at the far end: the largest corner is shape - size"
assert (corners[200:].max(0) == [8, 4, 4]).all() and (corners[200:].min(0) == 0).all(), "some allowed corners never come: the rest must reach from 0 to shape - size, both included"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(2)
for seed in range(4):
    shape, size = rng.integers(8, 14, 3), rng.integers(2, 8, 3)
    organ = rng.random(shape) < 0.02
    corners = np.asarray(patch_corners(organ, tuple(size.tolist()), 900, 0.3, seed))
    assert corners.shape == (900, 3), "one corner (x, y, z) a patch, for other sizes, too"
    assert corners.min() >= 0 and (corners + size <= shape).all(), "a patch lies partly outside of the volume"
    for axis in range(3):
        counts = np.bincount(corners[300:, axis].astype(int), minlength=shape[axis] - size[axis] + 1)
        assert len(counts) == shape[axis] - size[axis] + 1 and counts.min() > 0, "some allowed corners never come: from 0 to shape - size, both included"
        assert counts.max() < 3 * counts.mean() + 10, "the patches that may lie anywhere should lie anywhere, with equal chance"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "balanced-patches-foreground", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The first patches belong to the organ, and show all of it; the rest do not
organ = np.zeros((40, 40, 40), bool)
organ[20:23, 20:23, 10:12] = organ[8, 30, 30] = True
corners = np.asarray(patch_corners(organ, (6, 7, 8), 300, 1 / 3, 1))
assert corners.shape == (300, 3), f"expected shape (300, 3), got {corners.shape}"
middles = (corners + np.array([3, 3, 4])).astype(int)
inside = ((middles >= 0) & (middles < 40)).all(1)
hits = np.array([bool(ok and organ[tuple(m)]) for m, ok in zip(middles, inside, strict=True)])
assert len(np.unique(middles[:100], axis=0)) > 8, "the organ's patches sit on few voxels: draw any of its voxels, each equally likely, not its centre or its first one"
assert hits.any(), "no patch has a voxel of the organ in its middle: the corner is v - size // 2, not the voxel itself"
assert hits[:100].all(), f"the first 100 of 300 patches should have a voxel of the organ at corner + size // 2; {hits[:100].sum()} do. Do they come first, and are they centred?"
assert hits[100:].mean() < 0.1, f"{hits[100:].mean():.0%} of the other patches are on the organ, too: then the network hardly sees the rest of the body"
assert not np.array_equal(corners, patch_corners(organ, (6, 7, 8), 300, 1 / 3, 2)), "another seed should give other patches: do you ignore it?"
assert np.array_equal(corners, patch_corners(organ, (6, 7, 8), 300, 1 / 3, 1)), "the same seed should give the same patches"
### BEGIN HIDDEN TESTS
for share, first in ((0.0, 0), (0.5, 500), (1.0, 1000)):
    corners = np.asarray(patch_corners(organ, (4, 4, 4), 1000, share, 5))
    assert corners.shape == (1000, 3), "one corner a patch"
    middles = (corners + 2).astype(int)
    inside = ((middles >= 0) & (middles < 40)).all(1)
    hits = np.array([bool(ok and organ[tuple(m)]) for m, ok in zip(middles, inside, strict=True)])
    assert hits[:first].all() and hits[first:].sum() <= 20, "round(share * n) patches should be centred on the organ, the rest lie anywhere"
    if first:
        counts = np.array([np.all(middles[:first] == v, axis=1).sum() for v in np.argwhere(organ)])
        assert counts.min() > 0 and counts.max() < 3 * counts.mean(), "every voxel of the organ should be equally likely"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "balanced-patches-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A healthy patient has no lesion to centre on; and a patch that does not fit must be refused
empty = np.zeros((10, 10, 10), bool)
try:
    corners = np.asarray(patch_corners(empty, (4, 4, 4), 200, 0.5, 0))
except (ValueError, IndexError) as problem:
    raise AssertionError(f"with an empty mask it fails ({problem}): there is no voxel to draw, so let all patches lie anywhere") from None
assert corners.shape == (200, 3), f"with an empty mask all 200 patches should lie anywhere; got shape {corners.shape}"
assert corners.min() >= 0 and corners.max() <= 6, "with an empty mask a patch lies outside of the volume"
assert len(np.unique(corners[:100], axis=0)) > 50, "with an empty mask the organ's share of patches should lie anywhere, not all at one place"
try:
    patch_corners(empty, (4, 11, 4), 5, 0.5, 0)
except ValueError:
    pass
else:
    raise AssertionError("a patch of 11 voxels in a volume of 10 must raise ValueError")
### BEGIN HIDDEN TESTS
corners = np.asarray(patch_corners(np.ones((5, 6, 7), bool), (5, 6, 7), 8, 0.5, 0))
assert corners.shape == (8, 3) and (corners == 0).all(), "a patch as large as the volume has one place: corner 0, 0, 0"
try:
    patch_corners(np.ones((5, 6, 7), bool), (5, 6, 8), 8, 0.5, 0)
except ValueError:
    pass
else:
    raise AssertionError("a patch longer than the volume along the last axis must raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### The 3-D U-Net, and what each part is worth
#
# The **3-D U-Net** (Cicek et al., MICCAI 2016) is the U-Net of section 4.2 with cubes for squares. A block is two convolutions, each with **instance norm**: batches hold two patches, too few for batch norm. On the way down the cube is halved, on the way up
# it is doubled, and the skip brings back the detail. The loss is cross-entropy plus (1 - soft Dice), mean over both parts.
#
# Two switches let you take parts away: `skips=False`, and a kernel that is flat in one direction, which sees slices and never their neighbours.

# %% tags=["demo"]
from torch import nn
import torch.nn.functional as F


class VolumeNet(nn.Module):
    """(B, 1, X, Y, Z) -> (B, classes, X, Y, Z) logits; edges must be divisible by 2 ** (levels - 1).

    Args:
        widths: channels of each level, from the finest on.
        kernel: (3, 3, 3), or (1, 3, 3) for a network that sees one sagittal slice at a time.
        skips: join the finer level on the way up, or leave it out.
    """

    def __init__(self, widths: tuple, kernel: tuple = (3, 3, 3), skips: bool = True, classes: int = 3) -> None:
        super().__init__()
        self.skips, self.halve = skips, tuple(2 if k > 1 else 1 for k in kernel)
        reverse = widths[::-1]

        def block(c_in: int, c_out: int) -> nn.Sequential:
            layers = []
            for c in (c_in, c_out):
                layers += [nn.Conv3d(c, c_out, kernel, padding=[k // 2 for k in kernel], bias=False), nn.InstanceNorm3d(c_out, affine=True), nn.LeakyReLU(0.01)]
            return nn.Sequential(*layers)

        self.down = nn.ModuleList(block(a, b) for a, b in zip((1, *widths), widths, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose3d(a, b, self.halve, self.halve) for a, b in zip(reverse, reverse[1:], strict=False))
        self.join = nn.ModuleList(block(2 * b if skips else b, b) for b in reverse[1:])
        self.head = nn.Conv3d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool3d(x, self.halve) if level else x)
            kept.append(x)
        for up, join, finer in zip(self.up, self.join, kept[-2::-1], strict=True):
            x = up(x)
            x = join(torch.cat([x, finer], 1) if self.skips else x)
        return self.head(x)


def dice_ce(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy + 1 - soft Dice of the two parts; logits (B, 3, X, Y, Z), target (B, X, Y, Z)."""
    p, t = logits.softmax(1), F.one_hot(target, logits.shape[1]).movedim(-1, 1).float()
    dice = (2 * (p * t).sum((0, 2, 3, 4)) + 1) / ((p + t).sum((0, 2, 3, 4)) + 1)
    return F.cross_entropy(logits, target) + 1 - dice[1:].mean()


# %% [markdown]
# **Augmentation**, all in one resampling: the patch's grid is turned by up to 15 degrees, scaled by up to a quarter, bent a little, and put at its place; the image is read there with linear
# interpolation, the label with **nearest neighbour**. Halfway between label 0 and label 2 there is no label 1. Then contrast, brightness and noise change. We don't mirror: head and tail would stay true, but all
# these crops show the hippocampus the same way round, and a mirrored one would never come.

# %% tags=["demo"]
GRID = (48, 64, 48)  # every crop is padded to this: larger than the largest, divisible by 8


def on_grid(cases: list) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N, 1, *GRID), edges repeated, and labels (N, *GRID), padded with background."""
    images, labels = [], []
    for image, label in cases:
        pad = [((g - n) // 2, g - n - (g - n) // 2) for g, n in zip(GRID, image.shape, strict=True)]
        images.append(np.pad(image, pad, mode="edge"))
        labels.append(np.pad(label, pad))
    return torch.tensor(np.stack(images))[:, None], torch.tensor(np.stack(labels))


def augmented(image: torch.Tensor, label: torch.Tensor, middle: torch.Tensor, size: tuple, g: torch.Generator) -> tuple:
    """One patch (1, *size) of an image (1, *GRID), and of its label, about a middle (3,) in voxels."""

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=g) * (high - low) + low

    a, b, c = uniform(-0.26, 0.26, 3).tolist()
    turn = torch.linalg.matrix_exp(torch.tensor([[0, -c, b], [c, 0, -a], [-b, a, 0]]))
    places = torch.stack(torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in size), indexing="ij"), -1)
    bend = F.interpolate(1.5 * torch.randn(1, 3, 5, 6, 5, generator=g), size=size, mode="trilinear", align_corners=True)[0].movedim(0, -1)
    places = places @ (turn * uniform(0.85, 1.15, 3) * uniform(0.9, 1.1, 1)).T + bend + middle
    places = (2 * places / (torch.tensor(GRID) - 1) - 1).flip(-1)[None]  # grid_sample wants z, y, x in -1 .. 1
    x = F.grid_sample(image[None], places, padding_mode="border", align_corners=True)[0]
    y = F.grid_sample(label[None, None].float(), places, mode="nearest", align_corners=True)[0, 0].long()
    noise = uniform(0, 0.15, 1) * torch.randn(x.shape, generator=g)
    return x * (1 + 0.15 * torch.randn(1, generator=g)) + 0.15 * torch.randn(1, generator=g) + noise, y


hippo_grid = {part: on_grid(cases) for part, cases in hippo_cases.items()}
demo_g = torch.Generator().manual_seed(run.seed)
shown = [augmented(hippo_grid["train"][0][0], hippo_grid["train"][1][0], torch.tensor(GRID) / 2, (32, 48, 32), demo_g) for _ in range(4)]
show.row([x[0, 16].T.flip(0) for x, _ in shown], overlay=[y[16].T.flip(0).numpy() for _, y in shown], height=2.2, titles=[f"view {i + 1}" for i in range(4)],
         alt="Four augmented patches of one case, seen from the side: turned, scaled and bent, with the outlines of both parts moved along")

# %% [markdown]
# Now the training. Patches are cut as in exercise 4.3a, a share of them centred on the organ. The learning rate goes up and comes down once (one cycle). And we keep an **exponential moving average** of the weights,
# $\bar\theta \leftarrow 0.98\,\bar\theta + 0.02\,\theta$: a smoother network than any single step, for free. It also saves us from choosing an epoch: what we use is the average at the end.

# %% tags=["demo"]
from monai.inferers import sliding_window_inference
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def train_volume(net: nn.Module, grids: tuple, size: tuple, steps: int, share: float = 0.67, lr: float = 4e-3, seed: int = 0) -> nn.Module:
    """Train on random patches, two a step; returns the averaged network in eval mode."""
    images, labels = grids
    g, organs = torch.Generator().manual_seed(seed), [torch.nonzero(label).float() for label in labels]
    net = net.to(device).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.15)
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.98 if steps > 300 else 0.93))
    half, room = torch.tensor(size) / 2, torch.tensor(GRID) - torch.tensor(size)
    for _ in range(steps):
        batch = []
        for i in torch.randint(len(images), (2,), generator=g).tolist():
            middle = half + torch.rand(3, generator=g) * room
            if torch.rand(1, generator=g).item() < share:
                voxel = organs[i][torch.randint(len(organs[i]), (1,), generator=g).item()]
                middle = torch.minimum(torch.maximum(voxel, half), half + room)
            batch.append(augmented(images[i], labels[i], middle, size, g))
        x, y = (torch.stack(parts).to(device) for parts in zip(*batch, strict=True))
        optimizer.zero_grad()
        dice_ce(net(x), y).backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(net)
    return average.module.eval()


def case_dice(net: nn.Module, cases: list, size: tuple) -> tuple[np.ndarray, list]:
    """Dice (N, 2) of anterior and posterior on whole, unpadded volumes, by MONAI's sliding window; and the label maps."""
    found, maps = [], []
    for image, label in cases:
        with torch.no_grad():
            logits = sliding_window_inference(torch.tensor(image)[None, None].to(device), size, 4, net, overlap=0.5, mode="gaussian", padding_mode="replicate")
        maps.append(logits[0].argmax(0).cpu().numpy())
        found.append([2 * np.sum((maps[-1] == c) & (label == c)) / max(np.sum(maps[-1] == c) + np.sum(label == c), 1) for c in (1, 2)])
    return np.array(found), maps


# %% [markdown]
# **Predict before you run.** Four networks get the same few seconds: the full one, one without skips, one that sees sagittal slices only, and one whose patches are not balanced. Rank them before you look. Which loss is the largest?

# %% tags=["demo"]
SMALL, STEPS = (24, 32, 24), run.pick(ci=64, laptop=150)
variants = {
    "full": ({}, {}),
    "no skips": ({"skips": False}, {}),
    "slices only": ({"kernel": (1, 3, 3)}, {}),
    "patches not balanced": ({}, {"share": 0.0}),
}
volume_ablation, small_nets = {}, {}
for name, (network, training) in variants.items():
    torch.manual_seed(run.seed)
    small_nets[name] = train_volume(VolumeNet((8, 16, 32), **network), hippo_grid["train"], SMALL, steps=STEPS, lr=2e-2, seed=run.seed, **training)
    volume_ablation[name], _ = case_dice(small_nets[name], hippo_cases["val"], SMALL)
    print(f"{name:22s} validation Dice {volume_ablation[name].mean():.3f}  (anterior {volume_ablation[name][:, 0].mean():.3f}, posterior {volume_ablation[name][:, 1].mean():.3f})")

fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for row_number, values in enumerate(volume_ablation.values()):
    ax.scatter(values.mean(1), np.full(len(values), row_number), s=22, color=show.PALETTE[row_number], alpha=0.6)
    ax.plot([values.mean()] * 2, [row_number - 0.3, row_number + 0.3], color=show.PALETTE[row_number], linewidth=3)
ax.set(yticks=range(len(volume_ablation)), yticklabels=list(volume_ablation), xlabel="Dice of one validation case (bar: mean)")
ax.invert_yaxis()
show.figure(fig, alt="Dice of every validation case for four networks: the full network, without skips, on slices only, and with unbalanced patches")
for name in ("no skips", "slices only"):
    assert volume_ablation["full"].mean() - volume_ablation[name].mean() > 0.02, f"the full network should learn faster than the one with '{name}'"

# %% [markdown]
# All four had the same number of steps, far too few for any of them. So this shows how *fast* they learn as much as what they could learn in the end. Without skips the outline has to pass through a grid of a quarter of the resolution. A sagittal slice often can't tell
# where the head ends, or whether a grey blob is the hippocampus at all: the slice beside it can. Balance matters less here than in the chest: these crops are cut around the organ, and every second random patch shows some of it. Trust the order of the first and the last more than that of
# neighbours: this is one training each. (In profile `ci` some of the four have not begun to find the organ when the steps are over: their Dice is 0.)

# %% [markdown]
# ### The sliding window
#
# The network has learned on patches; the clinic sends volumes. So a window slides over the volume, and the network looks at one window at a time. Near the border of a window it lacks half of its context and guesses. If windows
# only touch, the guesses meet at a **seam**. The cure: let windows overlap, and trust the middle more than the border. With window $k$ at its place, its output $f_k$ and a Gaussian weight $w$ about the window's middle,
#
# $$F(x) = \frac{\sum_k w(x - c_k)\, f_k(x)}{\sum_k w(x - c_k)},\qquad w(r) = \exp\Big(-\sum_a \frac{r_a^2}{2\sigma_a^2}\Big),\qquad \sigma_a = \text{size}_a / 8 ,$$
#
# with $f_k$ what the network says in window $k$, and $c_k$ the centre of that window.
#
# **Predict before you run.** The same network is run three ways: windows that touch, windows that overlap by half and count alike, and the same with Gaussian weights. How much larger than elsewhere is the jump in probability from one voxel to the next
# where windows meet?

# %% tags=["demo"]
seam_volumes = on_grid(hippo_cases["val"])[0].to(device)  # 48 x 64 x 48, windows of 24 x 32 x 24
ways = {"windows touch": (0.0, "constant"), "overlap, equal weights": (0.5, "constant"), "overlap, Gaussian": (0.5, "gaussian")}
probability, seam_jump = {}, {}
for name, (overlap, mode) in ways.items():
    with torch.no_grad():
        logits = torch.cat([sliding_window_inference(one[None], SMALL, 8, small_nets["full"], overlap=overlap, mode=mode) for one in seam_volumes])
    probability[name] = (1 - logits.softmax(1)[:, 0]).cpu().numpy()
    jumps = np.abs(np.diff(probability[name], axis=2)).mean((0, 1, 3))  # from slice to slice along Y, over all validation cases
    meet = np.arange(16, 64, 16) - 1 if overlap else np.array([31])  # where windows begin or end
    near = np.concatenate([meet - 2, meet + 2])
    seam_jump[name] = jumps[meet].mean() / jumps[near].mean()
fig, axes = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained")
for ax, (name, (overlap, _)) in zip(axes, ways.items(), strict=True):
    shade = ax.imshow(probability[name][0, 22].T, origin="lower", vmin=0, vmax=1)
    parts = np.array([1, 2, 3]) if overlap else np.array([2])
    ax.set(xticks=16 * parts - 0.5, xticklabels=[], yticks=12 * parts - 0.5, yticklabels=[], xlabel="ticks: windows begin or end")
    ax.set_title(f"{name}: jump x {seam_jump[name]:.2f}", fontsize=10)
fig.colorbar(shade, ax=axes, label="probability of hippocampus")
show.figure(fig, alt="Probability of hippocampus in a sagittal slice, three ways: straight steps where windows touch, fainter ones with equal weights, hardly any with Gaussian weights")
print("mean jump where windows meet, over that two slices before and after:", {name: round(float(value), 2) for name, value in seam_jump.items()})

# %% [markdown]
# Two things make the seam. Zeros stand where the neighbours should be. And instance norm takes its mean from the window: a window without hippocampus is stretched until something in it looks like one. Equal weights only spread the step over more places, each half as high.
#
# ### Exercise 4.3b - the sliding window
#
# Difficulty 4 of 5 - 5 points - about 25 minutes - *after it you can run a patch network on a volume of any size*
#
# Write `sliding_window(volume, size, overlap, operator)`. In place of a network stands `patch_network(patch, operator, size)` from the next cell. It takes one patch of exactly the window's size, as a real one would; where the volume is smaller than the window, pad it at the far end, and cut back.
#
# <details><summary>Hint 1: the idea</summary>Two empty volumes: one collects weight times output, one collects weight. Divide at the end. Along each axis list where windows begin; the last one is moved back so that it ends with the volume.</details>
# <details><summary>Hint 2: what to call</summary><code>range(0, last, step)</code> and then <code>last</code> itself; <code>itertools.product</code> for three axes; <code>numpy.pad</code> if the volume is too small.
# The weight is a product of three 1-D Gaussians: <code>a[:, None, None] * b[None, :, None] * c</code>.</details>
# <details><summary>There are nan, or zeros, at the far end</summary>No window gets there. With 10 voxels, a size of 4 and a step of 3, windows begin at 0, 3 and 6. With 11 voxels they begin at 0, 3, 6 and 7.</details>
# <details><summary>A constant volume doesn't stay constant</summary>You add up windows without dividing by the sum of their weights.</details>

# %% tags=["given"]
def patch_network(patch: np.ndarray, operator: str, size: tuple[int, int, int]) -> np.ndarray:
    """What a network does to one patch; the result has the patch's shape.

    Args:
        patch: of exactly the shape `size`.
        operator: "local" looks at one voxel at a time; "smooth" is the mean of 3 x 3 x 3 voxels, with zeros outside of the patch, so that it is wrong at the patch's border;
            "place" returns at each voxel its index along the first axis of the patch, whatever the patch shows.
    """
    from scipy.ndimage import uniform_filter

    patch = np.asarray(patch, dtype=float)
    if patch.shape != tuple(size):
        raise ValueError(f"the network takes patches of {tuple(size)} only, not {patch.shape}")
    if operator == "local":
        return patch**2 - 3 * patch + 1
    if operator == "smooth":
        return uniform_filter(patch, 3, mode="constant")
    if operator == "place":
        return np.broadcast_to(np.arange(size[0], dtype=float)[:, None, None], patch.shape).copy()
    raise ValueError(f"the operator is 'local', 'smooth' or 'place', not {operator!r}")


# %% nbgrader={"grade": false, "grade_id": "sliding-window", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sliding_window(volume: np.ndarray, size: tuple[int, int, int], overlap: float, operator: str) -> np.ndarray:
    """Run `patch_network(patch, operator, size)` over a volume and blend its outputs with Gaussian weights.

    Args:
        volume: (X, Y, Z), any size of at least 1 voxel; must not be changed.
        size: voxels of the window along each axis, each at least 2.
        overlap: share of a window that the next one covers as well, 0 to below 1.
        operator: handed on to `patch_network`.

    Returns:
        (X, Y, Z): at each voxel the mean of the outputs of all windows that cover it, weighted with w. Along each axis windows begin at 0, step, 2 step, ... as long as they fit, with
        step = max(1, int(size * (1 - overlap))); one more ends exactly with the volume if these don't reach its end. w is the product over the axes of exp(-(i - (size - 1) / 2)^2 / (2 sigma^2)), with i the
        index in the window and sigma = size / 8. Where the volume is smaller than the window, pad it (with zeros), and cut the result back.
    """
    ### BEGIN SOLUTION
    from itertools import product

    shape = volume.shape
    padded = np.pad(volume, [(0, max(s - n, 0)) for n, s in zip(shape, size, strict=True)])
    begins, bells = [], []
    for n, s in zip(padded.shape, size, strict=True):
        last, step = n - s, max(1, int(s * (1 - overlap)))
        begins.append(sorted({*range(0, last + 1, step), last}))
        bells.append(np.exp(-((np.arange(s) - (s - 1) / 2) ** 2) / (2 * (s / 8) ** 2)))
    weight = bells[0][:, None, None] * bells[1][None, :, None] * bells[2]
    total, weights = np.zeros(padded.shape), np.zeros(padded.shape)
    for begin in product(*begins):
        here = tuple(slice(b, b + s) for b, s in zip(begin, size, strict=True))
        total[here] += weight * patch_network(padded[here], operator, size)
        weights[here] += weight
    return (total / weights)[tuple(slice(n) for n in shape)]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "sliding-window-local", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# For a local operator windows don't matter: the result is that of the whole volume, also when sizes don't divide
rng = np.random.default_rng(0)
for shape, size, overlap in (((12, 12, 12), (6, 6, 6), 0.5), ((13, 9, 11), (6, 4, 5), 0.5), ((10, 11, 7), (4, 4, 4), 0.0), ((9, 9, 9), (4, 4, 4), 0.3)):
    volume = rng.normal(size=shape)
    kept, truth = volume.copy(), volume**2 - 3 * volume + 1
    found = np.asarray(sliding_window(volume, size, overlap, "local"), dtype=float)
    assert found.shape == shape, f"the result should have the volume's shape {shape}, not {found.shape}"
    assert np.isfinite(found).all(), f"{np.mean(~np.isfinite(found)):.0%} of the voxels are nan or inf: no window covers them. Is the last window there, moved back to end with the volume?"
    right = np.isclose(found, truth, atol=1e-4)
    assert right[tuple(slice(0, s // 2) for s in size)].all(), "where windows overlap the output is too large or too small: divide the sum of weight x output by the sum of the weights"
    assert right.all(), f"{np.mean(~right):.0%} of a {shape} volume is wrong with windows of {size}: sizes that don't divide need one more window, which ends with the volume"
    assert np.array_equal(volume, kept), "you changed the caller's volume"
### BEGIN HIDDEN TESTS
for seed in range(6):
    rng = np.random.default_rng(seed + 20)
    size = tuple(rng.integers(2, 9, 3).tolist())
    shape = tuple(int(s + rng.integers(0, 9)) for s in size)
    volume = rng.normal(50, 20, shape)
    found = np.asarray(sliding_window(volume, size, float(rng.choice([0, 0.25, 0.5, 0.75])), "local"), dtype=float)
    assert found.shape == shape, "the result should have the volume's shape"
    assert np.allclose(found, volume**2 - 3 * volume + 1, rtol=1e-3, atol=1e-2), "another volume: a local operator should give the same in windows as on the whole"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "sliding-window-blend", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Blending: "place" shows which part of which window counts; along one axis you can write the truth down
def blended(n, s, overlap, weighted=True):
    """The truth for "place": along the first axis, with all windows weighted, or all alike."""
    last, step = n - s, max(1, int(s * (1 - overlap)))
    total, weights, i = np.zeros(n), np.zeros(n), np.arange(s)
    for begin in sorted({*range(0, last + 1, step), last}):
        w = np.exp(-((i - (s - 1) / 2) ** 2) / (2 * (s / 8) ** 2)) if weighted else np.ones(s)
        total[begin : begin + s] += w * i
        weights[begin : begin + s] += w
    return total / weights


volume = np.random.default_rng(1).normal(size=(16, 9, 8))
found = np.asarray(sliding_window(volume, (8, 6, 8), 0.5, "place"), dtype=float)
assert found.shape == volume.shape, f"the result should have the volume's shape {volume.shape}, not {found.shape}"
along, steps = found[:, 4, 4], np.arange(16)
assert np.allclose(found, along[:, None, None], atol=1e-4), "along the other axes nothing changes here, but your result does: is the sum of weights taken over all three axes?"
assert not np.allclose(along, blended(16, 8, 0.5, weighted=False), atol=1e-3), "all windows count the same: the border of one, where it guesses, is mixed half and half with the middle of another, and seams stay. Weight with the Gaussian"
late, early = np.where(steps < 4, steps, (steps - 4) % 4 + np.where(steps >= 12, 4, 0)), np.where(steps < 8, steps, (steps - 8) % 4 + 4)
assert not np.allclose(along, late, atol=1e-3) and not np.allclose(along, early, atol=1e-3), "a window overwrites the one before it: add up weight x output instead, or the seams stay"
assert np.allclose(along, blended(16, 8, 0.5), atol=1e-3), "windows are blended, but not with these weights: the middle is (size - 1) / 2, sigma is size / 8, and the step int(size * (1 - overlap))"
### BEGIN HIDDEN TESTS
for n, s, overlap in ((17, 8, 0.5), (20, 6, 0.25), (15, 5, 0.7), (12, 4, 0.0), (11, 7, 0.5)):
    found = np.asarray(sliding_window(np.zeros((n, 5, 5)), (s, 5, 3), overlap, "place"), dtype=float)
    assert found.shape == (n, 5, 5) and np.allclose(found, blended(n, s, overlap)[:, None, None], atol=1e-3), "other sizes and overlaps: the blend is not that of the formula"
found = np.asarray(sliding_window(np.ones((16, 16, 16)), (8, 8, 8), 0.5, "smooth"), dtype=float)
truth = [0.0] * 16
for axis_value, i in ((2 / 3, 0), (1.0, 2), (1.0, 13)):
    assert found.shape == (16, 16, 16) and np.isclose(found[i, 6, 6], axis_value * found[2, 6, 6], atol=0.02), "the smoothed constant should fall only at the border of the volume, not at that of a window"
assert found[3:13, 3:13, 3:13].min() > 0.97, "seams: inside the volume a smoothed constant should stay nearly constant"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "sliding-window-small", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A volume smaller than the window, along one axis or all: a thin stack of slices must not fail
for shape, size in (((20, 20, 3), (8, 8, 8)), ((2, 3, 4), (6, 6, 6)), ((6, 6, 6), (6, 6, 6))):
    volume = np.random.default_rng(3).normal(size=shape)
    found = np.asarray(sliding_window(volume, size, 0.5, "local"), dtype=float)
    assert found.shape == shape, f"a volume of {shape} came back as {found.shape}: cut off what you padded"
    assert np.allclose(found, volume**2 - 3 * volume + 1, atol=1e-4), f"a volume of {shape} with windows of {size} is wrong: where it is smaller, pad it, then cut back at the same end"
### BEGIN HIDDEN TESTS
for shape, size, overlap in (((3, 15, 4), (5, 4, 4), 0.25), ((1, 1, 1), (3, 2, 4), 0.9), ((7, 2, 9), (7, 9, 4), 0.0)):
    volume = np.random.default_rng(4).normal(size=shape)
    found = np.asarray(sliding_window(volume, size, overlap, "local"), dtype=float)
    assert found.shape == shape and np.allclose(found, volume**2 - 3 * volume + 1, atol=1e-4), "another small volume comes back wrong: pad, run, cut back"
### END HIDDEN TESTS

# %% [markdown]
# ### How far off, in millimetres?
#
# Dice counts voxels. A surgeon asks something else: how far is your border from the true one, at its worst? The **surface** of a mask are its voxels with a face neighbour outside. From each voxel of surface $S_A$ there is a distance to the nearest
# voxel of $S_B$, and back. From these distances come
#
# - the **Hausdorff distance**: the largest of all. One stray voxel decides it, so one takes the 95th percentile instead: $\mathrm{HD}_{95} = \max\big(P_{95}(d_{A\to B}),\,P_{95}(d_{B\to A})\big)$;
# - the **surface Dice** (Nikolov et al., Journal of Medical Internet Research 2021): the share of both surfaces that is within a tolerance $\tau$ of the other, such as the difference between two readers.
#
# Distances are in **millimetres**. A voxel of $1 \times 1 \times 5$ mm is one step long along each axis for a computer, and one or five millimetres for a patient.
#
# **Predict before you run.** Two masks differ by a shift of one voxel: first in the plane, then across slices that are 5 mm apart. A program that counts voxels gives the same HD95 for both. What is it in mm?

# %% tags=["demo"]
import ipywidgets as widgets
from monai.metrics.utils import get_mask_edges, get_surface_distance


def surface_gaps(mask_a: np.ndarray, mask_b: np.ndarray, voxel: tuple | None) -> list[np.ndarray]:
    """Distances from each surface to the other by MONAI, in mm; in steps of a voxel if the voxel's size is None."""
    edges = get_mask_edges(mask_a, mask_b, crop=False)
    return [np.asarray(get_surface_distance(*pair, spacing=voxel)) for pair in (edges, edges[::-1])]


def draw_shift(slice_step: float = 5.0) -> plt.Figure:
    """A ball, 24 mm wide, moved by one voxel in the plane and across slices."""
    voxel = np.array([1.0, 1.0, slice_step])
    shape = np.ceil(48 / voxel).astype(int)
    where = np.stack(np.meshgrid(*((np.arange(n) - n // 2) * s for n, s in zip(shape, voxel, strict=True)), indexing="ij"))
    ball = (where**2).sum(0) < 12**2
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    for ax, axis, name in ((axes[0], 0, "one voxel in the plane"), (axes[1], 2, "one slice")):
        moved = np.roll(ball, 1, axis)
        mm, steps = (max(np.percentile(gap, 95) for gap in surface_gaps(ball, moved, v)) for v in (voxel.tolist(), None))
        middle = shape[1] // 2
        ax.imshow(ball[:, middle].T * 1.0 + moved[:, middle].T, cmap=show.SEQUENTIAL, origin="lower", aspect=slice_step)
        ax.set(title=f"moved by {name}\nHD95 {steps:.1f} voxels = {mm:.1f} mm", xlabel="in the plane (1 mm)", ylabel=f"slices ({slice_step:g} mm)")
    return fig


show.explore(draw_shift, alt="A ball in thick slices and its copy, moved by one voxel in the plane and by one slice; HD95 is one voxel both times, but 1 mm and 5 mm",
             slice_step=widgets.FloatSlider(value=5.0, min=1.0, max=8.0, step=1.0, description="slice step (mm)", continuous_update=False))

# %% [markdown]
# ### Exercise 4.3c - surface distances
#
# Difficulty 3 of 5 - 5 points - about 18 minutes - *after it you can say how far off a contour is, in the patient*
#
# Write `surface_distances(a, b, spacing)`.
#
# <details><summary>Hint 1: the idea</summary>Find both surfaces. A distance transform of "everything but the surface of B" tells at every voxel how far B's surface is. Read it at the surface of A.</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.ndimage.binary_erosion(mask)</code> takes off one layer (outside of the array it sees background). <code>scipy.ndimage.distance_transform_edt(x, sampling=spacing)</code> gives, where x is true, the distance to the
# nearest voxel where it is false.</details>
# <details><summary>Most of my distances are 0</summary>You read at every voxel of A, not only at its surface. Or you measure to the mask B instead of to its surface: then whatever lies inside of B counts as perfect.</details>
# <details><summary>My distances are whole numbers, whatever the spacing</summary>Those are voxels. Hand the spacing to the distance transform.</details>


# %% nbgrader={"grade": false, "grade_id": "surface-distances", "locked": false, "schema_version": 3, "solution": true, "task": false}
def surface_distances(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Distances in mm between the surfaces of two masks, both ways.

    The surface of a mask are its voxels of which at least one of the six face neighbours is not in the mask; what lies outside of the array is not in it.

    Args:
        a, b: (X, Y, Z) bool.
        spacing: size of a voxel in mm along X, Y, Z.

    Returns:
        Two 1-D arrays in any order of voxels: for each voxel of a's surface the distance of its centre to the nearest voxel centre of b's surface, in mm; and for each of b's surface that to a's.
        A mask that is empty has no surface: its own array is empty, and the other's distances are all inf.

    Raises:
        ValueError: the shapes differ, or a spacing is not above 0.
    """
    ### BEGIN SOLUTION
    from scipy.ndimage import binary_erosion, distance_transform_edt

    if a.shape != b.shape:
        raise ValueError(f"the masks have shapes {a.shape} and {b.shape}: resample one onto the other first")
    if min(spacing) <= 0:
        raise ValueError(f"spacing must be above 0 mm on each axis, not {spacing}")
    surfaces = [mask & ~binary_erosion(mask) for mask in (a, b)]
    far = [distance_transform_edt(~s, sampling=spacing) if s.any() else np.full(s.shape, np.inf) for s in surfaces]
    return far[1][surfaces[0]], far[0][surfaces[1]]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "surface-distances-surface", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Which voxels count: the surface of one, measured to the surface of the other. A block inside a block, 3 voxels deeper on every side
outer, inner = np.zeros((13, 13, 13), bool), np.zeros((13, 13, 13), bool)
outer[1:12, 1:12, 1:12] = inner[4:9, 4:9, 4:9] = True
answer = surface_distances(inner, outer, (1.0, 1.0, 1.0))
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two arrays: from a's surface to b's, and from b's to a's"
to_outer, to_inner = (np.asarray(d, dtype=float) for d in answer)
assert to_outer.ndim == 1 and to_inner.ndim == 1, "each array should be 1-D: one distance a voxel of the surface"
assert len(to_outer) not in (125, 1331), "you measure from every voxel of the mask; only its surface counts"
assert (len(to_outer), len(to_inner)) != (602, 98), "the two directions are swapped: a's surface to b's comes first"
assert (len(to_outer), len(to_inner)) == (98, 602), f"the surfaces have 98 and 602 voxels, you return {len(to_outer)} and {len(to_inner)}: voxels of the mask with a face neighbour outside"
assert to_outer.max() > 0, "the inner block lies within the outer one, and your distances are 0: measure to the surface of b, not to the mask"
assert np.allclose(to_outer, 3), f"from the inner surface it is 3 mm to the outer one everywhere; you find {to_outer.min():.2f} to {to_outer.max():.2f}"
assert np.isclose(to_inner.max(), np.sqrt(27)) and np.isclose(to_inner.min(), 3), "from the outer surface it is 3 mm, at a corner the square root of 27"
### BEGIN HIDDEN TESTS
from scipy.spatial.distance import cdist

for seed in range(4):
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 7, 8, 6)) < (0.6, 0.9)[seed % 2]  # dense, and touching the border of the array
    points = []
    for mask in (a, b):
        p = np.pad(mask, 1)
        deep = p[:-2, 1:-1, 1:-1] & p[2:, 1:-1, 1:-1] & p[1:-1, :-2, 1:-1] & p[1:-1, 2:, 1:-1] & p[1:-1, 1:-1, :-2] & p[1:-1, 1:-1, 2:]
        points.append(np.argwhere(mask & ~deep))
    between = cdist(*points)
    both = surface_distances(a, b, (1.0, 1.0, 1.0))
    assert [np.shape(d) for d in both] == [(n,) for n in between.shape], "a surface has another number of voxels: face neighbours count, edge and corner neighbours do not, and a voxel at the border of the array belongs to it"
    for got, truth, fault in zip(both, (between.min(1), between.min(0)), ("from a to b", "from b to a"), strict=True):
        assert np.allclose(np.sort(np.asarray(got)), np.sort(truth)), f"the distances {fault} are off on random masks"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "surface-distances-mm", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Millimetres: one voxel apart along each axis in turn, with spacing 0.5, 2 and 5 mm
for axis, mm in enumerate((0.5, 2.0, 5.0)):
    a, b = np.zeros((7, 7, 7), bool), np.zeros((7, 7, 7), bool)
    a[3, 3, 3] = True
    b[tuple(3 + np.eye(3, dtype=int)[axis])] = True
    forth, back = (np.asarray(d, dtype=float) for d in surface_distances(a, b, (0.5, 2.0, 5.0)))
    assert forth.shape == (1,) and back.shape == (1,), f"one voxel has one distance each way, got shapes {forth.shape} and {back.shape}"
    assert mm == 1 or not np.allclose(forth, 1), f"you count voxels: along axis {axis} one voxel is {mm} mm. Use the spacing"
    assert axis == 1 or not np.allclose(forth, (5.0, 2.0, 0.5)[axis]), "the spacing is read in reverse: its first number belongs to the first axis"
    assert np.allclose(forth, mm), f"one voxel along axis {axis} is {mm} mm, you say {forth[0]:.2f}"
### BEGIN HIDDEN TESTS
from scipy.spatial.distance import cdist

for seed in range(3):
    rng = np.random.default_rng(seed + 9)
    a, b = rng.random((2, 9, 8, 7)) < 0.02
    a[4, 4, 4] = b[2, 5, 3] = True
    spacing = tuple(rng.uniform(0.4, 6, 3).tolist())
    between = cdist(np.argwhere(a) * spacing, np.argwhere(b) * spacing)  # scattered voxels: nearly all are surface
    for got, truth in zip(surface_distances(a, b, spacing), (between.min(1), between.min(0)), strict=True):
        assert np.shape(got) == truth.shape and np.allclose(np.sort(np.asarray(got)), np.sort(truth)), "with another spacing the nearest voxel may be another one: measure in mm before you look for the nearest"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "surface-distances-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What a clinic sends: a segmentation that found nothing, a file without a spacing, two grids
a, none = np.zeros((5, 6, 7), bool), np.zeros((5, 6, 7), bool)
a[2, 2:4, 3] = True
forth, back = (np.asarray(d, dtype=float) for d in surface_distances(a, none, (1.0, 1.0, 1.0)))
assert forth.shape == (2,) and back.shape == (0,), f"two voxels against an empty mask: shapes (2,) and (0,), not {forth.shape} and {back.shape}"
assert np.isinf(forth).all(), f"to an empty mask the distance is inf, not {forth[0]:g}: what is not there is not near"
for b, spacing, fault in ((a, (1.0, 0.0, 1.0), "a spacing of 0 mm"), (np.zeros((5, 6, 8), bool), (1.0, 1.0, 1.0), "masks of different shape")):
    try:
        surface_distances(a, b, spacing)
    except ValueError:
        pass
    else:
        raise AssertionError(f"{fault} must raise ValueError")
### BEGIN HIDDEN TESTS
forth, back = surface_distances(none, a, (1.0, 2.0, 3.0))
assert np.shape(forth) == (0,) and np.shape(back) == (2,) and np.isinf(np.asarray(back)).all(), "an empty first mask: no distances of its own, and inf for the other"
forth, back = surface_distances(none, none, (1.0, 2.0, 3.0))
assert np.shape(forth) == (0,) and np.shape(back) == (0,), "two empty masks have no distances at all"
try:
    surface_distances(a, a, (1.0, 1.0, -1.0))
except ValueError:
    pass
else:
    raise AssertionError("a negative spacing must raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4.3d - HD95 and surface Dice
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can read a distance that one stray voxel can't spoil*
#
# Write `surface_scores(forth, back, tolerance)`, which takes the two arrays of exercise 4.3c.
#
# <details><summary>Hint 1: the idea</summary>HD95: one percentile for each direction, then the worse one. Surface Dice: count in both arrays together.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.percentile(x, 95)</code> doesn't take an empty array, and gives nan between two inf. Deal with the special cases first.</details>
# <details><summary>I get nan</summary>One mask is empty. Two empty masks agree perfectly; one empty mask is infinitely wrong.</details>


# %% nbgrader={"grade": false, "grade_id": "surface-scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
def surface_scores(forth: np.ndarray, back: np.ndarray, tolerance: float) -> tuple[float, float]:
    """HD95 and surface Dice from surface distances.

    Args:
        forth, back: (N,), (M,) distances in mm from each surface to the other. If one mask is empty, its array has no entry, and the other's are inf; if both are, both have none.
        tolerance: in mm; a distance of exactly the tolerance is within it.

    Returns:
        HD95 in mm: the larger of the 95th percentiles of forth and of back, each as numpy.percentile gives it; 0 if both are empty, inf if one is.
        Surface Dice: the share of all N + M distances that are within the tolerance; 1 if both are empty, 0 if one is.
    """
    ### BEGIN SOLUTION
    if not len(forth) and not len(back):
        return 0.0, 1.0
    if not len(forth) or not len(back):
        return float("inf"), 0.0
    hd95 = max(np.percentile(forth, 95), np.percentile(back, 95))
    return float(hd95), float(np.mean(np.concatenate([forth, back]) <= tolerance))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "surface-scores-hd95", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# HD95: the 95th percentile of each direction, then the larger one. 97 distances of 1 mm, and three strays
forth, back = np.r_[np.ones(97), 40.0, 50.0, 60.0], np.full(60, 2.0)
answer = surface_scores(forth, back, 1.0)
assert np.shape(answer) == (2,), "return two numbers: HD95 and surface Dice"
h = float(answer[0])
assert not np.isclose(h, 60), "that is the maximum: one stray voxel decides. Take the 95th percentile"
assert not np.isclose(h, 1), "that is one direction only, or the smaller one: the other mask's surface is 2 mm away. Take the larger of both directions"
assert not np.isclose(h, 1.5), "that is the mean of both directions; take the larger"
assert np.isclose(h, 2), f"HD95 should be 2 mm here, got {h:.3g}"
forth, back = np.r_[np.full(90, 0.5), np.full(10, 9.0)], np.linspace(0, 2, 900)
h, turned = (float(surface_scores(*pair, 1.0)[0]) for pair in ((forth, back), (back, forth)))
assert not np.isclose(h, 0.5), "numpy.percentile counts in per cent: 95, not 0.95"
assert not np.isclose(h, np.percentile(np.r_[forth, back], 95)), "you pool both directions into one percentile: the larger surface drowns the smaller one's error. One percentile each"
assert np.isclose(h, 9) and np.isclose(turned, 9), "HD95 must be the same when the masks change places: the larger of both directions"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(8)
for n, m in ((7, 30), (200, 41), (1, 3), (55, 55)):
    forth, back = rng.gamma(2, 2, n), rng.gamma(2, 1.5, m)
    truth = max(np.percentile(forth, 95), np.percentile(back, 95))
    for pair in ((forth, back), (back, forth)):
        assert np.isclose(float(surface_scores(*pair, 2.0)[0]), truth), "HD95 is off on random distances: the larger of both 95th percentiles"
    assert np.isclose(float(surface_scores(3 * forth, 3 * back, 2.0)[0]), 3 * truth), "three times the distances, three times the HD95"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "surface-scores-dice", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Surface Dice: both surfaces together, a distance of exactly the tolerance is within
forth, back = np.array([0.0, 1.0, 1.0, 3.0]), np.array([0.0, 0.0, 0.5, 0.0, 0.0, 2.0])
s = float(surface_scores(forth, back, 1.0)[1])
assert not np.isclose(s, 0.6), "a distance of exactly the tolerance is within it: <=, not <"
assert not np.isclose(s, (3 / 4 + 5 / 6) / 2), "you average both shares; count both surfaces together, so that the larger counts more"
assert not np.isclose(s, 3 / 4) and not np.isclose(s, 5 / 6), "you count one surface only; both belong to it"
assert not np.isclose(s, 0.2), "that is the share beyond the tolerance: 1 is the best surface Dice"
assert np.isclose(s, 0.8), f"8 of 10 voxels are within 1 mm, so 0.8; got {s:.3g}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(9)
for tolerance in (0.0, 0.5, 2.0, 100.0):
    forth, back = rng.integers(0, 9, 31) / 2, rng.integers(0, 6, 70) / 2
    truth = (np.sum(forth <= tolerance) + np.sum(back <= tolerance)) / 101
    assert np.isclose(float(surface_scores(forth, back, tolerance)[1]), truth), "surface Dice is off for another tolerance"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "surface-scores-empty", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Empty masks: both empty agree perfectly; one empty is as wrong as can be, and never nan
none, lost = np.zeros(0), np.full(4, np.inf)
try:
    both_empty, one_empty = surface_scores(none, none, 1.0), surface_scores(lost, none, 1.0)
except (ValueError, IndexError, ZeroDivisionError) as problem:
    raise AssertionError(f"with an empty mask it fails ({problem}): numpy.percentile and max take no empty array, so deal with that case first") from None
h, s = (float(value) for value in both_empty)
assert not np.isnan(h) and not np.isnan(s), "two empty masks give nan; they agree perfectly: 0 mm and 1"
assert h == 0 and s == 1, f"two empty masks agree perfectly: HD95 0 and surface Dice 1, not {h:g} and {s:g}"
h, s = (float(value) for value in one_empty)
assert h == np.inf, f"if one mask is empty, HD95 is inf, not {h:g}: a lesion that was missed must not be left out of the mean"
assert s == 0, f"if one mask is empty, surface Dice is 0, not {s:g}"
### BEGIN HIDDEN TESTS
for n in (1, 20, 37):
    h, s = (float(value) for value in surface_scores(none, np.full(n, np.inf), 3.0))
    assert h == np.inf and s == 0, "the other mask empty: HD95 inf, surface Dice 0"
### END HIDDEN TESTS

# %% [markdown]
# ### The real run
#
# Now the deep network: four levels, patches that hold nearly the whole organ, all training and validation cases. The recipe was chosen by validation; here it is trained once more with validation cases added, for a fixed number of steps, and
# the test cases are used once.
#
# Two figures stand beside it. A trivial baseline: the **majority atlas**, the commonest label at each place over the training cases, the same answer for everybody. And the published one: nnU-Net reached a Dice of 0.90
# (anterior) and 0.89 (posterior) on this task (Isensee et al. 2021), with more training cases, an ensemble, and a GPU for days. Its test cases are not ours, so this is a landmark, not a race.
#
# **Predict before you run.** The crops are all cut in the same way. What Dice does the atlas reach that never looks at the image: 0.1, 0.4 or 0.6?

# %% tags=["demo"]
PATCH = run.pick(ci=(24, 32, 24), laptop=(32, 48, 32))
final_grid = tuple(torch.cat(parts) for parts in zip(hippo_grid["train"], hippo_grid["val"], strict=True))
torch.manual_seed(run.seed)
volume_net = train_volume(
    VolumeNet(run.pick(ci=(8, 16, 32), laptop=(16, 32, 64, 96))), final_grid, PATCH, steps=run.pick(ci=130, laptop=1000), lr=run.pick(ci=2e-2, laptop=4e-3), seed=run.seed
)
net_dice, net_maps = case_dice(volume_net, hippo_cases["test"], PATCH)

votes = F.one_hot(final_grid[1], 3).sum(0).argmax(-1).numpy()  # majority of labels at each place of the padded grid
atlas_maps = []
for image, _ in hippo_cases["test"]:
    begin = [(g - n) // 2 for g, n in zip(GRID, image.shape, strict=True)]
    atlas_maps.append(votes[tuple(slice(b, b + n) for b, n in zip(begin, image.shape, strict=True))])


# %% [markdown]
# The interval comes from a bootstrap over cases: draw as many cases as there are, with replacement, take the mean, 2000 times.

# %% tags=["demo"]
def interval(per_case: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Mean over cases (N,) with its 95 % bootstrap interval."""
    draws = np.random.default_rng(seed).integers(0, len(per_case), (2000, len(per_case)))
    return float(per_case.mean()), *(float(value) for value in np.percentile(per_case[draws].mean(1), [2.5, 97.5]))


def evaluate_maps(maps: list) -> dict[str, np.ndarray]:
    """Dice, HD95 (mm) and surface Dice at 1 mm, each (N, 2), of label maps against the test labels; voxels of these crops are 1 mm cubes."""
    found = {"Dice": [], "HD95 (mm)": [], "surface Dice at 1 mm": []}
    for predicted, (_, truth) in zip(maps, hippo_cases["test"], strict=True):
        for part in (1, 2):
            mine, true = predicted == part, truth == part
            gaps = surface_gaps(mine, true, (1.0, 1.0, 1.0))
            found["Dice"].append(2 * np.sum(mine & true) / (mine.sum() + true.sum()))
            found["HD95 (mm)"].append(max(np.percentile(gap, 95) if len(gap) else np.inf for gap in gaps))
            found["surface Dice at 1 mm"].append(np.mean(np.concatenate(gaps) <= 1))
    return {name: np.reshape(values, (-1, 2)) for name, values in found.items()}


volume_scores = {"3-D U-Net": evaluate_maps(net_maps), "majority atlas": evaluate_maps(atlas_maps)}
for name, scores_here in volume_scores.items():
    for measure, values in scores_here.items():
        parts = [f"{part} {m:.3f} ({lo:.3f} to {hi:.3f})" for part, (m, lo, hi) in (("anterior", interval(values[:, 0])), ("posterior", interval(values[:, 1])))]
        print(f"{name:15s} {measure:22s}{';  '.join(parts)}")
print("nnU-Net, published:  Dice                  anterior 0.90;  posterior 0.89")

# %% tags=["demo"]
mean_net, mean_atlas = volume_scores["3-D U-Net"]["Dice"].mean(1), volume_scores["majority atlas"]["Dice"].mean(1)  # one figure a case
order = np.argsort(mean_net)
fig, axes = plt.subplots(1, 4, figsize=(13, 2.9), layout="constrained", width_ratios=[1.3, 1.3, 1.3, 1.2])
for ax, (name, k) in zip(axes, (("worst", order[0]), ("median", order[len(order) // 2]), ("best", order[-1])), strict=False):
    image, truth = hippo_cases["test"][k]
    x = int(np.argmax((truth > 0).sum((1, 2))))  # the sagittal slice with most of the organ
    ax.imshow(image[x].T, origin="lower", vmin=-1.5, vmax=3)
    for c, color in ((1, show.PALETTE[1]), (2, show.PALETTE[5])):
        show.outline(ax, truth[x].T == c, color)
        show.outline(ax, net_maps[k][x].T == c, color, linestyle="dotted")
    ax.set_title(f"{name}: Dice {mean_net[k]:.2f}", fontsize=10)
    ax.set_axis_off()
for column, (values, marker) in enumerate(((mean_atlas, "s"), (mean_net, "o"))):
    axes[3].scatter(np.full(len(values), column) + np.linspace(-0.15, 0.15, len(values)), values, s=14, marker=marker, color=show.PALETTE[column])
    axes[3].hlines(values.mean(), column - 0.3, column + 0.3, color="black")
axes[3].axhline((0.90 + 0.89) / 2, linestyle=":", color="black")
axes[3].text(1.45, 0.90, "nnU-Net, published", ha="right", va="bottom", fontsize=9)
axes[3].set(xticks=[0, 1], xticklabels=["atlas", "3-D U-Net"], xlim=(-0.5, 1.5), ylabel="Dice of a test case")
show.figure(fig, alt="Three sagittal slices with the true outline, full, and the network's, dotted: worst, median and best test case. Right: Dice of all test cases, atlas far below the network, nnU-Net's published mean as a line")
volume_dice, atlas_dice = interval(mean_net), interval(mean_atlas)
volume_hd95 = interval(volume_scores["3-D U-Net"]["HD95 (mm)"].mean(1))
volume_surface = interval(volume_scores["3-D U-Net"]["surface Dice at 1 mm"].mean(1))
print(f"mean of both parts: Dice {volume_dice[0]:.3f} ({volume_dice[1]:.3f} to {volume_dice[2]:.3f}), atlas {atlas_dice[0]:.3f}, nnU-Net 0.895; "
      f"HD95 {volume_hd95[0]:.2f} mm ({volume_hd95[1]:.2f} to {volume_hd95[2]:.2f})")
assert volume_dice[0] > run.pick(ci=0.65, laptop=0.86), f"the 3-D network reached a Dice of {volume_dice[0]:.3f} only: it has not learned"
assert volume_dice[1] > atlas_dice[2], "the network is not clearly better than the atlas that never looks at the image"

# %% [markdown]
# Read HD95 beside Dice. A network that was trained only briefly, as in the profile `ci`, leaves stray blobs far from the organ. They cost little Dice, but HD95 sees them, and there even the atlas can be better: it is never far off.
#
# Full lines are the reader's, dotted ones the network's. Most errors are a voxel along the surface, and at one place: where the head ends and the body begins. There is no edge in the image there. It is an agreement between people,
# and two readers don't draw it at the same slice either (section 4.5).
#
# Our interval is over test cases of one hospital. It says nothing about another scanner, nor about another training run. And since the archive does not say which crops are the left and the right side of one person, some test persons may
# have a side in the training set: the figure can be a little too good.
#
# **Checkpoint.** A vendor reports "HD95 1.4" for a prostate network, measured on scans of $0.6 \times 0.6 \times 4$ mm, and does not name a unit. What do you ask, and what could the number mean?
#
# <details><summary>Answer</summary>In voxels or in mm? If in voxels, 1.4 steps could be 0.8 mm in the plane or more than 4 mm if one step goes across slices: harmless, or a missed margin. If in mm, an error of one whole slice never came in the worst 5 % of the surface,
# which you should check at apex and base, where slices decide. Then: percentile of which direction, how were empty predictions counted, and was the truth resampled before?</details>

# %% [markdown]
# ## 4.4 Interactive segmentation
#
# A radiotherapist needs the contour of a tumour this afternoon. The automatic one is right for nine parts and wrong for one. Drawing it anew takes twenty minutes. Better: she **clicks** where it is wrong, and the network
# mends the rest. The measure of such a tool is her time: how many clicks until the contour is good enough?
#
# Four parts make an interactive segmentation:
#
# 1. **Encode the clicks** as images of the scan's shape, one for positive clicks ("this belongs to it") and one for negative ones ("this does not"), and feed them in as channels.
# 2. **Train with a simulated user** (Xu et al., CVPR 2016): nobody clicks ten thousand times. The simulated user knows the truth, and clicks where the error is largest.
# 3. **Show the network its last answer** as one more channel, so that a click mends instead of starting anew (Sofiiuk et al., ICIP 2022).
# 4. **Measure the number of clicks** to a Dice of 90 %, with the same kind of user.
#
# ### Encoding a click
#
# Three maps are common: a **disk** about each click, a **Gaussian** $\exp(-d^2 / 2\sigma^2)$, and the **distance** $d$ itself. Here $d$ is the distance in mm to the *nearest* click. The distance map reaches over the whole
# image, so one new click changes it everywhere; disks and Gaussians change it only nearby. Which is easier to learn from has been measured: disks did best for Benenson et al. (CVPR 2019).
#
# **Predict before you run.** Two clicks lie close together. A program *adds* two Gaussians. What does the network see between them, compared with the maximum of both?

# %% tags=["demo"]
def draw_maps(sigma_mm: float = 4.0) -> plt.Figure:
    """Three encodings of two clicks on a grid of 1 x 3 mm, in mm."""
    rows_mm, columns_mm = np.meshgrid(np.arange(40) * 1.0, np.arange(16) * 3.0, indexing="ij")
    to_clicks = np.stack([np.hypot(rows_mm - r, columns_mm - c) for r, c in ((16.0, 21.0), (20.0, 24.0))])
    near, bells = to_clicks.min(0), np.exp(-(to_clicks**2) / (2 * sigma_mm**2))
    pictures = {"disk": near <= sigma_mm, "Gaussian, maximum": bells.max(0), "Gaussians, added": bells.sum(0), "distance (mm)": near}
    fig, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
    for ax, (name, values) in zip(axes, pictures.items(), strict=True):
        shown_map = ax.imshow(values, cmap=show.SEQUENTIAL, aspect=1 / 3, vmin=0)
        fig.colorbar(shown_map, ax=ax, shrink=0.6)
        ax.plot([21 / 3, 24 / 3], [16, 20], "P", color="white", markersize=8, markeredgecolor="black")
        ax.set_title(f"{name}\nup to {values.max():.3g}", fontsize=9)
        ax.set_axis_off()
    return fig


show.explore(draw_maps, alt="Four maps of two clicks: disks, the maximum of two Gaussians, their sum, which exceeds 1 between the clicks, and the distance to the nearest click",
             sigma_mm=widgets.FloatSlider(value=4.0, min=1.0, max=10.0, step=0.5, description="sigma (mm)", continuous_update=False))

# %% [markdown]
# Added Gaussians exceed 1 where clicks are close: the value no longer means "near a click", and with every further click the network sees values that it never met in training. Take the maximum.
#
# ### Exercise 4.4a - encode clicks
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can hand a user's clicks to a network*
#
# Write `encode_clicks(clicks, shape, spacing, sigma)` with Gaussians.
#
# <details><summary>Hint 1: the idea</summary>Two channels, each the maximum over its own clicks. A channel without clicks is zero everywhere.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.indices(shape)</code> has shape (d, *shape). Subtract the place, multiply by the spacing, square, sum over the first axis. <code>numpy.maximum</code> joins two maps.</details>
# <details><summary>My blob is round in voxels</summary>Then it is an ellipse in the patient. Multiply each axis by its spacing before you square.</details>


# %% nbgrader={"grade": false, "grade_id": "encode-clicks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def encode_clicks(clicks: list, shape: tuple, spacing: tuple, sigma: float) -> np.ndarray:
    """Clicks as two images for a network.

    Args:
        clicks: a list of (place, positive): place a tuple of d voxel indices, positive True for "belongs to it", False for "does not". May be empty.
        shape: of the image, d numbers (d is 2 or 3).
        spacing: size of a voxel in mm along each axis, d numbers.
        sigma: in mm, above 0.

    Returns:
        (2, *shape): channel 0 for the positive clicks, channel 1 for the negative ones. The value at a voxel is exp(-dist^2 / (2 sigma^2)), dist its distance in mm to the nearest click of that kind;
        0 everywhere if there is none.
    """
    ### BEGIN SOLUTION
    maps, index = np.zeros((2, *shape)), np.indices(shape)
    scale = np.reshape(spacing, (-1,) + (1,) * len(shape))
    for place, positive in clicks:
        offset = (index - np.reshape(place, scale.shape)) * scale
        channel = 0 if positive else 1
        maps[channel] = np.maximum(maps[channel], np.exp(-(offset**2).sum(0) / (2 * sigma**2)))
    return maps
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "encode-clicks-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The value of one click: 1 at its place, exp(-1/2) one sigma away - in mm, along every axis
maps = np.asarray(encode_clicks([((10, 4), True)], (21, 9), (1.0, 4.0), 4.0), dtype=float)
assert maps.shape == (2, 21, 9), f"expected two channels of the image's shape, (2, 21, 9), got {maps.shape}"
assert maps[1, 10, 4] < 0.5 or maps[0, 10, 4] > 0.5, "a positive click is in channel 1: channel 0 is for the positive ones"
assert maps[0, 10, 4] > maps[0, 0, 0], "the map is lowest at the click: that is a distance map. The Gaussian is 1 at the click and falls to 0"
assert np.isclose(maps[0, 10, 4], 1), f"at the click the value is 1, not {maps[0, 10, 4]:.3g}: a density that integrates to 1 would be too faint to see"
assert not np.isclose(maps[0, 10, 5], np.exp(-1 / 32)), "one voxel along the second axis is 4 mm here, and you take it for 1: multiply by the spacing"
assert np.isclose(maps[0, 10, 5], np.exp(-0.5)) and np.isclose(maps[0, 14, 4], np.exp(-0.5)), "one sigma away in mm (four voxels along the first axis, one along the second) the value is exp(-1/2) = 0.607"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(5)
for shape in ((9, 12), (6, 7, 8)):
    spacing, sigma = tuple(rng.uniform(0.5, 5, len(shape)).tolist()), float(rng.uniform(1, 6))
    place = tuple(int(rng.integers(0, n)) for n in shape)
    square = sum((((np.arange(n) - p) * s) ** 2).reshape([-1 if i == axis else 1 for i in range(len(shape))]) for axis, (n, p, s) in enumerate(zip(shape, place, spacing, strict=True)))
    maps = np.asarray(encode_clicks([(place, False)], shape, spacing, sigma), dtype=float)
    assert maps.shape == (2, *shape), "two channels of the image's shape, in 2-D and in 3-D"
    assert np.allclose(maps[1], np.exp(-square / (2 * sigma**2)), atol=1e-4), "the value is off for another place, spacing or sigma"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "encode-clicks-several", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Several clicks, of both kinds, or none at all (the first time round)
maps = np.asarray(encode_clicks([], (5, 6, 7), (1.0, 1.0, 2.0), 3.0), dtype=float)
assert maps.shape == (2, 5, 6, 7), f"without clicks there should still be two channels, shape (2, 5, 6, 7), got {maps.shape}"
assert (maps == 0).all(), "without clicks both channels should be 0 everywhere"
clicks = [((5, 5), True), ((5, 7), True), ((2, 9), False)]
maps = np.asarray(encode_clicks(clicks, (12, 12), (1.0, 1.0), 2.0), dtype=float)
assert maps.shape == (2, 12, 12), f"expected shape (2, 12, 12), got {maps.shape}"
assert not (np.isclose(maps[0, 2, 9], 1) and np.isclose(maps[1, 5, 5], 1)), "positive and negative are swapped: channel 0 is for the positive clicks"
assert maps.max() < 1.0001, f"the map reaches {maps.max():.3g}: you add up clicks that are close. The nearest click counts: take the maximum"
assert maps[0, 2, 9] < 0.9 and maps[1, 5, 5] < 0.9, "positive and negative clicks are in the same channel: keep them apart"
assert np.isclose(maps[0, 5, 5], 1) and np.isclose(maps[0, 5, 7], 1), "every click is 1 at its place: is an earlier one overwritten by a later one?"
assert np.isclose(maps[0, 5, 6], np.exp(-1 / 8)) and np.isclose(maps[1, 2, 9], 1), "between two clicks the nearer one counts"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(6)
for shape in ((10, 11), (7, 6, 8)):
    spacing = tuple(rng.uniform(0.5, 4, len(shape)).tolist())
    clicks = [(tuple(int(rng.integers(0, n)) for n in shape), bool(i % 3)) for i in range(8)]
    voxels = np.argwhere(np.ones(shape)) * spacing
    truth = [np.max([np.exp(-((voxels - np.multiply(p, spacing)) ** 2).sum(1) / 18) for p, sign in clicks if sign == kind], axis=0) for kind in (True, False)]
    found = np.asarray(encode_clicks(clicks, shape, spacing, 3.0), dtype=float)
    assert found.shape == (2, *shape) and np.allclose(found.reshape(2, -1), truth, atol=1e-4), "eight clicks of both kinds: each channel is the Gaussian of the nearest click of its kind"
    only = np.asarray(encode_clicks(clicks[:1], shape, spacing, 3.0), dtype=float)
    assert np.shape(only) == (2, *shape) and only[0].max() == 0, "a kind without clicks should be 0 everywhere"
### END HIDDEN TESTS

# %% [markdown]
# ### The simulated user
#
# Where does a person click? Not at the border of the error, where a millimetre decides which side she hits, but well inside the largest piece. Take the error
# $E = \{\text{missed}\} \cup \{\text{too much}\}$, split it into connected pieces of one kind, take the largest, and click at its **most interior** voxel, the one farthest from the piece's outside. The centroid won't do: that of a ring lies in the hole,
# where the prediction is right.
#
# **Predict before you run.** A network has missed a ring around a lesion, and it has drawn a blob elsewhere. Where do three users click: one who takes the centroid of the whole error, one who takes the centroid of its largest piece, and one who
# takes the most interior voxel of it?

# %% tags=["demo"]
from scipy import ndimage
from skimage.measure import label as pieces_of
from skimage.measure import regionprops

grid_r, grid_c = np.mgrid[:80, :110]
lesion_radius = np.hypot(grid_r - 40, grid_c - 38)
drawn_truth = lesion_radius < 28
drawn_prediction = (lesion_radius < 17) | (np.hypot(grid_r - 36, grid_c - 92) < 10)
errors = drawn_truth ^ drawn_prediction
largest_piece = max(regionprops(pieces_of(errors, connectivity=1)), key=lambda piece: piece.area)
inside_mask = pieces_of(errors, connectivity=1) == largest_piece.label
depth_map = ndimage.distance_transform_edt(np.pad(inside_mask, 1))[1:-1, 1:-1]
users_here = {
    "centroid of all errors": np.argwhere(errors).mean(0),
    "centroid of the largest piece": np.array(largest_piece.centroid),
    "most interior voxel": np.array(np.unravel_index(depth_map.argmax(), depth_map.shape)),
}
fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.imshow(np.where(errors, np.where(drawn_truth, 0.75, 0.45), np.where(drawn_prediction, 1.0, 0.0)), cmap="gray", vmin=0, vmax=1)
for (name, (r, c)), marker, color in zip(users_here.items(), "sDo", (show.PALETTE[3], show.PALETTE[1], show.PALETTE[2]), strict=True):
    hit = errors[round(r), round(c)]
    ax.plot(c, r, marker, color=color, markersize=9, markeredgecolor="black", label=f"{name}: {'in the error' if hit else 'NOT in the error'}")
for c, r, what, color in ((38, 63.5, "missed", "black"), (38, 51, "found", "black"), (92, 52, "false alarm", "white")):
    ax.text(c, r, what, color=color, ha="center", va="center", fontsize=9)
ax.set_axis_off()
ax.legend(loc="upper left", bbox_to_anchor=(0, -0.02), fontsize=9)
show.figure(fig, alt="A lesion of which an outer ring was missed, and a false blob beside it. Both centroids lie where the prediction is right; the most interior voxel lies in the ring")

# %% [markdown]
# ### Exercise 4.4b - the next click
#
# Difficulty 3 of 5 - 5 points - about 20 minutes - *after it you can simulate a careful user, in 2-D and in 3-D*
#
# Write `next_click(truth, prediction, spacing)`.
#
# <details><summary>Hint 1: the idea</summary>Two kinds of error, and a piece has one kind: a missed piece that touches a false one is still another piece. Find the largest of all, then its deepest voxel.</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.ndimage.label(error)</code> joins face neighbours. <code>numpy.bincount</code> counts voxels of each label. <code>scipy.ndimage.distance_transform_edt(np.pad(piece, 1), sampling=spacing)</code>, then <code>argmax</code> and
# <code>numpy.unravel_index</code>. Mind the padding when you read off the place.</details>
# <details><summary>It clicks at the border of the image</summary>A piece that touches the border is open there for the distance transform. Pad it with one layer of False first.</details>
# <details><summary>The network gets worse with every click</summary>Is the sign right? Where the truth has it and the prediction lacks it, the click is positive.</details>


# %% nbgrader={"grade": false, "grade_id": "next-click", "locked": false, "schema_version": 3, "solution": true, "task": false}
def next_click(truth: np.ndarray, prediction: np.ndarray, spacing: tuple) -> tuple[tuple, bool] | None:
    """Where a careful user clicks next: the most interior voxel of the largest error.

    Args:
        truth, prediction: bool, of the same shape, 2-D or 3-D.
        spacing: size of a voxel in mm along each axis.

    Returns:
        (place, positive), or None if there is no error. Pieces of error are connected through faces and of one kind: missed (in the truth, not in the prediction) or false (the other way round). Of all pieces of both
        kinds the one with the most voxels is taken. place: a tuple of voxel indices, the voxel of that piece whose centre is farthest, in mm, from the nearest voxel centre outside of the piece (what lies outside of the image
        is outside of the piece; of equally deep voxels any one). positive: True if the piece was missed, False if it is false.
    """
    ### BEGIN SOLUTION
    from scipy.ndimage import distance_transform_edt, label

    best, piece, positive = 0, None, False
    for error, sign in ((truth & ~prediction, True), (prediction & ~truth, False)):
        labels, count = label(error)
        if count:
            sizes = np.bincount(labels.ravel())[1:]
            if sizes.max() > best:
                best, piece, positive = sizes.max(), labels == sizes.argmax() + 1, sign
    if piece is None:
        return None
    depth = distance_transform_edt(np.pad(piece, 1), sampling=spacing)
    place = np.unravel_index(depth.argmax(), depth.shape)
    return tuple(int(i) - 1 for i in place), positive
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "next-click-inside", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The place: inside the largest piece of error, as deep as can be; also for a ring, and at the border of the image
def depth_at(piece, spacing, place, fault):
    """Depth of a place in a piece, and the largest there is, by comparing with every voxel outside."""
    padded = np.pad(piece, 1)
    outside, own = np.argwhere(~padded) * spacing, np.argwhere(padded) * spacing
    deepest = max(np.sqrt(((outside - voxel) ** 2).sum(1).min()) for voxel in own)
    assert len(place) == piece.ndim and all(0 <= i < n for i, n in zip(place, piece.shape, strict=True)) and piece[place], fault
    return np.sqrt(((outside - (np.array(place) + 1) * spacing) ** 2).sum(1).min()), deepest


r, c = np.mgrid[:31, :41]
radius = np.hypot(r - 15, c - 14)
truth, prediction = radius < 13, (radius < 7) | (np.hypot(r - 15, c - 35) < 4)
answer = next_click(truth, prediction, (1.0, 1.0))
assert answer is not None and len(answer) == 2, "there is an error, so return (place, positive)"
place = tuple(int(i) for i in answer[0])
assert place != (15, 14), "you click in the hole of the ring: its centroid is there (and the middle of the target), but the prediction is right there. Click at the most interior voxel of the error"
depth, deepest = depth_at(truth & ~prediction, (1.0, 1.0), place, f"you click at {place}, outside of the largest piece of error")
assert np.isclose(depth, deepest), f"your click is {depth:.1f} mm deep in the piece; one place is {deepest:.1f} mm deep. (Is it shifted by your padding?)"
truth = np.zeros((20, 20), bool)
truth[:7, 3:12] = True
place = tuple(int(i) for i in next_click(truth, np.zeros((20, 20), bool), (1.0, 1.0))[0])
depth, deepest = depth_at(truth, (1.0, 1.0), place, f"you click at {place}, outside of the missed block")
assert np.isclose(depth, deepest), f"the piece touches the border of the image, and you click at {place}, only {depth:.0f} mm from it: outside of the image is outside of the piece"
### BEGIN HIDDEN TESTS
import scipy.ndimage as nd

for seed in range(6):
    rng = np.random.default_rng(seed)
    shape = ((24, 30), (12, 14, 10))[seed % 2]
    truth, prediction = (nd.gaussian_filter(rng.normal(size=shape), 1.5) > 0 for _ in range(2))
    pieces = [part == i for part, count in (nd.label(truth & ~prediction), nd.label(prediction & ~truth)) for i in range(1, count + 1)]
    sizes = np.array([piece.sum() for piece in pieces])
    if (sizes == sizes.max()).sum() > 1:
        continue
    place = tuple(int(i) for i in next_click(truth, prediction, (1.0,) * len(shape))[0])
    depth, deepest = depth_at(pieces[sizes.argmax()], (1.0,) * len(shape), place, "on a random error you click outside of the largest piece (pieces of one kind, joined through faces)")
    assert np.isclose(depth, deepest), "on a random error your click is not at the most interior voxel"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "next-click-sign", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Positive where something was missed, negative where there is too much
block, other = np.zeros((15, 15), bool), np.zeros((15, 15), bool)
block[3:10, 3:10], other[12:14, 11:14] = True, True
missed, false = next_click(block, other, (1.0, 1.0)), next_click(other, block, (1.0, 1.0))
assert missed is not None and false is not None, "there is an error in both cases, so return (place, positive)"
assert not (not missed[1] and false[1]), "positive and negative are swapped: what the truth has and the prediction lacks needs a positive click"
assert bool(missed[1]) is True, "the block was missed, so the click is positive"
assert tuple(int(i) for i in false[0]) == (6, 6), f"the largest error is the false block, whose middle is (6, 6); you click at {tuple(false[0])}. Do you look at both kinds?"
assert bool(false[1]) is False, "the block is in the prediction and not in the truth, so the click is negative"
### BEGIN HIDDEN TESTS
for seed in range(4):
    rng = np.random.default_rng(seed + 50)
    truth, prediction = np.zeros((9, 20, 9), bool), np.zeros((9, 20, 9), bool)
    a, b = int(rng.integers(4, 8)), int(rng.integers(8, 10))
    truth[2:7, 1 : 1 + a, 2:7], prediction[2:7, 1 + a : 1 + a + b, 2:7] = True, True  # they touch, and the false one is larger
    answer = next_click(truth, prediction, (1.0, 1.0, 1.0))
    assert bool(answer[1]) is False and prediction[tuple(int(i) for i in answer[0])], "the larger piece is false: a negative click in it. Are missed and false errors joined to one piece?"
    assert bool(next_click(prediction, truth, (1.0, 1.0, 1.0))[1]) is True, "with truth and prediction exchanged the click must change its sign"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "next-click-edges", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Depth is in mm; and when all is right nobody clicks
truth = np.zeros((12, 30, 3), bool)
truth[2:11, 2:9, :] = True  # 9 x 7 x 3 voxels
thick = next_click(truth, np.zeros_like(truth), (1.0, 1.0, 10.0))
assert thick is not None, "there is an error, so return (place, positive)"
assert next_click(truth, truth, (1.0, 1.0, 1.0)) is None, "prediction and truth agree: return None, there is nothing to click"
lobes = np.zeros((9, 40), bool)
lobes[1:8, 2:9] = True  # seven rows by seven columns: 7 x 7 mm at 1 mm
lobes[4, 9:20] = True
lobes[3:6, 20:36] = True  # three rows by sixteen columns
places = [tuple(int(i) for i in next_click(lobes, np.zeros_like(lobes), s)[0]) for s in ((1.0, 1.0), (6.0, 1.0))]
assert places[0] == (4, 5), f"with 1 mm voxels the most interior voxel is the middle of the square, (4, 5), not {places[0]}"
assert places[1][0] == 4 and 25 < places[1][1] < 31, f"with rows 6 mm apart the long lobe, 18 mm thick, is the deeper one; you click at {places[1]}. Hand the spacing to the distance transform"
### BEGIN HIDDEN TESTS
none = np.zeros((4, 5, 6), bool)
assert next_click(none, none, (1.0, 2.0, 3.0)) is None, "two empty masks agree: None"
one = none.copy()
one[3, 0, 5] = True
place, sign = next_click(none, one, (1.0, 2.0, 3.0))
assert tuple(int(i) for i in place) == (3, 0, 5) and not sign, "one false voxel in a corner: a negative click there"
places = [tuple(int(i) for i in next_click(np.zeros_like(lobes.T), lobes.T, s)[0]) for s in ((1.0, 1.0), (1.0, 6.0))]
assert places[0] == (5, 4) and 25 < places[1][0] < 31, "turned on its side, with columns 6 mm apart, the deeper lobe is another one"
### END HIDDEN TESTS

# %% [markdown]
# ### A network that listens
#
# Now the real thing, on sagittal slices of the hippocampus. The task is made so that the image alone can't solve it: the user wants *one* of the two parts, anterior or posterior, and only a click says which. Afterwards clicks mend.
#
# The training plays the game. A pool of slices is always under way; in each step the network answers all of them, learns from the loss, and the simulated user adds one click to each. After one to ten clicks a slice is
# replaced. The user of the training takes the rule of Sofiiuk et al.: the deepest pixel of any error; or, half of the time, any pixel of the error, for people differ. Clicks are disks of 2 mm.
#
# A second network gets the same training with its click channels kept at zero. It can't know which part is wanted. If it draws both, and they are of equal size, its Dice is $2A/(A + 2A) = 0.67$: keep that in mind as the trivial figure.

# %% tags=["demo"]
from monai.networks.nets import UNet

PLANE = (64, 48)  # Y, Z: each sagittal slice is padded to this
MOST = 10  # clicks, then the user gives up


def click_tasks(cases: list, every: bool) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Slices (N, 1, *PLANE), wanted parts (N, *PLANE) bool, case of each (N,): every slice with at least 30 pixels of a part, or only the largest of each part."""
    images, labels = on_grid(cases)
    found = []
    for case, (image, label) in enumerate(zip(images[:, 0], labels, strict=True)):
        for part in (1, 2):
            area = (label == part).sum((1, 2))
            for x in torch.nonzero(area >= 30)[:, 0] if every else area.argmax()[None]:
                found.append((image[x], label[x] == part, case))
    slices, wanted, owner = zip(*found, strict=True)
    return torch.stack(slices)[:, None], torch.stack(wanted), np.array(owner)


def user_clicks(maps: torch.Tensor, wanted: torch.Tensor, predicted: torch.Tensor, how: str, rng: np.random.Generator) -> list[tuple]:
    """Add one click to each map (N, 2, *PLANE), in place; returns the places. how: "deepest" pixel of any error, any pixel "in the error", or "anywhere" in the image."""
    (rows, columns), places = np.ogrid[: PLANE[0], : PLANE[1]], []
    for k in range(len(maps)):
        target, guess = wanted[k].numpy(), predicted[k].numpy()
        wrong = target ^ guess
        if how == "anywhere" or not wrong.any():
            place = tuple(rng.integers(0, PLANE))
        elif how == "in the error":
            place = tuple(rng.permutation(np.argwhere(wrong))[0])
        else:
            deep = np.maximum(*(ndimage.distance_transform_edt(np.pad(error, 1))[1:-1, 1:-1] for error in (target & ~guess, guess & ~target)))
            place = np.unravel_index(deep.argmax(), deep.shape)
        disk = (rows - place[0]) ** 2 + (columns - place[1]) ** 2 <= 4  # pixels of 1 mm
        maps[k, 0 if target[place] else 1][torch.tensor(disk)] = 1.0
        places.append(place)
    return places


# %% tags=["demo"]
def train_clicks(tasks: tuple, steps: int, listens: bool, seed: int) -> nn.Module:
    """A network (N, 4, *PLANE) -> (N, 1, *PLANE) logits; its channels are image, positive clicks, negative clicks, its last answer."""
    torch.manual_seed(seed)
    rng, (slices, wanted, _) = np.random.default_rng(seed), tasks
    net = UNet(2, in_channels=4, out_channels=1, channels=(16, 32, 64), strides=(2, 2), num_res_units=1).to(device).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    pool, left = rng.integers(0, len(slices), 16), np.zeros(16, int)
    maps, last = torch.zeros(16, 2, *PLANE), torch.zeros(16, 1, *PLANE)
    for step in range(steps):
        for k in np.flatnonzero(left == 0):  # a new slice, without clicks so far
            pool[k], left[k], maps[k], last[k] = rng.integers(0, len(slices)), rng.integers(1, 11), 0.0, 0.0
        left -= 1
        y = wanted[pool]
        user_clicks(maps, y, last[:, 0] > 0.5, "deepest" if step % 2 else "in the error", rng)
        x = torch.cat([slices[pool] + 0.1 * torch.randn(1), maps, last], 1).to(device)
        if not listens:
            x[:, 1:] = 0
        logits, target = net(x), y[:, None].float().to(device)
        p = logits.sigmoid()
        dice = (2 * (p * target).sum((1, 2, 3)) + 1) / ((p + target).sum((1, 2, 3)) + 1)
        optimizer.zero_grad()
        (F.binary_cross_entropy_with_logits(logits, target) + 1 - dice.mean()).backward()
        optimizer.step()
        schedule.step()
        last = p.detach().cpu()
    return net.eval()


def click_curves(net: nn.Module, tasks: tuple, how: str, seed: int, listens: bool = True) -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
    """Dice (N, MOST) after each click; and answers and clicks of the last round."""
    rng, (slices, wanted, _), curve = np.random.default_rng(seed), tasks, []
    maps, last = torch.zeros(len(slices), 2, *PLANE), torch.zeros(len(slices), 1, *PLANE)
    for _ in range(MOST):
        user_clicks(maps, wanted, last[:, 0] > 0.5, how, rng)
        x = torch.cat([slices, maps, last], 1)
        x[:, 1:] *= float(listens)
        with torch.no_grad():
            last = net(x.to(device)).sigmoid().cpu()
        guess = last[:, 0] > 0.5
        curve.append(2 * (guess & wanted).sum((1, 2)) / ((guess.sum((1, 2)) + wanted.sum((1, 2))).clamp(min=1)))
    return torch.stack(curve, 1).numpy(), last, maps


# %% [markdown]
# **Predict before you run.** After how many clicks does the careful user reach a Dice of 90 %? How many does one need who clicks *anywhere* in the image (telling the truth about that pixel)? And how good is the network that hears no click?

# %% tags=["demo"]
click_train, click_test = click_tasks(hippo_cases["train"], every=True), click_tasks(hippo_cases["test"], every=False)
click_net = train_clicks(click_train, run.pick(ci=175, laptop=800), listens=True, seed=run.seed)
deaf_net = train_clicks(click_train, run.pick(ci=175, laptop=800), listens=False, seed=run.seed)
USERS = {"deepest error": "deepest", "anywhere in an error": "in the error", "anywhere in the image": "anywhere"}
click_dice = {name: click_curves(click_net, click_test, how, seed=run.seed)[0] for name, how in USERS.items()}
deaf_dice = click_curves(deaf_net, click_test, "deepest", seed=run.seed, listens=False)[0][:, 0]

lines = {name: (np.arange(1, MOST + 1), curve.mean(0)) for name, curve in click_dice.items()}
lines["hears no clicks"] = (np.arange(1, MOST + 1), np.full(MOST, deaf_dice.mean()))
show.curves(lines, xlabel="clicks", ylabel="mean Dice of the test slices",
            alt="Dice rises with clicks: fastest for clicks at the deepest error, slower for clicks anywhere in an error; clicks anywhere in the image stay near or below the flat line of the network without clicks")
careful = click_dice["deepest error"]
print(f"careful user: Dice {careful[:, 0].mean():.3f} after one click, {careful[:, 4].mean():.3f} after five, {careful[:, -1].mean():.3f} after ten; without clicks {deaf_dice.mean():.3f}")
assert careful[:, -1].mean() - careful[:, 0].mean() > 0.02, "Dice does not rise with clicks: the network does not use them"
assert careful[:, 4].mean() - deaf_dice.mean() > 0.1, "five clicks are worth nothing: the network does not listen"

# %% [markdown]
# One click decides between the two parts; from then on clicks trim. A click anywhere mostly says "this is background": true, and nearly worthless. With many clicks the user who clicks anywhere in the error can catch up: the deepest place may be the same one again, and a second click there adds nothing. What does a case look like?

# %% tags=["demo"]
story = int(np.argsort(careful[:, 0])[len(careful) // 4])  # a difficult slice, but not the worst
story_task = tuple(part[story : story + 1] for part in click_test)
rng_story, story_maps, story_last = np.random.default_rng(run.seed), torch.zeros(1, 2, *PLANE), torch.zeros(1, 1, *PLANE)
story_places = []
fig, axes = plt.subplots(1, 5, figsize=(12, 2.8), layout="constrained")
for clicks_so_far, ax in enumerate(axes):
    ax.imshow(story_task[0][0, 0].T, origin="lower", vmin=-1.5, vmax=3)
    show.outline(ax, story_task[1][0].T)
    guess = story_last[0, 0] > 0.5
    show.outline(ax, guess.T, show.PALETTE[5], linestyle="dotted")
    for y, z in story_places:
        positive = bool(story_task[1][0, y, z])
        ax.plot(y, z, "P" if positive else "X", color=show.PALETTE[2 if positive else 3], markersize=8, markeredgecolor="white")
    overlap = 2 * (guess & story_task[1][0]).sum() / (guess.sum() + story_task[1][0].sum())
    ax.set(xlim=(7, 56), ylim=(6, 41))
    ax.set_title(f"{clicks_so_far} click{'s' * (clicks_so_far != 1)}: Dice {overlap:.2f}", fontsize=10)
    ax.set_axis_off()
    story_places += user_clicks(story_maps, story_task[1], story_last[:, 0] > 0.5, "deepest", rng_story)
    with torch.no_grad():
        story_last = click_net(torch.cat([story_task[0], story_maps, story_last], 1).to(device)).sigmoid().cpu()
show.figure(fig, alt="One sagittal slice after 0 to 4 clicks: the true outline of the wanted part, full, the network's, dotted, positive clicks as plus and negative ones as cross; the dotted outline closes in on the full one")

# %% [markdown]
# ### Clicks to 90 %
#
# The usual figure is the **number of clicks** to a Dice (or IoU) of 90 %, averaged over cases. Some cases never get there. If you leave them out, a tool looks *better* the more cases it fails on. So a failure counts as
# the maximum number of clicks, and the share of failures is reported beside the mean. The time to the goal is *censored*: you know that it is more than the maximum, not how much.
#
# **Predict before you run.** Two tools, the same ten cases. Tool A reaches the goal in all, after 4 clicks each. Tool B in five cases after 2 clicks, and never in the other five. Which one looks better if failures are left out? And if they count as 10?
#
# ### Exercise 4.4c - clicks to the target
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can compare interactive tools without forgetting the cases that failed*
#
# Write `clicks_to_target(dice, target)`.
#
# <details><summary>Hint 1: the idea</summary>For each case the first click at which the goal is met, counted from 1. Then two summaries.</details>
# <details><summary>Hint 2: what to call</summary><code>reached = dice >= target</code>; <code>reached.any(1)</code>; <code>reached.argmax(1)</code> is the first True - or 0 if there is none.</details>
# <details><summary>Cases that fail look perfect</summary><code>argmax</code> of a row without any True is 0. Ask <code>any</code> first.</details>


# %% nbgrader={"grade": false, "grade_id": "clicks-to-target", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clicks_to_target(dice: np.ndarray, target: float) -> tuple[np.ndarray, float, float]:
    """Number of clicks until a Dice is reached, failures counted as the maximum.

    Args:
        dice: (N, K) Dice of N cases after click 1, 2, ..., K; N and K at least 1. It may fall again. nan means that this click gave no answer, and is below every target.
        target: a Dice of exactly the target reaches it.

    Returns:
        (N,) for each case the first click, from 1, at which the target is reached, K if it never is;
        the mean of these over all cases;
        the share of cases that never reach the target.
    """
    ### BEGIN SOLUTION
    reached = dice >= target
    success = reached.any(axis=1)
    clicks = np.where(success, reached.argmax(axis=1) + 1, dice.shape[1])
    return clicks, float(clicks.mean()), float(1 - success.mean())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "clicks-to-target-first", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The first click that reaches the target, counted from 1, also if the Dice falls again afterwards
curves_here = np.array([[0.95, 0.96, 0.97, 0.97], [0.5, 0.75, 0.95, 0.96], [0.2, 0.92, 0.8, 0.95], [0.1, 0.75, 0.5, 0.9]])
answer = clicks_to_target(curves_here, 0.9)
assert isinstance(answer, (tuple, list)) and len(answer) == 3, "return three things: clicks of each case, their mean, the share of failures"
clicks = np.asarray(answer[0], dtype=float)
assert clicks.shape == (4,), f"expected one number a case, shape (4,), got {clicks.shape}"
assert not np.array_equal(clicks, [0, 2, 1, 3]), "you count from 0: a case that is good after the first click took 1 click"
assert clicks[3] == 4 and clicks[1] == 3, f"the cases take 1, 3, 2 and 4 clicks (a Dice of exactly 0.9 reaches 0.9); you say {clicks.tolist()}"
assert clicks[2] == 2, "the third case is good after 2 clicks and falls again; the first time counts, the user would have stopped there"
assert clicks[0] == 1, "a case that is good at once took 1 click"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(4)
for n, k in ((1, 1), (9, 5), (30, 12)):
    curves_here = rng.random((n, k))
    curves_here[:, -1] = 0.95  # everybody gets there
    truth = [next(i + 1 for i, value in enumerate(row) if value >= 0.8) for row in curves_here]
    clicks, mean, failed = clicks_to_target(curves_here, 0.8)
    assert np.shape(clicks) == (n,) and np.array_equal(np.asarray(clicks), truth), "on random curves the first click that reaches the target is another one"
    assert np.isclose(mean, np.mean(truth)) and np.isclose(failed, 0), "everybody reaches the target: the mean of all, and no failures"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "clicks-to-target-censored", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Cases that never get there: counted as the maximum, in the mean, and reported
curves_here = np.array([[0.5, 0.92, 0.93, 0.94, 0.95], [0.1, 0.2, 0.3, 0.4, 0.5], [0.95, 0.96, 0.96, 0.96, 0.96], [np.nan, np.nan, 0.7, np.nan, 0.8]])
clicks, mean, failed = clicks_to_target(curves_here, 0.9)
clicks = np.asarray(clicks, dtype=float)
assert clicks.shape == (4,), f"every case needs a number, also one that fails: shape (4,), not {clicks.shape}"
assert clicks[1] != 1, "the case that never reaches the target counts as 1 click: argmax of a row without True is 0. Ask any() first"
assert clicks[1] != 6, "a failure counts as K, the clicks that were spent, not K + 1"
assert np.array_equal(clicks, [2, 5, 1, 5]), f"the cases take 2, 5 (never), 1 and 5 (never) clicks; you say {clicks.tolist()}"
assert not np.isclose(mean, 1.5), "the mean leaves out the cases that failed: a tool would look better the more it fails"
assert np.isclose(mean, 3.25), f"the mean over all four cases is 3.25, got {float(mean):.3g}"
assert not np.isclose(failed, 2), "return the share of failures, not their number"
assert np.isclose(failed, 0.5), f"two of four cases fail: 0.5, got {float(failed):.3g}"
### BEGIN HIDDEN TESTS
clicks, mean, failed = clicks_to_target(np.full((3, 7), 0.4), 0.5)
assert np.shape(clicks) == (3,) and np.array_equal(np.asarray(clicks), [7, 7, 7]) and np.isclose(mean, 7) and np.isclose(failed, 1), "if nobody gets there, everybody counts K = 7 clicks, and the share of failures is 1"
curves_here = np.array([[0.1, 0.2, 0.9], [0.1, 0.2, 0.3]])
clicks, mean, failed = clicks_to_target(curves_here, 0.9)
assert np.array_equal(np.asarray(clicks), [3, 3]) and np.isclose(failed, 0.5), "a case that succeeds with the last click is no failure, though it counts as K, too"
### END HIDDEN TESTS

# %% [markdown]
# Failures left out, B looks twice as good (2 clicks against 4). Counted as 10, it needs 6 on average, and fails in half of the cases. Now our network and its users:

# %% tags=["demo"]
test_owner = click_test[2]
clicks_needed = {name: np.minimum(1 + (np.maximum.accumulate(curve, axis=1) < 0.9).sum(1), MOST) for name, curve in click_dice.items()}
by_case = {name: np.array([needed[test_owner == case].mean() for case in np.unique(test_owner)]) for name, needed in clicks_needed.items()}
clicks_90 = {name: interval(values) for name, values in by_case.items()}
failures_90 = {name: float((curve.max(1) < 0.9).mean()) for name, curve in click_dice.items()}
clicks_saved = interval(by_case["anywhere in the image"] - by_case["deepest error"])
fig, ax = plt.subplots(figsize=(9, 3), layout="constrained")
for row_number, name in enumerate(USERS):
    ax.plot(np.arange(1, MOST + 1), [np.mean((np.maximum.accumulate(click_dice[name], 1) >= 0.9)[:, k]) for k in range(MOST)],
            marker="os^"[row_number], markersize=(6, 9, 5)[row_number], linestyle=("-", "--", ":")[row_number], color=show.PALETTE[row_number], label=f"{name}: mean {clicks_90[name][0]:.1f} clicks")
ax.set(xlabel="clicks", ylabel="share of slices at Dice 0.9", ylim=(-0.03, 1.03))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
show.figure(fig, alt="Share of test slices that have reached a Dice of 0.9 after each click, for three users; the careful user's curve is the highest")
for name, (mean, low, high) in clicks_90.items():
    print(f"{name:24s}{mean:.1f} clicks to 90 % ({low:.1f} to {high:.1f}), failures counted as {MOST}; {failures_90[name]:.0%} fail")
print(f"a careful user saves {clicks_saved[0]:.1f} clicks ({clicks_saved[1]:.1f} to {clicks_saved[2]:.1f}) against random ones; interval over test cases")
assert clicks_saved[1] > 0, "clicks at the largest error are not clearly better than random ones"

# %% [markdown]
# Beware of reading this as the time of a person. The simulated user is tireless, knows the truth to the voxel, and never clicks beside it. People need about the same number of clicks only if they agree with the label; where two readers disagree,
# no number of clicks reaches 90 % for both. And the test user follows the same rule as the training user did: a network tuned to one way of clicking may do worse with another.
#
# Today's **promptable** networks, such as SAM (Kirillov et al., ICCV 2023), work by the same parts: clicks as input, a simulated user in training, the last answer fed back. What is new is the amount of data, and that the image is encoded only once.
#
# **Checkpoint.** You compare two interactive tools. Tool A was trained with clicks at the centre of the largest error, tool B with clicks anywhere in the error. Both are tested with the centre user, and A needs fewer clicks. What may you conclude?
#
# <details><summary>Answer</summary>That A suits the simulated user that it was trained with. Whether it suits people is open: they click a few pixels off, prefer clear places, and sometimes err. Test both tools with both users, and with clicks that are shaken by a few mm; then with people, and
# measure seconds, not clicks. Also look at the failures: the mean is censored at the maximum.</details>

# %% [markdown]
# ## 4.5 Challenges and directions
#
# Four things keep segmentation networks out of the clinic: the lesion is a thousandth of the image; two experts draw it differently; the network is wrong and doesn't say so; and the next scanner is another make. Each can be measured.
#
# ### Rare pixels: which loss?
#
# With a prevalence of 0.1 %, "no lesion anywhere" is right in 99.9 % of the pixels. With $p_i$ the predicted and $g_i \in \{0, 1\}$ the true value of pixel $i$:
#
# | loss | formula | what it does about rarity |
# |---|---|---|
# | cross-entropy (CE) | $-\frac1N \sum_i \log p_i^{\text{true}}$, with the probability of pixel $i$'s true class | nothing: background speaks a thousand times as loud |
# | focal (Lin et al., ICCV 2017) | $-\frac1N \sum_i (1 - p_i^{\text{true}})^{\gamma} \log p_i^{\text{true}}$ | easy pixels fall silent |
# | Dice (Milletari, Navab and Ahmadi, 3DV 2016) | $1 - \frac{2 \sum p g}{\sum p + \sum g}$ | a ratio: true negatives don't occur |
# | Tversky (Salehi et al., MLMI 2017) | $1 - \mathrm{TI}$, $\;\mathrm{TI} = \frac{TP}{TP + \alpha\,FP + \beta\,FN}$ | as Dice, and you say which error is worse |
#
# Here $TP = \sum p g$, $FP = \sum p (1 - g)$, $FN = \sum (1 - p) g$ are soft counts. **We let $\alpha$ weigh false positives and $\beta$ false negatives**, as Salehi et al. do; other papers swap the letters, so read before you copy. With $\alpha = \beta = \frac12$ it is Dice.
#
# We plant one small lesion, like that of multiple sclerosis, in noisy FLAIR slices (an MR contrast in which such lesions are bright and fluid is dark) of simulated heads, and train one small U-Net with each loss.
#
# **Predict before you run.** At the threshold 0.5, which loss has the best recall, and which the best precision? And what remains of the differences if each network gets its own threshold, chosen on validation?

# %% tags=["demo"]
def lesion_slices(n: int, first_seed: int) -> tuple:
    """n noisy FLAIR slices with one lesion: images (n, 1, 56, 56), masks (n, 56, 56)."""
    made = [simulate.brain_slice("flair", size=56, spacing=3.0, lesions=1, noise=0.12, seed=first_seed + i) for i in range(n)]
    return torch.tensor(np.stack([one.image / np.percentile(one.image, 95) for one in made]))[:, None], torch.tensor(np.stack([one.lesion for one in made]))


n_heads = run.pick(ci={"train": 84, "val": 30, "test": 60}, laptop={"train": 144, "val": 60, "test": 120})
heads = {part: lesion_slices(n, seed) for (part, n), seed in zip(n_heads.items(), (0, 3000, 4000), strict=True)}
heads = {part: (x[y.any(2).any(1)], y[y.any(2).any(1)]) for part, (x, y) in heads.items()}  # a lesion may lie outside the slice
prevalence = heads["train"][1].float().mean().item()
print({part: len(x) for part, (x, _) in heads.items()}, f"slices; {prevalence:.2%} of the pixels are lesion")
show.row(list(heads["test"][0][:5, 0]), overlay=list(heads["test"][1][:5].numpy()), height=2, window=(0, 1.6),
         alt="Five noisy brain slices, each with one small bright lesion, outlined")


def tversky_loss(alpha: float, beta: float):
    """The Tversky loss as a function of logits and target, image by image."""

    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        p = logits.sigmoid()
        tp, fp, fn = ((a * b).sum((1, 2)) for a, b in ((p, target), (p, 1 - target), (1 - p, target)))
        return 1 - ((tp + 1) / (tp + alpha * fp + beta * fn + 1)).mean()

    return loss


def focal_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Focal loss with gamma 2, times 10, so that its gradients have about the size of the others'."""
    right = torch.where(target > 0, logits, -logits).sigmoid()
    return 10 * ((1 - right) ** 2 * F.binary_cross_entropy_with_logits(logits, target, reduction="none")).mean()


def doubtful() -> nn.Module:
    """A network that says "one pixel in 500 is lesion" before its first step, instead of "every second one"."""
    net = SmallUNet((6, 12, 12))
    nn.init.constant_(net.head.bias, np.log(prevalence / (1 - prevalence)))
    return net


CE, ordinary = F.binary_cross_entropy_with_logits, lambda: SmallUNet((6, 12, 12))
losses = {"CE": (ordinary, CE), "focal": (ordinary, focal_loss), "Dice": (ordinary, tversky_loss(0.5, 0.5)), "Tversky 0.2, 0.8": (ordinary, tversky_loss(0.2, 0.8)), "CE, doubtful start": (doubtful, CE)}

# %% tags=["demo"]
levels = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])


def dice_by_level(p: torch.Tensor, truths: torch.Tensor) -> np.ndarray:
    """Mean Dice at each of the `levels`."""
    return np.array([image_dice(p > one, truths).mean() for one in levels])


loss_rows = {name: [] for name in losses}
for name, (make, loss) in losses.items():
    for seed in range(run.pick(ci=2, laptop=3)):
        net = fit_2d(make, heads, 6, seed, loss=loss, batch=4, score=lambda p, truths: dice_by_level(p, truths).max())
        p_val, p_test = predict_2d(net, heads["val"][0]), predict_2d(net, heads["test"][0])
        level = levels[dice_by_level(p_val, heads["val"][1]).argmax()]
        found, true = p_test > 0.5, heads["test"][1]
        tp = (found & true).sum().item()
        loss_rows[name].append([image_dice(found, true).mean(), tp / max(found.sum().item(), 1), tp / true.sum().item(), image_dice(p_test > level, true).mean(), level])
print(f"{'':18s} at 0.5: Dice   precision recall   own threshold: Dice   (thresholds)")
for name, rows in loss_rows.items():
    loss_rows[name] = rows = np.array(rows)
    mean, sd = rows.mean(0), rows.std(0, ddof=1)
    print(f"{name:18s} {mean[0]:.3f} +- {sd[0]:.3f}  {mean[1]:9.2f} {mean[2]:6.2f}   {mean[3]:12.3f} +- {sd[3]:.3f}   {rows[:, 4]}")
fig, ax = plt.subplots(figsize=(8, 2.9), layout="constrained")
for k, (column, what) in enumerate({0: "Dice at 0.5", 1: "precision at 0.5", 2: "recall at 0.5", 3: "Dice, own threshold"}.items()):
    ax.bar(np.arange(len(losses)) + 0.2 * (k - 1.5), [rows[:, column].mean() for rows in loss_rows.values()], 0.18, color=show.PALETTE[k], hatch=("", "//", "..", "xx")[k], edgecolor="white", label=what)
ax.set(xticks=range(len(losses)), xticklabels=list(losses), ylim=(0, 1.2), yticks=np.linspace(0, 1, 6), ylabel="mean over seeds")
ax.legend(ncols=4, fontsize=8, loc="upper center")
show.figure(fig, alt="Dice, precision and recall of five trainings: cross-entropy has almost no recall at 0.5, Dice and Tversky find the lesions; with its own threshold cross-entropy comes much closer, and with a doubtful start it is level with Dice")
assert loss_rows["Dice"][:, 0].mean() > 0.75, "the network trained with the Dice loss did not find the lesions"
assert loss_rows["CE, doubtful start"][:, 0].mean() > 0.75, "the network with a doubtful start did not find the lesions"
assert loss_rows["CE"][:, 3].mean() > loss_rows["CE"][:, 0].mean() + 0.2, "an own threshold should help cross-entropy"

# %% [markdown]
# Read the table in three steps. At 0.5 the losses differ much: CE and focal loss hesitate, Dice and Tversky find nearly everything. With an own threshold a large part of the gap closes: *part of what a loss does is to move the threshold*. (The epoch is chosen by the best Dice over all thresholds. Chosen
# at 0.5, where CE scores 0 in every epoch, its untrained first epoch would be kept, and the comparison would be worth nothing.)
#
# The last row is plain cross-entropy again, from another start: the bias of the last layer is set to the log-odds of the prevalence (Lin et al. 2017 do this for the focal loss). An ordinary start says "50 %" everywhere, and the first epochs are spent on unlearning that for 499 of 500 pixels. With the doubtful start the loss that "can't deal with
# imbalance" is level with Dice after the same few steps. So most of the gap was the start, in a training as short as ours. Before you believe a paper's new loss, ask whether the old one got its own threshold, and a fair start.
#
# A power on top makes hard images count more, the **focal Tversky loss** (Abraham and Khan, ISBI 2019): $(1 - \mathrm{TI})^{\gamma}$ for each image, then the mean. (They write the exponent as $1/\gamma$; we use the exponent itself.) With $\gamma < 1$ it is steep where an image is nearly
# perfect, and infinitely steep where it is perfect: there its slope is infinite, and autograd multiplies that by zeros. A single healthy slice can turn a training into `nan`.
#
# ### Exercise 4.5a - focal Tversky loss
#
# Difficulty 3 of 5 - 5 points - about 15 minutes - *after it you can tell a network which error is worse, and keep it alive on healthy slices*
#
# Write `focal_tversky(probability, truth, alpha, beta, gamma)`. Add $s = 10^{-6}$ to numerator and denominator of TI. The checks read gradients through the next cell.
#
# <details><summary>Hint 1: the idea</summary>Soft counts for each image; one index an image; the power for each image; the mean last. Then think of an image where the index is exactly 1.</details>
# <details><summary>Hint 2: what to call</summary><code>x.flatten(1).sum(1)</code> sums all but the batch. <code>torch.clamp(x, min=1e-7)</code> has the gradient 0 below its limit.</details>
# <details><summary>My loss is too lenient with missed lesions</summary>Which letter belongs to false negatives here? Look at the line in bold.</details>
# <details><summary>The gradient is nan or inf</summary>The derivative of $x^{0.75}$ at 0. Don't let $x$ come nearer than $10^{-7}$.</details>

# %% tags=["given"]
def gradient_of_focal_tversky(probability: np.ndarray, truth: np.ndarray, alpha: float, beta: float, gamma: float) -> tuple:
    """Your loss as a float, and its gradient for the probabilities, (B, ...); None if the loss isn't connected to them."""
    p = torch.tensor(np.asarray(probability), dtype=torch.float64, requires_grad=True)
    loss = focal_tversky(p, torch.tensor(np.asarray(truth), dtype=torch.float64), alpha, beta, gamma)
    if loss.requires_grad:
        loss.backward()
    return float(loss.detach()), None if p.grad is None else p.grad.numpy()


# %% nbgrader={"grade": false, "grade_id": "focal-tversky", "locked": false, "schema_version": 3, "solution": true, "task": false}
def focal_tversky(probability: torch.Tensor, truth: torch.Tensor, alpha: float, beta: float, gamma: float) -> torch.Tensor:
    """Focal Tversky loss, the mean over images of (1 - TI) ** gamma.

    Args:
        probability: (B, ...) of the foreground, 0 to 1.
        truth: (B, ...) 0 or 1, floating point.
        alpha, beta: weights of false positives and of false negatives.
        gamma: exponent, at least 0.6.

    Returns:
        A scalar tensor. TI = (TP + s) / (TP + alpha FP + beta FN + s) with s = 1e-6, for each image by itself.
        Its gradient is finite everywhere, also where an image is perfect; there the loss may be up to 1e-4 instead of 0.
    """
    ### BEGIN SOLUTION
    p, g = probability.flatten(1), truth.flatten(1)
    tp, fp, fn = (p * g).sum(1), (p * (1 - g)).sum(1), ((1 - p) * g).sum(1)
    index = (tp + 1e-6) / (tp + alpha * fp + beta * fn + 1e-6)
    return ((1 - index).clamp(min=1e-7) ** gamma).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "focal-tversky-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The value of one image: TP 2, FP 1, FN 3, alpha 0.2, beta 0.8 -> TI = 2 / (2 + 0.2 + 2.4), loss (1 - TI) ** gamma
p, g = torch.tensor([[1.0, 1, 1, 0, 0, 0, 0, 0]]), torch.tensor([[1.0, 1, 0, 1, 1, 1, 0, 0]])
value = float(focal_tversky(p, g, 0.2, 0.8, 1.0))
assert not np.isclose(value, 1 - 2 / (2 + 0.8 + 0.6), atol=1e-4), "alpha and beta are swapped: here alpha weighs false positives and beta false negatives"
assert not np.isclose(value, 2 / 4.6, atol=1e-4), "that is the index itself; the loss is 1 - TI, small when all is well"
assert np.isclose(value, 1 - 2 / 4.6, atol=1e-4), f"with gamma 1 expected 1 - 2 / 4.6 = 0.565, got {value:.4f}"
value = float(focal_tversky(p, g, 0.2, 0.8, 0.75))
assert not np.isclose(value, (1 - 2 / 4.6) ** (1 / 0.75), atol=1e-4), "the exponent is gamma itself here, not 1 / gamma"
assert not np.isclose(value, 1 - (2 / 4.6) ** 0.75, atol=1e-4), "the power belongs to 1 - TI, not to TI"
assert np.isclose(value, (1 - 2 / 4.6) ** 0.75, atol=1e-4), f"with gamma 0.75 expected {(1 - 2 / 4.6) ** 0.75:.4f}, got {value:.4f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(51)
for shape in ((1, 9, 7), (1, 4, 5, 6)):
    p, g = rng.uniform(0, 1, shape), (rng.random(shape) < 0.3).astype(float)
    a, b, gamma = rng.uniform(0.1, 0.9, 3)
    tp, fp, fn = (p * g).sum(), (p * (1 - g)).sum(), ((1 - p) * g).sum()
    value = float(focal_tversky(torch.tensor(p), torch.tensor(g), a, b, gamma + 0.5))
    assert np.isclose(value, (1 - tp / (tp + a * fp + b * fn)) ** (gamma + 0.5), atol=1e-4), "the value is off on soft probabilities: TP, FP and FN are sums of p g, p (1 - g) and (1 - p) g"
p, g = torch.tensor(rng.uniform(0, 1, (1, 50))), torch.tensor((rng.random((1, 50)) < 0.4).astype(float))
dice = (2 * (p * g).sum() / (p.sum() + g.sum())).item()
assert np.isclose(float(focal_tversky(p, g, 0.5, 0.5, 1.0)), 1 - dice, atol=1e-4), "with alpha = beta = 1/2 and gamma 1 it should be the soft Dice loss"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "focal-tversky-images", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Image by image: a large lesion must not drown a small one, the power comes before the mean, and an empty slice that is left empty costs nothing
p, g = torch.zeros(2, 10, 10), torch.zeros(2, 10, 10)
p[0, :8], g[0, :8], g[1, 0, 0] = 1, 1, 1  # the large lesion is perfect, the small one is missed
value = float(focal_tversky(p, g, 0.5, 0.5, 2.0))
assert value > 0.1, "the missed small lesion disappears behind the large one: counts are summed over the whole batch. One index an image, then the mean"
assert not np.isclose(value, 0.25, atol=1e-3), "you take the mean first and the power afterwards; the power belongs to each image"
assert not np.isclose(value, 1.0, atol=1e-3), "you add the images up: take their mean, or the loss grows with the batch"
assert np.isclose(value, 0.5, atol=1e-3), f"one image perfect (0), one missed (1): the mean is 0.5, got {value:.4f}"
value = float(focal_tversky(torch.zeros(1, 6, 6), torch.zeros(1, 6, 6), 0.3, 0.7, 1.0))
assert np.isfinite(value), "an empty slice that the network leaves empty gives nan: add s to numerator and denominator"
assert abs(value) < 1e-3, f"an empty slice that the network leaves empty costs nothing, not {value:.3f}: s belongs into the numerator, too"
assert float(focal_tversky(torch.full((1, 6, 6), 0.5), torch.zeros(1, 6, 6), 0.3, 0.7, 1.0)) > 0.99, "a false alarm on a healthy slice should cost about 1"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(52)
p, g = torch.tensor(rng.uniform(0, 1, (5, 6, 6))), torch.tensor((rng.random((5, 6, 6)) < 0.3).astype(float))
for gamma in (0.6, 1.0, 1.7):
    alone = np.mean([float(focal_tversky(p[i : i + 1], g[i : i + 1], 0.3, 0.7, gamma)) for i in range(5)])
    assert np.isclose(float(focal_tversky(p, g, 0.3, 0.7, gamma)), alone, atol=1e-5), "the loss of a batch should be the mean of the losses of its images"
assert np.isclose(alone, np.mean([(1 - (p[i] * g[i]).sum().item() / ((p[i] * g[i]).sum() + 0.3 * (p[i] * (1 - g[i])).sum() + 0.7 * ((1 - p[i]) * g[i]).sum()).item()) ** 1.7 for i in range(5)]), atol=1e-4), "the mean over five random images is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "focal-tversky-gradient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The gradient: it pulls the right way, and stays finite on a perfect image and on a healthy slice
rng = np.random.default_rng(1)
g = (rng.random((2, 5, 5)) < 0.4).astype(float)
value, slope = gradient_of_focal_tversky(np.full((2, 5, 5), 0.5), g, 0.3, 0.7, 0.75)
assert slope is not None, "the loss isn't connected to the probabilities: compute with torch, without detach, item or numpy"
assert (slope[g > 0] < 0).all() and (slope[g == 0] > 0).all(), "the gradient pulls the wrong way: more probability on the lesion should lower the loss"
for what, p, truth in (("a perfect image", g[:1], g[:1]), ("an empty slice, left empty", np.zeros((1, 5, 5)), np.zeros((1, 5, 5)))):
    value, slope = gradient_of_focal_tversky(p, truth, 0.3, 0.7, 0.75)
    assert slope is not None and np.isfinite(slope).all(), f"the gradient is not finite on {what}: x ** 0.75 is infinitely steep at 0. Clamp 1 - TI at 1e-7 before the power"
    assert abs(value) < 1e-3, f"the loss of {what} should be about 0, got {value:.4f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(53)
g, p, step = (rng.random((3, 4, 4)) < 0.4).astype(float), rng.uniform(0.1, 0.9, (3, 4, 4)), 1e-5
_, slope = gradient_of_focal_tversky(p, g, 0.2, 0.8, 1.3)
assert slope is not None and np.shape(slope) == (3, 4, 4), "each probability has its own slope"


def true_loss(p):
    tp, fp, fn = ((a * b).sum((1, 2)) for a, b in ((p, g), (p, 1 - g), (1 - p, g)))
    return np.mean((1 - (tp + 1e-6) / (tp + 0.2 * fp + 0.8 * fn + 1e-6)) ** 1.3)


for place in ((0, 1, 2), (1, 3, 0), (2, 2, 2)):
    nudge = np.zeros((3, 4, 4))
    nudge[place] = step
    assert np.isclose(slope[place], (true_loss(p + nudge) - true_loss(p - nudge)) / (2 * step), atol=1e-5), "the gradient is not that of the loss"
_, slope = gradient_of_focal_tversky(np.stack([g[0], p[1]]), g[:2], 0.2, 0.8, 0.6)
assert slope is not None and np.isfinite(slope).all() and np.abs(slope[1]).max() > 1e-3, "one perfect image in a batch must not spoil, or silence, the gradient of the others"
### END HIDDEN TESTS

# %% [markdown]
# ### Readers disagree: majority vote or STAPLE
#
# Ask five people to outline a lesion and you get five outlines. A **majority vote** gives each the same say. **STAPLE** (Warfield, Zou and Wells, TMI 2004) learns from the outlines alone whom to trust. It knows neither the truth nor the skills, and finds both in turns (expectation-maximisation):
#
# - **E-step**: with sensitivity $p_r$ and specificity $q_r$ of each reader, and a prior $\pi$ for "lesion", how probable is lesion in a pixel where reader $r$ says $d_r \in \{0, 1\}$? By Bayes, with readers independent given the truth,
#   $$a = \pi \prod_r p_r^{d_r} (1 - p_r)^{1 - d_r}, \quad b = (1 - \pi) \prod_r (1 - q_r)^{d_r} q_r^{1 - d_r}, \quad W = \frac{a}{a + b} .$$
#   A reader who has not read ($d_r = -1$) says nothing: the factor is 1.
# - **M-step**: $p_r = \sum W d_r / \sum W$ and $q_r = \sum (1 - W)(1 - d_r) / \sum (1 - W)$. Repeat.
#
# Three groups of five draw the same 20 simulated lesions.
#
# - *Missing parts*: an expert, and four trainees who each miss parts of the lesion, each another part.
# - *Wandering*: an expert, and four trainees whose outlines wander in and out, each in its own way.
# - *One school*: two experts, and three trainees who all draw too wide.
#
# **Predict before you run.** In which groups does STAPLE beat the vote? Is there one where it is worse?

# %% tags=["demo"]
import SimpleITK as sitk

reader_rng = np.random.default_rng(run.seed)
cases = np.stack([simulate.ultrasound(malignant=True, shape=(96, 96), spacing=0.4, seed=i).lesion for i in range(20)])
signed_distance = np.stack([ndimage.distance_transform_edt(one) - ndimage.distance_transform_edt(~one) for one in cases])
GROUPS = {  # pixels: how far the outline wanders, and how much too wide (or, if negative, too tight) it is drawn
    "missing parts": {"expert": (1, 0), **{f"trainee {i}": (5, -5) for i in range(1, 5)}},
    "wandering": {"expert": (1, 0), **{f"trainee {i}": (6, 0) for i in range(1, 5)}},
    "one school": {"expert 1": (1, 0), "expert 2": (1, 0), **{f"trainee {i}": (1.5, 4) for i in range(1, 4)}},
}
outlines, fused = {}, {}
for group, skills in GROUPS.items():
    drawn = []
    for wander, wide in skills.values():
        noise = ndimage.gaussian_filter(reader_rng.standard_normal(cases.shape), (0, 5, 5))
        drawn.append(signed_distance + wide + wander * noise / noise.std() > 0)
    outlines[group] = np.stack(drawn)  # (readers, cases, H, W)
    staple = sitk.STAPLEImageFilter()
    probability = sitk.GetArrayFromImage(staple.Execute([sitk.GetImageFromArray(one.astype(np.uint8)) for one in outlines[group]]))
    fused[group] = {"majority vote": outlines[group].mean(0) > 0.5, "STAPLE": probability > 0.5}
    print(f"{group}: sensitivity as STAPLE finds it / true")
    for name, found, mine in zip(skills, staple.GetSensitivity(), outlines[group], strict=True):
        print(f"   {name:10s} {found:.2f} / {mine[cases].mean():.2f}")

# %% tags=["demo"]
reader_dice = {group: {name: image_dice(torch.tensor(mask), torch.tensor(cases)) for name, mask in [*zip(GROUPS[group], outlines[group], strict=True), *fused[group].items()]} for group in GROUPS}
resampled = np.random.default_rng(run.seed).integers(0, len(cases), (2000, len(cases)))
staple_gain = {}
for group, scores in reader_dice.items():
    gain = scores["STAPLE"] - scores["majority vote"]
    staple_gain[group] = (gain.mean(), *np.percentile(gain[resampled].mean(1), [2.5, 97.5]))
    print(f"{group}: majority {scores['majority vote'].mean():.3f}, STAPLE {scores['STAPLE'].mean():.3f}; gain {staple_gain[group][0]:+.3f} [{staple_gain[group][1]:+.3f}, {staple_gain[group][2]:+.3f}]")
assert staple_gain["missing parts"][1] > 0.05, "where readers miss different parts STAPLE should win"
fig, axes = plt.subplots(3, 4, figsize=(11, 6.3), layout="constrained", width_ratios=[1, 1, 1, 1.6])
for row, (group, scores) in zip(axes, reader_dice.items(), strict=True):
    pictures = {"all readers": outlines[group][:, 0].mean(0), **{name: mask[0] for name, mask in fused[group].items()}}
    for ax, (name, picture) in zip(row, pictures.items(), strict=False):
        ax.imshow(picture, cmap=show.SEQUENTIAL, vmin=0, vmax=1)
        show.outline(ax, cases[0], color=show.PALETTE[3])
        (top, left), (bottom, right) = np.argwhere(cases[0]).min(0) - 14, np.argwhere(cases[0]).max(0) + 14
        ax.set(xlim=(left, right), ylim=(bottom, top))
        ax.set_title(f"{group}: {name}" if name == "all readers" else name, fontsize=10)
        ax.set_axis_off()
    row[3].barh(list(scores), [value.mean() for value in scores.values()], color=[show.PALETTE[5]] * 5 + [show.PALETTE[0], show.PALETTE[1]],
                hatch=[""] * 5 + ["//", "xx"], edgecolor="white")
    row[3].set(xlim=(0.4, 1), xlabel="mean Dice against the planted truth")
    row[3].invert_yaxis()
show.figure(fig, alt="Three groups of readers: how many of them drew each pixel, with the true outline, majority vote, STAPLE and bars of Dice. Where trainees miss parts STAPLE is nearer to the true outline than the majority; where outlines wander, and where one school draws too wide, STAPLE is worse")

# %% [markdown]
# Where trainees miss parts, STAPLE learns without being told that their "no" is worth little, and gains much. In the other two groups the plain vote is better, for two reasons that you should know.
# (The groups were picked to show both. Of about a dozen set-ups of simulated readers that we tried, STAPLE won in about five; the first group is one of them.)
#
# *Wandering*: STAPLE takes all pixels for equally hard. Most of them are easy background, so every reader's specificity looks excellent, a single "yes" weighs as much as several "no", and the result is too wide. (A remedy: fuse only in a band round the outlines.)
#
# *One school*: three who agree look reliable, and the experts, who differ from them, look insensitive. *Agreement is not truth.* No arithmetic on outlines can tell a school from a fact; a biopsy can.
#
# ### Exercise 4.5b - the E-step of STAPLE
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can weigh readers by their skill*
#
# Write `staple_posterior(decisions, sensitivity, specificity, prior)`. In practice not every reader draws every case: $-1$ means "has not read this", and such a reader says nothing there.
#
# <details><summary>Hint 1: the idea</summary>Two products, one for "lesion" and one for "no lesion". What does a reader contribute to each if the decision is 1, if it is 0, and if it is -1?</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.where(decisions == 1, ..., ...)</code> picks factors. Sum logarithms, subtract, and <code>scipy.special.expit</code> turns the difference into a probability.</details>
# <details><summary>One reader of sensitivity 0.9 and specificity 0.8 says yes, prior 0.2, and I don't get 0.53</summary>If there is no lesion, the reader says yes with probability 1 - 0.8.</details>
# <details><summary>With hundreds of readers I get nan</summary>Products of so many small numbers become 0, and 0/0 is nan. Use logarithms.</details>


# %% nbgrader={"grade": false, "grade_id": "staple", "locked": false, "schema_version": 3, "solution": true, "task": false}
def staple_posterior(decisions: np.ndarray, sensitivity: np.ndarray, specificity: np.ndarray, prior: float) -> np.ndarray:
    """Probability of lesion in each pixel, from readers of known skill.

    Args:
        decisions: (R, ...) 1 lesion, 0 no lesion, -1 not read; R may be several hundreds.
        sensitivity, specificity: (R,) of each reader, above 0 and below 1.
        prior: probability of lesion before anybody has looked, above 0 and below 1.

    Returns:
        (...) probabilities; the prior where nobody has read.
    """
    ### BEGIN SOLUTION
    p, q = (np.asarray(skill, dtype=float).reshape(-1, *[1] * (decisions.ndim - 1)) for skill in (sensitivity, specificity))
    yes, no = np.log(p / (1 - q)), np.log((1 - p) / q)
    evidence = np.where(decisions == 1, yes, np.where(decisions == 0, no, 0.0)).sum(0) + np.log(prior / (1 - prior))
    return np.exp(-np.logaddexp(0, -evidence))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "staple-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Bayes with one reader, and with readers of different skill: sensitivity 0.9, specificity 0.8, prior 0.2, "yes" -> 0.18 / (0.18 + 0.16)
def posterior(decisions, sensitivity, specificity, prior):
    """Your answer as an array of floats."""
    return np.asarray(staple_posterior(np.array(decisions), np.array(sensitivity), np.array(specificity), prior), dtype=float)


answer = posterior([[1, 0]], [0.9], [0.8], 0.2)
assert answer.shape == (2,), f"one reader, two pixels: expected two probabilities, shape (2,), got {answer.shape}"
yes, no = answer
assert not np.isclose(yes, 0.2 * 0.8 / (0.2 * 0.8 + 0.8 * 0.1)), "sensitivity and specificity are swapped: a yes has probability 0.9 if there is a lesion, and 1 - 0.8 if there is none"
assert not np.isclose(yes, 0.9 / 1.1), "the prior is ignored: before anybody looked, lesion had probability 0.2, not one half"
assert not np.isclose(yes, 0.18 / (0.18 + 0.64)), "without a lesion a yes is a false alarm, 1 - specificity; you took the specificity itself"
assert not np.isclose(yes, 1), "that is the share of readers who say yes: a vote. Use Bayes with their skills"
assert np.isclose(yes, 0.18 / 0.34), f"expected 0.18 / 0.34 = 0.529 for a yes, got {yes:.3f}"
assert np.isclose(no, 0.02 / 0.66), f"a no should give 0.2 x 0.1 / (0.2 x 0.1 + 0.8 x 0.8) = 0.030, got {no:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(54)
for readers in (2, 3, 6):
    p, q, prior = rng.uniform(0.55, 0.98, readers), rng.uniform(0.55, 0.98, readers), rng.uniform(0.05, 0.6)
    decisions = rng.integers(0, 2, (readers, 4, 5))
    truth = np.empty((4, 5))
    for place in np.ndindex(4, 5):
        a = prior * np.prod([p[r] if decisions[(r, *place)] else 1 - p[r] for r in range(readers)])
        b = (1 - prior) * np.prod([1 - q[r] if decisions[(r, *place)] else q[r] for r in range(readers)])
        truth[place] = a / (a + b)
    answer = posterior(decisions, p, q, prior)
    assert answer.shape == (4, 5), "one probability a pixel: the readers' axis is the first"
    assert np.allclose(answer, truth), f"the probabilities are off for {readers} readers of different skill"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "staple-skill", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One expert against two guessers: skill counts, not heads; and a reader of sensitivity and specificity 0.5 says nothing
def posterior(decisions, sensitivity, specificity, prior):
    """Your answer as an array of floats."""
    return np.asarray(staple_posterior(np.array(decisions), np.array(sensitivity), np.array(specificity), prior), dtype=float)


answer = posterior([[1], [0], [0]], [0.98, 0.6, 0.6], [0.98, 0.6, 0.6], 0.5)
assert answer.shape == (1,), f"one pixel: expected shape (1,), got {answer.shape}"
assert answer[0] > 0.5, f"a reader who errs in 2 % says yes, two who err in 40 % say no: lesion is likely, you say {answer[0]:.2f}. A majority vote?"
coin = posterior([[1], [1]], [0.9, 0.5], [0.8, 0.5], 0.2)
assert np.isclose(coin[0], posterior([[1]], [0.9], [0.8], 0.2)[0]), "a reader who tosses a coin (0.5 and 0.5) must not change anything"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(55)
decisions, p, q = rng.integers(0, 2, (4, 30)), rng.uniform(0.6, 0.95, 4), rng.uniform(0.6, 0.95, 4)
answer, order = posterior(decisions, p, q, 0.3), rng.permutation(4)
assert np.ptp(answer) > 0.1 and np.allclose(answer, posterior(decisions[order], p[order], q[order], 0.3)), "the order of the readers must not matter"
assert np.allclose(answer, 1 - posterior(1 - decisions, q, p, 0.7)), "calling lesion background turns sensitivity into specificity and the prior round: the answer should become 1 minus itself"
assert (posterior(decisions, p, q, 0.6) > answer).all(), "a higher prior must give higher probabilities"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "staple-missing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Who has not read says nothing; and 800 readers are no reason for nan
def posterior(decisions, sensitivity, specificity, prior):
    """Your answer as an array of floats."""
    return np.asarray(staple_posterior(np.array(decisions), np.array(sensitivity), np.array(specificity), prior), dtype=float)


answer = posterior([[1, -1, 0], [-1, -1, 0]], [0.9, 0.7], [0.8, 0.9], 0.2)
assert answer.shape == (3,), f"three pixels: expected shape (3,), got {answer.shape}"
assert not np.isclose(answer[0], 0.2 * 0.9 * 0.3 / (0.2 * 0.9 * 0.3 + 0.8 * 0.2 * 0.9)), "-1 is taken for a no; who has not read says nothing"
assert not np.isclose(answer[0], 0.2 * 0.9 * 0.7 / (0.2 * 0.9 * 0.7 + 0.8 * 0.2 * 0.1)), "-1 is taken for a yes (every number but 0 is true); who has not read says nothing"
assert np.isclose(answer[0], 0.18 / 0.34), f"only the first has read, and says yes: 0.529 as if alone, got {answer[0]:.3f}"
assert np.isclose(answer[1], 0.2), f"where nobody has read the prior 0.2 remains, got {answer[1]:.3f}"
many = posterior(np.repeat([[1], [0]], 400, axis=0), np.full(800, 0.1), np.full(800, 0.9), 0.4)
assert np.isfinite(many).all(), "800 readers give nan: products of small numbers become 0. Sum logarithms instead"
### BEGIN HIDDEN TESTS
assert np.isclose(many[0], 0.4), "400 yes and 400 no of readers whose yes and no mean nothing (sensitivity = 1 - specificity): the prior remains"
few = posterior(np.array([[1]] * 420 + [[0]] * 420), np.full(840, 0.8), np.full(840, 0.8), 0.25)
assert np.isclose(few[0], 0.25), "420 against 420 equally good readers: the prior remains"
rng = np.random.default_rng(56)
decisions, p, q = rng.integers(-1, 2, (5, 40)), rng.uniform(0.6, 0.95, 5), rng.uniform(0.6, 0.95, 5)
answer = posterior(decisions, p, q, 0.3)
for place in range(40):
    read = decisions[:, place] >= 0
    alone = posterior(decisions[read][:, [place]], p[read], q[read], 0.3)[0] if read.any() else 0.3
    assert np.isclose(answer[place], alone), "a pixel's answer should be that of the readers who have read it"
### END HIDDEN TESTS

# %% [markdown]
# ### Another scanner
#
# The same patient in the next hospital: another coil, another contrast curve, more noise. The anatomy has not changed, and the network has never seen such an image. Real hippocampi (a stand-in in `ci`), three networks trained on *scanner A*, tested on test patients as A shows them, and as B does:
# a steep contrast curve, a surface coil (an antenna on one side of the head, near which the image is brighter), Rician noise (that of MR magnitude images). B is simulated, so that only the contrast differs and not the patients.
#
# The cure that costs no label is **intensity augmentation**: show each training image with a random gamma, a random linear shading, and random noise. None of the three is what B does. (Scaling each image to mean 0 and standard deviation 1 is done in both arms; it removes linear changes only.)
#
# **Predict before you run.** What does the Dice fall to on B: by 0.05, 0.2 or more? How much of it does augmentation bring back? And what does it cost on A?

# %% tags=["demo"]
import nibabel as nib

hippocampi = data.load("hippocampus", profile=run.profile)


def sagittal_planes(split, per_case: int) -> tuple:
    """Planes across the hippocampus: images (N, 1, 64, 48) from 0 to 1, scaled by volume, masks (N, 64, 48), case ids (N,)."""
    planes, masks, who = [], [], []
    for image_path, label_path, case in zip(split.images, split.labels, split.patients, strict=True):
        volume, label = nib.load(image_path).get_fdata(dtype=np.float32), np.asarray(nib.load(label_path).dataobj) > 0
        low, high = np.percentile(volume, [1, 99])
        inside = np.flatnonzero(label.any((1, 2)))
        for x in np.linspace(inside[0], inside[-1], per_case + 2).round().astype(int)[1:-1]:
            spare = [(0, max(size - have, 0)) for size, have in zip((64, 48), volume.shape[1:], strict=True)]
            planes.append(np.pad(np.clip((volume[x] - low) / (high - low), 0, 1).astype(np.float32), spare)[:64, :48])
            masks.append(np.pad(label[x], spare)[:64, :48])
            who.append(case)
    return torch.tensor(np.stack(planes))[:, None], torch.tensor(np.stack(masks)), np.array(who)


per_case = run.pick(ci={"train": 2, "val": 3, "test": 3}, laptop={"train": 2, "val": 3, "test": 3})
planes = {part: sagittal_planes(getattr(hippocampi, part), n) for part, n in per_case.items()}
down, across = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 48), indexing="ij")


def standard(x: torch.Tensor) -> torch.Tensor:
    """Mean 0 and standard deviation 1, image by image."""
    return (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)


def scanner_b(x: torch.Tensor) -> torch.Tensor:
    """Steep contrast, surface coil, Rician noise."""
    g = torch.Generator().manual_seed(run.seed + 5)
    signal = torch.sigmoid(9 * (x - 0.65)) * (0.5 + torch.exp(-0.75 * (down + 1)))
    return torch.hypot(signal + 0.08 * torch.randn(x.shape, generator=g), 0.08 * torch.randn(x.shape, generator=g))


def vary_intensity(x: torch.Tensor) -> torch.Tensor:
    """Random gamma, linear shading and noise, then `standard`."""
    gamma, tilt, turn, sigma = (torch.empty(len(x), 1, 1, 1).uniform_(low, high) for low, high in ((-1.2, 1.2), (-0.6, 0.6), (-0.6, 0.6), (0, 0.12)))
    return standard(x ** gamma.exp() * (tilt * down + turn * across).exp() + sigma * torch.randn(x.shape))


# %% tags=["demo"]
hippo_x, hippo_y, hippo_case = planes["test"]
seen_by = {"scanner A": standard(hippo_x), "scanner B": standard(scanner_b(hippo_x))}
hippo_parts = {part: (x if part == "train" else standard(x), y) for part, (x, y, _) in planes.items()}
members = {}
for arm, change in {"plain": standard, "augmented": vary_intensity}.items():
    nets = [fit_2d(lambda: SmallUNet((8, 16, 32)), hippo_parts, run.pick(ci=8, laptop=8), seed, vary=change) for seed in range(3)]
    members[arm] = {scanner: torch.stack([predict_2d(net, x) for net in nets]) for scanner, x in seen_by.items()}  # (3, N, H, W)
shift_dice = {(arm, scanner): np.stack([image_dice(p > 0.5, hippo_y) for p in here]) for arm, there in members.items() for scanner, here in there.items()}
ids = np.unique(hippo_case)
by_case = {key: np.stack([rows[:, hippo_case == case].mean(1) for case in ids], 1) for key, rows in shift_dice.items()}  # (seeds, cases)
drawn_cases = np.random.default_rng(run.seed).integers(0, len(ids), (2000, len(ids)))
for key, rows in by_case.items():
    low, high = np.percentile(rows.mean(0)[drawn_cases].mean(1), [2.5, 97.5])
    print(f"{key[0]:10s} {key[1]}: Dice {rows.mean():.3f} [{low:.3f}, {high:.3f}] over {len(ids)} cases; networks {rows.mean(1).round(3)}")
regained_by_case = (by_case["augmented", "scanner B"] - by_case["plain", "scanner B"]).mean(0)
regained = (regained_by_case.mean(), *np.percentile(regained_by_case[drawn_cases].mean(1), [2.5, 97.5]))
print(f"augmentation regains {regained[0]:.3f} [{regained[1]:.3f}, {regained[2]:.3f}] Dice on B")
assert by_case["plain", "scanner A"].mean() > 0.7 and regained[1] > 0.05, "the networks should learn scanner A, and augmentation should help on B"
first_gain = shift_dice["augmented", "scanner B"][0] - shift_dice["plain", "scanner B"][0]
middle = int(np.argsort(first_gain)[len(first_gain) // 2])  # an ordinary plane: its gain is the median
show.row([seen_by["scanner A"][middle, 0], seen_by["scanner B"][middle, 0], seen_by["scanner B"][middle, 0], seen_by["scanner B"][middle, 0]],
         titles=["scanner A, truth", "scanner B, truth", *(f"B: {arm}, Dice {shift_dice[arm, 'scanner B'][0][middle]:.2f}" for arm in members)], height=2.9,
         overlay=[hippo_y[middle], hippo_y[middle], members["plain"]["scanner B"][0, middle] > 0.5, members["augmented"]["scanner B"][0, middle] > 0.5],
         alt="A hippocampus as scanners A and B show it, with the true outline; on B the plain network's outline leaves out more of the organ than that of the augmented network")

# %% [markdown]
# A network that was good for every patient of hospital A is of little use in hospital B, and nothing in A's test set could have told you. Augmentation regains most of it without one label from B, and costs a little on A. It helps against the changes you can think of; lecture 11 is about the others.
#
# ### Does it know when it is wrong?
#
# Each arm has three networks with different seeds: an **ensemble** (Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017). Average their probabilities to $\bar p_c$ and take the entropy, divided by its largest value:
#
# $$H = -\frac{1}{\log C} \sum_c \bar p_c \log \bar p_c \in [0, 1] .$$
#
# $H$ is high where every member hesitates, *and* where sure members contradict each other. The mean of the members' entropies misses the second kind. (Members can also be made from one network by leaving dropout on, Gal and Ghahramani, ICML 2016.)
#
# Errors live at borders, so there is a trivial rival: "near the predicted outline is uncertain". An uncertainty that finds errors no better than that has told you nothing new.
#
# **Predict before you run.** Which finds wrong pixels better, entropy or nearness to the outline? Does it hold on scanner B, where it is needed? And can the mean entropy of a plane tell which *planes* are bad?

# %% tags=["demo"]
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score


def binary_entropy(p: np.ndarray) -> np.ndarray:
    """Entropy of a foreground probability, 0 to 1."""
    return -(np.where(p > 0, p * np.log2(np.maximum(p, 1e-12)), 0) + np.where(p < 1, (1 - p) * np.log2(np.maximum(1 - p, 1e-12)), 0))


found_errors, entropy_maps = {}, {}
for arm, there in members.items():
    for scanner, here in there.items():
        p = here.numpy().astype(float)
        mask = p.mean(0) > 0.5
        wrong = mask != hippo_y.numpy()
        near = -np.stack([np.abs(ndimage.distance_transform_edt(one) - ndimage.distance_transform_edt(~one)) if one.any() else np.full(one.shape, -64.0) for one in mask])
        entropy_maps[arm, scanner] = (binary_entropy(p.mean(0)), wrong)
        signals = {"entropy of the mean": binary_entropy(p.mean(0)), "mean of the entropies": binary_entropy(p).mean(0), "nearness to outline": near}
        found_errors[arm, scanner] = {name: roc_auc_score(wrong.ravel(), value.ravel()) for name, value in signals.items()}
        per_plane = binary_entropy(p.mean(0)).sum((1, 2)) / np.maximum(mask.sum((1, 2)), 1)
        rank = spearmanr(per_plane, image_dice(torch.tensor(mask), hippo_y))[0]
        told = "   ".join(f"{name} {value:.3f}" for name, value in found_errors[arm, scanner].items())
        print(f"{arm:9s} {scanner}: {wrong.mean():.1%} of pixels wrong; AUC for wrong pixels: {told}; rank correlation with Dice {rank:+.2f}")
fig, axes = plt.subplots(1, 4, figsize=(10.5, 3), layout="constrained", width_ratios=[1, 1, 1, 1.9])
entropy, wrong = entropy_maps["plain", "scanner B"]
for ax, picture, title in zip(axes, (seen_by["scanner B"][middle, 0], entropy[middle], wrong[middle]), ("plain, scanner B", "entropy", "wrong pixels"), strict=False):
    ax.imshow(picture, cmap="gray" if ax is axes[0] else show.SEQUENTIAL)
    ax.set(title=title, xticks=[], yticks=[])
keys = list(found_errors)
for k, name in enumerate(found_errors[keys[0]]):
    axes[3].bar(np.arange(4) + 0.27 * (k - 1), [found_errors[key][name] for key in keys], 0.25, color=show.PALETTE[k], hatch=("", "//", "..")[k], edgecolor="white", label=name)
axes[3].set(xticks=range(4), xticklabels=[f"{arm}\n{scanner}" for arm, scanner in keys], ylim=(0.5, 1.2), yticks=np.linspace(0.5, 1, 6), ylabel="AUC for wrong pixels")
axes[3].legend(fontsize=8, loc="upper center", ncols=2)
axes[3].tick_params(axis="x", labelsize=8)
show.figure(fig, alt="A plane of scanner B, its entropy map and the pixels that are wrong; bars of how well entropy of the mean, mean entropy and nearness to the outline find wrong pixels in four settings")

# %% [markdown]
# Look at the figures, not at the hope. On scanner A nearness to the outline is a strong rival: nearly all errors lie there. On scanner B the plain ensemble makes errors *far* from any outline, misses whole parts, and is sure of many of them. A map of uncertainty is a help for the reader,
# and no proof of safety. The mean over a plane does rank planes: use it to decide which ones a person looks at first.
#
# ### Exercise 4.5c - uncertainty of a voxel
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can flag voxels on which an ensemble is not agreed*
#
# Write `ensemble_entropy(members)`.
#
# <details><summary>Hint 1: the idea</summary>First the mean over members, then the entropy over classes. The order matters.</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.special.xlogy(p, p)</code> is 0 at p = 0. Or <code>scipy.stats.entropy(p, axis=0)</code>.</details>
# <details><summary>Two sure members who contradict each other give 0</summary>You averaged their entropies, and each is sure. Average their probabilities.</details>
# <details><summary>I get nan</summary>0 times log 0. Its limit is 0.</details>


# %% nbgrader={"grade": false, "grade_id": "voxel-uncertainty", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ensemble_entropy(members: np.ndarray) -> np.ndarray:
    """Entropy of an ensemble's mean prediction, voxel by voxel.

    Args:
        members: (M, C, ...) probabilities of M networks for C classes, at least 2; over the classes they add up to 1, and they may be exactly 0 or 1.

    Returns:
        (...) from 0 (the mean is sure) to 1 (all classes alike): the entropy of the mean over members, divided by log C.
    """
    ### BEGIN SOLUTION
    mean = members.mean(0)
    logs = np.log(mean, out=np.zeros_like(mean), where=mean > 0)
    return -(mean * logs).sum(0) / np.log(len(mean))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "voxel-uncertainty-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value and its scale: 0.9 and 0.1 -> 0.469; all classes alike -> 1, whatever their number
one = np.array([[[0.9, 0.5], [0.1, 0.5]]])  # one member, two classes, two voxels
value = np.asarray(ensemble_entropy(one), dtype=float)
assert value.shape == (2,), f"one member, two classes, two voxels: expected shape (2,), got {value.shape}. Members are the first axis, classes the second"
assert not np.isclose(value[0], 0.325, atol=1e-3), "that is in nats: divide by log C, so that 1 means all classes alike"
assert np.isclose(value[0], 0.469, atol=1e-3), f"probabilities 0.9 and 0.1 give 0.469, not {value[0]:.3f}. Mean over members (the first axis), then sum over classes (the second)"
three = np.asarray(ensemble_entropy(np.full((2, 3, 1), 1 / 3)), dtype=float)
assert np.allclose(three, 1), f"three classes alike should give 1, got {three}: divide by log 3, not by log 2"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(57)
for m, c, shape in ((1, 2, (4, 5)), (4, 3, (2, 3, 4)), (5, 6, (7,))):
    members = rng.dirichlet(np.ones(c), (m, *shape))
    members = np.moveaxis(members, -1, 1)
    p = members.mean(0)
    value = np.asarray(ensemble_entropy(members), dtype=float)
    assert value.shape == shape, f"expected one number a voxel, shape {shape}, got {value.shape}"
    assert np.allclose(value, -(p * np.log(p)).sum(0) / np.log(c)), f"the value is off for {m} members and {c} classes"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "voxel-uncertainty-disagree", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Sure and contradicting members: nobody hesitates, and still nothing is known. And sure members who agree: 0, not nan
members = np.array([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]])  # (members, classes, voxels)
value = np.asarray(ensemble_entropy(members), dtype=float)
assert value.shape == (2,), f"two voxels: expected shape (2,), got {value.shape}"
assert np.isfinite(value).all(), "sure members give nan: 0 x log 0 counts as 0"
assert value[0] > 0.1, "two members are sure and contradict each other, and you say 0: you averaged their entropies. Average their probabilities first"
assert np.isclose(value[0], 1) and np.isclose(value[1], 0, atol=1e-6), f"contradiction 1, agreement 0: got {value.round(3)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(58)
members = np.moveaxis(rng.dirichlet(np.full(3, 0.3), (4, 6, 6)), -1, 1)
members[:, :, 0] = np.array([1.0, 0, 0])[None, :, None]
value = np.asarray(ensemble_entropy(members), dtype=float)
assert value.shape == (6, 6) and np.isfinite(value).all() and np.allclose(value[0], 0, atol=1e-6), "where all members are sure of one class the entropy is 0"
each = np.stack([np.asarray(ensemble_entropy(members[i : i + 1]), dtype=float) for i in range(4)])
assert (value >= each.mean(0) - 1e-9).all() and (value[1:] > each.mean(0)[1:] + 1e-3).all(), "the entropy of the mean is at least the mean of the entropies; yours does not see that members disagree"
assert np.allclose(value, ensemble_entropy(members[::-1])), "the order of the members must not matter"
### END HIDDEN TESTS

# %% [markdown]
# ### What is open today
#
# - **Foundation models.** Promptable segmenters trained on millions of masks (SAM, Kirillov et al., ICCV 2023; MedSAM, Ma et al., Nature Communications 2024) need a click or a box instead of a training set. They draw what has an edge. Where the edge is a convention, as between the two parts of the
#   hippocampus, they can't know it. Section 4.4 and lecture 15 use the idea.
# - **Strong baselines.** A well configured U-Net (nnU-Net, Isensee et al., Nature Methods 2021) is still hard to beat, and many papers didn't try.
# - **Metrics that match the question** (Maier-Hein et al., Nature Methods 2024): overlap for volumes, surface distance for radiotherapy, object scores for counting.
# - **Ambiguity as an output**: several plausible outlines instead of one mean nobody drew.
#
# **Checkpoint.** Your lesion segmenter reports a mean Dice of 0.78 on 200 scans with lesions from your own hospital. The plan is to run it on all scans of three hospitals. Name the three measurements that are missing, one for each of: healthy scans, readers, scanners.
#
# <details><summary>Answer</summary>Healthy scans: the share of scans without lesion in which it marks one, because the 200 scans hold none. Readers: the Dice between two experts on the same scans; if they reach 0.80 with each other, 0.78 is at the ceiling, and the reference's own bias (one school?) is the question.
# Scanners: Dice and lesion-wise sensitivity in each hospital apart, patients split, with an interval by patient, before anything is pooled.</details>

# %% [markdown]
# ## Results
#
# The figures of this lecture, each beside one to compare it with. Intervals are 95 % bootstrap intervals over test images, or over cases where a case gives several planes. In the profile `ci` the hippocampus is a stand-in.

# %% tags=["results"]
def keep(name: str, value: float, interval: tuple = (None, None), baseline: float | None = None, whose: str = "", source: str = "") -> None:
    """Record one figure of this lecture."""
    low, high = interval
    results.record(LECTURE, run.profile, name, value, low=low, high=high, baseline=baseline, baseline_name=whose, source=source)


keep("nuclei, U-Net mask: test Dice", nuclei_dice["U-Net"].mean(), baseline=nuclei_dice["Otsu threshold"].mean(), whose="Otsu threshold", source="section 4.1, planted")
keep("nuclei, watershed: panoptic quality", pq_of["watershed"], pq_interval["watershed"], pq_of["connected components"], "connected components", "section 4.1, planted")
keep("nuclei, watershed: object F1", f1_of["watershed"], baseline=f1_of["connected components"], whose="connected components", source="section 4.1, planted")
for column, size in enumerate(SPOTS):
    keep(f"{size} spots, U-Net: test Dice", ablation["U-Net"].mean(0)[column], baseline=ablation["no skips"].mean(0)[column], whose="without skips", source="section 4.2, planted")
keep("small spots, dilated network: test Dice", ablation["dilated"].mean(0)[0], baseline=ablation["small field"].mean(0)[0], whose="no dilation", source="section 4.2, planted")
keep(f"{hippocampi.name}, 3-D U-Net, both parts: test Dice", volume_dice[0], volume_dice[1:], atlas_dice[0], "majority atlas", "section 4.3")
keep(f"{hippocampi.name}, 3-D U-Net beside nnU-Net's published mean: test Dice", volume_dice[0], volume_dice[1:], 0.895, "nnU-Net, other cases", "Isensee et al. 2021")
keep(f"{hippocampi.name}, 3-D U-Net: test HD95 in mm", volume_hd95[0], volume_hd95[1:], volume_scores["majority atlas"]["HD95 (mm)"].mean(), "majority atlas", "section 4.3")
for name in ("no skips", "slices only", "patches not balanced"):
    keep(f"3-D U-Net, briefly trained, {name}: validation Dice", volume_ablation[name].mean(), baseline=volume_ablation["full"].mean(), whose="full", source="section 4.3")
keep("clicks to a Dice of 0.9, largest error first", clicks_90["deepest error"][0], clicks_90["deepest error"][1:], clicks_90["anywhere in the image"][0], "random clicks", "section 4.4")
for column, when in ((0, "at threshold 0.5"), (3, "with its own threshold")):
    keep(f"rare lesion, Dice loss {when}: test Dice", loss_rows["Dice"][:, column].mean(), baseline=loss_rows["CE"][:, column].mean(), whose="cross-entropy", source="section 4.5, planted")
keep("rare lesion, cross-entropy with a doubtful start: test Dice", loss_rows["CE, doubtful start"][:, 0].mean(), baseline=loss_rows["Dice"][:, 0].mean(), whose="Dice loss", source="section 4.5, planted")
for group, (value, *ends) in staple_gain.items():
    keep(f"STAPLE minus majority vote, {group}: Dice", value, ends, 0, "majority vote", "section 4.5, planted")
keep(f"{hippocampi.name}, scanner B, augmented: test Dice", by_case["augmented", "scanner B"].mean(), baseline=by_case["plain", "scanner B"].mean(), whose="no augmentation", source="section 4.5")
keep(f"{hippocampi.name}, Dice regained on scanner B", regained[0], regained[1:], 0, "no augmentation", "section 4.5")
keep("scanner B, entropy of the ensemble: AUC for wrong pixels", found_errors["plain", "scanner B"]["entropy of the mean"], baseline=found_errors["plain", "scanner B"]["nearness to outline"], whose="nearness to outline", source="section 4.5")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Reflection
#
# A start-up offers your clinic a network that outlines multiple-sclerosis lesions: "Dice 0.79, better than the radiologists' 0.75 among themselves, and with an uncertainty map for safety". In about 150 words: what do the three statements tell you, what don't they, and which *two* measurements of your own decide?
#
# | Points | What your answer shows |
# |---|---|
# | 3 | Says why Dice against a consensus and Dice between readers can't be compared directly, and names at least two gaps out of small lesions, healthy scans, objects instead of pixels, another scanner, how the reference was fused, what uncertainty is compared with; asks for two concrete measurements with patients, number and a value that would stop the purchase |
# | 2 | Names two gaps, but one measurement stays vague or has no value that decides |
# | 1 | Repeats that Dice is not everything, without a measurement |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# 0.79 and 0.75 measure different things. The network is compared with one reference, perhaps a fusion of those very radiologists, and was trained to please it; the radiologists are compared with each other. A fused outline is smoother than each reader's, so agreement with it is easier. Dice speaks mostly of large lesions:
# new small ones, which decide on therapy, hardly change it. Scans without lesions may have been left out. And an uncertainty map is worth something only if it finds errors better than "near an outline", on *our* scanner.
#
# First measurement: 60 consecutive patients of our two scanners, lesions outlined by two neuroradiologists apart; lesion-wise sensitivity for lesions below 5 mm, and false lesions a scan, each with an interval by patient and each scanner apart. If sensitivity is below 0.7 on either scanner, or there are more than two false
# lesions a scan, we stop. Second: 40 scans of people without lesions; if more than one in ten gets a mark, we stop.

# %% [markdown]
# ## References
#
# Data
# - Antonelli, Reinke, Bakas, et al. The Medical Segmentation Decathlon. Nature Communications 13:4128, 2022.
# - Ruifrok, Johnston. Quantification of histochemical staining by color deconvolution. Analytical and Quantitative Cytology and Histology 23(4):291-299, 2001.
#
# Semantic and instance segmentation
# - Ronneberger, Fischer, Brox. U-Net: convolutional networks for biomedical image segmentation. MICCAI 2015.
# - Vincent, Soille. Watersheds in digital spaces: an efficient algorithm based on immersion simulations. IEEE TPAMI 13(6), 1991.
# - Kirillov, He, Girshick, Rother, Dollar. Panoptic segmentation. CVPR 2019.
# - Schmidt, Weigert, Broaddus, Myers. Cell detection with star-convex polygons. MICCAI 2018.
# - Stringer, Wang, Michaelos, Pachitariu. Cellpose: a generalist algorithm for cellular segmentation. Nature Methods 18, 2021.
# - Çiçek, Abdulkadir, Lienkamp, Brox, Ronneberger. 3D U-Net: learning dense volumetric segmentation from sparse annotation. MICCAI 2016.
# - Yu, Koltun. Multi-scale context aggregation by dilated convolutions. ICLR 2016.
# - Isensee, Jaeger, Kohl, Petersen, Maier-Hein. nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation. Nature Methods 18:203-211, 2021.
#
# Losses
# - Milletari, Navab, Ahmadi. V-Net: fully convolutional neural networks for volumetric medical image segmentation. 3DV 2016.
# - Lin, Goyal, Girshick, He, Dollar. Focal loss for dense object detection. ICCV 2017.
# - Salehi, Erdogmus, Gholipour. Tversky loss function for image segmentation using 3D fully convolutional deep networks. MLMI 2017.
# - Abraham, Khan. A novel focal Tversky loss function with improved attention U-Net for lesion segmentation. ISBI 2019.
#
# Readers, uncertainty, evaluation, directions
# - Warfield, Zou, Wells. Simultaneous truth and performance level estimation (STAPLE). IEEE TMI 23(7), 2004.
# - Lakshminarayanan, Pritzel, Blundell. Simple and scalable predictive uncertainty estimation using deep ensembles. NeurIPS 2017.
# - Gal, Ghahramani. Dropout as a Bayesian approximation. ICML 2016.
# - Nikolov, Blackwell, Zverovitch, et al. Clinically applicable segmentation of head and neck anatomy for radiotherapy. Journal of Medical Internet Research 23(7):e26151, 2021.
# - Maier-Hein, Reinke, Godau, et al. Metrics reloaded: recommendations for image analysis validation. Nature Methods 21, 2024.
#
# Interaction
# - Xu, Price, Cohen, Yang, Huang. Deep interactive object selection. CVPR 2016.
# - Benenson, Popov, Ferrari. Large-scale interactive object segmentation with human annotators. CVPR 2019.
# - Sofiiuk, Petrov, Konushin. Reviving iterative training with mask guidance for interactive segmentation. ICIP 2022.
# - Kirillov, Mintun, Ravi, et al. Segment anything. ICCV 2023.
# - Ma, He, Li, Han, You, Wang. Segment anything in medical images. Nature Communications 15, 2024.
