# %% [markdown]
# # Lecture 1 - Course overview: one slice from scanner to prognosis
#
# A number on a screen decides whether a patient is called back, operated on, or left in peace. Between the patient and that number lie five
# stages: a scanner measures, a reconstruction makes an image, a display shows it, an analysis finds something, and a forecast says what it
# means. In this lecture you walk through all five in one sitting, and build one piece of each. The rest of the course then takes the pieces
# apart.
#
# **After this you can**
#
# - say what a scanner really measures, and what "faster" and "safer" cost in the image (0.1)
# - reconstruct an image from incomplete k-space, and judge a reconstruction on subjects it has never seen (0.1)
# - choose a display window, a projection and a surface model, and check the model's size in mm (0.1)
# - set a detector's threshold for a clinic's prevalence and costs, and report it honestly (0.1)
# - read a Kaplan-Meier curve and a Cox model, and say what a censored patient contributes (0.1)
# - solve, validate, hand in and read the feedback of a graded notebook, and compute your grade (0.2)
#
# **Time** about 130 minutes, of which about 65 for the five exercises and the reflection

# %% [markdown]
# ## Data card
#
# | data set | what | from where | licence | consent and ethics | split |
# |---|---|---|---|---|---|
# | chest CT cohort | slices of a simulated chest, half of them with a tumour; age, treatment and follow-up drawn from a model you can read below | made here | none needed | no patient is in it | by patient: train, validation, test, a third each |
# | brain MR subjects | simulated T1-weighted slices (white matter bright, fluid dark); each subject is its own random deformation of a template | made here from MNI152 (below) | none needed | no patient is in it | by subject: train, validation, test |
# | `mni152` | average T1-weighted brain of 152 people | package `nilearn`; Fonov et al. 2009 | ICBM notice: free use and copying with the notice | averaged: no single person can be made out | none |
# | `ct_head` | one real CT slice of a head | package `pydicom-data`; its header names the CQ500 collection (Chilamkurthy et al., The Lancet, 2018) | CC BY-NC-SA 4.0, as CQ500: show it with its source, not for profit | anonymised by its publisher | none, shown only |
#
# Simulated patients have one great advantage: the truth is *planted*. You know where the tumour is and how much it shortens life, so you
# can check whether a method finds it. They have one great weakness: they are simpler than people. Nothing measured here is a claim about
# real patients.

# %% tags=["parameters"]
LECTURE = "01_course_overview"
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
# ## 0.1 The imaging-to-prognosis pipeline
#
# Mrs A. is 64, has smoked for thirty years, and gets a low-dose CT of her chest. If it shows a tumour, an MR scan of her brain follows, to
# see whether the tumour has spread. Then comes a treatment, and the question that she cares about: *how long?*
#
# | stage | goes in | comes out | what you trade | comes back in |
# |---|---|---|---|---|
# | p1 acquisition | a patient | k-space samples, photon counts | time and dose against noise and gaps | lecture 2 |
# | p2 reconstruction | raw measurements | an image | detail against noise, prior knowledge against invention | lectures 2, 3, 8 |
# | p3 visualization | an image or volume | something a human can judge | what is shown against what is hidden | lectures 2, 6, 10 |
# | p4 analysis and diagnosis | images | a finding and a decision | missed patients against false alarms | lectures 4 to 12 |
# | p5 treatment and prognosis | findings and follow-up | risk over time, effect of a treatment | certainty against waiting | lectures 12, 13, 15 |
#
# Each stage receives what the one before has left over, and passes its errors on. At the end you will see what the forecast in p5 owes to the
# stages before it. Guess now what hurts it most: the photons saved in p1, or the software that cleans the picture after p2?

# %% [markdown]
# ### p1 - Acquisition: faster and safer
#
# **MR: faster.** An MR scanner does not photograph. It measures the Fourier transform of the image, called **k-space**, one line after the
# other:
#
# $$y = M\,\mathbf{F}x + \varepsilon$$
#
# Here $x$ is the image, $\mathbf{F}$ the two-dimensional Fourier transform, $M$ the mask (1 for a measured sample, 0 for a skipped one),
# and $\varepsilon$ noise. Each line takes one repetition of the pulse sequence, so a fourth of the lines takes a fourth of the time. A
# shorter scan means less motion, fewer sedated children, and more patients a day.
#
# **CT: safer.** A CT scanner counts photons. Of $N_0$ photons sent along a ray, $N \sim \mathrm{Poisson}\big(N_0\, e^{-\int \mu}\big)$
# arrive, where $\mu$ is the attenuation in 1/mm. The measured line integral is $p = -\ln (N / N_0)$, and the set of all rays from all
# angles is the **sinogram**. The variance of $p$ is about $1/N$: half the dose means twice the variance. Radiation dose is proportional to
# $N_0$, and it is not harmless. The usual way from sinogram to image is **filtered back-projection** (FBP): sharpen each view, then smear
# it back along its rays, and add up all angles. You build it in lecture 2.
#
# **Predict before you run.** (1) You keep one k-space line in four. Does the image lose detail, gain noise, or show something else? (2) You
# send 5 % of the photons through a chest. Where in the image is the noise worst: in the lungs, under the skin, or deep in the body? By how much?
# Write both down.

# %% tags=["demo"]
head = simulate.brain_slice("t1", noise=0.0, seed=SEED)
scan = simulate.undersample(head.image, acceleration=4, center_fraction=0, noise=0.05, pattern="regular", seed=SEED)  # every fourth line


def to_kspace(image: torch.Tensor) -> torch.Tensor:
    """F: complex images (..., H, W) to k-space, zero frequency and image centre in the middle, orthonormal."""
    axes = (-2, -1)
    return torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(image, axes), norm="ortho"), axes)


def to_image(kspace: torch.Tensor) -> torch.Tensor:
    """The inverse of F. F is a symmetric unitary matrix, so its inverse is its complex conjugate."""
    return to_kspace(kspace.conj()).conj()


def log_size(kspace: np.ndarray) -> np.ndarray:
    """Magnitude on a logarithmic scale: the middle of k-space is thousands of times brighter than its rim."""
    return np.log10(np.abs(kspace) + 1e-3)


aliased = to_image(torch.as_tensor(scan.kspace)).abs()
show.row(
    [head.image, log_size(scan.full), log_size(scan.kspace), aliased],
    titles=["the head", "all of k-space (log)", f"measured: {scan.mask.mean():.0%} of it", "skipped lines taken as zero"],
    alt="A brain slice, its full k-space, every fourth of its lines, and the image made from these lines alone: four overlapping copies of the head",
)
print(f"Scan time falls by a factor of {1 / scan.mask.mean():.1f}.")

# %% [markdown]
# The head has not become noisy or simply blurred. It has been *copied on top of itself*: each skipped line lets two structures far apart in
# the image look the same to the scanner. That is **aliasing**, and it can look like anatomy.
#
# Move the controls. A real scan keeps a band in the **centre** of k-space complete: the coarse shape and most of the contrast lie there. With
# 8 % of the lines in the centre the ghosts grow faint (and with `regular` lines you then measure 30 %, not 25 %). With `random` lines the
# copies smear out until they look like noise, which is much easier to remove. That is the heart of compressed sensing (Lustig, Donoho and
# Pauly 2007), and it is why everything from p2 on uses random lines and a full centre.

# %% tags=["demo"]
def draw_undersampling(acceleration: int, pattern: str, centre: float):
    """One undersampled scan: its mask, the image made from it, and the error."""
    one = simulate.undersample(head.image, acceleration, centre, pattern=pattern, seed=SEED)
    image = to_image(torch.as_tensor(one.kspace)).abs().numpy()
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
    titles = [f"white: measured, {one.mask.mean():.0%} of k-space", "image", "error (twice as bright)"]
    tops = [1, 1.2 * head.image.max(), 0.6 * head.image.max()]
    for ax, picture, title, top in zip(axes, [one.mask, image, np.abs(image - head.image)], titles, tops, strict=True):
        ax.imshow(picture, vmin=0, vmax=top)
        ax.set_title(title, fontsize=10)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(True)  # a frame, since the mask is as white as the page
    return fig


show.explore(
    draw_undersampling,
    acceleration=[4, 2, 3, 6, 8],
    pattern=["regular", "random"],
    centre=[0.08, 0.0, 0.16],
    alt="Mask, image and error of an undersampled brain scan; with regular lines ghosts of the head lie over it, shifted",
)

# %% tags=["demo"]
from scipy import ndimage

chest = simulate.thorax_slice(size=160, spacing=2.4, nodule_diameter_mm=14, seed=SEED)
doses = [1.0, 0.25, 0.05]
scans = [simulate.low_dose_ct(chest.hu, dose=dose, spacing=chest.spacing, angles=160, seed=SEED) for dose in doses]
lungs, skin_mm = chest.masks["lungs"], chest.spacing * ndimage.distance_transform_edt(chest.masks["body"])  # how far from the skin
regions = {"lungs": lungs, "rim": ~lungs & (0 < skin_mm) & (skin_mm < 25), "deep": ~lungs & (skin_mm > 60)}
noise = [{name: np.std((one.image - one.reference)[mask]) for name, mask in regions.items()} for one in scans]
show.row(
    [one.sinogram.measured for one in scans],
    titles=[f"sinogram, dose {dose:.0%}" for dose in doses],
    window=(0, 7),
    alt="Three sinograms of one chest, rows are detectors and columns angles; at a twentieth of the dose the long paths are grainy",
)
show.row(
    [one.image for one in scans],
    titles=[f"dose {dose:.0%}, noise in HU:\n" + ", ".join(f"{name} {value:.0f}" for name, value in one.items()) for dose, one in zip(doses, noise, strict=True)],
    window=(-1000, 400),
    alt="The chest reconstructed at full dose, a quarter and a twentieth of it; grain grows, and at the lowest dose streaks run from side to side",
)
# %% [markdown]
# The grain is strongest deep in the body, where rays have to cross the most tissue, from side to side through the spine: there the fewest
# photons survive. Yet the lungs, mostly air, are not spared: they have about a third less noise than the depth, and hardly less than the
# tissue under the skin (`rim`, the outer 25 mm), since back-projection smears the noise of each ray along its whole path.
#
# Now you have both kinds of raw data: incomplete (MR) and noisy (CT). What a hospital sees is what the next stage makes of them.

# %% [markdown]
# ### p2 - Reconstruction: see the invisible
#
# The simplest answer to $y = M\,\mathbf{F}x + \varepsilon$ is **zero-filling**: put 0 where nothing was measured and transform back,
# $\hat{x}_0 = \mathbf{F}^{-1} M y$. You write that now; then you compare it with two methods that *know something about images*.

# %% [markdown]
# ### Exercise 0.1a - zero-filled reconstruction
#
# Difficulty 2 of 5 - 3 points - about 8 minutes - *after it you can turn a scanner's k-space into an image, and say what undersampling
# does to it*
#
# Write `zero_filled(kspace, mask)`. Lines that the scanner skipped count as zero; then comes the inverse of
# $\mathbf{F}$ = `fftshift(fft2(ifftshift(x), norm="ortho"))`, which is how this lecture's k-space is made: the zero frequency *and* the
# centre of the image sit in the middle of their arrays.
#
# Return the **complex** image. An MR image has a phase as well as a magnitude: flow, temperature and iron are measured in it.
#
# <details><summary>Hint 1: the idea</summary>Undo three steps in the opposite order. What undoes <code>fftshift</code>?</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.where</code> chooses between measured values and zero; <code>numpy.fft</code> has the
# rest. On a matrix with odd sides, only <code>ifftshift</code> undoes <code>fftshift</code>, and the other way round.</details>
# <details><summary>The four quarters of my head have changed places</summary>The last shift is missing: <code>ifft2</code> puts the centre of the
# image into the corner of the array.</details>
# <details><summary>The magnitude looks right, but the real part is a chessboard</summary>The first shift is missing: the zero frequency is in the
# middle of <code>kspace</code>, and <code>ifft2</code> looks for it in the corner. The magnitude hides it, the phase does not.</details>
# <details><summary>My image is all nan</summary><code>nan * 0</code> is still <code>nan</code>. Choose the values, don't multiply them.</details>

# %% nbgrader={"grade": false, "grade_id": "zero-filled", "locked": false, "schema_version": 3, "solution": true, "task": false}
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Reconstruct an image from the k-space samples that were measured; the others count as zero.

    Args:
        kspace: complex (H, W), zero frequency at [H // 2, W // 2]; H and W may be odd. Where `mask` is False it may
            hold anything, even nan. Not changed.
        mask: boolean (H, W), True where a sample was measured.

    Returns:
        The complex image (H, W), orthonormal scaling (the image has the energy of the measured samples).
    """
    ### BEGIN SOLUTION
    measured = np.where(mask, kspace, 0)
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(measured), norm="ortho"))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "zero-filled-inverse", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# If every sample is measured, the object comes back exactly: in its place, upright, with its own brightness
thing = np.zeros((8, 12))
thing[1:3, 2:7] = 5.0  # a bar in the upper left
samples = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(thing), norm="ortho"))
image = np.asarray(zero_filled(samples, np.ones((8, 12), bool)))
assert image.shape == (8, 12), f"k-space is (8, 12), so the image is too, but yours has shape {image.shape}"
size = np.abs(image)
assert not np.allclose(size, np.fft.fftshift(thing)), "the quadrants have changed places: shift the image back to the centre after the inverse FFT"
assert not np.allclose(size, np.roll(thing[::-1, ::-1], 1, (0, 1)), atol=1e-4), "the object is upside down: that is the forward FFT, not the inverse"
assert np.isclose(size.max(), 5, atol=1e-4), f"the bar has brightness 5, yours {size.max():.3g}: use the orthonormal scaling, norm='ortho'"
assert np.allclose(size, thing, atol=1e-4), "with all samples measured the object must come back exactly"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(7)
for rows, columns in [(16, 16), (10, 24), (32, 8)]:
    thing = rng.uniform(0, 3, (rows, columns))
    samples = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(thing), norm="ortho"))
    back = np.asarray(zero_filled(samples, np.ones((rows, columns), bool)))
    assert back.shape == thing.shape and np.allclose(np.abs(back), thing, atol=1e-4), "the object does not come back on a random image"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "zero-filled-skipped", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Skipped samples count as zero, whatever the array holds there
rng = np.random.default_rng(3)
samples = rng.normal(size=(16, 16)) + 1j * rng.normal(size=(16, 16))
mask = np.zeros((16, 16), bool)
mask[:, [1, 4, 7, 8, 9, 13]] = True
image = np.asarray(zero_filled(samples, mask))
assert image.shape == (16, 16), f"expected an image of shape (16, 16), got {image.shape}"
energy, measured = np.sum(np.abs(image) ** 2), np.sum(np.abs(samples[mask]) ** 2)
assert energy > 0, "the image is empty"
assert not np.isclose(energy * samples.size, measured), "the brightness is off by the square root of the number of pixels: norm='ortho' is missing"
assert np.isclose(energy, measured, rtol=1e-4), (
    f"the image has energy {energy:.1f}, the measured samples {measured:.1f}. Is the mask used, and is nothing scaled up to make good for the gaps?"
)
polluted = np.where(mask, samples, np.nan)
again = np.asarray(zero_filled(polluted, mask))
assert np.isnan(polluted[~mask]).all(), "you have written zeros into the caller's k-space: make a new array, the raw data stay as measured"
assert np.isfinite(again).all(), "a skipped sample that holds nan must not reach the image: replace it by zero, don't multiply it by zero"
### BEGIN HIDDEN TESTS
assert np.allclose(again, image), "what stands in skipped samples must not change the image"
for seed in range(4):
    rng = np.random.default_rng(seed)
    samples = rng.normal(size=(12, 20)) + 1j * rng.normal(size=(12, 20))
    mask = rng.random((12, 20)) < 0.4
    image = np.asarray(zero_filled(samples, mask))
    assert np.isclose(np.sum(np.abs(image) ** 2), np.sum(np.abs(samples[mask]) ** 2), rtol=1e-4), "the energy is off on a random mask"
    assert np.allclose(np.asarray(zero_filled(np.where(mask, samples, 99.0), mask)), image), "skipped samples reached the image"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "zero-filled-phase", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The phase survives: blood that flows, tissue that is heated, iron - all are measured in it
y, x = np.mgrid[-4:4, -6:6]
thing = (2.0 + (np.abs(x) < 3)) * np.exp(1j * 0.3 * y)  # the phase grows from front to back
samples = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(thing), norm="ortho"))
image = np.asarray(zero_filled(samples, np.ones(thing.shape, bool)))
assert image.shape == thing.shape, f"expected an image of shape {thing.shape}, got {image.shape}"
assert np.iscomplexobj(image), "return the complex image: the magnitude has thrown the phase away"
chess = np.where((x + y) % 2 == 0, 1, -1)
assert not np.allclose(np.abs(image - thing * chess).max() * np.abs(image + thing * chess).max(), 0, atol=1e-3), (
    "the sign alternates from pixel to pixel: move the zero frequency to the corner (ifftshift) before the inverse FFT"
)
assert np.allclose(np.abs(image), np.abs(thing), atol=1e-3), "even the magnitude is off: mend what the first check says"
assert np.allclose(image, thing, atol=1e-3), "the magnitude is right, but the phase is not"
odd = thing[:5, :7]
samples = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(odd), norm="ortho"))
image = np.asarray(zero_filled(samples, np.ones((5, 7), bool)))
assert np.allclose(image, odd, atol=1e-3), "on a matrix with odd sides (5 x 7) the image is off: fftshift undoes ifftshift, but neither undoes itself"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(11)
for rows, columns in [(7, 9), (15, 8), (21, 33)]:
    thing = rng.normal(size=(rows, columns)) + 1j * rng.normal(size=(rows, columns))
    samples = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(thing), norm="ortho"))
    back = np.asarray(zero_filled(samples, np.ones((rows, columns), bool)))
    assert np.iscomplexobj(back) and np.allclose(back, thing, atol=1e-3), (
        "the image is off on a matrix with odd sides: fftshift undoes ifftshift, but neither undoes itself"
    )
### END HIDDEN TESTS

# %% [markdown]
# #### Knowing something about images: regularisation
#
# Infinitely many images agree with the measured lines. Among them we want the one that looks most like anatomy. The classical description
# of "looks like anatomy" is a small **total variation**, the sum of the lengths of all gradients: organs are rather smooth, with few sharp
# borders (Rudin, Osher and Fatemi 1992). We minimise
#
# $$\tfrac12 \lVert M\,\mathbf{F}x - y \rVert^2 + \lambda\, \mathrm{TV}(x)$$
#
# by **proximal gradient descent**. Two steps alternate: one towards the data, one towards smooth images. The second is called a *proximal
# step*: $\mathrm{prox}_{\lambda \mathrm{TV}}(z)$ is the image near $z$ with the best trade between staying near and being smooth.
#
# $$z \leftarrow x - \mathbf{F}^{-1}\big(M\,\mathbf{F}x - y\big), \qquad x \leftarrow \mathrm{prox}_{\lambda \mathrm{TV}}(z)$$
#
# The second step is plain TV denoising, which scikit-image has. $\lambda$ is chosen on validation subjects, never on test subjects.
#
# #### Learning it: an unrolled network
#
# Look at the two steps again. The first is physics, and is known exactly. The second is our opinion about images, and $\mathrm{TV}$ is a
# crude one. So keep the first, replace the second by a small convolutional network $g_\theta$, run a fixed number of rounds, and train all
# parameters $\theta$ on pairs of undersampled and complete scans. This is an **unrolled network** (Schlemper et al. 2018 is a well-known
# one for MR):
#
# $$z \leftarrow x - \mathbf{F}^{-1}\big(M\,\mathbf{F}x - y\big), \qquad x \leftarrow z + g_\theta(z)$$
#
# **Predict before you run.** Three methods: zero-filled, TV, learned. You score them on *new* subjects with the peak signal-to-noise ratio
# $\mathrm{PSNR} = 10 \log_{10} (\mathrm{peak}^2 / \mathrm{MSE})$. Every 6 dB is half the error. How many dB does each gain over zero-filling?

# %% tags=["demo"]
def scanned(seeds, acceleration: float = 4.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Subjects through the scanner: measured k-space (N, H, W) on random lines, and true images (N, H, W) with maximum 1."""
    truths, measured = [], []
    for seed in seeds:
        image = simulate.brain_slice("t1", noise=0.0, height=float(10 + seed % 30), seed=seed).image
        image = image / image.max()
        truths.append(torch.as_tensor(image))
        measured.append(torch.as_tensor(simulate.undersample(image, acceleration, noise=0.05, seed=seed, lines_seed=0).kspace))
    return torch.stack(measured), torch.stack(truths)


sizes = run.pick(ci=(96, 8, 20), laptop=(240, 24, 60), gpu=(1000, 50, 100))
edges = np.cumsum([0, *sizes])
(y_train, x_train), (y_val, x_val), (y_test, x_test) = (
    scanned(range(1000 + a, 1000 + b)) for a, b in zip(edges[:-1], edges[1:], strict=True)
)
sampled = (y_train.abs().sum(0) > 0)[None]  # the same lines in every scan: (1, H, W)
show.row(x_train[:5], titles=[f"subject {k}" for k in range(1, 6)], alt="Five simulated subjects: brains of different shape at different heights", height=2.4)

# %% tags=["demo"]
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.restoration import denoise_tv_chambolle


def tv_reconstruction(y: torch.Tensor, weight: float, rounds: int = 40) -> np.ndarray:
    """Proximal gradient descent with momentum (FISTA; Beck and Teboulle 2009) for one real image."""
    x = z = np.zeros(y.shape)
    t = 1.0
    for _ in range(rounds):
        residual = sampled[0] * to_kspace(torch.as_tensor(z).to(torch.complex64)) - y
        new = denoise_tv_chambolle(z - to_image(residual).real.numpy(), weight=weight, max_num_iter=20)
        t_new = (1 + np.sqrt(1 + 4 * t**2)) / 2
        z, x, t = new + (t - 1) / t_new * (new - x), new, t_new
    return x


def psnr(images, truths) -> np.ndarray:
    """PSNR of each image in dB; the peak is 1."""
    return np.array([peak_signal_noise_ratio(np.asarray(b), np.asarray(a), data_range=1) for a, b in zip(images, truths, strict=True)])


weights = [0.005, 0.01, 0.02, 0.04]
tv_scores = [psnr([tv_reconstruction(y, w) for y in y_val[:4]], x_val[:4]).mean() for w in weights]
tv_weight = weights[int(np.argmax(tv_scores))]
show.curves(
    {"validation": (np.log10(weights), tv_scores)},
    xlabel="log10 of the weight λ",
    ylabel="PSNR (dB)",
    alt="Validation PSNR over the weight of total variation: it rises to a maximum and falls again",
)
print(f"Chosen on validation: weight {tv_weight}")

# %% tags=["demo"]
from torch import nn


class Denoiser(nn.Module):
    """Our opinion about images, learned: a correction made by four small convolutions on 2 x 2 pixel blocks."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        inner = [nn.Conv2d(4, width, 3, padding=1), nn.ReLU()]
        for _ in range(2):
            inner += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(nn.PixelUnshuffle(2), *inner, nn.Conv2d(width, 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x[:, None])[:, 0]  # (B, H, W)


class Unrolled(nn.Module):
    """Rounds of: a step towards the measured samples, then a learned correction."""

    def __init__(self, rounds: int = 4) -> None:
        super().__init__()
        self.denoisers = nn.ModuleList(Denoiser() for _ in range(rounds))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        mask = sampled.to(y.device)
        x = torch.zeros(y.shape, device=y.device)
        for denoise in self.denoisers:
            residual = mask * to_kspace(x.to(torch.complex64)) - y
            x = denoise(x - to_image(residual).real)
        return x


helpers.seed_everything(SEED)
network = Unrolled()
print(f"{sum(p.numel() for p in network.parameters()):,} parameters")

# %% tags=["demo"]
def validation_psnr(model: nn.Module) -> float:
    return float(psnr(model(y_val.to(device)).cpu(), x_val).mean())


loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(y_train, x_train), batch_size=4, shuffle=True)
history = train.fit(network, loader, nn.functional.l1_loss, validation_psnr, epochs=run.pick(ci=6, laptop=12, gpu=30), lr=6e-3, device=device)
epochs = np.arange(1, len(history.score) + 1)
levels = {"network": history.score, "total variation": [max(tv_scores)] * len(epochs), "zero-filled": [psnr(to_image(y_val).abs(), x_val).mean()] * len(epochs)}
show.curves(
    {name: (epochs, values) for name, values in levels.items()},
    xlabel="epoch",
    ylabel="PSNR on validation (dB)",
    alt="Validation PSNR of the network over the epochs, rising above zero-filling and total variation",
)
print(f"Trained in {history.seconds:.0f} s on {len(x_train)} subjects")

# %% [markdown]
# Now the test subjects, which nobody has looked at: neither for $\lambda$ nor for $\theta$. Besides PSNR you see **SSIM**, the structural
# similarity, which compares local means, contrasts and patterns and is 1 for identical images (Wang et al. 2004).

# %% tags=["demo"]
with torch.no_grad():
    learned = network(y_test.to(device)).cpu().numpy()
methods = {
    "zero-filled": to_image(y_test).abs().numpy(),
    "total variation": np.stack([tv_reconstruction(y, tv_weight) for y in y_test]),
    "learned": learned,
}
test_psnr = {name: psnr(images, x_test) for name, images in methods.items()}
test_ssim = {
    name: np.array([structural_similarity(x.numpy(), image.astype(np.float32), data_range=1) for image, x in zip(images, x_test, strict=True)])
    for name, images in methods.items()
}

fig, axes = plt.subplots(2, 4, figsize=(11, 5.2), layout="constrained")
axes[0, 0].imshow(x_test[0], vmin=0, vmax=1)
axes[0, 0].set_title("truth (test subject 1)", fontsize=10)
axes[1, 0].set_axis_off()
for column, (name, stack) in enumerate(methods.items(), start=1):
    axes[0, column].imshow(stack[0], vmin=0, vmax=1)
    axes[0, column].set_title(f"{name}\n{test_psnr[name][0]:.1f} dB, SSIM {test_ssim[name][0]:.2f}", fontsize=10)
    error = axes[1, column].imshow(np.abs(stack[0] - x_test[0].numpy()), cmap=show.SEQUENTIAL, vmin=0, vmax=0.2)
for ax in axes.flat:
    ax.set_axis_off()
fig.colorbar(error, ax=axes[1, 1:], label="absolute error", shrink=0.8)
show.figure(fig, alt="A test brain reconstructed by zero-filling, total variation and the network, with maps of the absolute error below each")

# %% tags=["demo"]
def bootstrap(values: np.ndarray, draws: int = 2000) -> tuple[float, float, float]:
    """Mean over subjects with its 95 % interval by the bootstrap: draw as many subjects again, with replacement, and again."""
    rng = np.random.default_rng(0)
    means = np.mean(values[rng.integers(0, len(values), (draws, len(values)))], axis=1)
    return float(values.mean()), *np.percentile(means, [2.5, 97.5])


fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for ax, by_method, unit in zip(axes, [test_psnr, test_ssim], ["PSNR (dB)", "SSIM"], strict=True):
    for place, values in enumerate(by_method.values()):
        spread = np.random.default_rng(0).uniform(-0.12, 0.12, len(values))
        ax.plot(place + spread, values, "o", color=show.PALETTE[place], alpha=0.45, markersize=5)
        mean, low, high = bootstrap(values)
        ax.errorbar(place + 0.25, mean, [[mean - low], [high - mean]], fmt="s", color="black", capsize=4)
    ax.set_xticks(range(3), list(by_method))
    ax.set_ylabel(unit)
fig.suptitle(f"{len(x_test)} test subjects; black: mean with 95 % bootstrap interval", fontsize=10)
show.figure(fig, alt="PSNR and SSIM of each test subject for zero-filled, total variation and learned reconstruction")
gain = test_psnr["learned"] - test_psnr["zero-filled"]
assert gain.mean() > 2 and (gain > 0).all(), "the network must beat zero-filling on every unseen subject"
# %% [markdown]
# The network wins because it has seen heads, and it has seen *this* scanner. That is also its danger: what it adds between the measured
# samples is not measured, it is remembered. On a head unlike all training heads it may remember the wrong thing, and the picture will look
# just as sharp (Antun et al. 2020). The physics in every round is a safeguard, though not a guarantee.
#
# **Checkpoint.** A company reports 45 dB for its reconstruction of knees at four-fold acceleration. Your own method gets 31 dB on heads. Is
# theirs better?
#
# <details><summary>Answer</summary>You can't tell. PSNR depends on the anatomy, the matrix, the noise and even on how much black background is in the
# picture: a larger field of view adds perfect black pixels. Compare methods on the same scans and the same subjects, paired, with an
# interval.</details>

# %% [markdown]
# ### p3 - Visualization (XR): what a human sees
#
# CT numbers, in Hounsfield units (HU), run from $-1000$ (air) over $0$ (water) to above $1000$ (dense bone). A screen shows some 250 grey
# levels, and an eye tells apart far fewer at a time. So a radiologist looks through a **window**: level $\ell$ (its centre)
# and width $w$. All that lies below is black, all that lies above is white.
#
# **Predict before you run.** Below is a real CT slice of a head. A large region on the patient's left (on the right of the picture) is some
# 20 HU darker than the healthy brain beside it: a matter of life and death, and one fiftieth of the way from air to water. How wide may a
# window be before you miss it?

# %% tags=["demo"]
import ipywidgets

real_head = data.load("ct_head", profile=PROFILE).image


def draw_window(level: float, width: float):
    """A real CT slice through one display window, with the window drawn over the histogram."""
    low, high = level - width / 2, level + width / 2
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    left.imshow(real_head, vmin=low, vmax=high)
    left.set_title(f"level {level:.0f}, width {width:.0f} HU", fontsize=10)
    left.set_axis_off()
    right.hist(real_head.ravel(), bins=np.arange(-1050, 1500, 15), color="0.6")
    right.axvspan(low, high, color=show.PALETTE[1], alpha=0.35, label="window")
    right.vlines([low, high], 0, 1, color="black", linestyle="--", linewidth=1, transform=right.get_xaxis_transform())
    right.set(yscale="log", xlabel="CT number (HU)", ylabel="pixels")
    right.legend()
    return fig


show.explore(
    draw_window,
    level=ipywidgets.FloatSlider(value=35, min=-600, max=600, step=5, description="level", continuous_update=False),
    width=ipywidgets.FloatSlider(value=80, min=20, max=2500, step=20, description="width", continuous_update=False),
    alt="A real CT slice of a head in a narrow brain window, where a large dark region stands out on the patient's left, beside the histogram with the window marked",
)

# %% [markdown]
# Widen the window to 2000: the dark region is gone, though no number in the file has changed. A window is a decision about what may be seen.

# %% [markdown]
# ### Exercise 0.1b - window and level
#
# Difficulty 1 of 5 - 3 points - about 6 minutes - *after it you can show any tissue of a CT scan, and know what a window hides*
#
# Write `window(hu, level, width)`: 0 (black) at and below $\ell - w/2$, 1 (white) at and above $\ell + w/2$, a straight line between.
#
# <details><summary>Hint 1: the idea</summary>Where does the dark end of the window lie, and how far above it is a pixel, measured in window widths?</details>
# <details><summary>Hint 2: what to call</summary>Make the array <code>float</code> first; <code>numpy.clip(values, 0, 1)</code> last.</details>
# <details><summary>Bone is black in my picture</summary>Values beyond an end stay <em>at</em> that end. Or an integer overflowed: an
# <code>int16</code> can't hold more than 32767.</details>
# <details><summary>Everything is too dark</summary>The window reaches half a width to each side of the level, not a whole one.</details>

# %% nbgrader={"grade": false, "grade_id": "window", "locked": false, "schema_version": 3, "solution": true, "task": false}
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    """Map CT numbers to display brightness.

    Args:
        hu: CT numbers in HU, any shape, float or integer (CT files store int16); not changed.
        level: centre of the window in HU, where brightness is 0.5.
        width: from black to white in HU, more than 0.

    Returns:
        Brightness from 0 to 1, float, same shape.

    Raises:
        ValueError: the width is not positive.
    """
    ### BEGIN SOLUTION
    if width <= 0:
        raise ValueError(f"the width of a window must be positive, got {width}")
    lower = level - width / 2
    return np.clip((np.asarray(hu, dtype=float) - lower) / width, 0, 1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "window-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The straight part: the brain window (level 40, width 80) shows 0 to 80 HU
shown = np.asarray(window(np.array([20.0, 40.0, 60.0]), 40, 80))
assert shown.shape == (3,), f"three pixels in, so three out, but yours has shape {shown.shape}"
assert not 1e-4 < abs(shown[1] - 0.5) < 0.005, "return fractions, not whole grey levels: the screen rounds, you don't"
assert np.isclose(shown[1], 0.5), f"a pixel at the level is mid-grey, 0.5, but yours is {shown[1]:.3f}. Is the dark end at level - width / 2?"
assert not np.allclose(shown, [0, 0.5, 1]), "stretched to the darkest and the brightest pixel of this image? The window's ends are 0 and 80 HU"
assert np.allclose(shown, [0.25, 0.5, 0.75]), f"20, 40, 60 HU should give 0.25, 0.5, 0.75, got {shown}. One width leads from black to white"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(5)
for _ in range(6):
    level, width = rng.uniform(-700, 500), rng.uniform(20, 2500)
    part = rng.uniform(0.01, 0.99, (4, 5))
    got = np.asarray(window(level + (part - 0.5) * width, level, width))
    assert got.shape == (4, 5) and np.allclose(got, part, atol=1e-5), "the brightness is off inside a random window"
    few = np.asarray(window(level + width * np.array([-0.2, 0.1]), level, width))
    assert np.allclose(few, [0.3, 0.6], atol=1e-5), "the window must not be stretched to the values of the image: scans could not be compared"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "window-ends", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The ends: air stays black, bone and metal stay white
shown = np.asarray(window(np.array([-1000.0, -1.0, 41.0, 81.0, 3000.0]), 40, 80))
assert shown.shape == (5,), f"five pixels in, so five out, but yours has shape {shown.shape}"
assert 0.5 < shown[2] < 0.52, f"41 HU is just above mid-grey, but yours is {shown[2]:.3f}"
assert shown[4] > 0, "metal (3000 HU) turned black: what lies above the window is clipped at the bright end, to 1"
assert shown[0] < 1, "air (-1000 HU) turned white: what lies below the window is clipped at the dark end, to 0"
assert np.allclose(shown[[0, 1]], 0) and np.allclose(shown[[3, 4]], 1), f"brightness must stay between 0 and 1, yours is {shown}"
### BEGIN HIDDEN TESTS
ladder = np.linspace(-1500, 3500, 401)
for level, width in [(-600, 1500), (40, 400), (500, 2000)]:
    got = np.asarray(window(ladder, level, width))
    assert got.min() >= 0 and got.max() <= 1, "brightness must stay between 0 and 1"
    assert np.all(np.diff(got) >= -1e-9), "a denser pixel must never be darker"
    assert np.allclose(got[ladder < level - width / 2], 0) and np.allclose(got[ladder > level + width / 2], 1), "an end is wrong"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "window-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What a CT file holds: int16, with metal at its largest value; and a width that can't be
raw = np.array([-2000, -600, 32767], dtype=np.int16)
shown = np.asarray(window(raw, -600, 1500))  # the lung window
assert shown.shape == (3,) and np.isclose(shown[1], 0.5), "int16 input: a pixel at the level should be 0.5"
assert np.allclose(shown, [0, 0.5, 1]), f"int16 input: expected 0, 0.5, 1, got {shown}. Did an integer overflow? Make it float first"
scan = np.array([0.0, 40.0])
window(scan, 40, 400)
assert np.array_equal(scan, [0, 40]), "the scan itself was changed: windowing is for the eye, the numbers stay as measured"
for bad in (0, -400):
    try:
        window(raw, 40, bad)
    except ValueError:
        pass
    except ZeroDivisionError:
        raise AssertionError("a width of 0 must raise ValueError, with a sentence that says so") from None
    else:
        raise AssertionError(f"a width of {bad} must raise ValueError, not return a picture")
### BEGIN HIDDEN TESTS
before = np.linspace(-1000, 1000, 50)
copy = before.copy()
got = np.asarray(window(before, 40, 400))
assert np.array_equal(before, copy), "the scan itself was changed: windowing is for the eye, the numbers stay as measured"
assert got.shape == (50,) and np.isclose(np.asarray(window(np.full((2, 3), 40.0), 40, 400)), 0.5).all(), "a float image fails"
odd = np.asarray(window(np.array([0, 1, 2], dtype=np.int16), 1, 3))
assert np.allclose(odd, [1 / 6, 0.5, 5 / 6], atol=1e-5), "half of an odd width is not a whole number"
try:
    window(before, 40, -0.5)
except ValueError:
    pass
else:
    raise AssertionError("a negative width must raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# #### From slices to a body
#
# A CT is a volume. Three ways to look at one:
#
# - **orthogonal planes**: axial, coronal, sagittal. Nothing is hidden, but you see one millimetre at a time.
# - **maximum intensity projection (MIP)**: each pixel shows the brightest voxel along its ray. Small bright things (vessels, nodules) can't hide behind dark ones;
#   but depth is lost, and bone hides everything.
# - **surface**: a mesh of triangles around a segmented organ, found by marching cubes (Lorensen and Cline 1987). This is what a surgeon turns in the hand
#   in extended reality (XR).
#
# Voxels are seldom cubes. Here a slice is thicker than a pixel is wide, so every view must use the spacing in mm, or the patient is squashed.

# %% tags=["demo"]
body = simulate.thorax(nodule_diameter_mm=18, spacing=(2.5, 2.5, 4.0), seed=SEED)
sx, sy, sz = body.spacing
here = [int(k) for k in np.argwhere(body.masks["nodule"]).mean(0)]
lungs_only = np.where(body.masks["lungs"], body.hu, -1000)  # without the lungs' mask, the ribs would hide all
views = {
    "axial": (body.hu[:, :, here[2]], sy / sx, here[0], here[1]),
    "coronal": (body.hu[:, here[1], :], sz / sx, here[0], here[2]),
    "sagittal": (body.hu[here[0], :, :], sz / sy, here[1], here[2]),
    "MIP of the lungs, from the front": (lungs_only.max(axis=1), sz / sx, here[0], here[2]),
}
fig, axes = plt.subplots(1, 4, figsize=(12, 3.3), layout="constrained")
for ax, (name, (plane, aspect, across, up)) in zip(axes, views.items(), strict=True):
    ax.imshow(plane.T, origin="lower", aspect=aspect, vmin=-1000, vmax=300)
    ax.plot(across, up, "o", markersize=16, markerfacecolor="none", markeredgecolor=show.PALETTE[1])
    if name != "sagittal":
        ax.invert_xaxis()  # the patient's right is on the left of the picture, as if you stood before the patient
    ax.set_title(name, fontsize=10)
    ax.set_axis_off()
show.figure(fig, alt="Axial, coronal and sagittal plane through a lung nodule, and a maximum intensity projection of the lungs where it lies among vessels; the nodule is circled")

# %% [markdown]
# A headset or a web viewer opens **GLB** files (binary glTF 2.0). Two conventions differ from medicine, and both go wrong in practice:
#
# - glTF counts in **metres**; medicine counts in mm. Forget this, and the surgeon meets a chest 300 m wide.
# - glTF's **y axis points up** and its models look along $+z$; in RAS coordinates the axes point to the patient's **r**ight, to the front
#   (**a**nterior) and to the head (**s**uperior). The change of axes must be a *rotation*
#   (determinant $+1$). Swapping two axes would also bring the head up, but as a mirror image: the heart would lie on the right.

# %% tags=["demo"]
from pathlib import Path

import trimesh
from skimage.measure import marching_cubes

TO_GLTF = np.array([[-1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1000]]) / 1000  # right to -x, front to z, head to y; mm to m
assert np.isclose(np.linalg.det(TO_GLTF[:3, :3] * 1000), 1), "a rotation, not a mirror"


def surface(mask: np.ndarray, color: list[int]) -> trimesh.Trimesh:
    """The surface of a mask in mm (RAS), without the staircase of its voxels."""
    vertices, faces, _, _ = marching_cubes(np.pad(mask, 1).astype(np.float32), level=0.5, spacing=body.spacing)
    mesh = trimesh.Trimesh(vertices - body.spacing + body.affine[:3, 3], faces[:, ::-1])
    trimesh.smoothing.filter_taubin(mesh, iterations=10)  # smooths without shrinking
    mesh.visual = trimesh.visual.TextureVisuals(
        material=trimesh.visual.material.PBRMaterial(baseColorFactor=color, alphaMode="BLEND" if color[3] < 255 else "OPAQUE")
    )
    return mesh


colors = {"lungs": [86, 180, 233, 90], "ribs": [240, 230, 200, 255], "spine": [240, 230, 200, 255], "heart": [213, 94, 0, 255], "nodule": [0, 158, 115, 255]}
scene = trimesh.Scene({name: surface(body.masks[name], color).apply_transform(TO_GLTF) for name, color in colors.items()})
model_file = Path("chest.glb")  # beside this notebook
scene.export(model_file)
print(f"{model_file}: {model_file.stat().st_size / 1e6:.1f} MB, {sum(len(mesh.faces) for mesh in scene.geometry.values()):,} triangles")

# %% [markdown]
# An export that nobody has read back is a hope. Load the file, turn it back into mm, and compare each organ with the voxels it came from.

# %% tags=["demo"]
import pandas as pd

loaded = trimesh.load(model_file)
rows = {}
for name in colors:
    mesh = loaded.geometry[name].copy().apply_transform(np.linalg.inv(TO_GLTF))
    mesh.merge_vertices()
    voxels = np.argwhere(body.masks[name])
    extent = (voxels.max(0) - voxels.min(0) + 1) * body.spacing
    rows[name] = {
        "voxels: size (mm)": " x ".join(f"{value:.0f}" for value in extent),
        "GLB: size (mm)": " x ".join(f"{value:.0f}" for value in mesh.extents),
        "voxels: volume (ml)": len(voxels) * sx * sy * sz / 1000,
        "GLB: volume (ml)": mesh.volume / 1000,
        "closed": mesh.is_watertight,
    }
    assert np.all(np.abs(mesh.extents - extent) <= 2 * np.array(body.spacing)), f"{name} changed its size in the export"
sizes_table = pd.DataFrame(rows).T
sizes_table

# %% [markdown]
# Sizes agree to a voxel. The thin ribs lose a tenth of their volume to the smoothing: surfaces are for looking and planning, voxels are for
# measuring.
#
# You have no headset at hand? Open the file in any glTF viewer, or paint it here: the triangles from far to near, each brighter the more it
# faces you.

# %% tags=["demo"]
def paint(ax, turn: float) -> None:
    """Paint the loaded scene, turned about the body's axis by `turn` degrees (painter's algorithm)."""
    light = np.array([0.3, 0.5, 0.8])
    points, shades = [], []
    veil = {"lungs": 0.05, "ribs": 0.15}  # the rest is opaque
    for name, mesh in loaded.geometry.items():
        rotation = trimesh.transformations.rotation_matrix(np.radians(turn), [0, 1, 0])[:3, :3]
        facing = np.clip(mesh.face_normals @ rotation.T @ light, 0, 1)
        color = np.array(colors[name]) / 255
        rgba = np.column_stack([color[None, :3] * (0.25 + 0.75 * facing[:, None]), np.full(len(facing), veil.get(name, 1.0))])
        some = slice(None, None, 1 if name == "nodule" else 2)  # every second triangle is enough for a picture
        points.append(mesh.triangles_center[some] @ rotation.T)
        shades.append(rgba[some])
    points, shades = np.concatenate(points), np.concatenate(shades)
    order = np.argsort(points[:, 2])  # the viewer is at the far end of z
    ax.scatter(*points[order, :2].T, c=shades[order], s=3, linewidths=0)
    nodule = loaded.geometry["nodule"].triangles_center.mean(0) @ rotation.T
    ax.annotate("nodule", nodule[:2], xytext=(0, 14), textcoords="offset points", ha="center", fontsize=9, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1})
    ax.set(aspect="equal", xlabel="m", ylabel="m")


fig, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained", sharey=True)
for ax, turn, name in zip(axes, (0, 45, 180), ("from the front", "turned by 45 degrees", "from behind"), strict=True):
    paint(ax, turn)
    ax.set_title(name, fontsize=10)
show.figure(fig, alt="The chest model from the file seen from the front, from an angle and from behind: spine and heart, with ribs and lungs as a veil, and a small green nodule")
# %% [markdown]
# **Checkpoint.** A colleague's headset shows the chest in the right size and upright, but the nodule lies in the left lung, and in the CT
# it is in the right one. What happened, and why is that worse than a chest of 300 m?
#
# <details><summary>Answer</summary>Two axes were swapped, or one was turned round alone: the determinant is -1, so the model is a mirror image. A chest of 300 m
# is noticed at once. A mirrored chest looks perfectly normal until someone operates on the wrong side.</details>

# %% [markdown]
# ### p4 - Analysis and diagnosis: decide, and count the cost
#
# Now a cohort: many patients, half of them with a round spot, a **nodule**, in the lung. In real life most nodules are harmless; here each
# one is a tumour. All are scanned at a hundredth of the usual dose. A **detector** gives each patient a score. Ours is deliberately
# classical, so that you see every step (lectures 4 and 5 learn this part):
#
# 1. find the lungs: dark, and not connected to the outside air;
# 2. filter them with blobs of three sizes, $-\sigma^2\,\nabla^2 G_\sigma * \text{image}$, a bright centre against its darker surround. Each
#    answers most to a disc of radius $\sqrt{2}\,\sigma$, averages noise over that size and ignores a background that changes slowly. Take
#    the six highest peaks as candidates;
# 3. weigh for each candidate the three answers, its distance from the midline (large vessels lie near it) and its roundness (a vessel seen from the side is
#    long) by logistic regression, with their squares and products. The patient's score is the highest probability of a candidate.
#
# Each patient is seen in three ways: without noise, at low dose by filtered back-projection (FBP), and the same low-dose image after TV
# denoising.
#
# The detector is judged by its **ROC curve**: for every threshold, the share of the sick that are found (**sensitivity**) over the share of
# the healthy that are called back. The area below it, the **AUC**, is the chance that a sick patient gets a higher score than a healthy one:
# 0.5 is a coin, 1 is perfect.
#
# **Predict before you run.** TV raises the PSNR of the low-dose slices by several dB. Will it raise the detector's AUC as well?

# %% tags=["demo"]
import pandas as pd

DOSE, SPACING, TV_WEIGHT = 0.01, 3.0, 0.15
n_patients = run.pick(ci=240, laptop=900, gpu=1800)
rng = np.random.default_rng(SEED)
patients = pd.DataFrame(
    {
        "tumour": rng.permutation(np.arange(n_patients) % 2),
        "diameter": rng.uniform(5, 25, n_patients),  # mm
        "age": rng.normal(66, 9, n_patients).clip(40, 90),
        "split": rng.permutation(np.arange(n_patients) % 3),  # 0 train, 1 validation, 2 test
    }
)
patients.loc[patients.tumour == 0, "diameter"] = np.nan

ct_images = {"no noise": [], "low dose, FBP": [], "low dose, TV": []}
centres = []
for number, (has_tumour, diameter) in enumerate(zip(patients.tumour, patients.diameter, strict=True)):
    one = simulate.thorax_slice(size=128, spacing=SPACING, nodule_diameter_mm=diameter if has_tumour else None, seed=5000 + number)
    ct = simulate.low_dose_ct(one.hu, dose=DOSE, spacing=SPACING, angles=90, seed=number)
    ct_images["no noise"].append(ct.reference)
    ct_images["low dose, FBP"].append(ct.image)
    ct_images["low dose, TV"].append(denoise_tv_chambolle(ct.image / 1000, weight=TV_WEIGHT) * 1000)
    centres.append(one.nodule_centre)
ct_psnr = {
    name: np.array([peak_signal_noise_ratio(truth, image, data_range=2000) for truth, image in zip(ct_images["no noise"], stack, strict=True)])
    for name, stack in ct_images.items()
    if name != "no noise"
}
print(", ".join(f"{name}: PSNR {values.mean():.1f} dB" for name, values in ct_psnr.items()))

# %% tags=["demo"]
from scipy import ndimage
from skimage.feature import hessian_matrix, hessian_matrix_eigvals, peak_local_max
from skimage.morphology import closing, disk
from skimage.segmentation import clear_border

SCALES = (1.0, 1.7, 2.8)  # pixels


def lungs_of(image: np.ndarray) -> np.ndarray:
    """Lungs in a chest slice: dark, not joined to the outside air, with the bright things inside them filled in."""
    dark = clear_border(ndimage.gaussian_filter(image, 1) < -500)
    return ndimage.binary_fill_holes(closing(dark, disk(3)))


def candidates(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The six most blob-like places in the lungs: positions (K, 2) and features (K, 5)."""
    inside = lungs_of(image)
    lung = np.where(inside, image, np.median(image[inside]))  # no border, so no false blob at the border
    answers = np.stack([-(s**2) * ndimage.gaussian_laplace(lung, s) for s in SCALES])
    places = peak_local_max(np.where(inside, answers.max(0), 0), min_distance=2, num_peaks=6)
    columns = np.flatnonzero(inside.any(axis=0))
    middle, half = (columns[0] + columns[-1]) / 2, (columns[-1] - columns[0]) / 2
    weak, strong = hessian_matrix_eigvals(hessian_matrix(lung, sigma=1.7, use_gaussian_derivatives=False))
    rows = [
        [*np.maximum(answers[:, r, c], 0) / 300, abs(c - middle) / half, weak[r, c] / min(strong[r, c], -1e-3)]  # curvatures: 1 is round, 0 long
        for r, c in places
    ]
    return places, np.array(rows)


found = {name: [candidates(image) for image in stack] for name, stack in ct_images.items()}

# %% tags=["demo"]
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

tumour = patients.tumour.to_numpy()
in_train, in_val, in_test = (patients.split.to_numpy() == k for k in range(3))
probability = {}
for name, stack in found.items():
    rows = np.concatenate([features for (_, features), use in zip(stack, in_train, strict=True) if use])
    is_tumour = np.concatenate(
        [[c is not None and np.hypot(*(p - c)) < 4 for p in places] for (places, _), c, use in zip(stack, centres, in_train, strict=True) if use]
    )
    model = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows, is_tumour)
    probability[name] = np.array([model.predict_proba(features)[:, 1].max() for _, features in stack])


def auc_draws(labels: np.ndarray, scores: np.ndarray, draws: int = 2000) -> np.ndarray:
    """AUC of the patients themselves, then of resamples: how often does a sick patient score higher than a healthy one?"""
    sick, healthy = scores[labels == 1][:, None], scores[labels == 0]
    wins = (sick > healthy) + 0.5 * (sick == healthy)
    times = np.random.default_rng(0).multinomial(len(labels), np.full(len(labels), 1 / len(labels)), draws)  # how often each patient is drawn
    times = np.vstack([np.ones(len(labels)), times])
    a, b = times[:, labels == 1], times[:, labels == 0]
    return ((a @ wins) * b).sum(1) / (a.sum(1) * b.sum(1))


aucs = {name: auc_draws(tumour[in_test], scores[in_test]) for name, scores in probability.items()}
aucs["gain by TV"] = aucs["low dose, TV"] - aucs["low dose, FBP"]  # the same resamples, so patient by patient
auc = {name: (float(values[0]), *np.percentile(values, [2.5, 97.5])) for name, values in aucs.items()}
fig, ax = plt.subplots(figsize=(5.4, 4.6), layout="constrained")
for (name, scores), color, dash in zip(probability.items(), show.PALETTE, ["-", ":", "--"], strict=False):
    fpr, tpr, _ = roc_curve(tumour[in_test], scores[in_test])
    value, low, high = auc[name]
    ax.plot(fpr, tpr, dash, color=color, linewidth=2, label=f"{name}: AUC {value:.2f} [{low:.2f}, {high:.2f}]")
ax.plot([0, 1], [0, 1], color="0.7", linewidth=1)
ax.set(xlabel="false-positive rate (healthy called back)", ylabel="sensitivity (sick found)", title=f"{in_test.sum()} test patients")
ax.legend(loc="lower right", fontsize=9)
print("AUC gained by denoising: {:+.3f} [{:+.3f}, {:+.3f}]".format(*auc["gain by TV"]))
show.figure(fig, alt="ROC curves of the detector on noise-free, low-dose and denoised low-dose slices, with their areas and intervals")

# %% [markdown]
# No, then: compare the PSNR above with the AUC here. Denoising improves the pictures by about 8 dB, and the detector gains nothing that
# these patients could prove. The blob filter already averages the noise away over the size of a tumour. And total variation flattens small things
# most, which are the very things you look for. **A stage is judged by what the next stage can do with it**, not by its own score.

# %% tags=["demo"]
from matplotlib.patheffects import withStroke

view = "low dose, TV"
dark_edge = [withStroke(linewidth=3, foreground="black")]  # marks are seen on every grey
small = patients.index[in_test & (tumour == 1) & patients.diameter.between(8, 14)]
examples = small[np.argsort(probability[view][small])[[-1, 0]]]  # one that is found, one that is missed
fig, axes = plt.subplots(1, 3, figsize=(12, 4.0), layout="constrained")
pictures = [("no noise", examples[0]), (view, examples[0]), (view, examples[1])]
for ax, (name, k) in zip(axes, pictures, strict=True):
    ax.imshow(ct_images[name][k], vmin=-1000, vmax=300)
    if name == view:
        ax.plot(*found[view][k][0].T[::-1], "o", markerfacecolor="none", markeredgecolor=show.PALETTE[5], markersize=12, path_effects=dark_edge, label="candidates")
    ax.plot(*centres[k][::-1], "s", markerfacecolor="none", markeredgecolor=show.PALETTE[1], markersize=18, path_effects=dark_edge, label="tumour (planted)")
    ax.set_title(f"{name}, {patients.diameter[k]:.0f} mm tumour, score {probability[name][k]:.2f}", fontsize=10)
    ax.set_axis_off()
axes[1].legend(loc="lower left", fontsize=9, labelcolor="white", labelspacing=1.1)
show.figure(fig, alt="A patient whose tumour the detector finds, without and with noise, and a patient whose tumour is missed; candidates are circled, the planted tumour has a square")

# %% [markdown]
# #### From scores to decisions
#
# A score helps nobody; a decision does. Call the patient back when the score is at least $t$. Two things can go wrong, and they cost
# differently:
#
# $$C(t) = \pi\, c_{\mathrm{miss}}\, \mathrm{FNR}(t) + (1-\pi)\, c_{\mathrm{alarm}}\, \mathrm{FPR}(t)$$
#
# $\pi$ is the **prevalence**, the share of sick patients in *your clinic*. $\mathrm{FNR}$ is the share of sick patients that are missed,
# $\mathrm{FPR}$ the share of healthy patients that are called back. In our clinic, $\pi = 10\,\%$; a false alarm costs one further scan,
# and we hold a missed tumour to be as bad as 20 needless scans.
#
# **Predict before you run.** Half of the patients that the detector was trained on were sick. Most software calls a patient sick from 0.5
# on. For our clinic, is the best threshold higher or lower than 0.5?

# %% tags=["demo"]
import ipywidgets

PREVALENCE, MISS, ALARM = 0.10, 20.0, 1.0
score = probability[view]


def draw_threshold(threshold: float, prevalence: float):
    """Validation scores of sick and healthy patients, cut by a threshold, with the cost of that cut."""
    missed = np.mean(score[in_val & (tumour == 1)] < threshold)
    alarmed = np.mean(score[in_val & (tumour == 0)] >= threshold)
    cost = prevalence * MISS * missed + (1 - prevalence) * ALARM * alarmed
    fig, axes = plt.subplots(2, 1, figsize=(7, 3.8), sharex=True, layout="constrained")
    for ax, kind, name, color in zip(axes, (1, 0), ("sick", "healthy"), (show.PALETTE[3], show.PALETTE[0]), strict=True):
        ax.hist(score[in_val & (tumour == kind)], bins=np.linspace(0, 1, 31), color=color)
        ax.axvline(threshold, color="black", linewidth=2)
        ax.set_ylabel(f"{name} patients")
    axes[0].set_title(f"missed {missed:.0%} of the sick, called back {alarmed:.0%} of the healthy: {cost:.2f} scans a patient", fontsize=10)
    axes[1].set_xlabel("score; right of the line: called back (validation)")
    return fig


show.explore(
    draw_threshold,
    threshold=ipywidgets.FloatSlider(value=0.5, min=0, max=1, step=0.02, description="threshold", continuous_update=False),
    prevalence=ipywidgets.FloatSlider(value=PREVALENCE, min=0.005, max=0.5, step=0.005, description="prevalence", continuous_update=False),
    alt="Histograms of the scores of sick and of healthy validation patients with the threshold at 0.5, and the cost of this threshold",
)

# %% [markdown]
# ### Exercise 0.1c - the threshold that costs least
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can set an operating point for a clinic, and report its cost honestly*
#
# Write `operating_point(...)`. It gets the detector's scores on validation and on test patients. It returns the threshold $t$ that
# minimises the expected cost $C(t)$, and what that threshold then costs on the test patients.
#
# A patient is called back when `score >= t`. The rates $\mathrm{FNR}$ and $\mathrm{FPR}$ come from the data; the prevalence $\pi$ comes
# from the clinic, which has far fewer sick people than your data set. "Call nobody back" is an option as well: that is `t = inf`.
#
# <details><summary>Hint 1: the idea</summary>Only finitely many thresholds make a difference: each distinct validation score, and infinity.
# Compute the cost of each, then take the smallest.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.unique(scores)</code> gives sorted candidates, <code>numpy.append(..., numpy.inf)</code>
# adds the last. <code>numpy.mean(scores[labels == 1] &lt; t)</code> is the miss rate.</details>
# <details><summary>My threshold moves when the test labels change</summary>Then the test set has been used to choose it, and its cost is no longer an
# honest forecast.</details>
# <details><summary>My threshold does not move with the prevalence</summary>Errors counted over the whole data set carry the data set's own share of sick
# patients. Take the two rates apart, then weight them by $\pi$ and $1 - \pi$.</details>

# %% nbgrader={"grade": false, "grade_id": "operating-point", "locked": false, "schema_version": 3, "solution": true, "task": false}
def operating_point(
    val_scores: np.ndarray,
    val_labels: np.ndarray,
    test_scores: np.ndarray,
    test_labels: np.ndarray,
    prevalence: float,
    cost_miss: float,
    cost_false_alarm: float,
) -> tuple[float, float]:
    """Choose the cheapest threshold on validation, and report what it costs on test.

    Args:
        val_scores, test_scores: (N,) and (M,), higher is more suspicious. A patient is called back when score >= threshold.
        val_labels, test_labels: (N,) and (M,) integers, 1 sick and 0 healthy.
        prevalence: share of sick patients in the clinic, between 0 and 1.
        cost_miss, cost_false_alarm: cost of one missed sick patient and of one healthy patient called back.

    Returns:
        The threshold (a number, or inf to call nobody), and the expected cost per patient on test at that threshold:
        prevalence * cost_miss * FNR + (1 - prevalence) * cost_false_alarm * FPR.
        If several thresholds (inf among them) cost the same (up to rounding) on validation: the highest, which troubles the fewest patients.
        A number between this threshold and the next lower score decides alike on validation, and is accepted; for "nobody" only inf is.

    Raises:
        ValueError: a set has no sick or no healthy patient, so that a rate does not exist.
    """
    ### BEGIN SOLUTION
    for name, labels in (("validation", val_labels), ("test", test_labels)):
        if not (labels == 1).any() or not (labels == 0).any():
            raise ValueError(f"the {name} set needs at least one sick and one healthy patient")

    def cost(threshold, scores, labels):
        missed = np.mean(scores[labels == 1] < threshold)
        alarmed = np.mean(scores[labels == 0] >= threshold)
        return prevalence * cost_miss * missed + (1 - prevalence) * cost_false_alarm * alarmed

    candidates = np.append(np.unique(val_scores), np.inf)
    costs = np.array([cost(t, val_scores, val_labels) for t in candidates])
    cheapest = np.flatnonzero(costs <= costs.min() + 1e-12)
    threshold = candidates[cheapest[-1]]
    return float(threshold), float(cost(threshold, test_scores, test_labels))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "operating-point-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Small enough for paper: at t = 0.4 no sick patient is missed and one of four healthy ones is called back (a score need not be a probability)
scores = np.array([0.1, 0.2, 0.3, 0.5, 0.4, 0.6, 0.8, 90.0])
labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
answer = operating_point(scores, labels, scores, labels, 0.1, 20, 1)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two numbers: the threshold, and its cost on the test patients"
t, cost = float(answer[0]), float(answer[1])
assert not t > 0.4, f"a miss costs twenty times a false alarm, but at {t:.3g} you miss a patient. Are the two costs swapped, or is not every score a candidate?"
assert 0.3 < t <= 0.4, f"the cheapest decisions call back everybody from 0.4 on, but your threshold is {t:.3g}"
assert not np.isclose(cost, 0.125), "0.125 would be right if half the patients were sick, as in this data set: weight by the clinic's prevalence"
assert np.isclose(cost, 0.225), f"0.1 x 20 x 0 + 0.9 x 1 x 1/4 = 0.225, but you report {cost:.4g}"
### BEGIN HIDDEN TESTS
def price(t, scores, labels, prevalence, miss, alarm):
    return prevalence * miss * np.mean(scores[labels == 1] < t) + (1 - prevalence) * alarm * np.mean(scores[labels == 0] >= t)


for seed in range(6):
    rng = np.random.default_rng(seed)
    labels = (rng.random(80) < 0.4).astype(int)
    scores = np.round(rng.normal(labels * 1.2, 1), 1)
    prevalence, miss, alarm = rng.uniform(0.05, 0.6), rng.uniform(2, 20), rng.uniform(0.5, 2)

    best = min(price(t, scores, labels, prevalence, miss, alarm) for t in [*scores, np.inf])
    t, cost = operating_point(scores, labels, scores, labels, prevalence, miss, alarm)
    assert price(t, scores, labels, prevalence, miss, alarm) <= best + 1e-9, "there is a cheaper threshold on random scores"
    assert np.isclose(cost, price(t, scores, labels, prevalence, miss, alarm)), "the cost reported for a random set is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "operating-point-prevalence", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Same detector, other clinic: with few sick people, false alarms dominate and the threshold must rise
rng = np.random.default_rng(2)
labels = np.repeat([0, 1], 200)
scores = rng.normal(1.5 * labels, 1)
often, seldom = (float(operating_point(scores, labels, scores, labels, share, 10, 1)[0]) for share in (0.5, 0.02))
assert seldom > often, f"threshold {often:.3g} at 50 % sick, {seldom:.3g} at 2 %: the prevalence of the clinic has no effect, or the wrong one"
assert np.mean(scores[labels == 1] >= often) > 0.9, "where every second patient is sick and misses cost ten times as much, miss few"
fooled, truth = np.append(scores, scores.max() + 1), np.append(labels, 0)  # a healthy patient has the highest score
nobody, cost = operating_point(fooled, truth, fooled + 5, truth, 1e-5, 10, 1)  # and on test all scores are higher
assert nobody > fooled.max(), "when almost nobody is sick, calling nobody back is cheapest: that threshold must be possible"
assert np.isclose(cost, 1e-4), f"'call nobody back' must hold for any score on test: t = inf, and cost 1e-5 x 10 = 0.0001, but you report {cost:.3g}"
### BEGIN HIDDEN TESTS
nobody, cost = operating_point(fooled, truth, fooled, truth, 1e-6, 10, 1)
assert nobody > fooled.max() and np.isclose(cost, 1e-5), "calling nobody back costs prevalence x cost of a miss"
few = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:20]])  # other mix of patients, same rates by repetition
many = np.concatenate([few[:200], np.repeat(few[200:], 10)])
one, other = (operating_point(scores[k], labels[k], scores[k], labels[k], 0.1, 8, 1) for k in (few, many))
assert np.isclose(one[0], other[0]) and np.isclose(one[1], other[1]), "the share of sick patients in the data set must not matter, only the clinic's"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "operating-point-honest", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The test set is for reporting only: whatever it holds, the threshold stays where validation put it
rng = np.random.default_rng(4)
val_labels, test_labels = np.tile([0, 1], 30), np.tile([0, 1], 25)
val_scores, test_scores = rng.normal(val_labels, 1), rng.normal(test_labels, 1) + 0.7  # another scanner: all scores are higher
t, cost = operating_point(val_scores, val_labels, test_scores, test_labels, 0.3, 5, 1)
t_other, cost_other = operating_point(val_scores, val_labels, test_scores, 1 - test_labels, 0.3, 5, 1)
assert np.isclose(t, t_other), f"the threshold moved from {t:.3g} to {t_other:.3g} when only test labels changed: it was chosen on the test set"
assert not np.isclose(cost, cost_other), "other test labels, but the same cost: report the cost on the test patients, not on validation"
### BEGIN HIDDEN TESTS
def price(t, scores, labels):
    return 0.25 * 6 * np.mean(scores[labels == 1] < t) + 0.75 * np.mean(scores[labels == 0] >= t)


for seed in range(5):
    rng = np.random.default_rng(100 + seed)
    val_scores, test_scores = rng.normal(val_labels, 1), rng.normal(test_labels, 1) + rng.normal()
    t, cost = operating_point(val_scores, val_labels, test_scores, test_labels, 0.25, 6, 1)

    assert price(t, val_scores, val_labels) <= min(price(s, val_scores, val_labels) for s in [*val_scores, np.inf]) + 1e-9, (
        "the threshold is not the cheapest one on validation: other data took part in the choice"
    )
    assert np.isclose(cost, price(t, test_scores, test_labels)), "the cost is not that of the threshold on the test patients"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "operating-point-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Ties go to the higher threshold; a set without sick patients has no miss rate
scores, labels = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 1, 0, 1])
t, cost = operating_point(scores, labels, scores, labels, 0.5, 1, 1)  # from 2 on, and from 4 on: both cost 0.25
assert np.isclose(cost, 0.25), f"the best cost here is 0.25, you report {cost:.4g}"
assert 3 < t <= 4, f"thresholds 2 and 4 cost the same, take the higher: fewer people are called back. Yours is {t:.3g}"
try:
    operating_point(scores, np.zeros(4, int), scores, labels, 0.5, 1, 1)
except ValueError:
    pass
else:
    raise AssertionError("validation patients who are all healthy say nothing about misses: raise ValueError")
### BEGIN HIDDEN TESTS
same = np.array([2.0, 2.0, 2.0, 2.0])  # every patient scores the same: all or nobody
t, cost = operating_point(same, labels, same, labels, 0.5, 1, 1)
assert t > 2 and np.isclose(cost, 0.5), "with equal scores and equal costs, nobody is called back"
for bad in [(scores, np.ones(4, int), scores, labels), (scores, labels, scores, np.zeros(4, int)), (scores, labels, scores, np.ones(4, int))]:
    try:
        operating_point(*bad, 0.5, 1, 1)
    except ValueError:
        pass
    else:
        raise AssertionError("a set without sick or without healthy patients must raise ValueError, be it validation or test")
### END HIDDEN TESTS

# %% [markdown]
# Now the same on our cohort, by scikit-learn's ROC curve. The threshold comes from the validation patients; the test patients only say what
# it costs. For comparison: the habitual 0.5, calling everybody back, and calling nobody.

# %% tags=["demo"]
def costs_by_threshold(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds and their cost a patient, among the patients chosen by a mask."""
    fpr, tpr, thresholds = roc_curve(tumour[part], score[part], drop_intermediate=False)
    return thresholds, PREVALENCE * MISS * (1 - tpr) + (1 - PREVALENCE) * ALARM * fpr


def test_costs(threshold: float, picks: np.ndarray) -> np.ndarray:
    """Cost a patient in each resample of the test patients; `picks` (draws, n) indexes them."""
    sick, called = tumour[in_test][picks] == 1, score[in_test][picks] >= threshold
    fnr, fpr = (sick & ~called).sum(1) / sick.sum(1), (~sick & called).sum(1) / (~sick).sum(1)
    return PREVALENCE * MISS * fnr + (1 - PREVALENCE) * ALARM * fpr


thresholds, val_costs = costs_by_threshold(in_val)
chosen = float(thresholds[np.argmin(val_costs)])
once = np.arange(in_test.sum())[None]
picks = np.random.default_rng(0).integers(0, in_test.sum(), (2000, in_test.sum()))
policies = {"chosen on validation": chosen, "0.5 by habit": 0.5, "call everybody": 0.0, "call nobody": np.inf}
policy_cost = {name: float(test_costs(t, once)[0]) for name, t in policies.items()}
cost_interval = {name: np.percentile(test_costs(t, picks), [2.5, 97.5]) for name, t in policies.items()}

fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.8), layout="constrained", width_ratios=[1.2, 1])
for part, name, color, dash in [(in_val, "validation", show.PALETTE[1], "--"), (in_test, "test", show.PALETTE[0], "-")]:
    t, c = costs_by_threshold(part)
    left.step(t[1:], c[1:], color=color, linestyle=dash, where="pre", label=name)
left.axvline(chosen, color="black", linewidth=1)
left.annotate(f" chosen: {chosen:.2f}", (chosen, left.get_ylim()[1] * 0.93))
left.set(xlabel="threshold", ylabel="cost (scans a patient)")
left.legend()
for place, name in enumerate(policies):
    low, high = cost_interval[name]
    right.barh(place, policy_cost[name], color=show.PALETTE[place])
    right.plot([low, high], [place, place], color="black", linewidth=2)
    right.annotate(f" {policy_cost[name]:.2f}", (max(high, policy_cost[name]), place), va="center")
right.set_yticks(range(4), list(policies))
right.invert_yaxis()
right.set(xlabel="cost on test (scans a patient), 95 % interval", xlim=(0, 2.4))
show.figure(fig, alt="Cost over the threshold for validation and test patients, and the test cost of four policies; the threshold from validation is cheapest")
# %% [markdown]
# Lower, then: the best threshold lies far *below* 0.5. Weighted by what they cost and how often they occur, misses count
# $\pi\, c_{\mathrm{miss}} = 2$ and false alarms $(1-\pi)\, c_{\mathrm{alarm}} = 0.9$; the detector's 0.5 knows neither number. With the 900
# patients of `laptop` it costs 0.98: more than calling everybody back (0.90) without looking at a single image.

# %% [markdown]
# **Checkpoint.** Somebody chooses the threshold on the test patients and reports a cost of 0.05 scans less than you. Did they find a better
# threshold?
#
# <details><summary>Answer</summary>No: they found the threshold that fits the accidents of these few test patients, and scored it on the same accidents. At the next hospital, expect nothing of the gain. Look at the figure: the two curves differ although both groups come from one clinic, because each is
# made of few patients.</details>

# %% [markdown]
# ### p5 - Treatment and prognosis: how long?
#
# All patients with a tumour are treated and followed up. Half of them, at random, get a new treatment. The study ends after five years, and
# by then some are still alive, and some have moved away. For these you know only that they lived *at least* so long. They are **censored**.
# What to do with them?
#
# The **Kaplan-Meier** estimate (Kaplan and Meier 1958) goes from death to death. At each time $t_i$ with $d_i$ deaths, $n_i$ patients were
# still under observation just before:
#
# $$\hat{S}(t) = \prod_{t_i \le t} \Big(1 - \frac{d_i}{n_i}\Big)$$
#
# A censored patient counts in $n_i$ as long as he or she is under observation, and never in $d_i$.
#
# In our cohort the truth is planted, and here it is. Each patient's risk of dying in the next month, the **hazard**, is multiplied by these
# ratios:

# %% tags=["demo"]
HAZARD_RATIOS = {"diameter_10mm": 2.0, "age_10y": 1.4, "new_treatment": 0.5}  # per 10 mm, per 10 years, new against standard treatment

rng = np.random.default_rng(SEED + 1)
sick = patients[patients.tumour == 1]
truth = pd.DataFrame(
    {
        "diameter_10mm": (sick.diameter - 15) / 10,
        "age_10y": (sick.age - 66) / 10,
        "new_treatment": rng.permutation(np.arange(len(sick)) % 2),
    }
)
log_hazard = truth @ np.log([HAZARD_RATIOS[name] for name in truth.columns])
death = 30 * (rng.exponential(size=len(sick)) / np.exp(log_hazard)) ** (1 / 1.3)  # months; power 1 / 1.3 (a Weibull distribution): the hazard rises with time
leaves = np.minimum(60, rng.exponential(120, len(sick)))  # end of the study, or moved away
follow_up = truth.assign(months=np.minimum(death, leaves), died=(death <= leaves).astype(int))
print(f"{len(sick)} patients, {follow_up.died.sum()} died under observation, {1 - follow_up.died.mean():.0%} censored")

# %% [markdown]
# **Predict before you run.** Two impatient colleagues draw the survival curve without Kaplan and Meier. One counts the censored as dead on
# the day they left. The other drops them. Whose curve is too low? The first one's, the second one's, or both?

# %% tags=["demo"]
from lifelines import KaplanMeierFitter
from lifelines.plotting import add_at_risk_counts

grid = np.linspace(0, 60, 400)
fig, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.4), layout="constrained")
died = follow_up.died == 1
curves = {
    "Kaplan-Meier": KaplanMeierFitter().fit(follow_up.months, follow_up.died),
    "censored counted as dead": KaplanMeierFitter().fit(follow_up.months),
    "censored dropped": KaplanMeierFitter().fit(follow_up.months[died]),
}
for (name, curve), color, dash in zip(curves.items(), show.PALETTE, ["-", "--", ":"], strict=False):
    left.step(grid, curve.survival_function_at_times(grid), dash, color=color, where="post", linewidth=2, label=name)
everybody = np.sort(death)  # the truth, which no study ever sees: the deaths after the study as well
left.step(everybody, 1 - np.arange(1, len(death) + 1) / len(death), color="0.75", where="post", linewidth=5, zorder=0, label="truth (nobody lost)")
left.set(xlim=(0, 60), ylim=(0, 1), xlabel="months", ylabel="share alive", title="Three estimates of one cohort")
left.legend(fontsize=9)
arms = []
for arm, name, color, dash in [(0, "standard", show.PALETTE[3], "-"), (1, "new", show.PALETTE[2], "--")]:
    part = follow_up[follow_up.new_treatment == arm]
    arms.append(KaplanMeierFitter(label=f"{name} treatment").fit(part.months, part.died))
    arms[-1].plot_survival_function(ax=right, color=color, linestyle=dash, show_censors=True, censor_styles={"ms": 5, "marker": "|"})
right.set(xlim=(0, 60), ylim=(0, 1), xlabel="months", ylabel="share alive", title="By treatment (ticks: censored; bands: 95 %)")
add_at_risk_counts(*arms, ax=right, rows_to_show=["At risk"], xticks=[0, 20, 40, 60])
show.figure(fig, alt="Left: Kaplan-Meier follows the truth, two naive curves fall below it. Right: survival under new and standard treatment with numbers at risk")

# %% [markdown]
# Both colleagues are too low. The first invents deaths. The second keeps only patients who died, and of course these die; those who live
# long are the ones who are censored, and leaving them out leaves out the good news. Kaplan-Meier stays near the broad grey curve, which in a real
# study nobody ever sees.

# %% [markdown]
# ### Exercise 0.1d - Kaplan-Meier with censoring
#
# Difficulty 3 of 5 - 4 points - about 12 minutes - *after it you can read and draw the figure that decides most cancer trials*
#
# Write `kaplan_meier(time, event)`. Work through the five patients of the toy check on paper first.
#
# <details><summary>Hint 1: the idea</summary>Go from death to death. At each: who was still under observation just before? Which part of them survived it?</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.unique(time[event == 1])</code> gives the distinct times of death in order;
# <code>numpy.cumprod</code> multiplies the survived parts.</details>
# <details><summary>My curve falls too fast</summary>Do censored patients make it fall? They left alive. They only shrink the group that is left.</details>
# <details><summary>My curve falls too slowly</summary>Is the number at risk still falling? A patient who died or left is no longer at risk.</details>
# <details><summary>Only the check with equal times fails</summary>A patient who is censored at 12 months was seen alive at 12 months, so is still at
# risk for a death at 12 months.</details>

# %% nbgrader={"grade": false, "grade_id": "kaplan-meier", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kaplan-Meier estimate of the survival function.

    Args:
        time: (N,) months from diagnosis to death or to the last visit, at least 0, in any order.
        event: (N,) 1 if the patient died at `time`, 0 if censored (alive at `time`, unknown after). Neither array is changed.

    Returns:
        The K distinct times of death, ascending, and the K survival probabilities just after each. Both empty if nobody died.

    Raises:
        ValueError: the two arrays differ in length, or a time is negative.
    """
    ### BEGIN SOLUTION
    time, event = np.asarray(time, dtype=float), np.asarray(event)
    if time.shape != event.shape:
        raise ValueError(f"{len(time)} times but {len(event)} events")
    if (time < 0).any():
        raise ValueError("a time is negative: follow-up can't end before it begins")
    deaths = np.unique(time[event == 1])
    survived = [1 - np.sum((time == t) & (event == 1)) / np.sum(time >= t) for t in deaths]
    return deaths, np.cumprod(survived)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "kaplan-meier-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Five patients on paper: deaths at 2, 5, 9 months, two patients lost at 4 and 10 -> 4/5, 4/5 x 2/3, 4/5 x 2/3 x 1/2
answer = kaplan_meier(np.array([2.0, 4.0, 5.0, 9.0, 10.0]), np.array([1, 0, 1, 1, 0]))
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two arrays: the times of death, and the survival just after each"
times, survival = (np.asarray(part, dtype=float) for part in answer)
assert not (survival.shape == (3,) and np.allclose(survival, [2 / 3, 1 / 3, 0], atol=1e-6)), "censored patients are left out: they were at risk until then"
assert times.size < 5, "your curve has a step for every patient: censored patients are not deaths"
assert times.shape == (3,), f"three patients died, so three times, but you return {times.size}. The curve has no step where somebody is censored"
assert np.allclose(times, [2, 5, 9]), f"deaths happen at 2, 5 and 9 months, you return {times}"
assert survival.shape == (3,), f"three steps, so three probabilities, but yours have shape {survival.shape}"
assert np.allclose(survival, [0.8, 0.8 * 2 / 3, 0.8 / 3], atol=1e-6), f"expected 0.8, 0.533, 0.267, got {np.round(survival, 3)}. Who is still at risk?"
### BEGIN HIDDEN TESTS
for seed in range(5):
    rng = np.random.default_rng(seed)
    time, event = rng.exponential(20, 40), (rng.random(40) < 0.6).astype(int)
    times, survival = kaplan_meier(time, event)
    product, expected = 1.0, []
    for number, k in enumerate(np.argsort(time)):
        if event[k]:
            product *= 1 - 1 / (40 - number)
            expected.append(product)
    assert np.allclose(times, np.sort(time[event == 1])), "the times of death are off on random patients"
    assert np.allclose(survival, expected, atol=1e-6), "the survival is off on random patients"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "kaplan-meier-censoring", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What censoring does: nothing at the moment itself, but later deaths weigh more
full = np.asarray(kaplan_meier(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 1, 1, 1]))[1])
assert full.shape == (4,) and np.allclose(full, [0.75, 0.5, 0.25, 0]), "with nobody censored, survival is simply the share still alive: 0.75, 0.5, 0.25, 0"
lost = np.asarray(kaplan_meier(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 0, 1, 1]))[1])
assert lost.shape == (3,), "a censored patient makes no step in the curve: censored patients are not deaths"
assert np.allclose(lost, [0.75, 0.375, 0]), f"one of four is lost at 2 months: expected 0.75, 0.375, 0, got {np.round(lost, 3)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(8)
time = rng.exponential(10, 60)
event = (rng.random(60) < 0.7).astype(int)
times, survival = kaplan_meier(time, event)
late = np.append(time, np.full(20, time.max() + 1)), np.append(event, np.zeros(20, int))
more = np.asarray(kaplan_meier(*late)[1])
assert np.all(more > np.asarray(survival) + 1e-6), "patients who stay alive to the end must raise the curve: are they left out?"
early = np.append(time, np.zeros(20)), np.append(event, np.zeros(20, int))
same = np.asarray(kaplan_meier(*early)[1])
assert np.allclose(same, survival), "patients lost before the first death tell nothing: the curve must not change"
months, days = kaplan_meier(time, event), kaplan_meier(time * 30.4, event)
assert np.allclose(months[1], days[1]) and np.allclose(np.asarray(months[0]) * 30.4, days[0]), "days for months must only stretch the axis"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "kaplan-meier-ties", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Visits are monthly, so times coincide: two deaths in one month are one step, and who is censored that month is still at risk
months = np.array([6.0, 3.0, 6.0, 6.0, 9.0])
times, survival = (np.asarray(part, dtype=float) for part in kaplan_meier(months, np.array([1, 1, 0, 1, 0])))
assert np.array_equal(months, [6, 3, 6, 6, 9]), "you have sorted the caller's array: its rows no longer belong to the patients they belonged to. Sort a copy"
assert times.shape == (2,), f"deaths at 3 and twice at 6 months are two steps, but you return {times.size}. Take distinct times"
assert np.all(np.diff(times) > 0), "the times must ascend, whatever the order of the patients"
assert np.isclose(survival[0], 0.8), f"at 3 months one of five dies, and who dies was at risk as well: 1 - 1/5 = 0.8, but you say {survival[0]:.3g}"
assert np.allclose(survival, [0.8, 0.4], atol=1e-6), (
    f"expected 0.8, then 0.8 x (1 - 2/4) = 0.4, got {np.round(survival, 3)}. The patient censored at 6 months was alive then: still at risk"
)
### BEGIN HIDDEN TESTS
for seed in range(5):
    rng = np.random.default_rng(50 + seed)
    time, event = rng.integers(1, 9, 50).astype(float), (rng.random(50) < 0.5).astype(int)
    times, survival = kaplan_meier(time, event)
    product, expected = 1.0, []
    for month in range(1, 9):
        died, left = int(((time == month) & (event == 1)).sum()), int((time < month).sum())
        if died:
            product *= (50 - left - died) / (50 - left)
            expected.append(product)
    assert np.shape(survival) == (len(expected),) and np.allclose(survival, expected, atol=1e-6), "the survival is off when times coincide"
    order = rng.permutation(50)
    assert np.allclose(kaplan_meier(time[order], event[order])[1], expected, atol=1e-6), "the order of the patients must not matter"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "kaplan-meier-edges", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A young cohort in which nobody has died yet; and a table with an impossible follow-up
times, survival = kaplan_meier(np.array([3.0, 8.0]), np.array([1, 0]))
assert np.allclose(survival, [0.5]), f"one of two patients died: survival is 0.5, got {survival}"
times, survival = kaplan_meier(np.array([3.0, 8.0]), np.array([0, 0]))
assert np.size(times) == 0 and np.size(survival) == 0, "nobody died, so the curve has no step: return two empty arrays"
try:
    kaplan_meier(np.array([3.0, -8.0]), np.array([1, 0]))
except ValueError:
    pass
else:
    raise AssertionError("a negative follow-up is a mistake in the table: raise ValueError")
### BEGIN HIDDEN TESTS
try:
    kaplan_meier(np.array([3.0, 8.0, 9.0]), np.array([1, 0]))
except ValueError:
    pass
else:
    raise AssertionError("three times and two events must raise ValueError")
times, survival = kaplan_meier(np.array([0.0, 5.0, 5.0, 7.0]), np.array([1, 1, 0, 1]))
assert np.allclose(times, [0, 5, 7]) and np.allclose(survival, [0.75, 0.5, 0]), "a death on the first day counts"
### END HIDDEN TESTS

# %% [markdown]
# #### Several influences at once: the Cox model
#
# Kaplan-Meier compares groups. But large tumours are more dangerous, the old die sooner, and a treatment works on top of both. The **Cox
# model** (Cox 1972) writes the hazard as
#
# $$h(t \mid x) = h_0(t)\, \exp\!\big(\beta^\top x\big)$$
#
# with an unknown common course $h_0$, and a **hazard ratio** $e^{\beta_j}$ for each influence: how many times higher the risk at any moment
# is, if $x_j$ is one unit higher and all else is equal. It is judged by the **C-index**: of two patients, how often does the one with the
# higher predicted risk die first? 0.5 is a coin, 1 is perfect.
#
# Now close the loop. A hospital does not know the planted diameter; it *measures* it, in the image, at the place where a reader clicks on
# the tumour.
#
# **Predict before you run.** The ruler is laid on three images: without noise, the grainy FBP, the clean TV. On which does it err most? And
# the hazard ratio of the measured diameter: is it pulled towards 1, away from 1, or is it only less certain?

# %% tags=["demo"]
from lifelines import CoxPHFitter
from skimage.measure import label


def measured_diameter(image: np.ndarray, centre: tuple[float, float]) -> float:
    """Diameter in mm of the bright region at `centre`, at half its height above the lung: what a reader's click and a ruler give."""
    row, column = np.round(centre).astype(int)
    rows, columns = np.indices(image.shape)
    near = SPACING * np.hypot(rows - row, columns - column)  # mm from the click
    peak = np.where(near < 5, image, -1000)
    region = label((near < 20) & (image > (peak.max() - 850) / 2), connectivity=1)  # healthy lung is about -850 HU
    region = region == region.flat[peak.argmax()]
    return 2 * SPACING * float(np.sqrt(region.sum() / np.pi))


models = {"planted": CoxPHFitter().fit(follow_up, "months", "died")}
tables, true_mm = {}, {}
for name, stack in ct_images.items():
    measured = np.array([measured_diameter(stack[k], centres[k]) for k in sick.index])
    tables[name] = follow_up.assign(diameter_10mm=(measured - 15) / 10)
    models[name] = CoxPHFitter().fit(tables[name], "months", "died")
    error = measured - sick.diameter
    true_mm[name] = 10 * np.polyfit(measured, sick.diameter, 1)[0]  # slope of the truth over the measurement
    small = error[sick.diameter < 10].mean()
    print(f"{name:<13}: error {error.mean():+.1f} mm (SD {error.std():.1f}), below 10 mm {small:+.1f}; 10 mm more on the ruler are {true_mm[name]:.1f} mm in truth")

# %% tags=["demo"]
names_shown = {"diameter_10mm": "diameter, + 10 mm", "age_10y": "age, + 10 years", "new_treatment": "new treatment"}
fig, ax = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
for place, name in enumerate(names_shown):
    for shift, (source, model), color, mark in zip((-0.24, -0.08, 0.08, 0.24), models.items(), show.PALETTE, "osD^", strict=False):
        row = model.summary.loc[name]
        ax.plot([row["exp(coef) lower 95%"], row["exp(coef) upper 95%"]], [place + shift] * 2, color=color, linewidth=2)
        ax.plot(row["exp(coef)"], place + shift, mark, color=color, label=f"diameter {source if source == 'planted' else 'measured, ' + source}" if place == 0 else None)
    ax.plot(HAZARD_RATIOS[name], place - 0.4, "v", color="black", markersize=8, markerfacecolor="none", label="planted truth" if place == 0 else None)
ax.axvline(1, color="0.6", linewidth=1)
ax.set_yticks(range(3), list(names_shown.values()))
ax.invert_yaxis()
ax.set(xscale="log", xlabel="hazard ratio with 95 % interval (log scale); right of 1: dies sooner", xlim=(0.2, 6))
ax.set_xticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
ax.minorticks_off()
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
show.figure(fig, alt="Forest plot: estimated hazard ratios of diameter, age and treatment with intervals, beside the planted truth, for the planted diameter and for diameters measured in three images")

# %% [markdown]
# With the planted diameter, the estimates lie about the planted truth. Look also at how *wide* the intervals are: the patients say that the
# treatment helps, but hardly how much.
#
# For the measured diameters, one step at a time: what does the *dose* change, and what the *denoiser*? To tell it from chance, redraw the
# patients, and fit each model to the same redrawn patients.

# %% tags=["demo"]
def paired_steps(draws: int) -> dict[str, np.ndarray]:
    """Factor by which each step multiplies the hazard ratio of 10 mm, with its 95 % bootstrap interval over patients."""
    rng = np.random.default_rng(0)
    picks = [np.arange(len(sick)), *rng.integers(0, len(sick), (draws, len(sick)))]
    logs = np.array([[CoxPHFitter().fit(table.iloc[k], "months", "died").params_["diameter_10mm"] for table in tables.values()] for k in picks])
    factors = np.exp(np.diff(logs, axis=1))  # no noise -> FBP, FBP -> TV
    return {step: np.array([f[0], *np.percentile(f[1:], [2.5, 97.5])]) for step, f in zip(("dose", "denoiser"), factors.T, strict=True)}


steps = paired_steps(run.pick(ci=40, laptop=200, gpu=500))
for step, values in steps.items():
    print("the {} multiplies the hazard ratio by {:.2f} [{:.2f}, {:.2f}]".format(step, *values))
print(f"from {len(sick)} patients with a tumour")

# %% [markdown]
# Did you blame the dose? It is not the culprit. On FBP, with a hundredth of the photons, two errors nearly cancel. The ruler scatters by 2
# to 3 mm from patient to patient, which makes its millimetres worth less; and it measures large tumours too small, which makes them worth
# more. So 10 mm more on it still mean about 10 mm more in truth. After TV, in the picture that is 8 dB *better*, they mean only about 7. TV
# flattens small bright things: for some of them the ruler finds no border at half their height and runs on into the surroundings, for
# others it finds one. Now the error scatters by nearly 5 mm, and a ruler that scatters more says less about the truth. The model counts
# the ruler's millimetres, and $2^{0.7} \approx 1.6$. A hazard ratio that is pulled towards 1 by random error in an influence suffers from
# **regression dilution**. (That small tumours measure too large on average only squeezes the scale; alone it would push the ratio the
# other way.)
#
# How sure is that? With 450 patients (profile `laptop`) the denoiser's factor is 0.66 [0.52, 0.83], so it is more than chance. The dose's is
# 1.20 [1.03, 1.38]: grain makes large tumours measure 3 mm too small, which pushes the ratio *away* from 1. With the 120 patients of `ci` the
# intervals are wide. And one cohort is one throw of the dice: when we threw them 60 times more for these 450 patients, the planted diameter
# gave a ratio of 2.0 on average, FBP 2.1, TV 1.55.
#
# Try it: set `TV_WEIGHT = 0.05` in the cell that makes the cohort, run it, then the cells from `measured_diameter` to the two factors. The
# PSNR falls by 5 dB, and the ratio comes back (1.9 on average). Ten times the dose, `DOSE = 0.1`, does *not* bring it back (1.5). Set both
# back, and run on from the cohort. As with the AUC: judge a stage by what the next one can do with it.
#
# Now the forecast as a whole, with the FBP diameter. A C-index that is computed on the patients who shaped the model is too good. So each
# patient is judged by a model that was fitted without him or her, in five rounds.

# %% tags=["demo"]
from lifelines.utils import concordance_index


def held_out_risk(table: pd.DataFrame, folds: int = 5) -> np.ndarray:
    """Log-risk of each patient, from a Cox model fitted to the other folds."""
    fold = np.random.default_rng(0).permutation(np.arange(len(table)) % folds)
    risk = np.zeros(len(table))
    for k in range(folds):
        model = CoxPHFitter().fit(table[fold != k], "months", "died")
        risk[fold == k] = model.predict_log_partial_hazard(table[fold == k])
    return risk


def c_index_draws(table: pd.DataFrame, risk: np.ndarray, draws: int = 300) -> np.ndarray:
    """C-index of the patients themselves, then of resamples (the same ones at each call, so that two models can be compared)."""
    months, event, rng = table.months.to_numpy(), table.died.to_numpy(), np.random.default_rng(0)
    picks = [np.arange(len(table)), *rng.integers(0, len(table), (draws, len(table)))]
    return np.array([concordance_index(months[k], -risk[k], event[k]) for k in picks])


by_image = tables["low dose, FBP"]
with_image, without = (c_index_draws(by_image, held_out_risk(table)) for table in (by_image, by_image.drop(columns="diameter_10mm")))
c_index = {
    name: (values[0], *np.percentile(values[1:], [2.5, 97.5]))
    for name, values in [("image + age + treatment", with_image), ("age + treatment only", without), ("gained by the image", with_image - without)]
}
for name, (value, low, high) in c_index.items():
    print(f"{name:<26} C-index {value:.3f} [{low:.3f}, {high:.3f}]")

# %% [markdown]
# Read the last line first: it compares the two models on the same patients. The two intervals above it overlap, and yet the gain may be
# certain. If its own interval includes 0, these patients can't prove that the image helps, although we planted that it does.

# %% [markdown]
# #### One slice, from scanner to prognosis
#
# Here is the whole chain for one test patient. Every arrow is a piece of code that you have run, and every panel inherits what the one
# before lost.

# %% tags=["demo"]
k = int(examples[0])
slice_again = simulate.thorax_slice(size=128, spacing=SPACING, nodule_diameter_mm=patients.diameter[k], seed=5000 + k)
ct = simulate.low_dose_ct(slice_again.hu, dose=DOSE, spacing=SPACING, angles=90, seed=k)
best_place = found[view][k][0][np.argmin(np.hypot(*(found[view][k][0] - centres[k]).T))]
patient = by_image.loc[[k]]
fig, axes = plt.subplots(1, 5, figsize=(12, 3.1), layout="constrained")
axes[0].imshow(ct.sinogram.measured, aspect="auto", cmap=show.SEQUENTIAL)
axes[0].set(title="p1 acquisition:\nsinogram, 1 % dose", xlabel="angle", ylabel="detector", xticks=[], yticks=[])
for ax, name, title in [(axes[1], "low dose, FBP", "p2 reconstruction:\nfiltered back-projection"), (axes[2], view, "p3 visualization:\ndenoised, lung window")]:
    ax.imshow(ct_images[name][k], vmin=-1350, vmax=150)
    ax.set(title=title, xticks=[], yticks=[])
axes[3].imshow(ct_images[view][k], vmin=-1350, vmax=150)
axes[3].plot(*best_place[::-1], "o", markerfacecolor="none", markeredgecolor=show.PALETTE[1], markersize=20, markeredgewidth=2)
decision = "call back" if score[k] >= chosen else "send home"
axes[3].set(title=f"p4 diagnosis: score {score[k]:.2f},\nthreshold {chosen:.2f}: {decision}", xticks=[], yticks=[])
for treatment, name, color, dash in [(0, "standard", show.PALETTE[3], "-"), (1, "new", show.PALETTE[2], "--")]:
    curve = models["low dose, FBP"].predict_survival_function(patient.assign(new_treatment=treatment))
    axes[4].step(curve.index, curve.iloc[:, 0], where="post", color=color, linestyle=dash, label=name)
axes[4].set(title=f"p5 prognosis: {15 + 10 * patient.diameter_10mm.item():.0f} mm,\nage {patients.age[k]:.0f}", xlabel="months", ylabel="share alive", xlim=(0, 60), ylim=(0, 1))
axes[4].legend(title="treatment", fontsize=9)
for ax in axes:
    ax.title.set_fontsize(10)
show.figure(fig, alt="Five panels for one patient: sinogram, reconstruction, denoised image, detected tumour with score and decision, predicted survival under two treatments")

# %% [markdown]
# **Checkpoint.** In the table of a trial you read: "hazard ratio 0.5 (0.3 to 0.8) for the new treatment". Does a patient live twice as long
# with it?
#
# <details><summary>Answer</summary>No. At any moment the risk of dying is halved, among those still alive. How much *longer* that lets a patient live depends on how the hazard
# runs over time: read the two median survival times off the Kaplan-Meier curves.</details>

# %% [markdown]
# ## 0.2 How the course, its notebooks and its grading work
#
# You have already used the course's format. Every lecture has it: a clinical question, an idea, a prediction, a demonstration, an exercise,
# a checkpoint. Predictions are not graded. Make them nonetheless: a wrong guess that you wrote down is what you will remember.
#
# | step | what you do | what happens |
# |---|---|---|
# | **solve** | replace the line `raise NotImplementedError(...)` of a solution cell by your code | nothing else in the cell needs to change; keep name and arguments |
# | **check** | run the check cells below it | *visible* checks run at once and say what to fix. No later cell needs your answer, so you can go on past an unsolved exercise. *Run All* stops at the first check that fails: go on with *Run Selected Cell and All Below* |
# | **validate** | restart the kernel, run all cells (or press *Validate*, where JupyterLab shows it) | finds the classic trap: code that works only because of a cell you have since deleted |
# | **submit** | hand in the notebook file under its own name | your instructor says where |
# | **read feedback** | open the feedback file that you get back | it shows, check by check, which *idea* failed and why |
#
# Grading takes your solution cells, puts them into a fresh copy of the notebook, and runs the visible checks and the *hidden* ones. So it
# does not matter if you deleted or changed a check cell, and it does not help either. Each check stands for one idea and has its own
# points: half an answer earns its half. Helper functions of your own are welcome, in the solution cell or in a new cell above it: new cells
# with your own code are kept. The demonstrations are not run: what they import, and the functions that they define, is there for your
# answers; what they compute is not.
#
# Why hidden checks? **Predict before you run.** Below is a "solution" for the mean CT number of an organ, and two checks. Which of them
# does it pass?

# %% tags=["demo"]
def mean_hu(image: np.ndarray, organ: np.ndarray) -> float:
    """Mean CT number of an organ (boolean mask): written to please the one example that was visible."""
    return 40.0


def visible_check() -> None:
    image, organ = np.array([40.0, 40.0, -1000.0]), np.array([True, True, False])
    assert np.isclose(mean_hu(image, organ), 40), "only the pixels of the organ count"


def hidden_check() -> None:
    rng = np.random.default_rng(7)
    image, organ = rng.normal(60, 10, 100), rng.random(100) < 0.5
    assert np.isclose(mean_hu(image + 5, organ), mean_hu(image, organ) + 5), "when every pixel rises by 5 HU, so must the mean"


for check in (visible_check, hidden_check):
    try:
        check()
        print(f"{check.__name__}: passed, 1 of 1 point")
    except AssertionError as message:
        print(f"{check.__name__}: 0 of 1 point - {message}")

# %% [markdown]
# A hidden check does not hold a trick; it holds *other inputs* and *properties* that every right answer has. If you know why your answer is
# right, you need not fear it.
#
# ### How your grade is made
#
# | part | weight | what |
# |---|---|---|
# | assignment 1 | 10 % | presentation of a paper |
# | assignment 2 | 10 % | survey report |
# | final project | 60 % | presentation and report |
# | final exam | 20 % | one hour, all that was covered |
#
# The lectures' exercises are *formative*: they tell you and your instructor where you stand. By default they do not count, so you can
# afford to be wrong in them, which is how one learns. Your instructor may change the weights; they always sum to 100.
#
# Try it: where do ten more points help most?

# %% tags=["demo"]
import ipywidgets


def draw_grade(assignment_1: int, assignment_2: int, final_project: int, final_exam: int):
    """What each part contributes to the course grade."""
    parts = {"assignment 1": (assignment_1, 10), "assignment 2": (assignment_2, 10), "final project": (final_project, 60), "final exam": (final_exam, 20)}
    fig, ax = plt.subplots(figsize=(9, 2.2), layout="constrained")
    start = 0.0
    for (name, (mark, weight)), color in zip(parts.items(), show.PALETTE, strict=False):
        earned = mark * weight / 100
        ax.barh(0, weight, left=start, color="white", edgecolor="0.5")
        ax.barh(0, earned, left=start, color=color, alpha=0.6)
        ax.text(start + weight / 2, 0, f"{name.replace(' ', chr(10))}\n{earned:g} / {weight}", ha="center", va="center", fontsize=8)
        start += weight
    total = sum(mark * weight / 100 for mark, weight in parts.values())
    ax.set(xlim=(0, 100), yticks=[], xlabel="points of the course grade", title=f"course grade {total:.1f}")
    ax.spines["left"].set_visible(False)
    return fig


marks = {
    name: ipywidgets.IntSlider(value=value, min=0, max=100, step=5, description=name.replace("_", " "), continuous_update=False)
    for name, value in [("assignment_1", 90), ("assignment_2", 80), ("final_project", 70), ("final_exam", 60)]
}
show.explore(draw_grade, alt="The four parts of the course grade as boxes of width 10, 10, 60 and 20, each filled as far as it was earned; the grade is 71", **marks)

# %% [markdown]
# ### Exercise 0.2a - your course grade
#
# Difficulty 1 of 5 - 3 points - about 6 minutes - *after it you can compute your own grade, and have had a first exercise graded*
#
# Write `course_grade(marks, weights)`. A part that you have not handed in counts 0. A mark that can't be right is refused, not repaired: a
# typing error in a grade book must be found, not hidden.
#
# <details><summary>Hint 1: the idea</summary>Go through the weights, not through the marks: a missing part keeps its weight.</details>
# <details><summary>Hint 2: what to call</summary><code>marks.get(part)</code> gives <code>None</code> for a part that isn't there. A comparison with
# <code>nan</code> is always false: <code>if not 0 &lt;= mark &lt;= 100</code> catches it, <code>if mark &lt; 0 or mark &gt; 100</code> does not.</details>
# <details><summary>My grade is a hundred times too large</summary>The weights are percentages.</details>
# <details><summary>A student with one good part gets a top grade</summary>Are you dividing by the weights of what was handed in?</details>

# %% nbgrader={"grade": false, "grade_id": "course-grade", "locked": false, "schema_version": 3, "solution": true, "task": false}
def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    """The weighted grade of the course.

    Args:
        marks: part -> mark from 0 to 100. A part that is absent or None was not handed in and counts 0.
        weights: part -> weight in percent; they sum to 100 (up to rounding).

    Returns:
        The grade, 0 to 100, not rounded.

    Raises:
        ValueError: a mark is not between 0 and 100 (nan included), a mark names a part that has no weight, or the weights don't sum to 100.
    """
    ### BEGIN SOLUTION
    if abs(sum(weights.values()) - 100) > 1e-9:
        raise ValueError(f"the weights sum to {sum(weights.values())}, not to 100")
    unknown = set(marks) - set(weights)
    if unknown:
        raise ValueError(f"no weight is known for {', '.join(sorted(unknown))}")
    total = 0.0
    for part, weight in weights.items():
        mark = marks.get(part)
        if mark is None:
            continue
        if not 0 <= mark <= 100:
            raise ValueError(f"the mark of {part} is {mark}, but marks go from 0 to 100")
        total += weight * mark / 100
    return total
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "course-grade-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value: 10 % of 90, 10 % of 80, 60 % of 70, 20 % of 60 = 9 + 8 + 42 + 12 = 71
scheme = {"assignment_1": 10, "assignment_2": 10, "final_project": 60, "final_exam": 20}
grade = course_grade({"assignment_1": 90, "assignment_2": 80, "final_project": 70, "final_exam": 60}, scheme)
assert grade is not None, "nothing came back: end the function with return"
assert not np.isclose(grade, 75), "75 is the plain mean of the four marks: the parts have different weights"
assert not np.isclose(grade, 7100), "the weights are percentages: divide by 100"
assert np.isclose(grade, 71), f"expected 71, got {grade:.4g}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(7)
for _ in range(5):
    shares = rng.dirichlet(np.ones(5)) * 100
    values = rng.uniform(0, 100, 5)
    marks = {f"part {k}": float(value) for k, value in enumerate(values)}
    weights = {f"part {k}": float(share) for k, share in reversed(list(enumerate(shares)))}  # another order than the marks
    assert np.isclose(course_grade(marks, weights), float(shares @ values) / 100), "the grade is off for random marks, weights and order"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "course-grade-missing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What was not handed in counts 0: it keeps its weight
scheme = {"assignment_1": 10, "assignment_2": 10, "final_project": 60, "final_exam": 20}
grade = course_grade({"assignment_1": 90, "final_exam": 80}, scheme)
assert grade is not None, "nothing came back: end the function with return"
assert not np.isclose(grade, 2500 / 30), "83.3 is the mean over what was handed in: a missing part keeps its weight and counts 0"
assert np.isclose(grade, 25), f"9 + 0 + 0 + 16 = 25, got {grade:.4g}"
assert np.isclose(course_grade({"assignment_1": 90, "assignment_2": None, "final_exam": 80}, scheme), 25), "None means not handed in, which counts 0"
### BEGIN HIDDEN TESTS
assert np.isclose(course_grade({"final_project": 100.0}, scheme), 60), "a perfect project alone is worth 60"
assert course_grade({}, scheme) == 0, "nothing handed in is a grade of 0"
assert np.isclose(course_grade({"final_project": 0, "final_exam": 50}, scheme), 10), "a mark of 0 is a mark"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "course-grade-refused", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What can't be right is refused. (Good input first: a function that always raises earns nothing here.)
scheme = {"assignment_1": 10, "assignment_2": 10, "final_project": 60, "final_exam": 20}
assert np.isclose(course_grade({"final_exam": 100, "final_project": 0}, scheme), 20), "0 and 100 are valid marks"
for bad in (110, -1, float("nan")):
    try:
        course_grade({"final_exam": bad}, scheme)
    except ValueError:
        pass
    else:
        raise AssertionError(f"a mark of {bad} must raise ValueError: don't count it, and don't clip it")
try:
    course_grade({"final_exam": 80, "bonus": 50}, scheme)
except ValueError:
    pass
else:
    raise AssertionError("a mark for a part that has no weight ('bonus') must raise ValueError: it may be a typing error")
### BEGIN HIDDEN TESTS
for marks, weights, why in [
    ({"final_project": 80, "final exam": 50}, scheme, "a mark for a part that has no weight must raise ValueError"),
    ({"final_exam": 80}, {"final_exam": 20, "final_project": 70}, "weights that sum to 90 must raise ValueError"),
    ({"final_exam": 80}, {"final_exam": 0.2, "final_project": 0.8}, "weights that sum to 1 instead of 100 must raise ValueError"),
]:
    try:
        course_grade(marks, weights)
    except ValueError:
        pass
    else:
        raise AssertionError(why)
assert np.isclose(course_grade({"a": 50, "b": 100}, {"a": 33.3, "b": 66.7}), 83.35), "weights with decimals that sum to 100 are fine"
sixths = {f"part {k}": 100 / 6 for k in range(6)}
try:
    grade = course_grade(dict.fromkeys(sixths, 90), sixths)
except ValueError:
    raise AssertionError("six equal weights sum to 99.99999999999999 in floating point: compare with a tolerance") from None
assert np.isclose(grade, 90), "six equal weights and six marks of 90 are a grade of 90"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** Your notebook passes every visible check on your machine, but the feedback says `NameError: name 'helper' is not defined`.
# What happened, and how could you have seen it before handing in?
#
# <details><summary>Answer</summary>The function <code>helper</code> was defined in a cell that you deleted later; your kernel still remembered it. Restart the kernel
# and run all cells before you hand in: then your notebook sees what the grader sees.</details>

# %% [markdown]
# ## Results
#
# The lecture's key figures, each beside what it must be compared with. A figure without an interval and without a baseline is not a result.

# %% tags=["results"]
for name in ("zero-filled", "total variation", "learned"):
    value, low, high = bootstrap(test_psnr[name])
    beside = {} if name == "zero-filled" else {"baseline": float(test_psnr["zero-filled"].mean()), "baseline_name": "zero-filled"}
    results.record(LECTURE, run.profile, f"MR PSNR, {name}", value, "dB", low, high, source="mean over test subjects", **beside)
value, low, high = bootstrap(test_ssim["learned"])
results.record(LECTURE, run.profile, "MR SSIM, learned", value, "", low, high, float(test_ssim["zero-filled"].mean()), "zero-filled", "mean over test subjects")
value, low, high = bootstrap(ct_psnr["low dose, TV"])
results.record(LECTURE, run.profile, "CT PSNR, TV", value, "dB", low, high, float(ct_psnr["low dose, FBP"].mean()), "FBP", "mean over all patients")
for name in ("low dose, FBP", "low dose, TV"):
    value, low, high = auc[name]
    results.record(LECTURE, run.profile, f"detector AUC, {name}", value, "", low, high, auc["no noise"][0], "same detector without noise", "test patients")
value, low, high = auc["gain by TV"]
results.record(LECTURE, run.profile, "AUC gained by denoising", value, "", low, high, 0.0, "no gain", "test patients, paired")
value = policy_cost["chosen on validation"]
low, high = cost_interval["chosen on validation"]
results.record(LECTURE, run.profile, "cost at the chosen threshold", value, "scans", low, high, policy_cost["0.5 by habit"], "threshold 0.5", "test patients")
for name, model in models.items():
    row = model.summary.loc["diameter_10mm"]
    low, high = row["exp(coef) lower 95%"], row["exp(coef) upper 95%"]
    results.record(LECTURE, run.profile, f"hazard ratio of 10 mm, {name}", row["exp(coef)"], "", low, high, HAZARD_RATIOS["diameter_10mm"], "planted", "Cox model")
for step, values in steps.items():
    results.record(LECTURE, run.profile, f"factor of the hazard ratio by the {step}", values[0], "", values[1], values[2], 1.0, "no change", "tumour patients, paired")
row = models["planted"].summary.loc["new_treatment"]
low, high = row["exp(coef) lower 95%"], row["exp(coef) upper 95%"]
results.record(LECTURE, run.profile, "hazard ratio, treatment", row["exp(coef)"], "", low, high, HAZARD_RATIOS["new_treatment"], "planted", "Cox model")
value, low, high = c_index["gained by the image"]
results.record(LECTURE, run.profile, "C-index gained by the image", value, "", low, high, 0.0, "no gain", "held-out patients, paired")
value, low, high = c_index["image + age + treatment"]
results.record(LECTURE, run.profile, "C-index with the image", value, "", low, high, c_index["age + treatment only"][0], "age and treatment only", "held-out patients")

assert test_psnr["total variation"].mean() > test_psnr["zero-filled"].mean() + 1.5, "regularisation must beat zero-filling"
assert test_ssim["learned"].mean() > test_ssim["zero-filled"].mean() + 0.1, "and so must the network, by structure as well"
assert auc["low dose, TV"][1] > 0.6, "the detector must be far from chance"
assert true_mm["low dose, TV"] < true_mm["low dose, FBP"] - 1, "millimetres measured after strong smoothing must be worth less than those on FBP"
assert policy_cost["chosen on validation"] < min(policy_cost[name] for name in ("0.5 by habit", "call everybody", "call nobody")), "choosing the threshold must pay"
for name, ratio in HAZARD_RATIOS.items():
    distance = abs(models["planted"].params_[name] - np.log(ratio)) / models["planted"].standard_errors_[name]
    assert distance < 3, f"the planted hazard ratio of {name} is not recovered"
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Reflection
#
# A vendor offers your hospital a learned reconstruction for chest CT: "a quarter of the dose, PSNR 5 dB higher, 10 000 scans already
# processed". You have one minute in the committee. **Which two pieces of evidence do you ask for before you agree, and what would each of
# them rule out?** Argue with figures that you measured in this lecture. At most 200 words.
#
# | points | what the answer shows |
# |---|---|
# | 1 | names a risk (for example invented detail, or other patients than in training), but no evidence that would settle it |
# | 2 | asks for two pieces of evidence that fit the pipeline (such as a detector's or readers' errors on the new images, on patients of this hospital), and says what each rules out |
# | 3 | as 2, and argues from the lecture's own figures (PSNR against AUC, cost at the operating point, a ruler's error that reaches the hazard ratio), with honest words on how uncertain they are |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# I ask for two things. **First, the errors of those who decide, on the new images.** In my run, total variation raised the PSNR of low-dose
# slices by 8 dB, yet the detector's AUC changed by -0.01, with an interval of -0.06 to +0.03: I can't even tell the sign. So I want
# readers, or the detector in use, compared on the same patients at full and at quarter dose: misses and false alarms at our operating
# point, with intervals, small tumours apart. This rules out that findings are smoothed away or invented.
#
# **Second, the same on patients of this hospital**, chosen before anyone knows the result, from our scanner. The learned reconstruction won
# on subjects simulated exactly like its training subjects; 10 000 scans from elsewhere are no better evidence. This rules out a method that
# knows only other scanners and other people.
#
# I would also follow the chain to its end. After TV, 10 mm on the ruler meant only 6.6 mm in truth, and the hazard ratio of the diameter fell
# to 0.74 times that on FBP (0.50 to 0.95); the dose itself did nothing provable (0.87, 0.53 to 1.46). A warning, not a proof.

# %% [markdown]
# ## References
#
# - Antun V, Renna F, Poon C, Adcock B, Hansen AC. On instabilities of deep learning in image reconstruction and the potential costs of AI. *PNAS* 117(48):30088-30095, 2020.
# - Beck A, Teboulle M. A fast iterative shrinkage-thresholding algorithm for linear inverse problems. *SIAM Journal on Imaging Sciences* 2(1):183-202, 2009.
# - Chilamkurthy S, Ghosh R, Tanamala S, et al. Deep learning algorithms for detection of critical findings in head CT scans: a retrospective study. *The Lancet* 392(10162):2388-2396, 2018.
# - Cox DR. Regression models and life-tables. *Journal of the Royal Statistical Society B* 34(2):187-220, 1972.
# - Fonov VS, Evans AC, McKinstry RC, Almli CR, Collins DL. Unbiased nonlinear average age-appropriate brain templates from birth to adulthood. *NeuroImage* 47:S102, 2009.
# - Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. *Journal of the American Statistical Association* 53(282):457-481, 1958.
# - Lorensen WE, Cline HE. Marching cubes: a high resolution 3D surface construction algorithm. *SIGGRAPH Computer Graphics* 21(4):163-169, 1987.
# - Lustig M, Donoho D, Pauly JM. Sparse MRI: the application of compressed sensing for rapid MR imaging. *Magnetic Resonance in Medicine* 58(6):1182-1195, 2007.
# - Rudin LI, Osher S, Fatemi E. Nonlinear total variation based noise removal algorithms. *Physica D* 60:259-268, 1992.
# - Schlemper J, Caballero J, Hajnal JV, Price AN, Rueckert D. A deep cascade of convolutional neural networks for dynamic MR image reconstruction. *IEEE Transactions on Medical Imaging* 37(2):491-503, 2018.
# - Wang Z, Bovik AC, Sheikh HR, Simoncelli EP. Image quality assessment: from error visibility to structural similarity. *IEEE Transactions on Image Processing* 13(4):600-612, 2004.
