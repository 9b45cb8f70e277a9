"""The check as one HTML file that needs nothing else: `humbleyolo check --html`."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from humbleyolo.check.folder_check import Checked, choice_rows, table_rows
from humbleyolo.storage.atomic import atomic_write

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color:
#202226 } table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto } th, td {
border-bottom: 1px solid #ced0d4; padding: .25rem .75rem; text-align: left; vertical-align: top } tr.best {
background: #e8f4ec } img { max-width: 100% } .error { color: #a01818 } .warning { color: #7a5200 } summary {
cursor: pointer; font-weight: 600 }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_MOST_ROWS = 2000  # of one kind on the page


def write_page(path: Path, checked: Checked, title: str) -> None:
    """Write the page. Everything that comes from the labels is escaped; no scripts, nothing is loaded.

    Raises:
        UserError: Where it cannot be written.
    """
    labelled, view = checked.labelled, checked.overview
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{escape(title)}</h1>",
        f"<p>Format {escape(labelled.format)}, because {escape(labelled.why)}. {view.images} images"
        f"{f', {view.background} of them background' if view.background else ''}{_lists(view.splits)}.</p>",
        "<h2>Classes</h2><p>Sizes in pixels: 5 %, median, 95 %.</p>",
        _table(table_rows(view)),
        "<h2>Findings</h2>",
        *_findings(checked),
        *(_picture(title, sheet) for title, sheet in checked.doubted.items()),
    ]
    if checked.best is not None:
        best = checked.choices.index(checked.best) + 1
        parts += [
            "<h2>Input size and grid</h2><p>What the best detector could score, with one box a cell. "
            "The advised row is marked.</p>",
            _table(choice_rows(checked), best),
        ]
    parts.append("<h2>What the boxes hold</h2>")
    parts += [_picture(f"Boxes of {name}", sheet) for name, sheet in checked.sheets.items()]
    parts.append("</main></body></html>\n")
    with atomic_write(path) as file:
        file.write("\n".join(parts).encode())


def _lists(splits: Mapping[str, int]) -> str:
    return "; lists: " + ", ".join(f"{name} {count}" for name, count in splits.items()) if splits else ""


def _picture(title: str, sheet: Image.Image) -> str:
    return f'<p><img alt="{escape(title)}" src="{_data(sheet)}"></p>'


def _findings(checked: Checked) -> list[str]:
    kinds = dict.fromkeys((row.severity, row.kind) for row in checked.rows)
    parts = [] if kinds else ["<p>None.</p>"]
    for severity, kind in kinds:
        some = [row for row in checked.rows if (row.severity, row.kind) == (severity, kind)]
        rows = [["file", "where", "found", "why"]]
        rows += [[row.file, row.where, row.what, row.why] for row in some[:_MOST_ROWS]]
        head = f'<span class="{severity}">{severity}</span>: {escape(kind)}, {len(some)}'
        parts.append(f"<details><summary>{head}</summary>{_table(rows)}</details>")
    return parts


def _table(rows: Sequence[Sequence[str]], marked: int | None = None) -> str:
    head = "".join(f'<th scope="col">{escape(value)}</th>' for value in rows[0])
    body = "".join(
        f"<tr{' class=best' if number == marked else ''}>"
        + "".join(f"<td>{escape(value)}</td>" for value in row)
        + "</tr>"
        for number, row in enumerate(rows[1:], 1)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _data(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=9)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
