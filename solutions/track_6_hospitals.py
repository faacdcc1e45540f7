# %% [markdown]
# # Track 6 - Domain shift and federation: does it hold at the next hospital?
#
# **The question.** Four hospitals send patients to coronary angiography. A model learned at one of them, or at three, shall tell at the fourth who has a narrowed vessel. What is lost on the way, what does pooling the data gain, and can the same be had when no table leaves its hospital?
#
# **What you start from.** Logistic regression, trained at one hospital, at three pooled, and at three by federated averaging; each judged at the hospital that it has not seen, with an interval, beside a trivial rule, age alone. It takes seconds.
#
# **What is known.** Hospitals differ in who is sent there, in how many are ill, and in what is measured: Switzerland wrote down no cholesterol, and two others hardly any vessels. Most of what looks like a model's failure is a column that is missing. On this table three pooled hospitals (mean AUC 0.77 [0.70, 0.84]) do no better than the largest alone (0.79 [0.73, 0.84]): more data of another kind is not more of the same.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `heart_disease`: 920 patients, 13 features, four hospitals | UCI Machine Learning Repository, set 45 | CC BY 4.0 | collected before 1988, names removed by the publisher; consent not documented | by hospital: one is left out in turn. Inside the others, a fifth of the patients chooses the settings |
#
# One row is one patient. In the profile `ci` a simulated stand-in takes its place, and says so.

# %% tags=["parameters"]
LECTURE = "track_6_hospitals"
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
# How many are ill, and what is missing, by hospital. A cholesterol of 0 stands for missing.

# %% tags=["demo"]
heart = data.load("heart_disease", profile=run.profile)
table = heart.table.copy()
table.loc[table.chol == 0, "chol"] = np.nan
features = [name for name in table.columns if name not in ("target", "site")]
ill = (table.target > 0).to_numpy().astype(int)
sites = sorted(table.site.unique())
overview = table.groupby("site")[["chol", "fbs", "thalach", "slope", "ca", "thal"]].agg(lambda column: column.isna().mean()).round(2)
overview.insert(0, "patients", table.groupby("site").size())
overview.insert(1, "ill", table.assign(ill=ill).groupby("site")["ill"].mean().round(2))
overview

# %% [markdown]
# ## The model, and what it may know
#
# Missing values are filled with the median and scaled by mean and standard deviation - **of the training hospitals**. For a federated model these numbers must be shared, too; we share sums, not rows. A flag for each column says that it was missing: and may tell the hospital instead of the patient.

# %% tags=["demo"]
values = table[features].to_numpy(float)
site = table.site.to_numpy()


def prepared(train_rows: np.ndarray, flags: bool) -> np.ndarray:
    """All rows (N, F), filled and scaled by what the training rows say."""
    middle = np.nan_to_num(np.nanmedian(np.where(np.isfinite(values[train_rows]).any(axis=0), values[train_rows], 0.0), axis=0))
    filled = np.where(np.isnan(values), middle, values)
    mean, spread = filled[train_rows].mean(axis=0), filled[train_rows].std(axis=0) + 1e-6
    return np.hstack([(filled - mean) / spread, np.isnan(values).astype(float)]) if flags else (filled - mean) / spread


def steps(w: np.ndarray, x: np.ndarray, y: np.ndarray, ridge: float, count: int, rate: float = 0.5) -> np.ndarray:
    """Gradient steps of logistic regression; the last weight is the intercept and is not shrunk."""
    x = np.hstack([x, np.ones((len(x), 1))])
    for _ in range(count):
        slope = x.T @ (1 / (1 + np.exp(-x @ w)) - y) / len(y) + ridge * np.append(w[:-1], 0)
        w = w - rate * slope
    return w


def federated(x: np.ndarray, y: np.ndarray, parts: list[np.ndarray], ridge: float, rounds: int = 60, local: int = 5) -> np.ndarray:
    """Federated averaging: each hospital goes `local` steps from the common weights; the mean of the results, weighted by patients, is the next start."""
    w = np.zeros(x.shape[1] + 1)
    for _ in range(rounds):
        w = np.average([steps(w, x[rows], y[rows], ridge, local) for rows in parts], axis=0, weights=[len(rows) for rows in parts])
    return w


def score(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(N,) log odds of disease."""
    return x @ w[:-1] + w[-1]

# %% [markdown]
# ## One hospital out, in turn
#
# The ridge and the use of flags are chosen on a fifth of the training hospitals' patients, never on the hospital that is left out.

# %% tags=["demo"]
from sklearn.metrics import roc_auc_score

rng = np.random.default_rng(SEED)
held = rng.random(len(ill)) < 0.2  # the patients who choose settings
logits = {name: np.full(len(ill), np.nan) for name in ("age alone", "largest hospital", "three pooled", "three federated", "at home")}
for out in sites:
    inside = [rows for rows in (np.flatnonzero((site == name) & ~held) for name in sites if name != out)]
    everybody, judged, choose = np.concatenate(inside), np.flatnonzero(site == out), np.flatnonzero((site != out) & held)

    def fitted(flags: bool, ridge: float, parts: list[np.ndarray], federate: bool) -> tuple[np.ndarray, np.ndarray]:
        """Prepared rows and weights for one setting."""
        rows = np.concatenate(parts)
        x = prepared(rows, flags)
        return x, federated(x, ill, parts, ridge) if federate else steps(np.zeros(x.shape[1] + 1), x[rows], ill[rows], ridge, 300)

    for name, parts, federate in (("three pooled", inside, False), ("three federated", inside, True), ("largest hospital", [max(inside, key=len)], False)):
        tried = [fitted(flags, ridge, parts, federate) for flags in (False, True) for ridge in (0.001, 0.01, 0.1)]
        x, w = max(tried, key=lambda pair: roc_auc_score(ill[choose], score(pair[1], pair[0][choose])))
        logits[name][judged] = score(w, x[judged])
    logits["age alone"][judged] = table.age.to_numpy()[judged]
    for fold in range(5):  # what the hospital would reach with data of its own
        away, here = judged[np.arange(len(judged)) % 5 != fold], judged[np.arange(len(judged)) % 5 == fold]
        x = prepared(away, False)
        logits["at home"][here] = score(steps(np.zeros(x.shape[1] + 1), x[away], ill[away], 0.1, 300), x[here])
print("done:", ", ".join(logits))

# %% [markdown]
# ## What is lost
#
# AUC inside each hospital, then the mean of the four; the interval resamples patients inside each. *At home* is trained on the hospital's own patients by five folds: what the others' data compete with. It has fewer patients.

# %% tags=["demo"]
from scipy.stats import rankdata


def auc_by_ranks(y: np.ndarray, score: np.ndarray) -> float:
    """AUC from ranks, ties in the middle (lecture 4): many times faster than a library's, which a bootstrap needs."""
    ranks, sick = rankdata(score), int(y.sum())
    return (ranks[y == 1].sum() - sick * (sick + 1) / 2) / (sick * (len(y) - sick))


def by_hospital(rows_of: list[np.ndarray], logit: np.ndarray) -> np.ndarray:
    """AUC inside each hospital."""
    return np.array([auc_by_ranks(ill[rows], logit[rows]) for rows in rows_of])


rows_of = [np.flatnonzero(site == name) for name in sites]
point = {name: by_hospital(rows_of, logit) for name, logit in logits.items()}
drawn = {name: [] for name in logits}
for _ in range(500):  # the same patients for every method: differences are paired
    chosen = [rng.choice(rows, len(rows)) for rows in rows_of]
    if all(0 < ill[rows].mean() < 1 for rows in chosen):
        for name, logit in logits.items():
            drawn[name].append(by_hospital(chosen, logit))
drawn = {name: np.array(found) for name, found in drawn.items()}
fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
for k, (name, marker) in enumerate(zip(logits, "^sovD", strict=True)):
    low, high = np.percentile(drawn[name], [2.5, 97.5], axis=0)
    place = np.arange(len(sites)) + (k - 2) * 0.14
    ax.errorbar(place, point[name], np.abs([point[name] - low, high - point[name]]), fmt=marker, color=show.PALETTE[k], label=name, markersize=5)
ax.axhline(0.5, color="0.6", linewidth=0.8)
ax.set(xticks=range(len(sites)), xticklabels=sites, ylabel="AUC at this hospital")
fig.legend(fontsize=8, ncols=5, loc="outside upper center")
show.figure(fig, alt="AUC at each of four hospitals for age alone, a model from the largest other hospital, three pooled, three federated, and one trained at home, with 95 percent intervals")

# %% tags=["demo"]
mean = {name: (values_.mean(), *np.percentile(drawn[name].mean(axis=1), [2.5, 97.5])) for name, values_ in point.items()}
for name, (value, low, high) in mean.items():
    print(f"{name:18} {value:.3f} [{low:.3f}, {high:.3f}]")
gap = drawn["three federated"].mean(axis=1) - drawn["three pooled"].mean(axis=1)
print(f"federated minus pooled: {gap.mean():+.3f} [{np.percentile(gap, 2.5):+.3f}, {np.percentile(gap, 97.5):+.3f}], paired")
assert mean["three pooled"][0] > mean["age alone"][0] + 0.03, "three hospitals should know more than age"

# %% [markdown]
# ## Results

# %% tags=["results"]
for name in ("three pooled", "three federated", "largest hospital", "at home"):
    value, low, high = mean[name]
    results.record(LECTURE, run.profile, f"{heart.name}, {name}: mean AUC of four hospitals", value, low=low, high=high, baseline=mean["age alone"][0], baseline_name="age alone", source="this notebook")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Where a team could go
#
# | question | first step | what would decide it |
# |---|---|---|
# | Is the AUC kept, but the probability wrong? | calibration curves at the hospital left out; recalibrate with 20 of its patients | Brier score and net benefit, with an interval, against the number of patients used |
# | Do flags for missing values help, or only name the hospital? | predict the hospital from the flags | AUC with and without, at each hospital left out, paired |
# | What does differential privacy cost here? | clip and add noise to each hospital's step (lecture 12) | AUC against epsilon from an accountant, five draws of noise |
# | Does importance weighting or CORAL help the smallest hospital? | lecture 11's methods, settings chosen without the target's labels | paired difference to *three pooled*, and how often it does harm |
#
# **For images instead of tables**: split `pneumoniamnist` into four made-up scanners (blur, noise, gain), and ask the same.
#
# ## References
#
# - A. Janosi, W. Steinbrunn, M. Pfisterer, R. Detrano, Heart Disease, UCI Machine Learning Repository, 1988.
# - B. McMahan, E. Moore, D. Ramage, S. Hampson, B. Aguera y Arcas, Communication-efficient learning of deep networks from decentralized data, AISTATS 2017.
# - J. Quinonero-Candela, M. Sugiyama, A. Schwaighofer, N. Lawrence (editors), Dataset Shift in Machine Learning, MIT Press, 2009.
