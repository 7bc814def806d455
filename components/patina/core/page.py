"""Small self-contained HTML pages, as the KFP UI shows them: no script, nothing external, every text escaped."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;color:#1d2329;background:#fff;margin:0 auto;padding:24px;max-width:1080px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 8px}p{margin:4px 0 10px;max-width:75ch}
table{border-collapse:collapse;font-size:14px}th,td{padding:3px 12px 3px 0;text-align:left;border-bottom:1px solid #e4e7eb}
th{font-weight:600;color:#4a5560;vertical-align:bottom}td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
.note{background:#fff7e0;border-left:4px solid #d99a00;padding:6px 12px;margin:6px 0;max-width:80ch}.quiet{color:#5f6b76}
.columns{display:flex;flex-wrap:wrap;gap:8px 48px;align-items:flex-start}
.pictures{display:flex;flex-wrap:wrap;gap:14px}figure{margin:0}figcaption{font-size:12px;color:#4a5560;max-width:330px}
figure img{display:inline-block;height:150px;margin-right:3px;border-radius:2px}
.key{display:inline-block;width:12px;height:12px;border-radius:2px;border:1px solid #99a;margin-right:6px;vertical-align:-1px}
"""


def page(title: str, sections: Iterable[str]) -> str:
    """A whole page; `sections` are HTML made by the functions of this module."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{_STYLE}</style>'
    body = "\n".join((f"<h1>{escape(title)}</h1>", *sections))
    return f'<!doctype html><html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def heading(text: str) -> str:
    """A heading within the page."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, *, quiet: bool = False) -> str:
    """A paragraph; `quiet` for what only few will read."""
    return f"<p{' class=quiet' if quiet else ''}>{escape(text)}</p>"


def note(text: str) -> str:
    """Something the reader should not miss."""
    return f'<div class="note">{escape(text)}</div>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str | int | float]], keys: Sequence[tuple[int, int, int]] = ()) -> str:
    """A table; numbers stand right, thousands separated, floats with 3 decimals.

    Args:
        columns: headings.
        rows: one value per column.
        keys: RGB colour (0..255) of each row, shown as a square before its first cell; empty for none.
    """
    filled = [list(row) for row in rows]
    right = [any(isinstance(row[i], int | float) for row in filled) for i in range(len(columns))]
    head = "".join(f"<th{_number(right[i])}>{escape(name)}</th>" for i, name in enumerate(columns))
    lines: list[str] = []
    for index, row in enumerate(filled):
        cells = [f"<td{_number(right[i])}>{escape(_shown(value))}</td>" for i, value in enumerate(row)]
        if keys:
            color = "#{:02x}{:02x}{:02x}".format(*keys[index])
            cells[0] = cells[0].replace("<td>", f'<td><span class="key" style="background:{color}"></span>', 1)
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def columns(*blocks: str) -> str:
    """Blocks side by side where the page is wide enough."""
    return f'<div class="columns">{"".join(f"<div>{block}</div>" for block in blocks)}</div>'


def pictures(figures: Iterable[tuple[Sequence[bytes], str]]) -> str:
    """Figures in a flowing row.

    Args:
        figures: (JPEG files shown side by side, caption) each.
    """
    shown: list[str] = []
    for files, caption in figures:
        images = "".join(f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">' for data in files)
        shown.append(f"<figure>{images}<figcaption>{escape(caption)}</figcaption></figure>")
    return f'<div class="pictures">{"".join(shown)}</div>'


def _number(right: bool) -> str:
    return " class=number" if right else ""


def _shown(value: str | int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}" if isinstance(value, float) else value
