# expect: exam-one-rotation: 3 is in degrees
def exam_one():
    return {
        "1": -173.5,
        "2": 2336,
        "3": 0.636,
        "4": 0.889,
        "5": 240,
        "6": 0.358,
    }
