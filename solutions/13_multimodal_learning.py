# %% [markdown]
# # Lecture 13 - Multimodal learning
#
# TODO

# %% tags=["parameters"]
LECTURE = "13_multimodal_learning"
PROFILE = "laptop"  # "ci": minutes, simulated data; "laptop": real data, at most 10 minutes; "gpu": larger
SEED = 0

# %% tags=["setup"]
# Set-up: run it as often as you like. It fetches the course's helpers if they are missing, leaves your torch alone, and seeds everything.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("helpers") is None:
    from importlib import metadata

    kept = [f"{name}=={metadata.version(name)}" for name in ("torch", "torchvision", "numpy") if importlib.util.find_spec(name)]
    with open("kept.txt", "w") as file:  # what is here already stays as it is
        file.write("\n".join(kept))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "kept.txt", "git+REPOSITORY"], check=True)

import matplotlib.pyplot as plt
import numpy as np
import torch

import helpers
from helpers import data, results, show, simulate, train

run = helpers.start(LECTURE, PROFILE, SEED)
device = run.device

# %% tags=["demo"]
from scipy import ndimage

FINDINGS = ("consolidation", "effusion", "cardiomegaly", "nodule")  # what a film can show and a report can state
SHARES = ("image", "report", "table", "shared", "interaction")  # the parts of the planted log-odds
TABLE = ("respiratory rate, /min", "heart rate, /min", "systolic pressure, mmHg", "oxygen saturation, %", "temperature, °C", "C-reactive protein, mg/L", "lactate, mmol/L", "urea, mmol/L")
SITES = ("A", "B", "C")


def films(p: dict[str, np.ndarray], rng: np.random.Generator, burn: bool) -> np.ndarray:
    """(n, 1, 32, 32) float32 frontal films from the findings `p`, each (n,); the patient's right is on the left."""
    n = len(p["grade"])

    def draw(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (n, 1, 1)).astype(np.float32)

    def of(name: str) -> np.ndarray:
        return np.asarray(p[name], np.float32)[:, None, None]

    def step(value: np.ndarray, width: float) -> np.ndarray:
        return np.clip(value / width + 0.5, 0, 1)

    def cloud(width: float) -> np.ndarray:
        smooth = ndimage.gaussian_filter(rng.standard_normal((n, 32, 32), dtype=np.float32), (0, width, width))
        return smooth / smooth.std()

    axis = (np.arange(32, dtype=np.float32) + 0.5) / 16 - 1
    x, y = (axis[None, None] - draw(-0.06, 0.06)) * draw(0.96, 1.06), (axis[None, :, None] - draw(-0.08, 0.08)) * draw(0.95, 1.05)
    side = of("side")  # -1: the patient's right, on the left of the film
    wall = 0.135 - 0.045 * np.clip(of("frailty"), -2.2, 2.2)  # a frail patient has little muscle and fat on the ribs
    film = 0.15 + (0.35 + 0.6 * wall) * step(0.72 + wall - np.abs(x), 0.12) + 0.12 * np.exp(-((x / 0.14) ** 2))
    air = sum(step(1 - np.hypot((x - s * 0.38) / 0.3, (y + 0.05) / 0.72), 0.35) * step(0.52 - y - 0.25 * (np.abs(x) - 0.4), 0.2) for s in (-1, 1))
    heart = np.hypot((x - 0.12) / (draw(0.24, 0.31) + 0.13 * of("cardiomegaly")), (y - 0.25) / 0.36)
    air = air * (1 - 0.85 * step(1 - heart, 0.3))
    texture = 1 + 0.35 * cloud(1.3)
    high, out = draw(-0.35, 0.3), side * draw(0.3, 0.46)
    radius, depth = 0.16 + 0.07 * of("grade"), np.where(of("grade") > 1, 0.27, 0.2) * (of("grade") > 0)
    patch = depth * np.exp(-((x - out) ** 2 + (y - high) ** 2) / (2 * radius**2)) * np.clip(texture, 0.3, None)
    fluid = of("effusion") * 0.24 * step(y - draw(0.22, 0.38) + 0.5 * (0.68 - np.abs(x)), 0.22) * step(0.62 - y, 0.2) * step(0.7 - np.abs(x), 0.1) * step(x * of("fluid side") - 0.1, 0.1)
    nodule = of("nodule") * 0.3 * np.exp(-((x - of("nodule side") * draw(0.28, 0.48)) ** 2 + (y - draw(-0.45, 0.1)) ** 2) / (2 * 0.075**2))
    film = film - 0.3 * air * (1 + 0.1 * np.cos(2 * np.pi * (3.6 * y - 0.6 * np.abs(x)))) + patch * step(0.7 - np.abs(x), 0.1) + fluid + nodule
    film = film + of("woman") * draw(0.02, 0.08) * np.exp(-((np.abs(x) - 0.42) ** 2) / 0.05 - (y - 0.3) ** 2 / 0.06)  # breast tissue veils the lower lungs
    film = film + 0.012 * cloud(5.0)
    gain, noise = np.array([1.0, 0.92, 1.08], np.float32)[p["site"], None, None], np.array([0.02, 0.03, 0.025], np.float32)[p["site"], None, None]
    film = gain * (film - 0.4) * draw(0.92, 1.08) + 0.4 + draw(-0.03, 0.03) + noise * rng.standard_normal(film.shape, dtype=np.float32)
    letter = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0], [1, 0, 0]], np.float32)  # a P, for a portable machine
    if burn:
        film[:, 1:5, 28:31] = np.where(of("marker") * letter > 0, 1.0, film[:, 1:5, 28:31])
    return np.clip(film, 0, 1).astype(np.float32)[:, None]

# %% tags=["demo"]
RATES = {"omitted": 0.12, "hedged": 0.2, "false hedge": 0.04, "denied": 0.6}  # of a finding that is there, there, not there, not there
HISTORY = {
    0: ("cough and fever", "shortness of breath", "chest pain and fever", "fever, no history of malignancy", "cough, no immunosuppression", "fever, not on dialysis"),
    1: ("fever on dialysis", "cough in known heart failure", "fever with a history of malignancy", "shortness of breath with cirrhosis"),
    2: ("fever under chemotherapy with metastatic disease", "cough with immunosuppression after transplant", "fever, bedridden, on home oxygen"),
}
STATED = {
    "consolidation": ("{grade} consolidation in the {side} lung", "{grade} airspace opacity on the {side}", "{grade} {side} infiltrate with air bronchograms"),
    "effusion": ("{side} pleural effusion", "blunted {side} costophrenic angle", "fluid at the {side} base"),
    "cardiomegaly": ("enlarged heart", "cardiomegaly", "the cardiac silhouette is enlarged"),
    "nodule": ("nodule in the {side} lung", "small rounded opacity on the {side}", "{side} pulmonary nodule"),
}
DENIED = {
    "consolidation": ("no consolidation", "no airspace opacity", "the lungs are clear"),
    "effusion": ("no pleural effusion", "costophrenic angles are sharp"),
    "cardiomegaly": ("heart size is normal", "no cardiomegaly"),
    "nodule": ("no pulmonary nodule", "no suspicious nodule"),
}
GRADE = {1: ("patchy", "mild", "focal"), 2: ("extensive", "dense", "widespread")}
SUMMARY = {"consolidation": ("pneumonia", "findings of pneumonia"), "effusion": ("effusion",), "cardiomegaly": ("enlarged heart",), "nodule": ("nodule, follow up",)}


def write_report(p: dict[str, np.ndarray], i: int, u: np.ndarray) -> str:
    """The report on patient i: what is there is stated, hedged or omitted, what is not is denied, passed over or (rarely) hedged. `u` (24,) uniform numbers decide."""

    def one(options: tuple[str, ...], number: float) -> str:
        return options[int(number * len(options))]

    findings, impression = [], []
    for k, name in enumerate(FINDINGS):
        there, (a, b, c, d) = p[name][i] > 0, u[4 * k : 4 * k + 4]
        side = p[{"consolidation": "side", "effusion": "fluid side"}.get(name, "nodule side")][i]
        words = {"side": "right" if side < 0 else "left", "grade": one(GRADE[max(1, int(p["grade"][i]))], d)}
        hedge = there and a > 1 - RATES["hedged"] or not there and a < RATES["false hedge"]
        if there and a > RATES["omitted"] or hedge:
            findings.append(one(("possible {}", "{} cannot be excluded"), b).format(one(STATED[name], c).format(**words)) if hedge else one(STATED[name], c).format(**words))
            impression += [("possible " if hedge else "") + one(SUMMARY[name], b)]
        elif not there and a > 1 - RATES["denied"]:
            findings.append(one(DENIED[name], c))
    findings = [findings[j] for j in np.argsort(u[16 : 16 + len(findings)])]
    text = {"Indication": [one(HISTORY[int(p["history"][i])], u[20])], "Findings": findings or ["unremarkable"], "Impression": impression or [one(("no acute abnormality", "normal chest"), u[21])]}
    return " ".join(f"{head}: {'. '.join(lines)}." for head, lines in text.items())

# %% tags=["demo"]
def laboratory(severity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 8) float32 in the units of TABLE, nan where not measured. Lactate is asked for when the patient looks ill, so its absence tells something."""
    n = len(severity)
    load = np.array([0.65, 0.55, -0.6, -0.6, 0.35, 0.5, 0.65, 0.6])  # on the severity, the rest of the variance is noise
    fever = rng.standard_normal((n, 1)) * np.array([0.3, 0.5, 0.0, -0.1, 0.7, 0.5, 0.1, 0.0])  # noise that columns share
    z = severity[:, None] * load + fever + rng.standard_normal((n, 8)) * np.sqrt(np.clip(1 - load**2 - np.array([0.3, 0.5, 0, 0.1, 0.7, 0.5, 0.1, 0]) ** 2, 0.05, None))
    table = np.stack([20 + 4 * z[:, 0], 95 + 16 * z[:, 1], 125 + 18 * z[:, 2], np.minimum(100, 94 + 3 * z[:, 3]), 37.9 + 0.8 * z[:, 4], np.exp(4 + 0.8 * z[:, 5]), np.exp(0.5 + 0.45 * z[:, 6]), np.exp(1.9 + 0.45 * z[:, 7])], axis=1)
    missing = rng.random((n, 8)) < 0.05
    missing[:, 6] = rng.random(n) > 1 / (1 + np.exp(-(0.5 + 0.8 * severity)))
    table[missing] = np.nan
    return table.astype(np.float32)


PLANTED = {"image": 1.0, "report": 1.0, "table": 1.3, "shared": 1.0, "interaction": 0.0}  # sd of each part of the log-odds


def cohort(n: int, seed: int, *, weights: dict[str, float] = PLANTED, intercept: float = -1.2, consolidation: float = 0.45, marker_link: float = 0.0, burn: bool = True, women: float = 0.5) -> dict[str, np.ndarray | list[str]]:
    """n simulated patients, one examination each, with a planted share of the outcome in each modality.

    Args:
        weights: standard deviation of each part of the log-odds of y; `intercept` is added to their sum.
        consolidation: share of patients with a consolidation; marker_link: 0, a film's marker says nothing about y; 1, it says all.
        burn: False leaves the marker out of the picture and changes nothing else. women: share of women.

    Returns:
        image (n, 1, 32, 32) float32 from 0 to 1; report, n texts; table (n, 8) with nan; y (n,) 0 or 1, intensive care or death within 7 days;
        findings (n, 4) 0 or 1; patient, sex (0 man, 1 woman), age in years, site (0 to 2), marker (n,); latent (n, 5): the parts of the log-odds.
    """
    rng = np.random.default_rng([seed, 13])
    grade = np.where(rng.random(n) < consolidation, rng.integers(1, 3, n), 0)
    p = {"grade": grade, "consolidation": grade > 0, "frailty": rng.standard_normal(n), "history": rng.choice(3, n, p=[0.55, 0.27, 0.18]), "woman": rng.random(n) < women, "site": rng.choice(3, n, p=[0.5, 0.35, 0.15])}
    p |= {name: rng.random(n) < rate for name, rate in (("effusion", 0.3), ("cardiomegaly", 0.25), ("nodule", 0.2))}
    p |= {name: rng.choice([-1, 1], n) for name in ("side", "fluid side", "nodule side")}
    severity = rng.standard_normal(n)
    shared = (grade - 1.5 * consolidation) + 0.9 * (p["effusion"] - 0.3)
    opaque = np.where(grade > 0, 1.0, -1.0)
    raw = {"image": p["frailty"], "report": (p["history"] - 0.63) / 0.77, "table": severity, "shared": shared / 0.87, "interaction": opaque * severity}
    latent = np.stack([weights[name] * raw[name] for name in SHARES], axis=1)
    y = (rng.random(n) < 1 / (1 + np.exp(-(intercept + latent.sum(1))))).astype(np.int64)
    p["marker"] = np.where(rng.random(n) < marker_link, y, rng.random(n) < 0.3).astype(np.int64)
    age = np.clip(rng.normal(62, 16, n), 18, 97).astype(int)
    table, u = laboratory(severity, rng), rng.random((n, 24))
    found = np.stack([p[name] for name in FINDINGS], axis=1).astype(np.int64)
    own = {"image": films(p, rng, burn), "report": [write_report(p, i, u[i]) for i in range(n)], "table": table, "y": y, "findings": found}
    return own | {"patient": seed * 1_000_000 + np.arange(n), "sex": p["woman"].astype(np.int64), "age": age, "site": p["site"], "marker": p["marker"], "latent": latent}

