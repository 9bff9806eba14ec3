"""Face detectors, one adapter a file: a function of a model's card and options that gives something with `find`.

Rule: an adapter knows one family of nets and nothing of cameras or galleries. docs/models.md shows how to add one.
"""
