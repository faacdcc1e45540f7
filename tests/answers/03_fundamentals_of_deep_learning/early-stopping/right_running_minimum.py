def early_stopping(val: np.ndarray, test: np.ndarray, patience: int) -> tuple[int, int, float]:
    if patience < 1:
        raise ValueError("patience must be at least 1")
    clean = np.where(np.isnan(val), np.inf, val)
    before = np.concatenate([[np.inf], np.minimum.accumulate(clean)[:-1]])
    improved = clean < before
    epochs = len(val)
    for end in range(patience, len(val) + 1):
        if not improved[end - patience : end].any():
            epochs = end
            break
    kept = int(np.argmin(clean[:epochs]))
    return epochs, kept, test[kept]
