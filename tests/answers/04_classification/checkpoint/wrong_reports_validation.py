# expect: checkpoint-honest, checkpoint-edges: report the test AUC
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    epoch = int(np.nanargmax(val))
    return epoch, float(val[epoch])
