# expect: clicks-to-target-first: the cases take 1, 3, 2 and 4 clicks
def clicks_to_target(dice: np.ndarray, target: float) -> tuple[np.ndarray, float, float]:
    reached = dice >= target
    success = reached.any(axis=1)
    clicks = np.where(success, np.nan_to_num(dice).argmax(axis=1) + 1, dice.shape[1])
    return clicks, float(clicks.mean()), float(1 - success.mean())
