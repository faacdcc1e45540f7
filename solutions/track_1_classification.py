# %% [markdown]
# # Track 1 - Classification: when should the machine say "ask a doctor"?
#
# **The question.** Ultrasound shows a lump in the breast. Benign, or a biopsy? A classifier answers for every image, also for those that it should not judge. What is it worth if it may hand the hardest ones to a radiologist, and does it know which those are?
#
# **What you start from.** A small network, three times, beside two trivial rules; an operating point chosen on validation; a curve that says what waiving the least certain images saves. On a laptop it takes about two minutes.
#
# **What is known.** Lecture 4 reaches a test AUC of 0.91 on these 156 test images, with an interval from 0.87 to 0.95: a gain of 0.01 can't be shown here. A project that only hunts for AUC will end without an answer.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `breastmnist`: 780 breast ultrasound images, malignant against normal or benign | MedMNIST v2, from Al-Dhabyani et al. 2020 | CC BY 4.0 | women at one hospital; published without names | the official split, at random over images: patients are not named, so one woman may be on both sides. Say so in your report |
#
# In the profile `ci` a simulated stand-in takes its place, and says so.

# %% tags=["parameters"]
LECTURE = "track_1_classification"
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
#
# Label 0 is *malignant* in this set. We turn it round, so that 1 is what we must not miss.

# %% tags=["demo"]
breast = data.load("breastmnist", profile=run.profile)


def tensors(split) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N, 1, 28, 28) from 0 to 1, and labels (N,), 1 for malignant."""
    return torch.from_numpy(split.images).float().unsqueeze(1) / 255, torch.from_numpy((split.labels == 0).astype(np.float32))


(train_x, train_y), (val_x, val_y), (test_x, test_y) = (tensors(split) for split in (breast.train, breast.val, breast.test))
shown = [*np.flatnonzero(train_y == 1)[:4], *np.flatnonzero(train_y == 0)[:4]]
show.row([train_x[k, 0] for k in shown], ["malignant"] * 4 + ["not malignant"] * 4, window=(0, 1), height=1.8,
         alt="Four malignant and four other ultrasound images of 28 pixels; some of the malignant lesions are ragged and dark, some look like the others")
print(f"{len(train_y)} to train, {len(val_y)} to choose, {len(test_y)} to test, once; malignant {test_y.mean():.0%} of the last")

# %% [markdown]
# ## Trivial rules
#
# Mean brightness, its direction taken from training; and a logistic regression on 7 x 7 block means, its strength chosen on validation. What does not beat these has learned nothing about lesions.

# %% tags=["demo"]
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve

brightness = {name: x.mean((1, 2, 3)).numpy() for name, x in (("train", train_x), ("val", val_x), ("test", test_x))}
direction = np.sign(roc_auc_score(train_y, brightness["train"]) - 0.5)
blocks = [torch.nn.functional.avg_pool2d(x, 4).flatten(1).numpy() for x in (train_x, val_x, test_x)]
candidates = [LogisticRegression(C=c, max_iter=2000).fit(blocks[0], train_y) for c in (0.01, 0.1, 1.0, 10.0)]
linear = max(candidates, key=lambda model: roc_auc_score(val_y, model.decision_function(blocks[1])))
trivial = {"mean brightness": direction * brightness["test"], "logistic regression": linear.decision_function(blocks[2])}
print({name: round(roc_auc_score(test_y, score), 3) for name, score in trivial.items()})

# %% [markdown]
# ## A network, three times
#
# Three starts, each with its best epoch by validation AUC; their mean probability is the answer, their spread one measure of doubt. Mirroring left and right keeps the label; mirroring up and down would put the shadow above the lesion.

# %% tags=["demo"]
from torch import nn


def network(seed: int) -> nn.Module:
    """A network of about 24 000 weights, (N, 1, 28, 28) -> (N, 1) logits."""
    torch.manual_seed(seed)
    layers, channels = [], 1
    for wide in (16, 32, 64):
        layers += [nn.Conv2d(channels, wide, 3, stride=2, padding=1), nn.BatchNorm2d(wide), nn.ReLU()]
        channels = wide
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 1))


def loss(model: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
    """Cross-entropy, malignant weighted by its rarity; half of the batches mirrored."""
    index = batch[0]
    x, y = train_x[index.cpu()].to(device), train_y[index.cpu()].to(device)
    x = x.flip(-1) if torch.rand(()) < 0.5 else x
    return nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], y, pos_weight=(1 - train_y).sum() / train_y.sum())


def probability(model: nn.Module, x: torch.Tensor) -> np.ndarray:
    """(N,) probability of malignancy."""
    with torch.no_grad():
        return torch.sigmoid(model.eval()(x.to(device))[:, 0]).cpu().numpy()


batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.arange(len(train_y))), batch_size=32, shuffle=True)
members = [network(SEED + k) for k in range(3)]
for model in members:
    train.fit(model, batches, loss, lambda net: roc_auc_score(val_y, probability(net, val_x)), epochs=run.pick(ci=15, laptop=60), lr=3e-3, device=device)
val_p, test_p = (np.mean([probability(model, x) for model in members], axis=0) for x in (val_x, test_x))
print("validation AUC", round(roc_auc_score(val_y, val_p), 3))

# %% [markdown]
# ## The test, once
#
# The interval resamples test images, since patients are not named. The threshold, for a sensitivity of 90 %, comes from validation; what it gives on the test images is another matter, with few malignant ones to fix it.

# %% tags=["demo"]
from scipy.stats import rankdata


def auc_by_ranks(y: np.ndarray, score: np.ndarray) -> float:
    """AUC from ranks, ties in the middle (lecture 4): many times faster than a library's, which a bootstrap needs."""
    ranks, sick = rankdata(score), int(y.sum())
    return (ranks[y == 1].sum() - sick * (sick + 1) / 2) / (sick * (len(y) - sick))


def interval(measure, *arrays, groups=None, draws: int = 1000) -> tuple[float, float, float]:
    """A measure with its 95 % bootstrap interval over groups (patients where they are known, else images)."""
    groups = np.arange(len(arrays[0])) if groups is None else np.unique(groups, return_inverse=True)[1]
    members_of = [np.flatnonzero(groups == k) for k in range(groups.max() + 1)]
    rng, found = np.random.default_rng(SEED), []
    while len(found) < draws:
        chosen = np.concatenate([members_of[k] for k in rng.integers(0, len(members_of), len(members_of))])
        if len(np.unique(arrays[0][chosen])) == 2:
            found.append(measure(*(array[chosen] for array in arrays)))
    return measure(*arrays), *np.percentile(found, [2.5, 97.5])


truth, patients = test_y.numpy(), breast.test.patients
auc = {name: interval(auc_by_ranks, truth, score, groups=patients) for name, score in {**trivial, "network": test_p}.items()}
false_alarm, hit, thresholds = roc_curve(val_y, val_p)
threshold = thresholds[np.argmax(hit >= 0.9)]
sensitivity = interval(lambda y, p: (p[y == 1] >= threshold).mean(), truth, test_p, groups=patients)
specificity = interval(lambda y, p: (p[y == 0] < threshold).mean(), truth, test_p, groups=patients)
for name, (value, low, high) in {**auc, "sensitivity": sensitivity, "specificity": specificity}.items():
    print(f"{name:20} {value:.3f} [{low:.3f}, {high:.3f}]")
assert auc["network"][0] > auc["mean brightness"][0] + 0.05, "the network should beat mean brightness"

# %% [markdown]
# ## May it pass the hardest ones on?
#
# Sort the test images by doubt and let the most doubtful go to a radiologist. If doubt means anything, the errors among the rest fall. Two kinds of doubt: how near the mean probability is to the threshold, and how much the three networks disagree.

# %% tags=["demo"]
wrong = (test_p >= threshold) != truth
spread = np.std([probability(model, test_x) for model in members], axis=0)
kept = np.linspace(0.3, 1, 29)
lines = {}
for name, doubt in {"near the threshold": -np.abs(test_p - threshold), "networks disagree": spread, "at random": np.random.default_rng(SEED).random(len(truth))}.items():
    order = np.argsort(doubt)
    lines[name] = (kept, np.array([wrong[order[: int(round(share * len(order)))]].mean() for share in kept]))
show.curves(lines, xlabel="share of images that the machine judges", ylabel="its errors among them",
            alt="Errors among the images that the machine keeps, against their share, for three ways to choose which to pass on")
half = {name: float(np.interp(0.7, *line)) for name, line in lines.items()}
print("errors when 30 % are passed on:", {name: round(value, 3) for name, value in half.items()}, "| all kept:", round(wrong.mean(), 3))

# %% [markdown]
# ## Results

# %% tags=["results"]
for name in ("network", "logistic regression"):
    value, low, high = auc[name]
    results.record(LECTURE, run.profile, f"{breast.name}, {name}: test AUC", value, low=low, high=high, baseline=auc["mean brightness"][0], baseline_name="mean brightness", source="this notebook")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Where a team could go
#
# | question | first step | what would decide it |
# |---|---|---|
# | Is doubt by disagreement better than nearness to the threshold? | ten networks instead of three, then Monte Carlo dropout | the area under the curve above, paired over resampled images, on BreastMNIST *and* PneumoniaMNIST |
# | Does doubt notice another scanner? | blur, noise and gain on the test images, lecture 11's shifts | the share passed on at a fixed threshold, before and after the shift |
# | Can a guarantee be had? | split conformal prediction on validation images | coverage for malignant and benign ones apart, with an exact interval |
# | What does calibration change? | temperature scaling on validation (lecture 4) | expected cost at three prevalences |
#
# ## References
#
# - J. Yang et al., MedMNIST v2 - a large-scale lightweight benchmark for 2D and 3D biomedical image classification, Scientific Data 10:41, 2023.
# - W. Al-Dhabyani, M. Gomaa, H. Khaled, A. Fahmy, Dataset of breast ultrasound images, Data in Brief 28:104863, 2020.
# - B. Lakshminarayanan, A. Pritzel, C. Blundell, Simple and scalable predictive uncertainty estimation using deep ensembles, NeurIPS 2017.
# - Y. Geifman, R. El-Yaniv, Selective classification for deep neural networks, NeurIPS 2017.
