def clicks_to_target(dice: np.ndarray, target: float) -> tuple[np.ndarray, float, float]:
    clicks, failures = [], 0
    for row in dice:
        for k, value in enumerate(row, start=1):
            if value >= target:
                clicks.append(k)
                break
        else:
            clicks.append(len(row))
            failures += 1
    return clicks, sum(clicks) / len(clicks), failures / len(clicks)
