"""Questions on lecture 15, future directions."""

import numpy as np

from grading.exam.model import Choice, Numeric, template


@template("14.1", "choice", 2)
def prompts_that_are_averaged(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([5, 8]))
    return Choice(
        text=f"For each class {n} sentences ('a film with ...', 'there is ...') are embedded. What is done with them before images are compared?",
        right="their vectors are averaged and normalised",
        wrong=(
            ("the longest one is kept", "length says nothing about fit"),
            ("the one that fits the test set best is kept", "then the test set has chosen"),
            ("they are joined into one sentence", "the model has learned single sentences"),
        ),
        explanation="Averaging takes out the accident of wording.",
    )


@template("14.1", "choice", 1)
def negation_in_reports(rng: np.random.Generator) -> Choice:
    finding = ["pneumothorax", "effusion", "fracture"][rng.integers(3)]
    return Choice(
        text=f"A vision-language model gives 'no {finding}' and '{finding}' nearly the same vector. What follows for zero-shot?",
        right="it can't tell presence from absence",
        wrong=(
            ("it finds the negative cases only", "both sentences fit both cases equally"),
            ("nothing: images decide", "an image is compared with these two vectors"),
            ("the image encoder is broken", "the fault lies in the text"),
        ),
        explanation="Words shared by both sentences dominate; negation must be tested, since reports are full of it.",
    )


@template("14.1", "numeric", 2)
def zero_shot_probability(rng: np.random.Generator) -> Numeric:
    a, b, tau = round(float(rng.uniform(0.25, 0.35)), 2), round(float(rng.uniform(0.15, 0.22)), 2), float(rng.choice([0.05, 0.1]))
    p = float(1 / (1 + np.exp(-(a - b) / tau)))
    return Numeric(
        text=f"An image has the cosine similarity {a} with 'pneumonia' and {b} with 'no pneumonia'; the temperature is {tau}. Which probability has pneumonia? Three decimals.",
        answer=p,
        unit="",
        tolerance=0.002,
        traps=((float(1 / (1 + np.exp(-(a - b) * tau))), "similarities are divided by the temperature"), (a / (a + b), "similarities are no probabilities: take the softmax")),
        explanation="Softmax of both similarities over the temperature.",
    )


@template("14.1", "numeric", 2)
def pairs_of_a_contrastive_batch(rng: np.random.Generator) -> Numeric:
    n = int(rng.choice([16, 32, 48, 64, 128, 256]))
    return Numeric(
        text=f"A batch holds {n} image-report pairs. How many wrong pairs does the contrastive loss push apart (each image with each foreign report)?",
        answer=n * n - n,
        unit="",
        tolerance=0.4,
        traps=((float(n * n), "the right pairs are pulled together"), (float(n - 1), "that is for one image")),
        explanation="n^2 combinations, of which n are right.",
    )


@template("14.2", "numeric", 2)
def parameters_of_lora(rng: np.random.Generator) -> Numeric:
    d, r, layers = int(rng.choice([256, 384, 768])), int(rng.choice([4, 8])), int(rng.choice([6, 12]))
    return Numeric(
        text=f"LoRA of rank {r} is put on the query and the value projection ({d} x {d} each) of {layers} layers. How many weights are trained?",
        answer=2 * d * r * 2 * layers,
        unit="",
        tolerance=0.4,
        traps=((2.0 * d * d * layers, "that is full fine-tuning of these projections"), (float(d * r * 2 * layers), "each adapter has two matrices: down and up")),
        explanation="Two matrices of d x r for each projection, two projections a layer.",
    )


@template("14.2", "choice", 2)
def start_of_a_lora_adapter(rng: np.random.Generator) -> Choice:
    r = int(rng.choice([4, 8, 16]))
    return Choice(
        text=f"An adapter adds B A x to a frozen layer, with rank {r}. Why is B set to 0 at the start?",
        right="the network begins as it was pretrained",
        wrong=(
            ("so that B never changes", "its gradient is not 0, as A is not"),
            ("so that A need not be trained", "A is trained as soon as B has moved"),
            ("to save memory", "zeros take as much"),
        ),
        explanation="With B = 0 the adapter adds nothing; training leaves from the pretrained function. (With A = 0, too, nothing would ever move.)",
    )


@template("14.2", "choice", 1)
def what_a_prompted_segmenter_needs(rng: np.random.Generator) -> Choice:
    clicks = int(rng.integers(1, 4))
    return Choice(
        text=f"A promptable segmenter gets {clicks} click{'s' * (clicks > 1)} on a faint lesion. Which test is fair to clinical use?",
        right="clicks by people, or simulated with their errors",
        wrong=(
            ("a click at the true centre of each lesion", "nobody knows the true centre before it is outlined"),
            ("boxes drawn from the true mask", "they tell the size, which is asked for"),
            ("no prompt at all", "then it does not know what is wanted"),
        ),
        explanation="Prompts made from the truth leak the truth.",
    )


@template("14.2", "numeric", 3)
def share_of_trained_weights(rng: np.random.Generator) -> Numeric:
    million, d, r, layers = float(rng.choice([86.0, 88.0, 90.0])), 768, int(rng.choice([4, 8])), 12
    trained = 4 * d * r * layers
    return Numeric(
        text=f"A backbone has {million:g} million weights. LoRA of rank {r} sits on two projections of {d} x {d} in each of {layers} layers. How many of all weights (adapters included) are trained, in %? Two decimals.",
        answer=100 * trained / (million * 1e6 + trained),
        unit="%",
        tolerance=0.01,
        traps=((100 * trained / 2 / (million * 1e6 + trained / 2), "each adapter has two matrices"), (100 * 2 * d * d * layers / (million * 1e6), "those are the frozen projections")),
        explanation="4 d r a layer (two projections, two matrices), over backbone plus adapters.",
    )


@template("14.3", "numeric", 2)
def perplexity_of_a_sentence(rng: np.random.Generator) -> Numeric:
    p = np.round(rng.uniform(0.1, 0.8, 4), 1)
    return Numeric(
        text=f"A language model gives the four words of a sentence the probabilities {p.tolist()}. What is its perplexity? Two decimals.",
        answer=float(np.exp(-np.log(p).mean())),
        unit="",
        tolerance=0.02,
        traps=((float(1 / p.prod()), "that is for the whole sentence: take the mean over words"), (float(-np.log(p).mean()), "that is the mean loss; its exponential is asked for")),
        explanation="exp of the mean negative log probability a word.",
    )


@template("14.3", "choice", 2)
def omission_or_invention(rng: np.random.Generator) -> Choice:
    scene, right = [
        ("The findings mention a small effusion; the impression says nothing of it", "omission"),
        ("The impression names a fracture that the findings don't mention", "invention"),
    ][rng.integers(2)]
    whys = {"omission": "something in the findings is missing from the impression", "invention": "something in the impression is not in the findings", "contradiction": "impression and findings would have to say opposite things", "paraphrase": "the same would be said in other words"}
    return Choice(
        text=f"{scene}. What kind of error is that?",
        right=right,
        wrong=tuple((kind, why) for kind, why in whys.items() if kind != right),
        explanation="Compare both lists of findings: what is lost is an omission, what is added an invention.",
    )


@template("14.3", "choice", 1)
def what_retrieval_does_not_mend(rng: np.random.Generator) -> Choice:
    k = int(rng.choice([3, 5]))
    return Choice(
        text=f"A language model answers with {k} retrieved passages before it. Which error can retrieval not mend?",
        right="it says what no passage says",
        wrong=(
            ("it does not know a rare disease", "a passage can tell it"),
            ("its knowledge is old", "passages can be new"),
            ("it has no source to name", "the passages are sources"),
        ),
        explanation="Passages help only if they are used: each sentence must be checked against them.",
    )


@template("14.3", "numeric", 2)
def factuality_f1(rng: np.random.Generator) -> Numeric:
    both, lost, added = int(rng.integers(12, 20)), int(rng.integers(3, 8)), int(rng.integers(1, 3))
    return Numeric(
        text=f"Over a set of reports, {both} findings stand in reference and generated text, {lost} only in the reference, {added} only in the generated one. What is the F1 of findings? Three decimals.",
        answer=2 * both / (2 * both + lost + added),
        unit="",
        tolerance=0.002,
        traps=((both / (both + lost + added), "that is the Jaccard index"), (both / (both + lost), "that is the recall: inventions don't count in it")),
        explanation="2 TP / (2 TP + omissions + inventions).",
    )


@template("14.4", "numeric", 2)
def concordance_of_four(rng: np.random.Generator) -> Numeric:
    times = np.sort(rng.choice(np.arange(3, 40), 4, replace=False))
    event = np.array([1, 1, 0, 1])
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4) if event[i]]
    everything = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    naive = good = 0.0
    while min(abs(naive - good / len(pairs)), abs(1 - 2 * good / len(pairs))) < 0.02:
        risk = rng.permutation([0.9, 0.7, 0.4, 0.2])
        good = sum(risk[i] > risk[j] for i, j in pairs)
        naive = sum(risk[i] > risk[j] for i, j in everything) / 6
    told = "; ".join(f"{t} months{'' if e else ' (alive when last seen)'}, risk {r}" for t, e, r in zip(times, event, risk, strict=True))
    return Numeric(
        text=f"Four patients: {told}. What is the concordance (share of comparable pairs in which who died earlier has the higher risk)? Two decimals.",
        answer=good / len(pairs),
        unit="",
        tolerance=0.006,
        traps=((naive, "a pair whose earlier time is no death can't be compared"), (1 - good / len(pairs), "a higher risk should go with an earlier death")),
        explanation="Comparable are pairs whose earlier time is a death: here five.",
    )


@template("14.4", "choice", 2)
def thousand_features_at_five_percent(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([1000, 2000]))
    return Choice(
        text=f"{n} image features are tested for association with a gene, each at p < 0.05; {n // 20} come out. What is to be believed?",
        right="nothing yet: chance alone gives as many",
        wrong=(
            ("all of them, each has been tested", "each test errs in one of twenty"),
            ("the half with the smallest p", "chance has small p-values as well"),
            ("none can ever be true", "a correction may leave some"),
        ),
        explanation="Control the error over all tests: Bonferroni, or the false discovery rate.",
    )


@template("14.4", "numeric", 2)
def benjamini_hochberg_count(rng: np.random.Generator) -> Numeric:
    m = 10
    p = np.sort(np.r_[np.round(rng.uniform(0.0005, 0.004), 4), np.round(rng.uniform(0.006, 0.0095), 4), np.round(rng.uniform(0.0105, 0.0145), 4), np.round(rng.uniform(0.06, 0.9, 7), 2)])
    limits = 0.05 * np.arange(1, m + 1) / m
    count = int(np.flatnonzero(p <= limits).max() + 1)
    plain = int((p < 0.05 / m).sum())
    return Numeric(
        text=f"Ten tests have the p-values {p.tolist()}. How many are kept by Benjamini-Hochberg at a false discovery rate of 5 %?",
        answer=float(count),
        unit="",
        tolerance=0.05,
        traps=((float(plain), "that is Bonferroni, which is stricter"), (float(count + 7), "each p-value has its own limit, 5 % times its rank over ten")),
        explanation="The largest k with p_(k) <= 0.05 k / 10; all up to it are kept.",
    )


@template("14.4", "choice", 1)
def missing_at_test_time(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([20, 40]))
    return Choice(
        text=f"A survival model uses images and genes; {share} % of the new patients have no genes. What is honest?",
        right="report how it does with and without genes",
        wrong=(
            ("report patients with genes only", "the others will be treated by it, too"),
            ("fill in the mean and say nothing", "the answer is less sure, and should look so"),
            ("refuse to use the model", "with images alone it may still help"),
        ),
        explanation="Performance depends on what is there; both figures are needed, for both kinds of patients.",
    )


@template("14.5", "numeric", 2)
def advantage_of_membership_attack(rng: np.random.Generator) -> Numeric:
    tpr, fpr = rng.integers(55, 80) / 100, rng.integers(20, 45) / 100
    return Numeric(
        text=f"A membership attack says 'was in training' for {tpr:.0%} of the training patients and for {fpr:.0%} of others. What is its advantage (true minus false positive rate)? Two decimals.",
        answer=tpr - fpr,
        unit="",
        tolerance=0.004,
        traps=(((tpr + 1 - fpr) / 2, "that is its accuracy on equal numbers"), (float(tpr), "who always says yes has that at 100 %")),
        explanation="0 for guessing, 1 for knowing.",
    )


@template("14.5", "choice", 2)
def why_overfitting_helps_the_attacker(rng: np.random.Generator) -> Choice:
    gap = int(rng.choice([10, 15]))
    return Choice(
        text=f"A network's training accuracy is {gap} points above its test accuracy. What does that mean for privacy?",
        right="its loss tells who was in training",
        wrong=(
            ("nothing: accuracy is no data", "a low loss on a patient hints at having seen them"),
            ("it is safer, since it is less accurate", "it is less accurate on strangers, not on its own patients"),
            ("its weights hold the images", "that may be, but the gap says less: who was there"),
        ),
        explanation="Where training patients are treated differently, they can be told apart.",
    )


@template("14.5", "choice", 1)
def what_epsilon_says(rng: np.random.Generator) -> Choice:
    a, b = sorted(rng.choice([0.5, 1.0, 3.0, 8.0], 2, replace=False))
    return Choice(
        text=f"Two trainings are differentially private with $\\epsilon$ = {a:g} and {b:g}, same $\\delta$. Which protects a single patient better?",
        right=f"the one with {a:g}",
        wrong=(
            (f"the one with {b:g}", "a larger epsilon allows more difference by one patient"),
            ("both alike: delta is the same", "epsilon bounds the ratio, delta the rare failure"),
            ("neither: epsilon is about accuracy", "it bounds how much one patient can change the outcome"),
        ),
        explanation="exp(epsilon) bounds how much likelier any outcome gets by one patient's data.",
    )


@template("14.5", "numeric", 3)
def odds_bound_by_epsilon(rng: np.random.Generator) -> Numeric:
    eps, prior = float(rng.choice([0.5, 1.0, 2.0])), float(rng.choice([0.1, 0.2, 0.5]))
    odds = prior / (1 - prior) * np.exp(eps)
    return Numeric(
        text=f"An attacker believes with probability {prior} that a patient was in training. The training is {eps:g}-differentially private (delta 0). How sure can the attacker be at most after seeing the model? Three decimals.",
        answer=float(odds / (1 + odds)),
        unit="",
        tolerance=0.002,
        traps=((min(prior * float(np.exp(eps)), 0.999), "the odds are multiplied, not the probability"), (prior, "the model may tell something")),
        explanation="Posterior odds are at most exp(epsilon) times the prior odds.",
    )
