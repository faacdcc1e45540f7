# expect: localise-within, localise-ties: cells of different patients
from sklearn.metrics import roc_auc_score


def localisation(attention: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float, float]:
    kept = [(np.asarray(a), np.asarray(y)) for a, y in zip(attention, truth) if 0 < np.sum(y) < len(y)]
    if not kept:
        raise ValueError("nothing to find")
    auc = roc_auc_score(np.concatenate([y for _, y in kept]), np.concatenate([a for a, _ in kept]))
    return auc, float(np.mean([y[a == a.max()].mean() for a, y in kept])), float(np.mean([y.mean() for _, y in kept]))
