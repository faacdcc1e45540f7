# expect: label-price-value, label-price-edges: no more than 40 were measured
def best_plan(minutes: float, price: dict, curves: dict) -> tuple[str, int, float]:
    best = None
    for kind in curves:
        counts, scores = curves[kind]
        n = int(minutes / price[kind] + 1e-9)
        if n < counts[0]:
            continue
        score = float(scores[-2] + (scores[-1] - scores[-2]) * np.log(n / counts[-2]) / np.log(counts[-1] / counts[-2]))
        if best is None or score > best[0] or (score == best[0] and n * price[kind] < best[1]):
            best = (score, n * price[kind], kind, n)
    if best is None:
        raise ValueError("the budget buys nothing that was measured")
    return best[2], best[3], best[0]
