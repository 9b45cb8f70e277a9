"""Images that people labelled: one module a format, and what all formats share.

    source                          a folder or a zip archive, read only
    text, markup, strict_json, table    files that nobody checked
    pictures                        an image file's size, hashes and faults
    ledger                          what was found, and what was done about it
    record                          an image and its boxes
    validate, boxes                   the rules that hold for every format
    voc, yolo, coco, cvat, ...      a format each: `detect`, `read`, some `write`
    formats                         the list of them, and which one a folder is in
    splits, similar                 train, val and test, and images that are in two of them
    labelled                        a labelled folder as the dataset that `generate` writes
    convert, writing                a labelled folder in another format
    check, checks, suspects, ...    a labelled folder looked at before training

Why not a library: those whose readers were gone through handle several of these formats, and none keeps this
project's promise that nothing is lost or changed without a row that says so. `supervision` casts VOC corners
to whole numbers, holds coordinates as float32, takes a missing label file for no objects and writes five
decimals. `globox` starts from the label files, so that an image without one is never missed, and checks
neither classes nor corners. Both want an unpacked folder, and neither names the line that is wrong. The
parsers here are shorter than the checks that would have to surround theirs. XML goes through expat as in
`defusedxml`, with every DTD refused; its line numbers, which ElementTree drops, are in each message.
"""
