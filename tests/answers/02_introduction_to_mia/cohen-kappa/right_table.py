def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    """By the table of answers."""
    classes = np.union1d(a, b)
    table = np.array([[np.mean((a == x) & (b == y)) for y in classes] for x in classes])
    difference = classes[:, None].astype(float) - classes[None, :]
    cost = difference**2 if weights == "quadratic" else (difference != 0) * 1.0
    chance = (cost * np.outer(table.sum(1), table.sum(0))).sum()
    if chance == 0:
        return float("nan")
    return 1 - (cost * table).sum() / chance
