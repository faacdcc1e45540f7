"""UCI Heart Disease: four hospitals' files to one table. Downloading lives in fetch.py."""

from pathlib import Path

from helpers.data import fetch
from helpers.data.core import Card, DataError, Dataset

FEATURES = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal")
SITES = {"cleveland": "cleveland", "hungarian": "hungary", "switzerland": "switzerland", "va": "va"}  # name in the file -> name here


def load(card: Card) -> Dataset:
    """All patients of all four hospitals.

    Returns:
        `.table`: 13 features (float64, NaN where missing), `target` (int64; 0 none to 4), `site` (str). The splits are None.

    Raises:
        DataError: a file can't be had or read.
    """
    import pandas as pd

    paths = [fetch.ensure(file) for file in card.files]
    tables = []
    for path in paths:
        table = read(path)
        table["site"] = SITES.get(path.name.split(".")[1], path.name.split(".")[1])
        tables.append(table)
    return Dataset(card.name, card, table=pd.concat(tables, ignore_index=True), paths=paths)


def read(path: Path):
    """One hospital's file: 14 comma-separated columns without a header, `?` for missing.

    Raises:
        DataError: it is not of this format.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, header=None, na_values="?", skipinitialspace=True)
        if table.shape[1] != len(FEATURES) + 1:
            raise ValueError(f"{table.shape[1]} columns")
        table.columns = [*FEATURES, "target"]
        return table.astype(dict.fromkeys(FEATURES, float) | {"target": "int64"})
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no file of the heart disease format ({error}): delete it and load again") from error
