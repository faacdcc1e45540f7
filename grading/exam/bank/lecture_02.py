"""Questions on lecture 2, what makes medical images special: geometry, tasks, modalities."""

import numpy as np

from grading.exam.model import Choice, Code, Numeric, template


@template("1.1", "numeric", 2)
def world_from_voxel(rng: np.random.Generator) -> Numeric:
    sx, sy, sz = float(rng.choice([0.8, 0.9, 1.2])), float(rng.choice([1.5, 2.0])), float(rng.choice([3.0, 5.0]))
    ox, oy, oz = (int(v) for v in rng.integers(20, 90, 3))
    i, j, k = (int(v) for v in rng.integers(15, 60, 3))
    return Numeric(
        text=f"A volume in RAS has the affine with diagonal ({-sx}, {sy}, {sz}) and offset ({ox}, {-oy}, {-oz}) mm. What is the first coordinate (towards the patient's right) of voxel ({i}, {j}, {k}), in mm? One decimal.",
        answer=ox - sx * i,
        unit="mm",
        tolerance=0.05,
        traps=((ox + sx * i, "the first axis of this volume runs against the world's: its entry in the affine is negative"), (-sx * i, "the offset is added: it says where voxel (0, 0, 0) lies")),
        explanation="World = affine times voxel: each coordinate is its row of the affine times the index, plus the offset.",
    )


@template("1.1", "numeric", 1)
def hounsfield_from_stored(rng: np.random.Generator) -> Numeric:
    stored, intercept = int(rng.integers(900, 1400)), -1024
    slope = float(rng.choice([0.5, 2.0]))
    return Numeric(
        text=f"A CT file stores the value {stored} for a voxel, with RescaleSlope {slope} and RescaleIntercept {intercept}. How many HU is that? In HU, no decimal.",
        answer=slope * stored + intercept,
        unit="HU",
        tolerance=0.5,
        traps=((float(stored), "that is the stored value: slope and intercept turn it into HU"), (slope * (stored + intercept), "first the slope, then the intercept")),
        explanation="HU = slope x stored + intercept.",
    )


@template("1.1", "numeric", 3)
def kappa_by_hand(rng: np.random.Generator) -> Numeric:
    both, none = int(rng.integers(8, 20)), int(rng.integers(60, 100))
    only_a, only_b = int(rng.integers(5, 14)), int(rng.integers(5, 14))
    n = both + none + only_a + only_b
    p = (both + none) / n
    e = ((both + only_a) * (both + only_b) + (none + only_a) * (none + only_b)) / n**2
    return Numeric(
        text=f"Two readers judge {n} films. Both call {both} ill and {none} healthy; only A calls {only_a} ill, only B {only_b}. What is Cohen's kappa? Two decimals.",
        answer=(p - e) / (1 - e),
        unit="",
        tolerance=0.01,
        traps=((p, "that is the plain agreement; much of it is chance, since most films are healthy"), (p - e, "what is left beyond chance is divided by what could be left, 1 - chance")),
        explanation="kappa = (observed - chance) / (1 - chance), with the chance agreement from both readers' own shares of ill and healthy.",
    )


@template("1.1", "choice", 2)
def how_a_label_is_resampled(rng: np.random.Generator) -> Choice:
    spacing = float(rng.choice([0.8, 1.5, 2.0]))
    return Choice(
        text=f"A label map with 0 background, 1 liver and 2 tumour is resampled to {spacing} mm by linear interpolation. What goes wrong at the border between background and tumour?",
        right="voxels of the value 1 appear: liver where none is",
        wrong=(
            ("nothing: values are rounded afterwards", "halfway from 0 to 2 is 1, and rounding keeps it"),
            ("the tumour loses its border", "the border stays where it is; its values are wrong"),
            ("the volume is turned", "interpolation moves no axis"),
        ),
        explanation="Labels are names, not amounts: the mean of two names is a third one. Take the nearest neighbour.",
    )


@template("1.1", "choice", 1)
def who_is_split(rng: np.random.Generator) -> Choice:
    visits = int(rng.integers(3, 7))
    return Choice(
        text=f"Each patient has {visits} visits with one film each. Which rule keeps the test honest?",
        right="all films of a patient are on one side",
        wrong=(
            ("the first visit is for training, the last for the test", "then every test patient was seen in training"),
            ("films are dealt out at random", "a patient's other films are in training, and films of one patient are alike"),
            ("test films are older than training films", "time alone does not separate patients"),
        ),
        explanation="A network can know a patient again. What is new in use is the patient.",
    )


@template("1.1", "choice", 3)
def what_stays_after_cleaning(rng: np.random.Generator) -> Choice:
    place = ["in a private tag", "inside a nested sequence", "burnt into the pixels"][rng.integers(3)]
    return Choice(
        text=f"A script deletes PatientName, PatientID and PatientBirthDate from the top level of a DICOM file. The name also stands {place}. What is true?",
        right="the file still names the patient",
        wrong=(
            ("the file is anonymous: readers show top-level tags only", "whoever opens the file otherwise finds the name"),
            ("the DICOM standard clears the other places by itself", "nothing is cleared unless a program does it"),
            ("only the hospital's own viewer could show it", "any program that reads the whole file can"),
        ),
        explanation="Names hide in sequences, private tags, free text and pixels; a list of top-level tags is not enough.",
    )


@template("1.1", "code", 2)
def isotropic_shape(rng: np.random.Generator) -> Code:
    calls = tuple(((int(rng.integers(20, 200)), int(rng.integers(20, 200)), int(rng.integers(10, 60))), tuple(float(v) for v in rng.choice([0.7, 0.9, 1.5, 2.5, 3.0, 5.0], 3)), float(rng.choice([1.0, 2.0]))) for _ in range(4))
    return Code(
        text="Write `new_shape(shape, spacing, target)`: how many voxels a volume has along each axis after resampling from `spacing` (mm, one an axis) to `target` mm everywhere. The field of view stays; round to the nearest whole number.",
        name="new_shape",
        stub='def new_shape(shape: tuple, spacing: tuple, target: float) -> list:\n    """Voxels along each axis of a volume of `shape` voxels, resampled from `spacing` to `target` mm."""',
        body="return [int(round(n * s / target)) for n, s in zip(shape, spacing)]",
        wrong=(
            ("return [int(round(n * target / s)) for n, s in zip(shape, spacing)]", "the other way round: larger old voxels give more new ones"),
            ("return [int(n * s) // int(target) * 0 + int(round(n / target)) for n, s in zip(shape, spacing)]", "the old spacing is left out"),
            ("return [int(round(n * s)) for n, s in zip(shape, spacing)]", "that is the field of view in mm; divide by the target"),
        ),
        calls=(*calls, ((100, 80, 40), (0.9, 1.5, 5.0), 2.0)),
        explanation="Voxels times spacing is the field of view in mm; over the target spacing it is the new number of voxels.",
    )


@template("1.2", "choice", 2)
def task_from_question(rng: np.random.Generator) -> Choice:
    question, right = [
        ("How many millilitres has this tumour shrunk since March?", "segmentation"),
        ("Where on this slice of today lies the spot that was biopsied in March?", "registration"),
        ("Is there a nodule anywhere in this scan, and where?", "detection"),
        ("How long will this patient live without a relapse?", "prognosis"),
    ][rng.integers(4)]
    whys = {
        "segmentation": "it gives an outline, and with it a volume, which was not asked for",
        "registration": "it gives a map between two images, which was not asked for",
        "detection": "it gives places of objects, and neither outlines nor time",
        "prognosis": "it gives a time or a risk, and no place in the image",
        "reconstruction": "it makes the image from raw data, before any question",
    }
    others = [name for name in whys if name != right]
    return Choice(
        text=f'A clinician asks: "{question}" Which task is that?',
        right=right,
        wrong=tuple((name, whys[name]) for name in others[:4]),
        explanation=f"What is asked for decides: here {right} gives just that.",
    )


@template("1.2", "choice", 1)
def metric_for_task(rng: np.random.Generator) -> Choice:
    task, right, others = [
        ("detecting nodules in CT, where a scan has none or several", "sensitivity at a number of false alarms a scan", (("accuracy over voxels", "nearly every voxel is right when nothing is found"), ("AUC over scans", "it does not ask whether the nodules were found where they are"), ("Dice over the whole scan", "one large nodule would outweigh all small ones"))),
        ("outlining a thin vessel wall", "surface distance in mm", (("accuracy over voxels", "nearly all voxels are background"), ("AUC over patients", "no patient is classified"), ("volume error", "a wall in the wrong place can have the right volume"))),
    ][rng.integers(2)]
    return Choice(text=f"Which figure fits the task best: {task}?", right=right, wrong=others, explanation="A figure should fall when what the clinician needs gets worse, and only then.")


@template("1.2", "numeric", 2)
def hits_at_a_false_alarm_rate(rng: np.random.Generator) -> Numeric:
    scans, nodules, found, alarms = int(rng.choice([50, 80, 100])), int(rng.integers(120, 180)), int(rng.integers(70, 110)), int(rng.integers(90, 300))
    return Numeric(
        text=f"A detector is run on {scans} scans that hold {nodules} nodules. It marks {found + alarms} places, of which {found} are nodules. How many false alarms a scan is that? Two decimals.",
        answer=alarms / scans,
        unit="",
        tolerance=0.02,
        traps=(((found + alarms) / scans, "marks on nodules are no false alarms"), (alarms / nodules, "false alarms are counted a scan, since a reader reads scans")),
        explanation="False alarms are the marks that are on no nodule; divide by the scans.",
    )


@template("1.2", "numeric", 2)
def enough_patients_to_screen(rng: np.random.Generator) -> Numeric:
    prevalence, sensitivity = float(rng.choice([0.002, 0.004, 0.005])), rng.integers(75, 95) / 100
    return Numeric(
        text=f"In a screening programme {prevalence:.1%} of the people have the cancer, and the reader with the network finds {sensitivity:.0%} of them. How many people must be screened, in the mean, to find one? No decimal.",
        answer=1 / (prevalence * sensitivity),
        unit="",
        tolerance=1.5,
        traps=((1 / prevalence, "that is for a reader who misses none"), (sensitivity / prevalence, "a lower sensitivity asks for more people, not fewer")),
        explanation="Of n people n x prevalence x sensitivity are found; set that to one.",
    )


@template("1.3", "numeric", 2)
def beer_lambert_through_two_tissues(rng: np.random.Generator) -> Numeric:
    a, b = round(float(rng.uniform(0.15, 0.25)), 2), round(float(rng.uniform(0.4, 0.6)), 2)
    da, db = int(rng.integers(3, 8)), int(rng.integers(1, 3))
    return Numeric(
        text=f"An X-ray beam crosses {da} cm of soft tissue ($\\mu$ = {a} per cm) and {db} cm of bone ($\\mu$ = {b} per cm). Which share of the photons comes through, in %? One decimal.",
        answer=100 * np.exp(-(a * da + b * db)),
        unit="%",
        tolerance=0.1,
        traps=((100 * (1 - np.exp(-(a * da + b * db))), "that is the share that is stopped"), (100 * np.exp(-(a + b) * (da + db) / 2), "each tissue has its own length: sum the products")),
        explanation="I / I0 = exp(-sum of mu times length): the line integral of the attenuation.",
    )


@template("1.3", "choice", 2)
def weighting_from_te_tr(rng: np.random.Generator) -> Choice:
    tr, te, right = [(500, 12, "T1"), (4000, 100, "T2"), (4000, 12, "proton density")][rng.integers(3)]
    whys = {
        "T1": "that needs a short TR, before the slow tissues have recovered",
        "T2": "that needs a long TE, when the fast tissues have faded",
        "proton density": "that needs a long TR and a short TE, so that neither time matters",
        "diffusion": "that needs strong extra gradients",
    }
    return Choice(
        text=f"A spin echo has TR {tr} ms and TE {te} ms. Which contrast dominates?",
        right=right,
        wrong=tuple((name, why) for name, why in whys.items() if name != right),
        explanation="Signal ~ PD (1 - exp(-TR / T1)) exp(-TE / T2): a short TR lets T1 speak, a long TE lets T2 speak.",
    )


@template("1.3", "choice", 2)
def noise_of_a_modality(rng: np.random.Generator) -> Choice:
    modality, right = [("counts in PET", "Poisson"), ("the magnitude image of MR", "Rician"), ("the envelope of ultrasound", "Rayleigh speckle"), ("photons at an X-ray detector", "Poisson")][rng.integers(4)]
    whys = {
        "Poisson": "that is of counted events",
        "Rician": "that is of the magnitude of a complex signal with Gaussian noise",
        "Rayleigh speckle": "that is of many scatterers whose echoes interfere",
        "salt and pepper": "that is of broken detector pixels, not of the physics",
    }
    return Choice(
        text=f"Which noise model describes {modality} best?",
        right=right,
        wrong=tuple((name, why) for name, why in whys.items() if name != right),
        explanation="The physics of the detector decides: counts, magnitudes of complex signals, or interfering echoes.",
    )


@template("1.3", "choice", 1)
def backprojection_without_filter(rng: np.random.Generator) -> Choice:
    views = int(rng.choice([90, 180, 360]))
    return Choice(
        text=f"{views} projections of a small bright ball are back-projected without the ramp filter. What does the image show?",
        right="a ball in a wide haze",
        wrong=(
            ("a sharp ball", "each view smears along its lines, and these add up around the ball"),
            ("a dark ball", "sums of positive smears are positive"),
            ("nothing: the views cancel", "without a filter nothing is negative, so nothing cancels"),
        ),
        explanation="Back-projection alone blurs by 1/r, since low frequencies are counted too often; the ramp filter weighs them down.",
    )


@template("1.3", "numeric", 3)
def echo_signal_ratio(rng: np.random.Generator) -> Numeric:
    tr, te = int(rng.choice([400, 600, 800])), int(rng.choice([10, 15, 20]))
    (t1a, t2a), (t1b, t2b) = (850, 80), (1300, 110)  # white and grey matter, about, at 3 T
    ratio, swapped = ((1 - np.exp(-a / t1a)) * np.exp(-b / t2a) / ((1 - np.exp(-a / t1b)) * np.exp(-b / t2b)) for a, b in ((tr, te), (te, tr)))
    return Numeric(
        text=f"In a spin echo with TR {tr} ms and TE {te} ms, white matter has T1 {t1a} ms and T2 {t2a} ms, grey matter T1 {t1b} ms and T2 {t2b} ms; proton densities are taken as equal. What is the signal of white over that of grey matter? Two decimals.",
        answer=ratio,
        unit="",
        tolerance=0.01,
        traps=((1 / ratio, "that is grey over white"), (swapped, "TR goes with T1 and TE with T2; these are swapped")),
        explanation="S = PD (1 - exp(-TR / T1)) exp(-TE / T2) for each tissue; with a short TR the shorter T1 is brighter.",
    )
