# expect: label-price-edges: both reach 0.7
def best_plan(minutes: float, price: dict, curves: dict) -> tuple[str, int, float]:
    best = None
    for kind in curves:
        counts, scores = curves[kind]
        n = min(int(minutes / price[kind] + 1e-9), counts[-1])
        if n < counts[0]:
            continue
        score = float(np.interp(np.log(n), np.log(counts), scores))
        if best is None or score > best[0]:
            best = (score, n * price[kind], kind, n)
    if best is None:
        raise ValueError("the budget buys nothing that was measured")
    return best[2], best[3], best[0]
