# expect: checkpoint-edges: of two equally good epochs keep the earlier
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    best = np.flatnonzero(val == np.nanmax(val))
    epoch = int(best[np.argmax(test[best])])
    return epoch, float(test[epoch])
