# expect: read-table-difference: no paired difference is given
def read_table():
    return {
        "A": "shown",
        "B": "shown",
        "C": "can't be compared",
        "D": "shown",
        "E": "shown",
        "F": "not shown",
        "G": "not shown",
        "H": "not shown",
        "I": "can't be compared",
        "J": "can't be compared",
    }
