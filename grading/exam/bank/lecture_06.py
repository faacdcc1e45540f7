"""Questions on lecture 6, registration."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("5.1", "numeric", 2)
def normalised_cross_correlation_by_hand(rng: np.random.Generator) -> Numeric:
    a = rng.permutation([1, 2, 4, 5]).astype(float)
    b = 30 - a * rng.choice([2, 3]) + rng.integers(-2, 3, 4)
    x, y = a - a.mean(), b - b.mean()
    ncc = float((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()))
    raw = float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))
    return Numeric(
        text=f"Two patches have the grey values {a.astype(int).tolist()} and {b.astype(int).tolist()}. What is their normalised cross-correlation? Three decimals.",
        answer=ncc,
        unit="",
        tolerance=0.002,
        traps=((raw, "each patch's mean is taken away first"), (-ncc, "where one patch rises and the other falls, the correlation is negative")),
        explanation="Sum of products of both patches without their means, over the root of both sums of squares.",
    )


@template("5.1", "numeric", 3)
def mutual_information_of_a_table(rng: np.random.Generator) -> Numeric:
    a, b = int(rng.integers(30, 45)), int(rng.integers(5, 15))
    c = int(rng.integers(5, 15))
    d = 100 - a - b - c
    p = np.array([[a, b], [c, d]]) / 100
    h = lambda q: -np.sum(q * np.log2(q))  # noqa: E731
    mi = float(h(p.sum(1)) + h(p.sum(0)) - h(p))
    return Numeric(
        text=f"The joint histogram of two binary images of 100 pixels is [[{a}, {b}], [{c}, {d}]]. What is their mutual information, in bits? Three decimals.",
        answer=mi,
        unit="bits",
        tolerance=min(0.003, 0.04 * mi),
        traps=((float(h(p)), "that is the joint entropy; it grows when images get unlike"), (float(h(p.sum(1)) + h(p.sum(0))), "the joint entropy is taken off")),
        explanation="H(A) + H(B) - H(A, B), each from the histogram's sums.",
    )


@template("5.1", "choice", 2)
def which_similarity_for_two_contrasts(rng: np.random.Generator) -> Choice:
    a, b = [("T1", "T2"), ("CT", "T1"), ("PET", "CT")][rng.integers(3)]
    return Choice(
        text=f"A {a} image is registered to a {b} image of the same patient. Which similarity fits, and why?",
        right="mutual information: values need only go together",
        wrong=(
            ("SSD: values should be equal", "one tissue has different values in both images, also when they are aligned"),
            ("NCC: values are linear in each other", "order of tissues changes between contrasts, so no line fits"),
            ("Dice of both images", "that compares masks, and there are none"),
        ),
        explanation="Mutual information asks how well one value predicts the other, whatever the mapping.",
    )


@template("5.1", "choice", 1)
def direction_of_a_warp(rng: np.random.Generator) -> Choice:
    u = int(rng.integers(3, 9))
    return Choice(
        text=f"An image is warped as M(x + u(x)) with u = {u} pixels to the right everywhere. Where does its content go?",
        right="to the left",
        wrong=(
            ("to the right", "u says where a value is fetched from, not where it goes"),
            ("nowhere: u is constant", "a constant field moves everything alike"),
            ("it is stretched to the right", "a constant field changes no distances"),
        ),
        explanation="Inverse warping: each place fetches its value from further right, so that things appear further left.",
    )


@template("5.1", "numeric", 2)
def jacobian_of_a_plane_field(rng: np.random.Generator) -> Numeric:
    a, b, c, d = (round(float(v), 1) for v in rng.choice([-0.3, -0.2, 0.2, 0.3, 0.4], 4))
    det = (1 + a) * (1 + d) - b * c
    return Numeric(
        text=f"At a point, the displacement u has the derivatives du1/dx1 = {a}, du1/dx2 = {b}, du2/dx1 = {c}, du2/dx2 = {d}. What is the Jacobian determinant of x + u(x)? Two decimals.",
        answer=det,
        unit="",
        tolerance=0.004,
        traps=((a * d - b * c, "the map is x + u(x): the identity's 1 stands on the diagonal"), ((1 + a) * (1 + d) - b * c + 2 * b * c, "the off-diagonal product is taken off")),
        explanation="(1 + a)(1 + d) - b c: below 0 the map folds, between 0 and 1 it shrinks.",
    )


@template("5.2", "choice", 2)
def what_makes_a_negative_pair(rng: np.random.Generator) -> Choice:
    size = int(rng.choice([16, 24, 32]))
    return Choice(
        text=f"A network shall tell aligned from misaligned patches of {size} pixels, one of each contrast. Which pair is a bad negative?",
        right="patches two pixels apart",
        wrong=(
            (f"patches {size * 2} pixels apart", "they share nothing, and are rightly called misaligned"),
            ("patches of two patients", "they don't show the same place, and are rightly called misaligned"),
            ("a patch and the other one turned by 90 degrees", "they don't lie on each other"),
        ),
        explanation="Patches that overlap nearly all are nearly aligned: calling them negative teaches a contradiction.",
    )


@template("5.2", "choice", 2)
def what_a_capture_range_is(rng: np.random.Generator) -> Choice:
    mm = int(rng.choice([10, 15, 20]))
    return Choice(
        text=f"A similarity has a capture range of {mm} mm. What does that promise?",
        right=f"from a start within {mm} mm uphill leads to the true place",
        wrong=(
            (f"the result is exact to {mm} mm", "how exact the top is, is another matter"),
            (f"images may be {mm} mm large at most", "it is about the start, not about the size"),
            (f"deformations of up to {mm} mm are modelled", "that is a matter of the transformation"),
        ),
        explanation="The range of starts from which hill-climbing on the similarity comes back to the right top.",
    )


@template("5.2", "numeric", 2)
def offset_without_overlap(rng: np.random.Generator) -> Numeric:
    size, spacing = int(rng.choice([15, 21, 25])), float(rng.choice([0.8, 1.2, 1.6]))
    return Numeric(
        text=f"Square patches are {size} pixels wide, with a spacing of {spacing} mm. A negative pair must not overlap at all, and is moved along one axis by whole pixels. What is the least offset of the centres, in mm? One decimal.",
        answer=size * spacing,
        unit="mm",
        tolerance=0.05,
        traps=((size * spacing / 2, "at half a width the patches still share half their pixels"), (float(size), "that is in pixels")),
        explanation="The centres must be one whole width apart; in mm that is width times spacing.",
    )


@template("5.2", "numeric", 2)
def sensitivity_of_a_pair_network(rng: np.random.Generator) -> Numeric:
    positives, negatives, share = int(rng.choice([200, 400])), int(rng.choice([600, 800])), rng.integers(60, 72) / 100
    missed = int(rng.integers(10, 40))
    hit = positives - missed
    return Numeric(
        text=f"Of {positives} aligned pairs a network calls {hit} aligned; of {negatives} misaligned pairs it calls {share:.0%} misaligned. What is its balanced accuracy (mean of both rates), in %? One decimal.",
        answer=100 * (hit / positives + share) / 2,
        unit="%",
        tolerance=0.1,
        traps=((100 * (hit + share * negatives) / (positives + negatives), "that weighs the kinds by their number"), (100 * hit / positives * share, "rates are averaged, not multiplied")),
        explanation="Each kind has its rate of right answers; their mean does not depend on how many pairs of each were drawn.",
    )


@template("5.3", "numeric", 2)
def endpoint_error_in_mm(rng: np.random.Generator) -> Numeric:
    sx, sy = float(rng.choice([0.8, 1.0, 1.2])), float(rng.choice([2.0, 2.5, 3.0]))
    ex, ey = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    mm = float(np.hypot(ex * sx, ey * sy))
    return Numeric(
        text=f"At a voxel, the predicted displacement is off by {ex} voxels along the first and {ey} along the second axis; the spacing is {sx} and {sy} mm. What is the end-point error there, in mm? Two decimals.",
        answer=mm,
        unit="mm",
        tolerance=0.01,
        traps=((ex * sx + ey * sy, "an end-point error is a length: root of the sum of squares"), ((ex * sx + ey * sy) / 2, "that is the mean of the components")),
        explanation="Each component times its spacing, then the Euclidean norm.",
    )


@template("5.3", "choice", 2)
def training_fields_that_are_too_small(rng: np.random.Generator) -> Choice:
    small, large = int(rng.choice([3, 4])), int(rng.choice([10, 12]))
    return Choice(
        text=f"A network is trained on simulated fields of at most {small} mm. Real patients differ by up to {large} mm. What does it predict for them?",
        right="fields that are too small",
        wrong=(
            ("fields that are right, as it has learned to compare", "it has never seen, and never given, so large an answer"),
            ("fields that are too large", "what it has seen was small"),
            ("nothing: it stops", "a network answers whatever it is asked"),
        ),
        explanation="Supervision by simulated fields teaches what was simulated: size and smoothness must cover the real ones.",
    )


@template("5.3", "choice", 1)
def where_supervision_comes_from(rng: np.random.Generator) -> Choice:
    n = int(rng.choice([50, 100]))
    return Choice(
        text=f"You have {n} patients' scans without any known deformation. How do you get fields to train on?",
        right="warp each scan by a simulated field",
        wrong=(
            ("take the difference of two scans", "a difference of grey values is no displacement"),
            ("let a reader draw them", "nobody can draw a displacement for every voxel"),
            ("without known fields no network can be trained", "an image and its warped copy have a field that is known exactly"),
        ),
        explanation="The simulated field is the truth for the pair of a scan and its warped copy.",
    )


@template("5.3", "numeric", 1)
def field_needed_in_voxels(rng: np.random.Generator) -> Numeric:
    mm, spacing = float(rng.integers(6, 15)), float(rng.choice([1.5, 2.0, 2.5]))
    return Numeric(
        text=f"A displacement of {mm:g} mm is given to a sampler that counts in voxels of {spacing} mm. Which displacement in voxels is that? Two decimals.",
        answer=mm / spacing,
        unit="voxels",
        tolerance=0.01,
        traps=((mm * spacing, "voxels are mm over spacing"), (mm, "that is still in mm")),
        explanation="Divide by the spacing of the axis.",
    )


@template("5.4", "numeric", 2)
def scaling_and_squaring_steps(rng: np.random.Generator) -> Numeric:
    steps, v = int(rng.integers(4, 8)), float(rng.integers(8, 25))
    return Numeric(
        text=f"A stationary velocity with a largest value of {v:g} voxels is exponentiated by scaling and squaring with {steps} squarings. How large is its largest value after the scaling, before the first squaring, in voxels? Three decimals.",
        answer=v / 2**steps,
        unit="voxels",
        tolerance=min(0.002, 0.04 * v / 2**steps),
        traps=((v / steps, "each squaring doubles the time: the scale is a power of two"), (v / 2 ** (steps - 1), "one halving for each squaring")),
        explanation="Divide by 2 to the number of squarings: each squaring composes the map with itself, and doubles the time.",
    )


@template("5.4", "choice", 2)
def how_fields_are_composed(rng: np.random.Generator) -> Choice:
    a, b = int(rng.integers(2, 6)), int(rng.integers(2, 6))
    return Choice(
        text=f"x is first moved by u (up to {a} mm), and the result by w (up to {b} mm). Which displacement does both?",
        right="u(x) + w(x + u(x))",
        wrong=(
            ("u(x) + w(x)", "w must be read where the point is by then"),
            ("w(x) + u(x + w(x))", "that does w first"),
            ("u(w(x))", "a displacement is no place: add it to x"),
        ),
        explanation="phi_w(phi_u(x)) = x + u(x) + w(x + u(x)).",
    )


@template("5.4", "choice", 1)
def what_the_smoothness_acts_on(rng: np.random.Generator) -> Choice:
    lam = float(rng.choice([0.01, 0.1, 1.0]))
    return Choice(
        text=f"VoxelMorph's loss has a smoothness term with weight {lam}. Of what does it take the gradient?",
        right="of the displacement field",
        wrong=(
            ("of the warped image", "edges of anatomy should stay sharp"),
            ("of the difference image", "that is the similarity's business"),
            ("of the network's weights", "that would be weight decay"),
        ),
        explanation="Neighbouring points should move alike; the image itself may be as sharp as it likes.",
    )


@template("5.4", "numeric", 3)
def diffusion_energy_on_a_line(rng: np.random.Generator) -> Numeric:
    u = np.cumsum(rng.integers(-2, 4, 5)).astype(float)
    while np.ptp(u) < 3:
        u = np.cumsum(rng.integers(-2, 4, 5)).astype(float)
    h = float(rng.choice([2.0, 2.5]))
    g = np.diff(u) / h
    return Numeric(
        text=f"Along a line with voxels of {h} mm the displacement is {u.astype(int).tolist()} mm. What is the diffusion energy, the mean of the squared forward differences per mm? Three decimals.",
        answer=float((g**2).mean()),
        unit="",
        tolerance=0.002,
        traps=((float((np.diff(u) ** 2).mean()), "differences are per mm: divide by the spacing"), (float((g**2).sum()), "that is the sum; the mean is asked for")),
        explanation="Differences of neighbours over the spacing, squared, and averaged.",
    )


@template("5.5", "choice", 2)
def weight_of_smoothness_is_chosen(rng: np.random.Generator) -> Choice:
    limit = float(rng.choice([0.1, 0.5]))
    return Choice(
        text=f"Less smoothness gives a higher Dice and more folds. At most {limit} % of the voxels may fold. How is the weight chosen?",
        right="best validation Dice among those below the limit",
        wrong=(
            ("best test Dice among those below the limit", "then the test set has chosen, and no longer tests"),
            ("best validation Dice of all", "it may fold: tissue can't be turned inside out"),
            ("the largest weight", "it folds least, and hardly moves anything"),
        ),
        explanation="A limit is a limit: first who keeps it, then who is best, both on validation patients.",
    )


@template("5.5", "numeric", 2)
def time_saved_by_a_network(rng: np.random.Generator) -> Numeric:
    classical, network, training = int(rng.choice([20, 30, 60])), float(rng.choice([0.1, 0.2])), int(rng.choice([1, 2]))
    return Numeric(
        text=f"A classical registration takes {classical} s a pair, a network {network} s after {training} h of training. How many pairs must be registered until the network has cost less time in all? No decimal.",
        answer=float(np.ceil(training * 3600 / (classical - network))),
        unit="",
        tolerance=1.0,
        traps=((training * 3600 / network, "what a pair saves is classical minus network"), (classical / network, "that is how many times faster one pair is, without the training")),
        explanation="Training time over what each pair saves, rounded up.",
    )


@template("5.5", "choice", 1)
def what_instance_optimisation_does(rng: np.random.Generator) -> Choice:
    steps = int(rng.choice([20, 50, 100]))
    return Choice(
        text=f"After a network has predicted a field, it is refined for {steps} steps on this one pair. What is optimised, and with which labels?",
        right="the field of this pair, without labels",
        wrong=(
            ("the network on all pairs, without labels", "that is training; here one pair counts"),
            ("the field of this pair, with its segmentation", "no label is needed: similarity and smoothness are the loss"),
            ("the images, with the field fixed", "images are given; the field is sought"),
        ),
        explanation="The network gives a good start; similarity and smoothness of this pair do the rest.",
    )


@template("5.5", "numeric", 3)
def large_motion_by_passes(rng: np.random.Generator) -> Numeric:
    motion, share, passes = int(rng.choice([20, 24, 30])), float(rng.choice([0.6, 0.7, 0.8])), int(rng.integers(2, 5))
    return Numeric(
        text=f"A network recovers {share:.0%} of whatever displacement is left. It is applied {passes} times, each time to the images warped so far. Which part of a motion of {motion} mm is left, in mm? Two decimals.",
        answer=motion * (1 - share) ** passes,
        unit="mm",
        tolerance=min(0.02, 0.04 * motion * (1 - share) ** passes),
        traps=((motion * (1 - share), "each pass works on what the one before has left"), (motion * share**passes, "what is left after a pass is one minus its share")),
        explanation="After each pass (1 - share) of the rest remains: a power of the number of passes.",
    )


@template("5.1", "code", 2)
def warp_a_line(rng: np.random.Generator) -> Code:
    calls = tuple((np.round(rng.uniform(0, 9, 8), 1), np.round(rng.uniform(-2, 2, 8), 1) * 2.0, 2.0) for _ in range(4))
    return Code(
        text="Write `warp(image, u, spacing)` in one dimension: the value at voxel i comes from i + u[i] / spacing, linearly interpolated between voxels (np.interp), and the nearest end value outside.",
        name="warp",
        stub='def warp(image: np.ndarray, u: np.ndarray, spacing: float) -> np.ndarray:\n    """(N,) image and displacement (N,) in mm -> (N,) image(x + u(x)); voxels of `spacing` mm."""',
        body="i = np.arange(len(image))\nreturn np.interp(i + u / spacing, i, image)",
        wrong=(
            ("i = np.arange(len(image))\nreturn np.interp(i - u / spacing, i, image)", "that fetches from the other side: the value comes from x + u"),
            ("i = np.arange(len(image))\nreturn np.interp(i + u, i, image)", "u is in mm: divide by the spacing"),
        ),
        calls=calls,
        explanation="Inverse warping: each place fetches its value from where the field points.",
    )
