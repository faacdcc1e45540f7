# expect: checkpoint-honest, checkpoint-edges: you chose epoch 3
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    return len(val) - 1, float(test[-1])
