"""Pictures as functions: vector faces at any resolution, images, arrays, fields."""

from inftydiff.data.array import image_array
from inftydiff.data.cache import cache_folder
from inftydiff.data.celeba_hq import celeba_hq
from inftydiff.data.faces import face_credit, face_seeds, face_styles, faces
from inftydiff.data.ffhq import ffhq
from inftydiff.data.field_scale import FieldScale
from inftydiff.data.fields import Fields, field_array
from inftydiff.data.folder import image_folder
from inftydiff.data.hub import hub_dataset
from inftydiff.data.images import Images
from inftydiff.data.lazy import LazyImages
from inftydiff.data.lazy_folder import ImageFolder
from inftydiff.data.lsun import lsun_church
from inftydiff.data.memmap import ImageArray
from inftydiff.data.unreadable import UnreadableSample

__all__ = [
    "FieldScale",
    "Fields",
    "ImageArray",
    "ImageFolder",
    "Images",
    "LazyImages",
    "UnreadableSample",
    "cache_folder",
    "celeba_hq",
    "face_credit",
    "face_seeds",
    "face_styles",
    "faces",
    "ffhq",
    "field_array",
    "hub_dataset",
    "image_array",
    "image_folder",
    "lsun_church",
]
