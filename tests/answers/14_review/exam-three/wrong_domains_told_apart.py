# expect: exam-three-new-scanner: who raises false alarms
def exam_three():
    return {
        "1": "B",
        "2": "D",
        "3": "A",
        "4": "D",
        "5": "D",
        "6": "B",
        "7": "C",
        "8": "A",
    }
