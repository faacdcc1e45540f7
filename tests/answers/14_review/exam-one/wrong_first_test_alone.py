# expect: exam-one-two-tests: after the first test alone
def exam_one():
    return {
        "1": -173.5,
        "2": 2336,
        "3": 0.0884,
        "4": 0.889,
        "5": 4.19,
        "6": 0.358,
    }
