def paired_gain(a, b):
    import math
    import statistics

    d = [a[patient] - b[patient] for patient in a if patient in b]
    if any(math.isnan(x) for x in d):
        raise ValueError("a patient has no score")
    if len(d) < 2:
        raise ValueError("too few patients")
    mean = statistics.fmean(d)
    half = 1.96 * statistics.stdev(d) / math.sqrt(len(d))
    return len(d), mean, mean - half, mean + half
