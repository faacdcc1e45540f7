# %% [markdown]
# # Lecture 13 - Multimodal learning
#
# **After this you can**
#
# - name what each modality of a patient brings, what two of them share in bits, and which columns of a table were not yet known (12.1)
# - fuse film, report and table early, late, by gates, by cross-attention and by tensors, and say from paired intervals whether fusion beats the best single modality (12.2)
# - train an image-report model by contrast, search with it, classify with sentences, and translate one contrast into another without trusting it too far (12.3)
# - keep a model useful when a modality is missing, and report net benefit, calibration, subgroup gaps and shortcuts as a clinic and a regulator need them (12.4)
#
# **Time** about 360 minutes, in two sittings (12.1 and 12.2; 12.3 and 12.4)
#
# Sections carry the syllabus's numbers: this lecture is its chapter 12. No demonstration needs an exercise to be solved, so you can read on whenever you are stuck.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | patients with suspected pneumonia: a film, its report, eight vital signs and lab values, and whether intensive care or death follows within 7 days (12.1, 12.2, 12.4; without the outcome also 12.3) | this course, simulated in this lecture; how much of the outcome each modality tells is planted | this course | nobody | one examination a patient; training, validation and test patients come from three different seeds |
# | ECG-like signals, a gene panel of pure noise (12.1) | this course, simulated in this lecture | this course | nobody | the panel: five folds of patients |
#
# - **Everything here is simulated, in every profile.** The cohort is larger in `laptop` than in `ci`. AUCs tell how a method behaves where the truth is known. They are no promise for a real hospital.
# - Learning rates and the best single modality are chosen on validation patients. The test patients are used for the figures in the tables, and choose nothing.

# %% tags=["parameters"]
LECTURE = "13_multimodal_learning"
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
# ## 12.1 What multimodal learning is
#
# Nobody in a hospital looks at a film alone. The request says why it was taken, the nurse has measured the oxygen saturation, the laboratory has sent the lactate, and last year's report lies beside it. **Multimodal learning** predicts from several such sources at once. A **modality** is a kind of data with its own form, its own noise and its own reasons to be missing:
#
# | modality | form | how often | typical trap |
# |---|---|---|---|
# | image | millions of ordered grey values | once a visit | scanner, markers, who was well enough to stand |
# | report | a few dozen words | once an image | written *after* looking: it may name the answer; negations; what is not mentioned |
# | laboratory, vital signs | a few numbers with units | minutes to days | missing for a reason; written after the outcome |
# | signal (ECG, EEG) | thousands of values a second and lead | continuous | sampled too slowly, or summarised too early |
# | omics (genes, proteins) | thousands of columns, few patients | once, if at all | features chosen before the split; batches |
#
# A model gains from a second modality only by what the first one does *not* know. So we plant that. Each simulated patient has suspected pneumonia, and the outcome $y$ is intensive care or death within 7 days. Its log-odds is a sum of parts that are independent of each other:
#
# $$\log \frac{p(y = 1)}{p(y = 0)} = b + a_\text{image} + a_\text{report} + a_\text{table} + a_\text{shared}$$
#
# - $a_\text{image}$ can be read in the film only: how thin muscle and fat on the ribs are, a mark of frailty that hardly any report mentions;
# - $a_\text{report}$ stands in the report only: the history ("on dialysis", "after transplant");
# - $a_\text{table}$ shows in vital signs and lab values only, each of them noisy;
# - $a_\text{shared}$ is visible in the film *and* told by the report: the consolidation, the effusion.
#
# A reader of the film who makes no mistake knows $a_\text{image} + a_\text{shared}$, and can't rank patients better than by this sum, since the rest is independent of it. The AUC of that sum is the film's **ceiling**, and for all modalities together it is the AUC of the whole log-odds. Films, words and numbers are noisy, so models stay below.
#
# The next cells make these patients. Read the two tables of numbers and skip the drawing, if you like.

# %% tags=["demo"]
from scipy import ndimage

FINDINGS = ("consolidation", "effusion", "cardiomegaly", "nodule")  # what a film can show and a report can state
SHARES = ("image", "report", "table", "shared", "interaction")  # the parts of the planted log-odds
TABLE = ("respiratory rate, /min", "heart rate, /min", "systolic pressure, mmHg", "oxygen saturation, %", "temperature, °C", "C-reactive protein, mg/L", "lactate, mmol/L", "urea, mmol/L")
SITES = ("A", "B", "C")


def chests(p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """(n, 32, 32) what a frontal film shows of the findings `p`, each (n,), before exposure and noise; the patient's right is on the left."""
    n = len(p["grade"])

    def draw(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (n, 1, 1)).astype(np.float32)

    def of(name: str) -> np.ndarray:
        return np.asarray(p[name], np.float32)[:, None, None]

    def step(value: np.ndarray, width: float) -> np.ndarray:
        return np.clip(value / width + 0.5, 0, 1)

    def cloud(width: float) -> np.ndarray:
        smooth = ndimage.gaussian_filter(rng.standard_normal((n, 32, 32), dtype=np.float32), (0, width, width))
        return smooth / smooth.std()

    axis = (np.arange(32, dtype=np.float32) + 0.5) / 16 - 1
    x, y = (axis[None, None] - draw(-0.06, 0.06)) * draw(0.96, 1.06), (axis[None, :, None] - draw(-0.08, 0.08)) * draw(0.95, 1.05)
    side = of("side")  # -1: the patient's right, on the left of the film
    wall = 0.135 - 0.045 * np.clip(of("frailty"), -2.2, 2.2)  # a frail patient has little muscle and fat on the ribs
    film = 0.15 + (0.35 + 0.6 * wall) * step(0.72 + wall - np.abs(x), 0.12) + 0.12 * np.exp(-((x / 0.14) ** 2))
    air = sum(step(1 - np.hypot((x - s * 0.38) / 0.3, (y + 0.05) / 0.72), 0.35) * step(0.52 - y - 0.25 * (np.abs(x) - 0.4), 0.2) for s in (-1, 1))
    heart = np.hypot((x - 0.12) / (draw(0.24, 0.31) + 0.13 * of("cardiomegaly")), (y - 0.25) / 0.36)
    air = air * (1 - 0.85 * step(1 - heart, 0.3))
    texture = 1 + 0.35 * cloud(1.3)
    high, out = draw(-0.35, 0.3), side * draw(0.3, 0.46)
    radius, depth = 0.16 + 0.07 * of("grade"), np.where(of("grade") > 1, 0.27, 0.2) * (of("grade") > 0)
    patch = depth * np.exp(-((x - out) ** 2 + (y - high) ** 2) / (2 * radius**2)) * np.clip(texture, 0.3, None)
    fluid = of("effusion") * 0.24 * step(y - draw(0.22, 0.38) + 0.5 * (0.68 - np.abs(x)), 0.22) * step(0.62 - y, 0.2) * step(0.7 - np.abs(x), 0.1) * step(x * of("fluid side") - 0.1, 0.1)
    nodule = of("nodule") * 0.3 * np.exp(-((x - of("nodule side") * draw(0.28, 0.48)) ** 2 + (y - draw(-0.45, 0.1)) ** 2) / (2 * 0.075**2))
    film = film - 0.3 * air * (1 + 0.1 * np.cos(2 * np.pi * (3.6 * y - 0.6 * np.abs(x)))) + patch * step(0.7 - np.abs(x), 0.1) + fluid + nodule
    film = film + of("woman") * draw(0.02, 0.08) * np.exp(-((np.abs(x) - 0.42) ** 2) / 0.05 - (y - 0.3) ** 2 / 0.06)  # breast tissue veils the lower lungs
    film = film + 0.012 * cloud(5.0)
    return film

# %% tags=["demo"]
def films(p: dict[str, np.ndarray], rng: np.random.Generator, burn: bool) -> np.ndarray:
    """(n, 1, 32, 32) float32 films from 0 to 1: the chests, exposed and noisy as at each site, with the marker burnt in where there is one."""
    n = len(p["grade"])
    gain, noise = np.array([1.0, 0.92, 1.08], np.float32)[p["site"], None, None], np.array([0.02, 0.03, 0.025], np.float32)[p["site"], None, None]
    contrast, light = (rng.uniform(a, b, (n, 1, 1)).astype(np.float32) for a, b in ((0.92, 1.08), (-0.03, 0.03)))
    film = gain * (chests(p, rng) - 0.4) * contrast + 0.4 + light
    film = film + noise * rng.standard_normal(film.shape, dtype=np.float32)
    letter = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0], [1, 0, 0]], np.float32)  # a P, for a portable machine
    if burn:
        film[:, 1:5, 28:31] = np.where(p["marker"][:, None, None] * letter > 0, 1.0, film[:, 1:5, 28:31])
    return np.clip(film, 0, 1).astype(np.float32)[:, None]

# %% tags=["demo"]
RATES = {"omitted": 0.12, "hedged": 0.2, "false hedge": 0.04, "denied": 0.6}  # of a finding that is there, there, not there, not there
HISTORY = {
    0: ("cough and fever", "shortness of breath", "chest pain and fever", "fever, no history of malignancy", "cough, no immunosuppression", "fever, not on dialysis"),
    1: ("fever on dialysis", "cough in known heart failure", "fever with a history of malignancy", "shortness of breath with cirrhosis"),
    2: ("fever under chemotherapy with metastatic disease", "cough with immunosuppression after transplant", "fever, bedridden, on home oxygen"),
}
STATED = {
    "consolidation": ("{grade} consolidation in the {side} lung", "{grade} airspace opacity on the {side}", "{grade} {side} infiltrate with air bronchograms"),
    "effusion": ("{side} pleural effusion", "blunted {side} costophrenic angle", "fluid at the {side} base"),
    "cardiomegaly": ("enlarged heart", "cardiomegaly", "the cardiac silhouette is enlarged"),
    "nodule": ("nodule in the {side} lung", "small rounded opacity on the {side}", "{side} pulmonary nodule"),
}
DENIED = {
    "consolidation": ("no consolidation", "no airspace opacity", "the lungs are clear"),
    "effusion": ("no pleural effusion", "costophrenic angles are sharp"),
    "cardiomegaly": ("heart size is normal", "no cardiomegaly"),
    "nodule": ("no pulmonary nodule", "no suspicious nodule"),
}
GRADE = {1: ("patchy", "mild", "focal"), 2: ("extensive", "dense", "widespread")}
SUMMARY = {"consolidation": ("pneumonia", "findings of pneumonia"), "effusion": ("effusion",), "cardiomegaly": ("enlarged heart",), "nodule": ("nodule, follow up",)}

# %% tags=["demo"]
def write_report(p: dict[str, np.ndarray], i: int, u: np.ndarray) -> str:
    """The report on patient i: what is there is stated, hedged or omitted, what is not is denied, passed over or (rarely) hedged. `u` (24,) uniform numbers decide."""

    def one(options: tuple[str, ...], number: float) -> str:
        return options[int(number * len(options))]

    findings, impression = [], []
    for k, name in enumerate(FINDINGS):
        there, (a, b, c, d) = p[name][i] > 0, u[4 * k : 4 * k + 4]
        side = p[{"consolidation": "side", "effusion": "fluid side"}.get(name, "nodule side")][i]
        words = {"side": "right" if side < 0 else "left", "grade": one(GRADE[max(1, int(p["grade"][i]))], d)}
        hedge = there and a > 1 - RATES["hedged"] or not there and a < RATES["false hedge"]
        if there and a > RATES["omitted"] or hedge:
            findings.append(one(("possible {}", "{} cannot be excluded"), b).format(one(STATED[name], c).format(**words)) if hedge else one(STATED[name], c).format(**words))
            impression += [("possible " if hedge else "") + one(SUMMARY[name], b)]
        elif not there and a > 1 - RATES["denied"]:
            findings.append(one(DENIED[name], c))
    findings = [findings[j] for j in np.argsort(u[16 : 16 + len(findings)])]
    text = {"Indication": [one(HISTORY[int(p["history"][i])], u[20])], "Findings": findings or ["unremarkable"], "Impression": impression or [one(("no acute abnormality", "normal chest"), u[21])]}
    return " ".join(f"{head}: {'. '.join(lines)}." for head, lines in text.items())

# %% tags=["demo"]
def laboratory(severity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 8) float32 in the units of TABLE, nan where not measured. Lactate is asked for when the patient looks ill, so its absence tells something."""
    n = len(severity)
    load = np.array([0.65, 0.55, -0.6, -0.6, 0.35, 0.5, 0.65, 0.6])  # on the severity, the rest of the variance is noise
    fever = rng.standard_normal((n, 1)) * np.array([0.3, 0.5, 0.0, -0.1, 0.7, 0.5, 0.1, 0.0])  # noise that columns share
    z = severity[:, None] * load + fever + rng.standard_normal((n, 8)) * np.sqrt(np.clip(1 - load**2 - np.array([0.3, 0.5, 0, 0.1, 0.7, 0.5, 0.1, 0]) ** 2, 0.05, None))
    table = np.stack([20 + 4 * z[:, 0], 95 + 16 * z[:, 1], 125 + 18 * z[:, 2], np.minimum(100, 94 + 3 * z[:, 3]), 37.9 + 0.8 * z[:, 4], np.exp(4 + 0.8 * z[:, 5]), np.exp(0.5 + 0.45 * z[:, 6]), np.exp(1.9 + 0.45 * z[:, 7])], axis=1)
    missing = rng.random((n, 8)) < 0.05
    missing[:, 6] = rng.random(n) > 1 / (1 + np.exp(-(0.5 + 0.8 * severity)))
    table[missing] = np.nan
    return table.astype(np.float32)

# %% tags=["demo"]
PLANTED = {"image": 1.0, "report": 1.0, "table": 1.3, "shared": 1.0, "interaction": 0.0}  # sd of each part of the log-odds


def cohort(n: int, seed: int, *, weights: dict[str, float] = PLANTED, intercept: float = -1.2, consolidation: float = 0.45, marker_link: float = 0.0, burn: bool = True, women: float = 0.5) -> dict[str, np.ndarray | list[str]]:
    """n simulated patients, one examination each, with a planted share of the outcome in each modality.

    Args:
        weights: standard deviation of each part of the log-odds of y; `intercept` is added to their sum.
        consolidation: share of patients with a consolidation; marker_link: 0, a film's marker says nothing about y; 1, it says all.
        burn: False leaves the marker out of the picture and changes nothing else. women: share of women.

    Returns:
        image (n, 1, 32, 32) float32 from 0 to 1; report, n texts; table (n, 8) with nan; y (n,) 0 or 1, intensive care or death within 7 days;
        findings (n, 4) 0 or 1; patient, sex (0 man, 1 woman), age in years, site (0 to 2), marker (n,); latent (n, 5): the parts of the log-odds.
    """
    rng = np.random.default_rng([seed, 13])
    grade = np.where(rng.random(n) < consolidation, rng.integers(1, 3, n), 0)
    p = {"grade": grade, "consolidation": grade > 0, "frailty": rng.standard_normal(n), "history": rng.choice(3, n, p=[0.55, 0.27, 0.18]), "woman": rng.random(n) < women, "site": rng.choice(3, n, p=[0.5, 0.35, 0.15])}
    p |= {name: rng.random(n) < rate for name, rate in (("effusion", 0.3), ("cardiomegaly", 0.25), ("nodule", 0.2))}
    p |= {name: rng.choice([-1, 1], n) for name in ("side", "fluid side", "nodule side")}
    severity = rng.standard_normal(n)
    shared = (grade - 1.5 * consolidation) + 0.9 * (p["effusion"] - 0.3)
    opaque = np.where(grade > 0, 1.0, -1.0)
    raw = {"image": p["frailty"], "report": (p["history"] - 0.63) / 0.77, "table": severity, "shared": shared / 0.87, "interaction": opaque * severity}
    latent = np.stack([weights[name] * raw[name] for name in SHARES], axis=1)
    y = (rng.random(n) < 1 / (1 + np.exp(-(intercept + latent.sum(1))))).astype(np.int64)
    p["marker"] = np.where(rng.random(n) < marker_link, y, rng.random(n) < 0.3).astype(np.int64)
    age = np.clip(rng.normal(62, 16, n), 18, 97).astype(int)
    table, u = laboratory(severity, rng), rng.random((n, 24))
    found = np.stack([p[name] for name in FINDINGS], axis=1).astype(np.int64)
    own = {"image": films(p, rng, burn), "report": [write_report(p, i, u[i]) for i in range(n)], "table": table, "y": y, "findings": found}
    return own | {"patient": seed * 1_000_000 + np.arange(n), "sex": p["woman"].astype(np.int64), "age": age, "site": p["site"], "marker": p["marker"], "latent": latent}

# %% tags=["demo"]
n_train, n_val, n_test = run.pick(ci=(2000, 600, 1500), laptop=(6000, 2000, 4000))
people = {"train": cohort(n_train, SEED + 1), "val": cohort(n_val, SEED + 2), "test": cohort(n_test, SEED + 3)}
owners = [set(part["patient"].tolist()) for part in people.values()]
assert len(set().union(*owners)) == sum(len(one) for one in owners), "no patient may be in two parts"
print("The patients of this lecture are SIMULATED; what each modality tells about the outcome is planted.")
for name, part in people.items():
    print(f"{name:6s} {len(part['y']):5d} patients, {part['y'].mean():.1%} with intensive care or death, lactate measured in {1 - np.isnan(part['table'][:, 6]).mean():.0%}")

# %% tags=["demo"]
import textwrap


def show_patients(rows: list[int]) -> None:
    """Film, report and table of some test patients; the table in standard deviations of the training patients."""
    part, known = people["test"], people["train"]["table"]
    z = (part["table"] - np.nanmean(known, axis=0)) / np.nanstd(known, axis=0)
    fig, axes = plt.subplots(len(rows), 3, figsize=(10, 2.5 * len(rows)), width_ratios=[1, 1.7, 1.3], layout="constrained")
    for (film, text, labs), row in zip(axes, rows, strict=True):
        film.imshow(part["image"][row, 0], cmap="gray", vmin=0, vmax=1)
        film.set(xticks=[], yticks=[], ylabel="intensive care or death" if part["y"][row] else "recovers")
        text.text(0, 0.98, textwrap.fill(part["report"][row], 46), va="top", fontsize=9, transform=text.transAxes)
        text.axis("off")
        labs.barh(np.arange(8), np.nan_to_num(z[row]), color=show.PALETTE[0])
        for column in np.flatnonzero(np.isnan(z[row])):
            labs.text(0, column, " not measured", va="center", fontsize=8)
        labs.set(yticks=np.arange(8), yticklabels=[name.split(",")[0] for name in TABLE], xlim=(-3, 3))
        labs.tick_params(labelsize=8)
        labs.axvline(0, color="0.5", linewidth=0.8)
        labs.invert_yaxis()
    axes[-1, 2].set_xlabel("sd from the training mean", fontsize=8)
    show.figure(fig, alt="Three simulated patients in rows: a small frontal chest film, the words of its report, and eight vital signs and lab values as bars around the training mean, some of them not measured.")


shown = people["test"]
show_patients([int(np.flatnonzero((shown["findings"][:, :2].sum(1) == k) & (shown["y"] == k // 2))[k]) for k in (0, 1, 2)])

# %% [markdown]
# ### What does each modality tell by itself?
#
# Three small networks, one a modality, learn the outcome. Each turns its input into **tokens** (fields of the film, words, one token for the table) and into one vector of 24 features; section 12.2 fuses these. The reader of words sees each word with its two neighbours, so that "no history of" is not "history of". Vocabulary, means and
# standard deviations come from the training patients. Every network, here and in 12.2, gets the same budget: two learning rates, of which validation chooses, then the same number of further seeds.
#
# A bootstrap sample is nothing but a count of how often each patient is drawn. The AUC is a mean over pairs of a sick and a healthy patient, so with the counts as weights all samples come out of two matrix products. That gives intervals for single models, and, with the same counts for two models, for their **paired** difference.
#
# **Predict before you run.** Film and report both have their own part and share the consolidation. The table stands alone, and its numbers are noisy. Which comes closest to its ceiling? And a logistic regression on the table: does the network beat it?

# %% tags=["demo"]
import functools
import re

import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import nn

MODALITIES = ("film", "report", "table")
WIDTH, LENGTH = 24, 48  # features of a token; words of a report that are read


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


class Reader:
    """Turns a cohort into tensors. Vocabulary, means and sd are those of the patients it was made from: the training patients."""

    def __init__(self, part: dict) -> None:
        self.vocabulary = {word: number for number, word in enumerate(sorted({w for text in part["report"] for w in words(text)}), start=2)}
        self.mean, self.sd = np.nanmean(part["table"], axis=0), np.nanstd(part["table"], axis=0)

    def __call__(self, part: dict) -> list[torch.Tensor]:
        """Films (n, 1, 32, 32); words (n, LENGTH) as numbers, 0 behind the end, 1 for a new word; tables (n, 16), z-scores and then marks of what is missing."""
        ids = np.zeros((len(part["report"]), LENGTH), np.int64)
        for row, text in enumerate(part["report"]):
            known = [self.vocabulary.get(word, 1) for word in words(text)[:LENGTH]]
            ids[row, : len(known)] = known
        z = (part["table"] - self.mean) / self.sd
        table = np.concatenate([np.nan_to_num(z), np.isnan(z)], axis=1).astype(np.float32)
        return [torch.from_numpy(part["image"]), torch.from_numpy(ids), torch.from_numpy(table)]


reader = Reader(people["train"])
inputs = {name: reader(part) for name, part in people.items()}
labels = {name: torch.from_numpy(part["y"]).float() for name, part in people.items()}

# %% tags=["demo"]
class FilmTokens(nn.Module):
    """Films (B, 1, 32, 32) -> tokens (B, 16, WIDTH), one a field of 8 x 8 pixels; their mask, True where there is none; one vector (B, WIDTH)."""

    def __init__(self) -> None:
        super().__init__()
        self.fields = nn.Sequential(nn.Conv2d(1, 16, 4, 4), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, WIDTH, 3, 2, 1), nn.BatchNorm2d(WIDTH), nn.ReLU())
        self.whole = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(16 * WIDTH, WIDTH))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        tokens = self.fields((x - 0.4) / 0.2).flatten(2).mT
        return tokens, torch.zeros(tokens.shape[:2], dtype=torch.bool), self.whole(tokens)


class WordTokens(nn.Module):
    """Word numbers (B, L) -> tokens (B, up to L, WIDTH), each from a word and its neighbours; mask; the mean of the real ones as vector."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embed, self.near, self.drop = nn.Embedding(vocabulary + 2, WIDTH, padding_idx=0), nn.Linear(3 * WIDTH, WIDTH), nn.Dropout(0.3)

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ids = ids[:, : max(1, int((ids > 0).sum(1).max()))]
        word = F.pad(self.embed(ids), (0, 0, 1, 1))
        tokens = torch.relu(self.near(torch.cat([word[:, :-2], word[:, 1:-1], word[:, 2:]], dim=-1)))
        real = (ids > 0).unsqueeze(-1)
        return tokens, ids == 0, self.drop((tokens * real).sum(1) / real.sum(1).clamp(min=1))


class TableTokens(nn.Module):
    """Tables (B, 16) -> one token (B, 1, WIDTH), which is the vector, too."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(16, WIDTH), nn.ReLU(), nn.Dropout(0.3), nn.Linear(WIDTH, WIDTH))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        vector = self.body(x)
        return vector[:, None], torch.zeros(len(x), 1, dtype=torch.bool), vector

# %% tags=["demo"]
class Encoders(nn.Module):
    """One encoder for each modality; `forward` is what a way of fusing adds to it."""

    def __init__(self, modalities: tuple[str, ...] = MODALITIES) -> None:
        super().__init__()
        make = {"film": FilmTokens, "report": lambda: WordTokens(len(reader.vocabulary)), "table": TableTokens}
        self.modalities = modalities
        self.encode, self.norm = nn.ModuleDict({m: make[m]() for m in modalities}), nn.ModuleDict({m: nn.LayerNorm(WIDTH) for m in modalities})

    def parts(self, batch: list[torch.Tensor]) -> tuple[list[tuple], list[torch.Tensor]]:
        """Tokens with their masks, and vectors (B, WIDTH) on one scale, of each modality."""
        found = [self.encode[m](batch[MODALITIES.index(m)]) for m in self.modalities]
        return found, [self.norm[m](one[2]) for m, one in zip(self.modalities, found, strict=True)]


class Single(Encoders):
    """One modality -> logit (B,)."""

    def __init__(self, modality: str) -> None:
        super().__init__((modality,))
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, batch: list[torch.Tensor]) -> torch.Tensor:
        return self.head(self.parts(batch)[1][0])[:, 0]

# %% tags=["demo"]
from collections.abc import Callable

STEPS, SEEDS, RATES_OF_LEARNING = run.pick(ci=(85, 3, (4e-3, 1.2e-2)), laptop=(400, 5, (4e-3, 1.2e-2)))


def fit_model(make: Callable[[], nn.Module], x: list[torch.Tensor], y: torch.Tensor, lr: float, seed: int, steps: int = STEPS) -> nn.Module:
    """AdamW with a one-cycle schedule, batches of 64, half of them mirrored; the last weights are taken."""
    torch.manual_seed(seed)
    rng, net = torch.Generator().manual_seed(seed), make()
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(0, len(y), (64,), generator=rng)
        batch = [part[rows] for part in x]
        batch[0] = batch[0].flip(-1) if torch.rand(1, generator=rng) < 0.5 else batch[0]
        loss = F.binary_cross_entropy_with_logits(net(batch), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def logits_of(net: nn.Module, x: list[torch.Tensor]) -> np.ndarray:
    return net(x).numpy()


def tuned(make: Callable[[], nn.Module]) -> tuple[list[nn.Module], float]:
    """SEEDS networks at the learning rate that validation likes best on the first seed, and that rate: the same budget for every way of fusing."""
    first = {lr: fit_model(make, inputs["train"], labels["train"], lr, SEED) for lr in RATES_OF_LEARNING}
    best = max(first, key=lambda lr: roc_auc_score(people["val"]["y"], logits_of(first[lr], inputs["val"])))
    return [first[best]] + [fit_model(make, inputs["train"], labels["train"], best, SEED + k) for k in range(1, SEEDS)], best

# %% tags=["demo"]
def area_draws(y: np.ndarray, scores: np.ndarray, draws: int = 400) -> np.ndarray:
    """AUC of (S, n) scores, meant over the S seeds: first for the patients as they are, then for bootstrap samples of patients, the same for every call with this y."""
    rng = np.random.default_rng(0)
    count = np.concatenate([np.ones((1, len(y))), rng.multinomial(len(y), np.full(len(y), 1 / len(y)), draws)])
    sick, well = count[:, y == 1], count[:, y == 0]
    won = np.mean([(one[y == 1][:, None] > one[y == 0]) + 0.5 * (one[y == 1][:, None] == one[y == 0]) for one in np.atleast_2d(scores)], axis=0)
    return np.einsum("dp,dp->d", sick @ won, well) / (sick.sum(1) * well.sum(1))


def with_interval(draws: np.ndarray) -> tuple[float, float, float]:
    """The value as it is, and the 2.5 % and 97.5 % points of its bootstrap samples."""
    return float(draws[0]), *(float(end) for end in np.quantile(draws[1:], (0.025, 0.975)))


singles, singles_lr = {}, {}
for modality in MODALITIES:
    singles[modality], singles_lr[modality] = tuned(lambda modality=modality: Single(modality))
val_logits = {m: np.stack([logits_of(net, inputs["val"]) for net in nets]) for m, nets in singles.items()}
test_logits = {m: np.stack([logits_of(net, inputs["test"]) for net in nets]) for m, nets in singles.items()}
best_single = max(MODALITIES, key=lambda m: area_draws(people["val"]["y"], val_logits[m], 1)[0])

# %% tags=["demo"]
KNOWS = {"film": ("image", "shared"), "report": ("report", "shared"), "table": ("table",), "all": ("image", "report", "table", "shared")}
test_y, part_of = people["test"]["y"], dict(zip(SHARES, people["test"]["latent"].T, strict=True))
ceiling = {name: float(roc_auc_score(test_y, sum(part_of[share] for share in shares))) for name, shares in KNOWS.items()}
plain_table = LogisticRegression(max_iter=1000).fit(inputs["train"][2], people["train"]["y"])
baseline_draws = {
    "saturation alone": area_draws(test_y, -inputs["test"][2][:, 3].numpy()),
    "logistic regression, table": area_draws(test_y, plain_table.decision_function(inputs["test"][2])),
}
single_draws = {m: area_draws(test_y, test_logits[m]) for m in MODALITIES}
print(f"{'test AUC':28s} {'mean of seeds':>14s} {'95 % of patients':>18s} {'sd of seeds':>12s} {'ceiling':>8s}")
for name, draws in {**baseline_draws, **single_draws}.items():
    value, low, high = with_interval(draws)
    spread = f"{np.std([roc_auc_score(test_y, one) for one in test_logits[name]], ddof=1):.3f}" if name in MODALITIES else ""
    print(f"{name:28s} {value:14.3f} {f'[{low:.3f}, {high:.3f}]':>18s} {spread:>12s} {ceiling.get(name, ceiling['table']):8.3f}")
print(f"everything, read without error {ceiling['all']:.3f}; validation's best single modality: {best_single}")

# %% tags=["demo"]
fig, ax = plt.subplots(figsize=(7.5, 2.8), layout="constrained")
for row, (name, draws) in enumerate({**single_draws, **baseline_draws}.items()):
    value, low, high = with_interval(draws)
    ax.plot([low, high], [row, row], color=show.PALETTE[0], linewidth=2)
    ax.plot(value, row, "o" if name in MODALITIES else "s", color=show.PALETTE[0], label={"film": "network, mean of seeds", "saturation alone": "baseline"}.get(name))
    ax.plot(ceiling.get(name, ceiling["table"]), row, "D", color=show.PALETTE[1], markerfacecolor="none", markersize=8, label="ceiling: its findings, read without error" if row == 0 else None)
ax.axvline(ceiling["all"], color="0.3", linestyle="--", linewidth=1)
ax.text(ceiling["all"] - 0.003, 2, "ceiling of all together", rotation=90, ha="right", va="center", fontsize=8)
ax.set(yticks=range(5), yticklabels=[*MODALITIES, *baseline_draws], xlabel="test AUC, with 95 % interval over patients", xlim=(0.48, 0.9))
ax.invert_yaxis()
ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.45, -0.25), ncols=3, frameon=False)
show.figure(fig, alt="Test AUC with intervals of the film, report and table networks and of two baselines on the table. Each lies below the diamond of its own ceiling, and all far below the dashed line of the ceiling of all modalities together.")
assert min(draws[0] - draws[1:].std() * 3 for draws in single_draws.values()) > 0.5, "each modality's network should rank better than chance by three standard deviations"

# %% [markdown]
# Each modality stays below its ceiling, and every ceiling lies far below that of all together: there is something to gain from fusion, and we know how much at the most. The distance of a network from its own ceiling has several causes at once, too few patients, noise in the pixels and the assays, words that were left out, and this comparison does not tell them apart. Note that the table's network has little over a logistic
# regression. Lab values have few columns and nearly linear effects here, and then a small model is enough.
#
# One question comes before all others in a real study. The report is written by somebody who saw the film. A model of *film and report* that is as good as *report alone* has read the answer in the text, and the film added nothing. Always show the report alone, on the same patients.

# %% [markdown]
# ### Signals and omics
#
# **Signals** are cheap, continuous and easily summarised too early. Below are two ECG-like traces with the same mean heart rate: one is regular, the other has the irregular intervals of atrial fibrillation, and no P wave before each beat. The monitor's table says "heart rate 80 /min" for both. The modality was lost when somebody averaged it. The slider samples the traces more slowly, as an export to save space does.
#
# **Predict before you run.** A QRS complex lasts about 0.1 s. At which sampling rate do the beats begin to get lost?

# %% tags=["demo"]
def ecg(irregular: bool, rng: np.random.Generator, seconds: float = 6.0, rate: float = 500.0) -> np.ndarray:
    """An ECG-like trace in mV, 80 beats a minute on average: each beat a sum of Gaussian waves, with P waves only when it is regular."""
    interval = rng.gamma(12, 0.75 / 12, 30) if irregular else rng.normal(0.75, 0.015, 30)
    beats, t = -0.4 + np.cumsum(interval * 0.75 / interval.mean()), np.arange(0, seconds, 1 / rate)
    waves = [(0.0, 1.0, 0.012), (-0.03, -0.15, 0.01), (0.03, -0.2, 0.012), (0.25, 0.25, 0.05)] + ([] if irregular else [(-0.16, 0.12, 0.025)])
    trace = sum(height * np.exp(-((t[:, None] - beats - delay) ** 2) / (2 * width**2)).sum(1) for delay, height, width in waves)
    return trace + 0.015 * rng.standard_normal(len(t))


traces = {name: ecg(name == "atrial fibrillation", np.random.default_rng(SEED + 7)) for name in ("regular", "atrial fibrillation")}


def draw_ecg(rate: int) -> plt.Figure:
    fig, axes = plt.subplots(2, 1, figsize=(9, 3.4), layout="constrained", sharex=True)
    for ax, (name, trace), colour in zip(axes, traces.items(), show.PALETTE[:2], strict=True):
        step = 500 // rate
        ax.plot(np.arange(0, len(trace), step) / 500, trace[::step], color=colour, linewidth=1.2, marker="." if rate <= 25 else None)
        ax.set(title=f"{name}, {rate} samples a second", ylabel="mV", ylim=(-0.4, 1.2))
    axes[1].set_xlabel("time, s")
    return fig


from scipy.signal import find_peaks

for name, trace in traces.items():
    apart = np.diff(find_peaks(trace, height=0.5, distance=100)[0]) / 500
    print(f"{name:20s} {60 / apart.mean():3.0f} beats a minute; the intervals have a standard deviation of {1000 * apart.std():3.0f} ms")
show.explore(draw_ecg, alt="Two ECG-like traces over six seconds with the same number of beats: one with even intervals and small P waves, one with uneven intervals and none.", rate=[250, 100, 50, 25, 10])

# %% [markdown]
# **Omics** has the opposite trouble: thousands of columns, and few patients. The planted truth here is the plainest possible. A panel of 2000 genes is *pure noise*, the outcome a coin, and there are 100 patients. The study picks the 20 genes that differ most between sick and healthy, trains on them, and reports a cross-validated AUC.
#
# **Predict before you run.** The right answer is 0.5. What comes out when the 20 genes are picked once, before the folds are made?

# %% tags=["demo"]
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

panel_areas = {"picked before the split": [], "picked inside each fold": []}
for study in range(12):
    rng = np.random.default_rng([SEED, study, 31])
    genes, coin, folds = rng.standard_normal((100, 2000)), rng.permutation(np.arange(100) % 2), StratifiedKFold(5, shuffle=True, random_state=study)
    before = SelectKBest(f_classif, k=20).fit_transform(genes, coin)
    inside = make_pipeline(SelectKBest(f_classif, k=20), LogisticRegression(max_iter=300))
    for name, model, x in (("picked before the split", LogisticRegression(max_iter=300), before), ("picked inside each fold", inside, genes)):
        panel_areas[name].append(roc_auc_score(coin, cross_val_predict(model, x, coin, cv=folds, method="decision_function")))
fig, ax = plt.subplots(figsize=(6.5, 1.9), layout="constrained")
for row, (name, values) in enumerate(panel_areas.items()):
    ax.plot(values, np.full(12, row) + np.linspace(-0.15, 0.15, 12), "so"[row], color=show.PALETTE[1 - row], alpha=0.8)
ax.axvline(0.5, color="0.4", linestyle="--", linewidth=1)
ax.set(yticks=[0, 1], yticklabels=panel_areas, ylim=(1.5, -0.5), xlabel="cross-validated AUC of 12 studies; the truth is 0.5")
show.figure(fig, alt="Cross-validated AUCs of twelve simulated studies on noise. With genes picked before the split they lie near 0.9 or above; with genes picked inside each fold they scatter around 0.5.")
assert np.mean(panel_areas["picked before the split"]) > 0.8 > 0.65 > np.mean(panel_areas["picked inside each fold"]), "selection before the split should find a signal in noise, and selection inside should not"

# %% [markdown]
# From noise, a paper. Ambroise and McLachlan (2002) found this selection bias in published gene studies. Whoever picks features with the labels of all patients has shown the test patients to the model, though no test patient was ever in a training set. Selection, standardising, imputing and vocabulary all belong *inside* the split. With many modalities there are many such steps, and each is a door.

# %% [markdown]
# ### How much do two modalities share?
#
# If the second modality repeats the first, it costs money and adds nothing. **Mutual information** says how much one result tells about another, in bits, whatever the relation between them looks like.

# %% [markdown]
# ### Exercise 12.1a - what two tests share, in bits
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can say whether a second modality brings anything that the first does not know*
#
# The entropy of a result $A$ is $H(A) = -\sum_a p(a) \log_2 p(a)$, in bits: what you learn when you hear it. The **mutual information** $I(A; B) = H(A) + H(B) - H(A, B)$ is what both know, counted once. It is 0 when the two are independent, and $H(A)$ when $B$ settles $A$.
#
# Write `shared_bits(counts)`.
#
# <details><summary>Hint 1: the idea</summary>Counts become shares of all patients. Rows added up give one result's distribution, columns added up the other's.</details>
# <details><summary>Hint 2: what to call</summary><code>p[p &gt; 0]</code> leaves the empty cells out: they add nothing, since p log p goes to 0. <code>numpy.log2</code>.</details>
# <details><summary>My value is nan</summary>0 times the logarithm of 0 is nan for a computer. A cell without patients adds 0.</details>
# <details><summary>My value is above 1 for two yes-no tests</summary>Then it is what both hold <em>together</em>, H(A, B). Two yes-no tests can share 1 bit at the most.</details>

# %% nbgrader={"grade": false, "grade_id": "shared-bits", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shared_bits(counts: np.ndarray) -> float:
    """Mutual information of two results, from a table of patients.

    Args:
        counts: (R, C) numbers of patients, 0 or more; rows are the values of one result, columns those of the other. Cells may be empty.

    Returns:
        H(rows) + H(columns) - H(both), in bits.

    Raises:
        ValueError: a count is negative or not finite, or there is no patient.
    """
    ### BEGIN SOLUTION
    counts = np.asarray(counts, dtype=float)
    if not np.isfinite(counts).all() or (counts < 0).any() or counts.sum() == 0:
        raise ValueError("counts must be finite, 0 or more, with at least one patient")

    def entropy(p: np.ndarray) -> float:
        p = p[p > 0]
        return float(-(p * np.log2(p)).sum())

    p = counts / counts.sum()
    return entropy(p.sum(1)) + entropy(p.sum(0)) - entropy(p)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "shared-bits-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Two yes-no tests that agree in 3 of 4 patients: 1 + 1 - (3/4 log2(8/3) + 1/4 log2(8)) = 0.189 bits
agree = np.array([[30, 10], [10, 30]])
both = 0.75 * np.log2(8 / 3) + 0.25 * 3
value = float(shared_bits(agree.copy()))
assert not np.isclose(value, (2 - both) * np.log(2)), "that is in nats: take the logarithm to base 2"
assert not np.isclose(value, both), "that is H(A, B), what both hold together: take it off the sum of the two entropies"
assert not np.isclose(value, 1.0), "that is the entropy of one test alone"
assert not np.isclose(value, both - 1), "that is what one tells beyond the other, H(A | B). What both know is H(A) minus that"
assert np.isclose(value, 2 - both), f"expected {2 - both:.4f} bits, got {value:.4f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1301)
for shape in ((2, 2), (3, 5), (6, 2)):
    table = rng.integers(1, 60, shape)
    p = table / table.sum()
    truth = (p * np.log2(p / (p.sum(1, keepdims=True) * p.sum(0, keepdims=True)))).sum()
    assert np.isclose(float(shared_bits(table.copy())), truth), f"the value is off for a table of shape {shape}"
    assert np.isclose(float(shared_bits(table.T.copy())), truth), "what A tells about B is what B tells about A"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "shared-bits-limits", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The two limits: independent tests share nothing; a test that repeats another shares all of it, and leaves cells empty
assert np.isclose(float(shared_bits(np.array([[60, 20], [30, 10]]))), 0, atol=1e-9), "the rows have the same proportions, so the tests are independent: 0 bits"
value = float(shared_bits(np.array([[50, 0], [0, 50]])))
assert not np.isnan(value), "nan: an empty cell adds 0, leave it out of the sum"
assert np.isclose(value, 1), f"a test that repeats another one, half positive: 1 bit, got {value:.3f}"
### BEGIN HIDDEN TESTS
assert np.isclose(float(shared_bits(np.diag([25, 25, 50]))), 1.5), "three results, each settled by the other: their entropy, 1.5 bits"
assert np.isclose(float(shared_bits(np.array([[7, 0, 3], [0, 0, 0]]))), 0, atol=1e-9), "a result that never varies shares nothing, and an empty row or column changes nothing"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "shared-bits-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: a table without patients has no shares
assert np.isclose(float(shared_bits(np.array([[4, 4], [4, 4]]))), 0, atol=1e-9), "good input should still give a number"
for bad in (np.zeros((2, 2)), np.array([[3.0, -1.0], [2.0, 2.0]])):
    try:
        shared_bits(bad)
    except ValueError:
        continue
    raise AssertionError("no patient at all, or a negative count: raise a ValueError")
### BEGIN HIDDEN TESTS
for bad in (np.array([[np.nan, 1.0], [1.0, 1.0]]), np.array([[np.inf, 1.0], [1.0, 1.0]])):
    try:
        shared_bits(bad)
    except ValueError:
        continue
    raise AssertionError("a count that is not finite must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# Now the networks' own results: each patient is called "high risk" or not by film, report and table, cut at each network's median, and scikit-learn counts the bits.
#
# **Predict before you run.** Which pair of modalities shares most? Which shares nothing?

# %% tags=["demo"]
from sklearn.metrics import mutual_info_score

calls = {m: (one.mean(0) > np.median(one.mean(0))).astype(int) for m, one in test_logits.items()} | {"outcome": test_y}
bits = np.array([[mutual_info_score(calls[a], calls[b]) / np.log(2) for b in calls] for a in calls])
fig, ax = plt.subplots(figsize=(4.6, 3.4), layout="constrained")
ax.imshow(np.where(np.eye(4, dtype=bool), np.nan, bits), cmap="Blues", vmin=0, vmax=0.2)
for i in range(4):
    for j in range(4):
        ax.text(j, i, f"{bits[i, j]:.3f}", ha="center", va="center", color="0.5" if i == j else "black")
ax.set(xticks=range(4), xticklabels=calls, yticks=range(4), yticklabels=calls, title="bits shared (diagonal: a result's own entropy)")
ax.title.set_fontsize(9)
show.figure(fig, alt="A table of four by four with the bits that film, report, table and outcome share in pairs. Film and report share most; the table shares next to nothing with either; each shares a little with the outcome.")
shuffled = [mutual_info_score(calls["film"], np.random.default_rng(k).permutation(calls["table"])) / np.log(2) for k in range(200)]
print(f"film and table share {bits[0, 2]:.4f} bits; 95 % of shuffled tables reach up to {np.quantile(shuffled, 0.95):.4f}")

# %% [markdown]
# Film and report overlap by the planted shared part. Film and table do not: what little stands there has to be read beside the shuffled tables, since an estimate of mutual information from a finite number of patients is never below 0. Bits shared with *each other* are not bits about the *outcome*: two modalities may agree on the heart size, and it may not matter.

# %% [markdown]
# ### What is missing, and what comes too late
#
# In a hospital nobody has everything. If a report exists for 90 % and labs for 60 % of the patients, independently, only $0.9 \times 0.6 = 54\,\%$ have both, and with each further modality the complete cases melt away. Worse, they are not a random part. Lactate is asked for when somebody looks ill.
#
# **Predict before you run.** Are the patients *with* a lactate sicker or healthier than the others? And how many of the eight columns can you keep complete?

# %% tags=["demo"]
table, outcome = people["train"]["table"], people["train"]["y"]
has = ~np.isnan(table)
print(f"outcome in all patients           {outcome.mean():.1%}")
print(f"  where lactate was measured      {outcome[has[:, 6]].mean():.1%} of {has[:, 6].sum()}")
print(f"  where it was not                {outcome[~has[:, 6]].mean():.1%} of {(~has[:, 6]).sum()}")
print(f"  in complete cases               {outcome[has.all(1)].mean():.1%} of {has.all(1).sum()}: {has.all(1).mean():.0%} of the patients are left")
for columns in range(1, 9):
    chosen = np.argsort(-has.mean(0), kind="stable")[:columns]
    print(f"  {columns} best columns: complete in {has[:, chosen].all(1).mean():.0%}", end="\n" if columns % 2 == 0 else "   ")

# %% [markdown]
# Complete cases are fewer *and* sicker. A model that is trained on them meets other patients in use. So we keep everybody, put the training mean where a value is missing, and add a mark that it was missing. The mark is honest information here: it was known when the model was asked. The next exercise is about information that was not.

# %% [markdown]
# ### Exercise 12.1b - a leakage audit of a table
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can tell which columns of an export were not known when the prediction is made*
#
# A table comes out of a hospital's database **after** the stay. Some columns were written when the outcome was already known: "discharged to hospice", the lactate of the intensive care unit, the code for the bill. Each value has its own time, and each patient has an own moment at which the model is asked. Write
# `leakage_audit(values, recorded, decided, y)`, which looks at the times, and at one thing that times can't show: whether the mere *presence* of a value tells the outcome.
#
# <details><summary>Hint 1: the idea</summary>Compare the time of each value with the decision of <em>its</em> patient. A value that was written at the decision itself is known. The share of late ones is taken among the values that exist.</details>
# <details><summary>Hint 2: what to call</summary><code>recorded &gt; decided[:, None]</code>; <code>numpy.where</code> makes a new array; <code>sklearn.metrics.roc_auc_score(y, present)</code>, and the larger of it and 1 minus it.</details>
# <details><summary>My share of late values is too small</summary>Is it divided by all patients? A value that nobody wrote can't be late.</details>
# <details><summary>My presence is below 0.5</summary>A column that is there only in the healthy tells as much as one that is there only in the sick.</details>

# %% nbgrader={"grade": false, "grade_id": "leakage-audit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def leakage_audit(values: np.ndarray, recorded: np.ndarray, decided: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """What of a table was known when each prediction is made.

    Args:
        values: (n, d) of n patients, nan where nothing was written. It stays as it is.
        recorded: (n, d) when each value was written, hours since midnight of day 1; nan where values is nan.
        decided: (n,) when the model is asked, same clock.
        y: (n,) outcomes 0 or 1, both occur.

    Returns:
        "known": (n, d) the values, nan where they were written after the decision.
        "late": (d,) of each column's written values the share that came after the decision; 0 for a column that was never written.
        "presence": (d,) AUC, for y, of whether a value was written at all, late ones included; its direction doesn't matter, so from 0.5 to 1.
    """
    ### BEGIN SOLUTION
    from sklearn.metrics import roc_auc_score

    written = ~np.isnan(values)
    late = written & (recorded > decided[:, None])
    areas = np.array([roc_auc_score(y, column) for column in written.T.astype(float)])
    return {
        "known": np.where(late, np.nan, values),
        "late": late.sum(0) / np.maximum(written.sum(0), 1),
        "presence": np.maximum(areas, 1 - areas),
    }
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "leakage-audit-known", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Four patients, asked at hours 10, 20, 30 and 40; each value is judged by its own patient's hour
nan = np.nan
cells = np.array([[1.0, 5.0], [2.0, nan], [3.0, 7.0], [4.0, 8.0]])
hours = np.array([[9.0, 11.0], [20.0, nan], [31.0, 12.0], [5.0, 39.0]])
asked, outcome = np.array([10.0, 20.0, 30.0, 40.0]), np.array([0, 0, 1, 1])
known = np.asarray(leakage_audit(cells.copy(), hours.copy(), asked.copy(), outcome.copy())["known"], float)
assert known.shape == (4, 2), f"known keeps the shape of values, (4, 2), got {known.shape}"
assert not np.isnan(known[0, 0]) and not np.isnan(known[2, 1]), "a value from before its own patient's decision is lost: take out cells, not columns or patients"
assert not np.isnan(known[1, 0]), "a value that is written at the very hour of the decision is known: only later ones are taken out"
assert np.isnan(known[0, 1]) and np.isnan(known[2, 0]), "a value that was written after its own patient's decision is still there"
assert np.allclose(known, [[1, nan], [2, nan], [nan, 7], [4, 8]], equal_nan=True), "the values that were known must stay as they are"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1302)
cells = rng.normal(size=(60, 5))
cells[rng.random((60, 5)) < 0.3] = nan
hours, asked = np.where(np.isnan(cells), nan, rng.integers(0, 48, (60, 5))), rng.integers(0, 48, 60).astype(float)
expected = cells.copy()
for i in range(60):
    for j in range(5):
        if hours[i, j] > asked[i]:
            expected[i, j] = nan
known = np.asarray(leakage_audit(cells.copy(), hours.copy(), asked.copy(), np.arange(60) % 2)["known"], float)
assert np.allclose(known, expected, equal_nan=True), "known is off on a larger table: each cell is compared with its own patient's hour"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "leakage-audit-late", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The share of late values among those written: a third of the second column's, though it is late in one patient of four
nan = np.nan
cells = np.array([[1.0, 5.0, nan], [2.0, nan, nan], [3.0, 7.0, nan], [4.0, 8.0, nan]])
hours = np.array([[9.0, 11.0, nan], [20.0, nan, nan], [31.0, 12.0, nan], [5.0, 39.0, nan]])
late = np.asarray(leakage_audit(cells, hours, np.array([10.0, 20.0, 30.0, 40.0]), np.array([0, 0, 1, 1]))["late"], float)
assert late.shape == (3,), f"one share a column, shape (3,), got {late.shape}"
assert not np.isclose(late[1], 0.25), "you divide by all patients: a value that nobody wrote can't be late. Divide by the written ones"
assert not np.isnan(late[2]), "a column that was never written: its share is 0, not nan"
assert np.allclose(late, [0.25, 1 / 3, 0]), f"expected 1/4, 1/3 and 0, got {late.round(3)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1303)
cells = rng.normal(size=(80, 4))
cells[rng.random((80, 4)) < 0.4] = nan
hours, asked = np.where(np.isnan(cells), nan, rng.integers(0, 48, (80, 4))), rng.integers(0, 48, 80).astype(float)
expected = [np.mean([hours[i, j] > asked[i] for i in range(80) if not np.isnan(cells[i, j])]) for j in range(4)]
late = np.asarray(leakage_audit(cells, hours, asked, np.arange(80) % 2)["late"], float)
assert np.allclose(late, expected), "the shares are off on a larger table"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "leakage-audit-presence", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Presence tells, whatever the value: the first column is there only in the sick, the second only in the healthy, the third in everybody
nan = np.nan
cells = np.array([[nan, 5.0, 1.0], [nan, 5.0, 2.0], [3.0, nan, 3.0], [3.0, nan, 4.0]])
hours = np.where(np.isnan(cells), nan, 1.0)
hours[2:, 0] = 99.0  # late; but it was written
presence = np.asarray(leakage_audit(cells, hours, np.full(4, 10.0), np.array([0, 0, 1, 1]))["presence"], float)
assert presence.shape == (3,), f"one AUC a column, shape (3,), got {presence.shape}"
assert not np.isclose(presence[1], 0), "0 tells as much as 1: take the larger of the AUC and 1 minus it"
assert not np.isclose(presence[2], 1), "the third column is written in everybody: is that the AUC of its values? Presence alone is asked for"
assert not np.isclose(presence[0], 0.5), "late values were written, too: presence is taken before they are removed, since that is how an export looks"
assert np.allclose(presence, [1, 1, 0.5]), f"expected 1, 1 and 0.5, got {presence.round(3)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1304)
outcome = rng.integers(0, 2, 200)
cells = np.where(rng.random((200, 4)) < np.where(outcome[:, None] == 1, [0.9, 0.2, 0.5, 1.0], [0.4, 0.7, 0.5, 1.0]), rng.normal(size=(200, 4)), nan)
presence = np.asarray(leakage_audit(cells, np.where(np.isnan(cells), nan, 5.0), np.full(200, 10.0), outcome)["presence"], float)
there = ~np.isnan(cells)
for j in range(4):
    a, b = there[outcome == 1, j].mean(), there[outcome == 0, j].mean()
    assert np.isclose(presence[j], 0.5 + abs(a - b) / 2), "the AUC of a yes-no mark is 1/2 plus half the difference of its rates: off on a larger table"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "leakage-audit-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# An audit changes nothing: the table that comes in is the one that others still use
cells, hours = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 9.0], [9.0, 1.0]])
audit = leakage_audit(cells, hours, np.array([5.0, 5.0]), np.array([0, 1]))  # in place
assert np.isnan(np.asarray(audit["known"], float)).sum() == 2, "two values here are late"
assert np.array_equal(cells, [[1, 2], [3, 4]]), "your audit has changed the table it was given: work on a copy"
### BEGIN HIDDEN TESTS
cells, hours = np.arange(12.0).reshape(4, 3), np.full((4, 3), 50.0)
leakage_audit(cells, hours, np.full(4, 5.0), np.array([0, 1, 0, 1]))  # in place
assert np.array_equal(cells, np.arange(12.0).reshape(4, 3)) and (hours == 50).all(), "values and times must stay as they are"
### END HIDDEN TESTS

# %% tags=["demo"]
late_rng = np.random.default_rng(SEED + 17)
leaky = {}
for name, part in people.items():  # a bed in the palliative ward is booked after the outcome is known, for most of the sick and few others
    leaky[name] = (late_rng.random(len(part["y"])) < np.where(part["y"] == 1, 0.7, 0.03)).astype(np.float32)[:, None]
leak_fit = LogisticRegression(max_iter=1000).fit(np.hstack([inputs["train"][2], leaky["train"]]), people["train"]["y"])
leak_draws = {"as exported": area_draws(test_y, leak_fit.decision_function(np.hstack([inputs["test"][2], leaky["test"]]))), "without it": baseline_draws["logistic regression, table"]}
at_the_door = area_draws(test_y, leak_fit.decision_function(np.hstack([inputs["test"][2], np.zeros_like(leaky["test"])])))
for name, draws in {**leak_draws, "as exported, used at the door": at_the_door}.items():
    print("table, {:30s} AUC {:.3f} [{:.3f}, {:.3f}]".format(name, *with_interval(draws)))
print(f"weight of the bed {leak_fit.coef_[0, -1]:.1f}, the largest of the others {np.abs(leak_fit.coef_[0, :-1]).max():.1f}")

# %% [markdown]
# One column, and the table beats everything in this lecture, until the model is used at the door, where no bed is booked yet. Data that could not have been known at the time is called **leakage** (Kaufman and others, 2012), and a jump like this is a reason to look for it. An audit by *time* finds the column without knowing what it means. An audit by *presence* finds what time can't: a test that is ordered only for the sick.

# %% [markdown]
# ### Joint or coordinated?
#
# There are two ways to put modalities together, and they answer different questions (Baltrušaitis, Ahuja and Morency, 2019).
#
# - A **joint** representation is *one* vector made of all modalities, $z = f(x_\text{film}, x_\text{report})$. It is made for prediction, and it needs everything of a patient.
# - A **coordinated** representation keeps one vector for each, $z_\text{film} = f(x_\text{film})$ and $z_\text{report} = g(x_\text{report})$, in spaces that are made comparable. Then a sentence alone finds films. Section 12.3 trains such spaces by contrast.
#
# The classical coordinated method is **canonical correlation analysis** (CCA; Hotelling, 1936). It looks for directions $u$ and $v$ such that $u^\top x_\text{film}$ and $v^\top x_\text{report}$ correlate as much as possible. Here it gets the film network's features and counts of words. A search then asks with a report: which of 200 test films is its own?
#
# **Predict before you run.** A blind guess puts the own film at rank 100 of 200 on average. Where does CCA put it? And what happens with the joint vector, when only a sentence is there?

# %% tags=["demo"]
from sklearn.cross_decomposition import CCA


@torch.no_grad()
def film_features(x: list[torch.Tensor]) -> np.ndarray:
    """(n, SEEDS * WIDTH) what the trained film networks hold of each film."""
    return np.hstack([net.encode["film"](x[0])[2].numpy() for net in singles["film"]])


def word_counts(x: list[torch.Tensor]) -> np.ndarray:
    """(n, words) how often each word of the training vocabulary occurs."""
    return F.one_hot(x[1], len(reader.vocabulary) + 2).sum(1)[:, 2:].numpy().astype(float)


def standing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) rank from 1 of each patient's own film b among all films, by cosine with the own report a."""
    a, b = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (a, b))
    similarity = a @ b.T
    return 1 + (similarity > np.diag(similarity)[:, None]).sum(1)


common = np.flatnonzero(word_counts(inputs["train"]).sum(0) >= 20)
cca = CCA(n_components=3, max_iter=1000).fit(film_features(inputs["train"]), word_counts(inputs["train"])[:, common])
film_z, word_z = cca.transform(film_features(inputs["test"]), word_counts(inputs["test"])[:, common])
correlation = np.array([np.corrcoef(film_z[:, k], word_z[:, k])[0, 1] for k in range(3)])
groups = np.arange(len(film_z) // 200 * 200).reshape(-1, 200)
ranks = np.concatenate([standing(word_z[g], film_z[g]) for g in groups])
mixed = np.concatenate([standing(np.random.default_rng(1).permutation(word_z[g]), film_z[g]) for g in groups])
print(f"correlation of film and report on test patients: {', '.join(f'{c:.2f}' for c in correlation)}")
print(f"rank of the own film among 200: mean {ranks.mean():.0f}, median {np.median(ranks):.0f}; with shuffled reports mean {mixed.mean():.0f}, median {np.median(mixed):.0f}")
assert ranks.mean() < 100.5 - 3 * mixed.std() / np.sqrt(len(mixed)), "reports should find their films better than chance"

# %% tags=["demo"]
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
effusion = people["test"]["findings"][:, 1] == 1
for present, mark, colour, name in ((False, "o", show.PALETTE[0], "no effusion"), (True, "^", show.PALETTE[1], "effusion")):
    rows = np.flatnonzero(effusion == present)[:150]
    axes[0].plot(film_z[rows, 0], word_z[rows, 0], mark, color=colour, alpha=0.6, markersize=4, label=name)
axes[0].set(xlabel="film, first canonical direction", ylabel="report, first canonical direction")
axes[0].legend(fontsize=8)
axes[1].hist([ranks, mixed], bins=np.arange(0, 201, 20), label=["own report", "shuffled reports"], color=[show.PALETTE[2], "0.75"], edgecolor="black", linewidth=0.5)
axes[1].set(xlabel="rank of the own film among 200", ylabel="test patients")
axes[1].legend(fontsize=8)
show.figure(fig, alt="Left: film against report along the first canonical direction; patients with an effusion are marked by triangles, those without by circles. Right: the rank of the own film among 200, more often small than with shuffled reports, whose ranks are spread evenly.")

# %% [markdown]
# Two linear maps are enough to search. Nobody told CCA what an effusion is: the two modalities agreed on it. They can only agree on what both hold, so a coordinated space *forgets* what one modality holds alone. That is fine for a search, and bad for a prediction that needs the frailty in the film and the transplant in the history. A joint vector keeps both, and is of no use when only a sentence is there.
#
# **Checkpoint.** A colleague trains on film, report, labs and a gene panel, on the 9 % of patients who have all four, and reports an AUC of 0.93. Name three questions that you ask before you look at the method.
#
# <details><summary>Answer</summary>Who are the 9 %: sicker, later in the disease, from one hospital? What was known when the prediction is made, for each column and for the report, which may name the outcome? What do the single modalities reach on the same patients, the report alone first? And a fourth: were the genes picked inside the folds?</details>

# %% [markdown]
# ## 12.2 Multimodal information fusion
#
# Film and labs of a patient lie on your desk, and the intensive care unit has one bed. *Where* in the computation should the sources meet? As early as possible, so that the model sees everything at once? Or as late as possible, so that each expert finishes its own work first? Write $h_m \in \mathbb{R}^{d}$ for the vector that the encoder of modality $m$ makes, $m = 1, \ldots, M$.
#
# | way | what is fused | formula | can it use products across modalities? |
# |---|---|---|---|
# | **early** | features | $f([h_1; \ldots; h_M])$ | if $f$ is not linear |
# | **joint** | features, with the encoders trained through the fusion | the same, end to end | if $f$ is not linear |
# | **late** | predictions | $\frac{1}{M} \sum_m \sigma(z_m / T_m)$ | no |
# | **gated** | features, weighted for each patient | $f(\sum_m g_m \odot h_m)$ with gates $g$ from all $h$ | yes, by the gates |
# | **cross-attention** | tokens of one look at tokens of another | $f(h_1 + \mathrm{attention}(h_1, \text{tokens of } 2), \ldots)$ | yes, by the weights |
# | **tensor** | all products | $w^\top\,\mathrm{vec}\big([h_1; 1] \otimes \cdots \otimes [h_M; 1]\big)$ | yes, by construction |
#
# (Some authors call both of the first two "early", others keep "early" for features that are frozen before they meet. We follow Huang and others, 2020: frozen features are early fusion, end-to-end training is joint fusion.)
#
# You build each of them once by hand. Then all of them meet on the cohort, with one budget, against the best single modality.
#
# ### Early fusion
#
# Put a patient's features side by side: 512 from the film, in the hundreds, and one lactate, about 2 mmol/L. Train a linear layer with weight decay on that. The lactate would need a large weight, which decay forbids, and the film has 512 chances to explain the training patients by accident. Nobody decided that labs matter little. The units did. So before anything meets, each modality is
# standardised on its own, and each gets the same total length.

# %% [markdown]
# ### Exercise 12.2a - early fusion, each modality on its own scale
#
# Difficulty 3 of 5 - 5 points - about 15 minutes - *after it one lab value is not drowned by 512 image features*
#
# Write `early_fusion(train, other)`. Three rules: means and standard deviations come from the training patients only; a missing value becomes the training mean, which is 0 after standardising; and each modality is divided by $\sqrt{d_m}$, the root of its number of features, so that every modality has the same expected squared length, whatever $d_m$.
#
# <details><summary>Hint 1: the idea</summary>Standardise column by column, fill in, divide the block, put blocks side by side.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.nanmean</code> and <code>numpy.nanstd</code> with <code>axis=0</code>; <code>numpy.nan_to_num(z, nan=0.0)</code>; <code>numpy.concatenate(..., axis=1)</code>.</details>
# <details><summary>A column has become inf or nan</summary>It is constant in training, so its standard deviation is 0. Such a column tells nothing: let it be 0.</details>
# <details><summary>The new hospital's patients have the mean 0</summary>Then they were standardised by their own mean: the shift between the hospitals is gone, and a single patient can't be standardised at all.</details>

# %% nbgrader={"grade": false, "grade_id": "early-fusion", "locked": false, "schema_version": 3, "solution": true, "task": false}
def early_fusion(train: list[np.ndarray], other: list[np.ndarray]) -> np.ndarray:
    """One vector a patient out of several modalities, on scales that the training patients set.

    Args:
        train: for each modality m an array (n, d_m) of the training patients, nan where missing; each column has at least one value.
        other: the same modalities of the patients to be fused, (k, d_m); k may be 1.

    Returns:
        (k, d_1 + d_2 + ...) float, without nan: (value - mean) / sd / sqrt(d_m), population sd (ddof=0) of the training patients; 0 where a value is
        missing or its column is constant in training.
    """
    ### BEGIN SOLUTION
    blocks = []
    for known, new in zip(train, other, strict=True):
        mean, sd = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
        flat = sd <= 1e-12 * (1 + np.abs(mean))
        z = np.where(flat, 0.0, (new - mean) / np.where(flat, 1.0, sd))
        blocks.append(np.nan_to_num(z, nan=0.0) / np.sqrt(known.shape[1]))
    return np.concatenate(blocks, axis=1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "early-fusion-columns", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Columns: two lab values in their own units, mean 100 and 2, sd 10 and 1; one modality of two columns, so divided by the root of 2
labs = np.array([[90.0, 1.0], [110.0, 3.0]])
fused = np.asarray(early_fusion([labs.copy()], [labs.copy()]), float) * np.sqrt(2)
assert fused.shape == (2, 2), f"two patients and two columns should stay (2, 2), got {fused.shape}"
assert not np.allclose(fused, (labs - labs.mean()) / labs.std()), "one mean for the whole modality: mmHg and mmol/L need their own, take axis=0"
assert not np.allclose(fused, labs - labs.mean(0)), "the mean is taken off, the standard deviation is not divided by"
assert not np.allclose(fused, (labs - labs.mean(0)) / labs.var(0)), "you divide by the variance: take its root"
assert not np.allclose(fused, [[-np.sqrt(0.5)] * 2, [np.sqrt(0.5)] * 2]), "off by the root of 2: the sd is the population's (ddof=0), or the modality is divided twice"
assert np.allclose(np.sign(fused), [[-1, -1], [1, 1]]) and np.allclose(np.abs(fused[:, 0]), np.abs(fused[:, 1])), "both columns vary by one sd: they should come out alike"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1310)
labs = rng.normal([5, -300, 0.01], [0.1, 80, 0.002], (40, 3))
fused = np.asarray(early_fusion([labs.copy()], [labs.copy()]), float)
ratio = fused / ((labs - labs.mean(0)) / labs.std(0))
assert np.allclose(ratio, ratio[0, 0]) and ratio[0, 0] > 0, "columns of one modality should be z-scores, up to one factor for the modality"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "early-fusion-train-only", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The scale is the training patients': training mean 10, sd 2. A new patient with 14 is two sd above, also when nobody else comes
known = [np.array([[8.0], [12.0]])]
alone = np.asarray(early_fusion([known[0].copy()], [np.array([[14.0]])]), float)
assert np.isfinite(alone).all() and not np.isclose(alone[0, 0], 0), "a single patient is standardised by itself, so nothing of it is left: use the training patients' mean and sd"
pooled = np.array([8.0, 12.0, 14.0])
assert not np.isclose(alone[0, 0], (14 - pooled.mean()) / pooled.std()), "the new patient is in the mean and sd: fit on the training patients alone"
assert np.isclose(alone[0, 0], 2), f"expected (14 - 10) / 2 = 2, got {alone[0, 0]:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1311)
train_a, train_b, new_a, new_b = rng.normal(3, 2, (30, 4)), rng.normal(0, 9, (30, 2)), rng.normal(7, 1, (5, 4)), rng.normal(1, 1, (5, 2))
all_five = np.asarray(early_fusion([train_a.copy(), train_b.copy()], [new_a.copy(), new_b.copy()]), float)
one = np.asarray(early_fusion([train_a.copy(), train_b.copy()], [new_a[2:3].copy(), new_b[2:3].copy()]), float)
assert np.allclose(one, all_five[2:3]), "a patient's vector must not depend on who else comes that day"
assert np.allclose(all_five[:, :4] * 2, (new_a - train_a.mean(0)) / train_a.std(0)), "the first modality is off: mean and sd of the training patients"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "early-fusion-balance", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# 400 image features and one lab value: as blocks they should carry the same squared length on average
rng = np.random.default_rng(1312)
image, lab = rng.normal(0, 3, (200, 400)), rng.normal(7.4, 0.05, (200, 1))
fused = np.asarray(early_fusion([image.copy(), lab.copy()], [image.copy(), lab.copy()]), float)
assert fused.shape == (200, 401), f"400 and 1 features should become 401, got {fused.shape}"
lengths = (fused[:, :400] ** 2).sum(1).mean(), (fused[:, 400:] ** 2).sum(1).mean()
assert not np.isclose(lengths[0] / lengths[1], 400), "400 features against one: the image is 400 times as heavy. Divide each modality by the root of its number of features"
assert not np.isclose(lengths[0] * 400, lengths[1]), "you divide by d: the squared length then falls with d. Divide by the root"
assert np.isclose(lengths[0], 1) and np.isclose(lengths[1], 1), f"each modality should have the mean squared length 1, got {lengths[0]:.3g} and {lengths[1]:.3g}"
### BEGIN HIDDEN TESTS
blocks = [rng.normal(5, 2, (100, d)) for d in (3, 50, 8)]
fused = np.asarray(early_fusion([b.copy() for b in blocks], [b.copy() for b in blocks]), float)
for a, b in ((0, 3), (3, 53), (53, 61)):
    assert np.isclose((fused[:, a:b] ** 2).sum(1).mean(), 1), "with three modalities the blocks are not of equal length, or not in the order given"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "early-fusion-missing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What a hospital sends: a missing lactate, and a column that never varies in training
known = np.array([[1.0, 7.0], [3.0, 7.0], [np.nan, 7.0]])
fused = np.asarray(early_fusion([known.copy()], [np.array([[np.nan, 7.0], [3.0, 8.0]])]), float)
assert not np.isnan(fused).any(), "nan in the vector: a missing value becomes 0, the training mean, and its mean and sd are taken without it"
assert np.isfinite(fused).all() and np.allclose(fused[:, 1], 0), "a column that is constant in training has no scale: let it be 0, whatever the new value is"
assert np.isclose(fused[0, 0], 0), "a missing value becomes the training mean, which is 0 after standardising"
assert np.isclose(fused[1, 0], 1 / np.sqrt(2)), "the value beside a missing one: (3 - 2) / 1, divided by the root of 2 columns"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1313)
known, new = rng.normal(5, 2, (50, 6)), rng.normal(5, 2, (9, 6))
known[rng.random(known.shape) < 0.3], new[rng.random(new.shape) < 0.3] = np.nan, np.nan
fused = np.asarray(early_fusion([known.copy()], [new.copy()]), float)
expected = (new - np.nanmean(known, 0)) / np.nanstd(known, 0) / np.sqrt(6)
assert np.allclose(fused, np.where(np.isnan(new), 0, expected)), "with gaps in training and in the new patients the vector is off"
### END HIDDEN TESTS

# %% [markdown]
# ### Late fusion
#
# Each modality gets its own model, each model gives a logit $z_m$, and the probabilities are averaged. This is the sturdiest way: models can be trained on different patients, one can be replaced without the others, and a missing modality is simply left out. Its weak point is **loudness**. A network that overfits is too sure of itself, so its logits are too large. Averaged as they are, logits let the loudest model win, and not the one that knows
# most. Its own AUC doesn't show it, since scaling changes no ranking. So each is calibrated first, by one temperature $T_m$ on validation patients (Guo and others, 2017).

# %% [markdown]
# ### Exercise 12.2b - late fusion, calibrated first
#
# Difficulty 3 of 5 - 5 points - about 20 minutes - *after it a loud model no longer outvotes one that knows*
#
# Write `late_fusion(val_logits, val_y, logits)`: for each modality find the temperature $T_m > 0$ that minimises the cross-entropy of $\sigma(z / T_m)$ on validation patients, then average the calibrated probabilities. A modality that a patient does not have is left out of that patient's mean.
#
# <details><summary>Hint 1: the idea</summary>One number for each modality, found on validation by a search in one dimension. Then three steps in this order: divide, sigmoid, mean over the modalities that are there.</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.optimize.minimize_scalar(loss, bounds=(-5, 5), method="bounded")</code> over the logarithm of T; <code>scipy.special.expit</code>; <code>numpy.nanmean</code>. The cross-entropy of a logit z is <code>numpy.logaddexp(0, z) - y * z</code>.</details>
# <details><summary>My answer changes when one model's logits are ten times larger</summary>Then something is averaged before it is divided by its temperature.</details>
# <details><summary>All my temperatures are nan or at the end of the range</summary>Missing logits have to leave the loss as well; and is T divided by, not multiplied with?</details>

# %% nbgrader={"grade": false, "grade_id": "late-fusion", "locked": false, "schema_version": 3, "solution": true, "task": false}
def late_fusion(val_logits: np.ndarray, val_y: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Late fusion by the mean of calibrated probabilities.

    Args:
        val_logits: (M, n) of M modalities for n validation patients, nan where a patient lacks the modality.
        val_y: (n,) outcomes 0 or 1. Each modality ranks them better than chance, and not perfectly.
        logits: (M, k) of the patients to be judged, nan where missing; each patient has at least one modality.

    Returns:
        (k,) probabilities, and the (M,) temperatures, found to 1 % or better between exp(-5) and exp(5).
    """
    ### BEGIN SOLUTION
    from scipy.optimize import minimize_scalar
    from scipy.special import expit

    temperatures = []
    for z in val_logits:
        here = ~np.isnan(z)
        z, y = z[here], val_y[here]

        def loss(log_t: float, z: np.ndarray = z, y: np.ndarray = y) -> float:
            scaled = z * np.exp(-log_t)
            return float((np.logaddexp(0, scaled) - y * scaled).mean())

        temperatures.append(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-5}).x))
    temperatures = np.array(temperatures)
    return np.nanmean(expit(logits / temperatures[:, None]), axis=0), temperatures
    ### END SOLUTION

# %% tags=["given"]
def said_with(share: float, loud: float, n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Logits +loud or -loud of 2 n patients, and outcomes that agree with the sign in this share of them: calibrated at loud / log(share / (1 - share))."""
    agree = np.arange(n) < round(share * n)
    y = np.concatenate([agree, ~agree]).astype(int)
    return np.repeat([loud, -loud], n), y

# %% nbgrader={"grade": true, "grade_id": "late-fusion-temperature", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Temperatures by hand: a model says +6 or -6 and is right in 80 %. It should say log(0.8 / 0.2) = 1.386, so T = 6 / 1.386 = 4.33
loud, outcome = said_with(0.8, 6.0)
answer = late_fusion(loud[None].copy(), outcome.copy(), np.array([[6.0, -6.0]]))
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: probabilities and temperatures"
right, found = 6 / np.log(4), np.asarray(answer[1], float)
assert found.shape == (1,), f"one temperature a modality, shape (1,), got {found.shape}"
assert not np.isclose(found[0], 1 / right, rtol=0.05), "that is 1 / T: logits are divided by the temperature, not multiplied with it"
assert not np.isclose(found[0], 1), "T = 1 changes nothing: find the temperature that minimises the cross-entropy on validation"
assert not np.isclose(found[0], np.log(right), rtol=0.02), "that is the logarithm of T"
assert np.isclose(found[0], right, rtol=0.02), f"expected a temperature of {right:.2f}, got {found[0]:.2f}"
### BEGIN HIDDEN TESTS
for share, loud in ((0.6, 1.0), (0.9, 0.5), (0.7, 20.0)):
    z, outcome = said_with(share, loud)
    found = np.asarray(late_fusion(z[None].copy(), outcome.copy(), np.array([[loud]]))[1], float)
    assert np.isclose(found[0], loud / np.log(share / (1 - share)), rtol=0.02), f"the temperature is off for logits of {loud} that are right in {share:.0%}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "late-fusion-order", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Each modality has its own temperature, and it comes before the mean: a film that shouts (+-9, right in 70 %) and labs that whisper (+-0.5, right in 90 %)
shout, outcome = said_with(0.7, 9.0)
whisper = np.where(outcome == 1, 0.5, -0.5)
whisper[[0, 1, 2, 3, 4, 70, 71, 72, 73, 74, 100, 101, 102, 103, 104, 130, 131, 132, 133, 134]] *= -1  # wrong in 20 of 200
asked = np.array([[9.0, 9.0, -9.0], [0.5, -0.5, -0.5]])
found = np.asarray(late_fusion(np.stack([shout, whisper]), outcome.copy(), asked.copy())[0], float)
assert found.shape == (3,), f"one probability a patient, shape (3,), got {found.shape}"
film, labs = np.array([0.7, 0.7, 0.3]), np.array([0.9, 0.1, 0.1])
assert not np.allclose(found, film + labs, atol=0.02), "probabilities are added: take their mean"
assert found.min() >= 0 and found.max() <= 1, "a probability lies between 0 and 1: the sigmoid comes before the mean"
assert found[1] < 0.5, "the film outvotes the labs, which are right more often: divide each modality by its own temperature, then average"
assert not np.allclose(found, 1 / (1 + np.exp(-(np.log(film / (1 - film)) + np.log(labs / (1 - labs))) / 2)), atol=5e-3), "the calibrated logits are averaged: take the mean of the probabilities"
assert np.allclose(found, (film + labs) / 2, atol=5e-3), f"expected about {((film + labs) / 2).round(2)}, got {found.round(3)}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1320)
outcome = rng.integers(0, 2, 300)
val, new = rng.normal(outcome - 0.5, 1.0, (3, 300)), rng.normal(0, 1, (3, 40))
first = np.asarray(late_fusion(val.copy(), outcome.copy(), new.copy())[0], float)
scale = np.array([[10.0], [0.3], [1.0]])
second = np.asarray(late_fusion(val * scale, outcome.copy(), new * scale)[0], float)
assert first.shape == second.shape == (40,) and np.allclose(first, second, atol=5e-3), "a modality whose logits are all ten times larger must not count more"
order = [2, 0, 1]
assert np.allclose(first, np.asarray(late_fusion(val[order], outcome.copy(), new[order])[0], float), atol=5e-3), "the order of the modalities must not matter"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "late-fusion-missing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Without labs the film speaks alone; and a gap in validation must not spoil a temperature
shout, outcome = said_with(0.8, 3.0)
calm, _ = said_with(0.8, 1.0)
gaps = calm.copy()
gaps[[5, 25, 95, 105, 125, 195]] = np.nan
probability, temperature = late_fusion(np.stack([shout, gaps]), outcome.copy(), np.array([[3.0, np.nan, 3.0], [np.nan, -1.0, 1.0]]))
probability, temperature = np.asarray(probability, float), np.asarray(temperature, float)
assert np.isfinite(temperature).all() and np.isclose(temperature[0], 3 / np.log(4), rtol=0.02), "a gap in one modality has spoiled a temperature: leave the missing logits out of its loss"
assert not np.isnan(probability).any(), "nan for a patient who lacks a modality: average over those that are there"
assert not np.isclose(probability[0], 0.4, atol=0.01), "a missing modality counts as probability 0: leave it out of the mean"
assert not np.isclose(probability[0], 0.65, atol=0.01), "a missing modality counts as 1/2, and pulls to the middle: leave it out of the mean"
assert np.isclose(probability[0], 0.8, atol=0.01), f"with the film alone the film's 0.8 should come out, got {probability[0]:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1321)
outcome = rng.integers(0, 2, 200)
val, new = rng.normal(2 * outcome - 1.0, 2.0, (2, 200)), rng.normal(0, 2, (2, 30))
val[0, ::3], new[1, ::2] = np.nan, np.nan
probability, temperature = late_fusion(val.copy(), outcome.copy(), new.copy())
single = [np.asarray(late_fusion(val[m : m + 1].copy(), outcome.copy(), np.nan_to_num(new[m : m + 1]))[0], float) for m in range(2)]
expected = np.where(np.isnan(new[1]), single[0], (single[0] + single[1]) / 2)
assert np.allclose(np.asarray(probability, float), expected, atol=5e-3), "with gaps in both sets the probability is not the mean of those that are there"
### END HIDDEN TESTS

# %% [markdown]
# **Predict before you run.** Below, the film model's logits are multiplied by a factor, as an overconfident network would do. Its own AUC stays. What happens to the fused AUC when the logits are averaged, when the probabilities are averaged, and when each model is calibrated first? Move the slider.

# %% tags=["demo"]
from scipy.special import expit


def calibrated(z_val: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Logits (k,) at the temperature that fits validation: a logistic regression with one slope and no intercept."""
    unit = np.abs(z_val).mean()
    slope = LogisticRegression(C=1e6, fit_intercept=False).fit(z_val[:, None] / unit, y).coef_[0, 0] / unit
    return slope * z


def late_areas(factor: float) -> dict[str, float]:
    """Fused validation AUC of three ways to average, with the film's logits louder by a factor; first seed, calibrated on one half and measured on the other."""
    y, half = people["val"]["y"], np.arange(n_val) % 2 == 0
    z = np.stack([val_logits[m][0] * (factor if m == "film" else 1.0) for m in MODALITIES])
    calm = np.stack([calibrated(one[half], y[half], one[~half]) for one in z])
    ways = {"logits averaged": z[:, ~half].mean(0), "probabilities averaged": expit(z[:, ~half]).mean(0), "calibrated, then averaged": expit(calm).mean(0)}
    return {name: float(roc_auc_score(y[~half], score)) for name, score in ways.items()}


LOUDNESS = np.geomspace(0.25, 32, 15)
loud_curves = {name: [late_areas(f)[name] for f in LOUDNESS] for name in late_areas(1.0)}


def draw_loudness(log2_factor: int) -> plt.Figure:
    fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for number, ((name, values), mark) in enumerate(zip(loud_curves.items(), "osD", strict=True)):
        ax.plot(LOUDNESS, values, marker=mark, color=show.PALETTE[number], markersize=4, label=name)
        ax.plot(2.0**log2_factor, late_areas(2.0**log2_factor)[name], mark, color=show.PALETTE[number], markersize=10, markeredgecolor="black")
    ax.axvline(2.0**log2_factor, color="0.7", linewidth=0.8)
    ax.set(xscale="log", xlabel="factor on the film's logits", ylabel="fused AUC, validation", xticks=[0.25, 1, 4, 16], xticklabels=["1/4", "1", "4", "16"])
    ax.minorticks_off()
    ax.legend(fontsize=8)
    return fig


show.explore(draw_loudness, alt="Fused AUC against a factor on the film model's logits. Averaged logits get worse as the film gets louder; averaged probabilities get worse more slowly; calibrated first, the AUC does not change.", log2_factor=(-2, 5, 1))

# %% [markdown]
# Calibrated first, the factor has no effect: the temperature takes it out again. Without calibration a louder film turns the fused score, step by step, into the film's score alone.
#
# ### Gated fusion
#
# A fixed average trusts the film of every patient alike, the sharp one and the blurred one. A **gate** is a weight that the network computes for each patient from all the vectors (Arevalo and others, 2017). A softmax keeps the weights positive with the sum 1, and a mask takes out what is not there: the weights of the others then grow, so that the fused vector keeps its scale.

# %% [markdown]
# ### Exercise 12.2c - gated fusion with a mask
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it a modality that is not there gets no vote, and leaves no nan*
#
# Write `gated_fusion(h, score, present)`: the weights are the softmax of the scores over the modalities that a patient has, and the result is the weighted sum of their vectors.
#
# <details><summary>Hint 1: the idea</summary>Take absent modalities out before the softmax, so that the rest still adds up to 1. Then their vectors must not enter the sum either: nobody knows what stands there.</details>
# <details><summary>Hint 2: what to call</summary><code>score.masked_fill(~present, torch.finfo(score.dtype).min)</code>, <code>softmax(dim=1)</code>, <code>torch.where(present[..., None], h, 0)</code>.</details>
# <details><summary>I get nan, though the weight is 0</summary>0 times nan is nan. Replace the vectors of absent modalities, don't multiply them away.</details>
# <details><summary>My vector is shorter for patients who lack something</summary>Their weights add up to less than 1: the mask came after the softmax.</details>

# %% nbgrader={"grade": false, "grade_id": "gated-fusion", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gated_fusion(h: torch.Tensor, score: torch.Tensor, present: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted sum of a patient's modalities; the weights are a softmax over those that are there.

    Args:
        h: (B, M, d) one vector for each modality; what stands at an absent one may be anything, nan included.
        score: (B, M) finite, how much each modality wants to be heard; may be as large as 1e4.
        present: (B, M) bool, True where the patient has the modality.

    Returns:
        fused (B, d) and weights (B, M). Weights add up to 1 over the present modalities and are 0 for the others; a patient who has none gets zeros in both.
    """
    ### BEGIN SOLUTION
    weights = score.masked_fill(~present, torch.finfo(score.dtype).min).softmax(dim=1) * present
    kept = torch.where(present[..., None], h, torch.zeros_like(h))
    return (weights[..., None] * kept).sum(1), weights
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "gated-fusion-weights", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Weights when all are there: a softmax over a patient's modalities, and the sum that follows from it
h_g = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]], [[2.0, 2.0], [6.0, 0.0], [0.0, 6.0]]])
score_g, all_g = torch.log(torch.tensor([[1.0, 2.0, 1.0], [1.0, 1.0, 2.0]])), torch.ones(2, 3, dtype=torch.bool)
answer_g = gated_fusion(h_g.clone(), score_g.clone(), all_g.clone())
assert isinstance(answer_g, (tuple, list)) and len(answer_g) == 2, "return two things: the fused vectors and the weights"
o_g, w_g = (torch.as_tensor(part).detach() for part in answer_g)
assert tuple(w_g.shape) == (2, 3) and tuple(o_g.shape) == (2, 2), f"weights should be (2, 3) and fused (2, 2), got {tuple(w_g.shape)} and {tuple(o_g.shape)}"
assert not torch.allclose(w_g, score_g.softmax(0)), "your softmax runs over the patients of the batch: a patient's weights must not depend on who lies beside him. Take dim=1"
assert not torch.allclose(w_g, torch.sigmoid(score_g)), "sigmoids don't add up to 1: take a softmax over the modalities"
assert torch.allclose(w_g, torch.tensor([[0.25, 0.5, 0.25], [0.25, 0.25, 0.5]])), f"the weights of the first patient should be 1/4, 1/2, 1/4, got {w_g[0].numpy().round(3)}"
assert torch.allclose(o_g, torch.tensor([[1.25, 1.5], [2.0, 3.5]])), f"the weighted sums are off, got {o_g.numpy().round(3).tolist()}"
### BEGIN HIDDEN TESTS
rng_g = torch.Generator().manual_seed(1330)
h_g, score_g = torch.randn(5, 4, 7, generator=rng_g), torch.randn(5, 4, generator=rng_g)
o_g, w_g = (torch.as_tensor(part).detach() for part in gated_fusion(h_g.clone(), score_g.clone(), torch.ones(5, 4, dtype=torch.bool)))
assert w_g.shape == score_g.shape and torch.allclose(w_g, score_g.softmax(1), atol=1e-5), "the weights are off on random scores"
assert o_g.shape == (5, 7) and torch.allclose(o_g, torch.einsum("bm,bmd->bd", score_g.softmax(1), h_g), atol=1e-5), "the weighted sum is off on random vectors"
o_g, w_g = (torch.as_tensor(part).detach() for part in gated_fusion(h_g[:1].clone(), torch.tensor([[1e4, 0.0, -1e4, 9e3]]), torch.ones(1, 4, dtype=torch.bool)))
assert torch.isfinite(w_g).all() and torch.allclose(w_g, torch.tensor([[1.0, 0, 0, 0]])), "large scores overflow: use torch's softmax"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gated-fusion-mask", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The mask: who lacks the labs is judged as if there were only film and report
rng_g = torch.Generator().manual_seed(1331)
h_g, score_g = torch.randn(3, 3, 4, generator=rng_g), torch.randn(3, 3, generator=rng_g) + torch.tensor([0.0, 0.0, 2.0])
present_g = torch.tensor([[True, True, False]] * 3)
o_g, w_g = (torch.as_tensor(part).detach() for part in gated_fusion(h_g.clone(), score_g.clone(), present_g.clone()))
two_o, two_w = (torch.as_tensor(part).detach() for part in gated_fusion(h_g[:, :2].clone(), score_g[:, :2].clone(), torch.ones(3, 2, dtype=torch.bool)))
assert torch.allclose(w_g[:, 2], torch.zeros(3)), "an absent modality has a weight"
assert not torch.allclose(w_g[:, :2], score_g.softmax(1)[:, :2]), "the weights add up to less than 1: take the absent ones out before the softmax"
zeroed = (score_g * present_g).softmax(1)[:, :2]
assert not torch.allclose(w_g[:, :2], zeroed), "a score of 0 is no mask: exp(0) is 1, and takes its share of the softmax"
assert w_g[:, :2].shape == two_w.shape and torch.allclose(w_g[:, :2], two_w), "the weights should be those of film and report alone"
assert o_g.shape == two_o.shape and torch.allclose(o_g, two_o, atol=1e-6), "the vector should be that of film and report alone"
### BEGIN HIDDEN TESTS
for number in range(4):
    rng_g = torch.Generator().manual_seed(1332 + number)
    h_g, score_g, present_g = torch.randn(6, 5, 3, generator=rng_g), torch.randn(6, 5, generator=rng_g), torch.rand(6, 5, generator=rng_g) < 0.6
    present_g[:, number] = True
    o_g, w_g = (torch.as_tensor(part).detach() for part in gated_fusion(h_g.clone(), score_g.clone(), present_g.clone()))
    e_g = torch.exp(score_g) * present_g
    truth_g = e_g / e_g.sum(1, keepdim=True)
    assert torch.allclose(w_g, truth_g, atol=1e-5) and torch.allclose(o_g, (truth_g[..., None] * h_g).sum(1), atol=1e-5), "weights or vectors are off with other patterns of absence"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gated-fusion-nan", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Nobody knows what stands at an absent modality: nan there must not reach the result
h_g = torch.tensor([[[1.0, 2.0], [float("nan"), float("nan")]], [[3.0, 4.0], [5.0, 6.0]]])
o_g, w_g = (torch.as_tensor(part).detach() for part in gated_fusion(h_g.clone(), torch.zeros(2, 2), torch.tensor([[True, False], [True, True]])))
assert torch.allclose(o_g[1], torch.tensor([4.0, 5.0])), "the patient who has both should get their mean"
assert not torch.isnan(o_g[0]).any(), "nan came through with the weight 0: 0 times nan is nan. Replace the vectors of absent modalities"
assert torch.allclose(o_g[0], torch.tensor([1.0, 2.0])), "with one modality its own vector should come out"
### BEGIN HIDDEN TESTS
h_g = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(1336))
present_g = torch.tensor([[True, False, True], [False, False, True], [True, True, False], [True, True, True]])
filled = [h_g.masked_fill(~present_g[..., None], other) for other in (float("nan"), float("inf"), 1e30)]
answers = [torch.as_tensor(gated_fusion(part.clone(), torch.ones(4, 3), present_g.clone())[0]).detach() for part in filled]
assert all(torch.isfinite(part).all() and torch.allclose(part, answers[0]) for part in answers), "the result depends on what stands at an absent modality"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gated-fusion-nobody", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A patient without any modality: zeros, and no harm to the patient beside
h_g = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
o_g, w_g = (torch.as_tensor(part).detach() for part in gated_fusion(h_g.clone(), torch.zeros(2, 2), torch.tensor([[False, False], [True, False]])))
assert torch.allclose(o_g[1], torch.tensor([5.0, 6.0])), "the patient beside has one modality: its vector should come out"
assert not torch.isnan(w_g).any() and not torch.isnan(o_g).any(), "a softmax over nothing is nan: give such a patient zeros"
assert torch.allclose(w_g[0], torch.zeros(2)), "without any modality no weight is left: the softmax of equal scores gives 1/M to modalities that are not there"
assert torch.allclose(o_g[0], torch.zeros(2)), "without any modality the vector is 0"
### BEGIN HIDDEN TESTS
o_g, w_g = (torch.as_tensor(part).detach() for part in gated_fusion(torch.full((2, 3, 4), float("nan")), torch.randn(2, 3, generator=torch.Generator().manual_seed(1337)), torch.zeros(2, 3, dtype=torch.bool)))
assert torch.equal(o_g, torch.zeros(2, 4)) and torch.equal(w_g, torch.zeros(2, 3)), "a whole batch without modalities should give zeros"
### END HIDDEN TESTS

# %% [markdown]
# ### Cross-attention
#
# Averages forget *where*. A report says "consolidation in the left lung", and the film has sixteen fields. With **cross-attention** (Tsai and others, 2019, for language, sound and video) each field asks all words, takes what fits, and goes on as a better informed field.

# %% [markdown]
# ### Exercise 12.2d - cross-attention from the film to the report
#
# Difficulty 4 of 5 - 4 points - about 20 minutes - *after it each field of a film can look up the words that belong to it*
#
# Lecture 9 let the tokens of one image look at each other. Here the **queries** come from one modality and the **keys and values** from another: $Q = F W_q$ from the film's tokens $F$, $K = R W_k$ and $V = R W_v$ from the report's words $R$. Reports differ in length, so short ones are padded, and padding is no word. What a field finds is *added* to what it is:
#
# $$F' = F + \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$
#
# Write `cross_attention(film, report, padding, wq, wk, wv)`. torch's convention holds for the mask: `padding` is True where there is **no** word.
#
# <details><summary>Hint 1: the idea</summary>One row of attention for each field of the film, one column for each word. Padded columns go before the softmax. An empty report leaves the film as it is.</details>
# <details><summary>Hint 2: what to call</summary><code>scores.masked_fill(padding[:, None, :], ...)</code> broadcasts the mask over the queries; a softmax over the last axis; then <code>* ~padding[:, None, :]</code>.</details>
# <details><summary>My attention looks only at padding</summary>The mask is the other way round: True means padding here.</details>
# <details><summary>My attention has shape (B, words, fields)</summary>Then the words ask and the film answers. Queries come from the film.</details>

# %% nbgrader={"grade": false, "grade_id": "cross-attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cross_attention(film: torch.Tensor, report: torch.Tensor, padding: torch.Tensor, wq: torch.Tensor, wk: torch.Tensor, wv: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One head of attention from film tokens to report words, with a residual.

    Args:
        film: (B, Q, f) tokens that ask. report: (B, K, r) words that answer; finite at padding too.
        padding: (B, K) bool, True where there is no word.
        wq: (f, d), wk: (r, d), wv: (r, f); used as `tokens @ w`.

    Returns:
        film plus what was found (B, Q, f), and attention (B, Q, K): it sums to 1 over the words and is 0 at padding. For a report without words
        attention is 0 and the film comes back unchanged.
    """
    ### BEGIN SOLUTION
    q, k, v = film @ wq, report @ wk, report @ wv
    scores = q @ k.mT / q.shape[-1] ** 0.5
    nothing = padding[:, None, :]
    weights = scores.masked_fill(nothing, torch.finfo(scores.dtype).min).softmax(dim=-1) * ~nothing
    return film + weights @ v, weights
    ### END SOLUTION

# %% tags=["given"]
def film_and_words(seed: int, fields: int = 4, length: int = 6, f: int = 5, r: int = 3, d: int = 8) -> tuple:
    """Two films' tokens (2, fields, f), two reports' words (2, length, r), and the three matrices."""
    rng = torch.Generator().manual_seed(seed)
    shapes = ((2, fields, f), (2, length, r), (f, d), (r, d), (r, f))
    return tuple(torch.randn(*shape, generator=rng, dtype=torch.float64) for shape in shapes)

# %% nbgrader={"grade": true, "grade_id": "cross-attention-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Attention without padding: the film asks, the words answer, the scores are scaled
film_x, words_x, *w_x = film_and_words(1340)
none_x = torch.zeros(2, 6, dtype=torch.bool)
answer_x = cross_attention(film_x.clone(), words_x.clone(), none_x.clone(), *w_x)
assert isinstance(answer_x, (tuple, list)) and len(answer_x) == 2, "return two things: the film's new tokens and the attention"
a_x = torch.as_tensor(answer_x[1]).detach().double()
assert tuple(a_x.shape) == (2, 4, 6), f"4 fields ask 6 words: attention should be (2, 4, 6), got {tuple(a_x.shape)}. Queries come from the film, keys from the report"
s_x = torch.einsum("bqf,fd,bkr,rd->bqk", film_x, w_x[0], words_x, w_x[1])
assert not torch.allclose(a_x, s_x.softmax(2)), "the scaling is missing: divide the scores by the root of d, the width of the queries"
assert not torch.allclose(a_x, (s_x / 5**0.5).softmax(2)), "you divide by the root of the film's width f: d is the width of queries and keys"
assert not torch.allclose(a_x, (s_x / 8**0.5).softmax(1)), "your softmax runs over the fields: each field shares its attention among the words, the last axis"
assert torch.allclose(a_x, (s_x / 8**0.5).softmax(2), atol=1e-5), "the attention is not softmax(Q K^T / sqrt(d))"
### BEGIN HIDDEN TESTS
for number, sizes in enumerate(((1, 9, 4, 2, 16), (7, 3, 6, 6, 6), (5, 5, 2, 9, 1))):
    film_x, words_x, *w_x = film_and_words(1341 + number, *sizes)
    a_x = torch.as_tensor(cross_attention(film_x.clone(), words_x.clone(), torch.zeros(2, sizes[1], dtype=torch.bool), *w_x)[1]).detach().double()
    s_x = torch.einsum("bqf,fd,bkr,rd->bqk", film_x, w_x[0], words_x, w_x[1]) / sizes[4] ** 0.5
    assert a_x.shape == s_x.shape and torch.allclose(a_x, s_x.softmax(2), atol=1e-5), "attention is off with other numbers of fields, words or features"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cross-attention-residual", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What a field finds is added to what it is
film_x, words_x, *w_x = film_and_words(1345)
o_x, a_x = (torch.as_tensor(part).detach().double() for part in cross_attention(film_x.clone(), words_x.clone(), torch.zeros(2, 6, dtype=torch.bool), *w_x))
assert tuple(o_x.shape) == (2, 4, 5), f"the tokens keep their shape (2, 4, 5), got {tuple(o_x.shape)}"
found_x = torch.softmax(torch.einsum("bqf,fd,bkr,rd->bqk", film_x, w_x[0], words_x, w_x[1]) / 8**0.5, 2) @ (words_x @ w_x[2])
assert not torch.allclose(o_x, found_x, atol=1e-5), "the film itself is lost: add what was found to it"
assert torch.allclose(o_x, film_x + found_x, atol=1e-5), "the output is not the film plus attention times values"
### BEGIN HIDDEN TESTS
film_x, words_x, *w_x = film_and_words(1346, 3, 8, 6, 4, 5)
o_x = torch.as_tensor(cross_attention(film_x.clone(), words_x.clone(), torch.zeros(2, 8, dtype=torch.bool), w_x[0], w_x[1], torch.zeros_like(w_x[2]))[0]).detach().double()
assert torch.allclose(o_x, film_x), "values of 0 leave the film as it is"
o_x = torch.as_tensor(cross_attention(film_x.clone(), words_x.clone(), torch.zeros(2, 8, dtype=torch.bool), torch.zeros_like(w_x[0]), w_x[1], w_x[2])[0]).detach().double()
assert torch.allclose(o_x, film_x + (words_x @ w_x[2]).mean(1, keepdim=True), atol=1e-5), "queries of 0 should find the mean of all words"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cross-attention-padding", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Padding is no word: a report of 4 words, padded to 6, gives what its 4 words give
film_x, words_x, *w_x = film_and_words(1347)
padding_x = torch.tensor([[False] * 4 + [True] * 2] * 2)
o_x, a_x = (torch.as_tensor(part).detach().double() for part in cross_attention(film_x.clone(), words_x.clone(), padding_x.clone(), *w_x))
short_o, short_a = (torch.as_tensor(part).detach().double() for part in cross_attention(film_x.clone(), words_x[:, :4].clone(), padding_x[:, :4].clone(), *w_x))
assert not (a_x[:, :, :4] == 0).all(), "only padding is looked at: the mask is the other way round. True means that there is no word"
assert torch.allclose(a_x[:, :, 4:], torch.zeros(2, 4, 2, dtype=torch.float64)), "padding gets attention"
assert torch.allclose(a_x.sum(2), torch.ones(2, 4, dtype=torch.float64), atol=1e-5), "with padding the attention adds up to less than 1: take padding out before the softmax"
assert torch.allclose(a_x[:, :, :4], short_a, atol=1e-5) and torch.allclose(o_x, short_o, atol=1e-5), "a padded report should give what the report alone gives"
### BEGIN HIDDEN TESTS
film_x, words_x, *w_x = film_and_words(1348, 5, 7)
padding_x = torch.tensor([[False, True, False, False, True, True, False], [True, False, True, True, True, True, True]])
o_x, a_x = (torch.as_tensor(part).detach().double() for part in cross_attention(film_x.clone(), words_x.clone(), padding_x.clone(), *w_x))
for b in range(2):
    kept = words_x[b, ~padding_x[b]]
    truth = torch.softmax((film_x[b] @ w_x[0]) @ (kept @ w_x[1]).T / 8**0.5, 1)
    assert torch.allclose(a_x[b][:, ~padding_x[b]], truth, atol=1e-5) and torch.allclose(o_x[b], film_x[b] + truth @ (kept @ w_x[2]), atol=1e-5), "each report has its own padding, and it may stand anywhere"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cross-attention-empty", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A patient without a report: nothing is found, and the film stays as it is
film_x, words_x, *w_x = film_and_words(1349)
padding_x = torch.tensor([[True] * 6, [False] * 6])
o_x, a_x = (torch.as_tensor(part).detach().double() for part in cross_attention(film_x.clone(), words_x.clone(), padding_x.clone(), *w_x))
assert torch.allclose(a_x[1].sum(1), torch.ones(4, dtype=torch.float64), atol=1e-5), "the patient beside has a report: his attention should add up to 1"
assert not torch.isnan(o_x).any() and not torch.isnan(a_x).any(), "a softmax over nothing is nan: give attention 0 to a report without words"
assert torch.allclose(a_x[0], torch.zeros(4, 6, dtype=torch.float64)), "an empty report gets attention: multiply by the mask once more after the softmax"
assert torch.allclose(o_x[0], film_x[0]), "without a report the film should come back unchanged"
### BEGIN HIDDEN TESTS
film_x, words_x, *w_x = film_and_words(1350, 3, 2)
o_x, a_x = (torch.as_tensor(part).detach().double() for part in cross_attention(film_x.clone(), words_x.clone(), torch.ones(2, 2, dtype=torch.bool), *w_x))
assert torch.allclose(o_x, film_x) and torch.equal(a_x, torch.zeros(2, 3, 2, dtype=torch.float64)), "a batch without any report should come back unchanged"
### END HIDDEN TESTS

# %% [markdown]
# ### Tensor fusion
#
# Some facts lie in no modality alone. A clear film is good news, and breathlessness with a clear film is bad news: think of a clot. Such a fact is a *product* of two features. The **outer product** of the vectors (Zadeh and others, 2017) holds all such products. With a 1 appended to each vector it also holds every single feature and every pair, so nothing is lost:
#
# $$[h_1; 1] \otimes [h_2; 1] \ni\; h_{1i}\,h_{2j},\quad h_{1i},\quad h_{2j},\quad 1$$
#
# The price is the size, $\prod_m (d_m + 1)$. Three vectors of 24 give 15 625 numbers, and so the vectors are squeezed first.

# %% [markdown]
# ### Exercise 12.2e - tensor fusion
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it every product of every feature across modalities is there, and each feature alone as well*
#
# Write `tensor_fusion(vectors)`: append a 1 to each modality's vector, then take the outer product over the modalities of each patient, and flatten it.
#
# <details><summary>Hint 1: the idea</summary>Begin with the first vector. Each further one multiplies every number so far with every one of its own.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.cat([v, torch.ones(len(v), 1)], dim=1)</code>; <code>(a[:, :, None] * b[:, None, :]).flatten(1)</code>.</details>
# <details><summary>The last number is not 1</summary>It is the product of all appended ones. Are they appended at the end of each vector?</details>
# <details><summary>My size is right, and the numbers belong to other patients</summary>The outer product runs within a patient. The batch axis is carried along, never multiplied out.</details>

# %% nbgrader={"grade": false, "grade_id": "tensor-fusion", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tensor_fusion(vectors: list[torch.Tensor]) -> torch.Tensor:
    """Outer product of all modalities with appended ones (Zadeh and others, EMNLP 2017).

    Args:
        vectors: M tensors (B, d_m), M at least 1, floating point.

    Returns:
        (B, (d_1 + 1) (d_2 + 1) ...), the index of the last modality running fastest; each vector has its 1 behind its last feature.

    Raises:
        ValueError: no vector, or vectors of different B.
    """
    ### BEGIN SOLUTION
    if not vectors or len({len(v) for v in vectors}) != 1:
        raise ValueError("give at least one modality, all of the same patients")
    product = vectors[0].new_ones(len(vectors[0]), 1)
    for v in vectors:
        longer = torch.cat([v, v.new_ones(len(v), 1)], dim=1)
        product = (product[:, :, None] * longer[:, None, :]).flatten(1)
    return product
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "tensor-fusion-size", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The size: 4, 3 and 2 features give 5 x 4 x 3 = 60 numbers a patient
rng_t = torch.Generator().manual_seed(1360)
parts_t = [torch.randn(2, d, generator=rng_t) for d in (4, 3, 2)]
o_t = torch.as_tensor(tensor_fusion([part.clone() for part in parts_t])).detach()
assert o_t.ndim == 2 and o_t.shape[0] == 2, f"one row for each of 2 patients, got the shape {tuple(o_t.shape)}"
assert o_t.shape[1] != 24, "4 x 3 x 2 = 24: the appended 1 is missing, and with it every single and paired term"
assert o_t.shape[1] not in (9, 12), "9 or 12 numbers: that is concatenation, not an outer product"
assert o_t.shape[1] != 26, "26 numbers: products of pairs only. The outer product goes over all modalities at once"
assert o_t.shape[1] == 60, f"expected 60 numbers a patient, got {o_t.shape[1]}"
### BEGIN HIDDEN TESTS
for sizes in ((1,), (6, 6), (2, 1, 3, 2)):
    o_t = torch.as_tensor(tensor_fusion([torch.randn(3, d, generator=rng_t) for d in sizes])).detach()
    assert tuple(o_t.shape) == (3, int(np.prod([d + 1 for d in sizes]))), f"the size is off for {len(sizes)} modalities"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "tensor-fusion-terms", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The terms: (2, 3, 1) times (5, 1) within a patient, the second index running fastest
one_t, two_t = torch.tensor([[2.0, 3.0], [1.0, 0.0]]), torch.tensor([[5.0], [7.0]])
o_t = torch.as_tensor(tensor_fusion([one_t.clone(), two_t.clone()])).detach()
assert tuple(o_t.shape) == (2, 6), f"(2 + 1) x (1 + 1) = 6 numbers for each of 2 patients, got {tuple(o_t.shape)}"
assert not torch.allclose(o_t[0], torch.tensor([1.0, 5, 2, 10, 3, 15])), "the 1 stands in front: append it behind the last feature"
assert not torch.allclose(o_t[0], torch.tensor([10.0, 15, 5, 2, 3, 1])), "the first modality runs fastest: let the last one do so"
assert not torch.allclose(o_t[0], torch.tensor([14.0, 2, 21, 3, 7, 1])), "a patient's film is multiplied with another patient's labs"
assert torch.allclose(o_t[0], torch.tensor([10.0, 2, 15, 3, 5, 1])), f"expected 10, 2, 15, 3, 5, 1 for the first patient, got {o_t[0].tolist()}"
assert torch.allclose(o_t[1], torch.tensor([7.0, 1, 0, 0, 7, 1])), "a feature of 0 kills its products, and nothing else: the second patient's other terms stay"
### BEGIN HIDDEN TESTS
a_t, b_t, c_t = (torch.randn(4, d, generator=torch.Generator().manual_seed(1361 + d)) for d in (3, 2, 4))
o_t = torch.as_tensor(tensor_fusion([a_t.clone(), b_t.clone(), c_t.clone()])).detach().reshape(4, 4, 3, 5)
assert torch.allclose(o_t[:, :3, :2, :4], torch.einsum("bi,bj,bk->bijk", a_t, b_t, c_t), atol=1e-5), "the triple products are off"
assert torch.allclose(o_t[:, :3, 2, 4], a_t) and torch.allclose(o_t[:, 3, :2, 4], b_t) and torch.allclose(o_t[:, 3, 2, :4], c_t), "each modality must also stand there alone"
assert torch.allclose(o_t[:, :3, 2, :4], torch.einsum("bi,bk->bik", a_t, c_t), atol=1e-5), "the paired products are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "tensor-fusion-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: films of three patients and labs of one are not of the same patients, though torch would broadcast them
assert tuple(torch.as_tensor(tensor_fusion([torch.ones(3, 2), torch.ones(3, 1)])).shape) == (3, 6), "good input should still give (3, 6)"
for bad_t in ([torch.ones(3, 2), torch.ones(1, 2)], []):
    try:
        tensor_fusion(bad_t)
    except ValueError:
        continue
    raise AssertionError("vectors of different patients, or none at all: raise a ValueError")
### BEGIN HIDDEN TESTS
for bad_t in ([torch.ones(1, 2), torch.ones(4, 2)], [torch.ones(2, 2), torch.ones(2, 3), torch.ones(1, 1)]):
    try:
        tensor_fusion(bad_t)
    except ValueError:
        continue
    raise AssertionError("one patient's vector must not be broadcast to others: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### All of them on one cohort
#
# Now the ways meet. Encoders, optimiser, steps and patients are the same for all, each way tries two settings on validation, and the test patients are asked once. "Early" is a logistic regression on the frozen features of the single networks, "late" averages their calibrated probabilities, and both exist once for each seed. "Late, weighted" learns three weights on validation patients. The others are trained end to end. The question is never "which
# is largest". It is: *how much better than the best single modality, on the same patients, and how sure is that?*
#
# **Predict before you run.** The parts of the log-odds are planted as a *sum*. Does that favour the simple ways or the powerful ones? Order early, late, joint, gated, cross-attention and tensor fusion before you look.

# %% tags=["demo"]
class Joint(Encoders):
    """Vectors side by side, then a hidden layer."""

    def __init__(self, modalities: tuple[str, ...] = MODALITIES, width: int | None = None) -> None:
        super().__init__(modalities)
        self.head = nn.Sequential(nn.Linear(width or len(modalities) * WIDTH, WIDTH), nn.ReLU(), nn.Dropout(0.3), nn.Linear(WIDTH, 1))

    def forward(self, batch: list[torch.Tensor]) -> torch.Tensor:
        return self.head(torch.cat(self.parts(batch)[1], dim=1))[:, 0]

# %% tags=["demo"]
class Gated(Joint):
    """A weighted sum of the vectors; every feature has its own gate over the modalities."""

    def __init__(self, modalities: tuple[str, ...] = MODALITIES) -> None:
        super().__init__(modalities, WIDTH)
        self.gate = nn.Linear(len(modalities) * WIDTH, len(modalities) * WIDTH)

    def forward(self, batch: list[torch.Tensor]) -> torch.Tensor:
        h = torch.stack(self.parts(batch)[1], dim=1)
        gates = torch.softmax(self.gate(h.flatten(1)).view_as(h), dim=1)
        return self.head((gates * h).sum(1) * len(self.modalities))[:, 0]


class Cross(Joint):
    """In a ring: the film's vector asks the words, the report's the table, the table's the fields of the film."""

    def __init__(self, modalities: tuple[str, ...] = MODALITIES) -> None:
        super().__init__(modalities)
        self.ask = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, batch: list[torch.Tensor]) -> torch.Tensor:
        found, h = self.parts(batch)
        informed = []
        for number, vector in enumerate(h):
            tokens, nothing, _ = found[(number + 1) % len(h)]
            informed.append(vector + self.ask(vector[:, None], tokens, tokens, key_padding_mask=nothing, need_weights=False)[0][:, 0])
        return self.head(torch.cat(informed, dim=1))[:, 0]


class Tensor(Encoders):
    """All products of squeezed vectors with an appended 1, then one linear layer: no hidden layer is needed for products."""

    def __init__(self, modalities: tuple[str, ...] = MODALITIES, small: int = 6) -> None:
        super().__init__(modalities)
        self.squeeze = nn.ModuleList(nn.Linear(WIDTH, small) for _ in modalities)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear((small + 1) ** len(modalities), 1))

    def forward(self, batch: list[torch.Tensor]) -> torch.Tensor:
        few = [F.pad(squeeze(vector), (0, 1), value=1.0) for squeeze, vector in zip(self.squeeze, self.parts(batch)[1], strict=True)]
        product = functools.reduce(lambda a, b: torch.einsum("bi,bj->bij", a, b).flatten(1), few)
        return self.head(product)[:, 0]

# %% tags=["demo"]
from sklearn.preprocessing import StandardScaler

FUSIONS = {"joint": Joint, "gated": Gated, "cross-attention": Cross, "tensor": Tensor}
fused_nets, fused_lr = {}, {}
for name, make in FUSIONS.items():
    fused_nets[name], fused_lr[name] = tuned(make)
scores = {part: {name: np.stack([logits_of(net, inputs[part]) for net in nets]) for name, nets in fused_nets.items()} for part in ("val", "test")}


@torch.no_grad()
def frozen(part: str, seed: int) -> np.ndarray:
    """(n, 3 WIDTH) what the single networks of one seed hold of each patient; each network has normalised its own vector already."""
    return np.hstack([singles[m][seed].parts(inputs[part])[1][0].numpy() for m in MODALITIES])


val_y = people["val"]["y"]
for part in scores.values():
    part |= {"early": [], "late": [], "late, weighted": []}
for k in range(SEEDS):
    scaler = StandardScaler().fit(frozen("train", k))
    x = {part: scaler.transform(frozen(part, k)) for part in inputs}
    tries = [LogisticRegression(C=c, max_iter=500).fit(x["train"], people["train"]["y"]) for c in (1e-3, 1e-1)]
    early = max(tries, key=lambda one: roc_auc_score(val_y, one.decision_function(x["val"])))
    z = {"val": np.stack([val_logits[m][k] for m in MODALITIES], axis=1), "test": np.stack([test_logits[m][k] for m in MODALITIES], axis=1)}
    weighted = LogisticRegression().fit(z["val"], val_y)
    for part in scores:
        scores[part]["early"].append(early.decision_function(x[part]))
        scores[part]["late"].append(np.mean([expit(calibrated(z["val"][:, j], val_y, z[part][:, j])) for j in range(3)], axis=0))
        scores[part]["late, weighted"].append(weighted.decision_function(z[part]))

# %% tags=["demo"]
fusion_draws = {name: area_draws(test_y, np.stack(one)) for name, one in scores["test"].items()}
WAYS = ("early", "late", "late, weighted", "joint", "gated", "cross-attention", "tensor")
over_single = {name: with_interval(fusion_draws[name] - single_draws[best_single]) for name in WAYS}
print(f"the best single modality on validation is the {best_single}: test AUC {single_draws[best_single][0]:.3f}; ceiling of all {ceiling['all']:.3f}; who says the prevalence to everybody gets 0.500")
print(f"{'way':18s} {'AUC':>6s} {'95 % of patients':>18s} {'sd of seeds':>12s} {'over the ' + best_single:>18s} {'paired 95 %':>18s}")
for name in WAYS:
    value, low, high = with_interval(fusion_draws[name])
    gain, below, above = over_single[name]
    spread = np.std([roc_auc_score(test_y, one) for one in scores["test"][name]], ddof=1)
    print(f"{name:18s} {value:6.3f} {f'[{low:.3f}, {high:.3f}]':>18s} {spread:12.3f} {gain:+18.3f} {f'[{below:+.3f}, {above:+.3f}]':>18s}")
favourite = max(WAYS, key=lambda name: area_draws(val_y, np.stack(scores["val"][name]), 1)[0])
rival = max((name for name in WAYS if name != favourite), key=lambda name: fusion_draws[name][0])
print("validation's choice among the ways: {}; over {}, the best of the others on the test patients: {:+.3f} [{:+.3f}, {:+.3f}]".format(favourite, rival, *with_interval(fusion_draws[favourite] - fusion_draws[rival])))
gains = fusion_draws[favourite] - single_draws[best_single]
assert gains[0] > 3 * gains[1:].std(), "validation's fusion should beat the best single modality by three standard deviations of the paired difference"

# %% tags=["demo"]
fig, ax = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
for row, name in enumerate((*MODALITIES, *WAYS)):
    value, low, high = with_interval({**single_draws, **fusion_draws}[name])
    fused, each = name in WAYS, scores["test"].get(name, test_logits.get(name))
    colour = show.PALETTE[2 if fused else 0]
    ax.plot([low, high], [row, row], color=colour, linewidth=2)
    ax.plot([roc_auc_score(test_y, one) for one in each], np.full(len(each), row + 0.25), "|", color="0.3", markersize=6)
    ax.plot(value, row, "D" if fused else "o", color=colour, label={0: "one modality", 3: "fused"}.get(row))
    if not fused:
        ax.plot(ceiling[name], row, "D", color=show.PALETTE[1], markerfacecolor="none", markersize=8, label="ceiling" if row == 0 else None)
ax.axvline(ceiling["all"], color=show.PALETTE[1], linestyle="--", linewidth=1)
ax.text(ceiling["all"] - 0.003, 1, "ceiling of all", rotation=90, ha="right", va="center", fontsize=8)
ax.set(yticks=range(3 + len(WAYS)), yticklabels=[*MODALITIES, *WAYS], xlabel="test AUC, 95 % interval over patients; small strokes: single seeds")
ax.invert_yaxis()
ax.legend(fontsize=8, loc="lower left")
show.figure(fig, alt="Test AUC with intervals: three single modalities as circles, seven ways of fusion as filled diamonds to their right. The ways of fusion overlap with each other; all lie above the single modalities and below the dashed ceiling.")

# %% [markdown]
# Read the last two columns first. They are *paired*: the same resampled patients for both models, so that what makes some patients hard for everybody drops out. The intervals of two AUCs may overlap while the interval of their difference excludes 0.
#
# Between the ways themselves the intervals are wide against the differences. With this many patients, an order of the ways is mostly an order of luck, and the line below the table says what is left of the lead of validation's choice. That is the common case in the literature, too: *that* you fuse matters more than *how*, as long as the truth is close to a sum. The late ways come with a practical advantage and a price. They can be trained on patients who lack
# modalities, and they can't see products.
#
# ### Which modality does a fused model use?
#
# A fused model may lean on one source and ignore the rest. A test that needs no gradient: give each test patient *somebody else's* film and leave report and labs. What the AUC loses is what this model took from the film. It is a statement about the model, not about the film: a shared part can be read in the report as well.
#
# **Predict before you run.** The shared part can be read in film and report. Will shuffling the film cost more or less than the film's own part is worth?

# %% tags=["demo"]
def shuffled_areas(nets: list[nn.Module], modality: str) -> np.ndarray:
    """Bootstrap AUCs of networks whose test patients got another patient's data of one modality."""
    x, order = list(inputs["test"]), torch.randperm(n_test, generator=torch.Generator().manual_seed(SEED))
    x[MODALITIES.index(modality)] = x[MODALITIES.index(modality)][order]
    return area_draws(test_y, np.stack([logits_of(net, x) for net in nets]))


lost = {name: {m: with_interval(fusion_draws[name] - shuffled_areas(nets, m)) for m in MODALITIES} for name, nets in fused_nets.items()}
fig, ax = plt.subplots(figsize=(7.5, 2.8), layout="constrained")
for column, m in enumerate(MODALITIES):
    for row, name in enumerate(lost):
        value, low, high = lost[name][m]
        place = row + 0.22 * (column - 1)
        ax.plot([low, high], [place, place], color=show.PALETTE[column], linewidth=2)
        ax.plot(value, place, "os^"[column], color=show.PALETTE[column], label=f"{m} of another patient" if row == 0 else None)
ax.axvline(0, color="0.6", linewidth=0.8)
ax.set(yticks=range(len(lost)), yticklabels=lost, xlabel="AUC lost, paired 95 % interval over patients")
ax.invert_yaxis()
ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=3, frameon=False)
own = {m: ceiling["all"] - roc_auc_score(test_y, sum(value for share, value in part_of.items() if share != {"film": "image"}.get(m, m))) for m in MODALITIES}
print("what the ceiling of all loses without a modality's own part, the shared part still known: " + ", ".join(f"{m} {value:.3f}" for m, value in own.items()))
show.figure(fig, alt="AUC lost by four fused networks when film, report or table come from another patient. All three cost something in each network.")

# %% [markdown]
# A wrong film costs these networks what the film told them alone, and on top of that it tells them *wrong* things about the shared part, which the report then has to outvote. Removal and shuffling are different questions. Compare the lengths with the line above the figure, in which the shared part stays known: a report that costs much more than its own part is one from which the network also reads the consolidation.
#
# ### When no average can win
#
# So far the truth was a sum. Now plant a product. The question is no longer how ill the patient is, but whether film and numbers *fit*: a clear film with alarming vital signs (a clot?), or a large opacity in somebody who feels well (an old scar? a tumour?). Both go to CT. With $s = \pm 1$ for an opaque or clear film and $t$ for the severity in the table,
#
# $$\log\frac{p(y = 1)}{p(y = 0)} = -2.5\; s\, t$$
#
# Half of the films are opaque, and $t$ is symmetric around 0. So $p(y = 1 \mid \text{film}) = \frac12$ for *every* film, and the same holds for every table: whatever one modality says, it says nothing. Late fusion averages two numbers that carry no information, however well they are calibrated. The ceiling of both together is far above.
#
# **Predict before you run.** Late fusion must fail. Of joint, cross-attention and tensor fusion, which finds the product most surely with the same number of steps?

# %% tags=["demo"]
PRODUCT = {"weights": dict.fromkeys(SHARES, 0.0) | {"interaction": -2.5}, "intercept": 0.0, "consolidation": 0.5}
PAIR, xor_steps, xor_seeds = ("film", "table"), run.pick(ci=140, laptop=400), run.pick(ci=2, laptop=3)
xor_people = {name: cohort(n, SEED + 20 + k, **PRODUCT) for k, (name, n) in enumerate({"train": n_train, "val": n_val, "test": n_test}.items())}
xor_x = {name: reader(part) for name, part in xor_people.items()}  # the scales of the first cohort: units are the same
xor_train_y, xor_y = torch.from_numpy(xor_people["train"]["y"]).float(), xor_people["test"]["y"]
XOR_WAYS = {"film": lambda: Single("film"), "table": lambda: Single("table"), "joint": lambda: Joint(PAIR), "cross-attention": lambda: Cross(PAIR), "tensor": lambda: Tensor(PAIR)}
xor_nets = {name: [fit_model(make, xor_x["train"], xor_train_y, 1.2e-2, SEED + k, xor_steps) for k in range(xor_seeds)] for name, make in XOR_WAYS.items()}
xor_z = {part: {name: np.stack([logits_of(net, xor_x[part]) for net in nets]) for name, nets in xor_nets.items()} for part in ("val", "test")}
xor_z["test"]["late"] = np.stack([np.mean([expit(calibrated(xor_z["val"][m][k], xor_people["val"]["y"], xor_z["test"][m][k])) for m in PAIR], axis=0) for k in range(xor_seeds)])
xor_draws = {name: area_draws(xor_y, xor_z["test"][name]) for name in ("film", "table", "late", "joint", "cross-attention", "tensor")}
xor_ceiling = float(roc_auc_score(xor_y, xor_people["test"]["latent"].sum(1)))
for name, draws in xor_draws.items():
    each = " ".join(f"{roc_auc_score(xor_y, one):.3f}" for one in xor_z["test"][name])
    print("{:16s} AUC {:.3f} [{:.3f}, {:.3f}]   seeds {}".format(name, *with_interval(draws), each))
print(f"ceiling          AUC {xor_ceiling:.3f}, with severity and opacity read without error")
won = xor_draws["tensor"] - xor_draws["late"]
assert won[0] > 3 * won[1:].std() and abs(xor_draws["late"][0] - 0.5) < 0.06, "late fusion should be near chance here, and tensor fusion above it by three standard deviations"

# %% tags=["demo"]
fig, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained", sharey=True)
severity, opaque = xor_people["test"]["latent"][:, 4] / -2.5, xor_people["test"]["findings"][:, 0] == 1
severity = severity * np.where(opaque, 1, -1)
bins = np.linspace(-2.25, 2.25, 10)
for ax, name in zip(axes, ("late", "tensor"), strict=True):
    p = xor_z["test"][name][0] if name == "late" else expit(xor_z["test"][name][0])
    for state, mark, colour, said in ((True, "s", show.PALETTE[1], "opaque film"), (False, "o", show.PALETTE[0], "clear film")):
        cells = [(opaque == state) & (np.abs(severity - b) < 0.25) for b in bins]
        ax.plot(bins, [p[c].mean() if c.any() else np.nan for c in cells], mark, linestyle="-", color=colour, label=f"{said}: said")
        ax.plot(bins, expit(-2.5 * (1 if state else -1) * bins), color=colour, linestyle=":", linewidth=1.5, label=f"{said}: planted")
    ax.set(title=name, xlabel="severity t behind the vital signs", ylim=(-0.02, 1.02))
axes[0].set_ylabel("probability of the CT")
fig.legend(*axes[1].get_legend_handles_labels(), fontsize=8, loc="outside right center")
show.figure(fig, alt="Probability of a CT against severity, for opaque and clear films, as planted and as said. Planted, the two curves cross at zero like an X. Late fusion says about one half everywhere; tensor fusion's curves cross as the planted ones do, less steeply.")

# %% [markdown]
# (An AUC a little off 0.5 for a single modality is what the learning of noise gives; there is nothing to find, and one interval in twenty misses.)
#
# The networks that fuse features can find the product; late fusion can't, for a reason of mathematics and not of training. A hidden layer behind a concatenation can represent a product as well, and whether it finds one within these steps is a matter of luck and patience: look at the single seeds. Tensor fusion has the products from the start. How do you know beforehand which kind of truth you have? You don't. So try both on *validation*, and let the
# paired difference decide whether the costly one earns its place.
#
# **Open today.** Fusion that says how much it trusts each source for *this* patient; joint training in which one modality doesn't learn faster and starve the others (Wang and others, 2020); studies that show the single modalities beside the sum; and fusion with a hundred modalities of which each patient has six.
#
# **Checkpoint.** A paper fuses CT and genes. CT alone 0.81, genes alone 0.74, both 0.83 [0.79, 0.87], $n = 300$. The authors conclude that genes add information. What is missing, and what would you compute?
#
# <details><summary>Answer</summary>The paired difference to CT alone, by resampling the same patients for both models: 0.02 may lie well within its interval. Then whether both had the same tuning budget, whether genes were picked inside the folds, and what a permuted gene panel would add: a larger model alone may gain a little. And whether those who were sequenced are those who will come.</details>

