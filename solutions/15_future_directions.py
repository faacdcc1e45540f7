# %% [markdown]
# # Lecture 15 - Future directions
#
# **After this you can**
#
# - train a small vision-language model on films and their reports, query it with prompts, and measure where it fails: binding, negation, unseen combinations, invented findings (14.1)
# - explain and train a promptable segmenter, adapt a frozen backbone with LoRA or an adapter, and say what few labels buy (14.2)
# - train a small language model for report impressions, ground its answers in retrieved text, and check them for omissions and inventions (14.3)
# - fuse images, tables and omics for survival when a modality may be missing, and keep chance out of association studies (14.4)
# - attack a model for membership, price its privacy, and audit its explanations with tests that can fail (14.5)
#
# **Time** about 420 minutes, in three sittings (14.1 and 14.2; 14.3; 14.4 and 14.5)
#
# Sections carry the syllabus's numbers: this lecture is its chapter 14. No demonstration needs an exercise to be solved, so you can read on whenever you are stuck.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | simulated chest films with reports (14.1) | this course, drawn in the lecture | this course | nobody | by simulated patient; findings, sides and sizes are planted |
# | simulated brain slices, nuclei, ultrasound and chest CT (14.2) | this course; the brains are the anatomy of MNI152 2009a, deformed | this course; MNI152 under its own notice: use, copy and change freely, keeping the notice | an average of 152 volunteers; no single person is in it | by simulated patient |
# | `hippocampus` (14.2): T1 MR cut to the hippocampus, anterior and posterior part drawn, 1 mm | Medical Segmentation Decathlon, task 4 | CC BY-SA 4.0 | healthy adults and adults with a psychotic disorder, Vanderbilt; published without names | by case; left and right hippocampus of one person may be on both sides |
# DATACARD-REST
#
# - In the profile `ci` a simulated stand-in takes the place of the hippocampus, and says so.
# - Real films with reports exist (MIMIC-CXR, Johnson et al. 2019; the Indiana collection, Demner-Fushman et al. 2016). The first asks for a signed agreement, and neither says which sentence is true of which pixel. So 14.1 is planted in every profile: there the truth of each sentence is known.

# %% tags=["parameters"]
LECTURE = "15_future_directions"
PROFILE = "laptop"  # "ci": minutes, simulated data; "laptop": real data, at most 10 minutes; "gpu": larger
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
# ## 14.1 Vision-language pre-training
#
# A hospital has a million chest films, and nobody has labelled one. But every film has a *report*. A radiologist has written there what is seen, on which side, how large, and what is **not** there. Vision-language pre-training takes the pair as supervision. ConVIRT (Zhang et al., MLHC 2022) and CLIP (Radford et al., ICML 2021) began it; CheXzero (Tiu et al., 2022) ranked findings on
# chest films without one label.
#
# Lecture 13 teaches the contrastive loss. Here you go on to the questions that come next. What does such a model really read in a sentence? Can it bind "left" to "nodule" when another finding is on the right? Does it hear the word "no"? Does it describe a combination that it has never seen? And what does it invent?
#
# Planted truth answers them. Each film shows at most two findings. A finding is a triple (kind, side, size). The patient's right is at the *left* of the film.

# %% tags=["demo"]
import torch.nn.functional as F
from torch import nn

VLM_KINDS, VLM_SIDES, VLM_SIZES = ("effusion", "pneumothorax", "nodule"), ("right", "left"), ("small", "large")
VLM_ROW, VLM_COLUMN = np.mgrid[:32, :32].astype(np.float32)
VLM_NEVER = ("nodule", "left", "large")  # no training patient has it


def vlm_film(findings: tuple, seed: int) -> np.ndarray:
    """(32, 32) float32, bright is dense; the same seed is the same body, whatever is found in it."""
    rng = np.random.default_rng(seed)
    r, c = VLM_ROW, VLM_COLUMN
    top, bottom, width = rng.uniform(4, 6), rng.uniform(25, 28), rng.uniform(5.2, 6.4)
    middle, half, (tilt, grain) = (top + bottom) / 2, (bottom - top) / 2, (rng.normal(0, 0.04), rng.normal(0, 0.035, (32, 32)))
    image = 0.62 + tilt + 0.2 * np.exp(-(((c - 17.5) / 4) ** 2) - ((r - 20) / 5) ** 2)  # the heart
    centres = {"right": 8.5 + rng.normal(0, 0.5), "left": 23 + rng.normal(0, 0.5)}  # the patient's right is on the left
    lung = {side: np.clip(4.5 - 4 * ((r - middle) / half) ** 2 - 4 * ((c - at) / width) ** 2, 0, 1) for side, at in centres.items()}
    image = image - 0.36 * (lung["right"] + lung["left"])
    place = rng.uniform([-0.35, -0.4], [0.2, 0.4])
    for kind, side, size in findings:
        at, inside, outward, big = centres[side], lung[side], 1 if side == "left" else -1, size == "large"
        if kind == "effusion":  # fluid below a level that rises towards the chest wall
            image += 0.36 * inside * np.clip(r - (bottom - (10 if big else 5.5) - 0.25 * outward * (c - at)), 0, 1)
        elif kind == "pneumothorax":  # air above a thin line
            edge = r - (top + (10.5 if big else 6) - 0.3 * outward * (c - at))
            image += inside * (0.16 * np.exp(-((edge / 0.7) ** 2)) - 0.14 * np.clip(-edge, 0, 1))
        else:
            far = np.hypot(r - middle - place[0] * half, c - at - place[1] * width)
            image += 0.34 * np.clip((2.7 if big else 1.4) + 0.5 - far, 0, 1)
    return (image + grain).astype(np.float32)

# %% tags=["demo"]
VLM_PRESENT = ("{size} {side} {kind}", "{side} sided {size} {kind}", "{kind} on the {side} which is {size}")
VLM_ABSENT = ("no {kind}", "{kind} is absent")


def vlm_said(finding: tuple, form: int) -> str:
    kind, side, size = finding
    return VLM_PRESENT[form].format(kind=kind, side=side, size=size) + " ."


def vlm_report(findings: tuple, rng: np.random.Generator) -> str:
    """A report: what is there, some of what is not there, in any order."""
    absent = [kind for kind in VLM_KINDS if kind not in {one[0] for one in findings}]
    said = [vlm_said(one, rng.integers(3)) for one in findings]
    said += [VLM_ABSENT[rng.integers(2)].format(kind=kind) + " ." for kind in rng.permutation(absent)[: rng.integers(0, 3)]]
    if not said or (not findings and rng.random() < 0.5):
        said = ["clear lungs .", *said]
    return " ".join(said[i] for i in rng.permutation(len(said)))


def vlm_people(n: int, seed: int, with_never: bool) -> tuple[list, torch.Tensor, list[str]]:
    """Findings, films (n, 1, 32, 32) and reports of n patients, one film each."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < n:
        kinds = rng.permutation(VLM_KINDS)[: rng.choice(3, p=[0.25, 0.4, 0.35])]
        one = tuple((str(kind), VLM_SIDES[rng.integers(2)], VLM_SIZES[rng.integers(2)]) for kind in kinds)
        if with_never or VLM_NEVER not in one:
            found.append(one)
    films = np.stack([vlm_film(one, 100_000 * seed + i) for i, one in enumerate(found)])
    return found, torch.from_numpy(films)[:, None], [vlm_report(one, rng) for one in found]


vlm_train = vlm_people(run.pick(ci=2400, laptop=5000), 10 * SEED + 1, with_never=False)
vlm_val = vlm_people(400, 10 * SEED + 2, with_never=True)
vlm_test = vlm_people(run.pick(ci=500, laptop=1500), 10 * SEED + 3, with_never=True)
vlm_shown = [i for i in range(60) if vlm_train[0][i]][:4]
show.row([vlm_train[1][i, 0] for i in vlm_shown], titles=[vlm_train[2][i].replace(" .", ".").replace(". ", ".\n").replace(" which", "\nwhich") for i in vlm_shown], window=(0.1, 1.0),
         alt="Four simulated chest films with their reports as titles: dark lungs, a bright level of fluid at a base, a dark apex with a thin line, or a bright disk, on the side that the report names")

# %% [markdown]
# ### Two ways to learn from a pair
#
# **Contrastive.** An image encoder gives $z_i$, a text encoder $t_j$, both of length 1. In a batch of $n$ pairs the loss pulls the $n$ right pairs together and pushes the $n^2 - n$ wrong ones apart:
#
# $$L_{\text{con}} = -\frac{1}{2n} \sum_i \left[ \log \frac{e^{z_i^\top t_i/\tau}}{\sum_j e^{z_i^\top t_j/\tau}} + \log \frac{e^{z_i^\top t_i/\tau}}{\sum_j e^{z_j^\top t_i/\tau}} \right]$$
#
# with the **temperature** $\tau$, which is learned. We give it two text encoders, to see what the text side decides: a **bag of words** (the mean of word vectors, blind to order) and a **transformer**, which could read order.
#
# **Captioning.** A decoder writes the report word by word and looks at the image: $L_{\text{cap}} = -\sum_k \log p(w_k \mid w_{<k}, x)$. A word can't be guessed from a bag: after "large right effusion . small left" the decoder must say *which* finding is on the left. CoCa (Yu et al., TMLR 2022) trains both losses together. So do we, with one image encoder for all three.
#
# **Zero-shot** classification needs no further training. Write a prompt for each class, embed it, and take the softmax of the image's similarities over $\tau$:
#
# $$p(k \mid x) = \frac{e^{z^\top t_k/\tau}}{\sum_l e^{z^\top t_l/\tau}}, \qquad t_k = \frac{\bar t_k}{\lVert \bar t_k \rVert}, \quad \bar t_k = \frac{1}{M_k}\sum_m \frac{t_{km}}{\lVert t_{km} \rVert}$$
#
# The second part is a **prompt ensemble**: a class has several wordings, and wording is an accident. Each vector is normalised, the mean is taken, and the mean is normalised *again*. The mean of scattered vectors is short, and without the last step a class would be punished for having many wordings.

# %% [markdown]
# ### Exercise 14.1a - zero-shot with a prompt ensemble
#
# Difficulty 2 of 5 - 4 points - about 15 minutes - *after it you can turn a vision-language model into a classifier without a label*
#
# Write `zero_shot(images, prompts, tau)` by the formula above. Image vectors come in any length: normalise them, too. A small $\tau$ must not overflow.
#
# <details><summary>Hint 1: the idea</summary>One vector a class first: normalise, mean, normalise. Then similarities, over tau, softmax over the classes.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.linalg.norm(v, axis=1, keepdims=True)</code>; <code>scipy.special.softmax(scores, axis=1)</code> is stable.</details>
# <details><summary>All my probabilities are near 1/K</summary>Did you multiply by tau? Similarities differ by tenths; dividing by a small tau spreads them.</details>
# <details><summary>A class with many prompts never wins</summary>The mean of its prompts is short. Normalise it again.</details>

# %% nbgrader={"grade": false, "grade_id": "zero-shot", "locked": false, "schema_version": 3, "solution": true, "task": false}
def zero_shot(images: np.ndarray, prompts: list[np.ndarray], tau: float) -> np.ndarray:
    """Zero-shot probabilities by cosine similarity with a prompt ensemble for each class.

    Args:
        images: (N, d) image vectors, of any length above 0.
        prompts: K arrays, one a class, each (M_k, d) with M_k at least 1; vectors of any length above 0.
        tau: temperature, above 0.

    Returns:
        (N, K) probabilities; each row sums to 1.

    Raises:
        ValueError: tau is not above 0, a class has no prompt, or a vector has length 0.
    """
    ### BEGIN SOLUTION
    def unit(v: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(v, axis=-1, keepdims=True)
        if not (length > 0).all():
            raise ValueError("a vector of length 0 has no direction")
        return v / length

    if not tau > 0 or any(len(one) == 0 for one in prompts):
        raise ValueError("tau must be above 0, and each class needs a prompt")
    classes = unit(np.stack([unit(np.asarray(one, dtype=float)).mean(0) for one in prompts]))
    scores = unit(np.asarray(images, dtype=float)) @ classes.T / tau
    scores = np.exp(scores - scores.max(1, keepdims=True))
    return scores / scores.sum(1, keepdims=True)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "zero-shot-temperature", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One prompt a class, cosines 0.8 and 0.6, tau 0.1: the odds are exp(0.2 / 0.1), so p = 0.881
image = np.array([[0.8, 0.6]])
p = np.asarray(zero_shot(image.copy(), [np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])], 0.1))
assert p.shape == (1, 2), f"one image and two classes give the shape (1, 2), not {p.shape}"
assert not np.isclose(p[0, 0], 1 / (1 + np.exp(-0.02)), atol=1e-3), "similarities are divided by the temperature, not multiplied"
assert not np.isclose(p[0, 0], 1 / (1 + np.exp(-0.2)), atol=1e-3), "the temperature is not used"
assert not np.isclose(p[0, 0], 0.8 / 1.4, atol=1e-3), "similarities are no probabilities: take the softmax"
assert np.isclose(p[0, 0], 1 / (1 + np.exp(-2)), atol=1e-4), f"expected 0.881 for the first class, got {p[0, 0]:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(151)
images, words = rng.normal(size=(6, 5)), rng.normal(size=(3, 5))
cosine = (images / np.sqrt((images**2).sum(1))[:, None]) @ (words / np.sqrt((words**2).sum(1))[:, None]).T
want = np.exp(cosine / 0.3) / np.exp(cosine / 0.3).sum(1)[:, None]
got = np.asarray(zero_shot(images.copy(), [word[None] for word in words], 0.3))
assert np.allclose(got.sum(1), 1), "each image's probabilities must sum to 1: the softmax runs over the classes"
assert np.allclose(got, want, atol=1e-5), "with one prompt a class the probabilities are off on random vectors"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "zero-shot-ensemble", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Class 0 has two wordings at +-60 degrees around the image; class 1 one wording at 30 degrees. The ensemble of class 0 points at the image
image = np.array([[1.0, 0.0]])
spread = np.array([[0.5, 3**0.5 / 2], [0.5, -(3**0.5) / 2]])
other = np.array([[3**0.5 / 2, 0.5]])
p = np.asarray(zero_shot(image.copy(), [spread.copy(), other.copy()], 0.1))
assert not np.isclose(p[0, 0], 1 / (1 + np.exp((3**0.5 / 2 - 0.5) / 0.1)), atol=1e-3), "the mean of scattered prompts is short: normalise it again, or the class is punished for its many wordings"
assert np.isclose(p[0, 0], 1 / (1 + np.exp((3**0.5 / 2 - 1) / 0.1)), atol=1e-3), f"expected 0.792 for the class with two wordings, got {p[0, 0]:.3f}"
loud = np.asarray(zero_shot(image.copy(), [spread * np.array([[50.0], [1.0]]), other.copy()], 0.1))
assert np.allclose(loud, p, atol=1e-4), "a prompt with a long vector has outvoted the other: normalise each prompt before the mean"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(152)
for sizes in ((1, 4), (3, 2, 5)):
    words, images = [rng.normal(size=(m, 6)) * rng.uniform(0.2, 5, (m, 1)) for m in sizes], rng.normal(size=(4, 6))
    middle = np.stack([(w / np.sqrt((w**2).sum(1))[:, None]).sum(0) for w in words])
    cosine = (images / np.sqrt((images**2).sum(1))[:, None]) @ (middle / np.sqrt((middle**2).sum(1))[:, None]).T
    want = np.exp(cosine / 0.2) / np.exp(cosine / 0.2).sum(1)[:, None]
    assert np.allclose(np.asarray(zero_shot(images.copy(), [w.copy() for w in words], 0.2)), want, atol=1e-5), "with classes of different numbers of prompts the probabilities are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "zero-shot-length", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The length of an image's vector says nothing; and a very small temperature must give 0 and 1, not nan
words = [np.array([[1.0, 0.0]]), np.array([[0.6, 0.8]])]
p = np.asarray(zero_shot(np.array([[3.0, 1.0]]), words, 0.5))
assert np.allclose(np.asarray(zero_shot(np.array([[300.0, 100.0]]), words, 0.5)), p, atol=1e-6), "an image vector a hundred times as long changes your answer: normalise images, too"
cold = np.asarray(zero_shot(np.array([[3.0, 1.0]]), words, 1e-4))
assert np.isfinite(cold).all(), "with tau = 0.0001 the exponential overflows: subtract the largest score first"
assert not np.allclose(p, 0.5), "every class the same: are the similarities used?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(153)
images = rng.normal(size=(5, 3))
words = [rng.normal(size=(2, 3)), rng.normal(size=(1, 3))]
far = np.asarray(zero_shot(images * rng.uniform(1e-3, 1e3, (5, 1)), words, 1e-5))
assert np.isfinite(far).all() and np.allclose(far.sum(1), 1) and np.allclose(far.argmax(1), np.asarray(zero_shot(images.copy(), words, 1.0)).argmax(1)), "a cold softmax must name the same class, without overflow"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "zero-shot-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: a class without a prompt. (Good input first.)
assert np.isclose(float(np.asarray(zero_shot(np.eye(2), [np.eye(2)[:1], np.eye(2)[1:]], 1.0)).sum()), 2), "good input must still work"
try:
    zero_shot(np.eye(2), [np.eye(2), np.zeros((0, 2))], 1.0)
except ValueError:
    pass
else:
    raise AssertionError("a class without a prompt has no direction: raise a ValueError")
### BEGIN HIDDEN TESTS
for images, words, tau in ((np.eye(2), [np.eye(2), np.eye(2)], 0.0), (np.eye(2), [np.eye(2), np.eye(2)], -1.0), (np.zeros((1, 2)), [np.eye(2)], 1.0), (np.eye(2), [np.zeros((1, 2)), np.eye(2)], 1.0)):
    try:
        zero_shot(images, words, tau)
    except ValueError:
        continue
    raise AssertionError("tau of 0 or below, an image or a prompt of length 0 must raise a ValueError")
### END HIDDEN TESTS

# %% tags=["demo"]
VLM_WORDS = ["<pad>", "<begin>", "<end>", ".", "no", "is", "absent", "on", "the", "which", "sided", "clear", "lungs", *VLM_SIZES, *VLM_SIDES, *VLM_KINDS]
VLM_D, VLM_LONGEST = 48, 28


def vlm_encode(texts: list[str]) -> torch.Tensor:
    """(N, L) word numbers with <begin> and <end>, padded with 0."""
    rows = [torch.tensor([1, *(VLM_WORDS.index(word) for word in text.split()), 2]) for text in texts]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)


class VlmText(nn.Module):
    """Texts (N, L) to unit vectors (N, d): a bag of words (layers=0), or a transformer that knows the order."""

    def __init__(self, layers: int):
        super().__init__()
        self.words, self.place, self.layers = nn.Embedding(len(VLM_WORDS), VLM_D), nn.Parameter(0.02 * torch.randn(VLM_LONGEST, VLM_D)), layers
        one = nn.TransformerEncoderLayer(VLM_D, 4, 96, 0.0, batch_first=True, norm_first=True)
        self.mix = nn.TransformerEncoder(one, layers, enable_nested_tensor=False) if layers else None
        self.out = nn.Sequential(nn.Linear(VLM_D, 96), nn.GELU(), nn.Linear(96, VLM_D))

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        here, x = (text != 0)[..., None], self.words(text)
        if self.layers:
            x = self.mix(x + self.place[: text.shape[1]], src_key_padding_mask=text == 0)
        return F.normalize(self.out((x * here).sum(1) / here.sum(1)), dim=-1)


class VlmWriter(nn.Module):
    """Image tokens (N, 64, d) and the words so far (N, L) to logits of the next word (N, L, vocabulary)."""

    def __init__(self):
        super().__init__()
        self.words, self.place = nn.Embedding(len(VLM_WORDS), VLM_D), nn.Parameter(0.02 * torch.randn(VLM_LONGEST, VLM_D))
        self.layers = nn.TransformerDecoder(nn.TransformerDecoderLayer(VLM_D, 4, 96, 0.0, batch_first=True, norm_first=True), 1)
        self.out = nn.Linear(VLM_D, len(VLM_WORDS))

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        length = text.shape[1]
        later = torch.ones(length, length, dtype=torch.bool, device=text.device).triu(1)
        return self.out(self.layers(self.words(text) + self.place[:length], image, tgt_mask=later))

# %% tags=["demo"]
class VlmModel(nn.Module):
    """One image encoder; two contrastive text encoders and a caption decoder."""

    def __init__(self):
        super().__init__()
        sizes = ((1, 16, 2), (16, 32, 2), (32, VLM_D, 1))
        self.eye = nn.Sequential(*(layer for a, b, step in sizes for layer in (nn.Conv2d(a, b, 3, step, 1), nn.GroupNorm(4, b), nn.GELU())))
        self.place, self.norm = nn.Parameter(0.02 * torch.randn(64, VLM_D)), nn.LayerNorm(VLM_D)
        self.text = nn.ModuleDict({"bag of words": VlmText(0), "transformer": VlmText(1)})
        self.pool = nn.ModuleDict({name: nn.Sequential(nn.Flatten(), nn.Linear(64 * VLM_D, VLM_D)) for name in self.text})
        self.log_scale, self.writer = nn.Parameter(torch.tensor([2.3, 2.3])), VlmWriter()

    def look(self, films: torch.Tensor) -> torch.Tensor:
        """Films (N, 1, 32, 32) to 64 tokens each (N, 64, d)."""
        return self.norm(self.eye(4 * (films - 0.45)).flatten(2).transpose(1, 2) + self.place)

    def image_vector(self, tokens: torch.Tensor, name: str) -> torch.Tensor:
        return F.normalize(self.pool[name](tokens), dim=-1)


def vlm_fit(films: torch.Tensor, texts: torch.Tensor, epochs: int, seed: int) -> VlmModel:
    """Both losses together, in batches of 32; AdamW with a one-cycle schedule."""
    torch.manual_seed(seed)
    model, order = VlmModel().to(device), torch.Generator().manual_seed(seed)
    best = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(best, 3e-3, total_steps=epochs * (len(films) // 32))
    for rows in (rows for _ in range(epochs) for rows in torch.randperm(len(films), generator=order).split(32) if len(rows) == 32):
        text = texts[rows][:, : int((texts[rows] != 0).sum(1).max())].to(device)
        tokens, right = model.look(films[rows].to(device)), torch.arange(32, device=device)
        loss = F.cross_entropy(model.writer(tokens, text[:, :-1]).transpose(1, 2), text[:, 1:], ignore_index=0)
        for number, name in enumerate(model.text):
            scores = model.image_vector(tokens, name) @ model.text[name](text).T * model.log_scale[number].exp().clamp(max=50)
            loss = loss + 0.15 * (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right))
        best.zero_grad()
        loss.backward()
        best.step()
        schedule.step()
    return model.eval()


vlm = vlm_fit(vlm_train[1], vlm_encode(vlm_train[2]), run.pick(ci=9, laptop=9), SEED)
print(f"{sum(weight.numel() for weight in vlm.parameters()):,} weights, trained on {len(vlm_train[0])} films and their reports; learned temperature {1 / vlm.log_scale[1].exp().item():.2f}")

# %% [markdown]
# ### Zero-shot, and the accident of wording
#
# Is there an effusion? Two classes, two sets of prompts: "large right effusion ." and its like, against "no effusion ." and its like. One prompt of each would do. Which one?
#
# **Predict before you run.** There are dozens of pairs of one prompt for "there" and one for "not there". How far apart will the AUC of the best and of the worst pair lie? Will the ensemble be nearer to the best or to the mean?

# %% tags=["demo"]
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score


@torch.no_grad()
def vlm_vectors(people: tuple, name: str = "transformer") -> np.ndarray:
    return vlm.image_vector(vlm.look(people[1].to(device)), name).cpu().numpy()


@torch.no_grad()
def vlm_prompts(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the prompts that say it is there, and of those that say it is not."""
    there = [vlm_said((kind, side, size), form) for side in VLM_SIDES for size in VLM_SIZES for form in range(3)]
    away = [text.format(kind=kind) + " ." for text in VLM_ABSENT]
    return tuple(vlm.text["transformer"](vlm_encode(texts).to(device)).cpu().numpy() for texts in (there, away))


vlm_z, vlm_zval = vlm_vectors(vlm_test), vlm_vectors(vlm_val)
vlm_has, vlm_has_val = ({kind: np.array([kind in {one[0] for one in found} for found in people[0]]) for kind in VLM_KINDS} for people in (vlm_test, vlm_val))
vlm_zero = {}
for kind in VLM_KINDS:
    there, away = vlm_prompts(kind)
    pairs = [(a, b) for a in range(len(there)) for b in range(len(away))]
    single = [roc_auc_score(vlm_has[kind], vlm_z @ (there[a] - away[b])) for a, b in pairs]
    on_val = [roc_auc_score(vlm_has_val[kind], vlm_zval @ (there[a] - away[b])) for a, b in pairs]
    toward = np.subtract(*(F.normalize(torch.from_numpy(some).sum(0), dim=0).numpy() for some in (there, away)))
    probe = LogisticRegression(max_iter=2000).fit(vlm_zval, vlm_has_val[kind])
    vlm_zero[kind] = {"single": single, "chosen": single[int(np.argmax(on_val))], "ensemble": roc_auc_score(vlm_has[kind], vlm_z @ toward),
                      "probe": roc_auc_score(vlm_has[kind], probe.decision_function(vlm_z)), "margin": (vlm_zval @ toward, vlm_z @ toward)}

# %% tags=["demo"]
fig, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
jitter = np.random.default_rng(0)
for row, kind in enumerate(VLM_KINDS):
    one = vlm_zero[kind]
    ax.plot(one["single"], row + jitter.uniform(-0.2, 0.2, len(one["single"])), "o", color="0.6", markersize=4, label="one pair of prompts" if row == 0 else None)
    for name, mark, colour in (("chosen", "s", show.PALETTE[4]), ("ensemble", "D", show.PALETTE[0]), ("probe", "|", show.PALETTE[3])):
        label = {"chosen": "pair chosen on validation", "ensemble": "ensemble", "probe": "linear probe, 400 labels"}[name]
        ax.plot(one[name], row, mark, color=colour, markersize=9 if mark != "|" else 22, markeredgewidth=2, label=label if row == 0 else None)
ax.axvline(0.5, color="black", linestyle=":", linewidth=1)
ax.set(yticks=range(3), yticklabels=VLM_KINDS, xlabel="zero-shot AUC on test patients (0.5: chance, dotted)", xlim=(0.45, 1.01))
ax.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0.05, 0.05))
show.figure(fig, alt="For each of three findings the test AUC of every single pair of prompts as grey dots, of the prompt ensemble as a diamond, of the pair chosen on validation as a square, and of a supervised linear probe as a bar; single pairs scatter widely")
for kind in VLM_KINDS:
    one = vlm_zero[kind]
    print(f"{kind:13s} single pairs {min(one['single']):.3f} to {max(one['single']):.3f}, mean {np.mean(one['single']):.3f}; ensemble {one['ensemble']:.3f}; 400 labels {one['probe']:.3f}")

# %% [markdown]
# A prompt that names a side or a size ranks films by side and size, too: "large right effusion" likes no small left one. The ensemble takes that out. The *best* pair on the test set may beat it, but who picks the best pair by test AUC has let the test choose; a pair may be chosen on labelled validation patients, and then the method is no longer zero-shot. The linear probe shows what the same image vectors
# give with 400 labels.
#
# **Ranking is not probability.** Prompts carry no prevalence. Take the softmax over $\tau$ for "effusion" against "no effusion", and compare with how common an effusion is.

# %% tags=["demo"]
def vlm_probability(margin: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-margin * vlm.log_scale[1].exp().item()))


vlm_brier = {}
print(f"{'finding':13s} {'prevalence':>10s} {'mean p':>7s} {'after Platt':>11s} {'Brier':>7s} {'after Platt':>11s} {'always prevalence':>18s}")
for kind in VLM_KINDS:
    on_val, on_test = vlm_zero[kind]["margin"]
    platt = LogisticRegression(C=1e6).fit(on_val[:, None], vlm_has_val[kind])
    plain, mended, truth = vlm_probability(on_test), platt.predict_proba(on_test[:, None])[:, 1], vlm_has[kind]
    vlm_brier[kind] = [float(np.mean((p - truth) ** 2)) for p in (plain, mended, np.full(len(truth), vlm_has_val[kind].mean()))]
    print(f"{kind:13s} {truth.mean():10.2f} {plain.mean():7.2f} {mended.mean():11.2f} {vlm_brier[kind][0]:7.3f} {vlm_brier[kind][1]:11.3f} {vlm_brier[kind][2]:18.3f}")

# %% [markdown]
# Two labelled numbers a finding (slope and intercept, Platt scaling) turn a ranking into a probability. They come from patients *of the clinic*: the next clinic has another prevalence.

# %% [markdown]
# ### Does it bind, does it hear "no"?
#
# A film shows a small left effusion and a small right nodule. A second film of the same body shows a small right effusion and a small left nodule. Both captions hold *the same words*. Winoground (Thrush et al., CVPR 2022) built such pairs for photographs, and models that topped retrieval tables fell to chance. Yuksekgonul et al. (ICLR 2023) found that contrastive models behave like bags of words: for retrieval in a
# batch of random pairs nothing more is needed.
#
# A **pair** has images $I_0, I_1$ and captions $C_0, C_1$, where $C_i$ is right for $I_i$, and scores $s(I_i, C_j)$. Three scores per pair:
#
# - **text**: for *both* images the right caption wins, $s(I_0, C_0) > s(I_0, C_1)$ and $s(I_1, C_1) > s(I_1, C_0)$;
# - **image**: for *both* captions the right image wins, $s(I_0, C_0) > s(I_1, C_0)$ and $s(I_1, C_1) > s(I_0, C_1)$;
# - **group**: both of them.
#
# Guessing gives 1/4, 1/4 and 1/6. A tie is no win.

# %% [markdown]
# ### Exercise 14.1b - scores for pairs
#
# Difficulty 2 of 5 - 4 points - about 15 minutes - *after it you can test whether a model reads a sentence or counts its words*
#
# Write `pair_scores(s)` for $P$ pairs, with `s[p, i, j]` the score of image $i$ with caption $j$.
#
# <details><summary>Hint 1: the idea</summary>Four comparisons a pair. Text stays within a row (one image), image within a column (one caption). A pair wins both halves or nothing.</details>
# <details><summary>Hint 2: what to call</summary>Boolean arrays (P,), <code>&amp;</code> and <code>mean</code>.</details>
# <details><summary>A model that gives every caption the same score gets 1</summary>Is your comparison <code>&gt;=</code>? A tie is no win.</details>
# <details><summary>My group score is above the text score</summary>It can't be: a pair must win text and image together. Combine pair by pair, before the mean.</details>

# %% nbgrader={"grade": false, "grade_id": "pair-scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pair_scores(s: np.ndarray) -> dict[str, float]:
    """Share of pairs won, as in Winoground.

    Args:
        s: (P, 2, 2) scores, higher is better; s[p, i, j] is image i with caption j, caption i is right for image i. P is at least 1.

    Returns:
        "text", "image" and "group", each from 0 to 1.

    Raises:
        ValueError: another shape, no pair, or a nan.
    """
    ### BEGIN SOLUTION
    s = np.asarray(s, dtype=float)
    if s.ndim != 3 or s.shape[1:] != (2, 2) or len(s) == 0 or np.isnan(s).any():
        raise ValueError(f"give (P, 2, 2) scores without nan, not {s.shape}")
    text = (s[:, 0, 0] > s[:, 0, 1]) & (s[:, 1, 1] > s[:, 1, 0])
    image = (s[:, 0, 0] > s[:, 1, 0]) & (s[:, 1, 1] > s[:, 0, 1])
    return {"text": float(text.mean()), "image": float(image.mean()), "group": float((text & image).mean())}
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "pair-scores-rows", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Image 0 scores higher with everything: each caption finds image 0, so text may win, image can't
loud = np.array([[[9.0, 8.0], [1.0, 2.0]]])
got = pair_scores(loud.copy())
assert set(got) == {"text", "image", "group"}, f"return the keys text, image and group, not {sorted(got)}"
assert not (got["text"] == 0 and got["image"] == 1), "text and image are exchanged: text keeps the image and compares captions (along a row)"
assert got["text"] == 1, "image 0 prefers caption 0 (9 > 8), image 1 prefers caption 1 (2 > 1): text is won"
assert got["image"] == 0, "caption 1 prefers image 0 (8 > 2), which is wrong: image is lost"
### BEGIN HIDDEN TESTS
assert pair_scores(np.array([[[2.0, 1.0], [9.0, 8.0]]]))["text"] == 0, "one of two images prefers the wrong caption: the pair is lost, not half won"
got = pair_scores(np.array([[[9.0, 1.0], [8.0, 2.0]]]))
assert got["text"] == 0 and got["image"] == 1, "turned round, image is won and text is lost"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pair-scores-group", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Four pairs: two win text only, one image only, one both. The group is counted pair by pair
text_only, image_only, both = [[9.0, 8.0], [1.0, 2.0]], [[9.0, 1.0], [8.0, 2.0]], [[2.0, 0.0], [0.0, 2.0]]
got = pair_scores(np.array([text_only, text_only, image_only, both]))
assert not np.isclose(got["group"], 0.375), "0.375 is the product of the two shares: a pair must win both, so combine before the mean"
assert not np.isclose(got["group"], 0.5), "0.5 is the smaller share or a mean: count the pairs that win both"
assert np.isclose(got["group"], 0.25), f"one of four pairs wins both, so 0.25, not {got['group']:.3f}"
assert np.isclose(got["text"], 0.75) and np.isclose(got["image"], 0.5), "three of four win text, two of four win image"
### BEGIN HIDDEN TESTS
s = np.random.default_rng(154).normal(size=(4000, 2, 2))
got = pair_scores(s.copy())
assert abs(got["text"] - 0.25) < 0.03 and abs(got["image"] - 0.25) < 0.03 and abs(got["group"] - 1 / 6) < 0.03, "random scores must give 1/4, 1/4 and 1/6"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pair-scores-ties", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A bag of words gives both captions the same score. It must not win
assert pair_scores(np.array([[[2.0, 0.0], [0.0, 2.0]]]))["group"] == 1, "a clear win is a win"
got = pair_scores(np.array([[[0.4, 0.4], [0.3, 0.3]]]))
assert got["text"] == 0, "both captions score the same, and you count a win: a tie is no win"
### BEGIN HIDDEN TESTS
assert pair_scores(np.ones((3, 2, 2))) == {"text": 0.0, "image": 0.0, "group": 0.0}, "all scores equal: nothing is won"
assert pair_scores(np.array([[[0.4, 0.3], [0.4, 0.5]]]))["image"] == 0, "a tie between two images is no win either"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pair-scores-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: a score that is nan compares as False and would pass for a loss. (Good input first.)
assert pair_scores(np.array([[[1.0, 0.0], [0.0, 1.0]]]))["text"] == 1, "good input must still work"
try:
    pair_scores(np.array([[[1.0, np.nan], [0.0, 1.0]]]))
except ValueError:
    pass
else:
    raise AssertionError("a nan is no score: raise a ValueError")
### BEGIN HIDDEN TESTS
for bad in (np.zeros((0, 2, 2)), np.zeros((2, 2)), np.zeros((4, 3, 3))):
    try:
        pair_scores(bad)
    except ValueError:
        continue
    raise AssertionError("no pair, or another shape, must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# Now four kinds of pairs, each two films of the same body. **Side**: a left against a right effusion. **Size**: small against large. **Negation**: "large left effusion, no nodule" against "large left nodule, no effusion". **Binding**: two findings that exchange their sides. The combination that training never saw is left out here.
#
# The decoder has no vector for a caption. Its score is the log-likelihood $\log p(\text{caption} \mid x)$.
#
# **Predict before you run.** For each kind of pair: can a bag of words win it at all? In which will the transformer, trained with the same contrastive loss, beat the bag?

# %% tags=["demo"]
def vlm_pairs(kind: str, n: int, seed: int) -> tuple:
    """Films (n, 2, 1, 32, 32) and captions (2n) of n pairs: caption i of a pair is right for film i."""
    rng, films, texts = np.random.default_rng(seed), [], []
    flip = {"right": "left", "left": "right", "small": "large", "large": "small"}
    while len(films) < n:
        a, b = (str(name) for name in rng.permutation(VLM_KINDS)[:2])
        side, size, form = VLM_SIDES[rng.integers(2)], VLM_SIZES[rng.integers(2)], rng.integers(3)
        first = ((a, side, size),)
        second = {"side": ((a, flip[side], size),), "size": ((a, side, flip[size]),), "negation": ((b, side, size),), "binding": ((a, flip[side], size), (b, side, size))}[kind]
        if kind == "binding":
            first = (*first, (b, flip[side], size))
        if VLM_NEVER in first + second:
            continue
        no = {"negation": (f" no {b} .", f" no {a} .")}.get(kind, ("", ""))
        texts += [" ".join(vlm_said(one, form) for one in found) + end for found, end in zip((first, second), no, strict=True)]
        films.append(np.stack([vlm_film(found, 9_000_000 + 1000 * seed + len(films)) for found in (first, second)]))
    return torch.from_numpy(np.stack(films))[:, :, None], texts


@torch.no_grad()
def vlm_score(tokens: torch.Tensor, text: torch.Tensor, who: str) -> torch.Tensor:
    """Scores (N,) of images with captions, row by row."""
    if who != "caption decoder":
        return (vlm.image_vector(tokens, who) * vlm.text[who](text)).sum(1)
    return -F.cross_entropy(vlm.writer(tokens, text[:, :-1]).transpose(1, 2), text[:, 1:], ignore_index=0, reduction="none").sum(1)


def vlm_won(kind: str, who: str, n: int, seed: int = 7) -> np.ndarray:
    """(n, 3) booleans: text, image and group won, with a rounding error's tolerance."""
    films, texts = vlm_pairs(kind, n, seed)
    tokens, text = vlm.look(films.flatten(0, 1).to(device)).unflatten(0, (n, 2)), vlm_encode(texts).to(device).unflatten(0, (n, 2))
    s = np.stack([[vlm_score(tokens[:, i], text[:, j], who).cpu().numpy() for j in (0, 1)] for i in (0, 1)])
    more = s[(0, 1), (0, 1)] - np.stack([s[(0, 1), (1, 0)], s[(1, 0), (0, 1)]]) > 1e-5  # (captions or images, which, n)
    return np.concatenate([more.all(1), more.all((0, 1))[None]]).T

# %% tags=["demo"]
def vlm_interval(values: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Mean and 95 % bootstrap interval over patients (or pairs)."""
    rng, values = np.random.default_rng(seed), np.asarray(values, dtype=float)
    draws = values[rng.integers(0, len(values), (1000, len(values)))].mean(1)
    return float(values.mean()), *(float(v) for v in np.percentile(draws, [2.5, 97.5]))


VLM_READERS = ("bag of words", "transformer", "caption decoder")
VLM_PAIR_KINDS = ("side", "size", "negation", "binding")
with torch.no_grad():
    vlm_board = {(kind, who): vlm_won(kind, who, run.pick(ci=200, laptop=400)) for kind in VLM_PAIR_KINDS for who in VLM_READERS}
fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
for number, (who, mark) in enumerate(zip(VLM_READERS, "osD", strict=True)):
    for place, kind in enumerate(VLM_PAIR_KINDS):
        mean, low, high = vlm_interval(vlm_board[kind, who][:, 2])
        ax.errorbar(place + 0.2 * (number - 1), mean, [[mean - low], [high - mean]], fmt=mark, color=show.PALETTE[number], capsize=3, label=who if place == 0 else None)
ax.axhline(1 / 6, color="black", linestyle=":", linewidth=1)
ax.set(xticks=range(4), xticklabels=VLM_PAIR_KINDS, ylabel="group score (chance 1/6, dotted)", ylim=(-0.04, 1.04))
ax.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 0.22))
show.figure(fig, alt="Group score with intervals for four kinds of pairs and three readers of the caption: all are high for side and size; for negation and binding the bag of words is at zero and the caption decoder highest; the contrastive transformer fails at binding")
print(f"{'pairs':10s} {'':16s} {'text':>6s} {'image':>6s} {'group':>6s}")
for (kind, who), won in vlm_board.items():
    print(f"{kind:10s} {who:16s} {won[:, 0].mean():6.2f} {won[:, 1].mean():6.2f} {won[:, 2].mean():6.2f}")

# %% [markdown]
# The bag of words can't win where both captions hold the same words: it is 0 by construction, below chance, since a tie is no win. Ordinary retrieval never shows that; side and size look well.
#
# The transformer *could* read the order, and for binding it hardly does. Its loss did not ask for it: in a batch of random pairs few foreign reports hold the same words in another order. The decoder was asked at every word. That is the argument of Tschannen et al. (NeurIPS 2023) for captioning as pre-training. A caution: our decoder also looks at all 64 image tokens, the contrastive image vector is one point;
# the figure does not tell these two causes apart.
#
# **What can be done?** Put hard negatives into the batch (the same caption with sides exchanged, or negated), train with captions or with boxes, and test with pairs like these *before* a tool is used on reports, in which most sentences say "no".

# %% [markdown]
# ### What was never seen together
#
# Training showed large nodules, left nodules, and large left effusions. It never showed a **large left nodule**. A radiologist who knows the three words needs no example. A model that has learned triples by heart does. To measure it, you need a split that leaks nothing.

# %% [markdown]
# ### Exercise 14.1c - hold a combination out
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can test composition without a leak*
#
# Write `hold_out(findings, patients, held)`. It returns the image numbers for training and for the test of the combination.
#
# - **test**: images that show the held triple itself. "Large right nodule and small left effusion" holds the three words, and not the triple.
# - **train**: images of patients *none* of whose images shows it. A patient's earlier film without the nodule would still show the same body; it goes into neither part.
# - Each of the three words must occur in the training findings *in its place* (as a kind, side or size). Otherwise a failure would be an unknown word, not an unknown combination: raise a `ValueError`.
#
# <details><summary>Hint 1: the idea</summary>Whose images show it? Those patients never enter training. Then look at which kinds, sides and sizes are left.</details>
# <details><summary>Hint 2: what to call</summary><code>held in [tuple(one) for one in image_findings]</code>; a <code>set</code> of patients.</details>
# <details><summary>My test set is too large</summary>Do you look for three words anywhere in the image's findings? They must belong to one finding.</details>
# <details><summary>Patient 3 is in both parts</summary>Exclude the patient, not the image.</details>

# %% nbgrader={"grade": false, "grade_id": "hold-out", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hold_out(findings: list, patients: list, held: tuple[str, str, str]) -> tuple[list[int], list[int]]:
    """Split images so that a combination is unseen in training, by patient.

    Args:
        findings: for each image a list of triples (kind, side, size), possibly empty.
        patients: for each image its patient's id.
        held: the triple to hold out.

    Returns:
        (train, test): ascending image numbers; images of affected patients that don't show the triple are in neither.

    Raises:
        ValueError: lengths differ, no image shows the triple, or its kind, side or size does not occur in the training findings.
    """
    ### BEGIN SOLUTION
    if len(findings) != len(patients):
        raise ValueError("each image needs its patient")
    held = tuple(held)
    test = [i for i, image in enumerate(findings) if held in [tuple(one) for one in image]]
    if not test:
        raise ValueError(f"no image shows {held}")
    theirs = {patients[i] for i in test}
    train = [i for i, patient in enumerate(patients) if patient not in theirs]
    for place, word in enumerate(held):
        if not any(one[place] == word for i in train for one in findings[i]):
            raise ValueError(f"training never shows '{word}': that would test an unknown word, not an unknown combination")
    return train, test
    ### END SOLUTION

# %% tags=["given"]
def hold_out_cases() -> tuple:
    """Findings of nine images, their patients, and the triple to hold out."""
    seen = [[("nodule", "left", "large")], [], [("nodule", "right", "large"), ("effusion", "left", "small")], [("nodule", "left", "small")], [("effusion", "left", "large")],
            [("effusion", "right", "small"), ("nodule", "left", "large")], [("nodule", "right", "small")], [], [("effusion", "left", "small")]]
    return seen, ["a", "b", "c", "d", "e", "f", "f", "a", "g"], ("nodule", "left", "large")

# %% nbgrader={"grade": true, "grade_id": "hold-out-triple", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The test: images 0 and 5 show a large left nodule. Image 2 has the three words in two findings
seen, who, triple = hold_out_cases()
train, test = (sorted(int(i) for i in part) for part in hold_out(seen, who, triple))
assert 2 not in test, "image 2 shows a large right nodule and a small left effusion: the three words belong to two findings, so it is not the held triple"
assert 3 not in test and 4 not in test, "a small left nodule, or a large left effusion, shares two words with the triple: it is not the triple"
assert test == [0, 5], f"images 0 and 5 show the triple, also beside another finding; you return {test}"
### BEGIN HIDDEN TESTS
train, test = (sorted(int(i) for i in part) for part in hold_out(seen, who, ("effusion", "left", "small")))
assert test == [2, 8], "another triple: the test images are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "hold-out-patient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The training: nobody who ever shows it, but everybody else, also with nodules, with left findings, with large ones
seen, who, triple = hold_out_cases()
train, test = (sorted(int(i) for i in part) for part in hold_out(seen, who, triple))
assert not {0, 5} & set(train), "an image with the held triple is in training"
assert not {6, 7} & set(train), "images 6 and 7 are of patients who show the triple in another image: split by patient"
assert {2, 3, 4} <= set(train), "images 2, 3 and 4 show the words, but not the triple: training needs them, or the words are unknown"
assert train == [1, 2, 3, 4, 8], f"expected 1, 2, 3, 4, 8; you return {train}"
### BEGIN HIDDEN TESTS
train, test = (sorted(int(i) for i in part) for part in hold_out(seen, who, ("effusion", "left", "small")))
assert train == [0, 1, 3, 4, 5, 6, 7], "another triple: the training images are off"
numbered = [{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7}[one] for one in who]
assert [int(i) for i in hold_out(seen, numbered, triple)[0]] == [1, 2, 3, 4, 8], "patients may be numbers, too"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "hold-out-words", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Without its words, a combination can't be tested: here no other nodule is left in training
good = [[("nodule", "left", "large")], [("nodule", "right", "small")], [("effusion", "left", "large")]]
train, test = hold_out(good, [1, 2, 3], ("nodule", "left", "large"))
assert list(train) == [1, 2] and list(test) == [0], "three patients: one is tested, two train"
try:
    hold_out([[("nodule", "left", "large")], [("effusion", "left", "large")], [("effusion", "right", "small")]], [1, 2, 3], ("nodule", "left", "large"))
except ValueError:
    pass
else:
    raise AssertionError("training never shows a nodule: a failure would be an unknown word. Raise a ValueError")
### BEGIN HIDDEN TESTS
for rest in ([[("nodule", "right", "large")]], [[("nodule", "left", "small")]], [[("effusion", "left", "large")]]):
    try:
        hold_out([[("nodule", "left", "large")], *rest], [1, 2], ("nodule", "left", "large"))
    except ValueError:
        continue
    raise AssertionError("a side, a size or a kind that training never shows must raise a ValueError")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "hold-out-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: nobody shows the triple, so nothing is tested. (Good input first.)
seen, who, triple = hold_out_cases()
assert len(hold_out(seen, who, triple)[1]) == 2, "good input must still work"
try:
    hold_out(seen, who, ("nodule", "right", "tiny"))
except ValueError:
    pass
else:
    raise AssertionError("no image shows the triple, so the test set would be empty: raise a ValueError")
### BEGIN HIDDEN TESTS
try:
    hold_out(seen, who[:-1], triple)
except ValueError:
    pass
else:
    raise AssertionError("an image without a patient can't be split: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Captions: what is invented, what is left out
#
# The decoder now writes a report for each test film: always the likeliest next word, until `<end>`. We read the findings out of it, and count over patients
#
# - **hallucination**: the share of stated findings that are not in the film;
# - **omission**: the share of the film's findings that are not stated.
#
# Either alone is cheated easily: a silent model invents nothing. Three baselines stand beside it: the commonest report; the report of the most similar training film (by pixels); and the decoder looking at *another* patient's film, which is what language alone would say.
#
# **Predict before you run.** Will the decoder be worse for whole triples than for kinds? What will it write for a large left nodule?

# %% tags=["demo"]
@torch.no_grad()
def vlm_captions(films: torch.Tensor) -> list[str]:
    """Greedy captions of films (N, 1, 32, 32)."""
    tokens, text = vlm.look(films.to(device)), torch.ones(len(films), 1, dtype=torch.long, device=device)
    while text.shape[1] < VLM_LONGEST and not (text == 2).any(1).all():
        text = torch.cat([text, vlm.writer(tokens, text)[:, -1].argmax(-1, keepdim=True)], 1)
    return [" ".join(VLM_WORDS[word] for word in row[1 : (row + [2]).index(2)]) for row in text.tolist()]


def vlm_read(text: str) -> set:
    """The findings that a report states; a sentence with "no" or "absent" states none."""
    found = set()
    for words in (sentence.split() for sentence in text.split(".")):
        kinds, sides, sizes = ([word for word in words if word in group] for group in (VLM_KINDS, VLM_SIDES, VLM_SIZES))
        if kinds and not {"no", "absent"} & set(words):
            found.add((kinds[0], sides[0] if sides else "?", sizes[0] if sizes else "?"))
    return found


vlm_written = vlm_captions(vlm_test[1])
vlm_flat = vlm_train[1].flatten(1) - vlm_train[1].flatten(1).mean(1, keepdim=True)
vlm_alike = torch.cdist(vlm_test[1].flatten(1) - vlm_test[1].flatten(1).mean(1, keepdim=True), vlm_flat).argmin(1).tolist()
vlm_commonest = max(sorted(set(vlm_train[2])), key=vlm_train[2].count)
vlm_reports = {"decoder": vlm_written, "decoder, another film": vlm_written[1:] + vlm_written[:1],
               "most similar film": [vlm_train[2][i] for i in vlm_alike], "commonest report": [vlm_commonest] * len(vlm_written)}
for i in [k for k, one in enumerate(vlm_test[0]) if one][:3]:
    print(f"truth   {'; '.join(' '.join(one[::-1]) for one in vlm_test[0][i])}\nwritten {vlm_written[i]}\n")

# %% tags=["demo"]
def vlm_rates(texts: list[str], level: str, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """Hallucination and omission with 95 % intervals over patients. level: "kind" or "triple"."""
    part = {"kind": lambda found: {one[0] for one in found}, "triple": set}[level]
    counts = np.array([[len(said - true), len(said), len(true - said), len(true)] for said, true in ((part(vlm_read(t)), part(f)) for t, f in zip(texts, vlm_test[0], strict=True))])
    sums = counts[np.random.default_rng(seed).integers(0, len(counts), (1000, len(counts)))].sum(1)
    return {name: (counts[:, a].sum() / max(counts[:, a + 1].sum(), 1), *np.percentile(sums[:, a] / np.maximum(sums[:, a + 1], 1), [2.5, 97.5])) for name, a in (("hallucination", 0), ("omission", 2))}


vlm_table = {(name, level): vlm_rates(texts, level) for name, texts in vlm_reports.items() for level in ("kind", "triple")}
fig, ax = plt.subplots(figsize=(6.8, 3.6), layout="constrained")
for number, name in enumerate(vlm_reports):
    for level, fill in (("kind", "none"), ("triple", show.PALETTE[number])):
        (x, x_low, x_high), (y, y_low, y_high) = (vlm_table[name, level][what] for what in ("omission", "hallucination"))
        ax.errorbar(x, y, [[y - y_low], [y_high - y]], [[x - x_low], [x_high - x]], fmt="Dosv"[number], color=show.PALETTE[number], markerfacecolor=fill, markersize=8, label=f"{name}, {level}s")
ax.set(xlabel="omission: true findings not stated", ylabel="hallucination: stated findings not true", xlim=(-0.03, 1.05), ylim=(-0.03, 1.0))
ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
show.figure(fig, alt="Omission against hallucination for the decoder and three baselines, for kinds (open marks) and whole triples (filled): for kinds the decoder is nearest to zero on both; for triples the most similar film's report invents less and omits more; the commonest report invents nothing and omits everything; another patient's caption is wrong in most")
for (name, level), rates in vlm_table.items():
    print(f"{name:22s} {level:7s} " + ", ".join(f"{what} {mean:.2f} ({low:.2f} to {high:.2f})" for what, (mean, low, high) in rates.items()))

# %% tags=["demo"]
from collections import Counter


def vlm_recall(finding: tuple, n: int) -> np.ndarray:
    """Was the exact triple written? (n,) booleans, for n new patients with this one finding."""
    films = torch.from_numpy(np.stack([vlm_film((finding,), 7_000_000 + i) for i in range(n)]))[:, None]
    texts = vlm_captions(films)
    vlm_what[finding] = Counter(" + ".join(" ".join(one[::-1]) for one in sorted(vlm_read(text))) or "nothing" for text in texts)
    return np.array([finding in vlm_read(text) for text in texts])


vlm_what = {}
vlm_twins = [VLM_NEVER, ("nodule", "right", "large"), ("nodule", "left", "small"), ("effusion", "left", "large")]
vlm_recalls = {one: vlm_interval(vlm_recall(one, run.pick(ci=150, laptop=300))) for one in vlm_twins}
fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for row, (one, (mean, low, high)) in enumerate(vlm_recalls.items()):
    ax.errorbar(mean, row, xerr=[[mean - low], [high - mean]], fmt="D" if one == VLM_NEVER else "o", color=show.PALETTE[3 if one == VLM_NEVER else 0], capsize=3, markersize=8)
ax.set(yticks=range(len(vlm_twins)), yticklabels=[" ".join(one[::-1]) + (" (never in training)" if one == VLM_NEVER else "") for one in vlm_twins], xlabel="share of films with the exact finding in the caption", xlim=(-0.03, 1.03))
ax.invert_yaxis()
show.figure(fig, alt="Share of captions with the exact finding: near zero for the large left nodule, which training never showed, high for its three relatives that share two of its words")
print("written for a large left nodule:", "; ".join(f"{text} ({count})" for text, count in vlm_what[VLM_NEVER].most_common(4)))

# %% [markdown]
# The three words are known, each relative that shares two of them is written, and the combination is not: for the film in front of it the decoder writes the nearest triple that it has met. That is the failure to remember when a vendor shows a foundation model on a common disease and you have a rare variant of it. What helps is *coverage* of combinations in training more than the number of films; both can be tested
# as here. (One combination was held out: how it is with others, you can try by changing `VLM_NEVER`.)
#
# The rates say a second thing. Most errors of the decoder are not invented kinds, but a wrong side or size of a true kind. Counting kinds alone hides them. For whole triples, the report of the most similar film may even invent less than the decoder, and omits more: with a single score either can be made the winner, so report both rates.

# %% tags=["demo"]
import ipywidgets as widgets


def vlm_draw(patient: int):
    """A test film, its truth, its caption, and the zero-shot probabilities."""
    fig, axes = plt.subplots(1, 2, figsize=(8, 2.9), layout="constrained", width_ratios=(1, 1.5))
    axes[0].imshow(vlm_test[1][patient, 0], vmin=0.1, vmax=1.0)
    axes[0].set_axis_off()
    values = [vlm_probability(vlm_zero[kind]["margin"][1][patient]) for kind in VLM_KINDS]
    axes[1].barh(range(3), values, color=show.PALETTE[5])
    for row, kind in enumerate(VLM_KINDS):
        axes[1].annotate("in the film" if vlm_has[kind][patient] else "not in the film", (0.02, row), va="center", fontsize=8)
    axes[1].set(yticks=range(3), yticklabels=VLM_KINDS, xlim=(0, 1), xlabel="zero-shot probability, not calibrated")
    fig.suptitle(f"truth: {'; '.join(' '.join(one[::-1]) for one in vlm_test[0][patient]) or 'nothing'}\nwritten: {vlm_written[patient]}", fontsize=9)
    return fig


vlm_first_error = next((i for i, one in enumerate(vlm_test[0]) if one and vlm_read(vlm_written[i]) != set(one)), 0)
show.explore(vlm_draw, patient=widgets.IntSlider(vlm_first_error, 0, len(vlm_test[0]) - 1, description="patient"),
             alt="A test film whose caption is wrong, with the truth and the caption above it and bars of the zero-shot probability of each finding")
vlm_group = {who: vlm_interval(vlm_board["binding", who][:, 2]) for who in VLM_READERS}
assert vlm_group["caption decoder"][0] > 1 / 6 + 0.1 and vlm_group["bag of words"][0] == 0, "the decoder should bind side and finding better than chance; a bag of words can't"
assert min(one["ensemble"] for one in vlm_zero.values()) > 0.8, "zero-shot with the ensemble should rank every finding"
assert vlm_table["decoder", "triple"]["omission"][0] < vlm_table["most similar film", "triple"]["omission"][0] - 0.1, "the decoder should omit less than the most similar film's report does"

# %% [markdown]
# **Checkpoint.** A vendor's model reaches a retrieval recall@10 of 0.9 on 1000 film-report pairs. You want it to flag reports whose side contradicts the film. What does the figure say about that, and which test do you ask for?
#
# <details><summary>Answer</summary>Next to nothing: random foreign reports differ in kind, length and wording, so a bag of words can reach it. Ask for pairs: the same report with the sides exchanged, and with findings negated, on your own films, with text, image and group scores and intervals over patients. Most of all for reports with two findings, where both captions hold the same words.</details>

# %% [markdown]
# ## 14.2 Medical visual foundation models
#
# For each organ, each scanner and each question a segmentation network has been trained from scratch, with hundreds of outlines. A **foundation model** turns this round: one network, trained on very many structures, that is told *by a prompt* what is wanted. The Segment Anything Model, SAM (Kirillov et al., ICCV 2023), takes clicks and boxes. MedSAM (Ma et al., Nature Communications 2024) adapted it to more than a million
# pairs of medical images and masks. In the clinic the promise is one tool for a structure that nobody has labelled before.
#
# The parts, and why they are cut so:
#
# - an **image encoder**, large and slow, runs *once* an image;
# - a **prompt encoder** turns a click (row, column) or the two corners of a box into tokens. Places become Fourier features $\gamma(p) = [\sin 2\pi p^\top W,\ \cos 2\pi p^\top W]$ with a fixed random $W$ (Tancik et al., NeurIPS 2020), plus a learned vector for the kind of prompt;
# - a light **mask decoder** lets prompt tokens and image tokens attend to each other, and runs once a *prompt*: milliseconds, so the user sees the mask while clicking.
#
# **A click is ambiguous.** Who clicks into the head of the hippocampus may want the head, or all of it. One answer would have to average both. So the decoder gives $M = 3$ masks, and a guess $\hat u_m$ of each mask's IoU with what is wanted. With the loss $\ell_m$ of mask $m$, and its true IoU $u_m$:
#
# $$L = \frac1N \sum_{n} \Big[ \min_m \ell_{nm} + \frac1M \sum_m (\hat u_{nm} - u_{nm})^2 \Big]$$
#
# Only the best mask of each prompt learns to segment, so the three may specialise. The mean would pull all three to the same compromise. All $M$ guesses learn, since each mask needs its grade, and $u$ is a *target*: it is computed from the thresholded mask and carries no gradient.

# %% [markdown]
# ### Exercise 14.2a - several masks, one of them right
#
# Difficulty 3 of 5 - 4 points - about 25 minutes - *after it you can train a network whose task is ambiguous*
#
# Write `best_mask_loss(logits, iou, target)` by the formula above. The loss of a mask is its soft Dice loss with $p = \sigma(\text{logits})$:
#
# $$\ell = 1 - \frac{2 \sum p\,y + 1}{\sum p + \sum y + 1}$$
#
# The true IoU compares logits above 0 with the target; two empty masks agree perfectly.
#
# <details><summary>Hint 1: the idea</summary>First a table (N, M) of Dice losses: its smallest entry in each row counts. Then a table (N, M) of true IoUs: every entry counts.</details>
# <details><summary>Hint 2: what to call</summary><code>tensor.amin(1)</code>; <code>&amp;</code> and <code>|</code> of boolean tensors; <code>target[:, None]</code> has the axis of the masks.</details>
# <details><summary>My three masks look the same after training</summary>Do you take the mean over masks? Then all learn the same compromise. Take the smallest, in each row by itself.</details>
# <details><summary>My IoU term pulls at the masks</summary>Then the IoU is a soft one, from probabilities. Threshold the logits: a target carries no gradient.</details>

# %% nbgrader={"grade": false, "grade_id": "best-mask-loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_mask_loss(logits: torch.Tensor, iou: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Loss of a decoder with several masks for each prompt.

    Args:
        logits: (N, M, H, W), one channel a mask.
        iou: (N, M), the network's guess of each mask's IoU.
        target: (N, H, W) bool, what was wanted.

    Returns:
        A scalar: mean over prompts of the best mask's soft Dice loss, plus the mean squared error of all IoU guesses.
    """
    ### BEGIN SOLUTION
    y = target[:, None].to(logits.dtype)
    p = logits.sigmoid()
    dice = 1 - (2 * (p * y).sum((2, 3)) + 1) / (p.sum((2, 3)) + y.sum((2, 3)) + 1)
    with torch.no_grad():
        said, wanted = logits > 0, target[:, None].bool()
        union = (said | wanted).sum((2, 3))
        true = torch.where(union == 0, 1.0, (said & wanted).sum((2, 3)) / union.clamp(min=1))
    return dice.amin(1).mean() + ((iou - true.to(iou.dtype)) ** 2).mean()
    ### END SOLUTION

# %% tags=["given"]
def run_best_mask_loss(logits, iou, target) -> dict:
    """Your loss, and its gradients at the logits and at the IoU guesses (None where none arrives); arrays."""
    made = [torch.tensor(np.asarray(part, dtype=np.float64), requires_grad=True) for part in (logits, iou)]
    loss = best_mask_loss(*made, torch.tensor(np.asarray(target, dtype=bool)))
    if loss.requires_grad and loss.ndim == 0:
        loss.backward()
    return {"loss": loss.detach().numpy().copy(), "logits": None if made[0].grad is None else made[0].grad.numpy().copy(), "iou": None if made[1].grad is None else made[1].grad.numpy().copy()}

# %% tags=["given"]
def mask_case(seed: int, n: int = 3, m: int = 3) -> tuple:
    """Logits (n, m, 6, 5) and targets (n, 6, 5); then by numpy: Dice losses and true IoUs, both (n, m)."""
    rng = np.random.default_rng(seed)
    logits, target = rng.normal(0, 3, (n, m, 6, 5)), rng.random((n, 6, 5)) < 0.4
    p, y, said = 1 / (1 + np.exp(-logits)), target[:, None], logits > 0
    dice = 1 - (2 * (p * y).sum((2, 3)) + 1) / (p.sum((2, 3)) + y.sum((2, 3)) + 1)
    return logits, target, dice, (said & y).sum((2, 3)) / (said | y).sum((2, 3))

# %% nbgrader={"grade": true, "grade_id": "best-mask-loss-min", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# With the true IoU as guess only the Dice part is left: the smallest of each row, then the mean over prompts
logits, target, dice, true = mask_case(1)
value = np.asarray(run_best_mask_loss(logits, true, target)["loss"])
assert value.ndim == 0, f"return one number, not the shape {value.shape}"
assert not np.isclose(value, dice.mean()), "that is the mean over masks: all three would learn the same compromise. Take the smallest of each prompt"
assert not np.isclose(value, dice.min()), "that is the smallest over all prompts: each prompt has its own best mask"
assert not np.isclose(value, dice[:, 0].mean()), "only the first mask counts in your loss"
assert not np.isclose(value, dice.max(1).mean()), "that is the worst mask: the loss takes the smallest"
assert np.isclose(value, dice.min(1).mean(), atol=1e-5), f"expected {dice.min(1).mean():.4f}, got {float(value):.4f}"
### BEGIN HIDDEN TESTS
for seed, n, m in ((2, 5, 2), (3, 1, 4)):
    logits, target, dice, true = mask_case(seed, n, m)
    assert np.isclose(np.asarray(run_best_mask_loss(logits, true, target)["loss"]), dice.min(1).mean(), atol=1e-5), "for other numbers of prompts and masks the Dice part is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "best-mask-loss-iou", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Every mask's guess is graded, the bad masks' most of all: they must learn that they are bad
logits, target, dice, true = mask_case(4)
guess = true + np.array([0.3, -0.2, 0.1])
extra = float(np.asarray(run_best_mask_loss(logits, guess, target)["loss"])) - dice.min(1).mean()
best = dice.argmin(1)
assert not np.isclose(extra, ((guess - true)[np.arange(3), best] ** 2).mean(), atol=1e-5), "only the best mask's guess is graded: then nothing tells the others that they are bad"
assert not np.isclose(extra, 3 * np.mean((guess - true) ** 2), atol=1e-5), "the errors of the guesses are summed over masks: take their mean"
assert np.isclose(extra, np.mean((guess - true) ** 2), atol=1e-5), f"the IoU part should be {np.mean((guess - true) ** 2):.4f}, not {extra:.4f}. Is the true IoU that of logits above 0?"
### BEGIN HIDDEN TESTS
logits, target, dice, true = mask_case(5, 4, 2)
got = float(np.asarray(run_best_mask_loss(logits, np.zeros((4, 2)), target)["loss"]))
assert np.isclose(got, dice.min(1).mean() + (true**2).mean(), atol=1e-5), "with guesses of 0 the IoU part is the mean squared IoU"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "best-mask-loss-gradient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Who learns? In each prompt the best mask alone, and every guess. The IoU is a target: it must not pull at the masks
logits, target, dice, true = mask_case(6)
got = run_best_mask_loss(logits, true + 0.5, target)
assert got["logits"] is not None and got["iou"] is not None, "no gradient arrives at the logits or at the guesses: is something detached that must learn?"
pull, best = np.abs(got["logits"]).sum((2, 3)), dice.argmin(1)
assert (pull[np.arange(3), best] > 1e-6).all(), "the best mask of a prompt gets no gradient"
pull[np.arange(3), best] = 0
assert (pull < 1e-8).all(), "masks that are not the best get a gradient: either you average over masks, or a soft IoU pulls at them"
assert np.allclose(got["iou"], 2 * 0.5 / 9, atol=1e-5), "the gradient at the guesses should be 2 (guess - true) / (N M) for each"
### BEGIN HIDDEN TESTS
first = run_best_mask_loss(logits, true, target)["logits"]
assert np.allclose(first, got["logits"], atol=1e-8), "another guess changes the gradient at the masks: the IoU target is not detached"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "best-mask-loss-empty", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A prompt beside everything: target empty. The empty mask is right, and its IoU is 1, not nan
logits, target = np.full((1, 2, 4, 4), -30.0), np.zeros((1, 4, 4), bool)
value = float(np.asarray(run_best_mask_loss(logits, np.ones((1, 2)), target)["loss"]))
assert np.isfinite(value), "two empty masks give a nan: the union is 0. They agree perfectly, so the IoU is 1"
assert abs(value) < 1e-4, f"empty mask, empty target, guess of 1: the loss should be 0, not {value:.3f}"
### BEGIN HIDDEN TESTS
logits[0, 1] = 30.0
value = float(np.asarray(run_best_mask_loss(logits, np.array([[1.0, 0.0]]), target)["loss"]))
assert abs(value) < 1e-4, "an empty target with one empty and one full mask: IoU 1 and 0"
### END HIDDEN TESTS

# %% [markdown]
# ### A small promptable segmenter
#
# Broad pre-training data first. We take four kinds of images of this course (MR brains, nuclei, ultrasound, chest CT) and random blobs in two parts on random textures; synthetic shapes as training data are an idea of SynthSeg (Billot et al., Medical Image Analysis 2023). Objects lie within each other: a lesion in the brain, a nucleus in a clump, a part of a blob. *No hippocampus is among them.*

# %% tags=["demo"]
from scipy import ndimage

SAM_SIDE, SAM_D = 32, 48
SAM_GRID = np.mgrid[:SAM_SIDE, :SAM_SIDE].astype(float)


def sam_scaled(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, [1, 99])
    return np.clip((image - low) / (high - low + 1e-6), 0, 1).astype(np.float32)


def sam_brain(seed: int) -> tuple[np.ndarray, list]:
    one = simulate.brain_slice(("t1", "t2", "flair")[seed % 3], size=SAM_SIDE, spacing=6.0, lesions=4, seed=seed)
    groups = [ndimage.label(mask) for mask in (one.tissue == 1, one.tissue >= 3, one.lesion)]
    return sam_scaled(one.image), [one.mask, *(names == i for names, n in groups for i in range(1, n + 1))]


def sam_nuclei(seed: int) -> tuple[np.ndarray, list]:
    one = simulate.nuclei(count=7, shape=(2 * SAM_SIDE, 2 * SAM_SIDE), touching=0.6, seed=seed)
    names = one.labels[::2, ::2]
    clumps, n = ndimage.label(names > 0)
    clumps = [clumps == i for i in range(1, n + 1) if len(np.unique(names[clumps == i])) > 1]
    return sam_scaled(one.image[::2, ::2]), [names == i for i in np.unique(names) if i] + clumps


def sam_ultrasound(seed: int) -> tuple[np.ndarray, list]:
    one = simulate.ultrasound(malignant=bool(seed % 2), shape=(2 * SAM_SIDE, 2 * SAM_SIDE), spacing=0.5, seed=seed)
    return sam_scaled(ndimage.zoom(one.image.astype(float), 0.5, order=1)), [one.lesion[::2, ::2]]


def sam_chest(seed: int) -> tuple[np.ndarray, list]:
    one = simulate.thorax_slice(size=SAM_SIDE, spacing=11.0, seed=seed)
    return np.clip((one.hu + 1000) / 1400, 0, 1).astype(np.float32), [one.masks[name] for name in ("body", "left_lung", "right_lung", "lungs", "heart", "liver", "spine")]

# %% tags=["demo"]
def sam_blob(seed: int) -> tuple[np.ndarray, list]:
    """A bent blob in two parts on a random texture: the whole, and each part."""
    rng = np.random.default_rng(seed)
    angle, (row, column), long = rng.uniform(0, np.pi), rng.uniform(0.35, 0.65, 2) * SAM_SIDE, rng.uniform(0.2, 0.42) * SAM_SIDE
    u = (SAM_GRID[0] - row) * np.cos(angle) + (SAM_GRID[1] - column) * np.sin(angle)
    v = (SAM_GRID[1] - column) * np.cos(angle) - (SAM_GRID[0] - row) * np.sin(angle) + rng.uniform(-0.04, 0.04) * u**2
    whole = (u / long) ** 2 + (v / (rng.uniform(0.25, 0.6) * long)) ** 2 < 1 + 2 * ndimage.gaussian_filter(rng.standard_normal(u.shape), 3)
    front, back = whole & (u > rng.uniform(-0.4, 0.4) * long), ndimage.gaussian_filter(rng.standard_normal(u.shape), rng.uniform(1.5, 4))
    image = (0.5 + 0.12 * back / back.std()) * (1 - 0.6 * whole) + whole * (0.3 + rng.choice([-1, 1]) * rng.uniform(0.15, 0.35)) + front * rng.normal(0, 0.06)
    return sam_scaled(ndimage.gaussian_filter(image, 0.6) + rng.normal(0, 0.03, u.shape)), [whole, front, whole & ~front]


SAM_KINDS = {"brain": (sam_brain, 70), "nuclei": (sam_nuclei, 70), "ultrasound": (sam_ultrasound, 35), "chest": (sam_chest, 15), "blob": (sam_blob, 140)}


def sam_pool(share: float, seed: int) -> list[tuple]:
    """(kind, image, its masks of at least 10 pixels) of simulated patients."""
    made = ((kind, *make(seed + i)) for kind, (make, n) in SAM_KINDS.items() for i in range(int(share * n)))
    kept = [(kind, image, [mask for mask in masks if mask.sum() >= 10]) for kind, image, masks in made]
    return [one for one in kept if one[2]]


sam_train, sam_val, sam_test = (sam_pool(share, seed) for share, seed in ((run.pick(ci=1.0, laptop=4.0), 10_000 * SEED + 1000), (0.3, 10_000 * SEED + 6000), (0.5, 10_000 * SEED + 8000)))
sam_first = [next(one for one in sam_test if one[0] == kind) for kind in SAM_KINDS]
show.row([one[1] for one in sam_first], titles=[f"{kind}, {len(masks)} masks" for kind, _, masks in sam_first], overlay=[sum((i + 1) * (mask & (np.add.reduce(one[2][i + 1 :], 0) == 0) if i + 1 < len(one[2]) else mask) for i, mask in enumerate(one[2])) for one in sam_first],
         window=(0, 1), alt="One simulated image of each kind of the pre-training data with the outlines of its objects: brain, nuclei, ultrasound, chest CT, and a blob in two parts")
print(len(sam_train), "images and", sum(len(one[2]) for one in sam_train), "masks for pre-training")

# %% tags=["demo"]
class SamAttention(nn.Module):
    """Queries x (N, L, d) look at y (N, S, d); four linear maps, so that LoRA can sit on each."""

    def __init__(self, d: int):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.unflatten(-1, (4, -1)).transpose(1, 2) for part in (self.query(x), self.key(y), self.value(y)))
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class SamBlock(nn.Module):
    """A transformer block."""

    def __init__(self, d: int):
        super().__init__()
        self.norms, self.attention, self.mlp = nn.ModuleList([nn.LayerNorm(d), nn.LayerNorm(d)]), SamAttention(d), sam_mlp(d, 2 * d, d)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norms[0](x), self.norms[0](x))
        return x + self.mlp(self.norms[1](x))


def sam_mlp(a: int, b: int, c: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(a, b), nn.GELU(), nn.Linear(b, c))


class SamEncoder(nn.Module):
    """Images (N, 1, 32, 32) to tokens (N, 64, d) and fine features (N, 16, 16, 16)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 5, 2, 2), nn.GroupNorm(4, 16), nn.GELU(), nn.Conv2d(16, 16, 3, 1, 1), nn.GELU())
        self.patch, self.place = nn.Conv2d(16, SAM_D, 3, 2, 1), nn.Parameter(0.02 * torch.randn(64, SAM_D))
        self.blocks, self.norm = nn.Sequential(SamBlock(SAM_D), SamBlock(SAM_D)), nn.LayerNorm(SAM_D)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fine = self.stem(2 * image - 1)
        return self.norm(self.blocks(self.patch(fine).flatten(2).transpose(1, 2) + self.place)), fine

# %% tags=["demo"]
class SamPrompt(nn.Module):
    """Prompts (N, 2, 2), two places (row, column), boxes (N,) bool (False: a click, given twice): tokens (N, 2, d) and maps (N, 3, 16, 16)."""

    def __init__(self):
        super().__init__()
        self.register_buffer("w", 1.5 * torch.randn(2, SAM_D // 2))
        self.kind = nn.Parameter(0.02 * torch.randn(2, 2, SAM_D))

    def place(self, p: torch.Tensor) -> torch.Tensor:
        angle = 2 * torch.pi * (2 * p / SAM_SIDE - 1) @ self.w
        return torch.cat([angle.sin(), angle.cos()], -1)

    def forward(self, p: torch.Tensor, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        middle = torch.arange(SAM_SIDE // 2, device=p.device) * 2.0 + 1
        (r0, c0), (r1, c1) = ((p[:, i, j, None, None] for j in (0, 1)) for i in (0, 1))
        far, box = torch.hypot(middle[:, None] - r0, middle - c0), boxes[:, None, None].float()
        inside = (middle[:, None] - r0).sigmoid() * (r1 - middle[:, None]).sigmoid() * (middle - c0).sigmoid() * (c1 - middle).sigmoid()
        return self.place(p) + self.kind[boxes.long()], torch.stack([(1 - box) * torch.exp(-(far**2) / 8), (1 - box) * torch.exp(-far / 8), box * inside], 1)

# %% tags=["demo"]
class SamDecoder(nn.Module):
    """Tokens of one image a prompt, fine features, places, prompt: three masks (N, 3, 32, 32) as logits and three guesses of their IoU (N, 3)."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Parameter(0.1 * torch.randn(4, SAM_D))
        self.own, self.to_image, self.to_tokens, self.last = (SamAttention(SAM_D) for _ in range(4))
        self.norms, self.mlp = nn.ModuleList(nn.LayerNorm(SAM_D) for _ in range(5)), sam_mlp(SAM_D, 96, SAM_D)
        self.dense, self.down, self.up = nn.Conv2d(3, 16, 3, 1, 1), nn.Conv2d(16, SAM_D, 2, 2), nn.ConvTranspose2d(SAM_D, 16, 2, 2)
        self.fine = nn.ModuleList(nn.Sequential(nn.GroupNorm(4, 16), nn.GELU(), nn.Conv2d(16, 16, 3, 1, step, step)) for step in (1, 2, 4, 1))
        self.heads, self.grade = nn.ModuleList(sam_mlp(SAM_D, SAM_D, 17) for _ in range(3)), sam_mlp(SAM_D, SAM_D, 3)

    def forward(self, z: torch.Tensor, fine: torch.Tensor, places: torch.Tensor, prompt: torch.Tensor, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = F.gelu(self.dense(maps))
        z, start = z + self.down(seen).flatten(2).transpose(1, 2), torch.cat([self.tokens.expand(len(prompt), -1, -1), prompt], 1)
        t = self.norms[0](start + self.own(start, start))
        t = self.norms[1](t + self.to_image(t + start, z + places))
        t = self.norms[2](t + self.mlp(t))
        z = self.norms[3](z + self.to_tokens(z + places, t + start))
        t = self.norms[4](t + self.last(t + start, z + places))
        pixels = self.up(z.transpose(1, 2).unflatten(2, (8, 8))) + fine + seen
        for layer in self.fine:
            pixels = pixels + layer(pixels)
        weight = torch.stack([head(t[:, i + 1]) for i, head in enumerate(self.heads)], 1)
        logits = torch.einsum("nmc,nchw->nmhw", weight[..., :16], F.gelu(pixels)) + weight[..., 16:, None]
        return F.interpolate(logits, scale_factor=2, mode="bilinear"), self.grade(t[:, 0])

# %% tags=["demo"]
class SamNet(nn.Module):
    """The whole: encode once, then decode prompts."""

    def __init__(self):
        super().__init__()
        self.encoder, self.prompt, self.decoder = SamEncoder(), SamPrompt(), SamDecoder()

    def decode(self, z: torch.Tensor, fine: torch.Tensor, p: torch.Tensor, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        grid = torch.cartesian_prod(*2 * [torch.arange(8, device=p.device) * 4.0 + 2])
        return self.decoder(z, fine, self.prompt.place(grid), *self.prompt(p, boxes))

    def forward(self, image: torch.Tensor, p: torch.Tensor, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One prompt an image, or the same number for each."""
        each = len(p) // len(image)
        return self.decode(*(part.repeat_interleave(each, 0) for part in self.encoder(image)), p, boxes)


def sam_prompt(mask: np.ndarray, box: bool, rng: np.random.Generator, error: float = 0.1) -> np.ndarray:
    """(2, 2) places: a box whose corners miss by `error` of its sides (standard deviation), or a click, twice, somewhere inside and not at the very edge."""
    if box:
        corners = np.array([[np.flatnonzero(mask.any(1 - axis))[end] + (end == -1) for axis in (0, 1)] for end in (0, -1)], float)
        return np.sort(corners + error * (corners[1] - corners[0]) * rng.normal(size=(2, 2)), 0)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    inside = np.argwhere(depth >= min(1.5, depth.max()))
    return np.stack(2 * [inside[rng.integers(len(inside))] + 0.5])


def sam_changed(image: np.ndarray, masks: list, rng: np.random.Generator) -> tuple[np.ndarray, list]:
    """Turned, mirrored, with another contrast: what scanners and readers vary."""
    turns, mirror = rng.integers(4), rng.random() < 0.5
    image, *masks = (np.rot90(part[:, ::-1] if mirror else part, turns) for part in (image, *masks))
    image = image ** np.exp(rng.normal(0, 0.3))
    image = (1 - image if rng.random() < 0.3 else image) + rng.normal(0, 0.03) + rng.uniform(0, 0.05) * rng.standard_normal(image.shape)
    return image.astype(np.float32), masks

# %% tags=["demo"]
def sam_batch(items: list, n: int, each: int, rng: np.random.Generator, change: bool, boxes: float) -> tuple[torch.Tensor, ...]:
    """n images with `each` prompts an image: images, places, which are boxes, wanted masks."""
    images, places, box, wanted = [], [], [], []
    for _ in range(n):
        _, image, masks = items[rng.integers(len(items))]
        chosen = [masks[rng.integers(len(masks))] for _ in range(each)]
        image, chosen = sam_changed(image, chosen, rng) if change else (image, chosen)
        for mask in chosen:
            box.append(bool(rng.random() < boxes))
            places.append(sam_prompt(mask, box[-1], rng))
        images.append(image)
        wanted += [np.ascontiguousarray(mask) for mask in chosen]
    return tuple(part.to(device) for part in (torch.from_numpy(np.stack(images))[:, None], torch.tensor(np.stack(places), dtype=torch.float32), torch.tensor(box), torch.from_numpy(np.stack(wanted))))


def sam_objective(logits: torch.Tensor, grades: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Cross-entropy and Dice of the best mask; squared error of all grades."""
    y = wanted[:, None].float().expand_as(logits)
    overlap, size = (logits.sigmoid() * y).sum((2, 3)), (logits.sigmoid() + y).sum((2, 3))
    losses = 3 * F.binary_cross_entropy_with_logits(logits, y, reduction="none").mean((2, 3)) - (2 * overlap + 1) / (size + 1)
    hard = (logits.detach() > 0).float()
    both = (hard * y).sum((2, 3))
    return 1 + losses.min(1).values.mean() + F.mse_loss(grades, (both + 1e-6) / ((hard + y).sum((2, 3)) - both + 1e-6))


def sam_fit(steps: int, seed: int) -> SamNet:
    torch.manual_seed(seed)
    rng, net = np.random.default_rng(seed), SamNet().to(device)
    best = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(best, 3e-3, total_steps=steps)
    for _ in range(steps):
        images, places, box, wanted = sam_batch(sam_train, 12, 2, rng, True, 0.5)
        best.zero_grad()
        sam_objective(*net(images, places, box), wanted).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        best.step()
        schedule.step()
    return net.eval()


sam = sam_fit(run.pick(ci=300, laptop=2000), SEED)
print({name: f"{sum(w.numel() for w in part.parameters()):,}" for name, part in sam.named_children()})

# %% [markdown]
# ### How good are its masks, and who chooses?
#
# Three figures a prompt. **Chosen**: the mask with the highest guess, which is what a user gets unasked. **Oracle**: the best of the three, if the user picks. **Baseline** without learning: for a click, the region around it of similar intensity; for a box, the box itself.
#
# **Predict before you run.** For which prompt is the gap between chosen and oracle larger, a click or a box? And how good is a filled box?

# %% tags=["demo"]
def sam_dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / max(a.sum() + b.sum(), 1))


def sam_baseline(image: np.ndarray, places: np.ndarray, box: bool) -> np.ndarray:
    """The box itself; or the connected region around the click within 0.15 of its intensity."""
    made = np.zeros(image.shape, bool)
    (r0, c0), (r1, c1) = np.clip(np.round(places) if box else places.astype(int), 0, SAM_SIDE - (not box)).astype(int)
    if box:
        made[r0:r1, c0:c1] = True
        return made
    regions = ndimage.label(np.abs(image - image[r0, c0]) < 0.15)[0]
    return regions == regions[r0, c0]


@torch.no_grad()
def sam_judged(net: SamNet, items: list, box: bool, seed: int, error: float = 0.1) -> dict[str, list]:
    """Per image, by kind: mean over its masks of the Dice that is (chosen, oracle, baseline, first mask)."""
    rng, found = np.random.default_rng(seed), {}
    for kind, image, masks in items:
        places = np.stack([sam_prompt(mask, box, rng, error) for mask in masks])
        logits, grades = net(torch.from_numpy(image)[None, None].to(device), torch.tensor(places, dtype=torch.float32, device=device), torch.full((len(masks),), box, device=device))
        dices = np.array([[sam_dice(one, mask) for one in three] for three, mask in zip((logits > 0).cpu().numpy(), masks, strict=True)])
        base = [sam_dice(sam_baseline(image, place, box), mask) for place, mask in zip(places, masks, strict=True)]
        found.setdefault(kind, []).append([dices[np.arange(len(masks)), grades.argmax(1).cpu().numpy()].mean(), dices.max(1).mean(), np.mean(base), dices[:, 0].mean()])
    return found


sam_scores = {name: sam_judged(sam, sam_test, name == "box", 11) for name in ("click", "box")}
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.2), layout="constrained", sharey=True)
for ax, (name, by_kind) in zip(axes, sam_scores.items(), strict=True):
    for column, (label, mark) in enumerate(zip(("chosen by the guess", "oracle: best of three", "baseline"), "DosX"[:3], strict=True)):
        for place, kind in enumerate(SAM_KINDS):
            mean, low, high = vlm_interval(np.array(by_kind[kind])[:, column])
            ax.errorbar(place + 0.2 * (column - 1), mean, [[mean - low], [high - mean]], fmt=mark, color=show.PALETTE[column], capsize=2, label=label if place == 0 else None)
    ax.set(title=f"one {name} a mask", xticks=range(len(SAM_KINDS)), xticklabels=SAM_KINDS, ylim=(0, 1))
axes[0].set_ylabel("Dice, test images")
axes[0].legend(fontsize=8, loc="lower left")
show.figure(fig, alt="Dice of the chosen mask, of the best of three and of the baseline for five kinds of images, with a click and with a box; with a click the best of three lies far above the chosen one, with a box they are close")
sam_summary = {name: np.array([row for rows in by_kind.values() for row in rows]) for name, by_kind in sam_scores.items()}
for name, rows in sam_summary.items():
    print(f"{name:6s} chosen {rows[:, 0].mean():.2f}, oracle {rows[:, 1].mean():.2f}, always the first mask {rows[:, 3].mean():.2f}, baseline {rows[:, 2].mean():.2f}")

# %% [markdown]
# With a click, the best of the three is clearly better than the chosen one: the guess can't know whether you want the part or the whole. That is not a fault of the network, it is missing information, and the honest interface shows all three. A box says how large the object is, and the gap closes. But look at the baseline: *a filled box is already a fair mask*, since a box drawn from the truth tells where and how large the object is.

# %% tags=["demo"]
sam_one = next(one for one in sam_test if one[0] == "blob" and len(one[2]) == 3 and min(mask.sum() for mask in one[2]) > 45)
with torch.no_grad():
    sam_z, sam_fine = sam.encoder(torch.from_numpy(sam_one[1])[None, None].to(device))  # once; every prompt below uses it
    sam_clicks = torch.cartesian_prod(*2 * [torch.arange(SAM_SIDE // 2, device=device) * 2.0 + 1])[:, None].expand(-1, 2, -1)
    sam_all, sam_grades = sam.decode(sam_z.expand(len(sam_clicks), -1, -1), sam_fine.expand(len(sam_clicks), -1, -1, -1), sam_clicks, torch.zeros(len(sam_clicks), dtype=torch.bool, device=device))
sam_all, sam_grades = (sam_all > 0).cpu().numpy(), sam_grades.cpu().numpy()
sam_at = int(np.argmin(np.abs(sam_clicks[:, 0].cpu().numpy() - np.argwhere(sam_one[2][1]).mean(0) - 0.5).sum(1)))
sam_area = sam_all.sum((2, 3))[np.arange(len(sam_all)), sam_grades.argmax(1)].reshape(SAM_SIDE // 2, -1)
fig, axes = plt.subplots(1, 5, figsize=(11.5, 2.7), layout="constrained")
axes[0].imshow(sam_one[1])
axes[0].contour(sam_one[2][0], [0.5], colors=show.PALETTE[1])
axes[0].contour(sam_one[2][1], [0.5], colors=show.PALETTE[2], linestyles="--")
axes[0].set_title("whole, and one part (dashed)", fontsize=9)
for m in range(3):
    axes[m + 1].imshow(sam_one[1])
    if sam_all[sam_at, m].any():
        axes[m + 1].contour(sam_all[sam_at, m], [0.5], colors=show.PALETTE[5])
    axes[m + 1].plot(*sam_clicks[sam_at, 0].cpu().numpy()[::-1] - 0.5, "P", color=show.PALETTE[3], markersize=9)
    true = max(sam_dice(sam_all[sam_at, m], mask) for mask in sam_one[2])
    axes[m + 1].set_title(f"guess of IoU {sam_grades[sam_at, m]:.2f}\nDice with nearest object {true:.2f}", fontsize=9)
image = axes[4].imshow(sam_area, cmap=show.SEQUENTIAL)
axes[4].set_title("pixels of the chosen mask,\nif you click here", fontsize=9)
fig.colorbar(image, ax=axes[4], shrink=0.8)
for ax in axes:
    ax.set_axis_off()
show.figure(fig, alt="A blob with the outlines of the whole and one part; the three masks that one click in the part gives, with the guess of their IoU; and a map of the size of the chosen mask for a click at each place, made from one encoding of the image")
print(f"the encoder ran once for {len(sam_clicks)} clicks; multiplications grow by the light decoder only")

# %% [markdown]
# ### Prompts leak the truth
#
# Boxes in published tables are often drawn tightly around the true mask. A clinic's boxes are not. So move the corners: by a normal error with a standard deviation of a share of the box's sides.
#
# **Predict before you run.** At which error will the network be no better than it is with a single click?

# %% tags=["demo"]
sam_errors = (0.0, 0.1, 0.2, 0.3, 0.45)
sam_few = sam_test[:: run.pick(ci=2, laptop=1)]
sam_loose = {error: np.array([row for rows in sam_judged(sam, sam_few, True, 12, error).values() for row in rows]) for error in sam_errors}
sam_click = np.array([row for rows in sam_judged(sam, sam_few, False, 12).values() for row in rows])
fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for column, label, mark, line in ((0, "network, chosen mask", "D", "-"), (2, "filled box", "X", "--")):
    means = np.array([vlm_interval(sam_loose[error][:, column]) for error in sam_errors])
    ax.errorbar(sam_errors, means[:, 0], [means[:, 0] - means[:, 1], means[:, 2] - means[:, 0]], marker=mark, linestyle=line, color=show.PALETTE[column], capsize=3, label=label)
ax.axhline(sam_click[:, 0].mean(), color="black", linestyle=":", linewidth=1, label="network, one click")
ax.set(xlabel="error of the corners, share of the box's sides", ylabel="Dice, test images", ylim=(0, 1))
ax.legend(fontsize=8)
show.figure(fig, alt="Dice against the error of the box: network and filled box both fall as the box gets loose; a dotted line shows the network with one click")
print("tight boxes {:.2f}, corners off by 0.2 of the sides {:.2f}, one click {:.2f}".format(sam_loose[0.0][:, 0].mean(), sam_loose[0.2][:, 0].mean(), sam_click[:, 0].mean()))

# %% [markdown]
# ### A new structure, few labels, and a frozen backbone
#
# Now the hippocampus: real MR, and a structure that pre-training never showed. You have a handful of outlined patients, and a backbone that other teams use, too. What do you train?
#
# - **Head only**: the backbone stays frozen, the small networks that write masks from tokens learn.
# - **Adapter** (Houlsby et al., ICML 2019): a bottleneck of two small linear layers after each MLP, which starts as nothing.
# - **LoRA** (Hu et al., ICLR 2022): to a frozen map $W$ of size $d_{out} \times d_{in}$ add a product of rank $r$: $W x + \frac{\alpha}{r} B A x$, with $A$ of size $r \times d_{in}$ and $B$ of size $d_{out} \times r$. $B = 0$ at the start: the network begins as it was pretrained. $A$ is random, or nothing would ever move: the gradient at $B$ is proportional to $A x$, and that at $A$ to $B$.
# - **Full** fine-tuning, and **from scratch**: everything learns.
#
# The bill: LoRA trains $r\,(d_{in} + d_{out})$ weights in place of $d_{in}\,d_{out}$. On query and value ($d \times d$) of each of $K$ layers that is $2 \cdot 2 d r \cdot K$. After training, $W + \frac{\alpha}{r} B A$ is *one* matrix: the merged network costs nothing extra, and each task is a small file beside a common backbone.

# %% [markdown]
# ### Exercise 14.2b - a LoRA layer
#
# Difficulty 3 of 5 - 4 points - about 25 minutes - *after it you can adapt a large frozen network at the price of a small one*
#
# Write `LoRALinear(layer, rank, alpha)`: it wraps a linear layer, freezes it, and holds two parameters, `down` ($A$) and `up` ($B$). `merged()` returns a *new* plain linear layer that does the same.
#
# <details><summary>Hint 1: the idea</summary>Two paths that are added: the frozen layer, and down then up, times alpha / rank. Merging adds the product of the matrices to a copy of the weight.</details>
# <details><summary>Hint 2: what to call</summary><code>nn.Parameter</code>, <code>torch.randn</code>, <code>torch.zeros</code>; <code>requires_grad_(False)</code>; <code>x @ self.down.T @ self.up.T</code>; <code>copy.deepcopy</code>.</details>
# <details><summary>The loss never changes</summary>Are both matrices 0? Then each one's gradient is 0, because it is proportional to the other.</details>
# <details><summary>The network is bad before the first step</summary>Then up is not 0: the random product disturbs the pretrained function.</details>

# %% nbgrader={"grade": false, "grade_id": "lora", "locked": false, "schema_version": 3, "solution": true, "task": false}
class LoRALinear(torch.nn.Module):
    """A frozen linear layer plus a trained low-rank change: layer(x) + alpha / rank * up (down x).

    Args:
        layer: the pretrained torch.nn.Linear (d_in to d_out, with or without bias); its own parameters stop learning.
        rank: r, at least 1 and at most min(d_in, d_out); otherwise a ValueError.
        alpha: scale of the change, above 0.

    Attributes:
        down: parameter (r, d_in), random at the start; up: parameter (d_out, r), 0 at the start.

    Methods:
        forward(x): (..., d_in) to (..., d_out). merged(): a new torch.nn.Linear with the same outputs; this layer stays as it is.
    """

    ### BEGIN SOLUTION
    def __init__(self, layer: torch.nn.Linear, rank: int, alpha: float):
        super().__init__()
        if not 1 <= rank <= min(layer.in_features, layer.out_features):
            raise ValueError(f"the rank must be from 1 to {min(layer.in_features, layer.out_features)}, not {rank}")
        self.layer, self.scale = layer.requires_grad_(False), alpha / rank
        self.down = torch.nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.up = torch.nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + self.scale * (x @ self.down.T @ self.up.T)

    def merged(self) -> torch.nn.Linear:
        import copy

        one = copy.deepcopy(self.layer)
        with torch.no_grad():
            one.weight += self.scale * self.up @ self.down
        return one
    ### END SOLUTION

# %% tags=["given"]
def run_lora(d_in: int, d_out: int, rank: int, alpha: float, seed: int, bias: bool = True) -> dict:
    """Your layer around a random linear layer: at the start, after twenty steps of training, and merged; arrays."""
    torch.manual_seed(seed)
    base = torch.nn.Linear(d_in, d_out, bias=bias)
    first, x, y = base.weight.detach().clone(), torch.randn(9, d_in), torch.randn(9, d_out)
    found = {"base": base(x).detach().numpy().copy()}
    layer = LoRALinear(base, rank, alpha)
    found |= {"start": layer(x).detach().numpy().copy(), "down": layer.down.detach().numpy().copy(), "up": layer.up.detach().numpy().copy()}
    found["trained"] = {name: weight.numel() for name, weight in layer.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.SGD([weight for weight in layer.parameters() if weight.requires_grad], 0.05)
    for _ in range(20):
        optimizer.zero_grad()
        ((layer(x) - y) ** 2).mean().backward()
        optimizer.step()
    before = layer(x).detach().numpy().copy()
    one = layer.merged()
    found |= {"end": before, "weight moved": float((base.weight.detach() - first).abs().max()), "x": x.numpy().copy(), "end down": layer.down.detach().numpy().copy(), "end up": layer.up.detach().numpy().copy()}
    found |= {"merged": one(x).detach().numpy().copy(), "plain": type(one).__name__, "after": layer(x).detach().numpy().copy(), "weight": first.numpy().copy(), "base end": base(x).detach().numpy().copy()}
    return found


def lora_refuses(d_in: int, d_out: int, rank: int) -> bool:
    """Does your layer raise a ValueError for that rank?"""
    try:
        LoRALinear(torch.nn.Linear(d_in, d_out), rank, 1.0)
    except ValueError:
        return True
    return False

# %% nbgrader={"grade": true, "grade_id": "lora-start", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# At the start it is the pretrained layer, to the last digit; and it will be able to move
got = run_lora(7, 5, 2, 4.0, 0)
assert got["down"].shape == (2, 7) and got["up"].shape == (5, 2), f"down should be (rank, d_in) = (2, 7) and up (d_out, rank) = (5, 2); yours are {got['down'].shape} and {got['up'].shape}"
assert np.allclose(got["start"], got["base"], atol=1e-6), "before any step your layer differs from the pretrained one: up must start at 0"
assert np.abs(got["down"]).max() > 1e-4, "down is 0, as is up: each one's gradient is proportional to the other, so nothing will ever move. Start down at random"
### BEGIN HIDDEN TESTS
got = run_lora(4, 6, 3, 1.0, 1, bias=False)
assert np.allclose(got["start"], got["base"], atol=1e-6) and np.abs(got["up"]).max() == 0, "a layer without bias: the start is not the pretrained one"
assert np.unique(np.round(got["down"], 6)).size > 6, "down holds one value only: all r directions would be the same. Draw it at random"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "lora-frozen", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What learns: down and up, r (d_in + d_out) weights. The pretrained weight and bias don't
got = run_lora(7, 5, 2, 4.0, 2)
assert got["weight moved"] < 1e-7, "the pretrained weight has moved: freeze the layer that you wrap"
assert sum(got["trained"].values()) == 2 * (7 + 5), f"r (d_in + d_out) = 24 weights should learn, yours are {sum(got['trained'].values())}: {sorted(got['trained'])}"
assert np.abs(got["end"] - got["start"]).max() > 1e-3, "twenty steps have changed nothing: do both matrices take part, and is one of them not 0?"
### BEGIN HIDDEN TESTS
got = run_lora(12, 3, 1, 2.0, 3)
assert sum(got["trained"].values()) == 15 and got["weight moved"] < 1e-7, "rank 1 on 12 x 3: 15 weights learn, and nothing else"
assert np.allclose(got["base end"], got["base"], atol=1e-6), "the wrapped layer has changed, bias included: other tasks use it"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "lora-scale", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# After training the change is alpha / rank times up times down
got = run_lora(7, 5, 2, 6.0, 4)
change, product = got["end"] - got["base end"], got["x"] @ got["end down"].T @ got["end up"].T
ratio = float((change * product).sum() / (product * product).sum())
assert not np.isclose(ratio, 6.0, atol=0.01), "the change is alpha times up down: divide alpha by the rank, so that a larger rank is not a larger step"
assert not np.isclose(ratio, 1.0, atol=0.01), "alpha and rank are not used: the change is alpha / rank times up down"
assert np.isclose(ratio, 3.0, atol=0.01) and np.allclose(change, 3 * product, atol=1e-4), f"the change should be 3 times up down x, yours is {ratio:.3f} times"
### BEGIN HIDDEN TESTS
got = run_lora(5, 8, 4, 1.0, 5, bias=False)
assert np.allclose(got["end"] - got["base end"], 0.25 * got["x"] @ got["end down"].T @ got["end up"].T, atol=1e-4), "with alpha 1 and rank 4 the factor is 0.25"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "lora-merge", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One matrix in the end: the same outputs, and the layer itself unharmed
got = run_lora(7, 5, 2, 4.0, 6)
assert got["plain"] == "Linear", f"merged() should return a plain Linear, not a {got['plain']}"
assert not np.allclose(got["merged"], got["base"], atol=1e-4), "the merged layer is the pretrained one: the low-rank part is not in it"
assert np.allclose(got["merged"], got["end"], atol=1e-4), "the merged layer gives other outputs: add alpha / rank * up @ down to the weight, and keep the bias"
assert np.allclose(got["after"], got["end"], atol=1e-5), "after merging, your layer itself has changed: it adds the low-rank part twice. Merge into a copy"
assert lora_refuses(7, 5, 6) and not lora_refuses(7, 5, 5), "a rank above min(d_in, d_out) = 5 must raise a ValueError; 5 itself is allowed"
### BEGIN HIDDEN TESTS
got = run_lora(6, 9, 3, 0.5, 7, bias=False)
assert np.allclose(got["merged"], got["end"], atol=1e-4) and np.allclose(got["after"], got["end"], atol=1e-5), "merging a layer without bias is off"
assert lora_refuses(4, 4, 0), "a rank of 0 must raise a ValueError"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 14.2c - frozen, statistics included
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can say what a frozen network still learns*
#
# `requires_grad = False` stops the gradient. It does not stop a batch norm: in training mode its running mean and variance drift to the new images at every forward pass, and the backbone that your colleagues use is no longer the one that was validated.
#
# Write `freeze(model, keep)`, which is called on a model in training mode. Parameters whose name starts with one of `keep` learn, all others don't. Every batch norm that is outside `keep` goes to eval mode; everything else stays in training mode. Return how many weights learn, and their share of all.
#
# <details><summary>Hint 1: the idea</summary>Parameters have names, and so have modules: "body.1.weight" belongs to the module "body.1". Two loops with the same test.</details>
# <details><summary>Hint 2: what to call</summary><code>model.named_parameters()</code>, <code>model.named_modules()</code>, <code>str.startswith(tuple)</code>, <code>torch.nn.modules.batchnorm._BatchNorm</code>, <code>numel()</code>.</details>
# <details><summary>My count is 2 or 4</summary>That counts tensors. A tensor holds <code>numel()</code> weights.</details>
# <details><summary>My head no longer uses dropout</summary>Did you call <code>model.eval()</code>? Only the frozen batch norms go to eval mode.</details>

# %% nbgrader={"grade": false, "grade_id": "freeze", "locked": false, "schema_version": 3, "solution": true, "task": false}
def freeze(model: torch.nn.Module, keep: tuple[str, ...]) -> tuple[int, float]:
    """Freeze a model but for the parts that are kept, in place.

    Args:
        model: in training mode.
        keep: starts of the names of parameters and modules that learn, such as ("head.",).

    Returns:
        (n, share): number of weights that learn, and their share of all the model's weights.

    Raises:
        ValueError: no parameter's name starts with one of `keep`.
    """
    ### BEGIN SOLUTION
    keep = tuple(keep)
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.startswith(keep))
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and not (name + ".").startswith(keep):
            module.eval()
    n = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    if n == 0:
        raise ValueError(f"no parameter's name starts with one of {keep}: nothing would learn")
    return n, n / sum(weight.numel() for weight in model.parameters())
    ### END SOLUTION

# %% tags=["given"]
def frozen_net(seed: int) -> torch.nn.Module:
    """body: convolution, batch norm; head: linear, batch norm, dropout, linear. In training mode; every parameter learns."""
    torch.manual_seed(seed)
    nn = torch.nn
    body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    head = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    return nn.Sequential(__import__("collections").OrderedDict(body=body, head=head)).train()


def run_freeze(seed: int, keep: list) -> dict:
    """Your freeze on frozen_net(seed), then five forward passes: what you return, what learns, the modes, and how far statistics have moved."""
    net = frozen_net(seed)
    try:
        returned = freeze(net, tuple(keep))
    except ValueError:
        return {"refused": True}
    old = {name: value.clone() for name, value in net.named_buffers() if "running" in name}
    for _ in range(5):
        net(3 + torch.randn(8, 1, 6, 6))
    moved = {name: float((value - old[name]).abs().max()) for name, value in net.named_buffers() if name in old}
    return {"refused": False, "n": float(returned[0]), "share": float(returned[1]), "moved": moved, "learns": [name for name, weight in net.named_parameters() if weight.requires_grad],
            "training": [name for name, module in net.named_modules() if module.training and name and not list(module.children())]}

# %% nbgrader={"grade": true, "grade_id": "freeze-gradient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Which parameters learn
got = run_freeze(0, ["head."])
assert not got["refused"], "you raise a ValueError, though the head's parameters are there"
assert got["learns"], "nothing learns any more: the head must"
assert not [name for name in got["learns"] if name.startswith("body")], "the body still learns: set requires_grad to False there"
assert got["learns"] == ["head.0.weight", "head.0.bias", "head.1.weight", "head.1.bias", "head.3.weight", "head.3.bias"], f"all of the head should learn, also its batch norm; yours: {got['learns']}"
### BEGIN HIDDEN TESTS
assert run_freeze(1, ["body.1", "head.3"])["learns"] == ["body.1.weight", "body.1.bias", "head.3.weight", "head.3.bias"], "two starts of names: both parts learn, nothing else"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "freeze-count", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The bill: the head holds 16 + 8 + 10 weights, the body 30 + 6
got = run_freeze(0, ["head."])
assert got["n"] != 6, "6 is the number of tensors: count the weights in them"
assert got["n"] != 70, "70 are all weights: count those that learn"
assert got["n"] == 34, f"34 weights learn, you return {got['n']:g}"
assert not np.isclose(got["share"], 34 / 36), "the share is of ALL weights, the learning ones included"
assert np.isclose(got["share"], 34 / 70), f"the share is 34 of 70, not {got['share']:.3f}"
### BEGIN HIDDEN TESTS
got = run_freeze(1, ["head.3"])
assert got["n"] == 10 and np.isclose(got["share"], 10 / 70), "only the last layer: 10 of 70"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "freeze-statistics", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Five forward passes on brighter images: the frozen batch norm must remember the old ones, that of the head may learn
got = run_freeze(0, ["head."])
assert got["moved"]["body.1.running_mean"] == 0 and got["moved"]["body.1.running_var"] == 0, "the frozen batch norm has drifted to the new images, without a gradient: put it into eval mode"
assert got["moved"]["head.1.running_mean"] > 0, "the head's batch norm learns nothing: only batch norms outside `keep` go to eval mode"
### BEGIN HIDDEN TESTS
got = run_freeze(2, ["head.3"])
assert got["moved"]["body.1.running_mean"] == 0 and got["moved"]["head.1.running_mean"] == 0, "both batch norms are frozen here: neither may drift"
assert run_freeze(3, ["body."])["moved"]["body.1.running_mean"] > 0, "here the body learns: its batch norm must follow"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "freeze-rest", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Dropout still works where training goes on; and a misspelt name is an error, not a silent freeze
got = run_freeze(0, ["head."])
assert not got["refused"] and "head.2" in got["training"], "dropout is off: leave everything but the frozen batch norms in training mode"
assert "body.1" not in got["training"], "the frozen batch norm is in training mode"
assert run_freeze(0, ["haed."])["refused"], "no parameter's name starts with 'haed.': raise a ValueError, or someone trains nothing for a week"
### BEGIN HIDDEN TESTS
assert "body.0" in got["training"] and "head.0" in got["training"], "only batch norms change their mode"
assert run_freeze(0, [])["refused"], "an empty keep would train nothing: raise a ValueError"
### END HIDDEN TESTS

# %% [markdown]
# Now the trial. A user clicks once, anywhere in the hippocampus, and wants all of it. Trained are five ways on the same few patients, with the same steps; the step is chosen on validation patients, test patients are used once. Two baselines learn nothing: the network as pretrained, and an **atlas**, which is the mean mask of the same few patients, thresholded at one half. (These crops lie alike, so an atlas is a serious opponent.)
#
# **Predict before you run.** Order the five by Dice with few patients, and by the number of trained weights.

# %% tags=["demo"]
import nibabel as nib


def sam_hippocampi(split, each: int) -> list[tuple]:
    """(case, image (32, 32) at 1.5 mm, [mask of the whole]) of sagittal planes that show both parts; scaled by volume."""
    found = []
    for image_path, label_path, case in zip(split.images, split.labels, split.patients, strict=True):
        volume, label = nib.load(image_path).get_fdata(dtype=np.float32), np.asarray(nib.load(label_path).dataobj)
        volume, planes = sam_scaled(volume), np.flatnonzero(((label == 1).sum((1, 2)) > 20) & ((label == 2).sum((1, 2)) > 20))
        for x in planes[np.linspace(0, len(planes) - 1, each + 2).round().astype(int)[1:-1]] if len(planes) else []:
            plane, mask = (sam_window(part) for part in (volume[x], (label[x] > 0).astype(np.float32)))
            found.append((str(case), plane, [mask > 0.5]))
    return found


def sam_window(plane: np.ndarray) -> np.ndarray:
    """The middle 48 x 48 mm of a plane at 1 mm, as 32 x 32."""
    spare = [max(48 - n, 0) for n in plane.shape]
    plane = np.pad(plane, [(n // 2, n - n // 2) for n in spare])
    start = [(n - 48) // 2 for n in plane.shape]
    plane = torch.from_numpy(plane[start[0] : start[0] + 48, start[1] : start[1] + 48])[None, None]
    return F.interpolate(plane, size=(SAM_SIDE, SAM_SIDE), mode="bilinear")[0, 0].numpy()


sam_organ = data.load("hippocampus", profile=run.profile)
sam_hip = {part: sam_hippocampi(getattr(sam_organ, part), 3) for part in ("train", "val", "test")}
sam_cases = {part: list(dict.fromkeys(one[0] for one in rows)) for part, rows in sam_hip.items()}
show.row([one[1] for one in sam_hip["train"][:10:3]], titles=[f"case {one[0][-3:]}" for one in sam_hip["train"][:10:3]], overlay=[one[2][0] for one in sam_hip["train"][:10:3]], window=(0, 1), alt="Sagittal planes of four cases with the outline of the hippocampus, an elongated grey structure")
print({part: len(cases) for part, cases in sam_cases.items()}, "cases with three planes each")

# %% tags=["demo"]
import copy
import math


class SamLoRA(nn.Module):
    """torch's parametrisation of a low-rank change, as a wrapped layer: rank 4, alpha 8."""

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.frozen, self.low, self.high = layer, nn.Linear(layer.in_features, 4, bias=False), nn.Linear(4, layer.out_features, bias=False)
        nn.init.kaiming_uniform_(self.low.weight, a=math.sqrt(5))
        nn.init.zeros_(self.high.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.frozen(x).add(self.high(self.low(x)), alpha=2.0)


class SamAdapter(nn.Module):
    """A bottleneck of 8 after a frozen MLP; it starts as nothing."""

    def __init__(self, mlp: nn.Sequential):
        super().__init__()
        self.frozen, self.small = mlp, sam_mlp(SAM_D, 8, SAM_D)
        nn.init.zeros_(self.small[-1].weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (y := self.frozen(x)) + self.small(y)


def sam_adapted(how: str) -> SamNet:
    """A copy of the pretrained network (or a new one) in which only what belongs to `how` learns."""
    net = SamNet() if how == "from scratch" else copy.deepcopy(sam)
    for name, weight in net.named_parameters():
        weight.requires_grad = how in ("full", "from scratch") or name.startswith(("decoder.heads", "decoder.grade", "decoder.tokens"))
    for part in list(net.modules()):
        if how == "LoRA" and isinstance(part, SamAttention):
            part.query, part.value = SamLoRA(part.query), SamLoRA(part.value)
            part.query.frozen.requires_grad_(False), part.value.frozen.requires_grad_(False)
        if how == "adapter" and isinstance(part, SamBlock | SamDecoder):
            part.mlp = SamAdapter(part.mlp)
    return net.to(device)

# %% tags=["demo"]
@torch.no_grad()
def sam_hip_dice(net: SamNet, rows: list, seed: int) -> np.ndarray:
    """Dice of each case: mean over its planes of the chosen mask after one click."""
    rng, images = np.random.default_rng(seed), torch.from_numpy(np.stack([one[1] for one in rows]))[:, None].to(device)
    places = torch.tensor(np.stack([sam_prompt(one[2][0], False, rng) for one in rows]), dtype=torch.float32, device=device)
    logits, grades = net(images, places, torch.zeros(len(rows), dtype=torch.bool, device=device))
    chosen = (logits > 0)[torch.arange(len(rows)), grades.argmax(1)].cpu().numpy()
    dices = np.array([sam_dice(mask, one[2][0]) for mask, one in zip(chosen, rows, strict=True)])
    return np.array([dices[[one[0] == case for one in rows]].mean() for case in dict.fromkeys(one[0] for one in rows)])


SAM_WAYS = {"head only": 1e-2, "adapter": 1e-2, "LoRA": 1e-2, "full": 3e-3, "from scratch": 3e-3}  # learning rates: the better of 0.003 and 0.01 on validation cases


def sam_tune(how: str, patients: int, steps: int, seed: int) -> tuple[SamNet, int]:
    """Train one way on the planes of the first few training cases; keep the step with the best validation Dice. Also: number of weights that learned."""
    torch.manual_seed(seed)
    rng, net = np.random.default_rng(seed), sam_adapted(how)
    rows = [one for one in sam_hip["train"] if one[0] in sam_cases["train"][seed % 3 * patients : (seed % 3 + 1) * patients]]
    learns = [weight for weight in net.parameters() if weight.requires_grad]
    optimizer, best = torch.optim.AdamW(learns, SAM_WAYS[how], weight_decay=0.01), (-1.0, None)
    for step in range(steps):
        images, places, box, wanted = sam_batch(rows, 8, 1, rng, False, 0.0)
        optimizer.zero_grad()
        sam_objective(*net(images, places, box), wanted).backward()
        optimizer.step()
        if (step + 1) % 10 == 0 and (score := float(sam_hip_dice(net, sam_hip["val"], 5).mean())) > best[0]:
            best = score, copy.deepcopy(net.state_dict())
    net.load_state_dict(best[1])
    return net.eval(), sum(weight.numel() for weight in learns)


sam_patients, sam_table, sam_weights = run.pick(ci=(2,), laptop=(2, 8, 32)), {}, {}
for patients in sam_patients:
    for how in SAM_WAYS:
        net, sam_weights[how] = sam_tune(how, patients, run.pick(ci=50, laptop=150), SEED)
        sam_table[how, patients] = sam_hip_dice(net, sam_hip["test"], 6)
    mean_mask = np.mean([one[2][0] for one in sam_hip["train"] if one[0] in sam_cases["train"][SEED % 3 * patients : (SEED % 3 + 1) * patients]], 0) > 0.5
    per_plane = np.array([sam_dice(mean_mask, one[2][0]) for one in sam_hip["test"]])
    sam_table["atlas", patients] = np.array([per_plane[[one[0] == case for one in sam_hip["test"]]].mean() for case in sam_cases["test"]])
    sam_table["as pretrained", patients] = sam_hip_dice(sam, sam_hip["test"], 6)

# %% tags=["demo"]
fig, ax = plt.subplots(figsize=(7.8, 3.6), layout="constrained")
sam_rows = ["as pretrained", "atlas", *SAM_WAYS]
for number, patients in enumerate(sam_patients):
    for row, how in enumerate(sam_rows):
        mean, low, high = vlm_interval(sam_table[how, patients])
        ax.errorbar(mean, row + 0.22 * (number - (len(sam_patients) - 1) / 2), xerr=[[mean - low], [high - mean]], fmt="Dos"[number], color=show.PALETTE[number], capsize=3, label=f"{patients} labelled cases" if row == 0 else None)
ax.set(yticks=range(len(sam_rows)), yticklabels=[f"{how} ({sam_weights[how]:,} weights)" if how in sam_weights else f"{how} (nothing trained)" for how in sam_rows], xlabel=f"Dice of the whole hippocampus after one click, {len(sam_cases['test'])} test cases", xlim=(0, 1))
ax.invert_yaxis()
ax.legend(fontsize=8, loc="lower left")
show.figure(fig, alt="Dice on test cases with intervals for the pretrained network, an atlas, head only, adapter, LoRA, full fine-tuning and training from scratch; the label names the number of trained weights")
for (how, patients), values in sam_table.items():
    mean, low, high = vlm_interval(values)
    print(f"{patients:3d} cases  {how:14s} {sam_weights.get(how, 0):8,d} weights   Dice {mean:.3f} ({low:.3f} to {high:.3f})")

# %% [markdown]
# Read it without a favourite. The pretrained network is poor on a structure that it has never met: *promptable* is not *universal*. The frozen backbone with a new head stays far behind, since the features themselves don't fit. LoRA and the adapter change the inside for about a tenth of the weights, and close a part of the gap. Full fine-tuning is the best of the five here, or equal to it.
#
# Published comparisons often find LoRA *equal* to full fine-tuning. Their backbones hold tens of millions of weights and have seen a million images; a hundred labels can't pin down so many weights, and need not. Ours has seen a few hundred simulated images, for seconds, and is small enough to be trained whole. The lesson is the procedure: the same few labels, the same validation, an atlas and a network from scratch
# beside the favourite. With a large backbone, run the same trial again.
#
# **Open today.** Prompts for volumes in place of slices (SAM 2, Ravi et al., 2024, tracks through video frames); text as prompt; structures without a border, which no click defines; and honest tests, in which the prompts come from people.

# %% tags=["demo"]
def sam_draw(row: int, column: int, case: int):
    """A click on a test case, with the fully tuned network: the chosen mask and the true outline."""
    _, image, (mask,) = sam_hip["test"][3 * case]
    with torch.no_grad():
        logits, grades = sam_tuned(torch.from_numpy(image)[None, None].to(device), torch.tensor([[[row, column]] * 2], dtype=torch.float32, device=device) + 0.5, torch.zeros(1, dtype=torch.bool, device=device))
    said = (logits[0, int(grades.argmax())] > 0).cpu().numpy()
    fig, ax = plt.subplots(figsize=(3.6, 3.6), layout="constrained")
    ax.imshow(image, vmin=0, vmax=1)
    ax.contour(mask, [0.5], colors=show.PALETTE[1])
    if said.any():
        ax.contour(said, [0.5], colors=show.PALETTE[5], linestyles="--")
    ax.plot(column, row, "P", color=show.PALETTE[3], markersize=10)
    ax.set_title(f"Dice {sam_dice(said, mask):.2f}, guess of IoU {float(grades.max()):.2f}", fontsize=9)
    ax.set_axis_off()
    return fig


sam_tuned = net if how == "full" else sam_tune("full", sam_patients[-1], run.pick(ci=50, laptop=150), SEED)[0]
sam_start = np.argwhere(sam_hip["test"][0][2][0])[len(np.argwhere(sam_hip["test"][0][2][0])) // 2]
show.explore(sam_draw, row=widgets.IntSlider(int(sam_start[0]), 0, SAM_SIDE - 1, description="row"), column=widgets.IntSlider(int(sam_start[1]), 0, SAM_SIDE - 1, description="column"), case=widgets.IntSlider(0, 0, len(sam_cases["test"]) - 1, description="case"),
             alt="A plane of a test case with a cross at the click, the true outline and, dashed, the network's mask after that click")
sam_mean = {how: vlm_interval(sam_table[how, sam_patients[0]]) for how in sam_rows}
assert sam_summary["box"][:, 0].mean() > sam_summary["box"][:, 2].mean(), "with a box, the network should beat the filled box"
assert sam_summary["click"][:, 1].mean() > sam_summary["click"][:, 2].mean(), "the best of three should beat region growing"
assert sam_mean["LoRA"][0] > sam_mean["as pretrained"][0] + 0.1, "LoRA should gain on the new structure"

# %% [markdown]
# **Checkpoint.** A company shows a Dice of 0.93 for its promptable segmenter on liver lesions, with boxes from the reference masks, and says that it needs no training at your hospital. Name two experiments that you would ask for before you believe either half of the sentence.
#
# <details><summary>Answer</summary>First half: boxes or clicks drawn by your own readers, who don't know the mask, lesions that were missed included, with the filled box as a baseline, and intervals over patients. Second half: your scanner's images, the network as it comes against LoRA or full fine-tuning with a few labelled patients, and against a network from scratch with the same labels; if tuning gains much, it did need training.</details>
