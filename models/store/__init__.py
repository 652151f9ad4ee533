"""Models on disk: saved signed, loaded only if whole, trusted and known to this program."""

from models.store.kind import Kind
from models.store.load import Model, load_model
from models.store.manifest import Manifest, Window, library_versions
from models.store.refusal import ModelRefusedError, Reason
from models.store.save import ModelExistsError, save_model

__all__ = [
    "Kind",
    "Manifest",
    "Model",
    "ModelExistsError",
    "ModelRefusedError",
    "Reason",
    "Window",
    "library_versions",
    "load_model",
    "save_model",
]
