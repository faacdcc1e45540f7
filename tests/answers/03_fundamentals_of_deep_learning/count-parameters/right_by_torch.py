def count_parameters(layers: list[dict]) -> int:
    made = []
    for layer in layers:
        if layer["kind"] == "conv":
            made.append(torch.nn.Conv2d(layer["in"], layer["out"], layer["kernel"], bias=layer.get("bias", True)))
        elif layer["kind"] == "linear":
            made.append(torch.nn.Linear(layer["in"], layer["out"], bias=layer.get("bias", True)))
        elif layer["kind"] == "batchnorm":
            made.append(torch.nn.BatchNorm2d(layer["channels"]))
        elif layer["kind"] not in {"relu", "pool", "flatten"}:
            raise ValueError(f"unknown: {layer['kind']}")
    return sum(weight.numel() for module in made for weight in module.parameters())
