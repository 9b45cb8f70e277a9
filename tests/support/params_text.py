"""Parameter files with other values, and what is wrong with them."""

import io

import pytest
from repository import ROOT
from ruamel.yaml import YAML

from humbleyolo.errors import ProblemsError
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params

DEFAULT = (ROOT / "params.yaml").read_text(encoding="utf-8")
SECTIONS = tuple(Params.model_fields)


def at(document, key):
    """Return the mapping or list that holds `key`, and its last part."""
    *way, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    for part in way:
        document = document[part]
    return document, last


def line_of(key, text):
    holder, last = at(YAML().load(text), key)
    return (holder.lc.key(last) if isinstance(last, str) else holder.lc.item(last))[0] + 1


def problems_of(text, tmp_path, check=None):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProblemsError) as caught:
        load_params(path, "seed", check=check)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{path}: ")
    return list(caught.value.problems)


def changed(*changes):
    """Return the default file with values replaced: (key, YAML text)."""
    yaml = YAML()
    document = yaml.load(DEFAULT)
    for key, value in changes:
        holder, last = at(document, key)
        holder[last] = YAML().load(value)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def every_key(section=Params, way=""):
    for name, field in section.model_fields.items():
        yield f"{way}{name}"
        if hasattr(field.annotation, "model_fields"):
            yield from every_key(field.annotation, f"{way}{name}.")
