# expect: audit-mark-bad: must raise a ValueError
def audit_mark(maps: np.ndarray, mark: np.ndarray, controls: np.ndarray) -> tuple[float, float, float]:
    size = np.abs(maps)
    share = size / np.maximum(size.sum((1, 2)), 1e-12)[:, None, None]
    all_shares = np.array([share[:, patch].sum(1).mean() for patch in [mark, *controls]])
    elsewhere = all_shares[1:].mean() if len(all_shares) > 1 else 0.0
    return float(all_shares[0]), float(elsewhere), float((1 + (all_shares[1:] >= all_shares[0] - 1e-12).sum()) / len(all_shares))
