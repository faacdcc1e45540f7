# %% tags=["parameters"]
LECTURE = "01_course_overview"
PROFILE = "laptop"
SEED = 0
# %% tags=["setup"]
# Set-up: run it as often as you like. It fetches the course's helpers if they are missing, leaves your torch alone, and seeds everything.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("helpers") is None:
    from importlib import metadata

    kept = [f"{name}=={metadata.version(name)}" for name in ("torch", "torchvision", "numpy") if importlib.util.find_spec(name)]
    with open("kept.txt", "w") as file:  # what is here already stays as it is
        file.write("\n".join(kept))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "kept.txt", "git+REPOSITORY"], check=True)

import matplotlib.pyplot as plt
import numpy as np
import torch

import helpers
from helpers import data, results, show, simulate, train

run = helpers.start(LECTURE, PROFILE, SEED)
device = run.device
# %% [markdown]
# ### Exercise 0.1a - zero-filled reconstruction
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can turn a scanner's k-space into an image, and say what undersampling does to it*
#
# Write `zero_filled(kspace, mask)`. Lines that the scanner skipped count as zero; then comes the inverse of
# $\mathbf{F}$ = `fftshift(fft2(ifftshift(x), norm="ortho"))`, which is how this lecture's k-space is made: the zero frequency *and* the
# centre of the image sit in the middle of their arrays.
#
# Return the **complex** image. An MR image has a phase as well as a magnitude: flow, temperature and iron are measured in it.
#
# <details><summary>Hint 1: the idea</summary>Undo three steps in the opposite order. What undoes <code>fftshift</code>?</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.where(mask, kspace, 0)</code>, then <code>numpy.fft.ifftshift</code>,
# <code>numpy.fft.ifft2(..., norm="ortho")</code>, <code>numpy.fft.fftshift</code>.</details>
# <details><summary>The four quarters of my head have changed places</summary>The last shift is missing: <code>ifft2</code> puts the centre of the
# image into the corner of the array.</details>
# <details><summary>The magnitude looks right, but the real part is a chessboard</summary>The first shift is missing: the zero frequency is in the
# middle of <code>kspace</code>, and <code>ifft2</code> looks for it in the corner. The magnitude hides it, the phase does not.</details>
# <details><summary>My image is all nan</summary><code>nan * 0</code> is still <code>nan</code>. Choose the values, don't multiply them.</details>

# %% nbgrader={"grade": false, "grade_id": "zero-filled", "locked": false, "schema_version": 3, "solution": true, "task": false}
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Reconstruct an image from the k-space samples that were measured; the others count as zero.

    Args:
        kspace: complex (H, W), zero frequency at [H // 2, W // 2]; H and W may be odd. Where `mask` is False it may hold anything, even nan.
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
assert np.isclose(energy, measured, rtol=1e-4), (
    f"the image has energy {energy:.1f}, the measured samples {measured:.1f}. Is the mask used, and is nothing scaled up to make good for the gaps?"
)
polluted = np.where(mask, samples, np.nan)
again = np.asarray(zero_filled(polluted, mask))
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
# The phase survives, on even and on odd matrices: blood that flows, tissue that is heated, iron - all are measured in it
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
assert np.allclose(image, thing, atol=1e-3), "the magnitude may be right, but the phase is not"
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
# ### Exercise 0.1b - window and level
#
# Difficulty 1 of 5 - 3 points - about 8 minutes - *after it you can show any tissue of a CT scan, and know what a window hides*
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
assert np.isclose(shown[1], 0.5), f"a pixel at the level is mid-grey, 0.5, but yours is {shown[1]:.3f}. Is the dark end at level - width / 2?"
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
# What a CT file holds: int16, with metal at its largest value; and a width that someone set to 0
raw = np.array([-1024, 40, 32767], dtype=np.int16)
shown = np.asarray(window(raw, 40, 400))
assert shown.shape == (3,) and np.isclose(shown[1], 0.5), "int16 input: a pixel at the level should be 0.5"
assert np.allclose(shown, [0, 0.5, 1]), f"int16 input: expected 0, 0.5, 1, got {shown}. Did an integer overflow? Make it float first"
try:
    window(raw, 40, 0)
except ValueError:
    pass
except ZeroDivisionError:
    raise AssertionError("a width of 0 must raise ValueError, with a sentence that says so") from None
else:
    raise AssertionError("a width of 0 must raise ValueError, not return a picture")
### BEGIN HIDDEN TESTS
before = np.linspace(-1000, 1000, 50)
copy = before.copy()
got = np.asarray(window(before, 40, 400))
assert np.array_equal(before, copy), "the scan itself was changed: windowing is for the eye, the numbers stay as measured"
assert got.shape == (50,) and np.isclose(np.asarray(window(np.full((2, 3), 40.0), 40, 400)), 0.5).all(), "a float image fails"
odd = np.asarray(window(np.array([0, 1, 2], dtype=np.int16), 1, 3))
assert np.allclose(odd, [1 / 6, 0.5, 5 / 6], atol=1e-5), "half of an odd width is not a whole number"
try:
    window(before, 40, -400)
except ValueError:
    pass
else:
    raise AssertionError("a negative width must raise ValueError")
### END HIDDEN TESTS
# %% [markdown]
# ### Exercise 0.1c - the threshold that costs least
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can set an operating point for a clinic, and report its cost honestly*
#
# Write `operating_point(...)`. It gets the detector's scores on validation and on test patients. It returns the threshold $t$ that minimises the
# expected cost $C(t)$, and what that threshold then costs on the test patients.
#
# A patient is called back when `score >= t`. The rates $\mathrm{FNR}$ and $\mathrm{FPR}$ come from the data; the prevalence $\pi$ comes from the
# clinic, which has far fewer sick people than your data set. "Call nobody back" is an option as well: that is `t = inf`.
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
        If several thresholds cost the same on validation: the highest, which troubles the fewest patients.

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
# Small enough for paper: at t = 0.4 no sick patient is missed and one of four healthy ones is called back
scores = np.array([0.1, 0.2, 0.3, 0.5, 0.4, 0.6, 0.8, 0.9])
labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
answer = operating_point(scores, labels, scores, labels, 0.5, 10, 1)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two numbers: the threshold, and its cost on the test patients"
t, cost = float(answer[0]), float(answer[1])
assert not t > 0.4, f"a miss costs ten times a false alarm, but at {t:.3g} you miss a patient. Are the two costs swapped?"
assert 0.3 < t <= 0.4, f"the cheapest decisions call back everybody from 0.4 on, but your threshold is {t:.3g}"
assert np.isclose(cost, 0.125), f"0.5 x 10 x 0 + 0.5 x 1 x 1/4 = 0.125, but you report {cost:.4g}"
### BEGIN HIDDEN TESTS
for seed in range(6):
    rng = np.random.default_rng(seed)
    labels = (rng.random(80) < 0.4).astype(int)
    scores = np.round(rng.normal(labels * 1.2, 1), 1)
    prevalence, miss, alarm = rng.uniform(0.05, 0.6), rng.uniform(2, 20), rng.uniform(0.5, 2)

    def price(t):
        return prevalence * miss * np.mean(scores[labels == 1] < t) + (1 - prevalence) * alarm * np.mean(scores[labels == 0] >= t)

    best = min(price(t) for t in [*scores, np.inf])
    t, cost = operating_point(scores, labels, scores, labels, prevalence, miss, alarm)
    assert price(t) <= best + 1e-9, "there is a cheaper threshold on random scores"
    assert np.isclose(cost, price(t)), "the cost reported for a random set is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "operating-point-prevalence", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Same detector, other clinic: with few sick people, false alarms dominate and the threshold must rise
rng = np.random.default_rng(2)
labels = np.repeat([0, 1], 200)
scores = rng.normal(1.5 * labels, 1)
often, seldom = (float(operating_point(scores, labels, scores, labels, share, 10, 1)[0]) for share in (0.5, 0.02))
assert seldom > often, f"threshold {often:.3g} at 50 % sick, {seldom:.3g} at 2 %: the prevalence of the clinic has no effect, or the wrong one"
assert np.mean(scores[labels == 1] >= often) > 0.9, "where every second patient is sick and misses cost ten times as much, miss few"
### BEGIN HIDDEN TESTS
fooled, truth = np.append(scores, scores.max() + 1), np.append(labels, 0)  # a healthy patient has the highest score
nobody, cost = operating_point(fooled, truth, fooled, truth, 1e-5, 10, 1)
assert nobody > fooled.max(), "when almost nobody is sick, calling nobody back is cheapest: that threshold must be possible"
assert np.isclose(cost, 1e-4), "calling nobody back costs prevalence x cost of a miss"
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
for seed in range(5):
    rng = np.random.default_rng(100 + seed)
    val_scores, test_scores = rng.normal(val_labels, 1), rng.normal(test_labels, 1) + rng.normal()
    t, cost = operating_point(val_scores, val_labels, test_scores, test_labels, 0.25, 6, 1)

    def price(t, scores, labels):
        return 0.25 * 6 * np.mean(scores[labels == 1] < t) + 0.75 * np.mean(scores[labels == 0] >= t)

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
# ### Exercise 0.1d - Kaplan-Meier with censoring
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can read and draw the figure that decides most cancer trials*
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
        event: (N,) 1 if the patient died at `time`, 0 if censored (alive at `time`, unknown after).

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
times, survival = (np.asarray(part, dtype=float) for part in kaplan_meier(np.array([6.0, 3.0, 6.0, 6.0, 9.0]), np.array([1, 1, 0, 1, 0])))
assert times.shape == (2,), f"deaths at 3 and twice at 6 months are two steps, but you return {times.size}. Take distinct times"
assert np.all(np.diff(times) > 0), "the times must ascend, whatever the order of the patients"
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
# ### Exercise 0.2a - your course grade
#
# Difficulty 1 of 5 - 3 points - about 8 minutes - *after it you can compute your own grade, and have had a first exercise graded*
#
# Write `course_grade(marks, weights)`. A part that you have not handed in counts 0. A mark that can't be right is refused, not repaired: a typing error in
# a grade book must be found, not hidden.
#
# <details><summary>Hint 1: the idea</summary>Go through the weights, not through the marks: a missing part keeps its weight.</details>
# <details><summary>Hint 2: what to call</summary><code>marks.get(part)</code> gives <code>None</code> for a part that isn't there. A comparison with
# <code>nan</code> is always false: ask <code>0 &lt;= mark &lt;= 100</code>, not for its opposite.</details>
# <details><summary>My grade is a hundred times too large</summary>The weights are percentages.</details>
# <details><summary>A student with one good part gets a top grade</summary>Are you dividing by the weights of what was handed in?</details>

# %% nbgrader={"grade": false, "grade_id": "course-grade", "locked": false, "schema_version": 3, "solution": true, "task": false}
def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    """The weighted grade of the course.

    Args:
        marks: part -> mark from 0 to 100. A part that is absent or None was not handed in and counts 0.
        weights: part -> weight in percent; they sum to 100.

    Returns:
        The grade, 0 to 100.

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
### BEGIN HIDDEN TESTS
for marks, weights, why in [
    ({"final_exam": 80, "bonus": 50}, scheme, "a mark for a part that has no weight must raise ValueError"),
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
### END HIDDEN TESTS
