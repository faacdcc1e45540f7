"""Follow-up tables, cohorts with several images a patient, and readers who disagree; each with the truth that made it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from .fields import generator, smooth_noise


@dataclass(frozen=True)
class Survival:
    table: pd.DataFrame  # age (years), stage 1-4, biomarker (standardised), treatment 0/1, time (months), event 0/1; one row a patient
    log_hazard_ratios: dict[str, float]  # per year, per stage, per standard deviation, treated against untreated
    linear_predictor: np.ndarray  # (n,), log relative hazard
    seed: int


@dataclass(frozen=True)
class Cohort:
    images: np.ndarray  # (N, size, size) float32, 0 to 1
    table: pd.DataFrame  # patient, visit, site, age, sex, label (0/1); row i belongs to images[i]
    lesion: np.ndarray  # (N, size, size) bool
    seed: int


@dataclass(frozen=True)
class Readers:
    labels: np.ndarray  # (n, k) int64, 0/1, what each reader says of each case
    truth: np.ndarray  # (n,) int64, 0/1
    sensitivity: np.ndarray  # (k,), each reader's probability of a 1 where the truth is 1
    specificity: np.ndarray  # (k,), of a 0 where the truth is 0
    seed: int


_LOG_HAZARD = {"age": 0.03, "stage": 0.55, "biomarker": 0.35, "treatment": -0.6}


def survival(n: int = 400, *, seed: int = 0) -> Survival:
    """Follow-up of cancer patients from a proportional-hazards model with a Weibull baseline and independent censoring (about a half).

    Censoring is the earlier of the study's end (60 months after its start; patients enter over 24 months) and random loss to follow-up.
    """
    if n < 2:
        raise ValueError(f"n must be at least 2, not {n}.")
    rng = generator(seed, "survival")
    age = np.clip(rng.normal(63, 10, n), 30, 90).round(1)
    stage = rng.choice([1, 2, 3, 4], size=n, p=[0.3, 0.3, 0.25, 0.15])
    biomarker = (0.35 * (stage - 2.25) + rng.normal(0, 0.94, n)).round(3)  # correlated with the stage, as real ones are
    treatment = rng.integers(0, 2, n)
    columns = {"age": age, "stage": stage, "biomarker": biomarker, "treatment": treatment}
    centre = {"age": 63, "stage": 2, "biomarker": 0, "treatment": 0}
    predictor = sum(_LOG_HAZARD[name] * (values - centre[name]) for name, values in columns.items())
    shape, scale = 1.25, 46.0
    death = scale * (-np.log(rng.random(n)) * np.exp(-predictor)) ** (1 / shape)
    censored = np.minimum(rng.uniform(36, 60, n), rng.exponential(130, n))
    time = np.maximum(np.minimum(death, censored), 0.05).round(2)
    table = pd.DataFrame({**columns, "time": time, "event": (death <= censored).astype(int)})
    return Survival(table, dict(_LOG_HAZARD), predictor, seed)


def cohort(
    n: int = 120, *, visits: tuple[int, int] = (1, 4), size: int = 32, prevalence: float = 0.3, sites: int = 3, seed: int = 0
) -> Cohort:
    """`n` patients, each with some visits and one image a visit. The images of one patient share the anatomy, so a split by image leaks.

    The label belongs to the patient. A patient of label 1 has a bright blob, a little larger at each visit; sites differ in
    brightness and noise.

    Args:
        visits: fewest and most visits of a patient.
        prevalence: share of patients with label 1, exact up to rounding.
    """
    if not 0 <= prevalence <= 1 or visits[0] < 1 or visits[1] < visits[0] or sites < 1:
        raise ValueError("prevalence must lie in [0, 1], visits must be (fewest >= 1, most), sites at least 1.")
    rng = generator(seed, "cohort")
    label = rng.permutation(np.arange(n) < round(prevalence * n)).astype(int)
    count = rng.integers(visits[0], visits[1] + 1, n)
    site = rng.integers(0, sites, n)
    age, sex = np.clip(rng.normal(60, 12, n), 20, 90).round().astype(int), rng.choice(["F", "M"], n)
    anatomy = smooth_noise((size, size), size / 7, rng, batch=n)  # each patient's own picture, as telling as a fingerprint
    middle = (size - 1) / 2
    grid = np.hypot(*(np.indices((size, size)) - middle)) / middle
    organ = np.clip((0.92 - grid) * 8, 0, 1).astype(np.float32)
    gain, grain = rng.uniform(0.85, 1.15, sites), rng.uniform(0.04, 0.08, sites)
    rows, images, lesions = [], [], []
    for i in range(n):
        centre, radius = middle + rng.uniform(-0.5, 0.5, 2) * middle, size * rng.uniform(0.07, 0.11)
        for visit in range(count[i]):
            y, x = np.indices((size, size)) - centre[:, None, None] - rng.normal(0, 0.3, 2)[:, None, None]
            lesion = (np.hypot(x, y) < radius * (1 + 0.12 * visit)) & (organ > 0.5) & (label[i] == 1)
            blob = 0.22 * ndimage.gaussian_filter(lesion.astype(np.float32), 0.7)
            image = organ * (0.45 + 0.11 * anatomy[i]) + blob
            image = gain[site[i]] * image + grain[site[i]] * rng.standard_normal((size, size))
            images.append(np.clip(image, 0, 1).astype(np.float32))
            lesions.append(lesion)
            rows.append((f"P{i:04d}", visit, f"site_{'ABCDEFGHIJ'[site[i] % 10]}", int(age[i]), sex[i], int(label[i])))
    order = rng.permutation(len(rows))  # as a folder lists them: one patient's images are scattered
    table = pd.DataFrame([rows[j] for j in order], columns=["patient", "visit", "site", "age", "sex", "label"])
    return Cohort(np.stack(images)[order], table, np.stack(lesions)[order], seed)


def readers(n: int = 300, k: int = 4, *, prevalence: float = 0.3, seed: int = 0) -> Readers:
    """`k` readers label `n` cases; given the truth they err independently, each with an own sensitivity and specificity (0.65 to 0.97)."""
    if n < 1 or k < 1 or not 0 <= prevalence <= 1:
        raise ValueError("n and k must be at least 1 and prevalence must lie in [0, 1].")
    rng = generator(seed, "readers")
    truth = rng.permutation(np.arange(n) < round(prevalence * n)).astype(np.int64)
    sensitivity, specificity = rng.uniform(0.65, 0.97, (2, k)).round(3)
    positive = np.where(truth[:, None] == 1, sensitivity, 1 - specificity)
    labels = (rng.random((n, k)) < positive).astype(np.int64)
    return Readers(labels, truth, sensitivity, specificity, seed)
