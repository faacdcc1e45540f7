"""Questions on lecture 3, fundamentals of deep learning."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("2.1", "numeric", 2)
def cross_entropy_of_a_logit(rng: np.random.Generator) -> Numeric:
    z, label = round(float(rng.uniform(0.6, 2.5)), 1), int(rng.integers(2))
    right, other = (np.log1p(np.exp(-z)), np.log1p(np.exp(z))) if label else (np.log1p(np.exp(z)), np.log1p(np.exp(-z)))
    return Numeric(
        text=f"A network gives the logit {z} for 'ill'; the label is {label} (1 is ill). What is the binary cross-entropy, with the natural logarithm? Two decimals.",
        answer=right,
        unit="",
        tolerance=0.01,
        traps=((other, "that is the loss of the other label"), (z, "that is the logit; the loss is the negative logarithm of the label's probability")),
        explanation="p = 1 / (1 + exp(-z)); the loss is -log p for label 1 and -log(1 - p) for label 0.",
    )


@template("2.1", "numeric", 3)
def weight_after_one_step_with_decay(rng: np.random.Generator) -> Numeric:
    w, g = round(float(rng.uniform(0.5, 2.0)), 1), round(float(rng.choice([-1, 1]) * rng.uniform(0.3, 1.0)), 1)
    lr, lam = 0.1, float(rng.choice([0.1, 0.2, 0.5]))
    return Numeric(
        text=f"The loss has the penalty $\\frac{{\\lambda}}{{2}} w^2$ with $\\lambda$ = {lam}. Without the penalty the gradient at w = {w} is {g}. What is w after one step of plain gradient descent with learning rate {lr}? Three decimals.",
        answer=w - lr * (g + lam * w),
        unit="",
        tolerance=0.001,
        traps=((w - lr * g, "the penalty has a gradient, too"), (w - lr * (g - lam * w), "the penalty pulls the weight towards 0, not away")),
        explanation="The gradient of lambda / 2 w^2 is lambda w; it adds to that of the data.",
    )


@template("2.1", "choice", 2)
def read_the_curves(rng: np.random.Generator) -> Choice:
    epoch = int(rng.integers(8, 30))
    return Choice(
        text=f"The training loss falls all the time; the validation loss falls until epoch {epoch} and rises from then on. What is that, and what helps?",
        right="overfitting: stop there, or add data or a penalty",
        wrong=(
            ("underfitting: a larger network is needed", "the training loss is low: the network is large enough"),
            ("a learning rate that is too low", "a low rate slows both curves; it does not part them"),
            ("bad luck of the test set: look at it", "the test set must not be looked at to choose"),
        ),
        explanation="The gap between both curves is variance: the network learns what is only in the training patients.",
    )


@template("2.1", "choice", 1)
def which_axis_of_softmax(rng: np.random.Generator) -> Choice:
    batch, classes = int(rng.choice([16, 32])), int(rng.choice([3, 4, 5]))
    return Choice(
        text=f"Logits have the shape ({batch}, {classes}): patients, classes. Over which axis does the softmax run?",
        right="the classes, so that each patient's sum to 1",
        wrong=(
            ("the patients, so that each class sums to 1", "then one patient's probability depends on who else is in the batch"),
            ("both, so that everything sums to 1", "then the probabilities of one patient shrink with the batch"),
            ("neither: logits are probabilities", "logits may be negative, or above 1"),
        ),
        explanation="A patient has one of the classes: the probabilities over the classes sum to one for each patient.",
    )


@template("2.2", "numeric", 2)
def output_size_of_a_convolution(rng: np.random.Generator) -> Numeric:
    n, k, s = int(rng.integers(50, 200)), int(rng.choice([5, 7])), int(rng.choice([2, 3]))
    p = s
    return Numeric(
        text=f"An image {n} pixels wide meets a convolution with kernel {k}, stride {s} and padding {p} on each side. How wide is the result?",
        answer=(n + 2 * p - k) // s + 1,
        unit="",
        tolerance=0.4,
        traps=((n + 2 * p - k + 1, "that is without the stride"), ((n + 2 * p - k) // s + 2, "only whole steps fit: round down"), ((n + p - k) // s + 1, "padding is on both sides")),
        explanation="floor((n + 2 p - k) / s) + 1: how many positions the kernel has.",
    )


@template("2.2", "numeric", 2)
def receptive_field_of_a_stack(rng: np.random.Generator) -> Numeric:
    k1, k2, k3, s = (int(v) for v in (*rng.choice([3, 5], 3), 2))
    field = k1 + (k2 - 1) * s + (k3 - 1) * s * s
    return Numeric(
        text=f"Three convolutions follow each other: kernel {k1} with stride 2, kernel {k2} with stride 2, kernel {k3} with stride 1. How many pixels wide is the receptive field of one output?",
        answer=field,
        unit="",
        tolerance=0.4,
        traps=((k1 + k2 + k3 - 2, "a layer behind strides sees wider steps: multiply its reach by the strides before it"), (k1 * k2 * k3, "kernels overlap: their reaches add, they don't multiply")),
        explanation="r = 1 + sum of (k - 1) times the product of all strides before the layer.",
    )


@template("2.2", "choice", 2)
def what_a_flipped_kernel_changes(rng: np.random.Generator) -> Choice:
    kernel = ["a ramp [-1, 0, 1]", "an edge filter [-1, 0, 1]", "a one-sided blur [0, 1, 1]"][rng.integers(3)]
    return Choice(
        text="A deep-learning 'convolution' does not flip its kernel, a mathematical one does. For which kernel do both give the same result?",
        right="for one that is symmetric",
        wrong=(
            (f"for {kernel}", "mirrored it is another kernel, so the results differ"),
            ("for every kernel", "only mirrored kernels that are equal to themselves give equal results"),
            ("for none", "a symmetric kernel, such as [1, 2, 1], is its own mirror image"),
        ),
        explanation="Without the flip it is a cross-correlation; a learned kernel does not care, one with a meaning does.",
    )


@template("2.2", "choice", 1)
def why_weights_are_shared(rng: np.random.Generator) -> Choice:
    size = int(rng.choice([64, 128, 224]))
    return Choice(
        text=f"A convolution uses one kernel at all {size} x {size} places of a film. Which property of films does that use?",
        right="a lesion looks alike wherever it lies",
        wrong=(
            ("a lesion lies at the same place in all films", "then every place could have its own weights"),
            ("all pixels have the same grey value", "then there would be nothing to find"),
            ("lesions are as large as the film", "then a kernel that sees a small part would be of no use"),
        ),
        explanation="Shared weights make the answer move with the image (equivariance), and need far fewer parameters.",
    )


@template("2.2", "code", 2)
def correlate_one_line(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.normal(size=int(rng.integers(7, 12))), 1), np.array([1.0, 2.0, -1.0]) if n % 2 else np.round(rng.normal(size=3), 1) + np.array([0.0, 0.0, 3.0]), int(n % 3 + 1)) for n in range(4))
    return Code(
        text="Write `convolve(x, kernel, stride)` as a network does it in one dimension: no flip, no padding. Position i of the result is the sum of products of the kernel with x from i * stride on.",
        name="convolve",
        stub='def convolve(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:\n    """(N,) line, (K,) kernel -> ((N - K) // stride + 1,) result."""',
        body="n = (len(x) - len(kernel)) // stride + 1\nreturn np.array([np.sum(x[i * stride : i * stride + len(kernel)] * kernel) for i in range(n)])",
        wrong=(
            ("n = (len(x) - len(kernel)) // stride + 1\nreturn np.array([np.sum(x[i * stride : i * stride + len(kernel)] * kernel[::-1]) for i in range(n)])", "the kernel is flipped; a network's convolution does not flip"),
            ("n = (len(x) - len(kernel)) // stride + 1\nreturn np.array([np.sum(x[i : i + len(kernel)] * kernel) for i in range(n)])", "the stride is left out: the next window begins `stride` further on"),
        ),
        calls=calls,
        explanation="Windows of the kernel's length, `stride` apart; each gives one sum of products.",
    )


@template("2.3", "choice", 2)
def state_between_patients(rng: np.random.Generator) -> Choice:
    frames = int(rng.choice([16, 24, 32]))
    return Choice(
        text=f"A GRU reads cine loops of {frames} frames, one patient after the other. What happens to its hidden state between two patients?",
        right="it is set back to its start",
        wrong=(
            ("it is kept, to save time", "then a patient's answer depends on who came before"),
            ("it is averaged over the two", "then each patient's answer holds a part of the other"),
            ("it is detached from the graph, and kept", "that stops gradients, but the state still carries the other patient"),
        ),
        explanation="The state is a memory of this sequence. A new patient starts without one.",
    )


@template("2.3", "numeric", 2)
def gru_gate_blend(rng: np.random.Generator) -> Numeric:
    z, h, c = (round(float(v), 1) for v in (rng.choice([0.2, 0.3, 0.7, 0.8]), rng.uniform(-1, -0.3), rng.uniform(0.3, 1)))
    return Numeric(
        text=f"A GRU's update is $h' = (1 - z)\\, n + z\\, h$, as in torch. The old state is h = {h}, the candidate n = {c}, the gate z = {z}. What is the new state? Two decimals.",
        answer=(1 - z) * c + z * h,
        unit="",
        tolerance=0.01,
        traps=((z * c + (1 - z) * h, "the gate is the wrong way round: z keeps the old state here"), (c + z * h, "the candidate is weighed, too")),
        explanation="With z near 1 the state is kept, with z near 0 it is replaced.",
    )


@template("2.3", "numeric", 3)
def clipped_by_norm(rng: np.random.Generator) -> Numeric:
    a, b = [(3.0, 4.0), (6.0, 8.0), (5.0, 12.0)][rng.integers(3)]
    most = float(rng.choice([1.0, 2.0, 2.5]))
    norm = np.hypot(a, b)
    return Numeric(
        text=f"Two tensors have gradients of the norms {a:g} and {b:g}. All gradients together are clipped to the norm {most:g}. What is the norm of the first one afterwards? Two decimals.",
        answer=a * most / norm,
        unit="",
        tolerance=0.01,
        traps=((min(a, most), "that clips each tensor apart, and turns the direction of the step"), (a * most / (a + b), "norms of parts add as squares")),
        explanation="The norm of all is the root of the sum of squares; everything is scaled by one factor, so the direction stays.",
    )


@template("2.3", "code", 2)
def clip_gradients_together(rng: np.random.Generator) -> Code:
    calls = tuple(([np.round(rng.normal(size=int(rng.integers(2, 5))) * scale, 2), np.round(rng.normal(size=3) * scale, 2) + scale], 1.5) for scale in (3.0, 5.0, 0.1, 2.0))
    return Code(
        text="Write `clip(gradients, most)`: scale a list of arrays by one factor so that the norm of all numbers together is at most `most`. If it is already, return them unchanged. Return one flat array, the arrays one after the other.",
        name="clip",
        stub='def clip(gradients: list, most: float) -> np.ndarray:\n    """All gradients, clipped together to the norm `most`, as one flat array."""',
        body="flat = np.concatenate(gradients)\nreturn flat * min(1.0, most / np.linalg.norm(flat))",
        wrong=(
            ("return np.concatenate([g * min(1.0, most / np.linalg.norm(g)) for g in gradients])", "each array is clipped by itself: the direction of the step changes"),
            ("flat = np.concatenate(gradients)\nreturn flat * most / np.linalg.norm(flat)", "a small gradient is blown up; clipping only makes smaller"),
            ("return np.clip(np.concatenate(gradients), -most, most)", "that clips each number, not the norm"),
        ),
        calls=calls,
        explanation="One factor for all keeps the direction; it is at most 1.",
    )


@template("2.4", "choice", 2)
def an_autoencoder_that_copies(rng: np.random.Generator) -> Choice:
    pixels = int(rng.choice([784, 1024]))
    return Choice(
        text=f"An autoencoder of images with {pixels} pixels has a code of {pixels} numbers and no penalty. Its reconstruction error is nearly 0. What has it learned?",
        right="possibly nothing: it can copy",
        wrong=(
            ("the anatomy, since the error is small", "copying gives the same error for any image, anatomy or noise"),
            ("to remove noise", "it was never asked to give anything but its input"),
            ("the principal components", "with as many components as pixels these are just another set of axes"),
        ),
        explanation="Only a bottleneck, noise or a penalty forces it to find what images have in common.",
    )


@template("2.4", "choice", 2)
def target_of_denoising(rng: np.random.Generator) -> Choice:
    sigma = float(rng.choice([0.1, 0.2]))
    return Choice(
        text=f"A denoising autoencoder gets an image with added noise of standard deviation {sigma}. What is its target?",
        right="the image without the added noise",
        wrong=(
            ("the same noisy image", "then it learns to keep the noise"),
            ("another noisy copy, and nothing else will do", "that works, too, by other means; but the clean image is at hand here, and is what is wanted"),
            ("the image with twice the noise", "then it learns to add noise"),
        ),
        explanation="It must undo what was done to its input; so the target is what was there before.",
    )


@template("2.4", "numeric", 2)
def variance_kept_by_components(rng: np.random.Generator) -> Numeric:
    values = np.sort(rng.integers(1, 30, 5))[::-1] + np.array([20, 10, 4, 2, 0])
    return Numeric(
        text=f"The covariance of five features has the eigenvalues {', '.join(map(str, values))}. A linear autoencoder with a code of two numbers is trained to the end. Which share of the variance does it keep, in %? One decimal.",
        answer=100 * values[:2].sum() / values.sum(),
        unit="%",
        tolerance=0.1,
        traps=((40.0, "that is the share of the numbers; directions differ in their variance"), (100 * values[2:].sum() / values.sum(), "that is the share that is lost")),
        explanation="It spans the space of the first two principal components; their eigenvalues are the variance that is kept.",
    )


@template("2.4", "numeric", 1)
def compression_of_a_bottleneck(rng: np.random.Generator) -> Numeric:
    edge, channels, small = int(rng.choice([64, 128])), int(rng.choice([8, 16])), int(rng.choice([4, 8]))
    return Numeric(
        text=f"An autoencoder turns an image of {edge} x {edge} pixels into a code of {channels} x {small} x {small}. By which factor has the code fewer numbers than the image? One decimal.",
        answer=edge * edge / (channels * small * small),
        unit="",
        tolerance=0.1,
        traps=((edge * edge / (small * small), "the channels of the code are numbers, too"), (edge * edge / (channels * small), "the code has two edges, too")),
        explanation="Pixels over numbers in the code, channels included.",
    )


@template("2.5", "numeric", 2)
def first_adam_step(rng: np.random.Generator) -> Numeric:
    g, lr = round(float(rng.uniform(0.02, 0.9)), 2), float(rng.choice([0.001, 0.01]))
    return Numeric(
        text=f"Adam ($\\beta_1$ = 0.9, $\\beta_2$ = 0.999, $\\epsilon$ negligible) makes its first step with learning rate {lr} and gradient {g}. By how much does the weight change, as a positive number? Four decimals.",
        answer=lr,
        unit="",
        tolerance=lr * 0.02,
        traps=((lr * 0.1 / np.sqrt(0.001), "without the bias correction the first step is more than three times too long"), (lr * g, "that is plain gradient descent; Adam divides by the gradient's size")),
        explanation="Bias-corrected, m = g and v = g^2 after one step, so the step is lr g / |g| = lr, whatever the gradient.",
    )


@template("2.5", "choice", 2)
def forgotten_eval_mode(rng: np.random.Generator) -> Choice:
    batch = int(rng.choice([1, 8, 64]))
    return Choice(
        text=f"Somebody forgets `model.eval()` when predicting in batches of {batch}. The network has batch norm. What follows?",
        right="a patient's result depends on the rest of the batch",
        wrong=(
            ("nothing: weights don't change without an optimizer", "in train mode batch norm normalises by the batch, and its running statistics change"),
            ("predictions are slower, and otherwise equal", "they are normalised by other numbers"),
            ("gradients fill the memory", "that is what torch.no_grad is for, and another matter"),
        ),
        explanation="Train mode uses the batch's mean and variance; eval mode those collected in training.",
    )


@template("2.5", "choice", 1)
def gradients_that_pile_up(rng: np.random.Generator) -> Choice:
    steps = int(rng.integers(3, 9))
    return Choice(
        text=f"In torch, `loss.backward()` is called {steps} times without `zero_grad()` in between, for {steps} batches. What is in `weight.grad`?",
        right="the sum of the gradients",
        wrong=(
            ("the last gradient", "backward adds to what is there"),
            ("the mean of the gradients", "nothing divides, unless you do"),
            ("the largest gradient", "backward adds; it compares nothing"),
        ),
        explanation="Gradients accumulate. That is used on purpose for large batches, and is a bug elsewhere.",
    )


@template("2.5", "numeric", 3)
def momentum_after_three_steps(rng: np.random.Generator) -> Numeric:
    beta, g, lr = float(rng.choice([0.7, 0.8, 0.9])), float(rng.choice([0.5, 1.0, 2.0])), 0.1
    v, w = 0.0, 0.0
    for _ in range(3):
        v = beta * v + g
        w += lr * v
    return Numeric(
        text=f"SGD with momentum, $v \\leftarrow {beta} v + g$, $w \\leftarrow w - {lr} v$, starts at v = 0. The gradient is {g:g} three times. How far has w moved, as a positive number? Three decimals.",
        answer=w,
        unit="",
        tolerance=0.001,
        traps=((3 * lr * g, "that is without momentum: v carries earlier gradients on"), (lr * v, "that is the third step alone")),
        explanation="v is g, then (1 + beta) g, then (1 + beta + beta^2) g; the steps add up.",
    )


@template("2.5", "code", 2)
def two_adam_steps(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.normal(size=int(rng.integers(2, 6))), 2) + 0.05, float(lr)) for lr in (0.1, 0.01, 0.05, 0.2))
    return Code(
        text="Write `adam(gradients, lr)`: a single weight starts at 0 and gets these gradients, one a step. Return the weight after the last one. Use $\\beta_1$ = 0.9, $\\beta_2$ = 0.999, $\\epsilon$ = 1e-8, with bias correction.",
        name="adam",
        stub='def adam(gradients: np.ndarray, lr: float) -> float:\n    """Weight after (N,) gradients by Adam, from 0."""',
        body="m = v = w = 0.0\nfor t, g in enumerate(gradients, 1):\n    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2\n    w -= lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)\nreturn float(w)",
        wrong=(
            ("m = v = w = 0.0\nfor t, g in enumerate(gradients, 1):\n    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2\n    w -= lr * m / (np.sqrt(v) + 1e-8)\nreturn float(w)", "no bias correction: m and v start at 0 and are too small at first"),
            ("m = v = w = 0.0\nfor t, g in enumerate(gradients, 1):\n    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2\n    w -= lr * (m / (1 - 0.9**t)) / (v / (1 - 0.999**t) + 1e-8)\nreturn float(w)", "the root of v is missing"),
            ("w = 0.0\nfor g in gradients:\n    w -= lr * g\nreturn float(w)", "that is plain gradient descent"),
        ),
        calls=calls,
        explanation="Means of the gradient and of its square, each divided by 1 - beta^t, then lr m / sqrt(v).",
    )


@template("2.1", "code", 2)
def stable_cross_entropy(rng: np.random.Generator) -> Code:
    calls = [(np.round(rng.normal(size=(int(rng.integers(2, 4)), 3)) * 3, 1), rng.integers(0, 3, 3)[: 3]) for _ in range(3)]
    calls = [(z, y[: len(z)]) for z, y in calls] + [(np.array([[1000.0, 0.0, -1000.0], [0.0, 1000.0, 3.0]]), np.array([0, 2]))]
    return Code(
        text="Write `cross_entropy(logits, labels)`: the mean over patients of minus the log-softmax of the label's class. Logits of 1000 must work.",
        name="cross_entropy",
        stub='def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:\n    """Mean cross-entropy of (N, C) logits and (N,) classes 0 to C - 1."""',
        body="z = logits - logits.max(1, keepdims=True)\nlog_p = z - np.log(np.exp(z).sum(1, keepdims=True))\nreturn float(-log_p[np.arange(len(labels)), labels].mean())",
        wrong=(
            ("p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)\nreturn float(-np.log(p[np.arange(len(labels)), labels]).mean())", "exp(1000) overflows: subtract each row's maximum first"),
            ("z = logits - logits.max(0, keepdims=True)\nlog_p = z - np.log(np.exp(z).sum(0, keepdims=True))\nreturn float(-log_p[np.arange(len(labels)), labels].mean())", "the softmax runs over the patients instead of the classes"),
            ("z = logits - logits.max(1, keepdims=True)\nlog_p = z - np.log(np.exp(z).sum(1, keepdims=True))\nreturn float(-log_p[np.arange(len(labels)), labels].sum())", "that is the sum; the mean is asked for"),
        ),
        calls=tuple(calls),
        explanation="Softmax does not change when a constant is taken from each row; with the maximum taken away nothing overflows.",
    )
