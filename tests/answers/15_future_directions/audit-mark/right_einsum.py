def audit_mark(maps: np.ndarray, mark: np.ndarray, controls: np.ndarray) -> tuple[float, float, float]:
    if not mark.any() or len(controls) == 0 or any(one.sum() != mark.sum() for one in controls):
        raise ValueError("a mark and controls of its size are needed")
    if not (np.abs(maps).sum((1, 2)) > 0).all():
        raise ValueError("a map is 0 everywhere")
    share = np.abs(maps) / np.abs(maps).sum((1, 2))[:, None, None]
    places = np.concatenate([mark[None], controls]).astype(float)
    mean = np.einsum("nhw,khw->k", share, places) / len(maps)
    return float(mean[0]), float(mean[1:].mean()), float(np.mean(mean >= mean[0] - 1e-12))
