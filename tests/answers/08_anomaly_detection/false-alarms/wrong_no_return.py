# expect: false-alarms-rate: return three things
def false_alarms(scores, subjects, threshold):
    return None
