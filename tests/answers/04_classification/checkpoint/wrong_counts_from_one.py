# expect: checkpoint-honest, checkpoint-edges: you chose epoch 3
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    epoch = int(np.nanargmax(val))
    return epoch + 1, float(test[epoch])
