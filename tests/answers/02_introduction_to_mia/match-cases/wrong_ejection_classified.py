# expect: match-cases-image, match-cases-output, match-cases-metric: on every frame
def match_cases() -> dict[str, tuple[str, str, str]]:
    row = {
        "classification": ("probability for the image", "AUC and sensitivity at fixed specificity"),
        "detection": ("points or boxes with scores", "sensitivity at a number of false marks"),
        "segmentation": ("class of each voxel", "Dice and surface distance"),
        "registration": ("map between two scans", "landmark error in mm"),
        "reconstruction": ("image from raw data", "similarity to the fully sampled image"),
        "prognosis": ("risk over time", "concordance with censoring"),
        "retrieval": ("ranked list of cases", "precision among the first k"),
        "report generation": ("text", "correctness of the findings"),
    }
    task = {'A': 'segmentation', 'B': 'classification', 'C': 'detection', 'D': 'registration', 'E': 'reconstruction', 'F': 'prognosis', 'G': 'retrieval', 'H': 'report generation', 'I': 'detection', 'J': 'classification'}
    return {letter: (name, *row[name]) for letter, name in task.items()}
