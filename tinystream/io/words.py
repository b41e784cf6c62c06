"""What a library says about a file, as a line of ours."""

from __future__ import annotations

LONGEST = 200


def first_line(e: BaseException) -> str:
    """The first line of its message, in lower case and without a stop; its kind where there is none."""
    if isinstance(e, RecursionError):
        return "nested too deeply"
    text = (str(e).splitlines() or [""])[0].rstrip(".")
    return text[:1].lower() + text[1:LONGEST] or type(e).__name__
