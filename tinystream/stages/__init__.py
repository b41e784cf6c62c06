"""Signal processing: one stage a file, found by its name.  `from tinystream.stages import Mel` finds mel.py."""

from __future__ import annotations

import sys
from typing import Any

from tinystream.plan.kinds import class_name, find, kinds


def __getattr__(name: str) -> Any:
    return find(sys.modules[__name__], name)


def __dir__() -> list[str]:
    return [*globals(), *map(class_name, kinds(sys.modules[__name__]))]
