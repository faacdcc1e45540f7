# expect: exam-three-by-patient, exam-three-first-experiment: keys 1 to 8 as text
def exam_three():
    return dict(zip(range(1, 9), "BDACDBCA"))
