"""The check as one HTML file that needs nothing else: `humbleyolo check --html`."""

from pathlib import Path

from humbleyolo.check.box_sheets import MOST_CLASSES
from humbleyolo.check.folder_check import Checked, choice_rows, summary, table_rows
from humbleyolo.drawing.html_page import data_uri, encode_picture, render_page
from humbleyolo.inputs.ledger import grouped
from humbleyolo.storage.atomic import write_output

_MOST_ROWS = 2000  # of one kind on the page


def write_page(path: Path, checked: Checked, title: str) -> None:
    """Write the page. Everything that comes from the labels is escaped; no scripts, nothing is loaded.

    Raises:
        UserError: If it cannot be written.
    """
    head = ["file", "where", "found", "why"]
    findings = [
        (kind, len(rows), [head, *([row.file, row.where, row.what, row.why] for row in rows[:_MOST_ROWS])])
        for kind, rows in grouped(checked.rows).items()
    ]
    boxes = {one.name: one.boxes for one in checked.overview.tables}
    most = set(sorted(checked.sheets, key=lambda name: -boxes[name])[:MOST_CLASSES])
    page = render_page(
        "check", "template.html", "style.css", title=title, checked=checked, summary=summary(checked),
        classes=table_rows(checked.overview), findings=findings, choices=choice_rows(checked),
        sheets=[one for one in checked.sheets.items() if one[0] in most],
        labelled=sum(one.boxes > 0 for one in checked.overview.tables),
        data_uri=lambda sheet: data_uri(encode_picture(sheet, "png"), "png"),
    )  # fmt: skip
    with write_output(path) as file:
        file.write(page.encode())
