# expect: label-price-edges: raise ValueError
def best_plan(minutes: float, price: dict, curves: dict) -> tuple[str, int, float]:
    best = None
    for kind in curves:
        counts, scores = curves[kind]
        n = min(int(minutes / price[kind] + 1e-9), counts[-1])
        if n < counts[0]:
            continue
        score = float(np.interp(np.log(n), np.log(counts), scores))
        if best is None or score > best[0] or (score == best[0] and n * price[kind] < best[1]):
            best = (score, n * price[kind], kind, n)
    if best is None:
        return None, 0, 0.0
    return best[2], best[3], best[0]
