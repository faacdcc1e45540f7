# expect: intervene-value: return two things
def intervene(logits, truth, which, train_logits, w, b):
    return None
