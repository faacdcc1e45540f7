# expect: label-price-edges: is 59, by rounding
def best_plan(minutes: float, price: dict, curves: dict) -> tuple[str, int, float]:
    offers = []
    for kind, (counts, scores) in curves.items():
        n = min(int(minutes // price[kind]), max(counts))
        if n >= min(counts):
            score = float(np.interp(np.log(n), np.log(counts), scores))
            offers.append((score, -n * price[kind], kind, n))
    if not offers:
        raise ValueError(f"{minutes} minutes buy too few images of every kind: nothing was measured there")
    score, _, kind, n = max(offers)
    return kind, n, score
