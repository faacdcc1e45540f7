"""Questions on lecture 12, federated learning."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("11.1", "numeric", 2)
def federated_average_of_a_weight(rng: np.random.Generator) -> Numeric:
    n = np.array([int(rng.choice([50, 100])), int(rng.choice([200, 300])), int(rng.choice([400, 600]))])
    w = np.round(rng.uniform(-1, 1, 3), 1)
    while min(abs(w.mean() - (w * n).sum() / n.sum()), abs((w * n[::-1]).sum() - (w * n).sum()) / n.sum()) < 0.05:
        w = np.round(rng.uniform(-1, 1, 3), 1)
    return Numeric(
        text=f"Three hospitals with {n[0]}, {n[1]} and {n[2]} patients send the weight {w.tolist()}. What does FedAvg make of it? Three decimals.",
        answer=float((w * n).sum() / n.sum()),
        unit="",
        tolerance=0.002,
        traps=((float(w.mean()), "hospitals count by their patients"), (float((w * n[::-1]).sum() / n.sum()), "each hospital's weight goes with its own number of patients")),
        explanation="Sum of n_k w_k over sum of n_k.",
    )


@template("11.1", "numeric", 2)
def bytes_of_a_training(rng: np.random.Generator) -> Numeric:
    million, rounds, sites = float(rng.choice([1.5, 2.0, 5.0])), int(rng.choice([50, 100])), int(rng.choice([4, 8]))
    gb = million * 4 * 2 * rounds * sites / 1000
    return Numeric(
        text=f"A network of {million} million weights of 4 bytes is trained with {sites} hospitals for {rounds} rounds; each round it goes to every hospital and comes back. How many GB (10^9 bytes) go over the network? Two decimals.",
        answer=gb,
        unit="GB",
        tolerance=0.01 * gb,
        traps=((gb / 2, "it goes there and comes back"), (gb / sites, "each hospital gets it")),
        explanation="Weights x 4 bytes x 2 ways x hospitals x rounds.",
    )


@template("11.1", "choice", 1)
def what_leaves_the_hospital(rng: np.random.Generator) -> Choice:
    sites = int(rng.integers(4, 12))
    return Choice(
        text=f"{sites} hospitals train one network by FedAvg. What leaves a hospital?",
        right="weights or their changes",
        wrong=(
            ("images without names", "images stay where they are"),
            ("labels only", "they stay as well"),
            ("nothing", "then nothing could be learned together"),
        ),
        explanation="Models travel, data stay. That is less than data, and still tells something about them.",
    )


@template("11.1", "choice", 2)
def small_alpha_of_dirichlet(rng: np.random.Generator) -> Choice:
    alpha = float(rng.choice([0.1, 0.3]))
    return Choice(
        text=f"Patients are dealt to hospitals by class with a Dirichlet distribution of $\\alpha$ = {alpha}. What do the hospitals look like?",
        right="each has mostly one or two classes",
        wrong=(
            ("each has all classes in equal shares", "that is a large alpha"),
            ("all have the same number of patients", "a small alpha makes numbers unequal as well"),
            ("each has the shares of the whole", "that is what a very large alpha gives"),
        ),
        explanation="A small alpha puts the weight on few hospitals for each class: strongly non-IID.",
    )


@template("11.2", "choice", 2)
def who_gains_from_the_federation(rng: np.random.Generator) -> Choice:
    small = int(rng.choice([40, 60]))
    return Choice(
        text=f"One of four hospitals has {small} patients only, the others have hundreds. Which comparison tells it whether to join?",
        right="federated against its own model, on its own test patients",
        wrong=(
            ("federated against central, on all patients", "that tells what federation costs, not what it brings to this hospital"),
            ("its own model on the others' patients", "that tells how its model travels"),
            ("the loss in training", "no training loss tells of new patients"),
        ),
        explanation="The alternative to joining is one's own model; the patients that matter are one's own.",
    )


@template("11.2", "numeric", 2)
def weighted_mean_auc_gain(rng: np.random.Generator) -> Numeric:
    n = np.array([int(rng.choice([50, 80])), int(rng.choice([150, 200])), int(rng.choice([300, 400]))])
    g = np.round(np.r_[rng.uniform(0.06, 0.12), rng.uniform(0.01, 0.04), rng.uniform(-0.02, 0.0)], 2)
    return Numeric(
        text=f"Against their own models, three hospitals with {n.tolist()} test patients gain {', '.join(f'{v:+.2f}' for v in g)} in AUC by the federation. What is the mean gain, each patient counting once? Three decimals.",
        answer=float((n * g).sum() / n.sum()),
        unit="",
        tolerance=0.0015,
        traps=((float(g.mean()), "that counts hospitals, not patients"), (float(g.max()), "that is the hospital which gains most")),
        explanation="Weigh each gain by its patients.",
    )


@template("11.2", "choice", 2)
def unseen_hospital(rng: np.random.Generator) -> Choice:
    k = int(rng.choice([4, 5]))
    return Choice(
        text=f"A model was trained with {k} hospitals. Which test tells how it does at a sixth one?",
        right="leave one hospital out, train on the others",
        wrong=(
            ("test patients of all hospitals, mixed", "their hospitals were in training"),
            ("cross-validation over patients", "each hospital is in every fold's training"),
            ("more seeds", "they vary the training, not the hospital"),
        ),
        explanation="What is new is the hospital; so a hospital must be new in the test.",
    )


@template("11.2", "numeric", 1)
def sites_in_a_leave_one_out(rng: np.random.Generator) -> Numeric:
    sites, seeds, rounds = int(rng.integers(4, 7)), int(rng.choice([3, 5])), int(rng.choice([20, 30]))
    return Numeric(
        text=f"A federation of {sites} hospitals is tested by leaving each one out in turn, with {seeds} seeds. Each training runs {rounds} rounds. How many rounds are run in all?",
        answer=sites * seeds * rounds,
        unit="",
        tolerance=0.4,
        traps=((float((sites - 1) * seeds * rounds), "each hospital is left out once, so there are as many trainings as hospitals"), (float(seeds * rounds), "one training for each hospital that is left out")),
        explanation="Hospitals x seeds x rounds.",
    )


@template("11.3", "choice", 2)
def what_amplitudes_reveal(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([10, 20]))
    return Choice(
        text=f"For federated domain generalisation each hospital shares the amplitude spectra of {n} images. Why not the phases?",
        right="phases hold the anatomy of the patient",
        wrong=(
            ("phases are too large to send", "they have as many numbers as amplitudes"),
            ("phases hold the scanner's style", "that is in the low amplitudes"),
            ("phases can't be computed", "the same transform gives both"),
        ),
        explanation="Amplitudes carry the look, phases the shapes; only the look is to be shared. (Amplitudes still tell something.)",
    )


@template("11.3", "choice", 2)
def what_fedbn_keeps_local(rng: np.random.Generator) -> Choice:
    sites = int(rng.choice([3, 4, 5]))
    return Choice(
        text=f"{sites} hospitals with different scanners train with FedBN. What is not averaged?",
        right="the batch norm layers",
        wrong=(
            ("the first layer", "it is averaged as all other convolutions"),
            ("the last layer", "it is averaged; personalised heads are another method"),
            ("the optimizer's learning rate", "it is a setting, no weight"),
        ),
        explanation="Each hospital keeps its own normalisation, which takes up what its scanner does to intensities.",
    )


@template("11.3", "numeric", 2)
def mixed_amplitude(rng: np.random.Generator) -> Numeric:
    own, other, lam = int(rng.integers(20, 40)), int(rng.integers(60, 90)), float(rng.choice([0.2, 0.3, 0.7, 0.8]))
    return Numeric(
        text=f"At one low frequency a hospital's image has the amplitude {own}, another hospital's {other}. With the share $\\lambda$ = {lam} of the other one, which amplitude has the augmented image there? One decimal.",
        answer=(1 - lam) * own + lam * other,
        unit="",
        tolerance=0.06,
        traps=((lam * own + (1 - lam) * other, "lambda is the other hospital's share"), (own + lam * other, "the own amplitude gives way")),
        explanation="(1 - lambda) own + lambda other; the phase stays the image's own.",
    )


@template("11.4", "choice", 2)
def labels_at_one_site(rng: np.random.Generator) -> Choice:
    sites = int(rng.choice([4, 6]))
    return Choice(
        text=f"Only one of {sites} hospitals has labels; the others train on pseudo-labels of the shared model. What is the main danger?",
        right="the labelled site's bias is copied everywhere",
        wrong=(
            ("the labelled site's labels leak", "pseudo-labels are predictions, not its labels"),
            ("hospitals without labels can't compute gradients", "pseudo-labels give them a loss"),
            ("communication doubles", "the same weights travel"),
        ),
        explanation="Confirmation bias across hospitals: what the first site does not know, nobody corrects.",
    )


@template("11.4", "numeric", 2)
def share_of_sure_pseudo_labels(rng: np.random.Generator) -> Numeric:
    n, sure, right = int(rng.choice([300, 400, 500])), int(rng.integers(120, 200)), int(rng.integers(85, 97))
    wrong = round(sure * (100 - right) / 100, 2)
    return Numeric(
        text=f"A hospital without labels has {n} images; the model is sure of {sure} of them, and {right} % of these pseudo-labels are right. How many wrong labels enter its training, in the mean? One decimal.",
        answer=wrong,
        unit="",
        tolerance=max(0.06, 0.01 * wrong),
        traps=((n * (100 - right) / 100, "only sure images get a pseudo-label"), (sure * right / 100, "these are the right ones")),
        explanation="Sure images times the share of wrong ones among them.",
    )


@template("11.4", "choice", 1)
def which_site_gets_weight(rng: np.random.Generator) -> Choice:
    sites = int(rng.choice([4, 5]))
    return Choice(
        text=f"{sites} hospitals train together; some have labels, some only pseudo-labels. Why does a server often weigh the latter less in the average?",
        right="their labels are wrong more often",
        wrong=(
            ("their images are worse", "nothing says so"),
            ("they send fewer weights", "all send the same network"),
            ("they have no patients", "they have no labels"),
        ),
        explanation="An update is worth as much as the labels behind it.",
    )


@template("11.5", "numeric", 2)
def clipped_gradient_of_a_patient(rng: np.random.Generator) -> Numeric:
    a, b = [(3, 4), (6, 8), (5, 12), (8, 15)][rng.integers(4)]
    c = float(rng.choice([1.0, 2.0]))
    return Numeric(
        text=f"DP-SGD clips each patient's gradient to the norm {c:g}. A patient's gradient is ({a}, {b}). What is its first entry afterwards? Three decimals.",
        answer=a * c / float(np.hypot(a, b)),
        unit="",
        tolerance=0.002,
        traps=((float(min(a, c)), "the norm is clipped, not each entry"), (a * c / (a + b), "the norm is the root of the sum of squares")),
        explanation="Scale by C / norm where the norm is larger than C.",
    )


@template("11.5", "choice", 2)
def clip_before_the_mean(rng: np.random.Generator) -> Choice:
    batch = int(rng.choice([32, 64]))
    return Choice(
        text=f"Why does DP-SGD clip the gradients of the {batch} patients one by one, and not their mean?",
        right="the noise must hide any single patient",
        wrong=(
            ("it is faster", "it is slower: one gradient for each patient"),
            ("the mean has no norm", "it has one, and it could be clipped"),
            ("batch norm asks for it", "batch norm does not go with it at all"),
        ),
        explanation="A patient's largest influence must be bounded before it is mixed; the noise is then scaled to that bound.",
    )


@template("11.5", "numeric", 3)
def krum_score_on_a_line(rng: np.random.Generator) -> Numeric:
    base = int(rng.integers(3, 9))
    w = [base, base + 1, base + 3, base + int(rng.integers(25, 60))]
    order = rng.permutation(4)
    shown = [w[i] for i in order]
    scores = {v: sorted((v - u) ** 2 for u in w if u != v)[0] for v in w}  # n - f - 2 = 4 - 1 - 2 = 1 nearest
    best = scores[w[2]]
    return Numeric(
        text=f"Four hospitals send the weight {shown}; at most one is poisoned. Krum gives each the sum of squared distances to its n - f - 2 = 1 nearest other. What is the score of the hospital that sent {w[2]}?",
        answer=float(best),
        unit="",
        tolerance=0.01,
        traps=((float(sum((w[2] - u) ** 2 for u in w)), "only the nearest ones count, so that an outlier does no harm"), (float(abs(w[2] - w[1])), "distances are squared")),
        explanation="The nearest other value decides; the poisoned one is far from all, and is never chosen.",
    )


@template("11.5", "choice", 1)
def masks_that_cancel(rng: np.random.Generator) -> Choice:
    sites = int(rng.choice([3, 5]))
    return Choice(
        text=f"{sites} hospitals add pairwise masks to their weights before sending them. What does the server learn?",
        right="the sum of the weights, and no single one",
        wrong=(
            ("every weight: it knows the masks", "masks are agreed between pairs of hospitals"),
            ("nothing at all", "the masks cancel in the sum"),
            ("the largest weight", "a sum tells no largest"),
        ),
        explanation="What one of a pair adds the other takes away, so that all masks vanish from the sum.",
    )


@template("11.5", "numeric", 2)
def median_against_a_poisoned_mean(rng: np.random.Generator) -> Numeric:
    w = np.round(rng.uniform(0.2, 0.6, 4), 1)
    bad = float(rng.choice([20.0, 50.0]))
    full = np.r_[w, bad]
    return Numeric(
        text=f"Five hospitals of equal size send {rng.permutation(full).tolist()}; one is poisoned. What does the coordinate-wise median give? Two decimals.",
        answer=float(np.median(full)),
        unit="",
        tolerance=0.01,
        traps=((float(full.mean()), "that is the mean: one hospital moves it anywhere"), (bad, "that is the poisoned one")),
        explanation="The middle of the five ordered values; one outlier moves it by one place at most.",
    )


@template("11.1", "code", 2)
def fedavg_of_arrays(rng: np.random.Generator) -> Code:
    calls = tuple(([np.round(rng.normal(size=(2, 2)), 1) for _ in range(3)], [int(v) for v in rng.integers(10, 200, 3)]) for _ in range(4))
    return Code(
        text="Write `average(weights, patients)`: FedAvg of a list of arrays, each hospital counting by its number of patients.",
        name="average",
        stub='def average(weights: list, patients: list) -> np.ndarray:\n    """Weighted mean of K arrays of one shape; K numbers of patients."""',
        body="n = np.array(patients, dtype=float)\nreturn np.tensordot(n / n.sum(), np.stack(weights), axes=1)",
        wrong=(
            ("return np.mean(weights, axis=0)", "hospitals count by their patients"),
            ("n = np.array(patients, dtype=float)\nreturn np.tensordot(n, np.stack(weights), axes=1)", "divide by the number of all patients"),
            ("n = 1 / np.array(patients, dtype=float)\nreturn np.tensordot(n / n.sum(), np.stack(weights), axes=1)", "larger hospitals count more, not less"),
        ),
        calls=calls,
        explanation="n_k / n is each hospital's share; they sum to 1.",
    )
