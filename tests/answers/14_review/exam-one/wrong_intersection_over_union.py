# expect: exam-one-dice-bound: intersection over union
def exam_one():
    return {
        "1": -173.5,
        "2": 2336,
        "3": 0.636,
        "4": 0.8,
        "5": 4.19,
        "6": 0.358,
    }
