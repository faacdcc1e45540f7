def exam_two():
    import itertools

    score = {0: 0.1, 1: 0.85, 2: 0.9}
    gains = [score[order.index("a") + 1] - score[order.index("a")] for order in itertools.permutations("ab")]
    ill, well = 0.1 * 0.4 / 0.5, 0.9 * 0.6 / 0.5
    return {
        "1": 1 / -np.log2(0.99),
        "2": np.zeros((12, 197, 197), np.float32).nbytes / 1e6,
        "3": sum(gains) / 2,
        "4": ill / (ill + well),
        "5": np.sqrt((1.1 / 64) ** 2),
        "6": 0.1 * 24 / (0.1 * 24 + 0.9),
    }
