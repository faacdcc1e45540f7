# expect: read-table-compared: size and contrast
def read_table():
    return {
        "A": "shown",
        "B": "not shown",
        "C": "can't be compared",
        "D": "shown",
        "E": "shown",
        "F": "not shown",
        "G": "not shown",
        "H": "not shown",
        "I": "can't be compared",
        "J": "shown",
    }
