"""A table like UCI Heart Disease: four hospitals that differ in prevalence, in what they measure, and in who comes; all simulated."""

import numpy as np
import pandas as pd

from .fields import generator

SITES = ("cleveland", "hungary", "switzerland", "va")
# Share of diseased patients (target > 0), mean age, share of men: about those of the four hospitals' public tables.
_PREVALENCE = {"cleveland": 0.46, "hungary": 0.36, "switzerland": 0.90, "va": 0.74}
_AGE = {"cleveland": 54, "hungary": 48, "switzerland": 55, "va": 59}
_MEN = {"cleveland": 0.68, "hungary": 0.72, "switzerland": 0.90, "va": 0.97}
# Share of missing values, per site and column.
_MISSING = {
    "cleveland": {"ca": 0.013, "thal": 0.007},
    "hungary": {"chol": 0.08, "fbs": 0.03, "slope": 0.65, "ca": 0.98, "thal": 0.90},
    "switzerland": {"fbs": 0.60, "oldpeak": 0.05, "slope": 0.14, "ca": 0.95, "thal": 0.42},
    "va": {"trestbps": 0.28, "chol": 0.04, "thalach": 0.26, "exang": 0.26, "oldpeak": 0.28, "slope": 0.51, "ca": 0.98, "thal": 0.83},
}
COLUMNS = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal", "target", "site")


def heart_table(n_per_site: int = 200, *, seed: int = 0) -> pd.DataFrame:
    """Patients of four hospitals with the columns and codes of UCI Heart Disease.

    Given the disease, features are drawn with the differences that the literature and the real table show: chest pain without
    symptoms (cp 4), exercise angina, ST depression, fewer beats at peak, narrowed vessels (ca), thallium defects, age and sex.

    Returns:
        4 * n_per_site rows, float64 columns as `COLUMNS` but `target` (int, 0 none, 1-4 disease) and `site` (str). In
        "switzerland" every cholesterol value is 0, as in the real table: a missing value in disguise.
    """
    if n_per_site < 10:
        raise ValueError(f"n_per_site must be at least 10, not {n_per_site}.")
    return pd.concat([_hospital(site, n_per_site, generator(seed, "heart", site)) for site in SITES], ignore_index=True)


def _hospital(site: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
    ill = rng.permutation(np.arange(n) < round(_PREVALENCE[site] * n)).astype(int)
    grade = np.where(ill == 1, 1 + rng.binomial(3, 0.35, n), 0)  # severity, 1 to 4
    strength = ill * (0.6 + 0.2 * grade)

    def pick(healthy: list[float], diseased: list[float], codes: list[int]) -> np.ndarray:
        chance = np.where(ill[:, None] == 1, diseased, healthy)
        return np.array(codes)[(rng.random(n)[:, None] > chance.cumsum(axis=1)).sum(axis=1).clip(0, len(codes) - 1)]

    def yes(chance: np.ndarray) -> np.ndarray:
        return (rng.random(n) < chance).astype(float)

    age = np.clip(rng.normal(_AGE[site] + 2.5 * strength - 1.5, 8.5), 28, 77).round()
    sex = yes(np.clip(_MEN[site] - 0.08 + 0.13 * ill, 0, 0.99))
    exang = yes(0.18 + 0.22 * strength)
    slope = pick([0.60, 0.34, 0.06], [0.30, 0.60, 0.10], [1, 2, 3])
    values = {
        "age": age,
        "sex": sex,
        "cp": pick([0.09, 0.26, 0.39, 0.26], [0.05, 0.09, 0.18, 0.68], [1, 2, 3, 4]),
        "trestbps": np.clip(rng.normal(115 + 0.3 * age + 2.5 * ill, 16), 92, 200).round(),
        "chol": np.clip(rng.normal(210 + 0.55 * age + 6 * ill - 12 * sex, 48), 120, 560).round(),
        "fbs": yes(0.11 + 0.05 * ill + (0.2 if site == "va" else 0.0)),
        "restecg": pick([0.62, 0.08, 0.30], [0.50, 0.14, 0.36], [0, 1, 2]),
        "thalach": np.clip(rng.normal(199 - 0.85 * age - 11 * strength - 5 * exang - 10 * (site != "cleveland"), 19), 70, 202).round(),
        "exang": exang,
        "oldpeak": np.clip(rng.normal(0.25 + 0.65 * strength + 0.35 * (slope - 1), 0.85), 0, 6.2).round(1),
        "slope": slope,
        "ca": np.clip(rng.poisson(0.28 + 0.65 * strength), 0, 3),
        "thal": pick([0.76, 0.05, 0.19], [0.34, 0.08, 0.58], [3, 6, 7]),
    }
    frame = pd.DataFrame({name: np.asarray(column, dtype=float) for name, column in values.items()})
    if site == "switzerland":
        frame["chol"] = 0.0
    for column, share in _MISSING[site].items():
        frame.loc[rng.random(n) < share, column] = np.nan
    return frame.assign(target=grade.astype(int), site=site)
