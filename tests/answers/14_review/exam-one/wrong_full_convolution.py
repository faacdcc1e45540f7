# expect: exam-one-separable: full 3 x 3
def exam_one():
    return {
        "1": -173.5,
        "2": 32 * 64 * 9,
        "3": 0.636,
        "4": 0.889,
        "5": 4.19,
        "6": 0.358,
    }
