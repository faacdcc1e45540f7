# expect: localise-ties: argmax takes the first of equals
def localisation(attention: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float, float]:
    rows = []
    for a, y in zip(attention, truth):
        a, y = np.asarray(a, dtype=float), np.asarray(y)

        if 0 < y.sum() < len(y):
            rows.append((((a[y == 1][:, None] > a[y == 0]) + 0.5 * (a[y == 1][:, None] == a[y == 0])).mean(), y[np.argmax(a)], y.mean()))
    if not rows:
        raise ValueError("no bag holds both kinds")
    auc, hit, chance = np.mean(rows, axis=0)
    return float(auc), float(hit), float(chance)
