# expect: localise-value, localise-within, localise-ties, localise-nothing: nothing to find
def localisation(attention: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float, float]:
    raise ValueError("nothing to find")
