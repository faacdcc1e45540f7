# expect: exam-three-local: prevalence differs
def exam_three():
    return {
        "1": "B",
        "2": "D",
        "3": "A",
        "4": "C",
        "5": "D",
        "6": "D",
        "7": "C",
        "8": "A",
    }
