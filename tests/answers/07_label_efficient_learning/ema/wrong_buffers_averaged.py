# expect: ema-buffers: you averaged
def ema_update(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    with torch.no_grad():
        new = student.state_dict()
        for name, old in teacher.state_dict().items():
            if old.is_floating_point():
                old.mul_(decay).add_(new[name], alpha=1 - decay)
            else:
                old.copy_(new[name])
