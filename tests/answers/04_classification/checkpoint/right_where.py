def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    epoch = int(np.argmax(np.where(np.isnan(val), -np.inf, val)))
    return epoch, test[epoch]
