def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    scored = [(-score, epoch) for epoch, score in enumerate(np.asarray(val).tolist()) if score == score]
    epoch = min(scored)[1]
    return epoch, float(test[epoch])
