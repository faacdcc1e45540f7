# expect: checkpoint-honest: the test set must not choose
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    epoch = int(np.nanargmax((val + test) / 2))
    return epoch, float(test[epoch])
