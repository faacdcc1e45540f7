# expect: mutual-information-value: end the function with return
def mutual_information(a, b, bins= 32):
    return None
