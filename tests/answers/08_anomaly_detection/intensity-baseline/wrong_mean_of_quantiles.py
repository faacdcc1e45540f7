# expect: intensity-baseline-healthy: at the quantile
def bright_pixels(healthy, healthy_brain, images, brain, quantile):
    def scaled(scans, masks):
        out = []
        for one, inside in zip(scans, masks):
            if not inside.any() or not np.median(one[inside]) > 0:
                raise ValueError("bad")
            out.append(one / np.median(one[inside]))
        return out
    t = np.mean([np.quantile(one[m], quantile) for one, m in zip(scaled(healthy, healthy_brain), healthy_brain)])
    return np.stack([(one > t) & m for one, m in zip(scaled(images, brain), brain)])
