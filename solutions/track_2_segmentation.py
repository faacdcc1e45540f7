# %% [markdown]
# # Track 2 - Segmentation: is the volume right, not only the overlap?
#
# **The question.** The hippocampus shrinks by some per cent a year in early Alzheimer's disease. Trials measure its volume by segmentation. A Dice of 0.88 sounds good; but is the volume right to a few per cent, is it wrong in one direction, and does the method say when it is not?
#
# **What you start from.** A small U-Net on slices with their neighbours, beside an average atlas: Dice and volume error of the anterior and the posterior part, with intervals over cases. On a laptop it takes some minutes.
#
# **What is known.** Lecture 5 reaches a Dice of 0.88 with a 3-D network; nnU-Net is published at 0.90 and 0.89 on other cases of the same set. Room above that is small and mostly the readers' own disagreement. Bias of the volume, doubt and other scanners are open.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `hippocampus`: T1 MR cut to the hippocampus, 1 mm, anterior and posterior part drawn | Medical Segmentation Decathlon, task 4 | CC BY-SA 4.0 | healthy adults and adults with a psychotic disorder, Vanderbilt; published without names | by case; left and right hippocampus of one person may be on both sides |
#
# In the profile `ci` a simulated stand-in takes its place, and says so.

# %% tags=["parameters"]
LECTURE = "track_2_segmentation"
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
# Each volume is scaled by its own mean and spread, and put into a box that holds the largest one.

# %% tags=["demo"]
import nibabel as nib

BOX = run.pick(ci=(36, 56, 40), laptop=(44, 60, 48))  # voxels of 1 mm; the last two are multiples of 4
hippocampus = data.load("hippocampus", profile=run.profile)


def boxed(volume: np.ndarray) -> np.ndarray:
    """A volume, cut or padded with its lowest value about its middle to the shape BOX."""
    for axis, size in enumerate(BOX):
        spare = volume.shape[axis] - size
        volume = np.take(volume, range(spare // 2, spare // 2 + size), axis) if spare > 0 else volume
        pad = [(0, 0)] * 3
        pad[axis] = (max(-spare, 0) // 2, max(-spare, 0) - max(-spare, 0) // 2)
        volume = np.pad(volume, pad, constant_values=volume.min())
    return volume


def read(split, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N, *BOX) float32, labels (N, *BOX) int64: 0 background, 1 anterior, 2 posterior."""
    images = [np.asarray(nib.load(path).dataobj, dtype=np.float32) for path in split.images[:most]]
    labels = [np.asarray(nib.load(path).dataobj).astype(np.int64) for path in split.labels[:most]]
    images = [(image - image.mean()) / (image.std() + 1e-6) for image in images]
    kept = [boxed(label) for label in labels]
    lost = 1 - sum((one > 0).sum() for one in kept) / sum((one > 0).sum() for one in labels)
    assert lost < 0.002, f"the box cuts {lost:.1%} of the organ off: make it larger"
    return torch.from_numpy(np.stack([boxed(one) for one in images])), torch.from_numpy(np.stack(kept))


many = run.pick(ci=24, laptop=80)
(train_x, train_y), (val_x, val_y), (test_x, test_y) = read(hippocampus.train, many), read(hippocampus.val, run.pick(ci=4, laptop=12)), read(hippocampus.test, 30)
print(f"{len(train_x)} cases to train, {len(val_x)} to choose, {len(test_x)} to test, once")
show.row([train_x[k, BOX[0] // 2].numpy() for k in range(4)], overlay=[train_y[k, BOX[0] // 2].numpy() for k in range(4)], height=2.4,
         alt="A sagittal slice of four cases with the outlines of the anterior and the posterior hippocampus")

# %% [markdown]
# ## Trivial rule: the average atlas
#
# At each voxel the part that most training cases have there. It looks at no image.

# %% tags=["demo"]
def dice(answer: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """(N, 2) Dice of the anterior and the posterior part of each case; 1 if a part is in neither."""
    rows = []
    for part in (1, 2):
        a, b = (answer == part).flatten(1).sum(1), (truth == part).flatten(1).sum(1)
        both = ((answer == part) & (truth == part)).flatten(1).sum(1)
        rows.append(torch.where(a + b > 0, 2 * both / (a + b).clamp(min=1), torch.ones(len(a))))
    return torch.stack(rows, dim=1).numpy()


atlas = torch.stack([(train_y == part).float().mean(0) for part in (0, 1, 2)]).argmax(0)
atlas_dice = dice(atlas.expand(len(test_y), *BOX), test_y)
print("atlas, test Dice (anterior, posterior):", atlas_dice.mean(0).round(3))

# %% [markdown]
# ## A small U-Net
#
# It sees a slice and its two neighbours, and draws the middle one. Cross-entropy plus soft Dice; the epoch is chosen by the mean Dice of validation *cases*, not slices.

# %% tags=["demo"]
from torch import nn


def block(inside: int, outside: int) -> nn.Sequential:
    """Two convolutions of 3 x 3, each with instance norm."""
    layers = []
    for k in range(2):
        layers += [nn.Conv2d(outside if k else inside, outside, 3, padding=1), nn.InstanceNorm2d(outside, affine=True), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Two levels down and up; (N, 3, H, W) -> (N, 3, H, W) logits, H and W multiples of 4."""

    def __init__(self, wide: int = 12) -> None:
        super().__init__()
        self.down = nn.ModuleList([block(3, wide), block(wide, 2 * wide), block(2 * wide, 4 * wide)])
        self.up = nn.ModuleList([block(6 * wide, 2 * wide), block(3 * wide, wide)])
        self.last = nn.Conv2d(wide, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for k, level in enumerate(self.down):
            x = level(nn.functional.max_pool2d(x, 2) if k else x)
            skips.append(x)
        for level, skip in zip(self.up, skips[-2::-1], strict=True):
            x = level(torch.cat([nn.functional.interpolate(x, scale_factor=2.0), skip], dim=1))
        return self.last(x)


def slabs(volumes: torch.Tensor) -> torch.Tensor:
    """(N, X, Y, Z) -> (N * X, 3, Y, Z): each sagittal slice between its neighbours."""
    padded = nn.functional.pad(volumes.unsqueeze(1), (0, 0, 0, 0, 1, 1), mode="replicate")[:, 0]
    return padded.unfold(1, 3, 1).permute(0, 1, 4, 2, 3).flatten(0, 1).contiguous()

# %% tags=["demo"]
def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus one minus the soft Dice of the two parts over the batch."""
    share = logits.softmax(1)[:, 1:]
    wanted = nn.functional.one_hot(truth, 3).permute(0, 3, 1, 2)[:, 1:].float()
    overlap = 2 * (share * wanted).sum((0, 2, 3)) / ((share + wanted).sum((0, 2, 3)) + 1)
    return nn.functional.cross_entropy(logits, truth) + 1 - overlap.mean()


def segment(model: nn.Module, volumes: torch.Tensor) -> torch.Tensor:
    """(N, *BOX) int64 labels, case by case."""
    with torch.no_grad():
        return torch.stack([model.eval()(slabs(volume[None]).to(device)).argmax(1).cpu() for volume in volumes])


torch.manual_seed(SEED)
some = slice(None, None, run.pick(ci=3, laptop=2, gpu=1))  # neighbouring slices look alike: every second or third will do
pairs = torch.utils.data.TensorDataset(slabs(train_x)[some], train_y.flatten(0, 1)[some])
batches = torch.utils.data.DataLoader(pairs, batch_size=12, shuffle=True)
unet = UNet(wide=run.pick(ci=8, laptop=12))
history = train.fit(unet, batches, loss, lambda model: float(dice(segment(model, val_x), val_y).mean()), epochs=run.pick(ci=8, laptop=8), lr=5e-3, device=device)
print(f"{sum(weight.numel() for weight in unet.parameters())} weights; validation Dice {history.best_score:.3f} in epoch {history.best_epoch + 1}")

# %% [markdown]
# ## The test, once
#
# Dice, and the error of the whole volume in per cent of the truth: its sign tells whether a trial would see all of the shrinkage.

# %% tags=["demo"]
def interval(values: np.ndarray, draws: int = 2000) -> tuple[float, float, float]:
    """The mean of one number a case, with its 95 % bootstrap interval over cases."""
    rng = np.random.default_rng(SEED)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    return float(values.mean()), *np.percentile(means, [2.5, 97.5])


answer = segment(unet, test_x)
parts = dice(answer, test_y)


def volume_error(labels: torch.Tensor) -> np.ndarray:
    """Error of the volume of both parts together, in per cent of the true one."""
    sizes, truth = [(one > 0).flatten(1).sum(1).numpy() for one in (labels, test_y)]
    return 100 * (sizes / truth - 1)


error, atlas_error = volume_error(answer), volume_error(atlas.expand(len(test_y), *BOX))
rows = {"Dice": parts.mean(1), "Dice, atlas": atlas_dice.mean(1), "volume error (%)": error, "size of the volume error (%)": np.abs(error), "the same, atlas": np.abs(atlas_error)}
for name, values in rows.items():
    print(f"{name:30} {interval(values)[0]:7.3f} [{interval(values)[1]:.3f}, {interval(values)[2]:.3f}]")
assert parts.mean() > atlas_dice.mean() + 0.05, "the network should beat the atlas"

# %% tags=["demo"]
order = np.argsort(parts.mean(1))
chosen = [order[0], order[len(order) // 2], order[-1]]
plane = [int((test_y[k] > 0).flatten(1).sum(1).argmax()) for k in chosen]
show.row([test_x[k, p].numpy() for k, p in zip(chosen, plane, strict=True) for _ in range(2)],
         [f"{name} case, {who}" for name in ("worst", "median", "best") for who in ("truth", "network")],
         overlay=[labels[k, p].numpy() for k, p in zip(chosen, plane, strict=True) for labels in (test_y, answer)], height=2.2,
         alt="The worst, the median and the best test case: outlines of the truth and of the network side by side")
fig, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
ax.plot(parts.mean(1), error, "o", color=show.PALETTE[0])
ax.axhline(0, color="0.6", linewidth=0.8)
ax.set(xlabel="Dice of a case, mean of both parts", ylabel="volume error (%)")
show.figure(fig, alt="Volume error in per cent against Dice, a point for each test case; the line is no error")

# %% [markdown]
# ## Results

# %% tags=["results"]
for name, values, unit, beside in (("Dice", parts.mean(1), "", atlas_dice.mean()), ("size of the volume error", np.abs(error), "%", np.abs(atlas_error).mean())):
    value, low, high = interval(values)
    results.record(LECTURE, run.profile, f"{hippocampus.name}, U-Net: {name}", value, unit, low=low, high=high, baseline=beside, baseline_name="average atlas", source="this notebook")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Where a team could go
#
# | question | first step | what would decide it |
# |---|---|---|
# | Which loss gives unbiased volumes? | cross-entropy, Dice and Tversky, each alone, three seeds each | mean volume error with its interval over cases, beside the Dice |
# | Does doubt find the bad cases? | five networks; the Dice between them as a predictor of the Dice with the truth | rank correlation and the worst tenth that it catches, over test cases |
# | Does it hold on another scanner? | lecture 5's scanners A and B, or a bias field and noise from `simulate` | paired loss of Dice and shift of the volume, before and after augmentation |
# | How few cases are enough? | 5, 10, 20, 40 cases, three draws each | a curve of Dice with intervals, with self-training on the unlabelled rest as rival |
#
# ## References
#
# - M. Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13:4128, 2022.
# - O. Ronneberger, P. Fischer, T. Brox, U-Net: convolutional networks for biomedical image segmentation, MICCAI 2015.
# - F. Isensee et al., nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation, Nature Methods 18:203-211, 2021.
# - L. Maier-Hein et al., Metrics reloaded: recommendations for image analysis validation, Nature Methods 21:195-212, 2024.
