"""Questions on lecture 8, anomaly detection."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("7.1", "numeric", 2)
def precision_at_another_prevalence(rng: np.random.Generator) -> Numeric:
    tpr, fpr = rng.integers(70, 95) / 100, rng.integers(5, 20) / 100
    prevalence = float(rng.choice([0.01, 0.02, 0.05]))
    answer = tpr * prevalence / (tpr * prevalence + fpr * (1 - prevalence))
    return Numeric(
        text=f"At a threshold a detector finds {tpr:.0%} of the anomalous scans and marks {fpr:.0%} of the healthy ones. It was tested on as many anomalous as healthy scans. What is its precision where {prevalence:.0%} of the scans are anomalous? Three decimals.",
        answer=answer,
        unit="",
        tolerance=0.002,
        traps=((tpr / (tpr + fpr), "that is the precision of the test, with half of the scans anomalous"), (1 - fpr, "that is the specificity")),
        explanation="Weigh both rates by the shares of anomalous and healthy scans: TPR p / (TPR p + FPR (1 - p)).",
    )


@template("7.1", "choice", 2)
def threshold_without_anomalies(rng: np.random.Generator) -> Choice:
    rate = int(rng.choice([1, 5]))
    return Choice(
        text=f"No anomalous scan may be used before the test. How is a threshold with {rate} % false alarms a scan found?",
        right=f"the {100 - rate}th percentile of healthy validation scans' scores",
        wrong=(
            (f"the {100 - rate}th percentile of the test scans' scores", "test scans, sick ones among them, must choose nothing"),
            (f"the {100 - rate}th percentile of the training scans' scores", "the model fits these well: their scores are too low"),
            ("the value at which Dice on the test is best", "that needs the test's labels"),
        ),
        explanation="False alarms are of healthy scans, so healthy scans that were not trained on tell the rate.",
    )


@template("7.1", "choice", 1)
def kind_of_an_anomaly(rng: np.random.Generator) -> Choice:
    scene, right = [
        ("A chest film in which the heart lies on the right side, each tissue looking as it should", "semantic: the arrangement is wrong"),
        ("A head scan with a bright spot of a grey value that healthy tissue never has", "low-level: the values are unusual"),
    ][rng.integers(2)]
    whys = {
        "semantic: the arrangement is wrong": "nothing but a value is unusual here",
        "low-level: the values are unusual": "every value is usual here; what is odd is where things are",
        "none: every patch is healthy": "an image is more than its patches",
        "a shift of the scanner": "a scanner changes all values, and moves no organ",
    }
    return Choice(
        text=f"{scene}. Which kind of anomaly is that?",
        right=right,
        wrong=tuple((kind, why if kind != "none: every patch is healthy" or "heart" in scene else "the bright spot is a patch that no healthy image has") for kind, why in whys.items() if kind != right),
        explanation="Low-level anomalies show in values and textures, semantic ones in what is where.",
    )


@template("7.1", "numeric", 3)
def average_precision_by_hand(rng: np.random.Generator) -> Numeric:
    ap = precision = pairs = 0.5
    while min(abs(ap - pairs), abs(ap - np.mean(precision))) < 0.01:
        labels = rng.permutation([1, 1, 1, 0, 0, 0])
        precision = np.cumsum(labels) / np.arange(1, 7)
        ap = float((precision * labels).sum() / 3)
        pairs = sum(int(labels[i]) * (1 - int(labels[j])) for i in range(6) for j in range(i + 1, 6)) / 9
    return Numeric(
        text=f"Six scans in falling order of their scores have the labels {labels.tolist()} (1 is anomalous). What is the average precision, the mean of the precision at each anomalous scan? Three decimals.",
        answer=ap,
        unit="",
        tolerance=0.002,
        traps=((float(precision.mean()), "precision counts where an anomalous scan is found, not at every scan"), (pairs, "that is the ROC AUC")),
        explanation="At the k-th anomalous scan precision is k over its rank; average over the anomalous ones.",
    )


@template("7.2", "numeric", 2)
def kl_of_a_latent(rng: np.random.Generator) -> Numeric:
    mu, log_var = round(float(rng.uniform(0.5, 1.5)), 1), round(float(rng.choice([-1.2, -0.8, 0.6, 0.9])), 1)
    kl = 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var)
    return Numeric(
        text=f"A VAE's encoder gives one latent number the mean {mu} and the log-variance {log_var}. What is its KL divergence from a standard normal, in nats? Three decimals.",
        answer=float(kl),
        unit="nats",
        tolerance=0.002,
        traps=((float(-kl), "a KL divergence is never negative"), (float(0.5 * (np.exp(2 * log_var) + mu**2 - 1 - 2 * log_var)), "the encoder gives the logarithm of the variance, not of the standard deviation")),
        explanation="1/2 (variance + mean^2 - 1 - log variance).",
    )


@template("7.2", "choice", 2)
def trivial_baseline(rng: np.random.Generator) -> Choice:
    auc = rng.integers(80, 92) / 100
    return Choice(
        text=f"An autoencoder finds bright lesions in FLAIR (an MR contrast in which they are bright) with a pixel AUROC of {auc:.2f}. What must stand beside it before anybody is impressed?",
        right="a threshold on the grey value",
        wrong=(
            ("a larger autoencoder", "that tells about size, not whether reconstruction is needed at all"),
            ("a second seed", "needed as well, but it does not tell what the simplest method reaches"),
            ("the training loss", "it tells how well healthy heads are copied"),
        ),
        explanation="Bright lesions are found by brightness; many reconstruction methods are not better than that.",
    )


@template("7.2", "choice", 1)
def autoencoder_that_is_too_good(rng: np.random.Generator) -> Choice:
    code = int(rng.choice([512, 1024, 2048]))
    return Choice(
        text=f"An autoencoder of healthy heads gets a code of {code} numbers, and now reconstructs lesions as well as healthy tissue. What does its residual show?",
        right="no lesion: it copies what it sees",
        wrong=(
            ("the lesion, sharper than before", "what is reconstructed leaves no residual"),
            ("only the lesion, as healthy tissue is copied", "the lesion is copied, too"),
            ("the brain's border", "it is copied as well"),
        ),
        explanation="The method lives from failing at what is not healthy; a wide code lets everything pass.",
    )


@template("7.2", "numeric", 2)
def residual_within_the_brain(rng: np.random.Generator) -> Numeric:
    x, y = np.round(rng.uniform(0.2, 1.0, 6), 1), np.round(rng.uniform(0.2, 1.0, 6), 1)
    mask = np.array([1, 1, 1, 1, 0, 0])
    x[4:], y[4:] = [0.9, 0.8], [0.1, 0.2]  # fat and skull: large residuals that nobody asks about
    r = np.abs(x - y)
    return Numeric(
        text=f"Six pixels of an image are {x.tolist()}, their reconstruction {y.tolist()}; the first four are in the brain. What is the image score, the mean absolute residual in the brain? Three decimals.",
        answer=float(r[mask == 1].mean()),
        unit="",
        tolerance=0.002,
        traps=((float(r.mean()), "skull and fat are not asked about: keep to the brain"), (float(r[mask == 1].sum() / 6), "divide by the pixels in the brain, not by all")),
        explanation="Absolute differences over the pixels of the mask, divided by their number.",
    )


@template("7.2", "numeric", 1)
def reparameterised_sample(rng: np.random.Generator) -> Numeric:
    mu, log_var, e = round(float(rng.uniform(-1, 1)), 1), float(rng.choice([-1.0, 0.8, 1.2])), round(float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.5)), 1)
    return Numeric(
        text=f"A VAE samples z by the reparameterisation trick, with mean {mu}, log-variance {log_var} and the normal draw {e}. What is z? Two decimals.",
        answer=mu + np.exp(log_var / 2) * e,
        unit="",
        tolerance=0.01,
        traps=((mu + np.exp(log_var) * e, "the draw is scaled by the standard deviation, not by the variance"), (mu + log_var * e, "that is the logarithm of the variance")),
        explanation="z = mean + exp(log-variance / 2) x draw.",
    )


@template("7.3", "numeric", 2)
def interpolated_foreign_patch(rng: np.random.Generator) -> Numeric:
    alpha, own, other = float(rng.choice([0.2, 0.3, 0.7, 0.8])), round(float(rng.uniform(0.2, 0.4)), 1), round(float(rng.uniform(0.7, 0.9)), 1)
    return Numeric(
        text=f"Foreign patch interpolation mixes a patch of another patient into an image with the factor $\\alpha$ = {alpha} of the foreign patch. A pixel is {own} here and {other} there. What is it afterwards? Two decimals.",
        answer=(1 - alpha) * own + alpha * other,
        unit="",
        tolerance=0.004,
        traps=((alpha * own + (1 - alpha) * other, "alpha is the share of the foreign patch"), (own + alpha * other, "the own value gives way by the same share")),
        explanation="(1 - alpha) x own + alpha x foreign; the label of the pixel is alpha.",
    )


@template("7.3", "choice", 2)
def why_the_covariance_is_regularised(rng: np.random.Generator) -> Choice:
    n, d = int(rng.choice([50, 80])), int(rng.choice([100, 200]))
    return Choice(
        text=f"At one place {n} healthy scans give {d} features each. A Mahalanobis distance needs the inverse of their covariance. Why is a small multiple of the identity added?",
        right="the covariance can't be inverted",
        wrong=(
            ("to make the distance Euclidean", "only a large multiple would do that"),
            ("to remove the mean", "the mean is taken away before"),
            ("to weigh sick scans more", "no sick scan is in it"),
        ),
        explanation=f"{n} scans span at most {n - 1} directions; in all others the variance is 0, and its inverse infinite.",
    )


@template("7.3", "numeric", 3)
def mahalanobis_in_the_plane(rng: np.random.Generator) -> Numeric:
    sx, sy = float(rng.choice([2.0, 2.5])), float(rng.choice([3.0, 4.0, 5.0]))
    x, y = int(rng.integers(3, 7)), int(rng.integers(3, 7))
    d = float(np.hypot(x / sx, y / sy))
    return Numeric(
        text=f"Healthy features have the mean (0, 0), standard deviations {sx:g} and {sy:g}, and no correlation. What is the Mahalanobis distance of ({x}, {y})? Two decimals.",
        answer=d,
        unit="",
        tolerance=0.01,
        traps=((float(np.hypot(x, y)), "that is the Euclidean distance"), (float(np.sqrt(x**2 / sx + y**2 / sy)), "each difference is divided by its standard deviation, or its square by the variance")),
        explanation="Each difference over its standard deviation, then the root of the sum of squares.",
    )


@template("7.3", "choice", 2)
def what_a_memory_bank_scores(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([1000, 5000]))
    return Choice(
        text=f"A memory bank holds {n} feature vectors of healthy patches. What is the score of a new patch, and that of its image?",
        right="distance to the nearest one; the largest of the image",
        wrong=(
            ("distance to the mean one; the mean of the image", "healthy tissue is of many kinds, and their mean is none of them; a mean over an image drowns a small lesion"),
            ("distance to the farthest one; the largest of the image", "some healthy patch is always far away"),
            ("distance to the nearest one; the smallest of the image", "every image has a patch that looks healthy"),
        ),
        explanation="A patch is healthy if it looks like any healthy one; an image is as odd as its oddest patch.",
    )


@template("7.3", "choice", 1)
def label_of_a_pasted_patch(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([20, 30]))
    return Choice(
        text=f"A patch is pasted into a healthy slice, but {share} % of its pixels are exactly as they were. Which pixels are labelled as anomalous?",
        right="those that have changed",
        wrong=(
            ("all pixels of the patch", "an unchanged pixel can't be told from a healthy one"),
            ("all pixels of the slice", "the rest of the slice is healthy"),
            ("the border of the patch", "the inside has changed as well"),
        ),
        explanation="A label must be visible in the image; where nothing has changed there is nothing to learn.",
    )


@template("7.4", "numeric", 2)
def alarms_from_another_scanner(rng: np.random.Generator) -> Numeric:
    shift = round(float(rng.uniform(0.6, 1.4)), 1)
    from math import erf

    rate = 0.5 * (1 - erf((1.645 - shift) / np.sqrt(2)))
    return Numeric(
        text=f"Healthy scores are normal with mean 0 and standard deviation 1 at home; the threshold 1.645 gives 5 % false alarms. In another hospital healthy scores are higher by {shift}. Which share of its healthy scans is marked, in %? One decimal. (The normal distribution function is at hand: math.erf.)",
        answer=100 * rate,
        unit="%",
        tolerance=0.2,
        traps=((5.0, "the threshold stays, but the scores have moved"), (100 * 0.5 * (1 - erf((1.645 + shift) / np.sqrt(2))), "higher scores pass the threshold more often, not less")),
        explanation="P(score > 1.645) with mean shift: 1 - Phi(1.645 - shift).",
    )


@template("7.4", "choice", 2)
def shift_taken_for_anomaly(rng: np.random.Generator) -> Choice:
    rate = int(rng.choice([40, 60]))
    return Choice(
        text=f"After a software update of the scanner {rate} % of the healthy scans are marked, as against 5 % before. What is the right first step?",
        right="recalibrate on healthy scans from after the update",
        wrong=(
            ("call them sick: the detector has been validated", "it was validated on the old images"),
            ("raise the threshold until 5 % of all scans are marked", "sick scans are among all; the rate asked for is of healthy ones"),
            ("train on the marked scans as anomalies", "they are healthy: then the scanner would be the disease"),
        ),
        explanation="'Unusual' is relative to what was seen. New healthy scans tell the new usual.",
    )


@template("7.4", "choice", 1)
def interval_over_which_unit(rng: np.random.Generator) -> Choice:
    patients, slices = int(rng.choice([30, 40])), int(rng.choice([60, 80]))
    return Choice(
        text=f"An AUROC was computed on {patients} patients with {slices} slices each. Over what is the bootstrap interval taken?",
        right="patients",
        wrong=(
            ("slices", "slices of one patient are alike: the interval comes out far too narrow"),
            ("pixels", "even more alike, and even narrower"),
            ("thresholds", "they are no sample of anything"),
        ),
        explanation="What is drawn anew in the next study is the patient.",
    )


@template("7.4", "numeric", 3)
def wilson_upper_end(rng: np.random.Generator) -> Numeric:
    n = int(rng.choice([30, 40, 50, 60]))
    z = 1.96
    upper = (z**2 / (2 * n) + z * np.sqrt(z**2 / (4 * n**2))) / (1 + z**2 / n)
    low = round(float(rng.uniform(0.01, 0.05)), 2)
    return Numeric(
        text=f"None of {n} healthy scans of a new hospital is marked (the hospital hoped for a rate below {low:.0%}). What is the upper end of the 95 % Wilson interval of the false alarm rate, in %? One decimal. (With no event it is z^2 / (n + z^2), z = 1.96.)",
        answer=100 * float(upper),
        unit="%",
        tolerance=0.1,
        traps=((0.0, "no event in a small sample does not mean that there are none"), (100 / n, "that is one over n; the interval reaches farther")),
        explanation=f"z^2 / (n + z^2) = 3.84 / ({n} + 3.84): a small sample leaves a lot open.",
    )


@template("7.2", "code", 2)
def vae_kl(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.normal(size=(3, 4)), 1), np.round(rng.normal(size=(3, 4)) * 0.7, 1)) for _ in range(4))
    return Code(
        text="Write `kl(mean, log_var)`: the KL divergence of each image's diagonal normal from the standard normal, summed over the latent numbers, averaged over the images.",
        name="kl",
        stub='def kl(mean: np.ndarray, log_var: np.ndarray) -> float:\n    """Mean over images of the KL divergence, from (B, d) means and log-variances."""',
        body="each = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var)\nreturn float(each.sum(1).mean())",
        wrong=(
            ("each = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var)\nreturn float(-each.sum(1).mean())", "the sign: a KL divergence is never negative"),
            ("each = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var)\nreturn float(each.mean())", "latent numbers are summed, images averaged"),
            ("each = 0.5 * (np.exp(2 * log_var) + mean**2 - 1 - 2 * log_var)\nreturn float(each.sum(1).mean())", "log_var is of the variance, not of the standard deviation"),
        ),
        calls=calls,
        explanation="1/2 (variance + mean^2 - 1 - log variance) for each latent number.",
    )


@template("7.3", "code", 2)
def nearest_in_memory(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.normal(size=(5, 3)), 1), np.round(rng.normal(size=(7, 3)), 1)) for _ in range(4))
    return Code(
        text="Write `score(patches, bank)`: for each patch the Euclidean distance to its nearest vector in the bank; return the largest of them, the score of the image.",
        name="score",
        stub='def score(patches: np.ndarray, bank: np.ndarray) -> float:\n    """Image score from (P, d) patch features and (N, d) healthy features."""',
        body="d = np.linalg.norm(patches[:, None] - bank[None], axis=-1)\nreturn float(d.min(1).max())",
        wrong=(
            ("d = np.linalg.norm(patches[:, None] - bank[None], axis=-1)\nreturn float(d.mean(1).max())", "the nearest one counts, not the mean over the bank"),
            ("d = np.linalg.norm(patches[:, None] - bank[None], axis=-1)\nreturn float(d.min(1).mean())", "the oddest patch decides, not the mean over patches"),
            ("d = np.linalg.norm(patches[:, None] - bank[None], axis=-1)\nreturn float(d.max())", "that is the farthest pair"),
        ),
        calls=calls,
        explanation="Nearest for a patch, largest for the image.",
    )


@template("7.1", "code", 2)
def threshold_from_healthy(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.gamma(2, 1, 40), 2), np.round(rng.gamma(2, 1.6, 20), 2), 10.0) for _ in range(4))
    return Code(
        text="Write `marked(healthy, test, rate)`: the threshold is the (100 - rate)th percentile (np.percentile) of the healthy validation scores. Return the share of test scores above it.",
        name="marked",
        stub='def marked(healthy: np.ndarray, test: np.ndarray, rate: float) -> float:\n    """Share of (M,) test scores above a threshold with `rate` per cent false alarms among (N,) healthy ones."""',
        body="return float(np.mean(test > np.percentile(healthy, 100 - rate)))",
        wrong=(
            ("return float(np.mean(test > np.percentile(test, 100 - rate)))", "the test must not choose the threshold"),
            ("return float(np.mean(test > np.percentile(healthy, rate)))", "that marks nearly everybody: take the upper end"),
            ("return float(np.mean(healthy > np.percentile(healthy, 100 - rate)))", "that is the share of healthy scans"),
        ),
        calls=calls,
        explanation="Healthy validation scans fix the threshold; the test is looked at once.",
    )


@template("7.3", "code", 2)
def regularised_mahalanobis(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.normal(size=(4, 3)) @ np.diag([1, 2, 3]), 1), np.round(rng.normal(size=3) * 3, 1), 0.1) for _ in range(4))
    return Code(
        text="Write `distance(healthy, x, eps)`: the Mahalanobis distance of x from the healthy features, with their mean, their covariance (np.cov, columns are features) plus eps times the identity.",
        name="distance",
        stub='def distance(healthy: np.ndarray, x: np.ndarray, eps: float) -> float:\n    """Mahalanobis distance of (d,) from (N, d) healthy features."""',
        body="c = np.cov(healthy, rowvar=False) + eps * np.eye(len(x))\nr = x - healthy.mean(0)\nreturn float(np.sqrt(r @ np.linalg.solve(c, r)))",
        wrong=(
            ("r = x - healthy.mean(0)\nreturn float(np.linalg.norm(r))", "that is the Euclidean distance"),
            ("c = np.cov(healthy, rowvar=False) + eps * np.eye(len(x))\nr = x - healthy.mean(0)\nreturn float(r @ np.linalg.solve(c, r))", "that is the square of the distance"),
            ("c = np.cov(healthy, rowvar=False) + eps * np.eye(len(x))\nreturn float(np.sqrt(x @ np.linalg.solve(c, x)))", "the mean of the healthy features is taken away first"),
        ),
        calls=calls,
        explanation="Differences weighed by the inverse covariance; eps keeps it invertible where few scans are seen.",
    )
