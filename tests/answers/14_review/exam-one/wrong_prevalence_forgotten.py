# expect: exam-one-two-tests: prevalence is missing
def exam_one():
    return {
        "1": -173.5,
        "2": 2336,
        "3": 0.855,
        "4": 0.889,
        "5": 4.19,
        "6": 0.358,
    }
