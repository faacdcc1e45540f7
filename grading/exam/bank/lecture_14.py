"""Questions on lecture 14, the review: they join two or more topics of the course."""

import numpy as np

from grading.exam.model import Choice, Numeric, template


@template("13.1", "choice", 1)
def which_split_is_honest(rng: np.random.Generator) -> Choice:
    slices, patients = int(rng.choice([40, 80, 120])), int(rng.choice([60, 90, 150]))
    return Choice(
        text=f"{patients} patients have {slices} slices each. A classifier of slices is to be tested for use on new patients. How do you split?",
        right="by patient: all slices of one go to one side",
        wrong=(
            ("by slice, at random", "neighbouring slices of one patient land on both sides, and the test knows them already"),
            ("by slice, every fifth one for the test", "the slices between are in training, and look nearly the same"),
            ("by scan quality: the best slices for training", "then the test asks another question, and patients are on both sides"),
        ),
        explanation="What shall be new in use must be new in the test: here the patient.",
    )


@template("13.1", "choice", 2)
def which_metric_for_small_lesions(rng: np.random.Generator) -> Choice:
    voxels = int(rng.choice([5, 8, 12]))
    return Choice(
        text=f"Lesions of about {voxels} voxels in a head of a million voxels are to be outlined. Which figure tells least about a network that finds none?",
        right="voxel accuracy",
        wrong=(
            ("lesion-wise sensitivity", "it is 0 for a network that finds none"),
            ("Dice of the lesions", "it is 0 for a network that finds none"),
            ("average precision over voxels", "a network without a hit gets no more than the tiny prevalence"),
        ),
        explanation="Nearly all voxels are background, so that answering background everywhere is nearly always right.",
    )


@template("13.1", "choice", 3)
def one_gap_four_causes(rng: np.random.Generator) -> Choice:
    a, b = rng.integers(90, 96) / 100, rng.integers(70, 80) / 100
    return Choice(
        text=f"A classifier has an AUC of {a:.2f} at home and of {b:.2f} in another hospital, for patients of the same kinds and at the same prevalence. In training, most sick films at home came from one portable "
        "scanner. Which single experiment tells best whether the scanner was learned instead of the disease?",
        right="the AUC at home within the films of each scanner",
        wrong=(
            ("training again with more epochs", "a longer training learns the same shortcut more firmly"),
            ("the calibration curve at home", "a shortcut can be perfectly calibrated at home"),
            ("histogram matching to the other hospital", "it may mend a contrast, but does not tell what was learned"),
        ),
        explanation="Within one scanner the scanner can tell nothing: what is left of the AUC there is what the network knows of the disease.",
    )


@template("13.1", "choice", 2)
def where_labels_are_spent(rng: np.random.Generator) -> Choice:
    hours = int(rng.choice([10, 20, 40]))
    return Choice(
        text=f"You have {hours} hours of one reader, a public pretrained backbone, and ten thousand films without labels. What is labelled first?",
        right="a random test set of patients",
        wrong=(
            ("the films on which a first network is least sure", "active learning gives a biased sample, and without a test set nobody knows whether it helped"),
            ("only sick patients, since they are rare", "without healthy ones neither specificity nor prevalence is known"),
            ("as many training films as possible", "without a test set more training can't be told from less"),
        ),
        explanation="A method can only be chosen by measuring, and only a random sample of patients measures what will come.",
    )


@template("13.1", "numeric", 1)
def volume_from_voxels(rng: np.random.Generator) -> Numeric:
    voxels, x, z = int(rng.integers(800, 4000)), round(float(rng.choice([0.7, 0.8, 0.9])), 1), float(rng.choice([2.5, 3.0, 5.0]))
    return Numeric(
        text=f"A network marks {voxels} voxels as tumour. The spacing is {x} x {x} x {z} mm. What is the tumour's volume in ml? Two decimals.",
        answer=voxels * x * x * z / 1000,
        unit="ml",
        tolerance=0.01,
        traps=((voxels / 1000, "that takes a voxel for a cubic millimetre"), (voxels * x * x * z, "that is in cubic millimetres; a millilitre holds 1000 of them")),
        explanation="Voxels times the product of the spacing gives cubic millimetres; 1000 of them are one millilitre.",
    )


@template("13.1", "numeric", 2)
def false_alarms_a_day(rng: np.random.Generator) -> Numeric:
    films, prevalence, specificity = int(rng.choice([200, 300, 400])), float(rng.choice([0.02, 0.05])), rng.integers(88, 97) / 100
    sensitivity = 0.9
    return Numeric(
        text=f"A triage with a sensitivity of {sensitivity:.0%} and a specificity of {specificity:.0%} reads {films} films a day, of which {prevalence:.0%} show the disease. How many false alarms a day are expected? One decimal.",
        answer=films * (1 - prevalence) * (1 - specificity),
        unit="",
        tolerance=0.1,
        traps=(
            (films * (1 - specificity) * prevalence, "false alarms come from the healthy, and there are far more of them"),
            (films * prevalence * (1 - sensitivity), "these are the sick who are missed"),
        ),
        explanation="Healthy films times the false positive rate: films x (1 - prevalence) x (1 - specificity).",
    )


@template("13.1", "numeric", 3)
def dice_from_jaccard_and_back(rng: np.random.Generator) -> Numeric:
    overlap, only_a, only_b = int(rng.integers(40, 90)), int(rng.integers(10, 40)), int(rng.integers(10, 40))
    jaccard = overlap / (overlap + only_a + only_b)
    return Numeric(
        text=f"Two readers' outlines have a Jaccard index (intersection over union) of {jaccard:.4f}. What is their Dice coefficient? Three decimals.",
        answer=2 * jaccard / (1 + jaccard),
        unit="",
        tolerance=0.002,
        traps=((jaccard / (2 - jaccard), "that goes from Dice to Jaccard; Dice is the larger of the two"), (jaccard, "they agree at 0 and 1 only")),
        explanation="With J = I / U and A + B = U + I, Dice = 2 I / (A + B) = 2 J / (1 + J).",
    )


@template("13.1", "numeric", 2)
def interval_of_a_proportion(rng: np.random.Generator) -> Numeric:
    n, p = int(rng.choice([100, 150, 200, 400])), rng.integers(70, 95) / 100
    half = 1.96 * np.sqrt(p * (1 - p) / n)
    return Numeric(
        text=f"A detector finds the lesion in {p:.0%} of {n} patients who have one. Half the width of the 95 % interval of its sensitivity, by the normal approximation, in percentage points? One decimal.",
        answer=100 * half,
        unit="percentage points",
        tolerance=0.1,
        traps=((100 * np.sqrt(p * (1 - p) / n), "that is one standard error; the interval reaches 1.96 of them to each side"), (100 * 1.96 * np.sqrt(p * (1 - p)), "that is the spread of single patients: divide by the root of their number")),
        explanation="1.96 sqrt(p (1 - p) / n): four times the patients give half the width.",
    )
