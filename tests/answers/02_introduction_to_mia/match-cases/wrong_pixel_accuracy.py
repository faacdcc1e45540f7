# expect: match-cases-metric: tiny part
def match_cases() -> dict[str, tuple[str, str, str]]:
    return {
        "A": ("segmentation", "class of each voxel", "pixel accuracy"),
        "B": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "C": ("detection", "points or boxes with scores", "sensitivity at a number of false marks"),
        "D": ("registration", "map between two scans", "landmark error in mm"),
        "E": ("reconstruction", "image from raw data", "similarity to the fully sampled image"),
        "F": ("prognosis", "risk over time", "concordance with censoring"),
        "G": ("retrieval", "ranked list of cases", "precision among the first k"),
        "H": ("report generation", "text", "correctness of the findings"),
        "I": ("detection", "points or boxes with scores", "sensitivity at a number of false marks"),
        "J": ("segmentation", "class of each voxel", "Dice and surface distance"),
    }
