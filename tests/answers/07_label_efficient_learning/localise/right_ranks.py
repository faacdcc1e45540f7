from scipy.stats import rankdata


def localisation(attention: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float, float]:
    rows = []
    for a, y in zip(attention, truth):
        a, y = np.asarray(a, dtype=float), np.asarray(y)
        n = y.sum()
        if 0 < y.sum() < len(y):
            rows.append(((rankdata(a)[y == 1].sum() - n * (n + 1) / 2) / (n * (len(y) - n)), y[a == a.max()].mean(), y.mean()))
    if not rows:
        raise ValueError("no bag holds both kinds")
    auc, hit, chance = np.mean(rows, axis=0)
    return float(auc), float(hit), float(chance)
