import math


def best_plan(minutes: float, price: dict, curves: dict) -> tuple[str, int, float]:
    def worth(kind):
        counts, scores = curves[kind]
        n = min(math.floor(minutes / price[kind]), counts[-1])
        if n < counts[0]:
            return None
        for i in range(len(counts) - 1):
            if n <= counts[i + 1]:
                t = math.log(n / counts[i]) / math.log(counts[i + 1] / counts[i])
                return scores[i] + t * (scores[i + 1] - scores[i]), n
    offers = {kind: worth(kind) for kind in curves if worth(kind) is not None}
    if not offers:
        raise ValueError("too little time")
    kind = min(offers, key=lambda k: (-offers[k][0], offers[k][1] * price[k]))
    return kind, offers[kind][1], offers[kind][0]
