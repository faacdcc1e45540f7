"""Questions on lecture 10, explainability."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("9.1", "choice", 2)
def plausible_or_faithful(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([80, 90]))
    return Choice(
        text=f"In {share} % of the films a map marks the place that radiologists would mark. Covering that place hardly changes the network's output. What is the map?",
        right="plausible, but not faithful",
        wrong=(
            ("faithful, but not plausible", "readers agree with it; the network's output does not depend on it"),
            ("faithful and plausible", "what the network uses must change its output when it is covered"),
            ("neither", "readers find it plausible"),
        ),
        explanation="Plausible is what convinces people, faithful is what the model does. Only the second can be tested on the model.",
    )


@template("9.1", "numeric", 2)
def faithfulness_correlation(rng: np.random.Generator) -> Numeric:
    importance = rng.permutation([0.1, 0.3, 0.6, 1.0])
    drop = np.round(importance * rng.uniform(0.2, 0.5) + rng.uniform(-0.08, 0.08, 4), 2)
    r = float(np.corrcoef(importance, drop)[0, 1])
    return Numeric(
        text=f"An explanation gives four features the importances {importance.tolist()}. Removing each one lowers the score by {drop.tolist()}. What is the (Pearson) correlation of both, as a figure of faithfulness? Two decimals.",
        answer=r,
        unit="",
        tolerance=0.01,
        traps=((-r, "features that matter more should cost more: a positive correlation"), (float((importance * drop).sum() / np.sqrt((importance**2).sum() * (drop**2).sum())) - 0.5, "that is no correlation: take the means away first")),
        explanation="Covariance over the product of the standard deviations; near 1 the explanation orders features as the model uses them.",
    )


@template("9.1", "choice", 1)
def explanation_for_whom(rng: np.random.Generator) -> Choice:
    question, right = [
        ("Does the network use the scanner's marker instead of the disease?", "the developer"),
        ("Which findings speak for this diagnosis in my patient?", "the clinician"),
        ("What could I change so that my risk falls?", "the patient"),
    ][rng.integers(3)]
    whys = {"the developer": "they ask what the model has learned, over many images", "the clinician": "they decide on one patient, by findings", "the patient": "they ask what it means for them, and what they can do", "the compiler": "it asks nothing"}
    return Choice(
        text=f'"{question}" Whose question is that?',
        right=right,
        wrong=tuple((who, why) for who, why in whys.items() if who != right),
        explanation="An explanation answers somebody's question; who asks decides what a good one is.",
    )


@template("9.1", "numeric", 2)
def drop_by_removal(rng: np.random.Generator) -> Numeric:
    with_it, without, chance = rng.integers(85, 96) / 100, rng.integers(62, 78) / 100, 0.5
    return Numeric(
        text=f"A classifier has an AUC of {with_it:.2f}. With the corner marker painted over in all test films it is {without:.2f}; guessing gives {chance}. Which share of what it knows beyond guessing came from the marker, in %? One decimal.",
        answer=100 * (with_it - without) / (with_it - chance),
        unit="%",
        tolerance=0.15,
        traps=((100 * (with_it - without), "that is the fall in AUC points; set it beside what lies above guessing"), (100 * (with_it - without) / with_it, "guessing reaches 0.5 already: what it knows begins there")),
        explanation="(with - without) / (with - 0.5).",
    )


@template("9.2", "choice", 2)
def place_of_a_method(rng: np.random.Generator) -> Choice:
    method, right = [
        ("LIME on one film", "post-hoc, local, model-agnostic"),
        ("Grad-CAM on one film", "post-hoc, local, model-specific"),
        ("permutation importance on the test set", "post-hoc, global, model-agnostic"),
        ("a logistic regression's weights", "ante-hoc, global, model-specific"),
    ][rng.integers(4)]
    whys = {
        "post-hoc, local, model-agnostic": "that asks a finished model about one case, through inputs and outputs only",
        "post-hoc, local, model-specific": "that looks inside a finished network, for one case",
        "post-hoc, global, model-agnostic": "that asks a finished model about all cases, through inputs and outputs only",
        "ante-hoc, global, model-specific": "that is a model which can be read as it stands",
    }
    return Choice(
        text=f"On the three axes of explanations, where does this method belong: {method}?",
        right=right,
        wrong=tuple((place, why) for place, why in whys.items() if place != right),
        explanation="Built in or added later; for one case or for all; looking inside or only asking.",
    )


@template("9.2", "numeric", 2)
def permutation_importance_of_a_feature(rng: np.random.Generator) -> Numeric:
    base, runs = rng.integers(84, 92) / 100, np.round(rng.uniform(0.70, 0.73) + np.array([0.0, 0.03, 0.06]), 2)
    runs = rng.permutation(runs)
    return Numeric(
        text=f"A model has a test AUC of {base:.2f}. With the column 'age' shuffled three times it is {', '.join(f'{v:.2f}' for v in runs)}. What is the permutation importance of age? Three decimals.",
        answer=float(base - runs.mean()),
        unit="",
        tolerance=0.002,
        traps=((float(runs.mean() - base), "importance is what is lost: it is positive if the feature helps"), (float(base - runs.min()), "several shuffles are averaged")),
        explanation="The score as it is minus the mean score with the column shuffled.",
    )


@template("9.2", "choice", 2)
def fidelity_of_a_surrogate(rng: np.random.Generator) -> Choice:
    depth = int(rng.choice([3, 4]))
    return Choice(
        text=f"A tree of depth {depth} is to explain a network globally. On what is it trained, and by what is it judged?",
        right="the network's outputs; agreement with the network",
        wrong=(
            ("the labels; accuracy", "then it is another classifier, and explains nothing"),
            ("the labels; agreement with the network", "it should learn what the network does, not what is true"),
            ("the network's outputs; accuracy", "it may agree with the network's errors, and should"),
        ),
        explanation="A surrogate stands for the model: its fidelity is how often it says what the model says, on new cases.",
    )


@template("9.2", "numeric", 1)
def fidelity_from_counts(rng: np.random.Generator) -> Numeric:
    n = 200
    same_right, same_wrong, only_net, only_tree = int(rng.integers(110, 130)), int(rng.integers(12, 20)), int(rng.integers(20, 30)), 0
    only_tree = n - same_right - same_wrong - only_net
    return Numeric(
        text=f"Of {n} test cases, network and surrogate are both right in {same_right}, both wrong in {same_wrong}; only the network is right in {only_net}, only the surrogate in {only_tree}. (Two classes.) What is the surrogate's fidelity, in %? One decimal.",
        answer=100 * (same_right + same_wrong) / n,
        unit="%",
        tolerance=0.06,
        traps=((100 * same_right / n, "where both are wrong, with two classes, they agree as well"), (100 * (same_right + only_tree) / n, "that is the surrogate's accuracy")),
        explanation="The share of cases in which both say the same.",
    )


@template("9.3", "choice", 2)
def what_an_intervention_needs(rng: np.random.Generator) -> Choice:
    concept = ["the margin is spiculated", "the nodule is larger than 8 mm", "calcium is present"][rng.integers(3)]
    return Choice(
        text=f"A clinician corrects one concept ('{concept}') of a concept bottleneck. Under which condition must the prediction follow?",
        right="the label is computed from the concepts alone",
        wrong=(
            ("the concepts are predicted without error", "then there is nothing to correct"),
            ("there are more concepts than classes", "their number does not tell what the label listens to"),
            ("the network has a skip from the image to the label", "then the image can overrule the concepts"),
        ),
        explanation="A bottleneck is one only if nothing goes around it.",
    )


@template("9.3", "numeric", 2)
def additive_logit(rng: np.random.Generator) -> Numeric:
    base, parts = round(float(rng.uniform(-2, -1)), 1), rng.permutation(np.round([rng.uniform(0.9, 1.4), rng.uniform(0.6, 0.9), rng.uniform(0.8, 1.2)], 1))
    parts[0] -= round(float(base + parts.sum()), 1) - float(rng.choice([-0.7, 0.6, 0.9]))
    parts = np.round(parts, 1)
    logit = base + parts.sum()
    return Numeric(
        text=f"An additive model has the intercept {base}; for a patient its three features contribute {parts.tolist()} to the logit. Which probability does it give? Three decimals.",
        answer=float(1 / (1 + np.exp(-logit))),
        unit="",
        tolerance=0.002,
        traps=((float(1 / (1 + np.exp(-parts.sum()))), "the intercept belongs to the sum"), (float(1 / (1 + np.exp(logit))), "that is the probability of the other class")),
        explanation="Sum of intercept and contributions, then the logistic function.",
    )


@template("9.3", "choice", 1)
def leakage_of_soft_concepts(rng: np.random.Generator) -> Choice:
    gain = int(rng.choice([5, 8]))
    return Choice(
        text=f"With soft concepts (probabilities) the label is predicted {gain} points better than the true concepts allow. What is likely?",
        right="the concepts' decimals carry other information",
        wrong=(
            ("soft concepts are closer to the truth", "nothing that is about the concepts can beat the concepts themselves"),
            ("the test set is too easy", "the limit was measured on the same set"),
            ("the label is noisy", "noise lowers what can be reached"),
        ),
        explanation="Leakage: the code between image and label says more than its names tell.",
    )


@template("9.3", "numeric", 3)
def prototype_similarity_value(rng: np.random.Generator) -> Numeric:
    d = rng.permutation(np.round([rng.uniform(0.1, 0.4), rng.uniform(1, 2), rng.uniform(2.2, 3)], 1))
    eps = 0.01
    sim = np.log((d + 1) / (d + eps))
    return Numeric(
        text=f"The squared distances of a prototype to three patches of an image are {d.tolist()}. With the similarity $\\log((d + 1) / (d + {eps}))$, which similarity does the image get from it? Two decimals.",
        answer=float(sim.max()),
        unit="",
        tolerance=0.01,
        traps=((float(sim.min()), "the nearest patch counts: the largest similarity"), (float(sim.mean()), "an image has the prototype if one place shows it: the mean drowns it")),
        explanation="The least distance gives the largest similarity; the image takes the maximum over its places.",
    )


@template("9.4", "numeric", 2)
def grad_cam_of_two_channels(rng: np.random.Generator) -> Numeric:
    a, b = int(rng.integers(4, 7)), int(rng.integers(1, 3))
    ga, gb = np.round(rng.uniform(0.4, 0.9, 4), 1), -np.round(rng.uniform(0.1, 0.3, 4), 1)
    value = float(ga.mean() * a + gb.mean() * b)
    return Numeric(
        text=f"Two feature maps have the values {a} and {b} at a place. The gradients of the class score over the four places of each map are {ga.tolist()} and {gb.tolist()}. What is Grad-CAM there, before the ReLU? Two decimals.",
        answer=value,
        unit="",
        tolerance=0.01,
        traps=((float(ga.sum() * a + gb.sum() * b), "a map's weight is the mean of its gradients over places"), (float(ga.mean() * a - gb.mean() * b), "a negative weight stays negative")),
        explanation="Mean gradient of each map as its weight, weighted sum of the maps; the ReLU comes last.",
    )


@template("9.4", "choice", 2)
def completeness_of_integrated_gradients(rng: np.random.Generator) -> Choice:
    m = int(rng.choice([1, 2]))
    return Choice(
        text=f"Integrated gradients with {m} step{'s' * (m > 1)}: the attributions sum to 2.1, but the score differs by 3.4 between image and baseline. What is to be done?",
        right="more steps along the path",
        wrong=(
            ("scale the attributions by 3.4 / 2.1", "the sum is right then, and each of them still wrong"),
            ("leave out the baseline", "attributions are of the difference to it"),
            ("take absolute values", "signs belong to the sum"),
        ),
        explanation="The path integral is approximated; with enough steps the sum equals the difference of the scores.",
    )


@template("9.4", "numeric", 3)
def shapley_of_three_regions(rng: np.random.Generator) -> Numeric:
    single = [int(v) for v in rng.integers(1, 6, 3)]
    ab, ac, bc = single[0] + single[1] + int(rng.integers(1, 5)), single[0] + single[2] + int(rng.integers(1, 5)), single[1] + single[2]
    full = bc + single[0] + 9 + int(rng.integers(0, 3))
    phi = (2 * single[0] + (ab - single[1]) + (ac - single[2]) + 2 * (full - bc)) / 6
    return Numeric(
        text=f"The score of an image with only some of three regions shown is: none 0; A {single[0]}, B {single[1]}, C {single[2]}; AB {ab}, AC {ac}, BC {bc}; ABC {full}. What is the Shapley value of A? Two decimals.",
        answer=phi,
        unit="",
        tolerance=0.01,
        traps=((float(full - bc), "that is what is lost when A alone is covered: one of the four contributions"), (float(single[0]), "that is A alone: one of the four contributions")),
        explanation="A's contributions weighted by the orders in which they happen: 1/3 alone, 1/6 after B, 1/6 after C, 1/3 after both.",
    )


@template("9.4", "choice", 2)
def randomisation_check(rng: np.random.Generator) -> Choice:
    r = rng.integers(92, 99) / 100
    return Choice(
        text=f"All weights of a network are replaced by random ones. A method's maps before and after have a rank correlation of {r:.2f}. What follows?",
        right="the map shows the image, not the network",
        wrong=(
            ("the method is robust", "it should change: another network, another explanation"),
            ("the network had learned nothing", "its test score would tell that; the map does not"),
            ("random weights classify well", "nothing was classified here"),
        ),
        explanation="What does not depend on the weights can't explain what they do; edge detectors look convincing, too.",
    )


@template("9.4", "choice", 1)
def what_a_shortcut_looks_like(rng: np.random.Generator) -> Choice:
    inside = int(rng.choice([60, 70]))
    return Choice(
        text=f"{inside} % of the maps' mass lies on a letter in the corner of the films. Which test shows that the network relies on it?",
        right="paint the letter over and measure again",
        wrong=(
            ("draw the maps in another colour", "that changes the picture, not the knowledge"),
            ("train another network in the same way", "it finds the same letter"),
            ("ask readers whether the letter matters", "they know medicine, not this network"),
        ),
        explanation="A map gives a suspicion; changing the input gives the proof.",
    )


@template("9.4", "numeric", 2)
def deletion_area(rng: np.random.Generator) -> Numeric:
    s = np.sort(np.round(rng.uniform(0.1, 0.9, 4), 2))[::-1]
    s = np.r_[0.95, s]
    area = float(np.trapezoid(s, dx=0.25))
    return Numeric(
        text=f"The most important pixels are removed first. The score is {s.tolist()} after 0, 25, 50, 75 and 100 % of them. What is the area under this deletion curve, by trapezoids? Three decimals.",
        answer=area,
        unit="",
        tolerance=0.002,
        traps=((float(s.sum() * 0.25), "there are four strips, not five: the ends count one half each"), (float(s[1:].sum() * 0.25), "that takes each strip by its lower end")),
        explanation="Each of the four strips is 0.25 wide and as high as the mean of its ends.",
    )


@template("9.4", "code", 2)
def integrated_gradients_of_a_square(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.normal(size=3), 1), np.round(rng.normal(size=3) * 0.5, 1), np.round(rng.normal(size=3), 1), 20) for _ in range(4))
    return Code(
        text="The score is $f(x) = \\sum_i w_i x_i^3$, with gradient $3 w_i x_i^2$. Write `attribute(x, baseline, w, m)`: integrated gradients with the m midpoints (k + 0.5) / m of the path from the baseline to x.",
        name="attribute",
        stub='def attribute(x: np.ndarray, baseline: np.ndarray, w: np.ndarray, m: int) -> np.ndarray:\n    """(d,) attributions of the score of (d,) x against a (d,) baseline."""',
        body="t = (np.arange(m) + 0.5) / m\npath = baseline + t[:, None] * (x - baseline)\nreturn (x - baseline) * (3 * w * path**2).mean(0)",
        wrong=(
            ("return x * 3 * w * x**2", "that is gradient times input at one point"),
            ("t = (np.arange(m) + 0.5) / m\npath = baseline + t[:, None] * (x - baseline)\nreturn (3 * w * path**2).mean(0)", "the mean gradient is multiplied by x - baseline"),
            ("t = (np.arange(m) + 0.5) / m\npath = t[:, None] * x\nreturn x * (3 * w * path**2).mean(0)", "the baseline is left out"),
        ),
        calls=calls,
        explanation="Mean gradient along the straight path, times the way; the sum is f(x) - f(baseline).",
    )
