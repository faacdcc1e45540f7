# expect: localise-within: should be left out
def localisation(attention: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float, float]:
    rows = []
    for a, y in zip(attention, truth):
        both = 0 < y.sum() < len(y)
        auc = ((a[y == 1][:, None] > a[y == 0]) + 0.5 * (a[y == 1][:, None] == a[y == 0])).mean() if both else 0.5
        rows.append((auc, y[a == a.max()].mean(), y.mean()))
    if not any(0 < y.sum() < len(y) for y in truth):
        raise ValueError("nothing to find")
    return tuple(float(v) for v in np.mean(rows, axis=0))
