def gain_of_joining(labels: np.ndarray, own: np.ndarray, federated: np.ndarray, draws: int, seed: int) -> tuple[float, float, float]:
    if not len(labels) == len(own) == len(federated) or len(np.unique(labels)) < 2:
        raise ValueError("one class only, or lengths differ")
    rng = np.random.default_rng(seed)
    wins = [(s[labels == 1][:, None] > s[labels == 0]) + 0.5 * (s[labels == 1][:, None] == s[labels == 0]) for s in (own, federated)]
    gap = wins[1] - wins[0]
    sick, well = gap.shape
    again = [gap[rng.integers(sick, size=sick)][:, rng.integers(well, size=well)].mean() for _ in range(draws)]
    return float(gap.mean()), *(float(end) for end in np.quantile(again, [0.025, 0.975]))
