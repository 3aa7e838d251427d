"""All gradients: importing this module fills the table."""

from __future__ import annotations
