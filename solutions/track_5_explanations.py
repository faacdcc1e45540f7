# %% [markdown]
# # Track 5 - Explainability: six numbers, or a network and its heat map?
#
# **The question.** Is this adrenal gland enlarged? A network reads its shape in 3-D and gives a probability and a heat map. Six numbers that a radiologist could measure, and a formula that fits on a card, give a probability, too. What does the network know that the six numbers do not, and does its heat map tell?
#
# **What you start from.** Logistic regression on six measures of shape, beside the trivial rule, volume alone; a small 3-D network; and a deletion test of the network's heat map against deletion by chance. On a laptop it takes some minutes.
#
# **What is known.** Lecture 4 reaches a test AUC of 0.87 with an interval of 0.83 to 0.91 (published ResNet-18: 0.83). The six numbers below reach 0.89 [0.85, 0.93], volume alone 0.69: a network has a card to beat. Lecture 10: heat maps of small networks are often no better than a random order.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `adrenalmnist3d`: shapes of 1584 adrenal glands of 792 patients, normal against mass or hyperplasia, 28 voxels over 64 mm | MedMNIST v2, from Zhongshan Hospital, Fudan University | CC BY 4.0 | only shapes are published, not the scans, to protect the patients | official, at random by patient: both glands of a patient are on one side. They are not named, so intervals over glands are somewhat too narrow: say so |
#
# In the profile `ci` a simulated stand-in takes its place, and says so.

# %% tags=["parameters"]
LECTURE = "track_5_explanations"
PROFILE = "laptop"  # "ci": seconds, simulated data; "laptop": real data, minutes; "gpu": larger
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
# ## Look first

# %% tags=["demo"]
glands = data.load("adrenalmnist3d", profile=run.profile)
MM = 64 / 28  # a voxel's edge


def shapes(split) -> tuple[np.ndarray, np.ndarray]:
    """Masks (N, 28, 28, 28) bool and labels (N,), 1 for mass or hyperplasia."""
    return split.images > 127, split.labels.ravel().astype(int)


(train_x, train_y), (val_x, val_y), (test_x, test_y) = (shapes(split) for split in (glands.train, glands.val, glands.test))
shown = [*np.flatnonzero(train_y == 0)[:4], *np.flatnonzero(train_y == 1)[:4]]
show.row([train_x[k].sum(0) for k in shown], ["normal"] * 4 + ["enlarged"] * 4, height=1.8,
         alt="Four normal and four enlarged glands, seen through: thickness in voxels along one axis; the enlarged ones are thicker or have a lump")
print(f"{len(train_y)} glands to train, {len(val_y)} to choose, {len(test_y)} to test; enlarged {test_y.mean():.0%} of the last")

# %% [markdown]
# ## Six numbers
#
# Each has a unit and could be measured on the scan; the strength of the shrinkage is chosen by five folds of training glands. Volume; surface; the radius of the largest ball that fits inside; the longest extent; how compact the shape is; how much of it is thicker than 5 mm. Thickness is what a radiologist looks at: a normal limb is thinner than about 5 mm.

# %% tags=["demo"]
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MEASURES = ("volume (ml)", "surface (cm2)", "largest ball (mm)", "longest extent (mm)", "compactness", "thicker than 5 mm")


def measures(masks: np.ndarray) -> np.ndarray:
    """(N, 6) the measures of each gland."""
    rows = []
    for mask in masks:
        volume = mask.sum() * MM**3 / 1000
        faces = sum(np.count_nonzero(np.diff(np.pad(mask, 1).astype(np.int8), axis=axis)) for axis in range(3))
        surface = faces * MM**2 / 100
        inside = ndimage.distance_transform_edt(np.pad(mask, 1)) * MM
        places = np.argwhere(mask)
        extent = np.ptp(places @ np.linalg.svd(places - places.mean(0), full_matrices=False)[2][0]) * MM if len(places) > 3 else 0.0
        rows.append([volume, surface, inside.max(), extent, 36 * np.pi * volume**2 / max(surface, 1e-6) ** 3, (inside > 2.5).sum() / max(mask.sum(), 1)])
    return np.array(rows)


numbers = [measures(x) for x in (train_x, val_x, test_x)]
card = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
owners = np.arange(len(train_y)) if glands.train.patients is None else glands.train.patients
card = GridSearchCV(card, {"logisticregression__C": [0.01, 0.1, 1.0, 10.0]}, scoring="roc_auc", cv=GroupKFold(5)).fit(numbers[0], train_y, groups=owners)
six = card.decision_function(numbers[2])
direction = np.sign(roc_auc_score(train_y, numbers[0][:, 0]) - 0.5)
volume = direction * numbers[2][:, 0]
weights = dict(zip(MEASURES, np.round(np.ravel(card.best_estimator_[-1].coef_), 2), strict=True))
print("log odds for one standard deviation:", {name: float(value) for name, value in weights.items()})

# %% [markdown]
# ## A network
#
# Three strided 3-D convolutions; the epoch is chosen on validation. Mirroring along the axes is a fair augmentation only if left and right glands are shaped alike: here it is not used.

# %% tags=["demo"]
from torch import nn


def cubes(masks: np.ndarray) -> torch.Tensor:
    """(N, 1, 28, 28, 28) float, -1 outside and 1 inside."""
    return torch.from_numpy(masks).float().unsqueeze(1) * 2 - 1


def score(model: nn.Module, x: torch.Tensor) -> np.ndarray:
    """(N,) log odds, in portions."""
    with torch.no_grad():
        return torch.cat([model.eval()(part.to(device))[:, 0].cpu() for part in x.split(256)]).numpy()


torch.manual_seed(SEED)
layers, channels = [], 1
for wide in (8, 16, 32):
    layers += [nn.Conv3d(channels, wide, 3, stride=2, padding=1), nn.BatchNorm3d(wide), nn.ReLU()]
    channels = wide
net = nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(32, 1))
batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(cubes(train_x), torch.from_numpy(train_y).float()), batch_size=32, shuffle=True)
val_cubes = cubes(val_x)
history = train.fit(net, batches, lambda logit, y: nn.functional.binary_cross_entropy_with_logits(logit[:, 0], y),
                    lambda model: roc_auc_score(val_y, score(model, val_cubes)), epochs=run.pick(ci=12, laptop=30), lr=5e-3, device=device)
deep = score(net, cubes(test_x))
print(f"{sum(weight.numel() for weight in net.parameters())} weights; validation AUC {history.best_score:.3f} in epoch {history.best_epoch + 1}")

# %% [markdown]
# ## The test, once
#
# Each AUC with its interval, and what the network adds to the six numbers, paired over the same resampled glands.

# %% tags=["demo"]
from scipy.stats import rankdata


def auc_by_ranks(y: np.ndarray, score: np.ndarray) -> float:
    """AUC from ranks, ties in the middle (lecture 4): many times faster than a library's, which a bootstrap needs."""
    ranks, sick = rankdata(score), int(y.sum())
    return (ranks[y == 1].sum() - sick * (sick + 1) / 2) / (sick * (len(y) - sick))


people = np.arange(len(test_y)) if glands.test.patients is None else np.unique(glands.test.patients, return_inverse=True)[1]
rows_of = [np.flatnonzero(people == k) for k in range(people.max() + 1)]
rng = np.random.default_rng(SEED)
methods = {"volume alone": volume, "six numbers": six, "network": deep}
auc = {name: roc_auc_score(test_y, values) for name, values in methods.items()}
drawn = {name: [] for name in methods}
for _ in range(1000):
    rows = np.concatenate([rows_of[k] for k in rng.integers(0, len(rows_of), len(rows_of))])
    if 0 < test_y[rows].mean() < 1:
        for name, values in methods.items():
            drawn[name].append(auc_by_ranks(test_y[rows], values[rows]))
drawn = {name: np.array(values) for name, values in drawn.items()}
interval = {name: (auc[name], *np.percentile(values, [2.5, 97.5])) for name, values in drawn.items()}
interval["network minus six numbers"] = (auc["network"] - auc["six numbers"], *np.percentile(drawn["network"] - drawn["six numbers"], [2.5, 97.5]))
for name, (value, low, high) in interval.items():
    print(f"{name:28} {value:+.3f} [{low:+.3f}, {high:+.3f}]")
assert min(auc["network"], auc["six numbers"]) > auc["volume alone"] + 0.02, "shape should tell more than volume, by numbers and by a network"

# %% [markdown]
# ## Does the heat map tell what it looks at?
#
# Cut the test cubes into blocks of 4 voxels. The heat map (gradient times input) ranks the blocks. Erase the highest ones, step by step, and watch the log odds of the glands that the network finds most enlarged; erase as many blocks that hold gland in a random order; and erase by *thickness*, which needs no network at all. A map that explains makes the odds fall faster than both.

# %% tags=["demo"]
chosen = np.argsort(-deep)[: run.pick(ci=24, laptop=60)]
subjects = cubes(test_x[chosen])


def by_blocks(values: torch.Tensor) -> np.ndarray:
    """(N, 343) sums over blocks of 4 voxels."""
    return 64 * nn.functional.avg_pool3d(values, 4).flatten(1).numpy()


tracked = subjects.clone().requires_grad_()
net.zero_grad()
net.cpu()(tracked).sum().backward()
holds = by_blocks((subjects > 0).float()) > 0
thick = torch.from_numpy(np.stack([ndimage.distance_transform_edt(mask) for mask in test_x[chosen]])).float().unsqueeze(1)
ranks = {"heat map": by_blocks((tracked.grad * (subjects + 1) / 2).detach()), "thickness": by_blocks(thick), "at random": rng.random(holds.shape)}
shares, fall = np.linspace(0, 1, 11), {}
for name, values in ranks.items():
    order = np.argsort(-np.where(holds, values, -np.inf), axis=1)
    steps_ = []
    for share in shares:
        erased = np.zeros(holds.shape, bool)
        for k, count in enumerate((share * holds.sum(1)).round().astype(int)):
            erased[k, order[k, :count]] = True
        mask = nn.functional.interpolate(torch.from_numpy(erased).float().view(-1, 1, 7, 7, 7), scale_factor=4) > 0.5
        steps_.append(score(net, torch.where(mask, -torch.ones(()), subjects)))
    fall[name] = np.stack(steps_, axis=1)
net.to(device)
show.curves({name: (shares, values.mean(0)) for name, values in fall.items()}, xlabel="share of the gland's blocks erased", ylabel="log odds of enlarged",
            alt="Mean log odds against the share of blocks erased, by the heat map, by thickness and at random")

# %% tags=["demo"]
area = {name: values.mean(1) for name, values in fall.items()}
gains = {}
for name in ("heat map", "thickness"):
    difference = area["at random"] - area[name]
    resampled = difference[rng.integers(0, len(difference), (2000, len(difference)))].mean(axis=1)
    gains[name] = (difference.mean(), *np.percentile(resampled, [2.5, 97.5]))
    print(f"{name}: log odds lower than by chance by {gains[name][0]:.2f} [{gains[name][1]:.2f}, {gains[name][2]:.2f}], mean over the steps")

# %% [markdown]
# ## Results

# %% tags=["results"]
for name in ("six numbers", "network"):
    value, low, high = interval[name]
    results.record(LECTURE, run.profile, f"{glands.name}, {name}: test AUC", value, low=low, high=high, baseline=auc["volume alone"], baseline_name="volume alone", source="this notebook")
value, low, high = gains["heat map"]
results.record(LECTURE, run.profile, f"{glands.name}, heat map: deletion, log odds below chance", value, low=low, high=high, baseline=gains["thickness"][0], baseline_name="by thickness", source="this notebook")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Where a team could go
#
# | question | first step | what would decide it |
# |---|---|---|
# | What does the network know beyond the six numbers? | regress its log odds on them; look at the glands with the largest rest | AUC of the rest alone, and a seventh number that explains it |
# | Is erasing fair? | an erased gland looks like nothing the network has seen: compare with thinning instead of deleting | do the maps keep their order under both, by rank correlation |
# | Does the map survive Adebayo's test? | lecture 10: weights replaced at random, layer by layer | likeness of the maps before and after, over glands |
# | Would an explanation have shown a shortcut? | plant one (enlarged glands shifted by a voxel in training) | do readers, or a rule, find it from maps, from weights, or from neither |
#
# ## References
#
# - J. Yang et al., MedMNIST v2 - a large-scale lightweight benchmark for 2D and 3D biomedical image classification, Scientific Data 10:41, 2023.
# - C. Rudin, Stop explaining black box machine learning models for high stakes decisions and use interpretable models instead, Nature Machine Intelligence 1:206-215, 2019.
# - J. Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018.
# - W. Samek et al., Evaluating the visualization of what a deep neural network has learned, IEEE Transactions on Neural Networks and Learning Systems 28:2660-2673, 2017.
