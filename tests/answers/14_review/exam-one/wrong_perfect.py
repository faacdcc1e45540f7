# expect: exam-one-dice-bound: can't agree everywhere
def exam_one():
    return {
        "1": -173.5,
        "2": 2336,
        "3": 0.636,
        "4": 1,
        "5": 4.19,
        "6": 0.358,
    }
