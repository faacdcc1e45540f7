# expect: exam-two-two-modalities: late fusion by averaging
def exam_two():
    return {
        "1": 69,
        "2": 1.86,
        "3": 0.4,
        "4": 0.069,
        "5": 0.0172,
        "6": 0.354,
    }
