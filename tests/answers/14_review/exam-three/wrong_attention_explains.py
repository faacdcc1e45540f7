# expect: exam-three-marks: deleting is an intervention
def exam_three():
    return {
        "1": "B",
        "2": "D",
        "3": "A",
        "4": "C",
        "5": "A",
        "6": "B",
        "7": "C",
        "8": "A",
    }
