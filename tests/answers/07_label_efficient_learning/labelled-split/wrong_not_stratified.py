# expect: labelled-split-stratified: draw the classes apart
def label_ladder(labels: np.ndarray, patients: np.ndarray, budgets: list[int], seed: int) -> list[np.ndarray]:
    names = np.unique(patients)
    if min(budgets) < 2 or max(budgets) > len(names):
        raise ValueError("budget")
    order = np.random.default_rng(seed).permutation(names)
    return [np.flatnonzero(np.isin(patients, order[:budget])) for budget in budgets]
