# expect: count-parameters-weights, count-parameters-network: if the key is missing
def count_parameters(layers: list[dict]) -> int:
    total = 0
    for layer in layers:
        if layer["kind"] == "conv":
            high, wide = layer["kernel"]
            total += layer["in"] * layer["out"] * high * wide
            if layer.get("bias"):
                total += layer["out"]
        elif layer["kind"] == "linear":
            total += layer["in"] * layer["out"]
            if layer.get("bias"):
                total += layer["out"]
        elif layer["kind"] == "batchnorm":
            total += 2 * layer["channels"]
        elif layer["kind"] in ("relu", "pool", "flatten"):
            pass
        else:
            raise ValueError("no such layer")
    return total
