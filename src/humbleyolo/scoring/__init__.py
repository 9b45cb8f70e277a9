"""How good detections are: tables of truths and detections, their matching, COCO's metrics, curves."""
