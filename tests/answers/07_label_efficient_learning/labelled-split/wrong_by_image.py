# expect: labelled-split-patients: the budget counts patients
def label_ladder(labels: np.ndarray, patients: np.ndarray, budgets: list[int], seed: int) -> list[np.ndarray]:
    n = len(np.unique(patients))
    if min(budgets) < 2 or max(budgets) > n:
        raise ValueError("budget")
    rng = np.random.default_rng(seed)
    queues = [rng.permutation(np.flatnonzero(labels == c)) for c in (0, 1)]
    ladder = []
    for budget in budgets:
        n_sick = min(max(round(budget * labels.mean()), 1), budget - 1)
        ladder.append(np.concatenate([queues[0][: budget - n_sick], queues[1][:n_sick]]))
    return ladder
