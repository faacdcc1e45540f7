# expect: protocols-t1, protocols-t2, protocols-pd: ms
def protocols() -> dict[str, tuple[float, float]]:
    return {"T1": (0.012, 0.5), "T2": (0.1, 4.5), "PD": (0.012, 4.5)}
