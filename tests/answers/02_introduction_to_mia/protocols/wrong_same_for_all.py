# expect: protocols-t2, protocols-t1, protocols-pd: should fall
def protocols() -> dict[str, tuple[float, float]]:
    return {"T1": (12, 500), "T2": (12, 500), "PD": (12, 500)}
