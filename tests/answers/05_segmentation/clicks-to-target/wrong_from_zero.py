# expect: clicks-to-target-first: you count from 0
def clicks_to_target(dice: np.ndarray, target: float) -> tuple[np.ndarray, float, float]:
    reached = dice >= target
    success = reached.any(axis=1)
    clicks = np.where(success, reached.argmax(axis=1), dice.shape[1])
    return clicks, float(clicks.mean()), float(1 - success.mean())
