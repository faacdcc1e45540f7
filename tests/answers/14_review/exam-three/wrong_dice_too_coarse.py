# expect: exam-three-inside: look at inside the liver
def exam_three():
    return {
        "1": "B",
        "2": "A",
        "3": "A",
        "4": "C",
        "5": "D",
        "6": "B",
        "7": "C",
        "8": "A",
    }
