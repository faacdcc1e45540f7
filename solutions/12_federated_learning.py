# %% [markdown]
# # Lecture 12 - Federated learning
#
# **After this you can**
#
# - write FedAvg by hand, count its rounds and bytes, and say what unequal hospitals and stragglers do to it (11.1)
# - hold a local, a central and a federated model against each other on one table, and answer a hospital that asks whether to join (11.2)
# - test a model at a hospital that took no part, and say what its AUC leaves open (11.2)
# - share the look of images instead of images, and keep batch norm at home where scanners differ (11.3)
# - learn from sites without labels (11.4)
# - recover an image from a gradient, and price the defences: clipping and noise, masks that cancel, robust averages (11.5)
#
# **Time** about 400 minutes, in two sittings (11.1 and 11.2; 11.3 to 11.5)
#
# Sections carry the syllabus's numbers: this lecture is its chapter 11. No demonstration needs an exercise to be solved, so you can read on whenever you are stuck.
#
# The checks that you see test a part of each exercise; grading also tests the rest of its text and docstring. Grading does not run the demonstrations: your answers may use what they import and define, not what they compute.

# %% [markdown]
# ## Data card
#
# | data | from where | licence | people, consent | how it was split |
# |---|---|---|---|---|
# | `pneumoniamnist`: 5856 chest films of children, pneumonia or normal, 28 pixels | MedMNIST v2, from Kermany et al. 2018 | CC BY 4.0 | one hospital, ages 1-5; published without names | the official split. The hospitals of this lecture are **made** from its training part: one real hospital is dealt to several. Children are not named, so several films of one child may lie at two of them; the stand-in names its children, and keeps them together |
# | `heart_disease` (11.2): 920 patients sent for coronary angiography | UCI Heart Disease (Janosi and others, 1988) | CC BY 4.0 | four **real** hospitals: Cleveland, Budapest, Zurich with Basel, Long Beach; collected before 1988, consent not documented | five folds inside each hospital; and each hospital left out once |
# | emergency patients with film, vital signs and laboratory (11.2) | this course, simulated: we know of no free set of films with laboratory values from many hospitals | this course | no person is in it | by simulated patient; the truth is planted |
#
# - In the profile `ci` simulated stand-ins take the place of the first two, and say so.

# %% tags=["parameters"]
LECTURE = "12_federated_learning"
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
# ## 11.1 What federated learning is
#
# A model for a rare tumour needs patients of many hospitals. Their data can't simply be put in one place: the law protects them, hospitals compete, patients never agreed, and a copy can't be called back. **Federated learning** turns it round: the data stay, and the model travels. A *server* sends a model to each hospital (a *client*, or *site*). Each
# trains it on its own patients for a while, and sends the weights back. The server averages them, and the next *round* begins. That is **FedAvg** (McMahan and others, 2017). With $w^t$ the weights at the start of round $t$, hospital $k$ of $K$ with $n_k$ patients and the loss $\mathcal L_k$:
#
# $$w_k^{t+1} = \text{some steps of gradient descent on } \mathcal L_k \text{, from } w^t \qquad\qquad w^{t+1} = \sum_{k=1}^{K} \frac{n_k}{\sum_j n_j}\, w_k^{t+1}$$
#
# With *one* step of plain gradient descent on all of a hospital's patients this is exactly gradient descent on everybody's patients together, since the gradient of a sum is the sum of the gradients (in a network with batch norm only nearly: each hospital normalises by its own batch). With more steps, hospitals walk towards their own minima before they meet (*client drift*). So steps save rounds, and rounds cost bytes; drift is the price.
#
# Two settings go by the same name. **Cross-device**: a million telephones, few of them awake. **Cross-silo**: two to a hundred hospitals that are nearly always there, with contracts. Medicine is the second. Brain tumour segmentation over ten institutions came close to what pooling their data would have reached (Sheller and others, 2020); Rieke and others (2020) describe what hospitals need for it.
#
# ### Hospitals from one data set
#
# To study what differences between hospitals do, we make hospitals whose differences we know. The usual way is to deal a public data set by a **Dirichlet distribution** (Yurochkin and others, 2019; in another form Hsu and others, 2019): for each class, shares over the hospitals are drawn, and the class is dealt in these shares. With a large $\alpha$ all hospitals are alike (*IID*, independent and identically distributed). With $\alpha = 0.1$ one
# hospital has the children's ward with pneumonia, the next one only normal films. Both differ in size, too.
#
# **Predict before you run.** Five hospitals, $\alpha = 0.3$. How large is the share of pneumonia at each? What would a network learn at a hospital with pneumonia only, and what AUC would it have elsewhere?

# %% tags=["demo"]
from sklearn.metrics import roc_auc_score
from torch import nn

films = data.load("pneumoniamnist", profile=run.profile)
n_films = min(run.pick(ci=800, laptop=2400), len(films.train))


def as_input(images: np.ndarray) -> torch.Tensor:
    """uint8 films (N, H, W) as (N, 1, H, W) between -1 and 1."""
    return torch.tensor(images[:, None], dtype=torch.float32) / 127.5 - 1


def as_target(labels: np.ndarray) -> torch.Tensor:
    return torch.tensor(labels, dtype=torch.float32)


x_train, y_train = as_input(films.train.images[:n_films]), as_target(films.train.labels[:n_films])
x_val, y_val = as_input(films.val.images), as_target(films.val.labels)
x_test, y_test = as_input(films.test.images), as_target(films.test.labels)
named = films.train.patients if films.train.patients is not None else np.arange(len(films.train))
child = np.unique(named[:n_films], return_inverse=True)[1]  # who each film shows; unnamed, each film counts as one child


def deal(labels: np.ndarray, children: np.ndarray, hospitals: int, alpha: float, rng, least: int = 24) -> list[np.ndarray]:
    """Film numbers of each hospital: the children of a class queue in random order, and the hospitals' shares cut the queue. Dealt again until each has `least`."""
    first = np.unique(children, return_index=True)[1]
    while True:
        home = np.empty(len(first), dtype=int)
        for c in (0, 1):
            queue = rng.permutation(np.flatnonzero(labels[first] == c))
            place = (np.arange(len(queue)) + 0.5) / max(len(queue), 1)
            home[queue] = np.searchsorted(np.cumsum(rng.dirichlet(np.full(hospitals, alpha))), place).clip(0, hospitals - 1)
        parts = [np.flatnonzero(home[children] == k) for k in range(hospitals)]
        if min(len(part) for part in parts) >= least:
            return parts

# %% tags=["demo"]
def draw_hospitals(alpha: float, seed: int = SEED):
    """Films of each of five hospitals, by class."""
    shown = deal(y_train.numpy(), child, 5, alpha, np.random.default_rng([seed, 7]))
    fig, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
    sick = np.array([int(y_train[part].sum()) for part in shown])
    well = np.array([len(part) for part in shown]) - sick
    ax.barh(np.arange(5), well, color=show.PALETTE[5], label="normal")
    ax.barh(np.arange(5), sick, left=well, color=show.PALETTE[1], hatch="//", edgecolor="white", label="pneumonia")
    for k in range(5):
        ax.annotate(f" {sick[k] / (sick[k] + well[k]):.0%} pneumonia", (sick[k] + well[k], k), va="center", fontsize=9)
    ax.set(yticks=np.arange(5), yticklabels=[f"hospital {k + 1}" for k in range(5)], xlabel="films", title=f"alpha = {alpha:g}", xlim=(0, 1.25 * (sick + well).max()))
    ax.invert_yaxis()
    ax.legend(loc="lower right", fontsize=8)
    return fig


show.explore(draw_hospitals, alt="Bars of five hospitals: with an alpha of 0.3 they differ much in size and in their share of pneumonia", alpha=[0.3, 0.1, 1.0, 100.0])

# %% [markdown]
# ### FedAvg by hand
#
# The network is small, with batch norm. We handle a model as one long vector: `pack` lays all floating-point entries of the `state_dict` in a row, weights and running statistics alike, and `unpack` puts them back. Then the server's average is one product of a vector of shares with a matrix that has a row for each hospital.

# %% tags=["demo"]
class TinyNet(nn.Module):
    """Two convolutions with batch norm, one linear layer; (N, 1, 28, 28) -> (N,) logits of pneumonia."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 8, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16)
        self.head = nn.Linear(16 * 49, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm1(self.conv1(x)))
        return self.head(torch.relu(self.norm2(self.conv2(x))).flatten(1)).squeeze(1)


def new_net(seed: int) -> TinyNet:
    torch.manual_seed(seed)
    return TinyNet()


def entries(net: nn.Module) -> dict[str, torch.Tensor]:
    """What travels: every floating-point entry, weights and running statistics."""
    return {name: value for name, value in net.state_dict().items() if value.is_floating_point()}


def pack(net: nn.Module) -> torch.Tensor:
    """All entries as one vector (P,)."""
    return torch.cat([value.flatten() for value in entries(net).values()]).clone()


def unpack(net: nn.Module, vector: torch.Tensor) -> None:
    """The opposite of `pack`, in place."""
    held = list(entries(net).values())
    with torch.no_grad():
        for value, piece in zip(held, vector.split([value.numel() for value in held]), strict=True):
            value.copy_(piece.view_as(value))

# %% tags=["demo"]
def train_local(net: nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int, lr: float, seed: int, mu: float = 0.0, batch: int = 32) -> None:
    """Some steps of gradient descent (momentum 0.9) at one hospital, in place; mu is the strength of FedProx's term."""
    order, begun = torch.Generator().manual_seed(seed), [w.detach().clone() for w in net.parameters()]
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    rows = torch.cat([torch.randperm(len(x), generator=order) for _ in range(steps * batch // len(x) + 1)])
    net.train()
    for pick in rows[: steps * batch].split(batch):
        loss = nn.functional.binary_cross_entropy_with_logits(net(x[pick]), y[pick])
        if mu:
            loss = loss + mu / 2 * sum((w - b).square().sum() for w, b in zip(net.parameters(), begun, strict=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def logits(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """(N,) in eval mode."""
    net.eval()
    with torch.no_grad():
        return torch.cat([net(part) for part in x.split(512)])


def auc_of(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    return float(roc_auc_score(y, logits(net, x)))


def weighted(vectors: list[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    """FedAvg's server: shares (K,) times models (K, P)."""
    return torch.tensor(sizes, dtype=torch.float32) / sum(sizes) @ torch.stack(vectors)

# %% tags=["demo"]
Site = tuple[torch.Tensor, torch.Tensor]


def federate(hospitals: list[Site], rounds: int, steps, lr: float, seed: int, mu: float = 0.0, combine=weighted, watch=None, make=new_net) -> tuple[nn.Module, list]:
    """Federated training.

    Args:
        hospitals: (x, y) of each.
        rounds: how many; steps: at each hospital in a round; a number, or a function of round and hospital (0: doesn't return).
        combine: the server: list of (P,) vectors and list of sizes -> (P,).
        watch: called with the new model after each round; what it returns is kept.
        make: seed -> network to begin with.

    Returns:
        The model after the last round, and what was watched.
    """
    net = make(seed)
    common, track = pack(net), []
    for number in range(rounds):
        sent, sizes = [], []
        for k, (x, y) in enumerate(hospitals):
            work = steps(number, k) if callable(steps) else steps
            if work:
                unpack(net, common)
                train_local(net, x, y, work, lr, seed=10_000 * seed + 100 * number + k, mu=mu)
                sent.append(pack(net))
                sizes.append(len(x))
        common = combine(sent, sizes)
        unpack(net, common)
        if watch is not None:
            track.append(watch(net))
    return net, track


def auc_interval(scores: np.ndarray, labels: np.ndarray, draws: int = 1000) -> tuple[float, float, float]:
    """AUC and its 95 % bootstrap interval over films (or patients), sick and healthy drawn apart."""
    scores, labels = np.asarray(scores), np.asarray(labels)
    sick, well, rng = scores[labels == 1], scores[labels == 0], np.random.default_rng(0)
    wins = (sick[:, None] > well) + 0.5 * (sick[:, None] == well)
    again = [wins[rng.integers(len(sick), size=len(sick))][:, rng.integers(len(well), size=len(well))].mean() for _ in range(draws)]
    return float(wins.mean()), *(float(end) for end in np.quantile(again, [0.025, 0.975]))

# %% [markdown]
# ### Local, central, federated: one table
#
# Four models, and a trivial score. Rounds and steps are fixed beforehand, by what a laptop computes in minutes. The learning rate is chosen on the *validation* films, for each kind of model by itself, with hospitals that the table doesn't use: a rate that suits the
# federation may be a bad one for a hospital alone, and then the comparison would be unfair. The test films are read once, at the end.
#
# - **Brightness**: the mean of the film, no learning. Its direction comes from the training films.
# - **Local**: each hospital alone, with as many steps as it does in the federation. In the table stand the mean of the five models, and the worst.
# - **Central**: all films in one place, with as many steps as all hospitals together. That is what often may not be done, and what we compare with.
# - **Federated**: FedAvg over the five.
#
# They are tested on the official test films, and once more at an **unseen hospital**: the same films with a darker and softer characteristic curve and with noise, as another machine would make them. All is repeated with other hospitals and other starting weights; the interval is over these repeats, with Student's $t$ (the test films stay the same, so their chance is not in it).
#
# **Predict before you run.** Where will the federated model stand between local and central? Which of the four suffers most at the unseen hospital?

# %% tags=["demo"]
import pandas as pd
from scipy import stats

ALPHA, ROUNDS, STEPS, RATES = 0.3, run.pick(ci=14, laptop=24), 8, (0.03, 0.1)
REPEATS = run.pick(ci=3, laptop=5)


def other_machine(x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Films of a machine with another characteristic curve (gamma 1.6), a softer image and more noise."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    soft = nn.functional.avg_pool2d(nn.functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return (2 * ((0.5 * x + 0.5 * soft + 1) / 2).clamp(0, 1) ** 1.6 - 1 + 0.08 * noise).clamp(-1, 1)


film_tests = {"test films": (x_test, y_test), "unseen hospital": (other_machine(x_test), y_test)}
parts = deal(y_train.numpy(), child, 5, ALPHA, np.random.default_rng([SEED, 7]))
hospitals = [(x_train[part], y_train[part]) for part in parts]  # those of the figure above


def make_sites(alpha: float, seed: int) -> list[Site]:
    """The training films dealt to five hospitals."""
    return [(x_train[part], y_train[part]) for part in deal(y_train.numpy(), child, 5, alpha, np.random.default_rng([seed, 7]))]


def train_all(sites: list[Site], rates: dict[str, float], seed: int) -> dict[str, list[nn.Module]]:
    """The networks of each kind: five local ones, one central, one federated."""
    nets = {"local": [new_net(seed) for _ in sites], "central": [new_net(seed)]}
    for net, (x, y) in zip(nets["local"], sites, strict=True):
        train_local(net, x, y, ROUNDS * STEPS, rates["local"], seed=seed)
    train_local(nets["central"][0], x_train, y_train, 5 * ROUNDS * STEPS, rates["central"], seed=seed)
    return {**nets, "federated": [federate(sites, ROUNDS, STEPS, rates["federated"], seed=seed)[0]]}


SPARE = SEED + 90  # hospitals on which things are chosen; no table uses them
KINDS, tried = ("local", "central", "federated"), {}
for rate in RATES:
    nets = train_all(make_sites(ALPHA, SPARE), dict.fromkeys(KINDS, rate), SPARE)
    tried[rate] = {kind: float(np.mean([auc_of(net, x_val, y_val) for net in nets[kind]])) for kind in KINDS}
CHOSEN = {kind: max(RATES, key=lambda rate, kind=kind: tried[rate][kind]) for kind in KINDS}
LR = CHOSEN["federated"]
pd.DataFrame(tried).rename_axis("validation AUC").rename_axis("learning rate", axis=1).assign(chosen=pd.Series(CHOSEN)).round(3)

# %% tags=["demo"]
rows = []
for repeat in range(REPEATS):
    nets = train_all(make_sites(ALPHA, SEED + repeat), CHOSEN, SEED + repeat)
    for where, (x, y) in film_tests.items():
        one = {kind: [auc_of(net, x, y) for net in nets[kind]] for kind in KINDS}
        rows += [(where, repeat, "local, mean of five", np.mean(one["local"])), (where, repeat, "local, worst of five", min(one["local"]))]
        rows += [(where, repeat, kind, one[kind][0]) for kind in ("federated", "central")]
auc_rows = pd.DataFrame(rows, columns=["where", "repeat", "model", "auc"])

# %% tags=["demo"]
def over_repeats(values) -> tuple[float, float, float]:
    """Mean and 95 % interval over repeats (Student's t)."""
    values = np.asarray(values, dtype=float)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


way = np.sign(float(x_train[y_train == 1].mean() - x_train[y_train == 0].mean()))  # from training films
bright = {where: roc_auc_score(y, way * x.mean((1, 2, 3))) for where, (x, y) in film_tests.items()}
film_table = pd.DataFrame({where: {"brightness": f"{bright[where]:.3f}"} for where in film_tests})
film_auc = {}
for model in ("local, worst of five", "local, mean of five", "federated", "central"):
    for where in film_tests:
        film_auc[model, where] = over_repeats(auc_rows[(auc_rows["where"] == where) & (auc_rows.model == model)].auc)
        film_table.loc[model, where] = "{:.3f} [{:.3f}, {:.3f}]".format(*film_auc[model, where])
wide = auc_rows[auc_rows["where"] == "test films"].pivot(index="repeat", columns="model", values="auc")
gain_local = over_repeats(wide["federated"] - wide["local, mean of five"])
gap_central = over_repeats(wide["federated"] - wide["central"])
assert film_auc["federated", "test films"][0] > bright["test films"] + 0.05 and gain_local[0] > 0, "the federation should learn more than brightness, and more than its members alone"
print(f"{films.name}: AUC, mean over {REPEATS} repeats [95 % interval]")
print("federated minus mean local {:+.3f} [{:+.3f}, {:+.3f}]; federated minus central {:+.3f} [{:+.3f}, {:+.3f}]".format(*gain_local, *gap_central))
film_table

# %% [markdown]
# Three things to read, of which the first two should hold in your table as in ours:
#
# - **The worst local model is about as good as chance or worse.** A hospital that sees nearly one class only learns that the answer is "yes", and little about what tells the two apart. What is left of its ranking is chance, and chance can point the wrong way. (It is also picked after the test, as the lowest of five.)
# - **The federation knows more than its members do alone**, though several of them see nearly one class only. On average it stays behind the central model, which has the same work but no drift; on the stand-in, whose films are harder, by more. With so few repeats the interval of that difference holds 0 in both of our runs. Part of that is rounds: at the end it is still learning (next figure).
# - **The unseen hospital** costs the federated and the central model something, on the stand-in more than on real films. A federation doesn't help against a machine that none of its members owns. These five share one machine; section 11.3 has members with different ones.
#
# ### Rounds and bytes
#
# A hospital's link is slow, and each transfer is reviewed. So what counts is how many bytes a federation sends until it is good. One message holds all entries; it goes to each hospital and comes back. We let `torch.save` write a message, and count what it writes (a little more than the numbers themselves: names and a header).
#
# **Predict before you run.** Every hospital has the same work to do: the same number of steps in all. We split it into many rounds of one step, or few rounds of many. What happens to the AUC when rounds get rare? And which split is best *for the same bytes*, when hospitals are alike, and when they are not?

# %% tags=["demo"]
import io

written = io.BytesIO()
torch.save(entries(new_net(0)), written)
message, work = written.getbuffer().nbytes, run.pick(ci=64, laptop=160)  # bytes; steps of each hospital, the same for all lines
budget = []
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), sharey=True, layout="constrained")
for ax, alpha in zip(axes, (100.0, ALPHA), strict=True):
    sites = make_sites(alpha, SEED)
    for number, steps in enumerate((1, 8, 32)):
        rounds = work // steps
        net, track = federate(sites, rounds, steps, LR, seed=SEED, watch=lambda net: auc_of(net, x_val, y_val))
        sent = 2 * 5 * message * np.arange(1, rounds + 1) / 1e6
        budget.append((alpha, steps, rounds, sent[-1], track[-1], auc_of(net, x_test, y_test)))
        ax.plot(sent, track, color=show.PALETTE[number + 1], linestyle=["-", "--", "-."][number], marker="osv"[number], markersize=4, markevery=max(1, len(sent) // 10), label=f"{steps} step{'s' * (steps > 1)} a round")
    ax.set(xscale="log", xlabel="sent in all, MB (logarithmic)", title=f"{'alike' if alpha > 1 else 'unequal'} hospitals, alpha = {alpha:g}")
axes[0].set_ylabel("validation AUC")
axes[1].legend(fontsize=8, loc="lower right")
show.figure(fig, alt="Validation AUC against megabytes sent, two panels, alike and unequal hospitals, each with a line for one, eight and 32 steps a round: the more steps a round, the fewer bytes the line spans")
print(f"one message: {message / 1e3:.1f} kB, of which the numbers {4 * len(pack(new_net(0))) / 1e3:.1f} kB")
pd.DataFrame(budget, columns=["alpha", "steps a round", "rounds", "MB in all", "validation AUC", "test AUC"]).set_index(["alpha", "steps a round"]).round(3)

# %% [markdown]
# Rounds can get too rare. On the real films with unequal hospitals (profile `laptop`), 32 steps are enough for a hospital to walk far towards its own class, and a few averages of five such models are no better than chance: compare the last row of the table with the one above it. On the stand-in little of that shows. With alike hospitals nothing is lost, for a thirtieth of the bytes. So the number of local steps is no constant of nature: it is chosen by how different the hospitals are, on validation.
#
# Look also at equal bytes, straight up from one point of the axis. There the many-step lines have done more *work*. With alike hospitals that pays at once; with unequal ones it depends, and a line that is behind early may be ahead at the end. Each line is one run: small differences are luck.
#
# A small network makes small messages. ResNet-50 has 25.6 million weights: 102 MB a message, 1 GB a round for five hospitals. 100 rounds are 100 GB, more than the films (2400 films of 28 x 28 bytes are 1.9 MB; as a hospital stores them, at 10 MB each, 24 GB). That weights are *less* than data is not why one federates.
#
# ### Unequal hospitals and stragglers: FedProx
#
# With $\alpha = 0.1$ most hospitals see one class only. In many local steps such a hospital unlearns the other one. **FedProx** (Li and others, 2020) ties each hospital to what the server sent, by a *proximal* term:
#
# $$\min_w \; \mathcal L_k(w) + \frac{\mu}{2} \lVert w - w^t \rVert^2$$
#
# The same paper has a second idea. Hospitals are not equally fast. Classic FedAvg waits for all, or drops who is late, and with them their patients. FedProx takes *partial work*: a straggler sends what it has after two steps instead of all. That is safe as long as nobody is far from $w^t$.
#
# How short a leash? As before, $\mu$ is chosen on the validation films and on hospitals that the figure doesn't use, all in time. The profile `laptop` deals with $\alpha = 0.1$; `ci`, which has a third of the films, with 0.3.
#
# **Predict before you run.** Two of the five hospitals are slow, in every round. Which loses more AUC: to drop them, or to take their two steps? And is a leash of $\mu = 0.1$ felt at all, beside a loss near 0.5?

# %% tags=["demo"]
HARD, HARD_ROUNDS, HARD_STEPS, MUS = run.pick(ci=0.3, laptop=0.1), run.pick(ci=8, laptop=12), run.pick(ci=8, laptop=16), (0.01, 0.1, 1.0)


def slow_pair(number: int, k: int, late: int) -> int:
    """Hospitals 1 and 2 (of 5) are slow: `late` steps instead of all."""
    return late if k in (0, 1) else HARD_STEPS


spare = make_sites(HARD, SPARE)
leash = {mu: auc_of(federate(spare, HARD_ROUNDS, HARD_STEPS, LR, seed=SPARE, mu=mu)[0], x_val, y_val) for mu in MUS}
MU = max(MUS, key=leash.get)
print("validation AUC:", "; ".join(f"mu {mu:g} {value:.3f}" for mu, value in leash.items()), f"- chosen: {MU:g}")
plans = {
    "FedAvg, all in time": (0.0, HARD_STEPS),
    "FedProx, all in time": (MU, HARD_STEPS),
    "FedAvg, two slow ones dropped": (0.0, 0),
    "FedAvg, their 2 steps taken": (0.0, 2),
    "FedProx, their 2 steps taken": (MU, 2),
}
hard = {name: [] for name in plans}
for repeat in range(run.pick(ci=3, laptop=5)):
    sites = make_sites(HARD, SEED + repeat)
    for name, (mu, late) in plans.items():
        net, _ = federate(sites, HARD_ROUNDS, lambda number, k, late=late: slow_pair(number, k, late), LR, seed=SEED + repeat, mu=mu)
        hard[name].append(auc_of(net, x_test, y_test))
hard_auc = pd.DataFrame(hard)
fig, ax = plt.subplots(figsize=(7.5, 2.6), layout="constrained")
for line, name in enumerate(plans):
    ax.plot(hard_auc[name], [line] * len(hard_auc), "s" if "FedProx" in name else "o", color=show.PALETTE[2 if "FedProx" in name else 1])
    ax.plot(hard_auc[name].mean(), line, "|", color="black", markersize=16)
ax.set(yticks=range(len(plans)), yticklabels=list(plans), xlabel="test AUC; bars are means over repeats", title=f"alpha = {HARD}, {HARD_ROUNDS} rounds of {HARD_STEPS} steps, mu = {MU:g}", ylim=(len(plans) - 0.5, -0.5))
show.figure(fig, alt="Test AUC of five plans, a point a repeat and a bar for the mean: FedAvg and FedProx with all hospitals in time, with two dropped, and with their partial work")
assert hard_auc["FedProx, all in time"].mean() > 0.56, "held on a leash, the federation should learn"
paired = hard_auc.sub(hard_auc["FedAvg, all in time"], axis=0)
pd.DataFrame({"mean AUC": hard_auc.mean(), "against FedAvg, all in time": paired.mean(), "worst repeat": paired.min(), "best repeat": paired.max()}).round(3)

# %% [markdown]
# Read the columns *worst repeat* and *best repeat* before the mean: hospitals this unequal scatter widely. Three questions to your table:
#
# - Does the leash help on average, or in the bad repeat only? (The second is what the paper hopes for: where FedAvg works, there is little to hold.)
# - Do two steps of the slow hospitals do as much as all of their steps? Fewer steps are a leash, too.
# - What does it cost to drop them? It depends on who is slow. If the two are the only ones with normal films, it costs a class.
#
# In our runs FedProx and FedAvg differ little beside the scatter of the repeats: with so few steps from the common model the leash, at the $\mu$ that validation chose, is hardly felt. No gain of it is shown here.
#
# A few repeats decide none of this finally: where a difference changes its sign from repeat to repeat, no plan is better.
#
# ### The same model in a real framework
#
# In a clinic nobody runs FedAvg from a notebook. A framework brings what our thirty lines leave out: hospitals behind firewalls, certificates, restarts, versions, logs. **Flower** (Beutel and others, 2020) and NVIDIA FLARE are two open ones. In Flower a `ClientApp` runs at each hospital, and a `strategy` at the server; between them is a `Grid` that carries messages. We give it a grid that carries them inside this process, so that
# no port is opened; with `flwr run` the same two parts run on many machines.
#
# Flower is not installed with this course, since it wants an older `packaging` than other libraries here. In an environment of its own, `pip install ".[federated]"` from a copy of the course brings both. If Flower is there, the next cell trains with it, and compares the weights with those of our own server.
#
# **Predict before you run.** Flower's FedAvg and ours start from the same weights and see the same batches. By how much may the results differ?

# %% tags=["demo", "flower"]
def flower_rounds(sites: list[Site], rounds: int, steps: int, lr: float, seed: int) -> TinyNet:
    """`federate` once more, with Flower's ClientApp, messages and FedAvg strategy."""
    import logging

    from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp
    from flwr.serverapp import Grid
    from flwr.serverapp.strategy import FedAvg
    from flwr.supercore.task_identity import TaskIdentity

    logging.getLogger("flwr").setLevel(logging.ERROR)
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1  # this process plays the server; `flwr run` would set them
    app = ClientApp()

    @app.train()
    def train_here(message: Message, context: Context) -> Message:
        site, net = context.node_config["site"], new_net(seed)
        net.load_state_dict(message.content["arrays"].to_torch_state_dict(), strict=False)
        x, y = sites[site]
        train_local(net, x, y, steps, lr, seed=10_000 * seed + 100 * (message.content["config"]["server-round"] - 1) + site)
        answer = {"arrays": ArrayRecord(entries(net)), "metrics": MetricRecord({"num-examples": len(x)})}
        return Message(content=RecordDict(answer), reply_to=message)

    class Here(Grid):
        """Carries each message to the app in this process."""

        run = property(lambda self: None)
        set_run = push_messages = pull_messages = lambda self, *_: None

        def get_node_ids(self):
            return range(2, len(sites) + 2)

        def create_message(self, content, message_type, dst_node_id, group_id, ttl=None):
            return Message(content, dst_node_id=dst_node_id, message_type=message_type, group_id=group_id)

        def send_and_receive(self, messages, *, timeout=None):
            return [app(m, Context(run_id=0, node_id=m.metadata.dst_node_id, node_config={"site": m.metadata.dst_node_id - 2}, state=RecordDict(), run_config={})) for m in messages]

    final, net = FedAvg(fraction_evaluate=0.0).start(Here(), ArrayRecord(entries(new_net(seed))), num_rounds=rounds), new_net(seed)
    net.load_state_dict(final.arrays.to_torch_state_dict(), strict=False)
    return net

# %% tags=["demo", "flower"]
import importlib.util

flower = importlib.util.find_spec("flwr") is not None
if flower:
    apart = {}
    for rounds in (1, 3):
        by_flower, (by_hand, _) = flower_rounds(hospitals, rounds, STEPS, LR, seed=0), federate(hospitals, rounds, STEPS, LR, seed=0)
        apart[rounds] = float((pack(by_flower) - pack(by_hand)).abs().max())
    assert apart[1] < 1e-5 and apart[3] < 1e-2, f"Flower's weights differ from ours by {apart[1]:.2g} after one round, {apart[3]:.2g} after three"
    print(f"Flower, 3 rounds: validation AUC {auc_of(by_flower, x_val, y_val):.3f}, by hand {auc_of(by_hand, x_val, y_val):.3f}; largest difference of a weight {apart[1]:.1e} after one round, {apart[3]:.1e} after three")
else:
    print('Flower is not installed: pip install ".[federated]" in an environment of its own brings it. Nothing below needs it.')

# %% [markdown]
# Order of summation is all that may differ: about $10^{-7}$ of a weight in the first round. Training can magnify that later, as it magnifies every last digit. A framework doesn't change the algorithm, so a result of FedAvg by hand is one of Flower's, too.
#
# One detail is worth a look. We sent floating-point entries alone. Flower's averaging multiplies *every* array by a hospital's share, so a whole `state_dict` comes back with a counter of batches like 2.6. The next exercise asks for the average that a server should send.

# %% [markdown]
# ### Exercise 11.1a - the average of the hospitals' models
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can write the server of FedAvg, batch norm and all*
#
# Write `average_states(states, sizes)`. Each hospital sends its `state_dict`: a dictionary from the name of an entry to its tensor. The server answers with one dictionary of the same kind:
#
# - **Floating-point entries**, weights and buffers alike: the mean, each hospital counting by its number of patients. The running means and variances of batch norm are buffers, not parameters. Whoever averages `net.parameters()` alone sends out a network whose batch norm has never seen a patient.
# - **Integer entries** (`num_batches_tracked` counts the batches a layer has seen): the largest of the hospitals' values, in the type it had. A counter of 2.5 batches means nothing, and a float counter won't load where an integer is expected.
# - **A hospital that has 0 patients this round** takes no part, whatever it sends. A site whose training broke sends `nan`, and $0 \cdot \mathrm{nan}$ is `nan`.
#
# <details><summary>Hint 1: the idea</summary>Throw out the hospitals of size 0. Then go through the names; look at the type of the tensor before you decide what to do with it.</details>
# <details><summary>Hint 2: what to call</summary><code>tensor.is_floating_point()</code>, <code>torch.stack</code>, <code>torch.tensor(sizes) / sum(sizes)</code>; <code>torch.tensordot(shares, stacked, dims=1)</code> sums over the hospitals for a tensor of any shape. <code>.amax(0)</code> keeps the type.</details>
# <details><summary>My average is right for two equal hospitals only</summary>Then every hospital counts the same. Multiply by its patients, and divide by all patients.</details>
# <details><summary>My result is nan</summary>A factor of 0 does not remove a nan. Leave the hospital out before you sum.</details>

# %% nbgrader={"grade": false, "grade_id": "fedavg", "locked": false, "schema_version": 3, "solution": true, "task": false}
def average_states(states: list[dict[str, torch.Tensor]], sizes: list[int]) -> dict[str, torch.Tensor]:
    """The server's step of FedAvg.

    Args:
        states: one dictionary a hospital, name -> tensor; all with the same names and shapes. They are not changed.
        sizes: patients of each hospital in this round, at least 0; a hospital with 0 takes no part.

    Returns:
        name -> tensor. Floating-point entries: the mean weighted by patients. Integer entries: the largest value, type kept.

    Raises:
        ValueError: no hospital has a patient, states and sizes differ in number, a size is negative, or names or shapes differ.
    """
    ### BEGIN SOLUTION
    if len(states) != len(sizes) or not states:
        raise ValueError(f"{len(states)} states, but {len(sizes)} sizes")
    if min(sizes) < 0 or sum(sizes) == 0:
        raise ValueError("sizes must not be negative, and at least one hospital needs a patient")
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in states]
    if any(one != shapes[0] for one in shapes):
        raise ValueError("the hospitals' states differ in names or shapes")
    present = [(state, size) for state, size in zip(states, sizes, strict=True) if size > 0]
    shares = torch.tensor([size for _, size in present], dtype=torch.float64)
    shares = shares / shares.sum()
    mean = {}
    for name in shapes[0]:
        stacked = torch.stack([state[name] for state, _ in present])
        if stacked.is_floating_point():
            mean[name] = torch.tensordot(shares, stacked.double(), dims=1).to(stacked.dtype)
        else:
            mean[name] = stacked.amax(0)
    return mean
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "fedavg-weights", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Weights: the mean, each hospital counting by its patients
few, many = {"head.weight": torch.tensor([[1.0, 0.0]])}, {"head.weight": torch.tensor([[5.0, 4.0]])}
answer = average_states([few, many], [100, 300])
assert set(answer) == {"head.weight"}, f"the entries should be called as they came, 'head.weight', not {sorted(answer)}"
value = torch.as_tensor(answer["head.weight"])
assert value.shape == (1, 2), f"an entry keeps its shape, (1, 2), not {tuple(value.shape)}"
assert not torch.allclose(value, torch.tensor([[3.0, 2.0]])), "each hospital counts the same in your mean: 100 patients and 300 patients should count 1 to 3"
assert not torch.allclose(value, torch.tensor([[2.0, 1.0]])), "the shares are turned round: the hospital with 300 patients should count more"
assert torch.allclose(value, torch.tensor([[4.0, 3.0]]), atol=1e-5), f"100 patients with 1 and 300 with 5 make (100 + 1500) / 400 = 4, not {value[0, 0]:.3f}"
### BEGIN HIDDEN TESTS
gen = torch.Generator().manual_seed(3)
for sites in (1, 3, 5):
    sent = [{"a": torch.randn(2, 3, 3, generator=gen), "b": torch.randn((), generator=gen)} for _ in range(sites)]
    people = torch.randint(1, 400, (sites,), generator=gen).tolist()
    answer = average_states([{name: v.clone() for name, v in one.items()} for one in sent], list(people))
    for name in ("a", "b"):
        expected_value = sum(n * one[name] for n, one in zip(people, sent, strict=True)) / sum(people)
        got = torch.as_tensor(answer[name])
        assert got.shape == expected_value.shape and torch.allclose(got.float(), expected_value, atol=1e-4), f"the mean of {sites} hospitals is off"
    before = [{name: v.clone() for name, v in one.items()} for one in sent]
    average_states(sent, list(people))
    assert all(torch.equal(one[name], was[name]) for one, was in zip(sent, before, strict=True) for name in was), "a hospital's state was changed: build the mean in new tensors"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fedavg-buffers", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Buffers: running statistics are averaged as weights are; the counter of batches stays a whole number
def sent_by(mean, batches):
    return {"norm.weight": torch.ones(2), "norm.running_mean": torch.full((2,), mean), "norm.running_var": torch.full((2,), 1 + mean), "norm.num_batches_tracked": torch.tensor(batches)}


answer = average_states([sent_by(0.0, 8), sent_by(1.0, 3)], [30, 10])
assert "norm.running_mean" in answer and "norm.running_var" in answer, "the running statistics of batch norm are missing: they are buffers, and belong to the model as its weights do"
assert "norm.num_batches_tracked" in answer, "the counter num_batches_tracked is missing: without it the state won't load"
assert torch.allclose(torch.as_tensor(answer["norm.running_mean"]).float(), torch.full((2,), 0.25), atol=1e-5), "the running mean should be the weighted mean, 0.25: buffers are averaged as weights are"
assert torch.allclose(torch.as_tensor(answer["norm.running_var"]).float(), torch.full((2,), 1.25), atol=1e-5), "the running variance should be the weighted mean, 1.25"
counter = torch.as_tensor(answer["norm.num_batches_tracked"])
assert not counter.is_floating_point(), f"the counter of batches came back as {counter.dtype}: whole numbers stay whole numbers"
assert counter.item() == 8, f"the counter should be the largest of 8 and 3, not {counter.item()}"
### BEGIN HIDDEN TESTS
answer = average_states([sent_by(2.0, 1), sent_by(4.0, 7), sent_by(0.0, 5)], [1, 1, 2])
counter = torch.as_tensor(answer["norm.num_batches_tracked"])
assert counter.dtype == torch.int64 and counter.item() == 7, "the counter is off for three hospitals: the largest, as int64"
assert torch.allclose(torch.as_tensor(answer["norm.running_mean"]).float(), torch.full((2,), 1.5), atol=1e-5), "the running mean is off for three hospitals"
assert torch.as_tensor(answer["norm.weight"]).is_floating_point(), "weights stay floating-point numbers"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fedavg-dropout", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A hospital without a patient takes no part, even if it sends nan
good, broken = {"w": torch.tensor([2.0, 6.0]), "n": torch.tensor(4)}, {"w": torch.tensor([torch.nan, 1.0]), "n": torch.tensor(99)}
answer = average_states([good, broken, {"w": torch.tensor([4.0, 0.0]), "n": torch.tensor(6)}], [50, 0, 50])
value = torch.as_tensor(answer["w"]).float()
assert not torch.isnan(value).any(), "0 times nan is nan: leave the hospital without patients out before you sum"
assert torch.allclose(value, torch.tensor([3.0, 3.0]), atol=1e-5), f"the hospital without patients should not count at all: expected [3, 3], not {value.tolist()}"
assert torch.as_tensor(answer["n"]).item() == 6, "the counter of a hospital that takes no part should not count either"
### BEGIN HIDDEN TESTS
answer = average_states([broken, good], [0, 7])
assert torch.allclose(torch.as_tensor(answer["w"]).float(), good["w"], atol=1e-6), "one hospital alone gives back its own weights"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fedavg-refuses", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What does not fit is refused, with an error that can be read. (Good input first: who always raises earns nothing.)
assert torch.allclose(torch.as_tensor(average_states([{"w": torch.ones(2)}, {"w": torch.zeros(2)}], [1, 3])["w"]).float(), torch.full((2,), 0.25), atol=1e-5), "two sound hospitals should give their mean"
for what, sent, people in (
    ("no hospital has a patient", [{"w": torch.ones(2)}, {"w": torch.ones(2)}], [0, 0]),
    ("two states and one size", [{"w": torch.ones(2)}, {"w": torch.ones(2)}], [5]),
    ("an entry of another name", [{"w": torch.ones(2)}, {"v": torch.ones(2)}], [5, 5]),
):
    try:
        average_states(sent, people)
    except ValueError:
        continue
    raise AssertionError(f"{what}: raise a ValueError. An average of what does not belong together would go out to every hospital")
### BEGIN HIDDEN TESTS
for what, sent, people in (
    ("no hospital at all", [], []),
    ("a negative number of patients", [{"w": torch.ones(2)}, {"w": torch.ones(2)}], [-1, 5]),
    ("entries of different shape", [{"w": torch.ones(2)}, {"w": torch.ones(1)}], [5, 5]),
    ("an entry more at one hospital", [{"w": torch.ones(2)}, {"w": torch.ones(2), "v": torch.ones(1)}], [5, 5]),
):
    try:
        average_states(sent, people)
    except ValueError:
        continue
    raise AssertionError(f"{what}: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 11.1b - a Dirichlet split by patient
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can make a federation out of one public data set, and say how far its hospitals differ*
#
# Write `dirichlet_split(labels, patients, hospitals, alpha, seed)`. For each class $c$ draw shares $p_c \sim \mathrm{Dirichlet}(\alpha, \ldots, \alpha)$, one number for each hospital, and send the *patients* of the class to the hospitals in these shares (each patient draws a hospital with the probabilities $p_c$, or you cut a shuffled list). All
# images of a patient go together: a child whose two films lie in two hospitals has told one of them about the other. A patient's class is the highest of the labels of their images.
#
# <details><summary>Hint 1: the idea</summary>Work on patients, not on images: list them once, find each one's class, deal them class by class with shares that are drawn anew for each class, and only then look up their images.</details>
# <details><summary>Hint 2: what to call</summary><code>np.random.default_rng(seed)</code>, <code>np.unique(patients)</code>, <code>rng.dirichlet([alpha] * hospitals)</code>, <code>rng.choice(hospitals, size=n, p=shares)</code>, <code>np.isin(patients, mine)</code>.</details>
# <details><summary>All my hospitals have the same share of the disease</summary>The shares must be drawn anew for each class. One draw for all classes makes hospitals of different size and equal mix.</details>

# %% nbgrader={"grade": false, "grade_id": "dirichlet", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dirichlet_split(labels: np.ndarray, patients: np.ndarray, hospitals: int, alpha: float, seed: int) -> list[np.ndarray]:
    """Deal patients to hospitals, class by class, in shares from a Dirichlet distribution.

    Args:
        labels: (N,) whole numbers, the class of each image.
        patients: (N,) who each image shows, numbers or text.
        hospitals: how many, at least 1.
        alpha: each of the Dirichlet distribution's parameters, positive. Small: hospitals differ; large: they are alike.
        seed: of the generator; the same seed gives the same split.

    Returns:
        For each hospital the indices of its images, a whole-number array; some may be empty. Each image lies in exactly one.

    Raises:
        ValueError: alpha is not positive, there is no hospital, or labels and patients differ in length.
    """
    ### BEGIN SOLUTION
    if not alpha > 0 or hospitals < 1 or len(labels) != len(patients):
        raise ValueError("alpha must be positive, there must be a hospital, and each image needs a label and a patient")
    rng = np.random.default_rng(seed)
    names, who = np.unique(patients, return_inverse=True)
    kind = np.array([labels[who == number].max() for number in range(len(names))])
    home = np.zeros(len(names), dtype=int)
    for one in np.unique(kind):
        shares = rng.dirichlet([alpha] * hospitals)
        home[kind == one] = rng.choice(hospitals, size=(kind == one).sum(), p=shares)
    return [np.flatnonzero(home[who] == number) for number in range(hospitals)]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "dirichlet-partition", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Every image lies at exactly one hospital, and the same seed gives the same split
rng = np.random.default_rng(11)
toy_labels, toy_patients = rng.integers(0, 3, 200), np.arange(200)
deal_once = [np.asarray(one) for one in dirichlet_split(toy_labels.copy(), toy_patients.copy(), 4, 0.5, 1)]
assert len(deal_once) == 4, f"4 hospitals were asked for, you return {len(deal_once)}: an empty hospital still has its (empty) place in the list"
together = np.concatenate(deal_once)
assert len(together) >= 200, f"{200 - len(together)} images lie nowhere: each must lie at one hospital"
assert sorted(together.tolist()) == list(range(200)), "each image must lie at exactly one hospital, none twice"
again = [np.asarray(one) for one in dirichlet_split(toy_labels.copy(), toy_patients.copy(), 4, 0.5, 1)]
assert all(sorted(a.tolist()) == sorted(b.tolist()) for a, b in zip(deal_once, again, strict=True)), "the same seed should give the same split: use a generator of your own, np.random.default_rng(seed)"
### BEGIN HIDDEN TESTS
other = [np.asarray(one) for one in dirichlet_split(toy_labels, toy_patients, 4, 0.5, 2)]
assert any(sorted(a.tolist()) != sorted(b.tolist()) for a, b in zip(deal_once, other, strict=True)), "another seed should give another split"
for sites in (1, 7):
    split = [np.asarray(one) for one in dirichlet_split(toy_labels, toy_patients, sites, 0.1, 5)]
    assert len(split) == sites and sorted(np.concatenate(split).tolist()) == list(range(200)), f"with {sites} hospitals images are lost or doubled"
for wrong in ((toy_labels, toy_patients, 4, 0.0, 1), (toy_labels, toy_patients, 0, 0.5, 1), (toy_labels[:-1], toy_patients, 4, 0.5, 1)):
    try:
        dirichlet_split(*wrong)
    except ValueError:
        continue
    raise AssertionError("alpha of 0, no hospital, or labels and patients of unequal length must raise a ValueError")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "dirichlet-patients", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# All images of a patient lie at one hospital
rng = np.random.default_rng(12)
toy_patients = rng.permutation(np.repeat(np.arange(60), 3))
toy_labels = (toy_patients % 2).astype(int)
split = [np.asarray(one) for one in dirichlet_split(toy_labels.copy(), toy_patients.copy(), 5, 1.0, 3)]
assert sorted(np.concatenate(split).tolist()) == list(range(180)), "each image must lie at exactly one hospital"
homes = [{int(p) for p in toy_patients[one]} for one in split]
torn = sum(sum(p in home for home in homes) > 1 for p in range(60))
assert torn == 0, f"{torn} of 60 patients have images at more than one hospital: deal patients, not images"
### BEGIN HIDDEN TESTS
named = np.array([f"P{p:03d}" for p in toy_patients])  # names are text, and images of one patient may differ in label
mixed = np.where(rng.random(180) < 0.3, 1, 0)
split = [np.asarray(one) for one in dirichlet_split(mixed, named, 4, 0.3, 4)]
assert all(np.issubdtype(one.dtype, np.integer) for one in split), "indices are whole numbers, those of an empty hospital too: np.array([]) holds floats, so say dtype=int"
assert sorted(np.concatenate(split).tolist()) == list(range(180)), "with names as text images are lost or doubled: each image must lie at exactly one hospital"
homes = [set(named[one].tolist()) for one in split]
assert all(sum(p in home for home in homes) == 1 for p in set(named.tolist())), "a patient whose images differ in label lies at two hospitals: a patient's class is the highest of their labels"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "dirichlet-large-alpha", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The limits: with a huge alpha all hospitals are alike; and a small alpha makes hospitals differ in their MIX of classes, not only in size
toy_labels, toy_patients = np.repeat([0, 1], [600, 600]), np.arange(1200)
alike = [np.asarray(one) for one in dirichlet_split(toy_labels.copy(), toy_patients.copy(), 4, 1e5, 0)]
counts = np.array([[(toy_labels[one] == c).sum() for c in (0, 1)] for one in alike])
assert counts.sum() == 1200, "each image must lie at exactly one hospital"
assert (abs(counts - 150) < 60).all(), f"with alpha = 100000 each of 4 hospitals should get about 150 of the 600 of each class, not {counts.tolist()}"
apart = []  # how far a hospital's mix is from one half, hospitals counting by their images
for seed in range(8):
    split = [np.asarray(one) for one in dirichlet_split(toy_labels.copy(), toy_patients.copy(), 4, 0.05, seed)]
    apart.append(sum(len(one) * abs(toy_labels[one].mean() - 0.5) for one in split if len(one)) / 1200)
assert np.mean(apart) > 0.1, "with alpha = 0.05 all your hospitals have about the same mix of classes: draw the shares anew for each class"
### BEGIN HIDDEN TESTS
assert np.mean(apart) > 0.25, "with alpha = 0.05 most images should lie at hospitals that see nearly one class only"
toy_patients, toy_labels, split_classes = np.repeat(np.arange(60), 2), np.zeros(120, dtype=int), 0
toy_labels[np.r_[0:30] * 2 + np.arange(30) % 2] = 1  # half of the patients have a 0 and a 1, in either order; the others two zeros
for seed in range(20):  # with a tiny alpha nearly a whole class lies at one of 20 hospitals, and two classes seldom at the same one
    split = [np.asarray(one, dtype=int) for one in dirichlet_split(toy_labels.copy(), toy_patients.copy(), 20, 0.002, seed)]
    sick = np.array([len({p for p in toy_patients[one].tolist() if p < 30}) for one in split])
    well = np.array([len({p for p in toy_patients[one].tolist() if p >= 30}) for one in split])
    split_classes += np.abs(sick - well).sum() / 60
assert split_classes / 20 > 0.6, "a patient with a 0 and a 1 was not dealt as a 1: a patient's class is the highest of their labels, not the first and not the lowest"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "dirichlet-spread", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# How far shares spread: the variance of a Dirichlet share is (1/K)(1 - 1/K) / (K alpha + 1). With alpha = 0.5 and K = 4 that is 0.0625
def spread_of(alpha, seeds):
    held = np.repeat([0, 1, 2], 300)
    found = []
    for seed in seeds:
        split = [np.asarray(one) for one in dirichlet_split(held.copy(), np.arange(900), 4, alpha, seed)]
        found.append([[(held[one] == c).sum() / 300 for one in split] for c in range(3)])
    return ((np.array(found) - 0.25) ** 2).mean()


measured = spread_of(0.5, range(40))
assert not 0.09 < measured < 0.16, f"the variance of your shares is {measured:.3f}, as for alpha / K: each of the K parameters is alpha, they don't share it"
assert not measured < 0.035, f"the variance of your shares is {measured:.3f}, where 0.0625 is expected: your hospitals are too much alike"
assert 0.045 < measured < 0.085, f"the variance of your shares is {measured:.3f}, where about 0.0625 is expected"
### BEGIN HIDDEN TESTS
measured = spread_of(2.0, range(50, 80))  # 0.1875 / 9 = 0.0208, and the draw of 300 patients adds 0.0006
assert 0.014 < measured < 0.029, f"with alpha = 2 the variance of your shares is {measured:.4f}, where about 0.021 is expected"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 11.1c - bytes over the network
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can tell an IT department what a federation will send, before it starts*
#
# Write `bytes_sent(state, invited, returned, stays)`. In each round the server sends the state to every hospital that it **invites**; a hospital that finishes in time **returns** a state of the same size. A straggler has downloaded and never returns. Entries whose name begins with one of the words in `stays` never leave their
# hospital, in either direction. Each entry costs its number of elements times the bytes of *its own* type: 4 for float32, 2 for float16, 8 for int64.
#
# <details><summary>Hint 1: the idea</summary>First the bytes of one message. Then count the messages: all invitations of all rounds, and all returns.</details>
# <details><summary>Hint 2: what to call</summary><code>tensor.numel()</code>, <code>tensor.element_size()</code>, <code>name.startswith(tuple(stays))</code>.</details>
# <details><summary>I get half of what is expected</summary>The state goes there and comes back.</details>

# %% nbgrader={"grade": false, "grade_id": "traffic", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bytes_sent(state: dict[str, torch.Tensor], invited: list[int], returned: list[int], stays: list[str]) -> int:
    """Bytes that a federated training sends over the network, without protocol overhead.

    Args:
        state: name -> tensor, what one message holds.
        invited: for each round the number of hospitals that the server sends the state to.
        returned: for each round the number of hospitals that send theirs back; at most as many as invited.
        stays: beginnings of names that never leave a hospital; an empty list if everything travels.

    Returns:
        Bytes in all rounds and both directions, a whole number.

    Raises:
        ValueError: the lists differ in length, or in some round more hospitals return than were invited, or fewer than 0.
    """
    ### BEGIN SOLUTION
    if len(invited) != len(returned) or any(not 0 <= back <= out for out, back in zip(invited, returned, strict=True)):
        raise ValueError("in each round at least 0 and at most the invited hospitals return")
    message = sum(value.numel() * value.element_size() for name, value in state.items() if not name.startswith(tuple(stays)))
    return message * (sum(invited) + sum(returned))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "traffic-message", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One round, one hospital, everything back: twice the bytes of a message, each entry with its own type
toy_state = {"conv.weight": torch.zeros(10, 5), "conv.count": torch.zeros(3, dtype=torch.int64), "head.weight": torch.zeros(7, dtype=torch.float16)}
value = bytes_sent(toy_state, [1], [1], [])
assert value != 4 * 60 * 2, "not every number takes 4 bytes: float16 takes 2, int64 takes 8. Ask each tensor"
assert value != 238, "the state goes there and comes back: count both directions"
assert value == 476, f"50 x 4 + 3 x 8 + 7 x 2 = 238 bytes, there and back 476; you have {value}"
### BEGIN HIDDEN TESTS
assert bytes_sent({"a": torch.zeros(3, 4, 5, dtype=torch.float64)}, [1], [1], []) == 960, "60 numbers of float64, there and back, are 960 bytes"
assert bytes_sent({"a": torch.zeros(()), "b": torch.zeros(2, dtype=torch.uint8)}, [1], [1], []) == 12, "a tensor without axes still holds one number"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "traffic-stragglers", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Several rounds; a straggler has downloaded, but returns nothing
toy_state = {"w": torch.zeros(25)}
value = bytes_sent(toy_state, [4, 4, 3], [4, 2, 3], [])
assert value != 100 * 22, "you count the invited twice: a straggler downloads, but sends nothing back"
assert value != 100 * 18, "you count the returned twice: a straggler, too, was sent the state"
assert value == 100 * 20, f"11 messages out and 9 back, 100 bytes each, are 2000 bytes, not {value}"
for wrong_out, wrong_back in (([3], [4]), ([3, 3], [3])):
    try:
        bytes_sent(toy_state, wrong_out, wrong_back, [])
    except ValueError:
        continue
    raise AssertionError("more hospitals return than were invited, or a round is missing: raise a ValueError")
### BEGIN HIDDEN TESTS
assert bytes_sent(toy_state, [5] * 30, [0] * 30, []) == 15000, "when nobody returns, the downloads still cost"
assert bytes_sent(toy_state, [], [], []) == 0, "no round costs nothing"
for wrong_out, wrong_back in (([3], [-1]), ([3, 4], [4, 2])):
    try:
        bytes_sent(toy_state, wrong_out, wrong_back, [])
    except ValueError:
        continue
    raise AssertionError("a negative number of hospitals, or in ONE round more returns than invitations, must raise a ValueError: look at each round, not at the totals")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "traffic-stays", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What stays at home costs nothing, in neither direction
toy_state = {"conv.weight": torch.zeros(8), "norm1.weight": torch.zeros(100), "norm1.running_mean": torch.zeros(100), "head.norm_scale": torch.zeros(2)}
value = bytes_sent(toy_state, [2], [1], ["norm1."])
assert value != 840 * 3, "entries that stay at home are not sent at all: take them out of the message"
assert value != 8 * 4 * 3, "'head.norm_scale' does not begin with 'norm1.': it travels. Compare the beginning of the name, not any part"
assert value == 120, f"10 numbers of 4 bytes travel, three times: 120 bytes, not {value}"
### BEGIN HIDDEN TESTS
assert bytes_sent(toy_state, [2], [2], ["norm1.", "head."]) == 128, "several beginnings can stay at home"
assert bytes_sent(toy_state, [2], [2], ["norm"]) == 160, "'norm' is the beginning of two names here, not of 'head.norm_scale'"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 11.1d - a step of FedProx
#
# Difficulty 3 of 5 - 3 points - about 15 minutes - *after it you can hold a hospital near the common model, and say what the leash costs*
#
# Write `proximal_step(weights, gradients, start, mu, rate)`: one step of gradient descent on
#
# $$\mathcal L_k(w) + \frac{\mu}{2} \lVert w - w^t \rVert^2$$
#
# where $w^t$ (`start`) is what the server sent at the beginning of the round, and `gradients` is that of $\mathcal L_k$ alone. The pull is towards $w^t$, not towards 0 (that would be weight decay) and not towards the last step.
#
# <details><summary>Hint 1: the idea</summary>Differentiate the second term by hand. It is a vector that is 0 when the hospital hasn't moved yet.</details>
# <details><summary>Hint 2: what to call</summary>A list comprehension over <code>zip(weights, gradients, start)</code>. Make new tensors; <code>-=</code> would change the caller's.</details>
# <details><summary>My weights run away from start</summary>A step goes against the gradient: subtract the pull together with the gradient.</details>

# %% nbgrader={"grade": false, "grade_id": "fedprox", "locked": false, "schema_version": 3, "solution": true, "task": false}
def proximal_step(weights: list[torch.Tensor], gradients: list[torch.Tensor], start: list[torch.Tensor], mu: float, rate: float) -> list[torch.Tensor]:
    """One step of gradient descent on a hospital's loss with FedProx's term.

    Args:
        weights: the hospital's present weights, any shapes; not changed.
        gradients: of its own loss without the term, of the same shapes.
        start: the weights that the server sent at the beginning of this round, of the same shapes.
        mu: strength of the term, at least 0.
        rate: the learning rate, positive.

    Returns:
        New weights, of the same shapes.

    Raises:
        ValueError: mu is negative.
    """
    ### BEGIN SOLUTION
    if mu < 0:
        raise ValueError(f"mu must be at least 0, not {mu}: a negative one pushes hospitals apart")
    return [w - rate * (g + mu * (w - s)) for w, g, s in zip(weights, gradients, start, strict=True)]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "fedprox-plain", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# mu = 0 is plain gradient descent; and where the hospital has not moved yet, the term pulls nowhere
toy_w, toy_g, toy_s = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])], [torch.tensor([0.5, -1.0]), torch.tensor([[2.0]])], [torch.zeros(2), torch.ones(1, 1)]
plain = [torch.as_tensor(w) for w in proximal_step(toy_w, toy_g, toy_s, 0.0, 0.1)]
assert toy_w[0].tolist() == [1.0, 2.0] and toy_s[0].tolist() == [0.0, 0.0], "you changed the tensors that you were given: make new ones, `w - ...` and not `w -= ...`"
assert [tuple(w.shape) for w in plain] == [(2,), (1, 1)], f"weights keep their shapes, (2,) and (1, 1), not {[tuple(w.shape) for w in plain]}"
assert torch.allclose(plain[0], torch.tensor([0.95, 2.1]), atol=1e-6), f"with mu = 0 this is plain gradient descent: [1 - 0.1 x 0.5, 2 + 0.1 x 1] = [0.95, 2.1], not {plain[0].tolist()}"
unmoved = [torch.as_tensor(w) for w in proximal_step(toy_w, toy_g, toy_w, 5.0, 0.1)]
assert torch.allclose(unmoved[0], torch.tensor([0.95, 2.1]), atol=1e-6), "at the start of a round w equals what the server sent, so the term's gradient is 0: is yours a pull towards 0 (weight decay)?"
try:
    proximal_step(toy_w, toy_g, toy_s, -0.1, 0.1)
except ValueError:
    pass
else:
    raise AssertionError("a negative mu pushes hospitals apart: raise a ValueError")
### BEGIN HIDDEN TESTS
gen = torch.Generator().manual_seed(5)
some_w, some_g = [torch.randn(3, 4, generator=gen) for _ in range(2)], [torch.randn(3, 4, generator=gen) for _ in range(2)]
got = [torch.as_tensor(w) for w in proximal_step(some_w, some_g, some_w, 3.0, 0.01)]
assert all(torch.allclose(a, w - 0.01 * g, atol=1e-6) for a, w, g in zip(got, some_w, some_g, strict=True)), "an unmoved hospital should take a plain step"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fedprox-pull", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Without a gradient of its own, a hospital is pulled back towards what the server sent: the distance shrinks by the factor 1 - rate x mu
toy_w, toy_s, still = [torch.tensor([4.0, -2.0])], [torch.tensor([1.0, 1.0])], [torch.zeros(2)]
value = torch.as_tensor(proximal_step(toy_w, still, toy_s, 0.5, 0.2)[0])
assert not torch.allclose(value, torch.tensor([4.3, -2.3]), atol=1e-5), "your term pushes away from start: a step goes against the gradient, so subtract it"
assert not torch.allclose(value, torch.tensor([3.4, -1.4]), atol=1e-5), "the term pulls twice as hard as it should: the derivative of mu/2 (w - start)^2 is mu (w - start)"
assert not torch.allclose(value, torch.tensor([3.85, -1.85]), atol=1e-5), "the term pulls half as hard as it should: the 2 of the square cancels the 1/2"
assert not torch.allclose(value, torch.tensor([2.5, -0.5]), atol=1e-5), "the term, too, is multiplied by the learning rate"
assert torch.allclose(value, torch.tensor([3.7, -1.7]), atol=1e-5), f"expected start + 0.9 x (w - start) = [3.7, -1.7], not {value.tolist()}"
### BEGIN HIDDEN TESTS
gen = torch.Generator().manual_seed(6)
for mu, rate in ((0.01, 0.1), (2.0, 0.05)):
    some_w, some_s = torch.randn(5, generator=gen), torch.randn(5, generator=gen)
    value = torch.as_tensor(proximal_step([some_w], [torch.zeros(5)], [some_s], mu, rate)[0])
    assert torch.allclose(value, some_s + (1 - rate * mu) * (some_w - some_s), atol=1e-5), f"the pull is off for mu = {mu}, rate = {rate}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fedprox-compromise", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Many steps: a hospital whose own loss is (w - 10)^2 / 2 ends between its own minimum and what the server sent, at (10 + mu start) / (1 + mu)
begun, leashed = torch.tensor([2.0]), torch.tensor([2.0])
for _ in range(60):
    leashed = torch.as_tensor(proximal_step([leashed.clone()], [leashed - 10], [begun.clone()], 3.0, 0.15)[0])
assert not torch.allclose(leashed, torch.tensor([10.0]), atol=0.05), "the hospital ran all the way to its own minimum: the pull must be towards `start`, the beginning of the round"
assert not torch.allclose(leashed, torch.tensor([2.5]), atol=0.01), "the pull goes towards 0, not towards what the server sent"
assert torch.allclose(leashed, torch.tensor([4.0]), atol=0.01), f"after many steps the hospital should rest at (10 + 3 x 2) / 4 = 4, not at {leashed.item():.3f}"
### BEGIN HIDDEN TESTS
begun, leashed = torch.tensor([-4.0]), torch.tensor([-4.0])
for _ in range(80):
    leashed = torch.as_tensor(proximal_step([leashed.clone()], [leashed - 1], [begun.clone()], 1.0, 0.2)[0])
assert torch.allclose(leashed, torch.tensor([-1.5]), atol=0.01), "the resting point is off for another hospital"
### END HIDDEN TESTS

# %% [markdown]
# ### What FedAvg leaves open
#
# - **Running variances.** FedAvg averages batch norm's running variances as they are. The variance of all patients has a second part, between the hospitals (exercise 11.2b), which no average of variances holds. If scanners differ much, keep batch norm at home (FedBN, section 11.3) or use group norm.
# - **Who counts how much?** By patients, the large hospital sets the model. By hospitals, ten patients count as much as a thousand. Neither is right by itself; ask for whom the model is made.
# - **Weights are not harmless.** They come from patients, and tell of them (section 11.5).
#
# **Checkpoint.** Five hospitals with one local step a round reach the same AUC as with sixteen, with sixteen times the bytes. When would you still choose one step?
#
# <details><summary>Answer</summary>When hospitals are so different that sixteen steps drift apart: with one full-batch step FedAvg is gradient descent on all patients, whatever the split. Also if gradients are to be protected by masks or noise in every round, it matters how often that is paid. Otherwise take more steps, and watch the AUC of a validation part
# at <em>each</em> hospital, not only the mean.</details>

# %% [markdown]
# ## 11.2 Federated learning for predicting clinical outcomes
#
# In 2020 twenty hospitals on four continents trained one model in two weeks: **EXAM** (Dayan and others, 2021) takes a chest film, vital signs and laboratory values of a patient in an emergency department, and predicts the oxygen that this patient will need in 24 and 72 hours. The authors report an average AUC above 0.92, 16 % better on average than the sites' own models, and a
# generalisability 38 % higher than that of models from one site. No patient left a hospital.
#
# What should such a study show? Four numbers for each hospital, on the same test patients:
#
# | model | trained on | what the comparison says |
# |---|---|---|
# | local | this hospital's own patients | *federated minus local*: what joining brings to this hospital |
# | central | all hospitals' patients in one place | *central minus federated*: what it costs to leave data at home |
# | federated | all hospitals, by FedAvg | |
# | unseen | the *other* hospitals only | how the next hospital will fare, which joins nothing and only buys |

# %% [markdown]
# ### Exercise 11.2a - should this hospital join?
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can answer a hospital's first question with an interval*
#
# A hospital has its own model and the federation's, and scores its own test patients with both. Write `gain_of_joining(labels, own, federated, draws, seed)`: the AUC of the federated scores minus that of its own, with a 95 % bootstrap interval over **patients**. Both models judged the *same* patients, so each draw takes the same patients for both.
# Some draws of a small hospital hold no healthy, or no sick, patient: draw those again.
#
# <details><summary>Hint 1: the idea</summary>Draw row numbers once, and use them for the labels and for both scores. What both models find hard cancels in the difference.</details>
# <details><summary>Hint 2: what to call</summary><code>rng.integers(len(labels), size=len(labels))</code>, <code>sklearn.metrics.roc_auc_score</code>, <code>np.quantile(gains, [0.025, 0.975])</code>; a <code>while</code> loop until you have enough draws.</details>
# <details><summary>My interval is wide even where both models say the same</summary>Then you drew patients for each model apart.</details>

# %% nbgrader={"grade": false, "grade_id": "gain", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gain_of_joining(labels: np.ndarray, own: np.ndarray, federated: np.ndarray, draws: int, seed: int) -> tuple[float, float, float]:
    """What a federation brings to one hospital, on its own test patients.

    Args:
        labels: (N,) 0 or 1, one a patient.
        own, federated: (N,) scores of the two models on these patients, higher is more likely 1.
        draws: bootstrap draws that hold both classes, at least 1.
        seed: of the generator.

    Returns:
        AUC(federated) - AUC(own), and the 2.5 and 97.5 % quantiles of that difference over draws of patients.

    Raises:
        ValueError: only one class is there, or the three differ in length.
    """
    ### BEGIN SOLUTION
    labels, own, federated = np.asarray(labels), np.asarray(own), np.asarray(federated)
    if not len(labels) == len(own) == len(federated) or len(np.unique(labels)) < 2:
        raise ValueError("labels and scores must be of one length, and both classes must be there")
    rng, gains = np.random.default_rng(seed), []
    sick, well = labels == 1, labels == 0
    wins = [(s[sick][:, None] > s[well]) + 0.5 * (s[sick][:, None] == s[well]) for s in (own, federated)]
    gap = wins[1] - wins[0]  # of each pair of a sick and a healthy patient; an AUC is the mean over pairs
    while len(gains) < draws:
        times = np.bincount(rng.integers(len(labels), size=len(labels)), minlength=len(labels))  # how often each patient is drawn
        if times[sick].any() and times[well].any():
            gains.append(times[sick] @ gap @ times[well] / (times[sick].sum() * times[well].sum()))
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(gap.mean()), float(low), float(high)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "gain-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The gain on all patients: what joining adds, so federated minus own
toy_labels = np.array([0, 0, 0, 1, 1, 1])
toy_own, toy_fed = np.array([1.0, 5.0, 2.0, 3.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])  # AUC 7/9 and 1
answer = gain_of_joining(toy_labels, toy_own, toy_fed, 20, 0)
assert len(answer) == 3, "return three numbers: the gain and the two ends of its interval"
value = float(answer[0])
assert not np.isclose(value, -2 / 9), "the sign is turned: the gain of joining is federated minus own"
assert np.isclose(value, 2 / 9), f"the AUC rises from 7/9 to 1, a gain of {2 / 9:.4f} on all six patients; you have {value:.4f}. (Not the mean of the draws)"
### BEGIN HIDDEN TESTS
def area(truth, scores):
    gap = scores[truth == 1][:, None] - scores[truth == 0]
    return (gap > 0).mean() + 0.5 * (gap == 0).mean()


rng = np.random.default_rng(41)
for n in (40, 90):
    some_labels = (np.arange(n) % 3 == 0).astype(int)
    some_own, some_fed = some_labels + rng.normal(0, 1.5, n), some_labels + rng.normal(0, 1, n).round(1)
    value = float(gain_of_joining(some_labels, some_own, some_fed, 3, 1)[0])
    assert np.isclose(value, area(some_labels, some_fed) - area(some_labels, some_own)), "the gain is off on other patients"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gain-paired", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Pairing: a model against itself gains exactly nothing, whoever is drawn
rng = np.random.default_rng(42)
toy_labels, noise = (np.arange(60) % 2).astype(int), rng.normal(0, 1, 60)
toy_own = toy_labels + noise
value, low, high = (float(number) for number in gain_of_joining(toy_labels.copy(), toy_own.copy(), 2 * toy_own + 1, 15, 3))
assert np.isclose(value, 0), "scores that only change their scale rank patients alike: the gain is 0"
assert abs(low) < 1e-9 and abs(high) < 1e-9, f"your interval [{low:.3f}, {high:.3f}] should be [0, 0]: both models rank all patients alike, so every draw of the SAME patients gives 0. Did you draw for each model apart?"
value, low, high = (float(number) for number in gain_of_joining(toy_labels.copy(), toy_own.copy(), 1.5 * toy_labels + noise, 40, 3))
assert low > -0.05 and high > low, f"two scores that share their noise: the interval [{low:.3f}, {high:.3f}] should be narrow, and not of length 0"
### BEGIN HIDDEN TESTS
value, low, high = (float(number) for number in gain_of_joining(toy_labels, toy_own, np.exp(toy_own), 10, 4))
assert abs(low) < 1e-9 and abs(high) < 1e-9, "a monotone change of scores gains nothing, in every draw"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gain-interval", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The interval: 2.5 to 97.5 % of draws with replacement, each of as many patients as there are
def interval_of(truth, one, two, draws):
    rng, found = np.random.default_rng(99), []
    while len(found) < draws:
        rows = rng.integers(len(truth), size=len(truth))
        t = truth[rows]
        if 0 < t.sum() < len(t):
            wins = [((s[rows][t == 1][:, None] > s[rows][t == 0]).mean() + 0.5 * (s[rows][t == 1][:, None] == s[rows][t == 0]).mean()) for s in (one, two)]
            found.append(wins[1] - wins[0])
    return np.quantile(found, [0.025, 0.975])


rng = np.random.default_rng(43)
toy_labels = (np.arange(120) % 2).astype(int)
toy_own, toy_fed = toy_labels + rng.normal(0, 1.3, 120), toy_labels + rng.normal(0, 1.0, 120)
value, low, high = (float(number) for number in gain_of_joining(toy_labels.copy(), toy_own.copy(), toy_fed.copy(), 160, 5))
below, above = interval_of(toy_labels, toy_own, toy_fed, 1000)
ratio = (high - low) / (above - below)
assert ratio > 0.3, f"your interval is {ratio:.0%} as long as it should be: is it one of the mean, or were patients drawn without replacement?"
assert ratio > 0.72 or ratio < 0.3, f"your interval is {ratio:.0%} as long as it should be: 95 %, from the 2.5 to the 97.5 % quantile"
assert ratio < 1.3, f"your interval is {ratio:.0%} as long as it should be: 95 %, with as many patients in a draw as there are"
assert abs(low - below) < 0.07 and abs(high - above) < 0.07, f"the interval should be about [{below:.3f}, {above:.3f}], not [{low:.3f}, {high:.3f}]"
### BEGIN HIDDEN TESTS
again = [[float(number) for number in gain_of_joining(toy_labels, toy_own, toy_fed, 10, 5)] for _ in range(2)]
assert np.allclose(again[0], again[1]), "the same seed should give the same interval"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gain-small", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A small hospital: two sick patients of twelve. About one draw in nine holds none of them, and has no AUC
toy_labels = np.array([1, 1] + [0] * 10)
toy_own, toy_fed = np.array([0.9, 0.4, *np.linspace(0, 0.8, 10)]), np.array([0.9, 0.7, *np.linspace(0, 0.8, 10)])
answer = [float(number) for number in gain_of_joining(toy_labels.copy(), toy_own.copy(), toy_fed.copy(), 60, 6)]
assert not np.isnan(answer).any(), "a draw without sick patients has no AUC: draw again instead of keeping a nan"
assert np.isclose(answer[0], 0.15), f"the second sick patient passes three more of ten healthy ones: 0.15, not {answer[0]:.3f}"
assert answer[1] > -1e-9, f"no patient does worse in the federation, so no draw has a negative gain; your interval begins at {answer[1]:.3f}"
try:
    gain_of_joining(np.zeros(5, dtype=int), np.arange(5.0), np.arange(5.0), 10, 0)
except ValueError:
    pass
else:
    raise AssertionError("a hospital with one class only has no AUC: raise a ValueError")
### BEGIN HIDDEN TESTS
for wrong in ((np.array([0, 1, 1]), np.arange(3.0), np.arange(2.0)), (np.ones(4, dtype=int), np.arange(4.0), np.arange(4.0))):
    try:
        gain_of_joining(*wrong, 10, 0)
    except ValueError:
        continue
    raise AssertionError("one class only, or scores of another length, must raise a ValueError")
answer = [float(number) for number in gain_of_joining(np.array([0, 1, 1, 1]), np.array([0.5, 0.1, 0.6, 0.7]), np.array([0.5, 0.6, 0.7, 0.8]), 20, 2)]
assert np.isfinite(answer).all() and answer[1] <= answer[0] + 1e-9 <= answer[2] + 1e-6, "four patients: the interval should still be finite, and hold the gain"
### END HIDDEN TESTS

# %% [markdown]
# ### Four real hospitals
#
# Between 1981 and 1987 four centres sent patients to coronary angiography, and wrote down the same 13 features (Detrano and others, 1989): Cleveland, Budapest (in the table `hungary`), Zurich with Basel (`switzerland`) and Long Beach (`va`). The target is disease: a vessel narrowed by more than half. Here nobody had to make the hospitals different. Long Beach is a veterans' hospital, nearly all men.
# Switzerland wrote 0 for each cholesterol (that is: missing), and nine of ten of its patients are sick.
#
# **Predict before you run.** Which hospital gains most from the other three? For which can no study of this size say anything?

# %% tags=["demo"]
hearts = data.load("heart_disease", profile=run.profile)
patients = hearts.table.copy()
patients["sick"] = (patients.target > 0).astype(int)
for name in ("chol", "trestbps"):
    patients.loc[patients[name] == 0, name] = np.nan  # no living patient has 0; it stands for missing
for name, code in (("cp", 4), ("cp", 2), ("restecg", 1), ("restecg", 2), ("slope", 2), ("slope", 3), ("thal", 6), ("thal", 7)):
    patients[f"{name} is {code}"] = (patients[name] == code).astype(float).where(patients[name].notna())  # codes are names, not amounts
FEATURES = [c for c in patients if c not in ("cp", "restecg", "slope", "thal", "target", "site", "sick")]
X, sick, place = patients[FEATURES].to_numpy(float), patients.sick.to_numpy(), patients.site.to_numpy()
SITES = sorted(set(place))
pd.DataFrame({
    "patients": {s: (place == s).sum() for s in SITES}, "sick, %": {s: 100 * sick[place == s].mean() for s in SITES},
    "age": {s: patients.age[place == s].mean() for s in SITES}, "men, %": {s: 100 * patients.sex[place == s].mean() for s in SITES},
    **{f"{c} missing, %": {s: 100 * patients[c][place == s].isna().mean() for s in SITES} for c in ("chol", "ca", "thal", "oldpeak")},
}).round(0).astype(int)

# %% [markdown]
# The model is a logistic regression on standardised features; a missing value becomes 0, the mean. Standardising needs the mean and the standard deviation of *all* training patients. Each hospital sends three sums a feature for it, and no patient. (We leave out the usual flags "this value is missing". They would tell the hospital, and with it the prevalence.)
#
# FedAvg on it: each hospital takes ten steps of full-batch gradient descent, forty rounds long, all with the same small L2 term. Everything is fixed beforehand. Each hospital is cut into five folds, stratified by disease; each patient is scored by models that never saw them.

# %% tags=["demo"]
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

RIDGE = 0.01  # L2, a patient


def common_scale(tables: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (F,) over hospitals; each sends three sums a feature: of ones, values and squares."""
    sent = [((~np.isnan(table)).sum(0), np.nansum(table, 0), np.nansum(table**2, 0)) for table in tables]
    n, total, squares = (np.sum(part, axis=0) for part in zip(*sent, strict=True))
    mean = total / np.maximum(n, 1)
    spread = np.sqrt(np.maximum(squares / np.maximum(n, 1) - mean**2, 0))
    return mean, np.where(spread > 1e-9, spread, 1)


def design(scale: tuple[np.ndarray, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """(n, F + 1) standardised, missing as 0, and a column of ones."""
    return np.c_[np.nan_to_num((X[rows] - scale[0]) / scale[1]), np.ones(len(rows))]


def fed_logistic(groups: list[np.ndarray], scale: tuple, rounds: int = 40, steps: int = 10, lr: float = 0.3) -> np.ndarray:
    """Coefficients (F + 1,) by FedAvg; groups are the row numbers of each hospital."""
    tables, beta = [(design(scale, rows), sick[rows]) for rows in groups], np.zeros(X.shape[1] + 1)
    shares = np.array([len(rows) for rows in groups]) / sum(len(rows) for rows in groups)
    for _ in range(rounds):
        local = np.tile(beta, (len(groups), 1))
        for k, (table, y) in enumerate(tables):
            for _ in range(steps):
                p = 1 / (1 + np.exp(-table @ local[k]))
                local[k] -= lr * (table.T @ (p - y) / len(y) + RIDGE * np.r_[local[k, :-1], 0])
        beta = shares @ local
    return beta


def pooled_logistic(rows: np.ndarray, scale: tuple) -> np.ndarray:
    """The same loss on one table, by scikit-learn."""
    fitted = LogisticRegression(C=1 / (RIDGE * len(rows)), max_iter=1000).fit(design(scale, rows)[:, :-1], sick[rows])
    return np.r_[fitted.coef_[0], fitted.intercept_]


every = [np.flatnonzero(place == s) for s in SITES]
scale = common_scale([X[rows] for rows in every])
central = pooled_logistic(np.arange(len(X)), scale)
for steps in (1, 10, 50):
    print(f"{steps:2d} steps a round, 400 steps in all: largest distance of a coefficient from the central solution {abs(fed_logistic(every, scale, 400 // steps, steps) - central).max():.3f}")

# %% [markdown]
# With one step a round FedAvg *is* gradient descent on all patients, and arrives. With fifty it stops beside the solution, however long it runs: that distance is client drift, on a problem where the answer is known.

# %% tags=["demo"]
fold = np.zeros(len(X), dtype=int)
for s in SITES:
    rows = np.flatnonzero(place == s)
    for number, (_, held_out) in enumerate(StratifiedKFold(5, shuffle=True, random_state=SEED).split(rows, sick[rows])):
        fold[rows[held_out]] = number
score = {name: np.zeros(len(X)) for name in ("local", "central", "federated", "unseen")}
for number in range(5):
    groups = {s: np.flatnonzero((place == s) & (fold != number)) for s in SITES}
    scale = common_scale([X[rows] for rows in groups.values()])
    beta = {"central": pooled_logistic(np.concatenate(list(groups.values())), scale), "federated": fed_logistic(list(groups.values()), scale)}
    for s in SITES:
        rows = np.flatnonzero((place == s) & (fold == number))
        own_scale, others = common_scale([X[groups[s]]]), [groups[o] for o in SITES if o != s]
        other_scale = common_scale([X[g] for g in others])
        score["local"][rows] = design(own_scale, rows) @ pooled_logistic(groups[s], own_scale)
        score["unseen"][rows] = design(other_scale, rows) @ fed_logistic(others, other_scale)
        for name in ("central", "federated"):
            score[name][rows] = design(scale, rows) @ beta[name]
score["age alone"] = patients.age.to_numpy()


def paired_interval(one: np.ndarray, two: np.ndarray, labels: np.ndarray, draws: int = 1000) -> tuple[float, float, float]:
    """AUC(two) - AUC(one) on the same patients, and its 95 % bootstrap interval; sick and healthy are drawn apart."""
    wins = [(s[labels == 1][:, None] > s[labels == 0]) + 0.5 * (s[labels == 1][:, None] == s[labels == 0]) for s in (one, two)]
    gap, rng = wins[1] - wins[0], np.random.default_rng(0)
    again = [gap[rng.integers(gap.shape[0], size=gap.shape[0])][:, rng.integers(gap.shape[1], size=gap.shape[1])].mean() for _ in range(draws)]
    return gap.mean(), *np.quantile(again, [0.025, 0.975])

# %% tags=["demo"]
heart_auc = {(s, name): auc_interval(score[name][place == s], sick[place == s]) for s in SITES for name in ("age alone", "local", "federated", "central", "unseen")}
joins = {s: paired_interval(score["local"][place == s], score["federated"][place == s], sick[place == s]) for s in SITES}
fig, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
for number, name in enumerate(("age alone", "local", "federated", "central", "unseen")):
    mid, low, high = np.array([heart_auc[s, name] for s in SITES]).T
    spot = np.arange(4) + 0.15 * (number - 2)
    ax.errorbar(mid, spot, xerr=[mid - low, high - mid], fmt="xso^D"[number], color=["0.5", *show.PALETTE[1:]][number], markersize=5, label=name)
ax.set(yticks=range(4), yticklabels=[f"{s}\n{(place == s).sum()} patients, {(sick[place == s] == 0).sum()} healthy" for s in SITES], xlabel="AUC on patients that the model has not seen, 95 % interval")
ax.axvline(0.5, color="0.8", zorder=0)
ax.invert_yaxis()
ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
show.figure(fig, alt="AUC with intervals at four hospitals for age alone, local, federated, central and unseen models: those of local, federated and central overlap at every hospital, and are widest in Switzerland")
assert np.mean([heart_auc[s, "federated"][0] for s in SITES]) > np.mean([heart_auc[s, "age alone"][0] for s in SITES]) + 0.05, "the federated model should know more than age"
print(hearts.name)
heart_table = pd.DataFrame({name: {s: "{:.3f} [{:.3f}, {:.3f}]".format(*heart_auc[s, name]) for s in SITES} for name in ("age alone", "local", "federated", "central", "unseen")})
heart_table["federated - local"] = ["{:+.3f} [{:+.3f}, {:+.3f}]".format(*joins[s]) for s in SITES]
heart_table

# %% [markdown]
# Read the table as each hospital would. On the 920 real patients (profile `laptop`):
#
# - **Long Beach** (`va`) gains: its interval of federated minus local lies above 0. Its own model has many missing values and few healthy patients to learn from.
# - **Cleveland and Budapest** gain nothing that can be told from 0. They give; their reason to join must be another one (a model that travels, a common standard).
# - **Switzerland** has 8 healthy patients of 123. Look at the length of its interval: no study of this size can say anything, for or against.
# - **Federated and central** hardly differ. On a convex problem with few coefficients little is lost by leaving the data at home.
# - **Unseen** costs Cleveland most. In Long Beach a model that never saw a veteran does about as well as the hospital's own, or better.
#
# ### Ranking is not enough: calibration at an unseen hospital
#
# AUC ranks patients *inside* a hospital. A model that predicts twice the risk for everybody has the same AUC. An unseen hospital has another prevalence, so look at the mean predicted risk beside the share of sick patients (*calibration in the large*).

# %% tags=["demo"]
risk = 1 / (1 + np.exp(-score["unseen"]))
calibration = pd.DataFrame({"sick, %": {s: 100 * sick[place == s].mean() for s in SITES}, "mean predicted risk, unseen model, %": {s: 100 * risk[place == s].mean() for s in SITES},
                            "of the other three hospitals sick, %": {s: 100 * sick[place != s].mean() for s in SITES}})
calibration["predicted - observed"] = calibration.iloc[:, 1] - calibration.iloc[:, 0]
calibration.round(0).astype(int)

# %% [markdown]
# In Switzerland the unseen model predicts far too little risk and in Budapest too much, and no AUC shows it. Its intercept carries the prevalence of the hospitals that it was trained on (third column). Before it is used, a hospital needs at least to refit the intercept on some of its own patients: one number, a hundred patients.
#
# ### Images and values together: a simulated EXAM
#
# We know of no set of chest films with vital signs, laboratory values and outcomes from many hospitals that you could simply download. So here are simulated patients, and we say so: nothing below is a finding about COVID-19. Each patient has two hidden numbers. The **spread** $s$ is the part of the lung that is opaque; the film shows it, the table hardly. The **reserve** $r$ is everything else that makes a
# patient stable; it shows in oxygen saturation, breathing rate and laboratory values, not in the film. Oxygen beyond nasal prongs is needed with a probability that depends on both:
#
# $$P(\text{oxygen}) = \sigma\!\left(b_k + 6\,(s - 0.35) - 1.4\, r\right)$$
#
# The hospitals differ as real ones do: in size (320 to 50 patients), in severity $b_k$, in exposure and noise of their films, in the offset of their laboratory's CRP, and in how often a value is missing. A seventh hospital takes no part. As the truth is planted, we know the ceiling: the AUC of the true probability itself.
#
# Each model gets the learning rate that is best on the hospitals' validation patients; the unseen hospital has none, and takes no part in the choice.
#
# **Predict before you run.** Which is worth more to a hospital of 50 patients: a second kind of data, or five partners?

# %% tags=["demo"]
from scipy import ndimage

VALUES = ["age", "oxygen saturation", "breaths a minute", "CRP", "lymphocytes", "creatinine"]
ROWS, COLS = np.mgrid[:28, :28] / 27


def emergency(count: int, rng, severity: float, gain: float, noise: float, offset: float, missing: float):
    """Films (n, 784), values (n, 6) with nan, outcome (n,), true probability (n,) of one simulated hospital."""
    spread, reserve = rng.beta(1.6, 2.6, count), rng.normal(0, 1, count)
    shift, wide = rng.normal(0, 0.03, (2, count, 1, 1)), rng.uniform(0.9, 1.1, (count, 1, 1))
    lungs = [((COLS - c - shift[0]) / (0.17 * wide)) ** 2 + ((ROWS - 0.5 - shift[1]) / (0.34 * wide)) ** 2 for c in (0.28, 0.72)]
    air = np.clip(1.6 - 1.2 * np.minimum(*lungs), 0, 1)  # 1 deep inside a lung, 0 outside
    cloud = ndimage.gaussian_filter(rng.normal(0, 1, (count, 28, 28)), (0, 2, 2))
    order = np.where(air > 0.3, cloud, np.nan)
    cut = np.array([np.nanquantile(one, 1 - s) for one, s in zip(order, spread, strict=True)])
    opaque = ndimage.gaussian_filter(((cloud > cut[:, None, None]) & (air > 0.3)).astype(float), (0, 0.7, 0.7))
    film = 0.62 - 0.42 * air + 0.34 * opaque * air + rng.normal(0, 0.04, (count, 1, 1))  # patients differ in thickness
    film = np.clip(gain * film + noise * rng.normal(0, 1, film.shape), 0, 1)
    age = np.clip(rng.normal(62 - 4 * reserve, 12), 20, 95)
    values = np.c_[age, np.clip(95 + 1.6 * reserve - 2 * spread + rng.normal(0, 1.6, count), 70, 100), 21 - 2.2 * reserve + rng.normal(0, 2.6, count),
                   70 - 25 * reserve + offset + rng.normal(0, 30, count), 1.1 + 0.2 * reserve + rng.normal(0, 0.3, count), 95 - 12 * reserve + rng.normal(0, 22, count)]
    values[rng.random(values.shape) < missing] = np.nan
    chance = 1 / (1 + np.exp(-(severity + 6 * (spread - 0.35) - 1.4 * reserve)))
    return film.reshape(count, -1).astype(np.float32), values.astype(np.float32), (rng.random(count) < chance).astype(np.float32), chance


SIZES = [320, 220, 150, 100, 70, 50]
LOOKS = [(-0.6, 1.0, 0.06, 0, 0.05), (0.2, 0.85, 0.08, 15, 0.1), (-1.2, 1.15, 0.05, -10, 0.15), (0.6, 0.95, 0.1, 25, 0.1), (-0.3, 1.1, 0.08, 5, 0.25), (0.0, 0.8, 0.07, -15, 0.2), (0.3, 0.9, 0.11, 40, 0.3)]
scale_up = run.pick(ci=1, laptop=2)
visits = {k: {"test": emergency(run.pick(ci=150 if k < 6 else 300, laptop=300 if k < 6 else 600), np.random.default_rng([SEED, 4, k]), *look)} for k, look in enumerate(LOOKS)}
for k, n in enumerate(SIZES):
    visits[k]["train"] = emergency(scale_up * n, np.random.default_rng([SEED, 3, k]), *LOOKS[k])
    visits[k]["val"] = emergency(run.pick(ci=100, laptop=200), np.random.default_rng([SEED, 5, k]), *LOOKS[k])

# %% tags=["demo"]
fig, axes = plt.subplots(2, 7, figsize=(10.5, 3.4), layout="constrained")
for k in range(7):
    pictures, _, needs, _ = visits[k]["test"]
    for line, outcome in enumerate((0, 1)):
        axes[line, k].imshow(pictures[np.flatnonzero(needs == outcome)[0]].reshape(28, 28), vmin=0, vmax=1)
        axes[line, k].set(xticks=[], yticks=[])
    axes[0, k].set_title(f"{f'hospital {k + 1}' if k < 6 else 'unseen'}\n{needs.mean():.0%} need oxygen", fontsize=8)
for line, outcome in enumerate(("needs no oxygen", "needs oxygen")):
    axes[line, 0].set_ylabel(outcome, fontsize=8)
show.figure(fig, alt="Simulated chest films of seven hospitals, above a patient who needs no oxygen, below one who does; hospitals differ in brightness and noise, and the lungs of those who need oxygen are mostly cloudier")
print("features:", ", ".join(VALUES))

# %% tags=["demo"]
class FusionNet(nn.Module):
    """A film's 784 pixels and 6 values in one row -> logit. `use` says what it may see."""

    def __init__(self, use: str) -> None:
        super().__init__()
        self.use = use
        self.conv1, self.norm1 = nn.Conv2d(1, 8, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8)
        self.from_film, self.from_values, self.head = nn.Linear(8, 8), nn.Linear(6, 8), nn.Linear(16, 1)

    def forward(self, row: torch.Tensor) -> torch.Tensor:
        film, values = row[:, :784].view(-1, 1, 28, 28), row[:, 784:]
        seen = torch.relu(self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(2 * film - 1)))))).mean((2, 3))
        seen, known = self.from_film(seen), self.from_values(values)
        both = torch.cat([seen * (self.use != "values"), known * (self.use != "film")], 1)
        return self.head(torch.relu(both)).squeeze(1)


def new_fusion(use: str):
    def make(seed: int) -> FusionNet:
        torch.manual_seed(seed)
        return FusionNet(use)
    return make


def as_rows(group, scale: tuple) -> Site:
    """Pixels and standardised values, missing ones as 0."""
    return torch.tensor(np.c_[group[0], np.nan_to_num((group[1] - scale[0]) / scale[1])], dtype=torch.float32), torch.tensor(group[2])

# %% tags=["demo"]
value_scale = common_scale([visits[k]["train"][1] for k in range(6)])
wards = [as_rows(visits[k]["train"], value_scale) for k in range(6)]
val_at, checks_at = ({k: as_rows(visits[k][part], value_scale) for k in range(7) if part in visits[k]} for part in ("val", "test"))
EXAM_ROUNDS, EXAM_STEPS, EXAM_RATES = run.pick(ci=12, laptop=30), 6, (0.03, 0.1, 0.3)


def exam_local(k: int, rate: float) -> nn.Module:
    """Hospital k alone, film and values."""
    net = new_fusion("both")(SEED)
    train_local(net, *wards[k], EXAM_ROUNDS * EXAM_STEPS, rate, seed=SEED)
    return net


def exam_central(rate: float) -> nn.Module:
    """All patients in one place, with the work of all six."""
    net = new_fusion("both")(SEED)
    train_local(net, *(torch.cat(part) for part in zip(*wards, strict=True)), 6 * EXAM_ROUNDS * EXAM_STEPS, rate, seed=SEED)
    return net


def at_home(nets: list[nn.Module]) -> float:
    """Mean AUC of six models on their hospitals' validation patients."""
    return float(np.mean([auc_of(net, *val_at[k]) for k, net in enumerate(nets)]))


kinds = {f"federated, {use}": lambda rate, use=use: [federate(wards, EXAM_ROUNDS, EXAM_STEPS, rate, seed=SEED, make=new_fusion(use))[0]] * 6 for use in ("film", "values", "both")}
kinds |= {"central, both": lambda rate: [exam_central(rate)] * 6, "local, both": lambda rate: [exam_local(k, rate) for k in range(6)]}
exam_scores, exam_nets, exam_rate = {"ceiling: the true probability": {k: visits[k]["test"][3] for k in range(7)}}, {}, {}
for name, fit in kinds.items():
    candidates = {rate: fit(rate) for rate in EXAM_RATES}
    exam_rate[name] = max(EXAM_RATES, key=lambda rate, candidates=candidates: at_home(candidates[rate]))  # validation patients choose
    exam_nets[name] = candidates[exam_rate[name]]
    exam_scores[name] = {k: logits(net, checks_at[k][0]).numpy() for k, net in enumerate(exam_nets[name])}
    if name != "local, both":
        exam_scores[name][6] = logits(exam_nets[name][0], checks_at[6][0]).numpy()
abroad = [logits(net, checks_at[6][0]).numpy() for net in exam_nets["local, both"]]  # each local model at the unseen hospital
print("chosen learning rates:", "; ".join(f"{name} {rate:g}" for name, rate in exam_rate.items()))

# %% tags=["demo"]
needs = {k: visits[k]["test"][2] for k in range(7)}


def mean_interval(scores: dict, places: range, draws: int = 400) -> tuple[float, float, float]:
    """Mean over hospitals of the AUC inside each, and its 95 % bootstrap interval over patients."""
    wins = [(scores[k][needs[k] == 1][:, None] > scores[k][needs[k] == 0]) * 1.0 for k in places]
    rng = np.random.default_rng(0)
    again = [np.mean([w[rng.integers(w.shape[0], size=w.shape[0])][:, rng.integers(w.shape[1], size=w.shape[1])].mean() for w in wins]) for _ in range(draws)]
    return float(np.mean([w.mean() for w in wins])), *(float(end) for end in np.quantile(again, [0.025, 0.975]))


exam_auc, ORDER = {}, ["local, both", "federated, film", "federated, values", "federated, both", "central, both", "ceiling: the true probability"]
for name in ORDER:
    exam_auc[name, "own"] = mean_interval(exam_scores[name], range(6))
    if name != "local, both":
        exam_auc[name, "unseen"] = mean_interval(exam_scores[name], range(6, 7))
travel = [roc_auc_score(needs[6], one) for one in abroad]
by_size = pd.DataFrame({name: [roc_auc_score(needs[k], exam_scores[name][k]) for k in range(6)] for name in ORDER}, index=[len(w[0]) for w in wards])
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for number, name in enumerate(("local, both", "federated, film", "federated, values", "federated, both", "central, both")):
    ax.plot(by_size.index, by_size[name], marker="osv^D"[number], color=show.PALETTE[number + 1], linestyle=["--", ":", "-.", "-", "-"][number], linewidth=1.2, label=name)
ax.set(xscale="log", xticks=by_size.index, xticklabels=by_size.index, xlabel="training patients of the hospital (logarithmic)", ylabel="AUC on its own test patients")
ax.minorticks_off()
ax.legend(fontsize=8, ncols=2)
show.figure(fig, alt="AUC at six hospitals against their number of training patients, five lines: film alone and values alone lie mostly below both together; the federated and the central model of both lie close, the local one mostly a little lower")
assert exam_auc["federated, both", "own"][0] > max(exam_auc["federated, film", "own"][0], exam_auc["federated, values", "own"][0]) > 0.6, "both kinds of data should be worth more than one"
exam_table = pd.DataFrame({"six hospitals, mean AUC": {n: "{:.3f} [{:.3f}, {:.3f}]".format(*exam_auc[n, "own"]) for n in ORDER},
                           "unseen hospital": {n: "{:.3f} [{:.3f}, {:.3f}]".format(*exam_auc[n, "unseen"]) if n != "local, both" else f"{np.mean(travel):.3f} (mean of six; {min(travel):.3f} to {max(travel):.3f})" for n in ORDER}})
exam_table

# %% [markdown]
# One kind of data hasn't the information: compare film, values and both. One hospital hasn't the patients: compare local and federated (in `laptop`, where each has twice as many, the difference at home is small). For the hospital of 50 patients, or 100 in `laptop`, read the left end of the figure. Whether central is better than federated, the intervals must tell. And what is missing to the ceiling? The ceiling knows the two hidden numbers; the network estimates them from 28 x 28 noisy pixels and six values, with the patients that there are.
#
# At the unseen hospital look at the spread of the six local models, best to worst: which of them you buy is luck. In EXAM, too, the gain in generalisability was larger than the gain at home. Read the figure with care: with so few test patients a point has an interval of several hundredths to each side, so the order of two lines at one hospital says little, and a small hospital can look good because its own
# test patients happen to be easy for every model.

# %% [markdown]
# ### Exercise 11.2b - one scale for all hospitals, from sums alone
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can standardise features without moving a patient, missing values included*
#
# Every hospital sends, for each feature, how many patients have a value, their mean and their variance. Write `pooled_moments(counts, means, variances)`, which gives the mean and the standard deviation of *all* patients together, exactly as if they lay in one table:
#
# $$m = \frac{\sum_k n_k m_k}{\sum_k n_k} \qquad s^2 = \frac{\sum_k n_k \left( v_k + (m_k - m)^2 \right)}{\sum_k n_k}$$
#
# The second term in the bracket is the spread *between* hospitals. A hospital that never measured a feature sends a count of 0, and `nan` for the rest. A feature that nobody measured, or that doesn't vary, gets mean and standard deviation that do no harm: mean 0 where nobody measured, and standard deviation 1 in both cases.
#
# <details><summary>Hint 1: the idea</summary>Replace what a hospital without values sent by 0 before you multiply. Mean first; the variance needs it.</details>
# <details><summary>Hint 2: what to call</summary><code>np.where(counts > 0, means, 0)</code>, sums over <code>axis=0</code>, <code>np.maximum(total, 1)</code> against a division by 0.</details>
# <details><summary>My standard deviation is too small</summary>Hospitals differ in their means. The mean of the variances leaves that out.</details>

# %% nbgrader={"grade": false, "grade_id": "moments", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pooled_moments(counts: np.ndarray, means: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of all hospitals' patients, from each hospital's own moments.

    Args:
        counts: (K, F) patients of hospital k who have a value of feature f, at least 0.
        means: (K, F) the mean of these values; nan where the count is 0.
        variances: (K, F) their variance with ddof=0; nan where the count is 0.

    Returns:
        mean (F,), 0 where nobody measured; standard deviation (F,) with ddof=0, and 1 where nobody measured or nothing varies.

    Raises:
        ValueError: the three differ in shape, or a count is negative.
    """
    ### BEGIN SOLUTION
    counts, means, variances = (np.asarray(one, dtype=float) for one in (counts, means, variances))
    if not counts.shape == means.shape == variances.shape or (counts < 0).any():
        raise ValueError("counts, means and variances must have one shape (K, F), and counts must not be negative")
    means, variances = np.where(counts > 0, means, 0), np.where(counts > 0, variances, 0)
    total = np.maximum(counts.sum(0), 1)
    mean = (counts * means).sum(0) / total
    spread = np.sqrt((counts * (variances + (means - mean) ** 2)).sum(0) / total)
    return mean, np.where(spread > 0, spread, 1.0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "moments-mean", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The mean: each patient counts, not each hospital
mean, _ = pooled_moments(np.array([[100, 10], [300, 30]]), np.array([[120.0, 1.0], [140.0, 5.0]]), np.ones((2, 2)))
mean = np.asarray(mean, dtype=float)
assert mean.shape == (2,), f"one mean a feature, shape (2,), not {mean.shape}"
assert not np.allclose(mean, [130, 3]), "that is the mean of the hospitals' means: a hospital with 300 patients should count three times as much as one with 100"
assert np.allclose(mean, [135, 4]), f"100 patients at 120 and 300 at 140 have a mean of 135, not {mean[0]:.2f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(21)
tables = [rng.normal(rng.uniform(-3, 3), rng.uniform(0.5, 2), (n, 3)) for n in (5, 40, 17)]
mean, _ = pooled_moments(np.array([[len(one)] * 3 for one in tables]), np.array([one.mean(0) for one in tables]), np.array([one.var(0) for one in tables]))
assert np.allclose(mean, np.concatenate(tables).mean(0)), "the mean is not that of all patients in one table"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "moments-spread", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The standard deviation: within the hospitals AND between them. Two hospitals of equal patients inside, far from each other
_, spread = pooled_moments(np.array([[50], [50]]), np.array([[0.0], [6.0]]), np.array([[16.0], [16.0]]))
spread = np.asarray(spread, dtype=float)
assert spread.shape == (1,), f"one standard deviation a feature, shape (1,), not {spread.shape}"
assert not np.allclose(spread, 4), "the spread between the hospitals is missing: their means are 6 apart"
assert not np.allclose(spread, 25), "that is the variance: take the root"
assert np.allclose(spread, 5), f"within 16, between 3 squared: the root of 25 is 5, not {spread[0]:.3f}"
_, spread = pooled_moments(np.array([[90], [10]]), np.array([[0.0], [0.0]]), np.array([[1.0], [81.0]]))
assert not np.allclose(spread, 1.8), "you averaged standard deviations: average the variances"
assert np.allclose(spread, 3), f"90 patients with variance 1 and 10 with 81 have a variance of 9, a standard deviation of 3, not {float(np.asarray(spread)[0]):.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(22)
tables = [rng.normal(rng.uniform(-3, 3), rng.uniform(0.5, 2), (n, 4)) for n in (7, 60, 33, 1)]
_, spread = pooled_moments(np.array([[len(one)] * 4 for one in tables]), np.array([one.mean(0) for one in tables]), np.array([one.var(0) for one in tables]))
assert np.allclose(spread, np.concatenate(tables).std(0)), "the standard deviation is not that of all patients in one table (ddof=0)"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "moments-missing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A hospital that never measured cholesterol sends a count of 0 and nan
mean, spread = pooled_moments(np.array([[40, 40], [0, 20]]), np.array([[240.0, 1.0], [np.nan, 4.0]]), np.array([[2500.0, 1.0], [np.nan, 1.0]]))
assert not np.isnan(np.r_[mean, spread]).any(), "0 times nan is nan: replace what a hospital without values sent"
assert np.allclose(mean, [240, 2]) and np.allclose(spread, [50, np.sqrt(3)]), f"the hospital without values should not count for that feature, and count for the other: expected means [240, 2], not {np.asarray(mean).tolist()}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(23)
tables = [rng.normal(100, 15, (n, 3)) for n in (30, 12, 25)]
tables[0][::3, 1], tables[1][:, 2] = np.nan, np.nan
held = np.array([(~np.isnan(one)).sum(0) for one in tables])
sent_means = np.array([[one[~np.isnan(one[:, f]), f].mean() if n[f] else np.nan for f in range(3)] for one, n in zip(tables, held, strict=True)])
sent_vars = np.array([[one[~np.isnan(one[:, f]), f].var() if n[f] else np.nan for f in range(3)] for one, n in zip(tables, held, strict=True)])
mean, spread = pooled_moments(held, sent_means, sent_vars)
assert np.allclose(mean, np.nanmean(np.concatenate(tables), 0)) and np.allclose(spread, np.nanstd(np.concatenate(tables), 0)), "with missing values the moments are not those of all patients in one table"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "moments-harmless", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Features that nobody measured or that don't vary; a large offset; and what can't be right
mean, spread = pooled_moments(np.array([[0, 5], [0, 5]]), np.array([[np.nan, 3.0], [np.nan, 3.0]]), np.array([[np.nan, 0.0], [np.nan, 0.0]]))
mean, spread = np.asarray(mean, dtype=float), np.asarray(spread, dtype=float)
assert np.allclose(mean, [0, 3]), f"a feature that nobody measured gets the mean 0; one that is 3 everywhere the mean 3; not {mean.tolist()}"
assert np.allclose(spread, [1, 1]), f"a standard deviation of 0 or nan would be divided by: return 1 instead of {spread.tolist()}"
for wrong_counts in (np.array([[-1.0, 5.0], [2.0, 5.0]]), np.array([5.0, 5.0])):
    try:
        pooled_moments(wrong_counts, np.ones((2, 2)), np.ones((2, 2)))
    except ValueError:
        continue
    raise AssertionError("a negative count, or shapes that differ, must raise a ValueError")
### BEGIN HIDDEN TESTS
far = np.random.default_rng(24).normal(1e8, 1.0, (200, 1))  # platelets a millilitre, say
_, spread = pooled_moments(np.array([[120], [80]]), np.array([far[:120].mean(0), far[120:].mean(0)]), np.array([far[:120].var(0), far[120:].var(0)]))
assert np.allclose(spread, far.std(0), rtol=1e-2), "with a large offset your variance loses its digits: don't subtract the squared mean from the mean of squares"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 11.2c - leave one hospital out
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can test a model as the next hospital will: on people and at a place that it has never seen*
#
# Write `hospital_folds(sites, patients)`. For each hospital it gives two arrays of row numbers: the rows to train on and the rows to test on. All rows of the hospital are its test. Training has the rows of all other hospitals, **without the patients who were also seen at the hospital that is left out**: people are transferred, and a patient who
# lies on both sides is not new.
#
# <details><summary>Hint 1: the idea</summary>One pass over the hospitals. For each, who was there? Nobody of them may be in training, wherever the row comes from.</details>
# <details><summary>Hint 2: what to call</summary><code>np.unique(sites)</code>, <code>sites == one</code>, <code>np.isin(patients, patients[test])</code>, <code>np.flatnonzero</code>.</details>
# <details><summary>My training set is too large</summary>Look for a patient who has rows at two hospitals.</details>

# %% nbgrader={"grade": false, "grade_id": "folds", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hospital_folds(sites: np.ndarray, patients: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Leave-one-hospital-out folds.

    Args:
        sites: (N,) the hospital's name of each row.
        patients: (N,) the patient of each row; a patient may have rows at several hospitals.

    Returns:
        name of the hospital that is left out -> (rows to train on, rows to test on), arrays of row numbers.

    Raises:
        ValueError: there are fewer than two hospitals, or sites and patients differ in length.
    """
    ### BEGIN SOLUTION
    sites, patients = np.asarray(sites), np.asarray(patients)
    if len(sites) != len(patients) or len(np.unique(sites)) < 2:
        raise ValueError("each row needs a site and a patient, and there must be two hospitals at least")
    folds = {}
    for site in np.unique(sites):
        test = sites == site
        seen = np.isin(patients, patients[test])
        folds[str(site)] = (np.flatnonzero(~test & ~seen), np.flatnonzero(test))
    return folds
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "folds-hospitals", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Each hospital is left out once, with all of its rows
toy_sites = np.array(["basel", "zurich", "basel", "budapest", "zurich", "basel"])
toy_patients = np.arange(6)
folds = hospital_folds(toy_sites.copy(), toy_patients.copy())
assert sorted(folds) == ["basel", "budapest", "zurich"], f"one fold for each hospital, called by its name; you have {sorted(map(str, folds))}"
for site in ("basel", "budapest", "zurich"):
    rows_train, rows_test = (np.asarray(rows) for rows in folds[site])
    assert sorted(rows_test.tolist()) == np.flatnonzero(toy_sites == site).tolist(), f"the test of {site} should be all rows of {site}, and no others"
    assert not (toy_sites[rows_train] == site).any(), f"{site} is left out, but rows of it are in its training"
    assert sorted(rows_train.tolist()) == np.flatnonzero(toy_sites != site).tolist(), f"when {site} is left out, all rows of the other hospitals train (no patient is at two hospitals here)"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(31)
some_sites = rng.choice(["a", "b", "c", "d"], 80)
folds = hospital_folds(some_sites, np.arange(80))
assert sorted(folds) == ["a", "b", "c", "d"] and all(len(folds[s][0]) + len(folds[s][1]) == 80 for s in folds), "with 80 patients at four hospitals rows are lost"
assert all((some_sites[np.asarray(folds[s][1])] == s).all() for s in folds), "a test holds rows of another hospital"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "folds-transfers", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Patient 7 was transferred from basel to zurich: when either is left out, none of the patient's rows may train
toy_sites = np.array(["basel", "zurich", "basel", "budapest", "zurich", "budapest"])
toy_patients = np.array([7, 7, 1, 2, 3, 2])
folds = hospital_folds(toy_sites.copy(), toy_patients.copy())
train_basel, test_basel = (np.asarray(rows).tolist() for rows in folds["basel"])
assert 1 not in train_basel, "patient 7 is tested at basel, and the row from zurich is in training: that patient is not new"
assert sorted(train_basel) == [3, 4, 5] and sorted(test_basel) == [0, 2], f"basel left out: train on rows 3, 4, 5, test on 0 and 2; not {train_basel}, {test_basel}. The transferred patient leaves training, and stays in the test"
assert sorted(np.asarray(folds["budapest"][0]).tolist()) == [0, 1, 2, 4], "nobody of budapest was elsewhere, so all other rows train"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(32)
some_sites, some_patients = rng.choice(["a", "b", "c"], 90), np.array([f"P{p}" for p in rng.integers(0, 40, 90)])
folds = hospital_folds(some_sites, some_patients)
for site in "abc":
    rows_train, rows_test = (np.asarray(rows) for rows in folds[site])
    there = set(some_patients[some_sites == site].tolist())
    wanted = [row for row in range(90) if some_sites[row] != site and some_patients[row] not in there]
    assert sorted(rows_train.tolist()) == wanted and len(rows_test) == (some_sites == site).sum(), "with many transfers (patients named by text) the folds are off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "folds-refuses", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One hospital can't be left out. (Good input first: who always raises earns nothing.)
assert sorted(hospital_folds(np.array(["a", "b"]), np.array([1, 2]))) == ["a", "b"], "two hospitals make two folds"
for wrong_sites, wrong_patients in ((np.array(["a", "a"]), np.array([1, 2])), (np.array(["a", "b"]), np.array([1]))):
    try:
        hospital_folds(wrong_sites, wrong_patients)
    except ValueError:
        continue
    raise AssertionError("one hospital alone, or rows without a patient, must raise a ValueError")
### BEGIN HIDDEN TESTS
try:
    hospital_folds(np.array([], dtype=str), np.array([], dtype=int))
except ValueError:
    pass
else:
    raise AssertionError("an empty table must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### What a table of a federated study should hold
#
# - **Each hospital on its own test patients**, with its number of patients and an interval. A mean over hospitals hides the one that loses by joining, and it exists in most studies.
# - **Local models that were built with care.** If they get the federation's learning rate and its number of rounds, they may be bad for that reason alone. (Ours have a convex loss in the real study, and the same number of steps in the simulated one. That is a choice, and it favours no one on purpose.)
# - **AUC inside hospitals**, not over all patients in one heap: a heap rewards a model for telling the hospitals apart, as soon as their prevalence differs.
# - **An unseen hospital**, left out with all its patients; and calibration there, not AUC alone.
#
# **Checkpoint.** A consortium reports an AUC of 0.90 for its federated model on all test patients in one heap, and 0.82 for the mean of the local models, each at home. Name two reasons why the difference may have nothing to do with better ranking of patients.
#
# <details><summary>Answer</summary>First, the heap: hospitals with a high prevalence get high scores as a whole, and pairs of patients from two hospitals are easy. Inside each hospital the federated model may be no better. Second, the local models may have been trained with settings that were tuned for the federation, on too few patients for a network of that size. Ask for
# federated minus local inside each hospital, paired, with intervals.</details>

# %% [markdown]
# ## 11.3 Federated domain generalization
#
# Hospitals differ not only in whom they treat, but in how they look at them. Detector, tube voltage, processing and export give each film a *style*. A model from four hospitals is to work at a fifth one, which had no say in it. When training sees several domains, and the test is a domain that it has not seen, we speak of **domain generalization**. In a federation there is a further
# difficulty: no hospital may see another's films, so none can learn from them what varies.
#
# Two ideas, and what each is for:
#
# - **FedBN** (Li and others, ICLR 2021). A batch norm layer holds the mean and the variance of its inputs, and a learned scale and shift. A scanner's gain and offset end up there. So these layers stay at home, and all others are averaged. Each *member* gets a model that fits its scanner. A newcomer gets no norm layers of its own.
# - **Amplitude sharing** (FedDG; Liu and others, CVPR 2021). Take a film's Fourier transform $F = |F|\, e^{i \varphi}$. The low-frequency amplitudes $|F|$ hold brightness, contrast and shading; the phases $\varphi$ hold the edges, which are the anatomy. Each hospital puts amplitudes of some films into a common bank, without phases. In training, a film
#   keeps its phases and gets low amplitudes that lie between its own and a foreign one's: $(1 - \lambda)\,|F| + \lambda\, |F'|$, with a random $\lambda$ between 0 and 1. The model sees styles of hospitals whose films it never gets. (The paper adds a meta-learning step and a loss at the borders of segmentations; we take the exchange of amplitudes alone.)
#
# Sharing amplitudes costs bytes, and some privacy: an amplitude belongs to a patient's film. Low amplitudes say little, and little is not nothing.

# %% [markdown]
# ### Exercise 11.3a - the other hospital's look
#
# Difficulty 3 of 5 - 3 points - about 15 minutes - *after it you can give a film the look of a hospital that never sent you a film*
#
# Write `mix_amplitude(image, other, share, radius)`. Let $F$ be the two-dimensional Fourier transform of the image, as `numpy.fft.fft2` gives it. A pair of whole frequencies $(u, v)$ lies in the low band when $\max(|u|, |v|) \le r$, with $r$ the `radius`; $u$ and $v$ are counted from the mean, which is $(0, 0)$.
# Inside the band the amplitude becomes $(1 - \lambda)\,|F| + \lambda\, A$, with $A$ the other hospital's amplitude and $\lambda$ the `share`. Outside it stays, and the phase stays everywhere.
#
# <details><summary>Hint 1: the idea</summary>A complex number is its amplitude times <code>exp(i phase)</code>. Take it apart, change the amplitude at a few frequencies, put it together, transform back.</details>
# <details><summary>Hint 2: what to call</summary><code>np.fft.fftfreq(n) * n</code> gives the whole frequencies in the order of <code>fft2</code>: 0, 1, 2, ..., -2, -1. <code>np.abs</code>, <code>np.angle</code>, <code>np.exp(1j * phase)</code>, <code>np.fft.ifft2(...).real</code>.</details>
# <details><summary>My film turns into a fine pattern of dots</summary>You changed the highest frequencies. <code>fft2</code> puts the mean in the corner, at index [0, 0], and the highest frequencies in the middle. <code>np.fft.fftshift</code> moves the mean to the middle, if you prefer to cut a square there; move it back before you transform back.</details>

# %% nbgrader={"grade": false, "grade_id": "amplitude-mix", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mix_amplitude(image: np.ndarray, other: np.ndarray, share: float, radius: int) -> np.ndarray:
    """A film with its own phase, and with low-frequency amplitudes that are partly another hospital's.

    Args:
        image: (H, W) grey values.
        other: (H, W) amplitudes of the other hospital's film, as np.abs(np.fft.fft2(film)) gives them.
        share: lambda, the other hospital's share, from 0 to 1.
        radius: highest frequency that is mixed, in whole periods an image; 0 mixes the mean alone.

    Returns:
        (H, W) real grey values; the inputs stay as they are.

    Raises:
        ValueError: the shapes differ, the share is not in [0, 1], the radius is negative, or a value is not finite.
    """
    ### BEGIN SOLUTION
    image, other = np.asarray(image, dtype=float), np.asarray(other, dtype=float)
    if image.shape != other.shape or not 0 <= share <= 1 or radius < 0:
        raise ValueError("give two arrays of one shape, a share from 0 to 1 and a radius of at least 0")
    if not np.isfinite(image).all() or not np.isfinite(other).all():
        raise ValueError("image and amplitudes must be finite")
    spectrum = np.fft.fft2(image)
    rows, columns = (np.abs(np.fft.fftfreq(n) * n) for n in image.shape)
    low = np.maximum(rows[:, None], columns[None]) <= radius + 1e-9
    amplitude = np.abs(spectrum)
    amplitude = np.where(low, (1 - share) * amplitude + share * other, amplitude)
    return np.fft.ifft2(amplitude * np.exp(1j * np.angle(spectrum))).real
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "amplitude-mix-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The value: at the mean, whose frequency is (0, 0), the amplitude is the sum of the grey values. Own 64 * 2, other 64 * 10, a share of a quarter
rng = np.random.default_rng(1131)
own = rng.normal(0, 0.3, (8, 8))
own += 2 - own.mean()
theirs = rng.normal(0, 0.3, (8, 8))
theirs += 10 - theirs.mean()
out = np.asarray(mix_amplitude(own.copy(), np.abs(np.fft.fft2(theirs)), 0.25, 0))
assert out.shape == (8, 8), f"a film of (8, 8) must stay (8, 8), not {out.shape}"
assert not np.iscomplexobj(out), "grey values are real: take the real part after the inverse transform"
assert not np.isclose(out.mean(), 8), "the mean became 8: the share belongs to the OTHER hospital, 1 - share to the own film"
assert not np.isclose(out.mean(), 4.5), "the mean became 2 + 0.25 * 10: the own amplitude has to give way, (1 - share) * own + share * other"
assert not np.isclose(out.mean(), 2), "the mean did not change: is the low band where fft2 puts it? The mean stands at index [0, 0]"
assert np.isclose(out.mean(), 4), f"a mean of 2 and one of 10, mixed with a share of 0.25, give 4, not {out.mean():.4g}"
assert np.allclose(out - out.mean(), own - 2), "a radius of 0 changes the mean alone; all other frequencies stay"
### BEGIN HIDDEN TESTS
for shape, share, radius in (((28, 28), 0.7, 3), ((9, 12), 0.4, 2), ((15, 15), 1.0, 4)):
    own, theirs = rng.uniform(0, 1, shape), rng.uniform(0, 1, shape)
    a, b = np.fft.fft2(own), np.abs(np.fft.fft2(theirs))
    for u in range(-radius, radius + 1):
        for v in range(-radius, radius + 1):
            a[u, v] *= (1 - share) + share * b[u, v] / abs(a[u, v])
    assert np.allclose(np.asarray(mix_amplitude(own.copy(), b.copy(), share, radius)), np.fft.ifft2(a).real, atol=1e-5), f"the mixed film is off for shape {shape}, share {share}, radius {radius}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "amplitude-mix-band", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The band and the phase: with a share of 1 the low amplitudes are the other's, the high ones the film's own, and every phase the film's own
rng = np.random.default_rng(1132)
own, theirs = rng.uniform(0.2, 1, (16, 16)), rng.uniform(0.2, 1, (16, 16))
wanted = np.abs(np.fft.fft2(theirs))
was, now = np.fft.fft2(own), np.fft.fft2(np.asarray(mix_amplitude(own.copy(), wanted.copy(), 1.0, 2)))
frequency = np.abs(np.fft.fftfreq(16) * 16)
low = np.maximum(frequency[:, None], frequency[None]) <= 2
assert np.allclose(np.abs(now)[~low], np.abs(was)[~low], rtol=1e-4, atol=1e-6), "amplitudes above the radius changed: only frequencies up to the radius, on both sides of zero, may"
assert np.allclose(np.abs(now)[low], wanted[low], rtol=1e-4, atol=1e-6), "with a share of 1 the low amplitudes must be the other's: all with |u| and |v| up to the radius, negative frequencies too"
assert np.allclose(now / np.abs(now), was / np.abs(was), atol=1e-4), "a phase changed: the anatomy is in the phases, and it is this patient's"
### BEGIN HIDDEN TESTS
same = np.asarray(mix_amplitude(own.copy(), wanted.copy(), 0.0, 5))
assert np.allclose(same, own, atol=1e-6), "a share of 0 must give the film back"
now = np.fft.fft2(np.asarray(mix_amplitude(own.copy(), wanted.copy(), 0.5, 7)))
low = np.maximum(frequency[:, None], frequency[None]) <= 7
assert np.allclose(np.abs(now)[~low], np.abs(was)[~low], rtol=1e-4, atol=1e-6), "amplitudes above a radius of 7 changed"
assert np.allclose(np.abs(now)[low], 0.5 * (np.abs(was) + wanted)[low], rtol=1e-4, atol=1e-6), "at a share of one half the low amplitudes should be the mean of both"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "amplitude-mix-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Bad input, after good: a share above 1 would make amplitudes negative, which turns phases round
flat = np.full((4, 4), 3.0)
assert np.allclose(np.asarray(mix_amplitude(flat.copy(), np.abs(np.fft.fft2(flat)), 0.5, 1)), 3), "a film mixed with its own amplitudes stays as it is"
try:
    mix_amplitude(flat.copy(), np.abs(np.fft.fft2(flat)), 1.5, 1)
except ValueError:
    pass
else:
    raise AssertionError("a share of 1.5 must raise a ValueError")
### BEGIN HIDDEN TESTS
for film, amplitude, share, radius in ((flat, np.ones((4, 5)), 0.5, 1), (flat, np.ones((4, 4)), -0.1, 1), (flat, np.ones((4, 4)), 0.5, -1), (np.full((4, 4), np.nan), np.ones((4, 4)), 0.5, 1)):
    try:
        mix_amplitude(film.copy(), amplitude.copy(), share, radius)
    except ValueError:
        continue
    raise AssertionError("other shapes, a share outside 0 to 1, a negative radius or a nan must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 11.3b - what FedBN sends
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can say which numbers leave a hospital under FedBN, and which it gets back*
#
# Write `fedbn_average(states, sizes, norm_layers)`. Each state is what `state_dict()` gives: the name of an entry is the name of its layer, a dot, and the entry's own name (`"features.1.running_var"`: layer `features.1`). Layers that are listed in `norm_layers` stay at home, whole. All other entries become the mean over the hospitals, weighted by `sizes`.
#
# <details><summary>Hint 1: the idea</summary>Each hospital gets its own answer: the shared entries are the same for all, the entries of norm layers are its own.</details>
# <details><summary>Hint 2: what to call</summary><code>name.rpartition(".")[0]</code> is the layer of an entry. <code>np.average(arrays, axis=0, weights=sizes)</code> is a weighted mean.</details>
# <details><summary>It works in the first check and fails in the one with eleven layers</summary><code>"10.weight".startswith("1")</code> is true. Compare whole names of layers.</details>

# %% nbgrader={"grade": false, "grade_id": "fedbn-average", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fedbn_average(states: list[dict[str, np.ndarray]], sizes: list[int], norm_layers: list[str]) -> list[dict[str, np.ndarray]]:
    """One round of FedBN's server.

    Args:
        states: for each hospital, entry name -> array; the same names and shapes everywhere.
        sizes: number of patients of each hospital, at least 0, not all 0.
        norm_layers: names of the batch norm layers.

    Returns:
        For each hospital its new state: every entry of a norm layer its own (scale, shift, running statistics, counter), every other entry the
        mean weighted by sizes.

    Raises:
        ValueError: no state, another number of sizes than of states, a negative size, or all sizes 0.
    """
    ### BEGIN SOLUTION
    if len(states) == 0 or len(states) != len(sizes) or min(sizes) < 0 or sum(sizes) == 0:
        raise ValueError("give one size of at least 0 for each state, not all 0")
    kept = set(norm_layers)
    shared = {name: np.average([state[name] for state in states], axis=0, weights=sizes) for name in states[0] if name.rpartition(".")[0] not in kept}
    return [{name: shared.get(name, value) for name, value in state.items()} for state in states]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "fedbn-average-shared", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What is shared: 100 and 300 patients, weights 0 and 4 -> 3
layers = {"conv.weight": 0.0, "unit.weight": 1.0, "unit.bias": 2.0, "unit.running_mean": 3.0, "unit.running_var": 4.0, "unit.num_batches_tracked": 5.0, "head.weight": 6.0, "head.bias": 7.0}
two = [{name: np.full(2, value) for name, value in layers.items()}, {name: np.full(2, value + 4) for name, value in layers.items()}]
new = fedbn_average([dict(state) for state in two], [100, 300], ["unit"])
assert len(new) == 2, "give one state for each hospital: under FedBN they differ"
assert set(new[0]) == set(layers) and set(new[1]) == set(layers), "each hospital's new state must hold every entry"
assert not np.allclose(np.asarray(new[0]["conv.weight"]), 2), "0 of 100 patients and 4 of 300 gave 2: weigh the hospitals by their patients"
assert np.allclose(np.asarray(new[0]["conv.weight"]), 3) and np.allclose(np.asarray(new[1]["conv.weight"]), 3), "0 of 100 patients and 4 of 300 give 3, at both hospitals"
assert np.allclose(np.asarray(new[1]["head.bias"]), 10) and np.allclose(np.asarray(new[1]["head.weight"]), 9), "the head is shared as well: only norm layers stay at home"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1134)
three = [{"a.weight": rng.normal(size=(3, 2)), "a.norm.weight": rng.normal(size=3), "tail.bias": rng.normal(size=2)} for _ in range(3)]
new = fedbn_average([dict(state) for state in three], [5, 0, 20], ["a.norm"])
assert np.allclose(np.asarray(new[1]["a.weight"]), 0.2 * three[0]["a.weight"] + 0.8 * three[2]["a.weight"]), "three hospitals of 5, 0 and 20 patients: the weighted mean is off"
assert np.allclose(np.asarray(new[1]["a.norm.weight"]), three[1]["a.norm.weight"]), "a hospital without patients this round keeps its norm layers as well"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fedbn-average-kept", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What stays: all five entries of a norm layer. Its name need not hold "bn": only the list tells
layers = {"0.weight": 0.0, "1.weight": 1.0, "1.bias": 2.0, "1.running_mean": 3.0, "1.running_var": 4.0, "1.num_batches_tracked": 5.0, "10.weight": 6.0, "bnet.weight": 7.0}
two = [{name: np.full(3, value) for name, value in layers.items()}, {name: np.full(3, value + 4) for name, value in layers.items()}]
new = fedbn_average([dict(state) for state in two], [1, 1], ["1"])
for hospital in (0, 1):
    for name in ("1.weight", "1.bias"):
        assert np.allclose(np.asarray(new[hospital][name]), two[hospital][name]), f"{name} was averaged: the learned scale and shift of a norm layer stay at home too, not only its statistics"
    for name in ("1.running_mean", "1.running_var", "1.num_batches_tracked"):
        assert np.allclose(np.asarray(new[hospital][name]), two[hospital][name]), f"{name} was averaged: running statistics and counter of a norm layer stay at home too; the scanner is in them"
assert np.allclose(np.asarray(new[0]["10.weight"]), 8), "layer '10' is no norm layer, only '1' is: compare whole names of layers"
assert np.allclose(np.asarray(new[0]["bnet.weight"]), 9), "the list names the norm layers, not the letters in a name: 'bnet' is not listed"
### BEGIN HIDDEN TESTS
names = ["net.down.1.weight", "net.down.1.running_mean", "net.down.11.weight", "net.down.weight"]
two = [{name: np.full(1, float(k + 10 * h)) for k, name in enumerate(names)} for h in (0, 1)]
new = fedbn_average([dict(state) for state in two], [1, 3], ["net.down.1"])
assert np.allclose([float(np.asarray(new[1][name])[0]) for name in names], [10, 11, 9.5, 10.5]), "nested names: only entries directly of layer 'net.down.1' stay"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "fedbn-average-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# No batch norm at all: then FedBN is FedAvg. And sizes that don't fit
plain = [{"a.weight": np.array([1.0])}, {"a.weight": np.array([3.0])}]
new = fedbn_average([dict(state) for state in plain], [1, 1], [])
assert np.allclose(np.asarray(new[0]["a.weight"]), 2) and np.allclose(np.asarray(new[1]["a.weight"]), 2), "without norm layers everything is averaged"
try:
    fedbn_average([dict(state) for state in plain], [1], [])
except ValueError:
    pass
else:
    raise AssertionError("two hospitals and one size must raise a ValueError")
### BEGIN HIDDEN TESTS
for states, sizes in ((plain, [0, 0]), (plain, [3, -1]), ([], [])):
    try:
        fedbn_average([dict(state) for state in states], list(sizes), [])
    except ValueError:
        continue
    raise AssertionError("no hospital, a negative size, or sizes that are all 0 must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Planted scanners
#
# We plant the scanners, so that we know what differs: gamma, gain, offset and a shading. Four hospitals A to D train; E is new. All test films are seen through all five scanners, so that the patients are the same and only the style differs.

# %% tags=["demo"]
UP, RIGHT = torch.meshgrid(torch.linspace(-1, 1, 28), torch.linspace(-1, 1, 28), indexing="ij")
SCANNERS = {  # gamma, gain, offset, and the slope of a shading, down and to the right
    "A": (1.0, 1.0, 0.0, 0.0, 0.0),
    "B": (2.0, 0.8, 0.15, 0.4, 0.0),
    "C": (0.6, 0.9, -0.1, 0.0, -0.3),
    "D": (1.2, 0.4, 0.4, -0.2, 0.2),
    "E": (0.7, 0.4, 0.0, -0.5, -0.4),
}
SEEN, UNSEEN = ["A", "B", "C", "D"], "E"


def scan(x: torch.Tensor, scanner: str, seed: int, noise: float = 0.02) -> torch.Tensor:
    """The same films (N, 1, 28, 28), from -1 to 1, as another scanner would have made them."""
    gamma, gain, offset, down, right = SCANNERS[scanner]
    grey = gain * ((x + 1) / 2).clamp(0, 1) ** gamma + offset
    grain = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    return 2 * (grey * (1 + down * UP + right * RIGHT) + noise * grain) - 1


def hospitals_of(seed: int) -> list[Site]:
    """The training films dealt evenly to the four hospitals, child by child, each with its scanner."""
    parts = deal(y_train.numpy(), child, 4, 1000.0, np.random.default_rng(seed))
    return [(scan(x_train[part], scanner, 10 * seed + k), y_train[part]) for k, (part, scanner) in enumerate(zip(parts, SEEN, strict=True))]


def bands_of(x: torch.Tensor) -> torch.Tensor:
    """(N, 1, 28, 28) -> (N, 4, 7, 7): the strength of three bands, fine to coarse, and the local mean, in cells of 4 x 4 pixels. A fixed rule, and the same for all hospitals."""
    pool = nn.functional.avg_pool2d
    blurred = [x] + [pool(x, width, 1, width // 2, count_include_pad=False) for width in (3, 5, 9)]
    return torch.cat([pool((fine - coarse).abs(), 4) for fine, coarse in zip(blurred, blurred[1:], strict=False)] + [pool(x, 4)], 1)


tests = {scanner: (bands_of(scan(x_test, scanner, 900 + k)), y_test) for k, scanner in enumerate(SCANNERS)}
choosing = {scanner: (bands_of(scan(x_val, scanner, 800 + k)), y_val) for k, scanner in enumerate(SEEN)}  # validation films; none of E

# %% tags=["demo"]
RADIUS = 1


def low_amplitudes(x: torch.Tensor) -> torch.Tensor:
    """What a hospital shares: (N, 1, 2r + 1, 2r + 1) amplitudes about the mean, no phases."""
    middle = x.shape[-1] // 2
    cut = slice(middle - RADIUS, middle + RADIUS + 1)
    return torch.fft.fftshift(torch.fft.fft2(x), dim=(-2, -1))[..., cut, cut].abs()


def restyle(x: torch.Tensor, bank: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Each film's low amplitudes moved by a random share towards those of a random entry of the bank."""
    chosen = bank[torch.randint(len(bank), (len(x),), generator=rng)]
    own = low_amplitudes(x)
    factor = 1 + torch.rand(len(x), 1, 1, 1, generator=rng) * (chosen / own.clamp(min=1e-6) - 1)
    rim = (x.shape[-1] - 2 * RADIUS) // 2
    whole = nn.functional.pad(factor, (rim, rim - 1, rim, rim - 1), value=1.0)
    return torch.fft.ifft2(torch.fft.ifftshift(torch.fft.fftshift(torch.fft.fft2(x), dim=(-2, -1)) * whole, dim=(-2, -1))).real

# %% tags=["demo"]
class BandNet(nn.Module):
    """Norm, convolution, norm, a linear layer, on bands (N, 4, 7, 7) -> (N,) logits; learns in few rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.conv, self.norm2, self.head = nn.BatchNorm2d(4), nn.Conv2d(4, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.Linear(12 * 49, 1)

    def forward(self, bands: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm2(self.conv(self.norm1(bands)))).flatten(1)).squeeze(1)


def new_band_net(seed: int) -> BandNet:
    torch.manual_seed(seed)
    return BandNet()

# %% tags=["demo"]
NORMS = ("norm1", "norm2")


def kept_at_home(net: nn.Module) -> torch.Tensor:
    """(P,) bool over the packed entries: those of batch norm layers."""
    return torch.cat([torch.full((value.numel(),), name.split(".")[0] in NORMS) for name, value in entries(net).items()])


def federate_sites(sites: list[Site], rounds: int, steps: int, lr: float, seed: int, fedbn: bool = False, bank: torch.Tensor | None = None) -> list[torch.Tensor]:
    """Federated training that may keep norms at home or restyle films; one packed model (P,) for each hospital."""
    net, rng = new_band_net(seed), torch.Generator().manual_seed(seed)
    home, held = kept_at_home(net), [pack(net)] * len(sites)
    ready = [bands_of(x) for x, _ in sites]
    for number in range(rounds):
        sent = []
        for k, (x, y) in enumerate(sites):
            unpack(net, held[k])
            shown = ready[k] if bank is None else bands_of(restyle(x, bank, rng))
            train_local(net, shown, y, steps, lr, seed=10_000 * seed + 100 * number + k)
            sent.append(pack(net))
        common = weighted(sent, [len(x) for x, _ in sites])
        held = [torch.where(home, own, common) if fedbn else common for own in sent]
    return held


def auc_at(vector: torch.Tensor, site: Site) -> float:
    net = new_band_net(0)
    unpack(net, vector)
    return auc_of(net, *site)


def adapted(vector: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The model with batch norm statistics of the bands x of unlabelled films."""
    net = new_band_net(0)
    unpack(net, vector)
    for layer in (net.norm1, net.norm2):
        layer.reset_running_stats()
        layer.momentum = None  # the mean over what it sees
    net.train()
    with torch.no_grad():
        net(x)
    return pack(net)

# %% tags=["demo"]
fig, axes = plt.subplots(2, 6, figsize=(9.5, 3.5), layout="constrained")
for line, number in zip(axes, (0, 1), strict=True):
    film = x_train[number : number + 1]
    pictures = [(f"scanner {s}", scan(film, s, 0)) for s in SCANNERS]
    pictures.append(("A's film,\nC's amplitudes", restyle(film, low_amplitudes(scan(film, "C", 0)), torch.Generator().manual_seed(4))))
    for ax, (name, picture) in zip(line, pictures, strict=True):
        ax.imshow(picture[0, 0], vmin=-1, vmax=1)
        ax.set_title(name if number == 0 else "", fontsize=9)
        ax.set_axis_off()
show.figure(fig, alt="Two rows, one a chest film. From left: the film through scanners A to E, which differ in brightness, contrast and shading; last, the first film with low amplitudes on the way to those of scanner C: the anatomy stays, the look changes")
bank_bytes = 4 * 40 * (2 * RADIUS + 1) ** 2
print(f"a hospital shares {2 * RADIUS + 1} x {2 * RADIUS + 1} amplitudes of 40 films: {bank_bytes / 1000:.1f} kB, once; a model has {4 * len(pack(new_band_net(0))) / 1000:.1f} kB, each round and way")

# %% [markdown]
# ### Four ways to a model
#
# **Predict before you run.** Each hospital trains alone; FedAvg; FedBN; FedAvg with amplitude sharing. Which is best at the four hospitals? Which is best at the new one, E? And what would a few unlabelled films of E be worth?
#
# A new hospital has no norm layers of its own. For FedBN at E we take the mean of the four hospitals' norm layers, which makes no promise. One row adapts FedAvg to E without labels: the running statistics are computed anew on half of E's films (AdaBN, as in lecture 11); the other half is the test of E, for all rows. A dashed line shows what could be won: a federation whose hospitals all have E's scanner.
#
# The learning rate is chosen for each way by itself, on validation films of A to D and on a deal of its own. No film of E takes part in that: a hospital that helps to choose is not unseen. The radius of 1 is fixed beforehand: the lowest frequencies are those that gain, offset and shading change.

# %% tags=["demo"]
site_rounds, site_steps = run.pick(ci=12, laptop=30), run.pick(ci=6, laptop=10)
site_seeds = range(SEED, SEED + run.pick(ci=3, laptop=5))
WAYS = ("each alone", "FedAvg", "FedBN", "amplitude sharing")


def fit_sites(way: str, sites: list[Site], lr: float, seed: int) -> list[torch.Tensor]:
    """One packed model for each hospital."""
    if way == "each alone":
        nets = [new_band_net(seed) for _ in sites]
        for net, (x, y) in zip(nets, sites, strict=True):
            train_local(net, bands_of(x), y, site_rounds * site_steps, lr, seed=seed)
        return [pack(net) for net in nets]
    bank = torch.cat([low_amplitudes(x[:40]) for x, _ in sites]) if way == "amplitude sharing" else None
    return federate_sites(sites, site_rounds, site_steps, lr, seed, fedbn=way == "FedBN", bank=bank)


spare, site_rates = hospitals_of(SPARE), {}
for way in WAYS:  # on validation films of the four hospitals
    liked = {rate: np.mean([auc_at(model, choosing[s]) for model, s in zip(fit_sites(way, spare, rate, SPARE), SEEN, strict=True)]) for rate in (0.01, 0.03, 0.1)}
    site_rates[way] = max(liked, key=liked.get)
site_lr = site_rates["FedAvg"]
print("chosen learning rates:", "; ".join(f"{way} {rate:g}" for way, rate in site_rates.items()))

# %% tags=["demo"]
half = torch.arange(len(x_test)) % 2 == 0  # unlabelled films of the unseen hospital come from this half, its test from the other
rest = (tests[UNSEEN][0][~half], tests[UNSEEN][1][~half])
style: dict[str, list[tuple[float, float]]] = {}  # method -> (AUC at the four hospitals, AUC at the unseen one), a seed each
could_be = []  # AUC at E when all hospitals have E's scanner: how much there is to win

for seed in site_seeds:
    sites = hospitals_of(seed)
    for way in WAYS:
        models = fit_sites(way, sites, site_rates[way], seed)
        at_four = np.mean([auc_at(model, tests[s]) for model, s in zip(models, SEEN, strict=True)])
        at_new = np.mean([auc_at(model, rest) for model in models]) if way == "each alone" else auc_at(torch.stack(models).mean(0), rest)
        style.setdefault(way, []).append((at_four, at_new))
        if way == "FedAvg":
            style.setdefault("FedAvg, unseen hospital's statistics", []).append((at_four, auc_at(adapted(models[0], tests[UNSEEN][0][half]), rest)))
    of_e = [(scan(x_train[part], UNSEEN, 10 * seed + k), y_train[part]) for k, part in enumerate(deal(y_train.numpy(), child, 4, 1000.0, np.random.default_rng(seed)))]
    could_be.append(auc_at(fit_sites("FedAvg", of_e, site_lr, seed)[0], rest))

# %% tags=["demo"]
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.0), sharey=True, layout="constrained")
for place, (ax, title) in enumerate(zip(axes, ("at the four hospitals", "at the unseen hospital E"), strict=True)):
    for line, values in enumerate(style.values()):
        ax.plot(np.array(values)[:, place], [line] * len(values), "o", color="0.6", markersize=4)
        ax.plot(np.mean(values, axis=0)[place], line, "|", color=show.PALETTE[0], markersize=18, markeredgewidth=3)
    ax.axvline(0.5, color="0.4", linestyle=":")
    ax.set(title=title, xlabel="test AUC")
axes[1].axvline(np.mean(could_be), color=show.PALETTE[2], linestyle="--")
axes[1].annotate("if all had E's scanner ", (np.mean(could_be), -0.75), ha="right", va="center", fontsize=8)
axes[0].set_yticks(range(len(style)), list(style))
axes[0].set_ylim(len(style) - 0.5, -1.0)
show.figure(fig, alt="Two panels with a line for each method: grey dots are seeds, the bar is their mean. Left the AUC at the four hospitals, right at the unseen one; a dotted line marks 0.5, a dashed one the AUC of a federation that has the unseen hospital's scanner")
gain = {name: {place: over_repeats(np.array(values)[:, p] - np.array(style["FedAvg"])[:, p]) for p, place in enumerate(("four", "E"))} for name, values in style.items()}
for name in style:
    four, new = over_repeats(np.array(style[name])[:, 0])[0], over_repeats(np.array(style[name])[:, 1])[0]
    print(f"{name:37s} four {four:.3f}   E {new:.3f}", "" if name == "FedAvg" else "   less FedAvg: " + "; ".join(f"{place} {m:+.3f} [{l:+.3f}, {h:+.3f}]" for place, (m, l, h) in gain[name].items()))
print("all hospitals with E's scanner, at E: {:.3f} [{:.3f}, {:.3f}]".format(*over_repeats(could_be)))
assert np.mean(style["FedAvg"], axis=0)[0] > 0.55, "the federation should learn at its own hospitals"

# %% [markdown]
# The intervals are over seeds (the deal of films, the starting weights, the noise), paired: each method less FedAvg with the same seed. With few seeds they are wide. Read them before the means.
#
# - FedBN is made for members. At the four hospitals its gain over FedAvg is small in our runs: on the real films just told from 0, on the stand-in not. What it does at a hospital that is not one is luck: there is no right choice of norm layers for a newcomer without films.
# - Amplitude sharing is made for newcomers. It can help where the new style lies between or near the styles in the bank, and can't help against what no member has: a new projection, another age group.
# - Look at the size of what can be won at E, the distance to the dashed line, before you judge a method by it. If at E neither FedBN nor amplitude sharing gains anything that can be told from 0, as in our runs, then neither is shown to help *there*. Why, this study doesn't say: low amplitudes hold opacities as well as style, and a norm layer at the entrance may take up a scanner already, but neither was tested. Both papers
#   report clear gains on larger networks and real scanners. A method that won elsewhere is a candidate here, not an answer.
# - Look at the row with E's statistics. In our runs half of E's films *without labels* close the gap on the stand-in, and change nothing that can be told from 0 on the real films: a way that wins on one data set may do nothing on the next. It is no domain generalization any more (E gave films), but it is what a hospital can do on its first day. Report it beside.
#
# **Checkpoint.** A federation of six hospitals uses FedBN, reports the mean AUC on its members' test patients, and offers the model to a seventh hospital. What is missing?
#
# <details><summary>Answer</summary>Which norm layers the seventh would get, and a test in which a hospital is new: leave one member out, train with five, test on the sixth with the rule that the seventh would use (the mean of the norm layers, or statistics from unlabelled films). The reported AUC is that of six personal models at home.</details>

# %% [markdown]
# ## 11.4 Federated semi-supervised learning
#
# Labels cost a radiologist's time, and not every hospital has that to give. Suppose that hospital A has labelled 60 films, and B, C and D have films only. A's own model sees 60 films. Can the others help without a single label?
#
# The way of lecture 7, across hospitals: the server sends the model; a hospital without labels lets it judge its films, and takes the judgements of which the model is sure as labels (**pseudo-labels**); it trains on them, with noise on what it sees, and sends its model back. FedMatch (Jeong and others, ICLR 2021) refines this with agreement between clients;
# Yang and others (Medical Image Analysis, 2021) did it on chest CT of COVID-19 from three countries. Two things decide:
#
# - **Who counts how much?** In FedAvg a hospital counts by its films. A hospital without labels has many films, and what it sends is the model's own opinion. If it counted by its films, the echo would drown the voice. So a film counts 1 if labelled, a *trust* below 1 if pseudo-labelled, and 0 if the model isn't sure. The hospital's vote is the sum.
# - **When to begin?** Pseudo-labels of a model that knows nothing are noise. First some rounds at the labelled hospital alone.

# %% [markdown]
# ### Exercise 11.4a - targets and vote of a hospital
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can let a hospital without labels take part, with no more say than its films deserve*
#
# Write `site_targets(p, y, threshold, trust)`. A hospital has films with the shared model's probabilities `p` of pneumonia, and labels `y`, where $-1$ says that nobody has labelled the film. Return for each film a target and a weight, and for the hospital its vote in the average:
#
# - a labelled film: its label, weight 1;
# - an unlabelled film of which the model is sure, $\max(p, 1 - p) \ge$ `threshold`: the class that the model prefers, weight `trust`;
# - any other film: weight 0 (its target doesn't matter);
# - the vote: the sum of the weights.
#
# <details><summary>Hint 1: the idea</summary>Three kinds of films, three masks. Sure means sure of either class.</details>
# <details><summary>Hint 2: what to call</summary><code>np.where(labelled, y, p >= 0.5)</code>; <code>np.maximum(p, 1 - p)</code>; <code>weight.sum()</code>.</details>
# <details><summary>My pseudo-labels are all pneumonia</summary>Then only <code>p >= threshold</code> counted as sure. A film with p = 0.02 is sure as well: sure to be normal.</details>

# %% nbgrader={"grade": false, "grade_id": "site-targets", "locked": false, "schema_version": 3, "solution": true, "task": false}
def site_targets(p: np.ndarray, y: np.ndarray, threshold: float, trust: float) -> tuple[np.ndarray, np.ndarray, float]:
    """What a hospital trains on in one round, and how much its model counts.

    Args:
        p: (N,) probabilities of class 1 by the shared model, from 0 to 1; N may be 0.
        y: (N,) 0, 1, or -1 where there is no label.
        threshold: the model is sure from here on, from 0.5 to 1.
        trust: weight of a pseudo-labelled film, from 0 to 1.

    Returns:
        targets (N,) of 0 and 1; weights (N,); the vote, the sum of the weights.

    Raises:
        ValueError: lengths differ, a probability is not in [0, 1] (nan included), or threshold or trust is out of range.
    """
    ### BEGIN SOLUTION
    p, y = np.asarray(p, dtype=float), np.asarray(y)
    if p.shape != y.shape or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("give one probability from 0 to 1 for each film")
    if not 0.5 <= threshold <= 1 or not 0 <= trust <= 1:
        raise ValueError("the threshold must be from 0.5 to 1, the trust from 0 to 1")
    labelled = y >= 0
    sure = np.maximum(p, 1 - p) >= threshold
    target = np.where(labelled, y, p >= 0.5).astype(int)
    weight = np.where(labelled, 1.0, np.where(sure, trust, 0.0))
    return target, weight, float(weight.sum())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "site-targets-films", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Six films: two labelled ones, of which the model has one wrong; sure of pneumonia; sure of normal; unsure; just below
p = np.array([0.97, 0.99, 0.96, 0.02, 0.6, 0.94])
y = np.array([0, 1, -1, -1, -1, -1])
target, weight, vote = (np.asarray(part, dtype=float) for part in site_targets(p.copy(), y.copy(), 0.95, 0.5))
assert target.shape == (6,) and weight.shape == (6,), "one target and one weight for each film"
assert np.isin(target[weight > 0], (0, 1)).all(), "targets are classes, 0 or 1, not probabilities: take the class that the model prefers"
assert target[0] == 0, "the first film is labelled normal, whatever the model says: a label is not overwritten by a prediction"
assert weight[3] > 0 and target[3] == 0, "p = 0.02 is sure to be normal: sure means max(p, 1 - p)"
assert weight[4] == 0 and weight[5] == 0, "films of which the model isn't sure must have weight 0: they are no normal films, they are unknown"
assert weight[2] != 1, "a pseudo-label weighs `trust`, not 1"
assert np.allclose(weight, [1, 1, 0.5, 0.5, 0, 0]) and np.allclose(target[:4], [0, 1, 1, 0]), f"weights should be 1, 1, 0.5, 0.5, 0, 0 and not {weight}"
exactly = np.asarray(site_targets(np.array([0.75, 0.25]), np.array([-1, -1]), 0.75, 0.5)[1], dtype=float)
assert np.allclose(exactly, 0.5), f"films exactly at the threshold, p = 0.75 and 0.25 at 0.75, are sure: at least the threshold, not above it; their weights are {exactly}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1141)
for cut, faith in ((0.5, 1.0), (0.8, 0.3), (0.99, 0.0)):
    p, y = rng.uniform(0, 1, 60), rng.integers(-1, 2, 60)
    target, weight, vote = (np.asarray(part, dtype=float) for part in site_targets(p.copy(), y.copy(), cut, faith))
    for i in range(60):
        right = 1 if y[i] >= 0 else faith * float(p[i] >= cut or 1 - p[i] >= cut)
        assert np.isclose(weight[i], right), f"at a threshold of {cut} a film with p = {p[i]:.3f} and label {y[i]} has the wrong weight"
        assert weight[i] == 0 or target[i] == (y[i] if y[i] >= 0 else p[i] > 0.5), "a target that counts is wrong"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "site-targets-vote", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The vote: a hospital of 1000 unlabelled films, 10 of them sure, must not outvote one of 40 labelled films
p = np.full(1000, 0.7)
p[:10] = 0.99
silent = float(np.asarray(site_targets(p.copy(), np.full(1000, -1), 0.9, 0.5)[2]))
labelled = float(np.asarray(site_targets(np.full(40, 0.7), np.r_[np.zeros(20), np.ones(20)].astype(int), 0.9, 0.5)[2]))
assert not np.isclose(silent, 1000), "the vote counts all 1000 films, on most of which nothing was learned: sum the weights"
assert not np.isclose(silent, 10), "the vote counts sure films fully: each weighs only `trust`"
assert np.isclose(silent, 5) and np.isclose(labelled, 40), f"the votes should be 5 and 40, not {silent:.4g} and {labelled:.4g}"
### BEGIN HIDDEN TESTS
none = float(np.asarray(site_targets(np.full(30, 0.6), np.full(30, -1), 0.9, 1.0)[2]))
assert none == 0, "a hospital of which the model is unsure throughout has a vote of 0"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "site-targets-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A hospital without films in this round, and a model that broke: nan is not a probability
target, weight, vote = site_targets(np.zeros(0), np.zeros(0, dtype=int), 0.9, 0.5)
assert np.asarray(target).shape == (0,) and float(np.asarray(vote)) == 0, "no films: empty targets and a vote of 0"
try:
    site_targets(np.array([0.2, np.nan]), np.array([1, -1]), 0.9, 0.5)
except ValueError:
    pass
else:
    raise AssertionError("a nan among the probabilities must raise a ValueError, not quietly count as unsure")
### BEGIN HIDDEN TESTS
for probabilities, cut, faith in (([0.2, 1.3], 0.9, 0.5), ([0.2, 0.4], 0.3, 0.5), ([0.2, 0.4], 0.9, 1.5), ([0.2], 0.9, 0.5)):
    try:
        site_targets(np.array(probabilities), np.array([1, -1]), cut, faith)
    except ValueError:
        continue
    raise AssertionError("a probability above 1, a threshold below 0.5, a trust above 1 or another number of labels must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Is it worth it?
#
# Three models, two settings. The models: A's 60 labelled films alone; the federation with pseudo-labels at B, C and D; and the ceiling, a federation in which all films are labelled. The settings: all hospitals have one scanner; or each has its own, as in 11.3. Nothing else differs.
#
# Who has 60 labels has none to spare for choosing a threshold and a trust. So both are fixed beforehand, with a reason: sure is 90 %; and the trust is so small that B, C and D, sure of everything, would together weigh as much as A. The first half of the rounds belongs to A alone. Rounds and rate are those of FedAvg in 11.3.
#
# **Predict before you run.** Where do pseudo-labels help more: with one scanner, or with four? The threshold asks for 90 % sureness. Will 90 % of the pseudo-labels be right?

# %% tags=["demo"]
LABELLED, THRESHOLD = 60, 0.9  # films with labels, all at hospital A
TRUST = LABELLED / (0.75 * len(x_train))  # if the model is sure of all films of B, C and D, these three together count as much as A


def semi_round(net: nn.Module, x: torch.Tensor, y: torch.Tensor, known: torch.Tensor, steps: int, lr: float, seed: int) -> float:
    """One hospital's round, in place: learn from labels where known, else from what the shared model is sure of, on bands with noise. Returns its vote."""
    belief = torch.sigmoid(logits(net, x))
    doubt = torch.minimum(belief, 1 - belief)
    use = torch.nonzero(known | (doubt <= 1 - THRESHOLD)).flatten()
    if len(use) == 0:
        return 0.0
    goal = torch.where(known, y, belief.round())[use]
    say = torch.where(known, 1.0, TRUST)[use]
    noisy = x[use] * (1 + 0.1 * torch.randn(x[use].shape, generator=torch.Generator().manual_seed(seed)))
    train_local(net, noisy, goal, steps, lr, seed)
    return float(say.sum())


def federate_semi(sites: list[Site], known: list[torch.Tensor], rounds: int, warm: int, steps: int, lr: float, seed: int) -> nn.Module:
    """`warm` rounds at the hospitals with labels only, then all hospitals; each counts by its vote."""
    net = new_band_net(seed)
    common = pack(net)
    for number in range(rounds):
        sent, votes = [], []
        for k, (x, y) in enumerate(sites):
            if number < warm and not known[k].any():
                continue
            unpack(net, common)
            vote = semi_round(net, x, y, known[k], steps, lr, seed=10_000 * seed + 100 * number + k)
            if vote > 0:
                sent.append(pack(net))
                votes.append(vote)
        common = weighted(sent, votes)
        unpack(net, common)
    return net

# %% tags=["demo"]
few: dict[tuple[str, str], list[float]] = {}  # (scanners, method) -> mean AUC over the four hospitals, a seed each
bought: list[tuple[float, float]] = []  # of the last pseudo-labels: the share of sure films, and how many of these labels are right
warm_rounds = site_rounds // 2


def four_hospitals(net: nn.Module, scanners: list[str]) -> float:
    return float(np.mean([auc_of(net, *tests[scanner]) for scanner in scanners]))


for setting, scanners in (("one scanner", ["A"] * 4), ("four scanners", SEEN)):
    for seed in site_seeds:
        cuts = deal(y_train.numpy(), child, 4, 1000.0, np.random.default_rng(seed))
        sites = [(bands_of(scan(x_train[cut], scanner, 10 * seed + k)), y_train[cut]) for k, (cut, scanner) in enumerate(zip(cuts, scanners, strict=True))]
        few_sites = [(sites[0][0][:LABELLED], sites[0][1][:LABELLED]), *sites[1:]]
        known = [torch.full((len(x),), k == 0) for k, (x, _) in enumerate(few_sites)]
        lone = new_band_net(seed)
        train_local(lone, *few_sites[0], site_rounds * site_steps, site_lr, seed)
        few.setdefault((setting, "labelled films of A alone"), []).append(four_hospitals(lone, scanners))
        semi = federate_semi(few_sites, known, site_rounds, warm_rounds, site_steps, site_lr, seed)
        few.setdefault((setting, "federated, pseudo-labels"), []).append(four_hospitals(semi, scanners))
        full, _ = federate(sites, site_rounds, site_steps, site_lr, seed, make=new_band_net)
        few.setdefault((setting, "federated, all labelled"), []).append(four_hospitals(full, scanners))
        for k in (1, 2, 3):
            belief = torch.sigmoid(logits(semi, sites[k][0]))
            sure = torch.maximum(belief, 1 - belief) >= THRESHOLD
            bought.append((float(sure.float().mean()), float((belief.round() == sites[k][1])[sure].float().mean()) if sure.any() else 0.0))

# %% tags=["demo"]
methods = ["labelled films of A alone", "federated, pseudo-labels", "federated, all labelled"]
fig, axes = plt.subplots(1, 2, figsize=(9.5, 2.8), sharey=True, layout="constrained")
for ax, setting in zip(axes, ("one scanner", "four scanners"), strict=True):
    for line, name in enumerate(methods):
        ax.plot(few[setting, name], [line] * len(few[setting, name]), "o", color="0.6", markersize=4)
        ax.plot(np.mean(few[setting, name]), line, "|", color=show.PALETTE[line], markersize=18, markeredgewidth=3)
    ax.axvline(0.5, color="0.4", linestyle=":")
    ax.set(title=setting, xlabel="mean test AUC of the four hospitals")
axes[0].set_yticks(range(3), methods)
axes[0].set_ylim(2.5, -0.5)
show.figure(fig, alt="Two panels, one scanner and four scanners, each with three lines: the AUC of 60 labelled films alone, of the federation with pseudo-labels and of the federation with all labels; grey dots are seeds, bars are means")
semi_gain = {setting: over_repeats(np.subtract(few[setting, methods[1]], few[setting, methods[0]])) for setting in ("one scanner", "four scanners")}
for setting, (value, low, high) in semi_gain.items():
    print(f"{setting:14s}", "; ".join(f"{name} {np.mean(few[setting, name]):.3f}" for name in methods), f"; pseudo-labels less alone {value:+.3f} [{low:+.3f}, {high:+.3f}]")
for setting, rows in (("one scanner", bought[: len(bought) // 2]), ("four scanners", bought[len(bought) // 2 :])):
    share, right = np.mean(rows, axis=0)
    print(f"{setting:14s} the final model is sure of {share:.0%} of B's, C's and D's films, and right about {right:.0%} of these; always saying pneumonia is right about {max(float(y_train.mean()), 1 - float(y_train.mean())):.0%}")
assert np.mean(few["one scanner", methods[2]]) > 0.55, "with all labels the federation should learn"

# %% [markdown]
# The models differ in one thing more than in the films that they see: inside the federation all films, A's too, carry a little noise in training. A small gain could be the noise's.
#
# Three numbers belong together: the gain with its interval, how many films the model was sure of, and how many of those pseudo-labels were right (which only we know, as we hid the labels). A sureness of 90 % is the network's word; it is trained to be sure of its own pseudo-labels, so it may become surer than it is right. Compare the share that is right with the threshold, and with always saying pneumonia. If the gain's interval holds 0,
# then the unlabelled hospitals gave nothing that can be told from luck, and the honest report says so. More labelled films are the other way to spend the effort: the third line is what they would buy.
#
# **Checkpoint.** The labelled hospital treats mostly severe pneumonia, and B's patients have mild ones. The mean AUC rises by federated pseudo-labels. What may still go wrong at B, and who would notice?
#
# <details><summary>Answer</summary>The model has seen no mild pneumonia, is sure that mild films are normal, and B trains it to be surer: a bias of A is copied to B (confirmation bias across hospitals). No loss shows it, as the loss at B is measured against the pseudo-labels. Only a labelled test set at B would: fifty films, read once.</details>

# %% [markdown]
# ## 11.5 Challenge and future direction
#
# "The data never leave the hospital" is true, and does not say that nothing about them leaves. This section attacks the federation in two ways, and defends it in three:
#
# | Who is not trusted | What may happen | Defence | What it does not do |
# |---|---|---|---|
# | the server | reads films out of gradients | clip each film's gradient and add noise (differential privacy) | keep all of the accuracy |
# | the server | reads one hospital's update | secure aggregation: masks that cancel in the sum | hide what the sum tells |
# | a hospital | sends poison | a robust rule in place of the mean | work with secure aggregation, which hides the outlier |
#
# ### A gradient holds the film
#
# A gradient is a sum of products of *what came in* and *what was wrong*. In a first layer, what came in is the film. If that layer is linear with a bias, then one line of algebra gives the film back (exercise 11.5a). Zhu, Liu and Han (NeurIPS 2019) showed that it works for other smooth networks as well: start from some film (theirs was noise, ours is grey), compute *its* gradient, and
# change the film until its gradient is the one that the hospital sent. Geiping and others (NeurIPS 2020) matched the direction of the gradient alone, and did it for deeper networks.

# %% [markdown]
# ### Exercise 11.5a - the image in a gradient
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can read a patient's image out of a gradient, and say when that works*
#
# A network begins with a linear layer, $z = W x + b$. With $\delta_i = \partial L / \partial z_i$, the chain rule gives $\partial L / \partial b_i = \delta_i$ and $\partial L / \partial W_{ij} = \delta_i x_j$. Write `image_from_gradient(grad_w, grad_b)`, which returns $x$ from the gradient of a *single* image.
#
# <details><summary>Hint 1: the idea</summary>Each row of the first gradient is the image times a number, and the second gradient tells the number.</details>
# <details><summary>Hint 2: what to call</summary>Take the row with the largest <code>np.abs(grad_b)</code>, or all rows by least squares: <code>grad_b @ grad_w / (grad_b @ grad_b)</code>.</details>
# <details><summary>I get nan</summary>Units that are switched off (ReLU) have a gradient of exactly 0 in both. Don't divide by those.</details>

# %% nbgrader={"grade": false, "grade_id": "gradient-leak", "locked": false, "schema_version": 3, "solution": true, "task": false}
def image_from_gradient(grad_w: np.ndarray, grad_b: np.ndarray) -> np.ndarray:
    """The image that made a gradient.

    Args:
        grad_w: (H, D) gradient of the loss with respect to W, of one image; D pixels.
        grad_b: (H,) gradient with respect to b; some entries may be 0.

    Returns:
        (D,) the image x.

    Raises:
        ValueError: H differs between the two, or grad_b is 0 throughout: then nothing can be read.
    """
    ### BEGIN SOLUTION
    grad_w, grad_b = np.asarray(grad_w, dtype=float), np.asarray(grad_b, dtype=float)
    if grad_w.shape[:1] != grad_b.shape:
        raise ValueError("W and b must have gradients for the same units")
    if not np.any(grad_b):
        raise ValueError("the gradient of b is 0 throughout: nothing can be read from it")
    row = np.argmax(np.abs(grad_b))
    return grad_w[row] / grad_b[row]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "gradient-leak-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Two units, three pixels: x = (1, 2, 3), delta = (-2, 4), so the gradient of W is ((-2, -4, -6), (4, 8, 12))
out = np.asarray(image_from_gradient(np.array([[-2.0, -4, -6], [4, 8, 12]]), np.array([-2.0, 4])), dtype=float)
assert out.shape == (3,), f"an image of 3 pixels has the shape (3,), not {out.shape}"
assert not np.allclose(out, [1, 1 / 2, 1 / 3]), "upside down: divide the gradient of W by that of b"
assert not np.allclose(out, [-1, -2, -3]), "the image came out negative: keep the sign of the gradient of b, it is the sign of delta"
assert np.allclose(out, [1, 2, 3]), f"the image should be 1, 2, 3, not {out}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1151)
for units, pixels in ((1, 5), (16, 784), (40, 9)):
    x, delta = rng.normal(size=pixels), rng.normal(size=units)
    assert np.allclose(np.asarray(image_from_gradient(np.outer(delta, x), delta.copy())), x, rtol=1e-4, atol=1e-6), f"with {units} units and {pixels} pixels the image is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gradient-leak-dead", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Units that are off: the first one is, as ReLU units often are. And deltas that add up to 0
x, delta = np.array([0.2, 0.0, 0.9, 0.5]), np.array([0.0, 0.3, 0.0, -0.1, -0.2])
with np.errstate(all="ignore"):
    out = np.asarray(image_from_gradient(np.outer(delta, x), delta.copy()), dtype=float)
assert np.isfinite(out).all(), "nan or infinity: a unit that is off has 0 in both gradients. Use units with a gradient"
assert np.allclose(out, x), "the image is off when some units are off: take a unit whose gradient of b is far from 0, or weigh all by least squares (plain sums may cancel)"
### BEGIN HIDDEN TESTS
for seed in range(5):
    rng = np.random.default_rng([1152, seed])
    x, delta = rng.uniform(0, 1, 30), rng.normal(size=12) * (rng.random(12) < 0.4)
    delta[0], delta[1] = 0.0, 1e-9
    delta[5] = delta[5] or 0.7
    noisy = np.outer(delta, x) + 1e-7 * rng.normal(size=(12, 30))  # rounding errors
    with np.errstate(all="ignore"):
        out = np.asarray(image_from_gradient(noisy, delta.copy()), dtype=float)
    assert np.allclose(out, x, atol=1e-3), "a unit with a gradient of nearly 0 spoils the image by rounding errors: prefer the unit with the largest"
x, delta = np.array([0.2, 0.0, 0.9, 0.5]), np.array([0.0, -0.3, -0.1])
with np.errstate(all="ignore"):
    out = np.asarray(image_from_gradient(np.outer(delta, x), delta.copy()), dtype=float)
assert np.allclose(out, x), "when no gradient of b is positive, the largest is that of a unit that is off: compare sizes, np.abs(grad_b)"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gradient-leak-none", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Nothing to read: a model that is sure and right has no gradient, and an image of nan would be no answer
assert np.allclose(np.asarray(image_from_gradient(np.array([[3.0, 6.0]]), np.array([3.0]))), [1, 2]), "one unit is enough: (3, 6) / 3 is (1, 2)"
try:
    image_from_gradient(np.zeros((4, 6)), np.zeros(4))
except ValueError:
    pass
else:
    raise AssertionError("a gradient of 0 throughout must raise a ValueError")
### BEGIN HIDDEN TESTS
try:
    image_from_gradient(np.ones((4, 6)), np.ones(3))
except ValueError:
    pass
else:
    raise AssertionError("gradients of 4 and of 3 units don't belong together: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### The theft
#
# Two networks, a dense one and a small convolutional one with sigmoids. A hospital sends the gradient of one film: first as it is but for its length (clipped to a norm of $C = 1$), then with normal noise of standard deviation $\sigma C$ on each number. The attacker knows the network. The error is that of the stolen film over that of the mean training film: 1 is what one gets for nothing.
#
# **Predict before you run.** Clipping alone makes the gradient shorter. Does it hide the film? At which noise do you stop recognising it? And what if the gradient is the mean over eight films?

# %% tags=["demo"]
def small_dense(seed: int) -> nn.Module:
    """784 pixels, 32 units, one logit: its first layer has a bias."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.Tanh(), nn.Linear(32, 1), nn.Flatten(0))


def small_smooth(seed: int) -> nn.Module:
    """Two convolutions with sigmoids, as in Zhu and others (2019); its weights start wide, so that units differ."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(1, 12, 5, 2, 2), nn.Sigmoid(), nn.Conv2d(12, 12, 5, 1, 2), nn.Sigmoid(), nn.Flatten(), nn.Linear(12 * 14 * 14, 1), nn.Flatten(0))
    for layer, width in ((net[0], 0.5), (net[2], 0.1), (net[5], 0.5)):
        for weight in layer.parameters():
            nn.init.uniform_(weight, -width, width)
    return net.double()  # L-BFGS needs the digits


def gradient_of(net: nn.Module, x: torch.Tensor, y: torch.Tensor, graph: bool = False) -> list[torch.Tensor]:
    """What a hospital would send after one step: the mean gradient of a batch."""
    loss = nn.functional.binary_cross_entropy_with_logits(net(x), y)
    return list(torch.autograd.grad(loss, list(net.parameters()), create_graph=graph))

# %% tags=["demo"]
def solve_dense(sent: list[torch.Tensor]) -> torch.Tensor:
    """(784,) the image that explains the first layer's two gradients best."""
    return torch.linalg.lstsq(sent[1][:, None], sent[0]).solution[0]


def solve_smooth(net: nn.Module, sent: list[torch.Tensor], steps: int) -> torch.Tensor:
    """(784,) an image that L-BFGS has changed until its gradient points where the sent one does (a clip hides the length alone). The sign of the last bias's gradient tells the label."""
    y, wanted = (sent[-1] < 0).double(), torch.cat([s.flatten() for s in sent])
    guess = torch.zeros(1, 1, 28, 28, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([guess], lr=1, max_iter=steps, max_eval=2 * steps, history_size=50, line_search_fn="strong_wolfe", tolerance_change=0, tolerance_grad=0)

    def mismatch() -> torch.Tensor:
        optimizer.zero_grad()
        made = gradient_of(net, guess, y, graph=True)
        value = 1 - nn.functional.cosine_similarity(torch.cat([m.flatten() for m in made]), wanted, dim=0)
        value.backward()
        return value

    optimizer.step(mismatch)
    return guess.detach().float().flatten().clamp(-1, 1)

# %% tags=["demo"]
def defended(sent: list[torch.Tensor], clip: float, noise_multiplier: float, seed: int) -> list[torch.Tensor]:
    """A gradient shortened to a norm of at most `clip`, with normal noise of `noise_multiplier * clip`."""
    norm, rng = torch.cat([s.flatten() for s in sent]).norm(), torch.Generator().manual_seed(seed)
    return [s / max(1.0, float(norm / clip)) + noise_multiplier * clip * torch.randn(s.shape, generator=rng) for s in sent]


victims = x_train[[int(torch.nonzero(y_train == c)[SEED]) for c in (1, 0)]]  # one film with pneumonia, one without
victim_y, mean_film = torch.tensor([1.0, 0.0]), x_train.mean(0).flatten()
CLIP, LEVELS = 1.0, (0.0, 0.001, 0.01, 0.1, 1.0)
dense, smooth, inversion_steps = small_dense(SEED), small_smooth(SEED), run.pick(ci=60, laptop=200)


def error_of(image: torch.Tensor, film: torch.Tensor) -> float:
    """Root mean square error over that of the mean training film: 1 is what one gets without the gradient."""
    truth = film.flatten()
    return float((image - truth).norm() / (mean_film - truth).norm())


stolen: dict[tuple[str, float], list[torch.Tensor]] = {}
for level in LEVELS:
    for film, label in zip(victims, victim_y, strict=True):
        x, y = film[None], label[None]
        stolen.setdefault(("dense", level), []).append(solve_dense(defended(gradient_of(dense, x, y), CLIP, level, SEED)).clamp(-1, 1))
        if level in (0.0, 0.001, 0.01):
            stolen.setdefault(("smooth", level), []).append(solve_smooth(smooth, defended(gradient_of(smooth, x.double(), y.double()), CLIP, level, SEED), inversion_steps))
theft = {key: [error_of(image, film) for image, film in zip(images, victims, strict=True)] for key, images in stolen.items()}
batch_theft = {size: float(np.mean([min(error_of(solve_dense(gradient_of(dense, x_train[at : at + size], y_train[at : at + size])), film) for film in x_train[at : at + size]) for at in range(0, 80, 8)])) for size in (1, 4, 8)}

# %% tags=["demo"]
columns = [("film", None), ("mean film", None)] + [("dense", level) for level in LEVELS] + [("smooth", level) for level in (0.0, 0.001, 0.01)]
fig, axes = plt.subplots(2, len(columns), figsize=(12.5, 3.5), layout="constrained")
for number, line in enumerate(axes):
    for ax, (name, level) in zip(line, columns, strict=True):
        image = victims[number] if name == "film" else mean_film if name == "mean film" else stolen[name, level][number]
        ax.imshow(image.reshape(28, 28), vmin=-1, vmax=1)
        ax.set_axis_off()
        says = "" if level is None else f"{theft[name, level][number]:.2g}"
        ax.set_title(name if level is None else f"{name}\nnoise {level:g}\nerror {says}", fontsize=8)
show.figure(fig, alt="Two rows, one a film. From left: the film, the mean training film, five films recovered from a dense network's gradient and three from a convolutional one's, with growing noise. Without noise the film is recognised; the more noise, the less of it is left")
print("error over that of the mean film, single images:", "; ".join(f"{name}, noise {level:g}: {np.mean(v):.3g}" for (name, level), v in theft.items()))
print("no noise, mean gradient of a batch, the film that is hit best:", "; ".join(f"{size} films: {value:.2f}" for size, value in batch_theft.items()))
for name, net in (("dense", dense), ("smooth", smooth)):
    kind = next(net.parameters()).dtype
    lengths = [float(torch.cat([g.flatten() for g in gradient_of(net, film[None].to(kind), label[None].to(kind))]).norm()) for film, label in zip(victims, victim_y, strict=True)]
    print(f"{name}, length of the two films' gradients before the clip at {CLIP:g}:", ", ".join(f"{length:.2g}" for length in lengths))
assert max(theft["dense", 0.0]) < 0.01, "without noise, a dense first layer gives the film away"
assert np.mean(theft["smooth", 0.0]) < 0.7, "the optimisation should come closer to the film than the mean film is"
assert np.mean(theft["dense", 1.0]) > 1, "clipped and with noise, the attack should do worse than the mean film"

# %% [markdown]
# - Clipping alone hides nothing: the film is in the direction of the gradient, and a clip changes its length.
# - The dense layer gives a single film away, digit for digit. The mean over a batch is a mixture, from which this simple attack gets less. Don't rely on it: a server that may choose the weights can make units that answer to one film each (Fowl and others, ICLR 2022).
# - With enough noise both attacks fail. Read from the figure how much each film needs. Noise is measured by the clip, not by the film's own gradient: of a film on which the network is already right and sure, the gradient is far shorter than the clip, and a little noise drowns it; a film that surprises the network stays readable longer. What an attack *that we tried* can't do is no proof. Differential privacy is one: it bounds what any attack can do.
#
# ### Differential privacy, film by film
#
# A training is **$(\varepsilon, \delta)$-differentially private** if for any two sets of films that differ in one film, and any set $S$ of outcomes, $P(\text{outcome} \in S) \le e^{\varepsilon} P'(\text{outcome} \in S) + \delta$. Whoever sees the model can hardly tell whether one film was in. DP-SGD (Abadi and others, CCS 2016) reaches it in two steps: **clip** each film's gradient to a norm of $C$, so that no film moves
# the sum by more than $C$; and add **noise** of standard deviation $\sigma C$ to the sum. An **accountant** adds up what all rounds spend. Both steps are needed. Noise without a clip promises nothing, as one film may be louder than the noise; and noise that doesn't grow with the clip promises less than it says.

# %% [markdown]
# ### Exercise 11.5b - clip each film's gradient
#
# Difficulty 3 of 5 - 4 points - about 15 minutes - *after it you can bound what a single patient does to a model*
#
# Write `clip_and_sum(per_sample, clip)`. A network has several parameter arrays; `per_sample` lists the gradients, one array a parameter, with the films along the first axis. The norm $\lVert g_n \rVert$ of film $n$ runs over *all* its numbers in all arrays. Its gradient is multiplied by $\min(1, C / \lVert g_n \rVert)$, and the results are summed over films.
#
# <details><summary>Hint 1: the idea</summary>One norm and one factor for each film. Gradients that are short enough stay as they are.</details>
# <details><summary>Hint 2: what to call</summary><code>g.reshape(len(g), -1)</code>, sums of squares added over the arrays, a square root; <code>np.tensordot(factor, g, axes=1)</code> sums factor times gradient over films.</details>
# <details><summary>I get nan for some film</summary>A film with a gradient of 0 gives 0 / 0. Its factor is 1.</details>
# <details><summary>"cannot reshape array of size 0"</summary>Without a film, numpy can't work out the <code>-1</code>. Say the number: <code>int(np.prod(g.shape[1:]))</code>; or sum the squares over <code>axis=tuple(range(1, g.ndim))</code>, which needs no reshape.</details>

# %% nbgrader={"grade": false, "grade_id": "clip-per-sample", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clip_and_sum(per_sample: list[np.ndarray], clip: float) -> list[np.ndarray]:
    """Sum over films of gradients that are clipped to a norm of at most `clip`.

    Args:
        per_sample: one array (B, ...) for each parameter: the gradients of B films; B may be 0.
        clip: C, the largest norm that a film's whole gradient may have, above 0.

    Returns:
        One array (...) for each parameter: the sum over films.

    Raises:
        ValueError: clip is not above 0, or a gradient is not finite.
    """
    ### BEGIN SOLUTION
    if not clip > 0 or not all(np.isfinite(g).all() for g in per_sample):
        raise ValueError("clip must be above 0 and every gradient finite")
    square = sum((np.asarray(g, dtype=float).reshape(len(g), int(np.prod(g.shape[1:]))) ** 2).sum(1) for g in per_sample)
    factor = clip / np.maximum(np.sqrt(square), clip)
    return [np.tensordot(factor, g, axes=1) for g in per_sample]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "clip-per-sample-film", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One factor a film: (3, 4) has norm 5 and is clipped to (0.6, 0.8); (0.4, -0.3) has norm 0.5 and stays
out = clip_and_sum([np.array([[3.0, 4.0], [0.4, -0.3]])], 1.0)
assert isinstance(out, list) and len(out) == 1 and np.shape(out[0]) == (2,), "return a list with one array for each parameter, without the axis of films"
out, total = np.asarray(out[0], dtype=float), np.array([3.4, 3.7])
assert not np.allclose(out, total / np.linalg.norm(total)), "the SUM was clipped to 1. Clip each film's gradient first: one outlier must not hide the others, and the bound has to hold for a patient"
assert not np.allclose(out, 2 * total / np.linalg.norm(total)), "the mean was clipped: clip each film's gradient before anything is summed"
assert not np.allclose(out, [1.4, 0.2]), "the short gradient was lengthened to 1: a gradient below the clip stays, the factor is min(1, C / norm)"
assert not np.allclose(out, [1.4, 0.7]), "each number was cut at 1: that turns the direction. Scale the whole gradient"
assert not np.allclose(out, [0.5, 0.25]), "that is the mean over films: the sum is asked for (dividing comes after the noise)"
assert np.allclose(out, [1.0, 0.5]), f"(0.6, 0.8) + (0.4, -0.3) is (1.0, 0.5), not {out}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1153)
for count, pixels, c in ((7, 5, 0.7), (3, 40, 2.0), (20, 3, 10.0)):
    g = rng.normal(size=(count, pixels)) * rng.exponential(2, (count, 1))
    right = sum(row * min(1.0, c / np.sqrt((row**2).sum())) for row in g)
    assert np.allclose(np.asarray(clip_and_sum([g.copy()], c)[0]), right, rtol=1e-4, atol=1e-6), f"{count} films, {pixels} numbers, clip {c}: the sum is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "clip-per-sample-joint", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# One norm over all arrays: weights (3, 0), bias 4 -> norm 5, so with C = 1 everything is divided by 5
out = [np.asarray(part, dtype=float) for part in clip_and_sum([np.array([[[3.0, 0.0]]]), np.array([[4.0]])], 1.0)]
assert [part.shape for part in out] == [(1, 2), (1,)], f"the sums have the parameters' shapes, (1, 2) and (1,), not {[part.shape for part in out]}"
assert not np.allclose(out[0], [[1, 0]]), "each array was clipped by itself: then a film of L arrays has a norm of up to sqrt(L) C. Take one norm over all arrays"
assert np.allclose(out[0], [[0.6, 0]]) and np.allclose(out[1], [0.8]), "weights (3, 0) and bias 4 should become (0.6, 0) and 0.8"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1154)
parts = [rng.normal(size=(6, 4, 3)), rng.normal(size=(6, 4)), rng.normal(size=(6, 2, 2, 2))]
norms = np.sqrt(sum((part.reshape(6, -1) ** 2).sum(1) for part in parts))
c = float(np.median(norms))
out = clip_and_sum([part.copy() for part in parts], c)
for got, part in zip(out, parts, strict=True):
    assert np.allclose(np.asarray(got), sum(part[i] * min(1.0, c / norms[i]) for i in range(6)), rtol=1e-4, atol=1e-6), "three arrays: the sum is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "clip-per-sample-bound", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The promise: taking one film away changes the sum by at most C, however wild the film
rng = np.random.default_rng(1155)
parts = [rng.normal(size=(9, 4)), rng.normal(size=(9, 2, 2))]
for part in parts:
    part[3] *= 1e4
whole, less = clip_and_sum([part.copy() for part in parts], 0.5), clip_and_sum([np.delete(part, 3, 0) for part in parts], 0.5)
moved = np.sqrt(sum(((np.asarray(a) - np.asarray(b)) ** 2).sum() for a, b in zip(whole, less, strict=True)))
assert moved < 0.5 * (1 + 1e-4), f"taking one film away moved the sum by {moved:.3g}, more than C = 0.5"
assert moved > 0.49, f"the wild film moves the sum by {moved:.3g} only: clipped, its norm should be C = 0.5"
### BEGIN HIDDEN TESTS
for film in (0, 8):
    less = clip_and_sum([np.delete(part, film, 0) for part in parts], 0.5)
    moved = np.sqrt(sum(((np.asarray(a) - np.asarray(b)) ** 2).sum() for a, b in zip(whole, less, strict=True)))
    assert moved < 0.5 * (1 + 1e-4), "one film moves the sum by more than the clip"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "clip-per-sample-edge", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The edges: a film that teaches nothing, and a batch that happens to be empty (with random sampling it will)
with np.errstate(all="ignore"):
    out = np.asarray(clip_and_sum([np.array([[0.0, 0.0], [6.0, 8.0]])], 5.0)[0], dtype=float)
assert np.isfinite(out).all(), "a gradient of 0 gives nan: its factor is 1, not 0 / 0"
assert np.allclose(out, [3, 4]), f"(0, 0) and (6, 8) with C = 5 give (3, 4), not {out}"
empty = clip_and_sum([np.zeros((0, 3, 2)), np.zeros((0, 3))], 1.0)
assert [np.shape(part) for part in empty] == [(3, 2), (3,)] and not any(np.any(np.asarray(part)) for part in empty), "no film drawn: zeros of the parameters' shapes"
### BEGIN HIDDEN TESTS
for gradients, c in (([np.ones((2, 3))], 0.0), ([np.ones((2, 3))], -1.0), ([np.array([[1.0, np.nan]])], 1.0), ([np.ones((1, 2)), np.array([[np.inf]])], 1.0)):
    try:
        clip_and_sum([g.copy() for g in gradients], c)
    except ValueError:
        continue
    raise AssertionError("a clip of 0 or less, or a gradient that is nan or infinite, must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 11.5c - noise that fits the clip
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can say why noise without its clip promises nothing*
#
# Write `private_step(clipped, clip, noise_multiplier, expected, z)`: the gradient that a hospital may send,
#
# $$\tilde g = \frac{1}{L} \Big( \sum_n \bar g_n + \sigma C z \Big)$$
#
# with the clipped gradients $\bar g_n$, the noise multiplier $\sigma$, standard normal noise $z$, which is given, and $L$, the number of films that a batch has *on average*. (How many were drawn this time depends on who was drawn, so it's a secret as well.)
#
# <details><summary>Hint 1: the idea</summary>The noise is there to drown one film, and one film has a norm of up to C.</details>
# <details><summary>Hint 2: what to call</summary><code>clipped.sum(0)</code>, which is 0 for an empty batch.</details>
# <details><summary>My value is right for one batch and wrong for another</summary>Do you divide by the films that were drawn? Divide by <code>expected</code>.</details>

# %% nbgrader={"grade": false, "grade_id": "dp-noise", "locked": false, "schema_version": 3, "solution": true, "task": false}
def private_step(clipped: np.ndarray, clip: float, noise_multiplier: float, expected: float, z: np.ndarray) -> np.ndarray:
    """A noisy mean of clipped gradients.

    Args:
        clipped: (B, P) gradients of the films that were drawn, each of norm at most `clip`; B may be 0.
        clip: C, above 0.
        noise_multiplier: sigma, at least 0; without unit.
        expected: L, how many films a batch has on average, above 0.
        z: (P,) standard normal noise.

    Returns:
        (P,) the noisy gradient.

    Raises:
        ValueError: a row's norm exceeds clip by more than rounding, or clip, noise_multiplier or expected is out of range.
    """
    ### BEGIN SOLUTION
    clipped = np.asarray(clipped, dtype=float)
    if not clip > 0 or not noise_multiplier >= 0 or not expected > 0:
        raise ValueError("clip and expected must be above 0, the noise multiplier at least 0")
    if (np.linalg.norm(clipped, axis=1) > clip * (1 + 1e-5)).any():
        raise ValueError("a gradient is longer than the clip: then the noise does not hide it")
    return (clipped.sum(0) + noise_multiplier * clip * np.asarray(z)) / expected
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "dp-noise-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Two films of a batch that has four on average: sum (3, 1), sigma 2, C 3, z (1, -1) -> (3 + 6, 1 - 6) / 4
two = np.array([[2.0, 1.0], [1.0, 0.0]])
out = np.asarray(private_step(two.copy(), 3.0, 2.0, 4.0, np.array([1.0, -1.0])), dtype=float)
assert out.shape == (2,), f"the gradient has the shape (2,), not {out.shape}"
assert not np.allclose(out, [5 / 4, -1 / 4]), "the noise has the size sigma, whatever the clip: a film may have a norm of C, so the noise must be sigma times C"
assert not np.allclose(out, [9 / 2, -5 / 2]), "you divide by the two films that were drawn: their number is a secret too. Divide by `expected`"
assert not np.allclose(out, [3 / 4 + 6, 1 / 4 - 6]), "the noise belongs to the sum: add it before you divide by L"
assert not np.allclose(out, [15 / 4, -11 / 4]), "the noise was added once for each film: once for the sum is enough"
assert not np.allclose(out, [21 / 4, -17 / 4]), "the noise has C squared: its standard deviation is sigma times C, its variance the square of that"
assert np.allclose(out, [9 / 4, -5 / 4]), f"expected (2.25, -1.25), not {out}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1156)
for count, c, sigma, l in ((5, 0.5, 1.3, 8.0), (1, 4.0, 0.2, 3.0), (12, 1.0, 0.0, 10.0)):
    g, z = rng.normal(size=(count, 6)), rng.normal(size=6)
    g *= c * rng.uniform(0.1, 1, (count, 1)) / np.linalg.norm(g, axis=1, keepdims=True)
    assert np.allclose(np.asarray(private_step(g.copy(), c, sigma, l, z.copy())), (g.sum(0) + sigma * c * z) / l, rtol=1e-4, atol=1e-6), f"clip {c}, sigma {sigma}, expected {l}: the step is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "dp-noise-scale", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The unit: whoever measures gradients ten times as large, and clips at ten times as much, must send ten times the same, noise included
rng = np.random.default_rng(1157)
g, z = rng.uniform(-0.2, 0.2, (3, 5)), rng.normal(size=5)
once, tenfold = np.asarray(private_step(g.copy(), 1.0, 1.5, 4.0, z.copy())), np.asarray(private_step(10 * g, 10.0, 1.5, 4.0, z.copy()))
assert np.allclose(tenfold, 10 * once), "with ten times the gradient and ten times the clip the result is not tenfold: the noise must scale with the clip"
nobody = np.asarray(private_step(np.zeros((0, 5)), 1.0, 1.5, 4.0, z.copy()))
assert np.allclose(nobody, 1.5 * z / 4), "an empty batch must send noise all the same: silence would tell that nobody was drawn"
### BEGIN HIDDEN TESTS
assert np.allclose(np.asarray(private_step(np.zeros((0, 3)), 0.2, 3.0, 2.0, np.ones(3))), 0.3), "an empty batch with clip 0.2, sigma 3, expected 2 sends 0.3"
bare = np.asarray(private_step(g.copy(), 5.0, 0.0, 4.0, z.copy()))
assert np.allclose(bare, g.sum(0) / 4), "with a multiplier of 0 there is no noise"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "dp-noise-guard", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The guard: noise that was made for a norm of 1 does not hide a gradient of norm 5
assert np.allclose(np.asarray(private_step(np.array([[0.6, 0.8]]), 1.0, 0.0, 1.0, np.zeros(2))), [0.6, 0.8]), "a gradient of norm exactly C is allowed"
try:
    private_step(np.array([[3.0, 4.0]]), 1.0, 1.0, 1.0, np.zeros(2))
except ValueError:
    pass
else:
    raise AssertionError("a gradient of norm 5 with a clip of 1 must raise a ValueError")
### BEGIN HIDDEN TESTS
small = np.array([[0.1, 0.1]])
for c, sigma, l in ((0.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (1.0, -0.5, 1.0), (1.0, 1.0, 0.0)):
    try:
        private_step(small.copy(), c, sigma, l, np.zeros(2))
    except ValueError:
        continue
    raise AssertionError("a clip or an expected number of 0 or less, or a negative multiplier, must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### What privacy costs
#
# The clip needs each film's own gradient, which batch norm doesn't have: there, a film's output depends on the others in its batch. So we take a model without it, a logistic regression on histograms of edge directions. Such features are fixed, and learned from no patient. With so few films, private training of good fixed features beats private training of a network (Tramèr and Boneh, ICLR 2021).
#
# Four hospitals train together. In each round each draws its films at random, clips, sums, adds noise *itself*, and sends. It trusts nobody. The accountant is a library's: Opacus (Yousefpour and others, 2021), with Rényi differential privacy (Mironov, CSF 2017) of a randomly drawn batch. The $\varepsilon$ is for one film at one hospital, over all rounds. A child with two films has less privacy than that: to protect
# people, clip by person.
#
# The clip and the learning rate must be chosen without looking at the patients: each trial training on them would spend privacy, too. So both come from *public* films, for which we take the validation set: the rate that ranks the other half of them best, and as a clip the median norm of a film's gradient over that training, which is the advice of Abadi and others.
#
# **Predict before you run.** Which costs more here, the clip or the noise? At which $\varepsilon$ would the curve bend?

# %% tags=["demo"]
from skimage.feature import hog
from torch.func import functional_call, grad, vmap


def edges(x: torch.Tensor) -> torch.Tensor:
    """(N, 1, 28, 28) -> (N, 1152) histograms of edge directions in small cells: a fixed rule that learned from no patient."""
    return torch.tensor(np.stack([hog(film[0].numpy(), orientations=8, pixels_per_cell=(4, 4), cells_per_block=(2, 2)) for film in x]), dtype=torch.float32)


public = edges(x_val)  # taken for films that are public: they centre and scale the edges, and cost no privacy
centre, unit = public.mean(0), float((public - public.mean(0)).square().sum(1).mean().sqrt())
f_train, f_test = (edges(x_train) - centre) / unit, (edges(x_test) - centre) / unit  # a typical film has norm 1
linear = nn.Linear(f_train.shape[1], 1)


def batch_loss(vector: torch.Tensor, f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Loss of a logistic regression on edges whose P = 1153 numbers, weights and bias, stand in one vector."""
    named = {"weight": vector[None, :-1], "bias": vector[-1:]}
    return nn.functional.binary_cross_entropy_with_logits(functional_call(linear, named, (f,)).squeeze(1), y)


def film_gradients(vector: torch.Tensor, f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """(B, P): the gradient of each film by itself."""
    return vmap(grad(batch_loss), in_dims=(None, 0, 0))(vector, f[:, None], y[:, None])


def auc_linear(vector: torch.Tensor) -> float:
    return float(roc_auc_score(y_test, f_test @ vector[:-1] + vector[-1]))

# %% tags=["demo"]
from opacus.accountants import RDPAccountant

private_rounds, DELTA = run.pick(ci=60, laptop=120), 1e-3
SIGMAS = (0.0, 0.6, 1.5, 4.0)
odd = torch.arange(len(public)) % 2 == 1
f_public = (public - centre) / unit


def fade(number: int, rounds: int) -> float:
    """From 1 in the first round to nearly 0 in the last, along half a cosine."""
    return 0.5 * (1 + np.cos(np.pi * number / rounds))


def rehearse(rate: float) -> tuple[float, float]:
    """Trained on half of the public films: the AUC on the other half, and the median norm of a film's gradient over all rounds."""
    vector, norms = torch.zeros(f_train.shape[1] + 1), []
    for number in range(private_rounds):
        each = film_gradients(vector, f_public[odd], y_val[odd])
        norms.append(each.norm(dim=1))
        vector = vector - rate * fade(number, private_rounds) * each.mean(0)
    return float(roc_auc_score(y_val[~odd], f_public[~odd] @ vector[:-1] + vector[-1])), float(torch.cat(norms).median())


rehearsed = {rate: rehearse(rate) for rate in (0.3, 1.0)}
private_lr = max(rehearsed, key=lambda rate: rehearsed[rate][0])
private_clip = round(rehearsed[private_lr][1], 2)
print("on public films:", "; ".join(f"learning rate {rate:g}: AUC {value:.3f}, median norm {norm:.2f}" for rate, (value, norm) in rehearsed.items()), f"- chosen: rate {private_lr:g}, clip {private_clip:g}")

# %% tags=["demo"]
def train_private(seed: int, noise_multiplier: float | None) -> tuple[float, float]:
    """Four hospitals; in each round each draws its films at random, clips, sums, adds noise and sends. None: neither clip nor noise. Returns test AUC and films a batch over films, q."""
    cuts = deal(y_train.numpy(), child, 4, 1000.0, np.random.default_rng(seed))
    q, vector, rng = 32 / float(np.mean([len(cut) for cut in cuts])), torch.zeros(f_train.shape[1] + 1), torch.Generator().manual_seed(seed)
    home = torch.zeros(len(x_train), dtype=torch.long)
    for k, cut in enumerate(cuts):
        home[cut] = k
    for number in range(private_rounds):
        drawn = torch.nonzero(torch.rand(len(x_train), generator=rng) < q).flatten()
        each = film_gradients(vector, f_train[drawn], y_train[drawn])
        if noise_multiplier is not None:
            each = nn.functional.normalize(each, dim=1) * each.norm(dim=1, keepdim=True).clamp(max=private_clip)
        sums = torch.zeros(4, len(vector)).index_add(0, home[drawn], each)
        if noise_multiplier:
            sums = sums + noise_multiplier * private_clip * torch.randn(sums.shape, generator=rng)
        vector = vector - private_lr * fade(number, private_rounds) * sums.sum(0) / (q * len(x_train))
    return auc_linear(vector), q


def epsilon_of(noise_multiplier: float, q: float) -> float:
    """Of one hospital for all rounds, by the library's accountant."""
    if noise_multiplier == 0:
        return float("inf")
    accountant = RDPAccountant()
    accountant.history = [(noise_multiplier, q, private_rounds)]  # noise multiplier, sampling rate, steps
    return float(accountant.get_epsilon(delta=DELTA, alphas=[1 + k / 10 for k in range(1, 100)] + list(range(11, 300))))


dp_seeds = range(SEED, SEED + run.pick(ci=3, laptop=5))
privacy = {sigma: np.array([train_private(seed, sigma) for seed in dp_seeds]) for sigma in (None, *SIGMAS)}
spent = {sigma: epsilon_of(sigma, privacy[sigma][0, 1]) for sigma in SIGMAS}

# %% tags=["demo"]
brightness_auc = bright["test films"]  # of section 11.1; its direction comes from the training films
with_noise = [sigma for sigma in SIGMAS if sigma]
points = np.array([over_repeats(privacy[sigma][:, 0]) for sigma in with_noise])
fig, ax = plt.subplots(figsize=(6.8, 3.6), layout="constrained")
ax.errorbar([spent[sigma] for sigma in with_noise], points[:, 0], yerr=[points[:, 0] - points[:, 1], points[:, 2] - points[:, 0]], marker="o", capsize=3, color=show.PALETTE[0], label="clip and noise")
for sigma, (value, *_) in zip(with_noise, points, strict=True):
    ax.annotate(rf"$\sigma$ = {sigma:g}", (spent[sigma], value), xytext=(5, -12), textcoords="offset points", fontsize=8)
ax.axhline(privacy[None][:, 0].mean(), color=show.PALETTE[2], linestyle="--", label="neither clip nor noise")
ax.axhline(privacy[0.0][:, 0].mean(), color=show.PALETTE[1], linestyle="-.", label="clip alone")
ax.axhline(brightness_auc, color="0.4", linestyle=":", label="mean brightness")
ax.set(xscale="log", xlabel=rf"$\varepsilon$ of each hospital ($\delta$ = {DELTA:g})", ylabel="test AUC")
ax.legend(fontsize=8)
show.figure(fig, alt="Test AUC over epsilon on a logarithmic axis, with intervals over seeds: it rises with epsilon towards the dashed lines of training without noise; a dotted line marks mean brightness")
print(f"mean brightness: AUC {brightness_auc:.3f}; {private_rounds} rounds, each film drawn with probability {privacy[1.5][0, 1]:.2f}")
assert privacy[None][:, 0].mean() > 0.65, "without clip and noise the regression should learn"


def still_stolen(noise_multiplier: float | None) -> float:
    """Mean error of the films that the attack on the dense network recovers at this noise, or without clip and noise (None); 1 is the mean film."""
    sent = [gradient_of(dense, film[None], label[None]) for film, label in zip(victims, victim_y, strict=True)]
    found = [solve_dense(g if noise_multiplier is None else defended(g, CLIP, noise_multiplier, SEED)).clamp(-1, 1) for g in sent]
    return float(np.mean([error_of(image, film) for image, film in zip(found, victims, strict=True)]))


costs = {sigma: "{:.3f} [{:.3f}, {:.3f}]".format(*over_repeats(privacy[sigma][:, 0])) for sigma in (None, *SIGMAS)}
saves = {sigma: still_stolen(sigma) for sigma in (None, *SIGMAS)}
pd.DataFrame({
    "epsilon": {"no clip, no noise": "none", **{f"clip {private_clip:g}, sigma {sigma:g}": f"{spent[sigma]:.3g}" for sigma in SIGMAS}},
    "costs: test AUC": dict(zip(("no clip, no noise", *(f"clip {private_clip:g}, sigma {sigma:g}" for sigma in SIGMAS)), costs.values(), strict=True)),
    "saves: error of the stolen film": dict(zip(("no clip, no noise", *(f"clip {private_clip:g}, sigma {sigma:g}" for sigma in SIGMAS)), (f"{value:.2g}" for value in saves.values()), strict=True)),
})

# %% [markdown]
# Read the table from top to bottom, the curve from right to left. The clip alone costs next to nothing here. Noise costs little at first, and then the AUC falls: an interval that grows tells that it depends more and more on the draw.
# What does it save? The last column is the attack of the last section on the dense network, a single film at a time, at the same $\sigma$. It fails long before $\varepsilon$ is small: it needs the single film's gradient nearly free of noise. But that is one attack; $\varepsilon$ speaks of all, also of those that only ask whether a child was in the training (membership inference). The hospitals' noises add up: four hospitals that trust nobody bring twice the noise (in standard deviation) of a trusted server that would add it once. With more films the same $\sigma$ is a smaller part of the sum. That is why
# privacy is cheap for large federations and dear for small ones.
#
# How small must $\varepsilon$ be? $e^{\varepsilon}$ bounds how much more likely any outcome becomes by one film: $\varepsilon = 1$ is a factor of 2.7, $\varepsilon = 8$ one of 3000. Attacks do worse than the bound. There is no value that a law names, as far as we know. And $\delta$ has to be well below one over the number of films; ours, 0.001, is below it for each hospital, but not by much. Large data sets take $10^{-5}$ or less. Publish $\varepsilon$, $\delta$, the unit (film or person), and $\sigma$, $C$, the sampling rate and the rounds, so that others can compute it.
#
# **Checkpoint.** A vendor reports $\varepsilon = 2$ and tells you that the clip was tuned on the hospital's own patients, in 30 trainings, of which the best is delivered. Is $\varepsilon$ still 2?
#
# <details><summary>Answer</summary>No. All 30 trainings looked at the patients, and choosing the best tells something of all of them. Unless the choice was made on public data or accounted for, what can be promised is the privacy of the 30 together, far more than 2.</details>
#
# ### Secure aggregation
#
# The server needs the *sum* of the updates, not each one. In **secure aggregation** (Bonawitz and others, CCS 2017) each pair of hospitals agrees on a random mask; one adds it, the other subtracts it. Each message by itself is noise; in the sum all masks cancel. To be truly uniform, masks live in whole numbers that wrap around, so updates are first rounded to whole steps.

# %% [markdown]
# ### Exercise 11.5d - masks that cancel
#
# Difficulty 3 of 5 - 4 points - about 20 minutes - *after it you can let a server add numbers that it can't read*
#
# Each pair of hospitals shares a secret seed. Write `masked_update(update, me, others, seeds, scale)`: what hospital `me` sends. Arithmetic is on whole numbers from 0 to $2^{32} - 1$ that wrap around (`uint32`):
#
# 1. Encode: round `update * scale` to whole numbers, modulo $2^{32}$ (so $-1$ becomes $2^{32} - 1$).
# 2. For each other hospital, draw a mask from the pair's seed: as many whole numbers as the update has, uniform over all $2^{32}$ values. One of the two adds it, the other subtracts it; the hospitals' numbers decide which.
#
# <details><summary>Hint 1: the idea</summary>Both hospitals of a pair must draw the same mask, so it may depend on the pair's seed alone. And they must agree who subtracts: say, the one with the larger number.</details>
# <details><summary>Hint 2: what to call</summary><code>np.random.default_rng(seed).integers(0, 2**32, size, dtype=np.uint32)</code>. <code>np.rint(x).astype(np.int64).astype(np.uint32)</code> wraps, and so do sums and differences of <code>uint32</code> arrays.</details>
# <details><summary>The sum is off by huge numbers</summary>Then masks are left over. Does one of each pair subtract? Do both draw from the same fresh generator, made from the seed?</details>

# %% nbgrader={"grade": false, "grade_id": "pairwise-masks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_update(update: np.ndarray, me: int, others: list[int], seeds: list[int], scale: float) -> np.ndarray:
    """An update that only a sum over all hospitals reveals.

    Args:
        update: (P,) real numbers.
        me: this hospital's number.
        others: the other hospitals' numbers, all different from `me`.
        seeds: the secret that this hospital shares with each of them, in the same order.
        scale: whole steps in a unit, such as 2**16.

    Returns:
        (P,) uint32. Added over all hospitals modulo 2**32, masks cancel and the encoded sum of the updates remains.

    Raises:
        ValueError: a value is not finite; the sum of so many such updates might not fit into 32 bits (largest |update| * scale * number of
            hospitals reaches 2**31); others and seeds differ in length; or `me` is among the others.
    """
    ### BEGIN SOLUTION
    update = np.asarray(update, dtype=float)
    if len(others) != len(seeds) or me in others:
        raise ValueError("give one seed for each other hospital, and not yourself")
    if not np.isfinite(update).all() or (np.abs(update) * scale * (len(others) + 1) >= 2**31).any():
        raise ValueError("the update is not finite, or the sum would not fit into 32 bits")
    sent = np.rint(update * scale).astype(np.int64).astype(np.uint32)
    for other, seed in zip(others, seeds, strict=True):
        mask = np.random.default_rng(seed).integers(0, 2**32, size=update.shape, dtype=np.uint32)
        sent = sent + mask if me < other else sent - mask
    return sent
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "pairwise-masks-cancel", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The masks cancel: four hospitals, a seed for each pair; the sum modulo 2^32 is the sum of the updates
rng = np.random.default_rng(1158)
updates = rng.normal(size=(4, 50))
pair = {frozenset((a, b)): int(rng.integers(1, 10**9)) for a in range(4) for b in range(a)}
sent = []
for a in range(4):
    rest = [b for b in range(4) if b != a]
    one = np.asarray(masked_update(updates[a].copy(), a, rest, [pair[frozenset((a, b))] for b in rest], 2.0**16))
    assert one.shape == (50,) and np.issubdtype(one.dtype, np.integer), "send whole numbers, as many as the update has"
    sent.append(one.astype(np.int64) % 2**32)
total = sum(sent) % 2**32
total = np.where(total >= 2**31, total - 2**32, total) / 2.0**16
assert np.allclose(total, updates.sum(0), atol=4 / 2**16), "the masks don't cancel in the sum of all four: of each pair one must add and the other subtract the same mask, made from the pair's seed alone"
assert np.abs(total - updates.sum(0)).max() <= 2.1 / 2**16, "the sum is off by more than rounding: round to the nearest whole number, don't cut"
### BEGIN HIDDEN TESTS
numbers = [17, 3, 40]
updates = rng.normal(size=(3, 21))
secret = {frozenset(p): int(s) for p, s in zip(((17, 3), (3, 40), (17, 40)), rng.integers(1, 10**9, 3), strict=True)}
total = 0
for a, u in zip(numbers, updates, strict=True):
    rest = [b for b in reversed(numbers) if b != a]
    total = total + np.asarray(masked_update(u.copy(), a, rest, [secret[frozenset((a, b))] for b in rest], 1000.0)).astype(np.int64)
total = total % 2**32
assert np.allclose(np.where(total >= 2**31, total - 2**32, total) / 1000, updates.sum(0), atol=2e-3), "hospitals 17, 3 and 40, listed in another order: the masks don't cancel"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pairwise-masks-encode", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The encoding, seen without masks: a hospital that is alone. 1.5 * 4 = 6, -0.25 * 4 = -1 = 2^32 - 1
alone = np.asarray(masked_update(np.array([1.5, -0.25, 0.0]), 0, [], [], 4.0)).astype(np.int64) % 2**32
assert alone[1] != 1, "-1 became 1: keep the sign, modulo 2^32 it is 2^32 - 1"
assert list(alone) == [6, 2**32 - 1, 0], f"1.5, -0.25 and 0 in steps of a quarter are 6, 2^32 - 1 and 0, not {list(alone)}"
close = np.asarray(masked_update(np.array([0.74, -0.74]), 0, [], [], 10.0)).astype(np.int64) % 2**32
assert list(close) == [7, 2**32 - 7], "7.4 rounds to 7 and -7.4 to -7"
### BEGIN HIDDEN TESTS
close = np.asarray(masked_update(np.array([0.77, -0.77]), 0, [], [], 10.0)).astype(np.int64) % 2**32
assert list(close) == [8, 2**32 - 8], "7.7 rounds to 8: round to the nearest, don't cut"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pairwise-masks-hide", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The masks hide: what one hospital sends of an update of zeros looks like draws from all of 0 to 2^32 - 1
sent = np.asarray(masked_update(np.zeros(4000), 2, [0, 1, 5], [11, 12, 13], 2.0**16)).astype(np.int64) % 2**32
assert np.any(sent), "the update goes out as it is: without a mask the server reads it"
assert len(np.unique(sent)) > 3900, "one mask is used for many entries: draw a number for each entry of the update, or the update shows through"
share = np.bincount((sent >> 29).astype(int), minlength=8) / 4000
assert share.max() < 0.17 and share.min() > 0.08, "the masked numbers are not uniform from 0 to 2^32 - 1: with smaller or bell-shaped masks, the update's size shows through"
again = np.asarray(masked_update(np.zeros(4000), 2, [0, 1, 5], [11, 12, 13], 2.0**16)).astype(np.int64) % 2**32
assert np.array_equal(sent, again), "the mask must come from the pair's seed alone: make a fresh generator from it in each call"
### BEGIN HIDDEN TESTS
other = np.asarray(masked_update(np.zeros(4000), 2, [0, 1, 5], [11, 12, 14], 2.0**16)).astype(np.int64) % 2**32
assert (other != sent).mean() > 0.99, "another secret must give another mask"
one = np.asarray(masked_update(np.zeros(4000), 2, [7], [99], 2.0**16)).astype(np.int64) % 2**32
share = np.bincount((one >> 29).astype(int), minlength=8) / 4000
assert share.max() < 0.17 and share.min() > 0.08, "a single pair's mask must be uniform over all 32 bits"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pairwise-masks-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What does not fit: 40000 * 2^16 is more than 2^31, and would come back as another number
fits = np.asarray(masked_update(np.array([10000.0]), 0, [], [], 2.0**16)).astype(np.int64) % 2**32
assert fits[0] == 10000 * 2**16, "10000 in steps of 2^-16 fits: 655360000"
try:
    masked_update(np.array([40000.0]), 0, [], [], 2.0**16)
except ValueError:
    pass
else:
    raise AssertionError("an update of 40000 at a scale of 2^16 must raise a ValueError: it would wrap around unnoticed")
### BEGIN HIDDEN TESTS
for update, me, others, seeds in (([np.nan], 0, [1], [5]), ([np.inf], 0, [1], [5]), ([1.0], 0, [1, 2], [5]), ([1.0], 1, [1, 2], [5, 6]), ([10000.0], 0, [1, 2, 3], [5, 6, 7])):
    try:
        masked_update(np.array(update), me, list(others), list(seeds), 2.0**16)
    except ValueError:
        continue
    raise AssertionError("nan, infinity, a missing seed, oneself among the others, or a SUM that might not fit must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Three hospitals, and one that drops out
#
# **Predict before you run.** C's connection fails after masks were agreed. What does the server get from A and B?

# %% tags=["demo"]
rng = np.random.default_rng(SEED)
STEP = 2.0**-16
honest_updates = [pack(new_net(k)).numpy() - pack(new_net(9)).numpy() for k in range(3)]
as_whole = np.stack([np.rint(u / STEP).astype(np.int64) % 2**32 for u in honest_updates])
ab, bc, ca = rng.integers(0, 2**32, (3, as_whole.shape[1]))  # one mask a pair, in a ring: A-B, B-C, C-A
on_the_wire = (as_whole + np.stack([ab - ca, bc - ab, ca - bc])) % 2**32


def decode(whole: np.ndarray) -> np.ndarray:
    whole = whole % 2**32
    return np.where(whole >= 2**31, whole - 2**32, whole) * STEP


wanted = sum(honest_updates)
seen_alone = np.corrcoef(decode(on_the_wire[0]), honest_updates[0])[0, 1]
sum_of_all, sum_without_c = decode(on_the_wire.sum(0)), decode(on_the_wire[:2].sum(0))
mended = decode(on_the_wire[:2].sum(0) - (bc - ca))  # the others tell the server the masks that they shared with C
fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.0), layout="constrained")
axes[0].hist(decode(on_the_wire[0]), bins=30, color=show.PALETTE[1])
axes[0].set_title("what A sends: uniform", fontsize=9)
axes[0].set(xlabel="decoded value", ylabel="entries of the message")
for ax, values, title in ((axes[1], sum_of_all, "the sum of all three"), (axes[2], sum_without_c, "C drops out: A + B")):
    ax.plot(wanted if ax is axes[1] else sum(honest_updates[:2]), values, ".", color=show.PALETTE[0], markersize=3)
    ax.set_title(title, fontsize=9)
    ax.set_xlabel("true sum")
axes[1].set_ylabel("decoded by the server")
show.figure(fig, alt="Left: a histogram of what hospital A sends, flat over the whole range. Middle: the decoded sum of three hospitals lies on the diagonal over the true sum. Right: with one hospital missing, the decoded sum is spread over the whole range")
print(f"A's message against A's update: correlation {seen_alone:+.3f}. Sum of all: largest error {np.abs(sum_of_all - wanted).max():.1e}. C missing: largest error {np.abs(sum_without_c - sum(honest_updates[:2])).max():.0f};")
print(f"after A and B have told the masks that they shared with C: {np.abs(mended - sum(honest_updates[:2])).max():.1e}. A message has {4 * as_whole.shape[1] / 1000:.1f} kB, as many bytes as without a mask")
assert np.abs(sum_of_all - wanted).max() < 4 * STEP and abs(seen_alone) < 0.1

# %% [markdown]
# If one hospital drops out, the masks that it shared with the others stay in the sum, and the sum is noise. Our mending is the simple one: the others tell the server which masks they shared with C. That is safe only if C's message never arrives. If it comes late, the server can now unmask it. The real protocol therefore adds to each message a second mask of the hospital's own, and splits all secrets
# among the hospitals, so that a threshold of them can restore, for each hospital, *either* the pair masks (if it dropped out) *or* its own mask (if it did not), never both. It hides one hospital among many; it does not hide what all have in common, nor what the final model tells. So it comes *with* noise, not instead of it.
#
# Two details of our few lines would be wrong in a clinic. `default_rng` is no cryptographic generator: its numbers can be predicted from earlier ones. And a seed serves one round only; with the same mask in two rounds, the difference of two messages shows the difference of two updates.
#
# ### A hospital that lies
#
# A federation believes what it is sent. A broken scanner, swapped labels, or an intruder: one hospital is enough to ruin a mean. Two other rules: the **median** of each coordinate (Yin and others, ICML 2018), and **Krum** (Blanchard and others, NeurIPS 2017), which takes the update of that one hospital whose neighbours are nearest.

# %% [markdown]
# ### Exercise 11.5e - the median of the updates
#
# Difficulty 2 of 5 - 3 points - about 8 minutes - *after it you can average hospitals of which one may lie*
#
# Write `median_update(updates)`: for each coordinate the median over hospitals. A hospital that sends a value that is not finite is left out altogether. For an even number of hospitals, the median is the mean of the two middle values.
#
# <details><summary>Hint 1: the idea</summary>First who counts, then the middle of each column.</details>
# <details><summary>Hint 2: what to call</summary><code>np.isfinite(updates).all(axis=1)</code>, <code>np.median(..., axis=0)</code>. (<code>torch.median</code> takes the lower of two middle values.)</details>
# <details><summary>I get one number</summary>Without <code>axis=0</code> the median runs over everything.</details>

# %% nbgrader={"grade": false, "grade_id": "robust-median", "locked": false, "schema_version": 3, "solution": true, "task": false}
def median_update(updates: np.ndarray) -> np.ndarray:
    """Coordinate-wise median of the hospitals whose updates are finite.

    Args:
        updates: (K, P), one row a hospital.

    Returns:
        (P,) the median of each coordinate.

    Raises:
        ValueError: no hospital has a finite update.
    """
    ### BEGIN SOLUTION
    updates = np.asarray(updates, dtype=float)
    sound = updates[np.isfinite(updates).all(axis=1)]
    if len(sound) == 0:
        raise ValueError("no hospital sent finite numbers")
    return np.median(sound, axis=0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "robust-median-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Three hospitals, the last one lies: the middle of 1, 2, 1000 is 2, that of 5, 3, -1000 is 3
out = np.asarray(median_update(np.array([[1.0, 5, 0], [2, 3, 4], [1000, -1000, 8]])), dtype=float)
assert out.shape == (3,), f"one value for each coordinate: the shape is (3,), not {out.shape}"
assert not np.allclose(out, [1003 / 3, -992 / 3, 4]), "that is the mean: one liar moves it as far as it likes"
assert np.allclose(out, [2, 3, 4]), f"the medians are 2, 3, 4, not {out}"
four = np.asarray(median_update(np.array([[1.0, 0], [2, 10], [4, 20], [90, 40]])), dtype=float)
assert not np.allclose(four, [2, 10]), "of four hospitals you take the lower of the two middle values: take their mean"
assert np.allclose(four, [3, 15]), f"of four hospitals the medians are 3 and 15, not {four}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1159)
for hospitals in (1, 2, 5, 8):
    u = rng.normal(size=(hospitals, 7))
    s = np.sort(u, axis=0)
    assert np.allclose(np.asarray(median_update(u.copy())), (s[(hospitals - 1) // 2] + s[hospitals // 2]) / 2), f"with {hospitals} hospitals the median is off"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "robust-median-each", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Each coordinate by itself: no hospital need be in the middle everywhere
u = np.array([[0.0, 1, 2], [1, 2, 0], [2, 0, 1]])
out = np.asarray(median_update(u.copy()), dtype=float)
assert not any(np.allclose(out, row) for row in u), "you return one hospital's update: take the median of each coordinate"
assert np.allclose(out, 1), f"each coordinate has the values 0, 1, 2, so the medians are 1, not {out}"
### BEGIN HIDDEN TESTS
u = np.vstack([np.tile([0.0, 1.0, 5.0], (4, 1)), [[1e9, -1e9, 1e9]] * 3])
assert np.allclose(np.asarray(median_update(u)), [0, 1, 5]), "three liars of seven must not move the median of four who agree"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "robust-median-finite", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A hospital whose training broke, or who wants to break yours: it sends nan in one place. Its other numbers don't count either
u = np.array([[1.0, 10], [2, 20], [3, 30], [np.nan, 1e6]])
out = np.asarray(median_update(u.copy()), dtype=float)
assert np.isfinite(out).all(), "one nan of one hospital made the result nan"
assert not np.allclose(out, [2, 25]), "a hospital with a nan is left out altogether, not only in that coordinate"
assert np.allclose(out, [2, 20]), f"without the broken hospital the medians are 2 and 20, not {out}"
### BEGIN HIDDEN TESTS
out = np.asarray(median_update(np.array([[1.0, 10], [2, 20], [3, 30], [np.inf, 1e6]])), dtype=float)
assert np.allclose(out, [2, 20]), "infinity is no number to count with either"
for broken in (np.full((3, 2), np.nan), np.zeros((0, 4))):
    try:
        median_update(broken)
    except ValueError:
        continue
    raise AssertionError("if no hospital has sent finite numbers, raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 11.5f - Krum
#
# Difficulty 3 of 5 - 3 points - about 15 minutes - *after it you can pick the hospital that has the most company*
#
# Write `krum(updates, f)`. The score of hospital $i$ is the sum of the *squared* distances to its $K - f - 2$ nearest *other* hospitals. Return the number of the hospital with the smallest score. Krum asks for $K \ge 2 f + 3$. The distance to a hospital that sends numbers which are not finite is infinite, and such a hospital is never chosen.
#
# <details><summary>Hint 1: the idea</summary>Honest updates lie together. A liar may be close to a few others, not to most.</details>
# <details><summary>Hint 2: what to call</summary><code>((updates[:, None] - updates[None]) ** 2).sum(-1)</code> gives all squared distances; set the diagonal to infinity; <code>np.sort(..., axis=1)[:, :K - f - 2].sum(1)</code>; <code>np.argmin</code>.</details>
# <details><summary>It picks a hospital that I don't expect</summary>Is the distance of a hospital to itself, 0, among its nearest? Are the distances squared?</details>

# %% nbgrader={"grade": false, "grade_id": "krum", "locked": false, "schema_version": 3, "solution": true, "task": false}
def krum(updates: np.ndarray, f: int) -> int:
    """The hospital whose update has the closest company.

    Args:
        updates: (K, P), one row a hospital.
        f: how many hospitals may lie, at least 0.

    Returns:
        Index of the chosen hospital; the first one in a tie.

    Raises:
        ValueError: f is negative, K < 2 f + 3, or more than f hospitals sent numbers that are not finite.
    """
    ### BEGIN SOLUTION
    updates = np.asarray(updates, dtype=float)
    k = len(updates)
    broken = ~np.isfinite(updates).all(axis=1)
    if f < 0 or k < 2 * f + 3 or broken.sum() > f:
        raise ValueError("Krum needs K >= 2 f + 3 hospitals, of which at most f are broken")
    sound = np.where(broken[:, None], 0, updates)
    square = ((sound[:, None] - sound[None]) ** 2).sum(-1)
    square[broken] = np.inf
    square[:, broken] = np.inf
    np.fill_diagonal(square, np.inf)
    score = np.sort(square, axis=1)[:, : k - f - 2].sum(1)
    return int(np.argmin(score))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "krum-choice", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# On a line: 0, 1, 2.1, 3.3 and a liar at 100, f = 1, so the two nearest others count. Squared: 1 + 4.41, 1 + 1.21, 1.44 + 1.21, 1.44 + 5.29
line = np.array([[0.0], [1], [2.1], [3.3], [100]])
chosen = np.asarray(krum(line.copy(), 1))
assert chosen.size == 1 and float(chosen.ravel()[0]) in range(5), f"return the number of one hospital, from 0 to 4, not {chosen}: Krum chooses, it doesn't average"
chosen = int(chosen.ravel()[0])
assert chosen != 4, "it chose the hospital that is farthest from all: the SMALLEST score wins"
assert chosen != 3, "too many distances count: with all of them the liar at 100 decides. Sum the K - f - 2 nearest others only"
assert chosen != 0, "too few distances count: two nearest OTHER hospitals each, without the distance 0 to oneself"
assert chosen == 1, f"the scores are 5.41, 2.21, 2.65, 6.73 and far more, so hospital 1 has the smallest, not {chosen}"
pair = np.array([[0.0], [0.01], [10], [11], [12.5], [13.2], [14]])  # two liars side by side, f = 2: three nearest others count
chosen = int(np.asarray(krum(pair.copy(), 2)))
assert chosen not in (0, 1), "two liars side by side won: K - f - 2 OTHER hospitals count, so that liars alone are too few to keep each other company"
assert chosen == 4, f"of 0, 0.01, 10, 11, 12.5, 13.2, 14 hospital 4 has the closest company of three (0.7, 1.5, 1.5), not hospital {chosen}"
### BEGIN HIDDEN TESTS
for case in range(60):
    rng = np.random.default_rng([1160, case])
    f = int(rng.integers(0, 3))
    k = int(2 * f + 3 + rng.integers(0, 4))
    u = rng.normal(size=(k, 3)) * rng.exponential(1, (k, 1))
    scores = [sum(sorted(float(((u[i] - u[j]) ** 2).sum()) for j in range(k) if j != i)[: k - f - 2]) for i in range(k)]
    assert int(np.asarray(krum(u.copy(), f))) == int(np.argmin(scores)), f"with {k} hospitals of which {f} may lie, another one has the smallest sum of squared distances to its {k - f - 2} nearest others"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "krum-liars", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Liars, however wild, alone or together: an honest hospital is chosen
rng = np.random.default_rng(1161)
honest = rng.normal(0, 1, (5, 20))
for liars, lie in (([0, 6], honest.mean(0) * -50), ([0, 1], honest.mean(0) + 1e6), ([3, 4], np.zeros(20) + 30), ([2, 5], np.zeros(20) - 30)):
    crowd = np.insert(honest, [liars[0], liars[1] - 1], [lie + 1e-3, lie], axis=0)  # the liars have these two numbers
    picked = int(np.asarray(krum(crowd.copy(), 2)))
    assert 0 <= picked <= 6 and picked not in liars, "a liar was chosen: its nearest K - f - 2 others include honest hospitals, which are far from it"
### BEGIN HIDDEN TESTS
for case in range(10):
    rng = np.random.default_rng([1162, case])
    lie = rng.normal(0, 200, 8)
    crowd, liars = rng.normal(0, 1, (10, 8)), [case, (case + 3) % 10, (case + 4) % 10]
    crowd[liars] = [lie, lie + 0.01, lie - 0.01]
    picked = int(np.asarray(krum(crowd.copy(), 3)))
    assert 0 <= picked <= 9 and picked not in liars, "three liars of ten side by side: one of them was chosen"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "krum-input", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Too few hospitals, and a hospital that sends nan
near = np.array([[0.0], [1.0], [2.1], [3.3], [np.nan]])
assert int(np.asarray(krum(near.copy(), 1))) == 1, "a hospital that sends nan is infinitely far from all, and the others are judged as before: hospital 1"
try:
    krum(np.array([[0.0], [1.0], [2.0], [50.0]]), 1)
except ValueError:
    pass
else:
    raise AssertionError("with f = 1 Krum needs at least 2 f + 3 = 5 hospitals: four must raise a ValueError")
### BEGIN HIDDEN TESTS
first = np.array([[np.inf, 0.0], [0.0, 0.0], [1.0, 0.0], [2.1, 0.0], [3.3, 0.0]])
assert int(np.asarray(krum(first.copy(), 1))) == 2, "the first hospital sends infinity: it must not be chosen, nor disturb the others"
for crowd, f in ((np.zeros((6, 2)), 2), (np.zeros((5, 2)), -1), (np.vstack([np.zeros((3, 2)), np.full((2, 2), np.nan)]), 1)):
    try:
        krum(crowd.copy(), f)
    except ValueError:
        continue
    raise AssertionError("too few hospitals, a negative f, or more broken hospitals than f must raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Mean, median, Krum
#
# Seven hospitals with different shares of pneumonia (Dirichlet, $\alpha = 2$) train the regression on edges, without privacy. Two of them lie, in three ways: they swap the labels; they send $-10$ times their gradient; or they send the others' mean less one standard deviation, which looks like an honest hospital (after Baruch and others, NeurIPS 2019; they know the others' updates).
#
# **Predict before you run.** Which rule is best when nobody lies? Which attack hurts Krum most?

# %% tags=["demo"]
from functools import partial

from sklearn.neighbors import NearestNeighbors

K_SITES, LIARS, poison_rounds = 7, 2, run.pick(ci=40, laptop=100)


def closest_company(sent: torch.Tensor) -> torch.Tensor:
    """Krum (Blanchard and others, 2017), with scikit-learn's neighbours."""
    distances, _ = NearestNeighbors(n_neighbors=K_SITES - LIARS - 2).fit(sent.numpy()).kneighbors()  # without oneself
    return sent[int((distances**2).sum(1).argmin())]


RULES = {
    "mean": lambda sent: sent.mean(0),
    "median": lambda sent: torch.quantile(sent, 0.5, dim=0),
    "Krum": closest_company,
}
ATTACKS = {
    "nobody lies": lambda sent, flipped: sent[:LIARS],
    "labels flipped": lambda sent, flipped: flipped(),
    "-10 x gradient": lambda sent, flipped: -10 * sent[:LIARS],
    "mean - 1 sd": lambda sent, flipped: (sent[LIARS:].mean(0) - sent[LIARS:].std(0)).expand(LIARS, -1),
}
# %% tags=["demo"]
gradients_of_all = vmap(grad(batch_loss), in_dims=(None, 0, 0))


def train_poisoned(seed: int, rule, attack) -> float:
    """Test AUC after federated gradient descent with seven hospitals, of which the first two lie."""
    cuts = deal(y_train.numpy(), child, K_SITES, 2.0, np.random.default_rng([seed, 5]))
    vector, rng = torch.zeros(f_train.shape[1] + 1), np.random.default_rng(seed)
    for number in range(poison_rounds):
        rows = torch.tensor(np.stack([rng.choice(cut, 48) for cut in cuts]))
        sent = gradients_of_all(vector, f_train[rows], y_train[rows])
        with_flipped_labels = partial(gradients_of_all, vector, f_train[rows[:LIARS]], 1 - y_train[rows[:LIARS]])
        sent = torch.cat([attack(sent, with_flipped_labels), sent[LIARS:]])
        vector = vector - private_lr * fade(number, poison_rounds) * rule(sent).float()
    return auc_linear(vector)


poison_seeds = range(SEED, SEED + run.pick(ci=3, laptop=5))
poisoned = {(attack, rule): [train_poisoned(seed, RULES[rule], ATTACKS[attack]) for seed in poison_seeds] for attack in ATTACKS for rule in RULES}
assert np.mean(poisoned["nobody lies", "mean"]) > 0.65, "without liars the federation should learn"
assert np.mean(poisoned["-10 x gradient", "mean"]) < np.mean(poisoned["-10 x gradient", "Krum"]), "two loud liars should ruin the mean, and not Krum"
pd.DataFrame({rule: {attack: f"{np.mean(poisoned[attack, rule]):.3f} +- {np.std(poisoned[attack, rule], ddof=1):.3f}" for attack in ATTACKS} for rule in RULES})

# %% [markdown]
# Mean and standard deviation over seeds, in test AUC. What to read:
#
# - When nobody lies, the mean is hard to beat: it uses everybody. Krum throws away all hospitals but one in each round; compare its first row with the mean's.
# - A loud lie ruins the mean, and is exactly what the robust rules were made for.
# - A lie that keeps within the spread of honest hospitals is sorted out by no rule; how much harm two such hospitals do in so few rounds, the last row tells. And robust rules take an honest hospital with unusual patients for a liar: non-IID data and poison look alike. The rare patients are outvoted.
# - All these rules need to see each update; secure aggregation hides them. To have both is a matter of research.
#
# ### Open problems
#
# - **Privacy, robustness, fairness and accuracy pull apart.** Noise and clips cost the small hospital and the rare class most. Report each hospital, not the mean alone.
# - **Who is the unit?** A film, a person, a hospital: each needs its own clip and its own $\varepsilon$.
# - **What does a federation gain?** Kairouz and others (Foundations and Trends in Machine Learning, 2021) list what is open, from stragglers to incentives. In medicine: how to find out, without seeing data, that labels at one hospital mean something else.
# - **Law and trust.** A model from which a film can be read may itself count as personal data. Unlearning a patient who withdraws consent is open for all but the simplest models.
#
# **Checkpoint.** Your federation has secure aggregation. One night the shared model's AUC falls to 0.4. You suspect a member. What can the server see, and what would you have had to build in?
#
# <details><summary>Answer</summary>Only sums: no single update, so no median, no Krum, no culprit. One can build in: a bound on each update's norm that a hospital proves (or that all clip to, if they are honest); aggregation in random groups, whose sums can be compared; a validation set at the server, with a return to the last good model; a log that the hospitals open together when it happens.</details>

# %% [markdown]
# ## Results
#
# The figures of this lecture, each beside one to compare it with.

# %% tags=["results"]
for model, where in (("local, mean of five", "test films"), ("federated", "test films"), ("central", "test films"), ("federated", "unseen hospital")):
    value, low, high = film_auc[model, where]
    results.record(LECTURE, run.profile, f"{films.name}, five hospitals of alpha {ALPHA}, {model}: AUC, {where}", value, low=low, high=high, baseline=bright[where], baseline_name="mean brightness", source=f"section 11.1, {REPEATS} repeats")
for name in list(plans)[:2]:
    results.record(LECTURE, run.profile, f"alpha {HARD}, {name}: test AUC, mean", hard_auc[name].mean(), low=hard_auc[name].min(), high=hard_auc[name].max(), baseline=bright["test films"], baseline_name="mean brightness", source="section 11.1, lowest and highest repeat")
for s in SITES:
    for name in ("local", "federated", "central", "unseen"):
        value, low, high = heart_auc[s, name]
        results.record(LECTURE, run.profile, f"{hearts.name}, {s}, {name}: AUC", value, low=min(low, value), high=max(high, value), baseline=heart_auc[s, "age alone"][0], baseline_name="age alone", source="section 11.2")
    value, low, high = joins[s]
    results.record(LECTURE, run.profile, f"{hearts.name}, {s}: AUC, federated minus local", value, low=min(low, value), high=max(high, value), baseline=0.0, baseline_name="not joining", source="section 11.2")
for name in ORDER[:4]:
    value, low, high = exam_auc[name, "own"]
    results.record(LECTURE, run.profile, f"simulated emergency patients, {name}: mean AUC of six hospitals", value, low=min(low, value), high=max(high, value), baseline=exam_auc[ORDER[5], "own"][0], baseline_name="the true probability", source="section 11.2, planted")
places = {way: (0, 1) if way in WAYS else (1,) for way in style}
for way, values in style.items():
    for place in places[way]:
        value, low, high = over_repeats(np.array(values)[:, place])
        results.record(LECTURE, run.profile, f"{films.name}, planted scanners, {way}, {('four hospitals', 'unseen hospital')[place]}: AUC", value, low=low, high=high, baseline=float(np.mean(could_be)) if place else 0.5, baseline_name="all with its scanner" if place else "chance", source="section 11.3")
for (setting, name), values in few.items():
    if name != methods[0]:
        value, low, high = over_repeats(values)
        results.record(LECTURE, run.profile, f"60 labels at one hospital, {setting}, {name}: AUC", value, low=low, high=high, baseline=float(np.mean(few[setting, methods[0]])), baseline_name=methods[0], source="section 11.4")
for (name, level), values in theft.items():
    if level > 0:
        continue
    results.record(LECTURE, run.profile, f"gradient inversion, {name} network, noise multiplier {level:g}: error", float(np.mean(values)), baseline=1.0, baseline_name="mean film", source="section 11.5")
for sigma in SIGMAS:
    value, low, high = over_repeats(privacy[sigma][:, 0])
    spends = f", epsilon {spent[sigma]:.2g}" if sigma else ""
    results.record(LECTURE, run.profile, f"clipped, noise multiplier {sigma:g}{spends}: AUC", value, low=low, high=high, baseline=float(privacy[None][:, 0].mean()), baseline_name="neither", source="section 11.5")
for (attack, rule), values in poisoned.items():
    if attack == "labels flipped":
        continue
    value, low, high = over_repeats(values)
    results.record(LECTURE, run.profile, f"two of seven hospitals, {attack}, {rule}: AUC", value, low=low, high=high, baseline=float(np.mean(poisoned["nobody lies", "mean"])), baseline_name="mean, nobody lies", source="section 11.5")
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Reflection
#
# Three hospitals (900, 250 and 60 patients with films, laboratory values and outcomes) want to train one model to predict who needs intensive care. The legal department of the smallest asks: "If only weights leave our house, what can still go wrong, and what do we get for it?" In about 150 words: what do you answer, which figures will you show after a pilot, and which result would make
# you advise the hospital not to join?
#
# | Points | What your answer shows |
# |---|---|
# | 3 | Names what weights or gradients can reveal and a defence with its price (clipping and noise, secure aggregation); the paired gain of the federated over the own model on the hospital's own patients with an interval; a test at a hospital that was left out, with calibration; a result that would stop it |
# | 2 | A sound plan, but privacy, the comparison with the own model, or the unseen hospital is missing |
# | 1 | Says that data stay at home, and asks for an AUC |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# Weights are computed from patients, and tell of them: from the gradient of a small batch a film can be reconstructed, and whether a known patient took part can be guessed. A hospital of 60 is exposed most. I would let several steps run before anything is sent, sum the three updates under masks that cancel so that the server sees only the sum, and clip and noise
# them; the epsilon comes from an accountant, and its cost in AUC from the pilot. With three hospitals a sum still tells each pair about the third.
#
# After the pilot I show, on the 60-patient hospital's own held-out patients, the AUC of the federated minus that of its own model, paired, with a bootstrap interval; the same with the own model trained with care. I leave each hospital out once, and compare mean predicted with observed risk there.
#
# I advise against joining if the gain's interval holds 0 on repeated splits, or if risk at the small hospital is off by a factor of two and can't be recalibrated on its own patients.

# %% [markdown]
# ## References
#
# Data
# - Yang, Shi, Wei, Liu, Zhao, Ke, Pfister, Ni. MedMNIST v2 - a large-scale lightweight benchmark for 2D and 3D biomedical image classification. Scientific Data 10:41, 2023.
# - Kermany, Goldbaum, Cai, et al. Identifying medical diagnoses and treatable diseases by image-based deep learning. Cell 172:1122-1131, 2018.
# - Janosi, Steinbrunn, Pfisterer, Detrano. Heart Disease. UCI Machine Learning Repository, 1988.
# - Detrano, Janosi, Steinbrunn, et al. International application of a new probability algorithm for the diagnosis of coronary artery disease. American Journal of Cardiology 64:304-310, 1989.
#
# Federated learning
# - McMahan, Moore, Ramage, Hampson, Agüera y Arcas. Communication-efficient learning of deep networks from decentralized data. AISTATS 2017.
# - Yurochkin, Agarwal, Ghosh, Greenewald, Hoang, Khazaeni. Bayesian nonparametric federated learning of neural networks. ICML 2019.
# - Hsu, Qi, Brown. Measuring the effects of non-identical data distribution for federated visual classification. arXiv 1909.06335, 2019.
# - Li, Sahu, Zaheer, Sanjabi, Talwalkar, Smith. Federated optimization in heterogeneous networks. MLSys 2020.
# - Beutel, Topal, Mathur, et al. Flower: a friendly federated learning research framework. arXiv 2007.14390, 2020.
#
# In medicine
# - Sheller, Edwards, Reina, et al. Federated learning in medicine: facilitating multi-institutional collaborations without sharing patient data. Scientific Reports 10:12598, 2020.
# - Rieke, Hancox, Li, et al. The future of digital health with federated learning. npj Digital Medicine 3:119, 2020.
# - Dayan, Roth, Zhong, et al. Federated learning for predicting clinical outcomes in patients with COVID-19. Nature Medicine 27:1735-1743, 2021.
#
# Domain generalization and few labels
# - Li, Jiang, Zhang, Kamp, Dou. FedBN: federated learning on non-IID features via local batch normalization. ICLR 2021.
# - Liu, Chen, Qin, Dou, Heng. FedDG: federated domain generalization on medical image segmentation via episodic learning in continuous frequency space. CVPR 2021.
# - Jeong, Yoon, Yang, Hwang. Federated semi-supervised learning with inter-client consistency and disjoint learning. ICLR 2021.
# - Yang, Xu, Li, et al. Federated semi-supervised learning for COVID region segmentation in chest CT using multi-national data from China, Italy, Japan. Medical Image Analysis 70:101992, 2021.
#
# Privacy
# - Zhu, Liu, Han. Deep leakage from gradients. NeurIPS 2019.
# - Geiping, Bauermeister, Dröge, Moeller. Inverting gradients - how easy is it to break privacy in federated learning? NeurIPS 2020.
# - Fowl, Geiping, Czaja, Goldblum, Goldstein. Robbing the fed: directly obtaining private data in federated learning with modified models. ICLR 2022.
# - Abadi, Chu, Goodfellow, McMahan, Mironov, Talwar, Zhang. Deep learning with differential privacy. CCS 2016.
# - Mironov. Rényi differential privacy. IEEE Computer Security Foundations Symposium (CSF) 2017.
# - Yousefpour, Shilov, Sablayrolles, et al. Opacus: user-friendly differential privacy library in PyTorch. arXiv:2109.12298, 2021.
# - Tramèr, Boneh. Differentially private learning needs better features (or much more data). ICLR 2021.
# - Bonawitz, Ivanov, Kreuter, et al. Practical secure aggregation for privacy-preserving machine learning. CCS 2017.
#
# Poison, and what is open
# - Blanchard, El Mhamdi, Guerraoui, Stainer. Machine learning with adversaries: Byzantine tolerant gradient descent. NeurIPS 2017.
# - Yin, Chen, Kannan, Bartlett. Byzantine-robust distributed learning: towards optimal statistical rates. ICML 2018.
# - Baruch, Baruch, Goldberg. A little is enough: circumventing defenses for distributed learning. NeurIPS 2019.
# - Kairouz, McMahan, et al. Advances and open problems in federated learning. Foundations and Trends in Machine Learning 14, 2021.
