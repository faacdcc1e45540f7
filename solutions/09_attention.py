# %% [markdown]
# # Lecture 9 - Attention
#
# **After this you can**
#
# - write scaled dot-product attention with masks that survives a patient without history, and prove what it can't see (8.1)
# - tell a task that needs a look-up from one that doesn't, and measure what attention adds beside a simple rule (8.1)
# - let a network weigh channels and places anew for every patient, and measure whether that helped at equal parameters (8.2)
# - build the parts of a vision transformer (patches, positions, heads, shifted windows) so that they agree with torch and MONAI (8.3)
# - compare a transformer with a CNN fairly: equal parameters, equal draws, rising amounts of data (8.3)
# - measure what attention costs in work, memory and time and which remedy changes the result, and test whether a map explains a decision (8.4)
#
# **Time** about 330 minutes, of which about 230 for the thirteen exercises and the reflection
#
# Sections carry the syllabus's numbers: this lecture is its chapter 8. No demonstration needs an exercise to be solved, so you can read on whenever you are stuck. Some cells train small networks; start them, and read on while they run.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations: your answers may use what they import and define, not what they compute.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `hippocampus` (8.2): T1 MR cut to the hippocampus, 1 mm | Medical Segmentation Decathlon, task 4 | CC BY-SA 4.0 | healthy adults and adults with a psychotic disorder, Vanderbilt; published without names | by case |
# | brain slices with planted lesions (8.1, 8.2) | this course, simulated from the MNI152 template | this course | nobody | by simulated patient; planted truth |
# | follow-up tables of lesions (8.1) | this course, simulated | this course | nobody | by simulated patient; planted truth |
# | `pneumoniamnist` (8.3, 8.4): 5856 chest films of children, pneumonia or normal | MedMNIST v2, from Kermany et al. 2018 | CC BY 4.0 | one hospital, ages 1-5; published without names | train and validation: the source's training folder, at random; test: the source's own test folder. Children are not named; several films of one child are likely |
# | ultrasound images with a planted lesion (8.3); spots with a planted rim lesion (8.4); organs in two places (8.3) | this course, simulated | this course | nobody | train and test simulated apart; planted truth |
#
# In the profile `ci` a simulated stand-in takes the place of the public set, and says so.

# %% tags=["parameters"]
LECTURE = "09_attention"
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
# ## 8.1 What attention is
#
# A patient with multiple sclerosis comes for her yearly scan. The radiologist finds eight lesions, and asks of each: has it grown? The answer is not in this lesion. It is in *one* of the seven entries of last year's report, the one that lies at the same place. The reader
# looks it up, compares, and goes on to the next lesion, which has another partner.
#
# A convolution can't do that. Its weights are fixed after training, and it looks at its neighbours, wherever the partner may be. **Attention** makes the weights depend on the content: each element decides anew from whom it takes information, however far away that is.
#
# ### From a dictionary to a soft look-up
#
# A dictionary compares a **query** with its **keys** and returns the **value** of the key that is equal. Exact equality is brittle, and has no gradient. So let every key answer, each with a weight that says how well it fits:
#
# $$o = \sum_j a_j v_j, \qquad a = \mathrm{softmax}(s), \qquad s_j = \text{how well key } k_j \text{ fits the query } q .$$
#
# - Bahdanau, Cho and Bengio (ICLR 2015) let a translator look back at the source sentence this way. Their score is a small network, $s_j = w^\top \tanh(W_q q + W_k k_j)$: **additive** attention.
# - The attention pooling of lecture 7 (Ilse and others, ICML 2018) is the same with *one* query for everybody: it is learned, and stays the same for every bag. It asks always one question: "which cells matter?"
# - Vaswani and others (NeurIPS 2017) take the **scaled dot product** $s_j = q^\top k_j / \sqrt d$, with $d$ the number of features of $q$ and $k_j$. With $N$ queries as rows of $Q$ $(N, d)$, $M$ keys as rows of $K$ $(M, d)$ and values $V$ $(M, e)$, all is two products of matrices:
#
# $$\mathrm{Attention}(Q, K, V) = \underbrace{\mathrm{softmax}\Big(\frac{QK^\top}{\sqrt d}\Big)}_{A\ (N, M),\ \text{each row sums to 1}} V .$$
#
# The elements are called **tokens**: visits, lesions, pixels, patches. In **self-attention** queries, keys and values are three linear maps of the same tokens, $Q = XW_Q$, $K = XW_K$, $V = XW_V$. In **cross-attention** the queries come from one set and the keys from another.
#
# Before anything is learned, see the look-up at work. A pixel of an MR slice is described by its 3 x 3 neighbourhood in three contrasts; queries and keys are these 27 numbers, brought to length 1. (With the intensities as values, this is non-local means, a denoiser from 2005 by Buades,
# Coll and Morel. Wang and others, CVPR 2018, put learned maps into it and called it a non-local network.)
#
# **Predict before you run.** The query is a pixel in one of several lesions. Where does it look: at its neighbours, or at the other lesions?

# %% tags=["demo"]
import ipywidgets as widgets
from scipy import ndimage

contrasts = ("t1", "t2", "flair")
ms_scans = [simulate.brain_slice(name, size=96, spacing=2.1, lesions=5, noise=0.03, seed=3) for name in contrasts]
ms_lesion, ms_tissue, ms_mask = ms_scans[0].lesion, ms_scans[0].tissue, ms_scans[0].mask
ms_stack = torch.tensor(np.stack([(scan.image - scan.image[ms_mask].mean()) / scan.image[ms_mask].std() for scan in ms_scans])).float()
around = torch.nn.functional.unfold(ms_stack[None], 3, padding=1)[0].T  # (pixels, 27): the 3 x 3 neighbourhood in three contrasts
brain_pixels = torch.tensor(np.flatnonzero(ms_mask))
ms_spots = ndimage.label(ms_lesion)[0]  # each lesion a number
pixel_keys = torch.nn.functional.normalize(around[brain_pixels], dim=1)


def draw_lookup(row: int, column: int, sharpness: int):
    """Attention of one pixel over all pixels of the brain, and how much of it tissues and lesions get."""
    place = int(np.argmin(np.abs(np.argwhere(ms_mask) - [row, column]).sum(1)))  # the nearest pixel of the brain
    weights = (sharpness * pixel_keys @ pixel_keys[place]).softmax(0)
    seen = np.full(ms_mask.shape, np.nan)
    seen[ms_mask] = (weights / weights.max()).sqrt().numpy()
    kind = np.where((ms_spots == ms_spots[ms_mask][place]) & ms_lesion, 5, ms_tissue)[ms_mask]
    share = [float(weights[torch.tensor(kind == t)].sum()) for t in (1, 2, 3, 5, 4)]
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained", width_ratios=[1, 1, 0.9])
    axes[0].imshow(ms_scans[2].image)
    show.outline(axes[0], ms_lesion)
    axes[1].imshow(seen, cmap=show.SEQUENTIAL, vmin=0, vmax=0.6)
    (top, left), (bottom, right) = np.argwhere(ms_mask).min(0) - 2, np.argwhere(ms_mask).max(0) + 2
    for ax, title in zip(axes, ("FLAIR, lesions outlined; circle: the query", "attention (its root; bright: much)"), strict=False):
        for color, width in (("black", 4), ("white", 2)):  # seen on dark and on bright
            ax.plot(*np.argwhere(ms_mask)[place][::-1], "o", color=color, markersize=21, markerfacecolor="none", markeredgewidth=width)
        ax.set(xlim=(left, right), ylim=(bottom, top))
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
    bars = axes[2].barh(["fluid", "grey", "white", "this lesion", "other lesions"], share, color=[show.PALETTE[i] for i in (5, 2, 0, 4, 1)])
    axes[2].bar_label(bars, [f"{part:.0%}" for part in share], padding=3)
    axes[2].set(xlim=(0, 1.1), xlabel="share of the attention")
    return fig


largest = np.argwhere(ms_spots == np.bincount(ms_spots.flat)[1:].argmax() + 1)
start_row, start_column = largest[np.abs(largest - largest.mean(0)).sum(1).argmin()]  # the middle of the largest lesion
show.explore(draw_lookup, row=widgets.IntSlider(int(start_row), 10, 85, description="row"), column=widgets.IntSlider(int(start_column), 10, 85, description="column"),
             sharpness=widgets.IntSlider(20, 5, 100, 5, description="sharpness"),
             alt="A FLAIR slice with outlined lesions and a circle round the query in one of them, its attention over the brain, and bars of what each tissue gets: its own lesion most, then the other lesions, far from the query, and some grey matter")

# %% [markdown]
# The query finds its like, across the whole brain, in one step. (Most goes to its own lesion, then to the other lesions; the white matter around it gets next to nothing: read the bars.) A convolution of 3 x 3 needs dozens of layers to bridge the distance. Move the circle into a ventricle or the cortex, and lower the sharpness: with a flat softmax everybody looks at everything, and all get the mean.
#
# So what does $\sqrt d$ do? Exactly that: it sets the sharpness. If the entries of $q$ and $k$ are independent with mean 0 and variance 1, then $q^\top k$ has variance $d$. Wide scores make the softmax a hard maximum, and a hard maximum has no gradient: the Jacobian of the softmax is
# $\partial a_i / \partial s_j = a_i(\delta_{ij} - a_j)$, and every entry vanishes when one $a_i$ is 1 and the others are 0.
#
# **Predict before you run.** Among 64 random keys, with $d = 1024$ and no scaling: how much attention does the winner get? And with it?

# %% tags=["demo"]
widths = [4, 16, 64, 256, 1024]
saturation = {}
for scaled in (False, True):
    for d in widths:
        rng = torch.Generator().manual_seed(d)
        random_q, random_k = torch.randn(200, d, generator=rng), torch.randn(200, 64, d, generator=rng)
        a = (torch.einsum("nd,nmd->nm", random_q, random_k) / (d**0.5 if scaled else 1)).softmax(1)
        slope = torch.diag_embed(a) - a[:, :, None] * a[:, None]  # da_i/ds_j of each query
        saturation[scaled, d] = a.amax(1).mean().item(), slope.square().sum((1, 2)).sqrt().median().item()
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for scaled, line_style, marker in ((False, "--", "s"), (True, "-", "o")):
    for ax, part in zip(axes, (0, 1), strict=True):
        ax.plot(widths, [saturation[scaled, d][part] for d in widths], line_style, marker=marker, color=show.PALETTE[0 if scaled else 3], label="divided by the root of d" if scaled else "not scaled")
        ax.set(xscale="log", xlabel="features d")
        ax.set_xticks(widths, widths)
        ax.minorticks_off()
axes[0].set(ylabel="largest attention, mean", ylim=(0, 1.02))
axes[1].set(ylabel="size of the softmax's Jacobian, median", yscale="log")
axes[0].legend()
show.figure(fig, alt="Two panels over the number of features: without scaling the largest attention rises towards 1 and the Jacobian falls by orders of magnitude; with scaling both stay level")
assert saturation[False, 1024][0] > 0.8 and saturation[True, 1024][0] < 0.25, "without scaling the softmax should saturate, with it not"
print(f"d = 1024: the winner gets {saturation[False, 1024][0]:.0%} without scaling and {saturation[True, 1024][0]:.0%} with it; "
      f"the median Jacobian is {saturation[True, 1024][1] / saturation[False, 1024][1]:.1g} times as large with it")

# %% [markdown]
# With the scaling, attention starts soft at every width and *learns* to be sharp. Without it, a wide layer starts nearly frozen: half of its queries get almost no gradient.
#
# ### Masks
#
# Patients have different numbers of visits. A batch is a rectangle, so short histories are filled up with **padding**, and nobody may look at the fillers. And a forecast made at visit 3 must not know visit 4: a **causal** mask forbids the future. (Forget it, and the model is excellent in
# your archive and useless on Monday.) Both work by setting forbidden scores to $-\infty$ *before* the softmax. Below, torch's own `scaled_dot_product_attention` is asked for its weights by a small trick: with the identity as values, the output *is* the attention.

# %% tags=["demo"]
import torch.nn.functional as F

rng = torch.Generator().manual_seed(1)
visit_q, visit_k = torch.randn(1, 6, 8, generator=rng), torch.randn(1, 6, 8, generator=rng)
there = (torch.arange(6) < 4)[None, None].expand(1, 6, 6)  # four real visits, two fillers
kinds_of_mask = {"no mask": None, "padding": there, "padding and causal": there & torch.ones(6, 6, dtype=torch.bool).tril()}
fig, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
for ax, (name, allowed) in zip(axes, kinds_of_mask.items(), strict=True):
    weights = F.scaled_dot_product_attention(visit_q, visit_k, torch.eye(6)[None], attn_mask=allowed)[0]
    ax.imshow(weights, cmap=show.SEQUENTIAL, vmin=0, vmax=1)
    for i, j in np.ndindex(6, 6):
        ax.text(j, i, f"{weights[i, j]:.2f}".lstrip("0") if weights[i, j] > 0 else "0", ha="center", va="center", fontsize=8, color="white" if weights[i, j] < 0.5 else "black")
    ax.set(title=name, xlabel="key: visit (4 and 5 are padding)", xticks=range(6), yticks=range(6))
axes[0].set_ylabel("query: visit")
show.figure(fig, alt="Three attention matrices of six visits: without a mask all entries are positive; with padding the last two columns are 0; with a causal mask the upper triangle is 0, too")

# %% [markdown]
# Each row still sums to 1: what is forbidden goes to the others. (The rows of the fillers look at real visits; that does no harm as long as nobody reads their output.) One case is left open by the formula: a row in which *everything* is forbidden.
#
# ### Attention doesn't know the order
#
# Nothing in $\mathrm{softmax}(QK^\top/\sqrt d)V$ says which token came first. Reorder the tokens by a permutation matrix $P$: then $Q, K, V$ become $PQ, PK, PV$, the scores become $P\,QK^\top P^\top$, the softmax acts row by row, and $P^\top P = I$. So
#
# $$f(PX) = P A P^\top P V = P f(X):$$
#
# self-attention is **permutation equivariant**. For a set, such as the lesions of a patient, that is just right. For an image it means that the network does not know up from down, unless position is put into the tokens.

# %% tags=["demo"]
torch.manual_seed(0)
torch_attention = torch.nn.MultiheadAttention(16, 4, batch_first=True).eval()
ten_tokens, ten_places, mixed_up = torch.randn(1, 10, 16), torch.randn(1, 10, 16), torch.randperm(10)
with torch.no_grad():
    for name, place in (("without position", torch.zeros(1, 10, 16)), ("with position", ten_places)):
        straight, mixed = (torch_attention(t + place, t + place, t + place)[0] for t in (ten_tokens, ten_tokens[:, mixed_up]))
        print(f"{name:17s} largest |f(PX) - P f(X)| = {(mixed - straight[:, mixed_up]).abs().max():.1e}")

# %% [markdown]
# The first number is rounding. The second isn't.
#
# ### Has this lesion grown? A task that needs a look-up
#
# Now the radiologist's task, with planted truth. A patient's table holds the lesions of last year's scan and of today's, in no order: place in mm (after registration, with an error of some 3 mm), log-volume, and whether it is of the old or of the new scan. Question, for each of today's
# lesions: has it grown since? Half have. No lesion says so by itself. Patients have between 2 and 8 lesions, so the tables are padded.
#
# Four networks with nearly the same number of parameters. Each embeds a lesion by the same two layers, gets a **context** $c_i$ for it, and decides from the lesion and its context:
#
# | network | context of lesion $i$ |
# |---|---|
# | alone | a deeper look at lesion $i$ itself |
# | neighbours | a convolution over three neighbours in the list |
# | mean | the mean over all of the patient's lesions (Deep Sets, Zaheer et al., NeurIPS 2017) |
# | attention | self-attention, one head |
#
# Beside them a rule without learning: compare with the *nearest* old lesion. That is what a careful programmer would write.
#
# **Predict before you run.** Today's volume alone tells something: large lesions have more often grown. Which networks will do better than that? And where will attention look?

# %% tags=["demo"]
MOST = 8  # lesions a patient


def follow_up_tables(patients: int, seed: int) -> dict[str, torch.Tensor]:
    """Tokens (P, 16, 4): x, y (30 mm), log-volume, new scan; real; grown; prior: the row of the same lesion in the old scan, -1 if there is none."""
    rng = np.random.default_rng(seed)
    tokens, partner = np.zeros((patients, 2 * MOST, 4), np.float32), np.full((patients, 2 * MOST), -1)
    real, grown = np.zeros((patients, 2 * MOST), bool), np.zeros((patients, 2 * MOST), np.float32)
    for p, n in enumerate(rng.integers(2, MOST + 1, patients)):
        place, volume, change = rng.uniform(-60, 60, (n, 2)), rng.normal(0, 1, n), rng.normal(0, 0.5, n)
        old = np.c_[place / 30, volume, np.zeros(n)]
        new = np.c_[(place + rng.normal(0, 3, (n, 2))) / 30, volume + change, np.ones(n)]
        row_of = rng.permutation(2 * n)  # the list is in no order
        tokens[p, row_of], real[p, : 2 * n] = np.r_[old, new], True
        partner[p, row_of[n:]], grown[p, row_of[n:]] = row_of[:n], change > 0
    return {"tokens": torch.tensor(tokens), "real": torch.tensor(real), "grown": torch.tensor(grown), "prior": torch.tensor(partner)}

# %% tags=["demo"]
from torch import nn


class FollowUpNet(nn.Module):
    """(P, T, 4) tokens and (P, T) real -> (P, T) logits of growth, and attention (P, T, T) or None."""

    def __init__(self, context: str, width: int = 32) -> None:
        super().__init__()
        self.kind, hidden = context, 48
        self.embed = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, width))
        if context == "attention":
            self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        elif context == "neighbours":
            self.mix = nn.Conv1d(width, width, 3, padding=1)
        else:
            self.mix = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.head = nn.Sequential(nn.Linear(2 * width, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, tokens: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        h, a = self.embed(tokens) * real[..., None], None
        if self.kind == "attention":
            everybody = torch.eye(h.shape[1], device=h.device).expand(len(h), -1, -1)  # as values: the output is the attention
            a = F.scaled_dot_product_attention(self.q(h), self.k(h), everybody, attn_mask=real[:, None].expand(-1, h.shape[1], -1))
            c = a @ self.v(h)
        elif self.kind == "mean":
            c = ((self.mix(h) * real[..., None]).sum(1, keepdim=True) / real.sum(1)[:, None, None]).expand_as(h)
        else:
            c = self.mix(h.transpose(1, 2)).transpose(1, 2) if self.kind == "neighbours" else self.mix(h)
        return self.head(torch.cat([h, c], -1))[..., 0], a

# %% tags=["demo"]
from scipy.stats import t as student_t


def t_interval(values) -> tuple[float, float, float]:
    """Mean and 95 % t-interval over seeds or draws."""
    values = np.asarray(values, float)
    half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def train_follow_up(context: str, tables: dict, seed: int, steps: int) -> FollowUpNet:
    """One network: AdamW, one-cycle schedule, batches of 64 patients, the last step is taken."""
    torch.manual_seed(seed)
    net, rng = FollowUpNet(context).to(device), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(tables["real"]), (64,), generator=rng)
        batch = train.to_device({name: part[rows] for name, part in tables.items()}, device)
        logits, _ = net(batch["tokens"], batch["real"])
        asked = batch["prior"] >= 0  # today's lesions
        loss = F.binary_cross_entropy_with_logits(logits[asked], batch["grown"][asked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net


follow_train, follow_test = follow_up_tables(run.pick(ci=3000, laptop=6000), 1), follow_up_tables(800, 2)
asked_test, follow_steps, follow_seeds = follow_test["prior"] >= 0, run.pick(ci=170, laptop=450), run.pick(ci=3, laptop=5)
follow_accuracy, follow_hits = {}, []
for context in ("alone", "neighbours", "mean", "attention"):
    follow_accuracy[context] = []
    for seed in range(follow_seeds):
        follow_net = train_follow_up(context, follow_train, SEED + seed, follow_steps)
        with torch.no_grad():
            logits, looked = follow_net(follow_test["tokens"].to(device), follow_test["real"].to(device))
        follow_accuracy[context].append(((logits.cpu() > 0) == (follow_test["grown"] > 0))[asked_test].float().mean().item())
        if looked is not None:
            looked = looked.cpu()
            follow_hits.append((looked.argmax(-1) == follow_test["prior"])[asked_test].float().mean().item())
    print(f"{context:10s} {sum(p.numel() for p in follow_net.parameters())} parameters, accuracy {np.mean(follow_accuracy[context]):.3f} (over {follow_seeds} seeds {np.min(follow_accuracy[context]):.3f} to {np.max(follow_accuracy[context]):.3f})")

# %% tags=["demo"]
far_apart = torch.cdist(follow_test["tokens"][..., :2], follow_test["tokens"][..., :2])
old_ones = follow_test["real"] & (follow_test["tokens"][..., 3] == 0)
nearest_old = far_apart.masked_fill(~old_ones[:, None], torch.inf).argmin(-1)
volumes = follow_test["tokens"][..., 2]
rule_accuracy = ((volumes > volumes.gather(1, nearest_old)) == (follow_test["grown"] > 0))[asked_test].float().mean().item()
own_accuracy = ((volumes > 0) == (follow_test["grown"] > 0))[asked_test].float().mean().item()  # large today: has grown
hit_chance = (1 / (follow_test["real"].sum(1, keepdim=True)).expand_as(asked_test))[asked_test].mean().item()

fig, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", width_ratios=[1.15, 1])
for i, values in enumerate(follow_accuracy.values()):
    mean, low, high = t_interval(values)
    axes[0].errorbar(mean, i, xerr=[[mean - low], [high - mean]], fmt="osD^"[i], color=show.PALETTE[i], capsize=4, markersize=7)
for value, name, style in ((own_accuracy, "large today means grown", ":"), (rule_accuracy, "nearest old lesion, by rule", "--")):
    axes[0].axvline(value, color="black", linestyle=style, label=name)
axes[0].set(yticks=range(4), yticklabels=list(follow_accuracy), xlabel="accuracy on new patients (mean, 95 % interval over seeds)", xlim=(0.5, 1.02), ylim=(-0.5, 3.5))
axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9, ncols=2)
one = int(torch.argmax((follow_test["real"].sum(1) == 12).float()))  # a patient with six lesions
today = torch.nonzero(follow_test["prior"][one] >= 0)[:, 0]
columns = torch.cat([follow_test["prior"][one][today], today])  # last year's lesions in the order of their partners, then today's
weights = axes[1].imshow(looked[one][today][:, columns], cmap=show.SEQUENTIAL, vmin=0, vmax=1)
fig.colorbar(weights, ax=axes[1], shrink=0.5, label="attention")
axes[1].plot(range(6), range(6), "s", markersize=15, markerfacecolor="none", markeredgecolor="white", markeredgewidth=3)  # white and black: seen on every cell
axes[1].plot(range(6), range(6), "s", markersize=15, markerfacecolor="none", markeredgecolor="black", label="the same lesion (planted)")
axes[1].set(xlabel="looks at: lesions of last year, then of today", ylabel="lesion of today", xticks=range(12), xticklabels=[*"abcdefABCDEF"], yticks=range(6), yticklabels=[*"ABCDEF"])
axes[1].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
show.figure(fig, alt="Left: accuracy of four networks with intervals; attention is near the rule of the nearest old lesion, the others are far below. Right: attention of one patient's six lesions over their twelve entries; the bright cells lie in the squares that mark the same lesion of last year")
print(f"the largest attention lies on the same lesion of last year in {np.mean(follow_hits):.0%} of the cases (by chance {hit_chance:.0%})")
assert np.mean(follow_accuracy["attention"]) > max(np.mean(v) for name, v in follow_accuracy.items() if name != "attention") + 0.08, "attention should be well ahead of the networks without a look-up"
assert np.mean(follow_accuracy["attention"]) > 0.85 and np.mean(follow_hits) > 0.7, "attention should find the lesion of last year"

# %% [markdown]
# Read it from below. *Alone* is where the volume of today gets you. *Neighbours* sees one more lesion on either side of a list without order, which is seldom the right one. The *mean* sees everybody, but as a summary: it can tell a patient who got worse from one who got better, and no more.
# *Attention* gets nearly all. Nobody told it to match by place: it found that rule because it pays, and its weights lie on the partner that we planted. (Here, with one layer and a task that is nothing but a look-up, the weights explain the decision. Section 8.4 shows when they don't.)
#
# And the honest line: a rule of one line of code is as good, or better, without any training. Where you *know* what to compare with, write it down. Attention is for the cases in which you don't.

# %% [markdown]
# ### Exercise 8.1a - scaled dot-product attention
#
# Difficulty 3 of 5 - 5 points - about 20 minutes - *after it you can write the operation that all transformers are made of, so that it survives a patient without any prior*
#
# Write `scaled_attention(q, k, v, mask)`: $S = QK^\top/\sqrt d$, then $A = \mathrm{softmax}(S)$ over the **keys**, then $O = AV$. Where `mask` is False, query $i$ may not look at key $j$. A first visit has no prior: all its keys
# are forbidden. There the softmax would be 0/0, so define it: no attention, and the zero vector. And no `nan` may hide in the gradient, or the first such patient ends the training.
#
# <details><summary>Hint 1: the idea</summary>Forbidden scores must be out of the race before the softmax. With minus infinity in a whole row the softmax is nan, and may live on in the gradient even if you replace it afterwards. A huge but finite negative number is safe. What does it give in a row that is all forbidden, and how do you get from there to 0?</details>
# <details><summary>Hint 2: what to call</summary><code>scores.masked_fill(~mask, torch.finfo(scores.dtype).min)</code>, <code>.softmax(-1)</code>, and then a product with the mask.</details>
# <details><summary>My rows don't sum to 1</summary>Over which axis does the softmax run? The last axis of the scores counts keys. Or did you mask after it?</details>
# <details><summary>My output is close, but not equal</summary>Is $d$ the number of features of a key, or did you take another axis? Is there a square root?</details>

# %% nbgrader={"grade": false, "grade_id": "scaled-attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def scaled_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Scaled dot-product attention (Vaswani et al., NeurIPS 2017).

    Args:
        q: queries (B, N, d). k: keys (B, M, d). v: values (B, M, e). Floating point, finite.
        mask: bool (B, N, M), True where the query may look at the key; None: every query may look at every key.

    Returns:
        output (B, N, e) and attention (B, N, M). Attention sums to 1 over the keys and is exactly 0 where mask is False. A query that may look at no key
        gets attention 0 everywhere and the output 0. The gradients with respect to q, k and v are finite in every case.
    """
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1) * mask  # the product empties rows without any key
    return weights @ v, weights
    ### END SOLUTION

# %% tags=["given"]
def attention_gradients(q_values, k_values, v_values, allowed) -> list:
    """Gradients of the sum of squares of your output by q, k and v, as arrays; zeros where your output does not depend on them."""
    parts = [torch.tensor(np.asarray(part), dtype=torch.float64, requires_grad=True) for part in (q_values, k_values, v_values)]
    output, _ = scaled_attention(*parts, torch.tensor(np.asarray(allowed), dtype=torch.bool))
    if not output.requires_grad:
        return [np.zeros(part.shape) for part in parts]
    found = torch.autograd.grad((output**2).sum(), parts, allow_unused=True)
    return [np.zeros(part.shape) if one is None else one.numpy() for part, one in zip(parts, found, strict=True)]

# %% nbgrader={"grade": true, "grade_id": "scaled-attention-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The value: the same as torch's own scaled_dot_product_attention, for other numbers of queries, keys and features
rng_a = torch.Generator().manual_seed(1)
q_a, k_a, v_a = torch.randn(3, 4, 16, generator=rng_a), torch.randn(3, 6, 16, generator=rng_a), torch.randn(3, 6, 5, generator=rng_a)
answer_a = scaled_attention(q_a.clone(), k_a.clone(), v_a.clone())
assert isinstance(answer_a, (tuple, list)) and len(answer_a) == 2, "return two things: output and attention"
o_a, a_a = (torch.as_tensor(part).detach() for part in answer_a)
assert tuple(a_a.shape) == (3, 4, 6), f"4 queries and 6 keys: attention should have shape (3, 4, 6), got {tuple(a_a.shape)}"
assert tuple(o_a.shape) == (3, 4, 5), f"the output should have one value vector a query, shape (3, 4, 5), got {tuple(o_a.shape)}"
products = torch.einsum("bnd,bmd->bnm", q_a, k_a)
assert not torch.allclose(a_a.sum(1), torch.ones(3, 6), atol=1e-4), "your attention sums to 1 over the queries: the softmax must run over the keys, the last axis"
assert torch.allclose(a_a.sum(2), torch.ones(3, 4), atol=1e-4), f"attention should sum to 1 over the keys of each query, got {a_a.sum(2)[0].numpy().round(3)}"
assert not torch.allclose(a_a, products.softmax(2), atol=1e-4), "you forgot the scaling: divide the scores by the square root of d before the softmax"
assert not torch.allclose(a_a, (products / 16).softmax(2), atol=1e-4), "you divided by d: the scores' standard deviation is the square root of d"
assert not torch.allclose(a_a, (products * 4).softmax(2), atol=1e-4), "you multiplied by the square root of d: divide"
assert torch.allclose(a_a, (products / 4).softmax(2), atol=1e-4), "the attention is not softmax(Q K^T / sqrt(d))"
assert torch.allclose(o_a, torch.nn.functional.scaled_dot_product_attention(q_a, k_a, v_a), atol=1e-4), "the output is not the sum of attention times values"
### BEGIN HIDDEN TESTS
for number, (b, n, m, d, e) in enumerate(((1, 7, 7, 7, 7), (2, 1, 9, 3, 4), (4, 5, 1, 2, 1))):
    rng_a = torch.Generator().manual_seed(20 + number)
    q_a, k_a, v_a = (torch.randn(*shape, generator=rng_a, dtype=torch.float64) for shape in ((b, n, d), (b, m, d), (b, m, e)))
    o_a, a_a = (torch.as_tensor(part).detach().double() for part in scaled_attention(q_a.clone(), k_a.clone(), v_a.clone()))
    truth_a = (torch.einsum("bnd,bmd->bnm", q_a, k_a) / d**0.5).softmax(2)
    assert a_a.shape == truth_a.shape and torch.allclose(a_a, truth_a, atol=1e-5), f"attention is off with {n} queries, {m} keys and d = {d}"
    whole_a = torch.nn.functional.scaled_dot_product_attention(q_a, k_a, v_a)
    assert o_a.shape == whole_a.shape and torch.allclose(o_a, whole_a, atol=1e-5), f"the output is off with {n} queries, {m} keys and d = {d}"
far_a = torch.tensor([[[300.0, 0.0]]])
o_a, a_a = (torch.as_tensor(part).detach() for part in scaled_attention(far_a, torch.tensor([[[300.0, 0.0], [0.0, 300.0]]]), torch.tensor([[[1.0], [2.0]]])))
assert torch.allclose(a_a, torch.tensor([[[1.0, 0.0]]])) and torch.allclose(o_a, torch.ones(1, 1, 1)), "large scores overflow: use torch's softmax instead of exp"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "scaled-attention-mask", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The mask: a forbidden key is as if it were not there
rng_a = torch.Generator().manual_seed(2)
q_a, k_a, v_a = (torch.randn(2, 5, 8, generator=rng_a) for _ in range(3))
mask_a = torch.rand(2, 5, 5, generator=rng_a) < 0.6
mask_a[:, :, 0] = True  # each query has a key
o_a, a_a = (torch.as_tensor(part).detach() for part in scaled_attention(q_a, k_a, v_a, mask_a.clone()))
assert tuple(a_a.shape) == (2, 5, 5), f"attention should have shape (2, 5, 5), got {tuple(a_a.shape)}"
assert not (a_a[mask_a] == 0).all(), "your mask is upside down: True means that the query MAY look"
assert (a_a[~mask_a] == 0).all(), f"forbidden keys get attention, up to {a_a[~mask_a].abs().max():.3f}: it must be exactly 0"
assert torch.allclose(a_a.sum(2), torch.ones(2, 5), atol=1e-4), "with a mask attention no longer sums to 1: mask the scores before the softmax, not the weights after it"
assert torch.allclose(o_a, torch.nn.functional.scaled_dot_product_attention(q_a, k_a, v_a, attn_mask=mask_a), atol=1e-4), "the masked output differs from torch's"
loud_a = torch.tensor([[[1000.0], [1.0], [0.0]]])
o_a, a_a = (torch.as_tensor(part).detach() for part in scaled_attention(torch.ones(1, 1, 1), loud_a, loud_a, torch.tensor([[[False, True, True]]])))
assert torch.allclose(a_a[0, 0], torch.tensor([0.0, 0.7311, 0.2689]), atol=1e-3), "the forbidden key fits by far the best, and the allowed ones share what it left: it must be out of the race *before* the softmax, whatever its score"
### BEGIN HIDDEN TESTS
for number in range(4):
    rng_a = torch.Generator().manual_seed(30 + number)
    q_a, k_a, v_a = (torch.randn(1, size, 6, generator=rng_a) for size in (3, 7, 7))
    kept = torch.randperm(7, generator=rng_a)[:3]
    mask_a = torch.zeros(1, 3, 7, dtype=torch.bool)
    mask_a[:, :, kept] = True
    k_a[:, [j for j in range(7) if j not in kept.tolist()]] *= 50  # what is forbidden may be loud
    o_a, a_a = (torch.as_tensor(part).detach() for part in scaled_attention(q_a, k_a, v_a, mask_a.clone()))
    alone_a = torch.nn.functional.scaled_dot_product_attention(q_a, k_a[:, kept], v_a[:, kept])
    assert torch.allclose(o_a, alone_a, atol=1e-4), "with forbidden keys the output should be what it is without these keys"
    assert (a_a[~mask_a] == 0).all(), "a forbidden key gets attention"
    assert torch.allclose(a_a[:, :, kept], (q_a @ k_a[:, kept].transpose(1, 2) / 6**0.5).softmax(2), atol=1e-4), "attention to the allowed keys is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "scaled-attention-nothing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A query with nothing to look at: no attention, the zero vector, and the other queries are not disturbed
rng_a = torch.Generator().manual_seed(3)
q_a, k_a, v_a = (torch.randn(1, 3, 4, generator=rng_a) for _ in range(3))
mask_a = torch.tensor([[[False, False, False], [True, False, False], [True, True, False]]])
o_a, a_a = (torch.as_tensor(part).detach() for part in scaled_attention(q_a, k_a, v_a, mask_a.clone()))
assert torch.isfinite(o_a).all() and torch.isfinite(a_a).all(), "a first visit has no prior, and your attention is nan there: define it as 0"
assert not torch.allclose(a_a[0, 0], torch.full((3,), 1 / 3), atol=1e-4), "with all keys forbidden you look at all of them alike, padding included: the attention should be 0"
assert (a_a[0, 0] == 0).all() and (o_a[0, 0] == 0).all(), "a query without keys should get attention 0 and output 0"
assert torch.allclose(o_a[0, 1], v_a[0, 0], atol=1e-5), "the second query has one key, so its output is the value of that key"
### BEGIN HIDDEN TESTS
o_a, a_a = (torch.as_tensor(part).detach() for part in scaled_attention(q_a, k_a, v_a, torch.zeros(1, 3, 3, dtype=torch.bool)))
assert tuple(o_a.shape) == (1, 3, 4) and (o_a == 0).all() and (a_a == 0).all(), "with everything forbidden all outputs should be 0"
low_a = torch.full((1, 3, 4), -40.0)
o_a, a_a = (torch.as_tensor(part).detach() for part in scaled_attention(-low_a, low_a, v_a, mask_a.clone()))
assert torch.allclose(a_a[0, 2], torch.tensor([0.5, 0.5, 0.0])), "very negative scores of allowed keys must still win against forbidden keys: fill with minus infinity or the lowest float, not with -1e3"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "scaled-attention-gradient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Gradients: finite even where a query sees nothing, and those of torch elsewhere
rng_n = np.random.default_rng(4)
q_n, k_n, v_n = (rng_n.normal(size=(1, 3, 4)) for _ in range(3))
mask_n = np.array([[[False, False, False], [True, False, False], [True, True, False]]])
found_n = [np.asarray(part) for part in attention_gradients(q_n, k_n, v_n, mask_n)]
assert all(np.isfinite(part).all() for part in found_n), "a row without keys puts nan into the gradient: replacing nan after the softmax is too late where minus infinity was added. Fill with a finite number before it"
rest_n = [torch.tensor(part, requires_grad=True) for part in (q_n[:, 1:], k_n, v_n)]
torch.nn.functional.scaled_dot_product_attention(*rest_n, attn_mask=torch.tensor(mask_n[:, 1:])).square().sum().backward()
assert np.allclose(found_n[2], rest_n[2].grad.numpy(), atol=1e-5), "the gradient by the values is off: is the output still a function of v?"
assert np.allclose(found_n[1], rest_n[1].grad.numpy(), atol=1e-5), "the gradient by the keys is off: did you detach the attention?"
### BEGIN HIDDEN TESTS
assert found_n[0].shape == (1, 3, 4) and np.allclose(found_n[0][:, 0], 0), "a query that sees nothing should get no gradient"
assert np.allclose(found_n[0][:, 1:], rest_n[0].grad.numpy(), atol=1e-5), "the gradient by the queries is off"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 8.1b - masks for ragged visits
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can batch patients of unequal history without letting padding, or the future, speak*
#
# Write `visit_mask(lengths, size, causal)`. Patient $b$ has `lengths[b]` visits in order of time; the rest of the `size` places is padding. Entry $(b, i, j)$ is True where visit $i$ may look at visit $j$: both are real, and with `causal=True` visit $j$ is not later
# than visit $i$. (A real visit may always look at itself; a filler looks at nothing.)
#
# <details><summary>Hint 1: the idea</summary>Two questions with an "and" between: is it there? Is it not in the future? Each is a comparison of indices.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.arange(size) < lengths[:, None]</code> gives (B, size). Broadcast it once as a row and once as a column. <code>torch.ones(size, size).tril()</code> holds ones where j is at most i.</details>
# <details><summary>Padding rows of mine look at real visits</summary>A filler asks no questions. Mask the queries as well as the keys.</details>

# %% nbgrader={"grade": false, "grade_id": "padding-mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def visit_mask(lengths: torch.Tensor, size: int, causal: bool = False) -> torch.Tensor:
    """Who may look at whom in a padded batch of patients.

    Args:
        lengths: integers (B,), number of real visits of each patient, 0 to size.
        size: number of places.
        causal: True forbids to look at later visits.

    Returns:
        bool (B, size, size), True where query i may look at key j.

    Raises:
        ValueError: a length is negative or larger than size.
    """
    ### BEGIN SOLUTION
    lengths = torch.as_tensor(lengths)
    if (lengths < 0).any() or (lengths > size).any():
        raise ValueError(f"lengths must lie between 0 and {size}")
    real = torch.arange(size) < lengths[:, None]
    mask = real[:, :, None] & real[:, None, :]
    return mask & torch.ones(size, size, dtype=torch.bool).tril() if causal else mask
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "padding-mask-real", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Padding: neither looked at nor looking
mask_b = visit_mask(torch.tensor([2, 4, 0]), 4)
assert mask_b is not None, "nothing came back: end the function with return"
mask_b = torch.as_tensor(mask_b)
assert tuple(mask_b.shape) == (3, 4, 4), f"three patients, four places: the mask should have shape (3, 4, 4), got {tuple(mask_b.shape)}"
assert mask_b.dtype == torch.bool, f"the mask should be boolean, got {mask_b.dtype}"
assert not (mask_b[0, 0, 3] and not mask_b[0, 0, 0]), "your mask is upside down: True means MAY look"
assert not (mask_b[0, 3, 3] and not mask_b[0, 0, 0]), "you put the padding in front: the real visits fill the first places"
assert mask_b[0, :2, :2].all(), "the two real visits of the first patient should see each other, and themselves"
assert not mask_b[0, :2, 2:].any(), "real visits look at padding"
assert not mask_b[0, 2:].any(), "padding asks questions: rows of padding should be False, too"
assert mask_b[1].all() and not mask_b[2].any(), "a full history has no padding, and an empty one has nothing else"
### BEGIN HIDDEN TESTS
lengths_b = np.random.default_rng(5).integers(0, 8, 12)
mask_b = np.asarray(visit_mask(torch.tensor(lengths_b), 7))
truth_b = np.array([[[i < n and j < n for j in range(7)] for i in range(7)] for n in lengths_b])
assert mask_b.shape == truth_b.shape and (mask_b == truth_b).all(), "another batch has a wrong mask"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "padding-mask-causal", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Causal: a forecast made at visit i must not know visit i + 1
mask_b = torch.as_tensor(visit_mask(torch.tensor([3, 4]), 4, causal=True))
assert tuple(mask_b.shape) == (2, 4, 4), f"the mask should have shape (2, 4, 4), got {tuple(mask_b.shape)}"
assert not mask_b[1, 0, 1:].any(), "visit 0 looks into the future: only j <= i is allowed. Rows are queries, columns are keys"
assert mask_b[1].diagonal().all(), "a visit may look at itself: j = i is no future"
assert mask_b[1, 3].all(), "the last visit may look at all earlier ones"
assert not mask_b[0, 3].any() and not mask_b[0, :, 3].any(), "with causal=True padding became visible: both conditions hold"
### BEGIN HIDDEN TESTS
lengths_b = np.random.default_rng(6).integers(0, 7, 10)
for causal_b in (True, False):
    mask_b = np.asarray(visit_mask(torch.tensor(lengths_b), 6, causal=causal_b))
    truth_b = np.array([[[i < n and j < n and (j <= i or not causal_b) for j in range(6)] for i in range(6)] for n in lengths_b])
    assert mask_b.shape == truth_b.shape and (mask_b == truth_b).all(), f"another batch has a wrong mask with causal={causal_b}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "padding-mask-refused", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Lengths that can't be: an export that lost places, or counted wrongly, is refused and not silently cut
assert torch.as_tensor(visit_mask(torch.tensor([2]), 3)).sum() == 4, "two real visits, four pairs: the ordinary case should still work"
for bad_b in ([2, 5], [-1, 2]):
    try:
        visit_mask(torch.tensor(bad_b), 4)
    except ValueError:
        continue
    raise AssertionError(f"four places and lengths {bad_b}: raise a ValueError")
### BEGIN HIDDEN TESTS
assert torch.as_tensor(visit_mask(torch.tensor([5, 0]), 5)).sum() == 25, "0 and size are allowed lengths"
for bad_b in ([6], [-3], [0, 1, 99]):
    try:
        visit_mask(torch.tensor(bad_b), 5, causal=True)
    except ValueError:
        continue
    raise AssertionError(f"five places and lengths {bad_b}, causal: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 8.1c - a test that proves equivariance
#
# Difficulty 3 of 5 - 3 points - about 12 minutes - *after it you can show, with three lines, that a network knows the order of its tokens*
#
# Let $f(X) = \mathrm{softmax}\big(X W_Q (X W_K)^\top / \sqrt d\big)\, X W_V$ on tokens $X$ `(N, D)`, and $P$ a reordering. $f$ is permutation **equivariant** if $f(PX) = P f(X)$: the output is reordered as the input was, and is otherwise the same. Write
# `equivariance_gap(x, wq, wk, wv, order, position)`: the largest $|f(PX) - P f(X)|$ over all entries, with $PX$ = `x[order]`. If `position` `(N, D)` is given, $f$ adds it to whatever tokens come, place by place, before anything else: tokens move, places stay. (A gap above rounding proves that the order matters. A gap of 0 for one reordering is evidence; the proof for all is the algebra above.)
#
# <details><summary>Hint 1: the idea</summary>Run f twice: on the tokens as they are, and on the tokens in another order. Reorder the first output. Position belongs into f, so it does not move with the tokens.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.nn.functional.scaled_dot_product_attention(y @ wq, y @ wk, y @ wv)</code> with <code>y = tokens + position</code>; then <code>.abs().max()</code>.</details>
# <details><summary>My gap is large without positions</summary>Do you compare f(PX) with f(X)? That would be invariance. Reorder f(X) by the same order.</details>
# <details><summary>My gap is 0 with positions</summary>Did the position travel with its token? Then it is part of the token's content.</details>

# %% nbgrader={"grade": false, "grade_id": "equivariance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def equivariance_gap(
    x: torch.Tensor, wq: torch.Tensor, wk: torch.Tensor, wv: torch.Tensor, order: torch.Tensor, position: torch.Tensor | None = None
) -> float:
    """How far self-attention is from permutation equivariance, for one reordering.

    Args:
        x: tokens (N, D). wq, wk: weights (D, d). wv: weights (D, e).
        order: integers (N,), a permutation: the reordered tokens are x[order].
        position: (N, D), added to the tokens inside f, or None.

    Returns:
        max |f(x[order]) - f(x)[order]|; 0 up to rounding if f is equivariant.
    """
    ### BEGIN SOLUTION
    def attend(tokens: torch.Tensor) -> torch.Tensor:
        y = tokens if position is None else tokens + position
        return torch.nn.functional.scaled_dot_product_attention((y @ wq)[None], (y @ wk)[None], (y @ wv)[None])[0]

    return float((attend(x[order]) - attend(x)[order]).abs().max())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "equivariance-position", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# With positions the order matters, and the gap says how much
rng_c = torch.Generator().manual_seed(7)
x_c, place_c = (torch.randn(5, 6, generator=rng_c, dtype=torch.float64) for _ in range(2))
weights_c = [torch.randn(6, width, generator=rng_c, dtype=torch.float64) for width in (3, 3, 4)]
order_c = torch.tensor([1, 2, 3, 4, 0])


def truth_c(tokens: torch.Tensor) -> torch.Tensor:
    """Self-attention on tokens with positions, written out."""
    a, b, c = ((tokens + place_c) @ weight for weight in weights_c)
    return (a @ b.T / a.shape[1] ** 0.5).softmax(1) @ c


gap_c = equivariance_gap(x_c.clone(), *weights_c, order_c, place_c.clone())
assert gap_c is not None, "nothing came back: end the function with return"
gap_c = float(gap_c)
difference_c = truth_c(x_c[order_c]) - truth_c(x_c)[order_c]
assert not gap_c < 1e-9, "with positions the gap is not 0: the position must stay in place while the tokens move"
assert not np.isclose(gap_c, float((truth_c(x_c[order_c]) - truth_c(x_c)).abs().max())), "you compare f(PX) with f(X), which is invariance: reorder f(X) first"
assert not np.isclose(gap_c, float((truth_c(x_c[order_c]) - truth_c(x_c)[order_c.argsort()]).abs().max())), "you reordered the output backwards: use f(x)[order]"
assert not np.isclose(gap_c, float(difference_c.abs().mean())), "you took the mean difference: one wrong entry is a proof, so take the largest"
assert np.isclose(gap_c, float(difference_c.abs().max()), atol=1e-6), f"the gap should be {float(difference_c.abs().max()):.4f}, got {gap_c:.4f}"
other_c = float(equivariance_gap(x_c.clone(), *weights_c[:2], -weights_c[2], order_c, place_c.clone()))
assert np.isclose(other_c, gap_c, atol=1e-6), "with the values negated every difference changes its sign, and the gap must stay: take the absolute value before the largest"
### BEGIN HIDDEN TESTS
for number in range(4):
    order_c = torch.randperm(5, generator=torch.Generator().manual_seed(40 + number))
    difference_c = truth_c(x_c[order_c]) - truth_c(x_c)[order_c]
    assert np.isclose(float(equivariance_gap(x_c.clone(), *weights_c, order_c, place_c.clone())), float(difference_c.abs().max()), atol=1e-6), "the gap of another reordering is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "equivariance-proof", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Without positions self-attention can't see the order; the same tokens with positions show that your gap can tell
rng_c = torch.Generator().manual_seed(8)
x_c, place_c = (torch.randn(7, 4, generator=rng_c, dtype=torch.float64) for _ in range(2))
weights_c = [torch.randn(4, width, generator=rng_c, dtype=torch.float64) for width in (5, 5, 2)]
order_c = torch.tensor([3, 0, 6, 1, 5, 2, 4])
assert float(equivariance_gap(x_c, *weights_c, order_c)) < 1e-9, "without positions the gap should be 0 up to rounding: compare with the reordered output"
assert float(equivariance_gap(x_c, *weights_c, order_c, place_c)) > 1e-2, "with positions the gap should be clearly above 0"
### BEGIN HIDDEN TESTS
assert float(equivariance_gap(x_c, *weights_c, torch.arange(7), place_c)) < 1e-9, "an order that changes nothing has no gap"
same_c = place_c[:1].expand(7, 4)
assert float(equivariance_gap(x_c, *weights_c, order_c, same_c)) < 1e-9, "the same number added in every place is no position, so there is no gap"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** Your network predicts at each visit whether the tumour will have grown at the next. It was trained with a padding mask, but without a causal one. On the archive it reaches an AUC of 0.97. What happened, and would a test on new patients of the archive have shown it?
#
# <details><summary>Answer</summary>Each visit could look at the next one and read off the answer. New patients of the archive have a complete history, too, so the test shows the same 0.97. Only a test that cuts each history at the time of the forecast shows it: shuffle or remove the later visits, and the
# predictions must not change.</details>

# %% [markdown]
# ## 8.2 Spatial and channel attention
#
# Before transformers came to images, attention had come to CNNs in a smaller form: a **gate**. No token asks another one. A small network looks at the features and returns numbers between 0 and 1, by which they are multiplied. One number a channel: *what* matters in this patient. One number a place: *where*.
#
# ### What: squeeze and excitation
#
# Scans of one patient fail in different ways. Today the T2 is spoilt by motion, tomorrow the FLAIR by flowing blood. A convolution has the same weights for all patients, so it trusts T2 as much on the one day as on the other. **Squeeze and excitation** (Hu, Shen and Sun, CVPR 2018) gives each channel $c$ of features
# $x$ $(C, H, W)$ a gate that depends on the whole image:
#
# $$z_c = \frac{1}{HW} \sum_{i,j} x_{c,i,j}, \qquad s = \sigma\big(W_2\,\mathrm{ReLU}(W_1 z + b_1) + b_2\big), \qquad \tilde x_c = s_c\, x_c ,$$
#
# with $W_1$ $(R, C)$ and $W_2$ $(C, R)$, $R < C$: the narrow layer keeps it cheap and makes channels share what they know. The sigmoid $\sigma$ judges each channel by itself; a softmax would let them compete.
#
# Where should it pay? Where the *global* look of a channel tells whether its *local* content can be trusted. So plant that. Blood that pulses through a vessel throws bright spots along one direction of the image, and some look like lesions. In the air beside the head the same artefact shows as stripes. In each of our scans, T2 or FLAIR has it (a coin decides):
# stripes in the air, no true lesion to be seen, and in half of the scans false spots in the brain. The other contrast shows true lesions, if there are any. At the spot itself nothing tells true from false; one must look at the air, many pixels away.
#
# **Predict before you run.** Three networks at nearly equal parameters: plain, plain with a hidden layer behind the global pooling (a maximum over all places), and with squeeze and excitation behind the first layer. Which of them can bring air and spot together, and where in the network?

# %% tags=["demo"]
MR_SIZE = 48


def ms_people(people: int, first: int) -> dict[str, torch.Tensor]:
    """Slices of simulated people, T2 and FLAIR over the mean of the brain: without lesions (P, 2, 48, 48), what lesions add to them, lesions and brain (P, 48, 48) bool."""
    made = {"plain": [], "added": [], "lesion": [], "brain": []}
    for seed in range(first, first + people):
        pair = [[simulate.brain_slice(name, size=MR_SIZE, spacing=4.2, lesions=n, noise=0.03, seed=seed) for n in (0, 6)] for name in ("t2", "flair")]
        level = [without.image[without.mask].mean() for without, _ in pair]
        made["plain"].append(np.stack([without.image / one for (without, _), one in zip(pair, level, strict=True)]))
        made["added"].append(np.stack([(ill.image - without.image) / one for (without, ill), one in zip(pair, level, strict=True)]))
        made["lesion"].append(pair[0][1].lesion)
        made["brain"].append(pair[0][0].mask)
    return {name: torch.tensor(np.stack(parts)) for name, parts in made.items()}


def flow_scans(people: dict, rng: torch.Generator, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scans (n, 2, 48, 48), label (n,) 1 if the person has lesions, and which contrast (n,) has the flow artefact: stripes in the air and, in half of the scans, false spots."""
    who, other = torch.randint(len(people["plain"]), (2, n), generator=rng)
    label, bad, false = torch.randint(2, (3, n), generator=rng)
    rows, here = torch.arange(n), people["brain"][who]
    scans = people["plain"][who].clone()
    scans[rows, 1 - bad] += label[:, None, None] * people["added"][who, 1 - bad]  # the artefact hides the true lesions in the bad contrast
    scans[rows, bad] += false[:, None, None] * people["added"][other, bad] * here
    stripes = 0.8 * (1 + torch.sin(torch.arange(MR_SIZE) * 1.3))[None, :, None]
    scans[rows, bad] += stripes * ~here
    return scans.float(), label.float(), bad

# %% tags=["demo"]
from monai.networks.blocks import ChannelSELayer
from sklearn.metrics import roc_auc_score


class FlowNet(nn.Module):
    """Scans (B, 2, 48, 48) -> logits (B,). The first layer has 8 channels of T2 and 8 of FLAIR (groups=2), which MONAI's gate can weigh."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        m = {"squeeze-excite": 16, "plain": 17, "hidden layer": 16}[kind]
        self.stem = nn.Sequential(nn.Conv2d(2, 16, 5, 2, 2, groups=2), nn.ReLU())
        self.gate = ChannelSELayer(2, 16, r=2) if kind == "squeeze-excite" else nn.Identity()  # 16 channels, 8 in the narrow layer
        self.body = nn.Sequential(nn.Conv2d(16, m, 3, 2, 1), nn.ReLU(), nn.Conv2d(m, m, 3, padding=1), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(m, 16), nn.ReLU(), nn.Linear(16, 1)) if kind == "hidden layer" else nn.Linear(m, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.gate(self.stem(x - 1))).amax((2, 3)))[:, 0]


def fit_scans(net: nn.Module, draw, seed: int, steps: int) -> nn.Module:
    """Train on scans that `draw` makes anew from the training people at each step; the last step is taken."""
    net, rng = net.to(device), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(steps):
        scans, label, _ = draw(ms_train, rng, 24)
        loss = F.binary_cross_entropy_with_logits(net(scans.to(device)), label.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()

# %% tags=["demo"]
ms_train, ms_test = ms_people(run.pick(ci=50, laptop=200), 1000), ms_people(run.pick(ci=25, laptop=100), 9000)
flow_x, flow_y, flow_bad = flow_scans(ms_test, torch.Generator().manual_seed(99), 400)
flow_seeds, flow_auc, flow_gates = run.pick(ci=3, laptop=5), {}, []
for kind in ("plain", "hidden layer", "squeeze-excite"):
    flow_auc[kind] = []
    for seed in range(flow_seeds):
        torch.manual_seed(SEED + seed)
        flow_net = fit_scans(FlowNet(kind), flow_scans, SEED + seed, run.pick(ci=110, laptop=400))
        if kind == "squeeze-excite":
            flow_net.gate.fc.register_forward_hook(lambda module, given, gate: flow_gates.append(gate.cpu()))
        with torch.no_grad():
            flow_auc[kind].append(roc_auc_score(flow_y, flow_net(flow_x.to(device)).cpu()))
    print(f"{kind:15s} {sum(p.numel() for p in flow_net.parameters())} parameters, test AUC of each seed {np.round(flow_auc[kind], 3)}")

# %% tags=["demo"]
examples = [int(torch.nonzero((flow_bad == b) & (flow_y == y))[0, 0]) for b, y in ((1, 1), (0, 0))]
show.row([flow_x[i, c] for i in examples for c in (0, 1)], titles=["T2: true lesions", "FLAIR: spoilt", "T2: spoilt", "FLAIR: no lesion"], window=(0, 2.4), height=2.5,
         alt="Two simulated people, T2 and FLAIR of each; the spoilt contrast has stripes in the air beside the head and perhaps false bright spots in the brain")
fig, axes = plt.subplots(1, 2, figsize=(10, 3.3), layout="constrained")
for i, values in enumerate(flow_auc.values()):
    mean, low, high = t_interval(values)
    axes[0].errorbar(mean, i, xerr=[[mean - low], [high - mean]], fmt="osD"[i], color=show.PALETTE[i], capsize=4, markersize=7)
axes[0].axvline(0.5, color="0.5", linestyle=":")
axes[0].set(yticks=range(3), yticklabels=list(flow_auc), xlabel="test AUC (mean, 95 % interval over seeds; dotted: chance)", ylim=(-0.5, 2.5))
gates = flow_gates[-1]  # (scans, channels), of the last seed
spoilt_by_channel = [gates[flow_bad == (0 if c < 8 else 1), c].mean().item() for c in range(16)]
sound_by_channel = [gates[flow_bad == (1 if c < 8 else 0), c].mean().item() for c in range(16)]
axes[1].plot(range(16), sound_by_channel, "o", color=show.PALETTE[0], label="its contrast is sound")
axes[1].plot(range(16), spoilt_by_channel, "s", color=show.PALETTE[3], label="its contrast is spoilt")
axes[1].vlines(range(16), spoilt_by_channel, sound_by_channel, color="0.6", zorder=0)
axes[1].axvline(7.5, color="0.5", linestyle=":")
axes[1].set(xlabel="channel (0-7 from T2, 8-15 from FLAIR)", ylabel="mean gate", ylim=(0, 1))
axes[1].legend(fontsize=9, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
show.figure(fig, alt="Left: test AUC of three networks with intervals over seeds. Right: for each of 16 channels the mean gate when its contrast is sound and when it is spoilt; many of them differ, in either direction")
gate_moves = float(np.abs(np.subtract(sound_by_channel, spoilt_by_channel)).max())
flow_gain = t_interval(np.subtract(flow_auc["squeeze-excite"], flow_auc["plain"]))
flow_rival = t_interval(np.subtract(flow_auc["squeeze-excite"], flow_auc["hidden layer"]))
print("squeeze-excite over plain: AUC {:+.3f} (95 % over seeds {:+.3f} to {:+.3f})".format(*flow_gain))
print("squeeze-excite over hidden layer: AUC {:+.3f} (95 % over seeds {:+.3f} to {:+.3f})".format(*flow_rival))
print(f"the most moved gate differs by {gate_moves:.2f} between sound and spoilt contrast")
assert min(np.mean(values) for values in flow_auc.values()) > 0.65, "all three networks should learn something"
assert np.mean(flow_auc["squeeze-excite"]) > 0.75 and gate_moves > 0.15, "the gates should tell a sound contrast from a spoilt one"

# %% [markdown]
# The right panel is what the name promises: a channel is opened or closed *for this patient*, by what the whole image looks like. Nobody told the network which contrast was spoilt. (Not every channel moves, and the gate is no probability: a half-closed channel with large weights behind it speaks as loudly as an open one.)
#
# The left panel is another claim, and it needs its own measurement: are the *answers* better? Read the two printed differences with their intervals before you conclude anything from beautiful gates. The rivals are not blind. Their last pooling sees the whole image, too, and what follows it can learn to weigh spots against stripes, with the same
# number of parameters. What helps is that a *global* fact meets a *local* one; squeeze and excitation is one way to bring them together, early in the network. A paper that compares only with a smaller network without the gate has not shown that it is the best one.

# %% [markdown]
# ### Exercise 8.2a - squeeze and excitation
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can let a network weigh its channels anew for each patient*
#
# Write `squeeze_excite(x, w1, b1, w2, b2)`. **Squeeze**: $z_c$ is the mean of channel $c$ over all places. **Excite**: $s = \sigma\big(W_2\, \mathrm{ReLU}(W_1 z + b_1) + b_2\big)$. **Scale**: every place of channel $c$ is multiplied by $s_c$.
#
# <details><summary>Hint 1: the idea</summary>One number a channel goes in, one number a channel comes out, and nothing depends on the place. The sigmoid judges each channel by itself: two channels may both be good.</details>
# <details><summary>Hint 2: what to call</summary><code>x.mean((2, 3))</code> has shape (B, C). <code>torch.nn.functional.linear(z, w1, b1)</code>. <code>s[:, :, None, None]</code> goes back to the image.</details>
# <details><summary>Shapes don't match at the first matrix product</summary>Over which axes did you take the mean? What remains must be (B, C).</details>

# %% nbgrader={"grade": false, "grade_id": "squeeze-excite", "locked": false, "schema_version": 3, "solution": true, "task": false}
def squeeze_excite(x: torch.Tensor, w1: torch.Tensor, b1: torch.Tensor, w2: torch.Tensor, b2: torch.Tensor) -> torch.Tensor:
    """Squeeze-and-excitation (Hu, Shen, Sun, CVPR 2018).

    Args:
        x: features (B, C, H, W). w1: (R, C), b1: (R,), the narrow layer. w2: (C, R), b2: (C,).

    Returns:
        (B, C, H, W): each channel of each image, times its own gate between 0 and 1. x itself stays as it was.
    """
    ### BEGIN SOLUTION
    squeezed = x.mean((2, 3))
    gate = torch.sigmoid(torch.relu(squeezed @ w1.T + b1) @ w2.T + b2)
    return x * gate[:, :, None, None]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "squeeze-excite-gate", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One gate for each channel of each image, the same at all places, between 0 and 1
rng_d = torch.Generator().manual_seed(1)
x_d = torch.rand(3, 6, 5, 4, generator=rng_d) + 0.5
w1_d, b1_d, w2_d, b2_d = (torch.randn(*shape, generator=rng_d) for shape in ((2, 6), (2,), (6, 2), (6,)))
kept_d = x_d.clone()
y_d = squeeze_excite(x_d, w1_d, b1_d, w2_d, b2_d)
assert y_d is not None, "nothing came back: end the function with return"
y_d = torch.as_tensor(y_d).detach()
assert tuple(y_d.shape) == (3, 6, 5, 4), f"the output should have the shape of x, (3, 6, 5, 4), got {tuple(y_d.shape)}"
assert torch.equal(x_d, kept_d), "x was changed in place: the skip connection beside your block would see it"
ratio_d = y_d / kept_d
assert not torch.allclose(y_d - kept_d, (y_d - kept_d)[:, :, :1, :1], atol=1e-4), "you added the gate: multiply by it"
assert torch.allclose(ratio_d, ratio_d[:, :, :1, :1], atol=1e-4), "your gate differs from place to place: squeeze over space (axes 2 and 3), not over channels"
assert not torch.allclose(ratio_d, ratio_d[:, :1], atol=1e-4), "your gate is the same for all channels: squeeze over space only, one number a channel is left"
assert not torch.allclose(ratio_d, ratio_d[:1], atol=1e-4), "all patients got the same gate: don't take the mean over the batch"
assert not torch.allclose(ratio_d[:, :, 0, 0].sum(1), torch.ones(3), atol=1e-3), "your gates sum to 1: channels don't compete here, so take a sigmoid and not a softmax"
assert (ratio_d > 0).all() and (ratio_d < 1).all(), "a gate lies between 0 and 1: is the sigmoid the last step?"
### BEGIN HIDDEN TESTS
x_d = torch.rand(2, 4, 7, 7, generator=rng_d) + 0.5
w1_d, b1_d, w2_d, b2_d = (torch.randn(*shape, generator=rng_d) for shape in ((3, 4), (3,), (4, 3), (4,)))
y_d = torch.as_tensor(squeeze_excite(x_d.clone(), w1_d, b1_d, w2_d, b2_d)).detach()
shuffled_d = x_d.flatten(2)[:, :, torch.randperm(49, generator=rng_d)].reshape(x_d.shape)
again_d = torch.as_tensor(squeeze_excite(shuffled_d.clone(), w1_d, b1_d, w2_d, b2_d)).detach()
assert torch.allclose((y_d / x_d)[:, :, 0, 0], (again_d / shuffled_d)[:, :, 0, 0], atol=1e-4), "the gate should not depend on where things are"
assert (y_d < x_d).all() and (y_d > 0).all(), "a gate lies between 0 and 1"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "squeeze-excite-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The value: the same as MONAI's layer with the same weights; and a patient's gate is the patient's own
from monai.networks.blocks import ChannelSELayer

for number, (b, c, h, w) in enumerate(((2, 8, 5, 5), (1, 4, 9, 3))):
    torch.manual_seed(50 + number)
    layer_d = ChannelSELayer(spatial_dims=2, in_channels=c, r=2)
    x_d = torch.randn(b, c, h, w)
    parts_d = [part.detach().clone() for part in (layer_d.fc[0].weight, layer_d.fc[0].bias, layer_d.fc[2].weight, layer_d.fc[2].bias)]
    y_d = torch.as_tensor(squeeze_excite(x_d.clone(), *parts_d)).detach()
    truth_d = layer_d(x_d.clone()).detach()
    assert y_d.shape == truth_d.shape, f"the output should have shape {tuple(truth_d.shape)}, got {tuple(y_d.shape)}"
    no_relu = x_d * torch.sigmoid((x_d.mean((2, 3)) @ parts_d[0].T + parts_d[1]) @ parts_d[2].T + parts_d[3])[:, :, None, None]
    assert torch.allclose(no_relu, truth_d, atol=1e-5) or not torch.allclose(y_d, no_relu, atol=1e-5), "the ReLU between the two layers is missing"
    assert torch.allclose(y_d, truth_d, atol=1e-5), "the output differs from MONAI's ChannelSELayer: mean over space, linear, ReLU, linear, sigmoid, times x"
### BEGIN HIDDEN TESTS
rng_d = torch.Generator().manual_seed(9)
x_d = torch.randn(4, 6, 3, 8, generator=rng_d, dtype=torch.float64)
parts_d = [torch.randn(*shape, generator=rng_d, dtype=torch.float64) for shape in ((5, 6), (5,), (6, 5), (6,))]
y_d = torch.as_tensor(squeeze_excite(x_d.clone(), *parts_d)).detach()
gate_d = torch.sigmoid(torch.relu(torch.einsum("bchw,rc->br", x_d, parts_d[0]) / 24 + parts_d[1]) @ parts_d[2].T + parts_d[3])
assert torch.allclose(y_d.double(), torch.einsum("bchw,bc->bchw", x_d, gate_d), atol=1e-5), "other weights give a wrong output"
alone_d = torch.as_tensor(squeeze_excite(x_d[2:3].clone(), *parts_d)).detach()
assert torch.allclose(alone_d, y_d[2:3], atol=1e-5), "a patient's result depends on who else is in the batch"
### END HIDDEN TESTS

# %% [markdown]
# ### Where: spatial attention
#
# The convolutional block attention module, CBAM (Woo and others, ECCV 2018), adds the other question. After *what* (channels) it asks *where*: at each place the mean and the maximum over the channels are convolved with a 7 x 7 kernel, and a sigmoid makes a map of it, which multiplies all channels. The two halves pool over opposite
# axes. Channel attention keeps $C$ and forgets the place; spatial attention keeps the place and forgets $C$.
#
# A map is tempting: it looks like an explanation. Since our lesions are planted, we can check. They are faint, and bright in T2 *and* FLAIR; in every scan, healthy or not, FLAIR alone has false spots that are as bright. A network learns from nothing but "this person has lesions" or not. Then the **pointing game**: in each
# test slice with lesions, does the brightest place of the map lie on a lesion (or next to one)? Rivals: the class activation map (Zhou and others, CVPR 2016) of a network without attention, which is the last layer's weights applied at each place instead of to the mean; and two rules without learning, the brightest pixel of FLAIR
# and that of T2 times FLAIR.
#
# **Predict before you run.** Will the attention map point better than the activation map of the network without attention?

# %% tags=["demo"]
from einops import reduce

FAINT = 0.35  # lesions at about a third of their contrast


class PlaceNet(nn.Module):
    """Scans (B, 2, 48, 48) -> logits (B,); keeps its spatial attention `map` and its activation map `cam`, both (B, 24, 24)."""

    def __init__(self, attends: bool) -> None:
        super().__init__()
        middle = 16 if attends else 17
        self.stem = nn.Sequential(nn.Conv2d(2, 16, 5, 2, 2), nn.ReLU())
        self.where = nn.Conv2d(2, 1, 7, padding=3, bias=False) if attends else None
        self.body = nn.Sequential(nn.Conv2d(16, middle, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(middle, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.stem(x - 1)
        if self.where is not None:
            self.score = self.where(torch.cat([reduce(h, "b c h w -> b 1 h w", how) for how in ("mean", "max")], 1))
            self.map = self.score.sigmoid()
            h = h * self.map
        self.cam = self.head(self.body(h))[:, 0]  # the mean of a linear layer is the linear layer of the mean
        return self.cam.mean((1, 2))


def faint_scans(people: dict, who: torch.Tensor, other: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Scans (n, 2, 48, 48): faint lesions in both contrasts where label is 1, and in all of them false spots in FLAIR alone, at the places of another person's lesions."""
    scans = people["plain"][who] + FAINT * label[:, None, None, None] * people["added"][who]
    scans[:, 1] += FAINT * people["added"][other, 1] * people["brain"][who]
    return scans.float()


def lesion_scans(people: dict, rng: torch.Generator, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scans of random people (n, 2, 48, 48), label (n,), and who (n,)."""
    who, other = torch.randint(len(people["plain"]), (2, n), generator=rng)
    label = torch.randint(2, (n,), generator=rng)
    return faint_scans(people, who, other, label), label.float(), who


def points_at(maps: torch.Tensor, lesion: torch.Tensor, brain: torch.Tensor) -> float:
    """How often the highest place of maps (N, H, W) inside the brain lies on a lesion, or one place beside it."""
    wide = F.max_pool2d(lesion.float(), 3, 1, 1) > 0
    best = maps.masked_fill(~brain, -torch.inf).flatten(1).argmax(1)
    return wide.flatten(1).gather(1, best[:, None]).float().mean().item()

# %% tags=["demo"]
everyone = torch.arange(len(ms_test["plain"]))
ill_scans = faint_scans(ms_test, everyone, everyone.roll(1), torch.ones(len(everyone)))
small_lesion, small_brain = (F.max_pool2d(ms_test[name].float(), 2) > 0 for name in ("lesion", "brain"))
place_test_x, place_test_y, _ = lesion_scans(ms_test, torch.Generator().manual_seed(98), 400)
place_auc, place_hits, place_nets = {True: [], False: []}, {True: [], False: []}, {}
for attends in (True, False):
    for seed in range(flow_seeds):
        torch.manual_seed(SEED + seed)
        place_nets[attends] = fit_scans(PlaceNet(attends), lesion_scans, SEED + seed, run.pick(ci=70, laptop=250))
        with torch.no_grad():
            place_auc[attends].append(roc_auc_score(place_test_y, place_nets[attends](place_test_x.to(device)).cpu()))
            place_nets[attends](ill_scans.to(device))
        maps = place_nets[attends].score[:, 0] if attends else place_nets[attends].cam  # before the sigmoid, where nothing is rounded to 1
        place_hits[attends].append(points_at(maps.cpu(), small_lesion, small_brain))
place_rivals = {"by chance": (F.max_pool2d(small_lesion.float(), 3, 1, 1) * small_brain).sum().item() / small_brain.sum().item(),
                "brightest pixel of FLAIR": points_at(F.avg_pool2d(ill_scans[:, 1:], 2)[:, 0], small_lesion, small_brain),
                "brightest pixel of T2 times FLAIR": points_at(F.avg_pool2d(ill_scans.prod(1, keepdim=True), 2)[:, 0], small_lesion, small_brain)}
for attends, name in ((True, "spatial attention map"), (False, "activation map, no attention")):
    print(f"{name:33s} points at a lesion in {np.mean(place_hits[attends]):.0%} of the slices (over seeds {np.min(place_hits[attends]):.0%} to {np.max(place_hits[attends]):.0%}); test AUC {np.mean(place_auc[attends]):.3f}; "
          f"{sum(p.numel() for p in place_nets[attends].parameters())} parameters")
for name, value in place_rivals.items():
    print(f"{name:33s} points at a lesion in {value:.0%}")
one = 2
show.row([ill_scans[one, 1], place_nets[True].map[one, 0].cpu(), place_nets[False].cam[one].cpu()], titles=["FLAIR, lesions outlined", "spatial attention", "activation map, no attention"],
         overlay=[ms_test["lesion"][one], small_lesion[one], small_lesion[one]], height=2.8, alt="A FLAIR slice with outlined lesions, the spatial attention map of a network with CBAM's spatial half, and the class activation map of one without attention")
assert min(np.mean(place_auc[True]), np.mean(place_auc[False])) > 0.75, "both networks should learn to tell scans with lesions from scans without"

# %% [markdown]
# Both networks solve the task, and one of them with a map that looks like attention. Compare where it points with chance, with its rivals and from seed to seed before you believe it. Nothing in the training asks the attention map to be narrow, or to be high on lesions rather than on what surely is none: it may open wide areas and leave the rest to the layers behind it.
# The activation map is bound more tightly, because the logit *is* its mean: what it doesn't show does not count. And a rule that knows what a lesion is needs no network at all. So: a map that is a by-product explains nothing until it has been tested against planted truth, and against a rule.

# %% [markdown]
# ### Exercise 8.2b - spatial attention
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can tell apart pooling over channels and pooling over space, which half of all home-made attention blocks mix up*
#
# Write `spatial_attention(x, weight)` as in CBAM: at each place the **mean** and the **maximum over the channels** make an image of two channels, in this order. A convolution (odd kernel, zero padding that keeps the size, no bias) turns it into one number a place, and
# a sigmoid into a gate between 0 and 1. Return the map and the features multiplied by it.
#
# <details><summary>Hint 1: the idea</summary>Channel attention asks *what*, and forgets *where*. Here it is the other way round: the channels are summed up, the places stay.</details>
# <details><summary>Hint 2: what to call</summary><code>x.mean(1, keepdim=True)</code>, <code>x.amax(1, keepdim=True)</code>, <code>torch.cat</code>, <code>torch.nn.functional.conv2d(..., padding=k // 2)</code>.</details>
# <details><summary>My map is smaller than the image</summary>The convolution eats a border. Pad by half of the kernel.</details>

# %% nbgrader={"grade": false, "grade_id": "spatial-attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def spatial_attention(x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The spatial half of CBAM (Woo, Park, Lee, Kweon, ECCV 2018).

    Args:
        x: features (B, C, H, W). weight: (1, 2, k, k) with k odd; its first channel meets the mean, its second the maximum.

    Returns:
        map (B, 1, H, W) between 0 and 1, and the gated features (B, C, H, W). x itself stays as it was.
    """
    ### BEGIN SOLUTION
    pooled = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
    places = torch.sigmoid(torch.nn.functional.conv2d(pooled, weight, padding=weight.shape[-1] // 2))
    return places, x * places
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "spatial-attention-map", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The map: with a 1 x 1 kernel it can be checked by hand, place by place
rng_e = torch.Generator().manual_seed(1)
x_e = torch.randn(2, 5, 6, 4, generator=rng_e)
weight_e = torch.tensor([0.7, -1.3]).reshape(1, 2, 1, 1)
answer_e = spatial_attention(x_e.clone(), weight_e.clone())
assert isinstance(answer_e, (tuple, list)) and len(answer_e) == 2, "return two things: map and gated features"
map_e = torch.as_tensor(answer_e[0]).detach()
assert tuple(map_e.shape) == (2, 1, 6, 4), f"the map should have one number a place, shape (2, 1, 6, 4), got {tuple(map_e.shape)}"
assert not torch.allclose(map_e, map_e[..., :1, :1], atol=1e-4), "your map is the same everywhere: you pooled over space. Pool over the channels, dim=1"
mean_e, top_e = x_e.mean(1, keepdim=True), x_e.amax(1, keepdim=True)
assert not torch.allclose(map_e, torch.sigmoid(0.7 * top_e - 1.3 * mean_e), atol=1e-4), "mean and maximum are swapped: the first channel of the kernel meets the mean"
assert not torch.allclose(map_e, 0.7 * mean_e - 1.3 * top_e, atol=1e-4), "the sigmoid is missing"
assert (map_e > 0).all() and (map_e < 1).all() and map_e.sum((1, 2, 3)).max() > 1.01, "each place is judged by itself, between 0 and 1: take a sigmoid, not a softmax over places"
assert torch.allclose(map_e, torch.sigmoid(0.7 * mean_e - 1.3 * top_e), atol=1e-4), "the map is not the sigmoid of the convolved mean and maximum over channels"
### BEGIN HIDDEN TESTS
for number, (c, k, h, w) in enumerate(((3, 3, 8, 8), (16, 7, 9, 12), (1, 5, 5, 7))):
    rng_e = torch.Generator().manual_seed(60 + number)
    x_e, weight_e = torch.randn(2, c, h, w, generator=rng_e), torch.randn(1, 2, k, k, generator=rng_e) / k
    padded = torch.nn.functional.pad(torch.stack([x_e.mean(1), x_e.max(1).values], 1), [k // 2] * 4)
    truth_e = torch.sigmoid((padded.unfold(2, k, 1).unfold(3, k, 1) * weight_e[:, :, None, None]).sum((1, 4, 5)))[:, None]
    map_e = torch.as_tensor(spatial_attention(x_e.clone(), weight_e.clone())[0]).detach()
    assert map_e.shape == truth_e.shape, f"with a kernel of {k} the map should keep the size {h} x {w}, got {tuple(map_e.shape)}"
    assert torch.allclose(map_e, truth_e, atol=1e-4), f"the map is off with {c} channels and a kernel of {k}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "spatial-attention-gated", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The features: every channel is multiplied by the same map
rng_e = torch.Generator().manual_seed(2)
x_e, weight_e = torch.randn(2, 4, 5, 5, generator=rng_e), torch.randn(1, 2, 3, 3, generator=rng_e)
kept_e = x_e.clone()
gated_e = torch.as_tensor(spatial_attention(x_e, weight_e)[1]).detach()
places_e = torch.sigmoid(torch.nn.functional.conv2d(torch.stack([kept_e.mean(1), kept_e.amax(1)], 1), weight_e, padding=1))
assert tuple(gated_e.shape) == (2, 4, 5, 5), f"the features should keep their shape (2, 4, 5, 5), got {tuple(gated_e.shape)}"
assert torch.equal(x_e, kept_e), "x was changed in place: other branches of the network would see it"
assert not torch.allclose(gated_e, kept_e + places_e, atol=1e-4), "you added the map: multiply by it"
assert torch.allclose(gated_e, kept_e * places_e, atol=1e-4), "the features should be x times the map"
### BEGIN HIDDEN TESTS
x_e = torch.randn(1, 7, 9, 4, generator=rng_e)
first_e, second_e = (torch.as_tensor(part).detach() for part in spatial_attention(x_e.clone(), weight_e))
places_e = torch.sigmoid(torch.nn.functional.conv2d(torch.stack([x_e.mean(1), x_e.amax(1)], 1), weight_e, padding=1))
assert torch.allclose(second_e, x_e * places_e, atol=1e-4) and torch.allclose(first_e, places_e, atol=1e-4), "other features are gated wrongly"
### END HIDDEN TESTS

# %% [markdown]
# ### The attention gate
#
# A U-Net's skip connections carry fine detail to the decoder: that of the organ, and that of everything else. The **attention gate** (Oktay and others, MIDL 2018, for the pancreas in CT) puts a valve into the skip. The signal $g$ that comes up from the coarse half has a large receptive field and knows roughly where the organ is. With the skip's
# features $x_i$ it decides for each place how much may pass: a number $\alpha_i$ between 0 and 1. It is attention of the additive kind, with one difference: no softmax over places, since many places may be needed at once. (In the paper $\alpha$ is computed on the coarse grid and then interpolated, which is cheaper; MONAI's
# `AttentionBlock`, used below, and the exercise work on the fine grid.)
#
# Does it help? The organ is the hippocampus: small, with weak edges, and much else of the same grey around it. Two small U-Nets at (nearly) equal parameters, the same seeds, the same batches; test cases are used once.
#
# **Predict before you run.** By how much does the gate raise the Dice: 0.001, 0.01 or 0.1? And will the gate of a trained network be open on the organ?

# %% tags=["demo"]
import nibabel as nib
from monai.networks.nets.attentionunet import AttentionBlock

GATE_SIZE = (48, 32)


def organ_slices(split, most: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Three sagittal slices a case, cut or filled to 48 x 32: images (N, 1, 48, 32), each volume standardised; organ (N, 48, 32) bool; case (N,)."""
    pictures, organs, cases = [], [], []
    for case, (image, label) in enumerate(zip(split.images[:most], split.labels[:most], strict=True)):
        volume, organ = np.asarray(nib.load(image).dataobj, dtype=np.float32), np.asarray(nib.load(label).dataobj) > 0
        volume = (volume - volume.mean()) / volume.std()
        middle = int(np.argmax(organ.sum((1, 2))))
        for j in (middle - 3, middle, middle + 3):
            corner = [max(0, (have - want) // 2) for have, want in zip(volume.shape[1:], GATE_SIZE, strict=True)]
            window = tuple(slice(start, start + want) for start, want in zip(corner, GATE_SIZE, strict=True))
            fill = [(0, want - len(range(have)[part])) for have, want, part in zip(volume.shape[1:], GATE_SIZE, window, strict=True)]
            pictures.append(np.pad(volume[j][window], fill, mode="edge"))
            organs.append(np.pad(organ[j][window], fill))
            cases.append(case)
    return torch.tensor(np.stack(pictures))[:, None], torch.tensor(np.stack(organs)), torch.tensor(cases)


gate_data = data.load("hippocampus", profile=run.profile)
gate_train = organ_slices(gate_data.train, run.pick(ci=20, laptop=60))
gate_test = organ_slices(gate_data.test, run.pick(ci=8, laptop=40))
print(f"{len(gate_train[0])} slices of {len(gate_train[2].unique())} cases to train, {len(gate_test[0])} slices of {len(gate_test[2].unique())} cases to test; organ: {gate_train[1].float().mean():.1%} of the pixels")

# %% tags=["demo"]
def two_convs(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())


class GatedUNet(nn.Module):
    """(B, 1, H, W) -> (B, H, W) logits; two levels of skips, with MONAI's attention block in each or without."""

    def __init__(self, gated: bool, width: int = 8) -> None:
        super().__init__()
        w = width
        bottom = 4 * w if gated else 4 * w + 1  # evens out the gates' parameters
        self.down = nn.ModuleList([two_convs(1, w), two_convs(w, 2 * w), two_convs(2 * w, bottom)])
        self.shrink = nn.ModuleList([nn.Conv2d(bottom, 2 * w, 1), nn.Conv2d(2 * w, w, 1)])
        self.gates = nn.ModuleList([AttentionBlock(spatial_dims=2, f_int=c // 2, f_g=c, f_l=c) for c in (2 * w, w)]) if gated else None
        self.up = nn.ModuleList([two_convs(4 * w, 2 * w), two_convs(2 * w, w)])
        self.last = nn.Conv2d(w, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = [self.down[0](x)]
        skips.append(self.down[1](F.max_pool2d(skips[0], 2)))
        h = self.down[2](F.max_pool2d(skips[1], 2))
        for i, skip in enumerate(reversed(skips)):
            g = F.interpolate(self.shrink[i](h), size=skip.shape[2:], mode="bilinear", align_corners=False)
            h = self.up[i](torch.cat([self.gates[i](g, skip) if self.gates else skip, g], 1))
        return self.last(h)[:, 0]

# %% tags=["demo"]
def case_dice(logits: torch.Tensor, organ: torch.Tensor, case: torch.Tensor) -> np.ndarray:
    """Dice of each case, over its slices together."""
    found = logits > 0
    return np.array([float(2 * (found & organ)[case == k].sum() / (found[case == k].sum() + organ[case == k].sum())) for k in case.unique()])


def train_gated(gated: bool, seed: int, steps: int) -> GatedUNet:
    """Cross-entropy plus soft Dice, batches of 8 slices, mirrored at random; the last step is taken."""
    torch.manual_seed(seed)
    net, rng = GatedUNet(gated).to(device), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(gate_train[0]), (8,), generator=rng)
        image, organ = gate_train[0][rows].to(device), gate_train[1][rows].float().to(device)
        if torch.rand(1, generator=rng) < 0.5:
            image, organ = image.flip(2), organ.flip(1)
        logits = net(image)
        p = logits.sigmoid()
        loss = F.binary_cross_entropy_with_logits(logits, organ) + 1 - (2 * (p * organ).sum() + 1) / (p.sum() + organ.sum() + 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()

# %% tags=["demo"]
gate_seeds, gate_steps, gate_dice, gate_nets = run.pick(ci=3, laptop=5), run.pick(ci=45, laptop=180), {}, {}
for gated in (False, True):
    gate_dice[gated] = []
    for seed in range(gate_seeds):
        gate_nets[gated] = train_gated(gated, SEED + seed, gate_steps)
        with torch.no_grad():
            gate_dice[gated].append(case_dice(gate_nets[gated](gate_test[0].to(device)).cpu(), gate_test[1], gate_test[2]))
    gate_dice[gated] = np.array(gate_dice[gated])  # (seeds, cases)
    print(f"{'with' if gated else 'without'} gates: {sum(p.numel() for p in gate_nets[gated].parameters())} parameters, mean Dice of each seed {gate_dice[gated].mean(1).round(3)}")
gate_gain, gate_low, gate_high = t_interval((gate_dice[True] - gate_dice[False]).mean(1))
print(f"what the gate adds: {gate_gain:+.3f} (95 % over {gate_seeds} seeds {gate_low:+.3f} to {gate_high:+.3f})")
box = gate_train[1].float().mean(0) > 0.5  # the trivial rival: where the organ lies in most training slices
box_dice = case_dice(torch.where(box, 1.0, -1.0).expand(len(gate_test[0]), -1, -1), gate_test[1], gate_test[2]).mean()
print(f"for comparison, the mean place of the organ in the training slices: {box_dice:.3f}")
gate_alpha = {}
for name, part in zip(("coarse gate", "fine gate"), gate_nets[True].gates, strict=True):
    part.psi.register_forward_hook(lambda module, given, alpha, name=name: gate_alpha.__setitem__(name, alpha.detach().cpu()))
with torch.no_grad():
    gate_found = gate_nets[True](gate_test[0].to(device)).cpu() > 0
one = 1
show.row([gate_test[0][one, 0], gate_found[one], *(F.interpolate(a[[one]], size=GATE_SIZE)[0, 0] for a in gate_alpha.values())], titles=["image, organ outlined", "found", *gate_alpha], overlay=[gate_test[1][one]] * 4, height=2.8,
         alt="A sagittal slice with the hippocampus outlined, what the network found, and the two gates, brighter where more may pass")
for name, a in gate_alpha.items():
    a = F.interpolate(a, size=GATE_SIZE)[:, 0]
    print(f"{name}: alpha on the organ {a[gate_test[1]].mean():.2f}, elsewhere {a[~gate_test[1]].mean():.2f}")
assert min(gate_dice[True].mean(), gate_dice[False].mean()) > box_dice + 0.03, "both networks should be better than the organ's mean place"

# %% [markdown]
# Both are far above the organ's mean place. Whether the gate adds anything is what the interval says. Single seeds differ by as much as published gains do, so one training of each would show you whatever you like. If the interval holds 0, you have not shown a gain, whatever the best seed says. And the gates themselves? The paper promises that they are open on the organ and shut
# elsewhere. Nobody trains them for that, and the two printed lines say how far it is true here, for each gate: the next layer can undo what a gate scales, so that a gate which opens everywhere alike costs the network nothing. A plausible gate and a better Dice are two claims. Each needs its own measurement.

# %% [markdown]
# ### Exercise 8.2c - the attention gate
#
# Difficulty 3 of 5 - 4 points - about 18 minutes - *after it you can let the coarse half of a U-Net decide what its skip connections carry*
#
# Write `attention_gate(x, g, wx, wg, b, psi, c)`. `x` is the skip: fine, with much that is not the organ. `g` comes from the layer below: coarse, but it has seen more. First bring `g` to the size of `x` (bilinear, `align_corners=False`). Then, at each place $i$,
#
# $$\alpha_i = \sigma\big(\psi^\top\, \mathrm{ReLU}(W_x x_i + W_g g_i + b) + c\big), \qquad \hat x_i = \alpha_i\, x_i .$$
#
# It is additive attention, as Bahdanau's: a small network compares the two, instead of a dot product.
#
# <details><summary>Hint 1: the idea</summary>A matrix at each place is a 1 x 1 convolution. One number a place comes out, and multiplies the skip, not the gating signal.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.nn.functional.interpolate(g, size=x.shape[2:], mode="bilinear", align_corners=False)</code>; <code>torch.einsum("fc,bchw->bfhw", wx, x)</code>.</details>
# <details><summary>Sizes don't match when I add</summary>Is g brought to x.shape[2:]? A factor of 2 fails where an image has an odd size.</details>

# %% nbgrader={"grade": false, "grade_id": "attention-gate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_gate(
    x: torch.Tensor, g: torch.Tensor, wx: torch.Tensor, wg: torch.Tensor, b: torch.Tensor, psi: torch.Tensor, c: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The additive attention gate of a skip connection (Oktay et al., MIDL 2018).

    Args:
        x: skip (B, C, H, W). g: gating signal (B, D, h, w), of any size that is at most (H, W).
        wx: (F, C). wg: (F, D). b: (F,). psi: (F,). c: one number.

    Returns:
        gated skip (B, C, H, W) and alpha (B, 1, H, W), between 0 and 1. x itself stays as it was.

    Raises:
        ValueError: x and g have different numbers of images.
    """
    ### BEGIN SOLUTION
    if len(x) != len(g):
        raise ValueError(f"{len(x)} images in the skip, {len(g)} in the gating signal")
    fine = torch.nn.functional.interpolate(g, size=x.shape[2:], mode="bilinear", align_corners=False)
    joined = torch.relu(torch.einsum("fc,bchw->bfhw", wx, x) + torch.einsum("fd,bdhw->bfhw", wg, fine) + b[:, None, None])
    alpha = torch.sigmoid(torch.einsum("f,bfhw->bhw", psi, joined) + c)[:, None]
    return x * alpha, alpha
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "attention-gate-same-size", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Alpha, where skip and gating signal have the same size already
rng_f = torch.Generator().manual_seed(1)
x_f, g_f = torch.randn(2, 3, 4, 5, generator=rng_f), torch.randn(2, 6, 4, 5, generator=rng_f)
wx_f, wg_f, b_f, psi_f = (torch.randn(*shape, generator=rng_f) for shape in ((4, 3), (4, 6), (4,), (4,)))
answer_f = attention_gate(x_f.clone(), g_f.clone(), wx_f, wg_f, b_f, psi_f, 0.3)
assert isinstance(answer_f, (tuple, list)) and len(answer_f) == 2, "return two things: gated skip and alpha"
alpha_f = torch.as_tensor(answer_f[1]).detach()
assert tuple(alpha_f.shape) == (2, 1, 4, 5), f"alpha should have one number a place, shape (2, 1, 4, 5), got {tuple(alpha_f.shape)}"
from_x, from_g = torch.einsum("fc,bchw->bfhw", wx_f, x_f), torch.einsum("fd,bdhw->bfhw", wg_f, g_f)
sum_f = from_x + from_g + b_f[:, None, None]
assert not torch.allclose(alpha_f[:, 0], torch.sigmoid(torch.einsum("f,bfhw->bhw", psi_f, sum_f) + 0.3), atol=1e-4), "the ReLU is missing: without it the gate is linear, and x and g can't meet"
assert torch.allclose(alpha_f[:, 0], torch.sigmoid(torch.einsum("f,bfhw->bhw", psi_f, sum_f.relu()) + 0.3), atol=1e-4), "alpha is not sigmoid(psi . ReLU(Wx x + Wg g + b) + c)"
### BEGIN HIDDEN TESTS
rng_f = torch.Generator().manual_seed(11)
x_f, g_f = torch.randn(1, 2, 7, 3, generator=rng_f), torch.randn(1, 5, 7, 3, generator=rng_f)
wx_f, wg_f, b_f, psi_f = (torch.randn(*shape, generator=rng_f) for shape in ((6, 2), (6, 5), (6,), (6,)))
alpha_f = torch.as_tensor(attention_gate(x_f, g_f, wx_f, wg_f, b_f, psi_f, -0.8)[1]).detach()
sum_f = torch.nn.functional.conv2d(torch.cat([x_f, g_f], 1), torch.cat([wx_f, wg_f], 1)[:, :, None, None], b_f).relu()
assert alpha_f.shape == (1, 1, 7, 3) and torch.allclose(alpha_f, torch.sigmoid((sum_f * psi_f[:, None, None]).sum(1, keepdim=True) - 0.8), atol=1e-4), "alpha of other weights is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "attention-gate-skip", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What is gated is the skip
rng_f = torch.Generator().manual_seed(2)
x_f, g_f = torch.randn(2, 3, 6, 6, generator=rng_f), torch.randn(2, 3, 6, 6, generator=rng_f)
wx_f, wg_f, b_f, psi_f = (torch.randn(*shape, generator=rng_f) for shape in ((4, 3), (4, 3), (4,), (4,)))
kept_f = x_f.clone()
gated_f = torch.as_tensor(attention_gate(x_f, g_f, wx_f, wg_f, b_f, psi_f, 0.0)[0]).detach()
alpha_f = torch.sigmoid(torch.einsum("f,bfhw->bhw", psi_f, (torch.einsum("fc,bchw->bfhw", wx_f, kept_f) + torch.einsum("fd,bdhw->bfhw", wg_f, g_f) + b_f[:, None, None]).relu()))[:, None]
assert tuple(gated_f.shape) == (2, 3, 6, 6), f"the gated skip should have the shape of x, (2, 3, 6, 6), got {tuple(gated_f.shape)}"
assert torch.equal(x_f, kept_f), "x was changed in place"
assert not torch.allclose(gated_f, g_f * alpha_f, atol=1e-4), "you gated the gating signal: alpha multiplies the skip x, which has the fine detail"
assert not torch.allclose(gated_f, kept_f + alpha_f, atol=1e-4), "you added alpha: multiply"
assert torch.allclose(gated_f, kept_f * alpha_f, atol=1e-4), "the gated skip should be alpha times x"
### BEGIN HIDDEN TESTS
shut_f = torch.as_tensor(attention_gate(kept_f, g_f, wx_f, wg_f, b_f, psi_f, -60.0)[0]).detach()
open_f = torch.as_tensor(attention_gate(kept_f, g_f, wx_f, wg_f, b_f, psi_f, 60.0)[0]).detach()
assert torch.allclose(shut_f, torch.zeros_like(kept_f), atol=1e-5), "with c far below 0 the gate is shut, and nothing passes"
assert torch.allclose(open_f, kept_f, atol=1e-5), "with c far above 0 the gate is open, and the skip passes as it is"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "attention-gate-coarse", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# A coarse gating signal: it is brought to the skip's size, odd sizes too; and a batch that doesn't match is refused
rng_f = torch.Generator().manual_seed(3)
x_f, g_f = torch.randn(2, 3, 9, 7, generator=rng_f), torch.randn(2, 6, 4, 3, generator=rng_f)
wx_f, wg_f, b_f, psi_f = (torch.randn(*shape, generator=rng_f) for shape in ((4, 3), (4, 6), (4,), (4,)))
gated_f, alpha_f = (torch.as_tensor(part).detach() for part in attention_gate(x_f.clone(), g_f.clone(), wx_f, wg_f, b_f, psi_f, 0.1))
assert tuple(gated_f.shape) == (2, 3, 9, 7), f"the skip has the size 9 x 7 and should keep it, got {tuple(gated_f.shape)}: bring g to x, not x to g"
assert tuple(alpha_f.shape) == (2, 1, 9, 7), f"alpha should have shape (2, 1, 9, 7), got {tuple(alpha_f.shape)}"
near_f, smooth_f = (torch.nn.functional.interpolate(g_f, size=(9, 7), **how) for how in ({"mode": "nearest"}, {"mode": "bilinear", "align_corners": False}))
near_f, smooth_f = (torch.sigmoid(torch.einsum("f,bfhw->bhw", psi_f, (torch.einsum("fc,bchw->bfhw", wx_f, x_f) + torch.einsum("fd,bdhw->bfhw", wg_f, fine) + b_f[:, None, None]).relu()) + 0.1)[:, None]
                    for fine in (near_f, smooth_f))
assert not torch.allclose(alpha_f, near_f, atol=1e-4), "you repeated the nearest coarse pixel, which puts blocks into the gate: interpolate bilinearly"
assert torch.allclose(alpha_f, smooth_f, atol=1e-4), "alpha is off for a coarse g: bilinear, align_corners=False, before the weights"
assert torch.allclose(gated_f, x_f * smooth_f, atol=1e-4), "the gated skip should be alpha times x"
try:
    attention_gate(x_f, g_f[:1], wx_f, wg_f, b_f, psi_f, 0.1)
except ValueError:
    pass
else:
    raise AssertionError("two skips and one gating signal: raise a ValueError, or one patient's gate opens the other's skip")
### BEGIN HIDDEN TESTS
g_f = torch.randn(2, 6, 1, 1, generator=rng_f)
gated_f, alpha_f = (torch.as_tensor(part).detach() for part in attention_gate(x_f.clone(), g_f.clone(), wx_f, wg_f, b_f, psi_f, 0.1))
truth_f = torch.sigmoid(torch.einsum("f,bfhw->bhw", psi_f, (torch.einsum("fc,bchw->bfhw", wx_f, x_f) + torch.einsum("fd,bdhw->bfhw", wg_f, g_f) + b_f[:, None, None]).relu()) + 0.1)[:, None]
assert alpha_f.shape == truth_f.shape and torch.allclose(alpha_f, truth_f, atol=1e-4), "a gating signal of one pixel should speak to all places alike"
try:
    attention_gate(x_f[:1], g_f, wx_f, wg_f, b_f, psi_f, 0.1)
except ValueError:
    pass
else:
    raise AssertionError("one skip and two gating signals: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** A paper adds an attention gate to a U-Net: Dice 0.872 against 0.868, one training each, 12 % more parameters, test set of 30 cases. Name three things that you would want to see before you add the gate to yours.
#
# <details><summary>Answer</summary>Several seeds of both, with an interval of the paired difference: 0.004 is about what another seed changes. A U-Net without a gate that is widened by the same 12 %. And the choice of epoch and learning rate made for both alike, on validation cases. Then the gate's own promise:
# is alpha higher on the organ than elsewhere, and do false positives far from the organ become fewer?</details>

# %% [markdown]
# ## 8.3 Transformer
#
# A radiologist who sees a white patch in the left lung looks at the right one before calling it pneumonia. A $3 \times 3$ convolution can't: it takes many layers until one pixel hears of another far away. A **transformer** lets every part of an image look at
# every other in its first layer. The price: it knows nothing about images. Neither that neighbours belong together, nor that a shape stays itself when it moves; it doesn't even know where its parts lie. All of this has to be given, or learned from data. So the
# questions of this section are: what must be given, and how much data replaces it?
#
# The **vision transformer** (ViT; Dosovitskiy and others, ICLR 2021) has five parts:
#
# 1. **Patches.** An image $(C, H, W)$ is cut into $N = HW/p^2$ patches of $p \times p$ pixels. Each is flattened and passes one linear layer: a **token** of width $d$.
# 2. **Class token.** One more token, learned and the same for all images, is put in front. What it has gathered at the end goes to the classifier.
# 3. **Position.** An embedding $P$ is added: $X_0 = [x_\text{class}; x_1; \dots; x_N] + P$.
# 4. **Blocks.** $L$ times: $X' = X + \mathrm{MHA}(\mathrm{LN}(X))$, then $X'' = X' + \mathrm{MLP}(\mathrm{LN}(X'))$. MHA is multi-head attention (tokens talk), the MLP works on each token alone (tokens think), LN is layer norm.
# 5. **Head.** A linear layer on the class token.

# %% tags=["demo"]
chest_set = data.load("pneumoniamnist", profile=run.profile)
chest_films, chest_test_films = (torch.tensor(split.images).float()[:, None] / 127.5 - 1 for split in (chest_set.train, chest_set.test))
chest_labels, chest_test_labels = (torch.tensor(np.asarray(split.labels) == 1).long() for split in (chest_set.train, chest_set.test))

cut_film = chest_films[[0]]
film_tokens = F.unfold(cut_film, 7, stride=7).transpose(1, 2)  # (1, 16, 49)
fig = plt.figure(figsize=(8.5, 2.9), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=(1, 2))
ax = left.subplots()
ax.imshow(cut_film[0, 0], vmin=-1, vmax=1)
for line in range(7, 28, 7):
    for color, width in (("black", 3), (show.PALETTE[1], 1.5)):  # the dark edge shows on every grey
        ax.axhline(line - 0.5, color=color, linewidth=width)
        ax.axvline(line - 0.5, color=color, linewidth=width)
ax.set_axis_off()
ax.set_title("film, 28 x 28 pixels", fontsize=10)
for number, ax in enumerate(right.subplots(2, 8).flat):
    ax.imshow(film_tokens[0, number].reshape(7, 7), vmin=-1, vmax=1)
    ax.set_axis_off()
    ax.set_title(f"token {number}", fontsize=8)
show.figure(fig, alt="A chest film with a grid of four by four patches, and beside it the sixteen patches in the order in which the transformer reads them, row by row")
torch.manual_seed(0)
embedding = torch.nn.Conv2d(1, 32, kernel_size=7, stride=7)
with torch.no_grad():
    gap = (embedding(cut_film).flatten(2).transpose(1, 2) - (film_tokens @ embedding.weight.flatten(1).T + embedding.bias)).abs().max()
print(f"a linear layer on the patches, or a convolution with stride 7: largest difference {gap:.0e}")
assert gap < 1e-5, "cutting and a linear layer should be a convolution with stride p"

# %% [markdown]
# That is the first thing to keep: "no convolutions" is not quite true. The first layer of a ViT *is* a convolution, whose stride equals its kernel. Here is the whole network, on torch's attention layer. It can do without positions, and it can take other first layers: we need both below.

# %% tags=["demo"]
class TokenBlock(nn.Module):
    """One block of a transformer: attention, then an MLP, each with layer norm before and a residual connection around it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class SmallViT(nn.Module):
    """(B, 1, H, W) -> (B, 2) logits. `first` turns images into a grid of tokens (B, width, rows, columns); by default patches."""

    def __init__(self, side: int, patch: int, width: int = 32, depth: int = 3, heads: int = 4, positions: bool = True, first: nn.Module | None = None) -> None:
        super().__init__()
        self.first = first or nn.Conv2d(1, width, patch, patch)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, 1 + (side // patch) ** 2, width)) if positions else None
        self.blocks = nn.ModuleList(TokenBlock(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 2)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.first(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1)
        return tokens if self.position is None else tokens + self.position

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens[:, 0]))

# %% tags=["demo"]
def train_steps(net: nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int, seed: int, lr: float, move: int = 2) -> nn.Module:
    """AdamW, one-cycle schedule, batches of 32, each moved by up to `move` pixels: the same for every network."""
    rng = torch.Generator().manual_seed(seed)
    net.to(device).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(0, len(x), (32,), generator=rng)
        batch, (down, right) = x[rows], torch.randint(0, 2 * move + 1, (2,), generator=rng).tolist()
        if move:
            batch = F.pad(batch, (move,) * 4, mode="replicate")[:, :, down : down + x.shape[2], right : right + x.shape[3]]
        loss = F.cross_entropy(net(batch.to(device)), y[rows].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def logit_of(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Logit of class 1 against class 0, (N,)."""
    return torch.cat([(out := net(part.to(device)))[:, 1].cpu() - out[:, 0].cpu() for part in x.split(500)])

# %% [markdown]
# ### Without positions a transformer sees a bag of parts
#
# About one person in ten thousand has *situs inversus*: heart, liver and stomach are all there and healthy, on the other side. No patch of the film is abnormal. Only the arrangement is.
#
# We plant exactly that: noise, a bright disc (the liver) and a ring (the stomach), each filling one patch. In class 0 the liver lies left of the stomach, as on a film; in class 1 it is the other way round. For each test image there is a **twin** in which disc and ring have
# changed places: the same parts, the other class.
#
# Why should position matter? Attention is a weighted mean over tokens, and a mean has no order. Let $\Pi$ permute the tokens. Then $\mathrm{softmax}(\Pi Q K^\top \Pi^\top)\, \Pi V = \Pi\, \mathrm{softmax}(Q K^\top)\, V$: the output is the same, permuted. Layer norm and MLP work on tokens one by one. So the tokens are
# permuted all the way up, and the class token, which stays in front, gets *the same numbers*.
#
# **Predict before you run.** What accuracy does a ViT without positions reach on images and their twins, after training on thousands of images? And if you shuffle the patches of a test image, by how much does its output change?

# %% tags=["demo"]
def two_organs(n: int, seed: int) -> tuple:
    """Images (n, 1, 28, 28) with a disc and a ring, each in one patch of 7 x 7; labels (n,), 1 if the disc is on the right; and twins with both exchanged."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-3:4, -3:4]
    disc, ring = (np.hypot(x, y) <= 2.5) * 1.0, (np.abs(np.hypot(x, y) - 2.5) <= 0.7) * 1.0
    images = np.repeat(rng.normal(0, 0.25, (1, n, 4, 4, 7, 7)), 2, axis=0)  # image or twin, number, grid row, grid column, pixel row, pixel column
    labels = rng.integers(0, 2, n)
    for i, on_right in enumerate(labels):
        (r1, c1), (r2, c2) = ((rng.integers(4), rng.integers(2) + 2 * half) for half in (on_right, 1 - on_right))
        images[0, i, r1, c1], images[0, i, r2, c2] = disc, ring
        images[1, i, r1, c1], images[1, i, r2, c2] = ring, disc
    both = torch.tensor(images).float().permute(0, 1, 2, 4, 3, 5).reshape(2, n, 1, 28, 28)
    return both[0], torch.tensor(labels), both[1]


organs, organ_sides, _ = two_organs(1500, seed=0)
organs_test, sides_test, twins_test = two_organs(400, seed=1)
show.row([*organs_test[:3, 0], *twins_test[:3, 0]], titles=[f"image {i}" for i in range(3)] + [f"twin of {i}" for i in range(3)], height=1.7, window=(-1, 1.2),
         alt="Three noisy images with a bright disc and a ring, and their twins in which disc and ring have changed places")

# %% tags=["demo"]
def shuffled(x: torch.Tensor, seed: int) -> torch.Tensor:
    """The patches of each image in one other order."""
    order = torch.randperm(16, generator=torch.Generator().manual_seed(seed))
    return F.fold(F.unfold(x, 7, stride=7)[:, :, order], x.shape[2:], 7, stride=7)


position_test = {}
for kind, with_position, starts in (("with positions", True, 2), ("without positions", False, 1)):
    for seed in range(starts):
        torch.manual_seed(seed)
        situs_net = train_steps(SmallViT(28, 7, positions=with_position, depth=2), organs, organ_sides, run.pick(ci=150, laptop=500), seed, 3e-3, move=0)
        here, twin = logit_of(situs_net, organs_test), logit_of(situs_net, twins_test)
        right = torch.cat([(here > 0) == (sides_test == 1), (twin > 0) == (sides_test == 0)]).float().mean()
        moved = (logit_of(situs_net, shuffled(organs_test, seed)) - here).abs()
        position_test.setdefault(kind, []).append((float(right), float(moved.max())))
    share, change = np.array(position_test[kind]).T
    print(f"{kind:18s}: right on images and twins {share.min():.3f} to {share.max():.3f} over {starts} start(s); largest change of the logit when patches are shuffled {change.max():.1e}")
situs_accuracy = {kind: float(np.mean([share for share, _ in values])) for kind, values in position_test.items()}
assert min(share for share, _ in position_test["with positions"]) > 0.9, "with positions the network should learn the arrangement"
assert abs(situs_accuracy["without positions"] - 0.5) < 0.01, "without positions an image and its twin give the same answer: half is right"
assert max(change for _, change in position_test["without positions"]) < 1e-3, "without positions shuffling must change nothing but the last digits"

# %% [markdown]
# Without positions half of the answers are right, and no training, width or depth will change that: an image and its twin get the same logit up to rounding, and have opposite labels. That is a proof, not a bad run. With positions the same network learns the task.
#
# In practice $P$ is often learned, one vector a place. Then it is bound to one size of image; for another size it is interpolated. A **fixed** code of sines and cosines knows all sizes. Below is MONAI's for a grid of 14 x 14: how similar is the code of one patch to the codes of all?

# %% tags=["demo"]
import warnings

from monai.networks.blocks.pos_embed_utils import build_sincos_position_embedding

with warnings.catch_warnings(action="ignore"):  # MONAI calls torch.meshgrid in a way that torch has begun to dislike
    grid_code = build_sincos_position_embedding([14, 14], 64, spatial_dims=2)[0].detach()
grid_code = grid_code / grid_code.norm(dim=1, keepdim=True)
places = ((2, 2), (7, 7), (11, 4))
show.row([(grid_code @ grid_code[14 * r + c]).reshape(14, 14) for r, c in places], titles=[f"patch in row {r}, column {c}" for r, c in places], cmap="cividis", height=2.2,
         alt="Three maps of similarity between position codes: each is highest at the patch itself and falls off along its row and its column")

# %% [markdown]
# Along its own row and column a patch finds its relatives; two halves of the code do that, one for each direction. A code that counts the patches in one line, 0 to 195, would put the patch just below as far away as the other end of the row.
#
# The exercises below build the parts: patches and positions first, then heads, then windows.

# %% [markdown]
# ### Exercise 8.3a - patches and back
#
# Difficulty 2 of 5 - 4 points - about 15 minutes - *after it you can cut an image into tokens, and put a picture of tokens back together without mixing up places*
#
# Write the class `Patches(size)`. `cut` turns images $(B, C, H, W)$ into tokens $(B, N, C p^2)$ with $N = \frac{H}{p}\cdot\frac{W}{p}$: token 0 is the patch at the top left, then **row by row**. Inside a token stand
# channel, row, column, in this order: channel 0's $p \times p$ values first. Then a token times the flattened weights of a convolution with stride $p$ is that convolution, which is how every library does it. `paste` is the exact inverse;
# masked autoencoders and all maps of attention need it. The pixels of one patch do not lie together in memory, so a bare `reshape` gives strips of rows instead of patches. It raises no error, and a network trained on it
# is merely worse: only a test finds it. (torch's `unfold` and `fold` do all this, and the checks take any way; but build it from axes: windows, in 8.3d, have no such function.)
#
# <details><summary>Hint 1: the idea</summary>Split each of the two image axes in two: which patch, and where in the patch. Bring the two "which patch" axes together, then merge axes.</details>
# <details><summary>Hint 2: what to call</summary><code>reshape(B, C, H // p, p, W // p, p)</code>, <code>permute</code>, <code>reshape</code>. Going back: the same three in reverse order; the inverse of a
# permutation is another permutation.</details>
# <details><summary>My tokens hold pieces of several patches</summary>After the split the axes are batch, channel, patch row, row in the patch, patch column, column in the patch. They must be permuted before they are merged.</details>
# <details><summary>Grey images work, colour images don't</summary>With one channel the place of the channel axis can't be wrong. Inside a token the channel comes first.</details>

# %% nbgrader={"grade": false, "grade_id": "patchify", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Patches:
    """Square patches of p by p pixels as tokens, and back."""

    def __init__(self, size: int) -> None:
        """size: p, the side of a patch in pixels."""
        self.size = size

    def cut(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, C, H, W) -> tokens (B, H/p * W/p, C*p*p), patches row by row, inside a token channel, row, column.

        Raises:
            ValueError: p does not divide H or W. Pixels at the border must not be lost without a word.
        """
        ### BEGIN SOLUTION
        b, c, h, w = images.shape
        p = self.size
        if h % p or w % p:
            raise ValueError(f"patches of {p} pixels don't fill an image of {h} x {w}: pad or resize it first")
        return images.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5).reshape(b, (h // p) * (w // p), c * p * p)
        ### END SOLUTION

    def paste(self, tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """The inverse of `cut`: tokens (B, N, C*p*p) -> images (B, C, height, width)."""
        ### BEGIN SOLUTION
        p = self.size
        rows, columns = height // p, width // p
        b, _, values = tokens.shape
        c = values // (p * p)
        return tokens.reshape(b, rows, columns, c, p, p).permute(0, 3, 1, 4, 2, 5).reshape(b, c, height, width)
        ### END SOLUTION

# %% tags=["given"]
def tokens_from(images: torch.Tensor, size: int) -> torch.Tensor:
    """What your `Patches(size).cut` makes of images."""
    return Patches(size).cut(images)


def images_from(tokens: torch.Tensor, size: int, height: int, width: int) -> torch.Tensor:
    """What your `Patches(size).paste` makes of tokens."""
    return Patches(size).paste(tokens, height, width)

# %% nbgrader={"grade": true, "grade_id": "patchify-order", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Which pixels are in which token: a grey image of 4 x 6 whose pixel at row r, column c is 10 r + c, in patches of 2
picture = (10.0 * torch.arange(4)[:, None] + torch.arange(6)).reshape(1, 1, 4, 6)
cut = tokens_from(picture.clone(), 2)
assert cut is not None, "nothing came back: end `cut` with return"
cut = torch.as_tensor(cut)
assert tuple(cut.shape) == (1, 6, 4), f"4 x 6 pixels in patches of 2 are 6 tokens of 4 values, shape (1, 6, 4), not {tuple(cut.shape)}"
first, second = cut[0, 0].tolist(), cut[0, 1].tolist()
assert first != [0, 1, 2, 3], "token 0 holds four pixels of one row: a bare reshape cuts strips, not patches. Split both axes and permute before you merge"
assert second != [20, 21, 30, 31], "token 1 lies below token 0: the tokens run down the columns. Patches go row by row"
assert first != [0, 10, 1, 11], "inside a token the pixels run down the columns: rows first, then columns"
assert first == [0, 1, 10, 11] and second == [2, 3, 12, 13], f"token 0 should hold 0, 1, 10, 11 and token 1 should hold 2, 3, 12, 13; yours are {first} and {second}"
### BEGIN HIDDEN TESTS
for seed, (b, h, w, p) in enumerate(((2, 12, 8, 4), (3, 9, 15, 3), (1, 5, 7, 1), (2, 8, 8, 8))):
    x = torch.randn(b, 1, h, w, generator=torch.Generator().manual_seed(seed))
    cut = torch.as_tensor(tokens_from(x.clone(), p))
    wanted = torch.nn.functional.unfold(x, p, stride=p).transpose(1, 2)
    assert cut.shape == wanted.shape and torch.allclose(cut.double(), wanted.double()), f"grey images of {h} x {w} in patches of {p}: tokens are mixed up"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "patchify-channels", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Colour: a token times the flattened weights of a convolution with stride p is that convolution
smear = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
kernel = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))
cut = torch.as_tensor(tokens_from(smear.clone(), 4))
assert tuple(cut.shape) == (2, 6, 48), f"2 images of 3 x 8 x 12 in patches of 4 are tokens of shape (2, 6, 48), not {tuple(cut.shape)}"
embedded = torch.nn.functional.conv2d(smear, kernel, stride=4).flatten(2).transpose(1, 2)
last = cut.reshape(2, 6, 16, 3).transpose(2, 3).reshape(2, 6, 48).float()
assert not torch.allclose(last @ kernel.flatten(1).T, embedded, atol=1e-4), "inside a token the channel stands last; here it comes first: channel, row, column"
assert torch.allclose(cut.float() @ kernel.flatten(1).T, embedded, atol=1e-4), "tokens times the flattened kernel are not the convolution with stride 4: inside a token stand channel, row, column, and no image mixes with another"
### BEGIN HIDDEN TESTS
for seed, (c, h, w, p) in enumerate(((2, 6, 9, 3), (4, 10, 4, 2), (3, 7, 7, 7))):
    x = torch.randn(3, c, h, w, generator=torch.Generator().manual_seed(seed))
    cut, wanted = torch.as_tensor(tokens_from(x.clone(), p)), torch.nn.functional.unfold(x, p, stride=p).transpose(1, 2)
    assert cut.shape == wanted.shape and torch.allclose(cut.double(), wanted.double()), f"{c} channels, {h} x {w}, patches of {p}: the tokens are mixed up"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "patchify-inverse", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Back: tokens that were cut by torch's unfold become the image again, to the last bit
for shape, p in (((2, 1, 8, 12), 4), ((1, 3, 6, 10), 2)):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(p))
    good = torch.nn.functional.unfold(x, p, stride=p).transpose(1, 2)
    back = images_from(good.clone(), p, *shape[2:])
    assert back is not None, "nothing came back: end `paste` with return"
    back = torch.as_tensor(back)
    assert tuple(back.shape) == shape, f"tokens {tuple(good.shape)} should give back images {shape}, not {tuple(back.shape)}"
    assert not torch.equal(back, good.reshape(shape)), "paste is a bare reshape: it lays patches out as strips. Split, permute, merge, in the order opposite to cut's"
    assert torch.equal(back.to(x.dtype), x), "paste does not undo the cut: pieces return to wrong places. Check the order of axes, on an image that isn't square"
### BEGIN HIDDEN TESTS
for seed, (b, c, h, w, p) in enumerate(((3, 2, 15, 9, 3), (1, 4, 4, 16, 4), (2, 1, 28, 28, 7), (2, 3, 5, 3, 1))):
    x = torch.randn(b, c, h, w, generator=torch.Generator().manual_seed(seed))
    good = torch.nn.functional.unfold(x, p, stride=p).transpose(1, 2)
    back = torch.as_tensor(images_from(good.clone(), p, h, w))
    assert back.shape == x.shape and torch.equal(back.to(x.dtype), x), f"{c} channels, {h} x {w}, patches of {p}: paste does not give the image back"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "patchify-border", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A film of 30 x 28 pixels in patches of 4: the lowest two rows would be lost, and a fracture with them
assert tuple(torch.as_tensor(tokens_from(torch.zeros(1, 1, 28, 28), 4)).shape) == (1, 49, 16), "28 x 28 pixels in patches of 4 are 49 tokens of 16 values"
for h, w in ((30, 28), (28, 30)):
    try:
        tokens_from(torch.zeros(1, 1, h, w), 4)
    except ValueError:
        continue
    raise AssertionError(f"patches of 4 don't fill {h} x {w} pixels: raise a ValueError instead of dropping the border or mixing rows")
### BEGIN HIDDEN TESTS
for h, w, p in ((9, 9, 2), (16, 14, 7), (6, 12, 8)):
    assert tuple(torch.as_tensor(tokens_from(torch.zeros(2, 3, 2 * p, p), p)).shape) == (2, 2, 3 * p * p), "good images should still be cut"
    try:
        tokens_from(torch.zeros(1, 3, h, w), p)
    except ValueError:
        continue
    raise AssertionError(f"patches of {p} don't fill {h} x {w} pixels: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 8.3b - a position in two directions
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can give tokens a position that knows rows from columns, and say what a dot product of two positions tells*
#
# Write `position_2d(rows, columns, dim)`, the fixed embedding of Vaswani and others (NeurIPS 2017) on a grid. Half of the `dim` numbers tell the row, half the column. With $K = \mathrm{dim}/4$ frequencies $\omega_k = 10000^{-k/K}$, $k = 0, \dots, K-1$,
# the embedding of the patch in row $r$, column $c$ is
#
# $$\big[\,\sin(r\omega_0), \dots, \sin(r\omega_{K-1}),\ \cos(r\omega_0), \dots, \cos(r\omega_{K-1}),\ \sin(c\omega_0), \dots, \sin(c\omega_{K-1}),\ \cos(c\omega_0), \dots, \cos(c\omega_{K-1})\,\big]$$
#
# Since $\sin a \sin b + \cos a \cos b = \cos(a-b)$, the dot product of two embeddings depends on nothing but the difference of rows and of columns. That is why it is used: "the patch to the left" is the same direction everywhere in the image.
#
# <details><summary>Hint 1: the idea</summary>Write the code of one number (a coordinate) into dim/2 values first. Rows and columns both use it; then join the two halves for each patch.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")</code>, <code>flatten</code>, an outer product with the frequencies, <code>torch.cat</code> along the last axis.</details>
# <details><summary>A square grid works, a film in landscape format doesn't</summary>Tokens run row by row, as in 8.3a: token number i stands in row <code>i // columns</code>, column <code>i % columns</code>.</details>

# %% nbgrader={"grade": false, "grade_id": "position", "locked": false, "schema_version": 3, "solution": true, "task": false}
def position_2d(rows: int, columns: int, dim: int) -> torch.Tensor:
    """Fixed sine-cosine position embedding of a grid of patches.

    Args:
        rows, columns: size of the grid, in patches.
        dim: width of a token, a multiple of 4.

    Returns:
        (rows * columns, dim), tokens row by row; first half sine, cosine of the row, second half sine, cosine of the column.

    Raises:
        ValueError: dim is no positive multiple of 4.
    """
    ### BEGIN SOLUTION
    if dim < 4 or dim % 4:
        raise ValueError(f"the width must be a positive multiple of 4 (sine and cosine of row and column), not {dim}")
    r, c = torch.meshgrid(torch.arange(rows).float(), torch.arange(columns).float(), indexing="ij")
    omega = 10000 ** (-torch.arange(dim // 4) / (dim // 4))
    angles = [coordinate.flatten()[:, None] * omega for coordinate in (r, c)]
    return torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())], dim=1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "position-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The values, on a grid of 2 x 3 with width 8: two frequencies, 1 and 0.01
code = position_2d(2, 3, 8)
assert code is not None, "nothing came back: end the function with return"
code = torch.as_tensor(code).double()
assert tuple(code.shape) == (6, 8), f"2 x 3 patches of width 8: shape (6, 8), not {tuple(code.shape)}"
wanted = torch.tensor([[np.sin(r), np.sin(r / 100), np.cos(r), np.cos(r / 100), np.sin(c), np.sin(c / 100), np.cos(c), np.cos(c / 100)] for r in range(2) for c in range(3)])
assert not torch.allclose(code[:, :4], code[:, 4:], atol=1e-5), "the two halves are equal: a patch and its mirror image over the diagonal get the same code. One half tells the row, the other the column"
assert not torch.allclose(torch.cat([code[:, 4:], code[:, :4]], 1), wanted, atol=1e-5), "the halves are exchanged: the row comes first, then the column"
line = torch.tensor([[np.sin(i), np.sin(i / 100), np.cos(i), np.cos(i / 100)] for i in range(6)])
assert not torch.allclose(code[:, :4], line, atol=1e-5), "you count the tokens in one line: the patch below the first is then as far away as the end of the row. Use row and column"
assert torch.allclose(code, wanted, atol=1e-5), "the values are off: row sine, row cosine, column sine, column cosine, with frequencies 10000 to the power -k/K, K = dim/4"
### BEGIN HIDDEN TESTS
for rows, columns, dim in ((1, 5, 4), (7, 3, 16), (4, 9, 40)):
    code = torch.as_tensor(position_2d(rows, columns, dim)).double()
    assert tuple(code.shape) == (rows * columns, dim), f"a grid of {rows} x {columns}, width {dim}: the shape is {tuple(code.shape)}"
    k = dim // 4
    for i in range(rows * columns):
        parts = [f(n * 10000.0 ** (-np.arange(k) / k)) for n in (i // columns, i % columns) for f in (np.sin, np.cos)]
        assert np.allclose(code[i].numpy(), np.concatenate(parts), atol=1e-5), f"a grid of {rows} x {columns}, width {dim}: token {i} is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "position-relative", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What it is for: every patch has its own code, all of one length, and a dot product knows nothing but the offset
code = torch.as_tensor(position_2d(5, 9, 32)).double()
assert code.shape == (45, 32), f"5 x 9 patches of width 32: shape (45, 32), not {tuple(code.shape)}"
gaps = torch.cdist(code, code) + 10 * torch.eye(45)
assert gaps.min() > 0.1, "two patches have nearly the same code, so that attention can't tell them apart"
assert torch.allclose((code**2).sum(1), torch.full((45,), 16.0, dtype=code.dtype), atol=1e-4), "sine squared plus cosine squared of 16 angles is 16 for each patch. Does each angle have both?"
alike = (code @ code.T).reshape(5, 9, 5, 9)
assert torch.allclose(alike[0, 0, 2, 3], alike[2, 5, 4, 8], atol=1e-4), "two down and three to the right should give the same dot product everywhere on the grid"
### BEGIN HIDDEN TESTS
code = torch.as_tensor(position_2d(6, 4, 24)).double()
alike = (code @ code.T).reshape(6, 4, 6, 4)
for down in range(4):
    for right in range(3):
        values = torch.stack([alike[r, c, r + down, c + right] for r in range(6 - down) for c in range(4 - right)])
        wanted = sum(np.cos(n * 10000.0 ** (-np.arange(6) / 6)).sum() for n in (down, right))
        assert torch.allclose(values, torch.full_like(values, wanted), atol=1e-4), "the dot product of two codes should depend on the offset alone"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "position-width", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Four kinds of numbers (sine and cosine, row and column) need a width that four divides
assert tuple(torch.as_tensor(position_2d(2, 2, 12)).shape) == (4, 12), "width 12 is fine"
for width in (6, 10):
    try:
        position_2d(3, 3, width)
    except ValueError:
        continue
    raise AssertionError(f"a width of {width} can't be split into four equal parts: raise a ValueError")
### BEGIN HIDDEN TESTS
for width in (0, 7, 30):
    assert tuple(torch.as_tensor(position_2d(1, 3, 4)).shape) == (3, 4), "width 4 is the smallest that works"
    try:
        position_2d(2, 4, width)
    except ValueError:
        continue
    raise AssertionError(f"a width of {width} should raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 8.3c - several heads
#
# Difficulty 4 of 5 - 5 points - about 25 minutes - *after it you can write the layer that every transformer is made of, and load another's weights into it*
#
# One head gives one set of weights: a token looks at one mixture of others. With $h$ heads the width $d$ is cut into $h$ parts of $d_h = d/h$, each attends by itself, and the results are joined. For tokens $X$ $(N, d)$:
#
# $$Q, K, V = X W_Q^\top + b_Q,\ \dots \qquad A_i = \mathrm{softmax}\!\Big(\frac{Q_i K_i^\top}{\sqrt{d_h}}\Big) \qquad Y = [A_1 V_1, \dots, A_h V_h]\, W_O^\top + b_O$$
#
# where $Q_i$ holds columns $i d_h$ to $(i+1) d_h - 1$ of $Q$. `in_weight` $(3d, d)$ holds $W_Q$, $W_K$, $W_V$ one below the other, as in `torch.nn.MultiheadAttention`, whose output yours must equal to float precision. Write
# `multi_head(x, in_weight, in_bias, out_weight, out_bias, heads)`; build it from matrix products (the checks take any way, but `torch.nn.MultiheadAttention` itself teaches nothing).
#
# The trap: $Q$ has shape $(B, N, d)$, and attention within heads needs $(B, h, N, d_h)$. A bare `view` to that shape runs, and is wrong: a "head" then holds a few whole tokens instead of a part of all of them.
#
# <details><summary>Hint 1: the idea</summary>Split the last axis into (heads, width of a head) first; only then move the axis of heads forward. On the way back the same, reversed.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.nn.functional.linear(x, in_weight, in_bias).chunk(3, dim=-1)</code>; <code>q.reshape(B, N, heads, d // heads).transpose(1, 2)</code>; <code>@</code>, <code>softmax(dim=-1)</code>;
# <code>transpose(1, 2).reshape(B, N, d)</code>.</details>
# <details><summary>Shapes are right, values are not</summary>Try heads = 1. If that agrees with torch, the heads are mixed or the scale is that of d. If not, look at the order of Q, K and V and at the biases.</details>

# %% nbgrader={"grade": false, "grade_id": "multi-head", "locked": false, "schema_version": 3, "solution": true, "task": false}
def multi_head(x: torch.Tensor, in_weight: torch.Tensor, in_bias: torch.Tensor, out_weight: torch.Tensor, out_bias: torch.Tensor, heads: int) -> tuple:
    """Multi-head self-attention.

    Args:
        x: (B, N, d) tokens.
        in_weight, in_bias: (3d, d), (3d,): rows of the query first, then key, then value.
        out_weight, out_bias: (d, d), (d,) of the layer that mixes the joined heads.
        heads: number of heads h.

    Returns:
        Output (B, N, d), and the attention weights (B, h, N, N): [b, i, m, n] is how much token m looks at token n in head i.

    Raises:
        ValueError: h does not divide d.
    """
    ### BEGIN SOLUTION
    b, n, d = x.shape
    if d % heads:
        raise ValueError(f"{heads} heads can't share a width of {d}")
    q, k, v = ((x @ w.T + bias).reshape(b, n, heads, d // heads).transpose(1, 2) for w, bias in zip(in_weight.chunk(3), in_bias.chunk(3), strict=True))
    weights = (q @ k.transpose(-2, -1) / (d // heads) ** 0.5).softmax(dim=-1)
    return (weights @ v).transpose(1, 2).reshape(b, n, d) @ out_weight.T + out_bias, weights
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "multi-head-output", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The output: equal to torch.nn.MultiheadAttention with the same weights
def torch_layer(width: int, heads: int, seed: int) -> tuple:
    """torch's layer with random weights and biases, and its four tensors."""
    layer, state = torch.nn.MultiheadAttention(width, heads, batch_first=True).eval(), torch.Generator().manual_seed(seed)
    tensors = [torch.randn(shape, generator=state) * width**-0.25 for shape in ((3 * width, width), (3 * width,), (width, width), (width,))]
    layer.load_state_dict(dict(zip(("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"), tensors, strict=True)))
    return layer, tensors


layer, tensors = torch_layer(12, 3, seed=0)
tokens = torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(5))
with torch.no_grad():
    wanted = layer(tokens, tokens, tokens)[0]
    q, k, v = (tokens @ tensors[0].T + tensors[1]).chunk(3, -1)
    mixed = [t.reshape(2, 3, 6, 4) for t in (q, k, v)]
    apart = [t.reshape(2, 6, 3, 4).transpose(1, 2) for t in (q, k, v)]
    wide = (apart[0] @ apart[1].transpose(-2, -1) / 12**0.5).softmax(-1) @ apart[2]
    right = (apart[0] @ apart[1].transpose(-2, -1) / 4**0.5).softmax(-1) @ apart[2]
    known = {"view": ((mixed[0] @ mixed[1].transpose(-2, -1) / 2).softmax(-1) @ mixed[2]).reshape(2, 6, 12), "view2": ((mixed[0] @ mixed[1].transpose(-2, -1) / 2).softmax(-1) @ mixed[2]).transpose(1, 2).reshape(2, 6, 12),
             "wide": wide.transpose(1, 2).reshape(2, 6, 12), "join": right.reshape(2, 6, 12)}
answer = multi_head(tokens.clone(), *[t.clone() for t in tensors], 3)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: the output and the attention weights"
output = torch.as_tensor(answer[0]).detach().float()
assert tuple(output.shape) == (2, 6, 12), f"the output has the shape of the tokens, (2, 6, 12), not {tuple(output.shape)}"
looks = {name: torch.allclose(output, joined @ tensors[2].T + tensors[3], atol=1e-4) for name, joined in known.items()}
assert not (looks["view"] or looks["view2"]), "the heads are mixed by a bare view: a head holds whole tokens. Reshape to (B, N, heads, width of a head), then exchange axes 1 and 2"
assert not looks["wide"], "the scores are divided by the root of d; each head has width d / heads, and its scores the spread of that"
assert not looks["join"], "the heads are joined by a bare reshape: exchange the axes of heads and tokens first"
assert not torch.allclose(output, right.transpose(1, 2).reshape(2, 6, 12), atol=1e-4), "the last layer (out_weight, out_bias) is missing: without it the heads never talk to each other"
assert torch.allclose(output, wanted, atol=1e-4), "the output differs from torch's: check the order query, key, value, the biases and the softmax over keys"
### BEGIN HIDDEN TESTS
for seed, (b, n, d, h) in enumerate(((3, 5, 8, 1), (1, 7, 8, 8), (2, 4, 20, 5), (2, 16, 16, 2))):
    layer, tensors = torch_layer(d, h, seed + 10)
    tokens = torch.randn(b, n, d, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        wanted = layer(tokens, tokens, tokens)[0]
    output = torch.as_tensor(multi_head(tokens.clone(), *[t.clone() for t in tensors], h)[0]).detach().float()
    assert output.shape == wanted.shape and torch.allclose(output, wanted, atol=1e-3), f"{n} tokens of width {d}, {h} heads: the output differs from torch's"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "multi-head-weights", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The weights of each head: rows that sum to 1, not averaged over heads
def torch_layer(width: int, heads: int, seed: int) -> tuple:
    """torch's layer with random weights and biases, and its four tensors."""
    layer, state = torch.nn.MultiheadAttention(width, heads, batch_first=True).eval(), torch.Generator().manual_seed(seed)
    tensors = [torch.randn(shape, generator=state) * width**-0.25 for shape in ((3 * width, width), (3 * width,), (width, width), (width,))]
    layer.load_state_dict(dict(zip(("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"), tensors, strict=True)))
    return layer, tensors


layer, tensors = torch_layer(8, 2, seed=1)
tokens = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(6))
with torch.no_grad():
    wanted = layer(tokens, tokens, tokens, average_attn_weights=False)[1]
weights = torch.as_tensor(multi_head(tokens.clone(), *[t.clone() for t in tensors], 2)[1]).detach().float()
assert tuple(weights.shape) == (2, 2, 5, 5), f"one matrix of 5 x 5 for each image and head: shape (2, 2, 5, 5), not {tuple(weights.shape)}"
assert not torch.allclose(weights.sum(-2), torch.ones(2, 2, 5), atol=1e-4), "the columns sum to 1: the softmax runs over the queries. Each token shares out its own look, over the keys"
assert torch.allclose(weights.sum(-1), torch.ones(2, 2, 5), atol=1e-4), "each row should sum to 1: return the weights after the softmax"
assert torch.allclose(weights, wanted, atol=1e-4), "the weights differ from torch's: heads apart, scores divided by the root of the width of a head"
### BEGIN HIDDEN TESTS
for seed, (b, n, d, h) in enumerate(((1, 9, 12, 4), (3, 3, 6, 6), (2, 6, 4, 1))):
    layer, tensors = torch_layer(d, h, seed + 20)
    tokens = torch.randn(b, n, d, generator=torch.Generator().manual_seed(seed + 3))
    with torch.no_grad():
        wanted = layer(tokens, tokens, tokens, average_attn_weights=False)[1]
    weights = torch.as_tensor(multi_head(tokens.clone(), *[t.clone() for t in tensors], h)[1]).detach().float()
    assert weights.shape == wanted.shape and torch.allclose(weights, wanted, atol=1e-3), f"{n} tokens of width {d}, {h} heads: the weights differ from torch's"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "multi-head-width", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A width that the heads can't share
tensors = [torch.ones(36, 12), torch.ones(36), torch.ones(12, 12), torch.ones(12)]
assert tuple(torch.as_tensor(multi_head(torch.zeros(1, 3, 12), *[t.clone() for t in tensors], 4)[0]).shape) == (1, 3, 12), "4 heads share a width of 12"
for heads in (5, 8):
    try:
        multi_head(torch.zeros(1, 3, 12), *[t.clone() for t in tensors], heads)
    except ValueError:
        continue
    except RuntimeError as problem:
        raise AssertionError(f"{heads} heads can't share a width of 12: say so in a ValueError before the shapes break") from problem
    raise AssertionError(f"{heads} heads can't share a width of 12: raise a ValueError instead of dropping the rest")
### BEGIN HIDDEN TESTS
tensors = [torch.ones(30, 10), torch.ones(30), torch.ones(10, 10), torch.ones(10)]
for heads in (3, 4, 20):
    assert tuple(torch.as_tensor(multi_head(torch.zeros(2, 4, 10), *[t.clone() for t in tensors], 2)[1]).shape) == (2, 2, 4, 4), "2 heads share a width of 10"
    try:
        multi_head(torch.zeros(2, 4, 10), *[t.clone() for t in tensors], heads)
    except ValueError:
        continue
    except RuntimeError as problem:
        raise AssertionError(f"{heads} heads and width 10: raise a ValueError") from problem
    raise AssertionError(f"{heads} heads and width 10: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Windows, and windows that are shifted
#
# Attention among all tokens costs $N^2$. A film of 28 pixels has 16 tokens here; a CT of $256^3$ voxels in patches of $4^3$ has 262,144, and their matrix of pairs 69 billion entries. The **Swin transformer** (Liu and others, ICCV 2021) lets tokens attend only within
# windows of $w \times w$: cost $N w^2$. But then windows never hear of each other. So every second layer **shifts** the windows by half their size: what was a border lies now in the middle. The shift is made by rolling the grid, which wraps around: the last row meets the
# first, and the right edge of the body the left one. A **mask** forbids those pairs.
#
# **Predict before you run.** A grid of 12 x 12 tokens, two layers of attention in windows of 4 x 4. From how many tokens can one in the middle have heard, without a shift and with one? And one in the upper left corner, if the mask is forgotten?

# %% tags=["demo"]
from monai.networks.nets import swin_unetr


def two_window_layers(x: torch.Tensor, shift: int, masked: bool) -> torch.Tensor:
    """Two layers of MONAI's window attention on tokens (1, 12, 12, 8), the second one shifted."""
    for move in (0, shift):
        torch.manual_seed(3)
        layer = swin_unetr.WindowAttention(8, 2, (4, 4)).eval()
        mask = swin_unetr.compute_mask([12, 12], (4, 4), (move, move), "cpu") if move and masked else None
        pieces = layer(swin_unetr.window_partition(torch.roll(x, (-move, -move), (1, 2)), (4, 4)), mask)
        x = x + torch.roll(swin_unetr.window_reverse(pieces, (4, 4), (1, 12, 12)), (move, move), (1, 2))
    return x


heard = {}
for kind, (place, shift, masked) in {"middle, no shift": (6, 0, False), "middle, shift, mask": (6, 2, True), "corner, shift, mask": (1, 2, True), "corner, no mask": (1, 2, False)}.items():
    grid_tokens = torch.randn(1, 12, 12, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    two_window_layers(grid_tokens, shift, masked)[0, place, place].square().sum().backward()
    heard[kind] = (grid_tokens.grad[0].abs().sum(-1) > 1e-12).float()
    heard[kind][place, place] = 1.6  # the token itself is drawn brightest
regions = torch.zeros(12, 12)
regions[:2], regions[:, :2] = 1, 2
regions[:2, :2] = 3
show.row([regions, torch.roll(regions, (-2, -2), (0, 1)), *heard.values()], titles=["regions", "regions, rolled", *heard], cmap="cividis", height=1.9,
         alt="Regions of a grid of 12 by 12 tokens before and after rolling, and which tokens one token has heard after two layers: its window of 16; with a shift four windows; in the corner one window; without the mask also tokens at the opposite edges")
print("tokens heard:", {kind: int((m > 0).sum()) for kind, m in heard.items()})
assert (heard["middle, no shift"] > 0).sum() == 16 < (heard["middle, shift, mask"] > 0).sum(), "a shift should let a token hear more than its window"
assert not heard["corner, shift, mask"][6:].any() and not heard["corner, shift, mask"][:, 6:].any(), "with the mask nothing comes from the opposite edges"
assert heard["corner, no mask"][8:].any() and heard["corner, no mask"][:, 8:].any(), "without the mask the opposite edges are heard"

# %% [markdown]
# Bright is what the token has heard. Without a shift its window is a prison; with a shift it hears the four windows around a corner where they meet, and further with each pair of layers. In the corner of the image nothing new lies beyond, so shift and mask leave it with its window. If the mask is forgotten, it
# hears the opposite edges of the image. Nothing crashes, and the loss still falls. MONAI's mask is a number added to the scores: 0 or $-100$, and $e^{-100}$ is nothing.

# %% [markdown]
# ### Exercise 8.3d - windows, shifted and masked
#
# Difficulty 4 of 5 - 6 points - about 30 minutes - *after it you can write the bookkeeping of a Swin transformer, and know what goes wrong silently without it*
#
# Write the class `Windows(size, shift)` for a grid of tokens. `cut` rolls the grid up and to the left by `shift` (with wrap-around) and cuts it into windows of `size` x `size` tokens; `paste` puts windows together and rolls back. `allowed`
# says who may look at whom: after the roll, the windows at the lower and right border hold tokens from **opposite edges of the image**. The left lung must not attend to the right one as if they touched. Two tokens of a window may see each other
# only if they are true neighbours: if both, or neither, were wrapped around, along rows as well as along columns.
#
# <details><summary>Hint 1: the idea</summary>Cutting is patchify on tokens. For <code>allowed</code>: give each token a number for its region (wrapped or not along rows, wrapped or not along columns: four regions), cut that map into windows, and compare all pairs.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.roll(x, (-shift, -shift), dims=(1, 2))</code>, <code>reshape</code>, <code>permute</code>; for pairs <code>region[:, :, None] == region[:, None, :]</code>.</details>
# <details><summary>Pasting gives a picture that has moved</summary>The roll must be undone, with the opposite sign, after the windows are together.</details>
# <details><summary>My mask forbids too much without a shift</summary>With shift 0 nothing wraps around: everything in a window is allowed.</details>

# %% nbgrader={"grade": false, "grade_id": "window-partition", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Windows:
    """Square windows of a grid of tokens, perhaps shifted."""

    def __init__(self, size: int, shift: int = 0) -> None:
        """size: w, side of a window in tokens; shift: s tokens, 0 <= s < w."""
        self.size, self.shift = size, shift

    def cut(self, x: torch.Tensor) -> torch.Tensor:
        """Tokens (B, H, W, C), w divides H and W -> windows (B * H/w * W/w, w * w, C): image by image, windows and the tokens in them row by row."""
        ### BEGIN SOLUTION
        b, h, w, c = x.shape
        s = self.size
        x = torch.roll(x, (-self.shift, -self.shift), dims=(1, 2))
        return x.reshape(b, h // s, s, w // s, s, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, s * s, c)
        ### END SOLUTION

    def paste(self, windows: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """The inverse of `cut`: windows (B * H/w * W/w, w * w, C) -> tokens (B, height, width, C)."""
        ### BEGIN SOLUTION
        s = self.size
        x = windows.reshape(-1, height // s, width // s, s, s, windows.shape[-1]).permute(0, 1, 3, 2, 4, 5)
        return torch.roll(x.reshape(-1, height, width, windows.shape[-1]), (self.shift, self.shift), dims=(1, 2))
        ### END SOLUTION

    def allowed(self, height: int, width: int) -> torch.Tensor:
        """Boolean (H/w * W/w, w * w, w * w) for one image: [k, m, n] is True where token m of window k may look at token n."""
        ### BEGIN SOLUTION
        wrapped = [torch.arange(length) < self.shift for length in (height, width)]  # these come back at the other end
        region = (2 * wrapped[0][:, None] + wrapped[1].int())[None, :, :, None]
        if self.shift == 0:
            region = torch.zeros_like(region)
        region = self.cut(region)[:, :, 0]
        return region[:, :, None] == region[:, None, :]
        ### END SOLUTION

# %% tags=["given"]
def windows_from(x: torch.Tensor, size: int, shift: int) -> torch.Tensor:
    """What your `Windows(size, shift).cut` makes of tokens."""
    return Windows(size, shift).cut(x)


def grid_from(windows: torch.Tensor, size: int, shift: int, height: int, width: int) -> torch.Tensor:
    """What your `Windows(size, shift).paste` makes of windows."""
    return Windows(size, shift).paste(windows, height, width)


def mask_from(size: int, shift: int, height: int, width: int) -> torch.Tensor:
    """What your `Windows(size, shift).allowed` says of a grid."""
    return Windows(size, shift).allowed(height, width)

# %% nbgrader={"grade": true, "grade_id": "window-partition-cut", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Cutting without a shift: as MONAI's window_partition does
from monai.networks.nets.swin_unetr import window_partition

numbers = torch.arange(2 * 4 * 6 * 3).float().reshape(2, 4, 6, 3)
cut = windows_from(numbers.clone(), 2, 0)
assert cut is not None, "nothing came back: end `cut` with return"
cut = torch.as_tensor(cut)
assert tuple(cut.shape) == (12, 4, 3), f"2 grids of 4 x 6 in windows of 2 x 2 are 12 windows of 4 tokens, shape (12, 4, 3), not {tuple(cut.shape)}"
assert not torch.equal(cut.float(), numbers.reshape(12, 4, 3)), "a bare reshape: your windows are pieces of rows. Split both axes and permute"
assert torch.equal(cut.float(), window_partition(numbers, (2, 2))), "the windows differ from MONAI's: image by image, windows row by row, and tokens in a window row by row"
### BEGIN HIDDEN TESTS
from monai.networks.nets.swin_unetr import window_partition

for seed, (b, h, w, c, s) in enumerate(((1, 9, 6, 2, 3), (3, 8, 12, 1, 4), (2, 5, 5, 4, 5))):
    grid_of = torch.randn(b, h, w, c, generator=torch.Generator().manual_seed(seed))
    cut = torch.as_tensor(windows_from(grid_of.clone(), s, 0))
    wanted = window_partition(grid_of, (s, s))
    assert cut.shape == wanted.shape and torch.equal(cut.float(), wanted), f"a grid of {h} x {w} in windows of {s}: the windows differ from MONAI's"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "window-partition-shift", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The shift, and the way back: cutting rolls to the upper left, pasting undoes it exactly
from monai.networks.nets.swin_unetr import window_partition

numbers = torch.arange(36.0).reshape(1, 6, 6, 1)
rolled = torch.roll(numbers, (-1, -1), dims=(1, 2))
cut = torch.as_tensor(windows_from(numbers.clone(), 3, 1)).float()
assert tuple(cut.shape) == (4, 9, 1), f"6 x 6 tokens in windows of 3 are 4 windows of 9 tokens, not {tuple(cut.shape)}"
assert not torch.equal(cut, window_partition(numbers, (3, 3))), "the shift has no effect: roll the grid before you cut it"
assert not torch.equal(cut, window_partition(torch.roll(numbers, (1, 1), dims=(1, 2)), (3, 3))), "you roll to the lower right: Swin rolls by -shift, so that window 0 begins at row `shift`, column `shift`"
assert torch.equal(cut, window_partition(rolled, (3, 3))), "shifted windows differ from MONAI's on a grid rolled by -shift along rows and columns"
back = grid_from(window_partition(rolled, (3, 3)), 3, 1, 6, 6)
assert back is not None, "nothing came back: end `paste` with return"
back = torch.as_tensor(back).float()
assert tuple(back.shape) == (1, 6, 6, 1), f"pasting should give back a grid of shape (1, 6, 6, 1), not {tuple(back.shape)}"
assert not torch.equal(back, rolled), "the shift is not undone: each pair of layers would move the image by `shift` tokens. Roll back after pasting"
assert torch.equal(back, numbers), "pasting does not give the grid back: check the order of axes, and the sign of the roll"
### BEGIN HIDDEN TESTS
from monai.networks.nets.swin_unetr import window_partition

for seed, (b, h, w, c, s, move) in enumerate(((2, 8, 12, 3, 4, 2), (1, 9, 3, 2, 3, 1), (3, 10, 5, 1, 5, 3), (2, 6, 8, 2, 2, 0))):
    grid_of = torch.randn(b, h, w, c, generator=torch.Generator().manual_seed(seed + 7))
    wanted = window_partition(torch.roll(grid_of, (-move, -move), dims=(1, 2)), (s, s))
    cut = torch.as_tensor(windows_from(grid_of.clone(), s, move)).float()
    assert cut.shape == wanted.shape and torch.equal(cut, wanted), f"a grid of {h} x {w}, windows of {s}, shift {move}: the windows are off"
    back = torch.as_tensor(grid_from(wanted.clone(), s, move, h, w)).float()
    assert back.shape == grid_of.shape and torch.equal(back, grid_of), f"a grid of {h} x {w}, windows of {s}, shift {move}: pasting doesn't give it back"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "window-partition-mask", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# The mask: opposite edges of the image share a window, but must not see each other. MONAI's mask holds 0 where looking is allowed
from monai.networks.nets.swin_unetr import compute_mask

mask = mask_from(4, 1, 8, 8)
assert mask is not None, "nothing came back: end `allowed` with return"
mask = torch.as_tensor(mask)
assert tuple(mask.shape) == (4, 16, 16), f"8 x 8 tokens in windows of 4: one matrix of 16 x 16 for each of 4 windows, shape (4, 16, 16), not {tuple(mask.shape)}"
mask, wanted = mask.bool(), compute_mask([8, 8], (4, 4), (1, 1), "cpu") == 0
assert not mask.all(), "everything is allowed: the window at the lower right holds four corners of the image, which are no neighbours"
assert not torch.equal(~mask, wanted), "True and False are exchanged: True where looking is allowed"
assert mask[0].all(), "window 0 holds no wrapped token: all is allowed there. Which tokens does the roll carry to the other end?"
assert torch.equal(mask, wanted), "the mask differs from MONAI's: compare the regions of both tokens, wrapped or not along rows AND wrapped or not along columns"
free = torch.as_tensor(mask_from(4, 0, 8, 12))
assert tuple(free.shape) == (6, 16, 16) and free.bool().all(), "without a shift nothing wraps around: everything in a window is allowed"
### BEGIN HIDDEN TESTS
from monai.networks.nets.swin_unetr import compute_mask

for s, move, h, w in ((4, 1, 12, 8), (3, 2, 6, 9), (2, 1, 4, 10), (5, 2, 10, 15)):
    mask = torch.as_tensor(mask_from(s, move, h, w))
    wanted = compute_mask([h, w], (s, s), (move, move), "cpu") == 0
    assert mask.shape == wanted.shape and torch.equal(mask.bool(), wanted), f"a grid of {h} x {w}, windows of {s}, shift {move}: the mask differs from MONAI's"
for s, h, w in ((3, 9, 6), (7, 7, 14)):
    mask = torch.as_tensor(mask_from(s, 0, h, w))
    assert tuple(mask.shape) == (h * w // s**2, s**2, s**2) and mask.bool().all(), "without a shift everything in a window is allowed"
### END HIDDEN TESTS

# %% [markdown]
# ### A whole Swin network: MONAI's SwinUNETR
#
# Swin merges 2 x 2 tokens into one after each stage, so that its windows see more and more of the image, as a CNN's kernels do. **Swin UNETR** (Hatamizadeh and others, MICCAI BrainLes workshop 2021) puts such an encoder into a U-Net: four stages of shifted windows, and a decoder of convolutions. It is one of the most used networks for organs and tumours in CT and MR. Here is a
# small one in 2-D, beside a U-Net, on ultrasound images with a planted lesion. Both get the same images, steps and loss.

# %% tags=["demo"]
import time

from monai.losses import DiceCELoss
from monai.networks.nets import SwinUNETR, UNet


def lesion_images(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ultrasound images (n, 1, 64, 64) in [0, 1] with one lesion each, every second one malignant, and masks (n, 1, 64, 64)."""
    scans = [simulate.ultrasound(malignant=bool(i % 2), shape=(64, 64), spacing=0.6, seed=seed + i) for i in range(n)]
    return torch.tensor(np.stack([s.image for s in scans])).float()[:, None] / 255, torch.tensor(np.stack([s.lesion for s in scans])).long()[:, None]


def lesion_net(kind: str) -> nn.Module:
    if kind == "Swin UNETR":
        return SwinUNETR(in_channels=1, out_channels=2, feature_size=12, spatial_dims=2, depths=(2, 2, 2, 2), num_heads=(3, 6, 12, 24), window_size=4)
    return UNet(spatial_dims=2, in_channels=1, out_channels=2, channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=1)


scans_train, masks_train = lesion_images(run.pick(ci=120, laptop=300), 0)
scans_test, masks_test = lesion_images(60, 50_000)
swin_shapes = [tuple(level.shape[1:]) for level in lesion_net("Swin UNETR").swinViT(scans_test[:1])]
print("what the Swin encoder gives for 1 x 64 x 64 pixels:", *swin_shapes)
assert swin_shapes == [(12, 32, 32), (24, 16, 16), (48, 8, 8), (96, 4, 4), (192, 2, 2)], "each stage should halve the grid and double the width"

# %% tags=["demo"]
def train_lesion_net(kind: str, rate: float, steps: int) -> nn.Module:
    """Adam with weight decay, one-cycle schedule, batches of 8, Dice and cross entropy: the same for both networks."""
    torch.manual_seed(0)
    net, rng = lesion_net(kind).to(device), torch.Generator().manual_seed(0)
    criterion, optimizer = DiceCELoss(softmax=True, to_onehot_y=True), torch.optim.AdamW(net.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(0, len(scans_train), (8,), generator=rng)
        loss = criterion(net(scans_train[rows].to(device)), masks_train[rows].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def dice_of(found: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """Dice of each image, (N,)."""
    return (2 * (found & truth).sum((1, 2, 3)) / (found.sum((1, 2, 3)) + truth.sum((1, 2, 3)))).numpy()


lesion_dice, lesion_found, swin_steps = {}, {}, run.pick(ci=30, laptop=120)
for name, (kind, rate, steps) in {"Swin UNETR": ("Swin UNETR", 2e-3, swin_steps), "U-Net": ("U-Net", 5e-3, swin_steps), "U-Net, 4 x steps": ("U-Net", 5e-3, 4 * swin_steps)}.items():
    begin = time.perf_counter()
    lesion_model = train_lesion_net(kind, rate, steps)
    seconds = time.perf_counter() - begin
    with torch.no_grad():
        lesion_found[name] = torch.cat([lesion_model(part.to(device)).argmax(1, keepdim=True).cpu() for part in scans_test.split(20)]) == 1
    lesion_dice[name] = dice_of(lesion_found[name], masks_test == 1)
    print(f"{name:17s} {sum(p.numel() for p in lesion_model.parameters()):9,d} parameters, {steps} steps in {seconds:.0f} s: test Dice {lesion_dice[name].mean():.3f}")

# %% tags=["demo"]
share = masks_train.float().mean()
darkest = F.avg_pool2d(scans_test, 7, 1, 3, count_include_pad=False)
lesion_dice["darkest pixels"] = dice_of(darkest <= torch.quantile(darkest.flatten(1), share, dim=1)[:, None, None, None], masks_test == 1)
print(f"the darkest {share:.0%} of a smoothed image, without any training: {lesion_dice['darkest pixels'].mean():.3f}")
dice_gap = {}
for name in ("U-Net", "U-Net, 4 x steps"):
    gaps = lesion_dice["Swin UNETR"] - lesion_dice[name]
    low, high = np.percentile(np.random.default_rng(0).choice(gaps, (2000, len(gaps))).mean(1), [2.5, 97.5])
    dice_gap[name] = (float(gaps.mean()), float(low), float(high))
    print(f"Swin UNETR minus {name}: {gaps.mean():+.3f}, 95 % over test images {low:+.3f} to {high:+.3f}")
show.row([scans_test[i, 0] for _ in lesion_found for i in (0, 1)], titles=[f"{name}\nDice {lesion_dice[name][i]:.2f}" for name in lesion_found for i in (0, 1)],
         overlay=[found[i, 0].numpy() for found in lesion_found.values() for i in (0, 1)], height=1.8,
         alt="Two ultrasound images with the outline that Swin UNETR found, that of the U-Net after as many steps, and that of the U-Net after four times as many; Dice of each in its title")
assert lesion_dice["Swin UNETR"].mean() > lesion_dice["darkest pixels"].mean() + 0.1, "the transformer should beat a rule without training"
assert lesion_dice["U-Net, 4 x steps"].mean() > lesion_dice["darkest pixels"].mean() + 0.1, "the U-Net should beat a rule without training"

# %% [markdown]
# Given enough steps, both kinds of network learn far more than the rule. Now look at what "fair" means. After the *same number of steps* the comparison is one between 1.6 million parameters and 0.2 million, and between a long step and a short one. After about the *same time* the U-Net has had four times the steps, and the gap is another. (One start each: the
# intervals tell of test images, not of starts.) The literature knows this well: on the usual sets for segmentation a U-Net that is configured with care and given the same computing is still hard to beat (Isensee and others, MICCAI 2024). Ask each paper which U-Net it compares with, and how long that one was trained.

# %% [markdown]
# ### ViT against CNN, with the same number of parameters
#
# "Transformers need more data" is often said. Let's measure it, as lecture 7 did: training sets of rising size from the pool of films, several draws, the same draws for both, the same steps, batches and augmentation. Both have about 25,000 parameters. The learning rates were taken from common practice, 5e-3 for the CNN and 2e-3 for the ViT, and
# not tuned to these films; nothing is chosen on the test set, and the last step counts.
#
# **Predict before you run.** At which size does the ViT catch up with the CNN: at 32 films, at 500, with the whole pool, or never?

# %% tags=["demo"]
def small_cnn(width: int = 16) -> nn.Module:
    """(B, 1, 28, 28) -> (B, 2): three convolutions with stride 2, the mean over all places, a linear layer."""
    widths = (1, width, 2 * width, 4 * width)
    layers = [[nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()] for a, b in zip(widths, widths[1:], strict=False)]
    return nn.Sequential(*sum(layers, []), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 2))


def film_set(n: int, seed: int) -> torch.Tensor:
    """Rows of n films with the pool's share of pneumonia; a larger n with the same seed contains the smaller one. Patients stay together where they are known: a film of a chosen child is taken with all others."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(chest_films))
    if chest_set.train.patients is not None:
        who = np.asarray(chest_set.train.patients)
        rank = {name: i for i, name in enumerate(rng.permutation(np.unique(who)))}
        order = np.array(sorted(range(len(who)), key=lambda i: rank[who[i]]))
    sick = chest_labels.numpy()[order] == 1
    n_sick = round(n * float(chest_labels.float().mean()))
    return torch.tensor(np.concatenate([order[sick][:n_sick], order[~sick][: n - n_sick]]))


film_nets = {"CNN": (lambda: small_cnn(16), 5e-3), "ViT": (lambda: SmallViT(28, 7, width=36, depth=2), 2e-3)}
film_parameters = {name: sum(p.numel() for p in make().parameters()) for name, (make, _) in film_nets.items()}
print("parameters:", film_parameters)
assert 0.8 < film_parameters["ViT"] / film_parameters["CNN"] < 1.25, "the two networks should be of one size"

# %% tags=["demo"]
film_steps = run.pick(ci={128: 50, 800: 220}, laptop={32: 200, 128: 200, 512: 200, len(chest_films): 500})  # films: steps
pool_sizes, pool_draws = tuple(film_steps), range(run.pick(ci=3, laptop=5))


def film_auc(name: str, n: int, seed: int) -> float:
    """Test AUC of one network, trained on draw `seed` of n films."""
    make, rate = film_nets[name]
    torch.manual_seed(seed)
    rows = film_set(n, 1000 + seed)
    net = train_steps(make(), chest_films[rows], chest_labels[rows], film_steps[n], seed, rate)
    return roc_auc_score(chest_test_labels, logit_of(net, chest_test_films))


film_curve = {name: {n: np.array([film_auc(name, n, s) for s in pool_draws]) for n in pool_sizes} for name in ("CNN", "ViT")}
brightness_auc = roc_auc_score(chest_test_labels, chest_test_films.mean((1, 2, 3)))


def draw_film_curve(names: tuple) -> plt.Figure:
    fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
    for number, name in enumerate(names):
        rows = [t_interval(film_curve[name][n]) for n in pool_sizes]
        ax.errorbar(np.array(pool_sizes) * 1.04 ** (number - 1), [m for m, _, _ in rows], [h - m for m, _, h in rows], fmt="osD"[number] + ["-", "--", "-."][number], color=show.PALETTE[(0, 3, 2)[number]], capsize=4, label=name)
    ax.axhline(brightness_auc, color="black", linestyle=":", label="mean brightness alone")
    ax.set(xscale="log", xlabel="films in the training set", ylabel="test AUC, mean and 95 % interval")
    ax.set_xticks(pool_sizes, pool_sizes)
    ax.minorticks_off()
    ax.legend(loc="best", fontsize=9)
    return fig


show.figure(draw_film_curve(("CNN", "ViT")), alt="Test AUC of a CNN and a ViT of equal size over the number of training films on a logarithmic axis, with intervals over draws, and a dotted line for mean brightness alone")

# %% tags=["demo"]
film_gap = {n: t_interval(film_curve["CNN"][n] - film_curve["ViT"][n]) for n in pool_sizes}
for n in pool_sizes:
    mean, low, high = film_gap[n]
    verdict = "CNN ahead" if low > 0 else "ViT ahead" if high < 0 else "not told apart"
    print(f"{n:5d} films: CNN {film_curve['CNN'][n].mean():.3f}, ViT {film_curve['ViT'][n].mean():.3f}; CNN minus ViT on the same draws {mean:+.3f} ({low:+.3f} to {high:+.3f}): {verdict}")
print(f"mean brightness of a film alone: {brightness_auc:.3f}")
assert film_curve["CNN"][pool_sizes[-1]].mean() > run.pick(ci=brightness_auc + 0.06, laptop=0.85), "the CNN did not learn the films"
assert film_curve["ViT"][pool_sizes[-1]].mean() > run.pick(ci=brightness_auc + 0.03, laptop=0.85), "the ViT did not learn the films"

# %% [markdown]
# You wouldn't write a ViT by hand for work. MONAI's does the same in two and three dimensions. Two things differ from ours: its class token gets no position (it needs none), and behind the last layer stands by default a **tanh**, so that no logit can leave $[-1, 1]$. With two classes the cross entropy then never falls below
# $\log(1 + e^{-2}) = 0.127$, and no film ever gets a probability above 88 %. Switch it off.

# %% tags=["demo"]
from monai.networks.nets import ViT


class MonaiViT(ViT):
    """(B, 1, 28, 28) -> (B, 2) logits: MONAI's ViT without the list of hidden states that it also returns."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[0]


def monai_vit(activation: str) -> nn.Module:
    return MonaiViT(in_channels=1, img_size=28, patch_size=7, hidden_size=36, mlp_dim=72, num_layers=2, num_heads=4, classification=True, num_classes=2, spatial_dims=2, qkv_bias=True, post_activation=activation)


monai_auc, monai_certain = {}, {}
film_rows = film_set(pool_sizes[-1], 1000)
for activation in ("none", "Tanh"):
    torch.manual_seed(0)
    monai_net = train_steps(monai_vit(activation), chest_films[film_rows], chest_labels[film_rows], film_steps[pool_sizes[-1]], 0, 2e-3)
    monai_logits = logit_of(monai_net, chest_test_films)
    monai_auc[activation], monai_certain[activation] = roc_auc_score(chest_test_labels, monai_logits), float(monai_logits.abs().max().sigmoid())
    print(f"MONAI's ViT, activation {activation}: {sum(p.numel() for p in monai_net.parameters())} parameters, test AUC {monai_auc[activation]:.3f} on the first draw of {pool_sizes[-1]} films (ours: {film_curve['ViT'][pool_sizes[-1]][0]:.3f}); "
          f"the most certain film gets {monai_certain[activation]:.1%}")
assert monai_auc["none"] > run.pick(ci=brightness_auc + 0.03, laptop=0.85), "MONAI's ViT did not learn the films"
assert monai_certain["Tanh"] < 0.8809, "behind a tanh no film can be more than 88.08 % certain"

# %% [markdown]
# Back to the comparison: read its last column, not the wish. Where the interval holds 0, the draws do not tell the two apart. Two cautions belong to such a curve. It is about *small* networks at *28 pixels*, with 16 tokens; the claim in the literature is about networks of 86 million parameters, which need ImageNet-21k or more to pass a CNN (Dosovitskiy and others), or strong
# augmentation and distillation (Touvron and others, ICML 2021). And a mean over places, which ends the CNN, is itself a strong assumption, and a good one for pneumonia: a white patch counts wherever it is.
#
# **Checkpoint.** A colleague's ViT for chest films reaches the same AUC when you flip every film left to right. Does that prove that it ignores positions? And what would you do to find out?
#
# <details><summary>Answer</summary>No. The disease may lie on either side, so that both orders are right; or the flip is part of the augmentation, and the network has learned to give the same answer from different positions. Shuffle the patches: a network without positions gives exactly the
# same output, to rounding; one that uses them changes. Or plant a task that only the arrangement decides, as above.</details>

# %% [markdown]
# ## 8.4 Challenge and future direction
#
# Three things are said against transformers in medicine: they cost too much for volumes, they need too many images, and their attention maps are shown as explanations that they may not be. Each can be measured, and each has its remedies.
#
# ### The price of all pairs
#
# For $N$ tokens of width $d$ in $h$ heads, scores and weighted values take $2N^2d$ multiplications, and the weights $hN^2$ numbers, which must be *kept* for the backward pass. Halve the side of the patches of a volume, and $N$ grows by 8, the price by 64. Four answers:
#
# | Attention | The idea | Work | Memory | The same result? |
# |---|---|---|---|---|
# | full | as written | $N^2$ | $N^2$ | - |
# | windowed (Swin) | pairs within windows of $n$ tokens only | $N n$ | $N n$ | no: far tokens meet after many layers |
# | linear (Katharopoulos and others, ICML 2020; Shen and others, WACV 2021) | another kernel, and the brackets moved: $\phi(Q)\,(\phi(K)^\top V)$ | $N$ | $N$ | no: other weights, less sharp |
# | fused (FlashAttention; Dao and others, NeurIPS 2022) | work in tiles with a running maximum and sum of the softmax; in the backward pass compute the weights anew | $N^2$ | $N$ | yes, to rounding |
#
# **Predict before you run.** Each price is fitted by $c\,N^\alpha$: a straight line in logarithms, with slope $\alpha$. Write down $\alpha$ for work, memory and *time* of the four. Where will time and work disagree?

# %% tags=["demo"]
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def pay_full(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """(..., N, 16) -> (..., N, 16)."""
    return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ v


def pay_windowed(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return pay_full(*(t.unflatten(-2, (-1, 64)) for t in (q, k, v))).flatten(-3, -2)  # windows of 64 tokens, as 4 x 4 x 4


def pay_linear(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return q.softmax(-1) @ (k.softmax(-2).transpose(-2, -1) @ v)  # Shen and others: two softmaxes, over features and over tokens


pay_ways = {"full": pay_full, "windowed": pay_windowed, "linear": pay_linear, "fused": F.scaled_dot_product_attention}
pay_tokens = run.pick(ci=(256, 512, 1024, 2048), laptop=(256, 512, 1024, 2048, 4096))

# %% tags=["demo"]
def bill(way: str, n: int) -> tuple[float, float, float]:
    """Multiplications, bytes kept for the backward pass beside q, k and v, and seconds (median of 7 forward passes) for 4 heads of width 16."""
    q, k, v = (torch.randn(1, 4, n, 16, generator=torch.Generator().manual_seed(i), requires_grad=True) for i in range(3))
    kept, attend = {}, pay_ways[way]

    def pack(t: torch.Tensor) -> torch.Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = attend(q, k, v)  # while `out` lives, what was kept lives, and no address is used twice
    stored = sum(size for address, size in kept.items() if address not in {t.untyped_storage().data_ptr() for t in (q, k, v)})
    del out
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():  # the counter doesn't know the fused kernel; its sums are those of the plain one
        attend(q, k, v)
    seconds = []
    with torch.no_grad():
        for _ in range(8):
            begin = time.perf_counter()
            attend(q, k, v)
            seconds.append(time.perf_counter() - begin)
    return counter.get_total_flops() / 2, stored, float(np.median(seconds[1:]))


qkv = [torch.randn(1, 4, 512, 16, generator=torch.Generator().manual_seed(i)) for i in range(3)]
same_result = {way: float((attend(*qkv) - pay_full(*qkv)).abs().max()) for way, attend in pay_ways.items()}
print("largest difference from full attention, 512 tokens:", {way: f"{gap:.0e}" for way, gap in same_result.items()})
assert same_result["fused"] < 1e-4 < 0.1 < min(same_result["windowed"], same_result["linear"]), "fused attention is full attention; the two others are not"
bills = {way: np.array([bill(way, n) for n in pay_tokens]) for way in pay_ways}

# %% tags=["demo"]
from scipy.stats import linregress

exponents = {}
for way, table in bills.items():
    for column, what in enumerate(("work", "memory", "time")):
        fit = linregress(np.log(pay_tokens), np.log(table[:, column]))
        half = student_t.ppf(0.975, len(pay_tokens) - 2) * fit.stderr
        exponents[way, what] = (fit.slope, fit.slope - half, fit.slope + half)
    print(f"{way:9s}", "   ".join(f"{what} N^{exponents[way, what][0]:.2f} ({exponents[way, what][1]:.2f} to {exponents[way, what][2]:.2f})" for what in ("work", "memory", "time")))

fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
for number, (way, table) in enumerate(bills.items()):
    for ax, column, scale in zip(axes, (2, 1), (1e3, 1 / 2**20), strict=True):
        ax.plot(pay_tokens, table[:, column] * scale, "osD^"[number] + ["-", "--", "-.", ":"][number], color=show.PALETTE[number], label=way)
for ax, name in zip(axes, ("milliseconds, forward", "MiB kept for the backward pass"), strict=True):
    ax.set(xscale="log", yscale="log", xlabel="tokens", ylabel=name)
    ax.set_xticks(pay_tokens, pay_tokens)
    ax.minorticks_off()
axes[0].legend(fontsize=9)
show.figure(fig, alt="Time and memory of full, windowed, linear and fused attention over the number of tokens, both axes logarithmic: full attention's memory is the steepest, the memory of the other three rises in proportion to the tokens")
for way, (work, memory) in {"full": (2, 2), "windowed": (1, 1), "linear": (1, 1), "fused": (2, 1)}.items():
    assert abs(exponents[way, "work"][0] - work) < 0.02, f"the work of {way} attention should grow as N^{work}"
    assert abs(exponents[way, "memory"][0] - memory) < 0.05, f"the memory of {way} attention should grow as N^{memory}"
assert bills["full"][-1, 2] > 1.5 * bills["windowed"][-1, 2], "with thousands of tokens windows should be faster"

# %% [markdown]
# Work and memory are counted, not timed, and the exponents are those of the table. Time is another matter: at few tokens a call costs what a call costs, memory moves slower than the processor multiplies, and the interval of a fit to a few points is wide. Fused attention does *all* the work of full attention, and is faster because it never writes
# the matrix to memory: its gain in time is a factor, its gain in memory an exponent. So take fused attention wherever you can; nothing is lost. Windows and kernels change the function, and have to earn that.
#
# The prices for a volume, with one layer of 4 heads, in numbers of four bytes. Move the sliders: which patch would you dare on a card of 24 GiB, and remember that a network has a dozen layers?

# %% tags=["demo"]
def draw_bill(voxels_along_an_axis: int, patch: int) -> plt.Figure:
    side = voxels_along_an_axis // patch
    heights = [4 * 4 * side**6 / 2**30, 4 * 4 * (int(np.ceil(side / 4)) * 4) ** 3 * 64 / 2**30]
    fig, ax = plt.subplots(figsize=(6.5, 1.9), layout="constrained")
    ax.barh(["full", "windows of 4 x 4 x 4"], heights, color=show.PALETTE[:2])
    for row, height in enumerate(heights):
        ax.text(height, row, f" {height:,.0f} GiB" if height >= 10 else f" {height:.2g} GiB", va="center")
    ax.axvline(24, color="black", linestyle=":")
    ax.set(xscale="log", xlim=(1e-4, 1e6), xlabel="attention weights of one layer, GiB (dotted: 24)", title=f"{side}$^3$ = {side**3:,} tokens")
    return fig


show.explore(draw_bill, alt="Bars of the memory of full and windowed attention for a volume of 256 voxels along each axis in patches of 4: full attention needs 1,024 GiB, windows a quarter of one",
             voxels_along_an_axis=(128, 384, 32), patch=[4, 8, 16])

# %% [markdown]
# ### Exercise 8.4a - what attention costs in a volume
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can tell before the first run whether a transformer fits in memory*
#
# Write `attention_cost(grid, width, heads, window)` for one attention layer on a grid of $N$ tokens (two or three dimensions) of width $d$ with $h$ heads. Count the **multiplications** of the matrix products and the **numbers** in the attention weights:
#
# - the four projections (query, key, value, output) cost $4 N d^2$;
# - within a group of $n$ tokens, scores and weighted values cost $2 n^2 d$, *for all heads together*: each head has width $d/h$;
# - the weights are one $n \times n$ matrix **for each head**: $h n^2$ numbers.
#
# Full attention is one group of $n = N$. In windows of $w$ tokens along each axis a group has $n = w^D$ tokens, $D$ the number of axes; a grid that $w$ does not divide is padded at the end, so the number of windows along an axis is rounded up, and padding is
# paid for, in the projections and in the windows.
#
# <details><summary>Hint 1: the idea</summary>How many groups, and how many tokens in each? Full attention is the case of one group.</details>
# <details><summary>Hint 2: what to call</summary><code>math.prod</code>, and rounding up without floats: <code>-(-length // window)</code>.</details>
# <details><summary>My windows are too cheap in 3-D</summary>A window of 4 has 4 x 4 x 4 tokens in a volume.</details>

# %% nbgrader={"grade": false, "grade_id": "cost", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_cost(grid: tuple, width: int, heads: int, window: int | None = None) -> tuple:
    """Multiplications and attention weights of one multi-head attention layer, for one image.

    Args:
        grid: tokens along each axis, two or three numbers.
        width: d, width of a token.
        heads: h, a divisor of d.
        window: w, tokens along each axis of a window; None for full attention.

    Returns:
        (multiplications, numbers in the attention weights), whole numbers.
    """
    ### BEGIN SOLUTION
    if window is None:
        groups, n = 1, int(np.prod(grid))
    else:
        groups, n = int(np.prod([-(-length // window) for length in grid])), window ** len(grid)
    return 4 * groups * n * width**2 + groups * 2 * n**2 * width, heads * groups * n**2
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "cost-full", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Full attention, counted by hand: 4 x 5 tokens of width 6, two heads
answer = attention_cost((4, 5), 6, 2, None)
assert isinstance(answer, (tuple, list)) and len(answer) == 2, "return two numbers: multiplications, and numbers in the attention weights"
work, stored = (float(value) for value in answer)
assert work != 4 * 20 * 36 + 2 * 2 * 400 * 6, "you count the heads twice: two heads of width 3 cost as much as one of width 6"
assert work != 4 * 20 * 36 + 2 * 20 * 6, "scores are made for pairs: 20 tokens have 400 pairs, not 20"
assert work != 2 * 400 * 6, "the four projections are missing: 4 N d^2"
assert work == 4 * 20 * 36 + 2 * 400 * 6, f"20 tokens of width 6: 2880 + 4800 = 7680 multiplications, not {work:.0f}"
assert stored != 400, "every head keeps a matrix of its own"
assert stored == 800, f"two heads, 20 x 20 weights each: 800 numbers, not {stored:.0f}"
stored = float(attention_cost((64, 64, 64), 48, 4, None)[1])
assert stored == 4 * 262144**2, f"a volume of 64 x 64 x 64 tokens in four heads: 4 x 262144 x 262144 numbers, not {stored:.0f}. That is more than 32 bits hold: count in Python's own whole numbers"
### BEGIN HIDDEN TESTS
for grid, d, h in (((7, 7), 32, 4), ((3, 4, 5), 12, 3), ((16, 16, 16), 48, 3), ((1, 9), 8, 8)):
    n = int(np.prod(grid))
    work, stored = (float(value) for value in attention_cost(grid, d, h, None))
    assert work == 4 * n * d * d + 2 * n * n * d, f"full attention on {grid}, width {d}, {h} heads: the multiplications are off"
    assert stored == h * n * n, f"full attention on {grid}, width {d}, {h} heads: the numbers in the weights are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cost-windows", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Windows in a volume: 8 x 8 x 12 tokens of width 6 in windows of 4, two heads: 12 windows of 64 tokens
work, stored = (float(value) for value in attention_cost((8, 8, 12), 6, 2, 4))
full = 4 * 768 * 36 + 2 * 768**2 * 6
assert work != full, "that is the price of full attention: the window has no effect"
assert stored not in (2 * 48 * 16**2, 2 * 12 * 4**2), "in a volume a window of 4 has 4 x 4 x 4 = 64 tokens"
assert stored != 2 * 64**2, "that is one window; there are 2 x 2 x 3 = 12"
assert work == 4 * 768 * 36 + 12 * 2 * 64**2 * 6, f"768 tokens in 12 windows of 64: 110592 + 589824 multiplications, not {work:.0f}"
assert stored == 2 * 12 * 64**2, f"2 heads, 12 windows, 64 x 64 weights: 98304 numbers, not {stored:.0f}"
twice = attention_cost((16, 8, 12), 6, 2, 4)
assert float(twice[0]) == 2 * work and float(twice[1]) == 2 * stored, "twice the tokens at the same window should cost exactly twice as much: that is why windows are used"
### BEGIN HIDDEN TESTS
for grid, d, h, w in (((14, 21), 32, 4, 7), ((6, 9, 3), 12, 3, 3), ((32, 32, 32), 48, 3, 8), ((4, 4), 8, 2, 1)):
    n, group = int(np.prod(grid)), w ** len(grid)
    work, stored = (float(value) for value in attention_cost(grid, d, h, w))
    assert work == 4 * n * d * d + 2 * n * group * d, f"windows of {w} on {grid}, width {d}, {h} heads: the multiplications are off"
    assert stored == h * n * group, f"windows of {w} on {grid}, width {d}, {h} heads: the numbers in the weights are off"
for grid, w in (((8, 8), 8), ((5, 5, 5), 5)):
    assert [float(v) for v in attention_cost(grid, 16, 4, w)] == [float(v) for v in attention_cost(grid, 16, 4, None)], "one window that holds the whole grid is full attention"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cost-padding", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A grid of 10 x 10 in windows of 4 is padded to 12 x 12: nine windows
work, stored = (float(value) for value in attention_cost((10, 10), 4, 1, 4))
assert stored != 4 * 16**2, "10 tokens need three windows of 4, not two: round up, or the border of the image is never seen"
assert stored != 6.25 * 16**2, "there are no quarter windows: round up along each axis"
assert stored != 7 * 16**2, "round up along each axis, not the product: 3 x 3 windows"
assert stored == 9 * 16**2, f"3 x 3 windows of 16 x 16 weights: 2304 numbers, not {stored:.0f}"
assert work == 4 * 144 * 16 + 9 * 2 * 16**2 * 4, f"144 tokens with the padding: 9216 + 18432 multiplications, not {work:.0f}. Padding is projected, too"
### BEGIN HIDDEN TESTS
for grid, w in (((7, 9, 10), 4), ((13, 6), 5), ((3, 3), 7)):
    blocks, group = int(np.prod(np.ceil(np.array(grid) / w))), w ** len(grid)
    work, stored = (float(value) for value in attention_cost(grid, 8, 2, w))
    assert stored == 2 * blocks * group**2, f"windows of {w} on {grid}: the number of windows is off"
    assert work == 4 * blocks * group * 64 + 2 * blocks * group**2 * 8, f"windows of {w} on {grid}: the multiplications are off; padded tokens count"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 8.4b - attention in linear time
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can avoid an N x N matrix by moving one pair of brackets, and say what is lost*
#
# Softmax forces the $N \times N$ matrix on you: it has to see a whole row of scores before it can divide. Katharopoulos and others (ICML 2020) replace $\exp(q \cdot k / \sqrt d)$ by a product of features, $\phi(q) \cdot \phi(k)$, with $\phi(x) = \mathrm{elu}(x) + 1 > 0$:
#
# $$o_m = \frac{\sum_n \big(\phi(q_m) \cdot \phi(k_n)\big)\, v_n}{\sum_n \phi(q_m) \cdot \phi(k_n)} = \frac{\phi(q_m)^\top \big[\sum_n \phi(k_n)\, v_n^\top\big]}{\phi(q_m)^\top \big[\sum_n \phi(k_n)\big]}$$
#
# The sums in brackets do not depend on $m$. Write `linear_attention(q, k, v)` by the right-hand side: nothing of size $N \times N$ may ever exist. The check gives it 600,000 tokens, as a large pathology slide can have; their matrix would take 1.4 TB.
#
# <details><summary>Hint 1: the idea</summary>A matrix product is associative: (Q K^T) V = Q (K^T V), and K^T V is small. The denominator is the same trick with a column of ones for V.</details>
# <details><summary>Hint 2: what to call</summary><code>torch.nn.functional.elu(x) + 1</code>; <code>phi(k).transpose(-2, -1) @ v</code>; <code>phi(k).sum(-2)</code>.</details>
# <details><summary>My outputs grow with the number of tokens</summary>The denominator is missing. With it the output is a weighted mean of the values: constant values come out unchanged.</details>

# %% nbgrader={"grade": false, "grade_id": "linear-attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attention with the kernel phi(q) . phi(k), phi(x) = elu(x) + 1, in time and memory linear in the number of tokens.

    Args:
        q: (B, M, d) queries. k: (B, N, d) keys. v: (B, N, e) values.

    Returns:
        (B, M, e), for each query the weighted mean of the values.
    """
    ### BEGIN SOLUTION
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    summary = k.transpose(-2, -1) @ v
    return q @ summary / (q @ k.sum(-2, keepdim=True).transpose(-2, -1))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "linear-attention-value", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The same numbers as the quadratic form
from torch.nn.functional import elu

rng = torch.Generator().manual_seed(0)
q, k, v = (torch.randn(2, n, d, generator=rng, dtype=torch.float64) for n, d in ((5, 4), (7, 4), (7, 3)))
phi_q, phi_k = elu(q) + 1, elu(k) + 1
kernel = phi_q @ phi_k.transpose(-2, -1)
wanted = kernel / kernel.sum(-1, keepdim=True) @ v
mean = linear_attention(q.clone(), k.clone(), v.clone())
assert mean is not None, "nothing came back: end the function with return"
mean = torch.as_tensor(mean)
assert tuple(mean.shape) == (2, 5, 3), f"2 x 5 queries and values of width 3: shape (2, 5, 3), not {tuple(mean.shape)}"
mean = mean.double()
assert not torch.allclose(mean, kernel @ v), "the denominator is missing: the output should be a weighted mean of the values"
assert not torch.allclose(mean, (q @ k.transpose(-2, -1) / 2).softmax(-1) @ v), "that is softmax attention; here the weights are phi(q) . phi(k)"
assert not torch.allclose(mean, kernel @ v / 7), "you divide by the number of keys; divide by the sum of the weights of that query"
wrong = elu(q) @ elu(k).transpose(-2, -1)
assert not torch.allclose(mean, wrong / wrong.sum(-1, keepdim=True) @ v), "elu alone can be negative, and so can its weights: phi(x) = elu(x) + 1"
assert torch.allclose(mean, wanted, atol=1e-5), "the values differ from the quadratic form: phi of queries and of keys, numerator and denominator summed over the keys"
### BEGIN HIDDEN TESTS
from torch.nn.functional import elu

for seed, (b, m, n, d, e) in enumerate(((1, 1, 9, 2, 5), (3, 8, 2, 6, 1), (2, 6, 6, 3, 3), (1, 4, 1, 5, 2))):
    rng = torch.Generator().manual_seed(seed + 30)
    q, k, v = (2 * torch.randn(b, rows, columns, generator=rng, dtype=torch.float64) for rows, columns in ((m, d), (n, d), (n, e)))
    kernel = (elu(q) + 1) @ (elu(k) + 1).transpose(-2, -1)
    mean = torch.as_tensor(linear_attention(q.clone(), k.clone(), v.clone())).double()
    assert tuple(mean.shape) == (b, m, e) and torch.allclose(mean, kernel / kernel.sum(-1, keepdim=True) @ v, atol=1e-5), "on other queries, keys and values the result differs from the quadratic form"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "linear-attention-mean", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A weighted mean: constant values come out unchanged, and twice the same keys and values change nothing
rng = torch.Generator().manual_seed(1)
q, k, v = (torch.randn(1, 6, 4, generator=rng) for _ in range(3))
flat = torch.as_tensor(linear_attention(q.clone(), k.clone(), torch.full((1, 6, 2), 3.0))).float()
assert flat.shape == (1, 6, 2) and torch.allclose(flat, torch.full((1, 6, 2), 3.0), atol=1e-4), "if all values are 3, each weighted mean is 3: the weights of a query should sum to 1"
once = torch.as_tensor(linear_attention(q.clone(), k.clone(), v.clone())).float()
again = torch.as_tensor(linear_attention(q.clone(), torch.cat([k, k], 1), torch.cat([v, v], 1))).float()
assert torch.allclose(once, again, atol=1e-4), "the same keys and values twice should not change a weighted mean: numerator and denominator grow alike"
assert not torch.allclose(once, v.mean(1, keepdim=True).expand_as(once), atol=1e-3), "that is the plain mean: the queries have no effect"
### BEGIN HIDDEN TESTS
for seed in range(4):
    rng = torch.Generator().manual_seed(seed + 50)
    q, k, v = (3 * torch.randn(2, 5, 6, generator=rng) for _ in range(3))
    mean = torch.as_tensor(linear_attention(q.clone(), k.clone(), v.clone())).float()
    assert (mean <= v.amax(1, keepdim=True) + 1e-4).all() and (mean >= v.amin(1, keepdim=True) - 1e-4).all(), "a weighted mean lies between the smallest and the largest value"
    order = torch.randperm(5, generator=rng)
    assert torch.allclose(mean, torch.as_tensor(linear_attention(q.clone(), k[:, order], v[:, order])).float(), atol=1e-4), "the order of the keys should not matter"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "linear-attention-size", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# 600,000 tokens, as a large pathology slide can have: a matrix of all pairs would take 1.4 TB
rng = torch.Generator().manual_seed(2)
q, k, v = (torch.randn(1, 600_000, 2, generator=rng) for _ in range(3))
from torch.nn.functional import elu

kernel = (elu(q[:, :5]) + 1) @ (elu(k) + 1).transpose(-2, -1)
try:
    mean = linear_attention(q, k, v)
except (RuntimeError, MemoryError) as problem:
    if isinstance(problem, RuntimeError) and not any(word in str(problem).lower() for word in ("memory", "alloc", "buffer")):
        raise  # another fault than the size
    raise AssertionError("600,000 tokens don't fit: you build the matrix of all pairs. Multiply keys with values first") from problem
assert mean is not None, "nothing came back: end the function with return"
mean = torch.as_tensor(mean).float()
assert tuple(mean.shape) == (1, 600_000, 2), f"the shape should be (1, 600000, 2), not {tuple(mean.shape)}"
assert torch.allclose(mean[:, :5], kernel @ v / kernel.sum(-1, keepdim=True), atol=1e-3), "with many tokens the values are off"
### BEGIN HIDDEN TESTS
q, k, v = (torch.randn(2, n, 3, generator=rng) for n in (10, 500_000, 500_000))
kernel = (elu(q) + 1) @ (elu(k) + 1).transpose(-2, -1)
assert torch.allclose(torch.as_tensor(linear_attention(q, k, v)).float(), kernel @ v / kernel.sum(-1, keepdim=True), atol=1e-3), "few queries and many keys: the values are off"
### END HIDDEN TESTS

# %% [markdown]
# ### Hunger for data, and a remedy
#
# A ViT has to learn from data what a CNN has built in. Either feed it (pretraining; Tang and others, CVPR 2022, pretrained Swin UNETR on 5050 CT volumes without labels), or build a part of it in. The smallest change is a **convolutional stem** (Xiao and others, NeurIPS 2021): three small convolutions with stride 2 instead of one large patch. The grid of
# tokens stays 4 x 4, everything behind it as well; the width is lowered until the number of parameters is the same. On the same draws of films:

# %% tags=["demo"]
def stem(width: int) -> nn.Module:
    """(B, 1, 28, 28) -> (B, width, 4, 4)."""
    widths = (1, 8, 16, width)
    return nn.Sequential(*sum(([nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()] for a, b in zip(widths, widths[1:], strict=False)), []))


film_nets["ViT, conv stem"] = (lambda: SmallViT(28, 7, width=32, depth=2, first=stem(32)), 2e-3)
film_parameters["ViT, conv stem"] = sum(p.numel() for p in film_nets["ViT, conv stem"][0]().parameters())
film_curve["ViT, conv stem"] = {n: np.array([film_auc("ViT, conv stem", n, s) for s in pool_draws]) for n in pool_sizes}
show.figure(draw_film_curve(("CNN", "ViT", "ViT, conv stem")), alt="Test AUC over the number of training films for the CNN, the ViT on patches, and the ViT behind a convolutional stem, with intervals over draws")
print("parameters:", film_parameters)
stem_gain = {n: t_interval(film_curve["ViT, conv stem"][n] - film_curve["ViT"][n]) for n in pool_sizes}
for n, (mean, low, high) in stem_gain.items():
    print(f"{n:5d} films: what the stem adds to the ViT {mean:+.3f} ({low:+.3f} to {high:+.3f}); and it stands to the CNN {film_curve['ViT, conv stem'][n].mean() - film_curve['CNN'][n].mean():+.3f}")
assert 0.8 < film_parameters["ViT, conv stem"] / film_parameters["ViT"] < 1.25, "the networks should be of one size"
assert film_curve["ViT, conv stem"][pool_sizes[-1]].mean() > run.pick(ci=brightness_auc + 0.03, laptop=0.85), "the ViT with a stem did not learn the films"

# %% [markdown]
# Where the interval of the gain lies above 0, the first layer was the trouble, not attention. This is why nearly all transformers for medical images are hybrids: convolutions near the pixels, attention where few tokens are left (TransUNet, Chen and others 2021; Swin UNETR).

# %% [markdown]
# ### Is attention an explanation?
#
# Attention comes with a picture for free, and the picture is often printed: "the network looked at the lesion". Jain and Wallace (NAACL 2019) asked of such maps: would the prediction change if the attention were another? Wiegreffe and Pinter (EMNLP 2019) answered that the question is harder than that: a change that training would never
# produce proves little, and "an explanation" can mean several things. On patients nobody knows where the evidence lies. So we plant it: images in which a lesion, and nothing else, makes the label. Three questions:
#
# 1. **Does it point there?** The share of diseased images in which the patch with the highest value holds lesion (pointing game), and the mean AUC of the map for lesion patches. Beside it two baselines, plain brightness and a network with random weights, and **occlusion**: how much the logit falls when a patch is painted over.
# 2. **Does it matter?** Make the attention of a layer *uniform*, or *permute* it over the tokens, with the values left where they are. In torch's layer that is easy: keys that are all alike give uniform weights, permuted keys permuted weights.
# 3. **Which layer's map?** A layer mixes tokens, so that later layers look at mixtures. **Rollout** (exercise 8.4c) follows them back to the input.
#
# **Predict before you run.** The network below will be a good one. In which share of diseased images will its last layer's attention be highest on the lesion: nearly all, half, or no more than chance? And how much AUC will be left when all attention is made uniform?

# %% tags=["demo"]
from scipy.ndimage import gaussian_filter


def rim_lesions(n: int, seed: int) -> tuple:
    """Images (n, 1, 28, 28) with four bright spots in uneven tissue, labels (n,), and which of the 16 patches of 7 x 7 holds the lesion, (n, 16).

    Healthy: four solid spots (vessels). Diseased: one of the four is a ring of the same brightness, as a metastasis with an enhancing rim; it lies in the middle of a patch, give or take a pixel.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:28, :28]
    images = 3.6 * gaussian_filter(rng.normal(0, 1, (n, 28, 28)), (0, 4, 4)) + rng.normal(0, 0.15, (n, 28, 28))
    labels, held = rng.integers(0, 2, n), np.zeros((n, 4, 4), bool)
    for i, sick in enumerate(labels):
        for row, column in rng.uniform(3, 25, (4 - sick, 2)):
            images[i] += 1.2 * (np.hypot(y - row, x - column) < 1.9)
        if sick:
            row, column = rng.integers(4, size=2)
            held[i, row, column] = True
            middle = 7 * np.array([row, column]) + 3 + rng.integers(-1, 2, 2)
            images[i] += 1.2 * (np.abs(np.hypot(y - middle[0], x - middle[1]) - 2.2) < 0.8)
    return torch.tensor(images).float()[:, None], torch.tensor(labels), torch.tensor(held.reshape(n, 16))


spot_x, spot_y, _ = rim_lesions(run.pick(ci=2000, laptop=4000), 0)
spot_test_x, spot_test_y, spot_held = rim_lesions(400, 77)
diseased = torch.nonzero(spot_test_y == 1)[:, 0]
torch.manual_seed(0)
spot_net = train_steps(SmallViT(28, 7, width=32, depth=2), spot_x, spot_y, run.pick(ci=300, laptop=1000), 0, 4e-3, move=0)
spot_auc = roc_auc_score(spot_test_y, logit_of(spot_net, spot_test_x))
spot_bright_auc = roc_auc_score(spot_test_y, F.avg_pool2d(spot_test_x, 4).amax((1, 2, 3)))
print(f"ViT: test AUC {spot_auc:.3f}; the brightest spot alone: {spot_bright_auc:.3f}")
assert spot_auc > 0.85 > spot_bright_auc, "the network did not learn the lesions"

# %% tags=["demo"]
@torch.no_grad()
def maps_of(net: SmallViT, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Name -> (N, 16) value of each patch: the class token's attention in each layer (mean over heads), rollout, and occlusion."""
    tokens, layers = net.embed(x), []
    for block in net.blocks:
        h = block.norm1(tokens)
        layers.append(block.attention(h, h, h, need_weights=True)[1])
        tokens = block(tokens)
    flow = (torch.eye(17) + layers[0] + layers[1] + layers[1] @ layers[0]) / 4  # rollout of two layers, multiplied out: the exercise does any number
    maps = {f"attention, layer {i + 1}": weights[:, 0, 1:] for i, weights in enumerate(layers)} | {"rollout": flow[:, 0, 1:]}
    before, falls = logit_of(net, x), []
    for patch in range(16):
        row, column = 7 * (patch // 4), 7 * (patch % 4)
        painted = x.clone()
        painted[:, :, row : row + 7, column : column + 7] = x.mean()
        falls.append(before - logit_of(net, painted))
    return maps | {"occlusion": torch.stack(falls, dim=1)}


spot_net.cpu()
spot_maps = maps_of(spot_net, spot_test_x[diseased])
torch.manual_seed(1)
spot_maps["layer 2, random weights"] = maps_of(SmallViT(28, 7, width=32, depth=2).eval(), spot_test_x[diseased])["attention, layer 2"]
spot_maps["brightness (no network)"] = F.avg_pool2d(spot_test_x[diseased], 7).flatten(1)
held = spot_held[diseased]
spot_chance = float(held.float().mean())
spot_hit, spot_hit_interval, spot_map_auc = {}, {}, {}
for name, values in spot_maps.items():
    hits = held.gather(1, values.argmax(1, keepdim=True))[:, 0].numpy()
    spot_hit[name] = float(hits.mean())
    spot_hit_interval[name] = np.percentile(np.random.default_rng(0).choice(hits, (2000, len(hits))).mean(1), [2.5, 97.5])
    spot_map_auc[name] = float(np.mean([roc_auc_score(h, v) for h, v in zip(held, values, strict=True)]))
    print(f"{name:24s} highest patch holds lesion {spot_hit[name]:.2f} ({spot_hit_interval[name][0]:.2f} to {spot_hit_interval[name][1]:.2f}), AUC for lesion patches {spot_map_auc[name]:.2f}")
healthy_map = maps_of(spot_net, spot_test_x[spot_test_y == 0])["attention, layer 2"]
print(f"{'any patch (chance)':24s} {spot_chance:.2f}; mean of the highest weight of layer 2: {spot_maps['attention, layer 2'].amax(1).mean():.2f} in diseased images, {healthy_map.amax(1).mean():.2f} in healthy ones (uniform: {1 / 17:.2f})")
astray = int((~held.gather(1, spot_maps["attention, layer 1"].argmax(1, keepdim=True))[:, 0]).int().argmax())  # the first image in which the first layer points elsewhere
pictures = [spot_test_x[diseased][astray, 0], *[values[astray].reshape(4, 4).repeat_interleave(7, 0).repeat_interleave(7, 1) for values in spot_maps.values()]]
outlines = [held[astray].reshape(4, 4).repeat_interleave(7, 0).repeat_interleave(7, 1).numpy()] * len(pictures)
show.row(pictures, titles=["image", *[name.replace(" (no network)", "").replace("attention, ", "").replace(", random", ",\nrandom") for name in spot_maps]], overlay=outlines, cmap="cividis", height=1.8,
         alt="One image with a planted lesion, its patch outlined, and six maps of it: attention of the first layer, which is highest elsewhere, of the second, rollout, occlusion, attention of a network that was never trained, and plain brightness")
assert spot_hit["occlusion"] > spot_chance + 0.2, "painting over the lesion should lower the logit most"

# %% tags=["demo"]
@torch.no_grad()
def logit_with(net: SmallViT, x: torch.Tensor, how: str, which: tuple, seed: int) -> torch.Tensor:
    """Logits (N,) with the attention of the layers `which` made uniform, or permuted over the tokens."""
    tokens, rng = net.embed(x), torch.Generator().manual_seed(seed)
    for number, block in enumerate(net.blocks):
        h = block.norm1(tokens)
        keys = h
        if number in which:
            keys = torch.zeros_like(h) if how == "uniform" else h[:, torch.randperm(h.shape[1], generator=rng)]
        tokens = tokens + block.attention(h, keys, h, need_weights=False)[0]
        tokens = tokens + block.mlp(block.norm2(tokens))
    out = net.head(net.norm(tokens[:, 0]))
    return out[:, 1] - out[:, 0]


as_trained = logit_of(spot_net, spot_test_x)
changed_auc, changed_flips = {}, {}
for how in ("uniform", "permuted"):
    for layers, which in {"layer 1": (0,), "layer 2": (1,), "all layers": (0, 1)}.items():
        others = [logit_with(spot_net, spot_test_x, how, which, s) for s in range(1 if how == "uniform" else 5)]
        changed_auc[how, layers] = float(np.mean([roc_auc_score(spot_test_y, other) for other in others]))
        changed_flips[how, layers] = float(np.mean([((other > 0) != (as_trained > 0)).float().mean() for other in others]))
        print(f"attention {how:8s} in {layers:10s}: AUC {changed_auc[how, layers]:.3f} (as trained {spot_auc:.3f}), decisions that change {changed_flips[how, layers]:.0%}")
same = logit_with(spot_net, spot_test_x, "as it is", (), 0)
assert torch.allclose(same, as_trained, atol=1e-4), "without a change the logits must be the same"

# %% [markdown]
# Three readings, each to be checked on the numbers above.
#
# - **Pointing.** The maps of one network do not agree (the picture is the first test image in which the first layer points elsewhere). In our runs the last layer's map and rollout lie on the lesion nearly always, and the first layer's no more often than plain brightness, which needs no network. Which of them would have been printed? Compare with the network with random weights: whatever its map finds comes from the image, not from learning. Occlusion asks the network itself, costs 16 more passes, and is the one with a meaning:
#   so much would the logit fall. And a healthy image has a highest patch as well; its weight is lower here, which a picture that is scaled to its own maximum hides.
# - **Mattering.** In our runs the first layer's attention can be made uniform, and the AUC hardly falls: its picture explains little, however it looks. The last layer's can't: attention is *used* there. Uniform keys are a blow that training never saw, though, so that a fall alone would prove little: that is Wiegreffe and Pinter's objection.
# - So an attention map is a hypothesis about the network, neither worthless nor a reason. Test it by a change of the input, and on planted truth. This was one network and an easy lesion; lecture 10 puts all kinds of maps through such tests.

# %% [markdown]
# ### Exercise 8.4c - attention rollout
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can follow attention through all layers, and know what the number leaves out*
#
# In layer 2 a token looks at tokens that have looked at others in layer 1. **Rollout** (Abnar and Zuidema, ACL 2020) follows that. For each layer $l$ average the weights over heads, $\bar A_l$. The residual connection passes a token on unchanged, so it looks
# at itself as well: $\tilde A_l = \frac12 (\bar A_l + I)$, rows divided by their sum. Then multiply, **the first layer on the right**:
#
# $$R = \tilde A_L \cdots \tilde A_2 \tilde A_1$$
#
# Row 0 of $R$ tells from which tokens of the *input* the class token at the *end* draws. Write `attention_rollout(attentions)`.
#
# <details><summary>Hint 1: the idea</summary>Begin with the identity, and let each layer act on what came before it.</details>
# <details><summary>Hint 2: what to call</summary><code>mean</code> over the axis of heads, <code>np.eye</code>, <code>@</code>.</details>
# <details><summary>One layer is right, two are not</summary>Matrix products have an order. Layer 2 reads what layer 1 wrote: its matrix stands on the left.</details>

# %% nbgrader={"grade": false, "grade_id": "rollout", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_rollout(attentions: np.ndarray) -> np.ndarray:
    """Attention followed through the layers.

    Args:
        attentions: (L, h, N, N) attention weights of L layers with h heads, first layer first; [l, i, m, n] is how much token m looks at token n.
            Rows may fail to sum to 1, as after dropout or when weak weights were cut off, but each holds something positive.

    Returns:
        (N, N), row m tells from which input tokens output token m draws; rows sum to 1.
    """
    ### BEGIN SOLUTION
    attentions = np.asarray(attentions, dtype=float)
    n = attentions.shape[-1]
    total = np.eye(n)
    for layer in attentions.mean(axis=1):
        step = (layer + np.eye(n)) / 2
        total = step / step.sum(axis=1, keepdims=True) @ total
    return total
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "rollout-layer", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# One layer, by hand: two heads, three tokens
heads = np.array([[[0, 1, 0], [0, 1, 0], [0, 0, 1]], [[0, 0, 1], [0, 1, 0], [1, 0, 0]]], float)
flow = np.asarray(attention_rollout(heads[None].copy()), dtype=float)
assert flow.shape == (3, 3), f"one matrix of tokens by tokens, shape (3, 3), not {flow.shape}"
assert not np.allclose(flow, heads.mean(0)), "the residual connection is missing: a token also passes itself on. Add the identity, then halve"
assert not np.allclose(flow, heads.mean(0) + np.eye(3)), "the rows sum to 2: divide them by their sum after adding the identity"
assert not np.allclose(flow, (np.maximum(*heads) + np.eye(3)) / (np.maximum(*heads) + np.eye(3)).sum(1, keepdims=True)), "average the heads; you take their largest weight"
assert np.allclose(flow[0], [0.5, 0.25, 0.25]), f"token 0 keeps half of itself, and looks at 1 and 2 with a quarter each; your row is {np.round(flow[0], 3)}"
assert np.allclose(flow, [[0.5, 0.25, 0.25], [0, 1, 0], [0.25, 0, 0.75]]), f"average the heads, add the identity, halve; yours is {np.round(flow, 3).tolist()}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(83)
for n, h in ((2, 1), (5, 3), (7, 4)):
    layer = rng.dirichlet(np.ones(n), (1, h, n))
    wanted = (layer[0].mean(0) + np.eye(n)) / 2
    assert np.allclose(np.asarray(attention_rollout(layer.copy()), dtype=float), wanted, atol=1e-5), "one layer of random weights: average over heads, half of it identity"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "rollout-order", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Two layers: first token 1 reads token 2, then token 0 reads token 1. So token 2 reaches token 0, by way of token 1
first, second = np.eye(3), np.eye(3)
first[1], second[0] = [0, 0, 1], [0, 1, 0]
stack = np.stack([first, second])[:, None]
flow = np.asarray(attention_rollout(stack.copy()), dtype=float)
assert flow.shape == (3, 3), f"one matrix of tokens by tokens, shape (3, 3), not {flow.shape}"
assert not np.isclose(flow[0, 2], 0), "nothing of token 2 reaches token 0: the matrices are multiplied in the wrong order. The later layer stands on the left"
assert np.allclose(flow[0], [0.5, 0.25, 0.25]), f"half of token 0 is its own, a quarter from token 1, a quarter from token 2 through token 1; your row is {np.round(flow[0], 3)}"
assert np.allclose(flow[2], [0, 0, 1]), "token 2 looks only at itself in both layers"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(84)
for depth, h, n in ((2, 2, 4), (3, 1, 5), (6, 4, 9)):
    stack = rng.dirichlet(0.5 * np.ones(n), (depth, h, n))
    wanted = np.linalg.multi_dot([*[(layer.mean(0) + np.eye(n)) / 2 for layer in stack[::-1]], np.eye(n)])
    flow = np.asarray(attention_rollout(stack.copy()), dtype=float)
    assert np.allclose(flow, wanted, atol=1e-5), f"{depth} layers: all of them, the last one on the left"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "rollout-rows", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Rows that don't sum to 1 (weak weights were cut off): divide after adding the identity, so that nothing leaks away
cut_off = np.array([[[[0.0, 0.6], [0.0, 0.8]]], [[[0.5, 0.0], [0.4, 0.4]]]])
flow = np.asarray(attention_rollout(cut_off.copy()), dtype=float)
assert flow.shape == (2, 2), f"shape (2, 2), not {flow.shape}"
assert np.allclose(flow.sum(1), 1), f"the rows of the rollout should sum to 1, yours sum to {np.round(flow.sum(1), 3)}: divide each row of each layer by its sum"
steps = [(layer[0] + np.eye(2)) / (layer[0] + np.eye(2)).sum(1, keepdims=True) for layer in cut_off]
assert np.allclose(flow, steps[1] @ steps[0]), "add the identity first, then divide each row by its sum, in each layer"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(85)
for depth, h, n in ((3, 2, 4), (2, 3, 6)):
    stack = rng.dirichlet(np.ones(n), (depth, h, n))
    stack = np.where(stack < 0.15, 0, stack) + 1e-3
    wanted = np.eye(n)
    for layer in stack:
        step = layer.mean(0) + np.eye(n)
        wanted = step / step.sum(1, keepdims=True) @ wanted
    kept = stack.copy()
    flow = np.asarray(attention_rollout(stack), dtype=float)
    assert np.allclose(flow, wanted, atol=1e-5), "rows that don't sum to 1: add the identity, divide by the sum, multiply"
    assert np.array_equal(stack, kept), "your function changed the weights it was given: work on a copy"
### END HIDDEN TESTS

# %% [markdown]
# ### What is open
#
# - **Tokens of volumes.** State-space models (Mamba; Gu and Dao, 2023) read tokens in a row in linear time, and are tried everywhere in medicine. A volume has no natural order of reading, and a fair comparison with a U-Net that gets the same time is often missing.
# - **Hierarchy or plain?** Swin builds a pyramid; plain ViTs, pretrained by masking patches (He and others, CVPR 2022), do well without one. CNNs rebuilt with what was learned from transformers (Liu and others, CVPR 2022) draw level with both. How much of the gain was ever attention is not settled.
# - **Data.** Pretraining on many scans without labels is the present answer to the hunger. Whose scans, with what consent, and what of them the network remembers: lectures 7, 12 and 15.
# - **Sizes.** Positions that were learned for one matrix and one spacing don't carry over to the next scanner. Interpolation is a patch, not an answer.
# - **Faithful explanations.** Some tokens become stores that draw attention without holding anything of the image (registers; Darcet and others, ICLR 2024). What a map means has to be tested for each model, on planted truth, as in lecture 10.
#
# **Checkpoint.** A paper on segmenting the pancreas in CT reports: "Our fused attention reduces the complexity of self-attention from quadratic to linear". Which of work, memory and time does that hold for, and how would you find out in a minute?
#
# <details><summary>Answer</summary>For memory only: no N x N matrix is kept. The work stays quadratic, and with it, for many tokens, the time. Measure at four numbers of tokens, each twice the last, and look at the ratios: a factor of 2 a step is linear, a factor of 4 quadratic.</details>

# %% [markdown]
# ## Results
#
# The figures of this lecture, each beside one to compare it with. Intervals are 95 % t-intervals over seeds; differences are paired by seed. An interval that holds 0 is no gain. In the profile `ci` the hippocampi are simulated stand-ins.

# %% tags=["results"]
for context, values in follow_accuracy.items():
    mean, low, high = t_interval(values)
    results.record(LECTURE, run.profile, f"has the lesion grown: {context}, accuracy", mean, low=low, high=high, baseline=rule_accuracy, baseline_name="rule: nearest old lesion", source="section 8.1, planted")
results.record(LECTURE, run.profile, "attention lies on the same lesion of last year", np.mean(follow_hits), baseline=hit_chance, baseline_name="chance", source="section 8.1, planted")
for kind, values in flow_auc.items():
    mean, low, high = t_interval(values)
    results.record(LECTURE, run.profile, f"lesions beside a flow artefact: {kind}, test AUC", mean, low=low, high=high, baseline=0.5, baseline_name="chance", source="section 8.2, planted")
results.record(LECTURE, run.profile, "pointing at a lesion: spatial attention map", np.mean(place_hits[True]), baseline=np.mean(place_hits[False]), baseline_name="activation map, no attention", source="section 8.2, planted")
for name in ("brightest pixel of FLAIR", "brightest pixel of T2 times FLAIR"):
    results.record(LECTURE, run.profile, f"pointing at a lesion: {name}", place_rivals[name], baseline=place_rivals["by chance"], baseline_name="chance", source="section 8.2, planted")
results.record(LECTURE, run.profile, "hippocampus: U-Net without gates, test Dice", gate_dice[False].mean(), baseline=box_dice, baseline_name="the organ's mean place", source="section 8.2")
results.record(LECTURE, run.profile, "hippocampus: what attention gates add to the Dice", gate_gain, low=gate_low, high=gate_high, baseline=0, baseline_name="same U-Net without gates", source="section 8.2")
results.record(LECTURE, run.profile, "situs: right on images and twins, ViT without positions", situs_accuracy["without positions"], baseline=situs_accuracy["with positions"], baseline_name="with positions", source="section 8.3, planted")
results.record(LECTURE, run.profile, "ultrasound lesions: Swin UNETR, test Dice", lesion_dice["Swin UNETR"].mean(), baseline=lesion_dice["darkest pixels"].mean(), baseline_name="darkest pixels", source="section 8.3, planted")
for name, (mean, low, high) in dice_gap.items():
    results.record(LECTURE, run.profile, f"ultrasound lesions: Swin UNETR minus {name}, Dice", mean, low=low, high=high, baseline=0, baseline_name="no difference", source="section 8.3, over test images, one start each")
for n in pool_sizes:
    results.record(LECTURE, run.profile, f"{chest_set.name}, {n} films: ViT, test AUC", t_interval(film_curve["ViT"][n])[0], low=t_interval(film_curve["ViT"][n])[1], high=t_interval(film_curve["ViT"][n])[2], baseline=film_curve["CNN"][n].mean(), baseline_name="CNN of equal size", source="section 8.3")
for n in pool_sizes:
    results.record(LECTURE, run.profile, f"{chest_set.name}, {n} films: CNN minus ViT, AUC", film_gap[n][0], low=film_gap[n][1], high=film_gap[n][2], baseline=0, baseline_name="no difference", source="section 8.3, same draws")
for n in pool_sizes:
    results.record(LECTURE, run.profile, f"{chest_set.name}, {n} films: gain of a conv stem, AUC", stem_gain[n][0], low=stem_gain[n][1], high=stem_gain[n][2], baseline=0, baseline_name="ViT on patches", source="section 8.4, same draws")
for way in pay_ways:
    results.record(LECTURE, run.profile, f"{way} attention: exponent of memory in tokens", exponents[way, "memory"][0], baseline=exponents[way, "work"][0], baseline_name="exponent of work", source="section 8.4, counted")
for way in pay_ways:
    results.record(LECTURE, run.profile, f"{way} attention: exponent of time in tokens", exponents[way, "time"][0], low=exponents[way, "time"][1], high=exponents[way, "time"][2], baseline=exponents[way, "work"][0], baseline_name="exponent of work", source="section 8.4, timed")
for name in spot_hit:
    results.record(LECTURE, run.profile, f"planted lesions, {name}: highest patch holds lesion", spot_hit[name], low=spot_hit_interval[name][0], high=spot_hit_interval[name][1], baseline=spot_chance, baseline_name="chance", source="section 8.4, planted")
results.record(LECTURE, run.profile, "planted lesions, all attention made uniform: AUC", changed_auc["uniform", "all layers"], baseline=spot_auc, baseline_name="as trained", source="section 8.4, planted")
results.record(LECTURE, run.profile, "planted lesions, all attention permuted: AUC", changed_auc["permuted", "all layers"], baseline=spot_auc, baseline_name="as trained", source="section 8.4, planted")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Reflection
#
# A vendor offers a reader for follow-up CT of the lung: "our transformer attends to the prior scans, and shows the radiologist by its attention map which nodule it compared with which". In about 150 words: what do you ask for before you believe that attention helps, and before you let the map be shown to radiologists? Name measurements from this
# lecture, with the rival that each is to be compared with.
#
# | Points | What your answer shows |
# |---|---|
# | 3 | Asks for a comparison at equal parameters and data with a network without attention **and** with a simple rule, over seeds or patients with an interval; a test of the map on planted or marked truth with its chance level; and one leak or edge case (future visits, padding, patients without a prior), each with what would count as failing |
# | 2 | A fair comparison and a test of the map, but the rival of one of them, the interval, or the edge case is missing |
# | 1 | Says that attention maps should be validated, without a measurement |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# First, whether attention helps. I ask for the same network without attention, at equal parameters and trained on the same patients, and for a rule that a programmer writes in an hour: register the scans, take the nearest old nodule, compare the volumes. In this lecture attention was far ahead of networks
# without a look-up, but not of the rule. The gain must come with an interval over patients, and the lower end must lie above 0; otherwise we buy the rule.
#
# Second, the map. Radiologists mark on 200 test patients which nodule is which. The largest attention must hit the partner far more often than one over the number of nodules, and at least as often as the nearest neighbour. If it doesn't, it is not shown: a wrong map that looks sure is worse than none.
#
# Third, edges. Patients with no prior must give a finite answer, the same as if padding were random numbers. And I cut each history at the reading date: if performance drops, the model had seen the future.

# %% [markdown]
# ## References
#
# Data
# - Antonelli, Reinke, Bakas, et al. The Medical Segmentation Decathlon. Nature Communications 13:4128, 2022.
# - Kermany, Goldbaum, Cai, et al. Identifying medical diagnoses and treatable diseases by image-based deep learning. Cell 172:1122-1131, 2018.
# - Yang, Shi, Wei, Liu, Zhao, Ke, Pfister, Ni. MedMNIST v2 - a large-scale lightweight benchmark for 2D and 3D biomedical image classification. Scientific Data 10:41, 2023.
#
# Attention
# - Buades, Coll, Morel. A non-local algorithm for image denoising. CVPR 2005.
# - Bahdanau, Cho, Bengio. Neural machine translation by jointly learning to align and translate. ICLR 2015.
# - Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin. Attention is all you need. NeurIPS 2017.
# - Zaheer, Kottur, Ravanbakhsh, Poczos, Salakhutdinov, Smola. Deep sets. NeurIPS 2017.
# - Ilse, Tomczak, Welling. Attention-based deep multiple instance learning. ICML 2018.
# - Wang, Girshick, Gupta, He. Non-local neural networks. CVPR 2018.
#
# Channel and spatial attention
# - Zhou, Khosla, Lapedriza, Oliva, Torralba. Learning deep features for discriminative localization. CVPR 2016.
# - Hu, Shen, Sun. Squeeze-and-excitation networks. CVPR 2018.
# - Woo, Park, Lee, Kweon. CBAM: convolutional block attention module. ECCV 2018.
# - Oktay, Schlemper, Le Folgoc, et al. Attention U-Net: learning where to look for the pancreas. MIDL 2018 (arXiv 1804.03999).
#
# Transformers for images
# - Dosovitskiy, Beyer, Kolesnikov, et al. An image is worth 16x16 words: transformers for image recognition at scale. ICLR 2021.
# - Touvron, Cord, Douze, et al. Training data-efficient image transformers and distillation through attention. ICML 2021.
# - Liu, Lin, Cao, et al. Swin transformer: hierarchical vision transformer using shifted windows. ICCV 2021.
# - Xiao, Singh, Mintun, et al. Early convolutions help transformers see better. NeurIPS 2021.
# - Liu, Mao, Wu, et al. A ConvNet for the 2020s. CVPR 2022.
# - He, Chen, Xie, Li, Dollár, Girshick. Masked autoencoders are scalable vision learners. CVPR 2022.
# - Darcet, Oquab, Mairal, Bojanowski. Vision transformers need registers. ICLR 2024.
#
# Transformers in medicine
# - Chen, Lu, Yu, et al. TransUNet: transformers make strong encoders for medical image segmentation. arXiv 2102.04306, 2021.
# - Hatamizadeh, Nath, Tang, et al. Swin UNETR: Swin transformers for semantic segmentation of brain tumors in MRI images. MICCAI BrainLes workshop 2021 (LNCS 12962, 2022).
# - Tang, Yang, Li, et al. Self-supervised pre-training of Swin transformers for 3D medical image analysis. CVPR 2022.
# - Isensee, Wald, Ulrich, et al. nnU-Net revisited: a call for rigorous validation in 3D medical image segmentation. MICCAI 2024.
#
# The price of attention
# - Katharopoulos, Vyas, Pappas, Fleuret. Transformers are RNNs: fast autoregressive transformers with linear attention. ICML 2020.
# - Shen, Zhang, Zhao, Yi, Li. Efficient attention: attention with linear complexities. WACV 2021.
# - Dao, Fu, Ermon, Rudra, Ré. FlashAttention: fast and memory-efficient exact attention with IO-awareness. NeurIPS 2022.
# - Gu, Dao. Mamba: linear-time sequence modeling with selective state spaces. arXiv 2312.00752, 2023.
#
# Attention as an explanation
# - Jain, Wallace. Attention is not explanation. NAACL 2019.
# - Wiegreffe, Pinter. Attention is not not explanation. EMNLP 2019.
# - Abnar, Zuidema. Quantifying attention flow in transformers. ACL 2020.
