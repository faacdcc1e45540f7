# expect: exam-one-by-patient: is not right
def exam_one():
    return {
        "1": -173.5,
        "2": 2336,
        "3": 0.636,
        "4": 0.889,
        "5": 4.19,
        "6": 35.8,
    }
