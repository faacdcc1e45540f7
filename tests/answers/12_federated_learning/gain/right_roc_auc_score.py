def gain_of_joining(labels: np.ndarray, own: np.ndarray, federated: np.ndarray, draws: int, seed: int) -> tuple[float, float, float]:
    from sklearn.metrics import roc_auc_score

    if len(np.unique(labels)) < 2 or not len(labels) == len(own) == len(federated):
        raise ValueError("both classes must be there")
    rng, gains = np.random.default_rng(seed), []
    while len(gains) < draws:
        rows = rng.integers(len(labels), size=len(labels))
        if len(np.unique(labels[rows])) == 2:
            gains.append(roc_auc_score(labels[rows], federated[rows]) - roc_auc_score(labels[rows], own[rows]))
    low, high = np.quantile(gains, [0.025, 0.975])
    return roc_auc_score(labels, federated) - roc_auc_score(labels, own), float(low), float(high)
