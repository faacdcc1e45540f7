# expect: exam-two-scores: own scores
def exam_two():
    return {
        "1": 69,
        "2": 0.155,
        "3": 0.4,
        "4": 0.069,
        "5": 0.0172,
        "6": 0.727,
    }
