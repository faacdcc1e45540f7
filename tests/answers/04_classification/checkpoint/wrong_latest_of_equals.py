# expect: checkpoint-edges: keep the earlier
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    epoch = len(val) - 1 - int(np.nanargmax(val[::-1]))
    return epoch, float(test[epoch])
