"""Questions on lecture 7, label-efficient learning."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("6.1", "numeric", 2)
def labels_by_log_interpolation(rng: np.random.Generator) -> Numeric:
    low, factor = int(rng.choice([20, 50, 100])), int(rng.choice([4, 9, 16]))
    a = round(float(rng.uniform(0.70, 0.78)), 2)
    b = round(a + 0.10, 2)
    share = float(rng.choice([0.2, 0.4, 0.6, 0.8]))
    target = round(a + share * 0.10, 2)
    return Numeric(
        text=f"A supervised classifier reaches an AUC of {a:.2f} with {low} labels and {b:.2f} with {low * factor}. Along a straight line over the logarithm of the number of labels, how many does it need for {target:.2f}? No decimal.",
        answer=low * factor**share,
        unit="",
        tolerance=max(0.6, 0.01 * low * factor**share),
        traps=((low + share * low * (factor - 1), "that goes along the number of labels; the axis is logarithmic"), (float(low * factor), "that is the next measured point")),
        explanation="log n = log(low) + share x log(factor): equal steps in AUC multiply the labels.",
    )


@template("6.1", "choice", 2)
def fair_baseline(rng: np.random.Generator) -> Choice:
    labels, tuning = int(rng.choice([20, 40])), int(rng.choice([300, 500]))
    return Choice(
        text=f"A semi-supervised method with {labels} labels was tuned on {tuning} labelled validation films, with strong augmentation. Which baseline is fair?",
        right="supervised, same augmentation, same validation labels",
        wrong=(
            ("supervised, no augmentation, default settings", "then augmentation and tuning are counted as gains of the method"),
            ("supervised with all labels of the archive", "that is an upper bound, and no rival at this budget"),
            ("the method itself with fewer unlabelled films", "that tells what unlabelled films add, not whether they beat training on the labels"),
        ),
        explanation="Everything but the one idea must be equal; validation labels are labels, too.",
    )


@template("6.1", "numeric", 2)
def paired_gain_interval(rng: np.random.Generator) -> Numeric:
    gains = np.round(rng.normal(0.04, 0.02, 5), 2)
    while np.ptp(gains) < 0.02:
        gains = np.round(rng.normal(0.04, 0.02, 5), 2)
    half = 2.776 * gains.std(ddof=1) / np.sqrt(5)
    return Numeric(
        text=f"Over five draws of labelled patients a method gains {', '.join(f'{g:+.2f}' for g in gains)} in AUC over supervised training on the same draws. Half the width of the 95 % t-interval of the mean gain (t = 2.776)? Four decimals.",
        answer=half,
        unit="",
        tolerance=0.0004,
        traps=((2.776 * gains.std(ddof=1), "that is the spread of single draws: divide by the root of their number"), (gains.std(ddof=1) / np.sqrt(5), "that is one standard error; the interval reaches t of them")),
        explanation="t times the standard deviation (n - 1) over the root of n; pairing has taken out the luck of the draw.",
    )


@template("6.2", "numeric", 2)
def teacher_after_two_steps(rng: np.random.Generator) -> Numeric:
    alpha = float(rng.choice([0.9, 0.95, 0.99]))
    t, s1, s2 = 1.0, round(float(rng.uniform(2, 4)), 1), round(float(rng.uniform(5, 8)), 1)
    first = alpha * t + (1 - alpha) * s1
    return Numeric(
        text=f"A Mean Teacher's weight is {t:g}. The student's is {s1} after the first and {s2} after the second step. With $\\alpha$ = {alpha}, what is the teacher's after both? Three decimals.",
        answer=alpha * first + (1 - alpha) * s2,
        unit="",
        tolerance=0.001,
        traps=(((1 - alpha) * ((1 - alpha) * t + alpha * s1) + alpha * s2, "the average is the wrong way round: the teacher keeps most of itself"), (alpha * t + (1 - alpha) * s2, "the first step counts, too")),
        explanation="teacher = alpha x teacher + (1 - alpha) x student, after each step.",
    )


@template("6.2", "numeric", 3)
def fixmatch_masked_mean(rng: np.random.Generator) -> Numeric:
    sure = int(rng.integers(2, 5))
    p = np.round(np.r_[rng.uniform(0.95, 0.99, sure), rng.uniform(0.5, 0.9, 8 - sure)], 2)
    losses = np.round(rng.uniform(0.2, 1.5, 8), 1)
    order = rng.permutation(8)
    p, losses = p[order], losses[order]
    mask = p >= 0.95
    return Numeric(
        text=f"FixMatch, threshold 0.95. Eight unlabelled films have the top probabilities {p.tolist()} on the weak view, and the losses {losses.tolist()} on the strong view. What is the unlabelled loss, the sum over sure films divided by the batch size? Three decimals.",
        answer=float((losses * mask).sum() / 8),
        unit="",
        tolerance=0.002,
        traps=((float(losses.mean()), "films that are not sure give no label: they are masked"), (float(losses[mask].mean()), "the sum is divided by the batch size, so that few sure films weigh little")),
        explanation="Only films with p >= 0.95 count in the sum; all count in the number.",
    )


@template("6.2", "choice", 2)
def where_the_teacher_gets_no_gradient(rng: np.random.Generator) -> Choice:
    weight = int(rng.choice([5, 10]))
    return Choice(
        text=f"The consistency loss between student and teacher has weight {weight}. Somebody forgets to detach the teacher's prediction, and lets the optimizer train its weights, too. What is the danger?",
        right="both agree on a constant answer",
        wrong=(
            ("the student is trained too slowly", "the student's gradient is as it was"),
            ("the labelled loss disappears", "it stands beside, and is untouched"),
            ("the teacher becomes a copy of the labels", "it sees no labels in this term"),
        ),
        explanation="The cheapest way to agree is to say nothing. A teacher that is only an average gives targets that can't run away.",
    )


@template("6.2", "choice", 1)
def what_pseudo_labels_bet_on(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([10, 20, 30]))
    return Choice(
        text=f"A first network is wrong in {share} % of the films of which it is sure. It is trained again on its own sure labels. What is likely?",
        right="it keeps those errors, and more firmly",
        wrong=(
            ("they cancel, since errors are random", "they are not random: the same network made them"),
            ("they vanish, since there are more films", "the added films carry the errors as labels"),
            ("they can be seen in its confidence", "it was sure before, and is surer now"),
        ),
        explanation="Confirmation bias: a label that one gives oneself can't correct oneself.",
    )


@template("6.3", "numeric", 2)
def gated_attention_weight(rng: np.random.Generator) -> Numeric:
    scores = np.round(rng.normal(0, 1.2, 3), 1)
    while np.ptp(scores) < 0.8:
        scores = np.round(rng.normal(0, 1.2, 3), 1)
    w = np.exp(scores) / np.exp(scores).sum()
    return Numeric(
        text=f"A bag holds three instances with the attention scores {scores.tolist()}; a fourth place is padding. Which weight does the instance with the highest score get? Three decimals.",
        answer=float(w.max()),
        unit="",
        tolerance=0.002,
        traps=((float(np.exp(scores.max()) / (np.exp(scores).sum() + 1)), "padding must get no weight: its score is minus infinity, not 0"), (1 / 3, "that is mean pooling")),
        explanation="A softmax over the real instances of this bag alone.",
    )


@template("6.3", "choice", 2)
def pooling_for_one_cell(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([200, 500, 1000]))
    return Choice(
        text=f"A smear is positive if one of its {n} cells is a blast. Which pooling hides it?",
        right="the mean over cells",
        wrong=(
            ("the maximum over cells", "one high score is enough for it"),
            ("attention with a trained score", "it can put its weight on one cell"),
            ("the mean of the ten highest cells", "one cell is a tenth of it, and no thousandth"),
        ),
        explanation=f"In the mean one cell of {n} moves the score by a {n}th.",
    )


@template("6.3", "choice", 1)
def label_of_an_instance(rng: np.random.Generator) -> Choice:
    bag = int(rng.choice([30, 50]))
    return Choice(
        text=f"A positive bag holds {bag} patches. Somebody gives each patch the label of its bag and trains a patch classifier. What is wrong?",
        right="most patches of a positive bag are healthy",
        wrong=(
            ("nothing: labels are inherited", "the bag is positive by one or few of them"),
            ("patches of negative bags get wrong labels", "in a negative bag every patch is negative"),
            ("there are too few patches", "there are more than before, with wrong labels"),
        ),
        explanation="A bag's label says that at least one instance is positive, not which.",
    )


@template("6.3", "numeric", 2)
def chance_that_a_bag_is_positive(rng: np.random.Generator) -> Numeric:
    n, q = int(rng.choice([20, 30, 50])), float(rng.choice([0.01, 0.02, 0.03]))
    return Numeric(
        text=f"A patch classifier calls a healthy patch positive with probability {q:.0%}, independently. A slide of {n} healthy patches is called positive if any patch is. How often, in %? One decimal.",
        answer=100 * (1 - (1 - q) ** n),
        unit="%",
        tolerance=0.1,
        traps=((100 * q * n, "probabilities of several patches don't just add"), (100 * q, "every patch is a chance for a false alarm")),
        explanation="1 - (1 - q)^n: the maximum over many patches makes false alarms common.",
    )


@template("6.4", "numeric", 2)
def negatives_in_a_batch(rng: np.random.Generator) -> Numeric:
    n = int(rng.choice([32, 48, 64, 96, 128]))
    return Numeric(
        text=f"SimCLR takes {n} films, two views of each. Against how many negatives is each view compared?",
        answer=2 * n - 2,
        unit="",
        tolerance=0.4,
        traps=((2.0 * n - 1, "the view's own partner is the positive"), (float(n) - 1, "both views of every other film are there")),
        explanation="2 n views, without itself and without its partner.",
    )


@template("6.4", "numeric", 3)
def nt_xent_of_one_view(rng: np.random.Generator) -> Numeric:
    pos, neg = round(float(rng.uniform(0.6, 0.9)), 1), np.round(rng.uniform(-0.2, 0.4, 3), 1)
    tau = float(rng.choice([0.2, 0.5]))
    loss = -np.log(np.exp(pos / tau) / (np.exp(pos / tau) + np.exp(neg / tau).sum()))
    with_self = -np.log(np.exp(pos / tau) / (np.exp(pos / tau) + np.exp(neg / tau).sum() + np.exp(1 / tau)))
    times = -np.log(np.exp(pos * tau) / (np.exp(pos * tau) + np.exp(neg * tau).sum()))
    return Numeric(
        text=f"A view has the cosine similarity {pos} with its partner and {neg.tolist()} with three negatives. What is its NT-Xent loss at temperature {tau}? Three decimals.",
        answer=float(loss),
        unit="",
        tolerance=0.002,
        traps=((float(with_self), "the view itself, with similarity 1, does not belong in the sum"), (float(times), "similarities are divided by the temperature, not multiplied")),
        explanation="Minus the logarithm of exp(s+ / tau) over the sum of exp(s / tau) of partner and negatives.",
    )


@template("6.4", "choice", 2)
def where_mae_has_its_loss(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([60, 75]))
    return Choice(
        text=f"A masked autoencoder hides {share} % of the patches. Over which patches is its loss taken, and why?",
        right="the hidden ones: the others can be copied",
        wrong=(
            ("all: the image is to be drawn", "visible patches are easy, and teach to copy"),
            ("the visible ones: their values are known", "all values are known in training; the visible ones need no understanding"),
            ("a random half of each", "the visible half still rewards copying"),
        ),
        explanation="What is hidden must be inferred from anatomy; what is visible need only be passed on.",
    )


@template("6.4", "choice", 1)
def what_a_linear_probe_tells(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([50, 100]))
    return Choice(
        text=f"A linear probe on frozen features, trained with {n} labels, is worse than the same network trained from scratch. What follows?",
        right="no line in these features tells the classes well",
        wrong=(
            ("pretraining can't help in medicine", "one network, one task, and one budget were measured, and fine-tuning was not"),
            ("the probe was trained too short", "a logistic regression has a single optimum that is quickly found"),
            ("the labels are wrong", "the same labels served the other network well"),
        ),
        explanation="A probe asks whether the classes are separated by a line in feature space, at this budget; no more.",
    )


@template("6.5", "numeric", 3)
def bald_of_two_passes(rng: np.random.Generator) -> Numeric:
    p, q = sorted(float(v) for v in rng.choice([0.1, 0.2, 0.3, 0.7, 0.8, 0.9], 2, replace=False))
    h = lambda v: -(v * np.log(v) + (1 - v) * np.log(1 - v))  # noqa: E731
    total, own = h((p + q) / 2), (h(p) + h(q)) / 2
    return Numeric(
        text=f"Two passes with dropout give a film the probabilities {p} and {q} of pneumonia. What is its BALD score, in nats? Three decimals.",
        answer=float(total - own),
        unit="nats",
        tolerance=min(0.002, 0.04 * float(total - own)),
        traps=((float(total), "that is the entropy of the mean; what each pass is unsure of by itself is to be taken off"), (float(own), "that is the mean of the entropies: noise in the film, not doubt of the model")),
        explanation="Entropy of the mean minus mean of the entropies: large where passes are sure and disagree.",
    )


@template("6.5", "choice", 2)
def cold_start(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([8, 12, 16]))
    return Choice(
        text=f"The very first {n} films to be labelled are to be chosen. Why not by the entropy of the network?",
        right="an untrained network's doubt means nothing",
        wrong=(
            ("entropy can't be computed without labels", "it needs predictions only"),
            ("entropy picks duplicates of one film", "it may, but that is not peculiar to the start"),
            ("the budget is too small for any method", "covering the feature space works from the first pick on"),
        ),
        explanation="Uncertainty needs a model that knows something. Diversity (a core-set of pretrained features) does not.",
    )


@template("6.5", "numeric", 1)
def next_greedy_centre(rng: np.random.Generator) -> Numeric:
    points = np.sort(rng.choice(np.arange(5, 60), 4, replace=False))
    labelled = [0, int(rng.integers(70, 90))]
    distance = np.min(np.abs(points[:, None] - np.array(labelled)[None]), axis=1)
    while np.sum(distance == distance.max()) > 1 or points[distance.argmax()] == points.max():
        points = np.sort(rng.choice(np.arange(5, 60), 4, replace=False))
        distance = np.min(np.abs(points[:, None] - np.array(labelled)[None]), axis=1)
    best = int(points[distance.argmax()])
    far = int(points.max())
    close = int(points[distance.argmin()])
    return Numeric(
        text=f"On a line of features, the labelled films lie at {labelled[0]} and {labelled[1]}, unlabelled ones at {', '.join(map(str, points))}. Which position does the greedy k-centre pick next?",
        answer=best,
        unit="",
        tolerance=0.4,
        traps=((float(far), "that is farthest from one labelled film, but near another"), (float(close), "that is the one that is covered best already")),
        explanation="The film whose nearest labelled neighbour is farthest away.",
    )


@template("6.5", "choice", 2)
def biased_by_acquisition(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([100, 200]))
    return Choice(
        text=f"{n} films were labelled by active learning. Somebody estimates the prevalence of pneumonia from them. What is wrong?",
        right="they were chosen, not drawn at random",
        wrong=(
            (f"{n} films are too few for a share", "the interval is wide, but the error is in the choice"),
            ("labels of doubtful films are always wrong", "they are harder, not always wrong"),
            ("nothing, if the model is calibrated", "calibration says nothing about who was picked"),
        ),
        explanation="Doubtful films are over-represented. A random sample is needed for every estimate, testing included.",
    )


@template("6.6", "numeric", 2)
def partial_cross_entropy_mean(rng: np.random.Generator) -> Numeric:
    known, unknown = int(rng.integers(3, 6)), int(rng.integers(10, 40))
    p = np.round(rng.uniform(0.5, 0.95, known), 2)
    loss = float(-np.log(p).mean())
    return Numeric(
        text=f"A scribble labels {known} pixels; the network gives their classes the probabilities {p.tolist()}. {unknown} pixels have no label. What is the partial cross-entropy, in nats? Three decimals.",
        answer=loss,
        unit="nats",
        tolerance=0.002,
        traps=((float(-np.log(p).sum() / (known + unknown)), "pixels without a label are in neither the sum nor the number"), (float(-np.log(p).sum()), "that is the sum; a mean is asked for")),
        explanation="The mean of -log p over labelled pixels only.",
    )


@template("6.6", "choice", 2)
def unlabelled_as_background(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([2, 3, 5]))
    return Choice(
        text=f"Scribbles cover {share} % of an organ. Somebody trains with all other pixels as background. What will the network outline?",
        right="thin lines like the scribbles, or nothing",
        wrong=(
            ("the organ, a little too small", "most of the organ was called background, not only its rim"),
            ("the organ, a little too large", "nothing pushes the outline outwards"),
            ("the organ, as the scribbles are inside", "it is taught that the organ between the strokes is background"),
        ),
        explanation="'Not drawn' is not 'background': those pixels belong in no loss, or in a regulariser.",
    )


@template("6.7", "choice", 2)
def few_shot_test_of_a_foundation_model(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([5, 10, 20]))
    return Choice(
        text=f"A foundation model reaches an AUC of 0.92 with {n} labels on a public set. Which comparison is asked for first?",
        right=f"a small model or plain pixels with the same {n} labels",
        wrong=(
            ("another foundation model with all labels", "it has another budget, and tells nothing about this one"),
            ("the same model on its training images", "that tests memory"),
            ("a human reader without time limit", "interesting, but it does not tell whether the model's size was needed"),
        ),
        explanation="On easy sets almost anything works; a gain is a gain over the simplest thing that could work.",
    )


@template("6.7", "numeric", 2)
def annotation_hours_saved(rng: np.random.Generator) -> Numeric:
    cases, full, click, share = int(rng.choice([200, 300, 500])), int(rng.choice([20, 30])), int(rng.choice([3, 4, 5])), int(rng.choice([10, 20, 25]))
    hours = (cases * full - cases * click - cases * share / 100 * full) / 60
    return Numeric(
        text=f"{cases} organs are outlined by hand in {full} minutes each. With a promptable model a case takes {click} minutes, but {share} % of the cases fail and are then done by hand as well. How many hours are saved, in h? One decimal.",
        answer=hours,
        unit="h",
        tolerance=0.1,
        traps=((cases * (full - click) / 60, "failed cases are done twice, and cost the full time as well"), (cases * click / 60, "that is the time with clicks, not what is saved")),
        explanation="By hand: cases x full. With clicks: cases x clicks plus the failed share x full. The difference is what is saved.",
    )


@template("6.5", "code", 2)
def greedy_centres(rng: np.random.Generator) -> Code:
    calls = [(np.round(rng.normal(size=(int(rng.integers(8, 12)), 2)), 2), [0, 1], 3) for _ in range(3)]
    calls.append((np.array([[0, 0], [20, 0], [10, 0.5], [10, 1], [21, 4], [3, 6]]), [0, 1], 2))  # two far films lie side by side
    return Code(
        text="Write `pick(x, labelled, k)`: k times, take the row of `x` that is farthest from everything labelled or picked so far (Euclidean distance to the nearest of them). Return the picked row numbers in order.",
        name="pick",
        stub='def pick(x: np.ndarray, labelled: list, k: int) -> list:\n    """Row numbers of the k greedy centres of (N, d) features, given labelled rows."""',
        body="chosen, found = list(labelled), []\nfor _ in range(k):\n    d = np.linalg.norm(x[:, None] - x[chosen][None], axis=-1).min(1)\n    found.append(int(d.argmax()))\n    chosen.append(found[-1])\nreturn found",
        wrong=(
            ("d = np.linalg.norm(x[:, None] - x[list(labelled)][None], axis=-1).min(1)\nreturn [int(i) for i in np.argsort(-d)[:k]]", "what was picked must count as covered: measure anew after each pick"),
            ("chosen, found = list(labelled), []\nfor _ in range(k):\n    d = np.linalg.norm(x[:, None] - x[chosen][None], axis=-1).mean(1)\n    found.append(int(d.argmax()))\n    chosen.append(found[-1])\nreturn found", "the distance to the nearest one counts, not the mean distance"),
        ),
        calls=tuple(calls),
        explanation="Cover the space: the next pick is where the nearest known film is farthest.",
    )
