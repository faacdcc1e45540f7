# expect: checkpoint-edges: dropping nan moves
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    scores = val[~np.isnan(val)]
    epoch = int(scores.argmax())
    return epoch, float(test[epoch])
