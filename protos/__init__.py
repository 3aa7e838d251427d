"""TensorFlow's wire formats under our own package name.

One ``.proto`` file per theme, named as in TensorFlow, with the same messages, field names, field numbers and enum
values; ``x.proto`` is imported as ``from runstep.protos import x_pb2``. The protobuf package is ``runstep`` and never
``tensorflow``: two files that declare the same full name cannot be loaded into one process, and users may well have
both libraries in theirs. On the wire a package name does not show, so bytes pass freely between the two.

Nothing is imported here: a module is loaded by who needs it. ``regenerate.py`` rewrites the checked-in ``*_pb2.py``
and ``*_pb2.pyi`` after an edit.
"""
