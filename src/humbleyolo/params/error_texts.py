"""Texts for what pydantic finds wrong: the key, the value, what is allowed."""

import difflib
import re
import reprlib
from typing import Any

from humbleyolo.params.keys import Key, dotted, kind_of

_ALLOWED: dict[str, str] = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys with values",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "too_short": "{min_length} or more",
    "too_long": "{max_length} at most",
    "string_too_short": "a text that is not empty",
    "value_error": "{error}",
    "invalid_key": "a text as a key",
    "string_pattern_mismatch": "a colour such as '#ffffff'",
    "model_type": "a section with keys",
    "model_attributes_type": "a section with keys",
}

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlevel = 2


def error_text(detail: Any, file: str) -> str:
    """Return the text for one of the entries of `ValidationError.errors` about a parameter file."""
    key: Key = detail["loc"]
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(key)
    if kind == "missing":
        return missing_key(key, file)
    context = {
        name: int(bound) if isinstance(bound, float) and bound.is_integer() else bound
        for name, bound in context.items()
    }
    allowed = _ALLOWED.get(kind)
    text = allowed.format(**context) if allowed else re.sub(r"^Input should be ", "", detail["msg"])
    found = f"{context['actual_length']} values" if kind in ("too_short", "too_long") else shown(value)
    return f"{dotted(key)}: {found} is not allowed; allowed: {text}"


def unknown_key(key: Key) -> str:
    """Return the text for a key that its section does not have, with the nearest that it has."""
    known = list(kind_of(key[:-1]).model_fields)
    near = difflib.get_close_matches(str(key[-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(known)}"
    return f"{dotted(key)}: unknown key; {hint}"


def missing_key(key: Key, file: str) -> str:
    """Return the text for a key that a file lacks, with the command that adds it."""
    command = "humbleyolo params --update" + ("" if file == "params.yaml" else f" {file}")
    return f"{dotted(key)}: is missing; `{command}` adds it"


def shown(value: Any) -> str:
    """Return a value as YAML writes it, not at length."""
    names = {True: "true", False: "false", None: "an empty value"}
    return names[value] if value is None or isinstance(value, bool) else _SHORT.repr(value)
