"""A compiler goes in, a library comes out that sets the wall clock of one process wrong.

Separate because faketime (0.9.10) will not do here: it shifts the monotonic clock as well, which
Python waits on, and where it is told not to, `time.sleep` fails with EINVAL (measured 2026-11-21).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

SHIFT: Final = "CLOCK_SHIFT_S"
_SOURCE: Final = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    const char *shift = getenv("CLOCK_SHIFT_S");
    if (!failed && clock == CLOCK_REALTIME && shift) now->tv_sec += atol(shift);
    return failed;
}
"""


def shifted_clock(folder: Path, shift_s: int) -> dict[str, str]:
    """Return the environment of a process whose wall clock is wrong by so many seconds."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: shifts the clock of one process")
    source, library = folder / "shifted_clock.c", folder / "shifted_clock.so"
    source.write_text(_SOURCE)
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return {"LD_PRELOAD": str(library), SHIFT: str(shift_s)}
