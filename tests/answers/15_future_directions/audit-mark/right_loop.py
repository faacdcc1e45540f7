def audit_mark(maps: np.ndarray, mark: np.ndarray, controls: np.ndarray) -> tuple[float, float, float]:
    if not mark.any() or len(controls) == 0 or any(one.sum() != mark.sum() for one in controls):
        raise ValueError("a mark and controls of its size are needed")
    if not (np.abs(maps).sum((1, 2)) > 0).all():
        raise ValueError("a map is 0 everywhere")
    def share(patch: np.ndarray) -> float:
        return float(np.mean([np.abs(one)[patch].sum() / np.abs(one).sum() for one in maps]))

    mine, others = share(mark), [share(patch) for patch in controls]
    return mine, sum(others) / len(others), (1 + sum(other >= mine - 1e-12 for other in others)) / (1 + len(others))
