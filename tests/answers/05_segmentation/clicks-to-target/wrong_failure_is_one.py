# expect: clicks-to-target-censored: argmax of a row without True
def clicks_to_target(dice: np.ndarray, target: float) -> tuple[np.ndarray, float, float]:
    reached = dice >= target
    success = reached.any(axis=1)
    clicks = reached.argmax(axis=1) + 1
    return clicks, float(clicks.mean()), float(1 - success.mean())
