"""The challenge: what is given out tells no label, answers are limited and coarse, the ledger can't be changed, and the private part decides."""

import csv
import json
import os
import re
import zipfile
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from grading import __main__ as cli
from grading.challenge import board, ledger, scoring
from grading.challenge.attempts import score
from grading.challenge.cohort import FOLDER, KEY, PUBLIC_SHARE, RELEASE, TRUTH, Rules, make, read_truth
from grading.sources import ROOT, SourceError
from grading.term.scheme import read_scheme
from helpers import challenge

HK = ZoneInfo("Asia/Hong_Kong")
NOON = datetime(2027, 4, 1, 12, 0, tzinfo=HK)
SCHEME = read_scheme()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A course directory with a challenge, made once; tests that write take a copy. Its key is a fixed one, so that every run is the same."""
    course = tmp_path_factory.mktemp("drawn")
    (course / FOLDER).mkdir()
    (course / FOLDER / KEY).write_text("c0ffee11deadbeef5ca1ab1e0ddba11a\n")
    (course / FOLDER / KEY).chmod(0o600)
    make(course, "Asia/Hong_Kong", Rules(attempts=3), train=60, held=120)
    return course


@pytest.fixture
def course(drawn, tmp_path):
    import shutil

    return shutil.copytree(drawn, tmp_path / "course")


def truth_of(course):
    parts = read_truth(course).values()
    return np.concatenate([part.cases for part in parts]), np.concatenate([part.labels for part in parts])


def hand_in(course, student, name, strength=1.0, seed=0, text=None, age=0):
    """A file whose predictions are the labels plus noise; `age` in seconds makes it older."""
    cases, labels = truth_of(course)
    values = 1 / (1 + np.exp(-(strength * (2 * labels - 1) + np.random.default_rng(seed).normal(size=len(labels)))))
    path = course / "submitted" / student / "challenge" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        challenge.write(path, cases, values)
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, (1_800_000_000 - age,) * 2)
    return path


def statuses(done):
    return [(entry.student, entry.file, entry.status) for entry in done.entries]


# ---------------------------------------------------------------- what is given out


def everything(folder):
    """Every byte that is given out, archives unpacked: name -> content."""
    found = {}
    for path in folder.rglob("*"):
        found[path.name] = path.read_bytes()
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                found |= {f"{path.name}/{name}": archive.read(name) for name in archive.namelist()}
    return found


def test_what_is_given_out_holds_no_key_and_no_held_out_label(course):
    release, key = course / FOLDER / RELEASE, (course / FOLDER / KEY).read_text().strip()
    assert sorted(path.name for path in release.iterdir()) == ["README.md", "example.csv", "heldout.npz", "train.npz"]
    number = int(key, 16)
    signs = [key.encode(), str(number).encode(), number.to_bytes(16, "little"), number.to_bytes(16, "big")]
    assert [name for name, content in everything(release).items() for sign in signs if sign in content] == []
    with np.load(release / "heldout.npz") as file:
        assert sorted(file.files) == ["cases", "images", "patients"]
    home, away = challenge.load(release)
    assert away.labels is None and set(home.labels) == {0, 1}
    assert {line.partition(",")[2] for line in (release / "example.csv").read_text().splitlines()[1:]} == {"0.5"}
    assert not set(home.patients) & set(away.patients) and not set(home.cases) & set(away.cases)


def test_the_labels_and_the_key_are_for_the_owner_alone(course):
    for name in (KEY, TRUTH):
        assert (course / FOLDER / name).stat().st_mode & 0o077 == 0, name


def test_names_order_and_number_of_films_tell_no_label():
    away = challenge.cohort(2**127 + 12345, "away", 1500)
    assert np.all(away.cases[:-1] < away.cases[1:])
    films = np.unique(away.patients, return_counts=True)
    count = dict(zip(*films, strict=True))
    hints = {
        "order": np.arange(len(away)),
        "films of the patient": np.array([count[patient] for patient in away.patients]),
        "patient's name": np.argsort(np.argsort(away.patients)),
        **{f"sign {k} of the name": np.array([int(case[k], 16) for case in away.cases]) for k in range(12)},
    }
    first = np.unique(away.patients, return_index=True)[1]  # one film a patient: independent
    for what, hint in hints.items():
        assert abs(scoring.auc(away.labels[first], hint[first]) - 0.5) < 4 * 0.5 / np.sqrt(3 * len(first) / 4), what
    assert abs(scoring.auc(away.labels[first], away.labels[first] + 0.0) - 1) < 1e-9  # the measure would see a hint


def found_key(release, keys):
    """The key among some that gives the films that were given out, or None: how an attacker would look."""
    with np.load(release / "heldout.npz") as file:
        cases = set(file["cases"])
    return next((key for key in keys if challenge._name(key, "away", "film", 0) in cases), None)


def test_the_key_is_random_and_not_to_be_guessed(tmp_path):
    release = make(tmp_path, "UTC", train=8, held=8)
    now = int((release / "heldout.npz").stat().st_mtime)
    assert found_key(release, [*range(20_000), *range(now - 20_000, now + 20_000)]) is None
    key = int((tmp_path / FOLDER / KEY).read_text(), 16)
    assert found_key(release, [1, 2, key]) == key  # the search finds it where it is
    make(tmp_path / "other", "UTC", train=8, held=8)
    other = int((tmp_path / "other" / FOLDER / KEY).read_text(), 16)
    assert other != key and min(key, other).bit_length() > 96 and (tmp_path / FOLDER / KEY).stat().st_mode & 0o077 == 0


def test_a_weak_key_is_refused(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / KEY).write_text("2a\n")
    with pytest.raises(SourceError, match="could be guessed"):
        make(tmp_path, "UTC", train=8, held=8)


def test_the_same_key_gives_the_same_bytes_and_another_version_is_noticed(tmp_path):
    release = make(tmp_path, "UTC", train=12, held=20)
    before = everything(release)
    assert everything(make(tmp_path, "UTC", train=12, held=20)) == before
    with pytest.raises(SourceError, match="another version"):
        make(tmp_path, "UTC", train=12, held=24)


def test_a_key_inside_the_repository_is_refused():
    with pytest.raises(SourceError, match="choose a course directory outside"):
        make(ROOT / "solutions", "UTC")
    assert not (ROOT / "solutions" / FOLDER).exists()


def test_parts_are_of_patients_and_equally_sick(course):
    parts = read_truth(course)
    public, private = parts["public"], parts["private"]
    assert not set(public.patients) & set(private.patients)
    assert 0.35 < len(set(public.patients)) / 120 < 0.45
    sick = [np.mean([part.labels[part.patients == one][0] for one in set(part.patients)]) for part in parts.values()]
    assert abs(sick[0] - sick[1]) < 0.03


def test_films_of_a_patient_share_their_label_and_the_machine_does_not_know_it():
    away = challenge.cohort(3, "away", 200)
    for patient in set(away.patients):
        assert len(set(away.labels[away.patients == patient])) == 1
    again = challenge.cohort(3, "away", 200)
    assert np.array_equal(again.images, away.images) and not np.array_equal(challenge.cohort(4, "away", 200).images[:10], away.images[:10])


# ---------------------------------------------------------------- files of predictions


def test_bad_files_get_one_sentence():
    cases = ["aa", "bb", "cc"]
    good = "case,probability\naa,0.1\nbb,1\ncc,0\n"
    assert challenge.read(good.encode(), cases) == {"aa": 0.1, "bb": 1.0, "cc": 0.0}
    assert challenge.read(b"\xef\xbb\xbf" + good.replace("\n", "\r\n").encode(), cases)["aa"] == 0.1  # as Excel saves it
    faults = {
        b"": "it reads 'nothing'",
        b"aa,0.1\n": "first line must read",
        good.replace(",", ";").encode(): "with a comma",
        good.replace("aa", "dd").encode(): "no case 'dd'",
        good.replace("bb", "aa").encode(): "stands twice",
        good.replace("cc,0\n", "").encode(): "1 of 3 cases are missing, such as cc",
        good.replace("0.1", "nan").encode(): "no probability",
        good.replace("0.1", "1e999").encode(): "no probability",
        good.replace("0.1", "-0.1").encode(): "no probability",
        good.replace("0.1", '"0,1"').encode(): "write numbers with a point",
        good.replace("0.1", "0.1,0.2").encode(): "3 values instead of two",
        b"\xff\xfe" + good.encode("utf-16-le"): "no CSV in UTF-8",
        b"case,probability\n" + b"a" * 2_000_000: "bytes",
        b'case,probability\n"aa,0.1\n': "no CSV",
    }
    for content, sentence in faults.items():
        with pytest.raises(ValueError, match=re.escape(sentence)) as problem:
            challenge.read(content, cases)
        assert "\n" not in str(problem.value)


def test_what_was_given_out_is_read_and_a_broken_folder_is_named(course, tmp_path):
    home, away = challenge.load(course / FOLDER / RELEASE)
    assert home.images.shape[1:] == (28, 28) and home.images.dtype == np.uint8 and len(home) == len(home.labels) and len(away) == len(away.patients)
    with pytest.raises(ValueError, match="train.npz can't be read"):
        challenge.load(tmp_path)
    with pytest.raises(ValueError, match="cases are missing"):
        challenge.read(b"case,probability\n", ["aa"])
    with pytest.raises(ValueError, match="no probability"):
        challenge.write(tmp_path / "x.csv", np.array(["aa"]), np.array([np.nan]))
    assert not (tmp_path / "x.csv").exists()


# ---------------------------------------------------------------- attempts


def test_attempts_are_counted_by_team_and_day_of_the_course_and_malformed_ones_are_free(course):
    (course / "teams.csv").write_text("team,student\nOwls,anna\nOwls,bert\n")
    hand_in(course, "anna", "bad.csv", text="nonsense", age=9)
    hand_in(course, "anna", "a.csv", 0.5, 1, age=8)
    hand_in(course, "bert", "b.csv", 0.6, 2, age=7)
    hand_in(course, "anna", "c.csv", 0.7, 3, age=6)
    evening = datetime(2027, 4, 1, 23, 59, tzinfo=HK)
    done = score(course, SCHEME, evening)
    assert statuses(done) == [("anna", "bad.csv", "malformed"), ("anna", "a.csv", "scored"), ("bert", "b.csv", "scored")]
    assert done.waiting == [("anna", "c.csv")]
    assert "c.csv | waits for another day" in (course / FOLDER / "answers" / "Owls.md").read_text()
    assert statuses(score(course, SCHEME, evening)) == []
    done = score(course, SCHEME, datetime(2027, 4, 1, 16, 1, tzinfo=ZoneInfo("UTC")))  # past midnight in Hong Kong
    assert statuses(done) == [("anna", "c.csv", "scored")] and not done.waiting
    hand_in(course, "bert", "d.csv", 0.8, 4)
    done = score(course, SCHEME, evening + timedelta(days=5))
    assert statuses(done) == [("bert", "d.csv", "spent")]
    said = (course / FOLDER / "answers" / "Owls.md").read_text()
    assert "0 of 3 attempts left" in said and "all 3 attempts" in said and "first line must read" in said
    assert sorted(path.name for path in (course / FOLDER / "answers").iterdir()) == ["Owls.md"]


def test_the_same_file_is_not_scored_twice_and_a_changed_one_is(course):
    path = hand_in(course, "anna", "a.csv", 0.5, 1)
    assert len(score(course, SCHEME, NOON).entries) == 1
    os.utime(path, (1_900_000_000,) * 2)
    assert score(course, SCHEME, NOON).entries == []
    hand_in(course, "anna", "a.csv", 0.9, 2)
    assert len(score(course, SCHEME, NOON).entries) == 1


def test_after_the_due_time_nothing_is_scored_and_the_clock_goes_forward(course):
    due = SCHEME.parts["final_project"].due + SCHEME.parts["final_project"].late.grace
    hand_in(course, "anna", "a.csv")
    assert statuses(score(course, SCHEME, due)) == [("anna", "a.csv", "scored")]
    with pytest.raises(SourceError, match="clock"):
        score(course, SCHEME, due - timedelta(days=1))
    hand_in(course, "anna", "b.csv", seed=1)
    done = score(course, SCHEME, due + timedelta(seconds=1))
    assert statuses(done) == [("anna", "b.csv", "late")] and "closed on 2027-04-24 00:14" in done.entries[0].said


def test_links_pipes_and_other_names_are_not_opened(course, tmp_path):
    folder = hand_in(course, "anna", "notes.txt", text="x").parent
    (folder / "link.csv").symlink_to(course / FOLDER / TRUTH)
    os.mkfifo(folder / "pipe.csv")
    (folder / "folder.csv").mkdir()
    (course / "submitted" / "eve").symlink_to(course / "submitted" / "anna")
    done = score(course, SCHEME, NOON)
    assert {(entry.student, entry.file, entry.status) for entry in done.entries} == {("anna", f"{name}.csv", "malformed") for name in ("folder", "link", "pipe")}
    assert all("not opened" in entry.said for entry in done.entries)


def test_without_a_challenge_the_command_says_what_to_do(tmp_path, capsys):
    assert cli.main(["challenge", "score", "--course", str(tmp_path)]) == 2
    assert "challenge make" in capsys.readouterr().err


# ---------------------------------------------------------------- ledger


def test_the_ledger_only_grows_and_notices_every_change(course):
    for k in range(2):
        hand_in(course, "anna", f"{k}.csv", k, k, age=9 - k)
    hand_in(course, "bert", "0.csv", 0.2, 7)
    score(course, SCHEME, NOON)
    path = course / FOLDER / ledger.NAME
    before = path.read_bytes()
    hand_in(course, "bert", "1.csv", 0.2, 8)
    score(course, SCHEME, NOON + timedelta(hours=1))
    assert path.read_bytes().startswith(before) and path.stat().st_mode & 0o077 == 0
    lines = path.read_bytes().splitlines(keepends=True)
    for wrong in ([lines[0], *lines[2:]], [lines[1], lines[0], *lines[2:]], [lines[0].replace(b"anna", b"evex"), *lines[1:]], [b"{}\n", *lines]):
        path.write_bytes(b"".join(wrong))
        with pytest.raises(SourceError, match="Put back a copy|put back the ledger"):
            ledger.read(course / FOLDER)
    path.write_bytes(b"".join(lines))
    assert len(ledger.read(course / FOLDER)) == 4


def test_a_line_that_a_crash_cut_is_scored_again_and_gives_the_same(course):
    hand_in(course, "anna", "0.csv", 0.2, 1, age=5)
    hand_in(course, "anna", "1.csv", 0.9, 2)
    score(course, SCHEME, NOON)
    path = course / FOLDER / ledger.NAME
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    assert len(ledger.read(course / FOLDER)) == 1
    score(course, SCHEME, NOON)
    assert path.read_bytes() == whole


def test_two_writers_at_once_are_refused(course):
    hand_in(course, "anna", "0.csv")
    with ledger.opened(course / FOLDER), pytest.raises(SourceError, match="Another process"):
        score(course, SCHEME, NOON)


# ---------------------------------------------------------------- what the answers give away


def test_auc_is_the_librarys_with_ties():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    for _ in range(5):
        labels, values = rng.integers(0, 2, 60), rng.integers(0, 5, 60) / 5
        assert scoring.auc(labels, values) == pytest.approx(roc_auc_score(labels, values))
    assert np.isnan(scoring.auc(np.ones(3, int), np.arange(3)))


def test_the_ladder_moves_in_steps_and_only_up():
    shown, seen = None, []
    for measured in (0.613, 0.62, 0.639, 0.645, 0.3, 0.66, 0.665):
        shown, rose = scoring.ladder(shown, measured, 0.02)
        seen.append((shown, rose))
    assert seen == [(0.62, True), (0.62, False), (0.62, False), (0.64, True), (0.64, False), (0.64, False), (0.66, True)]


def attack(seed, mechanism, questions=400, films=280):
    """Blum and Hardt's attack: random files, those that score better than before keep their sign, the mean of all. AUC on public and private."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (2, films))
    guesses = rng.random((questions, 2, films)) - 0.5
    weights = mechanism([scoring.auc(labels[0], guess[0]) for guess in guesses])
    votes = np.tensordot(weights, guesses, 1)
    return [scoring.auc(labels[k], votes[k]) for k in (0, 1)]


def tells_everything(scores):
    return np.array(scores) - 0.5


def tells_steps(scores, step=0.02, attempts=None):
    """What the same attacker learns here: a file is worth how much the shown figure rose, or a little less than nothing if it did not."""
    shown, weights = 0.5, []
    for value in scores[:attempts]:
        new, rose = scoring.ladder(shown, value, step)
        weights.append(new - shown if rose else 0.0)
        shown = new
    return np.array(weights + [0.0] * (len(scores) - len(weights)))


def test_an_attacker_gains_much_from_exact_scores_little_from_steps_and_nothing_on_the_private_part():
    exact = np.array([attack(seed, tells_everything) for seed in range(12)])
    steps = np.array([attack(seed, tells_steps) for seed in range(12)])
    limited = np.array([attack(seed, lambda scores: tells_steps(scores, attempts=20)) for seed in range(12)])
    assert exact[:, 0].mean() > 0.9, "the attack should work where it is known to work"
    assert steps[:, 0].mean() < 0.65 and limited[:, 0].mean() < 0.65
    for result in (exact, steps, limited):
        assert abs(result[:, 1].mean() - 0.5) < 4 * 0.035 / np.sqrt(12)


def test_one_film_moves_nothing_that_is_shown(course):
    """A film's prediction moves the exact AUC by at most one over the number of films of its kind: less than a step, so that no file asks for one label."""
    fewest = 0.3 * PUBLIC_SHARE * challenge.HELD_OUT_PATIENTS  # the least share of sick or healthy patients that `challenge.cohort` draws, one film each
    assert 1 / fewest < Rules().step
    public, best = read_truth(course)["public"], 0.0
    values = np.random.default_rng(0).random(len(public.cases))
    for k in range(len(values)):
        other = values.copy()
        other[k] = 1 - other[k]
        best = max(best, abs(scoring.auc(public.labels, values) - scoring.auc(public.labels, other)))
    assert 0 < best <= 1 / min(public.labels.sum(), (1 - public.labels).sum()) + 1e-9
    single = scoring.auc(public.labels, np.where(np.arange(len(values)) == 0, 1.0, 0.5))  # all alike but one: the plainest question for a label
    assert 0 < abs(single - 0.5) <= 0.5 / min(public.labels.sum(), (1 - public.labels).sum()) + 1e-9
    assert {scoring.on_grid(0.5 + sign * 0.5 / fewest, Rules().step) for sign in (-1, 1)} == {0.5}  # it gets the same answer for either label


def test_what_is_shown_and_kept_is_in_steps(course):
    hand_in(course, "anna", "0.csv", 0.5, 1, age=5)
    hand_in(course, "anna", "1.csv", 0.1, 2)
    better, worse = score(course, SCHEME, NOON).entries
    assert better.rose and not worse.rose
    assert (better.shown, better.low, better.high) == (worse.shown, worse.low, worse.high)
    for value in (better.shown, better.low, better.high):
        assert abs(value / 0.02 - round(value / 0.02)) < 1e-6
    line = (course / FOLDER / ledger.NAME).read_text().splitlines()[0]
    assert set(json.loads(line)) == {*ledger.Entry.__dataclass_fields__, "before"}  # no exact score stands in it


# ---------------------------------------------------------------- tables


def test_leaderboard_and_result_with_ties_baseline_and_interval(course):
    for student, strength, seed in (("anna", 0.8, 1), ("bert", 0.8, 1), ("carl", 0.0, 2), ("a|b <script>", 0.3, 3)):
        hand_in(course, student, "0.csv", strength, seed)
    score(course, SCHEME, NOON)
    page = board.leaderboard(course, SCHEME, NOON)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.read_text().splitlines() if line.startswith("| ")][1:]
    assert [row[1] for row in rows[:2]] == ["anna", "bert"] and [row[0] for row in rows[:2]] == ["1", "1"]
    assert rows[2][0] == "3" and any(row[1] == board.RULE and row[0] == "-" for row in rows)
    assert "<script>" not in page.read_text() and "<script>" not in page.with_suffix(".html").read_text()
    low, high = (float(end) for end in rows[0][3].split(" to "))
    assert low < float(rows[0][2]) < high
    first = page.read_bytes()
    assert board.leaderboard(course, SCHEME, NOON).read_bytes() == first


def test_the_last_file_decides_on_the_private_part_and_becomes_an_item_that_weighs_nothing(course, capsys):
    (course / "teams.csv").write_text("team,student\nOwls,anna\nOwls,bert\n")
    (course / "students.csv").write_text("id,name\nanna,A\nbert,B\ncarl,C\n")
    hand_in(course, "anna", "good.csv", 3.0, 1, age=9)
    hand_in(course, "anna", "worse.csv", 0.3, 2)
    hand_in(course, "carl", "c.csv", 1.0, 3)
    score(course, SCHEME, NOON)
    page, scores = board.final(course, SCHEME)
    rows = list(csv.DictReader(scores.open()))
    assert [(row["student"], row["item"]) for row in rows] == [(one, "final_project_challenge") for one in ("anna", "bert", "carl")]
    private, worse = read_truth(course)["private"], challenge.read((course / "submitted/anna/challenge/worse.csv").read_bytes(), list(truth_of(course)[0]))
    value = scoring.auc(private.labels, np.array([worse[case] for case in private.cases]))
    assert float(rows[0]["points"]) == pytest.approx(200 * (value - 0.5), abs=0.11) and rows[0]["points"] == rows[1]["points"]
    assert "| 1 | carl |" in page.read_text() and "less than the first" in page.read_text()
    before = page.read_bytes(), scores.read_bytes()
    board.final(course, SCHEME)
    assert (page.read_bytes(), scores.read_bytes()) == before
    assert cli.main(["grades", "--course", str(course)]) == 0
    assert "final_project_challenge" not in capsys.readouterr().out
    scheme = (ROOT / "grading" / "scheme.yaml").read_text().replace("final_project_report: 60}", "final_project_report: 50, final_project_challenge: 10}", 1)
    (course / "scheme.yaml").write_text(scheme)
    cli.main(["grades", "--course", str(course)])
    items = (course / "course_grades" / "course_grades_by_item.csv").read_text(encoding="utf-8-sig")
    assert re.search(r"anna.*final_project_challenge.*challenge_scores.csv, line 2", items)


def test_a_kept_file_that_was_changed_is_noticed(course):
    hand_in(course, "anna", "0.csv")
    score(course, SCHEME, NOON)
    next((course / FOLDER / "kept").iterdir()).write_text("case,probability\n")
    with pytest.raises(SourceError, match="missing or was changed"):
        board.final(course, SCHEME)


def test_who_is_called_like_a_team_is_not_in_it(course):
    (course / "teams.csv").write_text("team,student\nOwls,anna\n")
    hand_in(course, "anna", "0.csv", 1.0, 1)
    hand_in(course, "Owls", "0.csv", 0.2, 2)
    score(course, SCHEME, NOON)
    assert sorted(path.stem for path in (course / FOLDER / "answers").iterdir()) == ["Owls", "Owls (alone)"]


def test_crooked_teams_are_refused(course):
    hand_in(course, "anna", "0.csv")
    (course / "teams.csv").write_text("team,student\nOwls,anna\nBats,anna\n")
    with pytest.raises(SourceError, match="has one team"):
        score(course, SCHEME, NOON)
    (course / "teams.csv").write_text("team,student\n../x,anna\n")
    with pytest.raises(SourceError, match="can't be a team's name"):
        score(course, SCHEME, NOON)


def test_the_command_makes_scores_and_writes_tables(tmp_path, capsys, monkeypatch):
    from grading.challenge import cohort

    monkeypatch.setattr(cohort.make, "__defaults__", (None, 20, 40))
    line = ["--course", str(tmp_path)]
    assert cli.main(["challenge", "make", *line]) == 0
    hand_in(tmp_path, "anna", "0.csv", 2.0)
    assert cli.main(["challenge", "score", *line, "--at", "2027-04-01 12:00"]) == 0
    assert cli.main(["challenge", "leaderboard", *line, "--at", "2027-04-01 12:00"]) == 0
    assert cli.main(["challenge", "final", *line]) == 0
    said = capsys.readouterr().out
    assert "Give out" in said and "1 files looked at" in said and "leaderboard.md" in said and "weighs nothing" in said
    assert "2027-04-01 12:00 HKT" in (tmp_path / FOLDER / "leaderboard.md").read_text()
