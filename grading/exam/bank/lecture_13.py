"""Questions on lecture 13, multimodal learning."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("12.1", "choice", 2)
def joint_or_coordinated(rng: np.random.Generator) -> Choice:
    scene, right = [
        ("Image and lab values are put into one vector, from which one head predicts", "joint"),
        ("Image and report get their own vectors, and a loss draws the two of one patient together", "coordinated"),
    ][rng.integers(2)]
    other = "coordinated" if right == "joint" else "joint"
    return Choice(
        text=f"{scene}. Which kind of representation is that?",
        right=right,
        wrong=(
            (other, "joint puts modalities into one vector; coordinated keeps one for each and relates them"),
            ("generative", "nothing is generated from anything here"),
            ("ensemble", "no predictions of finished models are averaged"),
        ),
        explanation="Joint: one space made of both. Coordinated: two spaces that are made to agree.",
    )


@template("12.1", "numeric", 1)
def patients_with_all_modalities(rng: np.random.Generator) -> Numeric:
    n, a, b = int(rng.choice([500, 800, 1000])), rng.integers(80, 96) / 100, rng.integers(50, 75) / 100
    return Numeric(
        text=f"Of {n} patients {a:.0%} have a report and, independently, {b:.0%} have lab values; all have images. How many have all three, in the mean? One decimal.",
        answer=n * a * b,
        unit="",
        tolerance=0.6,
        traps=((n * min(a, b), "that would need the gaps to be at the same patients"), (n * (a + b - 1), "independent shares multiply")),
        explanation="n times the product of the shares: complete cases vanish quickly.",
    )


@template("12.1", "choice", 1)
def what_complete_cases_do(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([30, 40]))
    return Choice(
        text=f"Genes are sequenced in {share} % of the patients, mostly in advanced disease. A study keeps complete cases only. What happens?",
        right="its patients are sicker than those to come",
        wrong=(
            ("nothing but a smaller study", "who is left is no random part"),
            ("its patients are healthier", "sequencing is done in advanced disease"),
            ("labels get lost", "labels are there; patients are left out"),
        ),
        explanation="What is missing is missing for a reason; the complete ones are chosen by that reason.",
    )


@template("12.1", "numeric", 3)
def mutual_bits_of_two_tests(rng: np.random.Generator) -> Numeric:
    a, b = int(rng.integers(30, 42)), int(rng.integers(5, 12))
    c, d = b, 100 - a - 2 * b
    p = np.array([[a, b], [c, d]]) / 100
    h = lambda q: float(-np.sum(q * np.log2(q)))  # noqa: E731
    mi = h(p.sum(0)) + h(p.sum(1)) - h(p)
    return Numeric(
        text=f"Of 100 patients, image and lab test are both positive in {a}, only the image in {b}, only the lab test in {c}, neither in {d}. How many bits does one tell about the other? Three decimals.",
        answer=mi,
        unit="bits",
        tolerance=min(0.003, 0.04 * mi),
        traps=((h(p), "that is what both hold together"), (h(p.sum(0)), "that is what one holds by itself")),
        explanation="H(A) + H(B) - H(A, B): what both share needs no second test.",
    )


@template("12.2", "numeric", 2)
def late_fusion_of_probabilities(rng: np.random.Generator) -> Numeric:
    a, b = float(rng.choice([1.0, 2.0, 3.0])), -float(rng.choice([0.5, 1.5]))
    s = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    mean = (s(a) + s(b)) / 2
    by_logit = s((a + b) / 2)
    return Numeric(
        text=f"The image model gives the logit {a:g}, the lab model {b:g}; both are calibrated. Late fusion averages their probabilities. What comes out? Three decimals.",
        answer=float(mean),
        unit="",
        tolerance=0.002,
        traps=((float(by_logit), "that averages the logits"), (float(s(a)), "that is the image alone")),
        explanation="A probability from each logit, then the mean.",
    )


@template("12.2", "choice", 2)
def why_calibrate_before_late_fusion(rng: np.random.Generator) -> Choice:
    factor = int(rng.choice([5, 10]))
    return Choice(
        text=f"The image model's logits are {factor} times too large (overconfident), the lab model's are calibrated. Logits are averaged. What happens?",
        right="the image model outvotes the lab model",
        wrong=(
            ("nothing: averaging is fair", "a mean is ruled by its larger terms"),
            ("the lab model outvotes the image model", "its logits are the smaller ones"),
            ("the AUC of each model falls", "each alone ranks as before"),
        ),
        explanation="Loudness is not knowledge: calibrate each on validation patients before they are combined.",
    )


@template("12.2", "choice", 1)
def the_baseline_of_fusion(rng: np.random.Generator) -> Choice:
    auc = rng.integers(80, 90) / 100
    return Choice(
        text=f"Image and table together reach an AUC of {auc:.2f}. Which comparison tells whether fusion was worth it?",
        right="the best single modality, same patients",
        wrong=(
            ("the worst single modality", "that is easily beaten"),
            ("chance", "anything beats it"),
            ("the mean of the single modalities", "nobody would use a mean of AUCs"),
        ),
        explanation="Often one modality alone is as good; then the others cost and don't help.",
    )


@template("12.2", "numeric", 2)
def size_of_tensor_fusion(rng: np.random.Generator) -> Numeric:
    a, b, c = int(rng.choice([16, 32])), int(rng.choice([8, 16])), int(rng.choice([4, 8]))
    return Numeric(
        text=f"Tensor fusion takes the outer product of three vectors of {a}, {b} and {c} numbers, each with a 1 appended. How many numbers has the result?",
        answer=(a + 1) * (b + 1) * (c + 1),
        unit="",
        tolerance=0.4,
        traps=((float(a * b * c), "the appended 1 keeps single and paired terms"), (float(a + b + c + 3), "that is concatenation")),
        explanation="(a + 1)(b + 1)(c + 1): all products, pairs and single terms.",
    )


@template("12.3", "numeric", 2)
def recall_at_k_by_hand(rng: np.random.Generator) -> Numeric:
    ranks = rng.permutation([1, 1, 2, 3, 4, 5, 7, 9, 12, 20])[:8]
    k = int(rng.choice([3, 5]))
    hit = int((ranks <= k).sum())
    if hit in (0, 8):
        ranks, hit = np.array([1, 2, 3, 6, 8, 1, 9, 15]), int((np.array([1, 2, 3, 6, 8, 1, 9, 15]) <= k).sum())
    return Numeric(
        text=f"For eight images the own report has the ranks {ranks.tolist()} among all reports. What is recall@{k}, in %? One decimal.",
        answer=100 * hit / 8,
        unit="%",
        tolerance=0.06,
        traps=((100 * (8 - hit) / 8 if hit != 4 else 25.0, "these are the images whose report is not among the first"), (100 * hit / 8 / k, "there is one right report: hits are divided by the images, not by k")),
        explanation="The share of images whose report is among the first k.",
    )


@template("12.3", "choice", 2)
def duplicates_in_retrieval(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([200, 300]))
    return Choice(
        text=f"{n} of 1000 reports say, word for word, 'No acute finding'. How are they scored when a normal film looks for its report?",
        right="any of the equal reports counts as right",
        wrong=(
            ("only the film's own copy counts", "no system can tell equal texts apart: that measures luck"),
            ("normal films are left out", "most films are normal: leaving them out changes the task"),
            ("all of them must be found first", "one right text is enough for a reader"),
        ),
        explanation="Equal texts are equally right; otherwise recall@k punishes what nobody could do better.",
    )


@template("12.3", "numeric", 3)
def symmetric_info_nce(rng: np.random.Generator) -> Numeric:
    s = np.round(np.array([[rng.uniform(0.6, 0.9), rng.uniform(0, 0.3)], [rng.uniform(0.3, 0.6), rng.uniform(0.5, 0.8)]]), 1)
    tau = 0.5
    z = s / tau
    rows = float(np.mean([-z[i, i] + np.log(np.exp(z[i]).sum()) for i in range(2)]))
    columns = float(np.mean([-z[i, i] + np.log(np.exp(z[:, i]).sum()) for i in range(2)]))
    zt = s * tau
    times = float(np.mean([-zt[i, i] + np.log(np.exp(zt[i]).sum()) for i in range(2)]) + np.mean([-zt[i, i] + np.log(np.exp(zt[:, i]).sum()) for i in range(2)])) / 2
    return Numeric(
        text=f"Two images (rows) and their reports (columns) have the similarities {s.tolist()}. What is the symmetric InfoNCE loss (mean of both directions) at temperature {tau}? Three decimals.",
        answer=(rows + columns) / 2,
        unit="",
        tolerance=0.0015,
        traps=((rows + columns, "both directions are averaged, not added"), (times, "similarities are divided by the temperature")),
        explanation="Cross-entropy over rows and over columns, the diagonal being right; their mean.",
    )


@template("12.3", "choice", 1)
def what_zero_shot_needs(rng: np.random.Generator) -> Choice:
    classes = int(rng.integers(3, 6))
    return Choice(
        text=f"An image-report model classifies films into {classes} kinds that nobody labelled, zero-shot. What does it compare each image with?",
        right="the vectors of sentences that name the kinds",
        wrong=(
            ("labelled images of each kind", "then it would be few-shot"),
            ("the nearest training report", "that is retrieval; the kinds are asked for"),
            ("a linear layer on the image vector", "such a layer needs labels to be trained"),
        ),
        explanation="Prompts stand for classes: the image takes the sentence that it fits best.",
    )


@template("12.4", "numeric", 2)
def net_benefit_by_hand(rng: np.random.Generator) -> Numeric:
    n, tp, fp, t = 200, int(rng.integers(25, 40)), int(rng.integers(30, 70)), float(rng.choice([0.2, 0.25, 0.3]))
    return Numeric(
        text=f"Of {n} patients, treating at a threshold probability of {t} gives {tp} true and {fp} false positives. What is the net benefit? Three decimals.",
        answer=tp / n - fp / n * t / (1 - t),
        unit="",
        tolerance=0.0015,
        traps=(((tp - fp) / n, "a false positive weighs the odds of the threshold, not one"), (tp / n - fp / n * t, "the odds t / (1 - t) count, not t")),
        explanation="TP / n - FP / n x t / (1 - t).",
    )


@template("12.4", "choice", 2)
def modality_dropout_for_missing(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([20, 30]))
    return Choice(
        text=f"At test time {share} % of the patients have no lab values. Which training prepares a fusion network best?",
        right="leaving out modalities at random in training",
        wrong=(
            ("training on complete patients, zeros at test", "zeros are values that it has never seen"),
            ("training on complete patients, skipping the others", "then a part of the patients gets no answer"),
            ("adding more lab values", "they are missing at test whatever was there in training"),
        ),
        explanation="What shall be borne in use must happen in training: modality dropout.",
    )


@template("12.4", "numeric", 2)
def subgroup_gap_interval(rng: np.random.Generator) -> Numeric:
    n1, n2 = int(rng.choice([100, 150])), int(rng.choice([60, 80]))
    p1, p2 = rng.integers(88, 95) / 100, rng.integers(55, 65) / 100
    se = float(np.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2))
    return Numeric(
        text=f"Sensitivity is {p1:.0%} in {n1} sick men and {p2:.0%} in {n2} sick women. What is the lower end of the 95 % interval of the gap (normal approximation, 1.96), in percentage points? One decimal.",
        answer=100 * (p1 - p2 - 1.96 * se),
        unit="percentage points",
        tolerance=0.15,
        traps=((100 * (p1 - p2), "that is the gap itself"), (100 * (p1 - p2 - 1.96 * (np.sqrt(p1 * (1 - p1) / n1) + np.sqrt(p2 * (1 - p2) / n2))), "variances add, not standard errors")),
        explanation="Gap minus 1.96 roots of the sum of both variances.",
    )


@template("12.4", "choice", 1)
def what_a_subgroup_gap_needs(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([12, 15]))
    return Choice(
        text=f"In a subgroup of {n} sick patients the sensitivity is 20 points lower than in the rest. What is the right sentence?",
        right="the gap is uncertain: give its interval, test more",
        wrong=(
            ("the model is unfair, and must not be used", "with so few patients chance alone may do that"),
            ("there is no gap: the group is too small", "absence of proof is no proof of absence"),
            ("leave the group out of the report", "then nobody will ever look"),
        ),
        explanation="Small groups have wide intervals; that is a reason to collect more of them, not to be silent.",
    )


@template("12.4", "code", 2)
def net_benefit_of_model(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.uniform(0, 1, 12), 2), rng.permutation(np.r_[np.ones(5, int), np.zeros(7, int)]), float(rng.choice([0.2, 0.3, 0.4]))) for _ in range(4))
    return Code(
        text="Write `net_benefit(p, y, t)`: patients with p >= t are treated; true positives over n, minus false positives over n times the odds of t.",
        name="net_benefit",
        stub='def net_benefit(p: np.ndarray, y: np.ndarray, t: float) -> float:\n    """Net benefit of (N,) probabilities for (N,) outcomes 0 or 1 at the threshold t."""',
        body="treated = p >= t\nreturn float((np.sum(treated & (y == 1)) - np.sum(treated & (y == 0)) * t / (1 - t)) / len(p))",
        wrong=(
            ("treated = p >= t\nreturn float((np.sum(treated & (y == 1)) - np.sum(treated & (y == 0))) / len(p))", "a false positive weighs the odds of the threshold"),
            ("treated = p >= t\nreturn float((np.sum(treated & (y == 1)) - np.sum(treated & (y == 0)) * t / (1 - t)) / treated.sum())", "both are divided by all patients"),
            ("treated = p >= t\nreturn float((np.sum(treated & (y == 1)) - np.sum(treated & (y == 0)) * t) / len(p))", "the odds t / (1 - t) count, not t"),
        ),
        calls=calls,
        explanation="The threshold says how many false alarms one hit is worth: its odds.",
    )
