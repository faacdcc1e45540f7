# expect: exam-three-by-patient: which unit
def exam_three():
    return dict.fromkeys("12345678", "A")
