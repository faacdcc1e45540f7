# expect: exam-three-known-when: what is known then
def exam_three():
    return {
        "1": "B",
        "2": "D",
        "3": "A",
        "4": "C",
        "5": "D",
        "6": "B",
        "7": "B",
        "8": "A",
    }
