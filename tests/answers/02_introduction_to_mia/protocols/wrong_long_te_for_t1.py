# expect: protocols-t1: T2
def protocols() -> dict[str, tuple[float, float]]:
    return {"T1": (60, 700), "T2": (100, 4500), "PD": (12, 4500)}
