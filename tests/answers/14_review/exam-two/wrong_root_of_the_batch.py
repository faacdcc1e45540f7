# expect: exam-two-dp-noise: not by its root
def exam_two():
    return {
        "1": 69,
        "2": 1.86,
        "3": 0.4,
        "4": 0.069,
        "5": 0.1375,
        "6": 0.727,
    }
