# expect: localise-within, localise-ties: every bag counts the same
def localisation(attention: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float, float]:
    kept = [(a, y) for a, y in zip(attention, truth) if 0 < y.sum() < len(y)]
    if not kept:
        raise ValueError("nothing to find")
    auc = np.mean([((a[y == 1][:, None] > a[y == 0]) + 0.5 * (a[y == 1][:, None] == a[y == 0])).mean() for a, y in kept])
    return auc, np.mean([y[a == a.max()].mean() for a, y in kept]), np.concatenate([y for _, y in kept]).mean()
