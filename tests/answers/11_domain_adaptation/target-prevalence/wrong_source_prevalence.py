# expect: target-prevalence-value: source's prevalence
def target_prevalence(source_labels: np.ndarray, source_calls: np.ndarray, target_calls: np.ndarray) -> float:
    y, c, t = np.asarray(source_labels).astype(int), np.asarray(source_calls).astype(float), np.asarray(target_calls).astype(float)
    if len(t) == 0 or y.min() == y.max():
        raise ValueError("bad input")
    tpr, fpr, share = c[y == 1].mean(), c[y == 0].mean(), t.mean()
    if tpr <= fpr:
        raise ValueError("no information")
    return float(y.mean())
