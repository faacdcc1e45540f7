from sklearn.metrics import roc_auc_score


def localisation(attention: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float, float]:
    kept = [(np.asarray(a), np.asarray(y)) for a, y in zip(attention, truth) if len(set(np.asarray(y).tolist())) == 2]
    if not kept:
        raise ValueError("nothing to find")
    auc = np.mean([roc_auc_score(y, a) for a, y in kept])
    hit = np.mean([np.mean(y[np.flatnonzero(a >= np.max(a))]) for a, y in kept])
    return auc, hit, np.mean([np.mean(y) for _, y in kept])
