# expect: pair-scores-rows: half won
def pair_scores(s: np.ndarray) -> dict[str, float]:
    s = np.asarray(s, dtype=float)
    if s.ndim != 3 or s.shape[1:] != (2, 2) or len(s) == 0 or np.isnan(s).any():
        raise ValueError(f"give (P, 2, 2) scores without nan, not {s.shape}")
    text = ((s[:, 0, 0] > s[:, 0, 1]) * 1.0 + (s[:, 1, 1] > s[:, 1, 0])) / 2
    image = (s[:, 0, 0] > s[:, 1, 0]) & (s[:, 1, 1] > s[:, 0, 1])
    return {"text": float(text.mean()), "image": float(image.mean()), "group": float((text * image).mean())}
