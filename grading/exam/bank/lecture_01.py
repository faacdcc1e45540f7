"""Questions on lecture 1, from the scanner to a prognosis."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("0.1", "numeric", 2)
def dose_and_noise(rng: np.random.Generator) -> Numeric:
    noise, share = int(rng.integers(8, 20)), float(rng.choice([0.25, 0.5, 0.1]))
    return Numeric(
        text=f"In a CT slice the quantum noise in the liver is {noise} HU (standard deviation). The scan is repeated with {share:.0%} of the dose, all else equal. What is the noise now, in HU? One decimal.",
        answer=noise / np.sqrt(share),
        unit="HU",
        tolerance=0.1,
        traps=((noise / share, "noise grows with the root of the dose that is saved, not with the dose"), (noise * np.sqrt(share), "less dose means more noise, not less")),
        explanation="Photons are counted, and their relative noise is one over the root of their number: noise goes as one over the root of the dose.",
    )


@template("0.1", "numeric", 2)
def scan_time_when_undersampled(rng: np.random.Generator) -> Numeric:
    lines, factor, tr = int(rng.choice([192, 256, 320])), int(rng.choice([2, 4])), float(rng.choice([0.5, 0.8, 1.2]))
    return Numeric(
        text=f"An MR sequence measures one line of k-space every {tr} s. A full slice has {lines} lines; you measure every {'second' if factor == 2 else 'fourth'} one. How long does the slice take, in s? One decimal.",
        answer=lines / factor * tr,
        unit="s",
        tolerance=0.1,
        traps=((lines * tr, "that is the full slice"), (lines / factor**2 * tr, "lines are left out along one direction only")),
        explanation="The time is the number of measured lines times the repetition time: undersampling saves time in proportion.",
    )


@template("0.1", "numeric", 1)
def grey_value_in_a_window(rng: np.random.Generator) -> Numeric:
    level, width = int(rng.choice([40, 50, 60])), int(rng.choice([300, 350, 400]))
    low = level - width / 2
    share = rng.uniform(0.12, 0.42) if rng.random() < 0.5 else rng.uniform(0.58, 0.88)
    hu = int(low + share * width)
    return Numeric(
        text=f"A CT image is shown in a window of level {level} HU and width {width} HU, from 0 (black) to 1 (white). What grey value has a voxel of {hu} HU? Two decimals.",
        answer=(hu - low) / width,
        unit="",
        tolerance=0.01,
        traps=(((hu - level) / width + 1.0, "the window is centred on the level: it begins half a width below it"), (1 - (hu - low) / width, "dense tissue is shown bright: grey rises with HU")),
        explanation="The window reaches from level - width / 2 to level + width / 2; within it grey rises linearly.",
    )


@template("0.1", "numeric", 3)
def kaplan_meier_by_hand(rng: np.random.Generator) -> Numeric:
    times = np.sort(rng.choice(np.arange(2, 24), 6, replace=False))
    event = np.array([1, 0, 1, 1, 0, 1])
    survival, naive = 1.0, 1 - event[:4].sum() / 6
    for k in range(4):
        survival *= 1 - event[k] / (6 - k)
    told = ", ".join(f"{t}{'' if e else '+'}" for t, e in zip(times, event, strict=True))
    return Numeric(
        text=f"Six patients have these follow-up times in months; + means that the patient was alive when last seen: {told}. What is the Kaplan-Meier survival just after month {times[3]}? Three decimals.",
        answer=survival,
        unit="",
        tolerance=0.002,
        traps=((naive, "whoever was lost is counted as alive to the end; they leave the group at risk when last seen"), (1 - 4 / 6, "who was alive when last seen did not die")),
        explanation="At each death multiply by 1 - deaths / number at risk; a censored patient leaves the number at risk without a factor.",
    )


@template("0.1", "choice", 2)
def what_the_zero_filled_image_shows(rng: np.random.Generator) -> Choice:
    factor = int(rng.choice([2, 4]))
    return Choice(
        text=f"Every {'second' if factor == 2 else 'fourth'} line of k-space is measured, at equal distances, and the others are set to zero. What does the image after the inverse Fourier transform show?",
        right="copies of the object, folded over each other",
        wrong=(
            ("the object, blurred", "blur comes from leaving out the outer lines; here low and high ones are kept alike"),
            ("the object with white noise", "random gaps would look like noise; gaps at equal distances make copies"),
            ("the object, smaller by that factor", "the grid of the image is the same; only its content repeats"),
        ),
        explanation="Sampling at equal distances in one domain repeats the object in the other: aliasing.",
    )


@template("0.1", "choice", 2)
def threshold_by_cost(rng: np.random.Generator) -> Choice:
    ratio = int(rng.choice([5, 10, 20]))
    return Choice(
        text=f"To miss a cancer costs {ratio} times as much as a false alarm. The threshold of a detector has been chosen for equal costs. What changes when the true costs are used?",
        right="the threshold falls: more alarms, fewer misses",
        wrong=(
            ("the threshold rises: fewer alarms, more misses", "misses are the dear ones; a higher threshold makes more of them"),
            ("nothing: the ROC curve is the same", "the curve is, but the best point on it moves with the costs"),
            ("the AUC rises", "costs don't change how well the scores rank patients"),
        ),
        explanation="The expected cost weighs misses and false alarms; where misses are dearer, its least value lies at a lower threshold.",
    )


@template("0.1", "choice", 1)
def what_censoring_is(rng: np.random.Generator) -> Choice:
    months = int(rng.integers(6, 30))
    return Choice(
        text=f"A patient was alive at the last visit, {months} months after surgery, and then moved away. How does this patient enter the survival analysis?",
        right=f"at risk until month {months}, then out, without an event",
        wrong=(
            (f"as a death at month {months}", "nobody saw a death; counting one makes the treatment look worse"),
            ("not at all", f"that throws away {months} months in which the patient is known to have lived"),
            ("as alive until the end of the study", "nobody knows; it makes the treatment look better"),
        ),
        explanation="Censored means: known to be free of the event up to a time. Until then the patient counts among those at risk.",
    )


@template("0.1", "code", 2)
def expected_cost_threshold(rng: np.random.Generator) -> Code:
    calls = []
    for _ in range(4):
        labels = rng.permutation(np.r_[np.ones(4, int), np.zeros(8, int)])
        scores = np.round(np.clip(rng.normal(0.35 + 0.3 * labels, 0.2), 0, 1), 2)
        calls.append((scores, labels, float(rng.choice([2.0, 5.0, 10.0]))))
    calls.append((np.array([0.1, 0.2, 0.3, 0.9]), np.array([1, 0, 0, 1]), 10.0))  # best to call everybody ill
    return Code(
        text="Write `least_cost(scores, labels, miss)`. A patient is called ill if the score is at least the threshold. A missed ill patient (label 1) costs `miss`, a false alarm costs 1. Try each score as the threshold, and return the least total cost.",
        name="least_cost",
        stub='def least_cost(scores: np.ndarray, labels: np.ndarray, miss: float) -> float:\n    """Least total cost over the thresholds that occur among the (N,) scores; labels (N,) are 0 or 1."""',
        body="costs = []\nfor threshold in scores:\n    ill = scores >= threshold\n    costs.append(miss * np.sum(~ill & (labels == 1)) + np.sum(ill & (labels == 0)))\nreturn float(min(costs))",
        wrong=(
            ("costs = []\nfor threshold in scores:\n    ill = scores >= threshold\n    costs.append(np.sum(~ill & (labels == 1)) + miss * np.sum(ill & (labels == 0)))\nreturn float(min(costs))", "the costs are the wrong way round: the miss is the dear one"),
            ("costs = []\nfor threshold in scores:\n    ill = scores > threshold\n    costs.append(miss * np.sum(~ill & (labels == 1)) + np.sum(ill & (labels == 0)))\nreturn float(min(costs))", "a score of exactly the threshold is called ill: at least, not above"),
            ("ill = scores >= 0.5\nreturn float(miss * np.sum(~ill & (labels == 1)) + np.sum(ill & (labels == 0)))", "that is the cost at a threshold of 0.5: try each score"),
        ),
        calls=tuple(calls),
        explanation="Count both kinds of error at each threshold and weigh them by their cost; 0.5 has no special right.",
    )


@template("0.2", "choice", 1)
def what_a_hidden_check_is_for(rng: np.random.Generator) -> Choice:
    points = int(rng.integers(2, 5))
    return Choice(
        text=f"An exercise of {points} points passes every check that you can see. Grading takes points off. What is the likely reason?",
        right="it fails on other inputs of the same kind",
        wrong=(
            ("grading ran your demonstrations, too", "demonstrations are not run in grading, only answers and what they need"),
            ("your notebook was saved with outputs", "outputs are dropped; only the text of answers counts"),
            ("another student had the same answer", "points are decided by the checks alone"),
        ),
        explanation="Hidden checks repeat each idea on other inputs, so that an answer made for the visible example does not pass.",
    )


@template("0.2", "choice", 3)
def what_grading_takes(rng: np.random.Generator) -> Choice:
    cell = ["a cell of your own above the answer", "a helper function in a cell before the answer"][rng.integers(2)]
    return Choice(
        text=f"Your answer calls a function from {cell}. You also changed a check cell so that it prints more. What happens in grading?",
        right="your function is kept, the check is the original one",
        wrong=(
            ("both are kept as you left them", "then anybody could write checks that pass"),
            ("both are dropped: only answer cells count", "code cells of your own before an answer are kept as helpers"),
            ("the whole notebook is refused", "it is rebuilt around your answers instead"),
        ),
        explanation="Grading rebuilds the notebook: answers and your own code cells are taken, every other cell comes from the original.",
    )


@template("0.2", "numeric", 2)
def course_grade(rng: np.random.Generator) -> Numeric:
    a, b = (int(v) for v in rng.permutation([rng.integers(55, 70), rng.integers(80, 98)]))
    project, exam = (int(v) for v in rng.permutation([rng.integers(55, 68), rng.integers(82, 98)]))
    mean, total = (a + b + project + exam) / 4, (10 * a + 10 * b + 60 * project + 20 * exam) / 100
    return Numeric(
        text=f"The course grade weighs the two assignments 10 each, the project 60, the exam 20. You reached {a} % and {b} % in the assignments, {project} % in the project, {exam} % in the exam. What is your course grade, in %? One decimal.",
        answer=total,
        unit="%",
        tolerance=0.06,
        traps=((mean, "that weighs all parts alike"), (total - b / 10 + a / 10, "that counts the first assignment twice, and the second not at all")),
        explanation="Each part's percentage times its weight, summed, divided by 100.",
    )


@template("0.2", "numeric", 1)
def late_work(rng: np.random.Generator) -> Numeric:
    points, hours = int(rng.integers(60, 100)), int(rng.choice([5, 20, 30, 40, 60]))
    days = int(np.ceil(hours / 24))
    return Numeric(
        text=f"Each begun day after the due time costs 10 % of a work's points. You hand in a work of {points} points {hours} hours late. How many points count? One decimal.",
        answer=points * (1 - 0.1 * days),
        unit="",
        tolerance=0.06,
        traps=((float(points), "late is late: a begun day costs its 10 %"), (points * (1 - 0.1 * (days + 1)), "one day too many: count the days that have begun")),
        explanation="Hours over 24, rounded up, are the begun days; each takes 10 % of the points.",
    )
