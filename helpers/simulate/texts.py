"""Synthetic chest-radiograph reports written from known findings; every report says that it is synthetic."""

from dataclasses import dataclass

import numpy as np

from .fields import generator

FINDINGS = ("pneumonia", "effusion", "pneumothorax", "cardiomegaly", "nodule", "fracture")
_SIDES = ("right", "left")
_BANNER = "SYNTHETIC REPORT - simulated for teaching, no real patient."

# name: (sentences where present, sentences where absent, line of the impression); {side} and {size} are filled in
_SENTENCES = {
    "pneumonia": (
        (
            "There is airspace opacity in the {side} lower zone.",
            "Patchy consolidation is seen in the {side} lung base.",
            "Focal opacification with air bronchograms on the {side}.",
        ),
        ("No focal consolidation.", "The lungs are clear.", "No airspace opacity is seen."),
        "Findings consistent with {side} pneumonia.",
    ),
    "effusion": (
        (
            "A {side} pleural effusion blunts the costophrenic angle.",
            "There is a small {side} pleural effusion.",
            "Fluid tracks along the {side} chest wall.",
        ),
        ("No pleural effusion.", "The costophrenic angles are sharp."),
        "{Side} pleural effusion.",
    ),
    "pneumothorax": (
        ("A {side} apical pneumothorax is present.", "A visceral pleural line is visible at the {side} apex."),
        ("No pneumothorax.", "There is no evidence of pneumothorax."),
        "{Side} pneumothorax.",
    ),
    "cardiomegaly": (
        ("The cardiac silhouette is enlarged.", "The heart is enlarged, with a cardiothoracic ratio of {ratio}."),
        ("Heart size is normal.", "The cardiac silhouette is not enlarged."),
        "Cardiomegaly.",
    ),
    "nodule": (
        ("A {size} mm nodule projects over the {side} upper zone.", "There is a {size} mm rounded opacity in the {side} mid zone."),
        ("No suspicious nodule.", "No pulmonary nodule is identified."),
        "{size} mm {side} pulmonary nodule; CT is suggested.",
    ),
    "fracture": (
        ("There is a fracture of the {side} seventh rib.", "A minimally displaced {side} rib fracture is noted."),
        ("No acute bony abnormality.", "The visible skeleton is intact."),
        "{Side} rib fracture.",
    ),
}
_CHANCE = {"pneumonia": 0.3, "effusion": 0.25, "pneumothorax": 0.08, "cardiomegaly": 0.25, "nodule": 0.12, "fracture": 0.08}


@dataclass(frozen=True)
class Report:
    text: str  # the whole report, banner first
    findings_text: str  # the section FINDINGS
    impression: str  # the section IMPRESSION
    findings: dict[str, bool]  # every name in FINDINGS
    labels: np.ndarray  # (len(FINDINGS),) int64, 0/1, in the order of FINDINGS
    details: dict[str, str]  # name -> side, or side and size, of what is present
    seed: int


def report(findings: dict[str, bool] | None = None, *, seed: int = 0) -> Report:
    """A chest-radiograph report that states exactly the given findings; absent ones are denied or left out.

    Args:
        findings: name -> present; names not given are absent. None draws them at random (pneumonia and effusion go together).
    """
    rng = generator(seed, "report")
    if findings is None:
        truth = {name: bool(rng.random() < chance) for name, chance in _CHANCE.items()}
        truth["effusion"] = truth["effusion"] or (truth["pneumonia"] and bool(rng.random() < 0.3))
    else:
        unknown = set(findings) - set(FINDINGS)
        if unknown:
            raise ValueError(f"unknown findings {sorted(unknown)}; a report can state {', '.join(FINDINGS)}.")
        truth = {name: bool(findings.get(name, False)) for name in FINDINGS}
    sentences, impression, details = [], [], {}
    for name in FINDINGS:
        present, absent, line = _SENTENCES[name]
        side = _SIDES[int(rng.integers(2))]
        fill = {"side": side, "Side": side.capitalize(), "size": int(rng.integers(6, 25)), "ratio": f"{rng.uniform(0.55, 0.68):.2f}"}
        choice, mention = rng.random(), rng.random()
        options = present if truth[name] else absent
        if truth[name] or mention < 0.75:
            sentences.append(options[int(choice * len(options))].format(**fill))
        if truth[name]:
            impression.append(line.format(**fill))
            details[name] = {"cardiomegaly": "", "nodule": f"{side} {fill['size']} mm"}.get(name, side)
    order = rng.permutation(len(sentences))
    body = " ".join(sentences[i] for i in order) or "No abnormality is described."
    conclusion = " ".join(impression) or "No acute cardiopulmonary abnormality."
    indication = ("Cough and fever.", "Shortness of breath.", "Chest pain.", "Preoperative assessment.")[int(rng.integers(4))]
    text = f"{_BANNER}\nEXAMINATION: Chest radiograph, PA.\nINDICATION: {indication}\nFINDINGS: {body}\nIMPRESSION: {conclusion}"
    labels = np.array([truth[name] for name in FINDINGS], dtype=np.int64)
    return Report(text, body, conclusion, truth, labels, details, seed)
