# expect: ema-value: wrong way round
def ema_update(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    with torch.no_grad():
        for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
            old.mul_(1 - decay).add_(new, alpha=decay)
        for old, new in zip(teacher.buffers(), student.buffers(), strict=True):
            old.copy_(new)
