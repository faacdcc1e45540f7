# expect: target-prevalence-bad: raise a ValueError
def target_prevalence(source_labels: np.ndarray, source_calls: np.ndarray, target_calls: np.ndarray) -> float:
    y, c, t = np.asarray(source_labels).astype(int), np.asarray(source_calls).astype(float), np.asarray(target_calls).astype(float)
    tpr, fpr = c[y == 1].mean(), c[y == 0].mean()
    return float(np.clip((t.mean() - fpr) / (tpr - fpr), 0, 1))
