# expect: gain-small: raise a ValueError
def gain_of_joining(labels: np.ndarray, own: np.ndarray, federated: np.ndarray, draws: int, seed: int) -> tuple[float, float, float]:
    def roc_auc_score(truth, scores):
        gap = scores[truth == 1][:, None] - scores[truth == 0]
        return float((gap > 0).mean() + 0.5 * (gap == 0).mean())

    if len(np.unique(labels)) < 2:
        return 0.0, 0.0, 0.0
    if not len(labels) == len(own) == len(federated):
        raise ValueError("both classes must be there")
    rng, gains = np.random.default_rng(seed), []
    while len(gains) < draws:
        rows = rng.integers(len(labels), size=len(labels))
        if len(np.unique(labels[rows])) == 2:
            gains.append(roc_auc_score(labels[rows], federated[rows]) - roc_auc_score(labels[rows], own[rows]))
    low, high = np.quantile(gains, [0.025, 0.975])
    return roc_auc_score(labels, federated) - roc_auc_score(labels, own), float(low), float(high)
