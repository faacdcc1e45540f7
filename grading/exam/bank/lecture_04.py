"""Questions on lecture 4, classification."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("3.2", "numeric", 2)
def ppv_from_prevalence(rng: np.random.Generator) -> Numeric:
    sensitivity, specificity = rng.integers(80, 96) / 100, rng.integers(80, 96) / 100
    prevalence = rng.choice([0.01, 0.02, 0.05])
    positive = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    answer = 100 * sensitivity * prevalence / positive
    return Numeric(
        text=f"A detector has a sensitivity of {sensitivity:.0%} and a specificity of {specificity:.0%}. In a screening programme {prevalence:.0%} of the people are ill. "
        "Of those whom it calls ill, how many are? Give the positive predictive value in %, to one decimal.",
        answer=answer,
        unit="%",
        tolerance=0.1,
        traps=(
            (100 * sensitivity, "that is the sensitivity: of the ill, how many are called ill"),
            (100 * sensitivity / (sensitivity + 1 - specificity), "that is the value where half of all people are ill: the prevalence is left out"),
        ),
        explanation="PPV = sens p / (sens p + (1 - spec)(1 - p)). At a low prevalence p the false alarms of the many healthy outnumber the hits.",
    )


@template("3.2", "choice", 2)
def auc_under_prevalence(rng: np.random.Generator) -> Choice:
    low, high = sorted(rng.choice([2, 5, 10, 20, 30, 40], 2, replace=False))
    return Choice(
        text=f"A classifier is tested where {high} % of the patients are ill, and again where {low} % are, with patients of the same kinds. What happens to its ROC AUC and to its average precision?",
        right="the AUC stays, the average precision falls",
        wrong=(
            ("both stay", "average precision depends on precision, and that on the prevalence"),
            ("both fall", "the AUC compares an ill with a healthy patient: how many there are of each doesn't matter"),
            ("the AUC falls, the average precision stays", "it is the other way round: precision holds the prevalence, the ranks don't"),
        ),
        explanation="The AUC is the chance that an ill patient gets the higher score than a healthy one; precision is a share of all that are called ill, in which the healthy count by their number.",
    )


@template("3.2", "code", 2)
def auc_by_pairs(rng: np.random.Generator) -> Code:
    calls = []
    for _ in range(4):
        n = int(rng.integers(5, 9))
        labels = rng.permutation(np.r_[0, 0, 1, 1, rng.integers(0, 2, n)])
        scores = rng.integers(0, 4, len(labels)) / 4
        scores[np.flatnonzero(labels == 1)[0]] = scores[np.flatnonzero(labels == 0)[0]]  # at least one tie
        calls.append((scores, labels))
    return Code(
        text="Write `auc(scores, labels)`: the share of pairs of one ill (label 1) and one healthy patient (label 0) in which the ill one has the higher score. A tie counts one half.",
        name="auc",
        stub='def auc(scores: np.ndarray, labels: np.ndarray) -> float:\n    """Area under the ROC curve of (N,) scores and (N,) labels 0 or 1; both occur."""',
        body="ill, well = scores[labels == 1], scores[labels == 0]\ndifference = ill[:, None] - well[None]\nreturn float(np.mean((difference > 0) + 0.5 * (difference == 0)))",
        wrong=(
            ("ill, well = scores[labels == 1], scores[labels == 0]\nreturn float(np.mean(ill[:, None] > well[None]))", "ties are counted as lost; each is worth one half"),
            ("ill, well = scores[labels == 1], scores[labels == 0]\nreturn float(np.mean(ill[:, None] >= well[None]))", "ties are counted as won; each is worth one half"),
            ("return float(np.mean((scores > 0.5) == labels))", "that is the accuracy at a threshold of 0.5"),
        ),
        calls=tuple(calls),
        explanation="The AUC is a probability over pairs, so it needs no threshold; with scores on a coarse scale ties are common and must count one half.",
    )


@template("3.1", "numeric", 2)
def weight_of_the_rare_class(rng: np.random.Generator) -> Numeric:
    well, ill = int(rng.integers(60, 95)) * 10, int(rng.integers(4, 20)) * 10
    answer = (well + ill) / (2 * ill)
    return Numeric(
        text=f"A training set holds {well} films of healthy and {ill} films of ill patients. The loss weighs each class by $n / (k\\, n_c)$, with $n$ films in all, $k = 2$ classes and $n_c$ films of the class. "
        "What is the weight of a film of an ill patient? Two decimals.",
        answer=answer,
        unit="",
        tolerance=0.02,
        traps=(
            ((well + ill) / (2 * well), "that is the weight of the healthy class: the rare class needs the larger one"),
            (2 * ill / (well + ill), "that is the inverse: it makes the rare class rarer still"),
        ),
        explanation="n / (k n_c): both classes then have the same total weight, n / k, whatever their sizes.",
    )


@template("3.1", "choice", 2)
def label_safe_flip(rng: np.random.Generator) -> Choice:
    task, right, other = [
        ("whether the heart lies on the wrong side (situs inversus) in chest films", "mirroring left and right", "the label is the side itself, and a mirrored image has the other label"),
        ("which kidney is the larger one, the left or the right, in abdominal CT", "mirroring left and right", "the label is the side itself, and a mirrored image has the other label"),
        ("whether an emphysema darkens the upper or the lower half of the lung", "mirroring top and bottom", "the label is the half itself, and a mirrored image has the other label"),
    ][rng.integers(3)]
    return Choice(
        text=f"A network is to tell {task}. Which augmentation changes the label, and so must not be used as it is?",
        right=right,
        wrong=(
            ("turning by up to 5 degrees", "so small a turn moves nothing to another side"),
            ("moving by up to 4 pixels", "a shift keeps sides and halves as they are"),
            ("adding weak noise", "noise as weak as that of another exposure changes no anatomy"),
        ),
        explanation=f"An augmentation must keep what is asked for: here {other}.",
    )


@template("3.1", "choice", 1)
def epoch_is_chosen_on(rng: np.random.Generator) -> Choice:
    epochs = int(rng.integers(30, 200))
    return Choice(
        text=f"You train for {epochs} epochs and keep the weights of the best one. On which patients is the best one chosen?",
        right="on the validation patients",
        wrong=(
            ("on the test patients", "then the test figure is the best of many looks, and too good"),
            ("on the training patients", "their loss falls on when the network learns them by heart"),
            ("on training and test patients", "as soon as test patients choose, they no longer test"),
        ),
        explanation="A choice needs patients that were not trained on; a figure that is reported needs patients that chose nothing.",
    )


@template("3.2", "numeric", 3)
def auc_by_hand(rng: np.random.Generator) -> Numeric:
    ill = sorted(int(v) for v in rng.choice(np.arange(3, 10), 3, replace=False))
    well = sorted(int(v) for v in rng.choice(np.arange(0, 8), 4, replace=False))
    well[-1] = ill[0]  # a tie
    pairs = [(a > b) + 0.5 * (a == b) for a in ill for b in well]
    strict = sum(a > b for a in ill for b in well)
    loose = sum(a >= b for a in ill for b in well)
    return Numeric(
        text=f"Three ill patients have the scores {ill}, four healthy ones {well}. What is the ROC AUC? Three decimals.",
        answer=float(np.mean(pairs)),
        unit="",
        tolerance=0.002,
        traps=((strict / 12, "a tie counts one half, not nothing"), (loose / 12, "a tie counts one half, not one")),
        explanation="Of the 12 pairs of an ill and a healthy patient, count those in which the ill one is higher, and half of each tie.",
    )


@template("3.3", "choice", 2)
def frozen_batch_norm(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([20, 30, 50]))
    return Choice(
        text=f"You freeze a pretrained backbone by `requires_grad = False` and train a new head on {n} images, calling `model.train()` each epoch. What of the backbone still changes?",
        right="the running means and variances of its batch norm",
        wrong=(
            ("nothing", "running statistics are buffers: no gradient is needed to update them in train mode"),
            ("the weights of its last layer", "without a gradient the optimizer moves no weight"),
            ("the scale and shift of its batch norm", "these are parameters, and frozen with the others"),
        ),
        explanation="Batch norm in train mode updates its running statistics at each forward pass. Put the frozen part into eval mode.",
    )


@template("3.3", "numeric", 2)
def trainable_head(rng: np.random.Generator) -> Numeric:
    features, classes = int(rng.choice([512, 640, 1280, 2048])), int(rng.integers(2, 9))
    return Numeric(
        text=f"A frozen backbone gives {features} features. Its head is replaced by one linear layer with bias for {classes} classes. How many parameters are trained?",
        answer=features * classes + classes,
        unit="",
        tolerance=0.4,
        traps=((features * classes, "each class has a bias, too"), (features + classes, "each class has a weight for every feature")),
        explanation="features x classes weights, and one bias for each class; frozen weights are not trained.",
    )


@template("3.4", "numeric", 1)
def kernel_in_three_dimensions(rng: np.random.Generator) -> Numeric:
    c_in, c_out, size = int(rng.choice([8, 16, 32])), int(rng.choice([16, 32, 64])), int(rng.choice([3, 5]))
    return Numeric(
        text=f"How many weights, without bias, has a 3-D convolution from {c_in} to {c_out} channels with a kernel of {size} x {size} x {size}?",
        answer=c_in * c_out * size**3,
        unit="",
        tolerance=0.4,
        traps=((c_in * c_out * size**2, "that is the 2-D kernel"), (c_out * size**3, "each output channel has a kernel for every input channel")),
        explanation="in x out x kernel volume: against 2-D the third edge multiplies the number once more.",
    )


@template("3.4", "choice", 3)
def inflated_kernel(rng: np.random.Generator) -> Choice:
    depth = int(rng.choice([3, 5, 7]))
    return Choice(
        text=f"A pretrained 2-D kernel is inflated to 3-D by copying it {depth} times along the new axis. A stack of equal slices shall give the answer of the 2-D network. By what is each copy divided?",
        right=f"by {depth}",
        wrong=(
            (f"by {depth**2}", "the copies add up once along the new axis, so their number counts once"),
            ("by nothing", f"then equal slices give {depth} times the 2-D answer"),
            (f"by the root of {depth}", "that keeps the variance of independent slices, but equal slices add up in full"),
        ),
        explanation="Equal slices meet every copy, and the copies' answers add up: dividing by their number gives the 2-D answer again.",
    )


@template("3.5", "numeric", 2)
def masked_loss(rng: np.random.Generator) -> Numeric:
    known, missing = int(rng.integers(3, 7)), int(rng.integers(2, 6))
    losses = [round(float(v), 1) for v in rng.uniform(0.2, 1.5, known)]
    return Numeric(
        text=f"A task has labels for {known} of {known + missing} patients of a batch; their losses are {losses}. The {missing} others have no label. What is the masked mean loss of the task? Three decimals.",
        answer=float(np.mean(losses)),
        unit="",
        tolerance=0.002,
        traps=((sum(losses) / (known + missing), "the patients without a label count as if their loss were 0: divide by those who have one"), (sum(losses), "that is the sum; a mean is asked for")),
        explanation="A missing label is no information, so the patient is in neither the sum nor the number.",
    )


@template("3.5", "choice", 2)
def uncertainty_weighting(rng: np.random.Generator) -> Choice:
    name = ["age", "tumour volume", "time to relapse"][rng.integers(3)]
    return Choice(
        text=f"Two tasks, diagnosis and {name}, are weighed as $\\sum_i e^{{-s_i}} L_i + s_i$ with learned log-variances $s_i$. What keeps $s_i$ from growing without end?",
        right="the term $+s_i$",
        wrong=(
            ("the factor $e^{-s_i}$", "it falls as s grows: alone it would push s to infinity and switch the task off"),
            ("the loss $L_i$, which is positive", "a positive loss pushes s up, not down"),
            ("the learning rate", "it sets how fast s moves, not where it comes to rest"),
        ),
        explanation="The loss of a task makes it cheap to raise s; the price is s itself. Both balance at $e^{s} = L$.",
    )
