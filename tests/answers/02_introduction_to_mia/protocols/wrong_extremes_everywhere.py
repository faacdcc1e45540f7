# expect: protocols-t1, protocols-t2: too little signal
def protocols() -> dict[str, tuple[float, float]]:
    return {"T1": (8.0, 200.0), "T2": (200.0, 6000.0), "PD": (8.0, 6000.0)}
