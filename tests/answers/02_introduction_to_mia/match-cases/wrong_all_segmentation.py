# expect: match-cases-image, match-cases-beyond, match-cases-output, match-cases-metric: one and the same task
def match_cases() -> dict[str, tuple[str, str, str]]:
    return {
        "A": ("segmentation", "class of each voxel", "Dice and surface distance"),
        "B": ("segmentation", "class of each voxel", "Dice and surface distance"),
        "C": ("segmentation", "class of each voxel", "Dice and surface distance"),
        "D": ("segmentation", "class of each voxel", "Dice and surface distance"),
        "E": ("segmentation", "class of each voxel", "Dice and surface distance"),
        "F": ("segmentation", "class of each voxel", "Dice and surface distance"),
        "G": ("segmentation", "class of each voxel", "Dice and surface distance"),
        "H": ("segmentation", "class of each voxel", "Dice and surface distance"),
        "I": ("segmentation", "class of each voxel", "Dice and surface distance"),
        "J": ("segmentation", "class of each voxel", "Dice and surface distance"),
    }
