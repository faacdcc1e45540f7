# expect: choose-lambda-error: end the function with return
def choose_lambda(rows, limit):
    return None
