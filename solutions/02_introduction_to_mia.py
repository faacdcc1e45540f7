# %% [markdown]
# # Lecture 2 - Introduction to medical image analysis
#
# **After this you can**
#
# - place any voxel in the patient, in millimetres and on the correct side, whatever way the file is stored (1.1)
# - turn stored numbers into Hounsfield units, and resample an image together with its label without inventing classes (1.1)
# - split data by patient, measure how far readers agree beyond chance, and remove the patient from a DICOM file (1.1)
# - name the task behind a clinical question, with the output and the metric that fit it (1.2)
# - say how each modality forms its image, what a pixel value means, and reconstruct a CT slice from photon counts (1.3)
# - choose TE and TR (echo and repetition time) for an MR contrast, name a noise model from repeated scans, and separate the stains of a
#   histology slide (1.3)
#
# **Time** about 340 minutes
#
# That is five sittings: 1.1 as far as resampling, 1.1 as far as readers, privacy, then 1.2, then 1.3. No demonstration needs an exercise
# to be solved, so you can read on whenever you are stuck.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations: your answers may use what they import and define, not what they compute.
#
# <details><summary>Words that this lecture takes for granted</summary>
#
# - **Dice**: twice the overlap of two masks over the sum of their sizes; 1 is the same mask, 0 no overlap.
# - **HD95**: of the distances between the borders of two masks, 95 % are shorter.
# - **PSNR**, **SSIM**: how near an image is to a reference, by squared error (in dB) and by local structure (1 is equal).
# - **C-index**: of two patients, how often does the one with the higher risk have the event first? 0.5 is guessing.
# - **mutual information**: how much the grey in one image tells about the grey at the same place of another.
# - **SUV**: a PET pixel's activity per mL over the injected activity per gram of body weight. **Cine**: a film of the beating heart.
# - **oedema**: water in the tissue around a tumour. **Necrosis**: dead tissue. **Enhancing**: brighter after contrast agent.
# - **glioma**: a brain tumour of supporting cells. **Mitosis**: a cell that divides. **Parotid gland**: the salivary gland by the ear.
#
# </details>

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people | use, split |
# |---|---|---|---|---|
# | `mni152`, average T1 brain | nilearn | McConnell notice: use, copy and change freely, keeping the notice | average of 152 volunteers | shown |
# | `ct_small`, `mr_shoulder` | pydicom, pydicom-data | pydicom's test files (MIT) | names replaced by the publisher | shown |
# | `chest_radiograph`, `ultrasound_cine`, `bone_scan` | pydicom, pydicom-data | as above | names replaced by the publisher | shown |
# | `retina`, `microaneurysms`, `cell`, `immunohistochemistry` | scikit-image | CC0; the last: no known copyright restrictions | no names | shown |
# | `gbsg2`, breast cancer, 686 women | lifelines | lifelines is MIT; none stated for the table | a trial, two thirds of the women randomised; no names | halves, one row a woman |
# | `bloodmnist`, blood cells | MedMNIST v2 | CC BY 4.0 | published without names | as published; by cell |
# | heads, chests, cohorts, readers, files | `helpers.simulate` | this course | nobody | planted truth; by patient |
#
# - The publishers of the DICOM samples don't document consent, and state no licence for single files. We show them, and change copies of
#   them with an *invented* patient; nothing is trained on them.
# - BloodMNIST doesn't say which cells come from one person. Its published split is by cell; after section 1.1 you will know why that is a
#   weakness, and why we use it for retrieval only. In the profile `ci` a simulated stand-in takes its place.
# - Cited by: Fonov et al. 2009 (`mni152`), Budai et al. 2013 (`microaneurysms`), Schumacher et al. 1994 (`gbsg2`), Yang et al. 2023
#   (`bloodmnist`).

# %% tags=["parameters"]
LECTURE = "02_introduction_to_mia"
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
# ## 1.1 Why medical imaging is unique
#
# A photograph of a cat and a CT of a liver are both arrays of numbers. A network trained on one looks much like a network trained on the
# other. So why a course of its own? Because in medicine the array is a *measurement of a person*, and each word of that sentence breaks a
# habit that works on photographs.
#
# | on photographs | in medicine | the accident that follows from the old habit |
# |---|---|---|
# | a pixel has no size | a voxel has a place and a size in the patient, in mm | the wrong side is operated; a volume is wrong by half |
# | brightness is arbitrary | CT numbers are physical (HU); MR numbers are not | a threshold that worked in one file fails in the next |
# | noise is a nuisance | noise is the price of dose and time | a lesion drowns, or is invented by denoising |
# | a million labels, one truth | few labels, and experts disagree | a model is "wrong" where the label is |
# | classes are balanced | the disease is rare | 90 % sensitive and specific, yet most alarms are false |
# | images are independent | several images of one patient | a test score that measures memory |
# | anybody may look | the file names a person | a breach by a header field that nobody opened |
#
# We go through them one by one. Most have a demonstration that *measures* what the accident costs, and an exercise. Noise comes back in
# section 1.3; what to do with few labels is lecture 7.

# %% [markdown]
# ### Geometry: where is this voxel?
#
# A surgeon asks: *left or right, and how deep?* The array can't answer. `volume[60, 130, 110]` is a place in computer memory. A place in
# the patient needs the **affine**, a 4 x 4 matrix $A$ stored in the header:
#
# $$\begin{pmatrix}x\\y\\z\\1\end{pmatrix} = A\begin{pmatrix}i\\j\\k\\1\end{pmatrix},\qquad
# A=\begin{pmatrix}R\,\mathrm{diag}(s) & t\\ 0 & 1\end{pmatrix}$$
#
# - Column $c$ of the upper left 3 x 3 block is the step in mm when index $c$ grows by one. Its *length* is the **spacing** $s_c$, its
#   *direction* (a column of $R$: a rotation, possibly with a reflection) says where that axis points in the patient.
# - $t$ is where the centre of voxel $(0, 0, 0)$ lies.
# - World axes come in two conventions. **RAS** (NIfTI, nibabel): $x$ grows to the patient's **R**ight, $y$ to the front (**A**nterior),
#   $z$ to the head (**S**uperior). **LPS** (DICOM, SimpleITK): $x$ grows to the **L**eft, $y$ to the back (**P**osterior), $z$ to the
#   head. From one to the other, $x$ and $y$ change sign.
#
# *Voxel order* is a separate matter: the letters "LAS" of a file say that its first array axis runs to the left, and so on. Same patient,
# same world, another order in memory.
#
# **Predict before you run.** One brain with a planted lesion on the patient's left is saved three times: axes R-A-S, L-A-S and P-I-R. We
# read voxel `[60, 130, 110]` in all three. In how many of them do we hit the lesion? How far off are the others: 1 cm, 5 cm, 15 cm?

# %% tags=["demo"]
import nibabel as nib
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

template = nib.load(data.path("mni152"))
lesion_voxel = np.array([60, 130, 110])
volume = np.asarray(template.dataobj, dtype=np.float32) / 255
distance = np.sqrt(sum((axis - centre) ** 2 for axis, centre in zip(np.indices(volume.shape), lesion_voxel, strict=True)))  # 1 mm voxels
marked = nib.Nifti1Image(np.where(distance < 8, 1.3, volume).astype(np.float32), template.affine)
lesion_mm = nib.affines.apply_affine(template.affine, lesion_voxel)
print("affine\n", template.affine.astype(int), "\nlesion in RAS mm:", lesion_mm, "-> negative x is the patient's left")

saved = {codes: marked.as_reoriented(ornt_transform(io_orientation(marked.affine), axcodes2ornt(codes))) for codes in ("RAS", "LAS", "PIR")}
fig, axes = plt.subplots(1, 3, figsize=(10.5, 4.1), layout="constrained")
miss = {}
for ax, (codes, file) in zip(axes, saved.items(), strict=True):
    world = nib.affines.apply_affine(file.affine, lesion_voxel)
    miss[codes] = float(np.linalg.norm(world - lesion_mm))
    ax.imshow(np.asarray(file.dataobj)[:, :, lesion_voxel[2]].T, origin="lower", vmax=1.3)
    for colour, length, width in (("black", 18, 4), (show.PALETTE[1], 16, 2)):  # a dark edge, so that it is seen on grey
        ax.plot(*lesion_voxel[:2], "+", color=colour, markersize=length, markeredgewidth=width)
    ax.set_title(
        f"axes {codes}: array[:, :, 110]\n[60, 130, 110] is ({world[0]:.0f}, {world[1]:.0f}, {world[2]:.0f}) mm, {miss[codes]:.0f} mm off",
        fontsize=9,
    )
    ax.set(xlabel="first index", ylabel="second index")
show.figure(
    fig,
    alt="One brain saved with three voxel orders. The same index hits the bright lesion in the first file only; "
    "in the second it falls on the other hemisphere, in the third even the plane is another one",
)

# %% [markdown]
# One in three. The second file is the dangerous one: it looks like a perfectly good brain, only mirrored. A network, a person or a
# threshold can't see the difference, because a brain is nearly symmetric. Only the header tells.
#
# Now move through the volume yourself. The cross-hair is drawn at one voxel; the title says where it is *in the patient*. Slide `i` up:
# do you move to the patient's left or right? (The pictures use the radiologist's view: the patient's right is on your left.)

# %% tags=["demo"]
import ipywidgets as widgets

head = np.asarray(marked.dataobj)


def crosshair(i: int, j: int, k: int) -> plt.Figure:
    """Three orthogonal planes through voxel (i, j, k), with its place in the patient."""
    x, y, z = nib.affines.apply_affine(marked.affine, (i, j, k))
    fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.9), layout="constrained")
    planes = (("axial", head[:, :, k], i, j, True), ("coronal", head[:, j], i, k, True), ("sagittal", head[i], j, k, False))
    for ax, (name, plane, across, up, mirror) in zip(axes, planes, strict=True):
        ax.imshow(plane.T, origin="lower", vmax=1.3)
        for colour, width in (("black", 2.6), (show.PALETTE[1], 1.2)):  # a dark edge, so that it is seen on grey
            ax.axvline(across, color=colour, linewidth=width)
            ax.axhline(up, color=colour, linewidth=width)
        if mirror:
            ax.invert_xaxis()  # the patient's right on the left of the picture
        ax.set_title(name, fontsize=10)
        ax.set_axis_off()
    side, depth, level = "left" if x < 0 else "right", "front" if y > 0 else "back", "above" if z > 0 else "below"
    fig.suptitle(
        f"voxel ({i}, {j}, {k}): {abs(x):.0f} mm to the {side}, {abs(y):.0f} mm to the {depth}, {abs(z):.0f} mm {level} the origin",
        fontsize=10,
    )
    return fig


sliders = {
    n: widgets.IntSlider(value=int(v), max=m - 1, description=n, continuous_update=False)
    for n, v, m in zip("ijk", lesion_voxel, head.shape, strict=True)
}
show.explore(
    crosshair,
    alt="Axial, coronal and sagittal plane of the MNI brain with a cross-hair on the planted lesion, and its place in mm",
    **sliders,
)

# %% [markdown]
# A DICOM slice has no affine in its header. It has the same facts in three fields: `ImagePositionPatient` (centre of the first pixel, in
# LPS mm), `ImageOrientationPatient` (the direction *along a row*, then the direction *down a column*) and `PixelSpacing` (**row** spacing
# first, then column spacing). Here is a real shoulder, scanned in an oblique plane along the patient's scapula. The columns run straight
# down, but the rows follow no body axis.

# %% tags=["demo"]
import pydicom

shoulder = pydicom.dcmread(data.path("mr_shoulder"))
along_row, down_column = np.array(shoulder.ImageOrientationPatient, float).reshape(2, 3)
row_spacing, column_spacing = map(float, shoulder.PixelSpacing)
lps = np.eye(4)  # takes (column index, row index, slice, 1) to LPS mm
lps[:3, 0], lps[:3, 1] = along_row * column_spacing, down_column * row_spacing
lps[:3, 2] = np.cross(along_row, down_column) * float(shoulder.SliceThickness)
lps[:3, 3] = shoulder.ImagePositionPatient
ras = np.diag([-1, -1, 1, 1]) @ lps  # the same place, named in the other convention
print("ten columns to the right:", np.round(10 * ras[:3, 0], 2), "mm in RAS   ten rows down:", np.round(10 * ras[:3, 1], 2))
print(
    "letters by the nearest body axis:",
    nib.aff2axcodes(ras),
    "  angle to it:",
    f"{np.degrees(np.arccos(np.abs(along_row).max())):.0f} degrees",
)
show.row(
    [shoulder.pixel_array[::2, ::2]],
    titles=["oblique MR of a shoulder"],
    window=(0, float(np.percentile(shoulder.pixel_array, 99))),
    height=3.2,
    alt="A real MR slice of a shoulder joint in an oblique plane",
)

# %% [markdown]
# ### Exercise 1.1a - from voxel to millimetres
#
# Difficulty 2 of 5 - 3 points - about 8 minutes - *after it you can tell a surgeon where a finding is, on the correct side*
#
# A detector reports findings as voxel indices. Write `voxel_to_world(voxels, affine, system)`, which gives their place in the patient.
# The affine is NIfTI's: it leads to **RAS**. A colleague who plans in SimpleITK wants **LPS**.
#
# By hand, for one voxel: with spacing (2, 3, 4) mm, no rotation and voxel (0, 0, 0) at (-10, -20, -30), the voxel (1, 2, 3) lies at
# (-10 + 1·2, -20 + 2·3, -30 + 3·4) = (-8, -14, -18) in RAS, thus at (8, 14, -18) in LPS.
#
# <details><summary>Hint 1: the idea</summary>Rotate and scale the index with the 3 x 3 block, then move by the last column. For LPS two
# coordinates change sign, and only at the very end.</details>
# <details><summary>Hint 2: what to call</summary><code>affine[:3, :3]</code>, <code>affine[:3, 3]</code> and <code>@</code>. One voxel is a
# <em>row</em> of <code>voxels</code>: from which side must the matrix come, and is it the matrix or its transpose?</details>
# <details><summary>Right for a straight scan, wrong for an oblique one</summary>You multiplied by the spacing only, or by the matrix
# where its transpose belongs: for a diagonal matrix you can't tell.</details>
# <details><summary>x and z are exchanged</summary>Some libraries index arrays as [z, y, x]. NIfTI's affine expects the index in array
# order (i, j, k).</details>

# %% nbgrader={"grade": false, "grade_id": "voxel-to-world", "locked": false, "schema_version": 3, "solution": true, "task": false}
def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    """Places of voxels in the patient.

    Args:
        voxels: (N, 3) indices (i, j, k) in array order; may be fractions (the border between two voxels is at .5).
        affine: (4, 4), from voxel index to RAS mm.
        system: "RAS" or "LPS", the convention of the result.

    Returns:
        (N, 3) coordinates (x, y, z) in mm.

    Raises:
        ValueError: `system` is neither "RAS" nor "LPS".
    """
    ### BEGIN SOLUTION
    if system not in ("RAS", "LPS"):
        raise ValueError(f"system is {system!r}, but must be 'RAS' or 'LPS'")
    world = np.asarray(voxels, float) @ affine[:3, :3].T + affine[:3, 3]
    return world * ([-1, -1, 1] if system == "LPS" else [1, 1, 1])
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "voxel-to-world-straight", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A scan without rotation: spacing and origin
straight = np.array([[2.0, 0, 0, -10], [0, 3, 0, -20], [0, 0, 4, -30], [0, 0, 0, 1]])
found = np.asarray(voxel_to_world(np.array([[0, 0, 0], [1, 2, 3]]), straight))
assert found.shape == (2, 3), f"two voxels give two rows of three coordinates, you return shape {found.shape}"
assert np.allclose(found[0], [-10, -20, -30]), (
    f"voxel (0, 0, 0) lies at the origin (-10, -20, -30), you say {found[0]}: is the last column added?"
)
assert np.allclose(found[1], [-8, -14, -18]), (
    f"voxel (1, 2, 3) lies at (-8, -14, -18), you say {found[1]}: does each index meet its own axis, in the order i, j, k?"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(3)
for _ in range(4):
    step, start = rng.uniform(0.4, 6, 3), rng.normal(0, 100, 3)
    straight = np.eye(4)
    straight[:3, :3], straight[:3, 3] = np.diag(step), start
    points = rng.uniform(0, 200, (6, 3))
    assert np.allclose(voxel_to_world(points, straight), points * step + start), (
        "another spacing and origin, at fractions of a voxel, come out wrong: are indices rounded, or their order changed?"
    )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "voxel-to-world-oblique", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# An oblique scan: distances in the patient are those of the grid, and each column of the affine is the step of one index
turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1.0]])
oblique = np.eye(4)
oblique[:3, :3], oblique[:3, 3] = turn * [1.0, 2.0, 5.0], [7, -8, 9]
corners = np.asarray(voxel_to_world(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]), oblique))
assert corners.shape == (4, 3), f"four voxels give shape (4, 3), not {corners.shape}"
steps = corners[1:] - corners[0]
assert np.allclose(np.linalg.norm(steps, axis=1), [1, 2, 5]), (
    f"one step along each index is 1, 2 and 5 mm long, yours are {np.linalg.norm(steps, axis=1).round(2)}"
)
assert np.allclose(steps[0], [0.6, 0.8, 0]), (
    "the step of the first index is the first COLUMN of the affine: the axes or the matrix are turned the wrong way (transposed?)"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(7)
for _ in range(5):
    turn, _upper = np.linalg.qr(rng.normal(size=(3, 3)))
    general = np.eye(4)
    general[:3, :3], general[:3, 3] = turn * rng.uniform(0.5, 5, 3), rng.normal(0, 50, 3)
    points = rng.integers(0, 150, (5, 3))
    truth = np.array([(general @ [*point, 1.0])[:3] for point in points])
    assert np.allclose(voxel_to_world(points, general), truth), (
        "an oblique scan comes out wrong: is the matrix transposed, or the rotation left out?"
    )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "voxel-to-world-side", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Left and right: RAS and LPS name the same place. A finding 38 mm to the patient's LEFT has x = -38 in RAS and x = +38 in LPS
mni = np.array([[1.0, 0, 0, -98], [0, 1, 0, -134], [0, 0, 1, -72], [0, 0, 0, 1]])
finding = np.array([[60, 130, 110]])
ras, lps = np.asarray(voxel_to_world(finding, mni, "RAS")), np.asarray(voxel_to_world(finding, mni, "LPS"))
assert np.allclose(ras, [[-38, -4, 38]]), f"in RAS the finding lies at (-38, -4, 38), you say {ras}"
assert np.allclose(lps[..., 0], 38), (
    f"in LPS x grows to the LEFT, so this finding has x = +38, you say {lps[..., 0]}: the surgeon would open the wrong side. The sign "
    "changes last, when the origin is added already"
)
assert np.allclose(lps, [[38, 4, 38]]), f"from RAS to LPS x AND y change sign, z does not; you say {lps}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(11)
turn, _upper = np.linalg.qr(rng.normal(size=(3, 3)))
general = np.eye(4)
general[:3, :3], general[:3, 3] = turn * [0.7, 0.9, 4], [30, -60, 20]
points = rng.uniform(0, 90, (7, 3))
truth = np.array([(general @ [*point, 1.0])[:3] for point in points])
assert np.allclose(voxel_to_world(points, general, "LPS"), truth @ np.diag([-1.0, -1, 1])), (
    "LPS is off for an oblique scan: change the signs of the result, not of the index or of the origin alone"
)
try:
    voxel_to_world(points, general, "SPL")
except ValueError:
    pass
else:
    raise AssertionError("an unknown convention must raise ValueError, not silently give RAS")
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A network segments left and right hippocampus well in the hospital where it was trained. In the next hospital it swaps
# the two in every patient, with a Dice of 0 for each, though the outlines look perfect. What happened, and what one line would have
# prevented it?
#
# <details><summary>Answer</summary>The second hospital stores its arrays with the first axis running the other way (LAS for RAS). The
# network saw arrays only. Bring every volume to one voxel order first: <code>nibabel.as_closest_canonical(image)</code>, or MONAI's
# <code>Orientation(axcodes="RAS")</code>. Random left-right flips while training would have hidden the problem and made the task
# impossible, since side is the label.</details>

# %% [markdown]
# ### Intensity: a number with a unit
#
# In CT each voxel holds the linear attenuation coefficient $\mu$ of its tissue, on a scale that every scanner shares:
#
# $$\mathrm{HU} = 1000\,\frac{\mu-\mu_\mathrm{water}}{\mu_\mathrm{water}}$$
#
# so water is 0, air about -1000, fat about -100, soft tissue 20 to 70, compact bone above 1000. A threshold on HU *means* something, in
# every hospital. But the file doesn't store HU. It stores whole numbers $v$, and the header says how to read them:
# $\mathrm{HU} = m\,v + b$ with `RescaleSlope` $m$ and `RescaleIntercept` $b$ (often 1 and -1024). MR has no such scale: the same brain,
# scanned twice, may be twice as bright. Normalise MR per volume; never CT.
#
# A screen shows some 256 greys, CT has 4000 values. The **window** chooses which ones you see: centre $c$ and width $w$ map $c - w/2$ to
# black and $c + w/2$ to white, and everything beyond is clipped.
#
# **Predict before you run.** This is a real CT slice through a vertebra (the patient's back is at the bottom). Beside the vertebra, at
# the upper right, lies a disc as white as the bone. Is it bone? Move the window until the two look different, then read the HU. And: how
# much "bone" (> 300) will a threshold find if you forget slope and intercept?

# %% tags=["demo"]
scan = pydicom.dcmread(data.path("ct_small"))
stored = scan.pixel_array
hu = stored.astype(np.float32) * float(scan.RescaleSlope) + float(scan.RescaleIntercept)
places = {
    "white disc": (slice(4, 20), slice(84, 102)),
    "spinal canal": (slice(46, 56), slice(53, 62)),
    "muscle of the back": (slice(72, 86), slice(70, 100)),
    "under the skin": (slice(120, 127), slice(45, 75)),
    "black area": (slice(5, 20), slice(5, 25)),
}


def through_window(centre: float, width: float) -> plt.Figure:
    """The slice through one window, and where that window lies on the scale."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=[1, 1.4], layout="constrained")
    left.imshow(hu, vmin=centre - width / 2, vmax=centre + width / 2)
    left.set_axis_off()
    right.hist(hu[hu > -1100], bins=240, range=(-1100, 1300), log=True, color="0.6")
    right.axvspan(centre - width / 2, centre + width / 2, color=show.PALETTE[1], alpha=0.35)
    for value, tissue in ((-1000, "air"), (-800, "lung"), (-95, "fat"), (40, "muscle"), (165, "contrast agent"), (700, "bone")):
        right.text(value, 1.15 * right.get_ylim()[1], tissue, rotation=90, ha="center", va="bottom", fontsize=8)
    right.set(xlabel="HU", ylabel="pixels (log scale)")
    return fig


show.explore(
    through_window,
    alt="A real CT slice of a spine in a soft-tissue window, and its histogram in HU with the window marked",
    centre=widgets.FloatSlider(value=40, min=-900, max=900, step=10, readout_format=".0f", description="centre", continuous_update=False),
    width=widgets.FloatSlider(value=400, min=10, max=2500, step=10, readout_format=".0f", description="width", continuous_update=False),
)
for name, box in places.items():
    print(f"{name:22s} {hu[box].mean():7.0f} HU, standard deviation {hu[box].std():4.1f}")
pixel_cm2 = np.prod([float(s) for s in scan.PixelSpacing]) / 100
bone_area = {"HU > 300": (hu > 300).sum() * pixel_cm2, "stored value > 300": (stored > 300).sum() * pixel_cm2}
print("area of bone:", "; ".join(f"{name}: {area:.0f} cm²" for name, area in bone_area.items()))

# %% [markdown]
# The disc has 165 HU, and little spread: a fluid, but far above the 40 HU of plain blood. It is the aorta, filled with an iodine
# contrast agent; the header says so too (`ContrastBolusAgent`). Compact bone goes far beyond it. No comparison with other patients was
# needed; a calibrated number did it. And without slope and intercept nearly everything but lung is "bone".
#
# Look at the standard deviations too. Muscle varies by some 35 HU from pixel to pixel, much of it streaks from the dense bone. Many
# questions hang on 10 HU: grey against white matter, a fatty against a healthy liver. This is what "noise is the price of dose" means: a
# window that is narrow enough to show such a difference shows the noise as well. Section 1.3 says where the noise comes from.

# %% [markdown]
# ### Exercise 1.1b - Hounsfield units and the window
#
# Difficulty 2 of 5 - 3 points - about 6 minutes - *after it you can show any CT as a radiologist wants to see it*
#
# Write `window_ct(stored, slope, intercept, centre, width)`: from stored numbers to HU, then to greys from 0 (black) to 1 (white). (The
# DICOM standard's own formula shifts the window by half a grey level; for floating-point greys we leave that out.)
#
# <details><summary>Hint 1: the idea</summary>Two linear maps in a row and a clip. Where is HU = c - w/2 to end up, where c +
# w/2?</details>
# <details><summary>Hint 2: what to call</summary><code>stored.astype(np.float64)</code> first, then arithmetic, then <code>np.clip(...,
# 0, 1)</code>.</details>
# <details><summary>My picture is white everywhere</summary>Stored numbers are around 1024 too large to be HU. Are slope and intercept
# applied?</details>
# <details><summary>Some pixels are wildly wrong, or I get an OverflowError</summary>Whole numbers of 16 bits overflow: 20000 * 2 doesn't
# fit. Convert to floating point before you multiply.</details>
# <details><summary>Contrast is too flat by a factor of two</summary>The width is the whole window, not half of it.</details>

# %% nbgrader={"grade": false, "grade_id": "window-ct", "locked": false, "schema_version": 3, "solution": true, "task": false}
def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    """Stored CT numbers as greys in a window.

    Args:
        stored: whole numbers as in the file (int16 or uint16), any shape.
        slope, intercept: of the rescaling to HU, as in the header.
        centre, width: of the window, in HU; width > 0.

    Returns:
        Greys of the same shape, floating point: 0 at and below centre - width / 2, 1 at and above centre + width / 2, linear between.
    """
    ### BEGIN SOLUTION
    hu = stored.astype(np.float64) * slope + intercept
    return np.clip((hu - (centre - width / 2)) / width, 0.0, 1.0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "window-ct-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# From stored value to HU to grey, on numbers you can check by hand
values = np.array([[1024, 1064, 1084]], dtype=np.int16)  # 0, 40 and 60 HU with slope 1, intercept -1024
grey = np.asarray(window_ct(values, 1.0, -1024.0, 40.0, 80.0))
assert grey.shape == (1, 3), f"the greys have the shape of the image (1, 3), yours have {grey.shape}"
assert not np.allclose(grey, 1), "all is white: the stored numbers are not HU yet. Apply slope and intercept first"
assert not np.allclose(grey, [[0, 2 / 3, 1]]), (
    "you scaled by the smallest and largest value of this picture; black and white are the ends of the window, whatever the picture holds"
)
assert np.allclose(grey, [[0.0, 0.5, 0.75]]), (
    f"0, 40, 60 HU in the window 40/80 are greys 0, 0.5, 0.75; you return {grey.round(3)}. The width is the WHOLE window"
)
grey = np.asarray(window_ct(np.array([0, 500, 530], dtype=np.int16), 2.0, -1024.0, 0.0, 100.0))
assert np.allclose(grey, [0, 0.26, 0.86]), (
    f"with slope 2 the stored 0, 500, 530 are -1024, -24, 36 HU, and greys 0, 0.26, 0.86; you return {grey.round(3)}: is it slope * "
    "stored + intercept, in that order?"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(5)
for _ in range(5):
    m, b, c, w = rng.uniform(0.4, 2.5), rng.uniform(-2000, 100), rng.uniform(-600, 600), rng.uniform(50, 2000)
    inside = rng.uniform(-0.49, 0.49, (6, 7))  # grey minus one half
    v = np.round((c + inside * w - b) / m)
    keep = (v > 0) & (v < 32000)
    truth = np.clip((m * v + b - c) / w + 0.5, 0, 1)
    got = np.asarray(window_ct(np.where(keep, v, 0).astype(np.int16), m, b, c, w))
    assert got.shape == (6, 7) and np.allclose(got[keep], truth[keep], atol=1e-4), (
        "with another slope, intercept and window the grey is off: HU is slope * stored + intercept, in that order"
    )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "window-ct-clip", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Outside of the window all is black or white, and a window doesn't depend on what else is in the picture
values = np.array([0, 24, 1023, 1064, 1200, 3000], dtype=np.int16)
grey = np.asarray(window_ct(values, 1.0, -1024.0, 40.0, 80.0))
assert grey.shape == (6,), f"six pixels in, six out; you return shape {grey.shape}"
assert 0 <= grey.min() and grey.max() <= 1, (
    f"greys run from 0 to 1, yours from {grey.min():.2f} to {grey.max():.2f}: clip what lies outside of the window"
)
assert np.allclose(grey, [0, 0, 0, 0.5, 1, 1]), f"expected black, black, black, 0.5, white, white, got {grey.round(2)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(6)
values = rng.integers(0, 3000, 50).astype(np.int16)
together = np.asarray(window_ct(values, 1.0, -1024.0, 300.0, 1500.0))
alone = np.array([float(np.asarray(window_ct(values[i : i + 1], 1.0, -1024.0, 300.0, 1500.0))[0]) for i in range(50)])
assert np.allclose(together, np.clip((values - 1024.0 - 300) / 1500 + 0.5, 0, 1), atol=1e-4), "a bone window comes out wrong"
assert np.allclose(together, alone), "a pixel's grey must not depend on the other pixels: no scaling by minimum and maximum"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "window-ct-overflow", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Stored numbers are 16-bit whole numbers, signed or not. The arithmetic must not overflow, whole-numbered slopes included
for kind in (np.int16, np.uint16):
    values = np.array([0, 500, 20000], dtype=kind)
    try:
        grey = np.asarray(window_ct(values, 2, -1024, 0, 100000))
    except OverflowError as problem:
        raise AssertionError(
            f"{np.dtype(kind).name} can't hold the intercept: convert to floating point before the arithmetic"
        ) from problem
    assert np.allclose(grey, (np.array([-1024.0, -24, 38976]) + 50000) / 100000, atol=1e-4), (
        f"for {np.dtype(kind).name} input the greys are {grey.round(3)}, expected [0.49, 0.5, 0.89]. If window-ct-value passes, 20000 * 2 "
        "overflowed its 16 bits"
    )
### BEGIN HIDDEN TESTS
given = np.array([[30000, 1], [2, 3]], dtype=np.int16)
before = given.copy()
grey = np.asarray(window_ct(given, 3, -5000, 40000, 90000))  # in place
assert np.issubdtype(grey.dtype, np.floating), f"greys are floating point, yours are {grey.dtype}"
assert np.allclose(grey, np.clip((3.0 * before - 5000 - 40000) / 90000 + 0.5, 0, 1), atol=1e-4), (
    "a large slope overflows: convert to floating point before you multiply"
)
assert np.array_equal(given, before), "the caller's image was changed in place"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** Somebody normalises every CT to mean 0 and standard deviation 1 "as one does with photographs", then trains a network to
# find fatty liver (liver below about 40 HU). Why does this throw the answer away?
#
# <details><summary>Answer</summary>Fatty liver <em>is</em> a shift of the absolute number. Scaling by each scan's own mean and deviation
# ties the value of the liver to how much air, bone and table happens to be in the picture. Clip to a fixed HU range and divide by
# constants instead, the same for all patients.</details>

# %% [markdown]
# ### Voxels are bricks
#
# CT of the chest is often stored with pixels of 0.7 mm and slices of 5 mm. A voxel is then a brick, seven times as tall as wide. Two
# things follow. Counting voxels and multiplying by the voxel volume still estimates a volume, but a small object is cut by very few
# slices, and the answer depends on where they fall. And anything that ignores the spacing - a rotation, a 3 x 3 x 3 filter, "1 voxel = 1
# mm" - sees a squashed patient.
#
# **Predict before you run.** A ball of 6 mm, the size from which solid nodules are followed up (MacMahon et al. 2017), is scanned 200
# times with the slices in random positions. Between two scans a change of 25 % in volume counts as growth (Callister et al. 2015). The
# ball doesn't change. How often does it seem to, at 1.25 mm slices, and how often at 5 mm?

# %% tags=["demo"]
rng = np.random.default_rng(SEED)
diameter, in_plane, thicknesses = 6.0, 0.7, [0.7, 1.25, 2.5, 5.0]
true_mm3 = np.pi / 6 * diameter**3


def scan_ball(thickness: float, shift: np.ndarray) -> np.ndarray:
    """Voxels whose centre lies in the ball, axes (z, y, x), grid moved by `shift` voxels."""
    spacing = np.array([thickness, in_plane, in_plane])
    half = np.ceil(diameter / 2 / spacing).astype(int) + 1
    grid = np.meshgrid(*[(np.arange(-h, h + 1) + s) * size for h, s, size in zip(half, shift, spacing, strict=True)], indexing="ij")
    return sum(axis**2 for axis in grid) <= (diameter / 2) ** 2


error = {
    t: np.array([scan_ball(t, rng.uniform(-0.5, 0.5, 3)).sum() * t * in_plane**2 / true_mm3 - 1 for _ in range(200)]) * 100
    for t in thicknesses
}
beyond = {}  # two scans of one, unchanged ball: how often does the second volume differ from the first by more than 25 %?
for t in thicknesses:
    first, second = 100 + error[t], 100 + rng.permutation(error[t])
    beyond[t] = float(np.mean(np.abs(second / first - 1) > 0.25))
fig, axes = plt.subplots(1, 5, figsize=(11, 3.2), width_ratios=[1, 1, 1, 1, 2.6], layout="constrained")
for ax, t in zip(axes, thicknesses, strict=False):
    ball = scan_ball(t, np.array([0.3, 0, 0]))
    high, _deep, wide = np.array(ball.shape) * [t, in_plane, in_plane] / 2  # mm
    ax.imshow(ball[:, ball.shape[1] // 2], extent=(-wide, wide, -high, high), cmap=show.SEQUENTIAL)
    ax.set(xlim=(-5, 5), ylim=(-6, 6), facecolor=plt.get_cmap(show.SEQUENTIAL)(0.0), xticks=[], yticks=[])
    ax.set_title(f"{t} mm slices", fontsize=9)
axes[4].boxplot(list(error.values()), tick_labels=[str(t) for t in thicknesses], whis=(2.5, 97.5), showfliers=False)
axes[4].axhspan(-25, 25, color=show.PALETTE[2], alpha=0.15)
axes[4].set(xlabel="slice thickness, mm", ylabel="error of the volume, %", ylim=(-45, 60), title="200 positions; shaded: within 25 %")
show.figure(
    fig,
    alt="Side view of one 6 mm ball at four slice thicknesses, from round to a brick; the spread of its measured volume grows",
)
print("apparent growth or shrinking beyond 25 % of an unchanged ball:", {f"{t} mm": f"{100 * share:.0f} %" for t, share in beyond.items()})
print(f"at 5 mm, taking every voxel for 1 mm3 gives {scan_ball(5.0, np.zeros(3)).sum()} mm3 instead of {true_mm3:.0f} mm3")

# %% [markdown]
# At 5 mm either a slice cuts the ball near its middle, and the volume comes out a quarter too large, or one or two slices only graze it,
# and it comes out a quarter too small. So the volume has two typical values, and half of the pairs of scans would report growth or
# shrinking. (A real scan is milder, since a voxel that is half full is grey, not black or white; but whoever thresholds meets
# this.) The remedy at the scanner is thin slices. The remedy afterwards can't bring information back, but it makes voxels that filters
# and networks can treat alike in all directions.
#
# So we resample to cubes: choose a new spacing, walk over the new grid in *millimetres*, and ask the old grid for the value there. An
# **image** is a smooth quantity: interpolate linearly between its neighbours. A **label** is a name, and names have no average. Halfway
# between 0 and 4 is 2, and that is another name.
#
# **Predict before you run.** In a brain tumour data set, label 4 is enhancing tumour, label 2 oedema, label 1 necrosis, label 0 anything
# else (as in the BraTS challenge since 2017; Bakas et al. 2018). A patient has one ball of enhancing tumour and *no* oedema at all. Its
# mask is resampled from 5 mm slices to 1 mm with linear interpolation and rounded. How much oedema does the patient have afterwards?

# %% tags=["demo"]
from scipy import ndimage

thick = np.array([1.0, 1.0, 5.0])  # mm
fine = np.sqrt(sum((axis - 30) ** 2 for axis in np.indices((61, 61, 61)))) < 14  # a ball of 28 mm on a 1 mm grid
tumour = np.where(fine, 4, 0)[:, :, ::5].astype(np.uint8)
image_thick = np.where(fine, 1.0, 0.35)[:, :, ::5]
to_old = np.ones(3) / thick  # 1 mm of the new grid, in voxels of the old one
resampled = {
    name: ndimage.affine_transform(tumour.astype(float), to_old, output_shape=(61, 61, 61), order=order, mode="nearest")
    for name, order in (("linear, rounded", 1), ("nearest", 0))
}
made = {name: np.rint(result).astype(int) for name, result in resampled.items()}
invented = {name: int(np.isin(result, (1, 2, 3)).sum()) for name, result in made.items()}
side = ndimage.affine_transform(image_thick, to_old, output_shape=(61, 61, 61), order=1, mode="nearest")
fig, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
axes[0].imshow(image_thick[30].T, aspect=5, origin="lower", vmin=0, vmax=1.2)
axes[1].imshow(side[30].T, origin="lower", vmin=0, vmax=1.2)
colours = plt.matplotlib.colors.ListedColormap(["black", show.PALETTE[3], show.PALETTE[1], "white", show.PALETTE[5]])
for ax, result in zip(axes[2:], made.values(), strict=True):
    ax.imshow(result[30].T, origin="lower", cmap=colours, vmin=-0.5, vmax=4.5)
for ax, title in zip(
    axes, ("image, 5 mm slices", "image at 1 mm, linear", "label at 1 mm, linear, rounded", "label at 1 mm, nearest"), strict=True
):
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()
for number, (name, place) in enumerate({"1 necrosis": 44, "2 oedema": 42.5, "3 (unused)": 41, "4 enhancing": 36}.items()):
    line = {"arrowstyle": "-", "color": "white", "linewidth": 0.8, "relpos": (1, 0.5)}
    axes[2].annotate(name, (22, place), (1, 57 - 4.5 * number), color=colours(number + 1), fontsize=8, va="center", arrowprops=line)
show.figure(
    fig,
    alt="A ball of tumour in thick slices; linear interpolation of its label adds stripes of classes 1, 2 and 3 that nobody drew",
)
for name, result in made.items():
    print(f"{name:16s} voxels of class 1, 2, 3, 4: {[int((result == c).sum()) for c in (1, 2, 3, 4)]}")

# %% [markdown]
# Several millilitres of oedema and necrosis that nobody drew, and a "class 3" that the data set doesn't have. A network trained on such
# masks learns the ring. In practice one line does both halves right, and takes the affine along: MONAI's
# `Spacingd(keys=["image", "label"], pixdim=(1, 1, 1), mode=("bilinear", "nearest"))`.

# %% [markdown]
# ### Exercise 1.1c - resample an image and its label to cubes
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can bring scans from any protocol to one grid without damage*
#
# Write `to_isotropic(image, label, spacing, new)`. The new grid begins at the centre of the old first voxel: new voxel $n$ of an axis
# lies at $n\cdot\mathrm{new}$ mm from it. An axis of $N$ voxels with spacing $s$ gets $\mathrm{round}(N s/\mathrm{new})$ voxels. The
# image is interpolated linearly, the label by its nearest voxel (exactly between two, take either). Beyond the last voxel centre, the last
# value is repeated.
#
# <details><summary>Hint 1: the idea</summary>You go over the <em>new</em> grid and look back into the <em>old</em> one: new index n is
# old index n·new/s. (Pushing old voxels forward would leave holes.)</details>
# <details><summary>Hint 2: what to call</summary><code>from scipy import ndimage</code>, inside of your function;
# <code>ndimage.affine_transform(array, matrix, output_shape=..., order=...,
# mode="nearest")</code>; a 1-D <code>matrix</code> is the diagonal, from new index to old index. <code>order=1</code> is linear,
# <code>order=0</code> nearest.</details>
# <details><summary>My result is zoomed: only a corner of the patient, or the patient in a corner</summary>The ratio is upside
# down.</details>
# <details><summary>I used scipy.ndimage.zoom, and distances are off by a few per cent</summary>By default it pins the first and last
# voxel <em>centres</em> together, so that the spacing that comes out is (N-1)s/(M-1), not what you asked for.</details>
# <details><summary>New classes appear in the label</summary>Which order of interpolation did the label get?</details>

# %% nbgrader={"grade": false, "grade_id": "to-isotropic", "locked": false, "schema_version": 3, "solution": true, "task": false}
def to_isotropic(image: np.ndarray, label: np.ndarray, spacing: tuple, new: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Image and label on a grid of cubes.

    Args:
        image: (I, J, K) intensities.
        label: (I, J, K) whole-number classes.
        spacing: size of a voxel along the three array axes, in mm.
        new: edge of the new voxels, in mm.

    Returns:
        image (floating point) and label (same dtype as given), both of shape round(N * spacing / new) along each axis, at least 1.
    """
    ### BEGIN SOLUTION
    from scipy import ndimage

    spacing = np.asarray(spacing, float)
    shape = tuple(max(1, int(round(n * s / new))) for n, s in zip(image.shape, spacing, strict=True))
    image = ndimage.affine_transform(np.asarray(image, float), new / spacing, output_shape=shape, order=1, mode="nearest")
    label = ndimage.affine_transform(label, new / spacing, output_shape=shape, order=0, mode="nearest")
    return image, label
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "to-isotropic-shape", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The size of the new grid: every axis by its own spacing
rng = np.random.default_rng(0)
picture = rng.normal(size=(6, 5, 4))
cubes, names = to_isotropic(picture, np.zeros((6, 5, 4), np.uint8), (1.0, 2.0, 3.0), 1.0)
assert np.shape(cubes) == np.shape(names), (
    f"image and label must stay on one grid, yours have shapes {np.shape(cubes)} and {np.shape(names)}"
)
assert np.shape(cubes) == (6, 10, 12), (
    f"(6, 5, 4) voxels of 1, 2, 3 mm make (6, 10, 12) cubes of 1 mm, you return {np.shape(cubes)}: is the ratio upside down, or the "
    "axis order?"
)
assert np.allclose(cubes[:, ::2, ::3], picture), "the old voxel centres are points of the new grid here, and must keep their values"
### BEGIN HIDDEN TESTS
cubes, names = to_isotropic(rng.normal(size=(8, 9, 10)), np.ones((8, 9, 10), np.int16), (0.7, 0.9, 5.0), 2.0)
assert np.shape(cubes) == np.shape(names) == (3, 4, 25), (
    f"(8, 9, 10) voxels of 0.7, 0.9, 5 mm make (3, 4, 25) cubes of 2 mm, you return {np.shape(cubes)}"
)
assert np.all(np.asarray(names) == 1), "a label that is 1 everywhere must stay 1, beyond the last voxel centre too"
cubes, _names = to_isotropic(np.ones((3, 3, 1)), np.ones((3, 3, 1), np.uint8), (1.0, 1.0, 0.3), 1.0)
assert np.shape(cubes) == (3, 3, 1), "an axis never vanishes: it keeps at least one voxel"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "to-isotropic-image", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The image is linear between voxels: a quantity that grows steadily in millimetres still does so afterwards
ramp = np.zeros((4, 4, 6)) + 3.0 * np.arange(6)  # slices of 3 mm: the value is the height in mm
cubes, _names = to_isotropic(ramp, np.zeros((4, 4, 6), np.uint8), (1.0, 1.0, 3.0), 1.0)
cubes = np.asarray(cubes)
assert cubes.shape == (4, 4, 18), f"expected shape (4, 4, 18), got {cubes.shape}"
assert len(np.unique(cubes.round(3))) > 6, "the image comes out in steps: interpolate it linearly; nearest is for the label"
assert np.allclose(cubes[0, 0, :16], np.arange(16)), (
    f"the value should equal the height 0, 1, 2 ... 15 mm, yours is {cubes[0, 0, :16].round(2)}: new voxel n lies at n * new mm "
    "(scipy's zoom pins both ends instead), and it is linear between (higher orders overshoot)"
)
coarse, _names = to_isotropic(ramp, np.zeros((4, 4, 6), np.uint8), (1.0, 1.0, 3.0), 2.0)
assert np.allclose(np.asarray(coarse)[0, 0, :8], np.arange(0, 16, 2)), (
    f"cubes of 2 mm should read 0, 2, 4 ... 14 mm, yours {np.asarray(coarse)[0, 0, :8].round(2)}: new voxel n lies at n * new mm, not at "
    "n mm"
)
whole, _names = to_isotropic(ramp.astype(np.int16), np.zeros((4, 4, 6), np.uint8), (1.0, 1.0, 3.0), 2.0)
assert np.issubdtype(np.asarray(whole).dtype, np.floating) and np.allclose(whole, coarse), (
    "a CT is stored as whole numbers, and what lies between two of them gets cut off: make the image floating point before you interpolate"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1)
for _ in range(4):
    s, slope = rng.uniform(0.6, 3.0, 3), rng.normal(size=3)
    grid = np.indices((9, 8, 7))
    field = sum(a * h * axis for a, h, axis in zip(slope, s, grid, strict=True))
    cubes = np.asarray(to_isotropic(field, np.zeros((9, 8, 7), np.uint8), tuple(s), 1.3)[0])
    where = np.indices(cubes.shape) * 1.3
    inside = np.all(where <= (np.array([8, 7, 6]) * s)[:, None, None, None] + 1e-9, axis=0)
    truth = sum(a * axis for a, axis in zip(slope, where, strict=True))
    assert np.allclose(cubes[inside], truth[inside], atol=1e-4), (
        "an oblique ramp is not kept: check the position of the new voxels, and that the image is linear"
    )
assert np.all(np.isfinite(cubes)), "no value may be missing beyond the last voxel centre: repeat the last value"
assert cubes.min() > field.min() - 1e-4 and cubes.max() < field.max() + 1e-4, (
    "linear interpolation never goes beyond the values it is given (higher orders do)"
)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "to-isotropic-label", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The label: no class that nobody drew, and each new voxel has the name of the old voxel nearest to it
mask = np.zeros((5, 5, 4), np.uint8)
mask[1:4, 1:4, 1:3] = 4
_cubes, names = to_isotropic(mask.astype(float), mask, (1.0, 1.0, 5.0), 1.0)
names = np.asarray(names)
assert names.shape == (5, 5, 20), f"expected shape (5, 5, 20), got {names.shape}"
assert set(np.unique(names)) <= {0, 4}, (
    f"classes {sorted(set(np.unique(names).tolist()) - {0, 4})} were never drawn: a label is a name, it must not be interpolated linearly"
)
assert (names == 4).any(), "the tumour is gone"
assert np.array_equal(names[2, 2, :18], [0] * 3 + [4] * 10 + [0] * 5), (
    f"along the middle: slices at 5 and 10 mm are tumour, so 3 to 12 mm are nearest to it; yours is {names[2, 2, :18]}"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(2)
mask = rng.choice(np.array([0, 1, 2, 7, 300]), (6, 7, 8)).astype(np.int16)
names = np.asarray(to_isotropic(rng.normal(size=mask.shape), mask, (1.0, 3.0, 2.5), 1.0)[1])
at = [
    np.minimum(np.floor(np.arange(n) / s + 0.5).astype(int), m - 1)
    for n, s, m in zip((6, 21, 20), (1.0, 3.0, 2.5), mask.shape, strict=True)
]
assert names.shape == (6, 21, 20), f"expected shape (6, 21, 20), got {names.shape}"
assert names.dtype == mask.dtype, f"the label came as {mask.dtype} and must leave as {mask.dtype}, yours is {names.dtype}"
assert np.array_equal(names, mask[np.ix_(*at)]), "with five classes the label is not that of the nearest voxel"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "to-isotropic-volume", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What the clinic reads off: the volume in millilitres, and image and label that still agree
where = np.indices((40, 40, 14)) * np.array([0.8, 0.8, 2.5])[:, None, None, None] - np.array([16, 16, 17.5])[:, None, None, None]
organ = (np.sum(where**2, axis=0) < 11**2).astype(np.uint8)
cubes, names = to_isotropic(1000.0 * organ, organ, (0.8, 0.8, 2.5), 1.0)
before, after = organ.sum() * 0.8 * 0.8 * 2.5 / 1000, float(np.sum(np.asarray(names) == 1)) / 1000
assert abs(after / before - 1) < 0.05, (
    f"the organ had {before:.2f} mL and now has {after:.2f} mL: resampling must not change a volume by more than a few per cent"
)
assert np.mean((np.asarray(cubes) > 500) == (np.asarray(names) == 1)) > 0.98, (
    "image and label no longer lie on top of each other: use one grid for both"
)
### BEGIN HIDDEN TESTS
centre = np.argwhere(np.asarray(names) == 1).mean(axis=0)
assert np.allclose(centre, [16, 16, 17.5], atol=0.6), f"the organ's centre moved from (16, 16, 17.5) mm to {centre.round(1)}"
again, same = to_isotropic(cubes, names, (1.0, 1.0, 1.0), 1.0)
assert np.allclose(again, cubes) and np.array_equal(same, names), "cubes of 1 mm resampled to 1 mm must come back unchanged"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** Your network works on 1 mm cubes, and the hospital sent slices of 5 mm. You resample, predict and report a Dice on the 1
# mm grid. Which grid should the reported Dice and the delivered mask be on, and can resampling bring back a 3 mm lesion that fell between
# two slices?
#
# <details><summary>Answer</summary>On the <em>original</em> grid: there the reader drew the truth, and there the planning system expects
# the mask. A score on the resampled grid compares with a truth that you interpolated yourself. And no: interpolation makes voxels, not
# information.</details>

# %% [markdown]
# ### Several images of one patient
#
# A slice, its neighbour, the same nodule three months later, the left and the right breast: rows of your table, but *not independent*
# rows. Anatomy, scanner and positioning are the same in all of them. A model can recognise the **patient**, and if the patient's label is
# the same in each image, that is enough to score on a random test set. This is **leakage**, one of the most frequent flaws in published
# work (Roberts et al. 2021; Kapoor and Narayanan 2023).
#
# **Predict before you run.** We simulate 60 patients with 6 images each. The label is a *coin flip per patient*: there is nothing to
# learn, a new patient can only be guessed at 50 %. What accuracy will a nearest-neighbour classifier reach on a random 30 % of the
# images?

# %% tags=["demo"]
from sklearn.neighbors import KNeighborsClassifier


def simulate_visits(
    rng: np.random.Generator, effect: float, patients: int = 60, visits: int = 6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (N, 16, 16): the patient's own smooth anatomy, noise at each visit, and a central spot of height `effect` in the sick."""
    sick = rng.permutation(np.repeat([0, 1], patients // 2))
    anatomy = ndimage.gaussian_filter(rng.normal(size=(patients, 16, 16)), (0, 2, 2)) * 7
    spot = np.exp(-((np.indices((16, 16)) - 7.5) ** 2).sum(0) / 8)
    images = anatomy[:, None] + effect * sick[:, None, None, None] * spot + rng.normal(0, 0.6, (patients, visits, 16, 16))
    return images.reshape(-1, 16, 16), np.repeat(sick, visits), np.repeat(np.arange(patients), visits)


def accuracies(effect: float, repeats: int) -> np.ndarray:
    """(repeats, 3) test accuracy: split by image, split by patient, and the second model on 60 new patients."""
    scores = []
    for seed in range(repeats):
        rng = np.random.default_rng([SEED, seed])
        (x, y, who), (new_x, new_y, _) = simulate_visits(rng, effect), simulate_visits(rng, effect)
        by_image = rng.permutation(len(y)) < 0.3 * len(y)
        by_patient = np.isin(who, rng.permutation(60)[:18])
        flat = x.reshape(len(x), -1)
        first, second = (KNeighborsClassifier(5).fit(flat[~test], y[~test]) for test in (by_image, by_patient))
        scores.append(
            [
                first.score(flat[by_image], y[by_image]),
                second.score(flat[by_patient], y[by_patient]),
                second.score(new_x.reshape(len(new_x), -1), new_y),
            ]
        )
    return np.array(scores)


repeats = run.pick(ci=40, laptop=100, gpu=100)
by_effect = {"no disease in the images": accuracies(0.0, repeats), "a real but weak sign": accuracies(2.0, repeats)}
assert by_effect["no disease in the images"][:, 0].mean() > 0.8 and abs(by_effect["no disease in the images"][:, 2].mean() - 0.5) < 0.05

# %% tags=["demo"]
example, labels, _who = simulate_visits(np.random.default_rng(1), 2.0)
fig, axes = plt.subplots(1, 2, figsize=(11, 3.3), width_ratios=[1.25, 1], layout="constrained")
mosaic = np.vstack([np.pad(np.hstack(example[6 * p : 6 * p + 6]), ((0, 3), (0, 0)), constant_values=np.nan) for p in range(4)])
axes[0].imshow(mosaic)
axes[0].set(
    xticks=[],
    yticks=8 + 19 * np.arange(4),
    yticklabels=[f"patient {p}, {'sick' if labels[6 * p] else 'well'}" for p in range(4)],
    title="six visits each",
)
offsets = {"split by image": -0.22, "split by patient": 0, "60 new patients": 0.22}
for number, ((name, offset), marker) in enumerate(zip(offsets.items(), "os^", strict=True)):
    for place, scores in enumerate(by_effect.values()):
        low, middle, high = np.percentile(scores[:, number], [2.5, 50, 97.5])
        axes[1].plot([place + offset] * 2, [low, high], color=show.PALETTE[number], linewidth=3)
        dot = {"color": show.PALETTE[number], "markersize": 9, "label": name if place == 0 else None}
        axes[1].plot(place + offset, scores[:, number].mean(), marker, linestyle="none", **dot)
axes[1].axhline(0.5, color="0.5", linestyle=":")
axes[1].set(xticks=[0, 1], xticklabels=by_effect, ylabel="accuracy", ylim=(0.2, 1.02), title="mark: mean, bar: 95 % of splits")
axes[1].legend(loc="lower right", bbox_to_anchor=(1.0, 0.0), fontsize=8)
show.figure(
    fig,
    alt="Visits of one patient look alike. With a split by image the accuracy is above 0.9 though the labels are coin flips; "
    "split by patient it is 0.5, as on new patients",
)
for name, scores in by_effect.items():
    print(f"{name:26s}", "   ".join(f"{what} {mean:.2f}" for what, mean in zip(offsets, scores.mean(0), strict=True)))

# %% [markdown]
# The image-level score isn't a bit too high. It measures *another thing*: whether the model recognises people. Two lessons: the split
# comes first, before augmentation, normalisation and feature selection; and it is made by the largest unit that is shared - the patient,
# sometimes the family, often the hospital. Note also how wide the middle bars are: with 18 test patients, six images each, you have 18
# observations and not 108.

# %% [markdown]
# ### Exercise 1.1d - split by patient, with the disease on both sides
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can set up an evaluation that a reviewer will believe*
#
# Write `split_by_patient(patients, labels, fraction, seed)`, which marks the images of the test set. All images of a patient go to the
# same side. A patient **is sick if any of the patient's images is** (one slice with a tumour is enough). The sick and the well are drawn
# separately (stratified), each to `fraction` of its number, rounded with Python's `round`, so that a rare disease isn't left to chance. (A
# group of two or three may still come out empty: the remedy is more patients, not another rounding.) Who is drawn depends on the seed and
# on the names, not on the order of the images: a table that somebody sorted keeps its test set.
#
# <details><summary>Hint 1: the idea</summary>Forget images. Make a list of patients with one label each, draw patients from each of the
# two groups, and only then go back to images.</details>
# <details><summary>Hint 2: what to call</summary><code>np.unique(patients)</code>,
# <code>np.random.default_rng(seed).permutation(group)</code>, <code>np.isin(patients, drawn)</code>.</details>
# <details><summary>The same seed gives different splits</summary>Python's <code>set</code> of strings has another order in every process,
# and a dictionary has the order of the images. Sort first.</details>
# <details><summary>The number of test patients is off</summary>The fraction counts patients, not images: some patients have many more
# images than others.</details>

# %% nbgrader={"grade": false, "grade_id": "split-by-patient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    """Which images belong to the test set, drawn by patient and stratified by disease.

    Args:
        patients: (N,) the patient of each image, text, in any order.
        labels: (N,) 0 or 1 for each image; a patient with at least one 1 is sick.
        fraction: share of the sick patients, and of the well ones, that go to the test set; both numbers are rounded (`round`).
        seed: the same seed gives the same test patients, in whatever order the images come; another seed gives others.

    Returns:
        (N,) boolean, True for the images of the test set.
    """
    ### BEGIN SOLUTION
    patients, labels = np.asarray(patients), np.asarray(labels)
    rng = np.random.default_rng(seed)
    everybody, sick = np.unique(patients), np.unique(patients[labels == 1])
    drawn = [rng.permutation(group)[: round(fraction * len(group))] for group in (sick, np.setdiff1d(everybody, sick))]
    return np.isin(patients, np.concatenate(drawn))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "split-by-patient-leak", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# No patient on both sides, and the number of test PATIENTS is right
people = np.array([f"P{n:03d}" for n in [4, 0, 2, 1, 3, 2, 0, 4, 1, 3, 2, 2, 2, 2, 5, 6, 7, 8, 9, 0]])
nobody_sick = np.zeros(20, int)
test = np.asarray(split_by_patient(people, nobody_sick, 0.3, seed=1))
assert test.shape == (20,) and test.dtype == bool, f"expected 20 booleans, one an image, got {test.dtype} of shape {test.shape}"
both = set(people[test].tolist()) & set(people[~test].tolist())
assert not both, f"patients {sorted(both)} are in training AND test: the model can recognise them. Draw patients, not images"
assert len(set(people[test].tolist())) == 3, (
    f"0.3 of 10 patients are 3 test patients, yours are {len(set(people[test].tolist()))}: the fraction counts patients, not images"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(4)
for seed in range(8):
    count = int(rng.integers(30, 60))
    visits = rng.geometric(0.25, count)
    people = rng.permutation(np.repeat([f"{chr(65 + n % 26)}-{n}" for n in range(count)], visits))
    test = np.asarray(split_by_patient(people, np.zeros(len(people), int), 0.25, seed=seed)).astype(bool)
    assert not set(people[test].tolist()) & set(people[~test].tolist()), "with visits in random order a patient is on both sides"
    assert abs(len(set(people[test].tolist())) - 0.25 * count) <= 0.5, (
        "the share of test patients is off when patients differ in their number of images"
    )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "split-by-patient-rare", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A rare disease: 4 sick patients of 40, each with ONE sick image among five. With fraction 0.5, two of the four are in the test set, always
people = np.repeat([f"P{n:02d}" for n in range(40)], 5)
disease = np.zeros(200, int)
disease[[2, 51, 103, 199]] = 1
sick = set(people[disease == 1].tolist())
for seed in range(5):
    test = np.asarray(split_by_patient(people, disease, 0.5, seed=seed)).astype(bool)
    found, well = set(people[test].tolist()) & sick, set(people[test].tolist()) - sick
    assert not set(people[test].tolist()) & set(people[~test].tolist()), "a patient is on both sides"
    assert len(found) == 2, (
        f"{len(found)} of the 4 sick patients are in the test set instead of 2: draw the sick and the well separately; one sick image "
        "makes a sick patient"
    )
    assert len(well) == 18, f"{len(well)} of the 36 well patients are in the test set instead of 18"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(9)
for seed in range(6):
    order = rng.permutation(200)
    test = np.asarray(split_by_patient(people[order], disease[order], 0.25, seed=seed)).astype(bool)
    drawn = set(people[order][test].tolist())
    assert len(drawn & sick) == 1 and len(drawn - sick) == 9, "in random order, a quarter of 4 sick and of 36 well patients is 1 and 9"
    test = np.asarray(split_by_patient(people, disease, 0.1, seed=seed)).astype(bool)
    drawn = set(people[test].tolist())
    assert len(drawn & sick) == 0 and len(drawn - sick) == 4, (
        f"a tenth of 4 sick and of 36 well patients is 0.4 and 3.6, rounded 0 and 4; yours are {len(drawn & sick)} and {len(drawn - sick)}"
    )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "split-by-patient-seed", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Reproducible: the seed alone decides, and different seeds draw different patients
people, disease = np.repeat([f"case {n}" for n in range(50)], 3), np.repeat(np.arange(50) % 5 == 0, 3).astype(int)
tests = [np.asarray(split_by_patient(people, disease, 0.4, seed=seed)).astype(bool) for seed in (0, 1, 2, 3, 0)]
assert all(test.sum() == 60 for test in tests), "0.4 of 50 patients with 3 images each are 60 test images"
assert np.array_equal(tests[0], tests[4]), "the same seed must give the same split: draw from np.random.default_rng(seed)"
backwards = np.asarray(split_by_patient(people[::-1], disease[::-1], 0.4, seed=0)).astype(bool)[::-1]
assert np.array_equal(tests[0], backwards), "the same images in another order must give the same test patients: sort them before you draw"
assert not all(np.array_equal(tests[0], test) for test in tests[1:4]), (
    "seeds 0 to 3 all give the same split: is the seed used, or are the first patients taken?"
)
### BEGIN HIDDEN TESTS
share = np.mean(
    [np.asarray(split_by_patient(people, disease, 0.4, seed=seed)).astype(bool).reshape(50, 3)[:, 0] for seed in range(100)], axis=0
)
assert share.min() > 0.15 and share.max() < 0.65, (
    "over many seeds every patient should be drawn about equally often: somebody is always, or never, in the test set"
)
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A colleague splits by patient, but first makes ten augmented copies of every image and normalises by the mean of *all*
# images. Which of the two leaks, if any?
#
# <details><summary>Answer</summary>The copies don't, as long as the split that follows is by patient (they would, by image). The
# normalisation does: the mean contains the test images. Here the effect is small; with feature selection or harmonisation across sites
# done on all data it is large. Fit everything on the training patients only.</details>

# %% [markdown]
# ### Rare disease: what does a positive result mean?
#
# A model's sensitivity $Se$ and specificity $Sp$ describe the *test*. The patient asks another question: *my result is positive, am I
# ill?* That is the **positive predictive value**, and it depends on the **prevalence** $\pi$, the share of people who are ill before
# testing:
#
# $$\mathrm{PPV} = \frac{Se\,\pi}{Se\,\pi + (1-Sp)(1-\pi)}$$
#
# **Predict before you run.** A test with 90 % sensitivity and 90 % specificity was evaluated on a balanced set, half ill, half well. PPV
# there: 90 %. Now it is used for screening, where 1 person in 100 is ill. Of those who test positive, how many are ill?

# %% tags=["demo"]
def predictive_value(prevalence: float, sensitivity: float = 0.9, specificity: float = 0.9) -> float:
    """Share of the ill among those who test positive (Bayes)."""
    hits, alarms = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    return hits / (hits + alarms)


def thousand(ill_of_1000: int, sensitivity: float, specificity: float) -> plt.Figure:
    """A thousand people as dots, and PPV against prevalence."""
    ill_found = round(ill_of_1000 * sensitivity)
    alarms = round((1000 - ill_of_1000) * (1 - specificity))
    counts = {
        "ill, found": ill_found,
        "ill, missed": ill_of_1000 - ill_found,
        "well, false alarm": alarms,
        "well": 1000 - ill_of_1000 - alarms,
    }
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), width_ratios=[1.6, 1], layout="constrained")
    colours, start = (show.PALETTE[3], show.PALETTE[7], show.PALETTE[5], "0.88"), 0
    for (name, count), colour in zip(counts.items(), colours, strict=True):
        place = np.arange(start, start + count)
        left.scatter(place // 20, -(place % 20), s=22, color=colour, marker="sDoo"[list(counts).index(name)], label=f"{count} {name}")
        start += count
    left.legend(ncols=4, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), handletextpad=0.1, columnspacing=1)
    left.set_axis_off()
    grid = np.geomspace(0.001, 0.6, 100)
    right.semilogx(grid, [predictive_value(p, sensitivity, specificity) for p in grid], linewidth=2)
    ppv = predictive_value(ill_of_1000 / 1000, sensitivity, specificity)
    right.plot(ill_of_1000 / 1000, ppv, "o", color=show.PALETTE[3], markersize=9)
    right.annotate(f"PPV {100 * ppv:.0f} %", (ill_of_1000 / 1000, ppv), xytext=(-12, 10), textcoords="offset points", ha="right")
    right.set(xlabel="prevalence (log scale)", ylabel="positive predictive value", ylim=(0, 1))
    return fig

# %% tags=["demo"]
show.explore(
    thousand,
    alt="A thousand people as dots, 10 of them ill: 9 are found among 99 false alarms; PPV climbs from nearly 0 to 0.9 with prevalence",
    ill_of_1000=widgets.IntSlider(value=10, min=1, max=500, description="ill of 1000", continuous_update=False),
    sensitivity=widgets.FloatSlider(value=0.9, min=0.5, max=1.0, step=0.01, description="sensitivity", continuous_update=False),
    specificity=widgets.FloatSlider(
        value=0.9, min=0.5, max=0.999, step=0.001, readout_format=".3f", description="specificity", continuous_update=False
    ),
)

# %% tags=["demo"]
# The same, measured: 500 rounds of screening, 2000 people each
rng = np.random.default_rng(SEED)
ill = rng.binomial(2000, 0.01, 500)
true_positive, false_positive = rng.binomial(ill, 0.9), rng.binomial(2000 - ill, 0.1)
ppv_rounds = true_positive / (true_positive + false_positive)
ppv_interval = np.percentile(ppv_rounds, [2.5, 97.5])
print(
    f"PPV in 500 simulated rounds, 1 % ill: {ppv_rounds.mean():.3f}, 95 % of rounds between {ppv_interval[0]:.3f} and {ppv_interval[1]:.3f}"
)

# %% [markdown]
# Nine ill people stand among 99 false alarms. Nothing is wrong with the model; it was *moved*. Move the sliders: to make screening
# useful, which of the two must rise, sensitivity or specificity? And mind the opposite direction: "accuracy 99 %" is what a program
# reaches that always says "well".
#
# **Checkpoint.** A paper reports a PPV of 0.87 in a data set of 400 patients, half of them ill. Your clinic sees the disease in 4 % of
# those referred. What else must the paper report for you to know your PPV?
#
# <details><summary>Answer</summary>Sensitivity and specificity at the operating point (with intervals). With, say, Se = 0.90 and Sp =
# 0.866 the PPV is 0.87 at 50 %, and at 4 % it is 0.036 / (0.036 + 0.134·0.96) = 0.22. And that still assumes that your patients are as
# ill, and your controls as well, as theirs.</details>

# %% [markdown]
# ### Readers disagree
#
# Who says what is true? Usually a reader does, and readers differ: in a classic study ten radiologists read the same 150 mammograms, and
# how often they recommended an immediate work-up of women *without* cancer ranged from 11 % to 65 % (Elmore et al. 1994). So there are
# few labels (an expert hour is dear), and each has an error.
#
# How far do two readers agree? The share of equal answers, $p_o$, flatters: if both say "well" to nearly everybody, they agree nearly
# always, without looking. **Cohen's kappa** (Cohen 1960) asks how much of the possible agreement *beyond chance* they reach:
#
# $$\kappa = \frac{p_o - p_e}{1 - p_e},\qquad p_e=\sum_c p_A(c)\,p_B(c)$$
#
# with $p_A(c)$ the share of cases to which reader A gives class $c$. $\kappa=1$ is complete agreement, 0 is chance. For grades (0 to 4) a
# confusion of 0 and 4 is worse than of 0 and 1. The weighted form charges a cost $w(a,b)$ for each pair of answers:
#
# $$\kappa_w = 1-\frac{\frac1n\sum_i w(a_i,b_i)}{\frac1{n^2}\sum_i\sum_j w(a_i,b_j)},\qquad w(a,b)=(a-b)^2 \text{ (quadratic)}$$
#
# The denominator is the cost if the answers of B were dealt to random patients. With $w(a,b)=1$ for $a\ne b$ this *is* the first formula.
#
# **Predict before you run.** Four readers label 2000 cases. We know the truth, since it is simulated. A *perfect* model is scored against
# reader 1. What accuracy will it get? And when the disease becomes rare, will percent agreement rise or fall? And kappa?

# %% tags=["demo"]
from itertools import combinations

from sklearn.metrics import cohen_kappa_score

reader_sensitivity, reader_specificity = np.array([0.93, 0.88, 0.84, 0.78]), np.array([0.95, 0.97, 0.92, 0.96])  # good, not perfect


def read(prevalence: float, cases: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Truth (cases,) and the answers (cases, 4) of the four readers, who err independently of each other."""
    rng = np.random.default_rng(SEED)
    truth = (np.arange(cases) < prevalence * cases).astype(int)
    chance_of_ill = np.where(truth[:, None] == 1, reader_sensitivity, 1 - reader_specificity)
    return truth, (rng.random((cases, 4)) < chance_of_ill).astype(int)


by_prevalence = {f"{100 * p:.0f} %": read(p) for p in (0.3, 0.03)}
pairs = list(combinations(range(4), 2))
agreements = {name: np.array([np.mean(x[:, i] == x[:, j]) for i, j in pairs]) for name, (_, x) in by_prevalence.items()}
kappas = {name: np.array([cohen_kappa_score(x[:, i], x[:, j]) for i, j in pairs]) for name, (_, x) in by_prevalence.items()}
kappa_range = {name: (values.min(), values.max()) for name, values in kappas.items()}
truth, answers = by_prevalence["30 %"]
sides = {f"reader {r + 1}": answers[:, r] for r in range(4)}
sides["majority"] = (answers.sum(1) + answers[:, 0] > 2).astype(int)  # two against two: reader 1 decides
sides["truth"] = truth
kappa_grid = np.array([[cohen_kappa_score(a, b) for b in sides.values()] for a in sides.values()])
single = [float(np.mean(answers[:, r] == truth)) for r in range(4)]
print("a perfect model scored against reader 1 to 4: accuracy", ", ".join(f"{s:.3f}" for s in single))
print(f"the same against the majority: {np.mean(sides['majority'] == truth):.3f}")
for name in by_prevalence:
    print(f"prevalence {name:>4}: mean percent agreement {agreements[name].mean():.2f}, mean kappa {kappas[name].mean():.2f}")

# %% tags=["demo"]
fig, axes = plt.subplots(1, 2, figsize=(11, 3.9), width_ratios=[1, 1.25], layout="constrained")
axes[0].imshow(kappa_grid, cmap=show.SEQUENTIAL, vmin=0, vmax=1)
for (r, c), value in np.ndenumerate(kappa_grid):
    axes[0].text(c, r, f"{value:.2f}", ha="center", va="center", fontsize=8, color="black" if value > 0.55 else "white")
axes[0].set(xticks=range(6), yticks=range(6), xticklabels=sides, yticklabels=sides, title="kappa at a prevalence of 30 %")
axes[0].tick_params(axis="x", rotation=40)
for number, name in enumerate(by_prevalence):
    for agreement, kappa in zip(agreements[name], kappas[name], strict=True):
        axes[1].plot([number - 0.15, number + 0.15], [agreement, kappa], "-", color="0.75", zorder=0)
        axes[1].plot(number - 0.15, agreement, "o", color=show.PALETTE[1])
        axes[1].plot(number + 0.15, kappa, "s", color=show.PALETTE[0])
axes[1].axvline(0.5, color="0.8")
axes[1].set(xticks=[-0.15, 0.15, 0.85, 1.15], xticklabels=["percent\nagreement", "kappa"] * 2, ylim=(0, 1), ylabel="agreement (1: complete)")
axes[1].set_title("six pairs of readers; left: 30 % ill, right: 3 % ill", fontsize=10)
show.figure(
    fig,
    alt="Kappa between four readers, their majority and the truth. When the disease gets rare, "
    "percent agreement of the same readers stays high while kappa drops",
)

# %% [markdown]
# Three things to remember. A perfect model can't score 100 % against a fallible reader: the disagreement between readers is the
# *ceiling* of your evaluation. Several readers together are better than each alone. And kappa depends on prevalence too: report it *with*
# the table of answers, not instead. (How to estimate each reader's quality without a truth - STAPLE - comes in lecture 5.)

# %% [markdown]
# ### Exercise 1.1e - Cohen's kappa, plain and weighted
#
# Difficulty 3 of 5 - 3 points - about 15 minutes - *after it you can tell agreement from coincidence, and judge how good a label is*
#
# Write `cohen_kappa(a, b, weights)` from the formulas above, without calling a library's kappa. If both readers put every case in one and
# the same class, chance agreement is complete, the formula says 0/0, and kappa is **undefined**: return `nan`.
#
# By hand: A says 1 1 0 0, B says 1 0 0 0. They agree on 3 of 4; by chance on $\frac24\cdot\frac14+\frac24\cdot\frac34=\frac12$;
# $\kappa=(0.75-0.5)/(1-0.5)=0.5$.
#
# <details><summary>Hint 1: the idea</summary>Compare the cost you observe with the cost if B's answers were shuffled over the
# patients.</details>
# <details><summary>Hint 2: what to call</summary><code>a[:, None]</code> against <code>b[None, :]</code> gives the cost of every pair, n
# x n: its mean is the chance cost, the mean of its diagonal the observed one.</details>
# <details><summary>Two readers who guess get a kappa well above 0</summary>Chance is estimated from each reader's own habits, not as 1 /
# number of classes.</details>
# <details><summary>Nearly right, but not when the readers have different habits</summary>Don't pool the two readers' shares: p_A times
# p_B, class by class.</details>

# %% nbgrader={"grade": false, "grade_id": "cohen-kappa", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    """Agreement of two readers beyond chance.

    Args:
        a, b: (n,) whole-number classes or grades of the same n cases, any number of classes.
        weights: None, every disagreement costs 1; or "quadratic", a disagreement costs the squared difference of the grades.

    Returns:
        kappa, at most 1; nan where chance agreement is complete.
    """
    ### BEGIN SOLUTION
    a, b = np.asarray(a, float), np.asarray(b, float)
    difference = a[:, None] - b[None, :]
    cost = difference**2 if weights == "quadratic" else (difference != 0).astype(float)
    by_chance = cost.mean()
    return float(1 - np.diag(cost).mean() / by_chance) if by_chance > 0 else float("nan")
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "cohen-kappa-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value on the example by hand, and with three classes
value = float(cohen_kappa(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0])))
assert not np.isclose(value, 0.75), "0.75 is percent agreement: kappa takes away what chance alone would give"
assert np.isclose(value, 0.5), f"the example gives (0.75 - 0.5) / (1 - 0.5) = 0.5, you return {value:.3f}"
same = np.array([0, 1, 2, 2, 1, 0, 0])
assert np.isclose(cohen_kappa(same, same), 1.0), "complete agreement is kappa 1"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(3)
for classes in (2, 3, 5):
    a = rng.choice(classes, 80, p=rng.dirichlet(np.ones(classes)))
    b = np.where(rng.random(80) < 0.5, a, rng.choice(classes, 80, p=rng.dirichlet(np.ones(classes))))
    observed, chance = np.mean(a == b), sum(np.mean(a == c) * np.mean(b == c) for c in range(classes))
    assert np.isclose(cohen_kappa(a, b), (observed - chance) / (1 - chance)), (
        f"with {classes} classes and readers of different habits the value is off: is chance p_A times p_B, class by class?"
    )
    assert np.isclose(cohen_kappa(a, b), cohen_kappa(b, a)), "kappa is symmetric in the two readers"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cohen-kappa-rare", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A rare disease: two readers who guess "ill" in 5 % of the cases agree on 90 %, and it means nothing
rng = np.random.default_rng(0)
one, other = (rng.random(1500) < 0.05).astype(int), (rng.random(1500) < 0.05).astype(int)
value = float(cohen_kappa(one, other))
assert abs(value) < 0.1, (
    f"these readers only guess, yet you give kappa {value:.2f}: chance is what each reader's own habits give, not 1 / number of classes"
)
lazy = float(cohen_kappa(np.array([0] * 95 + [1] * 5), np.zeros(100, int)))
assert np.isclose(lazy, 0), f"a reader who always says 'well' has kappa 0 with anybody, you give {lazy:.2f}"
### BEGIN HIDDEN TESTS
assert np.isclose(cohen_kappa(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])), -1.0), (
    "readers who always contradict each other, half and half, have kappa -1"
)
undefined = cohen_kappa(np.zeros(20, int), np.zeros(20, int))
assert np.isnan(undefined), f"both say 'well' to everybody: kappa is 0/0, thus undefined, and must be nan; you give {undefined}"
assert np.isclose(cohen_kappa(np.array([7, 7, 3, 3]), np.array([7, 3, 3, 3])), 0.5), (
    "classes need not be 0 and 1: only equal or different counts"
)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cohen-kappa-weighted", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Grades: confusing 0 with 4 must cost more than 0 with 1
a, near, far = np.array([0, 1, 2, 3, 4, 4]), np.array([0, 1, 2, 3, 4, 3]), np.array([0, 1, 2, 3, 4, 0])
value_near, value_far = float(cohen_kappa(a, near, "quadratic")), float(cohen_kappa(a, far, "quadratic"))
assert value_near > value_far, "to mistake grade 4 for 3 must cost less than to mistake it for 0"
chance = np.mean([(x - y) ** 2 for x in a for y in near])
assert np.isclose(value_near, 1 - (1 / 6) / chance), (
    f"expected {1 - (1 / 6) / chance:.5f}, you return {value_near:.5f}: the cost is the SQUARED difference, in the observed and in the "
    "chance term, and chance is the product of each reader's own shares, not of pooled ones"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(8)
for _ in range(4):
    a = rng.integers(0, 5, 60)
    b = np.clip(a + rng.integers(-2, 3, 60), 0, 4)
    top = sum((x - y) ** 2 for x, y in zip(a.tolist(), b.tolist(), strict=True)) / 60
    bottom = sum(np.mean(a == x) * np.mean(b == y) * (x - y) ** 2 for x in range(5) for y in range(5))
    assert np.isclose(cohen_kappa(a, b, "quadratic"), 1 - top / bottom), "quadratic kappa is off on random grades"
    assert np.isclose(cohen_kappa(10 * a + 3, 10 * b + 3, "quadratic"), 1 - top / bottom), (
        "grades 3, 13, 23 ... instead of 0, 1, 2 ... change nothing"
    )
a, b = np.array([0, 0, 1, 4, 4, 1]), np.array([0, 1, 1, 4, 1, 4])  # nobody gives 2 or 3
bottom = np.mean([(x - y) ** 2 for x in a.tolist() for y in b.tolist()])
assert np.isclose(cohen_kappa(a, b, "quadratic"), 1 - 19 / 6 / bottom), (
    "where nobody gives grade 2 or 3, 1 and 4 are still three grades apart: take the difference of the grades, not of their ranks"
)
two = rng.integers(0, 2, (2, 50))
assert np.isclose(cohen_kappa(two[0], two[1], "quadratic"), cohen_kappa(two[0], two[1])), (
    "with two classes the weighted and the plain kappa are the same"
)
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A model reaches a quadratic kappa of 0.80 with the reference grader on diabetic retinopathy; two human graders reach
# 0.78 with each other. May one write "better than humans"?
#
# <details><summary>Answer</summary>No. The model was probably trained on labels of that very grader, or of a panel with the same habits; it
# agrees with <em>them</em>. Humans who trained elsewhere don't share the habits. And without intervals by patient a difference of 0.02 says
# nothing. Compare model and human against a truth made independently of both (a panel with adjudication, follow-up, pathology).</details>

# %% [markdown]
# ### Privacy: the file names the patient
#
# A DICOM file is a list of *elements*: tag, type (VR), value. Hundreds of them describe the scan, dozens describe the person. Before a
# file may leave the hospital for research, the person must be removed, *and the scan must stay usable*. The standard lists what to do
# with each element (DICOM PS3.15, Annex E). Five ideas carry most of it:
#
# 1. **Identifying text** goes: every person name (VR `PN`), birth date, address, institution ... A pseudonym replaces the `PatientID`, so
#   that two scans of one patient still belong together.
# 2. **Sequences** (VR `SQ`) hold data sets inside the data set, to any depth. The old patient number likes to live there.
# 3. **Private elements** (odd group number) hold whatever the vendor liked to keep, names included. Nobody can know; they go.
# 4. **UIDs** of study, series and image point back to the hospital's archive. Each is replaced, *the same one by the same one*, so that
#   slices still find their series and references their image. UIDs that begin with `1.2.840.10008.` name a *kind* of thing ("CT image"),
#   not a thing: they stay.
# 5. **Dates** are shifted by a number of days that is secret and the same for all dates of a patient: intervals survive, the calendar
#   doesn't.
#
# **Predict before you run.** A simulated file holds identifying strings at known places. A script empties every identifying element at
# the top level, as in most quick scripts. What share of the strings is still in the file?

# %% tags=["demo"]
import copy
import io

planted = simulate.dicom(seed=SEED)
TEXT = ("PN", "DA", "DT", "TM", "LO", "SH", "LT", "ST", "UT", "UI", "AS")
KEEP = ("SOPClassUID", "SOPInstanceUID")  # without them it is no DICOM file any more
quick, thorough = copy.deepcopy(planted.dataset), copy.deepcopy(planted.dataset)
for element in quick:
    if element.VR in TEXT and element.keyword not in KEEP and not element.tag.is_private:
        element.value = ""


def strings_left(scan: pydicom.Dataset, strings: list[str]) -> list[str]:
    """Which of these strings can be read in the raw bytes of the file."""
    buffer = io.BytesIO()
    scan.save_as(buffer)
    return [text for text in strings if text.encode() in buffer.getvalue()]

# %% tags=["demo"]
def places_of(scan: pydicom.Dataset, texts: list[str], path: str = "") -> list[str]:
    """Where in the tree of elements each string stands."""
    found = []
    for element in scan:
        here = f"{path}{element.name.strip('[]')}" + (" (private)" if element.tag.is_private else "")
        if element.VR == "SQ":
            for item in element.value:
                found += places_of(item, texts, here + " > ")
        elif any(text in str(element.value) for text in texts):
            found.append(f"{here}: {str(element.value)[:40]}")
    return found


left = strings_left(quick, planted.planted)
share_left = len(left) / len(planted.planted)
print(f"{len(planted.planted)} identifying strings; with a clean top level {len(left)} can still be read ({share_left:.0%}), for example")
print("\n".join(f"   {place}" for place in places_of(quick, left)[:8]))


def empty(level: pydicom.Dataset, element: pydicom.DataElement) -> None:
    """Called by pydicom for every element at every depth."""
    if element.VR in TEXT and element.keyword not in KEEP:
        element.value = ""


thorough.remove_private_tags()
thorough.walk(empty)
share_thorough = len(strings_left(thorough, planted.planted)) / len(planted.planted)
print(f"the same at every depth, private elements removed: {share_thorough:.0%}. But no slice finds its series now: see rules 4 and 5")

# %% [markdown]
# And a trap that no header script can catch: text that is *burned into the pixels*, as ultrasound machines and film scanners do.

# %% tags=["demo"]
from PIL import Image, ImageDraw

vertebra = data.load("ct_small").image
burned = Image.fromarray(np.clip((vertebra + 160) / 400 * 255, 0, 255).astype(np.uint8)).resize((384, 384))
pen = ImageDraw.Draw(burned)
pen.rectangle((0, 0, 330, 30), fill=0)
pen.text((8, 4), "MUSTER^ERIKA  *1964-08-12", fill=255, font_size=20)
show.row(
    [np.asarray(burned)],
    titles=["a clean header, and yet (the name is invented)"],
    height=3.0,
    alt="A CT slice of a vertebra with an invented patient name and birth date drawn into its pixels",
)

# %% [markdown]
# ### Exercise 1.1f - remove the patient from a DICOM file
#
# Difficulty 4 of 5 - 6 points - about 45 minutes - *after it you can share a scan without sharing a person, and see through a script that
# doesn't*
#
# Write `deidentify(file, salt)`: bytes in, bytes out. `salt` is the project's secret: the same salt gives the same pseudonyms, another
# salt gives others. The rules, **at every depth of sequences**:
#
# | element | becomes |
# |---|---|
# | `PatientID` | `pseudonym(salt, value)` |
# | VR `PN`, or keyword in `IDENTIFYING` | empty (or removed) |
# | private (`tag.is_private`) | removed |
# | VR `UI`, unless it begins with `1.2.840.10008.` | `new_uid(salt, value)`; the same in `file_meta.MediaStorageSOPInstanceUID` |
# | VR `DA` or `DT` that is left | moved by `days_for(salt, PatientID of the whole file, before you change it)` |
# | everything else, pixels above all | unchanged; `PatientIdentityRemoved` is set to `"YES"` |
#
# The two cells below are given: the cryptography is not the exercise. Walking the tree is. (Numbers of your own are fine, as long as they
# depend on the patient or UID and on the salt alone, and dates move by at most ten years.) Real files aren't tidy: an element may be missing, empty, or hold several values.
#
# <details><summary>Hint 1: the idea</summary>A function that cleans one data set and calls <em>itself</em> for each item of each
# sequence.</details>
# <details><summary>Hint 2: what to call</summary><code>pydicom.dcmread(io.BytesIO(file))</code>; <code>for element in list(scan)</code>
# (a list, since you delete while you go); <code>del scan[element.tag]</code>; <code>element.VR</code>, <code>element.keyword</code>,
# <code>element.value</code>; <code>scan.save_as(buffer)</code>, <code>buffer.getvalue()</code>.</details>
# <details><summary>"time data '['20200101', ...' does not match", or AttributeError: PatientID</summary>An element may hold several values (a
# <code>pydicom.multival.MultiValue</code>): change each. And it may be absent: <code>scan.get("PatientID", "")</code>.</details>
# <details><summary>The dates of two files of one patient move differently</summary>Did you read the PatientID after you replaced it, or
# from the item of a sequence? Take it once, at the start, from the file's top level.</details>
# <details><summary>"dictionary changed size during iteration", or elements are skipped</summary>Walk over
# <code>list(scan)</code>.</details>
# <details><summary>The viewer says "unknown SOP class"</summary>You replaced a UID that names a kind: leave <code>1.2.840.10008.</code>
# alone.</details>

# %% tags=["given"]
IDENTIFYING = (  # a teaching list; the standard's table has several hundred rows
    "PatientBirthDate", "PatientBirthTime", "PatientAddress", "PatientTelephoneNumbers", "OtherPatientIDs", "OtherPatientNames",
    "PatientMotherBirthName", "IssuerOfPatientID", "MilitaryRank", "EthnicGroup", "Occupation", "AdditionalPatientHistory",
    "PatientComments", "ImageComments", "AccessionNumber", "StudyID", "RequestedProcedureDescription",
    "PerformedProcedureStepDescription", "SeriesDescription", "StudyDescription", "InstitutionName", "InstitutionAddress",
    "InstitutionalDepartmentName", "StationName", "DeviceSerialNumber", "ReferringPhysicianAddress",
    "ReferringPhysicianTelephoneNumbers", "AdmissionID", "RequestedProcedureID", "PlacerOrderNumberImagingServiceRequest",
)  # fmt: skip

# %% tags=["given"]
import datetime
import hashlib
import hmac
import io

import pydicom


def secret_number(salt: str, text: str) -> int:
    """A large number that nobody can compute without the salt (HMAC-SHA256)."""
    return int.from_bytes(hmac.new(salt.encode(), text.encode(), hashlib.sha256).digest()[:15], "big")


def pseudonym(salt: str, patient_id: str) -> str:
    """What replaces a patient number."""
    return f"P{secret_number(salt, 'patient ' + str(patient_id)) % 10**12:012d}"


def new_uid(salt: str, uid: str) -> str:
    """A valid UID instead of this one; the same for the same."""
    return f"2.25.{secret_number(salt, 'uid ' + str(uid))}"


def days_for(salt: str, patient_id: str) -> int:
    """By how many days this patient's dates move: 1 to 3650 into the past."""
    return -1 - secret_number(salt, "days " + str(patient_id)) % 3650


def moved(date: str, days: int) -> str:
    """A DICOM date or date-time (YYYYMMDD...) moved by whole days; the time of day stays. Empty stays empty."""
    if len(date) < 8:
        return ""  # a year alone, or nothing
    day = datetime.datetime.strptime(date[:8], "%Y%m%d") + datetime.timedelta(days=days)
    return day.strftime("%Y%m%d") + date[8:]

# %% nbgrader={"grade": false, "grade_id": "deidentify", "locked": false, "schema_version": 3, "solution": true, "task": false}
def deidentify(file: bytes, salt: str) -> bytes:
    """A DICOM file without its patient.

    Args:
        file: the bytes of a DICOM file (Part 10).
        salt: the project's secret; decides pseudonyms, UIDs and the shift of the dates.

    Returns:
        The bytes of a readable DICOM file with the same pixels, changed by the rules above at every depth.
    """
    ### BEGIN SOLUTION
    scan = pydicom.dcmread(io.BytesIO(file))
    days = days_for(salt, str(scan.get("PatientID", "")))

    def new_value(kind: str, text: str) -> str:
        if kind == "UI":
            return text if text.startswith("1.2.840.10008.") else new_uid(salt, text)
        return moved(text, days)

    def clean(level: pydicom.Dataset) -> None:
        for element in list(level):
            if element.tag.is_private:
                del level[element.tag]
            elif element.VR == "SQ":
                for item in element.value:
                    clean(item)
            elif element.VR == "PN" or element.keyword in IDENTIFYING:
                element.value = ""
            elif element.keyword == "PatientID":
                element.value = pseudonym(salt, str(element.value))
            elif element.VR in ("UI", "DA", "DT") and element.value:
                several = element.value if element.VM > 1 else [element.value]
                element.value = [new_value(element.VR, str(value)) for value in several]

    clean(scan)
    scan.PatientIdentityRemoved = "YES"
    scan.file_meta.MediaStorageSOPInstanceUID = scan.SOPInstanceUID
    result = io.BytesIO()
    scan.save_as(result)
    return result.getvalue()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "deidentify-top", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The top level: names and texts are gone, a pseudonym is there, and the scan itself is as it was
import io
import pydicom


def packed(scan):
    buffer = io.BytesIO()
    scan.save_as(buffer)
    return buffer.getvalue()


scan = pydicom.dcmread(data.path("ct_small"))
scan.PatientName, scan.PatientID, scan.PatientBirthDate, scan.InstitutionName, scan.OperatorsName = (
    "Muster^Erika",
    "H-4711",
    "19640812",
    "St. Example",
    "Doe^J",
)
raw = deidentify(packed(scan), "salt")
assert isinstance(raw, bytes), f"the result must be the bytes of a file, you return {type(raw).__name__}"
clean = pydicom.dcmread(io.BytesIO(raw))
for keyword in ("PatientName", "PatientBirthDate", "InstitutionName", "OperatorsName"):
    assert not str(clean.get(keyword) or ""), f"{keyword} still says '{clean.get(keyword)}'"
assert clean.get("PatientID") not in (None, "", "H-4711"), (
    "PatientID must become a pseudonym: not stay, and not vanish, since two scans of one patient must still match"
)
assert clean.get("PatientIdentityRemoved") == "YES", "set PatientIdentityRemoved to 'YES'"
assert "PixelData" in clean and clean.PixelData == scan.PixelData and clean.RescaleIntercept == -1024, (
    "pixels and their scale must come through unchanged"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(21)
secret = "".join(rng.choice(list("BCDFGHJKLM"), 9))
for keyword, value in {
    "PatientName": f"{secret}^A",
    "PhysiciansOfRecord": f"Dr^{secret}",
    "PatientAddress": f"{secret} street 1",
    "AccessionNumber": secret,
    "PatientComments": f"brother of {secret}",
    "StationName": secret,
    "PatientID": secret,
}.items():
    setattr(scan, keyword, value)
raw = deidentify(packed(scan), "salt")
assert secret.encode() not in raw, (
    "an identifying text can still be read in the bytes of the file: every person name (VR PN) and every keyword of IDENTIFYING goes"
)
one, same, other = (pydicom.dcmread(io.BytesIO(deidentify(packed(scan), salt))) for salt in ("x", "x", "y"))
assert one.PatientID == same.PatientID != other.PatientID, "the pseudonym must depend on the patient and on the salt, and on nothing else"
assert np.array_equal(one.pixel_array, scan.pixel_array) and one.PixelSpacing == scan.PixelSpacing and one.Modality == "CT", (
    "the scan itself was damaged"
)
del scan.PatientID
try:
    nobody = pydicom.dcmread(io.BytesIO(deidentify(packed(scan), "salt")))
except (AttributeError, KeyError, TypeError) as problem:
    raise AssertionError(f"a file without PatientID stops your function ({type(problem).__name__}): read it with scan.get") from None
assert not str(nobody.get("PatientName") or ""), "in a file without PatientID the name stays"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "deidentify-nested", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Sequences: a data set inside the data set inside the data set
import io
import pydicom
from pydicom.dataset import Dataset


def packed(scan):
    buffer = io.BytesIO()
    scan.save_as(buffer)
    return buffer.getvalue()


scan = pydicom.dcmread(data.path("ct_small"))  # this real file already has a sequence of other patient numbers: ABCD1234 and 1234ABCD
scan.PatientID = "H-4711"
request = Dataset()
request.RequestingPhysician, request.PatientID = "Doctor^Ann", "H-4711"
scan.RequestAttributesSequence = [request]
clean = pydicom.dcmread(io.BytesIO(deidentify(packed(scan), "salt")))
assert clean.get("RequestAttributesSequence"), "the sequence itself should stay: clean what is inside"
assert not str(clean.RequestAttributesSequence[0].get("RequestingPhysician") or ""), (
    "the physician's name inside of a sequence is still there: clean the items of every sequence, not only the top level"
)
assert clean.get("PatientID") not in (None, "", "H-4711"), "PatientID must become a pseudonym, at the top level too"
assert clean.RequestAttributesSequence[0].get("PatientID") == clean.PatientID != "H-4711", (
    "the same patient number inside of a sequence must get the same pseudonym"
)
assert b"1234ABCD" not in deidentify(packed(scan), "salt"), "a former patient number is still inside OtherPatientIDsSequence"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(5)
secret = "".join(rng.choice(list("NPQRSTVWXZ"), 9))
inner = Dataset()
inner.PatientName, inner.PatientAddress, inner.BodyPartExamined = f"{secret}^B", f"{secret} road", "CHEST"
for keyword in ("ConceptCodeSequence", "ContentSequence", "ReferencedPatientSequence"):
    outer = Dataset()
    outer.PerformingPhysicianName = f"Dr^{secret}"
    setattr(outer, keyword, [inner])
    inner = outer
scan.RequestAttributesSequence = [Dataset(), inner]
raw = deidentify(packed(scan), "salt")
assert secret.encode() not in raw, (
    "several sequences deep a name can still be read: a function that cleans a data set must call itself for its items"
)
deep = pydicom.dcmread(io.BytesIO(raw)).RequestAttributesSequence[1].ReferencedPatientSequence[0].ContentSequence[0].ConceptCodeSequence[0]
assert deep.BodyPartExamined == "CHEST", "what doesn't identify anybody must stay, inside of sequences too"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "deidentify-private", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Private elements, of which nobody knows what they hold
import io
import pydicom
from pydicom.dataset import Dataset


def packed(scan):
    buffer = io.BytesIO()
    scan.save_as(buffer)
    return buffer.getvalue()


scan = pydicom.dcmread(data.path("ct_small"))
clean = pydicom.dcmread(io.BytesIO(deidentify(packed(scan), "salt")))
remaining = [str(element.tag) for element in clean if element.tag.is_private]
assert not remaining, f"{len(remaining)} private elements are left, such as {remaining[0]}"
assert "KVP" in clean and "SliceThickness" in clean and "PixelData" in clean, "elements of the standard that describe the scan must stay"
### BEGIN HIDDEN TESTS
item = Dataset()
item.private_block(0x0029, "VENDOR", create=True).add_new(0x01, "LO", "QXZQXZ Erika")
item.BodyPartExamined = "HEAD"
scan.RequestAttributesSequence = [item]
raw = deidentify(packed(scan), "salt")
assert b"QXZQXZ" not in raw, "a private element inside of a sequence is still there"
clean = pydicom.dcmread(io.BytesIO(raw))
assert not any(element.tag.is_private for element in clean.RequestAttributesSequence[0]), (
    "the vendor's private block inside of a sequence is still there"
)
assert clean.RequestAttributesSequence[0].BodyPartExamined == "HEAD", "the item's standard elements must stay"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "deidentify-uids", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# UIDs: replaced, but the same one by the same one, in every file of the project; and the names of kinds stay
import io
import pydicom
from pydicom.dataset import Dataset


def packed(scan):
    buffer = io.BytesIO()
    scan.save_as(buffer)
    return buffer.getvalue()


first, second = pydicom.dcmread(data.path("ct_small")), pydicom.dcmread(data.path("ct_small"))
second.SOPInstanceUID = second.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID + ".2"
pointer = Dataset()
pointer.ReferencedSOPClassUID, pointer.ReferencedSOPInstanceUID = first.SOPClassUID, first.SOPInstanceUID
second.ReferencedImageSequence = [pointer]
one, two = (pydicom.dcmread(io.BytesIO(deidentify(packed(scan), "salt"))) for scan in (first, second))
for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
    assert one.get(keyword) and str(one[keyword].value) != str(first[keyword].value), (
        f"{keyword} must be replaced: it leads back into the hospital's archive"
    )
assert one.SeriesInstanceUID == two.SeriesInstanceUID, (
    "two slices of one series must still share their SeriesInstanceUID: replace the same UID by the same UID, not by a random one"
)
assert one.SOPInstanceUID != two.SOPInstanceUID, "two different images need two different UIDs"
assert one.SOPClassUID == first.SOPClassUID, "SOPClassUID says 'this is a CT image': 1.2.840.10008. names a kind, and stays"
### BEGIN HIDDEN TESTS
assert two.ReferencedImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID, (
    "a reference to another image must still find it: UIDs inside of sequences are replaced by the same rule"
)
assert two.ReferencedImageSequence[0].ReferencedSOPClassUID == first.SOPClassUID, "the class of the referenced image must stay"
for scan in (one, two):
    assert scan.file_meta.MediaStorageSOPInstanceUID == scan.SOPInstanceUID, (
        "file_meta.MediaStorageSOPInstanceUID still holds the old UID: it must follow SOPInstanceUID"
    )
    assert all(pydicom.uid.UID(str(scan[k].value)).is_valid for k in ("SOPInstanceUID", "StudyInstanceUID")), (
        "a new UID is not valid: digits and dots, at most 64 characters"
    )
third = pydicom.dcmread(io.BytesIO(deidentify(packed(first), "another salt")))
assert third.StudyInstanceUID != one.StudyInstanceUID, "with another salt the UIDs must be others, or anybody can look them up"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "deidentify-dates", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Dates: all of one patient's move by the same number of days, in every file; intervals survive
import datetime
import io
import pydicom
from pydicom.dataset import Dataset


def packed(scan):
    buffer = io.BytesIO()
    scan.save_as(buffer)
    return buffer.getvalue()


def day(text):
    assert text, "a date is gone: shift it, so that the time between two scans can still be computed"
    return datetime.datetime.strptime(str(text)[:8], "%Y%m%d")


def visit(patient, date):
    scan = pydicom.dcmread(data.path("ct_small"))
    scan.PatientID, scan.StudyDate, scan.SeriesDate, scan.AcquisitionDateTime = patient, date, "20200303", "20200302101112.50"
    item = Dataset()
    item.ScheduledProcedureStepStartDate = "20200229"
    scan.RequestAttributesSequence = [item]
    return pydicom.dcmread(io.BytesIO(deidentify(packed(scan), "salt")))


march, april = visit("H-1", "20200301"), visit("H-1", "20200401")
assert day(march.StudyDate) != datetime.datetime(2020, 3, 1), "the study date is still the true one"
assert day(april.get("StudyDate")) - day(march.get("StudyDate")) == datetime.timedelta(31), (
    "31 days lay between the two scans, and must still lie there: one shift a patient, not one a file"
)
assert day(march.get("SeriesDate")) - day(march.get("StudyDate")) == datetime.timedelta(2), (
    "within a file all dates must move by the same number of days"
)
assert day(march.get("AcquisitionDateTime")) - day(march.StudyDate) == datetime.timedelta(1), "date-times (VR DT) move with the dates"
assert day(march.StudyDate) - day(march.RequestAttributesSequence[0].get("ScheduledProcedureStepStartDate")) == datetime.timedelta(1), (
    "a date inside of a sequence did not move along"
)
### BEGIN HIDDEN TESTS
assert str(march.AcquisitionDateTime)[8:] == "101112.50", "the time of day must stay"
shifts = {day(visit(f"H-{n}", "20200301").StudyDate) for n in range(6)}
assert len(shifts) > 1, "all patients are shifted by the same number of days: one known date would then unlock everybody"
assert all(abs((moment - datetime.datetime(2020, 3, 1)).days) <= 3660 for moment in shifts), "a date moved by more than ten years"
empty = visit("H-1", "")
assert not str(empty.get("StudyDate") or ""), "an empty date must stay empty"
scan = pydicom.dcmread(data.path("ct_small"))
scan.PatientID, scan.StudyDate, scan.DateOfLastCalibration = "H-1", "20200301", ["20200201", "20200211"]
scan.FailedSOPInstanceUIDList = [scan.SOPInstanceUID, scan.SOPClassUID]
try:
    clean = pydicom.dcmread(io.BytesIO(deidentify(packed(scan), "salt")))
except (AttributeError, TypeError, ValueError) as problem:
    raise AssertionError(f"an element with several values stops your function ({type(problem).__name__}): change each of them") from None
gaps = [(day(clean.StudyDate) - day(date)).days for date in clean.DateOfLastCalibration]
assert gaps == [29, 19], f"an element with two dates, 29 and 19 days before the study: afterwards {gaps}. Move each of them"
listed = [str(uid) for uid in clean.FailedSOPInstanceUIDList]
assert listed == [str(clean.SOPInstanceUID), str(scan.SOPClassUID)], "an element with two UIDs: replace each by the same rule"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** You removed all of this from a head MR and publish the volume. Name two ways in which the patient may still be found.
#
# <details><summary>Answer</summary>The <em>face</em>: a surface rendering of a head scan is a portrait, which face recognition can match
# with photographs (Schwarz et al. 2019), so that one removes the face first. And <em>rarity</em>: age 97, an unusual implant, a rare
# syndrome or a dated news item can be linked with other sources. Pseudonymous is not anonymous.</details>

# %% [markdown]
# ## 1.2 Applications: eight tasks, and what a clinician gets from each
#
# "Can deep learning help with this scan?" is not yet a question. Each clinical wish comes down to one of a few **tasks**. The task
# decides what the label looks like, what the network puts out, and which number says that it works. Choose the wrong task and a perfect
# network answers a question that nobody asked.
#
# | task | the clinician asks | output | measured by (among others) |
# |---|---|---|---|
# | **classification** | does this image show it? | a probability for the image | AUC; sensitivity at a fixed specificity |
# | **detection** | where should I look? | boxes or points, each with a score | sensitivity at so many false marks a scan (FROC) |
# | **segmentation** | which voxels belong to it? how large? | a class for each voxel | Dice; surface distance in mm (HD95) |
# | **registration** | what corresponds to this point in the other scan? | a transform or displacement field | error at landmarks in mm |
# | **reconstruction** | an image from less dose, less time? | an image, from raw measurements | PSNR, SSIM; better: a reader's task |
# | **prognosis** | what will happen, and when? | a risk or a survival curve over time | concordance (C-index), calibration |
# | **retrieval** | have we seen such a case before? | a ranked list of cases | precision and recall among the first k |
# | **report generation** | can the text be drafted for me? | sentences | correctness of findings, not of words |
#
# The pairing matters more than it seems: a metric that doesn't fit the clinical purpose is among the most common reasons why good scores
# don't turn into good care (Maier-Hein et al. 2024). Now each of the eight *runs* once, small and without deep learning. The networks of
# the coming lectures will have to beat these.
#
# **Predict before you run.** A blob detector searches for nodules in chest slices. Its recipe is: "bright and round". What will it mark
# besides nodules?

# %% tags=["demo"]
from skimage.feature import blob_log

chests = [simulate.thorax_slice(nodule_diameter_mm=6.0 + seed % 5, seed=seed) for seed in range(run.pick(ci=30, laptop=120))]
pixel = float(np.ravel(chests[0].spacing)[0])  # mm


def find_blobs(chest) -> np.ndarray:
    """Candidates inside the lungs as rows (row, column, radius in pixels, roundness score, brightness)."""
    lungs = ndimage.binary_closing(ndimage.binary_fill_holes((chest.hu < -400) & chest.masks["body"]), iterations=3)
    soft = np.where(lungs, np.clip((chest.hu + 900) / 900, 0, 1), 0)
    blobs = blob_log(soft, min_sigma=1, max_sigma=4, num_sigma=7, threshold=0.05, exclude_border=False)
    row, column = blobs[:, :2].astype(int).T
    round_score = np.stack([-(s**2) * ndimage.gaussian_laplace(soft, s) for s in np.linspace(1, 4, 7)]).max(0)[row, column]
    bright = ndimage.gaussian_filter(soft, 1)[row, column]
    rows = np.column_stack([blobs[:, :2], blobs[:, 2] * np.sqrt(2), round_score, bright])[lungs[row, column]]
    return rows[np.argsort(-rows[:, 3])]


def froc(scores: list, hits: list) -> tuple[np.ndarray, np.ndarray]:
    """False marks per slice and share of nodules found, at every threshold of the score, the strictest first."""
    levels = np.unique(np.concatenate(scores))[::-1]
    found = [np.max(s[h], initial=-np.inf) for s, h in zip(scores, hits, strict=True)]  # the best mark on each nodule
    false = np.sort(np.concatenate([s[~h] for s, h in zip(scores, hits, strict=True)]))
    return (len(false) - np.searchsorted(false, levels)) / len(scores), np.mean(np.array(found)[:, None] >= levels, axis=0)


marks = [find_blobs(chest) for chest in chests]
hits = [np.hypot(*(m[:, :2] - c.nodule_centre).T) * pixel < c.nodule_diameter_mm / 2 + 3 for m, c in zip(marks, chests, strict=True)]

# %% tags=["demo"]
curves = {name: froc([m[:, c] for m in marks], hits) for name, c in (("roundness", 3), ("brightness alone", 4))}
at_one = {name: float(found[false <= 1].max(initial=0)) for name, (false, found) in curves.items()}
froc_at_1, froc_bright = at_one["roundness"], at_one["brightness alone"]
draws = [np.random.default_rng([SEED, b]).integers(0, len(chests), len(chests)) for b in range(200)]
again = [froc([marks[i][:, 3] for i in draw], [hits[i] for i in draw]) for draw in draws]
froc_interval = np.percentile([found[false <= 1].max(initial=0) for false, found in again], [2.5, 97.5])
shown = 5
fig, axes = plt.subplots(1, 2, figsize=(10.5, 3.9), width_ratios=[1.25, 1], layout="constrained")
axes[0].imshow(
    chests[shown].hu[20:-30, 10:-10], vmin=-1000, vmax=300, extent=(10, chests[shown].hu.shape[1] - 10, chests[shown].hu.shape[0] - 30, 20)
)
for number, (row, column, radius, score, _bright) in enumerate(marks[shown][:4]):
    colour, width = (show.PALETTE[1], 2) if hits[shown][number] else (show.PALETTE[5], 1)
    size = 2 * radius + 2
    axes[0].add_patch(plt.Rectangle((column - size, row - size), 2 * size, 2 * size, fill=False, color=colour, linewidth=width))
    ground = {"facecolor": "black", "edgecolor": "none", "pad": 0.8}
    axes[0].text(column - size, row - size - 1.5, f"{score:.2f}", color=colour, fontsize=8, bbox=ground)
axes[0].set_title("detection: four best boxes with scores (thick: the nodule)", fontsize=10)
axes[0].set_axis_off()
for (name, (false, found)), style in zip(curves.items(), ("-", "--"), strict=True):
    axes[1].step(false, found, style, where="post", linewidth=2, label=f"{name}: {at_one[name]:.2f} at 1")
axes[1].axvline(1, color="0.7", linestyle=":")
axes[1].set(xlabel="false marks per slice", ylabel="share of nodules found", ylim=(0, 1.02), xlim=(0, 8), title="FROC")
axes[1].legend(loc="lower right")
show.figure(
    fig, alt="A simulated chest slice with boxes around the nodule and some vessels; FROC curves of two scores of the blob detector"
)

# %% [markdown]
# Vessels that run through the slice are bright and round too. For **classification** we ask less, "is there a lesion, anywhere?", and get
# less: one probability, no place. For **segmentation** we ask more: every voxel. Below, small simulated images are classified by
# hand-made features (split by patient, as you now know), and lungs are segmented by a threshold at -400 HU - which is fair, because HU
# has a meaning.

# %% tags=["demo"]
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

screened = simulate.cohort(run.pick(ci=240, laptop=600), prevalence=0.3, seed=SEED)
who, ill_image = screened.table["patient"].to_numpy(), screened.table["label"].to_numpy()


def spot_features(images: np.ndarray) -> np.ndarray:
    """For spots of four radii: how far does the best one stand out from the ring around it, and how far do all places vary?"""
    distance, features = np.hypot(*(np.indices((11, 11)) - 5)), []
    for radius in (2.0, 2.5, 3.0, 3.5):
        spot, ring = distance < radius, (distance >= radius + 0.5) & (distance < radius + 1.7)
        template = spot / spot.sum() - ring / ring.sum()
        response = np.stack([ndimage.correlate(image, template) for image in images])[:, 7:-7, 7:-7]
        features += [response.max((1, 2)), response.std((1, 2))]
    return np.stack(features, axis=1)


in_test = np.isin(who, np.random.default_rng(SEED).permutation(np.unique(who))[: len(np.unique(who)) // 3])
features = spot_features(screened.images)
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(features[~in_test], ill_image[~in_test])
probability = model.predict_proba(features[in_test])[:, 1]
class_auc = roc_auc_score(ill_image[in_test], probability)
tested = who[in_test]
rows_of = [np.flatnonzero(tested == patient) for patient in np.unique(tested)]  # the bootstrap draws patients, not images
drawn = [np.concatenate([rows_of[p] for p in np.random.default_rng([SEED, b]).integers(0, len(rows_of), len(rows_of))]) for b in range(200)]
auc_interval = np.percentile([roc_auc_score(ill_image[in_test][d], probability[d]) for d in drawn], [2.5, 97.5])
assert class_auc > 0.6, "the classifier didn't learn"  # over seeds 0.72 to 0.89

# %% tags=["demo"]
from scipy.spatial import cKDTree


def surface_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances in mm from the border of each mask to the border of the other."""
    borders = [np.argwhere(mask & ~ndimage.binary_erosion(mask)) * pixel for mask in (a, b)]
    return np.concatenate([cKDTree(borders[1]).query(borders[0])[0], cKDTree(borders[0]).query(borders[1])[0]])


one_chest = chests[1]
truth = ndimage.binary_fill_holes(one_chest.masks["lungs"])  # the lung with the vessels in it
seen = simulate.low_dose_ct(one_chest.hu, dose=0.05, spacing=pixel, angles=180, seed=SEED).image  # a twentieth of the photons
air = (seen < -400) & ndimage.binary_erosion(one_chest.masks["body"], iterations=2)
closed = ndimage.binary_fill_holes(ndimage.binary_opening(air))
score = {}
for name, mask in (("threshold", air), ("holes filled", closed)):
    score[name] = (2 * (mask & truth).sum() / (mask.sum() + truth.sum()), np.percentile(surface_distances(mask, truth), 95))
(plain_dice, hd95_plain), (lung_dice, hd95) = score.values()

fig, axes = plt.subplots(1, 4, figsize=(11.4, 3.1), width_ratios=[0.75, 1, 1.25, 1.25], layout="constrained")
order = np.argsort(-probability)[[0, 1, len(probability) // 2, len(probability) // 2 + 1, -2, -1]]
axes[0].imshow(np.vstack([np.hstack([screened.images[in_test][i] for i in order[r : r + 2]]) for r in (0, 2, 4)]))
axes[0].set(xticks=[], yticks=[16, 48, 80], yticklabels=["p = {:.2f}\nand {:.2f}".format(*probability[order[r : r + 2]]) for r in (0, 2, 4)])
axes[0].set_title("classification", fontsize=10)
axes[1].plot(*roc_curve(ill_image[in_test], probability)[:2], linewidth=2)
axes[1].plot([0, 1], [0, 1], ":", color="0.5")
axes[1].set(xlabel="1 - specificity", ylabel="sensitivity", aspect="equal")
axes[1].set_title(f"AUC {class_auc:.2f} ({auc_interval[0]:.2f} to {auc_interval[1]:.2f})", fontsize=10)
for ax, (name, (dice, hd)), mask in zip(axes[2:], score.items(), (air, closed), strict=True):
    ax.imshow(seen[20:-30, 10:-10], vmin=-1000, vmax=300)
    show.outline(ax, mask[20:-30, 10:-10])
    ax.set_title(f"segmentation, {name}\nDice {dice:.3f}, HD95 {hd:.0f} mm, {mask.sum() * pixel**2 / 100:.0f} cm²", fontsize=10)
    ax.set_axis_off()
show.figure(
    fig, alt="Images with high to low predicted probability, the ROC curve, and lungs outlined twice: with and without their vessels"
)

# %% [markdown]
# Compare the two segmentations. The first leaves out the vessels inside of the lung. Dice, which counts voxels, hardly notices; HD95,
# which looks at the worst 5 % of the border, jumps. A radiation oncologist, who plans by the border, would notice. That is why
# segmentation is judged by both.
#
# Next, **registration** and **reconstruction**. In the first, two scans of one head don't lie on top of each other, and we search for the
# rotation and shift that bring them together. In the second, MR measures Fourier coefficients (k-space) line by line; with a quarter of
# the lines the scan takes a quarter of the time.
#
# **Predict before you run.** If you fill the missing three quarters of k-space with zeros, what will the picture look like: noisy,
# blurred, or doubled?

# %% tags=["demo"]
import SimpleITK as sitk
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.restoration import denoise_tv_chambolle

fixed_slice = simulate.brain_slice("t1", seed=3)
spacing = float(np.array(fixed_slice.spacing).ravel()[0])
fixed = sitk.GetImageFromArray(fixed_slice.image.astype(np.float32))
fixed.SetSpacing((spacing, spacing))
moved_by = sitk.Euler2DTransform(
    fixed.TransformContinuousIndexToPhysicalPoint([63.5, 63.5]), np.radians(12), (9.0, -6.0)
)  # the planted truth
second = sitk.GetImageFromArray(simulate.brain_slice("t2", seed=3).image.astype(np.float32))  # the same head, another contrast
second.SetSpacing((spacing, spacing))
moving = sitk.Resample(second, fixed, moved_by.GetInverse(), sitk.sitkLinear, 0.0)
search = sitk.ImageRegistrationMethod()
search.SetMetricAsMattesMutualInformation(32)  # since the contrasts differ, equal grey is not the goal: lecture 6
search.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, 200)
search.SetOptimizerScalesFromPhysicalShift()
search.SetShrinkFactorsPerLevel([4, 2, 1])
search.SetSmoothingSigmasPerLevel([4, 2, 0])
search.SetInterpolator(sitk.sitkLinear)
search.SetInitialTransform(sitk.Euler2DTransform(moved_by.GetCenter()), inPlace=False)
found = search.Execute(fixed, moving)
landmarks = [(x, y) for x in (60.0, 100.0, 140.0) for y in (50.0, 100.0, 150.0)]  # mm
gap_before = np.mean([np.linalg.norm(np.subtract(moved_by.TransformPoint(p), p)) for p in landmarks])
gap_after = np.mean([np.linalg.norm(np.subtract(moved_by.TransformPoint(p), found.TransformPoint(p))) for p in landmarks])
aligned = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, found, sitk.sitkLinear, 0.0))

# %% tags=["demo"]
truth = fixed_slice.image / fixed_slice.image.max()
quarter = simulate.undersample(truth, acceleration=4.0, noise=0.01, seed=SEED)


def fourier(image: np.ndarray) -> np.ndarray:
    """Orthonormal 2-D Fourier transform with the zero frequency in the middle."""
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image), norm="ortho"))


def back(spectrum: np.ndarray) -> np.ndarray:
    """Its inverse."""
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(spectrum), norm="ortho"))


zero_filled = np.abs(back(quarter.kspace))
estimate = back(quarter.kspace)
for _ in range(40):  # in turn: make the picture piecewise smooth, then put the measured lines back
    smooth = denoise_tv_chambolle(estimate.real, weight=0.02)
    estimate = back(np.where(quarter.mask, quarter.kspace, fourier(smooth)))
smooth = np.abs(denoise_tv_chambolle(estimate.real, weight=0.01))
quality = {
    name: (peak_signal_noise_ratio(truth, x, data_range=1.0), structural_similarity(truth, x.astype(truth.dtype), data_range=1.0))
    for name, x in (("zero-filled", zero_filled), ("sparse", smooth))
}

# %% tags=["demo"]
def checker(a: np.ndarray, b: np.ndarray, size: int = 16) -> np.ndarray:
    """Squares of `a` and `b` in turn; edges run on if the two are aligned."""
    board = np.add(*np.indices(a.shape) // size) % 2
    return np.where(board == 1, a / np.percentile(a, 99.5), b / np.percentile(b, 99.5))


panels = [checker(fixed_slice.image, sitk.GetArrayFromImage(moving)), checker(fixed_slice.image, aligned), zero_filled, smooth]
titles = [
    f"T1 and T2, {gap_before:.1f} mm apart",
    f"registered, {gap_after:.2f} mm",
    *(f"{n}, k-space / {quarter.acceleration:.1f}\nPSNR {p:.1f} dB, SSIM {s:.2f}" for n, (p, s) in quality.items()),
]
show.row(
    panels,
    titles=titles,
    window=(0, 1),
    height=2.7,
    alt="Checkerboards of two MR contrasts of one head before and after registration; an undersampled MR slice, "
    "blurred when zero-filled, sharper by sparse reconstruction",
)

# %% [markdown]
# Blurred, and mostly in one direction: what is measured lies in the middle of k-space, where the coarse shapes are, and the lines are
# missing in one direction only. (Measure every fourth line regularly, and you do get copies of the head: then it is doubled.) Mark what
# each task hands over. Registration gives *a map between the spaces of two scans*, from which a contour or a dose is carried over.
# Reconstruction gives *the image itself*, on which every other task depends.
#
# **Prognosis** looks ahead. Some patients are still well when the study ends. They are **censored**: we know that nothing happened *until
# then*, which is neither "event" nor "no event". Data below: real, 686 women with node-positive breast cancer (Schumacher et al. 1994).
# And **retrieval** looks back: the nearest cases in an archive, by distance between features.

# %% tags=["demo"]
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.utils import concordance_index
from sklearn.decomposition import PCA

women = data.load("gbsg2").table
clinical = women.assign(
    horTh=(women["horTh"] == "yes").astype(float),
    menostat=(women["menostat"] == "Post").astype(float),
    tgrade=women["tgrade"].map({"I": 1.0, "II": 2.0, "III": 3.0}),
    pnodes=np.log(women["pnodes"]),
    progrec=np.log1p(women["progrec"]),
    estrec=np.log1p(women["estrec"]),
)
shuffled = clinical.sample(frac=1.0, random_state=SEED)
fit_on, held_out = shuffled.iloc[:343], shuffled.iloc[343:]
cox = CoxPHFitter(penalizer=0.01).fit(fit_on, "time", "cens")
risk = cox.predict_partial_hazard(held_out).to_numpy()
time, event = held_out["time"].to_numpy(), held_out["cens"].to_numpy()
c_index = concordance_index(time, -risk, event)
draws = [np.random.default_rng([SEED, b]).integers(0, len(time), len(time)) for b in range(200)]
c_interval = np.percentile([concordance_index(time[d], -risk[d], event[d]) for d in draws], [2.5, 97.5])

archive = data.load("bloodmnist", profile=PROFILE)
stored_cells, stored_kind = archive.train.images[:1500], archive.train.labels[:1500].ravel()
query_cells, query_kind = archive.test.images[:200], archive.test.labels[:200].ravel()
reduce = PCA(30, random_state=SEED).fit(stored_cells.reshape(len(stored_cells), -1) / 255.0)
codes, queries = (reduce.transform(x.reshape(len(x), -1) / 255.0) for x in (stored_cells, query_cells))
nearest = cKDTree(codes).query(queries, k=5)[1]
hit_at_5 = (stored_kind[nearest] == query_kind[:, None]).mean(1)
share = np.bincount(stored_kind) / len(stored_kind)
by_luck = float(share[query_kind].mean())
hit_interval = np.percentile([hit_at_5[np.random.default_rng([SEED, b]).integers(0, 200, 200)].mean() for b in range(500)], [2.5, 97.5])

# %% tags=["demo"]
fig, axes = plt.subplots(1, 2, figsize=(11, 3.8), width_ratios=[1, 1.15], layout="constrained")
for name, group, colour, style in (
    ("lower risk", risk <= np.median(risk), show.PALETTE[2], "-"),
    ("higher risk", risk > np.median(risk), show.PALETTE[3], "--"),
):
    curve = KaplanMeierFitter().fit(time[group] / 365.25, event[group])
    curve.plot_survival_function(ax=axes[0], color=colour, linestyle=style, label=name, loc=slice(0, 6))
axes[0].set(
    xlabel="years",
    ylabel="share without recurrence",
    ylim=(0, 1),
    title=f"prognosis: C-index {c_index:.2f} ({c_interval[0]:.2f} to {c_interval[1]:.2f})",
)
rows = [np.hstack([query_cells[q], np.full((28, 6, 3), 255, np.uint8), *stored_cells[nearest[q]]]) for q in range(4)]
axes[1].imshow(np.vstack(rows))
for q in range(4):
    for place, right in enumerate(stored_kind[nearest[q]] == query_kind[q]):
        axes[1].text(
            34 + 28 * place + 2,
            28 * q + 25,
            "yes" if right else "no",
            color="black" if right else "white",
            fontsize=8,
            bbox={"facecolor": "white" if right else "black", "edgecolor": "none", "pad": 1},
        )
axes[1].set_title(f"retrieval: query | five nearest, same kind? precision@5 {hit_at_5.mean():.2f}, by luck {by_luck:.2f}", fontsize=10)
axes[1].set_axis_off()
show.figure(
    fig, alt="Kaplan-Meier curves of a higher and a lower risk group on held-out women; four query cells with their five nearest neighbours"
)

# %% [markdown]
# Last, **report generation**. A draft is text, so it is tempting to score it as translation is scored: by words shared with the
# radiologist's text.
#
# **Predict before you run.** Two drafts are compared with the radiologist's report. Draft A says the same in other words. Draft B copies
# every word but loses one "no". Which one gets the higher word overlap? Which one harms the patient? (All sentences below are synthetic.)

# %% tags=["demo"]
SAYS = {  # finding: (present, present in other words, absent, absent in other words)
    "effusion": (
        "There is a pleural effusion.",
        "Fluid is seen in the pleural space.",
        "There is no pleural effusion.",
        "The costophrenic angles are clear.",
    ),
    "pneumothorax": (
        "There is a pneumothorax.",
        "Air is seen in the pleural space.",
        "There is no pneumothorax.",
        "Both lungs are fully expanded.",
    ),
    "consolidation": ("There is a consolidation.", "An airspace opacity is seen.", "There is no consolidation.", "The lungs are clear."),
    "fracture": ("There is a rib fracture.", "A broken rib is seen.", "There is no rib fracture.", "The ribs are intact."),
    "cardiomegaly": ("There is cardiomegaly.", "The heart is enlarged.", "There is no cardiomegaly.", "Heart size is normal."),
}
MEANS = {
    sentence: (finding, n < 2) for finding, four in SAYS.items() for n, sentence in enumerate(four)
}  # a perfect reader of these sentences


def findings_of(text: list[str]) -> set[tuple[str, bool]]:
    """What a text claims: (finding, present)."""
    return {MEANS[sentence] for sentence in text}


def word_f1(text: list[str], reference: list[str]) -> float:
    """Harmonic mean of precision and recall of words."""
    a, b = (" ".join(t).lower().replace(".", "").split() for t in (text, reference))
    common = sum(min(a.count(word), b.count(word)) for word in set(a))
    return 2 * common / (len(a) + len(b))

# %% tags=["demo"]
rng, table = np.random.default_rng(SEED), {"A: other words, same facts": [], "B: same words, one 'no' lost": []}
for _ in range(300):
    present = {f: bool(rng.random() < 0.25) for f in SAYS}
    present[str(rng.choice(list(SAYS)))] = False
    reference = [SAYS[f][0 if p else 2] for f, p in present.items()]
    flipped = str(rng.choice([f for f, p in present.items() if not p]))
    drafts = ([SAYS[f][1 if p else 3] for f, p in present.items()], [SAYS[f][0 if p or f == flipped else 2] for f, p in present.items()])
    for row, draft in zip(table.values(), drafts, strict=True):
        row.append((word_f1(draft, reference), len(findings_of(draft) & findings_of(reference)) / len(SAYS)))
print("radiologist:", " ".join(reference), "\nA:          ", " ".join(drafts[0]), "\nB:          ", " ".join(drafts[1]), "\n")
report_score = {name: np.mean(values, axis=0) for name, values in table.items()}
for name, (words, facts) in report_score.items():
    print(f"{name:30s} word overlap (F1) {words:.2f}   findings right {facts:.2f}")

# %% [markdown]
# The metric prefers the dangerous draft. For text, extract the *findings* and compare those (Smit et al. 2020 train a labeller for this),
# and let radiologists count errors that matter.
#
# The pattern is the same in all eight: **say first what the clinician will do with the output; then the task, the output and the metric
# follow.**

# %% [markdown]
# ### Exercise 1.2a - from the case to the task
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can turn a clinical wish into a machine-learning problem*
#
# Ten requests from a hospital. For each, choose a task, an output and a metric. A task may occur more than once. Ask each time: *what
# will the person do with the answer?*
#
# - **A** "Before radiotherapy somebody has to mark both parotid glands on 120 slices, so that the dose they receive can be computed. The
#   outline must be right to a millimetre or two."
# - **B** "In retinopathy screening a nurse takes one photograph of each eye. I only need to know whom to send to an ophthalmologist. One
#   in twenty has to go."
# - **C** "I read lung screening CTs. Point me to everything that may be a nodule. I look at each mark myself, but more than two wrong
#   ones a scan and I switch it off."
# - **D** "This man's prostate MR of March and of today are tilted against each other. I want to click on a spot in one and see the same
#   spot in the other."
# - **E** "Children can't lie still for ten minutes. We could measure only a fifth of the data, if the picture were still good enough to
#   read."
# - **F** "After this glioma operation: which patients will have a relapse early, which late? Some of the patients in our series are still
#   well, or moved away."
# - **G** "A strange bone lesion. Show me proven cases of our archive that look like it, the most similar first; I will page through the
#   first ten."
# - **H** "At night nobody dictates. Prepare the text for each chest film, and I correct and sign it. It must not invent or miss a
#   pneumothorax."
# - **I** "Per square millimetre of this breast tumour slide: how many mitoses? I want to see each one that was counted, to check it."
# - **J** "How many millilitres does the left ventricle eject per beat? We have the cine MR. I want to see on every frame what was taken
#   for blood."
#
# **Tasks:** classification, detection, prognosis, reconstruction, registration, report generation, retrieval, segmentation.
#
# **Outputs:**
#
# - class of each voxel
# - image from raw data
# - map between two scans
# - one number for the scan
# - points or boxes with scores
# - probability for the image
# - ranked list of cases
# - risk over time
# - text
#
# **Metrics:**
#
# - accuracy
# - AUC and sensitivity at fixed specificity
# - concordance with censoring
# - correctness of the findings
# - Dice and surface distance
# - landmark error in mm
# - pixel accuracy
# - precision among the first k
# - sensitivity at a number of false marks
# - similarity to the fully sampled image
# - word overlap
#
# Return a dictionary, letter to `(task, output, metric)`, spelled exactly as in the lists. The visible checks judge A, C and F, as worked
# examples, and the spelling of the rest; only grading judges all ten.
#
# <details><summary>Hint 1: the idea</summary>Underline in each request what the person wants to <em>see</em>, and what would make the
# person switch it off. The first is the output, the second the metric.</details>
# <details><summary>Hint 2: the form</summary><code>return {"A": ("task", "output", "metric"), "B": (...), ...}</code> with ten
# letters.</details>
# <details><summary>Two tasks seem possible</summary>Many numbers can be had in two ways. Which way gives something that the person can
# check?</details>
# <details><summary>Two metrics seem possible</summary>Accuracy and overlap of pixels or words are easy to
# compute. What do they say when the disease, the organ or the important word is rare?</details>

# %% nbgrader={"grade": false, "grade_id": "match-cases", "locked": false, "schema_version": 3, "solution": true, "task": false}
def match_cases() -> dict[str, tuple[str, str, str]]:
    """The task behind each request.

    Returns:
        letter "A" ... "J" -> (task, output, metric), each spelled as in the lists above.
    """
    ### BEGIN SOLUTION
    row = {
        "classification": ("probability for the image", "AUC and sensitivity at fixed specificity"),
        "detection": ("points or boxes with scores", "sensitivity at a number of false marks"),
        "segmentation": ("class of each voxel", "Dice and surface distance"),
        "registration": ("map between two scans", "landmark error in mm"),
        "reconstruction": ("image from raw data", "similarity to the fully sampled image"),
        "prognosis": ("risk over time", "concordance with censoring"),
        "retrieval": ("ranked list of cases", "precision among the first k"),
        "report generation": ("text", "correctness of the findings"),
    }
    task = {
        "A": "segmentation",
        "B": "classification",
        "C": "detection",
        "D": "registration",
        "E": "reconstruction",
        "F": "prognosis",
        "G": "retrieval",
        "H": "report generation",
        "I": "detection",
        "J": "segmentation",
    }
    return {letter: (name, *row[name]) for letter, name in task.items()}
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "match-cases-image", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Tasks that look INTO one image: requests A, B, C, I, J
TASKS = "classification detection prognosis reconstruction registration retrieval segmentation".split() + ["report generation"]
answer = match_cases()
assert isinstance(answer, dict) and sorted(answer) == list("ABCDEFGHIJ"), "return a dictionary with the ten letters A to J as keys"
assert all(len(tuple(value)) == 3 for value in answer.values()), "each value is (task, output, metric)"
unknown = {letter: value[0] for letter, value in answer.items() if value[0] not in TASKS}
assert not unknown, f"not in the list of tasks: {unknown}"
assert len({value[0] for value in answer.values()}) > 1, (
    "one and the same task for all ten requests? Ask what each person will do with the answer"
)
assert answer["A"][0] == "segmentation", (
    "task of request A: The dose is computed from every voxel of the gland: a mark or a yes doesn't help."
)
assert answer["C"][0] == "detection", "task of request C: The reader wants to be led to places, each of which is looked at."
### BEGIN HIDDEN TESTS
REASONS = {
    "B": "The nurse asks about the person, not about a place in the image.",
    "I": "A count that can be checked needs each counted thing by itself, not an area.",
    "J": "A volume that can be checked on every frame needs to know what was taken for blood.",
}
RIGHT = {"B": "classification", "I": "detection", "J": "segmentation"}
wrong = [letter for letter in RIGHT if answer[letter][0] != RIGHT[letter]]
assert not wrong, f"task of request {wrong[0]}: {REASONS[wrong[0]]}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "match-cases-beyond", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Tasks that go BEYOND one image: requests D, E, F, G, H
TASKS = "classification detection prognosis reconstruction registration retrieval segmentation".split() + ["report generation"]
answer = match_cases()
assert isinstance(answer, dict) and sorted(answer) == list("ABCDEFGHIJ"), "return a dictionary with the ten letters A to J as keys"
chosen = [answer[letter][0] for letter in "DEFGH"]
assert all(task in TASKS for task in chosen), (
    f"a task of D to H is not spelled as in the list: {[task for task in chosen if task not in TASKS]}"
)
assert len(set(chosen)) > 2, "D to H are quite different wishes: two scans, raw data, the future, an archive, a text"
assert answer["F"][0] == "prognosis", (
    "task of request F: When matters, not only whether; and some of the patients have not had the event yet."
)
### BEGIN HIDDEN TESTS
REASONS = {
    "D": "The wish is correspondence: for each spot here, the spot there.",
    "E": "There is no image yet: the input is an incomplete measurement.",
    "G": "The doctor will decide; what is wanted is comparable cases in a good order.",
    "H": "What is to be delivered is a draft to sign.",
}
RIGHT = {"D": "registration", "E": "reconstruction", "G": "retrieval", "H": "report generation"}
wrong = [letter for letter in RIGHT if answer[letter][0] != RIGHT[letter]]
assert not wrong, f"task of request {wrong[0]}: {REASONS[wrong[0]]}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "match-cases-output", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The output: what the person gets to see
OUTPUTS = [
    "class of each voxel",
    "image from raw data",
    "map between two scans",
    "one number for the scan",
    "points or boxes with scores",
    "probability for the image",
    "ranked list of cases",
    "risk over time",
    "text",
]
answer = match_cases()
assert isinstance(answer, dict) and sorted(answer) == list("ABCDEFGHIJ"), "return a dictionary with the ten letters A to J as keys"
unknown = {letter: value[1] for letter, value in answer.items() if value[1] not in OUTPUTS}
assert not unknown, f"not in the list of outputs: {unknown}"
assert len({value[1] for value in answer.values()}) > 3, "these ten people can't all be helped by the same few outputs"
assert answer["A"][1] == "class of each voxel", "output of request A: A dose needs every voxel."
assert answer["C"][1] == "points or boxes with scores", "output of request C: Each mark will be looked at, the surest first."
assert answer["F"][1] == "risk over time", "output of request F: Early or late: the answer has a time axis."
### BEGIN HIDDEN TESTS
REASONS = {
    "B": "A threshold can be set later on something graded, for one image.",
    "D": "A click here must become a click there.",
    "E": "Somebody has to read it.",
    "G": "The most similar first.",
    "H": "Somebody corrects and signs it.",
    "I": "A bare number can't be checked: each mitosis is to be seen.",
    "J": "A bare number can't be checked: the frames are to show what was taken for blood.",
}
RIGHT = {
    "B": "probability for the image",
    "D": "map between two scans",
    "E": "image from raw data",
    "G": "ranked list of cases",
    "H": "text",
    "I": "points or boxes with scores",
    "J": "class of each voxel",
}
wrong = [letter for letter in RIGHT if answer[letter][1] != RIGHT[letter]]
assert not wrong, f"output of request {wrong[0]}: {REASONS[wrong[0]]}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "match-cases-metric", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The metric: what would make the person switch it off
METRICS = [
    "accuracy",
    "AUC and sensitivity at fixed specificity",
    "concordance with censoring",
    "correctness of the findings",
    "Dice and surface distance",
    "landmark error in mm",
    "pixel accuracy",
    "precision among the first k",
    "sensitivity at a number of false marks",
    "similarity to the fully sampled image",
    "word overlap",
]
answer = match_cases()
assert isinstance(answer, dict) and sorted(answer) == list("ABCDEFGHIJ"), "return a dictionary with the ten letters A to J as keys"
unknown = {letter: value[2] for letter, value in answer.items() if value[2] not in METRICS}
assert not unknown, f"not in the list of metrics: {unknown}"
assert len({value[2] for value in answer.values()}) > 3, "a metric fits a purpose: the same few can't fit ten different ones"
worked = {
    "A": ("Dice and surface distance", "A gland fills a tiny part of the scan: all background would score high on a share of pixels."),
    "C": ("sensitivity at a number of false marks", "The reader told you what is tolerated, and per what."),
    "F": ("concordance with censoring", "Those who are still well must count for as long as they were seen."),
}
for letter, (metric, reason) in worked.items():
    assert answer[letter][2] == metric, f"metric of request {letter}: {reason}"
### BEGIN HIDDEN TESTS
REASONS = {
    "B": "One in twenty is ill: to say 'well' to everybody is right 19 times in 20.",
    "D": "How far is the spot from where it should be?",
    "E": "What would the picture have been with all of the data?",
    "G": "Only the first few are ever looked at.",
    "H": "One lost 'no' changes a word and the treatment.",
    "I": "Found ones and wrong ones; there is no meaningful number of 'true negatives' on a slide.",
    "J": "The volume comes from the outline: judge the outline, inside and at its border.",
}
RIGHT = {
    "B": "AUC and sensitivity at fixed specificity",
    "D": "landmark error in mm",
    "E": "similarity to the fully sampled image",
    "G": "precision among the first k",
    "H": "correctness of the findings",
    "I": "sensitivity at a number of false marks",
    "J": "Dice and surface distance",
}
wrong = [letter for letter in RIGHT if answer[letter][2] != RIGHT[letter]]
assert not wrong, f"metric of request {wrong[0]}: {REASONS[wrong[0]]}"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A start-up offers a network that reads a chest CT and answers "cancer risk 12 %". Name the task, and two questions that
# you ask before you buy.
#
# <details><summary>Answer</summary>Is it classification (cancer on this scan?) or prognosis (cancer within how many years?): without a
# time the number has no meaning. Then: in whom was it validated - which prevalence, which scanners, were patients of the training set in
# the test set? Is 12 % calibrated, so that of 100 such people about 12 fall ill? And what shall the reader do at 12 %: a probability
# without a place can't be checked.</details>

# %% [markdown]
# ## 1.3 Medical imaging modalities
#
# A neural network sees an array of numbers. A radiologist sees a chest X-ray. The difference is *knowing how the numbers came
# about*: what was sent into the patient, what happened to it there, and what the detector counted. It decides which artefact to
# expect, which noise to simulate, which augmentation is harmless, and whether the value 40 means anything at all. Every
# modality answers the same four questions:
#
# | modality | what goes in | what the tissue does to it | what is measured | a pixel means |
# |---|---|---|---|---|
# | radiograph | X-ray photons | absorbs and scatters | photons that get through | sum of attenuation along a line |
# | CT | the same, from all sides | the same | many such sums | attenuation $\mu$, shown in HU |
# | MRI | radio pulses in a magnetic field | protons answer, and relax | voltage in a coil | signal, *arbitrary units* |
# | ultrasound | sound, 2-15 MHz | reflects and scatters | echoes against time | echo strength, on a log scale |
# | PET, scintigraphy | a radioactive tracer | takes it up | photons that come out | counts, or activity in Bq/mL |
# | histology | visible light, after staining | dye absorbs | light that gets through | colour |
# | OCT | near-infrared light | reflects | interference with a reference beam | reflectivity against depth |
# | fundus photo, endoscopy | white light | reflects diffusely | a camera image | colour, not calibrated |
#
# You now build each of them in a few lines. The anatomy comes from `simulate`, so the truth is known; the *physics* is
# in the cells, for you to read.

# %% [markdown]
# ### X-rays: what is left of a beam
#
# In a thin layer of thickness $\mathrm{d}s$ a photon is stopped or deflected with probability $\mu\,\mathrm{d}s$. The **linear
# attenuation coefficient** $\mu$ has the unit 1/mm and depends on tissue and photon energy. Multiply the chances of surviving
# layer after layer and you get the **Beer-Lambert law**. With $N_0$ photons sent and $N$ expected behind the patient,
#
# $$N = N_0\, e^{-p}, \qquad p = \int \mu(s)\,\mathrm{d}s .$$
#
# The **line integral** $p$ has no unit. It is what a radiograph shows: everything along the ray, added up to one number.
#
# At 70 keV water has $\mu = 0.0193$/mm. Hounsfield units are the same thing on a scale where water is 0 and air is -1000:
# $\mathrm{HU} = 1000\,(\mu - \mu_\text{water}) / \mu_\text{water}$.
#
# **Predict before you run.** You send 1000 photons through 25 cm of soft tissue, a slim abdomen. How many come out on the other
# side: about 500, 100, or 10? And a 15 mm nodule in the lung: by how many percent does it change the number of photons behind
# it?

# %% tags=["demo"]
MU_WATER = 0.0193  # 1/mm at 70 keV
patient = simulate.thorax(nodule_diameter_mm=15, spacing=3.0, seed=SEED)
mu = MU_WATER * np.clip(1 + patient.hu / 1000, 0, None)  # (X, Y, Z) in 1/mm; air attenuates nothing
line_integral = mu.sum(axis=1) * 3.0  # add up from front to back, steps of 3 mm
photons = np.random.default_rng(SEED).poisson(20_000 * np.exp(-line_integral))  # Beer-Lambert, then counting

upright = lambda image: image[::-1, ::-1].T  # noqa: E731 - the patient's right on the left, the head on top
nodule = patient.masks["nodule"]
middle = int(np.argwhere(nodule)[:, 1].mean())  # the plane that holds the nodule
show.row(
    [upright(patient.hu[:, middle]), upright(np.minimum(photons, 2000)), upright(-np.log(np.maximum(photons, 1) / 20_000))],
    titles=["one coronal slice (HU)", "photons counted, $N$ (white: 2000 or more)", "$-\\log(N/N_0)$: the radiograph"],
    overlay=[upright(nodule[:, middle]), None, upright(nodule.any(axis=1))],
    alt="A coronal slice of a chest with a nodule; the photons counted behind the whole chest, nearly none behind the spine; and minus "
    "their logarithm, which looks like a chest radiograph. The nodule is outlined, and hard to see there",
    height=3.3,
)
print(f"1000 photons through 25 cm of water: {1000 * np.exp(-MU_WATER * 250):.0f} come out")
print(f"behind a 15 mm nodule (soft tissue instead of lung at -800 HU): {100 * (1 - np.exp(-MU_WATER * 0.8 * 15)):.0f} % fewer photons")

# %% [markdown]
# Eight photons of a thousand. The others were absorbed or flew off sideways. The energy they leave behind is the **dose**, and
# the few that arrive are why images are noisy. A count with expectation $N$ has the standard deviation $\sqrt N$, so its
# relative noise is $1/\sqrt N$.
#
# The nodule takes away a fifth of the photons, and is still hard to see: ribs, vessels and the heart lie on top of
# it. *Overlap*, not contrast, is the enemy in a radiograph. CT removes it.

# %% [markdown]
# ### CT: the same law from all sides
#
# Turn tube and detector by an angle $\theta$ around the patient. A detector element at distance $t$ from the centre measures
# one ray, with the line integral
#
# $$p_\theta(t) = \int \mu(x, y)\;\mathrm{d}s \quad\text{along the line}\quad x\cos\theta + y\sin\theta = t .$$
#
# All $p_\theta(t)$ together are the **Radon transform** of $\mu$; drawn as an image it is the **sinogram**. How do you get
# $\mu$ back?
#
# *First idea: smear back.* Give each measured value to all pixels on its ray, for all angles. Where many rays agree, something
# is there. This is **back-projection**, and it nearly works.
#
# *What goes wrong:* a point sends each of its values back along a whole line. The lines of all angles meet in the point, but
# they also run through its neighbourhood, so a point becomes a blur that falls off as $1/r$. The Fourier slice theorem says it
# exactly. The 1-D Fourier transform of a projection is one radial line of the 2-D Fourier transform of the image. Radial lines
# crowd at low frequencies $\omega$ and thin out at high ones, in proportion to $1/|\omega|$. So weigh each by $|\omega|$ before
# you smear:
#
# $$\mu(x, y) = \int_0^{\pi} q_\theta(x\cos\theta + y\sin\theta)\,\mathrm{d}\theta, \qquad
# q_\theta = \mathcal F^{-1}\big[\,|\omega|\;\mathcal F[p_\theta]\,\big] .$$
#
# That is **filtered back-projection** (FBP; Kak and Slaney 1988), and $|\omega|$ is the **ramp filter**.
#
# **Predict before you run.** The object below is two small discs. What does *one* back-projected projection look like? After
# filtering, each projection has negative values beside the discs - what are they good for?

# %% tags=["demo"]
from scipy.ndimage import gaussian_filter
from skimage.transform import iradon, radon

rows, columns = np.mgrid[-64:65, -64:65]
discs = ((rows + 20) ** 2 + (columns - 25) ** 2 < 8**2) * 1.0 + ((rows - 20) ** 2 + (columns + 10) ** 2 < 14**2) * 0.6
discs = gaussian_filter(discs, 1.5)
fig, axes = plt.subplots(2, 4, figsize=(9, 4.9), layout="constrained")
for column, number in enumerate([1, 4, 16, 180]):
    theta = np.arange(number) * 180 / number
    projections = radon(discs, theta)
    for ax, name in zip(axes[:, column], [None, "ramp"], strict=True):
        image = iradon(projections, theta, filter_name=name)
        ax.imshow(image, vmin=0 if name is None else -0.35 * image.max(), vmax=image.max())
        ax.set(xticks=[], yticks=[], title=f"{number} angle" + "s" * (number > 1) if name is None else None)
axes[0, 0].set_ylabel("smeared back")
axes[1, 0].set_ylabel("ramp filter, then\nsmeared back\n(dark grey is 0)")
show.figure(fig, alt="Two discs back-projected from 1, 4, 16 and 180 angles. Without the filter they end as bright blurs in a grey haze; "
                     "with it they end sharp "
                     "on an even ground of value 0, because negative values, black beside each ray, cancel the haze")

# %% [markdown]
# One projection alone is a set of stripes: it knows nothing about the depth. The negative flanks of the filtered stripes are
# there to cancel the haze that the stripes of *other* angles leave.
#
# Now the whole chain on a chest, with counting noise. Move the controls: **how many projections** does an image of this size
# need, and what do too few look like? What do too few *photons* look like? The two artefacts are different: learn to tell them
# apart.

# %% tags=["demo"]
chest = simulate.thorax_slice(size=193, spacing=2.0, nodule_diameter_mm=15, seed=SEED)
in_circle = np.hypot(*np.mgrid[-96:97, -96:97]) < 96
mu_chest = MU_WATER * np.clip(1 + chest.hu / 1000, 0, None) * in_circle
all_angles = np.arange(360) / 2
sinogram = radon(mu_chest, all_angles) * 2.0  # sums of pixels times 2 mm: line integrals


def ct_scan(projections: int, photons: float) -> tuple[np.ndarray, np.ndarray]:
    """Measured line integrals and the image in HU, from this many angles and photons a ray."""
    step = 360 // projections
    counts = np.random.default_rng(SEED).poisson(photons * np.exp(-sinogram[:, ::step]))
    measured = -np.log(np.maximum(counts, 1) / photons)
    image = iradon(measured, all_angles[::step]) / 2.0  # per pixel -> per mm
    return measured, 1000 * (image - MU_WATER) / MU_WATER


def draw(projections: int, photons: float) -> plt.Figure:
    measured, image = ct_scan(projections, photons)
    error = np.abs(image - chest.hu)[in_circle].mean()
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
    axes[0].imshow(measured, aspect="auto", extent=(0, 180, -192, 192), cmap="gray")
    axes[0].set(title="sinogram", xlabel="angle (degrees)", ylabel="detector (mm)")
    axes[1].imshow(image, vmin=-1000, vmax=300)
    axes[1].set_title(f"{projections} projections,\n{photons:,.0f} photons a ray", fontsize=10)
    axes[2].imshow(image - chest.hu, vmin=-300, vmax=300)
    axes[2].set_title(f"error, mean {error:.0f} HU (grey: 0,\nwhite: 300 too high, black: 300 too low)", fontsize=10)
    for ax in axes[1:]:
        ax.set_axis_off()
    return fig


show.explore(draw, projections=[60, 10, 20, 36, 120, 360], photons=[100_000, 3_000, 10_000, 1_000_000],
             alt="Sinogram of a chest, its reconstruction from 60 projections with fine streaks, and the error")

# %% tags=["demo"]
errors = {number: float(np.abs(ct_scan(number, 1e6)[1] - chest.hu)[in_circle].mean()) for number in (20, 60, 360)}
hazy = iradon(sinogram, all_angles, filter_name=None)[in_circle]
slope, offset = np.polyfit(hazy, chest.hu[in_circle], 1)  # the kindest scale one can give it
no_ramp_error = float(np.abs(slope * hazy + offset - chest.hu[in_circle]).mean())
for number, error in errors.items():
    print(f"{number:4d} projections: mean error {error:4.0f} HU")
print(f" 360 projections without the ramp filter, after the best rescaling: {no_ramp_error:.0f} HU")

# %% [markdown]
# Too few angles give **streaks** that belong to the object (the same every time); too few photons give **noise** (different
# every time), worst along the rays with the longest way through bone. As a rule of thumb you need about $\pi/2$ times as many
# projections as detector elements for a clean image. Scanners take around a thousand in each turn.
#
# One thing our scanner leaves out: a real tube sends photons of many energies, and the soft ones are stopped first. The deeper,
# the harder the beam, so attenuation no longer adds up, and dark bands appear between dense bones (**beam hardening**).

# %% [markdown]
# ### Exercise 1.3a - filtered back-projection
#
# Difficulty 4 of 5 - 4 points - about 35 minutes - *after it you know what stands between a detector and a Hounsfield unit*
#
# Write `fbp(counts, blank, angles, spacing)`: from photon counts to $\mu$ in 1/mm. Four steps:
#
# 1. counts to line integrals: $p = -\log(N/N_0)$; a count below one photon is taken as one;
# 2. ramp-filter every projection: zero-pad it to at least twice its length (a filter by FFT is periodic, and the end must not
#    leak into the beginning), better to four times (twice leaves water 20 to 90 HU too low, four times 3 to 20), multiply its
#    FFT by $|\omega|$ with $\omega$ in cycles per mm and no further window, transform back, cut the padding off;
# 3. smear back: pixel $(x, y)$ takes $q_\theta(t)$ at $t = x\cos\theta + y\sin\theta$, by linear interpolation, 0 outside the
#    detector;
# 4. add up over the angles times $\mathrm{d}\theta = \pi / A$ for $A$ angles.
#
# Negative values stay: they are the noise around 0, and without them the mean of dark regions is too high. Write it yourself
# with NumPy; `skimage.transform.iradon` is there to compare with.
#
# <details><summary>Hint 1: the idea</summary>Steps 1 and 2 work on whole columns at once. Step 3 needs a loop over the angles:
# one image of <code>t</code> for each, then one look-up.</details>
# <details><summary>Hint 2: what to call</summary><code>np.fft.fft(p, n=padded, axis=0)</code>,
# <code>np.fft.fftfreq(padded, d=spacing)</code>, <code>np.interp(t, detector, q[:, k], left=0, right=0)</code>. Detector
# element <code>i</code> stands at <code>(i - (D - 1) / 2) * spacing</code>.</details>
# <details><summary>My image is right but everything is too large by a constant factor</summary>Is $\mathrm{d}\theta = \pi/A$
# there, and in radians? Does <code>fftfreq</code> know the spacing? Without it the result is per pixel instead of per
# mm.</details>
# <details><summary>My image is mirrored, or a swirl</summary>A swirl: <code>np.cos</code> wants radians. Mirrored: row 0 is the
# top of the image, where $y$ is largest.</details>
# <details><summary>My disc is bright in a grey haze</summary>The ramp filter is missing, or ran along the wrong axis: it works
# along the detector, axis 0.</details>

# %% nbgrader={"grade": false, "grade_id": "fbp", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fbp(counts: np.ndarray, blank: float, angles: np.ndarray, spacing: float) -> np.ndarray:
    """Reconstruct attenuation from photon counts by filtered back-projection.

    Args:
        counts: (D, A) photons behind the patient; column k is the projection at angles[k]. D is odd; element (D - 1) / 2 is at t = 0.
        blank: photons that reach every element with no patient, larger than 0; may be more than the largest count.
        angles: (A,) in degrees, evenly spaced over 180 degrees; the ray (t, theta) is the line x cos(theta) + y sin(theta) = t.
        spacing: distance of the detector elements in mm, and size of the pixels.

    Returns:
        (D, D) attenuation in 1/mm, always finite, not clipped. Row 0 is the top (largest y), column 0 the left (smallest x), the centre is
        x = y = 0.
    """
    ### BEGIN SOLUTION
    p = -np.log(np.maximum(counts, 1) / blank)
    n = len(p)
    padded = 4 * n
    ramp = np.abs(np.fft.fftfreq(padded, d=spacing))
    q = np.fft.ifft(np.fft.fft(p, n=padded, axis=0) * ramp[:, None], axis=0).real[:n]
    detector = (np.arange(n) - (n - 1) / 2) * spacing
    x, y = np.meshgrid(detector, -detector)
    image = np.zeros((n, n))
    for k, theta in enumerate(np.deg2rad(angles)):
        t = x * np.cos(theta) + y * np.sin(theta)
        image += np.interp(t, detector, q[:, k], left=0, right=0)
    return image * np.pi / len(angles)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "fbp-ramp", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Is it sharp? A disc's projection is known exactly: p(t) = 2 mu sqrt(R^2 - t^2). Inside must be flat, outside empty, whatever the scale
t = np.arange(-40, 41) * 1.0
p = 2 * 0.02 * np.sqrt(np.clip(20.0**2 - t**2, 0, None))
image = fbp(np.repeat(1e6 * np.exp(-p)[:, None], 120, axis=1), 1e6, np.arange(120) * 1.5, 1.0)
assert image is not None and np.shape(image) == (81, 81), f"81 detector elements make an image of shape (81, 81), got {np.shape(image)}"
assert np.isfinite(image).all(), "the image holds nan or inf"
r = np.hypot(*np.meshgrid(t, t))
inner, outer, rim = image[r < 10].mean(), image[(r > 26) & (r < 38)].mean(), image[(r > 15) & (r < 18)].mean()
assert inner > 0, f"the disc attenuates, but its mean is {inner:.3g}. Sign of the logarithm? Ramp filter along the detector, axis 0?"
assert outer < 0.06 * inner, f"haze: around the disc you have {outer / inner:.0%} of the value inside. Is each projection ramp-filtered?"
assert outer > -0.06 * inner, (
    f"around the disc you have {outer / inner:.0%} of the value inside: the filter wraps round, it needs zero padding"
)
assert abs(rim / inner - 1) < 0.06, f"the disc should be flat, but near its rim it has {rim / inner:.0%} of its centre: ramp filter?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(3)
for radius, level in zip(rng.uniform(12, 25, 3), rng.uniform(0.005, 0.03, 3), strict=True):
    p = 2 * level * np.sqrt(np.clip(radius**2 - t**2, 0, None))
    image = np.asarray(fbp(np.repeat(1e6 * np.exp(-p)[:, None], 90, axis=1), 1e6, np.arange(90) * 2.0, 1.0))
    inner, outer = image[r < radius - 6].mean(), image[(r > radius + 5) & (r < 38)].mean()
    assert inner > 0 and abs(outer) < 0.07 * inner, "another disc leaves a haze around it: the ramp filter must work for every radius"
needle = np.full((41, 1), 1e6)
needle[20] = 1e6 / np.e
peak = np.asarray(fbp(needle, 1e6, np.zeros(1), 2.0))[20, 20] / np.pi
assert abs(peak / (1 / 8) - 1) < 0.05, (
    f"one element of 2 mm with p = 1 is filtered to {peak:.3f} instead of 1 / (4 * 2 mm): the filter is |omega| up to the highest "
    "frequency, without a window that damps the fine details"
)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fbp-units", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Attenuation in 1/mm, whatever the number of angles and the size of the detector elements
def disc_value(angles: int, spacing: float, level: float) -> float:
    t = np.arange(-30, 31) * spacing
    p = 2 * level * np.sqrt(np.clip((16 * spacing) ** 2 - t**2, 0, None))
    image = np.asarray(fbp(np.repeat(1e6 * np.exp(-p)[:, None], angles, axis=1), 1e6, np.arange(angles) * 180 / angles, spacing))
    assert image.shape == (61, 61), f"61 detector elements make an image of shape (61, 61), got {image.shape}"
    return float(image[24:37, 24:37].mean())


few, many = disc_value(60, 1.0, 0.0193), disc_value(120, 1.0, 0.0193)
assert few != 0 and abs(many / few - 1) < 0.1, (
    f"twice the angles changed the value by a factor {many / few:.2f}: the sum over angles needs d theta = pi / A"
)
assert abs(few / 0.0193 - 1) < 0.05, (
    f"a disc of water should be 0.0193/mm, got {few:.4g}, off by a factor {few / 0.0193:.3g} (pi? 2? pi/180?)"
)
### BEGIN HIDDEN TESTS
for spacing in (0.5, 2.5):
    value = disc_value(72, spacing, 0.012)
    factor = value / 0.012
    assert abs(factor - 1) < 0.05, (
        f"with detector elements of {spacing} mm the value is off by a factor {factor:.3g}: is omega in cycles per mm?"
    )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fbp-place", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A small disc comes back where it was: x to the right, y to the top
def brightest(x: float, y: float) -> tuple[float, float]:
    theta = np.arange(90) * 2.0
    t = np.arange(-30, 31)[:, None] * 1.0
    centre = x * np.cos(np.deg2rad(theta)) + y * np.sin(np.deg2rad(theta))
    p = 2 * 0.05 * np.sqrt(np.clip(3.0**2 - (t - centre) ** 2, 0, None))
    image = np.asarray(fbp(1e6 * np.exp(-p), 1e6, theta, 1.0), dtype=float)
    assert image.shape == (61, 61), f"61 detector elements make an image of shape (61, 61), got {image.shape}"
    weight = np.where(image > image.max() / 2, image, 0.0) if image.max() > 0 else np.ones_like(image)
    rows, columns = np.mgrid[30:-31:-1, -30:31]
    return float((weight * columns).sum() / weight.sum()), float((weight * rows).sum() / weight.sum())


x, y = brightest(14, 8)
assert not (abs(x - 14) < 1 and abs(y + 8) < 1), "your image stands on its head: row 0 is the top, where y is largest"
assert not (abs(x + 14) < 1 and abs(y - 8) < 1), "your image is mirrored left to right"
assert abs(x - 14) < 1 and abs(y - 8) < 1, (
    f"a disc at x = 14, y = 8 mm came back around x = {x:.1f}, y = {y:.1f}. Are the angles in radians for np.cos? t = x cos + y sin?"
)
### BEGIN HIDDEN TESTS
for truth in ((-12, 9), (5, -17), (-8, -13), (0, 0)):
    x, y = brightest(*truth)
    assert abs(x - truth[0]) < 1 and abs(y - truth[1]) < 1, (
        f"a disc at {truth} mm came back around ({x:.1f}, {y:.1f}): angles in radians, t = x cos + y sin?"
    )
t = np.arange(-30, 31) * 1.0
p = 0.4 * np.sqrt(np.clip(6.0**2 - (t - 9) ** 2, 0, None))[:, None]
straight, turned = (np.asarray(fbp(1e6 * np.exp(-p), 1e6, np.array([angle]), 1.0)) for angle in (0.0, 35.0))
assert straight.min() < 0, "a filtered projection has negative flanks, which cancel the haze of other angles: clip nothing"
at = t[None, :] * np.cos(np.deg2rad(35)) - t[:, None] * np.sin(np.deg2rad(35))
assert np.allclose(turned[np.abs(at) > 31], 0), "a ray that misses the detector adds 0: not the value of the last element"
assert np.allclose(np.where(np.abs(at) < 30, turned, 0), np.where(np.abs(at) < 30, np.interp(at, t, straight[0]), 0), atol=1e-6), (
    "one projection smeared back at 35 degrees isn't the one at 0 degrees, turned: look it up by linear interpolation, not nearest"
)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fbp-log", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Photons multiply, attenuation adds: double mu and the image must double. And behind metal a detector counts nothing at all
t = np.arange(-20, 21)[:, None] * np.ones((1, 60))
p = 2 * 0.03 * np.sqrt(np.clip(9.0**2 - (t - 5) ** 2, 0, None))
once = np.asarray(fbp(1e8 * np.exp(-p), 1e8, np.arange(60) * 3.0, 1.0))
twice = np.asarray(fbp(1e8 * np.exp(-2 * p), 1e8, np.arange(60) * 3.0, 1.0))
assert once.shape == (41, 41) and np.abs(once).max() > 0, "the image is empty, or not of shape (41, 41)"
assert np.allclose(twice, 2 * once, atol=1e-3 * np.abs(once).max()), (
    "twice the attenuation must give twice the image: is the logarithm of counts / blank taken?"
)
wide = np.asarray(fbp(np.full((41, 60), 1e7), 1e8, np.arange(60) * 3.0, 1.0))  # a patient wider than the detector: no element sees air
assert wide[20, 20] > 0.01, "where every element counts a tenth of blank there is a patient: divide by blank, not by the largest count"
starved = 1e8 * np.exp(-p)
starved[18:23, :30] = 0
image = np.asarray(fbp(starved, 1e8, np.arange(60) * 3.0, 1.0))
assert np.isfinite(image).all(), "a detector element that counted no photon made nan or inf: the logarithm of 0. Take one photon there"
### BEGIN HIDDEN TESTS
one = starved.copy()
one[18:23, :30] = 1
assert np.allclose(image, np.asarray(fbp(one, 1e8, np.arange(60) * 3.0, 1.0))), "no photon should be treated like one photon"
air = np.asarray(fbp(np.full((41, 60), 5e4), 5e4, np.arange(60) * 3.0, 1.0))
assert np.allclose(air, 0, atol=1e-9), "with no patient in the beam (counts = blank) the image must be 0"
brighter = np.asarray(fbp(3 * 1e8 * np.exp(-p), 3e8, np.arange(60) * 3.0, 1.0))
assert np.allclose(brighter, once, atol=1e-6), "three times the tube current, with its own blank, must not change mu"
second = 2 * 0.03 * np.sqrt(np.clip(5.0**2 - (t + 9) ** 2, 0, None))
other, both = (np.asarray(fbp(1e8 * np.exp(-line), 1e8, np.arange(60) * 3.0, 1.0)) for line in (second, p + second))
assert np.allclose(both, once + other, atol=1e-4 * np.abs(once).max()), (
    "two objects together aren't the sum of their images: attenuation adds, and nothing may be clipped, negative values included"
)
### END HIDDEN TESTS

# %% [markdown]
# ### MRI: contrast is a choice
#
# A strong field $B_0$ magnetises the water protons of the body a little. A radio pulse tips that magnetisation into the
# transverse plane, where it precesses and induces a voltage in a coil. Then two things happen, each with its own time constant:
#
# - the transverse part dies away, $M_{xy} \propto e^{-t/T_2}$, because neighbouring protons lose step with each other;
# - the longitudinal part grows back, $M_z \propto 1 - e^{-t/T_1}$, as energy goes to the surroundings.
#
# A **spin-echo** sequence (Hahn 1950) repeats the pulse every **TR** (repetition time) and listens at **TE** (echo time). A refocusing
# pulse at TE/2 removes the dephasing by static field errors. With the proton density $\rho$, and for TE much shorter than TR,
#
# $$S = \rho\,\big(1 - e^{-TR/T_1}\big)\,e^{-TE/T_2} .$$
#
# Two knobs, three tissue properties. The same head can be made to look like anything:
#
# | typical at 1.5 T | $\rho$ | $T_1$ (ms) | $T_2$ (ms) |
# |---|---|---|---|
# | white matter | 0.70 | 600 | 80 |
# | grey matter | 0.80 | 950 | 100 |
# | cerebrospinal fluid (CSF) | 1.00 | 4000 | 2000 |
#
# **Predict before you run.** Start at TR 500, TE 15. Which tissue is brightest? Now lengthen TE to 100 and leave TR: the fluid
# should light up, as in every $T_2$-weighted image. Does it?

# %% tags=["demo"]
import ipywidgets as widgets

NAMES = ["white matter", "grey matter", "CSF"]
RHO, T1, T2 = np.array([0.70, 0.80, 1.00]), np.array([600.0, 950.0, 4000.0]), np.array([80.0, 100.0, 2000.0])  # 1.5 T, ms
tissue = simulate.brain_slice(size=160, spacing=1.3, seed=SEED).tissue  # 0 background, 1 CSF, 2 grey, 3 white
PAINT = np.array([3, 2, 1])  # the label of each name


def draw(TR: float, TE: float) -> plt.Figure:
    recovered = 1 - np.exp(-TR / T1)
    signal = RHO * recovered * np.exp(-TE / T2)
    look_up = np.zeros(tissue.max() + 1)
    look_up[PAINT] = signal
    noise = np.random.default_rng(SEED).normal(0, 0.01, (2, *tissue.shape))
    image = np.hypot(look_up[tissue] + noise[0], noise[1])  # the magnitude of a noisy complex signal
    fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.5), layout="constrained")
    axes[0].imshow(image, vmin=0, vmax=signal.max() * 1.05)
    axes[0].set_title(f"TR {TR:.0f} ms, TE {TE:.0f} ms")
    axes[0].set_axis_off()
    t, echo = np.linspace(0, 6000, 400), np.linspace(0, 200, 200)
    for name, rho, t1, t2, ready, tone, dash in zip(NAMES, RHO, T1, T2, recovered, show.PALETTE, ("-", "--", "-."), strict=False):
        axes[1].plot(t, rho * (1 - np.exp(-t / t1)), color=tone, ls=dash)
        axes[2].plot(echo, rho * ready * np.exp(-echo / t2), color=tone, ls=dash, label=name)
    axes[1].axvline(TR, color="k", ls=":")
    axes[1].set(title="regrowth: TR decides", xlabel="time after the pulse (ms)", ylabel="$M_z$", ylim=(0, 1.02))
    axes[2].axvline(TE, color="k", ls=":")
    axes[2].set(title="decay: TE decides", xlabel="time after the next pulse (ms)", ylabel="signal", ylim=(0, None))
    axes[2].legend(fontsize=8)
    return fig


show.explore(draw, TR=widgets.IntSlider(value=500, min=300, max=6000, step=100, continuous_update=False, description="TR"),
             TE=widgets.IntSlider(value=15, min=5, max=200, step=5, continuous_update=False, description="TE"),
             alt="A brain slice at TR 500 and TE 15, white matter bright and fluid dark, beside the recovery and decay curves of the "
                 "three tissues")

# %% tags=["demo"]
panels = {
    "$T_1$: TR 500, TE 15": (500, 15),
    "$T_2$: TR 4000, TE 100": (4000, 100),
    "PD: TR 4000, TE 15": (4000, 15),
    "neither: TR 500, TE 100": (500, 100),
}
images = []
for TR, TE in panels.values():
    look_up = np.zeros(tissue.max() + 1)
    look_up[PAINT] = RHO * (1 - np.exp(-TR / T1)) * np.exp(-TE / T2)
    noise = np.random.default_rng(SEED).normal(0, 0.02, (2, *tissue.shape))
    images.append(np.hypot(look_up[tissue] + noise[0], noise[1]))
show.row(images, titles=list(panels), alt="The same brain slice four times: T1-weighted with bright white matter, T2-weighted with "
                                          "bright fluid, proton "
         "density with little contrast, and short TR with long TE: noisy, with almost no contrast", height=2.7)

# %% [markdown]
# Short TR *and* long TE is the surprise: $T_1$ makes fluid dark, $T_2$ makes it bright, and the two cancel; what remains is
# weak and noisy. So nobody scans like that. "Weighted" means: one relaxation is allowed to differ between tissues, the other is
# switched off.
#
# Two more things a learner of networks must know. **The values have no unit**: the same brain gives 300 on one scanner and 1800
# on the next, so normalise per volume. And **the noise is Rician** (Gudbjartsson and Patz 1995): real and imaginary channel carry
# Gaussian noise, and the magnitude is never negative. Air is not 0, but about $1.25\,\sigma$.

# %% [markdown]
# ### MRI again: the scanner doesn't measure pixels
#
# Gradients make the precession frequency depend on place, so that what the coil records at each instant is *one sample of the
# image's 2-D Fourier transform*, called **k-space**. The image is its inverse FFT. Every k-space sample touches every pixel.
#
# **Predict before you run.** (a) Keep only the central 4 % of k-space, or throw away just these 4 %: which image would you
# rather read? (b) A spark in the room makes *one* of 25 600 samples wrong. What happens to the image?

# %% tags=["demo"]
kspace = np.fft.fftshift(np.fft.fft2(images[0]))
centre = np.zeros(kspace.shape, bool)
centre[64:96, 64:96] = True  # 32 x 32 of 160 x 160: 4 %
spark = kspace.copy()
spark[52, 100] += 0.5 * np.abs(kspace).max()
to_image = lambda k: np.abs(np.fft.ifft2(np.fft.ifftshift(k)))  # noqa: E731
show.row(
    [np.log(np.abs(kspace) + 1), to_image(kspace * centre), to_image(kspace * ~centre), to_image(spark)],
    titles=["k-space (log magnitude)", "the centre alone (4 %)", "all but the centre (96 %)", "one sample wrong"],
    alt="k-space, bright in the middle; the image from its centre, blurred with right contrast; the image from the rest, thin edges "
        "without contrast; "
    "and the image with one corrupt sample, covered with regular stripes",
    height=2.7,
)
central_share = (np.abs(kspace) ** 2 * centre).sum() / (np.abs(kspace) ** 2).sum()
print(f"the central 4 % of k-space holds {central_share:.1%} of the signal energy")

# %% [markdown]
# The centre carries contrast, the rim carries edges; and an artefact that is local in k-space is global in the image. A network
# with a small receptive field can't undo it, which is why learned reconstruction works in both domains.

# %% [markdown]
# ### Exercise 1.3b - the signal of a spin echo
#
# Difficulty 2 of 5 - 3 points - about 8 minutes - *after it you can compute what any tissue looks like at any setting*
#
# Write `spin_echo(rho, t1, t2, te, tr)` for whole maps. Two things the formula doesn't tell: air has no protons and no
# relaxation, so maps hold $\rho = T_1 = T_2 = 0$ there; and an echo can't come after the next pulse.
#
# <details><summary>Hint 1: the idea</summary>Two factors: how far has $M_z$ recovered when the pulse comes (TR, $T_1$), and how
# much is left of it at the echo (TE, $T_2$)?</details>
# <details><summary>Hint 2: what to call</summary><code>np.divide(a, b, out=..., where=b &gt; 0)</code>, or replace zero times
# by a harmless number before you divide, and set the signal to 0 there afterwards.</details>
# <details><summary>My background is nan, or NumPy warns of a division by zero</summary>Air has $T_2 = 0$, and TE / $T_2$ is 0 /
# 0 when TE is 0. Air must give a signal of exactly 0, at every setting.</details>
# <details><summary>Fluid is bright where it should be dark</summary>Is TR paired with $T_1$, and TE with $T_2$?</details>

# %% nbgrader={"grade": false, "grade_id": "spin-echo", "locked": false, "schema_version": 3, "solution": true, "task": false}
def spin_echo(rho: np.ndarray, t1: np.ndarray, t2: np.ndarray, te: float, tr: float) -> np.ndarray:
    """Signal of a spin-echo sequence.

    Args:
        rho: proton density, any shape, at least 0.
        t1, t2: relaxation times in ms, of the same shape; 0 where there is no tissue.
        te, tr: echo and repetition time in ms, 0 <= te < tr.

    Returns:
        rho * (1 - exp(-tr / t1)) * exp(-te / t2), of the shape of rho; 0 where t1 or t2 is 0. Never nan. The maps are not changed.

    Raises:
        ValueError: te is not shorter than tr.
    """
    ### BEGIN SOLUTION
    if te >= tr:
        raise ValueError(f"the echo (te = {te} ms) must come before the next pulse (tr = {tr} ms)")
    tissue = (np.asarray(t1) > 0) & (np.asarray(t2) > 0)
    t1, t2 = np.where(tissue, t1, 1.0), np.where(tissue, t2, 1.0)
    return np.where(tissue, rho * (1 - np.exp(-tr / t1)) * np.exp(-te / t2), 0.0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "spin-echo-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Numbers you can check by hand: after T1 ln 2 half has recovered, after T2 ln 2 half has decayed
half = np.log(2)
value = spin_echo(np.array([1.0, 0.8]), np.array([600.0, 1000.0]), np.array([80.0, 50.0]), 80 * half, 600 * half)
assert np.shape(value) == (2,), f"two voxels in, two signals out; got shape {np.shape(value)}"
assert not np.isclose(value[0], (1 - 0.5 ** (80 / 600)) * 0.5 ** (600 / 80), rtol=1e-3), (
    "TE and TR are swapped: TR belongs to the recovery with T1, TE to the decay with T2"
)
assert np.isclose(value[0], 0.25), (
    f"rho = 1, TR = T1 ln 2, TE = T2 ln 2 should give 1/2 * 1/2 = 0.25, got {value[0]:.3f}. Is TR paired with T1 and TE with T2?"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(5)
rho, t1, t2 = rng.uniform(0.3, 1, (6, 7)), rng.uniform(300, 4000, (6, 7)), rng.uniform(30, 300, (6, 7))
for te, tr in ((10.0, 450.0), (95.0, 3800.0), (30.0, 120.0)):
    truth = np.exp(np.log(rho) + np.log(-np.expm1(-tr / t1)) - te / t2)
    got = spin_echo(rho, t1, t2, te, tr)
    assert np.shape(got) == (6, 7), f"maps of shape (6, 7) must give a signal of that shape, got {np.shape(got)}"
    assert np.allclose(got, truth), f"the signal is off on a random map at TE {te}, TR {tr}: TR goes with T1, TE with T2"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "spin-echo-limits", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Wait for ever and listen at once: only proton density is left. Listen late: nothing is left
rho, t1, t2 = np.array([0.7, 0.8, 1.0]), np.array([600.0, 950.0, 4000.0]), np.array([80.0, 100.0, 2000.0])
density = spin_echo(rho, t1, t2, 0.0, 1e6)
assert np.allclose(density, rho), f"TR to infinity and TE = 0 must give rho = {rho}, got {np.round(density, 3)}"
late = spin_echo(rho, t1, t2, 5e4, 1e6)
assert np.allclose(late, 0, atol=1e-6), f"long after T2 no signal is left, got {np.round(late, 3)}: is the decay exp(-TE / T2)?"
early = spin_echo(rho, t1, t2, 0.0, 1e-3)
assert np.allclose(early, 0, atol=1e-5), (
    f"with no time to recover there is no signal, got {np.round(early, 3)}: is the recovery 1 - exp(-TR / T1)?"
)
### BEGIN HIDDEN TESTS
series = np.array([spin_echo(rho, t1, t2, 20.0, tr) for tr in (200, 600, 2000, 9000)])
assert (np.diff(series, axis=0) > 0).all(), "a longer TR must give more signal"
series = np.array([spin_echo(rho, t1, t2, te, 3000.0) for te in (5, 20, 80, 300)])
assert (np.diff(series, axis=0) < 0).all(), "a longer TE must give less signal"
assert np.allclose(spin_echo(2 * rho, t1, t2, 30.0, 900.0), 2 * spin_echo(rho, t1, t2, 30.0, 900.0)), "twice the protons, twice the signal"
ratio = spin_echo(rho, t1, t2, 60.0, 900.0) / spin_echo(rho, t1, t2, 20.0, 900.0)
assert np.allclose(ratio, np.exp(-40 / t2)), "between two echo times the signal must fall by exp(-difference / T2), whatever TR"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "spin-echo-air", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What a real map holds: air, where all three are 0. And a setting that no scanner can play
maps = np.array([0.0, 1.0]), np.array([0.0, 600.0]), np.array([0.0, 80.0])
before = [each.copy() for each in maps]
value = np.asarray(spin_echo(*maps, 0.0, 600 * np.log(2)))  # in place
assert all(np.array_equal(*pair) for pair in zip(maps, before, strict=True)), "your function changed the maps it was given: work on copies"
assert np.isclose(value[1], 0.5), f"tissue beside air, at TE = 0 and TR = T1 ln 2, should still give 0.5, got {value[1]:.3f}"
assert np.isfinite(value[0]), "air gives nan at TE = 0: that is 0 / 0. Set the signal to 0 where T1 or T2 is 0"
assert value[0] == 0, f"air has no signal, got {value[0]:.3f}"
try:
    spin_echo(np.array([1.0]), np.array([600.0]), np.array([80.0]), 900.0, 500.0)
except ValueError:
    pass
else:
    raise AssertionError("TE = 900 with TR = 500 is impossible (the echo would come after the next pulse): raise ValueError")
### BEGIN HIDDEN TESTS
value = np.asarray(spin_echo(np.array([0.5, 0.5, 0.5]), np.array([0.0, 700.0, 700.0]), np.array([90.0, 0.0, 90.0]), 30.0, 700.0))
assert value[0] == 0 and value[1] == 0 and value[2] > 0.2, "where T1 or T2 is 0 the signal must be 0, even if rho is not"
try:
    spin_echo(np.array([1.0]), np.array([600.0]), np.array([80.0]), 500.0, 500.0)
except ValueError:
    pass
else:
    raise AssertionError("TE equal to TR is impossible too: raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 1.3c - write the protocol
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can look at a brain image and say how it was weighted*
#
# Now the other way round: you want a contrast, which TE and TR do you set? Write `protocols()`, which returns one pair (TE, TR)
# for a $T_1$-weighted, a $T_2$-weighted and a proton-density-weighted brain scan at 1.5 T. Use the tissue table above. Your
# scanner allows TE from 8 to 200 ms and TR from 200 to 6000 ms.
#
# How weighted? The relative change of the signal for a relative change of a relaxation time tells it:
# $\left|\frac{\partial \ln S}{\partial \ln T_2}\right| = \frac{TE}{T_2}$, and
# $\left|\frac{\partial \ln S}{\partial \ln T_1}\right| = \frac{x}{e^{x} - 1}$ with $x = TR/T_1$. The checks want, in grey
# matter, the weighted one to be more than three times the other, and for proton density less than 0.35 for $T_2$ and 0.2 for
# $T_1$, and grey over white within 0.06 of the ratio of their densities, 0.8 / 0.7. And there must be something left to see: for $T_1$ a signal above 0.2 in white matter and 0.03 less in grey; for $T_2$
# 0.08 in white matter, and fluid more than 1.5 times as bright as grey.
#
# <details><summary>Hint 1: the idea</summary>TR switches $T_1$ on (short) or off (long). TE switches $T_2$ off (short) or on
# (long).</details>
# <details><summary>Hint 2: how long is long</summary>$T_1$ is off when TR is several times $T_1$ of grey matter. $T_2$ is on
# when TE is about $T_2$ of the tissue.</details>
# <details><summary>My PD image looks like a $T_2$ image</summary>The echo comes too late: take the shortest TE you
# have.</details>

# %% nbgrader={"grade": false, "grade_id": "protocols", "locked": false, "schema_version": 3, "solution": true, "task": false}
def protocols() -> dict[str, tuple[float, float]]:
    """Settings of a spin echo for three weightings of the brain at 1.5 T.

    Returns:
        {"T1": (te, tr), "T2": (te, tr), "PD": (te, tr)}, all in ms; te from 8 to 200, tr from 200 to 6000.
    """
    ### BEGIN SOLUTION
    return {"T1": (12.0, 500.0), "T2": (100.0, 4500.0), "PD": (12.0, 4500.0)}
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "protocols-t1", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# T1-weighted: white matter brightest, fluid dark, and it is T1 that does it
rho, t1, t2 = np.array([0.7, 0.8, 1.0]), np.array([600.0, 950.0, 4000.0]), np.array([80.0, 100.0, 2000.0])  # white, grey, CSF
chosen = protocols()
assert isinstance(chosen, dict) and {"T1", "T2", "PD"} <= set(chosen), "return a dict with the keys T1, T2 and PD"
te, tr = chosen["T1"]
assert te < tr, f"T1: TE = {te} is not shorter than TR = {tr}. The order in the pair is (te, tr)"
assert 8 <= te <= 200 and 200 <= tr <= 6000, f"T1: TE {te}, TR {tr} is outside what the scanner allows. Are both in ms?"
white, grey, fluid = rho * (1 - np.exp(-tr / t1)) * np.exp(-te / t2)
assert white > grey > fluid, (
    f"T1: white, grey, fluid come out as {white:.2f}, {grey:.2f}, {fluid:.2f}; should fall. Short TR lets T1 differ, short TE keeps "
    "T2 out"
)
### BEGIN HIDDEN TESTS
by_t1, by_t2 = (tr / t1[1]) / np.expm1(tr / t1[1]), te / t2[1]
assert by_t1 > 3 * by_t2, (
    f"T1: in grey matter the signal follows T1 with {by_t1:.2f} and T2 with {by_t2:.2f}; shorten TE so that T2 is out of the game"
)
assert white > 0.2 and white - grey > 0.03, "T1: too little signal or contrast is left: TR is so short that nothing recovers"
assert chosen["T1"] != chosen["T2"] and chosen["T1"] != chosen["PD"], "three weightings need three different settings"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "protocols-t2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# T2-weighted: fluid brightest, white matter darkest, and T1 has no say
rho, t1, t2 = np.array([0.7, 0.8, 1.0]), np.array([600.0, 950.0, 4000.0]), np.array([80.0, 100.0, 2000.0])  # white, grey, CSF
chosen = protocols()
assert isinstance(chosen, dict) and {"T1", "T2", "PD"} <= set(chosen), "return a dict with the keys T1, T2 and PD"
te, tr = chosen["T2"]
assert te < tr, f"T2: TE = {te} is not shorter than TR = {tr}. The order in the pair is (te, tr)"
assert 8 <= te <= 200 and 200 <= tr <= 6000, f"T2: TE {te}, TR {tr} is outside what the scanner allows. Are both in ms?"
white, grey, fluid = rho * (1 - np.exp(-tr / t1)) * np.exp(-te / t2)
assert fluid > grey > white, (
    f"T2: fluid, grey, white come out as {fluid:.2f}, {grey:.2f}, {white:.2f}; should fall. Long TE lets T2 differ, long TR keeps T1 "
    "out"
)
### BEGIN HIDDEN TESTS
by_t1, by_t2 = (tr / t1[1]) / np.expm1(tr / t1[1]), te / t2[1]
assert by_t2 > 3 * by_t1, (
    f"T2: in grey matter the signal follows T2 with {by_t2:.2f} and T1 with {by_t1:.2f}; lengthen TR so that T1 is out, or TE"
)
assert white > 0.08 and fluid > 1.5 * grey, "T2: the fluid should stand out, with some signal left in white matter"
assert chosen["T2"] != chosen["T1"] and chosen["T2"] != chosen["PD"], "three weightings need three different settings"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "protocols-pd", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Proton density: neither relaxation counts, so grey is brighter than white about by the ratio of their densities
rho, t1, t2 = np.array([0.7, 0.8]), np.array([600.0, 950.0]), np.array([80.0, 100.0])  # white, grey
chosen = protocols()
assert isinstance(chosen, dict) and {"T1", "T2", "PD"} <= set(chosen), "return a dict with the keys T1, T2 and PD"
te, tr = chosen["PD"]
assert te < tr, f"PD: TE = {te} is not shorter than TR = {tr}. The order in the pair is (te, tr)"
assert 8 <= te <= 200 and 200 <= tr <= 6000, f"PD: TE {te}, TR {tr} is outside what the scanner allows. Are both in ms?"
white, grey = rho * (1 - np.exp(-tr / t1)) * np.exp(-te / t2)
assert te / t2[1] < 0.35, f"PD: with TE = {te} ms T2 still weighs in; take the shortest echo"
assert (tr / t1[1]) / np.expm1(tr / t1[1]) < 0.2, f"PD: with TR = {tr} ms T1 still weighs in; wait longer"
assert abs(grey / white - 0.8 / 0.7) < 0.06, f"PD: grey over white is {grey / white:.2f}, their densities are as 0.8 to 0.7 = 1.14"
### BEGIN HIDDEN TESTS
assert chosen["PD"] != chosen["T1"] and chosen["PD"] != chosen["T2"], "three weightings need three different settings"
### END HIDDEN TESTS

# %% [markdown]
# ### Ultrasound: an image made of interference
#
# The probe sends a short pulse and listens. An echo after the time $t$ comes from the depth $z = ct/2$, with $c = 1540$ m/s.
# But tissue isn't made of walls: each pulse meets thousands of cells and fibres smaller than the wavelength, and *their echoes
# interfere*. The envelope of the sum is bright here and dark there for no anatomical reason. That pattern is **speckle**. With
# many scatterers in a resolution cell the envelope follows a Rayleigh distribution, whose mean is always 1.91 times its
# standard deviation: **the noise is proportional to the signal**. It is multiplicative.
#
# **Predict before you run.** The probe is held perfectly still and records 16 frames, which you average. In CT or MRI the noise
# would fall by $\sqrt{16} = 4$. And here?

# %% tags=["demo"]
from scipy.signal import fftconvolve

z, x = np.meshgrid(np.arange(280) * 0.1, np.arange(220) * 0.1, indexing="ij")  # depth and width in mm
cyst, bright = np.hypot(z - 9, x - 8) < 4, np.hypot(z - 19, x - 14) < 4
echogenicity = np.where(cyst, 0.0, np.where(bright, 6.0, 1.0))  # a cyst is fluid: nothing in it scatters
tissue_only = (np.hypot(z - 9, x - 8) > 5) & (np.hypot(z - 19, x - 14) > 5)
wavelength = 1.54 / 5  # mm at 5 MHz
axial, lateral = np.meshgrid(np.arange(-8, 9) * 0.1, np.arange(-12, 13) * 0.1, indexing="ij")
pulse = np.exp(4j * np.pi * axial / wavelength - (axial / 0.25) ** 2 - (lateral / 0.45) ** 2)  # 4 pi: there and back


def frame(scatterers: int, electronics: int) -> np.ndarray:
    """Envelope of one frame; the seeds say where the scatterers lie, and what the receiver adds."""
    medium = np.random.default_rng(scatterers).normal(size=z.shape) * np.sqrt(echogenicity)
    noise = np.random.default_rng(1000 + electronics).normal(0, 0.15, (2, *z.shape))
    return np.abs(fftconvolve(medium, pulse, mode="same") + noise[0] + 1j * noise[1])


still = np.mean([frame(0, k) for k in range(16)], axis=0)  # same place, new electronic noise
compounded = np.mean([frame(k, k) for k in range(16)], axis=0)  # from 16 angles: other scatterers add up
frames = {"one frame": frame(0, 0), "16 frames, probe still": still, "16 frames, 16 angles": compounded}
speckle_snr = {name: float(envelope[tissue_only].mean() / envelope[tissue_only].std()) for name, envelope in frames.items()}
show.row(
    [20 * np.log10(envelope / envelope[tissue_only].mean() + 1e-6) for envelope in frames.values()],
    titles=[f"{name}\nmean / std = {value:.2f}" for name, value in speckle_snr.items()],
    window=(-30, 20),  # dB around the tissue
    alt="A cyst and a bright lesion in grainy tissue: one frame; the mean of 16 frames with the probe still, with the same grain; and the "
    "mean over 16 viewing angles, much smoother",
    height=4.0,
)

# %% [markdown]
# Almost nothing happens. Inside the cyst the receiver's noise gets weaker, but the grain is the same in every frame: it is not
# random in time. It belongs to this tissue seen from this place. Only *another view* (compounding) gives new speckle. The
# lesson for learning: a denoiser trained on pairs of frames from a still probe learns that speckle is signal. And the picture
# on the screen is log-compressed (here 50 dB), which turns multiplicative noise into roughly additive one.

# %% [markdown]
# ### PET: counting
#
# A tracer such as FDG carries fluorine-18 to where glucose is used. Each decay sends two 511 keV photons in opposite
# directions; a ring of detectors counts pairs that arrive together, each of which marks a line. Nobody *sends* anything, so the
# signal is bounded by how much activity you dare inject and how long a patient can lie still. Counts are **Poisson**: if
# $\lambda$ are expected, $N \sim \text{Poisson}(\lambda)$ has
#
# $$\mathrm{E}[N] = \lambda, \qquad \mathrm{Var}[N] = \lambda .$$
#
# **Predict before you run.** A lesion has twice the uptake of its surroundings. Which of the two regions has the larger noise?
# And how much longer must you scan to halve the relative noise?

# %% tags=["demo"]
pet = simulate.pet_slice(counts=1e5, size=128, spacing=1.6, lesions=1, seed=SEED)
shape = pet.activity / pet.activity.sum()
generator = np.random.default_rng(SEED)
scans = {total: generator.poisson(shape * total) for total in (2e4, 2e5, 2e6)}
show.row([shape * 1e4, *(counts / counts.sum() * 1e4 for counts in scans.values())], window=(0, float(shape.max() * 7e3)), height=2.7,
         titles=["expected uptake (white spot: a lesion)", *(f"{total:,.0f} counts" for total in scans)],
         alt="Expected uptake of FDG in a brain slice with a lesion, and scans with twenty thousand, two hundred thousand and two "
             "million counts, less and less noisy")
bright = shape >= np.percentile(shape[shape > 0], 90)
for total in scans:
    repeats = generator.poisson(shape[bright] * total, (200, bright.sum()))
    relative = (repeats.std(axis=0) / repeats.mean(axis=0)).mean()
    print(f"{total:9,.0f} counts: in the brightest tenth {repeats.mean():6.1f} a pixel, relative noise {relative:5.1%}")

# %% [markdown]
# The brighter region has *more* noise in counts ($\sqrt\lambda$) and *less* in percent ($1/\sqrt\lambda$). Ten times the counts
# win a factor $\sqrt{10} = 3.2$; halving the relative noise takes four times as long. (After an iterative reconstruction the
# pixels are no longer exactly Poisson, and neighbours are correlated. But the variance still grows with the uptake.)

# %% [markdown]
# ### Four kinds of noise
#
# Simulate the wrong noise and your network meets something else in the clinic. The four models so far, for a true signal $a$:
#
# | | measured $x$ | mean | variance | where |
# |---|---|---|---|---|
# | Gaussian, additive | $a + n$ | $a$ | constant | CT in HU (roughly), each channel of MRI |
# | Poisson | counts | $a$ | $\propto a$ | PET, low-light microscopy, X-ray detectors |
# | Rician | $\lvert a + n_1 + i n_2\rvert$ | $> a$ in the dark | constant; 0.43 of that in air | magnitude MRI |
# | speckle | $a \cdot m$ | $\propto a$ | $\propto a^2$ | ultrasound, OCT, radar |
#
# **Predict before you run.** Below are histograms of *one* bright pixel over 2000 repeats, one for each model. Which one is
# PET?

# %% tags=["demo"]
generator = np.random.default_rng(SEED)
steps = np.linspace(0, 400, 21)  # twenty-one pixels, from air to bright
pairs = generator.normal(0, 20, (2, 2000, 21))
repeats = {
    "Gaussian": steps + generator.normal(0, 20, (2000, 21)),
    "Poisson": generator.poisson(steps, (2000, 21)).astype(float),
    "Rician": np.hypot(steps + pairs[0], pairs[1]),
    "speckle": steps * generator.gamma(400, 1 / 400, (2000, 21)),  # 400 looks: the envelope after much averaging
}
fig, axes = plt.subplots(1, 5, figsize=(11, 2.8), layout="constrained", width_ratios=[1, 1, 1, 1, 2.2])
for ax, letter, values in zip(axes, "ABCD", [repeats[n] for n in ("Rician", "speckle", "Poisson", "Gaussian")], strict=False):
    ax.hist(values[:, -1], bins=30, range=(300, 500), color="0.6")
    ax.set(title=letter, xticks=[350, 400, 450], yticks=[], xlabel="value")
axes[0].set_ylabel("number of repeats")
for (name, values), tone, marker in zip(repeats.items(), show.PALETTE, "os^D", strict=False):
    axes[4].plot(values.mean(0), values.var(0), marker + "-", color=tone, ms=4, label=name)
axes[4].set(xlabel="mean over repeats", ylabel="variance over repeats")
axes[4].legend(fontsize=8)
show.figure(fig, alt="Four nearly equal bell-shaped histograms of one pixel, and a plot of variance against mean over many pixels: flat "
                     "for Gaussian, flat with a drop in "
                     "the dark for Rician, a straight line for Poisson, a parabola for speckle")

# %% [markdown]
# You can't tell (A Rician, B speckle, C Poisson, D Gaussian). At one brightness everything looks like a bell. What separates
# the models is **how the variance changes with the mean**, and for that you need repeats *and* bright and dark pixels.

# %% [markdown]
# ### Exercise 1.3d - name the noise
#
# Difficulty 3 of 5 - 3 points - about 25 minutes - *after it you can look at repeated scans and choose the right noise for a
# simulation or a loss*
#
# Write `noise_model(stack)`: `stack` holds repeated scans of one unmoving object. Return `"gaussian"`, `"poisson"`, `"rician"`
# or `"speckle"`.
#
# As in practice you don't know the scale: Poisson counts may have been multiplied by a calibration factor (so the variance
# isn't *equal* to the mean, only proportional), and a Gaussian image may sit on any offset (HU begin at -1000, and in a lung no
# mean may be positive). What you can rely on: at least a tenth of the pixels, in a small head perhaps nine tenths, is air with
# no signal, and the rest spans a factor of five or more in brightness above it.
#
# <details><summary>Hint 1: the idea</summary>If $\mathrm{Var} \propto \mathrm{mean}^{\,b}$, then $b$ is the slope of a line in
# a log-log plot. Which $b$ belongs to which model? Two of them share one, and differ only in air.</details>
# <details><summary>Hint 2: what to call</summary><code>stack.mean(axis=0)</code>, <code>stack.var(axis=0, ddof=1)</code>;
# the level of the darkest tenth (<code>np.quantile</code>), which you subtract first; <code>np.polyfit(np.log(m), np.log(v),
# 1)</code> on pixels well above it, such as a tenth of the way to the brightest; the median variance of the darkest tenth over
# that of the bright pixels.</details>
# <details><summary>Everything comes out as speckle</summary>Is the variance taken over the repeats (axis 0)? Over the image,
# the anatomy counts as noise.</details>
# <details><summary>I get -inf or nan, or "expected non-empty vector"</summary>Air may have mean and variance 0 (Poisson), and in
# CT every mean may be negative. Subtract the level of air, then take the logarithm of bright pixels only.</details>

# %% nbgrader={"grade": false, "grade_id": "noise-model", "locked": false, "schema_version": 3, "solution": true, "task": false}
def noise_model(stack: np.ndarray) -> str:
    """Tell the noise model from repeated scans.

    Args:
        stack: (R, H, W), R >= 100 scans of the same object, independent noise; unknown unit and offset, may be negative.

    Returns:
        "gaussian", "poisson", "rician" or "speckle".
    """
    ### BEGIN SOLUTION
    mean, variance = stack.mean(axis=0), stack.var(axis=0, ddof=1)
    dark = mean <= np.quantile(mean, 0.1)  # surely air
    signal = mean - np.median(mean[dark])  # an offset no longer matters
    bright = signal > 0.1 * signal.max()
    slope = np.polyfit(np.log(signal[bright]), np.log(variance[bright]), 1)[0]
    if slope > 1.5:
        return "speckle"
    if slope > 0.5:
        return "poisson"
    return "rician" if np.median(variance[dark]) < 0.7 * np.median(variance[bright]) else "gaussian"
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "noise-model-four", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One of each, in plain units
def scans(kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.concatenate([np.zeros(4), np.linspace(20, 400, 16)])[:, None], 20, axis=1)
    size = (200, *truth.shape)
    if kind == "poisson":
        return rng.poisson(truth, size).astype(float)
    if kind == "speckle":
        return truth * rng.rayleigh(1, size)
    if kind == "rician":
        return np.hypot(truth + rng.normal(0, 20, size), rng.normal(0, 20, size))
    return truth + rng.normal(0, 20, size)


KINDS = ("gaussian", "poisson", "rician", "speckle")
for kind in KINDS:
    try:
        answer = noise_model(scans(kind, 1))
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        raise AssertionError(f"on {kind} scans your code stopped with: {error}. Logarithm of 0 (air) or of a negative mean?") from None
    assert answer in KINDS, f"return one of {', '.join(KINDS)}, got {answer!r}"
    assert answer == kind, f"scans with {kind} noise were called {answer}: how does the variance over the repeats change with the mean?"
### BEGIN HIDDEN TESTS
for seed in range(2, 6):
    for kind in np.random.default_rng(seed).permutation(["gaussian", "poisson", "rician", "speckle"]):
        answer = noise_model(scans(str(kind), seed))
        assert answer == kind, f"fresh scans with {kind} noise were called {answer}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "noise-model-units", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What scanners really store: calibrated counts (kBq/mL), and Gaussian images that are all positive, or begin at -1000
rng = np.random.default_rng(11)
truth = np.concatenate([np.zeros((4, 20)), rng.uniform(30, 600, (16, 20))])
size = (200, *truth.shape)
pet = 0.037 * rng.poisson(truth, size)
positive = 150 + truth + rng.normal(0, 12, size)
lung = -1000 + truth + rng.normal(0, 12, size)  # -1000 to -400 HU
try:
    answers = noise_model(pet), noise_model(positive), noise_model(lung)
except (ArithmeticError, TypeError, ValueError, np.linalg.LinAlgError) as error:
    raise AssertionError(
        f"your code stopped with: {error}. Logarithm of a mean or variance that is 0 (air), or of a negative mean (in HU all may be)? "
        "Subtract the level of air, then take bright pixels"
    ) from None
assert answers[0] == "poisson", (
    f"PET counts times a calibration factor of 0.037 were called {answers[0]}: the variance is proportional to the mean, not equal to "
    "it"
)
assert answers[1] == "gaussian", (
    f"Gaussian noise on an offset, with no negative value anywhere, was called {answers[1]}: look at the variance, not at the sign"
)
assert answers[2] == "gaussian", f"a CT of a lung, -1000 to -400 HU with Gaussian noise, was called {answers[2]}: subtract the level of air"
### BEGIN HIDDEN TESTS
answer = noise_model(25.0 * rng.poisson(truth, size))
assert answer == "poisson", f"PET counts times a calibration factor of 25 were called {answer}"
answer = noise_model(-1000 + 3 * truth + rng.normal(0, 30, size))
assert answer == "gaussian", f"a CT in HU with Gaussian noise was called {answer}"
answer = noise_model(0.002 * truth * rng.gamma(4, 0.25, size))
assert answer == "speckle", f"speckle in small units, averaged over 4 looks, was called {answer}"
answer = noise_model(1e-3 * np.hypot(truth + rng.normal(0, 25, size), rng.normal(0, 25, size)))
assert answer == "rician", f"magnitude MRI in small units was called {answer}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "noise-model-alike", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Two pairs that look alike: many counts make a bell as a Gaussian does; and Rician differs from Gaussian in air only
rng = np.random.default_rng(23)
truth = np.concatenate([np.zeros((6, 20)), rng.uniform(2000, 20000, (14, 20))])
size = (200, *truth.shape)
answers = noise_model(rng.poisson(truth, size).astype(float)), noise_model(truth + rng.normal(0, 100, size))
assert answers[0] == "poisson", (
    f"PET with many counts was called {answers[0]}: the histogram is a bell, but the variance still follows the mean"
)
assert answers[1] == "gaussian", f"Gaussian noise at a high signal was called {answers[1]}"
small = np.zeros((20, 20))
small[6:12, 7:13] = rng.uniform(60, 600, (6, 6))  # a small head: nine tenths of the pixels are air
answer = noise_model(np.hypot(small + rng.normal(0, 15, size), rng.normal(0, 15, size)))
assert answer == "rician", (
    f"magnitude MRI of a small head, nine tenths air, was called {answer}: the brighter half is mostly air here; take what is well above it"
)
### BEGIN HIDDEN TESTS
truth = truth[::-1, ::-1] / 20
for sigma in (12, 30):
    magnitude = np.hypot(truth + rng.normal(0, sigma, size), rng.normal(0, sigma, size))
    answer = noise_model(magnitude), noise_model(truth + rng.normal(0, sigma, size))
    assert answer[0] == "rician", f"magnitude MRI (sigma {sigma}) was called {answer[0]}: what is its variance in air?"
    assert answer[1] == "gaussian", f"one channel of MRI (sigma {sigma}) was called {answer[1]}"
### END HIDDEN TESTS

# %% [markdown]
# ### Histology: Beer-Lambert in colour
#
# A slice of tissue 3-5 micrometres thin is nearly transparent, so it is stained. Haematoxylin turns nuclei blue-purple, eosin
# turns the rest pink. The light that gets through follows the law you know from X-rays, once for red, green and blue:
#
# $$I_c = I_{0,c}\; 10^{-D_c}, \qquad D_c = \sum_s a_s\, m_{s,c} .$$
#
# $D$ is the **optical density** (with a decimal logarithm, by tradition), $a_s$ the amount of stain $s$, and $m_s$ its colour
# vector: how strongly it absorbs each channel. Colours multiply, densities *add*. So colours can't be separated by thresholds
# in RGB, but densities can, by solving three linear equations for each pixel. Ruifrok and Johnston (2001) measured the vectors
# (then scaled to unit length):
#
# | stain | red | green | blue |
# |---|---|---|---|
# | haematoxylin | 0.65 | 0.70 | 0.29 |
# | eosin | 0.07 | 0.99 | 0.11 |
# | DAB (brown, marks an antibody) | 0.27 | 0.57 | 0.78 |
#
# **Predict before you run.** You double the eosin on a slide whose green channel is already at 10 % of white. What is the green
# channel now: 5 %, 1 %, or 0?

# %% tags=["demo"]
amount = np.linspace(0, 2.5, 100)
vectors = {"haematoxylin": [0.65, 0.70, 0.29], "eosin": [0.07, 0.99, 0.11], "DAB": [0.27, 0.57, 0.78]}
fig, axes = plt.subplots(2, 3, figsize=(9, 3.2), layout="constrained", height_ratios=[1, 4], sharex=True)
for (name, vector), strip, ax in zip(vectors.items(), *axes, strict=True):
    unit = np.array(vector) / np.linalg.norm(vector)
    light = 10 ** (-amount[:, None] * unit)
    strip.imshow(np.repeat(light[None], 2, axis=0), aspect="auto", extent=(0, 2.5, 0, 1))
    strip.set(title=name, yticks=[])
    for curve, number, style, label in zip(light.T, (3, 2, 0), ("-", "--", ":"), ("red", "green", "blue"), strict=True):
        ax.plot(amount, curve, color=show.PALETTE[number], ls=style, label=label)
    ax.set(xlabel="amount of stain $a$", ylim=(0, 1))
axes[1, 0].set_ylabel("light that\ngets through")
axes[1, 0].legend(fontsize=8)
show.figure(fig, alt="Colour of haematoxylin, eosin and DAB from none to much, and the falling exponentials of red, green and blue "
                     "light for each")

# %% [markdown]
# It is 1 %: $0.1 \cdot 0.1$. A camera with 8 bits shows 1 % as the value 2 or 3; a little more stain and the channel reads 0,
# whose logarithm is infinite. Real code must face that.
#
# On a real slide: colon glands, with DAB marking a protein (FHL2) in brown and haematoxylin as counterstain.

# %% tags=["demo"]
from skimage.color import rgb2hed

slide = data.load("immunohistochemistry", profile=PROFILE).image  # (512, 512, 3)
separated = rgb2hed(slide)  # scikit-image's own separation: haematoxylin, eosin, DAB
show.row(
    [slide, *(np.clip(stain / np.percentile(stain, 99.5), 0, 1) for stain in (separated[..., 0], separated[..., 2]))],
    titles=["what the camera saw", "haematoxylin: all nuclei (bright: much)", "DAB: the marked protein (bright: much)"],
    cmap=show.SEQUENTIAL,
    alt="A section of colon glands stained blue and brown; the amount of haematoxylin, high in nuclei; the amount of DAB, high in glands",
    height=3.3,
)

# %% [markdown]
# Laboratories stain differently, scanners see colours differently, and slides fade: stain separation is the first step
# of **stain normalisation** and of colour augmentation that stays plausible.

# %% [markdown]
# ### Exercise 1.3e - separate the stains
#
# Difficulty 3 of 5 - 4 points - about 12 minutes - *after it you can measure how much of each dye a pixel holds*
#
# Write `separate_stains(rgb, stains, white)`. For each pixel: intensity to optical density; then solve $D = a\,M$ for the
# amounts $a$, with the rows of $M$ scaled to unit length; then set negative amounts to 0 (there is no negative dye; non-negative least
# squares, or light clipped to that of the glass, are welcome too).
#
# Four traps: the glass isn't pure white, so $I_0$ is given per channel; a channel can read 0 (treat it as 1); `uint8` wraps
# round when you add to it; and the stain vectors are *not* at right angles, so projecting on them isn't solving.
#
# <details><summary>Hint 1: the idea</summary>With two stains and three channels there are more equations than unknowns: least
# squares. With three stains a matrix inverse. The pseudo-inverse is both.</details>
# <details><summary>Hint 2: what to call</summary><code>rgb.astype(float)</code>, <code>np.maximum</code>,
# <code>np.log10</code>, <code>np.linalg.pinv(M)</code>, which has shape (3, S).</details>
# <details><summary>A pure haematoxylin pixel also shows eosin</summary>You multiplied with the transpose of $M$ instead of its
# inverse.</details>
# <details><summary>My amounts are too large by the factor 2.3</summary>You took the natural logarithm; optical density uses the
# decimal one.</details>
# <details><summary>Empty glass shows stain</summary>Divide by <code>white</code>, not by 255.</details>

# %% nbgrader={"grade": false, "grade_id": "separate-stains", "locked": false, "schema_version": 3, "solution": true, "task": false}
def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Amount of each stain in each pixel, by optical density unmixing (Ruifrok and Johnston 2001).

    Args:
        rgb: (H, W, 3) uint8, order red, green, blue; must not be changed.
        stains: (S, 3), S = 2 or 3, one colour vector a row, of any length larger than 0.
        white: (3,) intensity of empty glass for each channel, 1 to 255.

    Returns:
        (H, W, S) float amounts, at least 0, always finite; 1 means an optical density of 1 along the stain's unit vector.
    """
    ### BEGIN SOLUTION
    density = -np.log10(np.maximum(rgb.astype(float), 1.0) / white)
    unit = stains / np.linalg.norm(stains, axis=1, keepdims=True)
    return np.maximum(density @ np.linalg.pinv(unit), 0.0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "separate-stains-pure", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One stain at a time: the other must read zero
stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
unit = stains / np.sqrt((stains**2).sum(1, keepdims=True))
pure = np.rint(250 * 10 ** -np.stack([0.6 * unit[0], 0.9 * unit[1]]))[None].astype(np.uint8)
before = pure.copy()
amounts = separate_stains(pure, stains, np.full(3, 250.0))
assert np.shape(amounts) == (1, 2, 2), f"one row of two pixels and two stains should give shape (1, 2, 2), got {np.shape(amounts)}"
assert np.array_equal(pure, before), "your function changed the image it was given"
spill = max(amounts[0, 0, 1], amounts[0, 1, 0])
assert not np.isclose(amounts[0, 0, 0], 0.6 * np.log(10), atol=0.05), "too large by 2.3: optical density takes the decimal logarithm"
assert spill < 0.03, (
    f"a pixel with one stain shows {spill:.2f} of the other. Stains aren't at right angles: solve with the pseudo-inverse, on "
    "densities, not intensities, red first"
)
assert np.allclose(amounts[0, [0, 1], [0, 1]], [0.6, 0.9], atol=0.02), (
    f"0.6 haematoxylin and 0.9 eosin came out as {amounts[0, 0, 0]:.2f} and {amounts[0, 1, 1]:.2f}: densities by logarithm, vectors "
    "of unit length?"
)
### BEGIN HIDDEN TESTS
same = separate_stains(pure, stains * np.array([[3.0], [0.2]]), np.full(3, 250.0))
assert np.allclose(same, amounts, atol=1e-6), "longer stain vectors changed the amounts: scale every vector to unit length first"
swapped = separate_stains(pure, stains[::-1], np.full(3, 250.0))
assert np.allclose(swapped[..., ::-1], amounts, atol=1e-6), "stains in another order must give the same amounts in that order"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "separate-stains-mixture", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Put together again, the amounts must give back the picture: white * 10^(-a M)
rng = np.random.default_rng(4)
stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
unit = stains / np.sqrt((stains**2).sum(1, keepdims=True))
white = np.array([245.0, 240.0, 250.0])
truth = rng.uniform(0.05, 0.35, (12, 10, 3))
picture = np.rint(white * 10 ** -(truth @ unit)).astype(np.uint8)
amounts = np.asarray(separate_stains(picture, stains, white))
assert amounts.shape == (12, 10, 3), f"three stains on (12, 10) pixels should give shape (12, 10, 3), got {amounts.shape}"
again = white * 10 ** -(amounts @ unit)
worst = np.abs(again - picture).max()
assert worst < 1, (
    f"put together again, the picture is off by up to {worst:.0f} grey values: optical density, then pseudo-inverse of unit vectors, "
    "red first"
)
### BEGIN HIDDEN TESTS
assert np.abs(amounts - truth).max() < 0.02, "the amounts of a mixture of three stains are off"
two = rng.uniform(0.05, 0.5, (9, 8, 2))
mixed = np.rint(white * 10 ** -(two @ unit[:2])).astype(np.uint8)
got = np.asarray(separate_stains(mixed, stains[:2], white))
assert got.shape == (9, 8, 2) and np.abs(got - two).max() < 0.03, "the amounts of a mixture of two stains are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "separate-stains-glass", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Empty glass holds no stain, and glass isn't 255 (stain beside it, so that a constant zero earns nothing)
stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
unit = stains / np.sqrt((stains**2).sum(1, keepdims=True))
glass = np.array([238.0, 228.0, 243.0])
picture = np.stack([glass, np.rint(glass * 10 ** (-0.7 * unit[0]))])[None].astype(np.uint8)
amounts = np.asarray(separate_stains(picture, stains, glass))
assert amounts.shape == (1, 2, 2), f"expected shape (1, 2, 2), got {amounts.shape}"
assert np.allclose(amounts[0, 0], 0, atol=1e-6), f"empty glass shows {amounts[0, 0].max():.3f} of stain: divide by white, not by 255"
assert np.allclose(amounts[0, 1], [0.7, 0], atol=0.02), f"0.7 haematoxylin on this glass came out as {np.round(amounts[0, 1], 2)}"
### BEGIN HIDDEN TESTS
tinted = np.array([200.0, 250.0, 230.0])
picture = np.stack([tinted, np.rint(tinted * 10 ** (-0.5 * unit[1]))])[None].astype(np.uint8)
amounts = np.asarray(separate_stains(picture, stains, tinted))
assert np.allclose(amounts[0], [[0, 0], [0, 0.5]], atol=0.03), "tinted glass: take the white of each channel apart"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "separate-stains-limits", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The ends of the scale: a channel that reads 0, one that reads 255, and no negative dye
stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
unit = stains / np.sqrt((stains**2).sum(1, keepdims=True))
picture = np.array([[[0, 0, 0], [1, 1, 1], [255, 255, 255], [40, 200, 40], [200, 30, 180]]], np.uint8)
amounts = np.asarray(separate_stains(picture, stains, np.full(3, 240.0)))
assert amounts.shape == (1, 5, 2), f"expected shape (1, 5, 2), got {amounts.shape}"
assert np.isfinite(amounts).all(), "a black pixel made inf or nan: treat an intensity of 0 as 1"
assert amounts.min() >= 0, f"there is no negative dye, but you return {amounts.min():.2f}: set negative amounts to 0"
assert amounts[0, 0].max() > 1, (
    "a black pixel holds a lot of stain, not none. Does uint8 wrap round somewhere, or is log of 0 replaced by 0?"
)
assert amounts[0, 2].max() < 0.01, (
    f"a pixel brighter than the glass holds no stain, but shows {amounts[0, 2].max():.2f}: uint8 wraps round from 255 to 0 when you "
    "add 1"
)
### BEGIN HIDDEN TESTS
assert np.allclose(amounts[0, 0], amounts[0, 1], atol=1e-6), "an intensity of 0 should be treated like 1"
random = np.random.default_rng(8).integers(0, 256, (16, 16, 3)).astype(np.uint8)
got = np.asarray(separate_stains(random, stains, np.full(3, 240.0)))
assert np.isfinite(got).all() and got.min() >= 0 and got.max() > 0.5, "on random colours the amounts must be finite and at least 0"
### END HIDDEN TESTS

# %% [markdown]
# ### OCT, fundus photography, endoscopy
#
# **Optical coherence tomography** (Huang et al. 1991) is ultrasound with light. Light is too fast to time, so the echo
# interferes with a reference beam, and a spectrometer records the sum for each wavenumber $k$. A reflector at depth $z$
# leaves a ripple $\cos(2kz)$ on the spectrum; its FFT is the depth profile (**A-scan**), and many side by side make a
# **B-scan**. The axial resolution depends on the source alone:
# $\delta z = \frac{2\ln 2}{\pi}\,\frac{\lambda_0^2}{\Delta\lambda}$ (in air, for a Gaussian spectrum).
#
# **Predict before you run.** You want to tell retinal layers 10 micrometres apart. What do you buy: a stronger lens, a brighter
# lamp, or one with more colours?

# %% tags=["demo"]
wavelength = np.array([0.74, 0.94])  # micrometres; the source is centred on 0.84
k = np.linspace(2 * np.pi / wavelength[1], 2 * np.pi / wavelength[0], 1024)[:, None]
depth = np.arange(0.0, 420, 0.5)[:, None]  # micrometres
across = np.linspace(-1, 1, 220)
pit = 35 * np.exp(-((across / 0.25) ** 2))
tops = np.array([70, 100, 150, 160, 220, 230, 240, 262])[:, None]  # micrometres; the thinnest layers are 10 thick
surfaces = tops + 25 * across**2 + np.array([1, 0.9, 0.5, 0.45, 0, 0, 0, 0])[:, None] * pit  # as in a retina, around its pit
layer = (depth[:, :, None] > surfaces.T[None]).sum(-1)
reflectivity = np.array([0, 1.0, 0.45, 0.3, 0.8, 1.3, 0.3, 1.5, 0.35])[layer] * np.random.default_rng(SEED).normal(size=layer.shape)
sample = np.exp(2j * k @ depth.T) @ reflectivity  # each scatterer turns the phase by 2 k z


def b_scan(bandwidth: float) -> np.ndarray:
    """Depth profiles from the spectra of a source with this full width at half maximum in micrometres."""
    sigma = np.pi * bandwidth / 0.84**2 / np.sqrt(2 * np.log(2))
    source = np.exp(-((k - 2 * np.pi / 0.84) ** 2) / (2 * sigma**2))
    spectrum = source * np.abs(1 + 1e-3 * sample) ** 2 - source  # interference with the reference beam, minus the source alone
    return 20 * np.log10(np.abs(np.fft.ifft(spectrum, axis=0))[:240] + 1e-12)


fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.3), layout="constrained")
for ax, width, style in zip(axes, (10, 50), (":", "-"), strict=False):
    image = b_scan(width / 1000)
    resolution = 2 * np.log(2) / np.pi * 0.84**2 / (width / 1000)
    ax.imshow(image, vmin=image.max() - 45, vmax=image.max(), aspect="auto", extent=(0, 220, 240 * 1.74, 0))
    ax.set(title=f"bandwidth {width} nm: $\\delta z$ = {resolution:.0f} µm", xlabel="A-scan", ylabel="depth (µm)")
    profile = (10 ** (image[:, 100:120] / 20)).mean(axis=1)
    axes[2].plot(np.arange(240) * 1.74, profile / profile.max(), style, label=f"{width} nm")
axes[2].set(title="20 A-scans at the pit", xlabel="depth (µm)", ylabel="envelope", yticks=[])
axes[2].legend(fontsize=8)
show.figure(fig, alt="Simulated OCT of a retina with its pit. With 10 nm of bandwidth the layers are smeared together; with 50 nm the "
                     "thin layers stand apart, in speckle. "
                     "A depth profile shows the same")

# %% [markdown]
# More colours. A broad spectrum has a short coherence length, the path difference up to which light still interferes with
# itself. And the grain is back: OCT is coherent, so it has speckle, like ultrasound.
#
# A **fundus photograph** is an ordinary camera behind a special lens, looking through the pupil. Colour carries meaning:
# haemoglobin absorbs green light.
#
# **Predict before you run.** In which of the three colour channels do you look for microaneurysms, the tiny red dots of early
# diabetic retinopathy?

# %% tags=["demo"]
fundus = data.load("retina", profile=PROFILE).image[::2, ::2].astype(float)
middle_part = (slice(176, 530), slice(176, 530))
structure = {}
for name, channel in zip(("red", "green", "blue"), np.moveaxis(fundus, -1, 0), strict=True):
    structure[name] = float((gaussian_filter(channel, 1) - gaussian_filter(channel, 12))[middle_part].std())
show.row(
    [fundus.astype(np.uint8), *np.moveaxis(fundus, -1, 0)],
    titles=["fundus of a healthy eye", *(f"{name}: vessels ±{value:.1f} grey values" for name, value in structure.items())],
    window=(0, 255),
    alt="A colour photograph of a healthy retina and its channels: bright with few vessels in red, clear vessels in green, dark in blue",
    height=2.8,
)

# %% [markdown]
# Green, although the dots are red: a red dot on a red ground *reflects* red like its surroundings, and *lacks* green. The red
# channel is bright and nearly empty; blue is dim, since the lens of the eye absorbs it. That is why many networks read the
# green channel alone, and why random hue shifts are a doubtful augmentation here.
#
# **Endoscopy** is a camera too: colour video, wet glistening surfaces with highlights, a lamp that makes near things bright and
# far things dark, bubbles, motion. Nothing in it is calibrated. None of the packages of this course ships an endoscopic image
# with a clear licence, so none is shown: a drawing would teach you the wrong thing. HyperKvasir (Borgli et al., 2020) is an
# open collection to look at.

# %% [markdown]
# ### The real thing
#
# Ten images that come with the packages you have installed. **Before you read the table below**: say for each what a *pixel
# value* means and whether two hospitals would give the same one.

# %% tags=["demo"]
brain = data.load("mni152", profile=PROFILE, resolution=2).image
gallery = {
    "chest radiograph": data.load("chest_radiograph", profile=PROFILE).image[::4, ::4],
    "CT, a vertebra": np.clip(data.load("ct_small", profile=PROFILE).image, -200, 500),
    "MRI, shoulder": data.load("mr_shoulder", profile=PROFILE).image[40:880:2, 60::2],
    "MRI, average of 152 brains": simulate.axial(brain),
    "ultrasound, heart": data.load("ultrasound_cine", profile=PROFILE).image[0],
    "bone scan": np.clip(data.load("bone_scan", profile=PROFILE).image, 0, 120)[60:910],
    "fundus photograph": fundus.astype(np.uint8),
    "immunohistochemistry": slide,
    "cell, quantitative phase": data.load("cell", profile=PROFILE).image,
    "microaneurysms (green)": data.load("microaneurysms", profile=PROFILE).image,
}
fig, axes = plt.subplots(2, 5, figsize=(11, 4.8), layout="constrained")
for ax, (title, image) in zip(axes.flat, gallery.items(), strict=True):
    low, high = np.percentile(image, [1, 99.7])
    ax.imshow(image, vmin=low, vmax=high)
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()
show.figure(fig, alt="Ten real images: chest radiograph, CT of a vertebra, MRI of a shoulder, an average brain, echocardiogram, "
                     "whole-body bone scan, fundus, stained colon glands, "
                     "a cell in quantitative phase, and retinal microaneurysms")

# %% [markdown]
# | modality | a value means | unit | same everywhere? | typical pixel | dose or risk |
# |---|---|---|---|---|---|
# | radiograph | attenuation summed along a ray, after the vendor's processing | none | no | 0.1-0.2 mm | 0.02 mSv (chest) |
# | CT | attenuation | HU | yes, nearly | 0.5-1 mm, slices 0.5-5 mm | 7 mSv (chest), 8 (abdomen) |
# | MRI | signal of one sequence | none | no | 0.3-1 mm, slices 1-5 mm | no ionising radiation; metal, heating, noise; contrast agents |
# | ultrasound | log of the echo envelope | dB | no; depends on the operator | 0.1-0.5 mm axially | none known at diagnostic levels |
# | bone scan (planar) | counts | counts | only per dose and time | 2-4 mm, true resolution 7-10 mm | 6.3 mSv |
# | PET | activity | Bq/mL, or SUV | roughly, as SUV | 2-4 mm, true resolution 4-6 mm | 14 mSv (FDG, 740 MBq; today often half of that) |
# | fundus | reflected light | none | no | 5-15 µm | bright light; drops to widen the pupil |
# | OCT | reflectivity on a log scale | dB | no | 2-7 µm in depth, about 15 µm across | none known at permitted power |
# | histology | transmitted light | none; optical density if white is known | no: stain and scanner | 0.25-0.5 µm | a biopsy |
# | endoscopy | reflected light | none | no | depends on the distance | sedation, bleeding, perforation (rare) |
#
# Effective doses are the typical adult values of Mettler and others (2008); you receive about 2-3 mSv a year from nature. Two
# details of the gallery to remember. The header of the shoulder says spin echo, TR 350 and TE 27, so it is $T_1$-weighted: fat
# and fatty marrow shine, because fat has a short $T_1$. And the radiograph's file stores bone as *low* numbers (`MONOCHROME1`
# in the header: the lowest value is white; `data.load` has turned it for you). A reader who ignores that trains on negatives.
#
# **Checkpoint.** A colleague trains a denoiser for PET. For training pairs she adds Gaussian noise of one fixed strength to
# clean images, "because every noise is Gaussian in the end". Give two ways in which the network will fail in the clinic, and
# the right simulation.
#
# <details><summary>Answer</summary>
#
# PET noise is Poisson: its variance grows with the uptake. With one fixed strength the network (1) smooths too much where there
# is little uptake, erasing faint lesions there, and too little where there is much, taking noise in hot organs for structure;
# and (2) it learns one noise level, while every patient's counts depend on injected activity, weight and scan time. Right: thin
# the measured counts (keep each event with a probability, binomially), which gives exact Poisson data at a lower dose, or draw
# Poisson counts in the projections and reconstruct, which also gives the right correlation between pixels. The central limit
# theorem is no excuse: it makes each pixel's histogram a bell, but leaves the variance where it was.
#
# </details>

# %% [markdown]
# ## Results
#
# The numbers of this lecture, measured in the cells above, each beside what it must be read against. The first line is the one to
# remember.

# %% tags=["demo"]
coin = by_effect["no disease in the images"]
by_image, by_person = np.percentile(coin[:, :2], [2.5, 97.5], axis=0).T
draft_a, draft_b = report_score.values()  # each: (word overlap, findings right)
stand_in = " stand-in" if archive.is_stand_in else ""
measured = [  # what, value, unit, interval, compared with, which is, where
    ("accuracy on coin-flip labels, split by image", coin[:, 0].mean(), "", by_image, 0.5, "nothing to learn", "1.1"),
    ("accuracy on coin-flip labels, split by patient", coin[:, 1].mean(), "", by_person, 0.5, "nothing to learn", "1.1"),
    ("unchanged 6 mm ball seems to change > 25 %, 5 mm slices", 100 * beyond[5.0], "% of pairs", None, 100 * beyond[0.7], "0.7 mm", "1.1"),
    (
        "classes nobody drew, label interpolated linearly",
        invented["linear, rounded"] / 1000,
        "mL",
        None,
        invented["nearest"],
        "nearest",
        "1.1",
    ),
    ("PPV at 1 % prevalence, Se = Sp = 0.9", ppv_rounds.mean(), "", ppv_interval, 0.9, "same test, 50 % ill", "1.1"),
    (
        "kappa of two readers, prevalence 3 %",
        kappas["3 %"].mean(),
        "",
        kappa_range["3 %"],
        kappas["30 %"].mean(),
        "same readers, 30 %",
        "1.1",
    ),
    ("accuracy of a perfect model against one reader", np.mean(single), "", (min(single), max(single)), 1.0, "against the truth", "1.1"),
    ("identifying strings left, only top level cleaned", 100 * share_left, "%", None, 100 * share_thorough, "all depths cleaned", "1.1"),
    ("detection: nodules found at 1 false mark a slice", froc_at_1, "", froc_interval, froc_bright, "by brightness alone", "1.2"),
    ("classification: AUC", class_auc, "", auc_interval, 0.5, "guessing", "1.2"),
    ("segmentation: lungs, HD95", hd95, "mm", None, hd95_plain, "threshold alone", "1.2"),
    ("registration: landmark error", gap_after, "mm", None, gap_before, "before", "1.2"),
    ("reconstruction: PSNR, 1/4 of the data", quality["sparse"][0], "dB", None, quality["zero-filled"][0], "zero-filled", "1.2"),
    ("prognosis: C-index, 343 held-out women", c_index, "", c_interval, 0.5, "guessing", "1.2"),
    (f"retrieval: precision@5, blood cells{stand_in}", hit_at_5.mean(), "", hit_interval, by_luck, "by luck", "1.2"),
    ("report: findings right, draft of high word overlap", draft_b[1], "", None, draft_a[1], f"draft with overlap {draft_a[0]:.2f}", "1.2"),
    ("CT, 360 projections: mean error in a chest", errors[360], "HU", None, no_ramp_error, "no ramp filter", "1.3"),
    ("CT, 20 projections: mean error in a chest", errors[20], "HU", None, errors[360], "360 projections", "1.3"),
    ("ultrasound: mean / std of speckle", speckle_snr["one frame"], "", None, 1.91, "Rayleigh theory (Burckhardt 1978)", "1.3"),
    ("ultrasound: mean / std after 16 angles", speckle_snr["16 frames, 16 angles"], "", None, speckle_snr["16 frames, probe still"], "16 frames, probe still", "1.3"),
    ("MRI: energy in the central 4 % of k-space", 100 * central_share, "%", None, 4.0, "a flat spectrum", "1.3"),
]

# %% tags=["results"]
for what, value, unit, interval, beside, which, where in measured:
    low, high = (None, None) if interval is None else interval
    results.record(LECTURE, run.profile, what, value, unit, low, high, beside, which, f"section {where}")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Reflection
#
# A company shows you a detector of intracranial haemorrhage on head CT: "trained on 25 000 slices of 800 patients from two hospitals,
# labelled by one radiologist; random 80/20 split of the slices; accuracy 97 %, tested on the held-out slices, half of them with
# haemorrhage". Your emergency department scans 40 heads a day, about 5 % with haemorrhage.
#
# Would you install it? Take about 30 minutes. In at most 250 words: name the three weaknesses of the evidence that matter most to *your*
# patients, say for each in which direction and roughly how strongly it could mislead (use measurements from this lecture), and describe
# the smallest study that would convince you.
#
# | points | what the answer shows |
# |---|---|
# | 1 | names at least two real weaknesses (see the sections of 1.1), without consequences |
# | 2 | three weaknesses, each with direction and a number or calculation (such as the PPV at 5 %), and a study that removes one |
# | 3 | also a study that could really be done (see below) |
#
# "Could really be done" means: the unit is the patient; consecutive cases of your own department; a reference standard that doesn't depend
# on the first reader; a number of patients or the width of an interval; a metric tied to what the radiologist does with an alarm.

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# Not on this evidence.
#
# *Split by slice.* About 30 slices of each patient, on both sides of the split. On coin-flip labels we measured an accuracy above 0.9
# that way, and 0.5 by patient. The 97 % may be memory: the direction is up, the size unknown, possibly nearly everything above chance.
#
# *Prevalence and unit.* Half of the test slices were positive, 5 % of my patients are. Even if sensitivity and specificity of 97 % were
# true per patient, the PPV would be 0.97·0.05 / (0.97·0.05 + 0.03·0.95) = 0.63. And a patient has 30 slices: with 3 % false alarms per
# slice, if they were independent, 1 - 0.97^30 = 60 % of healthy patients would get at least one alarm.
#
# *One reader.* A model trained and tested on one radiologist's labels learns that reader's habits. In our simulation even a perfect model
# didn't reach 100 % against one reader; small subdural bleeds, where readers differ most, are what I would want help with.
#
# (Also: two hospitals, no external test; scanners, kernels and slice thickness differ.)
#
# *Study.* All consecutive head CTs of my department in ten weeks: 2800 patients, some 140 bleeds, unit patient. Reference: two
# neuroradiologists independently, a third decides, follow-up scans allowed; none sees the model's output. Model frozen, threshold fixed
# beforehand. Primary: sensitivity at the fixed threshold (at 0.95 the 95 % interval is about ±0.04) with false alarms per day; secondary:
# minutes until a bleed is read. I would install it if it reaches 0.9 (lower limit) with at most two false alarms a day.

# %% [markdown]
# ## References
#
# - Bakas S, Reyes M, Jakab A, et al. Identifying the best machine learning algorithms for brain tumor segmentation, progression assessment,
#   and overall survival prediction in the BRATS challenge. arXiv:1811.02629, 2018.
# - Borgli H, Thambawita V, Smedsrud PH, et al. HyperKvasir, a comprehensive multi-class image and video dataset for gastrointestinal
#   endoscopy. *Scientific Data* 7:283, 2020.
# - Budai A, Bock R, Maier A, Hornegger J, Michelson G. Robust vessel segmentation in fundus images. *International Journal of Biomedical
#   Imaging* 2013:154860, 2013.
# - Burckhardt CB. Speckle in ultrasound B-mode scans. *IEEE Transactions on Sonics and Ultrasonics* 25:1-6, 1978.
# - Callister MEJ, Baldwin DR, Akram AR, et al. British Thoracic Society guidelines for the investigation and management of pulmonary nodules.
#   *Thorax* 70(Suppl 2):ii1-ii54, 2015.
# - Cohen J. A coefficient of agreement for nominal scales. *Educational and Psychological Measurement* 20:37-46, 1960.
# - DICOM Standard, PS3.3 (image plane), PS3.15 Annex E (attribute confidentiality profiles). NEMA, current edition.
# - Elmore JG, Wells CK, Lee CH, Howard DH, Feinstein AR. Variability in radiologists' interpretations of mammograms. *New England Journal of
#   Medicine* 331:1493-1499, 1994.
# - Fonov VS, Evans AC, McKinstry RC, Almli CR, Collins DL. Unbiased nonlinear average age-appropriate brain templates from birth to
#   adulthood. *NeuroImage* 47:S102, 2009.
# - Gudbjartsson H, Patz S. The Rician distribution of noisy MRI data. *Magnetic Resonance in Medicine* 34:910-914, 1995.
# - Hahn EL. Spin echoes. *Physical Review* 80:580-594, 1950.
# - Huang D, Swanson EA, Lin CP, et al. Optical coherence tomography. *Science* 254:1178-1181, 1991.
# - Kak AC, Slaney M. *Principles of Computerized Tomographic Imaging*. IEEE Press, 1988.
# - Kapoor S, Narayanan A. Leakage and the reproducibility crisis in machine-learning-based science. *Patterns* 4:100804, 2023.
# - MacMahon H, Naidich DP, Goo JM, et al. Guidelines for management of incidental pulmonary nodules detected on CT images: from the
#   Fleischner Society 2017. *Radiology* 284:228-243, 2017.
# - Maier-Hein L, Reinke A, Godau P, et al. Metrics reloaded: recommendations for image analysis validation. *Nature Methods* 21:195-212,
#   2024.
# - Mettler FA, Huda W, Yoshizumi TT, Mahesh M. Effective doses in radiology and diagnostic nuclear medicine: a catalog. *Radiology*
#   248:254-263, 2008.
# - Roberts M, Driggs D, Thorpe M, et al. Common pitfalls and recommendations for using machine learning to detect and prognosticate for
#   COVID-19 using chest radiographs and CT scans. *Nature Machine Intelligence* 3:199-217, 2021.
# - Ruifrok AC, Johnston DA. Quantification of histochemical staining by color deconvolution. *Analytical and Quantitative Cytology and
#   Histology* 23:291-299, 2001.
# - Schumacher M, Bastert G, Bojar H, et al. Randomized 2 x 2 trial evaluating hormonal treatment and the duration of chemotherapy in
#   node-positive breast cancer patients. *Journal of Clinical Oncology* 12:2086-2093, 1994.
# - Schwarz CG, Kremers WK, Therneau TM, et al. Identification of anonymous MRI research participants with face-recognition software. *New
#   England Journal of Medicine* 381:1684-1686, 2019.
# - Smit A, Jain S, Rajpurkar P, et al. Combining automatic labelers and expert annotations for accurate radiology report labeling using BERT
#   (CheXbert). *EMNLP* 2020.
# - Yang J, Shi R, Wei D, et al. MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D biomedical image classification. *Scientific
#   Data* 10:41, 2023.
