# expect: exam-two-new-prevalence: those are the odds
def exam_two():
    return {
        "1": 69,
        "2": 1.86,
        "3": 0.4,
        "4": 0.0741,
        "5": 0.0172,
        "6": 0.727,
    }
