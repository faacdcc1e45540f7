# expect: cross-attention-padding: what no score reaches
def cross_attention(film, report, padding, wq, wk, wv):
    q, k, v = film @ wq, report @ wk, report @ wv
    s = q @ k.mT / wq.shape[1] ** 0.5
    s = s - 1e2 * padding[:, None, :]
    a = s.softmax(-1) * ~padding[:, None, :]
    return film + a @ v, a
