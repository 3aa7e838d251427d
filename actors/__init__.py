"""The shell: everything that owns a mailbox. Actors carry out what the pure step says; they decide nothing.

Importing this package does not import trio: a program whose steps never wait and never cross devices does without.
"""
