import pandas


def choose_lambda(rows: list[dict], limit: float) -> float:
    log = pandas.DataFrame(rows, columns=["weight", "split", "patient", "error", "folded"])
    log = log[log["split"] == "validation"]
    bad = log[~np.isfinite(log["error"].astype(float)) | (log["folded"].astype(float) > limit)]["weight"]
    log = log[~log["weight"].isin(bad)]
    if log.empty:
        raise ValueError("no weight is allowed")
    scores = log.groupby(["weight", "patient"])["error"].mean().groupby("weight").mean()
    return float(scores.index[np.isclose(scores, scores.min(), rtol=0, atol=1e-9)].max())
