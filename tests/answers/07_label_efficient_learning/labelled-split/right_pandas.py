def label_ladder(labels: np.ndarray, patients: np.ndarray, budgets: list[int], seed: int) -> list[np.ndarray]:
    import pandas as pd

    table = pd.DataFrame({"label": labels, "patient": patients}).groupby("patient").label.first().sample(frac=1, random_state=seed)
    if min(budgets) < 2 or max(budgets) > len(table):
        raise ValueError("too few patients, or too small a budget")
    p, ladder = table.mean(), []
    for budget in budgets:
        n_sick = max(1, min(budget - 1, round(budget * p)))
        chosen = [*table[table == 1].index[:n_sick], *table[table == 0].index[: budget - n_sick]]
        ladder.append(np.flatnonzero(pd.Series(patients).isin(chosen)))
    return ladder
