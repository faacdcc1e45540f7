# %% [markdown]
# # Track 3 - Registration: when does a better fit stop being a better map?
#
# **The question.** To compare a brain with an atlas, or with itself a year later, it is registered. A method can always be made to overlap more by letting it bend more. When is the gain anatomy, and when is it noise? And can that be told where nobody drew a label?
#
# **What you start from.** Affine registration of pairs of patients by SimpleITK, its metric chosen on validation pairs, beside no registration and beside aligned middles: overlap of the drawn parts, and a figure that needs no label. On a laptop it takes about two minutes.
#
# **What is known.** Lecture 6: from a Dice of 0.5 as they come, an affine transform reaches 0.67, a B-spline 0.69, iterations on the pair 0.73. A small network trained without labels gained less than the affine transform alone.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `hippocampus`: T1 MR cut to the hippocampus, 1 mm, anterior and posterior part drawn | Medical Segmentation Decathlon, task 4 | CC BY-SA 4.0 | healthy adults and adults with a psychotic disorder, Vanderbilt; published without names | by case; pairs are made inside a split, and no case is in two pairs |
#
# In the profile `ci` a simulated stand-in takes its place, and says so.

# %% tags=["parameters"]
LECTURE = "track_3_registration"
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
# Pairs of patients; the second shall come to lie on the first. No case is in two pairs, so pairs can be resampled as if they were patients.

# %% tags=["demo"]
import SimpleITK as sitk

sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
hippocampus = data.load("hippocampus", profile=run.profile)


def read(split, k: int) -> tuple[sitk.Image, sitk.Image]:
    """Image, scaled by its own mean and spread, and label of one case, on a grid of 1 mm that begins at 0."""
    image, label = (sitk.ReadImage(str(path)) for path in (split.images[k], split.labels[k]))
    image = sitk.Normalize(sitk.Cast(image, sitk.sitkFloat32))
    for one in (image, label):
        one.SetOrigin((0, 0, 0))
        one.SetDirection(np.eye(3).ravel())
    return image, sitk.Cast(label, sitk.sitkUInt8)


def pairs_of(split, most: int) -> list[tuple]:
    """Disjoint pairs of neighbours in the split's order: ((image, label), (image, label))."""
    return [(read(split, 2 * k), read(split, 2 * k + 1)) for k in range(min(most, len(split) // 2))]


val_pairs, test_pairs = pairs_of(hippocampus.val, run.pick(ci=2, laptop=6)), pairs_of(hippocampus.test, run.pick(ci=5, laptop=13))
print(f"{len(val_pairs)} pairs to choose, {len(test_pairs)} pairs to test, once")
middle = [sitk.GetArrayFromImage(image)[image.GetSize()[2] // 2] for pair in test_pairs[:2] for image, _ in pair]
show.row(middle, ["pair 1, fixed", "pair 1, moving", "pair 2, fixed", "pair 2, moving"], height=2.2,
         alt="A slice of the fixed and the moving patient of two pairs: the same anatomy, in another place and shape")

# %% [markdown]
# ## Three answers, two of them trivial
#
# Nothing; aligned middles of the crops; an affine transform on top. The metric of the last, mean squares or correlation, is a choice: it is made on validation pairs.

# %% tags=["demo"]
def centred(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    """A shift that puts the middle of one crop onto that of the other."""
    return sitk.CenteredTransformInitializer(fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.GEOMETRY)


def affine(fixed: sitk.Image, moving: sitk.Image, metric: str) -> sitk.Transform:
    """An affine transform from fixed to moving millimetres, on two scales."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares() if metric == "mean squares" else method.SetMetricAsCorrelation()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, run.pick(ci=60, laptop=150), relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([2.0, 1.0])
    method.SetInitialTransform(centred(fixed, moving), inPlace=False)
    return method.Execute(fixed, moving)


def dice(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> float:
    """Mean Dice of the two parts after the moving labels are carried over, by nearest neighbour."""
    carried = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, transform, sitk.sitkNearestNeighbor, 0))
    truth = sitk.GetArrayFromImage(fixed)
    return float(np.mean([2 * ((carried == part) & (truth == part)).sum() / ((carried == part).sum() + (truth == part).sum()) for part in (1, 2)]))


METRICS = ("mean squares", "correlation")
on_validation = {metric: np.mean([dice(f[1], m[1], affine(f[0], m[0], metric)) for f, m in val_pairs]) for metric in METRICS}
best = max(METRICS, key=on_validation.get)
print({metric: round(float(value), 3) for metric, value in on_validation.items()}, "->", best)

# %% [markdown]
# ## The test, once: with labels and without
#
# Labels give the Dice. Without labels one can still ask whether the method agrees with itself: go from A to B, then by a second registration from B back to A. How many millimetres away from its start does a point of the organ's box arrive? A method that follows noise comes back elsewhere. The converse does not hold: doing nothing comes back exactly.

# %% tags=["demo"]
def round_trip(fixed: sitk.Image, there: sitk.Transform, back: sitk.Transform) -> float:
    """Mean distance in mm between a point and where it arrives after going there and back, over a grid of points."""
    size = np.array(fixed.GetSize())
    points = np.stack(np.meshgrid(*(np.linspace(0.2, 0.8, 5) * n for n in size), indexing="ij"), -1).reshape(-1, 3)
    return float(np.mean([np.linalg.norm(np.array(back.TransformPoint(there.TransformPoint(point))) - point) for point in points]))


overlap = {name: [] for name in ("as they come", "middles aligned", "affine")}
astray, seen = [], []
for (fixed, fixed_label), (moving, moving_label) in test_pairs:
    there, back = affine(fixed, moving, best), affine(moving, fixed, best)
    for name, transform in zip(overlap, (sitk.Transform(3, sitk.sitkIdentity), centred(fixed, moving), there), strict=True):
        overlap[name].append(dice(fixed_label, moving_label, transform))
    astray.append(round_trip(fixed, there, back))
    seen.append(sitk.Resample(moving, fixed, there, sitk.sitkLinear, 0.0))
overlap, astray = {name: np.array(values) for name, values in overlap.items()}, np.array(astray)


def interval(values: np.ndarray, draws: int = 2000) -> tuple[float, float, float]:
    """A mean with its 95 % bootstrap interval over pairs."""
    rng = np.random.default_rng(SEED)
    return float(values.mean()), *np.percentile(values[rng.integers(0, len(values), (draws, len(values)))].mean(axis=1), [2.5, 97.5])


for name, values in {**overlap, "affine minus middles": overlap["affine"] - overlap["middles aligned"], "round trip (mm)": astray}.items():
    print(f"{name:22} {interval(values)[0]:.3f} [{interval(values)[1]:.3f}, {interval(values)[2]:.3f}]")
assert overlap["affine"].mean() > overlap["middles aligned"].mean() + 0.02, "the affine transform should raise the overlap"

# %% tags=["demo"]
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
axes[0].plot(np.stack(list(overlap.values())), color="0.7", linewidth=0.8)
for k, values in enumerate(overlap.values()):
    axes[0].plot(np.full(len(values), k), values, "o", color=show.PALETTE[k])
axes[0].set(xticks=range(3), xticklabels=list(overlap), ylabel="Dice of the parts")
axes[1].plot(astray, overlap["affine"] - overlap["middles aligned"], "s", color=show.PALETTE[3])
axes[1].set(xlabel="round trip error (mm), needs no label", ylabel="gain in Dice, needs labels")
show.figure(fig, alt="Left: Dice of each pair as they come, with middles aligned and after affine registration. Right: gain in Dice against the round trip error of each pair")
planes = [sitk.GetArrayFromImage(image)[image.GetSize()[2] // 2] for image in (test_pairs[0][0][0], test_pairs[0][1][0], seen[0])]
show.row(planes, ["fixed", "moving", "moving, after affine"], height=2.4, alt="Fixed patient, moving patient, and the moving one after affine registration, which lies like the fixed one")

# %% [markdown]
# ## Results

# %% tags=["results"]
value, low, high = interval(overlap["affine"])
results.record(LECTURE, run.profile, f"{hippocampus.name}, affine: Dice of the parts", value, low=low, high=high, baseline=overlap["middles aligned"].mean(), baseline_name="middles aligned", source="this notebook")
value, low, high = interval(astray)
results.record(LECTURE, run.profile, f"{hippocampus.name}, affine: round trip error", value, "mm", low=low, high=high, source="this notebook")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Where a team could go
#
# | question | first step | what would decide it |
# |---|---|---|
# | Does the round trip find bad registrations? | B-splines with 4, 6 and 8 control points an axis | rank correlation of round trip and Dice over pairs, with an interval |
# | How stiff should it be? | an energy weight chosen on validation pairs, by Dice and by round trip | do both choices agree, and what does each give on test pairs; share of folded voxels beside it |
# | Does a network help as a start? | lecture 6's network, then iterations on the pair | Dice against seconds, paired over pairs |
# | Is an atlas segmentation by registration a rival of track 2? | carry 10 training labels to each test case and let them vote | paired Dice against the U-Net of track 2 at 10 labelled cases |
#
# With `simulate.brain` and `simulate.smooth_field` on `mni152` the true field is known: whatever you measure without labels, try it there first.
#
# ## References
#
# - M. Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13:4128, 2022.
# - B. C. Lowekamp, D. T. Chen, L. Ibanez, D. Blezek, The design of SimpleITK, Frontiers in Neuroinformatics 7:45, 2013.
# - G. E. Christensen, H. J. Johnson, Consistent image registration, IEEE Transactions on Medical Imaging 20:568-582, 2001.
# - T. Rohlfing, Image similarity and tissue overlaps as surrogates for image registration accuracy: widely used but unreliable, IEEE Transactions on Medical Imaging 31:153-163, 2012.
