"""Average precision and its parts: tables, matching, COCO, VOC, nearest ground truths, floor, the grid's ceiling."""
