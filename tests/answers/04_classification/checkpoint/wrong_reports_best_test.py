# expect: checkpoint-honest, checkpoint-edges: of the chosen epoch
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    return int(np.nanargmax(val)), float(np.nanmax(test))
