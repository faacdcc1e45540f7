# expect: upsample-field-units: end the function with return
def upsample_field(u, factors):
    return None
