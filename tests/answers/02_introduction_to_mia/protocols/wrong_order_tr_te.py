# expect: protocols-t1, protocols-t2, protocols-pd: order
def protocols() -> dict[str, tuple[float, float]]:
    return {"T1": (500, 12), "T2": (4500, 100), "PD": (4500, 12)}
