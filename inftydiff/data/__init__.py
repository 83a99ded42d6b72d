"""Pictures as functions: vector faces at any resolution, folders of images, arrays."""

from inftydiff.data.array import image_array
from inftydiff.data.cache import cache_folder
from inftydiff.data.faces import face_credit, face_seeds, face_styles, faces
from inftydiff.data.folder import image_folder
from inftydiff.data.images import Images

__all__ = [
    "Images",
    "cache_folder",
    "face_credit",
    "face_seeds",
    "face_styles",
    "faces",
    "image_array",
    "image_folder",
]
