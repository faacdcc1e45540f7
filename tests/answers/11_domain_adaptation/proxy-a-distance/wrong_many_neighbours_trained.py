# expect: proxy-a-distance-formula: no linear classifier tells them apart
def proxy_a_distance(source: np.ndarray, target: np.ndarray, source_patients: np.ndarray, target_patients: np.ndarray, folds: int = 5) -> float:
    from sklearn.neighbors import KNeighborsClassifier
    x = np.concatenate([source, target])
    if not np.isfinite(x).all() or len(source) != len(source_patients) or len(target) != len(target_patients):
        raise ValueError("bad input")
    if min(len(set(source_patients)), len(set(target_patients))) < folds:
        raise ValueError("too few patients")
    y = np.r_[np.zeros(len(source)), np.ones(len(target))]
    guess = KNeighborsClassifier(51).fit(x, y).predict(x)
    error = ((guess[y == 0] != 0).mean() + (guess[y == 1] != 1).mean()) / 2
    return float(max(0.0, 2 * (1 - 2 * error)))
