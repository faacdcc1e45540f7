# expect: landmark-error-mm: these are voxels
from scipy import ndimage


def landmark_errors(fixed_points: np.ndarray, moving_points: np.ndarray, u: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    if (fixed_points < 0).any() or (fixed_points > np.array(u.shape[1:]) - 1).any():
        raise ValueError("a landmark lies outside the fixed image, where there is no displacement to read")
    moved = np.stack([ndimage.map_coordinates(component, fixed_points.T, order=1) for component in u], axis=1)
    return np.linalg.norm((fixed_points - moving_points) + moved, axis=1)
