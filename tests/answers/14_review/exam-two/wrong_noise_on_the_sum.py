# expect: exam-two-dp-noise: noise on the sum
def exam_two():
    return {
        "1": 69,
        "2": 1.86,
        "3": 0.4,
        "4": 0.069,
        "5": 1.1,
        "6": 0.727,
    }
