def place_methods():
    return {
        "A": ("ante-hoc", "global", "specific"),
        "B": ("ante-hoc", "local", "specific"),
        "C": ("post-hoc", "global", "agnostic"),
        "D": ("post-hoc", "local", "specific"),
        "E": ("post-hoc", "local", "agnostic"),
        "F": ("post-hoc", "local", "specific"),
        "G": ("post-hoc", "global", "agnostic"),
        "H": ("post-hoc", "global", "agnostic"),
        "I": ("ante-hoc", "global", "specific"),
        "J": ("ante-hoc", "local", "specific"),
        "K": ("post-hoc", "global", "specific"),
        "L": ("post-hoc", "local", "agnostic"),
    }
