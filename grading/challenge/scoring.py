"""How good are predictions, and what may be said about it: AUC, intervals by patient, the Ladder. It reads no file and knows no team."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

DRAWS = 1000


@dataclass(frozen=True)
class Truth:
    """The labels of some held-out films: (N,) 0 or 1, and whom each shows."""

    cases: np.ndarray
    labels: np.ndarray
    patients: np.ndarray


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve by ranks, ties in the middle; nan if there is one class only."""
    ranks, sick = rankdata(scores), int(labels.sum())
    healthy = len(labels) - sick
    return float((ranks[labels == 1].sum() - sick * (sick + 1) / 2) / (sick * healthy)) if sick and healthy else float("nan")


def resamples(patients: np.ndarray, draws: int = DRAWS, seed: int = 0) -> list[np.ndarray]:
    """Rows of bootstrap samples: whole patients with all their films, the same samples at every call."""
    number = np.unique(patients, return_inverse=True)[1]
    rows_of = [np.flatnonzero(number == k) for k in range(number.max() + 1)]
    rng = np.random.default_rng(seed)
    return [np.concatenate([rows_of[k] for k in rng.integers(0, len(rows_of), len(rows_of))]) for _ in range(draws)]


def bootstrap(truth: Truth, scores: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
    """AUC over bootstrap samples; with `other`, the AUC of `scores` minus that of `other` on the same samples."""
    found = []
    for rows in resamples(truth.patients):
        value = auc(truth.labels[rows], scores[rows])
        found.append(value if other is None else value - auc(truth.labels[rows], other[rows]))
    return np.array([value for value in found if np.isfinite(value)])


def interval(truth: Truth, scores: np.ndarray, other: np.ndarray | None = None) -> tuple[float, float]:
    """The ends of the 95 % bootstrap interval."""
    low, high = np.percentile(bootstrap(truth, scores, other), [2.5, 97.5])
    return float(low), float(high)


def on_grid(value: float, step: float) -> float:
    """A value rounded to a multiple of `step`."""
    return round(round(value / step) * step, 10)


def ladder(shown: float | None, measured: float, step: float) -> tuple[float, bool]:
    """The Ladder mechanism (Blum and Hardt, ICML 2015), for a score that is better when higher.

    A team sees a new figure only if it beats the one that it sees by more than `step`, and then rounded to `step`; otherwise it sees the old one,
    so that many small questions give no more than "not better". The paper bounds how far what is shown can drift from the truth for a loss that is a
    mean over cases; an AUC is a mean over pairs of cases, for which the test in tests/test_challenge.py measures it.

    Returns:
        What is shown now, and whether it rose.
    """
    if shown is None or measured > shown + step:
        return on_grid(measured, step), True
    return shown, False
