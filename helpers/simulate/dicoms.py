"""CT slices as DICOM in memory, with an invented patient's identity in every place where real files hide it."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from .chests import slab, thorax_slice
from .fields import generator

_ROOT = "1.2.826.0.1.3680043.8.498."  # pydicom's own root, free for anybody's test objects
_FAMILY = ("Testermann", "Beispiel", "Samplewood", "Ejemplo", "Fictive", "Placehold")
_GIVEN = ("Alexis", "Robin", "Jordan", "Kim", "Sascha", "Noa")
_DOCTORS = ("Imaginary^Ida", "Notreal^Niels", "Madeup^Mira")
_STREETS = ("Phantom Lane", "Specimen Street", "Mock Road")
_HOSPITALS = ("Nowhere General Hospital", "St. Placeholder Infirmary")


@dataclass(frozen=True)
class DicomFile:
    """One invented CT slice."""

    dataset: FileDataset  # in memory, explicit VR little endian; `dataset.save_as(...)` writes a valid file
    planted: tuple[str, ...]  # every identifying string; none may be left anywhere after de-identification
    dates: tuple[str, ...]  # planted dates, DICOM form YYYYMMDD
    uids: tuple[str, ...]  # instance identifiers of this study that tie files together, each used in several places
    hu: np.ndarray  # (rows, columns) float64: stored value * slope + intercept
    seed: int


def dicom(*, seed: int = 0) -> DicomFile:
    """A chest CT slice (128 x 128 pixels of 3 mm) with an invented identity.

    Planted at the top level, in nested sequences, in a private block, in free text and in file meta information; dates and UIDs
    come more than once, so that they must be replaced consistently.
    """
    image = thorax_slice(size=128, spacing=3.0, seed=seed)  # its middle lies 6 mm behind the origin
    return _file(image.hu, (3.0, 3.0), 5.0, (-190.5, -184.5, image.height), 0, _identity(seed), seed)


def dicom_series(slices: int = 8, *, seed: int = 0) -> list[DicomFile]:
    """Neighbouring slices of one chest (3 mm pixels, 6 mm apart), one patient, study and series, in shuffled order.

    Sort them by the position along the normal of the image plane, not by file order; InstanceNumber runs from the head down.
    """
    if not 2 <= slices <= 40:
        raise ValueError(f"slices must lie between 2 and 40, not {slices}.")
    heights = 100.0 + 6.0 * (np.arange(slices) - slices // 2)
    chest = slab(heights, size=128, spacing=3.0, seed=seed)
    who, files = _identity(seed), []
    for i, height in enumerate(heights):
        position = (-190.5, -184.5, float(height))  # DICOM is LPS: x to the left, y to the back
        files.append(_file(chest[i], (3.0, 3.0), 6.0, position, slices - i, who, seed))
    return [files[i] for i in generator(seed, "shuffle").permutation(slices)]


def _identity(seed: int) -> dict[str, str]:
    rng = generator(seed, "identity")

    def one(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    birth = date(1935, 1, 1) + timedelta(days=int(rng.integers(60 * 365)))
    study = date(2019, 1, 1) + timedelta(days=int(rng.integers(4 * 365)))
    number = [int(v) for v in rng.integers(10**6, 10**7, 8)]
    family, given = one(_FAMILY), one(_GIVEN)
    return {
        "name": f"{family}^{given}", "spoken": f"{given} {family}", "id": f"MRN{number[0]}", "other_id": f"NHS-{number[1]}",
        "birth": birth.strftime("%Y%m%d"), "study_date": study.strftime("%Y%m%d"),
        "before": (study - timedelta(days=int(rng.integers(60, 500)))).strftime("%Y%m%d"),
        "doctor": one(_DOCTORS), "reader": one(("Pretend^Pia", "Invented^Ivo")), "hospital": one(_HOSPITALS),
        "address": f"{int(rng.integers(1, 200))} {one(_STREETS)}", "phone": f"+00 555 {number[2]}", "accession": f"ACC{number[3]}",
        "insurance": f"INS{number[4]}", "device": f"SN{number[5]}",
        "study_uid": f"{_ROOT}{number[6]}.1", "series_uid": f"{_ROOT}{number[6]}.1.2", "frame_uid": f"{_ROOT}{number[6]}.1.9",
        "prior_uid": f"{_ROOT}{number[7]}.1",
    }  # fmt: skip


def _file(hu: np.ndarray, pixel: tuple, thickness: float, position: tuple, number: int, who: dict[str, str], seed: int) -> DicomFile:
    slope, intercept = 1.0, -1024.0
    stored = np.clip(np.round((hu - intercept) / slope), 0, 4095).astype(np.uint16)
    uid = f"{who['series_uid']}.{number + 1}"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, uid
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, f"{_ROOT}1"
    meta.FileMetaInformationVersion = b"\x00\x01"
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = CTImageStorage, uid, "CT"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = who["study_uid"], who["series_uid"], who["frame_uid"]
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = who["name"], who["id"], who["birth"], "O"
    ds.PatientAddress, ds.PatientTelephoneNumbers, ds.PatientAge = who["address"], who["phone"], "060Y"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = who["study_date"]
    ds.StudyTime, ds.AccessionNumber, ds.StudyID = "101500", who["accession"], "1"
    ds.ReferringPhysicianName, ds.OperatorsName = who["doctor"], who["reader"]
    ds.InstitutionName, ds.StationName, ds.DeviceSerialNumber = who["hospital"], "CT1", who["device"]
    ds.StudyDescription = "CT chest"
    ds.ImageComments = f"Discussed with {who['spoken']} by telephone."  # free text
    ds.Manufacturer, ds.KVP, ds.BodyPartExamined = "Simulated", "120", "CHEST"

    # Nested sequences: a request inside which another sequence names a person; a prior study; an issuer of a second identifier.
    person = pydicom.Dataset()
    person.PersonName, person.InstitutionName = who["reader"], who["hospital"]
    request = pydicom.Dataset()
    request.RequestingPhysician, request.AccessionNumber, request.StudyInstanceUID = who["doctor"], who["accession"], who["study_uid"]
    request.RequestedProcedureDescription = f"CT chest for {who['spoken']}"
    request.IntendedRecipientsOfResultsIdentificationSequence = Sequence([person])
    ds.RequestAttributesSequence = Sequence([request])
    other = pydicom.Dataset()
    other.PatientID, other.TypeOfPatientID = who["other_id"], "TEXT"
    ds.OtherPatientIDsSequence = Sequence([other])
    inner, prior = pydicom.Dataset(), pydicom.Dataset()
    inner.ReferencedSOPClassUID, inner.ReferencedSOPInstanceUID = CTImageStorage, uid
    prior.StudyInstanceUID, prior.StudyDate, prior.ReferencedSOPSequence = who["prior_uid"], who["before"], Sequence([inner])
    ds.ReferencedStudySequence = Sequence([prior])

    # A private block, as vendors write them: its text repeats the patient.
    block = ds.private_block(0x0029, "SIMULATED VENDOR 1.0", create=True)
    block.add_new(0x01, "LO", f"{who['name']} {who['insurance']}")
    block.add_new(0x02, "DA", who["before"])
    block.add_new(0x03, "DS", "1.5")

    ds.ImagePositionPatient = [round(float(v), 4) for v in position]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = list(pixel), thickness
    ds.InstanceNumber, ds.SeriesNumber = max(number, 1), 2
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = slope, intercept, "HU"
    ds.WindowCenter, ds.WindowWidth = -500, 1500
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.set_pixel_data(stored, "MONOCHROME2", 12, generate_instance_uid=False)
    keys = "name spoken id other_id birth address phone accession insurance doctor reader hospital device".split()
    return DicomFile(
        ds, tuple(who[key] for key in keys), (who["birth"], who["study_date"], who["before"]),
        (uid, who["study_uid"], who["series_uid"], who["frame_uid"], who["prior_uid"]), stored * slope + intercept, seed,
    )  # fmt: skip
