def pick_pseudo_labels(probabilities: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    import pandas as pd

    p = np.asarray(probabilities, dtype=float)
    if not (0 < share <= 1) or np.isnan(p).any() or (np.abs(p.sum(axis=1) - 1) > 1e-3).any():
        raise ValueError("bad input")
    table = pd.DataFrame({"label": p.argmax(axis=1), "sure": p.max(axis=1)})
    place = table.groupby("label")["sure"].rank(method="first", ascending=False)
    allowed = np.ceil(share * table.groupby("label")["sure"].transform("size") - 1e-9)
    chosen = table[place <= allowed]
    return chosen.index.to_numpy(), chosen["label"].to_numpy()
