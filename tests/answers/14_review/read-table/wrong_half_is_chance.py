# expect: read-table-difference: random alarms have an average precision
def read_table():
    return {
        "A": "shown",
        "B": "not shown",
        "C": "can't be compared",
        "D": "not shown",
        "E": "shown",
        "F": "not shown",
        "G": "not shown",
        "H": "not shown",
        "I": "can't be compared",
        "J": "can't be compared",
    }
