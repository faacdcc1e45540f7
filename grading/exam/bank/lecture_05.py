"""Questions on lecture 5, segmentation."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("4.1", "numeric", 2)
def panoptic_quality_by_hand(rng: np.random.Generator) -> Numeric:
    ious = sorted((rng.integers(60, 95, 3) / 100).tolist())
    fp, fn = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    sq, rq = float(np.mean(ious)), 3 / (3 + fp / 2 + fn / 2)
    return Numeric(
        text=f"Three nuclei are matched with IoUs of {', '.join(f'{v:.2f}' for v in ious)}; {fp} predicted and {fn} true nuclei have no partner. What is the panoptic quality? Three decimals.",
        answer=sq * rq,
        unit="",
        tolerance=0.003,
        traps=((sq, "that is the quality of the matched ones only; those without a partner count, too"), (sq * 3 / (3 + fp + fn), "those without a partner count one half each")),
        explanation="PQ = sum of matched IoUs / (TP + FP / 2 + FN / 2).",
    )


@template("4.1", "choice", 2)
def why_components_merge(rng: np.random.Generator) -> Choice:
    n = int(rng.integers(4, 12))
    return Choice(
        text=f"A mask of nuclei has a Dice of 0.99, but its connected components count far too few: {n} touching nuclei come out as one. What mends the count?",
        right="a watershed from the summits of the distance map",
        wrong=(
            ("a U-Net with a still higher Dice", "nuclei that touch are one piece in the true mask, too"),
            ("a smaller threshold on the probabilities", "that makes the mask larger, and joins more"),
            ("8-connectivity instead of 4-connectivity", "that joins pieces which touch at corners as well"),
        ),
        explanation="Touching objects are split by shape: each has its own summit of the distance to the background.",
    )


@template("4.1", "choice", 1)
def dice_of_two_empty_masks(rng: np.random.Generator) -> Choice:
    healthy = int(rng.integers(3, 9))
    return Choice(
        text=f"{healthy} healthy test patients have no lesion, and the network marks nothing in them. Which Dice do they get?",
        right="1: both masks agree",
        wrong=(
            ("0: nothing overlaps", "then a network is punished for being right"),
            ("nan, and they are left out", "then healthy patients test nothing, and false alarms in them go unseen"),
            ("0.5, as nobody knows", "it is known: both say that there is nothing"),
        ),
        explanation="Two empty masks agree in every voxel. Left out, healthy patients could only lower the mean.",
    )


@template("4.1", "numeric", 2)
def pooled_against_mean_dice(rng: np.random.Generator) -> Numeric:
    large, small = int(rng.choice([800, 900, 1000])), int(rng.choice([8, 10]))
    hit = int(rng.integers(80, 96)) * large // 100
    return Numeric(
        text=f"Two patients. The first has a lesion of {large} voxels; the mask has {large} voxels, too, and {hit} of them are in it. The second has one of {small} voxels, and the mask is empty. What is the mean Dice over patients? Two decimals.",
        answer=(hit / large) / 2,
        unit="",
        tolerance=0.01,
        traps=((2 * hit / (2 * large + small), "that pools the voxels: the large lesion hides the small one that was missed"), (hit / large, "the patient whose lesion was missed has a Dice of 0, and counts")),
        explanation="First patient 2 hit / (2 large), second 0; patients are averaged, not voxels.",
    )


@template("4.2", "numeric", 2)
def parameters_of_concatenated_skip(rng: np.random.Generator) -> Numeric:
    skip, deep, out = int(rng.choice([16, 32])), int(rng.choice([48, 64])), int(rng.choice([16, 32]))
    return Numeric(
        text=f"In a U-Net's decoder an upsampled map with {deep} channels is concatenated with a skip of {skip} channels; a 3 x 3 convolution without bias makes {out} channels of it. How many weights has that convolution?",
        answer=9 * (deep + skip) * out,
        unit="",
        tolerance=0.4,
        traps=((9 * deep * out, "the channels of the skip come in, too"), ((deep + skip) * out, "each pair of channels has 3 x 3 weights")),
        explanation="Concatenation adds the channels: 3 x 3 x (deep + skip) x out.",
    )


@template("4.2", "choice", 2)
def what_skips_bring(rng: np.random.Generator) -> Choice:
    factor = int(rng.choice([8, 16]))
    return Choice(
        text=f"A U-Net whose deepest map is {factor} times coarser than the image loses its skips. What suffers most?",
        right="small structures and exact borders",
        wrong=(
            ("the large organs' presence", "coarse maps know well where a large organ is"),
            ("the receptive field", "it is made by the way down, which is untouched"),
            ("nothing, if it is trained longer", "detail that the coarse map does not hold can't come back"),
        ),
        explanation="Skips carry fine detail past the bottleneck; without them the decoder must guess it.",
    )


@template("4.2", "choice", 1)
def effect_of_dilation(rng: np.random.Generator) -> Choice:
    rate = int(rng.choice([2, 4]))
    return Choice(
        text=f"A 3 x 3 convolution gets a dilation of {rate}. What changes?",
        right="the field grows, the weights stay nine",
        wrong=(
            ("field and number of weights grow", "the nine weights only move apart"),
            ("the resolution falls", "dilation leaves out no position of the output"),
            ("the weights are halved", "there are nine, as before"),
        ),
        explanation=f"The weights lie {rate} pixels apart, so that they span {2 * rate + 1} pixels.",
    )


@template("4.2", "numeric", 3)
def field_of_dilated_stack(rng: np.random.Generator) -> Numeric:
    rates = [1, *sorted(int(v) for v in rng.choice([2, 3, 4, 5, 6, 8], 3, replace=False))]
    return Numeric(
        text=f"Four 3 x 3 convolutions with stride 1 have the dilations {', '.join(map(str, rates))}. How many pixels wide is the receptive field?",
        answer=1 + 2 * sum(rates),
        unit="",
        tolerance=0.4,
        traps=((9.0, "that is without dilation"), (float(3 * sum(rates)), "a dilated kernel spans 2 rate + 1 pixels, and kernels overlap"), (1 + 2 * max(rates), "all four layers reach out, not only the widest")),
        explanation="Each layer adds 2 x its dilation: 1 + 2 x the sum of the rates.",
    )


@template("4.3", "numeric", 2)
def distance_in_millimetres(rng: np.random.Generator) -> Numeric:
    sx, sz = float(rng.choice([0.7, 0.8, 0.9])), float(rng.choice([4.0, 5.0, 6.0]))
    dx, dz = int(rng.integers(4, 9)), int(rng.integers(2, 5))
    return Numeric(
        text=f"A point of the predicted surface lies {dx} voxels in the plane (along one axis) and {dz} slices away from the nearest true one. The spacing is {sx} x {sx} x {sz} mm. How far is that, in mm? One decimal.",
        answer=float(np.hypot(dx * sx, dz * sz)),
        unit="mm",
        tolerance=0.1,
        traps=((float(np.hypot(dx, dz)), "that is in voxels; each axis has its spacing"), (dx * sx + dz * sz, "distances along two axes add as squares")),
        explanation="Multiply each difference by its spacing, then take the root of the sum of squares.",
    )


@template("4.3", "choice", 2)
def why_windows_are_blended(rng: np.random.Generator) -> Choice:
    overlap = int(rng.choice([25, 50]))
    return Choice(
        text=f"A volume is segmented by windows with {overlap} % overlap, blended with a Gaussian weight. Why does a window's middle count more?",
        right="near its border a window lacks context",
        wrong=(
            ("organs lie in the middle of windows", "windows are laid on a grid, wherever organs are"),
            ("it is faster", "each window is computed whole, whatever its weights"),
            ("border voxels are counted twice otherwise", "weights are divided by their sum, so nothing counts twice"),
        ),
        explanation="At the border half of the neighbourhood is missing (padding); another window sees it whole.",
    )


@template("4.3", "choice", 1)
def hausdorff_at_95(rng: np.random.Generator) -> Choice:
    far = int(rng.choice([40, 60, 80]))
    return Choice(
        text=f"A nearly perfect mask has one stray voxel {far} mm away. Which figure hardly notices?",
        right="HD95",
        wrong=(
            ("the Hausdorff distance", f"as a maximum it is {far} mm then"),
            ("the number of components", "the stray voxel is one more"),
            ("lesion-wise precision", "the stray voxel is a false object"),
        ),
        explanation="The 95th percentile leaves out the farthest twentieth of the surface: one voxel is far less.",
    )


@template("4.3", "numeric", 3)
def windows_along_an_axis(rng: np.random.Generator) -> Numeric:
    window, share = int(rng.choice([64, 96])), 0.5
    step = int(window * (1 - share))
    length = window + step * int(rng.integers(2, 5)) + int(rng.integers(5, step - 4))
    count = int(np.ceil((length - window) / step)) + 1
    return Numeric(
        text=f"A volume of {length} voxels along each of three axes is covered by windows of {window} voxels, each {step} voxels further than the last; the last one is moved back to end at the border. How many windows are that in all?",
        answer=count**3,
        unit="",
        tolerance=0.4,
        traps=(((count - 1) ** 3, "the rest at the end needs a window, too: round up"), (count * 3.0, "windows along three axes multiply")),
        explanation="ceil((length - window) / step) + 1 along each axis, to the third power.",
    )


@template("4.4", "choice", 2)
def where_to_click_next(rng: np.random.Generator) -> Choice:
    a, b = sorted((int(v) for v in rng.choice(np.arange(20, 400, 20), 2, replace=False)), reverse=True)
    return Choice(
        text=f"A mask misses one piece of {a} pixels and adds a false piece of {b} pixels elsewhere. Where does the simulated user click next?",
        right="inside the missed piece, positive",
        wrong=(
            ("inside the false piece, negative", "the larger error comes first"),
            ("inside the missed piece, negative", "a missed pixel belongs to the object: the click is positive"),
            ("on the border of the object, positive", "the middle of an error is what a click can be sure of"),
        ),
        explanation="The centre of the largest error; positive where the object was missed, negative where it was invented.",
    )


@template("4.4", "numeric", 2)
def mean_clicks_to_target(rng: np.random.Generator) -> Numeric:
    reached = [int(v) for v in rng.integers(1, 8, 4)]
    most = 10
    return Numeric(
        text=f"Clicks until a Dice of 0.9 for five objects: {', '.join(map(str, reached))}; the fifth does not reach it within {most} clicks, and counts as {most}. What is the mean number of clicks? One decimal.",
        answer=(sum(reached) + most) / 5,
        unit="",
        tolerance=0.05,
        traps=((sum(reached) / 4, "the object that failed must count, or failing would look good"), (sum(reached) / 5, "the failed one cost ten clicks, not none")),
        explanation="Objects that never reach the target count with the largest number of clicks.",
    )


@template("4.4", "choice", 2)
def how_a_click_enters(rng: np.random.Generator) -> Choice:
    sigma = int(rng.choice([2, 3, 5]))
    return Choice(
        text=f"Clicks are given to a network as two more channels with a Gaussian of {sigma} pixels at each click. Why two, and not one?",
        right="positive and negative clicks mean opposite things",
        wrong=(
            ("one for rows and one for columns", "a map holds both at once: it has rows and columns"),
            ("one for the click and one for its time", "the order of clicks is not encoded"),
            ("networks need an even number of channels", "they take any number"),
        ),
        explanation="A click says 'object' or 'not object'; the network must be able to tell which.",
    )


@template("4.4", "numeric", 1)
def value_of_a_click_map(rng: np.random.Generator) -> Numeric:
    sigma, dx, dy = int(rng.choice([4, 5, 6])), int(rng.integers(2, 5)), int(rng.integers(2, 5))
    d2 = dx * dx + dy * dy
    return Numeric(
        text=f"A click is encoded as $\\exp(-d^2 / (2 \\sigma^2))$ with $\\sigma$ = {sigma} pixels. What is the map's value {dx} rows and {dy} columns away from the click? Two decimals.",
        answer=float(np.exp(-d2 / (2 * sigma**2))),
        unit="",
        tolerance=0.01,
        traps=((float(np.exp(-d2 / sigma**2)), "the 2 in the denominator is missing"), (float(np.exp(-np.sqrt(d2) / (2 * sigma**2))), "the distance is squared")),
        explanation="d^2 = rows^2 + columns^2, over 2 sigma^2.",
    )


@template("4.5", "numeric", 2)
def tversky_of_a_lesion(rng: np.random.Generator) -> Numeric:
    tp, fp, fn = int(rng.integers(40, 80)), int(rng.integers(10, 30)), int(rng.integers(35, 60))
    a, b = 0.3, 0.7
    return Numeric(
        text=f"A mask has {tp} true positive, {fp} false positive and {fn} false negative voxels. What is its Tversky index with $\\alpha$ = {a} for false positives and $\\beta$ = {b} for false negatives? Three decimals.",
        answer=tp / (tp + a * fp + b * fn),
        unit="",
        tolerance=0.002,
        traps=((tp / (tp + b * fp + a * fn), "alpha and beta are swapped: here misses weigh more"), (2 * tp / (2 * tp + fp + fn), "that is the Dice coefficient, with both at one half")),
        explanation="TP / (TP + alpha FP + beta FN).",
    )


@template("4.5", "choice", 2)
def when_majority_fails(rng: np.random.Generator) -> Choice:
    readers = int(rng.choice([3, 5]))
    return Choice(
        text=f"{readers} readers outline lesions; most of them are careful, but all of them leave out faint borders. What does STAPLE do better than a majority vote, and what can it not do?",
        right="weighs readers; can't find what all miss",
        wrong=(
            ("finds what all miss; can't weigh readers", "nothing in the votes tells of what nobody marked"),
            ("both: it knows the truth", "it estimates truth and readers from the same votes"),
            ("neither: it is a majority vote", "readers whose votes agree with the estimate count more"),
        ),
        explanation="STAPLE estimates sensitivity and specificity of each reader; an error that all share looks like truth.",
    )


@template("4.5", "numeric", 3)
def posterior_of_two_readers(rng: np.random.Generator) -> Numeric:
    se1, sp1 = rng.integers(80, 95) / 100, rng.integers(85, 97) / 100
    se2, sp2 = rng.integers(60, 78) / 100, rng.integers(85, 97) / 100
    prior = float(rng.choice([0.2, 0.3]))
    yes, no = prior * se1 * (1 - se2), (1 - prior) * (1 - sp1) * sp2
    return Numeric(
        text=f"Reader 1 has a sensitivity of {se1:.2f} and a specificity of {sp1:.2f}, reader 2 of {se2:.2f} and {sp2:.2f}. A voxel is lesion with prior probability {prior}. Reader 1 marks it, reader 2 does not. What is the probability that it is lesion (STAPLE's E-step)? Two decimals.",
        answer=yes / (yes + no),
        unit="",
        tolerance=0.01,
        traps=((prior * se1 / (prior * se1 + (1 - prior) * (1 - sp1)), "reader 2 did not mark it, and that tells something, too"), (yes * (1 - prior) / prior / (yes * (1 - prior) / prior + no), "the prior is left out")),
        explanation="Prior times likelihood of both votes for lesion, over the same plus that for background.",
    )


@template("4.5", "choice", 1)
def loss_for_tiny_lesions(rng: np.random.Generator) -> Choice:
    share = float(rng.choice([0.01, 0.05, 0.1]))
    return Choice(
        text=f"Lesions fill {share} % of the voxels. Plain cross-entropy, from a usual start, gives an empty mask at the threshold 0.5. Which remedy is none?",
        right="reporting voxel accuracy instead of Dice",
        wrong=(
            ("a loss on the overlap, such as Dice", "its value does not shrink with the background"),
            ("patches drawn around lesions", "they change what the network sees, and help"),
            ("a threshold chosen on validation patients", "a low probability can still rank voxels well"),
        ),
        explanation="Accuracy would call the empty mask nearly perfect; it hides the failure.",
    )


@template("4.1", "code", 2)
def dice_of_masks(rng: np.random.Generator) -> Code:
    calls = [(rng.random((5, 6)) < 0.4, rng.random((5, 6)) < 0.4) for _ in range(3)]
    calls.append((np.zeros((4, 4), bool), np.zeros((4, 4), bool)))
    return Code(
        text="Write `dice(a, b)` for two boolean masks. Two empty masks agree perfectly.",
        name="dice",
        stub='def dice(a: np.ndarray, b: np.ndarray) -> float:\n    """Dice coefficient of two boolean masks of one shape; 1 if both are empty."""',
        body="total = a.sum() + b.sum()\nreturn 1.0 if total == 0 else float(2 * (a & b).sum() / total)",
        wrong=(
            ("return float(2 * (a & b).sum() / (a.sum() + b.sum()))", "two empty masks give nan; they agree perfectly"),
            ("union = (a | b).sum()\nreturn 1.0 if union == 0 else float((a & b).sum() / union)", "that is the Jaccard index"),
            ("return float(np.mean(a == b))", "that is the pixel accuracy: background counts, too"),
        ),
        calls=tuple(calls),
        explanation="Twice the overlap over the sum of both sizes; the case of two empty masks is defined, not computed.",
    )


@template("4.3", "code", 2)
def hd95_of_point_sets(rng: np.random.Generator) -> Code:
    calls = tuple((rng.integers(0, 20, (int(rng.integers(20, 30)), 2)).astype(float), rng.integers(0, 24, (int(rng.integers(20, 40)), 2)).astype(float), np.array([1.0, float(rng.choice([2.0, 3.0]))])) for _ in range(4))
    return Code(
        text="Write `hd95(a, b, spacing)`: for each point of `a` the distance to the nearest point of `b`, and the other way round; the 95th percentile of each (np.percentile), then the larger one. Points are in voxels, distances in mm.",
        name="hd95",
        stub='def hd95(a: np.ndarray, b: np.ndarray, spacing: np.ndarray) -> float:\n    """HD95 in mm of two sets of surface points (N, d) and (M, d) in voxels; spacing (d,) in mm."""',
        body="d = np.linalg.norm((a[:, None] - b[None]) * spacing, axis=-1)\nreturn float(max(np.percentile(d.min(1), 95), np.percentile(d.min(0), 95)))",
        wrong=(
            ("d = np.linalg.norm(a[:, None] - b[None], axis=-1)\nreturn float(max(np.percentile(d.min(1), 95), np.percentile(d.min(0), 95)))", "voxels are taken for millimetres"),
            ("d = np.linalg.norm((a[:, None] - b[None]) * spacing, axis=-1)\nreturn float(max(d.min(1).max(), d.min(0).max()))", "that is the maximum; the 95th percentile is asked for"),
            ("d = np.linalg.norm((a[:, None] - b[None]) * spacing, axis=-1)\nreturn float(np.percentile(np.concatenate([d.min(1), d.min(0)]), 95))", "both directions are pooled; each has its own percentile"),
        ),
        calls=calls,
        explanation="Scale by the spacing first; one percentile for each direction, so that the larger surface does not drown the smaller one.",
    )


@template("4.5", "code", 2)
def focal_loss_of_pixels(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.uniform(0.05, 0.95, 6), 2), rng.permutation([0, 0, 0, 1, 1, 0]), 2.0) for _ in range(4))
    return Code(
        text="Write `focal(p, y, gamma)`: the mean over pixels of $-(1 - q)^\\gamma \\log q$, where q is the probability that was given to the pixel's own class (p for y = 1, 1 - p for y = 0).",
        name="focal",
        stub='def focal(p: np.ndarray, y: np.ndarray, gamma: float) -> float:\n    """Mean focal loss of (N,) probabilities of lesion, strictly between 0 and 1, and (N,) labels 0 or 1."""',
        body="q = np.where(y == 1, p, 1 - p)\nreturn float(np.mean(-((1 - q) ** gamma) * np.log(q)))",
        wrong=(
            ("q = np.where(y == 1, p, 1 - p)\nreturn float(np.mean(-(q**gamma) * np.log(q)))", "the weight is for the hard pixels: (1 - q), not q"),
            ("return float(np.mean(-((1 - p) ** gamma) * np.log(p)))", "background pixels have q = 1 - p"),
            ("q = np.where(y == 1, p, 1 - p)\nreturn float(np.mean(-np.log(q)))", "that is the cross-entropy, without the focal weight"),
        ),
        calls=calls,
        explanation="Pixels that are right already weigh little, so that the many easy background pixels don't rule the sum.",
    )


@template("4.2", "code", 2)
def upsample_and_join(rng: np.random.Generator) -> Code:
    calls = tuple((rng.integers(0, 9, (int(rng.integers(1, 3)), 2, 3)).astype(float), rng.integers(0, 9, (2, 4, 6)).astype(float)) for _ in range(4))
    return Code(
        text="Write `join(deep, skip)`, a U-Net's way up: double `deep` in both directions by repeating each value (np.repeat), then put the channels of `skip` before its channels.",
        name="join",
        stub='def join(deep: np.ndarray, skip: np.ndarray) -> np.ndarray:\n    """(C, H, W) and (K, 2 H, 2 W) -> (K + C, 2 H, 2 W)."""',
        body="up = np.repeat(np.repeat(deep, 2, axis=1), 2, axis=2)\nreturn np.concatenate([skip, up], axis=0)",
        wrong=(
            ("up = np.tile(deep, (1, 2, 2))\nreturn np.concatenate([skip, up], axis=0)", "the map is laid side by side four times; each value should be repeated where it is"),
            ("up = np.repeat(np.repeat(deep, 2, axis=1), 2, axis=2)\nreturn skip + up[: len(skip)] if len(up) >= len(skip) else skip + up", "maps are added; a U-Net joins their channels"),
            ("up = np.repeat(np.repeat(deep, 2, axis=1), 2, axis=2)\nreturn np.concatenate([up, skip], axis=0)", "the skip's channels come first"),
        ),
        calls=calls,
        explanation="Nearest-neighbour upsampling keeps each value at its place; concatenation leaves it to the next convolution how to use both.",
    )
