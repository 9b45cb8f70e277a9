"""The colours of every picture and page: classes, ground truth, detections, paper and ink.

Pages take them as CSS custom properties from `css_properties`, and the colours of their classes from `class_colours`.
"""

Colour = tuple[int, int, int]

# Okabe and Ito's palette, which the colour-blind can tell apart (https://jfly.uni-koeln.de/color), without
# its black, which would be lost on a dark image.
_ORANGE: Colour = (230, 159, 0)
_SKY_BLUE: Colour = (86, 180, 233)
_YELLOW: Colour = (240, 228, 66)
_CLASSES = (_ORANGE, _SKY_BLUE, (0, 158, 115), _YELLOW, (204, 121, 167), (213, 94, 0), (0, 114, 178))

PAPER: Colour = (250, 250, 248)
WHITE: Colour = (255, 255, 255)
INK: Colour = (32, 34, 38)
FAINT_INK: Colour = (106, 110, 118)
FRAME: Colour = (206, 208, 212)  # around a picture, where labels have room; lines of tables

# Boxes in the report, coloured by their fate. In the PNG galleries every box has the colour of its class.
GROUND_TRUTH = WHITE
MISSED = _YELLOW  # ground truth without a detection
CORRECT = _SKY_BLUE  # a detection; so are the next two
WRONG: Colour = (255, 122, 26)
UNJUDGED: Colour = (185, 185, 185)

# No class has these two.
CONFIDENT: Colour = (140, 90, 255)  # tint of a cell of the grid with a high confidence
RESPONSIBLE: Colour = (255, 60, 200)  # edge of a cell that holds an object's centre

DOUBTED: Colour = (200, 30, 30)  # a box that `check` warns of
OUTSIDE: Colour = (128, 128, 128)  # beyond an image's edge


def class_colour(label: int) -> Colour:
    """Return the colour of a class, from 0: Okabe and Ito's seven, then their tints and shades."""
    rounds, position = divmod(label, len(_CLASSES))
    towards, part = ((0, 0.0), (255, 0.5), (0, 0.4), (255, 0.75))[rounds % 4]
    red, green, blue = (round(value + (towards - value) * part) for value in _CLASSES[position])
    return red, green, blue


def class_colours(count: int) -> list[str]:
    """Return the colours of the first classes as `#rrggbb`."""
    return [hex_colour(class_colour(label)) for label in range(count)]


def hex_colour(colour: Colour) -> str:
    """Return a colour as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def css_properties() -> str:
    """Return a CSS rule that names the colours: `:root { --ground-truth: #ffffff; ... }`, a property a line."""
    named = {
        "paper": PAPER, "ink": INK, "faint": FAINT_INK, "line": FRAME, "ground-truth": GROUND_TRUTH,
        "missed": MISSED, "correct": CORRECT, "wrong": WRONG, "unjudged": UNJUDGED, "confident": CONFIDENT,
        "responsible": RESPONSIBLE, "doubted": DOUBTED,
        **{f"class-{label}": colour for label, colour in enumerate(_CLASSES)},
    }  # fmt: skip
    return ":root {\n" + "".join(f"  --{name}: {hex_colour(c)};\n" for name, c in named.items()) + "}\n"
