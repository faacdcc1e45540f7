# expect: checkpoint-honest, checkpoint-edges: the test set must not choose
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    epoch = int(np.nanargmax(test))
    return epoch, float(test[epoch])
