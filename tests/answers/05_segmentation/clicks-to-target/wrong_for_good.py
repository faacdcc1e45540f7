# expect: clicks-to-target-first: the first time counts
def clicks_to_target(dice: np.ndarray, target: float) -> tuple[np.ndarray, float, float]:
    reached = np.minimum.accumulate(dice[:, ::-1], axis=1)[:, ::-1] >= target
    success = reached.any(axis=1)
    clicks = np.where(success, reached.argmax(axis=1) + 1, dice.shape[1])
    return clicks, float(clicks.mean()), float(1 - success.mean())
