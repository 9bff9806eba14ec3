"""Camera drivers. Rule: a module here is imported to check options in the door process, so cv2 is loaded on connect."""
