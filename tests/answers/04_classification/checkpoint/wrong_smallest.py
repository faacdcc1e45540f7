# expect: checkpoint-honest, checkpoint-edges: validation is best in epoch 2
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    epoch = int(np.nanargmin(val))
    return epoch, float(test[epoch])
