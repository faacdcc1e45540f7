# expect: audit-mark-p: the tail is turned
def audit_mark(maps: np.ndarray, mark: np.ndarray, controls: np.ndarray) -> tuple[float, float, float]:
    if not mark.any() or len(controls) == 0 or any(one.sum() != mark.sum() for one in controls):
        raise ValueError("a mark and controls of its size are needed")
    if not (np.abs(maps).sum((1, 2)) > 0).all():
        raise ValueError("a map is 0 everywhere")
    size = np.abs(maps)
    total = size.sum((1, 2))
    shares = np.array([((size * patch).sum((1, 2)) / total).mean() for patch in [mark, *controls]])
    return float(shares[0]), float(shares[1:].mean()), float((1 + (shares[1:] <= shares[0] + 1e-12).sum()) / len(shares))
