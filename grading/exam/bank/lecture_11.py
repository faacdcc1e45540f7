"""Questions on lecture 11, domain adaptation."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("10.1", "choice", 2)
def kind_of_shift(rng: np.random.Generator) -> Choice:
    scene, right = [
        ("The same patients are scanned on a new machine that gives darker images; the disease looks as it did otherwise", "covariate shift"),
        ("A clinic sees three times as many sick patients; each kind of patient looks as before", "label shift"),
        ("A new guideline calls nodules from 6 mm on suspicious, where it used to be 8 mm", "concept shift"),
    ][rng.integers(3)]
    whys = {
        "covariate shift": "there p(x) changes, and p(y | x) stays",
        "label shift": "there p(y) changes, and p(x | y) stays",
        "concept shift": "there p(y | x) changes: the same image has another label",
        "no shift": "something that matters to a classifier has changed",
    }
    return Choice(
        text=f"{scene}. Which shift is that?",
        right=right,
        wrong=tuple((kind, why) for kind, why in whys.items() if kind != right),
        explanation="Ask what changed: the images, how often each label comes, or what the label means.",
    )


@template("10.1", "numeric", 2)
def proxy_a_distance(rng: np.random.Generator) -> Numeric:
    error = rng.integers(5, 45) / 100
    return Numeric(
        text=f"A classifier that tells the two hospitals apart has a test error of {error:.0%}. What is the proxy A-distance, 2 (1 - 2 error)? Two decimals.",
        answer=2 * (1 - 2 * error),
        unit="",
        tolerance=0.01,
        traps=((2 * (1 - error), "twice the error is taken off: at an error of one half the distance is 0"), (1 - 2 * error, "the factor 2 in front is missing")),
        explanation="0 when nobody can tell the domains apart, 2 when everybody can. The error is one on domains held out.",
    )


@template("10.1", "choice", 1)
def a_distance_from_training_error(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([60, 80]))
    return Choice(
        text=f"With {n} images of each hospital and 500 features, a linear classifier tells the hospitals apart without any training error. What does that say about the shift?",
        right="nothing: it must be tested on other images",
        wrong=(
            ("the shift is as large as can be", "with more features than images any two groups can be split"),
            ("there is no shift", "that would show as a test error of one half"),
            ("the features are useless", "for that, too, a test is needed"),
        ),
        explanation="Training error measures the classifier's freedom; the A-distance wants the error on new images.",
    )


@template("10.1", "numeric", 3)
def unbiased_mmd_by_hand(rng: np.random.Generator) -> Numeric:
    x, y = sorted(int(v) for v in rng.choice(6, 2, replace=False)), sorted(int(v) for v in rng.choice(np.arange(2, 7), 2, replace=False))
    k = lambda a, b: np.exp(-((a - b) ** 2) / 8)  # noqa: E731
    cross = np.mean([k(a, b) for a in x for b in y])
    unbiased = k(*x) + k(*y) - 2 * cross
    biased = (2 + 2 * k(*x)) / 4 + (2 + 2 * k(*y)) / 4 - 2 * cross
    return Numeric(
        text=f"Source features are {x}, target features {y}; the kernel is $\\exp(-(a - b)^2 / 8)$. What is the unbiased estimate of the squared MMD (a point is not compared with itself)? Three decimals.",
        answer=float(unbiased),
        unit="",
        tolerance=0.002,
        traps=((float(biased), "pairs of a point with itself have the kernel 1, and make the distance too large"), (float(k(*x) + k(*y) - cross), "the mean between the domains is taken off twice")),
        explanation="Mean kernel within source plus within target, over different points, minus twice the mean between.",
    )


@template("10.2", "numeric", 2)
def importance_weight_of_an_image(rng: np.random.Generator) -> Numeric:
    p, ns, nt = rng.choice([0.3, 0.35, 0.6, 0.65, 0.7, 0.75, 0.8]), int(rng.choice([400, 600])), int(rng.choice([100, 200]))
    return Numeric(
        text=f"A domain classifier, trained on {ns} source and {nt} target images, gives a source image the probability {p:.2f} of being target. What is its importance weight p_target(x) / p_source(x)? Two decimals.",
        answer=p / (1 - p) * ns / nt,
        unit="",
        tolerance=max(0.01, 0.005 * p / (1 - p) * ns / nt),
        traps=((p / (1 - p), "the classifier saw more source than target images: correct the odds by their numbers"), ((1 - p) / p * ns / nt, "the odds are the wrong way round: p is the probability of being target")),
        explanation="Odds of the classifier times n_source / n_target.",
    )


@template("10.2", "choice", 2)
def order_of_coral(rng: np.random.Generator) -> Choice:
    d = int(rng.choice([16, 32]))
    return Choice(
        text=f"CORAL maps centred source features (rows of {d} numbers) to the target's covariance. In which order?",
        right="whiten by the source, then colour by the target",
        wrong=(
            ("colour by the target, then whiten by the source", "matrices don't commute: the covariance is then neither's"),
            ("whiten both, and leave it there", "the classifier is then trained on features that no target image has"),
            ("add the difference of the covariances", "covariances belong to products: features are multiplied by roots"),
        ),
        explanation="X C_s^(-1/2) C_t^(1/2) has the covariance C_t.",
    )


@template("10.2", "choice", 1)
def histogram_matching_under_prevalence(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([40, 60]))
    return Choice(
        text=f"All films of a hospital, {share} % of them with white lungs (pneumonia), are matched as a group to the grey values of a hospital where pneumonia is rare. What is the danger?",
        right="white lungs are darkened: disease is removed",
        wrong=(
            ("none: only the scanner is removed", "the histogram holds the disease as well"),
            ("bones vanish", "order of grey values is kept"),
            ("films become sharper", "a map of grey values changes no sharpness"),
        ),
        explanation="Matching distributions also matches what should differ, when the prevalence differs.",
    )


@template("10.2", "numeric", 2)
def effective_sample_size(rng: np.random.Generator) -> Numeric:
    w = rng.permutation(np.round(np.r_[rng.uniform(0.1, 0.5, 4), rng.uniform(2, 5, 1)], 1))
    ess = float(w.sum() ** 2 / (w**2).sum())
    return Numeric(
        text=f"Five source images have the importance weights {w.tolist()}. What is the effective sample size, (sum of w)^2 / sum of w^2? Two decimals.",
        answer=ess,
        unit="",
        tolerance=0.01,
        traps=((5.0, "unequal weights are worth fewer images"), (float(w.sum()), "that is the sum of the weights")),
        explanation="One large weight makes the average rest on one image.",
    )


@template("10.3", "choice", 2)
def where_the_gradient_turns(rng: np.random.Generator) -> Choice:
    lam = float(rng.choice([0.1, 0.5, 1.0]))
    return Choice(
        text=f"A gradient reversal layer with factor {lam} stands before the domain classifier. What does it do forward, and what backward?",
        right=f"forward nothing; backward times -{lam}",
        wrong=(
            (f"forward times -{lam}; backward nothing", "then the domain classifier sees mirrored features, and the features still help it"),
            (f"both times -{lam}", "the forward pass must be left alone"),
            ("forward nothing; backward 0", "then the features don't hear of the domains at all"),
        ),
        explanation="The classifier learns to tell the domains; the features, by the turned sign, to hide them.",
    )


@template("10.3", "choice", 1)
def what_adabn_replaces(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([100, 200]))
    return Choice(
        text=f"AdaBN adapts a network to a new scanner with {n} unlabelled images. What changes?",
        right="means and variances of batch norm",
        wrong=(
            ("all weights", "no weight is trained"),
            ("scale and shift of batch norm", "that is TENT; AdaBN recomputes statistics only"),
            ("the last layer", "it would need labels"),
        ),
        explanation="Statistics of the source are replaced by those of the target, everything else stays.",
    )


@template("10.3", "numeric", 2)
def batch_norm_after_adaptation(rng: np.random.Generator) -> Numeric:
    ms, mt = int(rng.integers(2, 6)), int(rng.integers(8, 14))
    ss, st = float(rng.choice([1.0, 2.0])), float(rng.choice([3.0, 4.0]))
    x = mt + int(rng.choice([-3, 3]))
    return Numeric(
        text=f"A channel has mean {ms} and standard deviation {ss:g} on the source, {mt} and {st:g} on the target; scale 1, shift 0. What does batch norm make of the target value {x} after AdaBN? Two decimals.",
        answer=(x - mt) / st,
        unit="",
        tolerance=0.01,
        traps=(((x - ms) / ss, "those are the source's statistics: what AdaBN replaces"), ((x - mt) / ss, "the standard deviation is the target's, too")),
        explanation="(x - target mean) / target standard deviation.",
    )


@template("10.3", "choice", 2)
def what_amplitude_swap_keeps(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([5, 10]))
    return Choice(
        text=f"In Fourier domain adaptation the lowest {share} % of a source image's amplitude spectrum are taken from a target image. What of the source stays?",
        right="edges and places of organs, carried by the phase",
        wrong=(
            ("contrast and brightness", "these lie in the low amplitudes, which are swapped"),
            ("nothing but the label", "the phase and the high frequencies are untouched"),
            ("the noise of the target", "that is the target's, and lies at high frequencies"),
        ),
        explanation="Low amplitudes hold the look of a scanner, the phase holds where things are.",
    )


@template("10.3", "numeric", 3)
def frequencies_that_are_swapped(rng: np.random.Generator) -> Numeric:
    edge, beta = int(rng.choice([64, 128, 256])), float(rng.choice([0.05, 0.1]))
    b = int(edge * beta)
    return Numeric(
        text=f"An image of {edge} x {edge} pixels has its amplitude swapped for frequencies from -b to b along each axis, with b = floor({beta} x {edge}). How many of the frequencies are that, in %? Two decimals.",
        answer=100 * (2 * b + 1) ** 2 / edge**2,
        unit="%",
        tolerance=0.03,
        traps=((100 * (2 * b + 1) / edge, "the window has two edges"), (100 * (b + 1) ** 2 / edge**2, "frequencies run from -b to b")),
        explanation="(2 b + 1)^2 of edge^2 frequencies.",
    )


@template("10.4", "choice", 2)
def choosing_without_target_labels(rng: np.random.Generator) -> Choice:
    n = int(rng.integers(5, 12))
    return Choice(
        text=f"{n} adapted models are to be compared, and no target image has a label. Which way of choosing is a fraud?",
        right="the best score on the labelled target test set",
        wrong=(
            ("the best score on source validation", "weak, but honest"),
            ("the least entropy on target images", "it can be fooled, but uses no label"),
            ("a setting that worked on another pair of hospitals", "that is how one would do it in practice"),
        ),
        explanation="If labels of the target choose, the method had labels of the target.",
    )


@template("10.4", "choice", 1)
def when_entropy_goes_wrong(rng: np.random.Generator) -> Choice:
    steps = int(rng.choice([500, 1000]))
    return Choice(
        text=f"TENT lowers the entropy of predictions on the stream of target images. After {steps} steps all patients are called healthy, with certainty. What happened?",
        right="the cheapest certainty is one class for all",
        wrong=(
            ("the target has only healthy patients", "that is not what entropy asks"),
            ("the learning rate was too low", "then little would have changed"),
            ("batch norm was frozen", "then TENT could not change anything"),
        ),
        explanation="Low entropy is not truth: without a brake (few steps, low rate, balanced classes) it collapses.",
    )


@template("10.4", "numeric", 2)
def negative_transfer_interval(rng: np.random.Generator) -> Numeric:
    d = np.round(rng.normal(-0.03, 0.015, 5), 2)
    while np.ptp(d) < 0.02:
        d = np.round(rng.normal(-0.03, 0.015, 5), 2)
    upper = float(d.mean() + 2.776 * d.std(ddof=1) / np.sqrt(5))
    return Numeric(
        text=f"Over five seeds, adapted minus source-only is {', '.join(f'{v:+.2f}' for v in d)} in AUC. What is the upper end of the 95 % t-interval of the mean (t = 2.776)? Three decimals. (Below 0 it is negative transfer.)",
        answer=upper,
        unit="",
        tolerance=0.0015,
        traps=((float(d.mean()), "that is the mean: the interval reaches beyond it"), (float(d.mean() - 2.776 * d.std(ddof=1) / np.sqrt(5)), "that is the lower end")),
        explanation="Mean plus t times the standard deviation over the root of five.",
    )


@template("10.4", "numeric", 2)
def entropy_of_a_prediction(rng: np.random.Generator) -> Numeric:
    p = float(rng.choice([0.6, 0.7, 0.8, 0.9, 0.95]))
    q = round(1 - p, 2)
    h = -(p * np.log(p) + q * np.log(q))
    return Numeric(
        text=f"A target image gets the probabilities {p} and {q}. What is the entropy that TENT lowers, in nats? Three decimals.",
        answer=float(h),
        unit="nats",
        tolerance=0.002,
        traps=((float(h / np.log(2)), "that is in bits; the natural logarithm is asked for"), (float(-np.log(p)), "that is the loss if the first class were the label: the entropy takes both, by their probability")),
        explanation="Minus the sum of p log p over both classes.",
    )


@template("10.2", "code", 2)
def coral_transform(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.normal(size=(8, 2)) @ np.array([[2.0, 0.5], [0, 1]]), 1), np.round(rng.normal(size=(9, 2)) @ np.array([[1.0, -0.8], [0.3, 2]]), 1)) for _ in range(4))
    root = "def root(c, p):\n    values, vectors = np.linalg.eigh(c)\n    return (vectors * values**p) @ vectors.T\ns, t = np.cov(source, rowvar=False), np.cov(target, rowvar=False)\n"
    return Code(
        text="Write `coral(source, target)`: centre the source features, whiten them by the source's covariance (np.cov) and colour them by the target's: $X C_s^{-1/2} C_t^{1/2}$.",
        name="coral",
        stub='def coral(source: np.ndarray, target: np.ndarray) -> np.ndarray:\n    """(N, d) and (M, d) features -> (N, d) with the target\'s covariance and mean 0."""',
        body=root + "return (source - source.mean(0)) @ root(s, -0.5) @ root(t, 0.5)",
        wrong=(
            (root + "return (source - source.mean(0)) @ root(t, 0.5) @ root(s, -0.5)", "first whiten by the source, then colour by the target"),
            (root + "return (source - source.mean(0)) @ root(t, -0.5) @ root(s, 0.5)", "source and target are swapped"),
            (root + "return (source - source.mean(0)) @ root(s, -0.5)", "that is white: the target's covariance is missing"),
        ),
        calls=calls,
        explanation="A symmetric root of each covariance by its eigenvectors; the order is whiten, then colour.",
    )
