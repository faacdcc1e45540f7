# expect: match-cases-image, match-cases-beyond, match-cases-output, match-cases-metric: one and the same task
def match_cases() -> dict[str, tuple[str, str, str]]:
    return {
        "A": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "B": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "C": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "D": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "E": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "F": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "G": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "H": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "I": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
        "J": ("classification", "probability for the image", "AUC and sensitivity at fixed specificity"),
    }
