def clicks_to_target(dice, target):
    dice = np.asarray(dice, float)
    reached = dice >= target
    ok = reached.any(1)
    clicks = np.where(ok, reached.argmax(1) + 1, dice.shape[1])
    return clicks, float(clicks.mean()), float(1 - ok.mean())
