# expect: intensity-baseline-units: healthy slices have units of their own
def bright_pixels(healthy, healthy_brain, images, brain, quantile):
    if not brain.any((1, 2)).all() or not healthy_brain.any((1, 2)).all():
        raise ValueError("bad")
    t = np.quantile(healthy[healthy_brain] / np.median(healthy[healthy_brain]), quantile)
    out = []
    for one, m in zip(images, brain):
        mid = np.median(one[m])
        if mid <= 0: raise ValueError("bad")
        out.append((one / mid > t) & m)
    return np.stack(out)
