# expect: faithfulness-value: nothing came back
def faithfulness(importance, removed, full, without):
    return None
