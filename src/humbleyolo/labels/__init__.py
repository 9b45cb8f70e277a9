"""Images that people labelled: one module a format in `formats`, and the rules that all formats share.

Bytes flow from `folder` (a folder or archive, read only) through `parsing` (files that nobody checked) into a
format's reader. `validate` turns its result into labelled images, and every mistake or change becomes a row of
the `ledger`. From there the room `splits` makes the dataset of `generate`, and `convert` another format.

No library serves here: each one looked at loses or changes something without a row that says so. `supervision`
casts VOC corners to whole numbers, holds coordinates as float32, takes a missing label file for no objects and
writes five decimals. `globox` starts from the label files, so that an image without one is never missed, and
checks neither classes nor corners. Both want an unpacked folder, and neither names the line that is wrong. XML
goes through expat as in `defusedxml`, with every DTD refused; each message has its line number, which
ElementTree drops.
"""
