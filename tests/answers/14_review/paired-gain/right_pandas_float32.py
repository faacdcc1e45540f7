def paired_gain(a, b):
    import pandas as pd

    both = pd.DataFrame({"a": pd.Series(a, dtype="float64"), "b": pd.Series(b, dtype="float64")})
    both = both.loc[[name for name in both.index if name in a and name in b]]
    if len(both) < 2 or both.isna().any(axis=None):
        raise ValueError("scores are missing, or patients")
    d = both["a"] - both["b"]
    return len(d), d.mean(), d.mean() - 1.96 * d.sem(), d.mean() + 1.96 * d.sem()
