"""What recognises plates and faces: models, their sessions, and what is done before and after them.

Rule: only the vision child and the commands of the roof import this package; numpy, cv2 and onnxruntime live here.
"""
