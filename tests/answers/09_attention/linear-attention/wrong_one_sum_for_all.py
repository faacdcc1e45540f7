# expect: linear-attention-value: the values differ from the quadratic form
def linear_attention(q, k, v):
    pq, pk = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    kv = torch.einsum("bnd,bne->de", pk, v)
    return (pq @ kv) / (pq @ pk.sum((0, 1)))[..., None]
