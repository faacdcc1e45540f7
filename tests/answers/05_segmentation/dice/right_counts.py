def dice_scores(prediction: np.ndarray, truth: np.ndarray, n_classes: int) -> np.ndarray:
    if prediction.shape != truth.shape:
        raise ValueError("shapes differ")
    rows = []
    for p, t in zip(prediction, truth):
        table = np.zeros((n_classes, n_classes))
        np.add.at(table, (p.ravel(), t.ravel()), 1)
        size = table.sum(0) + table.sum(1)
        rows.append([2 * table[c, c] / size[c] if size[c] > 0 else 1 for c in range(1, n_classes)])
    return np.array(rows, dtype=float)
