# %% [markdown]
# # Lecture 10 - Explainability
#
# **After this you can**
#
# - say for whom an explanation is meant, and test whether it is faithful to the model or only plausible to its reader (9.1)
# - place a method on three axes, and know from that what it can't tell (9.2)
# - build models that carry their explanation inside: concept bottleneck, prototypes, additive shapes; and find out whether the inside keeps its promise (9.3)
# - make saliency, Grad-CAM, integrated-gradient, occlusion, LIME and SHAP maps of any network, and say what each of them claims (9.4)
# - judge a map on planted truth, by deletion and by the model-randomisation check (9.4)
# - find a planted shortcut with a map, and prove it by an experiment (9.4)
#
# **Time** about 410 minutes
#
# Sections carry the syllabus's numbers: this lecture is its chapter 9. No demonstration needs an exercise to be solved, so you can read on whenever you are stuck.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations: your answers may use what they import and define, not what they compute.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `heart_disease` (9.2, 9.3): 920 patients sent for coronary angiography, four hospitals, about 1981 to 1987 | UCI Machine Learning Repository, set 45 | CC BY 4.0 | names removed by the publisher; consent not documented | one row a patient; at random, or five folds, within the pooled hospitals |
# | `bloodmnist` (9.3): single blood cells, eight kinds | MedMNIST v2, from Acevedo et al. 2020 | CC BY 4.0 | people without blood disease, Barcelona; published without names | official split, over cells: patients are not named |
# | ultrasound of nodules with planted findings (9.1, 9.3) | this course, simulated below | this course | nobody | by simulated patient, one image each; planted truth |
# | head slices with planted multiple-sclerosis-like lesions (9.4) | this course, simulated | this course | nobody | by simulated patient, one slice each; the lesions' pixels are known |
# | `pneumoniamnist` (9.4): chest films of children, pneumonia or normal | MedMNIST v2, from Kermany et al. 2018 | CC BY 4.0 | one hospital, ages 1-5; published without names | official split; children are not named, so several films of one child are likely |
#
# - In the profile `ci` simulated stand-ins take the place of the three public sets, and say so.
# - In the heart table `chol` is 0 for one whole hospital and many patients of another. Nobody lives without cholesterol: it was not measured. We leave the zeros in at first, as many have, and see which explanation finds them.

# %% tags=["parameters"]
LECTURE = "10_explainability"
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
# ## 9.1 What explainability is
#
# A radiologist asks why the network calls this nodule suspicious. The answer may decide over a needle in the patient's neck. An **explanation** is a statement about how a model comes to its output, made for somebody who has to act on it. For whom, decides what is needed:
#
# | Who | Asks | Is helped by |
# |---|---|---|
# | patient | why me, and what would change it? | reasons in words, what speaks for and against, a second opinion |
# | clinician | may I trust *this* output, in *this* patient? | what the model saw and where, in findings that can be checked; a warning when it doesn't know |
# | developer | what has it learned, and what by mistake? | behaviour over many patients, shortcuts, groups that fail |
# | regulator, hospital board | is it safe for its intended use, and can somebody oversee it? | evidence on held-out patients, documentation, limits. The EU's AI Act (Regulation 2024/1689) asks of high-risk systems, among other things, that those who deploy them can interpret their output, and that people can oversee them |
#
# Doshi-Velez and Kim (2017) argue that an explanation must be evaluated for its purpose: with experts on the real task, with people on a simpler one, or, cheapest, by a measure without people. Rudin (Nature Machine Intelligence, 2019) argues that for high stakes one should build a model that is
# interpretable by itself, because an explanation made afterwards is another model, and must be wrong somewhere, or it would be the first one. Two distinctions run through the whole lecture.
#
# - **Explanation and justification.** An explanation says how the output came about. A justification gives reasons why it would be right. "The margin is irregular" justifies a biopsy, and may have played no part in the score.
# - **Faithfulness and plausibility** (Jacovi and Goldberg, ACL 2020). A map is *faithful* if it shows what the model used, *plausible* if its reader finds it convincing. A map of a model that looks at the wrong thing should look wrong. If it looks fine, it hides a fault.
#
# To tell the two apart we need to know what a model uses. So we plant it. The simulator below draws small ultrasound images of thyroid nodules with five findings (a nodule that isn't solid has a black cyst in it), and a biopsy that follows from them, by points in the manner of ACR TI-RADS, the American radiologists' score for such nodules (Tessler et al., Journal of the American College of Radiology, 2017; our
# points are simplified). We need the same images in 9.3.

# %% tags=["demo"]
from scipy import ndimage

FINDINGS = ("solid", "very dark", "taller than wide", "irregular margin", "bright dots")
POINTS = np.array([1, 3, 3, 2, 3])  # the planted rule: suspicious from 6 points on


def draw_nodules(n: int, seed: int, size: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images (n, size, size) in [0, 1], findings (n, 5) bool, biopsy (n,) bool, outlines (n, size, size) bool; one patient each."""
    rng = np.random.default_rng(seed)
    one = (n, 1, 1)
    findings = rng.random((n, 5)) < [0.5, 0.4, 0.4, 0.4, 0.35]
    solid, dark, tall, ragged, dots = (findings[:, k, None, None] for k in range(5))
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    y, x = y - rng.uniform(-2, 4, one), x - rng.uniform(-3, 3, one)
    radius, aspect = rng.uniform(7, 9.5, one), np.where(tall, rng.uniform(1.15, 1.45, one), rng.uniform(0.65, 0.92, one))
    grain = ndimage.gaussian_filter(rng.standard_normal((2, n, size, size)), (0, 0, 1.5, 1.5))
    grain /= grain.std((2, 3), keepdims=True)
    distance = np.hypot(x * np.sqrt(aspect), y / np.sqrt(aspect)) / radius - np.where(ragged, 0.3, 0.03) * grain[0]
    outline = distance < 1
    level = 6 + 4 * ndimage.gaussian_filter(rng.standard_normal((n, size, size)), (0, 1, 3))  # dB
    level = np.where(outline, np.where(dark, rng.uniform(-11, -5, one), rng.uniform(-4, 1, one)) + grain[1], level)
    angle = rng.uniform(0, 2 * np.pi, one)
    cyst = np.hypot((x - 0.35 * radius * np.cos(angle)) * np.sqrt(aspect), (y - 0.35 * radius * np.sin(angle)) / np.sqrt(aspect)) < 0.42 * radius
    level = np.where(cyst & ~solid, -22, level)  # fluid gives no echo
    level = np.where((rng.random((n, size, size)) < 0.05) & (distance < 0.8) & dots, 12, level)
    echo = rng.standard_normal((2, n, size, size)) * 10 ** (level / 20)  # speckle: complex scatterers, blurred, their modulus
    envelope = np.hypot(*ndimage.gaussian_filter(echo, (0, 0, 0.45, 0.8)))
    image = np.clip((20 * np.log10(envelope + 1e-3) + 22) / 40, 0, 1)
    return image.astype(np.float32), findings, findings @ POINTS >= 6, outline

# %% tags=["demo"]
nodule_images, nodule_findings, nodule_biopsy, nodule_outlines = draw_nodules(1000, seed=2)
shown_nodules = [np.flatnonzero((nodule_findings.sum(1) == 1) & nodule_findings[:, k])[0] for k in range(5)] + [np.flatnonzero(nodule_findings.sum(1) == 0)[0], np.flatnonzero(nodule_findings.all(1))[0]]
show.row(nodule_images[shown_nodules], titles=[f"{name}\nworth {points}" for name, points in zip(FINDINGS, POINTS, strict=True)] + ["none of them\n0 points", f"all of them\n{POINTS.sum()} points"], window=(0, 1), height=1.7,
         alt="Seven simulated ultrasound images of a nodule: five with one finding each, one without any, one with all five")
print(f"{nodule_biopsy.mean():.0%} of the nodules are suspicious: 6 points or more")

# %% [markdown]
# ### Two vendors, one AUC
#
# A hospital has two machines. The one in the cancer clinic draws a brighter band below the probe. Suspicious nodules are mostly scanned there, so the band's brightness goes along with the biopsy: a **confounder**. Two vendors deliver:
#
# - **Vendor A** has trained a convolutional network, and exchanged the bands among its training images at random, so that they tell nothing.
# - **Vendor B** has trained a linear model on a thumbnail of 8 by 8 pixels, and exchanged nothing.
#
# **Predict before you run.** On the hospital's own test patients, can you tell A and B apart by their AUC? And on another hospital's, where everybody is scanned on either machine? You also get a heat map from each vendor. Both maps lie neatly on the nodule. What do you conclude?

# %% tags=["demo"]
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn


def with_band(images: np.ndarray, biopsy: np.ndarray, seed: int, separation: float) -> np.ndarray:
    """The machine's band in the top three rows: its brightness differs by `separation` standard deviations between biopsy results."""
    rng = np.random.default_rng(seed)
    brightness = rng.standard_normal(len(images)) + separation * (biopsy - 0.5)
    banded = images.copy()
    banded[:, :3] = np.clip(0.55 + 0.12 * brightness[:, None, None] + 0.08 * rng.standard_normal((len(images), 3, images.shape[2])), 0, 1)
    return banded


def as_input(images: np.ndarray) -> torch.Tensor:
    """(N, H, W) in [0, 1] -> (N, 1, H, W) in about [-2, 2]."""
    return torch.as_tensor(images, dtype=torch.float32)[:, None] * 4 - 2


def conv_body(dropout: float = 0.3) -> nn.Sequential:
    """(B, 1, 32, 32) -> (B, 768) features."""
    layers = [[nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()] for a, b in ((1, 12), (12, 24), (24, 48))]
    return nn.Sequential(*sum(layers, []), nn.Flatten(), nn.Dropout(dropout))


def learn(net: nn.Module, loss_of, n: int, epochs: int, seed: int, groups: list[dict] | None = None) -> nn.Module:
    """AdamW with a one-cycle schedule; `loss_of(rows, rng)` is the loss of a batch of rows below n. A fixed recipe: the last step is taken."""
    steps, rng = epochs * (n // 64), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(groups or net.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=steps)
    net.to(device).train()
    for _ in range(steps):
        loss = loss_of(torch.randint(0, n, (64,), generator=rng), rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def mirrored(x: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Left and right exchanged in about half of the images: no finding depends on the side."""
    return torch.where((torch.rand(len(x), generator=rng) < 0.5)[:, None, None, None], x.flip(3), x).to(device)

# %% tags=["demo"]
n_vendor = 1600
vendor_images, _, vendor_biopsy, _ = draw_nodules(n_vendor, seed=1)
vendor_target = torch.as_tensor(vendor_biopsy).float()
exchanged, as_scanned = as_input(with_band(vendor_images, vendor_biopsy, 10, 0.0)), as_input(with_band(vendor_images, vendor_biopsy, 10, 1.0))


def vendor_model(make, pictures: torch.Tensor, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    net = make()
    return learn(net, lambda rows, rng: F.binary_cross_entropy_with_logits(net(mirrored(pictures[rows], rng))[:, 0], vendor_target[rows].to(device)), n_vendor, 10, seed)


vendors = {"A": vendor_model(lambda: nn.Sequential(conv_body(), nn.Linear(768, 1)), exchanged), "B": vendor_model(lambda: nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(64, 1)), as_scanned)}


@torch.no_grad()
def logit_of(net: nn.Module, x: torch.Tensor) -> np.ndarray:
    """Logits (N,) of a model with one output."""
    return torch.cat([net(part.to(device))[:, 0].cpu() for part in x.split(2000)]).numpy()


wards = {"own hospital": as_input(with_band(nodule_images, nodule_biopsy, 11, 1.0)), "other hospital": as_input(with_band(nodule_images, nodule_biopsy, 12, 0.0))}
vendor_logits = {(v, ward): logit_of(net, x) for v, net in vendors.items() for ward, x in wards.items()}
vendor_auc = {key: roc_auc_score(nodule_biopsy, z) for key, z in vendor_logits.items()}
boot = [np.random.default_rng(s).integers(0, len(nodule_biopsy), len(nodule_biopsy)) for s in range(run.pick(ci=100, laptop=300))]  # the same draws of patients for all


def boot_interval(truth: np.ndarray, z: np.ndarray, minus: np.ndarray | None = None) -> tuple[float, float]:
    """95 % bootstrap interval over patients of an AUC, or of the difference of two."""
    values = [roc_auc_score(truth[i], z[i]) - (0 if minus is None else roc_auc_score(truth[i], minus[i])) for i in boot]
    return tuple(float(v) for v in np.quantile(values, [0.025, 0.975]))


vendor_gap = {ward: (vendor_auc["A", ward] - vendor_auc["B", ward], *boot_interval(nodule_biopsy, vendor_logits["A", ward], vendor_logits["B", ward])) for ward in wards}
for ward, (gap, low, high) in vendor_gap.items():
    print(f"{ward:15s} AUC of A {vendor_auc['A', ward]:.3f}, of B {vendor_auc['B', ward]:.3f}; A minus B {gap:+.3f} (95 % over {len(nodule_biopsy)} patients {low:+.3f} to {high:+.3f})")
assert vendor_auc["A", "own hospital"] > 0.72 and vendor_auc["B", "own hospital"] > 0.72, "both vendors' models should have learned"
assert vendor_gap["other hospital"][1] > 0.05, "where the band tells nothing, the model that relies on it should be worse"

# %% [markdown]
# At the hospital where both were trained the AUC doesn't tell which is which. It can't: the test patients share the confounder with the training patients. A map could tell. Which one?
#
# We cut the image into $4 \times 4$ regions of 8 by 8 pixels, $K = 16$. **Removing** a region means to put the training images' mean there. Two maps for each patient and model:
#
# - the **drawn** map: each region's share of the nodule's outline. It needs no model; it is what a vendor might show, or what a segmentation shows. Readers like it.
# - the **ablation** map: how much the model's logit drops when this one region is removed (`captum.attr.FeatureAblation`).
#
# And a test that plays no favourites: remove random sets of regions *together*, and see how well a map's sums go along with the drops. That correlation is the **faithfulness** of exercise 9.1a. As a stand-in for a reader's rating of plausibility we take the share of the map's absolute weight
# that lies on the nodule. (Real ratings need real readers.)

# %% tags=["demo"]
from captum.attr import FeatureAblation
from scipy.stats import pearsonr

judged = slice(0, 150)
tiles = torch.arange(16).reshape(4, 4).repeat_interleave(8, 0).repeat_interleave(8, 1)  # (32, 32): the region of each pixel
mean_image = as_scanned.mean(0, keepdim=True)
ward_pictures = wards["own hospital"][judged]
on_nodule = np.stack([nodule_outlines[judged][:, tiles == k].mean(1) for k in range(16)], axis=1)
drawn_map = on_nodule / on_nodule.sum(1, keepdims=True)
rng = np.random.default_rng(3)
removed_sets = np.stack([np.isin(np.arange(16), rng.choice(16, rng.integers(2, 9), replace=False)) for _ in range(40)])


def without_set(x: torch.Tensor, regions: np.ndarray) -> torch.Tensor:
    gone = torch.as_tensor(regions)[tiles]
    return torch.where(gone, mean_image, x)


vendor_maps, vendor_faith, vendor_plausible = {}, {}, {}
for v, net in vendors.items():
    ablated = FeatureAblation(lambda x, net=net: net(x.to(device))[:, 0].cpu()).attribute(ward_pictures, baselines=mean_image, feature_mask=tiles[None, None])
    vendor_maps[v, "ablation"] = torch.stack([ablated[:, 0, tiles == k].mean(1) for k in range(16)], dim=1).detach().numpy()
    vendor_maps[v, "drawn"] = drawn_map
    drops = vendor_logits[v, "own hospital"][judged, None] - np.stack([logit_of(net, without_set(ward_pictures, s)) for s in removed_sets], axis=1)
    for way in ("drawn", "ablation"):
        chart = vendor_maps[v, way]
        vendor_faith[v, way] = np.array([pearsonr(promise, drop).statistic for promise, drop in zip(chart @ removed_sets.T, drops, strict=True)])
        weight = np.abs(chart) / np.abs(chart).sum(1, keepdims=True)
        vendor_plausible[v, way] = (weight * (on_nodule > 0.1)).sum(1)
for key, faith in vendor_faith.items():
    half = 1.96 * faith.std(ddof=1) / np.sqrt(len(faith))
    print(f"vendor {key[0]}, {key[1]:8s} map: on the nodule {vendor_plausible[key].mean():.0%}, faithfulness {faith.mean():+.2f} (95 % over patients {faith.mean() - half:+.2f} to {faith.mean() + half:+.2f})")
assert vendor_faith["B", "ablation"].mean() > 0.8 > 0.4 > vendor_faith["B", "drawn"].mean(), "the ablation map should be faithful to B, the drawn one not"

# %% tags=["demo"]
case = int(np.where(nodule_biopsy[judged], ward_pictures[:, 0, :3].mean((1, 2)).numpy(), -9).argmax())  # suspicious, with the brightest band
fig, axes = plt.subplots(1, 5, figsize=(12, 2.8), layout="constrained")
axes[0].imshow(ward_pictures[case, 0], vmin=-2, vmax=2)
axes[0].set_title("the image", fontsize=10)
charts = [(v, way) for v in "AB" for way in ("drawn", "ablation")]
for ax, key in zip(axes[1:], charts, strict=True):
    chart = vendor_maps[key][case].reshape(4, 4)
    ax.imshow(ward_pictures[case, 0], vmin=-2, vmax=2, extent=(0, 4, 4, 0))
    ax.imshow(chart / np.abs(chart).max(), cmap="PuOr_r", vmin=-1, vmax=1, alpha=0.6, extent=(0, 4, 4, 0))
    for r, c in np.argwhere(chart < -0.15 * np.abs(chart).max()):
        ax.text(c + 0.5, r + 0.5, "-", fontsize=15, weight="bold", ha="center", va="center")
    top = np.unravel_index(chart.argmax(), (4, 4))
    ax.plot(top[1] + 0.5, top[0] + 0.5, "k*", markersize=13, markerfacecolor="white")
    ax.set_title(f"vendor {key[0]}, {key[1]} map\nfaithfulness {vendor_faith[key][case]:+.2f}", fontsize=10)
for ax in axes:
    ax.set_axis_off()
fig.supxlabel("brown: speaks for suspicious, the star marks the most; minus: speaks against", fontsize=9)
show.figure(fig, alt="One nodule with four maps of 16 regions, a star on the most important region of each, a minus where a region speaks against. The drawn maps of both vendors are the same and lie on the nodule; the ablation map of vendor B has its weight in the top row, where the machine's band is")

# %% [markdown]
# The drawn map is the most plausible of all, and the same for both vendors. So it can't be an explanation of both. For B it says next to nothing about the model: on average its correlation is small. B's ablation map looks wrong to any reader, weight on the empty top row, and that is exactly its merit: it is faithful, and it has just found the confounder. Had the
# hospital asked its readers which map they trust, it would have bought B with the drawn map.
#
# Note also that A's ablation map is a little less faithful than B's. B is linear in its pixels, so single removals add up; A's regions interact, and a list of single effects can't say so. No map with one number a region could. (Nor is "removed" a neutral act: a patch of mean grey is something that A has never seen.)

# %% [markdown]
# ### Exercise 9.1a - how faithful is a map?
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can put a number on the difference between a map that looks right and one that is right*
#
# Faithfulness is a claim about the model, so it can be tested on the model. Split a patient's image into $K$ regions. A map gives each region an importance $a_k$, positive where the region raises the score. Draw $M$ sets of
# regions; remove the regions of set $S_m$ together; note the score $f(x \setminus S_m)$. If the map tells the truth, sets to which it gives much importance are those whose removal makes the score drop most. The **faithfulness correlation** (Bhatt, Weller
# and Moura, IJCAI 2020) of a patient is Pearson's
#
# $$r = \mathrm{corr}_m \Big( \sum_{k \in S_m} a_k, \;\; f(x) - f(x \setminus S_m) \Big)$$
#
# Write `faithfulness(importance, removed, full, without)`. It gives one $r$ **for each patient**: every patient has a map of their own, and a pooled correlation could be high only because some patients have larger scores than others.
#
# A map that gives all sets the same sum, or a model whose score doesn't move, leaves nothing to correlate: nothing was explained, so the answer is 0, not nan.
#
# <details><summary>Hint 1: the idea</summary>Two tables with a row for each patient and a column for each set: what the map promises for the set, and what the model did. Then correlate row by row.</details>
# <details><summary>Hint 2: what to call</summary><code>importance @ removed.T</code> sums over the regions of each set. Centre both tables along axis 1; <code>r</code> is the sum of their products over the root of the product of their sums of squares.</details>
# <details><summary>My good maps have r near -1</summary>The model's side is the <em>drop</em>: full minus without. A score that stays high after the removal is a small drop.</details>
# <details><summary>All my patients have the same r</summary>Did you flatten the tables? Correlate along axis 1 only.</details>

# %% nbgrader={"grade": false, "grade_id": "faithfulness", "locked": false, "schema_version": 3, "solution": true, "task": false}
def faithfulness(importance: np.ndarray, removed: np.ndarray, full: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Faithfulness correlation of the maps of several patients (Bhatt, Weller and Moura, IJCAI 2020).

    Args:
        importance: (N, K) importance of each region of each patient, signed.
        removed: (M, K) bool, which regions each set removes; M at least 2; the same sets for all patients.
        full: (N,) score of each whole image, any real number such as a logit.
        without: (N, M) score of each patient without the regions of each set.

    Returns:
        (N,) Pearson correlation between the summed importance of a set and the drop of the score, over the sets of one patient;
        0 where one of the two is constant (spread below 1e-12).

    Raises:
        ValueError: the shapes don't fit each other, or there is a nan in importance, full or without.
    """
    ### BEGIN SOLUTION
    importance, full, without = (np.asarray(part, dtype=float) for part in (importance, full, without))
    removed = np.asarray(removed, dtype=float)
    if importance.ndim != 2 or removed.ndim != 2 or removed.shape[1] != importance.shape[1]:
        raise ValueError("importance (N, K) and removed (M, K) must have the same regions")
    if full.shape != importance.shape[:1] or without.shape != (len(full), len(removed)):
        raise ValueError("full must be (N,), and without (N, M)")
    if any(np.isnan(part).any() for part in (importance, full, without)):
        raise ValueError("there is a nan among the importances or scores")
    promised, drop = importance @ removed.T, full[:, None] - without
    promised, drop = (part - part.mean(axis=1, keepdims=True) for part in (promised, drop))
    spreads = promised.std(axis=1), drop.std(axis=1)
    moved = (spreads[0] > 1e-12) & (spreads[1] > 1e-12)
    return np.where(moved, (promised * drop).mean(axis=1) / np.where(moved, spreads[0] * spreads[1], 1.0), 0.0)
    ### END SOLUTION

# %% tags=["given"]
def linear_patients(n: int, k: int, m: int, seed: int) -> tuple:
    """A linear score on k regions: values (n, k), weights (k,), sets (m, k) bool, full scores (n,) and scores without the sets (n, m)."""
    rng = np.random.default_rng(seed)
    values, weights, sets = rng.normal(0, 1, (n, k)), rng.normal(0, 1, k), rng.random((m, k)) < 0.4
    full = values @ weights + 3 * np.arange(n)
    return values, weights, sets, full, full[:, None] - (values * weights) @ sets.T.astype(float)

# %% nbgrader={"grade": true, "grade_id": "faithfulness-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value: for a linear score the contributions are perfectly faithful (r = 1), and their negative perfectly wrong (r = -1)
values, weights, sets, full, without = linear_patients(4, 6, 30, seed=1)
r = faithfulness((values * weights).copy(), sets.copy(), full.copy(), without.copy())
assert r is not None, "nothing came back: end the function with return"
r = np.asarray(r)
assert r.shape == (4,), f"return one number for each of the 4 patients, shape (4,), not {r.shape}"
assert not np.allclose(r, -1), "the true contributions get -1: you correlate with the score that is left. Correlate with the drop, full - without"
assert np.allclose(r, 1), f"the true contributions of a linear score should get r = 1, not {r.round(3)}"
r = np.asarray(faithfulness(-(values * weights), sets.copy(), full.copy(), without.copy()))
assert not np.allclose(r, 1), "a map with all signs wrong still gets 1: don't take absolute values, the sign is a part of the claim"
assert np.allclose(r, -1), f"a map with all signs wrong should get -1, not {r.round(3)}"
### BEGIN HIDDEN TESTS
for seed in range(5):
    values, weights, sets, full, without = linear_patients(5, 8, 25, seed=seed + 10)
    guess = np.random.default_rng(seed).normal(0, 1, (5, 8))
    truth = [np.corrcoef(guess[i] @ sets.T, full[i] - without[i])[0, 1] for i in range(5)]
    r = np.asarray(faithfulness(guess.copy(), sets.copy(), full.copy(), without.copy()))
    assert r.shape == (5,) and np.allclose(r, truth, atol=1e-6), "on another set of patients the correlations are off"
    assert np.allclose(np.asarray(faithfulness(4 * guess + 0.0, sets.copy(), 2 * full + 1, 2 * without + 1)), truth, atol=1e-6), "units must not matter: four times the map, and a score in other units, give the same r"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "faithfulness-sets", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Sets: regions are removed together, so their importance is summed. Sets have different sizes
values, weights, sets, full, without = linear_patients(3, 5, 40, seed=2)
positive = np.abs(values * weights)
without = full[:, None] - positive @ sets.T.astype(float)
r = np.asarray(faithfulness(positive.copy(), sets.copy(), full.copy(), without.copy()))
of_means = [np.corrcoef((positive[i] * sets).sum(1) / np.maximum(sets.sum(1), 1), full[i] - without[i])[0, 1] for i in range(3)]
kept = [np.corrcoef(positive[i] @ (~sets).T, full[i] - without[i])[0, 1] for i in range(3)]
assert not np.allclose(r, of_means), "you took the mean importance of a set: what is removed together adds up, so sum"
assert not np.allclose(r, kept), "you summed over the regions that stay: removed is True where a region is taken away"
assert np.allclose(r, 1), f"the sum of the contributions over a set is its drop, so r = 1, not {r.round(3)}"
### BEGIN HIDDEN TESTS
single = np.eye(5, dtype=bool)
dropped = full[:, None] - positive
assert np.allclose(np.asarray(faithfulness(positive.copy(), single, full.copy(), dropped)), 1), "with single regions as sets the drops are the contributions: r = 1"
order = np.random.default_rng(3).permutation(40)
guess = np.random.default_rng(4).normal(0, 1, (3, 5))
a, b = (np.asarray(faithfulness(guess.copy(), s.copy(), full.copy(), w.copy())) for s, w in ((sets, without), (sets[order], without[:, order])))
assert np.allclose(a, b), "another order of the sets changes the answer"
assert np.allclose(a, [np.corrcoef(guess[i] @ sets.T, full[i] - without[i])[0, 1] for i in range(3)], atol=1e-6), "with sets of different sizes r is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "faithfulness-patients", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One r a patient: a pooled one would reward a map that knows nothing but how sick a patient is
values, weights, sets, full, without = linear_patients(4, 6, 30, seed=5)
mixed = values * weights
mixed[2], mixed[3] = -mixed[2], 0.0
r = np.asarray(faithfulness(mixed.copy(), sets.copy(), full.copy(), without.copy()))
assert r.shape == (4,), f"return one number for each of the 4 patients, shape (4,), not {r.shape}"
assert not np.allclose(r[:3], r[0]), "all patients get the same number: don't pool them, correlate within each patient"
assert np.allclose(r[:3], [1, 1, -1]), f"patients 0 and 1 have true maps, patient 2 a reversed one: expected 1, 1, -1, got {r[:3].round(3)}"
assert not np.isnan(r[3]), "an empty map has no spread, and gives nan: return 0, for it explains nothing"
assert r[3] == 0, f"an empty map should get 0, not {r[3]:.3g}"
still, steady = without.copy(), full.copy()
still[1], steady[1] = 3.0, 4.0  # patient 1: whatever is removed, the score drops by 1
value = float(np.asarray(faithfulness(mixed.copy(), sets.copy(), steady, still.copy()))[1])
assert not np.isnan(value), "a score that drops by the same for every set has no spread, and gives nan: return 0, for there is nothing to correlate"
assert abs(value) < 1e-6, f"the same drop for every set says nothing about the map: 0, not {value:.3g}. A correlation is centred: take the mean over the sets from both sides first"
### BEGIN HIDDEN TESTS
alone = [float(np.asarray(faithfulness(mixed[i : i + 1].copy(), sets.copy(), full[i : i + 1].copy(), without[i : i + 1].copy()))[0]) for i in range(4)]
assert np.allclose(r, alone), "a patient alone and the same patient among others should get the same r"
still[1] = full[1]
r = np.asarray(faithfulness(mixed.copy(), sets.copy(), full.copy(), still))
assert r[1] == 0 and np.allclose(r[[0, 2]], [1, -1]), "a score that never moves gives r = 0 for that patient alone"
still[1] = full[1] + 0.7
assert abs(float(np.asarray(faithfulness(mixed.copy(), sets.copy(), full.copy(), still))[1])) < 1e-6, "the same rise for every set gives r = 0"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "faithfulness-refuses", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input is refused, and what you were given stays as it was
values, weights, sets, full, without = linear_patients(3, 5, 12, seed=6)
held = [part.copy() for part in (values, sets, full, without)]
good = np.asarray(faithfulness(*held))
assert good.shape == (3,) and np.isfinite(good).all(), "good input should still work"
broken = without.copy()
broken[1, 3] = np.nan
for bad, why in (((values, sets, full, broken), "a nan among the scores"), ((values[:, :4], sets, full, without), "4 regions in the map, 5 in the sets"),
                 ((values, sets, full, without.T), "scores of shape (M, N) instead of (N, M)")):
    try:
        faithfulness(*(part.copy() for part in bad))
    except ValueError:
        continue
    raise AssertionError(f"{why}: raise a ValueError")
### BEGIN HIDDEN TESTS
truth = [np.corrcoef(values[i] @ sets.T, full[i] - without[i])[0, 1] for i in range(3)]
assert np.allclose(good, truth, atol=1e-6), "on good input the correlations are off"
blind = values.copy()
blind[0, 0] = np.nan
for bad in ((blind, sets, full, without), (values, sets, full[:2], without), (values, sets, full, without[:, :5]), (values, sets, np.array([0.0, np.nan, 1.0]), without)):
    try:
        faithfulness(*(part.copy() for part in bad))
    except ValueError:
        continue
    raise AssertionError("a nan, or shapes that don't fit, must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A company shows that clinicians rate its heat maps 4.6 of 5, and that with maps they agree with the software more often than without. Which of the two claims, faithful or plausible, does this support? What would you ask for?
#
# <details><summary>Answer</summary>Plausible, and persuasive: agreement that rises also where the software is wrong is automation bias, a harm. Ask for a test on the model: removal of what the map points to, on held-out patients, against random regions of the same size; and ask for the
# clinicians' <em>accuracy</em> with and without maps, separately where the software is right and where it is wrong.</details>

# %% [markdown]
# ## 9.2 Categories of explainable AI
#
# "We use explainable AI" can mean a regression coefficient, or a coloured cloud over a film. Before you trust an explanation, ask where it stands on three axes. Each answer limits what the explanation can be used for.
#
# | Axis | One end | Other end | What follows |
# |---|---|---|---|
# | when | **ante-hoc** (intrinsic): the model computes its score *through* the thing that is shown | **post-hoc**: made afterwards, for a model that computes in another way | a post-hoc explanation can be unfaithful to the score; an ante-hoc one can't, but it can be unreadable, or its parts can carry more than their names say (9.3) |
# | scope | **local**: about one patient's score | **global**: about the model over patients | a developer who looks for shortcuts needs global, a clinician at the bedside local; neither follows from the other |
# | access | **model-agnostic**: only calls the model, $x \mapsto f(x)$ | **model-specific**: uses gradients, activations, splits | agnostic works through a vendor's web form, and asks about inputs that may never occur; specific is cheap and precise, and ties you to one kind of model |
#
# An ante-hoc explanation belongs to its own model, so it is always model-specific. That leaves six cells. We run one method in each, on a table where you can check the sense of it: patients sent for coronary angiography (pictures of the heart's vessels) at four hospitals. The model is to predict whether a vessel is narrowed
# by more than half. We take the features that all four hospitals measured, fill gaps by the training patients' median, and leave `chol = 0` as it came.
#
# Two models: a logistic regression (ante-hoc), and a small neural network (explained post-hoc).
#
# **Predict before you run.** The two models have about the same AUC. Will the six methods agree on which features matter? Which of the six would change if we shuffled one patient's record?

# %% tags=["demo"]
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

MEASURED = {"age": "age", "trestbps": "blood pressure", "chol": "cholesterol", "thalach": "peak heart rate", "oldpeak": "ST depression",
            "sex": "male", "cp": "pain type", "fbs": "high sugar", "restecg": "ECG at rest", "exang": "angina on effort"}
heart = data.load("heart_disease", profile=run.profile)
heart_ill = (heart.table["target"] > 0).astype(int).to_numpy()
heart_fit, heart_test = train_test_split(np.arange(len(heart_ill)), test_size=0.4, random_state=SEED, stratify=heart_ill)
heart_filled = heart.table[list(MEASURED)].fillna(heart.table.loc[heart_fit, list(MEASURED)].median())
heart_scaler = StandardScaler().fit(heart_filled.to_numpy()[heart_fit])
heart_z = heart_scaler.transform(heart_filled.to_numpy())  # (N, 10)

heart_linear = LogisticRegression().fit(heart_z[heart_fit], heart_ill[heart_fit])
torch.manual_seed(SEED)
heart_net = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 1))
heart_x, heart_y = torch.as_tensor(heart_z[heart_fit]).float(), torch.as_tensor(heart_ill[heart_fit]).float()
learn(heart_net, lambda rows, rng: F.binary_cross_entropy_with_logits(heart_net(heart_x[rows].to(device))[:, 0], heart_y[rows].to(device)), len(heart_fit), 60, SEED)


def heart_score(z: np.ndarray) -> np.ndarray:
    """Logits (N,) of the neural network: all that an agnostic method may call."""
    return logit_of(heart_net, torch.as_tensor(z, dtype=torch.float32))


heart_auc = {"logistic regression": roc_auc_score(heart_ill[heart_test], heart_linear.decision_function(heart_z[heart_test])), "neural network": roc_auc_score(heart_ill[heart_test], heart_score(heart_z[heart_test]))}
print(f"{len(heart_fit)} patients to fit, {len(heart_test)} to test;", ", ".join(f"{name}: test AUC {value:.3f}" for name, value in heart_auc.items()))
assert min(heart_auc.values()) > 0.8, "both models should predict the disease"

# %% [markdown]
# The six methods, in the order of the table's cells. Each gives one number a feature.
#
# 1. *ante-hoc, global*: the regression's coefficients $w_k$ on standardised features.
# 2. *ante-hoc, local*: this patient's terms $w_k z_k$; with the intercept they add up to the logit.
# 3. *post-hoc, global, agnostic*: **permutation importance** (Breiman, Machine Learning, 2001): the loss of test AUC when column $k$ is shuffled among patients.
# 4. *post-hoc, global, specific*: the mean size of the gradient, $\frac1N \sum_i |\partial f / \partial z_k|$, over test patients.
# 5. *post-hoc, local, agnostic*: **LIME** (Ribeiro, Singh and Guestrin, KDD 2016): a linear model fitted to the scores of random variations of this patient, the near ones weighted more.
# 6. *post-hoc, local, specific*: gradient times input, $z_k\, \partial f / \partial z_k$, at this patient (`captum.attr.InputXGradient`).

# %% tags=["demo"]
from captum.attr import InputXGradient
from sklearn.linear_model import Ridge


def permutation_loss(z: np.ndarray, truth: np.ndarray, repeats: int = 20) -> np.ndarray:
    """Mean loss of AUC (K,) when one column is shuffled, the others left alone."""
    rng, full = np.random.default_rng(0), roc_auc_score(truth, heart_score(z))
    lost = np.zeros((repeats, z.shape[1]))
    for r in range(repeats):
        for k in range(z.shape[1]):
            shuffled = z.copy()
            shuffled[:, k] = rng.permutation(z[:, k])
            lost[r, k] = full - roc_auc_score(truth, heart_score(shuffled))
    return lost.mean(0)


def lime_weights(patient: np.ndarray, n: int = 2000, width: float = 1.0) -> np.ndarray:
    """Slopes (K,) of a linear model around one patient; width is the kernel's, in standard deviations a feature."""
    around = patient + np.random.default_rng(0).normal(0, 1, (n, len(patient)))
    near = np.exp(-((around - patient) ** 2).mean(1) / (2 * width**2))
    return Ridge(alpha=1.0).fit(around, heart_score(around), sample_weight=near).coef_


one_patient = heart_test[int(np.argsort(heart_score(heart_z[heart_test]))[-len(heart_test) // 8])]  # a patient with a high score
tested_rows = torch.as_tensor(heart_z[heart_test]).float().requires_grad_(True)
heart_slopes = torch.autograd.grad(heart_net(tested_rows.to(device)).sum(), tested_rows)[0].cpu().numpy()
patient_row = torch.as_tensor(heart_z[[one_patient]]).float().to(device)
six_methods = {
    "1 ante-hoc, global:\ncoefficients": heart_linear.coef_[0],
    "2 ante-hoc, local:\nterms of one patient": heart_linear.coef_[0] * heart_z[one_patient],
    "3 post-hoc, global, agnostic:\npermutation importance": permutation_loss(heart_z[heart_test], heart_ill[heart_test]),
    "4 post-hoc, global, specific:\nmean |gradient|": np.abs(heart_slopes).mean(0),
    "5 post-hoc, local, agnostic:\nLIME slopes of one patient": lime_weights(heart_z[one_patient]),
    "6 post-hoc, local, specific:\ngradient x input": InputXGradient(heart_net).attribute(patient_row.requires_grad_(True))[0].detach().cpu().numpy(),
}

# %% tags=["demo"]
fig, axes = plt.subplots(2, 3, figsize=(11, 6.0), layout="constrained", sharey=True)
six_units = ["log odds a standard deviation", "log odds", "AUC lost", *["log odds a standard deviation"] * 2, "log odds"]
for ax, (name, values), unit in zip(axes.T.ravel(), six_methods.items(), six_units, strict=True):
    ax.barh(list(MEASURED.values()), values, color=[show.PALETTE[3] if v > 0 else show.PALETTE[0] for v in values], hatch=["" if v > 0 else "///" for v in values], edgecolor="white")
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_title(name, fontsize=10)
    ax.set_xlabel(unit, fontsize=9)
axes[0, 0].invert_yaxis()
show.figure(fig, alt="Six bar charts of ten features, one a cell of the three axes: coefficients, one patient's terms, permutation importance, mean gradient, LIME and gradient times input; positive bars plain, negative hatched")
size_rank = pd.DataFrame({f"method {name[0]}": np.abs(values) for name, values in six_methods.items()}).corr("spearman")
print("Rank agreement of the sizes (Spearman):")
print(size_rank.round(2).to_string())

# %% [markdown]
# They agree in part, and needn't agree: each answers another question. Methods 2 and 6 *multiply by the patient's value*, so a feature at its mean gets nothing however much it weighs; 5 is a slope, and asks what a change would do. Method 3 spreads the merit of two features that carry the same message, because shuffling one leaves the other;
# method 4 doesn't. A shuffled record of one patient changes 2, 5 and 6 for that patient, not 1, and 3 and 4 by next to nothing. "Feature importance" without its cell on the axes is half a statement.
#
# And one bar should worry you. Look at cholesterol in method 1: the *more* of it, the *less* disease. Methods 3 and 4 have no sign, and show an importance at which every cardiologist would nod. We come back to it in 9.3.
#
# One more trap sits inside a single cell. To test an importance, plant a feature that can't matter: the patient's record number, a random one. A random forest offers two global importances: how much its splits on a feature reduced the impurity *in training* (specific), and permutation importance (agnostic), the latter on training or on test patients.

# %% tags=["demo"]
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance

record_number = np.random.default_rng(9).permutation(len(heart_ill))[:, None]
with_number = np.concatenate([heart_filled.to_numpy(), record_number], axis=1)
forest = RandomForestClassifier(run.pick(ci=60, laptop=300), random_state=SEED).fit(with_number[heart_fit], heart_ill[heart_fit])
forest_lost = {part: permutation_importance(forest, with_number[rows], heart_ill[rows], scoring="roc_auc", n_repeats=run.pick(ci=5, laptop=10), random_state=0).importances_mean for part, rows in (("training", heart_fit), ("test", heart_test))}
number_rank = {name: int((values > values[-1]).sum()) + 1 for name, values in (("impurity", forest.feature_importances_), *forest_lost.items())}
print(f"impurity importance of the record number: {forest.feature_importances_[-1]:.3f} (rank {number_rank['impurity']} of 11)")
for part, values in forest_lost.items():
    print(f"permutation importance on {part} patients: {values[-1]:+.4f} of AUC (rank {number_rank[part]} of 11)")
assert forest.feature_importances_[-1] > 0.04 and abs(forest_lost["test"][-1]) < 0.02, "the record number should look important in training, and be worth next to nothing on test patients"

# %% [markdown]
# A number without meaning gets a good share of the impurity importance, because a feature with many values offers many places to split, and the trees used it to learn their patients by heart (Strobl et al., BMC Bioinformatics, 2007). All of that is true of the *model*: it does use the number. It is false of the *disease*. On test
# patients the number is worth next to nothing. So say on which patients an importance was measured.

# %% [markdown]
# ### Exercise 9.2a - place twelve methods
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can say in one line what an explanation can and can't be used for*
#
# Twelve explanations, each as it is used in one sentence. Place each on three axes.
#
# | Letter | What is done |
# |---|---|
# | A | The 10 coefficients of a logistic regression on standardised features are printed: this is the score |
# | B | A depth-3 decision tree *is* the triage score; the nurse is shown the branch that this patient took |
# | C | Permutation importance: one column of the test table is shuffled, and the loss of AUC noted |
# | D | Grad-CAM of one chest film: the gradient of the logit at the last convolution's channels weighs their maps |
# | E | LIME for one patient: a weighted linear model is fitted to the scores of a few hundred variations of this patient |
# | F | TreeSHAP for one patient of a boosted ensemble: the splits of its trees are walked through, which makes exact Shapley values cheap |
# | G | A small tree is fitted to the *scores* of a network on 10,000 patients, and printed in the brochure |
# | H | Partial dependence: age is set to 40, 41, ... for everybody, and the mean score is drawn |
# | I | The shape functions of an additive model are drawn: log odds over age, over blood pressure |
# | J | A prototype part network shows, for one film, which of its stored patches this film's patch resembles: the score is the weighted sum of these similarities |
# | K | TCAV: how often does the score of class "malignant" rise along the direction of "irregular margin" among a layer's activations, over all test images? |
# | L | Occlusion of one image: a grey square is moved over it, and the score noted |
#
# The axes, and how to decide:
#
# - **when**: `"ante-hoc"` if the thing shown is the computation that makes the score; `"post-hoc"` if it was made to explain a score that is computed in another way.
# - **scope**: `"local"` if it is about one patient's score, `"global"` if about the model's behaviour over patients.
# - **access**: `"agnostic"` if it only needs to call the model, as a function from input to score; `"specific"` if it needs its inside: gradients, activations, weights, splits. What is ante-hoc is a property of its own model, and thus specific.
#
# Return a dictionary, letter to `(when, scope, access)`. The visible checks judge A, D and G as worked examples and the spelling of the rest; grading judges all twelve, one point an axis.
#
# <details><summary>Hint 1: the idea</summary>Ask three questions. If I deleted this explanation, could the score still be computed? Is a patient's name on the sheet? Could I make the sheet through a web form that takes an input and returns a score?</details>
# <details><summary>Hint 2: the form</summary><code>return {"A": ("ante-hoc", "global", "specific"), "B": (...), ...}</code> with twelve letters.</details>
# <details><summary>A tree appears three times, and I am confused</summary>The kind of thing doesn't decide; what it is used for does. Is the tree the model, is it the model's copy, or are the model's own trees read?</details>

# %% nbgrader={"grade": false, "grade_id": "place-methods", "locked": false, "schema_version": 3, "solution": true, "task": false}
def place_methods() -> dict[str, tuple[str, str, str]]:
    """Where twelve explanations stand.

    Returns:
        letter "A" ... "L" -> (when, scope, access), with "ante-hoc" or "post-hoc", "local" or "global", "agnostic" or "specific".
    """
    ### BEGIN SOLUTION
    return {
        "A": ("ante-hoc", "global", "specific"),
        "B": ("ante-hoc", "local", "specific"),
        "C": ("post-hoc", "global", "agnostic"),
        "D": ("post-hoc", "local", "specific"),
        "E": ("post-hoc", "local", "agnostic"),
        "F": ("post-hoc", "local", "specific"),
        "G": ("post-hoc", "global", "agnostic"),
        "H": ("post-hoc", "global", "agnostic"),
        "I": ("ante-hoc", "global", "specific"),
        "J": ("ante-hoc", "local", "specific"),
        "K": ("post-hoc", "global", "specific"),
        "L": ("post-hoc", "local", "agnostic"),
    }
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "place-methods-when", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# When: is it the computation itself, or was it made afterwards?
placed = place_methods()
assert isinstance(placed, dict) and sorted(placed) == list("ABCDEFGHIJKL"), "return a dictionary with the twelve letters A to L as keys"
assert all(isinstance(value, (tuple, list)) and len(value) == 3 for value in placed.values()), "each value is (when, scope, access)"
odd = {letter: value[0] for letter, value in placed.items() if value[0] not in ("ante-hoc", "post-hoc")}
assert not odd, f"the first of the three must be 'ante-hoc' or 'post-hoc', these are not: {odd}"
assert placed["A"][0] == "ante-hoc", "when, method A: the coefficients are the score itself; nothing else computes it"
assert placed["G"][0] == "post-hoc", "when, method G: a tree is readable, but this one isn't the model: the network makes the score, the tree was fitted to it afterwards"
### BEGIN HIDDEN TESTS
assert placed["B"][0] == "ante-hoc", "when, method B: the tree is the score here, and the branch is the computation for this patient"
assert placed["J"][0] == "ante-hoc", "when, method J: the similarities are summed to make the score; the pictures are not drawn afterwards"
assert placed["I"][0] == "ante-hoc", "when, method I: the shape functions are the score, their sum is the logit"
wrong = [letter for letter in "BCDEFHIJKL" if (placed[letter][0] == "ante-hoc") != (letter in "BIJ")]
assert not wrong, f"when: {len(wrong)} of the ten other methods stand on the wrong side. Ask of each: if this were thrown away, could the score still be computed?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "place-methods-scope", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Scope: one patient, or the model over patients?
placed = place_methods()
assert isinstance(placed, dict) and sorted(placed) == list("ABCDEFGHIJKL"), "return a dictionary with the twelve letters A to L as keys"
assert all(isinstance(value, (tuple, list)) and len(value) == 3 for value in placed.values()), "each value is (when, scope, access)"
odd = {letter: value[1] for letter, value in placed.items() if value[1] not in ("local", "global")}
assert not odd, f"the second of the three must be 'local' or 'global', these are not: {odd}"
assert placed["D"][1] == "local", "scope, method D: the map belongs to one film"
assert placed["A"][1] == "global", "scope, method A: the same ten numbers hold for every patient"
### BEGIN HIDDEN TESTS
assert placed["K"][1] == "global", "scope, method K: it counts over all test images of a class"
assert placed["H"][1] == "global", "scope, method H: the curve is a mean over everybody"
assert placed["C"][1] == "global", "scope, method C: the loss of AUC is measured over the whole test table"
wrong = [letter for letter in "BCEFGHIJKL" if (placed[letter][1] == "local") != (letter in "BEFJL")]
assert not wrong, f"scope: {len(wrong)} of the ten other methods stand on the wrong side. Ask of each: would the sheet look different for the next patient?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "place-methods-access", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Access: is calling the model enough, or must one look inside?
placed = place_methods()
assert isinstance(placed, dict) and sorted(placed) == list("ABCDEFGHIJKL"), "return a dictionary with the twelve letters A to L as keys"
assert all(isinstance(value, (tuple, list)) and len(value) == 3 for value in placed.values()), "each value is (when, scope, access)"
odd = {letter: value[2] for letter, value in placed.items() if value[2] not in ("agnostic", "specific")}
assert not odd, f"the third of the three must be 'agnostic' or 'specific', these are not: {odd}"
assert placed["D"][2] == "specific", "access, method D: it needs gradients and activations of a layer, so it is specific"
assert placed["G"][2] == "agnostic", "access, method G: it needs nothing but the scores of 10,000 patients, from whatever model"
### BEGIN HIDDEN TESTS
assert placed["F"][2] == "specific", "access, method F: Shapley values in general need calls only, but TreeSHAP walks through the model's own splits"
assert placed["K"][2] == "specific", "access, method K: it needs the activations of a layer, and gradients at them"
assert placed["L"][2] == "agnostic", "access, method L: it needs nothing but the scores of changed images"
wrong = [letter for letter in "ABCEFHIJKL" if (placed[letter][2] == "agnostic") != (letter in "CEHL")]
assert not wrong, f"access: {len(wrong)} of the ten other methods stand on the wrong side. Ask of each: could I make it through a web form that takes an input and returns a score?"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 9.2b - the brochure's tree
#
# Difficulty 3 of 5 - 3 points - about 12 minutes - *after it you can check whether a simple copy of a model may speak for it*
#
# A company explains its network by a small decision tree, fitted to the network's scores: a **global surrogate**. The tree is only worth reading if it does what the network does, on patients that neither was fitted on. That is its
# **fidelity**, here as the share of the variance of the network's scores $f_i$ that the tree's predictions $t_i$ explain:
#
# $$R^2 = 1 - \frac{\sum_i (f_i - t_i)^2}{\sum_i (f_i - \bar f)^2}$$
#
# Fidelity is not accuracy: the network may be wrong about patients, and a faithful copy is wrong in the same way. So the diagnoses play no part, neither in the fit nor in the measure. Write `surrogate_fidelity`, with a
# `sklearn.tree.DecisionTreeRegressor` of the given depth.
#
# <details><summary>Hint 1: the idea</summary>The tree's target is the network's score. Its exam is the network's score on other patients.</details>
# <details><summary>Hint 2: what to call</summary><code>DecisionTreeRegressor(max_depth=depth, random_state=0).fit(...)</code>, then <code>sklearn.metrics.r2_score(truth, prediction)</code>: the first argument is the network's score.</details>
# <details><summary>My fidelity is 1 for deep trees</summary>Do you measure it on the patients that the tree was fitted to?</details>
# <details><summary>My fidelity is negative</summary>That can happen: the tree is then worse than the mean of the network's scores. It is a result, don't clip it.</details>

# %% nbgrader={"grade": false, "grade_id": "surrogate-fidelity", "locked": false, "schema_version": 3, "solution": true, "task": false}
def surrogate_fidelity(x_fit: np.ndarray, score_fit: np.ndarray, label_fit: np.ndarray, x_test: np.ndarray, score_test: np.ndarray, label_test: np.ndarray, depth: int) -> float:
    """Fidelity of a global surrogate tree, measured on other patients.

    Args:
        x_fit, x_test: (N, K) and (M, K) features.
        score_fit, score_test: (N,) and (M,) the explained model's scores for these patients.
        label_fit, label_test: (N,) and (M,) the diagnoses, 0 or 1.
        depth: greatest depth of the tree, at least 1. The tree is a DecisionTreeRegressor with random_state=0, otherwise as sklearn sets it.

    Returns:
        R^2 of the tree's predictions for the model's scores on the test patients; it may be negative.

    Raises:
        ValueError: the model gives all test patients the same score: there is nothing that a tree could explain.
    """
    ### BEGIN SOLUTION
    from sklearn.tree import DecisionTreeRegressor

    score_test = np.asarray(score_test, dtype=float)
    if np.ptp(score_test) == 0:
        raise ValueError("the model gives every test patient the same score")
    tree = DecisionTreeRegressor(max_depth=depth, random_state=0).fit(x_fit, score_fit)
    residual = score_test - tree.predict(x_test)
    return float(1 - (residual**2).sum() / ((score_test - score_test.mean()) ** 2).sum())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "surrogate-fidelity-model", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The model, not the labels: here the model looks at feature 0, and the disease sits in feature 1
rng = np.random.default_rng(21)
x_a, x_b = rng.normal(0, 1, (200, 3)), rng.normal(0, 1, (150, 3))
score_a, score_b = (np.where(x[:, 0] > 0, 0.9, 0.2) for x in (x_a, x_b))
label_a, label_b = ((x[:, 1] > 0).astype(int) for x in (x_a, x_b))
value = surrogate_fidelity(x_a.copy(), score_a, label_a, x_b.copy(), score_b, label_b, 1)
assert value is not None, "nothing came back: end the function with return"
value = float(value)
flipped = float(surrogate_fidelity(x_a.copy(), score_a, 1 - label_a, x_b.copy(), score_b, 1 - label_b, 1))
assert np.isclose(value, flipped), "turning all diagnoses round changes your fidelity: the diagnoses must play no part. Fit the tree to the model's scores, and measure it against them"
assert value > 0.9, f"one split copies this model, so fidelity is near 1, not {value:.3f}"
### BEGIN HIDDEN TESTS
from sklearn.metrics import r2_score
from sklearn.tree import DecisionTreeRegressor
for seed in range(4):
    rng = np.random.default_rng(30 + seed)
    x_a, x_b = rng.normal(0, 1, (120, 4)), rng.normal(0, 1, (90, 4))
    score_a, score_b = (1 / (1 + np.exp(-2 * x[:, 0] - x[:, 1] * x[:, 2])) for x in (x_a, x_b))
    label_a, label_b = ((x[:, 3] > 0).astype(int) for x in (x_a, x_b))
    for depth in (1, 2, 4):
        truth = r2_score(score_b, DecisionTreeRegressor(max_depth=depth, random_state=0).fit(x_a, score_a).predict(x_b))
        value = float(surrogate_fidelity(x_a.copy(), score_a.copy(), label_a, x_b.copy(), score_b.copy(), label_b, depth))
        assert np.isclose(value, truth, atol=0.02), f"on another model the fidelity at depth {depth} is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "surrogate-fidelity-held-out", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Other patients: a deep tree learns its own patients by heart, which says nothing. And R^2 is measured from the model's spread
rng = np.random.default_rng(22)
x_a, x_b, label_a, label_b = rng.normal(0, 1, (80, 3)), rng.normal(0, 1, (60, 3)), rng.integers(0, 2, 80), rng.integers(0, 2, 60)
score_a, score_b = rng.random(80), rng.random(60)
value = float(surrogate_fidelity(x_a.copy(), score_a.copy(), label_a, x_b.copy(), score_b.copy(), label_b, 12))
assert value < 0.5, f"these scores are pure chance, nothing can copy them for new patients, and you report {value:.3f}: measure on the test patients"
assert value < 0, f"a deep tree on scores of pure chance is worse than their mean, so R^2 is negative, not {value:.3f}. Is it a correlation, or clipped at 0?"
### BEGIN HIDDEN TESTS
from sklearn.metrics import r2_score
from sklearn.tree import DecisionTreeRegressor
tree = DecisionTreeRegressor(max_depth=12, random_state=0).fit(x_a, score_a)
swapped = r2_score(tree.predict(x_b), score_b)
assert not np.isclose(value, swapped), "you took the spread of the tree's predictions: the denominator is the spread of the model's scores"
assert np.isclose(value, r2_score(score_b, tree.predict(x_b)), atol=0.15), "the fidelity of a deep tree is off"
shifted = float(surrogate_fidelity(x_a.copy(), np.where(x_a[:, 0] > 0, 0.4, 0.1), label_a, x_b.copy(), np.where(x_b[:, 0] > 0, 0.9, 0.6), label_b, 1))
assert shifted < -5, "a tree that is 0.5 too low everywhere is no faithful copy, though it correlates perfectly: R^2 counts the shift"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "surrogate-fidelity-constant", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A broken model: the same score for everybody can't be explained, and 0/0 is no fidelity
rng = np.random.default_rng(23)
x_a, x_b, label_a, label_b = rng.normal(0, 1, (50, 2)), rng.normal(0, 1, (40, 2)), rng.integers(0, 2, 50), rng.integers(0, 2, 40)
value = float(surrogate_fidelity(x_a.copy(), np.where(x_a[:, 0] > 0, 1.0, 0.0), label_a, x_b.copy(), np.where(x_b[:, 0] > 0, 1.0, 0.0), label_b, 2))
assert 0.8 < value <= 1, f"a model with one threshold is copied nearly perfectly, expected about 1, got {value:.3f}"
try:
    surrogate_fidelity(x_a.copy(), np.full(50, 0.7), label_a, x_b.copy(), np.full(40, 0.7), label_b, 2)
except ValueError:
    pass
else:
    raise AssertionError("all test patients have the score 0.7: raise a ValueError, there is nothing to explain")
### BEGIN HIDDEN TESTS
try:
    surrogate_fidelity(x_a.copy(), rng.random(50), label_a, x_b.copy(), np.zeros(40), label_b, 1)
except ValueError:
    pass
else:
    raise AssertionError("a constant score on the test patients must raise a ValueError, whatever the other patients got")
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A brochure prints a small tree with the line "this is how our network decides". On test patients the tree has $R^2 = 0.55$ for the network's scores, and the same AUC for the disease as the network. May the line stand?
#
# <details><summary>Answer</summary>No. The tree leaves nearly half of the variance of the network's scores unexplained, so for many patients the network decides otherwise. That the tree is as accurate says nothing about whether it is the <em>same</em>: two models can be right for different reasons, as vendors A and B were. If the tree is
# as good, sell the tree: then it is ante-hoc, and the line is true.</details>

# %% [markdown]
# ## 9.3 Ante-hoc methods
#
# Rudin's advice is to build the explanation in. Three families do it for images and tables: the model must speak of *findings* (concept bottleneck), of *cases* (prototypes), or of *one feature at a time* (additive models). Each promises that what you read is what computes the score. We hold each to its promise.
#
# ### Concept bottleneck: the model must name its findings
#
# A radiologist doesn't say "0.83". She says: solid, very dark, irregular margin; therefore biopsy. A **concept bottleneck** (Koh et al., ICML 2020) is built in the same way. An image $x$ goes to $K$ concepts, $\hat c = g(x)$, each the probability of a finding, and the label comes from them alone, $\hat y = h(\hat c)$, with $h$ a
# linear layer that fits on a card. The price: somebody has to label the findings, too. There are three ways to train it:
#
# | Way | $g$ learns from | $h$ learns from |
# |---|---|---|
# | independent | concept labels | *true* concepts $c$ |
# | sequential | concept labels | *predicted* concepts $\hat c$ |
# | joint | label and concept labels at once: $L = \mathrm{CE}(y, h(g(x))) + \lambda \sum_k \mathrm{CE}(c_k, g_k(x))$ | the same |
#
# What you gain is the **intervention**: a reader who sees a wrong concept sets it right, and the label follows.
#
# **Predict before you run.** All three reach similar accuracy without help. Then we correct one concept after another, in random order. At which way of training will corrections help least, and why? And will the bottleneck be better or worse than a **black box**, the same body trained on the label alone?

# %% tags=["demo"]
n_bottleneck, bottleneck_seeds = run.pick(ci=1000, laptop=3000), range(run.pick(ci=3, laptop=4))
bn_images, bn_findings, bn_biopsy, _ = draw_nodules(n_bottleneck, seed=20)
bt_images, bt_findings, bt_biopsy, _ = draw_nodules(1000, seed=21)
bn_x, bt_x = as_input(bn_images), as_input(bt_images)
bn_c, bn_y = torch.as_tensor(bn_findings).float(), torch.as_tensor(bn_biopsy).float()
bt_c = bt_findings.astype(float)


class FindingNet(nn.Module):
    """Image -> concept logits (B, K) -> label logit (B,), which reads nothing but the concepts' probabilities."""

    def __init__(self, n_concepts: int) -> None:
        super().__init__()
        self.g, self.h = nn.Sequential(conv_body(), nn.Linear(768, n_concepts)), nn.Linear(n_concepts, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        c = self.g(x)
        return c, self.h(torch.sigmoid(c))[:, 0]


def train_findings(columns: list[int], label_weight: float, concept_weight: float, seed: int, epochs: int = run.pick(ci=7, laptop=10)) -> FindingNet:
    """A bottleneck of some findings; the weights of the two losses make it independent (0, 1), joint (1, lambda) or a black box (1, 0)."""
    torch.manual_seed(seed)
    net, bce = FindingNet(len(columns)), F.binary_cross_entropy_with_logits

    def loss_of(rows: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        c, y = net(mirrored(bn_x[rows], rng))
        return label_weight * bce(y, bn_y[rows].to(device)) + concept_weight * bce(c, bn_c[rows][:, columns].to(device)) * (len(columns) if label_weight else 1)

    groups = [{"params": net.g.parameters(), "lr": 3e-3}, {"params": net.h.parameters(), "lr": 3e-2}]  # a head of six numbers needs longer steps
    return learn(net, loss_of, n_bottleneck, epochs, seed, groups)


@torch.no_grad()
def concepts_of(net: FindingNet, x: torch.Tensor) -> np.ndarray:
    """Probabilities of the concepts (N, K)."""
    return torch.cat([net(part.to(device))[0].sigmoid().cpu() for part in x.split(1000)]).numpy()

# %% tags=["demo"]
everything_seen = list(range(5))
finding_nets = {s: train_findings(everything_seen, 0, 1, s) for s in bottleneck_seeds}
joint_nets = {s: train_findings(everything_seen, 1, 0.1, s) for s in bottleneck_seeds}
black_boxes = {s: train_findings(everything_seen, 1, 0, s) for s in bottleneck_seeds}


def heads(s: int) -> dict:
    """For each way of training: test concepts (N, 5), and a linear head (w, b) on them."""
    own, joint = concepts_of(finding_nets[s], bt_x), concepts_of(joint_nets[s], bt_x)
    on_truth = LogisticRegression(C=10).fit(bn_findings, bn_biopsy)
    on_predicted = LogisticRegression(C=10).fit(concepts_of(finding_nets[s], bn_x), bn_biopsy)
    h = joint_nets[s].h
    return {"independent": (own, on_truth.coef_[0], on_truth.intercept_[0]), "sequential": (own, on_predicted.coef_[0], on_predicted.intercept_[0]),
            "joint": (joint, h.weight.detach().cpu().numpy()[0], h.bias.item())}


def corrected_accuracy(c: np.ndarray, w: np.ndarray, b: float, s: int) -> list[float]:
    """Test accuracy after correcting 0, 1, ..., 5 concepts of each patient, in random order."""
    order = np.random.default_rng(s).random(c.shape).argsort(1).argsort(1)
    return [float((((np.where(order < k, bt_c, c) @ w + b) > 0) == bt_biopsy).mean()) for k in range(6)]


bottleneck_heads = {s: heads(s) for s in bottleneck_seeds}
correction = {way: np.array([corrected_accuracy(*bottleneck_heads[s][way], s) for s in bottleneck_seeds]) for way in ("independent", "sequential", "joint")}  # (seeds, 6)
with torch.no_grad():
    black_accuracy = np.array([float(((black_boxes[s](bt_x.to(device))[1].cpu().numpy() > 0) == bt_biopsy).mean()) for s in bottleneck_seeds])
concept_accuracy = np.array([((bottleneck_heads[s]["independent"][0] > 0.5) == bt_findings).mean(0) for s in bottleneck_seeds])
joint_concept_accuracy = np.array([((bottleneck_heads[s]["joint"][0] > 0.5) == bt_findings).mean(0) for s in bottleneck_seeds])

# %% tags=["demo"]
from scipy.stats import t as student_t


def seed_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean over seeds, and its 95 % t-interval."""
    values = np.asarray(values, dtype=float)
    half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


fig, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained", width_ratios=[3, 2])
for j, (way, values) in enumerate(correction.items()):
    means = values.mean(0)
    axes[0].plot(np.arange(6) + 0.08 * (j - 1), means, "osD"[j] + ["-", "--", "-."][j], color=show.PALETTE[[0, 2, 3][j]], label=way)
    axes[0].plot(np.arange(6) + 0.08 * (j - 1), values.T, "osD"[j], color=show.PALETTE[[0, 2, 3][j]], markersize=3, markerfacecolor="none")
axes[0].axhline(black_accuracy.mean(), color="black", linestyle=":", label="black box")
axes[0].axhline(max(bt_biopsy.mean(), 1 - bt_biopsy.mean()), color="0.6", linestyle=(0, (1, 4)), label="always the commoner label")
axes[0].set(xlabel="concepts corrected, of 5", ylabel="test accuracy of the label", ylim=(0.3, 1.03), title="what a correction is worth (hollow: single seeds)")
axes[0].legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=5, columnspacing=1)
axes[1].barh(np.arange(5) - 0.2, concept_accuracy.mean(0), 0.38, color=show.PALETTE[0], label="trained on concepts")
axes[1].barh(np.arange(5) + 0.2, joint_concept_accuracy.mean(0), 0.38, color=show.PALETTE[3], hatch="///", edgecolor="white", label="joint")
axes[1].set(yticks=range(5), yticklabels=FINDINGS, xlim=(0.5, 1), xlabel="test accuracy of the concept", title="how well each concept is seen")
axes[1].invert_yaxis()
axes[1].legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
show.figure(fig, alt="Left: test accuracy over the number of corrected concepts for three ways of training, means and single seeds, with a dotted line for the black box. Right: accuracy of each of the five concepts, lowest for the irregular margin")
for way, values in correction.items():
    print(f"{way:12s} accuracy alone {values[:, 0].mean():.3f}, with one concept corrected {values[:, 1].mean():.3f}, with all {values[:, 5].mean():.3f}")
bottleneck_gain = seed_interval(correction["independent"][:, 0] - black_accuracy)
print(f"black box {black_accuracy.mean():.3f}; independent bottleneck minus black box {bottleneck_gain[0]:+.3f} (95 % over {len(black_accuracy)} seeds {bottleneck_gain[1]:+.3f} to {bottleneck_gain[2]:+.3f})")
assert correction["independent"][:, 0].mean() > 0.65 and correction["independent"][:, 5].mean() > 0.97, "the bottleneck should learn the label, and with all concepts right be right"
correction_gain = {way: float((values[:, 5] - values[:, 0]).mean()) for way, values in correction.items()}
assert correction_gain["joint"] < correction_gain["independent"] - 0.05, "corrections should help the joint model less"

# %% [markdown]
# Trained on concepts, the bottleneck is not worse than the black box; here it comes out ahead on average (the printed interval says how sure that is), because each image comes with five labels more. (Koh and others found about equal accuracy on knee films. With many labelled images and few, poorly chosen concepts, the bottleneck loses.) Each correction helps, most where the model sees least, and with all five right
# the rule of the independent card is exact. What is left to be explained is $g$: how the network comes to "irregular margin" is as dark as before.
#
# With the joint model something is wrong. Alone it is not far behind, but corrections help it little or even harm. Its concepts are no longer only what their names say: the label's loss has bent them to carry whatever helps the label. A reader's 0 or 1 is a word in a language that this head doesn't speak.
#
# Try it on a patient. The one below gets the wrong label from the independent bottleneck; correct the findings by hand, and see which one repairs it.

# %% tags=["demo"]
own_c, card_w, card_b = bottleneck_heads[0]["independent"]
own_wrong = ((own_c @ card_w + card_b > 0) != bt_biopsy)
mended = np.stack([((np.where(np.arange(5) == k, bt_c, own_c) @ card_w + card_b) > 0) == bt_biopsy for k in range(5)], axis=1)  # by correcting concept k alone
repaired_by_one = mended[own_wrong].any(1).mean()
shown_patient = int(np.flatnonzero(own_wrong & bt_biopsy & mended[:, 2])[0])  # one whose shape was misread
card_choices = {"as predicted": np.nan, "absent": 0.0, "present": 1.0}


def draw_card(**settings: str) -> plt.Figure:
    """The patient, the concepts as they stand, and the label that follows."""
    chosen = np.array([card_choices[setting] for setting in settings.values()])
    c = np.where(np.isnan(chosen), own_c[shown_patient], chosen)
    p = 1 / (1 + np.exp(-(c @ card_w + card_b)))
    fig, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained", width_ratios=[1, 2])
    axes[0].imshow(bt_images[shown_patient], vmin=0, vmax=1)
    axes[0].set_axis_off()
    axes[0].set_title(f"biopsy: {'suspicious' if bt_biopsy[shown_patient] else 'benign'}", fontsize=10)
    axes[1].barh(FINDINGS, c, color=[show.PALETTE[0] if np.isnan(v) else show.PALETTE[1] for v in chosen], hatch=["" if np.isnan(v) else "///" for v in chosen], edgecolor="white")
    for k in range(5):
        axes[1].text(1.03, k, f"{card_w[k]:+.1f} per unit", va="center", fontsize=8)
    axes[1].set(xlim=(0, 1.3), xticks=[0, 0.5, 1], xlabel="concept (hatched: set by hand)", title=f"probability of suspicious: {p:.2f}")
    axes[1].invert_yaxis()
    return fig


show.explore(draw_card, alt="An ultrasound image of a nodule beside five bars, the model's probability of each finding, and the probability of a suspicious nodule that follows from them",
             **{name.replace(" ", "_"): list(card_choices) for name in FINDINGS})
print(f"in truth: {', '.join(name for k, name in enumerate(FINDINGS) if bt_findings[shown_patient, k]) or 'none of the five'}")
print(f"of {own_wrong.sum()} patients with a wrong label, correcting one well-chosen concept repairs {repaired_by_one:.0%}")

# %% [markdown]
# ### What else a concept carries: leakage
#
# Why should the concepts' probabilities be trusted as concepts? A probability is a number with many digits, and a network can write more into them than the finding. Mahinpei and others (ICML workshop, 2021) called it **leakage**. Here is a test with planted truth. We allow the bottleneck only two of the five findings, `solid` and
# `irregular margin`, together worth 3 points of 12. Whoever knows these two, and nothing else, can reach a certain AUC at most: the **ceiling**, which we can compute from the planted rule. What lies above has leaked.

# %% tags=["demo"]
few_findings = [0, 3]
chance_given = {pair: bt_biopsy[(bt_findings[:, few_findings] == pair).all(1)].mean() for pair in [(a, b) for a in (False, True) for b in (False, True)]}
leak_ceiling = roc_auc_score(bt_biopsy, [chance_given[tuple(pair)] for pair in bt_findings[:, few_findings].tolist()])
leak = {"joint, soft": [], "joint, rounded to 0 or 1": [], "trained on concepts, soft": [], "trained on concepts, rounded": []}
leak_accuracy = []
for s in bottleneck_seeds:
    bent = train_findings(few_findings, 1, 0.1, s, epochs=run.pick(ci=14, laptop=10))
    soft = {"joint": (concepts_of(bent, bn_x), concepts_of(bent, bt_x)), "trained on concepts": tuple(concepts_of(finding_nets[s], part)[:, few_findings] for part in (bn_x, bt_x))}
    for name, (c_fit, c_test) in soft.items():
        for key, change in ((f"{name}, soft", lambda c: c), (f"{name}, rounded" + (" to 0 or 1" if name == "joint" else ""), lambda c: c > 0.5)):
            leak[key].append(roc_auc_score(bt_biopsy, LogisticRegression(C=10).fit(change(c_fit), bn_biopsy).decision_function(change(c_test))))
    leak_accuracy.append(((soft["joint"][1] > 0.5) == bt_findings[:, few_findings]).mean(0))
leak_over = seed_interval(np.array(leak["joint, soft"]) - leak_ceiling)
for name, values in leak.items():
    print(f"{name:30s} AUC of the label {np.mean(values):.3f} +- {np.std(values, ddof=1):.3f}")
print(f"{'ceiling: the true two findings':30s} AUC {leak_ceiling:.3f}; the joint model is {leak_over[0]:+.3f} above it (95 % over seeds {leak_over[1]:+.3f} to {leak_over[2]:+.3f})")
print("concept accuracy of the joint model:", ", ".join(f"{FINDINGS[k]} {value:.2f}" for k, value in zip(few_findings, np.mean(leak_accuracy, axis=0), strict=True)))
assert leak_over[0] > 0.02 and np.mean(leak["trained on concepts, rounded"]) < leak_ceiling, "the soft joint bottleneck should leak, hard concepts can't"

# %% [markdown]
# The joint model, which is said to use two findings, predicts the label better than anybody could who knows these two exactly. So its "solid" isn't only solid; its concept accuracy shows what the bending costs. Rounding takes the many digits away, but not the bend: a concept that was trained to answer another question answers it in
# whole numbers, too. The model whose $g$ never saw the label stays below the ceiling. That is the price of an honest bottleneck: if the concepts don't suffice, it must be worse, and you learn that a finding is missing from your list.
#
# In practice: train $g$ on concepts alone, or at least compare; report the accuracy of each concept, and the curve of corrections; look for what is missing, rather than letting it in through the back door.

# %% [markdown]
# ### Exercise 9.3a - intervene
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can let a reader correct a model at a concept, and see what follows*
#
# Above, the head read probabilities, so a corrected concept became 0 or 1. Many bottlenecks read the **logits** $\hat c$ instead. What should "present" be there? Not 1: as a logit, 1 means a probability of 0.73, a weak maybe. Infinity would wreck the head.
# Koh and others (ICML 2020) take a value that the head saw in training: the 95th percentile of that concept's training logits for "present", the 5th for "absent".
#
# Write `intervene`. It replaces *only* the concepts that the reader corrected, *only* for the patients where they did, and then predicts with the linear head $p = \sigma(\hat c \cdot w + b)$.
#
# <details><summary>Hint 1: the idea</summary>A table of what would be written in if everything were corrected; then choose, cell by cell, between it and the prediction.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.percentile(train_logits, 95, axis=0)</code> gives one value for each concept; <code>numpy.where(mask, a, b)</code> chooses cell by cell.</details>
# <details><summary>Patients change that nobody touched</summary><code>which</code> has a row for each patient. Do you index with columns only?</details>

# %% nbgrader={"grade": false, "grade_id": "intervene", "locked": false, "schema_version": 3, "solution": true, "task": false}
def intervene(logits: np.ndarray, truth: np.ndarray, which: np.ndarray, train_logits: np.ndarray, w: np.ndarray, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Correct some concepts of some patients, and predict anew (Koh et al., ICML 2020).

    Args:
        logits: (N, K) predicted concept logits; they stay as they are.
        truth: (N, K) what the reader sees, 0 absent or 1 present; any value, nan too, where which is False.
        which: (N, K) bool, True where the reader corrects this concept of this patient.
        train_logits: (M, K) the model's concept logits on its training images.
        w, b: (K,) and a number, the linear head on concept logits.

    Returns:
        corrected (N, K): the 95th percentile (present) or the 5th (absent) of that concept's training logits where which is True; logits elsewhere.
        probability (N,): of the label, sigmoid(corrected @ w + b).

    Raises:
        ValueError: truth is neither 0 nor 1 somewhere where which is True.
    """
    ### BEGIN SOLUTION
    logits, truth, which = np.asarray(logits, dtype=float), np.asarray(truth, dtype=float), np.asarray(which, dtype=bool)
    if not np.isin(truth[which], (0, 1)).all():
        raise ValueError("where a concept is corrected its truth must be 0 or 1")
    low, high = np.percentile(train_logits, [5, 95], axis=0)
    corrected = np.where(which, np.where(truth == 1, high, low), logits)
    return corrected, 1 / (1 + np.exp(-(corrected @ np.asarray(w) + b)))
    ### END SOLUTION

# %% tags=["given"]
def reading_room(n: int, k: int, seed: int) -> tuple:
    """Logits (n, k), truth (n, k) 0 or 1, which (n, k) bool, training logits (60, k), head w (k,) and b."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(1, 4, k)
    return (rng.normal(0, 1, (n, k)) * scale, rng.integers(0, 2, (n, k)).astype(float), rng.random((n, k)) < 0.4,
            rng.normal(0.3, 1, (60, k)) * scale + rng.normal(0, 1, k), rng.normal(0, 1, k), float(rng.normal()))

# %% nbgrader={"grade": true, "grade_id": "intervene-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What is written in: a value that the head knows from training, for each concept its own
train_logits = np.stack([np.linspace(-4, 6, 101), np.linspace(-2, 2, 101)], axis=1)  # 5th and 95th percentile: -3.5 and 5.5; -1.8 and 1.8
answer = intervene(np.array([[0.2, -0.1]]), np.array([[1.0, 0.0]]), np.array([[True, True]]), train_logits.copy(), np.array([1.0, -1.0]), 0.5)
assert answer is not None and len(answer) == 2, "return two things: corrected and probability"
corrected = np.asarray(answer[0])
assert corrected.shape == (1, 2), f"corrected should have the shape of logits, (1, 2), not {corrected.shape}"
assert not np.allclose(corrected, [[1, 0]]), "you wrote 1 and 0 into logits: as a logit 1 is a weak maybe, and 0 is a half. Take the 95th and the 5th percentile of the training logits"
assert not np.allclose(corrected, [[-3.5, 1.8]]), "present and absent are swapped: 95th percentile for present, 5th for absent"
assert not np.allclose(corrected, [[6, -2]]), "you took the maximum and the minimum, which one odd training image decides: take percentiles"
assert not np.allclose(corrected, np.percentile(train_logits, [95, 5])[None]), "you pooled the concepts: each has its own scale. axis=0"
assert np.allclose(corrected, [[5.5, -1.8]]), f"expected 5.5 (present) and -1.8 (absent), got {corrected.round(3)}"
### BEGIN HIDDEN TESTS
for seed in range(4):
    logits, truth, which, train_logits, w, b = reading_room(7, 4, seed)
    low, high = np.percentile(train_logits, [5, 95], axis=0)
    corrected = np.asarray(intervene(logits.copy(), truth.copy(), np.ones((7, 4), bool), train_logits.copy(), w.copy(), b)[0])
    assert corrected.shape == (7, 4) and np.allclose(corrected, np.where(truth == 1, high, low)), "with everything corrected the values of another model are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "intervene-only", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Only what the reader corrected, only where: the other concepts and the other patients keep their predictions
logits, truth, which, train_logits, w, b = reading_room(6, 5, seed=11)
which = np.zeros((6, 5), dtype=bool)
which[2, 1] = which[4, 3] = True
held = logits.copy()
corrected = np.asarray(intervene(held, truth.copy(), which.copy(), train_logits.copy(), w.copy(), b)[0])
assert np.array_equal(held, logits), "you changed the caller's logits: work on a copy"
assert corrected.shape == (6, 5), f"corrected should have the shape of logits, (6, 5), not {corrected.shape}"
others = np.ones(6, dtype=bool)
others[[2, 4]] = False
assert np.allclose(corrected[others], logits[others]), "patients that nobody corrected have changed: which says for each patient which concepts"
assert np.allclose(corrected[~which], logits[~which]), "concepts that the reader left alone have changed: replace only where which is True"
high_low = np.percentile(train_logits, [5, 95], axis=0)
assert np.isclose(corrected[2, 1], high_low[int(truth[2, 1]), 1]) and np.isclose(corrected[4, 3], high_low[int(truth[4, 3]), 3]), "the two corrected concepts don't hold the percentiles of their own training logits"
### BEGIN HIDDEN TESTS
for seed in range(4):
    logits, truth, which, train_logits, w, b = reading_room(9, 3, seed + 20)
    low, high = np.percentile(train_logits, [5, 95], axis=0)
    unread = np.where(which, truth, np.nan)
    corrected = np.asarray(intervene(logits.copy(), unread, which.copy(), train_logits.copy(), w.copy(), b)[0])
    assert np.allclose(corrected, np.where(which, np.where(truth == 1, high, low), logits)), "where the reader says nothing (truth is nan there) the prediction should stay, elsewhere be corrected"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "intervene-predicts", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The prediction follows from the corrected concepts
logits, truth, which, train_logits, w, b = reading_room(8, 4, seed=31)
which[0] = False
corrected, p = (np.asarray(part) for part in intervene(logits.copy(), truth.copy(), which.copy(), train_logits.copy(), w.copy(), b))
low, high = np.percentile(train_logits, [5, 95], axis=0)
right = np.where(which, np.where(truth == 1, high, low), logits)
assert p.shape == (8,), f"return one probability for each patient, shape (8,), not {p.shape}"
before = 1 / (1 + np.exp(-(logits @ w + b)))
assert not np.allclose(p, before), "the probabilities are those before the correction: predict from the corrected concepts"
assert not np.allclose(p, right @ w + b), "that is the logit of the label: return its sigmoid"
assert not np.allclose(p, 1 / (1 + np.exp(-(right @ w)))), "the head's b is missing"
assert not np.allclose(p, 1 / (1 + np.exp(-(1 / (1 + np.exp(-right)) @ w + b)))), "this head reads logits, not probabilities of concepts"
assert np.allclose(p, 1 / (1 + np.exp(-(right @ w + b)))), "the probability should be sigmoid(corrected @ w + b)"
assert np.isclose(p[0], before[0]), "patient 0 was not corrected: the prediction should stay"
### BEGIN HIDDEN TESTS
for seed in range(3):
    logits, truth, which, train_logits, w, b = reading_room(5, 6, seed + 40)
    low, high = np.percentile(train_logits, [5, 95], axis=0)
    right = np.where(which, np.where(truth == 1, high, low), logits)
    p = np.asarray(intervene(logits.copy(), truth.copy(), which.copy(), train_logits.copy(), w.copy(), b)[1])
    assert p.shape == (5,) and np.allclose(p, 1 / (1 + np.exp(-(right @ w + b)))), "in another reading room the probabilities are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "intervene-refuses", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A correction that says nothing is refused: 'can't tell' is no 0
logits, truth, which, train_logits, w, b = reading_room(4, 3, seed=51)
which[:], which[1, 2] = False, True
corrected = np.asarray(intervene(logits.copy(), truth.copy(), which.copy(), train_logits.copy(), w.copy(), b)[0])
assert corrected.shape == (4, 3) and (corrected != logits).sum() == 1, "one concept of one patient is corrected here: one cell should change"
for bad in (np.nan, 0.5, 2):
    doubtful = truth.copy()
    doubtful[1, 2] = bad
    try:
        intervene(logits.copy(), doubtful, which.copy(), train_logits.copy(), w.copy(), b)
    except ValueError:
        continue
    raise AssertionError(f"the reader's correction is {bad}: raise a ValueError, it must be 0 or 1")
### BEGIN HIDDEN TESTS
doubtful = np.full((4, 3), np.nan)
doubtful[1, 2] = 1
corrected = np.asarray(intervene(logits.copy(), doubtful, which.copy(), train_logits.copy(), w.copy(), b)[0])
assert np.isclose(corrected[1, 2], np.percentile(train_logits[:, 2], 95)), "truth is only needed where which is True"
doubtful[1, 2] = -1
try:
    intervene(logits.copy(), doubtful, which.copy(), train_logits.copy(), w.copy(), b)
except ValueError:
    pass
else:
    raise AssertionError("a correction of -1 must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 9.3b - a bottleneck that holds
#
# Difficulty 3 of 5 - 4 points - about 18 minutes - *after it you can build a network whose label can't get past its concepts, and prove it*
#
# Build `ConceptBottleneck(body, width, n_concepts)`. `body` maps images to features $(B, \text{width})$. From the features come the concept logits; from the concepts' probabilities, and from nothing else, comes the label's logit, by one linear layer. With
# `concepts` given, a reader's values (0, 1, or anything between) take the place of the probabilities; where `concepts` is nan the model's own probability stays.
#
# The concepts are separate findings: several may be present, or none.
#
# The checks can't see your layers. They test the property: with all concepts fixed, *another image must not change the label*.
#
# <details><summary>Hint 1: the idea</summary>Two steps that meet in one small tensor of shape (B, n_concepts). Draw it; does any arrow go around that tensor?</details>
# <details><summary>Hint 2: what to call</summary>Two <code>nn.Linear</code>; <code>torch.sigmoid</code>; <code>torch.where(torch.isnan(concepts), probabilities, concepts)</code>.</details>
# <details><summary>The gradient is nan or missing</summary>Don't detach the concepts: trained jointly, the label's loss must reach the body through them.</details>

# %% nbgrader={"grade": false, "grade_id": "bottleneck", "locked": false, "schema_version": 3, "solution": true, "task": false}
class ConceptBottleneck(torch.nn.Module):
    """The label depends on the image through the concepts only (Koh et al., ICML 2020)."""

    def __init__(self, body: torch.nn.Module, width: int, n_concepts: int) -> None:
        """Args:
        body: images (B, ...) -> features (B, width).
        width: number of features.
        n_concepts: number of separate findings, K.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.body = body
        self.to_concepts = torch.nn.Linear(width, n_concepts)
        self.head = torch.nn.Linear(n_concepts, 1)
        ### END SOLUTION

    def forward(self, x: torch.Tensor, concepts: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Args:
            x: images (B, ...).
            concepts: (B, K) values in [0, 1] that replace the probabilities, nan where the model's own stays; None replaces nothing.

        Returns:
            concept logits (B, K), as predicted from the image whatever `concepts` says; logit of the label (B,).
        """
        ### BEGIN SOLUTION
        logits = self.to_concepts(self.body(x))
        c = torch.sigmoid(logits)
        if concepts is not None:
            c = torch.where(torch.isnan(concepts), c, concepts)
        return logits, self.head(c).squeeze(1)
        ### END SOLUTION

# %% tags=["given"]
def ask_bottleneck(images: torch.Tensor, concepts: torch.Tensor | None, k: int, seed: int) -> tuple:
    """Concept logits, label logits, and the gradient of the summed label logits with respect to the images; all as arrays."""
    torch.manual_seed(seed)
    body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(images[0].numel(), 12), torch.nn.Tanh())
    model = ConceptBottleneck(body, 12, k).eval()
    x = images.clone().requires_grad_(True)
    answer = model(x) if concepts is None else model(x, concepts.clone())
    c, y = (torch.zeros(0), torch.zeros(0)) if answer is None else answer
    slope = torch.autograd.grad(y.sum(), x, allow_unused=True)[0] if y.requires_grad else None
    return c.detach().numpy(), y.detach().numpy(), np.zeros(images.shape, dtype=np.float32) if slope is None else slope.numpy()

# %% nbgrader={"grade": true, "grade_id": "bottleneck-shape", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Shapes, and a path for the gradient from the label to the image, through the concepts
images = torch.randn(6, 1, 5, 5, generator=torch.Generator().manual_seed(1))
c, y, slope = (np.asarray(part) for part in ask_bottleneck(images, None, 4, 0))
assert c.size, "nothing came back: end forward with return"
assert c.shape == (6, 4), f"concept logits should be (6, 4), one for each image and concept, not {c.shape}"
assert y.shape == (6,), f"label logits should be (6,), not {y.shape}: squeeze the last axis"
assert c.std(axis=0).min() > 1e-4 and y.std() > 1e-6, "other images should give other concepts and labels"
assert np.abs(slope).max() > 1e-7, "no gradient comes from the label to the image: don't detach or round the concepts, joint training needs that path"
### BEGIN HIDDEN TESTS
c, y, slope = (np.asarray(part) for part in ask_bottleneck(images[:1], None, 3, 1))
assert c.shape == (1, 3) and y.shape == (1,), "a batch of one image should keep its axis: squeeze the last axis only"
again = np.asarray(ask_bottleneck(images[:1], torch.full((1, 3), 0.5), 3, 1)[0])
assert np.allclose(c, again, atol=1e-6), "the concept logits are what the image says, also when a reader says otherwise"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "bottleneck-holds", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The property: with all concepts fixed, another image must not change the label. And other concepts must
images = torch.randn(5, 1, 6, 6, generator=torch.Generator().manual_seed(2))
others = 3 * torch.randn(5, 1, 6, 6, generator=torch.Generator().manual_seed(3))
fixed = (torch.rand(5, 4, generator=torch.Generator().manual_seed(4)) > 0.5).float()
_, y, slope = (np.asarray(part) for part in ask_bottleneck(images, fixed, 4, 5))
_, y_other, _ = (np.asarray(part) for part in ask_bottleneck(others, fixed, 4, 5))
_, y_turned, _ = (np.asarray(part) for part in ask_bottleneck(images, 1 - fixed, 4, 5))
assert not np.allclose(y, y_turned, atol=1e-5), "turning all concepts round doesn't change the label: the given concepts must take the place of the predicted ones"
assert np.allclose(y, y_other, atol=1e-6), "the concepts are fixed, the image is another one, and the label changes: something leaks around the bottleneck. The head may read the concepts only"
assert np.abs(slope).max() < 1e-8, "with all concepts fixed the label still has a gradient in the image: a path leads around the bottleneck"
### BEGIN HIDDEN TESTS
for seed in range(3):
    k = 3 + seed
    rng = torch.Generator().manual_seed(60 + seed)
    images, others = torch.randn(4, 2, 4, 4, generator=rng), 5 * torch.randn(4, 2, 4, 4, generator=rng)
    fixed = torch.rand(4, k, generator=rng)
    y, y_other = (np.asarray(ask_bottleneck(part, fixed, k, seed)[1]) for part in (images, others))
    assert np.allclose(y, y_other, atol=1e-6), "with soft concepts fixed another image changes the label: it leaks"
    table = torch.cat([torch.zeros(1, k), torch.eye(k), torch.rand(3, k, generator=rng)])
    y = np.asarray(ask_bottleneck(torch.randn(len(table), 2, 4, 4, generator=rng), table, k, seed)[1])
    weights = y[1 : k + 1] - y[0]
    assert np.abs(weights).min() > 1e-6, "one of the concepts has no influence on the label"
    assert np.allclose(y[k + 1 :], y[0] + table[k + 1 :].numpy() @ weights, atol=1e-5), "the head should be one linear layer on the concepts: each adds its share to the logit"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "bottleneck-partly", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Correct one concept, keep the rest: nan leaves the model's own probability, a sigmoid of its logit
images = torch.randn(5, 1, 6, 6, generator=torch.Generator().manual_seed(7))
c, y, _ = (np.asarray(part) for part in ask_bottleneck(images, None, 4, 8))
own = torch.sigmoid(torch.tensor(c))
y_own = np.asarray(ask_bottleneck(images, own, 4, 8)[1])
y_softmax = np.asarray(ask_bottleneck(images, torch.softmax(torch.tensor(c), 1), 4, 8)[1])
y_logits = np.asarray(ask_bottleneck(images, torch.tensor(c), 4, 8)[1])
y_nan = np.asarray(ask_bottleneck(images, torch.full((5, 4), torch.nan), 4, 8)[1])
assert np.isfinite(y_nan).all(), "nan reaches the label: where concepts is nan the model's own probability stays"
assert not (np.allclose(y, y_softmax, atol=1e-6) and not np.allclose(y, y_own, atol=1e-6)), "you take a softmax over the concepts: findings don't exclude each other, take a sigmoid for each"
assert not (np.allclose(y, y_logits, atol=1e-6) and not np.allclose(y, y_own, atol=1e-6)), "without correction your head reads logits, with correction probabilities: pass the logits through a sigmoid first"
assert np.allclose(y, y_own, atol=1e-5), "giving the model its own probabilities as a correction should change nothing"
assert np.allclose(y, y_nan, atol=1e-6), "a correction of nothing but nan should change nothing"
### BEGIN HIDDEN TESTS
mixed = torch.full((5, 4), torch.nan)
mixed[1, 2], mixed[3, 0] = 1.0, 0.0
full = torch.where(torch.isnan(mixed), own, mixed)
y_mixed, y_full = (np.asarray(ask_bottleneck(images, part, 4, 8)[1]) for part in (mixed, full))
assert np.allclose(y_mixed, y_full, atol=1e-5), "a partial correction should equal a full one that repeats the model's own probabilities elsewhere"
assert np.allclose(y_mixed[[0, 2, 4]], y[[0, 2, 4]], atol=1e-6) and not np.allclose(y_mixed[[1, 3]], y[[1, 3]], atol=1e-7), "the two corrected patients should change, the others not"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A vendor sells a bottleneck model "that decides by the 12 criteria of the guideline and nothing else", trained jointly, and shows the 12 probabilities beside each score. How do you check "nothing else" without seeing the network?
#
# <details><summary>Answer</summary>Ask what happens when you set concepts by hand: with all 12 set to a reader's values the score must follow the guideline, and corrections must help on the whole. And compare with a model on the readers' own 12 values, on the same patients: if the vendor's AUC is clearly above it,
# either its concepts are better than your readers', or more than the concepts gets through. Compare its concepts with the readers' to tell which.</details>

# %% [markdown]
# ### Prototypes: the model must name its precedents
#
# "I have seen such a cell before" is a reason that every doctor gives. A **prototype part network** (ProtoPNet; Chen et al., NeurIPS 2019) has, for each class, a few prototypes: vectors $p_j$ in the feature space, each *tied to a real training patch*. A new image is searched for the patch most similar to each prototype, and the class's score is
# a weighted sum of similarities (exercise 9.3c has the formula). Training has three stages:
#
# 1. Body and prototypes learn from cross-entropy, plus a *cluster* cost (each image has a patch near a prototype of its class), plus a *separation* cost (and none near another class's). We add that each prototype has a patch near it in the batch (Li et al., AAAI 2018), so that none is left over.
# 2. **Projection**: each prototype is replaced by the nearest patch of a training image of its class. From here on it can be shown.
# 3. The last layer alone is trained again.
#
# We train it on blood cells of eight kinds, beside a plain network with the same body.
#
# **Predict before you run.** Stage 2 moves every prototype. Will the accuracy stay? And will the network pay, against the plain one, for having to say what it resembles?

# %% tags=["demo"]
blood = data.load("bloodmnist", profile=run.profile)
KINDS = ("basophil", "eosinophil", "erythroblast", "immature granulocyte", "lymphocyte", "monocyte", "neutrophil", "platelet")


def some_cells(split, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Up to n cells drawn at random: (N, 3, 28, 28) in [-1, 1], kinds (N,)."""
    rows = np.random.default_rng(SEED).permutation(len(split.images))[:n]
    return torch.as_tensor(split.images[rows]).float().permute(0, 3, 1, 2) / 127.5 - 1, torch.as_tensor(np.asarray(split.labels).ravel()[rows]).long()


cell_x, cell_kind = some_cells(blood.train, run.pick(ci=900, laptop=3000))
exam_x, exam_kind = some_cells(blood.test, run.pick(ci=400, laptop=2000))


def cell_body(width: int = 24) -> nn.Sequential:
    """(B, 3, 28, 28) -> (B, width, 7, 7) in (0, 1)."""
    layers = [[nn.Conv2d(a, b, k, s, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()] for a, b, k, s in ((3, 24, 4, 2), (24, 48, 4, 2), (48, 48, 3, 1))]
    return nn.Sequential(*sum(layers, []), nn.Conv2d(48, width, 1), nn.Sigmoid())

# %% tags=["demo"]
class PartNet(nn.Module):
    """Prototype part network: two prototypes a class; `of[j]` is the class of prototype j."""

    def __init__(self, each: int = 2, classes: int = 8, width: int = 24) -> None:
        super().__init__()
        self.body, self.prototypes = cell_body(width), nn.Parameter(torch.rand(each * classes, width))
        self.register_buffer("of", torch.arange(classes).repeat_interleave(each))
        self.head = nn.Linear(each * classes, classes, bias=False)
        with torch.no_grad():  # as in the paper: +1 to the own class, -0.5 to the others
            self.head.weight.copy_(torch.where(self.of[None] == torch.arange(classes)[:, None], 1.0, -0.5))

    def distances(self, x: torch.Tensor) -> torch.Tensor:
        """Squared distances (B, P, 49) of each place to each prototype."""
        z = self.body(x).flatten(2)
        return (z**2).sum(1)[:, None] - 2 * self.prototypes @ z + (self.prototypes**2).sum(1)[None, :, None]

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        nearest = self.distances(x).amin(2).clamp(min=0)
        return self.head(torch.log((nearest + 1) / (nearest + 1e-4))), nearest


class PlainNet(nn.Module):
    """The same body, its largest value over places, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = cell_body(), nn.Linear(24, 8)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        return self.head(4 * self.body(x).amax((2, 3))), None

# %% tags=["demo"]
def turned(x: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """The batch turned by a multiple of 90 degrees, or mirrored: a cell has no upper side."""
    x = torch.rot90(x, int(torch.randint(0, 4, (1,), generator=rng)), (2, 3))
    return (x.flip(3) if torch.rand(1, generator=rng) < 0.5 else x).to(device)


def train_cells(make, seed: int) -> nn.Module:
    """Stage 1, for both networks; the head of PartNet stays as it began."""
    torch.manual_seed(seed)
    net = make()

    def loss_of(rows: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        logits, nearest = net(turned(cell_x[rows], rng))
        kinds = cell_kind[rows].to(device)
        loss = F.cross_entropy(logits, kinds)
        if nearest is None:
            return loss
        own = net.of[None] == kinds[:, None]
        cluster, separation = nearest.masked_fill(~own, 1e9).amin(1).mean(), nearest.masked_fill(own, 1e9).amin(1).clamp(max=4).mean()
        used = nearest.masked_fill(~own, 1e9).amin(0).clamp(max=10).mean()
        return loss + 0.8 * cluster - 0.08 * separation + 0.3 * used

    trained = [p for name, p in net.named_parameters() if not (isinstance(net, PartNet) and name.startswith("head"))]
    return learn(net, loss_of, len(cell_x), run.pick(ci=8, laptop=10), seed, [{"params": trained, "lr": 5e-3}])

# %% tags=["demo"]
@torch.no_grad()
def exam(net: nn.Module) -> float:
    """Test accuracy."""
    return float((torch.cat([net(part.to(device))[0].cpu() for part in exam_x.split(500)]).argmax(1) == exam_kind).float().mean())


def project_prototypes(net: PartNet) -> tuple[np.ndarray, np.ndarray]:
    """Stage 2. Returns for each prototype the training image (P,) and the place (P,) that it now is."""
    with torch.no_grad():
        d = torch.cat([net.distances(part.to(device)).cpu() for part in cell_x.split(500)])  # (N, P, 49)
        own = net.of.cpu()[None] == cell_kind[:, None]
        image = d.amin(2).masked_fill(~own, 1e9).argmin(0)
        place = d[image, torch.arange(len(image))].argmin(1)
        net.prototypes.copy_(net.body(cell_x[image].to(device)).flatten(2)[torch.arange(len(image)), :, place])
    return image.numpy(), place.numpy()


def retrain_head(net: PartNet) -> None:
    """Stage 3: the last layer, with an L1 cost on weights between classes, so that 'resembles another kind' is rarely a reason."""
    with torch.no_grad():
        nearest = torch.cat([net(part.to(device))[1] for part in cell_x.split(500)])
    similarity, kinds, across = torch.log((nearest + 1) / (nearest + 1e-4)), cell_kind.to(device), net.of[None] != torch.arange(8, device=device)[:, None]
    optimizer = torch.optim.Adam(net.head.parameters(), lr=1e-2)
    for _ in range(200):
        loss = F.cross_entropy(net.head(similarity), kinds) + 1e-3 * net.head.weight[across].abs().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %% tags=["demo"]
cell_seeds = range(run.pick(ci=2, laptop=3))
part_nets, part_source, part_stages, plain_accuracy = {}, {}, [], []
for s in cell_seeds:
    net = train_cells(PartNet, s)
    stages = [exam(net)]
    part_source[s] = project_prototypes(net)
    stages.append(exam(net))
    retrain_head(net)
    part_nets[s], part_stages = net, [*part_stages, [*stages, exam(net)]]
    plain_accuracy.append(exam(train_cells(PlainNet, s)))
part_stages, plain_accuracy = np.array(part_stages), np.array(plain_accuracy)
commonest = float(np.bincount(exam_kind, minlength=8).max() / len(exam_kind))
for name, values in (*zip(("prototypes, trained", "prototypes, projected", "prototypes, head trained again"), part_stages.T, strict=True), ("plain network", plain_accuracy)):
    print(f"{name:31s} test accuracy {values.mean():.3f} (single seeds {values.min():.3f} to {values.max():.3f})")
print(f"{'always the commonest kind':31s} {commonest:.3f}")
assert part_stages[:, 2].mean() > 2 * commonest, "the prototype network should learn the cells"

# %% tags=["demo"]
part_net, (source_image, source_place) = part_nets[0], part_source[0]
with torch.no_grad():
    exam_logits, exam_nearest = part_net(exam_x[:200].to(device))
    exam_places = part_net.distances(exam_x[:200].to(device)).argmin(2).cpu().numpy()
right_cells = torch.nonzero(exam_logits.argmax(1).cpu() == exam_kind[:200])[:, 0].numpy()
chosen_cells = [int(right_cells[exam_kind[right_cells].numpy() == kind][0]) for kind in np.unique(exam_kind[right_cells])[:4]]
exam_terms = (torch.log((exam_nearest + 1) / (exam_nearest + 1e-4)) * part_net.head.weight[exam_logits.argmax(1)]).detach().cpu().numpy()  # what each prototype adds to the winner's score


def framed(ax, image: torch.Tensor, place: int, title: str) -> None:
    """A cell with the place (7 by 7) that counts in a frame."""
    ax.imshow((image.permute(1, 2, 0).numpy() + 1) / 2)
    ax.add_patch(plt.Rectangle((4 * (place % 7) - 4.5, 4 * (place // 7) - 4.5), 12, 12, fill=False, edgecolor="black", linewidth=3))
    ax.add_patch(plt.Rectangle((4 * (place % 7) - 4.5, 4 * (place // 7) - 4.5), 12, 12, fill=False, edgecolor="white", linewidth=1.2))
    ax.set(xlim=(-0.5, 27.5), ylim=(27.5, -0.5))
    ax.set_axis_off()
    ax.set_title(title, fontsize=8)


fig, axes = plt.subplots(2, len(chosen_cells), figsize=(2.4 * len(chosen_cells), 5.2), layout="constrained")
for column, i in zip(axes.T, chosen_cells, strict=True):
    j = int(exam_terms[i].argmax())
    framed(column[0], exam_x[i], int(exam_places[i, j]), f"this test cell\n{KINDS[int(exam_kind[i])]}")
    framed(column[1], cell_x[source_image[j]], int(source_place[j]), f"looks like this training cell\n{KINDS[int(cell_kind[source_image[j]])]}\nadds {exam_terms[i, j]:.1f} to a score of {exam_logits[i].max():.1f}")
show.figure(fig, alt="Four test cells above, each with a frame around the patch that resembles a prototype most; below, the training cell from which that prototype comes, with its frame, kind, and share of the score")

# %% [markdown]
# The lower row is no illustration drawn afterwards. Each patch *is* a weight of the network: remove it, and the score changes by the number printed under it. (A winning score may be negative: prototypes of other kinds take away from it, and only the order of the eight scores counts.) The price in accuracy stands in the printed lines: the second against the first is what projection costs, the third against the second what the last layer wins back, and the third against the plain network is the price of saying what a cell resembles.
#
# But how much does "looks like" explain? The frame says *where*, not *what about it*: colour, grain, the rim? (And see whether a frame lies beside the cell: nothing in the training forbids that.) Two patches that look alike to the network needn't look alike to you, and a little noise or compression can change which patches match (Hoffmann et al., ICML workshop, 2021). The frame is a little too neat as well: a place of the $7 \times 7$
# grid sees 18 by 18 pixels of 28 through its convolutions, while the frame, as is usual, shows the middle 12. The sum over similarities is ante-hoc and exact. The body that makes the features is a network like any other.

# %% [markdown]
# ### Exercise 9.3c - this looks like that
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can compute how much a film resembles a prototype, and where*
#
# A prototype $p_j \in \mathbb{R}^D$ is compared with the features $z_{uv} \in \mathbb{R}^D$ at *every* place $(u, v)$ of an image. With the squared distance $d^2_{juv} = \lVert z_{uv} - p_j \rVert^2$, ProtoPNet's similarity (Chen et al., NeurIPS 2019) is
#
# $$s_j = \max_{u,v} \; \log \frac{d^2_{juv} + 1}{d^2_{juv} + \varepsilon}$$
#
# It is large where the distance is small, at most $\log(1/\varepsilon)$, and near 0 far away. The place of the maximum is what is shown to the reader: *this* part looks like *that* prototype. Write `prototype_similarity`.
#
# <details><summary>Hint 1: the idea</summary>A distance for every image, prototype and place: a tensor of shape (B, P, H, W). Similarity falls as distance grows, so the largest similarity sits at the smallest distance.</details>
# <details><summary>Hint 2: what to call</summary><code>z[:, None] - p[None, :, :, None, None]</code> broadcasts to (B, P, D, H, W); sum the squares over D. <code>flatten(2).max(dim=2)</code> gives value and flat index; row and column are the index divided by W, and its rest.</details>
# <details><summary>My similarities are all near zero</summary>The maximum over places is to be taken of the similarity. The maximum of the distance is the place that resembles the prototype least.</details>

# %% nbgrader={"grade": false, "grade_id": "prototype-similarity", "locked": false, "schema_version": 3, "solution": true, "task": false}
def prototype_similarity(z: torch.Tensor, p: torch.Tensor, eps: float = 1e-4) -> tuple[torch.Tensor, torch.Tensor]:
    """Similarity of images to prototypes, and where (Chen et al., ProtoPNet, NeurIPS 2019).

    Args:
        z: (B, D, H, W) features.
        p: (P, D) prototypes.
        eps: keeps the logarithm finite where the distance is 0.

    Returns:
        similarity (B, P): the largest log((d^2 + 1) / (d^2 + eps)) over the places of an image.
        place (B, P, 2): row and column of that place, whole numbers; any of them if several tie.

    Raises:
        ValueError: prototypes and features differ in D.
    """
    ### BEGIN SOLUTION
    if z.shape[1] != p.shape[1]:
        raise ValueError(f"the features have {z.shape[1]} channels, the prototypes {p.shape[1]}")
    d2 = ((z[:, None] - p[None, :, :, None, None]) ** 2).sum(dim=2)
    similarity, index = torch.log((d2 + 1) / (d2 + eps)).flatten(2).max(dim=2)
    return similarity, torch.stack([index // z.shape[3], index % z.shape[3]], dim=2)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "prototype-similarity-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The value, by hand: two channels, four places at squared distances 25, 1, 4 and 100 from the prototype at the origin
z_hand = torch.tensor([[[[3.0, 1.0], [0.0, 6.0]], [[4.0, 0.0], [2.0, 8.0]]]])
answer = prototype_similarity(z_hand.clone(), torch.zeros(1, 2), 0.01)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: similarity and place"
value = torch.as_tensor(answer[0]).detach()
assert tuple(value.shape) == (1, 1), f"similarity should be (B, P) = (1, 1), not {tuple(value.shape)}"
value, log = float(value[0, 0]), lambda d2: float(np.log((d2 + 1) / (d2 + 0.01)))
assert not np.isclose(value, 1.0, atol=1e-4), "you return the smallest squared distance: turn it into a similarity, log((d^2 + 1) / (d^2 + eps))"
assert not np.isclose(value, log(100), atol=1e-5), "you took the place that is farthest away: the largest similarity sits at the smallest distance"
assert not np.isclose(value, -log(1), atol=1e-5), "your fraction is upside down: a close place must be more similar than a far one"
assert not np.isclose(value, np.mean([log(d2) for d2 in (25, 1, 4, 100)]), atol=1e-4), "you took the mean over places: one place that fits is enough, take the maximum"
assert np.isclose(value, log(1), atol=1e-4), f"the closest place has d^2 = 1, so the similarity is log(2 / 1.01) = {log(1):.4f}, not {value:.4f}"
value = float(torch.as_tensor(prototype_similarity(2 * z_hand, torch.zeros(1, 2), 0.01)[0]).detach()[0, 0])  # everything twice as far: d = 2, d^2 = 4
assert not np.isclose(value, log(2), atol=1e-4), "you took the distance where its square is asked for"
assert np.isclose(value, log(4), atol=1e-4), f"with the closest place at d^2 = 4 the similarity is log(5 / 4.01) = {log(4):.4f}, not {value:.4f}"
### BEGIN HIDDEN TESTS
generator = torch.Generator().manual_seed(93)
for B, D, H, W, P in ((3, 4, 5, 6, 2), (1, 2, 1, 3, 5), (2, 8, 7, 7, 3)):
    z, p = torch.randn(B, D, H, W, generator=generator), torch.randn(P, D, generator=generator)
    value = torch.as_tensor(prototype_similarity(z.clone(), p.clone())[0]).detach()
    assert tuple(value.shape) == (B, P), "another batch: similarity should be (B, P)"
    d2 = torch.cdist(z.permute(0, 2, 3, 1).reshape(B, H * W, D).double(), p.double()[None].expand(B, -1, -1)).square().amin(1)
    plain = d2.sqrt()
    assert not torch.allclose(value.double(), torch.log((plain + 1) / (plain + 1e-4)), atol=1e-3), "you took the distance where its square is asked for"
    assert torch.allclose(value.double(), torch.log((d2 + 1) / (d2 + 1e-4)), atol=1e-3), "another batch: the similarities are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "prototype-similarity-place", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The place: a prototype is hidden in the image, and is to be found, row first
generator = torch.Generator().manual_seed(94)
z, p = torch.randn(2, 3, 4, 7, generator=generator), 10 + torch.randn(2, 3, generator=generator)
spots = [[(1, 5), (3, 0)], [(0, 6), (2, 2)]]
for i in range(2):
    for j in range(2):
        z[i, :, spots[i][j][0], spots[i][j][1]] = p[j]
place = torch.as_tensor(prototype_similarity(z.clone(), p.clone())[1]).detach().numpy()
assert place.shape == (2, 2, 2), f"place should be (B, P, 2): row and column for each image and prototype; yours is {place.shape}"
assert not np.array_equal(place, np.array(spots)[..., ::-1]), "row and column are swapped: row first. The flat index divided by W is the row, its rest the column"
assert np.array_equal(place, np.array(spots)), f"the prototypes sit at {spots}, you found {place.tolist()}"
### BEGIN HIDDEN TESTS
for seed in range(4):
    generator = torch.Generator().manual_seed(200 + seed)
    z, p = torch.randn(3, 5, 6, 3, generator=generator), torch.randn(4, 5, generator=generator)
    d2 = torch.stack([((z - q[None, :, None, None]) ** 2).sum(1) for q in p], dim=1)
    flat = d2.flatten(2).argmin(2).numpy()
    place = torch.as_tensor(prototype_similarity(z.clone(), p.clone())[1]).detach().numpy()
    assert np.array_equal(place, np.stack([flat // 3, flat % 3], axis=2)), "in another image the places are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "prototype-similarity-limits", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Limits: a perfect match is large but finite; something utterly different is near 0; other channels are refused
z_same, p_same = torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3), 0.5)
top = float(torch.as_tensor(prototype_similarity(z_same.clone(), p_same.clone())[0]).detach()[0, 0])
assert np.isfinite(top), "a perfect match gives infinity: eps belongs into the denominator"
assert np.isclose(top, np.log(1e4), atol=1e-3), f"a perfect match should give log(1 / eps) = {np.log(1e4):.3f}, not {top:.3f}"
far = float(torch.as_tensor(prototype_similarity(z_same + 1000, p_same.clone())[0]).detach()[0, 0])
assert 0 <= far < 1e-3, f"a far prototype should have a similarity near 0, not {far:.4g}"
try:
    prototype_similarity(z_same.clone(), torch.zeros(2, 4))
except ValueError:
    pass
else:
    raise AssertionError("3 channels in the features, 4 in the prototypes: raise a ValueError")
### BEGIN HIDDEN TESTS
for eps in (1e-2, 1e-6):
    top = float(torch.as_tensor(prototype_similarity(z_same.clone(), p_same.clone(), eps)[0]).detach()[0, 0])
    assert np.isclose(top, np.log(1 / eps), atol=1e-3), "a perfect match should give log(1 / eps) for any eps"
try:
    prototype_similarity(torch.zeros(1, 4, 2, 2), torch.zeros(3, 1))  # would broadcast without a word
except ValueError:
    pass
else:
    raise AssertionError("one channel in the prototypes would broadcast silently over four: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Additive models: one feature at a time
#
# For tables there is a class of models that gives up little and shows everything. A **generalised additive model** (Hastie and Tibshirani, Statistical Science, 1986) adds up one curve a feature,
#
# $$\operatorname{logit} P(y = 1 \mid x) = \beta_0 + \sum_k f_k(x_k)$$
#
# The **shape functions** $f_k$ may be splines, boosted trees (explainable boosting machines; GA2M adds a few pairs; Caruana et al., KDD 2015) or small networks (neural additive models; Agarwal et al., NeurIPS 2021). Caruana and others told why it matters: a model of deaths from pneumonia had learned that *asthma lowers the risk*. True in
# the data, since patients with asthma went straight to intensive care; deadly as advice. In an additive model anybody could see it, and the term could be mended. In a network it would have stayed.
#
# We fit splines by `SplineTransformer` and logistic regression to the heart table: curves for the five measured quantities, steps for the five coded ones. Beside it stands gradient boosting, which may use any interaction. Both are judged by five-fold cross-validation: each patient is predicted once, by a model that didn't see them.
#
# **Predict before you run.** Who wins, and by how much? Then look at the shape for cholesterol. In 9.2 it mattered, with a strange sign. What should the curve look like, and what does `chol = 0` do to it?

# %% tags=["demo"]
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer

CURVES, STEPS = ["age", "trestbps", "chol", "thalach", "oldpeak"], ["sex", "cp", "fbs", "restecg", "exang"]


def spline_model():
    """Cubic splines with five knots a curve, one step a code; ridge-penalised logistic regression on all of them."""
    curves = make_pipeline(SimpleImputer(strategy="median"), SplineTransformer(n_knots=5, degree=3, knots="uniform"))
    steps = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_pipeline(make_column_transformer((curves, CURVES), (steps, STEPS)), LogisticRegression(C=0.5, max_iter=2000))


def linear_model():
    """One slope for each of the ten columns."""
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression())

# %% tags=["demo"]
raw_table = heart.table[CURVES + STEPS]
tables = {"zeros left in": raw_table, "zeros set to missing": raw_table.assign(chol=raw_table["chol"].replace(0, np.nan))}
folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
candidates = {"linear": linear_model(), "additive": spline_model(), "boosting": HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05, max_leaf_nodes=8, random_state=0)}
heart_oof = {(name, what): cross_val_predict(model, table, heart_ill, cv=folds, method="predict_proba")[:, 1] for what, table in tables.items() for name, model in candidates.items()}
heart_boot = [np.random.default_rng(s).integers(0, len(heart_ill), len(heart_ill)) for s in range(run.pick(ci=100, laptop=300))]


def oof_auc(p: np.ndarray, minus: np.ndarray | None = None) -> tuple[float, float, float]:
    """AUC over all patients, or the difference of two, with its 95 % bootstrap interval over patients."""
    def value(i):
        return roc_auc_score(heart_ill[i], p[i]) - (0 if minus is None else roc_auc_score(heart_ill[i], minus[i]))
    return value(slice(None)), *(float(v) for v in np.quantile([value(i) for i in heart_boot], [0.025, 0.975]))


heart_figures = {key: oof_auc(p) for key, p in heart_oof.items()}
additive_gap = {what: oof_auc(heart_oof["additive", what], heart_oof["boosting", what]) for what in tables}
zeros_gain = oof_auc(heart_oof["additive", "zeros left in"], heart_oof["additive", "zeros set to missing"])
for (name, what), (value, low, high) in heart_figures.items():
    print(f"{what:20s} {name:9s} AUC {value:.3f} (95 % over patients {low:.3f} to {high:.3f})")
for what, (value, low, high) in additive_gap.items():
    print(f"{what:20s} additive minus boosting {value:+.3f} ({low:+.3f} to {high:+.3f})")
print(f"additive, zeros left in minus set to missing: {zeros_gain[0]:+.3f} ({zeros_gain[1]:+.3f} to {zeros_gain[2]:+.3f})")
assert heart_figures["additive", "zeros set to missing"][0] > 0.8, "the additive model should predict the disease"

# %% tags=["demo"]
def shape_of(model, table: pd.DataFrame, feature: str, values: np.ndarray) -> np.ndarray:
    """f_k at the values, centred over the table's patients: every other column is held at one patient's values, which cancels."""
    def logits(column: np.ndarray) -> np.ndarray:
        frame = pd.concat([table.iloc[[0]]] * len(column), ignore_index=True)
        return model.decision_function(frame.assign(**{feature: column}))
    return logits(values) - logits(table[feature].to_numpy()).mean()


QUANTITIES = {"age": "age, years", "trestbps": "blood pressure at rest, mmHg", "chol": "cholesterol, mg/dl", "thalach": "peak heart rate, 1/min", "oldpeak": "ST depression, mm"}
fitted = {what: spline_model().fit(table, heart_ill) for what, table in tables.items()}
fig, axes = plt.subplots(1, 5, figsize=(13, 3), layout="constrained", sharey=True)
for ax, feature in zip(axes, CURVES, strict=True):
    for j, (what, table) in enumerate(tables.items()):
        known = table[feature].dropna().to_numpy()
        values = np.linspace(known.min(), np.quantile(known, 0.995), 80)
        ax.plot(values, shape_of(fitted[what], table, feature, values), "-" if j == 0 else "--", color=show.PALETTE[[3, 0][j]], linewidth=2, label=what)
    ax.plot(known, np.full(len(known), 0.02), "|", color="0.4", markersize=5, alpha=0.4, transform=ax.get_xaxis_transform())  # where patients are
    ax.axhline(0, color="0.7", linewidth=0.8)
    ax.set_xlabel(QUANTITIES[feature])
axes[0].set_ylabel("adds to the log odds of disease")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
show.figure(fig, alt="Five shape functions over age, blood pressure, cholesterol, peak heart rate and ST depression, with the zeros of cholesterol left in (solid) and set to missing (dashed); with zeros left in the cholesterol curve rises steeply towards 0")

zero_shape = float(shape_of(fitted["zeros left in"], raw_table, "chol", np.array([0.0, 250.0])) @ [1, -1])
by_site = heart.table.assign(zero=heart.table["chol"] == 0, ill=heart_ill).groupby("site").agg(patients=("ill", "size"), ill=("ill", "mean"), zero_cholesterol=("zero", "mean"))
print(f"a cholesterol of 0 instead of 250 mg/dl adds {zero_shape:+.1f} to the log odds: the odds are multiplied by {np.exp(zero_shape):.1f}")
print(by_site.round(2).to_string())
assert zero_shape > 0.5, "zero cholesterol should look dangerous to the model that was given the zeros"

# %% [markdown]
# A glance at the third curve is enough: *no cholesterol at all* is the most dangerous value. No biology says so; the table below says why. Where cholesterol wasn't measured, most patients were ill, for other reasons: a hospital that sees the sickest. The model has learned the hospital. The importances of 9.2 couldn't tell: "cholesterol matters" was true of the
# model, plausible to a cardiologist, and misleading. The shape shows it, and since the model is its shapes, setting the zeros to missing removes it. See what that does to the AUC: a little is *lost*, and that loss is honest, since the next hospital's lab may well measure.
#
# The marks at the foot of each panel are patients: where they are few, at the ends, a curve is held by next to nothing. (In the real table one patient even has a blood pressure of 0.)
#
# The gap to boosting is small, and the interval says how sure that is. On tables of this size an additive model is often as good; Rudin's point is that one only knows after having tried. What it can't do: images (a pixel has no shape function worth reading), strong interactions, and correlated features, which share an effect between their curves in an
# arbitrary way. And an additive curve invites a causal reading, "bring the heart rate up". It describes patients; it doesn't advise.

# %% [markdown]
# ### Exercise 9.3d - what each feature adds
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can take an additive model's prediction apart, patient by patient, so that the parts add up*
#
# In a spline model feature $k$ is turned into basis values $B_k(x_k) \in \mathbb{R}^{J_k}$, and the logit is $\eta = b + \sum_k B_k(x_k) \cdot w_k$. The raw shape $B_k(x_k) \cdot w_k$ has an arbitrary height: add 3 to one
# feature's shape and take 3 from $b$, and no prediction changes. So a bar chart of raw shapes shows nothing. **Centre** them: take from each shape its mean over the *training* patients, and give these means to the intercept,
#
# $$f_k(x) = B_k(x_k) \cdot w_k - m_k, \qquad m_k = \frac1N \sum_{i \in \text{train}} B_k(x_{ik}) \cdot w_k, \qquad \beta_0 = b + \sum_k m_k$$
#
# Now $\eta = \beta_0 + \sum_k f_k$, exactly; $\beta_0$ is the mean logit of the training patients, and $f_k$ says how this patient differs from them by feature $k$. Write `additive_contributions`.
#
# <details><summary>Hint 1: the idea</summary>Nothing may get lost: what you take from the shapes, the intercept gets.</details>
# <details><summary>Hint 2: what to call</summary><code>basis @ weight</code> for one feature gives one number a patient; <code>numpy.stack(..., axis=1)</code> puts the features side by side.</details>
# <details><summary>My contributions don't add up to the logit</summary>Return the new intercept, not the old one. And centre the patients' shapes by the means of the training patients, not by their own.</details>

# %% nbgrader={"grade": false, "grade_id": "additive-contributions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def additive_contributions(train_bases: list[np.ndarray], bases: list[np.ndarray], weights: list[np.ndarray], b: float) -> tuple[np.ndarray, float]:
    """Centred contributions of an additive model, in log odds.

    Args:
        train_bases: for each feature k an array (N, J_k), the basis values of the training patients.
        bases: for each feature an array (M, J_k), of the patients to be explained.
        weights: for each feature (J_k,).
        b: the model's intercept.

    Returns:
        contributions (M, K), each with mean 0 over the training patients; and the intercept that belongs to them, so that
        intercept + contributions.sum(axis=1) is the model's logit.

    Raises:
        ValueError: the three lists differ in length, or a weight doesn't fit its basis.
    """
    ### BEGIN SOLUTION
    if not len(train_bases) == len(bases) == len(weights):
        raise ValueError("train_bases, bases and weights must have one entry for each feature")
    for known, new, w in zip(train_bases, bases, weights, strict=True):
        if np.shape(known)[1] != len(w) or np.shape(new)[1] != len(w):
            raise ValueError("a weight must have as many entries as its basis has columns")
    means = np.array([np.mean(known @ w) for known, w in zip(train_bases, weights, strict=True)])
    shapes = np.stack([new @ w for new, w in zip(bases, weights, strict=True)], axis=1)
    return shapes - means, float(b + means.sum())
    ### END SOLUTION

# %% tags=["given"]
def additive_model(seed: int, n_train: int = 40, n_new: int = 6) -> tuple:
    """Training bases, new bases and weights (lists over features with 1 to 5 basis columns), and b."""
    rng = np.random.default_rng(seed)
    widths = rng.permutation([1, 2, 3, 5])
    shifts = rng.normal(0, 2, 4)
    return ([rng.normal(s, 1, (n_train, j)) for s, j in zip(shifts, widths, strict=True)], [rng.normal(s + 0.7, 1, (n_new, j)) for s, j in zip(shifts, widths, strict=True)],
            [rng.normal(0, 1, j) for j in widths], float(rng.normal()))

# %% nbgrader={"grade": true, "grade_id": "additive-contributions-sum", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Nothing is lost: intercept and contributions add up to the model's logit, for each patient
known, new, weights, b = additive_model(1)
answer = additive_contributions([part.copy() for part in known], [part.copy() for part in new], [part.copy() for part in weights], b)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: the contributions and the intercept"
parts, intercept = np.asarray(answer[0]), float(answer[1])
assert parts.shape == (6, 4), f"contributions should be (patients, features) = (6, 4), not {parts.shape}: sum over a feature's basis columns"
logit = b + sum(part @ w for part, w in zip(new, weights, strict=True))
raw = np.stack([part @ w for part, w in zip(new, weights, strict=True)], axis=1)
total = intercept + parts.sum(axis=1)
assert not np.allclose(parts, raw), "these are the raw shapes, whose height is arbitrary: take from each its mean over the training patients"
assert not np.isclose(intercept, b), "you return the old intercept: the means that you took from the shapes belong to it, or the sum is off"
assert np.allclose(total, logit), f"intercept and contributions add up to {total.round(2)}, the logits are {logit.round(2)}"
### BEGIN HIDDEN TESTS
for seed in range(5):
    known, new, weights, b = additive_model(seed + 10, 30, 8)
    parts, intercept = additive_contributions([part.copy() for part in known], [part.copy() for part in new], [part.copy() for part in weights], b)
    parts = np.asarray(parts)
    logit = b + sum(part @ w for part, w in zip(new, weights, strict=True))
    means = np.array([(part @ w).mean() for part, w in zip(known, weights, strict=True)])
    raw = np.stack([part @ w for part, w in zip(new, weights, strict=True)], axis=1)
    assert parts.shape == (8, 4) and np.allclose(float(intercept) + parts.sum(axis=1), logit), "in another model the sum is not the logit"
    assert np.allclose(parts, raw - means), "in another model single contributions are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "additive-contributions-centred", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Centred over the training patients: a patient's bars must not depend on who else is explained at the same time
known, new, weights, b = additive_model(2)
parts, intercept = additive_contributions([part.copy() for part in known], [part.copy() for part in known], [part.copy() for part in weights], b)
parts = np.asarray(parts)
assert np.abs(parts.mean(axis=0)).max() < 1e-8, "over the training patients each contribution should have mean 0"
mean_logit = float(np.mean(b + sum(part @ w for part, w in zip(known, weights, strict=True))))
assert np.isclose(float(intercept), mean_logit), f"the intercept should be the mean logit of the training patients, {mean_logit:.3f}, not {float(intercept):.3f}"
together = np.asarray(additive_contributions([part.copy() for part in known], [part.copy() for part in new], [part.copy() for part in weights], b)[0])
alone = np.asarray(additive_contributions([part.copy() for part in known], [part[:1].copy() for part in new], [part.copy() for part in weights], b)[0])
assert np.allclose(together[:1], alone), "a patient alone gets other bars than the same patient among others: centre by the training patients, not by those explained"
### BEGIN HIDDEN TESTS
shifted = [part.copy() for part in weights]
wide = [np.concatenate([part, np.ones((len(part), 1))], axis=1) for part in known]
wide_new = [np.concatenate([part, np.ones((len(part), 1))], axis=1) for part in new]
heights = np.array([3.0, -2.0, 7.0, 0.5])
lifted = [np.append(w, height) for w, height in zip(shifted, heights, strict=True)]
again, base = additive_contributions(wide, wide_new, lifted, b - heights.sum())
assert np.allclose(np.asarray(again), together), "a shape that is lifted as a whole, with the intercept lowered by as much, is the same model: its bars should be the same"
assert np.isclose(float(base), mean_logit), "a lifted shape and a lowered intercept leave the mean logit as it was"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "additive-contributions-refuses", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input is refused: a feature that is missing in one of the lists, a weight of the wrong length
known, new, weights, b = additive_model(3)
parts = np.asarray(additive_contributions([part.copy() for part in known], [part.copy() for part in new], [part.copy() for part in weights], b)[0])
assert parts.shape == (6, 4) and np.allclose(parts.sum(axis=1), sum(part @ w - (old @ w).mean() for part, old, w in zip(new, known, weights, strict=True))), "good input should still work"
short = [part.copy() for part in weights]
short[2] = np.append(short[2], 1.0)
for bad, why in (((known[:3], new, weights), "3 features in training, 4 to explain"), ((known, new, short), "a weight with one entry too many")):
    try:
        additive_contributions(*bad, b)
    except ValueError:
        continue
    raise AssertionError(f"{why}: raise a ValueError")
### BEGIN HIDDEN TESTS
for bad in ((known, new[:2], weights), (known, new, weights[:3]), (known[:2], new[:2], weights)):
    try:
        additive_contributions(*bad, b)
    except ValueError:
        continue
    raise AssertionError("lists of different lengths must raise a ValueError: zip drops the rest without a word")
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** Your additive model for death from pneumonia shows that patients with chest pain die *less*. A colleague wants the term removed, "because it is obviously wrong". What do you do first?
#
# <details><summary>Answer</summary>Ask how it comes about. Chest pain may bring patients to hospital early, or to a ward where they are watched: then the term is right about these data, and wrong as a reason to send somebody home. Whether to remove it depends on the use, and on whether that treatment will still be given once the model
# decides. Mend the data or the target if you can (as with the zeros of cholesterol); if you cut the term, refit, since correlated features will take over its effect.</details>

# %% [markdown]
# ## 9.4 Post-hoc methods
#
# The network is trained, it works, and nobody built it to be understood. A radiologist who gets its "lesion: 0.97" asks one thing first: *where?* A **post-hoc** method answers from outside, without changing the network. It returns an **attribution map**: a number for each pixel, high where the pixel is said to speak for the
# disease. Such maps are in products today, and they always look convincing. That is the danger: a map that lights up in the brain looks right, whether or not the network looked there.
#
# So this section does two things. It builds the methods, and it puts them on trial where the truth is known, because we planted it. Throughout, $x$ is an image, $s(x)$ the network's **score** (the logit of the disease), and $b$ a **baseline**: an image that stands for "nothing to see here".
#
# | Method | The question that it answers | Needs |
# |---|---|---|
# | saliency (Simonyan et al., 2014) | how much does $s$ change if this pixel changes a very little? $\lvert\partial s/\partial x_i\rvert$ | gradient |
# | SmoothGrad (Smilkov et al., 2017) | the same, averaged over noisy copies of $x$ | gradient |
# | Grad-CAM (Selvaraju et al., 2017) | which places of the last layer push $s$ up? | gradient, a layer |
# | integrated gradients (Sundararajan et al., 2017) | how do the pixels share $s(x) - s(b)$ among them? | gradient, a baseline |
# | occlusion (Zeiler and Fergus, 2014) | how much does $s$ drop if this square is hidden? | scores, a fill |
# | LIME (Ribeiro et al., 2016) | which linear model of visible superpixels imitates $s$ near $x$? | scores, superpixels, a fill |
# | SHAP (Lundberg and Lee, 2017) | how do the superpixels share $s(x) - s(b)$ among them, fairly? | scores, superpixels, a fill |
#
# They answer *different questions*. Two right maps need not look alike.
#
# ### A network to explain
#
# Head slices of simulated people, as a T2-weighted MR scan shows them: water is bright, white matter dark. Half of them carry three planted lesions like those of multiple sclerosis, bright spots in the white matter. A small network learns to tell who has lesions; it is told the label only, never the place. The water in and
# around the brain is brighter than any lesion, so "the brightest pixel" is no answer.

# %% tags=["demo"]
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn

HEAD_SPACING = 2.8  # mm a pixel


def head_slices(count: int, first: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Slices (N, 1, 64, 64), about 0 to 1; labels (N,), every other one has lesions; masks (N, 64, 64). Each slice is another person."""
    made = [simulate.brain_slice("t2", size=64, spacing=HEAD_SPACING, height=18 + 2 * (k % 8 // 2), lesions=3 * (k % 2), noise=0.03, seed=first + k) for k in range(count)]
    return torch.tensor(np.stack([m.image for m in made]))[:, None] / 0.6, torch.arange(count) % 2, np.stack([m.lesion for m in made])


head_train, head_train_y, _ = head_slices(run.pick(ci=400, laptop=1200), first=0)
head_val, head_val_y, _ = head_slices(run.pick(ci=80, laptop=120), first=100_000)
head_test, head_test_y, head_masks = head_slices(run.pick(ci=100, laptop=240), first=200_000)
show.row([head_test[k, 0] for k in range(6)], overlay=[ndimage.binary_dilation(head_masks[k], iterations=2) for k in range(6)], titles=["healthy", "lesions"] * 3, window=(0, 1), height=2.2,
         alt="Six axial slices of heads, every other one with three small bright lesions in the white matter, each in a ring")
print(f"{len(head_train)} people to train on, {len(head_val)} to validate, {len(head_test)} to test; "
      f"the lesions of a person cover {head_masks[1::2].mean():.1%} of the slice, {head_masks[1::2].sum((1, 2)).mean():.0f} pixels")

# %% tags=["demo"]
class ExplainedNet(nn.Module):
    """(B, 1, H, W) -> (B,) logits: three convolutions (the map is H/4 by W/4 at the end), mean over all places, a linear layer."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        shapes = ((1, width, 4, 2), (width, 2 * width, 4, 2), (2 * width, 2 * width, 3, 1))  # channels in, out, kernel, stride
        blocks = [[nn.Conv2d(a, b, kernel, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()] for a, b, kernel, stride in shapes]  # an even kernel at stride 2 keeps the map centred
        self.body = nn.Sequential(*sum(blocks, []))
        self.head = nn.Linear(2 * width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3)))[:, 0]


@torch.no_grad()
def disease_logits(net: nn.Module, x: torch.Tensor) -> np.ndarray:
    """Logits (N,) in batches."""
    return torch.cat([net.eval()(part.to(device)).cpu() for part in x.split(256)]).numpy()


def train_explained(seed: int, x: torch.Tensor, y: torch.Tensor, val: tuple, epochs: int) -> ExplainedNet:
    """A network trained on one draw of weights and batches; the epoch is chosen on validation, by cross-entropy: an AUC of 1 comes long before the probabilities are right."""
    torch.manual_seed(seed)
    net = ExplainedNet()
    pairs = torch.utils.data.TensorDataset(x, y.float())
    loader = torch.utils.data.DataLoader(pairs, 32, shuffle=True, generator=torch.Generator().manual_seed(seed))

    def fits(trained: nn.Module) -> float:
        return -float(F.binary_cross_entropy_with_logits(torch.tensor(disease_logits(trained, val[0])), val[1].float()))

    train.fit(net, loader, F.binary_cross_entropy_with_logits, fits, epochs, 1e-2, device)
    return net

# %% tags=["demo"]
head_nets = [train_explained(s, head_train, head_train_y, (head_val, head_val_y), run.pick(ci=10, laptop=12)) for s in range(3)]
head_aucs = np.array([roc_auc_score(head_test_y, disease_logits(net, head_test)) for net in head_nets])
brightest_auc = roc_auc_score(head_test_y, head_test.amax((1, 2, 3)))
mean_auc = roc_auc_score(head_test_y, head_test.mean((1, 2, 3)))
print("test AUC of three networks:", np.round(head_aucs, 3), f"; of the brightest pixel: {brightest_auc:.3f}; of the mean: {mean_auc:.3f}")
assert head_aucs.min() > run.pick(ci=0.85, laptop=0.95) > 0.8 > max(brightest_auc, mean_auc), "a network that did not learn has nothing to explain"

# %% [markdown]
# ### Seven methods side by side
#
# The code below is captum, PyTorch's library for attribution. Four choices are ours, and they matter more than their place in the code suggests:
#
# - **The baseline** $b$ is the same slice, blurred until no lesion is left. Black is the usual default. But a black square on a brain is itself something that no network has seen, and with a black baseline every bright pixel gets a share, lesion or not. We show integrated gradients with both.
# - **Occlusion** hides squares of 8 pixels (22 mm), each 4 pixels from the next.
# - **LIME and SHAP** hide superpixels, about 40 a slice. Both only *estimate*, from some hundred random selections of visible superpixels.
# - **The layer** of Grad-CAM is the last convolution. Its map is 16 by 16, blown up to 64 by 64.
#
# Beside them stand three **trivial maps that never look at the network**: the brightness itself, its edges (Sobel filter), and brightness minus its blurred copy. A method that explains the *network* should beat a filter of the *image*.
#
# **Predict before you run.** Which of the maps will point at a lesion most often, and will any of them beat "brighter than its surroundings"? Which method's map will be the finest, and is the finest the most right? Write your order down.

# %% tags=["demo"]
from captum import attr
from skimage.filters import sobel
from skimage.segmentation import slic
from torchvision.transforms.functional import gaussian_blur


def blurred(x: torch.Tensor) -> torch.Tensor:
    """The baseline: so smooth that no lesion is left."""
    return gaussian_blur(x, kernel_size=2 * (3 * x.shape[-1] // 16) + 1, sigma=x.shape[-1] / 16)


def gradient_maps(net: nn.Module, x: torch.Tensor, fill: torch.Tensor) -> dict[str, torch.Tensor]:
    """The methods that need gradients: name -> (N, 1, H, W)."""
    torch.manual_seed(0)  # SmoothGrad draws noise
    x = x.clone().requires_grad_(True)
    integrated = attr.IntegratedGradients(net)
    return {
        "saliency": attr.Saliency(net).attribute(x),
        "SmoothGrad": attr.NoiseTunnel(attr.Saliency(net)).attribute(x, nt_type="smoothgrad", nt_samples=12, nt_samples_batch_size=4, stdevs=0.1),
        "Grad-CAM": F.interpolate(attr.LayerGradCam(net, net.body).attribute(x, relu_attributions=True), x.shape[2:], mode="bilinear", align_corners=False),
        "IG, baseline b": integrated.attribute(x, fill, n_steps=24, internal_batch_size=256),
        "IG, black baseline": integrated.attribute(x, torch.zeros_like(x), n_steps=24, internal_batch_size=256),
    }


def asking_maps(net: nn.Module, x: torch.Tensor, fill: torch.Tensor, samples: int, square: int) -> dict[str, torch.Tensor]:
    """The methods that only ask for scores: name -> (N, 1, H, W)."""
    torch.manual_seed(0)
    maps = {"occlusion": attr.Occlusion(net).attribute(x, (1, square, square), strides=(1, square // 2, square // 2), baselines=fill, perturbations_per_eval=16), "LIME": [], "SHAP": []}
    for one, under in zip(x.split(1), fill.split(1), strict=True):
        parts = torch.tensor(slic(one[0, 0].cpu().numpy(), n_segments=45, compactness=0.1, channel_axis=None, start_label=0))[None, None].to(one.device)
        for name, method in (("LIME", attr.Lime(net)), ("SHAP", attr.KernelShap(net))):
            maps[name].append(method.attribute(one, under, feature_mask=parts, n_samples=samples, perturbations_per_eval=samples))
    return {name: torch.cat(m) if isinstance(m, list) else m for name, m in maps.items()}

# %% tags=["demo"]
def trivial_maps(x: torch.Tensor, fill: torch.Tensor) -> dict[str, torch.Tensor]:
    """Maps that never ask the network."""
    return {"brightness": x, "edges": torch.tensor(np.stack([sobel(one) for one in x[:, 0].cpu().numpy()]))[:, None], "brighter than around": x - fill}


def all_maps(net: nn.Module, x: torch.Tensor, samples: int, square: int, fill: torch.Tensor | None = None) -> dict[str, np.ndarray]:
    """Method -> maps (N, H, W); the baseline b is `fill`, or the blurred image."""
    x = x.to(device)
    fill = blurred(x) if fill is None else fill.to(device)
    with torch.no_grad():
        trivial, asked = trivial_maps(x, blurred(x)), asking_maps(net, x, fill, samples, square)
    return {name: m.detach().cpu().numpy()[:, 0] for name, m in {**gradient_maps(net, x, fill), **asked, **trivial}.items()}

# %% tags=["demo"]
ill = torch.nonzero(head_test_y == 1)[: run.pick(ci=16, laptop=50), 0]
ill_slices, ill_masks = head_test[ill], head_masks[ill.numpy()]
head_maps = [all_maps(net, ill_slices, run.pick(ci=80, laptop=200), square=8) for net in head_nets]
METHODS = list(head_maps[0])

ring = ndimage.binary_dilation(ill_masks[0], iterations=2)  # two pixels outside of the lesions, so that it hides none
fig, axes = plt.subplots(2, 6, figsize=(11, 4), layout="constrained")
for ax, name in zip(axes.flat, ["the slice", *METHODS], strict=True):
    heat = ill_slices[0, 0].numpy() if name == "the slice" else head_maps[0][name][0]
    ax.imshow(heat, cmap="gray" if name == "the slice" else show.SEQUENTIAL, vmin=0, vmax=np.quantile(heat, 0.998))
    show.outline(ax, ring, "white" if name != "the slice" else show.PALETTE[1])
    ax.set_title(name, fontsize=9)
    ax.set_axis_off()
show.figure(fig, alt="One head slice with three lesions in rings, and eleven maps of it: saliency, SmoothGrad, Grad-CAM, integrated gradients twice, occlusion, LIME, SHAP, and three maps that never ask the network")

# %% [markdown]
# All are scaled to look their best, as in a paper. Saliency is speckled: the gradient of a network with ReLUs and strides jumps from pixel to pixel. Grad-CAM and occlusion are blobs, as coarse as their layer and their square. With the black baseline, the whole head takes a share; with the blurred one, only what is brighter or darker than its
# surroundings can have any. LIME and SHAP are as sharp as their superpixels, which follow edges that *slic* found, not the network. None of this tells you which map is right. We come to that.
#
# ### Grad-CAM: one weight a channel
#
# A late layer has few places and many channels; each channel stands for something, such as "small bright blob". The gradient of the score with respect to a channel, averaged over all places, tells how much the class wants that thing: $\alpha_k$. The map is the weighted sum of the channels, cut at zero. If the head is only a mean and a linear layer, as in
# ours, $\alpha_k$ is the linear weight divided by the number of places, and Grad-CAM is the older CAM (Zhou et al., CVPR 2016).

# %% [markdown]
# ### Exercise 9.4a - Grad-CAM
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can make a class map from any layer of any convolutional network*
#
# Write `grad_cam(activations, logits, target)`. You get the activations $A_k$ of a layer for one film, shape `(K, h, w)`, and the logits that the network computed *from them*, so autograd can differentiate the one with respect to the other. Return
#
# $$L = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big), \qquad \alpha_k = \frac{1}{hw}\sum_{i,j} \frac{\partial s_c}{\partial A_{k,i,j}},$$
#
# with $s_c$ the **logit** of class `target`. Don't scale the map: a reader who compares two films wants the same scale on both.
#
# <details><summary>Hint 1: the idea</summary>One weight a channel: the mean of its gradient over all places. Then a weighted sum of the channels, and only what speaks <em>for</em> the class stays.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.autograd.grad(logits[target], activations)[0]</code> is the gradient, of shape <code>(K, h, w)</code>. <code>torch.einsum("k,khw->hw", ...)</code> or a product with <code>[:, None, None]</code> sums.</details>
# <details><summary>My maps of two classes look alike</summary>Is the gradient that of one logit? Softmax mixes all classes: its gradient for a class shrinks when the network is sure, and holds what speaks against the others.</details>
# <details><summary>My map is dotted</summary>You may have multiplied each activation by its own gradient. Grad-CAM averages the gradient over the places first.</details>

# %% nbgrader={"grade": false, "grade_id": "grad-cam", "locked": false, "schema_version": 3, "solution": true, "task": false}
def grad_cam(activations: torch.Tensor, logits: torch.Tensor, target: int) -> torch.Tensor:
    """Class map of one film from one layer (Selvaraju et al., ICCV 2017).

    Args:
        activations: (K, h, w) activations of the layer; they require a gradient.
        logits: (C,) logits, computed from `activations`; before any softmax.
        target: the class that the map is for, 0 to C - 1.

    Returns:
        (h, w), not negative, not scaled, detached from the graph.

    Raises:
        ValueError: `target` is not a class of `logits`.
    """
    ### BEGIN SOLUTION
    if not 0 <= target < len(logits):
        raise ValueError(f"there are {len(logits)} classes, and no class {target}")
    gradient = torch.autograd.grad(logits[target], activations)[0]
    weights = gradient.mean((1, 2))
    return torch.relu(torch.einsum("k,khw->hw", weights, activations)).detach()
    ### END SOLUTION

# %% tags=["given"]
def cam_on_toy_head(activations: np.ndarray, dense: np.ndarray, out: np.ndarray, target: int) -> np.ndarray:
    """Your grad_cam on a small head: logits = out @ tanh(dense @ activations.flatten())."""
    a = torch.tensor(np.asarray(activations, dtype=float)).requires_grad_(True)
    logits = torch.tensor(out) @ torch.tanh(torch.tensor(dense) @ a.flatten())
    heat = grad_cam(a, logits, target)
    return np.zeros(0) if heat is None else torch.as_tensor(heat).detach().numpy()

# %% nbgrader={"grade": true, "grade_id": "grad-cam-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value where all gradients help: weights are means over the places, one a channel
rng = np.random.default_rng(1)
acts, dense, out = rng.uniform(0, 1, (3, 4, 5)), rng.uniform(0, 0.05, (6, 60)), rng.uniform(0.5, 1, (2, 6))
hidden = np.tanh(dense @ acts.reshape(-1))
slope = ((out[1] * (1 - hidden**2)) @ dense).reshape(3, 4, 5)
truth = np.tensordot(slope.mean((1, 2)), acts, 1)
got = np.asarray(cam_on_toy_head(acts, dense, out, 1))
assert got.size, "nothing came back: end the function with return"
assert got.shape == (4, 5), f"the map should have the layer's size (4, 5), not {got.shape}"
assert not np.allclose(got, (slope * acts).sum(0)), "you multiply each activation by its own gradient: average the gradient over the places first, one weight a channel"
assert not np.allclose(got, 20 * truth), "your weights are sums of the gradient over the places: take the mean"
assert not np.allclose(got, truth / truth.max()), "don't scale the map to 0..1: films could no longer be compared"
assert np.allclose(got, truth, atol=1e-6), "the map is off: weight each channel by the mean of its gradient, and add the channels up"
### BEGIN HIDDEN TESTS
for seed in range(4):
    rng = np.random.default_rng(seed + 10)
    k, h, w = rng.integers(2, 6, 3)
    acts, dense, out = rng.uniform(0, 1, (k, h, w)), rng.uniform(0, 0.05, (6, k * h * w)), rng.uniform(0.5, 1, (3, 6))
    slope = ((out[2] * (1 - np.tanh(dense @ acts.reshape(-1)) ** 2)) @ dense).reshape(k, h, w)
    got = np.asarray(cam_on_toy_head(acts, dense, out, 2))
    assert got.shape == (h, w) and np.allclose(got, np.tensordot(slope.mean((1, 2)), acts, 1), atol=1e-6), "on another layer the map is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "grad-cam-relu", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What speaks against the class is cut off, after the sum over the channels and not before
rng = np.random.default_rng(2)
acts, dense, out = rng.normal(size=(4, 5, 5)), rng.normal(0, 0.1, (8, 100)), rng.normal(size=(3, 8))
slope = ((out[0] * (1 - np.tanh(dense @ acts.reshape(-1)) ** 2)) @ dense).reshape(4, 5, 5)
raw = np.tensordot(slope.mean((1, 2)), acts, 1)
got = np.asarray(cam_on_toy_head(acts, dense, out, 0))
assert not np.allclose(got, raw), "the map is negative where the film speaks against the class: the ReLU is missing"
assert not np.allclose(got, np.abs(raw)), "you take the absolute value: what speaks against the class then lights up as if it spoke for it. Use a ReLU"
assert not np.allclose(got, np.maximum(slope.mean((1, 2))[:, None, None] * acts, 0).sum(0)), "the ReLU comes after the sum over the channels, not before"
assert np.allclose(got, np.maximum(raw, 0), atol=1e-6), "with gradients of both signs the map is off: ReLU of the weighted sum"
### BEGIN HIDDEN TESTS
for seed in range(4):
    rng = np.random.default_rng(seed + 20)
    acts, dense, out = rng.normal(size=(5, 3, 6)), rng.normal(0, 0.1, (8, 90)), rng.normal(size=(2, 8))
    slope = ((out[1] * (1 - np.tanh(dense @ acts.reshape(-1)) ** 2)) @ dense).reshape(5, 3, 6)
    got = np.asarray(cam_on_toy_head(acts, dense, out, 1))
    assert np.allclose(got, np.maximum(np.tensordot(slope.mean((1, 2)), acts, 1), 0), atol=1e-6), "on another film with gradients of both signs the map is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "grad-cam-class", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The gradient of one logit: not of its probability, not of another class
rng = np.random.default_rng(3)
acts, dense, out = rng.normal(size=(4, 5, 5)), rng.normal(0, 0.1, (8, 100)), rng.normal(size=(3, 8))
hidden = np.tanh(dense @ acts.reshape(-1))
slopes = ((out * (1 - hidden**2)) @ dense).reshape(3, 4, 5, 5)  # of each logit
maps = np.maximum(np.einsum("ck,khw->chw", slopes.mean((2, 3)), acts), 0)
p = np.exp(out @ hidden) / np.exp(out @ hidden).sum()
for c in range(3):
    got = np.asarray(cam_on_toy_head(acts, dense, out, c))
    soft = p[c] * (slopes[c] - np.tensordot(p, slopes, 1))
    assert not np.allclose(got, np.maximum(np.tensordot(soft.mean((1, 2)), acts, 1), 0)), "you differentiate the softmax probability: take the logit of the class"
    assert not np.allclose(got, np.maximum(np.tensordot(slopes.sum(0).mean((1, 2)), acts, 1), 0)), "you differentiate the sum of all logits: take the one of class `target`"
    assert not any(d != c and np.allclose(got, maps[d]) for d in range(3)), f"asked for class {c}, you explain another one: `target` decides, not the largest logit"
    assert np.allclose(got, maps[c], atol=1e-6), f"the map of class {c} is off"
### BEGIN HIDDEN TESTS
for bad in (3, -1):
    assert np.allclose(np.asarray(cam_on_toy_head(acts, dense, out, 2)), maps[2], atol=1e-6), "class 2 should still work"
    try:
        cam_on_toy_head(acts, dense, out, bad)
    except ValueError:
        continue
    raise AssertionError(f"there is no class {bad} among three: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Integrated gradients: shares that add up
#
# A gradient says what happens *next to* $x$. If the network is already sure, its score may be flat there, and the gradient says "nothing matters". Integrated gradients walk from the baseline to the image, and add up what each pixel contributes on the way:
#
# $$\mathrm{IG}_i = (x_i - b_i) \int_0^1 \frac{\partial s}{\partial x_i}\big(b + \alpha (x - b)\big)\, d\alpha .$$
#
# By the fundamental theorem of calculus, the shares are **complete**: $\sum_i \mathrm{IG}_i = s(x) - s(b)$. That can be checked on every patient, and the error of the sum tells whether $m$ steps are enough. It does *not* tell whether the baseline was a good one.
#
# **Predict before you run.** How many steps make the sum right to 1 %: two, ten, or a hundred? And what happens to the map of the first slice if you replace the blurred baseline by black?

# %% tags=["demo"]
step_counts = (2, 4, 8, 16, 32, 64, 128)
probe_slices = ill_slices[:12].to(device)
span = disease_logits(head_nets[0], probe_slices) - disease_logits(head_nets[0], blurred(probe_slices))
complete = {}
for m in step_counts:
    shares = attr.IntegratedGradients(head_nets[0]).attribute(probe_slices, blurred(probe_slices), n_steps=m, method="riemann_middle", internal_batch_size=256)
    complete[m] = np.abs(shares.sum((1, 2, 3)).cpu().numpy() - span) / np.abs(span)
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(step_counts, [np.median(complete[m]) for m in step_counts], "o-", color=show.PALETTE[0], label="median patient")
ax.plot(step_counts, [complete[m].max() for m in step_counts], "s--", color=show.PALETTE[3], label="worst patient")
ax.axhline(0.01, color="black", linestyle=":", label="1 %")
ax.set(xscale="log", yscale="log", xlabel="steps m", ylabel="|sum of shares - (s(x) - s(b))|\nover |s(x) - s(b)|")
ax.set_xticks(step_counts, step_counts)
ax.minorticks_off()
ax.legend(fontsize=9)
show.figure(fig, alt="Relative error of completeness over the number of steps, both axes logarithmic: it falls with more steps, for the median and for the worst of twelve patients")
print("relative error, worst of 12 patients: " + ", ".join(f"{m} steps {complete[m].max():.1%}" for m in step_counts))
assert np.median(complete[128]) < 0.02 and np.median(complete[128]) < np.median(complete[2]), "with 128 steps the shares should add up"

# %% tags=["demo"]
def compare_choices(baseline: str, steps: int, square: int) -> plt.Figure:
    """Integrated gradients and occlusion of one slice, as their choices change."""
    one = ill_slices[:1].to(device)
    under = {"blurred": blurred(one), "black": torch.zeros_like(one), "mean of the slice": torch.full_like(one, float(one.mean()))}[baseline]
    shares = attr.IntegratedGradients(head_nets[0]).attribute(one, under, n_steps=steps, method="riemann_middle")[0, 0].cpu().numpy()
    drops = attr.Occlusion(head_nets[0]).attribute(one, (1, square, square), strides=(1, square // 2, square // 2), baselines=under)[0, 0].detach().cpu().numpy()
    fig, axes = plt.subplots(1, 3, figsize=(9, 3.1), layout="constrained")
    for ax, heat, title in zip(axes, (one[0, 0].cpu().numpy(), shares, drops), ("slice", f"IG, {steps} steps, {baseline}", f"occlusion, {square} pixels, {baseline}"), strict=True):
        top = np.quantile(np.abs(heat), 0.998)
        ax.imshow(heat, cmap="gray" if title == "slice" else "PuOr_r", vmin=0 if title == "slice" else -top, vmax=top)
        if title.startswith("IG"):  # the sign without colour: a minus on single pixels that speak against lesions, a dashed edge round squares that do
            ax.plot(*np.argwhere(heat < -top / 4).T[::-1], "_", color="white", markersize=3)
        elif title.startswith("occlusion") and (heat < -top / 8).any():
            ax.contour(heat < -top / 8, levels=[0.5], colors="black", linestyles="dashed", linewidths=0.9)
        show.outline(ax, ring, show.PALETTE[1])
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    return fig


show.explore(compare_choices, alt="A head slice with its lesions in rings, its integrated gradients, and its occlusion map; orange speaks for lesions, purple with a minus or a dashed edge against",
             baseline=["blurred", "black", "mean of the slice"], steps=[32, 2, 4, 128], square=[8, 4, 16])

# %% [markdown]
# ### Exercise 9.4b - integrated gradients
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can share a score out among pixels so that the shares add up*
#
# Write `integrated_gradients(score, x, baseline, steps)`. The integral is taken by the midpoint rule: $\alpha_k = (k + \tfrac12)/m$ for $k = 0, \dots, m-1$,
#
# $$\mathrm{IG}_i = (x_i - b_i)\; \frac1m \sum_{k=0}^{m-1} \frac{\partial s}{\partial x_i}\Big(b + \alpha_k (x - b)\Big).$$
#
# <details><summary>Hint 1: the idea</summary>Make all $m$ images of the path as one batch. As each image's score depends on that image alone, the gradient of the <em>sum</em> of the scores holds all gradients at once.</details>
# <details><summary>Hint 2: what to call</summary><code>path = (baseline + alpha[:, None, None] * (x - baseline)).requires_grad_(True)</code>, then <code>torch.autograd.grad(score(path).sum(), path)[0]</code>.</details>
# <details><summary>My attributions don't add up to s(x) - s(b)</summary>Too few steps, or the factor (x - b) is missing, or the path does not begin at the baseline. Try a linear score: there one step is exact.</details>

# %% nbgrader={"grade": false, "grade_id": "integrated-gradients", "locked": false, "schema_version": 3, "solution": true, "task": false}
def integrated_gradients(score, x: torch.Tensor, baseline: torch.Tensor, steps: int) -> torch.Tensor:
    """Integrated gradients of one image (Sundararajan, Taly, Yan, ICML 2017), by the midpoint rule.

    Args:
        score: function from images (B, H, W) to scores (B,).
        x: (H, W) the image.
        baseline: (H, W) the image in which there is nothing to see.
        steps: number of midpoints, at least 1.

    Returns:
        (H, W) attributions with their signs, detached from the graph.

    Raises:
        ValueError: x and baseline differ in shape, or steps is smaller than 1.
    """
    ### BEGIN SOLUTION
    if x.shape != baseline.shape:
        raise ValueError(f"image {tuple(x.shape)} and baseline {tuple(baseline.shape)} differ in shape")
    if steps < 1:
        raise ValueError("at least one step is needed")
    alpha = (torch.arange(steps, dtype=x.dtype) + 0.5) / steps
    path = (baseline + alpha[:, None, None] * (x - baseline)).detach().requires_grad_(True)
    gradient = torch.autograd.grad(score(path).sum(), path)[0]
    return (x - baseline) * gradient.mean(0)
    ### END SOLUTION

# %% tags=["given"]
def ig_on_toy_score(weights: tuple, x: np.ndarray, baseline: np.ndarray, steps: int) -> np.ndarray:
    """Your integrated_gradients of the score v . tanh(w x + c) + q x_first x_last, on images (H, W)."""
    w, c, v, q = (torch.tensor(np.asarray(part, dtype=float)) for part in weights)

    def score(images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(1)
        return torch.tanh(flat @ w.T + c) @ v + q * flat[:, 0] * flat[:, -1]

    shares = integrated_gradients(score, torch.tensor(np.asarray(x, dtype=float)), torch.tensor(np.asarray(baseline, dtype=float)), steps)
    return np.zeros(0) if shares is None else torch.as_tensor(shares).detach().numpy()

# %% nbgrader={"grade": true, "grade_id": "integrated-gradients-linear", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A linear score: the share of a pixel is weight times (x - baseline), with any number of steps
rng = np.random.default_rng(1)
x, b = rng.uniform(1, 2, (3, 4)), rng.uniform(0, 1, (3, 4))
slope = rng.normal(size=12) * 1e-4  # so small that tanh is a straight line
linear = (slope[None], np.zeros(1), np.array([1e4]), np.array(0.0))
truth = 1e4 * slope.reshape(3, 4) * (x - b)
for m in (1, 7):
    got = np.asarray(ig_on_toy_score(linear, x, b, m))
    assert got.size, "nothing came back: end the function with return"
    assert got.shape == (3, 4), f"one share for each pixel: (3, 4), not {got.shape}"
    assert not np.allclose(got, 1e4 * slope.reshape(3, 4), atol=1e-4), "that is the mean gradient: multiply it by (x - baseline)"
    assert not np.allclose(got, 1e4 * slope.reshape(3, 4) * x, atol=1e-4), "you multiply by x: the baseline is ignored. Multiply by (x - baseline)"
    assert m == 1 or not np.allclose(got, m * truth, atol=1e-4), "your shares grow with the number of steps: take the mean of the gradients, not their sum"
    assert not np.allclose(got, np.abs(truth), atol=1e-4), "shares have signs: some pixels speak against the class"
    assert np.allclose(got, truth, atol=1e-4), "on a linear score the share of a pixel is its weight times (x - baseline)"
### BEGIN HIDDEN TESTS
for seed in range(3):
    rng = np.random.default_rng(seed + 5)
    x, b, slope = rng.normal(size=(4, 2)), rng.normal(size=(4, 2)), rng.normal(size=8) * 1e-4
    got = np.asarray(ig_on_toy_score((slope[None], np.zeros(1), np.array([1e4]), np.array(0.0)), x, b, seed + 1))
    assert got.shape == (4, 2) and np.allclose(got, 1e4 * slope.reshape(4, 2) * (x - b), atol=1e-4), "another linear score: weight times (x - baseline)"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "integrated-gradients-path", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A curved score, few steps: gradients at the midpoints of the straight path from the baseline to the image
rng = np.random.default_rng(2)
w, c, v, q = rng.normal(size=(5, 12)), rng.normal(size=5), rng.normal(size=5), np.array(0.7)
x, b = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))


def slopes_at(z: np.ndarray) -> np.ndarray:
    z = z.reshape(-1)
    g = (v * (1 - np.tanh(w @ z + c) ** 2)) @ w
    g[0] += q * z[-1]
    g[-1] += q * z[0]
    return g.reshape(3, 4)


for m in (4, 1):
    got = np.asarray(ig_on_toy_score((w, c, v, q), x, b, m))
    mid = (x - b) * np.mean([slopes_at(b + (k + 0.5) / m * (x - b)) for k in range(m)], axis=0)
    zero = (x - b) * np.mean([slopes_at((k + 0.5) / m * x) for k in range(m)], axis=0)
    right = (x - b) * np.mean([slopes_at(b + (k + 1) / m * (x - b)) for k in range(m)], axis=0)
    assert not np.allclose(got, zero), "your path begins at the black image: begin at the baseline"
    assert not np.allclose(got, (x - b) * slopes_at(x)), "that is the gradient at the image itself, times (x - baseline): one look, no integral. Go along the path"
    assert not np.allclose(got, right), "you look at the right ends of the steps: take their midpoints, (k + 1/2) / m"
    assert np.allclose(got, mid, atol=1e-6), f"with {m} steps the shares are off: gradients at baseline + alpha (x - baseline), alpha = (k + 1/2) / m"
### BEGIN HIDDEN TESTS
for seed in range(3):
    rng = np.random.default_rng(seed + 30)
    w, c, v, q = rng.normal(size=(5, 12)), rng.normal(size=5), rng.normal(size=5), np.array(-0.4)
    x, b, m = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), seed + 2
    mid = (x - b) * np.mean([slopes_at(b + (k + 0.5) / m * (x - b)) for k in range(m)], axis=0)
    assert np.allclose(np.asarray(ig_on_toy_score((w, c, v, q), x, b, m)), mid, atol=1e-6), "on another curved score the shares are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "integrated-gradients-complete", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Completeness: with enough steps the shares add up to s(x) - s(baseline), and a pixel without influence gets nothing
rng = np.random.default_rng(4)
w, c, v, q = rng.normal(size=(6, 16)), rng.normal(size=6), rng.normal(size=6), np.array(0.5)
w[:, 5] = 0  # pixel (1, 1) does nothing
x, b = rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
whole = np.tanh(w @ x.reshape(-1) + c) @ v + q * x[0, 0] * x[-1, -1] - np.tanh(w @ b.reshape(-1) + c) @ v - q * b[0, 0] * b[-1, -1]
got = np.asarray(ig_on_toy_score((w, c, v, q), x, b, 300))
assert np.isclose(got.sum(), whole, atol=2e-3), f"with 300 steps the shares should add up to s(x) - s(b) = {whole:.4f}, yours to {got.sum():.4f}"
assert got[1, 1] == 0, "a pixel that does not change the score should get no share"
### BEGIN HIDDEN TESTS
for seed in range(3):
    rng = np.random.default_rng(seed + 40)
    w, c, v, q, b = rng.normal(size=(6, 16)), rng.normal(size=6), rng.normal(size=6), np.array(1.5), rng.normal(size=(4, 4))
    whole = np.tanh(w @ x.reshape(-1) + c) @ v + q * x[0, 0] * x[-1, -1] - np.tanh(w @ b.reshape(-1) + c) @ v - q * b[0, 0] * b[-1, -1]
    assert np.isclose(np.asarray(ig_on_toy_score((w, c, v, q), x, b, 300)).sum(), whole, atol=2e-3), "with another baseline the shares don't add up"
same = np.asarray(ig_on_toy_score((w, c, v, q), x, x, 5))
assert same.shape == (4, 4) and np.allclose(same, 0), "an image that is its own baseline has nothing to share out: all 0"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "integrated-gradients-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A baseline of another size would be spread over the film without a word
rng = np.random.default_rng(6)
w, c, v, q = rng.normal(size=(2, 6)), np.zeros(2), rng.normal(size=2), np.array(0.0)
x, b = rng.normal(size=(2, 3)), np.zeros((2, 3))
for other, m in ((np.zeros((1, 3)), 4), (b, 0)):
    good = np.asarray(ig_on_toy_score((w, c, v, q), x, b, 300))
    assert np.isclose(good.sum(), np.tanh(w @ x.reshape(-1)) @ v, atol=2e-3), "a good call should still work"
    try:
        ig_on_toy_score((w, c, v, q), x, other, m)
    except ValueError:
        continue
    raise AssertionError(f"image (2, 3), baseline {other.shape}, {m} steps: raise a ValueError")
### BEGIN HIDDEN TESTS
try:
    ig_on_toy_score((w, c, v, q), x, np.zeros((3, 2)), 4)
except ValueError:
    pass
else:
    raise AssertionError("image (2, 3) and baseline (3, 2): raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Occlusion: hide it and ask again
#
# The bluntest method needs no gradient and no access to the network: cover a square, and see how the score drops. It is the one that every reader understands. Its weak points are the size of the square (small ones leave half a lesion, large ones hide the neighbours, too) and the fill: a grey or black square may look like a lesion, or like air.
# And if two lesions each suffice, hiding one changes nothing: both come out as unimportant.

# %% [markdown]
# ### Exercise 9.4c - occlusion
#
# Difficulty 2 of 5 - 4 points - about 15 minutes - *after it you can explain a model of which you may only ask the score*
#
# Write `occlusion_map(score, image, size, stride, fill)`. Slide a square of `size` pixels over the image, by `stride` pixels each time, and fill it with the value `fill`. The **drop** of a position is $s(\text{image}) - s(\text{occluded image})$: positive where the square hid
# something that speaks for the disease. Where squares overlap, a pixel gets the **mean** drop of the squares that cover it.
#
# <details><summary>Hint 1: the idea</summary>Two arrays of the image's size: the sum of drops and the number of squares for each pixel. Divide at the end.</details>
# <details><summary>Hint 2: what to call</summary><code>range(0, height - size + 1, stride)</code> gives the upper edges; <code>image.clone()</code> before you paint into it; <code>torch.no_grad()</code>, for no gradient is needed.</details>
# <details><summary>Pixels in the middle are larger than at the border</summary>More squares cover them. You add up the drops: take the mean.</details>

# %% nbgrader={"grade": false, "grade_id": "occlusion", "locked": false, "schema_version": 3, "solution": true, "task": false}
def occlusion_map(score, image: torch.Tensor, size: int, stride: int, fill: float) -> torch.Tensor:
    """Mean drop of the score when a square hides a pixel (Zeiler and Fergus, ECCV 2014).

    Args:
        score: function from images (B, H, W) to scores (B,).
        image: (H, W), not changed.
        size: edge of the square, pixels, 1 to min(H, W).
        stride: pixels from one position to the next, 1 to `size`.
        fill: value inside the square.

    Returns:
        (H, W) mean drop.

    Raises:
        ValueError: `size` or `stride` is out of its range, or H - size or W - size is not a multiple of `stride`: a strip at the border would never be tested.
    """
    ### BEGIN SOLUTION
    height, width = image.shape
    if not 1 <= size <= min(height, width) or not 1 <= stride <= size:
        raise ValueError("size must lie between 1 and the image's edge, stride between 1 and size")
    if (height - size) % stride or (width - size) % stride:
        raise ValueError("the squares don't reach the border: H - size and W - size must be multiples of stride")
    total, count = torch.zeros_like(image), torch.zeros_like(image)
    with torch.no_grad():
        whole = score(image[None])[0]
        for top in range(0, height - size + 1, stride):
            for left in range(0, width - size + 1, stride):
                hidden = image.clone()
                hidden[top : top + size, left : left + size] = fill
                total[top : top + size, left : left + size] += whole - score(hidden[None])[0]
                count[top : top + size, left : left + size] += 1
    return total / count
    ### END SOLUTION

# %% tags=["given"]
def occlusion_of_toy_score(weights: tuple, image: np.ndarray, size: int, stride: int, fill: float) -> tuple:
    """Your occlusion_map of the score v . tanh(w x + c), and the image after the call."""
    w, c, v = (torch.tensor(np.asarray(part, dtype=float)) for part in weights)
    shown_to_you = torch.tensor(np.asarray(image, dtype=float))
    drops = occlusion_map(lambda images: torch.tanh(images.flatten(1) @ w.T + c) @ v, shown_to_you, size, stride, fill)
    return np.zeros(0) if drops is None else torch.as_tensor(drops).detach().numpy(), shown_to_you.numpy()

# %% nbgrader={"grade": true, "grade_id": "occlusion-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Squares side by side: each pixel has the drop of its own square
rng = np.random.default_rng(1)
w, c, v, film = rng.normal(0, 0.3, (4, 24)), rng.normal(size=4), rng.normal(size=4), rng.uniform(1, 2, (4, 6))
truth, black = np.zeros((4, 6)), np.zeros((4, 6))
for top in (0, 2):
    for left in (0, 2, 4):
        for heat, fill in ((truth, 0.5), (black, 0.0)):
            covered = film.copy()
            covered[top : top + 2, left : left + 2] = fill
            heat[top : top + 2, left : left + 2] = (np.tanh(w @ film.reshape(-1) + c) - np.tanh(w @ covered.reshape(-1) + c)) @ v
got = np.asarray(occlusion_of_toy_score((w, c, v), film, 2, 2, 0.5)[0])
assert got.size, "nothing came back: end the function with return"
assert got.shape == (4, 6), f"the map should have the image's size (4, 6), not {got.shape}"
assert not np.allclose(got, -truth), "the sign is turned: the drop is score before minus score after"
assert not np.allclose(got, black), "you fill the square with 0, though `fill` is 0.5"
assert not np.allclose(got, np.abs(truth)), "keep the sign of the drop: hiding something may raise the score"
assert np.allclose(got, truth, atol=1e-6), "each pixel should hold the drop of the square that covers it"
### BEGIN HIDDEN TESTS
for seed in range(3):
    rng = np.random.default_rng(seed + 10)
    w, c, v, film = rng.normal(0, 0.3, (4, 24)), rng.normal(size=4), rng.normal(size=4), rng.normal(size=(6, 4))
    truth = np.zeros((6, 4))
    for spot in np.ndindex(6, 4):
        covered = film.copy()
        covered[spot] = -0.3
        truth[spot] = (np.tanh(w @ film.reshape(-1) + c) - np.tanh(w @ covered.reshape(-1) + c)) @ v
    assert np.allclose(np.asarray(occlusion_of_toy_score((w, c, v), film, 1, 1, -0.3)[0]), truth, atol=1e-6), "with squares of one pixel the drops are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "occlusion-overlap", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Squares that overlap: the mean drop of all that cover a pixel
rng = np.random.default_rng(2)
w, c, v, film = rng.normal(0, 0.3, (4, 35)), rng.normal(size=4), rng.normal(size=4), rng.normal(size=(5, 7))
total, count, last = np.zeros((5, 7)), np.zeros((5, 7)), np.zeros((5, 7))
for top in (0, 2):
    for left in (0, 2, 4):
        spot = np.s_[top : top + 3, left : left + 3]
        covered = film.copy()
        covered[spot] = 0.1
        drop = (np.tanh(w @ film.reshape(-1) + c) - np.tanh(w @ covered.reshape(-1) + c)) @ v
        total[spot] += drop
        count[spot] += 1
        last[spot] = drop
got = np.asarray(occlusion_of_toy_score((w, c, v), film, 3, 2, 0.1)[0])
assert not np.allclose(got, total), "you add up the drops: pixels in the middle are covered more often. Take the mean"
assert not np.allclose(got, last), "a later square overwrites the earlier one: take the mean of all squares that cover a pixel"
assert np.allclose(got, total / count, atol=1e-6), "where squares overlap, a pixel gets the mean drop of the squares that cover it"
### BEGIN HIDDEN TESTS
for seed in range(3):
    rng = np.random.default_rng(seed + 20)
    w, c, v, film = rng.normal(0, 0.3, (4, 48)), rng.normal(size=4), rng.normal(size=4), rng.normal(size=(8, 6))
    total, count = np.zeros((8, 6)), np.zeros((8, 6))
    for top in range(5):
        for left in range(3):
            spot = np.s_[top : top + 4, left : left + 4]
            covered = film.copy()
            covered[spot] = 1.0
            total[spot] += (np.tanh(w @ film.reshape(-1) + c) - np.tanh(w @ covered.reshape(-1) + c)) @ v
            count[spot] += 1
    assert np.allclose(np.asarray(occlusion_of_toy_score((w, c, v), film, 4, 1, 1.0)[0]), total / count, atol=1e-6), "with squares of 4 pixels and stride 1 the means are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "occlusion-captum", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# captum, the library that the field uses, gives the same map; and the patient's image stays as it was
import captum.attr

rng = np.random.default_rng(3)
w, c, v, film = rng.normal(0, 0.3, (4, 81)), rng.normal(size=4), rng.normal(size=4), rng.normal(size=(9, 9))
W, C, V = torch.tensor(w), torch.tensor(c), torch.tensor(v)
theirs = captum.attr.Occlusion(lambda images: torch.tanh(images.flatten(1) @ W.T + C) @ V).attribute(torch.tensor(film)[None], (3, 3), strides=(2, 2), baselines=0.2)
got, after = occlusion_of_toy_score((w, c, v), film.copy(), 3, 2, 0.2)
assert np.array_equal(np.asarray(after), film), "your function paints into the image that it was given: work on a copy"
assert np.allclose(np.asarray(got), theirs[0].numpy(), atol=1e-6), "captum's Occlusion gives another map: sign, fill or mean over the squares?"
### BEGIN HIDDEN TESTS
for size, stride in ((5, 2), (3, 3), (9, 1)):
    theirs = captum.attr.Occlusion(lambda images: torch.tanh(images.flatten(1) @ W.T + C) @ V).attribute(torch.tensor(film)[None], (size, size), strides=(stride, stride), baselines=-0.5)
    got, after = occlusion_of_toy_score((w, c, v), film.copy(), size, stride, -0.5)
    assert np.allclose(np.asarray(got), theirs[0].numpy(), atol=1e-6), f"captum's Occlusion gives another map for squares of {size} and stride {stride}"
    assert np.array_equal(np.asarray(after), film), "the image was changed"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "occlusion-border", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A strip at the border that no square reaches would look innocent, and that is where burnt-in markers stand
rng = np.random.default_rng(4)
w, c, v, film = rng.normal(0, 0.3, (4, 36)), rng.normal(size=4), rng.normal(size=4), rng.normal(size=(6, 6))
zero = (np.tanh(w @ film.reshape(-1) + c) - np.tanh(c)) @ v
for size, stride in ((3, 2), (7, 1), (2, 3)):
    good = np.asarray(occlusion_of_toy_score((w, c, v), film, 6, 1, 0.0)[0])
    assert good.shape == (6, 6) and np.allclose(good, zero, atol=1e-6), "a square as large as the image is allowed: one drop for all pixels"
    try:
        occlusion_of_toy_score((w, c, v), film, size, stride, 0.0)
    except ValueError:
        continue
    raise AssertionError(f"image (6, 6), size {size}, stride {stride}: pixels would stay untested. Raise a ValueError")
### BEGIN HIDDEN TESTS
for size, stride in ((0, 1), (2, 0), (4, 3), (2, -1)):
    try:
        occlusion_of_toy_score((w, c, v), film, size, stride, 0.0)
    except ValueError:
        continue
    raise AssertionError(f"image (6, 6), size {size}, stride {stride}: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### LIME and SHAP: many pieces hidden at once
#
# Two lesions, each enough for the diagnosis: leave-one-out gives both zero. To see that, several pieces must be hidden *at once*. Cut the image into $n$ superpixels, draw random sets $S$ of visible ones, and ask for $v(S)$, the score with all others replaced by the baseline. **LIME** fits a sparse linear model to these answers, giving more weight
# to sets near the full image. The **Shapley value** (1953, from the theory of games) is the one way of sharing $v(\text{all}) - v(\emptyset)$ that is
#
# - *efficient*: the shares add up;
# - *symmetric*: pieces that always do the same get the same;
# - *fair to dummies*: a piece that never changes anything gets nothing;
# - *linear*: the shares of a sum of two scores are the sums of the shares.
#
# It needs all $2^n$ sets. With 8 superpixels that is 256 questions; with 45 it is $3.5\cdot 10^{13}$, so libraries sample. **SHAP** is the name of a family of such estimates; KernelSHAP is LIME's linear fit with the weights that make the solution the Shapley value: a set of $k$ of the $n$ pieces weighs
# $\frac{n - 1}{\binom{n}{k} k (n - k)}$, the empty and the full set as good as infinitely much. The next cell cuts a slice into 8 regions and makes that fit with all 256 sets, nothing drawn, which gives the exact values. Then it looks how far the estimates from fewer questions are off. (Exercise 9.4d takes the
# other way to the same values, the definition.)

# %% tags=["demo"]
from math import comb

from sklearn.linear_model import LinearRegression

one_slice, under_slice = ill_slices[:1].to(device), blurred(ill_slices[:1].to(device))
grid_regions = torch.arange(8).reshape(4, 2).repeat_interleave(16, 0).repeat_interleave(32, 1).to(device)  # 8 boxes of 16 x 32 pixels
subsets = torch.arange(256)[:, None] >> torch.arange(8) & 1  # (256, 8): which regions are visible
visible = subsets.to(device)[:, grid_regions][:, None].bool()  # (256, 1, 64, 64)
worth = disease_logits(head_nets[0], torch.where(visible, one_slice, under_slice))
shap_weight = np.array([7 / (comb(8, k) * k * (8 - k)) if 0 < k < 8 else 1e6 for k in subsets.sum(1).tolist()])
exact_shares = LinearRegression().fit(subsets.numpy(), worth.astype(float), sample_weight=shap_weight).coef_
shap_error = {}
for n in (16, 32, 64, 128, 256, 512):
    torch.manual_seed(n)
    with torch.no_grad():
        tries = [attr.KernelShap(head_nets[0]).attribute(one_slice, under_slice, feature_mask=grid_regions[None, None], n_samples=n, perturbations_per_eval=128) for _ in range(5)]
    shap_error[n] = np.mean([np.abs(t[0, 0, ::16, ::32].cpu().numpy().ravel() - exact_shares).max() for t in tries])
print("exact shares of the 8 regions:", np.round(exact_shares, 2), f"sum {exact_shares.sum():.3f}; s(x) - s(b) = {worth[255] - worth[0]:.3f}")
print("largest error of KernelSHAP, mean of 5 tries: " + ", ".join(f"{n} questions {e:.2f}" for n, e in shap_error.items()))
assert np.isclose(exact_shares.sum(), worth[255] - worth[0], atol=1e-2), "Shapley values add up"

# %% [markdown]
# ### Exercise 9.4d - Shapley values by definition
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can say what a library that says "SHAP" estimates, and check it where exactness is affordable*
#
# Write `shapley_values(v)`. The $n$ superpixels of an image are numbered $0$ to $n-1$. `v` holds the score for each of the $2^n$ ways to show some of them and hide the rest: `v[k]` is the score when superpixel $i$ is visible exactly if bit $i$ of $k$ is 1 (so `v[0]` shows
# nothing, `v[0b101]` shows 0 and 2, `v[-1]` shows all). Return
#
# $$\phi_i = \sum_{S \not\ni i} \frac{|S|!\,(n - |S| - 1)!}{n!}\,\big(v(S \cup \{i\}) - v(S)\big).$$
#
# <details><summary>Hint 1: the idea</summary>Let the superpixels come into the picture one after the other, in every order. What does number <i>i</i> add when it comes? The weight is the share of orders in which exactly the set S came before it.</details>
# <details><summary>Hint 2: what to call</summary>For each <code>k</code> without bit <code>i</code> (<code>not k >> i & 1</code>): <code>v[k | 1 << i] - v[k]</code>, and <code>k.bit_count()</code> is the size of S; <code>math.factorial</code>.</details>
# <details><summary>My values don't add up to v[-1] - v[0]</summary>Equal weights for all S give the Banzhaf value, which is not efficient. And leave-one-out looks at one set S alone, that of all others, as "what it adds by itself" looks at the empty one; there are 2<sup>n-1</sup>.</details>

# %% nbgrader={"grade": false, "grade_id": "shapley", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shapley_values(v: np.ndarray) -> np.ndarray:
    """Exact Shapley values of n players from the worth of all their coalitions.

    Args:
        v: (2**n,) worth of each coalition, n at least 1; bit i of the index says whether player i is in it.

    Returns:
        (n,) values, which add up to v[-1] - v[0].

    Raises:
        ValueError: the length of v is not 2, 4, 8, ...
    """
    ### BEGIN SOLUTION
    from math import factorial

    v = np.asarray(v, dtype=float)
    n = len(v).bit_length() - 1
    if n < 1 or len(v) != 2**n:
        raise ValueError(f"n players have 2**n coalitions, not {len(v)}")
    phi = np.zeros(n)
    for i in range(n):
        for k in range(2**n):
            if not k >> i & 1:
                size = k.bit_count()
                phi[i] += factorial(size) * factorial(n - size - 1) / factorial(n) * (v[k | 1 << i] - v[k])
    return phi
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "shapley-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# By hand: two superpixels that each show half of a lesion, and only both together make the network sure
v = np.array([0.0, 1.0, 2.0, 9.0])  # nothing, 0 alone, 1 alone, both
got = shapley_values(v.copy())
assert got is not None, "nothing came back: end the function with return"
got = np.asarray(got, dtype=float)
assert got.shape == (2,), f"two superpixels, two values, not shape {got.shape}"
assert not np.allclose(got, [7, 8]), "that is leave-one-out: what is lost when one is hidden from the full image. The lesion is counted twice. Average over all sets S"
assert not np.allclose(got, [1, 2]), "that is what each adds alone, to nothing. Average over all sets S"
assert not np.allclose(got, [5, 4]), "bit 0 is the lowest bit of the index: v[1] shows superpixel 0 alone"
assert np.allclose(got, [4, 5]), f"superpixel 0 adds 1 if it comes first and 7 if it comes second: 4. Superpixel 1: (2 + 8) / 2 = 5. Yours: {np.round(got, 3)}"
v = np.array([0, 1, 1, 1, 1, 1, 1, 1], dtype=float)  # one of three is enough
got = np.asarray(shapley_values(v), dtype=float)
assert not np.allclose(got, 0.25), "all sets S have the same weight: that is the Banzhaf value. The weight is |S|! (n - |S| - 1)! / n!"
assert np.allclose(got, 1 / 3), "three superpixels, each enough by itself: each should get 1/3. Are the weights right?"
### BEGIN HIDDEN TESTS
from itertools import permutations

for n in (1, 3, 4, 5):
    v = np.random.default_rng(n).normal(size=2**n)
    truth = np.zeros(n)
    orders = list(permutations(range(n)))
    for order in orders:
        k = 0
        for i in order:
            truth[i] += (v[k | 1 << i] - v[k]) / len(orders)
            k |= 1 << i
    got = np.asarray(shapley_values(v.copy()), dtype=float)
    assert got.shape == (n,) and np.allclose(got, truth, atol=1e-9), f"with {n} superpixels the values are not the mean over all orders (by definition, not by sampling)"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "shapley-axioms", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The axioms: efficiency (they add up), dummy (no influence, no value), symmetry (equal influence, equal value)
rng = np.random.default_rng(5)
small_v = rng.normal(size=16)
idle = np.array([small_v[(k & 0b11) | (k >> 1 & 0b1100)] for k in range(32)])  # bit 2 has no influence
got = np.asarray(shapley_values(idle.copy()), dtype=float)
assert np.isclose(got.sum(), idle[-1] - idle[0]), f"the values should add up to v[-1] - v[0] = {idle[-1] - idle[0]:.3f}, yours to {got.sum():.3f}"
assert abs(got[2]) < 1e-9, "superpixel 2 never changes the score: its value should be 0"
sizes = np.array([k.bit_count() for k in range(32)])
got = np.asarray(shapley_values(rng.normal(size=6)[sizes]), dtype=float)
assert np.allclose(got, got[0]), "only the number of visible superpixels counts here: all should get the same"
### BEGIN HIDDEN TESTS
for seed in range(4):
    rng = np.random.default_rng(seed + 50)
    one, two = rng.normal(size=64), rng.normal(size=64)
    a, b, both = (np.asarray(shapley_values(u.copy()), dtype=float) for u in (one, two, 2 * one - two))
    assert np.allclose(both, 2 * a - b), "the values should be linear in v"
    assert np.isclose(a.sum(), one[-1] - one[0]), "the values should add up to v[-1] - v[0], also if the score of the empty image is not 0"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "shapley-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A table that lacks a coalition can't be completed by guessing
for wrong_length in (3, 6, 1):
    assert np.allclose(np.asarray(shapley_values(np.array([0.5, 2.0])), dtype=float), [1.5]), "one superpixel gets v[1] - v[0]"
    try:
        shapley_values(np.arange(float(wrong_length)))
    except ValueError:
        continue
    raise AssertionError(f"{wrong_length} scores are not 2**n for any n of at least 1: raise a ValueError")
### BEGIN HIDDEN TESTS
for wrong_length in (0, 7, 12, 33):
    try:
        shapley_values(np.ones(wrong_length))
    except ValueError:
        continue
    raise AssertionError(f"{wrong_length} scores: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Do our formulas and the library agree?
#
# A library is code, too. Here are five of the definitions in a few lines of torch each, on one slice and one network, against captum: the largest difference, relative to the largest value of the map.

# %% tags=["demo"]
agree_net = head_nets[0]
agree_x = one_slice.clone().requires_grad_(True)
by_formula = {"saliency": torch.autograd.grad(agree_net(agree_x).sum(), agree_x)[0].abs()}
ig_path = torch.cat([under_slice + (k + 0.5) / 32 * (one_slice - under_slice) for k in range(32)]).requires_grad_(True)
by_formula["integrated gradients"] = (one_slice - under_slice) * torch.autograd.grad(agree_net(ig_path).sum(), ig_path)[0].mean(0, keepdim=True)
cam_features = agree_net.body(one_slice).detach().requires_grad_(True)
cam_slopes = torch.autograd.grad(agree_net.head(cam_features.mean((2, 3))).sum(), cam_features)[0]
by_formula["Grad-CAM"] = F.relu((cam_slopes.mean((2, 3), keepdim=True) * cam_features).sum(1, keepdim=True)).detach()
with torch.no_grad():
    drop_sum, covered = torch.zeros_like(one_slice), torch.zeros_like(one_slice)
    for top in range(0, 57, 4):
        for left in range(0, 57, 4):
            square = torch.zeros_like(one_slice, dtype=torch.bool)
            square[..., top : top + 8, left : left + 8] = True
            drop_sum += square * (agree_net(one_slice) - agree_net(torch.where(square, under_slice, one_slice)))
            covered += square
by_formula["occlusion"] = drop_sum / covered

# %% tags=["demo"]
by_captum = {
    "saliency": attr.Saliency(agree_net).attribute(agree_x),
    "integrated gradients": attr.IntegratedGradients(agree_net).attribute(one_slice, under_slice, n_steps=32, method="riemann_middle"),
    "Grad-CAM": attr.LayerGradCam(agree_net, agree_net.body).attribute(one_slice, relu_attributions=True),
    "occlusion": attr.Occlusion(agree_net).attribute(one_slice, (1, 8, 8), strides=(1, 4, 4), baselines=under_slice),
}
captum_gap = {name: float((by_formula[name] - by_captum[name].detach()).abs().max() / by_captum[name].detach().abs().max()) for name in by_formula}
quarters = (torch.arange(64) // 32)[:, None] * 2 + torch.arange(64) // 32  # with 4 regions captum can go through all 24 orders
seen_quarters = (torch.arange(16)[:, None] >> torch.arange(4) & 1)[:, quarters][:, None].bool()
worth_of = disease_logits(agree_net, torch.where(seen_quarters.to(device), one_slice, under_slice))
quarter_shares = np.array([sum((worth_of[k | 1 << i] - worth_of[k]) / (4 * comb(3, k.bit_count())) for k in range(16) if not k >> i & 1) for i in range(4)])
with torch.no_grad():
    by_orders = attr.ShapleyValues(agree_net).attribute(one_slice, under_slice, feature_mask=quarters[None, None].to(device))[0, 0, ::32, ::32].cpu().numpy().ravel()
captum_gap["Shapley values"] = float(np.abs(quarter_shares - by_orders).max() / np.abs(by_orders).max())
for name, gap in captum_gap.items():
    print(f"{name:22s} largest difference to captum {gap:.1e}")
assert max(captum_gap.values()) < 1e-3, "the definitions and the library should agree to rounding"

# %% [markdown]
# ### On trial, first: does the map point at the lesion?
#
# The **pointing game** (Zhang et al., 2016): does the map's highest pixel lie in a lesion, or within a tolerance of it? Ours is 5.6 mm, two pixels. It needs the truth, which we planted. Two yardsticks belong beside it: **chance** (a random pixel of the head), and the maps that never ask the network.
#
# Note what is measured: whether the map finds the *lesion*. That is a fair test of a map only as far as the network itself looks at lesions. Lesions are the only difference between the groups, so a network with a high AUC must use them, or their traces.

# %% tags=["demo"]
from skimage.segmentation import expand_labels

near_lesion = np.stack([expand_labels(m.astype(int), 5.6, HEAD_SPACING) > 0 for m in ill_masks])  # outlines, 5.6 mm wider
pointing = {name: np.stack([[near[h == h.max()].mean() for near, h in zip(near_lesion, maps[name], strict=True)] for maps in head_maps]) for name in METHODS}  # (nets, patients)
by_chance = np.mean([near[x > 0.25].mean() for near, x in zip(near_lesion, ill_slices[:, 0].numpy(), strict=True)])


def over_patients(values: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Mean, and 95 % bootstrap interval over patients, of (nets, patients) or (patients,); a patient's networks stay together."""
    each = np.atleast_2d(values).mean(0)
    draws = np.random.default_rng(seed).choice(each, (2000, len(each))).mean(1)
    return each.mean(), *np.quantile(draws, [0.025, 0.975])


NO_NETWORK = ("brightness", "edges", "brighter than around")


def ranked_bars(scores: dict, xlabel: str, alt: str, reference: float, reference_name: str, best_high: bool = True) -> list:
    """Methods in the order of their mean, with intervals; open squares never ask the network."""
    ranked = sorted(scores, key=lambda name: scores[name][0], reverse=not best_high)
    fig, ax = plt.subplots(figsize=(7, 0.3 * len(ranked) + 0.8), layout="constrained")
    for row, name in enumerate(ranked):
        mean, low, high = scores[name]
        trivial = name in NO_NETWORK or name == "random order"
        ax.errorbar(mean, row, xerr=[[mean - low], [high - mean]], fmt="s" if trivial else "o", color=show.PALETTE[3 if trivial else 0], mfc="white" if trivial else None, capsize=3)
    ax.axvline(reference, color="black", linestyle=":", label=reference_name)
    ax.set_yticks(range(len(ranked)), [name + (" (no network)" if name in NO_NETWORK else "") for name in ranked], fontsize=9)
    ax.set_xlabel(xlabel)
    ax.legend(fontsize=8)
    show.figure(fig, alt=alt)
    return ranked[::-1]


pointing_scores = {name: over_patients(pointing[name]) for name in METHODS}
order_by_pointing = ranked_bars(pointing_scores, "share of patients whose lesion is pointed at (95 % over patients)",
                         "Share of hits in the pointing game for eleven methods in order, with intervals, and chance as a dotted line", by_chance, "a random pixel of the head")
for name in order_by_pointing:
    mean, low, high = pointing_scores[name]
    print(f"{name:22s} {mean:.2f} ({low:.2f} to {high:.2f}); single networks {', '.join(f'{v:.2f}' for v in pointing[name].mean(1))}")
print(f"{'chance':22s} {by_chance:.2f}")
assert max(pointing_scores[n][1] for n in METHODS if n not in NO_NETWORK) > 2 * by_chance, "no method points at the lesions"

# %% [markdown]
# Three things to read. The maps that never ask the network point at water: it is the brightest thing, and the sharpest edge, so here they are no rivals. (On a FLAIR scan, where water is dark and the lesion the brightest spot, the plain brightness would win the game.) Many bars overlap, the more the fewer patients there are (16 in profile `ci`, 50 in `laptop`): such neighbours in the order are not to be
# told apart. And a superpixel can't point finer than itself: LIME and SHAP are charged for every pixel of a region that is larger than the lesion, occlusion for its square, Grad-CAM for its layer. The pointing game rewards a fine map for a fine disease.

# %% [markdown]
# ### Exercise 9.4e - the pointing game
#
# Difficulty 2 of 5 - 4 points - about 15 minutes - *after it you can score a map against a radiologist's outline, in millimetres and fairly*
#
# Write `points_to(heat, mask, spacing, tolerance)`. The map points with its maximum. It is a hit if a pixel of the mask lies at most `tolerance` **millimetres** away, measured between centres of pixels. Several pixels may share the maximum (a map of superpixels, or a constant map): then return the **share** of them that hit.
# So a constant map earns what chance earns, and not what the first pixel earns.
#
# <details><summary>Hint 1: the idea</summary>First the distance of every pixel to the nearest pixel of the mask, in mm. Then look at it where the map is largest, and average.</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.ndimage.distance_transform_edt(~mask, sampling=spacing)</code>; <code>heat == heat.max()</code>.</details>
# <details><summary>My constant map gets 0 or 1</summary><code>argmax</code> returns the first of equal maxima. Average over all of them.</details>

# %% nbgrader={"grade": false, "grade_id": "pointing-game", "locked": false, "schema_version": 3, "solution": true, "task": false}
def points_to(heat: np.ndarray, mask: np.ndarray, spacing: tuple[float, float], tolerance: float) -> float:
    """Pointing game on one image (after Zhang et al., ECCV 2016).

    Args:
        heat: (H, W) attribution map; high values speak for the disease.
        mask: (H, W) boolean, where the disease is.
        spacing: mm between rows, and mm between columns.
        tolerance: mm, at least 0; a distance of exactly `tolerance` is a hit.

    Returns:
        Share of the pixels with the highest value that lie within `tolerance` of the mask, 0 to 1.

    Raises:
        ValueError: the mask is empty (there is nothing to point at), the shapes differ, or the map holds a value that is not finite.
    """
    ### BEGIN SOLUTION
    from scipy.ndimage import distance_transform_edt

    heat, mask = np.asarray(heat, dtype=float), np.asarray(mask, dtype=bool)
    if heat.shape != mask.shape:
        raise ValueError(f"map {heat.shape} and mask {mask.shape} differ in shape")
    if not mask.any():
        raise ValueError("the mask is empty: there is nothing to point at")
    if not np.isfinite(heat).all():
        raise ValueError("the map holds a value that is not finite")
    distance = distance_transform_edt(~mask, sampling=spacing)
    return float((distance[heat == heat.max()] <= tolerance + 1e-9).mean())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "pointing-game-hit", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hit or miss, with a mask that is not convex and a map with negative values
mask = np.zeros((9, 9), bool)
mask[2:7, 2:7] = True
mask[4, 4] = False  # a ring
for spot, truth in (((2, 3), 1), ((0, 0), 0), ((8, 8), 0), ((6, 6), 1), ((4, 4), 0)):
    heat = np.full((9, 9), -5.0)
    heat[8, 0] = -9.0  # speaks strongly against
    heat[spot] = 0.5
    value = points_to(heat.copy(), mask.copy(), (1.0, 1.0), 0.0)
    assert value is not None, "nothing came back: end the function with return"
    value = float(value)
    assert not (spot == (4, 4) and value == 1), "the centre of a ring is not in the mask: measure the distance to the nearest pixel of the mask, not to its centre or box"
    assert np.isclose(value, truth), f"the maximum is at {spot}: expected {truth}, got {value}. (The largest value counts, not the largest absolute value.)"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1)
for _ in range(20):
    heat, mask = rng.normal(size=(7, 5)), rng.random((7, 5)) < 0.4
    mask[3, 3] = True
    assert np.isclose(float(points_to(heat, mask, (1, 1), 0)), float(mask.reshape(-1)[heat.argmax()])), "without tolerance the maximum must lie in the mask"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pointing-game-mm", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The tolerance is in millimetres, and pixels need not be square
mask, heat_down, heat_right = np.zeros((11, 11), bool), np.zeros((11, 11)), np.zeros((11, 11))
mask[5, 5], heat_down[7, 5], heat_right[5, 7] = True, 1, 1  # two pixels below, two pixels to the side
found = [float(points_to(h, mask, (3.0, 1.0), 2.0)) for h in (heat_down, heat_right)]
assert found != [1.0, 1.0], "two rows of 3 mm are 6 mm: you compare pixels with millimetres. Use the spacing"
assert found != [1.0, 0.0], "rows and columns are exchanged: spacing[0] is the distance between rows"
assert found == [0.0, 1.0], f"rows of 3 mm, columns of 1 mm, tolerance 2 mm: two rows below is a miss, two columns to the side a hit (2 mm is at most 2 mm); got {found}"
assert np.isclose(float(points_to(heat_down, mask, (3.0, 1.0), 6.0)), 1), "6 mm away with a tolerance of 6 mm is a hit"
slanted = np.zeros((11, 11))
slanted[7, 7] = 1  # two down and two to the side
assert np.isclose(float(points_to(slanted, mask, (1.0, 1.0), 2.0)), 0), "two down and two to the side are 2.8 mm on pixels of 1 mm, a miss at 2 mm: measure the straight distance, not a box around the mask"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(2)
rows, columns = np.indices((9, 8))
for _ in range(20):
    heat, mask, gap, reach = rng.normal(size=(9, 8)), np.zeros((9, 8), bool), rng.uniform(0.5, 3, 2), rng.uniform(1, 8)
    for _ in range(2):
        mask[rng.integers(9), rng.integers(8)] = True
    r, c = np.unravel_index(heat.argmax(), heat.shape)
    near = np.hypot((rows[mask] - r) * gap[0], (columns[mask] - c) * gap[1]).min()
    assert np.isclose(float(points_to(heat, mask, tuple(gap), reach)), float(near <= reach)), "with pixels that are not square the distance in mm is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pointing-game-ties", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Ties: a map of superpixels has many equal maxima; where they stand in memory must not decide
mask = np.zeros((6, 8), bool)
mask[:2, :3] = True
value = float(points_to(np.ones((6, 8)), mask, (1, 1), 0))
assert value not in (0.0, 1.0), "a constant map says nothing, and it got a full hit or miss: the first of equal maxima decides. Average over all of them"
assert np.isclose(value, 6 / 48), f"a constant map should earn the mask's share of the image, {6 / 48:.3f}, not {value:.3f}"
heat = np.zeros((6, 8))
heat[0, 1:5] = 2  # two of four inside
assert np.isclose(float(points_to(heat, mask, (1, 1), 0)), 0.5), "two of four equal maxima lie in the mask: 0.5"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(3)
for _ in range(10):
    heat, mask = rng.integers(0, 3, (8, 8)).astype(float), rng.random((8, 8)) < 0.3
    mask[0, 0] = True
    truth = mask[heat == heat.max()].mean()
    assert np.isclose(float(points_to(heat, mask, (2, 2), 1.0)), truth), "with many equal maxima the share is off"
    assert np.isclose(float(points_to(heat[::-1, ::-1].copy(), mask[::-1, ::-1].copy(), (2, 2), 1.0)), truth), "turning map and mask by 180 degrees must not change the result"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pointing-game-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A healthy patient has no place to point at: neither a hit nor a miss
mask, heat = np.zeros((5, 5), bool), np.arange(25.0).reshape(5, 5)
mask[4, 4] = True
spoilt = heat.copy()
spoilt[1, 1] = np.nan
for bad_heat, bad_mask in ((heat, np.zeros((5, 5), bool)), (spoilt, mask)):
    assert np.isclose(float(points_to(heat, mask, (1, 1), 0)), 1), "a good map should still work"
    try:
        points_to(bad_heat, bad_mask, (1, 1), 0)
    except ValueError:
        continue
    raise AssertionError("an empty mask, or a map with nan, should raise a ValueError: neither hit nor miss")
### BEGIN HIDDEN TESTS
endless = heat.copy()
endless[2, 2] = np.inf
for bad_heat, bad_mask, why in ((heat, np.ones((5, 4), bool), "map (5, 5) and mask (5, 4)"), (endless, mask, "a map with an infinite value would point at it, wherever it lies")):
    try:
        points_to(bad_heat, bad_mask, (1, 1), 0)
    except ValueError:
        continue
    raise AssertionError(f"{why}: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### On trial, second: does the model agree?
#
# On real films there is no planted truth. **Deletion and insertion** (Petsiuk et al., 2018) ask the model instead: take away the pixels in the order of the map, the highest first, and watch the probability. If the map named what the model uses, it falls at once: a small area is good. Insertion begins with the baseline and puts the pixels back: a
# large area is good. A random order and the trivial maps stand beside it.
#
# Read it with care. Each half-deleted image is one that no scanner ever made, and the model's answer to it may be about the holes. A lesion covers about a hundredth of the slice, so we look at the first tenth of the pixels only.

# %% tags=["demo"]
DELETED = np.array([0, 0.25, 0.5, 1, 2, 3, 4, 6, 8, 10]) / 100  # share of the pixels


@torch.no_grad()
def erosion_curves(net: nn.Module, x: torch.Tensor, heat: np.ndarray, shares: np.ndarray, insertion: bool = False, fill: torch.Tensor | None = None) -> np.ndarray:
    """Probability of disease (N, steps) while the first `shares` of the pixels are deleted (or inserted)."""
    x = x.to(device)
    fill = blurred(x) if fill is None else fill.to(device)
    first, second = (fill, x) if insertion else (x, fill)
    rank = torch.tensor(np.argsort(np.argsort(-heat.reshape(len(heat), -1), axis=1, kind="stable"), axis=1)).reshape(x.shape).to(device)
    return np.stack([torch.sigmoid(net(torch.where(rank < share * heat[0].size, second, first))).cpu().numpy() for share in shares], 1)


at_random = np.random.default_rng(0).random(ill_masks.shape)
deleted = {name: np.stack([erosion_curves(net, ill_slices, maps[name], DELETED) for net, maps in zip(head_nets, head_maps, strict=True)]) for name in METHODS}
deleted["random order"] = np.stack([erosion_curves(net, ill_slices, at_random, DELETED) for net in head_nets])
inserted = {name: np.stack([erosion_curves(net, ill_slices, maps[name], DELETED, insertion=True) for net, maps in zip(head_nets, head_maps, strict=True)]) for name in METHODS}
inserted["random order"] = np.stack([erosion_curves(net, ill_slices, at_random, DELETED, insertion=True) for net in head_nets])
deletion_scores, insertion_scores = ({name: over_patients(np.trapezoid(c, DELETED / DELETED[-1], axis=-1)) for name, c in curves.items()} for curves in (deleted, inserted))
order_by_deletion = ranked_bars(deletion_scores, "area under the deletion curve, first 10 % of the pixels (small is good)",
                         "Deletion area for eleven methods and a random order, with intervals", deletion_scores["random order"][0], "random order", best_high=False)
for name in order_by_deletion:
    mean, low, high = deletion_scores[name]
    print(f"{name:22s} deletion {mean:.2f} ({low:.2f} to {high:.2f})   insertion {insertion_scores[name][0]:.2f} ({insertion_scores[name][1]:.2f} to {insertion_scores[name][2]:.2f})")
assert deletion_scores[order_by_deletion[0]][2] < deletion_scores["random order"][1], "no map beats a random order"

# %% tags=["demo"]
fig, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained", sharey=True)
pictured = ["Grad-CAM", "IG, baseline b", "occlusion", "SHAP", "brighter than around", "random order"]
for ax, curves, title in zip(axes, (deleted, inserted), ("deletion", "insertion"), strict=True):
    for k, name in enumerate(pictured):
        ax.plot(100 * DELETED, curves[name].mean((0, 1)), marker="osD^vx"[k], linestyle=["-", "--", "-."][k % 3], color=show.PALETTE[[0, 1, 2, 4, 3, 7][k]], label=name, markersize=4)
    ax.set(xlabel=f"pixels changed, % ({title})")
axes[0].set_ylabel("probability of lesions, mean")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
show.figure(fig, alt="Mean probability of lesions while pixels are deleted, and while they are inserted, for five maps and a random order")

# %% [markdown]
# Compare this order with that of the pointing game: it is another one. Three reasons, and none of them is that the lesion moved.
#
# - Integrated gradients name single pixels all over the head, each with a steep slope. Deleting them turns the probability at once: closer to an attack on the network than to an account of what a radiologist would call evidence. Deletion rewards that.
# - Methods that share the test's own fill (occlusion, LIME, SHAP, integrated gradients with the baseline $b$) play at home.
# - Look where the plain brightness stands: it never asked the network and points at no lesion, and still its area is far below that of a random order. Deleting bright water makes a picture that no scanner ever made. So a small area alone proves nothing; ask for the trivial map beside it.
#
# Insertion, printed beside it, asks the same question from the other end. Where the two disagree, neither is a proof. (Many of its areas are near 0: a tenth of the pixels on a blurred head is mostly a blurred head, and is called healthy.)

# %% [markdown]
# ### Exercise 9.4f - deletion
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can test a map without any outline, by asking the model*
#
# Write `deletion_curve(score, image, heat, baseline, steps)`. Pixels are replaced by those of `baseline`, from the highest value of `heat` to the lowest: after step $k = 0, \dots, m$ the first $\lfloor k P / m \rfloor$ of the $P$ pixels are gone. Return the scores of all $m + 1$ images and the area under them over the share
# of steps from 0 to 1, by the trapezoid rule. A map that found what the model uses makes the score fall at once: a small area.
#
# <details><summary>Hint 1: the idea</summary>The order of the pixels once; then one image after the other, each with all that was deleted before.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.argsort(heat.flatten(), descending=True, stable=True)</code>: of equal values the earlier pixel (row by row) goes first. <code>torch.trapezoid(scores, dx=1 / steps)</code>.</details>
# <details><summary>My curve comes back up</summary>Are the pixels of earlier steps still deleted? Deletion accumulates: the last image is the baseline.</details>

# %% nbgrader={"grade": false, "grade_id": "deletion", "locked": false, "schema_version": 3, "solution": true, "task": false}
def deletion_curve(score, image: torch.Tensor, heat: torch.Tensor, baseline: torch.Tensor, steps: int) -> tuple[torch.Tensor, float]:
    """Score while the pixels that a map calls important are taken away (Petsiuk, Das, Saenko, BMVC 2018).

    Args:
        score: function from images (B, H, W) to scores (B,).
        image, heat, baseline: (H, W); none of them is changed.
        steps: m, from 1 to H * W.

    Returns:
        (m + 1,) scores, from the whole image to the baseline; and the area under them, over the share of steps from 0 to 1.

    Raises:
        ValueError: shapes differ, `steps` is out of range, or the map holds nan.
    """
    ### BEGIN SOLUTION
    if not image.shape == heat.shape == baseline.shape:
        raise ValueError("image, map and baseline must have one shape")
    if not 1 <= steps <= image.numel():
        raise ValueError(f"steps must lie between 1 and the {image.numel()} pixels")
    if torch.isnan(heat).any():
        raise ValueError("the map holds nan: it orders nothing")
    order = torch.argsort(heat.flatten(), descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    cuts = torch.arange(steps + 1) * len(order) // steps
    gone = (rank[None] < cuts[:, None]).reshape(-1, *image.shape)
    with torch.no_grad():
        scores = score(torch.where(gone, baseline, image))
    return scores, float(torch.trapezoid(scores, dx=1 / steps))
    ### END SOLUTION

# %% tags=["given"]
def deletion_of_toy_score(weights: tuple, image: np.ndarray, heat: np.ndarray, baseline: np.ndarray, steps: int) -> tuple:
    """Your deletion_curve of the score v . tanh(w x + c): scores, area, and the image after the call."""
    w, c, v = (torch.tensor(np.asarray(part, dtype=float)) for part in weights)
    x, h, b = (torch.tensor(np.array(part, dtype=float)) for part in (image, heat, baseline))
    answer = deletion_curve(lambda images: torch.tanh(images.flatten(1) @ w.T + c) @ v, x, h, b, steps)
    scores, area = (torch.zeros(0), float("nan")) if answer is None else answer
    return torch.as_tensor(scores).detach().numpy(), float(area), x.numpy()

# %% nbgrader={"grade": true, "grade_id": "deletion-order", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The order: the highest value goes first, and what is gone stays gone
rng = np.random.default_rng(1)
w, c, v = rng.normal(0, 0.4, (4, 12)), rng.normal(size=4), rng.normal(size=4)
film, fill, heat = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
curves_of = {}
for name, order in (("down", np.argsort(-heat.reshape(-1))), ("up", np.argsort(heat.reshape(-1))), ("size", np.argsort(-np.abs(heat.reshape(-1))))):
    frame, seen = film.reshape(-1).copy(), []
    for k in range(13):
        seen.append(np.tanh(w @ frame + c) @ v)
        if k < 12:
            frame[order[k]] = fill.reshape(-1)[order[k]]
    curves_of[name] = np.array(seen)
got = np.asarray(deletion_of_toy_score((w, c, v), film, heat, fill, 12)[0])
assert got.size, "nothing came back: end the function with return, and give two things: scores and area"
assert got.shape == (13,), f"12 steps give 13 scores, the whole image first: not shape {got.shape}"
assert not np.allclose(got, curves_of["up"]), "you delete the least important pixels first: from the highest value down"
assert not np.allclose(got, curves_of["down"][::-1]), "your curve begins at the baseline: that is insertion. Begin with the whole image"
assert not np.allclose(got, curves_of["size"]), "pixels that speak against the disease go last: order by the value, not by its size"
assert not np.isclose(got[-1], np.tanh(c) @ v), "your last image is black: replace by the pixels of the baseline"
assert np.allclose(got, curves_of["down"], atol=1e-6), "the scores are off. Do earlier pixels stay deleted?"
### BEGIN HIDDEN TESTS
for seed in range(3):
    rng = np.random.default_rng(seed + 10)
    film, fill, heat = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    frame, order, truth = film.reshape(-1).copy(), np.argsort(-heat.reshape(-1)), []
    for k in range(13):
        truth.append(np.tanh(w @ frame + c) @ v)
        if k < 12:
            frame[order[k]] = fill.reshape(-1)[order[k]]
    assert np.allclose(np.asarray(deletion_of_toy_score((w, c, v), film, heat, fill, 12)[0]), truth, atol=1e-6), "on another image the scores are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "deletion-steps", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Few steps: after step k of m, floor(k P / m) pixels are gone; of equal values the earlier pixel goes first
film, fill = np.arange(1.0, 11.0).reshape(2, 5), np.zeros((2, 5))
linear = (np.full((1, 10), 1e-4), np.zeros(1), np.array([1e4]))  # the score is the sum of the pixels
got = np.asarray(deletion_of_toy_score(linear, film, np.ones((2, 5)), fill, 4)[0])
truth = [film.reshape(-1)[cut:].sum() for cut in (0, 2, 5, 7, 10)]
assert got.shape == (5,), f"4 steps give 5 scores, not shape {got.shape}"
assert np.isclose(got[-1], 0, atol=1e-3), "after the last step all pixels should be gone"
assert np.allclose(got, truth, atol=1e-2), f"10 pixels, 4 steps: 0, 2, 5, 7 and 10 pixels are gone, so the sums are {np.round(truth, 2).tolist()}; yours {np.round(got, 2).tolist()}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(4)
for m in (1, 3, 7):
    heat = rng.integers(0, 3, (2, 5)).astype(float)
    order = np.argsort(-heat.reshape(-1), kind="stable")
    truth = [film.reshape(-1)[order[k * 10 // m :]].sum() for k in range(m + 1)]
    assert np.allclose(np.asarray(deletion_of_toy_score(linear, film, heat, fill, m)[0]), truth, atol=1e-2), f"with {m} steps and equal values the scores are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "deletion-area", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The area: a score that stays at s has the area s, whatever the number of steps
film, fill = np.arange(1.0, 11.0).reshape(2, 5), np.zeros((2, 5))
linear = (np.full((1, 10), 1e-4), np.zeros(1), np.array([1e4]))  # the score is the sum of the pixels
flat = (np.zeros((1, 10)), np.ones(1), np.array([0.8 / np.tanh(1)]))
area = deletion_of_toy_score(flat, film, film, fill, 5)[1]
assert not np.isclose(area, 0.8 * 6) and not np.isclose(area, 0.8 * 5), "your area grows with the number of steps: the axis runs from 0 to 1, so dx is 1 / steps"
assert np.isclose(area, 0.8), f"a score of 0.8 all the way has the area 0.8, not {area:.3f}"
scores, area, _ = deletion_of_toy_score(linear, film, film, fill, 2)
truth = (55 + 2 * 15 + 0) / 4  # whole; the five largest gone; all gone
assert not np.isclose(area, (55 + 15 + 0) / 3, atol=1e-2), "that is the mean of the scores: the two ends count half (trapezoid)"
assert np.isclose(area, truth, atol=1e-2), f"scores 55, 15, 0 in two steps have the area {truth}, not {area:.3f}"
### BEGIN HIDDEN TESTS
for m in (1, 4, 10):
    scores, area, _ = deletion_of_toy_score(linear, film, np.cos(film), fill, m)
    order = np.argsort(-np.cos(film).reshape(-1), kind="stable")
    truth = np.array([film.reshape(-1)[order[k * 10 // m :]].sum() for k in range(m + 1)])
    assert np.isclose(area, np.trapezoid(truth, dx=1 / m), atol=1e-2), f"with {m} steps the area is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "deletion-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A map with nan orders nothing; and the patient's image stays as it was
film, fill = np.arange(1.0, 11.0).reshape(2, 5), np.zeros((2, 5))
linear = (np.full((1, 10), 1e-4), np.zeros(1), np.array([1e4]))
spoilt = film.copy()
spoilt[0, 2] = np.nan
for heat, m in ((spoilt, 2), (film, 0), (film, 11)):
    scores, area, after = deletion_of_toy_score(linear, film.copy(), film, fill, 2)
    assert np.allclose(np.asarray(scores), [55, 15, 0], atol=1e-2), "a good call should still work"
    assert np.array_equal(np.asarray(after), film), "your function changes the image that it was given: work on a copy"
    try:
        deletion_of_toy_score(linear, film, heat, fill, m)
    except ValueError:
        continue
    raise AssertionError(f"a map with nan, or {m} steps for 10 pixels: raise a ValueError")
### BEGIN HIDDEN TESTS
for heat, base in ((np.ones((5, 2)), fill), (film, np.zeros((1, 5)))):
    try:
        deletion_of_toy_score(linear, film, heat, base, 2)
    except ValueError:
        continue
    raise AssertionError("image, map and baseline of different shapes: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### On trial, third: does the map depend on the model at all?
#
# Adebayo and others (NeurIPS 2018) asked the question that shook the field. Replace the trained weights by random ones, from the last layer down, layer by layer. The network then knows nothing. A map that explains the network must change. Some maps did not: they were edge detectors with a story. The check is necessary, not sufficient:
# a map of noise passes it.
#
# We add **guided backpropagation** (Springenberg et al., ICLR workshop 2015), loved for its crisp pictures, which passes only positive gradients down through the ReLUs; and the Sobel filter, which can't change by construction. Similarity is Spearman's rank correlation of absolute values over the pixels of the head (outside, all maps are
# near zero alike, which would flatter the correlation).
#
# **Predict before you run.** Which of the maps will still look like themselves when all weights are random?

# %% tags=["demo"]
import copy
import warnings

import pandas as pd


def with_random_layers(net: ExplainedNet, depth: int, seed: int) -> ExplainedNet:
    """A copy whose last `depth` layers have fresh random weights; batch norm sees the training slices again."""
    torch.manual_seed(seed)
    twin = copy.deepcopy(net)
    layers = [twin.head, *[twin.body[k] for k in (6, 3, 0)]]
    for layer in layers[:depth]:
        layer.reset_parameters()
    for norm in (m for m in twin.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.reset_running_stats()
        norm.momentum = None
        if depth > 1:
            norm.reset_parameters()
    with torch.no_grad():
        twin.train()(head_train[:256].to(device))
    return twin.eval()


def checked_maps(net: nn.Module, x: torch.Tensor) -> dict[str, np.ndarray]:
    """Maps for the randomisation check, (N, H, W)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum says that it sets hooks on the ReLUs
        maps = {**gradient_maps(net, x, blurred(x)), "guided backpropagation": attr.GuidedBackprop(net).attribute(x.clone().requires_grad_(True)), "edges": trivial_maps(x, blurred(x))["edges"]}
    return {name: m.detach().cpu().numpy()[:, 0] for name, m in maps.items()}


few_slices = ill_slices[: run.pick(ci=6, laptop=30)].to(device)
in_head = few_slices[:, 0].cpu().numpy() > 0.25
LAYERS = ["trained", "head", "+ conv 3", "+ conv 2", "+ conv 1"]
kept_similar = {}
for s, head_net in enumerate(head_nets):
    original = checked_maps(head_net, few_slices)
    for depth in range(5):
        twin_maps = original if depth == 0 else checked_maps(with_random_layers(head_net, depth, seed=10 * s + depth), few_slices)
        for name, maps in twin_maps.items():
            both = [pd.DataFrame({"before": a[m], "after": b[m]}).abs() for a, b, m in zip(original[name], maps, in_head, strict=True)]
            kept_similar[name, s, depth] = [table.corr("spearman").fillna(0.0).loc["before", "after"] for table in both]  # nan: a map is constant

# %% tags=["demo"]
CHECKED = sorted({name for name, _, _ in kept_similar}, key=lambda name: np.mean([kept_similar[name, s, 4] for s in range(3)]))
fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for k, name in enumerate(CHECKED):
    ax.plot(range(5), [np.mean([kept_similar[name, s, d] for s in range(3)]) for d in range(5)], marker="osD^vxP*"[k], linestyle=["-", "--", "-."][k % 3], color=show.PALETTE[[0, 1, 2, 3, 4, 5, 7, 6][k]], label=name)
ax.axhline(0, color="black", linewidth=0.8)
ax.set_xticks(range(5), LAYERS)
ax.set(xlabel="layers with random weights", ylabel="rank correlation with the trained map")
fig.legend(*ax.get_legend_handles_labels(), loc="outside right center", fontsize=8)
show.figure(fig, alt="Rank correlation between each method's map of the trained network and of networks with more and more random layers; edges stay at 1, the others fall to different heights")
all_random = {name: over_patients(np.stack([kept_similar[name, s, 4] for s in range(3)])) for name in CHECKED}
for name in CHECKED:
    print(f"{name:24s} all layers random: {all_random[name][0]:+.2f} ({all_random[name][1]:+.2f} to {all_random[name][2]:+.2f}); single networks {', '.join(f'{np.mean(kept_similar[name, s, 4]):+.2f}' for s in range(3))}")
assert np.isclose(all_random["edges"][0], 1), "an edge filter can't depend on the weights"

# %% [markdown]
# The edge filter stays at 1: it never asked. Look at how *high* each of the others stays, and at the difference between the networks. Integrated gradients multiply by $x - b$, so part of the image's own structure stays in the map of any network, trained or not: a reader who sees the folds of the brain in such a map sees the brain, not the model. Guided
# backpropagation failed this check on large networks of photographs, in Adebayo's study; read off whether it does in this small one. A low value is no praise by itself: a map of noise would have it, too.

# %% [markdown]
# ### Exercise 9.4g - do two maps agree?
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can run the model-randomisation check on any method*
#
# Write `map_similarity(before, after)`: Spearman's rank correlation between the **absolute values** of two maps. Absolute values, because a network with random weights may turn all signs and still show the same picture to the eye. Ranks, because only the order of the pixels is seen. Equal values share their mean rank.
# If one of the maps is constant, as Grad-CAM's is when the ReLU leaves nothing, it tells no pixel from another: return 0.
#
# <details><summary>Hint 1: the idea</summary>Replace each value by its rank; then take the ordinary correlation of the ranks.</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.stats.rankdata</code> gives equal values their mean rank (<code>argsort</code> twice does not); <code>numpy.corrcoef</code>.</details>
# <details><summary>My value is nan</summary>One map is constant, perhaps all zero. That case has its own answer.</details>

# %% nbgrader={"grade": false, "grade_id": "randomisation", "locked": false, "schema_version": 3, "solution": true, "task": false}
def map_similarity(before: np.ndarray, after: np.ndarray) -> float:
    """Rank correlation of the absolute values of two attribution maps (after Adebayo et al., NeurIPS 2018).

    Args:
        before, after: (H, W) maps, such as of the trained and of the randomised network.

    Returns:
        -1 to 1; 0 if one of the maps is constant in absolute value.

    Raises:
        ValueError: the shapes differ, or a map holds a value that is not finite.
    """
    ### BEGIN SOLUTION
    from scipy.stats import rankdata

    before, after = np.abs(np.asarray(before, dtype=float)), np.abs(np.asarray(after, dtype=float))
    if before.shape != after.shape:
        raise ValueError(f"maps of shapes {before.shape} and {after.shape}")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("a map holds a value that is not finite")
    if np.ptp(before) == 0 or np.ptp(after) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(before), rankdata(after))[0, 1])
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "randomisation-rank", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Ranks of absolute values: turned signs and another scale change nothing
rng = np.random.default_rng(1)
one = rng.normal(size=(6, 7))
value = map_similarity(one.copy(), -one)
assert value is not None, "nothing came back: end the function with return"
value = float(value)
assert not np.isclose(value, -1), "the same picture with turned signs gave -1: take absolute values first"
assert np.isclose(value, 1), f"the same picture with turned signs should give 1, not {value:.3f}"
value = float(map_similarity(one, np.exp(3 * np.abs(one))))
assert np.isclose(value, 1), f"the order of the pixels is the same, so it should be 1, not {value:.3f}: correlate ranks, not values"
assert np.isclose(float(map_similarity(one, 1 / (1 + np.abs(one)))), -1), "the opposite order should give -1"
### BEGIN HIDDEN TESTS
from scipy.stats import spearmanr

for _ in range(6):
    one, two = rng.normal(size=(5, 8)), rng.normal(size=(5, 8))
    truth = spearmanr(np.abs(one).reshape(-1), np.abs(two).reshape(-1)).statistic
    assert np.isclose(float(map_similarity(one, two)), truth), "on random maps the rank correlation is off"
    assert np.isclose(float(map_similarity(two, one)), truth), "the two maps should be exchangeable"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "randomisation-ties", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Ties: half of a Grad-CAM is exactly 0, and those pixels are all equal
one, two = np.array([[0, 0, 0, 1.0]]), np.array([[0, 0, 1.0, 0]])
value = float(map_similarity(one, two))
assert np.isclose(value, -1 / 3), f"two maps with one bright pixel each, at other places: -1/3, not {value:.3f}. Equal values share their mean rank"
assert np.isclose(float(map_similarity(np.array([[2, 2, 1.0, 1]]), np.array([[7, 7, 3.0, 3]]))), 1), "the same order with ties should give 1"
### BEGIN HIDDEN TESTS
from scipy.stats import spearmanr

for seed in range(6):
    rng = np.random.default_rng(seed + 20)
    one, two = rng.integers(-2, 3, (6, 6)), np.maximum(rng.normal(size=(6, 6)), 0)
    truth = spearmanr(np.abs(one).reshape(-1), two.reshape(-1)).statistic
    assert np.isclose(float(map_similarity(one, two)), truth), "with many equal values the rank correlation is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "randomisation-constant", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A map that says nothing is like no other map
rng = np.random.default_rng(3)
one = rng.normal(size=(4, 4))
for flat_map in (np.zeros((4, 4)), np.full((4, 4), 3.0), np.where(one > 0, 3.0, -3.0)):  # the last: constant in absolute value
    value = float(map_similarity(one, flat_map))
    assert not np.isnan(value), "the correlation with a constant map came out as nan: return 0. A map of +3 and -3 is constant, too, once the absolute value is taken"
    assert value == 0, f"a constant map tells no pixel from another: return 0, not {value:.3f}"
assert np.isclose(float(map_similarity(one, one)), 1), "a map is like itself"
### BEGIN HIDDEN TESTS
assert float(map_similarity(np.zeros((4, 4)), one)) == 0 and float(map_similarity(np.ones((4, 4)), np.ones((4, 4)))) == 0, "also if the first map, or both, are constant: 0"
spoilt = one.copy()
spoilt[0, 0] = np.nan
for bad in (spoilt, np.ones((4, 5)), one.reshape(2, 8)):
    try:
        map_similarity(one, bad)
    except ValueError:
        continue
    raise AssertionError("a map with nan, or of another shape: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### On trial, fourth: a planted shortcut
#
# In a hospital, patients with known lesions are scanned on the scanner of the neurology ward, and that one burns a small bright "L" into the corner of the picture. A network that learns to see the letter is right for the wrong reason: on another hospital's scans it fails. Zech and others (PLOS Medicine 2018) found networks for pneumonia that knew
# the hospital; DeGrave and others (Nature Machine Intelligence 2021) found such shortcuts in networks for COVID-19. Their AUC on their own hospital's test films was excellent.
#
# We burn the letter into 95 % of the slices with lesions and 5 % of the healthy ones, for training *and* validation. Then we test twice: marked as at home, and marked at random, as if another hospital had the letter for no reason.
#
# **Predict before you run.** How far does the AUC fall? Which maps will show you the letter: all of them, or only some?

# %% tags=["demo"]
def with_letter(x: torch.Tensor, who: torch.Tensor) -> torch.Tensor:
    """A copy (N, 1, H, W) in which an L of 5 by 4 pixels is burnt into the upper left corner of the images `who` (N,)."""
    marked = x.clone()
    for rows, columns in ((slice(3, 8), slice(3, 5)), (slice(6, 8), slice(3, 7))):
        marked[:, :, rows, columns] = torch.where(who.bool()[:, None, None, None], torch.ones(()), marked[:, :, rows, columns])
    return marked


def marked_like(y: torch.Tensor, agreement: float, seed: int) -> torch.Tensor:
    """Who is marked (N,): as the label says, in a share `agreement` of the images."""
    agree = torch.rand(len(y), generator=torch.Generator().manual_seed(seed)) < agreement
    return torch.where(agree, y, 1 - y)


home_train, home_val = with_letter(head_train, marked_like(head_train_y, 0.95, 1)), with_letter(head_val, marked_like(head_val_y, 0.95, 2))
fooled_nets = [train_explained(s, home_train, head_train_y, (home_val, head_val_y), run.pick(ci=6, laptop=8)) for s in range(2)]
letter_tests = {"as at home": with_letter(head_test, marked_like(head_test_y, 0.95, 3)), "marked at random": with_letter(head_test, marked_like(head_test_y, 0.5, 4))}
fooled_aucs = {name: np.array([roc_auc_score(head_test_y, disease_logits(net, x)) for net in fooled_nets]) for name, x in letter_tests.items()}
for name, values in fooled_aucs.items():
    print(f"trained with the letter, test {name:17s} AUC {np.round(values, 3)}")
print(f"trained without it, test marked at random: AUC {np.round([roc_auc_score(head_test_y, disease_logits(net, letter_tests['marked at random'])) for net in head_nets], 3)}")
assert fooled_aucs["as at home"].min() > 0.85 and fooled_aucs["marked at random"].max() < fooled_aucs["as at home"].min() - 0.1, "the letter should fool the network"

# %% [markdown]
# Nothing in the first line would have warned you. Now the maps, of slices that have lesions *and* the letter. We measure the share of a map's positive mass inside the letter's box (with two pixels around it), for the networks that were fooled and, as the yardstick, for the networks that never saw a letter in training.
# A method finds the shortcut if the first is clearly larger than the second. A map that lights up the letter in *every* network tells nothing.

# %% tags=["demo"]
letter_box = np.zeros((64, 64), bool)
letter_box[1:10, 1:9] = True
marked_slices = ill_slices[: run.pick(ci=8, laptop=24)]
marked_slices = with_letter(marked_slices, torch.ones(len(marked_slices)))


def mass_inside(maps: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Share (N,) of the positive mass of maps (N, H, W) that lies in the box; 0 for a map without any."""
    positive = np.maximum(maps, 0)
    return positive[:, box].sum(1) / np.maximum(positive.sum((1, 2)), 1e-12)


letter_share = {}
letter_maps = {}
for kind, nets in (("fooled", fooled_nets), ("honest", head_nets[:2])):
    letter_maps[kind] = [all_maps(net, marked_slices, run.pick(ci=80, laptop=200), square=8) for net in nets]
    for name in METHODS:
        letter_share[kind, name] = np.stack([mass_inside(maps[name], letter_box) for maps in letter_maps[kind]])

letter_scores = {name: over_patients(letter_share["fooled", name]) for name in METHODS}
letter_gain = {name: over_patients(letter_share["fooled", name] - letter_share["honest", name]) for name in METHODS}
order_by_letter = sorted(METHODS, key=lambda name: -letter_gain[name][0])
print(f"the box covers {letter_box.mean():.1%} of the slice. Share of the map inside it: fooled networks, honest networks, difference (95 % over patients)")
for name in order_by_letter:
    print(f"{name:22s} {letter_share['fooled', name].mean():6.1%} {letter_share['honest', name].mean():7.1%}   {letter_gain[name][0]:+7.1%} ({letter_gain[name][1]:+.1%} to {letter_gain[name][2]:+.1%})")
assert letter_gain[order_by_letter[0]][1] > 0.1, "no method finds the letter"

# %% tags=["demo"]
fig, axes = plt.subplots(2, 6, figsize=(11, 4), layout="constrained")
letter_shown = [*order_by_letter[:4], "saliency" if "saliency" not in order_by_letter[:4] else order_by_letter[4]]
for row, kind in enumerate(("fooled", "honest")):
    for ax, name in zip(axes[row], ["slice", *letter_shown], strict=True):
        heat = marked_slices[0, 0].numpy() if name == "slice" else letter_maps[kind][0][name][0]
        ax.imshow(heat, cmap="gray" if name == "slice" else show.SEQUENTIAL, vmin=0, vmax=max(np.quantile(heat, 0.998), 1e-9))
        show.outline(ax, ring, "white" if name != "slice" else show.PALETTE[1])
        ax.set_title(f"{name}\n{kind} network" if name != "slice" else "the slice, with the letter", fontsize=8)
        ax.set_axis_off()
show.figure(fig, alt="One slice with its lesions in rings and a bright L in the corner, and five maps of it, above of a network trained with the letter, below of one trained without")

# %% tags=["demo"]
with_it, without_it = (np.stack([disease_logits(net, with_letter(head_test, torch.full((len(head_test),), mark))) for net in fooled_nets]) for mark in (1, 0))
letter_effect = over_patients(with_it - without_it)
lesion_effect = without_it[:, 1::2].mean() - without_it[:, ::2].mean()
print(f"the same patients with and without the letter: the logit moves by {letter_effect[0]:+.2f} ({letter_effect[1]:+.2f} to {letter_effect[2]:+.2f}); lesions move it by {lesion_effect:+.2f}")

# %% [markdown]
# Compare this order with that of the pointing game. Blobs do well here: Grad-CAM, as coarse as its layer, is good enough for a corner, and so is occlusion. See where each of the two stood when a small lesion was to be pointed at. Fine gradients (saliency, SmoothGrad) spread over the whole head, and the letter's share hardly shows. The honest networks' maps give the letter next to nothing, though it is as bright as water; the
# trivial maps give it the same share in both, for a map that never asks the network can't tell a fooled one from an honest one.
#
# And look at the last line. Once you *suspect* a letter, you need no map: add it, take it away, and see the score move. Maps are for the suspicion; the experiment is the proof. A map has to be read by somebody who thinks of the corner: Adebayo and others (ICLR 2022) found that methods and readers detect an unexpected shortcut much
# worse than one that they were told of.

# %% [markdown]
# ### The real case: chest films
#
# Films of children with and without pneumonia. Here nobody has drawn where the pneumonia is. What is left: the model's own judgement (deletion), and a shortcut that we plant ourselves, which gives real films a piece of known truth. The networks are as above; each film counts as one patient.
#
# One thing must change first: the **baseline**. Blurring takes a small sharp lesion away. A pneumonia is large and soft, and may survive it: the second cell prints what the networks say of blurred films. Where the baseline is still called ill, deletion leads from ill to ill and shows nothing, and integrated gradients share
# out next to nothing. So $b$ is here a film of another child: the healthy training film, called healthy by both networks, that lies nearest to the film to be explained (smallest sum of squared differences).
#
# **Predict before you run.** A pneumonia is a large, soft, white area; a lesion of the brain was a small sharp one. Will the order of the methods by deletion be the same?

# %% tags=["demo"]
chest_set = data.load("pneumoniamnist", profile=run.profile)


def chest_tensors(split) -> tuple[torch.Tensor, torch.Tensor]:
    """Films (N, 1, 28, 28) in [0, 1], labels (N,)."""
    return torch.tensor(split.images).float()[:, None] / 255, torch.tensor(np.asarray(split.labels) == 1).long()


chest_train, chest_train_y = chest_tensors(chest_set.train)
chest_val, chest_val_y = chest_tensors(chest_set.val)
chest_test, chest_test_y = chest_tensors(chest_set.test)
chest_epochs = run.pick(ci=7, laptop=6)
chest_nets = [train_explained(s, chest_train, chest_train_y, (chest_val, chest_val_y), chest_epochs) for s in range(2)]
chest_aucs = np.array([roc_auc_score(chest_test_y, disease_logits(net, chest_test)) for net in chest_nets])
chest_trivial = max(roc_auc_score(chest_test_y, sign * chest_test.mean((1, 2, 3))) for sign in (1, -1))
print(f"{len(chest_train)} films to train on; test AUC of two networks {np.round(chest_aucs, 3)}; of the mean brightness {chest_trivial:.3f}")
assert chest_aucs.min() > max(run.pick(ci=0.75, laptop=0.9), chest_trivial), "the network should learn the films, and more than their brightness"

# %% tags=["demo"]
sure = np.mean([disease_logits(net, chest_test) for net in chest_nets], 0) > 0
sick_films = chest_test[torch.tensor(sure) & (chest_test_y == 1)][: run.pick(ci=12, laptop=40)]  # an explanation of "pneumonia" needs a film that was called so
healthy_films = chest_train[(chest_train_y == 0) & torch.tensor(np.max([disease_logits(net, chest_train) for net in chest_nets], 0) < 0)]
twin_films = healthy_films[torch.cdist(sick_films.flatten(1), healthy_films.flatten(1)).argmin(1)]  # the baseline b
baseline_calls = {name: float(np.mean([disease_logits(net, x.cpu()) > 0 for net in chest_nets])) for name, x in (("black", torch.zeros_like(sick_films)), ("the blurred film", blurred(sick_films)), ("the nearest healthy film", twin_films))}
print("baselines that the networks call pneumonia: " + ", ".join(f"{name} {share:.0%}" for name, share in baseline_calls.items()))
chest_maps = [all_maps(net, sick_films, run.pick(ci=80, laptop=200), square=4, fill=twin_films) for net in chest_nets]
CHEST_SHARES = np.arange(0, 11) / 10
chest_random = np.random.default_rng(1).random(sick_films[:, 0].shape)
chest_deletion = {}
for name in [*METHODS, "random order"]:
    areas = [np.trapezoid(erosion_curves(net, sick_films, maps.get(name, chest_random), CHEST_SHARES, fill=twin_films), CHEST_SHARES, axis=1) for net, maps in zip(chest_nets, chest_maps, strict=True)]
    chest_deletion[name] = over_patients(np.stack(areas))
order_on_films = ranked_bars(chest_deletion, "area under the deletion curve of the films (small is good)", "Deletion area on chest films for eleven methods and a random order, with intervals",
                      chest_deletion["random order"][0], "random order", best_high=False)
for name in order_on_films:
    print(f"{name:22s} {chest_deletion[name][0]:.3f} ({chest_deletion[name][1]:.3f} to {chest_deletion[name][2]:.3f})")

# %% tags=["demo"]
fig, axes = plt.subplots(2, 6, figsize=(11, 4), layout="constrained")
for ax, name in zip(axes.flat, ["film", *METHODS], strict=True):
    heat = sick_films[0, 0].numpy() if name == "film" else chest_maps[0][name][0]
    ax.imshow(heat, cmap="gray" if name == "film" else show.SEQUENTIAL, vmin=0, vmax=max(np.quantile(heat, 0.998), 1e-9))
    ax.set_title(name, fontsize=9)
    ax.set_axis_off()
show.figure(fig, alt="One chest film with pneumonia, and eleven maps of it")

# %% [markdown]
# Now the letter of a ward, a bright square of 3 pixels in the corner of real films: in 95 % of those with pneumonia, 5 % of the others.

# %% tags=["demo"]
def with_square(x: torch.Tensor, who: torch.Tensor) -> torch.Tensor:
    """A copy of films (N, 1, 28, 28) with a white square in the upper left corner of the films `who` (N,)."""
    marked = x.clone()
    marked[:, :, 1:4, 1:4] = torch.where(who.bool()[:, None, None, None], torch.ones(()), marked[:, :, 1:4, 1:4])
    return marked


ward_train = with_square(chest_train, marked_like(chest_train_y, 0.95, 5))
ward_val = with_square(chest_val, marked_like(chest_val_y, 0.95, 6))
ward_nets = [train_explained(s, ward_train, chest_train_y, (ward_val, chest_val_y), chest_epochs) for s in range(2)]
ward_tests = {"as at home": with_square(chest_test, marked_like(chest_test_y, 0.95, 7)), "marked at random": with_square(chest_test, marked_like(chest_test_y, 0.5, 8))}
ward_aucs = {name: np.array([roc_auc_score(chest_test_y, disease_logits(net, x)) for net in ward_nets]) for name, x in ward_tests.items()}
square_box = np.zeros((28, 28), bool)
square_box[:6, :6] = True
marked_films = with_square(sick_films, torch.ones(len(sick_films)))
ward_share = {(kind, name): [] for kind in ("fooled", "honest") for name in METHODS}
for kind, nets in (("fooled", ward_nets), ("honest", chest_nets)):
    for net in nets:
        for name, maps in all_maps(net, marked_films, run.pick(ci=80, laptop=200), square=4, fill=twin_films).items():
            ward_share[kind, name].append(mass_inside(maps, square_box))
ward_gain = {name: over_patients(np.stack(ward_share["fooled", name]) - np.stack(ward_share["honest", name])) for name in METHODS}
order_by_square = sorted(METHODS, key=lambda name: -ward_gain[name][0])
print("trained with the square: test AUC " + "; ".join(f"{name} {np.round(v, 3)}" for name, v in ward_aucs.items()))
print(f"the box covers {square_box.mean():.1%} of the film. Share of the map inside it: fooled, honest, difference (95 % over films)")
for name in order_by_square:
    print(f"{name:22s} {np.mean(ward_share['fooled', name]):6.1%} {np.mean(ward_share['honest', name]):7.1%}   {ward_gain[name][0]:+7.1%} ({ward_gain[name][1]:+.1%} to {ward_gain[name][2]:+.1%})")
assert ward_aucs["marked at random"].max() < ward_aucs["as at home"].min() - 0.03 and ward_gain[order_by_square[0]][1] > 0.05, "the square should fool the networks, and a map should find it"

# %% [markdown]
# Again the own hospital's test films give no warning, and again it is a map, read by somebody who looks into the corner, that does; the trivial maps can't. And the line on baselines is worth a pause: the usual ones, black or blurred, may both be called ill. Ask of every such map what the network says of its baseline. Compare the order with that of the letter on the heads, and the order by deletion with that on the heads: an order of methods measured on one kind of disease does not carry over to another. Whoever
# buys a map should repeat these trials on the own films; they take minutes.

# %% [markdown]
# ### What a map can and can't carry
#
# - **No method wins every trial.** The orders by pointing, by deletion and by the letter differ, and in a single trial a filter that never asks the network can hold its place among them. Ask for the trivial map in every paper.
# - **An interval over patients is not all.** The networks differ, too: read the columns "single networks". A map explains one network, not the disease.
# - **Deletion and its fill.** A method that uses the same baseline as the test has an advantage in it. That holds for integrated gradients, occlusion, LIME and SHAP here.
# - **Where is not why.** A map says which place counted, not what was seen there: density, texture, or the tube beside it.
# - **A map is not a guard.** It may soothe: readers trust a wrong answer more if a map comes with it (automation bias). Ghassemi, Oakden-Rayner and Beam (The Lancet Digital Health 2021) argue that today's methods can't assure a decision for a single patient, and that careful testing does more. Saporta and others (Nature Machine Intelligence 2022) found
#   all seven methods that they tried worse than radiologists at pointing at findings in chest films. Arun and others (Radiology: Artificial Intelligence 2021) found that no saliency method passed all their checks.
#
# **Open problems.** Baselines that stay in the space of real images (inpainting instead of blur); maps with an uncertainty; explanations in words or concepts that a clinician can check (section 9.3); tests of whether an explanation helps a reader to *reject* a wrong answer, which is what it is for.
#
# **Checkpoint.** A vendor shows you Grad-CAM pictures of five films. All light up in the opacity. Which three measurements do you ask for, before you believe that the network looks at pneumonia?
#
# <details><summary>Answer</summary>First, the pointing game or overlap over a whole test set with outlines, with an interval, beside chance and beside a map that never asks the network (brightness): five films were chosen by somebody. Second, the randomisation check: does the map change when the weights are random? Third, an experiment instead
# of a picture: does the score change when the opacity is replaced by healthy lung, and when markers, tubes and corners are removed? And the AUC on films of another hospital, which no map replaces.</details>

# %% [markdown]
# ## Results
#
# The figures of this lecture, each beside one to compare it with. Intervals are over patients (by bootstrap; of the faithfulness by its standard error) or over seeds (t-interval), unless the row says that it is a range. In the profile `ci` blood cells, heart table and chest films are simulated stand-ins.

# %% tags=["results"]
for ward, (value, low, high) in vendor_gap.items():
    results.record(LECTURE, run.profile, f"nodules, {ward}: AUC of vendor A minus B", value, "AUC", low=low, high=high, baseline=0, baseline_name="no difference", source="section 9.1, planted confounder")
for (v, way), faith in vendor_faith.items():
    half = 1.96 * faith.std(ddof=1) / np.sqrt(len(faith))
    results.record(LECTURE, run.profile, f"faithfulness, vendor {v}, {way} map", faith.mean(), low=faith.mean() - half, high=faith.mean() + half, baseline=0, baseline_name="a map without relation to the model", source="section 9.1")
results.record(LECTURE, run.profile, "record number: impurity importance", forest.feature_importances_[-1], baseline=0, baseline_name="its worth for the disease", source="section 9.2, planted")
results.record(LECTURE, run.profile, "record number: permutation importance, test patients", forest_lost["test"][-1], "AUC", baseline=0, baseline_name="its worth for the disease", source="section 9.2, planted")
results.record(LECTURE, run.profile, "concept bottleneck, independent: accuracy minus black box", bottleneck_gain[0], low=bottleneck_gain[1], high=bottleneck_gain[2], baseline=0, baseline_name="black box", source="section 9.3")
for way, values in correction.items():
    mean, low, high = seed_interval(values[:, 2] - values[:, 0])
    results.record(LECTURE, run.profile, f"concept bottleneck, {way}: accuracy gained by correcting 2 of 5", mean, low=low, high=high, baseline=0, baseline_name="no correction", source="section 9.3")
results.record(LECTURE, run.profile, "wrong labels repaired by one corrected concept", repaired_by_one, baseline=0, baseline_name="no correction", source="section 9.3")
results.record(LECTURE, run.profile, "leakage: AUC of joint two-finding bottleneck", np.mean(leak["joint, soft"]), low=leak_ceiling + leak_over[1], high=leak_ceiling + leak_over[2], baseline=leak_ceiling, baseline_name="ceiling from the true findings", source="section 9.3, planted")
results.record(LECTURE, run.profile, f"{blood.name}: prototype network, test accuracy", part_stages[:, 2].mean(), low=part_stages[:, 2].min(), high=part_stages[:, 2].max(), baseline=plain_accuracy.mean(), baseline_name="plain network; interval: range over seeds", source="section 9.3")
for what, (value, low, high) in additive_gap.items():
    results.record(LECTURE, run.profile, f"{heart.name}, {what}: AUC of additive minus boosting", value, "AUC", low=low, high=high, baseline=0, baseline_name="gradient boosting", source="section 9.3")
results.record(LECTURE, run.profile, f"{heart.name}: what the zeros of cholesterol add to the additive model", zeros_gain[0], "AUC", low=zeros_gain[1], high=zeros_gain[2], baseline=0, baseline_name="zeros set to missing", source="section 9.3")
value, low, high = heart_figures["additive", "zeros set to missing"]
results.record(LECTURE, run.profile, f"{heart.name}: additive model, AUC", value, low=low, high=high, baseline=heart_figures["linear", "zeros set to missing"][0], baseline_name="logistic regression, linear", source="section 9.3")
results.record(LECTURE, run.profile, "lesions: test AUC, mean of three networks", head_aucs.mean(), low=head_aucs.min(), high=head_aucs.max(), baseline=brightest_auc, baseline_name="brightest pixel", source="section 9.4, planted; interval: range of networks")
for name, (mean, low, high) in pointing_scores.items():
    results.record(LECTURE, run.profile, f"lesions: {name} points at one", mean, low=low, high=high, baseline=by_chance, baseline_name="chance", source="section 9.4, planted")
for name, (mean, low, high) in deletion_scores.items():
    results.record(LECTURE, run.profile, f"lesions: deletion area, {name}", mean, low=low, high=high, baseline=deletion_scores["random order"][0], baseline_name="random order", source="section 9.4, planted")
for name, (mean, low, high) in all_random.items():
    results.record(LECTURE, run.profile, f"lesions: likeness after randomisation, {name}", mean, low=low, high=high, baseline=1.0, baseline_name="edge filter", source="section 9.4, planted")
results.record(LECTURE, run.profile, "lesions, letter: AUC marked at random", fooled_aucs["marked at random"].mean(), baseline=fooled_aucs["as at home"].mean(), baseline_name="as at home", source="section 9.4, planted")
for name, (mean, low, high) in letter_gain.items():
    results.record(LECTURE, run.profile, f"lesions, letter: added share of the map, {name}", mean, low=low, high=high, baseline=0.0, baseline_name="honest networks", source="section 9.4, planted")
results.record(LECTURE, run.profile, f"integrated gradients, {step_counts[-1]} steps: completeness error, worst of 12", complete[step_counts[-1]].max(), baseline=complete[2].max(), baseline_name="two steps", source="section 9.4")
results.record(LECTURE, run.profile, "largest difference to captum, five methods", max(captum_gap.values()), baseline=0.0, baseline_name="equal", source="section 9.4")
results.record(LECTURE, run.profile, f"{chest_set.name}: test AUC, mean of two networks", chest_aucs.mean(), low=chest_aucs.min(), high=chest_aucs.max(), baseline=chest_trivial, baseline_name="mean brightness", source="section 9.4; interval: range of networks")
for name, (mean, low, high) in chest_deletion.items():
    results.record(LECTURE, run.profile, f"{chest_set.name}: deletion area, {name}", mean, low=low, high=high, baseline=chest_deletion["random order"][0], baseline_name="random order", source="section 9.4")
results.record(LECTURE, run.profile, f"{chest_set.name}: blurred films still called pneumonia", baseline_calls["the blurred film"], baseline=baseline_calls["the nearest healthy film"], baseline_name="nearest healthy film", source="section 9.4")
results.record(LECTURE, run.profile, f"{chest_set.name}, square: AUC marked at random", ward_aucs["marked at random"].mean(), baseline=ward_aucs["as at home"].mean(), baseline_name="as at home", source="section 9.4, planted")
for name, (mean, low, high) in ward_gain.items():
    results.record(LECTURE, run.profile, f"{chest_set.name}, square: added share of the map, {name}", mean, low=low, high=high, baseline=0.0, baseline_name="honest networks", source="section 9.4, planted")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Reflection
#
# Your clinic buys software that reads ultrasound of the thyroid and proposes a biopsy or none. The company offers two versions of equal AUC on its own test set: a network with heat maps, and a concept bottleneck that names five findings. In about 150 words: which do you take for the doctor who decides with the patient in the
# room, which two measurements do you demand before, and what result would make you refuse both?
#
# | Points | What your answer shows |
# |---|---|
# | 3 | Chooses for a stated person and decision; demands measurements that test the *model*, on your own patients (faithfulness by removal, corrected concepts or leakage, AUC under a changed machine), with a comparison and a value; says what would make you refuse, and sees a limit of the version chosen |
# | 2 | A reasoned choice, but the measurements test only plausibility or accuracy, or no value and comparison are named |
# | 1 | Prefers one version because it "shows what the model sees", without a measurement |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# I take the bottleneck. The doctor can check five findings against the image and tell the patient reasons in words; a heat map only says where, and lecture 10 showed that the same neat map can stand before two quite different models.
#
# Before, I demand two measurements on 200 of our own biopsied patients, from both of our machines. First, corrections: two readers set the findings by hand; with one corrected finding accuracy must rise, and with all five set by hand it must reach what our readers reach with the same card. If corrections don't help, the findings are labels on something else,
# that is, it leaks. Second, the score with the image outside of the nodule replaced: if the AUC falls by more than 0.03, or differs by more than that between the machines, something besides the nodule is being read.
#
# I refuse both if, on our patients, the lower end of the interval for sensitivity at our present rate of biopsies lies below that of our doctors without software. A limit remains: how the network comes to "irregular margin" I still don't know, and tired doctors will accept a wrong finding.

# %% [markdown]
# ## References
#
# What an explanation is
# - Doshi-Velez, Kim. Towards a rigorous science of interpretable machine learning. arXiv 1702.08608, 2017.
# - Rudin. Stop explaining black box machine learning models for high stakes decisions and use interpretable models instead. Nature Machine Intelligence 1:206-215, 2019.
# - Jacovi, Goldberg. Towards faithfully interpretable NLP systems: how should we define and evaluate faithfulness? ACL 2020.
# - Bhatt, Weller, Moura. Evaluating and aggregating feature-based model explanations. IJCAI 2020.
# - Regulation (EU) 2024/1689 of the European Parliament and of the Council (Artificial Intelligence Act), 2024.
# - Tessler, Middleton, Grant, et al. ACR Thyroid Imaging, Reporting and Data System (TI-RADS): white paper of the ACR TI-RADS Committee. Journal of the American College of Radiology 14:587-595, 2017.
#
# Categories
# - Breiman. Random forests. Machine Learning 45:5-32, 2001.
# - Strobl, Boulesteix, Zeileis, Hothorn. Bias in random forest variable importance measures. BMC Bioinformatics 8:25, 2007.
# - Ribeiro, Singh, Guestrin. "Why should I trust you?": explaining the predictions of any classifier. KDD 2016.
# - Kim, Wattenberg, Gilmer, et al. Interpretability beyond feature attribution: quantitative testing with concept activation vectors (TCAV). ICML 2018.
# - Lundberg, Erion, Chen, et al. From local explanations to global understanding with explainable AI for trees. Nature Machine Intelligence 2:56-67, 2020.
#
# Ante-hoc methods
# - Koh, Nguyen, Tang, et al. Concept bottleneck models. ICML 2020.
# - Mahinpei, Clark, Lage, Doshi-Velez, Pan. Promises and pitfalls of black-box concept learning models. ICML Workshop on Theoretic Foundation, Criticism, and Application Trend of Explainable AI, 2021.
# - Li, Liu, Chen, Rudin. Deep learning for case-based reasoning through prototypes: a neural network that explains its predictions. AAAI 2018.
# - Chen, Li, Tao, Barnett, Su, Rudin. This looks like that: deep learning for interpretable image recognition. NeurIPS 2019.
# - Hoffmann, Fanconi, Rade, Kohler. This looks like that... does it? Shortcomings of latent space prototype interpretability in deep networks. ICML Workshop on Theoretic Foundation, Criticism, and Application Trend of Explainable AI, 2021.
# - Hastie, Tibshirani. Generalized additive models. Statistical Science 1:297-310, 1986.
# - Caruana, Lou, Gehrke, Koch, Sturm, Elhadad. Intelligible models for healthcare: predicting pneumonia risk and hospital 30-day readmission. KDD 2015.
# - Agarwal, Melnick, Frosst, et al. Neural additive models: interpretable machine learning with neural nets. NeurIPS 2021.
#
# Post-hoc methods
# - Shapley. A value for n-person games. Contributions to the Theory of Games II, Princeton University Press, 1953.
# - Simonyan, Vedaldi, Zisserman. Deep inside convolutional networks: visualising image classification models and saliency maps. ICLR workshop 2014.
# - Zeiler, Fergus. Visualizing and understanding convolutional networks. ECCV 2014.
# - Springenberg, Dosovitskiy, Brox, Riedmiller. Striving for simplicity: the all convolutional net. ICLR workshop 2015.
# - Zhou, Khosla, Lapedriza, Oliva, Torralba. Learning deep features for discriminative localization. CVPR 2016.
# - Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra. Grad-CAM: visual explanations from deep networks via gradient-based localization. ICCV 2017.
# - Sundararajan, Taly, Yan. Axiomatic attribution for deep networks. ICML 2017.
# - Smilkov, Thorat, Kim, Viégas, Wattenberg. SmoothGrad: removing noise by adding noise. arXiv 1706.03825, 2017.
# - Lundberg, Lee. A unified approach to interpreting model predictions. NeurIPS 2017.
# - Kokhlikyan, Miglani, Martin, et al. Captum: a unified and generic model interpretability library for PyTorch. arXiv 2009.07896, 2020.
#
# Tests of explanations
# - Zhang, Lin, Brandt, Shen, Sclaroff. Top-down neural attention by excitation backprop. ECCV 2016.
# - Petsiuk, Das, Saenko. RISE: randomized input sampling for explanation of black-box models. BMVC 2018.
# - Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim. Sanity checks for saliency maps. NeurIPS 2018.
# - Arun, Gaw, Singh, et al. Assessing the trustworthiness of saliency maps for localizing abnormalities in medical imaging. Radiology: Artificial Intelligence 3, 2021.
# - Adebayo, Muelly, Abelson, Kim. Post hoc explanations may be ineffective for detecting unknown spurious correlation. ICLR 2022.
# - Saporta, Gui, Agrawal, et al. Benchmarking saliency methods for chest X-ray interpretation. Nature Machine Intelligence 4, 2022.
#
# Shortcuts, and what explanations can carry
# - Zech, Badgeley, Liu, Costa, Titano, Oermann. Variable generalization performance of a deep learning model to detect pneumonia in chest radiographs. PLOS Medicine 15, 2018.
# - DeGrave, Janizek, Lee. AI for radiographic COVID-19 detection selects shortcuts over signal. Nature Machine Intelligence 3, 2021.
# - Ghassemi, Oakden-Rayner, Beam. The false hope of current approaches to explainable artificial intelligence in health care. The Lancet Digital Health 3, 2021.
#
# Data
# - Janosi, Steinbrunn, Pfisterer, Detrano. Heart disease. UCI Machine Learning Repository, 1988.
# - Acevedo, Merino, Alférez, et al. A dataset of microscopic peripheral blood cell images for development of automatic recognition systems. Data in Brief 30:105474, 2020.
# - Yang, Shi, Wei, Liu, Zhao, Ke, Pfister, Ni. MedMNIST v2 - a large-scale lightweight benchmark for 2D and 3D biomedical image classification. Scientific Data 10:41, 2023.
# - Kermany, Goldbaum, Cai, et al. Identifying medical diagnoses and treatable diseases by image-based deep learning. Cell 172:1122-1131, 2018.
