# expect: checkpoint-edges: nan
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    epoch = int(np.argmax(val))
    return epoch, float(test[epoch])
