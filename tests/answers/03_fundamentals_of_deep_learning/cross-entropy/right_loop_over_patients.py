import math


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    if len(labels) == 0:
        raise ValueError("no patients")
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist()):
        if label not in range(len(row)):
            raise ValueError(f"label {label} is no class")
        top = max(row)
        total += top - row[label] + math.log(math.fsum(math.exp(z - top) for z in row))
    return total / len(labels)
