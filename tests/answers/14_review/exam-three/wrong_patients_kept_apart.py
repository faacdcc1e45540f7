# expect: exam-three-sample: how were these 200 films chosen
def exam_three():
    return {
        "1": "B",
        "2": "D",
        "3": "D",
        "4": "C",
        "5": "D",
        "6": "B",
        "7": "C",
        "8": "A",
    }
