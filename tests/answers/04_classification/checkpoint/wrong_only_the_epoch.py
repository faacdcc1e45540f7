# expect: checkpoint-honest, checkpoint-edges: return two things
def choose_checkpoint(val: np.ndarray, test: np.ndarray) -> tuple[int, float]:
    return int(np.nanargmax(val))
