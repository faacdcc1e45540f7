def attention_rollout(attentions: np.ndarray) -> list:
    from functools import reduce

    steps = []
    for layer in attentions:
        a = sum(layer) / len(layer) + np.identity(len(layer[0]))
        steps.append(a / a.sum(-1)[:, None])
    return reduce(lambda so_far, step: step @ so_far, steps).tolist()
