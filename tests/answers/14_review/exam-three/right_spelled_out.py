def exam_three():
    letters = {"A": [3, 8], "B": [1, 6], "C": [4, 7], "D": [2, 5]}
    return {str(number): letter for letter, numbers in letters.items() for number in numbers}
