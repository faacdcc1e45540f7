# %% [markdown]
# # Track 0 - The challenge: does it hold where you can't look?
#
# **The question.** Chest films of a home hospital come with labels; those of another hospital, from another machine, come without. Who has pneumonia there? The rules, and why the films are simulated, stand in the brief, [final_project](final_project.ipynb).
#
# **What you start from.** A linear model on coarse pixels, its strength chosen by patient; a check of that choice on hospitals to practise on, whose labels you have; a file to hand in; and what happens to those who let the leaderboard choose. It takes seconds.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | home hospital, some 550 films of 400 children, half of them with pneumonia; another hospital, some 700 films of 500 | this course, simulated (`helpers.challenge`); the real one is drawn by the instructor's key, which nobody else has | none needed | no child is in them | by hospital; a child has one to three films; the leaderboard knows 40 % of the children, the result is of the other 60 % |
#
# Put the folder that you were given beside this notebook, under the name `challenge_data`. Without it a hospital to practise on takes its place.

# %% tags=["parameters"]
LECTURE = "track_0_challenge"
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
# Names of films and children are random: neither name, nor order, nor the number of films of a child tells anything about the label. Look for yourself.

# %% tags=["demo"]
from pathlib import Path

from helpers import challenge

GIVEN = Path("challenge_data")
home, away = challenge.load(GIVEN) if GIVEN.is_dir() else challenge.practice(SEED)
print("the real one" if away.labels is None else "to practise", "|", len(home), "films at home,", len(away), "away")
shown = [*np.flatnonzero(home.labels == 1)[:3], *np.flatnonzero(home.labels == 0)[:3]]
show.row([*home.images[shown], *away.images[:3]], ["home, pneumonia"] * 3 + ["home, normal"] * 3 + ["away, ?"] * 3, window=(0, 255), height=1.6,
         alt="Three films with pneumonia and three normal ones from home, and three from the other hospital, which are blurred, shaded and exposed otherwise")

# %% [markdown]
# ## A trivial rule and a baseline
#
# Mean brightness; and logistic regression on 14 x 14 pixels, each film scaled by itself. Folds are made of children.

# %% tags=["demo"]
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_score


def coarse(films: challenge.Cohort) -> np.ndarray:
    """(N, 196) block means, each film with mean 0 and spread 1."""
    blocks = films.images.reshape(len(films), 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(films), -1)
    return (blocks - blocks.mean(axis=1, keepdims=True)) / (blocks.std(axis=1, keepdims=True) + 1e-6)


def at_home(strength: float) -> float:
    """AUC at home, over five folds of children."""
    model = LogisticRegression(C=strength, max_iter=3000)
    return cross_val_score(model, coarse(home), home.labels, groups=home.patients, cv=GroupKFold(5), scoring="roc_auc").mean()


STRENGTHS = (0.0003, 0.003, 0.03, 0.3)
found = {strength: at_home(strength) for strength in STRENGTHS}
best = max(found, key=found.get)
baseline = LogisticRegression(C=best, max_iter=3000).fit(coarse(home), home.labels)
print({strength: round(float(value), 3) for strength, value in found.items()}, "->", best)

# %% [markdown]
# ## Would that choice hold elsewhere?
#
# The other hospital's labels are not to be had; other *practice* hospitals' are. Five of them, each with its own machine: a look at how much is lost on the way, and how much that varies.

# %% tags=["demo"]
elsewhere = [challenge.cohort(1000 + k, "away", run.pick(ci=200, laptop=500)) for k in range(5)]
auc = {"baseline": np.array([roc_auc_score(films.labels, baseline.predict_proba(coarse(films))[:, 1]) for films in elsewhere])}
direction = np.sign(roc_auc_score(home.labels, home.images.mean((1, 2))) - 0.5)
auc["mean brightness"] = np.array([roc_auc_score(films.labels, direction * films.images.mean((1, 2))) for films in elsewhere])
for name, values in auc.items():
    print(f"{name:16} {values.mean():.3f}, from {values.min():.3f} to {values.max():.3f} | at home {found[best]:.3f}" if name == "baseline" else f"{name:16} {values.mean():.3f}")
assert auc["baseline"].mean() > auc["mean brightness"].mean() + 0.05, "the baseline should beat mean brightness at other hospitals"

# %% [markdown]
# ## The file
#
# `challenge.write` refuses what would be refused: a missing film, one twice, a value that is no probability. Handing it in costs one of your attempts.

# %% tags=["demo"]
probabilities = baseline.predict_proba(coarse(away))[:, 1]
path = challenge.write("challenge_baseline.csv", away.cases, probabilities)
print(path, "holds", len(away), "predictions;", path.read_text().splitlines()[:2])

# %% [markdown]
# ## What the leaderboard does to those who let it choose
#
# **Predict before you run.** Somebody has no idea of chest films. They send 300 files of random numbers, keep those that the leaderboard calls better than 0.5, turn the others round, and send the mean of all. What will the leaderboard say? And the private part?
#
# Here is the practice hospital with a leaderboard that tells everything, and with one like ours, which moves in steps of 0.02 and only upwards (and would stop after 20).

# %% tags=["demo"]
practice = challenge.practice(SEED)[1]
rng = np.random.default_rng(SEED)
children = np.unique(practice.patients)
public = np.isin(practice.patients, rng.permutation(children)[: int(0.4 * len(children))])
guesses = rng.random((300, len(practice)))
exact = np.array([roc_auc_score(practice.labels[public], guess[public]) for guess in guesses])
told_all = ((exact > 0.5) * 2 - 1) @ (guesses - 0.5)
best_so_far, rose = 0.5, np.zeros(len(exact), bool)
for k, value in enumerate(exact):
    rose[k] = value > best_so_far + 0.02
    best_so_far = round(value / 0.02) * 0.02 if rose[k] else best_so_far
told_steps = (guesses[rose] - 0.5).sum(0)
rows = {f"{name}, {part}": roc_auc_score(practice.labels[chosen], votes[chosen])
        for name, votes in (("tells everything", told_all), ("steps, only upwards", told_steps)) for part, chosen in (("public", public), ("private", ~public))}
fig, ax = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
ax.barh(list(rows), list(rows.values()), color=[show.PALETTE[0], show.PALETTE[1]] * 2)
ax.axvline(0.5, color="0.4", linewidth=0.8)
ax.invert_yaxis()
ax.set(xlabel="AUC of a mean of random files", xlim=(0.3, 1))
show.figure(fig, alt="AUC of a mean of random files: far above a half on the public part if the leaderboard tells everything, less so with steps, about a half on the private part in both cases")
print({name: round(float(value), 3) for name, value in rows.items()})

# %% [markdown]
# Where everything is told, a mean of nonsense looks like a good reader on the public part: it has learned those children's labels, not pneumonia. With steps it is about as good as the luckiest of a few coins. On the private part it is a coin in both cases, which is why that part decides, and why your own validation, not the
# leaderboard, should choose what you hand in last.

# %% [markdown]
# ## Results

# %% tags=["results"]
spread = auc["baseline"].std(ddof=1) / np.sqrt(len(elsewhere)) * 2.78  # t for five hospitals
results.record(LECTURE, run.profile, "linear baseline: AUC at five hospitals to practise on", auc["baseline"].mean(), low=auc["baseline"].mean() - spread, high=auc["baseline"].mean() + spread,
               baseline=auc["mean brightness"].mean(), baseline_name="mean brightness", source="this notebook")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Where a team could go
#
# | question | first step | what would decide it |
# |---|---|---|
# | What does a network add, and how much of it is lost away? | a small CNN, trained at home | paired AUC at ten practice hospitals |
# | Which augmentation is worth it? | contrast, blur, noise and shading, one at a time (lecture 11) | the same ten hospitals; choose on five, report on the others |
# | Do unlabelled films of the other hospital help? | adapt batch norm, or histogram matching, on `heldout.npz` | gain over not adapting, and in how many hospitals it does harm |
# | May a child's films be put together? | mean probability of a child | AUC by film and by child |
#
# ## References
#
# - A. Blum, M. Hardt, The Ladder: a reliable leaderboard for machine learning competitions, ICML 2015.
# - C. Dwork et al., The reusable holdout: preserving validity in adaptive data analysis, Science 349:636-638, 2015.
