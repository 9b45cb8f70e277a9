"""The page that `dvc plots show` fills in, with all that draws it inside; run it to write the page anew.

DVC's own page asks a server for Vega, Vega-Lite and Vega-Embed. This one holds them, bundled by `vl-convert-python`,
so that plots are drawn without a network.
"""

import vl_convert
from repository import ROOT

PAGE = ROOT / ".dvc/plots_page.html"
VEGA_LITE = "6.4"

_TEXT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>Plots</title>
<style>
body { font-family: sans-serif; margin: 1rem; }
.plots > div { display: inline-block; margin: 0 1rem 1rem 0; vertical-align: top; }
.plots > #data_evaluation_metrics_json { display: none; } /* a plot in name alone: see dvc.yaml */
</style>
<!-- Vega, Vega-Lite, Vega-Embed and what they need; their licences are in plots_page.LICENSE.txt. -->
<script>
(() => {
@SCRIPT@
})();
</script>
</head>
<body>
<div class="plots">
{plot_divs}
</div>
</body>
</html>
"""


def page() -> str:
    """Return the page, with DVC's marks for what it fills in."""
    return _TEXT.replace("@SCRIPT@", vl_convert.javascript_bundle(vl_version=VEGA_LITE).strip())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
