"""The metadata in an exported file."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from typing import Any

from ..program import MOST_OWN, check_metadata, described, shipped

#: Characters that end a comment, a literal or a tag in some language, or start a trigraph; JSON has them only in texts.
_ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "/?<>'`$"}


def metadata_of(student: Any, own: dict[str, Any] | bool | None) -> dict[str, Any]:
    """Return the metadata of a student for a file, as plain JSON.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    own : dict, None or False
        The user's own metadata; False for no metadata at all.

    Returns
    -------
    metadata : dict
        ``user``, what the user says, where that is anything; ``exported``, when that was; and what the fit knows, or
        the file that the student was loaded from: ``student``, ``teacher``, ``report``, ``compression``, ``versions``.
    """
    if own is False:
        return {}
    inner = shipped(student)
    known = getattr(inner, "metadata_", None)
    if known is None:
        known = {"student": described(inner), **getattr(inner, "_fit_metadata", {})}
    known = {name: value for name, value in known.items() if name not in ("user", "exported")}
    if hasattr(inner, "compression_report_"):
        known["compression"] = described(inner.compression_report_)
    user = {**getattr(inner, "metadata_", {}).get("user", {}), **check_metadata({} if own is None else own, MOST_OWN)}
    # the convention of https://reproducible-builds.org/specs/source-date-epoch/
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    exported = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return check_metadata({**({"user": user} if user else {}), "exported": exported, **known})


def metadata_json(student: Any, own: dict[str, Any] | bool | None, **style: Any) -> str:
    """Return the same as a JSON text, which may stand as it is in a comment of C, JavaScript, SQL or HTML.

    It is ASCII, on one line unless `style`, keywords of ``json.dumps``, has an indent, and holds none of ``/?<>'`$``.
    Without metadata the text is empty.
    """
    metadata = metadata_of(student, own)
    return json.dumps(metadata, **style).translate(_ESCAPED) if metadata else ""
