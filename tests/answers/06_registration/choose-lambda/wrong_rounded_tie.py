# expect: choose-lambda-broken: are no tie
import pandas as pd


def choose_lambda(rows, limit):
    table = pd.DataFrame([row for row in rows if row["split"] == "validation"])
    if table.empty:
        raise ValueError("no validation")
    table["good"] = np.isfinite(table["error"]) & (table["folded"] <= limit)
    table = table[table["weight"].map(table.groupby("weight")["good"].all())]
    if table.empty:
        raise ValueError("none allowed")
    error = table.groupby(["weight", "patient"])["error"].mean().groupby("weight").mean().round(1)
    return float(max(error.index[error == error.min()]))
