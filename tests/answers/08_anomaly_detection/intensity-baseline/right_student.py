def bright_pixels(healthy, healthy_brain, images, brain, quantile):
    def scaled(scans, masks):
        out = []
        for one, inside in zip(scans, masks):
            if not inside.any():
                raise ValueError("no brain")
            middle = np.median(one[inside])
            if not middle > 0:
                raise ValueError("median not positive")
            out.append(one / middle)
        return out
    pooled = np.concatenate([one[m] for one, m in zip(scaled(healthy, healthy_brain), healthy_brain)])
    t = np.quantile(pooled, quantile)
    return np.stack([(one > t) & m for one, m in zip(scaled(images, brain), brain)])
