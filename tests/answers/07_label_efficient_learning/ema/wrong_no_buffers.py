# expect: ema-buffers: parameters() leaves buffers out
def ema_update(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    with torch.no_grad():
        for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
            old.mul_(decay).add_(new, alpha=1 - decay)
