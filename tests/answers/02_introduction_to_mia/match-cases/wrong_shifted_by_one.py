# expect: match-cases-image, match-cases-beyond, match-cases-output, match-cases-metric: request A
def match_cases() -> dict[str, tuple[str, str, str]]:
    return {
        "A": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "B": ("detection", "points or boxes with scores", "sensitivity at a number of false marks"),
        "C": ("registration", "map between two scans", "landmark error in mm"),
        "D": ("reconstruction", "image from raw data", "similarity to the fully sampled image"),
        "E": ("prognosis", "risk over time", "concordance with censoring"),
        "F": ("retrieval", "ranked list of cases", "precision among the first k"),
        "G": ("report generation", "text", "correctness of the findings"),
        "H": ("detection", "points or boxes with scores", "sensitivity at a number of false marks"),
        "I": ("segmentation", "class of each voxel", "Dice and surface distance"),
        "J": ("segmentation", "class of each voxel", "Dice and surface distance"),
    }
