"""Images that people labelled: one module a format in `formats`, and the rules that all formats share.

Bytes flow from a folder or archive of the room `inputs` through its `parsing` into a format's reader. `validate`
turns the result into labelled images, and every mistake or change becomes a row of the ledger. From there the room
`splits` makes the dataset of `generate`, and `convert` another format.

No library serves here: each one looked at loses or changes something without a row that says so. `supervision`
casts VOC corners to whole numbers, holds coordinates as float32, takes a missing label file for no objects and
writes five decimals. `globox` starts from the label files, so that an image without one is never missed, and
checks neither classes nor corners. Both want an unpacked folder, and neither names the line that is wrong. XML
goes through expat as in `defusedxml`, with every DTD refused; each message has its line number, which
ElementTree drops.
"""
