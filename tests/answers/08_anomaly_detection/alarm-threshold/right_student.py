def alarm_threshold(maps, brain, fpr):
    maps, brain = np.asarray(maps), np.asarray(brain, bool)
    if not 0 <= fpr < 1:
        raise ValueError("fpr must be in [0, 1)")
    maxima = []
    for one, inside in zip(maps, brain):
        if not inside.any():
            raise ValueError("a subject has no brain")
        maxima.append(one[inside].max())
    k = int(np.floor(fpr * len(maxima) + 1e-9))
    return float(np.sort(maxima)[::-1][k])
