def label_ladder(labels: np.ndarray, patients: np.ndarray, budgets: list[int], seed: int) -> list[np.ndarray]:
    people = {}
    for p, y in zip(patients, labels):
        people[p] = int(y)
    if min(budgets) < 2 or max(budgets) > len(people):
        raise ValueError("a budget can't be filled")
    order = list(people)
    np.random.default_rng(seed + 7).shuffle(order)
    healthy, sick = [p for p in order if people[p] == 0], [p for p in order if people[p] == 1]
    out = []
    for b in budgets:
        n = int(np.clip(np.floor(b * len(sick) / len(order) + 0.5), 1, b - 1))
        who = set(healthy[: b - n]) | set(sick[:n])
        out.append(np.array([i for i, p in enumerate(patients) if p in who]))
    return out
