"""Images that people labelled: one module a format, and what all formats share.

    source     a folder or a zip archive, read only                pictures   an image file's size, hashes and
    faults text, markup, strict_json     files that are not trusted       ledger     what was found and what
    was done about it record     an image and its boxes                              gather     the rules that
    hold for every format voc, yolo, coco, ...          one format each: `detect`, `read`, some `write`
    formats    the list of them, and which one a folder is in      splits, similar     train, val and test

Why not a library: each of those looked at reads several of these formats well, and none keeps this project's
promise that nothing is lost or changed without a row that says so. `supervision` and `pybboxes` round or cast
coordinates to whole pixels and pass over files that they do not understand; `globox` reads a missing
annotation as no objects and takes inverted corners; `datumaro` is the most complete, but renumbers, skips or
clips with a line in a log at most, and brings some forty packages. All want an unpacked folder. What they
read is small: the parsers here hold fewer lines than the checks that would have to surround theirs. XML goes
through expat, as in `defusedxml`, with every DTD refused; its line numbers, which ElementTree drops, are in
each message.
"""
