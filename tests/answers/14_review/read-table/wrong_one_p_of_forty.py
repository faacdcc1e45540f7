# expect: read-table-chosen: with 40 features
def read_table():
    return {
        "A": "shown",
        "B": "not shown",
        "C": "can't be compared",
        "D": "shown",
        "E": "shown",
        "F": "not shown",
        "G": "shown",
        "H": "not shown",
        "I": "can't be compared",
        "J": "can't be compared",
    }
