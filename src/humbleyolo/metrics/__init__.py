"""Average precision and its parts: tables, matching, COCO, VOC, the grid's ceiling."""
