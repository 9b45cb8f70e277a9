"""Average precision and its parts: tables, matching, COCO, VOC, nearest ground truths, the grid's ceiling."""
