# expect: checkpoint-honest: the chosen epoch is not the best on validation
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    epoch = 0
    while epoch + 1 < len(val) and not val[epoch + 1] < val[epoch]:
        epoch += 1
    return epoch, float(test[epoch])
