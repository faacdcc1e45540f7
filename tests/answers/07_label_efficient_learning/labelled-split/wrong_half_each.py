# expect: labelled-split-stratified: 30 % of 200 patients
def label_ladder(labels: np.ndarray, patients: np.ndarray, budgets: list[int], seed: int) -> list[np.ndarray]:
    names, first = np.unique(patients, return_index=True)
    if min(budgets) < 2 or max(budgets) > len(names):
        raise ValueError(f"budgets must lie between 2 and the {len(names)} patients there are")
    sick = labels[first] == 1
    rng = np.random.default_rng(seed)
    queues = [rng.permutation(names[~sick]), rng.permutation(names[sick])]
    ladder = []
    for budget in budgets:
        n_sick = min(max(budget // 2, 1), budget - 1)
        chosen = np.concatenate([queues[0][: budget - n_sick], queues[1][:n_sick]])
        ladder.append(np.flatnonzero(np.isin(patients, chosen)))
    return ladder
