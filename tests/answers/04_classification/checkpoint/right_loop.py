def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    best = None
    for epoch, score in enumerate(val):
        if not np.isnan(score) and (best is None or score > val[best]):
            best = epoch
    return best, float(test[best])
