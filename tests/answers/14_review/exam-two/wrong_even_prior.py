# expect: exam-two-two-modalities: 1 to 9
def exam_two():
    return {
        "1": 69,
        "2": 1.86,
        "3": 0.4,
        "4": 0.069,
        "5": 0.0172,
        "6": 0.96,
    }
