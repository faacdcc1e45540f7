"""Questions on lecture 9, attention."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("8.1", "numeric", 2)
def attention_output_by_hand(rng: np.random.Generator) -> Numeric:
    d = 4
    s, v = rng.permutation([1.0, 2.0, 4.0]) + int(rng.integers(0, 3)), rng.permutation([2, 5, 11]).astype(float)
    w = np.exp(s / 2) / np.exp(s / 2).sum()
    raw = np.exp(s) / np.exp(s).sum()
    return Numeric(
        text=f"A query of width {d} has the dot products {s.astype(int).tolist()} with three keys; their values are {v.astype(int).tolist()}. What does scaled dot-product attention return? Two decimals.",
        answer=float(w @ v),
        unit="",
        tolerance=0.01,
        traps=((float(raw @ v), "dot products are divided by the root of the width first"), (float(v.mean()), "keys that fit better weigh more")),
        explanation="Softmax of s / sqrt(d) over the keys, then the weighted mean of the values.",
    )


@template("8.1", "choice", 2)
def why_dot_products_are_scaled(rng: np.random.Generator) -> Choice:
    d = int(rng.choice([64, 256]))
    return Choice(
        text=f"Queries and keys have {d} independent entries of variance 1. Why are their dot products divided by the root of {d}?",
        right="or the softmax saturates and its gradient vanishes",
        wrong=(
            ("or the weights don't sum to 1", "a softmax always sums to 1"),
            ("or memory grows with the square", "memory depends on the number of tokens"),
            ("or the order of tokens is lost", "order is lost anyhow, without positions"),
        ),
        explanation=f"A sum of {d} products has variance {d}; divided by its root the scores have variance 1.",
    )


@template("8.1", "choice", 1)
def where_the_mask_acts(rng: np.random.Generator) -> Choice:
    visits, most = int(rng.integers(2, 5)), int(rng.integers(6, 9))
    return Choice(
        text=f"A patient has {visits} visits, padded to {most}. How does attention leave out the padding?",
        right="their scores are minus infinity before the softmax",
        wrong=(
            ("their weights are set to 0 after the softmax", "then the other weights no longer sum to 1"),
            ("their scores are 0 before the softmax", "exp(0) is 1: padding would get weight"),
            ("their values are 0", "they still take weight away from the visits"),
        ),
        explanation="exp(-inf) = 0: the softmax is then one over the real visits alone.",
    )


@template("8.1", "choice", 2)
def what_permutation_equivariance_says(rng: np.random.Generator) -> Choice:
    n = int(rng.integers(5, 10))
    return Choice(
        text=f"The {n} tokens of a self-attention layer without positions are shuffled. What happens to its outputs?",
        right="they are shuffled in the same way",
        wrong=(
            ("they stay as they were", "that would be invariance: each output belongs to its token"),
            ("they change in value", "each token still sees the same set of others"),
            ("they become equal", "each has its own query"),
        ),
        explanation="Attention treats its tokens as a set: equivariant, and so blind to arrangement unless positions are added.",
    )


@template("8.2", "numeric", 2)
def squeeze_excite_parameters(rng: np.random.Generator) -> Numeric:
    c, r = int(rng.choice([32, 64, 128])), int(rng.choice([4, 8]))
    h = c // r
    return Numeric(
        text=f"A squeeze-and-excitation block on {c} channels has two linear layers with bias and a reduction of {r}. How many parameters has it?",
        answer=2 * c * h + h + c,
        unit="",
        tolerance=0.4,
        traps=((2.0 * c * h, "both layers have biases"), (float(c * c + c), "the hidden layer has fewer numbers: channels over the reduction")),
        explanation="c x c/r + c/r in, c/r x c + c out.",
    )


@template("8.2", "choice", 2)
def what_is_pooled_for_which_gate(rng: np.random.Generator) -> Choice:
    kind = ["channel", "spatial"][rng.integers(2)]
    right = {"channel": "over space: one number a channel", "spatial": "over channels: one number a place"}
    other = {"channel": "spatial", "spatial": "channel"}[kind]
    return Choice(
        text=f"For {kind} attention on features (B, C, H, W): over what are the features pooled?",
        right=right[kind],
        wrong=(
            (right[other], f"that leaves what {other} attention needs"),
            ("over the batch: one number a feature", "then a patient's gate depends on other patients"),
            ("over everything: one number an image", "one number can't choose between channels or places"),
        ),
        explanation="What is pooled away can't be gated; what is left is what the gate chooses among.",
    )


@template("8.2", "choice", 1)
def sigmoid_or_softmax_for_channels(rng: np.random.Generator) -> Choice:
    c = int(rng.choice([16, 32]))
    return Choice(
        text=f"A squeeze-and-excitation gate has {c} outputs. Why is each passed through a sigmoid, and not all through a softmax?",
        right="several channels may matter at once",
        wrong=(
            ("a softmax can't be differentiated", "it can, and attention trains through one"),
            ("a sigmoid is larger than 1", "it lies between 0 and 1"),
            ("channels must sum to 1", "that is what a softmax would force"),
        ),
        explanation="A softmax makes channels compete for one unit of weight; gates are to open and close independently.",
    )


@template("8.2", "numeric", 2)
def gated_value(rng: np.random.Generator) -> Numeric:
    z, x = round(float(rng.choice([-1, 1]) * rng.uniform(0.5, 2)), 1), round(float(rng.uniform(2, 6)), 1)
    g = 1 / (1 + np.exp(-z))
    return Numeric(
        text=f"An attention gate computes {z} for a place before its sigmoid; the skip connection holds {x} there. What is passed on? Two decimals.",
        answer=float(g * x),
        unit="",
        tolerance=0.01,
        traps=((float(x + g), "the gate multiplies"), (float(z * x), "the sigmoid comes first: a gate lies between 0 and 1")),
        explanation="sigmoid(z) times the skip's value.",
    )


@template("8.3", "numeric", 1)
def tokens_of_an_image(rng: np.random.Generator) -> Numeric:
    edge, patch = int(rng.choice([96, 128, 224])), int(rng.choice([8, 16, 32]))
    return Numeric(
        text=f"A vision transformer cuts an image of {edge} x {edge} pixels into patches of {patch} x {patch}, and adds a class token. How many tokens has it?",
        answer=(edge // patch) ** 2 + 1,
        unit="",
        tolerance=0.4,
        traps=(((edge // patch) + 1.0, "patches lie along two axes"), ((edge // patch) ** 2 - 1.0, "the class token is added")),
        explanation="(edge / patch) squared, plus one.",
    )


@template("8.3", "numeric", 2)
def width_of_a_head(rng: np.random.Generator) -> Numeric:
    heads, width = int(rng.choice([4, 6, 8])), int(rng.choice([24, 32, 48]))
    return Numeric(
        text=f"A multi-head attention has {heads * width} features and {heads} heads. By which number are its dot products divided? Three decimals.",
        answer=float(np.sqrt(width)),
        unit="",
        tolerance=0.01,
        traps=((float(np.sqrt(heads * width)), "each head sees its own share of the features: the width of a head counts"), (float(width), "the root is missing")),
        explanation="Each head has width features / heads, and scales by the root of that.",
    )


@template("8.3", "choice", 2)
def heads_by_a_bare_view(rng: np.random.Generator) -> Choice:
    n, h = int(rng.choice([10, 12])), int(rng.choice([4, 6]))
    return Choice(
        text=f"Features (B, {n}, D) are split into {h} heads by `x.view(B, {h}, {n}, D // {h})`. The shape is right. What is wrong?",
        right="a head gets pieces of several tokens as one",
        wrong=(
            ("nothing: the shape decides", "a view keeps the order in memory, and reads tokens and features askew"),
            ("the heads share their features", "each number is in one head; but rows mix tokens"),
            ("it copies the data", "a view copies nothing"),
        ),
        explanation="Split the features first, (B, N, heads, D / heads), then swap tokens and heads.",
    )


@template("8.3", "choice", 2)
def why_windows_are_shifted(rng: np.random.Generator) -> Choice:
    w = int(rng.choice([4, 7]))
    return Choice(
        text=f"Attention runs within windows of {w} x {w} tokens. Why are they shifted by {w // 2} in every second layer?",
        right="so that neighbours across a border meet",
        wrong=(
            ("so that every token sees every other at once", "after one shift it sees the next windows, no more"),
            ("to save memory", "shifted windows cost as much as the others"),
            ("as augmentation", "it is part of the network, in training and in use"),
        ),
        explanation="Without it no information ever crosses a window's border.",
    )


@template("8.3", "numeric", 3)
def parameters_of_a_transformer_block(rng: np.random.Generator) -> Numeric:
    d, r = int(rng.choice([32, 48, 64])), int(rng.choice([2, 4]))
    return Numeric(
        text=f"A transformer block of width {d} has the four attention projections (query, key, value, output) and an MLP with {r} x {d} hidden units. How many weights is that, without biases and norms?",
        answer=4 * d * d + 2 * r * d * d,
        unit="",
        tolerance=0.4,
        traps=((3.0 * d * d + 2 * r * d * d, "the output projection counts, too"), (4.0 * d * d + r * d * d, "the MLP goes up and down again")),
        explanation="4 d^2 for attention, 2 r d^2 for the MLP.",
    )


@template("8.4", "numeric", 2)
def attention_cost_when_the_edge_doubles(rng: np.random.Generator) -> Numeric:
    dims, factor = int(rng.choice([2, 3])), int(rng.choice([2, 3, 4]))
    return Numeric(
        text=f"A {dims}-D image gets {factor} times as many voxels along each axis, with patches of the same size. By which factor grows the attention matrix of full self-attention?",
        answer=float(factor ** (2 * dims)),
        unit="",
        tolerance=0.4,
        traps=((float(factor**dims), "tokens grow by that; the matrix has tokens squared entries"), (float(factor**2), "each axis makes more tokens")),
        explanation="Tokens grow as factor^d, the matrix as its square.",
    )


@template("8.4", "numeric", 3)
def windowed_over_full_cost(rng: np.random.Generator) -> Numeric:
    n, w = int(rng.choice([32, 48, 64])), int(rng.choice([4, 8]))
    return Numeric(
        text=f"A feature map has {n} x {n} tokens. By which factor has attention within windows of {w} x {w} tokens fewer pairs of tokens than full attention?",
        answer=(n / w) ** 2,
        unit="",
        tolerance=0.4,
        traps=(((n / w) ** 4, "the windows are many: each has its pairs"), (n / w, "windows lie along two axes")),
        explanation="Full: n^4 pairs. Windows: (n / w)^2 of them with w^4 pairs each.",
    )


@template("8.4", "choice", 2)
def is_attention_an_explanation(rng: np.random.Generator) -> Choice:
    share = int(rng.choice([70, 80, 90]))
    return Choice(
        text=f"In {share} % of sick scans the largest attention lies on the lesion. Does that prove that the prediction rests on the lesion?",
        right="no: remove it and see whether the prediction changes",
        wrong=(
            ("yes: what is attended to is used", "values can be ignored later, and others can carry the answer"),
            ("yes, if the share is above chance", "to be near is not to be the cause"),
            ("no: attention never lies on what is used", "it may; it has to be tested"),
        ),
        explanation="An explanation is faithful if changing what it names changes the answer.",
    )


@template("8.4", "choice", 1)
def transformer_with_few_images(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([200, 400]))
    return Choice(
        text=f"With {n} training films a small vision transformer is worse than a CNN of equal size. What is the usual reason?",
        right="it must learn locality that the CNN has built in",
        wrong=(
            ("it has too few parameters", "both have the same number"),
            ("attention can't see fine detail", "patches hold the detail"),
            ("it can't be trained without a GPU", "the hardware changes the time, not the result"),
        ),
        explanation="Convolutions come with locality and shift equivariance; a transformer needs data, pretraining or a convolutional stem for that.",
    )


@template("8.1", "code", 2)
def attention_in_numpy(rng: np.random.Generator) -> Code:
    calls = tuple(tuple(np.round(rng.normal(size=shape) * 2, 1) for shape in ((2, 3), (4, 3), (4, 2))) for _ in range(4))
    return Code(
        text="Write `attend(q, k, v)`: scaled dot-product attention of every query over all keys.",
        name="attend",
        stub='def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:\n    """(Q, d), (K, d), (K, e) -> (Q, e)."""',
        body="s = q @ k.T / np.sqrt(q.shape[1])\nw = np.exp(s - s.max(1, keepdims=True))\nreturn (w / w.sum(1, keepdims=True)) @ v",
        wrong=(
            ("s = q @ k.T\nw = np.exp(s - s.max(1, keepdims=True))\nreturn (w / w.sum(1, keepdims=True)) @ v", "the scaling by the root of the width is missing"),
            ("s = q @ k.T / np.sqrt(q.shape[1])\nw = np.exp(s - s.max(0, keepdims=True))\nreturn (w / w.sum(0, keepdims=True)) @ v", "the softmax runs over the queries instead of the keys"),
            ("s = q @ k.T / q.shape[1]\nw = np.exp(s - s.max(1, keepdims=True))\nreturn (w / w.sum(1, keepdims=True)) @ v", "divide by the root of the width, not by the width"),
        ),
        calls=calls,
        explanation="Scores over the root of the width, softmax over the keys of each query, weighted mean of the values.",
    )
