# expect: linear-attention-size: end the function with return
def linear_attention(q, k, v):
    return None
