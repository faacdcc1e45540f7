# expect: exam-two-shapley: first to come
def exam_two():
    return {
        "1": 69,
        "2": 1.86,
        "3": 0.75,
        "4": 0.069,
        "5": 0.0172,
        "6": 0.727,
    }
