def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    """With plain Python."""
    import random

    ill = {}
    for patient, label in zip(patients.tolist(), labels.tolist()):
        ill[patient] = max(ill.get(patient, 0), label)
    draw, chosen = random.Random(seed), set()
    for status in (0, 1):
        group = sorted(p for p, s in ill.items() if s == status)
        chosen.update(draw.sample(group, round(fraction * len(group))))
    return np.array([p in chosen for p in patients.tolist()])
