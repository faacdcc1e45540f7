# expect: kaplan-meier-edges, kaplan-meier-value, kaplan-meier-censoring, kaplan-meier-ties: negative
def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    raise ValueError("a time is negative")
