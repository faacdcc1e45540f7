def leaks(train, test):
    found = []
    for k in range(len(test)):
        for patient, digest in train:
            if test[k][1] == digest or test[k][0].strip().lower() == patient.strip().lower():
                found.append(k)
                break
    return found
