"""One bar chart of the table: an SVG written here, so that no plotting library is needed."""

from xml.sax.saxutils import escape

from .report import collect, columns_of, title

# Peers in greys, ours in colours that differ in lightness too.
GREYS = ["#9aa0a6", "#6b7075", "#c4c8cc", "#4a4e52", "#b0a8a0", "#857d75"]
COLOURS = ["#1f77b4", "#0b3d66", "#e07b00", "#8a4b00", "#2ca02c", "#145214", "#9467bd", "#4b2d66"]
BAR, GAP, GROUP_GAP, HEIGHT, LEFT, TOP = 11, 1, 26, 300, 56, 40


def colour_of(columns):
    colours, greys, hues = {}, 0, 0
    for column in columns:
        if column[0] == "peer":
            colours[column] = GREYS[greys % len(GREYS)]
            greys += 1
        else:
            colours[column] = COLOURS[hues % len(COLOURS)]
            hues += 1
    return colours


def nice_step(highest):
    step = 10.0 ** -6
    while highest / step > 6:
        for factor in (2, 2.5, 2):
            step *= factor
            if highest / step <= 6:
                break
    return step


def svg(rows):
    cells = {key: cell for key, cell in collect(rows).items() if cell}
    columns = columns_of(cells)
    colours = colour_of(columns)
    highest = max((value for cell in cells.values() for value in cell.values()), default=1) or 1
    step = nice_step(highest)
    top = step * (int(highest / step) + 1)
    group = len(columns) * (BAR + GAP) + GROUP_GAP
    plot_width = max(len(cells) * group, 320)
    legend_rows = (len(columns) + 3) // 4
    width, bottom = LEFT + plot_width + 20, TOP + HEIGHT
    height = bottom + 60 + 18 * legend_rows + 10

    def y_of(value):
        return bottom - value / top * HEIGHT

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">Attention, TFLOPS (medians; higher is better)</text>',
    ]
    for i in range(int(round(top / step)) + 1):
        y = y_of(i * step)
        parts.append(f'<line x1="{LEFT}" x2="{width - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{i * step:g}</text>')
    for index, ((shape, causal), cell) in enumerate(cells.items()):
        left = LEFT + index * group + GROUP_GAP / 2
        for place, column in enumerate(columns):
            if column not in cell:
                continue
            y = y_of(cell[column])
            parts.append(
                f'<rect x="{left + place * (BAR + GAP):.1f}" y="{y:.1f}" width="{BAR}"'
                f' height="{bottom - y:.1f}" fill="{colours[column]}">'
                f"<title>{escape(title(column))}: {cell[column]:.4g} TFLOPS</title></rect>"
            )
        middle = left + (group - GROUP_GAP) / 2
        labels = [f"{shape.batch}×{shape.heads_q}×{shape.len_q}", f"D{shape.head_dim}"]
        labels[1] += " causal" if causal else ""
        for line, label in enumerate(labels):
            parts.append(
                f'<text x="{middle:.1f}" y="{bottom + 16 + 14 * line}" text-anchor="middle">{label}</text>'
            )
    for index, column in enumerate(columns):
        x = LEFT + index % 4 * max(plot_width // 4, 150)
        y = bottom + 58 + 18 * (index // 4)
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colours[column]}"/>')
        parts.append(f'<text x="{x + 15}" y="{y}">{escape(title(column))}</text>')
    return "\n".join([*parts, "</svg>", ""])
