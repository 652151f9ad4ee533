"""Stage 6, the public face: the command line, and the API that analysts import."""

from typing import Final

__version__: Final = "0.1.0.dev0"
