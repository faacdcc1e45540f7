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
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations: your answers may use what they import and define, not what they compute.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | patients with suspected pneumonia: a film, its report, eight vital signs and lab values, and whether intensive care or death follows within 7 days (12.1, 12.2, 12.4; without the outcome also 12.3) | this course, simulated in this lecture; how much of the outcome each modality tells is planted | this course | nobody | one examination a patient; training, validation and test patients come from three different seeds |
# | slices of simulated heads in T1 and T2, some with planted white-matter lesions (12.3) | this course, simulated: the anatomy of MNI152 2009a, deformed for each patient | this course; MNI152 under its own notice: use, copy and change freely, keeping the notice | an average of 152 volunteers; no single person is in it | by simulated patient |
# | ECG-like signals, a gene panel of pure noise (12.1) | this course, simulated in this lecture | this course | nobody | the panel: five folds of patients |
#
# - **Everything here is simulated, in every profile.** The cohort is larger in `laptop` than in `ci`. AUCs tell how a method behaves where the truth is known. They are no promise for a real hospital.
# - Sections 12.3 and 12.4 draw patients of their own from the same simulation, with other seeds. In 12.4 the mark of a portable machine is made to go with the outcome, to see whether a model takes the bait.
# - Learning rates and the best single modality are chosen on validation patients. The test patients are used for the figures in the tables, and choose nothing.

# %% tags=["parameters"]
LECTURE = "13_multimodal_learning"
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
def take_films(p: dict[str, np.ndarray], rng: np.random.Generator, burn: bool) -> np.ndarray:
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
PLANTED = {"image": 1.0, "report": 1.0, "table": 1.3, "shared": 1.0, "interaction": 0.0}  # sd of each part of the log-odds (about: that of the shared part is 5 % larger)


def cohort(n: int, seed: int, *, weights: dict[str, float] = PLANTED, intercept: float = -1.2, consolidation: float = 0.45, marker_link: float = 0.0, burn: bool = True, women: float = 0.5) -> dict[str, np.ndarray | list[str]]:
    """n simulated patients, one examination each, with a planted share of the outcome in each modality.

    Args:
        weights: standard deviation of each part of the log-odds of y (PLANTED says how exactly); `intercept` is added to their sum.
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
    own = {"image": take_films(p, rng, burn), "report": [write_report(p, i, u[i]) for i in range(n)], "table": table, "y": y, "findings": found}
    return own | {"patient": seed * 1_000_000 + np.arange(n), "sex": p["woman"].astype(np.int64), "age": age, "site": p["site"], "marker": p["marker"], "latent": latent}

# %% tags=["demo"]
n_train, n_val, n_test = run.pick(ci=(2000, 1000, 1500), laptop=(6000, 2000, 4000))
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
# Three small networks, one a modality, learn the outcome. Each turns its input into **tokens** (patches of the film, which we call its fields; words; one token for the table) and into one vector of 24 features; section 12.2 fuses these. The reader of words sees each word with its two neighbours, so that "no history of" is not "history of". Vocabulary, means and
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


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


class Reader:
    """Turns a cohort into tensors. Vocabulary, means and sd are those of the patients it was made from: the training patients."""

    def __init__(self, part: dict) -> None:
        self.vocabulary = {word: number for number, word in enumerate(sorted({w for text in part["report"] for w in words_of(text)}), start=2)}
        self.mean, self.sd = np.nanmean(part["table"], axis=0), np.nanstd(part["table"], axis=0)

    def __call__(self, part: dict) -> list[torch.Tensor]:
        """Films (n, 1, 32, 32); words (n, LENGTH) as numbers, 0 behind the end, 1 for a new word; tables (n, 16), z-scores and then marks of what is missing."""
        ids = np.zeros((len(part["report"]), LENGTH), np.int64)
        for row, text in enumerate(part["report"]):
            known = [self.vocabulary.get(word, 1) for word in words_of(text)[:LENGTH]]
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

FIT_STEPS, SEEDS, RATES_OF_LEARNING = run.pick(ci=(85, 3, (4e-3, 1.2e-2)), laptop=(300, 4, (4e-3, 1.2e-2)))


def fit_model(make: Callable[[], nn.Module], x: list[torch.Tensor], y: torch.Tensor, lr: float, seed: int, steps: int = FIT_STEPS) -> nn.Module:
    """AdamW with a one-cycle schedule, batches of 64, half of them with mirrored films (this outcome doesn't depend on the side); the last weights are taken."""
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
ax.margins(y=0.1)
ax.axvline(ceiling["all"], color="0.3", linestyle="--", linewidth=1)
ax.text(ceiling["all"] - 0.003, 2, "ceiling of all together", rotation=90, ha="right", va="center", fontsize=8)
ax.set(yticks=range(5), yticklabels=[*MODALITIES, *baseline_draws], xlabel="test AUC, with 95 % interval over patients", xlim=(0.48, 0.9))
ax.invert_yaxis()
ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.45, -0.25), ncols=3, frameon=False)
show.figure(fig, alt="Test AUC with intervals of the film, report and table networks and of two baselines on the table. Each lies below the diamond of its own ceiling, and all far below the dashed line of the ceiling of all modalities together.")
assert min(draws[0] - draws[1:].std() * 3 for draws in single_draws.values()) > 0.5, "each modality's network should rank better than chance by three standard deviations"

# %% [markdown]
# Each modality stays below its ceiling, and every ceiling lies far below that of all together: there is something to gain from fusion, and we know how much at the most. The distance of a network from its own ceiling has several causes at once, too few patients, noise in the pixels and the assays, words that were left out, and this comparison does not tell them apart. Compare the table's network with the logistic
# regression: there are eight columns with nearly linear effects here, and then a small model is hard to beat.
#
# One question comes before all others in a real study. The report is written by somebody who saw the film. A model of *film and report* that is as good as *report alone* has read the answer in the text, and the film added nothing. Always show the report alone, on the same patients.

# %% [markdown]
# ### Signals and omics
#
# **Signals** are cheap, continuous and easily summarised too early. Below are two ECG-like traces with nearly the same mean heart rate: one is regular, the other has the irregular intervals of atrial fibrillation, and no P wave before each beat. The monitor's table says "heart rate about 80 /min" for both. The modality was lost when somebody averaged it. The slider samples the traces more slowly, as an export to save space does.
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
# A QRS complex lasts about 0.1 s, but its R wave, the part that a beat is counted by, is only about 30 ms wide at half its height here. At 50 samples a second the beats change their height. At 25 the samples lie 40 ms apart, step over some R waves, and the beats begin to get lost. A filter before the export would have flattened the waves instead.
#
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
for row, values in enumerate(panel_areas.values()):
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
answer = shared_bits(agree.copy())
assert answer is not None, "the function returns nothing: did you forget the return?"
value = float(answer)
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
show.figure(fig, alt="A table of four by four with the bits that film, report, table and outcome share in pairs. Of the modalities film and report share most; the table shares next to nothing with either; each shares a little with the outcome.")
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
audit = leakage_audit(cells.copy(), hours.copy(), asked.copy(), outcome.copy())
assert isinstance(audit, dict) and set(audit) >= {"known", "late", "presence"}, "return a dictionary with known, late and presence"
known = np.asarray(audit["known"], float)
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
cells = rng.integers(0, 4, (80, 4)).astype(float)
cells[rng.random((80, 4)) < 0.4] = nan
hours, asked = np.where(np.isnan(cells), nan, rng.integers(0, 48, (80, 4))), rng.integers(0, 48, 80).astype(float)
expected = [np.mean([hours[i, j] > asked[i] for i in range(80) if not np.isnan(cells[i, j])]) for j in range(4)]
late = np.asarray(leakage_audit(cells, hours, asked, np.arange(80) % 2)["late"], float)
assert np.allclose(late, expected), "the shares are off on a larger table (a value of 0 is a value, too)"
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
# One column, and a table of vital signs comes near what all modalities together could tell if they were read without error (the last line below 12.1's table of AUCs), until the model is used at the door, where no bed is booked yet. Data that could not have been known at the time is called **leakage** (Kaufman and others, 2012), and a jump like this is a reason to look for it. An audit by *time* finds the column without knowing what it means. An audit by *presence* finds what time can't: a test that is ordered only for the sick.

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
# Film and labs of a patient lie on your desk, and the intensive care unit has one bed. *Where* in the computation should the sources meet? As early as possible, so that the model sees everything at once? Or as late as possible, so that each expert finishes its own work first? Write $h_m \in \mathbb{R}^{d}$ for the vector that the encoder of modality $m$ makes, $m = 1, \ldots, M$, and $z_m$ for the logit of a model of this modality alone. Below, $[\,;\,]$ puts vectors one behind the other, $\sigma$ is the sigmoid, $T_m$ a temperature, $\odot$ multiplies feature by feature, and $\otimes$ makes all products.
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
scaled = np.asarray(early_fusion([labs.copy()], [labs.copy()]), float)
ratio = scaled / ((labs - labs.mean(0)) / labs.std(0))
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
val[0, ::7], new[1, ::2] = np.nan, np.nan
val[0, (val[1] > 0.5) & (outcome == 0)] = np.nan  # gaps for a reason: complete cases are others
probability, temperature = late_fusion(val.copy(), outcome.copy(), new.copy())
grid = np.exp(np.linspace(-5, 5, 2001))[:, None]
for m in range(2):
    kept = ~np.isnan(val[m])
    loss = (np.logaddexp(0, val[m, kept] / grid) - outcome[kept] * val[m, kept] / grid).mean(1)
    assert np.isclose(np.asarray(temperature, float)[m], grid[loss.argmin(), 0], rtol=0.02), "a temperature is not where the cross-entropy is least, over all validation patients who have this modality, whatever else they lack"
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
# Calibrated first, the factor has no effect: the temperature takes it out again. Without calibration a louder film turns averaged logits, step by step, into the film's score alone. Averaged probabilities end at the film's plain yes or no, and report and table only rank the patients within each.
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
        score: (B, M) how much each modality wants to be heard, from -1e4 to 1e4; an absent one may have any of these scores.
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
o_g, w_g = (torch.as_tensor(part).detach().float() for part in answer_g)
assert tuple(w_g.shape) == (2, 3) and tuple(o_g.shape) == (2, 2), f"weights should be (2, 3) and fused (2, 2), got {tuple(w_g.shape)} and {tuple(o_g.shape)}"
assert not torch.allclose(w_g, score_g.softmax(0)), "your softmax runs over the patients of the batch: a patient's weights must not depend on who lies beside him. Take dim=1"
assert not torch.allclose(w_g, torch.sigmoid(score_g)), "sigmoids don't add up to 1: take a softmax over the modalities"
assert torch.allclose(w_g, torch.tensor([[0.25, 0.5, 0.25], [0.25, 0.25, 0.5]])), f"the weights of the first patient should be 1/4, 1/2, 1/4, got {w_g[0].numpy().round(3)}"
assert torch.allclose(o_g, torch.tensor([[1.25, 1.5], [2.0, 3.5]])), f"the weighted sums are off, got {o_g.numpy().round(3).tolist()}"
### BEGIN HIDDEN TESTS
rng_g = torch.Generator().manual_seed(1330)
h_g, score_g = torch.randn(5, 4, 7, generator=rng_g), torch.randn(5, 4, generator=rng_g)
o_g, w_g = (torch.as_tensor(part).detach().float() for part in gated_fusion(h_g.clone(), score_g.clone(), torch.ones(5, 4, dtype=torch.bool)))
assert w_g.shape == score_g.shape and torch.allclose(w_g, score_g.softmax(1), atol=1e-5), "the weights are off on random scores"
assert o_g.shape == (5, 7) and torch.allclose(o_g, torch.einsum("bm,bmd->bd", score_g.softmax(1), h_g), atol=1e-5), "the weighted sum is off on random vectors"
o_g, w_g = (torch.as_tensor(part).detach().float() for part in gated_fusion(h_g[:1].clone(), torch.tensor([[1e4, 0.0, -1e4, 9e3]]), torch.ones(1, 4, dtype=torch.bool)))
assert torch.isfinite(w_g).all() and torch.allclose(w_g, torch.tensor([[1.0, 0, 0, 0]])), "large scores overflow: use torch's softmax"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gated-fusion-mask", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The mask: who lacks the labs is judged as if there were only film and report
rng_g = torch.Generator().manual_seed(1331)
h_g, score_g = torch.randn(3, 3, 4, generator=rng_g), torch.randn(3, 3, generator=rng_g) + torch.tensor([0.0, 0.0, 2.0])
present_g = torch.tensor([[True, True, False]] * 3)
o_g, w_g = (torch.as_tensor(part).detach().float() for part in gated_fusion(h_g.clone(), score_g.clone(), present_g.clone()))
two_o, two_w = (torch.as_tensor(part).detach().float() for part in gated_fusion(h_g[:, :2].clone(), score_g[:, :2].clone(), torch.ones(3, 2, dtype=torch.bool)))
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
    o_g, w_g = (torch.as_tensor(part).detach().float() for part in gated_fusion(h_g.clone(), score_g.clone(), present_g.clone()))
    e_g = torch.exp(score_g) * present_g
    truth_g = e_g / e_g.sum(1, keepdim=True)
    assert torch.allclose(w_g, truth_g, atol=1e-5) and torch.allclose(o_g, (truth_g[..., None] * h_g).sum(1), atol=1e-5), "weights or vectors are off with other patterns of absence"
w_g = torch.as_tensor(gated_fusion(torch.ones(1, 3, 2), torch.tensor([[1e4, -1e4, -1e4]]), torch.tensor([[False, True, True]]))[1]).detach()
assert torch.allclose(w_g, torch.tensor([[0.0, 0.5, 0.5]])), "an absent modality's large score still counts: take it out before anything is subtracted, and put in its place what no score reaches"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gated-fusion-nan", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Nobody knows what stands at an absent modality: nan there must not reach the result
h_g = torch.tensor([[[1.0, 2.0], [float("nan"), float("nan")]], [[3.0, 4.0], [5.0, 6.0]]])
o_g, w_g = (torch.as_tensor(part).detach().float() for part in gated_fusion(h_g.clone(), torch.zeros(2, 2), torch.tensor([[True, False], [True, True]])))
assert torch.allclose(o_g[1], torch.tensor([4.0, 5.0])), "the patient who has both should get their mean"
assert not torch.isnan(o_g[0]).any(), "nan came through with the weight 0: 0 times nan is nan. Replace the vectors of absent modalities"
assert torch.allclose(o_g[0], torch.tensor([1.0, 2.0])), "with one modality its own vector should come out"
### BEGIN HIDDEN TESTS
h_g = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(1336))
present_g = torch.tensor([[True, False, True], [False, False, True], [True, True, False], [True, True, True]])
filled = [h_g.masked_fill(~present_g[..., None], other) for other in (float("nan"), float("inf"), 1e30)]
answers = [torch.as_tensor(gated_fusion(part.clone(), torch.ones(4, 3), present_g.clone())[0]).detach().float() for part in filled]
assert all(torch.isfinite(part).all() and torch.allclose(part, answers[0]) for part in answers), "the result depends on what stands at an absent modality"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gated-fusion-nobody", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A patient without any modality: zeros, and no harm to the patient beside
h_g = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
o_g, w_g = (torch.as_tensor(part).detach().float() for part in gated_fusion(h_g.clone(), torch.zeros(2, 2), torch.tensor([[False, False], [True, False]])))
assert torch.allclose(o_g[1], torch.tensor([5.0, 6.0])), "the patient beside has one modality: its vector should come out"
assert not torch.isnan(w_g).any() and not torch.isnan(o_g).any(), "a softmax over nothing is nan: give such a patient zeros"
assert torch.allclose(w_g[0], torch.zeros(2)), "without any modality no weight is left: the softmax of equal scores gives 1/M to modalities that are not there"
assert torch.allclose(o_g[0], torch.zeros(2)), "without any modality the vector is 0"
### BEGIN HIDDEN TESTS
o_g, w_g = (torch.as_tensor(part).detach().float() for part in gated_fusion(torch.full((2, 3, 4), float("nan")), torch.randn(2, 3, generator=torch.Generator().manual_seed(1337)), torch.zeros(2, 3, dtype=torch.bool)))
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
one_x = torch.tensor([[1.0]], dtype=torch.float64)
a_x = torch.as_tensor(cross_attention(one_x[None], torch.tensor([[[-30.0], [30.0]]], dtype=torch.float64), torch.tensor([[False, True]]), 3 * one_x, 10 * one_x, one_x)[1]).detach().double()
assert torch.allclose(a_x, torch.tensor([[[1.0, 0.0]]], dtype=torch.float64)), "scores of -900 for the word and 900 for the padding: the padding still wins. Put in its place what no score reaches"
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
answer_t = tensor_fusion([part.clone() for part in parts_t])
assert answer_t is not None, "the function returns nothing: did you forget the return?"
o_t = torch.as_tensor(answer_t).detach().float()
assert o_t.ndim == 2 and o_t.shape[0] == 2, f"one row for each of 2 patients, got the shape {tuple(o_t.shape)}"
assert o_t.shape[1] != 24, "4 x 3 x 2 = 24: the appended 1 is missing, and with it every single and paired term"
assert o_t.shape[1] not in (9, 12), "9 or 12 numbers: that is concatenation, not an outer product"
assert o_t.shape[1] != 26, "26 numbers: products of pairs only. The outer product goes over all modalities at once"
assert o_t.shape[1] == 60, f"expected 60 numbers a patient, got {o_t.shape[1]}"
### BEGIN HIDDEN TESTS
for sizes in ((1,), (6, 6), (2, 1, 3, 2)):
    o_t = torch.as_tensor(tensor_fusion([torch.randn(3, d, generator=rng_t) for d in sizes])).detach().float()
    assert tuple(o_t.shape) == (3, int(np.prod([d + 1 for d in sizes]))), f"the size is off for {len(sizes)} modalities"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "tensor-fusion-terms", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The terms: (2, 3, 1) times (5, 1) within a patient, the second index running fastest
one_t, two_t = torch.tensor([[2.0, 3.0], [1.0, 0.0]]), torch.tensor([[5.0], [7.0]])
o_t = torch.as_tensor(tensor_fusion([one_t.clone(), two_t.clone()])).detach().float()
assert tuple(o_t.shape) == (2, 6), f"(2 + 1) x (1 + 1) = 6 numbers for each of 2 patients, got {tuple(o_t.shape)}"
assert not torch.allclose(o_t[0], torch.tensor([1.0, 5, 2, 10, 3, 15])), "the 1 stands in front: append it behind the last feature"
assert not torch.allclose(o_t[0], torch.tensor([10.0, 15, 5, 2, 3, 1])), "the first modality runs fastest: let the last one do so"
assert not torch.allclose(o_t[0], torch.tensor([14.0, 2, 21, 3, 7, 1])), "a patient's film is multiplied with another patient's labs"
assert torch.allclose(o_t[0], torch.tensor([10.0, 2, 15, 3, 5, 1])), f"expected 10, 2, 15, 3, 5, 1 for the first patient, got {o_t[0].tolist()}"
assert torch.allclose(o_t[1], torch.tensor([7.0, 1, 0, 0, 7, 1])), "a feature of 0 kills its products, and nothing else: the second patient's other terms stay"
### BEGIN HIDDEN TESTS
a_t, b_t, c_t = (torch.randn(4, d, generator=torch.Generator().manual_seed(1361 + d)) for d in (3, 2, 4))
o_t = torch.as_tensor(tensor_fusion([a_t.clone(), b_t.clone(), c_t.clone()])).detach().float()
assert tuple(o_t.shape) == (4, 60), f"modalities of 3, 2 and 4 features: 60 numbers for each of 4 patients, got the shape {tuple(o_t.shape)}"
o_t = o_t.reshape(4, 4, 3, 5)
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
best_on_test = max(MODALITIES, key=lambda m: single_draws[m][0])
print(f"the best single modality on validation is the {best_single}: test AUC {single_draws[best_single][0]:.3f}; ceiling of all {ceiling['all']:.3f}; who says the prevalence to everybody gets 0.500")
favourite = max(WAYS, key=lambda name: area_draws(val_y, np.stack(scores["val"][name]), 1)[0])
print(f"{'way':16s} {'AUC':>6s} {'95 % of patients':>16s} {'sd of seeds':>12s} {'over the ' + best_single:>16s} {'paired 95 %':>17s} {'over ' + favourite:>21s} {'paired 95 %':>17s}")
for name in WAYS:
    value, low, high = with_interval(fusion_draws[name])
    spread = np.std([roc_auc_score(test_y, one) for one in scores["test"][name]], ddof=1)
    columns = [f"{gain:+.3f} [{below:+.3f}, {above:+.3f}]" for gain, below, above in (over_single[name], with_interval(fusion_draws[name] - fusion_draws[favourite]))]
    print(f"{name:16s} {value:6.3f} {f'[{low:.3f}, {high:.3f}]':>16s} {spread:12.3f} {columns[0]:>34s} {columns[1] if name != favourite else '':>39s}")
rival = max((name for name in WAYS if name != favourite), key=lambda name: fusion_draws[name][0])
print("validation chooses {}; over {}, the best of the others on the test patients: {:+.3f} [{:+.3f}, {:+.3f}]".format(favourite, rival, *with_interval(fusion_draws[favourite] - fusion_draws[rival])))
print("and over the single modality that happens to be best on the test patients, the {}: {:+.3f} [{:+.3f}, {:+.3f}]".format(best_on_test, *with_interval(fusion_draws[favourite] - single_draws[best_on_test])))
gains = fusion_draws[favourite] - single_draws[best_on_test]
assert gains[0] > 3 * gains[1:].std(), "validation's fusion should beat every single modality by three standard deviations of the paired difference"

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
# Read the columns with *paired* intervals first: the same resampled patients for both models, so that what makes some patients hard for everybody drops out. The intervals of two AUCs may overlap while the interval of their difference excludes 0.
#
# Which modality is called the best on validation is itself uncertain. A weak one that was lucky there makes every fusion look good, so the last line repeats the comparison with the best one on the test patients, the hardest rival there is.
#
# Then the ways among themselves, in the last columns. Every way gains far more over a single modality than it differs from the other ways: *that* you fuse matters more than *how*, as long as the truth is close to a sum. The ways that can only add need not lose anything here, since there are no products to be found; a network that could find some may pay for that freedom by learning from chance. An interval that excludes 0 is a difference on *these* patients with *this*
# budget of steps; more patients or more steps may turn it. The late ways come with a practical advantage and a price. They can be trained on patients who lack modalities, and they can't see products.
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
PAIR, xor_steps, xor_seeds = ("film", "table"), run.pick(ci=140, laptop=300), run.pick(ci=2, laptop=3)
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
    for state, mark, dash, colour, said in ((True, "s", ":", show.PALETTE[1], "opaque film"), (False, "o", "-.", show.PALETTE[0], "clear film")):
        cells = [(opaque == state) & (np.abs(severity - b) < 0.25) for b in bins]
        ax.plot(bins, [p[c].mean() if c.any() else np.nan for c in cells], mark, linestyle="-", color=colour, label=f"{said}: said")
        ax.plot(bins, expit(-2.5 * (1 if state else -1) * bins), color=colour, linestyle=dash, linewidth=1.5, label=f"{said}: planted")
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

# %% [markdown]
# ## 12.3 Multimodal data interconnection
#
# Fusion asks what the modalities say *together* about an outcome. Interconnection asks how one modality speaks about the *other*. A radiologist types "small left effusion" and wants to see such films. A resident looks at a film and wants reports of similar ones. A department has a hundred thousand films with reports and not one label. And a patient with a pacemaker has a
# T1 series only, while the software wants T2. In all four cases two modalities of the same patient are the teaching signal, and nobody labels anything.
#
# ### Image and report: contrastive learning
#
# An image encoder $f$ and a report encoder $g$ end in vectors of the same length $d$: a **coordinated** representation. Call $u_i = f(\text{image}_i) / \lVert f(\text{image}_i) \rVert$ and $v_i$ likewise for the report of the same patient. Within a batch of $B$ pairs, $s_{ij} = u_i^\top v_j$ is the cosine similarity of image $i$ and report $j$. Only the $s_{ii}$ belong together.
# **InfoNCE** (van den Oord and others, 2018) turns that into a classification: image $i$ has to find its own report among the $B$ of the batch,
#
# $$L_{\text{image} \to \text{report}} = -\frac{1}{B} \sum_{i=1}^{B} \log \frac{\exp(s_{ii} / \tau)}{\sum_{j=1}^{B} \exp(s_{ij} / \tau)}, \qquad L = \tfrac12 \left( L_{\text{image} \to \text{report}} + L_{\text{report} \to \text{image}} \right)$$
#
# The second term runs over columns: report $i$ has to find its own image, so the sum below is over $s_{ji}$. The **temperature** $\tau$ divides. A small one makes the softmax sharp, so that the loss looks at the hardest wrong pairs; with a very large one all pairs look alike, and it hardly teaches. ConVIRT (Zhang and others, 2020) did this for films and
# reports, CLIP (Radford and others, ICML 2021) for pictures of the web.
#
# Why both directions? Imagine one report vector that is a little closer to *every* image than their own ones. Over rows each image pays for it. Over columns only one report is at fault, and the other reports still find their images. The two directions punish different mistakes, and you want to search both ways.

# %% [markdown]
# ### Exercise 12.3a - symmetric InfoNCE
#
# Difficulty 3 of 5 - 5 points - about 20 minutes - *after it you can train two encoders of different modalities against each other, without a label*
#
# Write `symmetric_info_nce(image, report, temperature)` by the formula above. The inputs are **not** normalised yet.
#
# <details><summary>Hint 1: the idea</summary>A (B, B) table of cosine similarities. Each row is a classification with B classes, and its right class stands on the diagonal. So does that of each column.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.nn.functional.normalize</code>, <code>@</code>, <code>.T</code>, <code>torch.nn.functional.cross_entropy</code> with <code>torch.arange(B)</code> as labels.</details>
# <details><summary>My loss changes when I double an embedding</summary>Then lengths count. Divide each vector by its length before you multiply.</details>
# <details><summary>My loss is inf or nan at a small temperature</summary><code>exp(1 / 0.01)</code> is too large for single precision. <code>logsumexp</code> or <code>cross_entropy</code> subtract the largest entry first.</details>
# <details><summary>My loss falls when the temperature rises</summary>At very large temperatures the loss must come to log B, the loss of guessing. Do you multiply by the temperature?</details>

# %% nbgrader={"grade": false, "grade_id": "symmetric-info-nce", "locked": false, "schema_version": 3, "solution": true, "task": false}
def symmetric_info_nce(image: torch.Tensor, report: torch.Tensor, temperature: float) -> torch.Tensor:
    """Mean of both directions of InfoNCE on cosine similarities.

    Args:
        image, report: (B, d) embeddings of the same B patients in the same order, B at least 2; any length but zero.
        temperature: above 0; similarities are divided by it.

    Returns:
        a scalar tensor, connected to both inputs.

    Raises:
        ValueError: shapes differ or aren't (B, d), fewer than two pairs, or temperature not above 0 (nan included).
    """
    ### BEGIN SOLUTION
    if image.ndim != 2 or image.shape != report.shape or len(image) < 2:
        raise ValueError(f"give two (B, d) tensors with B at least 2, not {tuple(image.shape)} and {tuple(report.shape)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    normalize, cross_entropy = torch.nn.functional.normalize, torch.nn.functional.cross_entropy
    logits = normalize(image, dim=1) @ normalize(report, dim=1).T / temperature
    own = torch.arange(len(image), device=image.device)
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
    ### END SOLUTION

# %% tags=["given"]
def contrast_and_gradients(image, report, temperature: float) -> tuple:
    """Your loss, and its gradients at image and report (None if nothing arrived); numbers and arrays."""
    leaves = [torch.tensor(np.asarray(one, dtype=np.float32), requires_grad=True) for one in (image, report)]
    loss = symmetric_info_nce(leaves[0], leaves[1], temperature)
    if isinstance(loss, torch.Tensor) and loss.requires_grad:
        loss.sum().backward()
    slopes = [None if leaf.grad is None else leaf.grad.numpy().copy() for leaf in leaves]
    value = loss.detach().numpy() if isinstance(loss, torch.Tensor) else loss
    return None if value is None else np.array(value, dtype=float), slopes[0], slopes[1]


def paired_loss(image: np.ndarray, report: np.ndarray, temperature: float, rows: float = 0.5) -> float:
    """`rows` times the loss over rows plus (1 - rows) times that over columns; numpy, double precision."""
    u, v = (np.asarray(one, dtype=float) / np.linalg.norm(one, axis=1, keepdims=True) for one in (image, report))
    z = u @ v.T / temperature
    over = [np.mean(np.logaddexp.reduce(z, axis=axis) - np.diag(z)) for axis in (1, 0)]
    return float(rows * over[0] + (1 - rows) * over[1])

# %% nbgrader={"grade": true, "grade_id": "symmetric-info-nce-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# By hand: similarities [[1.0, 0.6], [0.0, 0.8]], temperature 0.5. The lengths of the embeddings are 2, 3, 1 and 5, and must not matter
films, texts = np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([[1.0, 0.0], [3.0, 4.0]])
rows, columns = paired_loss(films, texts, 0.5, 1), paired_loss(films, texts, 0.5, 0)
value = contrast_and_gradients(films, texts, 0.5)[0]
assert value is not None, "the function returns nothing: did you forget the return?"
assert value.shape == (), f"return one number, a tensor of shape (), not {value.shape}"
assert not np.isclose(value, rows + columns, atol=1e-4), "both directions are averaged, not added"
assert not np.isclose(value, rows, atol=1e-4), "that is image to report only: the columns (report to image) are missing"
assert not np.isclose(value, columns, atol=1e-4), "that is report to image only: the rows (image to report) are missing"
assert not np.isclose(value, paired_loss(films, texts, 2.0), atol=1e-4), "you multiply by the temperature: similarities are divided by it"
z = films @ texts.T / 0.5
unscaled = np.mean([np.mean(np.logaddexp.reduce(z, axis=axis) - np.diag(z)) for axis in (0, 1)])
assert not np.isclose(value, unscaled, atol=1e-4), "the embeddings' lengths count: normalise each vector to length 1 first"
assert np.isclose(value, (rows + columns) / 2, atol=1e-4), f"expected {(rows + columns) / 2:.4f}, got {float(value):.4f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1230)
for b, d, tau in ((5, 3, 0.2), (9, 16, 0.07), (2, 4, 1.5)):
    films, texts = rng.normal(size=(b, d)), rng.normal(size=(b, d))
    value = contrast_and_gradients(films, texts, tau)[0]
    assert np.isclose(value, paired_loss(films, texts, tau), rtol=1e-3, atol=1e-4), f"for {b} pairs at temperature {tau} the value is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "symmetric-info-nce-symmetry", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Both directions: exchanging the modalities changes nothing, nor does another order of the patients
rng = np.random.default_rng(1231)
films, texts = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
there, back = contrast_and_gradients(films, texts, 0.3)[0], contrast_and_gradients(texts, films, 0.3)[0]
assert np.isclose(there, back, atol=1e-4), f"images against reports gives {float(there):.4f}, reports against images {float(back):.4f}: take the mean of both directions"
assert np.isclose(there, paired_loss(films, texts, 0.3), atol=1e-3), "symmetric, but the value is off"
### BEGIN HIDDEN TESTS
order = rng.permutation(6)
assert np.isclose(contrast_and_gradients(films[order], texts[order], 0.3)[0], there, atol=1e-4), "another order of the same pairs must not change the loss"
assert not np.isclose(contrast_and_gradients(films, texts[order], 0.3)[0], there, atol=1e-3), "wrong pairs must not give the loss of the right ones"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "symmetric-info-nce-limits", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Limits: collapsed encoders guess, so the loss is log B; and perfect pairs at a small temperature cost nothing, without overflow
same = np.ones((8, 3))
value = contrast_and_gradients(same, same, 0.1)[0]
assert np.isclose(value, np.log(8), atol=1e-3), f"eight equal pairs can only be guessed: log 8 = {np.log(8):.3f}, not {float(value):.3f}"
value = contrast_and_gradients(np.eye(8), np.eye(8), 0.01)[0]
assert np.isfinite(value), "at temperature 0.01 the loss overflows: exp(100) is too large. Use cross_entropy or logsumexp"
assert abs(float(value)) < 1e-3, f"perfect pairs at temperature 0.01 should cost nothing, not {float(value):.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1232)
films, texts = rng.normal(size=(7, 5)), rng.normal(size=(7, 5))
assert np.isclose(contrast_and_gradients(films, texts, 1e4)[0], np.log(7), atol=1e-3), "at a very large temperature all pairs look alike: the loss must come to log B"
value = contrast_and_gradients(films, texts, 0.01)[0]
assert np.isfinite(value) and np.isclose(value, paired_loss(films, texts, 0.01), rtol=1e-3), "at temperature 0.01 the value is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "symmetric-info-nce-gradient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Gradients, by finite differences: both encoders learn, and no step can pay by changing a vector's length
rng = np.random.default_rng(1233)
films, texts = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
_, by_film, by_text = contrast_and_gradients(films, texts, 0.5)
assert by_film is not None, "the image encoder gets no gradient: is it detached?"
assert by_text is not None, "the report encoder gets no gradient: is it detached?"
step = np.zeros((4, 3))
step[1, 2] = 1e-5
slope = (paired_loss(films + step, texts, 0.5) - paired_loss(films - step, texts, 0.5)) / 2e-5
assert np.isclose(by_film[1, 2], slope, atol=1e-3), f"the gradient at an image is {by_film[1, 2]:.4f}, by finite differences {slope:.4f}"
assert np.abs((by_film * films).sum(1)).max() < 1e-4, "the gradient points along the vector: normalise inside the loss, with the graph kept"
### BEGIN HIDDEN TESTS
for place in ((0, 0), (3, 1)):
    step = np.zeros((4, 3))
    step[place] = 1e-5
    slope = (paired_loss(films, texts + step, 0.5) - paired_loss(films, texts - step, 0.5)) / 2e-5
    assert np.isclose(by_text[place], slope, atol=1e-3), "the gradient at a report differs from finite differences"
    slope = (paired_loss(films + step, texts, 0.5) - paired_loss(films - step, texts, 0.5)) / 2e-5
    assert np.isclose(by_film[place], slope, atol=1e-3), "the gradient at an image differs from finite differences"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "symmetric-info-nce-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: a report is missing, or the temperature is 0
assert np.isfinite(contrast_and_gradients(np.eye(3), np.eye(3), 0.5)[0]), "good embeddings should still give a number"
for bad_films, bad_texts, tau, why in ((np.eye(4)[:3], np.eye(4), 0.5, "three images and four reports"), (np.eye(3), np.eye(3), 0.0, "temperature 0")):
    refused = False
    try:
        contrast_and_gradients(bad_films, bad_texts, tau)
    except ValueError:
        refused = True
    assert refused, f"{why} must raise a ValueError"
### BEGIN HIDDEN TESTS
for bad_films, bad_texts, tau in ((np.eye(3), np.eye(3), -0.1), (np.eye(3)[:1], np.eye(3)[:1], 0.5), (np.ones(3), np.ones(3), 0.5), (np.eye(3), np.eye(3), float("nan"))):
    refused = False
    try:
        contrast_and_gradients(bad_films, bad_texts, tau)
    except ValueError:
        refused = True
    assert refused, "a negative or nan temperature, a single pair, or vectors without a batch must raise a ValueError"
### END HIDDEN TESTS

# %% [markdown]
# ### Trained from scratch
#
# The pairs are those of our cohort: simulated films, and the reports written about them. No label and no outcome is used. The **image encoder** is three strided convolutions. The **report encoder** turns words into numbers by a small vocabulary of the training reports, looks at three neighbouring words at a time, and takes the mean over the report. Both end in 32 numbers. Later you search with single sentences, so in half of the cases training shows one sentence of the report in place of all of it, as ConVIRT did; otherwise a single sentence would be a kind of text that the encoder has never met. (Equal sentences of two patients in a batch then count as a wrong pair: the loss can't come to 0.)
#
# **Predict before you run.** The test set holds several hundred films, each with its report. If you search with a film for its report at random, how often is it among the first ten? How often will the trained pair find it? And can a search be perfect, when the report also tells the history, which no film shows?

# %% tags=["demo"]
import re

import pandas as pd
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from torch import nn
from torch.nn import functional as F

pair_sizes = run.pick(ci=(2000, 500, 800), laptop=(6000, 1000, 2000))
pair_train, pair_val, pair_test = (cohort(n, SEED + 1310 + i) for i, n in enumerate(pair_sizes))
WORDS = {word: i + 1 for i, word in enumerate(sorted({word for text in pair_train["report"] for word in re.findall(r"[a-z]+", text.lower())}))}


def word_ids(texts: list[str], length: int = 48) -> torch.Tensor:
    """(n, length) long: the number of each word in the training vocabulary; 0 for unknown words and for padding."""
    out = torch.zeros(len(texts), length, dtype=torch.long)
    for row, text in zip(out, texts, strict=True):
        found = [WORDS.get(word, 0) for word in re.findall(r"[a-z]+", text.lower())][:length]
        row[: len(found)] = torch.tensor(found)
    return out


class FilmEncoder(nn.Module):
    """(B, 1, 32, 32) films from 0 to 1 -> (B, d)."""

    def __init__(self, d: int = 32) -> None:
        super().__init__()
        steps = [layer for i, o in ((1, 16), (16, 32), (32, 32)) for layer in (nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.ReLU())]
        self.net = nn.Sequential(*steps, nn.Flatten(), nn.Dropout(0.2), nn.Linear(512, d))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net((x - 0.45) / 0.2)

# %% tags=["demo"]
class ReportEncoder(nn.Module):
    """(B, L) word numbers -> (B, d): three neighbouring words at a time, then the mean over the words that are there."""

    def __init__(self, d: int = 32, width: int = 64) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS) + 1, 48, padding_idx=0)
        self.phrases, self.out = nn.Conv1d(48, width, 3, padding=1), nn.Linear(width, d)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        there = (ids > 0)[:, None]
        phrases = F.relu(self.phrases(self.words(ids).transpose(1, 2))) * there
        return self.out(phrases.sum(2) / there.sum(2).clamp(min=1))


def fit_pairs(people: dict, seed: int, epochs: int, tau: float = 0.1, batch: int = 128) -> tuple[FilmEncoder, ReportEncoder]:
    """Both encoders, trained by symmetric InfoNCE; films are shifted by up to two pixels, half of the reports cut to one sentence behind the indication."""
    torch.manual_seed(seed)
    rng, films, whole = np.random.default_rng(seed), torch.from_numpy(people["image"]), word_ids(people["report"])
    sentences = [text.partition("Findings: ")[2].replace("Impression: ", "").rstrip(".").split(". ") for text in people["report"]]
    film_encoder, report_encoder = FilmEncoder(), ReportEncoder()
    weights, steps = [*film_encoder.parameters(), *report_encoder.parameters()], epochs * (len(films) // batch)
    optimizer = torch.optim.AdamW(weights, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(epochs):
        one = word_ids([lines[rng.integers(len(lines))] for lines in sentences])
        ids = torch.where(torch.from_numpy(rng.random((len(films), 1)) < 0.5), one, whole)
        for few in torch.randperm(len(films))[: len(films) // batch * batch].view(-1, batch):
            shift = tuple(torch.randint(-2, 3, (2,)).tolist())
            u, v = film_encoder(films[few].roll(shift, (2, 3))), report_encoder(ids[few])
            logits = F.cosine_similarity(u[:, None], v[None], dim=2) / tau
            loss = -(logits.log_softmax(0) + logits.log_softmax(1)).diagonal().mean() / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return film_encoder.eval(), report_encoder.eval()


film_encoder, report_encoder = fit_pairs(pair_train, SEED, epochs=run.pick(ci=15, laptop=20))

# %% [markdown]
# ### Searching both ways: recall@k
#
# A search is judged by **recall@k**: the share of queries for which something right stands among the first $k$ results. For pairs, "right" seems easy: the own report. But reports are not unique. Hundreds of normal films share the sentence "No acute finding", word for word. No system can tell equal texts apart, so each of the equal reports is as right as the own copy. Counting only the own copy measures luck, and punishes a
# system most where it works best.
#
# There is a second trap. An encoder that has collapsed gives *every* pair the same similarity. If ties are broken in favour of the right answer, it reaches a recall of 100 %. So ties count against it: the rank of a query is 1 plus the number of **wrong** candidates whose similarity is at least that of the best right one.

# %% [markdown]
# ### Exercise 12.3b - recall@k with duplicates
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can say what a retrieval system finds, and can't be fooled by equal reports or by a collapsed encoder*
#
# Write `recall_at_k(similarity, texts, k)`. Rows are queries, columns are candidates; row $i$ and column $i$ belong to patient $i$, whose report is `texts[i]`. A candidate is right if its report equals the query's, word for word. For the other direction you would pass the transposed table.
#
# <details><summary>Hint 1: the idea</summary>For each row: which columns are right? How large is the best of them? How many wrong ones are at least as large?</details>
# <details><summary>Hint 2: what to call</summary><code>names = np.asarray(texts); right = names[:, None] == names[None]</code>; <code>np.where(right, similarity, -np.inf).max(1)</code>; a boolean sum.</details>
# <details><summary>My recall is too low for normal films</summary>Do you look for column i alone? Equal reports are equally right.</details>
# <details><summary>My recall is 100 % for a table of equal numbers</summary>A strict ">" breaks ties in favour of the right one.</details>
# <details><summary>I get the other direction's value</summary>One query is one row: compare within rows, not within columns.</details>

# %% nbgrader={"grade": false, "grade_id": "recall-at-k", "locked": false, "schema_version": 3, "solution": true, "task": false}
def recall_at_k(similarity: np.ndarray, texts: list[str], k: int) -> float:
    """Share of queries with a right candidate among the first k; equal reports are equally right, ties count against.

    Args:
        similarity: (N, N), rows are queries, columns candidates, larger is more alike.
        texts: N reports; texts[i] is the report of row i and of column i.
        k: from 1 to N.

    Returns:
        from 0 to 1.

    Raises:
        ValueError: the table is not (N, N) for N reports, holds a nan, or k is not from 1 to N.
    """
    ### BEGIN SOLUTION
    n = len(texts)
    if np.shape(similarity) != (n, n) or np.isnan(similarity).any():
        raise ValueError(f"give a ({n}, {n}) table of numbers for {n} reports, not {np.shape(similarity)}")
    if not 1 <= k <= n:
        raise ValueError(f"k must lie between 1 and {n}, not {k}")
    names = np.asarray(texts)
    right = names[:, None] == names[None]
    best = np.where(right, similarity, -np.inf).max(axis=1)
    wrong_before = (~right & (similarity >= best[:, None])).sum(axis=1)
    return float((wrong_before < k).mean())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "recall-at-k-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Four different reports. The own one has the ranks 1, 2, 4, 2 within its row
table = np.array([[0.9, 0.6, 0.2, 0.3], [0.8, 0.5, 0.05, 0.0], [0.7, 0.6, 0.1, 0.5], [0.2, 0.1, 0.9, 0.4]])
different = ["effusion", "nodule", "normal", "fracture"]
assert recall_at_k(table.copy(), list(different), 1) is not None, "the function returns nothing: did you forget the return?"
found = [float(recall_at_k(table.copy(), list(different), k)) for k in (1, 2, 3, 4)]
assert not np.allclose(found, [0.75, 0.25, 0.25, 0.0]), "these are the queries without a hit: return the share with one"
assert not np.allclose(found, [0.25, 0.5, 1.0, 1.0]), "that is the other direction: one query is one row, so compare within rows"
assert not np.allclose(found, np.array([0.25, 0.75, 0.75, 1.0]) / [1, 2, 3, 4]), "hits are divided by the queries, not by k as well"
assert found[3] == 1, f"among all four candidates the right one is always there: recall@4 is 1, not {found[3]:.2f}. Is your k one too small?"
assert np.allclose(found, [0.25, 0.75, 0.75, 1.0]), f"expected 0.25, 0.75, 0.75, 1 for k = 1 to 4, got {found}. Is the largest similarity first, within rows?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1240)
for n in (5, 12):
    table = rng.normal(size=(n, n)) + np.eye(n)
    rank = [1 + sum(table[i, j] > table[i, i] for j in range(n)) for i in range(n)]
    for k in range(1, n + 1):
        assert np.isclose(float(recall_at_k(table, [f"report {i}" for i in range(n)], k)), np.mean(np.array(rank) <= k)), f"with {n} different reports recall@{k} is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "recall-at-k-duplicates", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Patients 0, 1 and 2 have the same normal report. Each film finds a copy first, but never its own
table = np.array([[0.1, 0.9, 0.2, 0.0], [0.2, 0.1, 0.9, 0.0], [0.9, 0.2, 0.1, 0.0], [0.3, 0.2, 0.1, 0.8]])
texts = ["No acute finding.", "No acute finding.", "No acute finding.", "Left effusion."]
got = float(recall_at_k(table, texts, 1))
assert not np.isclose(got, 0.25), "you count only the film's own copy: equal reports are equally right"
assert np.isclose(got, 1.0), f"each of the four finds a right text first: recall@1 is 1, not {got:.2f}"
swapped = table.copy()
swapped[3] = [0.9, 0.8, 0.7, 0.5]
second = [float(recall_at_k(swapped, texts, k)) for k in (1, 2, 3, 4)]
assert not np.isclose(second[1], 1.0), "the film with an effusion finds it fourth: three wrong films with equal reports are three candidates, not one"
assert np.allclose(second, [0.75, 0.75, 0.75, 1.0]), f"expected 0.75, 0.75, 0.75, 1, got {second}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1241)
for _ in range(4):
    n = 15
    texts, table = [f"kind {rng.integers(4)}" for _ in range(n)], rng.normal(size=(15, 15))
    order = np.argsort(-table, axis=1)
    for k in (1, 2, 5):
        truth = np.mean([any(texts[j] == texts[i] for j in order[i, :k]) for i in range(n)])
        assert np.isclose(float(recall_at_k(table, texts, k)), truth), f"with duplicates recall@{k} is off"
        back = np.mean([any(texts[j] == texts[i] for j in np.argsort(-table.T[i])[:k]) for i in range(n)])
        assert np.isclose(float(recall_at_k(table.T.copy(), texts, k)), back), "report to image, with the transposed table, is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "recall-at-k-ties", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A collapsed encoder: every similarity is equal. It knows nothing, and must not look perfect
flat, texts = np.full((6, 6), 0.5), ["a", "b", "c", "d", "e", "f"]
got = [float(recall_at_k(flat, texts, k)) for k in (1, 3, 6)]
assert got[0] == 0 and got[1] == 0, f"with all similarities equal the five wrong candidates count as before the right one: recall@1 and @3 are 0, not {got[0]:.2f} and {got[1]:.2f}"
assert got[2] == 1, "among all six the right one is there"
assert np.isclose(float(recall_at_k(np.eye(6), texts, 1)), 1), "a perfect encoder still reaches 1"
### BEGIN HIDDEN TESTS
texts = ["a", "a", "b", "b", "b"]
assert np.allclose([float(recall_at_k(np.zeros((5, 5)), texts, k)) for k in (1, 2, 3, 4)], [0, 0, 0.6, 1]), "ties with equal reports: three wrong candidates for the first kind, two for the second"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "recall-at-k-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: k = 0, or a table that doesn't belong to these reports
assert float(recall_at_k(np.eye(3), ["a", "b", "c"], 1)) == 1, "good input should still give 1"
for table, texts, k, why in ((np.eye(3), ["a", "b", "c"], 0, "k = 0"), (np.eye(3), ["a", "b"], 1, "two reports for three rows")):
    refused = False
    try:
        recall_at_k(table, texts, k)
    except ValueError:
        refused = True
    assert refused, f"{why} must raise a ValueError"
### BEGIN HIDDEN TESTS
for table, texts, k in ((np.eye(3), ["a", "b", "c"], 4), (np.ones((3, 4)), ["a", "b", "c"], 1), (np.full((2, 2), np.nan), ["a", "b"], 1)):
    refused = False
    try:
        recall_at_k(table, texts, k)
    except ValueError:
        refused = True
    assert refused, "k above N, a table that is not square, or a nan must raise a ValueError"
### END HIDDEN TESTS

# %% [markdown]
# Now both searches on the test patients. As texts we take the whole report, which is nearly unique, and its impression alone, which many patients share. For each you see recall@k counted with equal texts as equally right, counted by the own copy only, and what a random order would reach.

# %% tags=["demo"]
def unit_rows(encoder: nn.Module, x: torch.Tensor) -> np.ndarray:
    """(n, d) embeddings of length 1."""
    with torch.no_grad():
        return F.normalize(encoder(x), dim=1).numpy()


def hits(similarity: np.ndarray, keys: list[str], k: int) -> np.ndarray:
    """(n,) whether a candidate with the query's key is among the first k of its row; ties count against."""
    _, key = np.unique(keys, return_inverse=True)
    fits = np.equal.outer(key, key)
    least = np.max(similarity, axis=1, where=fits, initial=-2)
    return np.count_nonzero(~fits & (similarity.T >= least).T, axis=1) < k


def by_chance(keys: list[str], k: int) -> float:
    """Expected recall of a random order, with equal keys equally right."""
    from scipy.special import gammaln

    _, key, count = np.unique(keys, return_inverse=True, return_counts=True)
    n, other = len(keys), len(keys) - count[key]
    none = np.where(other >= k, gammaln(other + 1) - gammaln(np.maximum(other - k, 0) + 1) - gammaln(n + 1) + gammaln(n - k + 1), -np.inf)
    return float(1 - np.exp(none).mean())


def over_patients(values: np.ndarray, draws: int = 1000) -> tuple[float, float, float]:
    """Mean of (n,) values with a 95 % bootstrap interval over patients."""
    means = values[np.random.default_rng(SEED).integers(0, len(values), (draws, len(values)))].mean(1)
    return float(values.mean()), *(float(end) for end in np.percentile(means, [2.5, 97.5]))

# %% tags=["demo"]
impressions = [text.partition("Impression: ")[2] for text in pair_test["report"]]
film_vectors, report_vectors = unit_rows(film_encoder, torch.from_numpy(pair_test["image"])), unit_rows(report_encoder, word_ids(pair_test["report"]))
impression_vectors = unit_rows(report_encoder, word_ids(impressions))
numbers = [str(one) for one in pair_test["patient"]]
searches = {
    ("film -> whole report", "report"): (film_vectors @ report_vectors.T, pair_test["report"]),
    ("whole report -> film", "report"): (report_vectors @ film_vectors.T, pair_test["report"]),
    ("impression -> film", "impression"): (impression_vectors @ film_vectors.T, impressions),
    ("film -> impression", "impression"): (film_vectors @ impression_vectors.T, impressions),
}
recalls = {}
print(f"{len(set(pair_test['report']))} different reports and {len(set(impressions))} different impressions of {len(numbers)} patients")
for (way, _), (table, keys) in searches.items():
    for k in (1, 5, 10):
        recalls[way, k] = *over_patients(hits(table, keys, k)), by_chance(keys, k), float(hits(table, numbers, k).mean())
        mean, low, high, chance, own = recalls[way, k]
        print(f"{way:20s}  recall@{k:<2d} {mean:.3f} [{low:.3f}, {high:.3f}]   at random {chance:.3f}   own copy only {own:.3f}")
once, own_text = np.unique(impressions, return_inverse=True)
listed = film_vectors @ impression_vectors[[impressions.index(text) for text in once]].T
rank = (listed >= np.take_along_axis(listed, own_text[:, None], 1)).sum(1)
for k in (1, 5, 10):
    recalls["film -> impression, each text once", k] = *over_patients(rank <= k), k / len(once), float("nan")
    print("film -> impression, each text listed once: recall@{:<2d} {:.3f} [{:.3f}, {:.3f}]   at random {:.3f}".format(k, *recalls["film -> impression, each text once", k][:4]))
assert recalls["film -> whole report", 10][0] > 5 * recalls["film -> whole report", 10][3], "the pair should find reports far more often than chance"

# %% [markdown]
# Three things to see.
#
# - Whole reports are nearly unique, so both ways of counting agree. The search finds far more than chance, and far from everything: history and wording are in the report and not in the film.
# - Impressions are shared. Counting the own copy only would call the search from impression to film a failure; counted rightly it finds far more than chance.
# - From film to impression something odd happens: a ranked list of *copies* can fall below chance. If the first sentence is wrong and stands in sixty reports, sixty copies fill the list before the second sentence is heard. A search for texts should list each text once, as in the last three lines.

# %% [markdown]
# Figures of merit are one thing; look at what a search brings. Choose a sentence. Under each film stands what is really there.
#
# **Predict before you run.** Does the search tell left from right? What will "no pleural effusion" bring: films without, or films with one? And "no evidence of pleural effusion", which no report of ours says?

# %% tags=["demo"]
QUERIES = ["left pleural effusion", "right pleural effusion", "no pleural effusion", "no evidence of pleural effusion", "cardiomegaly", "no cardiomegaly", "dense consolidation in the right lung", "pulmonary nodule", "normal chest"]


def draw_search(sentence: str = QUERIES[0]):
    """The six test films that fit a sentence best, each with what was planted in it."""
    fit = film_vectors @ unit_rows(report_encoder, word_ids([sentence]))[0]
    fig, axes = plt.subplots(1, 6, figsize=(11, 2.75), layout="constrained")
    for ax, i in zip(axes, np.argsort(-fit), strict=False):
        there = [name for name, found in zip(FINDINGS, pair_test["findings"][i], strict=True) if found]
        ax.imshow(pair_test["image"][i, 0], cmap="gray", vmin=0, vmax=1)
        ax.set_title(f"cosine {fit[i]:.2f}", fontsize=9)
        ax.set_xlabel("\n".join(there) or "nothing", fontsize=8)
        ax.set(xticks=[], yticks=[])
    fig.suptitle(f'"{sentence}" (the patient\'s left is on the right)', fontsize=10)
    return fig


show.explore(draw_search, alt="The six films of the test set that fit a chosen sentence best, with their cosine above and the planted findings below", sentence=QUERIES)
tops = {sentence: np.argsort(-film_vectors @ unit_rows(report_encoder, word_ids([sentence]))[0])[:20] for sentence in QUERIES}
for sentence, name in (("left pleural effusion", "effusion"), ("no pleural effusion", "effusion"), ("no evidence of pleural effusion", "effusion"), ("cardiomegaly", "cardiomegaly"), ("no cardiomegaly", "cardiomegaly")):
    column = pair_test["findings"][:, FINDINGS.index(name)]
    print(f'"{sentence}": {name} in {column[tops[sentence]].sum()} of the first 20 films, in {column.mean():.0%} of all')
for side in ("left", "right"):
    named = {other: sum(any(text.format(side=other) in pair_test["report"][i] for text in STATED["effusion"]) for i in tops[f"{side} pleural effusion"]) for other in ("left", "right")}
    print(f'"{side} pleural effusion": of the first 20 films {named["left"]} have a report of fluid on the left, {named["right"]} on the right')

# %% [markdown]
# The last two lines answer the question about left and right. Of the two denials the reports know one only: compare what they bring. The next part measures them over all test films.

# %% [markdown]
# ### Zero-shot: sentences as classifiers
#
# The two encoders now know which texts fit which films. So write a sentence for each class, embed it, and give each film the class whose sentence it fits best. No weight is trained and no label is used: **zero-shot** classification. The sentences are called **prompts**.
#
# A single prompt is a gamble: "effusion", "pleural effusion is seen" and "fluid in the pleural space" give three different classifiers. A **prompt ensemble** takes the mean direction of several. With class $c$ and its prompts $p = 1, \ldots, P_c$, whose embeddings are $w_{cp}$,
#
# $$\bar v_c = \frac{m_c}{\lVert m_c \rVert}, \quad m_c = \frac{1}{P_c} \sum_p \frac{w_{cp}}{\lVert w_{cp} \rVert}, \qquad p(c \mid \text{image}_i) = \frac{\exp(u_i^\top \bar v_c / \tau)}{\sum_{c'} \exp(u_i^\top \bar v_{c'} / \tau)}$$
#
# Both normalisations matter. Without the inner one a long vector outvotes the other prompts. Without the outer one a class whose prompts *disagree* has a short mean, and tends to lose against a class with a single prompt.
#
# A prompt is a parameter all the same. Whoever tries thirty prompts and reports the best test AUC has trained on the test labels. Choose on validation, or take the mean of several.

# %% [markdown]
# ### Exercise 12.3c - a classifier made of prompts
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can build a zero-shot classifier that no single wording decides*
#
# Write `zero_shot(images, prompts, temperature)` by the formula above. Classes may have different numbers of prompts.
#
# <details><summary>Hint 1: the idea</summary>One unit vector for each class: normalise, average, normalise. Then a softmax over classes for each image.</details>
# <details><summary>Hint 2: what to call</summary><code>np.linalg.norm(x, axis=1, keepdims=True)</code>, a loop over the list, <code>scipy.special.softmax(..., axis=1)</code>.</details>
# <details><summary>Adding a prompt makes its class lose everywhere</summary>The mean of two different unit vectors is shorter than 1. Normalise it again.</details>
# <details><summary>My columns sum to 1, my rows don't</summary>The softmax runs over classes, for each image.</details>

# %% nbgrader={"grade": false, "grade_id": "zero-shot", "locked": false, "schema_version": 3, "solution": true, "task": false}
def zero_shot(images: np.ndarray, prompts: list[np.ndarray], temperature: float) -> np.ndarray:
    """Class probabilities of images from prompt ensembles.

    Args:
        images: (N, d) image embeddings, not normalised.
        prompts: one array for each of C classes, at least 2: (P_c, d) embeddings of its prompts, not normalised, P_c at least 1.
        temperature: above 0.

    Returns:
        (N, C) probabilities; each row sums to 1.

    Raises:
        ValueError: fewer than two classes, a class without prompts, another d, a vector of length zero, or temperature not above 0.
    """
    ### BEGIN SOLUTION
    from scipy.special import softmax

    if len(prompts) < 2 or any(np.ndim(one) != 2 or len(one) == 0 or one.shape[1] != images.shape[1] for one in prompts):
        raise ValueError("give at least two classes, each with at least one prompt as long as the images' embeddings")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")

    def unit(x: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(x, axis=1, keepdims=True)
        if not (length > 1e-12).all():
            raise ValueError("a vector of length zero has no direction")
        return x / length

    classes = unit(np.stack([unit(one).mean(axis=0) for one in prompts]))
    return softmax(unit(images) @ classes.T / temperature, axis=1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "zero-shot-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One prompt a class, temperature 0.5. Image 0 has the cosines 1 and 0.6, image 1 has 0 and 0.8; lengths must not matter
films, words = np.array([[2.0, 0.0], [0.0, 5.0]]), [np.array([[3.0, 0.0]]), np.array([[3.0, 4.0]])]
cosine = np.array([[1.0, 0.6], [0.0, 0.8]])
got = np.asarray(zero_shot(films.copy(), [one.copy() for one in words], 0.5))
assert got.shape == (2, 2), f"expected (images, classes) = (2, 2), got {got.shape}"
wanted = np.exp(cosine / 0.5) / np.exp(cosine / 0.5).sum(1, keepdims=True)
assert not np.allclose(got.sum(0), 1) or np.allclose(got.sum(1), 1), "your columns sum to 1: the softmax runs over the classes of each image"
assert np.allclose(got.sum(1), 1), "each row must sum to 1: a softmax over the classes, not a sigmoid for each"
multiplied = np.exp(cosine * 0.5) / np.exp(cosine * 0.5).sum(1, keepdims=True)
assert not np.allclose(got, multiplied, atol=1e-4), "you multiply by the temperature: divide by it"
raw = films @ np.concatenate(words).T / 0.5
assert not np.allclose(got, np.exp(raw) / np.exp(raw).sum(1, keepdims=True), atol=1e-4), "the lengths count: normalise images and prompts"
assert np.allclose(got, wanted, atol=1e-4), f"expected {wanted.round(3).tolist()}, got {got.round(3).tolist()}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1250)
films, words = rng.normal(size=(7, 5)), [rng.normal(size=(1, 5)) for _ in range(3)]
u, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (films, np.concatenate(words)))
e = np.exp(u @ v.T / 0.2)
assert np.allclose(zero_shot(films, words, 0.2), e / e.sum(1, keepdims=True), atol=1e-4), "three classes with one prompt each: the probabilities are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "zero-shot-ensemble", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Two prompts of class 0 disagree by a right angle; class 1 has one prompt. The image lies between class 0's prompts: cosine 1 with the ensemble, cosine 0.8 with class 1
image = np.array([[1.0, 1.0, 0.0]])
words = [np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), np.array([[0.8, 0.8, 0.6 * 2**0.5]])]
got = float(np.asarray(zero_shot(image, words, 0.1))[0, 0])
odds = lambda a, b: 1 / (1 + np.exp((b - a) / 0.1))  # noqa: E731
assert not np.isclose(got, odds(0.5**0.5, 0.8), atol=1e-3), "the mean of two prompts is shorter than 1 (or you took the mean or the best of their scores): normalise the mean vector again"
assert np.isclose(got, odds(1.0, 0.8), atol=1e-3), f"expected {odds(1.0, 0.8):.3f} for class 0, got {got:.3f}"
loud = float(np.asarray(zero_shot(image, [words[0] * np.array([[1.0], [20.0]]), words[1]], 0.1))[0, 0])
assert np.isclose(loud, got, atol=1e-3), "a prompt with a vector 20 times as long outvotes the other: normalise each prompt before the mean"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1251)
films, words = rng.normal(size=(9, 6)), [rng.normal(size=(p, 6)) * rng.uniform(0.2, 9, (p, 1)) for p in (1, 4, 2)]
unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)  # noqa: E731
z = unit(films) @ np.stack([unit(unit(one).sum(0)) for one in words]).T / 0.3
wanted = np.exp(z) / np.exp(z).sum(1, keepdims=True)
assert np.allclose(zero_shot(films, words, 0.3), wanted, atol=1e-4), "ensembles of 1, 4 and 2 prompts: the probabilities are off"
twice = [np.concatenate([one, one]) for one in words]
assert np.allclose(zero_shot(films, twice, 0.3), wanted, atol=1e-4), "giving each prompt twice must change nothing"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "zero-shot-stable", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A small temperature makes it sure, not nan; the order of the classes is the order of the columns
films, words = np.eye(3), [np.eye(3)[[c]] for c in (2, 0, 1)]
got = np.asarray(zero_shot(films, words, 1e-3))
assert np.isfinite(got).all(), "at temperature 0.001 the softmax overflows: subtract each row's largest entry first"
assert got.argmax(1).tolist() == [1, 2, 0], f"image 0 fits the second class, image 1 the third, image 2 the first; got {got.argmax(1).tolist()}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1252)
films, words = rng.normal(size=(6, 4)), [rng.normal(size=(2, 4)) for _ in range(4)]
assert np.allclose(zero_shot(films, words, 1e5), 0.25, atol=1e-3), "at a very large temperature all four classes are equally likely"
assert np.allclose(zero_shot(films[:1], words, 0.2), np.asarray(zero_shot(films, words, 0.2))[:1], atol=1e-6), "one image's probabilities must not depend on the other images"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "zero-shot-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: a class without a prompt, a vector without a direction
assert np.shape(zero_shot(np.eye(2), [np.eye(2)[:1], np.eye(2)[1:]], 0.5)) == (2, 2), "good input should still give (2, 2)"
for films, words, why in ((np.eye(2), [np.eye(2)[:1], np.zeros((0, 2))], "a class without prompts"), (np.zeros((1, 2)), [np.eye(2)[:1], np.eye(2)[1:]], "an image of zeros")):
    refused = False
    try:
        zero_shot(films, words, 0.5)
    except ValueError:
        refused = True
    assert refused, f"{why} must raise a ValueError"
### BEGIN HIDDEN TESTS
good = [np.eye(2)[:1], np.eye(2)[1:]]
for films, words, tau in ((np.eye(2), good[:1], 0.5), (np.eye(2), good, 0.0), (np.eye(3), good, 0.5), (np.eye(2), [good[0], np.zeros((1, 2))], 0.5)):
    refused = False
    try:
        zero_shot(films, words, tau)
    except ValueError:
        refused = True
    assert refused, "one class only, temperature 0, another d, or a prompt of zeros must raise a ValueError"
### END HIDDEN TESTS

# %% [markdown]
# ### Zero-shot against a linear probe, and the word "no"
#
# For each finding the prompts are sentences as the reports write them, for both sides of the body and two degrees. A film's score is its cosine with the mean direction of the prompts, minus that with the mean direction of two normal impressions. Beside this ensemble stand three plain wordings one by one, such as "airspace opacity", and you see the worst and the best of them. The **linear probe** is the usual rival: logistic regression on the frozen film vectors, with a few labelled films. How many labels is a sentence worth? (The probe's band shows the 10th to 90th percentile over draws of labelled films, that of the prompts a bootstrap over test patients.)
#
# **Predict before you run.** First: does a probe need eight labels, or hundreds, to overtake the prompts? Second: we also search with two denials, by the cosine alone. "No pleural effusion" is how our reports put it, and "no evidence of pleural effusion" means the same to you. For both an AUC near 0 would be right, since films with an effusion should fit them worst. What do you expect from this encoder?

# %% tags=["demo"]
PROMPTS = {name: tuple(text.format(side=side, grade=grade) for text in STATED[name] for side in ("left", "right") for grade in ("patchy", "dense")) for name in FINDINGS}  # as reports state it
BARE = {
    "consolidation": ("consolidation in the lung", "airspace opacity", "infiltrate with air bronchograms"),
    "effusion": ("pleural effusion", "blunted costophrenic angle", "fluid at the base"),
    "cardiomegaly": ("enlarged heart", "cardiomegaly", "the cardiac silhouette is enlarged"),
    "nodule": ("nodule in the lung", "small rounded opacity", "pulmonary nodule"),
}
NAMED = {"consolidation": "consolidation", "effusion": "pleural effusion", "cardiomegaly": "cardiomegaly", "nodule": "pulmonary nodule"}
NORMAL = ("no acute abnormality", "normal chest")


def direction(texts: tuple[str, ...]) -> np.ndarray:
    """(d,) the mean direction of some texts, of length 1."""
    total = unit_rows(report_encoder, word_ids(list(texts))).sum(0)
    return total / np.linalg.norm(total)


def area(y: np.ndarray, score: np.ndarray) -> float:
    """AUC by ranks, as `roc_auc_score` gives it and several times as fast: it is called thousands of times."""
    ill = y == 1
    return float((rankdata(score)[ill].sum() - ill.sum() * (ill.sum() + 1) / 2) / (ill.sum() * (~ill).sum()))


def auc_interval(y: np.ndarray, score: np.ndarray, draws: int = 200) -> tuple[float, float, float]:
    """AUC with a 95 % bootstrap interval over patients."""
    rng, values = np.random.default_rng(SEED), []
    for _ in range(draws):
        few = rng.integers(0, len(y), len(y))
        values.append(area(y[few], score[few]))
    return area(y, score), *(float(end) for end in np.percentile(values, [2.5, 97.5]))


zero_board, usual = {}, direction(NORMAL)
for j, name in enumerate(FINDINGS):
    y = pair_test["findings"][:, j]
    bare = [area(y, film_vectors @ (direction((words,)) - usual)) for words in BARE[name]]
    mean, low, high = auc_interval(y, film_vectors @ (direction(PROMPTS[name]) - usual))
    denied = [auc_interval(y, film_vectors @ direction((f"{no} {NAMED[name]}",))) for no in ("no", "no evidence of")]
    zero_board[name] = {"worst bare words": min(bare), "best bare words": max(bare), "ensemble": mean, "low": low, "high": high, "'no'": denied[0][0], "'no evidence of'": denied[1][0], "its low": denied[1][1]}
zero_board = pd.DataFrame(zero_board).T
astray = [name for name in FINDINGS if zero_board.loc[name, "its low"] > 0.5]
print(f"'no evidence of' finds the films that HAVE the finding (interval above 0.5): {', '.join(astray) or 'none in this run'}")
zero_board.round(3)

# %% [markdown]
# Compare the worst bare wording with the best one: each is a fair name of the finding, and its words occur in the reports. But not in this form: "airspace opacity", for one, never stands there without a degree and a side, except in "no airspace opacity", and the encoder reads words together with their neighbours. Write a prompt as the training texts are written. Then read the columns on denials.
#
# "No pleural effusion" stands in many reports, and it works where the encoder sees the finding at all: films with an effusion fit it worst. "No evidence of" is how other hospitals write. This encoder has never met the word "evidence", and it looks at three words at a time, so that none of its windows holds both "no" and "effusion". Such a sentence still *names* the finding, and where the AUC lies above 0.5 it finds the films that *have* it. Which findings that happens to changes from
# run to run. Larger encoders read whole sentences, but they too have only learned how their own reports deny. So never build the negative class from a denial without testing it, finding by finding, in the words that your users write; or describe what is there instead ("normal chest").

# %% tags=["demo"]
train_vectors = unit_rows(film_encoder, torch.from_numpy(pair_train["image"]))
LABELS, PROBE_DRAWS = (8, 16, 32, 64, 128, 256, 512), run.pick(ci=8, laptop=20)


def probe(vectors: np.ndarray, y: np.ndarray, labels: int, seed: int) -> LogisticRegression:
    """Logistic regression on so many labelled films, at least two of each kind; its strength is the same for all numbers of labels."""
    rng = np.random.default_rng([seed, labels])
    while True:
        few = rng.permutation(len(y))[:labels]
        if 2 <= y[few].sum() <= labels - 2:
            return LogisticRegression(C=1.0, max_iter=500).fit(5 * vectors[few], y[few])


probe_board = {name: np.array([[area(pair_test["findings"][:, j], probe(train_vectors, pair_train["findings"][:, j], labels, draw).decision_function(5 * film_vectors)) for labels in LABELS] for draw in range(PROBE_DRAWS)]) for j, name in enumerate(FINDINGS)}

# %% tags=["demo"]
fig, axes = plt.subplots(1, 4, figsize=(11, 3.3), sharey=True, layout="constrained")
for ax, name in zip(axes, FINDINGS, strict=True):
    values, line = probe_board[name], zero_board.loc[name]
    ax.axhspan(line["low"], line["high"], color=show.PALETTE[1], alpha=0.2, linewidth=0)
    ax.axhline(line["ensemble"], color=show.PALETTE[1], linestyle="--", label="prompts, no label")
    ax.axhline(0.5, color="grey", linewidth=0.8, linestyle=":", label="guessing")
    ax.plot(LABELS, values.mean(0), color=show.PALETTE[0], marker="o", markersize=4, label="linear probe")
    ax.fill_between(LABELS, *np.percentile(values, [10, 90], axis=0), color=show.PALETTE[0], alpha=0.2, linewidth=0)
    ax.plot(LABELS[-1], line["'no'"], marker="v", markersize=9, color=show.PALETTE[2], markeredgecolor="black", linestyle="none", label="'no ...'")
    ax.plot(LABELS[-1], line["'no evidence of'"], marker="X", markersize=9, color=show.PALETTE[3], markeredgecolor="black", linestyle="none", label="'no evidence of ...'")
    ax.set(xscale="log", xticks=LABELS[::2], xticklabels=LABELS[::2])
    ax.minorticks_off()
    ax.set_title(name, loc="left")
    ax.set_xlabel("labelled films")
axes[0].set_ylabel("AUC, test films")
fig.legend(*axes[0].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=5)
show.figure(fig, alt="Four panels, one a finding. The linear probe's AUC rises with the number of labelled films; the zero-shot prompts are a dashed horizontal line with its interval. Two markers show the AUC of a search with a denial: as the reports deny, a triangle, near zero for the findings that the film shows well; in new words, a cross, far higher for some findings")
crossing = {name: next((labels for labels, mean in zip(LABELS, probe_board[name].mean(0), strict=True) if mean > zero_board.loc[name, "ensemble"]), None) for name in FINDINGS}
for name, labels in crossing.items():
    print(f"{name}: the probe overtakes the prompts " + (f"with {labels} labelled films" if labels else f"with none of up to {LABELS[-1]} labelled films"))
assert zero_board.loc[["consolidation", "effusion", "cardiomegaly"], "ensemble"].min() > 0.7, "prompts for large findings should work without a label"

# %% [markdown]
# ### What the pair does not learn
#
# Contrastive training keeps what *both* modalities know. What only the film shows helps nobody to find the report. In our cohort that is the patient's frailty, read from the thin chest wall; no report mentions it. So we ask a linear (ridge) regression for the two planted quantities that the film carries: the part that film and report share, and the film's own part. Beside our encoder stands the same network with random weights.

# %% tags=["demo"]
def random_encoder() -> FilmEncoder:
    """An encoder with random weights, whose batch statistics have seen the training films."""
    torch.manual_seed(SEED)
    encoder = FilmEncoder().train()
    with torch.no_grad():
        for _ in range(20):
            encoder(torch.from_numpy(pair_train["image"][:1000]))
    return encoder.eval()


def explained(train_x: np.ndarray, test_x: np.ndarray, part: str) -> float:
    """R^2 on test films of a ridge regression for a planted part of the log-odds, strength by leave-one-out."""
    column = SHARES.index(part)
    return RidgeCV(np.logspace(-3, 3, 13)).fit(train_x, pair_train["latent"][:, column]).score(test_x, pair_test["latent"][:, column])


untrained = random_encoder()
kept_parts = {}
for who, encoder in (("contrastive", film_encoder), ("random weights", untrained)):
    pair = [unit_rows(encoder, torch.from_numpy(people["image"])) for people in (pair_train, pair_test)]
    kept_parts[who] = {part: explained(*pair, part) for part in ("shared", "image")}
pair = [unit_rows(report_encoder, word_ids(people["report"])) for people in (pair_train, pair_test)]
kept_parts["contrastive, report"] = {part: explained(*pair, part) for part in ("shared", "report")}
pd.DataFrame(kept_parts).T.rename(columns={"shared": "R^2 of the shared part", "image": "of the film's own part", "report": "of the report's own part"}).round(2)

# %% [markdown]
# Compare the two upper rows. Training gained much for the shared part. For the film's own part compare with the random weights: what the pair is not paid for, it learns hardly better than filters that were never trained. (It is not gone, either: a linear readout finds much of it in both.) Before you fuse with embeddings from a model pre-trained on reports, ask whether your outcome depends on something that reports don't say.

# %% [markdown]
# ### Cross-modal translation: T2 from T1
#
# A translator $G$ predicts the image of one modality from that of another: CT from MR for planning, T2 from T1 to save minutes. It is trained on pairs, here of simulated heads: $\min_G E\,\lVert G(x^{T1}) - x^{T2} \rVert^2$, whose best answer is $E[x^{T2} \mid x^{T1}]$, a **mean** over all patients who would look like this in T1. Where T1 can't tell two tissues apart, the mean lies between them, weighted by how common each is *in the archive*. That is where
# hallucination comes from, and no loss on pairs removes it.
#
# White-matter lesions are the test. In our T1 they are nearly as dark as grey matter; in T2 they shine. We train the same small network twice: on an archive of healthy volunteers, and on an archive of patients who all have lesions. The trivial baselines are the T1 image itself (identity), a straight line from T1 to T2 values, and a free curve (a lookup table, the best that a method can do that looks at one pixel at a time). The network starts
# from that curve and learns what the neighbourhood adds.
#
# **Predict before you run.** Which archive makes the network erase lesions? Can the other one invent lesions in healthy people? And would the mean error over healthy heads tell you either?

# %% tags=["demo"]
def contrast_pairs(n: int, first: int, lesions: int) -> dict[str, np.ndarray]:
    """n simulated heads, (n, 64, 64): T1 with noise, T2 without, lesion and deep white matter. The same number without lesions is the same head."""
    from scipy import ndimage

    out = {"t1": [], "t2": [], "lesion": [], "head": [], "deep white": []}
    for number in range(first, first + n):
        shape = {"size": 64, "spacing": 3.2, "lesions": lesions, "seed": number}
        t1, t2 = simulate.brain_slice("t1", noise=0.02, **shape), simulate.brain_slice("t2", noise=0.0, **shape)
        deep = ndimage.binary_erosion((t2.tissue == 3) | (t2.tissue == 4))
        for name, value in zip(out, (t1.image, t2.image, t2.lesion, t2.tissue > 0, deep), strict=True):
            out[name].append(value)
    return {name: np.stack(values) for name, values in out.items()}


head_count = run.pick(ci=100, laptop=400)
archives = {"volunteers": contrast_pairs(head_count, 0, 0), "patients": contrast_pairs(head_count, 0, 12)}
unseen = {"healthy": contrast_pairs(run.pick(ci=40, laptop=120), 9000, 0), "ill": contrast_pairs(run.pick(ci=40, laptop=120), 9000, 12)}
GREY_BINS = np.linspace(0, 0.7, 36)


def lookup(archive: dict, x: np.ndarray) -> np.ndarray:
    """The archive's mean T2 value at each T1 value, read off for x."""
    cell, values = np.digitize(archive["t1"].ravel(), GREY_BINS), archive["t2"].ravel()
    means = np.bincount(cell, values, len(GREY_BINS) + 1) / np.maximum(np.bincount(cell, minlength=len(GREY_BINS) + 1), 1)
    return np.interp(x, np.r_[GREY_BINS[0], (GREY_BINS[1:] + GREY_BINS[:-1]) / 2, GREY_BINS[-1]], means).astype(np.float32)

# %% tags=["demo"]
class T2FromT1(nn.Module):
    """(B, 2, H, W) T1 and its lookup -> (B, 1, H, W): the lookup plus what four convolutions add."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(2, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 2, dilation=2), nn.ReLU(), nn.Conv2d(width, 1, 3, 1, 1))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 1:] + self.net(2 * x - 0.5) / 2


def fit_translator(archive: dict, seed: int, steps: int) -> T2FromT1:
    """Least squares on random pieces of 24 x 24 pixels."""
    torch.manual_seed(seed)
    net = T2FromT1()
    x = torch.from_numpy(np.stack([archive["t1"], lookup(archive, archive["t1"])], 1))
    y = torch.from_numpy(archive["t2"])[:, None]
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(steps):
        few, (row, col) = torch.randint(len(x), (8,)), torch.randint(2, 39, (2,)).tolist()
        loss = 4 * F.mse_loss(net(x[few, :, row : row + 24, col : col + 24]), y[few, :, row : row + 24, col : col + 24])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def translated(net: T2FromT1, archive: dict, x: np.ndarray) -> np.ndarray:
    """(n, H, W) T2 as the network draws it."""
    with torch.no_grad():
        return net(torch.from_numpy(np.stack([x, lookup(archive, x)], 1)))[:, 0].numpy()


translators = {name: fit_translator(archive, SEED, run.pick(ci=500, laptop=3000)) for name, archive in archives.items()}

# %% tags=["demo"]
inside = archives["volunteers"]["head"]
slope, offset = np.polyfit(archives["volunteers"]["t1"][inside], archives["volunteers"]["t2"][inside], 1)
draw_t2 = {"identity": lambda x: x, "straight line": lambda x: slope * x + offset, "lookup, volunteers": lambda x: lookup(archives["volunteers"], x), "lookup, patients": lambda x: lookup(archives["patients"], x)}
draw_t2 |= {f"network, {name}": lambda x, name=name: translated(translators[name], archives[name], x) for name in archives}
lesion, deep, head = unseen["ill"]["lesion"], unseen["healthy"]["deep white"], unseen["healthy"]["head"]
SHINES = float((unseen["healthy"]["t2"][deep].mean() + unseen["ill"]["t2"][lesion].mean()) / 2)  # halfway between white matter and lesion
drawn, translation_board = {}, {}
for name, how in draw_t2.items():
    ill, well = how(unseen["ill"]["t1"]), how(unseen["healthy"]["t1"])
    drawn[name] = ill, well
    error = [np.abs(a - t)[h].mean() for a, t, h in zip(well, unseen["healthy"]["t2"], head, strict=True)]
    kept = [(a - b)[m].mean() / (t - s)[m].mean() for a, b, t, s, m in zip(ill, well, unseen["ill"]["t2"], unseen["healthy"]["t2"], lesion, strict=True) if m.any()]
    middle, low, high = over_patients(np.array(kept))
    translation_board[name] = {"error in the head": np.mean(error), "error in lesions": np.abs(ill - unseen["ill"]["t2"])[lesion].mean(), "lesion contrast kept": middle, "low": low, "high": high, "lesion pixels that shine": (ill > SHINES)[lesion].mean(), "healthy: pixels too bright": np.mean([((a > t + 0.08) & h).sum() for a, t, h in zip(well, unseen["healthy"]["t2"], head, strict=True)])}
translation_board = pd.DataFrame(translation_board).T
assert translation_board.loc["network, volunteers", "error in the head"] < 0.85 * translation_board.loc["lookup, volunteers", "error in the head"], "the network should beat the best curve"
translation_board.round(3)

# %% tags=["demo"]
from matplotlib.patheffects import withStroke

sizes = [mask.sum() for mask in unseen["ill"]["lesion"]]
shown = int(np.argsort(sizes)[-3])
columns = ["lookup, volunteers", "network, volunteers", "network, patients"]
ring = ndimage.binary_dilation(unseen["ill"]["lesion"][shown])  # a pixel outside of the lesions, so that it hides none
fig, axes = plt.subplots(2, 5, figsize=(11, 4.7), layout="constrained")
for row, (who, which) in enumerate((("ill", 0), ("healthy", 1))):
    pictures = [unseen[who]["t1"][shown], unseen[who]["t2"][shown], *(drawn[name][which][shown] for name in columns)]
    for ax, picture, title in zip(axes[row], pictures, ["T1, given", "T2, the truth", *columns], strict=True):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=0.55)
        border = ax.contour(ring, levels=[0.5], colors=show.PALETTE[1], linewidths=1.1, linestyles="-" if who == "ill" else "--")
        border.set_path_effects([withStroke(linewidth=2.2, foreground="black")])
        ax.set(xticks=[], yticks=[])
        if row == 0:
            ax.set_title(title, fontsize=9)
    axes[row, 0].set_ylabel("with lesions" if who == "ill" else "the same head without")
show.figure(fig, alt="One head with lesions, in rings (upper row), and without, dashed rings where they would be (lower row): T1, true T2, and T2 as drawn by a lookup table and by a network trained on volunteers, which both leave the lesions grey, and by a network trained on patients, which makes them bright")

# %% [markdown]
# Two networks, the same code, the same number of heads. The one trained on volunteers has the smaller error over the head, and it erases disease: what it draws in a lesion is what *volunteers* have at that T1 value. The one trained on patients brings back much of the contrast, and pays for it in healthy people: its error over the head is larger, and the last column counts the pixels of a healthy head that it draws clearly too bright: far more than its twin does. In its archive a dark spot in T1 was often a lesion. Each gives the mean of its own archive. A mean error over healthy
# heads would have chosen the eraser.
#
# So a translated image is a guess about patients like those in the archive. Show it beside the acquired image, never instead of it; and before it is used, measure lesions that are there and lesions that are not. Cohen, Luck and Honari (MICCAI 2018) showed the same for unpaired translation.

# %% [markdown]
# **Checkpoint.** Your hospital trains image and report encoders on 100 000 pairs, and reports a recall@10 of 40 % and a zero-shot AUC of 0.9 for effusion, "the best of 25 prompts". What do you ask before you believe either figure?
#
# <details><summary>Answer</summary>For the recall: among how many candidates, what would chance reach, were equal reports counted as right, were ties counted against, and is no patient on both sides of the split? For the AUC: on which films were the 25 prompts compared? If on the test films, the test labels have chosen, and it is not zero-shot any more. Choose the prompt on validation or take an ensemble, show the interval, and try the negated sentence as well.</details>

# %% [markdown]
# ## 12.4 Challenge and clinical adoption
#
# On paper every patient has a film, a report and a table. At two in the morning there is a film, no report yet, and half of the blood values. What does the model say then, and does it know that it knows less? This section takes a multimodal model to the clinic's door: missing modalities, calibration, net benefit, subgroups, shortcuts, and the file that a regulator asks for.
#
# ### Missing modality
#
# Section 12.1 counted how quickly complete cases vanish, and that those who are left are sicker. What is missing is missing **for a reason**, so training on complete cases trains on other patients than those who come.
#
# Write $h_m \in \mathbb{R}^d$ for the embedding of modality $m$, and $r_m \in \{0, 1\}$ for whether it is present. There are three ways to go on without it:
#
# - **imputation of the mean**: put the training mean of $h_m$ in its place. It makes the unknown look normal and sure. Hand over the mark $r_m$ too, so that the model can tell a normal value from none;
# - **conditional imputation**: predict $h_m$ from the modalities that are there, $\hat h_m = E[h_m \mid \text{present}]$. It can only say again what the others said, but says it in the form that the model knows;
# - **modality dropout**: leave out modalities at random *in training*, so that the model has learned what to do. What it shall bear in use must happen in training (ModDrop: Neverova and others, 2016).
#
# A network for present modalities alone takes the mean over what is there, $\bar h = \sum_m r_m h_m / \sum_m r_m$. Divide by the number of those *present*: dividing by all makes the vector of a patient with one modality three times too short, and the network reads shortness as health or as illness.

# %% [markdown]
# ### Exercise 12.4a - modality dropout
#
# Difficulty 3 of 5 - 5 points - about 20 minutes - *after it you can train one model for every pattern of missing modalities*
#
# Write `drop_modalities(present, rate, seed)`. Each modality that a patient has is dropped with the probability `rate`, independently of the others and of other patients. What a patient hasn't got can't come back. And nobody may end with nothing: if all of a patient's modalities would be dropped, keep one of them, each with the same chance.
#
# <details><summary>Hint 1: the idea</summary>One coin for each patient and modality. Then look for rows that are empty, and give each one back: a random one of those that the patient had.</details>
# <details><summary>Hint 2: what to call</summary><code>rng = np.random.default_rng(seed)</code>, <code>rng.random(present.shape)</code>; for the rescue the largest of random numbers, with -1 where nothing was present: <code>argmax(1)</code>.</details>
# <details><summary>All patients of my batch lose the same modality</summary>You draw one coin for the batch. Draw an (N, M) table of coins.</details>
# <details><summary>At a high rate almost only the image is left</summary>The first True of a row is always the same modality: draw the one that is kept.</details>

# %% nbgrader={"grade": false, "grade_id": "drop-modalities", "locked": false, "schema_version": 3, "solution": true, "task": false}
def drop_modalities(present: np.ndarray, rate: float, seed: int) -> np.ndarray:
    """Random mask of the modalities that training may see.

    Args:
        present: (N, M) bool, whether patient n has modality m; left as it is.
        rate: probability that a present modality is dropped, from 0 to below 1.
        seed: of the random numbers; the same seed gives the same mask.

    Returns:
        (N, M) bool: a subset of `present` with at least one True in each row.

    Raises:
        ValueError: a patient has no modality at all, or rate is not from 0 to below 1 (nan included).
    """
    ### BEGIN SOLUTION
    present = np.asarray(present, dtype=bool)
    if not 0 <= rate < 1:
        raise ValueError(f"rate must be from 0 to below 1, not {rate}")
    if not present.any(axis=1).all():
        raise ValueError("a patient has no modality at all: nothing can be kept")
    rng = np.random.default_rng(seed)
    kept = present & (rng.random(present.shape) >= rate)
    lot = np.where(present, rng.random(present.shape), -1.0).argmax(axis=1)
    empty = ~kept.any(axis=1)
    kept[empty, lot[empty]] = True
    return kept
    ### END SOLUTION

# %% tags=["given"]
def mask_afterwards(present, rate: float, seed: int) -> np.ndarray:
    """What the caller's table looks like after your function has used it."""
    table = np.array(present, dtype=bool)
    drop_modalities(table, rate, seed)
    return table

# %% nbgrader={"grade": true, "grade_id": "drop-modalities-rate", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# 6000 patients with three modalities, rate 0.3: each is kept in 70 % and, since the last one is rescued, in 0.3^3 / 3 = 0.9 % more
kept = np.asarray(drop_modalities(np.ones((6000, 3), bool), 0.3, 7))
assert kept.shape == (6000, 3) and kept.dtype == bool, f"return a bool mask of shape (6000, 3), not {kept.dtype} of shape {kept.shape}"
share = kept.mean(0)
assert not (share < 0.5).any(), f"kept in {share.round(2)}: rate is the probability of being dropped, not of being kept"
assert kept.any(1).mean() > 0.5 and len(np.unique(kept, axis=0)) > 2, "all patients lose the same modalities: draw a coin for each patient and modality"
assert np.abs(share - 0.709).max() < 0.03, f"each modality should be kept in about 71 % of patients, not {share.round(3)}"
assert abs(kept.all(1).mean() - 0.343) < 0.03, f"all three are kept in {kept.all(1).mean():.0%} of patients; with independent coins it is 0.7^3 = 34 %"
### BEGIN HIDDEN TESTS
for rate, m in ((0.5, 2), (0.1, 4)):
    kept = np.asarray(drop_modalities(np.ones((6000, m), bool), rate, 8))
    assert np.abs(kept.mean(0) - (1 - rate + rate**m / m)).max() < 0.03, f"at rate {rate} with {m} modalities the shares are off"
    assert abs(kept.all(1).mean() - (1 - rate) ** m) < 0.03, f"at rate {rate} with {m} modalities the coins are not independent"
assert np.asarray(drop_modalities(np.ones((50, 3), bool), 0.0, 8)).all(), "at rate 0 nothing is dropped"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "drop-modalities-rescue", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Rate 0.9: most patients would lose everything. One is kept, and each with the same chance
kept = np.asarray(drop_modalities(np.ones((6000, 3), bool), 0.9, 9))
assert kept.any(1).all(), f"{(~kept.any(1)).sum()} of 6000 patients have nothing left: keep one modality"
assert (kept.sum(1) == 1).mean() > 0.9, "at rate 0.9 nearly every patient keeps exactly one (0.729 + 0.243 = 97 %): don't give back all of them"
share = kept.mean(0)
assert share.max() - share.min() < 0.05, f"kept in {share.round(2)}: the one that is given back must be drawn, not always the same one"
### BEGIN HIDDEN TESTS
had = np.zeros((6000, 4), bool)
had[:, [1, 3]] = True
kept = np.asarray(drop_modalities(had, 0.95, 10))
assert kept.any(1).all(), "with two of four modalities present a patient still needs one left"
assert abs(kept[:, 1].mean() - kept[:, 3].mean()) < 0.05, "of the two that were present each must be kept with the same chance"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "drop-modalities-absent", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What a patient hasn't got can't come back, least of all as the one that is kept
had = np.tile(np.array([[False, True, True], [False, False, True]]), (500, 1))
kept = np.asarray(drop_modalities(had, 0.8, 11))
assert not (kept & ~had).any(), f"{(kept & ~had).sum()} modalities came back that the patients never had"
assert kept.any(1).all() and kept[1::2, 2].all(), "a patient with one modality keeps it"
### BEGIN HIDDEN TESTS
had = np.random.default_rng(1).random((2000, 5)) < 0.4
had[~had.any(1), 2] = True
kept = np.asarray(drop_modalities(had, 0.7, 12))
assert not (kept & ~had).any() and kept.any(1).all(), "with random gaps: only what was there may be kept, and something must be"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "drop-modalities-seed", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The same seed gives the same mask, another seed another one. (Is the caller's table left alone? The hidden part looks, through a given function)
had = np.ones((200, 3), bool)
first, again, other = (np.asarray(drop_modalities(had.copy(), 0.4, seed)) for seed in (3, 3, 4))
assert (first == again).all(), "the same seed must give the same mask: make a generator from it"
assert (first != other).any(), "another seed must give another mask: in training every step needs one"
### BEGIN HIDDEN TESTS
after = mask_afterwards(had.copy(), 0.4, 5)
assert np.asarray(after).all(), "the caller's `present` was changed: next epoch those modalities would be gone for good"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "drop-modalities-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: a patient without anything; a rate of 1
assert np.shape(drop_modalities(np.eye(3, dtype=bool), 0.5, 0)) == (3, 3), "good input should still give a mask"
for had, rate, why in ((np.array([[True, False], [False, False]]), 0.2, "a patient without any modality"), (np.ones((2, 2), bool), 1.0, "rate 1")):
    refused = False
    try:
        drop_modalities(had, rate, 0)
    except ValueError:
        refused = True
    assert refused, f"{why} must raise a ValueError"
### BEGIN HIDDEN TESTS
for rate in (-0.1, float("nan"), 1.5):
    refused = False
    try:
        drop_modalities(np.ones((2, 2), bool), rate, 0)
    except ValueError:
        refused = True
    assert refused, f"rate {rate} must raise a ValueError"
### END HIDDEN TESTS

# %% [markdown]
# ### Without the report, without the blood values
#
# We train encoders for all three modalities together with a small head, on the outcome (intensive care or death within seven days). The head sees the three embeddings and the three marks $r_m$. It is trained twice: on complete patients, where every mark is 1, and with modality dropout (rate 0.4), where it sees zeros with a mark of 0. At test time we take modalities away from **everybody**, pattern by pattern.
#
# The network that knows complete patients only can get, for what is missing: a **blank input** (a black film, an empty report, an empty table, sent through the encoder as if nothing had happened); zeros with the honest **mark** of 0, which it has never seen; the training **mean** of the embedding; or a **prediction** of the embedding from the rest (ridge regression). Beside them, its embeddings are frozen and a logistic regression is *refitted for each pattern*: what did the encoders learn, whatever the head does with it?
#
# **Predict before you run.** Which of these will rank patients worst, and which will give the worst probabilities? Need that be the same one? And what does modality dropout cost when nothing is missing?

# %% tags=["demo"]
def table_values(table: np.ndarray, known: np.ndarray) -> torch.Tensor:
    """(n, 16): values in standard deviations of the training table `known`, 0 where missing, and a mark for each missing one."""
    z = (table - np.nanmean(known, 0)) / np.nanstd(known, 0)
    return torch.from_numpy(np.concatenate([np.nan_to_num(z), np.isnan(z)], axis=1).astype(np.float32))


def views(people: dict) -> list[torch.Tensor]:
    """Film, report and table of a cohort, as the encoders take them."""
    return [torch.from_numpy(people["image"]), word_ids(people["report"]), table_values(people["table"], pair_train["table"])]


sights = {who: views(people) for who, people in (("train", pair_train), ("val", pair_val), ("test", pair_test))}
blank = views({"image": np.zeros((1, 1, 32, 32), np.float32), "report": [""], "table": np.full((1, 8), np.nan, np.float32)})

# %% tags=["demo"]
class MarkedJoint(nn.Module):
    """Film, report and table (each of B patients) and marks (B, 3) of what is present -> (B, 1) logits; what is absent enters as zeros, and the mark says so."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders = nn.ModuleList([FilmEncoder(), ReportEncoder(), nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32))])
        self.head = nn.Sequential(nn.Linear(3 * 32 + 3, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))

    def embed(self, x: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack([encoder(one) for encoder, one in zip(self.encoders, x, strict=True)], dim=1)

    def decide(self, h: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([(h * present[..., None]).flatten(1), present], dim=1))[:, 0]

# %% tags=["demo"]
def fit_joint(seed: int, rate: float, epochs: int = 6, batch: int = 128) -> MarkedJoint:
    """All encoders and the head together, with modality dropout of this rate; a patient always keeps one modality."""
    torch.manual_seed(seed)
    rng, model, x, y = np.random.default_rng(seed), MarkedJoint(), sights["train"], torch.from_numpy(pair_train["y"]).float()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * (len(y) // batch))
    for _ in range(epochs):
        for few in torch.randperm(len(y))[: len(y) // batch * batch].view(-1, batch):
            coins = rng.random((batch, 3))
            lost = (coins < rate) & (coins < coins.max(1, keepdims=True))  # the luckiest coin of a patient always stays
            shift = tuple(torch.randint(-2, 3, (2,)).tolist())
            h = model.embed([x[0][few].roll(shift, (2, 3)), x[1][few], x[2][few]])
            loss = F.binary_cross_entropy_with_logits(model.decide(h, torch.from_numpy(~lost).float()), y[few])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()

# %% tags=["demo"]
PATTERNS = {"all three": (1, 1, 1), "no film": (0, 1, 1), "no report": (1, 0, 1), "no table": (1, 1, 0), "film alone": (1, 0, 0), "report alone": (0, 1, 0), "table alone": (0, 0, 1)}
HOW = ("complete, blank input", "complete, mark", "complete, mean", "complete, predicted", "modality dropout", "refitted for the pattern")


def filled(train_h: torch.Tensor, h: torch.Tensor, pattern: tuple) -> torch.Tensor:
    """The missing embeddings predicted from the present ones by ridge regression on the training patients."""
    here, gone = [m for m in range(3) if pattern[m]], [m for m in range(3) if not pattern[m]]
    out = h.clone()
    if gone:
        model = Ridge(10.0).fit(train_h[:, here].flatten(1), train_h[:, gone].flatten(1))
        out[:, gone] = torch.from_numpy(model.predict(h[:, here].flatten(1)).astype(np.float32)).view(len(h), len(gone), 32)
    return out


def answers(complete: MarkedJoint, dropped: MarkedJoint, embedded: tuple, name: str) -> dict[str, np.ndarray]:
    """(n,) logits of the test patients by every way to live with one pattern of missing modalities."""
    train_h, h, empty, own_h = embedded
    mark, everything = torch.tensor(PATTERNS[name]).float().expand(len(h), 3), torch.ones(len(h), 3)
    here = [m for m in range(3) if PATTERNS[name][m]]
    scale = train_h[:, here].flatten(1).std(0) + 0.1
    refitted = LogisticRegression(C=0.01, max_iter=300).fit(train_h[:, here].flatten(1) / scale, pair_train["y"])
    with torch.no_grad():
        fills = [torch.where(mark[..., None] > 0, h, other) for other in (empty, train_h.mean(0))]
        said = [complete.decide(fills[0], everything), complete.decide(h, mark), complete.decide(fills[1], everything), complete.decide(filled(train_h, h, PATTERNS[name]), everything), dropped.decide(own_h, mark)]
    return dict(zip(HOW, [*(one.numpy() for one in said), refitted.decision_function(h[:, here].flatten(1) / scale)], strict=True))

# %% tags=["demo"]
logits, film_validation = {how: {name: [] for name in PATTERNS} for how in HOW}, []
for seed in range(SEED, SEED + run.pick(ci=3, laptop=6)):
    complete, dropped = fit_joint(seed, 0.0), fit_joint(seed, 0.4)
    with torch.no_grad():
        embedded = *(complete.embed(x) for x in (sights["train"], sights["test"], blank)), dropped.embed(sights["test"])
        film_validation.append(dropped.decide(dropped.embed(sights["val"]), torch.tensor([[1.0, 0.0, 0.0]]).expand(len(pair_val["y"]), 3)).numpy())
    for name in PATTERNS:
        for how, said in answers(complete, dropped, embedded, name).items():
            logits[how][name].append(said)
outcome, people_rng = pair_test["y"], np.random.default_rng(SEED + 1340)
redrawn = [people_rng.integers(0, len(outcome), len(outcome)) for _ in range(200)]


def mean_auc(said: list[np.ndarray], few: np.ndarray | slice = slice(None)) -> float:
    """AUC on some test patients, mean over seeds."""
    return float(np.mean([area(outcome[few], one[few]) for one in said]))


missing_board = pd.DataFrame({how: {name: mean_auc(said) for name, said in logits[how].items()} for how in HOW})
gain, ends = {}, {}
for name in list(PATTERNS)[1:] + ["all three"]:
    paired = [mean_auc(logits["modality dropout"][name], few) - mean_auc(logits["complete, mean"][name], few) for few in redrawn[:100]]
    ends[name] = np.percentile([mean_auc(logits["modality dropout"][name], few) for few in redrawn], [2.5, 97.5])
    gain[name] = missing_board.loc[name, "modality dropout"] - missing_board.loc[name, "complete, mean"], *np.percentile(paired, [2.5, 97.5])
missing_board.round(3)

# %% tags=["demo"]
latent = dict(zip(SHARES, pair_test["latent"].T, strict=True))
reads = {"film": ("image", "shared"), "report": ("report", "shared"), "table": ("table", "interaction")}
planted_bound = {}
for name, pattern in PATTERNS.items():
    parts = {part for modality, there in zip(reads, pattern, strict=True) if there for part in reads[modality]}
    planted_bound[name] = area(outcome, sum(latent[part] for part in parts))
fig, ax = plt.subplots(figsize=(8.5, 3.6), layout="constrained")
for i, (how, marker) in enumerate(zip(HOW, "XPs^oD", strict=True)):
    ax.plot(np.arange(len(PATTERNS)) + 0.11 * (i - 2.5), missing_board[how], marker, color=show.PALETTE[i], markersize=7, label=how)
places = np.arange(len(PATTERNS))
ax.hlines([planted_bound[name] for name in PATTERNS], places - 0.25, places + 0.25, color="black", linewidth=1.5, label="what is planted in these modalities")
ax.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
ax.set_xticks(range(len(PATTERNS)), PATTERNS)
ax.set_ylabel("AUC, test patients")
ax.legend(fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0, 0.06))  # clear of the dotted line of guessing
show.figure(fig, alt="For each pattern of present modalities the AUC of six ways to live with what is missing, beside a black line: the AUC of the planted log-odds of these modalities")
for name, (middle, low, high) in gain.items():
    print(f"{name:13s} modality dropout minus mean imputation: {middle:+.3f} [{low:+.3f}, {high:+.3f}]")
lactate = np.isnan(pair_test["table"][:, 6])
complete_cases = ~np.isnan(pair_test["table"]).any(1)
print(f"Whether lactate was measured, by itself: AUC {area(outcome, ~lactate):.3f}. Outcome in complete tables {outcome[complete_cases].mean():.0%}, in all {outcome.mean():.0%}")
assert missing_board.loc["all three", "modality dropout"] > missing_board.loc[["film alone", "report alone", "table alone"], "modality dropout"].max(), "three modalities should rank better than one"

# %% [markdown]
# Read the table by rows, and the paired intervals before the third decimal. The black lines are what the simulation planted: the log-odds that these modalities carry, without the noise of films, words and blood tests.
#
# By AUC the differences are small. Modality dropout and the predicted embedding help a little where the film has to do without the report. Elsewhere, and with everything present, modality dropout gains nothing and may cost a little: look whether the intervals exclude 0. The reason for so little is planted: in this simulation the parts of the log-odds *add up*, so a missing one that is set to anything constant disturbs the order little. (Where modalities interact, as at the end of section 12.2, don't expect that.) Even a black film does no harm, it seems. But AUC is a ranking. Adding the same number to every patient's logit changes no AUC, and it changes every probability and every decision.
#
# The last printed line is a warning. A blank lactate ranks patients by itself, because blood gas is taken from those who look ill. Filling in the mean throws that away; leaving out incomplete patients changes who is studied. A mark for "missing" keeps it, as long as the next hospital asks for lactate by the same habit.
#
# ### Does it know that it knows less?
#
# A model with fewer modalities should be less sure: its probabilities should stay nearer to the prevalence, and be right. The **expected calibration error** compares, within bins of equal size, the mean probability with the share of patients who had the outcome, $\mathrm{ECE} = \sum_b \frac{n_b}{n}\, |\bar p_b - \bar y_b|$ (Guo and others, ICML 2017, with bins of equal width). Even a perfectly calibrated model has an ECE above 0 on a finite test set, so beside it stands the ECE of outcomes that are drawn from the
# model's own probabilities.

# %% tags=["demo"]
def ece(p: np.ndarray, y: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over bins with equal numbers of patients."""
    return float(sum(len(few) / len(p) * abs(p[few].mean() - y[few].mean()) for few in np.array_split(np.argsort(p), bins)))


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


calibration_board = {}
for name in PATTERNS:
    row, rng = {}, np.random.default_rng(SEED)
    for how in HOW[:5]:
        row[how] = np.mean([ece(sigmoid(z), outcome) for z in logits[how][name]])
    p = sigmoid(logits["modality dropout"][name][0])
    row["if perfect"] = np.mean([ece(p, rng.random(len(p)) < p) for _ in range(50)])
    row["spread of p, mean"] = np.mean([sigmoid(z).std() for z in logits["complete, mean"][name]])
    row["spread of p, dropout"] = np.mean([sigmoid(z).std() for z in logits["modality dropout"][name]])
    calibration_board[name] = row
calibration_board = pd.DataFrame(calibration_board).T
calibration_board.round(3)

# %% [markdown]
# Here is the damage that AUC didn't show. The network is as sure of a black film as of any other, and reads something in it: all its probabilities move together, the order stays, and the probabilities are wrong by the figure in the first column. A mark that it has never seen moves them, too. The mean of the embedding, its prediction, and modality dropout stay nearer to what a perfect model would show, by far in some patterns and by little in others, and they become less sure with less to see, as the smaller spread of $p$ says. So what counts is that the gap is filled by something that was thought about: never send a blank input through an encoder that was
# trained on complete patients. Of the three good ways, modality dropout is the only one whose *training* has met gaps, so it can also learn from patients who have some; the other two fill in after training on complete patients, and the prediction needs a second model.

# %% tags=["demo"]
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
for ax, name in zip(axes, ("all three", "film alone", "table alone"), strict=True):
    for how, colour, marker in (("complete, blank input", show.PALETTE[1], "s"), ("modality dropout", show.PALETTE[0], "o")):
        p = np.concatenate([sigmoid(z) for z in logits[how][name]])
        y = np.tile(outcome, len(logits[how][name]))
        parts = np.array_split(np.argsort(p), 8)
        ax.plot([p[few].mean() for few in parts], [y[few].mean() for few in parts], marker=marker, color=colour, label=how)
    ax.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    ax.set_title(name, loc="left")
    ax.set_xlabel("probability said")
axes[0].set_ylabel("share with the outcome")
axes[0].legend(fontsize=8)
show.figure(fig, alt="Reliability curves with all three modalities, with the film alone and with the table alone, beside the diagonal: with the table alone blank inputs drive the network trained on complete patients far off it, modality dropout stays nearer")

# %% [markdown]
# ### Is it worth acting on? Net benefit
#
# AUC doesn't know what a decision costs. A clinician who treats from a probability of $t$ on says with it: one missed patient is as bad as $(1 - t)/t$ needless treatments. At $t = 0.1$ that is nine. **Net benefit** (Vickers and Elkin, 2006) counts in these units, per patient. With $n$ patients, treated if $p \ge t$,
#
# $$\mathrm{NB}(t) = \frac{\mathrm{TP}}{n} - \frac{\mathrm{FP}}{n} \cdot \frac{t}{1 - t}$$
#
# The weight is the **odds** of the threshold. Two policies need no model. Treat nobody: 0. Treat everybody: with the prevalence $\pi$ it is $\pi - (1 - \pi)\, t/(1 - t)$, which crosses 0 at $t = \pi$. A model that falls below either line at a clinic's threshold does harm there, whatever its AUC. It happens when probabilities are badly calibrated. The curve over the thresholds that clinicians
# really use is the **decision curve**.

# %% [markdown]
# ### Exercise 12.4b - decision curve
#
# Difficulty 2 of 5 - 4 points - about 15 minutes - *after it you can say at which thresholds a model does better than treating everybody or nobody*
#
# Write `decision_curve(p, y, thresholds)`.
#
# <details><summary>Hint 1: the idea</summary>For each threshold: who is treated, how many of them are ill, how many not? Treating everybody is the same formula with everyone treated.</details>
# <details><summary>Hint 2: what to call</summary><code>treated = p[None] >= t[:, None]</code>; sums over patients; <code>t / (1 - t)</code>.</details>
# <details><summary>My curve never falls below 0</summary>Is a false positive weighed, and taken off?</details>
# <details><summary>My treat-all line is flat</summary>That is the prevalence. The healthy who are treated cost odds(t) each.</details>

# %% nbgrader={"grade": false, "grade_id": "decision-curve", "locked": false, "schema_version": 3, "solution": true, "task": false}
def decision_curve(p: np.ndarray, y: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """Net benefit of a model and of the two policies without one.

    Args:
        p: (n,) probabilities, from 0 to 1; a patient is treated if p is at least the threshold.
        y: (n,) outcomes, 0 or 1.
        thresholds: (T,) threshold probabilities, each above 0 and below 1.

    Returns:
        "model", "all" and "none": (T,) net benefit per patient.

    Raises:
        ValueError: p and y differ in length or are empty, a probability is nan or outside 0 to 1, or a threshold outside (0, 1).
    """
    ### BEGIN SOLUTION
    p, y, t = np.asarray(p, dtype=float), np.asarray(y), np.asarray(thresholds, dtype=float)
    if len(p) != len(y) or len(p) == 0:
        raise ValueError(f"{len(p)} probabilities for {len(y)} outcomes")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p must hold probabilities, from 0 to 1: are these logits?")
    if not ((t > 0) & (t < 1)).all():
        raise ValueError("thresholds must lie between 0 and 1")
    odds = t / (1 - t)
    treated = p[None] >= t[:, None]
    model = (treated & (y == 1)).mean(axis=1) - (treated & (y == 0)).mean(axis=1) * odds
    everybody = (y == 1).mean() - (y == 0).mean() * odds
    return {"model": model, "all": everybody, "none": np.zeros(len(t))}
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "decision-curve-model", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# By hand: ten patients, four ill. From 0.25 on 3 ill and 2 healthy are treated: 0.3 - 0.2 x (1/3); from 0.6 on 2 ill and 1 healthy: 0.2 - 0.1 x 1.5
p = np.array([0.9, 0.7, 0.3, 0.1, 0.8, 0.25, 0.2, 0.1, 0.05, 0.0])
y = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
curve = decision_curve(p.copy(), y.copy(), np.array([0.25, 0.6]))
assert isinstance(curve, dict) and set(curve) >= {"model", "all", "none"}, "return a dictionary with model, all and none"
model = np.asarray(curve["model"])
assert model.shape == (2,), f"one net benefit for each threshold: expected shape (2,), got {model.shape}"
assert not np.allclose(model, [0.1, 0.1]), "a false positive weighs the odds of the threshold, t / (1 - t), not 1"
assert not np.allclose(model, [0.3 - 0.2 * 0.25, 0.2 - 0.1 * 0.6]), "a false positive weighs the odds t / (1 - t), not t"
assert not np.allclose(model, [0.3 - 0.2 * 3, 0.2 - 0.1 / 1.5]), "these are the odds upside down: t / (1 - t)"
assert not np.allclose(model, [(3 - 2 / 3) / 5, (2 - 1.5) / 3]), "divide by all patients, not by the treated ones"
assert not np.isclose(model[0], 0.3 - 0.1 / 3), "the patient with exactly 0.25 is treated at 0.25: at least, not above"
assert np.allclose(model, [0.3 - 0.2 / 3, 0.2 - 0.1 * 1.5]), f"expected 0.2333 and 0.05, got {model.round(4).tolist()}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1260)
for n in (7, 60):
    p, y, t = rng.random(n).round(2), rng.integers(0, 2, n), np.array([0.3, 0.05, 0.91, 0.5])
    truth = [sum((1 if y[i] else -s / (1 - s)) for i in range(n) if p[i] >= s) / n for s in t]
    assert np.allclose(decision_curve(p, y, t)["model"], truth), f"for {n} random patients the model's net benefit is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "decision-curve-policies", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The two policies: treating everybody crosses 0 where the threshold is the prevalence; treating nobody is 0 everywhere
y = np.array([1, 0, 0, 0, 1, 0, 0, 0, 0, 0])
t = np.array([0.1, 0.2, 0.5])
curve = decision_curve(np.full(10, 0.3), y, t)
assert np.allclose(curve["none"], 0) and np.shape(curve["none"]) == (3,), "treating nobody has a net benefit of 0 at every threshold, as an array of shape (3,)"
everybody = np.asarray(curve["all"])
assert not np.allclose(everybody, 0.2), "that is the prevalence: the healthy who are treated cost the odds of the threshold each"
assert np.allclose(everybody, [0.2 - 0.8 / 9, 0, 0.2 - 0.8]), f"treating everybody: expected {0.2 - 0.8 / 9:.4f}, 0, -0.6, got {everybody.round(4).tolist()}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1261)
p, y, t = rng.random(40), rng.integers(0, 2, 40), np.array([0.02, 0.4, 0.77])
curve = decision_curve(p, y, t)
assert np.allclose(curve["all"], y.mean() - (1 - y.mean()) * t / (1 - t)), "the treat-all line is off"
assert np.allclose(decision_curve(np.ones(40), y, t)["model"], curve["all"]), "a model that says 1 for everyone is treating everybody"
assert np.allclose(curve["none"], 0), "treating nobody has a net benefit of 0"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "decision-curve-limits", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Limits: a perfect model gains the prevalence at every threshold, nothing gains more; a model that says 0 for everyone is treating nobody
y = np.array([1, 1, 0, 0, 0])
t = np.array([0.05, 0.5, 0.95])
perfect = np.asarray(decision_curve(y.astype(float), y, t)["model"])
assert np.allclose(perfect, 0.4), f"a perfect model's net benefit is the prevalence, 0.4, not {perfect.round(3).tolist()}"
assert np.allclose(decision_curve(np.zeros(5), y, t)["model"], 0), "a model that says 0 for everyone treats nobody: 0"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1262)
p, y, t = rng.random(50), rng.integers(0, 2, 50), np.linspace(0.05, 0.95, 10)
first = np.asarray(decision_curve(p, y, t)["model"])
assert (first <= y.mean() + 1e-9).all(), "no model can gain more than the prevalence"
assert np.allclose(decision_curve(np.tile(p, 3), np.tile(y, 3), t)["model"], first), "three copies of the cohort must give the same net benefit: it is per patient"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "decision-curve-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: logits instead of probabilities, a threshold of 1 (infinite odds)
assert np.shape(decision_curve(np.array([0.2, 0.8]), np.array([0, 1]), np.array([0.5]))["model"]) == (1,), "good input should still give a curve"
for p, t, why in ((np.array([-2.0, 3.0]), 0.5, "logits"), (np.array([0.2, 0.8]), 1.0, "a threshold of 1")):
    refused = False
    try:
        decision_curve(p, np.array([0, 1]), np.array([t]))
    except ValueError:
        refused = True
    assert refused, f"{why} must raise a ValueError"
### BEGIN HIDDEN TESTS
for p, y, t in ((np.array([0.2, 0.8]), np.array([0, 1, 1]), 0.5), (np.array([0.2, 0.8]), np.array([0, 1]), 0.0), (np.array([0.2, np.nan]), np.array([0, 1]), 0.5)):
    refused = False
    try:
        decision_curve(p, y, np.array([t]))
    except ValueError:
        refused = True
    assert refused, "lengths that differ, a threshold of 0 or a nan must raise a ValueError"
### END HIDDEN TESTS

# %% [markdown]
# **Predict before you run.** The film model and the model with all three modalities differ in AUC. At which thresholds will that make a difference to patients: where a clinic treats nearly everybody, where it treats hardly anybody, or in between?

# %% tags=["demo"]
STEPS = np.linspace(0.02, 0.8, 40)


def benefit(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(40,) net benefit at STEPS, from sorted probabilities: those above a threshold are treated."""
    order = np.argsort(p)
    above = len(p) - np.searchsorted(p[order], STEPS)
    ill = np.r_[0, np.cumsum(y[order][::-1])][above]
    return (ill - (above - ill) * STEPS / (1 - STEPS)) / len(p)


said_p = {"film, report and table": sigmoid(np.mean(logits["modality dropout"]["all three"], 0)), "film alone": sigmoid(np.mean(logits["modality dropout"]["film alone"], 0)), "table alone": sigmoid(np.mean(logits["modality dropout"]["table alone"], 0))}
curves = {name: benefit(p, outcome) for name, p in said_p.items()}
treat_all = benefit(np.ones(len(outcome)), outcome)
spread = {name: np.percentile([benefit(p[few], outcome[few]) for few in redrawn], [2.5, 97.5], axis=0) for name, p in said_p.items()}


def draw_benefit(threshold: float = 0.2):
    """Decision curves, with the counts at one threshold."""
    fig, ax = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
    for (name, curve), colour, style in zip(curves.items(), show.PALETTE, ("-", "--", "-."), strict=False):
        ax.plot(STEPS, curve, color=colour, linestyle=style, label=name)
        ax.fill_between(STEPS, *spread[name], color=colour, alpha=0.12, linewidth=0)
    ax.plot(STEPS, treat_all, color="black", linewidth=1, label="treat everybody")
    ax.axhline(0, color="black", linewidth=1, linestyle=":", label="treat nobody")
    ax.axvline(threshold, color="grey", linewidth=0.8)
    p = said_p["film, report and table"]
    treated = p >= threshold
    ax.set_title(f"at {threshold:.2f}: {treated.sum()} of {len(p)} treated, {outcome[treated].sum()} of {outcome.sum()} with the outcome among them", loc="left", fontsize=9)
    ax.set_ylim(-0.08, outcome.mean() + 0.03)
    ax.set_xlabel("threshold probability t")
    ax.set_ylabel("net benefit per patient")
    ax.legend(fontsize=8)
    return fig


show.explore(draw_benefit, alt="Decision curves of three models against treating everybody and treating nobody, with bootstrap bands; the model of all three modalities lies highest in the middle range of thresholds", threshold=(0.05, 0.75, 0.05))
for t in (0.1, 0.2, 0.4):
    at = int(np.abs(STEPS - t).argmin())
    print(f"threshold {STEPS[at]:.2f}: " + ", ".join(f"{name} {curve[at]:.3f} [{spread[name][0][at]:.3f}, {spread[name][1][at]:.3f}]" for name, curve in curves.items()) + f", treat everybody {treat_all[at]:.3f}")

# %% [markdown]
# Read a difference in patients: 0.02 more net benefit at a threshold of 0.2 is worth two more patients with the outcome treated among a hundred, with no more needless treatments. At the lowest thresholds all curves run along "treat everybody": whoever would treat at the slightest suspicion needs no model. The interval decides whether a difference between two models is one.

# %% [markdown]
# ### For whom does it work? Subgroup gaps
#
# A mean over all patients can hide a group. Seyyed-Kalantari and others (Nature Medicine, 2021) measured that film models miss disease more often in under-served groups. The figure to look at is a difference of **sensitivities**: among those who *are* ill, how many are found in each group? And it needs an interval, for a small group's figure is mostly chance. Two mistakes are common, and both make a gap look surer than it is:
#
# - a gap of 20 points among 12 sick patients is called unfair, or a gap of 3 points is called fair, without an interval;
# - patients who were filmed six times are counted as six people. Their images agree with each other, so the interval comes out too narrow. The unit that was sampled is the **patient**, so patients are drawn anew.
#
# For one image a patient the bootstrap has a textbook twin to check it by. With sensitivities $p_1$, $p_2$ among $n_1$, $n_2$ sick people the 95 % interval is $(p_1 - p_2) \pm 1.96 \sqrt{p_1(1-p_1)/n_1 + p_2(1-p_2)/n_2}$: the **variances** add, not the standard errors.
#
# Absence of proof is no proof of absence: "no significant gap" in 15 patients is a reason to collect more of them.

# %% [markdown]
# ### Exercise 12.4c - a subgroup gap with its interval
#
# Difficulty 4 of 5 - 5 points - about 25 minutes - *after it you can report a gap that a reviewer can't take apart*
#
# Write `sensitivity_gap(p, y, group, patient, threshold, draws, seed)`. The gap is the sensitivity of group 0 minus that of group 1; sensitivity is the share of ill **images** (`y` is 1) with `p` at least `threshold`. For the interval, draw **patients** with replacement, within each group, from those with at least one ill image. A drawn patient brings all of his or her ill images. Take the 2.5th and 97.5th percentile of the gaps.
#
# <details><summary>Hint 1: the idea</summary>Healthy images don't matter. For each sick patient two numbers are enough: how many ill images, how many of them found. A draw adds up both over the drawn patients.</details>
# <details><summary>Hint 2: what to call</summary><code>np.unique(patient, return_inverse=True)</code>, <code>np.bincount(index, weights)</code>, <code>rng.integers(0, n, (draws, n))</code>, <code>np.percentile</code>.</details>
# <details><summary>My interval is much too narrow</summary>Do you draw images? Then six films of one person are six witnesses.</details>
# <details><summary>My gap differs from the means of the patients</summary>Sensitivity is over images: a patient with six ill images counts six times in the share, but is drawn as one.</details>

# %% nbgrader={"grade": false, "grade_id": "sensitivity-gap", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sensitivity_gap(p: np.ndarray, y: np.ndarray, group: np.ndarray, patient: np.ndarray, threshold: float, draws: int, seed: int) -> dict[str, float]:
    """Sensitivity of group 0 minus that of group 1, with a 95 % bootstrap interval over patients.

    Args:
        p, y, group, patient: (N,) probabilities, outcomes 0 or 1, groups 0 or 1, and whose image each is; a patient is in one group.
        threshold: an image is called ill if p is at least this.
        draws: number of bootstrap samples; seed: of the random numbers.

    Returns:
        "gap", "low" and "high", from -1 to 1.

    Raises:
        ValueError: a group has no ill image, or a patient is in both groups.
    """
    ### BEGIN SOLUTION
    p, y, group, patient = (np.asarray(one) for one in (p, y, group, patient))
    if set(patient[group == 0].tolist()) & set(patient[group == 1].tolist()):
        raise ValueError("a patient is in both groups")
    rng = np.random.default_rng(seed)
    shares, samples = [], []
    for one in (0, 1):
        ill = (y == 1) & (group == one)
        if not ill.any():
            raise ValueError(f"group {one} has no ill image: its sensitivity is not defined")
        who, index = np.unique(patient[ill], return_inverse=True)
        images, found = np.bincount(index), np.bincount(index, p[ill] >= threshold)
        drawn = rng.integers(0, len(who), (draws, len(who)))
        shares.append(found.sum() / images.sum())
        samples.append(found[drawn].sum(axis=1) / images[drawn].sum(axis=1))
    low, high = np.percentile(samples[0] - samples[1], [2.5, 97.5])
    return {"gap": float(shares[0] - shares[1]), "low": float(low), "high": float(high)}
    ### END SOLUTION

# %% tags=["given"]
def gap_study(sizes: tuple, shares: tuple, images: int, seed: int) -> dict:
    """Patients of two groups, half of them ill, with so many images each that all say the same: (N,) arrays p, y, group, patient."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n) % 2 for n in sizes])
    group = np.repeat([0, 1], sizes)
    found = np.zeros(len(y))
    for one in (0, 1):  # exactly this share of the ill is found
        ill = rng.permutation(np.flatnonzero((y == 1) & (group == one)))
        found[ill[: round(shares[one] * len(ill))]] = 1
    p = np.where(y == 1, 0.1 + 0.8 * found, 0.2)
    table = {"p": p, "y": y, "group": group, "patient": np.arange(len(y)) + 100}
    return {name: np.repeat(values, images) for name, values in table.items()}

# %% nbgrader={"grade": true, "grade_id": "sensitivity-gap-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# By hand. Group 0: patient 1 has three ill images, all found, patient 2 one, missed: 3/4. Group 1: one of two ill images is found: 1/2
p = np.array([0.9, 0.5, 0.8, 0.2, 0.6, 0.4, 0.9, 0.9, 0.9])
y = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0])
group, patient = np.array([0, 0, 0, 0, 1, 1, 0, 1, 1]), np.array([1, 1, 1, 2, 3, 4, 5, 6, 7])
answer = sensitivity_gap(p, y, group, patient, 0.5, 50, 0)
assert isinstance(answer, dict) and set(answer) >= {"gap", "low", "high"}, "return a dictionary with gap, low and high"
gap = float(answer["gap"])
assert not np.isclose(gap, -0.25), "group 0 minus group 1, not the other way round"
assert not np.isclose(gap, 0.0), "that is the gap of the patients' means, or of p above the threshold: sensitivity is over images, and p = 0.5 is found at 0.5"
assert not np.isclose(gap, 0.6 - 0.25), "that is a gap of accuracies: look at the ill images only"
assert not np.isclose(gap, 0.8 - 0.75), "that is a gap of alarm rates: look at the ill images only"
assert np.isclose(gap, 0.25), f"expected 3/4 - 1/2 = 0.25, got {gap:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1270)
p, y, patient = rng.random(300), rng.integers(0, 2, 300), rng.integers(0, 60, 300)
group = patient % 2
truth = [np.mean(p[(y == 1) & (group == g)] >= 0.4) for g in (0, 1)]
assert np.isclose(float(sensitivity_gap(p, y, group, patient, 0.4, 50, 0)["gap"]), truth[0] - truth[1]), "on random patients the gap is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "sensitivity-gap-interval", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One image a patient: the interval must agree with the textbook's, 1.96 times the root of the summed variances. 80 and 40 ill patients, 90 % and 60 % found
study = gap_study((160, 80), (0.9, 0.6), 1, 0)
got = sensitivity_gap(study["p"], study["y"], study["group"], study["patient"], 0.5, 1000, 1)
width, book = float(got["high"]) - float(got["low"]), 2 * 1.96 * np.sqrt(0.9 * 0.1 / 80 + 0.6 * 0.4 / 40)
assert width > 0, "a gap without an interval: draw the patients anew many times"
assert np.isclose(float(got["gap"]), 0.3) and float(got["low"]) < 0.3 < float(got["high"]), "the interval must hold the gap, 0.3"
assert width < 1.4 * book, f"the interval is {width:.3f} wide, by the textbook {book:.3f}: percentiles 2.5 and 97.5, over as many patients as there are"
assert width > 0.75 * book, f"the interval is {width:.3f} wide, by the textbook {book:.3f}: too narrow. Percentiles 2.5 and 97.5; and draw within each group, from those with an ill image"
### BEGIN HIDDEN TESTS
study = gap_study((40, 400), (0.5, 0.8), 1, 2)
got = sensitivity_gap(study["p"], study["y"], study["group"], study["patient"], 0.5, 1000, 3)
width, book = float(got["high"]) - float(got["low"]), 2 * 1.96 * np.sqrt(0.25 / 20 + 0.16 / 200)
assert 0.75 * book < width < 1.4 * book, "20 and 200 ill patients: the interval is not that of the textbook"
assert abs(float(got["low"]) + float(got["high"]) + 0.6) < 0.12, "the interval should lie about the gap of -0.3"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "sensitivity-gap-patients", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Six images a patient that all say the same: no one new has been seen, so the interval may not shrink
study = gap_study((160, 80), (0.9, 0.6), 6, 0)
got = sensitivity_gap(study["p"], study["y"], study["group"], study["patient"], 0.5, 1000, 1)
width, book = float(got["high"]) - float(got["low"]), 2 * 1.96 * np.sqrt(0.9 * 0.1 / 80 + 0.6 * 0.4 / 40)
assert width > 0.75 * book, f"six equal images a patient shrink your interval to {width:.3f} (one image: about {book:.3f}): draw patients, not images"
assert width < 1.4 * book, f"the interval is {width:.3f} wide; with one image a patient it is about {book:.3f}"
### BEGIN HIDDEN TESTS
study = gap_study((100, 100), (0.7, 0.7), 10, 4)
order = np.random.default_rng(5).permutation(len(study["p"]))
got = sensitivity_gap(*(study[name][order] for name in ("p", "y", "group", "patient")), 0.5, 1000, 6)
book = 2 * 1.96 * np.sqrt(0.21 / 25)
width = float(got["high"]) - float(got["low"])
assert width > 0.75 * book, "ten images a patient in random order: the interval is too narrow. Draw by the patient's id"
assert width < 1.4 * book, "ten images a patient in random order: the interval is too wide"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "sensitivity-gap-seed", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The same seed repeats the interval; calibration aside, only the ill patients matter: healthy ones may come and go
study = gap_study((60, 60), (0.8, 0.6), 2, 7)
first, again = (sensitivity_gap(study["p"], study["y"], study["group"], study["patient"], 0.5, 300, 2) for _ in range(2))
assert np.isclose(float(first["low"]), float(again["low"])) and np.isclose(float(first["high"]), float(again["high"])), "the same seed must give the same interval"
other = sensitivity_gap(study["p"], study["y"], study["group"], study["patient"], 0.5, 300, 3)
assert not (np.isclose(float(first["low"]), float(other["low"])) and np.isclose(float(first["high"]), float(other["high"])) and np.isclose(float(first["low"]), float(first["high"]))), "an interval of width 0 is no interval"
### BEGIN HIDDEN TESTS
healthy = 40
more = [np.concatenate([study[name], added]) for name, added in (("p", np.full(healthy, 0.99)), ("y", np.zeros(healthy, int)), ("group", np.zeros(healthy, int)), ("patient", 9000 + np.arange(healthy)))]
got = sensitivity_gap(*more, 0.5, 600, 2)
assert np.isclose(float(got["gap"]), float(first["gap"])), "healthy patients with false alarms must not change a gap of sensitivities"
assert abs(float(got["high"]) - float(got["low"]) - float(first["high"]) + float(first["low"])) < 0.1, "healthy patients must not change the width of the interval"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "sensitivity-gap-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: a group in which nobody is ill has no sensitivity
study = gap_study((20, 20), (0.8, 0.6), 1, 8)
assert np.isfinite(float(sensitivity_gap(study["p"], study["y"], study["group"], study["patient"], 0.5, 50, 0)["gap"])), "good input should still give a gap"
refused = False
try:
    sensitivity_gap(study["p"], np.where(study["group"] == 1, 0, study["y"]), study["group"], study["patient"], 0.5, 50, 0)
except ValueError:
    refused = True
assert refused, "nobody in group 1 is ill: raise a ValueError instead of a gap of nan"
### BEGIN HIDDEN TESTS
refused = False
try:
    sensitivity_gap(study["p"], study["y"], study["group"], np.arange(40) % 20, 0.5, 50, 0)
except ValueError:
    refused = True
assert refused, "a patient in both groups must raise a ValueError"
### END HIDDEN TESTS

# %% [markdown]
# **Predict before you run.** In our simulated films breast tissue veils the lower lungs, as it does in life. Site C sends 15 % of the patients, from a machine with more contrast. For which group do you expect a gap of the film model, and for which will the interval be too wide to tell?

# %% tags=["demo"]
film_p = sigmoid(np.mean(logits["modality dropout"]["film alone"], 0))
film_val = sigmoid(np.mean(film_validation, 0))
operating = float(np.quantile(film_val[pair_val["y"] == 1], 0.3))  # on validation: 70 % of those with the outcome are called
groupings = {"men - women": pair_test["sex"], "under 65 - 65 and over": (pair_test["age"] >= 65).astype(int), "site A and B - site C": (pair_test["site"] == 2).astype(int)}


def gap_interval(group: np.ndarray, few: np.ndarray | None = None, draws: int = 1000) -> tuple:
    """Ill people in both groups, and the gap in sensitivity with a binomial bootstrap: one film a person here, so films may be drawn."""
    rng, counts, rates = np.random.default_rng(SEED), [], []
    for one in (0, 1):
        ill = (outcome == 1) & (group == one) & (True if few is None else np.isin(np.arange(len(group)), few))
        counts.append(int(ill.sum()))
        rates.append(float((film_p[ill] >= operating).mean()))
    sample = [rng.binomial(n, r, draws) / n for n, r in zip(counts, rates, strict=True)]
    return *counts, rates[0] - rates[1], *np.percentile(sample[0] - sample[1], [2.5, 97.5])


gap_board = {name: gap_interval(group) for name, group in groupings.items()}
gap_board["men - women, first 80 patients"] = gap_interval(pair_test["sex"], np.arange(80))
fig, ax = plt.subplots(figsize=(7.5, 2.6), layout="constrained")
for place, (n0, n1, gap, low, high) in enumerate(gap_board.values()):
    ax.errorbar(gap, place, xerr=[[gap - low], [high - gap]], fmt="o", color=show.PALETTE[place], capsize=4)
    ax.text(1.02, place, f"{n0} and {n1} ill", va="center", fontsize=8, transform=ax.get_yaxis_transform())
ax.axvline(0, color="grey", linewidth=0.8, linestyle=":")
ax.set_yticks(range(len(gap_board)), gap_board)
ax.invert_yaxis()
ax.set_xlabel("gap in sensitivity of the film model, with 95 % interval")
show.figure(fig, alt="Gaps in sensitivity between groups with 95 % intervals: by sex, age and site, and by sex in the first 80 patients alone, whose interval is far wider")
pd.DataFrame(gap_board, index=["ill, first group", "ill, second group", "gap", "low", "high"]).T.round(3)

# %% [markdown]
# Age has no part in our simulation, so a gap between the age groups can only be chance; the interval should cover 0 in nineteen runs of twenty. If yours does not, you have met the twentieth, as anybody does who tests many groups. Look at the last row, too: the first 80 patients show another gap than all of them, with an interval so wide that nearly any sentence could be written about it. Whether the veil over women's lungs matters for sensitivity is answered by the first row, as far as its width allows.

# %% [markdown]
# ### Does it look at the patient? A shortcut audit
#
# Films from the ward are taken with a portable machine, which burns a mark into the corner. Sick patients lie in the ward. A network that finds the mark needs no lung: on the hospital's own test set it shines, and at the next hospital it fails (Zech and others, PLoS Medicine 2018; DeGrave, Janizek and Lee, Nature Machine Intelligence 2021). A test set from the same archive has the same shortcut, so the AUC can't show it. Two questions can:
#
# - **Counterfactual removal.** Blot out the mark, change nothing else, and ask again. With $p_i$ before and $p_i^{\ominus}$ after, the effect is the mean of $p_i - p_i^{\ominus}$ over the patients *who have the mark*. A model that looks at the patient has none.
# - **Stratification.** Among patients with the mark the mark tells nothing, and likewise without. Count only pairs of a sick and a healthy patient *with the same mark status*: $\mathrm{AUC}_{\text{within}}$ is the share of these pairs in which the sick one has the higher $p$ (a tie counts half). If it lies far below the plain AUC, between-stratum differences made the rest.
#
# Removal needs a picture that stays plausible; stratification needs a record of who has the mark. Each can find what the other misses, so an audit uses both.

# %% [markdown]
# ### Exercise 12.4d - a shortcut audit
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can tell a model that reads the lung from one that reads the corner of the film*
#
# Write `shortcut_audit(p, p_removed, y, marker)`.
#
# <details><summary>Hint 1: the idea</summary>The effect: a mean over the marked only. The AUC within: make all pairs (sick, healthy), keep those with equal mark, and count over both strata <em>together</em>.</details>
# <details><summary>Hint 2: what to call</summary><code>higher = (p[sick][:, None] > p[healthy][None]) + 0.5 * (p[sick][:, None] == p[healthy][None])</code>, and a mask <code>marker[sick][:, None] == marker[healthy][None]</code>.</details>
# <details><summary>My effect is too small</summary>Nothing was removed from patients without a mark: they dilute the mean with zeros.</details>
# <details><summary>My AUC within differs a little</summary>Is it the mean of two AUCs? A stratum with three pairs then counts as much as one with three thousand.</details>

# %% nbgrader={"grade": false, "grade_id": "shortcut-audit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shortcut_audit(p: np.ndarray, p_removed: np.ndarray, y: np.ndarray, marker: np.ndarray) -> dict[str, float]:
    """How much a model owes to a mark that should not matter.

    Args:
        p, p_removed: (N,) probabilities on the films as they are, and with the mark blotted out.
        y: (N,) outcomes, 0 or 1.
        marker: (N,) bool, whether the film has the mark.

    Returns:
        "effect": mean of p - p_removed over the films with the mark;
        "auc": over all pairs of a sick and a healthy patient; "auc_within": over the pairs with equal mark status. Ties count half.

    Raises:
        ValueError: no film has the mark, or no pair of a sick and a healthy patient has the same status.
    """
    ### BEGIN SOLUTION
    p, y, marker = np.asarray(p, dtype=float), np.asarray(y), np.asarray(marker, dtype=bool)
    if not marker.any():
        raise ValueError("no film has the mark: there is nothing to remove")
    sick, healthy = y == 1, y == 0
    a, b = p[sick][:, None], p[healthy][None]
    higher = (a > b) + 0.5 * (a == b)
    same = marker[sick][:, None] == marker[healthy][None]
    if not same.any():
        raise ValueError("no sick and healthy patient have the same mark status: the mark can't be told from the disease")
    effect = (p - np.asarray(p_removed, dtype=float))[marker].mean()
    return {"effect": float(effect), "auc": float(higher.mean()), "auc_within": float(higher[same].mean())}
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "shortcut-audit-effect", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Two of five films have the mark. Without it they lose 0.4 and 0.2
p, without = np.array([0.9, 0.7, 0.4, 0.3, 0.2]), np.array([0.5, 0.5, 0.4, 0.3, 0.2])
y, marker = np.array([1, 0, 1, 0, 0]), np.array([True, True, False, False, False])
audit = shortcut_audit(p, without, y, marker)
assert isinstance(audit, dict) and set(audit) >= {"effect", "auc", "auc_within"}, "return a dictionary with effect, auc and auc_within"
effect = float(audit["effect"])
assert not np.isclose(effect, 0.12), "films without a mark dilute the mean with zeros: average over those that have it"
assert not np.isclose(effect, -0.3), "before minus after: a mark that raises p has a positive effect"
assert not np.isclose(effect, 0.4), "you average over the sick only: all films with the mark belong to it"
assert np.isclose(effect, 0.3), f"expected (0.4 + 0.2) / 2 = 0.3, got {effect:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1280)
p, without, y, marker = rng.random(50), rng.random(50), rng.integers(0, 2, 50), rng.random(50) < 0.3
assert np.isclose(float(shortcut_audit(p, without, y, marker)["effect"]), sum((p - without)[i] for i in range(50) if marker[i]) / marker.sum()), "on random films the effect is off"
p_low = np.array([0.1, 0.2, 0.6, 0.3])
got = float(shortcut_audit(p_low, p_low + 0.1, np.array([1, 0, 1, 0]), np.array([True, True, False, False]))["effect"])
assert np.isclose(got, -0.1), "a mark can lower p: keep the sign"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "shortcut-audit-auc", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The plain AUC, ties counted half: sick 0.9 and 0.4 against healthy 0.4, 0.3 and 0.1: 5.5 of 6 pairs
p, y = np.array([0.9, 0.4, 0.4, 0.3, 0.1]), np.array([1, 1, 0, 0, 0])
auc = float(shortcut_audit(p, p.copy(), y, np.array([True, False, False, True, True]))["auc"])
assert not np.isclose(auc, 1 - 5.5 / 6), "upside down: count the pairs in which the sick patient has the higher p"
assert np.isclose(auc, 5.5 / 6), f"expected 5.5 / 6 = {5.5 / 6:.3f}, got {auc:.3f}. Does a tie count half?"
### BEGIN HIDDEN TESTS
from sklearn.metrics import roc_auc_score

rng = np.random.default_rng(1281)
p, y, marker = rng.random(80).round(1), rng.integers(0, 2, 80), rng.random(80) < 0.5
assert np.isclose(float(shortcut_audit(p, p.copy(), y, marker)["auc"]), roc_auc_score(y, p)), "on random films with ties the AUC is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "shortcut-audit-within", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A model that reads nothing but the mark: 0.9 with it, 0.1 without. The AUC is high, within a stratum it guesses
marker = np.array([True] * 8 + [False] * 2 + [True] * 2 + [False] * 8)
y = np.array([1] * 10 + [0] * 10)
got = shortcut_audit(np.where(marker, 0.9, 0.1), np.full(20, 0.1), y, marker)
assert np.isclose(float(got["auc"]), 0.8), f"the plain AUC of the mark is 0.8 here, not {float(got['auc']):.3f}"
assert not np.isclose(float(got["auc_within"]), 0.8), "pairs with different mark status are still counted: keep those with equal status"
assert np.isclose(float(got["auc_within"]), 0.5), f"within the strata all pairs are ties: 0.5, not {float(got['auc_within']):.3f}"
# One stratum with 4 pairs, all right, and one with 1 pair, wrong: 4 of 5 pairs
p, y, marker = np.array([0.9, 0.8, 0.2, 0.1, 0.3, 0.7]), np.array([1, 1, 0, 0, 1, 0]), np.array([True] * 4 + [False] * 2)
within = float(shortcut_audit(p, p.copy(), y, marker)["auc_within"])
assert not np.isclose(within, 0.5), "that is the mean of both strata's AUCs: count pairs, so that a small stratum doesn't weigh as much as a large one"
assert not np.isclose(within, 4 / 6), "you weigh strata by patients: weigh them by pairs"
assert np.isclose(within, 0.8), f"4 of 5 pairs with equal status are right: 0.8, not {within:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1282)
for _ in range(3):
    p, y, marker = rng.random(40).round(2), rng.integers(0, 2, 40), rng.random(40) < 0.25
    pairs = [(p[i] > p[j]) + 0.5 * (p[i] == p[j]) for i in range(40) for j in range(40) if y[i] == 1 and y[j] == 0 and marker[i] == marker[j]]
    assert np.isclose(float(shortcut_audit(p, p.copy(), y, marker)["auc_within"]), np.mean(pairs)), "on random films the AUC within the strata is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "shortcut-audit-bad", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input: no film has the mark, or exactly the sick have it
p, y = np.array([0.9, 0.6, 0.4, 0.1]), np.array([1, 1, 0, 0])
got = shortcut_audit(p, p.copy(), y, np.array([True, False, True, False]))
assert np.isclose(float(got["auc_within"]), 1), "good input should still give a value"
for marker, why in ((np.zeros(4, bool), "no film with the mark"), (y == 1, "a mark on exactly the sick, so that no pair has the same status,")):
    refused = False
    try:
        shortcut_audit(p, p.copy(), y, marker)
    except ValueError:
        refused = True
    assert refused, f"{why} must raise a ValueError"
### BEGIN HIDDEN TESTS
refused = False
try:
    shortcut_audit(p, p.copy(), y, y == 0)
except ValueError:
    refused = True
assert refused, "a mark on exactly the healthy must raise a ValueError, too"
# One stratum without sick patients has no pairs, and must not spoil the other
got = shortcut_audit(np.array([0.9, 0.5, 0.3, 0.2]), np.zeros(4), np.array([1, 0, 0, 0]), np.array([True, True, False, False]))
assert np.isclose(float(got["auc_within"]), 1), "a stratum without sick patients has no pairs: the other one still has"
### END HIDDEN TESTS

# %% [markdown]
# ### Four questions to two models
#
# In the archive of one hospital the mark of the portable machine goes along with the outcome. We train the same film model twice: on this archive as it is, and on the same films exported without the mark. Both are asked on new patients of the same hospital, and on a hospital where the mark says nothing.
#
# **Predict before you run.** Which of the two has the higher AUC on the hospital's own test set? Which one would win a tender?

# %% tags=["demo"]
def fit_outcome(model: nn.Module, x: torch.Tensor, y: np.ndarray, seed: int, epochs: int, batch: int = 128, lr: float = 3e-3) -> nn.Module:
    """A film model (B, 1, 32, 32) -> (B, 1) logits, trained on outcomes; films are shifted by up to one pixel."""
    torch.manual_seed(seed)
    y = torch.from_numpy(np.asarray(y)).float()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * (len(y) // batch))
    model.train()
    for _ in range(epochs):
        for few in torch.randperm(len(y))[: len(y) // batch * batch].view(-1, batch):
            part = x[few].roll(tuple(torch.randint(-1, 2, (2,)).tolist()), (2, 3))
            loss = F.binary_cross_entropy_with_logits(model(part)[:, 0], y[few])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()

# %% tags=["demo"]
LINK = 0.5  # in half of the patients the mark tells the outcome, in the others it is chance


def marked(n: int, seed: int, link: float, burn: bool = True) -> dict:
    """A cohort whose burnt-in mark goes along with the outcome; the same seed without `burn` is the same film without the mark."""
    return cohort(n, seed, marker_link=link, burn=burn)


mark_n = run.pick(ci=(1600, 800), laptop=(5000, 2000))
mark_train = {burn: marked(mark_n[0], SEED + 1351, LINK, burn) for burn in (True, False)}
mark_home = {burn: marked(mark_n[1], SEED + 1352, LINK, burn) for burn in (True, False)}
mark_away = {burn: marked(mark_n[1], SEED + 1353, 0.0, burn) for burn in (True, False)}
mark_models = {}
for name, burn in (("trained with the mark", True), ("trained without", False)):
    torch.manual_seed(SEED)
    mark_models[name] = fit_outcome(nn.Sequential(FilmEncoder(), nn.ReLU(), nn.Linear(32, 1)), torch.from_numpy(mark_train[burn]["image"]), mark_train[burn]["y"], SEED, epochs=10)


def film_says(model: nn.Module, people: dict) -> np.ndarray:
    """(n,) probabilities of a film model."""
    with torch.no_grad():
        return sigmoid(model(torch.from_numpy(people["image"]))[:, 0].numpy())


audit_board = {}
for name, model in mark_models.items():
    burn = name == "trained with the mark"  # each model gets films as it was trained on; removal is asked of both
    with_mark, without = film_says(model, mark_home[True]), film_says(model, mark_home[False])
    y, mark = mark_home[True]["y"], mark_home[True]["marker"] == 1
    p = with_mark if burn else without
    strata = [(area(y[s], p[s]), y[s].sum() * (1 - y[s]).sum()) for s in (mark, ~mark)]
    home, low, high = auc_interval(y, p)
    away, away_low, away_high = auc_interval(mark_away[burn]["y"], film_says(model, mark_away[burn]))
    shift = over_patients((with_mark - without)[mark])
    audit_board[name] = {"AUC at home": home, "home low": low, "home high": high, "within equal marks": sum(one * pairs for one, pairs in strata) / sum(pairs for _, pairs in strata), "next hospital": away, "away low": away_low, "away high": away_high, "mark adds to p": shift[0], "adds low": shift[1], "adds high": shift[2]}
audit_board["the mark alone"] = {"AUC at home": area(y, mark), "within equal marks": 0.5, "next hospital": area(mark_away[True]["y"], mark_away[True]["marker"])}
audit_board = pd.DataFrame(audit_board).T
assert audit_board.loc["trained with the mark", "AUC at home"] > audit_board.loc["trained without", "AUC at home"], "the shortcut should pay at home"
audit_board[["AUC at home", "within equal marks", "next hospital", "mark adds to p"]].round(3)

# %% tags=["demo"]
marked_one = int(np.flatnonzero(mark_home[True]["marker"])[0])
pair = [mark_home[burn]["image"][marked_one, 0] for burn in (True, False)]
said = [film_says(mark_models["trained with the mark"], mark_home[burn])[marked_one] for burn in (True, False)]
show.row([*pair, pair[0] - pair[1]], titles=[f"as taken: p = {said[0]:.2f}", f"mark removed: p = {said[1]:.2f}", "the difference"], window=(0, 1),
         alt="A film with a small burnt-in letter in its upper right corner, the same film without it, and the difference: only the letter. The model's probability is given above both")

# %% [markdown]
# The model with the shortcut wins at home and would win the tender. Within equal marks, and at the next hospital, its lead is gone. Removal says *how* it came about: the same patients, the same lungs, and another probability as soon as a letter in the corner goes. (The other model moves a little, too, since any bright spot changes what a network computes: compare with that, not with 0.) Two of the four columns, removal and strata, need the name of a suspect, and the third needs another hospital. What every hospital can compute at home is the plain AUC, the one that the shortcut flatters. So the list of suspects (marks, tubes, laterality letters, the
# machine, the site) has to be written down before the audit, by people who know how films are made.
#
# ### What a regulator asks
#
# None of this section's tables is an academic exercise. Whoever places such a model on a market has to answer what they ask. In the European Union software that serves diagnosis or therapy is usually a medical device under the **Medical Device Regulation** (EU) 2017/745, where most of it falls into class IIa or higher and a notified body looks at the file. The **AI Act** (EU) 2024/1689 adds duties for high-risk systems, among them AI that is a safety component of such a device or is itself one that needs a notified
# body: risk management, data governance (are the data representative, were possible biases examined?), technical documentation, logs, human oversight, and accuracy, robustness and cybersecurity. In the United States the **FDA** clears or approves the device for its **intended use**, and a manufacturer may submit a **predetermined change control plan**: which modifications are planned, how each will be validated, and what their impact is, so that a retrained model need not be submitted
# anew as long as it stays inside the plan.
#
# | The file asks | What answers it here |
# |---|---|
# | intended use: which patients, which user, which decision | outcome, threshold, and the pattern of modalities at that time of the day |
# | performance with intervals, on patients the developers never used | paired intervals over patients; a split by patient; another site |
# | robustness to missing or degraded input | the table of missing modalities, and calibration for each pattern |
# | performance in subgroups | gaps in sensitivity with intervals and numbers of ill people |
# | foreseeable misuse and bias | the shortcut audit: removal, strata, next hospital |
# | benefit, not accuracy alone | decision curves against treating all and none |
# | changes after release | what is watched, when the model is retrained, and what stops it |
#
# Papers have their own lists: **TRIPOD+AI** (Collins and others, BMJ 2024) for prediction models, **DECIDE-AI** (Vasey and others, Nature Medicine 2022) for the first use with clinicians, **CONSORT-AI** (Liu and others, Nature Medicine 2020) for randomised trials. They don't make a model good. They make it hard to hide that it isn't.

# %% [markdown]
# **Checkpoint.** A company shows you: AUC 0.93 on its own test set, film and report and lab values, "works also without lab values". Your emergency department has a film at once, the report after two hours, and lab values after one. Which three figures do you ask for before anything else?
#
# <details><summary>Answer</summary>First, AUC, calibration and net benefit of the <em>film alone</em> on patients of another hospital: that is the model which your department would use in the first hour, and the report may contain the diagnosis. Second, the same for each later pattern, with intervals, and beside them the best single modality. Third, subgroups with numbers of ill patients, and a shortcut audit (portable machine, site). "Works also
# without" means nothing until one knows how missing values were filled in, and whether they were missing at random in the test.</details>

# %% [markdown]
# ## Results
#
# What this lecture measured, with the trivial baseline or the bound beside each figure.

# %% tags=["results"]
for name, draws in single_draws.items():
    value, low, high = with_interval(draws)
    results.record(LECTURE, PROFILE, f"simulated cohort, {name} alone: test AUC", value, low=low, high=high, baseline=ceiling[name], baseline_name="ceiling, read without error", source="section 12.1, planted")
value, low, high = with_interval(baseline_draws["logistic regression, table"])
results.record(LECTURE, PROFILE, "simulated cohort, logistic regression on the table: test AUC", value, low=low, high=high, baseline=baseline_draws["saturation alone"][0], baseline_name="saturation alone", source="section 12.1")
for name in WAYS:
    value, low, high = with_interval(fusion_draws[name])
    results.record(LECTURE, PROFILE, f"simulated cohort, {name} fusion: test AUC", value, low=low, high=high, baseline=single_draws[best_single][0], baseline_name=f"{best_single} alone, the best on validation", source="section 12.2")
value, low, high = with_interval(fusion_draws[favourite] - single_draws[best_single])
results.record(LECTURE, PROFILE, "fusion chosen on validation over the best single modality: paired AUC", value, low=low, high=high, baseline=ceiling["all"] - single_draws[best_single][0], baseline_name="ceiling of all, minus the same", source="section 12.2")
for name in ("late", "joint", "cross-attention", "tensor"):
    value, low, high = with_interval(xor_draws[name])
    results.record(LECTURE, PROFILE, f"planted product, {name} fusion: test AUC", value, low=low, high=high, baseline=0.5, baseline_name="chance", source="section 12.2")
value, low, high = with_interval(leak_draws["as exported"])
results.record(LECTURE, PROFILE, "table with a column from after the outcome: test AUC", value, low=low, high=high, baseline=at_the_door[0], baseline_name="the same model at the door", source="section 12.1, planted")
early_pick, late_pick = (np.array(one) for one in panel_areas.values())
results.record(LECTURE, PROFILE, "genes of noise, picked before the split: cross-validated AUC of 12 studies", early_pick.mean(), low=early_pick.min(), high=early_pick.max(), baseline=late_pick.mean(), baseline_name="picked inside each fold", source="section 12.1; lowest and highest study")
results.record(LECTURE, PROFILE, "CCA: mean rank of the own film among 200", ranks.mean(), baseline=mixed.mean(), baseline_name="shuffled reports", source="section 12.1")
SIMULATED = "simulated cohort"
for (way, k), (mean, low, high, chance, _) in recalls.items():
    if k == 10:
        results.record(LECTURE, PROFILE, f"{SIMULATED}, {way}: recall@10", mean, low=low, high=high, baseline=chance, baseline_name="a random order", source="section 12.3")
for name in FINDINGS:
    line, few = zero_board.loc[name], float(probe_board[name][:, LABELS.index(64)].mean())
    results.record(LECTURE, PROFILE, f"{SIMULATED}, zero-shot {name}: AUC", line["ensemble"], low=min(line["low"], line["ensemble"]), high=max(line["high"], line["ensemble"]), baseline=few, baseline_name="linear probe, 64 labels", source="section 12.3")
for no in ("no", "no evidence of"):
    results.record(LECTURE, PROFILE, f"{SIMULATED}, '{no} pleural effusion' as a search: AUC for effusion", zero_board.loc["effusion", f"'{no}'"], baseline=0.5, baseline_name="guessing; a reader would be near 0", source="section 12.3")
for name in archives:
    line = translation_board.loc[f"network, {name}"]
    results.record(LECTURE, PROFILE, f"simulated T1 to T2, network trained on {name}: lesion contrast kept", line["lesion contrast kept"], low=line["low"], high=line["high"], baseline=translation_board.loc[f"lookup, {name}", "lesion contrast kept"], baseline_name="lookup table of the same archive", source="section 12.3")
    results.record(LECTURE, PROFILE, f"simulated T1 to T2, network trained on {name}: error in healthy heads", line["error in the head"], baseline=translation_board.loc[f"lookup, {name}", "error in the head"], baseline_name="lookup table of the same archive", source="section 12.3")
for name in PATTERNS:
    results.record(LECTURE, PROFILE, f"{SIMULATED}, modality dropout, {name}: AUC over seeds", missing_board.loc[name, "modality dropout"], low=ends[name][0], high=ends[name][1], baseline=missing_board.loc[name, "complete, mean"], baseline_name="trained on complete patients, mean imputed", source="section 12.4")
for name in ("film alone", "table alone"):
    results.record(LECTURE, PROFILE, f"{SIMULATED}, modality dropout, {name}: calibration error", calibration_board.loc[name, "modality dropout"], baseline=calibration_board.loc[name, "complete, blank input"], baseline_name="trained on complete patients, blank inputs", source="section 12.4")
at = int(np.abs(STEPS - 0.2).argmin())
band = spread["film, report and table"][:, at]
results.record(LECTURE, PROFILE, f"{SIMULATED}, all three: net benefit at a threshold of 0.2", curves["film, report and table"][at], low=min(band[0], curves["film, report and table"][at]), high=max(band[1], curves["film, report and table"][at]), baseline=max(treat_all[at], 0.0), baseline_name="the better of all and none", source="section 12.4")
for name in mark_models:
    line = audit_board.loc[name]
    results.record(LECTURE, PROFILE, f"shortcut audit, film model {name}: AUC at the next hospital", line["next hospital"], low=min(line["away low"], line["next hospital"]), high=max(line["away high"], line["next hospital"]), baseline=line["AUC at home"], baseline_name="at home", source="section 12.4")
results.table(LECTURE, PROFILE)

# %% [markdown]
# ## Reflection
#
# Your hospital wants to buy a model that predicts intensive care within seven days from film, report and blood values. It shall run in the emergency department, day and night. Write half a page: at which minute after arrival is which modality there, and which version of the model would act then? Which three measurements do you ask for before it is switched on, on whose patients, and what would make you switch it off?
#
# | Points | What your answer shows |
# |---|---|
# | 3 | Follows the modalities over time and judges the model for each pattern; asks for a comparison with the best single modality, calibration or net benefit at the threshold of use, and subgroups or shortcuts, with intervals, on own patients; names a stop rule |
# | 2 | Sound measurements, but for complete patients only, or without intervals or a stop rule |
# | 1 | Names AUC, and no patients on whom it would be measured |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# After ten minutes there is a film, after one hour blood values, after two hours by day a report, at night none before the morning. So four models act in truth: film alone, film with blood values, all three, and, for those who are too ill to be moved, blood values alone. I ask for each of them: AUC with a paired interval against the best single modality, calibration, and net benefit at the threshold at which our intensive care physicians would act, about 20 %. They are measured
# on last year's patients of our own hospital, one examination a person, in the pattern that was there at that minute, with blood values missing as they really were. Then sensitivity by sex, age and machine, with numbers and intervals, and a shortcut audit with the portable machine's mark removed. For a month it runs silently. It is switched off when the net benefit on the last 200 patients falls below treating by the early warning score alone, when calibration in one pattern leaves the agreed range, or
# when the share of missing blood values changes, until someone knows why.

# %% [markdown]
# ## References
#
# - Ambroise C, McLachlan G. Selection bias in gene extraction on the basis of microarray gene-expression data. PNAS 99, 2002.
# - Arevalo J, Solorio T, Montes-y-Gómez M, González F. Gated multimodal units for information fusion. arXiv 2017.
# - Baltrušaitis T, Ahuja C, Morency LP. Multimodal machine learning: a survey and taxonomy. IEEE Transactions on Pattern Analysis and Machine Intelligence 41, 2019.
# - Cohen JP, Luck M, Honari S. Distribution matching losses can hallucinate features in medical image translation. MICCAI 2018.
# - Collins GS and others. TRIPOD+AI statement: updated guidance for reporting clinical prediction models that use regression or machine learning methods. BMJ 385, 2024.
# - DeGrave A, Janizek J, Lee SI. AI for radiographic COVID-19 detection selects shortcuts over signal. Nature Machine Intelligence 3, 2021.
# - Guo C, Pleiss G, Sun Y, Weinberger K. On calibration of modern neural networks. ICML 2017.
# - Hotelling H. Relations between two sets of variates. Biometrika 28, 1936.
# - Huang SC, Pareek A, Seyyedi S, Banerjee I, Lungren M. Fusion of medical imaging and electronic health records using deep learning: a systematic review and implementation guidelines. npj Digital Medicine 3, 2020.
# - Kaufman S, Rosset S, Perlich C, Stitelman O. Leakage in data mining: formulation, detection, and avoidance. ACM Transactions on Knowledge Discovery from Data 6, 2012.
# - Liu X and others. Reporting guidelines for clinical trial reports for interventions involving artificial intelligence: the CONSORT-AI extension. Nature Medicine 26, 2020.
# - Neverova N, Wolf C, Taylor G, Nebout F. ModDrop: adaptive multi-modal gesture recognition. IEEE Transactions on Pattern Analysis and Machine Intelligence 38, 2016.
# - van den Oord A, Li Y, Vinyals O. Representation learning with contrastive predictive coding. arXiv 2018.
# - Radford A and others. Learning transferable visual models from natural language supervision. ICML 2021.
# - Regulation (EU) 2017/745 of the European Parliament and of the Council on medical devices. 2017.
# - Regulation (EU) 2024/1689 of the European Parliament and of the Council laying down harmonised rules on artificial intelligence. 2024.
# - Seyyed-Kalantari L, Zhang H, McDermott M, Chen I, Ghassemi M. Underdiagnosis bias of artificial intelligence algorithms applied to chest radiographs in under-served patient populations. Nature Medicine 27, 2021.
# - Tsai YH, Bai S, Liang P, Kolter Z, Morency LP, Salakhutdinov R. Multimodal transformer for unaligned multimodal language sequences. ACL 2019.
# - Vasey B and others. Reporting guideline for the early-stage clinical evaluation of decision support systems driven by artificial intelligence: DECIDE-AI. Nature Medicine 28, 2022.
# - Vickers A, Elkin E. Decision curve analysis: a novel method for evaluating prediction models. Medical Decision Making 26, 2006.
# - Wang W, Tran D, Feiszli M. What makes training multi-modal classification networks hard? CVPR 2020.
# - Zadeh A, Chen M, Poria S, Cambria E, Morency LP. Tensor fusion network for multimodal sentiment analysis. EMNLP 2017.
# - Zech J and others. Variable generalization performance of a deep learning model to detect pneumonia in chest radiographs: a cross-sectional study. PLoS Medicine 15, 2018.
# - Zhang Y, Jiang H, Miura Y, Manning C, Langlotz C. Contrastive learning of medical visual representations from paired images and text. arXiv 2020.
