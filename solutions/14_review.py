# %% [markdown]
# # Lecture 14 - Review
#
# A tumour board has five minutes for a patient. Somebody shows a heat map, somebody quotes an AUC, somebody asks whether the scanner was the
# same. Nobody says "this is a question of lecture 11". Knowing twelve topics is one thing; knowing which one is in play is another, and that is
# what you practise here: recall without a heading above, read a table of real results with doubt, and work against the clock.
#
# **After this you can**
#
# - draw how the twelve topics rest on each other, and plan what to revise before a topic (13.1)
# - keep what you learned, with a quiz that comes back when you are about to forget (13.1)
# - tell a difference that the figures show from one that they don't: pairing, many comparisons, selection (13.1)
# - say which two figures can't be compared, and why prevalence is the usual reason (13.1)
# - answer numbers, choices and short code over all topics within one hour (13.1)
#
# **Time** about 170 minutes: 60 for the mock exam, about 45 for the four other exercises, the rest for map, quiz, results and questionnaire. The quiz wants ten minutes a day after that.

# %% [markdown]
# ## Data card
#
# | data set | what | from where | licence | consent and ethics | split |
# |---|---|---|---|---|---|
# | the course's own results | the key figures that lectures 1 to 15 record in their last cells, with intervals and baselines | `helpers/recorded.json`, from whole runs in profile `ci`; your own figures take their place where you ran a lecture yourself | MIT, as the code | figures about data sets, none about a person; the sets are described in each lecture's card | as each lecture says: by patient, choices on validation, the test set once |
# | the quiz | more than 130 questions, at least two on every point of the syllabus | `helpers/quiz/questions/` | CC BY 4.0 | your answers stay on your machine | none |
# | simulated readers, learners and students | score tables, a model of forgetting, a class that answers a questionnaire | made here | none needed | nobody is in them | none needed |
#
# In profile `ci` the lectures run on simulated or package-shipped images. Their figures show what a method does where the truth is known. They are
# no claim about patients, and in places the order of methods differs from that on real data: the lectures' texts say where.

# %% tags=["parameters"]
LECTURE = "14_review"
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
# ## 13.1 Every topic above, recalled, compared and examined
#
# ### The map
#
# Twelve topics, lectures 2 to 13. An arrow from A to B means: B uses an idea that you met in A. The ideas travel under other names. The attention that pools
# a bag of patches in lecture 7 is the attention of lecture 9 with one query. The batch norm that you froze in lecture 4 is replaced in lecture 11 and kept at home in
# lecture 12. Who sees that has less to remember.
#
# **Predict before you run.** Close your eyes and draw the map. Which two topics send out the most arrows? Which topic would you have to revise
# first before *federated learning*, if you had forgotten everything?

# %% tags=["demo"]
TOPICS = {  # lecture -> name, place on the map
    2: ("Images and\ntasks", -0.15, 3), 3: ("Deep\nlearning", 1.575, 3),
    6: ("Registration", -0.15, 2), 5: ("Segmentation", 1.05, 2), 4: ("Classification", 2.1, 2), 9: ("Attention", 4.7, 2),
    8: ("Anomaly\ndetection", 1.44, 1), 7: ("Label-efficient\nlearning", 2.62, 1), 10: ("Explainability", 4.15, 1),
    11: ("Domain\nadaptation", 2.09, 0), 12: ("Federated\nlearning", 3.3, 0), 13: ("Multimodal\nlearning", 4.8, 0),
}  # fmt: skip
LINKS = [  # from, to, what travels
    (2, 4, "patients are split, not images"),
    (2, 6, "voxels and millimetres"),
    (3, 4, "loss, validation, early stopping"),
    (3, 5, "convolution, receptive field"),
    (3, 8, "an autoencoder that fails on the unseen"),
    (3, 9, "sequences, and what an RNN forgets"),
    (4, 7, "AUC with an interval, for each number of labels"),
    (4, 10, "the score that an explanation explains"),
    (4, 11, "an AUC at home, and elsewhere"),
    (4, 13, "calibrate before you average"),
    (5, 6, "Dice and surface distance judge a warp"),
    (7, 8, "pretext tasks and borrowed features"),
    (7, 9, "pooling a bag is attention with one query"),
    (7, 11, "pseudo-labels at the target"),
    (7, 12, "pseudo-labels where a hospital has none"),
    (7, 13, "a contrastive loss joins image and report"),
    (9, 10, "weights that look like reasons"),
    (9, 13, "cross-attention fuses modalities"),
    (11, 12, "batch norm and amplitudes carry the scanner"),
]

# %% tags=["demo"]
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch


def draw_map():
    """The twelve topics in their places, numbered arrows between them, and the key to the numbers at the side."""
    fig, (ax, key) = plt.subplots(1, 2, figsize=(14, 6), width_ratios=[2.15, 1], layout="constrained")
    colours = {3: show.PALETTE[5], 2: show.PALETTE[6], 1: show.PALETTE[1], 0: "#B7DFD0"}
    place = {lecture: np.array([2.1 * x, 1.5 * y]) for lecture, (_, x, y) in TOPICS.items()}
    boxes = {}
    for lecture, (name, _, y) in TOPICS.items():
        box = FancyBboxPatch(place[lecture] - [0.8, 0.2], 1.6, 0.4, boxstyle="round,pad=0.06", fc=colours[y], ec="black", zorder=3)
        boxes[lecture] = ax.add_patch(box)
        ax.text(*place[lecture], f"{lecture}  {name}", ha="center", va="center", fontsize=9.5, zorder=4)
    for number, (start, end, _) in enumerate(LINKS, start=1):
        a, b = place[start], place[end]
        style = {"arrowstyle": "-|>", "mutation_scale": 14, "color": "0.45", "linewidth": 1.3, "shrinkA": 0, "shrinkB": 1}
        ax.add_patch(FancyArrowPatch(a, b, patchA=boxes[start], patchB=boxes[end], zorder=1, **style))
        x, y = a + (b - a) * MIDDLE.get(number, 0.5)
        ring = {"boxstyle": "circle,pad=0.18", "fc": "white", "ec": show.PALETTE[3], "lw": 1.1}
        ax.text(x, y, str(number), fontsize=8.5, ha="center", va="center", zorder=2, bbox=ring)
    ax.set(xlim=(-1.3, 11.1), ylim=(-0.4, 4.9))
    rows = [f"{number:>2}   {start} to {end}: {what}" for number, (start, end, what) in enumerate(LINKS, start=1)]
    key.text(0, 0.97, "What travels along each arrow\n\n" + "\n".join(rows), fontsize=9.5, va="top", linespacing=1.6, transform=key.transAxes)
    for each in (ax, key):
        each.set_axis_off()
    return fig


MIDDLE = {5: 0.35, 8: 0.72, 9: 0.78, 10: 0.34}  # where along its arrow a number stands, if not in the middle
show.figure(draw_map(), alt="Concept map: twelve topics in four rows from images and deep learning down to federated and multimodal learning, joined by 19 numbered arrows with a key")
sends = {lecture: sum(start == lecture for start, _, _ in LINKS) for lecture in TOPICS}
print("Arrows sent out:", ", ".join(f"{count} by lecture {lecture}" for lecture, count in sorted(sends.items(), key=lambda pair: -pair[1]) if count))

# %% [markdown]
# Lecture 7 sends out most arrows, then lectures 3 and 4; none is the newest or the most admired topic. In lecture 4 you learned to *measure*, in lecture 7 to do without labels.
# Both come back whenever a clinic has few labels and many patients, which is nearly always.
#
# The map is one of many. Which arrows did yours have that ours lacks? An arrow counts if you can name what travels along it.

# %% [markdown]
# ### Exercise 13.1a - what to revise first
#
# Difficulty 2 of 5 - 3 points - about 12 minutes - *after it you can turn a map into a plan*
#
# In ten days you present a paper on one topic, and parts of the course have faded. Write `revise(topic, links, known)`: the topics that you have to go through, in an order in which
# each comes after everything that it rests on, the topic itself at the end. A topic that you know is left out, and you don't look at what only known topics rest on.
#
# <details><summary>Hint 1: the idea</summary>Before a topic come the topics that point to it, and before each of those the ones that point to it. So the function may call itself.</details>
# <details><summary>Hint 2: what to call</summary>A depth-first walk: for each topic first its unknown predecessors, then the topic. A list of what is done keeps you from going anywhere twice; a list of where you
# are right now shows a circle. <code>graphlib.TopologicalSorter</code> knows how to order, too.</details>
# <details><summary>Some topics come twice</summary>Two topics can rest on the same third one. Ask whether it is in the list already.</details>
# <details><summary>My program never ends</summary>The links run in a circle. Say so with a <code>ValueError</code> as soon as a topic turns up on the way to itself.</details>

# %% nbgrader={"grade": false, "grade_id": "revise", "locked": false, "schema_version": 3, "solution": true, "task": false}
def revise(topic: int, links: list[list[int]], known: list[int]) -> list[int]:
    """The topics to go through before `topic` can be understood, and `topic` itself.

    Args:
        topic: number of a lecture.
        links: pairs [first, then]: `then` rests on `first`. A topic may stand in no pair.
        known: topics that need no revision. Nothing is looked up behind them.

    Returns:
        Each topic once, after all that it rests on (any such order is right); `topic` at the end. Empty if `topic` is known.

    Raises:
        ValueError: among the topics to go through, one rests on itself.
    """
    ### BEGIN SOLUTION
    order: list[int] = []

    def visit(one: int, way: list[int]) -> None:
        if one in known or one in order:
            return
        if one in way:
            raise ValueError(f"topic {one} rests on itself: {[*way, one]}")
        for first, then in links:
            if then == one:
                visit(first, [*way, one])
        order.append(one)

    visit(topic, [])
    return order
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "revise-order", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Everything that is needed, each after what it rests on
small = [[1, 2], [2, 4], [3, 4], [4, 5], [1, 6]]
plan = revise(5, small, [])
assert plan is not None, "nothing came back: end the function with return"
plan = [int(one) for one in plan]
assert len(plan) == len(set(plan)), f"a topic stands twice in {plan}"
assert plan[-1:] == [5], f"the topic itself comes last, but your plan is {plan}"
assert 6 not in plan, "6 rests on 1, but 5 does not rest on 6: follow the links back from the topic, not forward"
assert 1 in plan, "2 rests on 1, so 1 must be revised, too: go on behind the direct neighbours"
assert sorted(plan) == [1, 2, 3, 4, 5], f"needed are 1, 2, 3, 4 and 5; your plan is {plan}"
assert all(plan.index(first) < plan.index(then) for first, then in small[:4]), f"{plan}: a topic must come after what it rests on"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(3)
for _ in range(6):
    names = [int(v) for v in rng.permutation(np.arange(10, 20))]
    pairs = [[names[i], names[j]] for i in range(10) for j in range(i + 1, 10) if rng.random() < 0.3]
    pairs = [pairs[k] for k in rng.permutation(len(pairs))]
    goal, needed, fresh = names[8], {names[8]}, {names[8]}
    while fresh:
        fresh = {first for first, then in pairs if then in fresh} - needed
        needed |= fresh
    plan = [int(one) for one in revise(goal, pairs, [])]
    assert len(plan) == len(set(plan)), "in a random map a topic stands twice"
    assert set(plan) == needed and plan[-1] == goal, "in a random map, a topic is missing or too many are in the plan"
    assert all(plan.index(a) < plan.index(b) for a, b in pairs if a in needed and b in needed), "in a random map, a topic comes before what it rests on"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "revise-known", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What you know is left out, and so is what only known topics rest on
small = [[1, 2], [2, 4], [3, 4], [4, 5], [1, 6]]
plan = [int(one) for one in revise(5, small, [2])]
assert 2 not in plan, "2 is known, and still in the plan"
assert 1 not in plan, "1 is needed by 2 alone, and 2 is known: don't look behind what is known"
assert sorted(plan) == [3, 4, 5], f"with 2 known, 3, 4 and 5 remain; your plan is {plan}"
assert list(revise(5, small, [5])) == [], "a topic that is known needs no plan"
assert [int(one) for one in revise(8, small, [])] == [8], "a topic without links needs itself alone"
### BEGIN HIDDEN TESTS
both = [[1, 2], [1, 3], [2, 4], [3, 4]]
assert [int(one) for one in revise(4, both, [2])] == [1, 3, 4], "1 is needed by 3 as well, which is not known: it stays in the plan"
assert sorted(int(one) for one in revise(4, both, [1])) == [2, 3, 4], "with 1 known, 2, 3 and 4 remain"
assert [int(one) for one in revise(4, both, [2, 3])] == [4], "if all that it rests on is known, the topic itself is left"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "revise-circle", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A map drawn by hand may run in a circle. (Good input first: an answer that always raises earns nothing here.)
assert [int(one) for one in revise(3, [[1, 2], [2, 3]], [])] == [1, 2, 3], "a chain of three is revised from its beginning"
try:
    revise(3, [[1, 2], [2, 1], [2, 3]], [])
except ValueError:
    pass
except RecursionError:
    raise AssertionError("1 and 2 rest on each other: raise a ValueError instead of running for ever") from None
else:
    raise AssertionError("1 and 2 rest on each other: no order is right, so raise a ValueError")
### BEGIN HIDDEN TESTS
for goal, pairs, skipped, expected, where in [(3, [[1, 2], [2, 1], [2, 3], [4, 3]], [2], [3, 4], "behind a known topic"), (3, [[5, 6], [6, 5], [2, 3]], [], [2, 3], "elsewhere on the map")]:
    try:
        plan = [int(one) for one in revise(goal, pairs, skipped)]
    except ValueError:
        raise AssertionError(f"a circle {where} does no harm: refuse only one that has to be gone through") from None
    assert sorted(plan) == expected, f"with a circle {where}, the plan is off"
try:
    revise(7, [[7, 7]], [])
except ValueError:
    pass
except RecursionError:
    raise AssertionError("7 rests on itself: raise a ValueError") from None
else:
    raise AssertionError("7 rests on itself: raise a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** On the map nothing points from *explainability* to *domain adaptation*. Name one idea that could travel there.
#
# <details><summary>Answer</summary>Finding a shortcut: an explanation that lights up at a scanner's mark tells which shift will hurt before any target image has been seen. (Any idea will do that you met in lecture 10 and could use in lecture 11.)</details>

# %% [markdown]
# ### The quiz: recall, and recall again
#
# Reading a chapter twice feels like learning, and is a poor way to learn. Being *asked*, and being asked again after a pause, is a good one: tests improve long-term retention more than rereading does (Roediger and
# Karpicke, 2006), and spaced practice beats massed practice over hundreds of experiments (Cepeda et al., 2006).
#
# Our quiz puts each question into one of five boxes (Leitner, 1972). A right answer moves it one box on, a wrong one back to the first. The boxes come back after 1, 3, 7, 16 and 35 days. A right
# answer *before* its day moves nothing: it only shows that you have just read it.
#
# **Predict before you run.** Two learners give the same number of answers to the same questions. One spreads them over seven weeks, the other crams them into the last three days. Who knows more on the day of the
# exam? And who a month later?

# %% tags=["demo"]
from datetime import date, timedelta

from helpers import quiz

MONDAY = date(2027, 3, 1)
EXAM = 49  # days later


def forget(days: float, half_life: float) -> float:
    """Probability of recall after some days: it halves with each half-life (the form that Settles and Meeder fitted to learners in 2016)."""
    return 2 ** (-days / half_life)


def learn(plan: dict[int, int], seed: int, questions: int = 40) -> tuple[dict[int, float], int]:
    """A simulated learner: what is due by the quiz's schedule comes first, and who has answers left repeats what is not due.

    Args:
        plan: day -> answers on that day; seed; questions: how many there are.

    Returns:
        Share recalled on the exam day and 30 days later, by day; how many answers were given.
    """
    rng = np.random.default_rng(seed)
    pool = quiz.questions()[:questions]
    cards, last, answers = {}, {}, 0
    half_life = dict.fromkeys((one.id for one in pool), 2.0)
    for day, most in sorted(plan.items()):
        today, left = MONDAY + timedelta(days=day), most
        while left:
            round_ = (quiz.pick(pool, cards, today, left) or [pool[k] for k in rng.permutation(questions)])[:left]
            for one in round_:
                gap = day - last[one.id] if one.id in last else 0
                right = one.id in last and rng.random() < forget(gap, half_life[one.id])
                if right:  # planted: a success strengthens the more, the nearer it was to being forgotten
                    half_life[one.id] *= 1 + 1.5 * min(gap / half_life[one.id], 2)
                cards[one.id], last[one.id] = quiz.after(cards.get(one.id), right, today), day
            left, answers = left - len(round_), answers + len(round_)
    shares = {day: float(np.mean([forget(day - last[name], half_life[name]) for name in last])) * len(last) / questions for day in (EXAM, EXAM + 30)}
    return shares, answers


PLANS = {"spread over seven weeks": dict.fromkeys(range(EXAM), 6), "crammed into three days": dict.fromkeys(range(EXAM - 3, EXAM), 98)}

# %% tags=["demo"]
recall = {name: [learn(plan, seed) for seed in range(5)] for name, plan in PLANS.items()}
fig, ax = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for number, (name, runs) in enumerate(recall.items()):
    for offset, day in enumerate((EXAM, EXAM + 30)):
        shares = np.array([shares[day] for shares, _ in runs])
        x = offset + (number - 0.5) * 0.3
        look = {"color": show.PALETTE[number], "hatch": ["", "//"][number], "edgecolor": "white", "capsize": 4}
        ax.bar(x, 100 * shares.mean(), 0.28, yerr=100 * shares.std(ddof=1), label=name if offset == 0 else None, **look)
        ax.text(x, 100 * (shares.mean() + shares.std(ddof=1)) + 4, f"{100 * shares.mean():.0f}", ha="center")
ax.set(xticks=[0, 1], xticklabels=["on the day of the exam", "30 days later"], yticks=range(0, 101, 20), ylabel="recalled (%), mean and sd of 5 runs", ylim=(0, 125))
ax.legend(loc="upper right", fontsize=9)
show.figure(fig, alt="Bars: share of questions recalled on the exam day and 30 days later, for a learner who spaced and one who crammed; a month later the crammer has lost far more")
print("Answers given:", {name: runs[0][1] for name, runs in recall.items()})

# %% [markdown]
# On the day itself the crammer is even a little ahead, which is why cramming survives. A month later only one of them still knows part of the course. But be as strict here as elsewhere: that a recall close to forgetting strengthens most was *planted* in this learner. The
# simulation shows what the schedule does with such a memory; that memories are like this is what the two cited papers are for.
#
# Now you. The buttons answer, `Next` goes on. What you answer is kept in one file on this machine, and nowhere else: `dlmia/quiz/progress.json` in your user's cache, or in the folder that the
# environment variable `DLMIA_QUIZ` names (on Colab, set it to a folder of your drive, or the file goes with the session).

# %% tags=["demo"]
sitting = quiz.play(count=10)

# %% [markdown]
# Without buttons it goes in text. Take `sitting = quiz.session(count=10)`, then `sitting` in a cell of its own shows the open question, and `sitting.answer("B")` answers it. `quiz.session(lectures=["05", "06"])` narrows a sitting. In a terminal: `python -m helpers quiz`. Where you stand:

# %% tags=["demo"]
quiz.overview()

# %% [markdown]
# ### The course's own results
#
# Each lecture has recorded its key figures: value, unit, interval, and the baseline to read it against. Here they are together. Where you ran a lecture yourself, your figures stand here (`whose` says "yours"); elsewhere those of the course's
# own runs. A table like this is what a clinic gets from a literature search, only that here you know how each number was made.
#
# **Predict before you run.** How many of the figures come with an interval? In what share of those does the interval leave out the baseline? And if *no* method of the whole course were any better than its baseline, what share would that be?

# %% tags=["demo"]
table = results.course(own=run.profile != "ci")  # in ci the course's own runs alone, so that two runs agree
table["has interval"], table["has baseline"] = table["low"].notna() & table["high"].notna(), table["baseline"].notna()
by_lecture = table.groupby("lecture").agg(
    figures=("figure", "size"), with_interval=("has interval", "sum"), with_baseline=("has baseline", "sum"), profile=("profile", "first"), whose=("whose", "first")
)
by_lecture.loc["all"] = [*by_lecture[["figures", "with_interval", "with_baseline"]].sum(), "", ""]
by_lecture

# %% tags=["demo"]
def read_aloud(lecture: str):
    """The figures of one lecture: value with its interval, and beside it the baseline."""
    rows = table[table["lecture"] == lecture]
    cells = []
    for row in rows.itertuples():
        interval = f" [{row.low:.3g}, {row.high:.3g}]" if row.low == row.low and row.high == row.high else ""
        beside = f"{row.baseline:.3g} ({row[8]})" if row.baseline == row.baseline else "nothing"
        cells.append([row.figure[:78], f"{row.value:.3g}{interval} {row.unit}".strip(), beside[:52]])
    fig, ax = plt.subplots(figsize=(11.5, 0.5 + 0.27 * len(cells)), layout="constrained")
    ax.set_axis_off()
    drawn = ax.table(cells, colLabels=["figure", "measured", "to compare"], colWidths=[0.53, 0.2, 0.27], cellLoc="left", bbox=[0, 0, 1, 1])
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8.5)
    for (row_number, _), cell in drawn.get_celld().items():
        cell.set_edgecolor("0.85")
        cell.PAD = 0.02
        cell.set_text_props(weight="bold" if row_number == 0 else "normal")
    return fig


show.explore(read_aloud, lecture=list(dict.fromkeys(table["lecture"])), alt="The recorded figures of one lecture as a table: what was measured, its interval, and the figure beside it")

# %% [markdown]
# First figures that can share an axis, two of each lecture: those between 0 and 1 that have an interval and a baseline, such as an AUC or a Dice. They share an axis, not a meaning. Read along a row, never down the column.

# %% tags=["demo"]
import re
import textwrap

unit_scale = table["unit"].eq("") & table["has interval"] & table["value"].between(0.02, 1) & table["baseline"].between(0.02, 0.9999)
named = table["figure"].str.contains(r"AUC|Dice|accuracy|precision|\bAP\b|AUROC|AUPRC|F1|C-index|SSIM", regex=True)
shared = table[unit_scale & named].groupby("lecture").head(2)  # more would not fit on a screen


def draw_shared(rows):
    """Each figure with its interval (filled) and its baseline (hollow), a row each, grouped by lecture."""
    fig, ax = plt.subplots(figsize=(10.5, 0.9 + 0.25 * len(rows)), layout="constrained")
    names = list(dict.fromkeys(rows["lecture"]))
    for y, row in enumerate(rows.itertuples()):
        colour = show.PALETTE[names.index(row.lecture) % 2]
        ax.plot([row.baseline, row.value], [y, y], color="0.8", linewidth=1, zorder=1)
        ax.plot([row.low, row.high], [y, y], color=colour, linewidth=3, solid_capstyle="butt", zorder=2)
        ax.plot(row.value, y, "o", color=colour, markersize=6, zorder=3)
        ax.plot(row.baseline, y, "D", markerfacecolor="white", markeredgecolor="black", markersize=5, zorder=3)
        ax.text(1.015, y, "against " + textwrap.shorten(row[8], 46, placeholder=" ..."), fontsize=7.5, va="center", transform=ax.get_yaxis_transform())
    ax.set_yticks(range(len(rows)), [f"{row.lecture[:2]}  {textwrap.fill(row.figure, 60)}" for row in rows.itertuples()], fontsize=8, linespacing=0.95)
    ax.set(xlim=(0, 1.01), ylim=(len(rows) - 0.4, -0.6), xlabel="filled: measured, with its 95 % interval; hollow: what it is compared with")
    ax.grid(axis="x", color="0.92")
    return fig


show.figure(draw_shared(shared), alt="Forest plot: figures between 0 and 1 from all lectures, each with its interval and its baseline; most lie right of their baseline, several overlap it")
print(f"{len(shared)} figures of {shared['lecture'].nunique()} lectures; in {int(((shared['low'] <= shared['baseline']) & (shared['baseline'] <= shared['high'])).sum())} the interval holds the baseline.")

# %% [markdown]
# Four traps lie in this picture.
#
# 1. **An interval that holds the baseline does not show that there is no difference.** Nor does one that leaves it out always show one: the baseline is a measurement as well, on the same patients, and its own error is not drawn. What decides is the
#    interval of the *paired difference*. Exercise b.
# 2. **Some rows must hold their baseline.** Where the truth was planted, agreement is success, as for a hazard ratio or a coverage.
# 3. **Many rows, many chances.** Among a hundred comparisons without any true difference, five intervals leave out the baseline. Exercise c.
# 4. **Not every pair of figures may be compared.** Lecture 5 sets its Dice beside nnU-Net's published one, which is of other cases: a landmark, no race. Exercise d.
#
# Four rows, read aloud (the course's own runs; your figures may differ a little):
#
# - **Lecture 2, labels that were coin flips.** Accuracy 0.93 if images are split, 0.50 if patients are. Nothing can be learned from coin flips, so 0.43 is what one mistake in the split is worth. Few methods in the table gain as much as that.
# - **Lecture 1, denoising.** PSNR rises by 8 dB, the detector's AUC changes by -0.01 [-0.06, 0.03]. A great gain in a figure by which nobody decides.
# - **Lecture 4, fine-tuning.** With 100 labels 0.87 against 0.87 from scratch, and no interval: that is no order at all. With 20 labels and twelve frozen layers 0.84 against 0.60: there pretraining pays. The same method, and the answer depends on the number of labels.
# - **Lecture 3, cine loops.** AUC 1.00, where the middle frame has 0.55. The loops were made so that one frame tells nothing. A perfect score says something about the task.
#
# Now all figures that have an interval and a baseline, whatever their unit: how many standard errors lie between the two? (The error is taken from the interval, as if it were symmetric: rough, and good enough for a first look.)

# %% tags=["demo"]
from scipy import stats

both = table[table["has interval"] & table["has baseline"] & (table["high"] > table["low"])].copy()
both["errors away"] = (both["value"] - both["baseline"]) / ((both["high"] - both["low"]) / (2 * 1.96))
p = 2 * stats.norm.sf(both["errors away"].abs())
both["p"] = p
strict = stats.norm.isf(0.05 / (2 * len(both)))  # what Bonferroni asks of each
ordered = both.reindex(both["errors away"].abs().sort_values().index)


def draw_distances():
    """Every compared figure by its distance to the baseline in standard errors, sorted; and p-values as a histogram."""
    fig, (ax, hist) = plt.subplots(1, 2, figsize=(11, 3.8), width_ratios=[1.6, 1], layout="constrained")
    size = ordered["errors away"].abs().clip(0.02, 200)
    planted = ordered["to compare"].str.contains("planted|promises|truth").to_numpy()
    x = np.arange(len(ordered))
    for mask, marker, look, name in ((~planted, "o", {"color": show.PALETTE[0], "markersize": 5}, "against a method or a trivial baseline"), (planted, "^", {"color": "white", "markeredgecolor": "black", "markersize": 9}, "against a planted truth")):
        ax.plot(x[mask], size.to_numpy()[mask], marker, label=name, **look)
    for height, text in ((1.96, "1.96: one comparison"), (strict, f"{strict:.1f}: {len(both)} comparisons")):
        ax.axhline(height, color="0.4", linestyle="--", linewidth=1)
        ax.text(len(ordered) - 1, height * 1.08, text, fontsize=8.5, color="0.25", ha="right")
    ax.set(yscale="log", xlabel="figures, sorted", ylabel="standard errors from the baseline\n(cut at 0.02 and 200)")
    ax.legend(loc="lower right", fontsize=8.5)
    hist.hist(both["p"], bins=np.linspace(0, 1, 21), color=show.PALETTE[0], edgecolor="white")
    hist.axhline(len(both) / 20, color=show.PALETTE[3], linestyle="--", linewidth=1.2)
    label = {"boxstyle": "square,pad=0.15", "fc": "white", "ec": "none"}
    hist.text(0.55, len(both) / 20 * 1.3, "dashed: if nothing differed", color=show.PALETTE[3], ha="center", fontsize=9, bbox=label)
    hist.set(yscale="log", xlabel="p, from the interval", ylabel="figures")
    return fig


show.figure(draw_distances(), alt="Left: distances to the baseline in standard errors, sorted, those from a planted truth as white triangles, with lines at 1.96 and at the stricter limit for many comparisons; right: a histogram of p-values with a tall first bar")
once, many = int((both["p"] < 0.05).sum()), int((both["errors away"].abs() > strict).sum())
print(f"{len(both)} comparisons; {once} differ by the usual limit, {many} by the limit for so many; by chance alone about {0.05 * len(both):.0f} would.")

# %% [markdown]
# Far more of the course's comparisons survive the strict limit than chance would allow, and that should make you suspicious rather than proud. Lectures record what they *teach*: an exercise in which nothing happens makes a poor lesson, so that this table is chosen by its results, as a journal is. The
# baselines differ in kind, too. To beat a trivial one by ten standard errors is a beginning; to beat a simple method by two is news. Look at the rows near the line: they are the honest ones, and each lecture's text discusses its own.
#
# And "differs" is not "is better". For an error in mm, a cost, or a leak, being below is what you want, and rows that say how much harm a mistake does *should* be far from zero.

# %% [markdown]
# ### Prevalence moves figures that look fixed
#
# Two detectors, two papers: average precision 0.62 and 0.41. The first was tested where half are sick, the second where one in twenty is. Set the AUROC equal and move the prevalence.
#
# **Predict before you run.** At an AUROC of 0.90, what is the average precision if half are sick? If 5 % are? If 1 % are?

# %% tags=["demo"]
def precision_curve(auroc: float, prevalence: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Recall, precision and average precision of two normal score distributions (healthy around 0, sick around d) with this AUROC."""
    d = np.sqrt(2) * stats.norm.ppf(auroc)
    threshold = np.linspace(d + 6, -6, 4000)
    recall, false_alarms = stats.norm.sf(threshold - d), stats.norm.sf(threshold)
    precision = prevalence * recall / (prevalence * recall + (1 - prevalence) * false_alarms)
    return recall, precision, float(np.sum(np.diff(recall, prepend=0) * precision))


def draw_prevalence(auroc: float):
    """Precision over recall at four prevalences, for one AUROC."""
    fig, ax = plt.subplots(figsize=(8.8, 3.8), layout="constrained")
    for number, prevalence in enumerate((0.5, 0.2, 0.05, 0.01)):
        recall, precision, average = precision_curve(auroc, prevalence)
        ax.plot(recall, precision, color=show.PALETTE[number], linestyle=["-", "--", "-.", ":"][number], linewidth=2, label=f"{prevalence:.0%} sick: average precision {average:.2f}")
    ax.set(xlabel="recall (sensitivity)", ylabel="precision (PPV)", xlim=(0, 1), ylim=(0, 1.02), title=f"one detector, AUROC {auroc:.2f}")
    ax.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1))
    return fig


show.explore(draw_prevalence, auroc=[0.9, 0.8, 0.95, 0.99], alt="Precision over recall of one detector at four prevalences: the curve falls from near 1 to near the bottom although the AUROC is the same")
print("At AUROC 0.90:", {f"{share:.0%}": round(precision_curve(0.9, share)[2], 2) for share in (0.5, 0.2, 0.05, 0.01)})

# %% [markdown]
# ### Is the difference real? Ask the patients, one by one
#
# Some patients are hard for every method, and that is most of the spread. If both methods saw the same patients, subtract within each patient first. What is left is the spread of the *differences*.

# %% tags=["demo"]
rng = np.random.default_rng(SEED)
hard = rng.normal(0.72, 0.11, 40)  # how well anyone can outline this patient's lesion
scores_q = np.clip(hard + rng.normal(0, 0.025, 40), 0, 1)
scores_p = np.clip(hard + 0.02 + rng.normal(0, 0.025, 40), 0, 1)  # planted: P is better by 0.02
fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
places = []
for x, scores in enumerate((scores_q, scores_p)):
    interval = stats.bootstrap((scores,), np.mean, random_state=np.random.default_rng(1)).confidence_interval
    places.append(x + rng.uniform(-0.06, 0.06, 40))
    left.plot(places[x], scores, "o", color=show.PALETTE[x], alpha=0.4, markersize=4)
    left.errorbar(x + 0.2, scores.mean(), [[scores.mean() - interval.low], [interval.high - scores.mean()]], fmt="s", color="black", capsize=4)
left.plot(places, [scores_q, scores_p], color="0.8", linewidth=0.6, zorder=0)  # a line for each patient
left.set(xticks=[0, 1], xticklabels=["network Q", "network P"], xlim=(-0.4, 1.5), ylabel="Dice of a patient", title="the same 40 patients; squares: mean, 95 % interval")
gain = stats.bootstrap((scores_p - scores_q,), np.mean, random_state=np.random.default_rng(1)).confidence_interval
right.hist(scores_p - scores_q, bins=12, color=show.PALETTE[2], edgecolor="white")
right.axvline(0, color="black", linewidth=1)
right.axvspan(gain.low, gain.high, color=show.PALETTE[1], alpha=0.5)
right.set(xlabel="Dice of P minus Dice of Q, by patient", ylabel="patients", title="the difference; band: 95 % interval of its mean")
show.figure(fig, alt="Left: Dice of 40 patients under two networks, intervals overlap widely; right: differences by patient, whose mean has an interval that leaves out zero")
print(f"Mean gain {np.mean(scores_p - scores_q):.3f} [{gain.low:.3f}, {gain.high:.3f}], by resampling patients; the two means' own intervals overlap.")

# %% [markdown]
# ### Exercise 13.1b - the gain, patient by patient
#
# Difficulty 2 of 5 - 4 points - about 12 minutes - *after it you can say whether two methods differ, from the tables that two colleagues send you*
#
# Each colleague sends a dictionary, patient to score. The tables are in different orders, and each has patients that the other lacks. Write `paired_gain(a, b)`: how many patients both have, the mean of $d_i = a_i - b_i$ over them, and its 95 % interval
#
# $$\bar d \pm 1.96\, \frac{s_d}{\sqrt n}, \qquad s_d^2 = \frac{1}{n - 1} \sum_i (d_i - \bar d)^2 .$$
#
# A score that is nan is no score: name the patient in a `ValueError`. So is a comparison of fewer than two patients.
#
# <details><summary>Hint 1: the idea</summary>Which patients are in both tables? For each of them one number: the difference. Everything else is the mean of these numbers, and how sure it is.</details>
# <details><summary>Hint 2: what to call</summary><code>a.keys() &amp; b.keys()</code> is the set of common patients; <code>numpy.std(..., ddof=1)</code> is the standard deviation of single patients, which you divide by the root of their number.</details>
# <details><summary>My interval is far too wide</summary>Did you add up the spreads of the two tables? Then the hard patients count twice, instead of not at all. Or is the root of n missing?</details>
# <details><summary>My mean is off, though the formula is right</summary>Did you subtract the lists as they come? The third patient of one table is not the third of the other.</details>

# %% nbgrader={"grade": false, "grade_id": "paired-gain", "locked": false, "schema_version": 3, "solution": true, "task": false}
def paired_gain(a: dict[str, float], b: dict[str, float]) -> tuple[int, float, float, float]:
    """Mean gain of method a over method b, within patients, with a 95 % interval.

    Args:
        a, b: patient -> score, higher is better; any order; each may hold patients that the other lacks.

    Returns:
        Number of common patients, mean of a - b over them, lower and upper end of its interval (normal, factor 1.96).

    Raises:
        ValueError: fewer than two common patients, or a score of a common patient is nan.
    """
    ### BEGIN SOLUTION
    common = sorted(a.keys() & b.keys())
    if len(common) < 2:
        raise ValueError(f"{len(common)} common patients are too few for an interval")
    d = np.array([a[patient] - b[patient] for patient in common], dtype=float)
    if np.isnan(d).any():
        raise ValueError(f"patient {common[int(np.isnan(d).argmax())]} has no score")
    half = 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    return len(d), float(d.mean()), float(d.mean() - half), float(d.mean() + half)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "paired-gain-mean", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Pair by patient. By hand: common are p1, p2, p3, with gains 0.1, 0.2 and 0.3; mean 0.2
one = {"p1": 0.6, "p2": 0.9, "p3": 0.8}
two = {"p3": 0.5, "p1": 0.5, "p2": 0.7}
answer = paired_gain(one, two)
assert answer is not None and len(answer) == 4, "return four numbers: patients, mean, low, high"
n, mean, low, high = answer
assert not np.isclose(mean, -0.2), "the sign: the gain is a minus b"
assert np.isclose(mean, 0.2), f"the gains are 0.1, 0.2 and 0.3, so their mean is 0.2; you have {mean:.3f}"
n, mean, low, high = paired_gain({"p9": 0.1, **one}, {**two, "p8": 0.99})
assert n == 3, f"p8 and p9 are in one table only: three patients are common, not {n}"
assert np.isclose(mean, 0.2), f"only common patients count: the mean is still 0.2, not {mean:.3f}. Are the patients paired by name, or by their place in the table?"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(11)
for _ in range(4):
    names = [f"case {k}" for k in range(30)]
    x, y = rng.uniform(0, 1, 30), rng.uniform(0, 1, 30)
    first = {names[k]: float(x[k]) for k in rng.permutation(30) if k > 4}
    second = {names[k]: float(y[k]) for k in rng.permutation(30) if k < 26}
    n, mean, low, high = paired_gain(first, second)
    assert n == 21, "the number of common patients is off for tables in random order"
    assert np.isclose(mean, np.mean(x[5:26] - y[5:26])), "the mean is off for tables in random order"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "paired-gain-interval", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The interval is that of the mean difference. By hand: gains 0.1, 0.2, 0.3 have s = 0.1, so the half width is 1.96 * 0.1 / sqrt(3) = 0.1132
one = {"p1": 0.6, "p2": 0.9, "p3": 0.8}
two = {"p3": 0.5, "p1": 0.5, "p2": 0.7}
n, mean, low, high = paired_gain(one, two)
half = 1.96 * 0.1 / np.sqrt(3)
assert low < mean < high, f"the mean lies inside its interval, but you have {low:.3f}, {mean:.3f}, {high:.3f}"
unpaired = 1.96 * np.sqrt(np.var([0.6, 0.9, 0.8], ddof=1) / 3 + np.var([0.5, 0.5, 0.7], ddof=1) / 3)
assert not np.isclose(high - mean, unpaired, rtol=1e-3), "you added the spreads of the two tables: that forgets that the patients are the same. Take the spread of the differences"
assert not np.isclose(high - mean, 1.96 * 0.1, rtol=1e-3), "that is the spread of single patients: the mean of n is surer by the root of n"
assert not np.isclose(high - mean, half * np.sqrt(2 / 3), rtol=1e-3), "divide by n - 1 in the standard deviation (ddof=1): the mean was estimated from the same numbers"
assert np.isclose(high - mean, half, rtol=1e-4) and np.isclose(mean - low, half, rtol=1e-4), f"the half width is 0.1132, yours is {high - mean:.4f} above and {mean - low:.4f} below"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(12)
hardness = rng.normal(0.6, 0.2, 50)
x, y = hardness + rng.normal(0.01, 0.02, 50), hardness + rng.normal(0, 0.02, 50)
n, mean, low, high = paired_gain({str(k): float(x[k]) for k in range(50)}, {str(k): float(y[k]) for k in range(49, -1, -1)})
d = x - y
assert np.isclose(high - low, 2 * 1.96 * d.std(ddof=1) / np.sqrt(50), rtol=1e-6), "the width of the interval is off for 50 patients of very different hardness"
assert np.isclose(low + high, 2 * d.mean()), "the interval is not centred at the mean"
n, mean, low, high = paired_gain({"a": 0.5, "b": 0.7, "c": 0.9}, {"a": 0.4, "b": 0.6, "c": 0.8})
assert np.isclose(low, 0.1) and np.isclose(high, 0.1), "if every patient gains the same, the interval has no width, however different the patients are"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "paired-gain-refused", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# What can't be compared is refused. (Good input first: an answer that always raises earns nothing here.)
n, mean, low, high = paired_gain({"a": 0.5, "b": 0.7}, {"b": 0.6, "a": 0.2})
assert n == 2 and np.isclose(mean, 0.2), "two common patients are enough for a mean and an interval"
for first, second, why in [
    ({"a": 0.5, "b": 0.7}, {"b": 0.6, "c": 0.1}, "one common patient has no spread: raise ValueError"),
    ({"a": 0.5, "b": float("nan"), "c": 0.2}, {"a": 0.4, "b": 0.3, "c": 0.1}, "b has no score in the first table: raise ValueError instead of dropping the patient or returning nan"),
]:
    try:
        paired_gain(first, second)
    except ValueError:
        pass
    else:
        raise AssertionError(why)
### BEGIN HIDDEN TESTS
try:
    n, mean, low, high = paired_gain({"a": 0.5, "b": 0.7, "z": float("nan")}, {"a": 0.2, "b": 0.6})
except ValueError:
    raise AssertionError("a nan of a patient that is not common does no harm: refuse only what enters the comparison") from None
assert n == 2 and np.isclose(mean, 0.2), "a nan of a patient that is not common does no harm"
for first, second, why in [
    ({}, {}, "empty tables must raise ValueError"),
    ({"a": 0.1, "b": 0.2}, {"c": 0.1, "d": 0.2}, "tables without a common patient must raise ValueError"),
    ({"a": 0.1, "b": 0.2}, {"a": 0.1, "b": float("nan")}, "a nan in the second table must raise ValueError"),
]:
    try:
        paired_gain(first, second)
    except ValueError:
        pass
    else:
        raise AssertionError(why)
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 13.1c - many comparisons
#
# Difficulty 2 of 5 - 3 points - about 10 minutes - *after it you can read a table of a hundred p-values without believing five of them by mistake*
#
# Bonferroni asks of each of $m$ comparisons $p \le \alpha / m$. Holm (1979) is never stricter and gives the same guarantee: with probability at least $1 - \alpha$, nothing is kept that is not there. Sort the p-values; compare the smallest with $\alpha / m$, the next one
# with $\alpha / (m - 1)$, and so on; **stop at the first that fails**, and keep none of those behind it. Write `holm(p, level)`.
#
# <details><summary>Hint 1: the idea</summary>Once one has failed, those after it fail as well, however small their own limit leaves them. And the answer must stand in the order in which the p-values came.</details>
# <details><summary>Hint 2: what to call</summary><code>numpy.argsort</code> gives the order; <code>m - numpy.arange(m)</code> the divisors; <code>numpy.logical_and.accumulate</code> turns "passes" into "passes, and so did all before".</details>
# <details><summary>The right number is kept, but the wrong ones</summary>You returned the answer in sorted order. Write it back to the places where the p-values stood.</details>

# %% nbgrader={"grade": false, "grade_id": "holm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def holm(p: np.ndarray, level: float) -> np.ndarray:
    """Which comparisons are kept by Holm's procedure.

    Args:
        p: (m,) p-values, 0 to 1, in any order; m may be 0.
        level: error over all comparisons together, such as 0.05.

    Returns:
        (m,) boolean, True where the comparison is kept, in the order of `p`.

    Raises:
        ValueError: a p-value is nan or lies outside 0 to 1.
    """
    ### BEGIN SOLUTION
    p = np.asarray(p, dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values lie between 0 and 1")
    order = np.argsort(p)
    passes = p[order] <= level / (len(p) - np.arange(len(p)))
    kept = np.zeros(len(p), dtype=bool)
    kept[order] = np.logical_and.accumulate(passes)
    return kept
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "holm-kept", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# By hand, at 5 %: sorted 0.004, 0.015, 0.02, 0.3 against 0.0125, 0.0167, 0.025, 0.05
answer = holm(np.array([0.3, 0.004, 0.02, 0.015]), 0.05)
assert answer is not None, "nothing came back: end the function with return"
kept = np.asarray(answer)
assert kept.shape == (4,), f"four p-values go in, so four answers come out; yours has shape {kept.shape}"
kept = kept.astype(bool).tolist()
assert kept != [False, True, False, False], "that is Bonferroni: from the second p-value on, the limit grows to level / (m - 1), level / (m - 2), ..."
assert kept != [True, True, True, False], "three are kept, but your answer stands in sorted order: put it back where the p-values stood"
assert kept == [False, True, True, True], f"0.004, 0.015 and 0.02 are kept, 0.3 is not; yours is {kept}"
# One that fails ends it: sorted 0.01, 0.03, 0.04 against 0.0167, 0.025, 0.05
kept = np.asarray(holm(np.array([0.04, 0.01, 0.03]), 0.05)).astype(bool).tolist()
assert kept != [True, True, False], "0.03 fails its limit of 0.025, so 0.04 behind it can't be kept, though it is below 0.05: stop at the first that fails"
assert kept != [True, True, True], "each p-value below 5 % is not enough: there are three comparisons"
assert kept == [False, True, False], f"only 0.01 is kept; yours is {kept}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(5)
for level in (0.05, 0.2):
    for m in (1, 5, 40):
        p = rng.beta(0.4, 3, m)
        line, truth = sorted(p), []
        for rank, value in enumerate(line):
            if value > level / (m - rank):
                break
            truth.append(value)
        kept = np.asarray(holm(p.copy(), level)).astype(bool)
        assert kept.sum() == len(truth), "the number that is kept is off for random p-values"
        assert sorted(p[kept]) == truth, "the wrong ones are kept for random p-values"
        assert (kept >= (p <= level / m)).all() and (kept <= (p <= level)).all(), "Holm keeps all that Bonferroni keeps, and nothing above the level"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "holm-refused", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Nothing to compare, ties, and what is no p-value. (Good input first.)
assert np.asarray(holm(np.array([0.01]), 0.05)).astype(bool).tolist() == [True], "a single comparison is kept at p = 0.01"
assert np.asarray(holm(np.array([]), 0.05)).shape == (0,), "no comparison, no answer: an empty array"
assert np.asarray(holm(np.array([0.01, 0.01, 0.01]), 0.05)).astype(bool).all(), "three equal p-values of 0.01 pass their limits of 0.0167, 0.025 and 0.05"
for bad in ([0.01, float("nan")], [0.2, 1.5], [-0.1, 0.2]):
    try:
        holm(np.array(bad), 0.05)
    except ValueError:
        pass
    else:
        raise AssertionError(f"{bad} holds what is no p-value: raise ValueError")
### BEGIN HIDDEN TESTS
assert np.asarray(holm(np.array([0.0, 1.0]), 0.05)).astype(bool).tolist() == [True, False], "0 and 1 are p-values"
assert np.asarray(holm(np.array([0.025, 0.05]), 0.05)).astype(bool).all(), "a p-value that equals its limit is kept"
try:
    holm(np.array([float("nan")]), 0.05)
except ValueError:
    pass
else:
    raise AssertionError("a nan alone must raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 13.1d - what does the table show?
#
# Difficulty 3 of 5 - 3 points - about 10 minutes - *after it you can sit in a purchase committee*
#
# An invented table, put together from several reports, with 95 % intervals over patients:
#
# | row | figure | measured | beside it | remark |
# |---|---|---|---|---|
# | 1 | lesion Dice, network P | 0.71 [0.66, 0.76] | network Q 0.68 [0.63, 0.73] | the same 60 patients; paired difference P - Q: 0.03 [0.01, 0.05] |
# | 2 | pneumonia AUC, network R, hospital 1 | 0.93 [0.90, 0.96] | mean brightness 0.91 [0.88, 0.94] | the same patients; no paired difference is given |
# | 3 | average precision, detector S, cohort X | 0.62 [0.55, 0.69] | share of sick patients 0.50 | 200 patients |
# | 4 | average precision, detector T, cohort Y | 0.41 [0.36, 0.46] | share of sick patients 0.05 | 900 patients |
# | 5 | landmark error after registration | 1.9 mm [1.6, 2.2] | before: 6.5 mm [5.8, 7.2] | the same 27 pairs |
# | 6 | AUC of the checkpoint that was best on the test set, of 40 | 0.88 [0.84, 0.92] | last checkpoint 0.85 | test set of 300 patients |
# | 7 | relapse, the best of 40 image features | p = 0.02 | | the other 39 are not reported |
# | 8 | hazard ratio by the method, simulated patients | 1.7 [1.3, 2.2] | planted: 2.0 | |
#
# Ten claims. For each, return `"shown"` if the table shows it, `"not shown"` if it may be true and the table does not show it, and `"can't be compared"` if it sets two figures against each other that stand on different patients.
#
# - **A** On patients like these, P outlines lesions better than Q.
# - **B** R ranks patients better than their mean brightness does.
# - **C** S is a better detector than T.
# - **D** T does better than raising alarms at random.
# - **E** Registration brings the landmarks closer together.
# - **F** On new patients, the chosen checkpoint of row 6 reaches an AUC of 0.88.
# - **G** The best of the 40 features has to do with relapse.
# - **H** The method of row 8 does not recover the planted hazard ratio.
# - **I** R (0.93) is better than the published network U, which reached 0.90 at another hospital.
# - **J** P (0.71) is worse than network V, published with a lesion Dice of 0.78 on another public set.
#
# The visible checks judge A, C and F as worked examples, and the spelling of the rest; grading judges all ten.
#
# <details><summary>Hint 1: the idea</summary>Three questions to each claim. Are both figures of the same patients? Is the interval one of the difference, or of each figure alone? Were the patients who measure it also those who chose it?</details>
# <details><summary>Hint 2: the form</summary><code>return {"A": "shown", "B": ..., ...}</code> with ten letters.</details>
# <details><summary>The intervals overlap, so it can't be shown</summary>Intervals of two figures on the same patients may overlap widely while the paired difference is sure. Is it given?</details>

# %% nbgrader={"grade": false, "grade_id": "read-table", "locked": false, "schema_version": 3, "solution": true, "task": false}
def read_table() -> dict[str, str]:
    """What the table says about ten claims.

    Returns:
        letter "A" ... "J" -> "shown", "not shown" or "can't be compared".
    """
    ### BEGIN SOLUTION
    return {
        "A": "shown",
        "B": "not shown",
        "C": "can't be compared",
        "D": "shown",
        "E": "shown",
        "F": "not shown",
        "G": "not shown",
        "H": "not shown",
        "I": "can't be compared",
        "J": "can't be compared",
    }
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "read-table-difference", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A, B, D, E, H: what do an interval and a baseline show?
said = read_table()
assert isinstance(said, dict) and sorted(said) == list("ABCDEFGHIJ"), "return a dictionary with the ten letters A to J as keys"
odd = {letter: word for letter, word in said.items() if word not in ("shown", "not shown", "can't be compared")}
assert not odd, f"each value is 'shown', 'not shown' or 'can't be compared'; these are not: {odd}"
assert said["A"] == "shown", "claim A: the paired difference is given, and its interval leaves out 0; that the two single intervals overlap does not matter"
assert len({said[letter] for letter in "BDEH"}) > 1, "B, D, E and H are not all alike: look at what stands beside each"
### BEGIN HIDDEN TESTS
reasons = {
    "B": "the intervals of R and of brightness overlap and no paired difference is given: it may be so, and it is not shown",
    "D": "random alarms have an average precision of the share of the sick, 0.05, which is far below 0.36",
    "E": "the same pairs before and after, and the intervals are far apart",
    "H": "2.0 lies inside 1.3 to 2.2: the table is consistent with recovering it",
}
right = {"B": "not shown", "D": "shown", "E": "shown", "H": "not shown"}
wrong = [letter for letter in right if said[letter] != right[letter]]
assert not wrong, f"claim {wrong[0]}: {reasons[wrong[0]]}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "read-table-chosen", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# F and G: who chose, and out of how many?
said = read_table()
assert isinstance(said, dict) and sorted(said) == list("ABCDEFGHIJ"), "return a dictionary with the ten letters A to J as keys"
odd = {letter: word for letter, word in said.items() if word not in ("shown", "not shown", "can't be compared")}
assert not odd, f"each value is 'shown', 'not shown' or 'can't be compared'; these are not: {odd}"
assert said["F"] == "not shown", "claim F: the best of 40 on the test set flatters itself; its interval knows nothing of the choice"
### BEGIN HIDDEN TESTS
assert said["G"] == "not shown", "claim G: with 40 features and no effect at all, the smallest p is below 0.02 more often than not"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "read-table-compared", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# C, I, J: same patients, same prevalence?
said = read_table()
assert isinstance(said, dict) and sorted(said) == list("ABCDEFGHIJ"), "return a dictionary with the ten letters A to J as keys"
odd = {letter: word for letter, word in said.items() if word not in ("shown", "not shown", "can't be compared")}
assert not odd, f"each value is 'shown', 'not shown' or 'can't be compared'; these are not: {odd}"
assert said["C"] == "can't be compared", "claim C: average precision depends on prevalence, and one cohort has ten times as many sick as the other"
### BEGIN HIDDEN TESTS
assert said["I"] == "can't be compared", "claim I: an AUC depends on how ill the ill and how healthy the healthy of a hospital are"
assert said["J"] == "can't be compared", "claim J: a Dice depends on the size and contrast of the lesions of a set"
assert said["A"] != "can't be compared", "claim A: P and Q stand on the same 60 patients"
assert said["E"] != "can't be compared", "claim E: before and after stand on the same 27 pairs"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** Open the table of a lecture that you remember well. Which of its figures would you *not* quote in a talk, and what would you have to say with it if you did?
#
# <details><summary>Answer</summary>Any without an interval or without a baseline; any from simulated images without the word "simulated"; an average precision without its prevalence; a gain without the number of seeds, or of patients, behind its interval.</details>

# %% [markdown]
# ### The mock exam
#
# One hour, 31 points, all lectures. Two pages of numbers, one of choices, three short functions. As in the real one (its questions are others) a calculator and Python are allowed, the lectures are not. The hints are for afterwards.
#
# | part | what | points | minutes |
# |---|---|---|---|
# | 1 | six numbers, lectures 2 to 8 | 6 | 10 |
# | 2 | six numbers, lectures 7 to 15 | 6 | 10 |
# | 3 | eight choices that join lectures | 8 | 12 |
# | 4 | statistics of hospitals that share no data | 4 | 9 |
# | 5 | lesions found, and false marks | 4 | 11 |
# | 6 | who must leave the test set | 3 | 8 |
#
# A check tells at once whether an answer is right. It does so without holding the answer: it knows a *seal* (a hash) of each. Numbers want three significant digits.

# %% tags=["demo"]
from datetime import datetime

import ipywidgets as widgets
from IPython.display import display

begin, ends = widgets.Button(description="Begin the hour"), widgets.Label("31 points in 60 minutes. The clock starts when you press the button.")
begin.on_click(lambda _button: setattr(ends, "value", f"Begun. The hour ends at {datetime.now() + timedelta(minutes=60):%H:%M}."))
display(widgets.HBox([begin, ends]))
print("60 minutes, 31 points: about two minutes a point.")

# %% tags=["given"]
import hashlib

SEALS = {
    "one-1": "ad50bbe9ddb3", "one-2": "6bf6bcca1ef2", "one-3": "f0b7f890c449", "one-4": "2ada9f6f2c6d",
    "one-5": "b9e508f3db7b", "one-6": "f69b96744bf1", "two-1": "f0d5df80f62f", "two-2": "36148e894c93",
    "two-3": "35b5b18aac31", "two-4": "a457b16bbfba", "two-5": "064ddbb8f1ff", "two-6": "97aaf7c3b3f3",
    "three-1": "faa037fa0964", "three-2": "57c04efebc90", "three-3": "4b1e16cf6e0c", "three-4": "32ed456161fc",
    "three-5": "b4164e1d8438", "three-6": "860a99400cdf", "three-7": "9dde2731807e", "three-8": "0dcf4a8bfcf3",
}


def seal(name: str, value: str) -> str:
    """Twelve signs that stand for one answer to one question, and don't tell it."""
    return hashlib.sha256(f"mock exam/{name}/{value}".encode()).hexdigest()[:12]


def fits(name: str, value: float, step: float, sign: str = "") -> bool:
    """Whether a number lies within a step (its tolerance) or so of the sealed one; of the answer, or of another that has the seal `sign`."""
    if not np.isfinite(value) or abs(value) > 1e12:
        return False
    return any(seal(name, str(round(value / step) + move)) == (sign or SEALS[name]) for move in (-1, 0, 1))

# %% [markdown]
# ### Exercise 13.1e - mock exam, part 1
#
# Difficulty 3 of 5 - 6 points - about 10 minutes - *after it you know which figures of lectures 2 to 8 you can compute*
#
# Return a dictionary with six numbers, `"1"` to `"6"`.
#
# 1. A window has level -600 HU and width 1500 HU, and its grey values run from 0 (lower end) to 255 (upper end). Which HU does the grey value 200 stand for?
# 2. A layer first filters each of its 32 channels by its own 3 x 3 kernel, then mixes the results into 64 channels by a 1 x 1 convolution. No biases. How many weights does it have?
# 3. Two tests in a row: whoever is positive in the first (sensitivity 0.95, specificity 0.80) takes the second (0.90 and 0.95, independent of the first). 2 % are ill. What share of those who are positive in both is ill?
# 4. The predicted tumour has a volume of 30 ml, the true one 24 ml. How large can their Dice be at most?
# 5. A rigid registration is wrong by a rotation of 3 degrees about the centre of the head, and right otherwise. How far off, in mm, is a landmark 80 mm from the axis?
# 6. A detector has a specificity of 95 % for each slice. An alarm at any of a patient's 20 slices calls the patient in. If slices err independently, what is the specificity for patients?
#
# <details><summary>Hint 1: the idea</summary>3: odds multiply. 4: the overlap can't be larger than the smaller volume. 5: a chord. 6: a healthy patient must be lucky twenty times.</details>
# <details><summary>Hint 2: where to look</summary>1: lecture 2, Hounsfield units. 2: lecture 3, counting parameters. 3: lecture 4, predictive values. 4: lecture 5, Dice. 5: lecture 6, landmark error. 6: lecture 8, false alarms by subject.</details>
# <details><summary>A number is refused, and I am sure of it</summary>Three significant digits? A share (0.5) rather than a percentage (50)? The unit that was asked for?</details>

# %% nbgrader={"grade": false, "grade_id": "exam-one", "locked": false, "schema_version": 3, "solution": true, "task": false}
def exam_one() -> dict[str, float]:
    """Answers to part 1.

    Returns:
        "1" ... "6" -> a number: HU, count, share 0 to 1, Dice, mm, share 0 to 1.
    """
    ### BEGIN SOLUTION
    both_ill, both_well = 0.02 * 0.95 * 0.90, 0.98 * 0.20 * 0.05
    return {
        "1": -600 - 1500 / 2 + 1500 * 200 / 255,
        "2": 32 * 9 + 32 * 64,
        "3": both_ill / (both_ill + both_well),
        "4": 2 * 24 / (30 + 24),
        "5": 2 * 80 * np.sin(np.radians(3) / 2),
        "6": 0.95**20,
    }
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "exam-one-window", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 1: the grey value back to HU
answers = exam_one()
assert isinstance(answers, dict) and answers.get("1") is not None, "question 1 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["1"])
slips = {
    "32bf0ddc6d41": "a window begins half its width below its level",
    "c68f8c1d107a": "the lower end of the window must be added",
    "eafb0c42ef6b": "the window begins half a width below its level, not a whole one",
}
slip = next((told for sign, told in slips.items() if fits("one-1", value, 0.6, sign)), "")
assert not slip, f"question 1: {slip}"
assert fits("one-1", value, 0.6), f"question 1: {value:.4g} is not right. Think of this: the grey value grows from 0 at the lower end of the window to 255 at its upper end"
### BEGIN HIDDEN TESTS
assert abs(value - (-600 - 1500 / 2 + 1500 * 200 / 255)) <= 1.2, "question 1: the number is off. Think of this: the grey value grows from 0 at the lower end of the window to 255 at its upper end"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-one-separable", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 2: weights of a separable layer
answers = exam_one()
assert isinstance(answers, dict) and answers.get("2") is not None, "question 2 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["2"])
slips = {
    "481dd74bdc47": "that is a full 3 x 3 convolution: here each channel has its own small kernel, and mixing is 1 x 1",
    "5a1dffc72295": "each channel is filtered once, not once for every output",
    "b0ec21a86d16": "the 1 x 1 convolution goes from 32 to 64 channels",
    "e4ea9d047dac": "no biases",
}
slip = next((told for sign, told in slips.items() if fits("one-2", value, 0.4, sign)), "")
assert not slip, f"question 2: {slip}"
assert fits("one-2", value, 0.4), f"question 2: {value:.4g} is not right. Think of this: add the weights of the two steps"
### BEGIN HIDDEN TESTS
assert abs(value - (32 * 9 + 32 * 64)) <= 0.8, "question 2: the number is off. Think of this: add the weights of the two steps"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-one-two-tests", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 3: two tests in a row
answers = exam_one()
assert isinstance(answers, dict) and answers.get("3") is not None, "question 3 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["3"])
slips = {
    "e82cbc22c2b2": "that is after the first test alone",
    "82e510a7321b": "that is the second test given to everybody",
    "184ce7b94454": "that is the sensitivity of both together: prevalence is missing",
}
slip = next((told for sign, told in slips.items() if fits("one-3", value, 0.002, sign)), "")
assert not slip, f"question 3: {slip}"
assert fits("one-3", value, 0.002), f"question 3: {value:.4g} is not right. Think of this: of all people, what share is ill and positive twice, and what share well and positive twice?"
### BEGIN HIDDEN TESTS
assert abs(value - (0.02 * 0.855 / (0.02 * 0.855 + 0.98 * 0.20 * 0.05))) <= 0.004, "question 3: the number is off. Think of this: of all people, what share is ill and positive twice, and what share well and positive twice?"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-one-dice-bound", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 4: the largest possible Dice
answers = exam_one()
assert isinstance(answers, dict) and answers.get("4") is not None, "question 4 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["4"])
slips = {
    "1f3269ede06f": "that is the largest intersection over union",
    "a3501c964b38": "the volumes differ, so the masks can't agree everywhere",
    "68f286b503bb": "Dice has twice the overlap above the line",
}
slip = next((told for sign, told in slips.items() if fits("one-4", value, 0.002, sign)), "")
assert not slip, f"question 4: {slip}"
assert fits("one-4", value, 0.002), f"question 4: {value:.4g} is not right. Think of this: at best, the smaller one lies inside the larger one"
### BEGIN HIDDEN TESTS
assert abs(value - (48 / 54)) <= 0.004, "question 4: the number is off. Think of this: at best, the smaller one lies inside the larger one"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-one-rotation", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 5: a rotation in millimetres
answers = exam_one()
assert isinstance(answers, dict) and answers.get("5") is not None, "question 5 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["5"])
slips = {
    "f1087f7cb50d": "3 is in degrees: an arc is radius times angle in radians",
    "7ace4c4f7bb6": "sin wants radians",
    "bf26a3200f5d": "half the angle belongs to half the chord",
}
slip = next((told for sign, told in slips.items() if fits("one-5", value, 0.02, sign)), "")
assert not slip, f"question 5: {slip}"
assert fits("one-5", value, 0.02), f"question 5: {value:.4g} is not right. Think of this: radius, angle, chord"
### BEGIN HIDDEN TESTS
assert abs(value - (160 * np.sin(np.radians(1.5)))) <= 0.04, "question 5: the number is off. Think of this: radius, angle, chord"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-one-by-patient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 6: specificity of a patient
answers = exam_one()
assert isinstance(answers, dict) and answers.get("6") is not None, "question 6 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["6"])
slips = {
    "660d2e11f8db": "that is for one slice; a patient has twenty chances of a false alarm",
    "425f01450990": "that is the share of healthy patients who are called in",
    "14134a465f6a": "chances multiply, they don't add up",
}
slip = next((told for sign, told in slips.items() if fits("one-6", value, 0.002, sign)), "")
assert not slip, f"question 6: {slip}"
assert fits("one-6", value, 0.002), f"question 6: {value:.4g} is not right. Think of this: a healthy patient stays at home if none of the twenty slices raises an alarm"
### BEGIN HIDDEN TESTS
assert abs(value - (0.95**20)) <= 0.004, "question 6: the number is off. Think of this: a healthy patient stays at home if none of the twenty slices raises an alarm"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 13.1f - mock exam, part 2
#
# Difficulty 3 of 5 - 6 points - about 10 minutes - *after it you know which figures of lectures 7 to 15 you can compute*
#
# Return a dictionary with six numbers, `"1"` to `"6"`.
#
# 1. A mean teacher keeps 0.99 of its weights at each step. After how many steps do its present weights count half?
# 2. A vision transformer cuts an image of 224 x 224 pixels into patches of 16 x 16 and adds a class token. It has 12 heads. How many MB (10^6 bytes) do the attention scores of one layer take, at 4 bytes each?
# 3. A film shows two lesions. The score is 0.90 with both, 0.85 with either one alone, 0.10 with none. What is the Shapley value of one lesion?
# 4. A calibrated classifier was trained where half are ill, and says 0.40 for a patient. It is used where 10 % are ill, and the images of each kind of patient look the same. What should it say?
# 5. DP-SGD: clipping norm 1, noise multiplier 1.1, batch of 64 patients. What is the standard deviation of the noise on each entry of the *mean* gradient?
# 6. 10 % have the disease. The image makes it 6 times as likely (likelihood ratio), the lab value 4 times; given the disease, or its absence, the two are independent. What is the probability of disease?
#
# <details><summary>Hint 1: the idea</summary>1: a power. 2: tokens, squared. 3: two orders. 4 and 6: odds multiply. 5: the noise is added to the sum.</details>
# <details><summary>Hint 2: where to look</summary>1: lecture 7, the teacher. 2: lecture 9, the price of all pairs. 3: lecture 10, Shapley values. 4: lecture 11, label shift. 5: lecture 12, section 11.5. 6: lecture 13, fusion.</details>
# <details><summary>A number is refused, and I am sure of it</summary>Three significant digits? A probability rather than odds? The unit that was asked for?</details>

# %% nbgrader={"grade": false, "grade_id": "exam-two", "locked": false, "schema_version": 3, "solution": true, "task": false}
def exam_two() -> dict[str, float]:
    """Answers to part 2.

    Returns:
        "1" ... "6" -> a number: steps, MB, share of the score, probability, standard deviation, probability.
    """
    ### BEGIN SOLUTION
    tokens = (224 // 16) ** 2 + 1
    shifted = 0.4 / 0.6 * (0.1 / 0.9) / (0.5 / 0.5)
    fused = 0.1 / 0.9 * 6 * 4
    return {
        "1": np.log(0.5) / np.log(0.99),
        "2": 12 * tokens**2 * 4 / 1e6,
        "3": ((0.85 - 0.10) + (0.90 - 0.85)) / 2,
        "4": shifted / (1 + shifted),
        "5": 1.1 * 1 / 64,
        "6": fused / (1 + fused),
    }
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "exam-two-half-life", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 1: half-life of a teacher
answers = exam_two()
assert isinstance(answers, dict) and answers.get("1") is not None, "question 1 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["1"])
slips = {
    "f375c57bc38d": "the weight falls by a factor each step, not by an amount",
    "a9d026780d69": "that is 1 / (1 - 0.99), after which a third is left",
}
slip = next((told for sign, told in slips.items() if fits("two-1", value, 0.5, sign)), "")
assert not slip, f"question 1: {slip}"
assert fits("two-1", value, 0.5), f"question 1: {value:.4g} is not right. Think of this: after k steps the old weights count 0.99 to the power k"
### BEGIN HIDDEN TESTS
assert abs(value - (np.log(0.5) / np.log(0.99))) <= 1, "question 1: the number is off. Think of this: after k steps the old weights count 0.99 to the power k"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-two-scores", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 2: memory of attention scores
answers = exam_two()
assert isinstance(answers, dict) and answers.get("2") is not None, "question 2 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["2"])
slips = {
    "f93745df8821": "the class token is a token, too",
    "b409a0c9b611": "each of the twelve heads has its own scores",
    "b71a25904534": "a number takes four bytes",
    "c4bb990dcd1d": "a MB was said to be 10^6 bytes",
}
slip = next((told for sign, told in slips.items() if fits("two-2", value, 0.006, sign)), "")
assert not slip, f"question 2: {slip}"
assert fits("two-2", value, 0.006), f"question 2: {value:.4g} is not right. Think of this: tokens squared, for each head, times four bytes"
### BEGIN HIDDEN TESTS
assert abs(value - (12 * 197**2 * 4 / 1e6)) <= 0.012, "question 2: the number is off. Think of this: tokens squared, for each head, times four bytes"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-two-shapley", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 3: Shapley value of one of two
answers = exam_two()
assert isinstance(answers, dict) and answers.get("3") is not None, "question 3 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["3"])
slips = {
    "ee33799e7932": "that is what occlusion says, and it gives nearly nothing to both: average over both orders",
    "3c94a5560eab": "that is the gain of the first to come; half of the time it comes second",
    "2c4ac272efa1": "that is what both share",
}
slip = next((told for sign, told in slips.items() if fits("two-3", value, 0.003, sign)), "")
assert not slip, f"question 3: {slip}"
assert fits("two-3", value, 0.003), f"question 3: {value:.4g} is not right. Think of this: two orders: it comes first, or it comes second"
### BEGIN HIDDEN TESTS
assert abs(value - (0.5 * (0.85 - 0.1) + 0.5 * (0.9 - 0.85))) <= 0.006, "question 3: the number is off. Think of this: two orders: it comes first, or it comes second"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-two-new-prevalence", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 4: a posterior at another prevalence
answers = exam_two()
assert isinstance(answers, dict) and answers.get("4") is not None, "question 4 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["4"])
slips = {
    "2dc92789cdfc": "probabilities don't scale with prevalence; odds do",
    "828d99b2d40a": "those are the odds: turn them into a probability",
    "f8e5cb82cee6": "nothing was corrected",
    "73fe965bebfc": "multiply the odds by the ratio of the prior odds, not the probability by the prevalence",
}
slip = next((told for sign, told in slips.items() if fits("two-4", value, 0.001, sign)), "")
assert not slip, f"question 4: {slip}"
assert fits("two-4", value, 0.001), f"question 4: {value:.4g} is not right. Think of this: posterior odds are prior odds times what the image says"
### BEGIN HIDDEN TESTS
assert abs(value - ((0.4 / 0.6 / 9) / (1 + 0.4 / 0.6 / 9))) <= 0.002, "question 4: the number is off. Think of this: posterior odds are prior odds times what the image says"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-two-dp-noise", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 5: noise on a private gradient
answers = exam_two()
assert isinstance(answers, dict) and answers.get("5") is not None, "question 5 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["5"])
slips = {
    "e33aa7b4b056": "that is the noise on the sum: the mean divides it by the batch",
    "bae561fd48c1": "the sum is divided by the batch, not by its root",
    "7261cbff1f62": "the noise is multiplier times clipping norm, and the norm is 1",
}
slip = next((told for sign, told in slips.items() if fits("two-5", value, 0.0002, sign)), "")
assert not slip, f"question 5: {slip}"
assert fits("two-5", value, 0.0002), f"question 5: {value:.4g} is not right. Think of this: noise is added to the sum of the clipped gradients, and the sum is then divided"
### BEGIN HIDDEN TESTS
assert abs(value - (1.1 / 64)) <= 0.0004, "question 5: the number is off. Think of this: noise is added to the sum of the clipped gradients, and the sum is then divided"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-two-two-modalities", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 6: two modalities, independent
answers = exam_two()
assert isinstance(answers, dict) and answers.get("6") is not None, "question 6 has no answer: return a dictionary with the keys 1 to 6 as text"
value = float(answers["6"])
slips = {
    "6c96fc780caa": "likelihood ratios multiply",
    "b44d4fd955c7": "those are the odds",
    "c0552e50f077": "that is late fusion by averaging, which throws away that both agree",
    "3762516aca6d": "the prior odds are 1 to 9",
}
slip = next((told for sign, told in slips.items() if fits("two-6", value, 0.003, sign)), "")
assert not slip, f"question 6: {slip}"
assert fits("two-6", value, 0.003), f"question 6: {value:.4g} is not right. Think of this: prior odds 1 to 9, times both likelihood ratios"
### BEGIN HIDDEN TESTS
assert abs(value - ((24 / 9) / (1 + 24 / 9))) <= 0.006, "question 6: the number is off. Think of this: prior odds 1 to 9, times both likelihood ratios"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 13.1g - mock exam, part 3
#
# Difficulty 3 of 5 - 8 points - about 12 minutes - *after it you can tell which lecture a question belongs to*
#
# Return a dictionary, `"1"` to `"8"`, with a letter for each.
#
# **1.** A network scores single CT slices. By slice its AUC is 0.95; by patient (highest slice) it is 0.88. It will decide which patients are called in. What do you quote?
# **A** 0.95, since more samples stand behind it. **B** 0.88, with an interval that resamples patients. **C** 0.88, with an interval that resamples slices. **D** The mean of both, since both are right.
#
# **2.** A registration network was trained with smoothness and the Dice of the liver. The liver's Dice is 0.96; vessels inside the liver end up 6 mm off. Why?
# **A** Dice is too coarse for an organ of that size. **B** Smoothness keeps the field from moving at all. **C** The network should have been trained longer. **D** The loss saw the outline; inside nothing was asked of the field.
#
# **3.** Active learning chose 200 films out of 10 000 and had them labelled. On a fifth of them, held out by patient, a classifier is right in 92 %. What does that say about the hospital's films?
# **A** Nothing yet: the 200 are no random sample. **B** It is at least 92 %, for the 200 were difficult. **C** It is at most 92 %, for the 200 were easy. **D** It is 92 %, for patients were kept apart.
#
# **4.** An anomaly detector moves to a second scanner, where AdaBN is computed over a week of all patients. What do you measure first?
# **A** Its average precision at the first scanner, as before. **B** The reconstruction error of its training images. **C** False alarms on the second scanner's healthy, and whether its known ill are still found. **D** How well a network can tell the two scanners apart.
#
# **5.** In slides, the attention of a bag network lies on pen marks. Deleting the marks lowers its AUC on new slides from 0.94 to 0.71. What follows?
# **A** Attention is an explanation after all, so the model is fine. **B** Marks hold information, so they belong into the input. **C** Mean pooling instead of attention would not see marks. **D** The marks carried the answer: train without them, and test where none are.
#
# **6.** Ten hospitals train one classifier together; 20 % of their patients are ill. At one of them 2 % are. What must it set by itself before it reads probabilities?
# **A** The first convolution, which sees the scanner. **B** The intercept (calibration), on patients of its own. **C** The number of local epochs, in the next training. **D** Nothing, as the federation included its patients.
#
# **7.** A fusion of film and chart predicts death in hospital with an AUC of 0.97, by far the best in the literature. The chart has a column "days in intensive care". What do you suspect?
# **A** The film adds nothing, as charts are better. **B** The column is missing in many of the patients. **C** The column is not yet known when the decision is due. **D** Late fusion would have been the honest design.
#
# **8.** You have 60 labelled volumes with slices 5 mm apart, and a backbone pretrained on 2-D images. What is your first experiment?
# **A** Neighbouring slices as channels of the backbone, pooled by patient, beside a trivial baseline. **B** A 3-D transformer from scratch, which sees the whole volume at once. **C** Isotropic cubes by interpolation, a 3-D CNN, the best epoch on the test set. **D** A promptable segmenter, with boxes from the true masks as prompts.
#
# <details><summary>Hint 1: the idea</summary>Ask of each question: who is the unit, what was chosen by whom, what is known when?</details>
# <details><summary>Hint 2: where to look</summary>1: 3.2 and 7.4. 2: 5.4. 3: 6.5. 4: 7.4 and 10.3. 5: 6.3 and 9.4. 6: 3.2, 10.1 and 11.2. 7: 12.2. 8: 3.3 and 3.4.</details>
# <details><summary>Two options seem right</summary>Then one of them answers another question than the one that was asked: what will somebody *do* with the answer?</details>

# %% nbgrader={"grade": false, "grade_id": "exam-three", "locked": false, "schema_version": 3, "solution": true, "task": false}
def exam_three() -> dict[str, str]:
    """Answers to part 3.

    Returns:
        "1" ... "8" -> "A", "B", "C" or "D".
    """
    ### BEGIN SOLUTION
    return dict(zip("12345678", "BDACDBCA", strict=True))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "exam-three-by-patient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 1: what is decided, and for whom
answers = exam_three()
assert isinstance(answers, dict) and answers.get("1") in ("A", "B", "C", "D"), "question 1 has no answer: return a dictionary with the keys 1 to 8 as text and a letter A to D for each"
letter = answers["1"]
assert seal("three-1", letter) == SEALS["three-1"], f"question 1: {letter} is not right. Think of this: the clinic calls in patients, so which unit decides, and over which unit is the interval taken?"
### BEGIN HIDDEN TESTS
assert letter == "B", "question 1: patients are called in, so the patient is the unit, for the figure and for its interval"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-three-inside", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 2: what a loss can see
answers = exam_three()
assert isinstance(answers, dict) and answers.get("2") in ("A", "B", "C", "D"), "question 2 has no answer: return a dictionary with the keys 1 to 8 as text and a letter A to D for each"
letter = answers["2"]
assert seal("three-2", letter) == SEALS["three-2"], f"question 2: {letter} is not right. Think of this: what did the training ever look at inside the liver?"
### BEGIN HIDDEN TESTS
assert letter == "D", "question 2: Dice of the liver sees its outline alone: inside, the field is free"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-three-sample", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 3: whom a test set stands for
answers = exam_three()
assert isinstance(answers, dict) and answers.get("3") in ("A", "B", "C", "D"), "question 3 has no answer: return a dictionary with the keys 1 to 8 as text and a letter A to D for each"
letter = answers["3"]
assert seal("three-3", letter) == SEALS["three-3"], f"question 3: {letter} is not right. Think of this: how were these 200 films chosen?"
### BEGIN HIDDEN TESTS
assert letter == "A", "question 3: the 200 were chosen for being difficult, so they stand for nobody"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-three-new-scanner", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 4: what to measure first at a new scanner
answers = exam_three()
assert isinstance(answers, dict) and answers.get("4") in ("A", "B", "C", "D"), "question 4 has no answer: return a dictionary with the keys 1 to 8 as text and a letter A to D for each"
letter = answers["4"]
assert seal("three-4", letter) == SEALS["three-4"], f"question 4: {letter} is not right. Think of this: who raises false alarms, and what could normalising take away?"
### BEGIN HIDDEN TESTS
assert letter == "C", "question 4: false alarms on the healthy, and whether the ill are still found, at the new scanner"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-three-marks", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 5: what an intervention shows
answers = exam_three()
assert isinstance(answers, dict) and answers.get("5") in ("A", "B", "C", "D"), "question 5 has no answer: return a dictionary with the keys 1 to 8 as text and a letter A to D for each"
letter = answers["5"]
assert seal("three-5", letter) == SEALS["three-5"], f"question 5: {letter} is not right. Think of this: deleting is an intervention: what did it show, and what follows for the model?"
### BEGIN HIDDEN TESTS
assert letter == "D", "question 5: the answer fell when the marks went, so they carried it"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-three-local", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 6: what must fit a hospital
answers = exam_three()
assert isinstance(answers, dict) and answers.get("6") in ("A", "B", "C", "D"), "question 6 has no answer: return a dictionary with the keys 1 to 8 as text and a letter A to D for each"
letter = answers["6"]
assert seal("three-6", letter) == SEALS["three-6"], f"question 6: {letter} is not right. Think of this: prevalence differs: which part of a model carries it?"
### BEGIN HIDDEN TESTS
assert letter == "B", "question 6: prevalence sits in the intercept: calibrate it where it is used"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-three-known-when", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 7: when a value is known
answers = exam_three()
assert isinstance(answers, dict) and answers.get("7") in ("A", "B", "C", "D"), "question 7 has no answer: return a dictionary with the keys 1 to 8 as text and a letter A to D for each"
letter = answers["7"]
assert seal("three-7", letter) == SEALS["three-7"], f"question 7: {letter} is not right. Think of this: at what moment is the decision made, and what is known then?"
### BEGIN HIDDEN TESTS
assert letter == "C", "question 7: the number of days is known when the patient has died or left, not at the decision"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "exam-three-first-experiment", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Question 8: the first experiment
answers = exam_three()
assert isinstance(answers, dict) and answers.get("8") in ("A", "B", "C", "D"), "question 8 has no answer: return a dictionary with the keys 1 to 8 as text and a letter A to D for each"
letter = answers["8"]
assert seal("three-8", letter) == SEALS["three-8"], f"question 8: {letter} is not right. Think of this: few volumes, thick slices, a pretrained backbone: what uses all three, and has a baseline?"
### BEGIN HIDDEN TESTS
assert letter == "A", "question 8: neighbouring slices through a pretrained 2-D network, pooled by patient"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 13.1h - mock exam, part 4: statistics of hospitals that share no data
#
# Difficulty 3 of 5 - 4 points - about 9 minutes - *after it you can normalise images over a federation without moving one*
#
# Each hospital sends three numbers about a feature: how many patients it has, their mean, their variance (divided by the number of patients, as batch norm does). Write `pooled(n, mean, variance)`: mean and variance over all patients together, as if the data lay in one place.
# A hospital with no patients sends 0 and whatever it likes (nan, perhaps).
#
# <details><summary>Hint 1: the idea</summary>The pooled variance has two parts: the spread within hospitals, and the spread of their means around the common one.</details>
# <details><summary>Hint 2: what to call</summary>For each hospital, mean of squares = variance + mean squared. Mean squares can be averaged by patients. <code>numpy.average(..., weights=n)</code> after the empty ones are left out.</details>
# <details><summary>My variance is too small</summary>Did you average the variances? If one scanner is darker than the other, the pooled values spread even if each hospital's don't.</details>

# %% nbgrader={"grade": false, "grade_id": "pooled", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pooled(n: list[int], mean: list[float], variance: list[float]) -> tuple[float, float]:
    """Mean and variance of all patients from those of K hospitals.

    Args:
        n, mean, variance: (K,) patients, mean and variance (divided by n) of each hospital. Where n is 0, the other two mean nothing.

    Returns:
        Mean and variance (divided by the number of patients) over all.

    Raises:
        ValueError: no hospital has a patient.
    """
    ### BEGIN SOLUTION
    n, mean, variance = (np.asarray(values, dtype=float) for values in (n, mean, variance))
    there = n > 0
    if not there.any():
        raise ValueError("no hospital has a patient")
    share = n[there] / n[there].sum()
    middle = float(share @ mean[there])
    return middle, float(share @ (variance[there] + (mean[there] - middle) ** 2))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "pooled-mean", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# The mean counts patients. By hand: 30 patients at 1 and 10 at 5 have the mean (30 + 50) / 40 = 2
answer = pooled([30, 10], [1.0, 5.0], [0.0, 0.0])
assert answer is not None and len(answer) == 2, "return two numbers: mean and variance"
middle = float(answer[0])
assert not np.isclose(middle, 3), "3 is the mean of the hospitals: each counts by its patients"
assert np.isclose(middle, 2), f"the mean over 40 patients is 2, yours is {middle:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(8)
for _ in range(3):
    sizes = [int(v) for v in rng.integers(2, 40, 5)]
    groups = [rng.normal(rng.normal(0, 2), 1, size) for size in sizes]
    middle, spread = pooled(sizes, [float(g.mean()) for g in groups], [float(g.var()) for g in groups])
    assert np.isclose(middle, np.concatenate(groups).mean()), "the mean is off for five random hospitals"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pooled-variance", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The variance has two parts. By hand: 30 patients at 1 and 10 at 5, none varies within: (30 * 1 + 10 * 9) / 40 = 3
middle, spread = pooled([30, 10], [1.0, 5.0], [0.0, 0.0])
assert not np.isclose(spread, 0), "the hospitals differ, so the pooled values vary, though no hospital's do: add the spread of the means"
assert not np.isclose(spread, 4), "4 is the variance of the two means: they count by their patients, too"
assert np.isclose(spread, 3), f"the variance of thirty 1s and ten 5s is 3, yours is {spread:.3f}"
middle, spread = pooled([30, 10], [2.0, 2.0], [1.0, 5.0])
assert np.isclose(spread, 2), f"equal means: then the variances are averaged by patients, (30 + 50) / 40 = 2; yours is {spread:.3f}"
middle, spread = pooled([30, 10], [1.0, 5.0], [1.0, 5.0])
assert np.isclose(spread, 5), f"2 within and 3 between are 5, yours is {spread:.3f}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(9)
for shift in (0.0, 100.0):
    sizes = [int(v) for v in rng.integers(2, 40, 6)]
    groups = [rng.normal(shift + rng.normal(0, 2), rng.uniform(0.5, 2), size) for size in sizes]
    middle, spread = pooled(sizes, [float(g.mean()) for g in groups], [float(g.var()) for g in groups])
    assert np.isclose(spread, np.concatenate(groups).var(), rtol=1e-5), "the variance is off for six random hospitals"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "pooled-empty", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A hospital without patients, and a federation without any. (Good input first.)
middle, spread = pooled([30, 10], [1.0, 5.0], [1.0, 5.0])
assert np.isclose(middle, 2) and np.isclose(spread, 5), "two hospitals with patients should give 2 and 5"
middle, spread = pooled([30, 0, 10], [1.0, float("nan"), 5.0], [1.0, float("nan"), 5.0])
assert np.isclose(middle, 2) and np.isclose(spread, 5), f"the empty hospital changes the result to {middle} and {spread}: 0 times nan is nan, so leave it out"
try:
    pooled([0, 0], [0.0, 0.0], [0.0, 0.0])
except ValueError:
    pass
else:
    raise AssertionError("if nobody has a patient there is no mean: raise ValueError")
### BEGIN HIDDEN TESTS
middle, spread = pooled([7], [3.5], [0.25])
assert np.isclose(middle, 3.5) and np.isclose(spread, 0.25), "a single hospital keeps its own mean and variance"
middle, spread = pooled([0, 4], [1e9, 2.0], [1e9, 0.5])
assert np.isclose(middle, 2) and np.isclose(spread, 0.5), "what an empty hospital sends must not matter"
try:
    pooled([], [], [])
except ValueError:
    pass
else:
    raise AssertionError("no hospital at all must raise ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 13.1i - mock exam, part 5: lesions found, and false marks
#
# Difficulty 3 of 5 - 4 points - about 11 minutes - *after it you can judge a detector by lesions, as its readers do*
#
# `truth` numbers the lesions of a scan, 1, 2, ...; 0 is background. `marked` is what a network marks. A lesion is **found** if at least a tenth of its voxels are marked. A **false mark** is a connected piece of `marked` that touches no lesion at all
# (pieces that meet at an edge or a corner are one piece). Write `lesions_found(truth, marked)`: the share of lesions found, and the number of false marks. In a scan without lesions there is no share: nan.
#
# <details><summary>Hint 1: the idea</summary>Two loops: over the lesions for the share, over the pieces of the mask for the false marks. Neither can be read from the voxel counts of the whole scan.</details>
# <details><summary>Hint 2: what to call</summary><code>scipy.ndimage.label(marked, structure=numpy.ones((3,) * marked.ndim))</code> numbers the pieces, and says how many there are; <code>marked[truth == k].mean()</code> is a share.</details>
# <details><summary>I count too many false marks</summary>A piece that covers a lesion and its surroundings is no false mark. And do pieces that meet at a corner count as one?</details>

# %% nbgrader={"grade": false, "grade_id": "lesions-found", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lesions_found(truth: np.ndarray, marked: np.ndarray) -> tuple[float, int]:
    """Lesion-wise sensitivity, and false marks, of one scan in 2-D or 3-D.

    Args:
        truth: whole numbers, 0 background, each other number one lesion (numbers need not be consecutive).
        marked: boolean, the same shape.

    Returns:
        Share of lesions of which at least a tenth is marked, nan if there is no lesion; number of connected pieces (corners connect) without a lesion voxel.

    Raises:
        ValueError: the shapes differ.
    """
    ### BEGIN SOLUTION
    from scipy import ndimage

    if truth.shape != marked.shape:
        raise ValueError(f"truth has shape {truth.shape}, the mask {marked.shape}")
    lesions = [number for number in np.unique(truth) if number != 0]
    found = [marked[truth == number].mean() >= 0.1 for number in lesions]
    pieces, count = ndimage.label(marked, structure=np.ones((3,) * marked.ndim))
    touching = np.unique(pieces[(truth != 0) & (pieces != 0)])
    return float(np.mean(found)) if found else float("nan"), int(count - len(touching))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "lesions-found-share", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# The share counts lesions, not voxels: a large one, a small one, a missed one, and one that is only grazed
truth = np.zeros((24, 24), int)
truth[1:11, 1:11], truth[14:16, 14:16], truth[20:23, 2:5], truth[2:8, 14:20] = 1, 2, 3, 7
marked = np.zeros((24, 24), bool)
marked[1:11, 1:11], marked[14:16, 14:16], marked[2, 14] = True, True, True
answer = lesions_found(truth, marked)
assert answer is not None and len(answer) == 2, "return two values: the share of lesions found, and the number of false marks"
share = float(answer[0])
assert not np.isclose(share, 105 / 149), "that is the share of lesion voxels: the large lesion speaks for all"
assert not np.isclose(share, 0.75), "one of 36 voxels is less than a tenth: a lesion that is grazed is not found"
assert not np.isclose(share, 2 / 7), "the lesions are numbered 1, 2, 3 and 7: count them, don't take the largest number"
assert np.isclose(share, 0.5), f"two of four lesions are found, so the share is 0.5, yours is {share:.3f}"
### BEGIN HIDDEN TESTS
edge = np.zeros((10, 10), int)
edge[0:2, 0:5], edge[5:9, 5:10] = 4, 9  # ten and twenty voxels
hit = np.zeros((10, 10), bool)
hit[0, 0], hit[5, 5] = True, True
assert np.isclose(lesions_found(edge, hit)[0], 0.5), "a tenth is enough: one of ten voxels finds a lesion, one of twenty does not"
rng = np.random.default_rng(4)
blocks = np.kron(np.arange(1, 28).reshape(3, 3, 3), np.ones((4, 4, 4), int))
random = rng.random(blocks.shape) < np.kron(rng.choice([0.02, 0.4], (3, 3, 3)), np.ones((4, 4, 4)))
expected = np.mean([random[blocks == k].mean() >= 0.1 for k in range(1, 28)])
assert np.isclose(lesions_found(blocks, random)[0], expected), "the share is off for 27 lesions in 3-D"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "lesions-found-false", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# False marks are pieces that touch no lesion
truth = np.zeros((16, 16), int)
truth[4:8, 4:8] = 1
marked = np.zeros((16, 16), bool)
marked[6:12, 6:12] = True  # covers a corner of the lesion and much around it
marked[0, 12], marked[1, 13], marked[2, 14] = True, True, True  # one piece, joined at corners
marked[14, 0:3] = True
share, false = lesions_found(truth, marked)
assert false != 3, "the piece that covers part of the lesion is no false mark: it touches one"
assert false != 4, "pixels that meet at a corner are one piece: the structure is a full 3 x 3"
assert false != 38, "false marks are pieces, not voxels"
assert false == 2, f"two pieces touch no lesion, you count {false}"
### BEGIN HIDDEN TESTS
volume = np.zeros((6, 6, 6), int)
volume[0, 0, 0] = 1
spots = np.zeros((6, 6, 6), bool)
spots[0, 0, 0] = spots[3, 3, 3] = spots[4, 4, 4] = spots[5, 0, 5] = True
assert lesions_found(volume, spots)[1] == 2, "in 3-D, voxels that meet at a corner are one piece"
assert lesions_found(volume, np.zeros((6, 6, 6), bool))[1] == 0, "no mark, no false mark"
assert lesions_found(volume, np.ones((6, 6, 6), bool))[1] == 0, "one piece over the whole scan touches the lesion"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "lesions-found-healthy", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# A healthy scan, and shapes that differ. (Good input first.)
one = np.zeros((5, 5), int)
one[2, 2] = 1
share, false = lesions_found(one, one.astype(bool))
assert np.isclose(share, 1) and false == 0, "a lesion that is marked exactly is found, without a false mark"
mark = np.zeros((5, 5), bool)
mark[0, 0] = True
share, false = lesions_found(np.zeros((5, 5), int), mark)
assert not np.isclose(share, 0, equal_nan=False) and not np.isclose(share, 1), f"without lesions the share is nan, not {share}: neither praise nor blame"
assert np.isnan(share), f"without lesions the share is nan, not {share}"
assert false == 1, f"the mark in a healthy scan is a false one; you count {false}"
try:
    lesions_found(np.zeros((5, 5), int), np.zeros((5, 6), bool))
except ValueError:
    pass
else:
    raise AssertionError("truth and mask of different shape must raise ValueError")
### BEGIN HIDDEN TESTS
share, false = lesions_found(np.zeros((4, 4, 4), int), np.zeros((4, 4, 4), bool))
assert np.isnan(share) and false == 0, "a healthy scan without a mark: nan and 0"
share, false = lesions_found(one, np.zeros((5, 5), bool))
assert np.isclose(share, 0), "a lesion without any mark: the share is 0"
try:
    lesions_found(np.zeros((5, 1), int), np.zeros((1, 5), bool))
except ValueError:
    pass
else:
    raise AssertionError("shapes that would broadcast must raise ValueError as well")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 13.1j - mock exam, part 6: who must leave the test set
#
# Difficulty 2 of 5 - 3 points - about 8 minutes - *after it you can audit a public split*
#
# Two lists of images, each image as `[patient, hash of its pixels]`. An image must leave the test set if its *patient* has an image in training, or if the *same pixels* are there, under whatever name: public collections contain each other. Patient ids were typed by hand: `" p07"`
# and `"P07"` are one patient. Write `leaks(train, test)`: the places in `test` of the images that must go, in order.
#
# <details><summary>Hint 1: the idea</summary>Two sets, of what training has seen. Then one look at each test image.</details>
# <details><summary>Hint 2: what to call</summary><code>text.strip().casefold()</code> makes ids comparable; <code>enumerate</code> gives places.</details>
# <details><summary>I throw out too many</summary>Two test images of one patient are no leak, as long as the patient is not in training. And the hashes are exact: don't change them.</details>

# %% nbgrader={"grade": false, "grade_id": "leaks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def leaks(train: list[list[str]], test: list[list[str]]) -> list[int]:
    """Places of test images that training has seen, by patient or by pixels.

    Args:
        train, test: for each image [patient id, hash]; ids may differ in case and in blanks around them, hashes are exact.

    Returns:
        Indices into `test`, rising; empty if nothing leaks.
    """
    ### BEGIN SOLUTION
    patients = {patient.strip().casefold() for patient, _ in train}
    pixels = {digest for _, digest in train}
    return [place for place, (patient, digest) in enumerate(test) if patient.strip().casefold() in patients or digest in pixels]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "leaks-both-ways", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# By patient, and by pixels
train = [["p1", "aa"], ["p2", "bb"], ["p2", "cc"]]
test = [["p3", "dd"], ["p2", "ee"], ["p4", "bb"], ["p5", "ff"], ["p5", "gg"]]
answer = leaks(train, test)
assert answer is not None, "nothing came back: end the function with return"
answer = [int(one) if not isinstance(one, str) else one for one in answer]
assert answer != ["p2", "p4"], "return places in the test list (0, 1, 2, ...), not patients"
assert 1 in answer, "test image 1 is of p2, who is in training: other pixels of the same patient leak as well"
assert 2 in answer, "test image 2 has the pixels 'bb' of a training image, under another patient's name"
assert 4 not in answer and 3 not in answer, "p5 has two test images and none in training: that is no leak"
assert answer == [1, 2], f"images 1 and 2 must go; your list is {answer}"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(6)
for _ in range(4):
    first = [[f"q{rng.integers(0, 60)}", f"h{rng.integers(0, 200)}"] for _ in range(40)]
    second = [[f"q{rng.integers(0, 90)}", f"h{rng.integers(0, 200)}"] for _ in range(40)]
    expected = [k for k in range(40) if any(second[k][0] == one[0] or second[k][1] == one[1] for one in first)]
    assert [int(k) for k in leaks(first, second)] == expected, "the list is off for random splits"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "leaks-spelling", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Ids are typed by people; hashes are not
assert [int(k) for k in leaks([["P07", "aa"]], [["p08", "bb"], ["P07", "cc"]])] == [1], "P07 is in both lists"
assert [int(k) for k in leaks([["P07", "aa"]], [[" p07 ", "bb"]])] == [0], "' p07 ' and 'P07' are one patient: compare ids without blanks and without case"
assert [int(k) for k in leaks([["p1", "aB"]], [["p2", "Ab"]])] == [], "hashes are exact: 'aB' and 'Ab' are different pixels"
assert list(leaks([], [["p1", "aa"]])) == [], "an empty training set has seen nothing"
### BEGIN HIDDEN TESTS
assert [int(k) for k in leaks([["  MRN-4 ", "aa"]], [["mrn-4", "bb"], ["mrn-44", "cc"]])] == [0], "ids must be equal, not one part of the other"
assert list(leaks([["p1", "aa"]], [])) == [], "an empty test set has no leak"
assert [int(k) for k in leaks([["p1", "p2"]], [["p2", "p1"]])] == [], "an id that equals a hash is no leak: compare ids with ids, hashes with hashes"
### END HIDDEN TESTS

# %% [markdown]
# **Checkpoint.** The hour is over. Look at each point that you lost: did you not know it, did you not recognise it, or did you know it and slip? Which of the three does a quiz mend?
#
# <details><summary>Answer</summary>Not knowing is mended by the lecture, not recognising by mixed questions as in the quiz, slipping by checking: a unit, a limit (what if prevalence is 0? if all hospitals are equal?), a rough guess before the sum. The choices, in a line each: 1 the unit is whoever is called in; 2 a loss
# asks nothing of what it doesn't see; 3 chosen patients stand for nobody; 4 false alarms first, and what normalising took away; 5 an intervention showed it, so mend it; 6 prevalence sits in the intercept; 7 what is known when; 8 use what you have, against a baseline.</details>

# %% [markdown]
# ### The course feedback
#
# The last figures of a course are yours. The questionnaire takes five minutes; every answer is optional. The button writes one file, `feedback-....json`, with your answers and nothing else: no name, no time, no machine. Look into it. Hand it in where your instructor collects it *without* names, not with this notebook.
#
# **Predict before you run.** A course has 120 students; their true mean answer to "I would recommend it" is 3.9 of 5. Forty answer. If the disappointed answer twice as readily as the content, what mean do you expect? And does the interval around it hold 3.9?

# %% tags=["demo"]
rng = np.random.default_rng(SEED)
opinion = rng.choice([1, 2, 3, 4, 5], 4000, p=[0.04, 0.08, 0.17, 0.36, 0.35])  # many classes of 120 are drawn from these
readiness = np.array([0.5, 0.5, 0.35, 0.25, 0.25])
means, holds = {"everybody is asked, 40 answer at random": [], "the disappointed answer twice as readily": []}, {}
for name, ready in zip(means, (np.full(5, 1 / 3), readiness), strict=True):
    inside = []
    for _ in range(400):
        class_ = rng.choice(opinion, 120)
        answered = class_[rng.random(120) < ready[class_ - 1]]
        half = 1.96 * answered.std(ddof=1) / np.sqrt(len(answered))
        means[name].append(answered.mean())
        inside.append(abs(answered.mean() - class_.mean()) <= half)
    holds[name] = float(np.mean(inside))
fig, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
for number, (name, values) in enumerate(means.items()):
    ax.hist(values, bins=np.linspace(2.9, 4.6, 50), color=show.PALETTE[number], alpha=0.75, label=f"{name}: mean {np.mean(values):.2f}", hatch=["", "//"][number], edgecolor="white")
ax.axvline(opinion.mean(), color="black", linewidth=1.5)
ax.set(xlabel="mean of the answers that came in, over 400 classes (line: what all think)", ylabel="classes", ylim=(0, 75))
ax.legend(loc="upper left", fontsize=9)
show.figure(fig, alt="Histograms of the mean answer over 400 simulated classes: with random answering it lies around the true mean, with readier disappointed ones clearly below it")
print("Share of intervals that hold what the class thinks:", {name: f"{share:.0%}" for name, share in holds.items()})

# %% [markdown]
# The interval says how far a *random* sample may be off. It knows nothing of who stayed silent. You have met this under other names: complete cases, patients lost to follow-up, labels where a biopsy was done. So the most useful answer is that of somebody who feels that nothing needs saying.

# %% tags=["demo"]
from helpers import questionnaire

questionnaire.form()

# %% [markdown]
# Without fields, fill in a dictionary and export it. Take away the `#`:

# %% tags=["demo"]
from IPython.display import Markdown

display(Markdown(questionnaire.questions()))
sheet = questionnaire.blank()
# sheet["pace"] = 3
# sheet["keep"] = "the wrong answers that the checks know"
# print("written:", questionnaire.export(sheet))
print(f"{sum(value is not None for value in sheet.values())} of {len(sheet)} questions answered in the dictionary.")

# %% [markdown]
# ## Results
#
# The figures of this lecture: what the table of all others holds, and what the two simulations gave.

# %% tags=["results"]
spread_out, crammed = (np.array([shares[EXAM + 30] for shares, _ in recall[name]]) for name in recall)
difference = spread_out - crammed
half = 2.776 * difference.std(ddof=1) / np.sqrt(len(difference))  # Student's t, five seeds
results.record(LECTURE, run.profile, "recall a month after the exam, spaced minus crammed (planted memory)", 100 * difference.mean(), "points", 100 * (difference.mean() - half), 100 * (difference.mean() + half), 0.0, "no difference", "simulated learners, five seeds")
results.record(LECTURE, run.profile, "figures of all lectures with interval and baseline", len(both), source="the course's own results")
results.record(LECTURE, run.profile, "of these, more than 1.96 errors from the baseline", 100 * once / len(both), "%", baseline=5, baseline_name="if nothing differed", source="the course's own results")
results.record(LECTURE, run.profile, "of these, beyond Bonferroni's limit", 100 * many / len(both), "%", baseline=100 * 0.05 / len(both), baseline_name="if nothing differed", source="the course's own results")
silent = np.array(means["the disappointed answer twice as readily"])
results.record(LECTURE, run.profile, "mean answer when the disappointed answer twice as readily", silent.mean(), "of 5", baseline=float(opinion.mean()), baseline_name="what all think", source="400 simulated classes")

assert difference.mean() - half > 0.1, "spacing must pay a month later, since it is planted that it does"
assert len({one.point for one in quiz.questions()}) >= 63, "the quiz asks about every point of the syllabus"
assert len(both) >= 20 and once > many > 0.05 * len(both), "the course's methods must differ from their baselines more often than chance"
assert precision_curve(0.9, 0.5)[2] > 0.85 and precision_curve(0.9, 0.01)[2] < 0.25, "average precision follows prevalence at equal AUROC"
assert holds["the disappointed answer twice as readily"] < 0.85 < 0.9 < holds["everybody is asked, 40 answer at random"], "an interval does not know who stayed silent"
results.table(LECTURE, run.profile)

# %% [markdown]
# ## Reflection
#
# Choose *two* figures of the course's own results, from different lectures, that you would quote to a clinician who asks whether "this AI" works. **What exactly may be concluded from each, what not, and which single measurement would you ask for next?** At most 200 words.
#
# | points | what the answer shows |
# |---|---|
# | 1 | quotes two figures, with or without intervals, and concludes that the methods work or don't |
# | 2 | reads each against its baseline and its interval, and names a limit (simulated images, other patients, prevalence, selection) |
# | 3 | as 2, and joins the two: names what the same weakness of evidence is in both, and asks for a measurement that could prove the answer wrong (patients, unit, baseline, interval) |

# %% [markdown] nbgrader={"grade": true, "grade_id": "reflection", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# **Lecture 1, AUC gained by denoising: -0.01 [-0.06, 0.03], paired, against no gain.** What may be concluded: on these simulated patients the cleaner picture moved the decision by less than the study could see.
# Not: that it does nothing, and nothing about real patients, since the truth was planted.
#
# **Lecture 4, AUC of the pneumonia classifier on stand-in films: 0.84 [0.79, 0.90]; logistic regression 0.67.** What may be concluded: on films of this kind, at this case mix, it ranks sick above healthy better than a line through the pixels.
# Not: that it will at another hospital, nor that its probabilities can be read, which an AUC does not see.
#
# Both have the same weakness: they stand on patients who resemble the training patients, and both come from a table that was made to teach. I would ask for one measurement that could prove me wrong: the paired difference in missed patients and false alarms, at our
# threshold, against what we do today, on consecutive patients of *our* clinic, chosen before anyone has seen a score; by patient, with an interval, and with the size of the gain that we would act on written down beforehand.

# %% [markdown]
# ## References
#
# - Benjamini Y, Hochberg Y. Controlling the false discovery rate: a practical and powerful approach to multiple testing. *Journal of the Royal Statistical Society B* 57(1):289-300, 1995.
# - Cepeda NJ, Pashler H, Vul E, Wixted JT, Rohrer D. Distributed practice in verbal recall tasks: a review and quantitative synthesis. *Psychological Bulletin* 132(3):354-380, 2006.
# - Holm S. A simple sequentially rejective multiple test procedure. *Scandinavian Journal of Statistics* 6(2):65-70, 1979.
# - Leitner S. *So lernt man lernen*. Herder, Freiburg, 1972.
# - Roediger HL, Karpicke JD. Test-enhanced learning: taking memory tests improves long-term retention. *Psychological Science* 17(3):249-255, 2006.
# - Settles B, Meeder B. A trainable spaced repetition model for language learning. *Annual Meeting of the Association for Computational Linguistics (ACL)*, 2016.
